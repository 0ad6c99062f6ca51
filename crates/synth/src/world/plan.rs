//! Where things are in virtual memory: the ranges of each Windows version, and allocation in them.

use std::collections::BTreeMap;

use super::World;
use crate::address::{PAGE_SIZE, Va};
use crate::bytes::uint;
use crate::layout::Kernel;
use crate::machine::Machine;

/// A range of kernel memory to allocate from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pool {
    /// Objects: nonpaged pool.
    NonPaged,
    /// Blobs, handle tables, names: paged pool.
    Paged,
    /// Kernel stacks and other system pages.
    System,
}

/// The layout of kernel memory, and what of it is taken.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) kernel_base: Va,
    next: BTreeMap<Pool, Va>,
    taken: BTreeMap<Va, u64>,
}

/// Kernel image, nonpaged pool, paged pool, system pages.
const VISTA_X64: [u64; 4] = [
    0xffff_f800_0180_0000,
    0xffff_fa80_1820_0000,
    0xffff_f880_0f50_0000,
    0xffff_fa60_0200_0000,
];
const SEVEN_X64: [u64; 4] = [
    0xffff_f800_02a0_0000,
    0xffff_fa80_0c00_0000,
    0xffff_f8a0_0100_0000,
    0xffff_f880_0200_0000,
];
const EIGHT_1_X64: [u64; 4] = [
    0xffff_f803_8aa0_0000,
    0xffff_e000_0180_0000,
    0xffff_c000_0200_0000,
    0xffff_d000_2000_0000,
];
const TEN_X64: [u64; 4] = [
    0xffff_f807_1920_0000,
    0xffff_b780_8170_0000,
    0xffff_d280_90a0_0000,
    0xffff_8286_2a00_0000,
];
/// The system's half begins at ff00000000000000: nonpaged pool and system pages are where four levels have nothing.
const LA57_X64: [u64; 4] = [
    0xffff_f807_1920_0000,
    0xff3e_b780_8170_0000,
    0xffa1_d280_90a0_0000,
    0xff17_8286_2a00_0000,
];
const X86: [u64; 4] = [
    0xffff_ffff_8180_0000,
    0xffff_ffff_8400_0000,
    0xffff_ffff_9700_0000,
    0xffff_ffff_8b00_0000,
];

impl Plan {
    /// The ranges that Windows of this version uses. Only the addresses follow from the build, nothing else does.
    pub(super) fn of(kernel: &Kernel) -> Self {
        let [image, nonpaged, paged, system] = match (kernel.machine(), kernel.build()) {
            (Machine::X86 | Machine::Pae, _) => X86,
            (Machine::La57, _) => LA57_X64,
            (_, ..7000) => VISTA_X64,
            (_, ..9600) => SEVEN_X64,
            (_, ..10240) => EIGHT_1_X64,
            _ => TEN_X64,
        };
        Plan {
            kernel_base: Va(image),
            next: [
                (Pool::NonPaged, Va(nonpaged)),
                (Pool::Paged, Va(paged)),
                (Pool::System, Va(system)),
            ]
            .into(),
            taken: BTreeMap::new(),
        }
    }

    fn claim(&mut self, address: Va, length: u64) {
        let before = self.taken.range(..address + length).next_back();
        let free = before.is_none_or(|(&start, &size)| start + size <= address);
        assert!(free, "{address} + {length:#x} overlaps {before:x?}");
        self.taken.insert(address, length);
    }

    /// Room for `length` bytes at a multiple of `alignment`; nothing under a page crosses one.
    fn bump(&mut self, pool: Pool, length: u64, alignment: u64) -> Va {
        let next = self.next.get_mut(&pool).expect("every pool has a range");
        let mut at = next.0.next_multiple_of(alignment);
        if length >= PAGE_SIZE || at / PAGE_SIZE != (at + length - 1) / PAGE_SIZE {
            at = at.next_multiple_of(PAGE_SIZE);
        }
        *next = Va(at + length);
        self.claim(Va(at), length);
        Va(at)
    }
}

impl World {
    /// `length` zeroed bytes of pool behind a pool header with `tag`.
    pub fn allocate(&mut self, pool: Pool, length: u64, tag: [u8; 4]) -> Va {
        let header = self.kernel.size("_POOL_HEADER");
        let block = self.plan.bump(
            pool,
            (length + header).next_multiple_of(2 * self.pointer_size()),
            header,
        );
        self.memory.touch(block, length + header);
        self.write_pool_header(block, length, tag, pool);
        block + header
    }

    /// As [`World::allocate`], at a place that a published case demands.
    ///
    /// # Panics
    /// Where the place is taken.
    pub fn allocate_at(&mut self, pool: Pool, address: Va, length: u64, tag: [u8; 4]) {
        let header = self.kernel.size("_POOL_HEADER");
        self.plan.claim(address - header, length + header);
        self.memory.touch(address - header, length + header);
        self.write_pool_header(address - header, length, tag, pool);
    }

    /// Whole zeroed pages, without a pool header.
    pub fn allocate_pages(&mut self, pool: Pool, pages: u64) -> Va {
        let address = self.plan.bump(pool, pages * PAGE_SIZE, PAGE_SIZE);
        self.memory.touch(address, pages * PAGE_SIZE);
        address
    }

    /// Leaves `length` bytes of `pool` unused, so that what follows is on other pages.
    pub fn skip(&mut self, pool: Pool, length: u64) {
        self.plan.bump(pool, length, PAGE_SIZE);
    }

    /// Room for a stack of `pages` without any page in it; a guard page stands below.
    pub(super) fn plan_stack(&mut self, pages: u64) -> Va {
        self.plan.bump(Pool::System, (pages + 1) * PAGE_SIZE, PAGE_SIZE) + PAGE_SIZE
    }

    fn write_pool_header(&mut self, block: Va, length: u64, tag: [u8; 4], pool: Pool) {
        let header = self.kernel.size("_POOL_HEADER");
        let units = (length + header).div_ceil(2 * self.pointer_size());
        self.set(block, "_POOL_HEADER", "BlockSize", units.min(0xff));
        self.set(
            block,
            "_POOL_HEADER",
            "PoolType",
            if pool == Pool::Paged { 3 } else { 2 },
        );
        self.set(block, "_POOL_HEADER", "PoolTag", uint(&tag));
    }
}
