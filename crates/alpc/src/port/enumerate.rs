//! All ports of the system, from whatever the dump still gives.
//!
//! The kernel keeps a list of its ports. Where the symbols do not say where it is, or it cannot be followed to
//! its end, ports are also looked for where else something leads to them: in the handle tables of the
//! processes, in the object namespace, in the messages of the message table, and in the communication infos
//! of ports that were found.

use std::collections::BTreeSet;

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::communication;
use crate::port::message_table;
use crate::port::not_reached::{self, NotReached};
use crate::port::queue;
use crate::port::resource;
use crate::port::{self, PortKind};
use ntkernel::image::contract::{CommunicationInfo, Global, Message, ObjectHeader, Process};
use ntkernel::image::kernel::{At, Kernel, Read, offset};
use ntkernel::image::value::{Unreadable, Value};
use ntkernel::object::directory;
use ntkernel::object::handle;
use ntkernel::process;
use ntkernel::why;

/// Where ports were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum PortSource {
    /// The kernel's own list of ports, whole.
    PortList,
    /// The kernel's list as far as it can be followed, and everything else that leads to ports.
    Search,
}

/// The ports of the system.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Their addresses: the kernel's list in its order, then what was found elsewhere by address.
    pub ports: Vec<Gva>,
    /// Where they were found.
    pub source: PortSource,
    /// Set when some may be missing.
    pub complete: Value<()>,
    /// ALPC's allocations in a triage dump that neither these ports nor anything else led to.
    pub not_reached: Vec<NotReached>,
}

/// All ports of the system.
#[must_use]
pub fn ports(kernel: &Kernel<'_>) -> Ports {
    // AlpcpPortList is the head itself, and a port begins with its links, so that its address is that of its
    // entry. (That Vista has the list as well is expected; no list of its symbols is at hand.)
    let list = port::port_list(kernel);
    let complete: Value<()> = list
        .clone()
        .and_then(|list| list.complete("the kernel's list of ports"))
        .into();
    let listed = list.map(|list| list.entries).unwrap_or_default();
    match complete {
        Value::Known(()) => Ports {
            // Also ports that are closed or not ready yet: the list has them, and State alone tells (1 set and 40
            // clear is live).
            ports: listed,
            source: PortSource::PortList,
            complete,
            not_reached: Vec::new(),
        },
        Value::Missing(hole) => {
            let ports = search(kernel, listed);
            let not_reached = not_reached(kernel, &ports);
            Ports {
                complete: Err(with_not_reached(*hole, &not_reached)).into(),
                source: PortSource::Search,
                ports,
                not_reached,
            }
        }
    }
}

/// ALPC's allocations that the ports do not lead to: their infos, resources and messages are taken for reached.
fn not_reached(kernel: &Kernel<'_>, ports: &[Gva]) -> Vec<NotReached> {
    if kernel.dump().triage().is_none() {
        return Vec::new();
    }
    let kernel = &kernel.untraced();
    let mut reached: BTreeSet<Gva> = ports.iter().copied().collect();
    for &address in ports {
        let port = kernel.at(address);
        reached.extend(infos(port));
        reached.extend(
            resource::bodies_of_port(port)
                .map(|list| list.entries)
                .unwrap_or_default(),
        );
        reached.extend(queue::QueueKind::ALL.into_iter().flat_map(|kind| {
            let list = queue::members(port, kind);
            list.map(|list| list.entries).unwrap_or_default()
        }));
    }
    let messages = message_table::messages(kernel).map(|table| table.messages);
    reached.extend(messages.unwrap_or_default());
    not_reached::not_reached(kernel, &reached)
}

/// Why ports are missing, with what is in the file all the same.
fn with_not_reached(hole: Unreadable, not_reached: &[NotReached]) -> Unreadable {
    if not_reached.is_empty() {
        return hole;
    }
    let counts = not_reached
        .iter()
        .map(|one| why!("{}", one.to_string()))
        .collect::<Vec<_>>();
    let words = why!(
        "{}; allocations of ALPC are in the file that nothing leads to: {} not reached",
        &hole,
        counts
    );
    Unreadable::walk(words, Some(&hole))
}

/// Adds to the listed ports all that something else leads to.
fn search(kernel: &Kernel<'_>, listed: Vec<Gva>) -> Vec<Gva> {
    let mut seen: BTreeSet<Gva> = listed.iter().copied().collect();
    let mut waiting = listed.clone();
    let mut found = BTreeSet::new();
    let elsewhere = elsewhere(kernel)
        .into_iter()
        .filter(|&port| port::kind(kernel.at(port)).is_ok());
    for port in elsewhere.filter(|port| seen.insert(*port)).collect::<Vec<_>>() {
        found.insert(port);
        waiting.push(port);
    }
    while let Some(address) = waiting.pop() {
        for neighbour in neighbours(kernel, address) {
            if neighbour.u64() != 0 && seen.insert(neighbour) && port::kind(kernel.at(neighbour)).is_ok() {
                found.insert(neighbour);
                waiting.push(neighbour);
            }
        }
    }
    listed.into_iter().chain(found).collect()
}

/// Candidates from handle tables, the namespace and the message table.
fn elsewhere(kernel: &Kernel<'_>) -> BTreeSet<Gva> {
    let mut candidates = by_handle(kernel).ports;
    candidates.extend(by_name(kernel).map(|found| found.ports).unwrap_or_default());
    candidates.extend(by_message(kernel));
    candidates.retain(|port| port.u64() != 0);
    candidates
}

/// Ports that something leads to.
#[derive(Clone, Debug, Default)]
pub struct Leads {
    /// The ports.
    pub ports: BTreeSet<Gva>,
    /// What could not be read on the way: each may hide ports.
    pub gaps: Vec<Unreadable>,
}

/// Ports that handles lead to.
#[must_use]
pub fn by_handle(kernel: &Kernel<'_>) -> Leads {
    let mut found = Leads::default();
    // System is among them, and much of ALPC is its: a published handle view of process 4 lists PowerMonitorPort,
    // PowerPort, SeRmCommandPort, PdcPort and ports without names.
    let processes = process::processes(kernel).and_then(|list| {
        found.gaps.extend(list.complete("the list of processes").err());
        Ok((list.entries, kernel.offset(ObjectHeader::Body)?))
    });
    let (processes, body) = match processes {
        Ok(all) => all,
        Err(hole) => {
            found.gaps.push(hole);
            return found;
        }
    };
    for process in processes {
        if let Err(hole) = in_table(kernel, process, body, &mut found) {
            found.gaps.push(hole);
        }
    }
    found
}

/// What cannot be read of a table hides its handles and nothing else.
fn in_table(kernel: &Kernel<'_>, process: Gva, body: u64, found: &mut Leads) -> Read<()> {
    let table = kernel.at(process).pointer(Process::ObjectTable)?;
    // A process that has ended has none.
    if table.u64() == 0 {
        return Ok(());
    }
    handle::claim(kernel, process, table)?;
    let mut hidden = Vec::new();
    let gaps = handle::walk(kernel, table, |entry| {
        let object = offset(entry.target, body);
        // In a kernel of Windows 8 and later an entry's pointer is packed into bits; it leads to the object's
        // header, and the body is what is meant everywhere else.
        match is_surely_a_port(kernel.at(object)) {
            Ok(true) => {
                found.ports.insert(object);
            }
            Ok(false) => {}
            Err(hole) => hidden.push(hole),
        }
    })?;
    let at = kernel.addr(process);
    let of_table = gaps
        .iter()
        .map(|gap| gap.hole_of(why!("the handle table of the process {}: {}", at, gap.why())));
    found.gaps.extend(of_table);
    found.gaps.extend(hidden);
    Ok(())
}

/// Whether a port is at an address. Where its type cannot be read, what does not look like one may be one.
fn is_surely_a_port(object: At<'_, '_>) -> Read<bool> {
    // The header stands before the port, maybe in the page before: of a port at the start of a page the port can be
    // there and its type not.
    match port::is_port_object(object) {
        Err(hole @ Unreadable::Memory(_)) => match port::is_tied(object) {
            Ok(true) => Ok(true),
            _ => Err(hole),
        },
        Err(_) => port::is_tied(object),
        known => known,
    }
}

/// Ports in the object namespace.
///
/// # Errors
/// When the symbols do not say where the namespace or the type of ports is.
pub fn by_name(kernel: &Kernel<'_>) -> Read<Leads> {
    let port_type = kernel.global_pointer(Global::AlpcPortObjectType)?;
    // Only connection ports can be found so: communication ports have no names of their own. The name that the
    // debugger prints beside one is that of its connection port.
    let found = directory::objects_of_type(kernel, port_type)?;
    Ok(Leads {
        ports: found.objects.into_iter().map(|named| named.object).collect(),
        gaps: found.gaps,
    })
}

fn by_message(kernel: &Kernel<'_>) -> BTreeSet<Gva> {
    // A message keeps the ports that it was sent by and queued at, also when no list leads to those any more.
    const PLACES: [Message; 2] = [Message::OwnerPort, Message::PortQueue];
    let messages = message_table::messages(kernel)
        .map(|table| table.messages)
        .unwrap_or_default();
    messages
        .into_iter()
        .flat_map(|message| {
            PLACES
                .into_iter()
                .filter_map(move |place| kernel.at(message).pointer(place).ok())
        })
        .collect()
}

/// The three ports of each communication info that a port leads to.
fn neighbours(kernel: &Kernel<'_>, address: Gva) -> Vec<Gva> {
    const PLACES: [CommunicationInfo; 3] = [
        CommunicationInfo::ConnectionPort,
        CommunicationInfo::ServerCommunicationPort,
        CommunicationInfo::ClientCommunicationPort,
    ];
    infos(kernel.at(address))
        .into_iter()
        .flat_map(|info| {
            PLACES
                .into_iter()
                .filter_map(move |place| kernel.at(info).pointer(place).ok())
        })
        .collect()
}

fn infos(port: At<'_, '_>) -> Vec<Gva> {
    let own: Result<Gva, Unreadable> = port::info(port).map(|info| info.address());
    let mut infos: Vec<Gva> = own.into_iter().collect();
    // Only the connection port's info leads to more: those of its connections are in its list.
    if matches!(port::kind(port), Ok(PortKind::Connection)) {
        infos.extend(
            communication::infos(port)
                .map(|list| list.entries)
                .unwrap_or_default(),
        );
    }
    infos
}
