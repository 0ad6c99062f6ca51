//! ALPC ports.

use std::fmt;

use kdump::{Gva, Gxa};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::blob::{self, BlobKind};
use crate::completion_list::{self, CompletionListRecord};
use crate::contract::{CommunicationInfo, Global, ObjectHeader, Port, PortAttributes};
use crate::expected::{self, Expected, expect};
use crate::identify::{self, Identity};
use crate::kernel::{At, Kernel, Read};
use crate::list::{self, List};
use crate::object;
use crate::process::ProcessRef;
use crate::queue::{self, QueueKind, QueueRecord};
use crate::receiver::Receivers;
use crate::resource::{self, Resources, SecurityContextMembers};
use crate::schema::schema_as_text;
use crate::thread::{self, ThreadRecord};
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

    /// The debugger's three letters for the kind, as in its list of ports.
    #[must_use]
    pub fn short(self) -> &'static str {
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
#[derive(Clone, Debug, Serialize, JsonSchema)]
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
                Err(Hole::Implausible(_)) => Value::Known(None),
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
    let no_port = || Hole::Implausible(format!("no live ALPC port is at {at}"));
    let Some(kind) = PortKind::from_bits(bits) else {
        return Err(match is_port_object(port) {
            // Between its creation and its connection a port is of no kind yet.
            Ok(true) => Hole::Implausible(format!("the state of the ALPC port {at} names no kind of port")),
            _ => no_port(),
        });
    };
    match (is_port_object(port), is_named_by_its_info(port, kind)) {
        // Its state may have been overwritten: its info knows it as another kind.
        (Ok(true), Ok(false)) if is_named_otherwise(port, kind) => {
            Err(expected::not_there(port.kernel(), Expected::Port, port.address()))
        }
        (Ok(true), _) | (_, Ok(true)) => Ok(kind),
        (Ok(false), _) | (_, Ok(false)) => Err(no_port()),
        (Err(_), Err(_)) if port.flag(Port::Initialized)? => Ok(kind),
        (Err(_), Err(_)) => Err(no_port()),
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
    let port_type = kernel.global_pointer(Global::AlpcPortObjectType)?;
    match object::type_address(header) {
        Ok(found) => Ok(found == port_type),
        Err(Hole::Implausible(_)) => Ok(false),
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

/// The name that a port was given, if any.
///
/// # Errors
/// When its header or name is not in the dump, or the header is none of a live port: then it would tell no name.
pub(crate) fn own_name(port: At<'_, '_>) -> Read<Option<String>> {
    if let Ok(false) = is_port_object(port) {
        return Err(expected::not_there(port.kernel(), Expected::Port, port.address()));
    }
    object::header(port.kernel(), port.address()).and_then(object::name)
}

/// A port with the name that it was given, if any.
#[derive(Clone, Debug, Serialize, JsonSchema)]
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

/// What captures the security of a port's clients, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Security {
    /// Once, when the connection is made.
    Static,
    /// With each message.
    Dynamic,
}

/// A port: what the debugger's port view shows, and what is known beside it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PortRecord {
    /// Its `_ALPC_PORT`.
    pub address: Addr,
    /// What it is in its connection.
    #[serde(rename = "type")]
    pub kind: Value<Option<PortKind>>,
    /// The communication info that it shares with its peers.
    pub communication_info: Value<Addr>,
    /// The named port of the connection.
    pub connection_port: Value<Option<NamedPort>>,
    /// The client's end; null for a connection port.
    pub client_communication_port: Value<Addr>,
    /// The server's end; null for a connection port and while a connection is pending.
    pub server_communication_port: Value<Addr>,
    /// The process that owns it, or owned it before it closed it.
    pub owner_process: Value<Option<ProcessRef>>,
    /// Whether the owner closed it: bit 0 of `_ALPC_PORT.OwnerProcess`.
    pub owner_closed: Value<bool>,
    /// The number of the last message that it numbered.
    pub sequence_no: Value<u32>,
    /// The completion port that its server threads wait at.
    pub completion_port: Value<Addr>,
    /// The completion list that it shares with its owner.
    pub completion_list: Value<Addr>,
    /// A connection request is not answered yet.
    pub connection_pending: Value<bool>,
    /// The server refused the connection.
    pub connection_refused: Value<bool>,
    /// The peer is gone.
    pub disconnected: Value<bool>,
    /// It is closed.
    pub closed: Value<bool>,
    /// Messages are flushed when it closes: the inverse of `NoFlushOnClose`.
    pub flush_on_close: Value<bool>,
    /// Extended information is returned.
    pub return_extended_info: Value<bool>,
    /// Threads can wait for it as for an event.
    pub waitable: Value<bool>,
    /// When security is captured.
    pub security: Value<Security>,
    /// Its completion list is that of a 32-bit process.
    pub wow64_completion_list: Value<bool>,
    /// The threads that serve it.
    pub servers: Value<Servers>,
    /// Its queues in the order of the view: main, direct where the kernel has it, large, pending, canceled.
    pub queues: Vec<QueueRecord>,
    /// What the debugger's view does not show, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<PortDetails>,
}

/// How the threads that serve a port wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServedBy {
    /// In the port's own wait queue.
    WaitQueue,
    /// At the completion port that the port is bound to.
    CompletionPort,
}

/// The threads that serve a port.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Servers {
    /// How they wait.
    pub served_by: ServedBy,
    /// The threads, in list order.
    pub threads: Vec<ThreadRecord>,
    /// Set when the list could not be followed to its end.
    pub complete: Value<()>,
}

/// What is known of a port beside the debugger's rows.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PortDetails {
    /// Full path in the object namespace.
    pub path: Value<Option<String>>,
    /// Handles open to it.
    pub handle_count: Value<u64>,
    /// References to it.
    pub pointer_count: Value<u64>,
    /// The whole state word.
    pub state: Value<u32>,
    /// The state bits that are set, by the kernel's names.
    pub state_bits: Value<Vec<&'static str>>,
    /// What it passes to its completion port.
    pub completion_key: Value<Addr>,
    /// The completion list that it shares with its owner, when it has one.
    pub completion_list: Value<Option<CompletionListRecord>>,
    /// What its owner attached to it.
    pub port_context: Value<Addr>,
    /// Where its messages are queued.
    pub target_queue_port: Value<Addr>,
    /// What numbers its messages.
    pub target_sequence_port: Value<Addr>,
    /// Flags that it was created with.
    pub attribute_flags: Value<u32>,
    /// Those flags that have names.
    pub attribute_names: Value<Vec<&'static str>>,
    /// Longest message, in bytes.
    pub max_message_length: Value<u64>,
    /// Most pool that its messages may take, in bytes.
    pub max_pool_usage: Value<u64>,
    /// Largest section, in bytes.
    pub max_section_size: Value<u64>,
    /// Largest view, in bytes.
    pub max_view_size: Value<u64>,
    /// Most of all its sections, in bytes.
    pub max_total_section_size: Value<u64>,
    /// Length of the wait queue, by its counter.
    pub wait_queue_length: Value<u32>,
    /// The semaphore or event that waiters on the port use.
    pub semaphore: Value<Addr>,
    /// What the owner's threads impersonate its peer with, where security is static.
    pub static_security: SecurityContextMembers,
    /// The resources that it owns.
    pub resources: Resources,
}

/// How much of a port to gather.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What the debugger's view shows.
    Rows,
    /// Everything.
    Full,
}

/// Why there is no port at an address.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no ALPC port is at {address}: {what}")]
pub struct NotAPort {
    /// The address asked for.
    pub address: Addr,
    /// What is there instead.
    pub what: Identity,
}

/// Reads the port at an address.
///
/// # Errors
/// [`NotAPort`] when what is there says that it is none. A port whose memory is not in the dump is no error:
/// its record says so, value by value.
pub fn port(kernel: &Kernel<'_>, address: Gva, detail: Detail) -> Result<PortRecord, NotAPort> {
    let port = kernel.at(address);
    let kind = kind_if_any(port);
    if let Err(Hole::Implausible(_)) = &kind
        && !is_port_object(port).unwrap_or(false)
    {
        return Err(NotAPort {
            address: kernel.addr(address),
            what: identify::identify(kernel, address),
        });
    }
    Ok(record(port, kind, detail))
}

fn record(port: At<'_, '_>, kind: Read<Option<PortKind>>, detail: Detail) -> PortRecord {
    let kernel = port.kernel();
    // A port that is just being made has no communication info, and none of what stands in there.
    let info = port.pointer(Port::CommunicationInfo);
    let in_info = |member| {
        let pointer = info.clone().and_then(|info| match info.u64() {
            0 => Ok(info),
            _ => kernel.at(info).pointer(member),
        });
        Value::from(pointer.map(|gva| kernel.addr(gva)))
    };
    let owner = owner_process(port);
    PortRecord {
        address: kernel.addr(port.address()),
        kind: kind.into(),
        communication_info: port.addr(Port::CommunicationInfo),
        connection_port: connection_port(port).into(),
        client_communication_port: in_info(CommunicationInfo::ClientCommunicationPort),
        server_communication_port: in_info(CommunicationInfo::ServerCommunicationPort),
        owner_process: owner.clone().map(|(owner, _)| process_ref(kernel, owner)).into(),
        owner_closed: owner.map(|(_, closed)| closed).into(),
        sequence_no: port.u32(Port::SequenceNo).into(),
        completion_port: port.addr(Port::CompletionPort),
        completion_list: port.addr(Port::CompletionList),
        connection_pending: port.flag(Port::ConnectionPending).into(),
        connection_refused: port.flag(Port::ConnectionRefused).into(),
        disconnected: port.flag(Port::Disconnected).into(),
        closed: port.flag(Port::Closed).into(),
        flush_on_close: port.flag(Port::NoFlushOnClose).map(|set| !set).into(),
        return_extended_info: port.flag(Port::ReturnExtendedInfo).into(),
        waitable: port.flag(Port::Waitable).into(),
        security: port.flag(Port::DynamicSecurity).map(security).into(),
        wow64_completion_list: port.flag(Port::Wow64CompletionList).into(),
        servers: servers(port).into(),
        queues: QueueKind::ALL
            .into_iter()
            .filter_map(|kind| queue::queue(port, kind))
            .collect(),
        details: (detail == Detail::Full).then(|| details(port)),
    }
}

fn security(dynamic: bool) -> Security {
    if dynamic {
        Security::Dynamic
    } else {
        Security::Static
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
        return Err(Hole::Implausible(format!(
            "the port {at} has no communication info"
        )));
    }
    expect(port.kernel(), Expected::CommunicationInfo, info)?;
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

/// The threads that serve a port: those in its wait queue, or those registered with its completion port.
fn servers(port: At<'_, '_>) -> Read<Servers> {
    let kernel = port.kernel();
    let completion_port = port.pointer(Port::CompletionPort)?;
    let (served_by, list) = if completion_port.u64() == 0 {
        (ServedBy::WaitQueue, thread::threads_waiting_at(port)?)
    } else {
        (
            ServedBy::CompletionPort,
            thread::threads_of_queue(kernel.at(completion_port))?,
        )
    };
    let complete = list.complete("the list of the port's threads").into();
    let receivers = Receivers::of_ports(kernel, &[port.address()], Ok(()));
    let threads = list
        .entries
        .iter()
        .map(|&address| receivers.thread(kernel, address))
        .collect();
    Ok(Servers {
        served_by,
        threads,
        complete,
    })
}

fn details(port: At<'_, '_>) -> PortDetails {
    let kernel = port.kernel();
    let header = object::header(kernel, port.address());
    let in_header = |member| header.clone().and_then(|header| header.uint(member)).into();
    let attributes = port.embedded(Port::PortAttributes);
    let attribute = |member| attributes.clone().and_then(|at| at.uint(member)).into();
    let flags = attributes.clone().and_then(|at| at.u32(PortAttributes::Flags));
    PortDetails {
        path: object::path(kernel, port.address()).into(),
        handle_count: in_header(ObjectHeader::HandleCount),
        pointer_count: in_header(ObjectHeader::PointerCount),
        state: port.u32(Port::State).into(),
        state_bits: state_bits(port).into(),
        completion_key: port.addr(Port::CompletionKey),
        completion_list: completion_list::of_port(port).into(),
        port_context: port.addr(Port::PortContext),
        target_queue_port: port.addr(Port::TargetQueuePort),
        target_sequence_port: port.addr(Port::TargetSequencePort),
        attribute_names: flags.clone().map(attribute_names).into(),
        attribute_flags: flags.into(),
        max_message_length: attribute(PortAttributes::MaxMessageLength),
        max_pool_usage: attribute(PortAttributes::MaxPoolUsage),
        max_section_size: attribute(PortAttributes::MaxSectionSize),
        max_view_size: attribute(PortAttributes::MaxViewSize),
        max_total_section_size: attribute(PortAttributes::MaxTotalSectionSize),
        wait_queue_length: port.u32(Port::WaitQueueLength).into(),
        semaphore: port.addr(Port::Semaphore),
        static_security: resource::security_context(port, Port::StaticSecurity),
        resources: resource::of_port(port),
    }
}

fn state_bits(port: At<'_, '_>) -> Read<Vec<&'static str>> {
    port.set_bits(&[
        (Port::Initialized, "Initialized"),
        (Port::ConnectionPending, "ConnectionPending"),
        (Port::ConnectionRefused, "ConnectionRefused"),
        (Port::Disconnected, "Disconnected"),
        (Port::Closed, "Closed"),
        (Port::NoFlushOnClose, "NoFlushOnClose"),
        (Port::ReturnExtendedInfo, "ReturnExtendedInfo"),
        (Port::Waitable, "Waitable"),
        (Port::DynamicSecurity, "DynamicSecurity"),
        (Port::Wow64CompletionList, "Wow64CompletionList"),
        (Port::Lpc, "Lpc"),
        (Port::LpcToLpc, "LpcToLpc"),
        (Port::HasCompletionList, "HasCompletionList"),
        (Port::HadCompletionList, "HadCompletionList"),
        (Port::EnableCompletionList, "EnableCompletionList"),
    ])
}

/// Flags of `_ALPC_PORT_ATTRIBUTES`, by the names of the published native headers.
fn attribute_names(flags: u32) -> Vec<&'static str> {
    const NAMES: [(u32, &str); 11] = [
        (0x1000, "LPC_MODE"),
        (0x1_0000, "ALLOW_IMPERSONATION"),
        (0x2_0000, "ALLOW_LPC_REQUESTS"),
        (0x4_0000, "WAITABLE_PORT"),
        (0x8_0000, "ALLOW_DUP_OBJECT"),
        (0x10_0000, "SYSTEM_PROCESS"),
        (0x20_0000, "WAKE_POLICY1"),
        (0x40_0000, "WAKE_POLICY2"),
        (0x80_0000, "WAKE_POLICY3"),
        (0x100_0000, "DIRECT_MESSAGE"),
        (0x200_0000, "ALLOW_MULTIHANDLE_ATTRIBUTE"),
    ];
    NAMES
        .into_iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, name)| name)
        .collect()
}

/// All ports, in the order of `AlpcpPortList`.
///
/// # Errors
/// When the symbols do not say where the list is.
pub fn port_list(kernel: &Kernel<'_>) -> Read<List> {
    let head = kernel.global(Global::AlpcpPortList)?;
    Ok(list::walk(kernel, head).containers(kernel.offset(Port::PortListEntry)?))
}
