//! `--redact`: nothing of what a world was told appears in any report, and all reports on one dump agree.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::synthetic::{Sample, lines_and_messages};
use support::{Run, alpc_dump, alpc_dump_in, fixture};
use synth::world::{Built, PortKind};
use synth::worlds;
use synth::worlds::hang::Io;

const ALL: &[&str] = &["--redact", "names,paths,ids"];

/// The same with a key that is no dump's: an id becomes one that another thing really has in one world of some, and
/// which worlds these are must not follow from all that is in them.
const KEYED: &[&str] = &["--redact", "names,paths,ids", "--redact-key", "LICENSE-MIT"];

/// What stays readable, as docs/redact.md has it, in lower case.
fn stays(name: &str) -> bool {
    let documented = fs::read_to_string(support::root().join("docs/redact.md")).unwrap();
    let name = name.to_lowercase();
    let listed = documented
        .split('`')
        .skip(1)
        .step_by(2)
        .any(|word| word.to_lowercase() == name);
    listed
        || name
            .strip_prefix("harddiskvolume")
            .is_some_and(|n| n.parse::<u32>().is_ok())
}

/// A driver that waits are told to end at.
const DRIVER: &str = "SecretFilter";

/// Names of things that are words of the views as well.
const WORDS: [&str; 1] = ["Waitable"];

/// Every name that the world was told: of images, of objects, of threads and of modules, and the folders of paths.
fn names(world: &Built) -> BTreeSet<String> {
    let truth = &world.truth;
    let mut names: Vec<String> = Vec::new();
    let mut path = |path: &str| names.extend(path.split('\\').map(str::to_owned));
    truth.processes.iter().for_each(|process| path(process.path));
    truth.modules.iter().for_each(|module| path(&module.path));
    names.extend(
        truth
            .processes
            .iter()
            .map(|process| process.image.chars().take(14).collect()),
    );
    names.push(DRIVER.to_owned());
    names.extend(truth.threads.iter().map(|thread| thread.name.to_owned()));
    names.extend(truth.modules.iter().map(|module| module.name.clone()));
    names.extend(
        truth
            .objects
            .values()
            .filter_map(|object| Some(object.name.as_ref()?.1.to_string())),
    );
    let types: BTreeSet<&str> = truth.object_types.iter().map(|found| found.name).collect();
    names
        .into_iter()
        // A word of less is one of any view; those of types are in the views of all objects.
        .filter(|name| {
            name.chars().count() > 3
                && !types.contains(name.as_str())
                && !stays(name)
                && !WORDS.contains(&name.as_str())
        })
        .collect()
}

/// Every command over the world's things.
fn commands(world: &Built) -> Vec<String> {
    let truth = &world.truth;
    let mut lines: Vec<String> = [
        "info",
        "symbols",
        "processes",
        "processes -v",
        "threads",
        "stacks",
        "threads --stacks",
        "stacks --group",
        "threads --waiting",
        "modules",
        "handles",
        "ports",
        "ports --orphans",
        "ports --accessible-by everyone",
        "global",
        "global -v",
        "global --graph",
        "global --list",
        "analyze",
        "analyze --carve",
        "carve --listed",
        "timeline --carve",
        "hang",
        "waits",
        "graph",
        "object \\",
    ]
    .map(str::to_owned)
    .into();
    for process in truth.processes.iter().take(6) {
        lines.push(format!("process {}", process.address));
        lines.push(format!("ports --process {}", process.address));
        lines.push(format!("chain {}", process.address));
    }
    for thread in truth.threads.iter().step_by(4) {
        lines.push(format!("thread {}", thread.address));
        lines.push(format!("chain {} --candidates", thread.address));
    }
    for port in truth
        .ports
        .iter()
        .filter(|port| port.kind != PortKind::None)
        .take(12)
    {
        lines.push(format!("port {} -v", port.address));
        lines.push(format!("object {}", port.address));
        lines.push(format!("resource {} -v", port.address));
        if port.kind == PortKind::Connection {
            lines.push(format!("connections {}", port.address));
        }
    }
    lines.extend(
        truth
            .messages
            .iter()
            .map(|message| format!("message {} -v", message.address)),
    );
    lines.extend(
        truth
            .directories
            .keys()
            .map(|directory| format!("object {directory}")),
    );
    lines
}

fn run(sample: &Sample, options: &[&str], line: &str) -> Run {
    let mut args: Vec<&str> = options.to_vec();
    args.extend(line.split(' '));
    sample.run(&args)
}

/// All that a run wrote.
fn written(run: &Run) -> String {
    format!("{}{}", run.stdout, run.stderr)
}

#[track_caller]
fn assert_without(text: &str, secrets: &BTreeSet<String>, what: &str) {
    for secret in secrets {
        if let Some(at) = text.find(secret.as_str()) {
            let from = text[..at]
                .char_indices()
                .rev()
                .take(80)
                .last()
                .map_or(0, |(at, _)| at);
            let to = text.len().min(at + 100);
            let to = (to..=text.len()).find(|&to| text.is_char_boundary(to)).unwrap();
            panic!("{what}: \"{secret}\" is in: {}", &text[from..to]);
        }
    }
}

/// Names, paths of the machine, and what ids look like in text.
fn secrets(sample: &Sample) -> BTreeSet<String> {
    let truth = &sample.world.truth;
    let mut secrets = names(&sample.world);
    let folder = sample.dump().parent().unwrap().to_string_lossy().into_owned();
    secrets.extend([folder, "memory.dmp".to_owned(), "kernel.pdb".to_owned()]);
    secrets.extend(
        truth
            .threads
            .iter()
            .map(|thread| format!("{:04x}.{:04x}", thread.pid, thread.tid)),
    );
    secrets.extend(
        truth
            .messages
            .iter()
            .filter(|message| message.id > 0x100)
            .map(|message| format!("0x{0:04X} ({0})", message.id)),
    );
    secrets
}

fn worlds() -> Vec<Sample> {
    ["win10-2004-x64", "vista-sp2-x86"]
        .into_iter()
        .map(Sample::standard)
        .chain([
            Sample::of(worlds::with_holes("win11-24h2-x64")),
            Sample::of(worlds::hang::ring_of_three("win7-sp1-x64").built),
            Sample::of(
                worlds::hang::io_at("win10-1607-x64", Io::Event, &format!("\\Driver\\{DRIVER}")).built,
            ),
        ])
        .collect()
}

#[test]
fn nothing_sensitive_is_in_any_report() {
    for sample in worlds() {
        let secrets = secrets(&sample);
        assert!(secrets.len() > 20, "{secrets:?}");
        let lines: Vec<String> = commands(&sample.world)
            .iter()
            .map(|line| sample.spelled(line))
            .collect();
        let mut seen = BTreeSet::new();
        for format in ["text", "json", "ndjson", "csv"] {
            let options = [KEYED, &["--format", format]].concat();
            let all = run_lines(&sample, &options, &lines);
            assert_without(&all, &secrets, format);
            seen.extend(placeholders(&all));
        }
        for format in ["dot", "mermaid", "html", "svg"] {
            let run = run(&sample, &[KEYED, &["--format", format]].concat(), "graph");
            assert_without(&written(&run), &secrets, format);
            assert!(placeholders(&run.stdout).is_subset(&seen), "{format}");
            if format == "html" {
                let views = support::page::views(&run.stdout);
                let views: String = views.into_iter().filter_map(|(_, view)| view).collect();
                assert!(views.contains("THREAD ") && views.contains("Port @ "), "{views}");
                assert_without(&views, &secrets, "views");
                assert!(!placeholders(&views).is_empty());
            }
        }
        let report = run(&sample, &[KEYED, &["--format", "html"]].concat(), "report");
        assert!(report.stdout.contains("<figure>"));
        assert_without(&written(&report), &secrets, "report");
        // The same names unredacted: the test would see them.
        let plain = run_lines(&sample, &[], &lines);
        let found = secrets
            .iter()
            .filter(|secret| plain.contains(secret.as_str()))
            .count();
        assert!(
            found * 2 > secrets.len(),
            "only {found} of {} are ever shown",
            secrets.len()
        );
    }
}

/// What several command lines write, over one opened dump; the options of `-v` count for all.
fn run_lines(sample: &Sample, options: &[&str], lines: &[String]) -> String {
    let lines = lines.join("; ");
    let args: Vec<&str> = options.iter().copied().chain(["-c", &lines]).collect();
    written(&sample.run(&args))
}

/// The placeholders in a text.
fn placeholders(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter(|word| word.starts_with("name-") && word.len() == 15)
        .map(str::to_owned)
        .collect()
}

/// Text and JSON of the same command have the same placeholders, runs after each other too; another dump has
/// others, unless a key is given.
#[test]
fn placeholders_agree() {
    let sample = Sample::standard("win10-2004-x64");
    for line in ["ports", "processes", "hang", "handles", "modules"] {
        let text = placeholders(&run(&sample, ALL, line).stdout);
        let json = placeholders(&run(&sample, &[ALL, &["--format", "json"]].concat(), line).stdout);
        assert!(!text.is_empty(), "{line}");
        assert!(text.is_subset(&json), "{line}");
        assert_eq!(text, placeholders(&run(&sample, ALL, line).stdout), "{line}");
    }
    let other = Sample::of(worlds::with_holes("win10-2004-x64"));
    let ports = |sample: &Sample, options: &[&str]| placeholders(&run(sample, options, "ports").stdout);
    assert!(ports(&sample, ALL).is_disjoint(&ports(&other, ALL)));
    let key = sample.dump().with_file_name("key");
    fs::write(&key, [7; 32]).unwrap();
    let keyed = [ALL, &["--redact-key", key.to_str().unwrap()]].concat();
    assert!(!ports(&sample, &keyed).is_disjoint(&ports(&other, &keyed)));
    fs::write(&key, "short").unwrap();
    let refused = run(&sample, &keyed, "ports");
    assert_eq!(refused.status, 2);
    assert!(
        refused.stderr.contains("key: is too short for a key"),
        "{}",
        refused.stderr
    );
}

/// Members that hold ids, and what of.
const IDS: [(&str, &str); 12] = [
    ("process_id", "client"),
    ("parent_process_id", "client"),
    ("owner_process_id", "client"),
    ("client_process_id", "client"),
    ("server_process_id", "client"),
    ("thread_id", "client"),
    ("client_thread_id", "client"),
    ("message_id", "message"),
    ("callback_id", "callback"),
    ("next_message_id", "message"),
    ("next_callback_id", "callback"),
    ("unique_process_id", "client"),
];

/// Compares two records leaf by leaf: ids and names are mapped one to one, everything else is equal.
#[derive(Default)]
struct Mapped {
    ids: BTreeMap<(&'static str, u64), u64>,
    names: BTreeMap<String, String>,
}

impl Mapped {
    fn compare(&mut self, key: &str, plain: &Value, redacted: &Value) {
        match (plain, redacted) {
            (Value::Object(plain), Value::Object(redacted)) => {
                for (key, value) in plain
                    .iter()
                    .filter(|(key, _)| !["payload", "unreadable"].contains(&key.as_str()))
                {
                    self.compare(key, value, &redacted[key]);
                }
            }
            (Value::Array(plain), Value::Array(redacted)) => {
                assert_eq!(plain.len(), redacted.len(), "{key}");
                for (plain, redacted) in plain.iter().zip(redacted) {
                    self.compare(key, plain, redacted);
                }
            }
            (Value::Number(plain), Value::Number(redacted)) => {
                let (plain, redacted) = (plain.as_u64(), redacted.as_u64());
                match (IDS.iter().find(|(name, _)| *name == key), plain.zip(redacted)) {
                    (Some(&(_, kind)), Some((plain, redacted))) => {
                        let known = self.ids.insert((kind, plain), redacted);
                        assert!(known.is_none_or(|known| known == redacted), "{key} {plain}");
                    }
                    _ => assert_eq!(plain, redacted, "{key}"),
                }
            }
            (Value::String(plain), Value::String(redacted)) => {
                if plain != redacted {
                    // Signatures, and what they group by, are made of names.
                    if key != "signature" && key != "path" && key != "image_path" {
                        let known = self.names.insert(plain.to_uppercase(), redacted.clone());
                        assert!(known.is_none_or(|known| known == *redacted), "{key} {plain}");
                    }
                }
            }
            _ => assert_eq!(plain, redacted, "{key}"),
        }
    }
}

#[test]
fn ids_and_names_are_mapped_one_to_one_and_nothing_else_changes() {
    let sample = Sample::standard("win10-2004-x64");
    let truth = &sample.world.truth;
    let mut mapped = Mapped::default();
    let views = ["processes", "threads", "modules", "ports", "waits", "global"];
    let mut lines = lines_and_messages(&views, &sample.world);
    lines.extend(
        truth
            .ports
            .iter()
            .take(20)
            .map(|port| format!("port {}", port.address)),
    );
    for line in &lines {
        let plain = run(&sample, &["--format", "json"], line);
        let redacted = run(&sample, &[ALL, &["--format", "json"]].concat(), line);
        assert_eq!(plain.status, redacted.status, "{line}");
        mapped.compare("", &plain.json()["result"], &redacted.json()["result"]);
    }
    let mut seen = BTreeSet::new();
    for ((kind, plain), redacted) in &mapped.ids {
        assert!(seen.insert((kind, redacted)), "two {kind}s are {redacted}");
        assert_eq!(plain == redacted, [0, 4].contains(plain), "{kind} {plain}");
    }
    assert!(mapped.ids.len() > 60, "{}", mapped.ids.len());
    let others: BTreeSet<&String> = mapped.names.values().collect();
    assert!(
        mapped.names.len() > 20 && others.len() + 5 > mapped.names.len(),
        "{:?}",
        mapped.names
    );
}

/// A single class leaves the others as they are.
#[test]
fn classes_are_apart() {
    let sample = Sample::standard("win10-2004-x64");
    let plain = run(&sample, &[], "ports").stdout;
    let names = run(&sample, &["--redact", "names"], "ports").stdout;
    let paths = run(&sample, &["--redact", "paths"], "ports").stdout;
    let ids = run(&sample, &["--redact", "ids"], "ports").stdout;
    assert_eq!(ids, plain, "the list of ports has no ids");
    assert!(names.contains("\\Sessions\\") && names.contains("name-"));
    assert!(paths.contains("name-"));
    let images = sample
        .world
        .truth
        .processes
        .iter()
        .map(|process| &process.image[..process.image.len().min(14)]);
    let image = images
        .into_iter()
        .find(|image| !stays(image) && plain.contains(image))
        .unwrap();
    assert!(paths.contains(image) && !names.contains(image));
    let threads = |options: &[&str]| run(&sample, options, "threads").stdout;
    assert_ne!(threads(&["--redact", "ids"]), threads(&[]));
    let info = run(&sample, &["--redact", "names,ids"], "info");
    assert!(info.stdout.contains(&*sample.dump().to_string_lossy()));
}

/// What a user types comes back in messages.
#[test]
fn what_a_thing_was_named_by_is_not_echoed() {
    let sample = Sample::standard("win10-2004-x64");
    let secret = BTreeSet::from(["ZebraSecret".to_owned(), "54321".to_owned(), "d431".to_owned()]);
    for args in [
        &["port", "ZebraSecret"][..],
        &["port", "name:ZebraSecret"],
        &["port", "\\ZebraSecret\\Port of ZebraSecret"],
        &["connections", "ZebraSecret"],
        &["resource", "ZebraSecret"],
        &["process", "ZebraSecret.exe"],
        &["process", "pid:54321"],
        &["thread", "tid:54321"],
        &["thread", "ZebraSecret"],
        &["message", "id:54321"],
        &["message", "id:ZebraSecret"],
        &["message", "ZebraSecret"],
        &["object", "\\ZebraSecret"],
        &["chain", "ZebraSecret"],
        &["ports", "--process", "ZebraSecret"],
        &["handles", "--process", "pid:54321"],
        &["graph", "--process", "ZebraSecret"],
        &["-c", "!alpc /p ZebraSecret"],
        &["-c", "!zebra ZebraSecret; !object \"\\ZebraSecret x\""],
        &["--format", "ZebraSecret", "info"],
        &["info", "--ZebraSecret"],
        &["-y", "/nowhere/ZebraSecret/symbols", "symbols"],
        &["-y", "srv*/nowhere/ZebraSecret*https://server/symbols", "symbols"],
        &["/nowhere/ZebraSecret.dmp", "info"],
        &["info", "-o", "/nowhere/ZebraSecret.txt"],
        &["info", "--redact-key", "/nowhere/ZebraSecret.key"],
    ] {
        for format in ["text", "json", "ndjson"] {
            let run = sample.run(
                &[
                    ALL,
                    args,
                    &["--format", format][..if args.contains(&"--format") { 0 } else { 2 }],
                ]
                .concat(),
            );
            assert_without(&written(&run), &secret, &args.join(" "));
        }
    }
    // The candidates of what several things are called.
    let images: Vec<&str> = sample
        .world
        .truth
        .processes
        .iter()
        .map(|process| process.image)
        .collect();
    let twice = images
        .iter()
        .find(|image| images.iter().filter(|other| other == image).count() > 1);
    let run = sample.run(&[ALL, &["process", twice.unwrap()]].concat());
    assert_eq!(run.status, 1);
    assert_without(&written(&run), &secrets(&sample), "candidates");
    assert!(run.stderr.contains("give the address of one"), "{}", run.stderr);
}

/// Names that are near a mistyped one come from the dump: they stand there as they do in every other report, and only
/// where their class is not asked for as they are.
#[test]
fn names_that_may_have_been_meant_are_placeholders() {
    let sample = Sample::standard("win10-2004-x64");
    let truth = &sample.world.truth;
    let secrets = secrets(&sample);
    let all = run_lines(&sample, ALL, &commands(&sample.world));
    let known = placeholders(&all);
    // The last letter but one is left out.
    let mistyped = |name: &str| {
        let mut letters: Vec<char> = name.chars().collect();
        letters.remove(letters.len().saturating_sub(2));
        letters.into_iter().collect::<String>()
    };
    let images = truth.processes.iter().map(|process| process.image);
    let images = images.filter(|image| image.is_ascii() && image.len() > 6 && !stays(image));
    let ports = truth.objects.iter().filter_map(|(address, object)| {
        let is_port = truth.ports.iter().any(|port| port.address == *address);
        let name = object.name.as_ref()?.1.to_string();
        (is_port && name.len() > 6 && name.chars().all(|c| c.is_ascii_alphanumeric())).then_some(name)
    });
    let mut told = 0;
    let cases = images
        .flat_map(|image| {
            ["process", "chain", "object", "ports --process"].map(|command| (command, image.to_owned()))
        })
        .chain(
            ports.flat_map(|port| ["port", "connections", "object"].map(|command| (command, port.clone()))),
        );
    for (command, name) in cases {
        let mistyped = mistyped(&name);
        let line: Vec<&str> = command.split(' ').chain([&*mistyped]).collect();
        let plain = sample.run(&line);
        if !plain.stderr.contains("did you mean") {
            continue;
        }
        told += 1;
        for format in ["text", "json", "ndjson"] {
            let run = sample.run(&[ALL, &line, &["--format", format]].concat());
            assert!(run.stderr.contains("did you mean"), "{line:?}: {}", run.stderr);
            assert_without(&written(&run), &secrets, &line.join(" "));
            let typed = BTreeSet::from([mistyped.clone()]);
            assert_without(&written(&run), &typed, &line.join(" "));
            let suggested = run.stderr.split("did you mean").nth(1).unwrap();
            assert!(
                placeholders(suggested).is_subset(&known),
                "{line:?}: {}",
                run.stderr
            );
            assert!(!suggested.contains("pid:"), "{line:?}: {}", run.stderr);
        }
        // What is not asked to be hidden stays.
        let ids = sample.run(&[&["--redact", "ids"], &line[..]].concat());
        assert!(ids.stderr.contains(&*name), "{line:?}: {}", ids.stderr);
    }
    assert!(told > 20, "{told}");
}

/// A thing is found by its real name, and by its real id.
#[test]
fn things_are_found_by_what_they_are_called() {
    let sample = Sample::standard("win10-2004-x64");
    let truth = &sample.world.truth;
    let process = truth.processes.iter().find(|process| process.pid > 4).unwrap();
    let run = sample.run(
        &[
            ALL,
            &["process", &format!("pid:{}", process.pid), "--format", "json"],
        ]
        .concat(),
    );
    assert_eq!(run.json()["result"]["address"], process.address.to_string());
    assert_ne!(run.json()["result"]["process_id"], process.pid);
    let message = truth
        .messages
        .iter()
        .find(|message| message.id > 0x10 && message.id < 0x8000_0000)
        .unwrap();
    let run = sample.run(
        &[
            ALL,
            &["message", &format!("id:{}", message.id), "--format", "json"],
        ]
        .concat(),
    );
    assert_eq!(run.json()["result"]["address"], message.address.to_string());
}

#[test]
fn memory_as_it_is_is_refused() {
    let sample = Sample::standard("win10-2004-x64");
    let message = sample.world.truth.messages[0].address.to_string();
    for line in [
        format!("message {message} --explain"),
        format!("dt _KALPC_MESSAGE {message}"),
    ] {
        let run = run(&sample, ALL, &line);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{line}");
        assert!(run.stderr.contains("--redact"), "{}", run.stderr);
    }
    assert_eq!(run(&sample, ALL, "dt _KALPC_MESSAGE").status, 0);
    // A message's data is kept back, which is no hole in the dump.
    let with_data = run(
        &sample,
        &[ALL, &["--format", "json"]].concat(),
        &format!("message {message}"),
    );
    let details = &with_data.json()["result"]["details"];
    assert_eq!((details["payload"].is_null(), with_data.status), (true, 0));
    assert_eq!(details["unreadable"]["payload"]["id"], "withheld");
}

/// Real dumps of Windows, which stand beside the repository.
#[test]
fn real_triage_dumps_tell_nothing() {
    let Some(path) = support::shared("samples/triage_x64.dmp") else {
        return;
    };
    let path = path.to_str().unwrap();
    let plain = alpc_dump(&[path, "modules", "--format", "json"]).json();
    let modules = plain["result"]["modules"].as_array().unwrap();
    let secrets: BTreeSet<String> = modules
        .iter()
        .filter_map(|module| module["name"].as_str())
        .filter(|name| !stays(name))
        .map(str::to_owned)
        .chain([Path::new(path)
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned()])
        .collect();
    assert!(secrets.len() > 100);
    for command in ["info", "modules", "thread ffffc08bde9e1640"] {
        for format in ["text", "json", "ndjson", "csv"] {
            let args: Vec<&str> = [path]
                .into_iter()
                .chain(command.split(' '))
                .chain(["--format", format])
                .collect();
            assert_without(&written(&alpc_dump(&[&args, ALL].concat())), &secrets, command);
        }
    }
}

/// The worlds of another generator, by the names that it was told.
#[test]
fn the_worlds_of_another_generator() {
    for world in support::World::readable() {
        let list = |key: &str| world.truth[key].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let processes = list("processes")
            .into_iter()
            .filter_map(|process| text(&process["name"]));
        let ports = list("ports").into_iter().filter_map(|port| text(&port["name"]));
        let secrets: BTreeSet<String> = processes
            .map(|name| name.chars().take(14).collect())
            .chain(ports)
            .filter(|name: &String| name.chars().count() > 5 && !stays(name))
            .collect();
        assert!(!secrets.is_empty(), "{}", world.dump.display());
        for command in ["ports", "processes", "hang", "threads", "handles", "graph"] {
            for format in ["text", "json", "ndjson"] {
                let run = world.run(&[ALL, &["--format", format, command]].concat());
                assert_without(&written(&run), &secrets, command);
            }
        }
    }
}

/// What somebody typed, in whatever way a command line takes it, is nobody else's to read: neither in results nor in
/// what is said about mistakes. The options are those that the help has, so that a new one is among them.
#[test]
fn nothing_that_was_typed_is_told() {
    const SECRET: &str = "ZebraSecret";
    let sample = Sample::standard("win10-2004-x64");
    let secret = BTreeSet::from([SECRET.to_owned(), SECRET.to_lowercase()]);
    let folder = sample.dump().parent().unwrap().to_string_lossy().into_owned();
    let value = format!("{folder}/{SECRET}/x");
    let options = |help: &str| -> BTreeSet<(String, Option<char>)> {
        let lines = help
            .lines()
            .map(str::trim_start)
            .filter(|line| line.starts_with('-'));
        lines
            .filter_map(|line| {
                let (_, rest) = line.split_once("--")?;
                let (name, behind) = rest.split_once([' ', '=']).unwrap_or((rest, ""));
                let short = line
                    .strip_prefix('-')
                    .and_then(|line| line.chars().next())
                    .filter(|c| *c != '-');
                behind.starts_with('<').then(|| (name.to_owned(), short))
            })
            .collect()
    };
    let top = alpc_dump(&["--help"]).stdout;
    let known: Vec<&str> = top
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_once(' '))
        .map(|(command, _)| command)
        .filter(|command| command.chars().all(|c| c.is_ascii_lowercase()) && command.len() > 1)
        .filter(|command| !["help", "schema", "completions", "man"].contains(command))
        .collect();
    assert!(
        known.contains(&"triage") && known.contains(&"port") && known.len() > 20,
        "{known:?}"
    );
    let global = options(&top);
    assert!(
        global
            .iter()
            .any(|(name, short)| name == "symbols" && *short == Some('y')),
        "{global:?}"
    );
    let mut count = 0;
    // What --output makes of a bare name stays out of the sources.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut tried = |command: &[&str], format: &str| {
        let dump = sample.dump();
        let line = [&[dump.to_str().unwrap()][..], ALL, &["--format", format], command].concat();
        let run = alpc_dump_in(elsewhere.path(), &line);
        assert_without(&written(&run), &secret, &format!("{command:?} {format}"));
        count += 1;
    };
    for command in &known {
        let mut these = options(&alpc_dump(&[command, "--help"]).stdout);
        if *command != "info" {
            these.retain(|option| !global.contains(option));
        }
        for (name, short) in these {
            let mut forms = vec![
                vec![format!("--{name}"), value.clone()],
                vec![format!("--{name}={value}")],
                vec![format!("--{name}={SECRET}")],
            ];
            forms.extend(short.map(|short| vec![format!("-{short}{value}")]));
            forms.extend(short.map(|short| vec![format!("-{short}={value}")]));
            forms.extend(short.map(|short| vec![format!("-v{short}{value}")]));
            for form in &forms {
                let line: Vec<&str> = [*command]
                    .into_iter()
                    .chain(form.iter().map(String::as_str))
                    .collect();
                for format in ["text", "json", "ndjson"] {
                    tried(&line, format);
                }
            }
        }
        for line in [
            vec![*command, SECRET],
            vec![*command, SECRET, &value],
            vec![*command, "-"],
            vec![*command, "--ZebraSecret"],
        ] {
            tried(&line, "json");
        }
    }
    // Lines, and files of them, whatever stands in them.
    let script = format!("{folder}/{SECRET}.txt");
    fs::write(
        &script,
        format!("!{SECRET}; .echo {SECRET}; port {SECRET}\n.reload /f {SECRET}; lm m {SECRET}\n!process 0 0 {SECRET}\n\
                 !process {SECRET} 7\ndt {SECRET}; object \\{SECRET}; $<{SECRET}; * {SECRET}"),
    )
    .unwrap();
    let (missing, plain) = (format!("$<{value}"), format!("$<{script}"));
    let with_args = format!("$$>a<{script} {SECRET}");
    let lines: [&str; 8] = [
        &missing,
        &plain,
        &with_args,
        SECRET,
        "!ZebraSecret",
        ".echo ZebraSecret",
        "q ZebraSecret",
        "lm m ZebraSecret",
    ];
    for line in lines {
        for format in ["text", "json", "ndjson"] {
            tried(&["-c", line], format);
            tried(&[&format!("-c{line}")], format);
            tried(&[&format!("--commands={line}")], format);
        }
    }
    assert!(count > 150, "{count}");
    // Rules that are wrong are quoted otherwise.
    let rules = format!("{folder}/{SECRET}.toml");
    for text in [
        "[[ZebraSecret]]",
        "[[signature]]\nname = \"ZebraSecret\"\nis = \"ZebraSecret\"",
        "ZebraSecret",
    ] {
        fs::write(&rules, text).unwrap();
        for format in ["text", "json", "ndjson", "csv", "junit", "sarif"] {
            let run = sample.run(&[ALL, &["--format", format, "check", "--rules", &rules]].concat());
            assert_without(&written(&run), &secret, text);
        }
    }
    // Symbols of another build under a name of somebody's own, in a folder of somebody's own, found in the folder.
    let symbols = format!("{folder}/{SECRET}");
    fs::create_dir(&symbols).unwrap();
    let other = Sample::standard("vista-sp2-x64");
    fs::copy(
        other.dump().with_file_name("kernel.pdb"),
        format!("{symbols}/{SECRET}.pdb"),
    )
    .unwrap();
    let pointer = format!("{symbols}/file.ptr");
    fs::write(&pointer, format!("PATH:/nowhere/{SECRET}.pdb")).unwrap();
    for places in [
        format!("-y{symbols}"),
        format!("-y{symbols}/{SECRET}.pdb"),
        format!("-y{pointer}"),
        format!("-ysrv*{symbols}*https://{SECRET}/x"),
    ] {
        for command in [
            &["symbols"][..],
            &["info"],
            &["processes"],
            &["hang", "--exact-symbols"],
            &["triage"],
        ] {
            for format in ["text", "json", "ndjson"] {
                let run = sample.run(&[ALL, &["--format", format, &places], command].concat());
                assert_without(&written(&run), &secret, &format!("{places} {command:?}"));
            }
        }
    }
}

/// The bucket of a name is what the system makes of its letters: it would tell which of a list of names it may be.
#[test]
fn buckets_of_directories_are_withheld() {
    let sample = Sample::standard("win10-2004-x64");
    let root = "object \\";
    let plain = run(&sample, &["--format", "json"], root).json();
    assert!(plain["result"]["contents"]["objects"][0]["bucket"].is_u64());
    for classes in ["names", "paths"] {
        let redacted = run(&sample, &["--redact", classes, "--format", "json"], root);
        let objects = redacted.json()["result"]["contents"]["objects"]
            .as_array()
            .unwrap()
            .clone();
        let addresses: Vec<&str> = objects
            .iter()
            .map(|object| object["address"].as_str().unwrap())
            .collect();
        assert!(addresses.len() > 2 && addresses.is_sorted(), "{addresses:?}");
        assert!(objects.iter().all(|object| object["bucket"].is_null()));
        assert_eq!(redacted.status, 0, "{}", redacted.stderr);
        let text = run(&sample, &["--redact", classes], root).stdout;
        assert!(text.contains("     ??  "), "{text}");
    }
}

/// What this machine is called by is in the symbol path of the environment, and in the names of a folder's dumps.
#[test]
fn the_environment_and_the_names_of_a_folder_are_withheld() {
    const SECRET: &str = "xyzzyplugh";
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join(SECRET);
    fs::create_dir_all(named.join(SECRET)).unwrap();
    let dump = named.join(format!("{SECRET}.dmp"));
    fs::copy(fixture("vista-sp2-x64.dmp"), &dump).unwrap();
    fs::write(named.join(format!("{SECRET}-empty.dmp")), []).unwrap();
    fs::write(named.join(format!("{SECRET}.dmp.gz")), [0x1f, 0x8b, 8, 0]).unwrap();
    fs::write(named.join(format!("{SECRET}.txt")), "text").unwrap();
    let file = dump.to_str().unwrap();
    let of_folder = named.to_str().unwrap();
    let lines: &[(&str, &[&str])] = &[
        (file, &["symbols"]),
        (file, &["symbols", "--check"]),
        (file, &["info"]),
        (file, &["hang"]),
        (file, &["dt", "_EPROCESS"]),
        (of_folder, &["triage"]),
        (of_folder, &["triage", "-v"]),
        (of_folder, &["triage", "-v", "--recursive"]),
        (of_folder, &["triage", "--groups"]),
    ];
    for (path, line) in lines {
        for format in ["text", "json", "ndjson", "csv"] {
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_alpc-dump"))
                .arg(path)
                .args(["--redact", "names,paths,ids", "--format", format])
                .args(*line)
                .env(
                    "_NT_SYMBOL_PATH",
                    format!("srv*/{SECRET}*https://{SECRET}.example/;/none/{SECRET}"),
                )
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(!said.is_empty(), "{line:?} {format}");
            assert!(!said.contains(SECRET), "{line:?} {format}: {said}");
        }
    }
}

/// What `--redact` takes is this program's own words, and is told where it was mistaken; the mistake is not.
#[test]
fn a_class_that_there_is_not_lists_those_that_there_are() {
    for given in ["--redact=secret", "--redact=names,secret", "--redact"] {
        let run = alpc_dump(&["fixtures/vista-sp2-x64.dmp", "hang", given]);
        assert_eq!(run.status, 2);
        assert_eq!(
            run.stderr,
            "alpc-dump: --redact takes names, paths, ids, all; several with commas\n"
        );
    }
}
