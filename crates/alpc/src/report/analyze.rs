//! Consistency: does everything that refers to something else agree with it?
//!
//! A finding is a contradiction between two readable things. What cannot be read contradicts nothing; it is
//! counted apart, so that "no problems" is not said of what was not seen.

use std::collections::{BTreeMap, BTreeSet};

use kdump::{Gva, Progress};
use ntkernel::image::reason::About;
use ntkernel::why;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

mod hidden;
mod kinds;
mod lists;
mod look_alike;

pub use kinds::{KINDS, Kind, Severity};

use crate::port::call::Calls;
use crate::port::communication;
use crate::port::enumerate::{self, PortSource};
use crate::port::message_table;
use crate::port::queue::{self, QueueKind};
use crate::port::{self, PortKind};
use crate::wait::node::PortLabel;
use ntkernel::image::contract::{CommunicationInfo, Message, ObjectHeader, Port, PortMessage};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::object;
use ntkernel::process;

/// A contradiction.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Finding {
    /// A stable id of its kind.
    pub id: &'static str,
    /// How much it says.
    pub severity: Severity,
    /// What it is about: the thing first, then what contradicts it.
    pub addresses: Vec<Addr>,
    /// The ports among these, with what people know them by.
    pub ports: Vec<PortLabel>,
    /// What contradicts what.
    pub text: String,
    /// What else is known of it, each by itself.
    pub evidence: Vec<String>,
    /// What it may mean, innocent causes first.
    pub meaning: &'static str,
}

/// All contradictions of a system.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Analysis {
    /// The findings, in the order of the ports and messages that they are about.
    pub findings: Vec<Finding>,
    /// Ports that were looked at.
    pub ports: usize,
    /// Messages that were looked at.
    pub messages: usize,
    /// Where the ports were found.
    pub source: PortSource,
    /// Things that could not be checked because they cannot be read.
    pub unchecked: Vec<Value<()>>,
}

/// Checks all ports and messages, and whether processes and threads are where they belong. With `carve` also all memory is
/// looked through for what no list leads to.
#[must_use]
pub fn analyze(kernel: &Kernel<'_>, carve: Option<&Progress>) -> Analysis {
    let ports = enumerate::ports(kernel);
    let mut check = Check::new(kernel);
    if let Some(list) = check.read(port::port_list(kernel)) {
        let _ = check.links(kinds::PORT_LIST, &[], "the kernel's list of ports", &list);
    }
    for &address in &ports.ports {
        check.port(kernel.at(address));
    }
    check.lists();
    check.unlisted(&ports);
    check.hidden(&ports, carve);
    check.look_alikes(&ports);
    let messages = check.messages();
    check.name_ports(&ports);
    Analysis {
        findings: check.findings,
        ports: ports.ports.len(),
        messages,
        source: ports.source,
        unchecked: check.unchecked,
    }
}

struct Check<'k, 'd> {
    kernel: &'k Kernel<'d>,
    findings: Vec<Finding>,
    unchecked: Vec<Value<()>>,
    /// What is among them: the same memory may hide several things.
    told: BTreeSet<String>,
    /// The live processes, or why some may be missing.
    processes: Read<BTreeSet<Gva>>,
    /// In which queues of which ports each message was found.
    membership: BTreeMap<Gva, Vec<(Gva, QueueKind)>>,
    /// Ports whose queues were followed, and why that was not to their ends.
    queues: BTreeMap<Gva, Option<Unreadable>>,
    /// Completion ports that were looked at.
    completion_ports: BTreeSet<Gva>,
    /// What directories hold, and what hides more of it.
    directories: BTreeMap<Gva, (BTreeSet<Gva>, Option<Unreadable>)>,
    calls: Calls<'k, 'd>,
}

impl<'k, 'd> Check<'k, 'd> {
    fn new(kernel: &'k Kernel<'d>) -> Self {
        let processes = process::processes(kernel).and_then(|list| {
            list.complete("the list of processes")?;
            Ok(list.entries.into_iter().collect())
        });
        Self {
            kernel,
            findings: Vec::new(),
            unchecked: Vec::new(),
            told: BTreeSet::new(),
            processes,
            membership: BTreeMap::new(),
            queues: BTreeMap::new(),
            completion_ports: BTreeSet::new(),
            directories: BTreeMap::new(),
            calls: Calls::new(kernel),
        }
    }

    fn find(&mut self, kind: Kind, addresses: &[Gva], text: String) {
        let addresses = addresses
            .iter()
            .map(|&address| self.kernel.addr(address))
            .collect();
        self.findings.push(Finding {
            id: kind.id,
            severity: kind.severity,
            addresses,
            ports: Vec::new(),
            text,
            evidence: Vec::new(),
            meaning: kind.meaning,
        });
    }

    /// The same with what else is known of it.
    fn find_with(&mut self, kind: Kind, addresses: &[Gva], text: String, evidence: Vec<String>) {
        self.find(kind, addresses, text);
        if let Some(finding) = self.findings.last_mut() {
            finding.evidence = evidence;
        }
    }

    /// Adds to the findings what is known of their ports.
    fn name_ports(&mut self, ports: &enumerate::Ports) {
        let known: BTreeSet<Gva> = ports.ports.iter().copied().collect();
        let kernel = self.kernel;
        for finding in &mut self.findings {
            let addresses = finding.addresses.iter().map(|address| address.gva());
            finding.ports = addresses
                .filter(|address| known.contains(address) || self.queues.contains_key(address))
                .map(|address| PortLabel::new(kernel.at(address)))
                .collect();
        }
    }

    /// A value to check; what hides it is noted, and nothing is found.
    fn read<T>(&mut self, read: Read<T>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(hole) if hole.is_absence() => None,
            Err(hole) => {
                self.could_not(hole);
                None
            }
        }
    }

    /// Something that could not be checked, and why.
    fn could_not(&mut self, hole: Unreadable) {
        if self.told.insert(hole.to_string()) {
            self.unchecked.push(Value::Missing(Box::new(hole)));
        }
    }

    /// The same, of a check for which `hole` hides one of the two sides.
    fn could_not_tell(&mut self, what: impl Into<About>, hole: &Unreadable) {
        self.could_not(Unreadable::walk(why!("{}: {}", what.into(), hole), Some(hole)));
    }

    fn port(&mut self, port: At<'k, 'd>) {
        let Some(kind) = self.kind(port) else { return };
        self.owner(port);
        self.info(port, kind);
        if kind == PortKind::Connection {
            self.connections(port);
            self.server(port);
        }
        self.queues_of(port);
        self.wait_queue(port);
        self.resources(port);
        let queue = self.read(port.pointer(Port::CompletionPort));
        if let Some(queue) = queue.filter(|queue| queue.u64() != 0 && self.completion_ports.insert(*queue)) {
            self.completion_port(queue);
        }
    }

    fn kind(&mut self, port: At<'k, 'd>) -> Option<PortKind> {
        match port::kind(port) {
            Err(Unreadable::Implausible(text)) if port.flag(Port::Initialized).is_ok_and(|set| set) => {
                self.find(kinds::PORT_KIND, &[port.address()], text.to_string());
                None
            }
            // A port that is not initialized yet has nothing to agree with.
            Err(Unreadable::Implausible(_)) => None,
            kind => self.read(kind),
        }
    }

    /// The owner must be a process, and a port that its owner closed must be closed.
    fn owner(&mut self, port: At<'k, 'd>) {
        let Some((owner, closed)) = self.read(port::owner_process(port)) else {
            return;
        };
        let at = self.kernel.addr(port.address());
        let process = self.kernel.addr(owner);
        let is_live = match &self.processes {
            Ok(live) => Ok(owner.u64() == 0 || live.contains(&owner)),
            Err(hole) => Err(hole.clone()),
        };
        match is_live {
            Ok(true) => {}
            Ok(false) => self.find(
                kinds::OWNER_GONE,
                &[port.address(), owner],
                format!("the owner {process} of the port {at} is in no list of live processes"),
            ),
            Err(hole) => self.could_not_tell(why!("the owner {} of the port {}", process, at), &hole),
        }
        // Bit 0 of OwnerProcess, and a bit of the state: two signs of one thing. A driver that took the first for a
        // part of the address has crashed (System Informer, issue 1525).
        let is_closed = self.read(port.flag(Port::Closed));
        if closed && is_closed == Some(false) {
            let text = format!("the owner closed the port {at}, but its state does not say so");
            self.find(kinds::CLOSED_BY_OWNER, &[port.address()], text);
        }
    }

    /// Well-known ports belong to well-known processes.
    fn server(&mut self, port: At<'k, 'd>) {
        let Some(server) = self.calls.unexpected_server(port.address()) else {
            return;
        };
        let at = self.kernel.addr(port.address());
        self.find(
            kinds::UNEXPECTED_SERVER,
            &[port.address()],
            format!(
                "the port {at} belongs to {}, and in Windows to {}",
                server.image,
                server.expected.join(" or ")
            ),
        );
    }

    /// The communication info must name the port in the place of its kind.
    fn info(&mut self, port: At<'k, 'd>, kind: PortKind) {
        let Some(info) = self.read(port.pointer(Port::CommunicationInfo)) else {
            return;
        };
        let at = self.kernel.addr(port.address());
        if info.u64() == 0 {
            let text = format!("the port {at} has no communication info");
            return self.find(kinds::INFO_MISSING, &[port.address()], text);
        }
        let named = self.read(self.kernel.at(info).pointer(kind.place()));
        if let Some(named) = named.filter(|&named| named != port.address()) {
            let text = format!(
                "the communication info {} of the port {at} names {} in the place of {kind}",
                self.kernel.addr(info),
                self.kernel.addr(named)
            );
            self.find(kinds::INFO_WRONG, &[port.address(), info, named], text);
        }
    }

    /// Both ends of each connection must name its communication info, and that its connection port.
    fn connections(&mut self, port: At<'k, 'd>) {
        let Some(infos) = self.read(communication::infos(port)) else {
            return;
        };
        let what = why!(
            "the list of connections of the port {}",
            self.kernel.addr(port.address())
        );
        let _ = self.links(kinds::CONNECTION_LIST, &[port.address()], what, &infos);
        for info in infos.entries {
            self.connection(port, self.kernel.at(info));
        }
    }

    fn connection(&mut self, port: At<'k, 'd>, info: At<'k, 'd>) {
        const ENDS: [CommunicationInfo; 2] = [
            CommunicationInfo::ServerCommunicationPort,
            CommunicationInfo::ClientCommunicationPort,
        ];
        let at = self.kernel.addr(info.address());
        let connection = self.read(info.pointer(CommunicationInfo::ConnectionPort));
        if let Some(named) = connection.filter(|&named| named != port.address()) {
            let text = format!(
                "the connection {at} is in the list of the port {} but names the connection port {}",
                self.kernel.addr(port.address()),
                self.kernel.addr(named)
            );
            self.find(
                kinds::CONNECTION_WRONG,
                &[info.address(), port.address(), named],
                text,
            );
        }
        for end in ENDS {
            let Some(end) = self.read(info.pointer(end)).filter(|end| end.u64() != 0) else {
                continue;
            };
            let named = self.read(self.kernel.at(end).pointer(Port::CommunicationInfo));
            if let Some(named) = named.filter(|&named| named != info.address()) {
                let (end_at, wrong) = (self.kernel.addr(end), self.kernel.addr(named));
                // The debugger's own words: it prints a line with "points to wrong" and the other address before
                // such a connection.
                let text = format!(
                    "the port {end_at} of the connection {at} points to wrong communication info {wrong}"
                );
                self.find(kinds::END_WRONG, &[info.address(), end, named], text);
            }
        }
    }

    fn queues_of(&mut self, port: At<'k, 'd>) {
        for kind in QueueKind::ALL {
            let whole = self.queue(port, kind);
            let known = self.queues.entry(port.address()).or_default();
            *known = known.take().or(whole.err());
        }
    }

    /// The members must say that they are in the queue, and be as many as the port counts. Why some may be
    /// missing is returned.
    fn queue(&mut self, port: At<'k, 'd>, kind: QueueKind) -> Read<()> {
        let members = match queue::members(port, kind) {
            Ok(members) => members,
            Err(hole) if hole.is_absence() => return Ok(()),
            Err(hole) => {
                self.could_not(hole.clone());
                return Err(hole);
            }
        };
        let at = self.kernel.addr(port.address());
        let what = why!("the {} queue of the port {}", kind.name(), at);
        let complete = self.links(kinds::QUEUE_LINKS, &[port.address()], what, &members);
        let count = self.read(port.uint(kind.counter()));
        let found = members.entries.len();
        // Ordinary in a dump that was written while the system ran, whose pages are of different moments: as those
        // of LiveKd, for which Vostokov's crash dump patterns have the name "inconsistent dump".
        if complete.is_ok() && count.is_some_and(|count| count != found as u64) {
            let text = format!(
                "the port {at} counts {} messages in its {} queue, which holds {found}",
                count.unwrap_or_default(),
                kind.name()
            );
            self.find(kinds::QUEUE_LENGTH, &[port.address()], text);
        }
        for message in members.entries {
            self.membership
                .entry(message)
                .or_default()
                .push((port.address(), kind));
            self.member(port, kind, self.kernel.at(message));
        }
        complete
    }

    fn member(&mut self, port: At<'k, 'd>, kind: QueueKind, message: At<'k, 'd>) {
        let member = match kind {
            // (A canceled message names two ports: that whose queue it stands in, and that which is to fetch the
            // notice.)
            QueueKind::Canceled => Message::CancelQueuePort,
            _ => Message::PortQueue,
        };
        let Some(named) = self.read(message.pointer(member)) else {
            return;
        };
        let (at, message_at) = (
            self.kernel.addr(port.address()),
            self.kernel.addr(message.address()),
        );
        if named != port.address() {
            let text = format!(
                "the message {message_at} is in the {} queue of the port {at} but names the port {}",
                kind.name(),
                self.kernel.addr(named)
            );
            self.find(
                kinds::QUEUE_PORT,
                &[message.address(), port.address(), named],
                text,
            );
        }
        let Some(expected) = kind.queue_type() else { return };
        let Some(said) = self.read(message.uint(Message::QueueType)) else {
            return;
        };
        if said != expected {
            let text = format!(
                "the message {message_at} is in the {} queue of the port {at} but says queue type {said}",
                kind.name()
            );
            self.find(kinds::QUEUE_TYPE, &[message.address(), port.address()], text);
        }
    }

    fn wait_queue(&mut self, port: At<'k, 'd>) {
        let Some(waiting) = self.read(port::waiter::threads_waiting_at(port)) else {
            return;
        };
        let what = why!("the wait queue of the port {}", self.kernel.addr(port.address()));
        if self
            .links(kinds::WAIT_QUEUE_LINKS, &[port.address()], what, &waiting)
            .is_err()
        {
            return;
        }
        let count = self.read(port.uint(Port::WaitQueueLength));
        // WaitQueueLength is a counter of its own beside the list, as the lengths of the message queues are.
        if let Some(count) = count.filter(|&count| count != waiting.entries.len() as u64) {
            let at = self.kernel.addr(port.address());
            let text = format!(
                "the port {at} counts {count} waiting threads, its list holds {}",
                waiting.entries.len()
            );
            self.find(kinds::WAIT_QUEUE_LENGTH, &[port.address()], text);
        }
    }

    /// Ports that handles or names lead to must be in the kernel's list.
    fn unlisted(&mut self, ports: &enumerate::Ports) {
        if ports.source != PortSource::PortList {
            return;
        }
        let listed: BTreeSet<Gva> = ports.ports.iter().copied().collect();
        let mut elsewhere = enumerate::by_handle(self.kernel);
        match enumerate::by_name(self.kernel) {
            Ok(named) => {
                elsewhere.ports.extend(named.ports);
                elsewhere.gaps.extend(named.gaps);
            }
            Err(hole) => elsewhere.gaps.push(hole),
        }
        for hole in &elsewhere.gaps {
            self.could_not(hole.clone());
        }
        // A port that is alive by its handles and in no list is what a rootkit's unlinking would leave; so is one
        // that is just being made.
        for &port in elsewhere.ports.difference(&listed) {
            let text = format!(
                "the port {} is not in the kernel's list of ports",
                self.kernel.addr(port)
            );
            self.find(kinds::UNLISTED, &[port], text);
        }
        for &port in &listed {
            if !elsewhere.ports.contains(&port) {
                self.handle_count(port, elsewhere.gaps.first());
            }
        }
    }

    /// A port to which no handle and no name leads must count no handles. `gap` is what may hide one.
    fn handle_count(&mut self, port: Gva, gap: Option<&Unreadable>) {
        let header = object::header(self.kernel, port);
        let handles = self.read(header.and_then(|header| header.uint(ObjectHeader::HandleCount)));
        let at = self.kernel.addr(port);
        if let Some(handles) = handles.filter(|&handles| handles > 0) {
            if let Some(gap) = gap {
                return self.could_not_tell(
                    why!("the handles of the port {}, which counts {}", at, handles),
                    gap,
                );
            }
            let text = format!("the port {at} counts {handles} handles, but none leads to it");
            self.find(kinds::HANDLE_COUNT, &[port], text);
        }
    }

    /// Messages of the message table: those that say they are in a queue must be, and their lengths must agree.
    fn messages(&mut self) -> usize {
        let table = message_table::messages(self.kernel);
        let Some(table) = self.read(table) else {
            return self.membership.len();
        };
        self.unchecked
            .extend(table.gaps.into_iter().map(|hole| Value::Missing(Box::new(hole))));
        let all: BTreeSet<Gva> = table
            .messages
            .into_iter()
            .chain(self.membership.keys().copied())
            .collect();
        for &message in &all {
            self.message(self.kernel.at(message));
        }
        all.len()
    }

    fn message(&mut self, message: At<'k, 'd>) {
        self.queue_of(message);
        self.lengths(message);
    }

    fn queue_of(&mut self, message: At<'k, 'd>) {
        let Some(port) = self
            .read(message.pointer(Message::PortQueue))
            .filter(|port| port.u64() != 0)
        else {
            return;
        };
        let Some(queue) = self.read(message.uint(Message::QueueType)) else {
            return;
        };
        let has_queue = QueueKind::ALL
            .into_iter()
            .any(|kind| kind.queue_type() == Some(queue));
        // 0 is no queue, and 5 a reply that went straight to its thread (14393 and later): no list has such a
        // message.
        if !has_queue {
            return;
        }
        // A port that is not among those that were found.
        if !self.queues.contains_key(&port) {
            match port::kind(self.kernel.at(port)) {
                Ok(_) => self.queues_of(self.kernel.at(port)),
                Err(Unreadable::Implausible(_)) => return,
                Err(hole) => return self.could_not(hole),
            }
        }
        let queues = self.membership.get(&message.address());
        let is_member = queues.is_some_and(|queues| {
            queues
                .iter()
                .any(|&(at, kind)| at == port && kind != QueueKind::Canceled)
        });
        if is_member {
            return;
        }
        let (at, port_at) = (self.kernel.addr(message.address()), self.kernel.addr(port));
        if let Some(Some(hole)) = self.queues.get(&port).cloned() {
            return self.could_not_tell(why!("the queue of the message {}", at), &hole);
        }
        self.find(kinds::NOT_IN_QUEUE, &[message.address(), port], format!(
                "the message {at} says that it is in a queue (type {queue}) of the port {port_at}, which does not hold it"
            ));
    }

    fn lengths(&mut self, message: At<'k, 'd>) {
        let Some((data, total)) = self.read(lengths(message)) else {
            return;
        };
        let Some(header) = self.read(self.kernel.size_of::<PortMessage>()) else {
            return;
        };
        // 28 hex on 64-bit systems and 18 on 32-bit ones: the published messages have 68 and 90, 94 and ac.
        if total != data.saturating_add(header) {
            let text = format!(
                "the message {} has {data} bytes of data and {total} in all, with a header of {header}",
                self.kernel.addr(message.address())
            );
            self.find(kinds::LENGTHS, &[message.address()], text);
        }
    }
}

fn lengths(message: At<'_, '_>) -> Read<(u64, u64)> {
    let header = message.embedded(Message::PortMessage)?;
    Ok((
        header.uint(PortMessage::DataLength)?,
        header.uint(PortMessage::TotalLength)?,
    ))
}
