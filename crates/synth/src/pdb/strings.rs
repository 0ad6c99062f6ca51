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
