//! Machines whose debugger output was published, as far as the output shows them.
//!
//! Source: csandker.io, 2022-05-24, "Offensive Windows IPC Internals 3: ALPC": WinDbg's views of two machines with
//! Windows 10. Every address and value that they print is here; the rest is invented around it. The identity and the
//! globals are those of some kernel of the generation, not of theirs.

use crate::address::Va;
use crate::world::{Built, Connection, ConnectionSpec, Message, Port, Process, Queue, Thread, World};

use super::{stopped_by_hand, system};

const KERNEL: &str = "win10-2004-2022-x64";

/// The author's own machine: a server that listens on `\FALPCPort`, and its client.
#[must_use]
pub fn alpc_sample() -> Built {
    let mut world = World::new(KERNEL, 2022);
    let system = system::boot(&mut world);
    let server = process(&mut world, 0xffff_810a_8e33_a080, 0x201c, "CPP-ALPC-Basic");
    let client = process(&mut world, 0xffff_810a_8c35_2080, 0x2d08, "CPP-ALPC-Basic");
    let root = world.root();
    let port = Port {
        address: Va(0xffff_810a_851b_1d20),
        communication_info: Va(0xffff_9106_9bda_cf40),
        owner: server,
        sequence_no: 1,
        ..Port::default()
    };
    let port = world.connection_port(port, root, "FALPCPort");
    let waiting = thread(&mut world, server, 0xffff_810a_8a12_6080, 0x384, 0x1_0029_1000);
    world.wait_on_port(waiting, port);
    let connection = connect(
        &mut world,
        port,
        client,
        0xffff_810a_810d_9c50,
        0xffff_810a_8130_bc50,
    );
    fill(&mut world, connection.client, Queue::Main, connection.server, 1);
    finish(world, system)
}

/// A virtual machine with the terminal server's port and the connections of a winlogon.
#[must_use]
pub fn terminal_server() -> Built {
    let mut world = World::new(KERNEL, 2020);
    let system = system::boot(&mut world);
    serve_terminals(&mut world, &system);
    let winlogon = process(&mut world, 0xffff_bb0f_858e_9080, 0x250, "winlogon.exe");
    let ntos = process(&mut world, 0xffff_bb0f_8206_f300, 0x5c, "System");
    let port = Port {
        address: Va(0xffff_bb0f_858d_c590),
        owner: winlogon,
        ..Port::default()
    };
    let port = world.connection_port(port, system.rpc_control, "WMsgKRpc049181");
    connect(
        &mut world,
        port,
        ntos,
        0xffff_bb0f_8425_5d10,
        0xffff_bb0f_82f3_dd10,
    );
    connect_winlogon(&mut world, &system, winlogon);
    finish(world, system)
}

fn serve_terminals(world: &mut World, system: &system::System) {
    let server = process(world, 0xffff_bb0f_876d_0340, 0x204, "svchost.exe");
    let completion_port = world.completion_port_at(Va(0xffff_bb0f_876a_fd00));
    for (address, tid, teb) in [
        (0xffff_bb0f_8a82_6080, 0x1948, 0x36_2ba5_4000),
        (0xffff_bb0f_853f_06c0, 0x1360, 0x36_2ba5_8000),
        (0xffff_bb0f_8211_a080, 0xdb4, 0x36_2ba5_a000),
    ] {
        let thread = thread(world, server, address, tid, teb);
        world.serve(thread, completion_port, true);
    }
    let port = Port {
        address: Va(0xffff_bb0f_877b_1090),
        communication_info: Va(0xffff_930a_6fc5_7890),
        owner: server,
        sequence_no: 13_478,
        completion_port,
        ..Port::default()
    };
    let port = world.connection_port(port, system.rpc_control, "TermSrvApi");
    let guest = process(world, 0xffff_bb0f_82f3_0140, 0x3f8, "VBoxService.exe");
    connect(world, port, guest, 0xffff_bb0f_87e3_6a00, 0xffff_bb0f_8796_8d40);
    let host = process(world, 0xffff_bb0f_876f_0480, 0x414, "svchost.exe");
    connect(world, port, host, 0xffff_bb0f_8a8c_97f0, 0xffff_bb0f_8a6b_bde0);
}

/// What winlogon is connected to: its port, the connection port with its name and the messages in its queues, the
/// server.
const CONNECTIONS: [(u64, u64, &str, usize, u64, &str); 13] = [
    (
        0xffff_bb0f_8584_fbd0,
        0xffff_bb0f_845d_dd40,
        "ApiPort",
        0,
        0xffff_bb0f_858c_1080,
        "csrss.exe",
    ),
    (
        0xffff_bb0f_8595_1070,
        0xffff_bb0f_858d_ab20,
        "lsasspirpc",
        0,
        0xffff_bb0f_8590_f100,
        "lsass.exe",
    ),
    (
        0xffff_bb0f_8763_67d0,
        0xffff_bb0f_858c_fd20,
        "ntsvcs",
        34,
        0xffff_bb0f_8590_8100,
        "services.exe",
    ),
    (
        0xffff_bb0f_8764_4530,
        0xffff_bb0f_8595_a810,
        "epmapper",
        0,
        0xffff_bb0f_859e_9340,
        "svchost.exe",
    ),
    (
        0xffff_bb0f_8773_ac60,
        0xffff_bb0f_8769_ea90,
        "LRPC-19740434a85e57dece",
        0,
        0xffff_bb0f_876c_b2c0,
        "svchost.exe",
    ),
    (
        0xffff_bb0f_8773_5ca0,
        0xffff_bb0f_8595_a310,
        "LRPC-d09fe7462b829698ce",
        0,
        0xffff_bb0f_8597_52c0,
        "svchost.exe",
    ),
    (
        0xffff_bb0f_8780_8c50,
        0xffff_bb0f_8769_f090,
        "DwmApiPort",
        0,
        0xffff_bb0f_8767_9080,
        "dwm.exe",
    ),
    (
        0xffff_bb0f_8780_7070,
        0xffff_bb0f_877a_f570,
        "ThemeApiPort",
        0,
        0xffff_bb0f_876c_b2c0,
        "svchost.exe",
    ),
    (
        0xffff_bb0f_820d_9980,
        0xffff_bb0f_877a_f570,
        "ThemeApiPort",
        0,
        0xffff_bb0f_876c_b2c0,
        "svchost.exe",
    ),
    (
        0xffff_bb0f_87cd_ec60,
        0xffff_bb0f_877b_1590,
        "LRPC-668375facce0e621b6",
        0,
        0xffff_bb0f_876c_b2c0,
        "svchost.exe",
    ),
    (
        0xffff_bb0f_87db_c9d0,
        0xffff_bb0f_877b_1310,
        "LRPC-5dda9535f44b592f4b",
        0,
        0xffff_bb0f_876c_b2c0,
        "svchost.exe",
    ),
    (
        0xffff_bb0f_87cd_fa00,
        0xffff_bb0f_8774_2a20,
        "IUserProfile2",
        0,
        0xffff_bb0f_876c_b2c0,
        "svchost.exe",
    ),
    (
        0xffff_bb0f_87bd_26d0,
        0xffff_bb0f_8797_1590,
        "senssvc",
        2,
        0xffff_bb0f_876c_b2c0,
        "svchost.exe",
    ),
];

fn connect_winlogon(world: &mut World, system: &system::System, winlogon: Va) {
    for (number, (client_port, port, name, queued, server, image)) in CONNECTIONS.into_iter().enumerate() {
        let pid = 0x1104 + 4 * crate::bytes::count(number);
        let server = known_process(world, server).unwrap_or_else(|| process(world, server, pid, image));
        let known = world.truth.ports.iter().any(|known| known.address == Va(port));
        if !known {
            let port = Port {
                address: Va(port),
                owner: server,
                ..Port::default()
            };
            world.connection_port(port, system.rpc_control, name);
        }
        let connection = connect(world, Va(port), winlogon, 0, client_port);
        fill(world, Va(port), Queue::Pending, connection.client, queued);
    }
}

fn known_process(world: &World, address: u64) -> Option<Va> {
    let mut processes = world.truth.processes.iter();
    processes
        .find(|process| process.address == Va(address))
        .map(|process| process.address)
}

fn process(world: &mut World, address: u64, pid: u64, image: &'static str) -> Va {
    world.process(Process {
        address: Va(address),
        pid,
        image,
        create_time: system::BOOT_TIME + pid,
        ..Process::default()
    })
}

fn thread(world: &mut World, process: Va, address: u64, tid: u64, teb: u64) -> Va {
    let thread = Thread {
        address: Va(address),
        tid,
        teb: Va(teb),
        ..Thread::default()
    };
    system::thread(world, process, thread)
}

fn connect(world: &mut World, to: Va, client: Va, server_port: u64, client_port: u64) -> Connection {
    world.connect(ConnectionSpec {
        to,
        client,
        client_port: Va(client_port),
        server_port: Va(server_port),
        pending: false,
    })
}

/// Messages in a queue of a port, sent through another one.
fn fill(world: &mut World, port: Va, queue: Queue, owner_port: Va, count: usize) {
    for _ in 0..count {
        let message = world.message(Message {
            type_word: crate::world::message::kind::REQUEST,
            data_length: 0x20,
            owner_port,
            ..Message::default()
        });
        world.enqueue(message, queue, port);
    }
}

fn finish(world: World, system: system::System) -> Built {
    world.compile(|world, header| {
        header.rip = world.code(0x42);
        header.rsp = system.idle_stack(world);
        stopped_by_hand(world, header);
    })
}
