//! x64 page tables of four levels for the virtual memory of a world.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{PAGE_SIZE, Pfn, Va};
use crate::bytes::{index, put_u64};
use crate::memory::{Backing, PageSize, VirtualMemory};
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

/// The slot of the top table that refers to itself (Windows before the slot was randomized).
pub const SELF_MAP_SLOT: u64 = 0x1ed;
/// The first slot of the kernel's half.
const KERNEL_HALF: u64 = 0x100;

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
            PageSize::Huge => {
                self.huge += 1;
                Pfn(HUGE_ZONE * self.huge)
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
    kernel_top: Pfn,
    kernel: &VirtualMemory,
    users: &[UserSpace<'_>],
    frames: &mut Frames,
) -> Mapped {
    let mut builder = Builder {
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
    builder.mapped
}

struct Builder<'a> {
    mapped: Mapped,
    frames: &'a mut Frames,
    large: BTreeMap<Va, Pfn>,
}

impl Builder<'_> {
    fn make_top(&mut self, top: Pfn) {
        self.set(top, SELF_MAP_SLOT, top.address() | LEAF);
    }

    fn share_kernel_half(&mut self, from: Pfn, to: Pfn) {
        for slot in (KERNEL_HALF..0x200).filter(|&slot| slot != SELF_MAP_SLOT) {
            if let Some(entry) = self
                .mapped
                .memory
                .entry(from.address() + slot * 8)
                .filter(|&entry| entry != 0)
            {
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
    }

    fn map_small(&mut self, top: Pfn, address: Va, backing: Backing) -> Option<Pfn> {
        let (entry, frame) = self.small_entry(address, backing);
        let table = self.descend(top, address, 3);
        self.set(table, slot(address, 3), entry);
        frame
    }

    fn small_entry(&mut self, address: Va, backing: Backing) -> (u64, Option<Pfn>) {
        match backing {
            Backing::Resident => self.framed(|frame| frame | LEAF | NO_EXECUTE),
            Backing::Transition => self.framed(|frame| frame | TRANSITION | READ_WRITE),
            Backing::LeftOut => {
                let frame = self.frames.take_left_out();
                (frame.address() | LEAF | NO_EXECUTE, Some(frame))
            }
            Backing::PageFile => (
                (0x0001_2000 + address.0 / PAGE_SIZE % 0x1000) << 32 | READ_WRITE | 2 << 1,
                None,
            ),
            Backing::DemandZero => (READ_WRITE, None),
            Backing::Prototype => ((address.0 >> 12 << 16) | TRANSITION | PROTOTYPE, None),
        }
    }

    fn framed(&mut self, entry: impl Fn(u64) -> u64) -> (u64, Option<Pfn>) {
        let frame = self.frames.take();
        (entry(frame.address()), Some(frame))
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
        let level = if size == PageSize::Huge { 1 } else { 2 };
        let first = self.frames.take_sized(size);
        let table = self.descend(top, base, level);
        self.set(table, slot(base, level), first.address() | LEAF | LARGE);
        self.large.insert(base, first);
        first
    }

    /// The table of `level` (0 is the top) that maps `address`, made where it is missing.
    fn descend(&mut self, top: Pfn, address: Va, level: u32) -> Pfn {
        (0..level).fold(top, |table, level| self.next_table(table, slot(address, level)))
    }

    fn next_table(&mut self, table: Pfn, slot: u64) -> Pfn {
        match self.mapped.memory.entry(table.address() + slot * 8) {
            Some(entry) if entry & VALID != 0 => Pfn((entry & 0x000f_ffff_ffff_f000) / PAGE_SIZE),
            _ => {
                let next = self.frames.take();
                self.mapped.memory.frame_mut(next);
                self.set(table, slot, next.address() | TABLE);
                next
            }
        }
    }

    fn set(&mut self, table: Pfn, slot: u64, entry: u64) {
        put_u64(self.mapped.memory.frame_mut(table), index(slot * 8), entry);
    }
}

/// The slot of `address` in a table of `level`, 0 being the top.
fn slot(address: Va, level: u32) -> u64 {
    address.0 >> (39 - 9 * level) & 0x1ff
}
