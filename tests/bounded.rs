//! Dumps that say more than a file of their size can hold: memory and output of every command stay in proportion to the
//! file, whatever leads to what. Nothing here looks at a clock.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::num::NonZero;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use alpc::CONTRACT;
use kdump::{Dump, Gva};
use ntlayout::{Pdb, SymbolTable};
use synth::dump::Kind;
use synth::world::Built;
use synth::worlds::{self, bombs};
use tempfile::TempDir;

const KERNEL: &str = "win10-2004-x64";

/// What ARCHITECTURE.md states: bytes of output for each byte of the file, and beside that.
const OUTPUT_FACTOR: u64 = 32;
const OUTPUT_BESIDE: u64 = 24 << 20;

/// Address space of the whole program, the mapped file and the program itself included, in KiB.
const MEMORY_KIB: u64 = 512 << 10;

/// A world and how it is made.
type Bomb = (&'static str, fn(&str) -> Built);

const BOMBS: [Bomb; 12] = [
    ("long paths", bombs::long_paths),
    ("long names", bombs::long_names),
    ("long parent", bombs::long_parent),
    ("waits at a long name", bombs::waits_at_long_name),
    ("handle leaves", bombs::handle_leaves),
    ("message leaves", bombs::message_leaves),
    ("one handle table", bombs::one_handle_table),
    ("one chain", bombs::one_chain),
    ("one port everywhere", bombs::one_port_everywhere),
    ("many handles", bombs::many_handles),
    ("one stack", bombs::one_stack),
    ("one wait list", bombs::one_wait_list),
];

const LINES: [&str; 31] = [
    "info",
    "ports",
    "ports --orphans",
    "ports --accessible-by everyone",
    "token pid:4",
    "connections 0",
    "handles",
    "handles --type Nosuch",
    "processes",
    "process pid:4",
    "threads",
    "stacks",
    "threads --stacks",
    "stacks --group",
    "thread tid:0x8",
    "modules",
    "global -v",
    "global --list",
    "global --graph",
    "analyze",
    "analyze --carve",
    "carve --listed",
    "timeline",
    "hang -v",
    "waits",
    "graph",
    "triage",
    "object \\",
    "port name:senssvc",
    "ports --process pid:4",
    "thread current",
];

struct Sample {
    _folder: TempDir,
    dump: String,
    size: u64,
}

impl Sample {
    fn of(world: &Built) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dump = folder.path().join("memory.dmp");
        fs::write(&dump, world.dump(Kind::BitmapKernel)).unwrap();
        fs::write(folder.path().join("ntkrnlmp.pdb"), world.pdb()).unwrap();
        Self {
            size: fs::metadata(&dump).unwrap().len(),
            dump: dump.to_str().unwrap().to_owned(),
            _folder: folder,
        }
    }

    /// Commands that are no line of a script: those of rules, of two dumps, and of many messages.
    fn gates(&self, name: &str, most: u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (rules, messages) = (path("rules.toml"), path("messages"));
        fs::write(&rules, "[[no-deadlock]]\n[[wait]]\nlongest = \"1s\"\n").unwrap();
        fs::write(&messages, "id:4\n".repeat(4000)).unwrap();
        let check = self.run(&["--format", "json", "check", "--rules", &rules]);
        let diff = self.run(&[&self.dump, "--format", "json", "diff"]);
        let batch = self.run_with(&messages, &["--format", "json", "message", "-"]);
        for (verb, (status, written, said)) in [("check", check), ("diff", diff), ("message -", batch)] {
            let said: String = said.chars().take(2000).collect();
            assert!(
                matches!(status, Some(0..=3)),
                "{name}: {verb}: {status:?}: {said}"
            );
            assert!(written <= most, "{name}: {verb} writes {written} bytes");
        }
    }

    /// Runs the binary with a limit of its address space: where memory ends it aborts.
    fn run(&self, args: &[&str]) -> (Option<i32>, u64, String) {
        self.run_with("/dev/null", args)
    }

    /// The same with what a file holds on stdin.
    fn run_with(&self, stdin: &str, args: &[&str]) -> (Option<i32>, u64, String) {
        let output = Command::new("sh")
            .args(["-c", &format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"")])
            .stdin(fs::File::open(stdin).unwrap())
            .arg(env!("CARGO_BIN_EXE_alpc-dump"))
            .arg(&self.dump)
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), output.stdout.len() as u64, said)
    }
}

#[test]
fn memory_and_output_of_every_command_are_in_proportion_to_the_file() {
    // As many at a time as there are processors: one command after the other takes most of a test run's time.
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((name, make)) = BOMBS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    is_in_proportion(name, &make(KERNEL));
                }
            });
        }
    });
}

fn is_in_proportion(name: &str, world: &Built) {
    let sample = Sample::of(world);
    let most = OUTPUT_BESIDE + OUTPUT_FACTOR * sample.size;
    sample.gates(name, most);
    for line in LINES {
        // JSON gathers more than text does: of what is no table it stands for both.
        let is_table = matches!(line, "ports" | "handles" | "waits" | "global --graph");
        let formats = ["json", "text", "ndjson", "csv"];
        for format in formats.into_iter().take(if is_table { 4 } else { 1 }) {
            let (status, written, said) = sample.run(&["--format", format, "-c", line]);
            let said: String = said.chars().take(2000).collect();
            if std::env::var_os("SHOW_BOUNDS").is_some() {
                eprintln!(
                    "{name} | {} | {line} | {format} | {status:?} | {written}",
                    sample.size
                );
            }
            assert!(
                matches!(status, Some(0..=3)),
                "{name}: {line} as {format}: {status:?}: {said}"
            );
            assert!(
                written <= most,
                "{name}: {line} as {format} writes {written} bytes"
            );
        }
    }
}

/// What honest worlds take is far from what they may.
#[test]
fn what_windows_writes_is_far_within_the_bounds() {
    for world in [
        worlds::standard(KERNEL),
        worlds::hang::many_ports(KERNEL, 500).built,
        worlds::hang::blocked_queue(KERNEL, 60, 400).built,
    ] {
        let dump = Dump::from_bytes("memory.dmp", world.dump(Kind::BitmapKernel)).unwrap();
        let pdb = Pdb::from_bytes("ntkrnlmp.pdb", world.pdb()).unwrap();
        let layout = pdb.resolve(&CONTRACT).unwrap();
        let kernel = alpc::kernel(&dump, Gva::new(world.truth.kernel_base.0), layout);
        let _ = alpc::report::triage::summary(&kernel);
        let _ = alpc::process::all(&kernel);
        let (spent, most) = (kernel.budget().spent(), kernel.budget().most());
        assert!(spent.reads > 1000 && spent.text > 0, "{spent:?}");
        assert!(spent.reads * 20 < most.reads, "{spent:?} of {most:?}");
        assert!(spent.text * 20 < most.text, "{spent:?} of {most:?}");
    }
}
