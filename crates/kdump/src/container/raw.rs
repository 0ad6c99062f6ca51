//! Raw images: a file that is physical memory from address 0 on.

use crate::container::extents::{Extent, Extents};
use crate::container::{Container, Pages};
use crate::memory::page::PAGE;
use crate::value::image_format::ImageFormat;

/// Where the RAM of virtual machines stops below 4 GiB to go on above it: VMware's and i440fx machines of QEMU from 2.0
/// on, q35 machines, Xen's and old i440fx ones, and Hyper-V's first generation.
const HOLES: [u64; 4] = [0xc000_0000, 0x8000_0000, 0xe000_0000, 0xf800_0000];
const FOUR_GIB: u64 = 1 << 32;

/// Takes a whole file for memory, frame for frame; else with one of the known holes left out.
pub(crate) fn read(len: u64, format: ImageFormat) -> Container {
    let (plain, _) = Extents::new(Extent::of_bytes(0, len, 0));
    let mut container = Container::new(format, Pages::Plain(plain));
    container.guesses = HOLES
        .into_iter()
        .filter(|&hole| len > hole)
        .filter_map(|hole| {
            let above = Extent::of_bytes(FOUR_GIB, len.saturating_sub(hole), hole)?;
            let (extents, _) = Extents::new([
                Extent {
                    base: 0,
                    count: hole / PAGE,
                    offset: 0,
                },
                above,
            ]);
            let words = format!("memory from file offset {hole:#x} on lies at physical address 100000000");
            Some((extents, words))
        })
        .collect();
    container
}
