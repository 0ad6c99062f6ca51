//! Gathers the graph of waits from a dump.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use kdump::Gva;
use ntkernel::image::contract::{self, Message, Thread, ThreadControl, WaitBlock, WaitChainEntry};
use ntkernel::image::expected::Expected;
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Unreadable, Value};
use ntkernel::object::dispatcher::WaitObjectKind;
use ntkernel::object::marks::expect;
use ntkernel::process;
use ntkernel::process::irp::{self, IrpNode, Request, Tie};
use ntkernel::process::thread::{self, WaitObject, WaitReason};

use crate::port;
use crate::port::call::Calls;
use crate::port::queue::QueueKind;
use crate::port::waiter::{self, AlpcWait, ReplyWait, ThreadRecord};
use crate::wait::apartments::{self, Called, MadeCall, Received};
use crate::wait::edge::{Certainty, Edge, EdgeKind, Evidence, EvidenceField, Says, member};
use crate::wait::graph::{Graph, Role};
use crate::wait::locks::{self, Resources, Waiters};
use crate::wait::node::{
    CompletionPortNode, LockKind, LockNode, MessageNode, Node, NodeId, ObjectNode, PortLabel, PortNode,
    ProcessNode, ThreadNode,
};
use crate::wait::queues::Queues;
use crate::wait::servers::{self, Servers};
use crate::wait::service::Services;
use crate::wait::unread::{Part, Unread};
use ntkernel::process::clock::Clock;
use ntkernel::why;

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

/// Gathers the way on from a thread that nothing may wait for, and that may wait for nothing.
#[must_use]
pub fn waits_with_thread(kernel: &Kernel<'_>, thread: Gva) -> (Graph, NodeId) {
    let mut builder = Builder::new(kernel);
    builder.follow_all();
    let node = builder.thread(thread);
    (builder.finish(), node)
}

/// The threads that note that they hold a lock.
#[derive(Default)]
struct Holders {
    /// Each with its entry, by lock.
    by_lock: HashMap<Gva, Vec<(Gva, Gva)>>,
    /// Why the notes of some threads cannot be read.
    gap: Option<Unreadable>,
}

/// Why it is not told which lock a thread waits for, or who owns it.
struct Unfollowed {
    /// In words.
    why: String,
    /// What hides it, when memory does.
    hole: Option<Unreadable>,
}

impl Unfollowed {
    fn told(why: String) -> Self {
        Self { why, hole: None }
    }

    /// The same with a hole, if that hides anything.
    fn or(self, hole: Unreadable) -> Self {
        Self {
            hole: self.hole.or(Some(hole).filter(Unreadable::hides)),
            ..self
        }
    }
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
    /// All threads of all processes.
    listed: Vec<Gva>,
    services: Services<'d>,
    /// The executive resources, read when a thread may wait for one.
    resources: Option<Read<Rc<Resources>>>,
    /// Owners of resources that were told so far.
    owners: usize,
    /// The threads that note that they hold a lock, by lock; read when a thread notes that it waits for one.
    holders: Option<Holders>,
    /// Why the locks that threads wait for are not told.
    unknown_locks: HashMap<Gva, String>,
    calls: Calls<'k, 'd>,
    /// Calls of COM that threads have received for an apartment: see [`apartments`].
    received: Vec<Received>,
}

impl<'k, 'd> Builder<'k, 'd> {
    pub(crate) fn new(kernel: &'k Kernel<'d>) -> Self {
        Self {
            kernel,
            graph: Graph::new(Clock::read(kernel).into()),
            records: HashMap::new(),
            queues: Queues::default(),
            completion_ports: HashMap::new(),
            labels: HashMap::new(),
            followed: HashSet::new(),
            unlisted: Vec::new(),
            listed: Vec::new(),
            services: Services::default(),
            resources: None,
            owners: 0,
            holders: None,
            unknown_locks: HashMap::new(),
            calls: Calls::new(kernel),
            received: Vec::new(),
        }
    }

    pub(crate) fn follow_all(&mut self) {
        self.listed = self.list_threads();
        self.graph.threads = self.listed.len();
        for at in 0..self.listed.len() {
            if let Some(&thread) = self.listed.get(at) {
                self.follow(thread);
            }
        }
        self.follow_unlisted();
    }

    pub(crate) fn finish(mut self) -> Graph {
        self.follow_unlisted();
        self.com_calls();
        self.requests();
        for (thread, why) in std::mem::take(&mut self.unknown_locks) {
            let node = self.graph.find(Role::Thread, thread);
            if let Some(node) = node.and_then(|node| self.graph.thread_mut(node)) {
                node.lock_unknown = Some(why);
            }
        }
        self.graph
    }

    fn follow_unlisted(&mut self) {
        while let Some(thread) = self.unlisted.pop() {
            if self.followed.len() >= CAP {
                let hole = Unreadable::Walk(why!("gave up after {} threads", CAP));
                self.unread(Part::Threads, None, hole);
                break;
            }
            self.follow(thread);
        }
    }

    pub(crate) fn unread(&mut self, what: Part, at: Option<Gva>, why: Unreadable) {
        let at = at.map(|at| self.kernel.addr(at));
        self.graph.unread.push(Unread::new(what, at, why));
    }

    /// All threads of all processes.
    fn list_threads(&mut self) -> Vec<Gva> {
        let processes = match process::processes(self.kernel) {
            Ok(list) => {
                if let Err(hole) = list.complete("the list of processes") {
                    self.unread(Part::Processes, None, hole);
                }
                list.entries
            }
            Err(hole) => {
                self.unread(Part::Processes, None, hole);
                Vec::new()
            }
        };
        let mut threads = Vec::new();
        for process in processes {
            // System's are among them, which call services too: win32k does at winlogon's WMsgKRpc..., ksecdd at
            // lsass' lsasspirpc (a published graph of Windows 10 has both, as connections of process 4).
            match thread::threads_of(self.kernel.at(process)) {
                Ok(list) => {
                    if let Err(hole) = list.complete("the list of the process's threads") {
                        self.unread(Part::ThreadsOfProcess, Some(process), hole);
                    }
                    threads.extend(list.entries);
                }
                Err(hole) => self.unread(Part::ThreadsOfProcess, Some(process), hole),
            }
            if threads.len() > CAP {
                let hole = Unreadable::Walk(why!("gave up after {} threads", CAP));
                self.unread(Part::Threads, None, hole);
                threads.truncate(CAP);
                break;
            }
        }
        threads
    }

    fn record(&mut self, thread: Gva) -> Rc<ThreadRecord> {
        let kernel = self.kernel;
        let read = || Rc::new(waiter::thread(kernel, thread));
        Rc::clone(self.records.entry(thread).or_insert_with(read))
    }

    /// Adds what a thread waits for.
    fn follow(&mut self, thread: Gva) {
        if !self.followed.insert(thread) {
            return;
        }
        let record = self.record(thread);
        if let Value::Missing(hole) = &record.state {
            self.unread(Part::Thread, Some(thread), (**hole).clone());
            return;
        }
        match &record.alpc_wait {
            Value::Known(Some(AlpcWait::Reply(reply))) => self.reply(thread, reply),
            Value::Known(_) => self.objects(thread, &record),
            Value::Missing(hole) => self.unconfirmed_reply(thread, hole),
        }
        // What is told of the thread is in its node. Few are asked for again, so keeping all would double the memory.
        self.records.remove(&thread);
    }

    /// A thread waits for a reply: its own message pointer says so, the message names it, and it waits at its own
    /// semaphore for replies, as far as that can be told.
    fn reply(&mut self, thread: Gva, reply: &ReplyWait) {
        let from = self.thread(thread);
        let at = self.kernel.addr(thread);
        let to = self.message(reply.message.gva());
        let mut evidence = vec![
            Evidence::address(member(Thread::AlpcMessageId), at, reply.message),
            Evidence::address(member(Message::WaitingThread), reply.message, at),
        ];
        evidence.extend(self.wait_reason(thread));
        // Three witnesses: the thread's pointer, the message's, and the object that it waits at, which is a
        // semaphore in the thread itself.
        let certainty = match &reply.at_reply_semaphore {
            Value::Known(true) => {
                evidence.extend(self.waits_at_semaphore(thread));
                Certainty::Proven
            }
            Value::Known(false) => {
                // A thread that was suspended within its wait waits at something else now. Its message still stands
                // in the server's queue, so the wait goes on when it is resumed.
                evidence.push(Evidence::word(
                    member(WaitBlock::Object),
                    at,
                    "what it is suspended with",
                ));
                Certainty::Inferred
            }
            Value::Missing(hole) => {
                evidence.push(Evidence::unreadable(
                    member(WaitBlock::Object),
                    at,
                    (**hole).clone(),
                ));
                Certainty::Inferred
            }
        };
        let edge = Edge::new(to, EdgeKind::Reply, certainty, evidence);
        self.graph.connect(from, edge);
    }

    /// A thread says that it waits for a reply, but the message cannot be read, or none is there: nothing confirms it.
    fn unconfirmed_reply(&mut self, thread: Gva, hole: &Unreadable) {
        let Ok(message) = self.kernel.at(thread).pointer(Thread::AlpcMessageId) else {
            self.unread(Part::Thread, Some(thread), hole.clone());
            return;
        };
        let from = self.thread(thread);
        let at = self.kernel.addr(thread);
        let to = self.message(message);
        let message = self.kernel.addr(message);
        let mut evidence = vec![
            Evidence::address(member(Thread::AlpcMessageId), at, message),
            Evidence::unreadable(member(Message::WaitingThread), message, hole.clone()),
        ];
        evidence.extend(self.wait_reason(thread));
        evidence.extend(self.waits_at_semaphore(thread));
        let edge = Edge::new(to, EdgeKind::Reply, Certainty::Unknown, evidence);
        self.graph.connect(from, edge);
    }

    fn wait_reason(&mut self, thread: Gva) -> Option<Evidence> {
        let record = self.record(thread);
        let reason = record.wait_reason.known()?.name()?;
        Some(Evidence::word(
            member(ThreadControl::WaitReason),
            record.address,
            reason,
        ))
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
            .map(|object| Evidence::address(member(WaitBlock::Object), record.address, object.address))
    }

    /// What a thread waits for otherwise, as far as that has an owner.
    fn objects(&mut self, thread: Gva, record: &ThreadRecord) {
        let objects = match &record.wait_objects {
            Value::Known(objects) => objects.as_slice(),
            Value::Missing(hole) if hole.is_absence() => &[],
            Value::Missing(hole) => {
                self.unread(Part::WaitBlocks, Some(thread), (**hole).clone());
                &[]
            }
        };
        let any = objects.len() > 1 && wait_type(self.kernel.at(thread)).ok() != Some(WAIT_ALL);
        for object in objects {
            self.object(thread, object, any);
        }
        self.lock(thread, record, objects);
    }

    /// The lock of the executive that a thread waits for, by the reason that it gives.
    fn lock(&mut self, thread: Gva, record: &ThreadRecord, objects: &[WaitObject]) {
        if !record.state.known().is_some_and(|state| state.is_waiting()) {
            return;
        }
        let Some(&reason) = record.wait_reason.known() else {
            return;
        };
        let found = match reason {
            // Below ExAcquireResourceExclusiveLite and ...SharedLite in published stacks; win32k has one for all
            // windows of a Windows session, at which threads queue up (win32kbase!EnterCrit).
            WaitReason::WR_RESOURCE => self.resource(thread, objects),
            // Which reason a thread gives before a resource is the kernel's own affair.
            WaitReason::EXECUTIVE | WaitReason::WR_EXECUTIVE => {
                let _ = self.resource(thread, objects);
                return;
            }
            WaitReason::WR_FAST_MUTEX | WaitReason::WR_GUARDED_MUTEX => {
                self.fast_mutex(thread, objects).or_else(|hole| {
                    let noted = self.noted_lock(thread, LockKind::FastMutex);
                    noted.map_err(|unfollowed| unfollowed.or(hole))
                })
            }
            // Its own wait block is of no use: the object is an event on the waiter's own stack, as in one published
            // stack of Windows 10 below ExfAcquirePushLockExclusiveEx.
            WaitReason::WR_PUSH_LOCK => self.noted_lock(thread, LockKind::PushLock),
            _ => return,
        };
        if let Err(Unfollowed { why, hole }) = found {
            self.unknown_locks.insert(thread, why);
            if let Some(hole) = hole {
                self.unread(Part::Lock, Some(thread), hole);
            }
        }
    }

    /// The executive resource that a thread waits for.
    fn resource(&mut self, thread: Gva, objects: &[WaitObject]) -> Result<(), Unfollowed> {
        let kernel = self.kernel;
        let resources = self
            .resources()
            .map_err(|hole| Unfollowed::told(format!("executive resource, not followed: {hole}")))?;
        let line = objects.iter().find_map(|object| {
            let line = resources.find(kernel, object.address.gva(), thread)?;
            Some((line, object.address))
        });
        let Some((line, object)) = line else {
            return Err(match &resources.gap {
                Some(hole) => Unfollowed::told(format!("executive resource, not found: {hole}")),
                // Its owner may wait in turn, whoever that is.
                None => {
                    let why = "none of the system's list has the thread in line";
                    Unfollowed {
                        why: format!("executive resource, not found: {why}"),
                        hole: Some(Unreadable::Walk(why!("{}", why))),
                    }
                }
            });
        };
        let at = kernel.addr(thread);
        let mut evidence = vec![Evidence::address(member(WaitBlock::Object), at, object)];
        let resource = kernel.addr(line.resource);
        match line.entry {
            None => evidence.push(Evidence::address(line.waiters.member(), resource, object)),
            Some(entry) => {
                let entry = kernel.addr(entry);
                evidence.push(Evidence::address(member(WaitChainEntry::Event), entry, object));
                if kernel.has(WaitChainEntry::Thread) {
                    evidence.push(Evidence::address(member(WaitChainEntry::Thread), entry, at));
                }
                evidence.push(Evidence::word(
                    line.waiters.member(),
                    resource,
                    "has the entry in its line",
                ));
            }
        }
        evidence.extend(self.wait_reason(thread));
        let from = self.thread(thread);
        let to = self.resource_node(line.resource, &resources);
        self.graph.connect(
            from,
            Edge::new(to, EdgeKind::Acquires, Certainty::Proven, evidence),
        );
        Ok(())
    }

    /// The executive resources. That some cannot be read is told once, for any thread may wait for one of these.
    fn resources(&mut self) -> Read<Rc<Resources>> {
        if let Some(known) = &self.resources {
            return known.clone();
        }
        let resources = Resources::read(self.kernel).map(Rc::new);
        let gap = match &resources {
            Ok(resources) => resources.gap.as_ref(),
            Err(hole) => Some(hole),
        };
        if let Some(hole) = gap.filter(|hole| hole.hides()).cloned() {
            self.unread(Part::Resources, None, hole);
        }
        self.resources = Some(resources.clone());
        resources
    }

    fn resource_node(&mut self, address: Gva, resources: &Resources) -> NodeId {
        if let Some(known) = self.graph.find(Role::Lock, address) {
            return known;
        }
        let kernel = self.kernel;
        let owners = locks::owners(kernel.at(address));
        let owners = owners.and_then(|mut owners| {
            let mut seen = HashSet::new();
            owners.owners.retain(|owner| seen.insert(owner.thread));
            if !owners.exclusive {
                owners
                    .owners
                    .retain(|owner| !self.waits_to_share(owner.thread, address, resources));
            }
            // Where memory hides that a thread only waits to share it, it would pass for an owner.
            let listed = owners.owners.len();
            if u64::try_from(listed).unwrap_or(u64::MAX) < owners.active {
                return Err(Unreadable::Walk(why!("{} threads own the resource, but its table has {} of them", owners.active, listed)));
            }
            if u64::try_from(listed).unwrap_or(u64::MAX) > owners.active {
                return Err(Unreadable::Walk(why!("{} of the {} threads in the resource's table own it, but it cannot be determined which ones", owners.active, listed)));
            }
            self.owners = self.owners.saturating_add(listed);
            if self.owners > CAP {
                return Err(Unreadable::Walk(why!("gave up after {} owners of resources", CAP)));
            }
            Ok(owners)
        });
        let known = owners.as_ref().ok();
        // ExSetResourceOwnerPointer: a driver may release the resource from another thread than that which took it,
        // and then names a block of its own, with the two lowest bits set (WDK).
        let of_driver = known.is_some_and(|owners| owners.owners.iter().any(|owner| owner.is_pointer()));
        let node = Node::Lock(LockNode {
            address: kernel.addr(address),
            lock: LockKind::Resource,
            exclusive: known.map(|owners| owners.exclusive),
            unknown: of_driver.then_some("a driver gave it to something that is no thread"),
            owners: owners
                .clone()
                .map(|owners| {
                    owners
                        .owners
                        .iter()
                        .map(|owner| kernel.addr(owner.thread))
                        .collect()
                })
                .into(),
        });
        let id = self.graph.add(Role::Lock, address, node);
        let Ok(owners) = owners else {
            return id;
        };
        let how = if owners.exclusive {
            "owned by one alone"
        } else {
            "shared: each owner must release it"
        };
        for owner in owners.owners.iter().filter(|owner| !owner.is_pointer()) {
            let (entry, thread) = (kernel.addr(owner.entry), kernel.addr(owner.thread));
            let evidence = vec![
                Evidence::address(member(contract::OwnerEntry::OwnerThread), entry, thread),
                Evidence::word(
                    member(contract::ExecutiveResource::Flag),
                    kernel.addr(address),
                    how,
                ),
            ];
            self.held_by(id, owner.thread, Certainty::Proven, evidence);
        }
        id
    }

    /// Whether a thread waits to share a resource: its place among the owners is taken before it may have it.
    fn waits_to_share(&mut self, thread: Gva, resource: Gva, resources: &Resources) -> bool {
        if !thread::is_certainly_thread(self.kernel, thread) {
            return false;
        }
        let record = self.record(thread);
        let objects = record.wait_objects.known().map_or(&[][..], Vec::as_slice);
        objects.iter().any(|object| {
            resources
                .find(self.kernel, object.address.gva(), thread)
                .is_some_and(|line| line.resource == resource && line.waiters == Waiters::Shared)
        })
    }

    /// The fast mutex that a thread waits for, which names its owner.
    fn fast_mutex(&mut self, thread: Gva, objects: &[WaitObject]) -> Result<(), Unreadable> {
        let kernel = self.kernel;
        let [object] = objects else {
            return Err(Unreadable::Implausible(why!("not one wait block")));
        };
        let (address, owner) = locks::fast_mutex(kernel, object.address.gva())?;
        let (at, mutex, owner_at) = (kernel.addr(thread), kernel.addr(address), kernel.addr(owner));
        let mut evidence = vec![
            Evidence::address(member(WaitBlock::Object), at, object.address),
            Evidence::address(member(contract::FastMutex::Event), mutex, object.address),
        ];
        evidence.extend(self.wait_reason(thread));
        let from = self.thread(thread);
        let id = self.graph.find(Role::Lock, address).unwrap_or_else(|| {
            let node = Node::Lock(LockNode {
                address: mutex,
                lock: LockKind::FastMutex,
                exclusive: Some(true),
                owners: Value::Known(vec![owner_at]),
                unknown: None,
            });
            let id = self.graph.add(Role::Lock, address, node);
            let evidence = vec![Evidence::address(
                member(contract::FastMutex::Owner),
                mutex,
                owner_at,
            )];
            self.held_by(id, owner, Certainty::Proven, evidence);
            id
        });
        self.graph.connect(
            from,
            Edge::new(id, EdgeKind::Acquires, Certainty::Proven, evidence),
        );
        Ok(())
    }

    /// The lock that a thread notes that it waits for, and the threads that note that they hold it. The notes serve
    /// the scheduler, not the lock, so all of this is inferred.
    fn noted_lock(&mut self, thread: Gva, kind: LockKind) -> Result<(), Unfollowed> {
        let kernel = self.kernel;
        let entries = locks::entries(kernel.at(thread)).map_err(|hole| {
            Unfollowed::told(format!("{}, no owner recorded: {hole}", kind.name())).or(hole)
        })?;
        let mut waiting = entries.iter().filter(|entry| entry.waiting);
        let (Some(entry), None) = (waiting.next(), waiting.next()) else {
            return Err(Unfollowed::told(format!(
                "{}, no owner recorded: the thread's lock entries do not name one lock that it waits for",
                kind.name()
            )));
        };
        let (at, lock) = (kernel.addr(thread), kernel.addr(entry.lock));
        let mut evidence = vec![Evidence::address(
            EvidenceField::Words("_KLOCK_ENTRY.LockState"),
            kernel.addr(entry.at),
            lock,
        )];
        evidence.push(Evidence::word(
            EvidenceField::Words("_KLOCK_ENTRY.Waiting"),
            kernel.addr(entry.at),
            "set",
        ));
        evidence.push(Evidence::address(
            member(ThreadControl::LockEntries),
            at,
            kernel.addr(entry.at),
        ));
        evidence.extend(self.wait_reason(thread));
        let from = self.thread(thread);
        let to = self.noted_node(entry.lock, kind);
        self.graph.connect(
            from,
            Edge::new(to, EdgeKind::Acquires, Certainty::Inferred, evidence),
        );
        Ok(())
    }

    fn noted_node(&mut self, lock: Gva, kind: LockKind) -> NodeId {
        if let Some(known) = self.graph.find(Role::Lock, lock) {
            return known;
        }
        let kernel = self.kernel;
        let (holders, gap) = self.holders_of(lock);
        let owners = match gap {
            Some(hole) if holders.is_empty() => Err(hole),
            _ => Ok(holders.iter().map(|&(thread, _)| kernel.addr(thread)).collect()),
        };
        let node = Node::Lock(LockNode {
            address: kernel.addr(lock),
            lock: kind,
            exclusive: None,
            unknown: (owners.is_ok() && holders.is_empty())
                .then_some("no owner recorded: no thread has a lock entry that says that it holds it"),
            owners: owners.into(),
        });
        let id = self.graph.add(Role::Lock, lock, node);
        for (thread, entry) in holders {
            let (thread_at, entry_at) = (kernel.addr(thread), kernel.addr(entry));
            let evidence = vec![
                Evidence::address(
                    EvidenceField::Words("_KLOCK_ENTRY.LockState"),
                    entry_at,
                    kernel.addr(lock),
                ),
                Evidence::word(EvidenceField::Words("_KLOCK_ENTRY.Acquired"), entry_at, "set"),
                Evidence::address(member(ThreadControl::LockEntries), thread_at, entry_at),
            ];
            self.held_by(id, thread, Certainty::Inferred, evidence);
        }
        id
    }

    /// The threads that note that they hold a lock, each with its entry, and what hides that others do.
    fn holders_of(&mut self, lock: Gva) -> (Vec<(Gva, Gva)>, Option<Unreadable>) {
        let (kernel, listed) = (self.kernel, &self.listed);
        let holders = self.holders.get_or_insert_with(|| {
            let mut holders = Holders::default();
            for &thread in listed {
                let entries = locks::entries(kernel.at(thread)).unwrap_or_else(|hole| {
                    holders.gap = holders.gap.take().or(Some(hole).filter(Unreadable::hides));
                    Vec::new()
                });
                for entry in entries.into_iter().filter(|entry| entry.held) {
                    let known = holders.by_lock.entry(entry.lock).or_default();
                    known.push((thread, entry.at));
                }
            }
            holders
        });
        let known = holders.by_lock.get(&lock).cloned().unwrap_or_default();
        (known, holders.gap.clone())
    }

    fn is_for_apartment(&self, message: NodeId) -> bool {
        let message = self.graph.node(message);
        matches!(message, Some(Node::Message(message)) if Called::of(message).is_some())
    }

    /// Calls of COM: those that were received, to the threads that must run them, and threads to the calls that they made.
    /// Each may lead to more of the other.
    fn com_calls(&mut self) {
        let made = apartments::made_calls(self.kernel, &self.calls);
        let senders = apartments::senders(self.kernel, &self.listed, &made);
        for call in &made {
            if let Some(&sender) = senders.get(&call.client) {
                self.made_call(sender, call);
            }
        }
        while let Some(received) = self.received.pop() {
            self.received_call(&received);
            self.follow_unlisted();
        }
    }

    /// A thread to the call that it made, if it may wait for it.
    fn made_call(&mut self, sender: Gva, call: &MadeCall) {
        let kernel = self.kernel;
        // An STA that calls out goes on dispatching window messages until the answer comes, so that calls to its own
        // objects can come in meanwhile (Microsoft Learn, "Single-Threaded Apartments"). The kernel sees a thread
        // that waits for input.
        if !apartments::may_wait(&self.record(sender)) {
            return;
        }
        let known = self.graph.find(Role::Thread, sender);
        let next = known.and_then(|thread| self.graph.next(thread));
        // It waits for the reply by its own message already: that is proven, and this would only be inferred.
        if next.is_some_and(|edge| edge.edge != EdgeKind::ComCall) {
            return;
        }
        let from = self.thread(sender);
        let (at, message) = (kernel.addr(sender), kernel.addr(call.message));
        let to = self.message(call.message);
        let mut evidence = vec![
            Evidence::address(member(contract::PortMessage::ClientId), message, at),
            Evidence::address(EvidenceField::Words("LOCALTHIS.dwClientThread"), message, at),
        ];
        let causality = call.causality.map(|causality| causality.to_string());
        evidence.extend(causality.map(|causality| Evidence {
            field: EvidenceField::Words("ORPCTHIS.cid"),
            of: message,
            value: Says::Text(causality),
        }));
        evidence.extend(self.wait_reason(sender));
        let edge = Edge::new(to, EdgeKind::ComCall, Certainty::Inferred, evidence);
        self.graph.connect(from, edge);
    }

    /// A call that was received to the thread of its apartment: by way of the thread that received it, which waits for that
    /// one to run it.
    fn received_call(&mut self, received: &Received) {
        let kernel = self.kernel;
        let Some(message) = self.graph.node(received.message).map(Node::address) else {
            return;
        };
        let apartment = received.called.thread;
        let mut evidence = vec![Evidence::address(
            EvidenceField::Words("LRPC object UUID (IPID)"),
            message,
            apartment,
        )];
        let from = match received.by {
            None => {
                let none = kernel.addr(Gva::new(0));
                evidence.push(Evidence::address(member(Message::ServerThread), message, none));
                received.message
            }
            // A thread of the apartment that receives its calls itself has nobody to hand them to.
            Some(by) if by == apartment.gva() => return,
            Some(by) => {
                let from = self.thread(by);
                let waits = self.graph.thread(from).and_then(|node| node.state.known());
                if !waits.is_some_and(|state| state.is_waiting()) || self.graph.next(from).is_some() {
                    return;
                }
                let by = kernel.addr(by);
                evidence.push(Evidence::address(member(Message::ServerThread), message, by));
                from
            }
        };
        let to = self.thread(apartment.gva());
        let edge = Edge::new(to, EdgeKind::Apartment, Certainty::Inferred, evidence);
        self.graph.connect(from, edge);
    }

    /// The I/O requests that threads of the graph wait for. An idle system is full of threads that wait for a
    /// request, and nobody waits for these: they have no place in it.
    fn requests(&mut self) {
        let threads: Vec<(NodeId, Gva)> = self
            .graph
            .nodes()
            .filter(|(id, _)| self.graph.next(*id).is_none())
            .filter_map(|(id, node)| Some((id, node.thread()?.address.gva())))
            .collect();
        let mut left = CAP;
        for (id, thread) in threads {
            let Some(waits) = self.events_of(id) else {
                continue;
            };
            // What the symbols do not describe is not followed: the thread says what it waits at.
            let Ok(list) = irp::requests_of(self.kernel.at(thread)) else {
                continue;
            };
            let requests = list.entries.get(..left.min(list.entries.len()));
            let requests = requests.unwrap_or_default();
            left = left.saturating_sub(requests.len());
            self.requests_of(id, thread, &waits, requests);
        }
    }

    /// The events that a thread waits at.
    fn events_of(&self, id: NodeId) -> Option<Vec<WaitObject>> {
        let thread = self.graph.thread(id)?;
        let objects = thread.wait_objects.known()?.iter();
        let may_be_event = |object: &&WaitObject| object.kind.known().is_none_or(|kind| kind.is_event());
        let events: Vec<WaitObject> = objects.filter(may_be_event).cloned().collect();
        (!events.is_empty()).then_some(events)
    }

    /// Of a thread's requests those that its wait ends with. Which others it has is told where its chain ends.
    fn requests_of(&mut self, id: NodeId, thread: Gva, events: &[WaitObject], requests: &[Gva]) {
        let kernel = self.kernel;
        let objects = self.graph.thread(id).and_then(|node| node.wait_objects.known());
        let any = objects.is_some_and(|objects| objects.len() > 1)
            && wait_type(kernel.at(thread)).ok() != Some(WAIT_ALL);
        let mut lost = Vec::new();
        let mut tied = false;
        for &request in requests {
            let read = Request::at(kernel, request)
                .and_then(|request| request.thread().map(|names| (request, names)));
            let (request_read, names) = match read {
                Ok(read) => read,
                Err(hole) => {
                    if hole.hides() {
                        lost.push((request, hole));
                    }
                    continue;
                }
            };
            if names != thread {
                continue;
            }
            // An IRP names the event that it ends with (UserEvent), or the file whose event does: only such a
            // request is what the thread waits for, and not any other that it has open.
            let tie = events.iter().find_map(|event| {
                let tie = request_read.tie(event.address.gva()).ok()??;
                Some((event, tie))
            });
            if let Some((event, tie)) = tie {
                tied = true;
                self.end_of_request(id, thread, event, request, &tie, any);
            }
        }
        if !tied && let [event] = events {
            for (request, hole) in lost {
                self.lost_request(id, thread, event, request, hole, any);
            }
        }
    }

    fn end_of_request(
        &mut self,
        id: NodeId,
        thread: Gva,
        event: &WaitObject,
        request: Gva,
        tie: &Tie,
        any: bool,
    ) {
        let kernel = self.kernel;
        let (at, request_at) = (kernel.addr(thread), kernel.addr(request));
        let mut evidence = vec![Evidence::address(member(WaitBlock::Object), at, event.address)];
        let by = tie.by.iter().flatten();
        evidence.extend(by.map(|&(name, of, says)| {
            Evidence::address(EvidenceField::Member(name), kernel.addr(of), kernel.addr(says))
        }));
        evidence.push(Evidence::address(member(contract::Irp::Thread), request_at, at));
        evidence.push(Evidence::word(member(Thread::IrpList), at, "has the request"));
        evidence.extend(self.wait_reason(thread));
        evidence.extend(any.then(|| Evidence::word(member(WaitBlock::WaitType), at, "WaitAny")));
        // At the lock of a file wait those who come later. That the thread's own request keeps it is likely, not said.
        // (A file that was opened for synchronous I/O takes one request at a time; the others wait at its Lock.)
        let certainty = if tie.ends_with_it {
            Certainty::Proven
        } else {
            Certainty::Inferred
        };
        let to = self.request_node(request);
        let mut edge = Edge::new(to, EdgeKind::EndOfRequest, certainty, evidence);
        edge.any = any;
        self.graph.connect(id, edge);
    }

    /// A request of a thread that waits at an event, and memory hides whether it waits for this request.
    fn lost_request(
        &mut self,
        id: NodeId,
        thread: Gva,
        event: &WaitObject,
        request: Gva,
        hole: Unreadable,
        any: bool,
    ) {
        let kernel = self.kernel;
        let at = kernel.addr(thread);
        let mut evidence = vec![
            Evidence::address(member(WaitBlock::Object), at, event.address),
            Evidence::address(member(Thread::IrpList), at, kernel.addr(request)),
            Evidence::unreadable(member(contract::Irp::UserEvent), kernel.addr(request), hole),
        ];
        evidence.extend(self.wait_reason(thread));
        let to = self.request_node(request);
        let mut edge = Edge::new(to, EdgeKind::EndOfRequest, Certainty::Unknown, evidence);
        edge.any = any;
        self.graph.connect(id, edge);
    }

    /// A request, and the driver that has it.
    fn request_node(&mut self, address: Gva) -> NodeId {
        if let Some(known) = self.graph.find(Role::Irp, address) {
            return known;
        }
        let kernel = self.kernel;
        let node = IrpNode::new(kernel, address);
        let (device, driver) = (
            node.device.known().copied().flatten(),
            node.known_driver().cloned(),
        );
        let id = self.graph.add(Role::Irp, address, Node::Irp(Box::new(node)));
        // What has the request now, maybe a filter or a disk far below the device that the program opened.
        let location = Request::at(kernel, address).and_then(Request::location);
        if let (Some(device), Some(driver), Ok(Some(location))) = (device, driver, location) {
            let location = kernel.addr(location.address());
            let evidence = vec![
                Evidence::address(
                    member(contract::Irp::CurrentStackLocation),
                    kernel.addr(address),
                    location,
                ),
                Evidence::address(member(contract::IoStackLocation::DeviceObject), location, device),
                Evidence::address(
                    member(contract::DeviceObject::DriverObject),
                    device,
                    driver.address,
                ),
            ];
            let at = driver.address.gva();
            let to = self
                .graph
                .find(Role::Driver, at)
                .unwrap_or_else(|| self.graph.add(Role::Driver, at, Node::Driver(driver)));
            let edge = Edge::new(to, EdgeKind::PendingAt, Certainty::Proven, evidence);
            self.graph.connect(id, edge);
        }
        id
    }

    fn object(&mut self, thread: Gva, object: &WaitObject, any: bool) {
        let kind = match &object.kind {
            Value::Known(kind) => kind,
            Value::Missing(hole) => {
                self.unread(Part::WaitObject, Some(thread), (**hole).clone());
                return;
            }
        };
        let to = match *kind {
            // A mutex of programs; mutant is the kernel's word for it (Windows Internals).
            WaitObjectKind::MUTANT => (self.mutant(object), EdgeKind::Acquires),
            // A way to hang a process with one thread: DllMain waits for a thread to end, which needs the loader
            // lock to do so (Microsoft Learn, "Dynamic-Link Library Best Practices").
            WaitObjectKind::THREAD => (self.thread(object.address.gva()), EdgeKind::EndOfThread),
            WaitObjectKind::PROCESS => (self.process(object.address.gva()), EdgeKind::EndOfProcess),
            _ => return,
        };
        let from = self.thread(thread);
        let at = self.kernel.addr(thread);
        let mut evidence = vec![Evidence::address(member(WaitBlock::Object), at, object.address)];
        let name = kind.name();
        evidence.extend(
            name.map(|name| Evidence::word(member(contract::DispatcherHeader::Type), object.address, name)),
        );
        evidence.extend(any.then(|| Evidence::word(member(WaitBlock::WaitType), at, "WaitAny")));
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
            // A free one names no thread. One whose owner ended without releasing it is free too, and abandoned: the
            // next one gets it with WAIT_ABANDONED.
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
            let evidence = vec![Evidence::address(
                member(contract::Mutant::OwnerThread),
                object.address,
                owner,
            )];
            self.held_by(id, owner.gva(), Certainty::Proven, evidence);
        }
        id
    }

    fn held_by(&mut self, object: NodeId, owner: Gva, certainty: Certainty, evidence: Vec<Evidence>) {
        let to = self.thread(owner);
        let edge = Edge::new(to, EdgeKind::HeldBy, certainty, evidence);
        self.graph.connect(object, edge);
    }

    fn thread(&mut self, address: Gva) -> NodeId {
        if let Some(known) = self.graph.find(Role::Thread, address) {
            return known;
        }
        let record = self.record(address);
        let mut node = ThreadNode::new(self.kernel, &self.graph.clock, &record);
        node.service = self.services.of(self.kernel, &record);
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
        let kernel = self.kernel;
        let message = kernel.at(address);
        let there = expect(kernel, Expected::Message, address);
        let port = there
            .clone()
            .and_then(|()| message.pointer(Message::PortQueue))
            .and_then(|port| match port.u64() {
                0 => Ok(None),
                _ => port::expect(kernel, port).map(|()| Some(port)),
            });
        let place = port
            .clone()
            .and_then(|port| port.map_or(Ok(None), |port| self.queues.find(kernel, port, address)));
        let label = port.clone().map(|port| port.map(|port| self.label(port)));
        let received = port.clone().and_then(|port| match (&place, port) {
            (_, None) => Ok(false),
            (Ok(Some(kind)), _) => Ok(*kind == QueueKind::Pending),
            _ => says_pending(message),
        });
        let server = received.and_then(|received| {
            let server = received.then(|| message.pointer(Message::ServerThread));
            Ok((received, server.transpose()?.filter(|server| server.u64() != 0)))
        });
        let named = server.clone().map(|(_, server)| server);
        let call = there.as_ref().ok().and_then(|()| self.calls.told(address));
        let node = MessageNode::new(message, there, place.clone(), label, named, call);
        let called = Called::of(&node);
        let hidden = apartments::hidden_thread(&node);
        let id = self.graph.add(Role::Message, address, Node::Message(node));
        if let (Ok(Some(port)), Ok((received, server))) = (port, server) {
            self.answer(id, message, port, &place, received, server);
            if let Some(hole) = hidden.filter(|_| received) {
                self.unread(Part::Apartment, Some(address), hole);
            }
            if let Some(called) = called.filter(|_| received) {
                self.received.push(Received {
                    message: id,
                    by: server,
                    called,
                });
            }
        }
        id
    }

    fn label(&mut self, port: Gva) -> PortLabel {
        let kernel = self.kernel;
        let label = || PortLabel::new(kernel.at(port));
        let label = self.labels.entry(port).or_insert_with(label);
        PortLabel {
            address: label.address,
            name: kernel.again(&label.name),
            owner: label.owner.clone(),
        }
    }

    /// The way on from a message that is queued at a port.
    fn answer(
        &mut self,
        id: NodeId,
        message: At<'_, '_>,
        port: Gva,
        place: &Read<Option<QueueKind>>,
        received: bool,
        server: Option<Gva>,
    ) {
        let kernel = self.kernel;
        let (at, on_port) = (kernel.addr(message.address()), kernel.addr(port));
        let certainty = match place {
            Ok(Some(_)) => Certainty::Proven,
            Ok(None) | Err(_) => Certainty::Inferred,
        };
        let mut evidence = vec![match place {
            Ok(Some(kind)) => Evidence::word(list_of(*kind), on_port, "has the message"),
            Ok(None) => Evidence::word(
                EvidenceField::Words("_ALPC_PORT queues"),
                on_port,
                "none has the message",
            ),
            Err(hole) => {
                Evidence::unreadable(EvidenceField::Words("_ALPC_PORT queues"), on_port, hole.clone())
            }
        }];
        let (to, edge) = match (received, server) {
            // Set when a thread receives the message, cleared by its reply, and null as long as the message is
            // in the main queue (a published message of Windows 8 has it so).
            (true, Some(server)) => {
                let named = kernel.addr(server);
                evidence.push(Evidence::address(member(Message::ServerThread), at, named));
                (self.thread(server), EdgeKind::ReceivedBy)
            }
            // Whoever received it: where it is for an apartment, that says more than the process does.
            (true, None) if self.is_for_apartment(id) => return,
            (true, None) => match self.receiver(kernel.at(port)) {
                Ok(Some(owner)) => {
                    let none = kernel.addr(Gva::new(0));
                    evidence.push(Evidence::address(member(Message::ServerThread), at, none));
                    evidence.push(Evidence::address(
                        member(contract::Port::OwnerProcess),
                        on_port,
                        kernel.addr(owner),
                    ));
                    (self.receiver_node(owner), EdgeKind::ReceivedBy)
                }
                Ok(None) => (self.port(port), EdgeKind::QueuedAt),
                Err(_) => return,
            },
            (false, _) => (self.port(port), EdgeKind::QueuedAt),
        };
        if edge == EdgeKind::QueuedAt {
            evidence.push(Evidence::address(member(Message::PortQueue), at, on_port));
        }
        self.graph.connect(id, Edge::new(to, edge, certainty, evidence));
    }

    /// The process that received a port's pending messages: its owner. None when that one has closed it or ended.
    fn receiver(&self, port: At<'_, '_>) -> Read<Option<Gva>> {
        // Closed is bit 0 of the pointer to the owner, which stays in place.
        let (owner, closed) = port::owner_process(port)?;
        if closed || owner.u64() == 0 {
            return Ok(None);
        }
        let ended = matches!(
            ProcessNode::new(self.kernel, owner).exit_time,
            Value::Known(Some(_))
        );
        Ok((!ended).then_some(owner))
    }

    fn receiver_node(&mut self, process: Gva) -> NodeId {
        if let Some(known) = self.graph.find(Role::Receiver, process) {
            return known;
        }
        let node = ProcessNode {
            is_receiver: true,
            ..ProcessNode::new(self.kernel, process)
        };
        self.graph.add(Role::Receiver, process, Node::Process(node))
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
            member(contract::Port::OwnerProcess),
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
            return self.served_by(id, port, member(Message::ServerThread), servers);
        };
        let known = self.graph.find(Role::CompletionPort, queue);
        let node = known.unwrap_or_else(|| {
            let address = self.kernel.addr(queue);
            let node = Node::CompletionPort(CompletionPortNode { address });
            let node = self.graph.add(Role::CompletionPort, queue, node);
            self.served_by(node, queue, member(contract::Queue::ThreadListHead), servers);
            node
        });
        let evidence = vec![Evidence::address(
            member(contract::Port::CompletionPort),
            self.kernel.addr(port),
            self.kernel.addr(queue),
        )];
        let edge = Edge::new(node, EdgeKind::Reports, Certainty::Inferred, evidence);
        self.graph.connect(id, edge);
    }

    fn served_by(&mut self, id: NodeId, of: Gva, field: EvidenceField, servers: &Servers) {
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

/// Whether a message says of itself that it was received and not answered.
fn says_pending(message: At<'_, '_>) -> Read<bool> {
    let kind = message.uint(Message::QueueType)?;
    Ok(Some(kind) == QueueKind::Pending.queue_type())
}

fn list_of(kind: QueueKind) -> EvidenceField {
    match kind {
        QueueKind::Main => member(contract::Port::MainQueue),
        QueueKind::Direct => member(contract::Port::DirectQueue),
        QueueKind::Large => member(contract::Port::LargeMessageQueue),
        QueueKind::Pending => member(contract::Port::PendingQueue),
        QueueKind::Canceled => member(contract::Port::CanceledQueue),
    }
}

/// Whether all or any of the objects end a wait: the same in all blocks of one wait.
fn wait_type(thread: At<'_, '_>) -> Read<u64> {
    let first = thread
        .embedded(Thread::Tcb)?
        .pointer(ThreadControl::WaitBlockList)?;
    // WaitAll is 0 and WaitAny 1 (wdm.h); WaitNotification, WaitDequeue and WaitDpc came later.
    Ok(thread.kernel().at(first).uint(WaitBlock::WaitType)? & 0xff)
}
