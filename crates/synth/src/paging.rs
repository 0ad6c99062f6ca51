//! Page tables of every machine for the virtual memory of a world.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{PAGE_SIZE, Pfn, Va};
use crate::bytes::{index, le, put, uint};
use crate::machine::Machine;
use crate::memory::{Alias, Backing, PageSize, VirtualMemory};
use crate::physical::PhysicalMemory;
use crate::random::Random;

const VALID: u64 = 1;
/// Valid, writable, accessed.
const TABLE: u64 = 0x23;
/// Valid, writable, accessed, dirty.
const LEAF: u64 = 0x63;
const LARGE: u64 = 0x80;
const NO_EXECUTE: u64 = 1 << 63;
const PROTOTYPE: u64 = 0x400;
const TRANSITION: u64 = 0x800;
/// MM_READWRITE in the protection field of an entry that is not valid.
const READ_WRITE: u64 = 4 << 5;
/// Descriptors of ARM64: valid, of a table or a page; valid, of a block. With them inner shareable and accessed.
const ARM64_TABLE: u64 = 3;
const ARM64_BLOCK: u64 = 1;
const ARM64_LEAF: u64 = 0x700;
/// UXN and PXN.
const ARM64_NO_EXECUTE: u64 = 3 << 53;

/// The slot of the top table that refers to itself (Windows before the slot was randomized).
pub const SELF_MAP_SLOT: u64 = 0x1ed;

/// One level of tables: where in an address its index is, and the size of pages that its entries map.
#[derive(Clone, Copy, Debug)]
struct Level {
    shift: u32,
    bits: u32,
    page: Option<PageSize>,
}

const fn level(shift: u32, page: Option<PageSize>) -> Level {
    Level { shift, bits: 9, page }
}

const WIDE: [Level; 5] = [
    level(48, None),
    level(39, None),
    level(30, Some(PageSize::Huge)),
    level(21, Some(PageSize::Large)),
    level(12, Some(PageSize::Small)),
];
const PAE: [Level; 3] = [
    Level {
        shift: 30,
        bits: 2,
        page: None,
    },
    level(21, Some(PageSize::Large)),
    level(12, Some(PageSize::Small)),
];
const X86: [Level; 2] = [
    Level {
        shift: 22,
        bits: 10,
        page: Some(PageSize::Large4M),
    },
    Level {
        shift: 12,
        bits: 10,
        page: Some(PageSize::Small),
    },
];

/// The levels of a machine's tables, from the top one down.
fn levels(machine: Machine) -> &'static [Level] {
    match machine {
        Machine::La57 => &WIDE,
        Machine::X64 | Machine::Arm64 => &WIDE[1..],
        Machine::Pae => &PAE,
        Machine::X86 => &X86,
    }
}

/// Bytes of an entry.
fn entry_size(machine: Machine) -> u64 {
    if machine == Machine::X86 { 4 } else { 8 }
}

/// The slots of the top table that map the kernel's half, and the one among them that refers to the table itself. With
/// PAE the tables of the second level are mapped one by one ([`Builder::map_directories`]).
fn kernel_half(machine: Machine) -> (std::ops::Range<u64>, Option<u64>) {
    match machine {
        Machine::X64 | Machine::La57 | Machine::Arm64 => (0x100..0x200, Some(SELF_MAP_SLOT)),
        Machine::Pae => (2..4, None),
        Machine::X86 => (0x200..0x400, Some(0x300)),
    }
}

/// The entry of a table.
fn table_entry(machine: Machine, table: Pfn, depth: usize) -> u64 {
    let bits = match machine {
        Machine::Arm64 => ARM64_TABLE | ARM64_LEAF,
        // All else is reserved in the four entries of a page-directory-pointer table.
        Machine::Pae if depth == 0 => VALID,
        _ => TABLE,
    };
    table.address() | bits
}

/// The entry of a page that is resident.
fn leaf_entry(machine: Machine, frame: Pfn, size: PageSize) -> u64 {
    let bits = match (machine, size) {
        (Machine::Arm64, PageSize::Small) => ARM64_TABLE | ARM64_LEAF | ARM64_NO_EXECUTE,
        (Machine::Arm64, _) => ARM64_BLOCK | ARM64_LEAF,
        (Machine::X86, PageSize::Small) => LEAF,
        (_, PageSize::Small) => LEAF | NO_EXECUTE,
        _ => LEAF | LARGE,
    };
    frame.address() | bits
}

/// Where the frames of pages left out begin: inside the machine's memory but away from the others, so that even the
/// runs of a complete dump can go around them.
const LEFT_OUT_ZONE: u64 = 0x2_0000;
const LARGE_ZONE: u64 = 0x1_0000;
const HUGE_ZONE: u64 = 0x4_0000;
/// Small frames are in none of these zones.
const ZONES_END: u64 = 0x10_0000;

/// Hands out frames: scattered, seldom adjacent, in an order that follows from the seed.
#[derive(Clone, Debug)]
pub struct Frames {
    random: Random,
    candidates: Vec<Pfn>,
    next: u64,
    stride: u64,
    next_left_out: u64,
    large: BTreeSet<u64>,
    huge: u64,
}

/// How many frames wait to be drawn: the distance over which the order is shuffled.
const WINDOW: usize = 192;

impl Frames {
    /// Frames from `first` on.
    #[must_use]
    pub fn new(seed: u64, first: Pfn) -> Self {
        Frames {
            random: Random::new(seed),
            candidates: Vec::new(),
            next: first.0,
            stride: 1,
            next_left_out: LEFT_OUT_ZONE,
            large: BTreeSet::new(),
            huge: 0,
        }
    }

    /// Hands out frames `stride` apart on average, to fill a large machine.
    #[must_use]
    pub fn spread(self, stride: u64) -> Self {
        Frames {
            stride: stride.max(1),
            ..self
        }
    }

    /// A frame that nobody has.
    pub fn take(&mut self) -> Pfn {
        while self.candidates.len() < WINDOW {
            // Every sixth frame or so belongs to nobody.
            self.next += 1 + u64::from(self.random.below(6) == 0);
            if self.stride > 1 {
                self.next += self.random.below(2 * self.stride);
            }
            if (LARGE_ZONE..ZONES_END).contains(&self.next) {
                self.next = ZONES_END;
            }
            self.candidates.push(Pfn(self.next));
        }
        let drawn = self.random.below(crate::bytes::count(self.candidates.len()));
        self.candidates.swap_remove(index(drawn))
    }

    /// A frame for a page whose frame no dump will hold.
    pub fn take_left_out(&mut self) -> Pfn {
        self.next_left_out += 2;
        Pfn(self.next_left_out)
    }

    /// The first of the consecutive, aligned frames of one page of `size`.
    pub fn take_sized(&mut self, size: PageSize) -> Pfn {
        match size {
            PageSize::Small => self.take(),
            PageSize::Large => self.take_large(),
            PageSize::Large4M => self.take_large_pair(),
            PageSize::Huge => {
                self.huge += 1;
                Pfn(HUGE_ZONE * self.huge)
            }
        }
    }

    fn take_large_pair(&mut self) -> Pfn {
        loop {
            let slot = self.random.below((LEFT_OUT_ZONE - LARGE_ZONE) / 0x400) * 2;
            if !self.large.contains(&slot) && !self.large.contains(&(slot + 1)) {
                self.large.extend([slot, slot + 1]);
                return Pfn(LARGE_ZONE + slot * 0x200);
            }
        }
    }

    fn take_large(&mut self) -> Pfn {
        loop {
            let slot = self.random.below((LEFT_OUT_ZONE - LARGE_ZONE) / 0x200);
            if self.large.insert(slot) {
                return Pfn(LARGE_ZONE + slot * 0x200);
            }
        }
    }
}

/// One process's virtual memory: its own half, by the frame of its top table.
#[derive(Clone, Copy, Debug)]
pub struct UserSpace<'a> {
    /// The frame of the top table (`KPROCESS.DirectoryTableBase`).
    pub top: Pfn,
    /// Pages of the user half.
    pub memory: &'a VirtualMemory,
}

/// What building the tables tells.
#[derive(Clone, Debug, Default)]
pub struct Mapped {
    /// The physical memory: tables and pages.
    pub memory: PhysicalMemory,
    /// The frame of every page whose frame exists.
    pub frames: BTreeMap<Va, Pfn>,
    /// Frames of user pages, which kernel dumps leave out.
    pub user_frames: BTreeSet<Pfn>,
}

/// Builds the tables of the kernel half, shared by every process, and of each process's user half.
///
/// `kernel_top` is the frame of the kernel's own top table; it takes part as a process without user pages.
///
/// # Panics
/// Where a page of a large region is to be anything but resident: one entry maps them all.
#[must_use]
pub fn build(
    machine: Machine,
    kernel_top: Pfn,
    kernel: &VirtualMemory,
    users: &[UserSpace<'_>],
    frames: &mut Frames,
) -> Mapped {
    let mut builder = Builder {
        machine,
        mapped: Mapped::default(),
        frames,
        large: BTreeMap::new(),
    };
    builder.make_top(kernel_top);
    builder.map(kernel_top, kernel, false);
    for user in users {
        builder.make_top(user.top);
        builder.share_kernel_half(kernel_top, user.top);
        builder.large.clear();
        builder.map(user.top, user.memory, true);
    }
    if machine == Machine::Pae {
        builder.map_directories(kernel_top);
    }
    builder.mapped
}

struct Builder<'a> {
    machine: Machine,
    mapped: Mapped,
    frames: &'a mut Frames,
    large: BTreeMap<Va, Pfn>,
}

impl Builder<'_> {
    fn make_top(&mut self, top: Pfn) {
        self.mapped.memory.frame_mut(top);
        if let (_, Some(slot)) = kernel_half(self.machine) {
            let entry = leaf_entry(self.machine, top, PageSize::Small) & !NO_EXECUTE & !ARM64_NO_EXECUTE;
            self.set(top, slot, entry);
        }
    }

    /// With PAE the first four entries of the fourth directory map the four directories, at c0600000.
    fn map_directories(&mut self, top: Pfn) {
        let last = self.descend(top, Va(0xc000_0000), 1);
        for slot in 0..4 {
            let directory = self.descend(top, Va(slot << 30), 1);
            self.set(last, slot, directory.address() | LEAF);
        }
    }

    fn share_kernel_half(&mut self, from: Pfn, to: Pfn) {
        let (slots, own) = kernel_half(self.machine);
        for slot in slots.filter(|&slot| Some(slot) != own) {
            let entry = self.get(from, slot);
            if entry != 0 {
                self.set(to, slot, entry);
            }
        }
    }

    fn map(&mut self, top: Pfn, memory: &VirtualMemory, user: bool) {
        for (address, page) in memory.pages() {
            let frame = match memory.page_size(address) {
                PageSize::Small => self.map_small(top, address, memory.backing(address)),
                size => {
                    assert_eq!(
                        memory.backing(address),
                        Backing::Resident,
                        "{address} is in a large page"
                    );
                    Some(self.map_large(top, address, size))
                }
            };
            let Some(frame) = frame else { continue };
            self.mapped.frames.insert(address, frame);
            *self.mapped.memory.frame_mut(frame) = *page;
            if user {
                self.mapped.user_frames.insert(frame);
            }
            if memory.backing(address) == Backing::LeftOut {
                self.mapped.memory.remove(frame);
            }
        }
        for alias in memory.aliases() {
            self.show_again(top, *alias);
        }
    }

    /// Shows a page at more addresses. Whole page tables of nothing else are one table, however many they are, so that
    /// they take next to no room.
    fn show_again(&mut self, top: Pfn, alias: Alias) {
        let last = levels(self.machine).len() - 1;
        let span = 1 << levels(self.machine)[last].bits;
        let frame = self.mapped.frames[&alias.of];
        let entry = leaf_entry(self.machine, frame, PageSize::Small);
        let mut whole = None;
        let mut page = 0;
        while page < alias.pages {
            let at = alias.at + page * PAGE_SIZE;
            let is_whole = self.slot(at, last) == 0 && alias.pages - page >= span;
            if let (true, Some(table)) = (is_whole, whole) {
                let above = self.descend(top, at, last - 1);
                let entry = table_entry(self.machine, table, last - 1);
                self.set(above, self.slot(at, last - 1), entry);
                page += span;
                continue;
            }
            let table = self.descend(top, at, last);
            if is_whole {
                (0..span).for_each(|slot| self.set(table, slot, entry));
                whole = Some(table);
                page += span;
            } else {
                self.set(table, self.slot(at, last), entry);
                page += 1;
            }
        }
    }

    fn map_small(&mut self, top: Pfn, address: Va, backing: Backing) -> Option<Pfn> {
        let (entry, frame) = self.small_entry(address, backing);
        let last = levels(self.machine).len() - 1;
        let table = self.descend(top, address, last);
        self.set(table, self.slot(address, last), entry);
        frame
    }

    fn small_entry(&mut self, address: Va, backing: Backing) -> (u64, Option<Pfn>) {
        let machine = self.machine;
        let page = address.0 / PAGE_SIZE;
        let narrow = machine == Machine::X86;
        match backing {
            Backing::Resident => self.framed(|frame| leaf_entry(machine, frame, PageSize::Small)),
            Backing::Transition => self.framed(|frame| frame.address() | TRANSITION | READ_WRITE),
            Backing::LeftOut => {
                let frame = self.frames.take_left_out();
                (leaf_entry(machine, frame, PageSize::Small), Some(frame))
            }
            Backing::PageFile => {
                let place = 0x0001_2000 + page % 0x1000;
                let high = place << if narrow { 12 } else { 32 };
                (high | READ_WRITE | 2 << 1, None)
            }
            Backing::DemandZero => (READ_WRITE, None),
            Backing::Prototype => {
                let to = if narrow {
                    page << 12 & 0xffff_f000
                } else {
                    page << 16
                };
                (to | TRANSITION | PROTOTYPE, None)
            }
        }
    }

    fn framed(&mut self, entry: impl Fn(Pfn) -> u64) -> (u64, Option<Pfn>) {
        let frame = self.frames.take();
        (entry(frame), Some(frame))
    }

    fn map_large(&mut self, top: Pfn, address: Va, size: PageSize) -> Pfn {
        let base = Va(address.0 & !(size.bytes() - 1));
        let first = self
            .large
            .get(&base)
            .copied()
            .unwrap_or_else(|| self.map_new_large(top, base, size));
        first + (address.0 - base.0) / PAGE_SIZE
    }

    fn map_new_large(&mut self, top: Pfn, base: Va, size: PageSize) -> Pfn {
        let level = levels(self.machine)
            .iter()
            .position(|level| level.page == Some(size))
            .unwrap_or_else(|| panic!("{:?} has no pages of {:#x} bytes", self.machine, size.bytes()));
        let first = self.frames.take_sized(size);
        let table = self.descend(top, base, level);
        self.set(
            table,
            self.slot(base, level),
            leaf_entry(self.machine, first, size),
        );
        self.large.insert(base, first);
        first
    }

    /// The table of `level` (0 is the top) that maps `address`, made where it is missing.
    fn descend(&mut self, top: Pfn, address: Va, level: usize) -> Pfn {
        let mut table = top;
        for depth in 0..level {
            table = self.next_table(table, self.slot(address, depth), depth);
        }
        table
    }

    fn next_table(&mut self, table: Pfn, slot: u64, depth: usize) -> Pfn {
        match self.get(table, slot) {
            entry if entry & VALID != 0 => Pfn((entry & 0x000f_ffff_ffff_f000) / PAGE_SIZE),
            _ => {
                let next = self.frames.take();
                self.mapped.memory.frame_mut(next);
                self.set(table, slot, table_entry(self.machine, next, depth));
                next
            }
        }
    }

    fn get(&self, table: Pfn, slot: u64) -> u64 {
        let size = entry_size(self.machine);
        let page = self.mapped.memory.frame(table);
        page.map_or(0, |page| {
            uint(&page[index(slot * size)..index((slot + 1) * size)])
        })
    }

    fn set(&mut self, table: Pfn, slot: u64, entry: u64) {
        let size = entry_size(self.machine);
        let page = self.mapped.memory.frame_mut(table);
        put(page, index(slot * size), &le(entry, size));
    }

    /// The slot of `address` in a table of `level`, 0 being the top.
    fn slot(&self, address: Va, level: usize) -> u64 {
        let Level { shift, bits, .. } = levels(self.machine)[level];
        address.0 >> shift & !(u64::MAX << bits)
    }
}
