//! What is stuck, on whom, and since when.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};

use kdump::{Dump, TimeSpan};
use ntkernel::image::kernel::Kernel;
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::process::module;
use ntkernel::stack::Stacks;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::wait::chain::{Chain, Step};
use crate::wait::cycle::{self, Adjacency, Components};
use crate::wait::doubt::Doubt;
use crate::wait::edge::{Certainty, Edge};
use crate::wait::graph::Graph;
pub use crate::wait::graph::TreeNode;
use crate::wait::node::{Node, NodeId, ThreadNode};
use crate::wait::root::{self, RootKind, Suspect};
use crate::wait::signature::{self, Signature};
use crate::wait::trouble::{self, PortTrouble};
use crate::wait::unread::Unread;
use ntkernel::process::clock::Clock;

/// Root blockers that are looked at closely: their stacks are read.
const SUSPECTS: usize = 1 << 12;

/// Steps after which counting who is behind whom gives up. In an ordinary system every waiter is counted once.
const COUNTING: usize = 1 << 23;

/// A report on all waits of a system.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Hang {
    /// One line that is the same for the same hang on two machines; see the documentation for its rules. `unknown` when
    /// no wait was found, but not all could be looked at.
    pub signature: Signature,
    /// Beside a signature of a chain, in which function the thread at its end is: `in/1:nt!expwaitforresource`.
    pub signature_in: Option<String>,
    /// Beside a signature of a chain, which call the last of its messages is: `for/1:lsarlookupsids3`.
    pub signature_for: Option<String>,
    /// Why there may be more waits than were found; null when all could be looked at.
    pub doubt: Option<Doubt>,
    /// The system's clock at the moment of the dump.
    pub clock: Value<Clock>,
    /// Threads that were looked at.
    pub threads: usize,
    /// Threads that wait for an ALPC reply.
    pub waiting_for_reply: usize,
    /// Threads that wait for another thread or process, ALPC or not.
    pub stuck: usize,
    /// The longest of their waits, in 100 ns.
    pub longest_wait: Option<TimeSpan>,
    /// Rings of proven waits.
    pub deadlocks: Vec<Deadlock>,
    /// Rings that need a step which is not proven.
    pub possible_deadlocks: Vec<Deadlock>,
    /// Where chains end, the ones with most threads behind them first.
    pub blockers: Vec<Blocker>,
    /// Ports in trouble, the worst first.
    pub ports_in_trouble: Vec<PortTrouble>,
    /// Parts of the system that could not be looked at, so that waits may be missing.
    pub unread: Vec<Unread>,
}

/// Threads that wait for each other.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Deadlock {
    /// Its signature.
    pub signature: String,
    /// A shortest ring through it; the last step leads back to the first.
    pub ring: Vec<Step>,
    /// Threads of which each waits for all others: those of the ring, and of other rings that share a node
    /// with it.
    pub members: usize,
    /// Threads that wait for them.
    pub behind: Behind,
    /// The steps of the ring that are not proven, as numbers of the nodes that they lead from.
    pub unproven: Vec<NodeId>,
}

/// Who is stuck behind something.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Behind {
    /// Threads.
    pub threads: usize,
    /// Their processes.
    pub processes: usize,
    /// The longest of their waits, in 100 ns.
    pub longest_wait: Option<TimeSpan>,
    /// Whether there may be more, for counting gave up.
    pub at_least: bool,
}

/// Where chains of waits end.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Blocker {
    /// Its number in the graph.
    pub id: NodeId,
    /// What it is.
    pub node: Node,
    /// Why the chains end here.
    pub end: RootKind,
    /// Who is stuck behind it.
    pub behind: Behind,
    /// Threads behind ports all of whose servers are stuck behind this: they are stuck as well, which is
    /// inferred.
    pub inferred_threads: usize,
    /// For a port: the root blockers that its servers are stuck behind, with their numbers of servers, most
    /// first.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub servers_behind: Vec<ServersBehind>,
    /// The deepest chain that ends here.
    pub chain: Chain,
    /// What helps to find the culprit, for a thread among the first ones, or the one that waits for an I/O request.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub suspect: Option<Suspect>,
}

/// Servers of a port that are stuck behind the same thing.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ServersBehind {
    /// What they are stuck behind.
    pub blocker: Addr,
    /// How many of them.
    pub servers: usize,
}

/// Looks at all waits of a system.
#[must_use]
pub fn hang(kernel: &Kernel<'_>) -> (Graph, Hang) {
    let (graph, ports_in_trouble) = trouble::waits_with_trouble(kernel);
    let mut report = report(Some(kernel.dump()), &graph, ports_in_trouble);
    report.look_closely(kernel);
    (graph, report)
}

impl Hang {
    /// The report on a graph, without the ports in trouble and without what helps to find culprits: those are not in
    /// the graph.
    #[must_use]
    pub fn of_graph(dump: &Dump, graph: &Graph) -> Self {
        report(Some(dump), graph, Vec::new())
    }

    /// Looks closely at the threads that chains end at.
    pub(crate) fn look_closely(&mut self, kernel: &Kernel<'_>) {
        add_suspects(kernel, &mut self.blockers);
        let first = self
            .blockers
            .first()
            .filter(|_| matches!(self.signature, Signature::Blocked(_)));
        self.signature_in = first
            .and_then(|blocker| blocker.suspect.as_ref())
            .map(|suspect| signature::of_end(suspect.function().as_deref()));
    }

    /// The signature; of a system of which it is not known, with why that is so.
    #[must_use]
    pub fn headline(&self) -> String {
        match &self.doubt {
            Some(doubt) if self.signature == Signature::Unknown => {
                format!("{}: {}", self.signature, doubt.text)
            }
            _ => self.signature.to_string(),
        }
    }

    /// Every node that waits, below what it waits for: first the deadlocks, then the blockers as they are
    /// ranked. A node that waits for several stands once.
    #[must_use]
    pub fn trees(&self, graph: &Graph) -> Vec<TreeNode> {
        let rings = self
            .deadlocks
            .iter()
            .flat_map(|deadlock| deadlock.ring.iter().map(|step| step.id));
        graph.behind(rings.chain(self.blockers.iter().map(|blocker| blocker.id)))
    }
}

/// Looks closely at the thread that each of several chains ends at.
pub fn add_suspects_of(kernel: &Kernel<'_>, chains: &mut [Chain]) {
    let modules = modules(kernel);
    let stacks = Stacks::new(kernel, &modules);
    for chain in chains.iter_mut().take(SUSPECTS) {
        if let Some(thread) = last_thread(chain)
            && chain.end != RootKind::Deadlock
            && chain.joins.is_none()
        {
            chain.suspect = Some(root::suspect(kernel, &modules, &stacks, thread.gva()));
        }
    }
}

/// The thread that a chain ends at, or that waits for the I/O request that it ends at.
fn last_thread(chain: &Chain) -> Option<Addr> {
    let mut steps = chain.steps.iter().rev().map(|step| &step.node);
    let last = steps.next()?;
    let thread = match last {
        Node::Irp(_) => steps.next()?,
        other => other,
    };
    // Of what is no thread there is nothing to tell.
    let thread = thread.thread()?;
    let is_there = !matches!(thread.state.reason(), Some(Unreadable::NotThere { .. }));
    is_there.then_some(thread.address)
}

fn modules(kernel: &Kernel<'_>) -> module::Modules {
    module::modules(kernel).unwrap_or_else(|hole| module::Modules {
        modules: Vec::new(),
        complete: Value::Missing(Box::new(hole)),
    })
}

fn add_suspects(kernel: &Kernel<'_>, blockers: &mut [Blocker]) {
    let modules = modules(kernel);
    let stacks = Stacks::new(kernel, &modules);
    let of_threads = blockers.iter_mut().filter_map(|blocker| {
        let thread = last_thread(&blocker.chain)?;
        Some((blocker, thread))
    });
    for (blocker, thread) in of_threads.take(SUSPECTS) {
        blocker.suspect = Some(root::suspect(kernel, &modules, &stacks, thread.gva()));
    }
}

fn report(dump: Option<&Dump>, graph: &Graph, ports_in_trouble: Vec<PortTrouble>) -> Hang {
    let analysis = Analysis::of(graph);
    let deadlocks = analysis.deadlocks();
    let possible_deadlocks = analysis.possible_deadlocks();
    let blockers = analysis.blockers();
    let stuck = analysis.stuck();
    let ends_unread = blockers.iter().filter(|one| one.end == RootKind::Unreadable);
    let doubt = Doubt::of(dump, &graph.unread, ends_unread.count());
    let signature = signature_of(&deadlocks, &blockers, doubt.is_some());
    let first = blockers
        .first()
        .filter(|_| matches!(signature, Signature::Blocked(_)));
    Hang {
        signature_for: first.and_then(|blocker| signature::of_call(&blocker.chain.steps)),
        signature,
        signature_in: None,
        doubt,
        clock: graph.clock.clone(),
        threads: graph.threads,
        waiting_for_reply: graph.reply_waits().count(),
        stuck: stuck.len(),
        longest_wait: stuck
            .iter()
            .filter_map(|&id| graph.thread(id)?.waited())
            .max()
            .map(TimeSpan),
        deadlocks,
        possible_deadlocks,
        blockers,
        ports_in_trouble,
        unread: graph.unread.clone(),
    }
}

fn signature_of(deadlocks: &[Deadlock], blockers: &[Blocker], doubted: bool) -> Signature {
    let deadlock = deadlocks.iter().map(|deadlock| &deadlock.signature).min();
    match (deadlock, blockers.first()) {
        (Some(deadlock), _) => Signature::Deadlock(deadlock.clone()),
        (None, Some(one)) => Signature::Blocked(signature::of_chain(&one.chain.steps, one.end)),
        // Messages are in paged pool: what waits longest is the likeliest to be paged out, and a dump has no page
        // file.
        (None, None) if doubted => Signature::Unknown,
        (None, None) => Signature::None,
    }
}

impl Graph {
    /// Why the chain that begins at each node ends.
    pub(crate) fn ends(&self) -> Vec<RootKind> {
        let first: Adjacency = (0..self.nodes.len())
            .map(|node| {
                self.next(NodeId(node))
                    .map(|edge| edge.to.0)
                    .into_iter()
                    .collect()
            })
            .collect();
        let components = cycle::components(&first);
        let mut ends = vec![RootKind::Deadlock; self.nodes.len()];
        // A component comes before all that lead to it.
        for members in &components.members {
            for &node in members {
                let end = match first.get(node).and_then(|next| next.first()) {
                    None => self.root_kind(NodeId(node)),
                    Some(_) if members.len() > 1 => RootKind::Deadlock,
                    Some(&next) => ends.get(next).copied().unwrap_or(RootKind::Unreadable),
                };
                if let Some(slot) = ends.get_mut(node) {
                    *slot = end;
                }
            }
        }
        ends
    }
}

/// A graph, looked at from its ends.
struct Analysis<'g> {
    graph: &'g Graph,
    binding: Adjacency,
    reverse: Adjacency,
    components: Components,
    /// The components that nothing binding leads on from, and that something waits for.
    sinks: Vec<Sink>,
    /// Steps that counting has taken.
    counted: Cell<usize>,
}

/// Where chains end: one node, or several that wait for each other.
struct Sink {
    members: Vec<usize>,
    cyclic: bool,
    behind: Behind,
    /// The node from which the way here is longest.
    farthest: usize,
}

impl<'g> Analysis<'g> {
    fn of(graph: &'g Graph) -> Self {
        let binding = graph.binding();
        let mut analysis = Self {
            graph,
            reverse: cycle::reversed(&binding),
            components: cycle::components(&binding),
            binding,
            sinks: Vec::new(),
            counted: Cell::new(0),
        };
        analysis.find_sinks();
        analysis
    }

    fn find_sinks(&mut self) {
        let mut sinks = Vec::new();
        for (number, members) in self.components.members.iter().enumerate() {
            if self.leads_on(number, members) {
                continue;
            }
            let cyclic = self.is_cyclic(members);
            let lonely = members
                .iter()
                .all(|&node| self.reverse.get(node).is_none_or(Vec::is_empty));
            // WaitForMultipleObjects without bWaitAll ends with whichever comes first (Microsoft Learn): each of the
            // things is no bond by itself, and the thread still is stuck.
            if lonely && !cyclic && !self.waits_for_any(members) {
                continue;
            }
            let (behind, farthest) = self.behind(members);
            sinks.push(Sink {
                members: members.clone(),
                cyclic,
                behind,
                farthest,
            });
        }
        self.sinks = sinks;
    }

    /// A thread that nobody waits for, but that waits for any of several things with owners.
    fn waits_for_any(&self, members: &[usize]) -> bool {
        members.iter().any(|&node| {
            self.graph.thread(NodeId(node)).is_some()
                && self
                    .graph
                    .edges(NodeId(node))
                    .iter()
                    .any(|edge| edge.edge.is_wait())
        })
    }

    fn leads_on(&self, number: usize, members: &[usize]) -> bool {
        members
            .iter()
            .filter_map(|&node| self.binding.get(node))
            .flatten()
            .any(|&to| self.components.of(to) != Some(number))
    }

    fn is_cyclic(&self, members: &[usize]) -> bool {
        match members {
            [only] => self
                .binding
                .get(*only)
                .is_some_and(|targets| targets.contains(only)),
            _ => true,
        }
    }

    /// Who waits for these nodes, near ones first.
    fn behind(&self, members: &[usize]) -> (Behind, usize) {
        let mut behind = Behind::default();
        let mut processes: HashSet<Addr> = HashSet::new();
        let mut found: Vec<(usize, usize)> = members.iter().map(|&member| (member, 0)).collect();
        let mut seen: HashSet<usize> = members.iter().copied().collect();
        let mut at = 0_usize;
        while let Some(&(node, depth)) = found.get(at) {
            at = at.saturating_add(1);
            self.counted.set(self.counted.get().saturating_add(1));
            if self.counted.get() > COUNTING {
                behind.at_least = true;
                break;
            }
            if depth > 0 {
                self.count(node, &mut behind, &mut processes);
            }
            for &from in self.reverse.get(node).into_iter().flatten() {
                if seen.insert(from) {
                    found.push((from, depth.saturating_add(1)));
                }
            }
        }
        behind.processes = processes.len();
        let farthest = self.farthest(&found);
        (behind, farthest.or(members.first().copied()).unwrap_or_default())
    }

    /// Of the nodes that are farthest away, the one whose image name sorts first: so that the same hang gives
    /// the same chain wherever its threads happen to be in memory. The longest wait decides between equals.
    fn farthest(&self, found: &[(usize, usize)]) -> Option<usize> {
        let (_, most) = *found.last()?;
        let last = found.iter().rev().take_while(|(_, depth)| *depth == most);
        let nodes = last.map(|(node, _)| *node);
        nodes.min_by_key(|&node| {
            let thread = self.graph.thread(NodeId(node));
            let process = thread.and_then(|thread| thread.process.known()?.as_ref());
            let image = process
                .and_then(|process| process.image.known())
                // Names of files know no case, so that two machines may write one image in two ways.
                .map(|image| image.to_lowercase());
            let waited = thread.and_then(ThreadNode::waited);
            (image, std::cmp::Reverse(waited), node)
        })
    }

    fn count(&self, node: usize, behind: &mut Behind, processes: &mut HashSet<Addr>) {
        let Some(thread) = self.graph.thread(NodeId(node)) else {
            return;
        };
        behind.threads = behind.threads.saturating_add(1);
        behind.longest_wait = behind.longest_wait.max(thread.waited().map(TimeSpan));
        if let Value::Known(Some(process)) = &thread.process {
            processes.insert(process.address);
        }
    }

    /// The threads that wait for another thread or process.
    fn stuck(&self) -> Vec<NodeId> {
        self.graph
            .nodes()
            .map(|(id, _)| id)
            .filter(|id| self.graph.is_stuck(*id))
            .collect()
    }

    fn deadlocks(&self) -> Vec<Deadlock> {
        // Only proven steps: a ring that is inferred may be none, as calls of COM come in while others go out.
        let proven = self.graph.proven();
        let components = cycle::components(&proven);
        let mut found: Vec<Deadlock> = components
            .cyclic(&proven)
            .filter_map(|members| self.deadlock(&proven, members, None))
            .collect();
        sort(&mut found);
        found
    }

    /// Rings that hold a step which is not proven. Of each knot of them the shortest ring through one such step
    /// is told.
    fn possible_deadlocks(&self) -> Vec<Deadlock> {
        let all = self.graph.adjacency(|edge| edge.edge.is_wait());
        let components = cycle::components(&all);
        let mut found: Vec<Deadlock> = components
            .cyclic(&all)
            .filter_map(|members| {
                let within: HashSet<usize> = members.iter().copied().collect();
                let unproven = self.unproven_steps(&within);
                let (from, to) = unproven.first().copied()?;
                self.deadlock(&all, members, Some((from, to)))
            })
            .collect();
        sort(&mut found);
        found
    }

    /// Steps between these nodes that are not proven, or not the only way on.
    fn unproven_steps(&self, within: &HashSet<usize>) -> Vec<(usize, usize)> {
        let mut steps: Vec<(usize, usize)> = within
            .iter()
            .flat_map(|&from| {
                self.graph
                    .edges(NodeId(from))
                    .iter()
                    .filter(|edge| edge.edge.is_wait() && !is_firm(edge))
                    .map(move |edge| (from, edge.to.0))
            })
            .filter(|(_, to)| within.contains(to))
            .collect();
        steps.sort_unstable();
        steps
    }

    fn deadlock(
        &self,
        edges: &Adjacency,
        members: &[usize],
        through: Option<(usize, usize)>,
    ) -> Option<Deadlock> {
        let inside: HashSet<usize> = members.iter().copied().collect();
        let within = |node: usize| inside.contains(&node);
        let way = match through {
            None => {
                let start = *members
                    .iter()
                    .find(|&&node| self.graph.thread(NodeId(node)).is_some())?;
                cycle::shortest(edges, start, start, within)?
            }
            Some((from, to)) if from == to => vec![from],
            Some((from, to)) => cycle::shortest(edges, to, from, within)?,
        };
        let ring = Chain::steps_along(self.graph, &way, true);
        let unproven = ring
            .iter()
            .filter(|step| step.next.as_ref().is_some_and(|edge| !is_firm(edge)))
            .map(|step| step.id)
            .collect();
        let (behind, _) = self.behind(members);
        Some(Deadlock {
            signature: signature::of_cycle(&ring),
            ring,
            members: members
                .iter()
                .filter(|&&node| self.graph.thread(NodeId(node)).is_some())
                .count(),
            behind,
            unproven,
        })
    }

    fn blockers(&self) -> Vec<Blocker> {
        let roots = self.root_of_each();
        let mut blockers: Vec<Blocker> = self
            .sinks
            .iter()
            .filter(|sink| !sink.cyclic)
            .filter_map(|sink| self.blocker(sink, &roots))
            .collect();
        self.infer(&mut blockers);
        blockers.sort_by_key(|blocker| {
            let stuck = blocker.behind.threads.saturating_add(blocker.inferred_threads);
            (
                std::cmp::Reverse((stuck, blocker.behind.longest_wait)),
                blocker.node.address(),
            )
        });
        blockers
    }

    fn blocker(&self, sink: &Sink, roots: &[usize]) -> Option<Blocker> {
        let id = NodeId(*sink.members.first()?);
        let node = self.graph.node(id)?.clone();
        Some(Blocker {
            id,
            end: self.graph.root_kind(id),
            servers_behind: self.servers_behind(id, roots),
            chain: self.deepest(sink, id),
            node,
            behind: sink.behind.clone(),
            inferred_threads: 0,
            suspect: None,
        })
    }

    fn deepest(&self, sink: &Sink, root: NodeId) -> Chain {
        let way = if sink.farthest == root.0 {
            Some(vec![root.0])
        } else {
            cycle::shortest(&self.binding, sink.farthest, root.0, |_| true)
        };
        let mut chain = Chain::from(self.graph, root);
        if let Some(way) = way {
            chain.steps = Chain::steps_along(self.graph, &way, false);
        }
        chain
    }

    /// The end of the chain of each node, by its number.
    fn root_of_each(&self) -> Vec<usize> {
        let mut roots = vec![usize::MAX; self.graph.nodes.len()];
        for members in &self.components.members {
            for &node in members {
                let next = self.binding.get(node).and_then(|targets| targets.first());
                let root = match next {
                    None => node,
                    Some(_) if members.len() > 1 => members.first().copied().unwrap_or(node),
                    Some(next) => roots.get(*next).copied().unwrap_or(usize::MAX),
                };
                mark(&mut roots, node, root);
            }
        }
        roots
    }

    /// The ends of the chains of a port's servers.
    fn servers_behind(&self, port: NodeId, roots: &[usize]) -> Vec<ServersBehind> {
        let mut counts: BTreeMap<Addr, usize> = BTreeMap::new();
        for server in self.servers(port) {
            let root = roots.get(server).and_then(|&root| self.graph.node(NodeId(root)));
            if let Some(root) = root {
                let count = counts.entry(root.address()).or_default();
                *count = count.saturating_add(1);
            }
        }
        let mut behind: Vec<ServersBehind> = counts
            .into_iter()
            .map(|(blocker, servers)| ServersBehind { blocker, servers })
            .collect();
        behind.sort_by_key(|one| (std::cmp::Reverse(one.servers), one.blocker));
        behind
    }

    fn servers(&self, port: NodeId) -> impl Iterator<Item = usize> {
        let alternatives = |id: NodeId| {
            let edges = self.graph.edges(id).iter();
            edges
                .filter(|edge| edge.edge.is_alternative())
                .map(|edge| edge.to)
        };
        alternatives(port).flat_map(move |to| match self.graph.node(to) {
            Some(Node::CompletionPort(_)) => alternatives(to).map(|to| to.0).collect(),
            _ => vec![to.0],
        })
    }

    /// Where all servers of a port are stuck behind one thing, so are those who wait for the port.
    fn infer(&self, blockers: &mut [Blocker]) {
        let mut extra: HashMap<Addr, usize> = HashMap::new();
        for port in blockers.iter() {
            if let [only] = port.servers_behind.as_slice()
                && only.blocker != port.node.address()
            {
                let threads = extra.entry(only.blocker).or_default();
                *threads = threads.saturating_add(port.behind.threads);
            }
        }
        for blocker in blockers {
            blocker.inferred_threads = extra.get(&blocker.node.address()).copied().unwrap_or(0);
        }
    }
}

fn mark(of: &mut [usize], node: usize, value: usize) {
    if let Some(slot) = of.get_mut(node) {
        *slot = value;
    }
}

/// Whether a step is proven and the only way on.
fn is_firm(edge: &Edge) -> bool {
    edge.certainty == Certainty::Proven && !edge.any
}

fn sort(deadlocks: &mut [Deadlock]) {
    deadlocks.sort_by_key(|deadlock| {
        (
            std::cmp::Reverse(deadlock.behind.threads),
            deadlock.ring.first().map(|step| step.node.address()),
        )
    });
}

#[cfg(test)]
mod tests {

    use kdump::Gva;

    use super::*;
    use crate::wait::edge::EdgeKind;
    use crate::wait::graph::Role;
    use crate::wait::node::ThreadNode;
    use ntkernel::process::ProcessRef;
    use ntkernel::process::thread::{ThreadState, WaitReason};

    const MANY: usize = 100_000;

    fn addr(number: usize) -> Addr {
        Addr::new(Gva::from(0xffff_fa80_0000_0000 + number as u64 * 0x1000), 8)
    }

    fn thread(number: usize) -> ThreadNode {
        ThreadNode {
            address: addr(number),
            process_id: Value::Known(number as u64 % 7),
            thread_id: Value::Known(number as u64),
            process: Value::Known(Some(ProcessRef {
                address: addr(number % 7),
                image: Value::Known(format!("P{}.exe", number % 7)),
            })),
            state: Value::Known(ThreadState(5)),
            processor: Value::Known(0),
            wait_reason: Value::Known(WaitReason(6)),
            suspend_count: Value::Known(0),
            waited: Value::Known(Some(TimeSpan(number as u64))),
            wait_objects: Value::Known(Vec::new()),
            service: None,
            lock_unknown: None,
        }
    }

    /// Threads that wait for the end of others; an edge is (from, to, proven, any).
    fn graph(threads: usize, edges: impl IntoIterator<Item = (usize, usize, bool, bool)>) -> Graph {
        let mut graph = Graph::new(Value::Known(Clock::new(1, 156_250)));
        for number in 0..threads {
            graph.add(Role::Thread, addr(number).gva(), Node::Thread(thread(number)));
        }
        for (from, to, proven, any) in edges {
            let certainty = if proven {
                Certainty::Proven
            } else {
                Certainty::Inferred
            };
            let mut edge = Edge::new(NodeId(to), EdgeKind::EndOfThread, certainty, Vec::new());
            edge.any = any;
            graph.connect(NodeId(from), edge);
        }
        graph
    }

    fn proven(edges: &[(usize, usize)]) -> impl Iterator<Item = (usize, usize, bool, bool)> {
        edges.iter().map(|&(from, to)| (from, to, true, false))
    }

    fn reported(graph: &Graph) -> Hang {
        report(None, graph, Vec::new())
    }

    /// Work that grew with the square of it would not end.
    #[test]
    fn a_chain_of_a_hundred_thousand_has_one_root() {
        let graph = graph(MANY, (1..MANY).map(|number| (number, number - 1, true, false)));
        let report = reported(&graph);
        assert!(report.deadlocks.is_empty() && report.possible_deadlocks.is_empty());
        assert_eq!(report.blockers.len(), 1);
        let blocker = &report.blockers[0];
        assert_eq!(blocker.behind.threads, MANY - 1);
        assert_eq!(blocker.behind.processes, 7);
        assert_eq!(blocker.behind.longest_wait, Some(TimeSpan(MANY as u64 - 1)));
        assert_eq!(blocker.chain.steps.len(), MANY);
        assert_eq!(report.trees(&graph).last().unwrap().depth, MANY - 1);
        assert_eq!(graph.chains_of_process(addr(3).gva()).len(), 1);
    }

    #[test]
    fn a_ring_of_a_hundred_thousand_is_one_deadlock() {
        let graph = graph(
            MANY,
            (0..MANY).map(|number| (number, (number + 1) % MANY, true, false)),
        );
        let report = reported(&graph);
        assert_eq!(report.deadlocks.len(), 1);
        assert_eq!(report.deadlocks[0].members, MANY);
        assert!(report.blockers.is_empty());
        assert!(report.signature.as_str().len() < 400, "{}", report.signature);
        assert!(graph.ends().iter().all(|end| *end == RootKind::Deadlock));
    }

    #[test]
    fn many_small_deadlocks_take_no_more_than_one_large_one() {
        let graph = graph(MANY, (0..MANY).map(|number| (number, number ^ 1, true, false)));
        assert_eq!(reported(&graph).deadlocks.len(), MANY / 2);
    }

    #[test]
    fn a_diamond_is_no_deadlock_and_counts_each_thread_once() {
        let report = reported(&graph(4, proven(&[(0, 1), (0, 2), (1, 3), (2, 3)])));
        assert!(report.deadlocks.is_empty());
        assert_eq!(report.blockers.len(), 1);
        assert_eq!(report.blockers[0].behind.threads, 3);
    }

    #[test]
    fn two_rings_that_share_a_thread_are_one_deadlock() {
        let edges = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 2), (4, 0)];
        let report = reported(&graph(5, proven(&edges)));
        assert_eq!(report.deadlocks.len(), 1);
        let deadlock = &report.deadlocks[0];
        assert_eq!((deadlock.members, deadlock.behind.threads), (4, 1));
    }

    #[test]
    fn a_wait_for_any_of_several_makes_no_proven_ring() {
        let edges = [(0, 1, true, false), (1, 0, true, true), (1, 2, true, true)];
        let report = reported(&graph(3, edges));
        assert!(report.deadlocks.is_empty());
        assert_eq!(report.possible_deadlocks.len(), 1);
        assert_eq!(report.possible_deadlocks[0].unproven, [NodeId(1)]);
        assert_eq!(report.blockers[0].end, RootKind::AnyOf);
    }

    #[test]
    fn a_ring_with_an_inferred_step_is_only_possible() {
        let edges = [(0, 1, true, false), (1, 2, false, false), (2, 0, true, false)];
        let report = reported(&graph(3, edges));
        assert!(report.deadlocks.is_empty());
        assert_eq!(report.possible_deadlocks.len(), 1);
        assert_eq!(report.possible_deadlocks[0].unproven, [NodeId(1)]);
    }

    #[test]
    fn the_blocker_with_most_threads_behind_it_comes_first() {
        let report = reported(&graph(6, proven(&[(1, 0), (3, 2), (4, 2), (5, 4)])));
        let behind: Vec<usize> = report.blockers.iter().map(|one| one.behind.threads).collect();
        assert_eq!(behind, [3, 1]);
        assert_eq!(report.blockers[0].node.address(), addr(2));
        assert_eq!(report.stuck, 4);
    }
}
