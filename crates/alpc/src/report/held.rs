//! Locks of the executive: who holds each, and who waits for it.
//!
//! Executive resources stand in one list of the system (`nt!ExpSystemResourcesList`), which the debugger's `!locks` walks.
//! Push locks and fast mutexes stand in none: those are here that a thread waits for. What
//! tells the owners of each stands at the module `wait::locks`.

use std::collections::BTreeMap;

use kdump::{Gva, TimeSpan};
use ntkernel::image::kernel::Kernel;
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::process::ProcessRef;
use ntkernel::process::clock::Clock;
use ntkernel::process::thread::is_certainly_thread;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::certainty::Certainty;
use crate::port::waiter;
use crate::wait;
use crate::wait::edge::EdgeKind;
use crate::wait::graph::Graph;
use crate::wait::locks::{self, Owner};
use crate::wait::node::{LockKind, Node};

/// A thread that holds a lock or waits for it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct LockThread {
    /// Its `_ETHREAD`.
    pub thread: Addr,
    /// Its process's id.
    pub process_id: Value<u64>,
    /// Its id.
    pub thread_id: Value<u64>,
    /// Its process.
    pub process: Value<Option<ProcessRef>>,
    /// How long its wait has lasted, in 100 ns; none when it does not wait.
    pub waited: Value<Option<TimeSpan>>,
    /// How sure it is that it holds the lock, or waits for it.
    pub certainty: Certainty,
}

impl LockThread {
    fn at(kernel: &Kernel<'_>, clock: &Value<Clock>, thread: Gva, certainty: Certainty) -> Self {
        let record = waiter::thread(kernel, thread);
        let waited = clock.get().and_then(|clock| clock.waited(kernel.at(thread)));
        Self {
            thread: record.address,
            process_id: record.process_id,
            thread_id: record.thread_id,
            process: record.process,
            waited: waited.map(|waited| waited.map(TimeSpan)).into(),
            certainty,
        }
    }
}

/// A lock that is held, or waited for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct LockRow {
    /// Its address.
    pub address: Addr,
    /// What it is.
    pub lock: LockKind,
    /// Whether one thread owns it alone; none for locks that do not tell, and where that cannot be read.
    pub exclusive: Option<bool>,
    /// The threads that hold it.
    pub owners: Value<Vec<LockThread>>,
    /// What a driver gave it to instead of a thread: pointers of its own.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub owner_pointers: Vec<Addr>,
    /// Why owners are not told.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub unknown: Option<&'static str>,
    /// The threads that wait for it.
    pub waiters: Vec<LockThread>,
}

/// The locks that are held or waited for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Locks {
    /// Those with waiters first, then by address.
    pub locks: Vec<LockRow>,
    /// How many executive resources the system has, held or not.
    pub resources: Value<usize>,
    /// Set when there may be more.
    pub complete: Value<()>,
    /// Threads that wait for a lock that cannot be told, each with why.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub undecided: Vec<UndecidedLock>,
}

/// A thread that waits for a lock that cannot be told.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct UndecidedLock {
    /// The thread.
    pub waiter: LockThread,
    /// Why.
    pub why: String,
}

/// Gathers the locks that are held or waited for.
#[must_use]
pub fn locks(kernel: &Kernel<'_>) -> Locks {
    let graph = wait::waits(kernel);
    let mut rows = waited_for(kernel, &graph);
    let mut gaps: Vec<Value<()>> = graph
        .unread
        .iter()
        .map(|unread| unread.complete.clone())
        .collect();
    let listed = locks::list_of_resources(kernel);
    match &listed {
        Ok(list) => {
            gaps.extend(
                list.complete("the list of executive resources")
                    .err()
                    .map(missing),
            );
            for &resource in &list.entries {
                if !rows.contains_key(&resource) {
                    rows.extend(held(kernel, &graph.clock, resource).map(|row| (resource, row)));
                }
            }
        }
        Err(hole) => gaps.push(missing(hole.clone())),
    }
    let mut rows: Vec<LockRow> = rows.into_values().collect();
    rows.sort_by_key(|row| (row.waiters.is_empty(), row.address.gva()));
    Locks {
        locks: rows,
        resources: listed.map(|list| list.entries.len()).into(),
        complete: gaps.into_iter().next().unwrap_or(Value::Known(())),
        undecided: undecided(kernel, &graph),
    }
}

fn missing(hole: Unreadable) -> Value<()> {
    Value::Missing(Box::new(hole))
}

/// The locks that threads wait for, with what the graph knows of their owners.
fn waited_for(kernel: &Kernel<'_>, graph: &Graph) -> BTreeMap<Gva, LockRow> {
    let mut rows: BTreeMap<Gva, LockRow> = BTreeMap::new();
    for (id, node) in graph.nodes() {
        let Node::Lock(lock) = node else { continue };
        let holders: Vec<LockThread> = graph
            .edges(id)
            .iter()
            .filter(|edge| edge.edge == EdgeKind::HeldBy)
            .filter_map(|edge| Some((graph.thread(edge.to)?.address.gva(), edge.certainty)))
            .map(|(thread, certainty)| LockThread::at(kernel, &graph.clock, thread, certainty))
            .collect();
        let row = LockRow {
            address: lock.address,
            lock: lock.lock,
            exclusive: lock.exclusive,
            owner_pointers: match &lock.owners {
                Value::Known(owners) => owners
                    .iter()
                    .copied()
                    .filter(|owner| is_pointer(*owner))
                    .collect(),
                Value::Missing(_) => Vec::new(),
            },
            owners: lock.owners.clone().map(|_| holders),
            unknown: lock.unknown,
            waiters: Vec::new(),
        };
        rows.insert(lock.address.gva(), row);
    }
    for (id, node) in graph.nodes() {
        let Some(thread) = node.thread() else { continue };
        for edge in graph.edges(id) {
            if edge.edge == EdgeKind::Acquires
                && let Some(Node::Lock(lock)) = graph.node(edge.to)
                && let Some(row) = rows.get_mut(&lock.address.gva())
            {
                let thread = thread.address.gva();
                row.waiters
                    .push(LockThread::at(kernel, &graph.clock, thread, edge.certainty));
            }
        }
    }
    for row in rows.values_mut() {
        // Who has waited longest first, as far as that is known.
        let waited = |waiter: &LockThread| waiter.waited.known().copied().flatten().map(|span| span.0);
        row.waiters
            .sort_by_key(|waiter| std::cmp::Reverse(waited(waiter)));
    }
    rows
}

/// An executive resource that nobody waits for: none when nobody holds it either.
fn held(kernel: &Kernel<'_>, clock: &Value<Clock>, resource: Gva) -> Option<LockRow> {
    let owners = locks::owners(kernel.at(resource));
    if owners.as_ref().is_ok_and(|owners| owners.active == 0) {
        return None;
    }
    let known = owners.as_ref().ok();
    let (pointers, threads): (Vec<Owner>, Vec<Owner>) = known
        .map_or(&[][..], |owners| &owners.owners)
        .iter()
        .partition(|owner| owner.is_pointer());
    let certainty = |thread: Gva| match is_certainly_thread(kernel, thread) {
        true => Certainty::Proven,
        false => Certainty::Unknown,
    };
    let threads = threads
        .into_iter()
        .map(|owner| LockThread::at(kernel, clock, owner.thread, certainty(owner.thread)))
        .collect();
    Some(LockRow {
        address: kernel.addr(resource),
        lock: LockKind::Resource,
        exclusive: known.map(|owners| owners.exclusive),
        owner_pointers: pointers
            .into_iter()
            .map(|owner| kernel.addr(owner.thread))
            .collect(),
        owners: owners.clone().map(|_| threads).into(),
        unknown: None,
        waiters: Vec::new(),
    })
}

/// Whether an owner is a pointer of a driver's: see [`Owner::is_pointer`].
fn is_pointer(owner: Addr) -> bool {
    owner.gva().u64() & locks::OWNER_POINTER != 0
}

/// The threads that wait for a lock that cannot be told.
fn undecided(kernel: &Kernel<'_>, graph: &Graph) -> Vec<UndecidedLock> {
    graph
        .nodes()
        .filter_map(|(id, node)| {
            let thread = node.thread()?;
            let why = thread.lock_unknown.clone()?;
            // The lock of some is told, and its owner is not: that is in its row.
            let has_lock = graph.edges(id).iter().any(|edge| edge.edge == EdgeKind::Acquires);
            (!has_lock).then(|| UndecidedLock {
                waiter: LockThread::at(kernel, &graph.clock, thread.address.gva(), Certainty::Unknown),
                why,
            })
        })
        .collect()
}
