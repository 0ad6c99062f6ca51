//! kdump-compressed files: QEMU's `dump-guest-memory -z`, `-l`, `-s` (of any guest, Windows too), `virsh dump
//! --memory-only --format kdump-...`, and makedumpfile's.
//!
//! Block 0, of block_size bytes, `struct disk_dump_header`: `KDUMP   ` 0, header_version i32 8, block_size u32 0x1ac,
//! sub_hdr_size u32 0x1b0 and bitmap_blocks u32 0x1b4 in blocks, max_mapnr u32 0x1b8. From block 1 on `struct
//! kdump_sub_header`: dump_level u32 8, split u32 0xc, start_pfn u64 0x10, end_pfn u64 0x18, the place of notes u64 0x30 and
//! their size u64 0x38 (version 4), start_pfn_64 0x50, end_pfn_64 0x58, max_mapnr_64 0x60 (version 6). Behind it two bitmaps in
//! one: the first half has a bit for each frame of the machine, the second for each page in the file. Then a descriptor
//! of 0x18 bytes for each page, in the order of the bitmap: offset u64 0, size u32 8, flags u32 0xc: 1 zlib, 2 LZO, 4
//! Snappy, 0x20 Zstandard, 0 as it is.
//!
//! Sources: crash's diskdump.h and diskdump.c, makedumpfile's IMPLEMENTATION, QEMU's dump/dump.c; checked against files
//! of QEMU 7.2 and 10.0.
//!
//! The page of a frame is found by *rank*: how many bits of the second bitmap are set before its own. As with the bitmaps
//! of crash dumps, bitmaps and descriptors stay in the file; what is kept is one count for every 1,024 frames.

use std::fmt;
use std::sync::Arc;

use crate::container::codecs::{lzo, snappy, zlib, zstd};
use crate::container::flattened::Layer;
use crate::container::packed::{Kept, PackedPages, Unpack, Unpacked, stored};
use crate::container::processor::Processor;
use crate::container::{Container, Pages, Refusal, elf};
use crate::file::source::ByteSource;
use crate::memory::error::FrameError;
use crate::memory::page::{PAGE, PageRun};
use crate::memory::physical::PageError;
use crate::value::address::Pfn;
use crate::value::image_format::ImageFormat;
use crate::value::le;
use crate::value::note::{Lost, Note};

/// What a file that is not flattened begins with.
pub(crate) const MAGIC: &[u8] = b"KDUMP   ";
const DESCRIPTOR: u64 = 0x18;
const DESCRIPTOR_LEN: usize = 0x18;
const PAGE_LEN: usize = 0x1000;
/// How many frames a bitmap may have: 256 TiB of memory.
const MAX_FRAMES: u64 = 1 << 36;
/// How many bytes of notes are read.
const MAX_NOTES: u64 = 16 << 20;
/// More than any of the four makes of a page that it cannot compress: LZO adds 1/16 and 67 bytes, the others less.
const MAX_PACKED: u32 = 0x2000;
/// How many unpacked pages are kept: 4 MiB.
const KEPT: usize = 1024;

/// Bits for each count, and the same in bytes.
const BLOCK_BITS: u64 = 1024;
const BLOCK: usize = 128;
const WORDS: usize = BLOCK / 8;
/// How much of the bitmaps is read at once while counting.
const CHUNK: usize = 64 << 10;
/// How many of the last descriptors are looked at to see whether the file has its end.
const LAST: u64 = 1024;
/// How many descriptors are read at once.
const DESCRIPTORS: u64 = 4096;

/// Whether a file begins as these do, flattened or not.
pub(crate) fn is_compressed(head: &[u8]) -> bool {
    head.starts_with(MAGIC) || head.starts_with(crate::container::flattened::MAGIC)
}

/// What the headers say.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// Frames that the bitmaps have a bit for.
    frames: u64,
    /// The frames of this file, where a dump is in several.
    from: u64,
    to: u64,
    /// Where the bitmap of the machine's frames is; that of the pages in the file where there is only one.
    first: u64,
    /// Where the bitmap of the pages in the file is.
    second: u64,
    /// Where the descriptors are.
    descriptors: u64,
    /// Whether pages of the machine that are not in the file are zeros.
    zeros: bool,
}

/// Reads the headers, and counts the bits.
pub(crate) fn read(head: &[u8], source: &ByteSource) -> Result<Container, Refusal> {
    let layer = Layer::of(head, source)?;
    let header = fields::<0x1d0>(&layer, source, 0)?;
    if !header.starts_with(MAGIC) {
        return Err(Refusal::Foreign {
            found: "a flattened file that is no compressed memory dump".to_owned(),
            next: "name the file that `makedumpfile -R` makes of it".to_owned(),
        });
    }
    let word = |offset| le::u32(&header, offset).unwrap_or_default();
    let (version, block, sub_blocks, bitmap_blocks) = (word(8), word(0x1ac), word(0x1b0), word(0x1b4));
    if u64::from(block) != PAGE {
        return Err(Refusal::Bad(format!(
            "its pages have {block} bytes, and those of Windows 4096"
        )));
    }
    let sub = fields::<0x68>(&layer, source, PAGE)?;
    let long = |offset| le::u64(&sub, offset).unwrap_or_default();
    let level = le::u32(&sub, 8).unwrap_or_default();
    // From version 6 on numbers of frames have 64 bits.
    let (frames, from, to) = match version {
        ..6 => (u64::from(word(0x1b8)), long(0x10), long(0x18)),
        _ => (long(0x60), long(0x50), long(0x58)),
    };
    let first = PAGE.saturating_add(u64::from(sub_blocks).saturating_mul(PAGE));
    let len = u64::from(bitmap_blocks).saturating_mul(PAGE);
    // As crash tells whether there are two bitmaps.
    let needed = frames.div_ceil(8).next_multiple_of(PAGE);
    if frames == 0 || frames > MAX_FRAMES || needed > len {
        return Err(Refusal::Bad(format!(
            "its bitmaps of {len:#x} bytes are said to have {frames:#x} bits"
        )));
    }
    let two = needed.saturating_mul(2) <= len;
    let is_part = le::u32(&sub, 0xc).unwrap_or_default() != 0;
    let layout = Layout {
        frames,
        from: if is_part { from.min(frames) } else { 0 },
        to: if is_part { to.min(frames) } else { frames },
        first,
        second: if two { first.saturating_add(len / 2) } else { first },
        descriptors: first.saturating_add(len),
        // The level has a bit for each kind of page that was left out: 1 for zeros, and 2 to 0x10 for pages of Linux.
        zeros: level == 1,
    };
    let notes_at = (long(0x30), if version >= 4 { long(0x38) } else { 0 });
    let pages = CompressedPages::build(layer, layout, source)?;
    let mut notes = Vec::new();
    if is_part {
        notes.push(Note::new(
            "kdump-part",
            format!(
                "the file is one of several: it has the page frames from {:#x} on and before {:#x}",
                layout.from, layout.to
            ),
        ));
    }
    if pages.excluded != 0 && !layout.zeros {
        notes.push(Note::new(
            "pages-excluded",
            format!(
                "who wrote the file left {} pages out (dump level {level}): what they held is not known",
                pages.excluded
            ),
        ));
    }
    if pages.layer.is_cut() {
        let cut = Note::new(
            "flattened-cut",
            "the file ends before the end of its list of pieces",
        );
        notes.push(cut.losing(Lost::Cut));
    }
    let processors = processors(&pages.layer, source, notes_at);
    let mut container = Container::new(ImageFormat::KdumpCompressed, Pages::Packed(Box::new(pages)));
    container.processors = processors;
    container.notes = notes;
    Ok(container)
}

/// Bytes of a header.
fn fields<const N: usize>(layer: &Layer, source: &ByteSource, offset: u64) -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    read_index(layer, source, offset, &mut bytes)?;
    Ok(bytes)
}

/// Bytes of what says where the pages are.
fn read_index(layer: &Layer, source: &ByteSource, offset: u64, bytes: &mut [u8]) -> Result<(), Refusal> {
    if layer.has(source, offset, bytes.len() as u64) {
        return Ok(layer.read(source, offset, bytes)?);
    }
    Err(layer.cut(offset.saturating_add(bytes.len() as u64)))
}

/// The processors that QEMU's notes in the file tell of. Files of Linux kernels have other notes there.
fn processors(layer: &Layer, source: &ByteSource, (at, len): (u64, u64)) -> Vec<Processor> {
    if len == 0 || len > MAX_NOTES || !layer.has(source, at, len) {
        return Vec::new();
    }
    let mut notes = vec![0; usize::try_from(len).unwrap_or_default()];
    match layer.read(source, at, &mut notes) {
        Ok(()) => elf::processors_of_qemu(&notes),
        Err(_) => Vec::new(),
    }
}

/// The pages of a kdump-compressed file.
struct CompressedPages {
    layer: Layer,
    layout: Layout,
    /// How many pages the file has before each block of [`BLOCK_BITS`] frames.
    ranks: Vec<u64>,
    /// How many pages the file has, those before [`Layout::from`] not counted.
    stored: u64,
    /// The rank of the first page in the file.
    skipped: u64,
    /// How many pages of the machine it does not have.
    excluded: u64,
    /// How many of its pages are missing because it is cut.
    missing: u64,
    /// A frame number above all.
    limit: u64,
    kept: Kept,
}

impl fmt::Debug for CompressedPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompressedPages")
            .field("layout", &self.layout)
            .field("stored", &self.stored)
            .finish_non_exhaustive()
    }
}

/// The descriptor of a page.
#[derive(Debug, Clone, Copy)]
struct Descriptor {
    offset: u64,
    size: u32,
    flags: u32,
}

impl Descriptor {
    fn of(bytes: &[u8]) -> Descriptor {
        Descriptor {
            offset: le::u64(bytes, 0).unwrap_or_default(),
            size: le::u32(bytes, 8).unwrap_or_default(),
            flags: le::u32(bytes, 0xc).unwrap_or_default(),
        }
    }

    fn unpack(self) -> Option<Unpack> {
        match self.flags {
            0 => Some(stored),
            1 => Some(zlib),
            2 => Some(lzo),
            4 => Some(snappy),
            0x20 => Some(zstd),
            _ => None,
        }
    }
}

/// Bits of the two bitmaps for a block of frames.
struct Block {
    /// Of the frames that the machine has.
    machine: [u64; WORDS],
    /// Of those whose pages the file has.
    stored: [u64; WORDS],
}

impl CompressedPages {
    /// Counts the bits of both bitmaps, reading each once.
    fn build(layer: Layer, layout: Layout, source: &ByteSource) -> Result<CompressedPages, Refusal> {
        let mut pages = CompressedPages {
            layer,
            layout,
            ranks: Vec::new(),
            stored: 0,
            skipped: 0,
            excluded: 0,
            missing: 0,
            limit: 0,
            kept: Kept::new(KEPT),
        };
        let len = layout.frames.div_ceil(8);
        // Both are looked for before memory is reserved for counts of them.
        for start in [layout.first, layout.second] {
            if !pages.layer.has(source, start, len) {
                return Err(pages.layer.cut(start.saturating_add(len)));
            }
        }
        let (mut machine, mut kept) = (vec![0; CHUNK], vec![0; CHUNK]);
        let (mut rank, mut at) = (0_u64, 0_u64);
        while at < len {
            let now = usize::try_from(len.saturating_sub(at))
                .unwrap_or(CHUNK)
                .min(CHUNK);
            let (machine, kept) = (
                machine.get_mut(..now).unwrap_or_default(),
                kept.get_mut(..now).unwrap_or_default(),
            );
            read_index(&pages.layer, source, layout.second.saturating_add(at), kept)?;
            read_index(&pages.layer, source, layout.first.saturating_add(at), machine)?;
            for (machine, kept) in machine.chunks(BLOCK).zip(kept.chunks(BLOCK)) {
                let base = (pages.ranks.len() as u64).saturating_mul(BLOCK_BITS);
                pages.ranks.push(rank);
                rank = rank.saturating_add(pages.take(base, &words(machine), &words(kept)));
            }
            at = at.saturating_add(now as u64);
        }
        pages.missing = pages.count_missing(source);
        Ok(pages)
    }

    /// Counts the bits of a block from the frame `base` on, and returns how many are set in the second bitmap.
    fn take(&mut self, base: u64, machine: &[u64; WORDS], kept: &[u64; WORDS]) -> u64 {
        let Layout {
            frames,
            from,
            to,
            zeros,
            ..
        } = self.layout;
        let mut ranks = 0_u64;
        for ((machine, kept), number) in machine.iter().zip(kept).zip(0_u64..) {
            let base = base.saturating_add(number.saturating_mul(64));
            // What is behind the last frame belongs to none.
            let real = range(base, 0, frames);
            let here = range(base, from, to);
            let (kept, machine) = (kept & real, machine & real);
            let ones = |bits: u64| u64::from(bits.count_ones());
            ranks = ranks.saturating_add(ones(kept));
            self.stored = self.stored.saturating_add(ones(kept & here));
            self.skipped = self.skipped.saturating_add(ones(kept & range(base, 0, from)));
            self.excluded = self.excluded.saturating_add(ones(machine & here & !kept));
            let listed = if zeros { kept | machine } else { kept } & here;
            if listed != 0 {
                let last = 64_u32.saturating_sub(listed.leading_zeros());
                self.limit = base.saturating_add(last.into());
            }
        }
        ranks
    }

    /// How many pages are missing at the end of a file that is cut.
    fn count_missing(&self, source: &ByteSource) -> u64 {
        // All descriptors of a whole file are not read to find that it is whole: those of the last pages tell. A page of
        // zeros may share its bytes with the first one, so more than one is looked at.
        let from = self.stored.saturating_sub(LAST);
        if !self.layer.is_cut() && self.missing_from(source, from) == 0 {
            return 0;
        }
        self.missing_from(source, 0)
    }

    /// How many pages from the one with a rank on are missing.
    fn missing_from(&self, source: &ByteSource, from: u64) -> u64 {
        let mut missing = 0_u64;
        let mut at = from;
        let mut bytes = Vec::new();
        while at < self.stored {
            let count = self.stored.saturating_sub(at).min(DESCRIPTORS);
            let place = self.descriptor_at(at);
            let len = count.saturating_mul(DESCRIPTOR);
            bytes.resize(usize::try_from(len).unwrap_or_default(), 0);
            if !self.layer.has(source, place, len) || self.layer.read(source, place, &mut bytes).is_err() {
                // Some of these may be there; the rest is not.
                let there = (0..count)
                    .take_while(|&by| {
                        let place = self.descriptor_at(at.saturating_add(by));
                        self.layer.has(source, place, DESCRIPTOR)
                    })
                    .count() as u64;
                return missing.saturating_add(self.stored.saturating_sub(at).saturating_sub(there));
            }
            let gone = bytes
                .chunks_exact(DESCRIPTOR_LEN)
                .map(Descriptor::of)
                .filter(|page| !self.layer.has(source, page.offset, page.size.into()));
            missing = missing.saturating_add(gone.count() as u64);
            at = at.saturating_add(count);
        }
        missing
    }

    fn descriptor_at(&self, rank: u64) -> u64 {
        self.layout
            .descriptors
            .saturating_add(rank.saturating_mul(DESCRIPTOR))
    }

    /// Reads the bits of a block; what the last one lacks is clear.
    fn block(&self, source: &ByteSource, number: u64) -> std::io::Result<Block> {
        let start = number.saturating_mul(BLOCK as u64);
        let left = self.layout.frames.div_ceil(8).saturating_sub(start);
        let len = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let read = |place: u64| {
            let mut bytes = [0; BLOCK];
            let bits = bytes.get_mut(..len).unwrap_or_default();
            self.layer.read(source, place.saturating_add(start), bits)?;
            Ok::<_, std::io::Error>(words(&bytes))
        };
        Ok(Block {
            machine: read(self.layout.first)?,
            stored: read(self.layout.second)?,
        })
    }

    /// Where the page of a frame is: none of one that the file leaves out because it is all zeros.
    fn find(&self, source: &ByteSource, pfn: Pfn) -> Result<Option<Descriptor>, FrameError> {
        let frame = pfn.u64();
        let none = FrameError::NotInDump { pfn };
        if !(self.layout.from..self.layout.to).contains(&frame) {
            return Err(none);
        }
        let io = |error: std::io::Error| FrameError::Io {
            pfn,
            kind: error.kind(),
        };
        let (number, bit) = (frame / BLOCK_BITS, frame % BLOCK_BITS);
        let block = self.block(source, number).map_err(io)?;
        if !is_set(&block.stored, bit) {
            return match self.layout.zeros && is_set(&block.machine, bit) {
                true => Ok(None),
                false => Err(none),
            };
        }
        let rank = usize::try_from(number)
            .ok()
            .and_then(|number| self.ranks.get(number))
            .ok_or(none)?
            .saturating_add(ones_before(&block.stored, bit))
            .saturating_sub(self.skipped);
        let offset = self.descriptor_at(rank);
        if !self.layer.has(source, offset, DESCRIPTOR) {
            return Err(FrameError::OutOfFile { pfn, offset });
        }
        let mut bytes = [0; DESCRIPTOR_LEN];
        self.layer.read(source, offset, &mut bytes).map_err(io)?;
        Ok(Some(Descriptor::of(&bytes)))
    }

    fn unpack(&self, source: &ByteSource, pfn: Pfn) -> Unpacked {
        let found = self.find(source, pfn).map_err(|error| match error {
            FrameError::Io { kind, .. } => PageError::Io(kind),
            _ => PageError::Damaged,
        })?;
        let mut plain = vec![0; PAGE_LEN];
        let Some(descriptor) = found else {
            return Ok(plain.into());
        };
        let unpack = descriptor
            .unpack()
            .filter(|_| descriptor.size <= MAX_PACKED)
            .ok_or(PageError::Damaged)?;
        let mut packed = vec![0; descriptor.size as usize];
        self.layer
            .read(source, descriptor.offset, &mut packed)
            .map_err(|error| PageError::Io(error.kind()))?;
        match unpack(&packed, &mut plain) {
            true => Ok(Arc::from(plain)),
            false => Err(PageError::Damaged),
        }
    }

    /// The first frame from `from` on that is listed, or is not; where there is none, that behind the last.
    fn next(&self, source: &ByteSource, from: u64, listed: bool) -> u64 {
        let mut at = from;
        while at < self.limit {
            let number = at / BLOCK_BITS;
            let start = number.saturating_mul(BLOCK_BITS);
            let Ok(block) = self.block(source, number) else {
                return self.limit;
            };
            for ((machine, kept), word) in block.machine.iter().zip(&block.stored).zip(0_u64..) {
                let base = start.saturating_add(word.saturating_mul(64));
                let is = match self.layout.zeros {
                    true => kept | machine,
                    false => *kept,
                } & range(base, self.layout.from, self.limit);
                let wanted = if listed { is } else { !is } & range(base, at, u64::MAX);
                if wanted != 0 {
                    let frame = base.saturating_add(wanted.trailing_zeros().into());
                    return frame.min(self.limit);
                }
            }
            at = start.saturating_add(BLOCK_BITS);
        }
        self.limit
    }
}

impl PackedPages for CompressedPages {
    fn look_up(&self, source: &ByteSource, pfn: Pfn) -> Result<(), FrameError> {
        match self.find(source, pfn)? {
            Some(page) if !self.layer.has(source, page.offset, page.size.into()) => {
                Err(FrameError::OutOfFile {
                    pfn,
                    offset: page.offset,
                })
            }
            _ => Ok(()),
        }
    }

    fn read(&self, source: &ByteSource, pfn: Pfn, skip: usize, buf: &mut [u8]) -> Result<(), PageError> {
        let plain = self.kept.get(pfn.u64(), || self.unpack(source, pfn))?;
        let bytes = plain.get(skip..skip.saturating_add(buf.len()));
        buf.copy_from_slice(bytes.ok_or(PageError::Damaged)?);
        Ok(())
    }

    fn runs<'a>(&'a self, source: &'a ByteSource) -> Box<dyn Iterator<Item = PageRun> + 'a> {
        let mut at = 0;
        Box::new(std::iter::from_fn(move || {
            let base = self.next(source, at, true);
            at = self.next(source, base, false);
            let count = at.checked_sub(base).filter(|&count| count != 0)?;
            Some(PageRun {
                base: base.into(),
                count,
            })
        }))
    }

    fn limit(&self) -> u64 {
        self.limit
    }

    fn count(&self) -> (u64, u64) {
        let zeros = if self.layout.zeros { self.excluded } else { 0 };
        let all = self.stored.saturating_add(zeros);
        (all, all.saturating_sub(self.missing))
    }
}

/// Bits as words; what lacks is clear.
fn words(bytes: &[u8]) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
        let mut whole = [0; 8];
        for (to, from) in whole.iter_mut().zip(bytes) {
            *to = *from;
        }
        *word = u64::from_le_bytes(whole);
    }
    words
}

/// The bits of a word, whose first is of the frame `base`, that are of frames in `from..to`.
fn range(base: u64, from: u64, to: u64) -> u64 {
    let below = |frame: u64| {
        let count = u32::try_from(frame.saturating_sub(base)).unwrap_or(64);
        1_u64
            .checked_shl(count)
            .map_or(u64::MAX, |bit| bit.wrapping_sub(1))
    };
    below(to) & !below(from)
}

fn is_set(words: &[u64; WORDS], bit: u64) -> bool {
    let word = usize::try_from(bit / 64).ok().and_then(|word| words.get(word));
    word.is_some_and(|word| word & (1 << (bit % 64)) != 0)
}

fn ones_before(words: &[u64; WORDS], bit: u64) -> u64 {
    words
        .iter()
        .zip(0_u64..)
        .map(|(word, number)| u64::from((word & range(number.saturating_mul(64), 0, bit)).count_ones()))
        .fold(0, u64::saturating_add)
}
