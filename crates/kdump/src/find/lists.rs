//! The heads of the kernel's lists, which the header of a crash dump names, found among the kernel's variables by what
//! their first entries are.
//!
//! - PsLoadedModuleList: its first entry is the kernel's own, with DllBase behind six pointers (`_KLDR_DATA_TABLE_ENTRY`, at
//!   +30; on x86 +18).
//! - PsActiveProcessHead: its first entry is System's ActiveProcessLinks, and before them is UniqueProcessId, which is 4. They
//!   are neighbours in all 79 layouts of `_EPROCESS` that are known, of x86, x64 and ARM64.
//! - The debugger data block: the tag `KDBG` at +10, then KernBase at +18. Windows 8 and later keep it encoded while they
//!   run.

use crate::image::KernelImage;
use crate::memory::cursor::Cursor;
use crate::memory::page::PAGE;
use crate::memory::space::AddressSpace;
use crate::value::address::Gva;
use crate::value::le;

/// How many bytes of an image are looked through. The largest kernels have some 17 MiB, of which a tenth are variables.
const MOST: u64 = 64 << 20;
const TAG: &[u8] = b"KDBG";

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    pub(crate) modules: Option<Gva>,
    pub(crate) processes: Option<Gva>,
    pub(crate) debugger_data: Option<Gva>,
}

impl Lists {
    fn complete(&self) -> bool {
        self.modules.is_some() && self.processes.is_some() && self.debugger_data.is_some()
    }
}

/// Looks through the kernel's pages.
pub(crate) fn search(space: &AddressSpace<'_>, kernel: &KernelImage) -> Lists {
    let look = Look {
        cursor: space.cursor(),
        width: u64::from(space.pointer_width()),
        base: kernel.base.u64(),
        size: kernel.size_of_image.into(),
    };
    let mut lists = Lists::default();
    let mut page = [0; 0x1000];
    let pages = u64::from(kernel.size_of_image).min(MOST) / PAGE;
    for number in 1..=pages {
        let at = look.base.wrapping_add(number.saturating_mul(PAGE));
        if look.cursor.read(Gva::new(at), &mut page).is_err() {
            continue;
        }
        look.page(at, &page, &mut lists);
        if lists.complete() {
            break;
        }
    }
    lists
}

/// How many entries of the lists of modules and processes lead back to the entry before them, up to the first that does
/// not: where memory is not where it is looked for, a list ends early.
pub(crate) fn agreeing(space: &AddressSpace<'_>, lists: &Lists) -> u64 {
    /// More than any system has of either.
    const MOST_ENTRIES: u64 = 1 << 16;
    let cursor = space.cursor();
    let width = u64::from(space.pointer_width());
    let mut agreeing = 0_u64;
    for head in [lists.modules, lists.processes].into_iter().flatten() {
        let (mut before, mut entries) = (head, 0_u64);
        while let Ok(entry) = cursor.pointer(before) {
            let back = entry.u64().checked_add(width).map(Gva::new);
            let leads_back = back.is_some_and(|back| cursor.pointer(back) == Ok(before));
            if entry == head || !leads_back || entries == MOST_ENTRIES {
                break;
            }
            entries = entries.saturating_add(1);
            before = entry;
        }
        agreeing = agreeing.saturating_add(entries);
    }
    agreeing
}

struct Look<'d> {
    cursor: Cursor<'d>,
    width: u64,
    base: u64,
    size: u64,
}

impl Look<'_> {
    fn page(&self, at: u64, page: &[u8; 0x1000], lists: &mut Lists) {
        let step = usize::try_from(self.width).unwrap_or(8);
        for (place, word) in (0_u64..).step_by(step).zip(page.chunks_exact(step)) {
            let address = at.wrapping_add(place);
            if word.starts_with(TAG) {
                let block = address.wrapping_sub(0x10);
                // KernBase has eight bytes in the blocks of 32-bit kernels too, sign-extended.
                let behind = usize::try_from(place).unwrap_or_default().saturating_add(8);
                let base = le::u64(page, behind);
                if base.is_some_and(|base| self.narrow(base) == self.base) {
                    lists.debugger_data = Some(Gva::new(block));
                }
                continue;
            }
            let first = word
                .iter()
                .rev()
                .fold(0_u64, |value, &byte| (value << 8) | u64::from(byte));
            if !self.may_be_entry(first) || self.pointer(first, self.width) != Some(address) {
                continue;
            }
            // That its first entry leads back makes it a list; what the entry is, which one.
            if lists.modules.is_none() && self.pointer(first, self.width.saturating_mul(6)) == Some(self.base)
            {
                lists.modules = Some(Gva::new(address));
            }
            if lists.processes.is_none() && self.pointer(first, self.width.wrapping_neg()) == Some(4) {
                lists.processes = Some(Gva::new(address));
            }
        }
    }

    /// An aligned address of the kernel's half, outside of the image.
    fn may_be_entry(&self, address: u64) -> bool {
        let kernel = match self.width {
            4 => address >= 0x8000_0000,
            _ => address >= 0xff00_0000_0000_0000,
        };
        kernel && address.is_multiple_of(self.width) && address.wrapping_sub(self.base) >= self.size
    }

    fn pointer(&self, address: u64, by: u64) -> Option<u64> {
        let at = self.narrow(address.wrapping_add(by));
        self.cursor.pointer(Gva::new(at)).ok().map(Gva::u64)
    }

    fn narrow(&self, address: u64) -> u64 {
        match self.width {
            4 => address & 0xffff_ffff,
            _ => address,
        }
    }
}
