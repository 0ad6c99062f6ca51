//! Conditions that a dump is held against, as a gate does that lets a change pass or not.
//!
//! There are three answers: it holds, it does not, and it cannot be determined. What the dump does not give never makes a
//! condition hold: each condition asks what the holes may hide, and holds only when that is nothing to it. What was
//! found breaks a condition whatever else is hidden.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::convert::Infallible;

use kdump::{Coverage, Gva, TimeSpan};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::call::{Call, Known, Told};
use crate::port::communication;
use crate::port::enumerate;
use crate::port::queue::QueueKind;
use crate::port::{self, PortKind};
use crate::report::portlist::{self, PortLine};
use crate::report::select;
use crate::report::stacks::{self, ThreadStack};
use crate::wait;
use crate::wait::edge::{Certainty, Edge, EdgeKind, Says};
use crate::wait::graph::Graph;
use crate::wait::hang::{Deadlock, Hang};
use crate::wait::node::{MessageNode, Node, NodeId, ThreadNode};
use crate::wait::unread::{Part, Unread};
use ntkernel::image::contract::Message;
use ntkernel::image::kernel::Kernel;
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::object;
use ntkernel::process::{self, ProcessRecord};
use ntkernel::why;

/// Things that one condition names; it counts all of them.
const NAMED: usize = 16;

/// Something that is to hold.
#[derive(Clone, Debug)]
pub enum Condition {
    /// No threads wait for each other.
    NoDeadlock {
        /// Nor might any: rings that need a step which is not proven count as well.
        possible: bool,
    },
    /// No wait for another thread or process is longer than this.
    Wait {
        /// How long one may be.
        longest: TimeSpan,
        /// Whose waits.
        whose: Whose,
    },
    /// Not more threads than this wait for another thread or process.
    Waiting {
        /// How many may.
        at_most: u64,
        /// Whose waits.
        whose: Whose,
    },
    /// No queue is longer than this.
    Queue {
        /// Messages that may be queued.
        at_most: u64,
        /// Name or path of the connection port; none for all ports of every kind.
        port: Option<String>,
        /// Which queue; none for the sum that the lists of ports show: main, pending, large, canceled.
        queue: Option<QueueKind>,
    },
    /// A named port is there, and as it should be.
    Port {
        /// Its name or path.
        port: String,
        /// Whether it is to be there at all.
        exists: bool,
        /// The image name of its owner.
        owner: Option<String>,
        /// How many connections it may have.
        connections: Option<u64>,
    },
    /// So many processes of an image run.
    Process {
        /// The image name.
        image: String,
        /// At least so many.
        at_least: u64,
        /// At most so many.
        at_most: Option<u64>,
    },
    /// The dump is whole enough.
    Coverage {
        /// Percent of the pages that it claims to hold are in it.
        pages: Option<f64>,
        /// Whether the walks of waits, ports and processes must not meet anything that cannot be read.
        readable: bool,
    },
    /// The signature of the hang is this or is not that.
    Signature(Signature),
    /// Not more threads than this have a function on their kernel stack.
    Stack {
        /// What the function's name, or module and name, has in it, in whatever case.
        function: String,
        /// How many may.
        at_most: u64,
        /// Only threads of this image.
        image: Option<String>,
    },
}

impl Condition {
    /// What kind it is of, as rule files and programs call it; stable.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoDeadlock { .. } => "no-deadlock",
            Self::Wait { .. } => "wait",
            Self::Waiting { .. } => "waiting",
            Self::Queue { .. } => "queue",
            Self::Port { .. } => "port",
            Self::Process { .. } => "process",
            Self::Coverage { .. } => "coverage",
            Self::Signature(_) => "signature",
            Self::Stack { .. } => "stack",
        }
    }
}

/// Whose waits a condition is about.
#[derive(Clone, Debug, Default)]
pub struct Whose {
    /// Those of threads of this image.
    pub image: Option<String>,
    /// Those for replies at this port, by name or path.
    pub port: Option<String>,
    /// Those for calls whose procedure or interface has this in its name, in whatever case.
    pub call: Option<String>,
}

/// What the signature of a hang is compared with.
#[derive(Clone, Debug)]
pub enum Signature {
    /// It is this line.
    Is(String),
    /// It is any line but this.
    IsNot(String),
    /// It matches.
    Matches(regex_lite::Regex),
    /// It does not match.
    MatchesNot(regex_lite::Regex),
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It cannot be determined, for something that matters to it cannot be read.
    Undecided,
}

/// What a condition came to.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Outcome {
    /// Whether it holds.
    pub verdict: Verdict,
    /// How many things were found that it is about: those that break it when it fails, else all of them.
    pub count: u64,
    /// These things, the worst first; the first sixteen.
    pub found: Vec<Found>,
    /// What could not be read and matters; empty unless it is undecided.
    pub unread: Vec<Unread>,
}

/// Something that a condition is about. What could not be read of it is none here, for it does not matter to the
/// verdict.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case"))]
pub enum Found {
    /// Threads that wait for each other.
    Deadlock(DeadlockFound),
    /// A thread that waits.
    Wait(WaitFound),
    /// A port.
    Port(PortFound),
    /// A process.
    Process(ProcessFound),
    /// How much of the dump is there.
    Pages(PagesFound),
    /// The signature.
    Signature(SignatureFound),
    /// A thread with a function on its stack.
    Stack(StackFound),
}

/// A deadlock.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct DeadlockFound {
    /// One of its threads.
    pub thread: Addr,
    /// Its signature.
    pub signature: String,
    /// How many threads wait for each other.
    pub threads: usize,
    /// Whether every step of it is proven.
    pub proven: bool,
}

/// A thread that waits for another thread or process.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct WaitFound {
    /// The thread.
    pub thread: Addr,
    /// Its process's id.
    pub process_id: Option<u64>,
    /// Its id.
    pub thread_id: Option<u64>,
    /// Its process's image name.
    pub image: Option<String>,
    /// The message whose reply it waits for, if it is that.
    pub message: Option<Addr>,
    /// The name of the port that this message was sent to.
    pub port: Option<String>,
    /// The call that the message is, where that is known: a procedure by its name, or as `lsarpc/76`.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub call: Option<String>,
    /// How long it has waited.
    pub waited: Option<TimeSpan>,
}

/// A port.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PortFound {
    /// Its `_ALPC_PORT`.
    pub port: Addr,
    /// Its full path.
    pub path: Option<String>,
    /// Image name of the process that owns it; none also when nobody does.
    pub owner: Option<String>,
    /// Messages in the queue or queues that the condition is about.
    pub queued: Option<u64>,
    /// Connections, when the condition is about them: as many as could be followed.
    pub connections: Option<u64>,
}

/// A process.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ProcessFound {
    /// Its `_EPROCESS`.
    pub process: Addr,
    /// Its id.
    pub process_id: Option<u64>,
    /// Its image name.
    pub image: Option<String>,
}

/// The pages of a dump.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PagesFound {
    /// Pages that the dump claims to hold.
    pub claimed: u64,
    /// Those that are in it.
    pub present: u64,
    /// Parts and values that the walks met and that cannot be read, when the condition is about them.
    pub unreadable: Option<u64>,
}

/// The signature of a hang.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct SignatureFound {
    /// The line, as `hang` tells it.
    pub signature: String,
}

/// A thread that has a function on its kernel stack.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct StackFound {
    /// The thread.
    pub thread: Addr,
    /// Its process's id.
    pub process_id: Option<u64>,
    /// Its id.
    pub thread_id: Option<u64>,
    /// Its process's image name.
    pub image: Option<String>,
    /// The innermost of the frames that are meant: `afd!AfdPoll+0x12`.
    pub site: String,
    /// How long it has waited.
    pub waited: Option<TimeSpan>,
}

/// Whether something is one of those that a condition is about.
enum Belongs {
    Yes,
    No,
    /// It cannot be determined.
    Maybe(Unread),
}

impl Belongs {
    fn when(read: Result<bool, Unreadable>, what: Part, at: Addr) -> Self {
        match read {
            Ok(true) => Self::Yes,
            Ok(false) => Self::No,
            Err(hole) => Self::Maybe(Unread::new(what, Some(at), hole)),
        }
    }

    fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::No => Self::No,
            Self::Yes => other(),
            Self::Maybe(hole) => match other() {
                Self::No => Self::No,
                Self::Yes | Self::Maybe(_) => Self::Maybe(hole),
            },
        }
    }
}

/// What a condition has gathered.
#[derive(Default)]
struct Gathered {
    /// Whether something found breaks it.
    broken: bool,
    /// What is found: with its rank, the greatest first.
    found: Vec<(u64, Found)>,
    /// What may break it, or may be what it asks for.
    unread: Vec<Unread>,
}

impl Gathered {
    fn outcome(mut self) -> Outcome {
        let verdict = match (self.broken, self.unread.is_empty()) {
            (true, _) => Verdict::Fail,
            (false, false) => Verdict::Undecided,
            (false, true) => Verdict::Pass,
        };
        self.found.sort_by_key(|(rank, _)| Reverse(*rank));
        if verdict != Verdict::Undecided {
            self.unread.clear();
        }
        Outcome {
            verdict,
            count: count(self.found.len()),
            found: self
                .found
                .into_iter()
                .map(|(_, found)| found)
                .take(NAMED)
                .collect(),
            unread: self.unread,
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// What conditions are held against. Each part is gathered when a condition first asks for it.
pub struct Facts<'k, 'd> {
    kernel: &'k Kernel<'d>,
    waits: OnceCell<Waits>,
    ports: OnceCell<Ports>,
    processes: OnceCell<Result<process::Processes, Unreadable>>,
}

struct Waits {
    graph: Graph,
    hang: Hang,
    /// Nodes whose way on cannot be read.
    doubts: Vec<Unread>,
}

struct Ports {
    lines: Vec<PortLine>,
    complete: Value<()>,
}

impl<'k, 'd> Facts<'k, 'd> {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(kernel: &'k Kernel<'d>) -> Self {
        Self {
            kernel,
            waits: OnceCell::new(),
            ports: OnceCell::new(),
            processes: OnceCell::new(),
        }
    }

    /// Holds the dump against a condition.
    #[must_use]
    pub fn check(&self, condition: &Condition) -> Outcome {
        match condition {
            Condition::NoDeadlock { possible } => self.no_deadlock(*possible),
            Condition::Wait { longest, whose } => self.wait(*longest, whose),
            Condition::Waiting { at_most, whose } => self.waiting(*at_most, whose),
            Condition::Queue { at_most, port, queue } => self.queue(*at_most, port.as_deref(), *queue),
            Condition::Port {
                port,
                exists,
                owner,
                connections,
            } => self.port(port, *exists, owner.as_deref(), *connections),
            Condition::Process {
                image,
                at_least,
                at_most,
            } => self.process(image, *at_least, *at_most),
            Condition::Coverage { pages, readable } => self.coverage(*pages, *readable),
            Condition::Signature(signature) => self.signature(signature),
            Condition::Stack {
                function,
                at_most,
                image,
            } => self.stack(function, *at_most, image.as_deref()),
        }
    }

    /// Threads that the walk of waits has looked at.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.waits().graph.threads
    }

    fn waits(&self) -> &Waits {
        self.waits.get_or_init(|| {
            let graph = wait::waits(self.kernel);
            Waits {
                hang: Hang::of_graph(self.kernel.dump(), &graph),
                doubts: doubts(self.kernel, &graph),
                graph,
            }
        })
    }

    fn ports(&self) -> &Ports {
        self.ports.get_or_init(|| {
            let all = enumerate::ports(self.kernel);
            Ports {
                lines: portlist::lines(self.kernel, &all.ports).collect(),
                complete: all.complete,
            }
        })
    }

    fn processes(&self) -> &Result<process::Processes, Unreadable> {
        self.processes.get_or_init(|| process::all(self.kernel))
    }
}

/// Deadlocks.
impl Facts<'_, '_> {
    fn no_deadlock(&self, possible: bool) -> Outcome {
        let Waits { graph, hang, doubts } = self.waits();
        let proven = hang.deadlocks.iter().map(|deadlock| (deadlock, true));
        let others = hang.possible_deadlocks.iter().filter(|_| possible);
        let all = proven.chain(others.map(|deadlock| (deadlock, false)));
        let found: Vec<(u64, Found)> = all
            .filter_map(|(deadlock, proven)| self::deadlock(deadlock, proven))
            .collect();
        let servers = graph.nodes().filter(|_| possible);
        let servers = servers.filter_map(|node| unread_servers(node).or_else(|| unnamed_receiver(node)));
        Gathered {
            broken: !found.is_empty(),
            found,
            unread: graph
                .unread
                .iter()
                .chain(doubts)
                .cloned()
                .chain(servers)
                .collect(),
        }
        .outcome()
    }

    fn signature(&self, wanted: &Signature) -> Outcome {
        let Waits { graph, hang, doubts } = self.waits();
        let line = hang.signature.as_str();
        let holds = match wanted {
            Signature::Is(wanted) => line == *wanted,
            Signature::IsNot(other) => line != *other,
            Signature::Matches(pattern) => pattern.is_match(line),
            Signature::MatchesNot(pattern) => !pattern.is_match(line),
        };
        let mut unread: Vec<Unread> = graph.unread.iter().chain(doubts).cloned().collect();
        unread.extend(graph.nodes().filter_map(unread_servers));
        if let Some(hole) = graph.clock.reason() {
            // Of two blockers with as many threads behind them, the longer wait comes first.
            unread.push(Unread::new(Part::Clock, None, hole.clone()));
        }
        if hang.signature.lacks_names() {
            let hole = Unreadable::Walk(why!("a name in the signature cannot be read"));
            unread.push(Unread::new(Part::Signature, None, hole));
        }
        // Whoever waits is there, whatever is hidden: only `none` is certainly wrong then.
        let none = wait::signature::Signature::None;
        let is_none_wanted = matches!(wanted, Signature::Is(wanted) if wanted == none.as_str());
        let certain = (is_none_wanted && hang.signature.is_of_waits()) || unread.is_empty();
        let signature = SignatureFound {
            signature: line.to_owned(),
        };
        Gathered {
            broken: !holds && certain,
            found: vec![(0, Found::Signature(signature))],
            unread,
        }
        .outcome()
    }
}

/// Kernel stacks.
impl Facts<'_, '_> {
    /// What a scan finds is no frame: it counts neither for nor against.
    fn stack(&self, function: &str, at_most: u64, image: Option<&str>) -> Outcome {
        let mut gathered = Gathered::default();
        let Ok(all) = stacks::each(self.kernel, None, |thread| {
            self.add_stack(&thread, function, image, &mut gathered);
            Ok::<(), Infallible>(())
        });
        if let Some(hole) = all.reason() {
            gathered
                .unread
                .push(Unread::new(Part::Threads, None, hole.clone()));
        }
        gathered.broken = count(gathered.found.len()) > at_most;
        gathered.outcome()
    }

    fn add_stack(&self, thread: &ThreadStack, function: &str, image: Option<&str>, gathered: &mut Gathered) {
        let frames = &thread.stack.frames;
        let found = frames
            .iter()
            .find(|frame| stacks::any_has(std::slice::from_ref(*frame), function));
        let cut = thread.stack.complete.reason();
        if found.is_none() && cut.is_none() {
            return;
        }
        let of_image = match image {
            Some(image) => {
                let has = process::has_image(self.kernel.at(thread.process.address.gva()), image);
                Belongs::when(has, Part::ImageName, thread.process.address)
            }
            None => Belongs::Yes,
        };
        let what = match (of_image, found, cut) {
            (Belongs::No, ..) => return,
            (Belongs::Maybe(hole), ..) => hole,
            (Belongs::Yes, Some(frame), _) => {
                let waited = thread.waited.known().copied().flatten();
                let found = StackFound {
                    thread: thread.thread,
                    process_id: thread.process_id.known().copied(),
                    thread_id: thread.thread_id.known().copied(),
                    image: thread.process.image.known().cloned(),
                    site: frame.site(),
                    waited,
                };
                let rank = waited.map_or(0, |span| span.0);
                gathered.found.push((rank, Found::Stack(found)));
                return;
            }
            (Belongs::Yes, None, Some(hole)) => Unread::new(Part::Stack, Some(thread.thread), hole.clone()),
            (Belongs::Yes, None, None) => return,
        };
        gathered.unread.push(what);
    }
}

fn deadlock(deadlock: &Deadlock, proven: bool) -> Option<(u64, Found)> {
    let thread = deadlock.ring.iter().find(|step| step.node.thread().is_some())?;
    let finding = DeadlockFound {
        thread: thread.node.address(),
        signature: deadlock.signature.clone(),
        threads: deadlock.members,
        proven,
    };
    let rank = count(deadlock.behind.threads).saturating_add(if proven { 1 << 32 } else { 0 });
    Some((rank, Found::Deadlock(finding)))
}

/// Nodes whose way on cannot be read, so that a ring through them may be missed.
fn doubts(kernel: &Kernel<'_>, graph: &Graph) -> Vec<Unread> {
    graph
        .nodes()
        .filter_map(|(_, node)| {
            let hole = match node {
                Node::Message(message) => unread_message(kernel, message)?,
                Node::Mutant(mutant) => mutant.owner.reason()?.clone(),
                Node::Lock(lock) => lock.owners.reason()?.clone(),
                _ => return None,
            };
            let what = match node {
                Node::Message(_) => Part::Message,
                Node::Lock(_) => Part::LockOwners,
                _ => Part::Mutant,
            };
            Some(Unread::new(what, Some(node.address()), hole))
        })
        .collect()
}

/// What hides where a message went.
fn unread_message(kernel: &Kernel<'_>, message: &MessageNode) -> Option<Unreadable> {
    let at = kernel.at(message.address.gva());
    let members = [Message::PortQueue, Message::ServerThread, Message::QueueType];
    let own = members.into_iter().find_map(|member| at.uint(member).err());
    own.or_else(|| message.port.reason().cloned())
        .or_else(|| message.queue.reason().cloned())
        .or_else(|| message.server_thread.reason().cloned())
}

/// A process one of whose threads received a message: nothing tells through which of them a ring may go.
fn unnamed_receiver((_, node): (NodeId, &Node)) -> Option<Unread> {
    let Node::Process(process) = node else {
        return None;
    };
    process.is_receiver.then(|| {
        let hole = Unreadable::Walk(why!("nothing names the thread that received a message"));
        Unread::new(Part::ServerThread, Some(process.address), hole)
    })
}

/// What hides who serves a port.
fn unread_servers((_, node): (NodeId, &Node)) -> Option<Unread> {
    let Node::Port(port) = node else {
        return None;
    };
    let hole = match &port.servers {
        Value::Missing(hole) => (**hole).clone(),
        Value::Known(servers) => match servers.complete.reason() {
            Some(hole) => hole.clone(),
            None if servers.unreadable > 0 => {
                Unreadable::Walk(why!("what some of the port's threads do cannot be read"))
            }
            None => return None,
        },
    };
    Some(Unread::new(Part::PortServers, Some(port.address), hole))
}

/// Whether a wait is for a call that has this in the name of its procedure or interface. Where several interfaces are as
/// likely, those that have it make it uncertain, and so does one that is not known.
fn is_for_call(wait: &Wait<'_>, wanted: &str) -> Belongs {
    let Some(message) = wait.message else {
        return Belongs::No;
    };
    let at = Some(message.address);
    let call = match &message.call {
        None => return Belongs::No,
        Some(Told::Undetermined { undetermined }) => {
            return Belongs::Maybe(Unread::new(Part::Message, at, (**undetermined).clone()));
        }
        Some(Told::Known(call)) => call,
    };
    let wanted = wanted.to_lowercase();
    let has = |name: &str| name.to_lowercase().contains(&wanted);
    let unknown = || {
        let hole = Unreadable::Walk(why!("which call the message is cannot be determined"));
        Belongs::Maybe(Unread::new(Part::Message, at, hole))
    };
    let named = call
        .procedure
        .as_ref()
        .is_some_and(|procedure| has(&procedure.name));
    let interface = call
        .interface
        .as_ref()
        .is_some_and(|interface| has(&interface.short()));
    match call.known() {
        _ if named || interface => Belongs::Yes,
        Known::Procedure(_) => Belongs::No,
        Known::Candidates => {
            let mut all = call.candidates.iter();
            let may = all.any(|one| has(&one.short()) || one.procedure.as_deref().is_some_and(has));
            if may { unknown() } else { Belongs::No }
        }
        Known::Number if call.asks() => unknown(),
        Known::Number => Belongs::No,
    }
}

/// A wait for another thread or process.
struct Wait<'g> {
    thread: &'g ThreadNode,
    message: Option<&'g MessageNode>,
    /// Why it is not certain that it waits for a reply, if it is not.
    unconfirmed: Option<Unreadable>,
}

/// Waits.
impl Facts<'_, '_> {
    fn all_waits(&self) -> impl Iterator<Item = Wait<'_>> {
        let graph = &self.waits().graph;
        graph.nodes().filter_map(|(id, node)| {
            let thread = node.thread()?;
            graph.next(id)?;
            let reply = graph.edges(id).iter().find(|edge| edge.edge == EdgeKind::Reply);
            let message = reply.and_then(|edge| match graph.node(edge.to) {
                Some(Node::Message(message)) => Some(message),
                _ => None,
            });
            Some(Wait {
                thread,
                message,
                unconfirmed: reply.and_then(unconfirmed),
            })
        })
    }

    fn is_of(&self, wait: &Wait<'_>, whose: &Whose) -> Belongs {
        let of_image = match &whose.image {
            Some(image) => self.is_of_image(&wait.thread.process, wait.thread.address, image),
            None => Belongs::Yes,
        };
        let at_port = of_image.and(|| match &whose.port {
            Some(port) => self.is_at_port(wait, port),
            None => Belongs::Yes,
        });
        at_port.and(|| match &whose.call {
            Some(call) => is_for_call(wait, call),
            None => Belongs::Yes,
        })
    }

    fn is_of_image(
        &self,
        process: &Value<Option<process::ProcessRef>>,
        thread: Addr,
        image: &str,
    ) -> Belongs {
        match process {
            Value::Known(Some(process)) => {
                let has = process::has_image(self.kernel.at(process.address.gva()), image);
                Belongs::when(has, Part::ImageName, process.address)
            }
            Value::Known(None) => Belongs::No,
            Value::Missing(hole) => {
                Belongs::Maybe(Unread::new(Part::ProcessOfThread, Some(thread), (**hole).clone()))
            }
        }
    }

    fn is_at_port(&self, wait: &Wait<'_>, wanted: &str) -> Belongs {
        let Some(message) = wait.message else {
            return Belongs::No;
        };
        match &message.port {
            Value::Known(Some(label)) => {
                let port = port::connection_port(self.kernel.at(label.address.gva()));
                let named = port.and_then(|port| match port {
                    Some(port) => is_named(self.kernel, port.address.gva(), wanted),
                    None => Ok(false),
                });
                Belongs::when(named, Part::PortName, label.address)
            }
            Value::Known(None) => Belongs::No,
            Value::Missing(hole) => Belongs::Maybe(Unread::new(
                Part::Message,
                Some(message.address),
                (**hole).clone(),
            )),
        }
    }

    /// Parts of the system that may hide such a wait.
    fn hidden_waits(&self, whose: &Whose, longest: Option<TimeSpan>) -> Vec<Unread> {
        let Waits { graph, doubts, .. } = self.waits();
        let parts = graph.unread.iter().filter(|part| self.may_hide(part, whose));
        // Whether a thread waits for an I/O request is looked at when a message leads to it.
        let messages = doubts
            .iter()
            .filter(|part| part.what == Part::Message && whose.port.is_none())
            .filter(|_| longest.is_none_or(|longest| self.may_last_longer(longest)));
        parts.chain(messages).cloned().collect()
    }

    /// Whether a wait may be longer than this: none is longer than the system is up.
    fn may_last_longer(&self, than: TimeSpan) -> bool {
        let clock = self.waits().graph.clock.known();
        clock.is_none_or(|clock| clock.tick_count.saturating_mul(clock.increment) > than.0)
    }

    fn may_hide(&self, part: &Unread, whose: &Whose) -> bool {
        if (whose.port.is_some() || whose.call.is_some()) && !part.what.hides_reply_waits() {
            return false;
        }
        let (Some(at), Some(image)) = (part.at, &whose.image) else {
            return true;
        };
        let other = match part.what {
            Part::ThreadsOfProcess => Some(at),
            _ => {
                let thread = port::waiter::thread(self.kernel, at.gva());
                let process = thread.process.known().and_then(Option::as_ref);
                process.map(|process| process.address)
            }
        };
        let has = |process: Addr| process::has_image(self.kernel.at(process.gva()), image);
        !other.is_some_and(|process| matches!(has(process), Ok(false)))
    }

    fn wait(&self, longest: TimeSpan, whose: &Whose) -> Outcome {
        let mut gathered = Gathered {
            unread: self.hidden_waits(whose, Some(longest)),
            ..Gathered::default()
        };
        let mut held = Vec::new();
        for wait in self.all_waits() {
            let waited = match &wait.thread.waited {
                Value::Known(None) => continue,
                Value::Known(Some(waited)) => Ok(*waited),
                Value::Missing(hole) => Err((**hole).clone()),
            };
            if matches!(waited, Ok(waited) if waited <= longest) {
                if matches!(self.is_of(&wait, whose), Belongs::Yes) {
                    held.push(wait.finding());
                }
                continue;
            }
            match (self.is_of(&wait, whose), waited, &wait.unconfirmed) {
                (Belongs::No, ..) => {}
                (Belongs::Maybe(hole), ..) => gathered.unread.push(hole),
                (Belongs::Yes, Ok(_), None) => {
                    gathered.broken = true;
                    gathered.found.push(wait.finding());
                }
                (Belongs::Yes, Err(hole), _) => {
                    let at = wait.thread.address;
                    gathered
                        .unread
                        .push(Unread::new(Part::WaitLength, Some(at), hole));
                }
                (Belongs::Yes, Ok(_), Some(hole)) => gathered.unread.push(wait.doubt(hole)),
            }
        }
        if !gathered.broken {
            gathered.found = held;
        }
        gathered.outcome()
    }

    fn waiting(&self, at_most: u64, whose: &Whose) -> Outcome {
        let mut gathered = Gathered {
            unread: self.hidden_waits(whose, None),
            ..Gathered::default()
        };
        for wait in self.all_waits() {
            match (self.is_of(&wait, whose), &wait.unconfirmed) {
                (Belongs::No, _) => {}
                (Belongs::Maybe(hole), _) => gathered.unread.push(hole),
                (Belongs::Yes, None) => gathered.found.push(wait.finding()),
                (Belongs::Yes, Some(hole)) => gathered.unread.push(wait.doubt(hole)),
            }
        }
        let certain = count(gathered.found.len());
        gathered.broken = certain > at_most;
        gathered.outcome()
    }
}

/// What hides whether a step is a wait for a reply.
fn unconfirmed(edge: &Edge) -> Option<Unreadable> {
    if edge.certainty != Certainty::Unknown {
        return None;
    }
    let holes = edge.evidence.iter().find_map(|evidence| match &evidence.value {
        Says::Unreadable(hole) => Some((**hole).clone()),
        _ => None,
    });
    Some(holes.unwrap_or_else(|| Unreadable::Walk(why!("nothing confirms the wait"))))
}

impl Wait<'_> {
    fn finding(&self) -> (u64, Found) {
        let process = self.thread.process.known().and_then(Option::as_ref);
        let label = self.message.and_then(|message| message.port.known()?.as_ref());
        let finding = WaitFound {
            thread: self.thread.address,
            process_id: self.thread.process_id.known().copied(),
            thread_id: self.thread.thread_id.known().copied(),
            image: process.and_then(|process| process.image.known().cloned()),
            message: self.message.map(|message| message.address),
            port: label.and_then(|label| label.name.known().cloned().flatten()),
            call: self.message.and_then(MessageNode::call).map(Call::key),
            waited: self.thread.waited().map(TimeSpan),
        };
        (self.thread.waited().unwrap_or(0), Found::Wait(finding))
    }

    fn doubt(&self, hole: &Unreadable) -> Unread {
        let message = self.message.map(|message| message.address);
        Unread::new(Part::Message, message.or(Some(self.thread.address)), hole.clone())
    }
}

/// Whether a port has a name, or a path when that is what is wanted.
fn is_named(kernel: &Kernel<'_>, port: Gva, wanted: &str) -> Result<bool, Unreadable> {
    let own = port::own_name(kernel.at(port))?;
    let Some(own) = own.filter(|own| select::names(own, process::file_name(wanted))) else {
        return Ok(false);
    };
    if !wanted.starts_with('\\') {
        return Ok(true);
    }
    let path = object::path(kernel, port)?;
    Ok(select::names(&path.unwrap_or(own), wanted))
}

/// Ports.
impl Facts<'_, '_> {
    fn is_port(&self, line: &PortLine, wanted: &str) -> Belongs {
        // Only connection ports have names.
        if line
            .kind
            .known()
            .is_some_and(|kind| *kind != Some(PortKind::Connection))
        {
            return Belongs::No;
        }
        let named = is_named(self.kernel, line.address.gva(), wanted);
        Belongs::when(named, Part::PortName, line.address)
    }

    /// The ports of a name, and what may hide others of that name. A path is that of one port.
    fn named(&self, wanted: &str) -> (Vec<&PortLine>, Vec<Unread>) {
        let ports = self.ports();
        let mut found = Vec::new();
        let mut hidden = Vec::new();
        for line in &ports.lines {
            match self.is_port(line, wanted) {
                Belongs::Yes => found.push(line),
                Belongs::No => {}
                Belongs::Maybe(hole) => hidden.push(hole),
            }
        }
        hidden.extend(self.hidden_ports());
        if wanted.starts_with('\\') && !found.is_empty() {
            hidden.clear();
        }
        (found, hidden)
    }

    fn hidden_ports(&self) -> Option<Unread> {
        let hole = self.ports().complete.reason()?;
        Some(Unread::new(Part::Ports, None, hole.clone()))
    }

    fn queue(&self, at_most: u64, port: Option<&str>, queue: Option<QueueKind>) -> Outcome {
        let (lines, hidden) = match port {
            Some(port) => self.named(port),
            None => (
                self.ports().lines.iter().collect(),
                self.hidden_ports().into_iter().collect(),
            ),
        };
        let mut gathered = Gathered {
            // A port that is not there is no port with a short queue.
            broken: port.is_some() && lines.is_empty() && hidden.is_empty(),
            unread: hidden,
            ..Gathered::default()
        };
        let mut held = Vec::new();
        for line in lines {
            match self.queued(line, queue) {
                Value::Known(queued) => {
                    let finding = PortFound {
                        queued: Some(queued),
                        ..PortFound::of(line)
                    };
                    let list = if queued > at_most {
                        &mut gathered.found
                    } else {
                        &mut held
                    };
                    list.push((queued, Found::Port(finding)));
                }
                Value::Missing(hole) if hole.is_absence() => {}
                Value::Missing(hole) => {
                    let at = Some(line.address);
                    gathered.unread.push(Unread::new(Part::PortQueue, at, *hole));
                }
            }
        }
        if gathered.found.is_empty() {
            gathered.found = held;
        } else {
            gathered.broken = true;
        }
        gathered.outcome()
    }

    fn queued(&self, line: &PortLine, queue: Option<QueueKind>) -> Value<u64> {
        match queue {
            // A kernel before Windows 10 has no direct queue, and no counter of one.
            Some(queue) => self.kernel.at(line.address.gva()).uint(queue.counter()).into(),
            None => line.queued.clone(),
        }
    }

    fn port(&self, wanted: &str, exists: bool, owner: Option<&str>, connections: Option<u64>) -> Outcome {
        let (lines, hidden) = self.named(wanted);
        let mut gathered = Gathered {
            broken: lines.is_empty() == exists && (hidden.is_empty() || !lines.is_empty()),
            ..Gathered::default()
        };
        // Another port of that name, which a hole may hide, would have to be as this one.
        if lines.is_empty() || owner.is_some() || connections.is_some() {
            gathered.unread = hidden;
        }
        let mut wrong = Vec::new();
        for line in lines {
            let mut finding = PortFound::of(line);
            let owned = owner.is_none_or(|owner| self.is_owned(line, owner, &mut gathered.unread));
            let fits =
                connections.is_none_or(|most| self.has_few(line, most, &mut finding, &mut gathered.unread));
            let list = if owned && fits {
                &mut gathered.found
            } else {
                &mut wrong
            };
            list.push((0, Found::Port(finding)));
        }
        if !wrong.is_empty() {
            gathered.broken = true;
            gathered.found = wrong;
        }
        gathered.outcome()
    }

    /// Whether a port is owned by an image, as far as that can be told.
    fn is_owned(&self, line: &PortLine, image: &str, unread: &mut Vec<Unread>) -> bool {
        let closed = port::owner_process(self.kernel.at(line.address.gva())).map(|(_, closed)| closed);
        let belongs = match (&line.owner_process, closed) {
            // A port whose owner has closed it keeps the address of that process, with bit 0 set.
            (_, Ok(true)) | (Value::Known(None), _) => Belongs::No,
            (Value::Known(Some(process)), _) => {
                let has = process::has_image(self.kernel.at(process.address.gva()), image);
                Belongs::when(has, Part::ImageName, process.address)
            }
            (Value::Missing(hole), _) => {
                Belongs::Maybe(Unread::new(Part::PortOwner, Some(line.address), (**hole).clone()))
            }
        };
        match belongs {
            Belongs::Yes => true,
            Belongs::No => false,
            Belongs::Maybe(hole) => {
                unread.push(hole);
                true
            }
        }
    }

    /// Whether a port has at most so many connections, as far as that can be told.
    fn has_few(&self, line: &PortLine, most: u64, finding: &mut PortFound, unread: &mut Vec<Unread>) -> bool {
        let infos = communication::infos(self.kernel.at(line.address.gva()));
        let complete = infos
            .clone()
            .and_then(|infos| infos.complete("the list of connections"));
        let number = infos.map_or(0, |infos| count(infos.entries.len()));
        finding.connections = Some(number);
        if number <= most
            && let Err(hole) = complete
        {
            unread.push(Unread::new(Part::PortConnections, Some(line.address), hole));
        }
        number <= most
    }
}

impl PortFound {
    fn of(line: &PortLine) -> Self {
        let owner = line.owner_process.known().and_then(Option::as_ref);
        Self {
            port: line.address,
            path: line.path.known().cloned().flatten(),
            owner: owner.and_then(|owner| owner.image.known().cloned()),
            queued: None,
            connections: None,
        }
    }
}

/// Processes.
impl Facts<'_, '_> {
    fn process(&self, image: &str, at_least: u64, at_most: Option<u64>) -> Outcome {
        let mut found = Vec::new();
        let mut hidden = Vec::new();
        match self.processes() {
            Ok(all) => {
                for process in &all.processes {
                    match self.runs_as(process, image) {
                        Belongs::Yes => found.push((0, Found::Process(ProcessFound::of(process)))),
                        Belongs::No => {}
                        Belongs::Maybe(hole) => hidden.push(hole),
                    }
                }
                let gap = all.complete.reason();
                hidden.extend(gap.map(|hole| Unread::new(Part::Processes, None, hole.clone())));
            }
            Err(hole) => hidden.push(Unread::new(Part::Processes, None, hole.clone())),
        }
        let number = count(found.len());
        let too_many = at_most.is_some_and(|most| number > most);
        let enough = number >= at_least;
        // One more would change nothing where enough are there and there may be any number.
        if enough && at_most.is_none() {
            hidden.clear();
        }
        Gathered {
            broken: too_many || (!enough && hidden.is_empty()),
            found,
            unread: hidden,
        }
        .outcome()
    }

    fn runs_as(&self, process: &ProcessRecord, image: &str) -> Belongs {
        let has = process::has_image(self.kernel.at(process.address.gva()), image);
        let runs = || match &process.exit_time {
            // A process that has ended stays in the system's list as long as something holds its object ("zombie
            // processes" of Vostokov's crash dump patterns): hundreds of one image may be none that runs.
            Value::Known(None) => Belongs::Yes,
            Value::Known(Some(_)) => Belongs::No,
            Value::Missing(hole) if hole.is_absence() => Belongs::Yes,
            Value::Missing(hole) => Belongs::Maybe(Unread::new(
                Part::Process,
                Some(process.address),
                (**hole).clone(),
            )),
        };
        Belongs::when(has, Part::ImageName, process.address).and(runs)
    }
}

impl ProcessFound {
    fn of(process: &ProcessRecord) -> Self {
        Self {
            process: process.address,
            process_id: process.process_id.known().copied(),
            image: process.image_file().map(ToOwned::to_owned),
        }
    }
}

/// Coverage.
impl Facts<'_, '_> {
    fn coverage(&self, pages: Option<f64>, readable: bool) -> Outcome {
        // Of what the dump says that it has: in a whole kernel dump there is no page of any program.
        let Coverage { claimed, present, .. } = self.kernel.dump().coverage();
        let unreadable = readable.then(|| self.unreadable());
        let share = share(claimed, present);
        let too_few = pages.is_some_and(|wanted| share.is_some_and(|share| share < wanted));
        let finding = PagesFound {
            claimed,
            present,
            unreadable,
        };
        let mut gathered = Gathered {
            broken: too_few || unreadable.is_some_and(|values| values > 0),
            found: vec![(0, Found::Pages(finding))],
            unread: Vec::new(),
        };
        if pages.is_some() && share.is_none() {
            let hole = Unreadable::Walk(why!("the dump does not say how many pages it should hold"));
            gathered.unread.push(Unread::new(Part::Pages, None, hole));
        }
        gathered.outcome()
    }

    /// Parts and values that the walks met and that cannot be read.
    fn unreadable(&self) -> u64 {
        let Waits { graph, doubts, .. } = self.waits();
        let waits = graph.unread.len().saturating_add(doubts.len());
        let lengths = graph
            .nodes()
            .filter(|(_, node)| node.thread().is_some_and(|thread| thread.waited.is_unreadable()));
        let ports = self.ports();
        let of_ports = ports.lines.iter().map(|line| {
            holes(&[
                line.kind.is_unreadable(),
                line.queued.is_unreadable(),
                line.owner_process.is_unreadable(),
                line.path.is_unreadable(),
            ])
        });
        let of_processes: u64 = match self.processes() {
            Ok(all) => all
                .processes
                .iter()
                .map(|process| {
                    holes(&[
                        process.process_id.is_unreadable(),
                        process.image.is_unreadable(),
                        process.create_time.is_unreadable(),
                        process.exit_time.is_unreadable(),
                        process.thread_count.is_unreadable(),
                        process.handle_count.is_unreadable(),
                    ])
                })
                .fold(holes(&[all.complete.reason().is_some()]), u64::saturating_add),
            Err(_) => 1,
        };
        of_ports
            .fold(holes(&[ports.complete.reason().is_some()]), u64::saturating_add)
            .saturating_add(count(waits))
            .saturating_add(count(lengths.count()))
            .saturating_add(of_processes)
    }
}

fn holes(unreadable: &[bool]) -> u64 {
    count(unreadable.iter().filter(|is| **is).count())
}

/// Percent of the claimed pages that are there.
#[allow(
    clippy::cast_precision_loss,
    reason = "a share of so many pages is exact enough"
)]
fn share(claimed: u64, present: u64) -> Option<f64> {
    (claimed > 0).then(|| present as f64 * 100.0 / claimed as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(broken: bool, holes: usize) -> Outcome {
        let hole = || Unread::new(Part::Ports, None, Unreadable::Walk(why!("gone")));
        Gathered {
            broken,
            found: Vec::new(),
            unread: (0..holes).map(|_| hole()).collect(),
        }
        .outcome()
    }

    #[test]
    fn a_hole_never_makes_a_condition_hold_and_never_saves_one() {
        assert_eq!(gathered(false, 0).verdict, Verdict::Pass);
        assert_eq!(gathered(false, 1).verdict, Verdict::Undecided);
        assert_eq!(gathered(true, 1).verdict, Verdict::Fail);
        assert!(gathered(true, 1).unread.is_empty());
        assert_eq!(gathered(false, 2).unread.len(), 2);
    }

    #[test]
    fn of_two_tests_the_one_that_says_no_decides() {
        let maybe = || Belongs::Maybe(Unread::new(Part::Ports, None, Unreadable::Walk(why!("gone"))));
        assert!(matches!(maybe().and(|| Belongs::No), Belongs::No));
        assert!(matches!(Belongs::No.and(maybe), Belongs::No));
        assert!(matches!(maybe().and(|| Belongs::Yes), Belongs::Maybe(_)));
        assert!(matches!(Belongs::Yes.and(maybe), Belongs::Maybe(_)));
    }

    #[test]
    fn the_share_of_pages_of_a_dump_without_pages_is_unknown() {
        assert_eq!(share(0, 0), None);
        assert_eq!(share(200, 199), Some(99.5));
    }
}
