//! What programs read: documents, lines and rows, their schema, and where they go.

mod support;

use std::fs;
use std::process::Command;

use serde_json::Value;
use support::{Run, World, alpc_dump, fixture};

const DUMP: &str = "fixtures/vista-sp2-x64.dmp";

/// Every command that gives records or a record, with what it needs.
const COMMANDS: [&[&str]; 39] = [
    &["info"],
    &["hang"],
    &["hang", "-v"],
    &["chain", "fffffa801820f760"],
    &["waits"],
    &["graph"],
    &["message", "fffff8800f4cc950"],
    &["port", "IUserProfile2"],
    &["resource", "IUserProfile2"],
    &["global"],
    &["global", "--list"],
    &["global", "--graph"],
    &["connections", "IUserProfile2"],
    &["ports"],
    &["ports", "--orphans"],
    &["ports", "--accessible-by", "low"],
    &["token", "lsass.exe"],
    &["token", "fffff8800f4cc950"],
    &["security", "IUserProfile2"],
    &["ports", "--process", "lsass.exe"],
    &["analyze"],
    &["analyze", "--carve"],
    &["carve", "--listed"],
    &["timeline"],
    &["analyze", "--list"],
    &["threads"],
    &["threads", "--waiting"],
    &["stacks"],
    &["threads", "--stacks"],
    &["stacks", "--group"],
    &["stack", "fffffa801820f760"],
    &["thread", "fffffa801820f760"],
    &["processes"],
    &["process", "lsass.exe"],
    &["handles"],
    &["object", "\\"],
    &["modules"],
    &["dt", "_ALPC_PORT", "fffffa8017dbb060"],
    &["symbols"],
];

fn run(args: &[&str], format: &str) -> Run {
    let mut line = vec![DUMP, "--format", format];
    line.extend(args);
    alpc_dump(&line)
}

/// Whether the types still say the same is asked by `.ci/run schema`. What a change means for the version is in
/// `docs/json.md`.
#[test]
fn the_schema_is_the_one_that_is_checked_in() {
    let printed: Value = serde_json::from_str(&alpc_dump(&["schema"]).stdout).unwrap();
    assert!(
        printed == *support::schema::published(),
        "the program carries another schema than docs/alpc-dump.schema.json"
    );
    assert!(jsonschema::meta::is_valid(&printed));
}

#[test]
fn each_command_has_a_schema_of_its_own() {
    let whole = support::schema::published();
    let one: Value = serde_json::from_str(&alpc_dump(&["schema", "waits"]).stdout).unwrap();
    let definitions = one["$defs"].as_object().unwrap();
    for (name, definition) in definitions {
        assert_eq!(*definition, whole["$defs"][name], "{name}");
    }
    assert!(definitions.contains_key("document.waits") && !definitions.contains_key("document.ports"));
    let none = alpc_dump(&["schema", "wiats"]);
    assert_eq!((none.status, none.stdout.as_str()), (2, ""));
    assert!(none.stderr.contains("did you mean waits?"), "{}", none.stderr);
}

/// Also of commands that fail, of lines that are not understood, and of dumps that are none.
#[test]
fn whatever_is_written_is_what_the_schema_says() {
    let failing: &[&[&str]] = &[
        &["message", "fffffa8018201000"],
        &["message", "0x10"],
        &["message", "id:1"],
        &["message", "xyz"],
        &["port", "nowhere"],
        &["process", "svchost.exe"],
        &["thread", "tid:1"],
        &["object", "\\nowhere"],
        &["dt", "_NO_SUCH"],
        &["check", "--rules", "none.toml"],
        &["diff"],
        &["pack"],
        &["hang", "--redact", "names", "--explain"],
        &["-c", "nonsense"],
        &[
            "-c",
            "info; nonsense; message fffffa8018201000; !alpc /m; $<none.txt",
        ],
        &["-c", "processes; hang"],
        &["-c", "!alpc"],
        &["-c", ""],
    ];
    let mut count = 0;
    for args in COMMANDS.iter().chain(failing) {
        for dumps in [&[DUMP][..], &["none.dmp"], &[DUMP, "none.dmp"]] {
            for format in ["json", "ndjson"] {
                let run = alpc_dump(&[dumps, args, &["--format", format]].concat());
                let values = match format {
                    "json" if run.stdout.is_empty() => Vec::new(),
                    "json" => vec![run.json()],
                    _ => run.lines(),
                };
                values.iter().for_each(support::schema::check_as_published);
                count += values.len();
            }
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn documents_and_lines_are_what_the_schema_says() {
    for args in COMMANDS {
        let document = run(args, "json");
        let json = document.json();
        assert_eq!(json["version"], 1);
        assert_eq!(json["dump"], DUMP);
        assert_eq!(
            json["dump_size"],
            fixture("vista-sp2-x64.dmp").metadata().unwrap().len()
        );
        let stream = run(args, "ndjson");
        assert_eq!(stream.status, document.status, "{args:?}");
        let lines = stream.lines();
        let kinds: Vec<&str> = lines
            .iter()
            .map(|line| line["record"].as_str().unwrap())
            .collect();
        assert_eq!(kinds.first(), Some(&"document"), "{args:?}");
        assert_eq!(kinds.last(), Some(&"end"), "{args:?}");
        assert!(lines.iter().all(|line| line["dump"] == DUMP), "{args:?}");
        let end = lines.last().unwrap();
        assert_eq!(end["records"], kinds.len() - 2, "{args:?}");
        assert_eq!(end["status"], json["status"], "{args:?}");
    }
}

/// The lines are the elements of the document's list, in its order.
#[test]
fn lines_hold_what_documents_hold() {
    for (args, list) in [
        (&["ports"][..], "ports"),
        (&["ports", "--orphans"], "ports"),
        (&["ports", "--accessible-by", "everyone"], "ports"),
        (&["analyze", "--list"], "checks"),
        (&["carve", "--listed"], "found"),
        (&["timeline"], "events"),
        (&["processes"], "processes"),
        (&["waits"], "waits"),
        (&["modules"], "modules"),
        (&["connections", "IUserProfile2"], "connections"),
    ] {
        let document = run(args, "json").json();
        let elements = document["result"][list].as_array().unwrap();
        let lines = run(args, "ndjson").lines();
        let records = &lines[1..lines.len() - 1];
        assert_eq!(records.len(), elements.len(), "{args:?}");
        for (record, element) in records.iter().zip(elements) {
            for (key, value) in element.as_object().unwrap() {
                assert_eq!(record[key], *value, "{args:?} {key}");
            }
        }
    }
}

#[test]
fn rows_hold_what_lines_hold() {
    for args in [
        &["ports"][..],
        &["threads"],
        &["handles"],
        &["waits"],
        &["message", "id:3068"],
    ] {
        let run_csv = run(args, "csv");
        let mut reader = csv::Reader::from_reader(run_csv.stdout.as_bytes());
        let head = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let lines = run(args, "ndjson").lines();
        let records = &lines[1..lines.len() - 1];
        assert_eq!(rows.len(), records.len(), "{args:?}");
        for (row, record) in rows.iter().zip(records) {
            for (column, cell) in head.iter().zip(row).filter(|(column, _)| *column != "unreadable") {
                let value = column.split('.').fold(record, |value, key| &value[key]);
                let plain = match value {
                    Value::Null => String::new(),
                    // What could act on a terminal is written as escapes; another test looks at these.
                    Value::String(text)
                        if !text
                            .chars()
                            .all(|c| c.is_alphanumeric() || c.is_ascii_punctuation() || c == ' ') =>
                    {
                        continue;
                    }
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                assert_eq!(cell, plain, "{args:?} {column}");
            }
        }
    }
    let refused = run(&["hang"], "csv");
    assert_eq!((refused.status, refused.stdout.as_str()), (2, ""));
    for named in [
        "csv is for ",
        " message, ",
        " ports, ",
        " global --list, global --graph, ",
        ", diff",
    ] {
        assert!(refused.stderr.contains(named), "{}", refused.stderr);
    }
}

/// Names in the worlds are hostile: what a table program reads must not act on it.
#[test]
fn rows_of_hostile_names_are_plain_text() {
    let worlds: Vec<World> = World::readable().collect();
    support::say_if_none(worlds.len(), "worlds");
    for world in worlds {
        let run = world.run(&["ports", "--format", "csv", "-q"]);
        assert!(
            run.stdout.chars().all(|c| c == '\n' || !c.is_control()),
            "{}",
            world.dump.display()
        );
        for row in csv::Reader::from_reader(run.stdout.as_bytes()).records() {
            let row = row.unwrap();
            assert!(
                row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])),
                "{row:?}"
            );
        }
        world.run(&["ports", "--format", "ndjson"]).lines();
        world.run(&["handles", "--format", "ndjson"]).lines();
        world.run(&["threads", "--format", "ndjson"]).lines();
    }
}

#[test]
fn an_error_is_a_record_with_an_id() {
    for (args, id, status) in [
        (&["message", "fffffa8017dbb060"][..], "not-a-message", 1),
        (&["port", "nowhere"], "no-match", 1),
        (&["message", "0x1000000000000000"], "non-canonical", 2),
    ] {
        let document = run(args, "json");
        assert_eq!(
            (document.json()["error"]["id"].as_str(), document.status),
            (Some(id), status)
        );
        let lines = run(args, "ndjson").lines();
        let error = lines.iter().find(|line| line["record"] == "error").unwrap();
        assert_eq!(
            (error["id"].as_str(), error["dump"].as_str()),
            (Some(id), Some(DUMP))
        );
    }
    let none = alpc_dump(&["none.dmp", "ports", "--format", "ndjson"]);
    assert_eq!(none.lines()[0]["id"], "not-found");
    assert_eq!(none.status, 2);
}

#[test]
fn several_dumps_are_told_apart() {
    let twice = alpc_dump(&[DUMP, DUMP, "processes", "--format", "csv"]);
    let heads = twice.stdout.lines().filter(|line| line.starts_with("record,"));
    assert_eq!(heads.count(), 1, "one heading for all");
    let one = run(&["processes"], "csv").stdout.lines().count() - 1;
    assert_eq!(twice.stdout.lines().count(), 1 + 2 * one);
    let both = alpc_dump(&[DUMP, "none.dmp", "processes", "--format", "ndjson"]);
    assert_eq!(both.status, 2);
    let dumps: Vec<Value> = both.lines().iter().map(|line| line["dump"].clone()).collect();
    assert_eq!(
        (dumps.first().unwrap(), dumps.last().unwrap()),
        (&DUMP.into(), &"none.dmp".into())
    );
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ports.json");
    let name = file.to_str().unwrap();
    let run = alpc_dump(&[DUMP, "ports", "--format", "json", "-o", name, "--quiet"]);
    assert_eq!(
        (run.status, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
    let first = fs::read_to_string(&file).unwrap();
    let again = alpc_dump(&[DUMP, "ports", "-o", name]);
    assert_eq!((again.status, again.stdout.as_str()), (0, ""));
    assert_ne!(fs::read_to_string(&file).unwrap(), first, "it is replaced");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing else is left there"
    );
    let dump = folder.path().join("memory.dmp");
    fs::copy(fixture("vista-sp2-x64.dmp"), &dump).unwrap();
    let dump = dump.to_str().unwrap();
    let slip = alpc_dump(&[dump, "info", "-o", dump]);
    assert_eq!(slip.status, 2);
    assert!(slip.stderr.contains("it is one of the dumps"), "{}", slip.stderr);
    assert_eq!(
        fs::read(dump).unwrap(),
        fs::read(fixture("vista-sp2-x64.dmp")).unwrap()
    );
    let nowhere = alpc_dump(&[DUMP, "info", "-o", "no/such/folder/x"]);
    assert_eq!((nowhere.status, nowhere.stdout.as_str()), (2, ""));
}

#[test]
fn the_hash_is_that_of_the_file() {
    let Ok(output) = Command::new("sha256sum")
        .arg(fixture("vista-sp2-x64.dmp"))
        .output()
    else {
        eprintln!("skipped: sha256sum is not installed");
        return;
    };
    let wanted = String::from_utf8(output.stdout).unwrap()[..64].to_owned();
    let document = run(&["info", "--hash"], "json").json();
    assert_eq!(document["dump_sha256"], wanted);
    assert!(run(&["info"], "json").json()["dump_sha256"].is_null());
    assert!(alpc_dump(&[DUMP, "info", "--hash"]).stderr.contains(&wanted));
}

#[test]
fn quiet_says_nothing_but_errors() {
    assert_eq!(alpc_dump(&[DUMP, "ports", "-q"]).stderr, "");
    assert!(
        alpc_dump(&[DUMP, "port", "nowhere", "-q"])
            .stderr
            .contains("nowhere")
    );
}

#[test]
fn a_file_of_commands_runs_over_one_dump() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("commands.txt");
    fs::write(
        &file,
        "$$ what hangs\r\n!alpc /m fffff8800f4cc950\r\n* a comment\r\nwaits; q\r\nhang\r\n",
    )
    .unwrap();
    let run = alpc_dump(&[DUMP, "-c", &format!("$<{}", file.display()), "--format", "json"]);
    let documents = run.json();
    let commands: Vec<&str> = documents
        .as_array()
        .unwrap()
        .iter()
        .map(|document| document["command"].as_str().unwrap())
        .collect();
    assert_eq!(commands, ["message", "waits"]);
    let missing = alpc_dump(&[DUMP, "-c", "$<nowhere.txt; waits"]);
    assert_eq!((missing.status, missing.stdout.as_str()), (2, ""));
    assert!(missing.stderr.contains("nowhere.txt"), "{}", missing.stderr);
}
