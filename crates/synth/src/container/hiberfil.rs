//! Hibernation files: of Windows 8 and later by LeechCore's device_hibr.c, of older ones by Volatility's hibernate.py.

use super::Machine;
use super::xpress::{huffman, plain_lz77};
use crate::address::{PAGE_SIZE, Pfn};
use crate::bytes::{count, low32, put, put_u32, put_u64};

/// How a file of Windows 8 or later is written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// LengthSelf, which selects the build.
    pub length: u32,
    /// Pages of the sets that are left out at the end of the kernel's.
    pub missing: usize,
    /// Whether it is of a machine that was shut down with fast startup.
    pub fast_startup: bool,
    /// Whether it has pages of a secure kernel.
    pub secure: bool,
}

impl Style {
    /// A whole file of a machine that was hibernated.
    #[must_use]
    pub fn of(length: u32) -> Style {
        Style {
            length,
            missing: 0,
            fast_startup: false,
            secure: false,
        }
    }
}

/// A file as written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The file.
    pub bytes: Vec<u8>,
    /// Where sets begin.
    pub sets: Vec<usize>,
}

/// By LengthSelf: FirstBootRestorePage, KernelPagesProcessed, HighestPhysicalPage, Hiberboot.
fn fields(length: u32) -> [usize; 4] {
    match length {
        0x360 => [0x60, 0x1c8, 0x330, 0x2fc],
        0x3c8 => [0x68, 0x220, 0x388, 0x354],
        0x3e0 => [0x68, 0x230, 0x398, 0x364],
        0x448 => [0x68, 0x230, 0x400, 0x3cc],
        // Of the newest build no symbols were seen: the byte is left out.
        0x4d8 => [0x68, 0x238, 0x498, 0xff0],
        0x340 => [0x50, 0x210, 0x310, 0xff0],
        _ => panic!("no build has a header of {length:#x} bytes"),
    }
}

/// A file of Windows 8 or later: two sets of pages, packed in each way that there is, stored among them.
#[must_use]
pub fn hibernated(machine: Machine<'_>, style: Style) -> Written {
    let [first_boot, kernel_pages, highest, fast_startup] = fields(style.length);
    let wide = first_boot != 0x50;
    let mut frames: Vec<Pfn> = machine.memory.frames().map(|(frame, _)| frame).collect();
    let last = frames.last().expect("a machine has memory").0;
    // The loader's pages are some from the middle, and the kernel's begin with the last ones.
    let boot: Vec<Pfn> = frames.drain(frames.len() / 3..frames.len() / 2).collect();
    let half = frames.len() / 2;
    frames.rotate_left(half);
    let missing = frames.len() - style.missing;
    let mut written = Written {
        bytes: vec![0; 0x3000],
        sets: Vec::new(),
    };
    let mut places = Vec::new();
    for pages in [&boot[..], &frames[..missing]] {
        let at = written.bytes.len().next_multiple_of(0x1000);
        written.bytes.resize(at, 0);
        places.push(count(at) / PAGE_SIZE);
        sets(&mut written, machine, pages, wide);
    }
    let len = written.bytes.len().next_multiple_of(0x1000);
    written.bytes.resize(len, 0);
    let out = &mut written.bytes;
    put(out, 0, b"HIBR");
    put_u32(out, 0xc, style.length);
    put_u64(out, highest, last);
    put_u64(out, kernel_pages, count(frames.len()));
    if wide {
        put_u32(out, 0x18, 0x1000);
        put_u64(out, 0x20, 0x01dc_0000_0000_0000);
        put_u64(out, 0x58, count(boot.len()));
        put_u64(out, first_boot, places[0]);
        put_u64(out, first_boot + 8, places[1]);
    } else {
        put_u32(out, 0x14, 0x1000);
        put_u64(out, 0x48, count(boot.len()));
        put_u32(out, first_boot, low32(places[0]));
        put_u32(out, first_boot + 4, low32(places[1]));
    }
    if style.secure {
        put_u64(out, 0x60, count(len) / PAGE_SIZE);
        out.extend([0x99; 0x1000]);
    }
    out[fast_startup] = u8::from(style.fast_startup);
    written
}

/// Sets of up to 16 pages each.
fn sets(written: &mut Written, machine: Machine<'_>, pages: &[Pfn], wide: bool) {
    let mut rest = pages;
    while !rest.is_empty() {
        let number = written.sets.len();
        // Some are shorter.
        let (now, later) = rest.split_at(rest.len().min(16 - number % 3));
        rest = later;
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for frame in now {
            match runs.last_mut() {
                Some((base, len)) if *base + *len == frame.0 => *len += 1,
                _ => runs.push((frame.0, 1)),
            }
        }
        let plain = bytes_of(machine, now);
        let (algorithm, mut data) = match number % 5 {
            0 | 3 => (0, plain_lz77(&plain)),
            4 => (0, plain.clone()),
            _ => (2, huffman(&plain)),
        };
        if data.len() >= plain.len() {
            data = plain;
        }
        let head = low32(count(runs.len())) | low32(count(data.len())) << 8 | algorithm << 30;
        let out = &mut written.bytes;
        written.sets.push(out.len());
        out.extend(head.to_le_bytes());
        for (base, len) in runs {
            let descriptor = base << 4 | (len - 1);
            let bytes = descriptor.to_le_bytes();
            out.extend(if wide { &bytes[..] } else { &bytes[..4] });
        }
        out.extend(data);
    }
}

fn bytes_of(machine: Machine<'_>, frames: &[Pfn]) -> Vec<u8> {
    let page = |frame: &Pfn| machine.memory.frame(*frame).expect("it is there").to_vec();
    frames.iter().flat_map(page).collect()
}

/// A file of Windows 7 of x64 or x86: tables of ranges, each with its blocks behind it.
///
/// `most` is how many ranges a table may have; the format has room for 255 and 511.
#[must_use]
pub fn seven(machine: Machine<'_>, wide: bool, most: usize) -> Vec<u8> {
    let mut out = vec![0; 0x2000];
    put(&mut out, 0, b"hibr");
    // The header of x86 was not seen: its first table is found by what is behind it.
    if wide {
        put_u32(&mut out, 0xc, 0x128);
        put_u32(&mut out, 0x18, 0x1000);
        put_u64(&mut out, 0x60, 2);
        let processor = &machine.processors[machine.processors.len() - 1];
        put_u64(&mut out, 0x1010, processor.cr3);
    } else {
        put_u32(&mut out, 0xc, 0xe0);
    }
    let runs = machine.memory.runs();
    let chunks: Vec<_> = runs.chunks(most).collect();
    for (number, chunk) in chunks.iter().enumerate() {
        let at = out.len();
        let mut table: Vec<u8> = Vec::new();
        let word = |table: &mut Vec<u8>, value: u64| {
            let bytes = value.to_le_bytes();
            table.extend(if wide { &bytes[..] } else { &bytes[..4] });
        };
        word(&mut table, 0);
        word(&mut table, count(chunk.len()));
        let mut frames = Vec::new();
        for run in *chunk {
            word(&mut table, run.base.0);
            word(&mut table, run.end().0);
            frames.extend((run.base.0..run.end().0).map(Pfn));
        }
        table.resize(0x1000, 0);
        out.extend(table);
        for (block, frames) in frames.chunks(16).enumerate() {
            let plain = bytes_of(machine, frames);
            let mut data = plain_lz77(&plain);
            data.resize(data.len().next_multiple_of(8), 0);
            if data.len() >= plain.len() || block % 4 == 3 {
                data = plain;
            }
            let mut header = vec![0; 0x20];
            put(&mut header, 0, b"\x81\x81xpress");
            put_u32(
                &mut header,
                8,
                ((low32(count(data.len())) - 1) << 10) | (low32(count(frames.len())) - 1),
            );
            out.extend(header);
            out.extend(data);
        }
        out.resize(out.len().next_multiple_of(0x1000), 0);
        if number + 1 < chunks.len() {
            let next = count(out.len()) / PAGE_SIZE;
            put_u32(&mut out, at, low32(next));
        }
    }
    out
}
