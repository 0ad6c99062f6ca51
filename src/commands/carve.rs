//! `carve`: things of ALPC, processes and threads by what they look like, in all memory that the dump has.

use alpc::Value;
use alpc::report::carve::{self, CarveKind, Carved, CarvedKind, CarvedRow, Wanted};
use clap::{Args, ValueEnum};

use crate::commands::{Category, Spec, Verb, open_kernel};
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::session::Session;
use crate::text::columns::{Column, Grid, column, number};
use crate::text::marked::{Text, text};
use crate::text::rows::{Rows, or_question};
use crate::text::{escape, size};

/// Things freed, ended or hidden: found in all memory by what they look like
#[derive(Clone, Debug, Args)]
pub struct CarveArgs {
    /// What to look for; everything when none is named
    #[arg(value_name = "KIND", value_enum)]
    pub kinds: Vec<What>,

    /// Also what the system's own lists and tables have
    #[arg(long)]
    pub listed: bool,
}

/// What can be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    Ports,
    Messages,
    Connections,
    Processes,
    Threads,
}

impl What {
    fn kind(self) -> CarveKind {
        match self {
            Self::Ports => CarveKind::Port,
            Self::Messages => CarveKind::Message,
            Self::Connections => CarveKind::Connection,
            Self::Processes => CarveKind::Process,
            Self::Threads => CarveKind::Thread,
        }
    }
}

impl CarveArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "carve",
            results: &[of::<Carved>],
            tables: &[CARVED],
            whole: &[],
        },
    };

    fn wanted(&self) -> Wanted {
        let mut kinds: Vec<CarveKind> = self.kinds.iter().map(|what| what.kind()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        if kinds.is_empty() {
            kinds = CarveKind::ALL.to_vec();
        }
        Wanted::of(kinds).with_listed(self.listed)
    }
}

/// The rows.
pub const CARVED: Table = Table {
    record: "carved",
    option: None,
    row: of::<CarvedRow>,
    rest: (of::<Carved>, Some("found")),
};

const COLUMNS: &[Column] = &[
    column("KIND", 0),
    column("ADDRESS", 0),
    column("STATE", 0),
    number("SCORE", 3),
    column("TAG", 4),
    number("PID", 0),
    number("TID", 0),
    column("NAME", 0),
    column("OWNER", 2),
    column("CREATED", 5),
    column("ENDED", 5),
    column("AGAINST", 1),
];

impl Verb for CarveArgs {
    fn table(&self) -> Option<Table> {
        Some(CARVED)
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        let kernel = open_kernel(options, session, records)?;
        let mut all = carve::carve(&kernel, &self.wanted(), &session.progress("carving"));
        let text = records.text(|| text(&all, options));
        for row in all.found.drain(..) {
            records.row(CARVED.record, &row, |_| String::new())?;
        }
        Ok(Answer::of(&all)?
            .with_records_in(Place::Member("found"))
            .with_text(text)
            .served_by(&kernel))
    }
}

fn text(all: &Carved, options: &Options) -> Text {
    let mut grid = Grid::new(
        COLUMNS,
        "STATE: freed, ended, unlinked: nothing leads to it though it is in use, reached: not by the list of its kind",
    );
    for row in &all.found {
        grid.row(cells(row));
    }
    let mut rows = Rows::new(0, 0);
    if all.found.is_empty() {
        rows.heading("nothing was found that the system's lists and tables do not have");
    }
    for kind in &all.kinds {
        rows.line(tally(kind));
    }
    rows.line(text!("{} of memory were looked at", size::in_words(all.bytes)));
    rows.end_of_list(&all.complete);
    grid.fitted(options.fits.unwrap_or(usize::MAX)) + rows.finish()
}

/// `ports: 12 listed, 1 freed; 1 listed was not found by its looks`.
fn tally(kind: &CarvedKind) -> Text {
    let counts = [
        (kind.listed, "listed"),
        (kind.reached, "reached otherwise"),
        (kind.ended, "ended"),
        (kind.freed, "freed"),
        (kind.unlinked, "unlinked"),
        (kind.unknown, "of unknown state"),
    ];
    let mut words: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if words.is_empty() {
        words.push("none".to_owned());
    }
    let missed = match kind.not_found {
        0 => String::new(),
        count => format!("; {count} more listed, not found by their looks"),
    };
    let lists = or_gap(&kind.lists);
    text!("{}: {}{missed}{lists}", plural(kind.kind), words.join(", "))
}

fn or_gap(lists: &Value<()>) -> String {
    match lists.reason() {
        None => String::new(),
        Some(hole) => format!(
            "; the system's own lists are not whole: {}",
            escape::text(&hole.to_string())
        ),
    }
}

fn plural(kind: CarveKind) -> &'static str {
    match kind {
        CarveKind::Port => "ports",
        CarveKind::Message => "messages",
        CarveKind::Connection => "connections",
        CarveKind::Process => "processes",
        CarveKind::Thread => "threads",
    }
}

fn cells(row: &CarvedRow) -> [Text; COLUMNS.len()] {
    let id = |id: Option<u64>| id.map_or_else(|| "-".to_owned(), |id| format!("{id:04x}"));
    let name = match (&row.name, row.port_kind, row.message_id) {
        (Some(name), _, Some(message)) => format!("{} (id {message:x})", escape::text(name)),
        (Some(name), ..) => escape::text(name),
        (None, Some(kind), _) => kind.short().to_owned(),
        (None, None, _) => "-".to_owned(),
    };
    let owner = match &row.owner {
        Some(owner) => or_question(&owner.image, |image| escape::text(image)),
        None => "-".into(),
    };
    let when = |at: Option<kdump::FileTime>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    [
        row.kind.name().into(),
        place(row).into(),
        row.state.word().into(),
        row.score.to_string().into(),
        row.tag
            .map_or_else(|| "-".to_owned(), |tag| tag.to_string())
            .into(),
        id(row.process_id).into(),
        id(row.thread_id).into(),
        name.into(),
        owner,
        when(row.create_time).into(),
        when(row.exit_time).into(),
        row.against.join(",").into(),
    ]
}

/// `fffffa8018219dc0`, or `physical 1a2b3c0` of what no page table maps.
fn place(row: &CarvedRow) -> String {
    match (row.address, row.physical) {
        (Some(address), _) => address.to_string(),
        (None, Some(physical)) => format!("physical {physical:x}"),
        (None, None) => "-".to_owned(),
    }
}
