//! Where results go, and what is left alone: files that `-o` names, whatever they are; files that are read; and readers
//! that go away.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{Run, alpc_dump, alpc_dump_in, alpc_dump_with_input, fixture};
use tempfile::TempDir;

const DUMP: &str = "fixtures/vista-sp2-x64.dmp";
const MESSAGE: &str = "fffff8800f4cc950";

/// A folder with the fixture, its PDB and whatever else a command may read.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for name in ["vista-sp2-x64.dmp", "vista-sp2-x64.pdb"] {
            fs::copy(fixture(name), bench.path(name)).unwrap();
        }
        fs::copy(bench.path("vista-sp2-x64.dmp"), bench.path("second.dmp")).unwrap();
        bench.write("failing.toml", "[[wait]]\nlongest = \"1m\"\n");
        bench.write("commands.txt", "info; processes\n");
        bench.write("list.txt", MESSAGE);
        bench.write("key", "0123456789abcdef0123456789abcdef");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn run(&self, line: &str) -> Run {
        let args: Vec<&str> = line.split(' ').collect();
        alpc_dump_in(self.folder.path(), &args)
    }

    /// The names in the folder: no temporary file is left there.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn a_command_that_gives_nothing_leaves_the_file_as_it_was() {
    let bench = Bench::new();
    bench.write("report", "what was there");
    for line in [
        "none.dmp hang",
        "none.dmp none.dmp hang",
        "vista-sp2-x64.dmp message fffffa8018201000",
        "vista-sp2-x64.dmp connections nowhere --format csv",
        "none.dmp graph --format dot",
        "none.dmp waits --format csv",
        "vista-sp2-x64.dmp hang --format csv",
        "vista-sp2-x64.dmp -c nonsense",
        "vista-sp2-x64.dmp -c $<none.txt",
        "none.dmp none.dmp diff",
        "vista-sp2-x64.dmp check --rules none.toml",
        "vista-sp2-x64.dmp triage --format dot",
        "none.dmp",
        "schema nothing",
        "--bogus",
    ] {
        let run = bench.run(&format!("{line} -o report"));
        assert!(
            matches!(run.status, 1 | 2) && !run.stderr.is_empty(),
            "{line}: {}",
            run.status
        );
        assert_eq!(run.stdout, "", "{line}");
        assert_eq!(bench.read("report"), b"what was there", "{line}");
        let new = bench.run(&format!("{line} -o new"));
        assert_eq!(new.status, run.status, "{line}");
        assert!(!bench.path("new").exists(), "{line}");
    }
    // An error that the format tells is a result, and so is what one of several commands gave.
    for line in [
        "none.dmp hang --format json",
        "none.dmp hang --format ndjson",
        "none.dmp vista-sp2-x64.dmp info",
        "vista-sp2-x64.dmp -c info;nonsense",
    ] {
        bench.write("report", "what was there");
        assert_eq!(bench.run(&format!("{line} -o report")).status, 2, "{line}");
        assert_ne!(bench.read("report"), b"what was there", "{line}");
    }
}

/// Command lines that read a file, with that file.
const READS: [(&str, &str); 20] = [
    ("vista-sp2-x64.dmp info", "vista-sp2-x64.dmp"),
    ("vista-sp2-x64.dmp second.dmp info", "second.dmp"),
    ("none.dmp second.dmp hang --format json", "second.dmp"),
    ("vista-sp2-x64.dmp second.dmp diff", "vista-sp2-x64.dmp"),
    ("vista-sp2-x64.dmp second.dmp diff --format csv", "second.dmp"),
    ("second.dmp triage", "second.dmp"),
    ("vista-sp2-x64.dmp second.dmp triage", "second.dmp"),
    (". triage", "second.dmp"),
    (". triage", "vista-sp2-x64.pdb"),
    ("second.dmp triage -y kernel.pack", "kernel.pack"),
    ("second.dmp -y vista-sp2-x64.pdb hang", "vista-sp2-x64.pdb"),
    ("second.dmp -y kernel.pack hang", "kernel.pack"),
    // Found beside the dump.
    ("vista-sp2-x64.dmp hang", "vista-sp2-x64.pdb"),
    ("vista-sp2-x64.dmp second.dmp diff", "vista-sp2-x64.pdb"),
    (
        "vista-sp2-x64.dmp message fffffa8018201000 --format json",
        "vista-sp2-x64.pdb",
    ),
    ("vista-sp2-x64.dmp check --rules failing.toml", "failing.toml"),
    ("vista-sp2-x64.dmp hang --redact names --redact-key key", "key"),
    ("vista-sp2-x64.dmp -c $<commands.txt", "commands.txt"),
    ("vista-sp2-x64.dmp -c info;$$><commands.txt", "commands.txt"),
    ("second.dmp triage --resume done.ndjson", "done.ndjson"),
];

#[test]
fn what_is_read_is_not_replaced() {
    let bench = Bench::new();
    let pack = bench.run("vista-sp2-x64.pdb pack -o kernel.pack");
    assert_eq!(pack.status, 0, "{}", pack.stderr);
    bench.write("done.ndjson", "");
    for (line, file) in READS {
        let before = bench.read(file);
        let mut names = vec![file.to_owned(), format!("./{file}")];
        let others = other_names(&bench, file);
        names.extend(others.iter().cloned());
        for name in names {
            let run = bench.run(&format!("{line} --output {name}"));
            assert_eq!(run.status, 2, "{line} -o {name}: {}", run.stderr);
            assert!(
                run.stderr.contains("not overwritten") || run.stderr.contains("would replace"),
                "{line} -o {name}: {}",
                run.stderr
            );
            assert!(bench.read(file) == before, "{line} -o {name}");
        }
        for name in others {
            fs::remove_file(bench.path(&name)).unwrap();
        }
    }
    assert!(!bench.names().iter().any(|name| name.starts_with('.')));
    // The same names are free for others.
    let free = bench.run("second.dmp info -o failing.toml");
    assert_eq!(free.status, 0, "{}", free.stderr);
    assert_ne!(bench.read("failing.toml"), b"[[wait]]\nlongest = \"1m\"\n");
}

/// A link and one more name of the file itself.
#[cfg(unix)]
fn other_names(bench: &Bench, file: &str) -> Vec<String> {
    std::os::unix::fs::symlink(file, bench.path("link")).unwrap();
    fs::hard_link(bench.path(file), bench.path("twin")).unwrap();
    vec!["link".to_owned(), "twin".to_owned()]
}

#[cfg(not(unix))]
fn other_names(_: &Bench, _: &str) -> Vec<String> {
    Vec::new()
}

#[test]
fn a_pack_is_there_whole_or_not_at_all_and_replaces_nothing() {
    let bench = Bench::new();
    bench.write("pack", "what was there");
    let refused = bench.run("vista-sp2-x64.pdb pack -o pack");
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("is there already"), "{}", refused.stderr);
    assert_eq!(bench.read("pack"), b"what was there");
    fs::remove_file(bench.path("pack")).unwrap();
    let made = bench.run("vista-sp2-x64.pdb pack -o pack");
    assert_eq!(made.status, 0, "{}", made.stderr);
    assert!(!bench.names().iter().any(|name| name.starts_with('.')));
}

#[test]
fn quiet_hides_no_error() {
    let wrong = format!("{MESSAGE}\nxyz\nfffffa8018201000\n");
    for format in ["text", "json", "ndjson", "csv"] {
        let line = [DUMP, "message", "-", "--format", format];
        let run = alpc_dump_with_input(&line, &wrong);
        let quiet = alpc_dump_with_input(&[&line[..], &["-q"]].concat(), &wrong);
        assert_eq!((quiet.status, run.status), (2, 2));
        for part in ["xyz", "fffffa8018201000"] {
            assert!(run.stderr.contains(part), "{format}: {}", run.stderr);
            assert!(quiet.stderr.contains(part), "{format}: {}", quiet.stderr);
        }
        assert_eq!(quiet.stderr.lines().count(), 2, "{}", quiet.stderr);
    }
    for line in [
        &["none.dmp", "info", "-q"][..],
        &[DUMP, "-c", "nonsense", "-q"],
        &[DUMP, "pack", "-q"],
        &["src", "-q"],
        &["-q", "man", "nothing"],
        &[DUMP, "triage", "--resume", "src", "-q"],
        &[DUMP, "hang", "-q", "-o", "src"],
    ] {
        let run = alpc_dump(line);
        assert_eq!(run.status, 2, "{line:?}");
        assert!(!run.stderr.is_empty(), "{line:?}");
    }
}

#[test]
fn placeholders_leave_the_words_of_a_drawing_alone() {
    let bench = Bench::new();
    for folder in ["a", "digraph", "flowchart", "data"] {
        fs::create_dir(bench.path(folder)).unwrap();
        fs::copy(bench.path("second.dmp"), bench.path(&format!("{folder}/x.dmp"))).unwrap();
        for format in ["dot", "mermaid", "html", "svg"] {
            let line = format!("{folder}/x.dmp -y vista-sp2-x64.pdb graph -q --format {format}");
            let plain = bench.run(&line);
            let redacted = bench.run(&format!("{line} --redact paths"));
            assert_eq!((plain.status, redacted.status), (0, 0));
            // Names stand in quotes, and in the data of a page.
            let frame = |drawing: &str| -> Vec<String> {
                let lines = drawing.lines().filter(|line| !line.starts_with("const title"));
                lines
                    .map(|line| line.split('"').step_by(2).collect::<Vec<_>>().join("\"\""))
                    .collect()
            };
            assert_eq!(frame(&redacted.stdout), frame(&plain.stdout), "{folder} {format}");
        }
    }
}

#[test]
fn lines_beside_a_command_are_refused() {
    for line in [
        &[DUMP, "-c", "info", "hang"][..],
        &["-c", "info", DUMP, "hang"],
        &[DUMP, "-c", "info", "/m", MESSAGE],
        &[DUMP, "-c", "info", "-c", "processes", "triage"],
        &["-c", "info", "schema"],
    ] {
        let run = alpc_dump(line);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{line:?}");
        assert!(
            run.stderr.contains("-c is given beside"),
            "{line:?}: {}",
            run.stderr
        );
    }
    assert_eq!(alpc_dump(&[DUMP, "-c", "info", "-c", "processes"]).status, 0);
}

/// A file of eight GiB that takes no room.
fn endless(folder: &Path) -> PathBuf {
    let path = folder.join("endless");
    fs::File::create(&path).unwrap().set_len(8 << 30).unwrap();
    path
}

#[test]
fn everything_that_is_read_whole_has_a_cap() {
    let bench = Bench::new();
    let endless = endless(bench.folder.path());
    for (line, most) in [
        (
            "vista-sp2-x64.dmp check --rules endless",
            "a rule file has at most 1 MiB",
        ),
        (
            "vista-sp2-x64.dmp hang --redact names --redact-key endless",
            "a key has at most 1 MiB",
        ),
        (
            "vista-sp2-x64.dmp -c $<endless",
            "a file of commands has at most 1 MiB",
        ),
    ] {
        let run = bench.run(line);
        assert_eq!(run.status, 2, "{line}");
        assert!(run.stderr.contains(most), "{line}: {}", run.stderr);
    }
    let stdin = std::process::Command::new(env!("CARGO_BIN_EXE_alpc-dump"))
        .args([fixture("vista-sp2-x64.dmp").to_str().unwrap(), "message", "-"])
        .stdin(fs::File::open(endless).unwrap())
        .output()
        .unwrap();
    assert_eq!(stdin.status.code(), Some(2));
    let said = String::from_utf8(stdin.stderr).unwrap();
    assert!(
        said.contains("the list of messages on stdin has at most 16 MiB"),
        "{said}"
    );
}

#[cfg(unix)]
mod unix {
    use std::io::{PipeReader, Read, pipe};
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    use std::process::{Command, Stdio};

    use super::*;

    /// Runs a line of a shell in the folder; `$dump` is the program with the fixture.
    fn sh(bench: &Bench, shell: &str, line: &str) -> std::process::Output {
        Command::new(shell)
            .args(["-c", line])
            .current_dir(bench.folder.path())
            .env_remove("_NT_SYMBOL_PATH")
            .env_remove("_NT_ALT_SYMBOL_PATH")
            .env("exe", env!("CARGO_BIN_EXE_alpc-dump"))
            .output()
            .unwrap()
    }

    fn text(bench: &Bench) -> Vec<u8> {
        bench.run("second.dmp hang -q").stdout.into_bytes()
    }

    #[test]
    fn devices_are_written_where_they_are() {
        let bench = Bench::new();
        let made = sh(&bench, "sh", "mknod null c 1 3 && mknod full c 1 7");
        if !made.status.success() {
            eprintln!("skipped: only the superuser makes devices");
            return;
        }
        for (line, null, full) in [
            ("second.dmp hang -o", 0, 2),
            ("second.dmp hang --format json -o", 0, 2),
            ("second.dmp check --rules failing.toml -o", 1, 2),
            ("second.dmp triage -o", 0, 2),
            ("vista-sp2-x64.pdb pack -o", 0, 2),
            ("schema -o", 0, 2),
        ] {
            assert_eq!(bench.run(&format!("{line} null")).status, null, "{line}");
            assert_eq!(bench.run(&format!("{line} full")).status, full, "{line}");
            for name in ["null", "full"] {
                let kind = fs::symlink_metadata(bench.path(name)).unwrap().file_type();
                assert!(kind.is_char_device(), "{line} {name}");
            }
        }
    }

    #[test]
    fn a_fifo_gets_what_is_written() {
        let bench = Bench::new();
        assert!(sh(&bench, "sh", "mkfifo fifo").status.success());
        let wanted = text(&bench);
        for line in ["hang -q", "triage -q"] {
            let line =
                format!("cat fifo >got & $exe second.dmp {line} -o fifo; status=$?; wait; exit $status");
            let run = sh(&bench, "sh", &line);
            assert!(run.status.success(), "{run:?}");
            assert!(
                fs::symlink_metadata(bench.path("fifo"))
                    .unwrap()
                    .file_type()
                    .is_fifo()
            );
            assert!(!bench.read("got").is_empty());
            if line.contains("hang") {
                assert_eq!(bench.read("got"), wanted);
            }
        }
    }

    #[test]
    fn links_are_followed() {
        let bench = Bench::new();
        let wanted = text(&bench);
        bench.write("target", "old");
        symlink("target", bench.path("one")).unwrap();
        symlink("one", bench.path("two")).unwrap();
        symlink("new", bench.path("dangling")).unwrap();
        for (link, file) in [("two", "target"), ("dangling", "new")] {
            assert_eq!(bench.run(&format!("second.dmp hang -q -o {link}")).status, 0);
            assert!(bench.path(link).is_symlink(), "{link}");
            assert!(!bench.path(file).is_symlink());
            assert_eq!(bench.read(file), wanted, "{link}");
        }
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_new_one_has_that_of_others() {
        let bench = Bench::new();
        let mode = |name: &str| fs::metadata(bench.path(name)).unwrap().permissions().mode() & 0o777;
        for kept in [0o600, 0o640, 0o664, 0o666] {
            bench.write("report", "old");
            fs::set_permissions(bench.path("report"), fs::Permissions::from_mode(kept)).unwrap();
            for line in ["second.dmp info", "second.dmp triage", "schema"] {
                assert_eq!(bench.run(&format!("{line} -q -o report")).status, 0);
                assert_eq!(mode("report"), kept, "{line}");
            }
        }
        let run = sh(
            &bench,
            "sh",
            "umask 027; $exe second.dmp info -q -o new && touch other",
        );
        assert!(run.status.success(), "{run:?}");
        assert_eq!(mode("new"), mode("other"));
        // What may not be written is not replaced either; the superuser may.
        let run = sh(
            &bench,
            "sh",
            "chmod 444 report; if [ $(id -u) = 0 ]; then exit 2; fi; $exe second.dmp info -q -o report",
        );
        assert_eq!(run.status.code(), Some(2));
    }

    #[test]
    fn what_a_shell_opened_is_written_at_its_end() {
        let bench = Bench::new();
        let wanted = text(&bench);
        let head = b"head\n".as_slice();
        for to in [
            "-o /dev/stdout >>log",
            "-o /dev/fd/1 >>log",
            "-o /dev/fd/3 3>>log",
            "-o /dev/stderr 2>>log",
        ] {
            fs::write(bench.path("log"), head).unwrap();
            let run = sh(&bench, "sh", &format!("$exe second.dmp hang -q {to}"));
            assert_eq!(run.status.code(), Some(0), "{to}: {run:?}");
            assert_eq!(bench.read("log"), [head, &wanted].concat(), "{to}");
        }
        let piped = sh(&bench, "sh", "$exe second.dmp hang -q -o /dev/stdout | cat");
        assert_eq!(piped.stdout, wanted);
        let bash = sh(
            &bench,
            "bash",
            "$exe second.dmp hang -q -o >(cat >log; touch done); until [ -e done ]; do sleep 0.1; done",
        );
        if bash.status.code() != Some(127) {
            assert!(bash.status.success(), "{bash:?}");
            assert_eq!(bench.read("log"), wanted);
        }
    }

    /// The folder of a file can be as private as its name.
    #[test]
    fn an_error_tells_no_temporary_name() {
        let bench = Bench::new();
        if !Path::new("/proc/self/fdinfo").exists() {
            eprintln!("skipped: there is no folder at hand in which nobody may write");
            return;
        }
        for line in ["second.dmp hang", "vista-sp2-x64.pdb pack"] {
            let run = bench.run(&format!("{line} -o /proc/self/fdinfo/report"));
            assert_eq!(run.status, 2);
            assert!(
                run.stderr.contains("/report: cannot be written: ") && !run.stderr.contains(".alpc-dump-"),
                "{}",
                run.stderr
            );
        }
    }

    #[test]
    fn a_file_that_may_not_grow_is_no_file() {
        let bench = Bench::new();
        bench.write("report", "old");
        for (line, file) in [
            ("vista-sp2-x64.pdb pack", "pack"),
            ("second.dmp graph --format html", "new.html"),
            ("second.dmp graph --format html", "report"),
        ] {
            let run = sh(&bench, "sh", &format!("ulimit -f 4; $exe {line} -q -o {file}"));
            assert_eq!(run.status.code(), Some(2), "{line}: {run:?}");
            assert!(file == "report" || !bench.path(file).exists());
        }
        assert_eq!(bench.read("report"), b"old");
        assert!(!bench.names().iter().any(|name| name.starts_with('.')));
    }

    /// What stdin is read from is an input too.
    #[test]
    fn a_list_on_stdin_is_not_replaced() {
        let bench = Bench::new();
        let run = sh(&bench, "sh", "$exe second.dmp message - -q -o list.txt <list.txt");
        assert_eq!(run.status.code(), Some(2), "{run:?}");
        assert_eq!(bench.read("list.txt"), MESSAGE.as_bytes());
    }

    #[test]
    fn memory_is_bounded_whatever_is_read_whole() {
        let bench = Bench::new();
        endless(bench.folder.path());
        for line in [
            "message - <endless",
            "check --rules endless",
            "hang --redact names --redact-key endless",
            "-c '$<endless'",
        ] {
            let run = sh(
                &bench,
                "sh",
                &format!("ulimit -v 1000000; $exe second.dmp {line}"),
            );
            assert_eq!(run.status.code(), Some(2), "{line}: {run:?}");
        }
    }

    /// Where a stream leads.
    #[derive(Clone, Copy, Debug)]
    enum End {
        Read,
        Closed,
        Full,
    }

    fn end(end: End) -> (Stdio, Option<PipeReader>) {
        let (reader, writer) = pipe().unwrap();
        match end {
            End::Read => (writer.into(), Some(reader)),
            End::Closed => (writer.into(), None),
            End::Full => {
                let full = fs::OpenOptions::new().write(true).open("/dev/full");
                (full.unwrap().into(), None)
            }
        }
    }

    /// The exit status, and what stdout gave where it was read.
    fn run(bench: &Bench, line: &str, out: End, err: End) -> (i32, Vec<u8>) {
        let (stdout, out) = end(out);
        let (stderr, err) = end(err);
        let mut command = Command::new(env!("CARGO_BIN_EXE_alpc-dump"));
        command
            .args(line.split(' ').filter(|word| !word.is_empty()))
            .current_dir(bench.folder.path())
            .env_remove("_NT_SYMBOL_PATH")
            .env_remove("_NT_ALT_SYMBOL_PATH")
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr);
        let mut child = command.spawn().unwrap();
        // Its ends of the pipes are this process's too until it goes.
        drop(command);
        let drain = |from: Option<PipeReader>| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                from.map(|mut from| from.read_to_end(&mut bytes));
                bytes
            })
        };
        let (out, err) = (drain(out), drain(err));
        let status = child.wait().unwrap().code();
        err.join().unwrap();
        (status.expect("it ended by itself"), out.join().unwrap())
    }

    /// Commands with their status when all goes well, and when nobody reads stdout.
    const LINES: [(&str, i32, i32); 25] = [
        ("second.dmp hang", 0, 0),
        ("second.dmp processes --format csv", 0, 0),
        ("second.dmp ports --format ndjson", 0, 0),
        ("second.dmp ports --format json", 0, 0),
        ("second.dmp graph --format html", 0, 0),
        ("second.dmp -c info;processes", 0, 0),
        ("second.dmp message fffffa8018201000 --format json", 1, 1),
        ("none.dmp hang", 2, 2),
        ("none.dmp hang --format json", 2, 2),
        ("none.dmp hang --format ndjson", 2, 2),
        ("second.dmp -c info;nonsense --format json", 2, 2),
        ("second.dmp hang --longer-than 1m", 1, 1),
        ("second.dmp symbols --check -y nowhere", 0, 0),
        ("second.dmp check --rules failing.toml", 1, 1),
        ("second.dmp check --rules failing.toml --format json", 1, 1),
        ("second.dmp check --rules failing.toml --format ndjson", 1, 1),
        ("second.dmp check --rules failing.toml --format csv", 1, 1),
        ("second.dmp check --rules failing.toml --format junit", 1, 1),
        ("second.dmp check --rules failing.toml --format sarif", 1, 1),
        ("second.dmp -c hang;check\u{a0}--rules\u{a0}failing.toml", 1, 1),
        ("second.dmp second.dmp diff", 0, 0),
        ("second.dmp none.dmp diff", 2, 2),
        ("second.dmp none.dmp triage", 2, 2),
        ("none.dmp triage --format text", 2, 2),
        ("--bogus", 2, 2),
    ];

    /// Those that tell of the program itself.
    const ABOUT: [&str; 7] = [
        "--version",
        "--help",
        "help hang",
        "schema",
        "completions bash",
        "man",
        "man hang",
    ];

    #[test]
    fn a_verdict_stays_whatever_happens_to_the_pipes() {
        let bench = Bench::new();
        let about = ABOUT.map(|line| (line, 0, 0));
        for (line, wanted, unread) in LINES.into_iter().chain(about) {
            let (status, stdout) = run(&bench, line, End::Read, End::Read);
            assert_eq!(status, wanted, "{line}");
            for err in [End::Closed, End::Full] {
                assert_eq!(
                    run(&bench, line, End::Read, err),
                    (wanted, stdout.clone()),
                    "{line}, stderr {err:?}"
                );
            }
            assert_eq!(run(&bench, line, End::Closed, End::Read).0, unread, "{line}");
            assert_eq!(run(&bench, line, End::Closed, End::Closed).0, unread, "{line}");
            // A command that writes nothing has nothing to lose.
            let full = if stdout.is_empty() { wanted } else { 2 };
            assert_eq!(run(&bench, line, End::Full, End::Read).0, full, "{line}");
            assert_eq!(run(&bench, line, End::Full, End::Full).0, full, "{line}");
        }
    }

    #[test]
    fn a_view_that_nobody_reads_is_no_error() {
        let bench = Bench::new();
        let mut cut = bench.read("second.dmp");
        cut.truncate(cut.len() * 3 / 4);
        fs::write(bench.path("cut.dmp"), cut).unwrap();
        let line = "cut.dmp -y vista-sp2-x64.pdb processes";
        assert_eq!(run(&bench, line, End::Read, End::Read).0, 3);
        assert_eq!(run(&bench, line, End::Closed, End::Read).0, 0);
        assert_eq!(run(&bench, line, End::Read, End::Closed).0, 3);
    }

    #[test]
    fn a_file_is_written_though_nobody_reads_stderr() {
        let bench = Bench::new();
        for line in [
            "second.dmp check --rules failing.toml --format junit",
            "second.dmp check --rules failing.toml --format sarif",
            "second.dmp hang",
            "second.dmp none.dmp triage",
            "second.dmp second.dmp diff",
            "second.dmp message fffffa8018201000 --format json",
        ] {
            let (wanted, stdout) = run(&bench, line, End::Read, End::Read);
            for err in [End::Closed, End::Full] {
                let (status, _) = run(&bench, &format!("{line} -o report"), End::Read, err);
                assert_eq!(status, wanted, "{line}");
                let file = bench.read("report");
                assert!(file.len() >= stdout.len(), "{line}");
                fs::remove_file(bench.path("report")).unwrap();
            }
        }
    }
}
