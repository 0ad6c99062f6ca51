//! The debugger data block, processes and threads.

use std::collections::HashSet;

use kdump::Gva;

use super::{Check, Examined, is_linked, is_pointer, unless};
use crate::port::contract::ProcessContext;
use ntkernel::image::contract::{
    ClientId, DispatcherHeader, Global, HandleTable, Process, ProcessControl, Queue, Thread, ThreadControl,
    WaitBlock,
};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::list;
use ntkernel::process;
use ntkernel::process::roots::Members;

/// Processes that are looked at.
const PROCESSES: usize = 128;
/// Threads of one process that are looked at.
const THREADS_EACH: usize = 64;
/// Threads that are looked at in all.
const THREADS: usize = 1024;

/// `_DISPATCHER_HEADER.Type` of what stands at the beginning of processes, threads and semaphores.
const PROCESS_OBJECT: u64 = 3;
const THREAD_OBJECT: u64 = 6;
const SEMAPHORE_OBJECT: u64 = 5;
const QUEUE_OBJECTS: [u64; 2] = [4, 21];

/// The process that every system has.
const SYSTEM: (u64, &str) = (4, "System");
const IDLE: &str = "Idle";

/// Ids are handles: multiples of four, far below this.
const ID_END: u64 = 1 << 31;
/// 2000 and 2200, in 100 ns since 1601.
const TIMES: std::ops::Range<u64> = 0x01bf_53eb_256d_4000..0x02a0_0000_0000_0000;
/// `_KTHREAD_STATE` and `_KWAIT_REASON` end before these.
const STATES: u64 = 10;
const REASONS: u64 = 64;
const PRIORITIES: u64 = 32;
const SUSPENSIONS: u64 = 128;
const PAGE: u64 = 0x1000;

/// Places of the sizes in the list below.
const SIZE_OF_PROCESS: usize = 5;
const SIZE_OF_THREAD: usize = 9;

/// The block's own offsets and sizes against the layout's. A zero was never written.
pub(super) fn debugger_data(examined: &mut Examined<'_>) {
    let kernel = &examined.kernel;
    let dump = kernel.dump();
    let read = kdump::debugger_data(dump).ok();
    let Some(block) = read.as_ref().or_else(|| dump.triage()?.debugger_data()) else {
        return;
    };
    let table_base = (|| -> Read<u64> {
        let control = kernel.offset(Process::Pcb)?;
        Ok(control.saturating_add(kernel.offset(ProcessControl::DirectoryTableBase)?))
    })();
    let pairs = [
        (
            block.offset_kthread_next_processor,
            kernel.offset(ThreadControl::NextProcessor),
        ),
        (block.offset_kthread_teb, kernel.offset(ThreadControl::Teb)),
        (
            block.offset_kthread_kernel_stack,
            kernel.offset(ThreadControl::KernelStack),
        ),
        (
            block.offset_kthread_apc_process,
            kernel.offset(ThreadControl::AttachedProcess),
        ),
        (block.offset_kthread_state, kernel.offset(ThreadControl::State)),
        (block.size_eprocess, kernel.size_of::<Process>()),
        (block.offset_eprocess_peb, kernel.offset(Process::Peb)),
        (
            block.offset_eprocess_parent_cid,
            kernel.offset(Process::InheritedFromUniqueProcessId),
        ),
        (block.offset_eprocess_directory_table_base, table_base),
        (block.size_ethread, kernel.size_of::<Thread>()),
    ];
    let outcomes = pairs.map(|(told, layout)| {
        let told = told.filter(|told| *told != 0)?;
        Some(u64::from(told) == layout.ok()?)
    });
    // Sizes alone of all that the block says: structures grow at their ends, where nothing moves.
    let is_size = |number: usize| number == SIZE_OF_PROCESS || number == SIZE_OF_THREAD;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        if !(examined.lenient && is_size(number)) {
            examined.tally.note(Check::DebuggerData, outcome);
        }
    }
}

/// The processes of the kernel's list, and their threads.
pub(super) fn processes(examined: &mut Examined<'_>) {
    let kernel = &examined.kernel;
    let Ok(found) = process::roots::of(kernel).processes(kernel, listed(kernel)) else {
        return;
    };
    let mut process_ids = HashSet::new();
    for &address in &found.entries {
        let process = kernel.at(address);
        let id = process.uint(Process::UniqueProcessId);
        let outcome = id.map(|id| match id {
            0 => is_idle(process),
            id => Some(is_id(id) && process_ids.insert(id)),
        });
        examined.tally.read(Check::Processes, outcome);
        for outcome in process_outcomes(process) {
            examined.tally.note(Check::Processes, outcome);
        }
    }
    let mut threads = Vec::new();
    for &address in &found.entries {
        let process = kernel.at(address);
        examined.tally.read(Check::Processes, parent(process));
        let Ok(own) = threads_of(process) else {
            continue;
        };
        examined.tally.read(Check::Processes, thread_count(process, &own));
        for &thread in own.entries.iter().take(THREADS.saturating_sub(threads.len())) {
            for outcome in thread_outcomes(kernel.at(thread), process, &found.entries) {
                examined.tally.note(Check::Threads, outcome);
            }
            threads.push(thread);
        }
    }
    examined.processes = found.entries;
    examined.process_ids = process_ids;
    examined.threads = threads;
}

fn listed(kernel: &Kernel<'_>) -> Read<list::List> {
    let head = kernel.global(Global::PsActiveProcessHead)?;
    let link = kernel.offset(Process::ActiveProcessLinks)?;
    Ok(list::walk_up_to(kernel, head, PROCESSES).containers(link))
}

/// The process that owns the idle threads is the only one without an id, and the kernel names it.
fn is_idle(process: At<'_, '_>) -> Option<bool> {
    Some(process::image_name(process).ok()? == IDLE)
}

fn is_id(id: u64) -> bool {
    id != 0 && id.is_multiple_of(4) && id < ID_END
}

/// Checks of one process, each a reading of one of its members.
fn process_outcomes(process: At<'_, '_>) -> Vec<Option<bool>> {
    let kernel = process.kernel();
    let ring = |member| linked(process.address_of(member), kernel);
    let pointer = |member| -> Option<bool> { is_pointer(kernel, process.pointer(member).ok()?) };
    let views = process
        .embedded(Process::AlpcContext)
        .and_then(|context| context.address_of(ProcessContext::ViewListHead));
    vec![
        says(process, PROCESS_OBJECT),
        image_name(process).ok().flatten(),
        image_path(process).ok().flatten(),
        time(process.uint(Process::CreateTime)),
        exit_time(process).ok().flatten(),
        peb(process.pointer(Process::Peb), kernel),
        pointer(Process::Session),
        pointer(Process::Token),
        handle_table(process).ok().flatten(),
        ring(Process::ThreadListHead),
        linked(views, kernel),
        linked(
            process
                .embedded(Process::Pcb)
                .and_then(|control| control.address_of(ProcessControl::ThreadListHead)),
            kernel,
        ),
    ]
}

fn linked(at: Read<Gva>, kernel: &Kernel<'_>) -> Option<bool> {
    is_linked(kernel, at.ok()?).ok().flatten()
}

/// Whether the dispatcher header at the beginning of a structure says that it is of that kind. One that is all
/// zero was never written.
fn says(structure: At<'_, '_>, wanted: u64) -> Option<bool> {
    let kind = structure.uint(DispatcherHeader::Type).ok()? & 0x7f;
    let head = structure.address_of(DispatcherHeader::WaitListHead).ok()?;
    let next = structure.kernel().cursor().pointer(head).ok()?;
    (kind != 0 || next.u64() != 0).then_some(kind == wanted)
}

/// A name begins with a character. That of the process with the id 4 is known.
fn image_name(process: At<'_, '_>) -> Read<Option<bool>> {
    let name = process::image_name(process)?;
    // System has the id 4 since Windows XP, as the first handle that a table can give out.
    if process.uint(Process::UniqueProcessId)? == SYSTEM.0 {
        return Ok(Some(name == SYSTEM.1));
    }
    Ok(match name.chars().next() {
        None => Some(false),
        Some(first) if first.is_ascii_graphic() => Some(true),
        Some(_) => None,
    })
}

/// The path of the image file ends in the image name, of which the kernel keeps no more than so many characters.
fn image_path(process: At<'_, '_>) -> Read<Option<bool>> {
    let information = process.pointer(Process::SeAuditImageFileName)?;
    if information.u64() == 0 {
        return Ok(None);
    }
    if !process.kernel().is_kernel_address(information) {
        return Ok(Some(false));
    }
    let (path, name) = (process::image_path(process)?, process::image_name(process)?);
    let same = path.map(|path| {
        // "SearchProtocolHost.exe" is "SearchProtocol" in the kernel's own name, and either can be in another
        // case.
        let file = process::file_name(&path).to_lowercase();
        file.starts_with(&name.to_lowercase())
    });
    Ok(same.filter(|same| *same))
}

fn time(time: Read<u64>) -> Option<bool> {
    let time = time.ok()?;
    (time != 0).then(|| TIMES.contains(&time))
}

fn exit_time(process: At<'_, '_>) -> Read<Option<bool>> {
    let (began, ended) = (
        process.uint(Process::CreateTime)?,
        process.uint(Process::ExitTime)?,
    );
    Ok((ended != 0).then(|| TIMES.contains(&ended) && ended >= began))
}

/// A process or thread environment block begins a page of user memory.
fn peb(at: Read<Gva>, kernel: &Kernel<'_>) -> Option<bool> {
    let at = at.ok()?;
    (at.u64() != 0).then(|| at.u64().is_multiple_of(PAGE) && is_user(at, kernel))
}

fn is_user(at: Gva, kernel: &Kernel<'_>) -> bool {
    // The user's part of x86 ends at 2 GiB, or at 3 GiB when the system was started so (/3GB).
    let end = if kernel.pointer_size() == 4 {
        0xc000_0000
    } else {
        0x0100_0000_0000_0000
    };
    at.u64() < end
}

/// A handle table names its process, by id and by address.
fn handle_table(process: At<'_, '_>) -> Read<Option<bool>> {
    let kernel = process.kernel();
    let table = process.pointer(Process::ObjectTable)?;
    match is_pointer(kernel, table) {
        Some(true) => {}
        other => return Ok(other),
    }
    let table = kernel.at(table);
    let (id, owner) = (
        table.uint(HandleTable::UniqueProcessId)?,
        table.pointer(HandleTable::QuotaProcess)?,
    );
    if owner.u64() != 0 {
        return Ok(Some(owner == process.address()));
    }
    Ok((id != 0).then_some(id == process.uint(Process::UniqueProcessId)?))
}

/// The id of the process that made it; that one may be gone.
fn parent(process: At<'_, '_>) -> Read<Option<bool>> {
    let parent = process.uint(Process::InheritedFromUniqueProcessId)?;
    Ok((parent != 0).then(|| is_id(parent)))
}

fn threads_of(process: At<'_, '_>) -> Read<Members> {
    let kernel = process.kernel();
    let listed = || {
        let link = kernel.offset(Thread::ThreadListEntry)?;
        let head = process.address_of(Process::ThreadListHead)?;
        Ok(list::walk_up_to(kernel, head, THREADS_EACH).containers(link))
    };
    process::roots::of(kernel).threads_of(kernel, process.address(), listed())
}

/// A process counts those of its threads that have not ended.
fn thread_count(process: At<'_, '_>, threads: &Members) -> Read<Option<bool>> {
    let count = process.uint(Process::ActiveThreads)?;
    let listed = u64::try_from(threads.entries.len()).unwrap_or(u64::MAX);
    Ok((threads.complete("threads").is_ok() && count != 0).then_some(count <= listed))
}

/// Checks of one thread, each a reading of one of its members.
fn thread_outcomes(thread: At<'_, '_>, process: At<'_, '_>, processes: &[Gva]) -> Vec<Option<bool>> {
    let kernel = thread.kernel();
    let control = thread.embedded(Thread::Tcb).unwrap_or(thread);
    let number = |member, end: u64| unless(control.uint(member).is_ok_and(|number| number >= end));
    let count = |member, end: u64| {
        let number = control.uint(member).ok()?;
        (number != 0).then_some(number < end)
    };
    let in_list = |member| linked(thread.address_of(member), kernel);
    vec![
        says(thread, THREAD_OBJECT),
        thread
            .embedded(Thread::AlpcWaitSemaphore)
            .ok()
            .and_then(|at| says(at, SEMAPHORE_OBJECT)),
        client_id(thread, process).ok().flatten(),
        thread_id(thread).ok().flatten(),
        owner(control, process).ok().flatten(),
        attached(control, processes).ok().flatten(),
        // The enumerations grew at their ends and never moved; Windows 7's symbols lack that of states.
        count(ThreadControl::State, STATES),
        number(ThreadControl::WaitReason, REASONS),
        number(ThreadControl::WaitMode, 2),
        count(ThreadControl::Priority, PRIORITIES),
        number(ThreadControl::BasePriority, PRIORITIES),
        number(ThreadControl::SuspendCount, SUSPENSIONS),
        number(ThreadControl::FreezeCount, SUSPENSIONS),
        stack(control).ok().flatten(),
        peb(control.pointer(ThreadControl::Teb), kernel),
        wait_block(control, thread).ok().flatten(),
        queue(control).ok().flatten(),
        time(thread.uint(Thread::CreateTime)),
        thread_name(thread).ok().flatten(),
        in_list(Thread::ThreadListEntry),
        in_list(Thread::IrpList),
        in_list(Thread::AlpcWaitListEntry),
        linked(control.address_of(ThreadControl::ThreadListEntry), kernel),
    ]
}

fn client_id(thread: At<'_, '_>, process: At<'_, '_>) -> Read<Option<bool>> {
    let id = thread.embedded(Thread::Cid)?.uint(ClientId::UniqueProcess)?;
    Ok(Some(id == process.uint(Process::UniqueProcessId)?))
}

fn thread_id(thread: At<'_, '_>) -> Read<Option<bool>> {
    let ids = thread.embedded(Thread::Cid)?;
    let (process, id) = (
        ids.uint(ClientId::UniqueProcess)?,
        ids.uint(ClientId::UniqueThread)?,
    );
    // Idle threads have neither.
    Ok((id != 0 || process != 0).then_some(is_id(id)))
}

fn owner(control: At<'_, '_>, process: At<'_, '_>) -> Read<Option<bool>> {
    Ok(Some(
        control.pointer(ThreadControl::Process)? == process.address(),
    ))
}

/// The process in whose memory a thread works; it can be one that the list has no more.
fn attached(control: At<'_, '_>, processes: &[Gva]) -> Read<Option<bool>> {
    let attached = control.pointer(ThreadControl::AttachedProcess)?;
    if processes.contains(&attached) {
        return Ok(Some(true));
    }
    Ok(is_pointer(control.kernel(), attached).filter(|is_pointer| !is_pointer))
}

/// A stack grows down from its base: limit, stack pointer, where it began.
fn stack(control: At<'_, '_>) -> Read<Option<bool>> {
    let at = |member| control.pointer(member);
    let (base, limit) = (at(ThreadControl::StackBase)?, at(ThreadControl::StackLimit)?);
    let (initial, pointer) = (at(ThreadControl::InitialStack)?, at(ThreadControl::KernelStack)?);
    if base.u64() == 0 {
        return Ok(None);
    }
    let kernel = control.kernel();
    Ok(Some(
        kernel.is_kernel_address(limit)
            && limit < base
            && initial <= base
            && (pointer.u64() == 0 || (limit < pointer && pointer <= base)),
    ))
}

/// What binds a thread to what it waits for names the thread.
fn wait_block(control: At<'_, '_>, thread: At<'_, '_>) -> Read<Option<bool>> {
    const WAITING: u64 = 5;
    let kernel = control.kernel();
    let block = control.pointer(ThreadControl::WaitBlockList)?;
    if control.uint(ThreadControl::State)? != WAITING || block.u64() == 0 {
        return Ok(None);
    }
    if !kernel.is_kernel_address(block) {
        return Ok(Some(false));
    }
    Ok(Some(
        kernel.at(block).pointer(WaitBlock::Thread)? == thread.address(),
    ))
}

/// The queue of work that a thread serves, and is in the list of.
fn queue(control: At<'_, '_>) -> Read<Option<bool>> {
    let kernel = control.kernel();
    let queue = control.pointer(ThreadControl::Queue)?;
    match is_pointer(kernel, queue) {
        Some(true) => {}
        other => return Ok(other),
    }
    let queue = kernel.at(queue);
    let kind = queue.uint(DispatcherHeader::Type)? & 0x7f;
    let in_list = linked(control.address_of(ThreadControl::QueueListEntry), kernel);
    let head = linked(queue.address_of(Queue::ThreadListHead), kernel);
    Ok(Some(
        QUEUE_OBJECTS.contains(&kind) && in_list != Some(false) && head != Some(false),
    ))
}

fn thread_name(thread: At<'_, '_>) -> Read<Option<bool>> {
    let name = thread.pointer(Thread::ThreadName)?;
    let is_pointer = is_pointer(thread.kernel(), name);
    Ok(is_pointer.filter(|is_pointer| !is_pointer))
}
