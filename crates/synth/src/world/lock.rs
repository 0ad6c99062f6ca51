//! Locks of the executive: resources with the threads in line before them, fast mutexes, and what threads note of
//! the locks that they hold and wait for.

use super::{NotedLock, Pool, Thread, World};
use crate::address::Va;
use crate::bytes::count;

const RESOURCE: &str = "_ERESOURCE";
const OWNER: &str = "_OWNER_ENTRY";
const ENTRY: &str = "_KWAIT_CHAIN_ENTRY";

/// Where an entry of a line before a resource is on its thread's stack, below the top.
const ON_STACK: u64 = 0x180;

/// `_KWAIT_REASON`s.
const WR_RESOURCE: u8 = 27;
const WR_PUSH_LOCK: u8 = 28;
const WR_FAST_MUTEX: u8 = 34;

/// What an executive resource is told.
#[derive(Clone, Debug, Default)]
pub struct ExecutiveResource {
    /// One thread owns it alone.
    pub exclusive: bool,
    /// Its owners: threads, or what a driver made its owner.
    pub owners: Vec<Va>,
    /// Threads in line to share it.
    pub sharing: Vec<Va>,
    /// Threads in line to own it alone.
    pub waiting: Vec<Va>,
}

impl World {
    /// Makes an executive resource, and lets those in line wait for it.
    pub fn executive_resource(&mut self, told: &ExecutiveResource) -> Va {
        let at = self.allocate(Pool::NonPaged, self.kernel.size(RESOURCE), *b"ResT");
        self.executive_resources.push(at);
        self.set(at, RESOURCE, "Flag", if told.exclusive { 0x80 } else { 0 });
        self.set(at, RESOURCE, "ActiveEntries", count(told.owners.len()));
        self.set(at, RESOURCE, "NumberOfSharedWaiters", count(told.sharing.len()));
        self.set(
            at,
            RESOURCE,
            "NumberOfExclusiveWaiters",
            count(told.waiting.len()),
        );
        self.write_owners(at, told);
        self.line_up(at, "SharedWaiters", &told.sharing);
        self.line_up(at, "ExclusiveWaiters", &told.waiting);
        at
    }

    /// The first owner stands in the resource, the others in a table whose first entry has its size. Who waits to share
    /// takes a place there before the wait.
    fn write_owners(&mut self, at: Va, told: &ExecutiveResource) {
        let Some((first, others)) = told.owners.split_first() else {
            return;
        };
        let entry = self.field(at, RESOURCE, "OwnerEntry");
        self.write_owner(entry, *first);
        let listed: Vec<Va> = others.iter().chain(&told.sharing).copied().collect();
        if listed.is_empty() {
            return;
        }
        // An empty place stands between.
        let (size, entries) = (self.kernel.size(OWNER), count(listed.len()) + 2);
        let table = self.allocate(Pool::NonPaged, size * entries, *b"ResO");
        self.point(at, RESOURCE, "OwnerTable", table);
        self.set(table, OWNER, "TableSize", entries);
        for (place, &owner) in (2..).zip(&listed) {
            self.write_owner(table + size * place, owner);
        }
    }

    fn write_owner(&mut self, entry: Va, owner: Va) {
        self.set(entry, OWNER, "OwnerThread", owner.0);
        self.set(entry, OWNER, "OwnerCount", 1);
    }

    fn line_up(&mut self, at: Va, member: &str, threads: &[Va]) {
        if threads.is_empty() {
            return;
        }
        let kind = self.kernel.field(RESOURCE, member).ty;
        let objects: Vec<Va> = match kind.as_str() {
            "ptr<_KSEMAPHORE>" => {
                let semaphore = self.allocate(Pool::NonPaged, self.kernel.size("_KSEMAPHORE"), *b"ReSe");
                self.write_semaphore(semaphore, 0x7fff_ffff);
                self.point(at, RESOURCE, member, semaphore);
                vec![semaphore; threads.len()]
            }
            "ptr<_KEVENT>" => {
                let event = self.allocate(Pool::NonPaged, self.kernel.size("_KEVENT"), *b"ReEv");
                self.write_event(event);
                self.point(at, RESOURCE, member, event);
                vec![event; threads.len()]
            }
            _ => self.write_line(at, member, threads),
        };
        for (&thread, object) in threads.iter().zip(objects) {
            self.wait_on(thread, object);
            self.waits_in_kernel(thread, WR_RESOURCE);
        }
    }

    /// Entries on the stacks of those in line, in a ring, or one behind the other where they have one link only.
    fn write_line(&mut self, at: Va, member: &str, threads: &[Va]) -> Vec<Va> {
        let entries: Vec<Va> = threads
            .iter()
            .map(|&thread| Va(self.truth.thread(thread).stack_base.0 - ON_STACK))
            .collect();
        self.point(at, RESOURCE, member, entries[0]);
        let ring = self.has(ENTRY, "ListEntry") && self.kernel.field(ENTRY, "ListEntry").bytes == 16;
        for (place, (&entry, &thread)) in entries.iter().zip(threads).enumerate() {
            self.memory.touch(entry, self.kernel.size(ENTRY));
            let next = entries.get(place + 1).copied();
            let event = self.field(entry, ENTRY, "Event");
            self.write_event(event);
            if ring {
                let next = next.unwrap_or(entries[0]);
                self.write_pointer(entry, next);
                self.write_pointer(next + self.pointer_size(), entry);
                self.point(entry, ENTRY, "Thread", thread);
            } else {
                self.write_pointer(entry, next.unwrap_or(Va::NULL));
            }
        }
        entries
            .iter()
            .map(|&entry| self.field(entry, ENTRY, "Event"))
            .collect()
    }

    /// Makes a fast mutex that a thread owns, and lets others wait for it.
    pub fn fast_mutex(&mut self, owner: Va, waiting: &[Va]) -> Va {
        let at = self.allocate(Pool::NonPaged, self.kernel.size("_FAST_MUTEX"), *b"FMtx");
        self.point(at, "_FAST_MUTEX", "Owner", owner);
        let event = self.field(at, "_FAST_MUTEX", "Event");
        self.write_event(event);
        for &thread in waiting {
            self.wait_on(thread, event);
            self.waits_in_kernel(thread, WR_FAST_MUTEX);
        }
        at
    }

    /// Makes a push lock, which itself names nobody. Threads that hold it or wait for it note it. A third kind of thread
    /// has held it before: its note is still there, in an entry that is free.
    pub fn push_lock(&mut self, holding: &[Va], waiting: &[Va], formerly: &[Va]) -> Va {
        let lock = self.allocate(Pool::NonPaged, 16, *b"PshL");
        let mut note = |threads: &[Va], waiting, free| {
            for &thread in threads {
                let note = NotedLock { lock, waiting, free };
                self.thread_mut(thread).noted_locks.push(note);
            }
        };
        note(holding, false, false);
        note(waiting, true, false);
        note(formerly, false, true);
        for &thread in waiting {
            let gate = self.allocate(Pool::NonPaged, self.kernel.size("_KEVENT"), *b"PshW");
            self.write_event(gate);
            self.wait_on(thread, gate);
            self.waits_in_kernel(thread, WR_PUSH_LOCK);
        }
        lock
    }

    fn waits_in_kernel(&mut self, thread: Va, reason: u8) {
        let thread = self.thread_mut(thread);
        thread.wait_reason = reason;
        thread.wait_mode = 0;
    }

    /// The locks that a thread notes, where the kernel has a place for it.
    pub(super) fn write_noted_locks(&mut self, thread: &Thread) {
        const TYPE: &str = "_KLOCK_ENTRY";
        let of_scheduler = self.has("_KTHREAD", "LockEntries");
        let holder = if self.has("_ETHREAD", "LockEntries") {
            "_ETHREAD"
        } else {
            "_KTHREAD"
        };
        if !self.kernel.has_type(TYPE) || !(of_scheduler || holder == "_ETHREAD") {
            return;
        }
        let first = self.field(thread.address, holder, "LockEntries");
        let mut free = 0x3f;
        for (place, note) in (0..6).zip(&thread.noted_locks) {
            let at = first + self.kernel.size(TYPE) * place;
            // The highest bit of the address says that the entry is in a tree.
            self.point(at, TYPE, "LockUnsafe", Va(note.lock.0 & !(1 << 63)));
            let (waiting, held) = (u64::from(note.waiting), u64::from(!note.waiting));
            for (path, value) in [
                ("WaitingBit", waiting),
                ("WaitingByte", waiting),
                ("AcquiredByte", held),
            ] {
                self.set_if(at, TYPE, path, value);
            }
            if !note.free {
                free &= !(1 << place);
            }
        }
        self.set_if(thread.address, "_KTHREAD", "AbEntrySummary", free);
    }

    /// `ExpSystemResourcesList`, where the kernel's symbols have it.
    pub(super) fn compile_executive_resources(&mut self) {
        let Some(head) = self.try_global("ExpSystemResourcesList") else {
            return;
        };
        let entries: Vec<Va> = self
            .executive_resources
            .iter()
            .map(|&at| self.field(at, RESOURCE, "SystemResourcesList"))
            .collect();
        self.link(head, &entries);
    }
}
