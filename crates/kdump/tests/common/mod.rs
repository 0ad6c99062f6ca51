//! A plain dump writer for these tests, straight from the tables of the format and of the processor's manual.
//! It shares nothing with the reader and says what it wrote.
#![allow(dead_code, missing_docs, clippy::cast_possible_truncation)]

use std::collections::BTreeMap;

pub const PAGE: u64 = 0x1000;

/// Entry bits of x64 page tables.
pub const VALID: u64 = 1;
pub const LARGE: u64 = 1 << 7;

/// Physical memory, the page tables in it, and what goes into the header.
#[derive(Clone)]
pub struct World {
    pub frames: BTreeMap<u64, Vec<u8>>,
    pub root: u64,
    next_table: u64,
    /// (offset in the header, bytes), written last.
    pub patches: Vec<(usize, Vec<u8>)>,
}

/// The bytes that a frame holds unless something else was written there: different on every 8 bytes of every
/// frame.
pub fn pattern(pfn: u64) -> Vec<u8> {
    let word = |n: u64| {
        (pfn * 512 + n + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_le_bytes()
    };
    (0..PAGE / 8).flat_map(word).collect()
}

impl World {
    pub fn new() -> World {
        World::with_root(0x1ad)
    }

    pub fn with_root(root: u64) -> World {
        let mut world = World {
            frames: BTreeMap::new(),
            root,
            next_table: root + 3,
            patches: Vec::new(),
        };
        world.frames.insert(root, vec![0; PAGE as usize]);
        world
    }

    pub fn add_frame(&mut self, pfn: u64) {
        self.frames.entry(pfn).or_insert_with(|| pattern(pfn));
    }

    pub fn write_physical(&mut self, gpa: u64, bytes: &[u8]) {
        for (at, &byte) in (gpa..).zip(bytes) {
            let frame = self.frames.entry(at / PAGE).or_insert_with(|| pattern(at / PAGE));
            frame[(at % PAGE) as usize] = byte;
        }
    }

    pub fn read_u64(&self, gpa: u64) -> u64 {
        let at = (gpa % PAGE) as usize;
        u64::from_le_bytes(self.frames[&(gpa / PAGE)][at..at + 8].try_into().unwrap())
    }

    /// Where the entry of `gva` is that is `depth` tables below the root (0: PML4E, 3: PTE), making tables.
    pub fn entry_at(&mut self, gva: u64, depth: u32) -> u64 {
        let mut table = self.root * PAGE;
        for level in 0..4 {
            let at = table + ((gva >> (39 - 9 * level)) & 0x1ff) * 8;
            if level == depth {
                return at;
            }
            let mut entry = self.read_u64(at);
            if entry == 0 {
                while self.frames.contains_key(&self.next_table) {
                    self.next_table += 1;
                }
                entry = (self.next_table * PAGE) | 0x63;
                self.frames.insert(self.next_table, vec![0; PAGE as usize]);
                self.next_table += 5;
                self.write_physical(at, &entry.to_le_bytes());
            }
            table = entry & 0x000f_ffff_ffff_f000;
        }
        unreachable!("four levels");
    }

    pub fn set_entry(&mut self, gva: u64, depth: u32, entry: u64) {
        let at = self.entry_at(gva, depth);
        self.write_physical(at, &entry.to_le_bytes());
    }

    pub fn map_4k(&mut self, gva: u64, pfn: u64) {
        self.set_entry(gva, 3, (pfn * PAGE) | 0x63);
    }

    pub fn map_2m(&mut self, gva: u64, pfn: u64) {
        self.set_entry(gva, 2, (pfn * PAGE) | 0x63 | LARGE);
    }

    pub fn map_1g(&mut self, gva: u64, pfn: u64) {
        self.set_entry(gva, 1, (pfn * PAGE) | 0x63 | LARGE);
    }

    /// Maps 4 KiB pages of `bytes` at `gva`, on frames from `pfn` on, two apart.
    pub fn place(&mut self, gva: u64, pfn: u64, bytes: &[u8]) {
        let first = gva / PAGE;
        let last = (gva + bytes.len() as u64 - 1) / PAGE;
        for page in first..=last {
            let frame = pfn + (page - first) * 2;
            self.add_frame(frame);
            self.map_4k(page * PAGE, frame);
        }
        for (at, &byte) in (gva..).zip(bytes) {
            let frame = pfn + (at / PAGE - first) * 2;
            self.write_physical(frame * PAGE + at % PAGE, &[byte]);
        }
    }

    pub fn patch(&mut self, offset: usize, bytes: &[u8]) {
        self.patches.push((offset, bytes.to_vec()));
    }

    pub fn patch_u32(&mut self, offset: usize, value: u32) {
        self.patch(offset, &value.to_le_bytes());
    }

    pub fn patch_u64(&mut self, offset: usize, value: u64) {
        self.patch(offset, &value.to_le_bytes());
    }

    /// Runs of frames that follow each other, ascending.
    pub fn runs(&self) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for &pfn in self.frames.keys() {
            match runs.last_mut() {
                Some((base, count)) if *base + *count == pfn => *count += 1,
                _ => runs.push((pfn, 1)),
            }
        }
        runs
    }

    /// A 64-bit header, filled with `PAGE` where nothing is written.
    fn header(&self, kind: u32, runs: &[(u64, u64)]) -> Vec<u8> {
        let mut header: Vec<u8> = b"PAGE".iter().copied().cycle().take(0x2000).collect();
        let mut put =
            |offset: usize, bytes: &[u8]| header[offset..offset + bytes.len()].copy_from_slice(bytes);
        put(0x4, b"DU64");
        put(0x8, &15u32.to_le_bytes());
        put(0xc, &7601u32.to_le_bytes());
        put(0x10, &((self.root * PAGE) | 0x2).to_le_bytes());
        for pointer in [0x18, 0x20, 0x28, 0x80] {
            put(pointer, &[0; 8]);
        }
        put(0x30, &0x8664u32.to_le_bytes());
        put(0x34, &4u32.to_le_bytes());
        put(0x38, &0xe2u32.to_le_bytes());
        put(0x40, &[0; 32]);
        put(0x88, &(runs.len() as u32).to_le_bytes());
        put(
            0x90,
            &runs
                .iter()
                .map(|run| run.1)
                .fold(0, u64::wrapping_add)
                .to_le_bytes(),
        );
        for (n, (base, count)) in runs.iter().enumerate().take(43) {
            put(0x98 + n * 16, &base.to_le_bytes());
            put(0xa0 + n * 16, &count.to_le_bytes());
        }
        put(0xf98, &kind.to_le_bytes());
        put(0xfa8, &0x01d6_f0f5_f6d8_a000u64.to_le_bytes());
        put(0x1030, &0x8_61c4_6800u64.to_le_bytes());
        put(0x1048, &[0; 8]);
        for (offset, bytes) in &self.patches {
            put(*offset, bytes);
        }
        header
    }

    /// Kind 1, the runs and their pages in the order given.
    pub fn full_in_order(&self, runs: &[(u64, u64)]) -> Vec<u8> {
        let mut file = self.header(1, runs);
        for pfn in runs.iter().flat_map(|&(base, count)| base..base + count) {
            file.extend_from_slice(&self.frames[&pfn]);
        }
        file
    }

    pub fn full(&self) -> Vec<u8> {
        self.full_in_order(&self.runs())
    }

    /// Kind 1 with runs that need not be true, and `pages` after the header.
    pub fn full_claiming(&self, runs: &[(u64, u64)], pages: usize) -> Vec<u8> {
        let mut file = self.header(1, runs);
        file.resize(0x2000 + pages * PAGE as usize, 0xcc);
        file
    }

    fn bits(&self) -> (u64, Vec<u8>) {
        let bits = self.frames.keys().next_back().map_or(0, |last| last + 1);
        let mut bytes = vec![0u8; bits.div_ceil(8) as usize];
        for pfn in self.frames.keys() {
            bytes[(pfn / 8) as usize] |= 1 << (pfn % 8);
        }
        (bits, bytes)
    }

    fn behind_bitmap(&self, mut file: Vec<u8>, first_page: usize) -> Vec<u8> {
        assert!(file.len() <= first_page);
        file.resize(first_page, 0);
        file.extend(self.frames.values().flatten());
        file
    }

    /// Kinds 5 and 6: `BITMAP_DUMP` at 2000.
    pub fn bitmap(&self, kind: u32, signature: &[u8; 4]) -> Vec<u8> {
        let (bits, bytes) = self.bits();
        let first_page = (0x2038 + bytes.len()).next_multiple_of(PAGE as usize);
        let mut file = self.header(kind, &[(1, bits)]);
        file.extend_from_slice(signature);
        file.extend_from_slice(b"DUMP");
        file.resize(0x2020, 0);
        file.extend_from_slice(&(first_page as u64).to_le_bytes());
        file.extend_from_slice(&(self.frames.len() as u64).to_le_bytes());
        file.extend_from_slice(&bits.to_le_bytes());
        file.extend_from_slice(&bytes);
        self.behind_bitmap(file, first_page)
    }

    /// Kind 2: `SUMMARY_DUMP` at 2000.
    pub fn summary(&self) -> Vec<u8> {
        let (bits, bytes) = self.bits();
        let first_page = (0x2028 + bytes.len()).next_multiple_of(PAGE as usize);
        let mut file = self.header(2, &[(1, bits)]);
        file.extend_from_slice(b"SDMPDUMP");
        for field in [
            0,
            first_page as u32,
            bits as u32,
            self.frames.len() as u32,
            bits as u32,
            0,
        ] {
            file.extend_from_slice(&field.to_le_bytes());
        }
        file.extend_from_slice(&0xffff_8000_1234_5678u64.to_le_bytes());
        file.extend_from_slice(&bytes);
        self.behind_bitmap(file, first_page)
    }

    /// Kinds 8, 9 and 0xa: metadata at 2000, its array in the order given and, but for 0xa, ended by a range of
    /// zeros. `room` more ranges would fit behind it.
    pub fn ranges_in_order(&self, kind: u32, ranges: &[(u64, u64)], room: usize) -> Vec<u8> {
        let pages: u64 = ranges.iter().map(|range| range.1).sum();
        let end = 0x2030 + (ranges.len() + room) * 16 + if kind == 0xa { 0 } else { 16 };
        let first_page = end.next_multiple_of(PAGE as usize);
        let mut file = self.header(kind, &[(1, 0xffff)]);
        file.extend_from_slice(&0x40u32.to_le_bytes());
        file.extend_from_slice(b"RDMPDUMP");
        file.extend_from_slice(&[0; 4]);
        file.extend_from_slice(&(first_page as u64 - 0x2020).to_le_bytes());
        file.extend_from_slice(&(first_page as u64).to_le_bytes());
        if kind == 0xa {
            file.extend_from_slice(&(ranges.len() as u64).to_le_bytes());
            file.extend_from_slice(&pages.to_le_bytes());
        } else {
            file.extend_from_slice(&[0xab; 16]);
        }
        for (base, count) in ranges {
            file.extend_from_slice(&base.to_le_bytes());
            file.extend_from_slice(&count.to_le_bytes());
        }
        if kind != 0xa {
            file.extend_from_slice(&[0; 16]);
        }
        // What is behind the end of the array is nobody's.
        file.resize(first_page, 0x11);
        for pfn in ranges.iter().flat_map(|&(base, count)| base..base + count) {
            file.extend_from_slice(&self.frames[&pfn]);
        }
        file
    }

    pub fn ranges(&self, kind: u32) -> Vec<u8> {
        self.ranges_in_order(kind, &self.runs(), 0)
    }

    /// Ranges whose frames descend, which Windows does not write.
    pub fn descending(&self, kind: u32) -> Vec<u8> {
        let mut ranges = self.runs();
        ranges.reverse();
        self.ranges_in_order(kind, &ranges, 3)
    }

    /// Every kind that can be read, by name.
    pub fn all_kinds(&self) -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("kind 1", self.full()),
            ("kind 2", self.summary()),
            ("kind 5", self.bitmap(5, b"FDMP")),
            ("kind 5, SDMP", self.bitmap(5, b"SDMP")),
            ("kind 6", self.bitmap(6, b"SDMP")),
            ("kind 8", self.ranges(8)),
            ("kind 9", self.ranges(9)),
            ("kind 0xa", self.ranges(0xa)),
            ("kind 0xa, descending", self.descending(0xa)),
        ]
    }
}

/// A second reading of a range dump, as plainly as can be: frame to file offset.
pub fn plain_ranges(file: &[u8]) -> BTreeMap<u64, u64> {
    let u64_at = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
    let (first_page, total) = (u64_at(0x2018), (file[0xf98] == 0xa).then(|| u64_at(0x2028)));
    let mut pages = BTreeMap::new();
    let mut at = 0x2030;
    while (at as u64) < first_page && Some(pages.len() as u64) != total && u64_at(at + 8) != 0 {
        for pfn in u64_at(at)..u64_at(at) + u64_at(at + 8) {
            let offset = first_page + pages.len() as u64 * PAGE;
            assert_eq!(pages.insert(pfn, offset), None, "{pfn:#x} is in two ranges");
        }
        at += 16;
    }
    pages
}

/// A second reading of a summary dump, as plainly as can be: frame to file offset.
pub fn plain_summary(file: &[u8]) -> BTreeMap<u64, u64> {
    let u32_at = |at: usize| u32::from_le_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]]);
    let (header_size, bitmap_size) = (u32_at(0x200c), u32_at(0x2010));
    let mut pages = BTreeMap::new();
    let mut offset = u64::from(header_size);
    for pfn in 0..bitmap_size as usize {
        if file[0x2028 + pfn / 8] >> (pfn % 8) & 1 == 1 {
            pages.insert(pfn as u64, offset);
            offset += 4096;
        }
    }
    assert_eq!(pages.len(), u32_at(0x2014) as usize, "Pages");
    pages
}
