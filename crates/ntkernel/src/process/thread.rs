//! Threads: what state they are in, what they wait for, and the ALPC message that they wait for.

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::image::contract::{
    DispatcherHeader, Mutant, Process, Queue, Semaphore, Thread, ThreadControl, WaitBlock,
};
use crate::image::expected::Expected;
use crate::image::kernel::{At, Kernel, Read, offset};
use crate::image::list::{self, List};
use crate::image::schema::schema_as_text;
use crate::image::value::{Addr, Unreadable, Value};
use crate::object::dispatcher::WaitObjectKind;
use crate::object::marks::expect;
pub use crate::object::marks::{is_certainly_thread, is_thread};
use crate::process::roots::{self, Members};
use crate::why;

/// `_KTHREAD_STATE` of a thread that waits.
const WAITING: u8 = 5;

/// Objects that one thread can wait for at once: `MAXIMUM_WAIT_OBJECTS`.
const MAX_WAIT_OBJECTS: u64 = 64;

/// What a thread is doing: `_KTHREAD_STATE`, which some kernels' symbols lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadState(pub u8);

impl ThreadState {
    /// The kernel's name for the state; none for a number without one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        const NAMES: [&str; 10] = [
            "Initialized",
            "Ready",
            "Running",
            "Standby",
            "Terminated",
            "Waiting",
            "Transition",
            "DeferredReady",
            // Gates had a state of their own in Vista and Windows 7; later kernels wait for them as for
            // anything else. Windows 7's symbols lack the enumeration, and its numbers never moved.
            "GateWait",
            "WaitingForProcessInSwap",
        ];
        NAMES.get(usize::from(self.0)).copied()
    }

    /// Whether the thread waits for something.
    #[must_use]
    pub fn is_waiting(self) -> bool {
        self.0 == WAITING
    }
}

#[cfg(feature = "serde")]
impl Serialize for ThreadState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => serializer.serialize_str(name),
            None => serializer.collect_str(&format_args!("0x{:02X}", self.0)),
        }
    }
}

schema_as_text!(
    ThreadState,
    "The name of a _KTHREAD_STATE, as Waiting; 0xNN for a number without one."
);

/// Why a thread waits: `_KWAIT_REASON`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitReason(pub u8);

impl WaitReason {
    /// For something of the executive: which reason a driver gives is its own affair.
    pub const EXECUTIVE: Self = Self(0);
    /// For a page to be read.
    pub const PAGE_IN: Self = Self(2);
    /// For time to pass.
    pub const DELAY_EXECUTION: Self = Self(4);
    /// Suspended in kernel mode.
    pub const SUSPENDED: Self = Self(5);
    /// For what a program of user mode waits for.
    pub const USER_REQUEST: Self = Self(6);
    /// As [`EXECUTIVE`](Self::EXECUTIVE), given by the kernel for a user.
    pub const WR_EXECUTIVE: Self = Self(7);
    /// For a page to be read.
    pub const WR_PAGE_IN: Self = Self(9);
    /// For time to pass.
    pub const WR_DELAY_EXECUTION: Self = Self(11);
    /// Suspended in user mode.
    pub const WR_SUSPENDED: Self = Self(12);
    /// For input, in the window manager.
    pub const WR_USER_REQUEST: Self = Self(13);
    /// At a queue of work, such as a completion port.
    pub const WR_QUEUE: Self = Self(15);
    /// For an ALPC message to receive. There are no reasons of their own for ALPC.
    pub const WR_LPC_RECEIVE: Self = Self(16);
    /// For an ALPC reply.
    pub const WR_LPC_REPLY: Self = Self(17);
    /// At a keyed event: a lock of user mode, up to Windows 7.
    pub const WR_KEYED_EVENT: Self = Self(21);
    /// For an executive resource.
    pub const WR_RESOURCE: Self = Self(27);
    /// For a push lock.
    pub const WR_PUSH_LOCK: Self = Self(28);
    /// For a fast mutex.
    pub const WR_FAST_MUTEX: Self = Self(34);
    /// For a guarded mutex.
    pub const WR_GUARDED_MUTEX: Self = Self(35);
    /// For another thread to wake it by its id: a lock of user mode, from Windows 8 on.
    pub const WR_ALERT_BY_THREAD_ID: Self = Self(37);
    /// For a page of physical memory.
    pub const WR_PHYSICAL_FAULT: Self = Self(39);

    /// The kernel's name for the reason; none for a number without one. Number 14 is `WrEventPair` up to
    /// Windows 7 and spare after it; the rest never moved.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        const NAMES: [&str; 43] = [
            "Executive",
            "FreePage",
            "PageIn",
            "PoolAllocation",
            "DelayExecution",
            "Suspended",
            "UserRequest",
            "WrExecutive",
            "WrFreePage",
            "WrPageIn",
            "WrPoolAllocation",
            "WrDelayExecution",
            "WrSuspended",
            "WrUserRequest",
            "WrEventPair",
            "WrQueue",
            // There are no "WrAlpc" reasons: the two of LPC serve ALPC since Vista, in every kernel.
            "WrLpcReceive",
            "WrLpcReply",
            "WrVirtualMemory",
            "WrPageOut",
            "WrRendezvous",
            "WrKeyedEvent",
            "WrTerminated",
            "WrProcessInSwap",
            "WrCpuRateControl",
            "WrCalloutStack",
            "WrKernel",
            "WrResource",
            "WrPushLock",
            "WrMutex",
            "WrQuantumEnd",
            "WrDispatchInt",
            "WrPreempted",
            "WrYieldExecution",
            "WrFastMutex",
            "WrGuardedMutex",
            "WrRundown",
            // Windows 7 ends before this one. Later releases added behind it: this with 8, WrPhysicalFault and
            // WrIoRing by 11. What stands before kept its number (enumerations of 213 kernels).
            "WrAlertByThreadId",
            "WrDeferredPreempt",
            "WrPhysicalFault",
            "WrIoRing",
            "WrMdlCache",
            "WrRcu",
        ];
        NAMES.get(usize::from(self.0)).copied()
    }
}

#[cfg(feature = "serde")]
impl Serialize for WaitReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => serializer.serialize_str(name),
            None => serializer.collect_str(&format_args!("0x{:02X}", self.0)),
        }
    }
}

schema_as_text!(
    WaitReason,
    "The name of a _KWAIT_REASON, as WrLpcReply; 0xNN for a number without one."
);

/// Something a thread waits for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct WaitObject {
    /// Its address.
    pub address: Addr,
    /// What it is.
    pub kind: Value<WaitObjectKind>,
    /// The most a semaphore counts to.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub limit: Option<Value<u32>>,
    /// The thread that owns a mutant.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub owner: Option<Value<Addr>>,
}

/// What a thread is doing.
///
/// # Errors
/// When the thread is not in the dump.
#[allow(clippy::cast_possible_truncation, reason = "the member has one byte")]
pub fn state(thread: At<'_, '_>) -> Read<ThreadState> {
    Ok(ThreadState(
        thread.embedded(Thread::Tcb)?.uint(ThreadControl::State)? as u8,
    ))
}

/// Why a thread waits.
///
/// # Errors
/// When the thread is not in the dump.
#[allow(clippy::cast_possible_truncation, reason = "the member has one byte")]
pub fn wait_reason(thread: At<'_, '_>) -> Read<WaitReason> {
    Ok(WaitReason(
        thread.embedded(Thread::Tcb)?.uint(ThreadControl::WaitReason)? as u8,
    ))
}

/// The objects that a waiting thread waits for; none when it does not wait.
///
/// # Errors
/// When the thread or one of its wait blocks is not in the dump.
pub fn wait_objects(thread: At<'_, '_>) -> Read<Vec<WaitObject>> {
    let kernel = thread.kernel();
    let blocks = wait_blocks(thread)?.into_iter();
    blocks
        .map(|block| Ok(wait_object(kernel, kernel.at(block).pointer(WaitBlock::Object)?)))
        .collect()
}

/// The wait blocks of a waiting thread, one for each object; none when it does not wait.
///
/// # Errors
/// When the thread, or a block that leads to the next one, is not in the dump.
pub fn wait_blocks(thread: At<'_, '_>) -> Read<Vec<Gva>> {
    if !state(thread)?.is_waiting() {
        return Ok(Vec::new());
    }
    let control = thread.embedded(Thread::Tcb)?;
    let first = control.pointer(ThreadControl::WaitBlockList)?;
    if first.u64() == 0 {
        return Ok(Vec::new());
    }
    // Neither the list nor the blocks are cleared when a wait ends: those of a thread that runs show its last wait, and
    // look alive. The state above decides, not the list.
    if control.kernel().has(WaitBlock::NextWaitBlock) {
        chained_wait_blocks(control, first)
    } else {
        counted_wait_blocks(control, first)
    }
}

/// The object that a wait block is for.
///
/// # Errors
/// When the block is not in the dump.
pub fn object_of_block(kernel: &Kernel<'_>, block: Gva) -> Read<Gva> {
    kernel.at(block).pointer(WaitBlock::Object)
}

/// Up to Windows 7 the blocks of a wait are a ring.
fn chained_wait_blocks(control: At<'_, '_>, first: Gva) -> Read<Vec<Gva>> {
    let kernel = control.kernel();
    let mut blocks = Vec::new();
    let mut block = first;
    for _ in 0..MAX_WAIT_OBJECTS {
        blocks.push(block);
        block = kernel.at(block).pointer(WaitBlock::NextWaitBlock)?;
        if block == first || block.u64() == 0 {
            return Ok(blocks);
        }
    }
    let at = kernel.addr(first);
    Err(Unreadable::Walk(why!(
        "the wait blocks at {} do not come back to the first",
        at
    )))
}

/// From Windows 8 on they are an array.
fn counted_wait_blocks(control: At<'_, '_>, first: Gva) -> Read<Vec<Gva>> {
    let count = control.uint(ThreadControl::WaitBlockCount)?.min(MAX_WAIT_OBJECTS);
    let size = control.kernel().size_of::<WaitBlock>()?;
    Ok((0..count)
        .map(|index| offset(first, index.saturating_mul(size)))
        .collect())
}

#[allow(clippy::cast_possible_truncation, reason = "the member has one byte")]
fn wait_object(kernel: &Kernel<'_>, address: Gva) -> WaitObject {
    let object = kernel.at(address);
    let kind = expect(kernel, Expected::WaitObject, address)
        .and_then(|()| object.uint(DispatcherHeader::Type))
        // The highest bit of the type byte is a lock (`KOBJECT_LOCK_BIT`) that the kernel takes while it works at the
        // object. A crash can come just then.
        .map(|kind| WaitObjectKind(kind as u8 & 0x7f));
    let is = |wanted| matches!(kind, Ok(kind) if kind == wanted);
    WaitObject {
        address: kernel.addr(address),
        limit: is(WaitObjectKind::SEMAPHORE).then(|| object.u32(Semaphore::Limit).into()),
        owner: is(WaitObjectKind::MUTANT).then(|| object.addr(Mutant::OwnerThread)),
        kind: kind.into(),
    }
}

/// The threads of a process, in the order of `_EPROCESS.ThreadListHead`; at the end those that are known without it.
///
/// # Errors
/// When this kernel does not have the members, and nothing else leads to any thread of the process.
pub fn threads_of(process: At<'_, '_>) -> Read<Members> {
    let kernel = process.kernel();
    roots::of(kernel).threads_of(kernel, process.address(), listed(process))
}

fn listed(process: At<'_, '_>) -> Read<List> {
    let kernel = process.kernel();
    let entry = kernel.offset(Thread::ThreadListEntry)?;
    Ok(list::walk(kernel, process.address_of(Process::ThreadListHead)?).containers(entry))
}

/// The threads that are registered with a completion port, a `_KQUEUE`.
///
/// # Errors
/// When this kernel does not have the members.
pub fn threads_of_queue(queue: At<'_, '_>) -> Read<List> {
    // Registered with the port, not waiting at it: a thread stays in this list while it works on what it took,
    // until it waits at another port or ends (Windows Internals, "I/O completion ports"). `!alpc` counts them
    // in the same way.
    let kernel = queue.kernel();
    let entry = kernel
        .offset(Thread::Tcb)?
        .saturating_add(kernel.offset(ThreadControl::QueueListEntry)?);
    Ok(list::walk(kernel, queue.address_of(Queue::ThreadListHead)?).containers(entry))
}
