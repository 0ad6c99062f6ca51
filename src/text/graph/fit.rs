//! As much of a drawing as there is room for: what matters most is kept, and what is left out is counted.

use serde::Serialize;

use crate::text::graph::{Drawing, Line};

/// What a page has no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    pub nodes: usize,
    pub lines: usize,
    /// Lines whose evidence there is no room for.
    pub evidence: usize,
}

impl LeftOut {
    /// In words, for whoever may think that the page is all; nothing when it is.
    pub fn text(&self) -> Option<String> {
        let Self {
            nodes,
            lines,
            evidence,
        } = self;
        (*self != Self::default()).then(|| {
            format!(
                "the page has no room for {nodes} nodes, {lines} lines and the evidence of {evidence} more: \
                 --process draws a part, --format json has all"
            )
        })
    }
}

/// The drawing in at most `room` bytes of JSON as `cost` counts them, with the nodes taken in the order of
/// `importance` and their lines with them. A node that does not fit is left out alone. Evidence goes before any node
/// does, but that of deadlocks stays.
pub fn fit(
    drawing: Drawing,
    importance: &[usize],
    room: usize,
    dot_cost: impl Fn(&super::Point) -> usize,
    line_cost: impl Fn(&Line) -> usize,
) -> (Drawing, LeftOut) {
    let all = |drawing: &Drawing| {
        let dots = drawing.dots.iter().map(&dot_cost).sum::<usize>();
        dots.saturating_add(drawing.lines.iter().map(&line_cost).sum())
    };
    if all(&drawing) <= room {
        return (drawing, LeftOut::default());
    }
    let mut drawing = drawing;
    let evidence = drop_evidence(&mut drawing);
    let by_later = by_later_end(&drawing, importance);
    let mut kept = vec![false; drawing.dots.len()];
    let mut used = 0;
    for (rank, &dot) in importance.iter().enumerate() {
        let lines = by_later[rank].iter().map(|&line| &drawing.lines[line]);
        // The other end comes earlier, or is the dot itself.
        let drawn =
            lines.filter(|line| (line.from == dot || kept[line.from]) && (line.to == dot || kept[line.to]));
        let cost = dot_cost(&drawing.dots[dot]) + drawn.map(&line_cost).sum::<usize>();
        if used + cost <= room {
            used += cost;
            kept[dot] = true;
        }
    }
    let (nodes, lines) = (drawing.dots.len(), drawing.lines.len());
    let drawing = only(drawing, &kept);
    let left_out = LeftOut {
        nodes: nodes - drawing.dots.len(),
        lines: lines - drawing.lines.len(),
        evidence,
    };
    (drawing, left_out)
}

fn drop_evidence(drawing: &mut Drawing) -> usize {
    let mut dropped = 0;
    for line in &mut drawing.lines {
        if !line.deadlock && !line.evidence.is_empty() {
            line.evidence = Vec::new();
            dropped += 1;
        }
    }
    dropped
}

/// The lines by the rank of their less important end: with that node they can be drawn.
fn by_later_end(drawing: &Drawing, importance: &[usize]) -> Vec<Vec<usize>> {
    let mut ranks = vec![0; drawing.dots.len()];
    for (rank, &dot) in importance.iter().enumerate() {
        ranks[dot] = rank;
    }
    let mut lines = vec![Vec::new(); drawing.dots.len()];
    for (number, line) in drawing.lines.iter().enumerate() {
        lines[ranks[line.from].max(ranks[line.to])].push(number);
    }
    lines
}

/// The nodes that are kept, in the order that they had, with the lines among them.
fn only(drawing: Drawing, kept: &[bool]) -> Drawing {
    let mut numbers = vec![None; kept.len()];
    let mut dots = Vec::new();
    for (number, dot) in drawing.dots.into_iter().enumerate() {
        if kept[number] {
            numbers[number] = Some(dots.len());
            dots.push(dot);
        }
    }
    let lines = drawing.lines.into_iter().filter_map(|line| {
        let (from, to) = (numbers[line.from]?, numbers[line.to]?);
        Some(Line { from, to, ..line })
    });
    let lines = lines.collect();
    Drawing { dots, lines }
}
