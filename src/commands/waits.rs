//! `waits`: the table of all waits for ALPC replies, the longest first.

use alpc::Value;
use alpc::port::call::Told;
use alpc::wait::table::{WaitRow, WaitTable};
use clap::Args;

use crate::commands::{Category, Spec, Verb, open_kernel};
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::session::Session;
use crate::text::marked::{Look, Text, text};
use crate::text::rows::{or_question, unknown};
use crate::text::{call_lines, escape, wait_lines};

/// Every wait for an ALPC reply, the longest first
#[derive(Clone, Debug, Args)]
pub struct WaitsArgs {}

impl WaitsArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Waits,
        switches: &[],
        shape: Shape {
            name: "waits",
            results: &[of::<WaitTable>],
            tables: &[TABLE],
            whole: &[],
        },
    };
}

impl Verb for WaitsArgs {
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
        let mut table = WaitTable::of(&alpc::wait::waits(&kernel));
        let text = records.text(|| text(&table));
        for row in table.waits.drain(..) {
            records.row(TABLE.record, &row, |_| String::new())?;
        }
        Ok(Answer::of(&table)?
            .with_records_in(Place::Member("waits"))
            .with_text(text)
            .served_by(&kernel))
    }
}

const HEAD: [&str; COLUMNS] = [
    "WAITER", "THREAD", "MESSAGE", "PORT", "CALL", "SERVER", "WAITED", "STATE",
];
const COLUMNS: usize = 8;

/// The rows.
pub const TABLE: Table = Table {
    record: "wait",
    option: None,
    row: of::<WaitRow>,
    rest: (of::<WaitTable>, Some("waits")),
};

fn text(record: &WaitTable) -> Text {
    let mut table = vec![HEAD.map(|head| Text::all(Look::Heading, head))];
    table.extend(record.waits.iter().map(cells));
    let mut text = align(table);
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

fn cells(row: &WaitRow) -> [Text; COLUMNS] {
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
fn align(table: Vec<[Text; COLUMNS]>) -> Text {
    let width = |cell: &Text| cell.plain().chars().count();
    let mut widths = [0; COLUMNS];
    for row in &table {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).min(WIDEST).max(*widest);
        }
    }
    // Nothing stands behind the last.
    widths[COLUMNS - 1] = 0;
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
