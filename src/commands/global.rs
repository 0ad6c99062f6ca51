//! `global`: the debugger's `!alpc /G`, with its undocumented `-lp` and `/graph` as the verbose part.

use alpc::port::connection::{self, EdgeRecord};
use alpc::port::enumerate::{self, Ports};
use alpc::port::queue::QueueKind;
use alpc::report::global::{self, BlobTypeRecord, GlobalRecord};
use alpc::report::portlist::{self, PortLine};
use alpc::{Kernel, Value};
use clap::Args;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Spec, Verb, connections, gathered, open_kernel, ports};
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::session::Session;
use crate::text::escape;
use crate::text::marked::{Cell, Look, Text, text};
use crate::text::rows::{Rows, or_question, short_kind, unknown, unknown_address};

/// The whole of ALPC in one screen (!alpc /G); with -v every port and connection
#[derive(Clone, Debug, Args)]
pub struct GlobalArgs {
    /// Only the connection graph, five columns (!alpc /graph)
    #[arg(long)]
    pub graph: bool,

    /// Only the list of ports, three columns (!alpc -lp)
    #[arg(long, conflicts_with = "graph")]
    pub list: bool,
}

impl GlobalArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Views,
        switches: &[
            ("g", &["global"]),
            ("lp", &["global", "--list"]),
            ("graph", &["global", "--graph"]),
        ],
        shape: Shape {
            name: "global",
            results: &[of::<Full>, of::<Vec<PortLine>>, of::<Vec<EdgeRecord>>],
            tables: &[LIST, EDGES],
            whole: &[of::<Full>],
        },
    };
}

impl Verb for GlobalArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        if self.graph || self.list {
            return gathered(self, options, session);
        }
        let kernel = session.kernel()?;
        let full = options.in_full();
        let all = full.then(|| enumerate::ports(&kernel).ports);
        let record = Full {
            global: global::global(&kernel),
            list: all.as_ref().map(|all| portlist::lines(&kernel, all).collect()),
            graph: all.as_ref().map(|all| connection::graph(&kernel, all)),
        };
        let notes = ports::source_note(record.global.source, &record.global.complete);
        let text = text(&record, &kernel);
        Ok(Answer::new(text, &record)?.served_by(&kernel).with_notes(notes))
    }

    fn table(&self) -> Option<Table> {
        match (self.list, self.graph) {
            (true, _) => Some(LIST),
            (_, true) => Some(EDGES),
            _ => None,
        }
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        match self.list {
            true => list_records(options, session, records),
            false => edge_records(options, session, records),
        }
    }
}

/// Width of a row's label.
const LABEL: usize = 21;

/// The record, with the lists that the verbose view adds.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "GlobalInFull"))]
pub struct Full {
    #[serde(flatten)]
    global: GlobalRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<Vec<PortLine>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    graph: Option<Vec<EdgeRecord>>,
}

/// The rows of `--list`.
pub const LIST: Table = Table {
    record: "port-line",
    option: Some("--list"),
    row: of::<PortLine>,
    rest: ports::TABLE.rest,
};

/// The rows of `--graph`.
pub const EDGES: Table = Table {
    record: "connection-edge",
    option: Some("--graph"),
    row: of::<EdgeRecord>,
    rest: ports::TABLE.rest,
};

/// The connections of all ports one by one.
pub fn edge_records(
    options: &Options,
    session: &Session,
    records: &mut Records<'_>,
) -> anyhow::Result<Answer> {
    let kernel = open_kernel(options, session, records)?;
    let all = enumerate::ports(&kernel);
    for one in connection::graph(&kernel, &all.ports) {
        records.row(EDGES.record, &one, edge)?;
    }
    beside(&kernel, &all)
}

/// All ports one by one, as text in three columns.
pub fn list_records(
    options: &Options,
    session: &Session,
    records: &mut Records<'_>,
) -> anyhow::Result<Answer> {
    let kernel = open_kernel(options, session, records)?;
    let all = enumerate::ports(&kernel);
    for port in portlist::lines(&kernel, &all.ports) {
        records.row(LIST.record, &port, three_columns)?;
    }
    beside(&kernel, &all)
}

fn beside(kernel: &Kernel<'_>, all: &Ports) -> anyhow::Result<Answer> {
    let end = ports::gap(&all.complete).unwrap_or_default();
    let record = ports::PortsRecord::new(Vec::new(), all);
    Ok(ports::beside(kernel, &record, all)?
        .into_bare_list()
        .with_text(end))
}

fn text(record: &Full, kernel: &Kernel<'_>) -> Text {
    let global = &record.global;
    let mut rows = Rows::new(LABEL, if kernel.pointer_size() == 4 { 8 } else { 16 });
    // Only the line of help is known of this switch, "Dumps the global information": the rows follow those of /M.
    rows.heading("ALPC global information");
    rows.address("PortList", &global.port_list);
    port_rows(&mut rows, global);
    for count in &global.queued_messages {
        let cut = match (count.cut, count.complete.reason()) {
            (0, None) => Text::default(),
            (0, Some(_)) => Text::from(", maybe more"),
            (1, _) => Text::from(", 1 queue cut off"),
            (cut, _) => text!(", {cut} queues cut off"),
        };
        let text = text!("{} messages (ports count {}){cut}", count.messages, count.counted);
        rows.text(queue_label(count.queue), &text);
    }
    let more = match global.waits_complete {
        Value::Known(()) => "",
        Value::Missing(_) => ", maybe more",
    };
    rows.text("WaitingForReply", text!("{}{more}", global.waiting_for_reply));
    let longest = global.longest_queue.as_ref();
    rows.text(
        "LongestQueue",
        longest.map_or(
            if counters_are_read(global) {
                "none".into()
            } else {
                unknown()
            },
            |longest| {
                let maybe = match counters_are_read(global) {
                    true => "",
                    false => ", as far as the counters can be read",
                };
                text!(
                    "{} messages at {}{maybe}",
                    longest.queued,
                    connections::port(&longest.port)
                )
            },
        ),
    );
    rows.address("MessageTable", &global.message_table);
    rows.address("SecondaryTables", &global.secondary_message_tables);
    optional(&mut rows, "NextMessageId", &global.next_message_id);
    optional(&mut rows, "NextCallbackId", &global.next_callback_id);
    rows.flag("LogEnabled", &global.log_enabled);
    rows.flag("MessageLogEnabled", &global.message_log_enabled);
    rows.number("RegionGranularity", &global.region_granularity, 1);
    rows.number("ViewGranularity", &global.view_granularity, 1);
    match &global.blob_types {
        Value::Known(types) => types.iter().for_each(|blob_type| blob_row(&mut rows, blob_type)),
        Value::Missing(_) => rows.text("BlobTypes", unknown()),
    }
    rows.end_of_list(&global.complete);
    let mut text = rows.finish();
    if let (Some(list), Some(graph)) = (&record.list, &record.graph) {
        text.push(text!(
            "\n{}\n{}",
            Cell::new(Look::Heading, "Ports"),
            list.iter().map(ports::line).collect::<Text>()
        ));
        text.push(text!(
            "\n{}\n{}",
            Cell::new(Look::Heading, "Connections"),
            graph.iter().map(edge).collect::<Text>()
        ));
    }
    text
}

fn port_rows(rows: &mut Rows, global: &GlobalRecord) {
    let ports = &global.ports;
    let unknown = |count: usize, what: &str| {
        if count == 0 {
            String::new()
        } else {
            format!(", {count} {what}")
        }
    };
    rows.text(
        "Ports",
        text!(
            "{} ({} connection, {} client, {} server{}{})",
            ports.total,
            ports.connection,
            ports.client_communication,
            ports.server_communication,
            unknown(ports.none, "not connected yet"),
            unknown(ports.unknown, "unknown")
        ),
    );
    rows.text(
        "NamedPorts",
        text!(
            "{} named, {} unnamed{}",
            ports.named,
            ports.unnamed,
            unknown(ports.name_unknown, "unreadable")
        ),
    );
    let handles = unknown(ports.handles_unknown, "unreadable");
    rows.text("WithoutHandles", text!("{}{handles}", ports.without_handles));
    let owner = unknown(ports.owner_unknown, "ports whose owner is unreadable");
    rows.text("OwnerProcesses", text!("{}{owner}", ports.owners));
}

fn counters_are_read(global: &GlobalRecord) -> bool {
    global
        .queued_messages
        .iter()
        .all(|count| count.complete.reason().is_none())
}

fn queue_label(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Main => "MainQueues",
        QueueKind::Direct => "DirectQueues",
        QueueKind::Large => "LargeMessageQueues",
        QueueKind::Pending => "PendingQueues",
        QueueKind::Canceled => "CanceledQueues",
    }
}

/// A row that only kernels which have the thing show.
fn optional(rows: &mut Rows, label: &str, value: &Value<u32>) {
    if !value.reason().is_some_and(alpc::Unreadable::is_absence) {
        rows.number(label, value, 4);
    }
}

fn blob_row(rows: &mut Rows, blob_type: &BlobTypeRecord) {
    let number = |value: &Value<u32>| or_question(value, ToString::to_string);
    let tag = or_question(&blob_type.pool_tag, |tag| escape::text(tag));
    let name = blob_type.holds.to_string();
    // Without the prefix the longest name fits the label.
    rows.text(
        name.trim_start_matches("ALPC_"),
        format!(
            "{} created, {} deleted, {} live, tag {tag}",
            number(&blob_type.created),
            number(&blob_type.deleted),
            number(&blob_type.live),
        ),
    );
}

/// The five columns of `/graph`.
pub fn edge(edge: &EdgeRecord) -> Text {
    let digits = edge.client_port.digits();
    let id = |value: &Value<Option<u64>>| {
        value.known().map_or_else(
            || unknown_address(digits),
            // Ids as wide as pointers: `fffffa80097e0c30 0000000000001488 fffffa80084dfe60 0000000000000298 ntsvcs`
            // (EreTIk's notes, and a published graph of Windows 10).
            |id| text!("{:0digits$x}", id.unwrap_or(0)),
        )
    };
    let (port, name) = match &edge.connection_port {
        Value::Known(Some(port)) => (
            Text::from(port.address.to_string()),
            or_question(&port.name, |name| {
                name.as_deref().map(escape::text).unwrap_or_default()
            }),
        ),
        Value::Known(None) => (Text::from("0".repeat(digits)), Text::default()),
        Value::Missing(_) => (unknown_address(digits), unknown()),
    };
    text!(
        "{} {} {port} {} {name}\n",
        edge.client_port,
        id(&edge.client_process_id),
        id(&edge.server_process_id)
    )
}

/// The three columns of `-lp`.
fn three_columns(port: &PortLine) -> Text {
    let kind = or_question(&port.kind, short_kind);
    text!(
        "{} {kind} {}\n",
        port.address,
        or_question(&port.queued, ToString::to_string)
    )
}
