//! Connections: which client and server ports hang on a connection port, and which ports a process has.

use std::collections::BTreeMap;

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

pub use crate::port::communication::infos;
use crate::port::enumerate::{self, PortSource};
use crate::port::queue;
use crate::port::{self, NamedPort, PortKind};
use ntkernel::image::contract::{CommunicationInfo, Port, Process};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::process::ProcessRef;

/// A port of a connection, as the debugger's lists show it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct End {
    /// Its `_ALPC_PORT`; null while the server has not accepted the connection.
    pub port: Addr,
    /// Messages in its main, large, pending and canceled queues, by their counters.
    pub queued: Value<u64>,
    /// The process that owns it.
    pub process: Value<Option<ProcessRef>>,
    /// The other communication info that the port names, when it does not name the one of this connection.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub wrong_info: Option<Addr>,
}

/// A client's connection to a connection port.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ConnectionRecord {
    /// Its `_ALPC_COMMUNICATION_INFO`.
    pub communication_info: Addr,
    /// The server's end.
    pub server: Value<End>,
    /// The client's end.
    pub client: Value<End>,
}

/// A connection port and its connections.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ConnectionsRecord {
    /// The connection port.
    pub port: NamedPort,
    /// Messages in its queues, by their counters.
    pub queued: Value<u64>,
    /// Its connections, in list order.
    pub connections: Vec<ConnectionRecord>,
    /// Set when the list could not be followed to its end.
    pub complete: Value<()>,
}

/// A port of a process that is connected to another's.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ConnectedRecord {
    /// The process's own end.
    pub client: End,
    /// The connection port that it is connected to.
    pub connection_port: Value<Option<NamedPort>>,
    /// Messages in that port's queues, by their counters.
    pub queued: Value<u64>,
    /// The process that owns that port.
    pub server_process: Value<Option<ProcessRef>>,
}

/// The ports that a process created, and those that it is connected to.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ProcessPortsRecord {
    /// The process.
    pub process: ProcessRef,
    /// Connection ports that it created.
    pub created: Vec<ConnectionsRecord>,
    /// Ports that it is connected to.
    pub connected: Vec<ConnectedRecord>,
    /// Ports that may be its own: their owner or their kind cannot be read.
    pub undecided: Vec<UndecidedPort>,
    /// Where the ports were found.
    pub source: PortSource,
    /// Set when not all ports could be found.
    pub complete: Value<()>,
}

/// A port of which it cannot be determined whether it belongs in a list.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct UndecidedPort {
    /// Its `_ALPC_PORT`.
    pub address: Addr,
    /// Why.
    pub owner: Value<()>,
}

/// The connections of a connection port; for a communication port, those of its connection port.
///
/// # Errors
/// When a communication port does not say which connection port it belongs to.
pub fn connections(kernel: &Kernel<'_>, address: Gva) -> Read<ConnectionsRecord> {
    let mut port = kernel.at(address);
    // What the debugger's /LPC does when it is given a communication port is shown by no transcript; this is
    // what it most likely does (inference).
    if port::kind(port)? != PortKind::Connection {
        port = kernel.at(port::info(port)?.pointer(CommunicationInfo::ConnectionPort)?);
    }
    Ok(record(port))
}

fn record(port: At<'_, '_>) -> ConnectionsRecord {
    let kernel = port.kernel();
    let infos = infos(port);
    ConnectionsRecord {
        port: NamedPort::at(kernel, port.address()),
        queued: queue::total_length(port).into(),
        complete: infos
            .clone()
            .and_then(|list| list.complete("the list of connections"))
            .into(),
        connections: infos
            .map(|list| list.entries)
            .unwrap_or_default()
            .into_iter()
            .map(|info| connection(kernel.at(info)))
            .collect(),
    }
}

/// The two ends of a connection.
#[must_use]
pub fn connection(info: At<'_, '_>) -> ConnectionRecord {
    let kernel = info.kernel();
    let end_of = |member| info.pointer(member).map(|port| end(kernel, port, info.address()));
    ConnectionRecord {
        communication_info: kernel.addr(info.address()),
        server: end_of(CommunicationInfo::ServerCommunicationPort).into(),
        client: end_of(CommunicationInfo::ClientCommunicationPort).into(),
    }
}

fn end(kernel: &Kernel<'_>, address: Gva, info: Gva) -> End {
    let port = kernel.at(address);
    // The info is made with the client's port: until the server accepts, its own end is null here and the
    // client's port says ConnectionPending.
    if address.u64() == 0 {
        let none = Value::Known(None);
        return End {
            port: kernel.addr(address),
            queued: Value::Known(0),
            process: none,
            wrong_info: None,
        };
    }
    let named = port.pointer(Port::CommunicationInfo).ok();
    End {
        port: kernel.addr(address),
        queued: queue::total_length(port).into(),
        process: owner(port).into(),
        // Both ends of a connection name one info. The debugger checks that too, and prints a line with "points
        // to wrong" where they do not.
        wrong_info: named
            .filter(|&named| named != info)
            .map(|named| kernel.addr(named)),
    }
}

/// The process that owns a port; none when it names none.
///
/// # Errors
/// When the port is not in the dump.
pub fn owner(port: At<'_, '_>) -> Read<Option<ProcessRef>> {
    let (owner, _) = port::owner_process(port)?;
    Ok((owner.u64() != 0).then(|| ProcessRef::at(port.kernel(), owner)))
}

/// The ports of a process.
#[must_use]
pub fn ports_of(kernel: &Kernel<'_>, process: Gva) -> ProcessPortsRecord {
    let all = enumerate::ports(kernel);
    let mut record = ProcessPortsRecord {
        process: ProcessRef::at(kernel, process),
        created: Vec::new(),
        connected: Vec::new(),
        undecided: Vec::new(),
        source: all.source,
        complete: all.complete,
    };
    for port in all.ports.into_iter().map(|address| kernel.at(address)) {
        // What a process "created" are its connection ports and what it is "connected to" its client ports
        // (published /LPP views of Windows 7 and 10). smss and csrss are in each other's lists: SmApiPort one way,
        // SbApiPort the other.
        match kind_of_own(port, process) {
            Ok(Some(PortKind::Connection)) => record.created.push(self::record(port)),
            Ok(Some(PortKind::ClientCommunication)) => record.connected.push(connected_to(port)),
            // A server has one more port for each client, of kind 3: in neither list, as in the debugger's.
            Ok(_) | Err(Unreadable::Implausible(_)) => {}
            Err(hole) => {
                let owner = Value::Missing(Box::new(hole));
                record.undecided.push(UndecidedPort {
                    address: kernel.addr(port.address()),
                    owner,
                });
            }
        }
    }
    record
}

/// The kind of a port that a process owns; none for another's.
fn kind_of_own(port: At<'_, '_>, process: Gva) -> Read<Option<PortKind>> {
    let (owner, _) = port::owner_process(port)?;
    if owner == process {
        port::kind(port).map(Some)
    } else {
        Ok(None)
    }
}

fn connected_to(client: At<'_, '_>) -> ConnectedRecord {
    let kernel = client.kernel();
    let connection = port::connection_address(client);
    let server = connection
        .clone()
        .map(|address| address.map(|address| kernel.at(address)));
    // One info for both ends, made with the client's port; a connection port has one of its own, with null for both
    // of them and the list's head.
    let info = port::info(client).map_or(Gva::new(0), At::address);
    ConnectedRecord {
        client: end(kernel, client.address(), info),
        connection_port: connection
            .map(|address| address.map(|address| NamedPort::at(kernel, address)))
            .into(),
        queued: server
            .clone()
            .and_then(|server| server.map_or(Ok(0), queue::total_length))
            .into(),
        server_process: server.and_then(|server| server.map_or(Ok(None), owner)).into(),
    }
}

/// An edge of the connection graph: a client port, and the connection port that it is connected to.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct EdgeRecord {
    /// The client's port.
    pub client_port: Addr,
    /// Process id of its owner; none when nobody owns it.
    pub client_process_id: Value<Option<u64>>,
    /// The connection port.
    pub connection_port: Value<Option<NamedPort>>,
    /// Process id of that port's owner; none when nobody owns it, and without such a port.
    pub server_process_id: Value<Option<u64>>,
}

/// All connections of the system, one for each client port among `ports`.
#[must_use]
pub fn graph(kernel: &Kernel<'_>, ports: &[Gva]) -> Vec<EdgeRecord> {
    let mut names: BTreeMap<Gva, NamedPort> = BTreeMap::new();
    ports
        .iter()
        .map(|&address| kernel.at(address))
        // One line a client's port, as `!alpc /graph` has it: that port, its process's id, the connection port,
        // the server's id and the name (published transcript of Windows 10: `ffffaf8f1dd38df0 ...26c
        // ffffaf8f1d44adf0 ...1dc SmApiPort`).
        .filter(|&port| matches!(port::kind(port), Ok(PortKind::ClientCommunication)))
        .map(|client| {
            let connection = port::connection_address(client);
            let server = connection
                .clone()
                .map(|address| address.map(|address| kernel.at(address)));
            let named = connection.map(|address| {
                address.map(|address| {
                    let known = names
                        .entry(address)
                        .or_insert_with(|| NamedPort::at(kernel, address));
                    NamedPort {
                        name: kernel.again(&known.name),
                        ..known.clone()
                    }
                })
            });
            EdgeRecord {
                client_port: kernel.addr(client.address()),
                client_process_id: owner_id(client).into(),
                connection_port: named.into(),
                server_process_id: server.and_then(|server| server.map_or(Ok(None), owner_id)).into(),
            }
        })
        .collect()
}

/// Process id of a port's owner; none when nobody owns it.
fn owner_id(port: At<'_, '_>) -> Read<Option<u64>> {
    let (owner, _) = port::owner_process(port)?;
    if owner.u64() == 0 {
        return Ok(None);
    }
    let id = port.kernel().at(owner).uint(Process::UniqueProcessId);
    id.map(Some)
}
