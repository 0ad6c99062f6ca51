//! Text that knows how its pieces are meant.
//!
//! Views write pieces ([`Cell`]), and this type keeps what each of them is: a heading, a label, something that cannot be
//! read, how sure a step is. One writer makes colours of it and escapes; nothing looks at finished text again
//! to find out what it says. To any `format!` a piece is plain text.

use std::cell::Cell as Flag;
use std::fmt::{self, Alignment, Display, Write};
use std::ops::{Add, Range};

use owo_colors::OwoColorize;

use crate::text::escape;

/// How a piece of text is meant. Colour is an aid to the eye and never carries meaning alone: the words say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What the lines below are about.
    Heading,
    /// What stands before the value of a row.
    Label,
    /// What could not be read, or whether it could not.
    Unreadable,
    /// A step that the dump proves.
    Proven,
    /// A step that is inferred.
    Inferred,
    /// What is certain to be wrong: a deadlock.
    Alarm,
    /// What may be wrong, or what others wait for.
    Warning,
    /// What to type elsewhere.
    Command,
}

impl Look {
    const ALL: [Self; 8] = [
        Self::Heading,
        Self::Label,
        Self::Unreadable,
        Self::Proven,
        Self::Inferred,
        Self::Alarm,
        Self::Warning,
        Self::Command,
    ];

    /// The text in its colour.
    fn paint(self, text: &str) -> String {
        match self {
            Self::Heading => text.bold().to_string(),
            Self::Label | Self::Command => text.dimmed().to_string(),
            Self::Unreadable => text.red().to_string(),
            Self::Proven => text.green().to_string(),
            Self::Inferred => text.yellow().to_string(),
            Self::Alarm => text.red().bold().to_string(),
            Self::Warning => text.yellow().bold().to_string(),
        }
    }
}

thread_local! {
    /// Whether what is formatted now is taken by [`Text::of`], which hears how its pieces are meant.
    static TAKEN: Flag<bool> = const { Flag::new(false) };
}

/// Begins a piece while text is taken, with its look behind it; ends it. Nothing of a dump gets through
/// [`escape::text`] with such characters in it, and [`Text::of`] drops those that something else has.
const BEGIN: char = '\u{e}';
const END: char = '\u{f}';

/// A piece of text and how it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    look: Option<Look>,
}

impl Cell {
    /// Text that is meant so.
    pub fn new(look: Look, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            look: Some(look),
        }
    }

    /// What stands for something that cannot be read.
    pub fn unreadable(text: impl Into<String>) -> Self {
        Self::new(Look::Unreadable, text)
    }
}

impl Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(look) = self.look.filter(|_| TAKEN.get()) else {
            return f.pad(&self.text);
        };
        let number = Look::ALL
            .iter()
            .position(|known| *known == look)
            .unwrap_or_default();
        f.write_char(BEGIN)?;
        write!(f, "{number}")?;
        f.pad(&self.text)?;
        f.write_char(END)
    }
}

/// Where a piece of a look stands in a text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
    look: Look,
}

/// Text with how its pieces are meant, in their order, none in another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    text: String,
    spans: Vec<Span>,
}

/// Formats as `format!` does, and keeps how the pieces are meant.
macro_rules! text {
    ($($args:tt)*) => {
        $crate::text::marked::Text::of(format_args!($($args)*))
    };
}
pub(crate) use text;

impl Text {
    /// What is formatted, with how its pieces are meant.
    pub fn of(args: fmt::Arguments<'_>) -> Self {
        // A piece that is formatted while another text is taken is part of that one.
        let outer = TAKEN.replace(true);
        let marked = args.to_string();
        TAKEN.set(outer);
        if outer {
            return Self::from(marked);
        }
        if !marked.contains([BEGIN, END]) {
            return marked.into();
        }
        let mut taken = Self::default();
        let mut open: Vec<(Look, usize)> = Vec::new();
        let mut rest = marked.as_str();
        while let Some(at) = rest.find([BEGIN, END]) {
            taken.text.push_str(&rest[..at]);
            let begins = rest[at..].starts_with(BEGIN);
            // Both marks have one byte.
            rest = &rest[at + 1..];
            if begins {
                let look = rest.chars().next().and_then(|digit| digit.to_digit(10));
                let look = look.and_then(|number| Look::ALL.get(number as usize));
                if let Some(look) = look {
                    open.push((*look, taken.text.len()));
                    rest = &rest[1..];
                }
            } else if let Some((look, start)) = open.pop().filter(|_| open.is_empty()) {
                let end = taken.text.len();
                taken.spans.push(Span { start, end, look });
            }
        }
        taken.text.push_str(rest);
        taken
    }

    /// All of it in one look.
    pub fn all(look: Look, text: impl Into<String>) -> Self {
        let text = text.into();
        let end = text.len();
        let spans = vec![Span { start: 0, end, look }];
        Self { text, spans }
    }

    /// The same, with a look for all that has none.
    pub fn looking(&self, look: Look) -> Self {
        let pieces = self.pieces();
        pieces
            .map(|(piece, own)| Self::all(own.unwrap_or(look), piece))
            .collect()
    }

    /// The words alone.
    pub fn plain(&self) -> &str {
        &self.text
    }

    /// The same without its looks.
    pub fn into_plain(self) -> String {
        self.text
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Adds another text.
    pub fn push(&mut self, other: impl Into<Self>) {
        let other = other.into();
        let by = self.text.len();
        self.text.push_str(&other.text);
        self.spans.extend(other.spans.into_iter().map(|span| Span {
            start: span.start + by,
            end: span.end + by,
            look: span.look,
        }));
    }

    /// Its lines, each with its looks.
    pub fn lines(&self) -> Vec<Self> {
        let mut lines = Vec::new();
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let end = start + line.len();
            let text = line.strip_suffix('\n').unwrap_or(line).to_owned();
            let last = start + text.len();
            let spans = self
                .spans
                .iter()
                .filter(|span| span.start < last && span.end > start);
            let spans = spans.map(|span| Span {
                start: span.start.max(start) - start,
                end: span.end.min(last) - start,
                look: span.look,
            });
            lines.push(Self {
                spans: spans.collect(),
                text,
            });
            start = end;
        }
        lines
    }

    /// A part of it, by bytes, with its looks. Empty where no such part is.
    pub fn part(&self, range: Range<usize>) -> Self {
        let Some(text) = self.text.get(range.clone()) else {
            return Self::default();
        };
        let spans = self
            .spans
            .iter()
            .filter(|span| span.start < range.end && span.end > range.start);
        let spans = spans.map(|span| Span {
            start: span.start.max(range.start) - range.start,
            end: span.end.min(range.end) - range.start,
            look: span.look,
        });
        Self {
            spans: spans.collect(),
            text: text.to_owned(),
        }
    }

    /// Whether what stands at a byte is to be typed elsewhere.
    pub fn is_command_at(&self, at: usize) -> bool {
        let spans = self.spans.iter();
        spans
            .filter(|span| span.look == Look::Command)
            .any(|span| (span.start..span.end).contains(&at))
    }

    /// The pieces, in order: those between the ones with a look too.
    fn pieces(&self) -> impl Iterator<Item = (&str, Option<Look>)> {
        let mut at = 0;
        let mut pieces = Vec::new();
        for span in &self.spans {
            pieces.push((at..span.start, None));
            pieces.push((span.start..span.end, Some(span.look)));
            at = span.end;
        }
        pieces.push((at..self.text.len(), None));
        pieces
            .into_iter()
            .filter_map(|(range, look)| Some((self.text.get(range)?, look)))
            .filter(|(piece, _)| !piece.is_empty())
    }

    /// As it is written: with colours or without, and with nothing that could act on a terminal. Names are escaped where
    /// they enter a line; nothing may slip by.
    pub fn written(&self, color: bool) -> String {
        let pieces = self.pieces();
        pieces
            .map(|(piece, look)| {
                let piece = escape::laid_out(piece);
                match look {
                    Some(look) if color => look.paint(&piece),
                    _ => piece,
                }
            })
            .collect()
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !TAKEN.get() {
            return f.pad(&self.text);
        }
        let missing = f
            .width()
            .unwrap_or_default()
            .saturating_sub(self.text.chars().count());
        let (before, behind) = match f.align() {
            Some(Alignment::Right) => (missing, 0),
            Some(Alignment::Center) => (missing / 2, missing - missing / 2),
            Some(Alignment::Left) | None => (0, missing),
        };
        write!(f, "{:before$}", "")?;
        for (piece, look) in self.pieces() {
            let text = piece.to_owned();
            write!(f, "{}", Cell { text, look })?;
        }
        write!(f, "{:behind$}", "")
    }
}

impl<T: Into<Text>> Add<T> for Text {
    type Output = Self;

    fn add(mut self, other: T) -> Self {
        self.push(other);
        self
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self {
            text,
            spans: Vec::new(),
        }
    }
}

impl From<char> for Text {
    fn from(letter: char) -> Self {
        letter.to_string().into()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&Self> for Text {
    fn from(text: &Self) -> Self {
        text.clone()
    }
}

impl From<Cell> for Text {
    fn from(Cell { text, look }: Cell) -> Self {
        match look {
            Some(look) => Self::all(look, text),
            None => text.into(),
        }
    }
}

impl From<&Cell> for Text {
    fn from(cell: &Cell) -> Self {
        cell.clone().into()
    }
}

impl<T: Into<Text>> FromIterator<T> for Text {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut all = Self::default();
        texts.into_iter().for_each(|text| all.push(text));
        all
    }
}

/// Several with something between them.
pub fn joined(texts: impl IntoIterator<Item = impl Into<Text>>, between: &str) -> Text {
    let mut all = Text::default();
    for (number, text) in texts.into_iter().enumerate() {
        if number > 0 {
            all.push(between);
        }
        all.push(text);
    }
    all
}

/// How sure a step is, in brackets.
pub fn sure(certainty: alpc::wait::edge::Certainty) -> Cell {
    use alpc::wait::edge::Certainty;
    let look = match certainty {
        Certainty::Proven => Look::Proven,
        Certainty::Inferred => Look::Inferred,
        Certainty::Unknown => Look::Unreadable,
    };
    Cell::new(look, format!("[{}]", certainty.name()))
}

/// That something is inferred, in brackets.
pub fn inferred() -> Cell {
    Cell::new(Look::Inferred, "[inferred]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain + rest
    }

    #[test]
    fn pieces_keep_their_looks_and_are_plain_elsewhere() {
        let cell = Cell::unreadable("?");
        assert_eq!(format!("a {cell} b"), "a ? b");
        assert_eq!(format!("{cell:<3}|"), "?  |");
        let inner = text!("x {cell}");
        let whole = text!("a {inner} b {:<4}|{}", Cell::new(Look::Proven, "[p]"), 1);
        assert_eq!(whole.plain(), "a x ? b [p] |1");
        let looks: Vec<_> = whole.pieces().filter(|(_, look)| look.is_some()).collect();
        assert_eq!(
            looks,
            [("?", Some(Look::Unreadable)), ("[p] ", Some(Look::Proven))]
        );
        assert_eq!(text!("[{inner:>5}] [{inner:<5}]").plain(), "[  x ?] [x ?  ]");
        assert_eq!(format!("{whole}"), whole.plain());
        assert_eq!(strip(&whole.written(true)), whole.written(false));
        assert!(whole.written(true).contains("\u{1b}[31m?"));
    }

    #[test]
    fn lines_keep_looks() {
        let mut text = Text::all(Look::Heading, "Head");
        text.push("\n  b ");
        text.push(Cell::unreadable("?"));
        text.push("\n");
        let lines = text.lines();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], Text::all(Look::Heading, "Head"));
        assert_eq!(lines[1], text!("  b {}", Cell::unreadable("?")));
    }

    #[test]
    fn nothing_of_a_dump_makes_a_look_or_acts_on_a_terminal() {
        let text = text!("{}", "a\u{e}2?\u{f}b\u{1b}[31m");
        assert!(!text.written(false).contains('\u{1b}'));
        let escaped = escape::text("\u{e}2?\u{f}");
        assert!(text!("{escaped}").spans.is_empty());
    }
}
