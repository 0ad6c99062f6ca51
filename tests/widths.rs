//! Every view at the widths of terminals: no line is wider, no address is cut, and what was left out is named.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::synthetic::Sample;
use support::{Run, alpc_dump, alpc_dump_in, fixture};
use synth::worlds::{hang, rpc};
use tempfile::TempDir;

const WIDTHS: [usize; 3] = [60, 80, 120];

/// A folder with a dump under a short name: the path stands in views.
struct Place(TempDir);

impl Place {
    fn of(dump: &Path, symbols: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(dump, folder.path().join("m.dmp")).unwrap();
        fs::copy(symbols, folder.path().join("kernel.pdb")).unwrap();
        fs::write(folder.path().join("rules.toml"), "[[wait]]\nlongest = \"1s\"\n").unwrap();
        Self(folder)
    }

    fn of_sample(sample: &Sample) -> Self {
        Self::of(&sample.dump(), &sample.dump().with_file_name("kernel.pdb"))
    }

    fn run(&self, args: &[&str]) -> Run {
        // What `pack` makes replaces no file.
        let _ = fs::remove_file(self.0.path().join("out.pack"));
        let mut line = vec!["m.dmp"];
        line.extend(args);
        alpc_dump_in(self.0.path(), &line)
    }

    fn json(&self, args: &[&str]) -> Value {
        let mut line = args.to_vec();
        line.extend(["--format", "json"]);
        self.run(&line).json()["result"].clone()
    }
}

/// The dumps: the shipped one, rings and queues of hangs, calls of RPC and COM, another system with names of every kind, a
/// 32-bit one, and one with holes.
fn places() -> Vec<Place> {
    let holes = synth::worlds::standard("vista-sp2-x64");
    let frames = holes.map().frames.into_values().enumerate();
    let some = frames
        .filter(|(number, _)| number % 7 == 3)
        .map(|(_, frame)| frame);
    let holes = Sample::without(&holes, some);
    let mut places = vec![
        Place::of(&fixture("vista-sp2-x64.dmp"), &fixture("vista-sp2-x64.pdb")),
        Place::of_sample(&holes),
    ];
    for world in [
        hang::ring_of_three("vista-sp2-x64").built,
        hang::blocked_queue("vista-sp2-x64", 40, 20).built,
        hang::io("win10-2004-x64", hang::Io::Event).built,
        rpc::calls("win10-2004-2022-x64").built,
        synth::worlds::standard("win11-24h2-x64"),
        synth::worlds::standard("win7-sp1-x86"),
    ] {
        places.push(Place::of_sample(&Sample::of(world)));
    }
    places
}

/// The commands, as `--help` lists them.
fn commands() -> BTreeSet<String> {
    let help = alpc_dump(&["--help"]).stdout;
    let listed = help
        .lines()
        .skip_while(|line| !line.starts_with("Who waits for whom"));
    let listed = listed.skip(1).take_while(|line| !line.starts_with("Arguments:"));
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// The command lines for a command; without an entry here it is run as it is, and has to be something that can be.
fn lines(command: &str, place: &Place) -> Vec<Vec<String>> {
    let of = |lines: &[&[&str]]| -> Vec<Vec<String>> {
        let owned = |line: &&[&str]| {
            [command]
                .iter()
                .chain(*line)
                .map(|word| (*word).to_owned())
                .collect()
        };
        lines.iter().map(owned).collect()
    };
    let address = |value: &Value| value.as_str().unwrap_or("fffff80000000000").to_owned();
    let ports = || place.json(&["ports"])["ports"].clone();
    let port = || address(&ports()[0]["address"]);
    let wait = || place.json(&["waits"])["waits"][0].clone();
    let thread = || address(&place.json(&["threads"])["processes"][0]["threads"][0]["address"]);
    let process = || address(&place.json(&["processes"])["processes"][0]["address"]);
    let request = || {
        let blockers = place.json(&["hang"])["blockers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let irp = blockers.iter().find(|blocker| blocker["node"]["kind"] == "irp");
        irp.map_or_else(port, |irp| address(&irp["node"]["address"]))
    };
    match command {
        "irp" => of(&[&[&request()]]),
        "locks" => of(&[&[], &["--waited"]]),
        "chain" => {
            let waiter = address(&wait()["waiter"]["address"]);
            of(&[&[&waiter], &[&process(), "--candidates"], &["explorer.exe"]])
        }
        "message" => of(&[
            &[&address(&wait()["message"]["address"])],
            &["-v", &address(&wait()["message"]["address"])],
        ]),
        "port" | "resource" => of(&[&[&port()], &[&port(), "-v"]]),
        "connections" => of(&[&[&port()]]),
        "ports" => of(&[
            &[],
            &["--orphans"],
            &["--accessible-by", "everyone"],
            &["--process", &process()],
        ]),
        "token" => of(&[&[&process()], &[&thread(), "-v"]]),
        "security" => of(&[&[&port()], &[&port(), "-v"]]),
        "waits" => of(&[&[], &["--for", &port()]]),
        "thread" | "stack" => of(&[&[&thread()], &[&thread(), "-v"]]),
        "stacks" => of(&[&[], &["-v"], &["--group"]]),
        "threads" => of(&[&[], &["--waiting"], &["--stacks"]]),
        "process" => of(&[&[&process()]]),
        "object" => of(&[&["\\"], &["\\RPC Control"], &[&port(), "-v"]]),
        "dt" => of(&[&["_EPROCESS", &process()], &["_ALPC*"]]),
        "mem" => of(&[&[&port()], &[&port(), "0x40", "-v", "--as", "qwords"]]),
        "check" => of(&[&["--rules", "rules.toml"]]),
        "diff" => vec![vec!["m.dmp".to_owned(), command.to_owned()]],
        "pack" => of(&[&["-o", "out.pack"]]),
        "handles" => of(&[&[], &["-v", "--process", &process()]]),
        "analyze" => of(&[&[], &["--list"], &["--carve"]]),
        "carve" => of(&[&[], &["--listed"]]),
        "timeline" => of(&[&[], &["--carve"]]),
        // For programs where nobody looks on.
        "triage" => of(&[&["--format", "text"], &["--format", "text", "-v", "--groups"]]),
        "graph" => of(&[&[], &["-v"]]),
        // About the program: what they write is for programs, and takes no dump.
        "schema" | "completions" | "man" | "help" => Vec::new(),
        _ => of(&[&[], &["-v"]]),
    }
}

/// Columns of a line: letters of East Asia and pictures take two.
fn columns(line: &str) -> usize {
    let wide = |c: char| matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xff01..=0xff60 | 0x1f300..=0x1faff);
    line.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

/// Whether a line has no place to break: a single word, or what is to be typed as it stands.
fn is_one_piece(line: &str) -> bool {
    let line = line.trim();
    !line.contains(' ') || line.starts_with("alpc-dump ") || line.starts_with("kd> ")
}

/// Kernel addresses of 64 bits that are cut: those in the text with fewer digits.
fn cut_addresses(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| word.starts_with("fffff") && word.chars().all(|c| c.is_ascii_hexdigit()))
        .filter(|word| word.len() != 16)
        .collect()
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let commands = commands();
    assert!(commands.len() > 30, "{commands:?}");
    let mut wrapped = 0;
    for (number, place) in places().iter().enumerate() {
        // The last but one and the last are other systems: 32-bit addresses have eight digits.
        let is_wide = number != 7;
        for line in commands.iter().flat_map(|command| lines(command, place)) {
            let plain = place.run(&line.iter().map(String::as_str).collect::<Vec<_>>());
            for width in WIDTHS {
                let said = width.to_string();
                let mut line: Vec<&str> = line.iter().map(String::as_str).collect();
                line.extend(["--width", &said]);
                let run = place.run(&line);
                let usage = run.stderr.contains("Usage:") || run.stderr.contains("no command");
                assert!(!usage, "tell how to run {}: {}", line[0], run.stderr);
                assert_eq!(run.status, plain.status, "{line:?}: {}", run.stderr);
                for shown in run.stdout.lines() {
                    let fits = columns(shown) <= width || is_one_piece(shown);
                    assert!(
                        fits,
                        "{line:?} in world {number}: {} columns:\n{shown}",
                        columns(shown)
                    );
                }
                if is_wide && line[0] != "dt" {
                    assert_eq!(
                        cut_addresses(&run.stdout),
                        cut_addresses(&plain.stdout),
                        "{line:?}"
                    );
                }
                wrapped += usize::from(run.stdout != plain.stdout);
            }
        }
    }
    assert!(wrapped > 100, "{wrapped} views are any different");
}

/// A column that has no room is named, and nothing else is gone.
#[test]
fn columns_that_are_left_out_are_named() {
    let place = Place::of(&fixture("vista-sp2-x64.dmp"), &fixture("vista-sp2-x64.pdb"));
    let heads = [
        "WAITER", "THREAD", "MESSAGE", "PORT", "CALL", "SERVER", "WAITED", "STATE",
    ];
    for width in ["60", "80", "120", "200"] {
        let shown = place.run(&["waits", "--width", width]).stdout;
        let head = shown.lines().find(|line| line.starts_with("WAITER")).unwrap();
        let legend = shown.lines().find(|line| line.starts_with("no room for "));
        for name in heads {
            let is_shown = head.split_whitespace().any(|word| word == name);
            let is_named = legend.is_some_and(|legend| legend.contains(name));
            assert!(is_shown != is_named, "{name} at {width}:\n{shown}");
        }
        assert_eq!(legend.is_some(), matches!(width, "60" | "80"), "{shown}");
    }
}

/// The words of the debugger's time stay as they were.
#[test]
fn the_classic_style_is_what_it_was() {
    let place = Place::of(&fixture("vista-sp2-x64.dmp"), &fixture("vista-sp2-x64.pdb"));
    let expected = fs::read_to_string(support::root().join("tests/expected/vista-sp2-x64.hang.txt")).unwrap();
    assert_eq!(place.run(&["hang", "-v", "--style", "classic"]).stdout, expected);
}

/// Without a terminal lines are as long as they come, whatever the environment says.
#[test]
fn a_pipe_gets_whole_lines() {
    let place = Place::of(&fixture("vista-sp2-x64.dmp"), &fixture("vista-sp2-x64.pdb"));
    let waits = place.run(&["waits"]).stdout;
    assert!(waits.lines().any(|line| line.len() > 120));
    assert!(!waits.contains("no room for"));
    let refused = place.run(&["waits", "--width", "5"]);
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("20..=10000"), "{}", refused.stderr);
}

/// The answer of `hang` is a screen of 24 lines of 80 columns, whatever hangs, and says what it leaves out.
#[test]
fn hang_answers_in_a_screen() {
    for place in places() {
        let document = place.run(&["hang", "--format", "json"]);
        let answer = place.run(&["hang"]);
        assert_eq!(answer.status, document.status);
        let document = document.json();
        let text = answer.stdout;
        assert!(
            text.lines().count() <= 24,
            "{} lines:\n{text}",
            text.lines().count()
        );
        for line in text.lines() {
            assert!(columns(line) <= 80 || is_one_piece(line), "{line}");
        }
        let result = &document["result"];
        let blockers = result["blockers"].as_array().unwrap().len();
        let numbered =
            (1..=blockers).filter(|number| text.lines().any(|line| line.starts_with(&format!("{number}. "))));
        let shown = numbered.count();
        let rings = result["deadlocks"].as_array().unwrap().len()
            + result["possible_deadlocks"].as_array().unwrap().len();
        if shown < blockers {
            let said = format!("and {} more that threads wait for: -v", blockers - shown);
            assert!(text.contains(&said) || rings > 0, "{said}\n{text}");
        }
        let unread = result["unread"].as_array().unwrap().len();
        assert_eq!(
            unread > 0,
            text.contains("? not read: ") || text.contains("could not be read"),
            "{text}"
        );
        let whole = place.run(&["hang", "-v"]).stdout;
        let first = text.lines().next().unwrap();
        assert!(whole.starts_with(first));
        if whole.lines().count() > 24 {
            let last: Vec<&str> = whole.lines().rev().take(8).collect();
            assert!(last.contains(&first), "the verdict again at the end:\n{whole}");
        }
    }
}
