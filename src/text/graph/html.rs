//! One page that needs nothing else: no network, no second file.

use serde::Serialize;

use crate::text::graph::fit::{self, LeftOut};
use crate::text::graph::views::Views;
use crate::text::graph::{Drawing, Line, Point};

const PAGE: &str = include_str!("page.html");

/// Bytes that a page stays below, as mail and issue trackers take it.
const LARGEST: usize = 2 << 20;

/// Bytes that are kept free for views: those of deadlocks and blockers.
const VIEWS: usize = 256 << 10;

/// Bytes for what comes with the views, and for what is said of what is left out.
const SPARE: usize = 16 << 10;

/// Bytes of a node's number among the views.
const NUMBER: usize = 6;

/// Bytes of a title. It names what is stuck, and names have any length.
const TITLE: usize = 4 << 10;

/// What the page is made of.
#[derive(Serialize)]
struct Data<'d> {
    #[serde(flatten)]
    drawing: &'d Drawing,
    left_out: LeftOut,
    views: &'d Views,
}

/// As much of the drawing as a page has room for, beside its views; the nodes in the order of `importance`.
pub fn fit(drawing: Drawing, importance: &[usize]) -> (Drawing, LeftOut) {
    let room = LARGEST - VIEWS - SPARE - TITLE - PAGE.len();
    fit::fit(drawing, importance, room, dot_cost, line_cost)
}

/// The bytes of views that a page of this drawing has room for.
pub fn room(drawing: &Drawing) -> usize {
    let dots = drawing.dots.iter().map(dot_cost).sum::<usize>();
    let lines = drawing.lines.iter().map(line_cost).sum::<usize>();
    LARGEST.saturating_sub(SPARE + TITLE + PAGE.len() + dots + lines)
}

fn dot_cost(dot: &Point) -> usize {
    cost(dot) + NUMBER
}

fn line_cost(line: &Line) -> usize {
    // Its ends may get other numbers, and those are smaller.
    cost(line)
}

/// The bytes in the page, with the comma behind.
fn cost(part: &impl Serialize) -> usize {
    serde_json::to_string(part).map_or(0, |json| in_script(&json).len() + 1)
}

/// The drawing as a page.
pub fn write(
    drawing: &Drawing,
    left_out: LeftOut,
    views: &Views,
    title: &str,
) -> Result<String, serde_json::Error> {
    let data = serde_json::to_string(&Data {
        drawing,
        left_out,
        views,
    })?;
    let title = serde_json::to_string(cut(title))?;
    // Each place is filled once: what a name says is never taken for a place.
    let (head, rest) = PAGE.split_once("/*TITLE*/null").unwrap_or((PAGE, ""));
    let (middle, tail) = rest.split_once("/*DATA*/null").unwrap_or((rest, ""));
    let (title, data) = (in_script(&title), in_script(&data));
    Ok([head, &title, middle, &data, tail].concat())
}

/// The beginning of a title: of it, no character takes more than the six bytes of an escape.
fn cut(title: &str) -> &str {
    let ends = title.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|&end| end <= TITLE / 6).last();
    &title[..end.unwrap_or(0)]
}

/// JSON that a script element may hold: nothing in it can end the element or open a comment. The page shows
/// names as text only, never as markup.
fn in_script(json: &str) -> String {
    // `</script` ends a script wherever it stands, also in a text of it, and behind `<!--` and `<script` it
    // does not (HTML standard, "script data double escaped state"): a port may have either in its name. U+2028
    // and U+2029 ended a line of JavaScript, also within quotes, before ECMAScript 2019.
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::super::{Shape, Stroke};
    use super::*;

    #[test]
    fn no_name_can_leave_the_script() {
        let page = write(
            &Drawing::default(),
            LeftOut::default(),
            &Views::default(),
            "</script><script>alert(1)//*DATA*/null",
        )
        .unwrap();
        assert!(!page.contains("<script>alert"));
        assert_eq!(page.matches("</script>").count(), 1);
        assert_eq!(page.matches("\"dots\":").count(), 1);
    }

    /// So many ports, each with a connection and an owner; names of so many characters.
    fn drawing(ports: usize, name: usize, evidence: usize) -> Drawing {
        let mut drawing = Drawing::default();
        for number in 0..ports {
            drawing.dots.push(Point {
                shape: Shape::Port,
                label: format!("LRPC-{number:0name$x}"),
                lines: vec![format!("port fffffa80{number:08x}")],
                process: "svchost.exe 03e4".to_owned(),
                state: "connection port".to_owned(),
                command: format!("port fffffa80{number:08x}"),
                deadlock: number % 1_000 == 7,
                subject: None,
            });
            for stroke in [Stroke::Connection, Stroke::Owner] {
                drawing.lines.push(Line {
                    from: number,
                    to: number / 2,
                    stroke,
                    label: String::new(),
                    evidence: vec!["e".repeat(evidence); usize::from(evidence > 0)],
                    deadlock: false,
                });
            }
        }
        drawing
    }

    fn page(drawing: Drawing, importance: &[usize], title: &str) -> (String, Drawing, LeftOut) {
        let (drawing, left_out) = fit(drawing, importance);
        let order: Vec<usize> = (0..drawing.dots.len()).collect();
        // Of the length of a port's view, and with nothing in it that could be packed.
        let mut seed = 7_u64;
        let view = |_| {
            let mut line = String::new();
            while line.len() < 1_500 {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                line.push_str(&format!("{seed:016x}"));
            }
            line
        };
        let views = Views::pack(drawing.dots.len(), &order, room(&drawing), view).unwrap();
        let page = write(&drawing, left_out, &views, title).unwrap();
        (page, drawing, left_out)
    }

    #[test]
    fn five_thousand_ports_stay_under_two_mebibytes() {
        let all: Vec<usize> = (0..5_000).collect();
        let (page, _, left_out) = page(drawing(5_000, 16, 0), &all, "none");
        assert_eq!(left_out, LeftOut::default());
        assert!(
            page.len() < LARGEST && page.len() > LARGEST - (256 << 10),
            "{}",
            page.len()
        );
    }

    #[test]
    fn so_do_any_number_of_them_whatever_they_are_called() {
        for (ports, name, evidence) in [
            (50_000, 16, 0),
            (9_000, 16, 200),
            (300, 60_000, 0),
            (3_000, 900, 90),
        ] {
            let drawing = drawing(ports, name, evidence);
            let mut importance: Vec<usize> = (0..ports).rev().collect();
            importance.sort_by_key(|&number| !drawing.dots[number].deadlock);
            let lines = drawing.lines.len();
            let title = "</".repeat(1 << 20);
            let (page, drawn, left_out) = page(drawing, &importance, &title);
            assert!(
                page.len() < LARGEST && page.len() > LARGEST / 2,
                "{ports}: {}",
                page.len()
            );
            assert_eq!(
                (
                    drawn.dots.len() + left_out.nodes,
                    drawn.lines.len() + left_out.lines
                ),
                (ports, lines)
            );
            assert_eq!(left_out.evidence, if evidence > 0 { lines } else { 0 });
            // The most important nodes are there, with the lines among them.
            let dead = drawn.dots.iter().filter(|dot| dot.deadlock).count();
            assert_eq!(dead, ports.div_ceil(1_000));
            assert!(
                drawn
                    .lines
                    .iter()
                    .all(|line| line.from.max(line.to) < drawn.dots.len())
            );
            let last = format!("port fffffa80{:08x}", ports - 1);
            assert!(drawn.dots.iter().any(|dot| dot.command == last));
            let told = format!("\"left_out\":{{\"nodes\":{}", left_out.nodes);
            assert!(page.contains(&told), "{told}");
        }
    }

    #[test]
    fn the_page_loads_nothing() {
        assert!(!PAGE.contains("http:") && !PAGE.contains("https:"));
        assert!(PAGE.contains("default-src 'none'"));
    }
}
