//! `diff`: what has changed from one dump to another.

use std::collections::BTreeMap;
use std::path::Path;

use alpc::diff::{
    self, Amount, Became, BootEvidence, By, Change, Changes, Diff, Doubt, Measure, Said, Subject, Which,
};
use alpc::snapshot::Snapshot;
use schemars::JsonSchema;
use serde::Serialize;

use super::Answer;
use crate::cli::{Cli, Command, DiffArgs, MatchBy};
use crate::explain;
use crate::failure::{Failure, Status};
use crate::output::document::{SymbolSource, portable};
use crate::output::wait_lines::plural;
use crate::output::{escape, time};
use crate::redact;
use crate::session::Session;

/// Two dumps and what has changed between them.
#[derive(Serialize, JsonSchema)]
pub struct DiffRecord {
    /// The first dump, as it was given.
    first_dump: String,
    /// The second dump, as it was given.
    second_dump: String,
    /// What has changed.
    #[serde(flatten)]
    diff: Diff,
}

/// What is needed of a dump.
struct Side {
    snapshot: Snapshot,
    symbols: SymbolSource,
    narrow: bool,
}

/// Compares the two dumps of the command line.
pub fn run(cli: &Cli, args: &DiffArgs) -> anyhow::Result<Answer> {
    let [first, second] = cli.dumps.as_slice() else {
        return Err(needs_two());
    };
    redact::refuse_comparing(cli)?;
    if cli.explain {
        explain::refuse_others(cli)?;
    }
    super::refuse_format(cli, &Command::Diff(args.clone()))?;
    let (one, other) = (side(cli, first)?, side(cli, second)?);
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
        diff,
    };
    let text = text(&record.diff, asked.is_some(), cli.verbose);
    let mut answer =
        Answer::new(text, &record)?
            .ends_with(status)
            .with_notes(notes(asked, &record.diff, &other.symbols));
    answer.symbols = Some(one.symbols);
    Ok(if one.narrow && other.narrow {
        answer.narrowed()
    } else {
        answer
    })
}

/// The command line names one dump, or more than two.
pub fn needs_two() -> anyhow::Error {
    Failure::fatal(
        "needs-two-dumps",
        "diff compares two dumps: alpc-dump FIRST SECOND diff",
    )
}

fn side(cli: &Cli, path: &Path) -> anyhow::Result<Side> {
    let session = Session::open(cli, path)?;
    let kernel = session.kernel()?;
    Ok(Side {
        snapshot: Snapshot::of(&kernel),
        symbols: super::symbol_source(&kernel),
        narrow: kernel.pointer_size() == 4,
    })
}

fn notes(asked: Option<By>, diff: &Diff, symbols: &SymbolSource) -> Vec<String> {
    let mut notes = vec![format!("symbols of the second dump: {}", symbols.source)];
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
    text
}

/// Without addresses and times, which are another's on each machine, unless `full`.
fn evidence_line(evidence: &BootEvidence, full: bool) -> String {
    let agree = match evidence.agree {
        Some(true) => "agrees",
        Some(false) => "differs",
        None => "is not told by both",
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
            thread,
        } => {
            let ids = thread.map(|(process, thread)| format!(" {process:04x}.{thread:04x}"));
            format!(
                "{}{} at {}, for {}",
                name(client),
                ids.unwrap_or_default(),
                name(port),
                name(server)
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
            let why = doubt.part.complete.hole().map(ToString::to_string);
            let why = escape::text(&why.unwrap_or_default());
            format!("{}: {}{at}: {why}", which(doubt.dump), doubt.part.what)
        };
        return doubts.iter().map(one).collect();
    }
    let mut sorts: BTreeMap<(Which, &str, &str), usize> = BTreeMap::new();
    for doubt in doubts {
        let cause = doubt.part.complete.hole().map_or("", alpc::Hole::cause);
        *sorts.entry((doubt.dump, doubt.part.what, cause)).or_default() += 1;
    }
    sorts
        .into_iter()
        .map(|((dump, what, cause), count)| match count {
            1 => format!("{}: {what} ({cause})", which(dump)),
            _ => format!("{}: {what} ({cause}), {count} times", which(dump)),
        })
        .collect()
}
