//! `--explain`: where each value of a view comes from.
//!
//! The view is made once with all its reads noted, and then once for each of them with that one kept back:
//! whatever is then not the same depends on it. So no record and no view has to tell its sources.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use alpc::Value;
use alpc::image::json;
use alpc::image::source::{self, SourceRecord};
use alpc::image::trace::{Source, Trace};
use anyhow::bail;
use serde_json::{Map, Value as Json};

use crate::cli::Command;
use crate::commands::Verb;
use crate::failure::Failure;
use crate::options::{Format, Options};
use crate::output::answer::Answer;
use crate::output::explanation::Explanation;
use crate::session::Session;
use crate::text::escape;

mod named;

/// Reads that all the makings of a view may take, some seconds' worth. A view of thousands of things is explained
/// as far as that goes: the thing itself first.
const BUDGET: u64 = 20_000_000;

/// Bytes of a value that a line of text shows.
const TEXT_BYTES: usize = 16;

/// The members of an object that say why others are missing.
const REASONS: [&str; 2] = ["unreadable", "absent"];

/// Makes a view, with what explains it below.
pub fn run(options: &Options, session: &Session, command: &Command) -> anyhow::Result<Answer> {
    refuse_others(options, command.verb())?;
    if let Some(named) = command.verb().explains() {
        return named::run(options, session, command.verb(), named);
    }
    let mut answer = command.verb().run(options, session)?;
    let subject = subject(&answer.record.value);
    // Once more by address: the reads that find a thing by its name are none of its own.
    let command = by_address(command, subject);
    let trace = Arc::new(Trace::default());
    session.note_reads(Some(Arc::clone(&trace)));
    let base = command.verb().run(options, session);
    let (sources, reads) = trace.sources();
    let mut sources: Vec<(usize, Source)> = sources.into_iter().enumerate().collect();
    sources.sort_by_key(|(_, source)| distance(source, subject));
    let affordable = usize::try_from(BUDGET / reads.max(1)).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    for (order, source) in sources.iter().take(affordable) {
        trace.hide(source);
        // A read without which there is no view at all decides whether there is one, not a value of it.
        if let (Ok(base), Ok(other)) = (&base, command.verb().run(options, session)) {
            let mut paths = Vec::new();
            differences(&base.record.value, &other.record.value, "result", &mut paths);
            found.extend(paths.into_iter().map(|path| Found {
                path,
                order: *order,
                source,
            }));
        }
    }
    session.note_reads(None);
    add(&mut answer, &explanations(session, in_order(found))?)?;
    if let Some(left) = sources.len().checked_sub(affordable).filter(|&left| left > 0) {
        answer.notes.push(format!(
            "not all is explained: what depends on {left} of {} reads was not looked for; show the thing itself",
            sources.len()
        ));
    }
    Ok(answer)
}

/// Puts explanations below a view, and into its record.
fn add(answer: &mut Answer, explain: &[Explanation]) -> anyhow::Result<()> {
    answer.text.push(text(explain));
    let explain: Result<Vec<Json>, _> = explain
        .iter()
        .map(|one| Ok::<_, json::Error>(json::record(one)?.value))
        .collect();
    answer.explain = Some(explain?);
    Ok(())
}

fn explanations(session: &Session, found: Vec<Found<'_>>) -> anyhow::Result<Vec<Explanation>> {
    let kernel = session.kernel()?;
    let table = session.table().ok();
    let explanation = |found: Found<'_>| Explanation {
        value: found.path,
        source: source::source(&kernel, found.source, table),
    };
    Ok(found.into_iter().map(explanation).collect())
}

/// Only what shows one thing has values that a reader could look up one by one.
pub fn refuse_others(options: &Options, verb: &dyn Verb) -> anyhow::Result<()> {
    if options.format == Format::Csv {
        return Err(Failure::fatal(
            "explain-not-here",
            "--explain gives no table: use --format text, json or ndjson",
        ));
    }
    if verb.is_of_one_thing() || verb.explains().is_some() {
        return Ok(());
    }
    bail!(Failure::fatal(
        "explain-not-here",
        "--explain is for views of one thing: message, port, resource, thread, process, object, irp, token, security, and dt with an address; \
         and for the evidence of hang and chain, and the entries of handles",
    ));
}

/// The address of the thing that a view is of.
fn subject(record: &Json) -> Option<u64> {
    let address = ["/address", "/port/address", "/resources/0/address"]
        .iter()
        .find_map(|place| record.pointer(place)?.as_str());
    u64::from_str_radix(address?, 16).ok()
}

/// How far a read's structure is from the thing itself; headers stand before it.
fn distance(source: &Source, subject: Option<u64>) -> u64 {
    subject.map_or(0, |subject| u64::from(source.base()).abs_diff(subject))
}

/// The same command with the address of the thing: what found it by its name need not be done again.
fn by_address(command: &Command, subject: Option<u64>) -> Command {
    let mut command = command.clone();
    if let Some(subject) = subject {
        command.verb_mut().look_at(format!("{subject:#x}"));
    }
    command
}

/// Paths of the values that differ: the outermost that is missing in one of the records, else the innermost.
fn differences(one: &Json, other: &Json, path: &str, found: &mut Vec<String>) {
    match (one, other) {
        _ if one == other => {}
        (Json::Object(mine), Json::Object(theirs)) if members(mine).eq(members(theirs)) => {
            for key in members(mine) {
                differences(&mine[key], &theirs[key], &format!("{path}.{key}"), found);
            }
            for name in other_reasons(mine, theirs) {
                let path = format!("{path}.{name}");
                if !found.contains(&path) {
                    found.push(path);
                }
            }
        }
        (Json::Array(mine), Json::Array(theirs)) if mine.len() == theirs.len() => {
            for (index, (mine, theirs)) in mine.iter().zip(theirs).enumerate() {
                differences(mine, theirs, &format!("{path}[{index}]"), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

/// The names of an object's members, without what says why some of them are missing.
fn members(object: &Map<String, Json>) -> impl Iterator<Item = &String> {
    object.keys().filter(|key| !REASONS.contains(&key.as_str()))
}

/// The members that are missing in one of the objects, or in both for another reason.
fn other_reasons<'o>(mine: &'o Map<String, Json>, theirs: &'o Map<String, Json>) -> Vec<&'o str> {
    let unreadable = |object: &'o Map<String, Json>| object.get(REASONS[0]).and_then(Json::as_object);
    let absent = |object: &'o Map<String, Json>| object.get(REASONS[1]).and_then(Json::as_array);
    let names = |object: &'o Map<String, Json>| {
        let unreadable = unreadable(object)
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str);
        let absent = absent(object).into_iter().flatten().filter_map(Json::as_str);
        unreadable.chain(absent).collect::<BTreeSet<_>>()
    };
    let reason = |object, name: &str| unreadable(object).and_then(|reasons| reasons.get(name));
    let all = names(mine).union(&names(theirs)).copied().collect::<Vec<_>>();
    let differs = |name: &&str| {
        names(mine).contains(name) != names(theirs).contains(name)
            || reason(mine, name) != reason(theirs, name)
    };
    all.into_iter().filter(differs).collect()
}

/// A read and a value that it decides.
struct Found<'s> {
    path: String,
    /// Place of the read among all of the view's.
    order: usize,
    source: &'s Source,
}

/// By value, each where the first of its reads is.
fn in_order(mut found: Vec<Found<'_>>) -> Vec<Found<'_>> {
    found.sort_by_key(|found| found.order);
    let mut first: HashMap<String, usize> = HashMap::new();
    for found in &found {
        first.entry(found.path.clone()).or_insert(found.order);
    }
    found.sort_by(|one, other| {
        let rank = |found: &Found<'_>| first.get(&found.path).copied();
        rank(one)
            .cmp(&rank(other))
            .then_with(|| one.path.cmp(&other.path))
            .then(one.order.cmp(&other.order))
    });
    found
}

/// Two lines a read, the first of them begun with the value that it explains.
fn text(explain: &[Explanation]) -> String {
    let mut text = String::from("\nWhere the values come from:\n");
    for Explanation { value, source } in explain {
        let value = value.strip_prefix("result.").unwrap_or(value);
        text.push_str(&format!("  {value:<33} {}\n", what(source)));
        text.push_str(&format!("  {:<33} {}\n", "", place(source)));
    }
    text
}

fn what(source: &SourceRecord) -> String {
    // As `dt` writes members: `+0x018 TypeIndex`, and `Pos 0, 1 Bit` of bit fields.
    let offset = source
        .offset
        .map_or(String::new(), |offset| format!(" +0x{offset:03x}"));
    let bits = source.bits.map_or(String::new(), |bits| {
        format!(
            " Pos {}, {} Bit{}",
            bits.position,
            bits.length,
            if bits.length == 1 { "" } else { "s" }
        )
    });
    let by = source.placed_by.as_ref();
    let by = by.map_or(String::new(), |by| format!("  (by {})", escape::text(by)));
    format!("{}{offset}{bits}  {}{by}", source.path, source.command)
}

/// Virtual, physical and file address and the bytes; or where that ended, and why.
fn place(source: &SourceRecord) -> String {
    let mut parts = vec![format!("at {}", source.address)];
    for piece in &source.pieces {
        if source.pieces.len() > 1 {
            parts.push(format!("{} bytes", piece.size));
        }
        parts.extend(piece.physical.map(|at| format!("physical {at:016x}")));
        parts.extend(piece.file.map(|at| format!("file {at:016x}")));
    }
    parts.push(match &source.bytes {
        Value::Known(bytes) => {
            let shown = bytes.0.iter().take(TEXT_BYTES);
            let shown: Vec<String> = shown.map(|byte| format!("{byte:02x}")).collect();
            let more = if bytes.0.len() > TEXT_BYTES { " ..." } else { "" };
            format!("bytes {}{more}", shown.join(" "))
        }
        Value::Missing(hole) => hole.to_string(),
    });
    parts.join("  ")
}
