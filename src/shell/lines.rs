//! Lines from a file or a pipe, read as they come: each is answered before the next one is asked for.

use std::io::{self, BufRead};

use crate::failure::{Failure, Status};
use crate::shell::Shell;

/// Bytes of a line, as many as a file of commands may have.
const LONGEST: usize = 1 << 20;

/// Runs the lines of stdin.
///
/// # Errors
/// Lines that cannot be read, and results that cannot be written.
pub fn read(shell: &Shell<'_>) -> io::Result<Status> {
    let mut worst = Status::Complete;
    // Not locked in between: a line may read on itself, as `message -` does.
    while let Some(line) = next(&mut io::stdin().lock())? {
        let asked = match text(line) {
            Ok(line) => shell.ask(&line)?,
            Err(why) => shell.refuse(&Failure::new(Status::Fatal, "unknown-command", why))?,
        };
        worst = worst.combine(asked.status);
        if asked.leaves {
            break;
        }
    }
    Ok(worst)
}

/// The next line, and one byte more than it may have of a longer one; the rest is passed over.
fn next(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut any = false;
    loop {
        let bytes = match from.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        if bytes.is_empty() {
            return Ok(any.then_some(line));
        }
        any = true;
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let own = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        let room = (LONGEST + 1).saturating_sub(line.len());
        line.extend(own.iter().take(room));
        let read = end.map_or(bytes.len(), |end| end + 1);
        from.consume(read);
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

fn text(line: Vec<u8>) -> Result<String, String> {
    if line.len() > LONGEST {
        return Err(format!(
            "a line has at most {} MiB, and this is longer",
            LONGEST >> 20
        ));
    }
    String::from_utf8(line).map_err(|_| "a line is UTF-8 text, and this is none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_and_have_a_bound() {
        let mut long = vec![b'x'; 3 * LONGEST];
        long.extend(b"\nlm\n\n\xff\nlast");
        let mut from = io::BufReader::with_capacity(7, long.as_slice());
        let first = next(&mut from).unwrap().unwrap();
        assert_eq!(first.len(), LONGEST + 1);
        assert!(text(first).is_err());
        assert_eq!(text(next(&mut from).unwrap().unwrap()).unwrap(), "lm");
        assert_eq!(next(&mut from).unwrap().unwrap(), b"");
        assert!(text(next(&mut from).unwrap().unwrap()).is_err());
        assert_eq!(next(&mut from).unwrap().unwrap(), b"last");
        assert_eq!(next(&mut from).unwrap(), None);
    }
}
