//! What it costs to look through all memory: `cargo bench --bench carve [-- GIB]`.
//!
//! Writes the general world of 19041.2604 in a raw image of 4 GiB (or as many as are named), all other frames filled with what
//! memory in use looks like to a search: a quarter of the words are pointers of the system, a quarter small numbers, the rest of
//! no kind. `carve` looks for all kinds of things in it, and has to find what was written and nothing in the filling. Beside it
//! stand, in the same run and from the same page cache: a plain read of the file, and GNU grep that counts lines with one of the
//! twelve pool tags of these things, which finds less. Each once before it is timed, and then three times; the least counts.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark prints, and ends where something is not there"
)]

use std::env;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use synth::address::Pfn;
use synth::worlds;

const ALPC_DUMP: &str = env!("CARGO_BIN_EXE_alpc-dump");
const KERNEL: &str = "win10-2004-x64";
const TAGS: [&str; 12] = [
    "ALPC", "AlMs", "AlEB", "AlCI", "AlHa", "AlSe", "AlSc", "AlRe", "AlVi", "AlRr", "Proc", "Thre",
];

fn main() {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let gib: u64 = args.first().map_or(4, |arg| arg.parse().unwrap());
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("carve-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("memory.raw");
    let built = worlds::standard_over(KERNEL, gib << (30 - 12));
    write(&path, &built.map().memory, gib << (30 - 12));
    fs::write(folder.join("kernel.pdb"), built.pdb()).unwrap();

    let plain = least(|| {
        let mut file = File::open(&path).unwrap();
        let mut room = vec![0; 1 << 20];
        while file.read(&mut room).unwrap() > 0 {}
    });
    let mut found = serde_json::Value::Null;
    let carve = least(|| {
        let run = Command::new(ALPC_DUMP)
            .arg(&path)
            .args(["carve", "--format", "json", "-q"])
            .output()
            .unwrap();
        found = serde_json::from_slice(&run.stdout).unwrap();
    });
    let kinds = found["result"]["kinds"].as_array().unwrap();
    let listed: u64 = kinds.iter().map(|kind| kind["listed"].as_u64().unwrap()).sum();
    let truth = &built.truth;
    let written = truth.ports.len() + truth.messages.len() + truth.threads.len();
    assert!(listed >= u64::try_from(written).unwrap());
    for kind in kinds {
        for state in ["freed", "unlinked", "unknown", "ended"] {
            assert_eq!(kind[state], 0, "{kind}");
        }
        assert_eq!(kind["not_found"], 0, "{kind}");
    }
    let grep = least(|| {
        let tags = TAGS.iter().flat_map(|tag| ["-e", tag]);
        // Its output is read: where nobody reads it, GNU grep ends with the first line that it finds.
        let output = Command::new("grep")
            .args(["-a", "-c", "-F"])
            .args(tags)
            .arg(&path)
            .env("LC_ALL", "C")
            .output();
        assert!(output.unwrap().status.success());
    });
    let cores = std::thread::available_parallelism().unwrap();
    println!("| {gib} GiB, {cores} cores | time | GB/s | times the read |");
    println!("|---|---|---|---|");
    let size = (gib << 30) as f64 / 1e9;
    for (name, time) in [
        ("plain read", plain),
        ("carve, all kinds", carve),
        ("grep, 12 tags, one core", grep),
    ] {
        let seconds = time.as_secs_f64();
        println!(
            "| {name} | {seconds:.2} s | {:.2} | {:.1} |",
            size / seconds,
            seconds / plain.as_secs_f64()
        );
    }
    fs::remove_dir_all(&folder).unwrap();
}

fn least(mut run: impl FnMut()) -> Duration {
    run();
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..3).map(|_| time(&mut run)).min().unwrap()
}

fn write(path: &Path, memory: &synth::physical::PhysicalMemory, frames: u64) {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut filling = [0; 0x1000];
    for frame in 0..frames {
        if let Some(page) = memory.frame(Pfn(frame)) {
            file.write_all(page).unwrap();
            continue;
        }
        for word in filling.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let value = match state >> 62 {
                0 => 0xffff_8000_0000_0000 | (state >> 20 & !7),
                1 => state >> 40 & 0xffff,
                _ => state,
            };
            word.copy_from_slice(&value.to_le_bytes());
        }
        file.write_all(&filling).unwrap();
    }
    file.flush().unwrap();
}
