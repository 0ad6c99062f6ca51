//! Page tables: x64 with four and five levels, x86 with and without PAE, ARM64 with pages of 4 KiB.

use kdmp_parser::pxe::PxeFlags;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::memory::error::{FrameUse, NotPresentKind, ReadError, TranslateError};
use crate::value::addr::Addr;
use crate::value::address::{Gpa, Gva};

pub use crate::memory::level::Level;
use crate::memory::physical::{PhysicalMemory, read_in_frame};

/// Bits 12 to 51 of an entry: the page frame.
const FRAME: u64 = 0x000f_ffff_ffff_f000;
/// Of ARM64: bits 12 to 49. Bit 0 of a descriptor is valid and bit 1 a table, or a page on the last level.
const ARM64_FRAME: u64 = 0x0003_ffff_ffff_f000;
const ARM64_TABLE: u64 = 1 << 1;
/// Of an entry that is not valid (`_MMPTE_TRANSITION`, `_MMPTE_PROTOTYPE`).
const SWIZZLE: u64 = 1 << 4;
const PROTOTYPE: u64 = 1 << 10;
/// The lowest bit that Windows sets in entries that are not valid, so that a processor that speculates
/// through one (L1TF) finds no memory there.
const INVALID_MASK: u64 = 1 << 45;

/// The size of the page that holds an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[non_exhaustive]
pub enum PageSize {
    /// 4 KiB.
    Size4K,
    /// 2 MiB.
    Size2M,
    /// 4 MiB: x86 without PAE.
    Size4M,
    /// 1 GiB.
    Size1G,
}

impl PageSize {
    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        match self {
            PageSize::Size4K => 4 << 10,
            PageSize::Size2M => 2 << 20,
            PageSize::Size4M => 4 << 20,
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

/// The tables of one level: which bits of an address index them, and what their entries may map.
pub(crate) struct Table {
    level: Level,
    /// How far an address is shifted to give the index.
    shift: u32,
    /// Bits of the index.
    bits: u32,
    /// The size of the page that an entry maps when it does not name a table.
    page: Option<PageSize>,
}

impl Table {
    const fn new(level: Level, shift: u32, page: Option<PageSize>) -> Table {
        Table {
            level,
            shift,
            bits: 9,
            page,
        }
    }

    /// How many entries each of them has.
    pub(crate) fn entries(&self) -> usize {
        1 << self.bits
    }

    /// How far an address is shifted to give the index.
    pub(crate) fn shift(&self) -> u32 {
        self.shift
    }
}

const PTES: Table = Table::new(Level::Pte, 12, Some(PageSize::Size4K));

/// Five levels; x64 with four and ARM64 leave the first out.
static WIDE: [Table; 5] = [
    Table::new(Level::Pml5e, 48, None),
    Table::new(Level::Pml4e, 39, None),
    Table::new(Level::Pdpte, 30, Some(PageSize::Size1G)),
    Table::new(Level::Pde, 21, Some(PageSize::Size2M)),
    PTES,
];

/// x86 with PAE: four entries of 8 bytes lead to the tables of x64.
static PAE: [Table; 3] = [
    Table {
        level: Level::Pdpte,
        shift: 30,
        bits: 2,
        page: None,
    },
    Table::new(Level::Pde, 21, Some(PageSize::Size2M)),
    PTES,
];

/// x86 without PAE: tables of 1,024 entries of 4 bytes.
static X86: [Table; 2] = [
    Table {
        level: Level::Pde,
        shift: 22,
        bits: 10,
        page: Some(PageSize::Size4M),
    },
    Table {
        level: Level::Pte,
        shift: 12,
        bits: 10,
        page: Some(PageSize::Size4K),
    },
];

/// How the page tables of an address space are formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Paging {
    /// x64 with four levels.
    X64,
    /// x64 with five levels (LA57).
    La57,
    /// x86 with entries of 4 bytes.
    X86,
    /// x86 with entries of 8 bytes (PAE).
    Pae,
    /// ARM64 with a granule of 4 KiB and four levels.
    Arm64,
}

impl Paging {
    /// The size of a pointer in bytes.
    pub(crate) fn pointer_width(self) -> u32 {
        match self {
            Paging::X64 | Paging::La57 | Paging::Arm64 => 8,
            Paging::X86 | Paging::Pae => 4,
        }
    }

    /// Bits of an address that the tables index.
    pub(crate) fn address_bits(self) -> u32 {
        match self {
            Paging::X64 | Paging::Arm64 => 48,
            Paging::La57 => 57,
            Paging::X86 | Paging::Pae => 32,
        }
    }

    /// Where the top table is by a DirectoryTableBase, whose other bits are the PCID of x64 or the ASID of
    /// ARM64. With PAE the top table has four entries and is aligned to as many bytes as they have.
    pub(crate) fn root(self, directory_table_base: u64) -> Gpa {
        Gpa::new(match self {
            Paging::Pae => directory_table_base & 0xffff_ffe0,
            Paging::X86 => directory_table_base & 0xffff_f000,
            Paging::X64 | Paging::La57 => directory_table_base & FRAME,
            // Windows for ARM64 uses one table of 512 entries for both halves of the address space, where the
            // processor would take two roots (TTBR0, TTBR1): the header's is enough.
            Paging::Arm64 => directory_table_base & ARM64_FRAME,
        })
    }

    /// Whether `gva` is in the half of the kernel where that follows from the address alone. On x86 it does not:
    /// the user's part ends at 2 or at 3 GiB.
    pub(crate) fn is_kernel_half(self, gva: Gva) -> bool {
        self.pointer_width() == 8 && gva.u64() >> 63 != 0
    }

    /// An address as those of the machine are written.
    pub(crate) fn addr(self, gva: Gva) -> Addr {
        Addr::new(gva, self.pointer_width())
    }

    /// Walks the tables whose root is `root`.
    pub(crate) fn translate(
        self,
        memory: &dyn PhysicalMemory,
        root: Gpa,
        gva: Gva,
    ) -> Result<Translation, TranslateError> {
        // kdmp-parser 0.8.2 leaves this out and reads 0000f80000000000 as if it were fffff80000000000: a
        // pointer that lost its upper half would lead to bytes.
        if !self.is_canonical(gva) {
            return Err(ReadError::NonCanonical { gva: self.addr(gva) });
        }
        let mut frame = root.u64();
        let mut page_size = PageSize::Size4K;
        let mut transition = false;
        for table in self.tables() {
            let (entry, at) = self.entry(memory, frame, table, gva)?;
            let refuse = |state| not_present(self.addr(gva), table.level, entry, at, state);
            // A table can be in transition as well as a page. Bit 7 is then part of its protection and says
            // nothing about large pages.
            // Windows says "not present" of pages whose bytes are still where they were: trimmed from a working set, waiting to
            // be written or reused. `!pte` prints "Transition" for such, and a full dump holds them.
            if !PxeFlags::new(entry).present() {
                frame = match (self.transition_frame(memory, entry), self.state_of(entry)) {
                    (Some(frame), _) => {
                        transition = true;
                        frame
                    }
                    (None, state @ NotPresentKind::PageFile) => {
                        let page = memory.paged_out(entry).ok_or_else(|| refuse(state))?;
                        page.u64() << 12
                    }
                    (None, state) => return Err(refuse(state)),
                };
                continue;
            }
            match self.leads_to(table, entry) {
                Leads::Table(next) => frame = next,
                Leads::Page(first, size) => {
                    frame = first;
                    page_size = size;
                    break;
                }
                Leads::Nowhere => return Err(refuse(NotPresentKind::Reserved)),
            }
        }
        Ok(Translation {
            gpa: page_address(frame, page_size, gva),
            page_size,
            transition,
        })
    }

    /// The tables of each level, from the root down.
    pub(crate) fn tables(self) -> &'static [Table] {
        match self {
            Paging::La57 => &WIDE,
            Paging::X64 | Paging::Arm64 => WIDE.get(1..).unwrap_or_default(),
            Paging::Pae => &PAE,
            Paging::X86 => &X86,
        }
    }

    /// Whether an address has so many bits as the tables index: the others are copies of the highest of those,
    /// and zero on x86.
    fn is_canonical(self, gva: Gva) -> bool {
        match self {
            Paging::X64 | Paging::Arm64 => matches!(gva.u64() >> 47, 0 | 0x1_ffff),
            Paging::La57 => matches!(gva.u64() >> 56, 0 | 0xff),
            Paging::X86 | Paging::Pae => gva.u64() >> 32 == 0,
        }
    }

    /// The entry of `gva` in the table at `base`, and its physical address.
    fn entry(
        self,
        memory: &dyn PhysicalMemory,
        base: u64,
        table: &Table,
        gva: Gva,
    ) -> Result<(u64, Gpa), TranslateError> {
        let index = (gva.u64() >> table.shift) & !(u64::MAX << table.bits);
        // The entries of a table fill the bits that its address leaves clear: 1,024 of 4 bytes, 512 or 4 of 8.
        let mut bytes = [0; 8];
        let (offset, bytes) = match self {
            Paging::X86 => (index << 2, bytes.get_mut(..4)),
            _ => (index << 3, bytes.get_mut(..)),
        };
        let bytes = bytes.unwrap_or_default();
        let at = Gpa::new(base | offset);
        read_in_frame(memory, at, bytes)
            .map_err(|error| ReadError::from_frame(error, self.addr(gva), FrameUse::Table(table.level)))?;
        let entry = bytes
            .iter()
            .rev()
            .fold(0, |value, &byte| (value << 8) | u64::from(byte));
        Ok((entry, at))
    }

    /// The bits of an entry that are a page frame.
    fn frame_mask(self) -> u64 {
        match self {
            Paging::X64 | Paging::La57 | Paging::Pae => FRAME,
            Paging::X86 => 0xffff_f000,
            Paging::Arm64 => ARM64_FRAME,
        }
    }

    /// What a valid entry of a table leads to.
    fn leads_to(self, table: &Table, entry: u64) -> Leads {
        let names_table = entry & ARM64_TABLE != 0;
        let is_page = match (self, table.level) {
            // On the last level ARM64 reserves the descriptors of blocks.
            (Paging::Arm64, Level::Pte) if !names_table => return Leads::Nowhere,
            (_, Level::Pte) => true,
            (Paging::Arm64, _) => !names_table,
            _ => PxeFlags::new(entry).large_page(),
        };
        match table.page {
            Some(size) if is_page => Leads::Page(self.page_frame(entry, size), size),
            // Bit 7 is reserved in the entries of the upper two levels: there are no pages of 512 GiB (Intel
            // SDM, volume 3, 4.5).
            None if is_page => Leads::Nowhere,
            _ => Leads::Table(entry & self.frame_mask()),
        }
    }

    /// What any entry of a table leads to in memory, one in transition included.
    pub(crate) fn leads(self, memory: &dyn PhysicalMemory, table: &Table, entry: u64) -> Leads {
        if PxeFlags::new(entry).present() {
            return match self.leads_to(table, entry) {
                // The low bits of a large page's frame are attributes.
                Leads::Page(frame, size) => Leads::Page(frame & !size.offset_mask(), size),
                other => other,
            };
        }
        match self.transition_frame(memory, entry) {
            Some(frame) if table.level == Level::Pte => Leads::Page(frame, PageSize::Size4K),
            Some(frame) => Leads::Table(frame),
            None => Leads::Nowhere,
        }
    }

    /// Bytes of an entry.
    pub(crate) fn entry_len(self) -> usize {
        match self {
            Paging::X86 => 4,
            _ => 8,
        }
    }

    /// An address with the bits that tables do not index as they have to be.
    pub(crate) fn canonical(self, gva: u64) -> Gva {
        let unused = 64_u32.saturating_sub(self.address_bits());
        Gva::new(match self.pointer_width() {
            4 => gva,
            _ if (gva << unused) >> 63 != 0 => gva | !(u64::MAX >> unused),
            _ => gva,
        })
    }

    /// Whether an address is of the system and none of a process. On x86 the system begins at 2 GiB, or above it.
    pub(crate) fn is_system_address(self, gva: Gva) -> bool {
        match self.pointer_width() {
            4 => gva.u64() >= 0x8000_0000,
            _ => self.is_kernel_half(gva),
        }
    }

    /// The frame of a valid entry that maps a page.
    fn page_frame(self, entry: u64, size: PageSize) -> u64 {
        let frame = entry & self.frame_mask();
        match size {
            // PSE-36: bits 13 to 20 of the entry are bits 32 to 39 of the address.
            PageSize::Size4M => frame | ((entry & 0x001f_e000) << 19),
            _ => frame,
        }
    }

    /// The frame of an entry in transition: not valid, transition, not a prototype.
    fn transition_frame(self, memory: &dyn PhysicalMemory, entry: u64) -> Option<u64> {
        let flags = PxeFlags::new(entry);
        if flags.present() || !flags.transition() || entry & PROTOTYPE != 0 {
            return None;
        }
        let frame = entry & self.frame_mask();
        // Since the L1TF updates of 2018 Windows sets a high bit of entries that are not valid, unless
        // SwizzleBit says that it did not: nt!MiState.Hardware.InvalidPteMask, seen as bit 45 in memory images.
        // It is no part of the frame on a machine whose memory ends below it.
        if matches!(self, Paging::X64 | Paging::La57 | Paging::Pae)
            && frame >= INVALID_MASK
            && entry & SWIZZLE == 0
            && memory.frame_limit() <= INVALID_MASK >> 12
        {
            // MemProcFS assumes the same bit where it has no symbols: 0x2000 in the upper half of the entry.
            return Some(frame & INVALID_MASK.wrapping_sub(1));
        }
        Some(frame)
    }

    /// What an entry says that is not valid and not in transition.
    fn state_of(self, entry: u64) -> NotPresentKind {
        // Which page file is not told. PageFileLow is in bits 1 to 4 up to 17134, and in bits 12 to 15 of every
        // kernel serviced after the L1TF updates of 2018, those of 7601, 9600 and 14393 as well: it moved
        // inside of builds (symbols of 305 kernels), so that a build number does not tell where it is.
        let page_file_high = match self {
            Paging::X86 => entry >> 12,
            _ => entry >> 32,
        };
        if entry == 0 {
            NotPresentKind::Zero
        } else if entry & PROTOTYPE != 0 {
            NotPresentKind::Prototype
        } else if page_file_high == 0 {
            NotPresentKind::DemandZero
        } else {
            NotPresentKind::PageFile
        }
    }
}

/// What an entry leads to.
pub(crate) enum Leads {
    /// A table in a frame, by its address.
    Table(u64),
    /// A page, by the address of its frame and its size.
    Page(u64, PageSize),
    /// It has a form that processors do not accept.
    Nowhere,
}

/// The address in the page of `frame`. The low bits of a large page's frame are attributes (PAT is bit 12).
fn page_address(frame: u64, size: PageSize, gva: Gva) -> Gpa {
    Gpa::new((frame & !size.offset_mask()) | (gva.u64() & size.offset_mask()))
}

fn not_present(gva: Addr, level: Level, entry: u64, entry_at: Gpa, state: NotPresentKind) -> TranslateError {
    ReadError::NotPresent {
        gva,
        level,
        entry,
        entry_at,
        state,
    }
}
