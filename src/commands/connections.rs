//! `connections`: the debugger's `!alpc /LPC`, and the block that `/LPP` prints for each created port.

use alpc::port::NamedPort;
use alpc::port::connection::{self, ConnectionRecord, ConnectionsRecord, End};
use alpc::process::ProcessRef;
use alpc::{Kernel, Value};
use clap::Args;

use crate::commands::{Category, Spec, Verb, open_kernel};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::selector;
use crate::session::Session;
use crate::text::escape;
use crate::text::marked::{Text, text};
use crate::text::rows::{or_question, unknown, unknown_address};

/// All connections of a connection port (!alpc /LPC)
#[derive(Clone, Debug, Args)]
pub struct ConnectionsArgs {
    /// Address of the port (_ALPC_PORT), or its name
    #[arg(value_name = "ADDR|NAME")]
    pub port: String,
}

impl ConnectionsArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Views,
        switches: &[("lpc", &["connections"])],
        shape: Shape {
            name: "connections",
            results: &[of::<ConnectionsRecord>],
            tables: &[TABLE],
            whole: &[],
        },
    };
}

impl Verb for ConnectionsArgs {
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
        let mut all = of_port(&kernel, self)?;
        // `/LPC` begins with an empty line and ends with none (published Windows 10 view).
        let text = records.text(|| format!("\n{}", block(&all, "")));
        for connection in all.connections.drain(..) {
            records.row(TABLE.record, &connection, |_| String::new())?;
        }
        Ok(Answer::of(&all)?
            .with_records_in(Place::Member("connections"))
            .with_text(text)
            .served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        vec![self.port.clone()]
    }
}

/// The rows.
pub const TABLE: Table = Table {
    record: "connection",
    option: None,
    row: of::<ConnectionRecord>,
    rest: (of::<ConnectionsRecord>, Some("connections")),
};

fn of_port(kernel: &Kernel<'_>, args: &ConnectionsArgs) -> anyhow::Result<ConnectionsRecord> {
    let address = selector::port(kernel, &args.port)?;
    alpc::port::port_record::port(kernel, address, alpc::port::port_record::Detail::Rows)
        .map_err(|error| Failure::not_there("not-a-port", error.to_string()))?;
    connection::connections(kernel, address).map_err(|hole| {
        Failure::partial(
            hole.id(),
            format!("the connection port cannot be determined: {hole}"),
        )
    })
}

/// A connection port and its connections, each line behind `indent`.
pub fn block(record: &ConnectionsRecord, indent: &str) -> Text {
    let mut text = text!(
        // "1 connections": the debugger knows no singular.
        "{indent}{} {}, {} connections\n",
        port(&record.port),
        or_question(&record.queued, ToString::to_string),
        record.connections.len()
    );
    for connection in &record.connections {
        text.push(connection_lines(connection, indent, record.port.address.digits()));
    }
    if let Some(hole) = record.complete.reason() {
        text.push(text!("{indent}\t{hole}\n"));
    }
    text
}

fn connection_lines(connection: &ConnectionRecord, indent: &str, digits: usize) -> Text {
    let mut text = Text::default();
    for (side, end) in [("server", &connection.server), ("client", &connection.client)] {
        if let Value::Known(End {
            port,
            wrong_info: Some(wrong),
            ..
        }) = end
        {
            let right = connection.communication_info;
            text.push(text!(
                // The debugger's own words. Only "points to wrong" and the address behind it are known of that line.
                "{indent}\tthe {side} port {port} of {right} points to wrong communication info {wrong}\n"
            ));
        }
    }
    let client = connection.client.known();
    text.push(text!(
        // Server's end first, ` ->` right at the client's address, and the image of the client alone:
        // `ffffbb0f87e36a00 0 ->ffffbb0f87968d40 0 ffffbb0f82f30140('VBoxService.ex')`.
        "{indent}\t{} ->{} {}\n",
        end(&connection.server, digits),
        end(&connection.client, digits),
        process(client.map(|end| &end.process), digits)
    ));
    text
}

/// A port and how many messages wait in its queues.
pub fn end(end: &Value<End>, digits: usize) -> Text {
    match end {
        Value::Known(end) => text!("{} {}", end.port, or_question(&end.queued, ToString::to_string)),
        Value::Missing(_) => text!("{} {}", unknown_address(digits), unknown()),
    }
}

/// `%p('name')`; nothing between the quotes for a port without a name.
pub fn port(port: &NamedPort) -> Text {
    let name = or_question(&port.name, |name| {
        name.as_deref().map(escape::text).unwrap_or_default()
    });
    text!("{}('{name}')", port.address)
}

/// A process as `%p('image')`.
pub fn process(process: Option<&Value<Option<ProcessRef>>>, digits: usize) -> Text {
    match process {
        Some(Value::Known(Some(process))) => {
            let image = or_question(&process.image, |image| escape::text(image));
            text!("{}('{image}')", process.address)
        }
        Some(Value::Known(None)) => text!("{}('')", "0".repeat(digits)),
        _ => text!("{}('{}')", unknown_address(digits), unknown()),
    }
}
