//! What volatility3 makes of the worlds. It runs where `vol` (or what `VOLATILITY` names) can be started and the
//! complete symbol tables of `../shared/isf` are present, and says so where not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use synth::dump::Kind;
use synth::world::{Built, Truth};
use synth::worlds;

/// Kernels whose complete table is in `../shared/isf`.
const KERNELS: [&str; 4] = ["win7-sp1-x64", "win81-x64", "win10-2004-x64", "win11-21h2-x64"];

struct Volatility {
    program: String,
    tables: PathBuf,
    folder: tempfile::TempDir,
}

impl Volatility {
    fn find() -> Option<Self> {
        let program = std::env::var("VOLATILITY").unwrap_or_else(|_| "vol".to_owned());
        let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/isf");
        if Command::new(&program).arg("-h").output().is_err() || !tables.is_dir() {
            eprintln!("skipped: no {program}, or no {}", tables.display());
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        for part in ["symbols/windows/ntkrnlmp.pdb", "cache"] {
            std::fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        Some(Volatility {
            program,
            tables,
            folder,
        })
    }

    /// The table of this kernel, where volatility3 looks for it.
    fn provide_table(&self, truth: &Truth) {
        let g = truth.guid;
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        let reversed = |bytes: &[u8]| hex(&bytes.iter().rev().copied().collect::<Vec<_>>());
        let guid = [
            reversed(&g[..4]),
            reversed(&g[4..6]),
            reversed(&g[6..8]),
            hex(&g[8..]),
        ]
        .concat();
        let name = format!("{guid}-{}.json.xz", truth.age);
        let to = self
            .folder
            .path()
            .join("symbols/windows/ntkrnlmp.pdb")
            .join(&name);
        std::fs::copy(self.tables.join(&name), to).unwrap();
    }

    fn run(&self, dump: &Path, plugin: &str) -> Vec<Value> {
        let output = Command::new(&self.program)
            .args(["-q", "-r", "json", "--offline", "-s"])
            .arg(self.folder.path().join("symbols"))
            .arg("--cache-path")
            .arg(self.folder.path().join("cache"))
            .arg("-f")
            .arg(dump)
            .arg(plugin)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// An address as volatility3 prints it: 48 bits.
fn short(address: u64) -> u64 {
    address & 0xffff_ffff_ffff
}

fn write_dump(volatility: &Volatility, built: &Built, kind: Kind) -> PathBuf {
    let path = volatility
        .folder
        .path()
        .join(format!("{}-{}.dmp", built.truth.kernel, kind.number()));
    std::fs::write(&path, built.dump(kind)).unwrap();
    path
}

#[test]
fn volatility_finds_the_same_processes_and_ports() {
    let Some(volatility) = Volatility::find() else {
        return;
    };
    for (kernel, kind) in KERNELS
        .into_iter()
        .zip([Kind::Full, Kind::BitmapFull].into_iter().cycle())
    {
        let built = worlds::standard(kernel);
        volatility.provide_table(&built.truth);
        let dump = write_dump(&volatility, &built, kind);
        check_processes(&volatility.run(&dump, "windows.pslist"), &built.truth);
        check_ports(&volatility.run(&dump, "windows.handles"), &built.truth);
    }
}

fn check_processes(rows: &[Value], truth: &Truth) {
    let found: Vec<(u64, u64, &str, u64)> = rows
        .iter()
        .map(|row| {
            let number = |key: &str| row[key].as_u64().unwrap();
            (
                number("Offset(V)"),
                number("PID"),
                row["ImageFileName"].as_str().unwrap(),
                number("Threads"),
            )
        })
        .collect();
    let threads = |process| {
        truth
            .threads
            .iter()
            .filter(|thread| thread.process == process)
            .count()
    };
    let told: Vec<(u64, u64, &str, u64)> = truth
        .processes
        .iter()
        .map(|p| {
            (
                short(p.address.0),
                p.pid,
                p.image,
                u64::try_from(threads(p.address)).unwrap(),
            )
        })
        .collect();
    assert_eq!(found, told, "{}", truth.kernel);
}

fn check_ports(rows: &[Value], truth: &Truth) {
    let ports = rows.iter().filter(|row| row["Type"] == "ALPC Port");
    let found: BTreeSet<(u64, u64, u64)> = ports
        .clone()
        .map(|row| {
            let number = |key: &str| row[key].as_u64().unwrap();
            (number("PID"), number("HandleValue"), number("Offset"))
        })
        .collect();
    let is_port = |object| truth.objects[&object].type_name == "ALPC Port";
    let told = truth.processes.iter().flat_map(|process| {
        let handles = process.handles.iter().filter(|handle| is_port(handle.object));
        handles.map(|handle| (process.pid, handle.value, short(handle.object.0)))
    });
    assert_eq!(found, told.collect(), "{}", truth.kernel);
    let names: BTreeSet<&str> = ports.filter_map(|row| row["Name"].as_str()).collect();
    for name in [
        "ApiPort",
        "ntsvcs",
        "lsasspirpc",
        "name with blanks ",
        "\u{fc}n\u{ef}c\u{f6}de-\u{7aef}\u{53e3}-\u{1f512}",
    ] {
        assert!(names.contains(name), "{name} in {names:?}");
    }
}
