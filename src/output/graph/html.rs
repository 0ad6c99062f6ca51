//! One page that needs nothing else: no network, no second file.

use super::Drawing;

const PAGE: &str = include_str!("page.html");

/// The drawing as a page.
pub fn write(drawing: &Drawing, title: &str) -> Result<String, serde_json::Error> {
    let data = serde_json::to_string(drawing)?;
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
        let page = write(&Drawing::default(), "</script><script>alert(1)//*DATA*/null").unwrap();
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
        assert!(write(&drawing, "none").unwrap().len() < 2 << 20);
    }

    #[test]
    fn the_page_loads_nothing() {
        assert!(!PAGE.contains("http:") && !PAGE.contains("https:"));
        assert!(PAGE.contains("default-src 'none'"));
    }
}
