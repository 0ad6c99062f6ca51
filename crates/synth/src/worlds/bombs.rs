//! Worlds of a megabyte that say more than a megabyte can hold: page tables show one page at many addresses, names share
//! one buffer, tables share their parts. Each part is within the bounds of Windows.

use crate::address::{PAGE_SIZE, Va};
use crate::world::{Built, Pool, World};

use super::{hang, standard_with};

/// Bytes of the longest text that a `_UNICODE_STRING` can have.
const LONGEST: u64 = 0xfffe;
/// A character that no terminal is shown: it takes two bytes in memory, and eight or more where it is escaped.
const HIDDEN: [u8; 2] = [0x2e, 0x20];
/// Where pages are shown again: nothing else of a world is there.
const AGAIN: Va = Va(0xffff_e000_0000_0000);

/// Has objects named in turn by one buffer of the longest name.
fn name_alike(built: &mut Built, objects: &[Va]) {
    let buffer = built.allocate_pages(Pool::Paged, LONGEST.div_ceil(PAGE_SIZE));
    let text: Vec<u8> = (0..LONGEST / 2).flat_map(|_| HIDDEN).collect();
    built.memory.write(buffer, &text);
    for &object in objects {
        let string = built.name_string(object);
        built.set(string, "_UNICODE_STRING", "Length", LONGEST);
        built.set(string, "_UNICODE_STRING", "MaximumLength", LONGEST);
        built.point(string, "_UNICODE_STRING", "Buffer", buffer);
    }
}

fn ports(world: &mut World, directory: Va, number: u64) {
    let owner = world.truth.processes[2].address;
    for index in 0..number {
        super::ports::make(world, owner, directory, format!("port {index}").as_str());
    }
}

fn objects(world: &World, is_wanted: impl Fn(&str) -> bool) -> Vec<Va> {
    let named = world.truth.objects.iter();
    let named = named.filter(|(_, object)| {
        let name = object
            .name
            .as_ref()
            .map(|(_, name)| String::from_utf16_lossy(name.units()));
        name.is_some_and(|name| is_wanted(&name))
    });
    named.map(|(&address, _)| address).collect()
}

/// Nested directories that share one name of the longest, and ports in the innermost: the paths are long.
#[must_use]
pub fn long_paths(kernel: &str) -> Built {
    let mut built = standard_with(kernel, |world| {
        let mut directory = world.root();
        for depth in 0..58 {
            directory = world.directory(directory, format!("nested {depth}").as_str());
        }
        ports(world, directory, 250);
    });
    let nested = objects(&built, |name| name.starts_with("nested "));
    name_alike(&mut built, &nested);
    built
}

/// Ports that share one name of the longest: each path is just within the bounds.
#[must_use]
pub fn long_names(kernel: &str) -> Built {
    let mut built = standard_with(kernel, |world| {
        let root = world.root();
        ports(world, root, 500);
    });
    let ports = objects(&built, |name| name.starts_with("port "));
    name_alike(&mut built, &ports);
    built
}

/// A directory of the longest path with many ports of short names in it.
#[must_use]
pub fn long_parent(kernel: &str) -> Built {
    let mut built = standard_with(kernel, |world| {
        let root = world.root();
        let directory = world.directory(root, "nested");
        ports(world, directory, 500);
    });
    let nested = objects(&built, |name| name == "nested");
    name_alike(&mut built, &nested);
    let string = built.name_string(nested[0]);
    built.set(string, "_UNICODE_STRING", "Length", LONGEST - 0x40);
    built
}

/// Threads that wait at one port of the longest name, behind servers that wait themselves.
#[must_use]
pub fn waits_at_long_name(kernel: &str) -> Built {
    let mut built = hang::blocked_queue(kernel, 60, 400).built;
    let ports = objects(&built, |name| name == "senssvc");
    name_alike(&mut built, &ports);
    built
}

/// Handle tables of three levels whose leaves are one page, shown at as many addresses as there are leaves.
#[must_use]
pub fn handle_leaves(kernel: &str) -> Built {
    let mut built = super::standard(kernel);
    let tables: Vec<Va> = built
        .truth
        .processes
        .iter()
        .filter(|process| !process.handles.is_empty())
        .map(|process| process.object_table)
        .collect();
    let leaf = first_leaf(&built, tables[0]);
    let top = show_leaves(&mut built, leaf);
    for table in tables {
        point_table(&mut built, table, top);
    }
    built
}

/// The same of the table of messages.
#[must_use]
pub fn message_leaves(kernel: &str) -> Built {
    let mut built = super::standard(kernel);
    let global = built.global("AlpcMessageTable");
    let table = Va(built.memory.read_uint(global, 8));
    let leaf = first_leaf(&built, table);
    let top = show_leaves(&mut built, leaf);
    point_table(&mut built, table, top);
    built
}

fn first_leaf(built: &Built, table: Va) -> Va {
    let code = built
        .memory
        .read_uint(built.field(table, "_HANDLE_TABLE", "TableCode"), 8);
    (0..code & 3).fold(Va(code & !3), |table, _| Va(built.memory.read_uint(table, 8)))
}

/// A table of tables over the addresses at which a leaf is shown.
fn show_leaves(built: &mut Built, leaf: Va) -> Va {
    const TABLES: u64 = 128;
    built.memory.alias(AGAIN, TABLES * 512, leaf);
    let top = built.allocate_pages(Pool::Paged, 1);
    for table in 0..TABLES {
        let middle = built.allocate_pages(Pool::Paged, 1);
        built.write_pointer(top + table * 8, middle);
        for slot in 0..512 {
            built.write_pointer(middle + slot * 8, AGAIN + (table * 512 + slot) * PAGE_SIZE);
        }
    }
    top
}

fn point_table(built: &mut Built, table: Va, top: Va) {
    built.set(table, "_HANDLE_TABLE", "TableCode", top.0 | 2);
    built.set(table, "_HANDLE_TABLE", "NextHandleNeedingPool", 0x0400_0000);
}

/// Processes that all have the one handle table of the busiest.
#[must_use]
pub fn one_handle_table(kernel: &str) -> Built {
    let mut built = standard_with(kernel, |world| {
        let process = world.truth.processes[1].address;
        for _ in 0..2000 {
            world.handle(process, process, 1);
        }
        for number in 0..150 {
            world.process(crate::world::Process {
                pid: 0x10_0004 + number * 4,
                image: "many.exe",
                create_time: 1,
                ..crate::world::Process::default()
            });
        }
    });
    let processes = built.truth.processes.clone();
    let busiest = processes
        .iter()
        .max_by_key(|process| process.handles.len())
        .expect("some")
        .object_table;
    for process in &processes {
        built.point(process.address, "_EPROCESS", "ObjectTable", busiest);
    }
    built
}

/// Directories all buckets of which lead to the one chain of entries of a large one.
#[must_use]
pub fn one_chain(kernel: &str) -> Built {
    let mut built = standard_with(kernel, |world| {
        let root = world.root();
        for number in 0..200 {
            world.directory(root, format!("shares {number}").as_str());
        }
        let large = world.directory(root, "large");
        ports(world, large, 200);
    });
    let large = objects(&built, |name| name == "large")[0];
    let buckets = built.field(large, "_OBJECT_DIRECTORY", "HashBuckets");
    // The chains of the large one become one.
    let heads: Vec<Va> = (0..37)
        .map(|bucket| Va(built.memory.read_uint(buckets + bucket * 8, 8)))
        .collect();
    let link = built.kernel.offset("_OBJECT_DIRECTORY_ENTRY", "ChainLink");
    let mut last = Va::NULL;
    for head in heads.iter().filter(|head| !head.is_null()) {
        let mut at = *head;
        loop {
            let next = Va(built.memory.read_uint(at + link, 8));
            if next.is_null() {
                break;
            }
            at = next;
        }
        built.write_pointer(at + link, last);
        last = *head;
    }
    for directory in objects(&built, |name| name.starts_with("shares ") || name == "large") {
        let buckets = built.field(directory, "_OBJECT_DIRECTORY", "HashBuckets");
        (0..37).for_each(|bucket| built.write_pointer(buckets + bucket * 8, last));
    }
    built
}

/// Handles of one port at as many addresses as there are handles, each of which is the port of the longest name. The
/// kernel's own list of ports is torn, so that ports are searched for.
#[must_use]
pub fn one_port_everywhere(kernel: &str) -> Built {
    const PAGES: u64 = 4096;
    let mut port = Va::NULL;
    let mut built = standard_with(kernel, |world| {
        let (process, root) = (world.truth.processes[2].address, world.root());
        world.skip(Pool::NonPaged, PAGE_SIZE);
        port = super::ports::make(world, process, root, "port 0");
        world.skip(Pool::NonPaged, PAGE_SIZE);
        for _ in 0..PAGES {
            world.handle(process, port, 1);
        }
    });
    name_alike(&mut built, &[port]);
    let page = port.page();
    let header = port - built.kernel.offset("_OBJECT_HEADER", "Body");
    assert_eq!(header.page(), page, "one page shows the port whole");
    built.memory.alias(AGAIN, PAGES, page);
    let process = built.truth.processes[2].clone();
    let mut number = 0;
    for handle in process.handles.iter().filter(|handle| handle.object == port) {
        let at = AGAIN + number * PAGE_SIZE + header.offset();
        built.point_handle(process.object_table, handle.value, at);
        number += 1;
    }
    assert!(number >= 4000);
    let list = built.global("AlpcpPortList");
    built.write_pointer(list, Va::NULL);
    built.write_pointer(list + 8, Va::NULL);
    built
}

/// As many handles as a megabyte of tables holds, all of them true.
#[must_use]
pub fn many_handles(kernel: &str) -> Built {
    standard_with(kernel, |world| {
        let process = world.truth.processes[1].address;
        for _ in 0..60_000 {
            world.handle(process, process, 1);
        }
    })
}

/// Threads that wait, all on one kernel stack of 16 MiB, which is one page full of addresses of code.
#[must_use]
pub fn one_stack(kernel: &str) -> Built {
    const PAGES: u64 = 4096;
    let scene = hang::blocked_queue(kernel, 60, 400);
    let mut built = scene.built;
    let page = built.allocate_pages(Pool::NonPaged, 1);
    let code = built.truth.modules[0].base + 0x1000;
    (0..PAGE_SIZE / 8).for_each(|slot| built.write_pointer(page + slot * 8, code));
    built.memory.alias(AGAIN, PAGES, page);
    let threads: Vec<Va> = built.truth.threads.iter().map(|thread| thread.address).collect();
    for thread in threads {
        built.point(thread, "_KTHREAD", "StackLimit", AGAIN);
        built.point(thread, "_KTHREAD", "KernelStack", AGAIN + 0x40);
        built.point(thread, "_KTHREAD", "StackBase", AGAIN + PAGES * PAGE_SIZE);
        built.point(thread, "_KTHREAD", "InitialStack", AGAIN + PAGES * PAGE_SIZE);
    }
    built
}

/// Threads that all wait by one list of wait blocks, a page of them, for a port of the longest name.
#[must_use]
pub fn one_wait_list(kernel: &str) -> Built {
    let mut built = waits_at_long_name(kernel);
    let port = objects(&built, |name| name == "senssvc")[0];
    let size = built.kernel.size("_KWAIT_BLOCK");
    let blocks = built.allocate_pages(Pool::NonPaged, 1);
    let count = PAGE_SIZE / size;
    for number in 0..count {
        let block = blocks + number * size;
        built.point(block, "_KWAIT_BLOCK", "Object", port);
        if built.kernel.has("_KWAIT_BLOCK", "NextWaitBlock") {
            built.point(
                block,
                "_KWAIT_BLOCK",
                "NextWaitBlock",
                blocks + (number + 1) % count * size,
            );
        }
    }
    let threads: Vec<Va> = built.truth.threads.iter().map(|thread| thread.address).collect();
    for thread in threads {
        built.point(thread, "_KTHREAD", "WaitBlockList", blocks);
        built.set(thread, "_KTHREAD", "WaitBlockCount", 0xff);
        built.set(thread, "_KTHREAD", "State", 5);
    }
    built
}
