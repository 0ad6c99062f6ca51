//! Page tables the other way round: at which addresses of the system pages of physical memory are seen.

use std::collections::HashSet;

use crate::memory::page::PAGE;
use crate::memory::paging::{Leads, Paging, Table};
use crate::memory::physical::{PhysicalMemory, read_in_frame};
use crate::value::address::{Gpa, Gva, Pfn};

/// Tables that are read at most: those of 2 TiB in pages of 4 KiB. What Windows maps of its own is far less, and forged
/// tables lead to each other without end.
const MOST_TABLES: usize = 1 << 20;

/// Pages of physical memory that are seen one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mapped {
    /// The address of the first.
    pub gva: Gva,
    /// Its frame.
    pub base: Pfn,
    /// How many pages of 4 KiB.
    pub count: u64,
}

/// How far a walk through page tables came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MappedEnd {
    /// Tables that could not be read: what they map is not known.
    pub unread_tables: u64,
    /// Whether there were more tables than are read.
    pub gave_up: bool,
}

/// Tells `see` what the tables at `root` map in the kernel's half, by ascending address. A table that is reached twice at
/// one level, as those of session space are by aliases, is told once: at the address where it was met first. Pages whose
/// entry is in transition are among them, for their bytes are still theirs.
pub(crate) fn mapped(
    memory: &dyn PhysicalMemory,
    paging: Paging,
    root: Gpa,
    see: &mut dyn FnMut(Mapped),
) -> MappedEnd {
    let mut walk = Walk {
        memory,
        paging,
        see,
        seen: HashSet::new(),
        end: MappedEnd::default(),
    };
    walk.table(paging.tables(), root.u64(), 0);
    walk.end
}

struct Walk<'w> {
    memory: &'w dyn PhysicalMemory,
    paging: Paging,
    see: &'w mut dyn FnMut(Mapped),
    seen: HashSet<(u64, usize)>,
    end: MappedEnd,
}

impl Walk<'_> {
    /// Goes through the table at `base`, whose first entry is for the address `gva`. As deep as there are levels.
    fn table(&mut self, levels: &[Table], base: u64, gva: u64) {
        let Some((table, below)) = levels.split_first() else {
            return;
        };
        if !self.seen.insert((base, levels.len())) {
            return;
        }
        if self.seen.len() > MOST_TABLES {
            self.end.gave_up = true;
            return;
        }
        let mut bytes = [0; 0x1000];
        let width = self.paging.entry_len();
        let len = table.entries().saturating_mul(width);
        let Some(bytes) = bytes.get_mut(..len) else {
            return;
        };
        if read_in_frame(self.memory, Gpa::new(base), bytes).is_err() {
            self.end.unread_tables = self.end.unread_tables.saturating_add(1);
            return;
        }
        for (index, entry) in (0_u64..).zip(bytes.chunks_exact(width)) {
            let entry = entry
                .iter()
                .rev()
                .fold(0, |value, &byte| (value << 8) | u64::from(byte));
            if entry == 0 {
                continue;
            }
            let at = self.paging.canonical(gva | (index << table.shift()));
            // The user's half differs from process to process.
            if self.paging.is_system_address(at) {
                self.entry(table, below, entry, at.u64());
            }
        }
    }

    fn entry(&mut self, table: &Table, below: &[Table], entry: u64, gva: u64) {
        let (frame, pages) = match self.paging.leads(self.memory, table, entry) {
            Leads::Nowhere => return,
            Leads::Table(frame) => return self.table(below, frame, gva),
            Leads::Page(frame, size) => (frame, size.bytes().checked_div(PAGE).unwrap_or(1)),
        };
        (self.see)(Mapped {
            gva: Gva::new(gva),
            base: Gpa::new(frame).pfn(),
            count: pages,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::memory::error::FrameError;
    use crate::memory::page::{FileOffset, PageRun};
    use crate::memory::physical::{Known, PageError};
    use crate::memory::space::AddressSpace;

    /// Pages of tables by their frame; all others are missing.
    #[derive(Debug, Default)]
    struct Tables(BTreeMap<u64, Vec<u8>>);

    impl Tables {
        fn set(&mut self, frame: u64, index: usize, entry: u64) {
            let page = self.0.entry(frame).or_insert_with(|| vec![0; 0x1000]);
            page[index * 8..index * 8 + 8].copy_from_slice(&entry.to_le_bytes());
        }
    }

    impl PhysicalMemory for Tables {
        fn frame(&self, pfn: Pfn) -> Result<FileOffset, FrameError> {
            match self.0.contains_key(&pfn.u64()) {
                true => Ok(FileOffset(pfn.u64() << 12)),
                false => Err(FrameError::NotInDump { pfn }),
            }
        }

        fn read_page(&self, page: FileOffset, skip: usize, buf: &mut [u8]) -> Result<(), PageError> {
            let bytes = &self.0[&(page.0 >> 12)];
            buf.copy_from_slice(&bytes[skip..skip + buf.len()]);
            Ok(())
        }

        fn runs(&self) -> Box<dyn Iterator<Item = PageRun> + '_> {
            Box::new(self.0.keys().map(|&frame| PageRun {
                base: Pfn::new(frame),
                count: 1,
            }))
        }

        fn known(&self) -> Known {
            Known::default()
        }
    }

    fn all(tables: &Tables, paging: Paging) -> (Vec<Mapped>, MappedEnd) {
        let mut found = Vec::new();
        let end = mapped(tables, paging, Gpa::new(0x1000), &mut |one| found.push(one));
        (found, end)
    }

    /// What the walk tells is what a translation of each address finds, large pages, pages in transition and the map of the
    /// tables in themselves included.
    #[test]
    fn both_directions_agree() {
        let mut tables = Tables::default();
        tables.set(1, 0x1ed, 0x1003);
        tables.set(1, 3, 0x2003);
        tables.set(1, 0x1f0, 0x2003);
        tables.set(2, 5, 0x3003);
        tables.set(2, 6, 0x4000_0083);
        tables.set(3, 7, 0x4003);
        tables.set(3, 8, 0x60_0083);
        tables.set(4, 9, 0x5003);
        // In transition, and in a page file.
        tables.set(4, 10, 0x6800);
        tables.set(4, 11, 0x7_0000_0000);
        let (found, end) = all(&tables, Paging::X64);
        assert_eq!(end, MappedEnd::default());
        let space = AddressSpace::of(&tables, Paging::X64, 0x1000);
        for one in &found {
            assert!(one.gva.u64() >> 47 == 0x1_ffff, "{one:x?}");
            let there = space.translate(one.gva).unwrap();
            assert_eq!(there.gpa.pfn(), one.base, "{one:x?}");
            assert_eq!(there.page_size.bytes(), one.count << 12, "{one:x?}");
        }
        let at = |gva: u64| found.iter().find(|one| one.gva.u64() == gva).copied();
        let (index, base) = (0x1f0_u64, 0xffff_0000_0000_0000);
        let four_k = base | (index << 39) | (5 << 30) | (7 << 21) | (9 << 12);
        assert_eq!(at(four_k).unwrap().base, Pfn::new(5));
        assert_eq!(at(four_k + 0x1000).unwrap().base, Pfn::new(6));
        assert_eq!(at(four_k + 0x2000), None);
        assert_eq!(at(base | (index << 39) | (6 << 30)).unwrap().count, 1 << 18);
        // Tables are seen in their own map.
        assert!(found.iter().any(|one| one.base == Pfn::new(4)));
    }

    #[test]
    fn tables_that_lead_around_end() {
        let mut tables = Tables::default();
        for index in 0..512 {
            tables.set(1, index, 0x1003);
        }
        let (found, end) = all(&tables, Paging::La57);
        assert!(!end.gave_up);
        assert!(found.len() <= 512, "{}", found.len());
    }

    #[test]
    fn a_table_that_is_missing_is_counted() {
        let mut tables = Tables::default();
        tables.set(1, 0x1f0, 0x9003);
        let (found, end) = all(&tables, Paging::X64);
        assert!(found.is_empty());
        assert_eq!(end.unread_tables, 1);
    }
}
