//! Kernels of an identity that is nowhere: the layout is chosen by what the dump holds, and the views are those
//! that the kernel's own symbols give.

mod support;

use std::fs;

use serde_json::Value;
use support::synthetic::{Sample, every_kernel};
use support::{Run, World, alpc_dump};
use synth::address::Va;
use synth::layout::Kernel;
use synth::random::Random;
use synth::world::Built;
use synth::worlds;

/// An identity that no kernel has.
const NOWHERE: [u8; 16] = *b"not any kernel's";

/// A kernel of which no layout has the sizes, and one of which none has the places.
const GROWN: &str = "win11-grown-x64";
const SHIFTED: &str = "win11-shifted-x64";

/// Kernels whose layouts are in the table, be it as derived ones.
fn is_in_the_table(kernel: &str) -> bool {
    kernel != GROWN && kernel != SHIFTED
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
    let number = |text: &str| -> Vec<u32> {
        let text = text.strip_suffix(" (derived)").unwrap_or(text);
        text.split('.').map(|part| part.parse().unwrap()).collect()
    };
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

/// Revisions of one build that servicing gave other layouts: the other is told apart by what the dump holds.
#[test]
fn servicing_revisions_are_told_apart() {
    for (kernel, other) in [
        ("win81-x64", "win81-2022-x64"),
        ("win81-2022-x64", "win81-x64"),
        ("win10-1809-x64", "win10-1809-2022-x64"),
        ("win10-1809-2022-x64", "win10-1809-x64"),
        ("win10-2004-x64", "win10-2004-2022-x64"),
        ("win10-2004-2022-x64", "win10-2004-x64"),
    ] {
        for with_block in [true, false] {
            let mut world = unknown(kernel);
            if !with_block {
                encode_debugger_data(&mut world);
            }
            let symbols = symbols(&Sample::of(world));
            explains(kernel, &symbols);
            let explaining = symbols["evidence"]["explained_by"].as_array().unwrap();
            let [major, minor, build, revision] = Kernel::named(other).version();
            let other = format!("{major}.{minor}.{build}.{revision}");
            let is_other = |range: &Value| range.as_str().unwrap().split(" to ").any(|end| end == other);
            assert!(!explaining.iter().any(is_other), "{kernel}: {symbols}");
        }
    }
}

/// As live dumps can leave it: everything behind the links of the block is mixed with something.
fn encode_debugger_data(world: &mut Built) {
    let at = world.global("KdDebuggerDataBlock") + 0x10;
    let encoded: Vec<u8> = (0..0x330u64)
        .map(|offset| world.memory.read_uint(at + offset, 1))
        .map(|byte| u8::try_from(byte).unwrap() ^ 0x5a)
        .collect();
    world.memory.write(at, &encoded);
}

/// Views that say how long something waits need the length of a clock tick, which only the debugger data block leads to.
fn timeless(views: &[String]) -> Vec<String> {
    let timed = ["waits", "hang", "threads"];
    let views = views.iter().filter(|view| !timed.contains(&view.as_str()));
    views.cloned().collect()
}

#[test]
fn without_the_debugger_data_block() {
    for kernel in every_kernel()
        .into_iter()
        .filter(|kernel| is_in_the_table(kernel))
    {
        let with = Sample::standard(kernel);
        let mut encoded = unknown(kernel);
        encode_debugger_data(&mut encoded);
        let mut absent = unknown(kernel);
        absent.header.kd_debugger_data_block = Va::NULL;
        for world in [encoded, absent] {
            let without = Sample::of(world);
            let symbols = symbols(&without);
            assert_eq!(
                symbols["certainty"], "chosen by invariants",
                "{kernel}: {symbols}"
            );
            explains(kernel, &symbols);
            same_views(kernel, &with, &without, &timeless(&views(&with.world)));
        }
    }
}

/// Without the debug record nothing says which symbols the kernel wants, nor where it has its variables.
#[test]
fn without_the_debug_record() {
    let kernels = every_kernel()
        .into_iter()
        .filter(|kernel| is_in_the_table(kernel));
    for kernel in kernels.filter(|kernel| !Kernel::named(kernel).has_real_symbols()) {
        let with = Sample::standard(kernel);
        let without = Sample::standard(kernel);
        let mut bytes = fs::read(without.dump()).unwrap();
        let at = bytes.windows(4).position(|window| window == b"RSDS").unwrap();
        bytes[at..at + 4].fill(0);
        fs::write(without.dump(), bytes).unwrap();
        let symbols = symbols(&without);
        assert_eq!(
            symbols["certainty"], "chosen by invariants",
            "{kernel}: {symbols}"
        );
        explains(kernel, &symbols);
        same_views(kernel, &with, &without, &views(&with.world));
    }
}

/// A kernel that no layout is of: its places are others.
#[test]
fn kernels_that_nothing_explains_are_refused() {
    for with_block in [true, false] {
        let mut world = unknown(SHIFTED);
        if !with_block {
            encode_debugger_data(&mut world);
        }
        let run = Sample::of(world).run(&["--format", "json", "ports"]);
        assert_eq!(run.status, 2, "{}", run.stdout);
        assert_eq!(run.json()["error"]["id"], "no-symbols");
        assert!(
            run.stderr
                .contains("none of the 49 built-in layouts explains it: the best, built-in layouts of "),
            "{}",
            run.stderr
        );
    }
}

/// One more update, of which only the sizes differ: it is served by what its neighbours agree on, and that is said.
#[test]
fn a_size_that_no_layout_has_does_not_refuse_everything() {
    let with = Sample::standard(GROWN);
    let without = Sample::of(unknown(GROWN));
    let symbols = symbols(&without);
    assert_eq!(symbols["certainty"], "chosen by invariants", "{symbols}");
    assert_eq!(symbols["evidence"]["composed"], true, "{symbols}");
    let run = without.run(&["ports"]);
    assert!(
        run.stderr
            .contains("; composed, for a size of processes or threads is in none"),
        "{}",
        run.stderr
    );
    let run = without.run(&["info"]);
    assert!(
        run.stdout
            .contains("  Composed               : no layout has this size"),
        "{}",
        run.stdout
    );
    same_views(GROWN, &with, &without, &views(&with.world));
}

#[test]
fn exact_symbols_refuse_what_was_chosen() {
    let sample = Sample::of(unknown("win10-2004-x64"));
    let run = sample.run(&["--exact-symbols", "--format", "json", "ports"]);
    assert_eq!(run.status, 2);
    assert_eq!(run.json()["error"]["id"], "no-symbols");
    assert!(run.stderr.contains("--exact-symbols"), "{}", run.stderr);
    // Nor can it be kept as if it were known, or shown as whole types.
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("pack");
    assert_eq!(sample.run(&["pack", "-o", pack.to_str().unwrap()]).status, 2);
    assert!(!pack.exists());
    assert_eq!(sample.run(&["dt", "_EPROCESS"]).status, 2);
}

#[test]
fn the_choice_is_told() {
    let sample = Sample::of(unknown("win10-2004-x64"));
    let run = sample.run(&["ports"]);
    let line = run.stderr.lines().next().unwrap();
    for part in [
        "symbols: built-in layouts of ",
        "(chosen by invariants: ",
        " 0 contradicted; ",
        " of 49 layouts left out",
    ] {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
    assert!(
        run.stderr.contains("the kernel's own symbols, "),
        "{}",
        run.stderr
    );
    let text = sample.run(&["info"]).stdout;
    for part in [
        "(chosen by invariants)\n",
        "  Checks passed          : ",
        "  Left out               : ",
        "  Found otherwise        : ",
        "AlpcpPortList (by the links of the ports)\n",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    let evidence =
        &sample.run(&["--format", "json", "info"]).json()["result"]["symbols"]["found"]["evidence"];
    assert_eq!(evidence["tried"], 49);
    let sum = |name: &str| {
        let checks = evidence["checks"].as_array().unwrap().iter();
        checks.map(|check| check[name].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(evidence["passed"], sum("passed"));
    assert_eq!(evidence["contradicted"], sum("contradicted"));
    let left_out: u64 = evidence["excluded"]
        .as_array()
        .unwrap()
        .iter()
        .map(|excluded| excluded["layouts"].as_u64().unwrap())
        .sum();
    assert_eq!(
        left_out + evidence["explained_by"].as_array().unwrap().len() as u64,
        49
    );
}

/// Rows of the global view that only symbols lead to.
const LOST: [&str; 8] = [
    "MessageTable ",
    "SecondaryTables ",
    "NextMessageId ",
    "NextCallbackId ",
    "LogEnabled ",
    "MessageLogEnabled ",
    "RegionGranularity ",
    "ViewGranularity ",
];

fn without_lost_rows(text: &str) -> String {
    let is_lost = |line: &str| {
        let line = line.trim_start();
        LOST.iter().any(|row| line.starts_with(row))
            || line.contains(" created, ")
            || line.starts_with("BlobTypes")
            // The heads of the lists of requests are zeros in these worlds, which only their own symbols tell.
            || line == "I/O requests: ?"
    };
    text.lines()
        .filter(|line| !is_lost(line))
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// The independent worlds, whose own identities are known, under one that is not.
#[test]
fn the_independent_worlds_give_the_same_without_symbols() {
    for world in World::readable() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = fs::read(&world.dump).unwrap();
        let at = bytes.windows(4).position(|window| window == b"RSDS").unwrap();
        bytes[at + 4..at + 20].copy_from_slice(&NOWHERE);
        let path = folder.path().join("memory.dmp");
        fs::write(&path, bytes).unwrap();
        let path = path.to_str().unwrap();
        let mut views: Vec<String> = [
            "ports",
            "global",
            "global --graph",
            "threads",
            "processes",
            "modules",
            "waits",
            "hang",
        ]
        .map(str::to_owned)
        .to_vec();
        // The page with the names of the types is not in that dump, and nothing else says what its handles lead to.
        if !world.dump.ends_with("w16-bmp-holes.dmp") {
            views.push("handles".to_owned());
        }
        let truth = |list: &str| world.truth[list].as_array().unwrap().clone();
        let address = |thing: &Value| thing["address"].as_str().unwrap().to_owned();
        for port in truth("ports").iter().map(address) {
            views.extend(["port", "connections", "resource"].map(|view| format!("{view} {port}")));
        }
        views.extend(
            truth("messages")
                .iter()
                .map(|message| format!("message {}", address(message))),
        );
        let line = views.join("; ");
        let with = world.run(&["-c", &line]);
        let without = alpc_dump(&[path, "-c", &line]);
        assert_eq!(
            without_lost_rows(&without.stdout),
            without_lost_rows(&with.stdout),
            "{}",
            world.dump.display()
        );
        let symbols = alpc_dump(&[path, "--format", "json", "ports"]).json()["symbols"].clone();
        assert_eq!(symbols["certainty"], "chosen by invariants");
        assert_eq!(symbols["evidence"]["contradicted"], 0, "{symbols}");
    }
}

/// Damaged beyond what any layout explains, or so that it takes the walks around: every command still ends.
#[test]
fn hostile_dumps_end() {
    for (seed, kernel) in [
        (1, "win7-sp1-x64"),
        (2, "win10-2004-2022-x64"),
        (3, "win10-2004-x86"),
    ] {
        let mut random = Random::new(seed);
        for _ in 0..12 {
            let mut world = unknown(kernel);
            let pages: Vec<Va> = world
                .truth
                .objects
                .keys()
                .chain(world.truth.blobs.keys())
                .copied()
                .collect();
            let width = world.pointer_size();
            let mut draw = |limit: usize| usize::try_from(random.below(limit as u64)).unwrap();
            for _ in 0..400 {
                let at = pages[draw(pages.len())] + 8 * draw(0x60) as u64;
                let value = match draw(3) {
                    0 => 0,
                    1 => pages[draw(pages.len())].0,
                    _ => draw(usize::MAX) as u64,
                };
                let value = if width == 4 { value & 0xffff_ffff } else { value };
                if world.memory.has_page(at) && world.memory.has_page(at + 8) {
                    world.memory.write_uint(at, width, value);
                }
            }
            let run = Sample::of(world).run(&["-c", "info; ports; threads; handles; analyze; hang"]);
            assert!((0..=3).contains(&run.status), "{kernel}: {}", run.stderr);
        }
    }
}
