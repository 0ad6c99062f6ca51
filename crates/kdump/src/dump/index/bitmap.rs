//! The index of summary and bitmap dumps (kinds 2, 5 and 6): one bit a frame, and the pages of the frames
//! whose bit is set one behind the other.
//!
//! The page of a frame is found by *rank*: how many bits are set before the frame's own. The bitmap stays in
//! the file; what is kept is one running count for every 1,024 bits, 1/16 of the bitmap's size (1 MiB for a
//! machine with 512 GiB), and a lookup reads the 128 bytes that the count leads to.

use std::{fmt, io};

use multiversion::multiversion;

use super::{IndexError, PageRun};
use crate::dump::header::{DumpKind, Header};
use crate::file::source::ByteSource;
use crate::value::le;
use crate::value::machine::Machine;

/// Bits for each entry of the rank directory, and the same in bytes: two lines of a processor's cache.
const BLOCK_BITS: u64 = 1024;
const BLOCK_BYTES: usize = 128;
/// How much of the bitmap is read at once while counting: whole blocks, and little enough that the buffer is not
/// fresh memory of the system each time, which costs more than the calls it saves.
const CHUNK: usize = 64 << 10;
const _: () = assert!(CHUNK.is_multiple_of(BLOCK_BYTES) && CHUNK.is_multiple_of(PAGE_BYTES));
const PAGE_BYTES: usize = 4096;
/// The most bits a bitmap may have: 256 TiB of memory, the most that any Windows supports with the four
/// levels of page tables.
const MAX_BITS: u64 = 1 << 36;

/// What the header of the bitmap says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BitmapLayout {
    /// File offset of the first page.
    first_page: u64,
    /// Bits in the bitmap.
    bits: u64,
    /// How many of them are set, as the header says.
    claimed: u64,
    /// File offset of the bitmap.
    bits_at: u64,
    /// Bits in the bitmap as its `RTL_BITMAP` says, which only kind 2 has.
    size_of_bitmap: Option<u64>,
}

/// A bitmap in the file with its rank directory in memory.
pub(crate) struct BitmapIndex {
    layout: BitmapLayout,
    /// How many bits are set before each block of [`BLOCK_BITS`].
    ranks: Vec<u64>,
    pages: u64,
}

impl BitmapLayout {
    /// Reads the header of the bitmap that a dump of this kind has; `head` is the beginning of the file.
    ///
    /// # Errors
    /// A header that is cut off, has another signature, or whose numbers do not fit each other or the file.
    pub(crate) fn read(header: &Header, head: &[u8], file_len: u64) -> Result<BitmapLayout, IndexError> {
        let data = header.len();
        let layout = match (header.kind, header.machine) {
            (DumpKind::Summary, Machine::I386) => {
                Self::summary(&read_header::<0x20>(data, head)?, data.saturating_add(0x20))?
            }
            (DumpKind::Summary, _) => {
                Self::summary(&read_header::<0x28>(data, head)?, data.saturating_add(0x28))?
            }
            _ => Self::bitmap(&read_header::<0x38>(data, head)?, data.saturating_add(0x38))?,
        };
        layout.check(file_len)
    }

    /// `SUMMARY_DUMP` of kind 2: HeaderSize, BitmapSize and Pages are 32-bit and follow each other at +c. An
    /// `RTL_BITMAP` follows, whose pointer has the system's width; behind it are the bits.
    fn summary(bytes: &[u8], bits_at: u64) -> Result<BitmapLayout, IndexError> {
        // The signature of a kernel dump of kind 6 as well, whose fields lie elsewhere: the header's DumpType
        // says which of the two layouts this is, never the signature.
        check_signature(bytes, &[*b"SDMP"])?;
        let field = |offset| le::u32(bytes, offset).map(u64::from).unwrap_or_default();
        Ok(BitmapLayout {
            // HeaderSize, in spite of its name, is where the pages begin in the file; BitmapSize counts bits.
            first_page: field(0xc),
            bits: field(0x10),
            claimed: field(0x14),
            bits_at,
            size_of_bitmap: Some(field(0x18)),
        })
    }

    /// `BITMAP_DUMP` of kinds 5 and 6: HeaderSize, Pages and BitmapSize are 64-bit and begin at +20. Which of
    /// the two signatures it has depends on who asked for the dump.
    fn bitmap(bytes: &[u8], bits_at: u64) -> Result<BitmapLayout, IndexError> {
        // Since Windows 8: FDMP for complete and active dumps, SDMP for kernel, automatic and live ones. The
        // latter is also what the summary dumps of Vista and 7 begin with, over another layout.
        check_signature(bytes, &[*b"FDMP", *b"SDMP"])?;
        let field = |offset| le::u64(bytes, offset).unwrap_or_default();
        Ok(BitmapLayout {
            first_page: field(0x20),
            bits: field(0x30),
            claimed: field(0x28),
            bits_at,
            size_of_bitmap: None,
        })
    }

    fn check(self, file_len: u64) -> Result<BitmapLayout, IndexError> {
        let bad = |reason: String| Err(IndexError::Bad(reason));
        if self.bits == 0 {
            return bad("its bitmap has no bits".into());
        }
        if self.bits > MAX_BITS {
            return bad(format!("its bitmap has {:#x} bits, one for each page", self.bits));
        }
        // BitmapSize counts bits, whatever its name: 10000 of them are 2000 bytes, both hex, and cover 256 MiB.
        let end = self.bits_at.saturating_add(self.bytes());
        if self.first_page < end {
            return bad(format!(
                "its first page is at {:#x}, before the end of its bitmap of {:#x} bits at {end:#x}",
                self.first_page, self.bits
            ));
        }
        if end > file_len {
            return Err(IndexError::Cut { need: end });
        }
        Ok(self)
    }

    /// Length of the bitmap in bytes.
    fn bytes(&self) -> u64 {
        self.bits.div_ceil(8)
    }
}

/// The header of the index, which begins at `data` in the file.
fn read_header<const N: usize>(data: u64, head: &[u8]) -> Result<[u8; N], IndexError> {
    let at = usize::try_from(data).unwrap_or(usize::MAX);
    le::array(head, at).ok_or(IndexError::Cut {
        need: data.saturating_add(N as u64),
    })
}

fn check_signature(bytes: &[u8], accepted: &[[u8; 4]]) -> Result<(), IndexError> {
    let signature = le::array::<4>(bytes, 0).unwrap_or_default();
    let valid = le::array::<4>(bytes, 4).unwrap_or_default();
    if accepted.contains(&signature) && valid == *b"DUMP" {
        return Ok(());
    }
    Err(IndexError::Bad(format!(
        "it should begin with {}DUMP, not with \"{}{}\"",
        String::from_utf8_lossy(accepted.first().unwrap_or(&[0; 4])),
        signature.escape_ascii(),
        valid.escape_ascii()
    )))
}

impl fmt::Debug for BitmapIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BitmapIndex")
            .field("layout", &self.layout)
            .field("pages", &self.pages)
            .finish_non_exhaustive()
    }
}

impl BitmapIndex {
    /// Counts the bits, reading the bitmap once from end to end.
    pub(crate) fn build(layout: BitmapLayout, source: &ByteSource) -> Result<BitmapIndex, IndexError> {
        let blocks = layout.bits.div_ceil(BLOCK_BITS);
        let mut ranks = Vec::new();
        let capacity = usize::try_from(blocks).unwrap_or(usize::MAX);
        if ranks.try_reserve_exact(capacity).is_err() {
            return Err(IndexError::Io(io::ErrorKind::OutOfMemory.into()));
        }
        let mut pages = 0u64;
        let (mut at, mut left) = (layout.bits_at, layout.bytes());
        let mut chunk = vec![
            0;
            usize::try_from(left)
                .unwrap_or(CHUNK)
                .min(CHUNK)
                .saturating_add(PAGE_BYTES)
        ];
        let skew = skew(at, &chunk);
        while left > 0 {
            let len = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let bytes = chunk.get_mut(skew..skew.saturating_add(len)).unwrap_or_default();
            source.read_exact_at(at, bytes).map_err(IndexError::Io)?;
            at = at.saturating_add(len as u64);
            left = left.saturating_sub(len as u64);
            if left == 0
                && let Some(last) = bytes.last_mut()
            {
                *last &= tail_mask(layout.bits);
            }
            let before = ranks.len();
            ranks.resize(before.saturating_add(len.div_ceil(BLOCK_BYTES)), 0);
            pages = count(bytes, pages, ranks.get_mut(before..).unwrap_or_default());
        }
        // How many bits are set is counted, and not taken from the header: a wrong Pages there moves nothing,
        // and is told.
        if pages == 0 {
            return Err(IndexError::Bad(format!(
                "no bit of its bitmap of {:#x} bits is set",
                layout.bits
            )));
        }
        Ok(BitmapIndex { layout, ranks, pages })
    }

    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    pub(crate) fn first_page(&self) -> u64 {
        self.layout.first_page
    }

    pub(crate) fn limit(&self) -> u64 {
        self.layout.bits
    }

    /// How many pages the header of the bitmap claims: what its bits should add up to.
    pub(crate) fn claimed(&self) -> u64 {
        self.layout.claimed
    }

    /// BitmapSize and the SizeOfBitMap that contradicts it.
    pub(crate) fn contradicting_sizes(&self) -> Option<(u64, u64)> {
        let other = self.layout.size_of_bitmap?;
        (other != self.layout.bits).then_some((self.layout.bits, other))
    }

    pub(crate) fn position(&self, pfn: u64, source: &ByteSource) -> io::Result<Option<u64>> {
        if pfn >= self.layout.bits {
            return Ok(None);
        }
        let (number, bit) = (pfn / BLOCK_BITS, pfn % BLOCK_BITS);
        let Some(rank) = usize::try_from(number)
            .ok()
            .and_then(|number| self.ranks.get(number))
        else {
            return Ok(None);
        };
        let block = self.block(number, source)?;
        Ok(block.rank(bit).map(|inside| rank.saturating_add(inside)))
    }

    /// The first run of set bits that ends after `from`, cut off before it.
    pub(crate) fn run_from(&self, from: u64, source: &ByteSource) -> io::Result<Option<PageRun>> {
        let base = self.next(from, source, true)?;
        let end = self.next(base, source, false)?;
        let count = end.saturating_sub(base);
        Ok((count != 0).then(|| PageRun {
            base: base.into(),
            count,
        }))
    }

    /// The first bit from `from` on that is set (or clear); the number of bits when there is none.
    fn next(&self, from: u64, source: &ByteSource, set: bool) -> io::Result<u64> {
        let mut at = from;
        while at < self.layout.bits {
            let number = at / BLOCK_BITS;
            let skip = if set { 0 } else { BLOCK_BITS };
            if self.ones_in(number) != skip
                && let Some(bit) = self.block(number, source)?.next(at % BLOCK_BITS, set)
            {
                at = number.saturating_mul(BLOCK_BITS).saturating_add(bit);
                break;
            }
            at = number.saturating_add(1).saturating_mul(BLOCK_BITS);
        }
        Ok(at.min(self.layout.bits))
    }

    /// How many bits of a block are set, by the directory alone.
    fn ones_in(&self, number: u64) -> u64 {
        let rank = |number: u64| {
            usize::try_from(number)
                .ok()
                .and_then(|number| self.ranks.get(number))
                .copied()
                .unwrap_or(self.pages)
        };
        rank(number.saturating_add(1)).saturating_sub(rank(number))
    }

    /// Reads a block of the bitmap; what the last one lacks is clear.
    fn block(&self, number: u64, source: &ByteSource) -> io::Result<Block> {
        let start = number.saturating_mul(BLOCK_BYTES as u64);
        let left = self.layout.bytes().saturating_sub(start);
        let len = usize::try_from(left).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let mut bytes = [0; BLOCK_BYTES];
        let at = self.layout.bits_at.saturating_add(start);
        source.read_exact_at(at, bytes.get_mut(..len).unwrap_or_default())?;
        Ok(Block(bytes))
    }
}

/// A block of the bitmap, the lowest bit of a byte first.
struct Block([u8; BLOCK_BYTES]);

impl Block {
    fn words(&self) -> impl Iterator<Item = u64> + '_ {
        self.0
            .chunks_exact(8)
            .map(|word| le::u64(word, 0).unwrap_or_default())
    }

    /// How many bits are set before `bit`; `None` when it is not set itself.
    fn rank(&self, bit: u64) -> Option<u64> {
        let (word, bit) = (usize::try_from(bit / 64).ok()?, bit % 64);
        let own = self.words().nth(word)?;
        if own & (1 << bit) == 0 {
            return None;
        }
        let before: u32 = self
            .words()
            .take(word)
            .map(u64::count_ones)
            .fold(0, u32::saturating_add);
        let below = own & (1u64 << bit).wrapping_sub(1);
        Some(u64::from(before.saturating_add(below.count_ones())))
    }

    /// The first bit from `from` on that is set (or clear).
    fn next(&self, from: u64, set: bool) -> Option<u64> {
        let mut start = 0u64;
        for word in self.words() {
            let wanted = if set { word } else { !word };
            let at_or_after = wanted & mask_from(from.saturating_sub(start));
            if at_or_after != 0 {
                return Some(start.saturating_add(u64::from(at_or_after.trailing_zeros())));
            }
            start = start.saturating_add(64);
        }
        None
    }
}

/// All bits of a word from `bit` on.
fn mask_from(bit: u64) -> u64 {
    u32::try_from(bit)
        .ok()
        .and_then(|bit| u64::MAX.checked_shl(bit))
        .unwrap_or(0)
}

/// The bits of the last byte that belong to a bitmap of `bits` bits.
fn tail_mask(bits: u64) -> u8 {
    match bits % 8 {
        0 => 0xff,
        used => (1u8 << used).wrapping_sub(1),
    }
}

/// How far into a buffer the bytes at a place in the file go, so that both have the same place in their pages.
///
/// The bitmap begins 0x38 bytes into a page. The kernel copies from its cache of the file with `rep movsb`, which some
/// processors (AMD's, with fast short moves) do several times slower where the places differ.
fn skew(at: u64, buffer: &[u8]) -> usize {
    let page = PAGE_BYTES as u64;
    let place = |address: u64| address.checked_rem(page).unwrap_or_default();
    let differ = place(at)
        .saturating_add(page)
        .saturating_sub(place(buffer.as_ptr().addr() as u64));
    usize::try_from(place(differ)).unwrap_or_default()
}

/// Writes how many bits are set before each block of `bytes`, `pages` of them before the first, and returns how many
/// are set by its end. Counting is most of what opening a large dump costs: processors have instructions for it that a
/// program for all of them must ask for first.
#[multiversion(targets(
    "x86_64+avx512f+avx512vpopcntdq+avx2+popcnt",
    "x86_64+avx2+popcnt",
    "x86_64+popcnt"
))]
fn count(bytes: &[u8], mut pages: u64, ranks: &mut [u64]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
    let mut ranks = ranks.iter_mut();
    for (block, rank) in blocks.iter().zip(&mut ranks) {
        let mut ones = 0u64;
        for &word in block.as_chunks::<8>().0 {
            ones = ones.wrapping_add(u64::from_le_bytes(word).count_ones().into());
        }
        *rank = pages;
        pages = pages.wrapping_add(ones);
    }
    if let Some(rank) = ranks.next() {
        *rank = pages;
    }
    let ones = rest.iter().map(|byte| u64::from(byte.count_ones()));
    pages.wrapping_add(ones.sum::<u64>())
}
