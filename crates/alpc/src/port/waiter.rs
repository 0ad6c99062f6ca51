//! Threads with what they wait for over ALPC.

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::call::{Call, Calls, Told};
use crate::port::{self, PortRef};
use ntkernel::image::contract::{ClientId, Message, Port, Thread, ThreadControl};
use ntkernel::image::expected::Expected;
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::list::{self, List};
use ntkernel::image::root_set::FoundBy;
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::object::marks::{self, expect};
use ntkernel::object::process_ref::ProcessRef;
use ntkernel::process::roots;
use ntkernel::process::thread::{ThreadState, WaitObject, WaitReason, state, wait_objects, wait_reason};
use ntkernel::process::thread_details::ThreadDetails;
use ntkernel::stack::CertainFrames;

/// A thread, as the debugger's thread line shows it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ThreadRecord {
    /// Its `_ETHREAD`.
    pub address: Addr,
    /// Its process's id.
    pub process_id: Value<u64>,
    /// Its id.
    pub thread_id: Value<u64>,
    /// Its process.
    pub process: Value<Option<ProcessRef>>,
    /// Its thread environment block.
    pub teb: Value<Addr>,
    /// Its window-manager part.
    pub win32_thread: Value<Addr>,
    /// What it is doing.
    pub state: Value<ThreadState>,
    /// The processor that it runs on or was last meant for.
    pub processor: Value<u32>,
    /// Why it waits; the last reason, when it does not.
    pub wait_reason: Value<WaitReason>,
    /// Whether it waits in user mode.
    pub user_mode_wait: Value<bool>,
    /// Whether its wait can be interrupted.
    pub alertable: Value<bool>,
    /// How often it was suspended and not resumed.
    pub suspend_count: Value<u32>,
    /// How often it was frozen and not thawed, as a process's threads are while a debugger handles an event.
    pub freeze_count: Value<u32>,
    /// What it waits for.
    pub wait_objects: Value<Vec<WaitObject>>,
    /// What it waits for over ALPC.
    pub alpc_wait: Value<Option<AlpcWait>>,
    /// Whether it is the one that a processor runs when it has nothing else to do.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "std::ops::Not::not"))]
    pub idle: bool,
    /// What led to it, where its process's list of threads does not have it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub found_by: Option<FoundBy>,
    /// Its kernel stack, as far as it is certain, when asked for; none where nothing of it is. `stack` shows what else lies
    /// there.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub stack: Option<CertainFrames>,
    /// The call whose reply it waits for, when asked for; none where it waits for no reply, or the call is of no protocol that
    /// is known.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub call: Option<Told<Box<Call>>>,
    /// What the debugger shows of a single thread only, when asked for.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub details: Option<ThreadDetails>,
}

impl ThreadRecord {
    /// Adds the call whose reply it waits for.
    pub fn add_call(&mut self, calls: &Calls<'_, '_>) {
        let reply = self
            .alpc_wait
            .known()
            .and_then(Option::as_ref)
            .and_then(AlpcWait::reply);
        self.call = reply.and_then(|reply| calls.told(reply.message.gva()));
    }
}

/// What a thread waits for over ALPC.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case"))]
pub enum AlpcWait {
    /// The reply to a message that it sent.
    Reply(ReplyWait),
    /// A message to receive, in the wait queue of a port.
    Receive {
        /// The port.
        port: PortRef,
    },
    /// A message to receive, at the completion port of ALPC ports.
    Completion {
        /// The completion port: a `_KQUEUE`.
        queue: Addr,
        /// The ALPC ports that report to it, of those that were looked at: all of the system, or the one
        /// whose threads are shown.
        ports: Vec<PortRef>,
    },
}

impl AlpcWait {
    /// The reply that is waited for, if it is one.
    #[must_use]
    pub fn reply(&self) -> Option<&ReplyWait> {
        match self {
            Self::Reply(reply) => Some(reply),
            Self::Receive { .. } | Self::Completion { .. } => None,
        }
    }
}

/// The reply that a thread waits for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ReplyWait {
    /// The message it sent.
    pub message: Addr,
    /// Whether it waits at its own semaphore for replies, or at nothing that contradicts it, which proves the wait. False
    /// of a thread that was suspended: it waits for the end of that, and only the message says that it waits for a reply.
    pub at_reply_semaphore: Value<bool>,
    /// The port in whose queue the message is.
    pub queue_port: Value<Option<PortRef>>,
    /// The process that owns that port.
    pub owner_process: Value<Option<ProcessRef>>,
}

/// Reads a thread. Of its waits over ALPC those for a reply are told; for those of receivers see
/// [`Receivers::thread`](crate::port::receiver::Receivers::thread).
#[must_use]
pub fn thread(kernel: &Kernel<'_>, address: Gva) -> ThreadRecord {
    let thread = kernel.at(address);
    let there = expect(kernel, Expected::Thread, address);
    let control = there.clone().and_then(|()| thread.embedded(Thread::Tcb));
    let id = |member| {
        there
            .clone()
            .and_then(|()| thread.embedded(Thread::Cid)?.uint(member))
            .into()
    };
    let pointer = |member| {
        Value::from(
            control
                .clone()
                .and_then(|at| at.pointer(member))
                .map(|gva| kernel.addr(gva)),
        )
    };
    let number = |member| control.clone().and_then(|at| at.u32(member)).into();
    let flag = |member| control.clone().and_then(|at| at.flag(member)).into();
    ThreadRecord {
        address: kernel.addr(address),
        process_id: id(ClientId::UniqueProcess),
        thread_id: id(ClientId::UniqueThread),
        process: there.clone().and_then(|()| process(thread)).into(),
        teb: pointer(ThreadControl::Teb),
        win32_thread: pointer(ThreadControl::Win32Thread),
        state: there.clone().and_then(|()| state(thread)).into(),
        processor: control
            .clone()
            .and_then(|at| at.u32(ThreadControl::NextProcessor))
            .map(processor_number)
            .into(),
        wait_reason: there.clone().and_then(|()| wait_reason(thread)).into(),
        user_mode_wait: flag(ThreadControl::WaitMode),
        alertable: flag(ThreadControl::Alertable),
        // Freezing is what a debugger does to all threads of the process that it stops. A published thread of
        // Windows 10 has both: "SuspendCount 1", "FreezeCount 1".
        suspend_count: number(ThreadControl::SuspendCount),
        freeze_count: number(ThreadControl::FreezeCount),
        wait_objects: there.clone().and_then(|()| wait_objects(thread)).into(),
        alpc_wait: there
            .and_then(|()| reply_wait(thread))
            .map(|reply| reply.map(AlpcWait::Reply))
            .into(),
        idle: roots::of(kernel).is_idle_thread(address),
        found_by: None,
        stack: None,
        call: None,
        details: None,
    }
}

/// Newer kernels keep a flag (`SharedReadyQueue`) in the top bit of `NextProcessor`.
fn processor_number(next_processor: u32) -> u32 {
    next_processor & 0x7fff_ffff
}

fn process(thread: At<'_, '_>) -> Read<Option<ProcessRef>> {
    // The process that it belongs to. While it is attached to another (KeStackAttachProcess), its address space is
    // that one's, and the debugger has a line for each: "Owning Process", "Attached Process".
    let process = thread.embedded(Thread::Tcb)?.pointer(ThreadControl::Process)?;
    Ok((process.u64() != 0).then(|| ProcessRef::at(thread.kernel(), process)))
}

/// The reply that a thread waits for; none when it does not.
///
/// `_ETHREAD.AlpcMessageId` holds the address of the message that the thread sent, but nothing clears it when the reply
/// arrives, and messages are used again. So it is believed only when the message names this thread as the waiting one,
/// and the thread waits at its own semaphore for replies. One that was suspended waits for the end of that instead:
/// then the message alone says so, and the wait is inferred.
///
/// # Errors
/// When the thread is not in the dump, or the message that it waits for, by all that the thread says of itself, is not,
/// or something else is in its place: then nothing can confirm the wait.
pub fn reply_wait(thread: At<'_, '_>) -> Read<Option<ReplyWait>> {
    let kernel = thread.kernel();
    // An address, in spite of its name: in LPC it was an id, and debuggers of Windows Server 2003 print
    // "Waiting for reply to LPC MessageId 00037bb2" where they print "ALPC Message fffff8800f4cc950" since.
    let message = thread.pointer(Thread::AlpcMessageId)?;
    if !state(thread)?.is_waiting() {
        return Ok(None);
    }
    let place = place(thread)?;
    if !kernel.is_kernel_address(message) {
        return match place {
            Place::ReplySemaphore if wait_reason(thread)? == WaitReason::WR_LPC_REPLY => {
                Err(marks::not_there(kernel, Expected::Message, message))
            }
            _ => Ok(None),
        };
    }
    let proof = match place {
        Place::Elsewhere => return Ok(None),
        Place::ReplySemaphore | Place::Unnamed => Value::Known(true),
        Place::Suspended => Value::Known(false),
        Place::Hidden(hole) => Value::Missing(Box::new(hole)),
    };
    // Messages are in paged pool, ports in nonpaged (by their addresses: fffff8800f4cc950 and fffffa8017dbb060 in
    // the published case). So a dump that holds thread and port may lack the very message.
    expect(kernel, Expected::Message, message)?;
    let waiting = kernel.at(message).pointer(Message::WaitingThread)?;
    Ok((waiting == thread.address()).then(|| wait_for(kernel, message, proof)))
}

/// Where a thread waits, as far as that tells whether it waits for a reply.
enum Place {
    /// At its own semaphore for replies.
    ReplySemaphore,
    /// It names nothing that it waits at, and gives the reason of those who wait for a reply.
    Unnamed,
    /// At something else: then it waits for no reply, whatever a message says.
    Elsewhere,
    /// At what it was suspended with, in place of what it waited at before.
    Suspended,
    /// It cannot be determined.
    Hidden(Unreadable),
}

/// Where a waiting thread waits. Both who waits for a reply and who waits for a message to receive does so at the
/// semaphore; only the reason tells them apart.
fn place(thread: At<'_, '_>) -> Read<Place> {
    let reason = wait_reason(thread)?;
    let objects = match wait_objects(thread) {
        Ok(objects) => objects,
        Err(hole) if reason == WaitReason::WR_LPC_REPLY => return Ok(Place::Hidden(hole)),
        Err(_) => Vec::new(),
    };
    if !objects.is_empty() {
        // In the published case of a Vista server the thread fffffa801afae6f0 waits at fffffa801afaea80,
        // "Semaphore Limit 0x1": 390 into itself.
        let semaphore = thread.address_of(Thread::AlpcWaitSemaphore)?;
        if objects.iter().any(|object| object.address.gva() == semaphore) {
            return Ok(if reason == WaitReason::WR_LPC_RECEIVE {
                Place::Elsewhere
            } else {
                Place::ReplySemaphore
            });
        }
    }
    // A wait block that was overwritten leads to nothing that anybody could wait for.
    let overwritten = objects.iter().find_map(|object| object.kind.reason());
    if let (WaitReason::WR_LPC_REPLY, Some(hole)) = (reason, overwritten) {
        return Ok(Place::Hidden(hole.clone()));
    }
    Ok(match reason {
        // The debugger prints its ALPC line of such a thread too: a published one of Windows 10 has "WAIT:
        // (Suspended)", a NotificationEvent to wait at, and "Waiting for reply to ALPC Message" below.
        WaitReason::SUSPENDED | WaitReason::WR_SUSPENDED => Place::Suspended,
        WaitReason::WR_LPC_REPLY if objects.is_empty() => Place::Unnamed,
        _ => Place::Elsewhere,
    })
}

fn wait_for(kernel: &Kernel<'_>, message: Gva, proof: Value<bool>) -> ReplyWait {
    // Null for a message that is in no queue: between two, or a reply that was handed straight to its thread.
    let port = kernel.at(message).pointer(Message::PortQueue).and_then(|port| {
        if port.u64() != 0 {
            port::expect(kernel, port)?;
        }
        Ok(port)
    });
    let owner = port.clone().and_then(|port| {
        if port.u64() == 0 {
            return Ok(None);
        }
        let (owner, _) = port::owner_process(kernel.at(port))?;
        Ok((owner.u64() != 0).then(|| ProcessRef::at(kernel, owner)))
    });
    ReplyWait {
        message: kernel.addr(message),
        at_reply_semaphore: proof,
        queue_port: port
            .map(|port| (port.u64() != 0).then(|| PortRef::at(kernel, port)))
            .into(),
        owner_process: owner.into(),
    }
}

/// The threads that wait directly at a port, in its wait queue.
///
/// # Errors
/// When this kernel does not have the members.
pub fn threads_waiting_at(port: At<'_, '_>) -> Read<List> {
    // When a thread is handed a message its entry is taken out and its Flink set to zero; AlpcMessage, a mask
    // of attributes until then, becomes the message (published reverse engineering).
    let entry = port.kernel().offset(Thread::AlpcWaitListEntry)?;
    Ok(list::walk(port.kernel(), port.address_of(Port::WaitQueue)?).containers(entry))
}
