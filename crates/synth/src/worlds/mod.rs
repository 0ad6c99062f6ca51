//! Whole worlds: the published case, and one general world for each kernel of the layout extract.

mod crowd;
mod ports;
mod published;
mod system;

pub use published::vista_sp2_x64;

use crate::dump::{Bugcheck, Header};
use crate::world::{Built, World};

/// The general world of a kernel: every kind of port, queue, message, wait and resource that its generation has.
///
/// # Panics
/// Where the layout extract has no kernel of this name.
#[must_use]
pub fn standard(kernel: &str) -> Built {
    let mut world = World::new(kernel, 0x5eed);
    let system = system::boot(&mut world);
    crowd::populate(&mut world, &system);
    world.map_image_with_large_pages();
    world.compile(|world, header| {
        header.rip = world.code(0x42);
        header.rsp = system.idle_stack(world);
        stopped_by_hand(world, header);
    })
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
