//! Little-endian stores and the integer conversions a builder needs.

/// An index or length from a 64-bit count.
///
/// # Panics
/// Where the host's `usize` cannot hold it: a world is never that large.
pub(crate) fn index(value: u64) -> usize {
    usize::try_from(value).expect("fits the host's address space")
}

/// A 64-bit count from a length in memory.
pub(crate) fn count(value: usize) -> u64 {
    u64::try_from(value).expect("usize is at most 64 bits")
}

/// The low 32 bits' worth of a count that must fit them.
pub(crate) fn low32(value: u64) -> u32 {
    u32::try_from(value).expect("fits 32 bits")
}

pub(crate) fn put(buffer: &mut [u8], at: usize, bytes: &[u8]) {
    buffer[at..at + bytes.len()].copy_from_slice(bytes);
}

pub(crate) fn put_u16(buffer: &mut [u8], at: usize, value: u16) {
    put(buffer, at, &value.to_le_bytes());
}

pub(crate) fn put_u32(buffer: &mut [u8], at: usize, value: u32) {
    put(buffer, at, &value.to_le_bytes());
}

pub(crate) fn put_u64(buffer: &mut [u8], at: usize, value: u64) {
    put(buffer, at, &value.to_le_bytes());
}

/// `value` in `size` bytes, least significant first.
pub(crate) fn le(value: u64, size: u64) -> Vec<u8> {
    let size = index(size);
    assert!(size <= 8, "an integer of {size} bytes");
    assert!(
        size == 8 || value >> (8 * size) == 0,
        "{value:#x} does not fit {size} bytes"
    );
    value.to_le_bytes()[..size].to_vec()
}

/// The integer in `bytes`, least significant first.
pub(crate) fn uint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// CRC-32 of ISO 3309, over bytes that come one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crc32(u32);

impl Crc32 {
    /// Of no bytes.
    pub(crate) fn new() -> Crc32 {
        Crc32(u32::MAX)
    }

    /// The same with more bytes.
    pub(crate) fn with(self, bytes: &[u8]) -> Crc32 {
        let byte = |sum: u32, byte: &u8| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| match sum & 1 {
                0 => sum >> 1,
                _ => sum >> 1 ^ 0xedb8_8320,
            })
        };
        Crc32(bytes.iter().fold(self.0, byte))
    }

    /// The sum.
    pub(crate) fn sum(self) -> u32 {
        !self.0
    }
}
