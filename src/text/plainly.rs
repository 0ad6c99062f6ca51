//! What hangs in the words of a colleague: each fact once, and the reason in the same sentence.

use alpc::Value;
use alpc::wait::node::{Node, PortNode, ProcessNode, ThreadNode};
use alpc::wait::root::RootKind;
use alpc::wait::servers::ServerCounts;
use alpc::wait::trouble::PortTrouble;

use crate::text::marked::{Text, text};
use crate::text::rows::{or_question, unknown};
use crate::text::{escape, wait_lines};

/// What a blocker is, in one sentence.
pub fn blocker(node: &Node, end: RootKind) -> Text {
    let what = match node {
        Node::Port(port) => return text!("{}{}", of_port(port, end), wait_lines::why_unreadable(node, end)),
        Node::Thread(thread) => of_thread(thread, end),
        Node::Irp(irp) if end == RootKind::IoPending => wait_lines::pending(irp),
        Node::Process(process) => text!("{} {}", self::process(process), of_process(end)),
        Node::Message(_) | Node::Mutant(_) | Node::CompletionPort(_) => {
            text!("{} {}", wait_lines::end_line(node), end.meaning())
        }
        _ => text!("{}; {}", wait_lines::end_line(node), end.meaning()),
    };
    text!("{what}{}", wait_lines::why_unreadable(node, end))
}

/// `lsass.exe 023c.025c, thread fffffa801820f760, waits for something that has no owner: SynchronizationEvent
/// fffffa801820f6e0 (UserRequest)`
fn of_thread(thread: &ThreadNode, end: RootKind) -> Text {
    let meaning = end.meaning();
    let who = text!(
        "{}, thread {}{},",
        wait_lines::who(thread),
        thread.address,
        wait_lines::service(thread)
    );
    match end {
        RootKind::Running => {
            let processor = or_question(&thread.processor, |number| format!("{number:x}"));
            text!("{who} {meaning} on processor {processor}")
        }
        RootKind::Ready | RootKind::Terminated | RootKind::Unreadable => text!("{who} {meaning}"),
        _ => {
            let why = thread.lock_unknown.as_ref();
            let why = why.map_or_else(Text::default, |why| text!("; {}", escape::text(why)));
            text!(
                "{who} {meaning}{} ({}){why}",
                wait_lines::objects(thread),
                wait_lines::reason(thread)
            )
        }
    }
}

/// `lsass.exe 023c, process fffffa8018205900,`
fn process(process: &ProcessNode) -> Text {
    text!(
        "{} {}, process {},",
        or_question(&process.image, |image| escape::text(image)),
        or_question(&process.process_id, |id| format!("{id:04x}")),
        process.address
    )
}

fn of_process(end: RootKind) -> &'static str {
    match end {
        RootKind::ProcessRuns => "has not ended",
        RootKind::ProcessExited => "has ended",
        end => end.meaning(),
    }
}

/// `lsasspirpc of lsass.exe 023c`; the address where a port has no name.
fn at(port: &PortNode) -> Text {
    let owner = match &port.owner_process_id {
        Value::Known(Some(id)) => text!("{} {id:04x}", wait_lines::image(&port.owner)),
        Value::Known(None) => Text::from("nobody"),
        Value::Missing(_) => text!("{} {}", wait_lines::image(&port.owner), unknown()),
    };
    text!("{} of {owner}", name(port))
}

/// `lsasspirpc`, or `port fffffa801820d2c0` where it has no name or that cannot be read.
fn name(port: &PortNode) -> Text {
    match &port.name {
        Value::Known(Some(name)) => escape::text(name).into(),
        Value::Known(None) => text!("port {}", port.address),
        Value::Missing(_) => text!("port {} ({})", port.address, unknown()),
    }
}

/// `6 requests are queued at lsasspirpc of lsass.exe 023c; 3 of its 4 threads are idle and do not take them`
fn of_port(port: &PortNode, end: RootKind) -> Text {
    let servers = port.servers.known();
    let why = match (end, servers) {
        (RootKind::NotReceived, Some(servers)) if servers.idle > 0 => not_taken(servers),
        (RootKind::NoServer, _) => Text::from("no thread serves it"),
        (RootKind::ServersBlocked, Some(servers)) => {
            all_of(servers, "waits for something else", "wait for something else")
        }
        (RootKind::ServersSuspended, Some(servers)) => all_of(servers, "is suspended", "are suspended"),
        (RootKind::ServersRunning, Some(servers)) if servers.running > 0 => text!(
            "{} run{}",
            share(servers, servers.running),
            if servers.running == 1 { "s" } else { "" }
        ),
        (RootKind::AtLimit, Some(servers)) => text!(
            "its completion port lets no more threads run ({})",
            wait_lines::servers(servers)
        ),
        (RootKind::OwnerGone, _) => Text::from("its owner is gone"),
        (RootKind::Unreadable, _) => return text!("{} cannot be read", at(port)),
        (_, servers) => {
            let servers = servers.map(|servers| text!(" ({})", wait_lines::servers(servers)));
            text!("it {}{}", end.meaning(), servers.unwrap_or_default())
        }
    };
    text!("{} {}; {why}", queued(port), at(port))
}

fn queued(port: &PortNode) -> Text {
    match &port.unreceived {
        Value::Known(1) => Text::from("1 request is queued at"),
        count => text!(
            "{} requests are queued at",
            or_question(count, ToString::to_string)
        ),
    }
}

/// `3 of its 4 threads are idle and do not take them`
fn not_taken(servers: &ServerCounts) -> Text {
    let verb = match servers.idle {
        1 => "is idle and does not take them",
        _ => "are idle and do not take them",
    };
    text!("{} {verb}", share(servers, servers.idle))
}

/// `3 of its 4 threads`, `its 4 threads`, `its only thread`; of a list that could not be followed to its end, that there
/// may be more.
fn share(servers: &ServerCounts, count: usize) -> Text {
    let total = servers.total();
    let more = match servers.complete.reason() {
        Some(_) => " (maybe more)",
        None => "",
    };
    match (count, total) {
        (1, 1) => text!("its only thread{more}"),
        (count, total) if count == total => text!("its {total} threads{more}"),
        (count, total) => text!("{count} of its {total} threads{more}"),
    }
}

fn all_of(servers: &ServerCounts, one: &str, many: &str) -> Text {
    let verb = if servers.total() == 1 { one } else { many };
    text!("{} {verb}", share(servers, servers.total()))
}

/// `6 messages not received, though threads wait for them: lsasspirpc of lsass.exe 023c, port fffffa801820d2c0`
pub fn trouble(trouble: &PortTrouble) -> Text {
    let port = &trouble.port;
    let address = match &port.name {
        Value::Known(Some(_)) => text!(", port {}", port.address),
        _ => Text::default(),
    };
    text!("{}: {}{address}", of_trouble(trouble), at(port))
}

/// `lsasspirpc (6 messages not received, though threads wait for them)`
pub fn trouble_in_short(trouble: &PortTrouble) -> Text {
    text!("{} ({})", name(&trouble.port), of_trouble(trouble))
}

fn of_trouble(trouble: &PortTrouble) -> String {
    let meaning = trouble.trouble.meaning();
    let meaning = match (trouble.count, meaning.split_once("s ")) {
        (1, Some((one, rest))) => format!("{one} {rest}"),
        _ => meaning.to_owned(),
    };
    format!("{} {meaning}", trouble.count)
}
