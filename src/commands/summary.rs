//! `summary`, and what a dump without a command gets: what it is, what hangs, on whom, and what to ask next.

use alpc::wait::hang::{self, Blocker, Hang};
use alpc::wait::node::Node;
use alpc::wait::signature::Signature;
use clap::Args;
use kdump::{FileTime, TimeSpan};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Spec, Verb, hang as hang_view, hang_screen, info};
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::session::Session;
use crate::text::marked::{Cell, Look, Text, text};
use crate::text::rows::Rows;
use crate::text::{escape, plainly, time, wait_lines};

/// What hangs, on whom, what to ask next: what a dump alone gets
#[derive(Clone, Debug, Args)]
pub struct SummaryArgs {}

impl SummaryArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Waits,
        switches: &[],
        shape: Shape {
            name: "summary",
            results: &[of::<SummaryRecord<'static>>],
            tables: &[],
            whole: &[of::<SummaryRecord<'static>>],
        },
    };
}

/// A dump in one screen.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct SummaryRecord<'r> {
    /// The release of Windows, where its build is of one.
    release: Option<String>,
    /// The build.
    build: u32,
    /// The machine.
    machine: String,
    /// What kind of dump it is.
    kind: String,
    /// When it was written.
    system_time: Option<FileTime>,
    /// How long the system had run.
    system_up_time: Option<TimeSpan>,
    /// Why it stopped: the bug check, with its name.
    bug_check: Option<String>,
    /// The verdict in a sentence.
    verdict: String,
    /// [`Hang::signature`].
    signature: &'r Signature,
    /// Threads that wait for another thread or process.
    stuck: usize,
    /// The longest of their waits.
    longest_wait: Option<TimeSpan>,
    /// Rings of proven waits.
    deadlocks: usize,
    /// Where the chains of most threads end.
    blocker: Option<&'r Blocker>,
    /// Ports in trouble.
    ports_in_trouble: usize,
    /// Commands that tell more, without the dump before them.
    next: Vec<Next>,
}

/// A command that tells more.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "SummaryNext"))]
pub struct Next {
    /// The command.
    command: String,
    /// What it tells.
    tells: &'static str,
}

/// Steps of the chain that are shown.
const STEPS: usize = 6;

impl Verb for SummaryArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let header = info::shown_header(session);
        let kernel = session.kernel()?;
        let (_, hang) = hang::hang(&kernel);
        let record = SummaryRecord {
            release: kdump::release_name(header.minor_version, header.product_type),
            build: header.minor_version,
            machine: info::machine(&header),
            kind: header.kind.to_string(),
            system_time: header.system_time,
            system_up_time: header.system_up_time,
            bug_check: header.bug_check.as_ref().map(|bug_check| match bug_check.name {
                Some(name) => format!("0x{:X} {name}", bug_check.code),
                None => format!("0x{:X}", bug_check.code),
            }),
            verdict: verdict(&hang),
            signature: &hang.signature,
            stuck: hang.stuck,
            longest_wait: hang.longest_wait,
            deadlocks: hang.deadlocks.len(),
            blocker: hang.blockers.first(),
            ports_in_trouble: hang.ports_in_trouble.len(),
            next: next(&hang),
        };
        let path = session.redactor().view(&session.dump().path().to_string_lossy());
        let plain = options.speaks_plainly();
        let text = text(&record, &hang, &path, kernel.addr(kernel.base()).digits(), plain);
        Ok(Answer::new(text, &record)?
            .served_by(&kernel)
            .finding(!hang.deadlocks.is_empty()))
    }
}

/// What a colleague would say.
fn verdict(hang: &Hang) -> String {
    let waits = match hang.longest_wait {
        Some(longest) => format!(
            "{} for another thread or process, the longest for {}",
            wait(hang.stuck),
            time::lasted(longest)
        ),
        None => format!("{} for another thread or process", wait(hang.stuck)),
    };
    let doubt = hang
        .doubt
        .as_ref()
        .map(|doubt| format!("; there may be more: {}", doubt.text));
    let doubt = doubt.unwrap_or_default();
    match (&hang.signature, hang.deadlocks.as_slice()) {
        (Signature::None, _) => "nothing hangs: no thread waits for another".to_owned(),
        (Signature::Unknown, _) => {
            let why = hang.doubt.as_ref().map_or("", |doubt| &doubt.text);
            format!("no thread was found that waits for another, but not all could be looked at: {why}")
        }
        (_, [one]) => {
            format!("a deadlock: {}; {waits}{doubt}", hang_screen::each_other(one))
        }
        (_, [_, _, ..]) => format!("{} deadlocks; {waits}{doubt}", hang.deadlocks.len()),
        _ => format!("{waits}{doubt}"),
    }
}

fn wait(threads: usize) -> String {
    match threads {
        1 => "1 thread waits".to_owned(),
        _ => format!("{threads} threads wait"),
    }
}

fn next(hang: &Hang) -> Vec<Next> {
    let mut next = Vec::new();
    let mut add = |command: String, tells| next.push(Next { command, tells });
    let ring = hang.deadlocks.first().and_then(|deadlock| deadlock.ring.first());
    if let Some(step) = ring {
        add(
            format!("chain {}", step.node.address()),
            "the ring, each step with what proves it",
        );
    }
    if let Some(blocker) = hang.blockers.first() {
        let waiter = blocker
            .chain
            .steps
            .first()
            .map_or(blocker.node.address(), |step| step.node.address());
        add(
            format!("chain {waiter}"),
            "that chain, each step with what proves it",
        );
        match &blocker.node {
            Node::Thread(thread) => add(format!("stack {}", thread.address), "the functions that it is in"),
            Node::Port(port) => add(
                format!("port {} -v", port.address),
                "its threads and what is queued",
            ),
            _ => {}
        }
    }
    match hang.signature {
        Signature::None | Signature::Unknown => add("info".to_owned(), "the dump, its kernel, its symbols"),
        _ => add("hang".to_owned(), "all blockers, and ports in trouble"),
    }
    add("calls".to_owned(), "every call in flight");
    next
}

fn text(record: &SummaryRecord<'_>, hang: &Hang, path: &str, digits: usize, plain: bool) -> Text {
    let mut rows = Rows::new(0, digits);
    rows.heading(escape::text(path));
    let release = record.release.as_ref().map(|release| format!("{release}, "));
    rows.line(format!(
        "{}build {}, {}, {}",
        release.unwrap_or_default(),
        record.build,
        record.machine,
        record.kind
    ));
    let up = record.system_up_time.map(|up| format!(", up {}", time::span(up)));
    let when = record
        .system_time
        .map(|when| format!("written {when}{}, ", up.unwrap_or_default()));
    let stopped = record.bug_check.as_deref().unwrap_or("none");
    rows.line(format!("{}bug check {stopped}", when.unwrap_or_default()));
    rows.line("");
    let look = match (&hang.signature, hang.deadlocks.is_empty()) {
        (_, false) => Look::Alarm,
        (Signature::None, _) => Look::Heading,
        _ => Look::Warning,
    };
    rows.look(look, text!("{}", escape::text(&record.verdict)));
    rows.line(text!("{}", escape::text(hang.signature.as_str())));
    if let Some(deadlock) = hang.deadlocks.first() {
        rows.line("");
        rows.heading(match deadlock.members {
            1 => "It waits for itself:",
            _ => "They wait for each other:",
        });
        chain(&mut rows, &wait_lines::steps(&deadlock.ring, true));
    }
    if let Some(blocker) = record.blocker {
        rows.line("");
        rows.heading(text!(
            "Most wait behind: {}",
            match plain {
                true => plainly::blocker(&blocker.node, blocker.end),
                false => wait_lines::blocker(&blocker.node, blocker.end),
            }
        ));
        rows.line(text!("  {}", wait_lines::behind(&blocker.behind)));
        let steps = wait_lines::steps(&blocker.chain.steps, false);
        chain(
            &mut rows,
            steps.split_last().map_or(&[][..], |(_, before)| before),
        );
        if let Some(doing) = blocker
            .suspect
            .as_ref()
            .and_then(|suspect| suspect.stack.doing.as_ref())
        {
            rows.line(text!("  in {}", escape::text(&doing.site)));
        }
    }
    if record.ports_in_trouble > 0 {
        rows.line("");
        rows.line(format!(
            "{} in trouble",
            wait_lines::plural(record.ports_in_trouble, "port")
        ));
    }
    rows.line("");
    rows.heading("Ask next:");
    let path = escape::text(path);
    let quoted = if path.contains(' ') {
        format!("\"{path}\"")
    } else {
        path
    };
    let widest = record
        .next
        .iter()
        .map(|next| next.command.len())
        .max()
        .unwrap_or(0);
    for next in &record.next {
        let command = format!("alpc-dump {quoted} {:<widest$}", next.command);
        rows.line(text!("  {}  {}", Cell::new(Look::Command, command), next.tells));
    }
    rows.finish()
}

fn chain(rows: &mut Rows, lines: &[Text]) {
    hang_view::step_lines(rows, lines, STEPS);
}
