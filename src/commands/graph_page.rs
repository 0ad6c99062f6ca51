//! What the page and the picture of `graph` are made of: the deadlocks and blockers in words, and a picture of each.

use std::cell::Cell as Counter;
use std::collections::{HashMap, HashSet};

use alpc::Kernel;
use alpc::report::stacks::modules;
use alpc::stack::Stacks;
use alpc::wait::chain::Step;
use alpc::wait::graph::GraphRecord;
use alpc::wait::hang::{Blocker, Deadlock, Hang};
use alpc::wait::root::RootKind;

use crate::commands::hang_screen;
use crate::text::graph::behind::{Stuck, Subject, Waits};
use crate::text::graph::card::{self, Card, Mark};
use crate::text::graph::html::{self, Front};
use crate::text::graph::links::Links;
use crate::text::graph::panel::{self, Captions, Proof, Told};
use crate::text::graph::scene::Scene;
use crate::text::graph::svg::{self, Around, Use};
use crate::text::graph::{Drawing, label_of};
use crate::text::{plainly, wait_lines};

/// Deadlocks and blockers that are told with what proves them.
const TOLD: usize = 40;

/// Steps of one chain that are told.
const STEPS: usize = 16;

/// Ports that are drawn with what their servers are stuck behind, and things that those of one port are.
const STUCK: usize = 3;

/// Threads of all pictures whose stacks are read.
const STACKS: usize = 512;

/// What stands in the place of a picture where there is none.
const NOTHING: &str = "Nothing to draw: neither a wait nor a connection was found.";

/// The verdict in words.
pub fn verdict(hang: &Hang) -> String {
    hang_screen::verdict(hang).into_plain()
}

/// The deadlocks and blockers that a graph has, the worst first, and how many more there are.
pub fn told(hang: &Hang, waits: &Waits<'_>) -> (Vec<Told>, usize) {
    let several = hang.deadlocks.len() > 1;
    let deadlocks = (1..).zip(&hang.deadlocks).map(|(number, ring)| {
        let name = if several {
            format!("Deadlock {number}.")
        } else {
            "Deadlock.".to_owned()
        };
        of_ring(ring, name, Mark::Deadlock)
    });
    let possible = hang.possible_deadlocks.iter();
    let possible =
        possible.map(|ring| of_ring(ring, "Possible deadlock.".to_owned(), Mark::PossibleDeadlock));
    let blockers = (1..).zip(&hang.blockers);
    let blockers = blockers.map(|(number, blocker)| of_blocker(number, blocker, &hang.blockers));
    let mut all: Vec<Told> = deadlocks
        .chain(possible)
        .chain(blockers)
        .filter(|told| told.subject.roots.iter().any(|&root| waits.has(root)))
        .collect();
    let left_out = all.len().saturating_sub(TOLD);
    all.truncate(TOLD);
    (all, left_out)
}

fn of_ring(ring: &Deadlock, name: String, mark: Mark) -> Told {
    let behind = match ring.behind.threads {
        0 => "nobody else waits for them".to_owned(),
        _ => format!("behind them: {}", wait_lines::behind(&ring.behind)),
    };
    let first = ring.ring.first();
    Told {
        subject: Subject {
            roots: ring.ring.iter().map(|step| step.id.number()).collect(),
            end: RootKind::Deadlock,
            mark,
            beyond: Vec::new(),
            ports: Vec::new(),
        },
        name,
        sentence: hang_screen::each_other(ring),
        behind,
        more: Vec::new(),
        steps: proofs(&ring.ring, ring.ring.first()),
        command: first.map_or_else(String::new, |step| format!("chain {}", step.node.address())),
    }
}

fn of_blocker(number: usize, blocker: &Blocker, all: &[Blocker]) -> Told {
    let doing = blocker.suspect.as_ref().and_then(hang_screen::doing);
    let servers = blocker.servers_behind.iter().map(|servers| {
        format!(
            "{} of its servers wait behind {} [inferred]",
            servers.servers, servers.blocker
        )
    });
    let first = blocker.chain.steps.first().map(|step| &step.node);
    Told {
        subject: Subject {
            roots: vec![blocker.id.number()],
            end: blocker.end,
            mark: Mark::of(blocker.end),
            beyond: beyond(blocker, all),
            ports: ports(blocker, all),
        },
        name: format!("{number}."),
        sentence: plainly::blocker(&blocker.node, blocker.end).into_plain(),
        behind: wait_lines::behind_blocker(blocker).into_plain(),
        more: doing
            .map(|doing| doing.into_plain().trim().to_owned())
            .into_iter()
            .chain(servers)
            .collect(),
        steps: proofs(&blocker.chain.steps, None),
        command: hang_screen::next_command(&blocker.node, first).unwrap_or_default(),
    }
}

/// What the servers of a port are stuck behind: blockers themselves.
fn beyond(blocker: &Blocker, all: &[Blocker]) -> Vec<Stuck> {
    let shown = blocker.servers_behind.iter().take(STUCK);
    let found = shown.filter_map(|servers| {
        let other = all.iter().find(|other| other.node.address() == servers.blocker)?;
        (other.id != blocker.id).then(|| stuck(other, servers.servers))
    });
    found.collect()
}

/// The ports that are blockers because all of their servers are stuck behind this one.
fn ports(blocker: &Blocker, all: &[Blocker]) -> Vec<Stuck> {
    let address = blocker.node.address();
    let found = all
        .iter()
        .filter_map(|other| match other.servers_behind.as_slice() {
            [only] if only.blocker == address && other.id != blocker.id => Some(stuck(other, only.servers)),
            _ => None,
        });
    found.take(STUCK).collect()
}

fn stuck(blocker: &Blocker, servers: usize) -> Stuck {
    Stuck {
        node: blocker.id.number(),
        end: blocker.end,
        servers,
    }
}

/// The steps of a chain with their evidence; `again` is where a ring leads back to.
fn proofs(steps: &[Step], again: Option<&Step>) -> Vec<Proof> {
    let next = steps.iter().skip(1).map(Some).chain([again]);
    let pairs = steps.iter().zip(next);
    let mut proofs: Vec<Proof> = pairs
        .filter_map(|(step, next)| {
            let (edge, next) = (step.next.as_ref()?, next?);
            Some(Proof {
                step: format!(
                    "{} {} {} [{}]",
                    label_of(&step.node),
                    card::leads(edge.edge),
                    label_of(&next.node),
                    edge.certainty.name()
                ),
                fields: edge
                    .evidence
                    .iter()
                    .map(|evidence| wait_lines::evidence(evidence).into_plain())
                    .collect(),
            })
        })
        .collect();
    if proofs.len() > STEPS {
        let more = proofs.len() - STEPS;
        proofs.truncate(STEPS);
        proofs.push(Proof {
            step: format!("... {more} more steps"),
            fields: Vec::new(),
        });
    }
    proofs
}

/// Looks at the pictures of some deadlocks and blockers, one after the other as long as `more` of them are asked for.
pub fn scenes(
    kernel: &Kernel<'_>,
    waits: &Waits<'_>,
    told: &[Told],
    mut more: impl FnMut(&Told, &Scene) -> bool,
) {
    let modules = modules(kernel).ok();
    let stacks = modules.as_ref().map(|modules| Stacks::new(kernel, modules));
    let left = Counter::new(STACKS);
    let sites = |thread: kdump::Gva| {
        left.set(left.get().checked_sub(1)?);
        let stack = stacks.as_ref()?.certain_of(thread).certain(1);
        stack.doing.map(|doing| doing.site)
    };
    for told in told {
        let scene = Scene::of(waits.sketch(&told.subject, &sites));
        if !more(told, &scene) {
            break;
        }
    }
}

/// The picture that the page opens on, with what is told of it: that of the first deadlock or blocker.
fn first(kernel: &Kernel<'_>, waits: &Waits<'_>, all: &[Told]) -> Option<(Told, Scene)> {
    let mut first = None;
    scenes(kernel, waits, all, |told, scene| {
        first = Some((told.clone(), scene.clone()));
        false
    });
    first
}

/// That picture as a file; where nothing waits, of the connections.
pub fn svg(kernel: &Kernel<'_>, graph: &GraphRecord<'_>, drawing: &Drawing, hang: &Hang) -> String {
    let waits = Waits::of(graph);
    let (all, left_out) = told(hang, &waits);
    let mut below = Vec::new();
    let scene = match first(kernel, &waits, &all) {
        Some((told, scene)) => {
            below.push(format!("{} {}", told.name, told.sentence));
            below.push(told.behind);
            below.extend(told.more);
            Some(scene)
        }
        None => Links::of(drawing).all().map(Scene::of),
    };
    let others = (all.len() + left_out).saturating_sub(1);
    if others > 0 {
        let others = wait_lines::plural(others, "more thing");
        below.push(format!(
            "The page of this graph has {others} that threads wait for."
        ));
    }
    if scene.is_none() {
        below.push(NOTHING.to_owned());
    }
    let around = Around {
        heading: verdict(hang),
        below,
    };
    svg::file(scene.as_ref(), &around)
}

/// That picture within another page, to be looked at; none where nothing waits.
pub fn inline(kernel: &Kernel<'_>, graph: &GraphRecord<'_>, hang: &Hang) -> Option<String> {
    let waits = Waits::of(graph);
    let (all, _) = told(hang, &waits);
    let (told, scene) = first(kernel, &waits, &all)?;
    let label = format!("{} {}", told.name, told.sentence);
    Some(svg::inline(&scene, &label, Use::Look) + &panel::legend())
}

/// What stands on the page before anything is chosen: the pictures, the blockers, and what proves them.
pub fn front(kernel: &Kernel<'_>, graph: &GraphRecord<'_>, drawing: &Drawing, hang: &Hang) -> Front {
    let waits = Waits::of(graph);
    let (all, left_out) = told(hang, &waits);
    let links = Links::of(drawing);
    let owners = processes(drawing);
    let everything = links.all().map(|sketch| {
        let caption = Captions {
            head: "Who is connected to whom",
            below: "Clients, the ports that they are connected to, and whose these are",
        };
        panel::picture("links", &caption, &Scene::of(sketch), None, all.is_empty())
    });
    let everything = everything.filter(|picture| picture.len() < html::PICTURES / 2);
    let mut pictures = String::new();
    let mut count = 0;
    scenes(kernel, &waits, &all, |told, scene| {
        let shown = scene.boxes.iter().flat_map(|drawn| keys(&drawn.card));
        let shown: HashSet<String> = shown.filter_map(|key| owners.get(key).cloned()).collect();
        let caption = Captions {
            head: &format!("{} {}", told.name, told.sentence),
            below: &told.behind,
        };
        let own = links.between(&shown).map(Scene::of);
        let picture = panel::picture(&count.to_string(), &caption, scene, own.as_ref(), count == 0);
        let taken = pictures.len() + picture.len() + everything.as_ref().map_or(0, String::len);
        if count > 0 && taken > html::PICTURES - panel::ROOM {
            return false;
        }
        pictures.push_str(&picture);
        count += 1;
        true
    });
    let has_links = everything.is_some();
    pictures.extend(everything);
    if pictures.is_empty() {
        pictures = panel::nothing(NOTHING);
    } else {
        pictures.push_str(&panel::legend());
    }
    Front {
        title: verdict(hang),
        pictures,
        panel: panel::list(&all, count, left_out, has_links),
    }
}

/// The keys of the nodes that a box stands for.
fn keys(card: &Card) -> impl Iterator<Item = &str> {
    std::iter::once(card.key.as_str()).chain(card.members.iter().map(String::as_str))
}

/// The processes that nodes are or belong to, by the keys of the nodes.
fn processes(drawing: &Drawing) -> HashMap<&str, String> {
    let dots = drawing.dots.iter().filter(|dot| !dot.process.is_empty());
    dots.map(|dot| (dot.key(), dot.process.clone())).collect()
}
