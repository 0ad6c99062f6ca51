//! The kernel's image in an address space that may be the system's.

use crate::container::processor::Processor;
use crate::image::{KernelImage, MZ, image_at};
use crate::memory::cursor::Cursor;
use crate::memory::error::{FrameUse, ReadError};
use crate::memory::level::Level;
use crate::memory::page::PAGE;
use crate::memory::paging::Paging;
use crate::memory::space::AddressSpace;
use crate::value::address::Gva;

/// How far below an address in the kernel its image may begin.
const REACH: u64 = 64 << 20;
/// How many mapped pages are looked at before a search gives up: 16 GiB of them.
const MOST_PAGES: u64 = 4 << 20;
/// How many steps over what is not mapped.
const MOST_STEPS: u64 = 16 << 20;

/// The kernel at an address, by the name of its PDB.
pub(crate) fn at(space: &AddressSpace<'_>, base: Gva) -> Option<KernelImage> {
    image_at(&space.cursor(), base)
        .ok()
        .filter(KernelImage::is_kernel)
}

/// Addresses in the kernel that a processor knows: what divides by zero, what system calls enter, where it stood.
pub(crate) fn near(space: &AddressSpace<'_>, processor: &Processor) -> Vec<Gva> {
    let cursor = space.cursor();
    let handler = processor.idt.and_then(|idt| first_handler(&cursor, idt));
    let stood = processor.context.map(|context| context.rip);
    [handler, processor.lstar, stood]
        .into_iter()
        .flatten()
        .filter(|address| address.u64() >> 63 != 0)
        .collect()
}

/// The handler of the first gate: bits 0 to 15 in bytes 0 and 1, 16 to 31 in 6 and 7, 32 to 63 in 8 to 11 (Intel SDM,
/// volume 3, 6.14.1).
fn first_handler(cursor: &Cursor<'_>, idt: Gva) -> Option<Gva> {
    let gate = |offset: u64| Gva::new(idt.u64().wrapping_add(offset));
    let low = u64::from(cursor.u16(gate(0)).ok()?);
    let middle = u64::from(cursor.u16(gate(6)).ok()?);
    let high = u64::from(cursor.u32(gate(8)).ok()?);
    Some(Gva::new(low | (middle << 16) | (high << 32)))
}

/// Finds the kernel: below the addresses `near` it, else among all pages where kernels are.
pub(crate) fn search(space: &AddressSpace<'_>, paging: Paging, near: &[Gva]) -> Option<KernelImage> {
    let cursor = space.cursor();
    for &address in near {
        let from = address.page_align().u64();
        for down in 0..(REACH / PAGE) {
            let base = Gva::new(from.wrapping_sub(down.saturating_mul(PAGE)));
            if let Some(image) = kernel_at(&cursor, base) {
                return Some(image);
            }
        }
    }
    // The kernel is in the 512 GiB from fffff80000000000 on: up to Windows 8 right below its middle, since at random.
    // That of x86 is in the upper half.
    let (mut at, end) = match paging.pointer_width() {
        4 => (0x8000_0000, 0x1_0000_0000),
        _ => (0xffff_f800_0000_0000, 0xffff_f880_0000_0000_u64),
    };
    let (mut looked, mut steps) = (0_u64, 0_u64);
    while at < end && looked < MOST_PAGES && steps < MOST_STEPS {
        steps = steps.saturating_add(1);
        let gva = Gva::new(at);
        let step = match space.translate(gva) {
            Ok(_) => {
                looked = looked.saturating_add(1);
                if let Some(image) = kernel_at(&cursor, gva) {
                    return Some(image);
                }
                PAGE
            }
            Err(error) => unmapped(&error, paging),
        };
        at = (at & !step.saturating_sub(1)).saturating_add(step);
    }
    None
}

/// How many bytes an entry is for that leads nowhere.
fn unmapped(error: &ReadError, paging: Paging) -> u64 {
    let level = match error {
        ReadError::NotPresent { level, .. } => *level,
        // The table that would have the entry is missing: all that it is for.
        ReadError::NotInDump {
            what: FrameUse::Table(level),
            ..
        }
        | ReadError::OutOfFile {
            what: FrameUse::Table(level),
            ..
        }
        | ReadError::Damaged {
            what: FrameUse::Table(level),
            ..
        } => above(*level),
        _ => Level::Pte,
    };
    match (level, paging) {
        (Level::Pte, _) => PAGE,
        (Level::Pde, Paging::X86) => 4 << 20,
        (Level::Pde, _) => 2 << 20,
        (Level::Pdpte, _) => 1 << 30,
        (Level::Pml4e, _) => 1 << 39,
        (Level::Pml5e, _) => 1 << 48,
    }
}

fn above(level: Level) -> Level {
    match level {
        Level::Pte => Level::Pde,
        Level::Pde => Level::Pdpte,
        Level::Pdpte => Level::Pml4e,
        Level::Pml4e | Level::Pml5e => Level::Pml5e,
    }
}

fn kernel_at(cursor: &Cursor<'_>, base: Gva) -> Option<KernelImage> {
    // Drivers begin with it as well.
    if cursor.u16(base).ok()? != MZ {
        return None;
    }
    image_at(cursor, base).ok().filter(KernelImage::is_kernel)
}
