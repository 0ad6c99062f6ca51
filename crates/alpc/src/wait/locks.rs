//! Who holds the locks of the executive that threads wait for.
//!
//! * An executive resource names its owners itself. Which resource a thread waits for follows from what it waits at:
//!   up to Windows 8.1 the resource's own semaphore or event, later an event in an entry (`_KWAIT_CHAIN_ENTRY`) of the
//!   line before it.
//! * A fast mutex names its owner, and the event that is waited for is part of it.
//! * A push lock names nobody. But threads note in their lock entries (`_KLOCK_ENTRY`, since Windows 8) the locks that
//!   they hold and wait for, so that the scheduler can lend their owners priority. A thread has few entries and may
//!   hold more locks than that; what is noted is therefore inferred, and what is not noted is not told.
//!
//! Sources: the layouts of complete symbol tables; the flags of `_ERESOURCE` and `ExSetResourceOwnerPointer` as
//! documented for drivers; which bits of a lock entry count, from published readings of `KeAbPreWait`,
//! `KeAbPostReleaseEx` and `ExpWaitForResource`.

use std::collections::HashMap;

use kdump::Gva;
use ntkernel::image::contract::{
    ExecutiveResource, FastMutex, Global, LockEntry, OwnerEntry, Thread, ThreadControl, WaitChainEntry,
};
use ntkernel::image::expected::Expected;
use ntkernel::image::kernel::{At, Kernel, Read, before, offset};
use ntkernel::image::list::{self, List};
use ntkernel::image::value::Unreadable;
use ntkernel::object::marks::expect;
use ntkernel::process::thread;

use crate::wait::edge::{EvidenceField, member};
use ntkernel::why;

/// Threads in line before all resources after which looking for more gives up; far more than any live system has.
const IN_LINE: usize = 1 << 20;

/// Entries of a resource's table of owners at most. Tables grow by a few entries at a time.
const OWNERS: u64 = 1 << 12;

/// `_ERESOURCE.Flag`: one thread owns the resource alone.
const OWNED_EXCLUSIVE: u64 = 0x80;

/// The low bits of an owner that is a pointer of the driver's own, set by `ExSetResourceOwnerPointer`.
pub(crate) const OWNER_POINTER: u64 = 3;

/// Lock entries of a thread, and the bits of `_KTHREAD.AbEntrySummary`, which are set for those that are free.
const ENTRIES: u64 = 6;

/// The objects that threads before executive resources wait at.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    by_object: HashMap<Gva, Line>,
    /// Why some may be missing.
    pub(crate) gap: Option<Unreadable>,
}

/// A place in the line before a resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// The resource.
    pub(crate) resource: Gva,
    /// What those in it wait for.
    pub(crate) waiters: Waiters,
    /// The entry of the line, where it has entries.
    pub(crate) entry: Option<Gva>,
}

/// The two lines before a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiters {
    /// Of those who would share it.
    Shared,
    /// Of those who would have it alone.
    Exclusive,
}

impl Waiters {
    /// The member that the line begins at.
    pub(crate) fn member(self) -> EvidenceField {
        match self {
            Self::Shared => member(ExecutiveResource::SharedWaiters),
            Self::Exclusive => member(ExecutiveResource::ExclusiveWaiters),
        }
    }
}

/// The system's list of executive resources.
///
/// # Errors
/// When it cannot be found, or the symbols do not describe them.
pub(crate) fn list_of_resources(kernel: &Kernel<'_>) -> Read<List> {
    // Every ERESOURCE is linked in from ExInitializeResourceLite on, so that a driver which frees one without
    // ExDeleteResourceLite breaks the list for all (WDK).
    let link = kernel.offset(ExecutiveResource::SystemResourcesList)?;
    Ok(list::walk(kernel, list_head(kernel)?).containers(link))
}

impl Resources {
    /// Looks at all resources of the system.
    ///
    /// # Errors
    /// When their list cannot be found, or the symbols do not describe them.
    pub(crate) fn read(kernel: &Kernel<'_>) -> Read<Self> {
        let list = list_of_resources(kernel)?;
        let mut resources = Self {
            gap: list.complete("the list of executive resources").err(),
            ..Self::default()
        };
        // Those who want to share it wait at a semaphore, those who want it alone at an event: up to 8.1 two objects
        // of the resource's own, later a line of entries for each.
        let members = [
            (ExecutiveResource::SharedWaiters, Waiters::Shared),
            (ExecutiveResource::ExclusiveWaiters, Waiters::Exclusive),
        ];
        for &resource in &list.entries {
            for (member, waiters) in members {
                match kernel
                    .at(resource)
                    .address_of(member)
                    .and_then(|at| kernel.cursor().pointer(at))
                {
                    Ok(first) => resources.line(kernel, resource, waiters, first),
                    Err(hole) => {
                        resources.gap.get_or_insert(hole);
                    }
                }
            }
        }
        Ok(resources)
    }

    fn line(&mut self, kernel: &Kernel<'_>, resource: Gva, waiters: Waiters, first: Gva) {
        if !kernel.is_kernel_address(first) {
            return;
        }
        let own = Line {
            resource,
            waiters,
            entry: None,
        };
        self.by_object.entry(first).or_insert(own);
        let Ok(event) = kernel.offset(WaitChainEntry::Event) else {
            return;
        };
        let mut at = first;
        // An entry that was met before belongs to a line that was followed.
        while kernel.is_kernel_address(at) && !self.by_object.contains_key(&offset(at, event)) {
            if self.by_object.len() >= IN_LINE {
                let hole = || {
                    Unreadable::Walk(why!(
                        "gave up after {} threads before executive resources",
                        IN_LINE
                    ))
                };
                self.gap.get_or_insert_with(hole);
                return;
            }
            let line = Line {
                entry: Some(at),
                ..own
            };
            self.by_object.insert(offset(at, event), line);
            let next = kernel.at(at).address_of(WaitChainEntry::ListEntry);
            match next.and_then(|next| kernel.cursor().pointer(next)) {
                Ok(next) => at = next,
                // What was no entry, but an event of the resource's own, need not lead on.
                Err(_) => break,
            }
        }
    }

    /// The resource that a thread waits for at an object; none when it is no resource's.
    pub(crate) fn find(&self, kernel: &Kernel<'_>, object: Gva, thread: Gva) -> Option<Line> {
        let line = *self.by_object.get(&object)?;
        let waits = line
            .entry
            .map(|entry| kernel.at(entry).pointer(WaitChainEntry::Thread));
        match waits {
            Some(Ok(waiting)) => (waiting == thread).then_some(line),
            // Entries of the first Windows 10 do not name the thread.
            Some(Err(hole)) if !hole.is_absence() => None,
            _ => Some(line),
        }
    }
}

fn list_head(kernel: &Kernel<'_>) -> Read<Gva> {
    // The list that `!locks` walks: every executive resource of the system, whoever made it. The debugger data
    // block has it as well (+60).
    kernel.global(Global::ExpSystemResourcesList).or_else(|hole| {
        let data = kdump::debugger_data(kernel.dump()).map_err(|_| hole.clone())?;
        match data.exp_system_resources_list {
            0 => Err(hole),
            at => Ok(Gva::new(at)),
        }
    })
}

/// Who owns a resource.
#[derive(Clone, Debug)]
pub(crate) struct Owners {
    /// Whether one thread owns it alone.
    pub(crate) exclusive: bool,
    /// How many own it.
    pub(crate) active: u64,
    /// What stands for the owners, each with the entry that names it. Threads that wait to share it may be among them.
    pub(crate) owners: Vec<Owner>,
}

/// One owner of a resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    /// The `_OWNER_ENTRY`.
    pub(crate) entry: Gva,
    /// What it names.
    pub(crate) thread: Gva,
}

impl Owner {
    /// Whether the owner is no thread, but a pointer that a driver gave the resource to.
    pub(crate) fn is_pointer(self) -> bool {
        // A thread's address has none of its low bits set.
        self.thread.u64() & OWNER_POINTER != 0
    }
}

/// Who owns a resource.
///
/// # Errors
/// When the resource is not in the dump.
pub(crate) fn owners(resource: At<'_, '_>) -> Read<Owners> {
    // `!locks` prints "Exclusively owned" for this flag, and owners with "<*>" behind them.
    let exclusive = resource.uint(ExecutiveResource::Flag)? & OWNED_EXCLUSIVE != 0;
    let mut owners = Vec::new();
    let active = resource.uint(ExecutiveResource::ActiveEntries)?;
    let owned = |owners| Owners {
        exclusive,
        active,
        owners,
    };
    if active == 0 {
        return Ok(owned(owners));
    }
    owners.extend(owner(resource.embedded(ExecutiveResource::OwnerEntry)?)?);
    // The first owner is in the resource itself; only others need the table.
    let table = resource.pointer(ExecutiveResource::OwnerTable)?;
    if exclusive || table.u64() == 0 {
        return Ok(owned(owners));
    }
    let kernel = resource.kernel();
    let size = kernel.size_of::<OwnerEntry>()?;
    // The first entry holds the size of the table.
    let count = kernel.at(table).uint(OwnerEntry::TableSize)?;
    if count > OWNERS {
        let at = kernel.addr(table);
        return Err(Unreadable::Implausible(why!(
            "the table of owners at {} cannot have {} entries",
            at,
            count
        )));
    }
    for index in 1..count {
        owners.extend(owner(kernel.at(offset(table, index.saturating_mul(size))))?);
    }
    Ok(owned(owners))
}

fn owner(entry: At<'_, '_>) -> Read<Option<Owner>> {
    let thread = entry.pointer(OwnerEntry::OwnerThread)?;
    let owns = thread.u64() != 0 && entry.uint(OwnerEntry::OwnerCount)? != 0;
    Ok(owns.then_some(Owner {
        entry: entry.address(),
        thread,
    }))
}

/// The fast mutex whose event a thread waits at, with the thread that owns it.
///
/// # Errors
/// When the symbols do not describe fast mutexes, or no thread is where the owner should be.
pub(crate) fn fast_mutex(kernel: &Kernel<'_>, event: Gva) -> Read<(Gva, Gva)> {
    let mutex = before(event, kernel.offset(FastMutex::Event)?);
    let owner = kernel.at(mutex).pointer(FastMutex::Owner)?;
    if thread::is_certainly_thread(kernel, owner) {
        return Ok((mutex, owner));
    }
    expect(kernel, Expected::Thread, owner)?;
    Err(Unreadable::Implausible(why!(
        "no thread is at {}, where a fast mutex would name its owner",
        kernel.addr(owner)
    )))
}

/// What a thread notes of a lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The `_KLOCK_ENTRY`.
    pub(crate) at: Gva,
    /// The lock.
    pub(crate) lock: Gva,
    /// The thread waits for it.
    pub(crate) waiting: bool,
    /// The thread holds it, and must release it itself.
    pub(crate) held: bool,
}

/// What a thread notes of locks.
///
/// # Errors
/// When this kernel's threads do not, or the thread is not in the dump.
pub(crate) fn entries(thread: At<'_, '_>) -> Read<Vec<Entry>> {
    let kernel = thread.kernel();
    let control = thread.embedded(Thread::Tcb)?;
    let orphaned = match control.uint(ThreadControl::AbOrphanedEntrySummary) {
        Err(hole) if hole.is_absence() => 0,
        other => other?,
    };
    let free = control.uint(ThreadControl::AbEntrySummary)? | orphaned;
    let first = if kernel.has(Thread::LockEntries) {
        thread.address_of(Thread::LockEntries)?
    } else {
        control.address_of(ThreadControl::LockEntries)?
    };
    let size = kernel.size_of::<LockEntry>()?;
    // Six entries with a bit each, set while it is free. They are of AutoBoost, by which the scheduler lends owners
    // of locks the priority of those who wait (Windows Internals).
    let used = (0..ENTRIES)
        .filter(|&index| free.checked_shr(u32::try_from(index).unwrap_or(0)).unwrap_or(0) & 1 == 0);
    used.map(|index| entry(kernel.at(offset(first, index.saturating_mul(size)))))
        .collect()
}

/// The address of a lock is kept with flags in its lowest two bits and in its highest, which is always set in it.
fn entry(entry: At<'_, '_>) -> Read<Entry> {
    const RELEASED_BY_OTHERS: u64 = 1;
    const FLAGS: u64 = 3;
    let word = entry.uint(LockEntry::Lock)?;
    let top = match entry.kernel().pointer_size() {
        4 => 1 << 31,
        _ => 1 << 63,
    };
    let lock = word & !FLAGS;
    let known = lock != 0;
    Ok(Entry {
        at: entry.address(),
        lock: Gva::new(lock | top),
        waiting: known && entry.uint(LockEntry::Waiting)? & 1 != 0,
        held: known && entry.uint(LockEntry::Acquired)? & 1 != 0 && word & RELEASED_BY_OTHERS == 0,
    })
}
