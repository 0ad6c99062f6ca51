//! Records of many dumps, each written as soon as it is there: as lines of JSON, as JSON documents, as CSV, or as a
//! table for people.

use std::io::{self, Write};

use kdump::TimeSpan;
use serde_json::Value as Json;

use crate::commands::triage::groups::Group;
use crate::commands::triage::ignored::Ignored;
use crate::commands::triage::record::{NAME, Record};
use crate::failure::Status;
use crate::options::{Format, Options};
use crate::output::document::{Document, DumpRef, Head, Line};
use crate::output::records::cell;
use crate::output::schema::columns;
use crate::output::table::{Table, of};
use crate::redact::{Redactor, Typed};
use crate::text::{escape, fit, time};

/// The rows of CSV.
pub const ROWS: Table = Table {
    option: None,
    record: NAME,
    row: of::<Record>,
    rest: (of::<()>, None),
};

/// Width of the names of dumps in the table. It is not known before how long they are; longer ones push the rest
/// of their row.
const DUMP: usize = 36;

/// Width of how they ended.
const STATUS: usize = "partial (symbols)".len();

/// How records are written.
pub enum Sheet {
    /// A line of JSON a record.
    Lines,
    /// JSON documents: one, or an array of them.
    Documents { array: bool, any: bool },
    /// CSV, with these columns.
    Rows(Vec<String>),
    /// A table; whether the problems of each dump are below its row, and how many columns of the terminal it has.
    Table { verbose: bool, fits: Option<usize> },
}

impl Sheet {
    /// Begins to write in a format; `alone` tells that there is one dump only.
    pub fn new(options: &Options, format: Format, alone: bool, out: &mut impl Write) -> io::Result<Self> {
        Ok(match format {
            Format::Csv => {
                let columns = columns(&ROWS);
                let named = columns.iter().map(String::as_str);
                write_row(out, ["record", "dump"].into_iter().chain(named))?;
                Self::Rows(columns)
            }
            Format::Json => Self::Documents {
                array: !alone,
                any: false,
            },
            Format::Text => {
                let fits = options.fits;
                say(out, &fitted(head(fits), fits))?;
                Self::Table {
                    verbose: options.verbose,
                    fits,
                }
            }
            _ => Self::Lines,
        })
    }

    /// Writes one record, whose line of JSON is also at hand as it was written.
    pub fn record(
        &mut self,
        options: &Options,
        typed: &Typed,
        line: &str,
        record: &Json,
        status: Status,
        out: &mut impl Write,
    ) -> io::Result<()> {
        match self {
            Self::Lines => say(out, &format!("{line}\n")),
            Self::Documents { array, any } => {
                let document = serde_json::to_string_pretty(&document(options, typed, record, status)?)?;
                let before = if *any { ",\n" } else { "[\n" };
                *any = true;
                if *array {
                    // As deep as in an array that is written at once.
                    say(out, &format!("{before}  {}", document.replace('\n', "\n  ")))
                } else {
                    say(out, &format!("{document}\n"))
                }
            }
            Self::Rows(columns) => {
                let fixed = ["record", "dump"].into_iter();
                let cells = fixed.chain(columns.iter().map(String::as_str));
                write_row(out, cells.map(|column| cell(record, column)))
            }
            Self::Table { verbose, fits } => {
                let mut text = table_row(record, *fits);
                if *verbose {
                    text.push_str(&problem_lines(record));
                }
                say(out, &fitted(text, *fits))
            }
        }
    }

    /// Writes what was ignored where it has a place; else gives it in a line.
    pub fn ignored(&mut self, line: &Line<Ignored>, out: &mut impl Write) -> io::Result<Option<String>> {
        let name = escape::text(&shown(
            &line.dump,
            serde_json::to_value(line)?["dump_bytes"].as_str(),
        ));
        let text = escape::text(&line.value.text);
        match self {
            Self::Lines => say(out, &format!("{}\n", serde_json::to_string(line)?))?,
            Self::Table { fits, .. } => {
                let width = dump_width(*fits);
                say(
                    out,
                    &fitted(format!("{name:<width$}  - ignored: {text}\n"), *fits),
                )?;
            }
            Self::Documents { .. } | Self::Rows(_) => return Ok(Some(format!("{name}: ignored: {text}"))),
        }
        Ok(None)
    }

    /// Writes what is said of groups, at the end, where it has a place.
    pub fn groups(&mut self, groups: &[Group], out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Table { fits, .. } => say(out, &fitted(group_table(groups), *fits)),
            Self::Lines => groups
                .iter()
                .try_for_each(|group| say(out, &format!("{}\n", serde_json::to_string(&group.line())?))),
            Self::Documents { .. } | Self::Rows(_) => Ok(()),
        }
    }

    /// Writes what closes the whole.
    pub fn finish(self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Documents { array: true, any } => say(out, if any { "\n]\n" } else { "[]\n" }),
            _ => Ok(()),
        }
    }
}

/// The document that one dump would have given.
fn document(options: &Options, typed: &Typed, record: &Json, status: Status) -> io::Result<Json> {
    let text = |name: &str| record[name].as_str().map(str::to_owned);
    let dump = DumpRef {
        name: text("dump").unwrap_or_default(),
        bytes: text("dump_bytes"),
        size: record["dump_size"].as_u64(),
        sha256: text("dump_sha256"),
        redactor: Redactor::of(typed),
    };
    let mut result = record.clone();
    if let Json::Object(members) = &mut result {
        members.retain(|name, _| !matches!(name.as_str(), "record" | "dump" | "dump_bytes"));
    }
    let mut document = serde_json::to_value(Document {
        head: Head::new(options, &dump, None),
        status,
        result: Some(result),
        error: None,
        holes: Some(Vec::new()),
        explain: None,
    })?;
    document["symbols"] = record["symbols"].clone();
    Ok(document)
}

/// In one piece, so that lines of several runs into one file stay whole.
fn say(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn write_row(out: &mut impl Write, cells: impl Iterator<Item: AsRef<[u8]>>) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(cells)?;
    writer.flush()
}

/// The table of one record, its problems below.
pub fn table_of(record: &Json, fits: Option<usize>) -> String {
    head(fits) + &table_row(record, fits) + &problem_lines(record)
}

/// The columns between the name of a dump and its signature: their heads, how wide they are, whether they are of
/// numbers, and which go first where there is no room. Rows are written as dumps are looked at, so that it is not known
/// before what will be in them.
const MIDDLE: [(&str, usize, bool, u8); 9] = [
    ("STATUS", STATUS, false, 0),
    ("BUILD", 6, true, 5),
    ("BUGCHECK", 10, true, 4),
    ("PAGES", 6, true, 8),
    ("PORTS", 6, true, 7),
    ("THREADS", 7, true, 6),
    ("WAITS", 6, true, 2),
    ("LONGEST", 12, true, 1),
    ("DEADLOCKS", 9, true, 3),
];

/// Columns of the terminal that are kept for a signature; a longer one has a line of its own.
const SIGNATURE: usize = 24;

/// How wide the names of dumps are.
fn dump_width(fits: Option<usize>) -> usize {
    fits.map_or(DUMP, |width| DUMP.min(width / 4))
}

/// Whether a column has room.
fn has_room(rank: u8, fits: Option<usize>) -> bool {
    let before = MIDDLE.iter().filter(|(.., other)| *other <= rank);
    let needed: usize = before.map(|(_, width, ..)| width + 2).sum();
    fits.is_none_or(|width| rank == 0 || dump_width(fits) + needed + 2 + SIGNATURE <= width)
}

fn head(fits: Option<usize>) -> String {
    let mut head = row("DUMP", MIDDLE.map(|(head, ..)| head), "SIGNATURE", fits);
    let left_out: Vec<&str> = MIDDLE
        .iter()
        .filter(|(.., rank)| !has_room(*rank, fits))
        .map(|(head, ..)| *head)
        .collect();
    if !left_out.is_empty() {
        head.push_str(&format!(
            "no room for {}: --width N or --format csv has all\n",
            left_out.join(", ")
        ));
    }
    head
}

/// Text in the columns of the terminal.
fn fitted(text: String, fits: Option<usize>) -> String {
    match fits {
        Some(width) => fit::wrapped(&text.into(), width).into_plain(),
        None => text,
    }
}

fn problems(record: &Json) -> impl Iterator<Item = &Json> {
    record["problems"].as_array().into_iter().flatten()
}

fn row(dump: &str, cells: [&str; MIDDLE.len()], last: &str, fits: Option<usize>) -> String {
    let mut line = format!("{dump:<width$}", width = dump_width(fits));
    for (cell, (_, width, right, rank)) in cells.into_iter().zip(MIDDLE) {
        if has_room(rank, fits) {
            line.push_str(&match right {
                true => format!("  {cell:>width$}"),
                false => format!("  {cell:<width$}"),
            });
        }
    }
    format!("{}\n", format!("{line}  {last}").trim_end())
}

fn table_row(record: &Json, fits: Option<usize>) -> String {
    let number = |name: &str| cell(record, name);
    let code = record.pointer("/bug_check/code").and_then(Json::as_u64);
    let longest = record["longest_wait"]["ticks"].as_u64();
    let longest = longest.map(|ticks| time::lasted(TimeSpan(ticks)));
    let last = match (record["signature"].as_str(), record["error"]["id"].as_str()) {
        (Some(signature), _) => escape::text(signature),
        (None, Some(id)) => format!("! {id}: {}", why(record)),
        (None, None) => "?".to_owned(),
    };
    row(
        &name(record),
        [
            &status(record),
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
        fits,
    )
}

fn name(record: &Json) -> String {
    let name = record["dump"].as_str().unwrap_or_default();
    escape::text(&shown(name, record["dump_bytes"].as_str()))
}

/// A name, so that two that are no valid text look different: `a\xfe.dmp`.
fn shown(name: &str, bytes: Option<&str>) -> String {
    let bytes = bytes.map(|hex| {
        let pairs = hex.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        pairs.map(byte).collect::<Option<Vec<u8>>>().unwrap_or_default()
    });
    let Some(bytes) = bytes else {
        return name.to_owned();
    };
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        // File names of Linux are bytes, any but 0 and the slash: a name in Windows-1252 has `é` as e9.
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// How it ended; where a part is missing, which: that of the dump needs another dump, that of symbols other symbols.
fn status(record: &Json) -> String {
    let text = |name: &str| record[name].as_str().unwrap_or_default();
    match (text("status"), text("lacks")) {
        (status, "") => status.to_owned(),
        (status, lacks) => format!("{status} ({lacks})"),
    }
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
    let name = format!("{}: ", name(record));
    text.strip_prefix(&name).unwrap_or(&text).to_owned()
}

fn problem_lines(record: &Json) -> String {
    problems(record)
        .map(|problem| {
            format!(
                "    ? {}: {}\n",
                problem["id"].as_str().unwrap_or_default(),
                first_line(problem)
            )
        })
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
            escape::text(&shown(&group.first, group.dump_bytes.as_deref()))
        ));
    }
    text
}
