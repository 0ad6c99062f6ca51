//! `calls`: which procedures are being called, and by whom.

use alpc::Value;
use alpc::port::call;
use alpc::report::calls::{self, CallRow, UndecidedMessage, Wanted};
use clap::Args;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Spec, Verb, open_kernel};
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::selector;
use crate::session::Session;
use crate::text::marked::{Text, text};
use crate::text::rows::{Rows, or_question, unknown};
use crate::text::{call_lines, escape, wait_lines};

/// Every call in flight: which procedure of RPC, COM or csrss, at which port, by whom
#[derive(Clone, Debug, Args)]
pub struct CallsArgs {
    /// Only at ports with this in their name
    #[arg(long, value_name = "NAME")]
    pub port: Option<String>,

    /// Only of this process, as client or as server: address, id or image name
    #[arg(long, value_name = "PROCESS")]
    pub process: Option<String>,

    /// Only of interfaces with this in their name or UUID, those that it may be included
    #[arg(long, value_name = "NAME|UUID")]
    pub interface: Option<String>,

    /// Only of procedures with this in their name, or of this number
    #[arg(long, value_name = "NAME|N")]
    pub procedure: Option<String>,
}

impl CallsArgs {
    /// All of them.
    pub fn all() -> Self {
        Self {
            port: None,
            process: None,
            interface: None,
            procedure: None,
        }
    }

    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Waits,
        switches: &[],
        shape: Shape {
            name: "calls",
            results: &[of::<CallsRecord>],
            tables: &[TABLE],
            whole: &[],
        },
    };
}

/// The rows.
pub const TABLE: Table = Table {
    record: "call",
    option: None,
    row: of::<CallRow>,
    rest: (of::<CallsRecord>, Some("calls")),
};

/// Calls in flight.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "CallsInFlight"))]
struct CallsRecord {
    /// The calls.
    calls: Vec<CallRow>,
    /// Messages of which it cannot be determined whether they are calls in flight.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    undecided: Vec<UndecidedMessage>,
    /// Set when there may be more calls.
    complete: Value<()>,
}

impl Verb for CallsArgs {
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
        let process = self.process.as_ref();
        let wanted = Wanted {
            port: self.port.clone(),
            process: process
                .map(|process| selector::process(&kernel, process))
                .transpose()?,
            interface: self.interface.clone(),
            procedure: self.procedure.clone(),
        };
        let found = calls::calls(&kernel, &wanted);
        let mut record = CallsRecord {
            calls: found.calls,
            undecided: found.undecided,
            complete: found.complete,
        };
        let text = records.text(|| text(&record, kernel.addr(kernel.base()).digits()));
        for row in record.calls.drain(..) {
            records.row(TABLE.record, &row, |_| String::new())?;
        }
        Ok(Answer::of(&record)?
            .with_records_in(Place::Member("calls"))
            .with_text(text)
            .served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        let named = [&self.port, &self.process, &self.interface, &self.procedure];
        named.into_iter().flatten().cloned().collect()
    }
}

fn text(record: &CallsRecord, digits: usize) -> Text {
    let mut rows = Rows::new(0, digits);
    for row in &record.calls {
        rows.line(line(row));
    }
    if !record.calls.is_empty() {
        rows.line("");
    }
    let calls = record.calls.iter().map(|row| {
        let call = row.call.as_ref()?;
        Some(call.known().map(|call| &**call).ok_or(()))
    });
    let tallies = call::tally(calls);
    let tallies = call_lines::tallies(&tallies);
    rows.heading(match record.calls.len() {
        0 => "no call was found".to_owned(),
        calls => format!("{}: {tallies}", wait_lines::plural(calls, "call")),
    });
    for message in &record.undecided {
        let why = message
            .request
            .reason()
            .map(ToString::to_string)
            .unwrap_or_default();
        rows.line(text!(
            "{} message {}: {}",
            unknown(),
            message.address,
            escape::text(&why)
        ));
    }
    rows.end_of_list(&record.complete);
    rows.finish()
}

/// `fffff8800f4cc950  svchost.exe 033c.3c40 calls ROpenServiceW (svcctl 16) at ntsvcs of services.exe: received by …`
fn line(row: &CallRow) -> Text {
    let id = |value: &Value<u64>| or_question(value, |id| format!("{id:04x}"));
    let call = match &row.call {
        Some(Value::Known(call)) => call_lines::asked(call),
        Some(Value::Missing(why)) => text!("{} ({})", unknown(), escape::text(&why.to_string())),
        None => Text::from("something of no protocol that is known"),
    };
    let port = match &row.port {
        Value::Known(Some(label)) => text!(
            "{} of {}",
            wait_lines::port(label),
            wait_lines::image(&label.owner)
        ),
        Value::Known(None) => Text::from("-"),
        Value::Missing(_) => unknown(),
    };
    let waits = match &row.waiting_thread {
        Value::Known(Some(_)) => Text::default(),
        // RPC's asynchronous calls: the thread that will go on with the answer is known in user mode alone, or there
        // is none.
        Value::Known(None) => Text::from(", nobody waits in the kernel"),
        Value::Missing(_) => text!(", waiting thread {}", unknown()),
    };
    let received = match (&row.server_thread, &row.queue) {
        (Value::Known(Some(thread)), _) => text!("received by {thread}"),
        (Value::Known(None), Value::Known(queue)) if queue.0 == RECEIVED => Text::from("received"),
        (Value::Known(None), Value::Known(_)) => Text::from("not received"),
        _ => text!("received {}", unknown()),
    };
    text!(
        "{}  {} {}.{} calls {call} at {port}: {received}{waits}",
        row.message,
        wait_lines::image(&row.client),
        id(&row.client_process_id),
        id(&row.client_thread_id)
    )
}

/// `QueueType` of a message that was received and not answered.
const RECEIVED: u8 = 3;
