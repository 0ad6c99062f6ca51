//! What is left of a run that a signal ends: no temporary file, no process, no record of what was not looked at.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use support::{alpc_dump, fixture};
use tempfile::TempDir;

const ENDING: [Signal; 5] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::XCPU];

/// Waits for something that comes soon; gives up when it is certain that it never comes.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..6000 {
        if let Some(found) = look() {
            return found;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("it took minutes: {what}");
}

/// State, parent and group of a process.
fn process(pid: i32) -> Option<(char, i32, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut rest = stat.rsplit(')').next()?.split_whitespace();
    let state = rest.next()?.chars().next()?;
    Some((state, rest.next()?.parse().ok()?, rest.next()?.parse().ok()?))
}

/// Whether it is there, and more than an exit status that nobody has asked for.
fn runs(pid: i32) -> bool {
    process(pid).is_some_and(|(state, ..)| state != 'Z' && state != 'X')
}

fn children(parent: u32) -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse().ok()
    });
    pids.filter(|&pid| process(pid).is_some_and(|(_, of, _)| u32::try_from(of) == Ok(parent)))
        .collect()
}

fn pid(number: i32) -> Pid {
    Pid::from_raw(number).unwrap()
}

fn of(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alpc-dump"));
    command
        .env_remove("_NT_SYMBOL_PATH")
        .env_remove("_NT_ALT_SYMBOL_PATH")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Many dumps that are looked at, one of them in a process that is stopped: it does not end by itself.
struct Stuck {
    folder: TempDir,
    out: TempDir,
    parent: Child,
    child: i32,
}

impl Stuck {
    fn new(args: &[&str]) -> Self {
        Self::with(|_| {}, args)
    }

    fn with(change: impl Fn(&mut Command), args: &[&str]) -> Self {
        // A busy machine may let none of the processes be seen while it runs.
        let caught = (0..50).find_map(|_| Self::caught(&change, args));
        caught.expect("one of thousands of processes is seen")
    }

    /// One run, stopped where a process of it is seen before it ends. When no more begin the run has ended, or waits until
    /// somebody reads what it wrote.
    fn caught(change: impl Fn(&mut Command), args: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let out = tempfile::tempdir().unwrap();
        let dump = folder.path().join("0.dmp");
        fs::copy(fixture("vista-sp2-x64.dmp"), &dump).unwrap();
        for number in 1..300 {
            fs::hard_link(&dump, folder.path().join(format!("{number}.dmp"))).unwrap();
        }
        let symbols = fixture("vista-sp2-x64.pdb");
        let mut line = command();
        line.arg(folder.path())
            .args(["-y", symbols.to_str().unwrap(), "triage", "--jobs", "1"]);
        line.args(args).current_dir(out.path());
        change(&mut line);
        let mut parent = line.spawn().unwrap();
        for _ in 0..5000 {
            let child = children(parent.id()).into_iter().find(|&child| {
                // Before that it is still this program's image of the parent, about to become the child.
                process(child).is_some_and(|(_, _, group)| group == child)
            });
            let is_stopped = child.is_some_and(|child| {
                kill_process(pid(child), Signal::STOP).is_ok()
                    && process(child).is_some_and(|(state, ..)| state == 'T')
            });
            if let Some(child) = child.filter(|_| is_stopped) {
                return Some(Self {
                    folder,
                    out,
                    parent,
                    child,
                });
            }
            thread::sleep(Duration::from_millis(1));
        }
        let _ = parent.kill();
        let _ = parent.wait();
        None
    }

    /// What it wrote, and the signal that ended it.
    fn end(&mut self) -> (String, Option<i32>) {
        let mut text = String::new();
        self.parent
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        (text, self.parent.wait().unwrap().signal())
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        // When a test fails: nothing is to stay that is stopped.
        let _ = self.parent.kill();
        let _ = self.parent.wait();
        if process(self.child).is_some_and(|(state, ..)| state == 'T') {
            let _ = kill_process(pid(self.child), Signal::KILL);
        }
    }
}

#[test]
fn a_file_that_is_not_done_is_gone() {
    for signal in ENDING {
        let out = tempfile::tempdir().unwrap();
        let dump = fixture("vista-sp2-x64.dmp");
        let mut child = command()
            .arg(&dump)
            .args(["message", "-", "-o", "out.txt"])
            .current_dir(out.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // It waits for its stdin.
        wait_for("the temporary file", || {
            (!names(out.path()).is_empty()).then_some(())
        });
        // Waiting closes what is left of its stdin: it might be done before it notices the signal.
        let stdin = child.stdin.take();
        // Signals are watched before there is a file.
        kill_process(of(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
        drop(stdin);
        assert_eq!(names(out.path()), [""; 0], "{signal:?}");
    }
}

#[test]
fn no_process_and_no_file_stay() {
    for signal in ENDING {
        let mut stuck = Stuck::new(&["-o", "out.ndjson"]);
        wait_for("the temporary file", || {
            (!names(stuck.out.path()).is_empty()).then_some(())
        });
        kill_process(of(&stuck.parent), signal).unwrap();
        let (_, ended) = stuck.end();
        assert_eq!(ended, Some(signal.as_raw()));
        assert!(!runs(stuck.child), "{signal:?}: it ended before the program did");
        assert_eq!(names(stuck.out.path()), [""; 0], "{signal:?}");
    }
}

#[test]
fn a_dump_that_was_given_up_has_no_record() {
    for signal in [Signal::TERM, Signal::INT] {
        // As a terminal does it, to all processes in front.
        let mut stuck = Stuck::with(
            |line| {
                line.process_group(0);
            },
            &["--groups"],
        );
        kill_process_group(of(&stuck.parent), signal).unwrap();
        let (text, ended) = stuck.end();
        assert_eq!(ended, Some(signal.as_raw()));
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(
                (&record["record"], &record["status"]),
                (&"triage".into(), &"complete".into())
            );
        }
    }
}

#[test]
fn a_process_dies_with_the_program_even_if_that_is_killed() {
    let mut stuck = Stuck::new(&[]);
    stuck.parent.kill().unwrap();
    stuck.end();
    wait_for("the end of a process that is stopped", || {
        (!runs(stuck.child)).then_some(())
    });
}

/// What every system has: stdin is closed, whatever became of the one that held it.
#[test]
fn a_process_whose_program_is_gone_ends_by_itself() {
    let mut child = command()
        .arg(fixture("vista-sp2-x64.dmp"))
        .args(["triage", "--worker", "--format", "ndjson"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // While its stdin is open it does its work.
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(text.starts_with("{\"record\":\"triage\""), "{text}");
    // With a pipe for stdout that nobody reads it would stay for ever, were its stdin open.
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let script = format!(
        "exec \"$1\" \"$2\" triage --worker --format ndjson >{}",
        fifo.display()
    );
    let mut shell = Command::new("sh")
        .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_alpc-dump")])
        .arg(fixture("vista-sp2-x64.dmp"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let reader = fs::File::open(&fifo).unwrap();
    drop(shell.stdin.take());
    wait_for("its end", || shell.try_wait().unwrap());
    drop(reader);
}

#[test]
fn what_was_ignored_stays_ignored() {
    let out = tempfile::tempdir().unwrap();
    let mut child = Command::new("sh")
        .args([
            "-c",
            "trap '' HUP; exec \"$@\"",
            "sh",
            env!("CARGO_BIN_EXE_alpc-dump"),
        ])
        .arg(fixture("vista-sp2-x64.dmp"))
        .args(["message", "-", "-o", "out.txt"])
        .current_dir(out.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the temporary file", || {
        (!names(out.path()).is_empty()).then_some(())
    });
    kill_process(of(&child), Signal::HUP).unwrap();
    // Nothing more to read: it ends by itself, and the file has its name.
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().signal(), None);
    assert_eq!(names(out.path()), ["out.txt"]);
}

/// As the system tells it of a process that runs, in bytes; none where there is no limit, or the process is gone.
fn limit(pid: i32, name: &str) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let soft = limits.lines().find_map(|line| line.strip_prefix(name))?;
    soft.split_whitespace().next()?.parse().ok()
}

#[test]
fn memory_has_a_limit() {
    // A process is found when it begins; a moment later it has given itself the limit, and not much later it has ended:
    // one that ended before it was looked at says nothing, and another run is looked at.
    let limit_of = |args: &[&str]| {
        wait_for("a limit", || {
            let stuck = Stuck::new(args);
            kill_process(pid(stuck.child), Signal::CONT).unwrap();
            let length = fs::metadata(stuck.folder.path().join("0.dmp")).unwrap().len();
            while runs(stuck.child) {
                if let Some(told) = limit(stuck.child, "Max data size") {
                    return Some((told, length));
                }
            }
            None
        })
    };
    let (default, length) = limit_of(&[]);
    assert_eq!(default, (1 << 30) + length);
    assert_eq!(limit_of(&["--memory", "300M"]).0, 300 << 20);
}

/// One dump alone is no exception: what ends its process ends no more than that.
#[test]
fn a_dump_that_takes_too_much_memory_is_one_record() {
    let dump = fixture("vista-sp2-x64.dmp");
    let dump = dump.to_str().unwrap();
    for dumps in [&[dump][..], &[dump, dump]] {
        // A hash needs a buffer of more than that.
        let line = [dumps, &["triage", "--hash", "--memory", "64K"]].concat();
        let run = alpc_dump(&line);
        assert_eq!(run.status, 2, "{}{}", run.stdout, run.stderr);
        let records = run.lines();
        assert_eq!(records.len(), dumps.len());
        for record in records {
            assert_eq!(record["error"]["id"], "process-died", "{record}");
            let text = record["error"]["text"].as_str().unwrap();
            assert!(text.contains("bytes failed"), "{text}");
            assert_eq!(record["dump_size"], fs::metadata(dump).unwrap().len());
        }
    }
}
