//! What marks ports and messages: the rest of them is in the fragment of the crate that walks them.

use crate::image::contract::fragment::START;
use crate::structures;

structures! {
    after START;

    /// An ALPC port object.
    Port = "_ALPC_PORT" {
        PortListEntry: R "PortListEntry",
        CommunicationInfo: R "CommunicationInfo",
        // Bit 0 is a flag, set when the owner closed the port: a driver that took it for a pointer crashed
        // (winsiderss/systeminformer#1525).
        OwnerProcess: R "OwnerProcess",
        // Its bits never moved: 0 Initialized, 1 and 2 Type, 3 ConnectionPending ... (layouts of 305 kernels).
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
        // At 20 in Vista, between pointers; behind all queues since Windows 7.
        SequenceNo: R "SequenceNo",
        // 8.1 and later.
        ReferenceNo: O "ReferenceNo",
        CompletionPort: R "CompletionPort",
        CompletionKey: R "CompletionKey",
        CompletionPacketLookaside: R "CompletionPacketLookaside",
        CompletionList: R "CompletionList",
        PortContext: R "PortContext",
        PortAttributes: R "PortAttributes",
        StaticSecurity: R "StaticSecurity",
        MainQueue: R "MainQueue",
        // From 10240 to 28000. From 29531 on the offsets of what follows are 8.1's again: it seems to be gone
        // (inference from System Informer's table).
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
        // One lock in Vista and 7, four since Windows 8: this one and one for each of three queues.
        PortLock: R "PortObjectLock" | "Lock",
        CachedMessage: R "CachedMessage" | "Message",
        TargetQueuePort: R "TargetQueuePort",
        TargetSequencePort: R "TargetSequencePort",
        CallbackObject: O "CallbackObject",
        CallbackContext: O "CallbackContext",
        // To Windows 8.
        MessageZone: O "MessageZone",
    }
    /// What ties the ports of one connection together.
    CommunicationInfo = "_ALPC_COMMUNICATION_INFO" {
        ConnectionPort: R "ConnectionPort",
        ServerCommunicationPort: R "ServerCommunicationPort",
        ClientCommunicationPort: R "ClientCommunicationPort",
        CommunicationList: R "CommunicationList",
        HandleTable: R "HandleTable",
        // 8.1 and later: the message that tells the other side LPC_PORT_CLOSED, allocated beforehand.
        CloseMessage: O "CloseMessage",
    }
    /// A message in the kernel.
    Message = "_KALPC_MESSAGE" {
        Entry: R "Entry",
        PortQueue: R "PortQueue",
        OwnerPort: R "OwnerPort",
        WaitingThread: R "WaitingThread",
        ServerThread: R "ServerThread",
        State: R "u1.State",
        // Two bits up to Windows 8, three since 10240; in 8.1 three since the update of October 2022
        // (9600.20666), and all bits above moved by one.
        QueueType: R "u1.s1.QueueType",
        QueuePortType: R "u1.s1.QueuePortType",
        Canceled: R "u1.s1.Canceled",
        Ready: R "u1.s1.Ready",
        ReleaseMessage: R "u1.s1.ReleaseMessage",
        SharedQuota: R "u1.s1.SharedQuota",
        ReplyWaitReply: R "u1.s1.ReplyWaitReply",
        OwnerPortReference: R "u1.s1.OwnerPortReference",
        // Up to 16299; when it went, the bits above it moved down.
        ReserveReference: O "u1.s1.ReserveReference",
        ReceiverReference: R "u1.s1.ReceiverReference",
        ViewAttributeRetrieved: O "u1.s1.ViewAttributeRetrieved",
        // 22621 and later.
        ViewAttributeDeleteOnRelease: O "u1.s1.ViewAttributeDeleteOnRelease",
        InDispatch: O "u1.s1.InDispatch",
        // Came with the update of May 2022 (1904x.1706, 20348.707, 22000.675).
        InCanceledQueue: O "u1.s1.InCanceledQueue",
        // 28000 and later (from header listings, not from a PDB).
        CommunicationInfoReference: O "u1.s1.CommunicationInfoReference",
        SequenceNo: R "SequenceNo",
        // Two members of one union: which of them it is, SharedQuota says.
        Quota: R "QuotaProcess" | "QuotaBlock",
        CancelSequencePort: R "CancelSequencePort",
        CancelQueuePort: R "CancelQueuePort",
        CancelSequenceNo: R "CancelSequenceNo",
        CancelListEntry: R "CancelListEntry",
        Reserve: R "Reserve",
        MessageAttributes: R "MessageAttributes",
        DataUserVa: R "DataUserVa",
        // To Windows 8.
        DataSystemVa: O "DataSystemVa",
        CommunicationInfo: R "CommunicationInfo",
        ConnectionPort: R "ConnectionPort",
        WakeReference: O "WakeReference",
        ExtensionBuffer: R "ExtensionBuffer",
        ExtensionBufferSize: R "ExtensionBufferSize",
        PortMessage: R "PortMessage",
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
        // What follows it moved: ReferenceCount of x64 is at +14 up to Windows 8, and at +18 with eight bytes
        // from 8.1 on.
        CachedReferences: R "CachedReferences",
        ReferenceCount: R "ReferenceCount",
    }
}
