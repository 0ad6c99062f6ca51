//! The catalogue: one of everything that ALPC does, each made by one function.

use crate::address::Va;
use crate::world::message::kind;
use crate::world::{BlobId, Connection, ConnectionSpec, Message, Port, Queue, Thread, World};

use super::ports;
use super::system::{System, idle_thread, thread};

/// Fills a booted system with everything that its kernel's generation has.
pub(super) fn populate(world: &mut World, system: &System) {
    ports::make_known(world, system);
    ports::make_odd(world, system);
    let lsa = ports::make(world, system.lsass, system.rpc_control, "lsasspirpc");
    wait_queue(world, system, lsa);
    chain(world, system, lsa);
    unreceived(world, system, lsa);
    without_waiter(world, system);
    replies(world, system, lsa);
    direct(world, system, lsa);
    connections(world, system);
    closed(world, system);
    canceled(world, system, lsa);
    resources(world, system, lsa);
    completion_port(world, system);
    suspended(world, system, lsa);
    stale(world, system);
    port_states(world, system);
    exited(world, system);
    many_handles(world, system);
    history(world);
    secondary_table(world, system);
    let port = ports::by_name(world, "Completes");
    world.completion_list(port);
}

/// Bytes that a reader recognises by their place.
pub(super) fn payload(length: u8) -> Vec<u8> {
    (0..length).map(|i| i ^ 0xa5).collect()
}

/// A client of `to` with a thread of its own.
struct Caller {
    connection: Connection,
    thread: Va,
}

fn caller(world: &mut World, client: Va, to: Va, tid: u64) -> Caller {
    let connection = world.connect(ConnectionSpec {
        to,
        client,
        ..ConnectionSpec::default()
    });
    let thread = thread(
        world,
        client,
        Thread {
            tid,
            wait_mode: 1,
            ..Thread::default()
        },
    );
    Caller { connection, thread }
}

fn sender(world: &World, thread: Va) -> (u64, u64) {
    let thread = world.truth.thread(thread);
    (thread.pid, thread.tid)
}

/// A synchronous request of `caller` in `queue` of the connection port, the caller waiting for its reply.
fn request(world: &mut World, caller: &Caller, queue: Queue, server_thread: Va) -> Va {
    let to = world
        .truth
        .communication_info(caller.connection.info)
        .connection_port;
    let sequence_no = world.truth.port(to).sequence_no;
    let message = world.message(Message {
        type_word: kind::REQUEST | kind::CONTINUATION_REQUIRED,
        data_length: 0x40,
        sequence_no,
        callback_id: 0x2000 + u32::try_from(world.truth.messages.len()).expect("few"),
        client_id: sender(world, caller.thread),
        owner_port: caller.connection.client,
        server_thread,
        client_context: Va(0x0219_0040),
        quota_process: world.truth.thread(caller.thread).process,
        payload: payload(0x40),
        ..Message::default()
    });
    world.port_mut(to).sequence_no += 1;
    world.enqueue(message, queue, to);
    world.wait_for_reply(caller.thread, message);
    message
}

/// Threads that wait on a port for a message.
fn wait_queue(world: &mut World, system: &System, lsa: Va) {
    for tid in [0x250, 0x254, 0x258] {
        let thread = thread(
            world,
            system.lsass,
            Thread {
                tid,
                name: "LSA worker",
                ..Thread::default()
            },
        );
        world.wait_on_port(thread, lsa);
    }
}

/// Explorer waits for a service, which waits for LSA, whose thread waits for an event.
fn chain(world: &mut World, system: &System, lsa: Va) {
    let service = ports::by_name(world, "senssvc");
    let first = caller(world, system.explorer, service, 0x8e0);
    let second = caller(world, system.netsvcs, lsa, 0x454);
    let last = idle_thread(world, system.lsass, 0x25c);
    let received = request(world, &first, Queue::Pending, second.thread);
    request(world, &second, Queue::Pending, last);
    world.message_mut(received).flags.insert("ReceiverReference");
}

/// Synchronous requests that nobody has received: in the main queue, and one too long for the receivers.
fn unreceived(world: &mut World, system: &System, lsa: Va) {
    for tid in [0x8e8, 0x8ec] {
        let caller = caller(world, system.explorer, lsa, tid);
        request(world, &caller, Queue::Main, Va::NULL);
    }
    let caller = caller(world, system.application, lsa, 0xb58);
    let message = request(world, &caller, Queue::Large, Va::NULL);
    world.extend(message, &payload(0xf0).repeat(4));
}

/// A datagram, and asynchronous requests: one not received, one pending.
fn without_waiter(world: &mut World, system: &System) {
    let service = ports::by_name(world, "ntsvcs");
    let caller = caller(world, system.application, service, 0xb5c);
    let event = world.event(None);
    world.wait_on(caller.thread, event);
    let server = idle_thread(world, system.services, 0x264);
    for (type_word, queue, server_thread) in [
        (kind::DATAGRAM, Queue::Main, Va::NULL),
        (kind::REQUEST | kind::CONTINUATION_REQUIRED, Queue::Main, Va::NULL),
        (
            kind::REQUEST | kind::CONTINUATION_REQUIRED,
            Queue::Pending,
            server,
        ),
    ] {
        let message = asynchronous(world, &caller, type_word);
        world.message_mut(message).server_thread = server_thread;
        world.enqueue(message, queue, service);
    }
}

fn asynchronous(world: &mut World, caller: &Caller, type_word: u16) -> Va {
    world.message(Message {
        type_word,
        data_length: 0x18,
        sequence_no: 3,
        client_id: sender(world, caller.thread),
        owner_port: caller.connection.client,
        client_context: Va(0x0042_1100),
        payload: payload(0x18),
        ..Message::default()
    })
}

/// Replies in a client port's main queue, one of them in no queue any more, and a datagram of the server.
fn replies(world: &mut World, system: &System, lsa: Va) {
    let caller = caller(world, system.explorer, lsa, 0x8f0);
    let Connection { client, server, .. } = caller.connection;
    for (type_word, flag) in [(kind::REPLY, "ReplyWaitReply"), (kind::DATAGRAM, "SharedQuota")] {
        let message = world.message(Message {
            type_word,
            data_length: 0x20,
            sequence_no: 0x11,
            owner_port: server,
            server_context: Va(0x0071_0020),
            flags: [flag].into(),
            ..Message::default()
        });
        world.enqueue(message, Queue::Main, client);
    }
    world.message(Message {
        type_word: kind::REPLY,
        data_length: 8,
        owner_port: client,
        flags: ["ReleaseMessage"].into(),
        ..Message::default()
    });
}

/// A message of the direct queue, where ports have one.
fn direct(world: &mut World, system: &System, lsa: Va) {
    if !world.has("_ALPC_PORT", "DirectQueue") {
        return;
    }
    let caller = caller(world, system.netsvcs, lsa, 0x458);
    let message = request(world, &caller, Queue::Direct, Va::NULL);
    world.message_mut(message).direct_event = 3;
    world.message_mut(message).work_on_behalf = 0x0000_0458_0000_0001;
}

/// A connection that the server has not accepted, with its request, and one that it refused.
fn connections(world: &mut World, system: &System) {
    let to = ports::by_name(world, "epmapper");
    let pending = world.connect(ConnectionSpec {
        to,
        client: system.application,
        pending: true,
        ..ConnectionSpec::default()
    });
    let waiting = thread(
        world,
        system.application,
        Thread {
            tid: 0xb60,
            ..Thread::default()
        },
    );
    let message = world.message(Message {
        type_word: kind::CONNECTION_REQUEST | kind::CONTINUATION_REQUIRED,
        data_length: 0x30,
        client_id: sender(world, waiting),
        owner_port: pending.client,
        ..Message::default()
    });
    world.enqueue(message, Queue::Main, to);
    world.wait_for_reply(waiting, message);
    let refused = world.connect(ConnectionSpec {
        to,
        client: system.explorer,
        pending: true,
        ..ConnectionSpec::default()
    });
    world.refuse(refused);
}

/// Ports whose owner closed them: a client's and a server's.
fn closed(world: &mut World, system: &System) {
    let to = ports::by_name(world, "OrderEntry");
    for client in [system.explorer, system.netsvcs] {
        let connection = world.connect(ConnectionSpec {
            to,
            client,
            ..ConnectionSpec::default()
        });
        world.close(if client == system.explorer {
            connection.client
        } else {
            connection.server
        });
    }
}

/// A request given up while its reply is outstanding, so that it is in two queues, and one in the canceled queue alone.
fn canceled(world: &mut World, system: &System, lsa: Va) {
    let caller = caller(world, system.application, lsa, 0xb64);
    let event = world.event(None);
    let pending = request(world, &caller, Queue::Pending, Va::NULL);
    forget_wait(world, caller.thread, event);
    world.cancel(pending, lsa);
    let only = asynchronous(world, &caller, kind::REQUEST | kind::CONTINUATION_REQUIRED);
    world.cancel(only, lsa);
}

/// The thread went on to wait for `event`; the message has no waiter any more, the thread still its address.
fn forget_wait(world: &mut World, thread: Va, event: Va) {
    let record = world.thread_mut(thread);
    let message = record.alpc_wait.take();
    record.wait_reason = 6;
    world.wait_on(thread, event);
    if let Some(message) = message {
        world.message_mut(message).waiting_thread = Va::NULL;
    }
}

/// A reserve in use and an idle one, a section with two regions viewed in two processes, security and handle data.
fn resources(world: &mut World, system: &System, lsa: Va) {
    let caller = caller(world, system.netsvcs, lsa, 0x45c);
    let Connection { client, server, .. } = caller.connection;
    let message = request(world, &caller, Queue::Main, Va::NULL);
    world.reserve(client, message, true);
    let spare = world.message(Message {
        type_word: kind::DATAGRAM,
        id: 0x8000_0010,
        not_in_table: true,
        owner_port: client,
        ..Message::default()
    });
    world.reserve(client, spare, false);
    let section = world.section(client, 0x4_0000);
    for (offset, base) in [(0, 0x0160_0000), (0x1_0000, 0x0170_0000)] {
        let region = world.region(section, offset, 0x1_0000);
        let view = world.view(region, client, Va(base), true);
        world.view(region, server, Va(base + 0x0a00_0000), false);
        world.message_mut(message).view = view;
    }
    let security = world.security_data(server, system.netsvcs);
    let handles = world.handle_data(3, 1);
    let message = world.message_mut(message);
    message.security_data = security;
    message.handle_data = handles;
    message.port_context = Va(0x0055_2000);
    message.server_context = Va(0x0066_3000);
}

/// A port served through a completion port: one thread waits there, another runs a request.
fn completion_port(world: &mut World, system: &System) {
    let port = ports::by_name(world, "SmApiPort");
    let queue = world.completion_port();
    world.handle(system.smss, queue, 0x1f_0003);
    let record = world.port_mut(port);
    record.completion_port = queue;
    record.completion_key = Va(0x0000_0000_0002_1b40);
    for (tid, waiting) in [(0x184, true), (0x188, true), (0x18c, false)] {
        let thread = thread(
            world,
            system.smss,
            Thread {
                tid,
                ..Thread::default()
            },
        );
        world.serve(thread, queue, waiting);
        if !waiting {
            let event = world.event(None);
            world.wait_on(thread, event);
        }
    }
}

/// Callers suspended while they wait for a reply: one has noticed, so that its wait reason is another, one has not.
fn suspended(world: &mut World, system: &System, lsa: Va) {
    for (tid, noticed) in [(0xb68, true), (0xb78, false)] {
        let caller = caller(world, system.application, lsa, tid);
        request(world, &caller, Queue::Main, Va::NULL);
        world.suspend(caller.thread, noticed);
    }
}

/// Threads whose `AlpcMessageId` says nothing: an old address, an address of nothing, an old id.
fn stale(world: &mut World, system: &System) {
    let old = world.truth.messages.first().expect("some").address;
    for (tid, id) in [(0xb6c, old.0), (0xb70, 0xffff_f880_0dea_d010), (0xb74, 0x2110)] {
        let thread = idle_thread(world, system.application, tid);
        world.thread_mut(thread).alpc_message_id = id;
        world.thread_mut(thread).alpc_message = 0x6000_0000;
    }
}

/// Ports with the state bits that the others have not.
fn port_states(world: &mut World, system: &System) {
    let flags: [(&str, &[&'static str]); 4] = [
        ("LpcServer", &["Lpc", "NoFlushOnClose"]),
        ("Waitable", &["Waitable", "ReturnExtendedInfo"]),
        ("Impersonates", &["DynamicSecurity"]),
        ("Completes", &["HasCompletionList", "Wow64CompletionList"]),
    ];
    for (name, bits) in flags {
        let port = ports::make(world, system.netsvcs, system.rpc_control, name);
        let record = world.port_mut(port);
        record.flags.extend(bits.iter().copied());
        record.port_context = Va(0x0044_0000);
        record.attributes.flags |= 0x1_0000;
    }
    // An unconnected, uninitialised port that its maker has not finished.
    let port = world.port(
        Port {
            owner: system.netsvcs,
            ..Port::default()
        },
        None,
    );
    world.port_mut(port).flags.clear();
}

/// A process that exited, kept by a handle, with its object still in the list of processes.
fn exited(world: &mut World, system: &System) {
    let process = super::system::exited_process(world);
    world.handle(system.explorer, process, 0x1f_ffff);
}

/// So many handles that the table has a second level, and a table with a third.
fn many_handles(world: &mut World, system: &System) {
    let event = world.event(Some((system.named_objects, "OrderEntryReady".into())));
    for _ in 0..300 {
        world.handle(system.netsvcs, event, 0x10_0000);
    }
    world.process_mut(system.netsvcs).handles[1].attributes = 3;
    world.process_mut(system.explorer).handle_table_level = 2;
    let port = ports::by_name(world, "senssvc");
    world.handle(system.netsvcs, port, 0x1f_0001);
}

/// Blobs that came and went before.
fn history(world: &mut World) {
    let deleted = [
        (BlobId::Connection, 1_204),
        (BlobId::Message, 48_213),
        (BlobId::Security, 311),
        (BlobId::View, 77),
    ];
    world
        .truth
        .global
        .blobs
        .extend(deleted.map(|(id, count)| (id, (count, count))));
}

/// A message whose id belongs to the second message table, where there are several.
fn secondary_table(world: &mut World, system: &System) {
    if world.try_global("AlpcpSecondaryMessageTables").is_none() {
        return;
    }
    let to = ports::by_name(world, "ApiPort");
    let caller = caller(world, system.explorer, to, 0x8f4);
    let message = request(world, &caller, Queue::Main, Va::NULL);
    world.message_mut(message).id = 0x0400_0014;
}
