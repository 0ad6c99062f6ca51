//! `timeline`: what happened when, as far as memory tells.

use alpc::report::timeline::{self, Happened, Timeline, TimelineRow};
use clap::Args;
use kdump::FileTime;

use crate::commands::{Category, Spec, Verb, open_kernel};
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::session::Session;
use crate::text::columns::{Column, Grid, column, number};
use crate::text::escape;
use crate::text::marked::{Text, text};
use crate::text::rows::{Rows, unknown};

/// Seconds from 1601, where Windows counts from, to 1970, where body files do.
const TO_1970: u64 = 11_644_473_600;
const UNITS_PER_SECOND: u64 = 10_000_000;

/// What happened when: processes, threads, waits, start and dump, in UTC
#[derive(Clone, Debug, Args)]
pub struct TimelineArgs {
    /// Also what is found in all memory of processes and threads that no list has
    #[arg(long)]
    pub carve: bool,

    /// As lines of a body file (The Sleuth Kit's 3.x), for mactime and other tools that make timelines
    #[arg(long)]
    pub body: bool,
}

impl TimelineArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "timeline",
            results: &[of::<Timeline>],
            tables: &[TIMELINE],
            whole: &[],
        },
    };
}

/// The rows.
pub const TIMELINE: Table = Table {
    record: "event",
    option: None,
    row: of::<TimelineRow>,
    rest: (of::<Timeline>, Some("events")),
};

const COLUMNS: &[Column] = &[
    column("TIME", 0),
    column("EVENT", 0),
    number("PID", 0),
    number("TID", 0),
    column("IMAGE", 0),
    column("DETAIL", 2),
    column("ADDRESS", 1),
    column("SOURCE", 3),
];

impl Verb for TimelineArgs {
    fn table(&self) -> Option<Table> {
        Some(TIMELINE)
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        let kernel = open_kernel(options, session, records)?;
        let progress = self.carve.then(|| session.progress("carving"));
        let mut all = timeline::timeline(&kernel, progress.as_ref());
        let text = records.text(|| match self.body {
            true => body(&all),
            false => text(&all, options),
        });
        for row in all.events.drain(..) {
            records.row(TIMELINE.record, &row, |_| String::new())?;
        }
        Ok(Answer::of(&all)?
            .with_records_in(Place::Member("events"))
            .with_text(text)
            .served_by(&kernel))
    }
}

fn text(all: &Timeline, options: &Options) -> Text {
    let mut grid = Grid::new(
        COLUMNS,
        "SOURCE: ticks: counted back from the time of the dump, exact to a clock tick",
    );
    for row in &all.events {
        grid.row(cells(row));
    }
    let mut rows = Rows::new(0, 0);
    if all.unread > 0 {
        rows.line(text!(
            "{} {} times could not be read, or are none",
            unknown(),
            all.unread
        ));
    }
    rows.end_of_list(&all.complete);
    grid.fitted(options.fits.unwrap_or(usize::MAX)) + rows.finish()
}

fn cells(row: &TimelineRow) -> [Text; COLUMNS.len()] {
    let id = |id: Option<u64>| id.map_or_else(|| "-".to_owned(), |id| format!("{id:04x}"));
    let words = |words: &Option<String>| words.as_deref().map_or_else(|| "-".to_owned(), escape::text);
    [
        row.time.to_string().into(),
        row.event.words().into(),
        id(row.process_id).into(),
        id(row.thread_id).into(),
        words(&row.image).into(),
        words(&row.detail).into(),
        row.address
            .map_or_else(|| "-".to_owned(), |address| address.to_string())
            .into(),
        row.source.word().into(),
    ]
}

/// `MD5|name|inode|mode|UID|GID|size|atime|mtime|ctime|crtime`, times in seconds since 1970: one line an event, with its time
/// in the place that says most of what it is.
fn body(all: &Timeline) -> Text {
    let mut lines = String::new();
    for row in &all.events {
        let time = since_1970(row.time).to_string();
        let none = || "0".to_owned();
        let [accessed, modified, changed, born] = match row.event {
            Happened::ProcessCreated | Happened::ThreadCreated | Happened::SystemStarted => {
                [none(), none(), none(), time]
            }
            Happened::WaitBegan => [time, none(), none(), none()],
            Happened::ProcessExited | Happened::ThreadExited => [none(), none(), time, none()],
            _ => [none(), time, none(), none()],
        };
        let name = name(row);
        let address = row.address.map_or_else(none, |address| address.to_string());
        lines.push_str(&format!(
            "0|{name}|{address}|---------------|0|0|0|{accessed}|{modified}|{changed}|{born}\n"
        ));
    }
    lines.into()
}

/// What the line is about, without what would end its field.
fn name(row: &TimelineRow) -> String {
    let mut words = vec![format!("[{}]", row.event.words())];
    words.extend(row.image.as_deref().map(escape::text));
    words.extend(row.process_id.map(|id| format!("pid {id}")));
    words.extend(row.thread_id.map(|id| format!("tid {id}")));
    words.extend(row.detail.as_deref().map(escape::text));
    words.join(" ").replace('|', "\\u{7c}")
}

fn since_1970(time: FileTime) -> u64 {
    (time.0 / UNITS_PER_SECOND).saturating_sub(TO_1970)
}
