//! Every command that README.md and docs/ show is run, and what it prints is what they show.
//!
//! What stands behind a fence says what is in it:
//!
//! - `console`: commands behind `$ `, each with what it prints, if that is shown; a line of dots stands for any lines;
//! - `prompt`: lines that are typed at the prompt of `-i`;
//! - `python`: run by `python/tests/test_docs.py`, with what it prints;
//! - `sh`: what is not run here, each with the reason below;
//! - `text`: what help prints, compared by `site.rs`;
//! - `toml`, `sql`: files; the rules of docs/checks.md are tried by `gates.rs`.
//!
//! Commands are a shell's, with pipes and quotes.
#![cfg(unix)]

mod support;

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use support::fixture;
use support::markdown::{Block, Page, Shown};
use synth::address::Pfn;
use synth::container::{Machine, Registers, vmware};
use synth::dump::Kind;
use synth::layout::Kernel;
use synth::physical::Run as Frames;
use synth::world::Built;
use synth::worlds::{self, hang, rpc};

/// What a fence may say.
const INFOS: [&str; 9] = [
    "console", "prompt", "python", "sh", "text", "toml", "sql", "yaml", "json",
];

/// Commands that are not run here, by a part of their block, and why.
const NOT_RUN: [(&str, &str); 14] = [
    ("cargo test --workspace", "it is what runs this"),
    ("cargo install --locked --path", "installs; builds for minutes"),
    (
        "packaging/install",
        "builds for minutes; .ci/run package installs below a prefix",
    ),
    (
        "pip install ./python",
        "builds for minutes; .ci/run python installs into a clean environment",
    ),
    (
        "podman build",
        "needs podman and an archive; built by hand, as docs/install.md says",
    ),
    ("cargo bench", "takes minutes and an idle machine"),
    (
        "terminal-server:20000",
        "takes a release build and an idle machine",
    ),
    ("git clone", "builds for minutes; measured by hand"),
    (".ci/run", "runs everything, this too"),
    (
        "UPDATE_DOCS=1",
        "writes the reference anew, which site.rs compares",
    ),
    ("--resume", "run by fleet.rs"),
    ("xargs", "run by fleet.rs"),
    ("sshloginfile", "run by fleet.rs, where parallel is installed"),
    ("sbatch", "run by fleet.rs, with a stand-in for Slurm"),
];

/// The command that writes a world.
const WRITE_WORLD: &str = "cargo run --release --locked -p synth --bin write-world -- ";

/// What `write-world` writes here in its place, by its arguments.
fn worlds_by_name() -> [(&'static str, Built); 2] {
    [
        ("calls 6 target/calls.dmp", rpc::calls("win11-22h2-x64").built),
        (
            "request 6 target/request.dmp",
            hang::io("win11-21h2-x64", hang::Io::File).built,
        ),
    ]
}

/// A folder with all that the documents' commands name.
fn desk() -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    let at = |name: &str| desk.path().join(name);
    for folder in ["fixtures", "target", "dumps", "pdbs", "examples/ci"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    let (dump, pdb) = ("vista-sp2-x64.dmp", "vista-sp2-x64.pdb");
    for (from, to) in [
        (dump, "fixtures/vista-sp2-x64.dmp"),
        (pdb, "fixtures/vista-sp2-x64.pdb"),
        (dump, "memory.dmp"),
        (pdb, "vista-sp2-x64.pdb"),
        ("../examples/ci/check.sh", "examples/ci/check.sh"),
        ("../examples/ci/rules.toml", "examples/ci/rules.toml"),
    ] {
        fs::copy(fixture(from), at(to)).unwrap();
    }
    let rules = Page::open("docs/checks.md").blocks();
    let rules = rules.iter().find(|block| block.info == "toml").unwrap();
    fs::write(at("rules.toml"), rules.lines.join("\n")).unwrap();
    fs::write(at("pagefile.sys"), vec![0; 1 << 20]).unwrap();
    for questions in ["questions.txt", "first-look.txt", "FILE"] {
        fs::write(at(questions), "hang\n!alpc /p fffffa801820d2c0\n").unwrap();
    }
    for (arguments, world) in worlds_by_name() {
        let path = at(arguments.split(' ').next_back().unwrap());
        fs::write(&path, world.dump(Kind::BitmapKernel)).unwrap();
        fs::write(path.with_extension("pdb"), world.pdb()).unwrap();
    }
    write_packed(&at("MEMORY.DMP.gz"));
    write_machine(desk.path());
    write_fleet(&at("dumps"));
    desk
}

fn write_packed(path: &Path) {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed
        .write_all(&fs::read(fixture("vista-sp2-x64.dmp")).unwrap())
        .unwrap();
    fs::write(path, packed.finish().unwrap()).unwrap();
}

/// A suspended machine of VMware: its memory, its state, and the symbols of its kernel.
fn write_machine(folder: &Path) {
    let built = worlds::standard("win10-2004-x64");
    let mapped = built.map();
    let processors = [Registers {
        cr3: built.header.directory_table_base,
        ..Registers::default()
    }];
    let machine = Machine {
        memory: &mapped.memory,
        processors: &processors,
    };
    let last = machine.memory.frames().last().unwrap().0;
    let all = [Frames {
        base: Pfn(0),
        count: last.0 + 1,
    }];
    let (state, memory) = vmware::suspended(machine, &all);
    fs::write(folder.join("vm.vmss"), state).unwrap();
    fs::write(folder.join("vm.vmem"), memory).unwrap();
    fs::write(folder.join("ntkrnlmp.pdb"), built.pdb()).unwrap();
}

/// The first dumps that `write-fleet` writes.
fn write_fleet(folder: &Path) {
    const SCENES: [fn(&str) -> Built; 3] = [
        worlds::standard,
        |kernel| hang::row_to_mutant(kernel).built,
        |kernel| hang::ring_of_three(kernel).built,
    ];
    let kernels = Kernel::names()
        .into_iter()
        .filter(|name| !name.ends_with("arm64"));
    for (number, (kernel, scene)) in kernels.zip(SCENES).enumerate() {
        let world = scene(kernel);
        let dump = folder.join(format!("host-{number:05}.dmp"));
        fs::write(dump, world.dump(Kind::Summary)).unwrap();
        fs::write(folder.join(format!("{kernel}.pdb")), world.pdb()).unwrap();
    }
}

fn reason_not_to_run(text: &str) -> Option<&'static str> {
    let found = NOT_RUN.iter().find(|(part, _)| text.contains(part));
    found.map(|(_, reason)| *reason)
}

#[test]
fn every_fence_says_what_is_in_it() {
    for page in Page::all() {
        for block in page.blocks() {
            let (at, info) = (&block.at, &*block.info);
            assert!(INFOS.contains(&info), "{at}: {info:?} is none of {INFOS:?}");
            let command = block.lines.iter().find(|line| line.starts_with("alpc-dump "));
            assert!(
                info != "text" || command.is_none(),
                "{at}: commands are run: make it a console block"
            );
            if info == "sh" {
                let reason = reason_not_to_run(&block.lines.join("\n"));
                assert!(reason.is_some(), "{at}: why is it not run? {:?}", block.lines);
            }
        }
        let indented = page.prose().into_iter().find(|line| line.starts_with("    "));
        let indented = indented.filter(|line| {
            ["alpc-dump ", "cargo ", "$ "]
                .iter()
                .any(|word| line.contains(word))
        });
        assert_eq!(indented, None, "{}: put it between fences", page.name);
    }
}

#[test]
fn every_reason_is_needed() {
    let mut shown = String::new();
    for page in Page::all() {
        for block in page.blocks() {
            shown.push_str(&block.lines.join("\n"));
        }
    }
    for (part, _) in NOT_RUN {
        assert!(shown.contains(part), "no page shows {part}");
    }
}

/// The folder of the binary goes before all others.
fn path() -> OsString {
    let binary = Path::new(env!("CARGO_BIN_EXE_alpc-dump")).parent().unwrap();
    let old = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(binary.to_owned()).chain(std::env::split_paths(&old));
    std::env::join_paths(folders).unwrap()
}

fn shell(desk: &Path, command: &str, input: &str) -> Output {
    let mut child = Command::new("sh");
    child.args(["-c", command]).current_dir(desk).env("PATH", path());
    for variable in [
        "_NT_SYMBOL_PATH",
        "_NT_ALT_SYMBOL_PATH",
        "COLUMNS",
        "CLICOLOR_FORCE",
    ] {
        child.env_remove(variable);
    }
    child
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// The command as it runs here: the binary in the place of `cargo run`. None for what is not run.
fn runnable(command: &str) -> Option<String> {
    let written = |(arguments, _)| command == format!("{WRITE_WORLD}{arguments}");
    if reason_not_to_run(command).is_some() || worlds_by_name().into_iter().any(written) {
        return None;
    }
    let command = command.replace("cargo run --release --locked -- ", "alpc-dump ");
    assert!(!command.contains("cargo "), "{command}");
    Some(command)
}

/// What is wrong with a command: a fatal error, or something else printed than is shown.
fn wrong(desk: &Path, shown: &Shown) -> Option<String> {
    let output = shell(desk, &runnable(&shown.command)?, "");
    let (printed, told) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let asked = format!("{}: $ {}", shown.at, shown.command);
    if !matches!(output.status.code(), Some(0 | 1 | 3)) {
        return Some(format!("{asked}\nended with {}: {told}", output.status));
    }
    if shown.output.is_empty() {
        return None;
    }
    let line = shown.differs(&printed)?;
    Some(format!("{asked}\nnot printed there: {line}\nprinted:\n{printed}"))
}

#[test]
fn every_command_gives_what_is_shown() {
    let desk = desk();
    let mut mistakes = Vec::new();
    let mut count = 0;
    for page in Page::all() {
        let blocks = page.blocks().into_iter().filter(|block| block.info == "console");
        for shown in blocks.flat_map(|block| block.shown()) {
            count += 1;
            mistakes.extend(wrong(desk.path(), &shown));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n\n"));
    assert!(count > 30, "{count}");
}

/// What is typed at the prompt is understood, and answered.
#[test]
fn every_prompt_answers() {
    let desk = desk();
    let prompts = Page::all().into_iter().flat_map(|page| page.blocks());
    let prompts: Vec<Block> = prompts.filter(|block| block.info == "prompt").collect();
    assert!(!prompts.is_empty());
    for block in prompts {
        let typed = block.lines.iter().map(|line| line.split_once("> ").unwrap());
        let (prompts, lines): (Vec<&str>, Vec<&str>) = typed.unzip();
        let command = format!("alpc-dump {} -i", prompts[0]);
        let output = shell(desk.path(), &command, &format!("{}\n", lines.join("\n")));
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{}: {told}", block.at);
        let told = told
            .lines()
            .find(|line| !line.starts_with("alpc-dump: symbols: "));
        assert_eq!(told, None, "{}", block.at);
    }
}

/// A word that stands for something: of capitals alone, or in brackets.
fn stands_for_something(word: &str) -> bool {
    let capitals = word.len() > 1 && word.chars().all(|sign| sign.is_ascii_uppercase() || sign == '.');
    capitals || word.contains(['<', '[', '|', '>'])
}

/// Whole commands within sentences are understood.
#[test]
fn commands_in_sentences_are_understood() {
    let desk = desk();
    let mut mistakes = Vec::new();
    let mut count = 0;
    for page in Page::all() {
        let commands = page.code();
        // The feature of that name is tested by tests/mcp.rs.
        let runs = |code: &&String| code.starts_with("alpc-dump ") && !code.starts_with("alpc-dump mcp");
        let commands = commands.iter().filter(runs);
        for command in commands.filter(|command| !command.split(' ').any(stands_for_something)) {
            count += 1;
            let output = shell(desk.path(), command, "");
            if output.status.code() == Some(2) {
                let told = String::from_utf8_lossy(&output.stderr);
                mistakes.push(format!("{}: {command}: {told}", page.name));
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    assert!(count > 5, "{count}");
}

/// The dots stand for any lines, and for nothing else.
#[test]
fn what_is_shown_is_compared_line_by_line() {
    let differs = |shown: &str, printed: &str| {
        let lines = format!("$ x\n{shown}").lines().map(str::to_owned).collect();
        let block = Block {
            at: String::new(),
            info: "console".to_owned(),
            lines,
        };
        block.shown()[0].differs(printed)
    };
    assert_eq!(differs("a\nb", "a\nb\n"), None);
    assert_eq!(differs("a\n...", "a\nb\nc\n"), None);
    assert_eq!(differs("...\nc", "a\nb\nc\n"), None);
    assert_eq!(differs("a\n...\nc", "a\nc\n"), None);
    assert_eq!(differs("...\nb\n...", "a\nb\nc\n"), None);
    for wrong in [
        "a",
        "a\nc",
        "b\n...",
        "...\nb",
        "a\n...\nb\nb\n...",
        "...\nx\n...",
    ] {
        assert!(differs(wrong, "a\nb\nc\n").is_some(), "{wrong}");
    }
}
