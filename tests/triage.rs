//! Triage dumps through the binary: real ones, which stand beside the repository, not in it, and synthetic ones.

mod support;

use serde_json::{Value, json};
use support::synthetic::Sample;
use support::{Run, alpc_dump, shared};
use synth::address::Va;
use synth::world::{BlobId, Built};
use synth::worlds::{self, stacks};

fn ask(name: &str, command: &str) -> Option<Value> {
    let path = shared(&format!("samples/{name}"))?;
    let run = alpc_dump(&[path.to_str().unwrap(), "--format", "json", command]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    Some(run.json()["result"].clone())
}

#[test]
fn info_of_a_real_dump_of_x64() {
    let Some(info) = ask("triage_x64.dmp", "info") else {
        return;
    };
    assert_eq!(info["header"]["machine"], "x64");
    assert_eq!(info["header"]["minor_version"], 19041);
    assert_eq!(info["header"]["number_processors"], 16);
    assert_eq!(info["header"]["bug_check"]["code"], 0x1000_007e);
    let triage = &info["triage"];
    assert_eq!(triage["blocks"], 1831);
    assert_eq!(triage["bytes"], triage["bytes_present"]);
    assert_eq!(triage["kernel_base"], "fffff8047ba00000");
    assert_eq!(
        triage["crashed"],
        json!({
            "thread": "ffffc08bde9e1640", "idle": false, "process": "ffffc08bdce94180", "process_id": 4, "image": "System",
        })
    );
    assert_eq!(triage["modules"]["modules"].as_array().unwrap().len(), 151);
}

#[test]
fn info_of_a_real_dump_of_arm64() {
    let Some(info) = ask("triage_arm64.dmp", "info") else {
        return;
    };
    assert_eq!(info["header"]["machine"], "ARM64");
    assert_eq!(info["header"]["minor_version"], 22000);
    assert_eq!(info["header"]["number_processors"], 8);
    assert_eq!(info["header"]["bug_check"]["code"], 0x1c8);
    let triage = &info["triage"];
    assert_eq!(triage["blocks"], 679);
    assert_eq!(
        triage["crashed"],
        json!({
            "thread": "ffffbb8eb1719180", "idle": false, "process": "ffffbb8eb1690080", "process_id": 4, "image": "System",
        })
    );
    assert_eq!(triage["modules"]["modules"].as_array().unwrap().len(), 245);
}

/// Where the file ends early, that is the reason of everything that it no longer tells.
#[test]
fn a_cut_file_is_the_reason_of_what_it_no_longer_tells() {
    let Some(path) = shared("samples/triage_x64.dmp") else {
        return;
    };
    let bytes = std::fs::read(path).unwrap();
    // Behind TRIAGE_DUMP64; before, and inside of, the table of blocks at 19438.
    for len in [0x2100, 0x1_8438, 0x1_9538] {
        let cut = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(cut.path(), &bytes[..len]).unwrap();
        for command in ["info", "modules", "processes"] {
            let run = alpc_dump(&[cut.path().to_str().unwrap(), "--format", "json", command]);
            let holes = run.json()["holes"].as_array().unwrap().clone();
            let expected = if holes.is_empty() { 0 } else { 3 };
            assert_eq!(run.status, expected, "{command} of {len:#x}: {}", run.stderr);
            // The last file holds the names of all modules.
            assert_eq!(holes.is_empty(), command != "processes" && len == 0x1_9538);
            for hole in holes {
                assert_eq!(hole["cause"], "out-of-file", "{command} of {len:#x}: {hole}");
            }
        }
    }
}

#[test]
fn secondary_data_is_listed() {
    let Some(info) = ask("triage_x64.dmp", "info") else {
        return;
    };
    let data = &info["secondary_data"];
    assert_eq!(data["ended"], "complete");
    assert_eq!(data["blobs"].as_array().unwrap().len(), 20);
    assert_eq!(
        data["blobs"][1],
        json!({
            "guid": "67fc721a-2852-4f62-a3b1-2afc53953777", "offset": 0x13_b2dc, "size": 0x44, "present": 0x44,
        })
    );
    let path = shared("samples/triage_x64.dmp").unwrap();
    let text = alpc_dump(&[path.to_str().unwrap(), "info"]).stdout;
    assert!(
        text.contains("  Secondary data         : 157047 bytes in 20 blobs\n"),
        "{text}"
    );
    assert!(
        text.contains("  : {bf2297dc-34ba-11dc-868a-e19155d89593} 0xd4bb bytes\n"),
        "{text}"
    );
}

#[test]
fn modules_need_no_symbols() {
    let Some(modules) = ask("triage_x64.dmp", "modules") else {
        return;
    };
    let first = &modules["modules"][0];
    assert_eq!(
        (&first["base"], &first["end"], &first["name"]),
        (
            &json!("fffff8047ba00000"),
            &json!("fffff8047ca46000"),
            &json!("ntoskrnl.exe")
        )
    );
    assert_eq!(modules["modules"].as_array().unwrap().len(), 151);
}

const KERNEL: &str = "win10-2004-2022-x64";

/// A triage dump of a world, with the kernel's symbols beside it.
struct Small {
    folder: tempfile::TempDir,
}

impl Small {
    fn of(world: &Built, thread: Va, next: Va, idle: Va, pieces: &[(Va, u64)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dump = world.triage_dump(thread, next, idle, pieces);
        std::fs::write(folder.path().join("small.dmp"), dump).unwrap();
        std::fs::write(folder.path().join("ntkrnlmp.pdb"), world.pdb()).unwrap();
        Self { folder }
    }

    fn run(&self, args: &[&str]) -> Run {
        let path = |name| self.folder.path().join(name).to_str().unwrap().to_owned();
        let (dump, symbols) = (path("small.dmp"), path("ntkrnlmp.pdb"));
        let mut line = vec![dump.as_str(), "-y", &symbols, "--format", "json"];
        line.extend(args);
        alpc_dump(&line)
    }
}

/// The thread that runs, and one of another process.
fn two_threads(world: &Built) -> (Va, Va) {
    let threads = &world.truth.threads;
    let running = threads
        .iter()
        .find(|thread| thread.state == 2)
        .unwrap_or(&threads[0]);
    let other = threads
        .iter()
        .find(|thread| thread.process != running.process)
        .unwrap();
    (running.address, other.address)
}

#[test]
fn threads_that_the_dump_names_are_listed_without_any_list() {
    let world = worlds::standard(KERNEL);
    let (crashed, next) = two_threads(&world);
    let small = Small::of(&world, crashed, next, Va::NULL, &[(next, 0x900)]);
    let run = small.run(&["threads"]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    let processes = run.json()["result"]["processes"].clone();
    for (thread, kind) in [(crashed, "crashed"), (next, "next")] {
        let owner = world.truth.thread(thread).process.to_string();
        let process = processes
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["address"] == owner);
        let process = process.unwrap_or_else(|| panic!("no {owner} in {processes}"));
        assert_eq!(process["found_by"]["kind"], kind);
        let threads = process["threads"].as_array().unwrap();
        let found: Vec<&Value> = threads
            .iter()
            .filter(|one| one["address"] == thread.to_string())
            .collect();
        let [found] = found[..] else {
            panic!("{thread} stands {} times in {process}", found.len());
        };
        // The dump holds the crashed process, and with it a list of threads that may have the thread.
        let expected = if kind == "crashed" { "" } else { kind };
        assert_eq!(found["found_by"]["kind"].as_str().unwrap_or(""), expected);
        assert_eq!(found["thread_id"], world.truth.thread(thread).tid);
    }
    let handles = small.run(&["handles"]);
    let owner = world.truth.thread(crashed).process.to_string();
    assert!(handles.stdout.contains(&owner), "{}", handles.stdout);
    let hang = small.run(&["hang"]).json()["result"].clone();
    assert!(hang["threads"].as_u64() >= Some(2), "{hang}");
}

#[test]
fn the_idle_thread_is_called_that() {
    let world = worlds::standard(KERNEL);
    let (crashed, _) = two_threads(&world);
    let small = Small::of(&world, crashed, Va::NULL, crashed, &[]);
    let info = small.run(&["info"]).json()["result"].clone();
    assert_eq!(info["triage"]["crashed"]["idle"], true);
    let thread = small.run(&["thread", "current"]).json()["result"].clone();
    assert_eq!(thread["address"], crashed.to_string());
    assert_eq!(thread["idle"], true);
    let process = small.run(&["process", "current"]).json()["result"].clone();
    assert_eq!(
        process["address"],
        world.truth.thread(crashed).process.to_string()
    );
    assert_eq!(process["idle"], true);
    // Of a thread that is not idle nothing says so.
    let busy = Small::of(&world, crashed, Va::NULL, Va::NULL, &[]);
    for view in ["thread", "process"] {
        assert!(
            busy.run(&[view, "current"]).json()["result"]
                .get("idle")
                .is_none()
        );
    }
}

/// A blob without references is told as freed, with its kind and whatever can still be read.
#[test]
fn freed_blobs_are_told_as_freed() {
    let mut world = worlds::standard(KERNEL);
    let (crashed, _) = two_threads(&world);
    let message = world.truth.messages[0].address;
    let mut blobs = world.truth.blobs.iter();
    let resource = *blobs.find(|(_, blob)| blob.id == BlobId::Reserve).unwrap().0;
    for (body, flags) in [(message, 8), (resource, 0)] {
        let at = body - world.kernel.size("_BLOB");
        world.set(at, "_BLOB", "ReferenceCount", 0);
        world.set(at, "_BLOB", "u1.Flags", flags);
    }
    let pieces = [(message - 0x40, 0x200), (resource - 0x40, 0xc0)];
    let small = Small::of(&world, crashed, Va::NULL, Va::NULL, &pieces);
    let record = small.run(&["message", &message.to_string()]).json()["result"].clone();
    assert_eq!(record["freed"], "deleted");
    let record = small.run(&["resource", &resource.to_string()]).json()["result"].clone();
    assert_eq!(record["resources"][0]["freed"], "no-references");
    assert!(record["resources"][0]["type"].is_string());
    let run = small.run(&["object", &resource.to_string()]);
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("freed"), "{}", run.stderr);
}

/// The blocks of ALPC in the file that nothing leads to are counted by their tags.
#[test]
fn what_nothing_leads_to_is_counted() {
    let world = worlds::standard(KERNEL);
    let (crashed, _) = two_threads(&world);
    let (port, message) = (world.truth.ports[0].address, world.truth.messages[0].address);
    let pieces = [(port - 0x100, 0x300), (message - 0x40, 0x200)];
    let small = Small::of(&world, crashed, Va::NULL, Va::NULL, &pieces);
    let run = small.run(&["ports"]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    let rows = run.json()["result"]["not_reached"].clone();
    let tags: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["tag"].as_str().unwrap())
        .collect();
    assert!(tags.contains(&"ALPC") && tags.contains(&"AlMs"), "{rows}");
    assert!(run.stderr.contains("not reached"), "{}", run.stderr);
    assert!(small.run(&["hang"]).stdout.contains("not reached"));
}

/// A process that was taken out of the system's list is found by the processor that runs its thread.
#[test]
fn a_hidden_process_is_found_by_its_processor() {
    let mut world = worlds::standard(KERNEL);
    let (running, _) = two_threads(&world);
    let process = world.truth.thread(running).process;
    let links = world.field(process, "_EPROCESS", "ActiveProcessLinks");
    let at = |world: &Built, at: Va| Va(world.memory.read_uint(at, 8));
    let (next, previous) = (at(&world, links), at(&world, links + 8));
    world.write_pointer(previous, next);
    world.write_pointer(next + 8, previous);
    let sample = Sample::of(world);
    let run = sample.run(&["--format", "json", "processes"]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    let result = run.json()["result"].clone();
    let all = result["processes"].as_array().unwrap();
    let hidden = all
        .iter()
        .find(|one| one["address"] == process.to_string())
        .unwrap();
    assert_eq!(hidden["found_by"], json!({ "kind": "current", "processor": 0 }));
    assert!(result["complete"].is_null());
    let threads = sample.run(&["threads"]).stdout;
    assert!(
        threads.contains("found by the thread that processor 0 runs"),
        "{threads}"
    );
}

/// A small dump has no images: the file of one, in the symbol path, leads through the stack.
#[test]
fn stacks_are_walked_by_files_of_images() {
    let mut scene = None;
    let world = worlds::standard_with(KERNEL, |world| {
        let mut threads = world.truth.threads.iter();
        let thread = threads.find(|thread| thread.state == 5).unwrap().address;
        let base = world.truth.kernel_base;
        scene = Some(stacks::switch_out_of(world, thread, stacks::Entry::Kernel, base));
    });
    let scene = scene.unwrap();
    let (crashed, _) = two_threads(&world);
    let stack = (Va(scene.stack_base.0 - 0x2000), 0x2000);
    let small = Small::of(
        &world,
        crashed,
        scene.thread,
        Va::NULL,
        &[(scene.thread, 0x900), stack],
    );
    let thread = scene.thread.to_string();
    let frames = || {
        let document = small.run(&["stack", &thread]).json();
        let frames = document["result"]["stack"]["frames"].as_array().unwrap().clone();
        let place = |frame: &Value| (frame["child_sp"].clone(), frame["address"].clone());
        let whole = document["result"]["stack"]["complete"] == true;
        (frames.iter().map(place).collect::<Vec<_>>(), whole)
    };
    assert_eq!(frames().0.len(), 2);
    // The image under the name, time stamp and size that the dump gives the kernel's.
    let mut image = stacks::IMAGE.to_vec();
    let header = u32::from_le_bytes(image[0x3c..0x40].try_into().unwrap()) as usize;
    let size = world.kernel.image_size();
    image[header + 8..header + 12].copy_from_slice(&0x5f5e_1000_u32.to_le_bytes());
    image[header + 80..header + 84].copy_from_slice(&size.to_le_bytes());
    let store = small.folder.path().join(format!("ntoskrnl.exe/5F5E1000{size:x}"));
    std::fs::create_dir_all(&store).unwrap();
    std::fs::write(store.join("ntoskrnl.exe"), image).unwrap();
    let calls = std::iter::once(&scene.switch).chain(&scene.calls);
    let expected: Vec<_> = calls
        .map(|call| (json!(call.sp.to_string()), json!(call.returns_to.to_string())))
        .collect();
    assert_eq!(frames(), (expected, true));
}
