//! Messages and the message table.

use std::collections::BTreeMap;

use super::handle_table::Entry;
use super::{BlobId, Message, Pool, Queue, Resource, World};
use crate::address::Va;
use crate::bytes::count;

const MESSAGE: &str = "_KALPC_MESSAGE";

/// The bit that a `MessageId` has beside its handle while the message is free, but kept for the next one.
pub const CACHED: u32 = 0x8000_0000;
/// `_BLOB.u1.Flags`: deleted.
const DELETED: u8 = 8;

/// Values of the low byte of `PortMessage.u2.s2.Type`, and flags above it.
pub mod kind {
    /// LPC_REQUEST.
    pub const REQUEST: u16 = 1;
    /// LPC_REPLY.
    pub const REPLY: u16 = 2;
    /// LPC_DATAGRAM.
    pub const DATAGRAM: u16 = 3;
    /// LPC_LOST_REPLY.
    pub const LOST_REPLY: u16 = 4;
    /// LPC_PORT_CLOSED.
    pub const PORT_CLOSED: u16 = 5;
    /// LPC_CLIENT_DIED.
    pub const CLIENT_DIED: u16 = 6;
    /// LPC_CONNECTION_REQUEST.
    pub const CONNECTION_REQUEST: u16 = 10;
    /// LPC_CONNECTION_REPLY.
    pub const CONNECTION_REPLY: u16 = 11;
    /// LPC_CANCELED.
    pub const CANCELED: u16 = 12;
    /// LPC_CONTINUATION_REQUIRED: the sender waits for a reply.
    pub const CONTINUATION_REQUIRED: u16 = 0x2000;
}

impl World {
    /// Makes a message sent through `owner_port`. Lengths, sender, communication info and connection port follow
    /// from it where the record does not tell them.
    pub fn message(&mut self, mut message: Message) -> Va {
        message.flags.insert("Ready");
        if message.id == 0 {
            message.id = self.next_message_id();
        }
        if message.total_length == 0 {
            let header = u16::try_from(self.kernel.size("_PORT_MESSAGE")).expect("small");
            message.total_length = message.data_length + header;
        }
        if !message.owner_port.is_null() {
            self.follow_owner_port(&mut message);
        }
        message.address = self.blob(BlobId::Message, message.address, 0x200);
        let address = message.address;
        let known = |path: &str| self.kernel.has(MESSAGE, &format!("u1.s1.{path}"));
        message.flags.retain(|flag| known(flag));
        self.truth.messages.push(message);
        address
    }

    /// Makes a message that was answered and freed, but is kept for the next one: its entry of the message table still
    /// leads to it. Of the record stays what freeing leaves: what is in the port message, communication info,
    /// connection port and sequence number, and of `data` what has room behind the message.
    pub fn cached_message(&mut self, message: Message, data: &[u8]) -> Va {
        let address = self.message(Message {
            address: message.address,
            id: message.id & !CACHED,
            callback_id: message.callback_id,
            sequence_no: message.sequence_no,
            type_word: message.type_word,
            client_id: message.client_id,
            communication_info: message.communication_info,
            connection_port: message.connection_port,
            ..Message::default()
        });
        self.extend(address, data);
        let message = self.message_mut(address);
        message.id |= CACHED;
        message.flags.clear();
        message.extension_buffer = Va::NULL;
        message.extension_buffer_size = 0;
        let blob = self.truth.blobs.get_mut(&address).expect("just made");
        blob.flags = DELETED;
        blob.reference_count = 0;
        let counts = self.truth.global.blobs.entry(BlobId::Message).or_insert((0, 0));
        counts.1 += 1;
        address
    }

    /// The next free id: a handle of the message table, never the first entry of a leaf.
    fn next_message_id(&self) -> u32 {
        let taken = |id: u32| {
            let mut ids = self.truth.messages.iter().map(|message| message.id & !CACHED);
            ids.any(|other| other == id)
        };
        let leaf = crate::bytes::low32(crate::address::PAGE_SIZE / self.kernel.size("_HANDLE_TABLE_ENTRY"));
        let free = (0x104u32..)
            .step_by(4)
            .find(|&id| !(id / 4).is_multiple_of(leaf) && !taken(id));
        free.expect("ids do not run out")
    }

    fn follow_owner_port(&mut self, message: &mut Message) {
        message.flags.insert("OwnerPortReference");
        let port = self.truth.port(message.owner_port).clone();
        if message.communication_info.is_null() {
            message.communication_info = port.communication_info;
        }
        if message.connection_port.is_null() {
            message.connection_port = self
                .truth
                .communication_info(port.communication_info)
                .connection_port;
        }
        if message.client_id == (0, 0) {
            let thread = self
                .truth
                .threads
                .iter()
                .find(|thread| thread.process == port.owner);
            message.client_id = (
                self.truth.process(port.owner).pid,
                thread.map_or(0, |thread| thread.tid),
            );
        }
    }

    /// The record of the message at `address`, to be changed.
    ///
    /// # Panics
    /// Where there is none.
    pub fn message_mut(&mut self, address: Va) -> &mut Message {
        let found = self
            .truth
            .messages
            .iter_mut()
            .find(|message| message.address == address);
        found.unwrap_or_else(|| panic!("no message at {address}"))
    }

    /// Puts a message at the end of a queue of `port`.
    pub fn enqueue(&mut self, message: Va, queue: Queue, port: Va) {
        let record = self.port_mut(port);
        record.queues.entry(queue).or_default().push(message);
        let kind = u32::try_from(record.kind.number()).expect("small");
        let message = self.message_mut(message);
        message.queue_type = queue.number();
        message.queue_port_type = kind;
        message.port_queue = port;
    }

    /// The sender gives a message up: it turns into a cancel notice in `port`'s canceled queue, and stays in
    /// whatever other queue it is in.
    pub fn cancel(&mut self, message: Va, port: Va) {
        let record = self.port_mut(port);
        record.queues.entry(Queue::Canceled).or_default().push(message);
        let sequence_no = record.sequence_no;
        let header = u16::try_from(self.kernel.size("_PORT_MESSAGE")).expect("small");
        let has_bit = self.has(MESSAGE, "u1.s1.InCanceledQueue");
        let message = self.message_mut(message);
        message.type_word = message.type_word & 0xff00 | kind::CANCELED;
        message.data_length = 0;
        message.total_length = header;
        message.cancel_queue_port = port;
        message.cancel_sequence_port = port;
        message.cancel_sequence_no = sequence_no;
        message.cancel_port_context = message.port_context;
        message.flags.insert("Canceled");
        if has_bit {
            message.flags.insert("InCanceledQueue");
        }
    }

    pub(super) fn compile_messages(&mut self) {
        for message in self.truth.messages.clone() {
            self.write_message(&message);
            self.write_port_message(&message);
            self.write_message_attributes(&message);
        }
        self.write_message_table();
    }

    fn write_message(&mut self, m: &Message) {
        for (member, value) in [
            ("ExtensionBuffer", m.extension_buffer),
            ("CancelSequencePort", m.cancel_sequence_port),
            ("CancelQueuePort", m.cancel_queue_port),
            ("WaitingThread", m.waiting_thread),
            ("Reserve", m.reserve),
            ("PortQueue", m.port_queue),
            ("OwnerPort", m.owner_port),
            ("DataUserVa", m.data_user_va),
            ("CommunicationInfo", m.communication_info),
            ("ConnectionPort", m.connection_port),
            ("ServerThread", m.server_thread),
            ("QuotaProcess", m.quota_process),
        ] {
            self.point(m.address, MESSAGE, member, value);
        }
        self.set(m.address, MESSAGE, "ExtensionBufferSize", m.extension_buffer_size);
        self.set(m.address, MESSAGE, "SequenceNo", u64::from(m.sequence_no));
        self.set(
            m.address,
            MESSAGE,
            "CancelSequenceNo",
            u64::from(m.cancel_sequence_no),
        );
        self.set(m.address, MESSAGE, "u1.s1.QueueType", u64::from(m.queue_type));
        self.set(
            m.address,
            MESSAGE,
            "u1.s1.QueuePortType",
            u64::from(m.queue_port_type),
        );
        for flag in &m.flags {
            self.set(m.address, MESSAGE, &format!("u1.s1.{flag}"), 1);
        }
        self.memory
            .write(m.address + self.kernel.size(MESSAGE), &m.payload);
    }

    fn write_port_message(&mut self, m: &Message) {
        for (path, value) in [
            ("u1.s1.DataLength", u64::from(m.data_length)),
            ("u1.s1.TotalLength", u64::from(m.total_length)),
            ("u2.s2.Type", u64::from(m.type_word)),
            ("u2.s2.DataInfoOffset", u64::from(m.data_info_offset)),
            ("ClientId.UniqueProcess", m.client_id.0),
            ("ClientId.UniqueThread", m.client_id.1),
            ("MessageId", u64::from(m.id)),
            ("CallbackId", u64::from(m.callback_id)),
        ] {
            self.set(m.address, MESSAGE, &format!("PortMessage.{path}"), value);
        }
    }

    fn write_message_attributes(&mut self, m: &Message) {
        for (member, value) in [
            ("ClientContext", m.client_context),
            ("ServerContext", m.server_context),
            ("PortContext", m.port_context),
            ("CancelPortContext", m.cancel_port_context),
            ("SecurityData", m.security_data),
            ("View", m.view),
            ("HandleData", m.handle_data),
        ] {
            self.point(m.address, MESSAGE, &format!("MessageAttributes.{member}"), value);
        }
        for (member, value) in [
            ("DirectEvent", m.direct_event),
            ("WorkOnBehalfData", m.work_on_behalf),
        ] {
            let path = format!("MessageAttributes.{member}");
            if value != 0 && self.has(MESSAGE, &path) {
                let at = self.field(m.address, MESSAGE, &path);
                self.memory.write_uint(at, 8, value);
            }
        }
    }

    /// `AlpcMessageTable`: its entries point at the messages themselves.
    fn write_message_table(&mut self) {
        let mut tables: BTreeMap<u64, BTreeMap<u64, Entry>> = BTreeMap::from([(0, BTreeMap::new())]);
        for message in self.truth.messages.iter().filter(|message| !message.not_in_table) {
            let entry = Entry {
                pointer: message.address,
                access: 0,
                attributes: 0,
            };
            let id = message.id & !CACHED;
            let (table, handle) = (u64::from(id >> 26), u64::from(id & 0x03ff_ffff));
            let before = tables.entry(table).or_default().insert(handle, entry);
            assert!(before.is_none(), "message id {:#x} twice", message.id);
        }
        for (number, entries) in tables {
            let table = self.make_handle_table();
            let places = self.fill_handle_table(table, &entries, 0);
            self.publish_message_table(number, table);
            self.write_back_pointers(&entries, &places);
        }
    }

    fn publish_message_table(&mut self, number: u64, table: Va) {
        if number == 0 {
            self.truth.global.message_table = table;
            let at = self.global("AlpcMessageTable");
            self.write_pointer(at, table);
        } else {
            let tables = self.secondary_tables();
            self.write_pointer(tables + number * self.pointer_size(), table);
        }
    }

    /// The array of the further tables, by the high bits of an id. `AlpcpSecondaryMessageTables` has the width of a
    /// pointer in every list of symbols, so it refers to the array.
    fn secondary_tables(&mut self) -> Va {
        let at = self.global("AlpcpSecondaryMessageTables");
        let array = Va(self.memory.read_uint(at, self.pointer_size()));
        if !array.is_null() {
            return array;
        }
        let array = self.allocate(Pool::Paged, 32 * self.pointer_size(), *b"AlMt");
        self.write_pointer(at, array);
        array
    }

    /// Before Windows 7 a message knows its entry.
    fn write_back_pointers(&mut self, entries: &BTreeMap<u64, Entry>, places: &BTreeMap<u64, Va>) {
        if self.has(MESSAGE, "UniqueTableEntry") {
            for (handle, entry) in entries {
                self.point(entry.pointer, MESSAGE, "UniqueTableEntry", places[handle]);
            }
        }
    }

    /// Gives a message data, its lengths with it: as much as has room behind the message there, the rest in an
    /// extension buffer.
    ///
    /// # Panics
    /// Where the data is longer than a message can be.
    pub fn extend(&mut self, message: Va, data: &[u8]) {
        let (inline, rest) = data.split_at(self.room(message).min(data.len()));
        let header = u16::try_from(self.kernel.size("_PORT_MESSAGE")).expect("small");
        let buffer = if rest.is_empty() {
            Va::NULL
        } else {
            self.allocate(Pool::Paged, count(data.len()), *b"AlEB")
        };
        self.memory.write(buffer, rest);
        let message = self.message_mut(message);
        message.payload = inline.to_vec();
        message.data_length = u16::try_from(data.len()).expect("a message has less than 64 KiB");
        message.total_length = message.data_length + header;
        message.extension_buffer = buffer;
        message.extension_buffer_size = if rest.is_empty() { 0 } else { count(data.len()) };
    }

    /// Bytes of data that have room behind a message: 0x200, or 0x100 on 32-bit systems, or what its reserve says
    /// where reserves do.
    fn room(&self, message: Va) -> usize {
        let of_reserve = self.truth.resources.iter().find_map(|resource| match resource {
            Resource::Reserve {
                message: of, size, ..
            } if *of == message => {
                let known = self.kernel.has("_KALPC_RESERVE", "Size");
                known.then(|| size - self.kernel.size("_PORT_MESSAGE"))
            }
            _ => None,
        });
        let plain = if self.pointer_size() == 4 { 0x100 } else { 0x200 };
        usize::try_from(of_reserve.unwrap_or(plain)).expect("small")
    }
}
