//! The graph of connections and waits as drawings. The drawing is made once; each format writes it its own way,
//! and escapes names its own way.

pub mod behind;
pub mod card;
pub mod dot;
pub mod fit;
pub mod html;
pub mod layout;
pub mod links;
pub mod measure;
pub mod mermaid;
pub mod panel;
pub mod scene;
pub mod svg;
pub mod views;

use std::collections::{BTreeMap, BTreeSet};

use alpc::Value;
use alpc::port::connection::EdgeRecord;
use alpc::process::ProcessRef;
use alpc::wait::graph::GraphRecord;
use alpc::wait::hang::Deadlock;
use alpc::wait::node::{MessageNode, Node, ProcessNode};
use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::text::rows::or_question;
use crate::text::{call_lines, escape, wait_lines};

/// What a node of a drawing stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    Process,
    Port,
    Thread,
    Message,
    #[default]
    Object,
}

impl Shape {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Port => "port",
            Self::Thread => "thread",
            Self::Message => "message",
            Self::Object => "object",
        }
    }
}

/// A node of a drawing.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Point {
    pub shape: Shape,
    /// What stands in the node: escaped for a terminal, not for the format.
    pub label: String,
    /// More about it, line by line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// The process that it belongs to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub process: String,
    /// What it is doing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// The command that shows it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// Whether it is part of a deadlock.
    #[serde(skip_serializing_if = "is_not")]
    pub deadlock: bool,
    /// What a view shows more of, and where it is.
    #[serde(skip)]
    pub subject: Option<(Subject, Gva)>,
}

impl Point {
    /// What pictures know it by: its command, else its label.
    pub fn key(&self) -> &str {
        match self.command.as_str() {
            "" => &self.label,
            command => command,
        }
    }
}

/// What pictures know a node by.
pub fn key_of(node: &Node) -> String {
    dot(node, false).key().to_owned()
}

/// A node in a few words.
pub fn label_of(node: &Node) -> String {
    dot(node, false).label
}

/// What a view is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Thread,
    Message,
    Port,
    Process,
    Object,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_not(flag: &bool) -> bool {
    !flag
}

/// What a line of a drawing says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Stroke {
    Connection,
    Owner,
    Wait,
}

/// A line of a drawing.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Line {
    pub from: usize,
    pub to: usize,
    pub stroke: Stroke,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What says so, line by line; left out of large drawings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// Whether it is part of a deadlock.
    #[serde(skip_serializing_if = "is_not")]
    pub deadlock: bool,
}

/// Lines of a drawing that carry their evidence; with more, it would be too large to send around.
const WITH_EVIDENCE: usize = 2_000;

/// A drawing: waits with deadlocks first, then connections.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Drawing {
    pub dots: Vec<Point>,
    pub lines: Vec<Line>,
}

/// What a drawing is made of.
pub struct Parts<'p> {
    pub connections: &'p [EdgeRecord],
    pub waits: &'p GraphRecord<'p>,
    pub deadlocks: &'p [Deadlock],
    /// The processes of the system.
    pub processes: &'p [ProcessNode],
}

impl Drawing {
    pub fn of(parts: &Parts<'_>) -> Self {
        let mut drawing = Self::default();
        let numbers = drawing.add_waits(parts);
        drawing.add_connections(parts, &numbers);
        drawing
    }

    /// The nodes of the graph of waits; their numbers in the drawing, by address.
    fn add_waits(&mut self, parts: &Parts<'_>) -> BTreeMap<String, usize> {
        let rings: Vec<BTreeSet<usize>> = parts
            .deadlocks
            .iter()
            .map(|deadlock| deadlock.ring.iter().map(|step| step.id.number()).collect())
            .collect();
        let dead = |id: usize| rings.iter().any(|ring| ring.contains(&id));
        let mut ordered: Vec<_> = parts.waits.nodes.iter().collect();
        ordered.sort_by_key(|record| !dead(record.id.number()));
        let mut by_id = BTreeMap::new();
        let mut by_address = BTreeMap::new();
        for record in &ordered {
            let number = self.dots.len();
            by_id.insert(record.id.number(), number);
            if matches!(record.node, Node::Process(_) | Node::Port(_)) {
                by_address.insert(record.node.address().to_string(), number);
            }
            self.dots.push(dot(record.node, dead(record.id.number())));
        }
        let lines = ordered.iter().map(|record| record.edges.len()).sum::<usize>();
        for record in &ordered {
            for edge in record.edges {
                let from = record.id.number();
                let (Some(&start), Some(&end)) = (by_id.get(&from), by_id.get(&edge.to.number())) else {
                    continue;
                };
                let in_ring =
                    |ring: &BTreeSet<usize>| ring.contains(&from) && ring.contains(&edge.to.number());
                self.lines.push(Line {
                    from: start,
                    to: end,
                    stroke: if edge.edge.is_wait() {
                        Stroke::Wait
                    } else {
                        Stroke::Owner
                    },
                    label: edge.certainty.name().to_owned(),
                    evidence: if lines <= WITH_EVIDENCE {
                        edge.evidence
                            .iter()
                            .map(|evidence| wait_lines::evidence(evidence).into_plain())
                            .collect()
                    } else {
                        Vec::new()
                    },
                    deadlock: rings.iter().any(in_ring),
                });
            }
        }
        by_address
    }

    fn add_connections(&mut self, parts: &Parts<'_>, known: &BTreeMap<String, usize>) {
        let mut numbers = known.clone();
        let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut owned: BTreeSet<(usize, usize)> = self
            .lines
            .iter()
            .filter(|line| line.stroke == Stroke::Owner)
            .map(|line| (line.from, line.to))
            .collect();
        for edge in parts.connections {
            let client = self.process(parts, &mut numbers, &edge.client_process_id);
            let server = self.process(parts, &mut numbers, &edge.server_process_id);
            let Value::Known(Some(port)) = &edge.connection_port else {
                continue;
            };
            let number = *numbers.entry(port.address.to_string()).or_insert_with(|| {
                self.dots.push(Point {
                    shape: Shape::Port,
                    label: or_question(&port.name, |name| {
                        name.as_ref()
                            .map_or_else(|| port.address.to_string(), |name| escape::text(name))
                    })
                    .into_plain(),
                    // Its command says the rest.
                    lines: Vec::new(),
                    process: server
                        .map(|server| self.dots[server].label.clone())
                        .unwrap_or_default(),
                    state: "connection port".to_owned(),
                    command: format!("port {}", port.address),
                    deadlock: false,
                    subject: Some((Subject::Port, port.address.gva())),
                });
                self.dots.len() - 1
            });
            if let Some(client) = client {
                *counts.entry((client, number)).or_default() += 1;
            }
            if let Some(server) = server
                && owned.insert((number, server))
            {
                self.line(number, server, Stroke::Owner, String::new());
            }
        }
        for ((client, port), count) in counts {
            let label = if count > 1 {
                format!("{count}x")
            } else {
                String::new()
            };
            self.line(client, port, Stroke::Connection, label);
        }
    }

    fn line(&mut self, from: usize, to: usize, stroke: Stroke, label: String) {
        self.lines.push(Line {
            from,
            to,
            stroke,
            label,
            evidence: Vec::new(),
            deadlock: false,
        });
    }

    fn process(
        &mut self,
        parts: &Parts<'_>,
        numbers: &mut BTreeMap<String, usize>,
        id: &Value<Option<u64>>,
    ) -> Option<usize> {
        let id = id.known()?.as_ref()?;
        let process = parts
            .processes
            .iter()
            .find(|one| one.process_id.known() == Some(id));
        let key = process.map_or_else(|| format!("pid {id}"), |process| process.address.to_string());
        Some(*numbers.entry(key).or_insert_with(|| {
            self.dots.push(match process {
                Some(process) => dot(&Node::Process(process.clone()), false),
                None => Point {
                    shape: Shape::Process,
                    label: format!("? {id:04x}"),
                    lines: Vec::new(),
                    process: format!("? {id:04x}"),
                    state: String::new(),
                    command: String::new(),
                    deadlock: false,
                    subject: None,
                },
            });
            self.dots.len() - 1
        }))
    }
}

fn dot(node: &Node, deadlock: bool) -> Point {
    let address = node.address();
    let (shape, label, lines, process, state, command) = match node {
        Node::Thread(thread) => (
            Shape::Thread,
            wait_lines::who(thread).into_plain(),
            vec![
                format!("thread {address}{}", wait_lines::service(thread)),
                format!("wait: {}", wait_lines::doing(thread)),
                format!("for {}", wait_lines::waited(thread)),
                format!("its chain: alpc-dump DUMP chain {address}"),
            ],
            process_label(&thread.process, &thread.process_id),
            or_question(&thread.state, |state| state.name().unwrap_or("?").to_owned()).into_plain(),
            format!("thread {address}"),
        ),
        Node::Message(message) => (
            Shape::Message,
            format!(
                "message {} at {}",
                or_question(&message.message_id, |id| format!("0x{id:x}")),
                wait_lines::port_of(message)
            ),
            call_label(message)
                .into_iter()
                .chain([format!("message {address}")])
                .collect(),
            String::new(),
            or_question(&message.queue, |queue| {
                queue.map_or("in no queue", |queue| queue.name()).to_owned()
            })
            .into_plain(),
            format!("message {address}"),
        ),
        Node::Port(port) => (
            Shape::Port,
            or_question(&port.name, |name| {
                name.as_ref()
                    .map_or_else(|| address.to_string(), |name| escape::text(name))
            })
            .into_plain(),
            vec![wait_lines::port_line(port).into_plain()],
            match &port.owner_process_id {
                Value::Known(Some(id)) => process_label(&port.owner, &Value::Known(*id)),
                _ => wait_lines::image(&port.owner).into_plain(),
            },
            or_question(&port.servers, wait_lines::servers).into_plain(),
            format!("port {address}"),
        ),
        Node::Process(process) => {
            let label = format!(
                "{} {}",
                or_question(&process.image, |image| escape::text(image)),
                or_question(&process.process_id, |id| format!("{id:04x}"))
            );
            (
                Shape::Process,
                label.clone(),
                vec![format!("process {address}")],
                label,
                match process.exit_time {
                    Value::Known(Some(_)) => "ended".to_owned(),
                    _ => String::new(),
                },
                format!("process {address}"),
            )
        }
        Node::CompletionPort(_) => object("completion port", address, format!("object {address}")),
        Node::Mutant(_) => object("mutant", address, format!("object {address}")),
        Node::Lock(lock) => {
            let (shape, label, _, process, state, command) = object(lock.lock.name(), address, String::new());
            let lines = vec![wait_lines::lock(lock).into_plain(), wait_lines::kd_command(node)];
            (shape, label, lines, process, state, command)
        }
        Node::Irp(irp) => (
            Shape::Object,
            format!("I/O request {address}"),
            vec![
                wait_lines::pending(irp).into_plain(),
                wait_lines::kd_command(node),
            ],
            String::new(),
            or_question(&irp.driver, |driver| match driver {
                Some(driver) => format!("I/O pending at {}", wait_lines::driver(driver)),
                None => String::new(),
            })
            .into_plain(),
            String::new(),
        ),
        Node::Driver(driver) => (
            Shape::Object,
            wait_lines::driver(driver).into_plain(),
            vec![format!("driver {address}"), wait_lines::kd_command(node)],
            String::new(),
            String::new(),
            String::new(),
        ),
    };
    Point {
        shape,
        label,
        lines,
        process,
        state,
        command,
        deadlock,
        subject: subject(node).map(|subject| (subject, address.gva())),
    }
}

fn subject(node: &Node) -> Option<Subject> {
    match node {
        Node::Thread(_) => Some(Subject::Thread),
        Node::Message(_) => Some(Subject::Message),
        Node::Port(_) => Some(Subject::Port),
        Node::Process(_) => Some(Subject::Process),
        Node::Mutant(_) | Node::CompletionPort(_) => Some(Subject::Object),
        // No view shows more of them than the drawing.
        Node::Lock(_) | Node::Irp(_) | Node::Driver(_) => None,
    }
}

/// What a message asks for, as far as that is known.
fn call_label(message: &MessageNode) -> Option<String> {
    let call = message.call().filter(|call| call.asks())?;
    Some(format!("calls {}", call_lines::asked(call).into_plain()))
}

/// A process as its own node is labelled, so that its threads and ports are found with it.
fn process_label(process: &Value<Option<ProcessRef>>, id: &Value<u64>) -> String {
    format!(
        "{} {}",
        wait_lines::image(process),
        or_question(id, |id| format!("{id:04x}"))
    )
}

fn object(
    what: &str,
    address: alpc::Addr,
    command: String,
) -> (Shape, String, Vec<String>, String, String, String) {
    let label = format!("{what} {address}");
    (
        Shape::Object,
        label,
        Vec::new(),
        String::new(),
        String::new(),
        command,
    )
}
