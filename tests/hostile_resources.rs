//! Threads and resources that are torn or made to harm: lists that lead around, counts beyond all bounds,
//! waits that nothing confirms. Every command ends soon, tells what it met, and keeps what is still sound.

mod support;

use serde_json::Value;
use support::Run;
use support::synthetic::{Sample, address};
use synth::address::Va;
use synth::world::{Built, Resource, Thread};
use synth::worlds;

/// One kernel whose wait blocks are an array, and one where they are a ring.
const KERNELS: [&str; 2] = ["win10-2004-x64", "vista-sp2-x64"];

/// What a command gives. A walk without bounds would not come back.
fn ask(world: &Built, line: &str) -> (Value, Run) {
    let sample = Sample::of(world.clone());
    let run = sample.run(&["--format", "json", "-c", line]);
    (run.json()["result"].clone(), run)
}

fn section(world: &Built) -> (Va, Vec<Va>) {
    let found = world.truth.resources.iter().find_map(|resource| match resource {
        Resource::Section { address, regions, .. } => Some((*address, regions.clone())),
        _ => None,
    });
    found.unwrap()
}

fn waiter(world: &Built) -> Thread {
    let threads = world.truth.threads.iter();
    let waits = |thread: &&Thread| thread.alpc_wait.is_some() && thread.wait_reason == 17;
    threads.clone().find(waits).unwrap().clone()
}

#[test]
fn a_handle_table_of_absurd_size() {
    for kernel in KERNELS {
        let mut world = worlds::standard(kernel);
        let infos = world.truth.communication_infos.iter();
        let info = infos.max_by_key(|info| info.handles.len()).unwrap().clone();
        let table = world.field(info.address, "_ALPC_COMMUNICATION_INFO", "HandleTable");
        world.set(table, "_ALPC_HANDLE_TABLE", "TotalHandles", 0xffff_ffff);
        let (answer, run) = ask(&world, &format!("resource {}", info.address));
        assert_eq!(run.status, 3, "{}", run.stderr);
        let table = &answer["resources"][0]["members"]["handle_table"];
        assert_eq!(table["total_handles"], 0xffff_ffff_u64);
        let entries = table["entries"].as_array().unwrap();
        for (entry, blob) in entries.iter().zip(&info.handles) {
            assert_eq!(entry["object"], address(*blob));
        }
        assert!(table["unreadable"]["complete"]["text"].is_string());
    }
}

#[test]
fn regions_that_lead_around() {
    for kernel in KERNELS {
        let mut world = worlds::standard(kernel);
        let (section, regions) = section(&world);
        let first = world.field(regions[0], "_KALPC_REGION", "RegionListEntry");
        world.write_pointer(first, first);
        let (answer, run) = ask(&world, &format!("resource {section}"));
        assert_eq!(run.status, 3, "{}", run.stderr);
        let list = &answer["resources"][0]["members"]["regions"];
        // The rest is still found from the other end.
        let found: Vec<&Value> = list["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["address"])
            .collect();
        assert_eq!(found, [&address(regions[0]), &address(regions[1])]);
        assert_eq!(list["unreadable"]["complete"]["id"], "walk-ended");
    }
}

/// A region is in its own list of views: it is shown for what it is, and not followed again.
#[test]
fn a_region_among_its_own_views() {
    for kernel in KERNELS {
        let mut world = worlds::standard(kernel);
        let (_, regions) = section(&world);
        let head = world.field(regions[0], "_KALPC_REGION", "ViewListHead");
        let entry = world.field(regions[0], "_KALPC_VIEW", "ViewListEntry");
        world.link(head, &[entry]);
        let (answer, run) = ask(&world, &format!("resource {}", regions[0]));
        assert_eq!(run.status & !3, 0, "{}", run.stderr);
        let views = &answer["resources"][0]["members"]["views"]["resources"];
        assert_eq!(views[0]["address"], address(regions[0]));
        assert_eq!(views[0]["type"], "KALPC_REGION");
        assert!(views[0]["members"].is_null());
    }
}

#[test]
fn threads_that_lead_around() {
    for kernel in KERNELS {
        let mut world = worlds::standard(kernel);
        let thread = waiter(&world);
        let entry = world.field(thread.address, "_ETHREAD", "ThreadListEntry");
        world.write_pointer(entry, entry);
        let (answer, run) = ask(&world, "threads");
        assert_eq!(run.status, 3, "{}", run.stderr);
        let mut processes = answer["processes"].as_array().unwrap().iter();
        let process = processes
            .find(|process| process["address"] == address(thread.process))
            .unwrap();
        assert_eq!(process["unreadable"]["complete"]["id"], "walk-ended");
        let threads = process["threads"].as_array().unwrap();
        let known = world
            .truth
            .threads
            .iter()
            .filter(|one| one.process == thread.process);
        assert_eq!(threads.len(), known.count());
    }
}

/// The blocks of a wait form no ring, or are said to be many more than there are.
#[test]
fn wait_blocks_without_end() {
    for kernel in KERNELS {
        let mut world = worlds::standard(kernel);
        let thread = waiter(&world);
        let block = world.field(thread.address, "_KTHREAD", "WaitBlock");
        world.set_if(thread.address, "_KTHREAD", "WaitBlockCount", 255);
        let ring = world.has("_KWAIT_BLOCK", "NextWaitBlock");
        if ring {
            let size = world.kernel.size("_KWAIT_BLOCK");
            let second = block + size;
            world.point(block, "_KWAIT_BLOCK", "NextWaitBlock", second);
            world.point(second, "_KWAIT_BLOCK", "NextWaitBlock", second);
        }
        let (answer, run) = ask(&world, &format!("thread {}", thread.address));
        if ring {
            assert_eq!(answer["unreadable"]["wait_objects"]["id"], "walk-ended");
            assert_eq!(run.status, 3, "{}", run.stderr);
        } else {
            assert!(answer["wait_objects"].as_array().unwrap().len() <= 64);
        }
        // The reply is confirmed by the message, whatever the blocks say.
        assert_eq!(answer["alpc_wait"]["message"], address(thread.alpc_wait.unwrap()));
    }
}

/// The message that a thread names has another waiter: the thread's word alone is not believed.
#[test]
fn a_message_that_disowns_its_waiter() {
    for kernel in KERNELS {
        let mut world = worlds::standard(kernel);
        let thread = waiter(&world);
        let message = thread.alpc_wait.unwrap();
        world.point(
            message,
            "_KALPC_MESSAGE",
            "WaitingThread",
            Va(thread.address.0 + 0x1000),
        );
        let (answer, run) = ask(&world, &format!("thread {}", thread.address));
        assert!(answer["alpc_wait"].is_null() && answer["unreadable"]["alpc_wait"].is_null());
        assert_eq!(run.status, 0, "{}", run.stderr);
        assert!(
            !ask(&world, "threads")
                .1
                .stdout
                .contains("Waiting for reply to ALPC Message {message}")
        );
    }
}

/// The header before a resource is overwritten: nothing is taken for what it was.
#[test]
fn a_resource_without_its_header() {
    for kernel in KERNELS {
        let mut world = worlds::standard(kernel);
        let (section, _) = section(&world);
        let header = Va(section.0 - world.kernel.size("_BLOB"));
        world.set(header, "_BLOB", "ResourceId", 0x7f);
        let (answer, run) = ask(&world, &format!("resource {section}"));
        assert!(answer.is_null());
        assert_eq!(run.status, 1, "{}", run.stderr);
        assert!(run.stderr.contains("no ALPC resource"), "{}", run.stderr);
    }
}
