//! Writers of kernel dump files, from a sparse physical memory and a description of the header.
//!
//! Offsets are those of the published dump definitions, taken from the format tables and not from any reader.

mod bitmap;
mod header32;
mod header64;
mod ranges;
mod sparse;
mod summary;
mod triage;

use std::io::{self, Cursor, Seek, SeekFrom, Write};

pub use header64::{Bugcheck, Header, SystemTime};
pub(crate) use sparse::machine_memory;
pub use sparse::{write_sparse, write_sparse_ranges};
pub use triage::{Triage, write_triage};

use crate::address::PAGE_SIZE;
use crate::bytes::{count, index};
use crate::physical::{PhysicalMemory, Run};

/// How a dump file says which frames it holds (`DumpType` of the header).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// 1: every frame of the runs in the header.
    Full,
    /// 2: the frames of a bitmap with 32-bit fields; kernel memory of Windows Vista to 7.
    Summary,
    /// 5: the frames of a bitmap; complete and active dumps since Windows 8.
    BitmapFull,
    /// 6: the frames of a bitmap; kernel, automatic and live dumps since Windows 8.
    BitmapKernel,
    /// 8: ranges of kernel memory; the debugger's `.dump /k`.
    KernelRanges,
    /// 9: ranges of kernel and user memory; the debugger's `.dump /ka`.
    KernelUserRanges,
    /// 0xA: ranges of all memory; the debugger's `.dump /f`.
    CompleteRanges,
}

impl Kind {
    /// The value of `DumpType`.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Kind::Full => 1,
            Kind::Summary => 2,
            Kind::BitmapFull => 5,
            Kind::BitmapKernel => 6,
            Kind::KernelRanges => 8,
            Kind::KernelUserRanges => 9,
            Kind::CompleteRanges => 0xa,
        }
    }

    /// Whether dumps of this kind leave user pages out.
    #[must_use]
    pub fn kernel_only(self) -> bool {
        matches!(self, Kind::Summary | Kind::BitmapKernel | Kind::KernelRanges)
    }
}

/// Runs that fit the 700 bytes of the header's descriptor.
const MAX_RUNS: usize = 42;

/// The dump file of `memory`.
///
/// A full dump claims up to 42 runs with the gaps between them as zeros, the others hold exactly the frames of
/// `memory`.
#[must_use]
pub fn write(kind: Kind, header: &Header, memory: &PhysicalMemory) -> Vec<u8> {
    let claims = match kind {
        Kind::Full => memory.runs_at_most(MAX_RUNS),
        _ => memory.runs(),
    };
    let mut out = Cursor::new(Vec::new());
    write_claims(&mut out, kind, header, memory, &claims).expect("a vector takes every byte");
    out.into_inner()
}

/// A file whose length can be set without writing.
trait Sink: Write + Seek {
    fn set_length(&mut self, length: u64) -> io::Result<()>;
}

impl Sink for Cursor<Vec<u8>> {
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.get_mut().resize(index(length), 0);
        Ok(())
    }
}

impl Sink for std::fs::File {
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// Writes header, index and pages; a claimed frame that `memory` has not is a hole.
fn write_claims<S: Sink>(
    out: &mut S,
    kind: Kind,
    header: &Header,
    memory: &PhysicalMemory,
    claims: &[Run],
) -> io::Result<()> {
    let pages = claims.iter().map(|run| run.count).sum::<u64>();
    let index = match kind {
        Kind::Full => Vec::new(),
        Kind::Summary => summary::index(header, claims, pages),
        Kind::BitmapFull => bitmap::index(*b"FDMP", header, claims, pages),
        Kind::BitmapKernel => bitmap::index(*b"SDMP", header, claims, pages),
        Kind::KernelRanges | Kind::KernelUserRanges => ranges::index(false, claims, pages),
        Kind::CompleteRanges => ranges::index(true, claims, pages),
    };
    let first = header.size() + count(index.len());
    let length = first + pages * PAGE_SIZE;
    let runs = if kind == Kind::Full {
        claims
    } else {
        &header.memory
    };
    out.set_length(length)?;
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&header.bytes(kind, runs, length))?;
    out.write_all(&index)?;
    write_pages(out, memory, claims, first)
}

fn write_pages<S: Sink>(out: &mut S, memory: &PhysicalMemory, claims: &[Run], first: u64) -> io::Result<()> {
    let mut claims = claims.iter();
    let mut run = claims.next();
    let mut before = 0;
    for (frame, page) in memory.frames() {
        while let Some(passed) = run.filter(|run| run.end() <= frame) {
            before += passed.count;
            run = claims.next();
        }
        let Some(run) = run.filter(|run| run.base <= frame) else {
            continue;
        };
        let rank = before + (frame.0 - run.base.0);
        out.seek(SeekFrom::Start(first + rank * PAGE_SIZE))?;
        out.write_all(page)?;
    }
    Ok(())
}

/// A bitmap over `frames` frames with the claimed ones set, padded to whole 64-bit words.
fn bits(claims: &[Run], frames: u64) -> Vec<u8> {
    let mut bits = vec![0u8; index(frames.div_ceil(64) * 8)];
    for run in claims {
        set_bits(&mut bits, run.base.0, run.end().0);
    }
    bits
}

fn set_bits(bits: &mut [u8], from: u64, to: u64) {
    let whole = from.next_multiple_of(8)..to / 8 * 8;
    if whole.start < whole.end {
        bits[index(whole.start / 8)..index(whole.end / 8)].fill(0xff);
    }
    for bit in (from..to).filter(|bit| !whole.contains(bit)).take(16) {
        bits[index(bit / 8)] |= 1 << (bit % 8);
    }
}

/// Pads `index` so that what follows it, behind a header of `header` bytes, begins on a page.
fn pad_to_page(index_bytes: &mut Vec<u8>, header: u64) {
    let end = (header + count(index_bytes.len())).next_multiple_of(PAGE_SIZE);
    index_bytes.resize(index(end - header), 0);
}
