//! `waits`: the table of all waits for ALPC replies, the longest first.

use alpc::port::call::Told;
use alpc::report::select::{Selector, Thing};
use alpc::wait::behind::{self, Behind, Target};
use alpc::wait::table::{WaitRow, WaitTable};
use alpc::{Kernel, Value};
use clap::Args;
use kdump::{Gva, TimeSpan};

use crate::commands::{Category, Spec, Verb, chain, open_kernel};
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::selector;
use crate::session::Session;
use crate::text::columns::{Column, Grid, column};
use crate::text::marked::{Look, Text, text};
use crate::text::rows::{Rows, or_question, unknown};
use crate::text::{call_lines, escape, time, wait_lines};

/// Every wait for an ALPC reply, the longest first
#[derive(Clone, Debug, Args)]
pub struct WaitsArgs {
    /// Who waits for this, directly or not: a process, thread, port, message or lock, by address, id or name
    #[arg(long = "for", value_name = "WHAT")]
    pub target: Option<String>,

    /// Only waits of threads of this process: address, id or image name
    #[arg(long, value_name = "PROCESS", conflicts_with = "target")]
    pub process: Option<String>,

    /// Only waits for replies at ports with this in their name
    #[arg(long, value_name = "NAME", conflicts_with = "target")]
    pub port: Option<String>,

    /// Only waits that are longer than this: 30s, 5m, 1h30m, 2d
    #[arg(long, value_name = "T", value_parser = time::parse_span, conflicts_with = "target")]
    pub longer_than: Option<u64>,

    /// Only of the processes of this session
    #[arg(long, value_name = "N", conflicts_with = "target")]
    pub session: Option<u32>,
}

impl WaitsArgs {
    /// All of them.
    pub fn all() -> Self {
        Self {
            target: None,
            process: None,
            port: None,
            longer_than: None,
            session: None,
        }
    }

    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Waits,
        switches: &[],
        shape: Shape {
            name: "waits",
            results: &[of::<WaitTable>, of::<Behind>],
            tables: &[TABLE],
            whole: &[],
        },
    };
}

impl Verb for WaitsArgs {
    fn table(&self) -> Option<Table> {
        self.target.is_none().then_some(TABLE)
    }

    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let Some(token) = &self.target else {
            return super::gathered(self, options, session);
        };
        let kernel = session.kernel()?;
        let graph = alpc::wait::waits(&kernel);
        let behind = behind::behind(&kernel, &graph, &target(&kernel, token)?);
        let text = || behind_text(&behind, kernel.addr(kernel.base()).digits());
        Ok(Answer::large(options, &behind, text)?.served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        [&self.target, &self.process, &self.port]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        let kernel = open_kernel(options, session, records)?;
        let mut table = WaitTable::of(&alpc::wait::waits(&kernel));
        let process = self.process.as_ref();
        let process = process
            .map(|process| selector::processes(&kernel, process))
            .transpose()?;
        table.waits.retain(|row| {
            self.wants(row, process.as_deref())
                && selector::of_process_in(&kernel, self.session, &row.waiter.process)
        });
        let text = records.text(|| match options.fits {
            Some(width) => fitted(&table, width),
            None => text(&table),
        });
        for row in table.waits.drain(..) {
            records.row(TABLE.record, &row, |_| String::new())?;
        }
        Ok(Answer::of(&table)?
            .with_records_in(Place::Member("waits"))
            .with_text(text)
            .served_by(&kernel))
    }
}

impl WaitsArgs {
    /// Whether a wait is one of those that were asked for, or may be: what cannot be read excludes none.
    fn wants(&self, row: &WaitRow, processes: Option<&[Gva]>) -> bool {
        let of_process = processes.is_none_or(|wanted| match &row.waiter.process {
            Value::Known(Some(process)) => wanted.contains(&process.address.gva()),
            Value::Known(None) => false,
            Value::Missing(_) => true,
        });
        let at_port = self.port.as_ref().is_none_or(|wanted| match &row.message.port {
            Value::Known(Some(label)) => match &label.name {
                Value::Known(Some(name)) => name.to_lowercase().contains(&wanted.to_lowercase()),
                Value::Known(None) => false,
                Value::Missing(_) => true,
            },
            Value::Known(None) => false,
            Value::Missing(_) => true,
        });
        let is_long = self.longer_than.is_none_or(|limit| match &row.waiter.waited {
            Value::Known(Some(waited)) => waited.0 > limit,
            Value::Known(None) => false,
            Value::Missing(_) => true,
        });
        of_process && at_port && is_long
    }
}

/// What a token names that may be waited for.
fn target(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<Target> {
    Ok(match selector::parse(token)? {
        Selector::Address(address) => {
            let address = selector::address(kernel, address, Thing::Waiter)?;
            if alpc::process::is_process(kernel, address).is_ok_and(|is| is) {
                Target::Processes(vec![address])
            } else if alpc::port::kind(kernel.at(address)).is_ok() {
                Target::Port(address)
            } else {
                Target::Thing(address)
            }
        }
        Selector::ThreadId(_) | Selector::Current => Target::Thing(selector::thread(kernel, token)?),
        Selector::MessageId(_) => Target::Thing(selector::message(kernel, token)?),
        Selector::ProcessId(_) => Target::Processes(vec![selector::process(kernel, token)?]),
        Selector::Name(name) => match selector::processes_of(kernel, &name) {
            Ok((processes, _)) => Target::Processes(processes),
            // What is no process may be a port; where it is neither, the first refusal has the better suggestions.
            Err(refusal) => match selector::port(kernel, token) {
                Ok(port) => Target::Port(port),
                Err(_) => return Err(refusal),
            },
        },
    })
}

fn behind_text(record: &Behind, digits: usize) -> Text {
    let mut rows = Rows::new(0, digits);
    let longest = record
        .longest_wait
        .map(|longest| format!(", the longest for {}", time::lasted(longest)));
    rows.heading(match record.waiters.len() {
        0 if record.unread.is_empty() => "no thread waits for it".to_owned(),
        0 => "no thread was found that waits for it".to_owned(),
        1 => format!("1 thread waits for it{}", longest.unwrap_or_default()),
        count => format!(
            "{count} threads wait for it, directly or not{}",
            longest.unwrap_or_default()
        ),
    });
    for waiter in &record.waiters {
        let shift = "  ".repeat(waiter.depth.min(DEEPEST));
        let lines = wait_lines::steps(&waiter.steps, true);
        if let Some(line) = lines.into_iter().next() {
            rows.line(text!("  {shift}{line}"));
        }
    }
    for part in &record.unread {
        let at = part.at.map(|at| format!(" {at}")).unwrap_or_default();
        let why = part
            .complete
            .reason()
            .map(ToString::to_string)
            .unwrap_or_default();
        rows.line(text!("  {} {}{at}: {}", unknown(), part.what, escape::text(&why)));
    }
    rows.finish()
}

/// Levels that are indented.
const DEEPEST: usize = 24;

const HEAD: [&str; COLUMNS.len()] = {
    let mut heads = [""; COLUMNS.len()];
    let mut at = 0;
    while at < heads.len() {
        heads[at] = COLUMNS[at].head;
        at += 1;
    }
    heads
};

/// The columns; those of the waiter, the server and the state stay.
const COLUMNS: &[Column] = &[
    column("WAITER", 0),
    column("THREAD", 3),
    column("MESSAGE", 5),
    column("PORT", 1),
    column("CALL", 6),
    column("SERVER", 2),
    column("WAITED", 0),
    column("STATE", 4),
];

/// The rows.
pub const TABLE: Table = Table {
    record: "wait",
    option: None,
    row: of::<WaitRow>,
    rest: (of::<WaitTable>, Some("waits")),
};

/// How many waits there are, the longest and how the chains end.
fn verdict(record: &WaitTable) -> Text {
    let mut ends: Vec<(&str, usize)> = Vec::new();
    for row in &record.waits {
        match ends.iter_mut().find(|(end, _)| *end == row.end.name()) {
            Some((_, count)) => *count += 1,
            None => ends.push((row.end.name(), 1)),
        }
    }
    ends.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let ends: Vec<String> = ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
    let longest = record.waits.iter().filter_map(|row| row.waiter.waited()).max();
    let longest = longest.map(|longest| format!(", the longest for {}", time::lasted(TimeSpan(longest))));
    let line = match record.waits.len() {
        0 => "no wait for a reply".to_owned(),
        count => format!(
            "{}{}; they end: {}",
            wait_lines::plural(count, "wait"),
            longest.unwrap_or_default(),
            ends.join(", ")
        ),
    };
    Text::all(Look::Heading, line)
}

/// The table in so many columns, its verdict above it, and below it where that has gone by.
fn fitted(record: &WaitTable, width: usize) -> Text {
    let mut grid = Grid::new(COLUMNS, "");
    for row in &record.waits {
        grid.row(cells(row));
    }
    chain::between_verdicts(&verdict(record), grid.fitted(width) + unread(record))
}

fn text(record: &WaitTable) -> Text {
    let mut table = vec![HEAD.map(|head| Text::all(Look::Heading, head))];
    table.extend(record.waits.iter().map(cells));
    align(table) + unread(record)
}

fn unread(record: &WaitTable) -> Text {
    let mut text = Text::default();
    for part in &record.unread {
        let at = part.at.map(|at| format!(" {at}")).unwrap_or_default();
        let why = part
            .complete
            .reason()
            .map(ToString::to_string)
            .unwrap_or_default();
        text.push(text!(
            "  {} {}{at}: {}\n",
            unknown(),
            part.what,
            escape::text(&why)
        ));
    }
    text
}

fn cells(row: &WaitRow) -> [Text; COLUMNS.len()] {
    let server = match (&row.server, &row.server_process) {
        (Value::Known(Some(server)), _) => text!(
            "{} {}{}",
            wait_lines::who(server),
            server.address,
            wait_lines::service(server)
        ),
        (Value::Known(None), Value::Known(None)) => Text::from("-"),
        (_, process) => wait_lines::image(process),
    };
    [
        wait_lines::who(&row.waiter) + wait_lines::service(&row.waiter),
        row.waiter.address.to_string().into(),
        text!(
            "{} {}",
            row.message.address,
            or_question(&row.message.message_id, |id| format!("0x{id:x}"))
        ),
        wait_lines::port_of(&row.message),
        match &row.message.call {
            Some(Told::Known(call)) => call_lines::asked(call),
            Some(Told::Undetermined { .. }) => Text::from("not determined"),
            None => Text::from("-"),
        },
        server,
        wait_lines::waited(&row.waiter),
        text!("{}, {}", row.state.name(), row.end.name()),
    ]
}

/// Blanks that one long name costs each of the other rows at most.
const WIDEST: usize = 256;

/// Columns as wide as their widest cell, within reason, two blanks between them.
fn align(table: Vec<[Text; COLUMNS.len()]>) -> Text {
    let width = |cell: &Text| cell.plain().chars().count();
    let mut widths = [0; COLUMNS.len()];
    for row in &table {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).min(WIDEST).max(*widest);
        }
    }
    // Nothing stands behind the last.
    widths[COLUMNS.len() - 1] = 0;
    let mut text = Text::default();
    for row in table {
        for (number, (cell, widest)) in row.into_iter().zip(widths).enumerate() {
            if number > 0 {
                text.push("  ");
            }
            let missing = widest.saturating_sub(width(&cell));
            text.push(cell);
            text.push(" ".repeat(missing));
        }
        text.push('\n');
    }
    text
}
