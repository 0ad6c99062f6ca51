//! `graph`: connections and waits, as text, JSON or a drawing.

use std::collections::HashMap;

use alpc::port::connection::{self, EdgeRecord};
use alpc::port::enumerate;
use alpc::port::receiver::Receivers;
use alpc::report::crossing::{self, CrossingEnd, Crossings};
use alpc::wait::doubt::Doubt;
use alpc::wait::graph::GraphRecord;
use alpc::wait::hang::{self, Deadlock, Hang};
use alpc::wait::node::ProcessNode;
use alpc::wait::signature::Signature;
use alpc::wait::unread::Unread;
use alpc::{Kernel, Value};
use clap::Args;
use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{
    Category, Spec, Verb, global, graph_page, message, object, port, ports, processes, thread,
};
use crate::failure::Failure;
use crate::options::{Format, Options};
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::escape;
use crate::text::graph::fit::LeftOut;
use crate::text::graph::views::Views;
use crate::text::graph::{Drawing, Parts, Point, Subject, dot, html, mermaid};
use crate::text::marked::{Text, text};
use crate::text::rows::or_question;

/// Who is connected to whom (!alpc /graph) and who waits for whom; also drawn
///
/// With -o FILE.html as a page to attach to a ticket, with -o FILE.svg as the picture that the page opens on, with -o FILE.dot
/// or FILE.mmd for Graphviz or Mermaid.
#[derive(Clone, Debug, Args)]
pub struct GraphArgs {
    /// Only what this process has to do with: its address (_EPROCESS), pid:N or image name
    #[arg(long, value_name = "PROCESS")]
    pub process: Option<String>,
}

impl GraphArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Waits,
        switches: &[],
        shape: Shape {
            name: "graph",
            results: &[of::<GraphsRecord<'static>>],
            tables: &[],
            whole: &[of::<GraphsRecord<'static>>],
        },
    };
}

impl Verb for GraphArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let process = self
            .process
            .as_deref()
            .map(|token| selector::process(&kernel, token));
        let process = process.transpose()?;
        let all = enumerate::ports(&kernel);
        let mut notes = ports::source_note(all.source, &all.complete);
        let mut connections = connection::graph(&kernel, &all.ports);
        if let Some(process) = process {
            keep_of(&kernel, process, &mut connections);
        }
        let crossings = crossing::of(&kernel, &connections);
        let (graph, hang) = hang::hang(&kernel);
        let waits = match process {
            Some(process) => graph.record_around(process),
            None => graph.record(),
        };
        let record = GraphsRecord {
            connections: &connections,
            connections_complete: &all.complete,
            crossings: (!crossings.is_empty()).then_some(&crossings),
            waits: &waits,
            deadlocks: &hang.deadlocks,
            signature: &hang.signature,
            doubt: &hang.doubt,
            unread: &hang.unread,
        };
        let caption = hang
            .doubt
            .as_ref()
            .map(|doubt| format!("there may be more waits: {}", doubt.text));
        let draw = || {
            Drawing::of(&Parts {
                connections: record.connections,
                waits: record.waits,
                deadlocks: record.deadlocks,
                processes: &nodes_of_processes(&kernel),
            })
        };
        let text = match options.format {
            Format::Text | Format::Json | Format::Ndjson | Format::Csv | Format::Junit | Format::Sarif => {
                let edges = connections.iter().map(global::edge);
                edges
                    .chain(ports::gap(&all.complete).map(Text::from))
                    .chain(crossing_lines(&crossings))
                    .collect::<Text>()
            }
            Format::Dot => dot::write(&draw(), caption.as_deref()).into(),
            Format::Mermaid => mermaid::write(&draw(), caption.as_deref()).into(),
            Format::Svg => graph_page::svg(&kernel, record.waits, &draw(), &hang).into(),
            Format::Html => {
                let (page, left_out) = page(options, session, &kernel, (draw(), record.waits), &hang)?;
                notes.extend(left_out.text());
                page.into()
            }
        };
        Ok(Answer::large(options, &record, || text)?
            .served_by(&kernel)
            .with_notes(notes))
    }

    fn named(&self) -> Vec<String> {
        self.process.iter().cloned().collect()
    }

    fn writes(&self, format: Format) -> bool {
        format.is_drawing()
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct GraphsRecord<'r> {
    connections: &'r [EdgeRecord],
    /// Set when connections may be missing.
    connections_complete: &'r Value<()>,
    /// Connections that cross integrity, session or AppContainer; left out where none does, as far as tokens tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    crossings: Option<&'r Crossings>,
    waits: &'r GraphRecord<'r>,
    deadlocks: &'r [Deadlock],
    /// The signature of the waits: see `hang`.
    signature: &'r Signature,
    /// Why there may be more waits than were found; null when all could be looked at.
    doubt: &'r Option<Doubt>,
    /// Parts of the system that could not be looked at, so that waits may be missing.
    unread: &'r [Unread],
}

/// What crosses a boundary, behind a heading; nothing where nothing does.
fn crossing_lines(crossings: &Crossings) -> Vec<Text> {
    let mut lines = Vec::new();
    if !crossings.connections.is_empty() {
        lines.push(Text::from(
            "\nConnections that cross integrity, session or AppContainer:\n",
        ));
    }
    let end = |end: &CrossingEnd| {
        let container = if end.in_container { ", AppContainer" } else { "" };
        text!(
            "{} ({}, session {}{container})",
            or_question(&end.process.image, |image| escape::text(image)),
            end.integrity.as_deref().unwrap_or("no integrity"),
            end.session
        )
    };
    for crossing in &crossings.connections {
        lines.push(text!(
            "{} {} -> {} {}: {}\n",
            crossing.client_port,
            end(&crossing.client),
            crossing.connection_port,
            end(&crossing.server),
            crossing.crosses.join(", ")
        ));
    }
    if crossings.undecided > 0 {
        lines.push(text!(
            "{} connections have ends whose tokens cannot be read: whether they cross anything is not known\n",
            crossings.undecided
        ));
    }
    lines
}

/// As much of the drawing as a page holds, with the views of its nodes.
fn page(
    options: &Options,
    session: &Session,
    kernel: &Kernel<'_>,
    (drawing, waits): (Drawing, &GraphRecord<'_>),
    hang: &Hang,
) -> anyhow::Result<(String, LeftOut)> {
    let importance = by_importance(&drawing, hang);
    let front = graph_page::front(kernel, waits, &drawing, hang);
    let (drawing, left_out) = html::fit(drawing, &importance, &front);
    let receivers = Receivers::of_system(kernel);
    let redactor = session.redactor();
    let view = |dot: usize| {
        let view = match drawing.dots[dot].subject {
            Some((Subject::Thread, at)) => Ok(thread::view(kernel, &receivers, at)),
            Some((Subject::Message, at)) => message::view(options, kernel, at),
            Some((Subject::Port, at)) => port::view(options, kernel, at),
            Some((Subject::Process, at)) => processes::view(session, kernel, &receivers, at),
            Some((Subject::Object, at)) => object::view(options, kernel, at),
            None => Ok(Text::default()),
        };
        // What cannot be read says why, as its command does.
        view.map_or_else(
            |error| escape::lines(&redactor.message(&Failure::from_error(error).message)),
            Text::into_plain,
        )
    };
    let viewed: Vec<usize> = by_importance(&drawing, hang)
        .into_iter()
        .filter(|&dot| drawing.dots[dot].subject.is_some())
        .collect();
    let views = Views::pack(drawing.dots.len(), &viewed, html::room(&drawing, &front), view)?;
    let page = html::write(&drawing, left_out, &views, &front)?;
    Ok((page, left_out))
}

/// The dots: those of deadlocks, then the blockers, then whatever waits, then the others.
fn by_importance(drawing: &Drawing, hang: &Hang) -> Vec<usize> {
    let blockers: HashMap<Gva, usize> = hang
        .blockers
        .iter()
        .enumerate()
        .map(|(rank, blocker)| (blocker.node.address().gva(), rank))
        .collect();
    let subject = |dot: &Point| dot.subject.map(|(_, at)| at);
    let mut order: Vec<usize> = (0..drawing.dots.len()).collect();
    // Waits stand before connections in the drawing.
    order.sort_by_key(|&number| {
        let dot = &drawing.dots[number];
        let rank = subject(dot).and_then(|at| blockers.get(&at)).copied();
        (!dot.deadlock, rank.unwrap_or(usize::MAX), number)
    });
    order
}

fn nodes_of_processes(kernel: &Kernel<'_>) -> Vec<ProcessNode> {
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
    let is = |end: &Value<Option<u64>>| end.known() == Some(&Some(id));
    connections.retain(|edge| is(&edge.client_process_id) || is(&edge.server_process_id));
}
