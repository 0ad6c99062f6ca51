//! What goes wrong for users: each gets one message that names the file or address, the cause and the next
//! step, and the documented exit status.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{Run, alpc_dump, fixture};
use tempfile::TempDir;

const MESSAGE: &str = "fffff8800f4cc950";

fn dump() -> Vec<u8> {
    fs::read(fixture("vista-sp2-x64.dmp")).unwrap()
}

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The fixture alone, without its PDB beside it.
    fn dump_without_symbols(&self) -> PathBuf {
        self.file("memory.dmp", &dump())
    }
}

fn message(path: &Path, more: &[&str]) -> Run {
    let mut args = vec![path.to_str().unwrap(), "message", MESSAGE];
    args.extend(more);
    alpc_dump(&args)
}

/// One message on stderr that holds all of `parts`, nothing on stdout.
fn refused(run: &Run, status: i32, parts: &[&str]) {
    assert_eq!(run.status, status, "{}", run.stderr);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.starts_with("alpc-dump: "), "{}", run.stderr);
    for part in parts {
        assert!(run.stderr.contains(part), "no {part:?} in {}", run.stderr);
    }
}

#[test]
fn files_that_are_no_dumps() {
    let bench = Bench::new();
    let samples: [(&str, &[u8], &str); 8] = [
        ("empty.dmp", b"", "empty"),
        ("user.dmp", b"MDMP\x93\xa7\0\0", "minidump"),
        ("core", b"\x7fELF\x02\x01\x01\0", "ELF"),
        ("ntoskrnl.exe", b"MZ\x90\0\x03\0\0\0", "PE"),
        ("kernel.pdb", b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0", "PDB"),
        ("dump.zip", b"PK\x03\x04\x14\0\0\0", "ZIP"),
        ("dump.gz", b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        ("notes.txt", b"The server hangs since Monday.\n", "text"),
    ];
    for (name, bytes, what) in samples {
        let run = message(&bench.file(name, bytes), &[]);
        refused(&run, 2, &[name]);
        let stderr = run.stderr.to_lowercase();
        assert!(stderr.contains(&what.to_lowercase()), "no {what} in {stderr}");
    }
    refused(&message(bench.folder.path(), &[]), 2, &["folder"]);
    refused(
        &message(&bench.folder.path().join("none.dmp"), &[]),
        2,
        &["none.dmp"],
    );
}

#[test]
fn dumps_of_other_kinds_and_machines() {
    let bench = Bench::new();
    let mut triage = dump();
    triage[0xf98] = 4;
    refused(
        &message(&bench.file("mini.dmp", &triage), &[]),
        2,
        &["mini.dmp", "triage"],
    );
    let mut unknown = dump();
    unknown[0xf98] = 0x77;
    refused(
        &message(&bench.file("odd.dmp", &unknown), &[]),
        2,
        &["odd.dmp", "0x77"],
    );
    let mut itanium = dump();
    itanium[0x30..0x34].copy_from_slice(&0x200_u32.to_le_bytes());
    refused(
        &message(&bench.file("ia64.dmp", &itanium), &[]),
        2,
        &["ia64.dmp", "0x200"],
    );
}

#[test]
fn no_symbols_says_what_is_wanted_and_where_to_get_it() {
    let bench = Bench::new();
    let run = message(&bench.dump_without_symbols(), &["--exact-symbols"]);
    refused(
        &run,
        2,
        &[
            "ntkrnlmp.pdb",
            "GUID",
            "https://",
            "--symbols",
            bench.folder.path().to_str().unwrap(),
        ],
    );
}

#[test]
fn symbols_of_another_kernel_are_named_and_not_used() {
    let bench = Bench::new();
    let mut pdb = fs::read(fixture("vista-sp2-x64.pdb")).unwrap();
    let path = bench.dump_without_symbols();
    let guid = guid_of(&dump());
    let at = find(&pdb, &guid).expect("the PDB holds its GUID");
    pdb[at] ^= 0xff;
    let wrong = bench.file("ntkrnlmp.pdb", &pdb);
    let run = message(&path, &["--symbols", wrong.to_str().unwrap(), "--exact-symbols"]);
    refused(&run, 2, &["ntkrnlmp.pdb", "symbols of another build"]);
    // What serves instead does not hide that the file was of no use.
    let run = message(&path, &["--symbols", wrong.to_str().unwrap()]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let named = format!("not used: {}: symbols of another build", wrong.display());
    assert!(run.stderr.contains(&named), "{}", run.stderr);
}

/// The GUID in the RSDS record of the kernel image.
fn guid_of(dump: &[u8]) -> Vec<u8> {
    let at = find(dump, b"RSDS").expect("the dump holds a debug record");
    dump[at + 4..at + 20].to_vec()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[test]
fn symbols_that_are_no_pdb_are_called_by_their_name() {
    let bench = Bench::new();
    let path = bench.dump_without_symbols();
    let samples: [(&[u8], &str); 4] = [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "HTML"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "LFS",
        ),
        (b"Microsoft MSFZ Container\r\n\x1aALD\0\0", "MSFZ"),
    ];
    for (bytes, what) in samples {
        let pdb = bench.file("ntkrnlmp.pdb", bytes);
        refused(
            &message(&path, &["--symbols", pdb.to_str().unwrap(), "--exact-symbols"]),
            2,
            &["ntkrnlmp.pdb", what],
        );
        let run = message(&path, &["--symbols", pdb.to_str().unwrap()]);
        assert!(
            run.stderr.contains("not used: ") && run.stderr.contains(what),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn addresses_that_cannot_be() {
    let dump = fixture("vista-sp2-x64.dmp");
    let ask = |address: &str| alpc_dump(&[dump.to_str().unwrap(), "message", address]);
    refused(&ask("1234567812345678"), 2, &["1234567812345678", "canonical"]);
    refused(&ask("xyz"), 2, &["xyz", "hex"]);
    refused(&ask("0x1fffff8800f4cc950"), 2, &["16"]);
}

#[test]
fn an_unmapped_address_shows_holes_and_says_why() {
    let dump = fixture("vista-sp2-x64.dmp");
    let run = alpc_dump(&[dump.to_str().unwrap(), "message", "fffff88055555000"]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert!(run.stdout.contains("WaitingThread         : ????????????????\n"));
    assert!(run.stdout.contains("MessageID             : ?\n"));
    assert!(run.stderr.contains("not present"), "{}", run.stderr);
    let json = alpc_dump(&[
        dump.to_str().unwrap(),
        "--format",
        "json",
        "message",
        "fffff88055555000",
    ])
    .json();
    assert!(json["result"]["waiting_thread"].is_null());
    assert_eq!(
        json["result"]["unreadable"]["waiting_thread"]["id"],
        "not-present"
    );
}

#[test]
fn a_truncated_dump_gives_what_is_left() {
    let bench = Bench::new();
    let whole = dump();
    for share in [3, 2] {
        let path = bench.file("cut.dmp", &whole[..whole.len() - whole.len() / share / 2]);
        let run = alpc_dump(&[path.to_str().unwrap(), "info"]);
        assert!(run.stdout.contains("cut off"), "{}", run.stdout);
        assert!(matches!(run.status, 0 | 3), "{}", run.stderr);
    }
    let path = bench.file("stub.dmp", &whole[..0x1800]);
    refused(&message(&path, &[]), 2, &["stub.dmp", "header"]);
}

#[test]
fn one_bad_dump_does_not_stop_the_others() {
    let good = fixture("vista-sp2-x64.dmp");
    let run = alpc_dump(&["does-not-exist.dmp", good.to_str().unwrap(), "message", MESSAGE]);
    assert_eq!(run.status, 2);
    assert!(run.stdout.contains("ALPC_MSGQUEUE_PENDING"));
    assert!(run.stderr.contains("does-not-exist.dmp"));
    // With several dumps, each line on stderr says which one it is about.
    let symbols = format!("alpc-dump: {}: symbols: ", good.display());
    assert!(run.stderr.contains(&symbols), "{}", run.stderr);
}

#[test]
fn usage_errors() {
    for args in [
        &[][..],
        &["a.dmp"],
        &["a.dmp", "mesage", "0"],
        &["a.dmp", "message"],
        &["a.dmp", "-c", "!bogus"],
    ] {
        let run = alpc_dump(args);
        assert_eq!(run.status, 2, "{args:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{args:?}");
    }
    refused(
        &alpc_dump(&["a.dmp", "mesage"]),
        2,
        &["\"mesage\" is neither a command nor a file"],
    );
    assert_eq!(alpc_dump(&["--help"]).status, 0);
    assert_eq!(alpc_dump(&["--version"]).status, 0);
}
