//! The low stub: what Windows on x64 leaves in the first megabyte to start the other processors with.
//!
//! `PROCESSOR_START_BLOCK`, aligned to a page: a jump at 0, with CompletionFlag and the block's flags in the bytes behind
//! it; LmTarget, an address of the kernel, at 0x70; CR3 at 0xa0. Sources: MemProcFS's vmmwininit.c, memflow-win32, the
//! structure in the Windows SDK (ksamd64.inc). Absent where one processor was started by other means.

use crate::memory::physical::{PhysicalMemory, read_in_frame};
use crate::value::address::{Gpa, Gva};
use crate::value::le;

/// A block found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stub {
    /// Its physical address.
    pub(crate) at: u64,
    /// CR3 as processors are started with it.
    pub(crate) cr3: u64,
    /// An address in the kernel.
    pub(crate) kernel: Gva,
}

/// All blocks below 640 KiB.
pub(crate) fn all(memory: &dyn PhysicalMemory) -> Vec<Stub> {
    let at = |page: u64| page << 12;
    (1..0xa0).map(at).filter_map(|at| one(memory, at)).collect()
}

fn one(memory: &dyn PhysicalMemory, at: u64) -> Option<Stub> {
    let mut block = [0; 0xa8];
    read_in_frame(memory, Gpa::new(at), &mut block).ok()?;
    let field = |offset| le::u64(&block, offset).unwrap_or_default();
    let (head, target, cr3) = (field(0), field(0x70), field(0xa0));
    let is_block = head & 0xffff_ffff_ffff_00ff == 0x0000_0001_0006_00e9
        && target & 0xffff_f800_0000_0003 == 0xffff_f800_0000_0000
        && cr3 & 0xffff_ff00_0000_0fff == 0
        && cr3 != 0;
    is_block.then_some(Stub {
        at,
        cr3,
        kernel: Gva::new(target),
    })
}
