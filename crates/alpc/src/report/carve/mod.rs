//! Ports, messages, connections, processes and threads by what they look like, wherever they lie in memory: also those that
//! no list leads to any more, or never did.
//!
//! Freed memory keeps what it held until it is used again; what was taken out of a list to hide it still is there. All pages
//! of the file are looked at for the shapes of the things (`shape`); what has one is read whole and held against what marks
//! its kind (`marks`); what has enough marks is told, with whether the system's own lists and tables lead to it (`known`).
//!
//! By structure and not by pool tag: the segment heap (from Windows 10 1809 on) lays its own header over the tag of a block
//! that is freed. Where a tag is left it counts as a mark.

pub(crate) mod known;
mod marks;
mod seen;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use kdump::{FileTime, Gpa, Gva, Progress};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use ntkernel::image::contract::{
    ClientId, Message, ObjectHeader, Port, PortMessage, Process, Thread, ThreadControl,
};
use ntkernel::image::kernel::{Kernel, offset};
use ntkernel::image::redact::Ids;
use ntkernel::image::value::{Addr, Unreadable, Value};
use ntkernel::object::blob;
use ntkernel::object::pool::PoolTag;
use ntkernel::object::process_ref::ProcessRef;
use ntkernel::why;

use crate::port::message_type::MessageType;
use crate::port::{self, PortKind};
use known::{AllKnown, Known};
use marks::Marks;
pub(crate) use marks::TIMES;
use seen::Seen;
use shape::{Hit, Shapes};

/// Places that are kept to be read: more look like something only where somebody made them to.
const MOST_HITS: usize = 1 << 22;

/// Pages between two questions whether to go on.
const QUESTION: u64 = 0x1000;

/// The last build whose pool marks its free blocks in their headers; in later ones the segment heap does not.
const LAST_OF_OLD_POOL: u32 = 17_134;

/// What can be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum CarveKind {
    /// `_ALPC_PORT`.
    Port,
    /// `_KALPC_MESSAGE`.
    Message,
    /// `_ALPC_COMMUNICATION_INFO`, which ties the ports of a connection together.
    Connection,
    /// `_EPROCESS`.
    Process,
    /// `_ETHREAD`.
    Thread,
}

impl CarveKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Port,
        Self::Message,
        Self::Connection,
        Self::Process,
        Self::Thread,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Port => "port",
            Self::Message => "message",
            Self::Connection => "connection",
            Self::Process => "process",
            Self::Thread => "thread",
        }
    }

    /// Bytes of one.
    fn size(self, kernel: &Kernel<'_>) -> usize {
        use ntkernel::image::contract::CommunicationInfo;
        let size = match self {
            Self::Port => kernel.size_of::<Port>(),
            Self::Message => kernel.size_of::<Message>(),
            Self::Connection => kernel.size_of::<CommunicationInfo>(),
            Self::Process => kernel.size_of::<Process>(),
            Self::Thread => kernel.size_of::<Thread>(),
        };
        // Where only members are known, so many bytes have all that are looked at.
        size.ok()
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(0x1000)
            .clamp(0x40, 0x4000)
    }
}

/// What became of something that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum CarveState {
    /// The system's list or table of its kind has it.
    Listed,
    /// A handle, a name, a connection or a queue leads to it, and the list of its kind does not have it.
    Reached,
    /// It has ended, and nothing leads to it.
    Ended,
    /// Its headers say that it is not in use any more.
    Freed,
    /// Its headers say that it is in use, the lists and tables are whole, and nothing leads to it.
    Unlinked,
    /// Nothing that can be read leads to it; the lists and tables are not whole, or its own headers do not say whether it is
    /// in use.
    Unknown,
}

impl CarveState {
    /// The state in a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Reached => "reached",
            Self::Ended => "ended",
            Self::Freed => "freed",
            Self::Unlinked => "unlinked",
            Self::Unknown => "unknown",
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct CarvedRow {
    /// What it looks like.
    pub kind: CarveKind,
    /// Where the system sees it; `null` where no page table maps it any more.
    pub address: Option<Addr>,
    /// Where it is in physical memory; `null` in a triage dump, which does not say.
    pub physical: Option<u64>,
    /// What became of it.
    pub state: CarveState,
    /// What leads to it that is not the list of its kind; `null` where nothing does, or that list has it.
    pub reached_by: Option<String>,
    /// How much speaks for it: 6 is the least that is told.
    pub score: u32,
    /// What speaks for it.
    pub marks: Vec<&'static str>,
    /// What does not.
    pub against: Vec<&'static str>,
    /// The tag of the pool block that it is in, where one stands before it.
    pub tag: Option<PoolTag>,
    /// The image name of a process, the path or name of a port, the type of a message.
    pub name: Option<String>,
    /// Of a port what it is in its connection; `null` for one that is in none, and for all other kinds.
    pub port_kind: Option<PortKind>,
    /// The process: itself, its owner's, or that of the message's sender.
    pub process_id: Option<u64>,
    /// The thread: itself, or the message's sender.
    pub thread_id: Option<u64>,
    /// Of a message.
    pub message_id: Option<u32>,
    /// The process that owns it: of a port or thread.
    pub owner: Option<ProcessRef>,
    /// When it began, of a process or thread.
    pub create_time: Option<FileTime>,
    /// When it ended, of a process or thread.
    pub exit_time: Option<FileTime>,
}

/// How many were found of a kind.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct CarvedKind {
    /// The kind.
    pub kind: CarveKind,
    /// How many have each state, those that are not told included.
    pub listed: u64,
    /// Not listed, and something leads there.
    pub reached: u64,
    /// Ended.
    pub ended: u64,
    /// Freed.
    pub freed: u64,
    /// In use, with nothing that leads there.
    pub unlinked: u64,
    /// Not known to be either.
    pub unknown: u64,
    /// Of those that the system's list or table has and that are in the dump, how many were not found by what they look like.
    pub not_found: u64,
    /// Set where the system's own lists and tables of the kind could be followed whole.
    pub lists: Value<()>,
}

/// All that was found.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Carved {
    /// What was found, by kind, by how much speaks for it, by address.
    pub found: Vec<CarvedRow>,
    /// How many of each kind.
    pub kinds: Vec<CarvedKind>,
    /// Bytes of memory that were looked at.
    pub bytes: u64,
    /// Set when some may be missing.
    pub complete: Value<()>,
}

/// Which of what is found is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Wanted {
    /// The kinds.
    pub kinds: Vec<CarveKind>,
    /// Whether also what the system's own lists and tables have.
    pub listed: bool,
}

impl Wanted {
    /// All of some kinds that the system's own lists and tables do not have.
    #[must_use]
    pub fn of(kinds: Vec<CarveKind>) -> Self {
        Self { kinds, listed: false }
    }

    /// The same, with those that they have.
    #[must_use]
    pub fn with_listed(self, listed: bool) -> Self {
        Self { listed, ..self }
    }
}

/// Looks for things in all memory that the dump has. `progress` hears how many pages were looked at.
#[must_use]
pub fn carve(kernel: &Kernel<'_>, wanted: &Wanted, progress: &Progress) -> Carved {
    let places = Places::of(kernel, &wanted.kinds, progress);
    let known = AllKnown::read(kernel);
    let mut found = Vec::new();
    let mut tallies: BTreeMap<CarveKind, Tally> = BTreeMap::new();
    for &kind in &wanted.kinds {
        tallies.insert(kind, Tally::default());
    }
    let mut seen_at = BTreeSet::new();
    for place in &places.places {
        let Some(row) = read(kernel, place, &known) else {
            continue;
        };
        let key = (
            place.kind,
            row.address.map(Addr::u64),
            row.address.map_or(row.physical, |_| None),
        );
        if !seen_at.insert(key) {
            continue;
        }
        let tally = tallies.entry(place.kind).or_default();
        tally.add(row.state);
        if let Some(address) = row.address {
            tally.found.insert(address.gva());
        }
        if wanted.listed || row.state != CarveState::Listed {
            found.push(row);
        }
    }
    found.sort_by_key(|row| {
        (
            row.kind,
            std::cmp::Reverse(row.score),
            row.address.map(Addr::u64),
            row.physical,
        )
    });
    let kinds = tallies
        .into_iter()
        .map(|(kind, tally)| tally.record(kernel, kind, known.of(kind)))
        .collect();
    Carved {
        found,
        kinds,
        bytes: places.bytes,
        complete: places.complete.into(),
    }
}

/// How many have each state.
#[derive(Clone, Debug, Default)]
struct Tally {
    states: BTreeMap<CarveState, u64>,
    found: BTreeSet<Gva>,
}

impl Tally {
    fn add(&mut self, state: CarveState) {
        let count = self.states.entry(state).or_default();
        *count = count.saturating_add(1);
    }

    fn record(&self, kernel: &Kernel<'_>, kind: CarveKind, known: &Known) -> CarvedKind {
        let count = |state| self.states.get(&state).copied().unwrap_or_default();
        let in_dump = |at: &&Gva| kernel.cursor().u8(**at).is_ok();
        let not_found = known.listed.difference(&self.found).filter(in_dump).count();
        CarvedKind {
            kind,
            listed: count(CarveState::Listed),
            reached: count(CarveState::Reached),
            ended: count(CarveState::Ended),
            freed: count(CarveState::Freed),
            unlinked: count(CarveState::Unlinked),
            unknown: count(CarveState::Unknown),
            not_found: not_found as u64,
            lists: known.gap.clone().map_or(Ok(()), Err).into(),
        }
    }
}

/// Where something may begin.
#[derive(Clone, Copy, Debug)]
struct Place {
    kind: CarveKind,
    gva: Option<Gva>,
    gpa: Option<Gpa>,
}

/// Where things may begin in the memory of a dump.
struct Places {
    places: Vec<Place>,
    bytes: u64,
    complete: Result<(), Unreadable>,
}

impl Places {
    fn of(kernel: &Kernel<'_>, kinds: &[CarveKind], progress: &Progress) -> Self {
        let (shapes, lacking) = Shapes::of(kernel, kinds);
        let mut found = match kernel.dump().triage() {
            Some(triage) => Self::in_pieces(kernel, triage, &shapes),
            None => Self::in_pages(kernel, &shapes, progress),
        };
        if let Some((kind, hole)) = lacking.first() {
            let why = why!("no {} can be looked for: {}", kind.name(), hole);
            found.complete = Err(Unreadable::walk(why, Some(hole)));
        }
        found
    }

    fn in_pieces(kernel: &Kernel<'_>, triage: &kdump::Triage, shapes: &Shapes) -> Self {
        let mut places = Vec::new();
        let mut bytes = 0_u64;
        let mut complete = Ok(());
        for (start, len) in triage.blocks() {
            let mut piece = vec![0; usize::try_from(len.min(64 << 20)).unwrap_or_default()];
            let read = kernel.cursor().read_partial(start, &mut piece);
            piece.truncate(read.read);
            if let Some(hole) = read.stopped {
                complete = Err(hole);
            }
            bytes = bytes.saturating_add(piece.len() as u64);
            places.extend(shapes.hits(&piece, start.u64()).into_iter().map(|hit| Place {
                kind: hit.kind,
                gva: Some(Gva::new(hit.anchor.wrapping_sub(hit.inside))),
                gpa: None,
            }));
        }
        Self {
            places,
            bytes,
            complete,
        }
    }

    fn in_pages(kernel: &Kernel<'_>, shapes: &Shapes, progress: &Progress) -> Self {
        if !kernel.budget().goes_on() {
            return Self {
                places: Vec::new(),
                bytes: 0,
                complete: Err(Unreadable::Cancelled),
            };
        }
        let mut hits: Vec<Hit> = Vec::new();
        let mut complete = Ok(());
        let mut cancelled = false;
        let pages = kernel.dump().sweep(
            progress,
            |page, at| {
                let found = shapes.hits(page, at.u64()).into_iter().map(Some);
                // Memory in which nothing is found asks all the same, every 16 MiB, whether to go on.
                let question = (at.pfn().u64().is_multiple_of(QUESTION)).then_some(None);
                found.chain(question).collect()
            },
            |found| {
                match found {
                    Some(hit) => hits.push(hit),
                    None => cancelled = !kernel.budget().goes_on(),
                }
                hits.len() < MOST_HITS && !cancelled
            },
        );
        if cancelled {
            complete = Err(Unreadable::Cancelled);
        } else if hits.len() >= MOST_HITS {
            complete = Err(Unreadable::Walk(why!(
                "more than {} places look like something: those behind them were not looked at",
                MOST_HITS as u64
            )));
        } else if let Some(hole) = missing(kernel) {
            complete = Err(hole);
        }
        let (mapped, tables) = addresses(kernel, &hits);
        if complete.is_ok() {
            complete = tables;
        }
        let places = hits.iter().map(|hit| {
            let page = mapped.get(&(hit.anchor >> 12));
            let gva = page.map(|page| {
                let anchor = page.u64() | (hit.anchor & 0xfff);
                Gva::new(anchor.wrapping_sub(hit.inside))
            });
            Place {
                kind: hit.kind,
                gva,
                gpa: Some(Gpa::new(hit.anchor.wrapping_sub(hit.inside))),
            }
        });
        Self {
            places: places.collect(),
            bytes: pages << 12,
            complete,
        }
    }
}

/// Why memory is missing that the dump should have.
fn missing(kernel: &Kernel<'_>) -> Option<Unreadable> {
    let coverage = kernel.dump().coverage();
    (coverage.missing > 0).then(|| {
        Unreadable::FileCut(why!(
            "{} of {} pages that the dump should have are not in its file",
            coverage.missing,
            coverage.claimed
        ))
    })
}

/// Where the system sees the pages in which something was met; the first address, where it sees one at several.
fn addresses(kernel: &Kernel<'_>, hits: &[Hit]) -> (BTreeMap<u64, Gva>, Result<(), Unreadable>) {
    let wanted: BTreeSet<u64> = hits.iter().map(|hit| hit.anchor >> 12).collect();
    let mut found = BTreeMap::new();
    let end = kernel.space().mapped(|run| {
        let first = run.base.u64();
        for &frame in wanted.range(first..first.saturating_add(run.count)) {
            let by = frame.saturating_sub(first) << 12;
            found.entry(frame).or_insert_with(|| offset(run.gva, by));
        }
    });
    let complete = match (end.unread_tables, end.gave_up) {
        (0, false) => Ok(()),
        (_, true) => Err(Unreadable::Walk(why!(
            "the page tables lead to more tables than any system has: addresses of some pages are not known"
        ))),
        (count, _) => Err(Unreadable::Walk(why!(
            "{} page tables are not in the dump: addresses of the pages that they map are not known",
            count
        ))),
    };
    (found, complete)
}

/// Reads what may begin at a place; none where too little speaks for it.
fn read(kernel: &Kernel<'_>, place: &Place, known: &AllKnown) -> Option<CarvedRow> {
    let len = place.kind.size(kernel);
    let inside = place.gpa.map_or(0, |gpa| gpa.u64() & 0xfff);
    let seen = match (place.gva, place.gpa) {
        (Some(gva), _) => Seen::at(kernel, gva, len),
        (None, Some(gpa)) => Seen::at_physical(kernel, gpa, len),
        (None, None) => return None,
    };
    let marks = marks::of(place.kind, &seen, inside)?;
    let mut row = CarvedRow {
        kind: place.kind,
        address: seen.at.map(|gva| kernel.addr(gva)),
        physical: place.gpa.map(Gpa::u64),
        state: state(&seen, place.kind, &marks, known.of(place.kind)),
        reached_by: None,
        score: marks.score,
        marks: marks.holds.clone(),
        against: marks.fails.clone(),
        tag: marks.block.map(|(tag, _)| tag),
        name: None,
        port_kind: None,
        process_id: None,
        thread_id: None,
        message_id: None,
        owner: None,
        create_time: None,
        exit_time: None,
    };
    if row.state == CarveState::Reached {
        let lead = seen.at.and_then(|at| known.of(place.kind).reached.get(&at));
        row.reached_by = lead.map(ToString::to_string);
    }
    match place.kind {
        CarveKind::Port => of_port(&mut row, &seen),
        CarveKind::Message => of_message(&mut row, &seen),
        CarveKind::Connection => {}
        CarveKind::Process => of_process(&mut row, &seen),
        CarveKind::Thread => of_thread(&mut row, &seen),
    }
    Some(row)
}

fn state(seen: &Seen<'_, '_>, kind: CarveKind, marks: &Marks, known: &Known) -> CarveState {
    if let Some(at) = seen.at {
        if known.listed.contains(&at) {
            return CarveState::Listed;
        }
        if known.reached.contains_key(&at) {
            return CarveState::Reached;
        }
    }
    let is_free_block = marks
        .block
        .is_some_and(|(_, state)| state == 0 && is_old_pool(seen.kernel));
    let in_use = match kind {
        CarveKind::Message | CarveKind::Connection => blob_in_use(seen),
        _ => object_in_use(seen),
    };
    if is_free_block || in_use == Some(false) {
        return CarveState::Freed;
    }
    if kind == CarveKind::Message && is_cached(seen) {
        return CarveState::Freed;
    }
    if has_ended(seen, kind) {
        return CarveState::Ended;
    }
    match (in_use, &known.gap, seen.at) {
        (Some(true), None, Some(_)) => CarveState::Unlinked,
        _ => CarveState::Unknown,
    }
}

fn is_old_pool(kernel: &Kernel<'_>) -> bool {
    kernel.dump().header().minor_version <= LAST_OF_OLD_POOL
}

/// Whether the header of a blob has references and is not marked as deleted; none where it is not in the file.
fn blob_in_use(seen: &Seen<'_, '_>) -> Option<bool> {
    use ntkernel::image::contract::Blob;
    let size = seen.kernel.size_of::<Blob>().ok()?;
    let references = seen.outer(size, Blob::ReferenceCount)?;
    let flags = seen.outer(size, Blob::Flags)?;
    Some(references != 0 && flags & blob::DELETED == 0)
}

/// Whether the header of an object has references; none where it is not in the file, or was written over.
fn object_in_use(seen: &Seen<'_, '_>) -> Option<bool> {
    let size = seen.offset(ObjectHeader::Body)?;
    let count = seen.outer(size, ObjectHeader::PointerCount)?;
    // Thousands of references are taken in advance for each handle; a pointer of a free list is no count.
    match count {
        0 => Some(false),
        1..=0x0100_0000 => Some(true),
        _ => None,
    }
}

/// Whether a message was freed to be used again: bit 31 of its id is set, and it belongs to no port.
fn is_cached(seen: &Seen<'_, '_>) -> bool {
    let head = seen.offset(Message::PortMessage).unwrap_or_default();
    let id = seen.inner(head, PortMessage::MessageId);
    id.is_some_and(|id| id & 0x8000_0000 != 0) && seen.uint(Message::OwnerPort) == Some(0)
}

fn has_ended(seen: &Seen<'_, '_>, kind: CarveKind) -> bool {
    match kind {
        CarveKind::Process => marks::time(seen.uint(Process::ExitTime)).is_some(),
        CarveKind::Thread => {
            let control = seen.offset(Thread::Tcb).unwrap_or_default();
            seen.inner(control, ThreadControl::State) == Some(TERMINATED)
        }
        _ => false,
    }
}

/// `_KTHREAD_STATE` of a thread that has ended.
const TERMINATED: u64 = 4;

fn of_port(row: &mut CarvedRow, seen: &Seen<'_, '_>) {
    let kernel = seen.kernel;
    row.port_kind = seen.uint(Port::Type).and_then(PortKind::from_bits);
    let owner = seen.uint(Port::OwnerProcess).map(|owner| Gva::new(owner & !1));
    if let Some(owner) = owner.filter(|owner| owner.u64() != 0) {
        row.owner = Some(ProcessRef::at(kernel, owner));
        row.process_id = id_of(kernel, owner);
    }
    let Some(at) = seen.at else { return };
    let path = ntkernel::object::path(kernel, at).ok().flatten();
    row.name = path.or_else(|| port::own_name(kernel.at(at)).ok().flatten());
}

fn of_message(row: &mut CarvedRow, seen: &Seen<'_, '_>) {
    let head = seen.offset(Message::PortMessage).unwrap_or_default();
    let kind = seen
        .inner(head, PortMessage::Type)
        .and_then(|kind| u16::try_from(kind).ok());
    row.name = kind.map(|kind| MessageType::from_word(kind).to_string());
    let client = head.saturating_add(seen.offset(PortMessage::ClientId).unwrap_or_default());
    row.process_id = seen
        .inner(client, ClientId::UniqueProcess)
        .map(|id| client_id(seen.kernel, id));
    row.thread_id = seen
        .inner(client, ClientId::UniqueThread)
        .map(|id| client_id(seen.kernel, id));
    let id = seen.inner(head, PortMessage::MessageId);
    if let Some(id) = id
        && marks::is_in_table(seen, id)
    {
        row.marks.push("in-message-table");
        row.score = row.score.saturating_add(2);
    }
    row.message_id = id
        .and_then(|id| u32::try_from(id).ok())
        .map(|id| match seen.kernel.redaction() {
            Some(redaction) => redaction.id32(Ids::Messages, id),
            None => id,
        });
}

fn of_process(row: &mut CarvedRow, seen: &Seen<'_, '_>) {
    row.process_id = seen
        .uint(Process::UniqueProcessId)
        .map(|id| client_id(seen.kernel, id));
    let name = seen.bytes(Process::ImageFileName, 15).map(|bytes| {
        let name = bytes.iter().take_while(|&&byte| byte != 0);
        name.map(|&byte| char::from(byte)).collect::<String>()
    });
    row.name = name.map(|name| match seen.kernel.redaction() {
        Some(redaction) => redaction.image(name),
        None => name,
    });
    row.create_time = marks::time(seen.uint(Process::CreateTime));
    row.exit_time = marks::time(seen.uint(Process::ExitTime));
}

fn of_thread(row: &mut CarvedRow, seen: &Seen<'_, '_>) {
    let kernel = seen.kernel;
    let cid = seen.offset(Thread::Cid).unwrap_or_default();
    row.process_id = seen
        .inner(cid, ClientId::UniqueProcess)
        .map(|id| client_id(kernel, id));
    row.thread_id = seen
        .inner(cid, ClientId::UniqueThread)
        .map(|id| client_id(kernel, id));
    let control = seen.offset(Thread::Tcb).unwrap_or_default();
    if let Some(owner) = seen.inner(control, ThreadControl::Process) {
        row.owner = Some(ProcessRef::at(kernel, Gva::new(owner)));
    }
    row.create_time = marks::time(seen.uint(Thread::CreateTime));
    row.exit_time = marks::time(seen.uint(Thread::ExitTime));
}

fn client_id(kernel: &Kernel<'_>, id: u64) -> u64 {
    match kernel.redaction() {
        Some(redaction) => redaction.id(Ids::Clients, id),
        None => id,
    }
}

fn id_of(kernel: &Kernel<'_>, process: Gva) -> Option<u64> {
    kernel.at(process).uint(Process::UniqueProcessId).ok()
}
