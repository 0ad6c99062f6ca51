//! One dump in a process of its own: what becomes of that process, be it a crash, is one record.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::commands::triage::record::Problem;
use crate::host::interrupt::Running;

/// The most that a record may take; beyond is no record.
pub const RECORD: u64 = 16 << 20;

/// How much of what a process says on stderr is kept, from the end.
const LAST_WORDS: usize = 2048;

/// What Rust's runtime says behind the reason of a panic or of an abort.
const EPILOGUES: [&str; 2] = ["note: ", "skipping backtrace printing"];

/// How often a supervisor looks whether everything is to stop.
const GLANCE: Duration = Duration::from_millis(100);

/// How long to wait for another process to end, before the next attempt at starting one.
const RETRY: Duration = Duration::from_millis(10);

/// How the processes are started.
pub struct Supervisor<'s> {
    /// This program.
    pub program: PathBuf,
    /// What follows the dump on its command line.
    pub args: Vec<OsString>,
    /// How long one may take.
    pub timeout: Option<Duration>,
    /// Set when the rest is not wanted any more.
    pub stop: &'s AtomicBool,
    /// How many of them there are now. Held while one is started.
    pub at_work: Mutex<usize>,
}

impl Supervisor<'_> {
    /// The record of a dump, on one line without its line feed, also read; or why there is none.
    pub fn run(&self, dump: &Path) -> Result<(String, Json), Problem> {
        let Some(_running) = Running::begin() else {
            return Err(self.overdue());
        };
        let mut command = Command::new(&self.program);
        command
            .arg(dump)
            .args(&self.args)
            // It ends when nobody holds the other end any more.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        apart(&mut command);
        let mut child = self.start(&mut command).map_err(|error| {
            Problem::new(
                "process-not-started",
                format!("no process could be started for it: {error}"),
            )
        })?;
        let watched = self.watch(&mut child);
        *self.at_work() -= 1;
        watched.unwrap_or_else(|error| {
            Err(Problem::new(
                "process-died",
                format!("its process is lost: {error}"),
            ))
        })
    }

    /// Starts a process. Descriptors and processes that there are too few of are given back when another one ends, so
    /// this is no failure before it is the only one: `ulimit -n 16` is enough for one dump, and not for one a core.
    fn start(&self, command: &mut Command) -> io::Result<Child> {
        loop {
            {
                let mut at_work = self.at_work();
                match command.spawn() {
                    Err(error)
                        if *at_work > 0 && is_shortage(&error) && !self.stop.load(Ordering::Relaxed) => {}
                    started => {
                        *at_work += usize::from(started.is_ok());
                        return started;
                    }
                }
            }
            thread::sleep(RETRY);
        }
    }

    fn at_work(&self) -> MutexGuard<'_, usize> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, child: &mut Child) -> io::Result<Result<(String, Json), Problem>> {
        let (send, receive) = channel();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // Held until the process has ended: see the other end in `worker`, which takes its closing for this
        // one's death.
        let _lifeline = child.stdin.take();
        thread::spawn(move || send.send(stdout.map_or_else(Vec::new, first_bytes)));
        let last_words = thread::spawn(move || stderr.map_or_else(Vec::new, last_bytes));
        let output = self.wait(&receive);
        if output.as_ref().is_none_or(|output| output.len() as u64 > RECORD) {
            // It may have ended by itself just now.
            let _ = child.kill();
        }
        let status = child.wait()?;
        let Some(output) = output else {
            return Ok(Err(self.overdue()));
        };
        let last_words = last_words.join().unwrap_or_default();
        Ok(record(output).ok_or_else(|| death(status, &last_words)))
    }

    /// What it wrote, once it has closed its stdout; none when that takes too long.
    fn wait(&self, output: &Receiver<Vec<u8>>) -> Option<Vec<u8>> {
        let begun = Instant::now();
        loop {
            let left = match self.timeout {
                Some(timeout) => timeout.checked_sub(begun.elapsed())?,
                None => GLANCE,
            };
            match output.recv_timeout(left.min(GLANCE)) {
                Ok(bytes) => return Some(bytes),
                Err(RecvTimeoutError::Disconnected) => return Some(Vec::new()),
                Err(RecvTimeoutError::Timeout) if self.stop.load(Ordering::Relaxed) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn overdue(&self) -> Problem {
        let seconds = self.timeout.unwrap_or_default().as_secs();
        Problem::new(
            "timeout",
            format!("it was not done after {seconds} s, and its process was stopped"),
        )
    }
}

/// Whether the system has too little of something for one more process now.
#[cfg(unix)]
fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::AGAIN | Errno::NOMEM)
    )
}

#[cfg(not(unix))]
fn is_shortage(_: &io::Error) -> bool {
    false
}

/// Has a process not get what a terminal sends to all that runs in it, such as Ctrl-C: it would look as if the dump had
/// ended it.
fn apart(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(windows)]
    {
        /// CREATE_NEW_PROCESS_GROUP
        const NEW_GROUP: u32 = 0x200;
        // Ctrl-C is switched off for all processes of a new group (Microsoft's "Process Creation Flags").
        std::os::windows::process::CommandExt::creation_flags(command, NEW_GROUP);
    }
}

fn first_bytes(from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was read before an error is looked at all the same.
    let _ = from.take(RECORD + 1).read_to_end(&mut bytes);
    bytes
}

fn last_bytes(mut from: impl Read) -> Vec<u8> {
    let mut last = Vec::new();
    let mut buffer = [0; LAST_WORDS];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        last.extend_from_slice(&buffer[..read]);
        // Read to its end whatever is kept: a pipe holds 64 KiB on Linux and less elsewhere (pipe(7)), and who
        // writes more to one that nobody reads waits for ever.
        last.drain(..last.len().saturating_sub(LAST_WORDS));
    }
    last
}

/// One whole line that is the record of a dump.
fn record(output: Vec<u8>) -> Option<(String, Json)> {
    let mut line = String::from_utf8(output).ok()?;
    // Without the last line feed it may have been killed while it wrote, and half of a number is a number too.
    if line.pop() != Some('\n') || line.contains('\n') {
        return None;
    }
    let json: Json = serde_json::from_str(&line).ok()?;
    (json["record"] == crate::commands::triage::record::NAME).then_some((line, json))
}

fn death(status: ExitStatus, last_words: &[u8]) -> Problem {
    // How processes die of a dump, and what they leave: `memory allocation of N bytes failed` and SIGABRT at a
    // limit; `has overflowed its stack` and SIGABRT; SIGBUS and no word when a mapped file shrinks; SIGKILL and
    // no word when Linux ran out of memory and chose them. Windows has a number: `exit code: 0xc0000005` for a
    // wild read (MS-ERREF).
    let last_words = String::from_utf8_lossy(last_words);
    let last = last_words
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty() && !EPILOGUES.iter().any(|words| line.starts_with(words)));
    let said = last.map(|line| format!(": {line}")).unwrap_or_default();
    Problem::new(
        "process-died",
        format!("its process ended without a record ({status}){said}"),
    )
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    /// A shell script in the place of the program; `$1` is the dump.
    fn run(script: &str, timeout: Option<Duration>) -> Result<(String, Json), Problem> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        fs::write(&path, script).unwrap();
        let supervisor = Supervisor {
            program: "/bin/sh".into(),
            args: vec!["a.dmp".into()],
            timeout,
            stop: &AtomicBool::new(false),
            at_work: Mutex::default(),
        };
        supervisor.run(&path)
    }

    #[test]
    fn a_record_is_passed_on_as_it_is() {
        let (line, json) = run(
            r#"echo '{"record":"triage",  "dump":"'$1'"}'; echo talk >&2"#,
            None,
        )
        .unwrap();
        assert_eq!(line, r#"{"record":"triage",  "dump":"a.dmp"}"#);
        assert_eq!(json["dump"], "a.dmp");
    }

    #[test]
    fn a_process_that_hangs_is_stopped() {
        let problem = run("exec sleep 600", Some(Duration::from_secs(1))).unwrap_err();
        assert_eq!(problem.id, "timeout");
        assert_eq!(
            problem.text,
            "it was not done after 1 s, and its process was stopped"
        );
    }

    #[test]
    fn a_process_that_dies_says_how() {
        let died = |script: &str| {
            let problem = run(script, None).unwrap_err();
            assert_eq!(problem.id, "process-died", "{}", problem.text);
            problem.text
        };
        assert_eq!(
            died("kill -9 $$"),
            "its process ended without a record (signal: 9 (SIGKILL))"
        );
        assert_eq!(
            died(r#"printf 'thread main panicked at x:\nno luck\nnote: run with y\n' >&2; exit 101"#),
            "its process ended without a record (exit status: 101): no luck"
        );
        for no_record in [
            "true",
            "echo talk",
            r#"printf '{"record":"triage"}'"#,
            r#"echo '{"record":"triage"}'; echo '{"record":"triage"}'"#,
            r#"echo '{"record":"group"}'"#,
            r"printf '\377\n'",
        ] {
            died(no_record);
        }
    }

    #[test]
    fn a_process_that_never_stops_talking_is_stopped() {
        assert_eq!(run("yes", None).unwrap_err().id, "process-died");
        let problem = run("yes >&2", Some(Duration::from_secs(1))).unwrap_err();
        assert_eq!(problem.id, "timeout");
    }

    #[test]
    fn a_program_that_is_not_there() {
        let supervisor = Supervisor {
            program: "/nonexistent/program".into(),
            args: Vec::new(),
            timeout: None,
            stop: &AtomicBool::new(false),
            at_work: Mutex::default(),
        };
        let problem = supervisor.run(Path::new("a.dmp")).unwrap_err();
        assert_eq!(problem.id, "process-not-started");
    }
}
