//! ALPC messages.

use std::fmt;

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::port::call::{Calls, MessageCall};
use crate::port::contract::MessageAttributes;
pub use crate::port::message_type::MessageType;
use crate::port::payload::{self, Payload};
use crate::port::{self, PortRef};
use ntkernel::image::contract::{ClientId, Message, PortMessage};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::schema::schema_as_text;
use ntkernel::image::value::{Addr, Value};
use ntkernel::object::blob::{self, BlobKind, Freed};
use ntkernel::object::identify::{self, Identity};
use ntkernel::object::process_ref::ProcessRef;

/// Bits of `_PORT_MESSAGE.u2.s2.Type` above the type proper.
const CONTINUATION_REQUIRED: u16 = 0x2000;

/// The queue that a message says it is in.
///
/// The debugger's names are known for 1 and 3 only; the others follow their pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueType(pub u8);

impl QueueType {
    /// The queue's name; none for a number that has no name.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        const NAMES: [&str; 6] = [
            "ALPC_MSGQUEUE_NONE",
            "ALPC_MSGQUEUE_MAIN",
            "ALPC_MSGQUEUE_LARGE",
            "ALPC_MSGQUEUE_PENDING",
            "ALPC_MSGQUEUE_DIRECT",
            "ALPC_MSGQUEUE_WAITING",
        ];
        NAMES.get(usize::from(self.0)).copied()
    }
}

impl fmt::Display for QueueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:X}", self.0),
        }
    }
}

#[cfg(feature = "serde")]
impl Serialize for QueueType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

schema_as_text!(
    QueueType,
    "The name of a queue, as ALPC_MSGQUEUE_MAIN; 0xN for a number without one."
);

/// A message: what the debugger's message view shows, and what is known beside it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct MessageRecord {
    /// Its `_KALPC_MESSAGE`.
    pub address: Addr,
    /// Set when the blob header before it says that it is not in use any more.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub freed: Option<Freed>,
    /// `_PORT_MESSAGE.MessageId`.
    pub message_id: Value<u32>,
    /// `_PORT_MESSAGE.CallbackId`.
    pub callback_id: Value<u32>,
    /// The number that its sequence port gave it.
    pub sequence_number: Value<u32>,
    /// The type, without the flag bits of its word.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub message_type: Value<MessageType>,
    /// The whole type word, flag bits included.
    pub type_word: Value<u16>,
    /// Bytes of data.
    pub data_length: Value<u16>,
    /// Bytes of data and header.
    pub total_length: Value<u16>,
    /// The sender gave up waiting.
    pub canceled: Value<bool>,
    /// Freed after the reply was received.
    pub release: Value<bool>,
    /// The sender used the reply-then-wait form.
    pub reply_wait_reply: Value<bool>,
    /// The sender expects a reply: bit 0x2000 of the type word.
    pub continuation: Value<bool>,
    /// The port through which it was sent.
    pub owner_port: Value<Option<PortRef>>,
    /// The thread that waits for the reply.
    pub waiting_thread: Value<Addr>,
    /// The queue that it says it is in.
    pub queue_type: Value<QueueType>,
    /// The port in whose queue it is.
    pub queue_port: Value<Option<PortRef>>,
    /// The process that owns that port.
    pub queue_port_owner_process: Value<Option<ProcessRef>>,
    /// The thread that received it; meaningless before that.
    pub server_thread: Value<Addr>,
    /// Whether quota is charged for it. Inferred: no source says what the debugger looks at.
    pub quota_charged: Value<bool>,
    /// The port that is told of its cancellation.
    pub cancel_queue_port: Value<Addr>,
    /// The port that numbered its cancellation.
    pub cancel_sequence_port: Value<Addr>,
    /// The number of its cancellation.
    pub cancel_sequence_number: Value<u32>,
    /// `_KALPC_MESSAGE_ATTRIBUTES.ClientContext`.
    pub client_context: Value<Addr>,
    /// `_KALPC_MESSAGE_ATTRIBUTES.ServerContext`.
    pub server_context: Value<Addr>,
    /// `_KALPC_MESSAGE_ATTRIBUTES.PortContext`.
    pub port_context: Value<Addr>,
    /// `_KALPC_MESSAGE_ATTRIBUTES.CancelPortContext`.
    pub cancel_port_context: Value<Addr>,
    /// `_KALPC_MESSAGE_ATTRIBUTES.SecurityData`.
    pub security_data: Value<Addr>,
    /// `_KALPC_MESSAGE_ATTRIBUTES.View`.
    pub view: Value<Addr>,
    /// What the debugger's view does not show, when asked for.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub details: Option<MessageDetails>,
}

/// What is known of a message beside the debugger's rows.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct MessageDetails {
    /// Process id of the sender.
    pub client_process_id: Value<u64>,
    /// Thread id of the sender.
    pub client_thread_id: Value<u64>,
    /// `_PORT_MESSAGE.u2.s2.DataInfoOffset`.
    pub data_info_offset: Value<u16>,
    /// The whole state word.
    pub state: Value<u32>,
    /// The state bits that are set, by the kernel's names.
    pub state_bits: Value<Vec<&'static str>>,
    /// Kind of the port in whose queue it is, as the message has it: 1 to 3.
    pub queue_port_type: Value<u32>,
    /// The reserve that it belongs to.
    pub reserve: Value<Addr>,
    /// The process or quota block charged.
    pub quota: Value<Addr>,
    /// The sender's data, where it was not copied yet.
    pub data_user_va: Value<Addr>,
    /// The communication info of its connection.
    pub communication_info: Value<Addr>,
    /// The connection port, while it is a connection request.
    pub connection_port: Value<Addr>,
    /// Buffer for data that does not fit behind the message.
    pub extension_buffer: Value<Addr>,
    /// Bytes of that buffer.
    pub extension_buffer_size: Value<u64>,
    /// `_KALPC_MESSAGE_ATTRIBUTES.HandleData`.
    pub handle_data: Value<Addr>,
    /// `_KALPC_MESSAGE_ATTRIBUTES.DirectEvent`.
    pub direct_event: Value<Addr>,
    /// `_KALPC_MESSAGE_ATTRIBUTES.WorkOnBehalfData`, a ticket of 64 bits on every machine.
    pub work_on_behalf: Value<Addr>,
    /// The data itself.
    pub payload: Value<Payload>,
    /// The call that the data is, or answers.
    pub call: MessageCall,
}

/// Why there is no message at an address.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no ALPC message is at {address}: {what}")]
pub struct NotAMessage {
    /// The address asked for.
    pub address: Addr,
    /// What is there instead.
    pub what: Identity,
}

/// How much of a message to gather.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What the debugger's view shows.
    Rows,
    /// Everything, the data included.
    Full,
}

/// Reads the message at an address.
///
/// # Errors
/// [`NotAMessage`] when the blob header before the address is in the dump and says something else, or when
/// that header is missing and the lengths behind it contradict each other. A message whose memory is not in
/// the dump is no error: its record says so, value by value.
pub fn read(kernel: &Kernel<'_>, address: Gva, detail: Detail) -> Result<MessageRecord, NotAMessage> {
    match detail {
        Detail::Rows => read_by(kernel, address, None),
        Detail::Full => read_by(kernel, address, Some(&Calls::new(kernel))),
    }
}

/// The same in full where there is somebody to read calls, who remembers what one message says of others.
///
/// # Errors
/// As [`read`].
pub fn read_by(
    kernel: &Kernel<'_>,
    address: Gva,
    calls: Option<&Calls<'_, '_>>,
) -> Result<MessageRecord, NotAMessage> {
    let is_message = match blob::kind(kernel, address) {
        Ok(kind) => kind == BlobKind::MESSAGE,
        Err(_) => lengths_agree(kernel.at(address)).unwrap_or(true),
    };
    if is_message {
        return Ok(record(kernel.at(address), calls));
    }
    Err(NotAMessage {
        address: kernel.addr(address),
        what: identify::identify(kernel, address),
    })
}

/// Whether total length and data length differ by a message header.
pub(crate) fn lengths_agree(message: At<'_, '_>) -> Read<bool> {
    let header = message.embedded(Message::PortMessage)?;
    let data = u64::from(header.u16(PortMessage::DataLength)?);
    let total = u64::from(header.u16(PortMessage::TotalLength)?);
    // DataLength 68 and TotalLength 90 in the published x64 view, 94 and ac in that of x86: the difference is the
    // PORT_MESSAGE of 28 and of 18 bytes, hex.
    Ok(total == data.saturating_add(message.kernel().size_of::<PortMessage>()?))
}

/// A message whose header is not in the dump may be in use or not.
fn freed(message: At<'_, '_>) -> Option<Freed> {
    blob::freed(message.kernel(), message.address()).ok()?
}

fn record(message: At<'_, '_>, calls: Option<&Calls<'_, '_>>) -> MessageRecord {
    let kernel = message.kernel();
    let header = message.embedded(Message::PortMessage);
    let attributes = message.embedded(Message::MessageAttributes);
    let in_header = |member| header.clone().and_then(|header| header.u32(member)).into();
    let half_word = |member| header.clone().and_then(|header| header.u16(member));
    let type_word = half_word(PortMessage::Type);
    let attribute = |member| {
        Value::from(
            attributes
                .clone()
                .and_then(|at| at.pointer(member))
                .map(|gva| kernel.addr(gva)),
        )
    };
    MessageRecord {
        address: kernel.addr(message.address()),
        freed: freed(message),
        // A handle of the kernel's message table, so a multiple of four: bfc (3068) and 274 (628) in the published
        // views. It is given anew when the message is.
        message_id: in_header(PortMessage::MessageId),
        // Shares its place with ClientViewSize, which connection messages have there (phnt): of those it is a size.
        callback_id: in_header(PortMessage::CallbackId),
        sequence_number: message.u32(Message::SequenceNo).into(),
        // phnt's names are for the low byte. Above it are flags: 2000 LPC_CONTINUATION_REQUIRED, 4000
        // LPC_NO_IMPERSONATE, 8000 LPC_KERNELMODE_MESSAGE.
        message_type: type_word.clone().map(MessageType::from_word).into(),
        // The debugger's "Continuation : Yes" is this bit of the type word and no bit of the message's state.
        continuation: type_word
            .clone()
            .map(|word| word & CONTINUATION_REQUIRED != 0)
            .into(),
        type_word: type_word.into(),
        // Both lengths have 16 bits: no message of ALPC is longer than ffff, and what is longer travels in a view of
        // a section, of which the message has the address alone.
        data_length: half_word(PortMessage::DataLength).into(),
        total_length: half_word(PortMessage::TotalLength).into(),
        // A canceled message says so three times: this bit, type LPC_CANCELED, DataLength 0 with TotalLength that of
        // the header. Its bytes mostly are still there and belong to nobody.
        canceled: message.flag(Message::Canceled).into(),
        release: message.flag(Message::ReleaseMessage).into(),
        reply_wait_reply: message.flag(Message::ReplyWaitReply).into(),
        // The port that it was sent through: of a request that of the client.
        owner_port: port_ref(message, Message::OwnerPort).into(),
        // Nobody waits for a datagram, nor for a request that RPC sent asynchronously: those who wait for such a
        // call are known in user memory alone. So null is no sign of damage.
        waiting_thread: message.addr(Message::WaitingThread),
        // A message may name a queue that it has left: only that the queue's list has it proves it.
        queue_type: queue_type(message).into(),
        // Requests of all clients stand at the connection port, and replies at the client's: a server's
        // communication port has no queue of its own (published reverse engineering).
        queue_port: port_ref(message, Message::PortQueue).into(),
        queue_port_owner_process: queue_port_owner(message).into(),
        // Set when a thread receives the message, and null before: the published Windows 8 view has 00000000 here
        // with ALPC_MSGQUEUE_MAIN, and its author an arrow to it. Nobody had taken the call.
        server_thread: message.addr(Message::ServerThread),
        quota_charged: quota_charged(message).into(),
        cancel_queue_port: message.addr(Message::CancelQueuePort),
        cancel_sequence_port: message.addr(Message::CancelSequencePort),
        cancel_sequence_number: message.u32(Message::CancelSequenceNo).into(),
        // What a side attached to the connection: ClientContext 25599e0 and PortContext 30d640 of the published view
        // are user-mode addresses. In real dumps the contexts of servers' ports are such, and those of clients'
        // ports small numbers.
        client_context: attribute(MessageAttributes::ClientContext),
        server_context: attribute(MessageAttributes::ServerContext),
        port_context: attribute(MessageAttributes::PortContext),
        cancel_port_context: attribute(MessageAttributes::CancelPortContext),
        // Mostly null: then a server impersonates by what the client's port has.
        security_data: attribute(MessageAttributes::SecurityData),
        view: attribute(MessageAttributes::View),
        details: calls.map(|calls| details(message, calls)),
    }
}

fn details(message: At<'_, '_>, calls: &Calls<'_, '_>) -> MessageDetails {
    let kernel = message.kernel();
    let header = message.embedded(Message::PortMessage);
    let attributes = message.embedded(Message::MessageAttributes);
    let attribute = |member| {
        Value::from(
            attributes
                .clone()
                .and_then(|at| at.pointer(member))
                .map(|gva| kernel.addr(gva)),
        )
    };
    let client = |member| {
        header
            .clone()
            .and_then(|at| at.embedded(PortMessage::ClientId)?.uint(member))
            .into()
    };
    MessageDetails {
        // The sender's: in a reply that is the server's thread, not the client's.
        client_process_id: client(ClientId::UniqueProcess),
        client_thread_id: client(ClientId::UniqueThread),
        data_info_offset: header
            .clone()
            .and_then(|header| header.u16(PortMessage::DataInfoOffset))
            .into(),
        state: message.u32(Message::State).into(),
        state_bits: state_bits(message).into(),
        queue_port_type: message.u32(Message::QueuePortType).into(),
        reserve: message.addr(Message::Reserve),
        // QuotaProcess and QuotaBlock share one place in the symbols; SharedQuota most likely tells which it is
        // (inferred).
        quota: message.addr(Message::Quota),
        data_user_va: message.addr(Message::DataUserVa),
        communication_info: message.addr(Message::CommunicationInfo),
        connection_port: message.addr(Message::ConnectionPort),
        extension_buffer: message.addr(Message::ExtensionBuffer),
        extension_buffer_size: message.uint(Message::ExtensionBufferSize).into(),
        handle_data: attribute(MessageAttributes::HandleData),
        direct_event: attribute(MessageAttributes::DirectEvent),
        work_on_behalf: attributes
            .clone()
            .and_then(|at| at.pointer(MessageAttributes::WorkOnBehalfData))
            .map(|ticket| Addr::new(ticket, 8))
            .into(),
        payload: payload::payload(message).into(),
        call: calls.of(message.address()).into(),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the bit field has at most three bits"
)]
fn queue_type(message: At<'_, '_>) -> Read<QueueType> {
    // Two bits or three, by servicing: Windows 8.1 went from two to three within one build (9600.20666, October
    // 2022), and every bit above moved up by one.
    message.uint(Message::QueueType).map(|bits| QueueType(bits as u8))
}

fn port_ref(message: At<'_, '_>, member: Message) -> Read<Option<PortRef>> {
    let port = message.pointer(member)?;
    Ok((port.u64() != 0).then(|| PortRef::at(message.kernel(), port)))
}

fn queue_port_owner(message: At<'_, '_>) -> Read<Option<ProcessRef>> {
    let kernel = message.kernel();
    let port = message.pointer(Message::PortQueue)?;
    if port.u64() == 0 {
        return Ok(None);
    }
    let (owner, _) = port::owner_process(kernel.at(port))?;
    Ok((owner.u64() != 0).then(|| ProcessRef::at(kernel, owner)))
}

/// Inference: the published view prints "No" for a message with neither a shared quota nor a process or
/// block charged; nothing shows what makes it print "Yes".
fn quota_charged(message: At<'_, '_>) -> Read<bool> {
    Ok(message.flag(Message::SharedQuota)? || message.pointer(Message::Quota)?.u64() != 0)
}

fn state_bits(message: At<'_, '_>) -> Read<Vec<&'static str>> {
    message.set_bits(&[
        (Message::Canceled, "Canceled"),
        (Message::Ready, "Ready"),
        (Message::ReleaseMessage, "ReleaseMessage"),
        (Message::SharedQuota, "SharedQuota"),
        (Message::ReplyWaitReply, "ReplyWaitReply"),
        (Message::OwnerPortReference, "OwnerPortReference"),
        // Gone since 17134, with its bit given to another: a bit is what its name in the symbols says.
        (Message::ReserveReference, "ReserveReference"),
        (Message::ReceiverReference, "ReceiverReference"),
        (Message::ViewAttributeRetrieved, "ViewAttributeRetrieved"),
        (
            // Since 22621; the bits above it moved up by one.
            Message::ViewAttributeDeleteOnRelease,
            "ViewAttributeDeleteOnRelease",
        ),
        (Message::InDispatch, "InDispatch"),
        // By updates of May 2022 (1904x.1706, 20348.707, 22000.675), in builds that were out already.
        (Message::InCanceledQueue, "InCanceledQueue"),
        // Windows 11 26H1 (28000).
        (Message::CommunicationInfoReference, "CommunicationInfoReference"),
    ])
}
