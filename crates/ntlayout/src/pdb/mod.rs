//! PDB files as symbol tables.
//!
//! `pdb2` opens the PDB and tells its identity, sections and OMAP, once the container is known to be sound.
//! Types and public symbols are read by checked code of this crate's own, through the hash tables of the PDB
//! and of the large streams only the pieces that a question needs: `pdb2` reads whole streams, has no look-up
//! by name, and its parsers of records trust what a file claims. There it serves the tests as a second opinion.

mod dbi;
mod hash;
mod headers;
mod msf;
mod publics;
mod record;
mod sections;
mod source;
mod tpi;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::bytes::Cursor;
use crate::contract::Contract;
use crate::error::SymbolError;
use crate::identity::{Guid, Identity};
use crate::layout::{BitField, Layout};
use crate::origin::Origin;
use crate::pdb::dbi::Dbi;
use crate::pdb::headers::Headers;
use crate::pdb::msf::Msf;
use crate::pdb::publics::Publics;
use crate::pdb::record::{Entry, FIRST_RECORD, Record};
use crate::pdb::sections::AddressMap;
use crate::pdb::source::Source;
use crate::pdb::tpi::Types;
use crate::resolve::{self, Slot, TypeId, TypeSource};
use crate::table::{SymbolTable, TypeInfo, TypeName};

const FIELDS: &str = "field list";
/// Modifiers, aliases, pointers and arrays that only name each other deeper than this are a cycle.
const MAX_INDIRECTION: usize = 32;
/// A field list is split where it passes 64 KiB; an `_EPROCESS` has one part.
const MAX_PARTS: usize = 1024;
/// Members or enumerators of one type; records count them in 16 bits.
const MAX_ENTRIES: usize = 65_535;

/// An open PDB.
///
/// Opening reads the headers; questions read what they need, and what was read is kept. A kernel's PDB of the
/// right identity is found by [`find`](crate::find).
#[derive(Debug)]
pub struct Pdb {
    msf: Msf,
    headers: Headers,
    identity: Identity,
    origin: Origin,
    dbi: Option<Dbi>,
    publics: Option<Publics>,
    types: OnceLock<Option<Types>>,
    addresses: OnceLock<AddressMap>,
}

impl Pdb {
    /// Opens a file and reads its headers.
    ///
    /// # Errors
    /// The file cannot be read, is no PDB, or its headers contradict themselves or the file's length.
    pub fn open(path: &Path) -> Result<Self, SymbolError> {
        Self::new(Msf::open(path)?)
    }

    /// Takes a PDB's bytes; `name` stands for its path, and its last part for the PDB's name.
    ///
    /// # Errors
    /// The bytes are no PDB, or its headers contradict themselves or the length.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, SymbolError> {
        Self::new(Msf::new(PathBuf::from(name), Source::Bytes(bytes))?)
    }

    /// Takes the bytes of a PDB that is packed in the file at `path` under that name.
    #[cfg(any(feature = "symbols-cab", feature = "symbols-msfz"))]
    pub(crate) fn from_packed(path: &Path, name: &str, bytes: Vec<u8>) -> Result<Self, SymbolError> {
        let mut pdb = Self::new(Msf::new(path.to_owned(), Source::Bytes(bytes))?)?;
        name.clone_into(&mut pdb.identity.pdb_name);
        Ok(pdb)
    }

    fn new(msf: Msf) -> Result<Self, SymbolError> {
        let dbi = Dbi::read(&msf)?;
        let headers = Headers::read(&msf)?;
        let name = msf.path().file_name().unwrap_or_default().to_string_lossy();
        let identity = Identity {
            pdb_name: name.into_owned(),
            guid: headers.guid,
            age: headers.age.unwrap_or(headers.info_age),
        };
        // The PDBs that Microsoft publishes are stripped of private symbols: what they still say of globals are
        // the publics, names with places and without types (Microsoft's "Public and Private Symbols").
        let publics = dbi.and_then(|dbi| dbi.symbols.map(|records| Publics::new(dbi.publics, records)));
        Ok(Self {
            origin: Origin::Pdb {
                path: msf.path().to_owned(),
            },
            identity,
            headers,
            dbi,
            publics,
            types: OnceLock::new(),
            addresses: OnceLock::new(),
            msf,
        })
    }

    /// How many type records and field list entries of an unknown kind have been met and left out so far.
    #[must_use]
    pub fn unknown_records(&self) -> u32 {
        self.types
            .get()
            .and_then(Option::as_ref)
            .map_or(0, Types::unknown)
    }

    fn types(&self) -> Result<&Types, SymbolError> {
        let types = match self.types.get() {
            Some(known) => known,
            None => {
                let read = Types::read(&self.msf)?;
                self.types.get_or_init(|| read)
            }
        };
        types.as_ref().ok_or_else(|| self.msf.lacks("type information"))
    }

    fn addresses(&self, dbi: &Dbi) -> Result<&AddressMap, SymbolError> {
        if let Some(known) = self.addresses.get() {
            return Ok(known);
        }
        let read = AddressMap::read(&self.msf, &self.headers, dbi.debug_streams())?;
        Ok(self.addresses.get_or_init(|| read))
    }

    fn record(&self, ty: TypeId) -> Result<Record<'_>, SymbolError> {
        self.types()?.record(&self.msf, ty)
    }

    /// A type without modifiers and aliases, and complete where only its name is given.
    fn resolved(&self, ty: TypeId) -> Result<Resolved<'_>, SymbolError> {
        let mut ty = ty;
        for _ in 0..MAX_INDIRECTION {
            if ty.0 < FIRST_RECORD {
                return Ok(Resolved::Builtin(ty));
            }
            let record = self.record(ty)?;
            let name = match record {
                Record::Modifier { to } | Record::Alias { to } => {
                    ty = to;
                    continue;
                }
                // A structure that another one only points to is a declaration here (LF_FORWARDREF), and its
                // definition another record with another number, found by name (LLVM's "CodeView Type
                // Records").
                Record::Udt(udt) if udt.forward => udt.name,
                Record::Enum(enumeration) if enumeration.forward => enumeration.name,
                other => return Ok(Resolved::Record(other)),
            };
            // A kernel's PDB has 189 to 283 types of such names: to look one of them up by name would give the
            // members of whichever comes first. Their numbers are followed, and a declaration without members
            // leads nowhere.
            if record::is_shared_name(name) {
                return Ok(Resolved::Undefined);
            }
            match self.types()?.find(&self.msf, name)? {
                Some(definition) => ty = definition,
                None => return Ok(Resolved::Undefined),
            }
        }
        Err(self.corrupt(format!("type {:#x} is defined by itself", ty.0)))
    }

    fn udt(&self, ty: TypeId) -> Result<Option<record::Udt<'_>>, SymbolError> {
        Ok(match self.resolved(ty)? {
            Resolved::Record(Record::Udt(udt)) => Some(udt),
            _ => None,
        })
    }

    /// Calls `each` for every entry of a field list and its continuations, until one is of an unknown kind.
    fn entries<'a>(
        &'a self,
        fields: TypeId,
        mut each: impl FnMut(Entry<'a>) -> Result<(), SymbolError>,
    ) -> Result<(), SymbolError> {
        let mut next = Some(fields).filter(|fields| fields.0 != 0);
        for _ in 0..MAX_PARTS {
            let Some(part) = next.take() else { return Ok(()) };
            let Record::FieldList(bytes) = self.record(part)? else {
                return Err(self.msf.corrupt(FIELDS, format!("type {:#x} is none", part.0)));
            };
            let mut cursor = Cursor::new(bytes);
            while !cursor.is_empty() {
                match record::entry(&mut cursor) {
                    // LF_INDEX: a record's length has 16 bits, and a list that does not fit goes on elsewhere.
                    Some(Entry::Continued(to)) => next = Some(to),
                    Some(entry) => each(entry)?,
                    None => {
                        // Not fatal: new tool chains bring new leaves, as the kernels since about build 21286 show.
                        self.types()?.note_unknown();
                        break;
                    }
                }
            }
        }
        Err(self.msf.corrupt(
            FIELDS,
            format!("type {:#x} has more than {MAX_PARTS} parts", fields.0),
        ))
    }

    fn full(&self, count: usize) -> Result<(), SymbolError> {
        if count < MAX_ENTRIES {
            return Ok(());
        }
        Err(self
            .msf
            .corrupt(FIELDS, format!("more than {MAX_ENTRIES} entries")))
    }

    fn size_at(&self, ty: TypeId, depth: usize) -> Result<Option<u32>, SymbolError> {
        let depth = self.deeper(ty, depth)?;
        let record = match self.resolved(ty)? {
            Resolved::Builtin(ty) => return Ok(builtin_size(ty)),
            Resolved::Undefined => return Ok(None),
            Resolved::Record(record) => record,
        };
        Ok(match record {
            Record::Udt(udt) => Some(udt.size),
            Record::Pointer { size, .. } | Record::Array { size, .. } => Some(size),
            Record::Enum(record::Enumeration { underlying, .. }) | Record::BitField { underlying, .. } => {
                self.size_at(underlying, depth)?
            }
            Record::Function | Record::FieldList(_) | Record::Modifier { .. } | Record::Alias { .. } => None,
            Record::Other => {
                self.types()?.note_unknown();
                None
            }
        })
    }

    fn deeper(&self, ty: TypeId, depth: usize) -> Result<usize, SymbolError> {
        let deeper = depth.checked_add(1).filter(|&depth| depth < MAX_INDIRECTION);
        deeper.ok_or_else(|| self.corrupt(format!("type {:#x} is nested too deeply", ty.0)))
    }

    fn print_at(&self, ty: TypeId, depth: usize) -> Result<String, SymbolError> {
        let depth = self.deeper(ty, depth)?;
        if ty.0 < FIRST_RECORD {
            return Ok(print_builtin(ty));
        }
        Ok(match self.record(ty)? {
            Record::Udt(record::Udt { name, .. }) | Record::Enum(record::Enumeration { name, .. }) => {
                String::from_utf8_lossy(name).into_owned()
            }
            Record::Pointer { to, size } => {
                format!("Ptr{} {}", size.saturating_mul(8), self.print_at(to, depth)?)
            }
            Record::Array { element, size } => {
                let one = self.size_at(element, depth)?.unwrap_or(0);
                format!(
                    "[{}] {}",
                    size.checked_div(one).unwrap_or(0),
                    self.print_at(element, depth)?
                )
            }
            Record::BitField { bits, .. } => bits.to_string(),
            Record::Modifier { to } | Record::Alias { to } => self.print_at(to, depth)?,
            Record::Function => "Function".to_owned(),
            Record::FieldList(_) | Record::Other => "Unknown".to_owned(),
        })
    }

    fn public(&self, name: &str) -> Result<Option<u32>, SymbolError> {
        let (Some(publics), Some(dbi)) = (&self.publics, &self.dbi) else {
            return Err(self.msf.lacks("public symbols"));
        };
        let Some(place) = publics.find(&self.msf, name)? else {
            return Ok(None);
        };
        // Not every public is an address: one whose segment is beyond the section count is absolute, a number
        // that the linker knew, and has no RVA.
        Ok(self.addresses(dbi)?.rva(place.segment, place.offset))
    }
}

/// What a type's number leads to.
enum Resolved<'a> {
    Builtin(TypeId),
    /// Never a modifier or alias, nor a name without its definition.
    Record(Record<'a>),
    /// A name that is nowhere defined.
    Undefined,
}

/// Bits 8 to 11 tell a pointer's kind, the low byte what it points to.
fn builtin_size(ty: TypeId) -> Option<u32> {
    match (ty.0 >> 8) & 0xf {
        0 => record::builtin(low_byte(ty)).map(|(size, _)| size),
        mode => record::builtin_pointer(mode),
    }
}

fn print_builtin(ty: TypeId) -> String {
    let name = record::builtin(low_byte(ty)).map_or("Unknown", |(_, name)| name);
    match (ty.0 >> 8) & 0xf {
        0 => name.to_owned(),
        mode => format!(
            "Ptr{} {name}",
            record::builtin_pointer(mode).unwrap_or(0).saturating_mul(8)
        ),
    }
}

fn low_byte(ty: TypeId) -> u8 {
    ty.0.to_le_bytes()[0]
}

impl SymbolTable for Pdb {
    fn identity(&self) -> Option<&Identity> {
        Some(&self.identity)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The age that counts is that of the DBI stream, which a linker writes into PDB and image alike. The info
    /// stream's age is accepted as well: it may be higher, since tools that rewrite a PDB count it up, and
    /// some images carry that one.
    fn belongs_to(&self, guid: Guid, age: u32) -> bool {
        self.identity.guid == guid && (self.identity.age == age || self.headers.info_age == age)
    }

    fn pointer_size(&self) -> Option<u8> {
        self.headers.pointer_size
    }

    fn resolve(&self, contract: &Contract) -> Result<Layout, SymbolError> {
        resolve::resolve(self, contract)
    }

    fn type_info(&self, name: &str) -> Result<Option<TypeInfo>, SymbolError> {
        resolve::type_info(self, name)
    }

    fn type_names(&self) -> Result<Vec<TypeName>, SymbolError> {
        let names = self.types()?.definitions(&self.msf)?;
        let name = |(name, size): (&[u8], _)| TypeName {
            name: String::from_utf8_lossy(name).into_owned(),
            size,
        };
        Ok(names.into_iter().map(name).collect())
    }

    fn global(&self, name: &str) -> Result<Option<u32>, SymbolError> {
        match self.public(name)? {
            Some(rva) => Ok(Some(rva)),
            // C names of x86 carry an underscore: `_PsActiveProcessHead` (Microsoft's "Decorated names"). Those
            // of x64 and ARM64 carry none.
            None => self.public(&format!("_{name}")),
        }
    }

    /// Of several symbols at one address, the first in the order of the PDB's own map of addresses.
    fn nearest(&self, rva: u32) -> Result<Option<(String, u32)>, SymbolError> {
        let (Some(publics), Some(dbi)) = (&self.publics, &self.dbi) else {
            return Ok(None);
        };
        let addresses = self.addresses(dbi)?;
        let place = |segment, offset| addresses.rva(segment, offset);
        publics.nearest(&self.msf, rva, &place)
    }

    fn enum_info(&self, name: &str) -> Result<Option<Vec<(String, i64)>>, SymbolError> {
        let Some(ty) = self.types()?.find(&self.msf, name.as_bytes())? else {
            return Ok(None);
        };
        let Record::Enum(enumeration) = self.record(ty)? else {
            return Ok(None);
        };
        let mut values = Vec::new();
        self.entries(enumeration.fields, |entry| {
            if let Entry::Enumerator { value, name } = entry {
                self.full(values.len())?;
                values.push((String::from_utf8_lossy(name).into_owned(), value));
            }
            Ok(())
        })?;
        Ok(Some(values))
    }
}

impl TypeSource for Pdb {
    fn definition(&self, name: &str) -> Result<Option<TypeId>, SymbolError> {
        let found = self.types()?.find(&self.msf, name.as_bytes())?;
        let Some(ty) = found else { return Ok(None) };
        Ok(matches!(self.record(ty)?, Record::Udt(_)).then_some(ty))
    }

    fn size(&self, ty: TypeId) -> Result<Option<u32>, SymbolError> {
        self.size_at(ty, 0)
    }

    fn bits(&self, ty: TypeId) -> Result<Option<BitField>, SymbolError> {
        if ty.0 < FIRST_RECORD {
            return Ok(None);
        }
        Ok(match self.record(ty)? {
            Record::BitField { bits, .. } => Some(bits),
            _ => None,
        })
    }

    fn members(&self, ty: TypeId) -> Result<Vec<Slot<'_>>, SymbolError> {
        let Some(udt) = self.udt(ty)? else {
            return Ok(Vec::new());
        };
        let mut slots = Vec::new();
        self.entries(udt.fields, |entry| {
            if let Entry::Member { ty, offset, name } = entry {
                self.full(slots.len())?;
                slots.push(Slot { name, offset, ty });
            }
            Ok(())
        })?;
        Ok(slots)
    }

    fn is_anonymous(&self, ty: TypeId) -> Result<bool, SymbolError> {
        let Some(udt) = self.udt(ty)? else {
            return Ok(false);
        };
        Ok(record::is_anonymous(udt.name))
    }

    fn print(&self, ty: TypeId) -> Result<String, SymbolError> {
        self.print_at(ty, 0)
    }

    fn corrupt(&self, detail: String) -> SymbolError {
        self.msf.corrupt("type stream", detail)
    }
}

/// Questions may come from several threads at once.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Pdb>();
};
