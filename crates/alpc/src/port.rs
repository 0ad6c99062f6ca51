//! ALPC ports.

use std::fmt;

use kdump::{Gva, Gxa};
use serde::{Serialize, Serializer};

use crate::contract::{CommunicationInfo, Global, ObjectHeader, Port};
use crate::kernel::{At, Kernel, Read};
use crate::object;
use crate::value::{Addr, Hole, Value};

/// What a port is in its connection, from bits 1 and 2 of `_ALPC_PORT.u1.State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// The named port that a server listens on.
    Connection,
    /// The client's end of a connection.
    ClientCommunication,
    /// The server's end of a connection.
    ServerCommunication,
}

impl PortKind {
    fn from_bits(bits: u64) -> Option<Self> {
        match bits {
            1 => Some(Self::Connection),
            2 => Some(Self::ClientCommunication),
            3 => Some(Self::ServerCommunication),
            _ => None,
        }
    }

    /// The debugger's name for the kind.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "ALPC_CONNECTION_PORT",
            Self::ClientCommunication => "ALPC_CLIENT_COMMUNICATION_PORT",
            Self::ServerCommunication => "ALPC_SERVER_COMMUNICATION_PORT",
        }
    }

    /// The member of `_ALPC_COMMUNICATION_INFO` that names a port of this kind.
    fn place(self) -> CommunicationInfo {
        match self {
            Self::Connection => CommunicationInfo::ConnectionPort,
            Self::ClientCommunication => CommunicationInfo::ClientCommunicationPort,
            Self::ServerCommunication => CommunicationInfo::ServerCommunicationPort,
        }
    }
}

impl fmt::Display for PortKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for PortKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A port as other objects refer to it.
#[derive(Clone, Debug, Serialize)]
pub struct PortRef {
    /// Its `_ALPC_PORT`.
    pub address: Addr,
    /// Its kind; unreadable also when there is no port at the address any more.
    pub kind: Value<PortKind>,
}

impl PortRef {
    /// The port at an address.
    #[must_use]
    pub fn at(kernel: &Kernel<'_>, address: Gva) -> Self {
        Self {
            address: kernel.addr(address),
            kind: kind(kernel.at(address)).into(),
        }
    }
}

/// The kind of the port at an address, believed only when something else agrees that a port is there.
///
/// A message outlives the port it was sent through, and pool memory is used again, so the state bits alone
/// prove nothing. Either the object header says "ALPC Port" (and is still referenced), or the communication
/// info names this port in the place of its kind. Where the dump holds neither, the bits of an initialized
/// port stand.
///
/// # Errors
/// When the port's state is not in the dump, or no port is there.
pub fn kind(port: At<'_, '_>) -> Read<PortKind> {
    let bits = port.uint(Port::Type)?;
    let at = port.kernel().addr(port.address());
    let no_port = || Hole::Implausible(format!("no live ALPC port is at {at}"));
    let kind = PortKind::from_bits(bits).ok_or_else(no_port)?;
    match (is_port_object(port), is_named_by_its_info(port, kind)) {
        (Ok(true), _) | (_, Ok(true)) => Ok(kind),
        (Ok(false), _) | (_, Ok(false)) => Err(no_port()),
        (Err(_), Err(_)) if port.flag(Port::Initialized)? => Ok(kind),
        (Err(_), Err(_)) => Err(no_port()),
    }
}

/// Whether a live object of the type "ALPC Port" is at an address.
///
/// # Errors
/// When the header, or what tells its type, is not in the dump or not in the symbols.
pub fn is_port_object(port: At<'_, '_>) -> Read<bool> {
    let kernel = port.kernel();
    let header = object::header(kernel, port.address())?;
    if header.uint(ObjectHeader::PointerCount)? == 0 {
        return Ok(false);
    }
    let port_type = kernel.global_pointer(Global::AlpcPortObjectType)?;
    match object::type_address(header) {
        Ok(found) => Ok(found == port_type),
        Err(Hole::Implausible(_)) => Ok(false),
        Err(hole) => Err(hole),
    }
}

fn is_named_by_its_info(port: At<'_, '_>, kind: PortKind) -> Read<bool> {
    let info = port.pointer(Port::CommunicationInfo)?;
    if info.u64() == 0 {
        return Ok(false);
    }
    Ok(port.kernel().at(info).pointer(kind.place())? == port.address())
}

/// The process that owns a port, and whether the port was closed by it.
///
/// `_ALPC_PORT.OwnerProcess` carries a flag in bit 0, set when the owner has closed the port; the rest of
/// the value still names the process. A debugger extension that did not mask it has crashed on this.
///
/// # Errors
/// When the member is not in the dump.
pub fn owner_process(port: At<'_, '_>) -> Read<(Gva, bool)> {
    let raw = port.uint(Port::OwnerProcess)?;
    Ok((Gva::new(raw & !1), raw & 1 != 0))
}
