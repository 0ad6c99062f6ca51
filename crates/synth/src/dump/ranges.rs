//! The metadata of range dumps (kinds 8, 9 and 0xA).

use super::{header64, pad_to_page};
use crate::bytes::{count, low32, put, put_u32, put_u64};
use crate::physical::Run;

/// Where the array of ranges begins.
const ARRAY: usize = 0x30;
/// What MetadataSize does not count.
const BEFORE: u64 = 0x20;

/// The bytes between the header and the first page. Only a complete dump says how many ranges and pages there
/// are, and ends its array by that.
pub(super) fn index(complete: bool, claims: &[Run], pages: u64) -> Vec<u8> {
    let mut index = vec![0; ARRAY];
    for run in claims {
        index.extend(run.base.0.to_le_bytes());
        index.extend(run.count.to_le_bytes());
    }
    if !complete {
        index.extend([0; 16]);
    }
    pad_to_page(&mut index, header64::SIZE);
    let length = count(index.len());
    put_u32(&mut index, 0, 0x40);
    put(&mut index, 4, b"RDMPDUMP");
    put_u64(&mut index, 0x10, length - BEFORE);
    put_u64(&mut index, 0x18, header64::SIZE + length);
    if complete {
        put_u32(&mut index, 0x20, low32(count(claims.len())));
        put_u64(&mut index, 0x28, pages);
    }
    index
}
