//! What walks of ports, messages and their resources need beside the kernel's own part of the contract.

use ntkernel::image::contract::{self, GLOBALS, join};
use ntkernel::structures;
use ntlayout::{Contract, FieldSpec};

/// All that the walks need to know of a kernel's layout.
pub static CONTRACT: Contract = Contract {
    fields: &ALL_FIELDS,
    types: &ALL_TYPES,
    globals: GLOBALS,
};

static ALL_FIELDS: [FieldSpec; END.fields] = join(&[contract::CONTRACT_FIELDS, FIELDS]);

static ALL_TYPES: [&str; END.types] = join(&[contract::CONTRACT_TYPES, TYPES]);

structures! {
    after contract::END;

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
    /// What travels with a message beside its data.
    MessageAttributes = "_KALPC_MESSAGE_ATTRIBUTES" {
        ClientContext: R "ClientContext",
        ServerContext: R "ServerContext",
        PortContext: R "PortContext",
        CancelPortContext: R "CancelPortContext",
        SecurityData: R "SecurityData",
        View: R "View",
        HandleData: R "HandleData",
        // 10240 and later, and WorkOnBehalfData 14393 and later: each at the end, so that nothing before them moved.
        DirectEvent: O "DirectEvent",
        WorkOnBehalfData: O "WorkOnBehalfData",
    }
    /// A kind of ALPC allocation.
    BlobType = "_BLOB_TYPE" {
        ResourceId: R "ResourceId",
        PoolTag: R "PoolTag",
        // The last of all up to Windows 7, and right behind PoolTag since Windows 8.
        LookasideIndex: R "LookasideIndex",
        Flags: R "Flags",
        UsualSize: R "UsualSize",
        CreatedObjects: O "CreatedObjects",
        DeletedObjects: O "DeletedObjects",
        // Since Windows 8 a pointer to both counts, and the two above are gone.
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
        // Windows 10 1709 (16299) and later.
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
        // Put in by servicing: of one build some revisions have it and some have not.
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
        SecurityQos: O "SecurityQos",
        ClientToken: O "ClientToken",
        DirectlyAccessClientToken: O "DirectlyAccessClientToken",
        DirectAccessEffectiveOnly: O "DirectAccessEffectiveOnly",
        ServerIsRemote: O "ServerIsRemote",
    }
    /// ALPC's part of a process.
    ProcessContext = "_ALPC_PROCESS_CONTEXT" {
        ViewListHead: R "ViewListHead",
    }
    /// What a port and its owner share to complete messages without system calls.
    CompletionList = "_ALPC_COMPLETION_LIST" {
        OwnerProcess: R "OwnerProcess",
        // Windows 8 put it in here, and all behind it moved.
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
