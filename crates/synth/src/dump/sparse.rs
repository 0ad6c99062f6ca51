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
    let claims = machine_memory(bytes);
    let header = Header {
        memory: claims.clone(),
        ..header.clone()
    };
    write_claims(&mut File::create(path)?, kind, &header, memory, &claims)
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
