//! Executive resources, and what threads note of locks.

use crate::image::contract::io;
use crate::structures;

structures! {
    after io::END;

    /// What a thread notes of a lock that it holds or waits for, so that its priority can be lent on.
    LockEntry = "_KLOCK_ENTRY" {
        Lock: O "LockUnsafe",
        Waiting: O "WaitingBit" | "WaitingByte",
        Acquired: O "AcquiredBit" | "AcquiredByte",
    }
    /// An executive resource; only complete symbol tables have it.
    ExecutiveResource = "_ERESOURCE" {
        SystemResourcesList: O "SystemResourcesList",
        OwnerTable: O "OwnerTable",
        Flag: O "Flag",
        SharedWaiters: O "SharedWaiters",
        ExclusiveWaiters: O "ExclusiveWaiters",
        OwnerEntry: O "OwnerEntry",
        ActiveEntries: O "ActiveEntries",
    }
    /// An owner of an executive resource; only complete symbol tables have it.
    OwnerEntry = "_OWNER_ENTRY" {
        OwnerThread: O "OwnerThread",
        TableSize: O "TableSize",
        OwnerCount: O "OwnerCount",
    }
    /// A thread in the line before an executive resource, since Windows 10; only complete symbol tables have it.
    WaitChainEntry = "_KWAIT_CHAIN_ENTRY" {
        ListEntry: O "ListEntry",
        Thread: O "Thread",
        Event: O "Event",
    }
    /// A fast mutex; only complete symbol tables have it.
    FastMutex = "_FAST_MUTEX" {
        Owner: O "Owner",
        Event: O "Event",
    }
}
