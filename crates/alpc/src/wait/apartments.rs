//! Calls of COM: which thread must run one that was received, and which thread waits for one that it made.
//!
//! An object in the apartment of one thread is called by that thread alone. The thread of RPC that received the call
//! hands it over by a window message and waits: that hand-over is in user memory, but the call names the apartment. A
//! thread of an apartment that calls out does not wait for the reply in the kernel: it goes on looking at its window
//! messages, so the message of its call has no waiting thread. It is found by the id of its sender.
//!
//! Sources: see [`lrpc::orpc`]. That the apartment is in an object's id has one source, so all of this is inferred.

use std::collections::HashMap;

use kdump::Gva;
use lrpc::Uuid;
use ntkernel::image::contract::{ClientId, Message, PortMessage, Thread};
use ntkernel::image::kernel::{Kernel, Read};
use ntkernel::image::value::{Addr, Unreadable};
use ntkernel::process::thread::WaitReason;

use crate::port::call::{Apartment, Call, Calls, Decoded};
use crate::port::in_flight;
use crate::port::message::MessageType;
use crate::port::waiter::ThreadRecord;
use crate::wait::node::{MessageNode, NodeId};

/// A call for an object in the apartment of one thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called {
    /// That thread.
    pub(super) thread: Addr,
}

impl Called {
    pub(super) fn of(message: &MessageNode) -> Option<Self> {
        let call = message.call()?;
        let com = call.com.as_ref().filter(|_| call.kind == "request")?;
        let thread = com.apartment_thread.as_ref()?.known()?;
        (com.apartment == Apartment::SingleThreaded).then_some(Self { thread: *thread })
    }
}

/// What hides the thread of the apartment that a call is for.
pub(super) fn hidden_thread(message: &MessageNode) -> Option<Unreadable> {
    let com = message.call()?.com.as_ref()?;
    let hole = com.apartment_thread.as_ref()?.reason()?;
    // A thread that has ended is no gap: then nobody runs the call.
    hole.hides().then(|| hole.clone())
}

/// Such a call, received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    /// Its message.
    pub(super) message: NodeId,
    /// The thread that received it, where the message names one.
    pub(super) by: Option<Gva>,
    /// Whose apartment it is for.
    pub(super) called: Called,
}

/// A call that a thread made and that no field of the kernel says it waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct MadeCall {
    /// Its message.
    pub(super) message: Gva,
    /// The same in all calls on behalf of one another.
    pub(super) causality: Option<Uuid>,
    /// Ids of its sender, as they are told.
    pub(super) client: (u64, u64),
}

/// All calls of COM that were sent and that the sender waits for without its thread being noted.
pub(super) fn made_calls(kernel: &Kernel<'_>, calls: &Calls<'_, '_>) -> Vec<MadeCall> {
    // What lacks of them lacks a step that is inferred; chains end earlier then, as they do without COM.
    let messages = in_flight::of_table_or_queues(kernel);
    let made = messages.into_iter().filter_map(|message| {
        let client = unnoted_sender(kernel, message).ok().flatten()?;
        let Ok(Decoded::Call(call)) = calls.of(message) else {
            return None;
        };
        let causality = waited_for(&call, client.1)?;
        Some(MadeCall {
            message,
            causality,
            client,
        })
    });
    made.collect()
}

/// The sender of a request that stands in a queue and names no waiting thread.
fn unnoted_sender(kernel: &Kernel<'_>, message: Gva) -> Read<Option<(u64, u64)>> {
    let message = kernel.at(message);
    if message.pointer(Message::WaitingThread)?.u64() != 0 || message.pointer(Message::PortQueue)?.u64() == 0
    {
        return Ok(None);
    }
    let header = message.embedded(Message::PortMessage)?;
    // Datagrams and notices as LPC_PORT_CLOSED stand in queues without a waiter too.
    let kind = MessageType::from_word(header.u16(PortMessage::Type)?);
    if kind != MessageType(lrpc::header::LPC_REQUEST) {
        return Ok(None);
    }
    let client = header.embedded(PortMessage::ClientId)?;
    Ok(Some((
        client.uint(ClientId::UniqueProcess)?,
        client.uint(ClientId::UniqueThread)?,
    )))
}

/// The causality of a call of COM whose head names the thread that sent it, and says that it waits.
fn waited_for(call: &Call, thread_id: u64) -> Option<Option<Uuid>> {
    let com = call.com.as_ref().filter(|_| call.kind == "request")?;
    let waits = com.asynchronous == Some(false) && com.client_thread_id == Some(thread_id);
    waits.then_some(com.causality)
}

/// Whether a thread may wait for a call that it made: it waits as one does that looks at its window messages.
pub(super) fn may_wait(thread: &ThreadRecord) -> bool {
    let waits = thread.state.known().is_some_and(|state| state.is_waiting());
    let reason = thread.wait_reason.known();
    // MsgWaitForMultipleObjectsEx ends in an ordinary wait for objects (UserRequest), GetMessage in one of win32k's
    // own (WrUserRequest).
    let pumps = [WaitReason::USER_REQUEST, WaitReason::WR_USER_REQUEST];
    waits && thread.suspend_count.known() == Some(&0) && reason.is_some_and(|reason| pumps.contains(reason))
}

/// The threads that sent calls, by their ids as they are told.
pub(super) fn senders(kernel: &Kernel<'_>, threads: &[Gva], calls: &[MadeCall]) -> HashMap<(u64, u64), Gva> {
    let mut wanted: HashMap<(u64, u64), Option<Gva>> = calls.iter().map(|call| (call.client, None)).collect();
    if wanted.is_empty() {
        return HashMap::new();
    }
    for &thread in threads {
        let id = || {
            let client = kernel.at(thread).embedded(Thread::Cid)?;
            Ok((
                client.uint(ClientId::UniqueProcess)?,
                client.uint(ClientId::UniqueThread)?,
            ))
        };
        let id: Read<(u64, u64)> = id();
        if let Some(slot) = id.ok().and_then(|id| wanted.get_mut(&id)) {
            *slot = Some(thread);
        }
    }
    let found = wanted.into_iter().filter_map(|(id, thread)| Some((id, thread?)));
    found.collect()
}
