//! The index of summary dumps (kind 2): a bitmap behind fields of 32 bits.

use super::{Header, bits, pad_to_page};
use crate::bytes::{count, low32, put, put_u32};
use crate::physical::Run;

/// Where the bits begin: behind an `RTL_BITMAP`, whose pointer has the machine's width.
fn bits_at(header: &Header) -> usize {
    if header.machine.pointer_size() == 4 {
        0x20
    } else {
        0x28
    }
}

/// The bytes between the header and the first page.
pub(super) fn index(header: &Header, claims: &[Run], pages: u64) -> Vec<u8> {
    let frames = header.memory_frames();
    let mut index = vec![0; bits_at(header)];
    index.extend(bits(claims, frames));
    pad_to_page(&mut index, header.size());
    let first_page = header.size() + count(index.len());
    put(&mut index, 0, b"SDMPDUMP");
    put_u32(&mut index, 0xc, low32(first_page));
    put_u32(&mut index, 0x10, low32(frames));
    put_u32(&mut index, 0x14, low32(pages));
    put_u32(&mut index, 0x18, low32(frames));
    index
}
