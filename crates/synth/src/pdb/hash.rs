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
