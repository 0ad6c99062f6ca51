//! The index of bitmap dumps (kinds 5 and 6).

use super::{Header, bits, pad_to_page};
use crate::bytes::{count, put, put_u64};
use crate::physical::Run;

/// Where the bits begin.
const BITS: usize = 0x38;

/// The bytes between the header and the first page.
pub(super) fn index(signature: [u8; 4], header: &Header, claims: &[Run], pages: u64) -> Vec<u8> {
    let frames = header.memory_frames();
    let mut index = vec![0; BITS];
    index.extend(bits(claims, frames));
    pad_to_page(&mut index, header.size());
    let first_page = header.size() + count(index.len());
    put(&mut index, 0, &signature);
    put(&mut index, 4, b"DUMP");
    put_u64(&mut index, 0x20, first_page);
    put_u64(&mut index, 0x28, pages);
    put_u64(&mut index, 0x30, frames);
    index
}
