//! Threads that are known without any list of the system's: the one that crashed, and those that each processor runs,
//! is about to run, and runs when it has nothing else to do.
//!
//! A triage dump holds the thread and the process that crashed and hardly anything of the lists that they are in. In
//! any other dump the processors' control blocks lead to their threads, also where a page of a list is missing, or
//! somebody took a process out of it to hide it.

use std::collections::HashSet;

use kdump::Gva;

use crate::image::contract::{DispatcherHeader, Global, Process, Processor, Thread, ThreadControl};
use crate::image::kernel::{At, Kernel, Read, offset};
use crate::image::list::{Gap, List};
use crate::image::reason::{About, Why};
pub use crate::image::root_set::FoundBy;
use crate::image::root_set::{Root, Roots};
use crate::image::value::{Addr, Unreadable};
use crate::object::marks::{is_certainly_thread, is_thread};
use crate::why;

/// Processors that are looked at: as many as any Windows supports.
const PROCESSORS: u32 = 1 << 11;

/// `_DISPATCHER_HEADER.Type` of a process.
const PROCESS_OBJECT: u64 = 3;

/// The threads that are known without lists, read when they are first asked for.
pub fn of<'k>(kernel: &'k Kernel<'_>) -> &'k Roots {
    kernel.roots().get_or_init(|| Roots::read(kernel))
}

impl Roots {
    /// Reads them. Nothing here may need a list or the type of an object: those begin here.
    pub fn read(kernel: &Kernel<'_>) -> Self {
        let mut roots = Self::default();
        let mut seen = HashSet::new();
        let known: Vec<_> = crashed(kernel).into_iter().chain(by_processors(kernel)).collect();
        let idle = known
            .iter()
            .filter(|(_, found_by)| matches!(found_by, FoundBy::Idle { .. }));
        roots.idle_threads = idle.map(|(thread, _)| *thread).collect();
        for (thread, found_by) in known {
            if kernel.is_kernel_address(thread) && seen.insert(thread) {
                roots.add(kernel, thread, found_by);
            }
        }
        // The process in whose memory the crashed thread worked need not be the one that owns it.
        if let Some(process) = kernel.dump().triage().and_then(kdump::Triage::process) {
            roots.add_process(process, FoundBy::Crashed);
        }
        roots
    }

    fn add(&mut self, kernel: &Kernel<'_>, thread: Gva, found_by: FoundBy) {
        let is_crashed = found_by == FoundBy::Crashed;
        // What cannot be read may be anything; of the crashed thread the dump says what it is.
        if !(if is_crashed {
            is_thread(kernel, thread)
        } else {
            is_certainly_thread(kernel, thread)
        }) {
            return;
        }
        let attached = || kernel.dump().triage().and_then(kdump::Triage::process);
        let owner = owner(kernel, thread).ok();
        let Some(process) = owner.or_else(|| attached().filter(|_| is_crashed)) else {
            return;
        };
        if self.idle_threads.contains(&thread) || is_idle(kernel, process) {
            self.idle_process.get_or_insert(process);
        }
        self.threads.push(Root {
            thread,
            process,
            found_by,
        });
        self.add_process(process, found_by);
    }

    fn add_process(&mut self, process: Gva, found_by: FoundBy) {
        if self.processes.iter().all(|(known, _)| *known != process) {
            self.processes.push((process, found_by));
        }
    }

    /// Whether a process is the one that owns the idle threads.
    pub(crate) fn is_idle_process(&self, process: Gva) -> bool {
        self.idle_process == Some(process)
    }

    /// Whether a thread is one that a processor runs when it has nothing else to do.
    pub fn is_idle_thread(&self, thread: Gva) -> bool {
        self.idle_threads.contains(&thread)
    }

    /// The thread that crashed, or those that the processors run, each with the process that is current with it. Of
    /// those that processors run it is the one alone on whose stack the dump was written, where the header says so.
    pub fn current(&self, kernel: &Kernel<'_>) -> Vec<(Gva, Gva)> {
        let of = |is: fn(FoundBy) -> bool| self.threads.iter().filter(move |root| is(root.found_by));
        let crashed: Vec<&Root> = of(|by| by == FoundBy::Crashed).collect();
        let running: Vec<&Root> = of(|by| matches!(by, FoundBy::Current { .. })).collect();
        let wrote = running.iter().filter(|root| wrote_the_dump(kernel, root.thread));
        let wrote: Vec<&Root> = wrote.copied().collect();
        let attached = kernel.dump().triage().and_then(kdump::Triage::process);
        [crashed, wrote, running]
            .into_iter()
            .find(|threads| !threads.is_empty())
            .unwrap_or_default()
            .into_iter()
            .map(|root| (root.thread, attached.unwrap_or(root.process)))
            .collect()
    }

    /// Adds to the list of processes those that it lacks.
    pub fn processes(&self, kernel: &Kernel<'_>, list: Read<List>) -> Read<Members> {
        let known = self.processes.iter().copied();
        Members::new(kernel, list, known, |process| self.idle_process == Some(process))
    }

    /// Adds to a process's list of threads those that it lacks.
    pub fn threads_of(&self, kernel: &Kernel<'_>, process: Gva, list: Read<List>) -> Read<Members> {
        let own = self.threads.iter().filter(|root| root.process == process);
        let own = own.map(|root| (root.thread, root.found_by));
        let is_idle = self.idle_process == Some(process);
        // No thread was ever put into the idle process's list, which some kernels leave all zero.
        let list = match list {
            Ok(list) if is_idle && list.was_never_linked() => Ok(List {
                entries: Vec::new(),
                gap: None,
            }),
            list => list,
        };
        Members::new(kernel, list, own, |_| is_idle)
    }
}

/// Whether a process is the one that owns the idle threads: the only one with the id 0.
pub(crate) fn is_idle(kernel: &Kernel<'_>, process: Gva) -> bool {
    // PsIdleProcess is in no list: `!process 0 0` begins with System. No other process has the id 0.
    kernel.at(process).true_uint(Process::UniqueProcessId).ok() == Some(0)
}

/// The process that owns a thread, as far as nothing says that it is none.
fn owner(kernel: &Kernel<'_>, thread: Gva) -> Read<Gva> {
    let process = kernel
        .at(thread)
        .embedded(Thread::Tcb)?
        .pointer(ThreadControl::Process)?;
    let kind = kernel.at(process).uint(DispatcherHeader::Type);
    if !kernel.is_kernel_address(process) || kind.is_ok_and(|kind| kind & 0x7f != PROCESS_OBJECT) {
        let at = kernel.addr(process);
        return Err(Unreadable::Implausible(why!("no process is at {}", at)));
    }
    Ok(process)
}

/// Whether the stack pointer of a processor is on a thread's kernel stack: of the one that wrote the dump, or of any whose
/// registers an image has.
fn wrote_the_dump(kernel: &Kernel<'_>, thread: Gva) -> bool {
    if kernel.dump().contexts().next().is_none() {
        return false;
    }
    let stack = || {
        let control = kernel.at(thread).embedded(Thread::Tcb)?;
        let limit = control.pointer(ThreadControl::StackLimit)?;
        Ok::<_, Unreadable>((limit, control.pointer(ThreadControl::StackBase)?))
    };
    // Not every processor stands on the stack of its thread: DPCs, interrupts and double faults have stacks of
    // their own, and KeBugCheckEx can be called on any of them.
    stack().is_ok_and(|(limit, base)| {
        let on_it = |sp: Gva| (limit..=base).contains(&sp);
        kernel.dump().contexts().any(|context| on_it(context.rsp))
    })
}

/// What a triage dump says itself.
fn crashed(kernel: &Kernel<'_>) -> Vec<(Gva, FoundBy)> {
    let Some(triage) = kernel.dump().triage() else {
        return Vec::new();
    };
    let threads = [
        (triage.thread(), FoundBy::Crashed),
        (triage.next_thread(), FoundBy::Next { processor: None }),
        (triage.idle_thread(), FoundBy::Idle { processor: None }),
    ];
    let told = threads.into_iter();
    told.filter_map(|(thread, found_by)| Some((thread?, found_by)))
        .collect()
}

/// The control blocks of the processors, as far as they can be read, with the numbers of these.
fn processors<'k, 'd>(kernel: &'k Kernel<'d>) -> Vec<(u32, At<'k, 'd>)> {
    // An array of pointers to `_KPRCB`, one for each processor that the kernel could have. The debugger data
    // block names it too (+218), so that it is found without symbols.
    let Ok(table) = kernel.global(Global::KiProcessorBlock) else {
        return Vec::new();
    };
    let count = kernel.dump().header().number_processors.unwrap_or(PROCESSORS);
    let slot = |processor: u32| {
        let by = u64::from(processor).saturating_mul(kernel.pointer_size().into());
        // The table ends with null pointers, where the header does not say how many there are.
        let block = kernel.cursor().pointer(offset(table, by)).ok()?;
        let is_one = kernel.is_kernel_address(block);
        is_one.then(|| (processor, kernel.at(block)))
    };
    (0..count.min(PROCESSORS)).filter_map(slot).collect()
}

/// The control block of the processor that a thread runs on.
pub(crate) fn processor_of<'k, 'd>(kernel: &'k Kernel<'d>, thread: Gva) -> Option<At<'k, 'd>> {
    let all = processors(kernel).into_iter();
    let mut blocks = all.map(|(_, block)| block);
    blocks.find(|block| {
        block
            .pointer(Processor::CurrentThread)
            .is_ok_and(|current| current == thread)
    })
}

/// What the control blocks of the processors lead to, as far as they can be read.
fn by_processors(kernel: &Kernel<'_>) -> Vec<(Gva, FoundBy)> {
    let mut found = Vec::new();
    for (processor, block) in processors(kernel) {
        let number = Some(processor);
        for (member, found_by) in [
            (Processor::CurrentThread, FoundBy::Current { processor }),
            (Processor::NextThread, FoundBy::Next { processor: number }),
            (Processor::IdleThread, FoundBy::Idle { processor: number }),
        ] {
            found.extend(block.pointer(member).ok().map(|thread| (thread, found_by)));
        }
    }
    // What runs stands before what is about to, so that a thread is told by the strongest reason.
    found.sort_by_key(|(_, found_by)| match found_by {
        FoundBy::Crashed | FoundBy::Current { .. } => 0,
        FoundBy::Next { .. } => 1,
        FoundBy::Idle { .. } => 2,
    });
    found
}

/// The members of one of the system's lists, and behind them those that it should have.
#[derive(Clone, Debug)]
pub struct Members {
    /// In list order; at the end those that the list lacks.
    pub entries: Vec<Gva>,
    list: Read<List>,
    added: Vec<Added>,
}

/// A member that the list lacks.
#[derive(Clone, Copy, Debug)]
struct Added {
    address: Addr,
    found_by: FoundBy,
    /// Whether it is in no such list of any system.
    never_listed: bool,
}

impl Members {
    /// Where entries of the list itself are missing.
    pub fn gap(&self) -> Option<&Gap> {
        self.list.as_ref().ok()?.gap.as_ref()
    }

    fn new(
        kernel: &Kernel<'_>,
        list: Read<List>,
        known: impl Iterator<Item = (Gva, FoundBy)>,
        never_listed: impl Fn(Gva) -> bool,
    ) -> Read<Self> {
        let mut entries = match &list {
            Ok(list) => list.entries.clone(),
            Err(_) => Vec::new(),
        };
        let lacks = |(address, _): &(Gva, FoundBy)| !entries.contains(address);
        let added: Vec<Added> = known
            .filter(lacks)
            .map(|(address, found_by)| Added {
                address: kernel.addr(address),
                found_by,
                never_listed: never_listed(address),
            })
            .collect();
        if added.is_empty()
            && let Err(hole) = list
        {
            return Err(hole);
        }
        entries.extend(added.iter().map(|added| added.address.gva()));
        Ok(Self { entries, list, added })
    }

    /// Nothing, or why members of `what` are missing. A list that lacks what is known otherwise may lack more.
    ///
    /// # Errors
    /// Why the list is not whole.
    pub fn complete(&self, what: impl Into<About>) -> Read<()> {
        let what = what.into();
        self.list.clone()?.complete(what.clone())?;
        let lacking = self.added.iter().filter(|added| !added.never_listed);
        let lacking: Vec<Why> = lacking
            .map(|added| why!("{} ({})", added.address, added.found_by.to_string()))
            .collect();
        if lacking.is_empty() {
            return Ok(());
        }
        Err(Unreadable::Walk(why!("{} lacks {}", what, About::All(lacking))))
    }

    /// Nothing, or why the list itself could not be followed whole, whatever else it lacks.
    ///
    /// # Errors
    /// Why it could not.
    pub fn followed(&self, what: impl Into<About>) -> Read<()> {
        self.list.clone()?.complete(what)
    }

    /// What led to a member that the list lacks; none for one that it has.
    #[must_use]
    pub fn found_by(&self, address: Gva) -> Option<FoundBy> {
        let mut added = self.added.iter();
        added
            .find(|added| added.address.gva() == address)
            .map(|added| added.found_by)
    }
}
