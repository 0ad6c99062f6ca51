//! Things found by what they look like: all that the lists have, what is taken out of them, what is freed, what no page table
//! maps any more; and nothing in memory that holds none.
//!
//! The memory is written by the fixture builder, which shares nothing with the reader; real fragments, decoded by a script of
//! its own, and the worlds of another generator stand beside it where they are at hand.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use support::synthetic::{Sample, address, every_kernel, kernels};
use support::{alpc_dump, fixture, say_if_none, shared};
use synth::address::{Pfn, Va};
use synth::dump::Kind;
use synth::world::Built;
use synth::worlds;

const KERNEL: &str = "win10-2004-x64";

fn ask(sample: &Sample, args: &[&str]) -> Value {
    let mut line = vec!["carve", "--format", "json"];
    line.extend(args);
    let run = sample.run(&line);
    sample.widened(run.json()["result"].clone())
}

/// The addresses of a kind that have one of some states.
fn found(answer: &Value, kind: &str, states: &[&str]) -> BTreeSet<String> {
    let rows = answer["found"].as_array().unwrap().iter();
    rows.filter(|row| row["kind"] == kind && states.iter().any(|state| row["state"] == *state))
        .map(|row| row["address"].as_str().unwrap_or("nowhere").to_owned())
        .collect()
}

fn row(answer: &Value, at: Va) -> &Value {
    let rows = answer["found"].as_array().unwrap().iter();
    let mut of_it = rows.filter(|row| row["address"] == address(at));
    of_it
        .next()
        .unwrap_or_else(|| panic!("{at} was not found: {answer:#}"))
}

fn all(addresses: impl Iterator<Item = Va>) -> BTreeSet<String> {
    addresses.map(address).collect()
}

/// Takes an entry out of its list, as `RemoveEntryList` does.
fn unlink(world: &mut Built, entry: Va) {
    let width = world.pointer_size();
    let next = Va(world.memory.read_uint(entry, width));
    let previous = Va(world.memory.read_uint(entry + width, width));
    world.write_pointer(previous, next);
    world.write_pointer(next + width, previous);
}

/// In every generation the looks of things find what the lists have, and in a world in which nothing is hidden nothing else:
/// only messages that reserves and connections keep are in no table.
#[test]
fn a_sound_world_has_nothing_hidden() {
    for kernel in every_kernel() {
        let sample = Sample::standard(kernel);
        let truth = &sample.world.truth;
        let answer = ask(&sample, &["--listed"]);
        let listed = |kind| found(&answer, kind, &["listed", "reached"]);
        assert_eq!(
            listed("port"),
            all(truth.ports.iter().map(|port| port.address)),
            "{kernel}"
        );
        assert_eq!(
            listed("connection"),
            all(truth.communication_infos.iter().map(|info| info.address)),
            "{kernel}"
        );
        let processes = truth.processes.iter().filter(|process| process.pid != 0);
        assert_eq!(
            listed("process"),
            all(processes.map(|process| process.address)),
            "{kernel}"
        );
        let threads = truth.threads.iter().filter(|thread| thread.tid != 0);
        assert_eq!(
            listed("thread"),
            all(threads.map(|thread| thread.address)),
            "{kernel}"
        );
        let messages = listed("message");
        for message in &truth.messages {
            assert!(
                messages.contains(&address(message.address)),
                "{kernel}: {}",
                message.address
            );
        }
        for state in ["unlinked", "freed", "unknown"] {
            for kind in ["port", "message", "connection", "process", "thread"] {
                let others = found(&answer, kind, &[state]);
                assert!(others.is_empty(), "{kernel}: {state} {kind}s: {others:?}");
            }
        }
    }
}

/// Without an option only what the lists lack is told.
#[test]
fn what_is_listed_is_told_on_request() {
    let sample = Sample::standard(KERNEL);
    let answer = ask(&sample, &["ports"]);
    assert_eq!(answer["found"].as_array().unwrap().len(), 0);
    let kinds = answer["kinds"].as_array().unwrap();
    assert_eq!(kinds.len(), 1);
    assert_eq!(kinds[0]["listed"], sample.world.truth.ports.len());
    assert_eq!(kinds[0]["not_found"], 0);
    let run = sample.run(&["carve", "ports"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stdout.starts_with("nothing was found"), "{}", run.stdout);
}

/// A process, a thread and a port taken out of their lists, as what hides them does.
#[test]
fn what_was_taken_out_of_its_list() {
    for kernel in kernels() {
        let mut world = worlds::standard(kernel);
        let truth = world.truth.clone();
        let running = truth.threads.iter().find(|thread| thread.state == 2);
        let busy: Vec<Va> = running
            .or(truth.threads.first())
            .map(|thread| thread.process)
            .into_iter()
            .collect();
        let held: BTreeSet<Va> = truth
            .processes
            .iter()
            .flat_map(|process| process.handles.iter().map(|handle| handle.object))
            .collect();
        let process = truth.processes.iter().find(|process| {
            process.pid > 4
                && !busy.contains(&process.address)
                && process.handles.is_empty()
                && !held.contains(&process.address)
        });
        if let Some(process) = process {
            let links = world.field(process.address, "_EPROCESS", "ActiveProcessLinks");
            unlink(&mut world, links);
        }
        let thread = truth.threads.iter().find(|thread| {
            thread.tid != 0
                && !busy.contains(&thread.process)
                && Some(thread.process) != process.map(|process| process.address)
                && !held.contains(&thread.address)
        });
        let thread = thread.unwrap();
        let links = world.field(thread.address, "_ETHREAD", "ThreadListEntry");
        unlink(&mut world, links);
        let sample = Sample::of(world);
        let answer = ask(&sample, &["processes", "threads"]);
        if let Some(process) = process {
            assert_eq!(row(&answer, process.address)["state"], "unlinked", "{kernel}");
            assert_eq!(
                row(&answer, process.address)["process_id"],
                process.pid,
                "{kernel}"
            );
        }
        assert_eq!(row(&answer, thread.address)["state"], "unlinked", "{kernel}");
        assert_eq!(row(&answer, thread.address)["thread_id"], thread.tid, "{kernel}");
    }
}

/// A port that is in no list, and to which its connection and its handle still lead.
#[test]
fn a_port_that_only_its_connection_leads_to() {
    let mut world = worlds::standard(KERNEL);
    let port = world.truth.ports[0].address;
    let links = world.field(port, "_ALPC_PORT", "PortListEntry");
    unlink(&mut world, links);
    let sample = Sample::of(world);
    let answer = ask(&sample, &["ports"]);
    assert_eq!(row(&answer, port)["state"], "reached");
    assert!(row(&answer, port)["name"].is_string());
}

/// A message that nothing leads to any more, by each of the marks of such; its sender and type are still told.
#[test]
fn a_message_that_was_freed() {
    for kernel in kernels() {
        let mut world = worlds::standard(kernel);
        let queued: Vec<Va> = world
            .truth
            .messages
            .iter()
            .map(|message| message.address)
            .collect();
        let at = queued[0];
        // Out of its queue, out of the table: the entry is found by what it holds, so that the table's form does not matter.
        let entry = world.field(at, "_KALPC_MESSAGE", "Entry");
        unlink(&mut world, entry);
        world.set(at, "_KALPC_MESSAGE", "OwnerPort", 0);
        world.set(at, "_KALPC_MESSAGE", "PortQueue", 0);
        let blob = at - world.kernel.size("_BLOB");
        world.set(blob, "_BLOB", "ReferenceCount", 0);
        let head = world.field(at, "_KALPC_MESSAGE", "PortMessage");
        let id = world.field(head, "_PORT_MESSAGE", "MessageId");
        let was = world.memory.read_uint(id, 4);
        world.memory.write_uint(id, 4, was | 0x8000_0000);
        let sample = Sample::of(world);
        let answer = ask(&sample, &["messages"]);
        let row = row(&answer, at);
        assert_eq!(row["state"], "freed", "{kernel}: {row:#}");
        assert_eq!(row["message_id"], was | 0x8000_0000, "{kernel}");
    }
}

/// The segment heap lays its own header over those of a block that is freed, tag and all: what stays is the port itself.
#[test]
fn a_port_whose_headers_were_written_over() {
    let mut world = worlds::standard("win11-22h2-x64");
    let port = world.truth.ports.last().unwrap().address;
    let links = world.field(port, "_ALPC_PORT", "PortListEntry");
    unlink(&mut world, links);
    for by in 1..=12 {
        world.memory.write_uint(port - by * 8, 8, 0xd6d6_d6d6_d6d6_d6d6);
    }
    let info = world.truth.port(port).communication_info;
    for member in [
        "ConnectionPort",
        "ServerCommunicationPort",
        "ClientCommunicationPort",
    ] {
        let at = world.field(info, "_ALPC_COMMUNICATION_INFO", member);
        if world.memory.read_uint(at, 8) == port.0 {
            world.memory.write_uint(at, 8, 0);
        }
    }
    world.set(port, "_ALPC_PORT", "CommunicationInfo", 0);
    let sample = Sample::of(world);
    let answer = ask(&sample, &["ports"]);
    let row = row(&answer, port);
    assert!(row["tag"].is_null(), "{row:#}");
    assert!(row["score"].as_u64().unwrap() >= 6, "{row:#}");
}

/// Pages that no page table maps any more are looked at by their place in memory.
#[test]
fn what_no_page_table_maps() {
    for kernel in [
        "win10-2004-x64",
        "win10-2004-x86",
        "win11-21h2-arm64",
        "win11-22h2-la57-x64",
    ] {
        let world = worlds::standard(kernel);
        let port = world.truth.ports[3].address;
        let mut mapped = world.map();
        let was = mapped.frames[&port.page()];
        // The page as it was, in a frame that nothing names.
        let page = *mapped.memory.frame(was).unwrap();
        let frame = Pfn(0x8123);
        *mapped.memory.frame_mut(frame) = page;
        mapped.memory.remove(was);
        let sample = Sample::mapped(world, mapped);
        let answer = ask(&sample, &["ports"]);
        let rows = answer["found"].as_array().unwrap();
        let physical = frame.0 * 0x1000 + (port.0 & 0xfff);
        assert!(
            rows.iter().any(|row| row["address"].is_null()
                && row["physical"] == physical
                && row["state"] == "unknown"),
            "{kernel}: {rows:#?}"
        );
    }
}

/// Pages that are missing take what is in them with them, and nothing else becomes hidden by that.
#[test]
fn missing_pages_hide_nothing_else() {
    let world = worlds::standard(KERNEL);
    let pages: BTreeSet<Va> = world.truth.ports.iter().map(|port| port.address.page()).collect();
    for page in pages {
        let sample = Sample::without_pages(&world, &[page]);
        let answer = ask(&sample, &[]);
        for kind in ["port", "message", "connection", "process", "thread"] {
            let hidden = found(&answer, kind, &["unlinked"]);
            assert!(hidden.is_empty(), "without {page}: {kind}s {hidden:?}");
        }
    }
}

/// Bytes of chance hold nothing.
#[test]
fn noise_holds_nothing() {
    let world = worlds::standard(KERNEL);
    let mut mapped = world.map();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let free = 0x8000..0x8800;
    for frame in free {
        for word in mapped.memory.frame_mut(Pfn(frame)).chunks_exact_mut(8) {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // A third of it are pointers of the system, as in memory that is in use.
            let value = match state >> 62 {
                0 => 0xffff_8000_0000_0000 | (state >> 20),
                1 => (state >> 40) & 0xffff,
                _ => state,
            };
            word.copy_from_slice(&value.to_le_bytes());
        }
    }
    let sample = Sample::mapped(world, mapped);
    let answer = ask(&sample, &[]);
    let mut rows = answer["found"].as_array().unwrap().iter();
    let in_noise = rows.find(|row| row["physical"].as_u64() >= Some(0x800_0000));
    assert!(in_noise.is_none(), "{in_noise:#?}");
}

/// All kinds of dumps hold the same.
#[test]
fn every_kind_of_dump() {
    let mut world = worlds::standard("win11-21h2-x64");
    let thread = world
        .truth
        .threads
        .iter()
        .find(|thread| thread.tid != 0 && thread.state == 5)
        .unwrap()
        .clone();
    let links = world.field(thread.address, "_ETHREAD", "ThreadListEntry");
    unlink(&mut world, links);
    let sample = Sample::of(world);
    let mut states = BTreeMap::new();
    for kind in [Kind::Full, Kind::Summary, Kind::BitmapKernel] {
        sample.rewrite(kind);
        let answer = ask(&sample, &["threads"]);
        states.insert(format!("{kind:?}"), row(&answer, thread.address)["state"].clone());
    }
    assert_eq!(states.values().collect::<Vec<_>>(), vec![&states["Full"]; 3]);
}

/// Names and ids are replaced like those of all other commands.
#[test]
fn redacted() {
    let sample = Sample::standard(KERNEL);
    let run = sample.run(&["carve", "--listed", "--format", "json", "--redact"]);
    for process in &sample.world.truth.processes {
        if process.image.len() > 4 && process.image != "System" {
            assert!(!run.stdout.contains(process.image), "{}", process.image);
        }
    }
}

/// Real triage dumps: the ports and communication infos that their truth has, and nothing else.
#[test]
fn real_fragments() {
    let Some(folder) = shared("real") else { return };
    let mut count = 0;
    for number in 1..=11 {
        let name = format!("r{number:02}-");
        let files = std::fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().path());
        let dump = files
            .filter(|path| path.extension().is_some_and(|extension| extension == "dmp"))
            .find(|path| path.file_name().unwrap().to_string_lossy().starts_with(&name))
            .unwrap();
        let truth = std::fs::read_to_string(dump.with_extension("truth.json")).unwrap();
        let truth: Value = serde_json::from_str(&truth).unwrap();
        let objects = truth["objects"].as_array().unwrap().iter();
        let wanted: BTreeSet<String> = objects
            .filter(|object| {
                let fields = &object["fields"];
                // Not those of which the dump holds only a beginning.
                let is_info =
                    fields["Type"] == "ALPC_COMMUNICATION_INFO" && fields["CommunicationList"].is_string();
                fields["CompletionPort"].is_string() || is_info
            })
            .map(|object| object["address"].as_str().unwrap().to_owned())
            .collect();
        let run = alpc_dump(&[
            dump.to_str().unwrap(),
            "carve",
            "ports",
            "connections",
            "messages",
            "--format",
            "json",
        ]);
        let answer = run.json();
        let rows = answer["result"]["found"].as_array().unwrap().iter();
        let got: BTreeSet<String> = rows
            .map(|row| row["address"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(got, wanted, "{}", dump.display());
        count += 1;
    }
    say_if_none(count, "real dumps");
}

/// The worlds of another generator: all that their truth has is found.
#[test]
fn worlds_of_another_generator() {
    for world in support::World::readable() {
        let run = world.run(&["carve", "--listed", "--format", "json"]);
        let answer = run.json();
        let got: BTreeSet<&str> = answer["result"]["found"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|row| row["address"].as_str())
            .collect();
        for (list, key) in [
            ("ports", "address"),
            ("messages", "address"),
            ("processes", "eprocess"),
            ("threads", "ethread"),
        ] {
            for thing in world.truth[list].as_array().unwrap() {
                let at = thing[key].as_str().unwrap();
                assert!(
                    thing["lost"] == true || got.contains(at),
                    "{}: {list} {at}",
                    world.dump.display()
                );
            }
        }
        let hidden = found(&answer["result"], "port", &["unlinked"]);
        assert!(hidden.is_empty(), "{}: {hidden:?}", world.dump.display());
    }
}

#[test]
fn a_header_without_memory_says_so() {
    let run = alpc_dump(&[fixture("vista-sp2-x64.dmp").to_str().unwrap(), "carve", "nothing"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("ports"), "{}", run.stderr);
}
