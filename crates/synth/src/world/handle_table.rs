//! Executive handle tables: one to three levels, entries of every generation.

use std::collections::BTreeMap;

use super::{Pool, World};
use crate::address::{PAGE_SIZE, Va};
use crate::bytes::count;

/// What an entry holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The pointer: an object's header, or the body in the tables of client ids and messages.
    pub(super) pointer: Va,
    pub(super) access: u32,
    pub(super) attributes: u8,
}

impl World {
    /// Makes an empty `_HANDLE_TABLE`.
    pub(super) fn make_handle_table(&mut self) -> Va {
        self.allocate(Pool::Paged, self.kernel.size("_HANDLE_TABLE"), *b"Obtb")
    }

    /// Fills `table` with `entries` by handle, in as many levels as they take and at least `level` beyond the first.
    /// Returns the address of each entry.
    pub(super) fn fill_handle_table(
        &mut self,
        table: Va,
        entries: &BTreeMap<u64, Entry>,
        level: u64,
    ) -> BTreeMap<u64, Va> {
        let size = self.kernel.size("_HANDLE_TABLE_ENTRY");
        let capacity = PAGE_SIZE / size;
        let highest = entries.keys().next_back().map_or(0, |handle| handle / 4);
        let leaves: Vec<Va> = (0..=highest / capacity).map(|_| self.make_leaf()).collect();
        let at = |handle: u64| {
            let index = usize::try_from(handle / 4 / capacity).expect("small");
            leaves[index] + handle / 4 % capacity * size
        };
        for (&handle, entry) in entries {
            assert!((handle / 4) % capacity != 0, "entry 0 of a leaf is no handle");
            self.write_entry_value(at(handle), entry);
        }
        let code = self.make_upper_levels(leaves.clone(), level);
        self.set(table, "_HANDLE_TABLE", "TableCode", code);
        self.set(
            table,
            "_HANDLE_TABLE",
            "NextHandleNeedingPool",
            count(leaves.len()) * capacity * 4,
        );
        self.set_if(table, "_HANDLE_TABLE", "HandleCount", count(entries.len()));
        entries.keys().map(|&handle| (handle, at(handle))).collect()
    }

    /// Has a handle of a table refer to the object whose header is at `header`.
    pub fn point_handle(&mut self, table: Va, handle: u64, header: Va) {
        let code = self.memory.read_uint(
            self.field(table, "_HANDLE_TABLE", "TableCode"),
            self.pointer_size(),
        );
        let size = self.kernel.size("_HANDLE_TABLE_ENTRY");
        let capacity = PAGE_SIZE / size;
        let index = handle / 4;
        let per_table = PAGE_SIZE / self.pointer_size();
        let slot = |world: &Self, table: Va, slot: u64| {
            Va(world
                .memory
                .read_uint(table + slot * world.pointer_size(), world.pointer_size()))
        };
        let top = Va(code & !3);
        let leaf = match code & 3 {
            0 => top,
            1 => slot(self, top, index / capacity),
            _ => slot(
                self,
                slot(self, top, index / capacity / per_table),
                index / capacity % per_table,
            ),
        };
        let entry = Entry {
            pointer: header,
            access: 1,
            attributes: 0,
        };
        self.write_entry_value(leaf + index % capacity * size, &entry);
    }

    fn make_leaf(&mut self) -> Va {
        let leaf = self.allocate_pages(Pool::Paged, 1);
        if self.has("_HANDLE_TABLE_ENTRY", "NextFreeTableEntry") {
            // EX_ADDITIONAL_INFO_SIGNATURE.
            self.set(leaf, "_HANDLE_TABLE_ENTRY", "NextFreeTableEntry", 0xffff_fffe);
        }
        leaf
    }

    /// Tables of pointers over `tables` until one is left; its address with the level in the low bits.
    fn make_upper_levels(&mut self, mut tables: Vec<Va>, at_least: u64) -> u64 {
        let mut level = 0;
        while tables.len() > 1 || level < at_least {
            tables = tables
                .chunks(512)
                .map(|below| self.make_pointers(below))
                .collect();
            level += 1;
        }
        assert!(level <= 2, "a handle table has at most three levels");
        self.narrow(tables[0]) | level
    }

    fn make_pointers(&mut self, below: &[Va]) -> Va {
        let table = self.allocate_pages(Pool::Paged, 1);
        for (i, &address) in below.iter().enumerate() {
            self.write_pointer(table + count(i) * self.pointer_size(), address);
        }
        table
    }

    fn write_entry_value(&mut self, at: Va, entry: &Entry) {
        const TYPE: &str = "_HANDLE_TABLE_ENTRY";
        let Entry {
            pointer,
            access,
            attributes,
        } = *entry;
        if self.has(TYPE, "ObjectPointerBits") {
            let (_, bits) = self
                .kernel
                .field(TYPE, "ObjectPointerBits")
                .bit
                .expect("a bit field");
            // Pointers are multiples of 16 (8 on 32-bit systems), and the bits are sign-extended.
            let unit = 2 * self.pointer_size();
            let value = (self.narrow(pointer) / unit) & (u64::MAX >> (64 - u32::from(bits)));
            self.set(at, TYPE, "ObjectPointerBits", value);
            self.set(at, TYPE, "Unlocked", 1);
            self.set(at, TYPE, "GrantedAccessBits", u64::from(access));
            if self.has(TYPE, "ProtectFromClose") {
                // 32-bit systems have room for two attributes beside the pointer; protection is beside the access.
                self.set(at, TYPE, "ProtectFromClose", u64::from(attributes & 1));
                self.set(at, TYPE, "Attributes", u64::from(attributes >> 1));
            } else {
                self.set(at, TYPE, "Attributes", u64::from(attributes));
            }
        } else {
            // Bit 0 unlocked, 1 inherited, 2 audited; protection is a bit of the access mask.
            let low = 1 | u64::from(attributes & 6);
            self.set(at, TYPE, "Value", self.narrow(pointer) | low);
            let protected = u32::from(attributes & 1) << 25;
            self.set(at, TYPE, "GrantedAccess", u64::from(access | protected));
        }
    }
}
