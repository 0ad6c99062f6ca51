//! `diff`: what has changed from one dump to another.

use std::collections::BTreeMap;
use std::path::Path;

use alpc::Addr;
use alpc::report::diff::{
    self, Amount, Became, BootEvidence, By, Change, Changes, Diff, Doubt, EndInBoth, Measure, Said, Subject,
    Which,
};
use alpc::report::snapshot::Snapshot;
use clap::{Args, ValueEnum};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Spec, Verb};
use crate::failure::{Failure, Status};
use crate::host::reading::portable;
use crate::options::{Format, Options};
use crate::output::answer::Answer;
use crate::output::document::{DumpRef, SymbolSource};
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::redact::Typed;
use crate::session::Session;
use crate::text::wait_lines::plural;
use crate::text::{escape, time};

/// What has changed from one dump to another: processes, ports, connections, waits
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// What makes two things the same: their addresses, in dumps of one boot, or their names; auto looks whether the
    /// boot is one
    #[arg(long, value_enum, default_value_t = MatchBy::Auto)]
    pub by: MatchBy,
}

impl DiffArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Gates,
        switches: &[],
        shape: Shape {
            name: "diff",
            results: &[of::<DiffRecord>],
            tables: &[],
            whole: &[of::<DiffRecord>],
        },
    };
}

impl Verb for DiffArgs {
    fn run(&self, _: &Options, _: &Session) -> anyhow::Result<Answer> {
        Err(needs_two())
    }

    fn tells_verdict(&self) -> bool {
        true
    }

    fn writes(&self, format: Format) -> bool {
        format == Format::Csv
    }
}

/// What makes two things in two dumps the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MatchBy {
    /// Addresses when both dumps are of one boot, else names
    Auto,
    /// Addresses, with what tells whether memory was used again
    Addresses,
    /// Names, and how many things have them
    Names,
}

/// Two dumps and what has changed between them.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct DiffRecord {
    /// The first dump, as it was given.
    first_dump: String,
    /// The second dump, as it was given.
    second_dump: String,
    /// Bytes of the second dump; those of the first are at the head.
    second_dump_size: Option<u64>,
    /// SHA-256 of the second dump in hex, when `--hash` asks for it; that of the first is at the head.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    second_dump_sha256: Option<String>,
    /// What has changed.
    #[serde(flatten)]
    diff: Diff,
}

/// The rows of `--format csv`.
pub const TABLE: Table = Table {
    record: "change",
    option: None,
    row: of::<Row>,
    rest: (of::<DiffRecord>, None),
};

/// A change as a row. A thing is called by some of the names, as its kind has them; the others are empty.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "DiffRow"))]
pub struct Row {
    /// The second dump; the first is the dump of the row.
    second_dump: String,
    kind: &'static str,
    change: Became,
    address: Option<Addr>,
    #[serde(flatten)]
    names: Names,
    measure: Option<Measure>,
    first: Option<Amount>,
    second: Option<Amount>,
    /// What cannot be read, where it is unknown for that.
    not_read: Option<String>,
}

/// What things of all kinds are called.
#[derive(Default, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "DiffRowNames"))]
struct Names {
    image: Option<String>,
    parent: Option<String>,
    process_id: Option<u64>,
    thread_id: Option<u64>,
    path: Option<String>,
    owner: Option<String>,
    client: Option<String>,
    port: Option<String>,
    server: Option<String>,
    call: Option<String>,
}

/// What is needed of a dump.
struct Side {
    snapshot: Snapshot,
    symbols: SymbolSource,
}

/// Compares two dumps; the rows are for `--format csv`.
pub fn compare(
    options: &Options,
    typed: &Typed,
    args: &DiffArgs,
    [first, second]: [&Path; 2],
    about_second: &DumpRef,
) -> anyhow::Result<(Answer, Vec<Row>)> {
    let (one, other) = (side(options, typed, first)?, side(options, typed, second)?);
    let asked = match args.by {
        MatchBy::Auto => None,
        MatchBy::Addresses => Some(By::Addresses),
        MatchBy::Names => Some(By::Names),
    };
    let diff = diff::diff(&one.snapshot, &other.snapshot, asked);
    let status = match (diff.differences, diff.unknown) {
        (0, 0) => Status::Complete,
        (0, _) => Status::Partial,
        _ => Status::Finding,
    };
    let record = DiffRecord {
        first_dump: portable(first),
        second_dump: portable(second),
        second_dump_size: about_second.size,
        second_dump_sha256: about_second.sha256.clone(),
        diff,
    };
    let text = text(&record.diff, asked.is_some(), options.verbose);
    let mut answer =
        Answer::new(text, &record)?
            .ends_with(status)
            .with_notes(notes(asked, &record.diff, &other.symbols));
    answer.symbols = Some(one.symbols);
    let rows = match options.format {
        Format::Csv => rows(record),
        _ => Vec::new(),
    };
    Ok((answer, rows))
}

fn rows(record: DiffRecord) -> Vec<Row> {
    let DiffRecord {
        diff, second_dump, ..
    } = record;
    let sections = [diff.processes, diff.ports, diff.connections, diff.waits];
    let changes = sections.into_iter().flat_map(|section| section.changes);
    changes
        .map(|change| {
            let why = doubts(&change.unread, true).join("; ");
            let (kind, names) = names(change.subject);
            Row {
                second_dump: second_dump.clone(),
                kind,
                change: change.change,
                address: change.address,
                names,
                measure: change.measure,
                first: change.first,
                second: change.second,
                not_read: (!why.is_empty()).then_some(why),
            }
        })
        .collect()
}

/// A thing's kind, as records have it, and its names.
fn names(subject: Subject) -> (&'static str, Names) {
    let none = Names::default();
    match subject {
        Subject::Process {
            image,
            parent,
            process_id,
        } => (
            "process",
            Names {
                image,
                parent,
                process_id,
                ..none
            },
        ),
        Subject::Port { path, owner } => ("port", Names { path, owner, ..none }),
        Subject::Connection { client, path, server } => (
            "connection",
            Names {
                client,
                path,
                server,
                ..none
            },
        ),
        Subject::Wait {
            client,
            port,
            server,
            call,
            thread,
        } => (
            "wait",
            Names {
                client,
                port,
                server,
                call,
                process_id: thread.map(|(process, _)| process),
                thread_id: thread.map(|(_, thread)| thread),
                ..none
            },
        ),
    }
}

/// The command line names one dump, or more than two.
pub fn needs_two() -> anyhow::Error {
    Failure::fatal(
        "needs-two-dumps",
        "diff compares two dumps: alpc-dump FIRST SECOND diff",
    )
}

fn side(options: &Options, typed: &Typed, path: &Path) -> anyhow::Result<Side> {
    let session = Session::open(options, typed, path)?;
    let side = session.kernel().map(|kernel| Side {
        snapshot: Snapshot::of(&kernel),
        symbols: super::symbol_source(&kernel, session.choice()),
    });
    match session.file_failure() {
        Some(failure) => Err(failure),
        None => side,
    }
}

fn notes(asked: Option<By>, diff: &Diff, symbols: &SymbolSource) -> Vec<String> {
    let mut notes = vec![format!("symbols of the second dump: {}", symbols.source)];
    // Windows draws anew at each start where the kernel and its pools are (Windows Internals on address space
    // randomization): an address of one boot is none of the next.
    if asked == Some(By::Addresses) && diff.same_boot != Some(true) {
        notes.push(
            "the dumps are not known to be of one boot: the same address may be another thing's".to_owned(),
        );
    }
    notes
}

fn text(diff: &Diff, asked: bool, verbose: bool) -> String {
    let by = match diff.by {
        By::Addresses => "addresses",
        By::Names => "names",
    };
    let boot = match diff.same_boot {
        Some(true) => "one boot",
        Some(false) => "not of one boot",
        None => "not known to be of one boot",
    };
    let asked = if asked { ", as asked" } else { "" };
    let mut text = format!(
        "Diff by {by}{asked}, {boot}: {}, {} unknown\n",
        plural(diff.differences, "difference"),
        diff.unknown
    );
    let full = verbose || diff.by == By::Addresses;
    for evidence in &diff.evidence {
        text.push_str(&format!("  {}\n", evidence_line(evidence, full)));
    }
    for (title, section) in [
        ("PROCESSES", &diff.processes),
        ("PORTS", &diff.ports),
        ("CONNECTIONS", &diff.connections),
        ("WAITS", &diff.waits),
    ] {
        text.push_str(&format!("\n{title}, {} in both\n", section.same));
        text.push_str(&self::section(section, full));
    }
    if !diff.ends.is_empty() {
        text.push_str(&format!("\nLAST IN THEIR CHAINS, {} in both\n", diff.ends.len()));
        diff.ends.iter().for_each(|end| text.push_str(&end_line(end)));
    }
    text
}

fn end_line(end: &EndInBoth) -> String {
    let id = |id: Option<u64>| id.map_or_else(|| "?".to_owned(), |id| format!("{id:04x}"));
    let (mark, ran) = match end.switches {
        // By the thread's count of context switches, the debugger's `Context Switch Count`: a wait that ended and
        // began again at the same place would look the same but for this.
        Some(0) => ('=', "did not run in between".to_owned()),
        Some(1) => ('>', "ran in between, once".to_owned()),
        Some(times) => ('>', format!("ran in between, {times} times")),
        None => ('?', "whether it ran in between is unknown".to_owned()),
    };
    let place = match (&end.first, &end.second) {
        (None, None) => String::new(),
        (Some(first), Some(second)) if first == second => format!("; in {}", escape::text(second)),
        (first, second) => {
            let site = |site: &Option<String>| site.as_deref().map_or_else(|| "?".to_owned(), escape::text);
            format!("; was in {}, is in {}", site(first), site(second))
        }
    };
    let image = end.image.as_deref().map_or_else(|| "?".to_owned(), escape::text);
    format!(
        "  {mark} thread {} {image} {}.{}: {ran}{place}\n",
        end.thread,
        id(end.process_id),
        id(end.thread_id)
    )
}

/// Without addresses and times, which are another's on each machine, unless `full`.
fn evidence_line(evidence: &BootEvidence, full: bool) -> String {
    let agree = match evidence.agree {
        Some(true) => "agrees",
        Some(false) => "differs",
        None => "is not known of both",
    };
    if !full {
        return format!("{} {agree}", evidence.what);
    }
    let said = |said: &Option<Said>| match said {
        Some(Said::Address(address)) => address.to_string(),
        Some(Said::Time(at)) => at.to_string(),
        Some(Said::Text(text)) => escape::text(text),
        None => "?".to_owned(),
    };
    let (first, second) = (said(&evidence.first), said(&evidence.second));
    if first == second {
        format!("{} {agree} ({first})", evidence.what)
    } else {
        format!("{} {agree} ({first}, {second})", evidence.what)
    }
}

fn section(section: &Changes, full: bool) -> String {
    let changes = section.changes.iter().map(|change| line(change, full));
    let hidden: Vec<String> = doubts(&section.unread, full)
        .into_iter()
        .map(|doubt| format!("  ? there may be more in {doubt}\n"))
        .collect();
    changes.chain(hidden).collect()
}

fn line(change: &Change, full: bool) -> String {
    let mark = match change.change {
        Became::Appeared => '+',
        Became::Went => '-',
        Became::Grew => '>',
        Became::Shrank => '<',
        Became::Persisted => '=',
        Became::Unknown => '?',
    };
    let at = change
        .address
        .map(|address| format!("{} {address} ", kind(&change.subject)));
    let what = subject(&change.subject);
    format!(
        "  {mark} {}{what}{}\n",
        at.unwrap_or_default(),
        told(change, full)
    )
}

/// What became of it, in words and numbers.
fn told(change: &Change, full: bool) -> String {
    let numbers = change.first.zip(change.second);
    let from_to = match (change.measure, numbers) {
        (Some(Measure::Waited), Some((first, second))) if first == second => {
            format!(": still waits, {}", amount(first))
        }
        (Some(Measure::Waited), Some((first, second))) => {
            format!(": still waits, {} -> {}", amount(first), amount(second))
        }
        (Some(measure), Some((first, second))) => {
            format!(": {} -> {}{}", amount(first), amount(second), unit(measure))
        }
        (Some(measure), None) => unit(measure).replacen(' ', ": ", 1),
        (None, _) => String::new(),
    };
    let why = doubts(&change.unread, full);
    match why.split_first() {
        None if change.change == Became::Unknown => format!("{from_to}: unknown"),
        None => from_to,
        Some((first, [])) => format!("{from_to}: unknown, not read: {first}"),
        Some((first, rest)) => {
            let more = plural(rest.len(), "more part");
            format!("{from_to}: unknown, not read: {first} (and {more})")
        }
    }
}

fn amount(amount: Amount) -> String {
    match amount {
        Amount::Number(number) => number.to_string(),
        Amount::Span(span) => time::lasted(span),
    }
}

fn unit(measure: Measure) -> &'static str {
    match measure {
        Measure::Count => "",
        Measure::Queued => " messages queued",
        Measure::Connections => " connections",
        Measure::Waited => " length of the wait",
    }
}

fn kind(subject: &Subject) -> &'static str {
    match subject {
        Subject::Process { .. } => "process",
        Subject::Port { .. } | Subject::Connection { .. } => "port",
        Subject::Wait { .. } => "thread",
    }
}

fn subject(subject: &Subject) -> String {
    let name = |name: &Option<String>| name.as_deref().map_or_else(|| "-".to_owned(), escape::text);
    match subject {
        Subject::Process {
            image,
            parent,
            process_id,
        } => {
            let id = process_id.map(|id| format!(" {id:04x}"));
            format!(
                "{}{} (parent {})",
                name(image),
                id.unwrap_or_default(),
                name(parent)
            )
        }
        Subject::Port { path, owner } => format!("{} of {}", name(path), name(owner)),
        Subject::Connection { client, path, server } => {
            format!("{} -> {} of {}", name(client), name(path), name(server))
        }
        Subject::Wait {
            client,
            port,
            server,
            call,
            thread,
        } => {
            let call = call.as_deref().map(|call| format!(" of {}", escape::text(call)));
            let ids = thread.map(|(process, thread)| format!(" {process:04x}.{thread:04x}"));
            format!(
                "{}{} at {}, for {}{}",
                name(client),
                ids.unwrap_or_default(),
                name(port),
                name(server),
                call.unwrap_or_default()
            )
        }
    }
}

/// What the dumps cannot tell; by sorts and numbers, unless `full`.
fn doubts(doubts: &[Doubt], full: bool) -> Vec<String> {
    let which = |dump| match dump {
        Which::First => "the first dump",
        Which::Second => "the second dump",
    };
    if full {
        let one = |doubt: &Doubt| {
            let at = doubt.part.at.map(|at| format!(" {at}")).unwrap_or_default();
            let why = doubt.part.complete.reason().map(ToString::to_string);
            let why = escape::text(&why.unwrap_or_default());
            format!("{}: {}{at}: {why}", which(doubt.dump), doubt.part.what)
        };
        return doubts.iter().map(one).collect();
    }
    let mut sorts: BTreeMap<(Which, &str, &str), usize> = BTreeMap::new();
    for doubt in doubts {
        let cause = doubt.part.complete.reason().map_or("", alpc::Unreadable::cause);
        *sorts
            .entry((doubt.dump, doubt.part.what.name(), cause))
            .or_default() += 1;
    }
    sorts
        .into_iter()
        .map(|((dump, what, cause), count)| match count {
            1 => format!("{}: {what} ({cause})", which(dump)),
            _ => format!("{}: {what} ({cause}), {count} times", which(dump)),
        })
        .collect()
}
