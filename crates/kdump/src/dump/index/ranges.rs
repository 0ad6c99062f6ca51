//! The index of range dumps (kinds 8, 9 and 0xa): an array of {frame, count} behind the header, the pages of
//! the ranges one behind the other in its order.
//!
//! The array stays in the file; what is kept is the first frame of every 32nd range with how many pages the file
//! has before it. A lookup searches these and reads the 512 bytes that the sample leads to.

use std::io;

use multiversion::multiversion;

use super::{IndexError, PFN_BITS, PageIndex, PageRun, RunIndex};
use crate::dump::header::{DumpKind, HEADER64_LEN};
use crate::file::source::ByteSource;
use crate::value::le;

/// Where the metadata's own header begins: behind the dump's.
const DATA: u64 = HEADER64_LEN as u64;
const HEADER_LEN: usize = 0x30;
/// What its first field says: 0x40, of unknown meaning.
const MARKER: u32 = 0x40;
/// How much more than MetadataSize FirstPageOffset is: the headers before what MetadataSize counts.
const BEFORE_METADATA: u64 = 0x2020;

/// A range is a frame and a count, 8 bytes each.
const RANGE_BYTES: usize = 16;
const RANGE: u64 = RANGE_BYTES as u64;
/// Ranges to a sample, and the same in bytes: a block.
const SAMPLED: usize = 32;
const BLOCK_BYTES: usize = SAMPLED * RANGE_BYTES;
/// How much of the array is read at once on opening: whole blocks.
const CHUNK: usize = 256 << 10;
const _: () = assert!(CHUNK.is_multiple_of(BLOCK_BYTES));
/// How many ranges that do not ascend are sorted in memory. Windows writes them ascending; more than these
/// are refused rather than sorted.
const MAX_UNORDERED: usize = 1 << 20;

/// What the header of the metadata says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    /// File offset of the first page, which is also the end of the array's room.
    first_page: u64,
    /// TotalNumberOfPages, which only kind 0xa has: its array ends where the counts add up to it.
    total: Option<u64>,
}

impl Layout {
    fn read(kind: DumpKind, head: &[u8]) -> Result<Layout, IndexError> {
        let bytes: [u8; HEADER_LEN] = le::array(head, HEADER64_LEN).ok_or(IndexError::Cut {
            need: DATA.saturating_add(HEADER_LEN as u64),
        })?;
        // Windows itself writes none of these: they come from a debugger, by `.dump /k` and `/ka` (8, 9) or
        // `.dump /f` (a).
        if le::u32(&bytes, 0) != Some(MARKER) || le::array(&bytes, 4) != Some(*b"RDMPDUMP") {
            return Err(IndexError::Bad(format!(
                "its data should begin with 40 00 00 00 and RDMPDUMP, not with \"{}\"",
                bytes.get(..12).unwrap_or_default().escape_ascii()
            )));
        }
        let field = |offset| le::u64(&bytes, offset).unwrap_or_default();
        let (metadata, first_page) = (field(0x10), field(0x18));
        // The two count from different places: MetadataSize from 20 hex bytes into the data, FirstPageOffset
        // from the beginning of the file.
        if metadata.checked_add(BEFORE_METADATA) != Some(first_page) {
            return Err(IndexError::Bad(format!(
                "its first page is at {first_page:#x}, which does not fit its metadata of {metadata:#x} bytes"
            )));
        }
        Ok(Layout {
            first_page,
            // +20 and +28 are two numbers of unknown meaning in kinds 8 and 9. Kind 0xa has NumberOfRanges and
            // TotalNumberOfPages there; a file of 90 ranges with 91 pages is published.
            total: (kind == DumpKind::CompleteRanges).then(|| field(0x28)),
        })
    }

    /// File offset of the array.
    fn array(self) -> u64 {
        DATA.saturating_add(HEADER_LEN as u64)
    }

    /// How many ranges there is room for.
    fn room(self) -> u64 {
        self.first_page.saturating_sub(self.array()) / RANGE
    }
}

/// The first range of a block.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Its first frame.
    base: u64,
    /// How many pages the file has before it.
    position: u64,
}

/// An ascending array of ranges in the file, with samples of it in memory.
#[derive(Debug)]
pub(crate) struct RangeIndex {
    layout: Layout,
    samples: Vec<Sample>,
    ranges: u64,
    pages: u64,
    limit: u64,
}

/// Reads the metadata of a range dump from end to end; `head` is the beginning of the file.
///
/// # Errors
/// Metadata that is cut off, has another signature, or contradicts itself or the width of addresses.
pub(crate) fn read_ranges(kind: DumpKind, head: &[u8], source: &ByteSource) -> Result<PageIndex, IndexError> {
    let layout = Layout::read(kind, head)?;
    let mut index = RangeIndex {
        layout,
        samples: Vec::new(),
        ranges: 0,
        pages: 0,
        limit: 0,
    };
    let mut end = ArrayEnd {
        total: layout.total,
        pages: 0,
    };
    let mut ascending = true;
    for_each_chunk(layout, source, |chunk| {
        for block in chunk.chunks(BLOCK_BYTES) {
            // Nearly every block of nearly every dump is in order, and is then done with in one go.
            let sum = sum(block, index.limit).filter(|sum| end.takes(sum.pages));
            if let Some(sum) = sum {
                index.push_block(block, sum)?;
                continue;
            }
            for range in block.chunks_exact(RANGE_BYTES) {
                let Some(run) = end.next(range)? else {
                    return Ok(Progress::Done);
                };
                // `.dump` of the debugger writes ranges in ascending order; nothing says that another writer
                // has to.
                if run.base.u64() < index.limit {
                    ascending = false;
                    return Ok(Progress::Done);
                }
                index.push(run)?;
            }
        }
        Ok(Progress::More)
    })?;
    if !ascending {
        return Ok(PageIndex::Runs(sorted(layout, source)?));
    }
    if index.ranges == 0 {
        return Err(IndexError::Bad("its metadata lists no range of pages".into()));
    }
    Ok(PageIndex::Ranges(index))
}

/// Ranges in no order become runs in memory.
fn sorted(layout: Layout, source: &ByteSource) -> Result<RunIndex, IndexError> {
    let mut runs = Vec::new();
    let mut end = ArrayEnd {
        total: layout.total,
        pages: 0,
    };
    for_each_chunk(layout, source, |chunk| {
        for range in chunk.chunks_exact(RANGE_BYTES) {
            let Some(run) = end.next(range)? else {
                return Ok(Progress::Done);
            };
            if runs.len() == MAX_UNORDERED {
                return Err(IndexError::Bad(format!(
                    "its ranges, more than {MAX_UNORDERED}, do not ascend"
                )));
            }
            runs.push(run);
        }
        Ok(Progress::More)
    })?;
    RunIndex::new(&runs, layout.first_page, layout.total)
}

/// Whether the rest of the array is wanted.
enum Progress {
    More,
    Done,
}

/// Reads the array in the order of the file, a piece at a time, until its room's end or `visit` is done.
fn for_each_chunk(
    layout: Layout,
    source: &ByteSource,
    mut visit: impl FnMut(&[u8]) -> Result<Progress, IndexError>,
) -> Result<(), IndexError> {
    let (mut at, mut left) = (layout.array(), layout.room());
    // Most arrays are of a few ranges: a buffer for many would take longer than reading them.
    let room = usize::try_from(left.saturating_mul(RANGE)).unwrap_or(CHUNK);
    let mut chunk = vec![0; CHUNK.min(room)];
    while left > 0 {
        let in_file = source.len().saturating_sub(at) / RANGE;
        let now = left.min((CHUNK / RANGE_BYTES) as u64).min(in_file.max(1));
        let len = usize::try_from(now)
            .unwrap_or_default()
            .saturating_mul(RANGE_BYTES);
        let bytes = chunk.get_mut(..len).unwrap_or_default();
        read(source, at, bytes, layout.first_page)?;
        if let Progress::Done = visit(bytes)? {
            return Ok(());
        }
        at = at.saturating_add(len as u64);
        left = left.saturating_sub(now);
    }
    Ok(())
}

/// Where the array ends, other than with its room: at a count of zero (its frame means nothing: a range may begin at
/// frame 0), and for kind 0xa where the counts add up to TotalNumberOfPages.
struct ArrayEnd {
    total: Option<u64>,
    /// Pages of the ranges so far.
    pages: u64,
}

impl ArrayEnd {
    /// Takes the next range; `None` behind the array's end.
    fn next(&mut self, range: &[u8]) -> Result<Option<PageRun>, IndexError> {
        let run = run_of(range);
        // A frame of zero ends nothing: the first range of a machine's memory can begin there. kdmp-parser
        // 0.8.2 takes it for the end and opens the dump without a page, and without an error.
        if self.total == Some(self.pages) || run.count == 0 {
            return Ok(None);
        }
        check(run)?;
        self.pages = self.pages.saturating_add(run.count);
        if let Some(total) = self.total.filter(|&total| self.pages > total) {
            return Err(IndexError::Bad(format!(
                "its ranges hold more than the {total:#x} pages that its metadata claims"
            )));
        }
        Ok(Some(run))
    }

    /// Takes ranges of that many pages, none of them of no pages, when the array does not end among them.
    fn takes(&mut self, pages: u64) -> bool {
        let after = self.pages.saturating_add(pages);
        let inside = self.total.is_none_or(|total| after <= total);
        if inside {
            self.pages = after;
        }
        inside
    }
}

/// What the ranges of a block add up to.
#[derive(Debug, PartialEq, Eq)]
struct Sum {
    pages: u64,
    /// The frame behind the last range.
    limit: u64,
}

/// Adds up a block whose ranges all have pages, ascend from `limit` on, and end below the width of addresses;
/// `None` when one of them may not. A million ranges are a dump's whole index, so that no range has a branch of
/// its own: whatever is off sets high bits in one of three differences, and only which bits were ever set is looked at.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx2", "x86_64+avx2"))]
fn sum(block: &[u8], limit: u64) -> Option<Sum> {
    let mut sum = Sum { pages: 0, limit };
    let mut seen = 0;
    for range in block.as_chunks::<RANGE_BYTES>().0 {
        let &[base, count] = range.as_chunks::<8>().0 else {
            continue;
        };
        let (base, count) = (u64::from_le_bytes(base), u64::from_le_bytes(count));
        // A range that begins before the last one's end, or has no pages: the difference is negative.
        seen |= base.wrapping_sub(sum.limit) | count.wrapping_sub(1);
        sum.limit = base.wrapping_add(count);
        seen |= sum.limit;
        sum.pages = sum.pages.wrapping_add(count);
    }
    // Nothing wrapped: each base is at most 2^40 above a limit below 2^40, each count at most 2^40.
    (seen >> PFN_BITS == 0).then_some(sum)
}

fn read(source: &ByteSource, at: u64, bytes: &mut [u8], need: u64) -> Result<(), IndexError> {
    source
        .read_exact_at(at, bytes)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => IndexError::Cut { need },
            _ => IndexError::Io(error),
        })
}

fn run_of(bytes: &[u8]) -> PageRun {
    PageRun {
        base: le::u64(bytes, 0).unwrap_or_default().into(),
        count: le::u64(bytes, 8).unwrap_or_default(),
    }
}

fn check(run: PageRun) -> Result<(), IndexError> {
    match run.base.u64().checked_add(run.count) {
        Some(end) if end <= 1 << PFN_BITS => Ok(()),
        _ => Err(IndexError::Bad(format!(
            "a range of {:#x} pages begins at frame {:#x}",
            run.count,
            run.base.u64()
        ))),
    }
}

impl RangeIndex {
    /// Takes the ranges of the next block, of which `sum` says that they are in order.
    fn push_block(&mut self, block: &[u8], sum: Sum) -> Result<(), IndexError> {
        self.sample_at(le::u64(block, 0).unwrap_or_default())?;
        self.ranges = self.ranges.saturating_add((block.len() / RANGE_BYTES) as u64);
        self.pages = self.pages.saturating_add(sum.pages);
        self.limit = sum.limit;
        Ok(())
    }

    /// The next range begins a block at `base`.
    fn sample_at(&mut self, base: u64) -> Result<(), IndexError> {
        if self.samples.len() == self.samples.capacity() && self.samples.try_reserve(1).is_err() {
            return Err(IndexError::Io(io::ErrorKind::OutOfMemory.into()));
        }
        self.samples.push(Sample {
            base,
            position: self.pages,
        });
        Ok(())
    }

    /// Takes the next range, which begins behind all others.
    fn push(&mut self, run: PageRun) -> Result<(), IndexError> {
        if self.ranges.is_multiple_of(SAMPLED as u64) {
            self.sample_at(run.base.u64())?;
        }
        self.ranges = self.ranges.saturating_add(1);
        self.pages = self.pages.saturating_add(run.count);
        self.limit = end(run);
        Ok(())
    }

    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    pub(crate) fn first_page(&self) -> u64 {
        self.layout.first_page
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// TotalNumberOfPages, where this kind has it.
    pub(crate) fn claimed(&self) -> Option<u64> {
        self.layout.total
    }

    pub(crate) fn position(&self, pfn: u64, source: &ByteSource) -> io::Result<Option<u64>> {
        let Some((number, sample)) = self.sample(pfn) else {
            return Ok(None);
        };
        let mut position = sample.position;
        for run in self.block(number, source)?.runs() {
            let Some(inside) = pfn.checked_sub(run.base.u64()) else {
                break;
            };
            if inside < run.count {
                return Ok(Some(position.saturating_add(inside)));
            }
            position = position.saturating_add(run.count);
        }
        Ok(None)
    }

    /// The first run of frames that ends after `from`, cut off before it. Ranges that touch are one run.
    pub(crate) fn run_from(&self, from: u64, source: &ByteSource) -> io::Result<Option<PageRun>> {
        let mut found: Option<PageRun> = None;
        let first = self.sample(from).map_or(0, |(number, _)| number);
        for number in first..self.samples.len() {
            for run in self.block(number, source)?.runs().filter(|run| end(*run) > from) {
                match &mut found {
                    None => found = Some(cut_before(run, from)),
                    Some(found) if end(*found) == run.base.u64() => {
                        found.count = found.count.saturating_add(run.count);
                    }
                    Some(_) => return Ok(found),
                }
            }
        }
        Ok(found)
    }

    /// The last sample that begins at or before a frame, and its number.
    fn sample(&self, pfn: u64) -> Option<(usize, Sample)> {
        let next = self.samples.partition_point(|sample| sample.base <= pfn);
        let number = next.checked_sub(1)?;
        Some((number, *self.samples.get(number)?))
    }

    /// Reads the ranges of a sample.
    fn block(&self, number: usize, source: &ByteSource) -> io::Result<Block> {
        let first = (number as u64).saturating_mul(SAMPLED as u64);
        let ranges = self.ranges.saturating_sub(first).min(SAMPLED as u64);
        let mut block = Block {
            bytes: [0; BLOCK_BYTES],
            len: usize::try_from(ranges)
                .unwrap_or_default()
                .saturating_mul(RANGE_BYTES),
        };
        let at = first.saturating_mul(RANGE).saturating_add(self.layout.array());
        source.read_exact_at(at, block.bytes.get_mut(..block.len).unwrap_or_default())?;
        Ok(block)
    }
}

/// The ranges of a sample.
struct Block {
    bytes: [u8; BLOCK_BYTES],
    len: usize,
}

impl Block {
    fn runs(&self) -> impl Iterator<Item = PageRun> + '_ {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        bytes.chunks_exact(RANGE_BYTES).map(run_of)
    }
}

fn end(run: PageRun) -> u64 {
    run.base.u64().saturating_add(run.count)
}

/// The part of a run from `from` on.
fn cut_before(run: PageRun, from: u64) -> PageRun {
    let base = run.base.u64().max(from);
    PageRun {
        base: base.into(),
        count: end(run).saturating_sub(base),
    }
}
