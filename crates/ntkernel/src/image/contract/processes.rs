//! Processes, threads and modules.

use crate::image::contract::objects;
use crate::structures;

structures! {
    after objects::END;

    /// A process, as the executive sees it.
    Process = "_EPROCESS" {
        Pcb: R "Pcb",
        UniqueProcessId: R "UniqueProcessId",
        ActiveProcessLinks: R "ActiveProcessLinks",
        // 15 bytes with the NUL, narrowed.
        ImageFileName: R "ImageFileName",
        ObjectTable: R "ObjectTable",
        ThreadListHead: R "ThreadListHead",
        AlpcContext: R "AlpcContext",
        Peb: O "Peb",
        // Without a type in symbols up to 8.1, then `_MM_SESSION_SPACE`, and `_PSP_SESSION_SPACE` since 24H2.
        Session: O "Session",
        InheritedFromUniqueProcessId: O "InheritedFromUniqueProcessId",
        CreateTime: O "CreateTime",
        ExitTime: O "ExitTime",
        SeAuditImageFileName: O "SeAuditProcessCreationInfo.ImageFileName",
        // Another capital letter since 10586.
        Wow64Process: O "WoW64Process" | "Wow64Process",
        ActiveThreads: O "ActiveThreads",
        DeviceMap: O "DeviceMap",
        Token: O "Token",
        // One byte since 8.1; a single bit before.
        Protection: O "Protection",
        ProtectedProcess: O "ProtectedProcess",
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
        // At 40 + e0 up to 14393, at 100 + f0 from 17763 on: both numbers moved.
        Context: O "ProcessorState.ContextFrame",
    }
    /// A thread, as the executive sees it.
    Thread = "_ETHREAD" {
        Tcb: R "Tcb",
        Cid: R "Cid",
        ThreadListEntry: R "ThreadListEntry",
        // As large as a pointer in every kernel: what it holds while a thread waits for a reply is the
        // message's address. Proven for 10240 to 24H2, inferred for Vista, 7 and 8. It is not cleared and can
        // be stale.
        AlpcMessageId: R "AlpcMessageId",
        // A union with AlpcReceiveAttributeSet: a mask of attributes while the thread waits at a port, a
        // message afterwards.
        AlpcMessage: R "AlpcMessage",
        AlpcWaitListEntry: R "AlpcWaitListEntry",
        AlpcWaitSemaphore: R "AlpcWaitSemaphore",
        // Of Windows 10 2004's successors; before, the scheduler's part of the thread has the entries.
        LockEntries: O "LockEntries",
        StartAddress: O "StartAddress",
        Win32StartAddress: O "Win32StartAddress",
        ThreadName: O "ThreadName",
        ActiveImpersonationInfo: O "ActiveImpersonationInfo",
        ClientSecurity: O "ClientSecurity",
        ThreadIoPriority: O "ThreadIoPriority",
        ThreadPagePriority: O "ThreadPagePriority",
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
        UserTime: O "UserTime",
        KernelTime: O "KernelTime",
        KernelStackResident: O "KernelStackResident",
        PriorityDecrement: O "PriorityDecrement",
        // `Process` is the process that owns the thread; this is the one that it works in.
        AttachedProcess: O "ApcState.Process",
        NextProcessor: O "NextProcessor",
        Priority: O "Priority",
        BasePriority: O "BasePriority",
        StackBase: O "StackBase",
        StackLimit: O "StackLimit",
        InitialStack: O "InitialStack",
        KernelStack: O "KernelStack",
        TrapFrame: O "TrapFrame",
        // Of ARM64 alone: elsewhere it lies on the stack.
        SwitchFrame: O "SwitchFrame",
        LockEntries: O "LockEntries",
        AbEntrySummary: O "AbEntrySummary",
        AbOrphanedEntrySummary: O "AbOrphanedEntrySummary",
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
}
