//! The published case: a Windows Server 2008 SP2 whose service host waits for another one.
//!
//! Source: dumpanalysis.org, 2009-03-20, "Advanced Local Procedure Call" (the output of `!process 0 ff` for one
//! thread and of `!alpc /M` for its message). Every address and value that the post prints is here; the rest is
//! invented around it. The kernel's identity and the addresses of its globals are this crate's own, for no list of
//! Vista's symbols is at hand.

use crate::address::Va;
use crate::world::message::kind;
use crate::world::{Built, ConnectionSpec, Message, Port, Queue, Thread, World};

use super::{crowd, put_in_transition, stopped_by_hand, system};

/// The message that `!alpc /M` shows.
const MESSAGE: Va = Va(0xffff_f880_0f4c_c950);
/// The thread that waits for its reply.
const WAITING_THREAD: Va = Va(0xffff_fa80_1afa_e6f0);
/// The port where it is queued.
const PORT: Va = Va(0xffff_fa80_17db_b060);
/// The process that owns that port.
const SERVER: Va = Va(0xffff_fa80_1807_b8f0);
/// The port it was sent through.
const CLIENT_PORT: Va = Va(0xffff_fa80_18a9_5e60);
/// The thread that received it.
const SERVER_THREAD: Va = Va(0xffff_fa80_1aee_c060);

/// The world of the published case.
#[must_use]
pub fn vista_sp2_x64() -> Built {
    vista_sp2_x64_over(0)
}

/// The world of the published case on a machine of `frames` frames, scattered over all of it.
#[must_use]
pub fn vista_sp2_x64_over(frames: u64) -> Built {
    let mut world = World::new("vista-sp2-x64", 2009);
    world.spread(frames);
    world.truth.tick_count = 17_557_056;
    let system = system::boot_with(&mut world, SERVER);
    publish(&mut world, &system);
    crowd::populate(&mut world, &system);
    // The threads that others wait for have been running a moment ago: their stacks are still there.
    for tid in [0x5d4, 0x25c] {
        let threads = &world.truth.threads;
        let thread = threads.iter().find(|thread| thread.tid == tid);
        let address = thread.expect("made before").address;
        system::give_stack(&mut world, address);
    }
    world.map_image_with_large_pages();
    let mut built = world.compile(|world, header| {
        header.rip = world.code(0x2e0);
        header.rsp = system.idle_stack(world);
        stopped_by_hand(world, header);
        header.product_type = 3;
        header.comment = "Service host waits for a reply; written by synth";
    });
    put_in_transition(&mut built);
    built
}

fn publish(world: &mut World, system: &system::System) {
    let port = Port {
        address: PORT,
        owner: SERVER,
        sequence_no: 0x4_d4d9,
        ..Port::default()
    };
    world.connection_port(port, system.rpc_control, "IUserProfile2");
    let connection = world.connect(ConnectionSpec {
        to: PORT,
        client: system.rpc,
        client_port: CLIENT_PORT,
        ..ConnectionSpec::default()
    });
    world.port_mut(connection.client).port_context = Va(0x0257_c010);
    world.port_mut(connection.server).port_context = Va(0x0030_d640);
    make_threads(world, system);
    send(world);
}

/// The thread that waits, and the one that received its message and waits for something else.
fn make_threads(world: &mut World, system: &system::System) {
    let waiting = Thread {
        address: WAITING_THREAD,
        tid: 0x3c40,
        teb: Va(0x7ff_fffa_0000),
        ..Thread::default()
    };
    system::thread(world, system.rpc, waiting);
    let serving = Thread {
        address: SERVER_THREAD,
        tid: 0x5d4,
        wait_mode: 1,
        ..Thread::default()
    };
    system::thread(world, SERVER, serving);
    let busy = world.event(None);
    world.handle(SERVER, busy, 0x1f_0003);
    world.wait_on(SERVER_THREAD, busy);
}

fn send(world: &mut World) {
    let message = world.message(Message {
        address: MESSAGE,
        id: 0x0bfc,
        callback_id: 0x1f_ef27,
        sequence_no: 0x4_d4d4,
        type_word: kind::REQUEST | kind::CONTINUATION_REQUIRED,
        data_length: 0x68,
        total_length: 0x90,
        client_id: (0x33c, 0x3c40),
        owner_port: CLIENT_PORT,
        server_thread: SERVER_THREAD,
        flags: ["ReceiverReference"].into(),
        client_context: Va(0x0255_99e0),
        port_context: Va(0x0030_d640),
        payload: crowd::payload(0x68),
        ..Message::default()
    });
    world.enqueue(message, Queue::Pending, PORT);
    world.wait_for_reply(WAITING_THREAD, message);
}
