//! What stands in the boxes of a picture and at its lines, before they have a place.

use alpc::Value;
use alpc::wait::edge::{Certainty, EdgeKind};
use alpc::wait::node::{LockNode, MessageNode, Node, PortNode, ProcessNode, ThreadNode};
use alpc::wait::root::RootKind;
use kdump::TimeSpan;

use crate::text::graph::{Shape, key_of, label_of};
use crate::text::rows::or_question;
use crate::text::{call_lines, escape, time, wait_lines};

/// Why a box stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Chains of waits end at it.
    Culprit,
    /// Chains end at it for what it waits for could not be read.
    Unreadable,
    /// It is one of several that wait for each other.
    Deadlock,
    /// The same, with a step that is not proven.
    PossibleDeadlock,
}

impl Mark {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Culprit => "CULPRIT",
            Self::Unreadable => "UNREADABLE",
            Self::Deadlock => "DEADLOCK",
            Self::PossibleDeadlock => "DEADLOCK?",
        }
    }

    /// The mark of what chains end at for this reason.
    pub fn of(end: RootKind) -> Self {
        match end {
            RootKind::Unreadable => Self::Unreadable,
            _ => Self::Culprit,
        }
    }
}

/// A box before it has a place. All of its text is escaped for a terminal, not for the format.
#[derive(Clone, Debug, Default)]
pub struct Card {
    /// What a click shows: the command of a node, else its label; empty where it stands for several.
    pub key: String,
    /// The word for what it is.
    pub kind: &'static str,
    /// What it is drawn as.
    pub shape: Shape,
    /// Why it stands out.
    pub mark: Option<Mark>,
    /// What people look for: image and ids, a port's name.
    pub title: String,
    /// What else is known, the most important first.
    pub lines: Vec<String>,
    /// The keys of the nodes that it stands for, where it stands for several.
    pub members: Vec<String>,
    /// How many these are; more than have keys where they are many.
    pub count: usize,
}

/// A line before it has a way.
#[derive(Clone, Debug)]
pub struct Wire {
    /// The box that waits.
    pub from: usize,
    /// The box that is waited for.
    pub to: usize,
    /// How long.
    pub duration: String,
    /// How sure that is; none of connections, which nobody infers.
    pub certainty: Option<Certainty>,
    /// Whether it is part of a deadlock.
    pub deadlock: bool,
    /// The key of the message that it is.
    pub key: String,
    /// In a sentence.
    pub words: String,
}

/// The boxes and lines of a picture.
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    /// The boxes, what chains end at first.
    pub cards: Vec<Card>,
    /// The lines.
    pub wires: Vec<Wire>,
}

/// What a box is told beside its node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'n> {
    /// Why chains end there.
    pub end: Option<RootKind>,
    /// Why it waits for the next one.
    pub edge: Option<EdgeKind>,
    /// What is between the two and has no box: a message, a lock.
    pub between: Option<&'n Node>,
}

/// The box of a node. `site` is the function that its thread is in.
pub fn of_node(node: &Node, beside: Beside<'_>, site: Option<String>) -> Card {
    let mut card = match node {
        Node::Thread(thread) => of_thread(thread, beside, site),
        Node::Port(port) => of_port(port, beside.end),
        Node::Message(message) => of_message(message),
        Node::Process(process) => of_process(process),
        Node::Lock(lock) => of_lock(lock),
        Node::Mutant(mutant) => of_object("mutant", mutant.address.to_string()),
        Node::CompletionPort(port) => of_object("completion port", port.address.to_string()),
        Node::Irp(irp) => of_object("I/O request", wait_lines::pending(irp).into_plain()),
        Node::Driver(driver) => of_object("driver", wait_lines::driver(driver).into_plain()),
    };
    if let Some(end) = beside
        .end
        .filter(|_| !matches!(node, Node::Thread(_) | Node::Irp(_)))
    {
        card.lines.push(end.meaning().to_owned());
    }
    card.key = key_of(node);
    card.count = 1;
    card
}

fn of_thread(thread: &ThreadNode, beside: Beside<'_>, site: Option<String>) -> Card {
    let mut lines = Vec::new();
    match beside.end {
        Some(end) => {
            lines.push(doing(thread, end));
            let waited = thread.waited.known().copied().flatten();
            lines.extend(waited.map(|span| format!("for {}", time::lasted(span))));
        }
        None => lines.push(waits(thread)),
    }
    let suspended = thread.is_suspended() && beside.end != Some(RootKind::Suspended);
    if let Some(line) = lines.last_mut().filter(|_| suspended) {
        line.push_str(", suspended");
    }
    match beside.between {
        Some(Node::Message(message)) => lines.push(asks(message)),
        Some(lock) => lines.push(format!("for {}", label_of(lock))),
        None => lines.extend(beside.edge.and_then(waits_for).map(ToOwned::to_owned)),
    }
    lines.extend(site.map(|site| format!("in {}", escape::text(&site))));
    let service = wait_lines::service(thread);
    lines.extend((!service.is_empty()).then(|| service.trim().to_owned()));
    Card {
        kind: "thread",
        shape: Shape::Thread,
        title: wait_lines::who(thread).into_plain(),
        lines,
        ..Card::default()
    }
}

/// `waits for something that has no owner (UserRequest)`
fn doing(thread: &ThreadNode, end: RootKind) -> String {
    let meaning = end.meaning();
    match end {
        RootKind::Running => {
            let processor = or_question(&thread.processor, |number| format!("{number:x}"));
            format!("{meaning} on processor {processor}")
        }
        RootKind::Ready | RootKind::Terminated | RootKind::Unreadable => meaning.to_owned(),
        _ => format!("{meaning} ({})", wait_lines::reason(thread)),
    }
}

fn waits(thread: &ThreadNode) -> String {
    match &thread.waited {
        Value::Known(Some(span)) => format!("waits {}", time::lasted(*span)),
        Value::Known(None) => "does not wait".to_owned(),
        Value::Missing(_) => "waits, how long cannot be read".to_owned(),
    }
}

/// How long a node has waited, in short: nothing of what is no thread.
pub fn waited(node: &Node) -> String {
    match node.thread().map(|thread| &thread.waited) {
        Some(Value::Known(Some(span))) => time::lasted(*span),
        Some(Value::Missing(_)) => "how long: ?".to_owned(),
        _ => String::new(),
    }
}

/// `calls ROpenServiceW (svcctl 16)` and where; of a message whose call is not known its number.
fn asks(message: &MessageNode) -> String {
    let number = || or_question(&message.message_id, |id| format!("0x{id:x}"));
    let what = match message.call().filter(|call| call.asks()) {
        Some(call) => format!("calls {}", call_lines::asked(call)),
        None => format!("for the reply to message {}", number()),
    };
    format!("{what} at {}", wait_lines::port_of(message))
}

/// What a thread waits for that is no message.
fn waits_for(edge: EdgeKind) -> Option<&'static str> {
    match edge {
        EdgeKind::Acquires => Some("for the lock"),
        EdgeKind::EndOfThread => Some("for the end of the thread"),
        EdgeKind::EndOfProcess => Some("for the end of the process"),
        EdgeKind::EndOfRequest => Some("for the end of the I/O request"),
        EdgeKind::Apartment => Some("for the thread of the COM apartment"),
        EdgeKind::Reply | EdgeKind::ComCall => Some("for a reply"),
        _ => None,
    }
}

/// What a line says, between the two that it joins.
pub fn leads(edge: EdgeKind) -> &'static str {
    match edge {
        EdgeKind::Reply | EdgeKind::ComCall => "waits for the reply to",
        EdgeKind::ReceivedBy => "was received by",
        EdgeKind::QueuedAt => "is queued at",
        EdgeKind::Acquires => "waits for",
        EdgeKind::HeldBy => "is held by",
        EdgeKind::EndOfThread | EdgeKind::EndOfProcess | EdgeKind::EndOfRequest => "waits for the end of",
        EdgeKind::Apartment => "can only be run by",
        _ => "leads to",
    }
}

fn of_port(port: &PortNode, end: Option<RootKind>) -> Card {
    let title = match &port.name {
        Value::Known(Some(name)) => escape::text(name),
        _ => port.address.to_string(),
    };
    let owner = match &port.owner_process_id {
        Value::Known(Some(id)) => format!("of {} {id:04x}", wait_lines::image(&port.owner)),
        Value::Known(None) => "of nobody".to_owned(),
        Value::Missing(_) => format!("of {} ?", wait_lines::image(&port.owner)),
    };
    let mut lines = vec![owner];
    lines.push(match &port.unreceived {
        Value::Known(1) => "1 request is queued".to_owned(),
        count => format!("{} requests are queued", or_question(count, ToString::to_string)),
    });
    // Without a server the reason that is told below says the same.
    if end != Some(RootKind::NoServer) {
        lines.push(or_question(&port.servers, wait_lines::servers).into_plain());
    }
    Card {
        kind: "port",
        shape: Shape::Port,
        title,
        lines,
        ..Card::default()
    }
}

fn of_message(message: &MessageNode) -> Card {
    let number = or_question(&message.message_id, |id| format!("0x{id:x}"));
    let call = message.call().filter(|call| call.asks());
    let mut lines: Vec<String> = call
        .map(|call| format!("calls {}", call_lines::asked(call)))
        .into_iter()
        .collect();
    lines.push(format!("at {}", wait_lines::port_of(message)));
    Card {
        kind: "message",
        shape: Shape::Message,
        title: format!("message {number}"),
        lines,
        ..Card::default()
    }
}

fn of_process(process: &ProcessNode) -> Card {
    let mut lines = Vec::new();
    if process.is_receiver {
        lines.push("one of its threads has the message".to_owned());
    }
    Card {
        kind: "process",
        shape: Shape::Process,
        title: format!(
            "{} {}",
            or_question(&process.image, |image| escape::text(image)),
            or_question(&process.process_id, |id| format!("{id:04x}"))
        ),
        lines,
        ..Card::default()
    }
}

fn of_lock(lock: &LockNode) -> Card {
    let mut card = of_object(lock.lock.name(), lock.address.to_string());
    match (&lock.owners, lock.unknown) {
        (_, Some(why)) => card.lines.push(why.to_owned()),
        (Value::Known(owners), None) if owners.len() > 1 => {
            card.lines
                .push(format!("shared by {}: each must release it", owners.len()));
        }
        (Value::Missing(_), None) => card.lines.push("its owner cannot be read".to_owned()),
        _ => {}
    }
    card
}

fn of_object(what: &'static str, line: String) -> Card {
    Card {
        kind: "object",
        shape: Shape::Object,
        title: what.to_owned(),
        lines: vec![line],
        ..Card::default()
    }
}

/// The box of several nodes that are alike: how long the shortest and the longest of them waits.
pub fn of_many(count: usize, what: &str, spans: &[TimeSpan]) -> Card {
    let shortest = spans.iter().map(|span| span.0).min();
    let longest = spans.iter().map(|span| span.0).max();
    let span = |ticks: u64| time::lasted(TimeSpan(ticks));
    let waits = match (shortest, longest) {
        (Some(one), Some(other)) if span(one) == span(other) => Some(format!("wait {}", span(one))),
        (Some(one), Some(other)) => Some(format!("wait {} to {}", span(one), span(other))),
        _ => None,
    };
    Card {
        kind: "group",
        shape: Shape::Thread,
        title: format!("and {count} more {what}"),
        lines: waits.into_iter().collect(),
        count,
        ..Card::default()
    }
}
