//! Keeping to the folders that were given: what lies in a folder may point anywhere, and came from somebody.
//!
//! A symbol store's `file.ptr` holds a path, and a link is one. Whoever packed a dump with either beside it would
//! choose what this machine opens: a share, which tells its server who looks; a device; a file of the user's. So a
//! path that was found, not given, is followed step by step, and nothing outside of the folders is ever asked about.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf, Prefix, absolute};

use crate::path::{Place, is_remote};

/// Links that are followed on the way of one path, as Linux follows them.
const MAX_LINKS: u32 = 40;

/// The folders that were given, each as it was spelled and as it is without links.
pub(crate) struct Given(Vec<Vec<OsString>>);

impl Given {
    pub(crate) fn of(places: &[Place]) -> Self {
        let folders = places.iter().filter_map(Place::local);
        let spelled = folders.flat_map(|folder| [absolute(folder).ok(), fs::canonicalize(folder).ok()]);
        Self(spelled.flatten().map(|folder| parts(&folder)).collect())
    }

    /// Where a path that was found leads, if all of its way is in the folders that were given.
    pub(crate) fn inside(&self, found: &Path) -> Option<PathBuf> {
        let mut links = 0_u32;
        let mut at = PathBuf::new();
        let mut rest = steps(&absolute(found).ok()?);
        while let Some(step) = rest.pop() {
            if step == ".." {
                at.pop();
                continue;
            }
            at.push(step);
            match self.holds(&at) {
                Held::Outside => return None,
                // The way to a folder is its giver's.
                Held::Above => continue,
                Held::Inside => {}
            }
            let Ok(target) = fs::read_link(&at) else {
                continue;
            };
            links = links.checked_add(1).filter(|&links| links <= MAX_LINKS)?;
            // Opening a share is enough to tell its server who looks: Windows logs on with the user's name by
            // itself, and gives an answer made of the password's hash (NTLM).
            if is_remote(&target.to_string_lossy()) {
                return None;
            }
            at.pop();
            rest.extend(steps(&target));
        }
        matches!(self.holds(&at), Held::Inside).then_some(at)
    }

    fn holds(&self, path: &Path) -> Held {
        let path = parts(path);
        let begins = |long: &[OsString], short: &[OsString]| {
            long.get(..short.len())
                .is_some_and(|start| start.iter().zip(short).all(|(one, other)| same(one, other)))
        };
        if self.0.iter().any(|folder| begins(&path, folder)) {
            Held::Inside
        } else if self.0.iter().any(|folder| begins(folder, &path)) {
            Held::Above
        } else {
            Held::Outside
        }
    }
}

enum Held {
    Inside,
    /// On the way to a folder.
    Above,
    Outside,
}

/// Whether a link leads onto the network, by what it and the links behind it say.
pub(crate) fn links_to_network(path: &Path) -> bool {
    let mut at = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&at) else {
            return false;
        };
        if is_remote(&target.to_string_lossy()) {
            return true;
        }
        at.pop();
        at.push(target);
    }
    true
}

/// The steps of a path, the last one first.
fn steps(path: &Path) -> Vec<OsString> {
    let steps = path.components().map(|step| step.as_os_str().to_owned());
    let mut steps: Vec<_> = steps.collect();
    steps.reverse();
    steps
}

/// A path in parts that can be compared: a drive is the same however it is spelled.
fn parts(path: &Path) -> Vec<OsString> {
    let part = |component: Component<'_>| match component {
        Component::Prefix(prefix) => match prefix.kind() {
            Prefix::Disk(letter) | Prefix::VerbatimDisk(letter) => {
                OsString::from(format!("{}:", char::from(letter)))
            }
            _ => prefix.as_os_str().to_owned(),
        },
        other => other.as_os_str().to_owned(),
    };
    path.components().map(part).collect()
}

/// Windows does not tell case.
fn same(one: &OsString, other: &OsString) -> bool {
    one == other || cfg!(windows) && one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(folder: &Path) -> Given {
        Given::of(&[Place::Path(folder.to_owned())])
    }

    #[test]
    fn what_is_in_the_folder_stays_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let given = given(&inner);
        for (path, stays) in [
            ("inner/x.pdb", true),
            ("inner/a/../x.pdb", true),
            ("inner", true),
            ("x.pdb", false),
            ("inner/../x.pdb", false),
            ("inner/../inner/x.pdb", true),
            ("inner/../../x.pdb", false),
            ("innermost/x.pdb", false),
            ("", false),
        ] {
            assert_eq!(given.inside(&folder.path().join(path)).is_some(), stays, "{path}");
        }
        assert!(given.inside(Path::new("/nowhere")).is_none());
        assert!(given.inside(Path::new("")).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_as_far_as_they_stay() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("inner/deep")).unwrap();
        fs::create_dir(at("other")).unwrap();
        symlink(at("inner"), at("named")).unwrap();
        for (to, name) in [
            ("../other/x.pdb", "inner/out"),
            ("deep", "inner/in"),
            ("round", "inner/round"),
            ("//server/share", "inner/share"),
            (r"\??\UNC\server\share", "inner/device"),
            ("deep/../../inner/deep", "inner/there-and-back"),
        ] {
            symlink(to, at(name)).unwrap();
        }
        // The folder is given by a link, and is the same under its own name.
        let given = given(&at("named"));
        for (path, leads) in [
            ("named/in/x.pdb", Some("inner/deep/x.pdb")),
            ("inner/in/x.pdb", Some("inner/deep/x.pdb")),
            ("inner/there-and-back/x.pdb", Some("inner/deep/x.pdb")),
            ("named/out", None),
            ("named/round", None),
            ("named/share/x.pdb", None),
            ("named/device", None),
        ] {
            let real = |path: &str| fs::canonicalize(folder.path()).unwrap().join(path);
            let found = given.inside(&at(path)).map(|found| {
                let parent = fs::canonicalize(found.parent().unwrap()).unwrap();
                parent.join(found.file_name().unwrap())
            });
            assert_eq!(found, leads.map(real), "{path}");
        }
        for (link, remote) in [
            ("share", true),
            ("device", true),
            ("round", true),
            ("out", false),
            ("deep", false),
        ] {
            assert_eq!(links_to_network(&at("inner").join(link)), remote, "{link}");
        }
    }
}
