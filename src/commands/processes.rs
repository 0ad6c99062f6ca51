//! `processes` and `process`: the debugger's `!process 0 0` and `!process`.

use alpc::port::receiver::{self, Receivers};
use alpc::port::waiter::ThreadRecord;
use alpc::process::{self, ProcessRecord, Processes};
use alpc::{Kernel, Value};
use clap::Args;
use kdump::{FileTime, Gva, TimeSpan};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Spec, Verb, open_kernel};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::selector;
use crate::session::Session;
use crate::text::columns::{Column, Grid, column, number};
use crate::text::marked::{Look, Text, text};
use crate::text::rows::or_question;
use crate::text::{escape, process_lines, thread_line, time};

/// Every process (!process 0 0)
#[derive(Clone, Debug, Args)]
pub struct ProcessesArgs {
    /// Only of this session
    #[arg(long, value_name = "N")]
    pub session: Option<u32>,
}

impl ProcessesArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "processes",
            results: &[of::<Processes>],
            tables: &[TABLE],
            whole: &[],
        },
    };
}

impl Verb for ProcessesArgs {
    fn table(&self) -> Option<Table> {
        Some(TABLE)
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        let kernel = open_kernel(options, session, records)?;
        let mut all = listed(&kernel)?;
        all.processes
            .retain(|process| selector::is_in_session(&kernel, self.session, process.address.gva()));
        let mut grid = match options.fits {
            Some(width) if !options.verbose => Some((Grid::new(COLUMNS, ""), width)),
            _ => None,
        };
        if !options.verbose && grid.is_none() {
            records.say(heading(kernel.pointer_size()))?;
        }
        for process in all.processes.drain(..) {
            if let Some((grid, _)) = &mut grid {
                records.row(TABLE.record, &process, |process| fill(grid, process))?;
                continue;
            }
            records.row(
                TABLE.record,
                &process,
                if options.verbose {
                    block as fn(&ProcessRecord) -> Text
                } else {
                    line
                },
            )?;
        }
        let end = all.complete.reason().map(|hole| format!("{hole}\n"));
        let end = grid.map_or_else(Text::default, |(grid, width)| grid.fitted(width))
            + Text::from(end.unwrap_or_default());
        let answer = Answer::of(&all)?
            .with_records_in(Place::Member("processes"))
            .served_by(&kernel);
        Ok(answer.with_text(end))
    }
}

/// One process in full (!process)
#[derive(Clone, Debug, Args)]
pub struct ProcessArgs {
    /// Address of the process (_EPROCESS), pid:1234 or pid:0x4d2, tid:N of one of its threads, its image name, or
    /// current
    #[arg(value_name = "PROCESS")]
    pub process: String,
}

impl ProcessArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "process",
            results: &[of::<ProcessInFull>],
            tables: &[],
            whole: &[of::<ProcessInFull>],
        },
    };
}

impl Verb for ProcessArgs {
    fn run(&self, _: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let address = selector::process(&kernel, &self.process)?;
        let record = in_full(&kernel, &Receivers::of_system(&kernel), address)?;
        let now = session.dump().header().system_time;
        Ok(Answer::new(text(&record, now), &record)?.served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        vec![self.process.clone()]
    }

    fn is_of_one_thing(&self) -> bool {
        true
    }

    fn look_at(&mut self, address: String) {
        self.process = address;
    }
}

/// The rows.
pub const TABLE: Table = Table {
    record: "process-line",
    option: None,
    row: of::<ProcessRecord>,
    rest: (of::<Processes>, Some("processes")),
};

/// Threads: those of the list, or those that the process counts itself where the list cannot be followed.
fn threads(process: &ProcessRecord) -> Text {
    // ActiveThreads counts those that have not ended; the list has ended ones too, as long as something holds them.
    match (&process.thread_count, &process.active_threads) {
        (Value::Missing(_), Value::Known(active)) => active.to_string().into(),
        (listed, _) => or_question(listed, ToString::to_string),
    }
}

fn listed(kernel: &Kernel<'_>) -> anyhow::Result<Processes> {
    process::all(kernel)
        .map_err(|hole| Failure::partial(hole.id(), format!("the processes cannot be listed: {hole}")))
}

fn block(process: &ProcessRecord) -> Text {
    text!("{}\n", process_lines::lines(process))
}

fn heading(pointer_size: u32) -> Text {
    let digits = if pointer_size == 4 { 8 } else { 16 };
    let head = format!(
        "{:<digits$}   Cid ParentCid Session Threads Handles Image",
        "PROCESS"
    );
    Text::all(Look::Heading, head) + '\n'
}

/// The columns.
const COLUMNS: &[Column] = &[
    column("PROCESS", 0),
    number("Cid", 0),
    number("ParentCid", 3),
    number("Session", 4),
    number("Threads", 1),
    number("Handles", 2),
    column("Image", 0),
];

fn cells(process: &ProcessRecord) -> [Text; COLUMNS.len()] {
    let id = |value: &Value<u64>| or_question(value, |id| format!("{id:04x}"));
    let count = |value: &Value<u64>| or_question(value, ToString::to_string);
    let session = or_question(&process.session, |session| {
        session.map_or_else(|| "none".to_owned(), |session| session.to_string())
    });
    [
        process.address.to_string().into(),
        id(&process.process_id),
        id(&process.parent_process_id),
        session,
        threads(process),
        count(&process.handle_count),
        process_lines::image(process).into(),
    ]
}

/// Adds a row to a table, which is written at its end.
fn fill(grid: &mut Grid, process: &ProcessRecord) -> Text {
    grid.row(cells(process));
    if let Some(found_by) = process.found_by {
        grid.line(text!("    {}", process_lines::not_listed(found_by)));
    }
    Text::default()
}

fn line(process: &ProcessRecord) -> Text {
    let [address, id, parent, session, threads, handles, image] = cells(process);
    let mut text = text!("{address} {id:>5} {parent:>9} {session:>7} {threads:>7} {handles:>7} {image}\n");
    if let Some(found_by) = process.found_by {
        text.push(text!("    {}\n", process_lines::not_listed(found_by)));
    }
    text
}

/// One process in full.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ProcessInFull {
    #[serde(flatten)]
    process: ProcessRecord,
    threads: Vec<ThreadRecord>,
    threads_complete: Value<()>,
}

/// The view of the process at an address.
pub fn view(
    session: &Session,
    kernel: &Kernel<'_>,
    receivers: &Receivers,
    address: Gva,
) -> anyhow::Result<Text> {
    let now = session.dump().header().system_time;
    Ok(text(&in_full(kernel, receivers, address)?, now))
}

fn in_full(kernel: &Kernel<'_>, receivers: &Receivers, address: Gva) -> anyhow::Result<ProcessInFull> {
    let process = process::process(kernel, address)
        .map_err(|error| Failure::not_there("not-a-process", error.to_string()))?;
    let found = receiver::threads_of(kernel.at(address), receivers);
    Ok(ProcessInFull {
        process,
        threads: found.threads,
        threads_complete: found.complete,
    })
}

fn text(record: &ProcessInFull, now: Option<FileTime>) -> Text {
    let process = &record.process;
    let mut text = process_lines::lines(process);
    let mut row = |label: &str, value: Text| text.push(text!("    {label:<33} {value}\n"));
    row(
        "ImagePath",
        or_question(&process.image_path, |path| {
            path.as_deref().map_or_else(|| "none".to_owned(), escape::text)
        }),
    );
    row("CreateTime", or_question(&process.create_time, time::moment));
    let ended =
        |exit: &Option<FileTime>| exit.map_or_else(|| "still running".to_owned(), |exit| exit.to_string());
    row("ExitTime", or_question(&process.exit_time, ended));
    if let Some(elapsed) = elapsed(process, now) {
        row("ElapsedTime", time::span(elapsed).into());
    }
    // A 32-bit kernel has no such member, and on a 64-bit one it is null for processes of its own width.
    let wow64 = match &process.wow64 {
        Value::Missing(hole) if hole.is_absence() => Text::from("No"),
        value => or_question(value, |&wow64| if wow64 { "Yes" } else { "No" }.to_owned()),
    };
    row("Wow64", wow64);
    row("Threads", thread_count(process));
    text.push('\n');
    for thread in &record.threads {
        text.push(text!("        {}\n", thread_line::short(thread)));
    }
    if let Some(hole) = record.threads_complete.reason() {
        text.push(text!("        {hole}\n"));
    }
    text
}

/// Threads in the list; where that cannot be followed, those that the process counts itself.
fn thread_count(process: &ProcessRecord) -> Text {
    match (&process.thread_count, &process.active_threads) {
        (Value::Missing(_), Value::Known(active)) => {
            text!("? in the list, {active} that have not ended by ActiveThreads")
        }
        (listed, _) => or_question(listed, ToString::to_string),
    }
}

/// How long a process has run, up to the dump or to its end.
fn elapsed(process: &ProcessRecord, now: Option<FileTime>) -> Option<TimeSpan> {
    let end = process.exit_time.known()?.or(now)?;
    let began = (*process.create_time.known()?)?;
    end.0.checked_sub(began.0).map(TimeSpan)
}
