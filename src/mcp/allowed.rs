//! The folders whose dumps may be asked about.
//!
//! Whoever asks is a program that may have been talked into anything, by what stands in a dump for instance. So the
//! command line alone says where dumps may be, and where a path leads counts, not how it is spelled.

use std::io;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use crate::failure::{Failure, Status};

/// Folders, as they are spelled and as they really are.
pub struct Allowed {
    folders: Vec<(PathBuf, PathBuf)>,
}

impl Allowed {
    /// The folders of the command line.
    ///
    /// # Errors
    /// One that is none: a slip there would let everything be refused later.
    pub fn new(folders: &[PathBuf]) -> anyhow::Result<Self> {
        let real = |folder: &PathBuf| {
            let said = |why: String| {
                let folder = folder.display();
                Failure::fatal(
                    "folder",
                    format!("--allow {folder}: {why}: name a folder with dumps in it"),
                )
            };
            let real = folder.canonicalize().map_err(|error| said(error.to_string()))?;
            match real.is_dir() {
                true => Ok((std::path::absolute(folder)?, real)),
                false => Err(said("it is no folder".to_owned())),
            }
        };
        let folders = folders.iter().map(real).collect::<anyhow::Result<_>>()?;
        Ok(Self { folders })
    }

    /// Where a path really leads: an absolute one, or one in any of the folders.
    ///
    /// # Errors
    /// It leads out of them, or to nothing.
    pub fn find(&self, given: &str) -> Result<PathBuf, Failure> {
        let path = Path::new(given);
        // Nothing that is asked for needs it, and a path with it would tell what there is elsewhere.
        if given.is_empty() || path.components().any(|part| part == Component::ParentDir) {
            return Err(refused(given));
        }
        let spelled = |(spelled, real): &(PathBuf, PathBuf)| {
            let within = path.is_relative() || path.starts_with(spelled) || path.starts_with(real);
            within.then(|| real.join(path.strip_prefix(spelled).unwrap_or(path)))
        };
        let mut missing = None;
        for candidate in self.folders.iter().filter_map(spelled) {
            match candidate.canonicalize() {
                Ok(real) if self.has(&real) => {
                    self.refuse_companions(given, &real)?;
                    return Ok(real);
                }
                Ok(_) => return Err(refused(given)),
                Err(error) if self.has_parent(&candidate) => missing = Some(error),
                Err(_) => {}
            }
        }
        Err(missing.map_or_else(|| refused(given), |error| absent(given, &error)))
    }

    /// Refuses a file whose companion leads out: the memory of a `.vmss` is the `.vmem` beside it, and other parts of one
    /// dump have its name with another ending, too.
    fn refuse_companions(&self, given: &str, real: &Path) -> Result<(), Failure> {
        let (Some(folder), Some(stem)) = (real.parent(), real.file_stem()) else {
            return Ok(());
        };
        if real.is_dir() {
            return Ok(());
        }
        let beside = WalkDir::new(folder).max_depth(1).into_iter().flatten();
        let mut links =
            beside.filter(|entry| entry.path_is_symlink() && entry.path().file_stem() == Some(stem));
        match links.any(|link| link.path().canonicalize().is_ok_and(|real| !self.has(&real))) {
            true => {
                let text = format!(
                    "{given}: a file of the same name beside it is a link that leads out of the folders that --allow names: \
                     take it away"
                );
                Err(Failure::new(Status::Fatal, "not-allowed", text))
            }
            false => Ok(()),
        }
    }

    /// The folder that a path leads to, in which nothing leads out.
    ///
    /// # Errors
    /// As [`find`](Self::find); or it is no folder, or a link in it leads out.
    pub fn find_folder(&self, given: &str, recursive: bool) -> Result<PathBuf, Failure> {
        let folder = self.find(given)?;
        if !folder.is_dir() {
            let text = format!("{given}: it is no folder: ask about the dump itself");
            return Err(Failure::new(Status::Fatal, "no-dumps", text));
        }
        // Links are followed as the command follows them, but not into what is elsewhere.
        let depth = if recursive { usize::MAX } else { 1 };
        for entry in WalkDir::new(&folder).follow_links(true).max_depth(depth) {
            let Ok(entry) = entry else { continue };
            let leads_out =
                entry.path_is_symlink() && entry.path().canonicalize().is_ok_and(|real| !self.has(&real));
            if leads_out {
                // Not which one: its name is a path of this machine, which the client was not told.
                let text = format!(
                    "{given}: a link in it leads out of the folders that --allow names: take it away, or ask about \
                     the dumps one by one"
                );
                return Err(Failure::new(Status::Fatal, "not-allowed", text));
            }
        }
        Ok(folder)
    }

    fn has(&self, real: &Path) -> bool {
        self.folders.iter().any(|(_, folder)| real.starts_with(folder))
    }

    /// Whether something that is not there would be in one of them.
    fn has_parent(&self, path: &Path) -> bool {
        let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
        parent.is_some_and(|parent| self.has(&parent))
    }
}

fn refused(given: &str) -> Failure {
    let text = format!(
        "{given}: it is not in a folder that --allow names: the server's command line says where dumps may be"
    );
    Failure::new(Status::Fatal, "not-allowed", text)
}

fn absent(given: &str, error: &io::Error) -> Failure {
    let text = format!("{given}: {error}: name a dump in a folder that --allow names");
    Failure::new(Status::Fatal, "not-found", text)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_outside_is_found_however_it_is_spelled() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        let (inside, outside) = (place.join("in"), place.join("out"));
        fs::create_dir_all(inside.join("deeper")).unwrap();
        fs::create_dir(&outside).unwrap();
        for file in [
            inside.join("a.dmp"),
            inside.join("deeper/b.dmp"),
            outside.join("c.dmp"),
        ] {
            fs::write(file, "").unwrap();
        }
        symlink(inside.join("a.dmp"), inside.join("good.dmp")).unwrap();
        symlink(outside.join("c.dmp"), inside.join("deeper/bad.dmp")).unwrap();
        symlink(&outside, inside.join("door")).unwrap();
        // The memory of one machine is elsewhere, that of the other is not.
        for name in ["s.vmss", "t.vmss", "t2.vmem"] {
            fs::write(inside.join("deeper").join(name), "").unwrap();
        }
        symlink(outside.join("c.dmp"), inside.join("deeper/s.vmem")).unwrap();
        symlink(inside.join("deeper/t2.vmem"), inside.join("deeper/t.vmem")).unwrap();
        symlink(&inside, place.join("alias")).unwrap();
        let allowed = Allowed::new(&[place.join("alias")]).unwrap();
        let id = |given: &str| allowed.find(given).map_err(|failure| failure.id);
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        for (given, wanted) in [
            ("a.dmp".to_owned(), Ok(inside.join("a.dmp"))),
            (text(inside.join("a.dmp")), Ok(inside.join("a.dmp"))),
            (
                text(place.join("alias/deeper/b.dmp")),
                Ok(inside.join("deeper/b.dmp")),
            ),
            ("good.dmp".to_owned(), Ok(inside.join("a.dmp"))),
            ("deeper/s.vmss".to_owned(), Err("not-allowed")),
            ("deeper/t.vmss".to_owned(), Ok(inside.join("deeper/t.vmss"))),
            ("none.dmp".to_owned(), Err("not-found")),
            ("deeper/bad.dmp".to_owned(), Err("not-allowed")),
            ("door/c.dmp".to_owned(), Err("not-allowed")),
            ("door/none.dmp".to_owned(), Err("not-allowed")),
            ("../out/c.dmp".to_owned(), Err("not-allowed")),
            (text(inside.join("../out/c.dmp")), Err("not-allowed")),
            (text(outside.join("c.dmp")), Err("not-allowed")),
            ("/etc/passwd".to_owned(), Err("not-allowed")),
            ("/no/such/place".to_owned(), Err("not-allowed")),
            (String::new(), Err("not-allowed")),
        ] {
            assert_eq!(id(&given), wanted, "{given}");
        }
        let folder = |given: &str, recursive| {
            allowed
                .find_folder(given, recursive)
                .map_err(|failure| failure.id)
        };
        assert_eq!(folder(".", false), Err("not-allowed"), "door is in it");
        assert_eq!(folder("deeper", false), Err("not-allowed"));
        fs::remove_file(inside.join("door")).unwrap();
        assert_eq!(folder(".", false), Ok(inside.clone()));
        assert_eq!(folder(".", true), Err("not-allowed"));
        assert_eq!(folder("a.dmp", false), Err("no-dumps"));
        assert!(Allowed::new(&[inside.join("a.dmp")]).is_err());
    }
}
