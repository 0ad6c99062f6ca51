//! Systems with too little of something: address space, descriptors, room on a disk; and two programs that write one
//! file.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with the fixture and its symbols.
fn bench() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for name in ["vista-sp2-x64.dmp", "vista-sp2-x64.pdb"] {
        fs::copy(fixtures.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

/// Runs a line of a shell in the folder.
fn sh(folder: &Path, line: &str) -> Output {
    command(folder, line).output().unwrap()
}

fn command(folder: &Path, line: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .current_dir(folder)
        .env_remove("_NT_SYMBOL_PATH")
        .env_remove("_NT_ALT_SYMBOL_PATH")
        .env("exe", env!("CARGO_BIN_EXE_alpc-dump"));
    command
}

/// A file that does not fit into the address space is read in pieces, and says the same.
#[test]
fn a_dump_larger_than_the_address_space_is_read_all_the_same() {
    let folder = bench();
    let file = File::options()
        .write(true)
        .open(folder.path().join("vista-sp2-x64.dmp"))
        .unwrap();
    file.set_len(4 << 30).unwrap();
    for line in ["hang -q", "ports -q", "analyze -q", "info -q"] {
        let free = sh(folder.path(), &format!("$exe vista-sp2-x64.dmp {line}"));
        let tight = sh(
            folder.path(),
            &format!("ulimit -v 300000; $exe vista-sp2-x64.dmp {line}"),
        );
        assert!(free.status.code().is_some_and(|code| code < 2), "{free:?}");
        assert_eq!(tight.status, free.status, "{line}: {tight:?}");
        assert!(!free.stdout.is_empty());
        let text = |run: Output| String::from_utf8(run.stdout).unwrap();
        // `info` says that it is so.
        let (free, tight) = (text(free), text(tight));
        let (said, same): (Vec<&str>, Vec<&str>) = tight
            .lines()
            .partition(|text| text.contains("refused to map the file"));
        assert_eq!(said.len(), usize::from(line.starts_with("info")), "{line}");
        assert_eq!(same, free.lines().collect::<Vec<_>>(), "{line}");
    }
}

/// Descriptors that are enough for one dump are enough for many: those that have to wait for another are no failures.
#[test]
fn many_dumps_need_no_more_descriptors_than_one() {
    let folder = bench();
    for number in 0..24 {
        let copy = folder.path().join(format!("{number:02}.dmp"));
        fs::copy(folder.path().join("vista-sp2-x64.dmp"), copy).unwrap();
    }
    let free = sh(folder.path(), "$exe *.dmp triage -q");
    let tight = sh(folder.path(), "ulimit -n 16; $exe *.dmp triage -q --jobs 8");
    assert_eq!(free.status.code(), Some(0), "{free:?}");
    assert_eq!(tight.status.code(), Some(0), "{tight:?}");
    assert_eq!(tight.stdout, free.stdout);
    // Where not even one can be looked at, that is a record of each.
    let none = sh(folder.path(), "ulimit -n 6; $exe *.dmp triage -q");
    assert_eq!(none.status.code(), Some(2), "{none:?}");
    let text = String::from_utf8(none.stdout).unwrap();
    assert_eq!(text.matches("process-not-started").count(), 25, "{text}");
}

/// One sentence, and the status of what failed.
#[test]
fn a_full_disk_is_an_error_of_every_command() {
    let folder = bench();
    for line in [
        "info",
        "hang",
        "hang --format json",
        "ports",
        "processes --format ndjson",
        "graph --format html",
        "triage",
        "analyze",
    ] {
        for line in [format!("{line} -q >/dev/full"), format!("{line} -q -o /dev/full")] {
            let run = sh(folder.path(), &format!("$exe vista-sp2-x64.dmp {line}"));
            let stderr = String::from_utf8(run.stderr).unwrap();
            assert_eq!(run.status.code(), Some(2), "{line}: {stderr}");
            assert!(
                stderr.contains("cannot be written: No space left"),
                "{line}: {stderr}"
            );
            assert_eq!(stderr.lines().count(), 1, "{line}: {stderr}");
        }
    }
}

/// Whoever comes last is there whole; a mixture never is, and nothing is left beside it.
#[test]
fn of_two_that_write_one_file_one_is_there_whole() {
    let folder = bench();
    let path = folder.path();
    let lines = ["graph --format html", "threads --format json"];
    // A document of JSON has the arguments in it, and thus the name of the file.
    let whole = lines.map(|line| {
        sh(path, &format!("$exe vista-sp2-x64.dmp {line} -q -o report"));
        fs::read(path.join("report")).unwrap()
    });
    assert!(whole.iter().all(|text| !text.is_empty()) && whole[0] != whole[1]);
    for _ in 0..8 {
        let both = lines.map(|line| {
            command(path, &format!("$exe vista-sp2-x64.dmp {line} -q -o report"))
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        });
        for child in both {
            let run = child.wait_with_output().unwrap();
            assert!(run.status.code().is_some_and(|code| code < 2), "{run:?}");
        }
        let report = fs::read(path.join("report")).unwrap();
        assert!(whole.contains(&report), "{} bytes", report.len());
    }
    let names: Vec<PathBuf> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
}
