//! What stands in the graph of waits: threads, messages, ports, mutants and other locks, processes, completion ports,
//! I/O requests and the drivers that have them.

use kdump::{FileTime, Gva, TimeSpan};
use ntkernel::image::contract::{Message, PortMessage, Process};
use ntkernel::image::expected::Expected;
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::object::marks::expect;
use ntkernel::process::ProcessRef;
use ntkernel::process::irp::{DriverNode, IrpNode};
use ntkernel::process::thread::{ThreadState, WaitObject, WaitReason};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::call::{Call, Told};
use crate::port::message::MessageType;
use crate::port::queue::QueueKind;
use crate::port::waiter::ThreadRecord;
use crate::port::{self, PortKind};
use crate::wait::servers::ServerCounts;
use crate::wait::service::Service;
use ntkernel::process::clock::Clock;

/// Number of a node in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// The number.
    #[must_use]
    pub fn number(self) -> usize {
        self.0
    }
}

/// Something that waits, or that is waited for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case"))]
pub enum Node {
    /// A thread.
    Thread(ThreadNode),
    /// A message whose reply is waited for.
    Message(MessageNode),
    /// A port in whose queue a message stands.
    Port(Box<PortNode>),
    /// The threads that serve one or several ports together.
    CompletionPort(CompletionPortNode),
    /// A mutant, which a thread owns.
    Mutant(ObjectNode),
    /// A lock of the executive.
    Lock(LockNode),
    /// A process.
    Process(ProcessNode),
    /// An I/O request.
    Irp(Box<IrpNode>),
    /// A driver that has I/O requests.
    Driver(DriverNode),
}

impl Node {
    /// Its address.
    #[must_use]
    pub fn address(&self) -> Addr {
        match self {
            Self::Thread(node) => node.address,
            Self::Message(node) => node.address,
            Self::Port(node) => node.address,
            Self::CompletionPort(node) => node.address,
            Self::Mutant(node) => node.address,
            Self::Lock(node) => node.address,
            Self::Process(node) => node.address,
            Self::Irp(node) => node.address,
            Self::Driver(node) => node.address,
        }
    }

    /// The process that it is, or that it belongs to.
    #[must_use]
    pub fn process(&self) -> Option<Gva> {
        let owner = match self {
            Self::Thread(node) => &node.process,
            Self::Port(node) => &node.owner,
            Self::Process(node) => return Some(node.address.gva()),
            _ => return None,
        };
        let owner = owner.known().and_then(Option::as_ref);
        owner.map(|process| process.address.gva())
    }

    /// What hides its way on, where its chain ends as unreadable.
    #[must_use]
    pub fn reason(&self) -> Option<&Unreadable> {
        match self {
            Self::Thread(node) => {
                let own = node.state.reason().or(node.wait_reason.reason());
                own.or_else(|| node.hidden_object())
            }
            Self::Message(node) => {
                let owner = node.port.known().and_then(Option::as_ref);
                node.port
                    .reason()
                    .or(node.queue.reason())
                    .or(node.server_thread.reason())
                    .or(owner.and_then(|port| port.owner.reason()))
            }
            Self::Port(node) => node
                .servers
                .reason()
                .or(node.servers.known().and_then(|servers| servers.complete.reason())),
            Self::Mutant(node) => node.owner.reason(),
            Self::Lock(node) => node.owners.reason(),
            Self::Process(node) => node.exit_time.reason(),
            Self::Irp(node) => node.thread.reason(),
            Self::CompletionPort(_) | Self::Driver(_) => None,
        }
    }

    /// The thread, if it is one.
    #[must_use]
    pub fn thread(&self) -> Option<&ThreadNode> {
        match self {
            Self::Thread(node) => Some(node),
            _ => None,
        }
    }
}

/// A thread in the graph.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ThreadNode {
    /// Its `_ETHREAD`.
    pub address: Addr,
    /// Its process's id.
    pub process_id: Value<u64>,
    /// Its id.
    pub thread_id: Value<u64>,
    /// Its process.
    pub process: Value<Option<ProcessRef>>,
    /// What it is doing.
    pub state: Value<ThreadState>,
    /// The processor that it runs on or was last meant for.
    pub processor: Value<u32>,
    /// Why it waits; the last reason, when it does not.
    pub wait_reason: Value<WaitReason>,
    /// How often it was suspended and not resumed.
    pub suspend_count: Value<u32>,
    /// How long its wait has lasted, in 100 ns; none when it does not wait.
    pub waited: Value<Option<TimeSpan>>,
    /// The objects that it waits for.
    pub wait_objects: Value<Vec<WaitObject>>,
    /// The service that it works for; none when its thread environment block is not in the dump or names none.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub service: Option<Service>,
    /// Why the lock that it waits for, or that lock's owner, is not told; none when it waits for no lock, or it is.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub lock_unknown: Option<String>,
}

impl ThreadNode {
    pub(crate) fn new(kernel: &Kernel<'_>, clock: &Value<Clock>, record: &ThreadRecord) -> Self {
        let thread = kernel.at(record.address.gva());
        let waited = clock.get().and_then(|clock| clock.waited(thread));
        Self {
            address: record.address,
            process_id: record.process_id.clone(),
            thread_id: record.thread_id.clone(),
            process: record.process.clone(),
            state: record.state.clone(),
            processor: record.processor.clone(),
            wait_reason: record.wait_reason.clone(),
            suspend_count: record.suspend_count.clone(),
            waited: waited.map(|waited| waited.map(TimeSpan)).into(),
            wait_objects: record.wait_objects.clone(),
            service: None,
            lock_unknown: None,
        }
    }

    /// How long its wait has lasted, in 100 ns, when it waits and that is known.
    #[must_use]
    pub fn waited(&self) -> Option<u64> {
        self.waited.known().copied().flatten().map(|span| span.0)
    }

    /// What hides what it waits for: such a thing may have an owner.
    pub(crate) fn hidden_object(&self) -> Option<&Unreadable> {
        let objects = self.wait_objects.known().map_or(&[][..], Vec::as_slice);
        let kinds = objects.iter().map(|object| object.kind.reason());
        std::iter::once(self.wait_objects.reason())
            .chain(kinds)
            .flatten()
            .find(|hole| hole.hides())
    }

    /// Whether it was suspended and not resumed.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        // A debugger that stops a process raises FreezeCount instead.
        self.suspend_count.known().is_some_and(|&count| count > 0)
    }
}

/// A message in the graph.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct MessageNode {
    /// Its `_KALPC_MESSAGE`.
    pub address: Addr,
    /// `_PORT_MESSAGE.MessageId`.
    pub message_id: Value<u32>,
    /// Its type.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub message_type: Value<MessageType>,
    /// The sender gave it up.
    pub canceled: Value<bool>,
    /// The queue that it was found in; none when it is in none.
    pub queue: Value<Option<QueueKind>>,
    /// The port that the message names as the one whose queue it is in.
    pub port: Value<Option<PortLabel>>,
    /// The thread that received it; none while nobody has, and where the message does not name it.
    pub server_thread: Value<Option<Addr>>,
    /// The call that it is; none when its data is of no protocol that is known.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub call: Option<Told<Box<Call>>>,
}

/// A port in short.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PortLabel {
    /// Its `_ALPC_PORT`.
    pub address: Addr,
    /// The name of the connection port of its connection; none when that has none.
    pub name: Value<Option<String>>,
    /// The process that owns it, or owned it before it closed it.
    pub owner: Value<Option<ProcessRef>>,
}

impl PortLabel {
    pub(crate) fn new(port: At<'_, '_>) -> Self {
        let kernel = port.kernel();
        let owner = port::owner_process(port).map(|(owner, _)| owner);
        Self {
            address: kernel.addr(port.address()),
            name: name(port).into(),
            owner: owner
                .map(|owner| (owner.u64() != 0).then(|| ProcessRef::at(kernel, owner)))
                .into(),
        }
    }
}

impl MessageNode {
    /// The call that it is, where that is known.
    #[must_use]
    pub fn call(&self) -> Option<&Call> {
        self.call.as_ref()?.known().map(|call| &**call)
    }

    /// What is told of a message; `there` says why it is none.
    pub(crate) fn new(
        message: At<'_, '_>,
        there: Read<()>,
        queue: Read<Option<QueueKind>>,
        port: Read<Option<PortLabel>>,
        server_thread: Read<Option<Gva>>,
        call: Option<Told<Box<Call>>>,
    ) -> Self {
        let kernel = message.kernel();
        let header = there
            .clone()
            .and_then(|()| message.embedded(Message::PortMessage));
        Self {
            address: kernel.addr(message.address()),
            message_id: header
                .clone()
                .and_then(|header| header.u32(PortMessage::MessageId))
                .into(),
            message_type: header
                .and_then(|header| header.u16(PortMessage::Type))
                .map(MessageType::from_word)
                .into(),
            // Both can be true: the sender has given it up and the server still works on it.
            canceled: there.and_then(|()| message.flag(Message::Canceled)).into(),
            queue: queue.into(),
            port: port.into(),
            server_thread: server_thread
                .map(|server| server.map(|server| kernel.addr(server)))
                .into(),
            call,
        }
    }
}

/// A port in the graph.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PortNode {
    /// Its `_ALPC_PORT`.
    pub address: Addr,
    /// What it is in its connection.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: Value<Option<PortKind>>,
    /// The name of the connection port of its connection; none when that has none.
    pub name: Value<Option<String>>,
    /// The process that owns it, or owned it before it closed it.
    pub owner: Value<Option<ProcessRef>>,
    /// That process's id.
    pub owner_process_id: Value<Option<u64>>,
    /// Whether the owner closed it.
    pub owner_closed: Value<bool>,
    /// When the owner ended, in 100 ns since 1601; none while it runs, and without an owner.
    pub owner_exit_time: Value<Option<FileTime>>,
    /// Messages in its queues that were not received yet.
    pub unreceived: Value<u64>,
    /// The threads that serve it.
    pub servers: Value<ServerCounts>,
}

impl PortNode {
    pub(crate) fn new(port: At<'_, '_>, servers: Read<ServerCounts>) -> Self {
        let kernel = port.kernel();
        let owner = port::owner_process(port);
        let process = owner
            .clone()
            .map(|(owner, _)| (owner.u64() != 0).then_some(owner));
        let of_owner = |member: Process| {
            process
                .clone()
                .and_then(|owner| owner.map(|owner| of_process(kernel, owner, member)).transpose())
                .into()
        };
        Self {
            address: kernel.addr(port.address()),
            kind: port::kind_if_any(port).into(),
            name: name(port).into(),
            owner_process_id: of_owner(Process::UniqueProcessId),
            owner_exit_time: of_owner(Process::ExitTime)
                .map(|time| time.filter(|&ticks| ticks != 0).map(FileTime)),
            owner: process
                .map(|owner| owner.map(|owner| ProcessRef::at(kernel, owner)))
                .into(),
            owner_closed: owner.map(|(_, closed)| closed).into(),
            unreceived: unreceived(port).into(),
            servers: servers.into(),
        }
    }

    /// Whether nobody owns the port any more.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        let closed = self.owner_closed.known().is_some_and(|&closed| closed);
        let ended = matches!(self.owner_exit_time, Value::Known(Some(_)));
        closed || ended || matches!(self.owner, Value::Known(None))
    }
}

fn of_process(kernel: &Kernel<'_>, process: Gva, member: Process) -> Read<u64> {
    expect(kernel, Expected::Process, process)?;
    kernel.at(process).uint(member)
}

/// The name of a port's connection port; only that one has a name.
pub(crate) fn name(port: At<'_, '_>) -> Read<Option<String>> {
    // A communication port has none; the debugger prints the connection port's as well.
    match port::connection_port(port)? {
        Some(connection) => connection.name.get().cloned(),
        None => Ok(None),
    }
}

/// Messages of a port that were not received yet, by its counters.
pub(crate) fn unreceived(port: At<'_, '_>) -> Read<u64> {
    let mut total: u64 = 0;
    // What counts as not received yet: pending messages were, and notices of cancellation ask for nothing. The
    // direct queue is in none of the debugger's sums, but what stands in it waits too.
    for kind in [QueueKind::Main, QueueKind::Large, QueueKind::Direct] {
        if port.kernel().has(kind.counter()) {
            total = total.saturating_add(port.uint(kind.counter())?);
        }
    }
    Ok(total)
}

/// A completion port in the graph: a `_KQUEUE`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct CompletionPortNode {
    /// Its address.
    pub address: Addr,
}

/// A mutant in the graph.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ObjectNode {
    /// Its address.
    pub address: Addr,
    /// The thread that owns it; none when it is free.
    pub owner: Value<Option<Addr>>,
}

/// What kind of lock of the executive it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum LockKind {
    /// An executive resource: an `_ERESOURCE`.
    Resource,
    /// A push lock.
    PushLock,
    /// A fast mutex.
    FastMutex,
}

impl LockKind {
    /// The words for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Resource => "executive resource",
            Self::PushLock => "push lock",
            Self::FastMutex => "fast mutex",
        }
    }
}

/// A lock of the executive in the graph.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct LockNode {
    /// Its address.
    pub address: Addr,
    /// What it is.
    pub lock: LockKind,
    /// Whether one thread owns it alone; none for locks that do not tell.
    pub exclusive: Option<bool>,
    /// What it, or a thread's note, names as its owners. Each of several must release it.
    pub owners: Value<Vec<Addr>>,
    /// Why owners are not told.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub unknown: Option<&'static str>,
}

/// A process in the graph.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ProcessNode {
    /// Its `_EPROCESS`.
    pub address: Addr,
    /// Its id.
    pub process_id: Value<u64>,
    /// Its image name.
    pub image: Value<String>,
    /// When it ended, in 100 ns since 1601; none while it runs.
    pub exit_time: Value<Option<FileTime>>,
    /// Whether it stands for a thread of its own that received a message, and that nothing names.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "std::ops::Not::not"))]
    pub is_receiver: bool,
}

impl ProcessNode {
    /// The process at an address.
    #[must_use]
    pub fn new(kernel: &Kernel<'_>, address: Gva) -> Self {
        let process = kernel.at(address);
        let there = expect(kernel, Expected::Process, address);
        let number = |member| there.clone().and_then(|()| process.uint(member));
        Self {
            address: kernel.addr(address),
            process_id: number(Process::UniqueProcessId).into(),
            image: there
                .clone()
                .and_then(|()| ntkernel::process::image_name(process))
                .into(),
            exit_time: number(Process::ExitTime)
                .map(|ticks| (ticks != 0).then_some(FileTime(ticks)))
                .into(),
            is_receiver: false,
        }
    }
}
