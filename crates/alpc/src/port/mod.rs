//! ALPC ports.

pub mod call;
pub mod certainty;
pub(crate) mod communication;
pub mod completion_list;
pub mod connection;
pub mod contract;
pub mod enumerate;
pub mod impersonation;
pub mod in_flight;
pub mod message;
pub mod message_table;
pub mod message_type;
pub mod not_reached;
pub mod payload;
pub mod port_record;
pub mod queue;
pub mod receiver;
pub mod resource;
pub mod waiter;

use std::fmt;

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use ntkernel::image::contract::{CommunicationInfo, Global, ObjectHeader, Port};
use ntkernel::image::expected::Expected;
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::list::{self, List};
use ntkernel::image::schema::schema_as_text;
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::object;
use ntkernel::object::blob::{self, BlobKind};
use ntkernel::object::marks;
use ntkernel::object::process_ref::ProcessRef;
use ntkernel::why;

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
    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        // 0 is a port that is still being made. The two bits have stood at the same place in every kernel from Vista
        // SP1 to 11 25H2 (layouts of 305 kernels).
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

    /// The debugger's three letters for the kind, as in its list of ports.
    #[must_use]
    pub fn short(self) -> &'static str {
        // The undocumented `!alpc -lp` prints `fffffa801379fe40 CON 0` (EreTIk's notes on the extension).
        match self {
            Self::Connection => "CON",
            Self::ClientCommunication => "CLI",
            Self::ServerCommunication => "SRV",
        }
    }

    /// The member of `_ALPC_COMMUNICATION_INFO` that names a port of this kind.
    pub(crate) fn place(self) -> CommunicationInfo {
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

#[cfg(feature = "serde")]
impl Serialize for PortKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

schema_as_text!(
    PortKind,
    "ALPC_CONNECTION_PORT, ALPC_SERVER_COMMUNICATION_PORT or ALPC_CLIENT_COMMUNICATION_PORT."
);

/// A port as other objects refer to it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PortRef {
    /// Its `_ALPC_PORT`.
    pub address: Addr,
    /// Its kind; none when there is no port at the address any more.
    pub kind: Value<Option<PortKind>>,
}

impl PortRef {
    /// The port at an address.
    #[must_use]
    pub fn at(kernel: &Kernel<'_>, address: Gva) -> Self {
        Self {
            address: kernel.addr(address),
            kind: match kind_if_any(kernel.at(address)) {
                Err(Unreadable::Implausible(_)) => Value::Known(None),
                kind => kind.into(),
            },
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
    let no_port = || Unreadable::Implausible(why!("no live ALPC port is at {}", at));
    let Some(kind) = PortKind::from_bits(bits) else {
        return Err(match is_port_object(port) {
            // Between its creation and its connection a port is of no kind yet.
            Ok(true) => {
                Unreadable::Implausible(why!("the state of the ALPC port {} names no kind of port", at))
            }
            _ => no_port(),
        });
    };
    match (is_port_object(port), is_named_by_its_info(port, kind)) {
        // Its state may have been overwritten: its info knows it as another kind.
        (Ok(true), Ok(false)) if is_named_otherwise(port, kind) => {
            Err(marks::not_there(port.kernel(), Expected::Port, port.address()))
        }
        (Ok(true), _) | (_, Ok(true)) => Ok(kind),
        (Ok(false), _) | (_, Ok(false)) => Err(no_port()),
        // The lowest bit of State. A live port has it, and not Closed (40 hex).
        (Err(_), Err(_)) if port.flag(Port::Initialized)? => Ok(kind),
        (Err(_), Err(_)) => Err(no_port()),
    }
}

/// Nothing, or why no port is at an address: see [`marks::expect`].
///
/// # Errors
/// [`Unreadable::NotThere`].
pub(crate) fn expect(kernel: &Kernel<'_>, address: Gva) -> Read<()> {
    match kind(kernel.at(address)) {
        Err(Unreadable::Implausible(_) | Unreadable::NotThere { .. }) => {
            Err(marks::not_there(kernel, Expected::Port, address))
        }
        _ => marks::expect(kernel, Expected::Port, address),
    }
}

/// The kind of the port at an address; none between its creation and its connection.
///
/// # Errors
/// As [`kind`].
pub fn kind_if_any(port: At<'_, '_>) -> Read<Option<PortKind>> {
    let is_of_none = PortKind::from_bits(port.uint(Port::Type)?).is_none();
    if is_of_none && is_port_object(port).is_ok_and(|is| is) {
        return Ok(None);
    }
    kind(port).map(Some)
}

/// Whether a port is at an address, and something else than its own bits says so.
#[must_use]
pub(crate) fn is_certain(port: At<'_, '_>) -> bool {
    let kind = port.uint(Port::Type).ok().and_then(PortKind::from_bits);
    let named = |kind| is_named_by_its_info(port, kind).unwrap_or(false);
    is_port_object(port).unwrap_or(false) || kind.is_some_and(named)
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
    // One type for both: LPC's calls make ALPC ports since Vista, with Lpc set in their state ("LPC is now emulated
    // over ALPC. Use !alpc", says the debugger). The names LpcPortObjectType and LpcWaitablePortObjectType are still
    // in the symbols.
    let port_type = kernel.global_pointer(Global::AlpcPortObjectType)?;
    match object::type_address(header) {
        Ok(found) => Ok(found == port_type),
        Err(Unreadable::Implausible(_)) => Ok(false),
        Err(hole) => Err(hole),
    }
}

/// Whether a port is at an address: an object of that type, or, where the types of objects are not known,
/// something that the communication info that it names, names in the place of its kind.
///
/// # Errors
/// When neither can be told.
pub(crate) fn is_port(port: At<'_, '_>) -> Read<bool> {
    is_port_object(port).or_else(|_| is_tied(port))
}

/// Whether something looks like a live port and is tied to a communication info as only ports are.
pub(crate) fn is_tied(port: At<'_, '_>) -> Read<bool> {
    let kernel = port.kernel();
    let info = port.pointer(Port::CommunicationInfo)?;
    let Some(kind) = PortKind::from_bits(port.uint(Port::Type)?) else {
        return Ok(false);
    };
    Ok(kernel.is_kernel_address(info)
        && port.flag(Port::Initialized)?
        && is_named_by_its_info(port, kind)?
        && blob::kind(kernel, info)? == BlobKind::CONNECTION_INFO)
}

fn is_named_otherwise(port: At<'_, '_>, kind: PortKind) -> bool {
    let kinds = [
        PortKind::Connection,
        PortKind::ClientCommunication,
        PortKind::ServerCommunication,
    ];
    let mut others = kinds.into_iter().filter(|other| *other != kind);
    others.any(|other| is_named_by_its_info(port, other).unwrap_or(false))
}

fn is_named_by_its_info(port: At<'_, '_>, kind: PortKind) -> Read<bool> {
    // The identity is the second opinion on the bits: ports are named by the info of their connection, each in the
    // place of its kind.
    let info = port.pointer(Port::CommunicationInfo)?;
    if info.u64() == 0 {
        return Ok(false);
    }
    Ok(port.kernel().at(info).pointer(kind.place())? == port.address())
}

/// The process that owns a port, and whether the port was closed by it.
///
/// `_ALPC_PORT.OwnerProcess` carries a flag in bit 0, set when the owner has closed the port; the rest of
/// the value still names the process. A shipping driver that did not mask it has crashed on this (System Informer, issue 1525).
///
/// # Errors
/// When the member is not in the dump.
pub fn owner_process(port: At<'_, '_>) -> Read<(Gva, bool)> {
    let raw = port.uint(Port::OwnerProcess)?;
    // Pointers to objects are multiples of 10 hex (8 on x86), so that the low bits are free for flags.
    Ok((Gva::new(raw & !1), raw & 1 != 0))
}

/// The name that a port was given, if any.
///
/// # Errors
/// When its header or name is not in the dump, or the header is none of a live port: then it would tell no name.
pub(crate) fn own_name(port: At<'_, '_>) -> Read<Option<String>> {
    if let Ok(false) = is_port_object(port) {
        return Err(marks::not_there(port.kernel(), Expected::Port, port.address()));
    }
    object::header(port.kernel(), port.address()).and_then(object::name)
}

/// A port with the name that it was given, if any.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct NamedPort {
    /// Its `_ALPC_PORT`.
    pub address: Addr,
    /// The last part of its path; none for a port without a name.
    pub name: Value<Option<String>>,
}

impl NamedPort {
    /// The port at an address.
    #[must_use]
    pub fn at(kernel: &Kernel<'_>, address: Gva) -> Self {
        let name = own_name(kernel.at(address));
        Self {
            address: kernel.addr(address),
            name: name.into(),
        }
    }
}

/// A process that a port refers to; none for a null pointer.
pub(crate) fn process_ref(kernel: &Kernel<'_>, process: Gva) -> Option<ProcessRef> {
    (process.u64() != 0).then(|| ProcessRef::at(kernel, process))
}

/// The communication info of a port.
///
/// # Errors
/// When the port is not in the dump, or has none.
pub fn info<'k, 'd>(port: At<'k, 'd>) -> Read<At<'k, 'd>> {
    let info = port.pointer(Port::CommunicationInfo)?;
    if info.u64() == 0 {
        let at = port.kernel().addr(port.address());
        return Err(Unreadable::Implausible(why!(
            "the port {} has no communication info",
            at
        )));
    }
    marks::expect(port.kernel(), Expected::CommunicationInfo, info)?;
    Ok(port.kernel().at(info))
}

/// The connection port of a port's connection; none when it has no info, or that names none.
///
/// # Errors
/// When the info is not in the dump.
pub fn connection_port(port: At<'_, '_>) -> Read<Option<NamedPort>> {
    Ok(connection_address(port)?.map(|address| NamedPort::at(port.kernel(), address)))
}

/// Where the connection port of a port's connection is; none when it has no info, or that names none.
///
/// # Errors
/// When the info is not in the dump.
pub(crate) fn connection_address(port: At<'_, '_>) -> Read<Option<Gva>> {
    if port.pointer(Port::CommunicationInfo)?.u64() == 0 {
        return Ok(None);
    }
    let connection = info(port)?.pointer(CommunicationInfo::ConnectionPort)?;
    Ok((connection.u64() != 0).then_some(connection))
}

/// All ports, in the order of `AlpcpPortList`.
///
/// # Errors
/// When the symbols do not say where the list is.
pub fn port_list(kernel: &Kernel<'_>) -> Read<List> {
    // PortListEntry is the first member in all layouts.
    let head = kernel.global(Global::AlpcpPortList)?;
    Ok(list::walk(kernel, head).containers(kernel.offset(Port::PortListEntry)?))
}
