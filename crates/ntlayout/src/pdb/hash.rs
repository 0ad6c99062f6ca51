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
