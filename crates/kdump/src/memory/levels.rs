//! How the page tables of a machine are formed: what its source of memory leaves open is tried.

use crate::memory::paging::Paging;
use crate::memory::physical::{Known, PhysicalMemory};
use crate::memory::space::AddressSpace;
use crate::value::address::Gva;
use crate::value::machine::Machine;

/// Finds how the page tables of a machine are formed.
///
/// PaeEnabled says which of two forms those of x86 have, when it was written. That x64 tables have five levels is
/// said by bit 12 of CR4, which no header holds. So both are tried on what must be mapped: the heads of the
/// kernel's lists of processes and modules. Read with the wrong number of levels, an address is not canonical or
/// leads astray.
pub(crate) fn paging(memory: &dyn PhysicalMemory) -> Paging {
    let known = memory.known();
    let candidates = candidates(&known);
    let first = candidates.first().copied().unwrap_or(Paging::X64);
    if candidates.len() < 2 {
        return first;
    }
    // A list that leads back tells more than an address that translates, but its page may be missing.
    let by = |believes: fn(&AddressSpace<'_>, Gva) -> bool| {
        candidates.iter().copied().find(|&paging| {
            let root = known.directory_table_base.unwrap_or_default();
            let space = AddressSpace::of(memory, paging, root);
            known.lists.iter().any(|&head| believes(&space, head))
        })
    };
    by(is_list).or_else(|| by(translates)).unwrap_or(first)
}

/// What the tables may be, the most likely first.
fn candidates(known: &Known) -> &'static [Paging] {
    match known.machine {
        Some(Machine::Arm64) => &[Paging::Arm64],
        Some(Machine::I386) => match known.pae {
            Some(true) => &[Paging::Pae],
            Some(false) => &[Paging::X86],
            // Windows for x86 runs with PAE wherever the processor can forbid execution, even with little
            // memory: the no-execute bit exists only in entries of 8 bytes (Windows Internals).
            None => &[Paging::Pae, Paging::X86],
        },
        // Five levels have a kernel of their own, ntkrla57.exe: 767 of the 3,658 amd64 kernels in System
        // Informer's table of offsets.
        _ => &[Paging::X64, Paging::La57],
    }
}

fn translates(space: &AddressSpace<'_>, gva: Gva) -> bool {
    space.translate(gva).is_ok()
}

/// Whether the first entry of the `_LIST_ENTRY` at `head` leads back to it.
fn is_list(space: &AddressSpace<'_>, head: Gva) -> bool {
    let cursor = space.cursor();
    let back = |first: Gva| {
        let blink = first.u64().checked_add(space.pointer_width().into())?;
        cursor.pointer(Gva::new(blink)).ok()
    };
    cursor.pointer(head).ok().and_then(back) == Some(head)
}
