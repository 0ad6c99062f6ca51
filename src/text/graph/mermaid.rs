//! Mermaid flowcharts, as issue trackers draw them.

use std::fmt::Write;

use crate::text::graph::{Drawing, Shape, Stroke};

/// The drawing in the language of Mermaid, with a node that says why it may not be whole.
pub fn write(drawing: &Drawing, caption: Option<&str>) -> String {
    let mut text = String::from("flowchart LR\n");
    if let Some(caption) = caption {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  note[/\"{}\"/]", escape(caption));
    }
    for (number, dot) in drawing.dots.iter().enumerate() {
        let (open, close) = match dot.shape {
            Shape::Process => ("[[", "]]"),
            Shape::Port => ("([", "])"),
            Shape::Thread => ("[", "]"),
            Shape::Message => (">", "]"),
            Shape::Object => ("{{", "}}"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  n{number}{open}\"{}\"{close}", escape(&dot.label));
    }
    for line in &drawing.lines {
        let arrow = match line.stroke {
            Stroke::Connection | Stroke::Owner => "-.->",
            Stroke::Wait if line.deadlock => "==>",
            Stroke::Wait => "-->",
        };
        let label = match line.label.as_str() {
            "" => String::new(),
            label => format!("|\"{}\"|", escape(label)),
        };
        let _ = writeln!(text, "  n{} {arrow}{label} n{}", line.from, line.to);
    }
    let dead: Vec<String> = (0..drawing.dots.len())
        .filter(|&number| drawing.dots[number].deadlock)
        .map(|number| format!("n{number}"))
        .collect();
    if !dead.is_empty() {
        let _ = writeln!(text, "  classDef deadlock stroke:#c00,stroke-width:3px");
        let _ = writeln!(text, "  class {} deadlock", dead.join(","));
    }
    text
}

/// Whatever is not plain becomes a numbered entity, in Mermaid's own spelling.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut safe, c| {
        // `#35;` is Mermaid's way, by the decimal number ("Entity codes to escape characters" in its docs): a
        // quote would end the label, and a label may hold HTML such as `<br/>`.
        if c.is_alphanumeric() || " ._-,()".contains(c) {
            safe.push(c);
        } else {
            let _ = write!(safe, "#{};", u32::from(c));
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_quotes() {
        assert_eq!(escape("a\"] --> b<script>"), "a#34;#93; --#62; b#60;script#62;");
        assert_eq!(escape("svchost.exe 03e4"), "svchost.exe 03e4");
    }
}
