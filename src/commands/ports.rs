//! `ports`: the debugger's `!alpc /LPP` for one process; without one, all ports; `-lp0` for those that no
//! handle leads to.

use alpc::port::connection::{self, ConnectedRecord, ProcessPortsRecord};
use alpc::port::enumerate::{PortSource, Ports};
use alpc::port::not_reached::NotReached;
use alpc::process::ProcessRef;
use alpc::report::access::Accessible;
use alpc::report::portlist::{self, OrphanRecord, PortLine};
use alpc::{Kernel, Value};
use clap::Args;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::accessible::{self, ACCESSIBLE};
use crate::commands::{Category, Spec, Verb, connections, gathered, open_kernel};
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::selector;
use crate::session::Session;
use crate::text::columns::{Column, Grid, column, number};
use crate::text::escape;
use crate::text::marked::{Cell, Look, Text, joined, text};
use crate::text::rows::{or_question, short_kind, unknown, unknown_address};

/// The ports that a process created or is connected to (!alpc /LPP), or all ports
#[derive(Clone, Debug, Args)]
pub struct PortsArgs {
    /// Only the ports of this process: its address (_EPROCESS), pid:N or image name
    #[arg(value_name = "PROCESS")]
    pub of: Option<String>,

    /// The same
    #[arg(long, value_name = "PROCESS", conflicts_with = "of")]
    pub process: Option<String>,

    /// Only ports that no handle leads to (!alpc -lp0)
    #[arg(long, conflicts_with_all = ["of", "process"])]
    pub orphans: bool,

    /// Only ports that processes of this session own
    #[arg(long, value_name = "N", conflicts_with_all = ["of", "process", "orphans"])]
    pub session: Option<u32>,

    /// Only connection ports that this caller could open, by their descriptors: everyone, low, appcontainer, anonymous, or an
    /// identifier (S-1-...)
    #[arg(long, value_name = "CALLER", conflicts_with_all = ["of", "process", "orphans", "session"])]
    pub accessible_by: Option<String>,
}

impl PortsArgs {
    /// The process whose they are, if that was asked for.
    pub fn process(&self) -> Option<&String> {
        self.of.as_ref().or(self.process.as_ref())
    }

    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Views,
        switches: &[("lp0", &["ports", "--orphans"]), ("lpp", &["ports", "--process"])],
        shape: Shape {
            name: "ports",
            results: &[
                of::<PortsRecord>,
                of::<OrphansRecord>,
                of::<ProcessPortsRecord>,
                of::<Accessible>,
            ],
            tables: &[TABLE, ORPHANS, ACCESSIBLE],
            whole: &[of::<ProcessPortsRecord>],
        },
    };
}

impl Verb for PortsArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        match self.process() {
            Some(process) => of_one(&session.kernel()?, process),
            None => gathered(self, options, session),
        }
    }

    fn table(&self) -> Option<Table> {
        match (self.orphans, self.process()) {
            _ if self.accessible_by.is_some() => Some(ACCESSIBLE),
            (true, _) => Some(ORPHANS),
            (false, None) => Some(TABLE),
            _ => None,
        }
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        if let Some(who) = &self.accessible_by {
            return accessible::records(options, session, records, who);
        }
        match self.orphans {
            true => orphan_records(options, session, records),
            false => self::records(options, session, records, self.session),
        }
    }

    fn named(&self) -> Vec<String> {
        // An identifier may be of an account of a machine; the other words are the program's own.
        let caller = self.accessible_by.iter().filter(|who| who.contains('-'));
        self.process().into_iter().chain(caller).cloned().collect()
    }
}

/// The rows of all ports.
pub const TABLE: Table = Table {
    record: "port-line",
    option: None,
    row: of::<PortLine>,
    rest: (of::<PortsRecord>, Some("ports")),
};

/// The rows of ports that no handle leads to.
pub const ORPHANS: Table = Table {
    record: "orphan-port",
    option: Some("--orphans"),
    row: of::<OrphanRecord>,
    rest: (of::<OrphansRecord>, Some("ports")),
};

/// The ports of one process.
fn of_one(kernel: &Kernel<'_>, process: &str) -> anyhow::Result<Answer> {
    let process = selector::process(kernel, process)?;
    let record = connection::ports_of(kernel, process);
    let mut notes = source_note(record.source, &record.complete);
    if !record.undecided.is_empty() {
        let count = record.undecided.len();
        notes.push(format!(
            "ports: {count} more may be this process's: their owners cannot be read"
        ));
    }
    Ok(Answer::new(of_process(&record), &record)?
        .served_by(kernel)
        .with_notes(notes))
}

/// All ports one by one.
pub fn records(
    options: &Options,
    session: &Session,
    records: &mut Records<'_>,
    of_session: Option<u32>,
) -> anyhow::Result<Answer> {
    let kernel = open_kernel(options, session, records)?;
    let all = alpc::port::enumerate::ports(&kernel);
    let mut grid = options.fits.map(|width| (Grid::new(COLUMNS, KINDS), width));
    for port in portlist::lines(&kernel, &all.ports) {
        if !selector::of_process_in(&kernel, of_session, &port.owner_process) {
            continue;
        }
        records.row(TABLE.record, &port, |port| match &mut grid {
            Some((grid, _)) => {
                grid.row(cells(port));
                Text::default()
            }
            None => line(port),
        })?;
    }
    let grid = grid.map_or_else(Text::default, |(grid, width)| grid.fitted(width));
    let record = PortsRecord::new(Vec::new(), &all);
    let not_reached = record.not_reached.iter().map(not_reached);
    let end: Text = gap(&all.complete).into_iter().chain(not_reached).collect();
    Ok(beside(&kernel, &record, &all)?.with_text(grid + end))
}

/// The ports that no handle leads to, one by one.
pub fn orphan_records(
    options: &Options,
    session: &Session,
    records: &mut Records<'_>,
) -> anyhow::Result<Answer> {
    let kernel = open_kernel(options, session, records)?;
    let all = alpc::port::enumerate::ports(&kernel);
    let mut grid = options
        .speaks_plainly()
        .then(|| Grid::new(ORPHAN_COLUMNS, if options.fits.is_some() { KINDS } else { "" }));
    for port in portlist::orphans(&kernel, &all.ports) {
        records.row(ORPHANS.record, &port, |port| match &mut grid {
            Some(grid) => {
                grid.row(orphan_cells(port));
                Text::default()
            }
            None => orphan_line(port),
        })?;
    }
    let grid = grid.map_or_else(Text::default, |grid| {
        grid.fitted(options.fits.unwrap_or(usize::MAX))
    });
    let end = grid + gap(&all.complete).unwrap_or_default();
    Ok(beside(&kernel, &OrphansRecord::new(Vec::new(), &all), &all)?.with_text(end))
}

/// What stands beside the records of ports.
pub fn beside(kernel: &Kernel<'_>, record: &impl Serialize, all: &Ports) -> anyhow::Result<Answer> {
    Ok(Answer::of(record)?
        .with_records_in(Place::Member("ports"))
        .served_by(kernel)
        .with_notes(source_note(all.source, &all.complete)))
}

/// A list of ports, with where they came from.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ListOf{T}"))]
pub struct Listed<T> {
    ports: Vec<T>,
    source: PortSource,
    complete: Value<()>,
    /// ALPC's allocations in a triage dump that nothing in it leads to, by pool tag.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_reached: Vec<NotReached>,
}

pub type PortsRecord = Listed<PortLine>;
pub type OrphansRecord = Listed<OrphanRecord>;

impl<T> Listed<T> {
    pub fn new(ports: Vec<T>, all: &Ports) -> Self {
        Self {
            ports,
            source: all.source,
            complete: all.complete.clone(),
            not_reached: all.not_reached.clone(),
        }
    }
}

/// Allocations that nothing leads to, with where what they hold is.
fn not_reached(found: &NotReached) -> String {
    let addresses: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
    let more = match usize::try_from(found.count) {
        Ok(count) if count == addresses.len() => "",
        _ => " ...",
    };
    format!("not reached: {found}: {}{more}\n", addresses.join(" "))
}

/// The line that says why ports may be missing, when some may.
pub fn gap(complete: &Value<()>) -> Option<String> {
    let hole = complete.reason()?;
    Some(format!("? {}\n", escape::text(&hole.to_string())))
}

/// What to say of a list of ports that was not the kernel's own.
pub fn source_note(source: PortSource, complete: &Value<()>) -> Vec<String> {
    let Some(hole) = complete.reason() else {
        return Vec::new();
    };
    match source {
        PortSource::PortList => Vec::new(),
        PortSource::Search => vec![format!(
            "ports: {hole}; those that handles, names, messages and other ports lead to are added"
        )],
    }
}

fn of_process(record: &ProcessPortsRecord) -> Text {
    let process = record.process.address;
    let created: Text = record
        .created
        // Connection rows begin with tabs, not blanks: one in /LPC, two in /LPP, where the block of each created
        // port stands one further in (published views of Windows 7 and 10).
        .iter()
        .map(|port| text!("{}\n", connections::block(port, "\t")))
        .collect();
    let connected: Text = record
        .connected
        .iter()
        .map(|port| connected_line(port, process.digits()))
        .collect();
    let gap = gap(&record.complete).unwrap_or_default();
    let head = |line: String| Cell::new(Look::Heading, line);
    text!(
        // An empty line first and two at the end, where /LPC ends with none: blank lines counted off a Windows 10
        // screen.
        "\n{}\n\n{created}{}\n\n{connected}{gap}\n\n",
        head(format!("Ports created by the process {process}:")),
        head(format!("Ports the process {process} is connected to:"))
    )
}

fn connected_line(record: &ConnectedRecord, digits: usize) -> Text {
    let port = match &record.connection_port {
        Value::Known(Some(port)) => connections::port(port),
        Value::Known(None) => text!("{}('')", "0".repeat(digits)),
        Value::Missing(_) => text!("{}('{}')", unknown_address(digits), unknown()),
    };
    let mut text = Text::default();
    if let Some(wrong) = record.client.wrong_info {
        text = text!(
            "\tthe client port {} points to wrong communication info {wrong}\n",
            record.client.port
        );
    }
    text + &text!(
        // With a blank behind the arrow, and without one in the list of created ports. Extensions of 2014 to 2019
        // have the blank in both (a published list of smss.exe); this follows the newest.
        "\t{} {} -> {port} {} {}\n",
        record.client.port,
        or_question(&record.client.queued, ToString::to_string),
        or_question(&record.queued, ToString::to_string),
        connections::process(Some(&record.server_process), digits)
    )
}

/// The columns.
const COLUMNS: &[Column] = &[
    column("PORT", 0),
    column("TYPE", 2),
    number("QUEUED", 1),
    column("OWNER", 0),
    column("PATH", 0),
];

/// What the types are.
const KINDS: &str = "TYPE: CON is asked for connections, CLI and SRV are the client's and the server's end of one, - is in none";

fn cells(port: &PortLine) -> [Text; COLUMNS.len()] {
    let kind = or_question(&port.kind, short_kind);
    let queued = or_question(&port.queued, ToString::to_string);
    let owner = owner(&port.owner_process);
    let path = or_question(&port.path, |path| {
        path.as_deref().map_or_else(|| "-".to_owned(), escape::text)
    });
    [port.address.to_string().into(), kind, queued, owner, path]
}

/// One port in one line: the three columns of `-lp`, then its owner and its path.
pub fn line(port: &PortLine) -> Text {
    joined(cells(port), " ") + '\n'
}

fn owner(process: &Value<Option<ProcessRef>>) -> Text {
    match process {
        Value::Known(Some(process)) => or_question(&process.image, |image| escape::text(image)),
        Value::Known(None) => Text::from("-"),
        Value::Missing(_) => unknown(),
    }
}

/// The columns of ports that no handle leads to.
const ORPHAN_COLUMNS: &[Column] = &[
    column("PORT", 0),
    column("TYPE", 1),
    column("OWNER", 0),
    number("HANDLES", 8),
    number("REFERENCES", 3),
    number("MAIN", 2),
    number("PENDING", 4),
    number("LARGE", 6),
    number("CANCELED", 5),
    number("CONNECTIONS", 7),
];

fn orphan_cells(port: &OrphanRecord) -> Vec<Text> {
    let number = |value: &Value<u64>| or_question(value, ToString::to_string);
    let first = [
        port.address.to_string().into(),
        or_question(&port.kind, short_kind),
        owner(&port.owner_process),
        number(&port.handle_count),
        number(&port.pointer_count),
    ];
    let lengths = port.lengths.iter().map(number);
    first
        .into_iter()
        .chain(lengths)
        .chain([number(&port.connections)])
        .collect()
}

fn orphan_line(port: &OrphanRecord) -> Text {
    let number = |value: &Value<u64>| or_question(value, ToString::to_string);
    let lengths: Vec<Text> = port.lengths.iter().map(number).collect();
    text!(
        // As `fffffa8013548090 CON | 0 262142 | 0 0 0 0 | 0` of the notes on `!alpc -lp0`.
        "{} {} | {} {} | {} | {}\n",
        port.address,
        or_question(&port.kind, short_kind),
        number(&port.handle_count),
        number(&port.pointer_count),
        joined(lengths, " "),
        number(&port.connections),
    )
}
