//! Reads of a [`Trace`](crate::image::trace::Trace) in words: what was read, where it is, and what is there.

use std::fmt;

use kdump::{AddressSpace, Gva, Piece};
use ntlayout::{BitField, Member, SymbolTable};
#[cfg(feature = "schema")]
use schemars::{JsonSchema, Schema, SchemaGenerator};
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::image::kernel::{Kernel, Read, offset};
use crate::image::trace::{Source, What};
use crate::image::value::{Addr, Value};

/// Bytes of a read that are shown: all but those of the longest messages.
const BYTES_CAP: u64 = 0x1_0000;

/// A read in full: what, where in virtual memory, in physical memory and in the file, and what is there.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct SourceRecord {
    /// By the kernel's own names: `_KALPC_MESSAGE.u1.s1.QueueType`, `nt!ObHeaderCookie`; `memory` for what has
    /// no name.
    pub path: String,
    /// Where the structure begins, or the variable.
    pub base: Addr,
    /// Bytes from there to the read; of the buffer of a text, which is elsewhere, none.
    pub offset: Option<u64>,
    /// Bytes that were read.
    pub size: u64,
    /// Which bits of them, when it is a bit field.
    pub bits: Option<Bits>,
    /// Where they are in virtual memory.
    pub address: Addr,
    /// Where they are in physical memory and in the file: one piece a page.
    pub pieces: Vec<PieceRecord>,
    /// The bytes in memory order, in hex.
    pub bytes: Value<Bytes>,
    /// The debugger's command that shows them.
    pub command: String,
    /// Which symbols place the member, where those in use lack its type, and how sure they are.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub placed_by: Option<String>,
}

/// Which bits of a storage unit, counted from the least significant one.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Bits {
    /// The lowest.
    pub position: u8,
    /// How many.
    pub length: u8,
}

/// The part of a value that is in one page.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PieceRecord {
    /// Where it begins in virtual memory.
    pub address: Addr,
    /// The same in physical memory; a triage dump does not tell.
    #[cfg_attr(feature = "serde", serde(serialize_with = "optional_wide"))]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Addr>"))]
    pub physical: Option<u64>,
    /// The same in the file; none when its page is not in the file.
    #[cfg_attr(feature = "serde", serde(serialize_with = "optional_wide"))]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Addr>"))]
    pub file: Option<u64>,
    /// Bytes in this page.
    pub size: u64,
}

#[cfg(feature = "serde")]
#[allow(clippy::ref_option, reason = "serde gives a reference to the field")]
fn optional_wide<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(&format_args!("{value:016x}")),
        None => serializer.serialize_none(),
    }
}

/// Tells a read in full. `table` has the kernel's whole types, when they are at hand: a symbol table may have
/// left out the names of anonymous members.
#[must_use]
pub fn source(kernel: &Kernel<'_>, source: &Source, table: Option<&dyn SymbolTable>) -> SourceRecord {
    let start = Gva::new(source.start);
    let size = source.end.saturating_sub(source.start);
    let name = Name::of(kernel, &source.key.what, table);
    let at_base = !matches!(source.key.what, What::Text(_));
    let len = usize::try_from(size.min(BYTES_CAP)).unwrap_or(0);
    let found = kernel.space().whereabouts(start, len);
    let mut pieces: Vec<PieceRecord> = found
        .pieces
        .iter()
        .map(|piece| piece_record(|gva| kernel.addr(gva), piece))
        .collect();
    let bytes = match found.gone {
        None => bytes(&kernel.space(), start, len as u64),
        Some(gone) => {
            // The page is known and not there: its place in physical memory is told all the same.
            if let Some(gpa) = gone.gpa {
                let behind = gone.gva.u64().saturating_sub(source.start);
                pieces.push(PieceRecord {
                    address: kernel.addr(gone.gva),
                    physical: Some(gpa.u64()),
                    file: None,
                    size: size
                        .saturating_sub(behind)
                        .min(0x1000_u64.saturating_sub(gpa.u64() & 0xfff)),
                });
            }
            Err(gone.reason.into())
        }
    };
    SourceRecord {
        command: name.command(kernel, source, size),
        path: name.path(kernel, source),
        base: kernel.addr(source.base()),
        offset: at_base.then(|| source.start.saturating_sub(source.key.base)),
        size,
        bits: source
            .bits
            .map(|BitField { position, length }| Bits { position, length }),
        address: kernel.addr(start),
        pieces,
        bytes: bytes.into(),
        placed_by: placed_by(kernel, &source.key.what),
    }
}

/// A member of a structure by its name, as [`MemberName`] writes it: `_KTHREAD.WaitReason`, where the structure begins at
/// `base`. None of what is no member of the contract, or not in this kernel.
///
/// [`MemberName`]: crate::image::contract::MemberName
#[must_use]
pub fn of_member(
    kernel: &Kernel<'_>,
    path: &str,
    base: Gva,
    table: Option<&dyn SymbolTable>,
) -> Option<SourceRecord> {
    let (ty, name) = path.split_once('.')?;
    let fields = kernel.contract().fields;
    let index = fields
        .iter()
        .position(|field| field.ty == ty && field.name == name)?;
    let read = Source::of_member(index, base, kernel.layout().field(index)?);
    Some(source(kernel, &read, table))
}

/// The members of a structure that begins at `base`, as far as they are known to the contract and in this kernel.
#[must_use]
pub fn of_structure(
    kernel: &Kernel<'_>,
    ty: &str,
    base: Gva,
    table: Option<&dyn SymbolTable>,
) -> Vec<SourceRecord> {
    let fields = kernel.contract().fields.iter().enumerate();
    fields
        .filter(|(_, field)| field.ty == ty)
        .filter_map(|(index, _)| Some(Source::of_member(index, base, kernel.layout().field(index)?)))
        .map(|read| source(kernel, &read, table))
        .collect()
}

fn placed_by(kernel: &Kernel<'_>, what: &What) -> Option<String> {
    let What::Member(index) = what else {
        return None;
    };
    let ty = kernel.contract().fields.get(*index)?.ty;
    let mut filled = kernel.layout().filled().iter();
    let from = filled.find(|filled| filled.ty == ty)?;
    Some(format!("{}, {}", from.origin, from.certainty))
}

/// Where a piece is, with its address as the system's are written.
pub(crate) fn piece_record(addr: impl FnOnce(Gva) -> Addr, piece: &Piece) -> PieceRecord {
    PieceRecord {
        address: addr(piece.gva),
        physical: piece.gpa.map(|gpa| gpa.u64()),
        file: piece.offset.map(|offset| offset.0),
        size: piece.len,
    }
}

/// Bytes of memory, in records as hex digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(feature = "serde")]
impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "schema")]
impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// The bytes themselves.
pub(crate) fn bytes(space: &AddressSpace<'_>, start: Gva, len: u64) -> Read<Bytes> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    Ok(Bytes(space.cursor().bytes(start, len)?.into_owned()))
}

/// The name of what is read.
enum Name {
    /// Structure and path of the member in it.
    Member(String, String),
    Global(&'static str),
    /// The buffer of a text whose `_UNICODE_STRING` has a name, or has none.
    Text(Option<String>),
    Memory,
}

impl Name {
    fn of(kernel: &Kernel<'_>, what: &What, table: Option<&dyn SymbolTable>) -> Self {
        match what {
            What::Member(index) => match (
                kernel.contract().fields.get(*index),
                kernel.layout().field(*index),
            ) {
                (Some(spec), Some(field)) => {
                    let spelling = spec.spellings.get(usize::from(field.spelling));
                    let path = actual(table, spec.ty, spelling.copied().unwrap_or(spec.name));
                    Self::Member(spec.ty.to_owned(), path)
                }
                _ => Self::Memory,
            },
            What::Global(global) => Self::Global(global.name()),
            What::Typed(ty, path) => Self::Member(ty.to_string(), path.to_string()),
            What::Text(of) => Self::Text(match Self::of(kernel, of, table) {
                Self::Member(ty, path) => Some(format!("{ty}.{path}.Buffer")),
                Self::Global(name) => Some(format!("nt!{name}.Buffer")),
                _ => None,
            }),
            What::Memory => Self::Memory,
        }
    }

    fn path(self, kernel: &Kernel<'_>, source: &Source) -> String {
        match self {
            Self::Member(ty, path) => format!("{ty}.{path}"),
            Self::Global(name) => global_path(name, source),
            Self::Text(Some(of)) => format!("*{of}"),
            Self::Text(None) => format!("*_UNICODE_STRING.Buffer of {}", kernel.addr(source.base())),
            Self::Memory => "memory".to_owned(),
        }
    }

    fn command(&self, kernel: &Kernel<'_>, source: &Source, size: u64) -> String {
        let start = kernel.addr(Gva::new(source.start));
        match self {
            Self::Member(ty, path) => format!("dt nt!{ty} {} {path}", kernel.addr(source.base())),
            Self::Global(name) => {
                let (letter, unit) = match size {
                    1 => ('b', 1),
                    2 => ('w', 2),
                    4 => ('d', 4),
                    _ => ('q', 8),
                };
                let count = size.div_ceil(unit);
                format!("d{letter} {} L{count:x}", global_path(name, source))
            }
            Self::Text(_) => format!("du {start} L{:x}", size.div_ceil(2)),
            Self::Memory => format!("db {start} L{size:x}"),
        }
    }
}

fn global_path(name: &str, source: &Source) -> String {
    match source.start.saturating_sub(source.key.base) {
        0 => format!("nt!{name}"),
        offset => format!("nt!{name}+0x{offset:x}"),
    }
}

/// The path of a member as the symbol table has it. Tables that were made from others may have flattened
/// anonymous members, whose names a path then does not have.
fn actual(table: Option<&dyn SymbolTable>, ty: &str, spelling: &str) -> String {
    let info = table.and_then(|table| table.type_info(ty).ok().flatten());
    let Some(info) = info else {
        return spelling.to_owned();
    };
    let mut members = info.members.as_slice();
    let mut parts: Vec<&str> = spelling.split('.').collect();
    let mut at = 0;
    while let Some(part) = parts.get(at).copied() {
        match members.iter().find(|member| member.name == part) {
            // What a type with a name of its own has inside is not looked at: its path is not flattened.
            Some(member) if member.members.is_empty() => break,
            Some(member) => {
                members = &member.members;
                at = at.saturating_add(1);
            }
            None => drop(parts.remove(at)),
        }
    }
    if parts.is_empty() {
        spelling.to_owned()
    } else {
        parts.join(".")
    }
}

impl Kernel<'_> {
    /// Names a member of any type, for reads that follow: by the type and the path.
    pub(crate) fn place_typed(&self, names: &[String], base: Gva, member: &Member) {
        if let (Some(trace), Some((ty, path))) = (self.trace(), names.split_first()) {
            let at = offset(base, member.offset.into());
            trace.place_typed(ty, &path.join("."), base, at, member);
        }
    }
}
