//! One way through the graph: from a waiter to where its chain ends.

use std::collections::{HashMap, HashSet};

use kdump::Gva;
use ntkernel::image::contract::{Message, Thread, ThreadControl};
use ntkernel::image::kernel::{Kernel, Read};
use ntkernel::image::value::Value;
use ntkernel::process::thread;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::queue::{self, QueueKind};
use crate::port::waiter;
use crate::wait::edge::{Certainty, Edge, EdgeKind, Evidence, member};
use crate::wait::graph::Graph;
use crate::wait::node::{Node, NodeId, ThreadNode};
use crate::wait::root::{RootKind, Suspect};

/// Ticks between which two threads count as having begun to wait together.
const SAME_MOMENT: u64 = 2;

/// Candidates that are named.
const CANDIDATES: usize = 16;

/// A node of a chain, and the step that leads on from it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Step {
    /// The node's number in the graph.
    pub id: NodeId,
    /// What it is.
    pub node: Node,
    /// Why it waits for the next one; none at the end.
    pub next: Option<Edge>,
}

/// A chain of waits.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Chain {
    /// Its steps, the waiter first. In one that comes back to itself no node stands twice.
    pub steps: Vec<Step>,
    /// Why it ends.
    pub end: RootKind,
    /// Where it goes on as one that was told before; then its end is that one's.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub joins: Option<NodeId>,
    /// The process that owns the port which it ends at.
    pub owner: Option<Step>,
    /// Threads that may go on with the last one's work, or that may have received the last message, when asked for.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub candidates: Option<Value<Vec<Candidate>>>,
    /// What helps to find the culprit, for a thread that it ends at, or that waits for the I/O request that it ends
    /// at, when asked for.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub suspect: Option<Suspect>,
}

/// A thread that may go on with the work of another one, or that may have received a message.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Candidate {
    /// The thread.
    pub thread: ThreadNode,
    /// That work was handed over is not written down anywhere.
    pub certainty: Certainty,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
}

impl Graph {
    /// The chains of all threads of a process that wait for another thread or process, or for an I/O request while
    /// others wait for them. A thread that stands in another one's chain has none of its own, and what chains share
    /// is told once.
    #[must_use]
    pub fn chains_of_process(&self, process: Gva) -> Vec<Chain> {
        let waits = |id: NodeId, node: &Node| {
            node.thread().is_some() && node.process() == Some(process) && self.next(id).is_some()
        };
        let own: Vec<NodeId> = self
            .nodes()
            .filter(|&(id, node)| waits(id, node))
            .map(|(id, _)| id)
            .collect();
        let behind = self.after(&own);
        let ends = self.ends();
        let mut told = HashSet::new();
        let firsts = own.iter().filter(|id| !behind.contains(id));
        // Threads that only wait for each other are all behind one another.
        let rings = own.iter().filter(|id| behind.contains(id));
        let mut chains = Vec::new();
        for &id in firsts.chain(rings) {
            if !told.contains(&id) {
                chains.push(Chain::until_told(self, id, &mut told, &ends));
            }
        }
        chains
    }
}

impl Chain {
    /// The chain that begins at a node.
    #[must_use]
    pub fn from(graph: &Graph, start: NodeId) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        let mut seen = HashSet::new();
        let mut at = start;
        let end = loop {
            if !seen.insert(at) {
                break RootKind::Deadlock;
            }
            let next = graph.next(at);
            steps.extend(step(graph, at, next));
            match next {
                Some(edge) => at = edge.to,
                None => break graph.root_kind(at),
            }
        };
        let owner = graph
            .edges(at)
            .iter()
            .find(|edge| edge.edge == EdgeKind::OwnedBy)
            .filter(|_| end != RootKind::Deadlock);
        Self {
            owner: owner.and_then(|edge| step(graph, edge.to, None)),
            steps,
            end,
            joins: None,
            candidates: None,
            suspect: None,
        }
    }

    /// The chain that begins at a node, as far as the first node that was told before; `ends` are
    /// [`Graph::ends`].
    pub(crate) fn until_told(
        graph: &Graph,
        start: NodeId,
        told: &mut HashSet<NodeId>,
        ends: &[RootKind],
    ) -> Self {
        let mut steps = Vec::new();
        let mut at = start;
        let joins = loop {
            if !told.insert(at) {
                break Some(at);
            }
            let next = graph.next(at);
            steps.extend(step(graph, at, next));
            match next {
                Some(edge) => at = edge.to,
                None => break None,
            }
        };
        // A ring comes back to one of its own steps.
        let in_itself = steps.iter().any(|step| Some(step.id) == joins);
        let owner = graph.edges(at).iter().find(|edge| edge.edge == EdgeKind::OwnedBy);
        Self {
            owner: owner
                .filter(|_| joins.is_none())
                .and_then(|edge| step(graph, edge.to, None)),
            steps,
            end: ends.get(start.0).copied().unwrap_or(RootKind::Unreadable),
            joins: joins.filter(|_| !in_itself),
            candidates: None,
            suspect: None,
        }
    }

    /// The nodes of a way, with the edges between them. In a cycle the last leads back to the first.
    pub(crate) fn steps_along(graph: &Graph, way: &[usize], cycle: bool) -> Vec<Step> {
        let following = way
            .iter()
            .skip(1)
            .map(Some)
            .chain(std::iter::once(way.first().filter(|_| cycle)));
        way.iter()
            .zip(following)
            .filter_map(|(&node, next)| {
                let id = NodeId(node);
                let edge = next.and_then(|&next| surest(graph, id, NodeId(next)));
                step(graph, id, edge)
            })
            .collect()
    }
}

fn step(graph: &Graph, id: NodeId, next: Option<&Edge>) -> Option<Step> {
    Some(Step {
        id,
        node: graph.node(id)?.clone(),
        next: next.cloned(),
    })
}

fn surest(graph: &Graph, from: NodeId, to: NodeId) -> Option<&Edge> {
    let edges = graph
        .edges(from)
        .iter()
        .filter(|edge| edge.to == to && edge.edge.is_wait());
    edges.min_by_key(|edge| (edge.any, edge.certainty))
}

/// Threads that may go on with the work of a server thread that no longer does: of the same process, and their
/// waits began within the same ticks as its own.
///
/// A server that hands work to another thread leaves no trace in the kernel, so these are mere candidates.
///
/// # Errors
/// When the clock, the thread's process or that process's list of threads cannot be read.
pub fn candidates(kernel: &Kernel<'_>, graph: &Graph, server: &ThreadNode) -> Read<Vec<Candidate>> {
    // Ticks, and not times: a thread notes at which tick its wait began (WaitTime), and the clock goes on in steps
    // of KeTimeIncrement, 15.6 ms on most machines. Within one step nothing tells who was first.
    let clock = *graph.clock.get()?;
    let (Some(waited), Some(process)) = (*server.waited.get()?, server.process.get()?) else {
        return Ok(Vec::new());
    };
    // Two steps, as the waiter's note and the server's may fall on both sides of one.
    let window = clock.increment.saturating_mul(SAME_MOMENT);
    let threads = thread::threads_of(kernel.at(process.address.gva()))?;
    let mut found: Vec<(u64, Candidate)> = threads
        .entries
        .iter()
        .filter(|&&thread| thread != server.address.gva())
        .filter_map(|&thread| {
            let node = ThreadNode::new(kernel, &graph.clock, &waiter::thread(kernel, thread));
            let apart = node.waited()?.abs_diff(waited.0);
            (apart <= window).then(|| (apart, candidate(kernel, server, node)))
        })
        .collect();
    if found.is_empty() {
        threads.complete("the list of the process's threads")?;
    }
    found.sort_by_key(|(apart, candidate)| (*apart, candidate.thread.address));
    found.truncate(CANDIDATES);
    Ok(found.into_iter().map(|(_, candidate)| candidate).collect())
}

/// Threads that may have received the message that a chain ends behind, where nothing names the thread that did: of
/// the process that received it, and their waits began within the same ticks as that for the reply, or they serve other
/// requests of the same port.
///
/// # Errors
/// When the message, or the process's list of threads, cannot be read.
pub fn receivers(kernel: &Kernel<'_>, graph: &Graph, chain: &Chain) -> Option<Read<Vec<Candidate>>> {
    let mut steps = chain.steps.iter().rev().map(|step| &step.node);
    match (steps.next(), steps.next()) {
        (Some(Node::Process(process)), Some(Node::Message(message))) if process.is_receiver => Some(
            receivers_of(kernel, graph, process.address.gva(), message.address.gva()),
        ),
        _ => None,
    }
}

fn receivers_of(kernel: &Kernel<'_>, graph: &Graph, process: Gva, message: Gva) -> Read<Vec<Candidate>> {
    let clock = *graph.clock.get()?;
    // Null for datagrams and for requests whose answer is taken later: nobody waits then.
    let waiter = kernel.at(message).pointer(Message::WaitingThread)?;
    let waited = match waiter.u64() {
        0 => None,
        _ => clock.waited(kernel.at(waiter))?,
    };
    let port = kernel.at(message).pointer(Message::PortQueue)?;
    let serving = serving(kernel, port, message)?;
    let window = clock.increment.saturating_mul(SAME_MOMENT);
    let threads = thread::threads_of(kernel.at(process))?;
    let mut found: Vec<(u64, Candidate)> = threads
        .entries
        .iter()
        .filter_map(|&thread| {
            let node = ThreadNode::new(kernel, &graph.clock, &waiter::thread(kernel, thread));
            let apart = node.waited().zip(waited).map(|(own, other)| own.abs_diff(other));
            let apart = apart.filter(|apart| *apart <= window);
            let mut evidence = Vec::new();
            if apart.is_some() {
                evidence.extend(wait_time(kernel, thread));
            }
            if let Some(&other) = serving.get(&thread) {
                let other = kernel.addr(other);
                evidence.push(Evidence::address(
                    member(Message::ServerThread),
                    other,
                    kernel.addr(thread),
                ));
            }
            let candidate = Candidate {
                thread: node,
                certainty: Certainty::Inferred,
                evidence,
            };
            let is_one = !candidate.evidence.is_empty();
            is_one.then(|| (apart.unwrap_or(u64::MAX), candidate))
        })
        .collect();
    if found.is_empty() {
        threads.complete("the list of the process's threads")?;
    }
    found.sort_by_key(|(apart, candidate)| (*apart, candidate.thread.address));
    found.truncate(CANDIDATES);
    Ok(found.into_iter().map(|(_, candidate)| candidate).collect())
}

/// The threads that received the other pending messages of a port, each with one of these.
fn serving(kernel: &Kernel<'_>, port: Gva, but: Gva) -> Read<HashMap<Gva, Gva>> {
    // ServerThread of the other pending requests: those threads have received from this port, so one of them may
    // have taken this message as well.
    let pending = queue::members(kernel.at(port), QueueKind::Pending)?;
    let others = pending.entries.into_iter().filter(|&message| message != but);
    Ok(others
        .filter_map(|message| {
            let server = kernel.at(message).pointer(Message::ServerThread).ok()?;
            (server.u64() != 0).then_some((server, message))
        })
        .collect())
}

fn wait_time(kernel: &Kernel<'_>, thread: Gva) -> Option<Evidence> {
    let control = kernel.at(thread).embedded(Thread::Tcb).ok()?;
    let since = control.uint(ThreadControl::WaitTime).ok()?;
    Some(Evidence::number(
        member(ThreadControl::WaitTime),
        kernel.addr(thread),
        since,
    ))
}

fn candidate(kernel: &Kernel<'_>, server: &ThreadNode, thread: ThreadNode) -> Candidate {
    let control = |address: Gva| kernel.at(address).embedded(Thread::Tcb);
    let queue = |address| {
        control(address)
            .and_then(|at| at.pointer(ThreadControl::Queue))
            .ok()
    };
    let mut evidence: Vec<Evidence> = wait_time(kernel, thread.address.gva()).into_iter().collect();
    if let Some(own) = queue(thread.address.gva())
        && own.u64() != 0
        && Some(own) == queue(server.address.gva())
    {
        evidence.push(Evidence::address(
            member(ThreadControl::Queue),
            thread.address,
            kernel.addr(own),
        ));
    }
    Candidate {
        thread,
        certainty: Certainty::Inferred,
        evidence,
    }
}
