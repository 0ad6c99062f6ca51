//! The index of summary dumps (kind 2): a bitmap behind fields of 32 bits.

use super::{bits, header64, pad_to_page};
use crate::bytes::{count, low32, put, put_u32};
use crate::physical::Run;

/// Where the bits begin.
const BITS: usize = 0x28;

/// The bytes between the header and the first page.
pub(super) fn index(claims: &[Run], pages: u64, frames: u64) -> Vec<u8> {
    let mut index = vec![0; BITS];
    index.extend(bits(claims, frames));
    pad_to_page(&mut index, header64::SIZE);
    let first_page = header64::SIZE + count(index.len());
    put(&mut index, 0, b"SDMPDUMP");
    put_u32(&mut index, 0xc, low32(first_page));
    put_u32(&mut index, 0x10, low32(frames));
    put_u32(&mut index, 0x14, low32(pages));
    put_u32(&mut index, 0x18, low32(frames));
    index
}
