//! Blocks of memory as Hyper-V packs them (`VmCompressUnpack`): a page, or some of them, behind each tag of four bytes.
//!
//! ffffffff is the end; fffffffe {pattern u64} a page of that pattern; fffffffd {pattern u64, count u32} so many of them;
//! fffffffc {size u32, packed size u32, data} less than a page; 1000 a page as it is; a smaller number a page in so many
//! bytes of plain XPRESS. XPRESS: two sources, openvmm and a reader of one file. The tags: that reader alone, whose
//! versions differ. So everything is taken strictly, and a block that does not come out exactly is damaged.

use crate::container::xpress::plain_lz77;
use crate::value::le;

const PAGE: usize = 0x1000;
const END: u32 = 0xffff_ffff;
const PATTERN: u32 = 0xffff_fffe;
const PATTERNS: u32 = 0xffff_fffd;
const SHORT: u32 = 0xffff_fffc;

/// Whether `packed` becomes as many bytes as `plain` has.
pub(super) fn unpack(packed: &[u8], plain: &mut [u8]) -> bool {
    tags(packed, plain).is_some()
}

fn tags(mut packed: &[u8], plain: &mut [u8]) -> Option<()> {
    let mut at = 0_usize;
    while at < plain.len() {
        let tag = le::u32(take(&mut packed, 4)?, 0)?;
        let len = match tag {
            END => return None,
            PATTERNS => (le::u32(packed, 8)? as usize).checked_mul(PAGE)?,
            SHORT => le::u32(packed, 0)
                .map(|len| len as usize)
                .filter(|&len| len < PAGE)?,
            _ => PAGE,
        };
        let end = at.checked_add(len)?;
        let page = plain.get_mut(at..end)?;
        match tag {
            PATTERN | PATTERNS => {
                let pattern = take(&mut packed, 8)?;
                for (byte, with) in page.iter_mut().zip(pattern.iter().cycle()) {
                    *byte = *with;
                }
                if tag == PATTERNS {
                    take(&mut packed, 4)?;
                }
            }
            SHORT => {
                let sizes = take(&mut packed, 8)?;
                let size = le::u32(sizes, 4)? as usize;
                page_of(take(&mut packed, size)?, page)?;
            }
            size => page_of(take(&mut packed, size as usize)?, page)?,
        }
        at = end;
    }
    Some(())
}

/// A page as it is where it has its size, else of XPRESS.
fn page_of(packed: &[u8], page: &mut [u8]) -> Option<()> {
    match packed.len().cmp(&page.len()) {
        std::cmp::Ordering::Greater => None,
        std::cmp::Ordering::Equal => {
            page.copy_from_slice(packed);
            Some(())
        }
        std::cmp::Ordering::Less => plain_lz77(packed, page).then_some(()),
    }
}

fn take<'p>(packed: &mut &'p [u8], len: usize) -> Option<&'p [u8]> {
    let (taken, rest) = packed.split_at_checked(len)?;
    *packed = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(tags: &[&[u8]], pages: usize) -> Option<Vec<u8>> {
        let mut plain = vec![0xee; pages * PAGE];
        unpack(&tags.concat(), &mut plain).then_some(plain)
    }

    #[test]
    fn each_tag_gives_its_pages() {
        let whole = vec![7; PAGE];
        let packed = [0xff, 0xff, 0xff, 0x7f, 9, 0x07, 0, 0x0f, 0xff, 0xfc, 0x0f];
        let tags: [&[u8]; 7] = [
            &[0xfe, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0xfd, 0xff, 0xff, 0xff, 0xaa, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0],
            &[0, 0x10, 0, 0],
            &whole,
            &[11, 0, 0, 0],
            &packed,
            &[0xfc, 0xff, 0xff, 0xff, 3, 0, 0, 0, 3, 0, 0, 0, 4, 5, 6],
        ];
        let plain = block(&[&tags[..], &[&[0xff; 4]]].concat(), 6);
        // The last tag gives three bytes, which is no page.
        assert!(plain.is_none());
        let mut rest = vec![0xfc, 0xff, 0xff, 0xff, 0xfd, 0x0f, 0, 0, 0xfd, 0x0f, 0, 0];
        rest.extend(vec![8; PAGE - 3]);
        let plain = block(&[&tags[..], &[&rest, &[0xff; 4]]].concat(), 6).unwrap();
        assert_eq!(plain[..9], [1, 2, 3, 4, 5, 6, 7, 8, 1]);
        assert_eq!(plain[PAGE..PAGE + 9], [0xaa, 0, 0, 0, 0, 0, 0, 0, 0xaa]);
        assert_eq!(plain[3 * PAGE - 8], 0xaa);
        assert_eq!(plain[3 * PAGE..4 * PAGE], whole);
        assert_eq!(plain[4 * PAGE..5 * PAGE], vec![9; PAGE]);
        assert_eq!(plain[5 * PAGE..5 * PAGE + 5], [4, 5, 6, 8, 8]);
    }

    #[test]
    fn what_does_not_give_the_block_exactly_is_damaged() {
        let pattern = [0xfe, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8];
        let many = |count: u32| {
            let mut tag = vec![0xfd, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8];
            tag.extend(count.to_le_bytes());
            tag
        };
        assert!(block(&[&pattern, &pattern], 2).is_some());
        // Too little, whether an end says so or not; too much; tags that are none; nothing at all.
        assert!(block(&[&pattern], 2).is_none());
        assert!(block(&[&pattern, &[0xff; 4]], 2).is_none());
        assert!(block(&[&many(3)], 2).is_none());
        assert!(block(&[&many(u32::MAX)], 2).is_none());
        assert!(block(&[&[0x01, 0x10, 0, 0], &[0; 0x1001]], 1).is_none());
        assert!(block(&[&[0xfb, 0xff, 0xff, 0xff], &[0; 0x1001]], 1).is_none());
        assert!(block(&[], 1).is_none());
        // Zeros are tags of pages in no bytes at all.
        assert!(block(&[&[0; 0x800]], 1).is_none());
    }
}
