//! What the name behind `-o` leads to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a name leads to.
pub enum Place {
    Stdout,
    Stderr,
    /// A device, a FIFO or what else is no file: written where it is. What a shell opened, be it a file, is written at
    /// its end.
    Open {
        path: PathBuf,
        append: bool,
    },
    /// A file, at the end of all links that lead to it; what it is now, if it is there.
    File {
        path: PathBuf,
        before: Option<fs::Metadata>,
    },
}

/// Links that are followed one after the other, as Linux does.
const LINKS: usize = 40;

/// What a name leads to. Links are followed, also one that leads to a file that is not there yet.
///
/// # Errors
/// It leads nowhere that can be written.
pub fn of(path: &Path) -> io::Result<Place> {
    if is_device(path) {
        let path = path.to_owned();
        return Ok(Place::Open { path, append: false });
    }
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let full = in_real_folder(&path)?;
        // Before the link is read: /proc/self/fd/1 is one whose text, `pipe:[4711]` or a file's name that may
        // be removed by now, leads nowhere (proc(5)).
        if let Some(opened) = opened(&full) {
            return Ok(opened);
        }
        match fs::symlink_metadata(&full) {
            Ok(link) if link.is_symlink() => {
                let folder = full.parent().unwrap_or(Path::new("/"));
                path = folder.join(fs::read_link(&full)?);
            }
            Ok(before) if before.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(before) if before.is_file() => {
                let before = Some(before);
                return Ok(Place::File { path: full, before });
            }
            Ok(_) => {
                return Ok(Place::Open {
                    path: full,
                    append: false,
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Place::File {
                    path: full,
                    before: None,
                });
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many links lead on from it"))
}

/// The same path without links before its last part.
fn in_real_folder(path: &Path) -> io::Result<PathBuf> {
    let ends_open = path.to_string_lossy().ends_with(std::path::is_separator);
    let Some(name) = path.file_name().filter(|_| !ends_open) else {
        return Err(io::ErrorKind::IsADirectory.into());
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")))?;
    Ok(folder.join(name))
}

/// What this process, or on Linux any other, has open already: `/dev/fd/63` of a shell's `>(...)`. `/dev/stdout` is a
/// link to one of these.
fn opened(full: &Path) -> Option<Place> {
    let (folder, name) = (full.parent()?, full.file_name()?.to_str()?);
    let number: u32 = name.parse().ok()?;
    let own = fs::canonicalize("/dev/fd").ok()?;
    if own == folder && number == 1 {
        return Some(Place::Stdout);
    }
    if own == folder && number == 2 {
        return Some(Place::Stderr);
    }
    let of_a_process = folder.starts_with("/proc") && folder.ends_with("fd");
    // Linux opens a file anew through such a name, with a position of its own at its start: written there,
    // results would overwrite what the shell's `>>` had gathered, so they go to its end. The BSDs duplicate
    // what is open.
    (own == folder || of_a_process).then(|| Place::Open {
        path: full.to_owned(),
        append: true,
    })
}

/// A name that Windows keeps for a device, in any folder, or its name for one: `NUL`, `\\.\pipe\name`.
fn is_device(path: &Path) -> bool {
    // Kept since MS-DOS, in any folder and any case: `C:\results\nul` is no file there. Windows keeps AUX, COM1
    // to COM9 and LPT1 to LPT9 as well (Microsoft's "Naming Files, Paths, and Namespaces"); those are not known
    // here.
    const NAMES: [&str; 4] = ["NUL", "CON", "CONOUT$", "PRN"];
    let is_name = |name: &str| NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
    let text = path.to_string_lossy();
    cfg!(windows)
        && (text.starts_with(r"\\.\")
            || path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(is_name))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_to_files_that_are_there_and_to_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(root.join("in")).unwrap();
        fs::write(root.join("in/file"), "x").unwrap();
        symlink("in/file", root.join("one")).unwrap();
        symlink("one", root.join("two")).unwrap();
        symlink("in/new", root.join("dangling")).unwrap();
        symlink("round", root.join("round")).unwrap();
        symlink("/dev/stdout", root.join("out")).unwrap();
        let file = |name: &str| match of(&root.join(name)) {
            Ok(Place::File { path, before }) => (path, before.is_some()),
            _ => panic!("{name} is no file"),
        };
        assert_eq!(file("two"), (root.join("in/file"), true));
        assert_eq!(file("dangling"), (root.join("in/new"), false));
        assert_eq!(file("new"), (root.join("new"), false));
        assert!(matches!(of(&root.join("out")), Ok(Place::Stdout)));
        for name in ["round", "in", "in/", "new/", "..", "file/x", ""] {
            assert!(of(&root.join(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_open_already_is_written_where_it_is() {
        assert!(matches!(of(Path::new("/dev/stdout")), Ok(Place::Stdout)));
        assert!(matches!(of(Path::new("/dev/fd/1")), Ok(Place::Stdout)));
        assert!(matches!(of(Path::new("/dev/stderr")), Ok(Place::Stderr)));
        let is_open = |path: &str, at_end: bool| matches!(of(Path::new(path)), Ok(Place::Open { append, .. }) if append == at_end);
        assert!(is_open("/dev/fd/63", true));
        assert!(is_open("/dev/null", false));
    }
}
