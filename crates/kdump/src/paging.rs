//! x64 page tables: four levels, pages of 4 KiB, 2 MiB and 1 GiB.

use std::fmt;

use kdmp_parser::gxa::{Gpa, Gva, Gxa};
use serde::Serialize;

use crate::Dump;
use crate::error::{FrameUse, NotPresentKind, ReadError, TranslateError};

/// Bits 12 to 51 of an entry: the page frame.
const FRAME: u64 = 0x000f_ffff_ffff_f000;
const VALID: u64 = 1;
const LARGE: u64 = 1 << 7;
/// Of an entry that is not valid (`_MMPTE_TRANSITION`, `_MMPTE_PROTOTYPE`).
const SWIZZLE: u64 = 1 << 4;
const PROTOTYPE: u64 = 1 << 10;
const TRANSITION: u64 = 1 << 11;
/// The lowest bit that Windows sets in entries that are not valid, so that a processor that speculates
/// through one (L1TF) finds no memory there.
const INVALID_MASK: u64 = 1 << 45;

/// Which entry of the page tables, from the root down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Level {
    /// Entry of the top table: 512 GiB.
    Pml4e,
    /// 1 GiB.
    Pdpte,
    /// 2 MiB.
    Pde,
    /// 4 KiB.
    Pte,
}

impl Level {
    /// How far an address is shifted to give the index of this entry.
    fn shift(self) -> u32 {
        match self {
            Level::Pml4e => 39,
            Level::Pdpte => 30,
            Level::Pde => 21,
            Level::Pte => 12,
        }
    }

    /// The size of the pages that this entry maps when it maps any.
    fn page(self, entry: u64) -> Option<PageSize> {
        match self {
            Level::Pte => Some(PageSize::Size4K),
            Level::Pde if entry & LARGE != 0 => Some(PageSize::Size2M),
            Level::Pdpte if entry & LARGE != 0 => Some(PageSize::Size1G),
            _ => None,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Pml4e => "PML4E",
            Level::Pdpte => "PDPTE",
            Level::Pde => "PDE",
            Level::Pte => "PTE",
        })
    }
}

/// The size of the page that holds an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum PageSize {
    /// 4 KiB.
    Size4K,
    /// 2 MiB.
    Size2M,
    /// 1 GiB.
    Size1G,
}

impl PageSize {
    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        match self {
            PageSize::Size4K => 4 << 10,
            PageSize::Size2M => 2 << 20,
            PageSize::Size1G => 1 << 30,
        }
    }

    /// The bits of an address that are its offset in the page.
    fn offset_mask(self) -> u64 {
        self.bytes().wrapping_sub(1)
    }
}

/// Where a virtual address is in physical memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Translation {
    /// The physical address, the offset in the page included. Its page need not be in the dump.
    pub gpa: Gpa,
    /// The size of the page.
    pub page_size: PageSize,
    /// Whether an entry on the way was in transition: the page left its working set, but its content was
    /// still in memory (standby or modified list).
    pub transition: bool,
}

/// How an address space translates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paging {
    /// x64 with four levels.
    X64,
}

impl Paging {
    /// The size of a pointer in bytes.
    pub(crate) fn pointer_width(self) -> u32 {
        match self {
            Paging::X64 => 8,
        }
    }

    /// Walks the tables whose root is `root`.
    pub(crate) fn translate(self, dump: &Dump, root: Gpa, gva: Gva) -> Result<Translation, TranslateError> {
        match self {
            Paging::X64 => x64(dump, root, gva),
        }
    }
}

fn x64(dump: &Dump, root: Gpa, gva: Gva) -> Result<Translation, TranslateError> {
    if !is_canonical(gva) {
        return Err(ReadError::NonCanonical { gva });
    }
    let mut table = root.u64() & FRAME;
    let mut transition = false;
    for level in [Level::Pml4e, Level::Pdpte, Level::Pde] {
        let (entry, at) = entry(dump, table, level, gva)?;
        // A table can be in transition as well as a page. Bit 7 is then part of its protection and says
        // nothing about large pages.
        if entry & VALID == 0 {
            table = transition_frame(dump, entry).ok_or_else(|| not_present(gva, level, entry, at))?;
            transition = true;
        } else if let Some(page_size) = level.page(entry) {
            return Ok(Translation {
                gpa: page_address(entry & FRAME, page_size, gva),
                page_size,
                transition,
            });
        } else {
            table = entry & FRAME;
        }
    }
    let (entry, at) = entry(dump, table, Level::Pte, gva)?;
    let frame = if entry & VALID != 0 {
        entry & FRAME
    } else {
        transition = true;
        transition_frame(dump, entry).ok_or_else(|| not_present(gva, Level::Pte, entry, at))?
    };
    let page_size = PageSize::Size4K;
    Ok(Translation {
        gpa: page_address(frame, page_size, gva),
        page_size,
        transition,
    })
}

/// Bits 47 to 63 are all the same.
fn is_canonical(gva: Gva) -> bool {
    matches!(gva.u64() >> 47, 0 | 0x1_ffff)
}

/// The entry of `gva` in the table at `table`, and its physical address.
fn entry(dump: &Dump, table: u64, level: Level, gva: Gva) -> Result<(u64, Gpa), TranslateError> {
    let index = (gva.u64() >> level.shift()) & 0x1ff;
    // An index times 8 stays below the 12 bits that a table's address leaves clear.
    let at = Gpa::new(table | (index << 3));
    let mut bytes = [0; 8];
    dump.read_in_frame(at, &mut bytes)
        .map_err(|error| ReadError::from_frame(error, gva, FrameUse::Table(level)))?;
    Ok((u64::from_le_bytes(bytes), at))
}

/// The frame of an entry in transition: not valid, transition, not a prototype.
fn transition_frame(dump: &Dump, entry: u64) -> Option<u64> {
    if entry & (VALID | TRANSITION | PROTOTYPE) != TRANSITION {
        return None;
    }
    let frame = entry & FRAME;
    // Since the L1TF updates of 2018 Windows sets a high bit of entries that are not valid, unless
    // SwizzleBit says that it did not: nt!MiState.Hardware.InvalidPteMask, seen as bit 45 in memory images.
    // It is no part of the frame on a machine whose memory ends below it.
    if frame >= INVALID_MASK && entry & SWIZZLE == 0 && dump.frame_limit() <= INVALID_MASK >> 12 {
        return Some(frame & INVALID_MASK.wrapping_sub(1));
    }
    Some(frame)
}

/// The address in the page of `frame`. The low bits of a large page's frame are attributes (PAT is bit 12).
fn page_address(frame: u64, size: PageSize, gva: Gva) -> Gpa {
    Gpa::new((frame & !size.offset_mask()) | (gva.u64() & size.offset_mask()))
}

fn not_present(gva: Gva, level: Level, entry: u64, entry_at: Gpa) -> TranslateError {
    ReadError::NotPresent {
        gva,
        level,
        entry,
        entry_at,
        state: kind_of(entry),
    }
}

fn kind_of(entry: u64) -> NotPresentKind {
    if entry == 0 {
        NotPresentKind::Zero
    } else if entry & PROTOTYPE != 0 {
        NotPresentKind::Prototype
    } else if entry >> 32 == 0 {
        NotPresentKind::DemandZero
    } else {
        NotPresentKind::PageFile
    }
}
