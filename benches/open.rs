//! What opening a dump costs, beside `kdmp-parser`: `cargo bench --bench open [-- GIB...]`.
//!
//! Writes the published case as dumps of machines with 1, 8, 64 and 512 GiB (or those named), complete (kind 1),
//! bitmap (kind 5) and ranges (kind 0xa), its pages scattered over all of the memory, what nobody wrote a hole in
//! the file. Each
//! reader opens each dump in a process of its own, as often as fits a short time; medians are printed. Then the
//! whole command is run by hyperfine, if it is installed. The files take a few MiB each and are deleted.
//!
//! Private memory is `RssAnon`, which leaves the pages of mapped files out; the peak is `VmHWM`, which counts
//! them. Both are of Linux, and so are sparse files without further ado.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark prints, and ends where something is not there"
)]

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use alpc::Kernel;
use alpc::message::{self, Detail};
use kdmp_parser::parse::KernelDumpParser;
use kdump::{Dump, Gva};
use ntlayout::{Pdb, SymbolTable};
use synth::dump::{Kind, write_sparse};
use synth::worlds;

const ALPC_DUMP: &str = env!("CARGO_BIN_EXE_alpc-dump");
const PDB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vista-sp2-x64.pdb");
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vista-sp2-x64.dmp");
const MESSAGE: u64 = 0xffff_f880_0f4c_c950;
const SIZES: [u64; 4] = [1, 8, 64, 512];
/// How long and how often at most one reader opens one dump.
const LONG_ENOUGH: Duration = Duration::from_secs(2);
const OFTEN_ENOUGH: usize = 101;

fn main() {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [child, reader, dump] = &args[..]
        && child == "child"
    {
        return run_child(reader, Path::new(dump));
    }
    let sizes: Vec<u64> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("open-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    table(&folder, if sizes.is_empty() { &SIZES } else { &sizes });
    fs::remove_dir_all(&folder).unwrap();
}

fn table(folder: &Path, sizes: &[u64]) {
    println!(
        "| dump | open | open + message | private | peak | whole command | `kdmp-parser` open | its peak | times less |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    row("fixture, kind 2", Path::new(FIXTURE), folder, false);
    for &gib in sizes {
        for (kind, name) in [
            (Kind::Full, "complete"),
            (Kind::BitmapFull, "bitmap"),
            (Kind::CompleteRanges, "ranges"),
        ] {
            let path = folder.join(format!("{gib}-{name}.dmp"));
            write(&path, kind, gib);
            row(&format!("{gib} GiB, {name}"), &path, folder, true);
            fs::remove_file(path).unwrap();
        }
    }
}

fn write(path: &Path, kind: Kind, gib: u64) {
    let world = worlds::vista_sp2_x64_over(gib << (30 - 12));
    write_sparse(path, kind, &world.header, &world.map().memory, gib << 30).unwrap();
}

/// One line of the table. `kdmp-parser` does not read kind 2.
fn row(name: &str, path: &Path, folder: &Path, with_kdmp: bool) {
    let (open, message) = (measure("open", path), measure("message", path));
    let command = whole_command(path, folder).map_or("-".into(), milliseconds);
    print!(
        "| {name} | {} | {} | {} | {} | {command} |",
        milliseconds(open.time),
        milliseconds(message.time),
        mebibytes(message.private),
        mebibytes(message.peak)
    );
    if with_kdmp {
        let kdmp = measure("kdmp", path);
        let times = kdmp.time.as_secs_f64() / message.time.as_secs_f64();
        println!(
            " {} | {} | {times:.0} |",
            milliseconds(kdmp.time),
            mebibytes(kdmp.peak)
        );
    } else {
        println!(" - | - | - |");
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

fn mebibytes(kibibytes: Option<u64>) -> String {
    kibibytes.map_or("-".into(), |kib| {
        format!("{}.{} MiB", kib >> 10, ((kib & 0x3ff) * 10) >> 10)
    })
}

/// One opening, or the median of many. Memory is in KiB, taken while what was opened is open.
#[derive(Clone, Copy)]
struct Sample {
    time: Duration,
    private: Option<u64>,
    peak: Option<u64>,
}

fn measure(reader: &str, dump: &Path) -> Sample {
    let output = Command::new(env::current_exe().unwrap())
        .args(["child", reader])
        .arg(dump)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|number| number.parse::<u64>().ok());
    let mut next = || numbers.next().flatten();
    Sample {
        time: Duration::from_nanos(next().unwrap()),
        private: next(),
        peak: next(),
    }
}

/// The memory of the first time, before anything was freed, and the median of all times.
fn run_child(reader: &str, dump: &Path) {
    let action: fn(&Path) -> Sample = match reader {
        "open" => open,
        "message" => open_and_read,
        _ => open_kdmp,
    };
    let start = Instant::now();
    let first = action(dump);
    let mut times = vec![first.time];
    while start.elapsed() < LONG_ENOUGH && times.len() < OFTEN_ENOUGH {
        times.push(action(dump).time);
    }
    times.sort_unstable();
    let show = |kib: Option<u64>| kib.map_or("-".into(), |kib| kib.to_string());
    let median = times[times.len() / 2].as_nanos();
    println!("{median} {} {}", show(first.private), show(first.peak));
}

fn open(dump: &Path) -> Sample {
    timed(|| Dump::open(dump).unwrap())
}

/// Everything that the command does but for arguments and printing.
fn open_and_read(path: &Path) -> Sample {
    timed(|| {
        let dump = Dump::open(path).unwrap();
        let base = kdump::kernel_image(&dump).unwrap().base;
        let pdb = Pdb::open(Path::new(PDB)).unwrap();
        let layout = pdb.resolve(&alpc::contract::CONTRACT).unwrap();
        let kernel = Kernel::new(&dump, base, layout);
        let message = message::message(&kernel, Gva::new(MESSAGE), Detail::Rows).unwrap();
        drop(kernel);
        (dump, pdb, message)
    })
}

fn open_kdmp(dump: &Path) -> Sample {
    timed(|| KernelDumpParser::new(dump).unwrap())
}

fn timed<T>(action: impl FnOnce() -> T) -> Sample {
    let start = Instant::now();
    let opened = black_box(action());
    let time = start.elapsed();
    let [private, peak] = ["RssAnon:", "VmHWM:"].map(status);
    drop(opened);
    Sample { time, private, peak }
}

/// A line of `/proc/self/status`, in KiB.
fn status(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// The median of the whole command by hyperfine, which takes the start of a process into account.
fn whole_command(dump: &Path, folder: &Path) -> Option<Duration> {
    let json = folder.join("hyperfine.json");
    let command = format!("{ALPC_DUMP} {} -y {PDB} message {MESSAGE:x}", dump.display());
    let ran = Command::new("hyperfine")
        .args(["--shell=none", "--warmup=5", "--runs=50", "--export-json"])
        .arg(&json)
        .arg(command)
        .output()
        .ok()?;
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&json).ok()?).ok()?;
    fs::remove_file(json).ok()?;
    report["results"][0]["median"]
        .as_f64()
        .map(Duration::from_secs_f64)
}
