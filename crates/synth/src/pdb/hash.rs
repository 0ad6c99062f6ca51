//! The hashes by which a PDB's types, symbols and named streams are found.
//!
//! Source: the format's published reader and writer (`microsoft-pdb`, `PDB/include/misc.h`: `LHashPbCb`
//! and `SigForPbCb`), as described in LLVM's `PDB/HashTable` and `PDB/TpiStream` documents.

/// Hash of a name: the string's 32-bit words, its rest of two bytes and of one, all xored, case folded.
/// Not reduced to a bucket.
pub(super) fn of_name(name: &str) -> u32 {
    let (words, rest) = name.as_bytes().as_chunks::<4>();
    let (pairs, single) = rest.as_chunks::<2>();
    let mut sum = words.iter().fold(0, |s, w| s ^ u32::from_le_bytes(*w));
    sum = pairs
        .iter()
        .fold(sum, |s, p| s ^ u32::from(u16::from_le_bytes(*p)));
    sum = single.iter().fold(sum, |s, b| s ^ u32::from(*b));
    // Sets the bit that tells ASCII's cases apart, in every byte.
    sum |= 0x2020_2020;
    sum ^= sum >> 11;
    sum ^ (sum >> 16)
}

/// Hash of a whole record: CRC-32 (reflected 0x04c11db7) that starts at zero and is not inverted.
pub(super) fn of_bytes(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| {
            (c >> 1) ^ if c & 1 == 0 { 0 } else { 0xedb8_8320 }
        })
    })
}

/// The serialized hash table of the format: key and value of 32 bits, linear probing, present and
/// deleted bits. `entries` are (hash of the key, key, value).
pub(super) fn table(entries: &[(u32, u32, u32)]) -> Vec<u8> {
    use super::out::{Out, len32};

    // The published writer grows a table that is more than two thirds full.
    let capacity = (entries.len() * 3 / 2 + 1).next_power_of_two().max(8);
    let mut slots: Vec<Option<(u32, u32)>> = vec![None; capacity];
    for (hash, key, value) in entries {
        let first = *hash as usize % capacity;
        let free = (first..capacity)
            .chain(0..first)
            .find(|slot| slots[*slot].is_none());
        slots[free.expect("a table is never full")] = Some((*key, *value));
    }
    let mut present = vec![0u32; capacity.div_ceil(32)];
    for (slot, _) in slots.iter().enumerate().filter(|(_, s)| s.is_some()) {
        present[slot / 32] |= 1 << (slot % 32);
    }
    while present.last() == Some(&0) {
        present.pop();
    }
    let mut out = Vec::new();
    out.u32(len32(entries.len()));
    out.u32(len32(capacity));
    out.u32(len32(present.len()));
    present.iter().for_each(|word| out.u32(*word));
    out.u32(0);
    for (key, value) in slots.iter().flatten() {
        out.u32(*key);
        out.u32(*value);
    }
    out
}

#[cfg(test)]
mod tests {
    use pdb::{FallibleIterator, PDB, TypeData};

    use super::*;
    use crate::pdb::{sample_paths, samples};

    const BUCKETS: u32 = 0x3_ffff;

    /// Hash values that Microsoft's linker stored in a public program's PDB.
    #[test]
    fn known_hashes() {
        for (name, bucket) in [
            ("JOB_OBJECT_NET_RATE_CONTROL_FLAGS", 0xb2d2),
            ("ReplacesCorHdrNumericDefines", 0xe506),
            ("_TP_CALLBACK_PRIORITY", 0xd92b),
            ("_USER_ACTIVITY_PRESENCE", 0x329ad),
        ] {
            assert_eq!(of_name(name) % BUCKETS, bucket, "{name}");
        }
        let no_arguments = [6, 0, 0x01, 0x12, 0, 0, 0, 0];
        assert_eq!(of_bytes(&no_arguments) % BUCKETS, 0x32484);
        let procedure = [14, 0, 0x08, 0x10, 3, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x10, 0, 0];
        assert_eq!(of_bytes(&procedure) % BUCKETS, 0x75d8);
    }

    /// What the hash of a definition is taken of, by its properties and names.
    fn expected(item: &pdb::Type<'_>, record: &[u8]) -> u32 {
        let (properties, name, unique) = match item.parse() {
            Ok(TypeData::Class(t)) => (t.properties, t.name, t.unique_name),
            Ok(TypeData::Union(t)) => (t.properties, t.name, t.unique_name),
            Ok(TypeData::Enumeration(t)) => (t.properties, t.name, t.unique_name),
            _ => return of_bytes(record),
        };
        let name = name.to_string();
        let unnamed = name.ends_with("<unnamed-tag>") || name.ends_with("__unnamed");
        if properties.forward_reference() || (unnamed && unique.is_some()) {
            return of_bytes(record);
        }
        match unique {
            Some(unique) if properties.scoped_definition() => of_name(&unique.to_string()),
            _ => of_name(&name),
        }
    }

    /// All records of PDBs that Microsoft's linker wrote, where they are present.
    #[test]
    fn hashes_of_real_files() {
        for (path, mut stream) in sample_paths().into_iter().zip(samples()) {
            let types = stream(2);
            let word = |at: usize| u32::from_le_bytes(types[at..at + 4].try_into().unwrap());
            let hashes = stream(u16::try_from(word(20) & 0xffff).unwrap());
            let (buckets, mut at) = (word(28), 56);
            let mut file = PDB::open(std::fs::File::open(&path).unwrap()).unwrap();
            let information = file.type_information().unwrap();
            let mut items = information.iter();
            for stored in hashes.as_chunks::<4>().0 {
                let Some(item) = items.next().unwrap() else {
                    break;
                };
                let length = 2 + (word(at) & 0xffff) as usize;
                let hash = expected(&item, &types[at..at + length]) % buckets;
                assert_eq!(hash, u32::from_le_bytes(*stored), "{}", item.index());
                at += length;
            }
            assert_eq!(at, types.len(), "{}", path.display());
        }
    }

    #[test]
    fn table_slots_are_marked() {
        let entries: Vec<_> = (0..40).map(|n| (7, n, 100 + n)).collect();
        let words: Vec<u32> = table(&entries)
            .as_chunks::<4>()
            .0
            .iter()
            .map(|word| u32::from_le_bytes(*word))
            .collect();
        // 40 entries in 64 slots; all collide, so they fill the slots from 7 on.
        assert_eq!(words[..3], [40, 64, 2]);
        assert_eq!(
            u64::from(words[3]) | u64::from(words[4]) << 32,
            ((1 << 40) - 1) << 7
        );
        assert_eq!(words[5], 0);
        assert_eq!(words[6..10], [0, 100, 1, 101]);
        assert_eq!(words.len(), 6 + 80);
    }
}
