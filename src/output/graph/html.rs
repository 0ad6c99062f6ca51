//! One page that needs nothing else: no network, no second file.

use serde::Serialize;

use super::Drawing;
use super::views::Views;

const PAGE: &str = include_str!("page.html");

/// Bytes that a page is to stay below, as mail and issue trackers take it.
const LARGEST: usize = 2 << 20;

/// Bytes of views that even a page which is larger than that has: those of deadlocks and blockers.
const VIEWS: usize = 256 << 10;

/// What the page is made of.
#[derive(Serialize)]
struct Data<'d> {
    #[serde(flatten)]
    drawing: &'d Drawing,
    views: &'d Views,
}

/// The bytes of views that a page of this drawing has room for.
pub fn room(drawing: &Drawing) -> Result<usize, serde_json::Error> {
    /// For what comes with the views: their numbers, and the title.
    const SPARE: usize = 16 << 10;
    /// A dot's number.
    const NUMBER: usize = 6;
    let without = in_script(&serde_json::to_string(drawing)?).len() + PAGE.len();
    let taken = without + SPARE + NUMBER * drawing.dots.len();
    Ok(LARGEST.saturating_sub(taken).max(VIEWS))
}

/// The drawing as a page.
pub fn write(drawing: &Drawing, views: &Views, title: &str) -> Result<String, serde_json::Error> {
    let data = serde_json::to_string(&Data { drawing, views })?;
    let title = serde_json::to_string(title)?;
    // Each place is filled once: what a name says is never taken for a place.
    let (head, rest) = PAGE.split_once("/*TITLE*/null").unwrap_or((PAGE, ""));
    let (middle, tail) = rest.split_once("/*DATA*/null").unwrap_or((rest, ""));
    let (title, data) = (in_script(&title), in_script(&data));
    Ok([head, &title, middle, &data, tail].concat())
}

/// JSON that a script element may hold: nothing in it can end the element or open a comment. The page shows
/// names as text only, never as markup.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::super::{Dot, Line, Shape, Stroke};
    use super::*;

    #[test]
    fn no_name_can_leave_the_script() {
        let page = write(
            &Drawing::default(),
            &Views::default(),
            "</script><script>alert(1)//*DATA*/null",
        )
        .unwrap();
        assert!(!page.contains("<script>alert"));
        assert_eq!(page.matches("</script>").count(), 1);
        assert_eq!(page.matches("\"dots\":").count(), 1);
    }

    #[test]
    fn five_thousand_ports_stay_under_two_mebibytes() {
        let mut drawing = Drawing::default();
        for number in 0..5_000 {
            drawing.dots.push(Dot {
                shape: Shape::Port,
                label: format!("LRPC-{number:016x}"),
                lines: vec![format!("port fffffa80{number:08x}")],
                process: "svchost.exe 03e4".to_owned(),
                state: "connection port".to_owned(),
                command: format!("port fffffa80{number:08x}"),
                deadlock: false,
                subject: None,
            });
            for stroke in [Stroke::Connection, Stroke::Owner] {
                drawing.lines.push(Line {
                    from: number,
                    to: number / 2,
                    stroke,
                    label: String::new(),
                    evidence: Vec::new(),
                    deadlock: false,
                });
            }
        }
        let order: Vec<usize> = (0..5_000).collect();
        let room = room(&drawing).unwrap();
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
        let views = Views::pack(5_000, &order, room, view).unwrap();
        let page = write(&drawing, &views, "none").unwrap();
        assert!(
            page.len() < LARGEST && page.len() > LARGEST - (256 << 10),
            "{}",
            page.len()
        );
    }

    #[test]
    fn the_page_loads_nothing() {
        assert!(!PAGE.contains("http:") && !PAGE.contains("https:"));
        assert!(PAGE.contains("default-src 'none'"));
    }
}
