//! Kernels of an identity that is nowhere: the layout is chosen by what the dump holds, and the views are those
//! that the kernel's own symbols give.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::synthetic::{Sample, every_kernel};
use support::{Run, World, alpc_dump};
use synth::address::Va;
use synth::layout::Kernel;
use synth::world::Built;
use synth::worlds;
use tempfile::TempDir;

/// An identity that no kernel has.
const NOWHERE: [u8; 16] = *b"not any kernel's";

/// Kernels whose layouts are in no table, derived for these tests.
fn is_in_the_table(kernel: &str) -> bool {
    Kernel::named(kernel).is_published()
}

fn unknown(kernel: &str) -> Built {
    worlds::standard_with(kernel, |world| world.truth.guid = NOWHERE)
}

/// Views whose text without symbols is that with them, and the things of the world that they are asked for.
fn views(built: &Built) -> Vec<String> {
    let truth = &built.truth;
    let port = truth.ports.iter().find(|port| !port.queues.is_empty());
    let port = port.unwrap().address;
    let mut views: Vec<String> = [
        "ports",
        "threads",
        "processes",
        "handles",
        "modules",
        "waits",
        "hang",
        "global --graph",
        "global --list",
        "object \\",
        "object '\\RPC Control'",
    ]
    .map(str::to_owned)
    .to_vec();
    for view in ["port", "connections", "resource"] {
        views.push(format!("{view} {port}"));
    }
    let messages = truth.messages.iter();
    views.extend(messages.map(|message| format!("message {}", message.address)));
    views.extend(truth.ports.iter().map(|port| format!("port {}", port.address)));
    views
}

fn run(sample: &Sample, views: &[String]) -> Run {
    let lines: Vec<String> = views.iter().map(|view| sample.spelled(view)).collect();
    sample.run(&["-c", &lines.join("; ")])
}

/// Compares view by view, so that a difference is told by its view.
fn same_views(name: &str, with: &Sample, without: &Sample, views: &[String]) {
    let (expected, found) = (run(with, views), run(without, views));
    if expected.stdout == found.stdout {
        return;
    }
    for view in views {
        let one = std::slice::from_ref(view);
        let (expected, found) = (run(with, one), run(without, one));
        assert_eq!(found.stdout, expected.stdout, "{name}: {view}: {}", found.stderr);
    }
    panic!("{name}: the views differ only when they are asked for together");
}

fn symbols(sample: &Sample) -> Value {
    sample.run(&["--format", "json", "ports"]).json()["symbols"].clone()
}

/// Whether the kernel's own version is among those that are said to explain the dump.
fn explains(name: &str, symbols: &Value) {
    let version = Kernel::named(name).version();
    let number = |text: &str| -> Vec<u32> { text.split('.').map(|part| part.parse().unwrap()).collect() };
    let explaining = symbols["evidence"]["explained_by"].as_array().unwrap();
    let holds = explaining.iter().any(|range| {
        let range = range.as_str().unwrap();
        let (first, last) = range.split_once(" to ").unwrap_or((range, range));
        number(first) <= version.to_vec() && version.to_vec() <= number(last)
    });
    assert!(holds, "{name}: {symbols}");
}

#[test]
fn every_generation_is_explained_by_its_own_layout() {
    for kernel in every_kernel()
        .into_iter()
        .filter(|kernel| is_in_the_table(kernel))
    {
        let with = Sample::standard(kernel);
        let without = Sample::of(unknown(kernel));
        let symbols = symbols(&without);
        assert_eq!(
            symbols["certainty"], "chosen by invariants",
            "{kernel}: {symbols}"
        );
        assert_eq!(symbols["evidence"]["contradicted"], 0, "{kernel}: {symbols}");
        assert_eq!(symbols["identity"], Value::Null);
        explains(kernel, &symbols);
        same_views(kernel, &with, &without, &views(&with.world));
    }
}
