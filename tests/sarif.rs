//! `check --format sarif`, held against what the standard (OASIS, SARIF 2.1.0, section 3) requires and what GitHub's "SARIF
//! support for code scanning" does.

mod support;

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use support::synthetic::Sample;
use support::{Run, alpc_dump, alpc_dump_in, fixture, root};
use synth::worlds::{self, hang};

/// The only run of a file, with the members in it that must be there.
fn sarif(text: &str) -> Value {
    let mut log: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(log["version"], "2.1.0", "3.13.2");
    let schema = log["$schema"].as_str().unwrap();
    assert!(schema.ends_with("/sarif-schema-2.1.0.json"), "3.13.3");
    let runs = log["runs"].as_array_mut().unwrap();
    assert_eq!(runs.len(), 1);
    let run = runs.remove(0);
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "alpc-dump");
    assert_eq!(driver["version"], env!("CARGO_PKG_VERSION"));
    assert!(
        run["invocations"][0]["executionSuccessful"].is_boolean(),
        "3.20.14"
    );
    let rules = driver["rules"].as_array().unwrap();
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rules.len(), "3.19.23: no two have one id");
    for rule in rules {
        for text in ["shortDescription", "fullDescription", "help"] {
            assert!(
                rule[text]["text"].as_str().is_some_and(|text| text.len() > 10),
                "{rule}"
            );
        }
    }
    for result in run["results"].as_array().unwrap() {
        check_result(&run, result);
    }
    run
}

fn check_result(run: &Value, result: &Value) {
    let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    let rule = &run["tool"]["driver"]["rules"][rule];
    assert_eq!(rule["id"], result["ruleId"], "3.27.6");
    assert!(["warning", "error"].contains(&result["level"].as_str().unwrap()));
    assert!(result["message"]["text"].is_string(), "3.27.11");
    let place = &result["locations"][0]["physicalLocation"];
    let artifact = &place["artifactLocation"];
    let index = usize::try_from(artifact["index"].as_u64().unwrap()).unwrap();
    assert_eq!(run["artifacts"][index]["location"], *artifact, "3.4.5");
    assert_eq!(place["region"]["startLine"], 1, "GitHub shows nothing without");
    let hash = result["partialFingerprints"]["primaryLocationLineHash"].as_str();
    assert!(hash.unwrap().len() > 16, "GitHub knows findings by it");
}

fn results(run: &Value) -> &[Value] {
    run["results"].as_array().unwrap()
}

fn column<'r>(run: &'r Value, key: &str) -> Vec<&'r str> {
    results(run)
        .iter()
        .map(|result| result[key].as_str().unwrap())
        .collect()
}

const FIXTURE: &str = "fixtures/vista-sp2-x64.dmp";

/// Holds the fixture against rules, and itself against what is in no rules.
fn checked(rules: &str, args: &[&str]) -> (Run, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.toml");
    fs::write(&file, rules).unwrap();
    let check = ["check", "--rules", file.to_str().unwrap()];
    (alpc_dump(&[&[FIXTURE], &check[..], args].concat()), folder)
}

#[test]
fn what_fails_is_an_error_and_what_is_undecided_a_warning() {
    let mut world = worlds::standard("vista-sp2-x64");
    let lost = world.truth.messages[0].address;
    world.memory.set_backing(lost, synth::memory::Backing::PageFile);
    let sample = Sample::of(world);
    let rules = "\
[[no-deadlock]]
name = \"nobody is stuck\"
[[port]]
port = \"ntsvcs\"
[[process]]
image = \"nope.exe\"
";
    let run = sample.check(rules, &["--format", "sarif"]);
    assert_eq!(run.status, 1);
    let file = sarif(&run.stdout);
    assert_eq!(column(&file, "ruleId"), ["no-deadlock", "process"]);
    assert_eq!(column(&file, "level"), ["warning", "error"]);
    let text = sample.check(rules, &[]);
    let lines = text.stdout.lines().filter(|line| !line.contains(" PASS "));
    for (result, line) in results(&file).iter().zip(lines.skip(1)) {
        let said = result["message"]["text"].as_str().unwrap();
        assert!(line.ends_with(said), "{said}\n{line}");
    }
    let undecided = &results(&file)[0];
    let said = undecided["message"]["text"].as_str().unwrap();
    assert!(said.contains("; not read: message "), "it says why: {said}");
    assert_eq!(
        undecided["properties"],
        json!({
            "verdict": "undecided", "name": "nobody is stuck", "condition": "no deadlock", "count": 0, "look_at": "hang",
        })
    );
    let missing = &results(&file)[1];
    assert_eq!(
        missing["relatedLocations"][0]["physicalLocation"]["region"]["startLine"],
        5
    );
    assert_eq!(missing["properties"]["look_at"], "processes");
}

#[test]
fn every_kind_of_condition_is_a_rule() {
    let rules = "\
[[wait]]
longest = \"1m\"
[[waiting]]
at-most = 0
[[queue]]
port = \"no such port\"
at-most = 0
[[port]]
port = \"no such port\"
[[process]]
image = \"nope.exe\"
[[signature]]
is = \"none\"
[[stack]]
function = \"nt!\"
[[coverage]]
pages-at-least = 100
readable = true
";
    let (run, _folder) = checked(rules, &["--format", "sarif"]);
    let mut found: BTreeSet<String> = column(&sarif(&run.stdout), "ruleId")
        .into_iter()
        .map(str::to_owned)
        .collect();
    let ring = Sample::of(hang::ring_of_three("vista-sp2-x64").built);
    let run = ring.check(
        "[[no-deadlock]]\n[[coverage]]\nreadable = true",
        &["--format", "sarif"],
    );
    let ring = sarif(&run.stdout);
    found.extend(column(&ring, "ruleId").into_iter().map(str::to_owned));
    // Those of docs/checks.md that can fail on these dumps: all but what is said of a dump that is whole.
    for kind in [
        "no-deadlock",
        "wait",
        "waiting",
        "queue",
        "port",
        "process",
        "signature",
        "stack",
    ] {
        assert!(found.contains(kind), "{kind}: {found:?}");
    }
    let rules = ring["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["id"] == "coverage"));
}

#[test]
fn what_holds_leaves_no_result_but_the_dump() {
    let rules = root().join("examples/ci/rules.toml");
    let rules = rules.to_str().unwrap();
    let run = alpc_dump(&[FIXTURE, "check", "--rules", rules, "--format", "sarif", "--hash"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let file = sarif(&run.stdout);
    assert_eq!(file["results"], json!([]));
    assert_eq!(file["invocations"][0]["executionSuccessful"], true);
    let artifact = &file["artifacts"][0];
    assert_eq!(
        artifact["location"]["uri"], FIXTURE,
        "as it lies in the repository"
    );
    assert_eq!(
        artifact["length"],
        fs::metadata(fixture("vista-sp2-x64.dmp")).unwrap().len()
    );
    assert_eq!(artifact["hashes"]["sha-256"].as_str().unwrap().len(), 64);
}

#[test]
fn several_dumps_are_one_file_and_one_that_cannot_be_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("vista-sp2-x64.dmp"), folder.path().join("a b.dmp")).unwrap();
    fs::write(
        folder.path().join("rules.toml"),
        "[[wait]]\nlongest = \"1d\"\n[[wait]]\nlongest = \"1d\"\n",
    )
    .unwrap();
    let symbols = fixture("");
    let line = [
        "a b.dmp",
        "no-such.dmp",
        "check",
        "--rules",
        "rules.toml",
        "-y",
        symbols.to_str().unwrap(),
    ];
    let run = alpc_dump_in(folder.path(), &[&line[..], &["--format", "sarif"]].concat());
    assert_eq!(run.status, 2);
    let file = sarif(&run.stdout);
    assert_eq!(column(&file, "ruleId"), ["wait", "wait", "not-checked"]);
    assert_eq!(column(&file, "level"), ["error", "error", "error"]);
    let uri = |result: &Value| result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].clone();
    assert_eq!(uri(&results(&file)[0]), "a%20b.dmp");
    assert_eq!(uri(&results(&file)[2]), "no-such.dmp");
    assert_eq!(file["artifacts"].as_array().unwrap().len(), 2);
    let hashes: BTreeSet<&str> = results(&file)
        .iter()
        .map(|result| {
            result["partialFingerprints"]["primaryLocationLineHash"]
                .as_str()
                .unwrap()
        })
        .collect();
    assert_eq!(hashes.len(), 3, "the same condition twice is two findings");
    let invocation = &file["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let notification = &invocation["toolExecutionNotifications"][0];
    assert_eq!(notification["level"], "error");
    let json = alpc_dump_in(folder.path(), &[&line[..], &["--format", "json"]].concat()).json();
    assert_eq!(notification["descriptor"]["id"], json[1]["error"]["id"]);
    assert_eq!(notification["message"]["text"], json[1]["error"]["text"]);
    assert!(run.stderr.contains("no-such.dmp"), "{}", run.stderr);
}

#[test]
fn the_ending_of_a_file_asks_for_it() {
    let (run, folder) = checked("[[wait]]\nlongest = \"1d\"\n", &["--format", "sarif"]);
    let path = folder.path().join("found.SARIF");
    let (written, _other) = checked("[[wait]]\nlongest = \"1d\"\n", &["-o", path.to_str().unwrap()]);
    assert_eq!((run.status, written.status), (1, 1));
    assert_eq!(written.stdout, "");
    let file = fs::read_to_string(&path).unwrap();
    assert_eq!(
        sarif(&file)["results"][0]["message"],
        sarif(&run.stdout)["results"][0]["message"]
    );
}

#[test]
fn paths_are_replaced_in_what_is_redacted() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("zebra.toml");
    fs::write(&rules, "[[wait]]\nlongest = \"1d\"\n").unwrap();
    let dump = folder.path().join("zebra.dmp");
    fs::copy(fixture("vista-sp2-x64.dmp"), &dump).unwrap();
    let line = [
        dump.to_str().unwrap(),
        "check",
        "--rules",
        rules.to_str().unwrap(),
    ];
    let run = alpc_dump(&[&line[..], &["--format", "sarif", "--redact", "paths"]].concat());
    assert_eq!(run.status, 2, "names cannot be compared with placeholders");
    let file = sarif(&run.stdout);
    assert_eq!(results(&file)[0]["properties"]["error"], "redact-not-here");
    assert_eq!(file["artifacts"][0]["location"]["uri"], "dump");
    assert!(!run.stdout.contains("zebra"), "{}", run.stdout);
}

#[test]
fn names_of_a_rule_file_do_nothing_to_a_viewer() {
    let rules = "[[wait]]\nname = \"[x](https://example.org) {0} \\u001b\"\nlongest = \"1d\"\n";
    let (run, _folder) = checked(rules, &["--format", "sarif"]);
    let file = sarif(&run.stdout);
    let said = results(&file)[0]["message"]["text"].as_str().unwrap();
    assert!(
        said.starts_with("[x] (https://example.org) {{0}} \\u{{1b}} (no wait"),
        "{said}"
    );
}

#[test]
fn only_check_writes_it() {
    for line in [&["info"][..], &["triage"]] {
        let run = alpc_dump(&[&[FIXTURE], line, &["--format", "sarif"]].concat());
        assert_eq!(run.status, 2);
        assert!(run.stderr.contains("only check writes SARIF"), "{}", run.stderr);
    }
}
