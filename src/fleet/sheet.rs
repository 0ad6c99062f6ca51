//! Records of many dumps on stdout, each as soon as it is there: as lines of JSON, as a JSON array, as CSV, or as
//! a table for people.

use std::io::{self, StdoutLock, Write};

use serde::Serialize;
use serde_json::Value as Json;

use super::groups::Group;
use crate::output::{escape, time};

/// The columns of CSV, and where their values are in a record.
const COLUMNS: &[(&str, &str)] = &[
    ("dump", "/dump"),
    ("size", "/size"),
    ("status", "/status"),
    ("error", "/error/id"),
    ("error_text", "/error/text"),
    ("kind", "/kind"),
    ("machine", "/machine"),
    ("build", "/build"),
    ("kernel_pdb", "/kernel_pdb"),
    ("bug_check", "/bug_check/code"),
    ("bug_check_parameter1", "/bug_check/parameters/0"),
    ("bug_check_parameter2", "/bug_check/parameters/1"),
    ("bug_check_parameter3", "/bug_check/parameters/2"),
    ("bug_check_parameter4", "/bug_check/parameters/3"),
    ("crash_time", "/crash_time"),
    ("system_time", "/system_time"),
    ("system_up_time", "/system_up_time"),
    ("pages_claimed", "/pages_claimed"),
    ("pages_present", "/pages_present"),
    ("symbols", "/symbols/source"),
    ("symbols_certainty", "/symbols/certainty"),
    ("ports", "/ports"),
    ("threads", "/threads"),
    ("waits", "/waits"),
    ("stuck", "/stuck"),
    ("longest_wait", "/longest_wait"),
    ("deadlocks", "/deadlocks"),
    ("possible_deadlocks", "/possible_deadlocks"),
    ("blocker_kind", "/root_blocker/kind"),
    ("blocker_address", "/root_blocker/address"),
    ("blocker_image", "/root_blocker/image"),
    ("blocker_process_id", "/root_blocker/process_id"),
    ("blocker_thread_id", "/root_blocker/thread_id"),
    ("blocker_port", "/root_blocker/port"),
    ("blocker_end", "/root_blocker/end"),
    ("blocker_threads_behind", "/root_blocker/threads_behind"),
    ("signature", "/signature"),
];

/// Width of the names of dumps in the table. It is not known before how long they are; longer ones push the rest
/// of their row.
const DUMP: usize = 36;

/// How records are written.
pub enum Sheet {
    /// A line of JSON a record.
    Lines,
    /// One array; whether something is in it already.
    Array(bool),
    /// CSV.
    Csv(Box<csv::Writer<StdoutLock<'static>>>),
    /// A table; whether the problems of each dump are below its row.
    Table(bool),
}

impl Sheet {
    /// CSV, its first line written.
    pub fn csv() -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(io::stdout().lock());
        let names = COLUMNS.iter().map(|(name, _)| *name);
        writer.write_record(names.chain(["problems"]))?;
        Ok(Self::Csv(Box::new(writer)))
    }

    /// A table, its head written.
    pub fn table(verbose: bool) -> io::Result<Self> {
        say(&head())?;
        Ok(Self::Table(verbose))
    }

    /// Writes one record, whose JSON is also at hand on one line.
    pub fn record(&mut self, line: &str, record: &Json) -> io::Result<()> {
        match self {
            Self::Csv(writer) => {
                let cells = COLUMNS.iter().map(|(_, pointer)| cell(record.pointer(pointer)));
                writer.write_record(cells.chain([problem_ids(record)]))?;
                writer.flush()
            }
            Self::Table(verbose) => {
                let mut text = table_row(record);
                if *verbose {
                    text.push_str(&problem_lines(record));
                }
                say(&text)
            }
            Self::Lines | Self::Array(_) => self.json(line),
        }
    }

    /// Writes what is said of groups, at the end; CSV has no place for it.
    pub fn groups(&mut self, groups: &[Group]) -> io::Result<()> {
        match self {
            Self::Csv(_) => Ok(()),
            Self::Table(_) => say(&group_table(groups)),
            Self::Lines | Self::Array(_) => groups.iter().try_for_each(|group| self.json(&line(group)?)),
        }
    }

    /// Writes what closes the whole.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Array(false) => say("[]\n"),
            Self::Array(true) => say("\n]\n"),
            _ => Ok(()),
        }
    }

    fn json(&mut self, line: &str) -> io::Result<()> {
        match self {
            Self::Array(any) => {
                let before = if *any { ",\n" } else { "[\n" };
                *any = true;
                say(&format!("{before}{line}"))
            }
            _ => say(&format!("{line}\n")),
        }
    }
}

/// A record as JSON on one line.
pub fn line(record: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(record)?)
}

/// In one piece, so that lines of several runs into one file stay whole.
fn say(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// The table of one record, its problems below.
pub fn table_of(record: &Json) -> String {
    head() + &table_row(record) + &problem_lines(record)
}

fn head() -> String {
    let cells = [
        "BUILD",
        "BUGCHECK",
        "PAGES",
        "PORTS",
        "THREADS",
        "WAITS",
        "LONGEST",
        "DEADLOCKS",
    ];
    row("DUMP", cells, "SIGNATURE")
}

fn cell(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn problem_ids(record: &Json) -> String {
    let ids = problems(record).filter_map(|problem| problem["id"].as_str());
    ids.collect::<Vec<_>>().join(" ")
}

fn problems(record: &Json) -> impl Iterator<Item = &Json> {
    record["problems"].as_array().into_iter().flatten()
}

fn row(dump: &str, cells: [&str; 8], last: &str) -> String {
    let [build, bug_check, pages, ports, threads, waits, longest, deadlocks] = cells;
    let line = format!(
        "{dump:<DUMP$}  {build:>6}  {bug_check:>10}  {pages:>6}  {ports:>6}  {threads:>7}  {waits:>6}  \
         {longest:>12}  {deadlocks:>9}  {last}"
    );
    format!("{}\n", line.trim_end())
}

fn table_row(record: &Json) -> String {
    let number = |name: &str| cell(record.get(name));
    let code = record.pointer("/bug_check/code").and_then(Json::as_u64);
    let longest = record["longest_wait"].as_u64().map(time::lasted);
    let last = match (record["signature"].as_str(), record.pointer("/error/id")) {
        (Some(signature), _) => escape::text(signature),
        (None, Some(id)) => format!("! {}: {}", cell(Some(id)), why(record)),
        (None, None) => "?".to_owned(),
    };
    row(
        &escape::text(&cell(record.get("dump"))),
        [
            &number("build"),
            &code.map(|code| format!("0x{code:08x}")).unwrap_or_default(),
            &pages(record).unwrap_or_default(),
            &number("ports"),
            &number("threads"),
            &number("waits"),
            &longest.unwrap_or_default(),
            &number("deadlocks"),
        ],
        &last,
    )
}

/// The share of pages that is there, never rounded up to all of them.
fn pages(record: &Json) -> Option<String> {
    let claimed = record["pages_claimed"].as_u64().filter(|&claimed| claimed > 0)?;
    let present = record["pages_present"].as_u64()?;
    Some(format!("{} %", u128::from(present) * 100 / u128::from(claimed)))
}

fn first_line(problem: &Json) -> String {
    let text = problem["text"].as_str().unwrap_or_default();
    escape::text(text.lines().next().unwrap_or_default())
}

/// The error without the dump's name, which stands in the same row.
fn why(record: &Json) -> String {
    let text = first_line(&record["error"]);
    let name = format!("{}: ", escape::text(&cell(record.get("dump"))));
    text.strip_prefix(&name).unwrap_or(&text).to_owned()
}

fn problem_lines(record: &Json) -> String {
    problems(record)
        .map(|problem| format!("    ? {}: {}\n", cell(problem.get("id")), first_line(problem)))
        .collect()
}

fn group_table(groups: &[Group]) -> String {
    let mut text = "\nDUMPS  SIGNATURE\n".to_owned();
    for group in groups {
        let what = match (&group.signature, &group.error) {
            (Some(signature), _) => signature.clone(),
            (None, Some(error)) => format!("! {error}"),
            (None, None) => "?".to_owned(),
        };
        text.push_str(&format!(
            "{:>5}  {}  (first: {})\n",
            group.dumps,
            escape::text(&what),
            escape::text(&group.first)
        ));
    }
    text
}
