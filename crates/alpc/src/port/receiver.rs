//! The threads that wait for ALPC messages to receive, and where.

use std::collections::HashMap;
use std::convert::Infallible;

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::PortRef;
use crate::port::enumerate;
use crate::port::waiter::{self, AlpcWait, ThreadRecord};
use ntkernel::image::contract::{Port, Process, Thread, ThreadControl};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Unreadable, Value};
use ntkernel::process::roots::{FoundBy, Members};
use ntkernel::process::thread::{self, WaitReason};
use ntkernel::process::thread_details;
use ntkernel::process::{self, ProcessRef};
use ntkernel::why;

/// Threads after which a walk over several lists gives up; far more than any live system has. Each list is
/// bounded as well, but in a hostile dump every one of them may lead through all threads.
const CAP: usize = 1 << 20;

/// Which port each receiving thread waits at.
///
/// Nothing in a thread names the port, so all ports are looked at once: their wait queues, and the
/// completion ports that they report to.
#[derive(Clone, Debug, Default)]
pub struct Receivers {
    /// The port in whose wait queue a thread is.
    waiting: HashMap<Gva, Gva>,
    /// The ports that report to a completion port.
    completion: HashMap<Gva, Vec<Gva>>,
    /// Why threads or ports may be missing.
    gap: Option<Unreadable>,
}

impl Receivers {
    /// The receivers of all ports of the system.
    #[must_use]
    pub fn of_system(kernel: &Kernel<'_>) -> Self {
        let ports = enumerate::ports(kernel);
        Self::of_ports(kernel, &ports.ports, ports.complete.get().copied())
    }

    /// The receivers of some ports; `complete` says why there may be more ports.
    #[must_use]
    pub fn of_ports(kernel: &Kernel<'_>, ports: &[Gva], complete: Read<()>) -> Self {
        let mut receivers = Self {
            gap: complete.err(),
            ..Self::default()
        };
        let mut met: usize = 0;
        for &port in ports {
            let threads = if met < CAP {
                receivers.add(kernel.at(port))
            } else {
                Err(too_many())
            };
            match threads {
                Ok(threads) => met = met.saturating_add(threads),
                Err(hole) => {
                    receivers.gap.get_or_insert(hole);
                }
            }
        }
        receivers
    }

    /// Adds the receivers of a port, and tells how many threads were in its list.
    fn add(&mut self, port: At<'_, '_>) -> Read<usize> {
        // Which of both it is the debugger says in two ways: `2 thread(s) are waiting on the port:` without
        // one, `... are registered with port IO completion object:` with one (published Windows 10 views).
        let completion_port = port.pointer(Port::CompletionPort)?;
        // What the port calls CompletionPort is the kernel's _KQUEUE, the object behind an I/O completion port.
        if completion_port.u64() != 0 {
            let ports = self.completion.entry(completion_port).or_default();
            ports.push(port.address());
        }
        let threads = waiter::threads_waiting_at(port)?;
        for &thread in &threads.entries {
            self.waiting.insert(thread, port.address());
        }
        if let Err(hole) = threads.complete("the wait queue of a port") {
            self.gap.get_or_insert(hole);
        }
        Ok(threads.entries.len())
    }

    /// Reads a thread, with its wait if it is a receiver.
    #[must_use]
    pub fn thread(&self, kernel: &Kernel<'_>, address: Gva) -> ThreadRecord {
        let mut record = waiter::thread(kernel, address);
        if let Value::Known(None) = record.alpc_wait {
            record.alpc_wait = self.wait(kernel.at(address)).into();
        }
        record
    }

    /// Reads a thread with all that is known of it.
    #[must_use]
    pub fn thread_in_full(&self, kernel: &Kernel<'_>, address: Gva) -> ThreadRecord {
        ThreadRecord {
            details: Some(thread_details::details(kernel.at(address))),
            ..self.thread(kernel, address)
        }
    }

    /// Where a thread waits to receive; none when it does not.
    ///
    /// A server thread stays registered with its completion port while it serves a message: only one that
    /// waits at a queue, and whose queue ALPC ports report to, is a receiver.
    fn wait(&self, thread: At<'_, '_>) -> Read<Option<AlpcWait>> {
        let kernel = thread.kernel();
        // A thread that runs or is ready serves: both lists keep it, its state tells.
        if !thread::state(thread)?.is_waiting() {
            return Ok(None);
        }
        // A mask of attributes stands where the message will (one union in _ETHREAD), and only the link into the
        // port's list tells which of both it is: so the list is asked, not the thread.
        if let Some(&port) = self.waiting.get(&thread.address()) {
            let port = PortRef::at(kernel, port);
            return Ok(Some(AlpcWait::Receive { port }));
        }
        match thread::wait_reason(thread)? {
            // Threads that call NtAlpcSendWaitReceivePort themselves. RPC servers do not: they wait for work at
            // a completion port, with WrQueue, like any other pool of threads.
            WaitReason::WR_LPC_RECEIVE => self.nothing_found(),
            WaitReason::WR_QUEUE => self.completion_wait(thread),
            _ => Ok(None),
        }
    }

    fn completion_wait(&self, thread: At<'_, '_>) -> Read<Option<AlpcWait>> {
        let kernel = thread.kernel();
        // It stays set while the thread works on what it took, so that the state above has to say that it
        // waits.
        let queue = thread.embedded(Thread::Tcb)?.pointer(ThreadControl::Queue)?;
        match self.completion.get(&queue) {
            Some(ports) => Ok(Some(AlpcWait::Completion {
                queue: kernel.addr(queue),
                ports: ports.iter().map(|&port| PortRef::at(kernel, port)).collect(),
            })),
            None if queue.u64() == 0 => Ok(None),
            None => self.nothing_found(),
        }
    }

    /// Nothing, as far as all ports could be looked at.
    fn nothing_found(&self) -> Read<Option<AlpcWait>> {
        match &self.gap {
            None => Ok(None),
            Some(hole) => Err(hole.clone()),
        }
    }
}

fn too_many() -> Unreadable {
    Unreadable::Walk(why!("gave up after {} threads", CAP))
}

/// A process with its threads.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ProcessThreads {
    /// The process.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub process: ProcessRef,
    /// Its id.
    pub process_id: Value<u64>,
    /// What led to it, where the system's list of processes does not have it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub found_by: Option<FoundBy>,
    /// Its threads, in the order of `_EPROCESS.ThreadListHead`; at the end those that this list lacks.
    pub threads: Vec<ThreadRecord>,
    /// Set when the list of threads could not be followed to its end.
    pub complete: Value<()>,
}

/// All threads of the system.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct SystemThreads {
    /// The processes, in the order of `PsActiveProcessHead`; at the end those that this list lacks.
    pub processes: Vec<ProcessThreads>,
    /// Set when the list of processes could not be followed to its end.
    pub complete: Value<()>,
}

impl SystemThreads {
    /// Leaves only the threads that `keep` wants, and the processes that have any or may have more.
    pub fn retain(&mut self, keep: impl Fn(&ThreadRecord) -> bool) {
        self.processes.retain_mut(|process| process.retain(&keep));
    }
}

impl ProcessThreads {
    /// Leaves only the threads that `keep` wants. Whether it has any, or may have more.
    pub fn retain(&mut self, keep: impl Fn(&ThreadRecord) -> bool) -> bool {
        self.threads.retain(keep);
        !self.threads.is_empty() || self.complete.reason().is_some()
    }
}

/// Reads all threads of the system.
#[must_use]
pub fn system_threads(kernel: &Kernel<'_>) -> SystemThreads {
    let mut processes = Vec::new();
    let Ok(complete) = each_process(kernel, |process| {
        processes.push(process);
        Ok::<(), Infallible>(())
    });
    SystemThreads { processes, complete }
}

/// Gives each process with its threads to `visit`, and says whether these were all.
///
/// # Errors
/// The first that `visit` gives; no more processes are read then.
pub fn each_process<E>(
    kernel: &Kernel<'_>,
    mut visit: impl FnMut(ProcessThreads) -> Result<(), E>,
) -> Result<Value<()>, E> {
    let receivers = Receivers::of_system(kernel);
    let list = process::processes(kernel);
    let complete = list
        .clone()
        .and_then(|list| list.complete("the list of processes"))
        .into();
    let mut met: usize = 0;
    let list = list.ok();
    for &address in list.iter().flat_map(|list| &list.entries) {
        let process = kernel.at(address);
        let threads = if met < CAP {
            thread::threads_of(process)
        } else {
            Err(too_many())
        };
        let process = ProcessThreads {
            found_by: list.as_ref().and_then(|list| list.found_by(address)),
            ..process_threads(process, threads, &receivers)
        };
        met = met.saturating_add(process.threads.len());
        visit(process)?;
    }
    Ok(complete)
}

/// Reads a process and its threads.
#[must_use]
pub fn threads_of(process: At<'_, '_>, receivers: &Receivers) -> ProcessThreads {
    process_threads(process, thread::threads_of(process), receivers)
}

fn process_threads(process: At<'_, '_>, threads: Read<Members>, receivers: &Receivers) -> ProcessThreads {
    let kernel = process.kernel();
    let complete = threads
        .clone()
        .and_then(|list| list.complete("the list of the process's threads"))
        .into();
    let threads = threads.ok();
    let entries = threads.iter().flat_map(|list| &list.entries);
    ProcessThreads {
        process: ProcessRef::at(kernel, process.address()),
        process_id: process.uint(Process::UniqueProcessId).into(),
        found_by: None,
        threads: entries
            .map(|&address| ThreadRecord {
                found_by: threads.as_ref().and_then(|list| list.found_by(address)),
                ..receivers.thread(kernel, address)
            })
            .collect(),
        complete,
    }
}
