//! Everything that a view of one port tells.

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::call::Calls;
use crate::port::completion_list::{self, CompletionListRecord};
use crate::port::contract::PortAttributes;
use crate::port::queue::{self, QueueKind, QueueRecord};
use crate::port::receiver::Receivers;
use crate::port::resource::{self, Resources, SecurityContextMembers};
use crate::port::waiter::{self, ThreadRecord};
use crate::port::{
    NamedPort, PortKind, connection_port, is_port_object, kind_if_any, owner_process, process_ref,
};
use ntkernel::image::contract::{CommunicationInfo, ObjectHeader, Port};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::object;
use ntkernel::object::identify::{self, Identity};
use ntkernel::object::process_ref::ProcessRef;
use ntkernel::process::thread;

/// What captures the security of a port's clients, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub enum Security {
    /// Once, when the connection is made.
    Static,
    /// With each message.
    Dynamic,
}

/// A port: what the debugger's port view shows, and what is known beside it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PortRecord {
    /// Its `_ALPC_PORT`.
    pub address: Addr,
    /// What it is in its connection.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
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
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub details: Option<PortDetails>,
}

/// How the threads that serve a port wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum ServedBy {
    /// In the port's own wait queue.
    WaitQueue,
    /// At the completion port that the port is bound to.
    CompletionPort,
}

/// The threads that serve a port.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Servers {
    /// How they wait.
    pub served_by: ServedBy,
    /// The threads, in list order.
    pub threads: Vec<ThreadRecord>,
    /// Set when the list could not be followed to its end.
    pub complete: Value<()>,
}

/// What is known of a port beside the debugger's rows.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
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
    if let Err(Unreadable::Implausible(_)) = &kind
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
    let calls = (detail == Detail::Full).then(|| Calls::new(kernel));
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
        // Null where threads wait at the port itself. RPC's servers have one, so that a worker of theirs waits with
        // WrQueue.
        completion_port: port.addr(Port::CompletionPort),
        completion_list: port.addr(Port::CompletionList),
        // A client's port says this until the connection is answered, and ConnectionRefused where the answer was no;
        // once its peer has gone away it says Disconnected.
        connection_pending: port.flag(Port::ConnectionPending).into(),
        connection_refused: port.flag(Port::ConnectionRefused).into(),
        disconnected: port.flag(Port::Disconnected).into(),
        closed: port.flag(Port::Closed).into(),
        // The kernel has the negative, the debugger prints the positive: "FlushOnClose : Yes" for a bit that is
        // clear.
        flush_on_close: port.flag(Port::NoFlushOnClose).map(|set| !set).into(),
        return_extended_info: port.flag(Port::ReturnExtendedInfo).into(),
        waitable: port.flag(Port::Waitable).into(),
        security: port.flag(Port::DynamicSecurity).map(security).into(),
        wow64_completion_list: port.flag(Port::Wow64CompletionList).into(),
        servers: servers(port).into(),
        queues: QueueKind::ALL
            .into_iter()
            .filter_map(|kind| queue::queue(port, kind, calls.as_ref()))
            .collect(),
        details: (detail == Detail::Full).then(|| details(port)),
    }
}

fn security(dynamic: bool) -> Security {
    // Dynamic is captured when the server asks, from the thread that waits for the message (a decompile, the same in
    // several kernels). A message that nobody waits for gives it nobody.
    if dynamic {
        Security::Dynamic
    } else {
        Security::Static
    }
}

/// The threads that serve a port: those in its wait queue, or those registered with its completion port.
fn servers(port: At<'_, '_>) -> Read<Servers> {
    let kernel = port.kernel();
    let completion_port = port.pointer(Port::CompletionPort)?;
    let (served_by, list) = if completion_port.u64() == 0 {
        (ServedBy::WaitQueue, waiter::threads_waiting_at(port)?)
    } else {
        (
            ServedBy::CompletionPort,
            // Those "registered with port IO completion object", as the debugger says: also such as are at work just
            // now.
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
        // Since handles take references in advance, the other count is no number of users: a published port of
        // Windows 10 has HandleCount 1 and PointerCount 32769.
        handle_count: in_header(ObjectHeader::HandleCount),
        pointer_count: in_header(ObjectHeader::PointerCount),
        state: port.u32(Port::State).into(),
        state_bits: state_bits(port).into(),
        completion_key: port.addr(Port::CompletionKey),
        completion_list: completion_list::of_port(port).into(),
        // Of a server's port what it attached when it accepted the client (mostly an address of its own), of a
        // client's port a small number: so in the ports of real dumps.
        port_context: port.addr(Port::PortContext),
        // Of a client these are the connection port and the server's port, of a server's port the client's twice
        // (published reverse engineering): requests queue up for all clients at one port, and are numbered for each.
        target_queue_port: port.addr(Port::TargetQueuePort),
        target_sequence_port: port.addr(Port::TargetSequencePort),
        attribute_names: flags.clone().map(attribute_names).into(),
        attribute_flags: flags.into(),
        // RPC's ports have 1000 hex here and flags of the family 2090000 (its clients as rewritten by three
        // projects).
        max_message_length: attribute(PortAttributes::MaxMessageLength),
        max_pool_usage: attribute(PortAttributes::MaxPoolUsage),
        max_section_size: attribute(PortAttributes::MaxSectionSize),
        max_view_size: attribute(PortAttributes::MaxViewSize),
        max_total_section_size: attribute(PortAttributes::MaxTotalSectionSize),
        wait_queue_length: port.u32(Port::WaitQueueLength).into(),
        // A union: of a port that nobody can wait for it is the kernel's dummy event (AlpcpDummyEvent), else a
        // semaphore.
        semaphore: port.addr(Port::Semaphore),
        // Captured when the client connected, in the client's port, and of use only where DynamicSecurity is clear.
        // A server that impersonates later gets the token of then, not that of now.
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
        // Made by the calls of old LPC (NtCreatePort and its kin), which ALPC serves since Vista.
        (Port::Lpc, "Lpc"),
        (Port::LpcToLpc, "LpcToLpc"),
        (Port::HasCompletionList, "HasCompletionList"),
        (Port::HadCompletionList, "HadCompletionList"),
        // Windows 7 and later. None of the others has moved since Vista SP1 (layouts of 305 kernels).
        (Port::EnableCompletionList, "EnableCompletionList"),
    ])
}

/// Flags of `_ALPC_PORT_ATTRIBUTES`, by the names of the published native headers.
fn attribute_names(flags: u32) -> Vec<&'static str> {
    const NAMES: [(u32, &str); 11] = [
        (0x1000, "LPC_MODE"),
        // Without it no server can impersonate the client by its port (a decompile).
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
