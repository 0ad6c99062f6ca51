//! Pictures as SVG: within a page, where boxes can be chosen, and as files of their own for wikis and mails.

use std::fmt::Write;

use alpc::wait::edge::Certainty;

use crate::text::graph::Shape;
use crate::text::graph::card::Mark;
use crate::text::graph::layout::Place;
use crate::text::graph::measure::Font;
use crate::text::graph::scene::{AREA, Drawn, Row, SMALL, Scene, TEXT, Way};

/// How a picture looks, in the light and in the dark.
pub const STYLE: &str = include_str!("picture.css");

/// The letters of the headings of a file.
const HEADING: Font = Font { size: 16, bold: true };

/// Pixels that the corners of a line are rounded by, and those that a culprit's box is cut by.
const ROUND: usize = 6;
const CUT: usize = 12;

/// Lines that the heading of a file and what is below it may take.
const LINES: usize = 4;

/// Text that means nothing to HTML, XML and their attributes.
pub fn escaped(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                // XML 1.0 has no signs below a blank but these, and neither U+FFFE nor U+FFFF.
                '\t' | '\n' => out.push(c),
                c if u32::from(c) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
                c => out.push(c),
            }
            out
        })
}

/// Signs of what is told of a box or a line beside its text: names have any length.
const TOLD: usize = 300;

/// The beginning of a text, with dots where there is more.
pub fn beginning(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a picture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// To be chosen from, on a page with a script.
    Choose,
    /// To be looked at.
    Look,
}

/// A picture for a page; its style is the page's.
pub fn inline(scene: &Scene, label: &str, usage: Use) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<svg class=\"picture\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"{}\" aria-label=\"{}\">",
        if usage == Use::Choose { "group" } else { "img" },
        escaped(&beginning(label, TOLD)),
        w = scene.width,
        h = scene.height
    );
    contents(&mut out, scene, usage);
    out.push_str("</svg>\n");
    out
}

/// What a file of its own says around its picture.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// The verdict.
    pub heading: String,
    /// What the picture is of, and what it leaves out.
    pub below: Vec<String>,
}

/// A picture as a file: with its heading, what its lines mean, and its style. Without a picture it is the heading alone.
pub fn file(scene: Option<&Scene>, around: &Around) -> String {
    let width = scene.map_or(0, |scene| scene.width).max(AREA);
    let (head, top) = heading(around, width - 2 * Scene::margin());
    let mut body = String::new();
    let mut height = top;
    if let Some(scene) = scene {
        contents(&mut body, &scene.lowered(top), Use::Look);
        let below = top + scene.height + 10;
        body.push_str(&legend(below));
        height = below + 24;
    }
    format!(
        "<svg class=\"picture\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n<rect class=\"ground\" \
         x=\"0\" y=\"0\" width=\"{width}\" height=\"{height}\"/>\n{head}{body}</svg>\n",
        escaped(&beginning(&around.heading, TOLD))
    )
}

/// What stands above the picture of a file, in lines of so many pixels, and the height below it.
fn heading(around: &Around, room: usize) -> (String, usize) {
    let mut head = String::new();
    let mut y = Scene::margin();
    let below = around.below.iter().map(|line| (TEXT, "line", line));
    for (font, class, text) in std::iter::once((HEADING, "heading", &around.heading)).chain(below) {
        for line in font.lines(text, room, LINES) {
            y += font.size + 5;
            text_at(&mut head, class, Scene::margin(), y, &line);
        }
    }
    (head + "\n", y + Scene::margin())
}

/// What lines mean, as a row of samples.
fn legend(y: usize) -> String {
    let mut out = String::new();
    let mut x = Scene::margin();
    for (class, words) in LEGEND {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<path class=\"wire {class}\" d=\"M{x} {}H{}\"/>",
            y - 4,
            x + 34
        );
        text_at(&mut out, "kind", x + 40, y, words);
        x += 40 + SMALL.width(words) + 22;
    }
    out
}

/// The classes of lines, with what they mean.
pub const LEGEND: [(&str, &str); 4] = [
    ("proven", "waits for: proven by the dump"),
    ("inferred", "inferred, not proven"),
    ("unknown", "cannot be told"),
    ("proven deadlock", "wait for each other"),
];

fn contents(out: &mut String, scene: &Scene, usage: Use) {
    for way in &scene.ways {
        line(out, way, usage);
    }
    for drawn in &scene.boxes {
        box_of(out, drawn, usage);
    }
}

fn class_of(way: &Way) -> String {
    let sure = match way.wire.certainty {
        Some(Certainty::Proven) => "proven",
        Some(Certainty::Inferred) => "inferred",
        Some(Certainty::Unknown) => "unknown",
        None => "link",
    };
    let dead = if way.wire.deadlock { " deadlock" } else { "" };
    format!("wire {sure}{dead}")
}

fn line(out: &mut String, way: &Way, usage: Use) {
    let class = class_of(way);
    let key = if usage == Use::Choose && !way.wire.key.is_empty() {
        format!(" data-key=\"{}\"", escaped(&way.wire.key))
    } else {
        String::new()
    };
    let ends = if usage == Use::Choose {
        format!(" data-from=\"{}\" data-to=\"{}\"", way.wire.from, way.wire.to)
    } else {
        String::new()
    };
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<g class=\"way\"{key}{ends}><title>{}</title><path class=\"{class}\" d=\"{}\"/>{}",
        escaped(&beginning(&told(way), TOLD)),
        path(&way.corners),
        tip(&way.corners, &class)
    );
    for words in &way.words {
        text_at(out, "kind", words.x, words.y, &words.text);
    }
    out.push_str("</g>\n");
}

/// A line in a sentence.
fn told(way: &Way) -> String {
    let mut told = way.wire.words.clone();
    if !way.wire.duration.is_empty() {
        told = format!("{told}, {}", way.wire.duration);
    }
    match way.wire.certainty {
        Some(certainty) => format!("{told}, {}", certainty.name()),
        None => told,
    }
}

/// A line along its corners, which are rounded where there is room.
fn path(corners: &[(usize, usize)]) -> String {
    let mut path = String::new();
    for (number, &(x, y)) in corners.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|before| corners.get(before));
        let _ = match (before, corners.get(number + 1)) {
            (None, _) => write!(path, "M{x} {y}"),
            (Some(_), None) => write!(path, "L{x} {y}"),
            (Some(&before), Some(&after)) => {
                let (from, to) = (toward((x, y), before), toward((x, y), after));
                write!(path, "L{} {}Q{x} {y} {} {}", from.0, from.1, to.0, to.1)
            }
        };
    }
    path
}

/// The point a little way from a corner to another one: at most half of it, for that one is rounded as well.
fn toward(at: (usize, usize), other: (usize, usize)) -> (usize, usize) {
    let step = |at: usize, other: usize| {
        let by = (at.abs_diff(other) / 2).min(ROUND);
        if other > at {
            at + by
        } else {
            at.saturating_sub(by)
        }
    };
    (step(at.0, other.0), step(at.1, other.1))
}

/// The tip of an arrow, as a shape of its own: not every program that shows SVG knows markers.
fn tip(corners: &[(usize, usize)], class: &str) -> String {
    let Some(&(x, y)) = corners.last() else {
        return String::new();
    };
    let left = x.saturating_sub(9);
    let class = class.replacen("wire", "tip", 1);
    format!(
        "<path class=\"{class}\" d=\"M{left} {}L{x} {y}L{left} {}Z\"/>",
        y.saturating_sub(4),
        y + 4
    )
}

fn box_of(out: &mut String, drawn: &Drawn, usage: Use) {
    let card = &drawn.card;
    let mark = match card.mark {
        Some(Mark::Culprit) => " culprit",
        Some(Mark::Unreadable) => " unreadable",
        Some(Mark::Deadlock | Mark::PossibleDeadlock) => " dead",
        None => "",
    };
    let group = if card.members.is_empty() { "" } else { " group" };
    let told = beginning(&told_of(drawn), TOLD);
    let attributes = if usage == Use::Choose {
        let members = if card.members.is_empty() {
            String::new()
        } else {
            format!(
                " data-members=\"{}\" data-count=\"{}\"",
                escaped(&card.members.join("\n")).replace('\n', "&#10;"),
                card.count
            )
        };
        format!(
            " data-key=\"{}\"{members} tabindex=\"0\" role=\"button\" aria-label=\"{}\"",
            escaped(&card.key),
            escaped(&told)
        )
    } else {
        String::new()
    };
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<g class=\"box {}{mark}{group}\"{attributes}><title>{}</title>{}",
        card.shape.name(),
        escaped(&told),
        frame(drawn)
    );
    for words in &drawn.words {
        let class = match words.row {
            Row::Mark => "mark",
            Row::Kind => "kind",
            Row::Title => "title",
            Row::Line => "line",
        };
        text_at(out, class, words.x, words.y, &words.text);
    }
    out.push_str("</g>\n");
}

/// A box in a sentence.
fn told_of(drawn: &Drawn) -> String {
    let card = &drawn.card;
    let mark = card.mark.map(|mark| format!("{}: ", mark.word()));
    let mut told = format!("{}{}", mark.unwrap_or_default(), card.title);
    for line in &card.lines {
        told.push_str("; ");
        told.push_str(line);
    }
    told
}

/// The edge of a box, and its strip. Its kind is told by its corners, that it stands out by being cut to eight.
fn frame(drawn: &Drawn) -> String {
    let place = &drawn.place;
    let Place { x, y, width, height } = *place;
    let (right, bottom) = (x + width, y + height);
    if drawn.card.mark.is_some() {
        let strip = y + drawn.strip;
        return format!(
            "<path class=\"frame\" d=\"M{} {y}H{}L{right} {}V{}L{} {bottom}H{}L{x} {}V{}Z\"/><path class=\"strip\" \
             d=\"M{} {y}H{}L{right} {}V{strip}H{x}V{}Z\"/>",
            x + CUT,
            right - CUT,
            y + CUT,
            bottom - CUT,
            right - CUT,
            x + CUT,
            bottom - CUT,
            y + CUT,
            x + CUT,
            right - CUT,
            y + CUT,
            y + CUT
        );
    }
    let round = match drawn.card.shape {
        Shape::Port => 14,
        Shape::Message => 9,
        Shape::Thread => 4,
        Shape::Process | Shape::Object => 0,
    };
    let behind = if drawn.card.members.is_empty() {
        String::new()
    } else {
        format!(
            "<rect class=\"frame\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"{round}\"/>",
            x + 4,
            width - 4,
            height - 4
        )
    };
    let (y, width, height) = match behind.is_empty() {
        true => (y, width, height),
        false => (y + 4, width - 4, height - 4),
    };
    format!(
        "{behind}<rect class=\"frame\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{round}\"/>"
    )
}

fn text_at(out: &mut String, class: &str, x: usize, y: usize, text: &str) {
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>",
        escaped(text)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_nothing_to_the_format() {
        assert_eq!(
            escaped("</text><script>\"'&\u{ffff}\u{1}"),
            "&lt;/text&gt;&lt;script&gt;&quot;&#39;&amp;\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn corners_are_rounded_within_their_lines() {
        assert_eq!(
            path(&[(0, 10), (20, 10), (20, 100), (30, 100)]),
            "M0 10L14 10Q20 10 20 16L20 94Q20 100 25 100L30 100"
        );
    }
}
