//! `chain`: one chain of waits, each step with its evidence, and the debugger's commands that show the same.

use std::collections::HashMap;

use alpc::image::contract::ThreadControl;
use alpc::port::call::Told;
use alpc::wait::behind::{self, Target};
use alpc::wait::chain::{self, Candidate, Chain, Step};
use alpc::wait::edge::{Edge, EdgeKind};
use alpc::wait::graph::Graph;
use alpc::wait::hang;
use alpc::wait::node::{MessageNode, Node, NodeId};
use alpc::wait::root::RootKind;
use alpc::{Addr, Kernel, Value};
use clap::Args;
use kdump::{Gva, TimeSpan};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Named, Spec, Verb, hang_screen};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::marked::{Cell, Look, Text, inferred, sure, text};
use crate::text::rows::{Rows, or_question, unknown};
use crate::text::{call_lines, escape, plainly, time, wait_lines};

/// One chain of waits, each step with its evidence
#[derive(Clone, Debug, Args)]
pub struct ChainArgs {
    /// A thread (address or tid:N), a message (address or id:N) or a process (address, pid:N or image name)
    #[arg(value_name = "THREAD|MESSAGE|PROCESS")]
    pub start: String,

    /// Also name threads that the last one may have handed its work to: of the same process, and waiting since
    /// the same moment
    #[arg(long)]
    pub candidates: bool,
}

impl ChainArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Waits,
        switches: &[],
        shape: Shape {
            name: "chain",
            results: &[of::<ChainsRecord>],
            tables: &[],
            whole: &[of::<ChainsRecord>],
        },
    };
}

impl Verb for ChainArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let (graph, mut chains) = match start(&kernel, &self.start)? {
            Start::Thread(thread) => {
                let (graph, node) = alpc::wait::waits_with_thread(&kernel, thread);
                let chain = Chain::from(&graph, node);
                (graph, vec![chain])
            }
            Start::Message(message) => {
                let (graph, node) = alpc::wait::waits_with_message(&kernel, message);
                let chain = Chain::from(&graph, node);
                (graph, vec![chain])
            }
            Start::Processes(processes) => {
                let graph = alpc::wait::waits(&kernel);
                let chains = processes
                    .iter()
                    .flat_map(|&process| graph.chains_of_process(process));
                let chains = chains.collect();
                (graph, chains)
            }
            Start::Port(port) => {
                let graph = alpc::wait::waits(&kernel);
                let behind = behind::behind(&kernel, &graph, &Target::Port(port));
                let own = behind.waiters.iter().filter(|waiter| waiter.depth == 0);
                let own = own.filter_map(|waiter| waiter.steps.first());
                let chains = own.map(|step| Chain::from(&graph, step.id)).collect();
                (graph, chains)
            }
        };
        if self.candidates {
            for chain in &mut chains {
                add_candidates(&kernel, &graph, chain);
            }
        }
        hang::add_suspects_of(&kernel, &mut chains);
        let record = ChainsRecord { chains };
        let blocker = match options.speaks_plainly() {
            true => plainly::blocker,
            false => wait_lines::blocker,
        };
        let text = || {
            let whole = text(&record, &graph, kernel.addr(kernel.base()).digits(), blocker);
            match options.fits {
                Some(_) => between_verdicts(&verdict(&record.chains), whole),
                None => whole,
            }
        };
        Ok(Answer::large(options, &record, text)?.served_by(&kernel))
    }

    fn explains(&self) -> Option<Named> {
        Some(Named::Evidence)
    }

    fn named(&self) -> Vec<String> {
        vec![self.start.clone()]
    }
}

/// Other owners of a lock that are told, and how much of the chain of each.
const SHARERS: usize = 8;
const LINES: usize = 8;

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ChainsRecord {
    chains: Vec<Chain>,
}

/// What a token names.
enum Start {
    Thread(Gva),
    Message(Gva),
    /// All waits of processes.
    Processes(Vec<Gva>),
    /// All waits for replies at a port.
    Port(Gva),
}

fn start(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<Start> {
    use alpc::report::select::{Selector, Thing};
    match selector::parse(token)? {
        Selector::Address(address) => at(kernel, selector::address(kernel, address, Thing::Waiter)?),
        Selector::ThreadId(_) | Selector::Current => selector::thread(kernel, token).map(Start::Thread),
        Selector::MessageId(_) => selector::message(kernel, token).map(Start::Message),
        // An image may run in many processes, and all that wait are meant.
        Selector::Name(name) => match selector::processes_of(kernel, &name) {
            Ok((processes, _)) => Ok(Start::Processes(processes)),
            Err(refusal) => selector::port(kernel, token)
                .map(Start::Port)
                .map_err(|_| refusal),
        },
        _ => Ok(Start::Processes(vec![selector::process(kernel, token)?])),
    }
}

/// What is at an address. Objects tell by their headers; what is left may be a message.
fn at(kernel: &Kernel<'_>, address: Gva) -> anyhow::Result<Start> {
    if alpc::process::is_process(kernel, address).is_ok_and(|is| is) {
        return Ok(Start::Processes(vec![address]));
    }
    if alpc::port::kind(kernel.at(address)).is_ok() {
        return Ok(Start::Port(address));
    }
    let token = format!("{:016x}", u64::from(address));
    if alpc::process::thread::is_certainly_thread(kernel, address) {
        return selector::thread(kernel, &token).map(Start::Thread);
    }
    // A message is no object, and has no header that names a type: the blob header before it says what it is, or its
    // lengths, which must differ by a PORT_MESSAGE.
    match alpc::port::message::read(kernel, address, alpc::port::message::Detail::Rows) {
        Ok(_) => selector::message(kernel, &token).map(Start::Message),
        Err(_) => Err(Failure::not_there(
            "not-a-waiter",
            format!(
                "no thread, message or process is at {}: {}",
                kernel.addr(address),
                alpc::object::identify::identify(kernel, address)
            ),
        )),
    }
}

fn add_candidates(kernel: &Kernel<'_>, graph: &Graph, chain: &mut Chain) {
    let Some(last) = chain.steps.last() else {
        return;
    };
    chain.candidates = match &last.node {
        Node::Thread(server) => Some(chain::candidates(kernel, graph, server).into()),
        _ => chain::receivers(kernel, graph, chain).map(Value::from),
    };
}

/// Where several chains end, the ends of most first; nothing of one, which its last line tells.
fn verdict(chains: &[Chain]) -> Text {
    if chains.len() < 2 {
        return Text::default();
    }
    let mut ends: Vec<(RootKind, usize)> = Vec::new();
    for chain in chains {
        match ends.iter_mut().find(|(end, _)| *end == chain.end) {
            Some((_, count)) => *count += 1,
            None => ends.push((chain.end, 1)),
        }
    }
    ends.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let ends: Vec<String> = ends
        .iter()
        .map(|(end, count)| format!("{count} {}", end.name()))
        .collect();
    let first = |chain: &Chain| chain.steps.first()?.node.thread()?.waited();
    let longest = chains.iter().filter_map(first).max().map(TimeSpan);
    let longest = longest.map(|longest| format!("; the longest wait {}", time::lasted(longest)));
    let line = format!(
        "{} chains, which end: {}{}",
        chains.len(),
        ends.join(", "),
        longest.unwrap_or_default()
    );
    Text::all(Look::Heading, line)
}

/// A text below its verdict; the verdict again where the first one has gone by.
pub fn between_verdicts(verdict: &Text, text: Text) -> Text {
    if verdict.is_empty() {
        return text;
    }
    let goes_by = text.plain().lines().count() >= hang_screen::SCREEN;
    let mut all = text!("{verdict}\n\n") + text;
    if goes_by {
        all.push(text!("\n{verdict}\n"));
    }
    all
}

/// What says in one sentence what a chain ends at.
type Blocker = fn(&Node, RootKind) -> Text;

fn text(record: &ChainsRecord, graph: &Graph, digits: usize, blocker: Blocker) -> Text {
    let mut rows = Rows::new(0, digits);
    if record.chains.is_empty() {
        rows.heading("no thread of the process waits for another thread or process");
    }
    let mut told = HashMap::new();
    for (at, chain) in record.chains.iter().enumerate() {
        if at > 0 {
            rows.line("");
        }
        chain_lines(&mut rows, chain, graph, &told, blocker);
        told.extend(chain.steps.iter().map(|step| (step.id, step.node.address())));
    }
    rows.finish()
}

fn chain_lines(
    rows: &mut Rows,
    chain: &Chain,
    graph: &Graph,
    told: &HashMap<NodeId, Addr>,
    blocker: Blocker,
) {
    for (at, step) in chain.steps.iter().enumerate() {
        rows.heading(text!("{at}. {}", node(&step.node)));
        if let Node::Thread(thread) = &step.node
            && let Some(why) = thread.service.as_ref().and_then(|service| service.unknown)
        {
            rows.line(text!("   the service's name is not known: {why}"));
        }
        if let Some(edge) = &step.next {
            edge_lines(rows, edge);
            sharers(rows, graph, step.id, edge, blocker);
        }
        commands(rows, step);
    }
    if let Some(joins) = chain.joins {
        let at = told.get(&joins).map(ToString::to_string).unwrap_or_default();
        rows.line(text!("   goes on as above, from {at}"));
    }
    if let Some(owner) = &chain.owner {
        rows.line(text!("   which belongs to {}", node(&owner.node)));
        commands(rows, owner);
    }
    let end = text!("END {}{}", chain.end.name(), wait_lines::end(chain, blocker));
    match chain.end {
        RootKind::Deadlock | RootKind::Unreadable => rows.look(Look::Alarm, end),
        _ => rows.heading(end),
    }
    if let Some(suspect) = &chain.suspect {
        super::hang::suspect(rows, suspect);
    }
    match &chain.candidates {
        Some(Value::Known(candidates)) if chain.end == RootKind::Received => receiver_lines(rows, candidates),
        Some(Value::Known(candidates)) => candidate_lines(rows, candidates),
        Some(Value::Missing(hole)) => {
            rows.line(text!(
                "   candidates: {} {}",
                unknown(),
                escape::text(&hole.to_string())
            ));
        }
        None => {}
    }
}

fn node(node: &Node) -> Text {
    match node {
        Node::Thread(thread) => {
            let suspended = if thread.is_suspended() { ", suspended" } else { "" };
            text!(
                "{}  {}{suspended}",
                wait_lines::thread(thread),
                wait_lines::waited(thread)
            )
        }
        Node::Message(message) => text!(
            "message {}  id {} {} at {}{}",
            message.address,
            or_question(&message.message_id, |id| format!("0x{id:x}")),
            or_question(&message.message_type, ToString::to_string),
            wait_lines::port_of(message),
            call(message)
        ),
        Node::Port(port) => wait_lines::port_line(port),
        Node::CompletionPort(queue) => text!("completion port {}", queue.address),
        Node::Mutant(object) => text!("mutant {}", object.address),
        Node::Lock(lock) => wait_lines::lock(lock),
        Node::Process(process) => text!(
            "process {}  {} {}",
            process.address,
            or_question(&process.image, |image| escape::text(image)),
            or_question(&process.process_id, |id| format!("{id:04x}")),
        ),
        Node::Irp(irp) => wait_lines::pending(irp),
        Node::Driver(driver) => text!("driver {}  {}", driver.address, wait_lines::driver(driver)),
    }
}

/// `: ROpenServiceW (svcctl 16)`
fn call(message: &MessageNode) -> Text {
    match &message.call {
        Some(Told::Known(call)) => text!(": {}", call_lines::asked(call)),
        Some(Told::Undetermined { .. }) => Text::from(": a call that cannot be determined"),
        None => Text::default(),
    }
}

fn edge_lines(rows: &mut Rows, edge: &Edge) {
    let what = match edge.edge {
        EdgeKind::Reply => "waits for the reply to",
        EdgeKind::ReceivedBy => "was received by",
        EdgeKind::QueuedAt => "is queued at",
        EdgeKind::Reports => "is served through",
        EdgeKind::ServedBy => "is served by",
        EdgeKind::OwnedBy => "belongs to",
        EdgeKind::Acquires => "waits for",
        EdgeKind::HeldBy => "is owned by",
        EdgeKind::EndOfThread | EdgeKind::EndOfProcess => "waits for the end of",
        EdgeKind::MayContinue => "may have handed its work to",
        EdgeKind::EndOfRequest => "waits for the end of",
        EdgeKind::PendingAt => "is pending at",
        EdgeKind::Apartment => "must be run, as a call of COM, by the apartment's thread,",
        EdgeKind::ComCall => "waits for its call of COM,",
    };
    rows.line(text!("   {what} {}", sure(edge.certainty)));
    for evidence in &edge.evidence {
        rows.line(text!("     {}", wait_lines::evidence(evidence)));
    }
}

/// The other owners of a lock that several share, and where their own chains end.
fn sharers(rows: &mut Rows, graph: &Graph, lock: NodeId, followed: &Edge, blocker: Blocker) {
    if followed.edge != EdgeKind::HeldBy {
        return;
    }
    let others = || {
        let edges = graph.edges(lock).iter();
        edges.filter(|edge| edge.edge == EdgeKind::HeldBy && edge.to != followed.to)
    };
    let count = others().count();
    if count == 0 {
        return;
    }
    rows.line(text!(
        "   and by {}, which must release it as well:",
        wait_lines::plural(count, "other thread")
    ));
    for edge in others().take(SHARERS) {
        let chain = Chain::from(graph, edge.to);
        let lines = wait_lines::steps(&chain.steps, false);
        for (at, line) in lines.iter().take(LINES).enumerate() {
            let certainty = match at {
                0 => text!(" {}", sure(edge.certainty)),
                _ => Text::default(),
            };
            rows.line(text!("     {}{line}{certainty}", if at == 0 { "" } else { "  " }));
        }
        if lines.len() > LINES {
            rows.line(text!("       ... {} more", lines.len() - LINES));
        }
        for evidence in &edge.evidence {
            rows.line(text!("       {}", wait_lines::evidence(evidence)));
        }
        rows.line(text!(
            "       END {}{}",
            chain.end.name(),
            wait_lines::end(&chain, blocker)
        ));
    }
    if count > SHARERS {
        rows.line(text!(
            "     and {}: --format json has all",
            wait_lines::plural(count - SHARERS, "more thread")
        ));
    }
}

/// What to type in the debugger to see the same.
fn commands(rows: &mut Rows, step: &Step) {
    rows.look(
        Look::Command,
        text!("     {}", wait_lines::kd_command(&step.node)),
    );
}

/// Threads of the process that received a message.
fn receiver_lines(rows: &mut Rows, candidates: &[Candidate]) {
    rows.line(text!(
        "   {} of the process may have received the message {}",
        wait_lines::plural(candidates.len(), "thread"),
        inferred()
    ));
    for candidate in candidates {
        let why: Vec<&str> = candidate
            .evidence
            .iter()
            .map(|one| match one.field.is(ThreadControl::WaitTime) {
                true => "wait begun within the same ticks as that for the reply",
                false => "received another request of the port",
            })
            .collect();
        rows.line(text!(
            "     {}  {}  {}",
            wait_lines::thread(&candidate.thread),
            wait_lines::waited(&candidate.thread),
            why.join(", ")
        ));
    }
}

fn candidate_lines(rows: &mut Rows, candidates: &[Candidate]) {
    rows.line(text!(
        "   {} may go on with its work {}",
        wait_lines::plural(candidates.len(), "thread"),
        Cell::new(
            Look::Inferred,
            "[inferred: same process, wait begun within the same ticks]"
        )
    ));
    for candidate in candidates {
        let served = candidate
            .evidence
            .iter()
            .any(|one| one.field.is(ThreadControl::Queue));
        let same = if served {
            "  at the same completion port"
        } else {
            ""
        };
        rows.line(text!(
            "     {}  {}{same}",
            wait_lines::thread(&candidate.thread),
            wait_lines::waited(&candidate.thread)
        ));
    }
}
