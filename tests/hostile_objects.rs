//! Object structures that are torn or made to harm: tables that lead around, counts beyond all bounds,
//! directories in circles. Every command ends soon, tells what it met, and keeps what is still sound.

mod support;

use serde_json::Value;
use support::Run;
use support::synthetic::{Sample, address};
use synth::address::Va;
use synth::world::{Built, Process};
use synth::worlds;

const KERNEL: &str = "win10-2004-x64";

fn world() -> Built {
    worlds::standard(KERNEL)
}

/// What a command gives. A walk without bounds would not come back.
fn ask(world: &Built, line: &str) -> (Value, Run) {
    let sample = Sample::of(world.clone());
    let run = sample.run(&["--format", "json", "-c", line]);
    (run.json()["result"].clone(), run)
}

fn pointer(world: &Built, at: Va) -> Va {
    Va(world.memory.read_uint(at, 8))
}

/// The process with most handles.
fn busiest(world: &Built) -> Process {
    let processes = world.truth.processes.iter();
    processes
        .max_by_key(|process| process.handles.len())
        .unwrap()
        .clone()
}

fn handles_of(answer: &Value) -> &Value {
    &answer["processes"][0]["handles"]
}

fn values(handles: &Value) -> Vec<u64> {
    let handles = handles["handles"].as_array().unwrap();
    handles
        .iter()
        .map(|handle| handle["handle"].as_u64().unwrap())
        .collect()
}

#[test]
fn a_bound_beyond_the_table() {
    let mut world = world();
    let process = busiest(&world);
    world.set(
        process.object_table,
        "_HANDLE_TABLE",
        "NextHandleNeedingPool",
        0xffff_fffc,
    );
    let (answer, _) = ask(&world, &format!("handles --process {}", process.address));
    let wanted: Vec<u64> = process.handles.iter().map(|handle| handle.value).collect();
    assert_eq!(values(handles_of(&answer)), wanted);
    // The table above the leaves has null pointers where the bound says that leaves are.
    assert_eq!(handles_of(&answer)["gaps"].as_array().unwrap().len(), 1);
    assert!(handles_of(&answer)["in_use"].is_null());
}

#[test]
fn a_table_whose_pages_are_all_the_same() {
    let mut world = world();
    let process = busiest(&world);
    let code = world
        .memory
        .read_uint(world.field(process.object_table, "_HANDLE_TABLE", "TableCode"), 8);
    assert_eq!(code & 3, 1, "a world whose busiest process has two levels");
    let top = Va(code & !3);
    let leaf = pointer(&world, top);
    for slot in 0..512 {
        world.write_pointer(top + slot * 8, leaf);
    }
    // One level more: a table of tables, all of them the same.
    world.set(process.object_table, "_HANDLE_TABLE", "TableCode", top.0 | 2);
    world.set(
        process.object_table,
        "_HANDLE_TABLE",
        "NextHandleNeedingPool",
        0xffff_fffc,
    );
    let (_, run) = ask(&world, &format!("handles --process {}", process.address));
    assert_eq!(run.status, 3, "{}", run.stderr);
    world.set(process.object_table, "_HANDLE_TABLE", "TableCode", top.0 | 1);
    let (answer, run) = ask(&world, &format!("handles --process {}", process.address));
    assert_eq!(run.status, 3, "{}", run.stderr);
    let first: Vec<u64> = process.handles.iter().map(|handle| handle.value).collect();
    let found = values(handles_of(&answer));
    assert_eq!(found, first[..found.len()]);
    assert!(run.stderr.contains("leads around"), "{}", run.stderr);
}

#[test]
fn a_page_missing_in_the_middle_of_a_table() {
    let world = world();
    let process = busiest(&world);
    let code = world
        .memory
        .read_uint(world.field(process.object_table, "_HANDLE_TABLE", "TableCode"), 8);
    let leaf = pointer(&world, Va(code & !3));
    let mut mapped = world.map();
    let frame = mapped.frames[&leaf.page()];
    mapped.memory.remove(frame);
    let sample = Sample::mapped(world, mapped);
    let line = format!("handles --process {}", process.address);
    let run = sample.run(&["--format", "json", "-c", &line]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    let answer = &run.json()["result"];
    // A leaf of a 64-bit kernel has 256 entries, and handles count them by four.
    let wanted: Vec<u64> = process
        .handles
        .iter()
        .map(|handle| handle.value)
        .filter(|&handle| handle >= 0x400)
        .collect();
    assert!(!wanted.is_empty());
    assert_eq!(values(handles_of(answer)), wanted);
    assert!(
        run.stderr.contains("handles 0x4 to 0x3fc"),
        "which ones is told: {}",
        run.stderr
    );
}

#[test]
fn a_level_that_no_table_has() {
    let mut world = world();
    let process = busiest(&world);
    world.set(
        process.object_table,
        "_HANDLE_TABLE",
        "TableCode",
        0xffff_a000_0000_0003,
    );
    let (answer, _) = ask(&world, &format!("handles --process {}", process.address));
    let process = &answer["processes"][0];
    assert!(process["handles"].is_null());
    assert_eq!(process["unreadable"]["handles"]["id"], "implausible");
}

#[test]
fn directories_in_circles() {
    let mut world = world();
    let rpc_control = world
        .truth
        .directories
        .keys()
        .copied()
        .find(|directory| {
            let name = world.truth.objects[directory].name.as_ref();
            name.is_some_and(|(_, name)| name.to_string() == "RPC Control")
        })
        .unwrap();
    let (port, bucket) = *world.truth.directories[&rpc_control]
        .entries
        .iter()
        .find(|(object, _)| world.truth.objects[object].type_name == "ALPC Port")
        .unwrap();
    let intact = ask(&world, &format!("object {port}")).0;
    assert!(intact["path"].as_str().unwrap().starts_with("\\RPC Control\\"));

    // The chain of one bucket leads back to its first entry.
    let entry = pointer(&world, rpc_control + bucket * 8);
    world.point(entry, "_OBJECT_DIRECTORY_ENTRY", "ChainLink", entry);
    let (answer, run) = ask(&world, &format!("object {rpc_control}"));
    assert_eq!(run.status, 3, "{}", run.stderr);
    let inside = answer["contents"]["objects"].as_array().unwrap();
    assert!(inside.iter().any(|member| member["address"] == address(port)));
    assert!(run.stderr.contains("lead around"), "{}", run.stderr);

    // The directory is in itself, and so is everything in it.
    let info = world.truth.objects[&rpc_control].header - world.kernel.size("_OBJECT_HEADER_NAME_INFO");
    assert_eq!(
        pointer(&world, world.field(info, "_OBJECT_HEADER_NAME_INFO", "Directory")),
        world.root()
    );
    world.point(info, "_OBJECT_HEADER_NAME_INFO", "Directory", rpc_control);
    let (answer, run) = ask(&world, &format!("object {port}"));
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert_eq!(answer["name"], intact["name"]);
    assert!(answer["path"].is_null());
    assert_eq!(answer["unreadable"]["path"]["id"], "walk-ended");

    // What says that it is a directory and is none.
    let no_directory = world.truth.object_types[0].address;
    world.point(info, "_OBJECT_HEADER_NAME_INFO", "Directory", no_directory);
    let (answer, _) = ask(&world, &format!("object {port}"));
    assert!(answer["path"].is_null());
    assert_eq!(answer["unreadable"]["path"]["id"], "implausible");
}

#[test]
fn a_directory_of_the_namespace_that_holds_its_parent() {
    let mut world = world();
    let root = world.root();
    let (directory, bucket) = *world.truth.directories[&root]
        .entries
        .iter()
        .find(|(object, _)| world.truth.directories.contains_key(object))
        .unwrap();
    // Any bucket of the inner directory will do: its first entry becomes that of the outer one.
    let entry = pointer(&world, root + bucket * 8);
    world.write_pointer(directory, entry);
    let (_, run) = ask(&world, "port nothing-has-this-name");
    assert_eq!(run.status & !2, 1, "{}", run.stderr);
}

#[test]
fn a_list_of_modules_that_leads_around() {
    let mut world = world();
    let (answer, _) = ask(&world, "modules");
    let entry = |at: usize| {
        let text = answer["modules"][at]["entry"].as_str().unwrap();
        Va(u64::from_str_radix(text, 16).unwrap())
    };
    world.write_pointer(entry(2), entry(1));
    let (cut, run) = ask(&world, "modules");
    assert_eq!(run.status, 3, "{}", run.stderr);
    let all = answer["modules"].as_array().unwrap();
    // By its other links the list is still whole.
    for module in cut["modules"].as_array().unwrap() {
        assert!(all.contains(module), "{module}");
    }
    assert!(cut["modules"].as_array().unwrap().len() >= 2);
}

#[test]
fn a_process_that_was_taken_out_of_the_list() {
    let mut world = world();
    let process = busiest(&world);
    let links = world.field(process.address, "_EPROCESS", "ActiveProcessLinks");
    let (next, last) = (pointer(&world, links), pointer(&world, links + 8));
    world.write_pointer(last, next);
    world.write_pointer(next + 8, last);
    let (answer, run) = ask(&world, &format!("process pid:{}", process.pid));
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(answer["address"], address(process.address));
    let threads = world.truth.threads.iter();
    let thread = threads
        .clone()
        .find(|thread| thread.process == process.address)
        .unwrap();
    let (answer, run) = ask(&world, &format!("thread tid:{}", thread.tid));
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(answer["address"], address(thread.address));
}
