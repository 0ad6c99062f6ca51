//! A plain reading of x64 dumps, straight from the format tables: every page into a map, no index, no cache.
//! It shares nothing with the writer, nor with any crate that reads dumps.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;

/// A dump read whole.
pub struct Plain {
    pub header: Vec<u8>,
    /// Page bytes by frame.
    pub pages: BTreeMap<u64, Vec<u8>>,
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

impl Plain {
    pub fn read(dump: &[u8]) -> Plain {
        assert_eq!(&dump[..8], b"PAGEDU64");
        let frames = match u32_at(dump, 0xf98) {
            1 => frames_of_runs(dump),
            2 => {
                assert_eq!(&dump[0x2000..0x2008], b"SDMPDUMP");
                let bits = usize::try_from(u32_at(dump, 0x2010)).unwrap();
                assert_eq!(u32_at(dump, 0x2018), u32_at(dump, 0x2010), "SizeOfBitMap");
                frames_of_bits(&dump[0x2028..], bits)
            }
            kind @ (5 | 6) => {
                let signature: &[u8] = if kind == 5 { b"FDMPDUMP" } else { b"SDMPDUMP" };
                assert_eq!(&dump[0x2000..0x2008], signature);
                frames_of_bits(&dump[0x2038..], usize::try_from(u64_at(dump, 0x2030)).unwrap())
            }
            8..=10 => frames_of_ranges(dump),
            kind => panic!("kind {kind}"),
        };
        let first = first_page(dump, frames.len());
        assert_eq!(
            dump.len(),
            first + frames.len() * 0x1000,
            "nothing behind the last page"
        );
        let pages = frames
            .into_iter()
            .zip(dump[first..].chunks(0x1000).map(<[u8]>::to_vec));
        Plain {
            header: dump[..0x2000].to_vec(),
            pages: pages.collect(),
        }
    }

    /// The physical address of `va` by four levels of tables.
    pub fn translate(&self, va: u64) -> Option<u64> {
        let mut table = u64_at(&self.header, 0x10) & !0xfff;
        for level in [39, 30, 21, 12] {
            let entry = self.physical_u64(table + (va >> level & 0x1ff) * 8)?;
            let transition = level == 12 && entry & 0xc01 == 0x800;
            if entry & 1 == 0 && !transition {
                return None;
            }
            let within = (1u64 << level) - 1;
            if level == 12 || (level != 39 && entry & 0x80 != 0) {
                return Some((entry & 0x000f_ffff_ffff_f000 & !within) | (va & within));
            }
            table = entry & 0x000f_ffff_ffff_f000;
        }
        None
    }

    fn physical_u64(&self, address: u64) -> Option<u64> {
        Some(u64_at(
            self.pages.get(&(address / 0x1000))?,
            usize::try_from(address % 0x1000).unwrap(),
        ))
    }

    /// `length` bytes at `va`, each page by its own translation.
    pub fn bytes(&self, va: u64, length: u64) -> Option<Vec<u8>> {
        let mut read = Vec::new();
        let mut left = length;
        while left > 0 {
            let at = va + (length - left);
            let part = left.min(0x1000 - at % 0x1000);
            let physical = self.translate(at)?;
            let start = usize::try_from(physical % 0x1000).unwrap();
            let page = self.pages.get(&(physical / 0x1000))?;
            read.extend(&page[start..start + usize::try_from(part).unwrap()]);
            left -= part;
        }
        Some(read)
    }

    pub fn u8(&self, va: u64) -> u8 {
        self.bytes(va, 1).unwrap()[0]
    }

    pub fn u16(&self, va: u64) -> u16 {
        u16::from_le_bytes(self.bytes(va, 2).unwrap().try_into().unwrap())
    }

    pub fn u32(&self, va: u64) -> u32 {
        u32_at(&self.bytes(va, 4).unwrap(), 0)
    }

    pub fn u64(&self, va: u64) -> u64 {
        u64_at(&self.bytes(va, 8).unwrap(), 0)
    }
}

fn first_page(dump: &[u8], pages: usize) -> usize {
    match u32_at(dump, 0xf98) {
        1 => 0x2000,
        2 => {
            assert_eq!(usize::try_from(u32_at(dump, 0x2014)).unwrap(), pages, "Pages");
            usize::try_from(u32_at(dump, 0x200c)).unwrap()
        }
        8 | 9 => usize::try_from(u64_at(dump, 0x2018)).unwrap(),
        10 => {
            assert_eq!(usize::try_from(u64_at(dump, 0x2028)).unwrap(), pages, "Total");
            usize::try_from(u64_at(dump, 0x2018)).unwrap()
        }
        _ => {
            assert_eq!(usize::try_from(u64_at(dump, 0x2028)).unwrap(), pages, "Pages");
            usize::try_from(u64_at(dump, 0x2020)).unwrap()
        }
    }
}

fn frames_of_ranges(dump: &[u8]) -> Vec<u64> {
    assert_eq!(&dump[0x2000..0x200c], b"\x40\0\0\0RDMPDUMP");
    assert_eq!(
        u64_at(dump, 0x2010) - 0x20,
        u64_at(dump, 0x2018) - 0x2040,
        "MetadataSize"
    );
    let end = usize::try_from(u64_at(dump, 0x2018)).unwrap();
    (0x2030..end)
        .step_by(16)
        .map(|at| (u64_at(dump, at), u64_at(dump, at + 8)))
        .take_while(|&(_, count)| count != 0)
        .flat_map(|(base, count)| base..base + count)
        .collect()
}

fn frames_of_runs(dump: &[u8]) -> Vec<u64> {
    let runs = usize::try_from(u32_at(dump, 0x88)).unwrap();
    assert!(runs <= 42, "more do not fit the header");
    let run = |i: usize| (u64_at(dump, 0x98 + 16 * i), u64_at(dump, 0xa0 + 16 * i));
    let frames: Vec<u64> = (0..runs)
        .map(run)
        .flat_map(|(base, count)| base..base + count)
        .collect();
    assert_eq!(
        u64_at(dump, 0x90),
        u64::try_from(frames.len()).unwrap(),
        "NumberOfPages"
    );
    frames
}

fn frames_of_bits(bits: &[u8], count: usize) -> Vec<u64> {
    let set = (0..count).filter(|i| bits[i / 8] >> (i % 8) & 1 == 1);
    set.map(|i| u64::try_from(i).unwrap()).collect()
}
