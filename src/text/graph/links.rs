//! Who is connected to whom, as a picture: clients to the left of the port that they are connected to, its owner to the
//! right. A process stands at each port of its own, so that no line crosses another.

use std::collections::{BTreeMap, HashSet};

use crate::text::graph::card::{Card, Sketch, Wire};
use crate::text::graph::{Drawing, Point, Shape, Stroke};
use crate::text::wait_lines;

/// Ports of one picture.
const PORTS: usize = 24;

/// Clients that have a box each.
const CLIENTS: usize = 3;

/// Members of a box that a click lists.
const LISTED: usize = 100;

/// Connections by their ports, by the numbers of a drawing's dots.
pub struct Links<'d> {
    drawing: &'d Drawing,
    /// The clients of each port, with how often each is connected.
    clients: BTreeMap<usize, Vec<(usize, &'d str)>>,
    /// The owner of each port.
    owners: BTreeMap<usize, usize>,
}

impl<'d> Links<'d> {
    /// The connections of a drawing.
    pub fn of(drawing: &'d Drawing) -> Self {
        let mut clients: BTreeMap<usize, Vec<(usize, &str)>> = BTreeMap::new();
        let mut owners = BTreeMap::new();
        for line in &drawing.lines {
            match line.stroke {
                Stroke::Connection => clients.entry(line.to).or_default().push((line.from, &line.label)),
                Stroke::Owner if drawing.dots[line.from].shape == Shape::Port => {
                    owners.entry(line.from).or_insert(line.to);
                }
                _ => {}
            }
        }
        Self {
            drawing,
            clients,
            owners,
        }
    }

    /// The picture of all connections, those with most clients first; none where there are none.
    pub fn all(&self) -> Option<Sketch> {
        self.sketch(|_| true)
    }

    /// The picture of the connections between the processes of a picture.
    pub fn between(&self, processes: &HashSet<String>) -> Option<Sketch> {
        self.sketch(|dot| processes.contains(&dot.label))
    }

    fn sketch(&self, is_shown: impl Fn(&Point) -> bool) -> Option<Sketch> {
        let dot = |number: usize| self.drawing.dots.get(number);
        let shown = |number: usize| dot(number).is_some_and(&is_shown);
        let mut ports: Vec<(usize, Vec<(usize, &str)>)> = Vec::new();
        for (&port, clients) in &self.clients {
            let owned = self.owners.get(&port).is_none_or(|&owner| shown(owner));
            let clients: Vec<_> = clients
                .iter()
                .copied()
                .filter(|&(client, _)| shown(client))
                .collect();
            if owned && !clients.is_empty() {
                ports.push((port, clients));
            }
        }
        // The busiest first, and of these the first of the drawing.
        ports.sort_by_key(|(port, clients)| (std::cmp::Reverse(clients.len()), *port));
        let left_out = ports.len().saturating_sub(PORTS);
        ports.truncate(PORTS);
        (!ports.is_empty()).then(|| self.drawn(&ports, left_out))
    }

    fn drawn(&self, ports: &[(usize, Vec<(usize, &str)>)], left_out: usize) -> Sketch {
        let mut sketch = Sketch::default();
        let mut owners: BTreeMap<usize, usize> = BTreeMap::new();
        for (port, clients) in ports {
            let owner = self.owners.get(port).map(|&owner| {
                *owners
                    .entry(owner)
                    .or_insert_with(|| add(&mut sketch, self.card(owner)))
            });
            let at = add(&mut sketch, self.card(*port));
            if let Some(owner) = owner {
                join(&mut sketch, at, owner, "is owned by");
            }
            let alone = if clients.len() > CLIENTS + 1 {
                CLIENTS
            } else {
                clients.len()
            };
            for &(client, times) in &clients[..alone] {
                let mut card = self.card(client);
                card.lines = (!times.is_empty())
                    .then(|| format!("connected {times}"))
                    .into_iter()
                    .collect();
                let client = add(&mut sketch, card);
                join(&mut sketch, client, at, "is connected to");
            }
            if alone < clients.len() {
                let rest = &clients[alone..];
                let keys = rest
                    .iter()
                    .take(LISTED)
                    .filter_map(|&(client, _)| self.drawing.dots.get(client));
                let card = Card {
                    kind: "group",
                    shape: Shape::Process,
                    title: format!("and {}", wait_lines::plural(rest.len(), "more client")),
                    members: keys.map(|dot| dot.key().to_owned()).collect(),
                    count: rest.len(),
                    ..Card::default()
                };
                let others = add(&mut sketch, card);
                join(&mut sketch, others, at, "are connected to");
            }
        }
        if left_out > 0 {
            sketch.cards.push(Card {
                kind: "group",
                shape: Shape::Port,
                title: format!("and {}", wait_lines::plural(left_out, "more port")),
                lines: vec!["search finds them by name".to_owned()],
                ..Card::default()
            });
        }
        sketch
    }

    fn card(&self, number: usize) -> Card {
        let Some(dot) = self.drawing.dots.get(number) else {
            return Card::default();
        };
        Card {
            key: dot.key().to_owned(),
            shape: dot.shape,
            title: dot.label.clone(),
            count: 1,
            ..Card::default()
        }
    }
}

fn add(sketch: &mut Sketch, card: Card) -> usize {
    sketch.cards.push(card);
    sketch.cards.len() - 1
}

fn join(sketch: &mut Sketch, from: usize, to: usize, words: &str) {
    let title = |at: usize| sketch.cards.get(at).map_or("?", |card| card.title.as_str());
    let words = format!("{} {words} {}", title(from), title(to));
    sketch.wires.push(Wire {
        from,
        to,
        duration: String::new(),
        certainty: None,
        deadlock: false,
        key: String::new(),
        words,
    });
}
