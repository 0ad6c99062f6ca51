//! A system with memory that the input overwrites: held against conditions, against itself and against the system as
//! it was; and where each value of its things comes from.
#![no_main]

use std::hint::black_box;
use std::sync::Arc;

use alpc::image::trace::Trace;
use alpc::port::message::{self, Detail};
use alpc::port::waiter;
use alpc::report::check::{Condition, Facts, Whose};
use alpc::report::diff::{By, Diff, diff};
use alpc::report::snapshot::Snapshot;
use alpc::{Kernel, image::source, object, port::port_record, process};
use alpc_dump_fuzz::case::{Case, with_overwritten_world};
use kdump::{Gva, TimeSpan};
use libfuzzer_sys::fuzz_target;

/// Sources that are looked at of one thing.
const SOURCES: usize = 64;

fuzz_target!(|data: &[u8]| {
    let (&choice, rest) = data.split_last().unwrap_or((&0, &[]));
    with_overwritten_world(rest, |kernel, case| match choice % 3 {
        0 => compare(kernel, case),
        1 => conditions(kernel),
        _ => sources(kernel, case, rest.len()),
    });
});

fn compare(kernel: &Kernel<'_>, case: &Case) {
    let now = Snapshot::of(kernel);
    for by in [None, Some(By::Addresses), Some(By::Names)] {
        let same = diff(&now, &now, by);
        assert_eq!(same.differences, 0, "a dump does not differ from itself");
        case.unharmed(|before| {
            let before = Snapshot::of(before);
            let (there, back) = (diff(&before, &now, by), diff(&now, &before, by));
            assert_eq!(
                count(&there),
                count(&back),
                "what differs differs from both sides"
            );
        });
    }
}

fn count(diff: &Diff) -> [(usize, u64); 4] {
    [&diff.processes, &diff.ports, &diff.connections, &diff.waits]
        .map(|section| (section.changes.len(), section.same))
}

fn conditions(kernel: &Kernel<'_>) {
    let facts = Facts::new(kernel);
    let named = |image: Option<&str>, port: Option<&str>| Whose {
        image: image.map(str::to_owned),
        port: port.map(str::to_owned),
        call: port.map(str::to_owned),
    };
    for condition in [
        Condition::NoDeadlock { possible: true },
        Condition::Wait {
            longest: TimeSpan(1),
            whose: Whose::default(),
        },
        Condition::Waiting {
            at_most: 0,
            whose: named(Some("svchost.exe"), Some("ntsvcs")),
        },
        Condition::Queue {
            at_most: 0,
            port: None,
            queue: None,
        },
        Condition::Port {
            port: r"\RPC Control\ntsvcs".into(),
            exists: true,
            owner: Some("services.exe".into()),
            connections: Some(0),
        },
        Condition::Process {
            image: "csrss.exe".into(),
            at_least: 1,
            at_most: Some(1),
        },
        Condition::Coverage {
            pages: Some(100.0),
            readable: true,
        },
    ] {
        let outcome = facts.check(&condition);
        assert!(outcome.found.len() as u64 <= outcome.count, "{outcome:?}");
        black_box(outcome);
    }
}

fn sources(kernel: &Kernel<'_>, case: &Case, choice: usize) {
    let at = Gva::new(case.known[choice % case.known.len()]);
    let trace = Arc::new(Trace::default());
    let traced = kernel.unredacted().traced(Arc::clone(&trace));
    match choice % 5 {
        0 => drop(black_box(message::read(&traced, at, Detail::Full))),
        1 => drop(black_box(port_record::port(
            &traced,
            at,
            port_record::Detail::Full,
        ))),
        2 => drop(black_box(process::process(&traced, at))),
        3 => drop(black_box(waiter::thread(&traced, at))),
        _ => drop(black_box(object::record(&traced, at))),
    }
    let (sources, _) = trace.sources();
    for one in sources.into_iter().take(SOURCES) {
        let record = source::source(kernel, &one, Some(&case.pdb));
        let told: u64 = record.pieces.iter().map(|piece| piece.size).sum();
        assert!(told <= record.size, "{record:?}");
        assert!(record.pieces.iter().all(|piece| piece.size != 0), "{record:?}");
        black_box(one.base().u64());
    }
}
