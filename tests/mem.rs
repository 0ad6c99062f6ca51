//! `mem`: memory as it is, and where in the file it is.

mod support;

use std::fs;

use serde_json::Value;
use support::synthetic::{Sample, address};
use support::{alpc_dump, fixture};

const DUMP: &str = "fixtures/vista-sp2-x64.dmp";

fn pieces(record: &Value) -> &[Value] {
    record["result"]["pieces"].as_array().unwrap()
}

fn size(piece: &Value) -> u64 {
    piece["size"].as_u64().unwrap()
}

fn at(hex: &Value) -> u64 {
    u64::from_str_radix(hex.as_str().unwrap(), 16).unwrap()
}

/// The published transcript says of this message: SequenceNumber 0x0004D4D4. It is at +0x28.
#[test]
fn bytes_stand_as_the_debugger_shows_them() {
    let run = alpc_dump(&[DUMP, "mem", "fffff8800f4cc970", "0x10", "--as", "dwords"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let words: Vec<&str> = run.stdout.split_whitespace().collect();
    assert_eq!((words[0], words[3]), ("fffff8800f4cc970", "0004d4d4"));
    let bytes = alpc_dump(&[DUMP, "mem", "fffff880`0f4cc978", "4"]);
    assert_eq!(
        bytes.stdout.split_once("  ").unwrap().1.trim_end(),
        format!("{:<47}  ....", "d4 d4 04 00")
    );
    for (line, ours) in [
        ("db fffff8800f4cc950", vec!["mem", "fffff8800f4cc950"]),
        (
            "dq fffff880`0f4cc950 L4",
            vec!["mem", "fffff8800f4cc950", "32", "--as", "qwords"],
        ),
        (
            "dd fffff8800f4cc950 l11",
            vec!["mem", "fffff8800f4cc950", "0x44", "--as", "dwords"],
        ),
        (
            "dw fffff8800f4cc950 L3",
            vec!["mem", "fffff8800f4cc950", "6", "--as", "words"],
        ),
    ] {
        let theirs = alpc_dump(&[DUMP, "-c", line]);
        let ours = alpc_dump(&[&[DUMP][..], &ours].concat());
        assert_eq!((theirs.status, &theirs.stdout), (0, &ours.stdout), "{line}");
    }
}

/// The bytes that are shown are those that the file has where it is said to have them.
#[test]
fn every_byte_is_the_files() {
    let samples = ["vista-sp2-x86", "win11-22h2-x64"].map(Sample::standard);
    let mut cases = vec![(fixture("vista-sp2-x64.dmp"), "fffff8800f4cc001".to_owned())];
    for sample in &samples {
        cases.push((sample.dump(), address(sample.world.truth.ports[0].address)));
    }
    for (dump, from) in cases {
        let dump = dump.to_str().unwrap();
        let run = alpc_dump(&[dump, "--format", "json", "mem", &from, "0x5000"]);
        let record = run.json();
        let file = fs::read(dump).unwrap();
        let mut next = at(&record["result"]["address"]);
        let mut read = 0;
        for piece in pieces(&record) {
            assert_eq!(at(&piece["address"]), next, "{piece}");
            next += size(piece);
            let Some(bytes) = piece["bytes"].as_str() else {
                assert!(piece["file"].is_null(), "{piece}");
                assert!(piece["unreadable"]["bytes"]["text"].is_string(), "{piece}");
                continue;
            };
            let from = usize::try_from(at(&piece["file"])).unwrap();
            let expected: String = file[from..from + usize::try_from(size(piece)).unwrap()]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(bytes, expected);
            read += size(piece);
        }
        assert_eq!(next, at(&record["result"]["address"]) + 0x5000);
        assert!(read > 0, "{dump}");
    }
}

#[test]
fn what_is_not_there_is_said_with_its_reason() {
    let whole = Sample::standard("win10-2004-x64");
    let port = whole.world.truth.ports[0].address;
    let sample = Sample::without_pages(&whole.world, &[port]);
    let named = address(port);
    let run = sample.run(&["mem", &named, "0x20"]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert!(run.stdout.contains("?? ??"), "{}", run.stdout);
    assert!(run.stdout.contains("? 0x20 bytes at "), "{}", run.stdout);
    let record = sample.run(&["mem", &named, "0x20", "--format", "json"]).json();
    assert_eq!(record["status"], "partial");
    assert!(pieces(&record)[0]["physical"].is_string(), "{record}");
    for (args, said) in [
        (&["mem", "fffff8800f4cc950", "0"][..], "at least one"),
        (&["mem", "fffff8800f4cc950", "0x10001"], "at most 0x10000"),
        (&["mem", "ntsvcs"], "is not an address"),
        (&["mem", "fffffffffffffff0", "0x20"], "past the last address"),
        (&["mem", "fffff8800f4cc950", "--redact", "names"], "--redact"),
    ] {
        let run = sample.run(args);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{args:?}");
        assert!(run.stderr.contains(said), "{args:?}: {}", run.stderr);
    }
}

/// A triage dump has pieces that begin anywhere: none of their bytes is skipped with a hole before it.
#[test]
fn pieces_of_a_triage_dump_are_all_shown() {
    let whole = Sample::standard("win10-2004-x64");
    let truth = &whole.world.truth;
    let (thread, port) = (truth.threads[0].address, truth.ports[0].address);
    let (first, second) = (port + 0x10, port + 0x40);
    let dump = whole
        .world
        .triage_dump(thread, thread, thread, &[(first, 0x10), (second, 0x20)]);
    fs::write(whole.dump(), dump).unwrap();
    let record = whole
        .run(&["mem", &address(first), "0x60", "--format", "json"])
        .json();
    let shape: Vec<(u64, bool)> = pieces(&record)
        .iter()
        .map(|piece| (size(piece), piece["bytes"].is_string()))
        .collect();
    assert_eq!(
        shape[..3],
        [(0x10, true), (0x20, false), (0x20, true)],
        "{record}"
    );
}
