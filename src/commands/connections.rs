//! `connections`: the debugger's `!alpc /LPC`, and the block that `/LPP` prints for each created port.

use std::fmt::Write;

use alpc::port::NamedPort;
use alpc::port::connection::{self, ConnectionRecord, ConnectionsRecord, End};
use alpc::process::ProcessRef;
use alpc::{Kernel, Value};

use crate::commands::open_kernel;
use crate::failure::Failure;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::Table;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::escape;
use crate::text::rows::or_question;

use crate::commands::{Category, Spec, Verb, gathered};
use crate::options::Options;
use clap::Args;

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
        name: "connections",
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
    fn spec(&self) -> &'static Spec {
        &Self::SPEC
    }

    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        gathered(self, options, session)
    }

    fn table(&self) -> Option<Table> {
        Some(TABLE)
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        self::records(options, session, self, records)
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

/// The connections one by one.
pub fn records(
    options: &Options,
    session: &Session,
    args: &ConnectionsArgs,
    records: &mut Records<'_>,
) -> anyhow::Result<Answer> {
    let kernel = open_kernel(options, session, records)?;
    let mut all = of_port(&kernel, args)?;
    let text = records.text(|| format!("\n{}", block(&all, "")));
    for connection in all.connections.drain(..) {
        records.row(TABLE.record, &connection, |_| String::new())?;
    }
    Ok(Answer::of(&all)?
        .with_records_in(Place::Member("connections"))
        .with_text(text)
        .served_by(&kernel))
}

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
pub fn block(record: &ConnectionsRecord, indent: &str) -> String {
    let mut text = format!(
        "{indent}{} {}, {} connections\n",
        port(&record.port),
        or_question(&record.queued, ToString::to_string),
        record.connections.len()
    );
    for connection in &record.connections {
        text.push_str(&connection_lines(
            connection,
            indent,
            record.port.address.digits(),
        ));
    }
    if let Some(hole) = record.complete.reason() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{indent}\t{hole}");
    }
    text
}

fn connection_lines(connection: &ConnectionRecord, indent: &str, digits: usize) -> String {
    let mut text = String::new();
    for (side, end) in [("server", &connection.server), ("client", &connection.client)] {
        if let Value::Known(End {
            port,
            wrong_info: Some(wrong),
            ..
        }) = end
        {
            let right = connection.communication_info;
            let _ = writeln!(
                text,
                "{indent}\tthe {side} port {port} of {right} points to wrong communication info {wrong}"
            );
        }
    }
    let client = connection.client.known();
    let _ = writeln!(
        text,
        "{indent}\t{} ->{} {}",
        end(&connection.server, digits),
        end(&connection.client, digits),
        process(client.map(|end| &end.process), digits)
    );
    text
}

/// A port and how many messages wait in its queues.
pub fn end(end: &Value<End>, digits: usize) -> String {
    match end {
        Value::Known(end) => format!("{} {}", end.port, or_question(&end.queued, ToString::to_string)),
        Value::Missing(_) => format!("{} ?", "?".repeat(digits)),
    }
}

/// `%p('name')`; nothing between the quotes for a port without a name.
pub fn port(port: &NamedPort) -> String {
    let name = or_question(&port.name, |name| {
        name.as_deref().map(escape::text).unwrap_or_default()
    });
    format!("{}('{name}')", port.address)
}

/// A process as `%p('image')`.
pub fn process(process: Option<&Value<Option<ProcessRef>>>, digits: usize) -> String {
    match process {
        Some(Value::Known(Some(process))) => {
            let image = or_question(&process.image, |image| escape::text(image));
            format!("{}('{image}')", process.address)
        }
        Some(Value::Known(None)) => format!("{}('')", "0".repeat(digits)),
        _ => format!("{}('?')", "?".repeat(digits)),
    }
}
