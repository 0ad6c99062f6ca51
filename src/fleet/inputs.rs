//! Which dumps are looked at: files as they are named, and the dumps in folders.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use walkdir::WalkDir;

use super::record::Problem;

/// What kernel dumps begin with.
const BEGINNINGS: [[u8; 8]; 2] = [*b"PAGEDU64", *b"PAGEDUMP"];

/// Something to write a record about.
pub enum Input {
    /// A dump.
    Dump(PathBuf),
    /// A folder, or something in one, that cannot be looked at.
    Failed(PathBuf, Problem),
}

/// The files that were named, and in the place of each folder the dumps in it, by the bytes of their names. A
/// folder is read when it comes to it, one at a time; files in it that do not begin as a dump does are counted
/// in `ignored`.
pub fn inputs(named: &[PathBuf], recursive: bool, ignored: &Arc<AtomicU64>) -> impl Iterator<Item = Input> {
    let ignored = Arc::clone(ignored);
    named.iter().cloned().flat_map(move |path| {
        let found: Box<dyn Iterator<Item = Input> + Send> = if path.is_dir() {
            Box::new(Folder::new(path, recursive, Arc::clone(&ignored)))
        } else {
            Box::new(std::iter::once(Input::Dump(path)))
        };
        found
    })
}

struct Folder {
    path: PathBuf,
    entries: Option<walkdir::IntoIter>,
    found: bool,
    recursive: bool,
    ignored: Arc<AtomicU64>,
}

impl Folder {
    fn new(path: PathBuf, recursive: bool, ignored: Arc<AtomicU64>) -> Self {
        let depth = if recursive { usize::MAX } else { 1 };
        // Links are followed, for dumps are often kept on other volumes; those that lead in a circle are not.
        let entries = WalkDir::new(&path)
            .follow_links(true)
            .min_depth(1)
            .max_depth(depth)
            .sort_by_file_name();
        Self {
            path,
            entries: Some(entries.into_iter()),
            found: false,
            recursive,
            ignored,
        }
    }

    fn next_found(&mut self) -> Option<Input> {
        for entry in self.entries.as_mut()? {
            match entry {
                Ok(entry) if !entry.file_type().is_file() => {}
                Ok(entry) => match begins_as_a_dump(entry.path()) {
                    Ok(true) => return Some(Input::Dump(entry.into_path())),
                    Ok(false) => {
                        self.ignored.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => return Some(unreadable(entry.into_path(), &error)),
                },
                // What the link leads back to is walked already.
                Err(error) if error.loop_ancestor().is_some() => {
                    self.ignored.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => return Some(self.failed(&error)),
            }
        }
        self.entries = None;
        None
    }

    fn failed(&self, error: &walkdir::Error) -> Input {
        let path = error.path().unwrap_or(&self.path).to_owned();
        match error.io_error() {
            Some(error) => unreadable(path, error),
            None => Input::Failed(path, Problem::new("io", error.to_string())),
        }
    }

    fn empty(&self) -> Input {
        let deeper = if self.recursive {
            ""
        } else {
            "; --recursive looks into the folders in it"
        };
        let text = format!(
            "{}: no file in the folder begins as a kernel dump does{deeper}",
            self.path.display()
        );
        Input::Failed(self.path.clone(), Problem::new("no-dumps", text))
    }
}

impl Iterator for Folder {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        self.entries.as_ref()?;
        match self.next_found() {
            Some(input) => {
                self.found = true;
                Some(input)
            }
            None if self.found => None,
            None => Some(self.empty()),
        }
    }
}

fn unreadable(path: PathBuf, error: &io::Error) -> Input {
    let text = format!("{}: {error}", path.display());
    Input::Failed(path, Problem::new("io", text))
}

/// Whether a file begins as a kernel dump does.
pub fn begins_as_a_dump(path: &Path) -> io::Result<bool> {
    let mut beginning = [0; 8];
    match File::open(path)?.read_exact(&mut beginning) {
        Ok(()) => Ok(BEGINNINGS.contains(&beginning)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn walk(named: &[PathBuf], recursive: bool) -> (Vec<String>, u64) {
        let ignored = Arc::new(AtomicU64::new(0));
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let names = inputs(named, recursive, &ignored).map(|input| match input {
            Input::Dump(path) => name(path),
            Input::Failed(path, problem) => format!("{}: {}", name(path), problem.id),
        });
        (names.collect(), ignored.load(Ordering::Relaxed))
    }

    #[test]
    fn folders_give_their_dumps_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        for name in ["B.dmp", "a.dmp", "10", "9"] {
            write(name, b"PAGEDU64 and more");
        }
        write("b.dmp", b"PAGEDUMP");
        write("short", b"PAGEDU6");
        write("empty.dmp", b"");
        write("other.dmp", b"MDMP....");
        fs::create_dir(folder.path().join("c")).unwrap();
        write("c/d.dmp", b"PAGEDU64");
        let root = folder.path().to_owned();
        let flat = ["10", "9", "B.dmp", "a.dmp", "b.dmp"].map(str::to_owned).to_vec();
        assert_eq!(walk(std::slice::from_ref(&root), false), (flat.clone(), 3));
        let deep: Vec<String> = flat.into_iter().chain(["d.dmp".to_owned()]).collect();
        assert_eq!(walk(std::slice::from_ref(&root), true), (deep, 3));
        // What is named itself is always tried, in the order of the names.
        let named = [root.join("short"), root.join("c"), root.join("none")];
        assert_eq!(
            walk(&named, false).0,
            ["short", "d.dmp", "none"].map(str::to_owned)
        );
    }

    #[test]
    fn a_folder_without_dumps_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("notes.txt"), "nothing").unwrap();
        let (names, ignored) = walk(std::slice::from_ref(&inner), false);
        assert_eq!((names, ignored), (vec!["inner: no-dumps".to_owned()], 1));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("in")).unwrap();
        fs::write(path("in/a.dmp"), "PAGEDU64").unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(path(to), path(name)).unwrap();
        link("in/a.dmp", "in/linked.dmp");
        link("in", "in/round");
        link("nowhere", "in/torn.dmp");
        for recursive in [true, false] {
            let (names, ignored) = walk(&[path("in")], recursive);
            assert_eq!(names, ["a.dmp", "linked.dmp", "torn.dmp: io"].map(str::to_owned));
            assert_eq!(ignored, 1);
        }
    }
}
