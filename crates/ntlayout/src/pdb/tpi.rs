//! The type stream: records by number and by name, read piece by piece.
//!
//! Format: LLVM's "The PDB TPI and IPI Streams", Microsoft's `PDB/dbi/tpi.h`. The stream is a row of records
//! of their own lengths. Its hash stream holds the name hash of every record, and, from a linker, the offset
//! of a record every 8 KiB: with both, a type is found without touching the rest. Without the offsets the
//! stream is walked once by record lengths; without the hashes they are made of the names along that walk.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bytes::{Cursor, index};
use crate::error::SymbolError;
use crate::pdb::hash::name_hash;
use crate::pdb::msf::Msf;
use crate::pdb::record::{FIRST_RECORD, Record, is_anonymous, is_named};
use crate::resolve::TypeId;

const TPI_STREAM: u32 = 2;
const TPI: &str = "type stream";
const HASHES: &str = "type hash stream";
const HEADER: u32 = 56;
/// More hash buckets than any writer makes (0x3ffff).
const MAX_BUCKETS: u32 = 0x10_0000;
/// A group of hashes holds a few records; one larger than this is no hash table.
const MAX_GROUP: usize = 1024;
const NONE: u32 = u32::MAX;

/// The type records of a PDB.
#[derive(Debug)]
pub(super) struct Types {
    /// The numbers of the first record and of the one behind the last.
    first: u32,
    end: u32,
    pieces: Vec<Piece>,
    /// Number of the hash stream and where in it the hashes are.
    hash: Option<HashPlace>,
    names: OnceLock<NameIndex>,
    unknown: AtomicU32,
}

/// Part of the stream that begins and ends with whole records.
#[derive(Debug)]
struct Piece {
    first: u32,
    start: u32,
    end: u32,
    loaded: OnceLock<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    bytes: Vec<u8>,
    /// Where each record's length field is.
    starts: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct HashPlace {
    stream: u32,
    key_size: u32,
    buckets: u32,
    values: (u32, u32),
}

struct Header {
    len: u32,
    first: u32,
    end: u32,
    records: u32,
    hash: HashPlace,
    offsets: (u32, u32),
}

impl Types {
    /// `None` if the PDB has no type stream.
    pub(super) fn read(msf: &Msf) -> Result<Option<Self>, SymbolError> {
        // Streams 0 to 4 have fixed meanings: an old directory, the PDB itself, types, DBI, and item numbers
        // (IPI), which name functions and build tools and no layout.
        let Some(stream) = msf.stream(TPI_STREAM).filter(|stream| stream.len() > 0) else {
            return Ok(None);
        };
        let head = stream.read_up_to(0, HEADER, TPI)?;
        let header = parse_header(&head)
            .filter(|header| header.is_sound(stream.len()))
            .ok_or_else(|| msf.corrupt(TPI, "its header is not understood".into()))?;
        let has_hash = header.hash.is_sound() && msf.stream(header.hash.stream).is_some();
        Ok(Some(Self {
            first: header.first,
            end: header.end,
            pieces: header.pieces(msf)?,
            hash: has_hash.then_some(header.hash),
            names: OnceLock::new(),
            unknown: AtomicU32::new(0),
        }))
    }

    /// How many records of an unknown kind have been met and left out.
    pub(super) fn unknown(&self) -> u32 {
        self.unknown.load(Ordering::Relaxed)
    }

    pub(super) fn note_unknown(&self) {
        self.unknown.fetch_add(1, Ordering::Relaxed);
    }

    /// The record of that number.
    pub(super) fn record(&self, msf: &Msf, ty: TypeId) -> Result<Record<'_>, SymbolError> {
        let body = self.body(msf, ty)?;
        Record::parse(body).ok_or_else(|| msf.corrupt(TPI, format!("type {:#x} is cut off", ty.0)))
    }

    /// The complete type of that name. Of several, the one that was added last, which is also the one that
    /// Microsoft's own lookup meets first.
    pub(super) fn find(&self, msf: &Msf, name: &[u8]) -> Result<Option<TypeId>, SymbolError> {
        let names = self.names(msf)?;
        let hash = names.bucket(name);
        for (step, (number, value)) in names.group(hash).enumerate() {
            if step > MAX_GROUP {
                return Err(msf.corrupt(HASHES, format!("more than {MAX_GROUP} types in one group")));
            }
            let ty = TypeId(self.first.saturating_add(number));
            // The hash leaves the case of letters out and is a bucket's number at last: only the name decides.
            // Declarations and field lists are hashed by their bytes and can be in any bucket (LLVM's
            // TpiHashing.cpp).
            if value == hash && definition(self.body(msf, ty)?) == Some(name) {
                return Ok(Some(ty));
            }
        }
        Ok(None)
    }

    /// Every complete type that has a name of its own, with its size, ascending by name; of several of one name the one
    /// that [`find`](Self::find) finds. An enumeration has no size here.
    pub(super) fn definitions(&self, msf: &Msf) -> Result<BTreeMap<&[u8], Option<u32>>, SymbolError> {
        let mut names = BTreeMap::new();
        for piece in &self.pieces {
            let loaded = self.loaded(msf, piece)?;
            let bodies = (0..loaded.starts.len()).filter_map(|at| loaded.body(at));
            names.extend(
                bodies
                    .filter_map(complete)
                    .filter(|(name, _)| !is_anonymous(name)),
            );
        }
        Ok(names)
    }

    fn body(&self, msf: &Msf, ty: TypeId) -> Result<&[u8], SymbolError> {
        let missing = || msf.corrupt(TPI, format!("there is no type {:#x}", ty.0));
        if !(self.first..self.end).contains(&ty.0) {
            return Err(missing());
        }
        let after = self.pieces.partition_point(|piece| piece.first <= ty.0);
        let piece = after
            .checked_sub(1)
            .and_then(|at| self.pieces.get(at))
            .ok_or_else(missing)?;
        let within = index(ty.0.saturating_sub(piece.first));
        self.loaded(msf, piece)?.body(within).ok_or_else(missing)
    }

    fn loaded<'a>(&self, msf: &Msf, piece: &'a Piece) -> Result<&'a Loaded, SymbolError> {
        if let Some(known) = piece.loaded.get() {
            return Ok(known);
        }
        let stream = msf.stream(TPI_STREAM).ok_or_else(|| msf.lacks(TPI))?;
        let bytes = stream.read(piece.start, piece.end.saturating_sub(piece.start), TPI)?;
        let loaded = Loaded::new(bytes);
        let wanted = self.next_piece(piece).saturating_sub(piece.first);
        if loaded.starts.len() != index(wanted) {
            let detail = format!("{} types where {wanted} are announced", loaded.starts.len());
            return Err(msf.corrupt(TPI, detail));
        }
        Ok(piece.loaded.get_or_init(|| loaded))
    }

    /// The number of the first record behind a piece.
    fn next_piece(&self, piece: &Piece) -> u32 {
        let after = self.pieces.partition_point(|other| other.first <= piece.first);
        self.pieces.get(after).map_or(self.end, |next| next.first)
    }

    fn names(&self, msf: &Msf) -> Result<&NameIndex, SymbolError> {
        if let Some(known) = self.names.get() {
            return Ok(known);
        }
        let stored = match self.hash {
            Some(place) => NameIndex::read(msf, place, self.end.saturating_sub(self.first))?,
            None => None,
        };
        let names = match stored {
            Some(names) => names,
            None => self.hash_names(msf)?,
        };
        Ok(self.names.get_or_init(|| names))
    }

    /// Looks at every record for its name, where the PDB has no hashes.
    fn hash_names(&self, msf: &Msf) -> Result<NameIndex, SymbolError> {
        let mut values = Vec::new();
        for piece in &self.pieces {
            let loaded = self.loaded(msf, piece)?;
            let bodies = (0..loaded.starts.len()).filter_map(|at| loaded.body(at));
            values.extend(
                bodies.map(|body| definition(body).map_or(NONE, |name| name_hash(name) % MAX_BUCKETS)),
            );
        }
        Ok(NameIndex::new(MAX_BUCKETS, values))
    }
}

/// The name that a record defines, if it is a complete type that has one.
fn definition(body: &[u8]) -> Option<&[u8]> {
    complete(body).map(|(name, _)| name)
}

/// The name and the size of a record that is a complete type; an enumeration's size is in another record.
fn complete(body: &[u8]) -> Option<(&[u8], Option<u32>)> {
    if !is_named(Cursor::new(body).u16()?) {
        return None;
    }
    match Record::parse(body)? {
        // Most structures are there twice: a forward reference, without size or members and named alike, for
        // pointers to them, and the definition (LLVM's "CodeView Type Records").
        Record::Udt(udt) if !udt.forward => Some((udt.name, Some(udt.size))),
        Record::Enum(enumeration) if !enumeration.forward => Some((enumeration.name, None)),
        _ => None,
    }
}

impl Loaded {
    fn new(bytes: Vec<u8>) -> Self {
        let mut starts = Vec::new();
        let mut cursor = Cursor::new(&bytes);
        let mut start = 0u32;
        while let Some(len) = cursor.u16() {
            // The length counts what follows it, the kind of the record included (LLVM's "CodeView Type
            // Records").
            if cursor.skip(usize::from(len)).is_none() {
                break;
            }
            starts.push(start);
            start = start.saturating_add(u32::from(len)).saturating_add(2);
        }
        Self { bytes, starts }
    }

    /// A record without its length.
    fn body(&self, at: usize) -> Option<&[u8]> {
        let mut cursor = Cursor::at(&self.bytes, index(*self.starts.get(at)?))?;
        let len = cursor.u16()?;
        cursor.take(usize::from(len))
    }
}

impl HashPlace {
    fn is_sound(&self) -> bool {
        matches!(self.key_size, 2 | 4) && (1..=MAX_BUCKETS).contains(&self.buckets)
    }
}

impl Header {
    fn is_sound(&self, stream: u32) -> bool {
        let room = stream.checked_sub(self.len);
        let count = self.end.checked_sub(self.first);
        // A record has at least its length and its kind.
        self.len >= HEADER
            && self.first >= FIRST_RECORD
            && room.is_some_and(|room| self.records <= room)
            && count.is_some_and(|count| count <= self.records / 4)
    }

    /// Cuts the stream where the hash stream knows a record's offset; where it knows none, or says things
    /// that cannot be, the whole is one piece.
    fn pieces(&self, msf: &Msf) -> Result<Vec<Piece>, SymbolError> {
        let stream = msf.stream(self.hash.stream).filter(|_| self.offsets.1 != 0);
        let known = match stream {
            Some(stream) => parse_offsets(&stream.read(self.offsets.0, self.offsets.1, HASHES)?),
            None => Vec::new(),
        };
        let cuts = if self.cuts_are_sound(&known) {
            known
        } else {
            vec![(self.first, 0)]
        };
        let ends = cuts
            .iter()
            .skip(1)
            .map(|&(_, offset)| offset)
            .chain([self.records]);
        let piece = |(&(first, start), end): (&(u32, u32), u32)| Piece {
            first,
            start: self.len.saturating_add(start),
            end: self.len.saturating_add(end),
            loaded: OnceLock::new(),
        };
        Ok(cuts.iter().zip(ends).map(piece).collect())
    }

    fn cuts_are_sound(&self, cuts: &[(u32, u32)]) -> bool {
        let rising = cuts
            .iter()
            .zip(cuts.iter().skip(1))
            .all(|(one, next)| one.0 < next.0 && one.1 < next.1);
        let first = cuts.first() == Some(&(self.first, 0));
        let last = cuts
            .last()
            .is_some_and(|last| last.0 < self.end && last.1 < self.records);
        rising && first && last
    }
}

fn parse_header(head: &[u8]) -> Option<Header> {
    let mut cursor = Cursor::new(head);
    let _version = cursor.u32()?;
    let len = cursor.u32()?;
    let first = cursor.u32()?;
    let end = cursor.u32()?;
    let records = cursor.u32()?;
    let stream = u32::from(cursor.u16()?);
    // A second stream for hashes, which no PDB is known to have (0xffff; LLVM says the same).
    let _auxiliary = cursor.u16()?;
    let key_size = cursor.u32()?;
    let buckets = cursor.u32()?;
    let values = (cursor.u32()?, cursor.u32()?);
    let offsets = (cursor.u32()?, cursor.u32()?);
    let hash = HashPlace {
        stream,
        key_size,
        buckets,
        values,
    };
    Some(Header {
        len,
        first,
        end,
        records,
        hash,
        offsets,
    })
}

fn parse_offsets(bytes: &[u8]) -> Vec<(u32, u32)> {
    let pair = |chunk: &[u8; 8]| {
        let mut cursor = Cursor::new(chunk);
        Some((cursor.u32()?, cursor.u32()?))
    };
    bytes.as_chunks::<8>().0.iter().filter_map(pair).collect()
}

/// All records' name hashes, in groups so that those of one hash are found at once.
#[derive(Debug)]
struct NameIndex {
    buckets: u32,
    values: Vec<u32>,
    /// The last record of each group, and for each record the one before it in its group.
    heads: Vec<u32>,
    previous: Vec<u32>,
}

impl NameIndex {
    /// `None` if there is not one hash for each record.
    fn read(msf: &Msf, place: HashPlace, records: u32) -> Result<Option<Self>, SymbolError> {
        let (offset, len) = place.values;
        if records.checked_mul(place.key_size) != Some(len) {
            return Ok(None);
        }
        let Some(stream) = msf.stream(place.stream) else {
            return Ok(None);
        };
        let bytes = stream.read(offset, len, HASHES)?;
        let values: Vec<u32> = match place.key_size {
            // Hashes of two bytes are of old writers, with 0x1000 buckets; those of today have 0x3ffff (tpi.h's
            // cchnV7, cchnV8).
            2 => bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|key| u32::from(u16::from_le_bytes(*key)))
                .collect(),
            _ => bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|key| u32::from_le_bytes(*key))
                .collect(),
        };
        Ok(values
            .iter()
            .all(|&value| value < place.buckets)
            .then(|| Self::new(place.buckets, values)))
    }

    /// Records of the value [`NONE`] have no name and are in no group.
    fn new(buckets: u32, values: Vec<u32>) -> Self {
        let mut heads = vec![NONE; values.len().next_power_of_two()];
        let mut previous = Vec::with_capacity(values.len());
        for (number, &value) in (0u32..).zip(&values) {
            let group = group(value, heads.len());
            let head = heads.get_mut(group).filter(|_| value != NONE);
            previous.push(head.map_or(NONE, |head| std::mem::replace(head, number)));
        }
        Self {
            buckets,
            values,
            heads,
            previous,
        }
    }

    fn bucket(&self, name: &[u8]) -> u32 {
        name_hash(name).checked_rem(self.buckets).unwrap_or(0)
    }

    /// Records of a bucket's group, which others share: number, counted from 0, and bucket; the last one first.
    fn group(&self, bucket: u32) -> impl Iterator<Item = (u32, u32)> {
        let known = |number: u32| (number != NONE).then_some(number);
        let head = self
            .heads
            .get(group(bucket, self.heads.len()))
            .copied()
            .and_then(known);
        let before = move |&number: &u32| self.previous.get(index(number)).copied().and_then(known);
        let numbers = std::iter::successors(head, before);
        numbers.filter_map(|number| Some((number, *self.values.get(index(number))?)))
    }
}

/// Groups are a power of two in number.
fn group(value: u32, groups: usize) -> usize {
    index(value) & groups.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_records_of_a_bucket_last_first() {
        let index = NameIndex::new(10, vec![3, 7, 3, 9, NONE, 3]);
        let of = |bucket| {
            let group = index.group(bucket).filter(|&(_, value)| value == bucket);
            group.map(|(number, _)| number).collect::<Vec<_>>()
        };
        assert_eq!(of(3), [5, 2, 0]);
        assert_eq!(of(7), [1]);
        assert_eq!(of(8), [0u32; 0]);
    }
}
