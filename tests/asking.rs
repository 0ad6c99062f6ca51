//! The ways in which people ask, and that each is understood: the command before the dump, a dump alone, ids and names as
//! views print them, and the question the other way round.

mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use support::synthetic::{Sample, address};
use support::{alpc_dump, alpc_dump_in, fixture, root};
use synth::worlds::{hang, rpc};

const DUMP: &str = "fixtures/vista-sp2-x64.dmp";

#[test]
fn the_command_may_come_before_the_dump() {
    for (verb_first, dump_first) in [
        (vec!["hang", DUMP], vec![DUMP, "hang"]),
        (
            vec!["message", DUMP, "fffff8800f4cc950", "-v"],
            vec![DUMP, "message", "fffff8800f4cc950", "-v"],
        ),
        (vec!["chain", "tid:25c", DUMP], vec![DUMP, "chain", "tid:25c"]),
        (
            vec!["ports", "--format", "json", DUMP],
            vec![DUMP, "ports", "--format", "json"],
        ),
        (vec!["-q", "triage", "fixtures"], vec!["-q", "fixtures", "triage"]),
    ] {
        let (one, other) = (alpc_dump(&verb_first), alpc_dump(&dump_first));
        assert_eq!(one.status, other.status, "{verb_first:?}: {}", one.stderr);
        let strip = |text: &str| -> Vec<String> {
            // The document has the command line in it.
            let lines = text
                .lines()
                .filter(|line| !line.contains("command_line") && !line.contains("\"hang\""));
            lines.map(str::to_owned).collect()
        };
        if !verb_first.contains(&"json") && !verb_first.contains(&"triage") {
            assert_eq!(strip(&one.stdout), strip(&other.stdout), "{verb_first:?}");
        }
        assert!(!one.stdout.is_empty());
    }
    let run = alpc_dump(&["hang", "nothing.dmp"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("nothing.dmp: No such file"), "{}", run.stderr);
    // A file that is called like a command.
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("vista-sp2-x64.dmp"), folder.path().join("hang")).unwrap();
    let run = alpc_dump_in(folder.path(), &["./hang", "message", "fffff8800f4cc950"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
}

/// `thread` and `stack` of an image are all its threads; a number without its prefix is no image.
#[test]
fn an_image_stands_for_its_threads() {
    for (asked, meant) in [
        (vec!["thread", "explorer.exe"], vec!["threads", "explorer.exe"]),
        (
            vec!["stack", "lsass.exe"],
            vec!["threads", "lsass.exe", "--stacks"],
        ),
    ] {
        let one = alpc_dump(&[&[DUMP], asked.as_slice()].concat());
        let other = alpc_dump(&[&[DUMP], meant.as_slice()].concat());
        assert_eq!(
            (one.status, &one.stdout),
            (other.status, &other.stdout),
            "{asked:?}"
        );
        assert!(one.stdout.contains("THREAD "), "{}", one.stdout);
    }
    for (asked, meant) in [
        (["process", "0n828"], "pid:0x33c"),
        (["thread", "25c"], "tid:0x25c"),
        (["thread", "0n604"], "tid:0x25c"),
        (["chain", "25c"], "tid:0x25c"),
        (["chain", "0n604"], "tid:0x25c"),
        (["waits", "--for=33c"], "pid:0x33c"),
        (["handles", "828"], "pid:0x33c"),
    ] {
        let run = alpc_dump(&[DUMP, asked[0], asked[1]]);
        assert_ne!(run.status, 0);
        assert!(
            run.stderr.contains(&format!("did you mean {meant}?")),
            "{}",
            run.stderr
        );
    }
}

/// One screen: what it is, the verdict, whom most wait for, and commands that work as they stand.
#[test]
fn a_dump_alone_gets_the_answer() {
    let run = alpc_dump(&[DUMP]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stdout.lines().count() <= 24, "{}", run.stdout);
    for said in [
        "Windows Server 2008 SP2",
        "MANUALLY_INITIATED_CRASH",
        "10 threads wait for another thread or process",
        "blocked:explorer.exe>lsass.exe[lsasspirpc]:not-received",
        "Most wait behind: 6 requests are queued at lsasspirpc of lsass.exe 023c; 3 of its 4 threads are idle and do not take them",
    ] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
    }
    assert_eq!(run.stdout, alpc_dump(&[DUMP, "summary"]).stdout);
    let (_, next) = run.stdout.split_once("Ask next:\n").unwrap();
    let mut asked = 0;
    for line in next.lines() {
        let command = line.trim().split("  ").next().unwrap();
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let run = alpc_dump(&words);
        assert_eq!(run.status, 0, "{command}: {}", run.stderr);
        asked += 1;
    }
    assert!(asked >= 3, "{next}");
    let json = alpc_dump(&["--format", "json", DUMP]).json();
    assert_eq!(json["result"]["stuck"], 10);
    // A ring is a finding, also here.
    let ring = Sample::of(hang::ring_of_three("win10-2004-x64").built);
    let run = ring.run(&["summary"]);
    assert_eq!(run.status, 1, "{}", run.stdout);
    assert!(
        run.stdout.contains("a deadlock: 3 threads wait for each other"),
        "{}",
        run.stdout
    );
    let folder = alpc_dump(&["fixtures"]);
    assert_eq!(folder.status, 2);
    assert!(folder.stderr.contains("fixtures triage"), "{}", folder.stderr);
    let nothing = alpc_dump(&["hagn"]);
    assert!(
        nothing.stderr.contains("did you mean hang?"),
        "{}",
        nothing.stderr
    );
}

/// Whatever stands in a line of `hang` can be given back.
#[test]
fn what_is_printed_can_be_pasted() {
    let thread = "fffffa801820f760";
    let expected = alpc_dump(&[DUMP, "-q", "chain", thread]).stdout;
    for token in [
        "023c.025c",
        "(023c.025c)",
        "tid:25c",
        "tid:025c",
        "tid:0x25c",
        "tid:604",
        "tid:0n604",
        "[fffffa801820f760],",
        "fffffa801820f760h",
        "fffffa80`1820f760",
    ] {
        assert_eq!(
            alpc_dump(&[DUMP, "-q", "chain", token]).stdout,
            expected,
            "{token}"
        );
    }
    let process = alpc_dump(&[DUMP, "-q", "process", "pid:23c"]).stdout;
    assert!(process.contains("lsass.exe"), "{process}");
    assert_eq!(alpc_dump(&[DUMP, "-q", "process", "023c.025c"]).stdout, process);
    let message = alpc_dump(&[DUMP, "-q", "message", "id:bfc"]).stdout;
    assert_eq!(
        alpc_dump(&[DUMP, "-q", "message", "fffff8800f4cc950"]).stdout,
        message
    );
    assert_eq!(alpc_dump(&[DUMP, "-q", "message", "id:3068"]).stdout, message);
}

/// The threads behind something are those whose own chains lead to it.
#[test]
fn who_waits_for_something_is_who_has_it_in_its_chain() {
    let run = |args: &[&str]| -> Value {
        let mut line = vec![DUMP, "--format", "json"];
        line.extend(args);
        alpc_dump(&line).json()["result"].clone()
    };
    let all = run(&["waits"]);
    for target in ["fffffa801820f760", "lsass.exe", "lsasspirpc", "pid:23c"] {
        let behind = run(&["waits", "--for", target]);
        let waiters = behind["waiters"].as_array().unwrap();
        let found: BTreeSet<&str> = waiters
            .iter()
            .map(|waiter| waiter["steps"][0]["node"]["address"].as_str().unwrap())
            .collect();
        assert_eq!(found.len(), waiters.len(), "each once");
        let mut expected = BTreeSet::new();
        for wait in all["waits"].as_array().unwrap() {
            let thread = wait["waiter"]["address"].as_str().unwrap();
            let chain = run(&["chain", thread]);
            let steps = chain["chains"][0]["steps"].as_array().unwrap();
            let leads = steps.iter().skip(1).any(|step| {
                let node = &step["node"];
                match target {
                    "lsasspirpc" => node["port"]["name"] == "lsasspirpc" || node["name"] == "lsasspirpc",
                    "fffffa801820f760" => node["address"] == target,
                    _ => node["process"]["image"] == "lsass.exe" || node["owner"]["image"] == "lsass.exe",
                }
            });
            if leads {
                expected.insert(thread.to_owned());
            }
        }
        let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
        assert_eq!(found, expected, "{target}");
        assert!(!found.is_empty());
    }
    // As a tree: who waits for a waiter stands below it.
    let calls = rpc::calls("win11-22h2-x64");
    let end = address(calls.at("com-sta end"));
    let sample = Sample::of(calls.built);
    let behind = sample.run(&["--format", "json", "waits", "--for", &end]).json()["result"].clone();
    let depths: Vec<u64> = behind["waiters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|waiter| waiter["depth"].as_u64().unwrap())
        .collect();
    assert_eq!(depths, [0, 1, 2, 3]);
    let none = alpc_dump(&[DUMP, "-q", "waits", "--for", "csrss.exe"]);
    assert!(none.stdout.contains("no thread waits for it"), "{}", none.stdout);
    let wrong = alpc_dump(&[DUMP, "waits", "--for", "lsas.exe"]);
    assert_eq!(wrong.status, 1);
    assert!(wrong.stderr.contains("lsass.exe"), "{}", wrong.stderr);
}

#[test]
fn a_chain_begins_at_an_image_or_a_port() {
    let of_port = alpc_dump(&[DUMP, "-q", "chain", "lsasspirpc"]).stdout;
    assert_eq!(of_port.matches("\n0. ").count() + 1, 7, "{of_port}");
    assert_eq!(
        alpc_dump(&[DUMP, "-q", "chain", "fffffa801820d2c0"]).stdout,
        of_port
    );
    let of_image = alpc_dump(&[DUMP, "-q", "chain", "explorer.exe"]).stdout;
    assert!(of_image.contains("explorer.exe 08dc.08e0"), "{of_image}");
    assert!(root().join(DUMP).exists());
}

/// Every section of a report is what its command says, and the page asks nobody for anything.
/// Who gets a report can tell whether he has the same dump.
#[test]
fn a_report_names_the_file_that_it_is_of() {
    let dump = fixture("vista-sp2-x64.dmp");
    let path = dump.to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // `sha256sum fixtures/vista-sp2-x64.dmp`
    let hash = "d33ccb692ecd225c45d35a5c2c4b5dfbd8713eb1389b2d5258f5b526afd6a0e6";
    let size = "688128 bytes";
    let plain = alpc_dump(&[path, "report"]).stdout;
    assert!(plain.contains(size) && !plain.contains(hash), "{plain}");
    for ending in ["md", "html", "json"] {
        let file = folder.path().join(format!("r.{ending}"));
        alpc_dump(&[path, "report", "--hash", "-o", file.to_str().unwrap()]);
        let report = std::fs::read_to_string(file).unwrap();
        assert!(report.contains(hash), "{ending}");
        assert!(report.contains("688128"), "{ending}");
    }
}

#[test]
fn a_report_is_what_the_commands_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let run = alpc_dump(&[DUMP, "-q", "report", "-o", &path("r.html")]);
    // The fixture holds no code, so that its stacks end early: that is told.
    assert!(run.status == 3 && run.stdout.is_empty(), "{}", run.stderr);
    let page = std::fs::read_to_string(path("r.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(page.contains("default-src 'none'"));
    for never in ["<script", "http://", "https://", "src=", "url("] {
        assert!(!page.contains(never), "{never}");
    }
    let json = alpc_dump(&[DUMP, "-q", "report", "-o", &path("r.json")]);
    assert_eq!(json.status, run.status);
    let document: Value = serde_json::from_slice(&std::fs::read(path("r.json")).unwrap()).unwrap();
    let markdown = alpc_dump(&[DUMP, "-q", "report"]).stdout;
    let sections = document["result"]["sections"].as_array().unwrap();
    assert!(sections.len() >= 8, "{}", sections.len());
    for section in sections {
        let command = section["command"].as_str().unwrap();
        let mut words = vec![DUMP, "-q"];
        words.extend(command.split(' '));
        // Whoever reads a page cannot ask on: what is one screen of a terminal stands there in full.
        let in_full: Vec<&str> = words
            .iter()
            .copied()
            .chain((command == "hang").then_some("-v"))
            .collect();
        let text = alpc_dump(&in_full).stdout;
        assert!(markdown.contains(text.trim_matches('\n')), "{command}: {text}");
        words.extend(["--format", "json"]);
        assert_eq!(section["result"], alpc_dump(&words).json()["result"], "{command}");
    }
    // Names out of a dump mean nothing to the page.
    let hostile = Sample::of(hang::hostile("vista-sp2-x64").built);
    hostile.run(&["-q", "report", "-o", &path("h.html")]);
    let page = std::fs::read_to_string(path("h.html")).unwrap();
    assert_eq!(page.matches("<pre>").count(), page.matches("</pre>").count());
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    // The ending names the format; where a command has none of that name it says so and writes nothing.
    let graph = alpc_dump(&[DUMP, "-q", "graph", "-o", &path("g.html")]);
    assert_eq!(graph.status, 0);
    assert!(
        std::fs::read_to_string(path("g.html"))
            .unwrap()
            .starts_with("<!doctype html>")
    );
    let refused = alpc_dump(&[DUMP, "-q", "hang", "-o", &path("x.html")]);
    assert_eq!(refused.status, 2);
    assert!(!folder.path().join("x.html").exists());
    let text = alpc_dump(&[DUMP, "-q", "hang", "--format", "text", "-o", &path("x.html")]);
    assert_eq!(text.status, 0, "what was asked for is done: {}", text.stderr);
}
