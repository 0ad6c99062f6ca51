//! `hang`: what is stuck, on whom, since when, and what to look at next, on one screen.

use alpc::Value;
use alpc::wait::graph::{Graph, GraphRecord};
use alpc::wait::hang::{self, Blocker, Deadlock, Hang};
use alpc::wait::node::Node;
use alpc::wait::root::{RootKind, Suspect};
use alpc::wait::signature::Signature;
use alpc::wait::trouble::PortTrouble;
use alpc::wait::unread::Unread;
use clap::Args;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Named, Spec, Verb, hang_screen};
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::session::Session;
use crate::text::marked::{Cell, Look, Text, inferred, sure, text};
use crate::text::rows::{Rows, address, or_question, unknown};
use crate::text::{escape, plainly, time, wait_lines};

/// What is stuck, on whom, since when and why: deadlocks, blockers, ports in trouble
#[derive(Clone, Debug, Args)]
pub struct HangArgs {
    /// Exit with status 1 also when a wait is longer than this: 30s, 5m, 2h, 1d
    #[arg(long, value_name = "T", value_parser = crate::text::time::parse_span)]
    pub longer_than: Option<u64>,
}

impl HangArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Waits,
        switches: &[],
        shape: Shape {
            name: "hang",
            results: &[of::<HangRecord<'static>>],
            tables: &[],
            whole: &[of::<HangRecord<'static>>],
        },
    };
}

impl Verb for HangArgs {
    fn explains(&self) -> Option<Named> {
        Some(Named::Evidence)
    }

    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let (graph, hang) = hang::hang(&kernel);
        let record = HangRecord {
            hang: &hang,
            graph: options.verbose.then(|| graph.record()),
        };
        let too_long = self
            .longer_than
            .is_some_and(|limit| hang.longest_wait.is_some_and(|longest| longest.0 > limit));
        let plain = options
            .speaks_plainly()
            .then(|| options.fits.unwrap_or(hang_screen::COLUMNS));
        let digits = kernel.addr(kernel.base()).digits();
        let text = || match plain {
            Some(width) if !options.verbose => hang_screen::text(&hang, width),
            _ => text(&hang, &graph, options.verbose, digits, plain),
        };
        Ok(Answer::large(options, &record, text)?
            .served_by(&kernel)
            .finding(too_long || !hang.deadlocks.is_empty()))
    }

    fn tells_verdict(&self) -> bool {
        self.longer_than.is_some()
    }
}

/// How much of each part stands on the one screen.
const DEADLOCKS: usize = 4;
const BLOCKERS: usize = 4;
const TROUBLES: usize = 6;
const LINES: usize = 8;

/// The report, and with `-v` the graph that it was made from.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct HangRecord<'r> {
    #[serde(flatten)]
    hang: &'r Hang,
    #[serde(skip_serializing_if = "Option::is_none")]
    graph: Option<GraphRecord<'r>>,
}

/// The whole report; `plain` is how many columns its verdict has where that is in plain words.
fn text(hang: &Hang, graph: &Graph, verbose: bool, digits: usize, plain: Option<usize>) -> Text {
    let mut rows = Rows::new(0, digits);
    match plain {
        Some(width) => {
            for line in hang_screen::head(hang, width) {
                rows.line(line);
            }
            ends_of_signature(&mut rows, hang);
        }
        None => head(&mut rows, hang),
    }
    let cut = |most: usize| if verbose { usize::MAX } else { most };
    deadlocks(
        &mut rows,
        ("DEADLOCK", Look::Alarm),
        &hang.deadlocks,
        cut(DEADLOCKS),
        cut(LINES),
    );
    deadlocks(
        &mut rows,
        ("POSSIBLE DEADLOCK", Look::Warning),
        &hang.possible_deadlocks,
        cut(DEADLOCKS),
        cut(LINES),
    );
    let sentence = match plain {
        Some(_) => plainly::blocker,
        None => wait_lines::blocker,
    };
    blockers(&mut rows, &hang.blockers, cut(BLOCKERS), cut(LINES), sentence);
    ports(&mut rows, &hang.ports_in_trouble, cut(TROUBLES), plain.is_some());
    if verbose {
        forest(&mut rows, hang, graph);
    }
    unread(&mut rows, &hang.unread, cut(LINES));
    let mut text = rows.finish();
    if let Some(width) = plain
        && text.plain().lines().count() > hang_screen::SCREEN
    {
        // The first one has gone by.
        text.push("\n");
        for line in hang_screen::head(hang, width) {
            text.push(line + '\n');
        }
    }
    text
}

fn head(rows: &mut Rows, hang: &Hang) {
    let headline = text!("Hang @ {}", escape::text(&hang.headline()));
    match hang.deadlocks.is_empty() {
        true => rows.heading(headline),
        false => rows.look(Look::Alarm, headline),
    }
    let longest = match (hang.longest_wait, &hang.clock) {
        (Some(span), _) => format!(", the longest for {}", time::lasted(span)),
        (None, Value::Missing(_)) if hang.stuck > 0 => ", for how long cannot be determined".to_owned(),
        (None, _) => String::new(),
    };
    rows.line(text!(
        "  {} of {} wait for another thread or process, {} for an ALPC reply{longest}",
        hang.stuck,
        wait_lines::plural(hang.threads, "thread"),
        hang.waiting_for_reply
    ));
    if hang.deadlocks.is_empty() {
        rows.line(match &hang.doubt {
            None => "  no deadlock",
            Some(_) => "  no deadlock was found in what could be read",
        });
    }
    ends_of_signature(rows, hang);
    if let Some(doubt) = &hang.doubt
        && hang.signature != Signature::Unknown
    {
        rows.line(text!("  there may be more waits: {}", escape::text(&doubt.text)));
    }
}

/// What stands beside the signature of a chain.
fn ends_of_signature(rows: &mut Rows, hang: &Hang) {
    if let Some(line) = hang.signature_in.as_ref().filter(|line| !line.ends_with(":?")) {
        rows.line(text!("  the last thread is {}", escape::text(line)));
    }
    if let Some(line) = &hang.signature_for {
        rows.line(text!("  the last wait is {}", escape::text(line)));
    }
}

fn deadlocks(
    rows: &mut Rows,
    (title, look): (&str, Look),
    deadlocks: &[Deadlock],
    most: usize,
    lines: usize,
) {
    for (at, deadlock) in deadlocks.iter().take(most).enumerate() {
        rows.line("");
        let line = text!("{title} {}: {}", at + 1, hang_screen::each_other(deadlock));
        rows.look(look, line);
        step_lines(rows, &wait_lines::steps(&deadlock.ring, true), lines);
        if deadlock.behind.threads > 0 {
            rows.line(text!("  behind it: {}", wait_lines::behind(&deadlock.behind)));
        }
        for step in deadlock
            .ring
            .iter()
            .filter(|step| deadlock.unproven.contains(&step.id))
        {
            if let Some(edge) = &step.next {
                let to = graph_name(&deadlock.ring, edge.to.number());
                rows.line(text!(
                    "  only if: {} goes on with {to} {}",
                    node_name(&step.node),
                    sure(edge.certainty)
                ));
            }
        }
        rows.line(text!("  signature: {}", deadlock.signature));
        if let Some(first) = deadlock.ring.first() {
            next(rows, &first.node, None);
        }
    }
    rest(rows, deadlocks.len(), most, "deadlock");
}

fn graph_name(ring: &[alpc::wait::chain::Step], number: usize) -> String {
    let step = ring.iter().find(|step| step.id.number() == number);
    step.map_or_else(|| "?".to_owned(), |step| node_name(&step.node))
}

fn node_name(node: &Node) -> String {
    let what = match node {
        Node::Thread(_) => "thread",
        Node::Message(_) => "message",
        Node::Port(_) => "port",
        Node::CompletionPort(_) => "completion port",
        Node::Mutant(_) => "mutant",
        Node::Lock(lock) => lock.lock.name(),
        Node::Process(_) => "process",
        Node::Irp(_) => "I/O request",
        Node::Driver(_) => "driver",
    };
    format!("{what} {}", node.address())
}

pub(super) fn step_lines(rows: &mut Rows, lines: &[Text], most: usize) {
    let shown = if lines.len() > most {
        most.saturating_sub(1)
    } else {
        lines.len()
    };
    // The first ones and the end tell more than the middle.
    let (first, last) = (shown.saturating_sub(shown / 2), shown / 2);
    for line in &lines[..first] {
        rows.line(text!("    {line}"));
    }
    if shown < lines.len() {
        rows.line(text!("    ... {} more (-v shows all)", lines.len() - shown));
    }
    for line in &lines[lines.len() - last..] {
        rows.line(text!("    {line}"));
    }
}

fn blockers(
    rows: &mut Rows,
    blockers: &[Blocker],
    most: usize,
    lines: usize,
    sentence: fn(&Node, RootKind) -> Text,
) {
    for (at, blocker) in blockers.iter().take(most).enumerate() {
        rows.line("");
        rows.line(text!(
            "{} {}",
            Cell::new(Look::Warning, format!("BLOCKER {}:", at + 1)),
            sentence(&blocker.node, blocker.end)
        ));
        rows.line(text!("  {}", wait_lines::behind_blocker(blocker)));
        let steps = wait_lines::steps(&blocker.chain.steps, false);
        step_lines(
            rows,
            steps.split_last().map_or(&[][..], |(_, before)| before),
            lines,
        );
        for servers in blocker.servers_behind.iter().take(3) {
            rows.line(text!(
                "  {} of its servers wait behind {} [inferred]",
                servers.servers,
                servers.blocker
            ));
        }
        if let Some(suspect) = &blocker.suspect {
            if matches!(blocker.node, Node::Irp(_)) {
                rows.line("  of the thread that waits for it:");
            }
            self::suspect(rows, suspect);
        }
        let first = blocker.chain.steps.first();
        next(rows, &blocker.node, first.map(|step| &step.node));
    }
    rest(rows, blockers.len(), most, "blocker");
}

/// Where a thread started, whose code is on its stack, and its I/O requests.
pub(super) fn suspect(rows: &mut Rows, suspect: &Suspect) {
    let digits = rows.digits();
    // The first is the stub that threads of all programs begin in (RtlUserThreadStart since Vista), so that it takes
    // the other one to know whose thread it is.
    let start = or_question(&suspect.start_address, |code| escape::text(&code.to_string()));
    rows.line(text!(
        "  start address: {start}, in user mode {}",
        address(&suspect.win32_start_address, digits)
    ));
    if let Some(doing) = &suspect.stack.doing {
        let words = doing.words.map(|words| format!(", {words}"));
        rows.line(text!(
            "  in {}{}",
            escape::text(&doing.site),
            words.unwrap_or_default()
        ));
    }
    match &suspect.stack_modules {
        // What the stack itself says is more than what lies on it.
        _ if suspect.stack.doing.is_some() => {}
        Value::Known(modules) if modules.is_empty() => {}
        Value::Known(modules) => rows.line(text!(
            "  modules on its stack: {} {}",
            escape::text(&modules.join(", ")),
            inferred()
        )),
        Value::Missing(_) => rows.line(text!("  modules on its stack: {}", unknown())),
    }
    match &suspect.irps {
        Value::Known(irps) => {
            let requests = irps.requests.iter().map(|irp| irp.address.to_string());
            let rest = irps.complete.reason().map(|_| "?".to_owned());
            let requests: Vec<String> = requests.chain(rest).collect();
            if !requests.is_empty() {
                rows.line(text!("  I/O requests: {}", requests.join(", ")));
            }
        }
        // Layouts that are built in say nothing of requests: that is told once, not of each thread.
        Value::Missing(hole) if hole.is_of_symbols() => {}
        Value::Missing(_) => rows.line(text!("  I/O requests: {}", unknown())),
    }
}

/// What to look at next; `first` is the deepest waiter.
fn next(rows: &mut Rows, node: &Node, first: Option<&Node>) {
    let command = match node {
        Node::Process(process) if process.is_receiver => {
            format!(
                "chain {} --candidates",
                first.map_or(process.address, Node::address)
            )
        }
        Node::Thread(_) | Node::Message(_) | Node::Process(_) => format!("chain {}", node.address()),
        Node::Port(_) => format!("port {}", node.address()),
        Node::Irp(_) => {
            rows.line(text!("  {}", wait_lines::kd_command(node)));
            return;
        }
        _ => return,
    };
    rows.line(text!("  look at: {command}"));
}

fn ports(rows: &mut Rows, ports: &[PortTrouble], most: usize, plain: bool) {
    if ports.is_empty() {
        return;
    }
    rows.line("");
    rows.heading("PORTS IN TROUBLE");
    for trouble in ports.iter().take(most) {
        if plain {
            rows.line(text!("  {}", plainly::trouble(trouble)));
            continue;
        }
        rows.line(text!("  {}: {}", trouble.trouble.meaning(), trouble.count));
        rows.line(text!("    {}", wait_lines::port_line(&trouble.port)));
    }
    rest(rows, ports.len(), most, "port");
}

/// All chains, each node once, below what it waits for.
fn forest(rows: &mut Rows, hang: &Hang, graph: &Graph) {
    /// Levels that are indented; below, the number tells.
    const DEPTH: usize = 24;
    rows.line("");
    rows.heading("ALL WAITS, each below what it waits for");
    for tree in hang.trees(graph) {
        let shift = "  ".repeat(tree.depth.min(DEPTH));
        if let Some(thread) = graph.thread(tree.node) {
            rows.line(text!(
                "  {:>3} {shift}{}  {}",
                tree.depth,
                wait_lines::thread(thread),
                wait_lines::waited(thread)
            ));
        } else if let Some(node) = graph.node(tree.node) {
            rows.line(text!("  {:>3} {shift}{}", tree.depth, node_name(node)));
        }
    }
}

fn unread(rows: &mut Rows, unread: &[Unread], most: usize) {
    if unread.is_empty() {
        return;
    }
    rows.line("");
    rows.look(Look::Alarm, "NOT READ, so that waits may be missing");
    for part in unread.iter().take(most) {
        let at = part.at.map(|at| format!(" {at}")).unwrap_or_default();
        let why = part
            .complete
            .reason()
            .map(ToString::to_string)
            .unwrap_or_default();
        rows.line(text!("  {} {}{at}: {}", unknown(), part.what, escape::text(&why)));
    }
    rest(rows, unread.len(), most, "part");
}

fn rest(rows: &mut Rows, all: usize, most: usize, noun: &str) {
    if all > most {
        rows.line("");
        rows.line(text!(
            "  and {} (-v shows all)",
            wait_lines::plural(all - most, &format!("more {noun}"))
        ));
    }
}
