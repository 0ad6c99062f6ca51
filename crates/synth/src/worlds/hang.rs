//! Systems that hang: the chains of published cases, rebuilt.

use std::collections::BTreeMap;

use crate::address::{PAGE_SIZE, Va};
use crate::bytes::{count, low32};
use crate::memory::Backing;
use crate::world::message::kind;
use crate::world::{
    Built, ConnectionSpec, ExecutiveResource, Message, Pool, Port, Process, Queue, Request, Thread, Wait,
    World,
};

use super::system::{self, System};
use super::{ports, stacks, stopped_by_hand};

/// `_KTHREAD_STATE`: terminated.
const TERMINATED: u8 = 4;
/// `_KWAIT_REASON`s.
const EXECUTIVE: u8 = 0;
const USER_REQUEST: u8 = 6;
const WR_USER_REQUEST: u8 = 13;
const WR_RESOURCE: u8 = 27;
const WR_PAGE_IN: u8 = 9;

/// A laid out world, and where its actors are.
pub struct Scene {
    /// The world.
    pub built: Built,
    /// Addresses of the things that the test is about, by what they are to it.
    pub cast: BTreeMap<String, Va>,
}

impl Scene {
    /// The address of an actor.
    ///
    /// # Panics
    /// Where there is none of that name.
    #[must_use]
    pub fn at(&self, name: &str) -> Va {
        *self.cast.get(name).unwrap_or_else(|| panic!("no {name}"))
    }
}

/// A booted system without any ALPC state, to be filled.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) system: System,
    cast: BTreeMap<String, Va>,
    ids: Ids,
}

/// Process and thread ids, which are handles of one table: never the first entry of one of its pages.
struct Ids {
    last: u64,
}

impl Ids {
    fn next(&mut self) -> u64 {
        self.last += if (self.last + 4).is_multiple_of(0x400) {
            8
        } else {
            4
        };
        self.last
    }
}

impl Stage {
    pub(super) fn new(kernel: &str) -> Self {
        let mut world = World::new(kernel, 0x4a46);
        world.truth.tick_count = 0x20_0000;
        let system = system::boot(&mut world);
        Stage {
            world,
            system,
            cast: BTreeMap::new(),
            ids: Ids { last: 0x4000 },
        }
    }

    pub(super) fn finish(self) -> Scene {
        let system = self.system;
        let built = self.world.compile(|world, header| {
            header.rip = world.code(0x42);
            header.rsp = system.idle_stack(world);
            stopped_by_hand(world, header);
        });
        Scene {
            built,
            cast: self.cast,
        }
    }

    pub(super) fn name(&mut self, name: &str, at: Va) -> Va {
        self.cast.insert(name.to_owned(), at);
        at
    }

    /// A connection port, known by its name.
    pub(super) fn port(&mut self, owner: Va, name: &str) -> Va {
        let port = ports::make(&mut self.world, owner, self.system.rpc_control, name);
        self.name(name, port)
    }

    /// A thread that waits for an event, known by `name`.
    pub(super) fn thread(&mut self, process: Va, name: &str) -> Va {
        let tid = self.ids.next();
        let thread = system::idle_thread(&mut self.world, process, tid);
        system::give_stack(&mut self.world, thread);
        self.name(name, thread)
    }

    /// Sends a request through a connection of its own; the sender waits for the reply.
    fn call(&mut self, thread: Va, port: Va, queue: Queue, server_thread: Va) -> Va {
        let sender = self.world.truth.thread(thread).clone();
        let connection = self.world.connect(ConnectionSpec {
            to: port,
            client: sender.process,
            ..ConnectionSpec::default()
        });
        let message = self.world.message(Message {
            type_word: kind::REQUEST | kind::CONTINUATION_REQUIRED,
            data_length: 0x20,
            client_id: (sender.pid, sender.tid),
            owner_port: connection.client,
            server_thread,
            ..Message::default()
        });
        self.world.enqueue(message, queue, port);
        self.world.wait_for_reply(thread, message);
        message
    }

    /// One thread of each process, the first in a call that the second has received, and so on.
    fn chain(&mut self, actors: &[(Va, &str, &str)]) -> Vec<Va> {
        let threads: Vec<Va> = actors
            .iter()
            .map(|&(process, name, _)| self.thread(process, name))
            .collect();
        for (at, &(process, _, port)) in actors.iter().enumerate().skip(1) {
            let port = self.port(process, port);
            let message = self.call(threads[at - 1], port, Queue::Pending, threads[at]);
            self.name(&format!("message {at}"), message);
        }
        threads
    }

    fn wait_on(&mut self, thread: Va, object: Va) {
        self.world.thread_mut(thread).wait_reason = USER_REQUEST;
        self.world.wait_on(thread, object);
    }

    pub(super) fn process(&mut self, image: &'static str) -> Va {
        let pid = self.ids.next();
        self.world.process(Process {
            pid,
            parent_pid: 0x230,
            image,
            create_time: system::BOOT_TIME + pid * 1_000,
            ..Process::default()
        })
    }
}

/// Three processes in a row; the last one's thread waits for a mutant, whose owner waits for an event.
#[must_use]
pub fn row_to_mutant(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let System {
        explorer,
        netsvcs,
        lsass,
        ..
    } = stage.system;
    let threads = stage.chain(&[
        (explorer, "first", ""),
        (netsvcs, "second", "senssvc"),
        (lsass, "third", "lsasspirpc"),
    ]);
    let owner = stage.thread(lsass, "owner");
    let mutant = stage.world.mutant(owner);
    stage.name("mutant", mutant);
    stage.wait_on(threads[2], mutant);
    stage.finish()
}

/// As [`row_to_mutant`], and the owner's stack is known: it was switched out in a driver.
#[must_use]
pub fn row_to_driver(kernel: &str) -> (Scene, stacks::SwitchedOut) {
    let mut stage = Stage::new(kernel);
    let System { explorer, lsass, .. } = stage.system;
    let threads = stage.chain(&[(explorer, "first", ""), (lsass, "second", "lsasspirpc")]);
    let owner = stage.thread(lsass, "owner");
    let mutant = stage.world.mutant(owner);
    stage.wait_on(threads[1], mutant);
    let stack = stacks::switch_out(&mut stage.world, owner, stacks::Entry::User);
    (stage.finish(), stack)
}

/// Three processes that wait for each other.
#[must_use]
pub fn ring_of_three(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let System {
        csrss,
        lsass,
        services,
        explorer,
        ..
    } = stage.system;
    let threads = stage.chain(&[
        (csrss, "first", ""),
        (lsass, "second", "lsasspirpc"),
        (services, "third", "ntsvcs"),
    ]);
    let port = stage.port(csrss, "ApiPort");
    stage.call(threads[2], port, Queue::Pending, threads[0]);
    let bystander = stage.thread(explorer, "bystander");
    let port = stage.cast["ntsvcs"];
    stage.call(bystander, port, Queue::Pending, threads[2]);
    stage.finish()
}

/// A process waits for another, which calls back: but another thread of the first serves that.
#[must_use]
pub fn half_circle(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let System { csrss, lsass, .. } = stage.system;
    stage.chain(&[
        (csrss, "first", ""),
        (lsass, "second", "lsasspirpc"),
        (csrss, "third", "ApiPort"),
    ]);
    stage.finish()
}

/// A chain whose last thread waits for a process to end.
#[must_use]
pub fn row_to_process(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let System {
        explorer,
        services,
        application,
        ..
    } = stage.system;
    let threads = stage.chain(&[(explorer, "first", ""), (services, "second", "ntsvcs")]);
    stage.name("process", application);
    stage.wait_on(threads[1], application);
    stage.finish()
}

/// A thread that has received its own request.
#[must_use]
pub fn self_call(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let lsass = stage.system.lsass;
    let thread = stage.thread(lsass, "first");
    let port = stage.port(lsass, "lsasspirpc");
    stage.call(thread, port, Queue::Pending, thread);
    stage.finish()
}

/// Threads that still name a message and that the message names, and of which one alone waits for its reply. `first`
/// does, of `second`, whose own call came back: it waits for an event now, and would close a ring. So would each of
/// `queued` (at a completion port, for the reason of one that waits for a reply), `pool` (at a completion port, for the
/// reason of its threads), `ready` and `running`. The message of `reused` is another thread's by now, `held`'s. `held`
/// is suspended, so that only the message says that it waits for a reply.
#[must_use]
pub fn stale_waits(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let System { csrss, lsass, .. } = stage.system;
    let threads = stage.chain(&[(csrss, "first", ""), (lsass, "second", "lsasspirpc")]);
    let port = stage.port(csrss, "ApiPort");
    stage.call(threads[1], port, Queue::Pending, threads[0]);
    let event = stage.world.event(None);
    stage.wait_on(threads[1], event);
    let queue = stage.world.completion_port();
    for name in ["queued", "pool", "ready", "running", "held", "reused"] {
        let thread = stage.thread(lsass, name);
        let message = stage.call(thread, port, Queue::Pending, threads[0]);
        stage.name(&format!("{name}'s message"), message);
        match name {
            "queued" => stage.world.thread_mut(thread).wait = Wait::Object(queue),
            "pool" => stage.world.serve(thread, queue, true),
            "ready" | "running" => {
                let thread = stage.world.thread_mut(thread);
                thread.state = if name == "ready" { 1 } else { 2 };
                thread.wait = Wait::None;
            }
            "held" => stage.world.suspend(thread, true),
            _ => {
                let message = stage.cast["held's message"];
                stage.world.thread_mut(thread).alpc_message_id = message.0;
            }
        }
        if name != "held" {
            stage.world.thread_mut(thread).alpc_wait = None;
        }
    }
    stage.world.thread_mut(threads[1]).alpc_wait = None;
    stage.finish()
}

/// A request that a process has received, and no thread of it is named: `likely` began to wait at the same tick as the
/// client, `other` did not.
#[must_use]
pub fn received_by_nobody(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let System {
        explorer, netsvcs, ..
    } = stage.system;
    let client = stage.thread(explorer, "client");
    let port = stage.port(netsvcs, "senssvc");
    stage.name("process", netsvcs);
    stage.call(client, port, Queue::Pending, Va::NULL);
    let since = stage.world.truth.thread(client).wait_time;
    for (name, ticks) in [("other", 700), ("likely", 0)] {
        let thread = stage.thread(netsvcs, name);
        let event = stage.world.event(None);
        stage.wait_on(thread, event);
        stage.world.thread_mut(thread).wait_time = since - ticks;
    }
    stage.finish()
}

/// A queue that nobody empties: all threads registered with the port's completion port wait for one mutant.
#[must_use]
pub fn blocked_queue(kernel: &str, threads: u64, clients: u64) -> Scene {
    let mut stage = Stage::new(kernel);
    let System {
        netsvcs, explorer, ..
    } = stage.system;
    let port = stage.port(netsvcs, "senssvc");
    let queue = stage.world.completion_port();
    stage.world.port_mut(port).completion_port = queue;
    let owner = stage.thread(netsvcs, "owner");
    let mutant = stage.world.mutant(owner);
    for number in 0..threads {
        let server = stage.thread(netsvcs, &format!("server {number}"));
        stage.world.serve(server, queue, false);
        stage.wait_on(server, mutant);
    }
    for number in 0..clients {
        let client = stage.thread(explorer, &format!("client {number}"));
        stage.call(client, port, Queue::Main, Va::NULL);
    }
    stage.finish()
}

/// A completion port with idle threads that lets no more threads run.
#[must_use]
pub fn at_limit(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let System {
        netsvcs, explorer, ..
    } = stage.system;
    let port = stage.port(netsvcs, "senssvc");
    let queue = stage.world.completion_port();
    stage.world.port_mut(port).completion_port = queue;
    stage.world.set(queue, "_KQUEUE", "CurrentCount", 4);
    for number in 0..6 {
        let server = stage.thread(netsvcs, &format!("server {number}"));
        stage.world.serve(server, queue, number >= 4);
    }
    let client = stage.thread(explorer, "first");
    stage.call(client, port, Queue::Main, Va::NULL);
    stage.finish()
}

/// All threads of a pool call another service, whose only thread calls the pool: a ring as long as none of the
/// pool's threads comes back.
#[must_use]
pub fn exhausted_pool(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let System { netsvcs, lsass, .. } = stage.system;
    let pool = stage.port(netsvcs, "senssvc");
    let other = stage.port(lsass, "lsasspirpc");
    let queue = stage.world.completion_port();
    stage.world.port_mut(pool).completion_port = queue;
    let last = stage.thread(lsass, "last");
    for number in 0..3 {
        let server = stage.thread(netsvcs, &format!("server {number}"));
        stage.world.serve(server, queue, false);
        stage.call(server, other, Queue::Pending, last);
    }
    stage.call(last, pool, Queue::Main, Va::NULL);
    stage.finish()
}

/// What the server of a request is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// It shows a message box.
    MessageBox,
    /// It waits for an executive resource.
    Resource,
    /// It was suspended.
    Suspended,
    /// It has ended.
    Terminated,
    /// It runs.
    Running,
    /// It waits for a page.
    PageIn,
    /// Its kernel stack is swapped out.
    SwappedOut,
    /// It waits at a gate.
    Gate,
    /// It waits for the next message.
    Receiving,
    /// The message does not name it.
    Missing,
    /// Its process has closed the port and ended, without having received the request.
    Gone,
}

/// A request whose server does one thing.
#[must_use]
pub fn served_by(kernel: &str, doing: Server) -> Scene {
    let mut stage = Stage::new(kernel);
    let explorer = stage.system.explorer;
    let service = stage.process("Service.exe");
    let client = stage.thread(explorer, "first");
    let server = stage.thread(service, "server");
    let port = stage.port(service, "LRPC-0f1e2d3c4b5a");
    let (queue, named) = match doing {
        Server::Missing => (Queue::Pending, Va::NULL),
        Server::Gone => (Queue::Main, Va::NULL),
        _ => (Queue::Pending, server),
    };
    stage.call(client, port, queue, named);
    let state = stage.world.thread_mut(server);
    match doing {
        Server::MessageBox => state.wait_reason = WR_USER_REQUEST,
        Server::Resource => state.wait_reason = WR_RESOURCE,
        Server::Terminated => state.state = TERMINATED,
        Server::Running => state.state = 2,
        Server::PageIn => state.wait_reason = WR_PAGE_IN,
        Server::SwappedOut => state.state = 6,
        Server::Gate => state.state = 8,
        Server::Suspended => stage.world.suspend(server, true),
        Server::Receiving => {
            // Another thread of the service went on with the request.
            let since = state.wait_time;
            stage.world.wait_on_port(server, port);
            let helper = stage.thread(service, "helper");
            stage.world.thread_mut(helper).wait_time = since + 1;
            stage.thread(service, "other");
        }
        Server::Missing => {}
        Server::Gone => {
            state.state = TERMINATED;
            stage.world.process_mut(service).exit_time = system::BOOT_TIME + 600_000_000;
            stage.world.port_mut(port).owner_closed = true;
        }
    }
    stage.finish()
}

/// Three processes in a row; the message in the middle is paged out.
#[must_use]
pub fn paged_out(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let System {
        explorer,
        netsvcs,
        lsass,
        ..
    } = stage.system;
    let [first, second, third] = [
        stage.thread(explorer, "first"),
        stage.thread(netsvcs, "second"),
        stage.thread(lsass, "third"),
    ];
    let (near, far) = (stage.port(netsvcs, "senssvc"), stage.port(lsass, "lsasspirpc"));
    stage.call(first, near, Queue::Pending, second);
    stage.world.skip(Pool::Paged, PAGE_SIZE);
    // Whatever else is on the page is lost as well, so the message is alone there.
    let message = stage.call(second, far, Queue::Pending, third);
    stage.name("message", message);
    stage.world.skip(Pool::Paged, PAGE_SIZE);
    let mut scene = stage.finish();
    scene.built.memory.set_backing(message, Backing::PageFile);
    scene
}

/// What a server of `first`'s request waits for, and a lock of the executive has owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// An executive resource that one thread, `owner`, owns alone. `reader` waits to share it.
    Alone,
    /// An executive resource that `owner` and `other` share. `reader` is in line behind the server.
    Shared,
    /// An executive resource that `owner`, `other` and ten more share.
    Crowd,
    /// An executive resource that a driver gave to something of its own.
    ByDriver,
    /// A fast mutex that `owner` owns.
    FastMutex,
    /// A push lock that `owner` notes that it holds; `other`'s note of it is of the past.
    PushLock,
    /// A push lock that nobody notes.
    PushLockUnnoted,
}

/// A request whose server waits for a lock of the executive. Of kernels whose complete symbols are known.
#[must_use]
pub fn lock(kernel: &str, held: Held) -> Scene {
    let mut stage = Stage::new(kernel);
    let System { explorer, lsass, .. } = stage.system;
    let threads = stage.chain(&[(explorer, "first", ""), (lsass, "server", "lsasspirpc")]);
    let server = threads[1];
    let [owner, other, reader] = ["owner", "other", "reader"].map(|name| stage.thread(lsass, name));
    let count = if held == Held::Crowd { 10 } else { 0 };
    let more: Vec<Va> = (0..count)
        .map(|number| stage.thread(lsass, &format!("owner {number}")))
        .collect();
    let world = &mut stage.world;
    let resource = |exclusive, owners: &[Va]| ExecutiveResource {
        exclusive,
        owners: owners.to_vec(),
        sharing: vec![reader],
        waiting: vec![server],
    };
    // Resources that nobody waits for stand before and behind it.
    let resources = world.has("_ERESOURCE", "OwnerEntry");
    if resources {
        world.executive_resource(&ExecutiveResource {
            owners: vec![other],
            ..ExecutiveResource::default()
        });
    }
    let lock = match held {
        Held::Alone => world.executive_resource(&resource(true, &[owner])),
        Held::Shared => world.executive_resource(&resource(false, &[owner, other])),
        Held::Crowd => world.executive_resource(&resource(false, &[&[owner, other][..], &more].concat())),
        Held::ByDriver => world.executive_resource(&resource(true, &[Va(owner.0 | 3)])),
        Held::FastMutex => world.fast_mutex(owner, &[server, reader]),
        Held::PushLock => world.push_lock(&[owner], &[server, reader], &[other]),
        Held::PushLockUnnoted => world.push_lock(&[], &[server], &[other]),
    };
    if resources {
        world.executive_resource(&ExecutiveResource::default());
    }
    stage.name("lock", lock);
    stage.finish()
}

/// How a server of `first`'s request waits for I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// At the event that it gave with its request.
    Event,
    /// At the event of the file.
    File,
    /// At the lock of the file.
    FileLock,
    /// At an event that is none of its requests'.
    Untied,
    /// At the event that it gave with its request, but the page of the request is not in the dump.
    Lost,
    /// At the event that it gave with its request, whose current stack location is none.
    Nonsense,
    /// At the event that it gave with its request, which no driver has any more.
    Completed,
}

/// A request whose server waits for I/O: its `request` was sent through a filter to `device` of `driver`. A
/// `second` thread waits for the server as well, and `bystander`, for whom nobody waits, for a request of its own.
#[must_use]
pub fn io(kernel: &str, how: Io) -> Scene {
    io_at(kernel, how, r"\FileSystem\Npfs")
}

/// The same at a driver of that name.
#[must_use]
pub fn io_at(kernel: &str, how: Io, driver: &str) -> Scene {
    const READ: u8 = 3;
    const DEVICE_CONTROL: u8 = 14;
    let mut stage = Stage::new(kernel);
    let System {
        explorer,
        lsass,
        netsvcs,
        ..
    } = stage.system;
    let threads = stage.chain(&[(explorer, "first", ""), (lsass, "server", "lsasspirpc")]);
    let server = threads[1];
    let [second, bystander] = [
        stage.thread(netsvcs, "second"),
        stage.thread(netsvcs, "bystander"),
    ];
    let port = stage.cast["lsasspirpc"];
    stage.call(second, port, Queue::Pending, server);
    let world = &mut stage.world;
    let [filter, below] = [r"\FileSystem\FltMgr", driver].map(|name| world.driver(name));
    let [upper, device] = [filter, below].map(|driver| world.device(driver));
    let other_device = world.device(filter);
    let [file, other_file] = [device, other_device].map(|device| world.file(device));
    let [event, other_event, last_event] = [(); 3].map(|()| world.event(None));
    let other = |thread, event| Request {
        thread,
        event,
        file: other_file,
        devices: vec![other_device],
        major: DEVICE_CONTROL,
        completed: false,
    };
    world.request(&other(server, other_event));
    let own_page = how == Io::Lost;
    if own_page {
        world.skip(Pool::NonPaged, PAGE_SIZE);
    }
    let request = world.request(&Request {
        thread: server,
        event: match how {
            Io::File | Io::FileLock => Va::NULL,
            _ => event,
        },
        file,
        devices: vec![upper, device],
        major: READ,
        completed: how == Io::Completed,
    });
    if own_page {
        world.skip(Pool::NonPaged, PAGE_SIZE);
    }
    world.request(&other(server, Va::NULL));
    world.request(&other(bystander, last_event));
    let waits_at = match how {
        Io::File => world.field(file, "_FILE_OBJECT", "Event"),
        Io::FileLock => world.field(file, "_FILE_OBJECT", "Lock"),
        Io::Untied => world.event(None),
        _ => event,
    };
    if how == Io::Nonsense {
        world.point(request, "_IRP", "Tail.Overlay.CurrentStackLocation", other_file);
    }
    stage.wait_on(server, waits_at);
    stage.wait_on(bystander, last_event);
    if matches!(how, Io::File | Io::FileLock) {
        stage.world.thread_mut(server).wait_reason = EXECUTIVE;
    }
    for (name, at) in [
        ("request", request),
        ("driver", below),
        ("device", device),
        ("file", file),
    ] {
        stage.name(name, at);
    }
    stage.name("event", waits_at);
    let mut scene = stage.finish();
    if own_page {
        scene.built.memory.set_backing(request, Backing::LeftOut);
    }
    scene
}

/// A request of one service's thread to another service, both of which have their thread environment blocks in a
/// complete dump: `first` of the host `one`, which runs one service as its command line says, `server` of a host of
/// several, and `plain` of no service.
#[must_use]
pub fn services(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let System {
        netsvcs,
        explorer,
        services,
        ..
    } = stage.system;
    let threads = stage.chain(&[
        (explorer, "plain", ""),
        (services, "first", "one"),
        (netsvcs, "server", "senssvc"),
    ]);
    let world = &mut stage.world;
    world.tag_service(threads[0], 0);
    world.tag_service(threads[1], 0x42);
    world.tag_service(threads[2], 0x1f);
    world.command_line(
        services,
        r"C:\Windows\system32\svchost.exe -k LocalService -p -s nsi",
    );
    world.command_line(netsvcs, r"C:\Windows\System32\svchost.exe -k netsvcs");
    stage.finish()
}

/// `explorer`, which waits for lsass, in session 2, lsass in session 0, and others in none. None of a kernel whose
/// layouts do not have sessions.
#[must_use]
pub fn sessions(kernel: &str) -> Option<Scene> {
    let mut stage = Stage::new(kernel);
    let System { explorer, lsass, .. } = stage.system;
    stage.chain(&[(explorer, "first", ""), (lsass, "server", "lsasspirpc")]);
    let made = stage.world.session(&[lsass], 0) && stage.world.session(&[explorer], 2);
    stage.name("explorer", explorer);
    stage.name("lsass", lsass);
    made.then(|| stage.finish())
}

/// A port for each way of being in trouble, named after it, and one that is well: each has a few requests that nobody
/// waits for, and `crowded` forty.
#[must_use]
pub fn troubled(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let service = stage.process("service.exe");
    let client = stage.system.explorer;
    let made = |stage: &mut Stage, name: &str, requests: usize| {
        let port = stage.port(service, name);
        let connection = stage.world.connect(ConnectionSpec {
            to: port,
            client,
            ..ConnectionSpec::default()
        });
        for _ in 0..requests {
            let message = stage.world.message(Message {
                type_word: kind::DATAGRAM,
                data_length: 8,
                owner_port: connection.client,
                ..Message::default()
            });
            stage.world.enqueue(message, Queue::Main, port);
        }
        port
    };
    let not_received = made(&mut stage, "not-received", 2);
    let suspended = made(&mut stage, "servers-suspended", 2);
    let gone = made(&mut stage, "owner-gone", 2);
    made(&mut stage, "no-server", 2);
    let crowded = made(&mut stage, "long-queue", 40);
    let canceled = made(&mut stage, "canceled", 0);
    let connecting = made(&mut stage, "connecting", 0);
    made(&mut stage, "well", 0);
    for (port, name) in [(not_received, "idle"), (crowded, "slow"), (suspended, "held")] {
        let server = stage.thread(service, name);
        stage.world.wait_on_port(server, port);
        if name == "held" {
            stage.world.suspend(server, false);
        }
    }
    stage.world.port_mut(gone).owner_closed = true;
    for _ in 0..3 {
        stage.world.connect(ConnectionSpec {
            to: connecting,
            client,
            pending: true,
            ..ConnectionSpec::default()
        });
    }
    let message = stage.world.message(Message {
        type_word: kind::REQUEST,
        data_length: 8,
        ..Message::default()
    });
    stage.world.cancel(message, canceled);
    stage.finish()
}

/// Two threads, each of which owns the executive resource that the other waits for.
#[must_use]
pub fn two_resources(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let System { csrss, lsass, .. } = stage.system;
    let (one, two) = (stage.thread(csrss, "first"), stage.thread(lsass, "second"));
    for (owner, waiter, name) in [(one, two, "lock 1"), (two, one, "lock 2")] {
        let lock = stage.world.executive_resource(&ExecutiveResource {
            exclusive: true,
            owners: vec![owner],
            waiting: vec![waiter],
            ..ExecutiveResource::default()
        });
        stage.name(name, lock);
    }
    stage.finish()
}

/// A terminal server: `sessions` processes with `threads` threads in all, which wait in chains of three at
/// services, and `messages` messages.
#[must_use]
pub fn terminal_server(kernel: &str, sessions: u64, threads: u64, messages: u64) -> Scene {
    let mut stage = Stage::new(kernel);
    let services: Vec<(Va, Va)> = (0..16)
        .map(|number| {
            let process = stage.process("svchost.exe");
            (process, stage.port(process, &format!("Service {number}")))
        })
        .collect();
    let mut crowd = Crowd { id: 0x100 };
    let per_process = (threads / sessions).max(1);
    for session in 0..sessions {
        let process = stage.process("winword.exe");
        let (service, port) = services[usize::try_from(session % 16).expect("small")];
        let to = stage.world.connect(ConnectionSpec {
            to: port,
            client: process,
            ..ConnectionSpec::default()
        });
        let mut server = Crowd::thread(&mut stage, service);
        for number in 0..per_process.saturating_sub(1) {
            let client = Crowd::thread(&mut stage, process);
            crowd.request(&mut stage.world, to.client, port, client, server);
            // Every third begins a new chain.
            server = if number % 3 == 2 { server } else { client };
        }
        for _ in 0..(messages / sessions).saturating_sub(per_process - 1) {
            crowd.datagram(&mut stage.world, to.client, port);
        }
    }
    stage.finish()
}

/// Images of processes that wait for one server, each another one.
const IMAGES: [&str; 40] = [
    "winword.exe",
    "excel.exe",
    "outlook.exe",
    "powerpnt.exe",
    "onenote.exe",
    "iexplore.exe",
    "firefox.exe",
    "taskmgr.exe",
    "mmc.exe",
    "notepad.exe",
    "calc.exe",
    "mspaint.exe",
    "wordpad.exe",
    "regedit.exe",
    "spoolsv.exe",
    "wininit.exe",
    "winlogon.exe",
    "dwm.exe",
    "conhost.exe",
    "taskhost.exe",
    "dllhost.exe",
    "wmiprvse.exe",
    "msiexec.exe",
    "searchindexer",
    "wuauclt.exe",
    "trustedinstall",
    "audiodg.exe",
    "lsm.exe",
    "smss.exe",
    "sqlservr.exe",
    "w3wp.exe",
    "inetinfo.exe",
    "dns.exe",
    "dfsrs.exe",
    "ismserv.exe",
    "ntfrs.exe",
    "vmtoolsd.exe",
    "rdpclip.exe",
    "userinit.exe",
    "logonui.exe",
];

/// A crowd behind one thread of lsass, `server`, which waits for an event: up to forty threads of as many images, and
/// `alike` more threads of one process.
#[must_use]
pub fn crowd(kernel: &str, others: usize, alike: u64) -> Scene {
    let mut stage = Stage::new(kernel);
    let System { lsass, netsvcs, .. } = stage.system;
    let server = stage.thread(lsass, "server");
    let port = stage.port(lsass, "lsasspirpc");
    for image in IMAGES.iter().take(others) {
        let process = stage.process(image);
        let client = stage.thread(process, image);
        stage.call(client, port, Queue::Pending, server);
    }
    for number in 0..alike {
        let client = stage.thread(netsvcs, &format!("alike {number}"));
        stage.call(client, port, Queue::Pending, server);
    }
    stage.finish()
}

/// A ring of up to forty threads of as many images.
#[must_use]
pub fn ring_of(kernel: &str, threads: usize) -> Scene {
    let mut stage = Stage::new(kernel);
    let images: Vec<&'static str> = IMAGES.iter().take(threads).copied().collect();
    let actors: Vec<(Va, &str, &str)> = images
        .iter()
        .map(|&image| (stage.process(image), image, image))
        .collect();
    let made = stage.chain(&actors);
    let port = stage.port(actors[0].0, "first");
    stage.call(made[threads - 1], port, Queue::Pending, made[0]);
    stage.finish()
}

/// What the hostile names of a world are: they try to end strings, markup and lines of each format.
pub const HOSTILE_PORT: &str =
    "</script><script>alert(1)</script>\"]; n0 --> n1[\"x\\\" `'&lt;%3e\n\u{1b}[31m\u{202e}[proven]";
/// The same for an image name, which has 15 bytes.
pub const HOSTILE_IMAGE: &str = "\">]<b>\\\n\u{1b}[1m}a";

/// A ring of two processes with hostile names that call each other through ports with such names.
#[must_use]
pub fn hostile(kernel: &str) -> Scene {
    let mut stage = Stage::new(kernel);
    let [one, two] = [stage.process(HOSTILE_IMAGE), stage.process(HOSTILE_IMAGE)];
    let threads = stage.chain(&[(one, "first", ""), (two, "second", HOSTILE_PORT)]);
    let port = stage.port(one, &format!("{HOSTILE_PORT}2"));
    stage.call(threads[1], port, Queue::Pending, threads[0]);
    stage.finish()
}

/// A deadlock of three beside `ports` connection ports of services, each with a client.
#[must_use]
pub fn many_ports(kernel: &str, ports: u64) -> Scene {
    let mut stage = Stage::new(kernel);
    let System {
        csrss,
        lsass,
        services,
        ..
    } = stage.system;
    let threads = stage.chain(&[
        (csrss, "first", ""),
        (lsass, "second", "lsasspirpc"),
        (services, "third", "ntsvcs"),
    ]);
    let port = stage.port(csrss, "ApiPort");
    stage.call(threads[2], port, Queue::Pending, threads[0]);
    let hosts: Vec<Va> = (0..100).map(|_| stage.process("svchost.exe")).collect();
    let clients: Vec<Va> = (0..100).map(|_| stage.process("explorer.exe")).collect();
    for number in 0..ports {
        let at = usize::try_from(number % 100).expect("small");
        let port = stage.port(
            hosts[at],
            &format!("LRPC-{:016x}", 0x1f2e_3d4c_5b6a_0000 + number),
        );
        stage.world.connect(ConnectionSpec {
            to: port,
            client: clients[(at * 7) % 100],
            ..ConnectionSpec::default()
        });
    }
    stage.finish()
}

/// Makes threads and messages in great numbers, without looking through those that are there.
struct Crowd {
    id: u32,
}

impl Crowd {
    fn thread(stage: &mut Stage, process: Va) -> Va {
        let tid = stage.ids.next();
        stage.world.thread(Thread {
            process,
            tid,
            wait_mode: 1,
            wait_time: 0x10_0000 + low32(tid) % 0x1000,
            ..Thread::default()
        })
    }

    fn next_id(&mut self, world: &World) -> u32 {
        let leaf = low32(PAGE_SIZE / world.kernel.size("_HANDLE_TABLE_ENTRY"));
        self.id += 4;
        if (self.id / 4).is_multiple_of(leaf) {
            self.id += 4;
        }
        self.id
    }

    fn datagram(&mut self, world: &mut World, through: Va, port: Va) -> Va {
        let message = Message {
            id: self.next_id(world),
            type_word: kind::DATAGRAM,
            data_length: 8,
            owner_port: through,
            client_id: (8, 8),
            ..Message::default()
        };
        let message = world.message(message);
        place(world, message, Queue::Main, port);
        message
    }

    fn request(&mut self, world: &mut World, through: Va, port: Va, client: Va, server: Va) {
        let message = Message {
            id: self.next_id(world),
            type_word: kind::REQUEST | kind::CONTINUATION_REQUIRED,
            data_length: 8,
            owner_port: through,
            client_id: (8, 8),
            waiting_thread: client,
            server_thread: server,
            ..Message::default()
        };
        let message = world.message(message);
        place(world, message, Queue::Pending, port);
        let thread = world.truth.threads.last_mut().expect("the client");
        assert_eq!(thread.address, client);
        thread.wait_reason = 17;
        thread.wait = Wait::AlpcSemaphore;
        thread.alpc_message_id = message.0;
        thread.alpc_wait = Some(message);
    }
}

/// Puts the message made last into a queue.
fn place(world: &mut World, message: Va, queue: Queue, port: Va) {
    let record: &mut Port = world.port_mut(port);
    record.queues.entry(queue).or_default().push(message);
    let last = world.truth.messages.last_mut().expect("just made");
    assert_eq!(last.address, message);
    last.queue_type = queue.number();
    last.queue_port_type = low32(count(1));
    last.port_queue = port;
}
