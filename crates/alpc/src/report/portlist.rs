//! Ports in one line each.

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::communication;
use crate::port::connection;
use crate::port::queue;
use crate::port::{self, PortKind};
use ntkernel::image::contract::{ObjectHeader, Port};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Addr, Value};
use ntkernel::object;
use ntkernel::process::ProcessRef;

/// A port in a list of ports.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PortLine {
    /// Its `_ALPC_PORT`.
    pub address: Addr,
    /// What it is in its connection; none while it is in none.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: Value<Option<PortKind>>,
    /// Messages in its main, large, pending and canceled queues, by their counters.
    pub queued: Value<u64>,
    /// The process that owns it.
    pub owner_process: Value<Option<ProcessRef>>,
    /// Full path in the object namespace.
    pub path: Value<Option<String>>,
}

/// A port that no handle leads to.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct OrphanRecord {
    /// Its `_ALPC_PORT`.
    pub address: Addr,
    /// What it is in its connection; none while it is in none.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: Value<Option<PortKind>>,
    /// Handles open to it: zero, or unreadable.
    pub handle_count: Value<u64>,
    /// References to it.
    pub pointer_count: Value<u64>,
    /// Lengths of its main, pending, large and canceled queue, by their counters.
    pub lengths: [Value<u64>; 4],
    /// Its connections, when it is a connection port.
    pub connections: Value<u64>,
    /// The process that owns it.
    pub owner_process: Value<Option<ProcessRef>>,
}

/// Each of the ports in one line.
pub fn lines(kernel: &Kernel<'_>, ports: &[Gva]) -> impl Iterator<Item = PortLine> {
    ports.iter().map(|&address| line(kernel.at(address)))
}

fn line(port: At<'_, '_>) -> PortLine {
    let kernel = port.kernel();
    PortLine {
        address: kernel.addr(port.address()),
        kind: port::kind_if_any(port).into(),
        queued: queue::total_length(port).into(),
        owner_process: connection::owner(port).into(),
        path: object::path(kernel, port.address()).into(),
    }
}

/// Those of the ports that no handle leads to, and those whose handle count cannot be read.
pub fn orphans(kernel: &Kernel<'_>, ports: &[Gva]) -> impl Iterator<Item = OrphanRecord> {
    ports
        .iter()
        .map(|&address| (kernel.at(address), handle_count(kernel, address)))
        // `!alpc -lp0` lists them with handles, references, counters and connections: `fffffa8013548090 CON | 0
        // 262142 | 0 0 0 0 | 0` (EreTIk's notes on the extension). A port without handles lives by references alone.
        .filter(|(_, handles)| !matches!(handles, Ok(1..)))
        .map(|(port, handles)| orphan(port, handles))
}

fn handle_count(kernel: &Kernel<'_>, address: Gva) -> Read<u64> {
    object::header(kernel, address)?.uint(ObjectHeader::HandleCount)
}

fn orphan(port: At<'_, '_>, handle_count: Read<u64>) -> OrphanRecord {
    const COUNTERS: [Port; 4] = [
        // In the order in which those notes name what the debugger sums up.
        Port::MainQueueLength,
        Port::PendingQueueLength,
        Port::LargeMessageQueueLength,
        Port::CanceledQueueLength,
    ];
    let kernel = port.kernel();
    let kind = port::kind_if_any(port);
    let connections = match kind {
        Ok(Some(PortKind::Connection)) => connections(port),
        _ => Ok(0),
    };
    let header = object::header(kernel, port.address());
    OrphanRecord {
        address: kernel.addr(port.address()),
        kind: kind.into(),
        handle_count: handle_count.into(),
        pointer_count: header
            .and_then(|header| header.uint(ObjectHeader::PointerCount))
            .into(),
        lengths: COUNTERS.map(|counter| port.uint(counter).into()),
        connections: connections.into(),
        owner_process: connection::owner(port).into(),
    }
}

fn connections(port: At<'_, '_>) -> Read<u64> {
    let infos = communication::infos(port)?;
    infos.complete("the list of connections")?;
    Ok(infos.entries.len().try_into().unwrap_or(u64::MAX))
}
