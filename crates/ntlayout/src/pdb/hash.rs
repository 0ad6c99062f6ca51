//! The hash by which PDBs find names: `LHashPbCb` of Microsoft's `PDB/include/misc.h`, "hash V1" of LLVM.

use crate::bytes::Cursor;

/// Hashes a name without regard to the case of ASCII letters.
pub(super) fn name_hash(name: &[u8]) -> u32 {
    let mut hash = 0u32;
    let mut cursor = Cursor::new(name);
    while let Some(word) = cursor.u32() {
        hash ^= word;
    }
    if let Some(half) = cursor.u16() {
        hash ^= u32::from(half);
    }
    if let Some(byte) = cursor.u8() {
        hash ^= u32::from(byte);
    }
    hash |= 0x2020_2020;
    hash ^= hash >> 11;
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `llvm-pdbutil dump -types -type-extras` shows in a PDB of Microsoft's linker (262,143 buckets).
    #[test]
    fn names_hash_as_the_linker_has_them() {
        assert_eq!(name_hash(b"_M128A") % 262_143, 0x36502);
        assert_eq!(name_hash(b"_CONTEXT") % 262_143, 0x698b);
        assert_eq!(name_hash(b"_EXCEPTION_RECORD") % 262_143, 0x16058);
    }
}
