//! What a record could not tell, without the record: a record of all waits of a large system is many times as large
//! as its text, and for the text only what is missing counts.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value as Json, json};

/// What begins a missing value. Quotation marks inside strings are escaped, so no name can look like it.
const BEGIN: &[u8] = b"{\"$unreadable\":";

/// The missing values of a record, as a record of nothing else.
pub fn holes(record: &impl Serialize) -> serde_json::Result<Json> {
    let mut scanner = Scanner::default();
    serde_json::to_writer(&mut scanner, record)?;
    Ok(scanner.found.into())
}

/// Reads JSON as it is written, and keeps the reasons in it.
#[derive(Default)]
struct Scanner {
    found: Vec<Json>,
    /// Bytes of [`BEGIN`] that were just seen.
    matched: usize,
    /// The reason that is being read.
    reason: Option<Reason>,
}

#[derive(Default)]
struct Reason {
    bytes: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Reason {
    /// Takes a byte; whether the reason is complete.
    fn take(&mut self, byte: u8) -> bool {
        self.bytes.push(byte);
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            b'{' if !self.in_string => self.depth += 1,
            b'}' if !self.in_string => self.depth -= 1,
            _ => {}
        }
        self.depth == 0
    }
}

impl Write for Scanner {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            if let Some(reason) = &mut self.reason {
                if reason.take(byte) {
                    let reason: Json = serde_json::from_slice(&reason.bytes)?;
                    self.found.push(json!({ "$unreadable": reason }));
                    self.reason = None;
                }
            } else if byte == BEGIN[self.matched] {
                self.matched += 1;
                if self.matched == BEGIN.len() {
                    self.matched = 0;
                    self.reason = Some(Reason::default());
                }
            } else {
                self.matched = usize::from(byte == BEGIN[0]);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::json::Holes;

    #[test]
    fn the_same_is_missing_as_in_the_record() {
        let reason = json!({ "id": "not-in-dump", "text": "frame \"1}\\2\" is {not} there" });
        let other = json!({ "id": "implausible", "cause": "x", "text": "" });
        let record = json!({
            "a": "{\"$unreadable\":{}}", "b": [{ "$unreadable": reason }, 1, { "{": { "$unreadable": other } }],
            "c": { "$absent": { "id": "no-member", "text": "" } },
        });
        let mut found = holes(&record).unwrap();
        assert_eq!(
            found,
            json!([{ "$unreadable": reason }, { "$unreadable": other }])
        );
        let mut record = record;
        assert_eq!(
            Holes::hoist(&mut record).summary(),
            Holes::hoist(&mut found).summary()
        );
    }
}
