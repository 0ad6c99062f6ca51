//! Objects, handles, lists and what threads wait for.

use crate::image::contract::ports;
use crate::structures;

structures! {
    after ports::END;

    /// What stands before every allocation of the pool.
    PoolHeader = "_POOL_HEADER" {
        BlockSize: O "BlockSize",
        PoolType: O "PoolType",
        // Symbols of every kernel have the header, also where the segment heap makes little use of it.
        PoolTag: O "PoolTag",
    }
    /// What binds a waiting thread to one object.
    WaitBlock = "_KWAIT_BLOCK" {
        Thread: O "Thread",
        Object: O "Object",
        // To Windows 7; later ones count the blocks in the thread.
        NextWaitBlock: O "NextWaitBlock",
        WaitType: O "WaitType",
    }
    /// What the completion port of an ALPC port is.
    Queue = "_KQUEUE" {
        ThreadListHead: R "ThreadListHead",
        EntryListHead: O "EntryListHead",
        CurrentCount: O "CurrentCount",
        MaximumCount: O "MaximumCount",
    }
    /// The head of everything that can be waited for.
    DispatcherHeader = "_DISPATCHER_HEADER" {
        Type: R "Type",
        WaitListHead: R "WaitListHead",
        SignalState: O "SignalState",
    }
    /// A semaphore.
    Semaphore = "_KSEMAPHORE" {
        Limit: O "Limit",
    }
    /// A mutant (mutex).
    Mutant = "_KMUTANT" {
        OwnerThread: O "OwnerThread",
    }
    /// A handle table of the executive.
    HandleTable = "_HANDLE_TABLE" {
        TableCode: R "TableCode",
        // HandleCount stood beside it up to Windows 7.
        NextHandleNeedingPool: R "NextHandleNeedingPool",
        UniqueProcessId: O "UniqueProcessId",
        QuotaProcess: O "QuotaProcess",
        HandleTableList: O "HandleTableList",
    }
    /// One handle.
    HandleTableEntry = "_HANDLE_TABLE_ENTRY" {
        Low: R "LowValue" | "Value",
        // A bit field that holds a shifted pointer (Windows 8 on), or the pointer with attributes in its
        // low three bits: not two spellings of the same thing.
        ObjectPointerBits: O "ObjectPointerBits",
        Object: O "Object",
        GrantedAccess: O "GrantedAccessBits" | "GrantedAccess",
        Attributes: O "Attributes",
        ProtectFromClose: O "ProtectFromClose",
    }
    /// The header before every executive object.
    ObjectHeader = "_OBJECT_HEADER" {
        Body: R "Body",
        PointerCount: R "PointerCount",
        HandleCount: R "HandleCount",
        Flags: O "Flags",
        SecurityDescriptor: O "SecurityDescriptor",
        // Windows 7 and later have the first and the third of these four, Vista the two others: a pointer to
        // the type, and the distances of optional headers in bytes.
        TypeIndex: O "TypeIndex",
        Type: O "Type",
        InfoMask: O "InfoMask",
        NameInfoOffset: O "NameInfoOffset",
    }
    /// The optional header with an object's name.
    ObjectNameInfo = "_OBJECT_HEADER_NAME_INFO" {
        Directory: R "Directory",
        Name: R "Name",
    }
    /// The optional header with an object's creator; only its size is needed.
    ObjectCreatorInfo = "_OBJECT_HEADER_CREATOR_INFO" {
        CreatorUniqueProcess: O "CreatorUniqueProcess",
    }
    /// A type of executive objects.
    ObjectType = "_OBJECT_TYPE" {
        Name: R "Name",
        // Four bytes in Vista, one since.
        Index: R "Index",
        TotalNumberOfObjects: O "TotalNumberOfObjects",
        TotalNumberOfHandles: O "TotalNumberOfHandles",
    }
    /// A directory of the object namespace.
    Directory = "_OBJECT_DIRECTORY" {
        HashBuckets: R "HashBuckets",
    }
    /// An entry of such a directory.
    DirectoryEntry = "_OBJECT_DIRECTORY_ENTRY" {
        ChainLink: R "ChainLink",
        Object: R "Object",
    }
    /// A counted string of UTF-16 units.
    UnicodeString = "_UNICODE_STRING" {
        Length: R "Length",
        Buffer: R "Buffer",
    }
    /// A link of a doubly linked list.
    ListEntry = "_LIST_ENTRY" {
        Flink: R "Flink",
        Blink: R "Blink",
    }
    /// A process id and a thread id.
    ClientId = "_CLIENT_ID" {
        UniqueProcess: R "UniqueProcess",
        UniqueThread: R "UniqueThread",
    }
    /// A name of an object, as `SeAuditProcessCreationInfo` keeps it.
    ObjectNameInformation = "_OBJECT_NAME_INFORMATION" {
        Name: O "Name",
    }
}
