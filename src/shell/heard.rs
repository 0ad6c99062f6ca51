//! What the answers said, for the lines that follow: the rows of the last one, and addresses and ids that were printed.
//!
//! It is read off the text, as a person reads it, so that every view has it and none knows of it.

use std::collections::{HashSet, VecDeque};

use kdump::{Dump, Machine};

use crate::failure::{Failure, Status};

/// Rows of an answer that have numbers.
const ROWS: usize = 10_000;

/// Addresses and ids that are remembered.
const PRINTED: usize = 4_000;

/// Bytes of a line that are looked at.
const LINE: usize = 1_024;

/// Letters of a row that tell it from others.
const SHOWN: usize = 70;

/// What was heard so far.
pub struct Heard {
    /// Whether addresses have 16 digits.
    wide: bool,
    line: Vec<u8>,
    /// A numbered line without an address: what to look at comes below it.
    headed: Option<String>,
    found: Vec<Row>,
    rows: Vec<Row>,
    printed: VecDeque<String>,
    known: HashSet<String>,
}

/// A row of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    indent: usize,
    /// The first address in it.
    pub address: String,
    /// How it begins.
    pub text: String,
}

impl Heard {
    /// Nothing yet, of a dump.
    pub fn of(dump: &Dump) -> Self {
        Self::new(dump.header().machine != Machine::I386)
    }

    fn new(wide: bool) -> Self {
        Self {
            wide,
            line: Vec::new(),
            headed: None,
            found: Vec::new(),
            rows: Vec::new(),
            printed: VecDeque::new(),
            known: HashSet::new(),
        }
    }

    /// An answer begins.
    pub fn begin(&mut self) {
        self.line.clear();
        self.headed = None;
        self.found.clear();
    }

    /// Takes what is written of it.
    pub fn hear(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.take_line();
            } else if self.line.len() < LINE {
                self.line.push(byte);
            }
        }
    }

    /// The answer ends. One that names nothing leaves the rows of the one before.
    pub fn end(&mut self) {
        self.take_line();
        let found = std::mem::take(&mut self.found);
        // What a row says more of its thing is indented behind it; a view of one thing has but one that is not.
        let least = found.iter().map(|row| row.indent).min().unwrap_or_default();
        let heads: Vec<Row> = found.iter().filter(|row| row.indent == least).cloned().collect();
        match heads.len() {
            0 => {}
            1 => self.rows = found,
            _ => self.rows = heads,
        }
    }

    fn take_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = plain(&String::from_utf8_lossy(&line));
        let mut row = None;
        for word in words(&line) {
            if self.is_address(word) {
                row.get_or_insert_with(|| word.to_owned());
                self.remember(word);
            } else if is_id(word) {
                self.remember(word);
            }
        }
        if is_numbered(&line) {
            self.headed = row.is_none().then(|| line.clone());
        }
        if let Some(address) = row
            && self.found.len() < ROWS
        {
            // `hang` tells of a port's queue in words, and names the port under them.
            let headed = match line.trim_start().starts_with("look at: ") {
                true => self.headed.take(),
                false => None,
            };
            let line = headed.unwrap_or(line);
            let text = line.trim();
            self.found.push(Row {
                indent: line.chars().take_while(|c| *c == ' ').count(),
                address,
                text: text.chars().take(SHOWN).collect(),
            });
        }
    }

    /// Whether it is an address of the kernel's half, where all that has a view is.
    fn is_address(&self, word: &str) -> bool {
        let digits = if self.wide { 16 } else { 8 };
        word.len() == digits
            && word.bytes().all(|digit| digit.is_ascii_hexdigit())
            && word.starts_with([
                '8', '9', 'a', 'b', 'c', 'd', 'e', 'f', 'A', 'B', 'C', 'D', 'E', 'F',
            ])
            && (!self.wide || word.starts_with(['f', 'F']))
    }

    fn remember(&mut self, word: &str) {
        if !self.known.insert(word.to_owned()) {
            return;
        }
        self.printed.push_back(word.to_owned());
        if self.printed.len() > PRINTED
            && let Some(oldest) = self.printed.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// The rows that have numbers, the first is 1.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What was printed that a line may name, the latest first.
    pub fn printed(&self) -> impl Iterator<Item = &str> {
        self.printed.iter().rev().map(String::as_str)
    }

    /// The line with the addresses of rows in the places of their numbers.
    ///
    /// # Errors
    /// There is no such row.
    pub fn filled(&self, line: &str) -> Result<String, Failure> {
        if line.trim_start().starts_with(['*', '$', '.']) {
            return Ok(line.to_owned());
        }
        let mut filled = String::new();
        let mut quoted = false;
        for word in line.split_inclusive([' ', '\t', ';']) {
            let bare = word.trim_end_matches([' ', '\t', ';']);
            let number = bare.strip_prefix('#').filter(|_| !quoted);
            let digits =
                number.filter(|digits| !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit()));
            quoted ^= word.matches('"').count() % 2 == 1;
            match digits {
                None => filled.push_str(word),
                Some(digits) => {
                    filled.push_str(&self.row(digits)?.address);
                    filled.push_str(word.get(bare.len()..).unwrap_or_default());
                }
            }
        }
        Ok(filled)
    }

    fn row(&self, digits: &str) -> Result<&Row, Failure> {
        let index = digits
            .parse()
            .ok()
            .and_then(|number: usize| number.checked_sub(1));
        index.and_then(|index| self.rows.get(index)).ok_or_else(|| {
            let shown: String = digits.chars().take(20).collect();
            let there = match self.rows.len() {
                0 => "no answer has had rows yet".to_owned(),
                1 => "the last answer has one row, #1".to_owned(),
                rows => format!("the last answer has rows #1 to #{rows}"),
            };
            Failure::new(
                Status::Fatal,
                "no-such-row",
                format!("there is no row #{shown}: {there}"),
            )
        })
    }
}

/// A line without its colours.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = behind.split_once('m').map_or("", |(_, behind)| behind);
    }
    plain.push_str(rest);
    plain
}

/// The words of a line, without what is written around them.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | ':' | '_' | '-')))
        .map(|word| word.trim_matches(['.', ':']))
        .filter(|word| !word.is_empty())
}

/// `pid:0x33c`, and `023c.025c`, process and thread as views write them.
fn is_id(word: &str) -> bool {
    let hex = |digits: &str| (3..=8).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_hexdigit());
    let prefixed = ["pid:", "tid:", "id:"].iter().any(|prefix| {
        let number = word.strip_prefix(prefix);
        number.is_some_and(|number| {
            (1..=18).contains(&number.len()) && number.bytes().all(|c| c.is_ascii_alphanumeric())
        })
    });
    prefixed
        || word
            .split_once('.')
            .is_some_and(|(process, thread)| hex(process) && hex(thread))
}

/// Whether a line at the margin begins with a number and a full stop, as the blockers of `hang` do.
fn is_numbered(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    digits != 0 && line.get(digits..).is_some_and(|rest| rest.starts_with(". "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> Heard {
        let mut heard = Heard::new(true);
        heard.begin();
        heard.hear(text.as_bytes());
        heard.end();
        heard
    }

    #[test]
    fn rows_are_what_stands_at_the_margin() {
        let mut list = heard(
            "Hang @ x\nBLOCKER 1: port fffffa801820d2c0 (x)\n  behind it: fffffa8018210060\nBLOCKER 2: thread \
             \u{1b}[2mfffffa801820f760\u{1b}[0m: waits\n",
        );
        assert_eq!(
            list.filled("chain #2; thread #1 -v").unwrap(),
            "chain fffffa801820f760; thread fffffa801820d2c0 -v"
        );
        assert_eq!(list.filled("!chain #1").unwrap(), "!chain fffffa801820d2c0");
        assert_eq!(list.rows()[0].text, "BLOCKER 1: port fffffa801820d2c0 (x)");
        for none in ["chain #3", "chain #0", "chain #99999999999999999999999"] {
            assert!(list.filled(none).is_err(), "{none}");
        }
        for same in [
            "port \"a #1\"",
            ".echo #1",
            "* #1",
            "chain #",
            "chain x#1",
            "chain #1x",
            "",
        ] {
            assert_eq!(list.filled(same).unwrap(), same);
        }
        // An answer without rows changes nothing.
        list.begin();
        list.hear(b"nothing\n");
        list.end();
        assert_eq!(list.rows().len(), 2);
        assert!(list.printed().any(|word| word == "fffffa8018210060"));
    }

    #[test]
    fn one_thing_has_a_row_for_each_of_its_lines() {
        let one = heard(
            "Message @ fffff8800f4cc950\n  OwnerPort : fffffa8018a95e60 [X]\n  View : 0000000000000000\n",
        );
        assert_eq!(one.filled("port #2").unwrap(), "port fffffa8018a95e60");
        assert_eq!(one.rows().len(), 2);
    }

    #[test]
    fn ids_are_remembered_and_not_without_end() {
        let mut heard = heard("lsass.exe 023c.025c, pid:33c (id:0xbfc) 1.2 10.0.19041\n");
        let printed: Vec<_> = heard.printed().collect();
        assert_eq!(printed, ["id:0xbfc", "pid:33c", "023c.025c"]);
        for number in 0..3 * ROWS {
            heard.hear(format!("fffffa80{number:08x}\n").as_bytes());
        }
        heard.hear(&[b'x'; 1 << 20]);
        heard.end();
        assert_eq!((heard.rows().len(), heard.printed().count()), (ROWS, PRINTED));
    }
}
