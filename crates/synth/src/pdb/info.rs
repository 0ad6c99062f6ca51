//! The PDB information stream (1): identity, named streams, features.
//!
//! Source: LLVM's `PDB/PdbStream` document.

use super::hash;
use super::out::{Out, len32};

const VERSION_70: u32 = 20_000_404;

/// The feature that says that stream 4 holds ids.
const FEATURE_VC140: u32 = 20_140_508;

/// Identity of a PDB, as the RSDS record of its image repeats it.
pub(super) struct Identity {
    pub(super) signature: u32,
    pub(super) age: u32,
    pub(super) guid: [u8; 16],
}

/// The stream; `named` are names and numbers of the named streams.
pub(super) fn write(identity: &Identity, named: &[(&str, u16)]) -> Vec<u8> {
    let mut out = Vec::new();
    out.u32(VERSION_70);
    out.u32(identity.signature);
    out.u32(identity.age);
    out.extend(identity.guid);
    let mut names = Vec::new();
    let mut entries = Vec::new();
    for (name, stream) in named {
        // The map hashes to 16 bits before it chooses a slot.
        let hash = hash::of_name(name) & 0xffff;
        entries.push((hash, len32(names.len()), u32::from(*stream)));
        names.zstr(name);
    }
    out.u32(len32(names.len()));
    out.extend(names);
    out.extend(hash::table(&entries));
    out.u32(0); // number of name indexes, unused since version 7
    out.u32(FEATURE_VC140);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdb::samples;

    /// Names and streams of a stream's map, each found where its hash leads to.
    fn named_streams(info: &[u8]) -> Vec<(String, u32)> {
        let word = |at: usize| u32::from_le_bytes(info[at..at + 4].try_into().unwrap());
        let names = &info[32..32 + word(28) as usize];
        let mut at = 32 + names.len();
        let (count, capacity, words) = (word(at), word(at + 4), word(at + 8));
        let marked = |at: usize, words: u32| -> Vec<u32> {
            let is_set = |slot: &u32| word(at + 4 * (slot / 32) as usize) >> (slot % 32) & 1 == 1;
            (0..capacity.min(32 * words)).filter(is_set).collect()
        };
        let slots = marked(at + 12, words);
        at += 12 + 4 * words as usize;
        let deleted = marked(at + 4, word(at));
        at += 4 * word(at) as usize;
        let mut found = Vec::new();
        for (slot, pair) in slots.iter().zip((at + 4..).step_by(8)) {
            let rest = &names[word(pair) as usize..];
            let end = rest.iter().position(|b| *b == 0).unwrap();
            let name = String::from_utf8(rest[..end].to_vec()).unwrap();
            let mut probe = (hash::of_name(&name) & 0xffff) % capacity;
            while probe != *slot {
                let is_taken = slots.contains(&probe) || deleted.contains(&probe);
                assert!(is_taken, "{name} is not where its hash leads");
                probe = (probe + 1) % capacity;
            }
            found.push((name, word(pair + 4)));
        }
        assert_eq!(found.len(), count as usize);
        found
    }

    #[test]
    fn names_are_found_by_hash() {
        let names = [
            "/LinkInfo",
            "/TMCache",
            "/names",
            "/src/headerblock",
            "/UDTSRCLINEUNDONE",
        ];
        let named: Vec<(&str, u16)> = names.into_iter().zip(7..).collect();
        let identity = Identity {
            signature: 1,
            age: 2,
            guid: [3; 16],
        };
        let mut found = named_streams(&write(&identity, &named));
        found.sort_by_key(|(_, stream)| *stream);
        let expected: Vec<_> = names.into_iter().map(str::to_owned).zip(7..).collect();
        assert_eq!(found, expected);
    }

    /// That the look-up above is the format's own.
    #[test]
    fn names_of_real_files_are_found_by_hash() {
        for mut file in samples() {
            let found = named_streams(&file(1));
            assert!(found.iter().any(|(name, _)| name == "/names"));
        }
    }
}
