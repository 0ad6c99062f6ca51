//! What is hidden from one part of the system and not from another is found, each deception by itself; sound systems have
//! nothing of the kind.

mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use support::synthetic::{Sample, address, every_kernel, kernels};
use synth::address::Va;
use synth::world::Built;
use synth::worlds;

const KERNEL: &str = "win10-2004-x64";

/// The findings, each as its id and the first address that it is about.
fn findings(world: Built, args: &[&str]) -> Vec<Value> {
    let sample = Sample::of(world);
    let mut line = vec!["analyze", "--format", "json"];
    line.extend(args);
    let run = sample.run(&line);
    let answer = sample.widened(run.json()["result"].clone());
    let findings = answer["findings"].as_array().unwrap().clone();
    assert_eq!(run.status, i32::from(!findings.is_empty()), "{}", run.stderr);
    findings
}

fn has<'a>(findings: &'a [Value], id: &str, at: Va) -> &'a Value {
    let mut of_it = findings
        .iter()
        .filter(|finding| finding["id"] == id && finding["addresses"][0] == address(at));
    of_it
        .next()
        .unwrap_or_else(|| panic!("no {id} of {at}: {findings:#?}"))
}

fn unlink(world: &mut Built, entry: Va) {
    let width = world.pointer_size();
    let next = Va(world.memory.read_uint(entry, width));
    let previous = Va(world.memory.read_uint(entry + width, width));
    world.write_pointer(previous, next);
    world.write_pointer(next + width, previous);
}

#[test]
fn sound_systems_hide_nothing() {
    for kernel in every_kernel() {
        let found = findings(worlds::standard(kernel), &["--carve"]);
        assert!(found.is_empty(), "{kernel}: {found:#?}");
    }
}

/// The process of the thread that a processor runs, taken off the list of processes: the processor's control block still
/// leads to it.
#[test]
fn a_process_that_runs_and_is_not_listed() {
    let mut count = 0;
    for kernel in kernels() {
        let mut world = worlds::standard(kernel);
        if !world.has("_KPRCB", "CurrentThread") {
            continue;
        }
        let running = world.truth.threads.iter().find(|thread| thread.state == 2);
        let Some(running) = running.cloned() else { continue };
        let links = world.field(running.process, "_EPROCESS", "ActiveProcessLinks");
        unlink(&mut world, links);
        let found = findings(world, &[]);
        let finding = has(&found, "process-unlisted", running.process);
        assert_eq!(finding["severity"], "alarm", "{kernel}");
        let evidence = finding["evidence"][0].as_str().unwrap();
        assert!(evidence.contains("processor"), "{kernel}: {evidence}");
        count += 1;
    }
    assert!(count > 3, "{count}");
}

/// A thread that a processor runs, taken off its process's list.
#[test]
fn a_thread_that_runs_and_is_not_listed() {
    let mut world = worlds::standard(KERNEL);
    let running = world
        .truth
        .threads
        .iter()
        .find(|thread| thread.state == 2)
        .unwrap()
        .clone();
    let links = world.field(running.address, "_ETHREAD", "ThreadListEntry");
    unlink(&mut world, links);
    let found = findings(world, &[]);
    has(&found, "thread-unlisted", running.address);
}

/// A port to which no handle leads, taken off the list of ports: its connection still names it.
#[test]
fn a_port_that_only_its_connection_names() {
    let world = worlds::standard(KERNEL);
    let held: BTreeSet<Va> = world
        .truth
        .processes
        .iter()
        .flat_map(|process| process.handles.iter().map(|handle| handle.object))
        .collect();
    let bare = world
        .truth
        .ports
        .iter()
        .find(|port| !held.contains(&port.address));
    let port = bare.or(world.truth.ports.last()).unwrap().address;
    let mut changed = world.clone();
    let links = changed.field(port, "_ALPC_PORT", "PortListEntry");
    unlink(&mut changed, links);
    let found = findings(changed, &[]);
    let finding = has(&found, "unlisted", port);
    assert_eq!(finding["severity"], "alarm");
}

/// A process, a thread and a port that nothing leads to at all: only their own memory shows them.
#[test]
fn what_only_memory_shows() {
    let mut world = worlds::standard(KERNEL);
    let truth = world.truth.clone();
    let held: BTreeSet<Va> = truth
        .processes
        .iter()
        .flat_map(|process| process.handles.iter().map(|handle| handle.object))
        .collect();
    let thread = truth
        .threads
        .iter()
        .find(|thread| thread.tid != 0 && thread.state == 5 && !held.contains(&thread.address))
        .unwrap();
    let links = world.field(thread.address, "_ETHREAD", "ThreadListEntry");
    unlink(&mut world, links);
    assert!(
        findings(world.clone(), &[])
            .iter()
            .all(|finding| finding["id"] != "hidden")
    );
    let found = findings(world, &["--carve"]);
    let finding = has(&found, "hidden", thread.address);
    assert_eq!(finding["severity"], "alarm");
    assert!(
        finding["evidence"][0]
            .as_str()
            .unwrap()
            .contains("marks speak for it")
    );
}

/// A port taken out of the directory that its own header names.
#[test]
fn a_name_that_its_directory_does_not_have() {
    let world = worlds::standard(KERNEL);
    let truth = world.truth.clone();
    let ports: BTreeSet<Va> = truth.ports.iter().map(|port| port.address).collect();
    let entry = truth
        .directories
        .values()
        .flat_map(|directory| directory.entries.iter())
        .find(|(object, _)| ports.contains(object))
        .unwrap();
    // Its entry leads to nothing: the chain behind it stays.
    let entries: Vec<Va> = world
        .memory
        .pages()
        .flat_map(|(at, page)| {
            let target = entry.0.0.to_le_bytes();
            let places = page.chunks_exact(8).enumerate();
            places
                .filter(move |(_, word)| *word == target)
                .map(move |(number, _)| at + number as u64 * 8)
                .collect::<Vec<_>>()
        })
        .collect();
    // Of the places that hold its address one is an entry of a directory: that whose name is then gone.
    let found = entries.into_iter().find_map(|at| {
        let mut changed = world.clone();
        changed.memory.write_uint(at, 8, 0);
        let found = findings(changed, &[]);
        found
            .iter()
            .any(|finding| finding["id"] == "not-in-directory")
            .then_some(found)
    });
    has(&found.unwrap(), "not-in-directory", entry.0);
}

#[test]
fn bits_of_an_owner_that_are_not_known() {
    let mut world = worlds::standard(KERNEL);
    let port = world.truth.ports[0].clone();
    world.set(port.address, "_ALPC_PORT", "OwnerProcess", port.owner.0 | 4);
    let found = findings(world, &[]);
    assert_eq!(has(&found, "owner-bits", port.address)["severity"], "note");
}

/// A program that is named like one of Windows' own, and the real ones, which are not told.
#[test]
fn a_program_that_is_named_like_another() {
    for name in [&b"svch0st.exe\0"[..], b"Isass.exe\0", b"csrss.exe \0"] {
        let mut world = worlds::standard(KERNEL);
        let process = world
            .truth
            .processes
            .iter()
            .find(|process| process.image == "explorer.exe")
            .unwrap()
            .address;
        let at = world.field(process, "_EPROCESS", "ImageFileName");
        world.memory.write(at, &[0; 15]);
        world.memory.write(at, name);
        let found = findings(world, &[]);
        has(&found, "look-alike-name", process);
    }
}
