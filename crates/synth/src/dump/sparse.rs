//! Dump files of a large machine that take little room on disk: what no world wrote is a hole in the file.

use std::fs::File;
use std::io;
use std::path::Path;

use super::{Header, Kind, write_claims};
use crate::address::{PAGE_SIZE, Pfn};
use crate::physical::{PhysicalMemory, Run};

/// Writes a dump of `kind` at `path` that claims all of a machine's `bytes` of memory, with `memory` at its frames.
///
/// The bitmap of a bitmap dump has every bit of the machine's memory set.
///
/// # Errors
/// Whatever creating, sizing or writing the file fails with.
pub fn write_sparse(
    path: &Path,
    kind: Kind,
    header: &Header,
    memory: &PhysicalMemory,
    bytes: u64,
) -> io::Result<()> {
    write_machine(path, kind, header, memory, &machine_memory(bytes), None)
}

/// The same as kind 0xA, the machine's memory cut into about `ranges` ranges that touch.
///
/// # Errors
/// As [`write_sparse`].
pub fn write_sparse_ranges(
    path: &Path,
    header: &Header,
    memory: &PhysicalMemory,
    bytes: u64,
    ranges: u64,
) -> io::Result<()> {
    let machine = machine_memory(bytes);
    let length = (bytes / PAGE_SIZE).div_ceil(ranges);
    let claims: Vec<Run> = machine.iter().flat_map(|&run| cut(run, length)).collect();
    write_machine(
        path,
        Kind::CompleteRanges,
        header,
        memory,
        &machine,
        Some(&claims),
    )
}

/// Pieces of a run, `length` frames each but for the last.
fn cut(run: Run, length: u64) -> impl Iterator<Item = Run> {
    (0..run.count.div_ceil(length)).map(move |piece| Run {
        base: Pfn(run.base.0 + piece * length),
        count: length.min(run.count - piece * length),
    })
}

fn write_machine(
    path: &Path,
    kind: Kind,
    header: &Header,
    memory: &PhysicalMemory,
    machine: &[Run],
    claims: Option<&[Run]>,
) -> io::Result<()> {
    let header = Header {
        memory: machine.to_vec(),
        ..header.clone()
    };
    let file = &mut File::create(path)?;
    write_claims(file, kind, &header, memory, claims.unwrap_or(machine))
}

/// The runs of a machine with `bytes` of memory: without frame 0, and with the usual hole below 1 MiB.
#[must_use]
pub(crate) fn machine_memory(bytes: u64) -> Vec<Run> {
    let frames = bytes / PAGE_SIZE;
    vec![
        Run {
            base: Pfn(1),
            count: 0x9e,
        },
        Run {
            base: Pfn(0x100),
            count: frames - 0x100,
        },
    ]
}
