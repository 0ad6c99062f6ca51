//! What speaks for something being what it looks like, mark by mark.
//!
//! Each mark that holds adds to a score; a mark that must hold and does not, ends it. What is not in the file neither adds nor
//! ends. Source of the marks: the layouts of 305 kernels, and what Volatility's scanners test of processes and threads.

use kdump::{FileTime, Gva};
use ntkernel::image::contract::{
    Blob, ClientId, CommunicationInfo, Message, ObjectHeader, Port, PortMessage, Process, ProcessControl,
    Thread, ThreadControl,
};
use ntkernel::object;
use ntkernel::object::blob::BlobKind;
use ntkernel::object::handle;
use ntkernel::object::pool::{PoolTag, unit};
use ntkernel::process;

use crate::port;
use crate::port::contract::PortAttributes;
use crate::report::carve::CarveKind;
use crate::report::carve::seen::Seen;
use crate::report::carve::shape::is_id;

/// Points that something needs to be told.
const ENOUGH: u32 = 6;

/// The same of a communication info, which is small and has little of its own: real memory of a thread passes for one with
/// six (a real triage dump of 19041.2193).
const ENOUGH_OF_CONNECTION: u32 = 7;

/// What a time of a structure can be: from the year 1980 to 2100, in 100 ns since 1601.
pub(crate) const TIMES: std::ops::Range<u64> = 119_600_064_000_000_000..157_469_184_000_000_000;

/// How many optional headers' worth of bytes can stand before the header of an object.
const OPTIONAL_HEADERS: u64 = 0x90;

/// References that a blob can have: those that are cached count 0x10000 for all that are in store.
const MOST_REFERENCES: u64 = 0x0100_0000;

/// What was held against marks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) score: u32,
    pub(crate) holds: Vec<&'static str>,
    pub(crate) fails: Vec<&'static str>,
    ended: bool,
    /// The tag and the type of its pool block, where one was found.
    pub(crate) block: Option<(PoolTag, u64)>,
}

impl Marks {
    /// A mark that must hold.
    fn must(&mut self, points: u32, mark: &'static str, holds: Option<bool>) {
        self.may(points, mark, holds);
        self.ended |= holds == Some(false);
    }

    /// A mark that speaks for it, or against.
    fn may(&mut self, points: u32, mark: &'static str, holds: Option<bool>) {
        match holds {
            Some(true) => {
                self.score = self.score.saturating_add(points);
                self.holds.push(mark);
            }
            Some(false) => self.fails.push(mark),
            None => {}
        }
    }

    /// A mark that says something only where it holds.
    fn bonus(&mut self, points: u32, mark: &'static str, holds: bool) {
        if holds {
            self.may(points, mark, Some(true));
        }
    }

    fn enough(self, points: u32) -> Option<Self> {
        (!self.ended && self.score >= points).then_some(self)
    }
}

/// What speaks for something being of a kind; none where that is not enough.
pub(crate) fn of(kind: CarveKind, seen: &Seen<'_, '_>, inside: u64) -> Option<Marks> {
    match kind {
        CarveKind::Message => message(seen).enough(ENOUGH),
        CarveKind::Port => port(seen, inside).enough(ENOUGH),
        CarveKind::Connection => connection(seen).enough(ENOUGH_OF_CONNECTION),
        CarveKind::Process => process(seen, inside).enough(ENOUGH),
        CarveKind::Thread => thread(seen).enough(ENOUGH),
    }
}

fn message(seen: &Seen<'_, '_>) -> Marks {
    let mut marks = Marks::default();
    let kernel = seen.kernel;
    let head = seen.offset(Message::PortMessage).unwrap_or_default();
    let of_head = |member| seen.inner(head, member);
    let lengths = of_head(PortMessage::TotalLength).zip(of_head(PortMessage::DataLength));
    let header = kernel.size_of::<PortMessage>().unwrap_or_default();
    marks.must(
        1,
        "lengths",
        lengths.map(|(total, data)| total.checked_sub(data) == Some(header)),
    );
    marks.must(
        1,
        "type",
        of_head(PortMessage::Type).map(|kind| (1..=13).contains(&(kind & 0xff)) && kind & 0x0f00 == 0),
    );
    let client = head.saturating_add(seen.offset(PortMessage::ClientId).unwrap_or_default());
    let ids = seen
        .inner(client, ClientId::UniqueProcess)
        .zip(seen.inner(client, ClientId::UniqueThread));
    marks.must(
        1,
        "client-id",
        ids.map(|(process, thread)| is_id(process) && is_id(thread)),
    );
    let offset = of_head(PortMessage::DataInfoOffset).zip(lengths);
    marks.must(
        0,
        "data-info-offset",
        offset.map(|(offset, (total, _))| offset <= total),
    );
    let pointers = [
        Message::PortQueue,
        Message::OwnerPort,
        Message::WaitingThread,
        Message::ServerThread,
        Message::ConnectionPort,
        Message::CommunicationInfo,
        Message::Reserve,
    ];
    marks.must(1, "pointers", all(pointers.map(|member| seen.leads_on(member))));
    marks.must(
        1,
        "links",
        seen.links(Message::Entry).map(|links| {
            let links_on = |link: u64| link == 0 || seen.pointers.is_system(link);
            links.into_iter().all(links_on)
        }),
    );
    marks.must(
        1,
        "queue-type",
        seen.uint(Message::QueueType).map(|kind| kind <= 5),
    );
    blob(&mut marks, seen, BlobKind::MESSAGE, *b"AlMs");
    let ports = [Message::ConnectionPort, Message::OwnerPort, Message::PortQueue];
    let leads_to_port = ports
        .into_iter()
        .filter_map(|member| seen.uint(member))
        .any(|port| seen.pointers.is_system(port) && port::is_certain(kernel.at(Gva::new(port))));
    marks.bonus(2, "leads-to-a-port", leads_to_port);
    marks
}

fn connection(seen: &Seen<'_, '_>) -> Marks {
    let mut marks = Marks::default();
    let places = [
        CommunicationInfo::ConnectionPort,
        CommunicationInfo::ServerCommunicationPort,
        CommunicationInfo::ClientCommunicationPort,
    ];
    marks.must(1, "pointers", all(places.map(|member| seen.leads_on(member))));
    marks.must(1, "links", seen.is_linked(CommunicationInfo::CommunicationList));
    blob(&mut marks, seen, BlobKind::CONNECTION_INFO, *b"AlCI");
    let kernel = seen.kernel;
    let mut ports = places.into_iter().filter_map(|member| seen.uint(member));
    let names_back = ports.any(|port| {
        let leads = || {
            let info = kernel.at(Gva::new(port)).pointer(Port::CommunicationInfo).ok();
            info.is_some() && info == seen.at
        };
        seen.pointers.is_system(port) && leads()
    });
    marks.bonus(2, "named-by-its-port", names_back);
    marks.bonus(
        1,
        "leads-to-a-port",
        places
            .into_iter()
            .filter_map(|member| seen.uint(member))
            .any(|port| seen.pointers.is_system(port) && port::is_certain(kernel.at(Gva::new(port)))),
    );
    marks
}

/// What stands before everything of ALPC but ports.
fn blob(marks: &mut Marks, seen: &Seen<'_, '_>, kind: BlobKind, tag: [u8; 4]) {
    let Ok(size) = seen.kernel.size_of::<Blob>() else {
        return;
    };
    marks.must(
        2,
        "blob-id",
        seen.outer(size, Blob::ResourceId)
            .map(|id| id == u64::from(kind.0)),
    );
    marks.must(
        0,
        "blob-flags",
        seen.outer(size, Blob::Flags).map(|flags| flags < 0x10),
    );
    // One that was freed to be used again has a pointer of the list of such in the place of the first link.
    let at = seen.kernel.offset(Blob::ResourceList).ok();
    let links = at.and_then(|at| seen.links_before(size.checked_sub(at)?));
    let lead_on = |link: u64| link == 0 || seen.pointers.is_system(link);
    marks.may(1, "blob-links", links.map(|links| links.into_iter().all(lead_on)));
    marks.may(
        1,
        "blob-references",
        seen.outer(size, Blob::ReferenceCount)
            .map(|count| count & 0xffff_ffff < MOST_REFERENCES),
    );
    let header = size.saturating_add(unit(seen.kernel.pointer_size()));
    if let Some((found, _, state)) = seen.pool_header(header).filter(|(found, ..)| found.0 == tag) {
        marks.bonus(2, "pool-tag", true);
        marks.block = Some((found, state));
    }
}

fn port(seen: &Seen<'_, '_>, inside: u64) -> Marks {
    let mut marks = Marks::default();
    let links = seen.links(Port::PortListEntry);
    marks.must(
        1,
        "links",
        links.map(|links| links == [0, 0] || links.into_iter().all(|link| seen.pointers.is_system(link))),
    );
    let owner = seen.uint(Port::OwnerProcess).map(|owner| owner & !1);
    marks.must(
        1,
        "owner",
        owner.map(|owner| owner == 0 || seen.pointers.is_system(owner)),
    );
    let lists = [
        Port::MainQueue,
        Port::LargeMessageQueue,
        Port::PendingQueue,
        Port::CanceledQueue,
        Port::WaitQueue,
        Port::ResourceListHead,
    ];
    marks.must(1, "lists", all(lists.map(|list| seen.is_linked(list))));
    let empty = lists
        .into_iter()
        .filter(|list| seen.is_empty(*list, inside) == Some(true));
    let empty = empty.count();
    marks.bonus(1, "an-empty-list", empty > 0);
    marks.bonus(1, "three-empty-lists", empty > 2);
    let pointers = [
        Port::CommunicationInfo,
        Port::CompletionPort,
        Port::CompletionList,
        Port::TargetQueuePort,
        Port::TargetSequencePort,
    ];
    // The lowest bit of the port where cached messages are kept can be a flag: it is not looked at.
    marks.must(1, "pointers", all(pointers.map(|member| seen.leads_on(member))));
    let attributes = seen.offset(Port::PortAttributes).unwrap_or_default();
    let least = seen.kernel.size_of::<PortMessage>().unwrap_or_default();
    marks.must(
        1,
        "message-length",
        seen.inner(attributes, PortAttributes::MaxMessageLength)
            .map(|length| (least..=0xffff).contains(&length)),
    );
    object(&mut marks, seen, &[*b"ALPC", *b"ALP\xc3"]);
    let kernel = seen.kernel;
    if let Some(at) = seen.at {
        marks.bonus(
            2,
            "object-header",
            object::header(kernel, at)
                .and_then(object::type_address)
                .is_ok_and(|found| {
                    let ports = ntkernel::image::contract::Global::AlpcPortObjectType;
                    kernel.global_pointer(ports).is_ok_and(|ports| ports == found)
                }),
        );
        marks.bonus(
            2,
            "named-by-its-connection",
            port::is_tied(kernel.at(at)).unwrap_or(false),
        );
    }
    if let Some(owner) = owner.filter(|owner| seen.pointers.is_system(*owner)) {
        let is = process::is_process(kernel, Gva::new(owner));
        marks.may(2, "owner-is-a-process", is.ok());
    }
    marks
}

fn process(seen: &Seen<'_, '_>, inside: u64) -> Marks {
    let mut marks = Marks::default();
    let id = seen.uint(Process::UniqueProcessId);
    marks.must(1, "process-id", id.map(|id| id != 0 && is_id(id)));
    marks.must(1, "links", seen.is_linked(Process::ActiveProcessLinks));
    marks.must(1, "threads", seen.is_linked(Process::ThreadListHead));
    let name = seen.bytes(Process::ImageFileName, 15);
    marks.must(1, "image-name", name.map(is_name));
    marks.bonus(1, "printable-name", name.is_some_and(is_printable));
    let exited = seen.uint(Process::ExitTime).map(|time| time != 0);
    let control = seen.offset(Process::Pcb).unwrap_or_default();
    marks.must(
        1,
        "page-tables",
        seen.inner(control, ProcessControl::DirectoryTableBase)
            .map(|base| (base != 0 || exited == Some(true)) && base < 1 << 52),
    );
    let times = [Process::CreateTime, Process::ExitTime];
    marks.must(
        1,
        "times",
        all(times.map(|member| seen.uint(member).map(is_time))),
    );
    marks.bonus(
        1,
        "no-threads",
        seen.is_empty(Process::ThreadListHead, inside) == Some(true),
    );
    object(&mut marks, seen, &[*b"Proc", *b"Pro\xe3"]);
    is_object(&mut marks, seen, "Process");
    marks
}

fn thread(seen: &Seen<'_, '_>) -> Marks {
    let mut marks = Marks::default();
    let cid = seen.offset(Thread::Cid).unwrap_or_default();
    let ids = seen
        .inner(cid, ClientId::UniqueProcess)
        .zip(seen.inner(cid, ClientId::UniqueThread));
    marks.must(
        1,
        "client-id",
        ids.map(|(process, thread)| is_id(process) && thread != 0 && is_id(thread)),
    );
    let control = seen.offset(Thread::Tcb).unwrap_or_default();
    let of_control = |member| seen.inner(control, member);
    let owner = of_control(ThreadControl::Process);
    marks.must(1, "process", owner.map(|owner| seen.pointers.is_system(owner)));
    marks.must(
        1,
        "state",
        of_control(ThreadControl::State).map(|state| state <= 9),
    );
    marks.must(
        1,
        "wait-reason",
        of_control(ThreadControl::WaitReason).map(|reason| reason < 64),
    );
    let links = seen.links(Thread::ThreadListEntry);
    marks.must(
        1,
        "links",
        links.map(|links| links == [0, 0] || links.into_iter().all(|link| seen.pointers.is_system(link))),
    );
    let stack = of_control(ThreadControl::StackBase).zip(of_control(ThreadControl::StackLimit));
    marks.must(
        1,
        "stack",
        stack.map(|(base, limit)| {
            (base, limit) == (0, 0)
                || (seen.pointers.is_system(base) && seen.pointers.is_system(limit) && base > limit)
        }),
    );
    let times = [Thread::CreateTime, Thread::ExitTime];
    marks.may(
        1,
        "times",
        all(times.map(|member| seen.uint(member).map(is_time_of_thread))),
    );
    if let Some((process_id, owner)) = ids.map(|(process, _)| process).zip(owner) {
        let owner = seen.kernel.at(Gva::new(owner));
        let its = owner.true_uint(Process::UniqueProcessId).ok();
        marks.may(2, "its-process-has-the-id", its.map(|its| its == process_id));
    }
    object(&mut marks, seen, &[*b"Thre", *b"Thr\xe5"]);
    is_object(&mut marks, seen, "Thread");
    marks
}

/// The header of an object and the pool header at some distance before it.
fn object(marks: &mut Marks, seen: &Seen<'_, '_>, tags: &[[u8; 4]]) {
    let Some(header) = seen.offset(ObjectHeader::Body) else {
        return;
    };
    let unit = unit(seen.kernel.pointer_size());
    let mut back = header.saturating_add(unit);
    let most = header.saturating_add(unit).saturating_add(OPTIONAL_HEADERS);
    while back <= most {
        let block = seen
            .pool_header(back)
            .filter(|(tag, size, _)| tags.contains(&tag.0) && *size > back);
        if let Some((tag, _, state)) = block {
            marks.bonus(2, "pool-tag", true);
            marks.block = Some((tag, state));
            return;
        }
        back = back.saturating_add(unit);
    }
}

fn is_object(marks: &mut Marks, seen: &Seen<'_, '_>, name: &str) {
    if let Some(at) = seen.at {
        let header = object::header(seen.kernel, at);
        let is = header.and_then(|header| object::has_type(header, name));
        marks.bonus(2, "object-header", is.unwrap_or(false));
    }
}

/// Whether all that is known holds; none where nothing is.
fn all<const N: usize>(marks: [Option<bool>; N]) -> Option<bool> {
    let mut known = marks.into_iter().flatten().peekable();
    known.peek()?;
    Some(known.all(|holds| holds))
}

fn is_time(time: u64) -> bool {
    time == 0 || TIMES.contains(&time)
}

/// Where a thread keeps when it ended, one that runs has links of a list.
fn is_time_of_thread(time: u64) -> bool {
    is_time(time) || time >> 47 == 0x1_ffff || time >> 31 == 1
}

/// Whether a name begins. Of a long one some kernels keep fifteen characters and no NUL.
fn is_name(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|&first| first != 0)
}

fn is_printable(bytes: &[u8]) -> bool {
    let name: Vec<u8> = bytes.iter().copied().take_while(|&byte| byte != 0).collect();
    !name.is_empty() && name.iter().all(|byte| matches!(byte, 0x20..=0x7e))
}

/// A time, where it is one.
pub(crate) fn time(time: Option<u64>) -> Option<FileTime> {
    time.filter(|time| TIMES.contains(time)).map(FileTime)
}

/// Whether a message's id leads to it in the table of messages.
pub(crate) fn is_in_table(seen: &Seen<'_, '_>, id: u64) -> bool {
    let kernel = seen.kernel;
    let table = kernel.global_pointer(ntkernel::image::contract::Global::AlpcMessageTable);
    let entry = table.and_then(|table| handle::lookup(kernel, table, id & 0x03ff_ffff));
    entry.is_ok_and(|entry| entry.is_some_and(|entry| Some(entry.target) == seen.at))
}
