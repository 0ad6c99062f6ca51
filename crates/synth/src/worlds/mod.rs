//! Whole worlds: the published case, and one general world for each kernel of the layout extract.

pub mod bombs;
mod crowd;
mod debugger;
mod explorer;
pub mod hang;
mod ports;
mod published;
pub mod rpc;
pub mod stacks;
mod system;

pub use debugger::{alpc_sample, terminal_server};
pub use explorer::explorer_x86;
pub use published::{vista_sp2_x64, vista_sp2_x64_over};

use crate::dump::{Bugcheck, Header};
use crate::machine::Machine;
use crate::memory::Backing;
use crate::world::{Built, World};

/// The general world of a kernel: every kind of port, queue, message, wait and resource that its generation has.
///
/// Every page is 4 KiB and in the dump; a frame in transition is among them.
///
/// # Panics
/// Where the layout extract has no kernel of this name.
#[must_use]
pub fn standard(kernel: &str) -> Built {
    standard_with(kernel, |_| ())
}

/// As [`standard`], changed by `change` before it is laid out.
#[must_use]
pub fn standard_with(kernel: &str, change: impl FnOnce(&mut World)) -> Built {
    laid_out(World::new(kernel, 0x5eed), change)
}

/// As [`standard`], on a machine of `frames` frames, scattered over all of it.
#[must_use]
pub fn standard_over(kernel: &str, frames: u64) -> Built {
    let mut world = World::new(kernel, 0x5eed);
    world.spread(frames);
    laid_out(world, |_| ())
}

fn laid_out(mut world: World, change: impl FnOnce(&mut World)) -> Built {
    let system = system::boot(&mut world);
    crowd::populate(&mut world, &system);
    change(&mut world);
    let mut built = world.compile(|world, header| {
        header.rip = world.code(0x42);
        header.rsp = system.idle_stack(world);
        stopped_by_hand(world, header);
    });
    put_in_transition(&mut built);
    built
}

/// The general world of a 32-bit kernel on a machine without PAE: page-table entries of four bytes, and the kernel's
/// image in pages of 4 MiB.
///
/// # Panics
/// Where the layout extract has no kernel of this name.
#[must_use]
pub fn without_pae(kernel: &str) -> Built {
    standard_with(kernel, |world| {
        world.machine = Machine::X86;
        world.map_image_with_large_pages();
    })
}

/// The general world with holes of every sort: pages of messages, ports, threads, names and handle tables that are
/// paged out, never touched, behind prototype entries, or whose frames the dump has not.
///
/// [`Built::is_readable`] tells what is left of the truth.
#[must_use]
pub fn with_holes(kernel: &str) -> Built {
    let mut built = standard(kernel);
    let truth = &built.truth;
    let lost = [
        (truth.messages[1].address, Backing::PageFile),
        (truth.messages[8].address, Backing::DemandZero),
        (truth.communication_infos[12].address, Backing::Prototype),
        (truth.ports[9].address, Backing::LeftOut),
        (truth.threads[7].address, Backing::LeftOut),
        (truth.processes[5].object_table, Backing::PageFile),
    ];
    for (address, backing) in lost {
        built.memory.set_backing(address, backing);
    }
    built
}

/// A page on its way out of memory is still readable, though its entry is not valid.
fn put_in_transition(built: &mut Built) {
    let page = built.truth.messages[3].address;
    built.memory.set_backing(page, Backing::Transition);
}

/// A machine that somebody stopped from the keyboard (MANUALLY_INITIATED_CRASH).
fn stopped_by_hand(world: &World, header: &mut Header) {
    header.processors = 4;
    header.bugcheck = Bugcheck {
        code: 0xe2,
        parameters: [0; 4],
    };
    header.system_up_time = world.truth.tick_count * u64::from(world.truth.time_increment);
    header.system_time = system::BOOT_TIME + header.system_up_time;
    header.exception = (0x8000_0003, header.rip);
}
