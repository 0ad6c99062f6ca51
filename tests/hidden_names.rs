//! Names that act on a terminal, reorder what is read, or are not seen: in every format that people read they are
//! escapes.

mod support;

use std::fs;

use lzma_rust2::XzReader;
use support::synthetic::{Sample, lines_and_messages};
use support::{Run, alpc_dump_in, page};
use synth::worlds;

/// Of each kind some, all of one UTF-16 unit.
const HIDDEN: [char; 24] = [
    '\u{202e}', '\u{9b}', '\u{85}', '\u{2028}', '\u{3164}', '\u{115f}', '\u{34f}', '\u{fe0f}', '\u{180b}',
    '\u{2800}', '\u{a0}', '\u{3000}', '\u{200b}', '\u{2066}', '\u{feff}', '\u{ad}', '\u{ffa0}', '\u{1b}',
    '\u{7}', '\u{2029}', '\u{61c}', '\u{2065}', '\u{17b4}', '\u{7f}',
];

/// Formats that people read; JSON has names as they are.
const FORMATS: [&str; 7] = ["text", "csv", "dot", "mermaid", "html", "junit", "sarif"];

/// The world with most letters of its objects' and threads' names hidden, and of its images' names with what
/// controls terminals in one byte.
fn world() -> Sample {
    let sample = Sample::of(worlds::standard("win10-2004-x64"));
    let truth = &sample.world.truth;
    let objects = truth.objects.values();
    let objects = objects.filter_map(|object| Some(object.name.as_ref()?.1.to_string()));
    let types: Vec<&str> = truth.object_types.iter().map(|found| found.name).collect();
    let mut names: Vec<String> = objects
        .chain(truth.threads.iter().map(|thread| thread.name.to_owned()))
        .filter(|name| name.chars().count() >= 6 && name.is_ascii() && !types.contains(&name.as_str()))
        .collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names.dedup();
    let mut dump = fs::read(sample.dump()).unwrap();
    let units = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    for (number, name) in names.iter().enumerate() {
        let hidden = HIDDEN.iter().cycle().skip(number * 3);
        let other: String = name
            .chars()
            .take(2)
            .chain(hidden.take(name.len() - 2).copied())
            .collect();
        replace(&mut dump, &units(name), &units(&other));
    }
    for process in truth.processes.iter().filter(|process| process.image.len() > 8) {
        let image: String = process.image.chars().take(14).collect();
        let mut other = image.clone().into_bytes();
        other[2..5].copy_from_slice(&[0x9b, 0x85, 0x1b]);
        replace(&mut dump, image.as_bytes(), &other);
    }
    fs::write(sample.dump(), dump).unwrap();
    sample
}

fn replace(bytes: &mut [u8], what: &[u8], by: &[u8]) {
    let mut from = 0;
    while let Some(at) = bytes[from..]
        .windows(what.len())
        .position(|window| window == what)
    {
        let at = from + at;
        bytes[at..at + by.len()].copy_from_slice(by);
        from = at + by.len();
    }
}

#[track_caller]
fn assert_seen(run: &Run, line: &str) -> usize {
    for text in [&run.stdout, &run.stderr] {
        let hidden = text.char_indices().find(|(_, c)| HIDDEN.contains(c));
        if let Some((at, c)) = hidden {
            let context: String = text[at..].chars().take(60).collect();
            let before: String = text[..at].chars().rev().take(60).collect();
            let before: String = before.chars().rev().collect();
            panic!("{line}: {c:?} in {before:?}{context:?}");
        }
    }
    run.stdout.matches("\\u").count()
}

#[test]
fn no_name_hides_in_any_format() {
    let sample = world();
    let rules = sample.dump().with_file_name("rules.toml");
    let conditions = "[[no-deadlock]]\n[[wait]]\nlongest = \"1s\"\n[[waiting]]\nat-most = 0\n[[queue]]\nat-most = 0\n\
                      [[signature]]\nis = \"a\\u3164b\"\n[[process]]\nname = \"x\\u202ey\"\nimage = \"a\\u115fb\"\n";
    fs::write(&rules, conditions).unwrap();
    let check = format!("check --rules {}", rules.display());
    let mut lines = lines_and_messages(
        &[
            "info",
            "symbols",
            "processes",
            "processes -v",
            "threads",
            "threads -v",
            "modules",
            "handles",
            "ports",
            "ports --orphans",
            "global",
            "global -v",
            "global --graph",
            "global --list",
            "analyze",
            "hang",
            "hang -v",
            "waits",
            "graph",
            "object \\",
            "triage",
            "port nt\u{202e}x",
            "object \\a\u{3164}b",
            &check,
        ],
        &sample.world,
    );
    let truth = &sample.world.truth;
    lines.extend(
        truth
            .ports
            .iter()
            .take(12)
            .map(|port| format!("port {} -v", port.address)),
    );
    lines.extend(
        truth
            .threads
            .iter()
            .step_by(3)
            .map(|thread| format!("chain {}", thread.address)),
    );
    lines.extend(
        truth
            .processes
            .iter()
            .map(|process| format!("process {}", process.address)),
    );
    lines.extend(
        truth
            .directories
            .keys()
            .map(|directory| format!("object {directory}")),
    );
    let mut shown = [0; FORMATS.len()];
    for (format, shown) in FORMATS.iter().zip(&mut shown) {
        for line in &lines {
            let command = line.split(' ').next().unwrap();
            let has = match *format {
                "text" => true,
                "csv" => [
                    "processes",
                    "threads",
                    "modules",
                    "handles",
                    "ports",
                    "global",
                    "analyze",
                    "waits",
                    "check",
                    "triage",
                    "message",
                ]
                .contains(&command),
                "junit" | "sarif" => command == "check",
                _ => command == "graph",
            };
            if has {
                let args: Vec<&str> = ["--format", format]
                    .into_iter()
                    .chain(line.splitn(2, ' '))
                    .collect();
                // Of an argument with blanks in it there is one only.
                let args: Vec<&str> = match command {
                    "port" | "object" => args,
                    _ => args.iter().flat_map(|arg| arg.split(' ')).collect(),
                };
                let run = sample.run(&args);
                *shown += assert_seen(&run, &format!("{format} {line}"));
                if *format == "html" {
                    let views: String = page::views(&run.stdout)
                        .into_iter()
                        .filter_map(|(_, view)| view)
                        .collect();
                    let views = Run { stdout: views, ..run };
                    assert!(assert_seen(&views, "views of the page") > 0);
                }
            }
        }
    }
    // Mermaid has entities for back-slashes, and braces are no letters there.
    assert!(
        shown
            .iter()
            .zip(FORMATS)
            .all(|(&shown, format)| shown > 0 || format == "mermaid"),
        "{shown:?}"
    );
}

/// What a command line repeats acts on the terminal no more than what a dump holds.
#[test]
fn arguments_do_not_act_on_the_terminal_either() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["a\u{9b}.dmp", "info"][..],
        &["a\u{1b}[31m.dmp", "nothing\u{202e}"],
        &["a.dmp", "info", "--x\u{202e}"],
        &["a.dmp", "--format", "x\u{3164}", "info"],
        &["a.dmp", "info", "-o", "/nowhere\u{85}/x"],
        &["a\u{202e}.dmp", "triage", "--format", "csv"],
        &["a\u{1b}.dmp", "check", "--rules", "r.toml"],
    ] {
        let run = alpc_dump_in(folder.path(), args);
        assert_seen(&run, &args.join(" "));
        assert!(
            run.stderr.contains("\\u{") || run.stdout.contains("\\u{"),
            "{args:?}: {}",
            run.stderr
        );
    }
}

/// A dump of another generator whose every name hides something.
#[test]
fn hostile_names_of_another_generator() {
    let Some(case) = support::shared("cases/csv-nested-controls/hostile-names.dmp.xz") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut dump = fs::File::create(folder.path().join("hostile.dmp")).unwrap();
    std::io::copy(
        &mut XzReader::new(fs::File::open(&case).unwrap(), true),
        &mut dump,
    )
    .unwrap();
    let symbols = support::shared("worlds/syms").unwrap().canonicalize().unwrap();
    let rules = case.with_file_name("r.toml").canonicalize().unwrap();
    let rules = format!("check --rules {}", rules.display());
    for format in FORMATS {
        for line in [
            "threads",
            "triage",
            "handles",
            "ports",
            "processes",
            "waits",
            "modules",
            "analyze",
            "global --list",
            "global --graph",
            "ports --orphans",
            "hang -v",
            "graph",
            &rules,
        ] {
            let args = ["hostile.dmp", "-y", symbols.to_str().unwrap(), "--format", format].into_iter();
            let run = alpc_dump_in(folder.path(), &args.chain(line.split(' ')).collect::<Vec<_>>());
            assert_seen(&run, &format!("{format} {line}"));
        }
    }
}
