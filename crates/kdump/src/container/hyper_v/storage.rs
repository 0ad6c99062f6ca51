//! HyperVStorage: the container of `.vmrs`, `.vmcx` and, in old versions, `.vsv`, as a store of keys and values.
//!
//! Two headers at 0 and 0x1000: signature u32 0, CRC-32 4 (over 0x2e bytes, the field itself as zero), sequence u16 8,
//! version u32 0xa, replay log offset u64 0x1a, its size u64 0x22. The one with the higher sequence counts.
//! Object tables from 0x2000 on: signature u32 0, count u32 4, then entries of 0x12: type u8 0, offset u64 5, size u32
//! 0xd; type 1 leads to another table, 2 to a key table. The byte of flags at 0x11 is "required" to one source and
//! "allocated" to the other, and written as 0 by one of them: the type alone counts.
//! Key tables: signature u16 0, index u16 2, sequence u16 4, CRC-32 6 (over the header of 0xa bytes), then entries: type u8
//! 0, flags u8 1 (1: the value is in a file object), size u32 2, table u16 6 and place u32 8 of the parent, CRC-32 0xc (over
//! header, name and value), name length u8 0x14 with its NUL, name from 0x15, value. An entry of a file object has {size
//! u32, offset u64}. Of several tables with one index the newest counts \[single source\].
//! Replay log: signature u32 0, CRC-32 4 (over 0x22 bytes), entries u32 8, then entries of 0x1c from 0x22 on: CRC-32 0,
//! where it belongs u64 4, size u32 0xc, place in the log u64 0x10, CRC-32 of the data 0x18.
//!
//! Sources: microsoft/openvmm's hvs_file/FORMAT.md and defs.rs, dissect.hypervisor; they agree where nothing else is said,
//! but on entries of the log, where openvmm's are taken.

use std::collections::{HashMap, HashSet};

use crate::container::Refusal;
use crate::container::fields::{array, bytes};
use crate::file::source::ByteSource;
use crate::value::le;

const SIGNATURE: u32 = 0x0128_2014;
const SECOND_HEADER: u64 = 0x1000;
const OBJECT_TABLES: u64 = 0x2000;
const OBJECT_TABLE: u32 = 0x0111_0001;
const OBJECT_TABLE_HEADER: u64 = 8;
const OBJECT: usize = 0x12;
const KEY_TABLE: u16 = 2;
const KEY_TABLE_HEADER: usize = 0xa;
const KEY: usize = 0x15;
const REPLAY_LOG: u32 = 0x0111_0003;
const REPLAY_LOG_HEADER: usize = 0x22;
const CHANGE: usize = 0x1c;

/// Versions from this one on have names in UTF-8.
const OLDEST: u32 = 0x0101;
/// The version that Windows writes since 2016, and that both sources read.
pub(super) const KNOWN: u32 = 0x0400;

/// Bounds far above what machines need: of a machine with 1 TiB there are 2^20 objects and 50 MB of keys. A log's
/// entries fit the largest alignment, 64 KiB.
const MAX_TABLES: usize = 1 << 16;
const MAX_OBJECTS: usize = 1 << 22;
const MAX_KEY_TABLE: u32 = 1 << 20;
const MAX_CHANGES: u32 = 1 << 12;
const MAX_CHANGED: u64 = 1 << 28;
/// Names in a path: those of memory have two or three.
const MAX_DEPTH: usize = 8;

/// Whether a file begins as a storage does, or its second header does. Both headers must be there.
pub(crate) fn is_storage(head: &[u8]) -> bool {
    head.len() as u64 >= OBJECT_TABLES
        && [0, 0x1000]
            .into_iter()
            .any(|at| le::u32(head, at) == Some(SIGNATURE))
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    /// Where its bytes are in the file; none where some of them are waiting in the log.
    pub(super) place: Option<u64>,
    pub(super) len: u32,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Text,
    /// A number of whatever form.
    Other,
}

/// What the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
    /// Nothing is waiting.
    Empty,
    /// So many changes were waiting, and are taken as made.
    Applied(usize),
    /// Changes are waiting that cannot be taken.
    Unusable,
    /// There is no log where the header says.
    Missing,
}

/// A storage.
#[derive(Debug)]
pub(super) struct Storage<'s> {
    source: &'s ByteSource,
    pub(super) version: u32,
    pub(super) log: Log,
    changes: Vec<Change>,
    /// The newest table of each index: its sequence, where it is, how long.
    tables: HashMap<u16, (u16, u64, u32)>,
    nodes: HashMap<(u16, u32), Node>,
    /// Tables and entries that are damaged: their values are missing.
    pub(super) damaged: u64,
}

/// Bytes of the log that belong elsewhere.
#[derive(Debug, Clone, Copy)]
struct Change {
    to: u64,
    len: u64,
    from: u64,
}

impl Change {
    fn end(self) -> u64 {
        self.to.saturating_add(self.len)
    }
}

#[derive(Debug)]
struct Node {
    name: String,
    parent: (u16, u32),
}

impl<'s> Storage<'s> {
    /// Reads headers, log and tables.
    pub(super) fn open(source: &'s ByteSource) -> Result<Storage<'s>, Refusal> {
        let header = header(source)?;
        let version = le::u32(&header, 0xa).unwrap_or_default();
        if version < OLDEST {
            return Err(Refusal::Foreign {
                found: format!(
                    "a saved state of an old Hyper-V, version {}.{} of its container",
                    version >> 8,
                    version & 0xff
                ),
                next: "let WinDbg or Microsoft's vm2dmp make a dump of it".to_owned(),
            });
        }
        let mut storage = Storage {
            source,
            version,
            log: Log::Empty,
            changes: Vec::new(),
            tables: HashMap::new(),
            nodes: HashMap::new(),
            damaged: 0,
        };
        let field = |offset| le::u64(&header, offset).unwrap_or_default();
        storage.read_log(field(0x1a), field(0x22))?;
        storage.read_tables()?;
        Ok(storage)
    }

    /// Takes the changes that wait in the log as made. They are one change: Hyper-V writes all of them into the log,
    /// then counts them, then makes them. So one that is damaged means that the others do not count either
    /// \[inferred\].
    fn read_log(&mut self, at: u64, size: u64) -> Result<(), Refusal> {
        let Ok(head) = array::<REPLAY_LOG_HEADER>(self.source, at) else {
            self.log = Log::Missing;
            return Ok(());
        };
        if le::u32(&head, 0) != Some(REPLAY_LOG) || !is_whole(&head, 4) {
            self.log = Log::Missing;
            return Ok(());
        }
        let count = le::u32(&head, 8).unwrap_or_default();
        if count == 0 {
            return Ok(());
        }
        let end = at.saturating_add(size).min(self.source.len());
        self.log = Log::Unusable;
        if count > MAX_CHANGES {
            return Ok(());
        }
        let len = (count as usize).saturating_mul(CHANGE);
        let Ok(entries) = bytes(self.source, at.saturating_add(REPLAY_LOG_HEADER as u64), len) else {
            return Ok(());
        };
        let mut changes = Vec::new();
        let mut left = MAX_CHANGED;
        for entry in entries.chunks_exact(CHANGE) {
            let Some(change) = self.change(entry, at, end, &mut left)? else {
                return Ok(());
            };
            changes.push(change);
        }
        self.log = Log::Applied(changes.len());
        self.changes = changes;
        Ok(())
    }

    /// A change, where its entry and its bytes are whole.
    fn change(&self, entry: &[u8], log: u64, end: u64, left: &mut u64) -> Result<Option<Change>, Refusal> {
        let (Some(to), Some(len), Some(place), Some(sum)) = (
            le::u64(entry, 4),
            le::u32(entry, 0xc),
            le::u64(entry, 0x10),
            le::u32(entry, 0x18),
        ) else {
            return Ok(None);
        };
        let Some(rest) = left.checked_sub(len.into()).filter(|_| is_whole(entry, 0)) else {
            return Ok(None);
        };
        *left = rest;
        // The name of the field says that it counts from the log's start; its checksum would tell if it does not.
        for from in [log.saturating_add(place), place] {
            if from.saturating_add(len.into()) > end {
                continue;
            }
            if crc32(&[&bytes(self.source, from, len as usize)?]) == sum {
                return Ok(Some(Change {
                    to,
                    len: len.into(),
                    from,
                }));
            }
        }
        Ok(None)
    }

    /// Where bytes of the storage are in the file, with the changes made; none where they are in pieces.
    fn place(&self, offset: u64, len: u64) -> Option<u64> {
        let end = offset.saturating_add(len);
        for change in self.changes.iter().rev() {
            if change.to < end && change.end() > offset {
                let skip = offset.checked_sub(change.to)?;
                return (change.end() >= end).then_some(change.from.saturating_add(skip));
            }
        }
        Some(offset)
    }

    /// Bytes of the storage, with the changes made.
    fn bytes(&self, offset: u64, len: usize) -> Result<Vec<u8>, Refusal> {
        if let Some(place) = self.place(offset, len as u64) {
            return bytes(self.source, place, len);
        }
        let mut whole = bytes(self.source, offset, len)?;
        let end = offset.saturating_add(len as u64);
        for change in &self.changes {
            let (from, to) = (change.to.max(offset), change.end().min(end));
            if from >= to {
                continue;
            }
            let at = |of: u64, base: u64| usize::try_from(of.saturating_sub(base)).unwrap_or(usize::MAX);
            let part = whole.get_mut(at(from, offset)..at(to, offset));
            let source = change.from.saturating_add(from.saturating_sub(change.to));
            if let Some(part) = part {
                self.source.read_exact_at(source, part)?;
            }
        }
        Ok(whole)
    }

    /// Follows the chain of object tables to all key tables.
    fn read_tables(&mut self) -> Result<(), Refusal> {
        let mut seen = HashSet::new();
        let mut next = vec![OBJECT_TABLES];
        let (mut objects, mut keys) = (0_usize, 0_u64);
        while let Some(at) = next.pop() {
            if !seen.insert(at) {
                return Err(Refusal::Bad(format!(
                    "its object tables lead back to the one at {at:#x}"
                )));
            }
            if seen.len() > MAX_TABLES {
                return Err(Refusal::Bad(format!("more than {MAX_TABLES} object tables")));
            }
            let head = self.bytes(at, 8)?;
            if le::u32(&head, 0) != Some(OBJECT_TABLE) {
                if at == OBJECT_TABLES {
                    return Err(Refusal::Bad("it has no object table at 0x2000".to_owned()));
                }
                self.damaged = self.damaged.saturating_add(1);
                continue;
            }
            let count = le::u32(&head, 4).unwrap_or(u32::MAX) as usize;
            objects = objects.saturating_add(count);
            if objects > MAX_OBJECTS {
                return Err(Refusal::Bad(format!("more than {MAX_OBJECTS} objects")));
            }
            let table = self.bytes(
                at.saturating_add(OBJECT_TABLE_HEADER),
                count.saturating_mul(OBJECT),
            )?;
            for object in table.chunks_exact(OBJECT) {
                let (Some(offset), Some(size)) = (le::u64(object, 5), le::u32(object, 0xd)) else {
                    continue;
                };
                match object.first() {
                    Some(1) => next.push(offset),
                    Some(2) => {
                        keys = keys.saturating_add(size.into());
                        // Tables do not overlap: together they are no longer than the file.
                        if keys > self.source.len() || size > MAX_KEY_TABLE {
                            return Err(Refusal::Bad("its key tables are longer than the file".to_owned()));
                        }
                        self.add_table(offset, size)?;
                    }
                    _ => {}
                }
            }
        }
        let tables: Vec<_> = self
            .tables
            .iter()
            .map(|(&index, &(_, at, size))| (index, at, size))
            .collect();
        for (index, at, size) in tables {
            self.each_key(at, size, |storage, key| {
                if key.kind == 9 {
                    let name = String::from_utf8_lossy(key.name).into_owned();
                    let parent = key.parent;
                    storage.nodes.insert((index, key.at), Node { name, parent });
                }
            })?;
        }
        Ok(())
    }

    /// Keeps a key table, unless a newer one of its index is known.
    fn add_table(&mut self, at: u64, size: u32) -> Result<(), Refusal> {
        let head = match self.bytes(at, KEY_TABLE_HEADER) {
            Ok(head) => head,
            Err(Refusal::Cut { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let whole = le::u16(&head, 0) == Some(KEY_TABLE) && is_whole(&head, 6);
        let (true, Some(index), Some(sequence)) = (whole, le::u16(&head, 2), le::u16(&head, 4)) else {
            self.damaged = self.damaged.saturating_add(1);
            return Ok(());
        };
        let old = self.tables.get(&index);
        if old.is_none_or(|&(old, ..)| is_newer(sequence, old)) {
            self.tables.insert(index, (sequence, at, size));
        }
        Ok(())
    }

    /// Gives the entries of a key table.
    fn each_key(
        &mut self,
        table: u64,
        size: u32,
        mut each: impl FnMut(&mut Self, &Key<'_>),
    ) -> Result<(), Refusal> {
        let bytes = match self.bytes(table, size as usize) {
            Ok(bytes) => bytes,
            Err(Refusal::Cut { .. }) => {
                self.damaged = self.damaged.saturating_add(1);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut at = KEY_TABLE_HEADER;
        // What is not longer than an entry's header belongs to the entry before it.
        while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() > KEY) {
            let size = le::u32(rest, 2).unwrap_or_default() as usize;
            let Some(entry) = rest.get(..size).filter(|_| size >= KEY) else {
                // What follows cannot be found. Zeros are what a table has that was never filled.
                if rest.iter().any(|&byte| byte != 0) {
                    self.damaged = self.damaged.saturating_add(1);
                }
                break;
            };
            match Key::parse(entry, table, at) {
                Some(key) => each(self, &key),
                None if entry.first() == Some(&FREE) => {}
                None => self.damaged = self.damaged.saturating_add(1),
            }
            at = at.saturating_add(size);
        }
        Ok(())
    }

    /// Gives every value with its name, where `wanted` takes the name, and its path, which ends with the name.
    pub(super) fn values(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        mut each: impl FnMut(&str, Value),
    ) -> Result<(), Refusal> {
        let damaged = self.damaged;
        let mut tables: Vec<_> = self
            .tables
            .iter()
            .map(|(&index, &table)| (index, table))
            .collect();
        tables.sort_unstable();
        for (_, (_, at, size)) in tables {
            self.each_key(at, size, |storage, key| {
                let name = String::from_utf8_lossy(key.name);
                if key.kind == 9 || !wanted(&name) {
                    return;
                }
                let Some(path) = storage.path(&name, key.parent) else {
                    return;
                };
                let (offset, len) = match key.value {
                    At::Object { offset, len } => (offset, len),
                    At::Inline { skip, len } => (key.table.saturating_add(skip as u64), len),
                };
                let value = Value {
                    place: storage.place(offset, len.into()),
                    len,
                    kind: match key.kind {
                        7 => Kind::Array,
                        6 => Kind::Text,
                        _ => Kind::Other,
                    },
                };
                each(&path, value);
            })?;
        }
        // They were counted when the tables were read for their nodes.
        self.damaged = damaged;
        Ok(())
    }

    /// The path of a name under a node; none where its nodes are missing or lead in a circle.
    fn path(&self, name: &str, mut parent: (u16, u32)) -> Option<String> {
        let mut path = name.to_owned();
        for _ in 0..MAX_DEPTH {
            // Tables count from 1: the root is nowhere.
            if parent.0 == 0 {
                return Some(path);
            }
            let node = self.nodes.get(&parent)?;
            path = format!("{}/{path}", node.name);
            parent = node.parent;
        }
        None
    }

    /// Whether there is a node of this name under the root.
    pub(super) fn has_node(&self, name: &str) -> bool {
        self.nodes
            .values()
            .any(|node| node.parent.0 == 0 && node.name == name)
    }

    /// The bytes of a value, as many as `most`.
    pub(super) fn value(&self, value: Value, most: u32) -> Result<Vec<u8>, Refusal> {
        match value.place {
            Some(place) => bytes(self.source, place, value.len.min(most) as usize),
            None => Ok(Vec::new()),
        }
    }
}

/// The type of entries that hold nothing.
const FREE: u8 = 1;

/// An entry of a key table.
struct Key<'t> {
    kind: u8,
    name: &'t [u8],
    parent: (u16, u32),
    /// Where its table is in the storage.
    table: u64,
    /// Where it is in its table.
    at: u32,
    value: At,
}

/// Where a value is.
enum At {
    /// In its table.
    Inline { skip: usize, len: u32 },
    /// In a file object.
    Object { offset: u64, len: u32 },
}

impl Key<'_> {
    /// Reads an entry whose bytes are those that its checksum was made of.
    fn parse(entry: &[u8], table: u64, at: usize) -> Option<Key<'_>> {
        let (&kind, &flags) = (entry.first()?, entry.get(1)?);
        let name_len = usize::from(*entry.get(0x14)?);
        let value_at = KEY.checked_add(name_len)?;
        let name = entry.get(KEY..value_at)?;
        let value = entry.get(value_at..)?;
        let len = match (flags & 1, kind) {
            (1, 3..=9) => 12,
            (_, 3..=5) => 8,
            (_, 6 | 7) => (le::u32(value, 0)? as usize).checked_add(4)?,
            (_, 8) => 4,
            (_, 9) => 12,
            _ => return None,
        };
        // Behind the value there may be slack, which the checksum leaves out.
        let sum = le::u32(entry, 0xc)?;
        let whole = crc32(&[
            entry.get(..0xc)?,
            &[0; 4],
            entry.get(0x10..value_at)?,
            value.get(..len)?,
        ]);
        if sum != whole {
            return None;
        }
        let inline = |skip: usize, len: usize| {
            Some(At::Inline {
                skip: at.checked_add(value_at)?.checked_add(skip)?,
                len: u32::try_from(len).ok()?,
            })
        };
        let value = match (flags & 1, kind) {
            (1, _) => At::Object {
                len: le::u32(value, 0)?,
                offset: le::u64(value, 4)?,
            },
            (_, 6 | 7) => inline(4, len.checked_sub(4)?)?,
            _ => inline(0, len)?,
        };
        Some(Key {
            kind,
            name: name.strip_suffix(&[0]).unwrap_or(name),
            parent: (le::u16(entry, 6)?, le::u32(entry, 8)?),
            table,
            at: u32::try_from(at).ok()?,
            value,
        })
    }
}

/// The header that counts.
fn header(source: &ByteSource) -> Result<[u8; 0x2e], Refusal> {
    let read = |at| -> Result<Option<[u8; 0x2e]>, Refusal> {
        let header = array::<0x2e>(source, at)?;
        let whole = le::u32(&header, 0) == Some(SIGNATURE) && is_whole(&header, 4);
        Ok(whole.then_some(header))
    };
    let sequence = |header: &[u8]| le::u16(header, 8).unwrap_or_default();
    match (read(0)?, read(SECOND_HEADER)?) {
        (Some(first), Some(second)) if is_newer(sequence(&second), sequence(&first)) => Ok(second),
        (Some(header), _) | (None, Some(header)) => Ok(header),
        (None, None) => Err(Refusal::Bad("neither of its two headers is whole".to_owned())),
    }
}

/// Whether a sequence is newer than another: the higher one, but that 0 comes behind ffff.
fn is_newer(sequence: u16, than: u16) -> bool {
    match (sequence, than) {
        (0, u16::MAX) => true,
        (u16::MAX, 0) => false,
        _ => sequence > than,
    }
}

/// Whether the checksum at `at` is that of all the bytes, with itself as zero.
fn is_whole(bytes: &[u8], at: usize) -> bool {
    let behind = at.saturating_add(4);
    let (Some(sum), Some(before), Some(after)) = (le::u32(bytes, at), bytes.get(..at), bytes.get(behind..))
    else {
        return false;
    };
    sum == crc32(&[before, &[0; 4], after])
}

/// CRC-32 of ISO 3309 over pieces, one behind the other.
fn crc32(pieces: &[&[u8]]) -> u32 {
    let mut sum = flate2::Crc::new();
    pieces.iter().for_each(|piece| sum.update(piece));
    sum.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_iso_3309() {
        // The check value of the catalogue of CRCs.
        assert_eq!(crc32(&[b"1234", b"56789"]), 0xcbf4_3926);
    }

    #[test]
    fn sequences_go_round() {
        assert!(is_newer(0, 0xffff) && !is_newer(0xffff, 0));
        assert!(is_newer(7, 6) && !is_newer(6, 7) && !is_newer(7, 7));
    }
}
