//! Physical memory, wherever it is kept: the one thing that address spaces read.

use std::{fmt, io};

use crate::memory::error::FrameError;
use crate::memory::page::{FileOffset, PAGE_MASK, PageRun};
use crate::value::address::{Gpa, Gva, Pfn};
use crate::value::machine::{BugCheck, ContextRecord, Machine};

/// A source of physical memory: a crash dump, the saved memory of a virtual machine, an image.
///
/// A source answers for one page of 4 KiB at a time, by its frame: where it keeps the page, or why it does not have
/// it. It never gives zeros, or any other bytes, for a page that it does not have. [`AddressSpace::of`] reads any
/// source through page tables.
///
/// ```
/// use kdump::{AddressSpace, FileOffset, FrameError, Gva, Known, PageError, PageRun, Paging, Pfn, PhysicalMemory};
///
/// /// An image: every frame from zero on, one behind the other.
/// #[derive(Debug)]
/// struct Raw(Vec<u8>);
///
/// impl PhysicalMemory for Raw {
///     fn frame(&self, pfn: Pfn) -> Result<FileOffset, FrameError> {
///         let offset = pfn.u64() * 4096;
///         match offset + 4096 <= self.0.len() as u64 {
///             true => Ok(FileOffset(offset)),
///             false => Err(FrameError::NotInDump { pfn }),
///         }
///     }
///
///     fn read_page(&self, page: FileOffset, skip: usize, buf: &mut [u8]) -> Result<(), PageError> {
///         let start = page.0 as usize + skip;
///         buf.copy_from_slice(&self.0[start..start + buf.len()]);
///         Ok(())
///     }
///
///     fn runs(&self) -> Box<dyn Iterator<Item = PageRun> + '_> {
///         let count = self.0.len() as u64 / 4096;
///         Box::new(std::iter::once(PageRun { base: Pfn::new(0), count }))
///     }
///
///     fn known(&self) -> Known {
///         Known::default()
///     }
/// }
///
/// // A top table whose last entry leads to the table itself, as the one of Windows does.
/// let mut image = vec![0; 0x2000];
/// image[0x1ff8..].copy_from_slice(&0x1003_u64.to_le_bytes());
/// let image = Raw(image);
/// let space = AddressSpace::of(&image, Paging::X64, 0x1000);
/// assert_eq!(space.cursor().u64(Gva::new(0xffff_ffff_ffff_fff8))?, 0x1003);
/// let error = space.cursor().u64(Gva::new(0x1000)).unwrap_err();
/// assert_eq!(error.id(), "not-present");
/// # Ok::<(), kdump::ReadError>(())
/// ```
///
/// [`AddressSpace::of`]: crate::AddressSpace::of
pub trait PhysicalMemory: fmt::Debug + Send + Sync {
    /// Where the source keeps the page of a frame, all of which it has. What the place means is the source's own:
    /// for a page that is stored as it is, where it begins in the file.
    ///
    /// # Errors
    /// Why the source does not have the page.
    fn frame(&self, pfn: Pfn) -> Result<FileOffset, FrameError>;

    /// Fills `buf` with bytes of the page at a place that [`frame`](Self::frame) named, from the byte `skip` on.
    /// Callers ask for no more than the page has.
    ///
    /// # Errors
    /// Why the bytes are none of the system's, or cannot be read.
    fn read_page(&self, page: FileOffset, skip: usize, buf: &mut [u8]) -> Result<(), PageError>;

    /// The same bytes without copying them; `None` where the source does not have them in memory as they are.
    ///
    /// # Errors
    /// As [`read_page`](Self::read_page).
    fn borrow_page(&self, page: FileOffset, skip: usize, len: usize) -> Result<Option<&[u8]>, PageError> {
        let _ = (page, skip, len);
        Ok(None)
    }

    /// The frames that the source lists, as runs in ascending order, found one by one. Frames whose page it does not
    /// have after all (its file is cut) can be among them.
    fn runs(&self) -> Box<dyn Iterator<Item = PageRun> + '_>;

    /// A frame number above all that the source could have.
    fn frame_limit(&self) -> u64 {
        let end = |run: PageRun| run.base.u64().saturating_add(run.count);
        self.runs().last().map_or(0, end)
    }

    /// The frame number by which [`frame`](Self::frame) finds a page that was written out, where the source has the page file:
    /// above all numbers that physical memory has. `entry` is the one that names it.
    fn paged_out(&self, entry: u64) -> Option<Pfn> {
        let _ = entry;
        None
    }

    /// What the source knows of its machine.
    fn known(&self) -> Known;
}

/// What a source of memory knows of its machine beside the memory. Nothing here was checked against the memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Known {
    /// The machine's type.
    pub machine: Option<Machine>,
    /// Whether page-table entries of x86 have eight bytes.
    pub pae: Option<bool>,
    /// The page tables of some processor: CR3 of x64 and x86, with the bits that are no part of an address.
    pub directory_table_base: Option<u64>,
    /// Where processors stood, as far as the source kept their registers: that of the bug check alone in a crash
    /// dump.
    pub processors: Vec<ContextRecord>,
    /// The bug check.
    pub bug_check: Option<BugCheck>,
    /// Addresses of list heads (`_LIST_ENTRY`) that the kernel's page tables must map: PsActiveProcessHead,
    /// PsLoadedModuleList.
    pub lists: Vec<Gva>,
}

/// Why bytes of a page that a source has cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// The page holds only the filler of a writer that could not read it.
    #[error("the page holds only the filler 0xdeadfeed: whoever wrote it could not read it")]
    Filler,
    /// The page must be unpacked, and its bytes are damaged.
    #[error("the page cannot be unpacked: its bytes in the file are damaged")]
    Damaged,
    /// The system failed to read the file.
    #[error("the file cannot be read: {0}")]
    Io(io::ErrorKind),
}

impl PageError {
    /// The same error of a frame.
    pub(crate) fn of(self, pfn: Pfn) -> FrameError {
        match self {
            PageError::Filler => FrameError::Filler { pfn },
            PageError::Damaged => FrameError::Damaged { pfn },
            PageError::Io(kind) => FrameError::Io { pfn, kind },
        }
    }
}

/// The place of an address in its page.
pub(crate) fn in_page(address: u64) -> usize {
    usize::try_from(address & PAGE_MASK).unwrap_or_default()
}

/// Reads bytes that lie in one page.
pub(crate) fn read_in_frame(memory: &dyn PhysicalMemory, gpa: Gpa, buf: &mut [u8]) -> Result<(), FrameError> {
    let page = memory.frame(gpa.pfn())?;
    memory
        .read_page(page, in_page(gpa.u64()), buf)
        .map_err(|error| error.of(gpa.pfn()))
}
