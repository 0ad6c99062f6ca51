//! The kernel structures, members and globals that the walks need: the one place where they are declared.
//!
//! A symbol table resolves this contract once per kernel (see [`ntlayout`]); after that every read is an
//! index into the resolved offsets. There is no version check anywhere: a member is there or it is not.
//!
//! Source of the spellings: the layouts of 305 kernels from Vista SP1 to Windows 11 25H2. Spellings of one
//! member are listed in order of preference; `R` marks what every kernel with ALPC types has, `O` what only
//! some have.

use std::fmt;

use ntlayout::{Contract, FieldSpec, GlobalSpec, Layout, Missing, Need};

/// A member of a kernel structure, as declared here.
///
/// Implemented by the enums below, one for each structure.
pub trait Member: Copy {
    /// The structure that the member belongs to.
    const TYPE: Type;

    /// Position of the member among those declared for its structure.
    fn ordinal(self) -> usize;
}

/// Index of a member in [`CONTRACT`]'s field table.
pub(crate) fn field_index<M: Member>(member: M) -> usize {
    FIRST_FIELD
        .get(M::TYPE as usize)
        .map_or(usize::MAX, |first| first.saturating_add(member.ordinal()))
}

/// A member by the names that the kernel's symbols have: `_KTHREAD.WaitReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberName {
    /// The structure.
    pub ty: &'static str,
    /// The member, by its preferred spelling.
    pub name: &'static str,
}

impl MemberName {
    /// The names of a member.
    #[must_use]
    pub fn of<M: Member>(member: M) -> Self {
        let name = field_spec(member).map_or("", |spec| spec.name);
        Self {
            ty: M::TYPE.name(),
            name,
        }
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ty, self.name)
    }
}

/// The declaration behind a member.
pub(crate) fn field_spec<M: Member>(member: M) -> Option<&'static FieldSpec> {
    FIELDS.get(field_index(member))
}

macro_rules! need {
    (R) => {
        Need::Required
    };
    (O) => {
        Need::Optional
    };
}

macro_rules! structures {
    ($($(#[$doc:meta])* $type:ident = $name:literal {
        $($member:ident: $need:ident $first:literal $(| $other:literal)*,)*
    })*) => {
        /// The structures of the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Type {
            $($(#[$doc])* $type,)*
        }

        impl Type {
            /// Name of the structure in the kernel's symbols.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$type => $name,)*
                }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[allow(missing_docs, reason = "a member's name is its documentation: it is the kernel's own")]
            pub enum $type { $($member,)* }

            impl Member for $type {
                const TYPE: Type = Type::$type;
                fn ordinal(self) -> usize { self as usize }
            }
        )*

        const COUNTS: &[usize] = &[$([$($first),*].len(),)*];

        const TYPE_NAMES: &[&str] = &[$($name,)*];

        static FIELDS: &[FieldSpec] = &[$($(
            FieldSpec { ty: $name, name: $first, spellings: &[$first $(, $other)*], need: need!($need) },
        )*)*];
    };
}

macro_rules! globals {
    ($($(#[$doc:meta])* $global:ident: $need:ident,)*) => {
        /// The global variables of the contract, by their own names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "a variant's name is its documentation: it is the kernel's own")]
        pub enum Global { $($(#[$doc])* $global,)* }

        impl Global {
            /// Name of the variable in the kernel's symbols.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$global => stringify!($global),)* }
            }
        }

        static GLOBALS: &[GlobalSpec] = &[$(
            GlobalSpec { name: stringify!($global), need: need!($need) },
        )*];
    };
}

/// Index of each structure's first member in the field table.
const FIRST_FIELD: [usize; COUNTS.len()] = first_fields();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler"
)]
const fn first_fields() -> [usize; COUNTS.len()] {
    let mut first = [0; COUNTS.len()];
    let mut at = 1;
    while at < COUNTS.len() {
        first[at] = first[at - 1] + COUNTS[at - 1];
        at += 1;
    }
    first
}

/// All that the walks need to know of a kernel's layout.
pub static CONTRACT: Contract = Contract {
    fields: FIELDS,
    types: TYPE_NAMES,
    globals: GLOBALS,
};

/// Types that only some kernels have: that symbols lack one of them says nothing of the symbols.
pub const OF_SOME_KERNELS: [&str; 6] = [
    "_BLOB_COUNTERS",
    "_KLOCK_ENTRY",
    "_KWAIT_CHAIN_ENTRY",
    "_MM_SESSION_SPACE",
    "_OB_DUPLICATE_OBJECT_STATE",
    "_PSP_SESSION_SPACE",
];

/// Types that every kernel has, and that the layouts which come with the program do not tell.
pub const OF_SYMBOLS_ALONE: [&str; 8] = [
    "_DEVICE_OBJECT",
    "_DRIVER_OBJECT",
    "_ERESOURCE",
    "_FAST_MUTEX",
    "_IO_STACK_LOCATION",
    "_IRP",
    "_OWNER_ENTRY",
    "_RTL_USER_PROCESS_PARAMETERS",
];

/// The types that a kernel with ALPC surely has and a symbol table of it does not tell of: what Microsoft's server gives
/// for some kernels has no types, or not all. A table is only doubted when it lacks one that the published layouts of
/// all kernels have.
#[must_use]
pub fn stripped(layout: &Layout) -> Vec<&'static str> {
    let mut lacking = layout.lacking(&CONTRACT);
    lacking.retain(|ty| !OF_SOME_KERNELS.contains(ty));
    let filled = layout.filled().iter().map(|filled| filled.ty);
    let lacked: Vec<&str> = filled.filter(|ty| !OF_SOME_KERNELS.contains(ty)).collect();
    if !are_lost(&lacking) && lacked.is_empty() {
        lacking.clear();
    }
    lacking
}

/// Whether any of some types is one that the layouts which come with the program tell.
#[must_use]
pub fn are_lost(types: &[&str]) -> bool {
    types.iter().any(|ty| !OF_SYMBOLS_ALONE.contains(ty))
}

/// Whether any of some types has a member that no view can do without.
#[must_use]
pub fn are_required(types: &[&str]) -> bool {
    let mut fields = FIELDS.iter();
    fields.any(|spec| spec.need == Need::Required && types.contains(&spec.ty))
}

/// Globals that nothing is lost without: what they lead to is found in other ways, or only the surer for them.
const NOT_MISSED: [&str; 20] = [
    "AlpcPortObjectType",
    "AlpcpDummyEvent",
    "ExpSystemResourcesList",
    "KdDebuggerDataBlock",
    "KeBootTime",
    "KeMaximumIncrement",
    "KiProcessorBlock",
    "LpcLegacyMaxMessageLength",
    "NtBuildLab",
    "NtBuildNumber",
    "ObHeaderCookie",
    "ObpDirectoryObjectType",
    "ObpInfoMaskToOffset",
    "ObpKernelHandleTable",
    "ObpTypeObjectType",
    "PsIdleProcess",
    "PsInitialSystemProcess",
    "PsProcessType",
    "PsThreadType",
    "PspCidTable",
];

/// Whether something is lost without what a symbol table lacks.
#[must_use]
pub fn is_missed(missing: &Missing) -> bool {
    !matches!(missing, Missing::Global { name } if NOT_MISSED.contains(name))
}

structures! {
    /// An ALPC port object.
    Port = "_ALPC_PORT" {
        PortListEntry: R "PortListEntry",
        CommunicationInfo: R "CommunicationInfo",
        OwnerProcess: R "OwnerProcess",
        State: R "u1.State",
        Type: R "u1.s1.Type",
        Initialized: R "u1.s1.Initialized",
        ConnectionPending: R "u1.s1.ConnectionPending",
        ConnectionRefused: R "u1.s1.ConnectionRefused",
        Disconnected: R "u1.s1.Disconnected",
        Closed: R "u1.s1.Closed",
        NoFlushOnClose: R "u1.s1.NoFlushOnClose",
        ReturnExtendedInfo: R "u1.s1.ReturnExtendedInfo",
        Waitable: R "u1.s1.Waitable",
        DynamicSecurity: R "u1.s1.DynamicSecurity",
        Wow64CompletionList: R "u1.s1.Wow64CompletionList",
        Lpc: R "u1.s1.Lpc",
        LpcToLpc: R "u1.s1.LpcToLpc",
        HasCompletionList: R "u1.s1.HasCompletionList",
        HadCompletionList: R "u1.s1.HadCompletionList",
        EnableCompletionList: O "u1.s1.EnableCompletionList",
        SequenceNo: R "SequenceNo",
        ReferenceNo: O "ReferenceNo",
        CompletionPort: R "CompletionPort",
        CompletionKey: R "CompletionKey",
        CompletionPacketLookaside: R "CompletionPacketLookaside",
        CompletionList: R "CompletionList",
        PortContext: R "PortContext",
        PortAttributes: R "PortAttributes",
        StaticSecurity: R "StaticSecurity",
        MainQueue: R "MainQueue",
        DirectQueue: O "DirectQueue",
        LargeMessageQueue: R "LargeMessageQueue",
        PendingQueue: R "PendingQueue",
        CanceledQueue: R "CanceledQueue",
        WaitQueue: R "WaitQueue",
        MainQueueLength: R "MainQueueLength",
        DirectQueueLength: O "DirectQueueLength",
        LargeMessageQueueLength: R "LargeMessageQueueLength",
        PendingQueueLength: R "PendingQueueLength",
        CanceledQueueLength: R "CanceledQueueLength",
        WaitQueueLength: R "WaitQueueLength",
        Semaphore: R "Semaphore",
        ResourceListHead: R "ResourceListHead",
        PortLock: R "PortObjectLock" | "Lock",
        CachedMessage: R "CachedMessage" | "Message",
        TargetQueuePort: R "TargetQueuePort",
        TargetSequencePort: R "TargetSequencePort",
        CallbackObject: O "CallbackObject",
        CallbackContext: O "CallbackContext",
        MessageZone: O "MessageZone",
    }
    /// What ties the ports of one connection together.
    CommunicationInfo = "_ALPC_COMMUNICATION_INFO" {
        ConnectionPort: R "ConnectionPort",
        ServerCommunicationPort: R "ServerCommunicationPort",
        ClientCommunicationPort: R "ClientCommunicationPort",
        CommunicationList: R "CommunicationList",
        HandleTable: R "HandleTable",
        CloseMessage: O "CloseMessage",
    }
    /// The resource handles of a connection.
    AlpcHandleTable = "_ALPC_HANDLE_TABLE" {
        Handles: R "Handles",
        TotalHandles: R "TotalHandles",
    }
    /// One resource handle of a connection.
    AlpcHandleEntry = "_ALPC_HANDLE_ENTRY" {
        Object: R "Object",
    }
    /// What a port was created with.
    PortAttributes = "_ALPC_PORT_ATTRIBUTES" {
        Flags: R "Flags",
        SecurityQos: R "SecurityQos",
        MaxMessageLength: R "MaxMessageLength",
        MemoryBandwidth: R "MemoryBandwidth",
        MaxPoolUsage: R "MaxPoolUsage",
        MaxSectionSize: R "MaxSectionSize",
        MaxViewSize: R "MaxViewSize",
        MaxTotalSectionSize: R "MaxTotalSectionSize",
        DupObjectTypes: R "DupObjectTypes",
    }
    /// A message in the kernel.
    Message = "_KALPC_MESSAGE" {
        Entry: R "Entry",
        PortQueue: R "PortQueue",
        OwnerPort: R "OwnerPort",
        WaitingThread: R "WaitingThread",
        ServerThread: R "ServerThread",
        State: R "u1.State",
        QueueType: R "u1.s1.QueueType",
        QueuePortType: R "u1.s1.QueuePortType",
        Canceled: R "u1.s1.Canceled",
        Ready: R "u1.s1.Ready",
        ReleaseMessage: R "u1.s1.ReleaseMessage",
        SharedQuota: R "u1.s1.SharedQuota",
        ReplyWaitReply: R "u1.s1.ReplyWaitReply",
        OwnerPortReference: R "u1.s1.OwnerPortReference",
        ReserveReference: O "u1.s1.ReserveReference",
        ReceiverReference: R "u1.s1.ReceiverReference",
        ViewAttributeRetrieved: O "u1.s1.ViewAttributeRetrieved",
        ViewAttributeDeleteOnRelease: O "u1.s1.ViewAttributeDeleteOnRelease",
        InDispatch: O "u1.s1.InDispatch",
        InCanceledQueue: O "u1.s1.InCanceledQueue",
        CommunicationInfoReference: O "u1.s1.CommunicationInfoReference",
        SequenceNo: R "SequenceNo",
        Quota: R "QuotaProcess" | "QuotaBlock",
        CancelSequencePort: R "CancelSequencePort",
        CancelQueuePort: R "CancelQueuePort",
        CancelSequenceNo: R "CancelSequenceNo",
        CancelListEntry: R "CancelListEntry",
        Reserve: R "Reserve",
        MessageAttributes: R "MessageAttributes",
        DataUserVa: R "DataUserVa",
        DataSystemVa: O "DataSystemVa",
        CommunicationInfo: R "CommunicationInfo",
        ConnectionPort: R "ConnectionPort",
        WakeReference: O "WakeReference",
        ExtensionBuffer: R "ExtensionBuffer",
        ExtensionBufferSize: R "ExtensionBufferSize",
        PortMessage: R "PortMessage",
    }
    /// What travels with a message beside its data.
    MessageAttributes = "_KALPC_MESSAGE_ATTRIBUTES" {
        ClientContext: R "ClientContext",
        ServerContext: R "ServerContext",
        PortContext: R "PortContext",
        CancelPortContext: R "CancelPortContext",
        SecurityData: R "SecurityData",
        View: R "View",
        HandleData: R "HandleData",
        DirectEvent: O "DirectEvent",
        WorkOnBehalfData: O "WorkOnBehalfData",
    }
    /// The header of a message as both sides see it.
    PortMessage = "_PORT_MESSAGE" {
        DataLength: R "u1.s1.DataLength",
        TotalLength: R "u1.s1.TotalLength",
        Type: R "u2.s2.Type",
        DataInfoOffset: R "u2.s2.DataInfoOffset",
        ClientId: R "ClientId",
        MessageId: R "MessageId",
        CallbackId: R "CallbackId",
        ClientViewSize: R "ClientViewSize",
    }
    /// The header before every ALPC allocation but ports.
    Blob = "_BLOB" {
        ResourceList: R "ResourceList",
        Flags: R "u1.Flags",
        ResourceId: R "ResourceId",
        CachedReferences: R "CachedReferences",
        ReferenceCount: R "ReferenceCount",
    }
    /// A kind of ALPC allocation.
    BlobType = "_BLOB_TYPE" {
        ResourceId: R "ResourceId",
        PoolTag: R "PoolTag",
        LookasideIndex: R "LookasideIndex",
        Flags: R "Flags",
        UsualSize: R "UsualSize",
        CreatedObjects: O "CreatedObjects",
        DeletedObjects: O "DeletedObjects",
        Counters: O "Counters",
    }
    /// How many of a kind of ALPC allocation were made and deleted.
    BlobCounters = "_BLOB_COUNTERS" {
        CreatedObjects: O "CreatedObjects",
        DeletedObjects: O "DeletedObjects",
    }
    /// A shared-memory section of a port.
    Section = "_KALPC_SECTION" {
        SectionObject: R "SectionObject",
        Size: R "Size",
        HandleTable: R "HandleTable",
        SectionHandle: R "SectionHandle",
        OwnerProcess: R "OwnerProcess",
        OwnerPort: R "OwnerPort",
        Internal: R "u1.s1.Internal",
        Secure: R "u1.s1.Secure",
        NumberOfRegions: R "NumberOfRegions",
        RegionListHead: R "RegionListHead",
    }
    /// A part of a section.
    Region = "_KALPC_REGION" {
        RegionListEntry: R "RegionListEntry",
        Section: R "Section",
        Offset: R "Offset",
        Size: R "Size",
        ViewSize: R "ViewSize",
        Secure: R "u1.s1.Secure",
        NumberOfViews: R "NumberOfViews",
        ViewListHead: R "ViewListHead",
        ReadOnlyView: R "ReadOnlyView",
        ReadWriteView: R "ReadWriteView",
    }
    /// A region mapped into a process.
    View = "_KALPC_VIEW" {
        ViewListEntry: R "ViewListEntry",
        Region: R "Region",
        OwnerPort: R "OwnerPort",
        OwnerProcess: R "OwnerProcess",
        Address: R "Address",
        Size: R "Size",
        SecureViewHandle: R "SecureViewHandle",
        WriteAccessHandle: R "WriteAccessHandle",
        WriteAccess: R "u1.s1.WriteAccess",
        AutoRelease: R "u1.s1.AutoRelease",
        ForceUnlink: R "u1.s1.ForceUnlink",
        SystemSpace: O "u1.s1.SystemSpace",
        NumberOfOwnerMessages: R "NumberOfOwnerMessages",
        ProcessViewListEntry: R "ProcessViewListEntry",
    }
    /// A message kept ready so that sending cannot fail.
    Reserve = "_KALPC_RESERVE" {
        OwnerPort: R "OwnerPort",
        HandleTable: R "HandleTable",
        Handle: R "Handle",
        Message: R "Message",
        Size: O "Size",
        Active: R "Active",
    }
    /// A captured security context.
    SecurityData = "_KALPC_SECURITY_DATA" {
        HandleTable: R "HandleTable",
        ContextHandle: R "ContextHandle",
        OwningProcess: R "OwningProcess",
        OwnerPort: R "OwnerPort",
        DynamicSecurity: R "DynamicSecurity",
        Revoked: R "u1.s1.Revoked",
        Impersonated: R "u1.s1.Impersonated",
    }
    /// A handle that travels with a message.
    HandleData = "_KALPC_HANDLE_DATA" {
        ObjectType: R "ObjectType",
        // Up to Windows 10 1511 a word of flags, later the number of handles: never read one as the other.
        Flags: O "Flags",
        Count: O "Count",
        DuplicateContext: R "DuplicateContext",
    }
    /// How a handle is on its way from one process to another; only complete symbol tables have it.
    DuplicateState = "_OB_DUPLICATE_OBJECT_STATE" {
        SourceProcess: O "SourceProcess",
        SourceHandle: O "SourceHandle",
        Object: O "Object",
        TargetAccess: O "TargetAccess",
        HandleAttributes: O "HandleAttributes",
    }
    /// What a thread impersonates its client with.
    SecurityContext = "_SECURITY_CLIENT_CONTEXT" {
        ClientToken: O "ClientToken",
        DirectlyAccessClientToken: O "DirectlyAccessClientToken",
        DirectAccessEffectiveOnly: O "DirectAccessEffectiveOnly",
        ServerIsRemote: O "ServerIsRemote",
    }
    /// ALPC's part of a process.
    ProcessContext = "_ALPC_PROCESS_CONTEXT" {
        ViewListHead: R "ViewListHead",
    }
    /// A process, as the executive sees it.
    Process = "_EPROCESS" {
        Pcb: R "Pcb",
        UniqueProcessId: R "UniqueProcessId",
        ActiveProcessLinks: R "ActiveProcessLinks",
        ImageFileName: R "ImageFileName",
        ObjectTable: R "ObjectTable",
        ThreadListHead: R "ThreadListHead",
        AlpcContext: R "AlpcContext",
        Peb: O "Peb",
        Session: O "Session",
        InheritedFromUniqueProcessId: O "InheritedFromUniqueProcessId",
        CreateTime: O "CreateTime",
        ExitTime: O "ExitTime",
        SeAuditImageFileName: O "SeAuditProcessCreationInfo.ImageFileName",
        Wow64Process: O "WoW64Process" | "Wow64Process",
        ActiveThreads: O "ActiveThreads",
        Token: O "Token",
        Flags: O "Flags",
    }
    /// A process, as the scheduler sees it.
    ProcessControl = "_KPROCESS" {
        DirectoryTableBase: R "DirectoryTableBase",
        ThreadListHead: O "ThreadListHead",
    }
    /// A processor's control block.
    Processor = "_KPRCB" {
        CurrentThread: O "CurrentThread",
        NextThread: O "NextThread",
        IdleThread: O "IdleThread",
    }
    /// What stands before every allocation of the pool.
    PoolHeader = "_POOL_HEADER" {
        BlockSize: O "BlockSize",
        PoolType: O "PoolType",
        PoolTag: O "PoolTag",
    }
    /// A thread, as the executive sees it.
    Thread = "_ETHREAD" {
        Tcb: R "Tcb",
        Cid: R "Cid",
        ThreadListEntry: R "ThreadListEntry",
        AlpcMessageId: R "AlpcMessageId",
        AlpcMessage: R "AlpcMessage",
        AlpcWaitListEntry: R "AlpcWaitListEntry",
        AlpcWaitSemaphore: R "AlpcWaitSemaphore",
        // Of Windows 10 2004's successors; before, the scheduler's part of the thread has the entries.
        LockEntries: O "LockEntries",
        StartAddress: O "StartAddress",
        Win32StartAddress: O "Win32StartAddress",
        ThreadName: O "ThreadName",
        IrpList: O "IrpList",
        CreateTime: O "CreateTime",
        ExitTime: O "ExitTime",
    }
    /// A thread, as the scheduler sees it.
    ThreadControl = "_KTHREAD" {
        Header: R "Header",
        State: R "State",
        WaitReason: R "WaitReason",
        WaitMode: R "WaitMode",
        Process: R "Process",
        QueueListEntry: R "QueueListEntry",
        ThreadListEntry: O "ThreadListEntry",
        WaitTime: O "WaitTime",
        WaitBlockList: O "WaitBlockList",
        WaitBlockCount: O "WaitBlockCount",
        Teb: O "Teb",
        Win32Thread: O "Win32Thread",
        Queue: O "Queue",
        Alertable: O "Alertable",
        SuspendCount: O "SuspendCount",
        FreezeCount: O "FreezeCount",
        ContextSwitches: O "ContextSwitches",
        // `Process` is the process that owns the thread; this is the one that it works in.
        AttachedProcess: O "ApcState.Process",
        NextProcessor: O "NextProcessor",
        Priority: O "Priority",
        BasePriority: O "BasePriority",
        StackBase: O "StackBase",
        StackLimit: O "StackLimit",
        InitialStack: O "InitialStack",
        KernelStack: O "KernelStack",
        LockEntries: O "LockEntries",
        AbEntrySummary: O "AbEntrySummary",
        AbOrphanedEntrySummary: O "AbOrphanedEntrySummary",
    }
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
    /// What user mode knows of a thread.
    Teb = "_TEB" {
        SubProcessTag: O "SubProcessTag",
    }
    /// What user mode knows of a process.
    Peb = "_PEB" {
        ProcessParameters: O "ProcessParameters",
    }
    /// What a process was started with; only complete symbol tables have it.
    ProcessParameters = "_RTL_USER_PROCESS_PARAMETERS" {
        CommandLine: O "CommandLine",
    }
    /// An I/O request of a thread; only complete symbol tables have it.
    Irp = "_IRP" {
        Type: O "Type",
        Size: O "Size",
        Flags: O "Flags",
        MdlAddress: O "MdlAddress",
        ThreadListEntry: O "ThreadListEntry",
        UserEvent: O "UserEvent",
        StackCount: O "StackCount",
        CurrentLocation: O "CurrentLocation",
        Thread: O "Tail.Overlay.Thread",
        CurrentStackLocation: O "Tail.Overlay.CurrentStackLocation",
        OriginalFileObject: O "Tail.Overlay.OriginalFileObject",
    }
    /// What one driver is asked to do with an I/O request; only complete symbol tables have it.
    IoStackLocation = "_IO_STACK_LOCATION" {
        MajorFunction: O "MajorFunction",
        DeviceObject: O "DeviceObject",
        FileObject: O "FileObject",
    }
    /// An open file, device or pipe.
    FileObject = "_FILE_OBJECT" {
        Lock: O "Lock",
        Event: O "Event",
    }
    /// What a driver takes I/O requests at; only complete symbol tables have it.
    DeviceObject = "_DEVICE_OBJECT" {
        Type: O "Type",
        DriverObject: O "DriverObject",
    }
    /// A driver; only complete symbol tables have it.
    DriverObject = "_DRIVER_OBJECT" {
        Type: O "Type",
        DriverName: O "DriverName",
    }
    /// What binds a waiting thread to one object.
    WaitBlock = "_KWAIT_BLOCK" {
        Thread: O "Thread",
        Object: O "Object",
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
    /// A loaded module.
    Module = "_LDR_DATA_TABLE_ENTRY" {
        InLoadOrderLinks: O "InLoadOrderLinks",
        DllBase: O "DllBase",
        SizeOfImage: O "SizeOfImage",
        FullDllName: O "FullDllName",
        BaseDllName: O "BaseDllName",
    }
    /// A session of processes.
    SessionSpace = "_MM_SESSION_SPACE" {
        SessionId: O "SessionId",
    }
    /// The same in kernels from Windows 11 24H2 on.
    PspSessionSpace = "_PSP_SESSION_SPACE" {
        SessionId: O "SessionId",
    }
    /// A name of an object, as `SeAuditProcessCreationInfo` keeps it.
    ObjectNameInformation = "_OBJECT_NAME_INFORMATION" {
        Name: O "Name",
    }
    /// What a port and its owner share to complete messages without system calls.
    CompletionList = "_ALPC_COMPLETION_LIST" {
        OwnerProcess: R "OwnerProcess",
        CompletionListLock: O "CompletionListLock",
        Mdl: R "Mdl",
        UserVa: R "UserVa",
        UserLimit: R "UserLimit",
        DataUserVa: R "DataUserVa",
        SystemVa: R "SystemVa",
        TotalSize: R "TotalSize",
        Header: R "Header",
        List: R "List",
        ListSize: R "ListSize",
        Bitmap: R "Bitmap",
        BitmapSize: R "BitmapSize",
        Data: R "Data",
        DataSize: R "DataSize",
        BitmapLimit: R "BitmapLimit",
        BitmapNextHint: R "BitmapNextHint",
        ConcurrencyCount: R "ConcurrencyCount",
        AttributeFlags: R "AttributeFlags",
        AttributeSize: R "AttributeSize",
    }
    /// The head of the memory that both of them see.
    CompletionListHeader = "_ALPC_COMPLETION_LIST_HEADER" {
        StartMagic: R "StartMagic",
        TotalSize: R "TotalSize",
        ListOffset: R "ListOffset",
        ListSize: R "ListSize",
        BitmapOffset: R "BitmapOffset",
        BitmapSize: R "BitmapSize",
        DataOffset: R "DataOffset",
        DataSize: R "DataSize",
        AttributeFlags: R "AttributeFlags",
        AttributeSize: R "AttributeSize",
        Head: R "State.u1.s1.Head",
        Tail: R "State.u1.s1.Tail",
        ActiveThreadCount: R "State.u1.s1.ActiveThreadCount",
        LastMessageId: R "LastMessageId",
        LastCallbackId: R "LastCallbackId",
        PostCount: R "PostCount",
        ReturnCount: R "ReturnCount",
        LogSequenceNumber: R "LogSequenceNumber",
        UserLock: R "UserLock",
        EndMagic: R "EndMagic",
    }
}

globals! {
    PsActiveProcessHead: R,
    AlpcpPortList: O,
    AlpcPortObjectType: O,
    ObTypeIndexTable: O,
    ObHeaderCookie: O,
    ObpInfoMaskToOffset: O,
    ObpRootDirectoryObject: O,
    ObpTypeObjectType: O,
    ObpDirectoryObjectType: O,
    PsProcessType: O,
    PsThreadType: O,
    AlpcMessageTable: O,
    AlpcpSecondaryMessageTables: O,
    AlpcpRegisteredTypes: O,
    AlpcpDummyEvent: O,
    AlpcpNextMessageId: O,
    AlpcpNextCallbackId: O,
    AlpcpLogEnabled: O,
    AlpcpMessageLogEnabled: O,
    AlpcpRegionGranularity: O,
    AlpcpViewGranularity: O,
    LpcLegacyMaxMessageLength: O,
    PspCidTable: O,
    PsInitialSystemProcess: O,
    PsIdleProcess: O,
    ObpKernelHandleTable: O,
    PsLoadedModuleList: O,
    KdDebuggerDataBlock: O,
    NtBuildNumber: O,
    NtBuildLab: O,
    KeTimeIncrement: O,
    KeMaximumIncrement: O,
    KeBootTime: O,
    ExpSystemResourcesList: O,
    KiProcessorBlock: O,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_indexes_its_own_declaration() {
        assert_eq!(
            field_spec(Port::PortListEntry).unwrap().spellings,
            ["PortListEntry"]
        );
        assert_eq!(field_spec(Port::MessageZone).unwrap().spellings, ["MessageZone"]);
        assert_eq!(
            field_spec(CommunicationInfo::ConnectionPort).unwrap().ty,
            "_ALPC_COMMUNICATION_INFO"
        );
        assert_eq!(
            field_spec(Message::PortMessage).unwrap().spellings,
            ["PortMessage"]
        );
        assert_eq!(
            field_spec(ObjectNameInformation::Name).unwrap().ty,
            "_OBJECT_NAME_INFORMATION"
        );
        assert_eq!(
            field_spec(CompletionListHeader::EndMagic).unwrap().spellings,
            ["EndMagic"]
        );
        assert_eq!(FIELDS.len(), field_index(CompletionListHeader::EndMagic) + 1);
    }
}
