//! LZF, the compression of liblzf: literal bytes and copies of what came before.
//!
//! A control byte below 0x20 is followed by one more literal byte than it says. Another one is a copy: its upper three
//! bits are the length - 2, where 7 is followed by a byte that is added; its lower five bits and the next byte are the
//! distance - 1, the upper bits first. Source: liblzf's README and output (BSD-2-Clause).

/// Bits of a distance in a control byte.
const DISTANCE: u8 = 0x1f;
/// The longest run of literal bytes, and the first control byte of a copy.
const COPY: u8 = 0x20;
/// The length in a control byte that has another byte behind it.
const LONG: u8 = 7;

/// Unpacks a block into exactly as many bytes as it must give; false where it does not, or has more.
pub(crate) fn lzf(packed: &[u8], plain: &mut [u8]) -> bool {
    unpack(packed, plain).is_some()
}

fn unpack(packed: &[u8], plain: &mut [u8]) -> Option<()> {
    let mut rest = packed;
    let mut at = 0_usize;
    while let Some((&control, behind)) = rest.split_first() {
        if control < COPY {
            let (literal, behind) = behind.split_at_checked(usize::from(control).checked_add(1)?)?;
            let end = at.checked_add(literal.len())?;
            plain.get_mut(at..end)?.copy_from_slice(literal);
            (rest, at) = (behind, end);
            continue;
        }
        let (more, behind) = match control >> 5 {
            LONG => behind.split_first().map(|(&more, behind)| (more, behind))?,
            _ => (0, behind),
        };
        let (&low, behind) = behind.split_first()?;
        let len = usize::from(control >> 5)
            .checked_add(usize::from(more))?
            .checked_add(2)?;
        let distance = (usize::from(control & DISTANCE) << 8 | usize::from(low)).checked_add(1)?;
        let from = at.checked_sub(distance)?;
        let end = at.checked_add(len)?;
        copy(plain.get_mut(from..end)?, distance);
        (rest, at) = (behind, end);
    }
    (at == plain.len()).then_some(())
}

/// Fills bytes behind the first `distance` ones with these, again and again.
fn copy(bytes: &mut [u8], distance: usize) {
    let mut done = distance;
    while done < bytes.len() {
        // Each round doubles what there is to copy.
        let count = done.min(bytes.len().saturating_sub(done));
        bytes.copy_within(..count, done);
        done = done.saturating_add(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of one text, and what liblzf 3.6 makes of it (`lzf_compress` of Debian's liblzf1).
    const PACKED: &[u8] = &[
        0x17, b'A', b'L', b'P', b'C', b' ', b'm', b'e', b's', b's', b'a', b'g', b'e', b' ', b'o', b'f', b' ',
        b'a', b' ', b'p', b'o', b'r', b't', b' ', b'A', 0xe0, 0xff, 0x16, 0xe1, 0xff, 0x13, 0xe2, 0xff, 0x10,
        0xe2, 0xff, 0x10, 0xe2, 0xff, 0x10, 0xe2, 0xff, 0x10, 0xe2, 0xff, 0x10, 0xe2, 0xff, 0x10, 0xe2, 0xff,
        0x10, 0xe2, 0xff, 0x10, 0xe2, 0xff, 0x10, 0xe2, 0xff, 0x10, 0xe2, 0xff, 0x10, 0xe2, 0xff, 0x10, 0xe2,
        0xff, 0x10, 0xe2, 0x65, 0x10, 0x01, b'A', b'L',
    ];

    fn page() -> Vec<u8> {
        let text = b"ALPC message of a port ";
        text.iter().copied().cycle().take(0x1000).collect()
    }

    #[test]
    fn what_liblzf_wrote_is_unpacked() {
        let mut plain = vec![0xcc; 0x1000];
        assert!(lzf(PACKED, &mut plain));
        assert!(plain == page());
        // Neither less nor more than what must come out, and nothing out of a part.
        assert!(!lzf(PACKED, &mut vec![0; 0xfff]));
        assert!(!lzf(PACKED, &mut vec![0; 0x1001]));
        for len in 0..PACKED.len() {
            assert!(!lzf(PACKED.get(..len).unwrap(), &mut plain), "{len}");
        }
    }

    #[test]
    fn copies_of_each_distance_and_length_are_made() {
        for (packed, want) in [
            // One byte again and again; three bytes with an overlap; the shortest copy; a copy with a length behind it.
            (&[0, b'x', 0x60, 0][..], "xxxxxx"),
            (&[2, b'a', b'b', b'c', 0xa0, 2], "abcabcabca"),
            (&[1, b'a', b'b', 0x20, 1], "ababa"),
            (&[0, b'y', 0xe0, 1, 0], "yyyyyyyyyyy"),
        ] {
            let mut plain = vec![0; want.len()];
            assert!(lzf(packed, &mut plain), "{want}");
            assert_eq!(plain, want.as_bytes());
        }
    }

    #[test]
    fn blocks_that_lie_are_refused() {
        let mut plain = [0; 0x100];
        for packed in [
            // A copy from before the beginning; of more than there is room; without its distance.
            &[0x20, 0][..],
            &[0, 1, 0x20, 1],
            &[0, 1, 0xe0, 0xff, 0],
            &[0, 1, 0x20],
            &[0, 1, 0xe0],
            &[0x1f, 1, 2],
        ] {
            assert!(!lzf(packed, &mut plain), "{packed:x?}");
        }
    }
}
