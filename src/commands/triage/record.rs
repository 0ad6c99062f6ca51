//! One dump in one record: as flat as it can be, for tables, and of the same shape whatever became of the dump.

use std::path::Path;

use alpc::Kernel;
use alpc::image::build_lab::build_lab;
use alpc::image::holes;
use alpc::report::triage::{self, RootBlocker, Summary, TroubleCount};
use alpc::wait::hang::Hang;
use kdump::{Dump, FileTime, Header, Machine, TimeSpan};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::kernel_identity::KernelIdentity;
use crate::failure::{Failure, Status};
use crate::options::Options;
use crate::output::document::{DumpRef, Line, SymbolSource, VERSION};
use crate::output::unreadable::Unreadables;
use crate::output::{answer, views_lost};
use crate::redact::Typed;
use crate::session::Session;

/// The kind of record, as each line names it.
pub const NAME: &str = "triage";

/// The views whose loss takes something from the record.
const NEEDED: [&str; 5] = ["message", "port", "threads", "processes", "global"];

/// One dump. What could not be determined is `null`; `error` and `problems` say why.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "TriageRecord"))]
pub struct Record {
    /// Version of the format.
    version: u32,
    /// The program that wrote it, and its version.
    tool: &'static str,
    /// The bytes of the dump's path in hex, when they are no valid text: `dump` then has U+FFFD for what is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})+$")))]
    dump_bytes: Option<String>,
    /// Bytes of the dump; null for what is no file.
    pub dump_size: Option<u64>,
    /// SHA-256 of the dump in hex, when `--hash` asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    dump_sha256: Option<String>,
    /// How the dump alone would end: as `hang` does on it.
    pub status: Status,
    /// Of what a part is missing, where one is.
    lacks: Option<Lacks>,
    /// Why there is no more than this.
    error: Option<Problem>,
    /// What kind of dump it is.
    kind: Option<&'static str>,
    /// The machine type.
    machine: Option<String>,
    /// The build number of Windows.
    build: Option<u32>,
    /// The releases of Windows that have this build.
    release: Option<String>,
    /// The build in the kernel's own words; null where it cannot be read.
    build_lab: Option<String>,
    /// Which PDB the kernel was linked with: name, GUID and age, as in a symbol store.
    kernel_pdb: Option<String>,
    /// Which kernel it is: version, keys of symbol servers, and where that was learned.
    kernel: Option<KernelIdentity>,
    /// The bug check.
    bug_check: Option<StopCode>,
    /// When the system stopped.
    crash_time: Option<FileTime>,
    /// How long it had run.
    up_time: Option<TimeSpan>,
    /// Pages of 4 KiB that the dump claims to have.
    pages_claimed: Option<u64>,
    /// Those that are in the file.
    pages_present: Option<u64>,
    /// Which symbols served.
    pub symbols: Option<SymbolSource>,
    /// Ports that were found.
    ports: Option<usize>,
    /// Threads that were looked at.
    threads: Option<usize>,
    /// Threads that wait for an ALPC reply.
    waits: Option<usize>,
    /// Threads that wait for another thread or process.
    stuck: Option<usize>,
    /// The longest of their waits.
    longest_wait: Option<TimeSpan>,
    /// Rings of proven waits.
    deadlocks: Option<usize>,
    /// Rings that need a step which is not proven.
    possible_deadlocks: Option<usize>,
    /// Connections whose ends are of another integrity or session, or of which one is in an AppContainer; null where that
    /// is not known of all.
    crossings: Option<usize>,
    /// Where the chains of most threads end.
    root_blocker: Option<RootBlocker>,
    /// One line that is the same for the same hang on two machines; `unknown` when no wait was found, but not all of
    /// the system could be looked at. None of a dump that could not be opened.
    signature: Option<String>,
    /// Beside a signature of a chain, in which function the thread at its end is: `in/1:nt!expwaitforresource`.
    signature_in: Option<String>,
    /// Beside it, which call the last of its messages is: `for/1:lsarlookupsids3`.
    signature_for: Option<String>,
    /// What is wrong with the dump, its symbols or the system.
    problems: Vec<Problem>,
}

/// Something wrong.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Problem {
    /// A stable id, for scripts.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[a-z0-9-]+$")))]
    pub id: String,
    /// It in words, which may change.
    pub text: String,
}

/// Of what a part is missing, and so what would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Lacks {
    /// Memory was paged out, is not in the dump, or is where the file is cut off: another dump.
    Pages,
    /// The symbols lack types, fields or variables: other symbols.
    Symbols,
    /// Both.
    PagesAndSymbols,
}

impl Lacks {
    fn and(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other != self => Self::PagesAndSymbols,
            _ => self,
        }
    }

    /// By the id of the cause of a hole; none for what is there, and contradicts what it should be.
    fn by_cause(cause: &str) -> Option<Self> {
        match cause {
            "no-member" | "no-global" | "not-told" | "disputed-member" => Some(Self::Symbols),
            "not-present" | "not-in-dump" | "out-of-file" | "not-in-triage-dump" | "header-only" | "io" => {
                Some(Self::Pages)
            }
            _ => None,
        }
    }
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
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct StopCode {
    /// Its code.
    code: u32,
    /// Its name in Microsoft's reference; none of a code that this does not have.
    name: Option<&'static str>,
    /// Its parameters in hex, in the digits of the system.
    parameters: [String; 4],
}

impl Record {
    /// A dump of which nothing is known but what its folder says.
    fn of(dump: &DumpRef) -> Self {
        Self {
            version: VERSION,
            tool: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
            dump_bytes: dump.bytes.clone(),
            dump_size: dump.size,
            dump_sha256: dump.sha256.clone(),
            status: Status::Complete,
            lacks: None,
            error: None,
            kind: None,
            machine: None,
            build: None,
            release: None,
            build_lab: None,
            kernel_pdb: None,
            kernel: None,
            bug_check: None,
            crash_time: None,
            up_time: None,
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
            crossings: None,
            root_blocker: None,
            signature: None,
            signature_in: None,
            signature_for: None,
            problems: Vec::new(),
        }
    }

    /// A dump that gave nothing, and why.
    pub fn failed(dump: &DumpRef, error: Problem) -> Self {
        let mut record = Self::of(dump);
        let text = dump.redactor.message(&error.text);
        record.fail(Status::Fatal, Problem { text, ..error });
        record
    }

    /// The record as a line, which names its kind and its dump.
    pub fn line(self, dump: &DumpRef) -> Line<Self> {
        Line {
            record: NAME,
            dump: dump.name.clone(),
            value: self,
        }
    }

    fn fail(&mut self, status: Status, error: Problem) {
        self.status = status;
        self.error = Some(error);
    }

    /// Opens a dump and gathers what can be told of it, and learns what of it must not be told.
    pub fn gather(options: &Options, typed: &Typed, path: &Path, dump: &mut DumpRef) -> Self {
        match Session::open(options, typed, path) {
            Ok(session) => {
                let record = Self::of_session(&session, dump);
                dump.redactor = session.redactor().clone();
                match session.file_failure() {
                    Some(error) => Self::of_error(dump, error),
                    None => record,
                }
            }
            Err(error) => Self::of_error(dump, error),
        }
    }

    fn of_error(dump: &DumpRef, error: anyhow::Error) -> Self {
        let failure = Failure::from_error(error);
        let message = dump.redactor.message(&failure.message);
        Self::failed(dump, Problem::new(failure.id, message))
    }

    /// What can be told of an open dump.
    pub fn of_session(session: &Session, dump: &DumpRef) -> Self {
        let mut record = Self::of(dump);
        record.add_dump(session.dump());
        record.kernel = KernelIdentity::of(session);
        record.kernel_pdb = record.kernel.as_ref().map(|kernel| kernel.pdb.clone());
        match session.kernel() {
            Ok(kernel) => record.add_system(&kernel, session),
            Err(error) => {
                let failure = Failure::from_error(error);
                let message = session.redactor().message(&failure.message);
                record.fail(failure.status, Problem::new(failure.id, message));
            }
        }
        record
    }

    fn add_dump(&mut self, dump: &Dump) {
        let header = dump.header();
        self.kind = Some(header.kind.name());
        self.machine = Some(header.machine.to_string());
        self.build = Some(header.minor_version);
        self.release = kdump::release_name(header.minor_version, header.product_type);
        self.bug_check = bug_check(header);
        self.crash_time = header.system_time;
        self.up_time = header.system_up_time;
        let pages = dump.coverage();
        // A triage dump claims none: it has blocks of virtual memory, and a file of header alone has neither.
        if pages.claimed != 0 {
            self.pages_claimed = Some(pages.claimed);
            self.pages_present = Some(pages.present);
        }
        let notes = dump.notes().iter();
        self.problems
            .extend(notes.map(|note| Problem::new(note.id, note.text.clone())));
    }

    fn add_system(&mut self, kernel: &Kernel<'_>, session: &Session) {
        self.add_symbols(kernel, session);
        self.build_lab = build_lab(kernel).ok();
        let (summary, hang) = triage::summary(kernel);
        let holes = holes(&hang);
        let found = if summary.deadlocks > 0 {
            Status::Finding
        } else {
            Status::Complete
        };
        self.status = self.status.combine(holes.status()).combine(found);
        self.add_summary(summary);
        let holes = holes.by_cause();
        let lacking = holes.iter().filter_map(|hole| Lacks::by_cause(&hole.cause));
        self.lacks = lacking.fold(self.lacks, |all, one| Some(one.and(all)));
        let holes = holes.into_iter().map(|hole| {
            let values = if hole.count == 1 { "value" } else { "values" };
            let text = format!(
                "{} {values} could not be determined, the first: {}",
                hole.count, hole.first
            );
            Problem::new(hole.cause, text)
        });
        self.problems.extend(holes);
    }

    fn add_symbols(&mut self, kernel: &Kernel<'_>, session: &Session) {
        let layout = kernel.layout();
        let symbols = answer::symbol_source(kernel, session.choice());
        self.symbols = Some(symbols.redacted(&session.redactor()));
        let mut lost = views_lost::of(layout.missing());
        lost.retain(|view| NEEDED.contains(view));
        if !lost.is_empty() {
            self.status = self.status.combine(Status::Partial);
            self.lacks = Some(Lacks::Symbols.and(self.lacks));
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
        self.crossings = summary.crossings;
        self.root_blocker = summary.root_blocker;
        self.signature = Some(summary.signature.to_string());
        self.signature_in = summary.signature_in;
        self.signature_for = summary.signature_for;
        self.problems.extend(summary.troubles.iter().map(trouble));
    }
}

/// What the report could not tell.
fn holes(hang: &Hang) -> Unreadables {
    // A record that cannot be written as JSON is a bug, which the tests of `hang` would have found.
    holes::holes(hang).map(Unreadables::of).unwrap_or_default()
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

fn bug_check(header: &Header) -> Option<StopCode> {
    let digits = if header.machine == Machine::I386 { 8 } else { 16 };
    let bug_check = header.bug_check.as_ref()?;
    Some(StopCode {
        code: bug_check.code,
        name: bug_check.name,
        parameters: bug_check.parameters.map(|value| format!("{value:0digits$x}")),
    })
}

#[cfg(test)]
mod tests {
    use alpc::Unreadable;

    use alpc::why;

    use super::*;

    #[test]
    fn what_is_lacking_follows_from_the_cause() {
        let (ty, member) = ("_KTHREAD", "WaitTime");
        for (hole, lacks) in [
            (Unreadable::FileCut(why!("")), Some(Lacks::Pages)),
            (Unreadable::NotTold { ty, member }, Some(Lacks::Symbols)),
            (Unreadable::Disputed { ty, member }, Some(Lacks::Symbols)),
            (Unreadable::NoGlobal { name: "x" }, Some(Lacks::Symbols)),
            // Neither other symbols nor another dump of the same would help.
            (Unreadable::Implausible(why!("")), None),
            (Unreadable::OutOfProportion, None),
            (Unreadable::Walk(why!("")), None),
            (Unreadable::Withheld, None),
        ] {
            assert_eq!(Lacks::by_cause(hole.cause()), lacks, "{hole:?}");
        }
        assert_eq!(Lacks::Pages.and(None), Lacks::Pages);
        assert_eq!(Lacks::Pages.and(Some(Lacks::Symbols)), Lacks::PagesAndSymbols);
    }
}
