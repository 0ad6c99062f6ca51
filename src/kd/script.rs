//! Files of commands, and what is a line in them.
//!
//! Debuggers name them `$<FILE`, `$><FILE`, `$$<FILE`, `$$><FILE`, and with arguments `$$>a<FILE ARG...`, which stand in
//! the file as `${$arg1}`. Source: "$<, $><, $$<, $$><, $$>a<" of Microsoft's documentation.

use std::path::Path;

use crate::failure::{Failure, Status};
use crate::host::reading;

/// A file of commands that a line names.
pub struct Script<'l> {
    pub file: &'l str,
    args: Vec<&'l str>,
}

/// The file that a line names.
pub fn named(line: &str) -> Option<Script<'_>> {
    let line = line.trim();
    // Only `$$>a<` is documented; the shorter spelling is taken as a slip of the fingers.
    let with_args = ["$$>a<", "$>a<"]
        .iter()
        .find_map(|start| line.strip_prefix(start));
    if let Some(rest) = with_args {
        let mut words = pieces(rest.trim(), char::is_whitespace).into_iter().map(unquoted);
        let file = words.next().unwrap_or_default();
        let args = words.filter(|word| !word.is_empty()).collect();
        return Some(Script { file, args });
    }
    // Those with `>` make one block of the file, for scripts with braces that span lines. All four echo the
    // lines that they run; `$$>a<` does not (Microsoft's "$<, $><, $$<, $$><, $$>a<").
    let starts = ["$$><", "$><", "$$<", "$<"];
    let file = starts.iter().find_map(|start| line.strip_prefix(start))?;
    Some(Script {
        file: unquoted(file),
        args: Vec::new(),
    })
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('"')
}

impl Script<'_> {
    /// The lines of the file, with the arguments in their places.
    pub fn lines(&self) -> Result<Vec<String>, Failure> {
        let read = reading::file(Path::new(self.file), &reading::COMMANDS).and_then(decoded);
        let text = read.map_err(|error| {
            self.failure(
                "no-command-file",
                &format!("the commands cannot be read: {error}"),
            )
        })?;
        lines(&text).into_iter().map(|line| self.filled(line)).collect()
    }

    fn filled(&self, line: &str) -> Result<String, Failure> {
        // Debuggers nest and recurse them ("scripts can also be called recursively"): a file that names itself
        // would not end.
        if named(line).is_some() {
            return Err(self.failure("unknown-command", "a file of commands names no further one here"));
        }
        let mut filled = String::new();
        let mut rest = line;
        while let Some((before, behind)) = rest.split_once("${$arg") {
            let number = behind
                .split_once('}')
                .and_then(|(number, rest)| Some((number.parse().ok()?, rest)));
            let Some((number, behind)) = number else {
                break;
            };
            let index = usize::checked_sub(number, 1);
            // A debugger leaves `${$arg5}` as it is where four were given, and runs the line so; too many are
            // ignored. Here a line with a hole in it would be a command that nobody meant.
            let Some(arg) = index.and_then(|index| self.args.get(index)) else {
                let why =
                    format!("it asks for its argument {number}, which was not given: $$>a<FILE ARGUMENT ...");
                return Err(self.failure("unknown-command", &why));
            };
            filled.push_str(before);
            filled.push_str(arg);
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn failure(&self, id: &'static str, why: &str) -> Failure {
        Failure::new(Status::Fatal, id, format!("{}: {why}", self.file))
    }
}

/// The lines of a text. What begins with `*` is a comment, and with `$<` or `$><` a file, to its end; everything else
/// ends at a `;` that is in no quotes.
pub fn lines(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    for line in text.lines() {
        let parts = pieces(line, |c| c == ';');
        for part in parts {
            let begins = part.trim_start();
            // `$<` and `$><` allow a semicolon in the name of the file, so nothing can follow them on their
            // line; `$$<` and `$$><` do not, and other commands may follow (Microsoft's table of the five).
            let to_end = ["*", "$<", "$><"].iter().any(|start| begins.starts_with(start));
            if to_end {
                // A piece is part of the line, so its distance from the line's start is known.
                let from = part.as_ptr().addr() - line.as_ptr().addr();
                all.push(line.get(from..).unwrap_or(part));
                break;
            }
            all.push(part);
        }
    }
    all
}

/// The pieces of a text, separated where no quotes are open; a quote that nothing closes is a letter.
fn pieces(text: &str, separates: impl Fn(char) -> bool) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut from, mut quoted) = (0, false);
    for (at, c) in text.char_indices() {
        if c == '"' {
            // `.echo 5" ; q` is two commands: an unquoted text may have quotes anywhere but at its start
            // (Microsoft's ".echo").
            quoted = !quoted && text[at + 1..].contains('"');
        } else if separates(c) && !quoted {
            pieces.push(&text[from..at]);
            from = at + c.len_utf8();
        }
    }
    pieces.push(&text[from..]);
    pieces
}

/// Text of a file as editors on Windows write it: UTF-8 or UTF-16, with a mark of its order or without.
fn decoded(bytes: Vec<u8>) -> std::io::Result<String> {
    // `>` and Out-File of Windows PowerShell 5.1 write UTF-16 with a mark, and so did what Notepad calls
    // "Unicode"; Notepad has saved UTF-8 without a mark by default since Windows 10 1903 (Microsoft's
    // about_Character_Encoding).
    let utf16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
        let text: Result<String, _> = char::decode_utf16(units).collect();
        let whole = bytes.len().is_multiple_of(2);
        text.ok().filter(|_| whole).ok_or_else(|| {
            std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "it should be UTF-16 text, and is not",
            )
        })
    };
    match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        // Without a mark: commands begin with ASCII, so the side of the first letter's zero says which order it
        // is.
        [letter, 0, ..] if *letter != 0 => utf16(&bytes, u16::from_le_bytes),
        [0, letter, ..] if *letter != 0 => utf16(&bytes, u16::from_be_bytes),
        // Notepad wrote this mark before every UTF-8 file until Windows 10 1903, and still does for "UTF-8 with
        // BOM".
        [0xef, 0xbb, 0xbf, rest @ ..] => reading::text(rest.to_vec()),
        _ => reading::text(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_the_debugger_ends_them() {
        assert_eq!(
            lines("lm; !object \"\\a;b\" ;q\nx"),
            ["lm", " !object \"\\a;b\" ", "q", "x"]
        );
        assert_eq!(lines("lm; * a comment; q"), ["lm", " * a comment; q"]);
        assert_eq!(lines("$<C:\\a;b.txt"), ["$<C:\\a;b.txt"]);
        assert_eq!(lines("$$ a comment; q"), ["$$ a comment", " q"]);
        assert_eq!(lines(".echo 5\" ; q"), [".echo 5\" ", " q"]);
    }

    #[test]
    fn every_spelling_names_its_file() {
        for spelling in ["$<", "$><", "$$<", "$$><"] {
            for line in [format!("{spelling}a b.txt"), format!(" {spelling} \"a b.txt\" ")] {
                assert_eq!(named(&line).unwrap().file, "a b.txt", "{line}");
            }
        }
        for spelling in ["$$>a<", "$>a<"] {
            let line = format!("{spelling}\"a b.txt\"  one \"two 2\"");
            let script = named(&line).unwrap();
            assert_eq!((script.file, script.args), ("a b.txt", vec!["one", "two 2"]));
        }
        assert!(named("$$ text").is_none() && named("lm").is_none());
    }

    #[test]
    fn every_encoding_is_the_same_text() {
        let text = "!alpc /m x\r\nq\u{e9}\u{1f600}";
        let units = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let (little, big) = (units(u16::to_le_bytes), units(u16::to_be_bytes));
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [&b"\xff\xfe"[..], &little].concat(),
            [&b"\xfe\xff"[..], &big].concat(),
            little,
            big,
        ] {
            assert_eq!(decoded(bytes).unwrap(), text);
        }
        for bad in [&b"\xff\xfe\0\xd8"[..], b"\xff\xfeabc", b"a\xff"] {
            assert!(decoded(bad.to_vec()).is_err(), "{bad:?}");
        }
    }
}
