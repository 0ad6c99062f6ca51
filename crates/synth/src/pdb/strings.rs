//! The string table format of `/names` and of the edit-and-continue substream.
//!
//! Source: LLVM's `PDB/PdbStream` document ("named streams", "/names").

use super::hash;
use super::out::{Out, len32};

/// Strings, each known by its offset.
pub(super) struct Strings {
    bytes: Vec<u8>,
    offsets: Vec<(String, u32)>,
}

impl Strings {
    /// A table that begins with the empty string, which every table has at offset 0.
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0],
            offsets: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, text: &str) -> u32 {
        let offset = len32(self.bytes.len());
        self.bytes.zstr(text);
        self.offsets.push((text.to_owned(), offset));
        offset
    }

    /// # Panics
    /// When the string was not added.
    pub(super) fn offset(&self, text: &str) -> u32 {
        let found = self.offsets.iter().find(|(t, _)| t == text);
        found.expect("the string was added").1
    }

    pub(super) fn write(&self) -> Vec<u8> {
        const SIGNATURE: u32 = 0xeffe_effe;
        const HASH_VERSION: u32 = 1;

        let mut buckets = vec![0; self.offsets.len() * 4 / 3 + 1];
        let count = buckets.len();
        for (text, offset) in &self.offsets {
            let first = hash::of_name(text) as usize % count;
            let free = (first..count).chain(0..first).find(|b| buckets[*b] == 0);
            buckets[free.expect("more buckets than strings")] = *offset;
        }
        let mut out = Vec::new();
        out.u32(SIGNATURE);
        out.u32(HASH_VERSION);
        out.u32(len32(self.bytes.len()));
        out.extend(&self.bytes);
        out.u32(len32(count));
        buckets.iter().for_each(|offset| out.u32(*offset));
        out.u32(len32(self.offsets.len()));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdb::samples;

    /// All strings of a table, each found where its hash leads to.
    fn strings(table: &[u8]) -> Vec<String> {
        let word = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(4)), (0xeffe_effe, 1));
        let bytes = &table[12..12 + word(8) as usize];
        let first = 12 + bytes.len();
        let count = word(first) as usize;
        let bucket = |number: usize| word(first + 4 + 4 * number) as usize;
        let mut found = Vec::new();
        for number in (0..count).filter(|n| bucket(*n) != 0) {
            let rest = &bytes[bucket(number)..];
            let end = rest.iter().position(|b| *b == 0).unwrap();
            let text = String::from_utf8(rest[..end].to_vec()).unwrap();
            let mut probe = hash::of_name(&text) as usize % count;
            while probe != number {
                assert_ne!(bucket(probe), 0, "{text} is not where its hash leads");
                probe = (probe + 1) % count;
            }
            found.push(text);
        }
        assert_eq!(found.len(), word(first + 4 + 4 * count) as usize);
        found
    }

    #[test]
    fn strings_are_found_by_hash() {
        let mut table = Strings::new();
        let mut names: Vec<String> = (0..100).map(|n| format!("_TYPE_{n}")).collect();
        for name in &names {
            table.add(name);
        }
        let mut found = strings(&table.write());
        names.sort();
        found.sort();
        assert_eq!(found, names);
    }

    /// That the look-up above is the format's own.
    #[test]
    fn strings_of_real_files_are_found_by_hash() {
        // Where `/names` is in the two files, by LLVM's reader.
        for (mut file, stream) in samples().into_iter().zip([7, 11]) {
            assert!(!strings(&file(stream)).is_empty());
        }
    }
}
