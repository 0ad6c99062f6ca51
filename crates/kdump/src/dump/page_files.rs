//! Pages that Windows wrote out, in the files that it wrote them to.
//!
//! An entry of a page table that is not valid says in which page file a page is, and at which page of it
//! (`_MMPTE_SOFTWARE`): `PageFileHigh` is the page, `PageFileLow` the number of the file. Where these bits are changed in
//! kernels that were serviced after the L1TF updates of 2018, inside of builds, and since then an entry without
//! `SwizzleBit` has the bits of `nt!MiState.Hardware.InvalidPteMask` set, which are no part of the page. Only the kernel's
//! own symbols say which it is. Sources: symbols of 305 kernels; MemProcFS's mm_win.c; Volatility's windows/mmu.
//!
//! Nothing in a page of a page file says whose it is. It is right when file and memory are of the same moment, as those of a
//! snapshot are, and wrong without any sign when the system ran on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::file::source::{ByteSource, FileFailure};
use crate::memory::error::FrameError;
use crate::memory::page::{FileOffset, IN_PAGE_FILE, PACKED, PAGE, PAGE_FILE_FRAME, is_in_page_file};
use crate::memory::physical::PageError;
use crate::value::address::Pfn;

/// Bits of the number of a page in its file: files of 256 TiB.
const PAGE_BITS: u32 = 36;
/// The last page file that Windows can have (`MmPagingFile` has 16).
pub const LAST_PAGE_FILE: u8 = 15;

/// Some bits of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryBits {
    /// The lowest.
    pub position: u8,
    /// How many.
    pub length: u8,
}

impl EntryBits {
    fn of(self, entry: u64) -> u64 {
        let low = entry.checked_shr(self.position.into()).unwrap_or(0);
        match self.length {
            64.. => low,
            length => low & !(u64::MAX << length),
        }
    }
}

/// Where an entry of a page table that is not valid says in which page file a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftwarePte {
    /// `_MMPTE_SOFTWARE.PageFileLow`.
    pub number: EntryBits,
    /// `_MMPTE_SOFTWARE.PageFileHigh`.
    pub page: EntryBits,
    /// `_MMPTE_SOFTWARE.SwizzleBit`, and `nt!MiState.Hardware.InvalidPteMask`; none of kernels without the first.
    pub swizzle: Option<(EntryBits, u64)>,
}

impl SoftwarePte {
    /// The number of the file and of the page in it. None when the entry contradicts itself, or names the first page, which
    /// is the file's header.
    fn read(&self, entry: u64) -> Option<(u8, u64)> {
        let entry = match self.swizzle {
            Some((bit, mask)) if bit.of(entry) == 0 => match entry & mask == mask {
                true => entry ^ mask,
                // Not swizzled, and without the bits that swizzling sets.
                false => return None,
            },
            _ => entry,
        };
        let page = self.page.of(entry);
        let number = u8::try_from(self.number.of(entry)).ok()?;
        (page != 0 && page >> PAGE_BITS == 0 && number <= LAST_PAGE_FILE).then_some((number, page))
    }
}

/// Page files that go with a dump.
#[derive(Default)]
pub struct PageFiles {
    files: BTreeMap<u8, ByteSource>,
    entries: OnceLock<SoftwarePte>,
    pages: AtomicU64,
}

impl fmt::Debug for PageFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageFiles")
            .field("files", &self.files.keys())
            .field("entries", &self.entries.get())
            .finish_non_exhaustive()
    }
}

impl PageFiles {
    /// The first failure to read one of them.
    pub(crate) fn failed(&self) -> Option<FileFailure> {
        self.files.values().find_map(ByteSource::failed)
    }

    pub(crate) fn new(files: BTreeMap<u8, ByteSource>) -> PageFiles {
        PageFiles {
            files,
            ..PageFiles::default()
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Tells how entries are to be read; before that no page is found. What was told first stays.
    pub fn entries_are(&self, entries: SoftwarePte) {
        let _ = self.entries.set(entries);
    }

    /// How many times a page was looked up in a page file, and was there.
    pub fn pages_found(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }

    /// The frame number that stands for the page which an entry names.
    pub(crate) fn frame(&self, entry: u64) -> Option<Pfn> {
        let (number, page) = self.entries.get()?.read(entry)?;
        let end = page.checked_add(1)?.checked_mul(PAGE)?;
        if end > self.files.get(&number)?.len() {
            return None;
        }
        self.pages.fetch_add(1, Ordering::Relaxed);
        Some(Pfn::new(
            PAGE_FILE_FRAME | (u64::from(number) << PAGE_BITS) | page,
        ))
    }

    /// Where the page of such a frame is; none of frames of physical memory.
    pub(crate) fn place(&self, pfn: Pfn) -> Option<Result<FileOffset, FrameError>> {
        is_in_page_file(pfn).then(|| match self.files.is_empty() {
            true => Err(FrameError::NotInDump { pfn }),
            false => Ok(FileOffset(PACKED | IN_PAGE_FILE | (pfn.u64() & !PAGE_FILE_FRAME))),
        })
    }

    /// Fills `buf` with bytes of such a page; none of pages that are elsewhere.
    pub(crate) fn read(
        &self,
        page: FileOffset,
        skip: usize,
        buf: &mut [u8],
    ) -> Option<Result<(), PageError>> {
        const MARKS: u64 = PACKED | IN_PAGE_FILE;
        if page.0 & MARKS != MARKS {
            return None;
        }
        let place = page.0 & !MARKS;
        let number = u8::try_from(place >> PAGE_BITS).unwrap_or(u8::MAX);
        let at = (place & !(u64::MAX << PAGE_BITS)).saturating_mul(PAGE);
        let Some(file) = self.files.get(&number) else {
            return Some(Err(PageError::Damaged));
        };
        let read = file.read_exact_at(at.saturating_add(skip as u64), buf);
        Some(read.map_err(|error| PageError::Io(error.kind())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn bits(position: u8, length: u8) -> EntryBits {
        EntryBits { position, length }
    }

    /// Entries of a kernel of 2018 and later, whose symbols have PageFileLow at 12 and SwizzleBit at 4, with MemProcFS's
    /// default mask (bit 45).
    #[test]
    fn serviced_kernels_swizzle() {
        let entries = SoftwarePte {
            number: bits(12, 4),
            page: bits(32, 32),
            swizzle: Some((bits(4, 1), 1 << 45)),
        };
        // Protection 4, page file 0, page 0x123; bit 45 set by the kernel.
        assert_eq!(entries.read(0x0000_2123_0000_0080), Some((0, 0x123)));
        // Page 0x2123 has the bit of its own: not swizzled.
        assert_eq!(entries.read(0x0000_2123_0000_0090), Some((0, 0x2123)));
        assert_eq!(entries.read(0x0000_2123_0000_1080), Some((1, 0x123)));
        // Neither the bit nor the mask.
        assert_eq!(entries.read(0x0000_0123_0000_0080), None);
        // The header of the file.
        assert_eq!(entries.read(0x0000_2000_0000_0080), None);
    }

    #[test]
    fn old_kernels_do_not() {
        let entries = SoftwarePte {
            number: bits(1, 4),
            page: bits(32, 32),
            swizzle: None,
        };
        assert_eq!(entries.read(0x0000_2123_0000_0084), Some((2, 0x2123)));
        assert_eq!(entries.read(0), None);
    }

    #[test]
    fn pages_are_read_where_entries_say() {
        let mut file = vec![0; 0x3000];
        file[0x2000..].fill(7);
        let files = PageFiles::new(BTreeMap::from([(0, ByteSource::Memory(file))]));
        let entry = |page: u64| (page << 32) | 0x80;
        // Nobody has said yet how entries are read.
        assert_eq!(files.frame(entry(2)), None);
        files.entries_are(SoftwarePte {
            number: bits(1, 4),
            page: bits(32, 32),
            swizzle: None,
        });
        let frame = files.frame(entry(2)).unwrap();
        let place = files.place(frame).unwrap().unwrap();
        assert_eq!(place.in_file(), None, "it is in another file");
        let mut bytes = [0; 4];
        files.read(place, 0xffc, &mut bytes).unwrap().unwrap();
        assert_eq!(bytes, [7; 4]);
        // Behind the end, and in a file that is not there.
        assert_eq!(files.frame(entry(3)), None);
        assert_eq!(files.frame(entry(2) | 1 << 1), None);
        assert_eq!(files.place(Pfn::new(2)), None);
        assert!(files.read(FileOffset(0x2000), 0, &mut bytes).is_none());
        assert_eq!(files.pages_found(), 1);
    }
}
