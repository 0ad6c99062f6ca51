//! Pages that stand in the file and hold nothing of the system.
//!
//! A debugger that writes a dump of a live target (`.dump /f`) lists every page of physical memory in the index
//! before it asks the target for it. Where the target does not give one, the page is written all the same, as
//! the 32-bit word 0xdeadfeed over and over: the word as x86 stores it, `ed fe ad de`. A dump with 4,578 of them
//! is described in 0vercl0k/wtf#195. A page that holds the word in a part of it is memory like any other.

/// The word as it lies in the file.
const WORD: [u8; 4] = 0xdead_feed_u32.to_le_bytes();

/// Whether bytes that were read at an address may be of such a page: at least the first word of them is the
/// filler. Almost nothing else begins so, and the whole page is looked at only then.
pub(crate) fn may_be(address: u64, bytes: &[u8]) -> bool {
    let first = bytes.get(..WORD.len()).unwrap_or(bytes);
    let skip = usize::try_from(address & 3).unwrap_or_default();
    let filler = WORD.iter().cycle().skip(skip);
    !first.is_empty() && first.iter().zip(filler).all(|(byte, filler)| byte == filler)
}

/// Whether a page holds the filler and nothing else.
pub(crate) fn fills(page: &[u8]) -> bool {
    page.chunks(WORD.len()).all(|word| word == WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_decides_wherever_it_begins() {
        let page = WORD.repeat(4);
        for (at, len) in (0..8).flat_map(|at| (1..8).map(move |len| (at, len))) {
            assert!(may_be(0x1000 + at as u64, &page[at..at + len]), "{at} {len}");
            assert!(!may_be(0x1001 + at as u64, &page[at..at + len]), "{at} {len}");
        }
        assert!(!may_be(0, &[]));
        assert!(fills(&page) && !fills(&page[1..]) && !fills(&[0; 8]));
    }
}
