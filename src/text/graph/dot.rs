//! Graphviz.

use std::fmt::Write;

use crate::text::graph::{Drawing, Shape, Stroke};

/// The drawing in the language of Graphviz, with a line below it that says why it may not be whole.
pub fn write(drawing: &Drawing, caption: Option<&str>) -> String {
    let mut text = String::from("digraph alpc {\n  rankdir=LR;\n  node [fontname=\"monospace\"];\n");
    if let Some(caption) = caption {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  graph [label={}];", quote(caption));
    }
    for (number, dot) in drawing.dots.iter().enumerate() {
        let shape = match dot.shape {
            Shape::Process => "box3d",
            Shape::Port => "house",
            Shape::Thread => "box",
            Shape::Message => "note",
            Shape::Object => "diamond",
        };
        let bold = if dot.deadlock { " penwidth=3 color=red" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  n{number} [shape={shape}{bold} label={}];",
            quote(&dot.label)
        );
    }
    for line in &drawing.lines {
        let style = match line.stroke {
            Stroke::Connection => "dotted",
            Stroke::Owner => "dashed",
            Stroke::Wait => "solid",
        };
        let bold = if line.deadlock {
            " penwidth=3 color=red"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "  n{} -> n{} [style={style}{bold} label={}];",
            line.from,
            line.to,
            quote(&line.label)
        );
    }
    text + "}\n"
}

/// A quoted string. Back-slashes begin escapes there, and names have their own already.
fn quote(text: &str) -> String {
    // Graphviz reads escapes in labels (its "escString"): of `\RPC Control\ntsvcs` the `\n` would be a line
    // break, and `\N` the name of the node.
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_quotes() {
        assert_eq!(quote(r#"a"]; b -> c [x="\"#), r#""a\"]; b -> c [x=\"\\""#);
    }
}
