//! Top page tables that refer to themselves.
//!
//! One slot of the kernel's half of a top table holds the table's own frame, through which Windows reaches the tables:
//! 0x1ed up to Windows 10 1511, any of the half since. Each process has a top table of its own, and all share the
//! kernel's half: any of them leads to the kernel.

use crate::memory::page::{PAGE, PageRun};
use crate::memory::paging::Paging;
use crate::memory::physical::{PhysicalMemory, read_in_frame};
use crate::memory::space::AddressSpace;
use crate::value::address::{Gpa, Pfn};
use crate::value::le;
use crate::value::machine::Machine;

const FRAME: u64 = 0x000f_ffff_ffff_f000;
const ARM64_FRAME: u64 = 0x0003_ffff_ffff_f000;
/// Where boot code of most machines puts the tables of the first process: looked at before all else.
const LOW: u64 = 16 << 20 >> 12;
/// The slot that maps fffff80000000000, where kernels are.
const KERNEL_SLOT: u64 = 0x1f0;

/// Looks at every page for a table, the lowest first, and names each to `try_it` until that wants no more. How many
/// pages were looked at.
pub(crate) fn search(
    memory: &dyn PhysicalMemory,
    machine: Option<Machine>,
    mut try_it: impl FnMut(Paging, u64) -> bool,
) -> u64 {
    let mut looked = 0_u64;
    let mut page = Box::new([0; 0x1000]);
    for high in [false, true] {
        for run in memory.runs() {
            let Some(run) = part(run, high) else { continue };
            for by in 0..run.count {
                let at = run.base.u64().saturating_add(by).saturating_mul(PAGE);
                let Ok(()) = read_in_frame(memory, Gpa::new(at), page.as_mut_slice()) else {
                    continue;
                };
                looked = looked.saturating_add(1);
                for &paging in forms(&page, at, machine) {
                    if !try_it(paging, at) {
                        return looked;
                    }
                }
            }
        }
    }
    looked
}

/// What of a run is below or above the first pages.
fn part(run: PageRun, high: bool) -> Option<PageRun> {
    let end = run.base.u64().saturating_add(run.count);
    let (from, to) = match high {
        false => (run.base.u64(), end.min(LOW)),
        true => (run.base.u64().max(LOW), end),
    };
    let count = to.checked_sub(from).filter(|&count| count != 0)?;
    Some(PageRun {
        base: Pfn::new(from),
        count,
    })
}

/// What tables a page could be the top one of.
fn forms(page: &[u8; 0x1000], at: u64, machine: Option<Machine>) -> &'static [Paging] {
    let is = |wanted: Machine| machine.is_none_or(|machine| machine == wanted);
    if is(Machine::Amd64) && refers_to_itself(page, at, FRAME, 0x83, 3) {
        return &[Paging::X64, Paging::La57];
    }
    if is(Machine::Arm64) && refers_to_itself(page, at, ARM64_FRAME, 3, 3) {
        return &[Paging::Arm64];
    }
    if is(Machine::I386) {
        // Without PAE the slot is 0x300 of entries of four bytes.
        if le::u32(page, 0xc00).is_some_and(|entry| u64::from(entry) & 0xffff_f083 == at | 3) {
            return &[Paging::X86];
        }
        // With PAE slots 0 to 3 of the fourth directory refer to the four directories, the last of which is itself;
        // the root, a table of four entries, is elsewhere.
    }
    &[]
}

/// Whether exactly one slot of the kernel's half refers to the page itself, and others are in use as well.
fn refers_to_itself(page: &[u8; 0x1000], at: u64, frame: u64, mask: u64, bits: u64) -> bool {
    let half = page.get(0x800..).unwrap_or_default();
    let mut own = 0_usize;
    let mut used = 0_usize;
    for entry in half.chunks_exact(8) {
        let entry = le::u64(entry, 0).unwrap_or_default();
        if entry & 1 == 0 {
            continue;
        }
        used = used.saturating_add(1);
        own = own.saturating_add(usize::from(entry & frame == at && entry & mask == bits));
    }
    own == 1 && used > 1
}

/// What of the tables leads to the kernel: the entry of its slot, with where that entry's table is, which all processes
/// have in common.
pub(crate) fn kernel_part(
    memory: &dyn PhysicalMemory,
    space: &AddressSpace<'_>,
    paging: Paging,
) -> Option<(u64, u64)> {
    let slot = |table: u64, slot: u64| {
        let mut entry = [0; 8];
        let at = Gpa::new(table.saturating_add(slot.saturating_mul(8)));
        read_in_frame(memory, at, &mut entry).ok()?;
        Some(u64::from_le_bytes(entry))
    };
    let root = space.root().u64();
    match paging {
        Paging::X64 | Paging::Arm64 => Some((4, slot(root, KERNEL_SLOT)?)),
        Paging::La57 => Some((5, slot(slot(root, 0x1ff)? & FRAME, KERNEL_SLOT)?)),
        // The two forms of x86 have their kernel in many slots; their tables are few.
        Paging::X86 | Paging::Pae => None,
    }
}
