//! kdump-compressed files, plain and flattened, by crash's diskdump.h and QEMU's dump/dump.c.
//!
//! The compressors are the least that the formats allow: what real ones make is tested where they are unpacked.

use super::Machine;
use super::elf::{Producer, notes};
use crate::address::Pfn;
use crate::bytes::{count, index, put, put_u32, put_u64};

/// How a page is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    Plain,
    /// zlib.
    Zlib,
    /// LZO1X.
    Lzo,
    /// Snappy.
    Snappy,
    /// Zstandard.
    Zstd,
}

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct Form<'f> {
    /// How pages are packed, in turn.
    pub packings: &'f [Packing],
    /// In pieces with their places, as by who cannot seek.
    pub flattened: bool,
    /// What was left out: 1 for pages of zeros. All such pages are left out of the second bitmap.
    pub level: u32,
}

const BLOCK: usize = 0x1000;

/// The memory of a machine.
#[must_use]
pub fn compressed(machine: Machine<'_>, form: Form<'_>) -> Vec<u8> {
    let frames: Vec<(Pfn, &[u8; 0x1000])> = machine.memory.frames().collect();
    let bits = frames.last().map_or(0, |(frame, _)| frame.0 + 1);
    let half = index(bits.div_ceil(8)).next_multiple_of(BLOCK);
    let notes = notes(machine.processors, Producer::Qemu);
    let sub_blocks = (0x68 + notes.len()).div_ceil(BLOCK);
    let mut bitmaps = vec![0; 2 * half];
    let (mut descriptors, mut data) = (Vec::new(), Vec::new());
    let kept = frames
        .iter()
        .filter(|(_, page)| form.level == 0 || page.iter().any(|&byte| byte != 0));
    let data_at = (1 + sub_blocks) * BLOCK + bitmaps.len() + 0x18 * kept.clone().count();
    for (frame, _) in &frames {
        bitmaps[index(frame.0 / 8)] |= 1 << (frame.0 % 8);
    }
    for (number, (frame, page)) in kept.enumerate() {
        bitmaps[half + index(frame.0 / 8)] |= 1 << (frame.0 % 8);
        let (flags, packed) = match form.packings[number % form.packings.len()] {
            Packing::Plain => (0, page.to_vec()),
            Packing::Zlib => (1, zlib(*page)),
            Packing::Lzo => (2, lzo(*page)),
            Packing::Snappy => (4, snappy(*page)),
            Packing::Zstd => (0x20, zstd(*page)),
        };
        let mut descriptor = vec![0; 0x18];
        put_u64(&mut descriptor, 0, count(data_at + data.len()));
        put_u32(&mut descriptor, 8, u32::try_from(packed.len()).expect("a page"));
        put_u32(&mut descriptor, 0xc, flags);
        descriptors.extend(descriptor);
        data.extend(packed);
    }
    let mut header = vec![0; BLOCK];
    put(&mut header, 0, b"KDUMP   ");
    put_u32(&mut header, 8, 6);
    put(&mut header, 0xc + 4 * 65, b"x86_64");
    put_u32(&mut header, 0x1ac, 0x1000);
    put_u32(&mut header, 0x1b0, u32::try_from(sub_blocks).expect("few"));
    put_u32(
        &mut header,
        0x1b4,
        u32::try_from(bitmaps.len() / BLOCK).expect("few"),
    );
    put_u32(&mut header, 0x1b8, u32::try_from(bits).unwrap_or(u32::MAX));
    let mut sub = vec![0; sub_blocks * BLOCK];
    put_u32(&mut sub, 8, form.level);
    put_u64(&mut sub, 0x30, 0x1068);
    put_u64(&mut sub, 0x38, count(notes.len()));
    put_u64(&mut sub, 0x60, bits);
    put(&mut sub, 0x68, &notes);
    if !form.flattened {
        return [header, sub, bitmaps, descriptors, data].concat();
    }
    flattened(header, sub, bitmaps, &descriptors, &data)
}

/// The parts in pieces: descriptors and pages in turn, as both come, and the header again at the end, where it is right
/// for the first time.
fn flattened(header: Vec<u8>, sub: Vec<u8>, bitmaps: Vec<u8>, descriptors: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = b"makedumpfile".to_vec();
    out.resize(0x10, 0);
    out.extend(1_i64.to_be_bytes());
    out.extend(1_i64.to_be_bytes());
    out.resize(0x1000, 0);
    let mut piece = |at: usize, bytes: &[u8]| {
        out.extend(count(at).to_be_bytes());
        out.extend(count(bytes.len()).to_be_bytes());
        out.extend_from_slice(bytes);
    };
    let mut early = header.clone();
    put_u32(&mut early, 0x1b8, 1);
    piece(0, &early);
    piece(BLOCK, &sub);
    let mut at = BLOCK + sub.len();
    piece(at, &bitmaps);
    at += bitmaps.len();
    let data_at = at + descriptors.len();
    let mut both = (descriptors.chunks(0x1008), data.chunks(0x3f01));
    let mut places = (at, data_at);
    loop {
        let next = (both.0.next(), both.1.next());
        if let Some(bytes) = next.1 {
            piece(places.1, bytes);
            places.1 += bytes.len();
        }
        if let Some(bytes) = next.0 {
            piece(places.0, bytes);
            places.0 += bytes.len();
        }
        if next == (None, None) {
            break;
        }
    }
    piece(0, &header[..0x1d0]);
    out.extend([0xff; 16]);
    out
}

/// One block that is not compressed, and Adler-32 (RFC 1950, RFC 1951).
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).expect("a page");
    let mut out = vec![0x78, 0x01, 1];
    out.extend(len.to_le_bytes());
    out.extend((!len).to_le_bytes());
    out.extend_from_slice(bytes);
    let (mut a, mut b) = (1_u32, 0_u32);
    for &byte in bytes {
        a = (a + u32::from(byte)) % 65521;
        b = (b + a) % 65521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

/// One literal, and the end (Linux's Documentation/staging/lzo.rst).
fn lzo(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0];
    // A literal of 18 and what follows: 255 for each zero byte.
    let mut rest = bytes.len() - 18;
    while rest > 255 {
        out.push(0);
        rest -= 255;
    }
    out.push(u8::try_from(rest).expect("at most 255"));
    out.extend_from_slice(bytes);
    out.extend([0x11, 0, 0]);
    out
}

/// Literals, and copies of the byte before where one byte fills the page (Google's format_description.txt).
pub(super) fn snappy(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut len = bytes.len();
    while len > 0x7f {
        out.push(u8::try_from(len & 0x7f).expect("7 bits") | 0x80);
        len >>= 7;
    }
    out.push(u8::try_from(len).expect("7 bits"));
    let literal = |out: &mut Vec<u8>, bytes: &[u8]| {
        let len = u16::try_from(bytes.len() - 1).expect("at most 64 KiB");
        out.push(61 << 2);
        out.extend(len.to_le_bytes());
        out.extend_from_slice(bytes);
    };
    if bytes.iter().any(|&byte| byte != bytes[0]) {
        literal(&mut out, bytes);
        return out;
    }
    literal(&mut out, &bytes[..1]);
    let mut left = bytes.len() - 1;
    while left != 0 {
        let now = left.min(64);
        out.push(u8::try_from(now - 1).expect("6 bits") << 2 | 2);
        out.extend([1, 0]);
        left -= now;
    }
    out
}

/// One block that is not compressed, or one byte and how often (RFC 8878).
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd];
    // One segment, with its size in two bytes, from which 256 is taken.
    out.push(0x60);
    out.extend(u16::try_from(bytes.len() - 256).expect("a page").to_le_bytes());
    let same = bytes.iter().all(|&byte| byte == bytes[0]);
    let block = u32::try_from(bytes.len()).expect("a page") << 3 | u32::from(same) << 1 | 1;
    out.extend(&block.to_le_bytes()[..3]);
    out.extend_from_slice(if same { &bytes[..1] } else { bytes });
    out
}
