//! Lists of the system over every page that is missing, filled with something else, or another page: no member is told
//! that the whole system does not have, no port, process or thread is lost, and no thread changes its process, unless the
//! list says that something is not as it should be.
//!
//! In ordinary runs every ninth page; `EVERY_PAGE=1` has them all.

use std::collections::BTreeSet;

use alpc::port::{enumerate, in_flight, message, receiver};
use alpc::wait::hang;
use alpc::{Kernel, process};
use kdump::{Dump, Pfn};
use synth::layout::Kernel as Layouts;
use synth::world::Built;
use synth::worlds;

use super::Opened;

const PAGE: usize = 0x1000;

/// The members of a list by whom they belong to, 0 being the system, and whether the list says that it is not whole.
struct Told {
    list: &'static str,
    members: BTreeSet<(u64, u64)>,
    marked: bool,
}

fn told(kernel: &Kernel<'_>) -> Vec<Told> {
    let of_system = |members: &[kdump::Gva]| members.iter().map(|member| (0, member.u64())).collect();
    let ports = enumerate::ports(kernel);
    let (messages, gap) = in_flight::messages(kernel);
    // What cannot be read is told of all the same, by its address alone.
    let readable = messages.into_iter().filter(|&at| {
        message::read(kernel, at, message::Detail::Rows)
            .is_ok_and(|record| record.message_id.known().is_some())
    });
    let threads = receiver::system_threads(kernel);
    let threads_marked = threads
        .processes
        .iter()
        .any(|process| process.complete.reason().is_some() || process.found_by.is_some());
    let processes = process::processes(kernel);
    let (graph, report) = hang::hang(kernel);
    let rings = report.deadlocks.iter().flat_map(|deadlock| &deadlock.ring);
    vec![
        Told {
            list: "ports",
            members: of_system(&ports.ports),
            marked: ports.complete.reason().is_some(),
        },
        Told {
            list: "messages",
            members: readable.map(|at| (0, at.u64())).collect(),
            marked: gap.is_some(),
        },
        Told {
            list: "threads",
            members: threads
                .processes
                .iter()
                .flat_map(|process| {
                    let owner = process.process.address.u64();
                    process
                        .threads
                        .iter()
                        .map(move |thread| (owner, thread.address.u64()))
                })
                .collect(),
            marked: threads_marked || threads.complete.reason().is_some(),
        },
        Told {
            list: "processes",
            marked: processes
                .as_ref()
                .map_or(true, |found| found.complete("the list").is_err()),
            members: processes.map_or_else(|_| BTreeSet::new(), |found| of_system(&found.entries)),
        },
        Told {
            list: "deadlocks",
            members: rings
                .filter_map(|step| step.node.thread())
                .map(|thread| (0, thread.address.u64()))
                .collect(),
            marked: !graph.unread.is_empty(),
        },
    ]
}

/// Where the file has the pages of its frames.
fn places(dump: &Dump) -> Vec<usize> {
    let frames = dump
        .runs()
        .flat_map(|run| run.base.u64()..run.base.u64() + run.count);
    frames
        .filter_map(|pfn| usize::try_from(dump.frame(Pfn::new(pfn)).ok()?.0).ok())
        .collect()
}

/// What is told otherwise, and by how many dumps nothing was.
fn sweep(world: &Built, step: usize, lies: &mut Vec<String>) -> usize {
    let opened = Opened::of(world);
    let bytes = world.dump(super::kind(world));
    let whole = told(&opened.kernel());
    let places = places(&opened.dump);
    let mut done = 0;
    for (number, &at) in places.iter().enumerate().step_by(step) {
        let other = places[(number + 1) % places.len()];
        let damages = [
            ("missing", 0xdead_feed_u32.to_le_bytes().repeat(PAGE / 4)),
            ("zeros", vec![0; PAGE]),
            ("ones", vec![0xff; PAGE]),
            ("another page", bytes[other..other + PAGE].to_vec()),
        ];
        for (damage, page) in damages {
            let mut damaged = bytes.clone();
            damaged[at..at + PAGE].copy_from_slice(&page);
            let damaged = opened.in_bytes(damaged);
            done += 1;
            for (whole, now) in whole.iter().zip(told(&damaged.kernel())) {
                let invented: Vec<_> = now.members.difference(&whole.members).collect();
                let lost: Vec<_> = whole.members.difference(&now.members).collect();
                // Rings and messages that are lost are not held against what says so: of a ring that is the wait which is
                // hidden, and a message that cannot be read is left out above. `tests/smears.rs` looks at waits.
                let may_lack = matches!(now.list, "messages" | "deadlocks");
                if !now.marked && !(invented.is_empty() && (may_lack || lost.is_empty())) {
                    lies.push(format!(
                        "{}, page at {at:#x} {damage}: {} invented {invented:x?}, lost {lost:x?}",
                        world.truth.kernel, now.list
                    ));
                }
            }
        }
    }
    done
}

#[test]
fn no_list_is_silently_another_over_any_page() {
    let step = match std::env::var_os("EVERY_PAGE") {
        Some(_) => 1,
        None => 9,
    };
    // The oldest, the newest, and what is between them.
    let all = Layouts::complete();
    let chosen = (0..6).map(|turn| all[turn * (all.len() - 1) / 5]);
    let mut lies = Vec::new();
    let mut done = 0;
    for (turn, kernel) in chosen.enumerate() {
        let world = match turn % 3 {
            0 => worlds::hang::ring_of_three(kernel).built,
            1 => worlds::standard(kernel),
            _ => worlds::hang::self_call(kernel).built,
        };
        done += sweep(&world, step, &mut lies);
    }
    println!("{done} dumps");
    assert!(lies.is_empty(), "{} of {done}\n{}", lies.len(), lies.join("\n"));
}
