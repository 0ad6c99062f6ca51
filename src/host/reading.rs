//! What is read whole from outside, beside dumps and symbols: small files, and stdin. Each has a cap, so that a file
//! named by mistake, a device or a pipe without an end is an error and not all of the memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::host::guard;

/// Something that is read whole, and how much of it there may be.
pub struct Cap {
    what: &'static str,
    bytes: u64,
}

/// Conditions for `check`. A file of a thousand has a tenth of it.
pub const RULES: Cap = Cap {
    what: "a rule file",
    bytes: 1 << 20,
};

/// Debugger command lines of `$<FILE`.
pub const COMMANDS: Cap = Cap {
    what: "a file of commands",
    bytes: 1 << 20,
};

/// Names of procedures: some hundred thousand.
pub const RPC_NAMES: Cap = Cap {
    what: "a table of names",
    bytes: 32 << 20,
};

/// Random bytes of `--redact-key`.
pub const KEY: Cap = Cap {
    what: "a key",
    bytes: 1 << 20,
};

/// Messages that stdin names, one a line: more than half a million.
pub const MESSAGES: Cap = Cap {
    what: "the list of messages on stdin",
    bytes: 16 << 20,
};

/// All of a file.
///
/// # Errors
/// It cannot be read, or is longer than it may be.
pub fn file(path: &Path, cap: &Cap) -> io::Result<Vec<u8>> {
    guard::reads(path, cap.what);
    whole(File::open(path)?, cap)
}

/// All that is left of stdin.
///
/// # Errors
/// It cannot be read, or is longer than it may be.
pub fn stdin(cap: &Cap) -> io::Result<Vec<u8>> {
    guard::reads_stdin();
    whole(io::stdin().lock(), cap)
}

fn whole(from: impl Read, cap: &Cap) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Not by the length that the system tells: that of /dev/zero, of a pipe and of files in /proc is 0.
    from.take(cap.bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > cap.bytes {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!(
                "{} has at most {} MiB, and this is longer",
                cap.what,
                cap.bytes >> 20
            ),
        ));
    }
    Ok(bytes)
}

/// Bytes as the text that they should be.
///
/// # Errors
/// They are no UTF-8.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it should be UTF-8 text, and is not at byte {at}"),
        )
    })
}

/// A path that reads the same on every system.
pub fn portable(path: &Path) -> String {
    let path = path.to_string_lossy();
    if cfg!(windows) {
        // Windows itself takes both, but for paths that begin with `\\?\`, which it does not parse at all:
        // those are changed for reading only (Microsoft's "Naming Files, Paths, and Namespaces").
        path.replace('\\', "/")
    } else {
        path.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_one_byte_behind_the_cap() {
        const SMALL: Cap = Cap {
            what: "a test",
            bytes: 3 << 20,
        };
        let mut endless = io::repeat(7);
        let error = whole(&mut endless, &SMALL).unwrap_err();
        assert_eq!(error.to_string(), "a test has at most 3 MiB, and this is longer");
        let fits = whole(io::repeat(7).take(3 << 20), &SMALL).unwrap();
        assert_eq!(fits.len(), 3 << 20);
    }
}
