//! Complete symbol tables of real kernels, in Volatility's intermediate symbol format, made into PDBs.
//!
//! The format keeps every type with every member and every public symbol, and forgets what a PDB says
//! beyond them: the sections, the order of types and members, which symbol is a function. What is
//! forgotten is filled in plausibly.

use std::io::{self, Read};
use std::path::Path;

use lzma_rust2::XzReader;
use serde_json::{Map, Value};

use crate::layout::{guid_bytes, sections_around};
use crate::pdb::{Enum, Leaves, Member, Pdb, Public, TypeRef, TypeTable, Udt, UdtKind};

/// A symbol table.
#[derive(Clone, Debug)]
pub struct Isf {
    /// GUID of the PDB it was made of, in the order of the bytes of an RSDS record.
    pub guid: [u8; 16],
    /// Its age.
    pub age: u32,
    /// Its name: `ntkrnlmp.pdb`.
    pub pdb_name: String,
    /// `IMAGE_FILE_MACHINE_*`.
    pub machine: u16,
    /// Types.
    pub types: TypeTable,
    /// Decorated names and RVAs of public symbols.
    pub symbols: Vec<(String, u32)>,
}

impl Isf {
    /// Reads a `.json.xz` file.
    ///
    /// # Errors
    /// When the file cannot be read or unpacked, or is not a symbol table of a kernel's PDB.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        XzReader::new(std::fs::File::open(path)?, true).read_to_end(&mut text)?;
        Self::from_json(&text)
    }

    /// Reads an unpacked table.
    ///
    /// # Errors
    /// When it is not JSON, or not a symbol table of a kernel's PDB.
    pub fn from_json(text: &[u8]) -> io::Result<Self> {
        let table: Value = serde_json::from_slice(text)?;
        let origin = &table["metadata"]["windows"]["pdb"];
        Ok(Self {
            guid: guid(string(&origin["GUID"])?)?,
            age: number(&origin["age"])?,
            pdb_name: string(&origin["database"])?.to_owned(),
            machine: number(&origin["machine_type"])?,
            types: type_table(&table)?,
            symbols: symbols(&table)?,
        })
    }

    /// The PDB before it is written.
    #[must_use]
    pub fn describe(&self) -> Pdb {
        let sections = sections_around(self.symbols.iter().map(|(_, rva)| *rva));
        let publics = self.symbols.iter().map(|(name, rva)| {
            let (segment, offset) = Pdb::place(&sections, *rva);
            Public {
                name: name.clone(),
                segment,
                offset,
                is_function: false,
            }
        });
        Pdb {
            guid: self.guid,
            age: self.age,
            rewritten_age: None,
            signature: 0x4a5b_c000,
            machine: self.machine,
            block_size: 4096,
            leaves: Leaves::default(),
            types: self.types.clone(),
            publics: publics.collect(),
            sections,
            omap: None,
        }
    }
}

fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

fn string(value: &Value) -> io::Result<&str> {
    value.as_str().ok_or_else(|| wrong(format!("no text: {value}")))
}

fn number<T: TryFrom<u64>>(value: &Value) -> io::Result<T> {
    let found = value.as_u64().and_then(|n| T::try_from(n).ok());
    found.ok_or_else(|| wrong(format!("no number of its size: {value}")))
}

fn object(value: &Value) -> io::Result<&Map<String, Value>> {
    value
        .as_object()
        .ok_or_else(|| wrong(format!("no object: {value}")))
}

fn guid(digits: &str) -> io::Result<[u8; 16]> {
    guid_bytes(digits).ok_or_else(|| wrong(format!("no GUID: {digits}")))
}

fn symbols(table: &Value) -> io::Result<Vec<(String, u32)>> {
    let mut symbols = Vec::new();
    for (name, symbol) in object(&table["symbols"])? {
        let decorated = symbol["linkage_name"].as_str().unwrap_or(name);
        symbols.push((decorated.to_owned(), number(&symbol["address"])?));
    }
    Ok(symbols)
}

fn type_table(table: &Value) -> io::Result<TypeTable> {
    let mut types = TypeTable {
        pointer_size: number(&table["base_types"]["pointer"]["size"])?,
        ..TypeTable::default()
    };
    for (key, entry) in object(&table["enums"])? {
        types.enums.insert(key.clone(), enumeration(key, entry)?);
    }
    for (key, entry) in object(&table["user_types"])? {
        types.udts.insert(key.clone(), udt(key, entry)?);
    }
    Ok(types)
}

fn enumeration(key: &str, entry: &Value) -> io::Result<Enum> {
    let mut values = Vec::new();
    for (name, value) in object(&entry["constants"])? {
        let value = value.as_i64().ok_or_else(|| wrong(format!("{key}.{name}")))?;
        values.push((name.clone(), value));
    }
    values.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    Ok(Enum {
        name: record_name(key).to_owned(),
        base: base(string(&entry["base"])?)?,
        values,
    })
}

/// The format tells unnamed types apart by the number of their record: `__unnamed_2660`.
fn record_name(key: &str) -> &str {
    if key.starts_with("__unnamed_") || key.starts_with("<unnamed-enum-") {
        "<unnamed-tag>"
    } else if key.starts_with("__anonymous_") {
        "<anonymous-tag>"
    } else {
        key
    }
}

fn udt(key: &str, entry: &Value) -> io::Result<Udt> {
    let kind = match string(&entry["kind"])? {
        "struct" => UdtKind::Struct,
        "class" => UdtKind::Class,
        "union" => UdtKind::Union,
        other => return Err(wrong(format!("{key} is a {other}"))),
    };
    let mut members = Vec::new();
    for (name, field) in object(&entry["fields"])? {
        members.push(Member {
            name: name.clone(),
            offset: number(&field["offset"])?,
            ty: type_ref(&field["type"])?,
        });
    }
    members.sort_by_key(|m| (m.offset, bit_position(&m.ty)));
    Ok(Udt {
        name: record_name(key).to_owned(),
        kind,
        size: number(&entry["size"])?,
        members,
    })
}

fn bit_position(ty: &TypeRef) -> u8 {
    match ty {
        TypeRef::Bits(_, position, _) => *position,
        _ => 0,
    }
}

fn type_ref(entry: &Value) -> io::Result<TypeRef> {
    let inner = |name: &str| type_ref(&entry[name]);
    Ok(match string(&entry["kind"])? {
        "base" => base(string(&entry["name"])?)?,
        "struct" | "class" | "union" | "enum" => TypeRef::Named(string(&entry["name"])?.to_owned()),
        "pointer" => TypeRef::pointer(inner("subtype")?),
        "array" => TypeRef::array(inner("subtype")?, number(&entry["count"])?),
        "bitfield" => {
            let (position, length) = (number(&entry["bit_position"])?, number(&entry["bit_length"])?);
            TypeRef::bits(inner("type")?, position, length)
        }
        "function" => TypeRef::Function,
        other => return Err(wrong(format!("a type of kind {other}"))),
    })
}

/// Names of the format's converter for the base types of a PDB.
fn base(name: &str) -> io::Result<TypeRef> {
    let int = |size, signed| TypeRef::Int { size, signed };
    Ok(match name {
        "void" => TypeRef::Void,
        "HRESULT" => TypeRef::Hresult,
        "char" => TypeRef::Char,
        "unsigned char" => int(1, false),
        "wchar" => TypeRef::WideChar,
        "short" => int(2, true),
        "unsigned short" => int(2, false),
        "int" => int(4, true),
        "unsigned int" => int(4, false),
        "long" => TypeRef::Long { signed: true },
        "unsigned long" => TypeRef::Long { signed: false },
        "long long" => int(8, true),
        "unsigned long long" => int(8, false),
        "f32" => TypeRef::Float { size: 4 },
        "double" => TypeRef::Float { size: 8 },
        other => return Err(wrong(format!("a base type {other}"))),
    })
}
