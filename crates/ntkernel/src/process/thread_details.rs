//! What the debugger shows of a single thread only.

use kdump::{FileTime, Gva, TimeSpan};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::contract::{Irp, Process, Thread, ThreadControl};
use crate::image::kernel::{At, Kernel, Read};
use crate::image::value::{Addr, Value};
use crate::object::process_ref::ProcessRef;
use crate::process::clock::Clock;
use crate::process::irp;
use crate::process::module::{self, CodeAddress};

/// What is known of a thread beside its line.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ThreadDetails {
    /// Its name, which some kernels have.
    pub name: Value<Option<String>>,
    /// Where it started.
    pub start_address: Value<Addr>,
    /// The same by the kernel module that it is in; none when no module is known to be there.
    pub start_module: Option<CodeAddress>,
    /// Where its user-mode part started; of a system thread, the same as the start address or null.
    pub win32_start_address: Value<Addr>,
    /// Top of its kernel stack.
    pub stack_base: Value<Addr>,
    /// Lowest address of its kernel stack.
    pub stack_limit: Value<Addr>,
    /// Where its kernel stack began to be used.
    pub initial_stack: Value<Addr>,
    /// Its kernel stack pointer when it was last switched away from.
    pub kernel_stack: Value<Addr>,
    /// Its priority now.
    pub priority: Value<i8>,
    /// Its priority without boosts.
    pub base_priority: Value<i8>,
    /// By how much its priority is above the base for a moment.
    pub priority_decrement: Value<i8>,
    /// Priority of its I/O requests, 0 to 7; 2 is normal.
    pub io_priority: Value<u8>,
    /// Priority of the pages that it uses, 0 to 7; 5 is normal.
    pub page_priority: Value<u8>,
    /// Whether its kernel stack is in memory; else it was paged out.
    pub kernel_stack_resident: Value<bool>,
    /// Whom it acts for; none when it acts as its process.
    pub impersonation: Value<Option<Impersonation>>,
    /// The `_DEVICE_MAP` of its process: which drive letters it sees.
    pub device_map: Value<Addr>,
    /// How long it ran in user mode, to a clock tick.
    pub user_time: Value<TimeSpan>,
    /// How long it ran in kernel mode, to a clock tick.
    pub kernel_time: Value<TimeSpan>,
    /// Clock ticks since the system started, when its wait began.
    pub wait_start_tick_count: Value<u32>,
    /// Clock ticks since then; of a thread that does not wait, since its last wait began.
    pub ticks: Value<u64>,
    /// The same as a span of time.
    pub ticks_time: Value<TimeSpan>,
    /// How often it was switched to.
    pub context_switches: Value<u32>,
    /// The process that it works in; none when that is its own.
    pub attached_process: Value<Option<ProcessRef>>,
    /// When it was made, in 100 ns since 1601; none for those that the kernel starts with.
    pub create_time: Value<Option<FileTime>>,
    /// The queue that it is registered with, such as a completion port.
    pub queue: Value<Addr>,
    /// `_ETHREAD.AlpcMessageId`, stale or not.
    pub alpc_message_id: Value<Addr>,
    /// `_ETHREAD.AlpcMessage` or, in the same place, `AlpcReceiveAttributeSet`.
    pub alpc_message: Value<Addr>,
    /// Its I/O requests.
    pub irps: Value<Irps>,
}

/// A client that a thread acts for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Impersonation {
    /// The client's `_TOKEN`.
    pub token: Addr,
    /// How far: `Anonymous`, `Identification`, `Impersonation` or `Delegation`.
    pub level: &'static str,
    /// Whether what the token may enable stays as it was.
    pub effective_only: bool,
}

/// I/O requests of a thread.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Irps {
    /// The requests, in list order.
    pub requests: Vec<IrpRecord>,
    /// Set when the list could not be followed to its end.
    pub complete: Value<()>,
}

/// An I/O request, as the debugger's thread view lists it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct IrpRecord {
    /// Its `_IRP`.
    pub address: Addr,
    /// `_IRP.Type`: 6.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub irp_type: Value<u16>,
    /// Bytes.
    pub size: Value<u16>,
    /// `_IRP.Flags`.
    pub flags: Value<u32>,
    /// Its memory descriptor list.
    pub mdl: Value<Addr>,
}

/// Reads what is known of a thread beside its line.
#[must_use]
pub fn details(thread: At<'_, '_>) -> ThreadDetails {
    let kernel = thread.kernel();
    let control = thread.embedded(Thread::Tcb);
    let pointer = |member| {
        Value::from(
            control
                .clone()
                .and_then(|at| at.pointer(member))
                .map(|gva| kernel.addr(gva)),
        )
    };
    let priority = |member| control.clone().and_then(|at| signed_byte(at, member)).into();
    let clock = Clock::read(kernel);
    let span = |ticks: Read<u64>| -> Read<TimeSpan> { Ok(clock.clone()?.span(ticks?)) };
    let time_in = |member| -> Value<TimeSpan> {
        let ticks = control.clone().and_then(|at| at.u32(member));
        span(ticks.map(u64::from)).into()
    };
    let ticks = control
        .clone()
        .and_then(|at| clock.clone()?.ticks_since(at.u32(ThreadControl::WaitTime)?));
    ThreadDetails {
        name: name(thread).into(),
        start_address: thread.addr(Thread::StartAddress),
        start_module: start_module(thread),
        win32_start_address: thread.addr(Thread::Win32StartAddress),
        stack_base: pointer(ThreadControl::StackBase),
        stack_limit: pointer(ThreadControl::StackLimit),
        initial_stack: pointer(ThreadControl::InitialStack),
        kernel_stack: pointer(ThreadControl::KernelStack),
        priority: priority(ThreadControl::Priority),
        base_priority: priority(ThreadControl::BasePriority),
        priority_decrement: priority(ThreadControl::PriorityDecrement),
        io_priority: small(thread, Thread::ThreadIoPriority).into(),
        page_priority: small(thread, Thread::ThreadPagePriority).into(),
        // Stacks are swapped out only of threads that wait long and in user mode, a wait in kernel mode keeps
        // them (MicrosoftDocs/windows-driver-docs-ddi#912, a single source): on a server that starves for
        // memory, just those that wait for a reply. `!thread` prints "Kernel stack not resident." and tries to
        // walk it all the same.
        kernel_stack_resident: control
            .clone()
            .and_then(|at| at.flag(ThreadControl::KernelStackResident))
            .into(),
        impersonation: impersonation(thread).into(),
        device_map: device_map(control.clone()).into(),
        user_time: time_in(ThreadControl::UserTime),
        kernel_time: time_in(ThreadControl::KernelTime),
        ticks: ticks.clone().into(),
        ticks_time: span(ticks).into(),
        wait_start_tick_count: control
            .clone()
            .and_then(|at| at.u32(ThreadControl::WaitTime))
            .into(),
        context_switches: control
            .clone()
            .and_then(|at| at.u32(ThreadControl::ContextSwitches))
            .into(),
        attached_process: control.clone().and_then(attached_process).into(),
        create_time: thread.time(Thread::CreateTime),
        queue: pointer(ThreadControl::Queue),
        alpc_message_id: thread.addr(Thread::AlpcMessageId),
        alpc_message: thread.addr(Thread::AlpcMessage),
        irps: irps(thread).into(),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the bit fields have three bits")]
fn small(thread: At<'_, '_>, member: Thread) -> Read<u8> {
    Ok(thread.uint(member)? as u8)
}

/// The word behind the flag has the token, the level in its lowest two bits and above these whether it is effective
/// only: tokens are aligned to 16 bytes, and to 8 on 32-bit systems. It stays as it was when impersonation ends; the flag
/// decides.
fn impersonation(thread: At<'_, '_>) -> Read<Option<Impersonation>> {
    const LEVELS: [&str; 4] = ["Anonymous", "Identification", "Impersonation", "Delegation"];
    const EFFECTIVE_ONLY: u64 = 4;
    // Bit 3 of CrossThreadFlags, in every kernel from Vista on.
    if !thread.flag(Thread::ActiveImpersonationInfo)? {
        return Ok(None);
    }
    let kernel = thread.kernel();
    let word = kernel
        .cursor()
        .pointer(thread.address_of(Thread::ClientSecurity)?)?
        .u64();
    let level = usize::try_from(word & 3).ok().and_then(|level| LEVELS.get(level));
    Ok(Some(Impersonation {
        token: kernel.addr(Gva::new(word & !7)),
        level: level.copied().unwrap_or_default(),
        effective_only: word & EFFECTIVE_ONLY != 0,
    }))
}

fn device_map(control: Read<At<'_, '_>>) -> Read<Addr> {
    let control = control?;
    let kernel = control.kernel();
    let process = control.pointer(ThreadControl::Process)?;
    let map = kernel.at(process).pointer(Process::DeviceMap)?;
    Ok(kernel.addr(map))
}

fn attached_process(control: At<'_, '_>) -> Read<Option<ProcessRef>> {
    // A thread that works in another process's address space (KeStackAttachProcess) still belongs to its own; the
    // debugger prints "Attached Process N/A" where both are the same.
    let attached = control.pointer(ThreadControl::AttachedProcess)?;
    let is_own = attached == control.pointer(ThreadControl::Process)? || attached.u64() == 0;
    Ok((!is_own).then(|| ProcessRef::at(control.kernel(), attached)))
}

fn start_module(thread: At<'_, '_>) -> Option<CodeAddress> {
    let kernel = thread.kernel();
    let start = thread.pointer(Thread::StartAddress).ok()?;
    let modules = module::modules(kernel).ok()?;
    let located = modules.locate(kernel.addr(start));
    located.module.is_some().then_some(located)
}

/// Some kernels' symbols declare priorities without a sign.
fn signed_byte(control: At<'_, '_>, member: ThreadControl) -> Read<i8> {
    let [byte, ..] = control.uint(member)?.to_le_bytes();
    Ok(byte.cast_signed())
}

fn name(thread: At<'_, '_>) -> Read<Option<String>> {
    // From 14393 on, and set by SetThreadDescription: by the program itself, or by anybody who may open the
    // thread.
    let string = thread.pointer(Thread::ThreadName)?;
    if string.u64() == 0 {
        return Ok(None);
    }
    let name = thread.kernel().text(string)?;
    Ok(Some(match thread.kernel().redaction() {
        Some(redaction) => redaction.name(name),
        None => name,
    }))
}

fn irps(thread: At<'_, '_>) -> Read<Irps> {
    let kernel = thread.kernel();
    let list = irp::requests_of(thread)?;
    let complete = list.complete("the list of I/O requests").into();
    Ok(Irps {
        requests: list
            .entries
            .into_iter()
            .map(|address| irp(kernel, address))
            .collect(),
        complete,
    })
}

fn irp(kernel: &Kernel<'_>, address: Gva) -> IrpRecord {
    let irp = kernel.at(address);
    IrpRecord {
        address: kernel.addr(address),
        irp_type: irp.u16(Irp::Type).into(),
        size: irp.u16(Irp::Size).into(),
        flags: irp.u32(Irp::Flags).into(),
        mdl: irp.addr(Irp::MdlAddress),
    }
}
