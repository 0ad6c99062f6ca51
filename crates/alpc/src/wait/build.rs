//! Gathers the graph of waits from a dump.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use kdump::{Gva, Gxa};

use crate::contract::{Message, Thread, ThreadControl, WaitBlock};
use crate::kernel::{At, Kernel, Read};
use crate::port;
use crate::process;
use crate::queue::QueueKind;
use crate::thread::{self, AlpcWait, ReplyWait, ThreadRecord, WaitObject, WaitObjectKind};
use crate::value::{Hole, Value};
use crate::wait::clock::Clock;
use crate::wait::edge::{Certainty, Edge, EdgeKind, Evidence};
use crate::wait::graph::{Graph, Role, Unread};
use crate::wait::node::{
    CompletionPortNode, MessageNode, Node, NodeId, ObjectNode, PortLabel, PortNode, ProcessNode, ThreadNode,
};
use crate::wait::queues::Queues;
use crate::wait::servers::{self, Servers};
use crate::wait::trouble::{self, PortTrouble};

/// Threads after which gathering gives up; far more than any live system has. In a hostile dump the list of
/// every process may lead through all threads.
const CAP: usize = 1 << 20;

/// `WAIT_TYPE`: all objects of a wait must be signaled.
const WAIT_ALL: u64 = 0;

/// Gathers all waits of the system.
#[must_use]
pub fn waits(kernel: &Kernel<'_>) -> Graph {
    let mut builder = Builder::new(kernel);
    builder.follow_all();
    builder.finish()
}

/// Gathers all waits of the system, and the way on from a message that nobody may wait for.
#[must_use]
pub fn waits_with_message(kernel: &Kernel<'_>, message: Gva) -> (Graph, NodeId) {
    let mut builder = Builder::new(kernel);
    builder.follow_all();
    let node = builder.message(message);
    (builder.finish(), node)
}

/// Gathers all waits of the system, and the ports that are in trouble.
#[must_use]
pub fn waits_with_trouble(kernel: &Kernel<'_>) -> (Graph, Vec<PortTrouble>) {
    let mut builder = Builder::new(kernel);
    builder.follow_all();
    let trouble = trouble::find(&mut builder);
    (builder.finish(), trouble)
}

/// Gathers the way on from a thread that nothing may wait for, and that may wait for nothing.
#[must_use]
pub fn waits_with_thread(kernel: &Kernel<'_>, thread: Gva) -> (Graph, NodeId) {
    let mut builder = Builder::new(kernel);
    builder.follow_all();
    let node = builder.thread(thread);
    (builder.finish(), node)
}

/// Gathers the graph, and remembers what it has read.
pub(crate) struct Builder<'k, 'd> {
    pub(crate) kernel: &'k Kernel<'d>,
    graph: Graph,
    records: HashMap<Gva, Rc<ThreadRecord>>,
    queues: Queues,
    completion_ports: HashMap<Gva, Read<Rc<Servers>>>,
    labels: HashMap<Gva, PortLabel>,
    /// Threads whose waits were followed.
    followed: HashSet<Gva>,
    /// Threads that something leads to, but no process lists.
    unlisted: Vec<Gva>,
}

impl<'k, 'd> Builder<'k, 'd> {
    fn new(kernel: &'k Kernel<'d>) -> Self {
        Self {
            kernel,
            graph: Graph::new(Clock::read(kernel).into()),
            records: HashMap::new(),
            queues: Queues::default(),
            completion_ports: HashMap::new(),
            labels: HashMap::new(),
            followed: HashSet::new(),
            unlisted: Vec::new(),
        }
    }

    fn follow_all(&mut self) {
        let threads = self.list_threads();
        self.graph.threads = threads.len();
        for thread in threads {
            self.follow(thread);
        }
        self.follow_unlisted();
    }

    fn finish(mut self) -> Graph {
        self.follow_unlisted();
        self.graph
    }

    fn follow_unlisted(&mut self) {
        while let Some(thread) = self.unlisted.pop() {
            if self.followed.len() >= CAP {
                break;
            }
            self.follow(thread);
        }
    }

    pub(crate) fn unread(&mut self, what: &'static str, at: Option<Gva>, why: Hole) {
        let at = at.map(|at| self.kernel.addr(at));
        self.graph.unread.push(Unread::new(what, at, why));
    }

    /// All threads of all processes.
    fn list_threads(&mut self) -> Vec<Gva> {
        let processes = match process::processes(self.kernel) {
            Ok(list) => {
                if let Err(hole) = list.complete("the list of processes") {
                    self.unread("processes", None, hole);
                }
                list.entries
            }
            Err(hole) => {
                self.unread("processes", None, hole);
                Vec::new()
            }
        };
        let mut threads = Vec::new();
        for process in processes {
            match thread::threads_of(self.kernel.at(process)) {
                Ok(list) => {
                    if let Err(hole) = list.complete("the list of the process's threads") {
                        self.unread("threads of a process", Some(process), hole);
                    }
                    threads.extend(list.entries);
                }
                Err(hole) => self.unread("threads of a process", Some(process), hole),
            }
            if threads.len() > CAP {
                let hole = Hole::Walk(format!("gave up after {CAP} threads"));
                self.unread("threads", None, hole);
                threads.truncate(CAP);
                break;
            }
        }
        threads
    }

    fn record(&mut self, thread: Gva) -> Rc<ThreadRecord> {
        let kernel = self.kernel;
        let read = || Rc::new(thread::thread(kernel, thread));
        Rc::clone(self.records.entry(thread).or_insert_with(read))
    }

    /// Adds what a thread waits for.
    fn follow(&mut self, thread: Gva) {
        if !self.followed.insert(thread) {
            return;
        }
        let record = self.record(thread);
        if let Value::Missing(hole) = &record.state {
            self.unread("thread", Some(thread), (**hole).clone());
            return;
        }
        match &record.alpc_wait {
            Value::Known(Some(AlpcWait::Reply(reply))) => self.reply(thread, reply),
            Value::Known(_) => self.objects(thread, &record),
            Value::Missing(hole) => self.unconfirmed_reply(thread, hole),
        }
    }

    /// A thread waits for a reply: its own message pointer says so, and the message names it.
    fn reply(&mut self, thread: Gva, reply: &ReplyWait) {
        let from = self.thread(thread);
        let at = self.kernel.addr(thread);
        let to = self.message(reply.message.gva());
        let mut evidence = vec![
            Evidence::address("_ETHREAD.AlpcMessageId", at, reply.message),
            Evidence::address("_KALPC_MESSAGE.WaitingThread", reply.message, at),
        ];
        evidence.extend(self.wait_reason(thread));
        evidence.extend(self.waits_at_semaphore(thread));
        let edge = Edge::new(to, EdgeKind::Reply, Certainty::Proven, evidence);
        self.graph.connect(from, edge);
    }

    /// A thread seems to wait for a reply, but the message cannot be read: nothing confirms it.
    fn unconfirmed_reply(&mut self, thread: Gva, hole: &Hole) {
        let Ok(message) = self.kernel.at(thread).pointer(Thread::AlpcMessageId) else {
            self.unread("thread", Some(thread), hole.clone());
            return;
        };
        let from = self.thread(thread);
        let at = self.kernel.addr(thread);
        let to = self.message(message);
        let message = self.kernel.addr(message);
        let mut evidence = vec![
            Evidence::address("_ETHREAD.AlpcMessageId", at, message),
            Evidence::hole("_KALPC_MESSAGE.WaitingThread", message, hole.clone()),
        ];
        evidence.extend(self.wait_reason(thread));
        evidence.extend(self.waits_at_semaphore(thread));
        let edge = Edge::new(to, EdgeKind::Reply, Certainty::Unknown, evidence);
        self.graph.connect(from, edge);
    }

    fn wait_reason(&mut self, thread: Gva) -> Option<Evidence> {
        let record = self.record(thread);
        let reason = record.wait_reason.known()?.name()?;
        Some(Evidence::word("_KTHREAD.WaitReason", record.address, reason))
    }

    /// The object of a wait for a reply is a semaphore in the thread itself.
    fn waits_at_semaphore(&mut self, thread: Gva) -> Option<Evidence> {
        let semaphore = self
            .kernel
            .at(thread)
            .address_of(Thread::AlpcWaitSemaphore)
            .ok()?;
        let record = self.record(thread);
        let objects = record.wait_objects.known()?;
        objects
            .iter()
            .find(|object| object.address.gva() == semaphore)
            .map(|object| Evidence::address("_KWAIT_BLOCK.Object", record.address, object.address))
    }

    /// What a thread waits for otherwise, as far as that has an owner.
    fn objects(&mut self, thread: Gva, record: &ThreadRecord) {
        let objects = match &record.wait_objects {
            Value::Known(objects) => objects.as_slice(),
            Value::Missing(hole) if hole.is_absence() => &[],
            Value::Missing(hole) => {
                self.unread("wait blocks of a thread", Some(thread), (**hole).clone());
                &[]
            }
        };
        let any = objects.len() > 1 && wait_type(self.kernel.at(thread)).ok() != Some(WAIT_ALL);
        for object in objects {
            self.object(thread, object, any);
        }
    }

    fn object(&mut self, thread: Gva, object: &WaitObject, any: bool) {
        let kind = match &object.kind {
            Value::Known(kind) => kind,
            Value::Missing(hole) => {
                self.unread("wait object of a thread", Some(thread), (**hole).clone());
                return;
            }
        };
        let to = match *kind {
            WaitObjectKind::MUTANT => (self.mutant(object), EdgeKind::Acquires),
            WaitObjectKind::THREAD => (self.thread(object.address.gva()), EdgeKind::EndOfThread),
            WaitObjectKind::PROCESS => (self.process(object.address.gva()), EdgeKind::EndOfProcess),
            _ => return,
        };
        let from = self.thread(thread);
        let at = self.kernel.addr(thread);
        let mut evidence = vec![Evidence::address("_KWAIT_BLOCK.Object", at, object.address)];
        let name = kind.name();
        evidence.extend(name.map(|name| Evidence::word("_DISPATCHER_HEADER.Type", object.address, name)));
        evidence.extend(any.then(|| Evidence::word("_KWAIT_BLOCK.WaitType", at, "WaitAny")));
        let mut edge = Edge::new(to.0, to.1, Certainty::Proven, evidence);
        edge.any = any;
        self.graph.connect(from, edge);
    }

    fn mutant(&mut self, object: &WaitObject) -> NodeId {
        let address = object.address.gva();
        if let Some(known) = self.graph.find(Role::Object, address) {
            return known;
        }
        let owner = match &object.owner {
            Some(Value::Known(owner)) => Value::Known((!owner.is_null()).then_some(*owner)),
            Some(Value::Missing(hole)) => Value::Missing(hole.clone()),
            None => Value::Known(None),
        };
        let node = Node::Mutant(ObjectNode {
            address: object.address,
            owner: owner.clone(),
        });
        let id = self.graph.add(Role::Object, address, node);
        if let Value::Known(Some(owner)) = owner {
            let evidence = vec![Evidence::address("_KMUTANT.OwnerThread", object.address, owner)];
            self.held_by(id, owner.gva(), evidence);
        }
        id
    }

    fn held_by(&mut self, object: NodeId, owner: Gva, evidence: Vec<Evidence>) {
        if !thread::is_thread(self.kernel, owner) {
            return;
        }
        let to = self.thread(owner);
        let edge = Edge::new(to, EdgeKind::HeldBy, Certainty::Proven, evidence);
        self.graph.connect(object, edge);
    }

    fn thread(&mut self, address: Gva) -> NodeId {
        if let Some(known) = self.graph.find(Role::Thread, address) {
            return known;
        }
        let record = self.record(address);
        let node = ThreadNode::new(self.kernel, &self.graph.clock, &record);
        if !self.followed.contains(&address) {
            self.unlisted.push(address);
        }
        self.graph.add(Role::Thread, address, Node::Thread(node))
    }

    fn process(&mut self, address: Gva) -> NodeId {
        if let Some(known) = self.graph.find(Role::Process, address) {
            return known;
        }
        let node = ProcessNode::new(self.kernel, address);
        self.graph.add(Role::Process, address, Node::Process(node))
    }

    /// A message, and whoever is to answer it.
    fn message(&mut self, address: Gva) -> NodeId {
        if let Some(known) = self.graph.find(Role::Message, address) {
            return known;
        }
        let message = self.kernel.at(address);
        let port = message.pointer(Message::PortQueue);
        let place = port.clone().and_then(|port| match port.u64() {
            0 => Ok(None),
            _ => self.queues.find(self.kernel, port, address),
        });
        let label = port
            .clone()
            .map(|port| (port.u64() != 0).then(|| self.label(port)));
        let node = Node::Message(MessageNode::new(message, place.clone(), label));
        let id = self.graph.add(Role::Message, address, node);
        if let Some(port) = port.ok().filter(|port| port.u64() != 0) {
            self.answer(id, message, port, &place);
        }
        id
    }

    fn label(&mut self, port: Gva) -> PortLabel {
        let kernel = self.kernel;
        let label = || PortLabel::new(kernel.at(port));
        self.labels.entry(port).or_insert_with(label).clone()
    }

    /// The way on from a message that is queued at a port.
    fn answer(&mut self, id: NodeId, message: At<'_, '_>, port: Gva, place: &Read<Option<QueueKind>>) {
        let at = self.kernel.addr(message.address());
        let on_port = self.kernel.addr(port);
        let says_pending = message
            .uint(Message::QueueType)
            .is_ok_and(|kind| Some(kind) == QueueKind::Pending.queue_type());
        let (received, certainty) = match place {
            Ok(Some(kind)) => (*kind == QueueKind::Pending, Certainty::Proven),
            Ok(None) => (says_pending, Certainty::Inferred),
            Err(_) => (says_pending, Certainty::Inferred),
        };
        let in_queue = match place {
            Ok(Some(kind)) => Evidence::word(list_of(*kind), on_port, "has the message"),
            Ok(None) => Evidence::word("_ALPC_PORT queues", on_port, "none has the message"),
            Err(hole) => Evidence::hole("_ALPC_PORT queues", on_port, hole.clone()),
        };
        if received && let Some((server, evidence)) = self.server_thread(message) {
            let to = self.thread(server);
            let evidence = vec![in_queue, evidence];
            let edge = Edge::new(to, EdgeKind::ReceivedBy, certainty, evidence);
            self.graph.connect(id, edge);
            return;
        }
        let to = self.port(port);
        let evidence = vec![
            in_queue,
            Evidence::address("_KALPC_MESSAGE.PortQueue", at, on_port),
        ];
        self.graph
            .connect(id, Edge::new(to, EdgeKind::QueuedAt, certainty, evidence));
    }

    /// The thread that received a message, when there is such a thread.
    fn server_thread(&self, message: At<'_, '_>) -> Option<(Gva, Evidence)> {
        let server = message.pointer(Message::ServerThread).ok()?;
        if server.u64() == 0 || !thread::is_thread(self.kernel, server) {
            return None;
        }
        let at = self.kernel.addr(message.address());
        let server_at = self.kernel.addr(server);
        Some((
            server,
            Evidence::address("_KALPC_MESSAGE.ServerThread", at, server_at),
        ))
    }

    /// A port, its owner, and the threads that serve it.
    fn port(&mut self, address: Gva) -> NodeId {
        if let Some(known) = self.graph.find(Role::Port, address) {
            return known;
        }
        let port = self.kernel.at(address);
        let servers = self.servers(port);
        let node = Node::Port(Box::new(self.port_node(port)));
        let id = self.graph.add(Role::Port, address, node);
        self.owner(id, port);
        if let Ok(servers) = servers
            && servers.counts.all_blocked()
        {
            let completion_port = servers::completion_port(port).ok().flatten();
            self.serve(id, address, completion_port, &servers);
        }
        id
    }

    /// What is told of a port.
    pub(crate) fn port_node(&mut self, port: At<'_, '_>) -> PortNode {
        let counts = self.servers(port).map(|servers| servers.counts.clone());
        PortNode::new(port, counts)
    }

    fn servers(&mut self, port: At<'_, '_>) -> Read<Rc<Servers>> {
        match servers::completion_port(port)? {
            Some(queue) => self.servers_of_completion_port(queue),
            None => self.servers_of_wait_queue(port),
        }
    }

    fn owner(&mut self, id: NodeId, port: At<'_, '_>) {
        let Ok((owner, _)) = port::owner_process(port) else {
            return;
        };
        if owner.u64() == 0 {
            return;
        }
        let to = self.process(owner);
        let evidence = vec![Evidence::address(
            "_ALPC_PORT.OwnerProcess",
            self.kernel.addr(port.address()),
            self.kernel.addr(owner),
        )];
        let edge = Edge::new(to, EdgeKind::OwnedBy, Certainty::Proven, evidence);
        self.graph.connect(id, edge);
    }

    fn servers_of_completion_port(&mut self, queue: Gva) -> Read<Rc<Servers>> {
        if let Some(known) = self.completion_ports.get(&queue) {
            return known.clone();
        }
        let kernel = self.kernel;
        let servers =
            servers::of_completion_port(kernel, queue, |thread| servers::state(&self.record(thread)));
        let servers = servers.map(Rc::new);
        self.completion_ports.insert(queue, servers.clone());
        servers
    }

    fn servers_of_wait_queue(&mut self, port: At<'_, '_>) -> Read<Rc<Servers>> {
        let kernel = self.kernel;
        let serving = self.queues.serving(kernel, port.address());
        servers::of_wait_queue(kernel.at(port.address()), &serving, |thread| {
            servers::state(&self.record(thread))
        })
        .map(Rc::new)
    }

    /// Where all threads that serve a port wait for something else, the port waits for any of them.
    fn serve(&mut self, id: NodeId, port: Gva, completion_port: Option<Gva>, servers: &Servers) {
        let Some(queue) = completion_port else {
            return self.served_by(id, port, "_KALPC_MESSAGE.ServerThread", servers);
        };
        let known = self.graph.find(Role::CompletionPort, queue);
        let node = known.unwrap_or_else(|| {
            let address = self.kernel.addr(queue);
            let node = Node::CompletionPort(CompletionPortNode { address });
            let node = self.graph.add(Role::CompletionPort, queue, node);
            self.served_by(node, queue, "_KQUEUE.ThreadListHead", servers);
            node
        });
        let evidence = vec![Evidence::address(
            "_ALPC_PORT.CompletionPort",
            self.kernel.addr(port),
            self.kernel.addr(queue),
        )];
        let edge = Edge::new(node, EdgeKind::Reports, Certainty::Inferred, evidence);
        self.graph.connect(id, edge);
    }

    fn served_by(&mut self, id: NodeId, of: Gva, field: &'static str, servers: &Servers) {
        for &thread in &servers.blocked {
            let to = self.thread(thread);
            let evidence = vec![Evidence::address(
                field,
                self.kernel.addr(of),
                self.kernel.addr(thread),
            )];
            let edge = Edge::new(to, EdgeKind::ServedBy, Certainty::Inferred, evidence);
            self.graph.connect(id, edge);
        }
    }
}

fn list_of(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Main => "_ALPC_PORT.MainQueue",
        QueueKind::Direct => "_ALPC_PORT.DirectQueue",
        QueueKind::Large => "_ALPC_PORT.LargeMessageQueue",
        QueueKind::Pending => "_ALPC_PORT.PendingQueue",
        QueueKind::Canceled => "_ALPC_PORT.CanceledQueue",
    }
}

/// Whether all or any of the objects end a wait: the same in all blocks of one wait.
fn wait_type(thread: At<'_, '_>) -> Read<u64> {
    let first = thread
        .embedded(Thread::Tcb)?
        .pointer(ThreadControl::WaitBlockList)?;
    Ok(thread.kernel().at(first).uint(WaitBlock::WaitType)? & 0xff)
}
