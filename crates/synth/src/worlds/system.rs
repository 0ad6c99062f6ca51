//! The processes, directories and threads that every world has.

use crate::address::{PAGE_SIZE, Va};
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

/// Process id, process id of the creator, image name and path of every program.
///
/// The last name is the first 15 bytes of a longer one, without a NUL behind them.
const PROGRAMS: [(u64, u64, &str, &str); 11] = [
    (4, 0, "System", ""),
    (
        0x178,
        4,
        "smss.exe",
        "\\Device\\HarddiskVolume1\\Windows\\System32\\smss.exe",
    ),
    (
        0x1c8,
        0x1bc,
        "csrss.exe",
        "\\Device\\HarddiskVolume1\\Windows\\System32\\csrss.exe",
    ),
    (
        0x1f8,
        0x1bc,
        "wininit.exe",
        "\\Device\\HarddiskVolume1\\Windows\\System32\\wininit.exe",
    ),
    (
        0x230,
        0x1f8,
        "services.exe",
        "\\Device\\HarddiskVolume1\\Windows\\System32\\services.exe",
    ),
    (
        0x23c,
        0x1f8,
        "lsass.exe",
        "\\Device\\HarddiskVolume1\\Windows\\System32\\lsass.exe",
    ),
    (
        0x33c,
        0x230,
        "svchost.exe",
        "\\Device\\HarddiskVolume1\\Windows\\System32\\svchost.exe",
    ),
    (
        0x3e4,
        0x230,
        "svchost.exe",
        "\\Device\\HarddiskVolume1\\Windows\\System32\\svchost.exe",
    ),
    (
        0x8dc,
        0x8b0,
        "explorer.exe",
        "\\Device\\HarddiskVolume1\\Windows\\explorer.exe",
    ),
    (
        0xb54,
        0x8dc,
        "OrderEntryClien",
        "\\Device\\HarddiskVolume1\\Order Entry\\OrderEntryClient.exe",
    ),
    (0xc04, 0x8dc, "setup.exe", ""),
];

/// Starts the processes of an ordinary system, each with threads that wait for something.
pub(super) fn boot(world: &mut World) -> System {
    boot_with(world, Va::NULL)
}

/// As `boot`, with the service host of process id 3e4 at an address that a published case demands.
pub(super) fn boot_with(world: &mut World, netsvcs: Va) -> System {
    let root = world.root();
    world.directory(root, "Security");
    let system = start(world, 4, Va::NULL);
    let smss = start(world, 0x178, Va::NULL);
    let csrss = start(world, 0x1c8, Va::NULL);
    let wininit = start(world, 0x1f8, Va::NULL);
    let made = System {
        system,
        smss,
        csrss,
        services: start(world, 0x230, Va::NULL),
        lsass: start(world, 0x23c, Va::NULL),
        rpc: start(world, 0x33c, Va::NULL),
        netsvcs: start(world, 0x3e4, netsvcs),
        explorer: start(world, 0x8dc, Va::NULL),
        application: start(world, 0xb54, Va::NULL),
        rpc_control: world.directory(root, "RPC Control"),
        windows: world.directory(root, "Windows"),
        named_objects: world.directory(root, "BaseNamedObjects"),
        sessions: world.directory(root, "Sessions"),
        running: thread(
            world,
            system,
            Thread {
                tid: 8,
                state: 2,
                ..Thread::default()
            },
        ),
    };
    for (process, tid) in [
        (system, 0xc),
        (smss, 0x17c),
        (csrss, 0x1d0),
        (wininit, 0x1fc),
        (made.services, 0x244),
    ] {
        idle_thread(world, process, tid);
    }
    load_drivers(world);
    made
}

/// A process that ended a minute after it began: it has no threads and no handles.
pub(super) fn exited_process(world: &mut World) -> Va {
    let process = start(world, 0xc04, Va::NULL);
    let record = world.process_mut(process);
    record.exit_time = record.create_time + 600_000_000;
    process
}

/// Starts a program of the table. All but System and the one that exited have a PEB.
fn start(world: &mut World, pid: u64, address: Va) -> Va {
    let program = PROGRAMS.into_iter().find(|program| program.0 == pid);
    let (pid, parent_pid, image, path) = program.expect("a program of the table");
    let peb = if path.is_empty() {
        Va::NULL
    } else {
        Va(0x7fff_0000 - pid % 8 * 0x1000)
    };
    let process = world.process(Process {
        address,
        pid,
        parent_pid,
        image,
        path,
        peb,
        wow64: pid == 0xb54,
        create_time: BOOT_TIME + 10_000_000 + pid * 1_234_567,
        ..Process::default()
    });
    if !peb.is_null() {
        // Something of the user half, which a kernel dump leaves out.
        let memory = world.users.entry(process).or_default();
        memory.write_uint(peb + 0x10, 8, 0x0040_0000 + pid * 0x1_0000);
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

/// Return addresses on a kernel stack: in the kernel, and in a driver. Other threads' stacks are paged out.
pub(super) fn give_stack(world: &mut World, thread: Va) {
    let base = world.truth.thread(thread).stack_base;
    let modules = &world.truth.modules;
    let driver = modules.iter().find(|module| module.name == "afd.sys");
    let driver = driver.map_or(Va::NULL, |module| module.base + 0x1234);
    let (kernel, size) = (world.code(0x321), world.pointer_size());
    world.memory.touch(base - PAGE_SIZE, PAGE_SIZE);
    world.write_pointer(base - 0x100 - size, kernel);
    world.write_pointer(base - 0x100, driver);
}

fn teb(world: &World, tid: u64) -> Va {
    if world.pointer_size() == 8 {
        Va(0x7ff_fff0_0000 + tid % 0x40 * 0x2000)
    } else {
        Va(0x7ff9_0000 + tid % 0x40 * 0x1000)
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
