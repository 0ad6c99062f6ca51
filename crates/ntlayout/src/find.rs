//! Looking for the symbols of an image in files, folders and symbol stores.

use std::cell::OnceCell;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::SymbolError;
use crate::given::{Given, links_to_network};
use crate::identity::Identity;
use crate::lookalike::Lookalike;
use crate::open::{open, open_for};
use crate::path::{Place, is_remote};
use crate::table::Table;

/// Entries of a folder that are looked at, and symbol files directly in it that are opened.
const MAX_ENTRIES: usize = 10_000;
const MAX_OPENED: usize = 256;
/// A store's `file.ptr` holds one path.
const MAX_POINTER: u64 = 4096;
/// What the tables that Volatility reads are called after GUID and age.
const ISF_ENDS: [&str; 4] = [".json", ".json.xz", ".json.gz", ".json.bz2"];

/// How the names of tables and of archives of them end.
const TABLE_ENDS: [&str; 6] = [".json", ".json.xz", ".json.gz", ".json.bz2", ".json.zst", ".zip"];

/// The symbols that were wanted, and where else was looked before they were found.
#[derive(Debug)]
pub struct Found {
    /// The symbols, of the wanted identity.
    pub table: Table,
    /// Further symbols of that identity, where the first were not enough.
    pub more: Vec<Table>,
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
    /// The symbols that were wanted, which are not enough.
    NotEnough,
    /// A table by its name, which is not opened: neither its name nor its folder's is that of the wanted symbols.
    PassedOver,
    /// An archive or a file in a compression that is not read, which may hold symbols.
    Packed(Lookalike),
    /// An archive of so many files, none of which is named as the table of the wanted symbols.
    NotInArchive(usize),
    /// Packs of so many kernels, none of which is the wanted one.
    NotAmongPacks(usize),
    /// Something that cannot be used.
    Unusable(SymbolError),
    /// A folder with no symbols in it.
    NoSymbols,
    /// A folder with more entries or symbol files than are looked at.
    TooMany,
    /// A store's pointer to a file elsewhere.
    PointsTo(String),
    /// A pointer or a link that leaves the folders that were given: it is not followed.
    LeadsOut(String),
    /// A server or share, or a link to one: it is not asked.
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
            Self::NotEnough => f.write_str("the right symbols, without all of the types that are needed"),
            Self::PassedOver => f.write_str(
                "not opened: its name tells neither the PDB's name nor its GUID and age; name the file itself if it is \
                 of this kernel",
            ),
            Self::Packed(kind) => write!(f, "{kind}"),
            Self::NotInArchive(files) => write!(
                f,
                "an archive of {files} files, none of which is called by the GUID and age of these symbols"
            ),
            Self::NotAmongPacks(kernels) => write!(f, "packs of {kernels} kernels, none of which is this"),
            Self::Unusable(error) => write!(f, "{error}"),
            Self::NoSymbols => f.write_str("a folder with no symbols in it"),
            Self::TooMany => f.write_str("a folder with too many files; not all were looked at"),
            Self::PointsTo(target) => write!(f, "a pointer to {target}"),
            Self::LeadsOut(target) => write!(
                f,
                "leads to {target}, which is in none of the folders that were given, and is not followed; name that \
                 folder too"
            ),
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
/// tiers, where the file may be compressed or stand elsewhere in the places (`file.ptr`).
///
/// Nothing on the network is ever asked, and what is found is followed no further than the places go: a `file.ptr`
/// anywhere, and links in the dump's own folder.
/// See [`belongs_to`](crate::SymbolTable::belongs_to) for what counts as the same identity.
///
/// # Errors
/// None of the places has them: all that was looked at, and what each path held.
pub fn find(wanted: &Identity, places: &[Place]) -> Result<Found, NotFound> {
    find_enough(wanted, places, &mut |_| true)
}

/// The same; where the symbols found so far are not `enough`, the search goes on through all places for more of them.
/// It is asked with each table in turn.
///
/// # Errors
/// As [`find`].
pub fn find_enough(
    wanted: &Identity,
    places: &[Place],
    enough: &mut dyn FnMut(&Table) -> bool,
) -> Result<Found, NotFound> {
    let mut hunt = Hunt {
        wanted,
        places,
        given: OnceCell::new(),
        beside: false,
        looked: Vec::new(),
        enough,
        lacking: Vec::new(),
    };
    let found = places.iter().find_map(|place| hunt.place(place));
    let Hunt { looked, lacking, .. } = hunt;
    let mut all = lacking.into_iter().chain(found);
    match all.next() {
        Some(table) => Ok(Found {
            table,
            more: all.collect(),
            looked,
        }),
        None => Err(NotFound {
            wanted: wanted.clone(),
            looked,
        }),
    }
}

struct Hunt<'w> {
    wanted: &'w Identity,
    places: &'w [Place],
    given: OnceCell<Given>,
    /// Whether it is in the dump's own folder.
    beside: bool,
    looked: Vec<Looked>,
    enough: &'w mut dyn FnMut(&Table) -> bool,
    /// The right symbols, not all that is needed.
    lacking: Vec<Table>,
}

impl Hunt<'_> {
    /// Takes the right symbols, if they are enough. One file can be in several places.
    fn take(&mut self, path: &Path, table: Table) -> Option<Table> {
        let again = |known: &Table| known.origin() == table.origin();
        if self.lacking.iter().any(again) {
            return None;
        }
        if (self.enough)(&table) {
            return Some(table);
        }
        self.note(path, Outcome::NotEnough);
        self.lacking.push(table);
        None
    }

    fn place(&mut self, place: &Place) -> Option<Table> {
        self.beside = matches!(place, Place::Beside(_));
        match place {
            Place::Path(path) | Place::Beside(path) => self.path(path),
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
        if !self.beside && links_to_network(path) {
            self.note(path, Outcome::Remote);
            return None;
        }
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
        match open_for(path, Some(self.wanted)) {
            Ok(table) if table.belongs_to(self.wanted.guid, self.wanted.age) => {
                return self.take(path, table);
            }
            Ok(table) => self.note(path, Outcome::Other(table.identity().cloned())),
            Err(SymbolError::NotPdb {
                found: Lookalike::FilePointer,
                ..
            }) => return self.pointer(path),
            Err(SymbolError::NotPdb {
                found: Lookalike::Zip,
                ..
            }) => return self.archive(path),
            Err(SymbolError::ManyKernels { kernels, .. }) => {
                self.note(path, Outcome::NotAmongPacks(kernels));
            }
            Err(error) => self.note(path, Outcome::Unusable(error)),
        }
        None
    }

    /// The table of the wanted symbols in an archive, as Volatility publishes them: under `GUID-age.json`, in whatever
    /// folder and compression.
    #[cfg(feature = "symbols-zip")]
    fn archive(&mut self, path: &Path) -> Option<Table> {
        let damaged = |detail: String| {
            Outcome::Unusable(SymbolError::Damaged {
                path: path.to_owned(),
                kind: "archive of tables",
                detail,
            })
        };
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(source) => return self.note_failure(path, source),
        };
        // windows.zip, as Volatility publishes it, has a table for each kernel.
        let mut archive = match zip::ZipArchive::new(std::io::BufReader::new(file)) {
            Ok(archive) => archive,
            Err(error) => {
                self.note(path, damaged(error.to_string()));
                return None;
            }
        };
        // Symbol servers write GUID and age as one word, age in hex; Volatility's tables have a hyphen between,
        // age in decimal: `5278AFF86C341677D7D7835C85B7B844-1.json.xz`.
        let stem = format!("{}-{}", self.wanted.guid, self.wanted.age).to_ascii_lowercase();
        let is_wanted = |name: &str| {
            let file = name
                .rsplit(['/', '\\'])
                .next()
                .unwrap_or(name)
                .to_ascii_lowercase();
            let end = file.strip_prefix(&stem);
            end.is_some_and(|end| ISF_ENDS.contains(&end))
        };
        let mut names = archive
            .file_names()
            .filter_map(|name| Some(name.ok()?.into_owned()));
        let found = names.find(|name| is_wanted(name));
        drop(names);
        let Some(name) = found else {
            self.note(path, Outcome::NotInArchive(archive.len()));
            return None;
        };
        let table = match archive.by_name(&name) {
            Ok(member) => crate::open::member(path, &name.to_ascii_lowercase(), member),
            Err(error) => {
                self.note(path, damaged(error.to_string()));
                return None;
            }
        };
        match table {
            Ok(table) if table.belongs_to(self.wanted.guid, self.wanted.age) => self.take(path, table),
            Ok(table) => {
                self.note(path, Outcome::Other(table.identity().cloned()));
                None
            }
            Err(error) => {
                self.note(path, Outcome::Unusable(error));
                None
            }
        }
    }

    #[cfg(not(feature = "symbols-zip"))]
    fn archive(&mut self, path: &Path) -> Option<Table> {
        self.note(path, Outcome::Packed(Lookalike::Zip));
        None
    }

    /// Follows a store's pointer, one step, to a file in the places.
    fn pointer(&mut self, path: &Path) -> Option<Table> {
        let mut text = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(MAX_POINTER).read_to_end(&mut text));
        if let Err(source) = read {
            return self.note_failure(path, source);
        }
        let text = String::from_utf8_lossy(&text);
        // file.ptr holds `PATH:` and a place. Stores that only index what lies elsewhere have nothing but these
        // (symstore /p).
        let target = text.trim().strip_prefix("PATH:").unwrap_or_default().trim();
        if is_remote(target) {
            self.note(path, Outcome::PointsTo(target.to_owned()));
            self.note(Path::new(target), Outcome::Remote);
            return None;
        }
        let Some(place) = self.given().inside(Path::new(target)) else {
            self.note(path, Outcome::LeadsOut(target.to_owned()));
            return None;
        };
        self.note(path, Outcome::PointsTo(target.to_owned()));
        match open(&place) {
            Ok(table) if table.belongs_to(self.wanted.guid, self.wanted.age) => {
                return self.take(&place, table);
            }
            Ok(table) => self.note(&place, Outcome::Other(table.identity().cloned())),
            Err(SymbolError::Io { source, .. }) => return self.note_failure(&place, source),
            Err(error) => self.note(&place, Outcome::Unusable(error)),
        }
        None
    }

    fn folder(&mut self, folder: &Path) -> Option<Table> {
        let listing = match Listing::read(folder) {
            Ok(listing) => listing,
            Err(source) => return self.note_failure(folder, source),
        };
        let before = (self.looked.len(), self.lacking.len());
        let found = self.probed(&listing).or_else(|| self.directly(folder, &listing));
        if found.is_none() && listing.cut {
            self.note(folder, Outcome::TooMany);
        } else if found.is_none() && (self.looked.len(), self.lacking.len()) == before {
            self.note(folder, Outcome::NoSymbols);
        }
        found
    }

    /// In `symbols/pdb` and `pdb`, where debuggers look first.
    fn probed(&mut self, listing: &Listing) -> Option<Table> {
        let symbols = self.subfolder(listing, "symbols");
        let folders = [
            symbols.and_then(|symbols| self.subfolder(&symbols, "pdb")),
            self.subfolder(listing, "pdb"),
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
        found
            .or_else(|| self.others(listing))
            .or_else(|| self.tables(listing))
    }

    /// The PDB under its own name, plain or compressed.
    fn named(&mut self, listing: &Listing) -> Option<Table> {
        let name = &self.wanted.pdb_name;
        self.first_of(listing, &[name.clone(), packed(name)])
    }

    fn store(&mut self, listing: &Listing) -> Option<Table> {
        let name = self.wanted.pdb_name.clone();
        // A store of two tiers says so by a file index2.txt in its root (nt/ntkrnlmp.pdb/...). Parts of stores
        // are copied without it, so that both ways are tried.
        let tier: String = name.chars().take(2).collect();
        let tier = self.subfolder(listing, &tier);
        let tiers = [
            self.subfolder(listing, &name),
            tier.and_then(|tier| self.subfolder(&tier, &name)),
        ];
        tiers
            .into_iter()
            .flatten()
            .find_map(|folder| self.stored(&folder))
    }

    fn stored(&mut self, listing: &Listing) -> Option<Table> {
        let key = self.wanted.key();
        let name = self.wanted.pdb_name.clone();
        let Some(inner) = self.subfolder(listing, &key) else {
            self.note(&listing.path.join(&key).join(name), Outcome::Absent);
            return None;
        };
        let before = self.looked.len();
        let found = self.first_of(&inner, &[name.clone(), packed(&name), "file.ptr".to_owned()]);
        if found.is_none() && self.looked.len() == before {
            self.note(&inner.path.join(name), Outcome::Absent);
        }
        found
    }

    fn volatility(&mut self, listing: &Listing) -> Option<Table> {
        let name = self.wanted.pdb_name.clone();
        let named = self.subfolder(listing, &name);
        let windows = self.subfolder(listing, "windows");
        let windows = windows.and_then(|windows| self.subfolder(&windows, &name));
        [named.as_ref(), windows.as_ref(), Some(listing)]
            .into_iter()
            .flatten()
            .find_map(|folder| self.isf(folder))
    }

    fn isf(&mut self, listing: &Listing) -> Option<Table> {
        // Volatility names its tables by GUID, a dash and the age in decimal; the key of a store is the same
        // without the dash and in hex, which differs from age 10 on.
        let stem = format!("{}-{}", self.wanted.guid, self.wanted.age);
        self.first_of(listing, &ISF_ENDS.map(|end| format!("{stem}{end}")))
    }

    /// Tables under other names than Volatility's: those named after the PDB or after GUID and age in any spelling are
    /// opened, the others told. Symbols in an archive are told by opening it.
    fn tables(&mut self, listing: &Listing) -> Option<Table> {
        let stem = format!("{}-{}", self.wanted.guid, self.wanted.age);
        let name = self.wanted.pdb_name.to_ascii_lowercase();
        let pdb = name.strip_suffix(".pdb").unwrap_or(&name);
        let key = self.wanted.key().to_ascii_lowercase();
        let mut told = 0usize;
        for file in listing.entries.iter().filter(|file| is_table(file)) {
            if !self.may_follow(file) || !file.is_file() {
                continue;
            }
            let own = file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .to_ascii_lowercase();
            if ISF_ENDS.iter().any(|end| is_named(file, &format!("{stem}{end}"))) {
                continue;
            }
            let plain: String = own.chars().filter(char::is_ascii_alphanumeric).collect();
            let is_archive = !ISF_ENDS.iter().any(|end| own.ends_with(end));
            let found = if is_archive {
                self.packed(file)
            } else if own.starts_with(pdb) || plain.starts_with(&key) {
                self.file(file)
            } else {
                self.note(file, Outcome::PassedOver);
                None
            };
            told = told.saturating_add(1);
            if found.is_some() {
                return found;
            }
            if told == MAX_OPENED {
                self.note(file, Outcome::TooMany);
                return None;
            }
        }
        None
    }

    /// A file that is packed as its name says is told; one that is not may be a table.
    fn packed(&mut self, file: &Path) -> Option<Table> {
        match open(file) {
            Err(SymbolError::NotPdb {
                found: Lookalike::Zip,
                ..
            }) => self.archive(file),
            Err(SymbolError::NotPdb { found, .. }) if found != Lookalike::Unknown => {
                self.note(file, Outcome::Packed(found));
                None
            }
            Ok(table) if table.belongs_to(self.wanted.guid, self.wanted.age) => self.take(file, table),
            _ => None,
        }
    }

    fn others(&mut self, listing: &Listing) -> Option<Table> {
        let name = self.wanted.pdb_name.clone();
        let mut opened = 0usize;
        for file in listing.pdbs().filter(|file| !is_named(file, &name)) {
            if !self.may_follow(file) || !file.is_file() {
                continue;
            }
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

    /// The first of a folder's files of these names that serves.
    fn first_of(&mut self, listing: &Listing, names: &[String]) -> Option<Table> {
        let files = names.iter().flat_map(|name| listing.named(name));
        files
            .into_iter()
            .find_map(|file| (self.may_follow(file) && file.is_file()).then(|| self.file(file))?)
    }

    /// The subfolder of that name, if it can be read.
    fn subfolder(&mut self, listing: &Listing, name: &str) -> Option<Listing> {
        listing.named(name).find_map(|entry| {
            let is_folder = self.may_follow(entry) && entry.is_dir();
            is_folder.then(|| Listing::read(entry).ok())?
        })
    }

    /// Whether a folder's entry stays where it may lead, which has to be known before it is asked for anything. One
    /// that does not is noted.
    fn may_follow(&mut self, entry: &Path) -> bool {
        let Ok(target) = fs::read_link(entry) else {
            return true;
        };
        let outcome = if links_to_network(entry) {
            Outcome::Remote
        } else if self.beside && self.given().inside(entry).is_none() {
            Outcome::LeadsOut(target.display().to_string())
        } else {
            return true;
        };
        if !self.looked.iter().any(|looked| looked.path == entry) {
            self.note(entry, outcome);
        }
        false
    }

    fn given(&self) -> &Given {
        self.given.get_or_init(|| Given::of(self.places))
    }
}

/// Whether a file has the name of a table, or of an archive of them.
fn is_table(path: &Path) -> bool {
    let Some(name) = path.file_name() else {
        return false;
    };
    let name = name.to_string_lossy().to_ascii_lowercase();
    TABLE_ENDS.iter().any(|end| name.ends_with(end))
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

    fn pdbs(&self) -> impl Iterator<Item = &PathBuf> {
        let is_pdb = |entry: &&PathBuf| {
            entry
                .extension()
                .is_some_and(|end| end.eq_ignore_ascii_case("pdb"))
        };
        self.entries.iter().filter(is_pdb)
    }
}

fn is_named(path: &Path, name: &str) -> bool {
    path.file_name()
        // Stores come from Windows, where case does not count: a copy on Linux can hold NTKRNLMP.PDB or
        // ntkrnlmp.PDB.
        .is_some_and(|file| file.eq_ignore_ascii_case(name))
}
