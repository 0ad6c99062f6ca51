//! What a machine's memory costs that was not crashed: `cargo bench --bench containers [-- GIB...]`.
//!
//! Writes the general world of 19041.2604, scattered over machines with 8 and 64 GiB (or those named), in the forms in
//! which virtual machines are saved, and opens each in a process of its own: the file's index is read and the kernel found.
//! Then whole commands that list processes are timed: this program's, and that of volatility3 (`$VOLATILITY`, else `vol`)
//! where it is there and reads the form; what they list must be what was written. volatility3 gets its table of that kernel
//! from `../shared/isf`. MemProcFS 5.19 takes none of these machines for Windows: it looks for more of the kernel's image than
//! they have.
//!
//! Frames that nobody wrote are holes in the raw file, so that a search reads zeros from the page cache, and no disk.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark prints, and ends where something is not there"
)]

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use kdump::Dump;
use synth::container::diskdump::{Form, Packing};
use synth::container::elf::Producer;
use synth::container::{Machine, Registers, avml, diskdump, elf, hiberfil, hyper_v};
use synth::world::Built;
use synth::worlds;

const ALPC_DUMP: &str = env!("CARGO_BIN_EXE_alpc-dump");
const KERNEL: &str = "win10-2004-x64";
const SIZES: [u64; 2] = [8, 64];
/// How long and how often at most one file is opened.
const LONG_ENOUGH: Duration = Duration::from_secs(3);
const OFTEN_ENOUGH: usize = 21;

/// A writer of a machine's memory.
type Write = fn(&Path, Machine<'_>);

const FORMS: [(&str, &str, Write); 6] = [
    ("raw", "a search", write_raw),
    ("ELF core of QEMU", "CR3", |path, machine| {
        fs::write(path, elf::core(machine, Producer::Qemu, 0)).unwrap();
    }),
    ("kdump, zlib", "CR3", |path, machine| {
        fs::write(
            path,
            diskdump::compressed(
                machine,
                Form {
                    packings: &[Packing::Zlib],
                    flattened: false,
                    level: 0,
                },
            ),
        )
        .unwrap();
    }),
    ("AVML", "a search", |path, machine| {
        fs::write(path, avml::image(machine)).unwrap();
    }),
    ("saved state of Hyper-V", "a search", |path, machine| {
        fs::write(path, hyper_v::saved(machine, hyper_v::Style::default()).bytes).unwrap();
    }),
    ("hibernation file", "CR3", |path, machine| {
        fs::write(
            path,
            hiberfil::hibernated(machine, hiberfil::Style::of(0x448)).bytes,
        )
        .unwrap();
    }),
];

fn main() {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [child, path] = &args[..]
        && child == "child"
    {
        return run_child(Path::new(path));
    }
    let sizes: Vec<u64> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if sizes.is_empty() { &SIZES } else { &sizes[..] };
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("containers-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    println!("| memory | kernel found by | open and find | private | `processes` | volatility3 | times |");
    println!("|---|---|---|---|---|---|---|");
    for &gib in sizes {
        let built = worlds::standard_over(KERNEL, gib << (30 - 12));
        let registers = [Registers {
            rip: built.header.rip.0,
            cr3: built.header.directory_table_base,
            cr4: 0x6f8,
            ..Registers::default()
        }];
        let mapped = built.map();
        let machine = Machine {
            memory: &mapped.memory,
            processors: &registers,
        };
        for (name, by, write) in FORMS {
            // Of that one the writer makes all blocks of a MiB in memory that have a page.
            if name.ends_with("Hyper-V") && gib > 8 {
                continue;
            }
            let path = folder.join(format!("{gib}.mem"));
            write(&path, machine);
            row(&format!("{gib} GiB, {name}"), by, &path, &built);
            fs::remove_file(path).unwrap();
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

fn write_raw(path: &Path, machine: Machine<'_>) {
    let file = File::create(path).unwrap();
    for (frame, page) in machine.memory.frames() {
        file.write_all_at(page, frame.address()).unwrap();
    }
}

fn row(name: &str, by: &str, path: &Path, built: &Built) {
    let output = Command::new(env::current_exe().unwrap())
        .arg("child")
        .arg(path)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let (time, private) = text.trim().split_once(' ').unwrap();
    let ids: BTreeSet<u64> = built.truth.processes.iter().map(|process| process.pid).collect();
    let ours = timed_list(&ids, || ours(path)).expect("ours lists what was written");
    let table = Table::of(built);
    let peer = timed_list(&ids, || volatility(path, table.as_ref()?));
    print!("| {name} | {by} | {time} | {private} | {} |", milliseconds(ours));
    match peer {
        Some(time) => print!(
            " {} | {:.0} |",
            milliseconds(time),
            time.as_secs_f64() / ours.as_secs_f64()
        ),
        None => print!(" - | - |"),
    }
    println!();
}

/// The middle one of three times that a list takes; none where it is not the one that was written.
fn timed_list(wanted: &BTreeSet<u64>, list: impl Fn() -> Option<BTreeSet<u64>>) -> Option<Duration> {
    let mut times = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        let listed = list()?;
        times.push(start.elapsed());
        if listed != *wanted {
            eprintln!("not what was written: {listed:?} for {wanted:?}");
            return None;
        }
    }
    times.sort_unstable();
    times.get(1).copied()
}

fn ours(path: &Path) -> Option<BTreeSet<u64>> {
    let output = Command::new(ALPC_DUMP)
        .arg(path)
        .args(["-q", "processes", "--format", "json"])
        .output()
        .ok()?;
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let rows = document["result"]["processes"].as_array()?;
    Some(rows.iter().filter_map(|row| row["process_id"].as_u64()).collect())
}

/// The table of the kernel's symbols where volatility3 looks for it.
struct Table(tempfile::TempDir);

impl Table {
    fn of(built: &Built) -> Option<Self> {
        let g = built.truth.guid;
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        let reversed = |bytes: &[u8]| hex(&bytes.iter().rev().copied().collect::<Vec<_>>());
        let guid = [
            reversed(&g[..4]),
            reversed(&g[4..6]),
            reversed(&g[6..8]),
            hex(&g[8..]),
        ]
        .concat();
        let name = format!("{guid}-{}.json.xz", built.truth.age);
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../shared/isf")
            .join(&name);
        let folder = tempfile::tempdir().ok()?;
        let to = folder.path().join("symbols/windows/ntkrnlmp.pdb");
        fs::create_dir_all(&to).ok()?;
        fs::create_dir_all(folder.path().join("cache")).ok()?;
        fs::copy(from, to.join(name)).ok()?;
        Some(Self(folder))
    }
}

fn volatility(path: &Path, Table(folder): &Table) -> Option<BTreeSet<u64>> {
    let program = env::var_os("VOLATILITY").unwrap_or_else(|| "vol".into());
    let output = Command::new(program)
        .args(["-q", "-r", "json", "--offline", "-s"])
        .arg(folder.path().join("symbols"))
        .arg("--cache-path")
        .arg(folder.path().join("cache"))
        .arg("-f")
        .arg(path)
        .arg("windows.pslist")
        .output()
        .ok()?;
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).ok()?;
    Some(rows.iter().filter_map(|row| row["PID"].as_u64()).collect())
}

/// Prints the median of the times of opening, and private memory while the first was open.
fn run_child(path: &Path) {
    let start = Instant::now();
    let mut times = Vec::new();
    let mut private = None;
    while times.len() < OFTEN_ENOUGH && (times.is_empty() || start.elapsed() < LONG_ENOUGH) {
        let begun = Instant::now();
        let dump = black_box(Dump::open(path).unwrap());
        times.push(begun.elapsed());
        private.get_or_insert_with(anonymous);
        drop(dump);
    }
    times.sort_unstable();
    let median = times[times.len() / 2];
    let private = private
        .flatten()
        .map_or("-".to_owned(), |kib| format!("{:.1} MiB", kib as f64 / 1024.0));
    println!("{} {private}", milliseconds(median).replace(' ', "\u{a0}"));
}

/// Private memory, in KiB.
fn anonymous() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
