//! One dump in one record: as flat as it can be, for tables, and of the same shape whatever became of the dump.

use std::fs;
use std::path::Path;

use alpc::Kernel;
use alpc::triage::{self, RootBlocker, Summary, TroubleCount};
use alpc::wait::hang::Hang;
use kdump::{Dump, Header, Machine};
use ntlayout::Identity;
use serde::Serialize;

use crate::cli::Cli;
use crate::failure::{Failure, Status};
use crate::output::json::Holes;
use crate::output::{narrow, time};
use crate::session::Session;

/// Version of the record; see the documentation for what may change without it.
pub const VERSION: u32 = 1;

/// The views whose loss takes something from the record.
const NEEDED: [&str; 5] = ["message", "port", "threads", "processes", "global"];

/// One dump. What could not be told is `null`; `error` and `problems` say why.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// What kind of record it is.
    pub record: Kind,
    /// [`VERSION`].
    pub version: u32,
    /// The program that wrote it, and its version.
    pub tool: &'static str,
    /// The dump's name, as it was given or found.
    pub dump: String,
    /// Its length in bytes.
    pub size: Option<u64>,
    /// The exit status that the dump alone gives: that of `hang`.
    pub status: u8,
    /// Why there is no more than this.
    pub error: Option<Problem>,
    /// What kind of dump it is.
    pub kind: Option<&'static str>,
    /// The machine type.
    pub machine: Option<String>,
    /// The build number of Windows.
    pub build: Option<u32>,
    /// Which PDB the kernel was linked with: name, GUID and age, as in a symbol store.
    pub kernel_pdb: Option<String>,
    /// The bug check.
    pub bug_check: Option<BugCheck>,
    /// When the system stopped, in ISO 8601, UTC.
    pub crash_time: Option<String>,
    /// The same in 100 ns since 1601.
    pub system_time: Option<u64>,
    /// How long it had run, in 100 ns.
    pub system_up_time: Option<u64>,
    /// Pages of 4 KiB that the dump claims to have.
    pub pages_claimed: Option<u64>,
    /// Those that are in the file.
    pub pages_present: Option<u64>,
    /// Which symbols served.
    pub symbols: Option<Symbols>,
    /// Ports that were found.
    pub ports: Option<usize>,
    /// Threads that were looked at.
    pub threads: Option<usize>,
    /// Threads that wait for an ALPC reply.
    pub waits: Option<usize>,
    /// Threads that wait for another thread or process.
    pub stuck: Option<usize>,
    /// The longest of their waits, in 100 ns.
    pub longest_wait: Option<u64>,
    /// Rings of proven waits.
    pub deadlocks: Option<usize>,
    /// Rings that need a step which is not proven.
    pub possible_deadlocks: Option<usize>,
    /// Where the chains of most threads end.
    pub root_blocker: Option<RootBlocker>,
    /// One line that is the same for the same hang on two machines.
    pub signature: Option<String>,
    /// What is wrong with the dump, its symbols or the system.
    pub problems: Vec<Problem>,
}

/// What a line of output is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A dump.
    Dump,
    /// Dumps that have the same signature, or the same error.
    Group,
}

/// Something wrong, with a stable id.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// A stable id, for scripts.
    pub id: String,
    /// It in words.
    pub text: String,
}

impl Problem {
    pub fn new(id: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            text: text.into(),
        }
    }
}

/// The bug check of the crash.
#[derive(Clone, Debug, Serialize)]
pub struct BugCheck {
    /// Its code.
    pub code: u32,
    /// Its parameters, in the digits of the system.
    pub parameters: [String; 4],
}

/// Which symbols served.
#[derive(Clone, Debug, Serialize)]
pub struct Symbols {
    /// Where they came from.
    pub source: String,
    /// Their identity.
    pub identity: Option<String>,
    /// How sure it is that they are the kernel's.
    pub certainty: String,
}

impl Record {
    /// A dump of which nothing is known but its name.
    pub fn of(dump: &Path) -> Self {
        Self {
            record: Kind::Dump,
            version: VERSION,
            tool: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
            dump: name(dump),
            size: size(dump),
            status: Status::Complete.code(),
            error: None,
            kind: None,
            machine: None,
            build: None,
            kernel_pdb: None,
            bug_check: None,
            crash_time: None,
            system_time: None,
            system_up_time: None,
            pages_claimed: None,
            pages_present: None,
            symbols: None,
            ports: None,
            threads: None,
            waits: None,
            stuck: None,
            longest_wait: None,
            deadlocks: None,
            possible_deadlocks: None,
            root_blocker: None,
            signature: None,
            problems: Vec::new(),
        }
    }

    /// A dump that gave nothing, and why.
    pub fn failed(dump: &Path, error: Problem) -> Self {
        let mut record = Self::of(dump);
        record.fail(Status::Fatal, error);
        record
    }

    /// The exit status that the dump alone gives.
    pub fn own_status(&self) -> Status {
        Status::of_code(self.status.into()).unwrap_or(Status::Fatal)
    }

    fn fail(&mut self, status: Status, error: Problem) {
        self.status = status.code();
        self.error = Some(error);
    }

    /// Opens a dump and gathers what can be told of it.
    pub fn gather(cli: &Cli, dump: &Path) -> Self {
        match Session::open(cli, dump) {
            Ok(session) => Self::of_session(&session, dump),
            Err(error) => {
                let failure = Failure::from_error(error);
                Self::failed(dump, Problem::new(failure.id, failure.message))
            }
        }
    }

    /// What can be told of an open dump.
    pub fn of_session(session: &Session, dump: &Path) -> Self {
        let mut record = Self::of(dump);
        record.size = Some(session.dump().file_len());
        record.add_dump(session.dump());
        record.kernel_pdb = session
            .image()
            .ok()
            .and_then(|image| Session::wanted(&image))
            .map(|wanted| wanted.to_string());
        match session.kernel() {
            Ok(kernel) => record.add_system(&kernel),
            Err(error) => {
                let failure = Failure::from_error(error);
                record.fail(failure.status, Problem::new(failure.id, failure.message));
            }
        }
        if session.dump().kernel_space().pointer_width() == 4 {
            let problems = record.problems.iter_mut().chain(&mut record.error);
            problems.for_each(|problem| problem.text = narrow::text(&problem.text));
        }
        record
    }

    fn add_dump(&mut self, dump: &Dump) {
        let header = dump.header();
        self.kind = Some(header.kind.name());
        self.machine = Some(header.machine.to_string());
        self.build = Some(header.minor_version);
        self.bug_check = bug_check(header);
        self.crash_time = header.system_time.and_then(time::iso);
        self.system_time = header.system_time;
        self.system_up_time = header.system_up_time;
        let pages = dump.coverage();
        if pages.claimed != 0 {
            self.pages_claimed = Some(pages.claimed);
            self.pages_present = Some(pages.present);
        }
        let notes = dump.notes().iter();
        self.problems
            .extend(notes.map(|note| Problem::new(note.id, note.text.clone())));
    }

    fn add_system(&mut self, kernel: &Kernel<'_>) {
        self.add_symbols(kernel);
        let (summary, hang) = triage::summary(kernel);
        let holes = holes(&hang);
        let found = if summary.deadlocks > 0 {
            Status::Finding
        } else {
            Status::Complete
        };
        let read = if holes.unreadable() {
            Status::Partial
        } else {
            Status::Complete
        };
        self.status = read.combine(found).code();
        self.add_summary(summary);
        let holes = holes.by_cause();
        self.problems
            .extend(holes.map(|(cause, text)| Problem::new(cause, text)));
    }

    fn add_symbols(&mut self, kernel: &Kernel<'_>) {
        let layout = kernel.layout();
        self.symbols = Some(Symbols {
            source: layout.origin().to_string(),
            identity: layout.identity().map(Identity::to_string),
            certainty: layout.certainty().to_string(),
        });
        let mut lost = alpc::contract::views_lost(layout.missing());
        lost.retain(|view| NEEDED.contains(view));
        if !lost.is_empty() {
            let missing: Vec<String> = layout.missing().iter().map(ToString::to_string).collect();
            self.problems.push(Problem::new(
                "symbols-incomplete",
                format!(
                    "the symbols lack {}: {} suffer",
                    missing.join(", "),
                    lost.join(", ")
                ),
            ));
        }
    }

    fn add_summary(&mut self, summary: Summary) {
        self.ports = summary.ports;
        self.threads = Some(summary.threads);
        self.waits = Some(summary.waits);
        self.stuck = Some(summary.stuck);
        self.longest_wait = summary.longest_wait;
        self.deadlocks = Some(summary.deadlocks);
        self.possible_deadlocks = Some(summary.possible_deadlocks);
        self.root_blocker = summary.root_blocker;
        self.signature = summary.signature;
        self.problems.extend(summary.troubles.iter().map(trouble));
    }
}

/// What the report could not tell.
fn holes(hang: &Hang) -> Holes {
    // A record that cannot be written as JSON is a bug, which the tests of `hang` would have found.
    serde_json::to_value(hang).map_or_else(|_| Holes::default(), |mut json| Holes::hoist(&mut json))
}

fn trouble(trouble: &TroubleCount) -> Problem {
    let worst = match &trouble.worst {
        Some(name) if trouble.ports > 1 => format!(", most at {name}"),
        Some(name) => format!(", {name}"),
        None => String::new(),
    };
    let ports = if trouble.ports == 1 { "port" } else { "ports" };
    Problem::new(
        format!("port-{}", trouble.trouble.name()),
        format!(
            "{}: {} at {} {ports}{worst}",
            trouble.trouble.meaning(),
            trouble.count,
            trouble.ports
        ),
    )
}

fn bug_check(header: &Header) -> Option<BugCheck> {
    let digits = if header.machine == Machine::I386 { 8 } else { 16 };
    let bug_check = header.bug_check.as_ref()?;
    Some(BugCheck {
        code: bug_check.code,
        parameters: bug_check.parameters.map(|value| format!("{value:0digits$x}")),
    })
}

/// A dump's name as records have it: as it was given, what was found in a folder with `/`.
pub fn name(dump: &Path) -> String {
    let name = dump.to_string_lossy();
    if cfg!(windows) {
        name.replace('\\', "/")
    } else {
        name.into_owned()
    }
}

/// The length of a file, asked for without opening it.
pub fn size(dump: &Path) -> Option<u64> {
    let metadata = fs::metadata(dump).ok()?;
    metadata.is_file().then(|| metadata.len())
}
