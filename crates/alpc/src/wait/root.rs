//! Where a chain of waits ends, and what to know of that end.

use kdump::Gva;
use ntkernel::image::contract::{Thread, ThreadControl};
use ntkernel::image::kernel::{Kernel, Read};
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::process::module::{CodeAddress, Modules};
use ntkernel::process::thread::WaitReason;
use ntkernel::process::thread_details::{self, Irps};
use ntkernel::stack::{CertainStack, Stacks};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::wait::graph::Graph;
use crate::wait::node::{LockNode, MessageNode, Node, NodeId, ObjectNode, PortNode, ProcessNode, ThreadNode};
use ntkernel::why;

/// Wait reasons of locks, which have owners, but not where a waiting thread leads to.
const LOCKS: [WaitReason; 6] = [
    WaitReason::WR_RESOURCE,
    WaitReason::WR_PUSH_LOCK,
    WaitReason::WR_FAST_MUTEX,
    WaitReason::WR_GUARDED_MUTEX,
    // Locks of user mode: the kernel sees that a thread waits and not for what. Keyed events served SRW locks
    // and condition variables up to Windows 7; since Windows 8 SRW locks, condition variables and WaitOnAddress
    // wait by thread id.
    WaitReason::WR_KEYED_EVENT,
    WaitReason::WR_ALERT_BY_THREAD_ID,
];

/// Bytes of a kernel stack that are looked through; the largest are 72 KiB.
const STACK_CAP: u64 = 96 << 10;

/// Modules that a stack is told by.
const MODULES_CAP: usize = 12;

/// Why a chain of waits ends where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum RootKind {
    /// The chain comes back to itself.
    Deadlock,
    /// A thread on a processor.
    Running,
    /// A thread that waits for a processor.
    Ready,
    /// A thread that waits for something that nobody owns: an event, a semaphore, a timer.
    NoOwner,
    /// A lock whose owner nothing tells, or a thread that waits for one: a push lock of which no thread keeps a
    /// note, a resource that a driver gave to something else than a thread, a lock of user mode.
    Lock,
    /// A thread that waits for any of several things.
    AnyOf,
    /// A thread that waits for the user: a window with an open question.
    UserInput,
    /// A thread whose page is on its way in.
    PageIn,
    /// A thread that was suspended.
    Suspended,
    /// A thread that let a time pass.
    Delay,
    /// A thread that received a message and waits for the next without having answered it: the work was
    /// handed to somebody else, or forgotten.
    Receiving,
    /// A thread that has ended.
    Terminated,
    /// A process one of whose threads received a message and has not answered it: nothing tells which thread.
    Received,
    /// A port whose messages nobody receives, although threads wait for them.
    NotReceived,
    /// A port whose completion port lets no more threads run.
    AtLimit,
    /// A port all of whose threads wait for something else.
    ServersBlocked,
    /// A port whose threads all run.
    ServersRunning,
    /// A port whose threads were suspended.
    ServersSuspended,
    /// A port that no thread serves at this moment.
    NoServer,
    /// A port, mutant or lock whose owner is gone.
    OwnerGone,
    /// A message that is in no queue.
    NotQueued,
    /// A mutant or lock that is free by now.
    Free,
    /// An I/O request that has not ended.
    IoPending,
    /// A process that runs.
    ProcessRuns,
    /// A process that has ended.
    ProcessExited,
    /// Memory that the dump does not have.
    Unreadable,
}

impl RootKind {
    /// A stable word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deadlock => "deadlock",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::NoOwner => "no-owner",
            Self::Lock => "lock",
            Self::AnyOf => "any-of",
            Self::UserInput => "user-input",
            Self::PageIn => "page-in",
            Self::Suspended => "suspended",
            Self::Delay => "delay",
            Self::Receiving => "receiving",
            Self::Received => "received",
            Self::Terminated => "terminated",
            Self::NotReceived => "not-received",
            Self::AtLimit => "at-limit",
            Self::ServersBlocked => "servers-blocked",
            Self::ServersRunning => "servers-running",
            Self::ServersSuspended => "servers-suspended",
            Self::NoServer => "no-server",
            Self::OwnerGone => "owner-gone",
            Self::NotQueued => "not-queued",
            Self::Free => "free",
            Self::IoPending => "io-pending",
            Self::ProcessRuns => "process-runs",
            Self::ProcessExited => "process-exited",
            Self::Unreadable => "unreadable",
        }
    }

    /// What it means, in words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Deadlock => "waits for itself",
            Self::Running => "runs",
            Self::Ready => "is ready to run and waits for a processor",
            Self::NoOwner => "waits for something that has no owner",
            Self::Lock => "waits for a lock whose owner is not known",
            Self::AnyOf => "waits for any of several things",
            Self::UserInput => "waits for the user",
            Self::PageIn => "waits for a page",
            Self::Suspended => "is suspended",
            Self::Delay => "waits for a time to pass",
            Self::Receiving => "waits for the next message, with this one unanswered",
            Self::Terminated => "has ended",
            Self::Received => {
                "has received the message and not answered it, and nothing names the thread that did"
            }
            Self::NotReceived => "has messages that nobody receives, though threads wait for them",
            Self::AtLimit => "has messages, but its completion port lets no more threads run",
            Self::ServersBlocked => "is served only by threads that wait for something else",
            Self::ServersRunning => "is served by threads that run",
            Self::ServersSuspended => "is served by threads that are suspended",
            Self::NoServer => "is served by no thread",
            Self::OwnerGone => "belongs to nobody any more",
            Self::NotQueued => "is in no queue",
            Self::Free => "is owned by nobody",
            Self::IoPending => "is an I/O request that has not ended",
            Self::ProcessRuns => "is a process that has not ended",
            Self::ProcessExited => "is a process that has ended",
            Self::Unreadable => "cannot be read",
        }
    }
}

impl Graph {
    /// Why no wait leads on from a node.
    #[must_use]
    pub fn root_kind(&self, id: NodeId) -> RootKind {
        match self.node(id) {
            Some(Node::Thread(thread)) => self.of_thread(id, thread),
            Some(Node::Message(message)) => of_message(message),
            Some(Node::Port(port)) => of_port(port),
            Some(Node::Mutant(object)) => of_object(object),
            Some(Node::Lock(lock)) => of_lock(lock),
            Some(Node::Process(process)) => of_process(process),
            Some(Node::CompletionPort(_)) => RootKind::ServersBlocked,
            Some(Node::Irp(irp)) if irp.is_unreadable() => RootKind::Unreadable,
            Some(Node::Irp(_) | Node::Driver(_)) => RootKind::IoPending,
            None => RootKind::Unreadable,
        }
    }

    fn of_thread(&self, id: NodeId, thread: &ThreadNode) -> RootKind {
        const RUNNING: u8 = 2;
        const TERMINATED: u8 = 4;
        // Its stack, or its whole process, is on its way in.
        // State 6 is ready with its kernel stack paged out (Windows Internals). Only waits of user mode let a stack
        // go (one source), and those of services for a message or a reply are such: so this is met on servers that
        // are short of memory and hang.
        const TRANSITION: u8 = 6;
        const PROCESS_IN_SWAP: u8 = 9;
        // A gate of a guarded mutex or push lock, up to Windows 7, is no wait of the usual kind.
        // (Later kernels have the number and no such wait.)
        const GATE_WAIT: u8 = 8;
        let Value::Known(state) = thread.state else {
            return RootKind::Unreadable;
        };
        if !state.is_waiting() {
            return match state.0 {
                TERMINATED => RootKind::Terminated,
                RUNNING => RootKind::Running,
                TRANSITION | PROCESS_IN_SWAP => RootKind::PageIn,
                GATE_WAIT => RootKind::Lock,
                _ => RootKind::Ready,
            };
        }
        // The debugger prints `WAIT: (Suspended)` and still the line of its ALPC message: it says why the thread
        // does not run, and the message says what it had asked for before.
        if thread.is_suspended() {
            return RootKind::Suspended;
        }
        if self.edges(id).iter().any(|edge| edge.any && edge.edge.is_wait()) {
            return RootKind::AnyOf;
        }
        let reason = thread.wait_reason.known().copied();
        match reason.filter(|reason| reason.name().is_some()) {
            // An RPC server that answers asynchronously does just that: the call is with another thread, or
            // with a callback to come.
            Some(WaitReason::WR_QUEUE | WaitReason::WR_LPC_RECEIVE) => RootKind::Receiving,
            // win32k gives it for every thread in GetMessage: an open dialog, and an idle window too.
            Some(WaitReason::WR_USER_REQUEST) => RootKind::UserInput,
            // WrPhysicalFault came with Windows 10 1709 and stands behind all others: up to 36 the numbers are one in
            // all versions, and behind that the enumeration grows (layouts of 305 kernels).
            Some(WaitReason::PAGE_IN | WaitReason::WR_PAGE_IN | WaitReason::WR_PHYSICAL_FAULT) => {
                RootKind::PageIn
            }
            // Sleep, and nothing else: DelayExecution is what KeDelayExecutionThread gives.
            Some(WaitReason::DELAY_EXECUTION | WaitReason::WR_DELAY_EXECUTION) => RootKind::Delay,
            Some(WaitReason::SUSPENDED | WaitReason::WR_SUSPENDED) => RootKind::Suspended,
            Some(reason) if LOCKS.contains(&reason) => RootKind::Lock,
            Some(_) if thread.hidden_object().is_some() => RootKind::Unreadable,
            Some(_) => RootKind::NoOwner,
            None => RootKind::Unreadable,
        }
    }
}

fn of_message(message: &MessageNode) -> RootKind {
    match (&message.port, &message.queue) {
        // A message is in no queue while it is made, handed over or answered; of a reply that goes straight to its
        // thread newer kernels have a QueueType of its own, 5.
        (Value::Known(None), _) => RootKind::NotQueued,
        (Value::Missing(_), _) | (_, Value::Missing(_)) => RootKind::Unreadable,
        _ if message.server_thread.reason().is_some() => RootKind::Unreadable,
        (Value::Known(Some(port)), _) if port.owner.reason().is_some() => RootKind::Unreadable,
        _ => RootKind::NotQueued,
    }
}

pub(crate) fn of_port(port: &PortNode) -> RootKind {
    // The owner ended or closed its handle: who waits there is answered by nobody, although the port object still
    // lives by the references of its clients.
    if port.is_abandoned() {
        return RootKind::OwnerGone;
    }
    let Value::Known(servers) = &port.servers else {
        return RootKind::Unreadable;
    };
    if servers.idle > 0 {
        return if servers.at_limit() {
            RootKind::AtLimit
        } else {
            RootKind::NotReceived
        };
    }
    if servers.unreadable > 0 || servers.complete.reason().is_some() {
        RootKind::Unreadable
    } else if servers.running > 0 {
        RootKind::ServersRunning
    } else if servers.blocked > 0 {
        RootKind::ServersBlocked
    } else if servers.suspended > 0 {
        RootKind::ServersSuspended
    } else {
        RootKind::NoServer
    }
}

fn of_object(object: &ObjectNode) -> RootKind {
    match &object.owner {
        Value::Known(Some(_)) => RootKind::OwnerGone,
        Value::Known(None) => RootKind::Free,
        Value::Missing(_) => RootKind::Unreadable,
    }
}

fn of_lock(lock: &LockNode) -> RootKind {
    match &lock.owners {
        // The word of a push lock has bits for locked and waiting and a count of those who share it, and no owner
        // (_EX_PUSH_LOCK in the symbols).
        _ if lock.unknown.is_some() => RootKind::Lock,
        Value::Known(owners) if owners.is_empty() => RootKind::Free,
        Value::Known(_) => RootKind::OwnerGone,
        Value::Missing(_) => RootKind::Unreadable,
    }
}

fn of_process(process: &ProcessNode) -> RootKind {
    // The object of a process lives as long as a handle to it: that it has ended only ExitTime tells.
    match &process.exit_time {
        Value::Known(Some(_)) => RootKind::ProcessExited,
        Value::Missing(hole) if !hole.is_absence() => RootKind::Unreadable,
        _ if process.is_receiver => RootKind::Received,
        _ => RootKind::ProcessRuns,
    }
}

/// What helps to find the culprit behind a thread that others wait for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Suspect {
    /// Where the thread started.
    pub start_address: Value<CodeAddress>,
    /// Where its user-mode part started.
    pub win32_start_address: Value<Addr>,
    /// The modules whose addresses are on its kernel stack, the innermost first. That an address is on the
    /// stack does not prove that it will be returned to: this is inferred.
    pub stack_modules: Value<Vec<String>>,
    /// Its kernel stack, as far as it is certain.
    pub stack: CertainStack,
    /// Its I/O requests.
    pub irps: Value<Irps>,
}

impl Suspect {
    /// The function that the thread is in, apart from the wait itself, as `nt!ExpWaitForResource`; of a module without
    /// names the module. It has no offset, so that it is the same on another machine.
    #[must_use]
    pub fn function(&self) -> Option<String> {
        let doing = self.stack.doing.as_ref()?;
        self.stack.frames.get(doing.frame)?.stable_name()
    }
}

/// Frames of a stack that are told with a suspect.
const FRAMES: usize = 16;

/// Reads what helps to find the culprit behind a thread.
#[must_use]
pub fn suspect(kernel: &Kernel<'_>, modules: &Modules, stacks: &Stacks<'_, '_>, thread: Gva) -> Suspect {
    let details = thread_details::details(kernel.at(thread));
    Suspect {
        start_address: details.start_address.map(|address| modules.locate(address)),
        win32_start_address: details.win32_start_address,
        stack_modules: stack_modules(kernel, modules, thread).into(),
        stack: stacks.certain_of(thread).certain(FRAMES),
        irps: details.irps,
    }
}

fn stack_modules(kernel: &Kernel<'_>, modules: &Modules, thread: Gva) -> Read<Vec<String>> {
    let control = kernel.at(thread).embedded(Thread::Tcb)?;
    // Functions leave much on a stack that nobody cleans: what a call of long ago returned to looks like the
    // last one's.
    let top = control.pointer(ThreadControl::StackBase)?.u64();
    let limit = control.pointer(ThreadControl::StackLimit)?.u64();
    // Kernel stacks grow downwards, from StackBase to StackLimit: what is current begins at KernelStack, where the
    // thread was switched away.
    let from = control.pointer(ThreadControl::KernelStack)?.u64();
    // On an expanded stack (KeExpandKernelStackAndCallout, callouts of win32k) the saved pointer can lie in another
    // segment than the two members name.
    if from < limit || from >= top || top.saturating_sub(from) > STACK_CAP {
        let at = kernel.addr(thread);
        return Err(Unreadable::Implausible(why!(
            "the stack pointer of the thread {} is not on its stack",
            at
        )));
    }
    let length = usize::try_from(top.saturating_sub(from)).unwrap_or(0);
    let mut bytes = vec![0; length];
    // A stack's pages go out one by one: what can be read up to the first hole is the innermost part.
    let partial = kernel.cursor().read_partial(Gva::from(from), &mut bytes);
    if let Some(stopped) = partial.stopped
        && partial.read == 0
    {
        return Err(stopped);
    }
    bytes.truncate(partial.read);
    Ok(modules_of(kernel, modules, &bytes))
}

fn modules_of(kernel: &Kernel<'_>, modules: &Modules, stack: &[u8]) -> Vec<String> {
    let width = if kernel.pointer_size() == 4 { 4 } else { 8 };
    let mut found: Vec<String> = Vec::new();
    for slot in stack.chunks_exact(width) {
        let value = slot
            .iter()
            .rev()
            .fold(0_u64, |value, &byte| (value << 8) | u64::from(byte));
        // The top bit is set in every address of the kernel: above 80000000 on x86, canonical upper half on
        // x64.
        if (value >> (width.saturating_mul(8).saturating_sub(1))) & 1 == 0 {
            continue;
        }
        // x64's convention has room on the stack for four arguments of each call, which most functions never write
        // (Microsoft Learn): what lies there is of older calls and looks like an address to return to.
        if let Some(module) = modules.locate(kernel.addr(Gva::from(value))).module
            && !found.contains(&module)
        {
            found.push(module);
            if found.len() >= MODULES_CAP {
                break;
            }
        }
    }
    found
}
