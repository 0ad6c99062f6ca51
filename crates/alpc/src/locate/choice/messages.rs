//! The queues of ports and the messages in them.

use std::collections::{BTreeSet, HashSet};

use kdump::Gva;

use super::ports::{counts, is_blob};
use super::tally::Tally;
use super::{Check, Examined, is_linked, is_pointer};
use crate::port::contract::MessageAttributes;
use crate::port::message;
use crate::port::queue::QueueKind;
use ntkernel::image::contract::{ClientId, Message, Port, PortMessage, Thread};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::list;
use ntkernel::image::value::Unreadable;
use ntkernel::object::blob::BlobKind;
use ntkernel::process::thread;

/// Messages of one queue that are looked at.
const MESSAGES_EACH: usize = 1024;
/// Messages that are looked at in all.
const MESSAGES: usize = 4096;

/// `_PORT_MESSAGE.Type` of a message that was canceled.
const CANCELED: u64 = 12;
/// The types that there are.
const TYPES: std::ops::RangeInclusive<u64> = 1..=13;
/// Bits of a message id that are a handle, and the mark of one that is not in use by itself.
const NOT_LIVE: u64 = 0x8000_0000;

/// Queues, wait queues and messages.
pub(super) fn messages(examined: &mut Examined<'_>) {
    let kernel = &examined.kernel;
    for &address in &examined.ports {
        let port = kernel.at(address);
        for kind in QueueKind::ALL {
            if kernel.has(kind.head()) {
                queue(port, kind, &mut examined.tally, &mut examined.messages);
            }
        }
        examined.tally.read(Check::Queues, wait_queue(port));
    }
    for &address in &examined.messages {
        for outcome in message_outcomes(kernel.at(address), &examined.process_ids) {
            examined.tally.note(Check::Messages, outcome);
        }
    }
    for &address in &examined.threads {
        let thread = kernel.at(address);
        examined.tally.read(Check::Messages, awaited(thread));
    }
}

/// A queue holds as many messages as the port counts, and each says that it is there.
fn queue(port: At<'_, '_>, kind: QueueKind, tally: &mut Tally, messages: &mut BTreeSet<Gva>) {
    let kernel = port.kernel();
    let (Ok(head), Ok(link)) = (port.address_of(kind.head()), kernel.offset(kind.link())) else {
        return;
    };
    tally.read(Check::Queues, is_linked(kernel, head));
    let empty = kernel.cursor().pointer(head).is_ok_and(|next| next.u64() == 0);
    if empty {
        return;
    }
    let members = list::walk_up_to(kernel, head, MESSAGES_EACH).containers(link);
    if let Ok(counted) = port.uint(kind.counter()) {
        // Nothing where nothing is proves nothing of where the counter is.
        let outcome = counts(&members, counted).filter(|same| !same || counted != 0);
        tally.note(Check::Queues, outcome);
    }
    for address in members.entries {
        let message = kernel.at(address);
        for outcome in member_outcomes(port, kind, message) {
            tally.note(Check::Messages, outcome);
        }
        if messages.len() < MESSAGES {
            messages.insert(address);
        }
    }
}

fn member_outcomes(port: At<'_, '_>, kind: QueueKind, message: At<'_, '_>) -> Vec<Option<bool>> {
    let is_port = |member| Some(message.pointer(member).ok()? == port.address());
    let same = |member, wanted: Option<u64>| Some(message.uint(member).ok()? == wanted?);
    match kind {
        // Only the notice is in this queue: the message can be pending at the same time, so its own queue says
        // nothing here.
        QueueKind::Canceled => vec![
            is_port(Message::CancelQueuePort),
            same(Message::Canceled, Some(1)),
            same(Message::InCanceledQueue, Some(1)),
        ],
        _ => vec![
            is_port(Message::PortQueue),
            same(Message::QueueType, kind.queue_type()),
            same(Message::QueuePortType, port.uint(Port::Type).ok()),
        ],
    }
}

/// The threads in a port's wait queue are threads, as many as are counted.
fn wait_queue(port: At<'_, '_>) -> Read<Option<bool>> {
    let kernel = port.kernel();
    let link = kernel.offset(Thread::AlpcWaitListEntry)?;
    let head = port.address_of(Port::WaitQueue)?;
    if kernel.cursor().pointer(head)?.u64() == 0 {
        return Ok(None);
    }
    let waiting = list::walk_up_to(kernel, head, MESSAGES_EACH).containers(link);
    let counted = port.uint(Port::WaitQueueLength)?;
    let threads = waiting.entries.iter();
    let mut strangers = threads.filter(|&&thread| !thread::is_thread(kernel, thread));
    if strangers.next().is_some() {
        return Ok(Some(false));
    }
    Ok(counts(&waiting, counted).filter(|same| !same || counted != 0))
}

fn message_outcomes(message: At<'_, '_>, process_ids: &HashSet<u64>) -> Vec<Option<bool>> {
    let kernel = message.kernel();
    let pointer = |member| message.pointer(member);
    let is_thread = |member| {
        let thread = pointer(member).ok()?;
        match is_pointer(kernel, thread) {
            Some(true) => Some(thread::is_thread(kernel, thread)),
            other => other,
        }
    };
    let attribute = |member, wanted| {
        let attributes = message.embedded(Message::MessageAttributes);
        is_blob(kernel, attributes.and_then(|at| at.pointer(member)), wanted)
    };
    vec![
        is_blob(kernel, Ok(message.address()), BlobKind::MESSAGE),
        is_blob(
            kernel,
            pointer(Message::CommunicationInfo),
            BlobKind::CONNECTION_INFO,
        ),
        is_blob(kernel, pointer(Message::Reserve), BlobKind::RESERVE),
        attribute(MessageAttributes::SecurityData, BlobKind::SECURITY_CONTEXT),
        attribute(MessageAttributes::View, BlobKind::VIEW),
        attribute(MessageAttributes::HandleData, BlobKind::HANDLE_DATA),
        is_thread(Message::WaitingThread),
        is_thread(Message::ServerThread),
        is_pointer(kernel, pointer(Message::OwnerPort).unwrap_or_default()).filter(|is| !is),
        is_pointer(kernel, pointer(Message::ConnectionPort).unwrap_or_default()).filter(|is| !is),
        message::lengths_agree(message).ok(),
        message_type(message).ok().flatten(),
        id(message).ok().flatten(),
        client(message, process_ids).ok().flatten(),
        known_bits(message).ok().flatten(),
        in_canceled_queue(message).ok().flatten(),
    ]
}

fn message_type(message: At<'_, '_>) -> Read<Option<bool>> {
    let header = message.embedded(Message::PortMessage)?;
    // Above the number are flags: 2000 a reply is required, 4000 no impersonation, 8000 sent by the kernel
    // (phnt).
    let number = header.uint(PortMessage::Type)? & 0xff;
    if number == CANCELED {
        return Ok(Some(message.flag(Message::Canceled)?));
    }
    // phnt ends with LPC_CANCELED, 12. 13 is the reply to a connection by old means (published reverse
    // engineering).
    Ok(Some(TYPES.contains(&number)))
}

fn id(message: At<'_, '_>) -> Read<Option<bool>> {
    let header = message.embedded(Message::PortMessage)?;
    let id = header.uint(PortMessage::MessageId)?;
    // An id is a handle of the message table, and handles count in fours.
    Ok(Some((id & !NOT_LIVE).is_multiple_of(4)))
}

/// The sender is one of the processes; it can be gone.
fn client(message: At<'_, '_>, process_ids: &HashSet<u64>) -> Read<Option<bool>> {
    let header = message.embedded(Message::PortMessage)?;
    let client = header.embedded(PortMessage::ClientId)?;
    let (process, thread) = (
        client.uint(ClientId::UniqueProcess)?,
        client.uint(ClientId::UniqueThread)?,
    );
    if process_ids.contains(&process) {
        return Ok(Some(thread.is_multiple_of(4)));
    }
    Ok((!process.is_multiple_of(4) || !thread.is_multiple_of(4)).then_some(false))
}

/// The state has no bits above those that the layout gives a name.
fn known_bits(message: At<'_, '_>) -> Read<Option<bool>> {
    let bits = [
        Message::ReceiverReference,
        Message::ViewAttributeRetrieved,
        Message::InDispatch,
        Message::InCanceledQueue,
        Message::CommunicationInfoReference,
    ];
    let kernel = message.kernel();
    let is_unknown = |bit: &Message| {
        matches!(
            kernel.field(*bit),
            Err(Unreadable::NotTold { .. } | Unreadable::Disputed { .. })
        )
    };
    if bits.iter().any(is_unknown) {
        return Ok(None);
    }
    let ends = bits.into_iter().filter_map(|bit| {
        let bits = kernel.field(bit).ok()?.bits?;
        Some(u32::from(bits.position).saturating_add(bits.length.into()))
    });
    let Some(end) = ends.max() else {
        return Ok(None);
    };
    let above = message.uint(Message::State)?.checked_shr(end).unwrap_or(0);
    Ok((above != 0).then_some(false))
}

/// Only a message that was canceled is in a queue of such, and then it says which.
fn in_canceled_queue(message: At<'_, '_>) -> Read<Option<bool>> {
    if !message.flag(Message::InCanceledQueue)? {
        return Ok(None);
    }
    let queue = message.pointer(Message::CancelQueuePort)?;
    Ok(Some(message.flag(Message::Canceled)? && queue.u64() != 0))
}

/// A thread that waits for a reply waits for a message that names it.
fn awaited(thread: At<'_, '_>) -> Read<Option<bool>> {
    const WR_LPC_REPLY: u8 = 17;
    let kernel: &Kernel<'_> = thread.kernel();
    // There is no reason of ALPC's own: WrLpcReply is 17 in the enumerations of all kernels.
    if !thread::state(thread)?.is_waiting() || thread::wait_reason(thread)?.0 != WR_LPC_REPLY {
        return Ok(None);
    }
    let message = thread.pointer(Thread::AlpcMessageId)?;
    if !kernel.is_kernel_address(message) {
        return Ok(Some(false));
    }
    kernel.size_of::<Message>()?;
    Ok(Some(
        kernel.at(message).pointer(Message::WaitingThread)? == thread.address(),
    ))
}
