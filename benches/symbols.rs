//! What each source of symbols costs: `cargo bench --bench symbols [-- PYTHON]`.
//!
//! Writes a world of a real kernel, the full-size PDB made of that kernel's complete ISF table, and a pack of it, and
//! runs `symbols` and one `message` with each source in turn: the PDB, the ISF table, the pack, the built-in table
//! (nothing else at hand), and the choice by invariants (the same world under an identity that is nowhere). Each
//! command is a process of its own; the best time from its start to its end is printed, warm and cold, after
//! that of finding all that the views need in a process that runs already. Cold
//! means that the dump and the symbol file were dropped from the system's cache, by GNU `dd`; the program itself
//! stays in it.
//!
//! Beside them stand parsing all types of that PDB with `pdb2`, and Volatility loading the same ISF table and taking
//! one type out of it, without the time that Python takes to start and to import, where PYTHON is an interpreter with
//! `volatility3` installed. The ISF tables lie beside the repository; without them there is nothing to measure.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends where something is not there"
)]

use std::fs::{self, File};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use alpc::CONTRACT;
use alpc::locate::choice;
use kdump::Dump;
use ntlayout::{Guid, Identity, Layout};
use pdb::FallibleIterator;
use synth::dump::Kind;
use synth::isf::Isf;
use synth::world::Built;
use synth::worlds;

const ALPC_DUMP: &str = env!("CARGO_BIN_EXE_alpc-dump");
const ISF: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../shared/isf/5F0CF5D532F385333A9B4ABA25CA6596-1.json.xz"
);
/// The kernel of that table.
const KERNEL: &str = "win10-2004-2022-x64";
const RUNS: usize = 41;

/// Loads a table as Volatility's plugins do, and prints the seconds that it took.
const VOLATILITY: &str = "
import sys, time, pathlib
from volatility3.framework import contexts
from volatility3.framework.symbols import intermed
start = time.perf_counter()
table = intermed.IntermediateSymbolTable(
    contexts.Context(), 'bench', 'nt', pathlib.Path(sys.argv[1]).resolve().as_uri())
table.get_type('_EPROCESS').relative_child_offset('ActiveProcessLinks')
print(time.perf_counter() - start)
";

fn main() {
    let python = std::env::args().skip(1).find(|arg| arg != "--bench");
    if !Path::new(ISF).exists() {
        return println!("nothing to measure: {ISF} is not there");
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("symbols-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let sources = sources(&folder);
    let all = best(|| parse_all(&folder.join("kernel/ntkrnlmp.pdb")));
    let volatility = python.map(|python| volatility(&python));
    println!("parsing all types with pdb2: {}", milliseconds(all));
    if let Some(volatility) = volatility {
        println!("volatility3 loading the ISF table: {}", milliseconds(volatility));
    }
    println!(
        "| source | found in | of pdb2, all types | of volatility3, load | `symbols` | cold | `message` | cold |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for source in &sources {
        row(source, all, volatility);
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// A dump, the symbols that are named for it, and the message that is asked for.
struct Source {
    name: &'static str,
    dump: PathBuf,
    symbols: Option<PathBuf>,
    message: String,
}

fn sources(folder: &Path) -> Vec<Source> {
    let world = worlds::standard(KERNEL);
    let unknown = worlds::standard_with(KERNEL, |world| world.truth.guid = *b"not any kernel's");
    let message = world.truth.messages[0].address.to_string();
    // Apart from each other, so that nothing is found that was not named.
    let place = |name: &str| {
        let place = folder.join(name);
        fs::create_dir_all(&place).unwrap();
        place
    };
    let dump = |world: &Built, name: &str| {
        let path = place(name).join("memory.dmp");
        write(&path, &world.dump(Kind::BitmapKernel));
        path
    };
    let (known, unknown) = (dump(&world, "known"), dump(&unknown, "unknown"));
    let pdb = place("kernel").join("ntkrnlmp.pdb");
    write(&pdb, &Isf::open(Path::new(ISF)).unwrap().describe().write());
    let isf = place("isf").join(Path::new(ISF).file_name().unwrap());
    write(&isf, &fs::read(ISF).unwrap());
    let pack = place("pack").join("kernel.layouts");
    run(&[pdb.as_os_str(), "pack".as_ref(), "-o".as_ref(), pack.as_os_str()]);
    let source = |name, dump: &Path, symbols: Option<PathBuf>| Source {
        name,
        dump: dump.to_owned(),
        symbols,
        message: message.clone(),
    };
    vec![
        source("PDB", &known, Some(pdb)),
        source("ISF table (xz)", &known, Some(isf)),
        source("pack", &known, Some(pack)),
        source("built-in table", &known, None),
        source("invariants", &unknown, None),
    ]
}

/// Written through, so that the system can drop it from its cache.
fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    File::open(path).unwrap().sync_all().unwrap();
}

fn row(source: &Source, all: Duration, volatility: Option<Duration>) {
    let time = |command: &[&str], cold| best_of(|| once(source, command, cold));
    let message = ["message", source.message.as_str()];
    let (symbols, cold_symbols) = (time(&["symbols"], false), time(&["symbols"], true));
    let (warm, cold) = (time(&message, false), time(&message, true));
    let found = best(|| find(source));
    let ratio = |other: Duration| format!("{:.4}", found.as_secs_f64() / other.as_secs_f64());
    println!(
        "| {} | {} | {} | {} | {} | {} | {} | {} |",
        source.name,
        milliseconds(found),
        ratio(all),
        volatility.map_or("-".to_owned(), ratio),
        milliseconds(symbols),
        milliseconds(cold_symbols),
        milliseconds(warm),
        milliseconds(cold),
    );
}

/// Finds all that the views need: from the symbol file, among the built-in layouts by identity, or by what the dump
/// holds.
fn find(source: &Source) {
    if let Some(symbols) = &source.symbols {
        let table = ntlayout::open(symbols).unwrap();
        black_box(table.resolve(&CONTRACT).unwrap());
        return;
    }
    let dump = Dump::open(&source.dump).unwrap();
    let image = kdump::kernel_image(&dump).unwrap();
    let rsds = image.codeview.unwrap();
    let wanted = Identity {
        pdb_name: rsds.pdb_name,
        guid: Guid(rsds.guid),
        age: rsds.age,
    };
    if let Some(table) = ntlayout::built_in(&wanted) {
        black_box(table.resolve(&CONTRACT).unwrap());
        return;
    }
    let layouts: Vec<Layout> = ntlayout::distinct_built_in(ntlayout::Processor::X64)
        .iter()
        .map(|table| table.resolve(&CONTRACT).unwrap())
        .collect();
    black_box(choice::choose(&dump, image.base, &layouts, &choice::Known::default()).unwrap());
}

/// The time of one run of the program.
fn once(source: &Source, command: &[&str], cold: bool) -> Duration {
    if cold {
        drop_from_cache(&source.dump);
        source.symbols.iter().for_each(|file| drop_from_cache(file));
    }
    let mut args = vec![source.dump.as_os_str()];
    if let Some(symbols) = &source.symbols {
        args.extend(["--symbols".as_ref(), symbols.as_os_str()]);
    }
    args.extend(command.iter().map(|word| AsRef::<std::ffi::OsStr>::as_ref(*word)));
    let start = Instant::now();
    run(&args);
    start.elapsed()
}

fn run(args: &[&std::ffi::OsStr]) {
    let mut command = Command::new(ALPC_DUMP);
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.env_clear().status().unwrap();
    assert!(status.success(), "{args:?}");
}

fn drop_from_cache(file: &Path) {
    let mut input = std::ffi::OsString::from("if=");
    input.push(file);
    let mut command = Command::new("dd");
    command.arg(input).args(["iflag=nocache", "count=0"]);
    let status = command.stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "GNU dd is needed");
}

fn parse_all(path: &Path) {
    let mut pdb = pdb::PDB::open(File::open(path).unwrap()).unwrap();
    let types = pdb.type_information().unwrap();
    let parsed = types.iter().filter(|ty| Ok(ty.parse().is_ok())).count().unwrap();
    black_box(parsed);
}

fn volatility(python: &str) -> Duration {
    let load = || {
        let output = Command::new(python)
            .args(["-c", VOLATILITY, ISF])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let seconds = text.trim().parse();
        Duration::from_secs_f64(
            seconds.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))),
        )
    };
    (0..9).map(|_| load()).min().unwrap()
}

fn best(run: impl Fn()) -> Duration {
    best_of(|| {
        let start = Instant::now();
        run();
        start.elapsed()
    })
}

fn best_of(run: impl Fn() -> Duration) -> Duration {
    (0..RUNS).map(|_| run()).min().unwrap()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
