//! Looking for the PDB of an image in files and folders.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::SymbolError;
use crate::identity::Identity;
use crate::pdb::Pdb;
use crate::table::SymbolTable;

/// Entries of a folder that are looked at, and PDBs directly in it that are opened.
const MAX_ENTRIES: usize = 10_000;
const MAX_OPENED: usize = 256;

/// Where to look for symbols: a file or a folder each, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The files and folders.
    pub places: Vec<PathBuf>,
}

impl Search {
    /// See [`find`].
    ///
    /// # Errors
    /// None of the places has the PDB.
    pub fn find(&self, wanted: &Identity) -> Result<Found, NotFound> {
        find(wanted, &self.places)
    }
}

/// The PDB that was wanted, and where else was looked before it was found.
#[derive(Debug)]
pub struct Found {
    /// The PDB, of the wanted identity.
    pub table: Pdb,
    /// Everything that was looked at before, in order.
    pub looked: Vec<Looked>,
}

/// The wanted PDB is in none of the places.
#[derive(Debug, thiserror::Error)]
#[error("no PDB {wanted} in {} places looked at", looked.len())]
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
    /// A sound PDB of another identity.
    Other(Identity),
    /// Something that cannot be used.
    Unusable(SymbolError),
    /// A folder with no PDB directly in it.
    NoPdbs,
    /// A folder with more entries or PDBs than are looked at.
    TooMany,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("not there"),
            Self::Other(identity) => {
                write!(f, "another PDB: GUID {} age {:x}", identity.guid, identity.age)
            }
            Self::Unusable(error) => write!(f, "{error}"),
            Self::NoPdbs => f.write_str("a folder with no PDB in it"),
            Self::TooMany => f.write_str("a folder with too many files; not all were looked at"),
        }
    }
}

/// Looks for the PDB of an image, and returns no other.
///
/// A place that is a file must be that PDB. In a folder these are tried, without regard to case: the PDB's
/// name; the symbol-store path `<name>/<GUID><age>/<name>`; every other `*.pdb` directly in it, of which only
/// the headers are read. See [`Pdb::belongs_to`] for what counts as the same identity.
///
/// # Errors
/// None of the places has it: all that was looked at, and what each path held.
pub fn find(wanted: &Identity, places: &[PathBuf]) -> Result<Found, NotFound> {
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
    fn place(&mut self, place: &Path) -> Option<Pdb> {
        match fs::metadata(place) {
            Ok(metadata) if metadata.is_dir() => self.folder(place),
            Ok(_) => self.file(place),
            Err(source) => self.note_failure(place, source),
        }
    }

    fn note(&mut self, path: &Path, outcome: Outcome) {
        self.looked.push(Looked {
            path: path.to_owned(),
            outcome,
        });
    }

    fn note_failure(&mut self, path: &Path, source: std::io::Error) -> Option<Pdb> {
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

    fn file(&mut self, path: &Path) -> Option<Pdb> {
        match Pdb::open(path) {
            Ok(pdb) if pdb.belongs_to(self.wanted.guid, self.wanted.age) => return Some(pdb),
            Ok(pdb) => {
                if let Some(identity) = pdb.identity() {
                    self.note(path, Outcome::Other(identity.clone()));
                }
            }
            Err(error) => self.note(path, Outcome::Unusable(error)),
        }
        None
    }

    fn folder(&mut self, folder: &Path) -> Option<Pdb> {
        let listing = match Listing::read(folder) {
            Ok(listing) => listing,
            Err(source) => return self.note_failure(folder, source),
        };
        let before = self.looked.len();
        let found = self.named(folder, &listing).or_else(|| self.others(&listing));
        if found.is_none() && listing.cut {
            self.note(folder, Outcome::TooMany);
        } else if found.is_none() && self.looked.len() == before {
            self.note(folder, Outcome::NoPdbs);
        }
        found
    }

    /// The PDB's own name in a folder, as a file or as the head of a symbol-store path.
    fn named(&mut self, folder: &Path, listing: &Listing) -> Option<Pdb> {
        let name = self.wanted.pdb_name.clone();
        for entry in listing.named(&name) {
            let found = if entry.is_dir() {
                self.store(entry, &name)
            } else {
                self.file(entry)
            };
            if found.is_some() {
                return found;
            }
        }
        if listing.named(&name).next().is_none() {
            self.note(&folder.join(&name), Outcome::Absent);
        }
        None
    }

    fn store(&mut self, folder: &Path, name: &str) -> Option<Pdb> {
        let key = self.wanted.key();
        let listing = match Listing::read(folder) {
            Ok(listing) => listing,
            Err(source) => return self.note_failure(folder, source),
        };
        let mut inner = listing.named(&key).filter(|entry| entry.is_dir()).peekable();
        if inner.peek().is_none() {
            self.note(&folder.join(&key).join(name), Outcome::Absent);
        }
        inner.find_map(|entry| {
            let listing = Listing::read(entry).ok()?;
            let files: Vec<&PathBuf> = listing.named(name).collect();
            if files.is_empty() {
                self.note(&entry.join(name), Outcome::Absent);
            }
            files.into_iter().find_map(|file| self.file(file))
        })
    }

    fn others(&mut self, listing: &Listing) -> Option<Pdb> {
        let name = self.wanted.pdb_name.clone();
        let mut opened = 0usize;
        for file in listing.pdbs().filter(|file| !is_named(file, &name)) {
            if opened == MAX_OPENED {
                self.note(file, Outcome::TooMany);
                return None;
            }
            opened = opened.saturating_add(1);
            if let Some(pdb) = self.file(file) {
                return Some(pdb);
            }
        }
        None
    }
}

/// A folder's entries by name, so that the order of what is tried does not depend on the file system.
struct Listing {
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
            entries,
            cut: reader.next().is_some(),
        })
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a PathBuf> {
        self.entries.iter().filter(move |entry| is_named(entry, name))
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
