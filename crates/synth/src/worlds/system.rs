//! The processes, directories and threads that every world has.

use crate::address::Va;
use crate::world::{Process, Thread, World};

/// 2009-03-16 06:12:22 UTC, in 100 ns since 1601.
pub(super) const BOOT_TIME: u64 = 128_816_575_420_000_000;

/// What `boot` made.
#[derive(Clone, Copy, Debug)]
pub(super) struct System {
    pub(super) system: Va,
    pub(super) smss: Va,
    pub(super) csrss: Va,
    pub(super) services: Va,
    pub(super) lsass: Va,
    pub(super) rpc: Va,
    pub(super) netsvcs: Va,
    pub(super) explorer: Va,
    pub(super) application: Va,
    pub(super) rpc_control: Va,
    pub(super) windows: Va,
    pub(super) named_objects: Va,
    pub(super) sessions: Va,
    running: Va,
}

impl System {
    /// A stack pointer on the stack of the thread that runs.
    pub(super) fn idle_stack(&self, world: &World) -> Va {
        world.truth.thread(self.running).stack_base - 0x3c8
    }
}

/// Starts the processes of an ordinary system, each with threads that wait for something.
pub(super) fn boot(world: &mut World) -> System {
    boot_with(world, Va::NULL, Va::NULL)
}

/// As `boot`, with the processes of a published case where it has them: netsvcs and its client.
pub(super) fn boot_with(world: &mut World, netsvcs: Va, client: Va) -> System {
    let root = world.root();
    let rpc_control = world.directory(root, "RPC Control");
    let windows = world.directory(root, "Windows");
    let named_objects = world.directory(root, "BaseNamedObjects");
    world.directory(root, "Security");
    let sessions = world.directory(root, "Sessions");
    let system = process(
        world,
        Process {
            pid: 4,
            image: "System",
            ..Process::default()
        },
    );
    let mut make = |pid, parent_pid, image, path| {
        process(
            world,
            Process {
                pid,
                parent_pid,
                image,
                path,
                peb: peb(pid),
                ..Process::default()
            },
        )
    };
    let smss = make(0x178, 4, "smss.exe", path("smss.exe"));
    let csrss = make(0x1c8, 0x1bc, "csrss.exe", path("csrss.exe"));
    let wininit = make(0x1f8, 0x1bc, "wininit.exe", path("wininit.exe"));
    let services = make(0x230, 0x1f8, "services.exe", path("services.exe"));
    let lsass = make(0x23c, 0x1f8, "lsass.exe", path("lsass.exe"));
    let rpc = client_host(world, client);
    let netsvcs = process(
        world,
        Process {
            address: netsvcs,
            pid: 0x3e4,
            parent_pid: 0x230,
            image: "svchost.exe",
            path: path("svchost.exe"),
            peb: peb(0x3e4),
            ..Process::default()
        },
    );
    let mut make = |pid, parent_pid, image, path, wow64| {
        process(
            world,
            Process {
                pid,
                parent_pid,
                image,
                path,
                wow64,
                peb: peb(pid),
                ..Process::default()
            },
        )
    };
    let explorer = make(
        0x8dc,
        0x8b0,
        "explorer.exe",
        "\\Device\\HarddiskVolume1\\Windows\\explorer.exe",
        false,
    );
    // 15 bytes of a longer name, without a NUL behind them.
    let application = make(
        0xb54,
        0x8dc,
        "OrderEntryClien",
        "\\Device\\HarddiskVolume1\\Order Entry\\OrderEntryClient.exe",
        true,
    );
    let running = thread(
        world,
        system,
        Thread {
            tid: 8,
            state: 2,
            ..Thread::default()
        },
    );
    for (process, tid) in [
        (system, 0xc),
        (smss, 0x17c),
        (csrss, 0x1d0),
        (wininit, 0x1fc),
        (services, 0x244),
    ] {
        idle_thread(world, process, tid);
    }
    load_drivers(world);
    System {
        system,
        smss,
        csrss,
        services,
        lsass,
        rpc,
        netsvcs,
        explorer,
        application,
        rpc_control,
        windows,
        named_objects,
        sessions,
        running,
    }
}

/// The service host of process id 33c, the client of the published case.
fn client_host(world: &mut World, address: Va) -> Va {
    process(
        world,
        Process {
            address,
            pid: 0x33c,
            parent_pid: 0x230,
            image: "svchost.exe",
            path: path("svchost.exe"),
            peb: peb(0x33c),
            ..Process::default()
        },
    )
}

/// A process that ended a minute after it began: it has no threads and no handles.
pub(super) fn exited_process(world: &mut World) -> Va {
    let parent_pid = 0x8dc;
    let ended = BOOT_TIME + 86_400_000_000;
    process(
        world,
        Process {
            pid: 0xc04,
            parent_pid,
            image: "setup.exe",
            exit_time: ended,
            ..Process::default()
        },
    )
}

fn process(world: &mut World, mut process: Process) -> Va {
    process.create_time = BOOT_TIME + 10_000_000 + process.pid * 1_234_567;
    let (pid, user) = (process.pid, !process.peb.is_null());
    let peb = process.peb;
    let process = world.process(process);
    if user {
        // Something of the user half, which a kernel dump leaves out.
        let memory = world.users.entry(process).or_default();
        memory.write_uint(peb + 0x10, 8, 0x0000_0000_0040_0000 + pid * 0x1_0000);
    }
    process
}

/// A thread of a process, with the TEB that its number gives.
pub(super) fn thread(world: &mut World, process: Va, mut thread: Thread) -> Va {
    let kernel = world.truth.process(process).peb.is_null();
    if !kernel && thread.teb.is_null() {
        thread.teb = teb(world, thread.tid);
    }
    if thread.start_address.is_null() {
        thread.start_address = world.code(0x100 + thread.tid);
    }
    if !kernel && thread.win32_start_address.is_null() {
        thread.win32_start_address = Va(0x7700_1000 + thread.tid * 0x10);
    }
    thread.process = process;
    thread.wait_time = 0x10_0000 + u32::try_from(thread.tid).expect("small");
    world.thread(thread)
}

/// A thread that waits for an event of its own.
pub(super) fn idle_thread(world: &mut World, process: Va, tid: u64) -> Va {
    let event = world.event(None);
    world.handle(process, event, 0x1f_0003);
    let thread = thread(
        world,
        process,
        Thread {
            tid,
            wait_mode: 1,
            ..Thread::default()
        },
    );
    world.wait_on(thread, event);
    thread
}

fn teb(world: &World, tid: u64) -> Va {
    if world.pointer_size() == 8 {
        Va(0x7ff_fff0_0000 + tid % 0x40 * 0x2000)
    } else {
        Va(0x7ffd_0000 + tid % 0x40 * 0x1000)
    }
}

fn peb(pid: u64) -> Va {
    Va(0x7fff_0000_u64 - pid % 8 * 0x1000)
}

fn path(image: &str) -> &'static str {
    match image {
        "smss.exe" => "\\Device\\HarddiskVolume1\\Windows\\System32\\smss.exe",
        "csrss.exe" => "\\Device\\HarddiskVolume1\\Windows\\System32\\csrss.exe",
        "wininit.exe" => "\\Device\\HarddiskVolume1\\Windows\\System32\\wininit.exe",
        "services.exe" => "\\Device\\HarddiskVolume1\\Windows\\System32\\services.exe",
        "lsass.exe" => "\\Device\\HarddiskVolume1\\Windows\\System32\\lsass.exe",
        _ => "\\Device\\HarddiskVolume1\\Windows\\System32\\svchost.exe",
    }
}

fn load_drivers(world: &mut World) {
    let kernel = world.truth.kernel_base;
    let end = (kernel.0 + u64::from(world.kernel.image_size())).next_multiple_of(0x20_0000);
    for (i, name) in ["hal.dll", "kdcom.dll", "tcpip.sys", "afd.sys"]
        .into_iter()
        .enumerate()
    {
        world.module(Va(end + 0x10_0000 * crate::bytes::count(i)), 0x8_2000, name);
    }
}
