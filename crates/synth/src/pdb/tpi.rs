//! The type stream (2), the id stream (4) and their hash streams.
//!
//! Source: LLVM's `PDB/TpiStream` document.

use super::hash;
use super::out::{Out, len32};
use super::records::{FIRST_INDEX, Records};

const VERSION_80: u32 = 20_040_203;

/// Number of hash buckets of the current version.
const BUCKETS: u32 = 0x3_ffff;

/// One index offset is written for about every so many bytes of records.
const OFFSET_EVERY: usize = 8 << 10;

/// The stream and its hash stream, which is number `hash_stream`. `name_offset` gives the place of a
/// name in the string table, for the names whose chain must lead to one of several definitions.
pub(super) fn write(
    types: &Records,
    hash_stream: u16,
    name_offset: impl Fn(&str) -> u32,
) -> (Vec<u8>, Vec<u8>) {
    let values: Vec<u8> = types
        .hashes
        .iter()
        .flat_map(|hash| (hash % BUCKETS).to_le_bytes())
        .collect();
    let offsets = index_offsets(&types.records);
    let adjusters = adjusters(types, name_offset);
    let mut stream = Vec::new();
    stream.u32(VERSION_80);
    stream.u32(56);
    stream.u32(FIRST_INDEX);
    stream.u32(FIRST_INDEX + len32(types.records.len()));
    stream.u32(len32(types.records.iter().map(Vec::len).sum()));
    stream.u16(hash_stream);
    stream.u16(0xffff); // no auxiliary hash stream
    stream.u32(4); // bytes of a hash value
    stream.u32(BUCKETS);
    let mut hashes = Vec::new();
    for part in [values, offsets, adjusters] {
        stream.u32(len32(hashes.len()));
        stream.u32(len32(part.len()));
        hashes.extend(part);
    }
    stream.extend(types.records.iter().flatten());
    (stream, hashes)
}

/// Pairs of type index and offset of its record, so that a reader need not start at the first.
fn index_offsets(records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut offset, mut next) = (0, 0);
    for (number, record) in records.iter().enumerate() {
        if offset >= next {
            out.u32(FIRST_INDEX + len32(number));
            out.u32(len32(offset));
            next = offset + OFFSET_EVERY;
        }
        offset += record.len();
    }
    out
}

/// Name to the definition that a look-up by hash must meet first. Without any, the part is empty.
fn adjusters(types: &Records, name_offset: impl Fn(&str) -> u32) -> Vec<u8> {
    let redefined = types.redefined();
    if redefined.is_empty() {
        return Vec::new();
    }
    let entries: Vec<_> = redefined
        .into_iter()
        .map(|(name, index)| (name_offset(name), index))
        .map(|(key, index)| (key, key, index))
        .collect();
    hash::table(&entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdb::samples;

    /// Version, sizes and number of buckets are those of Microsoft's linker.
    #[test]
    fn constants_of_real_files() {
        let (ours, _) = write(&Records::default(), 5, |_| 0);
        assert_eq!(ours.len(), 56);
        for mut file in samples() {
            let theirs = file(2);
            for range in [0..12, 22..32] {
                assert_eq!(ours[range.clone()], theirs[range]);
            }
        }
    }
}
