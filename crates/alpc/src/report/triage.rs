//! A system in few words, for those who have many to look at: how large it is, what is stuck, and on whom.

use kdump::TimeSpan;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::call::Call;
use crate::port::enumerate;
use crate::report::crossing;
use crate::wait::hang::{self, Blocker, Hang};
use crate::wait::node::Node;
use crate::wait::root::{RootKind, Suspect};
use crate::wait::signature::{self, Signature};
use crate::wait::trouble::{PortTrouble, Trouble};
use ntkernel::image::kernel::Kernel;
use ntkernel::image::value::{Addr, Value};
use ntkernel::process::ProcessRef;
use ntkernel::stack::Frame;

/// A system in few words.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Ports that were found; `None` when there are none and not all places could be looked at.
    pub ports: Option<usize>,
    /// Threads that were looked at.
    pub threads: usize,
    /// Threads that wait for an ALPC reply.
    pub waits: usize,
    /// Threads that wait for another thread or process, ALPC or not.
    pub stuck: usize,
    /// The longest of their waits.
    pub longest_wait: Option<TimeSpan>,
    /// Rings of proven waits.
    pub deadlocks: usize,
    /// Rings that need a step which is not proven.
    pub possible_deadlocks: usize,
    /// Connections whose ends are of another integrity or session, or of which one is in an AppContainer; none where that is
    /// not known of all.
    pub crossings: Option<usize>,
    /// Where the chains of most threads end; none in a system in which nothing waits, or all that does is in
    /// or behind a ring.
    pub root_blocker: Option<RootBlocker>,
    /// The same for the same hang on two machines: [`Hang::signature`].
    pub signature: Signature,
    /// In which function the thread at the end of its chain is.
    pub signature_in: Option<String>,
    /// Which call the last message of its chain is.
    pub signature_for: Option<String>,
    /// What is wrong with ports, each kind of trouble once.
    pub troubles: Vec<TroubleCount>,
}

/// Where the chains of most threads end. What of it cannot be read is `None`; the report that the summary is of
/// says why.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct RootBlocker {
    /// What it is: `thread`, `port`, `message`, `completion-port`, `mutant`, `lock`, `irp` or `process`.
    pub kind: &'static str,
    /// Its address.
    pub address: Addr,
    /// The image name of the process that it is or belongs to.
    pub image: Option<String>,
    /// That process's id.
    pub process_id: Option<u64>,
    /// The thread's id, of a thread.
    pub thread_id: Option<u64>,
    /// The port's name, of a port that has one, and of the port that a message names.
    pub port: Option<String>,
    /// The driver that has an I/O request.
    pub driver: Option<String>,
    /// Why the chains end here.
    pub end: RootKind,
    /// Threads that wait for it, directly or not.
    pub threads_behind: usize,
    /// Their processes.
    pub processes_behind: usize,
    /// The longest of their waits.
    pub longest_wait: Option<TimeSpan>,
    /// The function that its thread is in, apart from the wait itself: `nt!ExpWaitForResource`, without an offset, so that it
    /// is the same on another machine. None where its stack does not tell.
    pub function: Option<String>,
    /// The call that its thread serves, or that nobody has received: a procedure by its name, or as `lsarpc/76`. None where no
    /// message leads to it, or its call is not known.
    pub call: Option<String>,
    /// The innermost frames of that thread's stack, as far as it is certain.
    pub stack: Vec<String>,
}

/// Frames of the root blocker that are told.
const FRAMES: usize = 8;

/// Ports that have the same trouble.
#[derive(Clone, Debug)]
pub struct TroubleCount {
    /// What is wrong.
    pub trouble: Trouble,
    /// How many ports.
    pub ports: usize,
    /// Messages, requests or notices at all of them.
    pub count: u64,
    /// The name of the one that has most, when it has one.
    pub worst: Option<String>,
}

/// Looks at all waits of a system; the report that the summary is of comes with it.
#[must_use]
pub fn summary(kernel: &Kernel<'_>) -> (Summary, Hang) {
    let (_, hang) = hang::hang(kernel);
    let ports = enumerate::ports(kernel);
    let no_ports = ports.ports.is_empty() && ports.complete.reason().is_some();
    let summary = Summary {
        ports: (!no_ports).then_some(ports.ports.len()),
        threads: hang.threads,
        waits: hang.waiting_for_reply,
        stuck: hang.stuck,
        longest_wait: hang.longest_wait,
        deadlocks: hang.deadlocks.len(),
        possible_deadlocks: hang.possible_deadlocks.len(),
        crossings: (ports.complete.reason().is_none())
            .then(|| crossing::count(kernel, &ports.ports))
            .flatten(),
        root_blocker: hang.blockers.first().map(root_blocker),
        signature: hang.signature.clone(),
        signature_in: hang.signature_in.clone(),
        signature_for: hang.signature_for.clone(),
        troubles: troubles(&hang.ports_in_trouble),
    };
    (summary, hang)
}

fn root_blocker(blocker: &Blocker) -> RootBlocker {
    let who = Who::of(&blocker.node);
    // A request belongs to the thread that waits for it.
    let own = match &blocker.node {
        Node::Irp(_) => {
            let mut steps = blocker.chain.steps.iter().rev();
            steps.nth(1).map(|step| Who {
                kind: who.kind,
                driver: who.driver.clone(),
                ..Who::of(&step.node)
            })
        }
        _ => None,
    };
    let who = own.unwrap_or(who);
    let stack = blocker.suspect.as_ref().map(|suspect| &suspect.stack);
    let frames = stack.into_iter().flat_map(|stack| &stack.frames);
    RootBlocker {
        kind: who.kind,
        address: blocker.node.address(),
        image: who.image,
        process_id: who.process_id,
        thread_id: who.thread_id,
        port: who.port,
        driver: who.driver,
        end: blocker.end,
        threads_behind: blocker.behind.threads,
        processes_behind: blocker.behind.processes,
        longest_wait: blocker.behind.longest_wait,
        call: signature::last_call(&blocker.chain.steps).map(Call::key),
        function: blocker.suspect.as_ref().and_then(Suspect::function),
        stack: frames.take(FRAMES).map(Frame::site).collect(),
    }
}

/// What a node is called.
#[derive(Default)]
struct Who {
    kind: &'static str,
    image: Option<String>,
    process_id: Option<u64>,
    thread_id: Option<u64>,
    port: Option<String>,
    driver: Option<String>,
}

impl Who {
    fn of(node: &Node) -> Self {
        match node {
            Node::Thread(thread) => Self {
                kind: "thread",
                image: image(&thread.process),
                process_id: thread.process_id.known().copied(),
                thread_id: thread.thread_id.known().copied(),
                ..Self::default()
            },
            Node::Port(port) => Self {
                kind: "port",
                image: image(&port.owner),
                process_id: port.owner_process_id.known().copied().flatten(),
                port: port.name.known().cloned().flatten(),
                ..Self::default()
            },
            Node::Message(message) => {
                let label = message.port.known().and_then(Option::as_ref);
                Self {
                    kind: "message",
                    image: label.and_then(|label| image(&label.owner)),
                    port: label.and_then(|label| label.name.known().cloned().flatten()),
                    ..Self::default()
                }
            }
            Node::Process(process) => Self {
                kind: "process",
                image: process.image.known().cloned(),
                process_id: process.process_id.known().copied(),
                ..Self::default()
            },
            Node::CompletionPort(_) => Self {
                kind: "completion-port",
                ..Self::default()
            },
            Node::Mutant(_) => Self {
                kind: "mutant",
                ..Self::default()
            },
            Node::Lock(_) => Self {
                kind: "lock",
                ..Self::default()
            },
            Node::Irp(irp) => Self {
                kind: "irp",
                driver: irp.known_driver().and_then(|driver| driver.name.known().cloned()),
                ..Self::default()
            },
            Node::Driver(driver) => Self {
                kind: "driver",
                driver: driver.name.known().cloned(),
                ..Self::default()
            },
        }
    }
}

fn image(process: &Value<Option<ProcessRef>>) -> Option<String> {
    process.known()?.as_ref()?.image.known().cloned()
}

/// The troubles by kind, in the order of the report: worst kind first, and of each the worst port.
fn troubles(ports: &[PortTrouble]) -> Vec<TroubleCount> {
    let mut counts: Vec<TroubleCount> = Vec::new();
    for port in ports {
        match counts.iter_mut().find(|known| known.trouble == port.trouble) {
            Some(known) => {
                known.ports = known.ports.saturating_add(1);
                known.count = known.count.saturating_add(port.count);
            }
            None => counts.push(TroubleCount {
                trouble: port.trouble,
                ports: 1,
                count: port.count,
                worst: port.port.name.known().cloned().flatten(),
            }),
        }
    }
    counts
}
