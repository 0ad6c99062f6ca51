//! Conditions of rule files on synthetic systems: each holds, fails and cannot be determined, and no hole ever makes one
//! hold.

mod support;

use std::fs;

use roxmltree::Document;
use serde_json::{Value, json};
use support::synthetic::{Sample, address};
use support::{Run, alpc_dump, fixture, root};
use synth::address::{Pfn, Va};
use synth::random::Random;
use synth::world::{Built, Message, Queue};
use synth::worlds::{self, hang};

const PASS: &str = "pass";
const FAIL: &str = "fail";
const UNDECIDED: &str = "undecided";

/// The page of data that the kernel shares with every process, where the clock is.
const SHARED_DATA: Va = Va(0xffff_f780_0000_0000);

/// The verdicts of a JSON document, in order.
fn verdicts(run: &Run) -> Vec<String> {
    let document = run.json();
    let conditions = document["result"]["conditions"].as_array();
    let conditions = conditions.unwrap_or_else(|| panic!("{}{}", run.stdout, run.stderr));
    conditions
        .iter()
        .map(|condition| condition["verdict"].as_str().unwrap().to_owned())
        .collect()
}

/// The status that verdicts ask for.
fn status(verdicts: &[String]) -> i32 {
    let has = |verdict: &str| verdicts.iter().any(|one| one == verdict);
    match (has(FAIL), has(UNDECIDED)) {
        (true, _) => 1,
        (false, true) => 3,
        (false, false) => 0,
    }
}

/// Holds a dump against one condition after the other; each is told alone as well as among the others.
fn expect(sample: &Sample, conditions: &[(&str, &str)]) {
    let rules: Vec<&str> = conditions.iter().map(|(rule, _)| *rule).collect();
    let run = sample.check(&rules.join("\n"), &["--format", "json"]);
    let got = verdicts(&run);
    for ((rule, wanted), (got, record)) in conditions.iter().zip(
        got.iter()
            .zip(run.json()["result"]["conditions"].as_array().unwrap()),
    ) {
        assert_eq!(got, wanted, "{rule}\n{record:#}");
        assert_eq!(
            record["unread"].as_array().unwrap().is_empty(),
            *wanted != UNDECIDED,
            "{record:#}"
        );
    }
    assert_eq!(run.status, status(&got), "{}", run.stdout);
}

#[test]
fn deadlocks() {
    for kernel in ["vista-sp2-x64", "win11-22h2-x64", "win7-sp1-x86"] {
        let any = "[[no-deadlock]]";
        let possible = "[[no-deadlock]]\npossible = true";
        let row = Sample::of(hang::row_to_mutant(kernel).built);
        expect(&row, &[(any, PASS), (possible, PASS)]);
        let ring = Sample::of(hang::ring_of_three(kernel).built);
        expect(&ring, &[(any, FAIL), (possible, FAIL)]);
        let pool = Sample::of(hang::exhausted_pool(kernel).built);
        expect(&pool, &[(any, PASS), (possible, FAIL)]);
        let call = Sample::of(hang::self_call(kernel).built);
        expect(&call, &[(any, FAIL)]);
    }
}

#[test]
fn a_deadlock_that_was_found_is_one_whatever_else_is_hidden() {
    let scene = hang::ring_of_three("vista-sp2-x64");
    let rules = "[[no-deadlock]]";
    let bystander = scene.at("bystander");
    expect(
        &Sample::without_pages(&scene.built, &[SHARED_DATA]),
        &[(rules, FAIL)],
    );
    // The bystander's page has other threads on it as well: the ring may be cut.
    let run = Sample::without_pages(&scene.built, &[bystander]).check(rules, &["--format", "json"]);
    assert_ne!(verdicts(&run), [PASS]);
}

#[test]
fn a_lost_thread_message_or_list_may_hide_a_deadlock() {
    let scene = hang::row_to_mutant("vista-sp2-x64");
    let process = scene.built.truth.thread(scene.at("third")).process;
    for lost in ["first", "owner", "message 1", "message 2", "mutant"] {
        let sample = Sample::without_pages(&scene.built, &[scene.at(lost)]);
        expect(&sample, &[("[[no-deadlock]]", UNDECIDED)]);
    }
    let sample = Sample::without_pages(&scene.built, &[process]);
    expect(&sample, &[("[[no-deadlock]]", UNDECIDED)]);
    let paged_out = Sample::of(hang::paged_out("vista-sp2-x64").built);
    expect(&paged_out, &[("[[no-deadlock]]", UNDECIDED)]);
}

#[test]
fn waits() {
    let scene = hang::row_to_mutant("vista-sp2-x64");
    let truth = &scene.built.truth;
    // The three waits, in seconds, by hand: ticks of 15.625 ms since each began.
    let waited = |name: &str| {
        let ticks = truth.tick_count - u64::from(truth.thread(scene.at(name)).wait_time);
        ticks * u64::from(truth.time_increment) / 10_000_000
    };
    let longest = waited("first").max(waited("second")).max(waited("third"));
    let rule = |seconds: u64, whose: &str| format!("[[wait]]\nlongest = \"{seconds}s\"\n{whose}");
    let sample = Sample::of(scene.built.clone());
    let first = waited("first");
    expect(
        &sample,
        &[
            (&rule(longest + 1, ""), PASS),
            (&rule(longest - 1, ""), FAIL),
            (&rule(first - 1, "image = \"EXPLORER.EXE\""), FAIL),
            (&rule(first + 1, "image = \"explorer.exe\""), PASS),
            (&rule(0, "image = \"services.exe\""), PASS),
            (&rule(0, "port = \"senssvc\""), FAIL),
            (&rule(0, "port = '\\RPC Control\\senssvc'"), FAIL),
            (&rule(0, "port = '\\senssvc'"), PASS),
            (&rule(0, "port = \"ntsvcs\""), PASS),
            (&rule(0, "port = \"senssvc\"\nimage = \"lsass.exe\""), PASS),
            // The third waits for a mutant, not for a reply.
            (&rule(0, "image = \"lsass.exe\""), FAIL),
        ],
    );
    let blind = Sample::without_pages(&scene.built, &[SHARED_DATA]);
    expect(
        &blind,
        &[
            (&rule(9_999_999, ""), UNDECIDED),
            (&rule(0, "image = \"services.exe\""), PASS),
        ],
    );
    let cut = Sample::without_pages(&scene.built, &[scene.at("second")]);
    expect(
        &cut,
        &[
            (&rule(9_999_999, ""), UNDECIDED),
            (&rule(9_999_999, "image = \"services.exe\""), UNDECIDED),
        ],
    );
}

#[test]
fn a_wait_that_nothing_confirms_is_no_wait_and_no_proof_of_none() {
    let sample = Sample::of(hang::paged_out("vista-sp2-x64").built);
    expect(
        &sample,
        &[
            ("[[wait]]\nlongest = \"1s\"", FAIL),
            ("[[wait]]\nlongest = \"1s\"\nimage = \"svchost.exe\"", UNDECIDED),
            ("[[wait]]\nlongest = \"999d\"\nimage = \"svchost.exe\"", PASS),
            ("[[waiting]]\nat-most = 0\nimage = \"svchost.exe\"", UNDECIDED),
            ("[[waiting]]\nat-most = 0\nimage = \"explorer.exe\"", FAIL),
        ],
    );
}

#[test]
fn threads_in_waits() {
    let scene = hang::row_to_mutant("win10-1607-x64");
    let sample = Sample::of(scene.built.clone());
    expect(
        &sample,
        &[
            ("[[waiting]]\nat-most = 3", PASS),
            ("[[waiting]]\nat-most = 2", FAIL),
            ("[[waiting]]\nat-most = 1\nport = \"lsasspirpc\"", PASS),
            ("[[waiting]]\nat-most = 0\nport = \"lsasspirpc\"", FAIL),
            ("[[waiting]]\nat-most = 0\nimage = \"explorer.exe\"", FAIL),
            ("[[waiting]]\nat-most = 0\nimage = \"csrss.exe\"", PASS),
        ],
    );
    let cut = Sample::without_pages(&scene.built, &[scene.at("owner")]);
    expect(&cut, &[("[[waiting]]\nat-most = 3", UNDECIDED)]);
}

#[test]
fn queues() {
    let scene = hang::blocked_queue("vista-sp2-x64", 2, 5);
    let port = scene.at("senssvc");
    let sample = Sample::of(scene.built.clone());
    let of = |more: &str, at_most: u32| format!("[[queue]]\nat-most = {at_most}\n{more}");
    expect(
        &sample,
        &[
            (&of("", 5), PASS),
            (&of("", 4), FAIL),
            (&of("port = \"senssvc\"", 5), PASS),
            (&of("port = \"senssvc\"\nqueue = \"main\"", 4), FAIL),
            (&of("port = \"senssvc\"\nqueue = \"pending\"", 0), PASS),
            // Vista has no queue of direct messages, so none is in one.
            (&of("queue = \"direct\"", 0), PASS),
            (&of("port = \"nope\"", 5), FAIL),
        ],
    );
    let cut = Sample::without_pages(&scene.built, &[port]);
    expect(
        &cut,
        &[
            (&of("", 5), UNDECIDED),
            (&of("port = \"senssvc\"", 5), UNDECIDED),
            (&of("port = \"nope\"", 5), UNDECIDED),
        ],
    );
}

#[test]
fn ports() {
    let world = worlds::standard("vista-sp2-x64");
    let sample = Sample::of(world.clone());
    expect(
        &sample,
        &[
            ("[[port]]\nport = \"NTSVCS\"", PASS),
            ("[[port]]\nport = '\\RPC Control\\ntsvcs'", PASS),
            ("[[port]]\nport = '\\Windows\\ntsvcs'", FAIL),
            ("[[port]]\nport = \"ntsvcs\"\nexists = false", FAIL),
            ("[[port]]\nport = \"nope\"\nexists = false", PASS),
            ("[[port]]\nport = \"ntsvcs\"\nowner = \"Services.exe\"", PASS),
            ("[[port]]\nport = \"ntsvcs\"\nowner = \"lsass.exe\"", FAIL),
            // The kernel keeps 14 characters of this name.
            (
                "[[port]]\nport = \"OrderEntry\"\nowner = \"OrderEntryClient.exe\"",
                PASS,
            ),
            (
                "[[port]]\nport = \"OrderEntry\"\nowner = \"OrderEntryClienX.exe\"",
                FAIL,
            ),
            ("[[port]]\nport = \"ApiPort\"\nconnections-at-most = 3", PASS),
            ("[[port]]\nport = \"ApiPort\"\nconnections-at-most = 2", FAIL),
        ],
    );
    // The list of ports ends at a hole: what is not found may be behind it.
    let found = |name: &str| {
        world
            .truth
            .ports
            .iter()
            .find(|port| world.truth.path(port.address).as_deref() == Some(name))
    };
    let ports = found("\\Windows\\ApiPort").unwrap().address;
    let cut = Sample::without_pages(&world, &[ports, ports + 0x1000, ports + 0x2000]);
    expect(
        &cut,
        &[
            ("[[port]]\nport = \"nope\"\nexists = false", UNDECIDED),
            ("[[port]]\nport = \"nope\"", UNDECIDED),
            (
                "[[port]]\nport = '\\Windows\\ApiPort'\nconnections-at-most = 100",
                UNDECIDED,
            ),
        ],
    );
}

#[test]
fn processes() {
    let world = worlds::standard("vista-sp2-x64");
    let sample = Sample::of(world.clone());
    let of = |image: &str, more: &str| format!("[[process]]\nimage = \"{image}\"\n{more}");
    expect(
        &sample,
        &[
            (&of("lsass.exe", ""), PASS),
            (&of("OrderEntryClient.exe", ""), PASS),
            (&of("nope.exe", ""), FAIL),
            (&of("nope.exe", "at-most = 0"), PASS),
            (&of("svchost.exe", "at-least = 2"), PASS),
            (&of("svchost.exe", "at-least = 3"), FAIL),
            (&of("svchost.exe", "at-most = 1"), FAIL),
            // It has ended, though it is still in the list.
            (&of("setup.exe", ""), FAIL),
        ],
    );
    let cut = Sample::without_pages(&world, &[world.truth.processes[5].address]);
    expect(
        &cut,
        &[
            (&of("nope.exe", ""), UNDECIDED),
            (&of("nope.exe", "at-most = 0"), UNDECIDED),
            (&of("svchost.exe", "at-least = 1\nat-most = 9"), UNDECIDED),
        ],
    );
}

#[test]
fn coverage() {
    let world = worlds::standard("vista-sp2-x64");
    let pages = |percent: f64| format!("[[coverage]]\npages-at-least = {percent:?}");
    let whole = Sample::of(world.clone());
    expect(
        &whole,
        &[(&pages(100.0), PASS), ("[[coverage]]\nreadable = true", PASS)],
    );
    let cut = Sample::without_pages(&world, &[world.truth.threads[7].address]);
    expect(
        &cut,
        &[
            // What the dump never claimed to hold is not missing of it.
            (&pages(100.0), PASS),
            ("[[coverage]]\nreadable = true", FAIL),
        ],
    );
    let length = fs::metadata(whole.dump()).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(whole.dump()).unwrap();
    file.set_len(length - 0x1000).unwrap();
    expect(&whole, &[(&pages(100.0), FAIL), (&pages(50.0), PASS)]);
}

#[test]
fn signatures() {
    let scene = hang::ring_of_three("vista-sp2-x64");
    let sample = Sample::of(scene.built.clone());
    let line = "deadlock:csrss.exe[apiport]>lsass.exe[lsasspirpc]>services.exe[ntsvcs]>csrss.exe";
    expect(
        &sample,
        &[
            (&format!("[[signature]]\nis = \"{line}\""), PASS),
            (&format!("[[signature]]\nis-not = \"{line}\""), FAIL),
            ("[[signature]]\nis = \"none\"", FAIL),
            ("[[signature]]\nmatches = \"^deadlock:\"", PASS),
            ("[[signature]]\nmatches-not = \"lsass\"", FAIL),
            ("[[signature]]\nmatches-not = \"explorer\"", PASS),
        ],
    );
    let cut = Sample::without_pages(&scene.built, &[scene.at("ntsvcs")]);
    expect(
        &cut,
        &[
            (&format!("[[signature]]\nis = \"{line}\""), UNDECIDED),
            ("[[signature]]\nmatches-not = \"explorer\"", UNDECIDED),
        ],
    );
}

/// One condition of every kind that holds on the general world, and one that does not.
const ALL: &str = r#"
[[no-deadlock]]
[[no-deadlock]]
possible = true
[[wait]]
longest = "9d"
[[wait]]
longest = "1h"
[[wait]]
longest = "9d"
image = "OrderEntryClient.exe"
[[wait]]
longest = "1h"
image = "OrderEntryClient.exe"
[[wait]]
longest = "1h"
image = "OrderEntryClienX.exe"
[[wait]]
longest = "1h"
image = "csrss.exe"
[[wait]]
longest = "1h"
port = "senssvc"
[[wait]]
longest = "1h"
port = '\RPC Control\ntsvcs'
[[waiting]]
at-most = 3
[[waiting]]
at-most = 10
[[waiting]]
at-most = 0
image = "smss.exe"
[[waiting]]
at-most = 1
port = "lsasspirpc"
[[queue]]
at-most = 10
[[queue]]
at-most = 2
[[queue]]
at-most = 10
port = "lsasspirpc"
[[queue]]
at-most = 1
port = '\RPC Control\lsasspirpc'
queue = "main"
[[queue]]
at-most = 9
port = "nope"
[[port]]
port = "ntsvcs"
[[port]]
port = '\RPC Control\ntsvcs'
exists = false
[[port]]
port = "nope"
[[port]]
port = "nope"
exists = false
[[port]]
port = '\Windows\ApiPort'
owner = "csrss.exe"
connections-at-most = 3
[[port]]
port = "ApiPort"
owner = "csrss.exe"
connections-at-most = 2
[[port]]
port = "OrderEntry"
owner = "OrderEntryClient.exe"
[[port]]
port = "OrderEntry"
owner = "csrss.exe"
[[process]]
image = "lsass.exe"
[[process]]
image = "setup.exe"
[[process]]
image = "svchost.exe"
at-least = 2
at-most = 2
[[process]]
image = "svchost.exe"
at-most = 1
[[process]]
image = "OrderEntryClienX.exe"
at-most = 0
[[signature]]
is = "none"
[[signature]]
matches-not = "^deadlock"
[[signature]]
matches = "csrss"
"#;

/// Without any one frame, each condition comes to what it comes to on the whole dump, or cannot be determined.
fn no_frame_turns_a_verdict(world: &Built) {
    let whole = verdicts(&Sample::of(world.clone()).check(ALL, &["--format", "json"]));
    assert!(whole.iter().all(|verdict| verdict != UNDECIDED), "{whole:?}");
    let frames: Vec<Pfn> = world.map().memory.frames().map(|(frame, _)| frame).collect();
    let mut undecided = 0;
    for frame in frames {
        let run = Sample::without(world, [frame]).check(ALL, &["--format", "json"]);
        if run.status == 2 {
            // The kernel itself was not found.
            continue;
        }
        let document = run.json();
        let conditions = document["result"]["conditions"].as_array().unwrap();
        for (condition, whole) in conditions.iter().zip(&whole) {
            let verdict = condition["verdict"].as_str().unwrap();
            assert!(
                verdict == UNDECIDED || verdict == whole,
                "without {frame:x?}: {whole} became {condition:#}"
            );
            undecided += usize::from(verdict == UNDECIDED);
        }
        assert_eq!(run.status, status(&verdicts(&run)));
    }
    assert!(undecided > 100, "{undecided}");
}

#[test]
fn no_random_loss_turns_a_verdict() {
    for (seed, kernel) in support::synthetic::every_kernel().into_iter().enumerate() {
        let world = worlds::standard(kernel);
        let whole = verdicts(&Sample::of(world.clone()).check(ALL, &["--format", "json"]));
        let frames: Vec<Pfn> = world.map().memory.frames().map(|(frame, _)| frame).collect();
        let mut random = Random::new(seed as u64);
        for _ in 0..3 {
            let mut draw = || usize::try_from(random.below(frames.len() as u64)).unwrap();
            let lost: Vec<Pfn> = (0..frames.len() / 12).map(|_| frames[draw()]).collect();
            let run = Sample::without(&world, lost.iter().copied()).check(ALL, &["--format", "json"]);
            if run.status == 2 {
                continue;
            }
            for (number, (got, whole)) in verdicts(&run).iter().zip(&whole).enumerate() {
                assert!(
                    got == UNDECIDED || got == whole,
                    "{kernel} without {lost:x?}: {number}: {whole} became {got}"
                );
            }
        }
    }
}

#[test]
fn no_frame_of_the_published_case_turns_a_verdict() {
    no_frame_turns_a_verdict(&worlds::vista_sp2_x64());
}

#[test]
fn no_frame_of_a_recent_world_turns_a_verdict() {
    no_frame_turns_a_verdict(&worlds::standard("win11-22h2-x64"));
}

#[test]
fn no_frame_of_a_deadlock_turns_a_verdict() {
    no_frame_turns_a_verdict(&hang::ring_of_three("win7-sp1-x64").built);
}

#[test]
fn the_text_has_a_line_for_each_condition() {
    let scene = hang::ring_of_three("vista-sp2-x64");
    let thread = address(scene.at("first"));
    let sample = Sample::of(scene.built);
    let run = sample.check(
        "[[no-deadlock]]\nname = \"nothing \\u001b[31m stuck\"\n[[port]]\nport = \"ntsvcs\"\n",
        &[],
    );
    assert_eq!(run.status, 1);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", run.stdout);
    assert!(lines[0].ends_with("rules.toml: 1 passed, 1 failed, 0 undecided"));
    let failed = format!(
        "  FAIL       nothing \\u{{1b}}[31m stuck (no deadlock): 1 ring: 3 threads of thread {thread} \
         deadlock:csrss.exe[apiport]>lsass.exe[lsasspirpc]>services.exe[ntsvcs]>csrss.exe; look at: chain {thread}"
    );
    assert_eq!(lines[1], failed);
    assert!(
        lines[2].starts_with("  PASS       port ntsvcs is there: port "),
        "{}",
        lines[2]
    );
    // The command that a line names shows the thing on the same dump.
    assert_eq!(sample.run(&["chain", &thread]).status, 0);
}

#[test]
fn junit_is_xml_with_a_case_for_each_condition() {
    let mut world = worlds::standard("vista-sp2-x64");
    let lost = world.truth.messages[0].address;
    world.memory.set_backing(lost, synth::memory::Backing::PageFile);
    let sample = Sample::of(world);
    let rules = "\
[[no-deadlock]]
name = \"<&'\\\"> \\u0000\\u0008\\u001b\\ufffe\\U0001F512\"
[[port]]
port = \"ntsvcs\"
[[process]]
image = \"nope.exe\"
";
    let run = sample.check(rules, &["--format", "junit"]);
    assert_eq!(run.status, 1);
    let document = Document::parse(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stdout));
    let suites = document.root_element();
    let counts = |node: roxmltree::Node<'_, '_>| {
        ["tests", "failures", "errors"].map(|key| node.attribute(key).unwrap().to_owned())
    };
    assert_eq!(suites.tag_name().name(), "testsuites");
    assert_eq!(counts(suites), ["3", "1", "1"]);
    let suite = suites.children().find(roxmltree::Node::is_element).unwrap();
    assert_eq!(suite.attribute("name"), sample.dump().to_str());
    assert_eq!(counts(suite), ["3", "1", "1"]);
    let cases: Vec<_> = suite.children().filter(roxmltree::Node::is_element).collect();
    let outcomes: Vec<&str> = cases
        .iter()
        .map(|case| case.first_element_child().unwrap().tag_name().name())
        .collect();
    assert_eq!(outcomes, ["error", "system-out", "failure"]);
    let name = cases[0].attribute("name").unwrap();
    assert_eq!(name, "<&'\"> \\u{0}\\u{8}\\u{1b}\\u{fffe}\u{1f512}");
    let failure = cases[2].first_element_child().unwrap();
    assert_eq!(failure.attribute("message"), Some("none found"));
    assert!(failure.text().unwrap().contains("rule: line 5"));
}

#[test]
fn junit_of_several_dumps_is_one_file() {
    let rules = root().join("examples/ci/rules.toml");
    let rules = rules.to_str().unwrap();
    let dump = fixture("vista-sp2-x64.dmp");
    let dump = dump.to_str().unwrap();
    let run = alpc_dump(&[
        dump,
        "no-such.dmp",
        "check",
        "--rules",
        rules,
        "--format",
        "junit",
    ]);
    assert_eq!(run.status, 2);
    let document = Document::parse(&run.stdout).unwrap();
    let suites: Vec<_> = document
        .root_element()
        .children()
        .filter(roxmltree::Node::is_element)
        .collect();
    assert_eq!(suites.len(), 2);
    assert_eq!(suites[1].attribute("errors"), Some("1"));
    let run = alpc_dump(&[dump, "info", "--format", "junit"]);
    assert_eq!(run.status, 2);
    assert!(
        run.stderr.contains("only check writes JUnit XML"),
        "{}",
        run.stderr
    );
}

#[test]
fn rule_files_that_cannot_be_used_are_refused() {
    let sample = Sample::of(hang::row_to_mutant("vista-sp2-x64").built);
    for (rules, wanted) in [
        ("", "there is no condition in it"),
        (
            "[[wait]]\nlongest = \"soon\"\n",
            "line 2 (longest = \"soon\"): longest: write a number",
        ),
        (
            "[[no-deadlock]]\nposible = true\n",
            "line 2 (posible = true): unknown field `posible`",
        ),
    ] {
        let run = sample.check(rules, &[]);
        assert_eq!(run.status, 2, "{rules}");
        assert_eq!(run.stdout, "");
        assert!(
            run.stderr.contains("rules.toml: ") && run.stderr.contains(wanted),
            "{}",
            run.stderr
        );
    }
    let run = sample.check("no", &["--format", "json"]);
    assert_eq!(run.json()["error"]["id"], "bad-rules");
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("binary.toml");
    fs::write(&binary, b"[[wait]]\n# \xff").unwrap();
    let large = folder.path().join("large.toml");
    fs::write(&large, vec![b'#'; (1 << 20) + 1]).unwrap();
    for (file, wanted) in [
        (folder.path().join("none.toml"), "cannot be read"),
        (folder.path().to_owned(), "cannot be read"),
        (binary, "not at byte 11"),
        (large, "at most 1 MiB"),
    ] {
        let run = sample.run(&["check", "--rules", file.to_str().unwrap()]);
        assert_eq!(run.status, 2);
        assert!(run.stderr.contains(wanted), "{}", run.stderr);
    }
    assert_eq!(sample.run(&["check"]).status, 2, "no rules at all");
}

#[test]
fn counts_go_on_behind_what_is_named() {
    let scene = hang::blocked_queue("vista-sp2-x64", 1, 40);
    let sample = Sample::of(scene.built);
    let run = sample.check("[[waiting]]\nat-most = 0", &["--format", "json"]);
    let condition: Value = run.json()["result"]["conditions"][0].clone();
    assert_eq!(condition["count"], 41, "the clients and the server");
    assert_eq!(condition["found"].as_array().unwrap().len(), 16);
    assert_eq!(condition["unread"], json!([]));
}

#[test]
fn a_queue_is_counted_by_its_kind() {
    let world = worlds::standard_with("win11-22h2-x64", |world| {
        let port = world
            .truth
            .ports
            .iter()
            .find(|port| world.truth.path(port.address).as_deref() == Some("\\RPC Control\\epmapper"));
        let port = port.unwrap().address;
        for _ in 0..3 {
            let message = world.message(Message::default());
            world.enqueue(message, Queue::Large, port);
        }
    });
    let sample = Sample::of(world);
    let of = |queue: &str, at_most: u32| {
        format!("[[queue]]\nport = \"epmapper\"\nqueue = \"{queue}\"\nat-most = {at_most}")
    };
    expect(&sample, &[(&of("large", 3), PASS), (&of("large", 2), FAIL)]);
}

#[test]
fn conditions_as_lines_and_rows() {
    let sample = Sample::of(hang::ring_of_three("vista-sp2-x64").built);
    let rules = "[[no-deadlock]]\n[[port]]\nport = \"ntsvcs\"\n";
    let run = sample.check(rules, &["--format", "ndjson"]);
    assert_eq!(run.status, 1);
    let lines = run.lines();
    let verdicts: Vec<&Value> = lines
        .iter()
        .filter(|line| line["record"] == "condition")
        .map(|line| &line["verdict"])
        .collect();
    assert_eq!(verdicts, [FAIL, PASS]);
    assert_eq!(lines.last().unwrap()["rest"]["failed"], 1);
    let run = sample.check(rules, &["--format", "csv"]);
    assert_eq!(run.status, 1);
    assert_eq!(run.stdout.lines().count(), 3, "{}", run.stdout);
}

#[test]
fn names_that_are_replaced_cannot_be_compared() {
    let sample = Sample::of(hang::ring_of_three("vista-sp2-x64").built);
    for format in ["text", "json", "ndjson", "junit", "sarif"] {
        let rules = "[[port]]\nport = \"ntsvcs\"\n";
        let run = sample.check(rules, &["--redact", "names", "--format", format]);
        assert_eq!(run.status, 2, "{format}: {}", run.stdout);
        assert!(run.stderr.contains("compares names"), "{}", run.stderr);
    }
    let run = sample.diff(&sample, &["--redact", "names"]);
    assert_eq!(run.status, 2);
}
