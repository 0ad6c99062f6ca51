//! Sessions of users and services of hosts: how many threads of each wait for replies, and how long.

use std::collections::BTreeMap;

use kdump::{Gva, TimeSpan};
use ntkernel::image::kernel::{Kernel, Read};
use ntkernel::image::value::{Unreadable, Value};
use ntkernel::process::{self, ProcessRecord, ProcessRef};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::receiver;
use crate::wait;
use crate::wait::service::{Service, Services};
use crate::wait::table::WaitTable;

/// Waits for ALPC replies of some threads.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Waiting {
    /// How many threads wait.
    pub waits: u64,
    /// How long the longest has, in 100 ns, of those of which that is known; none where none waits.
    pub longest: Value<Option<TimeSpan>>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            waits: 0,
            longest: Value::Known(None),
        }
    }
}

impl Waiting {
    fn add(&mut self, waited: &Value<Option<TimeSpan>>) {
        let ticks = |span: &Value<Option<TimeSpan>>| span.known().copied().flatten().map(|span| span.0);
        let longer = ticks(waited) > ticks(&self.longest);
        let first_unknown = self.waits == 0 && waited.known().is_none();
        if longer || first_unknown {
            self.longest = waited.clone();
        }
        self.waits = self.waits.saturating_add(1);
    }
}

/// A process with its id.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Member {
    /// The process.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub process: ProcessRef,
    /// Its id.
    pub process_id: Value<u64>,
}

impl Member {
    fn of(record: &ProcessRecord) -> Self {
        Self {
            process: ProcessRef {
                address: record.address,
                image: record.image.clone(),
            },
            process_id: record.process_id.clone(),
        }
    }
}

/// A session.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct SessionRow {
    /// Its number; none for the processes that belong to none.
    pub session: Option<u32>,
    /// Its processes that have not ended, in the order of `PsActiveProcessHead`.
    pub processes: Vec<Member>,
    /// Threads of these that have not ended, as the processes count them; without those that cannot be read.
    pub threads: u64,
    /// Waits of its threads.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub waiting: Waiting,
}

/// The sessions of a system.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Sessions {
    /// By their numbers; the processes of none come first.
    pub sessions: Vec<SessionRow>,
    /// Processes whose session cannot be read.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub unread: Vec<UnreadSession>,
    /// Set when processes may be missing.
    pub complete: Value<()>,
}

/// A process whose session cannot be read.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct UnreadSession {
    /// The process.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub member: Member,
    /// Why.
    pub session: Value<()>,
}

/// The sessions, with what waits in them.
///
/// # Errors
/// When the processes cannot be listed.
pub fn sessions(kernel: &Kernel<'_>) -> Read<Sessions> {
    let all = process::all(kernel)?;
    let waits = waits_by_process(kernel);
    let mut sessions: BTreeMap<Option<u32>, SessionRow> = BTreeMap::new();
    let mut unread = Vec::new();
    let has_ended = |record: &ProcessRecord| record.exit_time.known().is_some_and(Option::is_some);
    for record in all.processes.iter().filter(|record| !has_ended(record)) {
        let session = match &record.session {
            Value::Known(session) => *session,
            Value::Missing(hole) => {
                unread.push(UnreadSession {
                    member: Member::of(record),
                    session: Value::Missing(hole.clone()),
                });
                continue;
            }
        };
        let row = sessions.entry(session).or_insert_with(|| SessionRow {
            session,
            processes: Vec::new(),
            threads: 0,
            waiting: Waiting::default(),
        });
        row.processes.push(Member::of(record));
        let threads = record.active_threads.known().copied().unwrap_or_default();
        row.threads = row.threads.saturating_add(u64::from(threads));
        for waited in waits.get(&record.address.gva()).into_iter().flatten() {
            row.waiting.add(waited);
        }
    }
    Ok(Sessions {
        sessions: sessions.into_values().collect(),
        unread,
        complete: all.complete,
    })
}

/// How long the waits for replies of each process have lasted.
fn waits_by_process(kernel: &Kernel<'_>) -> BTreeMap<Gva, Vec<Value<Option<TimeSpan>>>> {
    let mut waits: BTreeMap<Gva, Vec<Value<Option<TimeSpan>>>> = BTreeMap::new();
    for row in WaitTable::of(&wait::waits(kernel)).waits {
        if let Value::Known(Some(process)) = &row.waiter.process {
            let waits = waits.entry(process.address.gva()).or_default();
            waits.push(row.waiter.waited.clone());
        }
    }
    waits
}

/// The threads of a process that work for one service.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ServiceRow {
    /// The service.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub service: Service,
    /// The process that hosts it.
    pub host: ProcessRef,
    /// The id of that.
    pub process_id: Value<u64>,
    /// How many threads work for it.
    pub threads: u64,
    /// Waits of these.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub waiting: Waiting,
}

/// The services that threads work for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ServiceTable {
    /// By process, in the order of `PsActiveProcessHead`, and by tag.
    pub services: Vec<ServiceRow>,
    /// Threads of which it cannot be read whether they work for one.
    pub unread_threads: u64,
    /// Set when there may be more, with why the first of these threads cannot be read.
    pub complete: Value<()>,
}

/// The services that threads work for, with what waits in them.
#[must_use]
pub fn services(kernel: &Kernel<'_>) -> ServiceTable {
    let graph = wait::waits(kernel);
    let waiting: BTreeMap<Gva, &Value<Option<TimeSpan>>> = graph
        .reply_waits()
        .map(|(_, thread, _)| (thread.address.gva(), &thread.waited))
        .collect();
    let mut reader = Services::default();
    let mut table = ServiceTable {
        services: Vec::new(),
        unread_threads: 0,
        complete: Value::Known(()),
    };
    let mut gap: Option<Unreadable> = None;
    let mut not_told: Option<Unreadable> = None;
    let listed = receiver::each_process(kernel, |process| {
        if let Value::Missing(hole) = &process.complete {
            gap.get_or_insert_with(|| (**hole).clone());
        }
        let mut rows: BTreeMap<u32, ServiceRow> = BTreeMap::new();
        for thread in &process.threads {
            let service = match reader.read(kernel, thread) {
                Ok(Some(service)) => service,
                Ok(None) => continue,
                // The symbols do not describe it: then nothing of any thread is read.
                Err(hole) if hole.is_absence() => {
                    not_told.get_or_insert(hole);
                    continue;
                }
                Err(hole) => {
                    table.unread_threads = table.unread_threads.saturating_add(1);
                    gap.get_or_insert(hole);
                    continue;
                }
            };
            let row = rows.entry(service.tag).or_insert_with(|| ServiceRow {
                service,
                host: process.process.clone(),
                process_id: process.process_id.clone(),
                threads: 0,
                waiting: Waiting::default(),
            });
            row.threads = row.threads.saturating_add(1);
            if let Some(waited) = waiting.get(&thread.address.gva()) {
                row.waiting.add(waited);
            }
        }
        table.services.extend(rows.into_values());
        Ok::<(), std::convert::Infallible>(())
    });
    // What memory hides goes before what is not described.
    table.complete = match (gap.or(not_told), listed) {
        (Some(hole), _) => Value::Missing(Box::new(hole)),
        (None, Ok(complete)) => complete,
        (None, Err(never)) => match never {},
    };
    table
}
