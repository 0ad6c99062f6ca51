//! A picture: boxes with their text, lines with their words, all with their coordinates. It is made once, and is what the
//! page shows and what is written as SVG.

use crate::text::graph::card::{Card, Sketch, Wire};
use crate::text::graph::layout::{self, Columns, Edge, MARGIN, Place, Sizes};
use crate::text::graph::measure::Font;

/// The pixels that a page of 1280 has for a picture beside its panel.
pub const AREA: usize = 856;

/// What a box's name is written in.
pub const TITLE: Font = Font { size: 13, bold: true };
/// What else stands in a box.
pub const TEXT: Font = Font {
    size: 12,
    bold: false,
};
/// What stands at lines, and the words for what a box is. Nothing is smaller.
pub const SMALL: Font = Font {
    size: 11,
    bold: false,
};

/// Pixels between a box's edge and its text.
const PAD: usize = 9;
/// The height of the strip with the word for why a box stands out.
const STRIP: usize = 20;
/// The height of a line of text, by its size.
const LEADING: usize = 4;
/// The height that a line with words takes where it leaves a box.
const OUT: usize = 34;
/// The widths that a box may have.
const WIDTHS: (usize, usize) = (105, 300);
/// Lines of text that one thing in a box may take, and all of them together.
const LINES: (usize, usize) = (3, 9);

/// How a line of text in a box is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// The word for why the box stands out.
    Mark,
    /// The word for what it is.
    Kind,
    /// Its name.
    Title,
    /// What else is known.
    Line,
}

impl Row {
    /// The letters of such a line.
    pub fn font(self) -> Font {
        match self {
            Self::Title => TITLE,
            Self::Line => TEXT,
            Self::Kind => SMALL,
            Self::Mark => Font { bold: true, ..SMALL },
        }
    }
}

/// Text with the left end of its base line.
#[derive(Clone, Debug)]
pub struct Words {
    /// What it says.
    pub text: String,
    /// Where it begins.
    pub x: usize,
    /// Its base line.
    pub y: usize,
    /// How it is meant.
    pub row: Row,
}

/// A box of a picture.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// What it stands for.
    pub card: Card,
    /// Where it stands.
    pub place: Place,
    /// The height of its strip; 0 where it has none.
    pub strip: usize,
    /// Its text.
    pub words: Vec<Words>,
}

/// A line of a picture.
#[derive(Clone, Debug)]
pub struct Way {
    /// What it says.
    pub wire: Wire,
    /// Its corners.
    pub corners: Vec<(usize, usize)>,
    /// Its words: how long, and how sure.
    pub words: Vec<Words>,
}

/// A picture.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Its boxes.
    pub boxes: Vec<Drawn>,
    /// Its lines.
    pub ways: Vec<Way>,
    /// Its width in pixels.
    pub width: usize,
    /// Its height in pixels.
    pub height: usize,
}

impl Scene {
    /// The picture of a sketch, as wide as the page has room for where it has few columns.
    pub fn of(sketch: Sketch) -> Self {
        let edges: Vec<Edge> = sketch.wires.iter().map(|wire| (wire.from, wire.to)).collect();
        let columns = Columns::of(sketch.cards.len(), &edges);
        let label = label_room(&sketch.wires);
        let mut width = WIDTHS.1;
        loop {
            let texts: Vec<Vec<(Row, String)>> = sketch.cards.iter().map(|card| rows(card, width)).collect();
            let sizes = Sizes {
                width,
                heights: heights(&sketch, &texts),
                label,
            };
            let layout = layout::lay_out(&columns, &edges, &sizes);
            let over = layout.width.saturating_sub(AREA);
            // Every column gives the same; beyond that the picture is wider than the page, never smaller to read.
            let narrower = width
                .saturating_sub(over.div_ceil(columns.count.max(1)))
                .max(WIDTHS.0);
            if over == 0 || narrower == width {
                return Self::placed(sketch, texts, layout);
            }
            width = narrower;
        }
    }

    fn placed(sketch: Sketch, texts: Vec<Vec<(Row, String)>>, layout: layout::Layout) -> Self {
        let boxes = sketch.cards.into_iter().zip(texts).zip(layout.places);
        let boxes = boxes.map(|((card, rows), place)| Drawn {
            strip: if card.mark.is_some() { STRIP } else { 0 },
            words: written(&rows, &place),
            card,
            place,
        });
        let ways = sketch.wires.into_iter().zip(layout.routes);
        let ways = ways.map(|(wire, route)| Way {
            words: at_line(&wire, &route.corners),
            corners: route.corners,
            wire,
        });
        Self {
            boxes: boxes.collect(),
            ways: ways.collect(),
            width: layout.width,
            height: layout.height,
        }
    }

    /// The same so much farther down, where something stands above it.
    pub fn lowered(&self, by: usize) -> Self {
        let mut lower = self.clone();
        for drawn in &mut lower.boxes {
            drawn.place.y += by;
        }
        for (_, y) in lower.ways.iter_mut().flat_map(|way| &mut way.corners) {
            *y += by;
        }
        let of_boxes = lower.boxes.iter_mut().flat_map(|drawn| &mut drawn.words);
        let of_ways = lower.ways.iter_mut().flat_map(|way| &mut way.words);
        of_boxes.chain(of_ways).for_each(|words| words.y += by);
        lower
    }

    /// The pixels between the page's edge and the picture's contents.
    pub fn margin() -> usize {
        MARGIN
    }
}

/// The room that the words at lines need.
fn label_room(wires: &[Wire]) -> usize {
    let words = wires
        .iter()
        .flat_map(|wire| [SMALL.width(&wire.duration), SMALL.width(sureness(wire))]);
    words.max().unwrap_or(0) + 12
}

/// How sure a line is, in a word.
pub fn sureness(wire: &Wire) -> &'static str {
    wire.certainty.map_or("", alpc::wait::edge::Certainty::name)
}

/// The lines of text of a box.
fn rows(card: &Card, width: usize) -> Vec<(Row, String)> {
    let room = width.saturating_sub(2 * PAD);
    let mut rows = Vec::new();
    if let Some(mark) = card.mark {
        rows.push((Row::Mark, Row::Mark.font().cut(mark.word(), room)));
    }
    if !matches!(card.kind, "thread" | "object" | "group") && !card.kind.is_empty() {
        rows.push((Row::Kind, card.kind.to_owned()));
    }
    let title = TITLE.lines(&card.title, room, LINES.0);
    rows.extend(title.into_iter().map(|line| (Row::Title, line)));
    let mut lines: Vec<String> = Vec::new();
    for line in &card.lines {
        lines.extend(TEXT.lines(line, room, LINES.0));
    }
    lines.truncate(LINES.1);
    rows.extend(lines.into_iter().map(|line| (Row::Line, line)));
    rows
}

fn heights(sketch: &Sketch, texts: &[Vec<(Row, String)>]) -> Vec<usize> {
    let mut outs = vec![0_usize; sketch.cards.len()];
    for wire in &sketch.wires {
        let has_words = wire.certainty.is_some() || !wire.duration.is_empty();
        outs[wire.from] += if has_words { OUT } else { OUT / 3 };
    }
    let heights = texts.iter().zip(outs).map(|(rows, out)| {
        let text: usize = rows.iter().map(|(row, _)| height(*row)).sum();
        // Even, so that the middles of boxes beside each other are at one height.
        (text + 2 * PAD).max(out).next_multiple_of(2)
    });
    heights.collect()
}

fn height(row: Row) -> usize {
    match row {
        Row::Mark => STRIP,
        other => other.font().size + LEADING,
    }
}

fn written(rows: &[(Row, String)], place: &Place) -> Vec<Words> {
    let text: usize = rows.iter().map(|(row, _)| height(*row)).sum();
    let has_strip = matches!(rows.first(), Some((Row::Mark, _)));
    let spare = place.height.saturating_sub(text) / 2;
    let mut y = place.y + if has_strip { 0 } else { spare };
    let mut words = Vec::new();
    for (row, text) in rows {
        let high = height(*row);
        let base = if *row == Row::Mark { 14 } else { row.font().size };
        words.push(Words {
            text: text.clone(),
            x: place.x + PAD,
            y: y + base,
            row: *row,
        });
        y += high;
        if *row == Row::Mark {
            y += spare.saturating_sub(LEADING / 2);
        }
    }
    words
}

/// The words of a line stand where it leaves its box: how long above it, how sure below.
fn at_line(wire: &Wire, corners: &[(usize, usize)]) -> Vec<Words> {
    let Some(&(x, y)) = corners.first() else {
        return Vec::new();
    };
    let word = |text: &str, y: usize| Words {
        text: text.to_owned(),
        x: x + 6,
        y,
        row: Row::Kind,
    };
    let above = (!wire.duration.is_empty()).then(|| word(&wire.duration, y.saturating_sub(4)));
    let sure = sureness(wire);
    let below = (!sure.is_empty()).then(|| word(sure, y + SMALL.size + 2));
    above.into_iter().chain(below).collect()
}
