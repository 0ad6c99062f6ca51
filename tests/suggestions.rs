//! A name that nothing has is told with the names that are near: what a user may have meant.

mod support;

use serde_json::{Value, json};
use support::synthetic::Sample;
use support::{Run, alpc_dump};
use synth::worlds;

const DUMP: &str = "fixtures/vista-sp2-x64.dmp";

fn ask(args: &[&str]) -> Run {
    alpc_dump(&[&[DUMP], args].concat())
}

/// What the error says, without the line about symbols.
fn said(run: &Run) -> &str {
    let mut lines = run.stderr.lines();
    lines.find(|line| !line.contains("symbols: ")).unwrap_or_default()
}

#[test]
fn every_command_that_takes_a_name_tells_what_is_near() {
    for (args, wanted) in [
        (
            &["process", "lsas.exe"][..],
            "no process matches lsas.exe; did you mean lsass.exe (pid:0x23c)",
        ),
        (&["process", "lsass"], "did you mean lsass.exe (pid:0x23c)?"),
        (
            &["process", "svchots.exe"],
            "did you mean svchost.exe (2 of them)",
        ),
        (
            &["chain", "exploer.exe"],
            "did you mean explorer.exe (pid:0x8dc)?",
        ),
        (&["ports", "--process", "lsas.exe"], "did you mean lsass.exe"),
        (&["handles", "--process", "lsas.exe"], "did you mean lsass.exe"),
        (&["graph", "--process", "lsas.exe"], "did you mean lsass.exe"),
        (
            &["port", "lsaspirpc"],
            "no port matches lsaspirpc; did you mean lsasspirpc (fffffa801820d2c0)?",
        ),
        (
            &["connections", "ntscvs"],
            "did you mean ntsvcs (fffffa801820a090)?",
        ),
        (&["resource", "ntscvs"], "did you mean ntsvcs (fffffa801820a090)?"),
        (
            &["port", "\\RPC Contrl\\ntsvcs"],
            "did you mean \\RPC Control\\ntsvcs (fffffa801820a090)?",
        ),
        (
            &["object", "\\RPC Control\\ntsvc"],
            "did you mean \\RPC Control\\ntsvcs (fffffa801820a090)?",
        ),
        (&["object", "\\RPC Contrl"], "did you mean \\RPC Control ("),
        (&["object", "lsas.exe"], "did you mean lsass.exe (pid:0x23c)?"),
        (
            &["handles", "--type", "ALPC Prot"],
            "no type of objects matches ALPC Prot; did you mean ALPC Port?",
        ),
        (&["dt", "_ALPC_PROT"], "; did you mean _ALPC_PORT?"),
        (&["dt", "nt!alpc_prot"], "; did you mean _ALPC_PORT?"),
        (&["-c", "!alpc /p lsaspirpc"], "did you mean lsasspirpc"),
    ] {
        let run = ask(args);
        assert!(said(&run).contains(wanted), "{args:?}: {}", run.stderr);
        assert_eq!((run.status, &*run.stdout), (1, ""), "{args:?}");
    }
}

#[test]
fn what_is_not_near_is_not_told() {
    for args in [
        &["process", "zebra.exe"][..],
        &["port", "zebra"],
        &["object", "\\RPC Control\\zebra"],
        &["handles", "--type", "Zebra"],
        &["dt", "_ZEBRA"],
        &["process", "pid:0x23d"],
    ] {
        let run = ask(args);
        assert!(!run.stderr.contains("did you mean"), "{args:?}: {}", run.stderr);
        let document = ask(&[args, &["--format", "json"]].concat()).json();
        assert!(document["error"].get("suggestions").is_none(), "{document:#}");
    }
}

/// A type that is there, and of which there is no handle, is no mistake.
#[test]
fn a_type_without_handles_is_an_empty_list() {
    let types = ask(&["object", "\\ObjectTypes", "--format", "json"]).json();
    let types = types["result"]["contents"]["objects"].as_array().unwrap().clone();
    assert!(!types.is_empty());
    for name in types.iter().map(|one| one["name"].as_str().unwrap()) {
        let run = ask(&["handles", "--type", name]);
        assert_eq!(run.status, 0, "{name}: {}", run.stderr);
    }
    assert_eq!(ask(&["handles", "--type", "alpc port"]).status, 0);
}

#[test]
fn errors_for_programs_have_the_names_as_a_list() {
    let mut document = ask(&["process", "lsas.exe", "--format", "json"]).json();
    let lsass = ask(&["process", "lsass.exe", "--format", "json"]).json();
    let address = &lsass["result"]["address"];
    let wanted = json!([{ "name": "lsass.exe", "count": 1, "address": address, "process_id": 572 }]);
    assert_eq!(document["error"]["id"], "no-match");
    assert_eq!(document["error"]["suggestions"].take(), wanted);
    let lines = ask(&["connections", "ntscvs", "--format", "ndjson"]).lines();
    let error = lines.iter().find(|line| line["record"] == "error").unwrap();
    assert_eq!(error["suggestions"][0]["name"], "ntsvcs");
    assert_eq!(error["suggestions"][0]["process_id"], Value::Null);
    let document = ask(&["process", "svchots.exe", "--format", "json"]).json();
    let several = &document["error"]["suggestions"][0];
    assert_eq!(
        (&several["count"], &several["address"]),
        (&json!(2), &Value::Null)
    );
}

/// Names out of a dump may hold anything.
#[test]
fn names_are_escaped_in_text_and_whole_in_json() {
    let sample = Sample::standard("win10-2004-x64");
    let run = sample.run(&["port", "right\u{202e}tfl"]);
    assert!(
        run.stderr.contains("did you mean right\\u{202e}tfel ("),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains('\u{202e}'), "{}", run.stderr);
    let document = sample
        .run(&["port", "right\u{202e}tfl", "--format", "json"])
        .json();
    assert_eq!(document["error"]["suggestions"][0]["name"], "right\u{202e}tfel");
}

/// With a hole where names are, what is near is told beside what could not be searched.
#[test]
fn a_hole_does_not_hide_what_is_near() {
    let world = worlds::with_holes("win10-2004-x64");
    let sample = Sample::of(world);
    let run = sample.run(&["process", "lsas.exe"]);
    assert!(run.stderr.contains("did you mean lsass.exe"), "{}", run.stderr);
}

/// The work has a bound, whatever the word: compared letter by letter with every name it would not end.
#[test]
fn a_long_word_is_answered() {
    let word = "x".repeat(20_000);
    let run = ask(&["port", &word]);
    assert_eq!(run.status, 1);
    assert!(!run.stderr.contains("did you mean"));
}
