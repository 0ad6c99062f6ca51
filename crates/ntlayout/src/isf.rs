//! Volatility's symbol tables (ISF, Intermediate Symbol Format) as symbol tables.
//!
//! Format: `volatility3/schemas/schema-6.2.0.json`. A table is one JSON document: base types, enumerations,
//! structures with their fields by name, symbols by name with their RVAs, and which PDB it was made of.
//! Fields have no order in it; they are given by offset. What it calls types without a name begins
//! `__unnamed` or `__anonymous`, or has angle brackets.

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::contract::Contract;
use crate::error::SymbolError;
use crate::identity::Identity;
use crate::layout::{BitField, Layout};
use crate::origin::Origin;
use crate::resolve::{self, Slot, TypeId, TypeSource};
use crate::table::{SymbolTable, TypeInfo, TypeName};

/// Types that only name each other deeper than this are a cycle or hostile.
const MAX_INDIRECTION: usize = 32;

/// An ISF table.
#[derive(Debug)]
pub struct Isf {
    origin: Origin,
    identity: Option<Identity>,
    pointer_size: u32,
    types: Vec<Node>,
    structures: Vec<Structure>,
    names: HashMap<String, usize>,
    enums: HashMap<String, Enumeration>,
    symbols: HashMap<String, u32>,
    /// Symbols in the order of their addresses, sorted when first asked for.
    by_address: OnceLock<Vec<(u32, String)>>,
}

#[derive(Debug)]
struct Structure {
    name: String,
    size: u32,
    fields: Vec<StructureField>,
}

#[derive(Debug)]
struct StructureField {
    name: String,
    offset: u32,
    ty: TypeId,
}

#[derive(Debug)]
struct Enumeration {
    values: Vec<(String, i64)>,
}

/// A type as a field names it.
#[derive(Debug)]
enum Node {
    Base { name: String, size: Option<u32> },
    Structure(Option<usize>, String),
    Enum { name: String, size: Option<u32> },
    Pointer(TypeId),
    Array { count: u64, element: TypeId },
    Bits { bits: BitField, unit: TypeId },
    Function,
    Unknown,
}

#[derive(Deserialize)]
struct Document {
    metadata: Metadata,
    base_types: HashMap<String, BaseRecord>,
    user_types: HashMap<String, UserRecord>,
    #[serde(default)]
    enums: HashMap<String, EnumRecord>,
    #[serde(default)]
    symbols: HashMap<String, SymbolRecord>,
}

#[derive(Deserialize)]
struct Metadata {
    windows: Option<Windows>,
}

#[derive(Deserialize)]
struct Windows {
    pdb: PdbRecord,
}

#[derive(Deserialize)]
struct PdbRecord {
    #[serde(rename = "GUID")]
    guid: String,
    age: u32,
    database: String,
}

#[derive(Deserialize)]
struct BaseRecord {
    size: u32,
}

#[derive(Deserialize)]
struct UserRecord {
    size: u32,
    fields: HashMap<String, FieldRecord>,
}

#[derive(Deserialize)]
struct FieldRecord {
    offset: u32,
    #[serde(rename = "type")]
    ty: TypeRecord,
}

#[derive(Deserialize)]
struct EnumRecord {
    size: u32,
    constants: HashMap<String, i64>,
}

#[derive(Deserialize)]
struct SymbolRecord {
    address: u64,
}

#[derive(Deserialize)]
struct TypeRecord {
    kind: String,
    name: Option<String>,
    count: Option<u64>,
    subtype: Option<Box<TypeRecord>>,
    #[serde(rename = "type")]
    unit: Option<Box<TypeRecord>>,
    bit_position: Option<u8>,
    bit_length: Option<u8>,
}

impl Isf {
    /// Reads a table's JSON; `path` says where it came from.
    ///
    /// # Errors
    /// The text is no JSON, or no table of this format.
    pub fn from_json(path: &Path, json: &[u8]) -> Result<Self, SymbolError> {
        let damaged = |detail: String| SymbolError::Damaged {
            path: path.to_owned(),
            kind: "ISF table",
            detail,
        };
        // JSON has no byte-order mark, and readers may refuse one (RFC 8259, 8.1); editors on Windows write it.
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let document: Document = serde_json::from_slice(json).map_err(|error| damaged(error.to_string()))?;
        let identity = match document.metadata.windows {
            Some(Windows { pdb }) => Some(Identity {
                guid: pdb
                    .guid
                    .parse()
                    .map_err(|error| damaged(format!("{error}: {:?}", pdb.guid)))?,
                age: pdb.age,
                pdb_name: pdb.database,
            }),
            // Tables of Linux and macOS have `linux` or `mac` there, and no PDB.
            None => None,
        };
        let pointer_size = document.base_types.get("pointer").map(|base| base.size);
        let pointer_size = pointer_size
            .filter(|size| matches!(size, 4 | 8))
            .ok_or_else(|| damaged("it does not say how large a pointer is".to_owned()))?;
        let symbols = document.symbols.into_iter();
        let symbols = symbols
            .filter_map(|(name, symbol)| Some((name, u32::try_from(symbol.address).ok()?)))
            .collect();
        let mut builder = Builder::new(&document.base_types, &document.enums, &document.user_types);
        let structures = builder.structures(&document.user_types);
        let Builder { types, names, .. } = builder;
        Ok(Self {
            origin: Origin::Isf {
                path: path.to_owned(),
            },
            identity,
            pointer_size,
            types,
            structures,
            names,
            enums: document
                .enums
                .into_iter()
                .map(|(name, record)| (name, record.into()))
                .collect(),
            symbols,
            by_address: OnceLock::new(),
        })
    }

    fn node(&self, ty: TypeId) -> &Node {
        usize::try_from(ty.0)
            .ok()
            .and_then(|at| self.types.get(at))
            .unwrap_or(&Node::Unknown)
    }

    fn structure(&self, ty: TypeId) -> Option<&Structure> {
        match self.node(ty) {
            Node::Structure(Some(at), _) => self.structures.get(*at),
            _ => None,
        }
    }

    fn size_at(&self, ty: TypeId, depth: usize) -> Option<u32> {
        let depth = depth.checked_add(1).filter(|&depth| depth < MAX_INDIRECTION)?;
        match self.node(ty) {
            Node::Base { size, .. } | Node::Enum { size, .. } => *size,
            Node::Structure(..) => self.structure(ty).map(|structure| structure.size),
            Node::Pointer(_) => Some(self.pointer_size),
            Node::Array { count, element } => {
                let count = u32::try_from(*count).ok()?;
                self.size_at(*element, depth)?.checked_mul(count)
            }
            Node::Bits { unit, .. } => self.size_at(*unit, depth),
            Node::Function | Node::Unknown => None,
        }
    }

    fn print_at(&self, ty: TypeId, depth: usize) -> String {
        let Some(depth) = depth.checked_add(1).filter(|&depth| depth < MAX_INDIRECTION) else {
            return "Unknown".to_owned();
        };
        match self.node(ty) {
            Node::Base { name, .. } => debugger_name(name).to_owned(),
            Node::Structure(_, name) | Node::Enum { name, .. } => name.clone(),
            Node::Pointer(to) => {
                let bits = self.pointer_size.saturating_mul(8);
                format!("Ptr{bits} {}", self.print_at(*to, depth))
            }
            Node::Array { count, element } => format!("[{count}] {}", self.print_at(*element, depth)),
            Node::Bits { bits, .. } => bits.to_string(),
            Node::Function => "Function".to_owned(),
            Node::Unknown => "Unknown".to_owned(),
        }
    }
}

/// The debugger's words for the base types that tables made of PDBs have.
fn debugger_name(name: &str) -> &str {
    match name {
        "void" => "Void",
        "char" => "Char",
        "unsigned char" => "UChar",
        "wchar" => "Wchar",
        "short" => "Int2B",
        "unsigned short" => "Uint2B",
        // A `long` of Windows has four bytes on 64-bit systems too, as PDBs say.
        "int" | "long" => "Int4B",
        "unsigned int" | "unsigned long" => "Uint4B",
        "long long" => "Int8B",
        "unsigned long long" => "Uint8B",
        "f32" | "float" => "Float",
        "double" => "Double",
        "bool" => "Bool",
        other => other,
    }
}

impl From<EnumRecord> for Enumeration {
    fn from(record: EnumRecord) -> Self {
        let mut values: Vec<(String, i64)> = record.constants.into_iter().collect();
        // JSON objects have no order, so that of the declaration is lost.
        values.sort_by(|one, next| one.1.cmp(&next.1).then_with(|| one.0.cmp(&next.0)));
        Self { values }
    }
}

/// Numbers the types that fields name.
struct Builder<'d> {
    bases: &'d HashMap<String, BaseRecord>,
    enums: &'d HashMap<String, EnumRecord>,
    names: HashMap<String, usize>,
    types: Vec<Node>,
}

impl<'d> Builder<'d> {
    fn new(
        bases: &'d HashMap<String, BaseRecord>,
        enums: &'d HashMap<String, EnumRecord>,
        structures: &HashMap<String, UserRecord>,
    ) -> Self {
        // The map's order is the one in which the structures are listed below.
        let names: HashMap<String, usize> = structures
            .keys()
            .enumerate()
            .map(|(at, name)| (name.clone(), at))
            .collect();
        // The first types are the structures themselves, in that order.
        let types = structures
            .keys()
            .enumerate()
            .map(|(at, name)| Node::Structure(Some(at), name.clone()))
            .collect();
        Self {
            bases,
            enums,
            names,
            types,
        }
    }

    fn structures(&mut self, records: &HashMap<String, UserRecord>) -> Vec<Structure> {
        records
            .iter()
            .map(|(name, record)| self.structure(name, record))
            .collect()
    }

    fn structure(&mut self, name: &str, record: &UserRecord) -> Structure {
        let mut fields: Vec<StructureField> = record
            .fields
            .iter()
            .map(|(name, field)| StructureField {
                name: name.clone(),
                offset: field.offset,
                ty: self.node(&field.ty),
            })
            .collect();
        fields.sort_by(|one, next| self.order(one).cmp(&self.order(next)));
        Structure {
            name: name.to_owned(),
            size: record.size,
            fields,
        }
    }

    fn order<'f>(&self, field: &'f StructureField) -> (u32, u8, &'f str) {
        let at = usize::try_from(field.ty.0).ok();
        let position = match at.and_then(|at| self.types.get(at)) {
            Some(Node::Bits { bits, .. }) => bits.position,
            _ => 0,
        };
        (field.offset, position, &field.name)
    }

    fn node(&mut self, record: &TypeRecord) -> TypeId {
        let node = self.describe(record);
        if let Node::Structure(Some(at), _) = node {
            return TypeId(u32::try_from(at).unwrap_or(u32::MAX));
        }
        let number = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        self.types.push(node);
        TypeId(number)
    }

    /// JSON is read to a depth of 128 only, so that this ends.
    fn describe(&mut self, record: &TypeRecord) -> Node {
        let name = record.name.clone().unwrap_or_default();
        match (record.kind.as_str(), &record.subtype, &record.unit) {
            ("base", ..) => Node::Base {
                size: self.bases.get(&name).map(|base| base.size),
                name,
            },
            ("struct" | "union" | "class", ..) => Node::Structure(self.names.get(&name).copied(), name),
            ("enum", ..) => Node::Enum {
                size: self.enums.get(&name).map(|record| record.size),
                name,
            },
            ("pointer", Some(to), _) => Node::Pointer(self.node(to)),
            ("array", Some(element), _) => Node::Array {
                count: record.count.unwrap_or(0),
                element: self.node(element),
            },
            ("bitfield", _, Some(unit)) => self.bit_field(record, unit),
            ("function", ..) => Node::Function,
            _ => Node::Unknown,
        }
    }

    fn bit_field(&mut self, record: &TypeRecord, unit: &TypeRecord) -> Node {
        let bits = record.bit_position.zip(record.bit_length);
        let bits = bits.filter(|&(position, length)| position < 64 && (1..=64).contains(&length));
        let unit = self.node(unit);
        bits.map_or(Node::Unknown, |(position, length)| Node::Bits {
            bits: BitField { position, length },
            unit,
        })
    }
}

impl SymbolTable for Isf {
    fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn pointer_size(&self) -> Option<u8> {
        u8::try_from(self.pointer_size).ok()
    }

    fn resolve(&self, contract: &Contract) -> Result<Layout, SymbolError> {
        resolve::resolve(self, contract)
    }

    fn type_info(&self, name: &str) -> Result<Option<TypeInfo>, SymbolError> {
        resolve::type_info(self, name)
    }

    fn type_names(&self) -> Result<Vec<TypeName>, SymbolError> {
        let anonymous = |name: &str| name.starts_with("__unnamed") || name.contains("<unnamed");
        let structures = self.structures.iter().map(|structure| TypeName {
            name: structure.name.clone(),
            size: Some(structure.size),
        });
        let enumerations = self.enums.keys().map(|name| TypeName {
            name: name.clone(),
            size: None,
        });
        let mut names: Vec<TypeName> = structures
            .chain(enumerations)
            .filter(|ty| !anonymous(&ty.name))
            .collect();
        names.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(names)
    }

    fn global(&self, name: &str) -> Result<Option<u32>, SymbolError> {
        // Volatility keeps the names of the PDB: `_AlpcpPortList` for x86.
        let decorated = || self.symbols.get(&format!("_{name}"));
        Ok(self.symbols.get(name).or_else(decorated).copied())
    }

    fn nearest(&self, rva: u32) -> Result<Option<(String, u32)>, SymbolError> {
        let by_address = self.by_address.get_or_init(|| {
            let symbols = self.symbols.iter();
            let mut all: Vec<_> = symbols.map(|(name, &rva)| (rva, name.clone())).collect();
            all.sort_unstable();
            all
        });
        let next = by_address.partition_point(|(at, _)| *at <= rva);
        let last = next.checked_sub(1).and_then(|last| by_address.get(last));
        let Some(&(found, _)) = last else { return Ok(None) };
        let first = by_address.partition_point(|(at, _)| *at < found);
        let names = by_address.get(first..next).unwrap_or_default().iter();
        let name = names
            .map(|(_, name)| name.as_str())
            .reduce(|one, other| crate::table::preferred(one, other));
        Ok(name.map(|name| (name.to_owned(), found)))
    }

    fn enum_info(&self, name: &str) -> Result<Option<Vec<(String, i64)>>, SymbolError> {
        Ok(self.enums.get(name).map(|record| record.values.clone()))
    }
}

impl TypeSource for Isf {
    fn definition(&self, name: &str) -> Result<Option<TypeId>, SymbolError> {
        let at = self.names.get(name).copied();
        Ok(at.and_then(|at| u32::try_from(at).ok()).map(TypeId))
    }

    fn size(&self, ty: TypeId) -> Result<Option<u32>, SymbolError> {
        Ok(self.size_at(ty, 0))
    }

    fn bits(&self, ty: TypeId) -> Result<Option<BitField>, SymbolError> {
        Ok(match self.node(ty) {
            Node::Bits { bits, .. } => Some(*bits),
            _ => None,
        })
    }

    fn members(&self, ty: TypeId) -> Result<Vec<Slot<'_>>, SymbolError> {
        let fields = self.structure(ty).map(|structure| structure.fields.as_slice());
        let slots = fields.unwrap_or_default().iter().map(|field| Slot {
            name: field.name.as_bytes(),
            offset: field.offset,
            ty: field.ty,
        });
        Ok(slots.collect())
    }

    fn is_anonymous(&self, ty: TypeId) -> Result<bool, SymbolError> {
        let name = self.structure(ty).map_or("", |structure| &structure.name);
        let name = name.rsplit("::").next().unwrap_or_default();
        let starts = ["__unnamed", "__anonymous", "<unnamed", "<anonymous"];
        Ok(starts.iter().any(|start| name.starts_with(start)))
    }

    fn print(&self, ty: TypeId) -> Result<String, SymbolError> {
        Ok(self.print_at(ty, 0))
    }

    fn corrupt(&self, detail: String) -> SymbolError {
        let Origin::Isf { path } = &self.origin else {
            return SymbolError::Damaged {
                path: Default::default(),
                kind: "ISF table",
                detail,
            };
        };
        SymbolError::Damaged {
            path: path.clone(),
            kind: "ISF table",
            detail,
        }
    }
}
