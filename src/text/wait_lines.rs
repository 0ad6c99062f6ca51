//! Chains of waits, one line a thread.

use alpc::Value;
use alpc::process::ProcessRef;
use alpc::process::irp::{DriverNode, IrpNode, MajorFunction};
use alpc::process::thread::WaitObject;
use alpc::wait::chain::{Chain, Step};
use alpc::wait::edge::{Certainty, EdgeKind, Evidence};
use alpc::wait::hang::{Behind, Blocker};
use alpc::wait::node::{LockKind, LockNode, MessageNode, Node, PortLabel, PortNode, ProcessNode, ThreadNode};
use alpc::wait::root::RootKind;
use alpc::wait::servers::ServerCounts;
use alpc::wait::service::Service;

use crate::text::marked::{Text, inferred, joined, sure, text};
use crate::text::rows::{or_question, unknown};
use crate::text::{call_lines, escape, time};

/// Wait objects that a line names.
const OBJECTS: usize = 3;

/// `svchost.exe 033c.3c40  thread fffffa801afae6f0`
pub fn thread(thread: &ThreadNode) -> Text {
    text!("{}  thread {}{}", who(thread), thread.address, service(thread))
}

/// `  service nsi [inferred]`, `  service tag 0x1f`; nothing for a thread of no service.
pub fn service(thread: &ThreadNode) -> String {
    match &thread.service {
        Some(Service {
            name: Some(name),
            certainty,
            ..
        }) => format!(
            "  service {} {}",
            escape::text(name),
            sure(certainty.unwrap_or(Certainty::Unknown))
        ),
        Some(service) => format!("  service tag 0x{:x}", service.tag),
        None => String::new(),
    }
}

/// `svchost.exe 033c.3c40`
pub fn who(thread: &ThreadNode) -> Text {
    let id = |value: &Value<u64>| or_question(value, |id| format!("{id:04x}"));
    text!(
        "{} {}.{}",
        image(&thread.process),
        id(&thread.process_id),
        id(&thread.thread_id)
    )
}

/// A process's image name.
pub fn image(process: &Value<Option<ProcessRef>>) -> Text {
    match process {
        Value::Known(Some(process)) => or_question(&process.image, |image| escape::text(image)),
        Value::Known(None) => Text::from("(no process)"),
        Value::Missing(_) => unknown(),
    }
}

/// How long a thread has waited; `?` when that cannot be determined, `-` when it does not wait.
pub fn waited(thread: &ThreadNode) -> Text {
    match &thread.waited {
        Value::Known(Some(span)) => time::lasted(*span).into(),
        Value::Known(None) => "-".into(),
        Value::Missing(_) => unknown(),
    }
}

/// A port by its connection port's name, else by address.
pub fn port(label: &PortLabel) -> Text {
    match &label.name {
        Value::Known(Some(name)) => escape::text(name).into(),
        Value::Known(None) => label.address.to_string().into(),
        Value::Missing(_) => text!("{} ({})", label.address, unknown()),
    }
}

/// The same of the port that a message names.
pub fn port_of(message: &MessageNode) -> Text {
    match &message.port {
        Value::Known(Some(label)) => port(label),
        Value::Known(None) => "-".into(),
        Value::Missing(_) => unknown(),
    }
}

/// The lines of a chain or ring, one for each thread and one for what else it ends at.
pub fn steps(steps: &[Step], ring: bool) -> Vec<Text> {
    let mut lines = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let rest = &steps[at..];
        match &step.node {
            Node::Thread(node) => lines.push(thread_line(node, step, rest)),
            _ if step.next.is_some() || ring => {}
            node => lines.push(end_line(node)),
        }
    }
    lines
}

fn thread_line(node: &ThreadNode, step: &Step, rest: &[Step]) -> Text {
    let own = text!("{}  {}", thread(node), waited(node));
    let suspended = if node.is_suspended() { " (suspended)" } else { "" };
    let Some(edge) = &step.next else {
        return own + suspended;
    };
    let certainty = weakest(rest);
    let what = match (edge.edge, rest.get(1).map(|next| &next.node)) {
        (EdgeKind::Reply | EdgeKind::ComCall, Some(Node::Message(message))) => awaited(message),
        (EdgeKind::Apartment, _) => {
            Text::from("for the thread of the COM apartment, which must run the call")
        }
        (EdgeKind::Acquires, Some(Node::Mutant(object))) => text!("for mutant {}", object.address),
        (EdgeKind::Acquires, Some(Node::Lock(node))) => text!("for {}", lock(node)),
        (EdgeKind::EndOfRequest, Some(Node::Irp(irp))) => {
            text!("for I/O request {}", irp.address)
        }
        (EdgeKind::EndOfThread, _) => Text::from("for the end of the thread"),
        (EdgeKind::EndOfProcess, _) => Text::from("for the end of the process"),
        _ => Text::from("for what comes next"),
    };
    text!("{own} {what}{suspended} {}", sure(certainty))
}

/// `for ROpenServiceW (svcctl 16) at ntsvcs, message fffff8800f4cc950 (id 0xbfc)`; of a message whose call is not known
/// that its reply is waited for.
fn awaited(message: &MessageNode) -> Text {
    let number = or_question(&message.message_id, |id| format!("0x{id:x}"));
    let port = port_of(message);
    match message.call().filter(|call| call.asks()) {
        Some(call) => text!(
            "for {} at {port}, message {} (id {number})",
            call_lines::asked(call),
            message.address
        ),
        None => text!(
            "for the reply to message {} (id {number}) at {port}",
            message.address
        ),
    }
}

/// How sure the way to the next thread is.
fn weakest(rest: &[Step]) -> Certainty {
    let to_next = rest
        .iter()
        .skip(1)
        .take_while(|step| !matches!(step.node, Node::Thread(_)));
    rest.first()
        .into_iter()
        .chain(to_next)
        .filter_map(|step| step.next.as_ref())
        .map(|edge| edge.certainty)
        .max()
        .unwrap_or(Certainty::Proven)
}

/// What is no thread, in one line.
pub fn end_line(node: &Node) -> Text {
    match node {
        Node::Port(port) => port_line(port),
        Node::Process(process) => process_line(process),
        Node::Message(message) => text!("message {}", message.address),
        Node::Mutant(object) => text!("mutant {}", object.address),
        Node::CompletionPort(queue) => text!("completion port {}", queue.address),
        Node::Lock(node) => lock(node),
        Node::Thread(node) => thread(node),
        Node::Irp(irp) => pending(irp),
        Node::Driver(node) => driver(node),
    }
}

/// `read, I/O request fffffa801a3c0010 (device fffffa801a2f0060)`
pub fn request(irp: &IrpNode) -> Text {
    let what = or_question(&irp.major_function, |major| match major {
        Some(major) => major_function(*major).into(),
        None => Text::from("with no driver: not sent yet, or completed"),
    });
    let device = match &irp.device {
        Value::Known(None) => Text::default(),
        device => {
            let device = or_question(device, |device| {
                device.map_or_else(|| "?".to_owned(), |device| device.to_string())
            });
            text!(" (device {device})")
        }
    };
    text!("{what}, I/O request {}{device}", irp.address)
}

/// `I/O pending at \FileSystem\Npfs: read, I/O request fffffa801a3c0010 (device fffffa801a2f0060)`
pub fn pending(irp: &IrpNode) -> Text {
    match &irp.driver {
        Value::Known(None) => text!("I/O {}", request(irp)),
        driver => {
            let name = or_question(driver, |driver| {
                driver.as_ref().map_or_else(unknown, self::driver)
            });
            text!("I/O pending at {name}: {}", request(irp))
        }
    }
}

/// What a driver is asked to do, in words.
pub fn major_function(major: MajorFunction) -> String {
    major
        .words()
        .map_or_else(|| format!("0x{:02X}", major.0), ToOwned::to_owned)
}

/// A driver by its name.
pub fn driver(driver: &DriverNode) -> Text {
    or_question(&driver.name, |name| escape::text(name))
}

/// `executive resource fffffa801a0c1230, shared by 2: each must release it`
pub fn lock(lock: &LockNode) -> Text {
    let owners = match (&lock.owners, lock.unknown) {
        (_, Some(why)) => text!(", {why}"),
        (Value::Known(owners), None) if owners.len() > 1 => {
            text!(", shared by {}: each must release it", owners.len())
        }
        (Value::Known(_), None) => Text::default(),
        (Value::Missing(_), None) => text!(", owner {}", unknown()),
    };
    text!("{} {}{owners}", lock.lock.name(), lock.address)
}

fn process_line(process: &ProcessNode) -> Text {
    text!(
        "{} {}  process {}",
        or_question(&process.image, |image| escape::text(image)),
        or_question(&process.process_id, |id| format!("{id:04x}")),
        process.address
    )
}

/// The debugger's command that shows a node.
pub fn kd_command(node: &Node) -> String {
    let at = node.address();
    let command = match node {
        Node::Thread(_) => format!("!thread {at}"),
        // Debuggers of 2009 list `/M` and `/P`, those of today `/m` and `/p`: the letters know no case.
        Node::Message(_) => format!("!alpc /m {at}"),
        Node::Port(_) => format!("!alpc /p {at}"),
        // The body of an I/O completion port is a KQUEUE (Windows Internals); the debugger has no view of its own
        // for it.
        Node::CompletionPort(_) => format!("dt nt!_KQUEUE {at}"),
        Node::Mutant(_) => format!("dt nt!_KMUTANT {at}"),
        Node::Lock(LockNode { lock, .. }) => match lock {
            // In kernel mode `!locks` is of ERESOURCEs; in user mode the same name lists critical sections
            // (Microsoft Learn).
            LockKind::Resource => format!("!locks -v {at}"),
            LockKind::PushLock => format!("dt nt!_EX_PUSH_LOCK {at}"),
            LockKind::FastMutex => format!("dt nt!_FAST_MUTEX {at}"),
        },
        // 0 is the shortest it prints; 7 has all threads with their stacks (Microsoft Learn, "!process").
        Node::Process(_) => format!("!process {at} 0"),
        Node::Irp(_) => format!("!irp {at}"),
        // Flag 2 lists the driver's dispatch routines (Microsoft Learn, "!drvobj").
        Node::Driver(_) => format!("!drvobj {at} 2"),
    };
    format!("kd> {command}")
}

/// A port with its owner, its messages and its servers.
pub fn port_line(port: &PortNode) -> Text {
    let name = match &port.name {
        Value::Known(Some(name)) => text!(" ({})", escape::text(name)),
        Value::Known(None) => Text::default(),
        Value::Missing(_) => text!(" ({})", unknown()),
    };
    let owner = match &port.owner_process_id {
        Value::Known(Some(id)) => text!("{} {id:04x}", image(&port.owner)),
        Value::Known(None) => Text::from("nobody"),
        Value::Missing(_) => text!("{} {}", image(&port.owner), unknown()),
    };
    let messages = or_question(&port.unreceived, ToString::to_string);
    let servers = or_question(&port.servers, servers);
    text!(
        "port {}{name} of {owner}: {messages} not received, {servers}",
        port.address
    )
}

/// `4 threads: 1 idle, 3 blocked`
pub fn servers(counts: &ServerCounts) -> Text {
    let kinds = [
        (counts.idle, "idle"),
        (counts.blocked, "blocked"),
        (counts.running, "running"),
        (counts.suspended, "suspended"),
        (counts.terminated, "ended"),
        (counts.unreadable, "unreadable"),
    ];
    let known: Vec<Text> = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| text!("{count} {kind}"))
        .collect();
    let more = if counts.complete.reason().is_some() {
        ", maybe more"
    } else {
        ""
    };
    let limit = match (&counts.current_count, &counts.maximum_count) {
        (Some(current), Some(maximum)) if counts.at_limit() => text!(
            " ({} of {} may run)",
            or_question(current, ToString::to_string),
            or_question(maximum, ToString::to_string)
        ),
        _ => Text::default(),
    };
    match known.as_slice() {
        [] => text!("no thread serves it{more}"),
        _ => text!(
            "{}: {}{more}{limit}",
            plural(counts.total(), "thread"),
            joined(known, ", ")
        ),
    }
}

/// What a blocker is, in one line.
pub fn blocker(node: &Node, end: RootKind) -> Text {
    match node {
        Node::Thread(thread_node) => text!(
            "{}: {}{}",
            thread(thread_node),
            of_thread(thread_node, end),
            why_unreadable(node, end)
        ),
        Node::Irp(irp) if end == RootKind::IoPending => pending(irp),
        node => text!(
            "{}; {}{}",
            end_line(node),
            end.meaning(),
            why_unreadable(node, end)
        ),
    }
}

/// `: no message is at fffff8800f4cc950: only zeros are there`
pub fn why_unreadable(node: &Node, end: RootKind) -> Text {
    let hole = node.reason().filter(|_| end == RootKind::Unreadable);
    hole.map_or_else(Text::default, |hole| {
        text!(": {}", escape::text(&hole.to_string()))
    })
}

fn of_thread(thread: &ThreadNode, end: RootKind) -> Text {
    let meaning = end.meaning();
    match end {
        RootKind::Running => {
            let processor = or_question(&thread.processor, |number| format!("{number:x}"));
            text!("{meaning} on processor {processor}")
        }
        RootKind::Ready | RootKind::Terminated | RootKind::Unreadable => meaning.into(),
        _ => {
            let why = thread.lock_unknown.as_ref();
            let why = why.map_or_else(Text::default, |why| text!("; {}", escape::text(why)));
            text!("{meaning} ({}{}{why})", reason(thread), objects(thread))
        }
    }
}

/// Why a thread waits and at what: `UserRequest: SynchronizationEvent fffffa801820f6e0`.
pub fn doing(thread: &ThreadNode) -> Text {
    let waits = thread.state.known().is_some_and(|state| state.is_waiting());
    if !waits {
        return Text::from("-");
    }
    reason(thread) + objects(thread)
}

/// Why a thread waits: `UserRequest`.
pub fn reason(thread: &ThreadNode) -> Text {
    or_question(&thread.wait_reason, |reason| {
        reason
            .name()
            .map_or_else(|| format!("0x{:02X}", reason.0), ToOwned::to_owned)
    })
}

/// `_KALPC_MESSAGE.WaitingThread @ fffff8800f4cc950 = fffffa801afae6f0`
pub fn evidence(evidence: &Evidence) -> Text {
    text!(
        "{} @ {} = {}",
        evidence.field,
        evidence.of,
        escape::text(&evidence.value.to_string())
    )
}

/// What it waits at, behind a colon: `: SynchronizationEvent fffffa801820f6e0`.
pub fn objects(thread: &ThreadNode) -> Text {
    let objects = thread.wait_objects.known().map_or(&[][..], Vec::as_slice);
    let named: Vec<Text> = objects.iter().take(OBJECTS).map(object).collect();
    let more = if objects.len() > OBJECTS { ", ..." } else { "" };
    match named.as_slice() {
        [] => Text::default(),
        _ => text!(": {}{more}", joined(named, ", ")),
    }
}

fn object(object: &WaitObject) -> Text {
    let kind = or_question(&object.kind, |kind| {
        kind.name()
            .map_or_else(|| format!("0x{:02X}", kind.0), ToOwned::to_owned)
    });
    text!("{kind} {}", object.address)
}

/// `2 threads of 1 process, the longest wait 00:04:12`
pub fn behind(behind: &Behind) -> String {
    let least = if behind.at_least { "at least " } else { "" };
    let longest = behind
        .longest_wait
        .map(|span| format!(", the longest wait {}", time::lasted(span)));
    format!(
        "{least}{} of {}{}",
        plural(behind.threads, "thread"),
        plural(behind.processes, "process"),
        longest.unwrap_or_default()
    )
}

/// `behind it: 2 threads of 1 process, and 1 more thread at ports that only these serve [inferred]`
pub fn behind_blocker(blocker: &Blocker) -> Text {
    let others = match blocker.inferred_threads {
        0 => Text::default(),
        threads => text!(
            ", and {} at ports that only these serve {}",
            plural(threads, "more thread"),
            inferred()
        ),
    };
    text!("behind it: {}{others}", behind(&blocker.behind))
}

/// `1 thread`, `2 threads`, `2 processes`
pub fn plural(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ if noun.ends_with('s') => format!("{count} {noun}es"),
        _ => format!("{count} {noun}s"),
    }
}

/// What a chain ends at, behind the word for it; `blocker` says what that is.
pub fn end(chain: &Chain, blocker: fn(&Node, RootKind) -> Text) -> Text {
    match chain.steps.last() {
        _ if chain.joins.is_some() => Text::default(),
        Some(last) if chain.end != RootKind::Deadlock => text!(": {}", blocker(&last.node, chain.end)),
        _ => Text::from(": the chain comes back to itself"),
    }
}
