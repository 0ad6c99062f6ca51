//! Raw images, and LiME's ranges.

use super::Machine;
use crate::address::PAGE_SIZE;
use crate::bytes::index;

/// All memory from address 0 on; frames that are not there are zeros.
#[must_use]
pub fn raw(machine: Machine<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (frame, page) in machine.memory.frames() {
        out.resize(index(frame.address()), 0);
        out.extend_from_slice(page);
    }
    out
}

/// As [`raw`], of a machine whose memory from `hole` on is at 4 GiB: the file goes on without a gap.
#[must_use]
pub fn raw_over_hole(machine: Machine<'_>, hole: u64) -> Vec<u8> {
    let mut out = Vec::new();
    for (frame, page) in machine.memory.frames() {
        let at = match frame.address() {
            above if above >= 1 << 32 => above - (1 << 32) + hole,
            below => below,
        };
        out.resize(index(at), 0);
        out.extend_from_slice(page);
    }
    out
}

/// A header of 0x20 bytes before each run of frames.
#[must_use]
pub fn lime(machine: Machine<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for run in machine.memory.runs() {
        let (start, len) = (run.base.address(), run.count * PAGE_SIZE);
        out.extend_from_slice(b"EMiL\x01\0\0\0");
        out.extend(start.to_le_bytes());
        out.extend((start + len - 1).to_le_bytes());
        out.extend([0; 8]);
        for frame in run.base.0..run.end().0 {
            let page = machine.memory.frame(crate::address::Pfn(frame));
            out.extend_from_slice(page.expect("frames of a run are there"));
        }
    }
    out
}
