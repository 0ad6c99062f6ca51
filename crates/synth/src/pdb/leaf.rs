//! Type records, byte by byte.
//!
//! Source: `cvinfo.h` of `microsoft-pdb` and LLVM's `PDB/CodeViewTypes` document; for the leaves with
//! 32-bit properties, records of kernels since build 21286.

use super::out::{Out, len16};

pub(super) const LF_MODIFIER: u16 = 0x1001;
pub(super) const LF_POINTER: u16 = 0x1002;
pub(super) const LF_PROCEDURE: u16 = 0x1008;
pub(super) const LF_ARGLIST: u16 = 0x1201;
pub(super) const LF_FIELDLIST: u16 = 0x1203;
pub(super) const LF_BITFIELD: u16 = 0x1205;
pub(super) const LF_INDEX: u16 = 0x1404;
pub(super) const LF_ENUMERATE: u16 = 0x1502;
pub(super) const LF_ARRAY: u16 = 0x1503;
pub(super) const LF_CLASS: u16 = 0x1504;
pub(super) const LF_STRUCTURE: u16 = 0x1505;
pub(super) const LF_UNION: u16 = 0x1506;
pub(super) const LF_ENUM: u16 = 0x1507;
pub(super) const LF_MEMBER: u16 = 0x150d;

/// Added to a class, structure or union leaf gives its form with 32-bit properties (0x1608 to 0x160a).
pub(super) const WIDE: u16 = 0x1608 - LF_CLASS;

/// A kind that no reader knows: between the published leaves and the numeric ones.
pub(super) const LF_UNKNOWN: u16 = 0x1ff0;

/// Property bits of class, structure, union and enumeration records.
pub(super) const FORWARD_REFERENCE: u16 = 0x0080;
pub(super) const HAS_UNIQUE_NAME: u16 = 0x0200;

/// `public`, as all members of C are.
pub(super) const PUBLIC: u16 = 3;

/// Longest record that the published tools write: a bit below what its 16-bit length can say.
pub(super) const MAX_RECORD: usize = 0xff00;

/// A record: its length (not counting itself), kind and content, padded to 4 bytes.
pub(super) fn record(kind: u16, content: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 2];
    out.u16(kind);
    out.extend(content);
    pad(&mut out);
    assert!(out.len() <= MAX_RECORD + 4, "a record of {:#x}", out.len());
    let length = len16(out.len() - 2).to_le_bytes();
    out[..2].copy_from_slice(&length);
    out
}

/// Fills to a multiple of 4 with LF_PAD bytes, each of which says how many there are from it on.
pub(super) fn pad(out: &mut Vec<u8>) {
    for missing in (1..=(4 - out.len() % 4) % 4).rev() {
        out.push(0xf0 | u8::try_from(missing).expect("at most three"));
    }
}

/// A numeric leaf: small values stand for themselves, others follow the leaf of the narrowest type.
pub(super) fn numeric(out: &mut Vec<u8>, value: i128) {
    const LF_CHAR: u16 = 0x8000;
    const LF_SHORT: u16 = 0x8001;
    const LF_USHORT: u16 = 0x8002;
    const LF_LONG: u16 = 0x8003;
    const LF_ULONG: u16 = 0x8004;
    const LF_QUADWORD: u16 = 0x8009;
    const LF_UQUADWORD: u16 = 0x800a;

    let (leaf, size) = match value {
        0..0x8000 => return out.extend(&value.to_le_bytes()[..2]),
        0x8000..=0xffff => (LF_USHORT, 2),
        0x1_0000..=0xffff_ffff => (LF_ULONG, 4),
        0x1_0000_0000.. => (LF_UQUADWORD, 8),
        -0x80..0 => (LF_CHAR, 1),
        -0x8000..-0x80 => (LF_SHORT, 2),
        -0x8000_0000..-0x8000 => (LF_LONG, 4),
        _ => (LF_QUADWORD, 8),
    };
    out.u16(leaf);
    out.extend(&value.to_le_bytes()[..size]);
}
