//! What is behind the header of a dump.

use crate::dump::coverage::Coverage;
use crate::dump::header::{DumpKind, Header};
use crate::dump::image_file::ImageFile;
use crate::dump::index::{BitmapIndex, BitmapLayout, IndexError, PageIndex, RunIndex, read_ranges};
use crate::dump::triage::Triage;
use crate::file::source::ByteSource;
use crate::memory::page::PAGE;
use crate::value::machine::Machine;

/// What is behind the header.
#[derive(Debug)]
pub(crate) enum Contents {
    /// Pages of physical memory.
    Pages(PageIndex),
    /// Pieces of virtual memory (kind 4).
    Pieces(Box<Triage>),
    /// Pages of a file that is no crash dump.
    Image(Box<ImageFile>),
    /// Nothing that can be read.
    HeaderOnly,
}

/// How much of an index's pages a file of `file_len` bytes holds whole.
pub(crate) fn coverage(index: &PageIndex, file_len: u64) -> Coverage {
    let claimed = index.pages();
    let present = (file_len.saturating_sub(index.first_page()) / PAGE).min(claimed);
    Coverage {
        claimed,
        present,
        missing: claimed.saturating_sub(present),
    }
}

/// Reads what leads to the memory in a dump. How 32-bit systems write ranges and triage data is not known.
pub(crate) fn read_contents(
    header: &Header,
    head: &[u8],
    source: &ByteSource,
) -> Result<Contents, IndexError> {
    let wide = header.machine != Machine::I386;
    match header.kind {
        DumpKind::Full => full_index(header).map(Contents::Pages),
        DumpKind::Summary | DumpKind::BitmapFull | DumpKind::BitmapKernel => {
            let layout = BitmapLayout::read(header, head, source.len())?;
            let index = BitmapIndex::build(layout, source)?;
            Ok(Contents::Pages(PageIndex::Bitmap(index)))
        }
        DumpKind::Triage if wide => {
            Triage::read(header, source).map(|triage| Contents::Pieces(Box::new(triage)))
        }
        DumpKind::KernelRanges | DumpKind::KernelUserRanges | DumpKind::CompleteRanges if wide => {
            read_ranges(header.kind, head, source).map(Contents::Pages)
        }
        _ => Ok(Contents::HeaderOnly),
    }
}

fn full_index(header: &Header) -> Result<PageIndex, IndexError> {
    let room = header.max_runs();
    match header.number_of_runs {
        Some(count) if count > room => Err(IndexError::Bad(format!(
            "the header claims {count} runs of pages and has room for {room}"
        ))),
        _ => Ok(PageIndex::Runs(RunIndex::new(
            &header.physical_runs,
            header.len(),
            header.number_of_pages,
        )?)),
    }
}
