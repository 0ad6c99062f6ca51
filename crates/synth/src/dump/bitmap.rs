//! The index of bitmap dumps (kinds 5 and 6).

use super::{bits, header64, pad_to_page};
use crate::bytes::{count, put, put_u64};
use crate::physical::Run;

/// Where the bits begin.
const BITS: usize = 0x38;

/// The bytes between the header and the first page.
pub(super) fn index(signature: [u8; 4], claims: &[Run], pages: u64, frames: u64) -> Vec<u8> {
    let mut index = vec![0; BITS];
    index.extend(bits(claims, frames));
    pad_to_page(&mut index, header64::SIZE);
    let first_page = header64::SIZE + count(index.len());
    put(&mut index, 0, &signature);
    put(&mut index, 4, b"DUMP");
    put_u64(&mut index, 0x20, first_page);
    put_u64(&mut index, 0x28, pages);
    put_u64(&mut index, 0x30, frames);
    index
}
