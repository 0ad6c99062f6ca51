//! `graph`: connections and waits, as text, JSON or a drawing.

use alpc::connection::{self, EdgeRecord};
use alpc::enumerate;
use alpc::wait::graph::GraphRecord;
use alpc::wait::hang::{self, Deadlock};
use alpc::wait::node::ProcessNode;
use alpc::{Kernel, Value};
use kdump::Gva;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, global, ports};
use crate::cli::{Cli, Format, GraphArgs};
use crate::output::graph::{Drawing, Parts, dot, html, mermaid};
use crate::selector;
use crate::session::Session;

#[derive(Serialize, JsonSchema)]
pub struct GraphsRecord<'r> {
    connections: &'r [EdgeRecord],
    waits: &'r GraphRecord<'r>,
    deadlocks: &'r [Deadlock],
}

pub fn run(cli: &Cli, session: &Session, args: &GraphArgs) -> anyhow::Result<Answer> {
    let kernel = session.kernel()?;
    let process = args
        .process
        .as_deref()
        .map(|token| selector::process(&kernel, token));
    let process = process.transpose()?;
    let all = enumerate::ports(&kernel);
    let notes = ports::source_note(all.source, &all.complete);
    let mut connections = connection::graph(&kernel, &all.ports);
    if let Some(process) = process {
        keep_of(&kernel, process, &mut connections);
    }
    let (graph, hang) = hang::hang(&kernel);
    let waits = match process {
        Some(process) => graph.record_around(process),
        None => graph.record(),
    };
    let record = GraphsRecord {
        connections: &connections,
        waits: &waits,
        deadlocks: &hang.deadlocks,
    };
    let draw = || {
        Drawing::of(&Parts {
            connections: record.connections,
            waits: record.waits,
            deadlocks: record.deadlocks,
            processes: &processes(&kernel),
        })
    };
    let text = match cli.format {
        Format::Text | Format::Json | Format::Ndjson | Format::Csv | Format::Junit => {
            connections.iter().map(global::edge).collect()
        }
        Format::Dot => dot::write(&draw()),
        Format::Mermaid => mermaid::write(&draw()),
        Format::Html => html::write(&draw(), &hang.signature)?,
    };
    Ok(Answer::large(cli, &record, || text)?
        .served_by(&kernel)
        .with_notes(notes))
}

fn processes(kernel: &Kernel<'_>) -> Vec<ProcessNode> {
    let list = alpc::process::processes(kernel).map(|list| list.entries);
    list.unwrap_or_default()
        .into_iter()
        .map(|process| ProcessNode::new(kernel, process))
        .collect()
}

/// Leaves the connections that a process is an end of.
fn keep_of(kernel: &Kernel<'_>, process: Gva, connections: &mut Vec<EdgeRecord>) {
    let Value::Known(id) = ProcessNode::new(kernel, process).process_id else {
        return;
    };
    let is = |end: &Value<u64>| end.known() == Some(&id);
    connections.retain(|edge| is(&edge.client_process_id) || is(&edge.server_process_id));
}
