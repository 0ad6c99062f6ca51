//! What the results must not replace: anything that is read.
//!
//! A slip of the fingers behind `-o` must not cost anybody the evidence, nor the symbols or rules that it was judged by.
//! Which files are read is not all known beforehand (symbols are searched for, folders are walked), so whatever opens a
//! file says so here, and the file of `-o` is not replaced if it was one of them: by what it is, not by what it is called.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The file that is to be replaced, and what it was found to be.
struct Kept {
    path: PathBuf,
    identity: Identity,
    read: Mutex<Option<String>>,
}

/// There is one `-o` in a run.
static KEPT: OnceLock<Kept> = OnceLock::new();

/// From now on notes whether this file is read, which is there and will be replaced.
pub fn watch(path: &Path) {
    if let Some(identity) = Identity::of(path) {
        // A second one would be another run's.
        let _ = KEPT.set(Kept {
            path: path.to_owned(),
            identity,
            read: Mutex::default(),
        });
    }
}

/// The file that will be replaced, if one is there.
pub fn replaced() -> Option<&'static Path> {
    KEPT.get().map(|kept| kept.path.as_path())
}

/// Whether it is this one.
pub fn replaces(path: &Path) -> bool {
    KEPT.get()
        .is_some_and(|kept| Identity::of(path).is_some_and(|other| other == kept.identity))
}

/// Says that a file is read, and what it is to the command: `a dump`.
pub fn reads(path: &Path, what: &str) {
    if let Some(kept) = KEPT.get().filter(|_| replaces(path)) {
        kept.note(what);
    }
}

/// Says that all of stdin is read.
pub fn reads_stdin() {
    if let Some(kept) = KEPT.get()
        && Identity::of_stdin().is_some_and(|read| read == kept.identity)
    {
        kept.note("what stdin reads");
    }
}

/// What the file that is to be replaced was read as.
///
/// # Errors
/// It was read.
pub fn check() -> io::Result<()> {
    let read = KEPT
        .get()
        .and_then(|kept| kept.read.lock().unwrap_or_else(PoisonError::into_inner).clone());
    match read {
        None => Ok(()),
        Some(what) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("it is {what}, and what is read is not overwritten: name another file"),
        )),
    }
}

impl Kept {
    fn note(&self, what: &str) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.get_or_insert_with(|| what.to_owned());
    }
}

/// A regular file, whatever names lead to it.
#[derive(PartialEq, Eq)]
struct Identity(#[cfg(unix)] (u64, u64), #[cfg(not(unix))] same_file::Handle);

#[cfg(unix)]
impl Identity {
    /// Without opening it, for a FIFO would wait for its writer.
    fn of(path: &Path) -> Option<Self> {
        Self::of_metadata(&fs::metadata(path).ok()?)
    }

    fn of_stdin() -> Option<Self> {
        use std::os::fd::AsFd;
        let stdin = io::stdin().as_fd().try_clone_to_owned().ok()?;
        Self::of_metadata(&fs::File::from(stdin).metadata().ok()?)
    }

    fn of_metadata(metadata: &fs::Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        // By what it is: `./a.dmp`, a link to it and a hard link have different names, and names that differ in
        // case are one file on most Windows and macOS volumes.
        metadata.is_file().then(|| Self((metadata.dev(), metadata.ino())))
    }
}

#[cfg(not(unix))]
impl Identity {
    fn of(path: &Path) -> Option<Self> {
        let is_file = fs::metadata(path).ok()?.is_file();
        // Windows knows a file by its volume and index, and keeps them for it only as long as it is open: on
        // FAT they may change (Microsoft's "BY_HANDLE_FILE_INFORMATION"), so the handle is held.
        same_file::Handle::from_path(path)
            .ok()
            .filter(|_| is_file)
            .map(Self)
    }

    fn of_stdin() -> Option<Self> {
        same_file::Handle::stdin().ok().map(Self)
    }
}
