//! Dumps in packed files, as other programs packed them (crates/unpack/tests/forms.rs says which).

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Run, alpc_dump, fixture};
use tempfile::TempDir;

const FORMS: [&str; 7] = [
    "memory.dmp.gz",
    "memory.dmp.xz",
    "memory.dmp.bz2",
    "memory.dmp.zst",
    "memory.zip",
    "memory.7z",
    "memory.cab",
];

fn packed(name: &str) -> PathBuf {
    fixture("packed").join(name)
}

fn run(path: &Path, folder: &TempDir, arguments: &[&str]) -> Run {
    let unpack = ["--unpack", folder.path().to_str().unwrap()];
    alpc_dump(&[&[path.to_str().unwrap()][..], arguments, &unpack].concat())
}

fn names(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_packed_dump_is_unpacked_once_and_read() {
    let plain = alpc_dump(&[
        fixture("vista-sp2-x64.dmp").to_str().unwrap(),
        "message",
        "fffff8800f4cc950",
    ]);
    for name in FORMS {
        let folder = tempfile::tempdir().unwrap();
        let first = run(&packed(name), &folder, &["message", "fffff8800f4cc950"]);
        assert_eq!(
            (first.status, &first.stdout),
            (plain.status, &plain.stdout),
            "{name}"
        );
        let made = names(&folder);
        assert_eq!(made.len(), 1, "{name}");
        assert!(first.stderr.contains(&made[0]), "{name}: {}", first.stderr);
        assert!(
            made[0].starts_with("memory-") && made[0].ends_with(".dmp"),
            "{made:?}"
        );
        // What is there is not written again.
        let unpacked = folder.path().join(&made[0]);
        fs::write(&unpacked, fs::read(fixture("vista-sp2-x64.dmp")).unwrap()).unwrap();
        let before = fs::metadata(&unpacked).unwrap().modified().unwrap();
        let second = run(&packed(name), &folder, &["message", "fffff8800f4cc950"]);
        assert_eq!(second.stdout, plain.stdout, "{name}");
        assert_eq!(
            fs::metadata(&unpacked).unwrap().modified().unwrap(),
            before,
            "{name}"
        );
        assert_eq!(names(&folder), made, "{name}");
    }
}

#[test]
fn without_a_folder_the_way_out_is_told() {
    for name in FORMS {
        let refused = alpc_dump(&[packed(name).to_str().unwrap(), "hang"]);
        assert_eq!(refused.status, 2, "{name}");
        assert!(
            refused.stderr.contains("--unpack FOLDER"),
            "{name}: {}",
            refused.stderr
        );
        assert_eq!(refused.stderr.lines().count(), 1, "{name}");
    }
}

#[test]
fn what_is_no_dump_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(packed("memory.dmp.xz")).unwrap();
    let input = tempfile::tempdir().unwrap();
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("cut.xz", whole[..whole.len() / 2].to_vec(), "packed-damaged"),
        (
            "encrypted.7z",
            fs::read(packed("encrypted.7z")).unwrap(),
            "packed-foreign",
        ),
        // `printf 'hello\n' | gzip -n`
        (
            "text.gz",
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\0\x20\x30\x3a\x36\x06\0\0\0".to_vec(),
            "not-a-dump",
        ),
        // An archive without files: the record of its end alone, behind a local header that nobody lists.
        (
            "empty.zip",
            [
                &b"PK\x03\x04"[..],
                &[0; 26],
                b"PK\x05\x06",
                &[0; 12],
                &[30, 0, 0, 0],
                &[0; 2],
            ]
            .concat(),
            "packed-not-one",
        ),
    ];
    for (name, bytes, id) in cases {
        let path = input.path().join(name);
        fs::write(&path, bytes).unwrap();
        let refused = run(&path, &folder, &["hang", "--format", "json"]);
        assert_eq!(refused.status, 2, "{name}");
        let record: Value = serde_json::from_str(&refused.stdout).unwrap();
        assert_eq!(record["error"]["id"], id, "{name}: {}", refused.stdout);
        assert!(names(&folder).is_empty(), "{name}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = alpc_dump(&[
        packed("memory.zip").to_str().unwrap(),
        "hang",
        "--unpack",
        file.to_str().unwrap(),
    ]);
    assert_eq!(refused.status, 2);
    assert!(
        refused.stderr.contains("cannot be unpacked into it"),
        "{}",
        refused.stderr
    );
}

#[test]
fn triage_unpacks_what_it_meets() {
    let dumps = tempfile::tempdir().unwrap();
    for name in FORMS {
        fs::copy(packed(name), dumps.path().join(name)).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let run = run(dumps.path(), &folder, &["triage", "--format", "ndjson"]);
    let records: Vec<Value> = run.lines();
    let of_dumps: Vec<&Value> = records.iter().filter(|line| line["record"] == "triage").collect();
    assert_eq!(of_dumps.len(), FORMS.len(), "{}", run.stdout);
    for record in of_dumps {
        assert_eq!(record["error"], Value::Null, "{record}");
        assert_eq!(record["build"], 6002, "{record}");
    }
    assert_eq!(names(&folder).len(), FORMS.len());
}

#[test]
fn where_it_was_unpacked_is_not_told_when_paths_are_redacted() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(
        &packed("memory.zip"),
        &folder,
        &["hang", "--redact", "all", "--format", "json"],
    );
    let told = folder.path().file_name().unwrap().to_str().unwrap();
    assert!(
        !run.stdout.contains(told) && !run.stderr.contains(told),
        "{}{}",
        run.stdout,
        run.stderr
    );
}
