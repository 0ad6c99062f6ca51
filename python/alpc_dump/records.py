"""The records of all commands, as types.

Written by write_records.py from docs/alpc-dump.schema.json: do not change it here. At run time a record is a plain
dict, and these are what type checkers and editors know of it. Addresses are texts of hex digits. A member that is None
because it could not be read stands under "unreadable" with the reason, and one that this kernel does not have under
"absent".
"""

from __future__ import annotations

from typing import Any, Dict, List, Literal, Optional, TypedDict, Union

__all__ = [
    "AccessFinding",
    "AccessRecord",
    "AccessVerdict",
    "Accessible",
    "AccessibleRow",
    "AceRecord",
    "ActingRecord",
    "Actor",
    "Address",
    "AllStacks",
    "AlpcWait",
    "AlpcWaitCompletion",
    "AlpcWaitReceive",
    "AlpcWaitReply",
    "Amount",
    "Analysis",
    "AnalyzeDocument",
    "Apartment",
    "Became",
    "Behind",
    "Behind2",
    "BesideAnalyze1",
    "BesideAnalyze2",
    "BesideCalls",
    "BesideCarve",
    "BesideCheck",
    "BesideConnections",
    "BesideGlobal",
    "BesideLocks",
    "BesideModules",
    "BesidePorts1",
    "BesidePorts2",
    "BesideProcesses",
    "BesideServices",
    "BesideSessions",
    "BesideStacks2",
    "BesideStacksComplete",
    "BesideTimeline",
    "BesideWaits",
    "Bits",
    "BlobKind",
    "BlobTypeRecord",
    "Blocker",
    "BootEvidence",
    "By",
    "CallRecord",
    "CallRow",
    "CallerRecord",
    "CallerSource",
    "CallsDocument",
    "CallsInFlight",
    "Candidate",
    "CandidateInterface",
    "CarveDocument",
    "CarveKind",
    "CarveState",
    "Carved",
    "CarvedKind",
    "CarvedRow",
    "Cause",
    "CertainStack",
    "Certainty",
    "Chain",
    "ChainDocument",
    "ChainsRecord",
    "Change",
    "Changes",
    "CheckDocument",
    "CheckRecord",
    "Checks",
    "Choice",
    "Clock",
    "CodeAddress",
    "ComCall",
    "CommunicationInfoMembers",
    "CompletionListRecord",
    "ConditionRecord",
    "ConnectedRecord",
    "ConnectionRecord",
    "ConnectionsDocument",
    "ConnectionsRecord",
    "Coverage",
    "Crashed",
    "Crossing",
    "CrossingEnd",
    "Crossings",
    "Deadlock",
    "DerivedGlobal",
    "DescriptorRecord",
    "DiffDocument",
    "DiffRecord",
    "DirectoryMember",
    "Doing",
    "Doubt",
    "Doubt2",
    "DoubtId",
    "DriverNode",
    "DtDocument",
    "DuplicateContext",
    "Edge",
    "EdgeKind",
    "EdgeRecord",
    "EffectiveCaller",
    "End",
    "EndInBoth",
    "EnumerationRecord",
    "ErrorRecord",
    "Evidence",
    "Excluded",
    "Explanation",
    "FileOffset",
    "FileTime",
    "Finding",
    "Found",
    "FoundBy",
    "FoundByCrashed",
    "FoundByCurrent",
    "FoundByIdle",
    "FoundByNext",
    "FoundDeadlock",
    "FoundFrame",
    "FoundOrKernelFound",
    "FoundOrKernelFoundFound",
    "FoundOrKernelFoundMissing",
    "FoundOrSymbolsFound",
    "FoundOrSymbolsFoundFound",
    "FoundOrSymbolsFoundMissing",
    "FoundPages",
    "FoundPort",
    "FoundProcess",
    "FoundSignature",
    "FoundStack",
    "FoundWait",
    "Frame",
    "Freed",
    "Function",
    "GlobalDocument",
    "GlobalInFull",
    "GraphDocument",
    "GraphRecord",
    "GraphsRecord",
    "GroupLine",
    "GroupRecord",
    "HandleDataMembers",
    "HandleLine",
    "HandleRecord",
    "HandleTable",
    "Handles",
    "HandlesDocument",
    "HandlesRecord",
    "HandlesRest",
    "HandlesUnread",
    "HangDocument",
    "HangRecord",
    "Happened",
    "IgnoredLine",
    "ImageContents",
    "Impersonation",
    "InfoDocument",
    "InfoRecord",
    "InnerCall",
    "IntegrityRecord",
    "InterfaceRecord",
    "IrpDocument",
    "IrpInFull",
    "IrpRecord",
    "Irps",
    "KernelCandidate",
    "KernelFound",
    "KernelIdentity",
    "Kind",
    "LabelRecord",
    "Lacks",
    "LayoutCheck",
    "Learned",
    "Links",
    "ListOfOrphanRecord",
    "ListOfPortLine",
    "ListRecord",
    "ListState",
    "Listing",
    "LockKind",
    "LockRow",
    "LockThread",
    "Locks",
    "LocksDocument",
    "LongestQueue",
    "LookedAt",
    "MajorFunction",
    "Measure",
    "MemDocument",
    "Member",
    "MemberRecord",
    "Members",
    "MemoryPiece",
    "MemoryRecord",
    "MessageCall",
    "MessageCallNotDecoded",
    "MessageCallUndetermined",
    "MessageDetails",
    "MessageDocument",
    "MessageNode",
    "MessageRecord",
    "MessageType",
    "ModuleRecord",
    "Modules",
    "ModulesDocument",
    "NamedPort",
    "NamedType",
    "NearName",
    "Nested",
    "Node",
    "NodeCompletionPort",
    "NodeDriver",
    "NodeId",
    "NodeIrp",
    "NodeLock",
    "NodeMessage",
    "NodeMutant",
    "NodePort",
    "NodeProcess",
    "NodeRecord",
    "NodeThread",
    "NoneDocument",
    "NotReached",
    "Note",
    "ObjectDocument",
    "ObjectInFull",
    "ObjectRecord",
    "OrphanRecord",
    "PackDocument",
    "PackRecord",
    "Payload",
    "PayloadExtension",
    "PayloadGap",
    "PayloadPiece",
    "PieceRecord",
    "PoolTag",
    "PortCounts",
    "PortDetails",
    "PortDocument",
    "PortKind",
    "PortLabel",
    "PortLine",
    "PortNode",
    "PortRecord",
    "PortRef",
    "PortSide",
    "PortSource",
    "PortTrouble",
    "PortsDocument",
    "PrivilegeRecord",
    "PrivilegesRecord",
    "Problem",
    "ProcedureName",
    "ProcessDocument",
    "ProcessHandles",
    "ProcessInFull",
    "ProcessPortsRecord",
    "ProcessRecord",
    "ProcessRef",
    "ProcessThreads",
    "Processes",
    "ProcessesDocument",
    "Protocol",
    "QueueCount",
    "QueueKind",
    "QueueRecord",
    "QueueType",
    "QueuedMessage",
    "Reason",
    "RegionMembers",
    "ReportDocument",
    "ReportRecord",
    "ReportSection",
    "ReserveMembers",
    "ResourceDocument",
    "ResourceHandle",
    "ResourceRecord",
    "Resources",
    "RestOfAnalyze",
    "RestOfCalls",
    "RestOfCarve",
    "RestOfCheck",
    "RestOfConnections",
    "RestOfGlobal",
    "RestOfHandles",
    "RestOfLocks",
    "RestOfModules",
    "RestOfPorts",
    "RestOfProcesses",
    "RestOfServices",
    "RestOfSessions",
    "RestOfStacks",
    "RestOfThreads",
    "RestOfTimeline",
    "RestOfWaits",
    "RootBlocker",
    "RootKind",
    "Said",
    "Says",
    "SecondaryBlob",
    "SecondaryData",
    "SecondaryEnd",
    "SectionMembers",
    "Security",
    "SecurityContextMembers",
    "SecurityDocument",
    "SecurityMembers",
    "SecurityRecord",
    "ServedBy",
    "ServerCounts",
    "Servers",
    "ServersBehind",
    "Service",
    "ServiceRow",
    "ServiceTable",
    "ServicesDocument",
    "SessionRow",
    "Sessions",
    "SessionsDocument",
    "Severity",
    "SharedRecord",
    "SidRecord",
    "Signature",
    "Stack",
    "StackDocument",
    "StackGroup",
    "StackGroups",
    "StackInThread",
    "StackLocation",
    "StackRecord",
    "StacksDocument",
    "Status",
    "StatusRecord",
    "Step",
    "StopCode",
    "StructureRecord",
    "Subject",
    "SubjectConnection",
    "SubjectPort",
    "SubjectProcess",
    "SubjectWait",
    "SummaryDocument",
    "SummaryNext",
    "SummaryRecord",
    "Suspect",
    "SymbolSearch",
    "SymbolSource",
    "SymbolsDocument",
    "SymbolsFound",
    "SymbolsInUse",
    "SymbolsToGet",
    "SystemThreads",
    "ThreadDetails",
    "ThreadDocument",
    "ThreadNode",
    "ThreadRecord",
    "ThreadStack",
    "ThreadState",
    "ThreadToken",
    "ThreadsDocument",
    "ThreadsRest",
    "ThreadsUnread",
    "TimeSource",
    "TimeSpan",
    "Timeline",
    "TimelineDocument",
    "TimelineRow",
    "TokenDocument",
    "TokenRecord",
    "TokenRef",
    "Told",
    "Told2",
    "Told2Undetermined",
    "Told3",
    "Told3Undetermined",
    "Told4",
    "Told4Undetermined",
    "ToldUndetermined",
    "Tool",
    "Trailing",
    "TriageContents",
    "TriageDocument",
    "TriageRecord",
    "Trouble",
    "TypeList",
    "TypeRecord",
    "TypeRef",
    "TypedValue",
    "TypedValue4",
    "TypedValue5",
    "TypesFrom",
    "UndecidedLock",
    "UndecidedMessage",
    "UndecidedPort",
    "UnexpectedServer",
    "Unread",
    "UnreadSession",
    "UnreadableRecord",
    "Uuid",
    "Verdict",
    "ViewMembers",
    "WaitObject",
    "WaitObjectKind",
    "WaitReason",
    "WaitRow",
    "WaitState",
    "WaitTable",
    "WaiterBehind",
    "WaitsDocument",
    "WantedSymbols",
    "Which",
]


class AccessFinding(TypedDict):
    """Something about a descriptor that is worth a look."""

    # Its kind: one word that does not change.
    id: str
    # What was found.
    text: str
    # Why it may be as it should.
    innocent: str


class AccessRecord(TypedDict):
    """What a caller gets."""

    # Who asks.
    who: str
    # What the check says.
    verdict: AccessVerdict
    # Why.
    why: str


class _Accessible(TypedDict):
    # Who was asked for.
    who: str
    # The identifiers that such a caller was taken to have.
    identifiers: List[str]
    # The integrity that it was taken to have.
    integrity: str
    # Those that it could open, and those of which that is not known.
    ports: List[AccessibleRow]
    # Connection ports that keep it out.
    denied: int
    # Connection ports without a name, which nobody can open.
    nameless: int
    # Set when ports may be missing.
    complete: Optional[Literal[True]]


class Accessible(_Accessible, total=False):
    """The ports that a caller could open."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _AccessibleRow(TypedDict):
    # Its `_ALPC_PORT`.
    address: Address
    # `granted` or `undecided`.
    verdict: AccessVerdict
    # Full path in the object namespace.
    path: Optional[str]
    # The process that owns it.
    owner_process: Optional[ProcessRef]
    # The user and integrity of that.
    owner: Optional[TokenRef]
    # What lets the caller in, or why that is not known.
    why: str
    # Set where the descriptor, or what leads to it, could not be read.
    descriptor: Optional[Literal[True]]


class AccessibleRow(_AccessibleRow, total=False):
    """A connection port that a caller could open, or might."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['path', 'owner_process', 'owner', 'descriptor']]


class _AceRecord(TypedDict):
    # Its kind by the name in the headers, or as a number.
    type: str
    # `AceFlags`.
    flags: int
    # Its bytes.
    size: int
    # Its rights; none of an entry that is not understood.
    mask: Optional[int]
    # The same in words.
    rights: Optional[str]
    # Whom it is of.
    who: Optional[SidRecord]
    # As SDDL.
    sddl: str


class AceRecord(_AceRecord, total=False):
    """An entry of an access list."""

    # The condition under which it holds; how Windows would write it is not proven, so the bytes
    # stand beside it.
    condition: Optional[str]
    # The bytes of the condition, or of what is not understood.
    bytes: Optional[str]


class _ActingRecord(TypedDict):
    # What was asked for.
    of: Actor
    # Where it is.
    address: Address
    # The process: itself, the thread's, the port's owner.
    process: Optional[ProcessRef]
    # Whether that is protected, and how.
    protection: Optional[str]
    # Its primary token.
    primary: Optional[TokenRecord]
    # What a thread acts by instead; none while it acts as its process.
    impersonation: Optional[ThreadToken]
    # Whom a server would act for: of messages, and of the ends of connections.
    caller: Optional[CallerRecord]


class ActingRecord(_ActingRecord, total=False):
    """As whom something acts."""

    # The token that was asked for by its own address.
    token: Optional[TokenRecord]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['process', 'protection', 'primary', 'impersonation', 'caller']]


class _AllStacks(TypedDict):
    # The threads, process by process.
    threads: List[ThreadStack]
    # Set when some threads may be missing.
    complete: Optional[Literal[True]]


class AllStacks(_AllStacks, total=False):
    """The stacks of all threads."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _AlpcWaitReply(TypedDict):
    kind: Literal['reply']
    # The message it sent.
    message: Address
    # Whether it waits at its own semaphore for replies, or at nothing that contradicts it, which
    # proves the wait. False of a thread that was suspended: it waits for the end of that, and only
    # the message says that it waits for a reply.
    at_reply_semaphore: Optional[bool]
    # The port in whose queue the message is.
    queue_port: Optional[PortRef]
    # The process that owns that port.
    owner_process: Optional[ProcessRef]


class AlpcWaitReply(_AlpcWaitReply, total=False):
    """The reply to a message that it sent."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['at_reply_semaphore', 'queue_port', 'owner_process']]


class AlpcWaitReceive(TypedDict):
    """A message to receive, in the wait queue of a port."""

    kind: Literal['receive']
    # The port.
    port: PortRef


class AlpcWaitCompletion(TypedDict):
    """A message to receive, at the completion port of ALPC ports."""

    kind: Literal['completion']
    # The completion port: a `_KQUEUE`.
    queue: Address
    # The ALPC ports that report to it, of those that were looked at: all of the system, or the one
    # whose threads are shown.
    ports: List[PortRef]


class _Analysis(TypedDict):
    # The findings, in the order of the ports and messages that they are about.
    findings: List[Finding]
    # Ports that were looked at.
    ports: int
    # Messages that were looked at.
    messages: int
    # Where the ports were found.
    source: PortSource
    # Things that could not be checked because they cannot be read.
    unchecked: List[Optional[Literal[True]]]


class Analysis(_Analysis, total=False):
    """All contradictions of a system."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]


class Behind(TypedDict):
    """Who is stuck behind something."""

    # Threads.
    threads: int
    # Their processes.
    processes: int
    # The longest of their waits, in 100 ns.
    longest_wait: Optional[TimeSpan]
    # Whether there may be more, for counting gave up.
    at_least: bool


class Behind2(TypedDict):
    """Who waits for something."""

    # The threads that wait, each below the one that it waits for.
    waiters: List[WaiterBehind]
    # The longest of their waits.
    longest_wait: Optional[TimeSpan]
    # Parts of the system that could not be looked at, so that waits may be missing.
    unread: List[Unread]


class Bits(TypedDict):
    """Which bits of a storage unit, counted from the least significant one."""

    # The lowest.
    position: int
    # How many.
    length: int


class _BlobTypeRecord(TypedDict):
    # What it holds.
    holds: BlobKind
    # Its `_BLOB_TYPE`.
    address: Address
    # Its pool tag.
    pool_tag: Optional[str]
    # Blobs made since the system started.
    created: Optional[int]
    # Blobs deleted since.
    deleted: Optional[int]
    # Blobs there are: made and not deleted.
    live: Optional[int]


class BlobTypeRecord(_BlobTypeRecord, total=False):
    """A registered kind of blobs."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['pool_tag', 'created', 'deleted', 'live']]


class _Blocker(TypedDict):
    # Its number in the graph.
    id: NodeId
    # What it is.
    node: Node
    # Why the chains end here.
    end: RootKind
    # Who is stuck behind it.
    behind: Behind
    # Threads behind ports all of whose servers are stuck behind this: they are stuck as well, which
    # is inferred.
    inferred_threads: int
    # The deepest chain that ends here.
    chain: Chain


class Blocker(_Blocker, total=False):
    """Where chains of waits end."""

    # For a port: the root blockers that its servers are stuck behind, with their numbers of
    # servers, most first.
    servers_behind: List[ServersBehind]
    # What helps to find the culprit, for a thread among the first ones, or the one that waits for
    # an I/O request.
    suspect: Optional[Suspect]


class BootEvidence(TypedDict):
    """Something that both dumps say of their boot."""

    # What it is, in words.
    what: str
    # What the first dump says; none when it does not.
    first: Optional[Said]
    # What the second dump says.
    second: Optional[Said]
    # Whether they agree; none when one of them does not say.
    agree: Optional[bool]


class _CallRecord(TypedDict):
    # Whose header it is.
    protocol: Protocol
    # How sure that is: proven where the port's full name says so, inferred where the data alone
    # does.
    certainty: Certainty
    # What it is: `request`, `bind`, `bind-answer`, `response`, `fault`, `cancel`, `pipe-chunk`,
    # another type of local RPC by its name, or `call` of a system port.
    kind: str


class CallRecord(_CallRecord, total=False):
    """What a message says that a protocol is known of."""

    # Number of the call on its connection.
    call_id: Optional[int]
    # Its flags.
    flags: Optional[int]
    # The names of those that are set.
    flag_names: List[str]
    # Which binding it is made on: a number that the client chose.
    binding: Optional[int]
    # Number of the procedure (opnum); of a system port, of the call.
    procedure_number: Optional[int]
    # The number with the bits that COM ignores, where there are any.
    raw_procedure_number: Optional[int]
    # What the procedure is called.
    procedure: Optional[ProcedureName]
    # The interface, where one is known or likely.
    interface: Optional[InterfaceRecord]
    # The interfaces that it may be, where several are as likely.
    candidates: List[CandidateInterface]
    # The object that it is for.
    object: Optional[Told2]
    # Bytes of arguments or results behind its header.
    arguments: Optional[int]
    # Bytes of arguments in the view that it carries.
    view_length: Optional[int]
    # What a fault, the answer to a bind, or a call of a system port says of how it went.
    status: Optional[StatusRecord]
    # The call that its arguments carry, where those are known to.
    inner: Optional[InnerCall]
    # What COM says of it, where it is a call of COM.
    com: Optional[ComCall]
    # Set when another process has the port than the one that has it in Windows.
    unexpected_server: Optional[UnexpectedServer]


class _CallRow(TypedDict):
    # Its `_KALPC_MESSAGE`.
    message: Address
    # `_PORT_MESSAGE.MessageId`.
    message_id: Optional[int]
    # Process id of the sender.
    client_process_id: Optional[int]
    # Thread id of the sender.
    client_thread_id: Optional[int]
    # The process that it was sent by; none when its port names none.
    client: Optional[ProcessRef]
    # The thread that waits for the reply; none of a call that nobody waits for in the kernel.
    waiting_thread: Optional[Address]
    # The queue that it says it is in.
    queue: Optional[QueueType]
    # The port whose queue that is, with its owner, who serves it.
    port: Optional[PortLabel]
    # The thread that received it; none while nobody has, and where it is not noted.
    server_thread: Optional[Address]


class CallRow(_CallRow, total=False):
    """A call in flight."""

    # What it asks for; none when its data is of no protocol that is known.
    call: Optional[CallRecord]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['message_id', 'client_process_id', 'client_thread_id', 'client', 'waiting_thread', 'queue', 'port', 'server_thread', 'call']]


class _CallerRecord(TypedDict):
    # By what, and how far.
    by: EffectiveCaller
    # The token; none where there is none to be had.
    token: Optional[TokenRecord]
    # How sure the order is in which the kernel looks: `single-source`.
    evidence: str


class CallerRecord(_CallerRecord, total=False):
    """Whom a server would act for."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['token']]


class _CallsInFlight(TypedDict):
    # The calls.
    calls: List[CallRow]
    # Set when there may be more calls.
    complete: Optional[Literal[True]]


class CallsInFlight(_CallsInFlight, total=False):
    """Calls in flight."""

    # Messages of which it cannot be determined whether they are calls in flight.
    undecided: List[UndecidedMessage]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class Candidate(TypedDict):
    """A thread that may go on with the work of another one, or that may have received a message.
    """

    # The thread.
    thread: ThreadNode
    # That work was handed over is not written down anywhere.
    certainty: Certainty
    # What speaks for it.
    evidence: List[Evidence]


class CandidateInterface(TypedDict):
    """An interface that a call may be of."""

    # Its id.
    uuid: Uuid
    # Its name.
    name: Optional[str]
    # What the procedure would be called.
    procedure: Optional[str]
    # Whether that name is sure.
    sure: bool
    # Whether it is known that it has as many procedures; false where nobody knows how many it has.
    has_procedure: bool
    # What says that it may be this one.
    source: str


class _Carved(TypedDict):
    # What was found, by kind, by how much speaks for it, by address.
    found: List[CarvedRow]
    # How many of each kind.
    kinds: List[CarvedKind]
    # Bytes of memory that were looked at.
    bytes: int
    # Set when some may be missing.
    complete: Optional[Literal[True]]


class Carved(_Carved, total=False):
    """All that was found."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _CarvedKind(TypedDict):
    # The kind.
    kind: CarveKind
    # How many have each state, those that are not told included.
    listed: int
    # Not listed, and something leads there.
    reached: int
    # Ended.
    ended: int
    # Freed.
    freed: int
    # In use, with nothing that leads there.
    unlinked: int
    # Not known to be either.
    unknown: int
    # Of those that the system's list or table has and that are in the dump, how many were not found
    # by what they look like.
    not_found: int
    # Set where the system's own lists and tables of the kind could be followed whole.
    lists: Optional[Literal[True]]


class CarvedKind(_CarvedKind, total=False):
    """How many were found of a kind."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['lists']]


class CarvedRow(TypedDict):
    """Something that was found."""

    # What it looks like.
    kind: CarveKind
    # Where the system sees it; `null` where no page table maps it any more.
    address: Optional[Address]
    # Where it is in physical memory; `null` in a triage dump, which does not say.
    physical: Optional[int]
    # What became of it.
    state: CarveState
    # What leads to it that is not the list of its kind; `null` where nothing does, or that list has
    # it.
    reached_by: Optional[str]
    # How much speaks for it: 6 is the least that is told.
    score: int
    # What speaks for it.
    marks: List[str]
    # What does not.
    against: List[str]
    # The tag of the pool block that it is in, where one stands before it.
    tag: Optional[PoolTag]
    # The image name of a process, the path or name of a port, the type of a message.
    name: Optional[str]
    # Of a port what it is in its connection; `null` for one that is in none, and for all other
    # kinds.
    port_kind: Optional[PortKind]
    # The process: itself, its owner's, or that of the message's sender.
    process_id: Optional[int]
    # The thread: itself, or the message's sender.
    thread_id: Optional[int]
    # Of a message.
    message_id: Optional[int]
    # The process that owns it: of a port or thread.
    owner: Optional[ProcessRef]
    # When it began, of a process or thread.
    create_time: Optional[FileTime]
    # When it ended, of a process or thread.
    exit_time: Optional[FileTime]


class Cause(TypedDict):
    """How many values could not be determined for one cause."""

    # Stable id of the cause.
    cause: str
    # Values.
    count: int
    # The reason of the first one in words.
    first: str


class CertainStack(TypedDict):
    """What of a stack is certain, beside something else that is told of its thread: that it ends early
    takes nothing from that.
    """

    # The innermost frames, none of them found by a scan.
    frames: List[Frame]
    # Why there are no more of them; none where the stack was followed to its end.
    ended: Optional[str]
    # What the thread is doing, as far as the names of its functions say.
    doing: Optional[Doing]


class _Chain(TypedDict):
    # Its steps, the waiter first. In one that comes back to itself no node stands twice.
    steps: List[Step]
    # Why it ends.
    end: RootKind
    # The process that owns the port which it ends at.
    owner: Optional[Step]


class Chain(_Chain, total=False):
    """A chain of waits."""

    # Where it goes on as one that was told before; then its end is that one's.
    joins: Optional[NodeId]
    # Threads that may go on with the last one's work, or that may have received the last message,
    # when asked for.
    candidates: Optional[List[Candidate]]
    # What helps to find the culprit, for a thread that it ends at, or that waits for the I/O
    # request that it ends at, when asked for.
    suspect: Optional[Suspect]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['candidates']]


class ChainsRecord(TypedDict):
    """A part of a record."""

    chains: List[Chain]


class _Change(TypedDict):
    # What became of it.
    change: Became
    # What it is.
    subject: Subject
    # What the numbers measure, if there are any.
    measure: Optional[Measure]
    # How much it is in the first dump.
    first: Optional[Amount]
    # How much it is in the second dump.
    second: Optional[Amount]
    # Its address, when addresses make things the same.
    address: Optional[Address]


class Change(_Change, total=False):
    """A change."""

    # Why it is unknown: the first of what is listed in the section, or what cannot be read of it.
    unread: List[Doubt2]


class Changes(TypedDict):
    """Things of one kind in both dumps."""

    # How many are in both.
    same: int
    # What changed, and what is unknown; of waits also those that still are.
    changes: List[Change]
    # Why one of the dumps may have more.
    unread: List[Doubt2]


class CheckRecord(TypedDict):
    """What the conditions of a rule file came to."""

    # The rule file, as it was given.
    rules: str
    # Conditions that hold.
    passed: int
    # Conditions that do not.
    failed: int
    # Conditions of which the dump does not tell.
    undecided: int
    # The conditions, in the order of the file.
    conditions: List[ConditionRecord]


class Checks(TypedDict):
    """What is compared with what."""

    # Each kind of finding.
    checks: List[Kind]


class _Choice(TypedDict):
    # Layouts that were tried.
    tried: int
    # The versions of the kernels whose layouts explain the dump, the best first: what they have in
    # common is used.
    explained_by: List[str]
    # Checks made of the first of them.
    checked: int
    # Those that passed.
    passed: int
    # Those that contradicted it.
    contradicted: int
    # The same, check by check.
    checks: List[LayoutCheck]
    # The layouts that were left out, by what.
    excluded: List[Excluded]
    # Members that those which explain the dump have at different places: they cannot be read.
    disputed: List[str]


class Choice(_Choice, total=False):
    """Why a layout was chosen."""

    # Set where processes or threads have another size than in any layout, so that no layout is this
    # kernel's: what those agree on that explain the dump otherwise is used, and what was not
    # checked of it may have moved.
    composed: bool


class Clock(TypedDict):
    """The system's clock at the moment of the dump."""

    # Clock ticks since the system started: `KeTickCount`.
    tick_count: int
    # Length of a tick in 100 ns: `KeMaximumIncrement`, which ticks are counted by.
    increment: int


class CodeAddress(TypedDict):
    """A code address, told by the module that it is in."""

    # The address.
    address: Address
    # File name of the module, without its extension; none when the address is in no module.
    module: Optional[str]
    # Bytes from the module's base.
    offset: Optional[int]


class _ComCall(TypedDict):
    # How sure it is that it is one: proven when the object is the server's and the head of the call
    # names the thread that sent it.
    certainty: Certainty
    # The apartment that the object is in. One source.
    apartment: Apartment


class ComCall(_ComCall, total=False):
    """A call of COM."""

    # Of an apartment of one thread, that thread: it alone may run the call.
    apartment_thread: Optional[Told3]
    # Of an apartment of one thread, the low 16 bits of its id.
    apartment_thread_id_low: Optional[Told4]
    # The same in calls that are made on behalf of each other, across processes.
    causality: Optional[Uuid]
    # COM's own number of the call, as its traces have it.
    com_call_id: Optional[Uuid]
    # Id of the thread that calls.
    client_thread_id: Optional[int]
    # Whether the caller does not wait for it. One source.
    asynchronous: Optional[bool]
    # Where the method's arguments begin in the data, as inferred.
    arguments_at: Optional[int]


class _CommunicationInfoMembers(TypedDict):
    connection_port: Optional[PortRef]
    server_communication_port: Optional[PortRef]
    client_communication_port: Optional[PortRef]
    # Head of the list of connections, or entry in it.
    communication_list: Optional[Links]
    handle_table: Optional[HandleTable]
    close_message: Optional[Address]


class CommunicationInfoMembers(_CommunicationInfoMembers, total=False):
    """What ties the ports of a connection together."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['connection_port', 'server_communication_port', 'client_communication_port', 'communication_list', 'handle_table', 'close_message']]


class _CompletionListRecord(TypedDict):
    # Its `_ALPC_COMPLETION_LIST`.
    address: Address
    # The process that shares the memory.
    owner_process: Optional[ProcessRef]
    # Its push lock: Windows 8 and later.
    lock: Optional[Address]
    # The `_MDL` that holds the memory.
    mdl: Optional[Address]
    # Where the owner sees the memory.
    user_va: Optional[Address]
    # Where it ends there.
    user_limit: Optional[Address]
    # Where the owner sees the part for messages.
    data_user_va: Optional[Address]
    # Where the kernel sees the memory.
    system_va: Optional[Address]
    # Length of the memory in bytes.
    total_size: Optional[int]
    # The `_ALPC_COMPLETION_LIST_HEADER` at its start.
    header: Optional[Address]
    # The part for the list.
    list: Optional[Address]
    # Its length in bytes.
    list_size: Optional[int]
    # The part for the bitmap, which says what of the message part is taken.
    bitmap: Optional[Address]
    # Its length in bytes.
    bitmap_size: Optional[int]
    # The part for messages.
    data: Optional[Address]
    # Its length in bytes.
    data_size: Optional[int]
    # Bits of the bitmap.
    bitmap_limit: Optional[int]
    # Where the next search for a clear bit begins.
    bitmap_next_hint: Optional[int]
    # How many threads may run.
    concurrency_count: Optional[int]
    # The attributes that each message carries, as flags.
    attribute_flags: Optional[int]
    # Bytes that these take.
    attribute_size: Optional[int]
    # What the header says: the owner can write there.
    shared: Optional[SharedRecord]


class CompletionListRecord(_CompletionListRecord, total=False):
    """A port's `_ALPC_COMPLETION_LIST`, member by member."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['owner_process', 'lock', 'mdl', 'user_va', 'user_limit', 'data_user_va', 'system_va', 'total_size', 'header', 'list', 'list_size', 'bitmap', 'bitmap_size', 'data', 'data_size', 'bitmap_limit', 'bitmap_next_hint', 'concurrency_count', 'attribute_flags', 'attribute_size', 'shared']]


class ConditionRecord(TypedDict):
    """A condition and what it came to."""

    # The line of the rule file that its table begins at.
    line: int
    # Its kind, as the rule file calls it.
    kind: str
    # The name that the file gives it, else what it asks for, in words.
    name: str
    # What it asks for, in words.
    condition: str
    # Whether it holds.
    verdict: Verdict
    # How many things were found that it is about: those that break it when it fails, else all of
    # them.
    count: int
    # These things, the worst first; the first sixteen.
    found: List[Found]
    # What could not be read and matters; empty unless it is undecided.
    unread: List[Unread]
    # What was found, in words.
    text: str
    # The command that shows more of it, on the same dump.
    look_at: str


class _ConnectedRecord(TypedDict):
    # The process's own end.
    client: End
    # The connection port that it is connected to.
    connection_port: Optional[NamedPort]
    # Messages in that port's queues, by their counters.
    queued: Optional[int]
    # The process that owns that port.
    server_process: Optional[ProcessRef]


class ConnectedRecord(_ConnectedRecord, total=False):
    """A port of a process that is connected to another's."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['connection_port', 'queued', 'server_process']]


class _ConnectionRecord(TypedDict):
    # Its `_ALPC_COMMUNICATION_INFO`.
    communication_info: Address
    # The server's end.
    server: Optional[End]
    # The client's end.
    client: Optional[End]


class ConnectionRecord(_ConnectionRecord, total=False):
    """A client's connection to a connection port."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['server', 'client']]


class _ConnectionsRecord(TypedDict):
    # The connection port.
    port: NamedPort
    # Messages in its queues, by their counters.
    queued: Optional[int]
    # Its connections, in list order.
    connections: List[ConnectionRecord]
    # Set when the list could not be followed to its end.
    complete: Optional[Literal[True]]


class ConnectionsRecord(_ConnectionsRecord, total=False):
    """A connection port and its connections."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['queued', 'complete']]


class Coverage(TypedDict):
    """How much of what a dump claims to hold is in its file, in pages of 4 KiB."""

    # Pages that the index lists.
    claimed: int
    # Pages of these that the file is long enough for.
    present: int
    # Pages of these that the file ends before.
    missing: int


class _Crashed(TypedDict):
    # The thread that ran.
    thread: Optional[Address]
    # Whether that is the thread that its processor runs when it has nothing else to do, as when an
    # interrupt or a DPC crashed.
    idle: bool
    # The process whose memory it used.
    process: Optional[Address]
    # Its id.
    process_id: Optional[int]
    # Its image name, at most 15 bytes of it.
    image: Optional[str]


class Crashed(_Crashed, total=False):
    """Where a triage dump's system crashed."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['thread', 'process', 'process_id', 'image']]


class Crossing(TypedDict):
    """A connection that crosses a boundary."""

    # The client's port.
    client_port: Address
    # The connection port.
    connection_port: Address
    # What is not alike: `integrity`, `session`, `container`.
    crosses: List[str]
    # The client.
    client: CrossingEnd
    # The server.
    server: CrossingEnd


class _CrossingEnd(TypedDict):
    # Its `_EPROCESS`.
    address: Address
    # Its image name: at most 14 characters, which is all that the kernel keeps.
    image: Optional[str]
    # The integrity of its token, in words; none where that has none.
    integrity: Optional[str]
    # The session of its token.
    session: int
    # Whether it is in an AppContainer.
    in_container: bool


class CrossingEnd(_CrossingEnd, total=False):
    """An end of a connection: who owns its port."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['image']]


class Crossings(TypedDict):
    """The connections that cross a boundary."""

    # In the order of the connections.
    connections: List[Crossing]
    # Connections of which that is not known, since a token of an end cannot be read.
    undecided: int


class Deadlock(TypedDict):
    """Threads that wait for each other."""

    # Its signature.
    signature: str
    # A shortest ring through it; the last step leads back to the first.
    ring: List[Step]
    # Threads of which each waits for all others: those of the ring, and of other rings that share a
    # node with it.
    members: int
    # Threads that wait for them.
    behind: Behind
    # The steps of the ring that are not proven, as numbers of the nodes that they lead from.
    unproven: List[NodeId]


class DerivedGlobal(TypedDict):
    """A global that was found without symbols."""

    # Its name.
    name: str
    # Where it is; none when only what it holds is known.
    address: Optional[Address]
    # The pointer that it holds; none when only its place is known.
    holds: Optional[Address]
    # What led to it.
    evidence: str


class DescriptorRecord(TypedDict):
    """A security descriptor."""

    # Where it is: many objects can share one.
    address: Address
    # Its control word.
    control: int
    # The bits of that by their names.
    control_names: List[str]
    # Who owns the object.
    owner: Optional[SidRecord]
    # The owner's group.
    group: Optional[SidRecord]
    # Who may do what.
    dacl: ListRecord
    # What is audited, and labels.
    sacl: ListRecord
    # The mandatory label; none where the object has none, which counts as medium.
    label: Optional[LabelRecord]
    # All of it as SDDL.
    sddl: str


class _DiffRecord(TypedDict):
    # The first dump, as it was given.
    first_dump: str
    # The second dump, as it was given.
    second_dump: str
    # Bytes of the second dump; those of the first are at the head.
    second_dump_size: Optional[int]
    # What makes two things the same here.
    by: By
    # Whether both dumps are of one boot; none when that cannot be determined.
    same_boot: Optional[bool]
    # What says so.
    evidence: List[BootEvidence]
    # Things that differ.
    differences: int
    # Things of which it cannot be determined.
    unknown: int
    # Processes.
    processes: Changes
    # Connection ports.
    ports: Changes
    # Connections, by their clients' ports.
    connections: Changes
    # Waits for ALPC replies.
    waits: Changes
    # Threads that chains of waits end at in both dumps, those with most threads behind them in the
    # second first; only where addresses make things the same. What they did in between is no
    # difference.
    ends: List[EndInBoth]


class DiffRecord(_DiffRecord, total=False):
    """Two dumps and what has changed between them."""

    # SHA-256 of the second dump in hex, when `--hash` asks for it; that of the first is at the
    # head.
    second_dump_sha256: Optional[str]


class _DirectoryMember(TypedDict):
    # The hash bucket that it is in. It follows from the name, and would tell which of a list of
    # names it may be: where names are replaced it is withheld.
    bucket: Optional[int]
    # The object.
    address: Address
    # Its type.
    type: Optional[TypeRef]
    # Its name.
    name: Optional[str]


class DirectoryMember(_DirectoryMember, total=False):
    """An object in a directory."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['bucket', 'type', 'name']]


class Doing(TypedDict):
    """What a thread is doing."""

    # The frame that tells, counted from the innermost, 0.
    frame: int
    # The function, as `nt!NtDelayExecution+0x5f`.
    site: str
    # What a thread in such a function does, in words; none of a function that is not known.
    words: Optional[str]


class Doubt(TypedDict):
    """Why there may be more waits than were found, in one line: what is wrong with the dump or its
    symbols where that is the cause, else which parts could not be read.
    """

    # What is wrong.
    id: DoubtId
    # It in words.
    text: str


class _Doubt2(TypedDict):
    # The dump.
    dump: Which
    # What it is.
    what: str
    # Why it could not be looked at.
    complete: Optional[Literal[True]]


class Doubt2(_Doubt2, total=False):
    """What a dump cannot tell."""

    # Where it is.
    at: Optional[Address]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _DriverNode(TypedDict):
    # Its `_DRIVER_OBJECT`.
    address: Address
    # Its name, as `\FileSystem\Npfs`.
    name: Optional[str]


class DriverNode(_DriverNode, total=False):
    """A driver in the graph of waits."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['name']]


class _DuplicateContext(TypedDict):
    # Where it is.
    at: Address
    source_process: Optional[ProcessRef]
    source_handle: Optional[int]
    object: Optional[Address]
    target_access: Optional[int]
    handle_attributes: Optional[int]


class DuplicateContext(_DuplicateContext, total=False):
    """`_OB_DUPLICATE_OBJECT_STATE`; only complete symbol tables have its members."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['source_process', 'source_handle', 'object', 'target_access', 'handle_attributes']]


class Edge(TypedDict):
    """A step from a node to another."""

    # Where it leads.
    to: NodeId
    # What it is.
    edge: EdgeKind
    # How sure it is.
    certainty: Certainty
    # Whether it is one of several of which any would end the wait.
    any: bool
    # What says so.
    evidence: List[Evidence]


class _EdgeRecord(TypedDict):
    # The client's port.
    client_port: Address
    # Process id of its owner; none when nobody owns it.
    client_process_id: Optional[int]
    # The connection port.
    connection_port: Optional[NamedPort]
    # Process id of that port's owner; none when nobody owns it, and without such a port.
    server_process_id: Optional[int]


class EdgeRecord(_EdgeRecord, total=False):
    """An edge of the connection graph: a client port, and the connection port that it is connected to.
    """

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['client_process_id', 'connection_port', 'server_process_id']]


class _EffectiveCaller(TypedDict):
    # Where the token would come from.
    source: CallerSource
    # Why the server would be refused, or of which call a dynamic token would be.
    why: Optional[str]
    # The token; none where there is none to be had.
    token: Optional[Address]
    # How far the server may act by it.
    level: Optional[str]
    # Whether a server has impersonated by this security attribute: a fact, and no possibility. None
    # without one.
    was_impersonated: Optional[bool]


class EffectiveCaller(_EffectiveCaller, total=False):
    """Whom a server would act for."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['level', 'was_impersonated']]


class _End(TypedDict):
    # Its `_ALPC_PORT`; null while the server has not accepted the connection.
    port: Address
    # Messages in its main, large, pending and canceled queues, by their counters.
    queued: Optional[int]
    # The process that owns it.
    process: Optional[ProcessRef]


class End(_End, total=False):
    """A port of a connection, as the debugger's lists show it."""

    # The other communication info that the port names, when it does not name the one of this
    # connection.
    wrong_info: Optional[Address]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['queued', 'process']]


class EndInBoth(TypedDict):
    """A thread that chains of waits end at in both dumps."""

    # Its `_ETHREAD`.
    thread: Address
    # Its process's id.
    process_id: Optional[int]
    # Its id.
    thread_id: Optional[int]
    # Its process's image name.
    image: Optional[str]
    # Where it is in the first dump, as `nt!ExpWaitForResource+0x6d`; none where its stack does not
    # tell.
    first: Optional[str]
    # Where it is in the second dump.
    second: Optional[str]
    # How often it was switched to in between; 0 of one that did not run at all. None where one of
    # the dumps does not say.
    switches: Optional[int]


class EnumerationRecord(TypedDict):
    """An enumeration."""

    # Its name.
    name: str
    # Its names and their values, in the order of declaration.
    values: List[List[Union[str, int]]]


class _ErrorRecord(TypedDict):
    # A stable id; `docs/json.md` lists them.
    id: str
    # What, where, why and what next, in words that may change.
    text: str


class ErrorRecord(_ErrorRecord, total=False):
    """Why a command gave nothing."""

    # Names that may have been meant, the nearest first; not there when there are none.
    suggestions: List[NearName]


class Evidence(TypedDict):
    """A field of the dump and what it says."""

    # The field, as `_KALPC_MESSAGE.WaitingThread`, or the list.
    field: str
    # The structure that has it.
    of: Address
    # What it says.
    value: Says


class Excluded(TypedDict):
    """How many layouts one check left out."""

    # The check: the first that they failed, or in which another was better.
    by: str
    # How many.
    layouts: int


class _Explanation(TypedDict):
    # The value, by its path in the document: `result.queue_type`.
    value: str
    # By the kernel's own names: `_KALPC_MESSAGE.u1.s1.QueueType`, `nt!ObHeaderCookie`; `memory` for
    # what has no name.
    path: str
    # Where the structure begins, or the variable.
    base: Address
    # Bytes from there to the read; of the buffer of a text, which is elsewhere, none.
    offset: Optional[int]
    # Bytes that were read.
    size: int
    # Which bits of them, when it is a bit field.
    bits: Optional[Bits]
    # Where they are in virtual memory.
    address: Address
    # Where they are in physical memory and in the file: one piece a page.
    pieces: List[PieceRecord]
    # The bytes in memory order, in hex.
    bytes: Optional[str]
    # The debugger's command that shows them.
    command: str


class Explanation(_Explanation, total=False):
    """One of the reads that a value of the record comes from."""

    # Which symbols place the member, where those in use lack its type, and how sure they are.
    placed_by: Optional[str]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['bytes']]


class FileTime(TypedDict):
    """A point in time as Windows counts it: 100 ns units since 1601-01-01, UTC.

    Prints as ISO 8601 to the second; serializes with its units and as ISO 8601 to the unit.
    """

    # 100 ns units since 1601-01-01, UTC.
    ticks: int
    # ISO 8601, UTC; null beyond what calendars hold.
    utc: Optional[str]


class Finding(TypedDict):
    """A contradiction."""

    # A stable id of its kind.
    id: str
    # How much it says.
    severity: Severity
    # What it is about: the thing first, then what contradicts it.
    addresses: List[Address]
    # The ports among these, with what people know them by.
    ports: List[PortLabel]
    # What contradicts what.
    text: str
    # What else is known of it, each by itself.
    evidence: List[str]
    # What it may mean, innocent causes first.
    meaning: str


class FoundDeadlock(TypedDict):
    """Threads that wait for each other."""

    kind: Literal['deadlock']
    # One of its threads.
    thread: Address
    # Its signature.
    signature: str
    # How many threads wait for each other.
    threads: int
    # Whether every step of it is proven.
    proven: bool


class _FoundWait(TypedDict):
    kind: Literal['wait']
    # The thread.
    thread: Address
    # Its process's id.
    process_id: Optional[int]
    # Its id.
    thread_id: Optional[int]
    # Its process's image name.
    image: Optional[str]
    # The message whose reply it waits for, if it is that.
    message: Optional[Address]
    # The name of the port that this message was sent to.
    port: Optional[str]
    # How long it has waited.
    waited: Optional[TimeSpan]


class FoundWait(_FoundWait, total=False):
    """A thread that waits."""

    # The call that the message is, where that is known: a procedure by its name, or as `lsarpc/76`.
    call: Optional[str]


class FoundPort(TypedDict):
    """A port."""

    kind: Literal['port']
    # Its `_ALPC_PORT`.
    port: Address
    # Its full path.
    path: Optional[str]
    # Image name of the process that owns it; none also when nobody does.
    owner: Optional[str]
    # Messages in the queue or queues that the condition is about.
    queued: Optional[int]
    # Connections, when the condition is about them: as many as could be followed.
    connections: Optional[int]


class FoundProcess(TypedDict):
    """A process."""

    kind: Literal['process']
    # Its `_EPROCESS`.
    process: Address
    # Its id.
    process_id: Optional[int]
    # Its image name.
    image: Optional[str]


class FoundPages(TypedDict):
    """How much of the dump is there."""

    kind: Literal['pages']
    # Pages that the dump claims to hold.
    claimed: int
    # Those that are in it.
    present: int
    # Parts and values that the walks met and that cannot be read, when the condition is about them.
    unreadable: Optional[int]


class FoundSignature(TypedDict):
    """The signature."""

    kind: Literal['signature']
    # The line, as `hang` tells it.
    signature: str


class FoundStack(TypedDict):
    """A thread with a function on its stack."""

    kind: Literal['stack']
    # The thread.
    thread: Address
    # Its process's id.
    process_id: Optional[int]
    # Its id.
    thread_id: Optional[int]
    # Its process's image name.
    image: Optional[str]
    # The innermost of the frames that are meant: `afd!AfdPoll+0x12`.
    site: str
    # How long it has waited.
    waited: Optional[TimeSpan]


class FoundByCrashed(TypedDict):
    """The thread is the one that crashed, as the dump itself says."""

    kind: Literal['crashed']


class FoundByCurrent(TypedDict):
    """A processor runs the thread."""

    kind: Literal['current']
    # The processor.
    processor: int


class FoundByNext(TypedDict):
    """A processor is about to run the thread."""

    kind: Literal['next']
    # The processor; `null` in a triage dump, which holds only that of the thread that crashed.
    processor: Optional[int]


class FoundByIdle(TypedDict):
    """The thread is the one that a processor runs when it has nothing else to do."""

    kind: Literal['idle']
    # The processor; `null` in a triage dump, which holds only that of the thread that crashed.
    processor: Optional[int]


class FoundOrKernelFoundFound(TypedDict):
    """A part of a record."""

    found: KernelFound


class FoundOrKernelFoundMissing(TypedDict):
    """A part of a record."""

    missing: str


class FoundOrSymbolsFoundFound(TypedDict):
    """A part of a record."""

    found: SymbolsFound


class FoundOrSymbolsFoundMissing(TypedDict):
    """A part of a record."""

    missing: str


class Frame(TypedDict):
    """A frame of a stack."""

    # The stack pointer in the function, before it called the one inside of it; on x86 the frame
    # pointer.
    child_sp: Address
    # Where the function goes on.
    address: Address
    # File name of its module, without the extension; none where the address is in none that is
    # known.
    module: Optional[str]
    # Bytes from where the module begins.
    module_offset: Optional[int]
    # The function, where symbols or exports name it.
    function: Optional[Function]
    # How it was found.
    found: FoundFrame
    # The trap frame that leads out of the function.
    trap_frame: Optional[Address]
    # Whether the code before a return address that was scanned calls; not known where its bytes are
    # not in the dump.
    follows_call: Optional[bool]


class Function(TypedDict):
    """A function of a module."""

    # Its name, without decoration.
    name: str
    # Bytes from where it begins to the address.
    offset: int
    # Whether the name is that of an export, of which a module has few: where nothing says that the
    # function goes as far as the address, none is given.
    by_export: bool


class _GlobalInFull(TypedDict):
    # Address of the kernel's list of ports.
    port_list: Optional[Address]
    # Where the ports were found.
    source: PortSource
    # Set when some may be missing.
    complete: Optional[Literal[True]]
    # Ports counted.
    ports: PortCounts
    # Messages in the ports' queues, by queue.
    queued_messages: List[QueueCount]
    # Threads that wait for a reply: as many as the table of waits has.
    waiting_for_reply: int
    # Set when there may be more of these.
    waits_complete: Optional[Literal[True]]
    # The port with most messages in its queues.
    longest_queue: Optional[LongestQueue]
    # The registered kinds of blobs.
    blob_types: Optional[List[BlobTypeRecord]]
    # Handle table with all messages by id.
    message_table: Optional[Address]
    # Further such tables: Windows 8.1 and later.
    secondary_message_tables: Optional[Address]
    # The next message id: only some kernels keep it.
    next_message_id: Optional[int]
    # The next callback id: only some kernels keep it.
    next_callback_id: Optional[int]
    # Whether ALPC events are logged.
    log_enabled: Optional[bool]
    # Whether messages are logged.
    message_log_enabled: Optional[bool]
    # Granularity of regions, in bytes.
    region_granularity: Optional[int]
    # Granularity of views, in bytes.
    view_granularity: Optional[int]


class GlobalInFull(_GlobalInFull, total=False):
    """The record, with the lists that the verbose view adds."""

    list: Optional[List[PortLine]]
    graph: Optional[List[EdgeRecord]]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['port_list', 'complete', 'waits_complete', 'blob_types', 'message_table', 'secondary_message_tables', 'next_message_id', 'next_callback_id', 'log_enabled', 'message_log_enabled', 'region_granularity', 'view_granularity']]


class GraphRecord(TypedDict):
    """The graph of waits as a record: every node with what it waits for."""

    # The nodes.
    nodes: List[NodeRecord]


class _GraphsRecord(TypedDict):
    connections: List[EdgeRecord]
    # Set when connections may be missing.
    connections_complete: Optional[Literal[True]]
    waits: GraphRecord
    deadlocks: List[Deadlock]
    # The signature of the waits: see `hang`.
    signature: Signature
    # Why there may be more waits than were found; null when all could be looked at.
    doubt: Optional[Doubt]
    # Parts of the system that could not be looked at, so that waits may be missing.
    unread: List[Unread]


class GraphsRecord(_GraphsRecord, total=False):
    """A part of a record."""

    # Connections that cross integrity, session or AppContainer; left out where none does, as far as
    # tokens tell.
    crossings: Optional[Crossings]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['connections_complete']]


class _GroupRecord(TypedDict):
    # Which.
    group: Optional[SidRecord]
    # `_SID_AND_ATTRIBUTES.Attributes`.
    attributes: int
    # The same in the debugger's words.
    words: List[str]


class GroupRecord(_GroupRecord, total=False):
    """A group of a token."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['group']]


class _HandleDataMembers(TypedDict):
    object_type: Optional[int]
    # Up to Windows 10 1511.
    flags: Optional[int]
    # Number of handles, from Windows 10 1607 on.
    count: Optional[int]
    # The state of the duplication: in the structure itself, or where it points to in older kernels.
    duplicate_context: Optional[DuplicateContext]


class HandleDataMembers(_HandleDataMembers, total=False):
    """A handle that travels with a message."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['object_type', 'flags', 'count', 'duplicate_context']]


class _HandleRecord(TypedDict):
    # Its value.
    handle: int
    # Its `_HANDLE_TABLE_ENTRY`.
    entry: Address
    # The access rights that it grants.
    granted_access: int
    # Its attributes, by the debugger's names.
    attributes: List[str]
    # What it refers to.
    object: ObjectRecord


class HandleRecord(_HandleRecord, total=False):
    """A handle of a process."""

    # The process, when it refers to one: these have no name of their own.
    process: Optional[ProcessRef]


class _HandleTable(TypedDict):
    # Its `_ALPC_HANDLE_TABLE`.
    address: Address
    # Its array of entries.
    handles: Address
    # How many entries the array has.
    total_handles: Optional[int]
    # The entries that are in use.
    entries: List[ResourceHandle]
    # Set when entries may be missing.
    complete: Optional[Literal[True]]


class HandleTable(_HandleTable, total=False):
    """The resource handles of a connection."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['total_handles', 'complete']]


class _Handles(TypedDict):
    # The `_HANDLE_TABLE`.
    table: Address
    # Handles in use, of any type.
    in_use: Optional[int]
    # In order of their values.
    handles: List[HandleRecord]


class Handles(_Handles, total=False):
    """The handles of a process, or those of them that were asked for."""

    # The parts of the table that could not be read.
    gaps: List[Optional[Literal[True]]]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['in_use']]


class _HandlesRecord(TypedDict):
    processes: List[ProcessHandles]
    complete: Optional[Literal[True]]


class HandlesRecord(_HandlesRecord, total=False):
    """A part of a record."""

    searched_type: Optional[str]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _HandlesRest(TypedDict):
    # Set when the list of processes could not be followed to its end.
    complete: Optional[Literal[True]]
    # Processes whose table could not be read, or not as a whole.
    unread: List[HandlesUnread]


class HandlesRest(_HandlesRest, total=False):
    """What stands beside the handles."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _HandlesUnread(TypedDict):
    process: ProcessRef
    # Why the table cannot be read, or the parts of it that cannot.
    gaps: List[Optional[Literal[True]]]


class HandlesUnread(_HandlesUnread, total=False):
    """A process that may have more handles."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]


class _HangRecord(TypedDict):
    # One line that is the same for the same hang on two machines; see the documentation for its
    # rules. `unknown` when no wait was found, but not all could be looked at.
    signature: Signature
    # Beside a signature of a chain, in which function the thread at its end is:
    # `in/1:nt!expwaitforresource`.
    signature_in: Optional[str]
    # Beside a signature of a chain, which call the last of its messages is:
    # `for/1:lsarlookupsids3`.
    signature_for: Optional[str]
    # Why there may be more waits than were found; null when all could be looked at.
    doubt: Optional[Doubt]
    # The system's clock at the moment of the dump.
    clock: Optional[Clock]
    # Threads that were looked at.
    threads: int
    # Threads that wait for an ALPC reply.
    waiting_for_reply: int
    # Threads that wait for another thread or process, ALPC or not.
    stuck: int
    # The longest of their waits, in 100 ns.
    longest_wait: Optional[TimeSpan]
    # Rings of proven waits.
    deadlocks: List[Deadlock]
    # Rings that need a step which is not proven.
    possible_deadlocks: List[Deadlock]
    # Where chains end, the ones with most threads behind them first.
    blockers: List[Blocker]
    # Ports in trouble, the worst first.
    ports_in_trouble: List[PortTrouble]
    # Parts of the system that could not be looked at, so that waits may be missing.
    unread: List[Unread]


class HangRecord(_HangRecord, total=False):
    """The report, and with `-v` the graph that it was made from."""

    graph: Optional[GraphRecord]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['clock']]


class ImageContents(TypedDict):
    """A file with the memory of a machine that was not crashed."""

    # Its form: `ELF core of QEMU`.
    form: str
    # The file with the memory, where it is not the one that was named.
    memory: Optional[str]
    # How many processors it has the registers of.
    processors: int
    # What led to the page tables of the kernel.
    found_by: str


class Impersonation(TypedDict):
    """A client that a thread acts for."""

    # The client's `_TOKEN`.
    token: Address
    # How far: `Anonymous`, `Identification`, `Impersonation` or `Delegation`.
    level: str
    # Whether what the token may enable stays as it was.
    effective_only: bool


class _InfoRecord(TypedDict):
    file: str
    file_size: int
    header: Any
    # The releases of Windows that have this build.
    release: Optional[str]
    # The build in the kernel's own words: `9600.17415.amd64fre.winblue_r4.141028-1500`; null where
    # it cannot be read.
    build_lab: Optional[str]
    # The code at the instruction pointer of the header's context: `nt!KeBugCheckEx`,
    # `amdppm+0x334c`.
    context_code: Optional[str]
    pages: Coverage
    triage: Optional[TriageContents]
    secondary_data: Optional[SecondaryData]
    notes: List[Note]
    kernel: FoundOrKernelFound
    # Which kernel it is; null where nothing says so.
    identity: Optional[KernelIdentity]
    symbols: FoundOrSymbolsFound


class InfoRecord(_InfoRecord, total=False):
    """A part of a record."""

    # What is known of a file that is no crash dump.
    image: Optional[ImageContents]
    # What the file of a dump without secondary data holds behind its memory.
    behind_memory: Optional[Trailing]
    # The published kernels that it can be, by the addresses of its variables; not there when it is
    # known, or none is.
    candidates: List[KernelCandidate]


class InnerCall(TypedDict):
    """A call in the arguments of another."""

    # Its number.
    number: int
    # Its name.
    name: Optional[str]
    # Where it stands has one source, so it is inferred.
    certainty: Certainty


class IntegrityRecord(TypedDict):
    """An integrity level."""

    # The number behind `S-1-16-`.
    level: int
    # In words.
    word: str


class _InterfaceRecord(TypedDict):
    # Its id.
    uuid: Uuid
    # Its name.
    name: Optional[str]
    # How sure it is.
    certainty: Certainty
    # What says so.
    evidence: str


class InterfaceRecord(_InterfaceRecord, total=False):
    """An interface of RPC."""

    # Its version, where a bind says it.
    version: Optional[str]
    # The modules that serve it.
    modules: List[str]
    # The message that the client bound with.
    bind: Optional[Address]


class _IrpInFull(TypedDict):
    # Its `_IRP`.
    address: Address
    # The thread that it names.
    thread: Optional[Address]
    # `_IRP.Flags`.
    flags: Optional[int]
    # `_IRP.StackCount`: how many drivers it has room for.
    stack_count: Optional[int]
    # `_IRP.CurrentLocation`: the number of the driver that has it, the lowest driver is 1.
    # StackCount + 1 while it was not sent, and more once it is completed.
    current_location: Optional[int]
    # The file object that it was made for.
    file_object: Optional[Address]
    # The stack locations of the drivers that got it, the top one's first. None when no driver has
    # it.
    locations: Optional[List[StackLocation]]


class IrpInFull(_IrpInFull, total=False):
    """An I/O request with the drivers that it was sent through."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['thread', 'flags', 'stack_count', 'current_location', 'file_object', 'locations']]


class _IrpRecord(TypedDict):
    # Its `_IRP`.
    address: Address
    # `_IRP.Type`: 6.
    type: Optional[int]
    # Bytes.
    size: Optional[int]
    # `_IRP.Flags`.
    flags: Optional[int]
    # Its memory descriptor list.
    mdl: Optional[Address]


class IrpRecord(_IrpRecord, total=False):
    """An I/O request, as the debugger's thread view lists it."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['type', 'size', 'flags', 'mdl']]


class _Irps(TypedDict):
    # The requests, in list order.
    requests: List[IrpRecord]
    # Set when the list could not be followed to its end.
    complete: Optional[Literal[True]]


class Irps(_Irps, total=False):
    """I/O requests of a thread."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class KernelCandidate(TypedDict):
    """A published kernel that the dump can be of, which does not say of which it is."""

    # The symbol server's key of its PDB: name, GUID and age.
    pdb: str
    # The version of its image; null where no source says it.
    version: Optional[str]


class KernelFound(TypedDict):
    """A part of a record."""

    base: str
    size_of_image: int
    timestamp: int
    pdb: Optional[str]


class _KernelIdentity(TypedDict):
    # The symbol server's key of its PDB: name, GUID and age.
    pdb: str
    # The symbol server's key of its image: name, time stamp and size; null where neither the dump
    # nor the table of published kernels has these.
    image: Optional[str]
    # The version of its image; null of a kernel that is not in the table.
    version: Optional[str]
    # Where it was learned which kernel it is.
    learned: Learned


class KernelIdentity(_KernelIdentity, total=False):
    """Which kernel it is."""

    # What else in the dump names another kernel; not there when nothing does.
    contradiction: Optional[str]


class Kind(TypedDict):
    """A kind of finding: two things that must agree."""

    # A stable id.
    id: str
    # How much one says.
    severity: Severity
    # What must agree with what.
    compares: str
    # What it may mean when they do not, innocent causes first.
    meaning: str


class LabelRecord(TypedDict):
    """A mandatory label."""

    # The level that a caller needs.
    level: int
    # In words.
    integrity: str
    # What callers below it may not, in words.
    policy: str


class LayoutCheck(TypedDict):
    """What one check came to."""

    # What was checked.
    check: str
    # Times it passed.
    passed: int
    # Times it was contradicted.
    contradicted: int


class Links(TypedDict):
    """The two links of a list entry."""

    # `_LIST_ENTRY.Flink`.
    flink: Address
    # `_LIST_ENTRY.Blink`.
    blink: Address


class _ListOfOrphanRecord(TypedDict):
    ports: List[OrphanRecord]
    source: PortSource
    complete: Optional[Literal[True]]


class ListOfOrphanRecord(_ListOfOrphanRecord, total=False):
    """A list of ports, with where they came from."""

    # ALPC's allocations in a triage dump that nothing in it leads to, by pool tag.
    not_reached: List[NotReached]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _ListOfPortLine(TypedDict):
    ports: List[PortLine]
    source: PortSource
    complete: Optional[Literal[True]]


class ListOfPortLine(_ListOfPortLine, total=False):
    """A list of ports, with where they came from."""

    # ALPC's allocations in a triage dump that nothing in it leads to, by pool tag.
    not_reached: List[NotReached]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _ListRecord(TypedDict):
    # Whether there is one.
    state: ListState
    # Its revision; none where there is none.
    revision: Optional[int]
    # Its bytes.
    size: Optional[int]
    # Entries that it claims.
    count: Optional[int]
    # Its entries in their order, which decides.
    entries: List[AceRecord]


class ListRecord(_ListRecord, total=False):
    """An access list."""

    # Why there are no more, where it is damaged.
    damage: Optional[str]


class _Listing(TypedDict):
    # What is in it.
    objects: List[DirectoryMember]


class Listing(_Listing, total=False):
    """A directory's contents, as the debugger lists them."""

    # What could not be followed.
    gaps: List[Optional[Literal[True]]]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]


class _LockRow(TypedDict):
    # Its address.
    address: Address
    # What it is.
    lock: LockKind
    # Whether one thread owns it alone; none for locks that do not tell, and where that cannot be
    # read.
    exclusive: Optional[bool]
    # The threads that hold it.
    owners: Optional[List[LockThread]]
    # The threads that wait for it.
    waiters: List[LockThread]


class LockRow(_LockRow, total=False):
    """A lock that is held, or waited for."""

    # What a driver gave it to instead of a thread: pointers of its own.
    owner_pointers: List[Address]
    # Why owners are not told.
    unknown: Optional[str]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['owners']]


class _LockThread(TypedDict):
    # Its `_ETHREAD`.
    thread: Address
    # Its process's id.
    process_id: Optional[int]
    # Its id.
    thread_id: Optional[int]
    # Its process.
    process: Optional[ProcessRef]
    # How long its wait has lasted, in 100 ns; none when it does not wait.
    waited: Optional[TimeSpan]
    # How sure it is that it holds the lock, or waits for it.
    certainty: Certainty


class LockThread(_LockThread, total=False):
    """A thread that holds a lock or waits for it."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['process_id', 'thread_id', 'process', 'waited']]


class _Locks(TypedDict):
    # Those with waiters first, then by address.
    locks: List[LockRow]
    # How many executive resources the system has, held or not.
    resources: Optional[int]
    # Set when there may be more.
    complete: Optional[Literal[True]]


class Locks(_Locks, total=False):
    """The locks that are held or waited for."""

    # Threads that wait for a lock that cannot be told, each with why.
    undecided: List[UndecidedLock]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['resources', 'complete']]


class LongestQueue(TypedDict):
    """The port with most messages in its queues."""

    # The port.
    port: NamedPort
    # Messages in its queues, by their counters.
    queued: int


class LookedAt(TypedDict):
    """A part of a record."""

    path: str
    outcome: str


class _Member(TypedDict):
    # Its `_EPROCESS`.
    address: Address
    # Its image name: at most 14 characters, which is all that the kernel keeps.
    image: Optional[str]
    # Its id.
    process_id: Optional[int]


class Member(_Member, total=False):
    """A process with its id."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['image', 'process_id']]


class _MemberRecord(TypedDict):
    # Bytes from the start of the structure, also for members of anonymous ones.
    offset: int
    # Its name.
    name: str
    # Its type, in the debugger's words.
    type: str
    # Bytes; of a bit field, those of the unit that it is part of.
    size: Optional[int]
    # Number of its lowest bit and how many it has, when it is a bit field.
    bits: Optional[List[int]]


class MemberRecord(_MemberRecord, total=False):
    """A member of a structure."""

    # What it holds, when an address was given and its type has values.
    value: Optional[TypedValue]
    # The members of an anonymous structure.
    members: List[MemberRecord]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['value']]


class _MemoryPiece(TypedDict):
    # Where it begins in virtual memory.
    address: Address
    # The same in physical memory; a triage dump does not tell.
    physical: Optional[Address]
    # The same in the file; none when its page is not in the file.
    file: Optional[Address]
    # Bytes in this page.
    size: int
    # The bytes in memory order, in hex.
    bytes: Optional[str]


class MemoryPiece(_MemoryPiece, total=False):
    """A part of them that is in one page."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['bytes']]


class MemoryRecord(TypedDict):
    """Bytes of virtual memory."""

    # Where they begin.
    address: Address
    # How many were asked for.
    length: int
    # Their parts, without a gap between them: each is in one page, and there or not as a whole.
    pieces: List[MemoryPiece]


class MessageCallNotDecoded(TypedDict):
    """Its data is of no protocol that is known."""

    # Why.
    not_decoded: str


class MessageCallUndetermined(TypedDict):
    """It cannot be determined."""

    # Why.
    undetermined: str


class _MessageDetails(TypedDict):
    # Process id of the sender.
    client_process_id: Optional[int]
    # Thread id of the sender.
    client_thread_id: Optional[int]
    # `_PORT_MESSAGE.u2.s2.DataInfoOffset`.
    data_info_offset: Optional[int]
    # The whole state word.
    state: Optional[int]
    # The state bits that are set, by the kernel's names.
    state_bits: Optional[List[str]]
    # Kind of the port in whose queue it is, as the message has it: 1 to 3.
    queue_port_type: Optional[int]
    # The reserve that it belongs to.
    reserve: Optional[Address]
    # The process or quota block charged.
    quota: Optional[Address]
    # The sender's data, where it was not copied yet.
    data_user_va: Optional[Address]
    # The communication info of its connection.
    communication_info: Optional[Address]
    # The connection port, while it is a connection request.
    connection_port: Optional[Address]
    # Buffer for data that does not fit behind the message.
    extension_buffer: Optional[Address]
    # Bytes of that buffer.
    extension_buffer_size: Optional[int]
    # `_KALPC_MESSAGE_ATTRIBUTES.HandleData`.
    handle_data: Optional[Address]
    # `_KALPC_MESSAGE_ATTRIBUTES.DirectEvent`.
    direct_event: Optional[Address]
    # `_KALPC_MESSAGE_ATTRIBUTES.WorkOnBehalfData`, a ticket of 64 bits on every machine.
    work_on_behalf: Optional[Address]
    # The data itself.
    payload: Optional[Payload]
    # The call that the data is, or answers.
    call: MessageCall


class MessageDetails(_MessageDetails, total=False):
    """What is known of a message beside the debugger's rows."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['client_process_id', 'client_thread_id', 'data_info_offset', 'state', 'state_bits', 'queue_port_type', 'reserve', 'quota', 'data_user_va', 'communication_info', 'connection_port', 'extension_buffer', 'extension_buffer_size', 'handle_data', 'direct_event', 'work_on_behalf', 'payload']]


class _MessageNode(TypedDict):
    # Its `_KALPC_MESSAGE`.
    address: Address
    # `_PORT_MESSAGE.MessageId`.
    message_id: Optional[int]
    # Its type.
    type: Optional[MessageType]
    # The sender gave it up.
    canceled: Optional[bool]
    # The queue that it was found in; none when it is in none.
    queue: Optional[QueueKind]
    # The port that the message names as the one whose queue it is in.
    port: Optional[PortLabel]
    # The thread that received it; none while nobody has, and where the message does not name it.
    server_thread: Optional[Address]


class MessageNode(_MessageNode, total=False):
    """A message in the graph."""

    # The call that it is; none when its data is of no protocol that is known.
    call: Optional[Told]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['message_id', 'type', 'canceled', 'queue', 'port', 'server_thread']]


class _MessageRecord(TypedDict):
    # Its `_KALPC_MESSAGE`.
    address: Address
    # `_PORT_MESSAGE.MessageId`.
    message_id: Optional[int]
    # `_PORT_MESSAGE.CallbackId`.
    callback_id: Optional[int]
    # The number that its sequence port gave it.
    sequence_number: Optional[int]
    # The type, without the flag bits of its word.
    type: Optional[MessageType]
    # The whole type word, flag bits included.
    type_word: Optional[int]
    # Bytes of data.
    data_length: Optional[int]
    # Bytes of data and header.
    total_length: Optional[int]
    # The sender gave up waiting.
    canceled: Optional[bool]
    # Freed after the reply was received.
    release: Optional[bool]
    # The sender used the reply-then-wait form.
    reply_wait_reply: Optional[bool]
    # The sender expects a reply: bit 0x2000 of the type word.
    continuation: Optional[bool]
    # The port through which it was sent.
    owner_port: Optional[PortRef]
    # The thread that waits for the reply.
    waiting_thread: Optional[Address]
    # The queue that it says it is in.
    queue_type: Optional[QueueType]
    # The port in whose queue it is.
    queue_port: Optional[PortRef]
    # The process that owns that port.
    queue_port_owner_process: Optional[ProcessRef]
    # The thread that received it; meaningless before that.
    server_thread: Optional[Address]
    # Whether quota is charged for it. Inferred: no source says what the debugger looks at.
    quota_charged: Optional[bool]
    # The port that is told of its cancellation.
    cancel_queue_port: Optional[Address]
    # The port that numbered its cancellation.
    cancel_sequence_port: Optional[Address]
    # The number of its cancellation.
    cancel_sequence_number: Optional[int]
    # `_KALPC_MESSAGE_ATTRIBUTES.ClientContext`.
    client_context: Optional[Address]
    # `_KALPC_MESSAGE_ATTRIBUTES.ServerContext`.
    server_context: Optional[Address]
    # `_KALPC_MESSAGE_ATTRIBUTES.PortContext`.
    port_context: Optional[Address]
    # `_KALPC_MESSAGE_ATTRIBUTES.CancelPortContext`.
    cancel_port_context: Optional[Address]
    # `_KALPC_MESSAGE_ATTRIBUTES.SecurityData`.
    security_data: Optional[Address]
    # `_KALPC_MESSAGE_ATTRIBUTES.View`.
    view: Optional[Address]


class MessageRecord(_MessageRecord, total=False):
    """A message: what the debugger's message view shows, and what is known beside it."""

    # Set when the blob header before it says that it is not in use any more.
    freed: Optional[Freed]
    # What the debugger's view does not show, when asked for.
    details: Optional[MessageDetails]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['message_id', 'callback_id', 'sequence_number', 'type', 'type_word', 'data_length', 'total_length', 'canceled', 'release', 'reply_wait_reply', 'continuation', 'owner_port', 'waiting_thread', 'queue_type', 'queue_port', 'queue_port_owner_process', 'server_thread', 'quota_charged', 'cancel_queue_port', 'cancel_sequence_port', 'cancel_sequence_number', 'client_context', 'server_context', 'port_context', 'cancel_port_context', 'security_data', 'view']]


class _ModuleRecord(TypedDict):
    # Its `_KLDR_DATA_TABLE_ENTRY`; missing where a triage dump lists the module without it.
    entry: Optional[Address]
    # Where its image begins.
    base: Optional[Address]
    # Where it ends: the first address behind it.
    end: Optional[Address]
    # Name of its file.
    name: Optional[str]
    # Full path of its file.
    path: Optional[str]


class ModuleRecord(_ModuleRecord, total=False):
    """A loaded kernel module."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['entry', 'base', 'end', 'name', 'path']]


class _Modules(TypedDict):
    # In load order: the kernel itself comes first.
    modules: List[ModuleRecord]
    # Set when some may be missing.
    complete: Optional[Literal[True]]


class Modules(_Modules, total=False):
    """The loaded kernel modules."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _NamedPort(TypedDict):
    # Its `_ALPC_PORT`.
    address: Address
    # The last part of its path; none for a port without a name.
    name: Optional[str]


class NamedPort(_NamedPort, total=False):
    """A port with the name that it was given, if any."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['name']]


class NamedType(TypedDict):
    """A type that a pattern names."""

    # Its name.
    name: str
    # Its bytes; null for an enumeration.
    size: Optional[int]


class NearName(TypedDict):
    """A name in the dump that is near one that nothing has."""

    # The name as the dump has it: escape it before it reaches a terminal.
    name: str
    # Things that have it.
    count: int
    # Where the one thing is that has it; null for several, and for what is not in memory.
    address: Optional[Address]
    # The id of that one thing when it is a process.
    process_id: Optional[int]


class _Nested(TypedDict):
    # The resources, in list order.
    resources: List[ResourceRecord]
    # Set when the list could not be followed to its end.
    complete: Optional[Literal[True]]


class Nested(_Nested, total=False):
    """The resources in a list of another one."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _NodeThread(TypedDict):
    kind: Literal['thread']
    # Its `_ETHREAD`.
    address: Address
    # Its process's id.
    process_id: Optional[int]
    # Its id.
    thread_id: Optional[int]
    # Its process.
    process: Optional[ProcessRef]
    # What it is doing.
    state: Optional[ThreadState]
    # The processor that it runs on or was last meant for.
    processor: Optional[int]
    # Why it waits; the last reason, when it does not.
    wait_reason: Optional[WaitReason]
    # How often it was suspended and not resumed.
    suspend_count: Optional[int]
    # How long its wait has lasted, in 100 ns; none when it does not wait.
    waited: Optional[TimeSpan]
    # The objects that it waits for.
    wait_objects: Optional[List[WaitObject]]


class NodeThread(_NodeThread, total=False):
    """A thread."""

    # The service that it works for; none when its thread environment block is not in the dump or
    # names none.
    service: Optional[Service]
    # Why the lock that it waits for, or that lock's owner, is not told; none when it waits for no
    # lock, or it is.
    lock_unknown: Optional[str]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['process_id', 'thread_id', 'process', 'state', 'processor', 'wait_reason', 'suspend_count', 'waited', 'wait_objects']]


class _NodeMessage(TypedDict):
    kind: Literal['message']
    # Its `_KALPC_MESSAGE`.
    address: Address
    # `_PORT_MESSAGE.MessageId`.
    message_id: Optional[int]
    # Its type.
    type: Optional[MessageType]
    # The sender gave it up.
    canceled: Optional[bool]
    # The queue that it was found in; none when it is in none.
    queue: Optional[QueueKind]
    # The port that the message names as the one whose queue it is in.
    port: Optional[PortLabel]
    # The thread that received it; none while nobody has, and where the message does not name it.
    server_thread: Optional[Address]


class NodeMessage(_NodeMessage, total=False):
    """A message whose reply is waited for."""

    # The call that it is; none when its data is of no protocol that is known.
    call: Optional[Told]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['message_id', 'type', 'canceled', 'queue', 'port', 'server_thread']]


class _NodePort(TypedDict):
    kind: Literal['port']
    # Its `_ALPC_PORT`.
    address: Address
    # What it is in its connection.
    type: Optional[PortKind]
    # The name of the connection port of its connection; none when that has none.
    name: Optional[str]
    # The process that owns it, or owned it before it closed it.
    owner: Optional[ProcessRef]
    # That process's id.
    owner_process_id: Optional[int]
    # Whether the owner closed it.
    owner_closed: Optional[bool]
    # When the owner ended, in 100 ns since 1601; none while it runs, and without an owner.
    owner_exit_time: Optional[FileTime]
    # Messages in its queues that were not received yet.
    unreceived: Optional[int]
    # The threads that serve it.
    servers: Optional[ServerCounts]


class NodePort(_NodePort, total=False):
    """A port in whose queue a message stands."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['type', 'name', 'owner', 'owner_process_id', 'owner_closed', 'owner_exit_time', 'unreceived', 'servers']]


class NodeCompletionPort(TypedDict):
    """The threads that serve one or several ports together."""

    kind: Literal['completion-port']
    # Its address.
    address: Address


class _NodeMutant(TypedDict):
    kind: Literal['mutant']
    # Its address.
    address: Address
    # The thread that owns it; none when it is free.
    owner: Optional[Address]


class NodeMutant(_NodeMutant, total=False):
    """A mutant, which a thread owns."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['owner']]


class _NodeLock(TypedDict):
    kind: Literal['lock']
    # Its address.
    address: Address
    # What it is.
    lock: LockKind
    # Whether one thread owns it alone; none for locks that do not tell.
    exclusive: Optional[bool]
    # What it, or a thread's note, names as its owners. Each of several must release it.
    owners: Optional[List[Address]]


class NodeLock(_NodeLock, total=False):
    """A lock of the executive."""

    # Why owners are not told.
    unknown: Optional[str]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['owners']]


class _NodeProcess(TypedDict):
    kind: Literal['process']
    # Its `_EPROCESS`.
    address: Address
    # Its id.
    process_id: Optional[int]
    # Its image name.
    image: Optional[str]
    # When it ended, in 100 ns since 1601; none while it runs.
    exit_time: Optional[FileTime]


class NodeProcess(_NodeProcess, total=False):
    """A process."""

    # Whether it stands for a thread of its own that received a message, and that nothing names.
    is_receiver: bool
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['process_id', 'image', 'exit_time']]


class _NodeIrp(TypedDict):
    kind: Literal['irp']
    # Its `_IRP`.
    address: Address
    # The thread that it names.
    thread: Optional[Address]
    # What the driver that has it is asked to do; none when no driver has it: it was not sent yet,
    # or it is completed.
    major_function: Optional[MajorFunction]
    # What it was sent to: a `_DEVICE_OBJECT` of that driver.
    device: Optional[Address]
    # That driver.
    driver: Optional[DriverNode]


class NodeIrp(_NodeIrp, total=False):
    """An I/O request."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['thread', 'major_function', 'device', 'driver']]


class _NodeDriver(TypedDict):
    kind: Literal['driver']
    # Its `_DRIVER_OBJECT`.
    address: Address
    # Its name, as `\FileSystem\Npfs`.
    name: Optional[str]


class NodeDriver(_NodeDriver, total=False):
    """A driver that has I/O requests."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['name']]


class NodeRecord(TypedDict):
    """A node with what it waits for."""

    # Its number.
    id: NodeId
    # What it is.
    node: Node
    # What it waits for.
    edges: List[Edge]


class NotReached(TypedDict):
    """Blocks with one tag that are in the dump and that nothing led to."""

    # The tag.
    tag: PoolTag
    # What such a block holds.
    what: str
    # How many there are.
    count: int
    # What the first ones hold, as the views of ports, messages and resources take it; where that
    # cannot be determined, what follows the pool header.
    addresses: List[Address]


class Note(TypedDict):
    """A finding that does not keep the dump from being read."""

    # The stable name of the finding, for machines: kebab-case, never changed once released.
    id: str
    # The finding in words, with its numbers.
    text: str


class _ObjectInFull(TypedDict):
    # The object itself.
    address: Address
    # The `_OBJECT_HEADER` before it.
    header: Optional[Address]
    # Which of the two forms of headers that is, in the debugger's words: the `old` one points at
    # the type, the `new` one has its index (Windows 7 on).
    header_version: str
    # Its type.
    type: Optional[TypeRef]
    # References, as the header counts them: from Windows 8 on each handle holds thousands in
    # advance.
    pointer_count: Optional[int]
    # Open handles.
    handle_count: Optional[int]
    # The directory that its name is in.
    directory: Optional[Address]
    # Its name: the last part of its path.
    name: Optional[str]
    # Its full path.
    path: Optional[str]
    # `_OBJECT_HEADER.Flags`.
    flags: Optional[int]
    # Its security descriptor, without the reference count that the pointer carries in its low bits.
    security_descriptor: Optional[Address]


class ObjectInFull(_ObjectInFull, total=False):
    """An object, by the headers before it."""

    # What is in it, when it is a directory.
    contents: Optional[Listing]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['header', 'type', 'pointer_count', 'handle_count', 'directory', 'name', 'path', 'flags', 'security_descriptor']]


class _ObjectRecord(TypedDict):
    # The object itself.
    address: Address
    # The `_OBJECT_HEADER` before it.
    header: Optional[Address]
    # Which of the two forms of headers that is, in the debugger's words: the `old` one points at
    # the type, the `new` one has its index (Windows 7 on).
    header_version: str
    # Its type.
    type: Optional[TypeRef]
    # References, as the header counts them: from Windows 8 on each handle holds thousands in
    # advance.
    pointer_count: Optional[int]
    # Open handles.
    handle_count: Optional[int]
    # The directory that its name is in.
    directory: Optional[Address]
    # Its name: the last part of its path.
    name: Optional[str]
    # Its full path.
    path: Optional[str]
    # `_OBJECT_HEADER.Flags`.
    flags: Optional[int]
    # Its security descriptor, without the reference count that the pointer carries in its low bits.
    security_descriptor: Optional[Address]


class ObjectRecord(_ObjectRecord, total=False):
    """An object, by the headers before it."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['header', 'type', 'pointer_count', 'handle_count', 'directory', 'name', 'path', 'flags', 'security_descriptor']]


class _OrphanRecord(TypedDict):
    # Its `_ALPC_PORT`.
    address: Address
    # What it is in its connection; none while it is in none.
    type: Optional[PortKind]
    # Handles open to it: zero, or unreadable.
    handle_count: Optional[int]
    # References to it.
    pointer_count: Optional[int]
    # Lengths of its main, pending, large and canceled queue, by their counters.
    lengths: List[Optional[int]]
    # Its connections, when it is a connection port.
    connections: Optional[int]
    # The process that owns it.
    owner_process: Optional[ProcessRef]


class OrphanRecord(_OrphanRecord, total=False):
    """A port that no handle leads to."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['type', 'handle_count', 'pointer_count', 'connections', 'owner_process']]


class PackRecord(TypedDict):
    """A part of a record."""

    file: str
    bytes: int
    identity: Optional[str]
    source: str
    # Types that the symbols lack and that others of the same image tell: they are in the pack.
    types_from: List[TypesFrom]
    # Types that the symbols lack and that nothing tells: the pack does not tell of them either.
    types_untold: List[str]


class _Payload(TypedDict):
    # Where it begins.
    address: Address
    # The bytes from the first one on, in hex, up to the first that could not be read.
    bytes: str
    # Set when some of the data could not be read.
    complete: Optional[Literal[True]]
    # Where the data goes on that has no room behind the message; none when all of it has.
    extension: Optional[PayloadExtension]


class Payload(_Payload, total=False):
    """A message's data, as far as the dump holds it."""

    # Where the data is in the memory of the sender, when it was not copied into the message. The
    # bytes here are then what the message's own memory holds, perhaps of a message before it.
    sender_address: Optional[Address]
    # What could not be read.
    gaps: List[PayloadGap]
    # What could be read behind the first gap.
    rest: List[PayloadPiece]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _PayloadExtension(TypedDict):
    # How many bytes of the data are before it.
    offset: int
    # The buffer.
    address: Optional[Address]


class PayloadExtension(_PayloadExtension, total=False):
    """The part of a message's data that is in its extension buffer."""

    # Set when that is inferred: how much room there is behind a message of a 32-bit system follows
    # from the limit of its port messages, and was seen in no kernel.
    inferred: bool
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['address']]


class PayloadGap(TypedDict):
    """Bytes of a message's data that could not be read."""

    # How many bytes of the data are before them.
    offset: int
    # How many they are.
    length: int
    # Why.
    reason: Reason


class PayloadPiece(TypedDict):
    """Bytes of a message's data behind a gap."""

    # How many bytes of the data are before them.
    offset: int
    # The bytes, in hex.
    bytes: str


class PieceRecord(TypedDict):
    """The part of a value that is in one page."""

    # Where it begins in virtual memory.
    address: Address
    # The same in physical memory; a triage dump does not tell.
    physical: Optional[Address]
    # The same in the file; none when its page is not in the file.
    file: Optional[Address]
    # Bytes in this page.
    size: int


class _PortCounts(TypedDict):
    # All of them.
    total: int
    # Named ports that servers listen on.
    connection: int
    # Clients' ends.
    client_communication: int
    # Servers' ends.
    server_communication: int
    # Those of no kind: between their creation and their connection.
    none: int
    # Those whose kind cannot be determined.
    unknown: int
    # Those with a name.
    named: int
    # Those without a name.
    unnamed: int
    # Those whose name cannot be read.
    name_unknown: int
    # Those that no handle leads to.
    without_handles: int
    # Those of which it cannot be read whether handles lead to them.
    handles_unknown: int
    # Processes that own ports.
    owners: int
    # Ports whose owner cannot be read.
    owner_unknown: int
    # Set when something that is counted here could not be read of some port: the first reason met.
    complete: Optional[Literal[True]]


class PortCounts(_PortCounts, total=False):
    """How many ports there are."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _PortDetails(TypedDict):
    # Full path in the object namespace.
    path: Optional[str]
    # Handles open to it.
    handle_count: Optional[int]
    # References to it.
    pointer_count: Optional[int]
    # The whole state word.
    state: Optional[int]
    # The state bits that are set, by the kernel's names.
    state_bits: Optional[List[str]]
    # What it passes to its completion port.
    completion_key: Optional[Address]
    # The completion list that it shares with its owner, when it has one.
    completion_list: Optional[CompletionListRecord]
    # What its owner attached to it.
    port_context: Optional[Address]
    # Where its messages are queued.
    target_queue_port: Optional[Address]
    # What numbers its messages.
    target_sequence_port: Optional[Address]
    # Flags that it was created with.
    attribute_flags: Optional[int]
    # Those flags that have names.
    attribute_names: Optional[List[str]]
    # Longest message, in bytes.
    max_message_length: Optional[int]
    # Most pool that its messages may take, in bytes.
    max_pool_usage: Optional[int]
    # Largest section, in bytes.
    max_section_size: Optional[int]
    # Largest view, in bytes.
    max_view_size: Optional[int]
    # Most of all its sections, in bytes.
    max_total_section_size: Optional[int]
    # Length of the wait queue, by its counter.
    wait_queue_length: Optional[int]
    # The semaphore or event that waiters on the port use.
    semaphore: Optional[Address]
    # What the owner's threads impersonate its peer with, where security is static.
    static_security: SecurityContextMembers
    # The resources that it owns.
    resources: Resources


class PortDetails(_PortDetails, total=False):
    """What is known of a port beside the debugger's rows."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['path', 'handle_count', 'pointer_count', 'state', 'state_bits', 'completion_key', 'completion_list', 'port_context', 'target_queue_port', 'target_sequence_port', 'attribute_flags', 'attribute_names', 'max_message_length', 'max_pool_usage', 'max_section_size', 'max_view_size', 'max_total_section_size', 'wait_queue_length', 'semaphore']]


class _PortLabel(TypedDict):
    # Its `_ALPC_PORT`.
    address: Address
    # The name of the connection port of its connection; none when that has none.
    name: Optional[str]
    # The process that owns it, or owned it before it closed it.
    owner: Optional[ProcessRef]


class PortLabel(_PortLabel, total=False):
    """A port in short."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['name', 'owner']]


class _PortLine(TypedDict):
    # Its `_ALPC_PORT`.
    address: Address
    # What it is in its connection; none while it is in none.
    type: Optional[PortKind]
    # Messages in its main, large, pending and canceled queues, by their counters.
    queued: Optional[int]
    # The process that owns it.
    owner_process: Optional[ProcessRef]
    # Full path in the object namespace.
    path: Optional[str]


class PortLine(_PortLine, total=False):
    """A port in a list of ports."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['type', 'queued', 'owner_process', 'path']]


class _PortNode(TypedDict):
    # Its `_ALPC_PORT`.
    address: Address
    # What it is in its connection.
    type: Optional[PortKind]
    # The name of the connection port of its connection; none when that has none.
    name: Optional[str]
    # The process that owns it, or owned it before it closed it.
    owner: Optional[ProcessRef]
    # That process's id.
    owner_process_id: Optional[int]
    # Whether the owner closed it.
    owner_closed: Optional[bool]
    # When the owner ended, in 100 ns since 1601; none while it runs, and without an owner.
    owner_exit_time: Optional[FileTime]
    # Messages in its queues that were not received yet.
    unreceived: Optional[int]
    # The threads that serve it.
    servers: Optional[ServerCounts]


class PortNode(_PortNode, total=False):
    """A port in the graph."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['type', 'name', 'owner', 'owner_process_id', 'owner_closed', 'owner_exit_time', 'unreceived', 'servers']]


class _PortRecord(TypedDict):
    # Its `_ALPC_PORT`.
    address: Address
    # What it is in its connection.
    type: Optional[PortKind]
    # The communication info that it shares with its peers.
    communication_info: Optional[Address]
    # The named port of the connection.
    connection_port: Optional[NamedPort]
    # The client's end; null for a connection port.
    client_communication_port: Optional[Address]
    # The server's end; null for a connection port and while a connection is pending.
    server_communication_port: Optional[Address]
    # The process that owns it, or owned it before it closed it.
    owner_process: Optional[ProcessRef]
    # Whether the owner closed it: bit 0 of `_ALPC_PORT.OwnerProcess`.
    owner_closed: Optional[bool]
    # The number of the last message that it numbered.
    sequence_no: Optional[int]
    # The completion port that its server threads wait at.
    completion_port: Optional[Address]
    # The completion list that it shares with its owner.
    completion_list: Optional[Address]
    # A connection request is not answered yet.
    connection_pending: Optional[bool]
    # The server refused the connection.
    connection_refused: Optional[bool]
    # The peer is gone.
    disconnected: Optional[bool]
    # It is closed.
    closed: Optional[bool]
    # Messages are flushed when it closes: the inverse of `NoFlushOnClose`.
    flush_on_close: Optional[bool]
    # Extended information is returned.
    return_extended_info: Optional[bool]
    # Threads can wait for it as for an event.
    waitable: Optional[bool]
    # When security is captured.
    security: Optional[Security]
    # Its completion list is that of a 32-bit process.
    wow64_completion_list: Optional[bool]
    # The threads that serve it.
    servers: Optional[Servers]
    # Its queues in the order of the view: main, direct where the kernel has it, large, pending,
    # canceled.
    queues: List[QueueRecord]


class PortRecord(_PortRecord, total=False):
    """A port: what the debugger's port view shows, and what is known beside it."""

    # What the debugger's view does not show, when asked for.
    details: Optional[PortDetails]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['type', 'communication_info', 'connection_port', 'client_communication_port', 'server_communication_port', 'owner_process', 'owner_closed', 'sequence_no', 'completion_port', 'completion_list', 'connection_pending', 'connection_refused', 'disconnected', 'closed', 'flush_on_close', 'return_extended_info', 'waitable', 'security', 'wow64_completion_list', 'servers']]


class _PortRef(TypedDict):
    # Its `_ALPC_PORT`.
    address: Address
    # Its kind; none when there is no port at the address any more.
    kind: Optional[PortKind]


class PortRef(_PortRef, total=False):
    """A port as other objects refer to it."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['kind']]


class _PortSide(TypedDict):
    # Its kind.
    type: Optional[PortKind]
    # The connection port whose descriptor is shown in the place of its own, which it has none of.
    connection_port: Optional[NamedPort]
    # `PortAttributes.Flags`.
    flags: Optional[int]
    # Whether that lets the other side impersonate.
    allows_impersonation: Optional[bool]
    # The process that owns the port whose descriptor it is.
    owner_process: Optional[ProcessRef]
    # Who that process is.
    owner: Optional[TokenRef]
    # Whether it is protected, and how.
    protection: Optional[str]
    # What callers of some sorts would get.
    callers: List[AccessRecord]


class PortSide(_PortSide, total=False):
    """What a port has beside its descriptor that bears on who may do what by it."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['type', 'flags', 'allows_impersonation', 'owner_process', 'owner', 'protection']]


class PortTrouble(TypedDict):
    """A port in trouble."""

    # What is wrong.
    trouble: Trouble
    # How many messages, requests or notices.
    count: int
    # The port.
    port: PortNode


class PrivilegeRecord(TypedDict):
    """A privilege of a token."""

    # Its number.
    number: int
    # Its name; none for a number that no privilege has.
    name: Optional[str]
    # Whether the token has it.
    present: bool
    # Whether it counts.
    enabled: bool
    # Whether it did at first.
    by_default: bool


class PrivilegesRecord(TypedDict):
    """The privileges of a token."""

    # `_SEP_TOKEN_PRIVILEGES.Present`: a bit for each, by its number.
    present: int
    # Those that count.
    enabled: int
    # Those that counted at first.
    enabled_by_default: int
    # Those that are present or enabled, one by one.
    all: List[PrivilegeRecord]


class Problem(TypedDict):
    """Something wrong."""

    # A stable id, for scripts.
    id: str
    # It in words, which may change.
    text: str


class _ProcedureName(TypedDict):
    # Its name.
    name: str
    # Whether that is its name in this version of Windows: documented, or the same in versions
    # around it.
    sure: bool


class ProcedureName(_ProcedureName, total=False):
    """What a procedure is called."""

    # Where the name is from.
    source: str


class _ProcessHandles(TypedDict):
    process: ProcessRecord
    # None for a process that has ended: it has no table.
    handles: Optional[Handles]


class ProcessHandles(_ProcessHandles, total=False):
    """A part of a record."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['handles']]


class _ProcessInFull(TypedDict):
    # Its `_EPROCESS`.
    address: Address
    # Its id.
    process_id: Optional[int]
    # Id of the process that made it; that one may be gone and its id used again.
    parent_process_id: Optional[int]
    # Its image name, cut to 14 characters.
    image: Optional[str]
    # Full path of its image file; none for processes without a file of their own.
    image_path: Optional[str]
    # When it began, in 100 ns since 1601; none for the Idle process, which was never made.
    create_time: Optional[FileTime]
    # When it ended, in 100 ns since 1601; none for one that runs.
    exit_time: Optional[FileTime]
    # Its session; none for processes that belong to none.
    session: Optional[int]
    # Its process environment block, in its own memory.
    peb: Optional[Address]
    # Its top page table with the address space id in the low bits, as the processor takes it.
    directory_table_base: Optional[int]
    # Its handle table; none once it has ended.
    object_table: Optional[Address]
    # Handles in use, counted in the table; 0 without one.
    handle_count: Optional[int]
    # Threads, counted in its list of them.
    thread_count: Optional[int]
    # Threads that have not ended, as the process counts them itself.
    active_threads: Optional[int]
    # Whether it is a 32-bit process of a 64-bit system.
    wow64: Optional[bool]
    threads: List[ThreadRecord]
    threads_complete: Optional[Literal[True]]


class ProcessInFull(_ProcessInFull, total=False):
    """One process in full."""

    # Whether it is the Idle process, which owns the threads that processors run when they have
    # nothing else to do.
    idle: bool
    # What led to it, where the system's list of processes does not have it.
    found_by: Optional[FoundBy]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['process_id', 'parent_process_id', 'image', 'image_path', 'create_time', 'exit_time', 'session', 'peb', 'directory_table_base', 'object_table', 'handle_count', 'thread_count', 'active_threads', 'wow64', 'threads_complete']]


class _ProcessPortsRecord(TypedDict):
    # The process.
    process: ProcessRef
    # Connection ports that it created.
    created: List[ConnectionsRecord]
    # Ports that it is connected to.
    connected: List[ConnectedRecord]
    # Ports that may be its own: their owner or their kind cannot be read.
    undecided: List[UndecidedPort]
    # Where the ports were found.
    source: PortSource
    # Set when not all ports could be found.
    complete: Optional[Literal[True]]


class ProcessPortsRecord(_ProcessPortsRecord, total=False):
    """The ports that a process created, and those that it is connected to."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _ProcessRecord(TypedDict):
    # Its `_EPROCESS`.
    address: Address
    # Its id.
    process_id: Optional[int]
    # Id of the process that made it; that one may be gone and its id used again.
    parent_process_id: Optional[int]
    # Its image name, cut to 14 characters.
    image: Optional[str]
    # Full path of its image file; none for processes without a file of their own.
    image_path: Optional[str]
    # When it began, in 100 ns since 1601; none for the Idle process, which was never made.
    create_time: Optional[FileTime]
    # When it ended, in 100 ns since 1601; none for one that runs.
    exit_time: Optional[FileTime]
    # Its session; none for processes that belong to none.
    session: Optional[int]
    # Its process environment block, in its own memory.
    peb: Optional[Address]
    # Its top page table with the address space id in the low bits, as the processor takes it.
    directory_table_base: Optional[int]
    # Its handle table; none once it has ended.
    object_table: Optional[Address]
    # Handles in use, counted in the table; 0 without one.
    handle_count: Optional[int]
    # Threads, counted in its list of them.
    thread_count: Optional[int]
    # Threads that have not ended, as the process counts them itself.
    active_threads: Optional[int]
    # Whether it is a 32-bit process of a 64-bit system.
    wow64: Optional[bool]


class ProcessRecord(_ProcessRecord, total=False):
    """A process in full."""

    # Whether it is the Idle process, which owns the threads that processors run when they have
    # nothing else to do.
    idle: bool
    # What led to it, where the system's list of processes does not have it.
    found_by: Optional[FoundBy]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['process_id', 'parent_process_id', 'image', 'image_path', 'create_time', 'exit_time', 'session', 'peb', 'directory_table_base', 'object_table', 'handle_count', 'thread_count', 'active_threads', 'wow64']]


class _ProcessRef(TypedDict):
    # Its `_EPROCESS`.
    address: Address
    # Its image name: at most 14 characters, which is all that the kernel keeps.
    image: Optional[str]


class ProcessRef(_ProcessRef, total=False):
    """A process as other objects refer to it."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['image']]


class _ProcessThreads(TypedDict):
    # Its `_EPROCESS`.
    address: Address
    # Its image name: at most 14 characters, which is all that the kernel keeps.
    image: Optional[str]
    # Its id.
    process_id: Optional[int]
    # Its threads, in the order of `_EPROCESS.ThreadListHead`; at the end those that this list
    # lacks.
    threads: List[ThreadRecord]
    # Set when the list of threads could not be followed to its end.
    complete: Optional[Literal[True]]


class ProcessThreads(_ProcessThreads, total=False):
    """A process with its threads."""

    # What led to it, where the system's list of processes does not have it.
    found_by: Optional[FoundBy]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['image', 'process_id', 'complete']]


class _Processes(TypedDict):
    # In the order of `PsActiveProcessHead`; at the end those that this list lacks.
    processes: List[ProcessRecord]
    # Set when some may be missing.
    complete: Optional[Literal[True]]


class Processes(_Processes, total=False):
    """The processes of the system."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _QueueCount(TypedDict):
    # The kind of queue.
    queue: QueueKind
    # Messages found in such queues.
    messages: int
    # Messages in such queues by the ports' own counters.
    counted: int
    # Queues that could not be followed to their end.
    cut: int
    # Set when a queue of that kind, or its counter, could not be read: the first reason met. The
    # longest queue may be another one then.
    complete: Optional[Literal[True]]


class QueueCount(_QueueCount, total=False):
    """How many messages are in the queues of one kind."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _QueueRecord(TypedDict):
    # Which one.
    queue: QueueKind
    # Its length, by the port's counter.
    length: Optional[int]
    # Its messages, in list order.
    messages: List[QueuedMessage]
    # Set when the list could not be followed to its end.
    complete: Optional[Literal[True]]


class QueueRecord(_QueueRecord, total=False):
    """A queue with its messages."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['length', 'complete']]


class _QueuedMessage(TypedDict):
    # Its `_KALPC_MESSAGE`.
    address: Address
    # `_PORT_MESSAGE.MessageId`.
    message_id: Optional[int]
    # Process id of the sender.
    client_process_id: Optional[int]
    # Thread id of the sender.
    client_thread_id: Optional[int]
    # The thread that received it.
    server_thread: Optional[Address]
    # The thread that waits for the reply.
    waiting_thread: Optional[Address]
    # Its type.
    type: Optional[MessageType]


class QueuedMessage(_QueuedMessage, total=False):
    """A message in a queue, in one line."""

    # The call that it is, when asked for; none as well when it is of no protocol that is known.
    call: Optional[Told]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['message_id', 'client_process_id', 'client_thread_id', 'server_thread', 'waiting_thread', 'type']]


class _Reason(TypedDict):
    # A stable id.
    id: str
    # The reason in words; these may change.
    text: str


class Reason(_Reason, total=False):
    """Why a value is not known."""

    # The id of what could not be read, where that ended a walk.
    cause: str


class _RegionMembers(TypedDict):
    region_list_entry: Optional[Links]
    section: Optional[Address]
    # Bytes from the start of the section.
    offset: Optional[int]
    # Bytes.
    size: Optional[int]
    # Bytes of a view of it.
    view_size: Optional[int]
    secure: Optional[bool]
    number_of_views: Optional[int]
    read_only_view: Optional[Address]
    read_write_view: Optional[Address]
    # The views of `ViewListHead`.
    views: Optional[Nested]


class RegionMembers(_RegionMembers, total=False):
    """A part of a section."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['region_list_entry', 'section', 'offset', 'size', 'view_size', 'secure', 'number_of_views', 'read_only_view', 'read_write_view', 'views']]


class ReportRecord(TypedDict):
    """What the other commands say."""

    # Their answers, in order.
    sections: List[ReportSection]


class _ReportSection(TypedDict):
    # What it is about.
    title: str
    # The command behind the dump.
    command: str
    # Its result; null when there is none.
    result: Any


class ReportSection(_ReportSection, total=False):
    """The answer of one command."""

    # Why there is none.
    error: Optional[str]


class _ReserveMembers(TypedDict):
    owner_port: Optional[PortRef]
    handle_table: Optional[Address]
    handle: Optional[int]
    message: Optional[Address]
    # Bytes of the message.
    size: Optional[int]
    active: Optional[bool]


class ReserveMembers(_ReserveMembers, total=False):
    """A message kept ready so that sending cannot fail."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['owner_port', 'handle_table', 'handle', 'message', 'size', 'active']]


class _ResourceHandle(TypedDict):
    # The handle.
    handle: int
    # The resource that it stands for.
    object: Address
    # What that is.
    type: Optional[BlobKind]


class ResourceHandle(_ResourceHandle, total=False):
    """A resource handle."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['type']]


class _ResourceRecord(TypedDict):
    # Its structure, behind the blob header.
    address: Address
    # What it is.
    type: Optional[BlobKind]
    # References to it. One that caches references starts at 0x10000.
    reference_count: Optional[int]
    # References that are kept ready instead of being given back.
    cached_references: Optional[int]
    # The flags of its header, by the kernel's names.
    blob_flags: Optional[List[str]]
    # The members of its structure; none for a kind that has no structure.
    members: Optional[Members]


class ResourceRecord(_ResourceRecord, total=False):
    """A resource."""

    # Set when its header says that it is not in use any more.
    freed: Optional[Freed]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['type', 'reference_count', 'cached_references', 'blob_flags', 'members']]


class _Resources(TypedDict):
    # The port whose resources these are; none when one resource was asked for.
    port: Optional[PortRef]
    # The resources, in the order of the port's list.
    resources: List[ResourceRecord]
    # Set when the list could not be followed to its end.
    complete: Optional[Literal[True]]


class Resources(_Resources, total=False):
    """What was asked for: one resource, or all that a port owns."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class RootBlocker(TypedDict):
    """Where the chains of most threads end. What of it cannot be read is `None`; the report that the
    summary is of says why.
    """

    # What it is: `thread`, `port`, `message`, `completion-port`, `mutant`, `lock`, `irp` or
    # `process`.
    kind: str
    # Its address.
    address: Address
    # The image name of the process that it is or belongs to.
    image: Optional[str]
    # That process's id.
    process_id: Optional[int]
    # The thread's id, of a thread.
    thread_id: Optional[int]
    # The port's name, of a port that has one, and of the port that a message names.
    port: Optional[str]
    # The driver that has an I/O request.
    driver: Optional[str]
    # Why the chains end here.
    end: RootKind
    # Threads that wait for it, directly or not.
    threads_behind: int
    # Their processes.
    processes_behind: int
    # The longest of their waits.
    longest_wait: Optional[TimeSpan]
    # The function that its thread is in, apart from the wait itself: `nt!ExpWaitForResource`,
    # without an offset, so that it is the same on another machine. None where its stack does not
    # tell.
    function: Optional[str]
    # The call that its thread serves, or that nobody has received: a procedure by its name, or as
    # `lsarpc/76`. None where no message leads to it, or its call is not known.
    call: Optional[str]
    # The innermost frames of that thread's stack, as far as it is certain.
    stack: List[str]


class SecondaryBlob(TypedDict):
    """One piece of secondary data."""

    # Whose it is: a GUID in lower case, without braces.
    guid: str
    # Where its data begins in the file.
    offset: FileOffset
    # Length of its data in bytes.
    size: int
    # How many of these the file holds.
    present: int


class SecondaryData(TypedDict):
    """The secondary data of a dump, in the order of the file."""

    # The pieces.
    blobs: List[SecondaryBlob]
    # Why there are no more.
    ended: SecondaryEnd
    # What the file holds behind them.
    behind: Optional[Trailing]


class _SectionMembers(TypedDict):
    section_object: Optional[Address]
    # Bytes.
    size: Optional[int]
    handle_table: Optional[Address]
    section_handle: Optional[int]
    owner_process: Optional[ProcessRef]
    owner_port: Optional[PortRef]
    internal: Optional[bool]
    secure: Optional[bool]
    number_of_regions: Optional[int]
    # The regions of `RegionListHead`.
    regions: Optional[Nested]


class SectionMembers(_SectionMembers, total=False):
    """A shared-memory section of a port."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['section_object', 'size', 'handle_table', 'section_handle', 'owner_process', 'owner_port', 'internal', 'secure', 'number_of_regions', 'regions']]


class _SecurityContextMembers(TypedDict):
    client_token: Optional[Address]
    directly_access_client_token: Optional[bool]
    direct_access_effective_only: Optional[bool]
    server_is_remote: Optional[bool]


class SecurityContextMembers(_SecurityContextMembers, total=False):
    """What a thread impersonates its client with: `_SECURITY_CLIENT_CONTEXT`."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['client_token', 'directly_access_client_token', 'direct_access_effective_only', 'server_is_remote']]


class _SecurityMembers(TypedDict):
    handle_table: Optional[Address]
    context_handle: Optional[int]
    owning_process: Optional[ProcessRef]
    owner_port: Optional[PortRef]
    # Members of the embedded `_SECURITY_CLIENT_CONTEXT`.
    dynamic_security: SecurityContextMembers
    revoked: Optional[bool]
    impersonated: Optional[bool]


class SecurityMembers(_SecurityMembers, total=False):
    """A captured security context."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['handle_table', 'context_handle', 'owning_process', 'owner_port', 'revoked', 'impersonated']]


class _SecurityRecord(TypedDict):
    # The object, or the descriptor itself.
    address: Address
    # The object's type; none of a descriptor that was asked for by its own address.
    type: Optional[TypeRef]
    # Its full path; none without a name.
    path: Optional[str]
    # Its descriptor; none where nothing is checked.
    descriptor: Optional[DescriptorRecord]
    # What is worth a look.
    findings: List[AccessFinding]


class SecurityRecord(_SecurityRecord, total=False):
    """The security of an object."""

    # What a port has beside.
    port: Optional[PortSide]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['type', 'path', 'descriptor']]


class _ServerCounts(TypedDict):
    # How they wait for messages.
    served_by: ServedBy
    # Those that wait for the next message.
    idle: int
    # Those that wait for something else.
    blocked: int
    # Those that run or are ready to.
    running: int
    # Those that were suspended.
    suspended: int
    # Those that have ended.
    terminated: int
    # Those that cannot be read.
    unread: int
    # Set when the list of them could not be followed to its end.
    complete: Optional[Literal[True]]


class ServerCounts(_ServerCounts, total=False):
    """The threads that serve a port, counted by what they are doing."""

    # Threads that the completion port lets run at this moment: `_KQUEUE.CurrentCount`.
    current_count: Optional[int]
    # Threads that it lets run at a time: `_KQUEUE.MaximumCount`.
    maximum_count: Optional[int]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['current_count', 'maximum_count', 'complete']]


class _Servers(TypedDict):
    # How they wait.
    served_by: ServedBy
    # The threads, in list order.
    threads: List[ThreadRecord]
    # Set when the list could not be followed to its end.
    complete: Optional[Literal[True]]


class Servers(_Servers, total=False):
    """The threads that serve a port."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class ServersBehind(TypedDict):
    """Servers of a port that are stuck behind the same thing."""

    # What they are stuck behind.
    blocker: Address
    # How many of them.
    servers: int


class _Service(TypedDict):
    # `_TEB.SubProcessTag`.
    tag: int
    # Its name, when that can be told.
    name: Optional[str]


class Service(_Service, total=False):
    """The service that a thread works for."""

    # How sure the name is.
    certainty: Optional[Certainty]
    # Why the name is not told.
    unknown: Optional[str]


class _ServiceRow(TypedDict):
    # `_TEB.SubProcessTag`.
    tag: int
    # Its name, when that can be told.
    name: Optional[str]
    # The process that hosts it.
    host: ProcessRef
    # The id of that.
    process_id: Optional[int]
    # How many threads work for it.
    threads: int
    # How many threads wait.
    waits: int
    # How long the longest has, in 100 ns, of those of which that is known; none where none waits.
    longest: Optional[TimeSpan]


class ServiceRow(_ServiceRow, total=False):
    """The threads of a process that work for one service."""

    # How sure the name is.
    certainty: Optional[Certainty]
    # Why the name is not told.
    unknown: Optional[str]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['process_id', 'longest']]


class _ServiceTable(TypedDict):
    # By process, in the order of `PsActiveProcessHead`, and by tag.
    services: List[ServiceRow]
    # Threads of which it cannot be read whether they work for one.
    unread_threads: int
    # Set when there may be more, with why the first of these threads cannot be read.
    complete: Optional[Literal[True]]


class ServiceTable(_ServiceTable, total=False):
    """The services that threads work for."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _SessionRow(TypedDict):
    # Its number; none for the processes that belong to none.
    session: Optional[int]
    # Its processes that have not ended, in the order of `PsActiveProcessHead`.
    processes: List[Member]
    # Threads of these that have not ended, as the processes count them; without those that cannot
    # be read.
    threads: int
    # How many threads wait.
    waits: int
    # How long the longest has, in 100 ns, of those of which that is known; none where none waits.
    longest: Optional[TimeSpan]


class SessionRow(_SessionRow, total=False):
    """A session."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['longest']]


class _Sessions(TypedDict):
    # By their numbers; the processes of none come first.
    sessions: List[SessionRow]
    # Set when processes may be missing.
    complete: Optional[Literal[True]]


class Sessions(_Sessions, total=False):
    """The sessions of a system."""

    # Processes whose session cannot be read.
    unread: List[UnreadSession]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _SharedRecord(TypedDict):
    # What it begins with.
    start_magic: Optional[int]
    # Length of the memory in bytes.
    total_size: Optional[int]
    # Where the list begins, in bytes from the header.
    list_offset: Optional[int]
    # Its length in bytes.
    list_size: Optional[int]
    # Where the bitmap begins, in bytes from the header.
    bitmap_offset: Optional[int]
    # Its length in bytes.
    bitmap_size: Optional[int]
    # Where the part for messages begins, in bytes from the header.
    data_offset: Optional[int]
    # Its length in bytes.
    data_size: Optional[int]
    # The attributes that each message carries, as flags.
    attribute_flags: Optional[int]
    # Bytes that these take.
    attribute_size: Optional[int]
    # Number of the entry of the list that is taken next.
    head: Optional[int]
    # Number of the entry of the list that is filled next.
    tail: Optional[int]
    # Threads of the owner that are at work.
    active_thread_count: Optional[int]
    # The last message's id.
    last_message_id: Optional[int]
    # Its callback id.
    last_callback_id: Optional[int]
    # Messages that the kernel has put into the list.
    post_count: Optional[int]
    # Messages that the owner has given back.
    return_count: Optional[int]
    # Number of the last entry in the log.
    log_sequence_number: Optional[int]
    # The owner's lock of the list.
    user_lock: Optional[Address]
    # What it ends with.
    end_magic: Optional[int]


class SharedRecord(_SharedRecord, total=False):
    """The `_ALPC_COMPLETION_LIST_HEADER` at the start of the shared memory, member by member."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['start_magic', 'total_size', 'list_offset', 'list_size', 'bitmap_offset', 'bitmap_size', 'data_offset', 'data_size', 'attribute_flags', 'attribute_size', 'head', 'tail', 'active_thread_count', 'last_message_id', 'last_callback_id', 'post_count', 'return_count', 'log_sequence_number', 'user_lock', 'end_magic']]


class SidRecord(TypedDict):
    """A user, a group, a logon, an integrity level or an application package."""

    # `S-1-5-18`.
    sid: str
    # Who or what that is, where it means the same on every machine.
    name: Optional[str]


class _Stack(TypedDict):
    # The frames, the innermost first.
    frames: List[Frame]
    # Set where the walk ended before the thread's first function, or before user mode.
    complete: Optional[Literal[True]]
    # What looks like return addresses between the last frame and the end of a stack that could not
    # be walked to its end. Each of them may be left from an earlier call.
    scanned: List[Frame]


class Stack(_Stack, total=False):
    """The kernel stack of a thread."""

    # Modules of its frames parts of whose images are not in the dump, and were read out of the
    # files of the same images that the symbol path has.
    from_files: List[str]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _StackGroup(TypedDict):
    # How many they are.
    threads: int
    # The functions that they are in, the innermost first, without offsets; what has no name is
    # module and offset.
    functions: List[str]
    # Set where the stacks were not followed to their ends: why one of them was not.
    complete: Optional[Literal[True]]
    # The longest wait among them.
    longest_wait: Optional[TimeSpan]
    # Image names of their processes, with how many threads each has.
    processes: Dict[str, int]
    # Some of them.
    samples: List[Address]


class StackGroup(_StackGroup, total=False):
    """Threads whose stacks are alike."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _StackGroups(TypedDict):
    # The groups, the largest first.
    groups: List[StackGroup]
    # How many stacks could not be followed to their ends: more of their frames may differ.
    cut_short: int
    # Set when some threads may be missing.
    complete: Optional[Literal[True]]


class StackGroups(_StackGroups, total=False):
    """Groups of threads whose stacks are alike."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _StackInThread(TypedDict):
    # The frames, the innermost first, none of them found by a scan.
    frames: List[Frame]
    # Set where the walk ended before the thread's first function, or before user mode.
    complete: Optional[Literal[True]]


class StackInThread(_StackInThread, total=False):
    """What of a thread's stack is certain, in the record of the thread."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _StackLocation(TypedDict):
    # Its number; the lowest driver is 1.
    number: int
    # Its `_IO_STACK_LOCATION`.
    address: Address
    # Whether its driver has the request.
    current: bool
    # What the driver is asked to do.
    major_function: Optional[MajorFunction]
    # The `_DEVICE_OBJECT` that it was sent to.
    device: Optional[Address]
    # The driver of that device.
    driver: Optional[DriverNode]
    # The file object.
    file_object: Optional[Address]


class StackLocation(_StackLocation, total=False):
    """What one driver was asked to do with a request."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['major_function', 'device', 'driver', 'file_object']]


class _StackRecord(TypedDict):
    # The thread.
    thread: ThreadRecord
    # Its kernel stack.
    stack: Stack


class StackRecord(_StackRecord, total=False):
    """A thread and its kernel stack."""

    # With `--args`, for each frame the words where arguments of its call may be: four, and three on
    # x86.
    arguments: Optional[List[List[Optional[Address]]]]


class StatusRecord(TypedDict):
    """A status with its name."""

    # The number.
    code: int
    # The name that Windows' headers have for it.
    name: Optional[str]


class Step(TypedDict):
    """A node of a chain, and the step that leads on from it."""

    # The node's number in the graph.
    id: NodeId
    # What it is.
    node: Node
    # Why it waits for the next one; none at the end.
    next: Optional[Edge]


class StopCode(TypedDict):
    """The bug check of the crash."""

    # Its code.
    code: int
    # Its name in Microsoft's reference; none of a code that this does not have.
    name: Optional[str]
    # Its parameters in hex, in the digits of the system.
    parameters: List[str]


class StructureRecord(TypedDict):
    """A structure, class or union, alone or with its values."""

    # Its name.
    name: str
    # Bytes.
    size: int
    # Where its values were read.
    address: Optional[Address]
    # Its members, in the order of declaration.
    members: List[MemberRecord]


class SubjectProcess(TypedDict):
    """A process."""

    kind: Literal['process']
    # Its image name, cut to 14 characters.
    image: Optional[str]
    # The image name of the process that made it.
    parent: Optional[str]
    # Its id; none where things are told by name.
    process_id: Optional[int]


class SubjectPort(TypedDict):
    """A connection port."""

    kind: Literal['port']
    # Its full path; where things are told by name, `*` stands for what is drawn at run time.
    path: Optional[str]
    # The image name of its owner.
    owner: Optional[str]


class SubjectConnection(TypedDict):
    """A connection."""

    kind: Literal['connection']
    # The image name of the client.
    client: Optional[str]
    # The full path of the connection port.
    path: Optional[str]
    # The image name of the server.
    server: Optional[str]


class SubjectWait(TypedDict):
    """A wait for a reply."""

    kind: Literal['wait']
    # The image name of the process that waits.
    client: Optional[str]
    # The name of the port.
    port: Optional[str]
    # The image name of the process that is to answer.
    server: Optional[str]
    # Which call it is for: a procedure by its name, or as `lsarpc/76`.
    call: Optional[str]
    # Process and thread id; none where things are told by name.
    thread: Optional[List[int]]


class SummaryNext(TypedDict):
    """A command that tells more."""

    # The command.
    command: str
    # What it tells.
    tells: str


class SummaryRecord(TypedDict):
    """A dump in one screen."""

    # The release of Windows, where its build is of one.
    release: Optional[str]
    # The build.
    build: int
    # The machine.
    machine: str
    # What kind of dump it is.
    kind: str
    # When it was written.
    system_time: Optional[FileTime]
    # How long the system had run.
    system_up_time: Optional[TimeSpan]
    # Why it stopped: the bug check, with its name.
    bug_check: Optional[str]
    # The verdict in a sentence.
    verdict: str
    # [`Hang::signature`].
    signature: Signature
    # Threads that wait for another thread or process.
    stuck: int
    # The longest of their waits.
    longest_wait: Optional[TimeSpan]
    # Rings of proven waits.
    deadlocks: int
    # Where the chains of most threads end.
    blocker: Optional[Blocker]
    # Ports in trouble.
    ports_in_trouble: int
    # Commands that tell more, without the dump before them.
    next: List[SummaryNext]


class _Suspect(TypedDict):
    # Where the thread started.
    start_address: Optional[CodeAddress]
    # Where its user-mode part started.
    win32_start_address: Optional[Address]
    # The modules whose addresses are on its kernel stack, the innermost first. That an address is
    # on the stack does not prove that it will be returned to: this is inferred.
    stack_modules: Optional[List[str]]
    # Its kernel stack, as far as it is certain.
    stack: CertainStack
    # Its I/O requests.
    irps: Optional[Irps]


class Suspect(_Suspect, total=False):
    """What helps to find the culprit behind a thread that others wait for."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['start_address', 'win32_start_address', 'stack_modules', 'irps']]


class _SymbolSearch(TypedDict):
    wanted: Optional[WantedSymbols]
    # Which kernel it is, and where that was learned; null where nothing says so.
    identity: Optional[KernelIdentity]
    looked_at: List[LookedAt]
    in_use: Optional[SymbolsInUse]
    # How to get the kernel's own symbols; not told when they are in use.
    get: Optional[SymbolsToGet]


class SymbolSearch(_SymbolSearch, total=False):
    """A part of a record."""

    # The published kernels that it can be, by the addresses of its variables; not there when it is
    # known, or none is.
    candidates: List[KernelCandidate]


class _SymbolSource(TypedDict):
    # A file, or what is built in.
    source: str
    # GUID and age as one word, as symbol servers write them; null for several tables that agree.
    identity: Optional[str]
    # `exact` for the identity that the kernel names.
    certainty: str


class SymbolSource(_SymbolSource, total=False):
    """Where the layout of the kernel came from."""

    # Why they were chosen, where they are not those that the kernel names.
    evidence: Optional[Choice]
    # Types that they lack and that other symbols tell; not there when they lack none.
    types_from: List[TypesFrom]
    # Types that they lack and that nothing tells; not there when there are none.
    types_untold: List[str]


class SymbolsFound(TypedDict):
    """A part of a record."""

    source: str
    identity: Optional[str]
    certainty: str
    # Why they were chosen, where they are not those that the kernel names.
    evidence: Optional[Choice]
    # Types that they lack and that other symbols tell.
    types_from: List[TypesFrom]
    # Types that they lack and that nothing tells.
    types_untold: List[str]
    # Globals that they lack and that were found otherwise.
    derived: List[DerivedGlobal]
    missing: List[str]
    views_lost: List[str]


class SymbolsInUse(TypedDict):
    """A part of a record."""

    source: str
    certainty: str
    # Why they were chosen, where they are not those that the kernel names.
    evidence: Optional[Choice]
    # Types that they lack and that other symbols tell.
    types_from: List[TypesFrom]
    # Types that they lack and that nothing tells.
    types_untold: List[str]
    missing: List[str]
    views_lost: List[str]


class SymbolsToGet(TypedDict):
    """A part of a record."""

    address: str
    path: Optional[str]
    commands: List[str]


class _SystemThreads(TypedDict):
    # The processes, in the order of `PsActiveProcessHead`; at the end those that this list lacks.
    processes: List[ProcessThreads]
    # Set when the list of processes could not be followed to its end.
    complete: Optional[Literal[True]]


class SystemThreads(_SystemThreads, total=False):
    """All threads of the system."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _ThreadDetails(TypedDict):
    # Its name, which some kernels have.
    name: Optional[str]
    # Where it started.
    start_address: Optional[Address]
    # The same by the kernel module that it is in; none when no module is known to be there.
    start_module: Optional[CodeAddress]
    # Where its user-mode part started; of a system thread, the same as the start address or null.
    win32_start_address: Optional[Address]
    # Top of its kernel stack.
    stack_base: Optional[Address]
    # Lowest address of its kernel stack.
    stack_limit: Optional[Address]
    # Where its kernel stack began to be used.
    initial_stack: Optional[Address]
    # Its kernel stack pointer when it was last switched away from.
    kernel_stack: Optional[Address]
    # Its priority now.
    priority: Optional[int]
    # Its priority without boosts.
    base_priority: Optional[int]
    # By how much its priority is above the base for a moment.
    priority_decrement: Optional[int]
    # Priority of its I/O requests, 0 to 7; 2 is normal.
    io_priority: Optional[int]
    # Priority of the pages that it uses, 0 to 7; 5 is normal.
    page_priority: Optional[int]
    # Whether its kernel stack is in memory; else it was paged out.
    kernel_stack_resident: Optional[bool]
    # Whom it acts for; none when it acts as its process.
    impersonation: Optional[Impersonation]
    # The `_DEVICE_MAP` of its process: which drive letters it sees.
    device_map: Optional[Address]
    # How long it ran in user mode, to a clock tick.
    user_time: Optional[TimeSpan]
    # How long it ran in kernel mode, to a clock tick.
    kernel_time: Optional[TimeSpan]
    # Clock ticks since the system started, when its wait began.
    wait_start_tick_count: Optional[int]
    # Clock ticks since then; of a thread that does not wait, since its last wait began.
    ticks: Optional[int]
    # The same as a span of time.
    ticks_time: Optional[TimeSpan]
    # How often it was switched to.
    context_switches: Optional[int]
    # The process that it works in; none when that is its own.
    attached_process: Optional[ProcessRef]
    # When it was made, in 100 ns since 1601; none for those that the kernel starts with.
    create_time: Optional[FileTime]
    # The queue that it is registered with, such as a completion port.
    queue: Optional[Address]
    # `_ETHREAD.AlpcMessageId`, stale or not.
    alpc_message_id: Optional[Address]
    # `_ETHREAD.AlpcMessage` or, in the same place, `AlpcReceiveAttributeSet`.
    alpc_message: Optional[Address]
    # Its I/O requests.
    irps: Optional[Irps]


class ThreadDetails(_ThreadDetails, total=False):
    """What is known of a thread beside its line."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['name', 'start_address', 'win32_start_address', 'stack_base', 'stack_limit', 'initial_stack', 'kernel_stack', 'priority', 'base_priority', 'priority_decrement', 'io_priority', 'page_priority', 'kernel_stack_resident', 'impersonation', 'device_map', 'user_time', 'kernel_time', 'wait_start_tick_count', 'ticks', 'ticks_time', 'context_switches', 'attached_process', 'create_time', 'queue', 'alpc_message_id', 'alpc_message', 'irps']]


class _ThreadNode(TypedDict):
    # Its `_ETHREAD`.
    address: Address
    # Its process's id.
    process_id: Optional[int]
    # Its id.
    thread_id: Optional[int]
    # Its process.
    process: Optional[ProcessRef]
    # What it is doing.
    state: Optional[ThreadState]
    # The processor that it runs on or was last meant for.
    processor: Optional[int]
    # Why it waits; the last reason, when it does not.
    wait_reason: Optional[WaitReason]
    # How often it was suspended and not resumed.
    suspend_count: Optional[int]
    # How long its wait has lasted, in 100 ns; none when it does not wait.
    waited: Optional[TimeSpan]
    # The objects that it waits for.
    wait_objects: Optional[List[WaitObject]]


class ThreadNode(_ThreadNode, total=False):
    """A thread in the graph."""

    # The service that it works for; none when its thread environment block is not in the dump or
    # names none.
    service: Optional[Service]
    # Why the lock that it waits for, or that lock's owner, is not told; none when it waits for no
    # lock, or it is.
    lock_unknown: Optional[str]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['process_id', 'thread_id', 'process', 'state', 'processor', 'wait_reason', 'suspend_count', 'waited', 'wait_objects']]


class _ThreadRecord(TypedDict):
    # Its `_ETHREAD`.
    address: Address
    # Its process's id.
    process_id: Optional[int]
    # Its id.
    thread_id: Optional[int]
    # Its process.
    process: Optional[ProcessRef]
    # Its thread environment block.
    teb: Optional[Address]
    # Its window-manager part.
    win32_thread: Optional[Address]
    # What it is doing.
    state: Optional[ThreadState]
    # The processor that it runs on or was last meant for.
    processor: Optional[int]
    # Why it waits; the last reason, when it does not.
    wait_reason: Optional[WaitReason]
    # Whether it waits in user mode.
    user_mode_wait: Optional[bool]
    # Whether its wait can be interrupted.
    alertable: Optional[bool]
    # How often it was suspended and not resumed.
    suspend_count: Optional[int]
    # How often it was frozen and not thawed, as a process's threads are while a debugger handles an
    # event.
    freeze_count: Optional[int]
    # What it waits for.
    wait_objects: Optional[List[WaitObject]]
    # What it waits for over ALPC.
    alpc_wait: Optional[AlpcWait]


class ThreadRecord(_ThreadRecord, total=False):
    """A thread, as the debugger's thread line shows it."""

    # Whether it is the one that a processor runs when it has nothing else to do.
    idle: bool
    # What led to it, where its process's list of threads does not have it.
    found_by: Optional[FoundBy]
    # Its kernel stack, as far as it is certain, when asked for; none where nothing of it is.
    # `stack` shows what else lies there.
    stack: Optional[StackInThread]
    # The call whose reply it waits for, when asked for; none where it waits for no reply, or the
    # call is of no protocol that is known.
    call: Optional[Told]
    # What the debugger shows of a single thread only, when asked for.
    details: Optional[ThreadDetails]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['process_id', 'thread_id', 'process', 'teb', 'win32_thread', 'state', 'processor', 'wait_reason', 'user_mode_wait', 'alertable', 'suspend_count', 'freeze_count', 'wait_objects', 'alpc_wait']]


class _ThreadStack(TypedDict):
    # Its `_ETHREAD`.
    thread: Address
    # Its process.
    process: ProcessRef
    # Its process's id.
    process_id: Optional[int]
    # Its id.
    thread_id: Optional[int]
    # What state it is in.
    state: Optional[ThreadState]
    # Why it waits; the last reason, when it does not.
    wait_reason: Optional[WaitReason]
    # How long it has waited; none when it does not.
    waited: Optional[TimeSpan]
    # What it is doing, as far as the names of its functions say.
    doing: Optional[Doing]
    # Its kernel stack.
    stack: Stack


class ThreadStack(_ThreadStack, total=False):
    """A thread with its kernel stack."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['process_id', 'thread_id', 'state', 'wait_reason', 'waited']]


class _ThreadToken(TypedDict):
    # How far.
    level: Optional[str]
    # Whether only what is enabled may be used.
    effective_only: bool
    # The token.
    token: Optional[TokenRecord]


class ThreadToken(_ThreadToken, total=False):
    """A token that a thread acts by instead of its process's."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['token']]


class _ThreadsRest(TypedDict):
    # Set when the list of processes could not be followed to its end.
    complete: Optional[Literal[True]]
    # Processes whose list of threads could not be followed to its end.
    unread: List[ThreadsUnread]


class ThreadsRest(_ThreadsRest, total=False):
    """What stands beside the threads."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _ThreadsUnread(TypedDict):
    process: ProcessRef
    complete: Optional[Literal[True]]


class ThreadsUnread(_ThreadsUnread, total=False):
    """A process that may have more threads."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class TimeSpan(TypedDict):
    """A span of time in 100 ns units.

    Serializes with its units and as an ISO 8601 duration.
    """

    # 100 ns units.
    ticks: int
    # An ISO 8601 duration in seconds.
    iso: str


class _Timeline(TypedDict):
    # What happened, the earliest first.
    events: List[TimelineRow]
    # Times that should be there and could not be read, or that are none.
    unread: int
    # Set when some may be missing.
    complete: Optional[Literal[True]]


class Timeline(_Timeline, total=False):
    """All that is known to have happened, by time."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class TimelineRow(TypedDict):
    """Something that happened."""

    # When, UTC.
    time: FileTime
    # What.
    event: Happened
    # Where the time is from.
    source: TimeSource
    # The process or thread; `null` of the system, and of what no page table maps any more.
    address: Optional[Address]
    # The process.
    process_id: Optional[int]
    # The thread.
    thread_id: Optional[int]
    # The process's image name, as far as the kernel keeps it.
    image: Optional[str]
    # What a thread waits for, by the kernel's name of the reason; what became of something that was
    # carved.
    detail: Optional[str]


class _TokenRecord(TypedDict):
    # Its `_TOKEN`.
    address: Address
    # Who acts.
    user: Optional[SidRecord]
    # Authority and account of its logon session; none where it names no session.
    account: Optional[str]
    # The user's groups; the integrity label is among them.
    groups: Optional[List[GroupRecord]]
    # The primary group.
    primary_group: Optional[SidRecord]
    # Its integrity level; none where it has none.
    integrity: Optional[IntegrityRecord]
    # Its privileges.
    privileges: Optional[PrivilegesRecord]
    # `primary` or `impersonation`.
    type: Optional[str]
    # How far whoever has it may act by it: of impersonation tokens only.
    level: Optional[str]
    # Its session.
    session: Optional[int]
    # The package of the AppContainer that it is of; none of tokens outside of one.
    package: Optional[SidRecord]
    # The capabilities of that.
    capabilities: Optional[List[GroupRecord]]
    # Identifiers that have to be let in too.
    restricted: Optional[List[GroupRecord]]
    # The trust label of a protected process.
    trust: Optional[SidRecord]
    # `_TOKEN.TokenFlags`.
    flags: Optional[int]
    # The same by name.
    flag_names: Optional[List[str]]
    # `_TOKEN.MandatoryPolicy`: 1 no writing up, 2 the integrity of a new process is the lower of
    # both.
    mandatory_policy: Optional[int]
    # Whether a process has it for its primary token.
    in_use: Optional[bool]
    # Who made it, in eight letters.
    source: Optional[str]
    # Its own id.
    token_id: Optional[int]
    # Id of the token that it was filtered from; 0 of the others.
    parent_token_id: Optional[int]
    # Changes when the token does.
    modified_id: Optional[int]
    # Id of its logon session.
    authentication_id: Optional[int]
    # Id of the logon session that made it.
    originating_logon: Optional[int]


class TokenRecord(_TokenRecord, total=False):
    """A token."""

    # Signs that somebody changed it in memory, each with why it may be innocent.
    signs: List[str]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['user', 'account', 'groups', 'primary_group', 'integrity', 'privileges', 'type', 'level', 'session', 'package', 'capabilities', 'restricted', 'trust', 'flags', 'flag_names', 'mandatory_policy', 'in_use', 'source', 'token_id', 'parent_token_id', 'modified_id', 'authentication_id', 'originating_logon']]


class _TokenRef(TypedDict):
    # Its `_TOKEN`.
    address: Address
    # The user.
    user: Optional[SidRecord]
    # Its integrity level; none where it has none.
    integrity: Optional[IntegrityRecord]
    # Its session.
    session: Optional[int]
    # The package of its AppContainer.
    package: Optional[SidRecord]


class TokenRef(_TokenRef, total=False):
    """Who a token is, in a line."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['user', 'integrity', 'session', 'package']]


class ToldUndetermined(TypedDict):
    """It cannot be determined."""

    # Why.
    undetermined: str


class Told2Undetermined(TypedDict):
    """It cannot be determined."""

    # Why.
    undetermined: str


class Told3Undetermined(TypedDict):
    """It cannot be determined."""

    # Why.
    undetermined: str


class Told4Undetermined(TypedDict):
    """It cannot be determined."""

    # Why.
    undetermined: str


class Tool(TypedDict):
    """This program."""

    name: str
    version: str


class Trailing(TypedDict):
    """Bytes at the end of a file that belong to nothing that is known of dumps. Writers of recent
    Windows leave up to 1.7 MB of zeros there.
    """

    # Where they begin in the file.
    offset: FileOffset
    # How many they are.
    bytes: int
    # Whether all of them are zero; none where they are too many to look at.
    zeros: Optional[bool]


class TriageContents(TypedDict):
    """What a triage dump holds instead of pages."""

    blocks: int
    bytes: int
    bytes_present: int
    kernel_base: Optional[Address]
    crashed: Crashed
    modules: Modules


class _TriageRecord(TypedDict):
    # Version of the format.
    version: int
    # The program that wrote it, and its version.
    tool: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # How the dump alone would end: as `hang` does on it.
    status: Status
    # Of what a part is missing, where one is.
    lacks: Optional[Lacks]
    # Why there is no more than this.
    error: Optional[Problem]
    # What kind of dump it is.
    kind: Optional[str]
    # The machine type.
    machine: Optional[str]
    # The build number of Windows.
    build: Optional[int]
    # The releases of Windows that have this build.
    release: Optional[str]
    # The build in the kernel's own words; null where it cannot be read.
    build_lab: Optional[str]
    # Which PDB the kernel was linked with: name, GUID and age, as in a symbol store.
    kernel_pdb: Optional[str]
    # Which kernel it is: version, keys of symbol servers, and where that was learned.
    kernel: Optional[KernelIdentity]
    # The bug check.
    bug_check: Optional[StopCode]
    # When the system stopped.
    crash_time: Optional[FileTime]
    # How long it had run.
    up_time: Optional[TimeSpan]
    # Pages of 4 KiB that the dump claims to have.
    pages_claimed: Optional[int]
    # Those that are in the file.
    pages_present: Optional[int]
    # Which symbols served.
    symbols: Optional[SymbolSource]
    # Ports that were found.
    ports: Optional[int]
    # Threads that were looked at.
    threads: Optional[int]
    # Threads that wait for an ALPC reply.
    waits: Optional[int]
    # Threads that wait for another thread or process.
    stuck: Optional[int]
    # The longest of their waits.
    longest_wait: Optional[TimeSpan]
    # Rings of proven waits.
    deadlocks: Optional[int]
    # Rings that need a step which is not proven.
    possible_deadlocks: Optional[int]
    # Connections whose ends are of another integrity or session, or of which one is in an
    # AppContainer; null where that is not known of all.
    crossings: Optional[int]
    # Where the chains of most threads end.
    root_blocker: Optional[RootBlocker]
    # One line that is the same for the same hang on two machines; `unknown` when no wait was found,
    # but not all of the system could be looked at. None of a dump that could not be opened.
    signature: Optional[str]
    # Beside a signature of a chain, in which function the thread at its end is:
    # `in/1:nt!expwaitforresource`.
    signature_in: Optional[str]
    # Beside it, which call the last of its messages is: `for/1:lsarlookupsids3`.
    signature_for: Optional[str]
    # What is wrong with the dump, its symbols or the system.
    problems: List[Problem]


class TriageRecord(_TriageRecord, total=False):
    """One dump. What could not be determined is `null`; `error` and `problems` say why."""

    # The bytes of the dump's path in hex, when they are no valid text: `dump` then has U+FFFD for
    # what is none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]


class TypeList(TypedDict):
    """The types that a pattern names, ascending by name."""

    # The pattern: `*` stands for any characters, `?` for one.
    pattern: str
    # The types.
    types: List[NamedType]


class _TypeRef(TypedDict):
    # Its `_OBJECT_TYPE`.
    address: Address
    # Its name, as in `ALPC Port`.
    name: Optional[str]


class TypeRef(_TypeRef, total=False):
    """A type of objects."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['name']]


class TypedValue4(TypedDict):
    """A value of an enumeration."""

    # The number.
    number: int
    # Its name; none for a number without one.
    name: Optional[str]


class TypedValue5(TypedDict):
    """The links of a `_LIST_ENTRY`."""

    # `Flink`.
    flink: Address
    # `Blink`.
    blink: Address


class TypesFrom(TypedDict):
    """Types that the symbols in use lack, and where their places are from."""

    # A file, or what is built in.
    source: str
    # How sure it is that they are those of the kernel, in the words of the symbols' own certainty.
    certainty: str
    # The types.
    types: List[str]


class UndecidedLock(TypedDict):
    """A thread that waits for a lock that cannot be told."""

    # The thread.
    waiter: LockThread
    # Why.
    why: str


class _UndecidedMessage(TypedDict):
    # Its `_KALPC_MESSAGE`.
    address: Address
    # Why.
    request: Optional[Literal[True]]


class UndecidedMessage(_UndecidedMessage, total=False):
    """A message that may be a call in flight."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['request']]


class _UndecidedPort(TypedDict):
    # Its `_ALPC_PORT`.
    address: Address
    # Why.
    owner: Optional[Literal[True]]


class UndecidedPort(_UndecidedPort, total=False):
    """A port of which it cannot be determined whether it belongs in a list."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['owner']]


class UnexpectedServer(TypedDict):
    """A process that has a port which another has in Windows."""

    # Its image.
    image: str
    # The images of which one has the port.
    expected: List[str]


class _Unread(TypedDict):
    # What it is.
    what: str
    # Why it could not be looked at.
    complete: Optional[Literal[True]]


class Unread(_Unread, total=False):
    """A part of the system that could not be looked at, so that something may be missing."""

    # Where it is.
    at: Optional[Address]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _UnreadSession(TypedDict):
    # Its `_EPROCESS`.
    address: Address
    # Its image name: at most 14 characters, which is all that the kernel keeps.
    image: Optional[str]
    # Its id.
    process_id: Optional[int]
    # Why.
    session: Optional[Literal[True]]


class UnreadSession(_UnreadSession, total=False):
    """A process whose session cannot be read."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['image', 'process_id', 'session']]


class UnreadableRecord(TypedDict):
    """A value that could not be determined."""

    # Where it stands in the result: `queues[1].length`.
    path: str
    # Stable id of the reason.
    id: str
    # Stable id of what is behind it: of the memory that a walk ended at, else the same.
    cause: str
    # The reason in words.
    text: str


class _ViewMembers(TypedDict):
    view_list_entry: Optional[Links]
    region: Optional[Address]
    owner_port: Optional[PortRef]
    owner_process: Optional[ProcessRef]
    # Where it is in that process.
    address: Optional[Address]
    # Bytes.
    size: Optional[int]
    secure_view_handle: Optional[Address]
    write_access_handle: Optional[Address]
    write_access: Optional[bool]
    auto_release: Optional[bool]
    force_unlink: Optional[bool]
    system_space: Optional[bool]
    number_of_owner_messages: Optional[int]
    process_view_list_entry: Optional[Links]


class ViewMembers(_ViewMembers, total=False):
    """A region mapped into a process."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['view_list_entry', 'region', 'owner_port', 'owner_process', 'address', 'size', 'secure_view_handle', 'write_access_handle', 'write_access', 'auto_release', 'force_unlink', 'system_space', 'number_of_owner_messages', 'process_view_list_entry']]


class _WaitObject(TypedDict):
    # Its address.
    address: Address
    # What it is.
    kind: Optional[WaitObjectKind]


class WaitObject(_WaitObject, total=False):
    """Something a thread waits for."""

    # The most a semaphore counts to.
    limit: Optional[int]
    # The thread that owns a mutant.
    owner: Optional[Address]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['kind', 'limit', 'owner']]


class _WaitRow(TypedDict):
    # The thread that waits.
    waiter: ThreadNode
    # The message.
    message: MessageNode
    # The thread that received it; none while nobody has, and where the message does not name it.
    server: Optional[ThreadNode]
    # The process that is to answer: the server thread's, else the port's owner.
    server_process: Optional[ProcessRef]
    # What has become of the message.
    state: WaitState
    # How sure the wait is.
    certainty: Certainty
    # Why the chain that begins here ends.
    end: RootKind
    # Set when it ends at what cannot be read: why that cannot.
    end_reached: Optional[Literal[True]]


class WaitRow(_WaitRow, total=False):
    """A wait for the reply to a message."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['server', 'server_process', 'end_reached']]


class WaitTable(TypedDict):
    """All waits for ALPC replies, the longest first."""

    # Threads that were looked at.
    threads: int
    # The waits.
    waits: List[WaitRow]
    # Parts of the system that could not be looked at, so that waits may be missing.
    unread: List[Unread]


class WaiterBehind(TypedDict):
    """A thread that waits, and how far it is from what it waits for."""

    # How many threads are between: 0 for one that waits for the thing itself.
    depth: int
    # The thread, and the steps from it to the next one.
    steps: List[Step]


class WantedSymbols(TypedDict):
    """A part of a record."""

    name: str
    guid: str
    age: int
    timestamp: Optional[int]
    size_of_image: Optional[int]


class _AnalyzeDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['analyze']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class AnalyzeDocument(_AnalyzeDocument, total=False):
    """analyze with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Union[Analysis, Checks]
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _CallsDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['calls']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class CallsDocument(_CallsDocument, total=False):
    """calls with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: CallsInFlight
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _CarveDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['carve']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class CarveDocument(_CarveDocument, total=False):
    """carve with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Carved
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _ChainDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['chain']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class ChainDocument(_ChainDocument, total=False):
    """chain with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: ChainsRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _CheckDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['check']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class CheckDocument(_CheckDocument, total=False):
    """check with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: CheckRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _ConnectionsDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['connections']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class ConnectionsDocument(_ConnectionsDocument, total=False):
    """connections with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: ConnectionsRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _DiffDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['diff']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class DiffDocument(_DiffDocument, total=False):
    """diff with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: DiffRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _DtDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['dt']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class DtDocument(_DtDocument, total=False):
    """dt with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Union[TypeRecord, TypeList]
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _GlobalDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['global']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class GlobalDocument(_GlobalDocument, total=False):
    """global with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Union[GlobalInFull, List[PortLine], List[EdgeRecord]]
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _GraphDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['graph']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class GraphDocument(_GraphDocument, total=False):
    """graph with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: GraphsRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _HandlesDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['handles']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class HandlesDocument(_HandlesDocument, total=False):
    """handles with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: HandlesRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _HangDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['hang']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class HangDocument(_HangDocument, total=False):
    """hang with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: HangRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _InfoDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['info']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class InfoDocument(_InfoDocument, total=False):
    """info with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: InfoRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _IrpDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['irp']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class IrpDocument(_IrpDocument, total=False):
    """irp with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: IrpInFull
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _LocksDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['locks']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class LocksDocument(_LocksDocument, total=False):
    """locks with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Locks
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _MemDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['mem']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class MemDocument(_MemDocument, total=False):
    """mem with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: MemoryRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _MessageDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['message']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class MessageDocument(_MessageDocument, total=False):
    """message with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Union[MessageRecord, List[MessageRecord]]
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _ModulesDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['modules']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class ModulesDocument(_ModulesDocument, total=False):
    """modules with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Modules
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _NoneDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: None
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status
    # Why there is no result.
    error: Optional[ErrorRecord]


class NoneDocument(_NoneDocument, total=False):
    """A line of -c that is not understood, or a dump that cannot be opened for any, with --format
    json.
    """

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]


class _ObjectDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['object']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class ObjectDocument(_ObjectDocument, total=False):
    """object with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: ObjectInFull
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _PackDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['pack']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class PackDocument(_PackDocument, total=False):
    """pack with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: PackRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _PortDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['port']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class PortDocument(_PortDocument, total=False):
    """port with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: PortRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _PortsDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['ports']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class PortsDocument(_PortsDocument, total=False):
    """ports with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Union[ListOfPortLine, ListOfOrphanRecord, ProcessPortsRecord, Accessible]
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _ProcessDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['process']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class ProcessDocument(_ProcessDocument, total=False):
    """process with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: ProcessInFull
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _ProcessesDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['processes']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class ProcessesDocument(_ProcessesDocument, total=False):
    """processes with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Processes
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _ReportDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['report']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class ReportDocument(_ReportDocument, total=False):
    """report with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: ReportRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _ResourceDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['resource']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class ResourceDocument(_ResourceDocument, total=False):
    """resource with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Resources
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _SecurityDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['security']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class SecurityDocument(_SecurityDocument, total=False):
    """security with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: SecurityRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _ServicesDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['services']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class ServicesDocument(_ServicesDocument, total=False):
    """services with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: ServiceTable
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _SessionsDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['sessions']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class SessionsDocument(_SessionsDocument, total=False):
    """sessions with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Sessions
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _StackDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['stack']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class StackDocument(_StackDocument, total=False):
    """stack with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: StackRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _StacksDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['stacks']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class StacksDocument(_StacksDocument, total=False):
    """stacks with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Union[AllStacks, StackGroups]
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _SummaryDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['summary']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class SummaryDocument(_SummaryDocument, total=False):
    """summary with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: SummaryRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _SymbolsDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['symbols']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class SymbolsDocument(_SymbolsDocument, total=False):
    """symbols with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: SymbolSearch
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _ThreadDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['thread']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class ThreadDocument(_ThreadDocument, total=False):
    """thread with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: ThreadRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _ThreadsDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['threads']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class ThreadsDocument(_ThreadsDocument, total=False):
    """threads with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: SystemThreads
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _TimelineDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['timeline']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class TimelineDocument(_TimelineDocument, total=False):
    """timeline with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Timeline
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _TokenDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['token']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class TokenDocument(_TokenDocument, total=False):
    """token with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: ActingRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _TriageDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['triage']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class TriageDocument(_TriageDocument, total=False):
    """triage with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: TriageRecord
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _WaitsDocument(TypedDict):
    # Version of the format.
    version: int
    tool: Tool
    command: Literal['waits']
    # The arguments as they were given, without the program's name.
    command_line: List[str]
    # The dump's path as it was given, with `/` between folders on every system.
    dump: str
    # Bytes of the dump; null for what is no file.
    dump_size: Optional[int]
    # Which symbols served; null for a command that needs none, or that failed before it had them.
    symbols: Optional[SymbolSource]
    # How it ended; the exit status follows from it.
    status: Status


class WaitsDocument(_WaitsDocument, total=False):
    """waits with --format json."""

    # The bytes of the path in hex, when they are no valid text: `dump` then has U+FFFD for what is
    # none.
    dump_bytes: Optional[str]
    # SHA-256 of the dump in hex, when `--hash` asks for it.
    dump_sha256: Optional[str]
    result: Union[WaitTable, Behind2]
    # Why there is no result.
    error: Optional[ErrorRecord]
    # All values of the result that could not be determined.
    holes: Optional[List[UnreadableRecord]]
    # Where the values of the result come from, with `--explain`.
    explain: Optional[List[Explanation]]


class _BesideAnalyze1(TypedDict):
    # Ports that were looked at.
    ports: int
    # Messages that were looked at.
    messages: int
    # Where the ports were found.
    source: PortSource
    # Things that could not be checked because they cannot be read.
    unchecked: List[Optional[Literal[True]]]


class BesideAnalyze1(_BesideAnalyze1, total=False):
    """All contradictions of a system."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]


class BesideAnalyze2(TypedDict):
    """What is compared with what."""


class _BesideCalls(TypedDict):
    # Set when there may be more calls.
    complete: Optional[Literal[True]]


class BesideCalls(_BesideCalls, total=False):
    """Calls in flight."""

    # Messages of which it cannot be determined whether they are calls in flight.
    undecided: List[UndecidedMessage]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _BesideCarve(TypedDict):
    # How many of each kind.
    kinds: List[CarvedKind]
    # Bytes of memory that were looked at.
    bytes: int
    # Set when some may be missing.
    complete: Optional[Literal[True]]


class BesideCarve(_BesideCarve, total=False):
    """All that was found."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class BesideCheck(TypedDict):
    """What the conditions of a rule file came to."""

    # The rule file, as it was given.
    rules: str
    # Conditions that hold.
    passed: int
    # Conditions that do not.
    failed: int
    # Conditions of which the dump does not tell.
    undecided: int


class _BesideConnections(TypedDict):
    # The connection port.
    port: NamedPort
    # Messages in its queues, by their counters.
    queued: Optional[int]
    # Set when the list could not be followed to its end.
    complete: Optional[Literal[True]]


class BesideConnections(_BesideConnections, total=False):
    """A connection port and its connections."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['queued', 'complete']]


class _BesideGlobal(TypedDict):
    source: PortSource
    complete: Optional[Literal[True]]


class BesideGlobal(_BesideGlobal, total=False):
    """A list of ports, with where they came from."""

    # ALPC's allocations in a triage dump that nothing in it leads to, by pool tag.
    not_reached: List[NotReached]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _BesideLocks(TypedDict):
    # How many executive resources the system has, held or not.
    resources: Optional[int]
    # Set when there may be more.
    complete: Optional[Literal[True]]


class BesideLocks(_BesideLocks, total=False):
    """The locks that are held or waited for."""

    # Threads that wait for a lock that cannot be told, each with why.
    undecided: List[UndecidedLock]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['resources', 'complete']]


class _BesideModules(TypedDict):
    # Set when some may be missing.
    complete: Optional[Literal[True]]


class BesideModules(_BesideModules, total=False):
    """The loaded kernel modules."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _BesidePorts1(TypedDict):
    source: PortSource
    complete: Optional[Literal[True]]


class BesidePorts1(_BesidePorts1, total=False):
    """A list of ports, with where they came from."""

    # ALPC's allocations in a triage dump that nothing in it leads to, by pool tag.
    not_reached: List[NotReached]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _BesidePorts2(TypedDict):
    # Who was asked for.
    who: str
    # The identifiers that such a caller was taken to have.
    identifiers: List[str]
    # The integrity that it was taken to have.
    integrity: str
    # Connection ports that keep it out.
    denied: int
    # Connection ports without a name, which nobody can open.
    nameless: int
    # Set when ports may be missing.
    complete: Optional[Literal[True]]


class BesidePorts2(_BesidePorts2, total=False):
    """The ports that a caller could open."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _BesideProcesses(TypedDict):
    # Set when some may be missing.
    complete: Optional[Literal[True]]


class BesideProcesses(_BesideProcesses, total=False):
    """The processes of the system."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _BesideServices(TypedDict):
    # Threads of which it cannot be read whether they work for one.
    unread_threads: int
    # Set when there may be more, with why the first of these threads cannot be read.
    complete: Optional[Literal[True]]


class BesideServices(_BesideServices, total=False):
    """The services that threads work for."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _BesideSessions(TypedDict):
    # Set when processes may be missing.
    complete: Optional[Literal[True]]


class BesideSessions(_BesideSessions, total=False):
    """The sessions of a system."""

    # Processes whose session cannot be read.
    unread: List[UnreadSession]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _BesideStacksComplete(TypedDict):
    # Set when some threads may be missing.
    complete: Optional[Literal[True]]


class BesideStacksComplete(_BesideStacksComplete, total=False):
    """The stacks of all threads."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _BesideStacks2(TypedDict):
    # How many stacks could not be followed to their ends: more of their frames may differ.
    cut_short: int
    # Set when some threads may be missing.
    complete: Optional[Literal[True]]


class BesideStacks2(_BesideStacks2, total=False):
    """Groups of threads whose stacks are alike."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class _BesideTimeline(TypedDict):
    # Times that should be there and could not be read, or that are none.
    unread: int
    # Set when some may be missing.
    complete: Optional[Literal[True]]


class BesideTimeline(_BesideTimeline, total=False):
    """All that is known to have happened, by time."""

    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['complete']]


class BesideWaits(TypedDict):
    """All waits for ALPC replies, the longest first."""

    # Threads that were looked at.
    threads: int
    # Parts of the system that could not be looked at, so that waits may be missing.
    unread: List[Unread]


class _GroupLine(TypedDict):
    # Version of the format.
    version: int
    # The signature of all of them.
    signature: Optional[str]
    # The id of the error of all of them.
    error: Optional[str]
    # How many.
    dumps: int


class GroupLine(_GroupLine, total=False):
    """A row of the kind `group`."""

    # The bytes of the first one's path in hex, when they are no valid text.
    dump_bytes: Optional[str]


class _HandleLine(TypedDict):
    # The process whose handle it is.
    owner: ProcessRef
    # Its id.
    owner_process_id: Optional[int]
    # Its value.
    handle: int
    # Its `_HANDLE_TABLE_ENTRY`.
    entry: Address
    # The access rights that it grants.
    granted_access: int
    # Its attributes, by the debugger's names.
    attributes: List[str]
    # What it refers to.
    object: ObjectRecord


class HandleLine(_HandleLine, total=False):
    """A row of the kind `handle`."""

    # The process, when it refers to one: these have no name of their own.
    process: Optional[ProcessRef]
    # Why members are null that could not be read.
    unreadable: Dict[str, Reason]
    # Members that are null because this kernel does not have them.
    absent: List[Literal['owner_process_id']]


class _IgnoredLine(TypedDict):
    # Version of the format.
    version: int
    # What it is: a stable id, for scripts.
    reason: str
    # It in words, which may change.
    text: str


class IgnoredLine(_IgnoredLine, total=False):
    """A row of the kind `ignored`."""

    # The bytes of its path in hex, when they are no valid text.
    dump_bytes: Optional[str]


# What the check says.
AccessVerdict = Literal['granted', 'denied', 'undecided']

# What was asked for.
Actor = Literal['process', 'thread', 'port', 'message', 'token']

# An address in lower-case hex, as many digits as the dumped system's addresses have.
Address = str

# What a thread waits for over ALPC.
AlpcWait = Union[AlpcWaitReply, AlpcWaitReceive, AlpcWaitCompletion]

# What was measured.
Amount = Union[int, TimeSpan]

# STA, MTA or NTA.
Apartment = str

# What became of something.
Became = Literal['appeared', 'went', 'grew', 'shrank', 'persisted', 'unknown']

# The structure that a blob holds, as KALPC_SECTION; 0xNN for a number without one.
BlobKind = str

# What makes two things the same.
By = Literal['addresses', 'names']

# Where the token would come from.
CallerSource = Literal['security-attribute', 'static-at-connect', 'dynamic-from-thread', 'refused']

# What can be looked for.
CarveKind = Literal['port', 'message', 'connection', 'process', 'thread']

# What became of something that was found.
CarveState = Literal['listed', 'reached', 'ended', 'freed', 'unlinked', 'unknown']

# How sure a step from one node to the next is.
Certainty = Literal['proven', 'inferred', 'unknown']

# What hides waits.
DoubtId = Literal['truncated', 'header-only', 'kernel-not-mapped', 'encrypted', 'triage-dump', 'symbols-lack', 'unread', 'chains-unread']

# What binds a node to the one that it waits for.
EdgeKind = Literal['reply', 'received-by', 'queued-at', 'reports', 'served-by', 'owned-by', 'acquires', 'held-by', 'end-of-thread', 'end-of-process', 'may-continue', 'end-of-request', 'pending-at', 'apartment', 'com-call']

# An offset in the file of a dump, in bytes; or, of a page that has to be unpacked, a mark that no
# other page has.
FileOffset = int

# Something that a condition is about. What could not be read of it is none here, for it does not
# matter to the verdict.
Found = Union[FoundDeadlock, FoundWait, FoundPort, FoundProcess, FoundPages, FoundSignature, FoundStack]

# What led to a thread, or to its process, that the system's list of them does not have.
FoundBy = Union[FoundByCrashed, FoundByCurrent, FoundByNext, FoundByIdle]

# How the frame was found: switch-frame, context, unwound, trap-frame, frame-pointer; scanned says
# that it may be left from an earlier call.
FoundFrame = str

# What was found, or why not: `info` shows as much as there is.
FoundOrKernelFound = Union[FoundOrKernelFoundFound, FoundOrKernelFoundMissing]

# What was found, or why not: `info` shows as much as there is.
FoundOrSymbolsFound = Union[FoundOrSymbolsFoundFound, FoundOrSymbolsFoundMissing]

# What a blob's header says of one that is not in use any more. What it held can still be read,
# until the memory is used again.
Freed = Literal['deleted', 'no-references', 'deleted-while-referenced']

# What happened.
Happened = Literal['system-started', 'process-created', 'process-exited', 'thread-created', 'thread-exited', 'wait-began', 'dump-written']

# Of what a part is missing, and so what would help.
Lacks = Literal['pages', 'symbols', 'pages-and-symbols']

# Where it was learned which kernel it is.
Learned = Literal['debug-record', 'image-header', 'module-list']

# What is known of a list of a descriptor.
ListState = Literal['absent', 'null', 'empty', 'entries', 'damaged']

# What kind of lock of the executive it is.
LockKind = Literal['resource', 'push-lock', 'fast-mutex']

# The name of a major function, as IRP_MJ_READ; 0xNN for a number without one.
MajorFunction = str

# What is measured of something.
Measure = Literal['count', 'queued', 'connections', 'waited']

# The members of a resource's structure.
Members = Optional[Union[CommunicationInfoMembers, SectionMembers, RegionMembers, ViewMembers, ReserveMembers, SecurityMembers, HandleDataMembers]]

# The call that a message is, or why none is told.
MessageCall = Union[CallRecord, MessageCallNotDecoded, MessageCallUndetermined]

# The name of a message type, as LPC_REQUEST; 0xNN for a number without one.
MessageType = str

# Something that waits, or that is waited for.
Node = Union[NodeThread, NodeMessage, NodePort, NodeCompletionPort, NodeMutant, NodeLock, NodeProcess, NodeIrp, NodeDriver]

# Number of a node in the graph.
NodeId = int

# The tag of a pool block, as ALPC or AlMs; bytes that are no letters as \xNN.
PoolTag = str

# ALPC_CONNECTION_PORT, ALPC_SERVER_COMMUNICATION_PORT or ALPC_CLIENT_COMMUNICATION_PORT.
PortKind = str

# Where ports were found.
PortSource = Literal['port-list', 'search']

# Whose header a message's data begins with.
Protocol = Literal['lrpc', 'csr', 'sm', 'sb', 'wer', 'spm']

# A queue of a port.
QueueKind = Literal['main', 'direct', 'large', 'pending', 'canceled']

# The name of a queue, as ALPC_MSGQUEUE_MAIN; 0xN for a number without one.
QueueType = str

# Why a chain of waits ends where it ends.
RootKind = Literal['deadlock', 'running', 'ready', 'no-owner', 'lock', 'any-of', 'user-input', 'page-in', 'suspended', 'delay', 'receiving', 'terminated', 'received', 'not-received', 'at-limit', 'servers-blocked', 'servers-running', 'servers-suspended', 'no-server', 'owner-gone', 'not-queued', 'free', 'io-pending', 'process-runs', 'process-exited', 'unreadable']

# What a dump says of its boot.
Said = Union["Address", FileTime, str]

# What a field holds: an address, a number or a word.
Says = str

# Why a list of pieces ended.
SecondaryEnd = Literal['complete', 'file-cut', 'not-a-blob', 'too-many']

# What captures the security of a port's clients, and when.
Security = Literal['Static', 'Dynamic']

# How the threads that serve a port wait.
ServedBy = Literal['wait-queue', 'completion-port']

# How much a finding says.
Severity = Literal['note', 'warning', 'alarm']

# A line that begins with `deadlock:` or `blocked:`; or `none`, or `unknown`.
Signature = str

# The exit status; the first that applies, in the order fatal, finding, partial, complete.
Status = Literal['complete', 'finding', 'fatal', 'partial']

# What something is called. What could not be read, or is not there, is none.
Subject = Union[SubjectProcess, SubjectPort, SubjectConnection, SubjectWait]

# The name of a _KTHREAD_STATE, as Waiting; 0xNN for a number without one.
ThreadState = str

# Where a time is from.
TimeSource = Literal['header', 'listed', 'ticks', 'carved']

# What a message's data says, or why that cannot be determined.
# It is told beside things that are known without it, so what hides it makes no record incomplete: a
# wait is a wait, whatever the call is. Views that are about calls alone say it as any other hole.
Told = Union[CallRecord, ToldUndetermined]

# What a message's data says, or why that cannot be determined.
# It is told beside things that are known without it, so what hides it makes no record incomplete: a
# wait is a wait, whatever the call is. Views that are about calls alone say it as any other hole.
Told2 = Union["Uuid", Told2Undetermined]

# What a message's data says, or why that cannot be determined.
# It is told beside things that are known without it, so what hides it makes no record incomplete: a
# wait is a wait, whatever the call is. Views that are about calls alone say it as any other hole.
Told3 = Union["Address", Told3Undetermined]

# What a message's data says, or why that cannot be determined.
# It is told beside things that are known without it, so what hides it makes no record incomplete: a
# wait is a wait, whatever the call is. Views that are about calls alone say it as any other hole.
Told4 = Union[int, Told4Undetermined]

# What is wrong with a port.
Trouble = Literal['owner-gone', 'no-server', 'servers-blocked', 'servers-suspended', 'at-limit', 'not-received', 'connecting', 'long-queue', 'canceled']

# A type as the debugger's `dt` shows it.
TypeRecord = Union[StructureRecord, EnumerationRecord]

# What a member holds.
TypedValue = Union[int, "Address", TypedValue4, TypedValue5, str, List[Optional["TypedValue"]]]

# An id, as 367abb81-9844-35f1-ad32-98f038001003.
Uuid = str

# Whether a condition holds.
Verdict = Literal['pass', 'fail', 'undecided']

# The kind of a dispatcher object, as Semaphore; 0xNN for a number without a name.
WaitObjectKind = str

# The name of a _KWAIT_REASON, as WrLpcReply; 0xNN for a number without one.
WaitReason = str

# What has become of a message whose reply is waited for.
WaitState = Literal['queued', 'received', 'underway', 'canceled', 'unreadable']

# Which of the two dumps.
Which = Literal['first', 'second']

# What is told beside the records.
RestOfAnalyze = Union[BesideAnalyze1, BesideAnalyze2]

# What is told beside the records.
RestOfCalls = BesideCalls

# What is told beside the records.
RestOfCarve = BesideCarve

# What is told beside the records.
RestOfCheck = BesideCheck

# What is told beside the records.
RestOfConnections = BesideConnections

# What is told beside the records.
RestOfGlobal = Optional[BesideGlobal]

# What is told beside the records.
RestOfHandles = HandlesRest

# What is told beside the records.
RestOfLocks = BesideLocks

# What is told beside the records.
RestOfModules = BesideModules

# What is told beside the records.
RestOfPorts = Optional[Union[BesidePorts1, BesidePorts2]]

# What is told beside the records.
RestOfProcesses = BesideProcesses

# What is told beside the records.
RestOfServices = BesideServices

# What is told beside the records.
RestOfSessions = BesideSessions

# What is told beside the records.
RestOfStacks = Union[BesideStacksComplete, BesideStacks2]

# What is told beside the records.
RestOfThreads = ThreadsRest

# What is told beside the records.
RestOfTimeline = BesideTimeline

# What is told beside the records.
RestOfWaits = BesideWaits
