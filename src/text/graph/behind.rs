//! Who waits behind a culprit, as far as a picture has room: messages become lines, and many that are alike one box.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use alpc::wait::edge::{Certainty, Edge, EdgeKind};
use alpc::wait::graph::{GraphRecord, NodeRecord};
use alpc::wait::node::{MessageNode, Node};
use alpc::wait::root::RootKind;
use kdump::{Gva, TimeSpan};

use crate::text::graph::card::{self, Beside, Mark, Sketch, Wire};
use crate::text::graph::{key_of, label_of};
use crate::text::wait_lines;

/// Boxes of a picture; what has no room stands in one box for each that it waits for.
const BOXES: usize = 60;

/// How many that are alike stand in a box of their own each.
const ALIKE: usize = 3;

/// Steps from a culprit to the farthest waiter that has a box, and from a ring: with more columns a page is too narrow.
const DEPTHS: (usize, usize) = (3, 1);

/// Steps of a ring that have a box each: more columns have no room, and of a longer ring all others share one.
const STEPS: usize = 4;

/// Members of a box that a click lists.
const LISTED: usize = 100;

/// What a picture is of.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The nodes that chains end at, or the steps of a ring.
    pub roots: Vec<usize>,
    /// Why they end there.
    pub end: RootKind,
    /// How the roots stand out.
    pub mark: Mark,
    /// What the servers of a port are stuck behind: they do not take its messages for that.
    pub beyond: Vec<Stuck>,
    /// The ports whose servers are all stuck behind the root: who waits there is stuck as well.
    pub ports: Vec<Stuck>,
}

/// A port or what its servers are stuck behind, seen from the other of the two.
#[derive(Clone, Debug)]
pub struct Stuck {
    /// The node.
    pub node: usize,
    /// Why chains end there.
    pub end: RootKind,
    /// How many servers.
    pub servers: usize,
}

impl Subject {
    /// Whether its nodes wait for each other.
    fn is_ring(&self) -> bool {
        matches!(self.mark, Mark::Deadlock | Mark::PossibleDeadlock)
    }

    /// The steps of a ring.
    fn steps(&self) -> HashSet<(usize, usize)> {
        let next = self.roots.iter().skip(1).chain(self.roots.first());
        let steps = self.roots.iter().copied().zip(next.copied());
        steps.filter(|_| self.is_ring()).collect()
    }
}

/// The function that a thread is in, by its address.
pub type Sites<'s> = dyn Fn(Gva) -> Option<String> + 's;

/// The graph of waits, as pictures look at it.
pub struct Waits<'g> {
    nodes: HashMap<usize, &'g NodeRecord<'g>>,
    /// The nodes that wait for each node and cannot go on before it does.
    waiting: HashMap<usize, Vec<usize>>,
}

/// Whether the waiter cannot go on before what the edge leads to does.
fn binds(edge: &Edge) -> bool {
    edge.edge.is_wait() && !edge.any
}

/// A step from a box to another, through the message or lock between them if there is one.
struct Hop<'g> {
    to: usize,
    /// What the waiter waits for.
    waits: EdgeKind,
    /// How what is between them leads on; the same where nothing is.
    leads: EdgeKind,
    certainty: Certainty,
    between: Option<&'g Node>,
}

impl<'g> Hop<'g> {
    fn message(&self) -> Option<&'g MessageNode> {
        match self.between {
            Some(Node::Message(message)) => Some(message),
            _ => None,
        }
    }
}

impl<'g> Waits<'g> {
    /// Looks at a graph.
    pub fn of(graph: &'g GraphRecord<'g>) -> Self {
        let nodes: HashMap<usize, &NodeRecord<'_>> = graph
            .nodes
            .iter()
            .map(|record| (record.id.number(), record))
            .collect();
        let mut waiting: HashMap<usize, Vec<usize>> = HashMap::new();
        for record in &graph.nodes {
            for edge in record.edges.iter().filter(|edge| binds(edge)) {
                let behind = waiting.entry(edge.to.number()).or_default();
                if behind.last() != Some(&record.id.number()) {
                    behind.push(record.id.number());
                }
            }
        }
        Self { nodes, waiting }
    }

    /// Whether it has a node: one that a process has nothing to do with is left out of that process's graph.
    pub fn has(&self, node: usize) -> bool {
        self.nodes.contains_key(&node)
    }

    fn node(&self, id: usize) -> Option<&'g Node> {
        self.nodes.get(&id).map(|record| record.node)
    }

    /// What a line stands for: a message or lock that a single thread waits for and that leads to one thing.
    fn as_line(&self, id: usize) -> Option<(&'g Node, &'g Edge)> {
        let record = self.nodes.get(&id)?;
        if !matches!(record.node, Node::Message(_) | Node::Mutant(_) | Node::Lock(_)) {
            return None;
        }
        let mut waits = record.edges.iter().filter(|edge| edge.edge.is_wait());
        let only = waits
            .next()
            .filter(|edge| binds(edge) && self.has(edge.to.number()))?;
        let waiters = self.waiting.get(&id).map_or(0, Vec::len);
        (waits.next().is_none() && waiters == 1 && only.to.number() != id).then_some((record.node, only))
    }

    /// What a node waits for and cannot go on before.
    fn hops(&self, id: usize) -> Vec<Hop<'g>> {
        self.hops_by(id, binds)
    }

    /// The steps from a node by the edges that are asked for.
    fn hops_by(&self, id: usize, wanted: impl Fn(&Edge) -> bool) -> Vec<Hop<'g>> {
        let edges = self.nodes.get(&id).map_or(&[][..], |record| record.edges);
        let hop = |edge: &'g Edge| match self.as_line(edge.to.number()) {
            Some((between, next)) => Hop {
                to: next.to.number(),
                waits: edge.edge,
                leads: next.edge,
                certainty: edge.certainty.max(next.certainty),
                between: Some(between),
            },
            None => Hop {
                to: edge.to.number(),
                waits: edge.edge,
                leads: edge.edge,
                certainty: edge.certainty,
                between: None,
            },
        };
        edges.iter().filter(|edge| wanted(edge)).map(hop).collect()
    }

    /// The nodes that wait for a node, past what is a line; who waits longest first.
    fn behind(&self, id: usize) -> Vec<usize> {
        let direct = self.waiting.get(&id).map_or(&[][..], Vec::as_slice);
        let past = direct.iter().flat_map(|&from| match self.as_line(from) {
            Some(_) => self.waiting.get(&from).cloned().unwrap_or_default(),
            None => vec![from],
        });
        let mut found: Vec<usize> = past.collect();
        found.sort_by_key(|&from| (std::cmp::Reverse(self.waited(from)), from));
        found.dedup();
        found
    }

    /// How long a thread has waited.
    fn waited(&self, id: usize) -> Option<u64> {
        self.node(id)?.thread()?.waited()
    }

    /// What makes waiters alike: their image, and what they wait for.
    fn kind(&self, id: usize) -> Option<(String, String)> {
        let thread = self.node(id)?.thread()?;
        let mut hops = self.hops(id);
        let hop = hops.pop().filter(|_| hops.is_empty())?;
        let call = hop
            .message()
            .and_then(MessageNode::call)
            .filter(|call| call.asks());
        let what = match (call, hop.message()) {
            (Some(call), _) => crate::text::call_lines::asked(call).into_plain(),
            (None, Some(message)) => wait_lines::port_of(message).into_plain(),
            (None, None) => card::leads(hop.waits).to_owned(),
        };
        let what = format!("{what} {}", hop.certainty.name());
        Some((wait_lines::image(&thread.process).into_plain(), what))
    }

    /// The picture of whoever waits behind some roots.
    pub fn sketch(&self, subject: &Subject, sites: &Sites<'_>) -> Sketch {
        let mut drawn = Drawn {
            waits: self,
            subject,
            sites,
            sketch: Sketch::default(),
            boxes: HashMap::new(),
            depths: HashMap::new(),
            waiting: VecDeque::new(),
            seen: HashSet::new(),
            steps: subject.steps(),
        };
        drawn.roots();
        drawn.beyond();
        drawn.crowds();
        drawn.lines();
        drawn.sketch
    }
}

/// A picture while it grows.
struct Drawn<'d, 'g> {
    waits: &'d Waits<'g>,
    subject: &'d Subject,
    sites: &'d Sites<'d>,
    sketch: Sketch,
    /// The box of each node that has one for itself.
    boxes: HashMap<usize, usize>,
    /// How many steps each of these is from the roots.
    depths: HashMap<usize, usize>,
    /// The nodes with a box, those whose waiters have none yet.
    waiting: VecDeque<usize>,
    /// All nodes that are in the picture, alone or among others.
    seen: HashSet<usize>,
    /// The steps of the ring.
    steps: HashSet<(usize, usize)>,
}

impl Drawn<'_, '_> {
    fn roots(&mut self) {
        let roots = self
            .subject
            .roots
            .iter()
            .copied()
            .filter(|&root| self.waits.has(root));
        let (lines, boxes): (Vec<usize>, Vec<usize>) =
            roots.partition(|&root| self.subject.roots.len() > 1 && self.waits.as_line(root).is_some());
        // Messages between the threads of a ring are lines of it.
        self.seen.extend(lines);
        let alone = if boxes.len() > STEPS {
            STEPS - 1
        } else {
            boxes.len()
        };
        let (shown, folded) = boxes.split_at(alone);
        for &root in shown {
            if self.seen.insert(root) {
                self.add(root, 0);
            }
        }
        self.fold_steps(folded);
    }

    /// The steps of a ring that have no box each, between the last one that has and the first.
    fn fold_steps(&mut self, steps: &[usize]) {
        let Some(last) = self
            .sketch
            .cards
            .len()
            .checked_sub(1)
            .filter(|_| !steps.is_empty())
        else {
            return;
        };
        self.seen.extend(steps);
        let mut card = card::of_many(steps.len(), "steps of the ring", &[]);
        let keys = steps.iter().take(LISTED).filter_map(|&id| self.waits.node(id));
        card.members = keys.map(key_of).collect();
        card.mark = Some(self.subject.mark);
        self.sketch.cards.push(card);
        // Each step of a deadlock is proven; of a possible one some step is not, and any of these may be it.
        let certainty = match self.subject.mark {
            Mark::Deadlock => Certainty::Proven,
            _ => Certainty::Inferred,
        };
        for (from, to) in [(last, last + 1), (last + 1, 0)] {
            self.sketch.wires.push(Wire {
                from,
                to,
                duration: String::new(),
                certainty: Some(certainty),
                deadlock: true,
                key: String::new(),
                words: "the ring goes on".to_owned(),
            });
        }
    }

    /// What the servers of a port are stuck behind, to the right of it.
    fn beyond(&mut self) {
        for beyond in &self.subject.beyond {
            let Some(node) = self
                .waits
                .node(beyond.node)
                .filter(|_| self.seen.insert(beyond.node))
            else {
                continue;
            };
            let beside = Beside {
                end: Some(beyond.end),
                ..Beside::default()
            };
            let site = node
                .thread()
                .and_then(|thread| (self.sites)(thread.address.gva()));
            let mut card = card::of_node(node, beside, site);
            card.kind = "what its servers wait behind";
            self.stuck(0, self.sketch.cards.len(), beyond.servers);
            self.sketch.cards.push(card);
        }
    }

    /// The ports whose servers are stuck behind the root, as waiters of it.
    fn ports(&mut self) {
        for port in &self.subject.ports {
            if self.sketch.cards.len() < BOXES && self.waits.has(port.node) && self.seen.insert(port.node) {
                self.stuck(self.sketch.cards.len(), 0, port.servers);
                self.add(port.node, 1);
            }
        }
    }

    /// The line from a port to what its servers are stuck behind. No field says so: who is idle elsewhere might come.
    fn stuck(&mut self, from: usize, to: usize, servers: usize) {
        self.sketch.wires.push(Wire {
            from,
            to,
            duration: wait_lines::plural(servers, "server"),
            certainty: Some(Certainty::Inferred),
            deadlock: false,
            key: String::new(),
            words: format!("{servers} servers of the port wait behind it"),
        });
    }

    /// What a node waits for: what it cannot go on before, and in a ring that needs one of several the next step of it.
    fn hops(&self, id: usize) -> Vec<Hop<'_>> {
        self.waits.hops_by(id, |edge| {
            binds(edge) || self.steps.contains(&(id, edge.to.number()))
        })
    }

    /// A box for a node alone.
    fn add(&mut self, id: usize, depth: usize) {
        let Some(node) = self.waits.node(id) else {
            return;
        };
        let is_root = self.subject.roots.contains(&id);
        let is_end = is_root && !self.subject.is_ring();
        let hops = self.hops(id);
        let first = hops.first().filter(|_| !is_end);
        let site = node
            .thread()
            .and_then(|thread| (self.sites)(thread.address.gva()));
        let beside = Beside {
            end: is_end.then_some(self.subject.end),
            edge: first.map(|hop| hop.waits),
            between: first.and_then(|hop| hop.between),
        };
        let mut card = card::of_node(node, beside, site);
        card.mark = is_root.then_some(self.subject.mark);
        self.boxes.insert(id, self.sketch.cards.len());
        self.depths.insert(id, depth);
        self.sketch.cards.push(card);
        self.waiting.push_back(id);
    }

    /// Whoever waits for what has a box: the nearest first, until there are boxes enough.
    fn crowds(&mut self) {
        let deepest = match self.subject.is_ring() {
            true => DEPTHS.1,
            false => DEPTHS.0 - usize::from(!self.subject.beyond.is_empty()),
        };
        while let Some(target) = self.waiting.pop_front() {
            let depth = self.depths.get(&target).copied().unwrap_or(0);
            if depth >= deepest {
                self.note_farther(target);
                continue;
            }
            let behind: Vec<usize> = self
                .waits
                .behind(target)
                .into_iter()
                .filter(|id| !self.seen.contains(id))
                .collect();
            let mut rest = Vec::new();
            for crowd in self.alike(&behind) {
                let (shown, folded) = crowd.split_at(if crowd.len() > ALIKE + 1 { 1 } else { crowd.len() });
                for &id in shown {
                    if self.sketch.cards.len() < BOXES {
                        self.seen.insert(id);
                        self.add(id, depth + 1);
                    } else {
                        rest.push(id);
                    }
                }
                if self.sketch.cards.len() < BOXES {
                    self.fold(target, folded, "like it");
                } else {
                    rest.extend(folded);
                }
            }
            self.fold(target, &rest, "that wait for it");
            if depth == 0 {
                self.ports();
            }
        }
    }

    /// Who waits behind a box that has no room to its left.
    fn note_farther(&mut self, target: usize) {
        let Some(count) = self.farther(&[target]) else {
            return;
        };
        let card = self
            .boxes
            .get(&target)
            .and_then(|&at| self.sketch.cards.get_mut(at));
        if let Some(card) = card {
            card.lines
                .push(format!("behind it {}", wait_lines::plural(count, "more waiter")));
        }
    }

    /// Waiters in groups that are alike, in the order of the first of each. Who has others behind stands alone.
    fn alike(&self, ids: &[usize]) -> Vec<Vec<usize>> {
        let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for &id in ids {
            let kind = self.waits.kind(id).filter(|_| self.waits.behind(id).is_empty());
            match kind.as_ref().and_then(|kind| places.get(kind)) {
                Some(&place) => groups[place].push(id),
                None => {
                    if let Some(kind) = kind {
                        places.insert(kind, groups.len());
                    }
                    groups.push(vec![id]);
                }
            }
        }
        groups
    }

    /// One box for several waiters, with all that are behind them.
    fn fold(&mut self, target: usize, ids: &[usize], what: &str) {
        let Some(&to) = self.boxes.get(&target).filter(|_| !ids.is_empty()) else {
            return;
        };
        self.seen.extend(ids);
        let spans: Vec<TimeSpan> = ids
            .iter()
            .filter_map(|&id| self.waits.waited(id))
            .map(TimeSpan)
            .collect();
        let mut card = card::of_many(ids.len(), what, &spans);
        let keys = ids.iter().take(LISTED).filter_map(|&id| self.waits.node(id));
        card.members = keys.map(key_of).collect();
        let farther = self.farther(ids);
        card.lines
            .extend(farther.map(|count| format!("behind them {}", wait_lines::plural(count, "more waiter"))));
        let certainty = ids
            .iter()
            .flat_map(|&id| self.waits.hops(id))
            .map(|hop| hop.certainty);
        let from = self.sketch.cards.len();
        self.sketch.wires.push(Wire {
            from,
            to,
            duration: ids
                .first()
                .and_then(|&id| self.waits.node(id))
                .map_or_else(String::new, card::waited),
            certainty: certainty.max(),
            deadlock: false,
            key: String::new(),
            words: format!("{} more wait for it", ids.len()),
        });
        self.sketch.cards.push(card);
    }

    /// How many wait behind some waiters, and have no box yet.
    fn farther(&mut self, ids: &[usize]) -> Option<usize> {
        let mut waiting: Vec<usize> = ids.to_vec();
        let mut count = 0_usize;
        while let Some(id) = waiting.pop() {
            for behind in self.waits.behind(id) {
                if self.seen.insert(behind) {
                    count += 1;
                    waiting.push(behind);
                }
            }
        }
        (count > 0).then_some(count)
    }

    /// The lines between the boxes of single nodes.
    fn lines(&mut self) {
        let ring = self.subject.is_ring();
        let roots: HashSet<usize> = self.subject.roots.iter().copied().collect();
        let mut boxes: Vec<(usize, usize)> = self.boxes.iter().map(|(&id, &at)| (at, id)).collect();
        boxes.sort_unstable();
        let mut wires = Vec::new();
        for (from, id) in boxes {
            let Some(node) = self.waits.node(id) else { continue };
            for hop in self.hops(id) {
                let Some(&to) = self.boxes.get(&hop.to) else {
                    continue;
                };
                wires.push(Wire {
                    from,
                    to,
                    duration: card::waited(node),
                    certainty: Some(hop.certainty),
                    deadlock: ring && roots.contains(&id) && roots.contains(&hop.to),
                    words: self.words(from, to, &hop),
                    key: hop.between.map(key_of).unwrap_or_default(),
                });
            }
        }
        wires.append(&mut self.sketch.wires);
        self.sketch.wires = wires;
    }

    fn words(&self, from: usize, to: usize, hop: &Hop<'_>) -> String {
        let title = |at: usize| self.sketch.cards.get(at).map_or("?", |card| card.title.as_str());
        let what = match hop.between {
            Some(between) => format!(
                "{} {} that {}",
                card::leads(hop.waits),
                label_of(between),
                card::leads(hop.leads)
            ),
            None => card::leads(hop.leads).to_owned(),
        };
        format!("{} {what} {}", title(from), title(to))
    }
}
