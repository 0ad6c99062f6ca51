//! Where the values of a view come from.
//!
//! A [`Trace`] notes every read of kernel memory by what it reads: a member of a structure, a global, a text.
//! It can also [hide](Trace::hide) one of them, as if its memory were not in the dump. What a view then shows
//! otherwise is what depends on that read: no record has to say where its values come from, and none can say it
//! wrong.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kdump::{Gva, Gxa, Piece};
use ntlayout::{BitField, Field, Member, SymbolTable};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::contract::{CONTRACT, Global};
use crate::kernel::{Kernel, Read, offset};
use crate::value::{Addr, Hole, Value};

/// Reads that one view can be told of; each costs some hundred bytes.
const CAP: usize = 1 << 16;

/// Bytes behind a global that are taken for a part of it: it may be a table, whose size symbols do not tell.
const GLOBAL_SIZE: u64 = 0x1000;

/// Bytes of a read that are shown: all but those of the longest messages.
const BYTES_CAP: u64 = 0x1_0000;

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum What {
    /// The contract's field of that index.
    Member(usize),
    /// A variable of the kernel, or an element of one that is a table.
    Global(Global),
    /// A member of a type of the symbols, by its path.
    Typed(Arc<str>, Arc<str>),
    /// The buffer of a text, whose `_UNICODE_STRING` is the other thing.
    Text(Box<What>),
    /// Anything else.
    Memory,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    what: What,
    /// Where the structure begins, or the variable; of anything else, the read itself.
    base: u64,
    /// Where the read begins, when several of one base are different things.
    start: u64,
}

/// A read, or several of one member that lie side by side.
#[derive(Clone, Debug)]
pub struct Source {
    key: Key,
    start: u64,
    end: u64,
    bits: Option<BitField>,
}

impl Source {
    /// Where its structure begins.
    #[must_use]
    pub fn base(&self) -> Gva {
        Gva::new(self.key.base)
    }
}

/// A stretch of memory that is known by name.
#[derive(Clone, Debug)]
struct Place {
    what: What,
    base: u64,
    end: u64,
    bits: Option<BitField>,
}

#[derive(Debug, Default)]
struct State {
    sources: Vec<Source>,
    known: HashMap<Key, usize>,
    places: BTreeMap<u64, Place>,
    globals: BTreeMap<u64, Global>,
    hidden: Option<Key>,
    reads: u64,
}

/// Notes of all reads of a [`Kernel`].
#[derive(Debug, Default)]
pub struct Trace {
    state: Mutex<State>,
}

impl Trace {
    /// What was read, in the order of the first reads, and how many reads that took.
    #[must_use]
    pub fn sources(&self) -> (Vec<Source>, u64) {
        let state = self.state();
        (state.sources.clone(), state.reads)
    }

    /// From now on, lets every read of `source` fail with [`Hole::Withheld`], and notes nothing new.
    pub fn hide(&self, source: &Source) {
        let mut state = self.state();
        state.hidden = Some(source.key.clone());
        // A place is known from when it is named, in this run as in the first.
        state.places.clear();
        state.globals.clear();
    }

    pub(crate) fn place_member(&self, index: usize, base: Gva, at: Gva, size: u32) {
        self.place(What::Member(index), base, at, size, None);
    }

    /// Names a member of any type.
    pub(crate) fn place_typed(&self, ty: &str, path: &str, base: Gva, at: Gva, member: &Member) {
        let what = What::Typed(ty.into(), path.into());
        self.place(what, base, at, member.size.unwrap_or(0), member.bits);
    }

    fn place(&self, what: What, base: Gva, at: Gva, size: u32, bits: Option<BitField>) {
        let place = Place {
            what,
            base: base.u64(),
            end: at.u64().saturating_add(size.into()),
            bits,
        };
        self.state().places.insert(at.u64(), place);
    }

    pub(crate) fn place_global(&self, global: Global, at: Gva) {
        self.state().globals.insert(at.u64(), global);
    }

    /// Notes the read of a member.
    pub(crate) fn member(&self, index: usize, base: Gva, at: Gva, field: Field) -> Read<()> {
        let key = Key {
            what: What::Member(index),
            base: base.u64(),
            start: 0,
        };
        self.state().note(key, at, field.size.into(), field.bits)
    }

    /// Notes the read of memory that may be part of something that was named before.
    pub(crate) fn raw(&self, at: Gva, len: u64) -> Read<()> {
        let mut state = self.state();
        let (key, bits) = state.key_at(at);
        state.note(key, at, len, bits)
    }

    /// Notes the read of the buffer of the `_UNICODE_STRING` at `string`.
    pub(crate) fn text(&self, string: Gva, buffer: Gva, len: u64) -> Read<()> {
        let mut state = self.state();
        let (of, _) = state.key_at(string);
        let key = Key {
            what: What::Text(Box::new(of.what)),
            base: of.base,
            start: buffer.u64(),
        };
        state.note(key, buffer, len, None)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, key: Key, at: Gva, len: u64, bits: Option<BitField>) -> Read<()> {
        if let Some(hidden) = &self.hidden {
            return if *hidden == key {
                Err(Hole::Withheld)
            } else {
                Ok(())
            };
        }
        self.reads = self.reads.saturating_add(1);
        let (start, end) = (at.u64(), at.u64().saturating_add(len));
        if let Some(source) = self
            .known
            .get(&key)
            .and_then(|&known| self.sources.get_mut(known))
        {
            source.start = source.start.min(start);
            source.end = source.end.max(end);
        } else if self.sources.len() < CAP {
            self.known.insert(key.clone(), self.sources.len());
            self.sources.push(Source {
                key,
                start,
                end,
                bits,
            });
        }
        Ok(())
    }

    /// What is at an address, as far as it was named.
    fn key_at(&self, at: Gva) -> (Key, Option<BitField>) {
        let at = at.u64();
        // Structures in structures: the innermost that is named begins last.
        let mut before = self.places.range(..=at).rev().take(16);
        if let Some((_, place)) = before.find(|(_, place)| at < place.end) {
            let key = Key {
                what: place.what.clone(),
                base: place.base,
                start: 0,
            };
            return (key, place.bits);
        }
        let (what, base) = match self.globals.range(..=at).next_back() {
            Some((&base, &global)) if at.saturating_sub(base) < GLOBAL_SIZE => (What::Global(global), base),
            _ => (What::Memory, at),
        };
        let key = Key {
            what,
            base,
            start: at,
        };
        (key, None)
    }
}

/// A read in full: what, where in virtual memory, in physical memory and in the file, and what is there.
#[derive(Clone, Debug, Serialize, JsonSchema)]
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
    pub bytes: Value<String>,
    /// The debugger's command that shows them.
    pub command: String,
    /// Which symbols place the member, where those in use lack its type, and how sure they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed_by: Option<String>,
}

/// Which bits of a storage unit, counted from the least significant one.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Bits {
    /// The lowest.
    pub position: u8,
    /// How many.
    pub length: u8,
}

/// The part of a value that is in one page.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PieceRecord {
    /// Where it begins in virtual memory.
    pub address: Addr,
    /// The same in physical memory; a triage dump does not tell.
    #[serde(serialize_with = "optional_wide")]
    #[schemars(with = "Option<Addr>")]
    pub physical: Option<u64>,
    /// The same in the file; none when its page is not in the file.
    #[serde(serialize_with = "optional_wide")]
    #[schemars(with = "Option<Addr>")]
    pub file: Option<u64>,
    /// Bytes in this page.
    pub size: u64,
}

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
        .map(|piece| piece_record(kernel, piece))
        .collect();
    let bytes = match found.gone {
        None => bytes(kernel, start, len),
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

fn placed_by(kernel: &Kernel<'_>, what: &What) -> Option<String> {
    let What::Member(index) = what else {
        return None;
    };
    let ty = CONTRACT.fields.get(*index)?.ty;
    let mut filled = kernel.layout().filled().iter();
    let from = filled.find(|filled| filled.ty == ty)?;
    Some(format!("{}, {}", from.origin, from.certainty))
}

fn piece_record(kernel: &Kernel<'_>, piece: &Piece) -> PieceRecord {
    PieceRecord {
        address: kernel.addr(piece.gva),
        physical: piece.gpa.map(|gpa| gpa.u64()),
        file: Some(piece.offset.0),
        size: piece.len,
    }
}

fn bytes(kernel: &Kernel<'_>, start: Gva, len: usize) -> Read<String> {
    let bytes = kernel.space().cursor().bytes(start, len)?;
    Ok(bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
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
            What::Member(index) => match (CONTRACT.fields.get(*index), kernel.layout().field(*index)) {
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
