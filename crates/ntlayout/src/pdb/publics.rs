//! Public symbols: names of globals and functions with segment and offset.
//!
//! The public-symbol stream is a hash table of offsets into the stream of symbol records. Format: LLVM's
//! "The PDB Global and Public Symbol Streams", Microsoft's `PDB/dbi/gsi.h`.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::bytes::{Cursor, index};
use crate::error::SymbolError;
use crate::pdb::hash::name_hash;
use crate::pdb::msf::{Msf, Stream};
use crate::table::preferred;

const PUBLICS: &str = "public symbols";
const RECORDS: &str = "symbol records";
/// The public-symbol stream's own header, before the hash.
const HEADER: u32 = 28;
const HASH_HEADER: u32 = 16;
const BUCKETS: u32 = 4096;
/// One bit a bucket and one more, in words of 32.
const BITMAP: u32 = 129 * 4;
const HASH_RECORD: u32 = 8;
/// The size of a hash record in the memory of the program that wrote it, in which buckets are counted.
const HASH_RECORD_IN_MEMORY: u32 = 12;
const S_PUB32: u16 = 0x110e;
/// Kind, flags, offset and segment, after the length.
const PUB32_HEADER: usize = 12;
/// A bucket holds a dozen names in a kernel; more than this is no hash table.
const MAX_CHAIN: u32 = 4096;

/// Where a public symbol says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u16,
    pub(super) offset: u32,
}

/// The public symbols of a PDB.
#[derive(Debug)]
pub(super) struct Publics {
    hash: Option<u32>,
    records: u32,
    /// Read when first asked for.
    index: OnceLock<Index>,
    /// RVAs and offsets of records in the order of these, read when first asked for.
    by_address: OnceLock<Vec<(u32, u32)>>,
}

/// How a symbol is found by its name.
#[derive(Debug)]
enum Index {
    Hash(HashIndex),
    /// Of a PDB without a hash of the known kind: all of them, by one look at every record.
    Names(HashMap<Vec<u8>, Place>),
}

/// The part of the hash that says where each bucket's records are.
#[derive(Debug)]
struct HashIndex {
    records: u32,
    bitmap: Vec<u8>,
    buckets: Vec<u8>,
}

impl Publics {
    pub(super) fn new(hash: Option<u32>, records: u32) -> Self {
        Self {
            hash,
            records,
            index: OnceLock::new(),
            by_address: OnceLock::new(),
        }
    }

    /// The public symbol of exactly that name.
    pub(super) fn find(&self, msf: &Msf, name: &str) -> Result<Option<Place>, SymbolError> {
        let records = msf.stream(self.records).ok_or_else(|| msf.lacks(RECORDS))?;
        let hash = self.hash.and_then(|number| msf.stream(number));
        match (self.index(hash.as_ref(), &records)?, hash) {
            (Index::Hash(index), Some(stream)) => index.find(msf, &stream, &records, name),
            (Index::Names(names), _) => Ok(names.get(name.as_bytes()).copied()),
            (Index::Hash(_), None) => Ok(None),
        }
    }

    /// The public symbol at or before an RVA, with its own.
    pub(super) fn nearest(
        &self,
        msf: &Msf,
        rva: u32,
        rva_of: &dyn Fn(u16, u32) -> Option<u32>,
    ) -> Result<Option<(String, u32)>, SymbolError> {
        let records = msf.stream(self.records).ok_or_else(|| msf.lacks(RECORDS))?;
        // One address has several names oftener than one would think: 228 of 42,149 in a kernel of build 22000,
        // 91 of 18,827 in one of Windows 7. Functions with the same code are folded into one (/OPT:ICF), and
        // NtX and ZwX of ntdll are one.
        let by_address = match self.by_address.get() {
            Some(known) => known,
            None => {
                let sorted = sorted(&records.read_all(RECORDS)?, rva_of);
                self.by_address.get_or_init(|| sorted)
            }
        };
        let next = by_address.partition_point(|&(at, _)| at <= rva);
        let last = next.checked_sub(1).and_then(|last| by_address.get(last));
        let Some(&(found, _)) = last else { return Ok(None) };
        let first = by_address.partition_point(|&(at, _)| at < found);
        let mut name = None;
        for &(_, offset) in by_address.get(first..next).unwrap_or_default() {
            let one = name_at(&records, offset)?;
            name = match (name, one) {
                (None, one) => one,
                (Some(before), Some(one)) => Some(preferred(&before, &one).to_owned()),
                (before, None) => before,
            };
        }
        Ok(name.map(|name| (name, found)))
    }

    fn index(&self, hash: Option<&Stream<'_>>, records: &Stream<'_>) -> Result<&Index, SymbolError> {
        if let Some(known) = self.index.get() {
            return Ok(known);
        }
        let stored = match hash {
            Some(stream) => HashIndex::read(stream)?,
            None => None,
        };
        let index = match stored {
            Some(hash) => Index::Hash(hash),
            None => Index::Names(all(&records.read_all(RECORDS)?)),
        };
        Ok(self.index.get_or_init(|| index))
    }
}

impl HashIndex {
    fn read(stream: &Stream<'_>) -> Result<Option<Self>, SymbolError> {
        let head = stream.read_up_to(0, HEADER.saturating_add(HASH_HEADER), PUBLICS)?;
        let Some((records, buckets)) = parse_header(&head) else {
            return Ok(None);
        };
        // A bitmap of 4,097 bits says which buckets have entries, and only those have a number behind it: old
        // PDBs have an array of all buckets instead (Microsoft's gsi.cpp).
        if records % HASH_RECORD != 0 || buckets < BITMAP {
            return Ok(None);
        }
        let start = HEADER.saturating_add(HASH_HEADER).checked_add(records);
        let mut bytes = stream.read(start.unwrap_or(u32::MAX), buckets, PUBLICS)?;
        let buckets = bytes.split_off(index(BITMAP));
        let records = records / HASH_RECORD;
        Ok(Some(Self {
            records,
            bitmap: bytes,
            buckets,
        }))
    }

    fn find(
        &self,
        msf: &Msf,
        stream: &Stream<'_>,
        records: &Stream<'_>,
        name: &str,
    ) -> Result<Option<Place>, SymbolError> {
        // The hash is the same for `ntclose` and `NtClose`: the whole name is compared, with its case.
        let bucket = name_hash(name.as_bytes()) % BUCKETS;
        let Some((first, count)) = self.chain(bucket) else {
            return Ok(None);
        };
        if count > MAX_CHAIN {
            return Err(msf.corrupt(PUBLICS, format!("{count} symbols in one bucket of the hash")));
        }
        let from = HEADER
            .saturating_add(HASH_HEADER)
            .saturating_add(first.saturating_mul(HASH_RECORD));
        let chain = stream.read(from, count.saturating_mul(HASH_RECORD), PUBLICS)?;
        for record in chain.as_chunks::<8>().0 {
            // Offsets are counted from 1; 0 stands for no record.
            let offset = Cursor::new(record).u32().and_then(|offset| offset.checked_sub(1));
            if let Some(offset) = offset
                && let Some(place) = public_at(records, offset, name)?
            {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// First hash record of a bucket and how many there are.
    fn chain(&self, bucket: u32) -> Option<(u32, u32)> {
        let (byte, bit) = (index(bucket / 8), bucket % 8);
        let before = self.bitmap.get(..byte)?;
        let here = *self.bitmap.get(byte)?;
        if here & (1u8 << bit) == 0 {
            return None;
        }
        let below = u32::from(here) & (1u32 << bit).saturating_sub(1);
        let rank: u32 = before.iter().map(|byte| byte.count_ones()).sum();
        let rank = index(rank.saturating_add(below.count_ones()));
        let start = self.bucket(rank)?;
        let end = rank
            .checked_add(1)
            .and_then(|next| self.bucket(next))
            .unwrap_or(self.records);
        Some((start, end.min(self.records).checked_sub(start)?))
    }

    fn bucket(&self, rank: usize) -> Option<u32> {
        let word = Cursor::at(&self.buckets, rank.checked_mul(4)?)?.u32()?;
        Some(word / HASH_RECORD_IN_MEMORY)
    }
}

/// Bytes of hash records and of buckets.
fn parse_header(head: &[u8]) -> Option<(u32, u32)> {
    let mut cursor = Cursor::at(head, index(HEADER))?;
    let signature = cursor.u32()?;
    let version = cursor.u32()?;
    let sizes = (cursor.u32()?, cursor.u32()?);
    // 0xeffe0000 + 19990810, the date of the version (GSIHashSCImpv70 in LLVM).
    (signature == u32::MAX && version == 0xf12f_091a).then_some(sizes)
}

/// The record at that offset, if it is the public symbol of that name.
fn public_at(records: &Stream<'_>, offset: u32, name: &str) -> Result<Option<Place>, SymbolError> {
    // Length, header, name and its NUL.
    let wanted = name.len().saturating_add(PUB32_HEADER).saturating_add(3);
    let bytes = records.read_up_to(offset, u32::try_from(wanted).unwrap_or(u32::MAX), RECORDS)?;
    let mut cursor = Cursor::new(&bytes);
    let len = cursor.u16().map_or(0, usize::from);
    let body = cursor.take(len.min(cursor.rest().len()));
    Ok(body
        .and_then(parse_public)
        .filter(|(found, _)| *found == name.as_bytes())
        .map(|(_, place)| place))
}

/// RVAs and offsets of all public symbols that are at an address, in the order of these.
fn sorted(records: &[u8], rva_of: &dyn Fn(u16, u32) -> Option<u32>) -> Vec<(u32, u32)> {
    let mut all = Vec::new();
    let mut cursor = Cursor::new(records);
    loop {
        let at = records.len().saturating_sub(cursor.rest().len());
        let Some(body) = cursor.u16().and_then(|len| cursor.take(usize::from(len))) else {
            break;
        };
        if let Some((_, place)) = parse_public(body)
            && let Some(rva) = rva_of(place.segment, place.offset)
            && let Ok(at) = u32::try_from(at)
        {
            all.push((rva, at));
        }
    }
    all.sort_unstable();
    all
}

/// The name in the record at an offset.
fn name_at(records: &Stream<'_>, offset: u32) -> Result<Option<String>, SymbolError> {
    let head = records.read_up_to(offset, 2, RECORDS)?;
    let len = Cursor::new(&head).u16().unwrap_or_default();
    let bytes = records.read_up_to(offset.saturating_add(2), len.into(), RECORDS)?;
    let name = parse_public(&bytes).map(|(name, _)| String::from_utf8_lossy(name).into_owned());
    Ok(name)
}

/// Name and place of an S_PUB32 record (without its length).
fn parse_public(body: &[u8]) -> Option<(&[u8], Place)> {
    let mut cursor = Cursor::new(body);
    if cursor.u16()? != S_PUB32 {
        return None;
    }
    let _flags = cursor.u32()?;
    let offset = cursor.u32()?;
    let segment = cursor.u16()?;
    Some((cursor.cstr()?, Place { segment, offset }))
}

/// Looks at every record, by length and kind. Of several symbols of one name, the first counts.
fn all(records: &[u8]) -> HashMap<Vec<u8>, Place> {
    let mut names = HashMap::new();
    let mut cursor = Cursor::new(records);
    while let Some(body) = cursor.u16().and_then(|len| cursor.take(usize::from(len))) {
        if let Some((name, place)) = parse_public(body) {
            names.entry(name.to_vec()).or_insert(place);
        }
    }
    names
}
