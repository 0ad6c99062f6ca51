//! A 32-bit Windows 8 whose Explorer does not answer.
//!
//! Source: The Old New Thing, 2013-02-15, "Debug session: Why is an LPC server not responding?" (the output of
//! `!alpc /m` and `!process`). Every address and value that the post prints is here; the rest is invented around it.

use crate::address::Va;
use crate::world::message::kind;
use crate::world::{Built, ConnectionSpec, Message, Port, Process, Queue, Thread, World};

use super::{stopped_by_hand, system};

/// An address of the post; worlds keep them sign-extended.
const fn at(address: u32) -> Va {
    Va(0xffff_ffff_0000_0000 | address as u64)
}

const MESSAGE: Va = at(0x9c14_d020);
const EXPLORER: Va = at(0x8462_09c0);
const PORT: Va = at(0x8464_6730);
const CLIENT_PORT: Va = at(0x82bb_9db8);
const WAITING_THREAD: Va = at(0x8345_53c0);
const SECURITY_DATA: Va = at(0x962f_89b8);

/// The world of the post.
#[must_use]
pub fn explorer_x86() -> Built {
    let mut world = World::new("win8-x86", 2013);
    let system = system::boot(&mut world);
    let explorer = world.process(Process {
        address: EXPLORER,
        pid: 0x804,
        parent_pid: 0x724,
        image: "explorer.exe",
        peb: Va(0x7fba_c000),
        create_time: system::BOOT_TIME + 1,
        ..Process::default()
    });
    let port = Port {
        address: PORT,
        owner: explorer,
        sequence_no: 0x17,
        ..Port::default()
    };
    world.connection_port(port, system.rpc_control, "OLE0C1DA1B2");
    let connection = world.connect(ConnectionSpec {
        to: PORT,
        client: system.application,
        client_port: CLIENT_PORT,
        ..ConnectionSpec::default()
    });
    world.security_data_at(SECURITY_DATA, connection.client, system.application);
    let waiting = Thread {
        address: WAITING_THREAD,
        tid: 0xb58,
        ..Thread::default()
    };
    system::thread(&mut world, system.application, waiting);
    send(&mut world);
    world.compile(|world, header| {
        header.rip = world.code(0x42);
        header.rsp = system.idle_stack(world);
        stopped_by_hand(world, header);
    })
}

/// The request that nobody has received.
fn send(world: &mut World) {
    let message = world.message(Message {
        address: MESSAGE,
        id: 0x274,
        callback_id: 0xcca5,
        sequence_no: 0x16,
        type_word: kind::REQUEST | kind::CONTINUATION_REQUIRED,
        data_length: 0x94,
        total_length: 0xac,
        owner_port: CLIENT_PORT,
        client_context: Va(0x02a5_6b80),
        port_context: Va(0x0701_ea20),
        security_data: SECURITY_DATA,
        ..Message::default()
    });
    world.enqueue(message, Queue::Main, PORT);
    world.wait_for_reply(WAITING_THREAD, message);
}
