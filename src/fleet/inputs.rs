//! Which dumps are looked at: files as they are named, and in folders whatever is one, or was meant to be.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use kdump::{FileClass, OpenError, file_kind};
use walkdir::{DirEntry, WalkDir};

use crate::cli::{Cli, Command};
use crate::commands::triage::ignored::Ignored;
use crate::commands::triage::record::Problem;

/// How the names of dumps end, in any case of letters.
const ENDS: [&str; 3] = ["dmp", "mdmp", "hdmp"];

/// How the names of raw memory end. Not `img`: most of these are disks.
const MEMORY_ENDS: [&str; 2] = ["mem", "raw"];

/// Something to write a record about, or to count.
pub enum Input {
    /// A dump, or what is called one: what is wrong with it, its process finds out.
    Dump(PathBuf),
    /// A folder, or something in one, that cannot be looked at.
    Failed(PathBuf, Problem),
    /// What is no dump, and does not look like one.
    Ignored(PathBuf, Ignored),
}

/// The files that were named, and in the place of each folder what is in it, by the bytes of their names. A folder
/// is read when it comes to it, one at a time.
pub fn inputs(named: &[PathBuf], recursive: bool) -> impl Iterator<Item = Input> {
    named.iter().cloned().flat_map(move |path| {
        let found: Box<dyn Iterator<Item = Input> + Send> = if path.is_dir() {
            Box::new(Folder::new(path, recursive))
        } else {
            Box::new(std::iter::once(Input::Dump(path)))
        };
        found
    })
}

/// The command line with the dumps of a folder in its place, for a command that answers for each dump alone. A folder
/// without any stays, to be told as one.
pub fn in_folders(cli: Cli) -> Cli {
    let takes_folders = matches!(cli.command, Some(Command::Check(_)));
    if !takes_folders || !cli.dumps.iter().any(|path| path.is_dir()) {
        return cli;
    }
    let dumps: Vec<PathBuf> = cli
        .dumps
        .iter()
        .flat_map(|path| {
            let found = inputs(std::slice::from_ref(path), false).filter_map(|input| match input {
                Input::Dump(path) => Some(path),
                Input::Failed(..) | Input::Ignored(..) => None,
            });
            let found: Vec<PathBuf> = found.collect();
            if found.is_empty() {
                vec![path.clone()]
            } else {
                found
            }
        })
        .collect();
    let mut cli = Cli { dumps, ..cli };
    cli.options.several_dumps = cli.dumps.len() > 1;
    cli
}

struct Folder {
    path: PathBuf,
    entries: Option<walkdir::IntoIter>,
    /// Whether anything in it gets a record.
    found: bool,
    recursive: bool,
}

impl Folder {
    fn new(path: PathBuf, recursive: bool) -> Self {
        let depth = if recursive { usize::MAX } else { 1 };
        // Links are followed, for dumps are often kept on other volumes; those that lead in a circle are not.
        let entries = WalkDir::new(&path)
            .follow_links(true)
            .min_depth(1)
            .max_depth(depth)
            // By bytes, so that `10` comes before `9` and `B` before `a`, and two runs over one folder agree:
            // systems list folders in orders of their own.
            .sort_by_file_name();
        Self {
            path,
            entries: Some(entries.into_iter()),
            found: false,
            recursive,
        }
    }

    fn next_input(&mut self) -> Option<Input> {
        for entry in self.entries.as_mut()? {
            match entry {
                Ok(entry) if self.recursive && entry.file_type().is_dir() => {}
                Ok(entry) => return Some(input(entry)),
                Err(error) => return Some(self.failed(&error)),
            }
        }
        self.entries = None;
        None
    }

    fn failed(&self, error: &walkdir::Error) -> Input {
        let path = error.path().unwrap_or(&self.path).to_owned();
        if error.loop_ancestor().is_some() {
            return Input::Ignored(path, Ignored::link_loop());
        }
        match error.io_error() {
            // What may be a file: it is tried, to say what is wrong with it.
            Some(_) if !path.is_dir() => Input::Dump(path),
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
            "{}: no file in the folder is a dump by its name (*.dmp, *.mdmp, *.hdmp) or its first bytes{deeper}",
            self.path.display()
        );
        Input::Failed(self.path.clone(), Problem::new("no-dumps", text))
    }
}

impl Iterator for Folder {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        self.entries.as_ref()?;
        match self.next_input() {
            Some(input) => {
                self.found |= !matches!(input, Input::Ignored(..));
                Some(input)
            }
            None if self.found => None,
            None => Some(self.empty()),
        }
    }
}

/// What to do with an entry of a folder. A copy that failed has a name and little else; a dump that somebody has
/// compressed or renamed has its first bytes.
fn input(entry: DirEntry) -> Input {
    let kind = entry.file_type();
    let path = entry.into_path();
    if is_called_a_dump(&path) {
        return Input::Dump(path);
    }
    if kind.is_dir() {
        return Input::Ignored(path, Ignored::folder());
    }
    match file_kind(&path) {
        Ok(kind) if begins_as_a_dump(kind.class) || is_called_memory(&path, kind.class) => Input::Dump(path),
        Ok(kind) => Input::Ignored(path, Ignored::file(kind)),
        Err(OpenError::Empty { .. }) => Input::Ignored(path, Ignored::empty()),
        Err(OpenError::NotAFile { .. }) => Input::Ignored(path, Ignored::not_a_file()),
        // It may be a dump.
        Err(_) => Input::Dump(path),
    }
}

fn is_called_a_dump(path: &Path) -> bool {
    // MEMORY.DMP is the system's own spelling; Windows Error Reporting names its parts `minidump.mdmp` and
    // `memory.hdmp`, and those of one report lie in one folder.
    let end = path.extension().map(OsStr::to_ascii_lowercase);
    end.is_some_and(|end| ENDS.iter().any(|known| end == *known))
}

/// Whether a file is memory of a machine by its name alone, which is all that raw memory has. That of a VMware machine
/// stands for itself only without its state, which names it.
fn is_called_memory(path: &Path, class: FileClass) -> bool {
    let end = path
        .extension()
        .map(|end| end.to_ascii_lowercase())
        .unwrap_or_default();
    let state = || {
        ["vmss", "vmsn"]
            .iter()
            .any(|state| path.with_extension(state).is_file())
    };
    matches!(class, FileClass::Unknown | FileClass::Zeros)
        && (MEMORY_ENDS.iter().any(|known| end == *known) || end == "vmem" && !state())
}

fn begins_as_a_dump(class: FileClass) -> bool {
    matches!(
        class,
        FileClass::KernelDump | FileClass::UserDump | FileClass::Memory | FileClass::Compressed
    )
}

fn unreadable(path: PathBuf, error: &io::Error) -> Input {
    let id = match error.kind() {
        io::ErrorKind::PermissionDenied => "permission-denied",
        _ => "io",
    };
    let text = format!("{}: {error}", path.display());
    Input::Failed(path, Problem::new(id, text))
}

/// Whether a file is a kernel dump, or what is left of one.
pub fn is_a_dump(path: &Path) -> bool {
    file_kind(path).is_ok_and(|kind| kind.class == FileClass::KernelDump)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What becomes of the files: `!` is before the name of what is ignored.
    fn walk(named: &[PathBuf], recursive: bool) -> Vec<String> {
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        inputs(named, recursive)
            .map(|input| match input {
                Input::Dump(path) => name(path),
                Input::Failed(path, problem) => format!("{}: {}", name(path), problem.id),
                Input::Ignored(path, ignored) => format!("!{}: {}", name(path), ignored.reason),
            })
            .collect()
    }

    #[test]
    fn folders_give_their_dumps_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        for name in ["B.dmp", "a.dmp", "10", "9"] {
            write(name, b"PAGEDU64 and more");
        }
        write("b", b"PAGEDUMP");
        write("c.txt", b"PAGEDU6");
        // Whatever is called a dump.
        write("d.dmp", b"");
        write("e.DMP", b"text");
        write("f.hdmp", &[0; 99]);
        write("MEMORY.DMP", b"<html>");
        // Whatever begins as one, or as what one may be packed in.
        write("g.mdmp", b"MDMP....");
        write("h", b"MDMP....");
        write("i.gz", b"\x1f\x8b\x08\0");
        write("j.zip", b"PK\x03\x04");
        write("k.vmss", b"\xd2\xbe\xd2\xbe\x08\0\0\0");
        // Whatever is called memory, which need not begin as anything.
        write("k1.vmem", &[0; 99]);
        write("k2.vmem", &[7; 99]);
        write("k2.vmsn", b"\xd2\xbe\xd2\xbe\x08\0\0\0");
        write("k3.RAW", &[7; 99]);
        write("k4.img", &[7; 99]);
        // The rest.
        write("l", b"");
        write("m.pdb", b"Microsoft C/C++ MSF 7.00\r\n");
        write("n.pd_", b"MSCF\0\0\0\0");
        write("o.bin", &[0; 99]);
        write("p.dmp.txt", b"it hangs");
        fs::create_dir(folder.path().join("q")).unwrap();
        write("q/d.dmp", b"PAGEDU64");
        fs::create_dir(folder.path().join("r.dmp")).unwrap();
        let root = folder.path().to_owned();
        let flat = [
            "10",
            "9",
            "B.dmp",
            "MEMORY.DMP",
            "a.dmp",
            "b",
            "c.txt",
            "d.dmp",
            "e.DMP",
            "f.hdmp",
            "g.mdmp",
            "h",
            "i.gz",
            "j.zip",
            "k.vmss",
            "k1.vmem",
            "!k2.vmem: unknown",
            "k2.vmsn",
            "k3.RAW",
            "!k4.img: unknown",
            "!l: empty-file",
            "!m.pdb: program",
            "!n.pd_: program",
            "!o.bin: begins-with-zeros",
            "!p.dmp.txt: text",
            "!q: folder",
            "r.dmp",
        ]
        .map(str::to_owned)
        .to_vec();
        assert_eq!(walk(std::slice::from_ref(&root), false), flat);
        // A folder that is walked is no file, whatever its name.
        let mut deep = flat[..25].to_vec();
        deep.push("d.dmp".to_owned());
        assert_eq!(walk(std::slice::from_ref(&root), true), deep);
        // What is named itself is always tried, in the order of the names.
        let named = [root.join("m.pdb"), root.join("q"), root.join("none")];
        assert_eq!(walk(&named, false), ["m.pdb", "d.dmp", "none"].map(str::to_owned));
    }

    #[test]
    fn a_folder_without_dumps_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("notes.txt"), "nothing").unwrap();
        assert_eq!(
            walk(std::slice::from_ref(&inner), false),
            ["!notes.txt: text", "inner: no-dumps"]
        );
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
        link("in/self", "in/self");
        // Both may be dumps, which nobody can tell.
        let links = ["a.dmp", "linked.dmp", "self", "torn.dmp"].map(str::to_owned);
        let at = |reason: &str| {
            let mut all = links.to_vec();
            all.insert(2, format!("!round: {reason}"));
            all
        };
        assert_eq!(walk(&[path("in")], true), at("link-loop"));
        assert_eq!(walk(&[path("in")], false), at("link-loop"));
    }

    /// Opening a pipe that nobody writes to would wait for ever.
    #[cfg(unix)]
    #[test]
    fn pipes_are_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["pipe", "pipe.dmp"] {
            let made = std::process::Command::new("mkfifo")
                .arg(folder.path().join(name))
                .status();
            assert!(made.unwrap().success());
        }
        assert_eq!(
            walk(&[folder.path().to_owned()], false),
            ["!pipe: not-a-file", "pipe.dmp"]
        );
    }
}
