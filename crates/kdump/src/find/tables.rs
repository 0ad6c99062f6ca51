//! Top page tables that refer to themselves.
//!
//! One slot of the kernel's half of a top table holds the table's own frame, through which Windows reaches the tables:
//! 0x1ed up to Windows 10 1511, any of the half since. Each process has a top table of its own, and all share the
//! kernel's half: any of them leads to the kernel.

use multiversion::multiversion;

use crate::find::sweep::{Page, sweep};
use crate::memory::page::PageRun;
use crate::memory::paging::Paging;
use crate::memory::physical::{PhysicalMemory, read_in_frame};
use crate::memory::space::AddressSpace;
use crate::value::address::{Gpa, Pfn};
use crate::value::le;
use crate::value::machine::Machine;

const FRAME: u64 = 0x000f_ffff_ffff_f000;
const ARM64_FRAME: u64 = 0x0003_ffff_ffff_f000;
const PAE_FRAME: u64 = 0x000f_ffff_f000;
/// Where boot code of most machines puts the tables of the first process: looked at before all else.
const LOW: u64 = 16 << 20 >> 12;
/// The slot that maps fffff80000000000, where kernels are.
const KERNEL_SLOT: u64 = 0x1f0;

/// How many pages are looked at, the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope(u64);

impl Scope {
    /// Every page.
    pub(crate) const ALL: Scope = Scope(u64::MAX);
    /// Where boot code of most machines puts the first tables.
    pub(crate) const LOWEST: Scope = Scope(LOW);
    /// Pages of a crash dump whose own page tables are of no use: 256 MiB, the lowest first, as who opens a dump does not
    /// wait for a search of all of it.
    pub(crate) const OF_DUMP: Scope = Scope(256 << 20 >> 12);
    /// None.
    pub(crate) const NOTHING: Scope = Scope(0);
}

/// Another way in which memory may be laid out: what is known at a physical address of at least `from` lies `up` higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shift {
    pub(crate) from: u64,
    pub(crate) up: u64,
}

/// A page that may be a top table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// What form of tables it would be of.
    pub(crate) paging: Paging,
    /// Its physical address.
    pub(crate) root: u64,
    /// By which of the shifts that were given; by none where it lies as `memory` has it.
    pub(crate) shift: Option<usize>,
}

/// Looks at pages for tables, the lowest first, and names each to `try_it` until that wants no more. How many pages were
/// looked at; `tell` hears it as they are.
///
/// A table tells its own address: one pass over the pages finds also those that lie where one of `shifts` says.
pub(crate) fn search(
    memory: &dyn PhysicalMemory,
    machine: Option<Machine>,
    Scope(most): Scope,
    shifts: &[Shift],
    tell: impl Fn(u64),
    try_it: impl FnMut(Candidate) -> bool,
) -> u64 {
    let runs = [false, true]
        .into_iter()
        .flat_map(|high| memory.runs().filter_map(move |run| part(run, high)));
    let look = |page: &Page, at: u64| candidates(memory, machine, shifts, page, at);
    sweep(memory, runs, most, look, tell, try_it)
}

/// What a page may be the top table of.
fn candidates(
    memory: &dyn PhysicalMemory,
    machine: Option<Machine>,
    shifts: &[Shift],
    page: &Page,
    at: u64,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    let shifted = shifts
        .iter()
        .enumerate()
        .filter(|(_, shift)| at >= shift.from)
        .map(|(number, shift)| (Some(number), at.saturating_add(shift.up)));
    for (shift, root) in std::iter::once((None, at)).chain(shifted) {
        let forms = forms(page, root, machine).iter();
        found.extend(forms.map(|&paging| Candidate { paging, root, shift }));
    }
    if machine.is_none_or(|machine| machine == Machine::I386) {
        found.extend(pae_roots(memory, page, at).into_iter().map(|root| Candidate {
            paging: Paging::Pae,
            root,
            shift: None,
        }));
    }
    found
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
fn forms(page: &Page, at: u64, machine: Option<Machine>) -> &'static [Paging] {
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
#[multiversion(targets("x86_64+avx512f+avx2", "x86_64+avx2"))]
fn may_refer_to_itself(page: &Page, at: u64) -> bool {
    // What the frames of all forms have in common, on x86 in the lower half of eight bytes, and that the entry is valid.
    const COMMON: u64 = 0xffff_f001;
    let wanted = (at & COMMON) | 1;
    let half = page.get(0x800..).unwrap_or_default();
    // Without a way out before the end it is done for many entries at once.
    half.chunks_exact(8)
        .map(|entry| entry.try_into().map_or(0, u64::from_le_bytes))
        .fold(false, |any, entry| any | (entry & COMMON == wanted))
}

/// Whether any 32 bytes of a page begin as the root of tables with PAE does.
#[multiversion(targets("x86_64+avx512f+avx2", "x86_64+avx2"))]
fn may_have_pae_root(page: &Page) -> bool {
    page.chunks_exact(32)
        .map(|root| le::u64(root, 0).unwrap_or_default())
        .fold(false, |any, entry| any | (entry & !PAE_FRAME == 1))
}

/// Roots of tables with PAE in a page: four entries that lead to directories and have no other bit than that they are
/// valid, at a multiple of 32. Slots 0 to 3 of the fourth directory map the four directories, which is how Windows
/// reaches them (at c0600000).
fn pae_roots(memory: &dyn PhysicalMemory, page: &Page, at: u64) -> Vec<u64> {
    let mut roots = Vec::new();
    if !may_have_pae_root(page) {
        return roots;
    }
    let entries = |bytes: &[u8]| [0, 8, 16, 24].map(|place| le::u64(bytes, place).unwrap_or_default());
    for (place, bytes) in (at..).step_by(32).zip(page.chunks_exact(32)) {
        let root = entries(bytes);
        if root
            .iter()
            .any(|entry| entry & !PAE_FRAME != 1 || entry >> 12 == 0)
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
fn refers_to_itself(page: &Page, at: u64, frame: u64, mask: u64, bits: u64) -> bool {
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
