//! `triage`: one record a dump, of many dumps.
//!
//! Each dump is looked at by a process of its own, which is this program with that one dump: it may take as long
//! as it is given, crash or run out of memory, and that is one record. Here they are started, so many at a time,
//! and their records are written in the order of the dumps. A single dump needs no other process.

mod child;
mod groups;
mod inputs;
mod pool;
mod progress;
pub mod record;
mod resume;
pub mod sheet;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::Value as Json;

use self::child::Nursery;
use self::groups::Groups;
use self::inputs::Input;
use self::progress::Progress;
use self::record::Record;
use self::resume::Done;
use self::sheet::Sheet;
use crate::cli::{Cli, Format, TriageArgs};
use crate::failure::{Failure, Status};
use crate::output::Output;

/// Runs the command.
///
/// # Errors
/// What keeps stdout from being written.
pub fn run(cli: &Cli, args: &TriageArgs, output: &mut Output) -> io::Result<Status> {
    let prepared = prepare(cli, args);
    let (format, done) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            output.diagnostic(&Failure::from_error(error).message)?;
            return Ok(Status::Fatal);
        }
    };
    if let (Some(file), Some(done)) = (&args.resume, &done)
        && let Some(note) = done.note(file)
    {
        output.diagnostic(&note)?;
    }
    let sheet = match format {
        Format::Csv => Sheet::csv()?,
        Format::Json => Sheet::Array(false),
        Format::Text => Sheet::table(cli.verbose)?,
        _ => Sheet::Lines,
    };
    let alone = matches!(&cli.dumps[..], [only] if !only.is_dir());
    let mut desk = Desk {
        sheet,
        groups: Groups::default(),
        with_groups: args.groups || (format == Format::Text && !alone),
        progress: Progress::new(!alone && !io::stdout().is_terminal()),
        tally: Tally::default(),
        worst: Status::Complete,
    };
    if alone && args.timeout.is_none() {
        let dump = &cli.dumps[0];
        let skip = done.is_some_and(|done| is_done(&done, dump));
        desk.take(if skip {
            Outcome::Skipped
        } else {
            Outcome::of(&Record::gather(cli, dump))?
        })?;
    } else {
        run_all(cli, args, done.as_ref(), &mut desk)?;
    }
    let Finished { worst, tally } = desk.finish()?;
    if !alone {
        output.diagnostic(&tally.text())?;
    }
    Ok(worst)
}

/// The format, and what an earlier run has done.
fn prepare(cli: &Cli, args: &TriageArgs) -> anyhow::Result<(Format, Option<Done>)> {
    let format = match cli.format {
        Format::Text if !cli.format_given && !io::stdout().is_terminal() => Format::Ndjson,
        format => format,
    };
    if format.is_drawing() {
        return Err(Failure::fatal("format-not-here", "only graph can be drawn"));
    }
    if args.groups && format == Format::Csv {
        return Err(Failure::fatal(
            "format-not-here",
            "groups have no place among the rows of CSV: use --format ndjson, json or text",
        ));
    }
    let Some(file) = &args.resume else {
        return Ok((format, None));
    };
    let done = Done::read(file).map_err(|error| {
        Failure::fatal(
            "resume-file",
            format!("{} cannot be read: {error}", file.display()),
        )
    })?;
    Ok((format, Some(done)))
}

fn run_all(cli: &Cli, args: &TriageArgs, done: Option<&Done>, desk: &mut Desk) -> io::Result<()> {
    let stop = AtomicBool::new(false);
    let ignored = Arc::new(AtomicU64::new(0));
    let nursery = Nursery {
        program: std::env::current_exe()?,
        args: options(cli),
        timeout: args
            .timeout
            .map(|units| Duration::from_nanos(units.saturating_mul(100))),
        stop: &stop,
    };
    let inputs = inputs::inputs(&cli.dumps, args.recursive, &ignored);
    let work = |input: Input| match input {
        Input::Dump(dump) if done.is_some_and(|done| is_done(done, &dump)) => Ok(Outcome::Skipped),
        Input::Dump(dump) => match nursery.raise(&dump) {
            Ok((line, json)) => Ok(Outcome::Record(line, json)),
            Err(problem) => Outcome::of(&Record::failed(&dump, problem)),
        },
        Input::Failed(path, problem) => Outcome::of(&Record::failed(&path, problem)),
    };
    let jobs = args.jobs.map_or_else(
        || thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    pool::in_order(inputs, jobs, &stop, work, |outcome| desk.take(outcome?))?;
    desk.tally.ignored = ignored.load(Ordering::Relaxed);
    Ok(())
}

fn is_done(done: &Done, dump: &Path) -> bool {
    done.has(&record::name(dump), record::size(dump))
}

/// What a process is told behind its dump.
fn options(cli: &Cli) -> Vec<OsString> {
    let mut options: Vec<OsString> = ["triage", "--format", "ndjson", "--color", "never"]
        .map(OsString::from)
        .to_vec();
    for symbols in &cli.symbols {
        options.extend(["--symbols".into(), symbols.into()]);
    }
    if cli.exact_symbols {
        options.push("--exact-symbols".into());
    }
    if cli.no_mmap {
        options.push("--no-mmap".into());
    }
    if let Some(style) = cli.style.to_possible_value() {
        options.extend(["--style".into(), style.get_name().into()]);
    }
    options
}

/// What became of an input.
enum Outcome {
    /// A record of it, also on one line.
    Record(String, Json),
    /// An earlier run has it.
    Skipped,
}

impl Outcome {
    fn of(record: &Record) -> io::Result<Self> {
        Ok(Self::Record(sheet::line(record)?, serde_json::to_value(record)?))
    }
}

/// Where the records arrive, in order.
struct Desk {
    sheet: Sheet,
    groups: Groups,
    with_groups: bool,
    progress: Progress,
    tally: Tally,
    worst: Status,
}

impl Desk {
    fn take(&mut self, outcome: Outcome) -> io::Result<()> {
        match outcome {
            Outcome::Skipped => self.tally.skipped += 1,
            Outcome::Record(line, record) => {
                let status = record["status"].as_u64().and_then(Status::of_code);
                let status = status.unwrap_or(Status::Fatal);
                self.worst = self.worst.combine(status);
                self.tally.count(status);
                self.groups.add(&record);
                self.sheet.record(&line, &record)?;
            }
        }
        self.progress.show(&self.tally);
        Ok(())
    }

    fn finish(mut self) -> io::Result<Finished> {
        self.progress.end();
        if self.with_groups {
            self.sheet.groups(&self.groups.ranked())?;
        }
        self.sheet.finish()?;
        Ok(Finished {
            worst: self.worst,
            tally: self.tally,
        })
    }
}

struct Finished {
    worst: Status,
    tally: Tally,
}

/// How many dumps ended how.
#[derive(Default)]
pub struct Tally {
    dumps: u64,
    failed: u64,
    found: u64,
    partial: u64,
    skipped: u64,
    ignored: u64,
}

impl Tally {
    fn count(&mut self, status: Status) {
        self.dumps += 1;
        match status {
            Status::Complete => {}
            Status::Finding => self.found += 1,
            Status::Fatal => self.failed += 1,
            Status::Partial => self.partial += 1,
        }
    }

    /// One line.
    pub fn text(&self) -> String {
        let plural = if self.dumps == 1 { "" } else { "s" };
        let parts = [
            (self.found, "with a deadlock"),
            (self.partial, "in part"),
            (self.failed, "failed"),
            (self.skipped, "done before"),
            (self.ignored, "other files ignored"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: String = parts.map(|(count, what)| format!(", {count} {what}")).collect();
        format!("{} dump{plural}{parts}", self.dumps)
    }
}
