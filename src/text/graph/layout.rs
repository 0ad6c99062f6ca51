//! Where the boxes of a picture stand and how its lines run.
//!
//! Boxes stand in columns, each to the left of whatever it waits for, so that a picture is read from the waiter to the
//! culprit. Lines run in the gaps between columns and below all boxes, never through one: a box has no line behind
//! it by construction. The same boxes and lines always give the same picture.

use std::collections::BTreeMap;

/// What a line leads from and to, by the numbers of boxes.
pub type Edge = (usize, usize);

/// Pixels between a picture's edge and its contents.
pub const MARGIN: usize = 12;
/// Pixels between boxes that stand one below the other.
const GAP: usize = 16;
/// Pixels between lines that run side by side.
const LANE: usize = 10;
/// Pixels between the lines of a gap and the boxes to the right: room for the tip of an arrow.
const TIP: usize = 16;
/// Pixels that a box which many wait for may stand below the first of these, so that both are seen at once.
const DOWN: usize = 150;

/// Where boxes stand, before it is known how large they are.
#[derive(Clone, Debug)]
pub struct Columns {
    /// The column of each box, from the left.
    pub of: Vec<usize>,
    /// How many there are.
    pub count: usize,
    /// The box to the right that each box stands beside.
    beside: Vec<Option<usize>>,
    /// The lines that lead to the next column; all others run below the boxes.
    direct: Vec<bool>,
    /// Whether a line comes from below to the first column.
    pub enters_first: bool,
    /// Whether a line leaves the last column.
    pub leaves_last: bool,
}

impl Columns {
    /// The columns of so many boxes: each box is left of all that its lines lead to. Lines that lead back are found by
    /// going along the lines from the first box on.
    pub fn of(boxes: usize, edges: &[Edge]) -> Self {
        let back = leading_back(boxes, edges);
        let ranks = ranks(boxes, edges, &back);
        let count = ranks.iter().max().map_or(0, |most| most + 1);
        let of: Vec<usize> = ranks.iter().map(|rank| count - 1 - rank).collect();
        let mut beside = vec![None; boxes];
        let direct: Vec<bool> = edges.iter().map(|&(from, to)| of[from] + 1 == of[to]).collect();
        for (&(from, to), _) in edges.iter().zip(&direct).filter(|(_, direct)| **direct) {
            beside[from].get_or_insert(to);
        }
        let below = || edges.iter().zip(&direct).filter(|(_, direct)| !**direct);
        Self {
            enters_first: below().any(|(&(_, to), _)| of[to] == 0),
            leaves_last: below().any(|(&(from, _), _)| of[from] + 1 == count),
            of,
            count,
            beside,
            direct,
        }
    }
}

/// The lines that close a ring.
fn leading_back(boxes: usize, edges: &[Edge]) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        OnTheWay,
        Done,
    }
    let next = by_start(boxes, edges);
    let mut back = vec![false; edges.len()];
    let mut seen = vec![Seen::No; boxes];
    for first in 0..boxes {
        if seen[first] != Seen::No {
            continue;
        }
        seen[first] = Seen::OnTheWay;
        let mut way = vec![(first, 0)];
        while let Some((at, tried)) = way.pop() {
            let Some(&edge) = next[at].get(tried) else {
                seen[at] = Seen::Done;
                continue;
            };
            way.push((at, tried + 1));
            let to = edges[edge].1;
            match seen[to] {
                Seen::OnTheWay => back[edge] = true,
                Seen::Done => {}
                Seen::No => {
                    seen[to] = Seen::OnTheWay;
                    way.push((to, 0));
                }
            }
        }
    }
    back
}

/// The lines that begin at each box.
fn by_start(boxes: usize, edges: &[Edge]) -> Vec<Vec<usize>> {
    let mut next = vec![Vec::new(); boxes];
    for (number, &(from, _)) in edges.iter().enumerate() {
        next[from].push(number);
    }
    next
}

/// How many steps each box is from an end, by its longest way.
fn ranks(boxes: usize, edges: &[Edge], back: &[bool]) -> Vec<usize> {
    let mut incoming = vec![Vec::new(); boxes];
    let mut open = vec![0_usize; boxes];
    for (&(from, to), _) in edges.iter().zip(back).filter(|(_, back)| !**back) {
        incoming[to].push(from);
        open[from] += 1;
    }
    let mut ranks = vec![0; boxes];
    let mut done: Vec<usize> = (0..boxes).filter(|&at| open[at] == 0).collect();
    while let Some(at) = done.pop() {
        for &from in &incoming[at] {
            ranks[from] = ranks[from].max(ranks[at] + 1);
            open[from] -= 1;
            if open[from] == 0 {
                done.push(from);
            }
        }
    }
    ranks
}

/// A rectangle, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its left edge.
    pub x: usize,
    /// Its upper edge.
    pub y: usize,
    /// Its width.
    pub width: usize,
    /// Its height.
    pub height: usize,
}

/// How a line runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its corners, the first at the box that it leads from, the last at the one that it leads to.
    pub corners: Vec<(usize, usize)>,
}

/// A picture's boxes and lines, in pixels.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Where each box stands.
    pub places: Vec<Place>,
    /// How each line runs.
    pub routes: Vec<Route>,
    /// The width of all.
    pub width: usize,
    /// The height of all.
    pub height: usize,
}

/// How large the parts of a picture are, in pixels.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// The width of every box.
    pub width: usize,
    /// The height of each box.
    pub heights: Vec<usize>,
    /// The room for what is written at lines, to the right of a box.
    pub label: usize,
}

/// Lays a picture out.
pub fn lay_out(columns: &Columns, edges: &[Edge], sizes: &Sizes) -> Layout {
    let (tops, bottom) = tops(columns, &sizes.heights);
    let ends = ends(edges, &tops, &sizes.heights);
    let (channels, bottom) = channels(columns, edges, bottom);
    let gaps = Gaps::of(columns, edges, &ends, &channels);
    let lefts = gaps.lefts(columns, sizes);
    let places: Vec<Place> = (0..tops.len())
        .map(|at| Place {
            x: lefts[columns.of[at]],
            y: tops[at],
            width: sizes.width,
            height: sizes.heights[at],
        })
        .collect();
    let route = |edge: usize| {
        let (from, to) = edges[edge];
        let start = (places[from].x + sizes.width, ends[edge].0);
        let end = (places[to].x, ends[edge].1);
        let lane = |gap: usize, segment: Segment| gaps.lane(gap, segment, &lefts, sizes);
        let between = match channels[edge] {
            None if start.1 == end.1 => Vec::new(),
            None => {
                let x = lane(columns.of[to], Segment::To(to));
                vec![(x, start.1), (x, end.1)]
            }
            Some(channel) => {
                let out = lane(columns.of[from] + 1, Segment::Out(edge));
                let back = lane(columns.of[to], Segment::In(edge));
                vec![(out, start.1), (out, channel), (back, channel), (back, end.1)]
            }
        };
        Route {
            corners: [&[start], &between[..], &[end]].concat(),
        }
    };
    let routes = (0..edges.len()).map(route).collect();
    let right = lefts.last().map_or(0, |left| left + sizes.width);
    let tail = match columns.leaves_last {
        true => gaps.width(columns.count, sizes),
        false => 0,
    };
    Layout {
        places,
        routes,
        width: right + tail + MARGIN,
        height: bottom + MARGIN,
    }
}

/// The upper edge of each box, and the lowest edge of all. What stands beside a box has a strip of the picture for
/// itself, so that boxes of one column never meet.
fn tops(columns: &Columns, heights: &[usize]) -> (Vec<usize>, usize) {
    let boxes = heights.len();
    let mut beside = vec![Vec::new(); boxes];
    let mut ends = Vec::new();
    for at in 0..boxes {
        match columns.beside[at] {
            Some(right) => beside[right].push(at),
            None => ends.push(at),
        }
    }
    let mut order: Vec<usize> = (0..boxes).collect();
    // From the left, so that a strip is known before the one that it is in.
    order.sort_by_key(|&at| columns.of[at]);
    let mut own = vec![0; boxes];
    let mut strips = heights.to_vec();
    for &at in &order {
        own[at] = stacked(&beside[at], &strips);
        strips[at] = heights[at].max(own[at]);
    }
    let mut tops = vec![0; boxes];
    let mut from = vec![0; boxes];
    let mut bottom = MARGIN;
    for &end in &ends {
        from[end] = bottom;
        bottom += strips[end] + GAP;
    }
    for &at in order.iter().rev() {
        tops[at] = from[at] + (own[at].saturating_sub(heights[at]) / 2).min(DOWN);
        let mut next = from[at] + heights[at].saturating_sub(own[at]) / 2;
        for &left in &beside[at] {
            from[left] = next;
            next += strips[left] + GAP;
        }
    }
    (tops, bottom.saturating_sub(GAP).max(MARGIN))
}

fn stacked(boxes: &[usize], strips: &[usize]) -> usize {
    let gaps = boxes.len().saturating_sub(1) * GAP;
    boxes.iter().map(|&at| strips[at]).sum::<usize>() + gaps
}

/// The heights at which each line leaves a box and enters another.
fn ends(edges: &[Edge], tops: &[usize], heights: &[usize]) -> Vec<(usize, usize)> {
    let mut leaving = vec![0_usize; tops.len()];
    for &(from, _) in edges {
        leaving[from] += 1;
    }
    let mut left = vec![0_usize; tops.len()];
    edges
        .iter()
        .map(|&(from, to)| {
            left[from] += 1;
            let start = tops[from] + heights[from] * left[from] / (leaving[from] + 1);
            (start, tops[to] + heights[to] / 2)
        })
        .collect()
}

/// The heights of the lines below all boxes, and the lowest of all.
fn channels(columns: &Columns, edges: &[Edge], bottom: usize) -> (Vec<Option<usize>>, usize) {
    let mut lowest = bottom;
    let channels = (0..edges.len())
        .map(|edge| {
            if columns.direct[edge] {
                return None;
            }
            lowest += LANE * 2;
            Some(lowest)
        })
        .collect();
    (channels, lowest)
}

/// A line from above to below in a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    /// What all direct lines to a box share.
    To(usize),
    /// The beginning of a line that runs below the boxes.
    Out(usize),
    /// The end of one.
    In(usize),
}

/// The gaps between columns, the first to the left of all, with the lanes that lines run in.
struct Gaps {
    lanes: Vec<BTreeMap<Segment, usize>>,
    counts: Vec<usize>,
}

impl Gaps {
    fn of(columns: &Columns, edges: &[Edge], ends: &[(usize, usize)], channels: &[Option<usize>]) -> Self {
        let mut spans: Vec<BTreeMap<Segment, (usize, usize)>> = vec![BTreeMap::new(); columns.count + 1];
        let mut add = |gap: usize, segment: Segment, one: usize, other: usize| {
            let span = spans[gap].entry(segment).or_insert((usize::MAX, 0));
            *span = (span.0.min(one).min(other), span.1.max(one).max(other));
        };
        for (edge, &(from, to)) in edges.iter().enumerate() {
            let (start, end) = ends[edge];
            match channels[edge] {
                None => add(columns.of[to], Segment::To(to), start, end),
                Some(channel) => {
                    add(columns.of[from] + 1, Segment::Out(edge), start, channel);
                    add(columns.of[to], Segment::In(edge), end, channel);
                }
            }
        }
        let taken: Vec<(BTreeMap<Segment, usize>, usize)> = spans.iter().map(taken).collect();
        let (lanes, counts) = taken.into_iter().unzip();
        Self { lanes, counts }
    }

    /// The pixels of a gap: labels of the boxes to its left, lanes, and tips at the boxes to its right.
    fn width(&self, gap: usize, sizes: &Sizes) -> usize {
        let last = gap + 1 == self.counts.len();
        let label = if gap == 0 { 0 } else { sizes.label };
        let tip = if last { 0 } else { TIP };
        label + self.counts[gap] * LANE + tip
    }

    /// The left edge of each column.
    fn lefts(&self, columns: &Columns, sizes: &Sizes) -> Vec<usize> {
        let mut x = MARGIN;
        (0..columns.count)
            .map(|column| {
                if column > 0 || columns.enters_first {
                    x += self.width(column, sizes);
                }
                let left = x;
                x += sizes.width;
                left
            })
            .collect()
    }

    /// Where a segment runs.
    fn lane(&self, gap: usize, segment: Segment, lefts: &[usize], sizes: &Sizes) -> usize {
        let lane = self.lanes[gap].get(&segment).copied().unwrap_or(0);
        let begin = match gap.checked_sub(1) {
            Some(column) => lefts[column] + sizes.width + sizes.label,
            None => MARGIN,
        };
        begin + lane * LANE
    }
}

/// Lanes for segments, so that none lies upon another.
fn taken(spans: &BTreeMap<Segment, (usize, usize)>) -> (BTreeMap<Segment, usize>, usize) {
    let mut order: Vec<_> = spans.iter().collect();
    order.sort_by_key(|(segment, span)| (**span, **segment));
    let mut ends: Vec<usize> = Vec::new();
    let mut lanes = BTreeMap::new();
    for (segment, (start, end)) in order {
        let free = ends.iter().position(|used| used + LANE < *start);
        let lane = free.unwrap_or(ends.len());
        if lane == ends.len() {
            ends.push(0);
        }
        ends[lane] = *end;
        lanes.insert(*segment, lane);
    }
    (lanes, ends.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn laid_out(heights: &[usize], edges: &[Edge]) -> (Columns, Layout) {
        let columns = Columns::of(heights.len(), edges);
        let sizes = Sizes {
            width: 200,
            heights: heights.to_vec(),
            label: 80,
        };
        let layout = lay_out(&columns, edges, &sizes);
        (columns, layout)
    }

    /// Whether a straight line has a point inside a rectangle.
    fn crosses(place: &Place, from: (usize, usize), to: (usize, usize)) -> bool {
        let over = |from: usize, to: usize, start: usize, length: usize| {
            from.max(to) > start && from.min(to) < start + length
        };
        over(from.0, to.0, place.x, place.width) && over(from.1, to.1, place.y, place.height)
    }

    fn check(heights: &[usize], edges: &[Edge]) {
        let (_, layout) = laid_out(heights, edges);
        for (number, place) in layout.places.iter().enumerate() {
            assert!(place.x + place.width <= layout.width && place.y + place.height <= layout.height);
            for other in &layout.places[..number] {
                let apart = place.x != other.x
                    || place.y >= other.y + other.height
                    || other.y >= place.y + place.height;
                assert!(apart, "{place:?} {other:?}");
            }
            for route in &layout.routes {
                for pair in route.corners.windows(2) {
                    assert!(pair[0].0 == pair[1].0 || pair[0].1 == pair[1].1, "{route:?}");
                    assert!(
                        pair[0].0 <= layout.width && pair[0].1 <= layout.height,
                        "{route:?}"
                    );
                    assert!(!crosses(place, pair[0], pair[1]), "{place:?} {route:?}");
                }
            }
        }
        for (route, &(from, to)) in layout.routes.iter().zip(edges) {
            let (first, last) = (route.corners[0], route.corners[route.corners.len() - 1]);
            let (from, to) = (layout.places[from], layout.places[to]);
            assert_eq!((first.0, last.0), (from.x + from.width, to.x));
            assert!(first.1 > from.y && first.1 < from.y + from.height);
            assert!(last.1 > to.y && last.1 < to.y + to.height);
        }
    }

    #[test]
    fn a_chain_is_read_from_left_to_right() {
        let (columns, layout) = laid_out(&[40, 40, 40], &[(2, 1), (1, 0)]);
        assert_eq!(columns.of, [2, 1, 0]);
        assert!(
            layout.routes.iter().all(|route| route.corners.len() == 2),
            "straight"
        );
        assert_eq!(layout.places[0].y, layout.places[2].y);
    }

    #[test]
    fn a_ring_comes_back_below_its_boxes() {
        let (columns, layout) = laid_out(&[40, 40, 40], &[(0, 1), (1, 2), (2, 0)]);
        assert_eq!(columns.of, [0, 1, 2]);
        assert!(columns.enters_first && columns.leaves_last);
        let lowest = layout.routes[2].corners.iter().map(|corner| corner.1).max();
        assert!(lowest > layout.places.iter().map(|place| place.y + place.height).max());
    }

    /// What thirty wait for stands near the first of them.
    #[test]
    fn a_culprit_stands_where_its_first_waiters_are() {
        let edges: Vec<Edge> = (1..=30).map(|from| (from, 0)).collect();
        let (_, layout) = laid_out(&[70; 31], &edges);
        assert_eq!(layout.places[0].y, MARGIN + DOWN);
        assert_eq!(layout.places[1].y, MARGIN);
        check(&[70; 31], &edges);
    }

    #[test]
    fn a_box_that_waits_for_itself_has_a_line_around_it() {
        check(&[50], &[(0, 0)]);
    }

    proptest! {
        /// Whatever waits for whatever: no line runs through a box and no box stands on another.
        #[test]
        fn no_line_runs_through_a_box(
            heights in prop::collection::vec(24_usize..120, 1..24),
            ends in prop::collection::vec((0_usize..24, 0_usize..24), 0..40),
        ) {
            let boxes = heights.len();
            let edges: Vec<Edge> = ends.iter().map(|(from, to)| (from % boxes, to % boxes)).collect();
            let mut heights = heights;
            for &(from, _) in &edges {
                heights[from] += 2;
            }
            check(&heights, &edges);
        }
    }
}
