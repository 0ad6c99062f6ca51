//! Ports and connections.

use super::{BlobId, CommunicationInfo, Name, ObjectSpec, Pool, Port, PortKind, Queue, World};
use crate::address::Va;
use crate::bytes::count;

const PORT: &str = "_ALPC_PORT";
const INFO: &str = "_ALPC_COMMUNICATION_INFO";

/// The first handle of a communication info's handle table.
pub(super) const FIRST_HANDLE: u64 = 0x10;

/// A connection to be made.
#[derive(Clone, Debug, Default)]
pub struct ConnectionSpec {
    /// The connection port.
    pub to: Va,
    /// The client's process.
    pub client: Va,
    /// Where the client's port is to be; NULL for anywhere.
    pub client_port: Va,
    /// Where the server's port is to be; NULL for anywhere.
    pub server_port: Va,
    /// Whether the server has not accepted yet: there is no server port.
    pub pending: bool,
}

/// The parts of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The client's port.
    pub client: Va,
    /// The server's port; NULL while pending.
    pub server: Va,
    /// The communication info that they share.
    pub info: Va,
}

impl World {
    /// Makes a port. A connection port gets a communication info of its own, where the record says or anywhere.
    pub fn port(&mut self, mut port: Port, name: Option<(Va, Name)>) -> Va {
        // Other parts before the header, except where a published address leaves no room for them.
        let free = port.address.is_null();
        let spec = ObjectSpec {
            address: port.address,
            creator: free && name.is_some(),
            handle_info: free,
            name,
            ..ObjectSpec::of("ALPC Port", self.kernel.size(PORT))
        };
        port.address = self.object(spec);
        port.flags.insert("Initialized");
        if port.kind == PortKind::Connection {
            port.communication_info = self.blob(BlobId::Connection, port.communication_info, 0);
            self.truth.communication_infos.push(CommunicationInfo {
                address: port.communication_info,
                connection_port: port.address,
                ..CommunicationInfo::default()
            });
        }
        let address = port.address;
        self.truth.ports.push(port);
        address
    }

    /// Makes a connection port with a name in `directory` and a handle of it in its owner.
    pub fn connection_port(&mut self, port: Port, directory: Va, name: impl Into<Name>) -> Va {
        let owner = port.owner;
        let address = self.port(
            Port {
                kind: PortKind::Connection,
                ..port
            },
            Some((directory, name.into())),
        );
        self.handle(owner, address, 0x1f_0001);
        address
    }

    /// Connects a process to a connection port: client and server port, their communication info, handles of both.
    pub fn connect(&mut self, spec: ConnectionSpec) -> Connection {
        let info = self.blob(BlobId::Connection, Va::NULL, 0);
        let client = self.client_port(&spec, info);
        let server = if spec.pending {
            Va::NULL
        } else {
            self.server_port(&spec, info, client)
        };
        self.truth.communication_infos.push(CommunicationInfo {
            address: info,
            connection_port: spec.to,
            server_port: server,
            client_port: client,
            ..CommunicationInfo::default()
        });
        let of_port = self.truth.port(spec.to).communication_info;
        self.info_mut(of_port).connections.push(info);
        Connection { client, server, info }
    }

    fn client_port(&mut self, spec: &ConnectionSpec, info: Va) -> Va {
        let mut port = Port {
            address: spec.client_port,
            kind: PortKind::Client,
            owner: spec.client,
            communication_info: info,
            target_queue_port: spec.to,
            ..Port::default()
        };
        if spec.pending {
            port.flags.insert("ConnectionPending");
        }
        let client = self.port(port, None);
        self.handle(spec.client, client, 0x1f_0001);
        client
    }

    fn server_port(&mut self, spec: &ConnectionSpec, info: Va, client: Va) -> Va {
        let owner = self.truth.port(spec.to).owner;
        let port = Port {
            address: spec.server_port,
            kind: PortKind::Server,
            owner,
            communication_info: info,
            target_queue_port: client,
            target_sequence_port: client,
            ..Port::default()
        };
        let server = self.port(port, None);
        self.handle(owner, server, 0x1f_0001);
        self.port_mut(client).target_sequence_port = server;
        server
    }

    /// The server refuses a pending connection.
    pub fn refuse(&mut self, connection: Connection) {
        let flags = &mut self.port_mut(connection.client).flags;
        flags.remove("ConnectionPending");
        flags.insert("ConnectionRefused");
    }

    /// One end of a connection closes its port: the other end is disconnected.
    pub fn close(&mut self, port: Va) {
        let closed = self.port_mut(port);
        closed.flags.insert("Closed");
        closed.owner_closed = true;
        let (owner, info) = (closed.owner, closed.communication_info);
        self.process_mut(owner)
            .handles
            .retain(|handle| handle.object != port);
        let info = self.truth.communication_info(info).clone();
        for other in [info.client_port, info.server_port] {
            if other != port && !other.is_null() {
                self.port_mut(other).flags.insert("Disconnected");
            }
        }
    }

    /// The record of the port at `address`, to be changed.
    ///
    /// # Panics
    /// Where there is none.
    pub fn port_mut(&mut self, address: Va) -> &mut Port {
        let found = self.truth.ports.iter_mut().find(|port| port.address == address);
        found.unwrap_or_else(|| panic!("no port at {address}"))
    }

    /// The record of the communication info at `address`, to be changed.
    ///
    /// # Panics
    /// Where there is none.
    pub fn info_mut(&mut self, address: Va) -> &mut CommunicationInfo {
        let found = self
            .truth
            .communication_infos
            .iter_mut()
            .find(|info| info.address == address);
        found.unwrap_or_else(|| panic!("no communication info at {address}"))
    }

    /// Puts a blob into the handle table of a communication info; returns its handle.
    pub(super) fn blob_handle(&mut self, info: Va, blob: Va) -> u64 {
        let handles = &mut self.info_mut(info).handles;
        handles.push(blob);
        FIRST_HANDLE + count(handles.len()) - 1
    }

    pub(super) fn compile_ports(&mut self) {
        let ports = self.truth.ports.clone();
        let dummy = self.make_dummy_event();
        for port in &ports {
            self.write_port(port);
            self.write_port_event(port, dummy);
            self.write_port_queues(port);
        }
        for info in self.truth.communication_infos.clone() {
            self.write_info(&info);
        }
        let listed = ports.iter().filter(|port| !port.unlisted);
        let entries: Vec<Va> = listed
            .map(|port| self.field(port.address, PORT, "PortListEntry"))
            .collect();
        let head = self.global("AlpcpPortList");
        self.link(head, &entries);
    }

    fn write_port(&mut self, port: &Port) {
        let at = port.address;
        self.set(at, PORT, "u1.s1.Type", port.kind.number());
        for flag in &port.flags {
            self.set(at, PORT, &format!("u1.s1.{flag}"), 1);
        }
        let owner = Va(port.owner.0 | u64::from(port.owner_closed));
        for (member, value) in [
            ("CommunicationInfo", port.communication_info),
            ("OwnerProcess", owner),
            ("CompletionPort", port.completion_port),
            ("CompletionKey", port.completion_key),
            ("CompletionList", port.completion_list),
            ("PortContext", port.port_context),
            ("TargetQueuePort", port.target_queue_port),
            ("TargetSequencePort", port.target_sequence_port),
        ] {
            self.point(at, PORT, member, value);
        }
        self.set(at, PORT, "SequenceNo", u64::from(port.sequence_no));
        let cached = if self.has(PORT, "CachedMessage") {
            "CachedMessage"
        } else {
            "Message"
        };
        self.point(at, PORT, cached, port.cached_message);
        self.write_attributes(port);
    }

    fn write_attributes(&mut self, port: &Port) {
        let a = port.attributes;
        for (member, value) in [
            ("Flags", u64::from(a.flags)),
            ("MaxMessageLength", a.max_message_length),
            ("MemoryBandwidth", a.memory_bandwidth),
            ("MaxPoolUsage", a.max_pool_usage),
            ("MaxSectionSize", a.max_section_size),
            ("MaxViewSize", a.max_view_size),
            ("MaxTotalSectionSize", a.max_total_section_size),
            ("DupObjectTypes", u64::from(a.dup_object_types)),
            (
                "SecurityQos.Length",
                self.kernel.size("_SECURITY_QUALITY_OF_SERVICE"),
            ),
            ("SecurityQos.ImpersonationLevel", 2),
        ] {
            self.set(port.address, PORT, &format!("PortAttributes.{member}"), value);
        }
    }

    /// A waitable port has a semaphore of its own; the others share an event that nobody waits for.
    fn write_port_event(&mut self, port: &Port, dummy: Va) {
        let object = if port.flags.contains("Waitable") {
            let semaphore = self.allocate(Pool::NonPaged, self.kernel.size("_KSEMAPHORE"), *b"AlSe");
            self.write_semaphore(semaphore, 0x7fff_ffff);
            semaphore
        } else {
            dummy
        };
        self.point(port.address, PORT, "Semaphore", object);
    }

    /// The event that ports share. `AlpcpDummyEvent` has the width of a pointer in every list of symbols, so it
    /// refers to the event.
    fn make_dummy_event(&mut self) -> Va {
        let size = self.kernel.size("_KEVENT");
        let event = self.allocate(Pool::NonPaged, size, *b"AlEv");
        self.write_dispatcher(event, 0, size);
        let at = self.global("AlpcpDummyEvent");
        self.write_pointer(at, event);
        event
    }

    fn write_port_queues(&mut self, port: &Port) {
        for queue in Queue::ALL {
            let member = if queue == Queue::Canceled {
                "CancelListEntry"
            } else {
                "Entry"
            };
            if !self.has(PORT, queue.member()) {
                assert!(port.queue(queue).is_empty(), "{queue:?} queue");
                continue;
            }
            let entries: Vec<Va> = port
                .queue(queue)
                .iter()
                .map(|&message| self.field(message, "_KALPC_MESSAGE", member))
                .collect();
            self.write_port_list(port.address, queue.member(), &entries);
        }
        let waiting: Vec<Va> = port
            .wait_queue
            .iter()
            .map(|&thread| self.field(thread, "_ETHREAD", "AlpcWaitListEntry"))
            .collect();
        self.write_port_list(port.address, "WaitQueue", &waiting);
        let resources: Vec<Va> = port
            .resources
            .iter()
            .map(|&body| self.field(self.blob_header(body), "_BLOB", "ResourceList"))
            .collect();
        let head = self.field(port.address, PORT, "ResourceListHead");
        self.link(head, &resources);
    }

    fn write_port_list(&mut self, port: Va, member: &str, entries: &[Va]) {
        let head = self.field(port, PORT, member);
        self.link(head, entries);
        self.set(port, PORT, &format!("{member}Length"), count(entries.len()));
    }

    fn write_info(&mut self, info: &CommunicationInfo) {
        let at = info.address;
        self.point(at, INFO, "ConnectionPort", info.connection_port);
        self.point(at, INFO, "ServerCommunicationPort", info.server_port);
        self.point(at, INFO, "ClientCommunicationPort", info.client_port);
        if self.has(INFO, "CloseMessage") {
            self.point(at, INFO, "CloseMessage", info.close_message);
        }
        if info.client_port.is_null() {
            let entries: Vec<Va> = info
                .connections
                .iter()
                .map(|&other| self.field(other, INFO, "CommunicationList"))
                .collect();
            let head = self.field(at, INFO, "CommunicationList");
            self.link(head, &entries);
        }
        self.write_blob_handles(info);
    }

    fn write_blob_handles(&mut self, info: &CommunicationInfo) {
        if info.handles.is_empty() {
            return;
        }
        let entry = self.kernel.size("_ALPC_HANDLE_ENTRY");
        // Room for more than are in use, as tables grow by doubling.
        let total = count(info.handles.len()).next_power_of_two().max(4);
        let handles = self.allocate(Pool::Paged, total * entry, *b"AlHa");
        for (i, &blob) in info.handles.iter().enumerate() {
            self.point(handles + count(i) * entry, "_ALPC_HANDLE_ENTRY", "Object", blob);
        }
        let table = self.field(info.address, INFO, "HandleTable");
        self.point(table, "_ALPC_HANDLE_TABLE", "Handles", handles);
        self.set(table, "_ALPC_HANDLE_TABLE", "TotalHandles", total);
    }
}
