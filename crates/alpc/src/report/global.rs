//! The whole of ALPC in one record.

use std::collections::BTreeSet;

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::contract::{BlobCounters, BlobType};
use crate::port::enumerate::{self, PortSource};
use crate::port::queue::{self, QueueKind};
use crate::port::{self, NamedPort, PortKind};
use crate::wait;
use ntkernel::image::contract::{Global, ObjectHeader};
use ntkernel::image::kernel::{At, Kernel, Read, offset};
use ntkernel::image::redact::Ids;
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::object;
use ntkernel::object::blob::BlobKind;
use ntkernel::why;

/// Kinds of blobs that the kernel has room to register: `BLOB_TYPE_MAX_ID` of its `_BLOB_ID`.
const BLOB_KINDS: u8 = 10;

/// The system's ports, messages and blob types, counted.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct GlobalRecord {
    /// Address of the kernel's list of ports.
    pub port_list: Value<Addr>,
    /// Where the ports were found.
    pub source: PortSource,
    /// Set when some may be missing.
    pub complete: Value<()>,
    /// Ports counted.
    pub ports: PortCounts,
    /// Messages in the ports' queues, by queue.
    pub queued_messages: Vec<QueueCount>,
    /// Threads that wait for a reply: as many as the table of waits has.
    pub waiting_for_reply: usize,
    /// Set when there may be more of these.
    pub waits_complete: Value<()>,
    /// The port with most messages in its queues.
    pub longest_queue: Option<LongestQueue>,
    /// The registered kinds of blobs.
    pub blob_types: Value<Vec<BlobTypeRecord>>,
    /// Handle table with all messages by id.
    pub message_table: Value<Addr>,
    /// Further such tables: Windows 8.1 and later.
    pub secondary_message_tables: Value<Addr>,
    /// The next message id: only some kernels keep it.
    pub next_message_id: Value<u32>,
    /// The next callback id: only some kernels keep it.
    pub next_callback_id: Value<u32>,
    /// Whether ALPC events are logged.
    pub log_enabled: Value<bool>,
    /// Whether messages are logged.
    pub message_log_enabled: Value<bool>,
    /// Granularity of regions, in bytes.
    pub region_granularity: Value<u32>,
    /// Granularity of views, in bytes.
    pub view_granularity: Value<u32>,
}

/// How many ports there are.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PortCounts {
    /// All of them.
    pub total: usize,
    /// Named ports that servers listen on.
    pub connection: usize,
    /// Clients' ends.
    pub client_communication: usize,
    /// Servers' ends.
    pub server_communication: usize,
    /// Those of no kind: between their creation and their connection.
    pub none: usize,
    /// Those whose kind cannot be determined.
    pub unknown: usize,
    /// Those with a name.
    pub named: usize,
    /// Those without a name.
    pub unnamed: usize,
    /// Those whose name cannot be read.
    pub name_unknown: usize,
    /// Those that no handle leads to.
    pub without_handles: usize,
    /// Those of which it cannot be read whether handles lead to them.
    pub handles_unknown: usize,
    /// Processes that own ports.
    pub owners: usize,
    /// Ports whose owner cannot be read.
    pub owner_unknown: usize,
    /// Set when something that is counted here could not be read of some port: the first reason met.
    pub complete: Value<()>,
}

/// How many messages are in the queues of one kind.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct QueueCount {
    /// The kind of queue.
    pub queue: QueueKind,
    /// Messages found in such queues.
    pub messages: usize,
    /// Messages in such queues by the ports' own counters.
    pub counted: u64,
    /// Queues that could not be followed to their end.
    pub cut: usize,
    /// Set when a queue of that kind, or its counter, could not be read: the first reason met. The longest queue
    /// may be another one then.
    pub complete: Value<()>,
}

/// The port with most messages in its queues.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct LongestQueue {
    /// The port.
    pub port: NamedPort,
    /// Messages in its queues, by their counters.
    pub queued: u64,
}

/// A registered kind of blobs.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct BlobTypeRecord {
    /// What it holds.
    pub holds: BlobKind,
    /// Its `_BLOB_TYPE`.
    pub address: Addr,
    /// Its pool tag.
    pub pool_tag: Value<String>,
    /// Blobs made since the system started.
    pub created: Value<u32>,
    /// Blobs deleted since.
    pub deleted: Value<u32>,
    /// Blobs there are: made and not deleted.
    pub live: Value<u32>,
}

/// Gathers the whole of ALPC.
#[must_use]
pub fn global(kernel: &Kernel<'_>) -> GlobalRecord {
    let all = enumerate::ports(kernel);
    let flag = |global| {
        kernel
            .global(global)
            .and_then(|at| Ok(kernel.cursor().u8(at)? != 0))
            .into()
    };
    let number = |global| {
        kernel
            .global(global)
            .and_then(|at| kernel.cursor().u32(at))
            .into()
    };
    let id = |global, ids| {
        let next: Value<u32> = number(global);
        next.map(|id| kernel.redaction().map_or(id, |redaction| redaction.id32(ids, id)))
    };
    let waits = wait::waits(kernel);
    let unread = waits.unread.first();
    // `!alpc /G` of 2009 "dumps the global information"; no published output of it is known, and debuggers of
    // Windows 8 do not list the switch any more. So the rows are this program's own.
    GlobalRecord {
        port_list: kernel
            .global(Global::AlpcpPortList)
            // The variable is the head of the list itself, no pointer to one.
            .map(|at| kernel.addr(at))
            .into(),
        ports: count_ports(kernel, &all.ports),
        queued_messages: queued_messages(kernel, &all.ports),
        waiting_for_reply: waits.reply_waits().count(),
        waits_complete: unread.map_or(Value::Known(()), |part| part.complete.clone()),
        longest_queue: longest_queue(kernel, &all.ports),
        source: all.source,
        complete: all.complete,
        blob_types: blob_types(kernel).into(),
        message_table: pointer(kernel, Global::AlpcMessageTable),
        secondary_message_tables: kernel
            .global(Global::AlpcpSecondaryMessageTables)
            .map(|at| kernel.addr(at))
            .map_err(|hole| absent(kernel, hole))
            .into(),
        // By the lists of symbols: AlpcpNextMessageId is Windows 7's alone, AlpcpNextCallbackId is there from 8.1
        // on.
        next_message_id: optional(kernel, id(Global::AlpcpNextMessageId, Ids::Messages)),
        next_callback_id: optional(kernel, id(Global::AlpcpNextCallbackId, Ids::Callbacks)),
        log_enabled: flag(Global::AlpcpLogEnabled),
        // Off unless somebody has turned it on (published reverse engineering): then the kernel keeps records of
        // messages.
        message_log_enabled: flag(Global::AlpcpMessageLogEnabled),
        region_granularity: number(Global::AlpcpRegionGranularity),
        view_granularity: number(Global::AlpcpViewGranularity),
    }
}

fn pointer(kernel: &Kernel<'_>, global: Global) -> Value<Addr> {
    kernel.global_pointer(global).map(|at| kernel.addr(at)).into()
}

/// A variable that only some kernels have is absent, not hidden, where the symbols lack it.
fn optional<T>(kernel: &Kernel<'_>, value: Value<T>) -> Value<T> {
    match value {
        Value::Missing(hole) => Err(absent(kernel, *hole)).into(),
        known @ Value::Known(_) => known,
    }
}

fn absent(kernel: &Kernel<'_>, hole: Unreadable) -> Unreadable {
    match hole {
        hole if !kernel.has_own_globals() => hole,
        Unreadable::NoGlobal { name } => Unreadable::NoMember {
            ty: "nt",
            member: name,
        },
        hole => hole,
    }
}

fn count_ports(kernel: &Kernel<'_>, ports: &[Gva]) -> PortCounts {
    let mut counts = PortCounts {
        total: ports.len(),
        connection: 0,
        client_communication: 0,
        server_communication: 0,
        none: 0,
        unknown: 0,
        named: 0,
        unnamed: 0,
        name_unknown: 0,
        without_handles: 0,
        handles_unknown: 0,
        owners: 0,
        owner_unknown: 0,
        complete: Value::Known(()),
    };
    let mut owners = BTreeSet::new();
    for port in ports.iter().map(|&address| kernel.at(address)) {
        counts.count_kind(port);
        counts.count_header(port);
        match first_reason(&mut counts.complete, port::owner_process(port)) {
            Some((owner, _)) if owner.u64() != 0 => {
                owners.insert(owner);
            }
            Some(_) => {}
            None => bump(&mut counts.owner_unknown),
        }
    }
    counts.owners = owners.len();
    counts
}

impl PortCounts {
    fn count_kind(&mut self, port: At<'_, '_>) {
        bump(match first_reason(&mut self.complete, port::kind_if_any(port)) {
            Some(Some(PortKind::Connection)) => &mut self.connection,
            Some(Some(PortKind::ClientCommunication)) => &mut self.client_communication,
            Some(Some(PortKind::ServerCommunication)) => &mut self.server_communication,
            Some(None) => &mut self.none,
            None => &mut self.unknown,
        });
    }

    fn count_header(&mut self, port: At<'_, '_>) {
        let header = object::header(port.kernel(), port.address());
        let name = header.clone().and_then(object::name);
        bump(match first_reason(&mut self.complete, name) {
            Some(Some(_)) => &mut self.named,
            Some(None) => &mut self.unnamed,
            None => &mut self.name_unknown,
        });
        let handles = header.and_then(|header| header.uint(ObjectHeader::HandleCount));
        match first_reason(&mut self.complete, handles) {
            Some(0) => bump(&mut self.without_handles),
            Some(_) => {}
            None => bump(&mut self.handles_unknown),
        }
    }
}

/// What was read; `complete` keeps the first reason why something was not.
fn first_reason<T>(complete: &mut Value<()>, read: Read<T>) -> Option<T> {
    read.map_err(|hole| {
        if complete.reason().is_none() {
            *complete = Value::from(Err(hole));
        }
    })
    .ok()
}

fn bump(count: &mut usize) {
    *count = count.saturating_add(1);
}

fn queued_messages(kernel: &Kernel<'_>, ports: &[Gva]) -> Vec<QueueCount> {
    QueueKind::ALL
        .into_iter()
        .filter(|kind| kernel.has(kind.head()))
        .map(|kind| count_queue(kernel, ports, kind))
        .collect()
}

fn count_queue(kernel: &Kernel<'_>, ports: &[Gva], kind: QueueKind) -> QueueCount {
    let mut count = QueueCount {
        queue: kind,
        messages: 0,
        counted: 0,
        cut: 0,
        complete: Value::Known(()),
    };
    for port in ports.iter().map(|&address| kernel.at(address)) {
        let counted = first_reason(&mut count.complete, port.uint(kind.counter()));
        count.counted = count.counted.saturating_add(counted.unwrap_or(0));
        let Some(list) = first_reason(&mut count.complete, queue::members(port, kind)) else {
            bump(&mut count.cut);
            continue;
        };
        count.messages = count.messages.saturating_add(list.entries.len());
        if first_reason(&mut count.complete, list.complete("a queue")).is_none() {
            bump(&mut count.cut);
        }
    }
    count
}

fn longest_queue(kernel: &Kernel<'_>, ports: &[Gva]) -> Option<LongestQueue> {
    let lengths = ports
        .iter()
        .filter_map(|&port| Some((queue::total_length(kernel.at(port)).ok()?, port)));
    let (queued, port) = lengths.fold(None, first_longest)?;
    (queued > 0).then(|| LongestQueue {
        port: NamedPort::at(kernel, port),
        queued,
    })
}

/// Of several as long as each other, the first: `Iterator::max` would take the last.
fn first_longest(best: Option<(u64, Gva)>, next: (u64, Gva)) -> Option<(u64, Gva)> {
    best.filter(|&(length, _)| length >= next.0).or(Some(next))
}

/// The registered kinds of blobs, from the kernel's array of pointers by id.
fn blob_types(kernel: &Kernel<'_>) -> Read<Vec<BlobTypeRecord>> {
    // Ten pointers. Those of 1 to 7 and 9 lead to structures that are variables of the kernel too (AlpcMessageType
    // and others), so that what stands there is not in pool.
    let table = kernel.global(Global::AlpcpRegisteredTypes)?;
    let mut types = Vec::new();
    for id in 0..BLOB_KINDS {
        let slot = u64::from(id).saturating_mul(kernel.pointer_size().into());
        let address = kernel.cursor().pointer(offset(table, slot))?;
        if address.u64() != 0 {
            types.push(blob_type(kernel.at(address), BlobKind(id)));
        }
    }
    Ok(types)
}

fn blob_type(blob: At<'_, '_>, holds: BlobKind) -> BlobTypeRecord {
    let created = counter(blob, BlobType::CreatedObjects, BlobCounters::CreatedObjects);
    let deleted = counter(blob, BlobType::DeletedObjects, BlobCounters::DeletedObjects);
    let live = created
        .clone()
        .and_then(|created| Ok(created.wrapping_sub(deleted.clone()?)));
    BlobTypeRecord {
        holds,
        address: blob.kernel().addr(blob.address()),
        pool_tag: blob.u32(BlobType::PoolTag).map(pool_tag).into(),
        created: created.into(),
        deleted: deleted.into(),
        live: live.into(),
    }
}

/// Up to Windows 7 a type counts in itself, from Windows 8 on in a structure that it points to.
fn counter(blob: At<'_, '_>, own: BlobType, pointed_to: BlobCounters) -> Read<u32> {
    // Counters is a pointer to both counts and no other spelling of either.
    if blob.kernel().has(own) {
        return blob.u32(own);
    }
    let counters = blob.pointer(BlobType::Counters)?;
    if counters.u64() == 0 {
        return Err(Unreadable::NullPointer(why!("_BLOB_TYPE.Counters is null")));
    }
    blob.kernel().at(counters).u32(pointed_to)
}

fn pool_tag(tag: u32) -> String {
    // "AlMs" of messages, "AlCI" of communication infos, "AlHa" of handle tables, "AlSe" of security data: the first
    // letter is the lowest byte.
    tag.to_le_bytes().map(char::from).iter().collect()
}
