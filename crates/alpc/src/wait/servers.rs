//! The threads that serve a port, by what they are doing.

use std::collections::BTreeSet;

use kdump::Gva;
use ntkernel::image::contract::{Port, Queue};
use ntkernel::image::expected::Expected;
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::Value;
use ntkernel::object::marks::expect;
use ntkernel::process::thread::{self, WaitReason};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::port_record::ServedBy;
use crate::port::waiter::{self, ThreadRecord};

/// What a server thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum ServerState {
    /// It waits for the next message.
    Idle,
    /// It waits for something else.
    Blocked,
    /// It runs, or will as soon as a processor is free.
    Running,
    /// It was suspended.
    Suspended,
    /// It has ended.
    Terminated,
    /// What it does cannot be read.
    Unreadable,
}

/// The threads that serve a port, counted by what they are doing.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ServerCounts {
    /// How they wait for messages.
    pub served_by: ServedBy,
    /// Those that wait for the next message.
    pub idle: usize,
    /// Those that wait for something else.
    pub blocked: usize,
    /// Those that run or are ready to.
    pub running: usize,
    /// Those that were suspended.
    pub suspended: usize,
    /// Those that have ended.
    pub terminated: usize,
    /// Those that cannot be read.
    // `unreadable` beside other members holds the reasons of those that are missing.
    #[cfg_attr(feature = "serde", serde(rename = "unread"))]
    pub unreadable: usize,
    /// Threads that the completion port lets run at this moment: `_KQUEUE.CurrentCount`.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub current_count: Option<Value<u32>>,
    /// Threads that it lets run at a time: `_KQUEUE.MaximumCount`.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub maximum_count: Option<Value<u32>>,
    /// Set when the list of them could not be followed to its end.
    pub complete: Value<()>,
}

impl ServerCounts {
    fn none(served_by: ServedBy) -> Self {
        Self {
            served_by,
            idle: 0,
            blocked: 0,
            running: 0,
            suspended: 0,
            terminated: 0,
            unreadable: 0,
            current_count: None,
            maximum_count: None,
            complete: Value::Known(()),
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        [
            self.idle,
            self.blocked,
            self.running,
            self.suspended,
            self.terminated,
            self.unreadable,
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// Whether the completion port keeps idle threads back, for as many as it lets run do so already.
    #[must_use]
    pub fn at_limit(&self) -> bool {
        let known = |count: &Option<Value<u32>>| count.as_ref().and_then(|count| count.known().copied());
        match (known(&self.current_count), known(&self.maximum_count)) {
            // A thread counts from when it took work until it waits in the kernel, and then another one is let
            // through (Windows Internals, "I/O completion ports"). One that spins or runs in user mode for ever
            // keeps its place.
            (Some(current), Some(maximum)) => maximum > 0 && current >= maximum,
            _ => false,
        }
    }

    /// Whether threads serve the port and every one of them waits for something else.
    #[must_use]
    pub fn all_blocked(&self) -> bool {
        self.complete.known().is_some()
            && self.blocked > 0
            && self.blocked.saturating_add(self.terminated) == self.total()
    }

    fn add(&mut self, state: ServerState) {
        let count = match state {
            ServerState::Idle => &mut self.idle,
            ServerState::Blocked => &mut self.blocked,
            ServerState::Running => &mut self.running,
            ServerState::Suspended => &mut self.suspended,
            ServerState::Terminated => &mut self.terminated,
            ServerState::Unreadable => &mut self.unreadable,
        };
        *count = count.saturating_add(1);
    }
}

/// The servers of a port, or of all ports of a completion port.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    pub(crate) counts: ServerCounts,
    /// Those that wait for something else.
    pub(crate) blocked: Vec<Gva>,
}

impl Servers {
    fn none(served_by: ServedBy) -> Self {
        Self {
            counts: ServerCounts::none(served_by),
            blocked: Vec::new(),
        }
    }

    fn add(&mut self, thread: Gva, state: ServerState) {
        self.counts.add(state);
        if state == ServerState::Blocked {
            self.blocked.push(thread);
        }
    }
}

/// The completion port that a port reports to; none when threads wait in its own queue.
pub(crate) fn completion_port(port: At<'_, '_>) -> Read<Option<Gva>> {
    let queue = port.pointer(Port::CompletionPort)?;
    Ok((queue.u64() != 0).then_some(queue))
}

/// The threads that are registered with a completion port; `record` reads a thread.
pub(crate) fn of_completion_port(
    kernel: &Kernel<'_>,
    queue: Gva,
    mut record: impl FnMut(Gva) -> Read<ServerState>,
) -> Read<Servers> {
    expect(kernel, Expected::CompletionPort, queue)?;
    let at = kernel.at(queue);
    // Threads stay in this list while they work on what they took: the debugger says that they are "registered
    // with port IO completion object", not that they wait (published Windows 10 views).
    let list = thread::threads_of_queue(at)?;
    let mut servers = Servers::none(ServedBy::CompletionPort);
    for &thread in &list.entries {
        servers.add(thread, record(thread).unwrap_or(ServerState::Unreadable));
    }
    // There may be more for a moment than the port lets run: a thread that waited and goes on is not held back
    // (Microsoft Learn, "I/O Completion Ports").
    servers.counts.current_count = Some(at.u32(Queue::CurrentCount).into());
    // Given when the port was made; who gives 0 gets as many as there are processors (CreateIoCompletionPort).
    servers.counts.maximum_count = Some(at.u32(Queue::MaximumCount).into());
    servers.counts.complete = list.complete("the list of the completion port's threads").into();
    Ok(servers)
}

/// The threads in a port's wait queue, and those that serve its pending messages.
pub(crate) fn of_wait_queue(
    port: At<'_, '_>,
    serving: &BTreeSet<Gva>,
    mut state: impl FnMut(Gva) -> Read<ServerState>,
) -> Read<Servers> {
    let list = waiter::threads_waiting_at(port)?;
    let mut servers = Servers::none(ServedBy::WaitQueue);
    for &thread in &list.entries {
        let state = match state(thread) {
            // In the wait queue, whatever the thread gives as its reason.
            Ok(ServerState::Blocked) => ServerState::Idle,
            Ok(state) => state,
            Err(_) => ServerState::Unreadable,
        };
        servers.add(thread, state);
    }
    let waiting: BTreeSet<Gva> = list.entries.iter().copied().collect();
    // A thread is out of the wait queue while it works on a message, so the queue alone would say that a busy
    // server has no threads; those whose messages name them as ServerThread are its own too.
    for &thread in serving.difference(&waiting) {
        servers.add(thread, state(thread).unwrap_or(ServerState::Unreadable));
    }
    servers.counts.complete = list.complete("the port's wait queue").into();
    Ok(servers)
}

/// What a thread that serves ports is doing. One that waits at a queue of work or at
/// a port waits for the next message.
pub(crate) fn state(record: &ThreadRecord) -> Read<ServerState> {
    const TERMINATED: u8 = 4;
    let state = record.state.get()?;
    if state.0 == TERMINATED {
        return Ok(ServerState::Terminated);
    }
    if !state.is_waiting() {
        // In transition, at a gate, or in a process that is swapped out: it neither runs nor waits as usual.
        let blocked = matches!(state.0, 6 | 8 | 9);
        return Ok(if blocked {
            ServerState::Blocked
        } else {
            ServerState::Running
        });
    }
    if record.suspend_count.known().is_some_and(|&count| count > 0) {
        return Ok(ServerState::Suspended);
    }
    let reason = *record.wait_reason.get()?;
    // WrLpcReceive is of threads at the port itself, WrQueue of those at a completion port: neither says whose
    // work comes.
    let waits_for_work = [WaitReason::WR_QUEUE, WaitReason::WR_LPC_RECEIVE].contains(&reason);
    Ok(if waits_for_work {
        ServerState::Idle
    } else {
        ServerState::Blocked
    })
}
