//! What an earlier run has written already.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use crate::fleet::child::RECORD;
use crate::output::document::DumpRef;
use crate::text::escape;

/// The most bytes of a line: longer ones are no records, which a process may not write longer either.
const LINE: u64 = RECORD;

/// The most lines that may be no records. An interrupted run leaves one; a file with more is another file.
const TORN: u64 = 1000;

/// The most bytes of what is no file, and so need not end.
const STREAM: u64 = 4 << 30;

/// The dumps that records of an earlier run are about, by name and length.
#[derive(Default)]
pub struct Done {
    /// Two hashes of each, by keys drawn at random: a million dumps take some 20 MB, and names made to collide
    /// do not.
    dumps: HashSet<(u64, u64)>,
    keys: (RandomState, RandomState),
    /// Lines that are no records.
    pub torn: u64,
}

/// As much of a record as tells which dump it is about.
#[derive(Deserialize)]
struct Line {
    record: String,
    dump: Option<String>,
    dump_bytes: Option<String>,
    dump_size: Option<u64>,
}

impl Done {
    /// Reads what an earlier run has written; a file that is not there has nothing. Where the last line is torn
    /// and stdout goes to the same file, the line is cut off, so that what comes next begins a line.
    ///
    /// # Errors
    /// What keeps the file from being read.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut done = Self::default();
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(done),
            Err(error) => return Err(error),
        };
        let stream = !file.metadata()?.is_file();
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        let mut whole = 0_u64;
        while (&mut lines).take(LINE + 1).read_until(b'\n', &mut line)? > 0 {
            refuse(line.len() as u64 > LINE, "a line of more than 16 MiB")?;
            // A run that was killed, or met a full disk, ends anywhere in a line. What the next one appends
            // would be glued to that and be lost with it.
            if line.ends_with(b"\n") {
                whole += line.len() as u64;
                refuse(stream && whole > STREAM, "more than 4 GiB, and no file that ends")?;
                done.add(&line);
                refuse(done.torn > TORN, "more than 1000 lines that are no records")?;
            } else {
                done.torn += 1;
                mend(path, whole)?;
            }
            line.clear();
        }
        Ok(done)
    }

    /// Whether there is a record of this dump.
    pub fn has(&self, dump: &DumpRef) -> bool {
        self.dumps
            .contains(&self.key(&dump.name, dump.bytes.as_deref(), dump.size))
    }

    fn add(&mut self, line: &[u8]) {
        match serde_json::from_slice::<Line>(line) {
            Ok(Line {
                record,
                dump: Some(dump),
                dump_bytes,
                dump_size,
            }) if record == crate::commands::triage::record::NAME => {
                self.dumps
                    .insert(self.key(&dump, dump_bytes.as_deref(), dump_size));
            }
            Ok(_) => {}
            Err(_) => self.torn += 1,
        }
    }

    /// Names that are no valid text read alike and differ in their bytes.
    fn key(&self, dump: &str, bytes: Option<&str>, size: Option<u64>) -> (u64, u64) {
        let key = (bytes.is_some(), bytes.unwrap_or(dump), size);
        (self.keys.0.hash_one(key), self.keys.1.hash_one(key))
    }

    /// What is worth saying about the file.
    pub fn note(&self, path: &Path) -> Option<String> {
        (self.torn > 0).then(|| {
            format!(
                "{}: {} cannot be read as records; their dumps are looked at again",
                escape::text(&path.to_string_lossy()),
                match self.torn {
                    1 => "1 line".to_owned(),
                    lines => format!("{lines} lines"),
                }
            )
        })
    }
}

/// Refuses what no run has written, before it fills the memory.
fn refuse(is_so: bool, what: &str) -> io::Result<()> {
    if is_so {
        let text = format!("it has {what}: name a file that triage wrote with --format ndjson");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(())
}

/// Cuts the torn last line off, when stdout goes to this very file.
fn mend(path: &Path, whole: u64) -> io::Result<()> {
    let stdout = same_file::Handle::stdout();
    let is_stdout = stdout
        .ok()
        .zip(same_file::Handle::from_path(path).ok())
        .is_some_and(|(stdout, file)| stdout == file);
    if is_stdout {
        // Behind `>>` each write goes to where the end is then (O_APPEND in open(2)), so it moves along. Behind
        // `>` there is nothing to mend: the shell has emptied the file.
        OpenOptions::new().write(true).open(path)?.set_len(whole)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_dump_is_known_by_name_and_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("done.ndjson");
        let has = |done: &Done, name: &str, size| {
            done.has(&DumpRef {
                name: name.to_owned(),
                bytes: None,
                size,
                sha256: None,
                redactor: crate::redact::Redactor::default(),
            })
        };
        assert!(!has(&Done::read(&path).unwrap(), "a.dmp", Some(4)), "no file yet");
        let text = concat!(
            r#"{"record":"triage","dump":"a.dmp","dump_size":4,"ports":3}"#,
            "\n",
            r#"{"record":"triage","dump":"gone.dmp","dump_size":null}"#,
            "\n\nnonsense\n",
            r#"{"record":"group","dumps":2,"first":"b.dmp","signature":"none"}"#,
            "\n",
            r#"{"record":"triage","dump":"b.dmp","si"#
        );
        fs::write(&path, text).unwrap();
        let done = Done::read(&path).unwrap();
        assert!(has(&done, "a.dmp", Some(4)));
        assert!(!has(&done, "a.dmp", Some(5)), "it has grown");
        assert!(!has(&done, "a.dmp", None));
        assert!(has(&done, "gone.dmp", None));
        assert!(!has(&done, "b.dmp", None));
        assert_eq!(done.torn, 3);
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "it is not stdout");
    }

    #[test]
    fn what_no_run_has_written_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("done.ndjson");
        let read = |text: String| {
            fs::write(&path, text).unwrap();
            Done::read(&path)
                .map(|done| done.torn)
                .map_err(|error| error.to_string())
        };
        let record = r#"{"record":"triage","dump":"a.dmp","dump_size":4}"#;
        assert_eq!(read(format!("{record}\n").repeat(5000)), Ok(0));
        assert_eq!(read("x\n".repeat(1000)), Ok(1000));
        assert!(read("x\n".repeat(1001)).unwrap_err().contains("no records"));
        let longest = " ".repeat(16 << 20);
        assert!(read(longest.clone()).is_ok());
        assert!(read(longest + "x").unwrap_err().contains("16 MiB"));
    }
}
