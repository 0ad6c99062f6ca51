//! Every command on every kind of bad input ends with the status that its output deserves: no 0 with a hole in it, no 1
//! without a finding, no 3 without a reason, no 2 without an error that has a name.
//!
//! The inputs are a world with a deadlock, whole and then damaged in every way that was seen of real dumps: pages left
//! out, pages overwritten (a live dump's smear), pages that the writer marked as not read, a cut file, a header that
//! lies, symbols that are not those of the kernel, and files that are no dumps at all. Which cases and commands there are
//! is one table each; a command that the help has and the table has not fails the test.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lzma_rust2::XzReader;
use serde_json::Value;
use support::{Run, alpc_dump, fixture, root, shared};
use synth::address::Va;
use synth::dump::Kind;
use synth::world::{Built, Message};
use synth::worlds::hang::{self, Scene};
use tempfile::TempDir;

/// Where `DirectoryTableBase` stands in a `DUMP_HEADER64`.
const DIRECTORY_TABLE_BASE: usize = 0x10;
/// Bytes of a `DUMP_HEADER64`.
const HEADER_BYTES: usize = 0x2000;
const PAGE_BYTES: usize = 0x1000;

/// What some writers leave where they could not read a page.
const FILLER: [u8; 4] = 0xdead_feed_u32.to_le_bytes();

/// One input, and how it is named on the command line.
struct Case {
    name: String,
    args: Vec<String>,
    /// Whether the file is a dump whose kernel can be looked at.
    is_dump: bool,
}

impl Case {
    fn run(&self, words: &[&str]) -> Run {
        // `pack` keeps a file that is there.
        let pack = format!("{}.{}.pack", self.args[0], self.args.len());
        let _ = fs::remove_file(&pack);
        let mut args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        args.extend(words.iter().map(|&word| if word == PACK { &pack } else { word }));
        alpc_dump(&args)
    }
}

/// The world that the cases are made of, in a folder with its symbols.
struct Table {
    folder: TempDir,
    scene: Scene,
    cases: Vec<Case>,
}

/// A page of an actor, and what became of it.
#[derive(Clone, Copy)]
enum Damage {
    LeftOut,
    Filled([u8; 4]),
}

impl Table {
    fn new() -> Self {
        let mut table = Self {
            folder: tempfile::tempdir().unwrap(),
            scene: hang::ring_of_three("vista-sp2-x64"),
            cases: Vec::new(),
        };
        fs::write(table.path("kernel.pdb"), table.scene.built.pdb()).unwrap();
        table.whole();
        table.damaged();
        table.cut_and_lying();
        table.foreign();
        table.published();
        table
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn world(&self) -> &Built {
        &self.scene.built
    }

    fn add(&mut self, name: &str, bytes: &[u8], is_dump: bool) {
        let file = self.path(&format!("{name}.dmp"));
        fs::write(&file, bytes).unwrap();
        let symbols = self.path("kernel.pdb");
        let args = [file.to_str().unwrap(), "-y", symbols.to_str().unwrap()];
        self.cases.push(Case {
            name: name.to_owned(),
            args: args.map(str::to_owned).to_vec(),
            is_dump,
        });
    }

    fn whole(&mut self) {
        for (name, kind) in [("whole", Kind::Summary), ("complete", Kind::Full)] {
            let bytes = self.world().dump(kind);
            self.add(name, &bytes, true);
        }
        let name = self.path("whole.dmp").to_str().unwrap().to_owned();
        self.cases.push(Case {
            name: "built-in layouts".to_owned(),
            args: vec![name],
            is_dump: true,
        });
    }

    /// The pages of whatever a chain leads over, one after another.
    fn actors(&self) -> Vec<(&'static str, Va)> {
        let truth = &self.world().truth;
        let first = self.scene.at("first");
        let port = truth.port(self.scene.at("lsasspirpc"));
        vec![
            ("message", self.message().address),
            ("waiting thread", first),
            ("server thread", self.scene.at("second")),
            ("port", port.address),
            ("communication info", port.communication_info),
            ("process", truth.thread(self.scene.at("second")).process),
            ("kernel image", truth.kernel_base),
        ]
    }

    fn damaged(&mut self) {
        let damages = [
            ("left out", Damage::LeftOut),
            ("zeroed", Damage::Filled([0; 4])),
            ("not read", Damage::Filled(FILLER)),
            ("overwritten", Damage::Filled(*b"A\xff\x80\x01")),
        ];
        for (actor, address) in self.actors() {
            for (what, damage) in damages {
                let mut mapped = self.world().map();
                let frame = mapped.frames[&address.page()];
                match damage {
                    Damage::LeftOut => mapped.memory.remove(frame),
                    Damage::Filled(word) => mapped
                        .memory
                        .frame_mut(frame)
                        .chunks_exact_mut(word.len())
                        .for_each(|at| at.copy_from_slice(&word)),
                }
                let bytes = self.world().dump_mapped(Kind::Summary, mapped);
                self.add(&format!("{actor} {what}"), &bytes, true);
            }
        }
    }

    fn cut_and_lying(&mut self) {
        let whole = self.world().dump(Kind::Summary);
        for part in [4, 2] {
            self.add(
                &format!("cut to one of {part}"),
                &whole[..whole.len() / part],
                true,
            );
        }
        self.add("cut by a page", &whole[..whole.len() - PAGE_BYTES], true);
        self.add("header only", &whole[..HEADER_BYTES], true);
        let mut lying = whole.clone();
        lying[DIRECTORY_TABLE_BASE..DIRECTORY_TABLE_BASE + 8].copy_from_slice(&0x7f000_u64.to_le_bytes());
        self.add("wrong DirectoryTableBase", &lying, true);
        self.add("cut in the header", &whole[..HEADER_BYTES / 2], false);
    }

    fn foreign(&mut self) {
        let samples: [(&str, &[u8]); 6] = [
            ("empty", b""),
            ("text", b"the share was full\n"),
            ("zeros", &[0; 3 * PAGE_BYTES]),
            ("user minidump", b"MDMP\x93\xa7\0\0\0\0\0\0\0\0\0\0"),
            ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"),
            ("page", b"<!DOCTYPE html><title>404</title>"),
        ];
        for (name, bytes) in samples {
            self.add(name, bytes, false);
        }
        let missing = self.path("missing.dmp").to_str().unwrap().to_owned();
        self.cases.push(Case {
            name: "missing file".to_owned(),
            args: vec![missing],
            is_dump: false,
        });
    }

    /// The cases that showed a fault, where they are at hand.
    fn published(&mut self) {
        for folder in ["cases", "real"] {
            let Some(folder) = shared(folder) else { continue };
            for file in files_below(&folder) {
                let name = file.file_name().unwrap().to_str().unwrap();
                let stem = name.trim_end_matches(".xz");
                if !stem.ends_with(".dmp") || is_bomb(stem) {
                    continue;
                }
                let mut bytes = fs::read(&file).unwrap();
                if stem != name {
                    let packed = std::mem::take(&mut bytes);
                    XzReader::new(packed.as_slice(), true)
                        .read_to_end(&mut bytes)
                        .unwrap();
                }
                let copy = self.path(&format!("{}-{stem}", self.cases.len()));
                fs::write(&copy, &bytes).unwrap();
                let fixtures = root().join("fixtures");
                self.cases.push(Case {
                    name: file.strip_prefix(&folder).unwrap().display().to_string(),
                    args: [copy.to_str().unwrap(), "-y", fixtures.to_str().unwrap()]
                        .map(str::to_owned)
                        .to_vec(),
                    is_dump: !bytes.is_empty(),
                });
            }
        }
    }

    /// Every command that looks at a dump, asked for what is in the world.
    fn lines(&self) -> Vec<Line> {
        let truth = &self.world().truth;
        let (thread, port) = (self.scene.at("first"), self.scene.at("lsasspirpc"));
        let process = truth.thread(thread).process;
        let message = self.message().address;
        let rules = self.path("rules.toml");
        fs::write(&rules, RULES).unwrap();
        let mut lines: Vec<Line> = WHOLE_SYSTEM.iter().map(|line| Line::of(line)).collect();
        let of_one = [
            ("chain", thread),
            ("chain --candidates", thread),
            ("chain", process),
            ("chain", message),
            ("message", message),
            ("message -v", message),
            ("port", port),
            ("port -v", port),
            ("resource", port),
            ("connections", port),
            ("thread", thread),
            ("thread -v", thread),
            ("stack", thread),
            ("stacks", process),
            ("process", process),
            ("process -v", process),
            ("object", port),
            ("dt _EPROCESS", process),
            ("mem", thread),
            // A world without requests: what is at the thread is none.
            ("irp", thread),
            ("token", process),
            ("token", thread),
            ("security", port),
            ("ports --process", process),
            ("handles --process", process),
        ];
        lines.extend(of_one.map(|(verb, one)| Line::of(&format!("{verb} {one}"))));
        lines.push(Line::words(&["check", "--rules", rules.to_str().unwrap()]));
        // What has two dumps, children or a result that is no text is no line of a script.
        let other = fixture("vista-sp2-x64.dmp");
        for words in [
            &["triage"][..],
            &[other.to_str().unwrap(), "diff"],
            &["pack", "-o", PACK],
        ] {
            lines.push(Line {
                alone: true,
                ..Line::words(words)
            });
        }
        lines
    }

    /// The same commands, asked for things that are not there or are something else.
    fn wrong_lines(&self) -> Vec<Line> {
        let truth = &self.world().truth;
        let thread = self.scene.at("first");
        let others = [
            thread,
            truth.thread(thread).process,
            self.message().address,
            self.scene.at("lsasspirpc"),
        ];
        let others = others.map(|address| address.to_string());
        let wrong = others.iter().map(String::as_str).chain(NOTHING);
        wrong
            .flat_map(|one| VERBS.map(|verb| Line::of(&format!("{verb} {one}"))))
            .collect()
    }

    fn message(&self) -> &Message {
        let first = self.scene.at("first");
        let mut messages = self.world().truth.messages.iter();
        messages.find(|message| message.waiting_thread == first).unwrap()
    }
}

/// Stands for the file that a pack is written to, one for each case.
const PACK: &str = "PACK";

/// What is asked of a whole system.
const WHOLE_SYSTEM: [&str; 46] = [
    "report",
    "locks",
    "locks --waited",
    "ports --accessible-by everyone",
    "ports --accessible-by appcontainer",
    "token current",
    "sessions",
    "services",
    "waits --session 0",
    "threads --session 1",
    "summary",
    "waits --for lsass.exe",
    "calls",
    "hang",
    "hang -v",
    "hang --longer-than 1s",
    "waits",
    "graph",
    "graph --process lsass.exe",
    "global",
    "global -v",
    "global --list",
    "ports",
    "ports --orphans",
    "analyze",
    "analyze --carve",
    "carve",
    "timeline --carve",
    "threads",
    "stacks",
    "threads --stacks",
    "stacks --group",
    "threads --waiting",
    "processes",
    "handles",
    "modules",
    "info",
    "symbols",
    "symbols --check",
    "connections ntsvcs",
    r"object \",
    "chain lsass.exe",
    "process current",
    "thread current",
    "chain current",
    "dt _EPROCESS",
];

/// Commands that ask for one thing.
const VERBS: [&str; 14] = [
    "token",
    "security",
    "irp",
    "chain",
    "message",
    "port",
    "resource",
    "connections",
    "thread",
    "process",
    "object",
    "dt _EPROCESS",
    "ports --process",
    "handles --process",
];

/// What is nothing in the world.
const NOTHING: [&str; 10] = [
    "0x0",
    "0xbfc",
    "0x33c",
    "ffffffffffffffff",
    "fffffffffffffff0",
    "0000000000001000",
    "4141414141414140",
    "nobody.exe",
    "pid:0x3",
    "id:0x3",
];

/// Rules that need nearly everything to be known.
const RULES: &str = r#"
[[no-deadlock]]
[[wait]]
longest = "1s"
[[signature]]
is = "none"
[[process]]
image = "setup.exe"
at-most = 0
[[coverage]]
pages-at-least = 50
readable = true
"#;

/// A command line behind the dump.
#[derive(Clone)]
struct Line {
    words: Vec<String>,
    /// Whether it is no line of a script of several.
    alone: bool,
}

impl Line {
    fn words(words: &[&str]) -> Self {
        Self {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            alone: false,
        }
    }

    fn of(line: &str) -> Self {
        Self::words(&line.split(' ').collect::<Vec<_>>())
    }

    fn text(&self) -> String {
        self.words.join(" ")
    }
}

/// Dumps that try the bounds of every walk take their time, and have a test of their own.
fn is_bomb(name: &str) -> bool {
    ["path-bomb", "pb3", "hb1"]
        .iter()
        .any(|bomb| name.starts_with(bomb))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// What a document shows of how it should have ended.
#[derive(Debug, Default)]
struct Deserts {
    error: Option<String>,
    finding: bool,
    holes: Vec<String>,
}

impl Deserts {
    fn of(document: &Value, line: &Line) -> Self {
        let mut deserts = Self {
            error: error(document).map(str::to_owned),
            finding: has_finding(document, line),
            holes: Vec::new(),
        };
        // A port in trouble is a problem of the system, not of the dump.
        let problems = document["result"]["problems"].as_array();
        if problems.is_some_and(|all| {
            all.iter()
                .any(|one| !one["id"].as_str().unwrap().starts_with("port-"))
        }) {
            deserts.holes.push("problems".to_owned());
        }
        deserts.look(&document["result"], "result");
        if document["holes"]
            .as_array()
            .is_some_and(|holes| !holes.is_empty())
        {
            deserts.holes.push("holes".to_owned());
        }
        deserts
    }

    /// Wherever a record says that something could not be read or decided.
    fn look(&mut self, value: &Value, path: &str) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let path = format!("{path}.{name}");
                    let is_told = match member {
                        Value::Array(items) => !items.is_empty(),
                        Value::Object(items) => !items.is_empty(),
                        Value::Bool(is) => *is,
                        Value::Number(count) => count.as_u64() != Some(0),
                        _ => false,
                    };
                    if is_told
                        && matches!(
                            name.as_str(),
                            "unreadable"
                                | "unread"
                                | "unchecked"
                                | "undecided"
                                | "not_read"
                                | "cut"
                                | "name_unknown"
                        )
                    {
                        self.holes.push(path.clone());
                    }
                    if name == "verdict" && member == "undecided" {
                        self.holes.push(path.clone());
                    }
                    self.look(member, &path);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.look(item, &format!("{path}[{index}]"));
                }
            }
            _ => {}
        }
    }

    /// Whether the status is what the output deserves; what is wrong otherwise.
    fn judge(&self, status: i32) -> Result<(), String> {
        let told = match status {
            0 => self.error.is_none() && !self.finding && self.holes.is_empty(),
            1 => self.finding || self.error.is_some(),
            2 => self.error.as_deref().is_some_and(|id| id != "error"),
            3 => !self.finding && (!self.holes.is_empty() || self.error.is_some()),
            _ => false,
        };
        told.then_some(())
            .ok_or_else(|| format!("status {status} for {self:?}"))
    }
}

/// What the documentation calls a finding, command by command.
fn has_finding(document: &Value, line: &Line) -> bool {
    let result = &document["result"];
    let some = |list: &Value| list.as_array().is_some_and(|list| !list.is_empty());
    match document["command"].as_str() {
        // It is asked for a limit that every wait of the world exceeds.
        Some("hang") => {
            some(&result["deadlocks"])
                || (line.text().contains("--longer-than") && !result["longest_wait"].is_null())
        }
        Some("analyze") => some(&result["findings"]),
        Some("report") => {
            let mut sections = result["sections"].as_array().into_iter().flatten();
            sections
                .any(|section| some(&section["result"]["deadlocks"]) || some(&section["result"]["findings"]))
        }
        Some("summary") => result["deadlocks"].as_u64().is_some_and(|rings| rings > 0),
        Some("check") => result["conditions"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["verdict"] == "fail")),
        Some("diff") => result["differences"].as_u64().is_some_and(|count| count > 0),
        Some("symbols") => result["in_use"].is_null(),
        Some("triage") => result["deadlocks"].as_u64().is_some_and(|count| count > 0),
        _ => false,
    }
}

/// The id of the error: `triage` has it in its record, where the other members are none.
fn error(document: &Value) -> Option<&str> {
    let errors = [&document["error"], &document["result"]["error"]];
    errors.into_iter().find_map(|error| error["id"].as_str())
}

/// The document and the status of each line: those of a script come from one run.
fn documents(case: &Case, lines: &[Line]) -> Vec<(Line, Value, i32)> {
    let (alone, script): (Vec<Line>, Vec<Line>) = lines.iter().cloned().partition(|line| line.alone);
    let text: Vec<String> = script.iter().map(Line::text).collect();
    let run = case.run(&["--format", "json", "-c", &text.join("; ")]);
    let documents = match run.json() {
        Value::Array(documents) => documents,
        // What cannot be opened is told once.
        document => vec![document],
    };
    let statuses: Vec<i32> = documents
        .iter()
        .map(|document| number(&document["status"]))
        .collect();
    // The exit status is the first that applies to any of them.
    let first = [2, 1, 3, 0].into_iter().find(|status| statuses.contains(status));
    assert_eq!(Some(run.status), first, "{}: {}", case.name, run.stderr);
    assert!(
        documents.len() == script.len() || documents.len() == 1,
        "{}",
        case.name
    );
    let mut all: Vec<_> = script
        .into_iter()
        .zip(documents)
        .zip(statuses)
        .map(|((line, document), status)| (line, document, status))
        .collect();
    for line in alone {
        let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        let run = case.run(&[&words[..], &["--format", "json"]].concat());
        let document = run.json();
        assert_eq!(
            number(&document["status"]),
            run.status,
            "{}: {}",
            case.name,
            line.text()
        );
        all.push((line, document, run.status));
    }
    all
}

fn number(status: &Value) -> i32 {
    match status.as_str() {
        Some("complete") => 0,
        Some("finding") => 1,
        Some("fatal") => 2,
        Some("partial") => 3,
        _ => panic!("{status}"),
    }
}

/// What is wrong with how a case's commands ended.
fn judge(case: &Case, lines: &[Line]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut signatures: Vec<String> = Vec::new();
    for (line, document, status) in documents(case, lines) {
        let mut note = |what: String| wrong.push(format!("{}: {}: {what}", case.name, line.text()));
        // A verdict has one word, whoever asks, and none only where all was looked at.
        if let Some(signature) = document["result"]["signature"].as_str()
            && !line.words.iter().any(|word| word == "--longer-than")
        {
            if signature == "none" && status == 3 {
                note("none, and something could not be read".to_owned());
            }
            signatures.push(signature.to_owned());
        }
        if let Err(why) = Deserts::of(&document, &line).judge(status) {
            note(why);
        }
        if !case.is_dump && status == 0 {
            note("is no dump, and all was told".to_owned());
        }
        let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        let text = case.run(&words);
        // The year of a time that nobody wrote.
        if text.stdout.contains("1601-") || document.to_string().contains("1601-") {
            note("a time of the year 1601".to_owned());
        }
        if text.status != status {
            note(format!("text ends with {}, JSON with {status}", text.status));
        }
        // A question mark that stands alone is how text shows a value that could not be read.
        if text.status == 0 && text.stdout.split_whitespace().any(|word| word == "?") {
            note("a ? in text that ends with 0".to_owned());
        }
        if text.status > 1 && text.stderr.is_empty() && words[0] != "triage" {
            note("nothing on stderr says why".to_owned());
        }
        if text.stdout.is_empty() && text.stderr.is_empty() {
            note("says nothing".to_owned());
        }
    }
    signatures.dedup();
    if signatures.len() > 1 {
        wrong.push(format!("{}: signatures differ: {signatures:?}", case.name));
    }
    wrong
}

/// Judges every case, as many at a time as there are processors.
fn judge_all(cases: &[&Case], lines: &[Line]) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            wrong.extend(judge(case, lines));
        }
        wrong
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let wrong: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let wrong = workers.into_iter().map(|worker| worker.join().unwrap());
        wrong.flatten().collect()
    });
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_command_ends_with_the_status_that_its_output_deserves() {
    let table = Table::new();
    let cases: Vec<&Case> = table.cases.iter().collect();
    judge_all(&cases, &table.lines());
}

#[test]
fn so_does_one_that_asks_for_what_is_not_there() {
    let table = Table::new();
    let asked = [
        "whole",
        "built-in layouts",
        "server thread left out",
        "wrong DirectoryTableBase",
        "text",
    ];
    let cases: Vec<&Case> = table
        .cases
        .iter()
        .filter(|case| asked.contains(&case.name.as_str()))
        .collect();
    assert_eq!(cases.len(), asked.len());
    judge_all(&cases, &table.wrong_lines());
}

#[test]
fn every_command_is_in_the_table() {
    let help = alpc_dump(&["--help"]).stdout;
    let commands: BTreeSet<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_once("  "))
        .map(|(name, _)| name)
        .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase()))
        // The prompt ends by rules of its own: tests/shell.rs.
        .filter(|name| !matches!(*name, "schema" | "completions" | "man" | "help" | "shell"))
        .collect();
    assert!(commands.len() > 20, "{commands:?}");
    let lines = Table::new().lines();
    for command in commands {
        let is_tried = lines
            .iter()
            .any(|line| line.words.iter().any(|word| word == command));
        assert!(is_tried, "{command} is not tried");
    }
}
