//! Text in the room that there is: lines broken at blanks, what follows indented below what it belongs to.

use std::ops::Range;

use icu_properties::CodePointMapData;
use icu_properties::props::{EastAsianWidth, GeneralCategory};

use crate::text::marked::Text;

/// How far the rest of a line stands in from its beginning.
const HANGING: usize = 4;

/// Columns between the stops of tabs.
const TAB: usize = 8;

/// Columns that a letter takes on a terminal.
pub fn letter(c: char) -> usize {
    if matches!(c, ' '..='~') {
        return 1;
    }
    // Names may be in any script: `端口` takes four columns (Unicode's UAX 11), and marks that go on the letter before
    // them take none.
    match CodePointMapData::<EastAsianWidth>::new().get(c) {
        EastAsianWidth::Wide | EastAsianWidth::Fullwidth => 2,
        _ => match CodePointMapData::<GeneralCategory>::new().get(c) {
            GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark => 0,
            _ => 1,
        },
    }
}

/// The column behind a text that begins at another one.
fn behind(text: &str, start: usize) -> usize {
    text.chars().fold(start, |column, c| match c {
        '\t' => (column / TAB + 1) * TAB,
        c => column + letter(c),
    })
}

/// Columns that a text of one line takes.
pub fn columns(text: &str) -> usize {
    behind(text, 0)
}

/// The same text in lines of at most so many columns. A word that is longer has a line of its own; what is to be typed
/// elsewhere is one word, since half of it would do something else.
pub fn wrapped(text: &Text, width: usize) -> Text {
    let mut all = Text::default();
    let ends = text.plain().ends_with('\n');
    for (number, line) in text.lines().into_iter().enumerate() {
        if number > 0 {
            all.push("\n");
        }
        let broken = broken(&line, width, hanging(line.plain(), width));
        for (number, line) in broken.into_iter().enumerate() {
            if number > 0 {
                all.push("\n");
            }
            all.push(line);
        }
    }
    if ends {
        all.push("\n");
    }
    all
}

/// Where the rest of a line begins: below the value of a row, else a little further in than the line does.
fn hanging(line: &str, width: usize) -> usize {
    let own = line.len() - line.trim_start().len();
    let own = columns(line.get(..own).unwrap_or_default());
    let value = line
        .split_once(" : ")
        .map(|(label, _)| columns(label) + " : ".len());
    let most = width / 2;
    match value.filter(|&value| value <= most) {
        Some(value) => value,
        None => (own + HANGING).min(most),
    }
}

/// The words of a line, by bytes.
fn words(line: &Text) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut begun = None;
    for (at, c) in line.plain().char_indices() {
        let is_between =
            matches!(c, ' ' | '\t') && !line.is_command_at(at) && !is_in_duration(line.plain(), at);
        match (is_between, begun) {
            (true, Some(start)) => {
                words.push(start..at);
                begun = None;
            }
            (false, None) => begun = Some(at),
            _ => {}
        }
    }
    words.extend(begun.map(|start| start..line.plain().len()));
    words
}

/// Whether a blank is that of `2d 23:38:47`.
fn is_in_duration(line: &str, at: usize) -> bool {
    let days = line.get(..at).and_then(|before| before.strip_suffix('d'));
    let time = line.get(at + 1..).unwrap_or_default();
    let digit = |c: char| c.is_ascii_digit();
    days.is_some_and(|days| days.ends_with(digit)) && time.starts_with(digit)
}

/// Columns that the longest word of a line takes.
pub fn longest_word(line: &Text) -> usize {
    let widths = words(line)
        .into_iter()
        .map(|word| columns(line.plain().get(word).unwrap_or_default()));
    widths.max().unwrap_or(0)
}

/// A line in lines of at most so many columns, those behind the first indented.
pub fn broken(line: &Text, width: usize, hanging: usize) -> Vec<Text> {
    let plain = line.plain();
    if columns(plain) <= width {
        return vec![line.clone()];
    }
    let mut lines = Vec::new();
    let mut words = words(line).into_iter();
    let Some(first) = words.next() else {
        // Nothing but blanks.
        return vec![Text::default()];
    };
    // The line so far: its indentation, its bytes and the column behind them.
    let (mut indent, mut taken) = (0, 0..first.end);
    let mut column = columns(plain.get(..first.end).unwrap_or_default());
    for word in words {
        let longer = behind(plain.get(taken.end..word.end).unwrap_or_default(), column);
        if longer <= width {
            (taken.end, column) = (word.end, longer);
            continue;
        }
        lines.push(Text::from(" ".repeat(indent)) + line.part(taken));
        indent = hanging;
        column = behind(plain.get(word.clone()).unwrap_or_default(), indent);
        taken = word;
    }
    lines.push(Text::from(" ".repeat(indent)) + line.part(taken));
    lines
}

/// The letters of a text in pieces of at most so many columns: of a name that is longer than all the room.
pub fn chopped(text: &Text, width: usize) -> Vec<Text> {
    let mut pieces = Vec::new();
    let (mut start, mut column) = (0, 0);
    for (at, c) in text.plain().char_indices() {
        let own = letter(c);
        if column + own > width && at > start {
            pieces.push(text.part(start..at));
            (start, column) = (at, 0);
        }
        column += own;
    }
    pieces.push(text.part(start..text.plain().len()));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::marked::{Cell, Look, text};

    #[test]
    fn lines_break_at_blanks_and_hang() {
        let text = Text::from("a line\n  of some more words than fit\n");
        assert_eq!(
            wrapped(&text, 20).plain(),
            "a line\n  of some more words\n      than fit\n"
        );
        let row = Text::from("  Label : one two three four five");
        assert_eq!(
            wrapped(&row, 20).plain(),
            "  Label : one two\n          three four\n          five"
        );
        assert_eq!(
            wrapped(&Text::from("\tab cd ef"), 12).plain(),
            "\tab\n      cd ef"
        );
    }

    #[test]
    fn a_long_word_and_a_command_stay_whole() {
        let command = Cell::new(Look::Command, "run this with that");
        let line = text!("see {command} now");
        assert_eq!(wrapped(&line, 10).plain(), "see\n    run this with that\n    now");
        let looks: Vec<Text> = wrapped(&line, 10).lines();
        assert!(looks[1].is_command_at(6));
    }

    #[test]
    fn a_duration_stays_whole() {
        let line = Text::from("waited for 2d 23:38:47");
        assert_eq!(wrapped(&line, 20).plain(), "waited for\n    2d 23:38:47");
        assert_eq!(longest_word(&line), 11);
    }

    #[test]
    fn wide_letters_take_two_columns() {
        assert_eq!(columns("a端口"), 5);
        assert_eq!(columns("e\u{301}"), 1);
        let pieces = chopped(&Text::from("端口端口x"), 5);
        let plain: Vec<&str> = pieces.iter().map(Text::plain).collect();
        assert_eq!(plain, ["端口", "端口x"]);
    }
}
