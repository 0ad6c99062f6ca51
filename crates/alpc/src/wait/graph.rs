//! The graph of waits.

use std::collections::{HashMap, HashSet};

use kdump::Gva;
use ntkernel::image::value::Value;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::wait::cycle::{self, Adjacency};
use crate::wait::edge::{Certainty, Edge, EdgeKind};
use crate::wait::node::{Node, NodeId, ThreadNode};
use crate::wait::unread::Unread;
use ntkernel::process::clock::Clock;

/// What an address is taken for, so that a hostile dump cannot pass one thing off as two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Thread,
    Message,
    Port,
    CompletionPort,
    Object,
    Lock,
    Process,
    /// A process that stands for a thread of its own that nothing names.
    Receiver,
    Irp,
    Driver,
}

/// Everything that waits, with what it waits for.
#[derive(Debug)]
pub struct Graph {
    /// The system's clock at the moment of the dump.
    pub clock: Value<Clock>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Vec<Edge>>,
    index: HashMap<(Role, Gva), NodeId>,
    /// Threads that were looked at.
    pub threads: usize,
    /// Parts of the system that could not be looked at.
    pub unread: Vec<Unread>,
}

impl Graph {
    pub(crate) fn new(clock: Value<Clock>) -> Self {
        Self {
            clock,
            nodes: Vec::new(),
            edges: Vec::new(),
            index: HashMap::new(),
            threads: 0,
            unread: Vec::new(),
        }
    }

    /// A node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0)
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(id, node)| (NodeId(id), node))
    }

    /// What a node waits for.
    #[must_use]
    pub fn edges(&self, from: NodeId) -> &[Edge] {
        self.edges.get(from.0).map_or(&[], Vec::as_slice)
    }

    /// The thread that a node is.
    #[must_use]
    pub fn thread(&self, id: NodeId) -> Option<&ThreadNode> {
        self.node(id).and_then(Node::thread)
    }

    pub(crate) fn find(&self, role: Role, address: Gva) -> Option<NodeId> {
        self.index.get(&(role, address)).copied()
    }

    /// The thread that a node is, to be changed.
    pub(crate) fn thread_mut(&mut self, id: NodeId) -> Option<&mut ThreadNode> {
        match self.nodes.get_mut(id.0) {
            Some(Node::Thread(thread)) => Some(thread),
            _ => None,
        }
    }

    /// The threads that wait for a reply, in the order that they were met.
    pub fn reply_waits(&self) -> impl Iterator<Item = (NodeId, &ThreadNode, &Edge)> {
        self.nodes().filter_map(|(id, node)| {
            let edge = self.edges(id).iter().find(|edge| edge.edge == EdgeKind::Reply)?;
            Some((id, node.thread()?, edge))
        })
    }

    /// The node of something that is not in the graph yet.
    pub(crate) fn add(&mut self, role: Role, address: Gva, node: Node) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.nodes.push(node);
        self.edges.push(Vec::new());
        self.index.insert((role, address), id);
        id
    }

    pub(crate) fn connect(&mut self, from: NodeId, edge: Edge) {
        if let Some(edges) = self.edges.get_mut(from.0) {
            edges.push(edge);
        }
    }

    /// The edges that `keep` admits, as bare numbers.
    pub(crate) fn adjacency(&self, keep: impl Fn(&Edge) -> bool) -> Adjacency {
        self.edges
            .iter()
            .map(|edges| {
                edges
                    .iter()
                    .filter(|edge| keep(edge))
                    .map(|edge| edge.to.0)
                    .collect()
            })
            .collect()
    }

    /// The edges whose waiters cannot go on before what they lead to does.
    pub(crate) fn binding(&self) -> Adjacency {
        self.adjacency(Edge::is_binding)
    }

    /// Of these, the proven ones.
    pub(crate) fn proven(&self) -> Adjacency {
        self.adjacency(|edge| edge.is_binding() && edge.certainty == Certainty::Proven)
    }

    /// The edge that a chain goes on by: one that binds, else the first that may.
    #[must_use]
    pub fn next(&self, from: NodeId) -> Option<&Edge> {
        let edges = self.edges(from);
        edges.iter().find(|edge| edge.is_binding())
    }

    /// The node that the chain which begins at each node ends at; none where it comes back to itself.
    pub(crate) fn last_nodes(&self) -> Vec<Option<NodeId>> {
        let mut last: Vec<Option<Option<NodeId>>> = vec![None; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut way = Vec::new();
            let mut at = NodeId(start);
            let end = loop {
                match last.get(at.0) {
                    Some(Some(known)) => break *known,
                    // What leads to itself has no end, and is met again as such.
                    Some(None) => {
                        if let Some(slot) = last.get_mut(at.0) {
                            *slot = Some(None);
                        }
                    }
                    None => break None,
                }
                way.push(at);
                match self.next(at) {
                    Some(edge) => at = edge.to,
                    None => break Some(at),
                }
            };
            for node in way {
                if let Some(slot) = last.get_mut(node.0) {
                    *slot = Some(end);
                }
            }
        }
        last.into_iter().map(Option::flatten).collect()
    }

    /// Whether a thread waits for another thread or process. One that waits for an I/O request does not.
    pub(crate) fn is_stuck(&self, id: NodeId) -> bool {
        self.thread(id).is_some()
            && self
                .next(id)
                .is_some_and(|edge| edge.edge != EdgeKind::EndOfRequest)
    }

    /// What waits for these, transitively: every node below what it waits for, each once.
    #[must_use]
    pub fn behind(&self, roots: impl IntoIterator<Item = NodeId>) -> Vec<TreeNode> {
        let reverse = cycle::reversed(&self.binding());
        let mut seen: HashSet<usize> = HashSet::new();
        let mut trees = Vec::new();
        for root in roots {
            let mut waiting = vec![(root.0, 0_usize)];
            while let Some((node, depth)) = waiting.pop() {
                if !seen.insert(node) {
                    continue;
                }
                trees.push(TreeNode {
                    node: NodeId(node),
                    depth,
                });
                let below = reverse.get(node).into_iter().flatten();
                waiting.extend(below.rev().map(|&from| (from, depth.saturating_add(1))));
            }
        }
        trees
    }

    /// All nodes that chains lead to from these, which themselves are among them only if a chain leads there.
    pub(crate) fn after(&self, from: &[NodeId]) -> HashSet<NodeId> {
        let mut after = HashSet::new();
        for &start in from {
            let mut at = start;
            while let Some(edge) = self.next(at) {
                if !after.insert(edge.to) {
                    break;
                }
                at = edge.to;
            }
        }
        after
    }

    /// The whole graph as a record.
    #[must_use]
    pub fn record(&self) -> GraphRecord<'_> {
        self.record_of(|_| true)
    }

    /// The part of the graph that a process has to do with: whatever waits for its threads and ports, and whatever
    /// these wait for.
    #[must_use]
    pub fn record_around(&self, process: Gva) -> GraphRecord<'_> {
        let forward = self.adjacency(|_| true);
        let mut kept = self.reached(&cycle::reversed(&forward), process);
        kept.extend(self.reached(&forward, process));
        self.record_of(|id| kept.contains(&id.0))
    }

    fn record_of(&self, keep: impl Fn(NodeId) -> bool) -> GraphRecord<'_> {
        let nodes = self
            .nodes()
            .filter(|(id, _)| keep(*id))
            .map(|(id, node)| NodeRecord {
                id,
                node,
                edges: self.edges(id),
            });
        GraphRecord {
            nodes: nodes.collect(),
        }
    }

    /// The nodes of a process, and all that their edges lead to.
    fn reached(&self, edges: &Adjacency, process: Gva) -> HashSet<usize> {
        let own = self.nodes().filter(|(_, node)| node.process() == Some(process));
        let mut waiting: Vec<usize> = own.map(|(id, _)| id.0).collect();
        let mut reached: HashSet<usize> = waiting.iter().copied().collect();
        while let Some(node) = waiting.pop() {
            for &next in edges.get(node).into_iter().flatten() {
                if reached.insert(next) {
                    waiting.push(next);
                }
            }
        }
        reached
    }
}

/// A node of the wait forest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeNode {
    /// The node.
    pub node: NodeId,
    /// How many steps it is from where its chain ends.
    pub depth: usize,
}

/// The graph of waits as a record: every node with what it waits for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct GraphRecord<'g> {
    /// The nodes.
    pub nodes: Vec<NodeRecord<'g>>,
}

/// A node with what it waits for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct NodeRecord<'g> {
    /// Its number.
    pub id: NodeId,
    /// What it is.
    pub node: &'g Node,
    /// What it waits for.
    pub edges: &'g [Edge],
}
