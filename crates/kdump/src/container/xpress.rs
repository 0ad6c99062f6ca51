//! XPRESS, the compression of Windows for memory: plain LZ77, and LZ77 with Huffman codes.
//!
//! Source: \[MS-XCA\] "Xpress Compression Algorithm", 2.2 (LZ77+Huffman) and 2.4 (plain LZ77), whose examples are the tests.
//! Each function fills a buffer of the size that the data is known to have. It succeeds when the buffer is full: data
//! may go on behind that (an end mark, padding), but a match that would go on is an error, as is everything else that
//! gives another size.

use crate::value::le;

/// Plain LZ77: whether `packed` becomes as many bytes as `plain` has.
///
/// Flag words of 32 bits, highest bit first: 0 is a literal byte, 1 a match of 16 bits, length - 3 in the lowest three
/// and distance - 1 in the others. Longer matches go on in half a byte, which two of them share, then in a byte, two
/// bytes, four bytes.
pub(crate) fn plain_lz77(packed: &[u8], plain: &mut [u8]) -> bool {
    lz77(packed, plain).is_some()
}

fn lz77(packed: &[u8], plain: &mut [u8]) -> Option<()> {
    let mut input = Input(packed);
    let mut at = 0_usize;
    let (mut flags, mut left) = (0_u32, 0_u32);
    // The upper half of a byte that the match before has used the lower half of.
    let mut half: Option<u8> = None;
    while at < plain.len() {
        if left == 0 {
            flags = input.u32()?;
            left = u32::BITS;
        }
        left = left.saturating_sub(1);
        let is_match = flags >> 31 != 0;
        flags <<= 1;
        if !is_match {
            *plain.get_mut(at)? = input.u8()?;
            at = at.checked_add(1)?;
            continue;
        }
        let word = input.u16()?;
        let mut len = u64::from(word & 7);
        if len == 7 {
            len = match half.take() {
                Some(upper) => upper.into(),
                None => {
                    let byte = input.u8()?;
                    half = Some(byte >> 4);
                    u64::from(byte & 0xf)
                }
            };
            if len == 15 {
                len = input.u8()?.into();
                if len == 255 {
                    // What is written in two or four bytes counts from 3 on, like the sum of the three parts.
                    len = match input.u16()? {
                        0 => input.u32()?.into(),
                        len => len.into(),
                    };
                    len = len.checked_sub(15 + 7)?;
                }
                len = len.checked_add(15)?;
            }
            len = len.checked_add(7)?;
        }
        let distance = usize::from(word >> 3).checked_add(1)?;
        at = repeat(plain, at, distance, len.checked_add(3)?)?;
    }
    Some(())
}

/// Repeats `len` bytes that stand `distance` before `at`; what is behind them is the result. They may overlap.
fn repeat(plain: &mut [u8], at: usize, distance: usize, len: u64) -> Option<usize> {
    let from = at.checked_sub(distance)?;
    let end = at.checked_add(usize::try_from(len).ok()?)?;
    let bytes = plain.get_mut(from..end)?;
    if distance == 1 {
        let (first, rest) = bytes.split_first_mut()?;
        rest.fill(*first);
    } else {
        // What is there doubles with each step, and the last step takes what is still wanted.
        let mut have = distance;
        while have < bytes.len() {
            let take = have.min(bytes.len().checked_sub(have)?);
            let (there, new) = bytes.split_at_mut_checked(have)?;
            new.get_mut(..take)?.copy_from_slice(there.get(..take)?);
            have = have.checked_add(take)?;
        }
    }
    Some(end)
}

/// Bytes that a chunk of Huffman codes becomes, but the last one.
const CHUNK: usize = 0x1_0000;
/// Symbols: 256 literals, then distance in bits and length - 3 of a match.
const SYMBOLS: usize = 0x200;
/// Bits of the longest code.
const LONGEST: u32 = 15;
/// The literal that comes behind the last byte of all. Inside of the data it is a match like others.
const MATCHES: u32 = 0x100;

/// LZ77 with Huffman codes: whether `packed` becomes as many bytes as `plain` has.
///
/// Chunks of 64 KiB: lengths of 512 codes in half a byte each, then codes, in words of 16 bits with the highest bit
/// first; bytes of long matches stand between the words, behind those that the decoder has read ahead.
pub(crate) fn huffman(packed: &[u8], plain: &mut [u8]) -> bool {
    huffman_chunks(packed, plain).is_some()
}

fn huffman_chunks(packed: &[u8], plain: &mut [u8]) -> Option<()> {
    let mut input = Input(packed);
    let mut at = 0_usize;
    while at < plain.len() {
        let table = table(input.take(SYMBOLS / 2)?)?;
        let end = at.checked_add(CHUNK)?.min(plain.len());
        let mut bits = Bits::new(input);
        // A match may go on into the chunk that follows.
        while at < end {
            let code = *table.get(bits.peek(LONGEST) as usize)?;
            bits.skip(u32::from(code & 0xf))?;
            let symbol = u32::from(code >> 4);
            let Some(matched) = symbol.checked_sub(MATCHES) else {
                *plain.get_mut(at)? = u8::try_from(symbol).ok()?;
                at = at.checked_add(1)?;
                continue;
            };
            let mut len = u64::from(matched & 0xf);
            if len == 15 {
                len = bits.input.u8()?.into();
                if len == 255 {
                    len = match bits.input.u16()? {
                        0 => bits.input.u32()?.into(),
                        len => len.into(),
                    };
                    len = len.checked_sub(15)?;
                }
                len = len.checked_add(15)?;
            }
            let size = matched >> 4;
            let low = bits.peek(size);
            bits.skip(size)?;
            let distance = 1_usize.checked_shl(size)?.checked_add(low as usize)?;
            at = repeat(plain, at, distance, len.checked_add(3)?)?;
        }
        input = bits.input;
    }
    Some(())
}

/// What each sequence of [`LONGEST`] bits begins with: the symbol, above the four bits of its code's length.
fn table(lengths: &[u8]) -> Option<Vec<u16>> {
    let of = |symbol: usize| {
        let byte = lengths.get(symbol / 2).copied().unwrap_or_default();
        u32::from(if symbol.is_multiple_of(2) {
            byte & 0xf
        } else {
            byte >> 4
        })
    };
    let mut table = Vec::with_capacity(1 << LONGEST);
    for len in 1..=LONGEST {
        for symbol in (0..SYMBOLS).filter(|&symbol| of(symbol) == len) {
            let entry = u16::try_from((symbol << 4) | len as usize).ok()?;
            let count = 1_usize.checked_shl(LONGEST.checked_sub(len)?)?;
            let room = (1_usize << LONGEST).checked_sub(table.len())?;
            // More codes than fit.
            if count > room {
                return None;
            }
            table.extend(std::iter::repeat_n(entry, count));
        }
    }
    // A sequence that begins no code: MS-XCA calls such data invalid.
    (table.len() == 1 << LONGEST).then_some(table)
}

/// The bits of codes.
struct Bits<'p> {
    input: Input<'p>,
    /// Those to come from the highest on, at least 16.
    next: u32,
    /// How many of them there are beyond 16.
    extra: u32,
    /// How many of the last ones the data does not have: decoders read ahead of its end.
    lent: u32,
}

impl<'p> Bits<'p> {
    fn new(input: Input<'p>) -> Bits<'p> {
        let mut bits = Bits {
            input,
            next: 0,
            extra: 16,
            lent: 0,
        };
        let (first, second) = (bits.word(), bits.word());
        bits.next = (u32::from(first) << 16) | u32::from(second);
        bits
    }

    fn word(&mut self) -> u16 {
        self.input.u16().unwrap_or_else(|| {
            self.lent = self.lent.saturating_add(16);
            0
        })
    }

    /// The next bits, as a number: at most 15.
    fn peek(&self, count: u32) -> u32 {
        let shift = u32::BITS.saturating_sub(count);
        self.next.checked_shr(shift).unwrap_or_default()
    }

    /// Takes bits, all of which the data must have.
    fn skip(&mut self, count: u32) -> Option<()> {
        self.next = self.next.checked_shl(count).unwrap_or_default();
        if let Some(extra) = self.extra.checked_sub(count) {
            self.extra = extra;
        } else {
            let short = count.saturating_sub(self.extra);
            self.next |= u32::from(self.word()).checked_shl(short)?;
            self.extra = 16_u32.checked_sub(short)?;
        }
        (self.lent <= self.extra.saturating_add(16)).then_some(())
    }
}

/// The bytes to come.
#[derive(Clone, Copy)]
struct Input<'p>(&'p [u8]);

impl<'p> Input<'p> {
    fn take(&mut self, len: usize) -> Option<&'p [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        le::u16(self.take(2)?, 0)
    }

    fn u32(&mut self) -> Option<u32> {
        le::u32(self.take(4)?, 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::container::packed::Unpack;

    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz";

    /// MS-XCA 3.2, the second example: "abc" a hundred times.
    fn hundred() -> Vec<u8> {
        b"abc".repeat(100)
    }

    fn with_lengths(lengths: &[(usize, u8)], codes: &[u8]) -> Vec<u8> {
        let mut packed = vec![0; SYMBOLS / 2];
        for &(at, byte) in lengths {
            packed[at] = byte;
        }
        packed.extend_from_slice(codes);
        packed
    }

    /// MS-XCA 3.1 and 3.2: input and output of each algorithm.
    fn examples() -> Vec<(Unpack, Vec<u8>, Vec<u8>)> {
        let mut literals = vec![0x3f, 0, 0, 0];
        literals.extend_from_slice(ALPHABET);
        let repeated = [
            0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0x00, 0x0f, 0xff, 0x26, 0x01,
        ];
        let mut letters: Vec<(usize, u8)> = (0x31..0x3b).map(|at| (at, 0x55)).collect();
        letters.extend([
            (0x30, 0x50),
            (0x3b, 0x45),
            (0x3c, 0x44),
            (0x3d, 0x04),
            (0x80, 0x04),
        ]);
        let codes = [
            0xd8, 0x52, 0x3e, 0xd7, 0x94, 0x11, 0x5b, 0xe9, 0x19, 0x5f, 0xf9, 0xd6, 0x7c, 0xdf, 0x8d, 0x04,
            0, 0, 0, 0,
        ];
        vec![
            (plain_lz77, literals, ALPHABET.to_vec()),
            (plain_lz77, repeated.to_vec(), hundred()),
            (huffman, with_lengths(&letters, &codes), ALPHABET.to_vec()),
            (
                huffman,
                with_lengths(
                    &[(0x30, 0x30), (0x31, 0x23), (0x80, 0x02), (0x8f, 0x20)],
                    &[0xa8, 0xdc, 0, 0, 0xff, 0x26, 0x01],
                ),
                hundred(),
            ),
        ]
    }

    #[test]
    fn the_examples_of_the_specification_come_out() {
        for (unpack, packed, plain) in examples() {
            let mut out = vec![0; plain.len()];
            assert!(unpack(&packed, &mut out), "{packed:x?}");
            assert_eq!(out, plain);
            // What stands behind the data is nobody's.
            let mut longer = packed.clone();
            longer.extend([0xee; 9]);
            assert!(unpack(&longer, &mut out));
            assert_eq!(out, plain);
        }
    }

    #[test]
    fn another_size_than_the_data_gives_is_an_error() {
        for (unpack, packed, plain) in examples() {
            let mut longer = vec![0; plain.len() + 1];
            assert!(!unpack(&packed, &mut longer[..plain.len() + 1]), "{packed:x?}");
            if plain == hundred() {
                // The match would go on.
                assert!(!unpack(&packed, &mut longer[..plain.len() - 1]), "{packed:x?}");
            }
        }
    }

    #[test]
    fn what_is_cut_is_an_error_or_whole() {
        for (unpack, packed, plain) in examples() {
            let mut whole = 0;
            for len in 0..packed.len() {
                let mut out = vec![0; plain.len()];
                if unpack(&packed[..len], &mut out) {
                    assert_eq!(out, plain, "{len} of {packed:x?}");
                    whole += 1;
                }
            }
            // The end mark and the words read ahead may be missing, no more.
            assert!(whole <= 4, "{whole}: {packed:x?}");
        }
    }

    #[test]
    fn codes_that_are_none_are_refused() {
        let mut out = [0; 4];
        // No code at all, one code of one bit, three of one bit.
        for lengths in [&[][..], &[(0x30, 0x10)], &[(0x30, 0x11), (0x31, 0x01)]] {
            assert!(
                !huffman(&with_lengths(lengths, &[0; 16]), &mut out),
                "{lengths:x?}"
            );
        }
    }

    #[test]
    fn a_match_before_the_beginning_is_refused() {
        let mut out = [0; 8];
        assert!(!plain_lz77(&[0, 0, 0, 0x80, 0x08, 0], &mut out));
        // Bytes, then a match of distance 3 behind two of them.
        assert!(!plain_lz77(&[0, 0, 0, 0x20, 1, 2, 0x13, 0], &mut out));
    }

    proptest! {
        #[test]
        fn any_bytes_give_the_size_or_an_error(packed in prop::collection::vec(any::<u8>(), 0..600), len in 0usize..70_000) {
            let mut out = vec![0; len];
            let _ = plain_lz77(&packed, &mut out);
            let _ = huffman(&packed, &mut out);
        }
    }
}
