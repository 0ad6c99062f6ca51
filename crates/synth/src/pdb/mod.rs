//! Writes program databases (PDB 7.0): what a debugger's symbol server gives for a kernel image.
//!
//! A [`Pdb`] says in neutral words what is to be in the file; [`Pdb::write`] makes the bytes: the
//! container with its free page maps, the identity, types with their hash, debug information with
//! section headers, public symbols with their hash, OMAP where asked for.
//!
//! ```text
//! stream  0  old directory (empty)           5  hash of 2        10  publics hash
//!         1  identity, named streams         6  hash of 4        11  section headers
//!         2  types                           7  /names           12  original section headers
//!         3  debug information               8  symbol records   13  OMAP to source
//!         4  ids (none)                      9  globals hash     14  OMAP from source
//! ```

mod dbi;
mod hash;
mod info;
mod kernel;
mod leaf;
mod model;
mod msf;
mod out;
mod publics;
mod records;
mod strings;
mod tpi;

pub use kernel::{describe_kernel, from_kernel};
pub use model::{Enum, Member, TypeRef, TypeTable, Udt, UdtKind};
pub use publics::Public;

use crate::layout::Section;
use dbi::DebugStreams;
use out::Out;

/// Which forms of type records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaves {
    /// Give every type a unique (decorated) name besides its plain one.
    pub unique_names: bool,
    /// Write classes, structures and unions as 0x1608, 0x1609, 0x160a, as kernels since about build
    /// 21286 do.
    pub wide: bool,
    /// Put a record of a kind that no reader knows among the others.
    pub unknown_record: bool,
}

/// How an image whose blocks were moved after linking maps to the one its symbols tell of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Omap {
    /// Sections of the moved image. Those of the PDB are the original ones then.
    pub moved_sections: Vec<Section>,
    /// Original RVA to moved RVA, ascending; each holds up to the next one, and a moved RVA of 0
    /// says that the block is gone.
    pub from_source: Vec<(u32, u32)>,
    /// Moved RVA to original RVA, ascending.
    pub to_source: Vec<(u32, u32)>,
}

/// Everything that is in a PDB.
#[derive(Clone, Debug)]
pub struct Pdb {
    /// GUID in the order of the bytes of an RSDS record.
    pub guid: [u8; 16],
    /// Age of the debug information, which the image's RSDS record repeats.
    pub age: u32,
    /// Age of the file, where a tool that rewrote it counted on.
    pub rewritten_age: Option<u32>,
    /// Seconds since 1970 when it was written.
    pub signature: u32,
    /// `IMAGE_FILE_MACHINE_*`: 0x8664, 0x14c.
    pub machine: u16,
    /// Bytes of a block of the container: 512, 1024, 2048 or 4096.
    pub block_size: usize,
    /// Forms of records.
    pub leaves: Leaves,
    /// Types.
    pub types: TypeTable,
    /// Sections that the public symbols refer to.
    pub sections: Vec<Section>,
    /// Public symbols.
    pub publics: Vec<Public>,
    /// Present where the image's blocks were moved.
    pub omap: Option<Omap>,
}

const TYPES: usize = 2;
const IDS: usize = 4;
const TYPE_HASH: u16 = 5;
const ID_HASH: u16 = 6;
const NAMES: u16 = 7;
const SYMBOLS: u16 = 8;
const GLOBALS: u16 = 9;
const PUBLICS: u16 = 10;
const SECTIONS: u16 = 11;
const ORIGINAL_SECTIONS: u16 = 12;
const OMAP_TO_SOURCE: u16 = 13;
const OMAP_FROM_SOURCE: u16 = 14;

impl Pdb {
    /// The file.
    ///
    /// # Panics
    /// When something in it cannot be said in the format: a type that holds itself, a record or name
    /// too long, an array of an undefined type.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let records = records::lower(&self.types, self.leaves);
        let mut names = strings::Strings::new();
        for name in records.redefined().keys() {
            names.add(name);
        }
        let (types, type_hash) = tpi::write(&records, TYPE_HASH, |name| names.offset(name));
        let none = records::Records::default();
        let (ids, id_hash) = tpi::write(&none, ID_HASH, |_| 0);
        let symbols = self.symbols(&records);

        let mut streams = vec![Vec::new(); usize::from(SECTIONS)];
        streams[1] = self.info();
        streams[TYPES] = types;
        streams[3] = self.debug_information();
        streams[IDS] = ids;
        streams[usize::from(TYPE_HASH)] = type_hash;
        streams[usize::from(ID_HASH)] = id_hash;
        streams[usize::from(NAMES)] = names.write();
        streams[usize::from(GLOBALS)] = symbols.globals_stream();
        streams[usize::from(PUBLICS)] = symbols.publics_stream();
        streams[usize::from(SYMBOLS)] = symbols.records;
        streams.extend(self.debug_streams());
        msf::write(&streams, self.block_size)
    }

    /// Segment and offset of an RVA.
    ///
    /// # Panics
    /// When it is in no section.
    #[must_use]
    pub fn place(sections: &[Section], rva: u32) -> (u16, u32) {
        let found = (1..)
            .zip(sections)
            .find(|(_, s)| s.rva <= rva && rva - s.rva < s.size);
        let (number, section) = found.unwrap_or_else(|| panic!("{rva:#x} is in no section"));
        (number, rva - section.rva)
    }

    fn info(&self) -> Vec<u8> {
        let identity = info::Identity {
            signature: self.signature,
            age: self.rewritten_age.unwrap_or(self.age),
            guid: self.guid,
        };
        info::write(&identity, &[("/names", NAMES)])
    }

    fn symbols(&self, records: &records::Records) -> publics::Symbols {
        let mut symbols = publics::Symbols::default();
        for (name, index) in &records.definitions {
            symbols.add_type_name(name, *index);
        }
        for public in &self.publics {
            symbols.add_public(public);
        }
        symbols
    }

    fn debug_information(&self) -> Vec<u8> {
        let moved = |stream| self.omap.as_ref().map(|_| stream);
        let streams = dbi::Streams {
            globals: GLOBALS,
            publics: PUBLICS,
            symbols: SYMBOLS,
            debug: DebugStreams {
                sections: Some(SECTIONS),
                original_sections: moved(ORIGINAL_SECTIONS),
                omap_to_source: moved(OMAP_TO_SOURCE),
                omap_from_source: moved(OMAP_FROM_SOURCE),
            },
        };
        dbi::write(self.age, self.machine, &self.sections, &streams)
    }

    /// The streams from [`SECTIONS`] on.
    fn debug_streams(&self) -> Vec<Vec<u8>> {
        let own = dbi::section_headers(&self.sections);
        match &self.omap {
            None => vec![own],
            Some(omap) => vec![
                dbi::section_headers(&omap.moved_sections),
                own,
                pairs(&omap.to_source),
                pairs(&omap.from_source),
            ],
        }
    }
}

fn pairs(entries: &[(u32, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (from, to) in entries {
        out.u32(*from);
        out.u32(*to);
    }
    out
}

/// PDBs that Microsoft's linker wrote, where they are present.
#[cfg(test)]
fn sample_paths() -> Vec<std::path::PathBuf> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples");
    let names = ["xcpt4.pdb", "SimplePDB.pdb"].iter();
    names.map(|n| folder.join(n)).filter(|p| p.is_file()).collect()
}

/// For each of them, its streams by number.
#[cfg(test)]
fn samples() -> Vec<impl FnMut(u16) -> Vec<u8>> {
    let open = |path| {
        let mut file = ::pdb::PDB::open(std::fs::File::open(path).unwrap()).unwrap();
        move |number| {
            let stream = file.raw_stream(::pdb::StreamIndex(number)).unwrap();
            stream.unwrap().to_vec()
        }
    };
    sample_paths().into_iter().map(open).collect()
}
