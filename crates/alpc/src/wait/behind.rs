//! The other way round: who waits for something, directly or not.

use kdump::{Gva, TimeSpan};
use ntkernel::image::kernel::Kernel;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port;
use crate::wait::chain::{Chain, Step};
use crate::wait::graph::Graph;
use crate::wait::node::{Node, NodeId};
use crate::wait::unread::Unread;

/// A thread that waits, and how far it is from what it waits for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "WaiterBehind"))]
#[non_exhaustive]
pub struct Waiter {
    /// How many threads are between: 0 for one that waits for the thing itself.
    pub depth: usize,
    /// The thread, and the steps from it to the next one.
    pub steps: Vec<Step>,
}

/// Who waits for something.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Behind {
    /// The threads that wait, each below the one that it waits for.
    pub waiters: Vec<Waiter>,
    /// The longest of their waits.
    pub longest_wait: Option<TimeSpan>,
    /// Parts of the system that could not be looked at, so that waits may be missing.
    pub unread: Vec<Unread>,
}

/// What is waited for.
#[derive(Clone, Debug)]
pub enum Target {
    /// All threads of processes, their ports, and their end.
    Processes(Vec<Gva>),
    /// Replies to messages at a connection port, received or not.
    Port(Gva),
    /// A thread, a message, a lock or another thing in the graph.
    Thing(Gva),
}

/// Who waits for a target, transitively.
#[must_use]
pub fn behind(kernel: &Kernel<'_>, graph: &Graph, target: &Target) -> Behind {
    let roots: Vec<NodeId> = graph
        .nodes()
        .filter(|(_, node)| is_target(kernel, node, target))
        .map(|(id, _)| id)
        .collect();
    let mut waiters = Vec::new();
    // Threads on the way from the root to the node at hand; other nodes are steps between them.
    let mut way: Vec<(usize, bool)> = Vec::new();
    for tree in graph.behind(roots) {
        while way.last().is_some_and(|(depth, _)| *depth >= tree.depth) {
            way.pop();
        }
        let is_thread = graph.thread(tree.node).is_some();
        let waits = is_thread && graph.next(tree.node).is_some();
        let is_root = tree.depth == 0;
        if waits && !is_root {
            let between = way.iter().filter(|(depth, is_thread)| *is_thread && *depth > 0);
            waiters.push(Waiter {
                depth: between.count(),
                steps: to_next_thread(graph, tree.node),
            });
        }
        way.push((tree.depth, is_thread));
    }
    let waited = waiters
        .iter()
        .filter_map(|waiter| waiter.steps.first()?.node.thread()?.waited());
    Behind {
        longest_wait: waited.max().map(TimeSpan),
        waiters,
        unread: graph.unread.clone(),
    }
}

fn to_next_thread(graph: &Graph, thread: NodeId) -> Vec<Step> {
    let mut steps = Chain::from(graph, thread).steps;
    let next = steps.iter().skip(1).position(|step| step.node.thread().is_some());
    if let Some(next) = next {
        steps.truncate(next.saturating_add(2));
    }
    steps
}

fn is_target(kernel: &Kernel<'_>, node: &Node, target: &Target) -> bool {
    match target {
        Target::Processes(processes) => node.process().is_some_and(|process| processes.contains(&process)),
        Target::Port(wanted) => match node {
            Node::Port(port) => is_at(kernel, port.address.gva(), *wanted),
            Node::Message(message) => {
                let label = message.port.known().and_then(Option::as_ref);
                label.is_some_and(|label| is_at(kernel, label.address.gva(), *wanted))
            }
            _ => false,
        },
        Target::Thing(wanted) => node.address().gva() == *wanted,
    }
}

/// Whether a port is of the connections to another, or that one itself.
fn is_at(kernel: &Kernel<'_>, port: Gva, wanted: Gva) -> bool {
    port == wanted
        || port::connection_address(kernel.at(port)).is_ok_and(|connection| connection == Some(wanted))
}
