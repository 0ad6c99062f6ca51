//! What was typed before, kept in the user's folder of states and readable by nobody else.
//!
//! Lines name processes, ports and files of whoever owns the dump. So there is no file under `--redact`, none with
//! `--no-history`, and none where no folder of the user's own is known; a line that begins with a blank is not kept.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::PathBuf;

use crate::options::Options;
use crate::text::escape;

/// Lines that are kept.
pub const KEPT: usize = 1_000;

/// Bytes of a line that is kept at all.
const LONGEST: usize = 4_096;

/// Bytes of the file from which on the older half of it goes.
const FULL: u64 = 1 << 20;

/// The file, and what was in it.
pub struct History {
    file: Option<PathBuf>,
}

impl History {
    /// The history of whoever runs the program, if one is wanted.
    pub fn of(options: &Options, wanted: bool) -> Self {
        let is_wanted = wanted && options.redact.is_empty();
        Self {
            file: is_wanted.then(file).flatten(),
        }
    }

    /// What was typed before, the latest last.
    pub fn lines(&self) -> Vec<String> {
        let Some(path) = &self.file else {
            return Vec::new();
        };
        // Only a plain file: whoever has made it a link to /dev/null wants none.
        if !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
            return Vec::new();
        }
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(2 * FULL).read_to_end(&mut bytes));
        if read.is_err() {
            return Vec::new();
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().filter(|line| is_kept(line)).collect();
        let from = lines.len().saturating_sub(KEPT);
        let lines: Vec<String> = lines.into_iter().skip(from).map(str::to_owned).collect();
        if bytes.len() as u64 > FULL {
            // Another prompt may add a line at that moment, which is then lost: a history is worth no lock.
            let _ = fs::write(path, lines.join("\n") + "\n");
        }
        lines
    }

    /// Adds a line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&self, line: &str) -> io::Result<()> {
        let Some(path) = self.file.as_ref().filter(|_| is_kept(line)) else {
            return Ok(());
        };
        if let Some(folder) = path.parent() {
            create(folder)?;
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let metadata = file.metadata()?;
            if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
                file.set_permissions(fs::Permissions::from_mode(0o600))?;
            }
        }
        file.write_all(format!("{line}\n").as_bytes())
    }

    /// Where it is.
    pub fn path(&self) -> Option<String> {
        let path = self.file.as_ref()?;
        Some(escape::text(&path.to_string_lossy()))
    }
}

fn create(folder: &std::path::Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Whether a line is kept: one line of text, not too long, and not begun with a blank.
pub fn is_kept(line: &str) -> bool {
    let begins = line.chars().next().is_some_and(|c| !c.is_whitespace());
    begins && line.len() <= LONGEST && !line.chars().any(char::is_control)
}

/// The folder of states by the XDG specification, which ignores paths that are not whole; on Windows that of
/// applications.
fn file() -> Option<PathBuf> {
    let whole = |variable: &str| {
        let path = PathBuf::from(env::var_os(variable)?);
        path.is_absolute().then_some(path)
    };
    let folder = if cfg!(windows) {
        whole("LOCALAPPDATA")?
    } else {
        whole("XDG_STATE_HOME").or_else(|| Some(whole("HOME")?.join(".local").join("state")))?
    };
    Some(folder.join("alpc-dump").join("history"))
}
