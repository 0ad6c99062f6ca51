//! The message queues of a port.

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::call::{Call, Calls, Told};
use crate::port::message_type::MessageType;
use ntkernel::image::contract::{ClientId, Message, Port, PortMessage};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::list::{self, Gap, List};
use ntkernel::image::value::{Addr, Value};

/// A queue of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum QueueKind {
    /// Messages that were not received yet.
    Main,
    /// Direct messages; only some kernels have the queue.
    Direct,
    /// Messages that were not received yet and are too long for the receiver that waits.
    Large,
    /// Requests that were received and not answered yet.
    Pending,
    /// Notices of cancellation that were not fetched yet. Their messages can be pending at the same time.
    Canceled,
}

impl QueueKind {
    /// All of them, in the order of the debugger's view.
    pub const ALL: [Self; 5] = [
        // Transcripts of Windows 10 show this order. Before Windows 8 the kernel's own is another: Main,
        // Pending, Large.
        Self::Main,
        Self::Direct,
        Self::Large,
        Self::Pending,
        Self::Canceled,
    ];

    /// The queue's name, in one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Direct => "direct",
            Self::Large => "large",
            Self::Pending => "pending",
            Self::Canceled => "canceled",
        }
    }

    /// What a message in the queue says in its `QueueType`; none where it may say anything.
    #[must_use]
    pub fn queue_type(self) -> Option<u64> {
        match self {
            Self::Main => Some(1),
            Self::Large => Some(2),
            Self::Pending => Some(3),
            // Kernels with two bits for it (up to Windows 8) have no more than 3. 5 is a reply that was handed
            // straight to the thread that waits (14393 and later), and in no queue at all.
            Self::Direct => Some(4),
            Self::Canceled => None,
        }
    }

    pub(crate) fn head(self) -> Port {
        match self {
            Self::Main => Port::MainQueue,
            Self::Direct => Port::DirectQueue,
            Self::Large => Port::LargeMessageQueue,
            Self::Pending => Port::PendingQueue,
            Self::Canceled => Port::CanceledQueue,
        }
    }

    pub(crate) fn counter(self) -> Port {
        match self {
            Self::Main => Port::MainQueueLength,
            Self::Direct => Port::DirectQueueLength,
            Self::Large => Port::LargeMessageQueueLength,
            Self::Pending => Port::PendingQueueLength,
            Self::Canceled => Port::CanceledQueueLength,
        }
    }

    /// The member of a message that links it into the queue. Canceled messages have a link of their own:
    /// they can stay where they were.
    pub(crate) fn link(self) -> Message {
        match self {
            // Entry is taken: a message that was given up can still stand in the queue of its server.
            Self::Canceled => Message::CancelListEntry,
            _ => Message::Entry,
        }
    }
}

/// A queue with its messages.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct QueueRecord {
    /// Which one.
    pub queue: QueueKind,
    /// Its length, by the port's counter.
    pub length: Value<u32>,
    /// Its messages, in list order.
    pub messages: Vec<QueuedMessage>,
    /// Set when the list could not be followed to its end.
    pub complete: Value<()>,
}

/// A message in a queue, in one line.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct QueuedMessage {
    /// Its `_KALPC_MESSAGE`.
    pub address: Addr,
    /// `_PORT_MESSAGE.MessageId`.
    pub message_id: Value<u32>,
    /// Process id of the sender.
    pub client_process_id: Value<u64>,
    /// Thread id of the sender.
    pub client_thread_id: Value<u64>,
    /// The thread that received it.
    pub server_thread: Value<Addr>,
    /// The thread that waits for the reply.
    pub waiting_thread: Value<Addr>,
    /// Its type.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub message_type: Value<MessageType>,
    /// The call that it is, when asked for; none as well when it is of no protocol that is known.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub call: Option<Told<Box<Call>>>,
}

/// Reads a queue of a port; none when this kernel has no such queue. With somebody who reads calls, what each of
/// them asks for is told.
#[must_use]
pub fn queue(port: At<'_, '_>, kind: QueueKind, calls: Option<&Calls<'_, '_>>) -> Option<QueueRecord> {
    let kernel = port.kernel();
    // DirectQueue came with Windows 10 and by the offsets of canary builds from 29531 on is gone again (inferred):
    // no queue, no line in the view.
    if !kernel.has(kind.head()) {
        return None;
    }
    let members = members(port, kind);
    let complete = members.clone().and_then(|list| list.complete("the queue")).into();
    let messages = members.map(|list| list.entries).unwrap_or_default();
    Some(QueueRecord {
        queue: kind,
        // In a live dump list and counter can differ and nothing be damaged: its pages are of different moments.
        length: port.u32(kind.counter()).into(),
        messages: messages
            .into_iter()
            .map(|address| queued(kernel, address, calls))
            .collect(),
        complete,
    })
}

/// The messages in a queue of a port.
///
/// # Errors
/// When this kernel has no such queue.
pub fn members(port: At<'_, '_>, kind: QueueKind) -> Read<List> {
    let link = port.kernel().offset(kind.link())?;
    let mut list = list::walk(port.kernel(), port.address_of(kind.head())?).containers(link);
    // Where an entry cannot be read that both its neighbours name, the port's own count proves that nothing is missing.
    if list.gap.as_ref().is_some_and(Gap::is_one_entry)
        && port
            .uint(kind.counter())
            .is_ok_and(|count| count == list.entries.len() as u64)
    {
        list.gap = None;
    }
    Ok(list)
}

/// The lengths of the queues that the debugger sums up in its lists of ports.
///
/// # Errors
/// When a counter is not in the dump.
pub fn total_length(port: At<'_, '_>) -> Read<u64> {
    let mut total: u64 = 0;
    for kind in [
        // The number behind a port in `!alpc -lp` is the sum of these four, by EreTIk's notes on the extension;
        // that /LPP and /LPC print the same sum is inferred. The direct queue is in none.
        QueueKind::Main,
        QueueKind::Pending,
        QueueKind::Large,
        QueueKind::Canceled,
    ] {
        total = total.saturating_add(port.uint(kind.counter())?);
    }
    Ok(total)
}

fn queued(kernel: &Kernel<'_>, address: Gva, calls: Option<&Calls<'_, '_>>) -> QueuedMessage {
    let message = kernel.at(address);
    let header = message.embedded(Message::PortMessage);
    let client = |member| {
        header
            .clone()
            .and_then(|at| at.embedded(PortMessage::ClientId)?.uint(member))
            .into()
    };
    let type_word = header.clone().and_then(|header| header.u16(PortMessage::Type));
    QueuedMessage {
        address: kernel.addr(address),
        message_id: header
            .clone()
            .and_then(|header| header.u32(PortMessage::MessageId))
            .into(),
        client_process_id: client(ClientId::UniqueProcess),
        client_thread_id: client(ClientId::UniqueThread),
        server_thread: message.addr(Message::ServerThread),
        waiting_thread: message.addr(Message::WaitingThread),
        message_type: type_word.map(MessageType::from_word).into(),
        call: calls.and_then(|calls| calls.told(address)),
    }
}
