//! A dump that goes away while it is read: its file is cut, as by who copies over it. What is mapped of it raises SIGBUS then;
//! here it is one error, and the program goes on.
#![cfg(unix)]

mod support;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use support::{fixture, root};
use synth::dump::Kind;
use synth::worlds;

/// What a prompt that lists the ports says to more lines once its dump was cut to some bytes.
fn said(dump: &[u8], len: u64, options: &[&str], lines: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memory.dmp");
    fs::write(&path, dump).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_alpc-dump"))
        .arg(&path)
        .arg("-i")
        .args(options)
        .current_dir(root())
        .env_remove("_NT_SYMBOL_PATH")
        .env_remove("_NT_ALT_SYMBOL_PATH")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    // The kernel is found, and the first pages mapped.
    stdin.write_all(b"modules\n.echo ready\n").unwrap();
    let mut line = String::new();
    while line != "ready\n" {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "it has ended");
    }
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(len)
        .unwrap();
    for line in lines {
        writeln!(stdin, "{line}").unwrap();
    }
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), rest, stderr)
}

/// What looks at all of a system.
const LINES: [&str; 19] = [
    "hang",
    "waits",
    "ports",
    "threads",
    "handles",
    "processes",
    "stacks",
    "graph",
    "report",
    "analyze",
    "carve",
    "timeline",
    "calls",
    "locks",
    "sessions",
    "services",
    "global",
    "object \\",
    "summary",
];

#[test]
fn a_dump_that_is_cut_is_an_error_of_every_command_and_no_crash() {
    let published = fs::read(fixture("vista-sp2-x64.dmp")).unwrap();
    let complete = worlds::standard("win10-2004-x64").dump(Kind::Full);
    let triage = worlds::standard("win10-1809-x64").dump(Kind::BitmapFull);
    for dump in [&published, &complete, &triage] {
        for options in [&[][..], &["--no-mmap"]] {
            for len in [0x1000, dump.len() as u64 / 8] {
                let (status, _, stderr) = said(dump, len, options, &LINES);
                // Lines of a pipe end as behind -c: with the worst of all.
                assert_eq!(status, Some(2), "{options:?} {len:#x}: {stderr}");
                let errors = stderr.matches("it was cut since it was opened").count();
                assert_eq!(errors, LINES.len(), "{options:?} {len:#x}: {stderr}");
            }
        }
    }
}

/// What does not touch what is lost is told as ever.
#[test]
fn what_is_still_there_is_read() {
    let dump = fs::read(fixture("vista-sp2-x64.dmp")).unwrap();
    let len = dump.len() as u64;
    let (status, stdout, stderr) = said(&dump, len, &[], &["message fffff8800f4cc950"]);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stdout.contains("Message @ fffff8800f4cc950"), "{stdout}");
}
