//! Symbol records and the two hash streams over them.
//!
//! Source: `microsoft-pdb`, `PDB/dbi/gsi.h`, and LLVM's `PDB/GlobalStream`, `PDB/PublicStream`
//! documents.

use super::hash;
use super::out::{Out, len16, len32};

const S_UDT: u16 = 0x1108;
const S_PUB32: u16 = 0x110e;

/// Buckets of both hashes (`IPHR_HASH`).
const BUCKETS: usize = 4096;

/// A public symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Public {
    /// The decorated name.
    pub name: String,
    /// Number of the section, from 1; a number beyond the sections says that the offset is an
    /// absolute value.
    pub segment: u16,
    /// Bytes from the start of the section.
    pub offset: u32,
    /// Whether it is a function.
    pub is_function: bool,
}

/// The symbol record stream, with what the hash streams must know of each record.
#[derive(Default)]
pub(super) struct Symbols {
    pub(super) records: Vec<u8>,
    publics: Vec<(Entry, Place)>,
    globals: Vec<Entry>,
}

type Place = (u16, u32);

#[derive(Clone)]
struct Entry {
    name: String,
    /// Of the record in its stream.
    offset: u32,
}

impl Symbols {
    /// Appends a record: the length (not counting itself), the kind, the content padded to 4 bytes.
    fn push(&mut self, name: &str, kind: u16, content: &[u8]) -> Entry {
        let offset = len32(self.records.len());
        // Length, kind and content together fill whole words.
        let length = (4 + content.len()).next_multiple_of(4) - 2;
        self.records.u16(len16(length));
        self.records.u16(kind);
        self.records.extend(content);
        self.records.align(4);
        let name = name.to_owned();
        Entry { name, offset }
    }

    pub(super) fn add_public(&mut self, public: &Public) {
        const CODE: u32 = 1;
        const FUNCTION: u32 = 2;
        let mut content = Vec::new();
        content.u32(if public.is_function { CODE | FUNCTION } else { 0 });
        content.u32(public.offset);
        content.u16(public.segment);
        content.zstr(&public.name);
        let entry = self.push(&public.name, S_PUB32, &content);
        self.publics.push((entry, (public.segment, public.offset)));
    }

    /// The name under which a type definition is known.
    pub(super) fn add_type_name(&mut self, name: &str, index: u32) {
        let mut content = Vec::new();
        content.u32(index);
        content.zstr(name);
        let entry = self.push(name, S_UDT, &content);
        self.globals.push(entry);
    }

    /// The globals stream: a hash of all symbols that are not public.
    pub(super) fn globals_stream(&self) -> Vec<u8> {
        hash_of(self.globals.clone())
    }

    /// The publics stream: a hash of the public symbols, and their order by address.
    pub(super) fn publics_stream(&self) -> Vec<u8> {
        let hash = hash_of(self.publics.iter().map(|(e, _)| e.clone()).collect());
        let mut by_address: Vec<_> = self.publics.iter().collect();
        by_address.sort_by(|a, b| (a.1, &a.0.name).cmp(&(b.1, &b.0.name)));
        let mut out = Vec::new();
        out.u32(len32(hash.len()));
        out.u32(len32(4 * by_address.len()));
        out.u32(0); // thunks
        out.u32(0); // bytes of a thunk
        out.u32(0); // section of the thunk table, and padding
        out.u32(0); // offset of the thunk table
        out.u32(0); // sections with thunks
        out.extend(hash);
        by_address.iter().for_each(|(e, _)| out.u32(e.offset));
        out
    }
}

fn hash_of(entries: Vec<Entry>) -> Vec<u8> {
    const VERSION: u32 = 0xeffe_0000 + 19_990_810;
    // Where a bucket begins is said as if a hash record took what it takes in a 32-bit linker's memory.
    const RECORD_IN_MEMORY: usize = 12;

    let mut buckets: Vec<Vec<Entry>> = vec![Vec::new(); BUCKETS];
    for entry in entries {
        buckets[hash::of_name(&entry.name) as usize % BUCKETS].push(entry);
    }
    let mut records = Vec::new();
    // One bit a bucket, and one word more for the bucket that the linker keeps free records in.
    let mut present = vec![0u32; BUCKETS / 32 + 1];
    let mut starts = Vec::new();
    for (number, bucket) in buckets.iter_mut().enumerate() {
        if bucket.is_empty() {
            continue;
        }
        present[number / 32] |= 1 << (number % 32);
        starts.u32(len32(records.len() / 8 * RECORD_IN_MEMORY));
        bucket.sort_by_cached_key(|e| (e.name.len(), e.name.to_ascii_lowercase(), e.offset));
        for entry in bucket {
            records.u32(entry.offset + 1);
            records.u32(1); // references
        }
    }
    let mut out = Vec::new();
    out.u32(0xffff_ffff);
    out.u32(VERSION);
    out.u32(len32(records.len()));
    out.u32(len32(4 * present.len() + starts.len()));
    out.extend(records);
    present.iter().for_each(|word| out.u32(*word));
    out.extend(starts);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdb::samples;

    fn word(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    /// Public symbols of a symbol record stream, with the offsets of their records.
    fn publics(records: &[u8]) -> Vec<(Entry, Place)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < records.len() {
            let head = word(records, at);
            if head >> 16 == u32::from(S_PUB32) {
                let text = &records[at + 14..];
                let end = text.iter().position(|b| *b == 0).unwrap();
                let name = std::str::from_utf8(&text[..end]).unwrap().to_owned();
                let segment = u16::try_from(word(records, at + 12) & 0xffff).unwrap();
                let place = (segment, word(records, at + 8));
                let offset = len32(at);
                found.push((Entry { name, offset }, place));
            }
            at += 2 + (head & 0xffff) as usize;
        }
        found
    }

    /// The publics stream that Microsoft's linker wrote for the same symbols, where it is present.
    #[test]
    fn real_publics_streams_are_the_same_to_the_byte() {
        for mut raw in samples() {
            let debug = raw(3);
            let number = |at: usize| u16::from_le_bytes([debug[at], debug[at + 1]]);
            let (stream, records) = (raw(number(16)), raw(number(20)));
            let symbols = Symbols {
                publics: publics(&records),
                ..Symbols::default()
            };
            let written = symbols.publics_stream();
            assert!(written[28..] == stream[28..][..written.len() - 28]);
            assert_eq!(written[..8], stream[..8]);
        }
    }

    #[test]
    fn records_fill_whole_words() {
        let mut symbols = Symbols::default();
        for name in ["a", "ab", "abc", "abcd"] {
            symbols.add_public(&Public {
                name: name.to_owned(),
                segment: 1,
                offset: 0x10,
                is_function: true,
            });
        }
        let offsets: Vec<u32> = symbols.publics.iter().map(|(e, _)| e.offset).collect();
        // 14 bytes and the name with its end: 16, 17, 18, 19 bytes.
        assert_eq!(offsets, [0, 16, 36, 56]);
        let first = [14, 0, 0x0e, 0x11, 3, 0, 0, 0, 0x10, 0, 0, 0, 1, 0, b'a', 0];
        assert_eq!(symbols.records[..16], first);
    }
}
