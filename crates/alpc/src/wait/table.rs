//! The table of all waits for ALPC replies.

use ntkernel::image::value::Value;
use ntkernel::process::ProcessRef;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::queue::QueueKind;
use crate::wait::edge::{Certainty, EdgeKind};
use crate::wait::graph::Graph;
use crate::wait::node::{MessageNode, Node, NodeId, ThreadNode};
use crate::wait::root::RootKind;
use crate::wait::unread::Unread;

/// What has become of a message whose reply is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum WaitState {
    /// Nobody has received it.
    Queued,
    /// A server thread has received it and has not answered.
    Received,
    /// It is in no queue: it is being sent, received or answered at this moment.
    Underway,
    /// The sender has given it up.
    Canceled,
    /// It cannot be read.
    Unreadable,
}

impl WaitState {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Received => "received",
            Self::Underway => "underway",
            Self::Canceled => "canceled",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A wait for the reply to a message.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct WaitRow {
    /// The thread that waits.
    pub waiter: ThreadNode,
    /// The message.
    pub message: MessageNode,
    /// The thread that received it; none while nobody has, and where the message does not name it.
    pub server: Value<Option<ThreadNode>>,
    /// The process that is to answer: the server thread's, else the port's owner.
    pub server_process: Value<Option<ProcessRef>>,
    /// What has become of the message.
    pub state: WaitState,
    /// How sure the wait is.
    pub certainty: Certainty,
    /// Why the chain that begins here ends.
    pub end: RootKind,
    /// Set when it ends at what cannot be read: why that cannot.
    pub end_reached: Value<()>,
}

/// All waits for ALPC replies, the longest first.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct WaitTable {
    /// Threads that were looked at.
    pub threads: usize,
    /// The waits.
    pub waits: Vec<WaitRow>,
    /// Parts of the system that could not be looked at, so that waits may be missing.
    pub unread: Vec<Unread>,
}

impl WaitTable {
    /// The waits of a graph.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let ends = graph.ends();
        let last = graph.last_nodes();
        let reached = |id: NodeId| {
            let node = last
                .get(id.0)
                .copied()
                .flatten()
                .and_then(|last| graph.node(last));
            let hole = node
                .and_then(Node::reason)
                .filter(|_| end(&ends, id) == RootKind::Unreadable);
            hole.map_or(Value::Known(()), |hole| Value::Missing(Box::new(hole.clone())))
        };
        let mut waits: Vec<WaitRow> = graph
            .reply_waits()
            .filter_map(|(id, waiter, edge)| {
                let row = row(graph, waiter, edge.to, edge.certainty, end(&ends, id))?;
                Some(WaitRow {
                    end_reached: reached(id),
                    ..row
                })
            })
            .collect();
        waits.sort_by_key(|row| {
            let waited = row.waiter.waited();
            (waited.is_none(), std::cmp::Reverse(waited), row.waiter.address)
        });
        Self {
            threads: graph.threads,
            waits,
            unread: graph.unread.clone(),
        }
    }
}

fn end(ends: &[RootKind], id: NodeId) -> RootKind {
    ends.get(id.0).copied().unwrap_or(RootKind::Unreadable)
}

fn row(
    graph: &Graph,
    waiter: &ThreadNode,
    message: NodeId,
    certainty: Certainty,
    end: RootKind,
) -> Option<WaitRow> {
    let Some(Node::Message(node)) = graph.node(message) else {
        return None;
    };
    let received = graph
        .edges(message)
        .iter()
        .find(|edge| edge.edge == EdgeKind::ReceivedBy);
    let thread = received.and_then(|edge| graph.thread(edge.to)).cloned();
    let server_process = match (&thread, &node.port) {
        (Some(server), _) => server.process.clone(),
        (None, Value::Known(Some(port))) => port.owner.clone(),
        (None, Value::Known(None)) => Value::Known(None),
        (None, Value::Missing(hole)) => Value::Missing(hole.clone()),
    };
    Some(WaitRow {
        waiter: waiter.clone(),
        state: state(node),
        message: node.clone(),
        server: node.server_thread.clone().map(|_| thread),
        server_process,
        certainty,
        end,
        end_reached: Value::Known(()),
    })
}

fn state(message: &MessageNode) -> WaitState {
    // It still stands in the server's pending queue: giving up does not take it away.
    if message.canceled.known().is_some_and(|&canceled| canceled) {
        return WaitState::Canceled;
    }
    match &message.queue {
        Value::Known(Some(QueueKind::Pending)) => WaitState::Received,
        Value::Known(Some(_)) => WaitState::Queued,
        Value::Known(None) => WaitState::Underway,
        Value::Missing(_) => WaitState::Unreadable,
    }
}
