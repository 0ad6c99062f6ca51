//! What opening a dump costs, beside `kdmp-parser`: `cargo bench --bench open [-- GIB...]`, and beside plain reads
//! of the header and the index: `cargo bench --bench open -- index [GIB...]`.
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
use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use alpc::port::message::{self, Detail};
use kdmp_parser::parse::KernelDumpParser;
use kdump::{Dump, Gva};
use ntlayout::{Pdb, SymbolTable};
use synth::dump::{Kind, write_sparse, write_sparse_ranges};
use synth::worlds;

const ALPC_DUMP: &str = env!("CARGO_BIN_EXE_alpc-dump");
const PDB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vista-sp2-x64.pdb");
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vista-sp2-x64.dmp");
const MESSAGE: u64 = 0xffff_f880_0f4c_c950;
const SIZES: [u64; 4] = [1, 8, 64, 512];
const KINDS: [(Kind, &str); 3] = [
    (Kind::Full, "complete"),
    (Kind::BitmapFull, "bitmap"),
    (Kind::CompleteRanges, "ranges"),
];
/// Ranges of a dump whose index is as large as they become: 16 MB.
const MANY_RANGES: u64 = 1_000_000;
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
    let sizes = if sizes.is_empty() { &SIZES } else { &sizes[..] };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("open-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    if args.iter().any(|arg| arg == "index") {
        index_table(&folder, sizes);
    } else {
        table(&folder, sizes);
    }
    fs::remove_dir_all(&folder).unwrap();
}

fn table(folder: &Path, sizes: &[u64]) {
    println!(
        "| dump | open | open + message | private | peak | whole command | `kdmp-parser` open | its peak | times less |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    row("fixture, kind 2", Path::new(FIXTURE), folder, false);
    for &gib in sizes {
        for (kind, name) in KINDS {
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

/// What opening costs beside reading the same bytes, the header and the index, in the same process in turn.
fn index_table(folder: &Path, sizes: &[u64]) {
    println!("| dump | header and index | read | open | open / read |");
    println!("|---|---|---|---|---|");
    for &gib in sizes {
        for (kind, name) in KINDS {
            let path = folder.join(format!("{gib}-{name}.dmp"));
            write(&path, kind, gib);
            index_row(&format!("{gib} GiB, {name}"), &path);
            fs::remove_file(path).unwrap();
        }
        let path = folder.join(format!("{gib}-many.dmp"));
        let world = worlds::vista_sp2_x64_over(gib << (30 - 12));
        let memory = &world.map().memory;
        write_sparse_ranges(&path, &world.header, memory, gib << 30, MANY_RANGES).unwrap();
        index_row(&format!("{gib} GiB, {MANY_RANGES} ranges"), &path);
        fs::remove_file(path).unwrap();
    }
}

fn index_row(name: &str, path: &Path) {
    let [bytes, read, open, times] = &child("index", path)[..] else {
        panic!("four numbers");
    };
    println!(
        "| {name} | {} | {} | {} | {:.2} |",
        kibibytes(bytes.unwrap()),
        microseconds(read.unwrap()),
        microseconds(open.unwrap()),
        times.unwrap() as f64 / 1e3
    );
}

/// Prints how long the header and the index are, the median of reading them, the median of opening, and the median
/// of how many thousandths of the reading before it an opening took. The two are taken in turn.
fn run_index(path: &Path) {
    let bytes = first_page(path);
    let mut buffer = vec![0; 256 << 10];
    let (mut reads, mut opens, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let start = Instant::now();
    while start.elapsed() < LONG_ENOUGH && reads.len() < OFTEN_ENOUGH {
        let read = timed(|| read_once(path, bytes, &mut buffer)).time.as_nanos();
        let open = open(path).time.as_nanos();
        ratios.push(open * 1000 / read);
        reads.push(read);
        opens.push(open);
    }
    let median = |mut numbers: Vec<u128>| {
        numbers.sort_unstable();
        numbers[numbers.len() / 2]
    };
    println!("{bytes} {} {} {}", median(reads), median(opens), median(ratios));
}

/// One sequential read of the first `bytes` bytes of a file.
fn read_once(path: &Path, bytes: u64, buffer: &mut [u8]) {
    let file = File::open(path).unwrap();
    let mut at = 0;
    while at < bytes {
        let now = buffer.len().min(usize::try_from(bytes - at).unwrap());
        file.read_exact_at(&mut buffer[..now], at).unwrap();
        black_box(&buffer[..now]);
        at += now as u64;
    }
}

/// Where the pages begin, by the format table: the end of the header and the index.
fn first_page(path: &Path) -> u64 {
    let file = File::open(path).unwrap();
    let field = |at| {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, at).unwrap();
        u64::from_le_bytes(bytes)
    };
    match field(0xf98) & 0xffff_ffff {
        1 => 0x2000,
        5 => field(0x2020),
        _ => field(0x2018),
    }
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

fn microseconds(nanoseconds: u64) -> String {
    format!("{:.1} us", nanoseconds as f64 / 1e3)
}

fn kibibytes(bytes: u64) -> String {
    format!("{} KiB", bytes.div_ceil(1 << 10))
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
    let numbers = child(reader, dump);
    let [Some(time), private, peak] = numbers[..] else {
        panic!("a time and two sizes, not {numbers:?}");
    };
    Sample {
        time: Duration::from_nanos(time),
        private,
        peak,
    }
}

/// The numbers that this program prints when it is run as a child.
fn child(reader: &str, dump: &Path) -> Vec<Option<u64>> {
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
    text.split_whitespace()
        .map(|number| number.parse().ok())
        .collect()
}

/// The memory of the first time, before anything was freed, and the median of all times.
fn run_child(reader: &str, dump: &Path) {
    let action: fn(&Path) -> Sample = match reader {
        "index" => return run_index(dump),
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
        let layout = pdb.resolve(&alpc::CONTRACT).unwrap();
        let kernel = alpc::kernel(&dump, base, layout);
        let message = message::read(&kernel, Gva::new(MESSAGE), Detail::Rows).unwrap();
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
