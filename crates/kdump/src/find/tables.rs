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
/// How many pages in a row may be missing before the rest of their run is given up.
const MOST_MISSING: u64 = 16 << 20 >> 12;
/// And of all runs together, before the search ends.
const MOST_MISSING_OF_ALL: u64 = 1 << 24;
/// The slot that maps fffff80000000000, where kernels are.
const KERNEL_SLOT: u64 = 0x1f0;

/// Which pages are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The first frame.
    pub(crate) from: u64,
    /// How many pages at most.
    pub(crate) most: u64,
}

impl Scope {
    /// Every page.
    pub(crate) const ALL: Scope = Scope {
        from: 0,
        most: u64::MAX,
    };
    /// Where boot code of most machines puts the first tables.
    pub(crate) const LOWEST: Scope = Scope { from: 0, most: LOW };
    /// Pages of a crash dump whose own page tables are of no use: 256 MiB, the lowest first, as who opens a dump does not
    /// wait for a search of all of it.
    pub(crate) const OF_DUMP: Scope = Scope {
        from: 0,
        most: 256 << 20 >> 12,
    };
    /// Where memory goes on that the hole below 4 GiB left no room for.
    pub(crate) const ABOVE_4_GIB: Scope = Scope {
        from: 1 << 20,
        most: u64::MAX,
    };
    /// None.
    pub(crate) const NOTHING: Scope = Scope { from: 0, most: 0 };
}

/// Looks at pages for a table, the lowest first, and names each to `try_it` until that wants no more. How many pages were
/// looked at.
pub(crate) fn search(
    memory: &dyn PhysicalMemory,
    machine: Option<Machine>,
    scope: Scope,
    mut try_it: impl FnMut(Paging, u64) -> bool,
) -> u64 {
    let mut looked = 0_u64;
    let mut all_missing = 0_u64;
    let mut page = Box::new([0; 0x1000]);
    for high in [false, true] {
        for run in memory.runs() {
            let Some(run) = part(run, high, scope.from) else {
                continue;
            };
            let mut missing = 0_u64;
            for by in 0..run.count {
                if looked >= scope.most {
                    return looked;
                }
                let at = run.base.u64().saturating_add(by).saturating_mul(PAGE);
                let Ok(()) = read_in_frame(memory, Gpa::new(at), page.as_mut_slice()) else {
                    // A header can claim a run of any length, which the file ends before.
                    missing = missing.saturating_add(1);
                    all_missing = all_missing.saturating_add(1);
                    match (missing > MOST_MISSING, all_missing > MOST_MISSING_OF_ALL) {
                        (_, true) => return looked,
                        (true, _) => break,
                        _ => continue,
                    }
                };
                missing = 0;
                looked = looked.saturating_add(1);
                for &paging in forms(&page, at, machine) {
                    if !try_it(paging, at) {
                        return looked;
                    }
                }
                if machine.is_none_or(|machine| machine == Machine::I386) {
                    for root in pae_roots(memory, &page, at) {
                        if !try_it(Paging::Pae, root) {
                            return looked;
                        }
                    }
                }
            }
        }
    }
    looked
}

/// What of a run is below or above the first pages.
fn part(run: PageRun, high: bool, from: u64) -> Option<PageRun> {
    let end = run.base.u64().saturating_add(run.count);
    let start = run.base.u64().max(from);
    let (from, to) = match high {
        false => (start, end.min(LOW)),
        true => (start.max(LOW), end),
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
    if !may_refer_to_itself(page, at) {
        return &[];
    }
    // A table of one machine can look like one of the other: valid is bit 0 of both, and what is bit 1 of a descriptor
    // says that an entry may be written to.
    let x64 = is(Machine::Amd64) && refers_to_itself(page, at, FRAME, 0x83, 3);
    let arm64 = is(Machine::Arm64) && refers_to_itself(page, at, ARM64_FRAME, 3, 3);
    match (x64, arm64) {
        (true, true) => return &[Paging::X64, Paging::La57, Paging::Arm64],
        (true, false) => return &[Paging::X64, Paging::La57],
        (false, true) => return &[Paging::Arm64],
        (false, false) => {}
    }
    if is(Machine::I386) {
        // Without PAE the slot is 0x300 of entries of four bytes.
        if le::u32(page, 0xc00).is_some_and(|entry| u64::from(entry) & 0xffff_f083 == at | 3) {
            return &[Paging::X86];
        }
    }
    &[]
}

/// Whether any entry of a page has its own frame: one comparison for each, since next to no page has one.
fn may_refer_to_itself(page: &[u8; 0x1000], at: u64) -> bool {
    // What the frames of all forms have in common, on x86 in the lower half of eight bytes.
    const COMMON: u64 = 0xffff_f000;
    let half = page.get(0x800..).unwrap_or_default();
    half.chunks_exact(8)
        .any(|entry| le::u64(entry, 0).is_some_and(|entry| (entry ^ at) & COMMON == 0 && entry & 1 == 1))
}

/// Roots of tables with PAE in a page: four entries that lead to directories and have no other bit than that they are
/// valid, at a multiple of 32. Slots 0 to 3 of the fourth directory map the four directories, which is how Windows
/// reaches them (at c0600000).
fn pae_roots(memory: &dyn PhysicalMemory, page: &[u8; 0x1000], at: u64) -> Vec<u64> {
    let entries = |bytes: &[u8]| [0, 8, 16, 24].map(|place| le::u64(bytes, place).unwrap_or_default());
    let mut roots = Vec::new();
    for (place, bytes) in (at..).step_by(32).zip(page.chunks_exact(32)) {
        let root = entries(bytes);
        if root
            .iter()
            .any(|entry| entry & !0xf_ffff_f000 != 1 || entry >> 12 == 0)
        {
            continue;
        }
        let mut slots = [0; 32];
        let last = Gpa::new(root[3] & FRAME);
        if read_in_frame(memory, last, &mut slots).is_err() {
            continue;
        }
        let mapped = entries(&slots);
        let refers = |(slot, entry): (&u64, &u64)| slot & 1 == 1 && slot & FRAME == entry & FRAME;
        if mapped.iter().zip(&root).all(refers) {
            roots.push(place);
        }
    }
    roots
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

/// What of the tables leads to the kernel, which all processes have in common: the entry of its slot, with a number for
/// the form of the tables.
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
        Paging::X64 => Some((4, slot(root, KERNEL_SLOT)?)),
        Paging::Arm64 => Some((0xaa64, slot(root, KERNEL_SLOT)?)),
        Paging::La57 => Some((5, slot(slot(root, 0x1ff)? & FRAME, KERNEL_SLOT)?)),
        // The two forms of x86 have their kernel in many slots; their tables are few.
        Paging::X86 | Paging::Pae => None,
    }
}
