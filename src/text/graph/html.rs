//! One page that needs nothing else: no network, no second file.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::text::graph::fit::{self, LeftOut};
use crate::text::graph::svg::{self, escaped};
use crate::text::graph::views::{self, Views};
use crate::text::graph::{Drawing, Line, Point};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Bytes that a page stays below, as mail and issue trackers take it.
const LARGEST: usize = 2 << 20;

/// Bytes that are kept free for views: those of deadlocks and blockers.
const VIEWS: usize = 256 << 10;

/// Bytes of pictures and of what is told of them. Beyond that there are fewer of them.
pub const PICTURES: usize = 384 << 10;

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

/// What stands on the page before anything is chosen, as markup.
#[derive(Clone, Debug, Default)]
pub struct Front {
    /// The verdict; text.
    pub title: String,
    /// The pictures with their captions.
    pub pictures: String,
    /// What stands beside them.
    pub panel: String,
}

impl Front {
    /// The bytes that it takes.
    pub fn len(&self) -> usize {
        self.pictures.len() + self.panel.len()
    }
}

/// The bytes of a page without pictures, data and views.
fn frame() -> usize {
    // The title stands twice, and no sign of it takes more than the six bytes of an escape.
    SPARE + 2 * TITLE + PAGE.len() + STYLE.len() + svg::STYLE.len() + SCRIPT.len()
}

/// As much of the drawing as a page has room for, beside its pictures and views; the nodes in the order of
/// `importance`.
pub fn fit(drawing: Drawing, importance: &[usize], front: &Front) -> (Drawing, LeftOut) {
    let room = (LARGEST - VIEWS).saturating_sub(frame() + front.len());
    fit::fit(drawing, importance, room, dot_cost, line_cost)
}

/// The bytes of views that a page of this drawing has room for.
pub fn room(drawing: &Drawing, front: &Front) -> usize {
    let dots = drawing.dots.iter().map(dot_cost).sum::<usize>();
    let lines = drawing.lines.iter().map(line_cost).sum::<usize>();
    LARGEST.saturating_sub(frame() + front.len() + dots + lines)
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
    front: &Front,
) -> Result<String, serde_json::Error> {
    let data = serde_json::to_string(&Data {
        drawing,
        left_out,
        views,
    })?;
    let style = with_plain_ends(&[STYLE, svg::STYLE].concat());
    let script = with_plain_ends(SCRIPT);
    let parts = BTreeMap::from([
        ("TITLE", escaped(cut(&front.title))),
        ("STYLEHASH", hash(&style)),
        ("SCRIPTHASH", hash(&script)),
        ("STYLE", style),
        ("SCRIPT", script),
        ("PICTURES", front.pictures.clone()),
        ("PANEL", front.panel.clone()),
        ("DATA", in_script(&data)),
    ]);
    Ok(filled(PAGE, &parts))
}

/// The page with its places filled, each once: what a name says is never taken for a place.
fn filled(page: &str, parts: &BTreeMap<&str, String>) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some((before, behind)) = rest.split_once("/*") {
        out.push_str(before);
        let (name, behind) = behind.split_once("*/").unwrap_or(("", behind));
        out.push_str(parts.get(name).map_or("", String::as_str));
        rest = behind;
    }
    out + rest
}

/// What a Content-Security-Policy names a style or a script by.
pub fn hash(text: &str) -> String {
    views::base64(&Sha256::digest(text.as_bytes()))
}

/// A text as a browser reads it: its hash is of lines that end with a line feed alone (HTML standard, "preprocessing the
/// input stream").
pub fn with_plain_ends(text: &str) -> String {
    text.replace("\r\n", "\n")
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
            &Front {
                title: "</script><script>alert(1)//*DATA*/null".to_owned(),
                ..Front::default()
            },
        )
        .unwrap();
        assert!(!page.contains("<script>alert"));
        assert_eq!(page.matches("</script>").count(), 2);
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
        // As large as pictures may be.
        let front = Front {
            title: title.to_owned(),
            pictures: "p".repeat(PICTURES),
            panel: String::new(),
        };
        let (drawing, left_out) = fit(drawing, importance, &front);
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
        let views = Views::pack(drawing.dots.len(), &order, room(&drawing, &front), view).unwrap();
        let page = write(&drawing, left_out, &views, &front).unwrap();
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
        for part in [PAGE, STYLE, SCRIPT, svg::STYLE] {
            assert!(!part.contains("http:") && !part.contains("https:") && !part.contains("url("));
        }
        assert!(PAGE.contains("default-src 'none'") && !PAGE.contains("unsafe"));
    }

    /// The hash of nothing, as FIPS 180-4's examples have it, in the letters of RFC 4648.
    #[test]
    fn styles_and_scripts_are_named_by_their_hashes() {
        assert_eq!(hash(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
