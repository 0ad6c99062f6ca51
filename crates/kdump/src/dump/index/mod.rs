//! Which page frames the dump holds, and where: the index of pages.
//!
//! Every kind of dump stores its pages one behind the other in the order of their frames in the index, so
//! that an index has to answer one question: which page of the file, counted from the first, is this frame?

mod bitmap;
mod ranges;
mod runs;

use std::io;

pub(crate) use bitmap::{BitmapIndex, BitmapLayout};
pub(crate) use ranges::{RangeIndex, read_ranges};
pub(crate) use runs::RunIndex;

use crate::file::source::ByteSource;
use crate::memory::page::PAGE;
pub(crate) use crate::memory::page::PageRun;

/// Bits of a page frame number: x64 physical addresses have at most 52 bits.
pub(crate) const PFN_BITS: u32 = 40;

/// Why an index cannot be used.
#[derive(Debug)]
pub(crate) enum IndexError {
    /// The file ends inside of it; it would need this many bytes.
    Cut { need: u64 },
    /// It contradicts itself.
    Bad(String),
    /// The system failed to read it.
    Io(io::Error),
}

/// The index of pages of a dump, whatever its kind.
#[derive(Debug)]
pub(crate) enum PageIndex {
    /// Runs in memory: of the header (kind 1), or ranges that do not ascend.
    Runs(RunIndex),
    /// Kinds 2, 5 and 6: a bitmap in the file.
    Bitmap(BitmapIndex),
    /// Kinds 8, 9 and 0xa: ascending ranges in the file.
    Ranges(RangeIndex),
}

impl PageIndex {
    /// How many pages the index claims.
    pub(crate) fn pages(&self) -> u64 {
        match self {
            PageIndex::Runs(runs) => runs.pages(),
            PageIndex::Bitmap(bitmap) => bitmap.pages(),
            PageIndex::Ranges(ranges) => ranges.pages(),
        }
    }

    /// The file offset of the first page.
    pub(crate) fn first_page(&self) -> u64 {
        match self {
            PageIndex::Runs(runs) => runs.first_page(),
            PageIndex::Bitmap(bitmap) => bitmap.first_page(),
            PageIndex::Ranges(ranges) => ranges.first_page(),
        }
    }

    /// The file offset behind the last page.
    pub(crate) fn end(&self) -> u64 {
        self.first_page()
            .saturating_add(self.pages().saturating_mul(PAGE))
    }

    /// A frame number above all that the index could hold.
    pub(crate) fn limit(&self) -> u64 {
        match self {
            PageIndex::Runs(runs) => runs.limit(),
            PageIndex::Bitmap(bitmap) => bitmap.limit(),
            PageIndex::Ranges(ranges) => ranges.limit(),
        }
    }

    /// How many pages the file says its index lists, apart from the index itself.
    pub(crate) fn claimed(&self) -> Option<u64> {
        match self {
            PageIndex::Runs(runs) => runs.claimed(),
            PageIndex::Bitmap(bitmap) => Some(bitmap.claimed()),
            PageIndex::Ranges(ranges) => ranges.claimed(),
        }
    }

    /// Which page of the file holds `pfn`, counted from the first; `None` when none does.
    pub(crate) fn position(&self, pfn: u64, source: &ByteSource) -> io::Result<Option<u64>> {
        match self {
            PageIndex::Runs(runs) => Ok(runs.position(pfn)),
            PageIndex::Bitmap(bitmap) => bitmap.position(pfn, source),
            PageIndex::Ranges(ranges) => ranges.position(pfn, source),
        }
    }

    /// The first run of frames that ends after `from`, cut off before it, in ascending order.
    fn run_from(&self, from: u64, source: &ByteSource) -> Option<PageRun> {
        match self {
            PageIndex::Runs(runs) => runs.run_from(from),
            PageIndex::Bitmap(bitmap) => bitmap.run_from(from, source).ok().flatten(),
            PageIndex::Ranges(ranges) => ranges.run_from(from, source).ok().flatten(),
        }
    }

    /// All frames in ascending order, as runs found one by one.
    pub(crate) fn runs<'a>(&'a self, source: &'a ByteSource) -> impl Iterator<Item = PageRun> + 'a {
        let mut from = 0;
        std::iter::from_fn(move || {
            let run = self.run_from(from, source)?;
            from = run.base.u64().saturating_add(run.count);
            Some(run)
        })
    }
}
