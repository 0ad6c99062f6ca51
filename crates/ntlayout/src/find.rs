//! Looking for the symbols of an image in files, folders and symbol stores.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::SymbolError;
use crate::identity::Identity;
use crate::lookalike::Lookalike;
use crate::open::open;
use crate::path::{Place, is_remote};
use crate::table::Table;

/// Entries of a folder that are looked at, and symbol files directly in it that are opened.
const MAX_ENTRIES: usize = 10_000;
const MAX_OPENED: usize = 256;
/// A store's `file.ptr` holds one path.
const MAX_POINTER: u64 = 4096;
/// What the tables that Volatility reads are called after GUID and age.
const ISF_ENDS: [&str; 3] = [".json", ".json.xz", ".json.gz"];

/// The symbols that were wanted, and where else was looked before they were found.
#[derive(Debug)]
pub struct Found {
    /// The symbols, of the wanted identity.
    pub table: Table,
    /// Everything that was looked at before, in order.
    pub looked: Vec<Looked>,
}

/// The wanted symbols are in none of the places.
#[derive(Debug, thiserror::Error)]
#[error("no symbols {wanted} in {} places looked at", looked.len())]
pub struct NotFound {
    /// What was looked for.
    pub wanted: Identity,
    /// Everything that was looked at, in order.
    pub looked: Vec<Looked>,
}

/// A path that was looked at.
#[derive(Debug)]
pub struct Looked {
    /// The path.
    pub path: PathBuf,
    /// What was there.
    pub outcome: Outcome,
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            // The error names the file itself.
            Outcome::Unusable(error) => write!(f, "{error}"),
            outcome => write!(f, "{}: {outcome}", self.path.display()),
        }
    }
}

/// What was at a path that was looked at.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing is there.
    Absent,
    /// Sound symbols of another identity, or of none.
    Other(Option<Identity>),
    /// Something that cannot be used.
    Unusable(SymbolError),
    /// A folder with no symbols in it.
    NoSymbols,
    /// A folder with more entries or symbol files than are looked at.
    TooMany,
    /// A store's pointer to a file elsewhere.
    PointsTo(String),
    /// A server or share: it is not asked.
    Remote,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("not there"),
            Self::Other(Some(identity)) => write!(
                f,
                "symbols of another build: {}, GUID {}, age {}",
                identity.pdb_name, identity.guid, identity.age
            ),
            Self::Other(None) => f.write_str("symbols that do not say of which build"),
            Self::Unusable(error) => write!(f, "{error}"),
            Self::NoSymbols => f.write_str("a folder with no symbols in it"),
            Self::TooMany => f.write_str("a folder with too many files; not all were looked at"),
            Self::PointsTo(target) => write!(f, "a pointer to {target}"),
            Self::Remote => f.write_str("on the network, which is never asked"),
        }
    }
}

/// Looks for the symbols of an image, and returns no others.
///
/// A path that is a file must hold them. In a folder these are tried, without regard to case, in its
/// subfolders `symbols/pdb` and `pdb` and in itself: the PDB's name, plain or compressed (`.pd_`); the folder
/// as a symbol store; an ISF table `<GUID>-<age>.json` (`.xz`, `.gz`), also as
/// `<name>/<GUID>-<age>.json` and `windows/<name>/…`; every other `*.pdb` directly in it, of which only the
/// headers are read. In a symbol store it is `<name>/<GUID><age>/<name>`, or `<na>/<name>/…` in one of two
/// tiers, where the file may be compressed or stand elsewhere (`file.ptr`).
/// See [`belongs_to`](crate::SymbolTable::belongs_to) for what counts as the same identity.
///
/// # Errors
/// None of the places has them: all that was looked at, and what each path held.
pub fn find(wanted: &Identity, places: &[Place]) -> Result<Found, NotFound> {
    let mut hunt = Hunt {
        wanted,
        looked: Vec::new(),
    };
    let found = places.iter().find_map(|place| hunt.place(place));
    let Hunt { looked, .. } = hunt;
    match found {
        Some(table) => Ok(Found { table, looked }),
        None => Err(NotFound {
            wanted: wanted.clone(),
            looked,
        }),
    }
}

struct Hunt<'w> {
    wanted: &'w Identity,
    looked: Vec<Looked>,
}

impl Hunt<'_> {
    fn place(&mut self, place: &Place) -> Option<Table> {
        match place {
            Place::Path(path) => self.path(path),
            Place::Store(path) => match Listing::read(path) {
                Ok(listing) => {
                    let before = self.looked.len();
                    let found = self.store(&listing);
                    if found.is_none() && self.looked.len() == before {
                        let file = Path::new(&self.wanted.pdb_name).join(self.wanted.key());
                        self.note(&path.join(file), Outcome::Absent);
                    }
                    found
                }
                Err(source) => self.note_failure(path, source),
            },
            Place::Remote(url) => {
                self.note(Path::new(url), Outcome::Remote);
                None
            }
        }
    }

    fn path(&mut self, path: &Path) -> Option<Table> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.folder(path),
            Ok(_) => self.file(path),
            Err(source) => self.note_failure(path, source),
        }
    }

    fn note(&mut self, path: &Path, outcome: Outcome) {
        self.looked.push(Looked {
            path: path.to_owned(),
            outcome,
        });
    }

    fn note_failure(&mut self, path: &Path, source: std::io::Error) -> Option<Table> {
        let outcome = match source.kind() {
            std::io::ErrorKind::NotFound => Outcome::Absent,
            _ => Outcome::Unusable(SymbolError::Io {
                path: path.to_owned(),
                source,
            }),
        };
        self.note(path, outcome);
        None
    }

    fn file(&mut self, path: &Path) -> Option<Table> {
        match open(path) {
            Ok(table) if table.belongs_to(self.wanted.guid, self.wanted.age) => return Some(table),
            Ok(table) => self.note(path, Outcome::Other(table.identity().cloned())),
            Err(SymbolError::NotPdb {
                found: Lookalike::FilePointer,
                ..
            }) => return self.pointer(path),
            Err(error) => self.note(path, Outcome::Unusable(error)),
        }
        None
    }

    /// Follows a store's pointer, one step, to a file of this machine.
    fn pointer(&mut self, path: &Path) -> Option<Table> {
        let mut text = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(MAX_POINTER).read_to_end(&mut text));
        if let Err(source) = read {
            return self.note_failure(path, source);
        }
        let text = String::from_utf8_lossy(&text);
        let target = text.trim().strip_prefix("PATH:").unwrap_or_default().trim();
        self.note(path, Outcome::PointsTo(target.to_owned()));
        let place = Path::new(target);
        if is_remote(target) {
            self.note(place, Outcome::Remote);
            return None;
        }
        match open(place) {
            Ok(table) if table.belongs_to(self.wanted.guid, self.wanted.age) => return Some(table),
            Ok(table) => self.note(place, Outcome::Other(table.identity().cloned())),
            Err(SymbolError::Io { source, .. }) => return self.note_failure(place, source),
            Err(error) => self.note(place, Outcome::Unusable(error)),
        }
        None
    }

    fn folder(&mut self, folder: &Path) -> Option<Table> {
        let listing = match Listing::read(folder) {
            Ok(listing) => listing,
            Err(source) => return self.note_failure(folder, source),
        };
        let before = self.looked.len();
        let found = self.probed(&listing).or_else(|| self.directly(folder, &listing));
        if found.is_none() && listing.cut {
            self.note(folder, Outcome::TooMany);
        } else if found.is_none() && self.looked.len() == before {
            self.note(folder, Outcome::NoSymbols);
        }
        found
    }

    /// In `symbols/pdb` and `pdb`, where debuggers look first.
    fn probed(&mut self, listing: &Listing) -> Option<Table> {
        let symbols = listing.folder("symbols");
        let folders = [
            symbols.and_then(|symbols| symbols.folder("pdb")),
            listing.folder("pdb"),
        ];
        folders
            .into_iter()
            .flatten()
            .find_map(|folder| self.named(&folder).or_else(|| self.store(&folder)))
    }

    fn directly(&mut self, folder: &Path, listing: &Listing) -> Option<Table> {
        let before = self.looked.len();
        let found = self
            .named(listing)
            .or_else(|| self.store(listing))
            .or_else(|| self.volatility(listing));
        if found.is_none() && self.looked.len() == before {
            self.note(&folder.join(&self.wanted.pdb_name), Outcome::Absent);
        }
        found.or_else(|| self.others(listing))
    }

    /// The PDB under its own name, plain or compressed.
    fn named(&mut self, listing: &Listing) -> Option<Table> {
        let name = &self.wanted.pdb_name;
        let files = [name.clone(), packed(name)].map(|name| listing.files(&name));
        files.concat().iter().find_map(|file| self.file(file))
    }

    fn store(&mut self, listing: &Listing) -> Option<Table> {
        let name = &self.wanted.pdb_name;
        let tier: String = name.chars().take(2).collect();
        let tiers = [
            listing.folder(name),
            listing.folder(&tier).and_then(|tier| tier.folder(name)),
        ];
        tiers
            .into_iter()
            .flatten()
            .find_map(|folder| self.stored(&folder))
    }

    fn stored(&mut self, listing: &Listing) -> Option<Table> {
        let key = self.wanted.key();
        let name = &self.wanted.pdb_name;
        let Some(inner) = listing.folder(&key) else {
            self.note(&listing.path.join(&key).join(name), Outcome::Absent);
            return None;
        };
        let files = [name.clone(), packed(name), "file.ptr".to_owned()];
        let files = files.map(|name| inner.files(&name)).concat();
        if files.is_empty() {
            self.note(&inner.path.join(name), Outcome::Absent);
        }
        files.iter().find_map(|file| self.file(file))
    }

    fn volatility(&mut self, listing: &Listing) -> Option<Table> {
        let name = &self.wanted.pdb_name;
        let named = listing.folder(name);
        let windows = listing.folder("windows").and_then(|windows| windows.folder(name));
        [named.as_ref(), windows.as_ref(), Some(listing)]
            .into_iter()
            .flatten()
            .find_map(|folder| self.isf(folder))
    }

    fn isf(&mut self, listing: &Listing) -> Option<Table> {
        let stem = format!("{}-{}", self.wanted.guid, self.wanted.age);
        let files = ISF_ENDS.map(|end| listing.files(&format!("{stem}{end}")));
        files.concat().iter().find_map(|file| self.file(file))
    }

    fn others(&mut self, listing: &Listing) -> Option<Table> {
        let name = self.wanted.pdb_name.clone();
        let mut opened = 0usize;
        for file in listing.pdbs().filter(|file| !is_named(file, &name)) {
            if opened == MAX_OPENED {
                self.note(file, Outcome::TooMany);
                return None;
            }
            opened = opened.saturating_add(1);
            if let Some(table) = self.file(file) {
                return Some(table);
            }
        }
        None
    }
}

/// The name that symbol stores give a compressed file: its last character is an underscore.
fn packed(name: &str) -> String {
    let mut name = name.to_owned();
    name.pop();
    name.push('_');
    name
}

/// A folder's entries by name, so that the order of what is tried does not depend on the file system.
struct Listing {
    path: PathBuf,
    entries: Vec<PathBuf>,
    cut: bool,
}

impl Listing {
    fn read(folder: &Path) -> std::io::Result<Self> {
        let mut reader = fs::read_dir(folder)?;
        let read = reader.by_ref().take(MAX_ENTRIES);
        let mut entries: Vec<PathBuf> = read
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .collect();
        entries.sort();
        Ok(Self {
            path: folder.to_owned(),
            entries,
            cut: reader.next().is_some(),
        })
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a PathBuf> {
        self.entries.iter().filter(move |entry| is_named(entry, name))
    }

    fn files(&self, name: &str) -> Vec<PathBuf> {
        self.named(name)
            .filter(|entry| entry.is_file())
            .cloned()
            .collect()
    }

    /// The subfolder of that name, if it can be read.
    fn folder(&self, name: &str) -> Option<Self> {
        let mut folders = self.named(name).filter(|entry| entry.is_dir());
        folders.find_map(|entry| Self::read(entry).ok())
    }

    fn pdbs(&self) -> impl Iterator<Item = &PathBuf> {
        let is_pdb = |entry: &&PathBuf| {
            entry
                .extension()
                .is_some_and(|end| end.eq_ignore_ascii_case("pdb"))
        };
        self.entries.iter().filter(is_pdb).filter(|entry| entry.is_file())
    }
}

fn is_named(path: &Path, name: &str) -> bool {
    path.file_name()
        .is_some_and(|file| file.eq_ignore_ascii_case(name))
}
