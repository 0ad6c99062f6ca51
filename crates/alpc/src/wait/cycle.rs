//! Cycles and shortest ways in a directed graph of numbered nodes. Nothing here recurses: a chain of a hundred
//! thousand waits is an ordinary input.

use std::collections::{HashMap, VecDeque};

/// For each node, the nodes that its edges lead to.
pub(crate) type Adjacency = Vec<Vec<usize>>;

/// The same edges, each the other way round.
pub(crate) fn reversed(edges: &[Vec<usize>]) -> Adjacency {
    let mut reverse = vec![Vec::new(); edges.len()];
    for (from, targets) in edges.iter().enumerate() {
        for &to in targets {
            if let Some(sources) = reverse.get_mut(to) {
                sources.push(from);
            }
        }
    }
    reverse
}

/// The strongly connected components of a graph.
#[derive(Debug)]
pub(crate) struct Components {
    /// The component of each node.
    of: Vec<usize>,
    /// The nodes of each component, a component before all that lead to it.
    pub(crate) members: Vec<Vec<usize>>,
}

impl Components {
    /// The component of a node.
    pub(crate) fn of(&self, node: usize) -> Option<usize> {
        self.of.get(node).copied()
    }

    /// The components that hold a cycle: of several nodes, or of one that leads to itself.
    pub(crate) fn cyclic<'a>(&'a self, edges: &'a [Vec<usize>]) -> impl Iterator<Item = &'a [usize]> {
        self.members
            .iter()
            .filter(|members| match members.as_slice() {
                // A diamond is no cycle: two servers that both call a third one wait for each other by no way.
                // Only strongly connected components tell that apart, since a search that marks what it saw
                // takes the second way for a return.
                [only] => edges.get(*only).is_some_and(|targets| targets.contains(only)),
                _ => true,
            })
            .map(Vec::as_slice)
    }
}

/// Not visited yet.
const NEW: usize = usize::MAX;

/// Tarjan's algorithm with a stack of its own instead of the program's.
struct Search<'e> {
    edges: &'e [Vec<usize>],
    visited: usize,
    index: Vec<usize>,
    low: Vec<usize>,
    /// Nodes whose component is not known yet, in the order of their visits.
    open: Vec<usize>,
    /// Nodes being visited, each with how many of its edges were followed.
    calls: Vec<(usize, usize)>,
    found: Components,
}

/// The strongly connected components.
pub(crate) fn components(edges: &[Vec<usize>]) -> Components {
    let mut search = Search {
        edges,
        visited: 0,
        index: vec![NEW; edges.len()],
        low: vec![NEW; edges.len()],
        open: Vec::new(),
        calls: Vec::new(),
        found: Components {
            of: vec![NEW; edges.len()],
            members: Vec::new(),
        },
    };
    for node in 0..edges.len() {
        if get(&search.index, node) == NEW {
            search.visit(node);
            search.run();
        }
    }
    search.found
}

impl Search<'_> {
    fn visit(&mut self, node: usize) {
        set(&mut self.index, node, self.visited);
        set(&mut self.low, node, self.visited);
        self.visited = self.visited.saturating_add(1);
        self.open.push(node);
        self.calls.push((node, 0));
    }

    fn run(&mut self) {
        while let Some(&mut (node, ref mut followed)) = self.calls.last_mut() {
            let next = self.edges.get(node).and_then(|targets| targets.get(*followed));
            *followed = followed.saturating_add(1);
            match next {
                Some(&to) if to >= self.edges.len() => {}
                Some(&to) if get(&self.index, to) == NEW => self.visit(to),
                Some(&to) if get(&self.found.of, to) == NEW => {
                    let index = get(&self.index, to);
                    self.lower(node, index);
                }
                Some(_) => {}
                None => self.leave(node),
            }
        }
    }

    fn lower(&mut self, node: usize, to: usize) {
        let low = get(&self.low, node).min(to);
        set(&mut self.low, node, low);
    }

    fn leave(&mut self, node: usize) {
        self.calls.pop();
        let low = get(&self.low, node);
        if let Some(&(caller, _)) = self.calls.last() {
            self.lower(caller, low);
        }
        if low != get(&self.index, node) {
            return;
        }
        let mut members = Vec::new();
        while let Some(member) = self.open.pop() {
            set(&mut self.found.of, member, self.found.members.len());
            members.push(member);
            if member == node {
                break;
            }
        }
        members.sort_unstable();
        self.found.members.push(members);
    }
}

fn get(of: &[usize], node: usize) -> usize {
    of.get(node).copied().unwrap_or(NEW)
}

fn set(of: &mut [usize], node: usize, value: usize) {
    if let Some(slot) = of.get_mut(node) {
        *slot = value;
    }
}

/// A shortest way from one node to another, both included, over nodes that `within` admits. From a node to
/// itself it is a cycle with at least one edge, and the node stands at its start only. The cost follows from what is
/// reached, not from the size of the graph.
pub(crate) fn shortest(
    edges: &[Vec<usize>],
    from: usize,
    to: usize,
    within: impl Fn(usize) -> bool,
) -> Option<Vec<usize>> {
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut waiting = VecDeque::from([from]);
    while let Some(node) = waiting.pop_front() {
        for &next in edges.get(node).into_iter().flatten() {
            if next == to {
                return Some(way_back(&came_from, from, node, to));
            }
            if next != from && within(next) && !came_from.contains_key(&next) {
                came_from.insert(next, node);
                waiting.push_back(next);
            }
        }
    }
    None
}

fn way_back(came_from: &HashMap<usize, usize>, from: usize, last: usize, to: usize) -> Vec<usize> {
    let mut way = Vec::new();
    if to != from {
        way.push(to);
    }
    let mut at = Some(last).filter(|&last| last != from);
    while let Some(node) = at {
        way.push(node);
        at = came_from.get(&node).copied().filter(|&before| before != from);
    }
    way.push(from);
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(nodes: usize, edges: &[(usize, usize)]) -> Adjacency {
        let mut graph = vec![Vec::new(); nodes];
        for &(from, to) in edges {
            graph[from].push(to);
        }
        graph
    }

    fn cycles(graph: &Adjacency) -> Vec<Vec<usize>> {
        let mut found: Vec<Vec<usize>> = components(graph).cyclic(graph).map(<[usize]>::to_vec).collect();
        found.sort();
        found
    }

    #[test]
    fn a_diamond_is_no_cycle() {
        let diamond = graph(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
        assert!(cycles(&diamond).is_empty());
    }

    #[test]
    fn a_self_call_is_a_cycle_and_a_lone_node_is_none() {
        let own = graph(2, &[(0, 0)]);
        assert_eq!(cycles(&own), [[0]]);
        assert_eq!(shortest(&own, 0, 0, |_| true).unwrap(), [0]);
    }

    #[test]
    fn two_rings_that_share_a_node_are_one_component() {
        let eight = graph(5, &[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 2)]);
        assert_eq!(cycles(&eight), [[0, 1, 2, 3, 4]]);
        assert_eq!(shortest(&eight, 2, 2, |_| true).unwrap().len(), 3);
    }

    #[test]
    fn two_rings_joined_one_way_are_two() {
        let joined = graph(4, &[(0, 1), (1, 0), (1, 2), (2, 3), (3, 2)]);
        assert_eq!(cycles(&joined), [[0, 1], [2, 3]]);
    }

    #[test]
    fn a_component_comes_before_what_leads_to_it() {
        let line = graph(3, &[(0, 1), (1, 2)]);
        assert_eq!(components(&line).members, [[2], [1], [0]]);
    }

    #[test]
    fn a_hundred_thousand_nodes_need_no_stack() {
        const N: usize = 100_000;
        let mut ring: Adjacency = (0..N).map(|node| vec![node + 1]).collect();
        ring[N - 1] = Vec::new();
        assert!(cycles(&ring).is_empty(), "a chain");
        assert_eq!(components(&ring).members.len(), N);
        ring[N - 1].push(0);
        assert_eq!(cycles(&ring), [(0..N).collect::<Vec<_>>()]);
        assert_eq!(shortest(&ring, 5, 5, |_| true).unwrap().len(), N);
    }

    #[test]
    fn edges_that_lead_nowhere_do_no_harm() {
        let broken = graph(2, &[(0, 7), (0, 1), (1, 0)]);
        assert_eq!(cycles(&broken), [[0, 1]]);
        assert_eq!(reversed(&broken)[0], [1]);
    }

    #[test]
    fn ways_keep_within_what_they_may_use() {
        let graph = graph(4, &[(0, 1), (1, 3), (0, 2), (2, 3)]);
        assert_eq!(shortest(&graph, 0, 3, |node| node != 1).unwrap(), [0, 2, 3]);
        assert!(shortest(&graph, 0, 3, |_| false).is_none());
    }

    /// Against the definition: two nodes are in one component when each can reach the other.
    #[test]
    fn components_agree_with_reachability() {
        let mut seed = 7_u64;
        let mut random = move |below: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % below
        };
        for _ in 0..200 {
            let nodes = 1 + random(9);
            let edges: Vec<(usize, usize)> =
                (0..random(20)).map(|_| (random(nodes), random(nodes))).collect();
            let graph = graph(nodes, &edges);
            let found = components(&graph);
            let reaches = |a, b| a == b || shortest(&graph, a, b, |_| true).is_some();
            for a in 0..nodes {
                for b in 0..nodes {
                    assert_eq!(
                        found.of(a) == found.of(b),
                        reaches(a, b) && reaches(b, a),
                        "{edges:?}"
                    );
                }
            }
        }
    }
}
