//! What of each kind shows in a page: a few words that are looked at in every page of a file, before anything is read.
//!
//! A shape looks at members that lie side by side, so that a thing which crosses the end of its page is met all the same:
//! what is not in the page is not looked at here.

use ntkernel::image::contract::{
    Blob, ClientId, CommunicationInfo, DispatcherHeader, Member, Message, Port, PortMessage, Process, Thread,
    ThreadControl,
};
use ntkernel::image::kernel::{Kernel, Read};
use ntkernel::object::blob::BlobKind;
use ntkernel::object::dispatcher::WaitObjectKind;
use ntkernel::object::pool;

use crate::port::contract::PortAttributes;
use crate::report::carve::CarveKind;

/// Bytes of a page.
const PAGE: usize = 0x1000;

/// Types of messages: 1 to 13; what is above them in the word's second byte are none of its flags.
const TYPES: std::ops::RangeInclusive<u64> = 1..=13;
const NO_FLAG_OF_TYPE: u64 = 0x0f00;

/// What a thing begins at, in the page or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    /// What was looked at, by its place: physical, or virtual in a dump of pieces.
    pub(crate) anchor: u64,
    /// How far that is from the thing's beginning.
    pub(crate) inside: u64,
    /// What it looks like.
    pub(crate) kind: CarveKind,
}

/// Pointers of a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pointers {
    width: usize,
    /// How far an address is shifted until only bits are left that all addresses of the system have set.
    shift: u32,
}

impl Pointers {
    pub(crate) fn of(kernel: &Kernel<'_>) -> Self {
        let bits = kernel.space().address_bits().saturating_sub(1);
        Self {
            width: usize::try_from(kernel.pointer_size()).unwrap_or(8),
            shift: bits,
        }
    }

    /// Whether a pointer can lead to a structure of the system.
    pub(crate) fn is_system(self, pointer: u64) -> bool {
        let aligned = pointer & 3 == 0;
        aligned
            && match self.width {
                4 => pointer >> self.shift == 1,
                _ => pointer >> self.shift == u64::MAX >> self.shift,
            }
    }

    fn is_system_or_null(self, pointer: u64) -> bool {
        pointer == 0 || self.is_system(pointer)
    }

    fn read(self, page: &[u8], at: usize) -> Option<u64> {
        number(page, at, self.width)
    }

    /// Whether both links of a list are pointers of the system; none beyond the page.
    fn are_links(self, page: &[u8], at: usize) -> Option<bool> {
        let next = self.read(page, at)?;
        let previous = self.read(page, at.checked_add(self.width)?)?;
        Some(self.is_system(next) && self.is_system(previous))
    }
}

/// A number of so many bytes, the least significant first.
pub(crate) fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let end = at.checked_add(width)?;
    match width {
        8 => Some(u64::from_le_bytes(bytes.get(at..end)?.try_into().ok()?)),
        4 => Some(u32::from_le_bytes(bytes.get(at..end)?.try_into().ok()?).into()),
        2 => Some(u16::from_le_bytes(bytes.get(at..end)?.try_into().ok()?).into()),
        1 => bytes.get(at).copied().map(u64::from),
        _ => None,
    }
}

/// The shapes that are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Shapes {
    pointers: Pointers,
    /// What allocations are aligned to.
    unit: usize,
    message: Option<MessageShape>,
    port: Option<PortShape>,
    connection: Option<ConnectionShape>,
    dispatcher: Option<DispatcherShape>,
    processes: bool,
    threads: bool,
}

/// A message, by the lengths and the type at the head of what is sent.
#[derive(Clone, Copy, Debug)]
struct MessageShape {
    /// Where that is in the message.
    header: usize,
    /// By how much the whole is longer than the data.
    header_len: u64,
}

/// A port, by lists that are never null.
#[derive(Clone, Debug)]
struct PortShape {
    links: Vec<usize>,
    info: usize,
    owner: usize,
    most_length: usize,
    least: u64,
}

/// A communication info, by the header of its blob.
#[derive(Clone, Copy, Debug)]
struct ConnectionShape {
    /// How far before the info the byte is that says what the blob holds.
    id_before: usize,
    list: usize,
    ports: [usize; 3],
}

/// Processes and threads, by what everything begins with that can be waited for.
#[derive(Clone, Copy, Debug)]
struct DispatcherShape {
    kind: usize,
    /// Who waits: a list that every one has from its making on; zeros where a tool wrote it.
    waiters: usize,
    /// How far the header is inside of a process and of a thread.
    process: usize,
    thread: usize,
    of_process: ProcessShape,
    of_thread: ThreadShape,
}

/// The rest of a process, by places from its dispatcher header on.
#[derive(Clone, Copy, Debug)]
struct ProcessShape {
    id: usize,
    links: usize,
    threads: usize,
}

/// The rest of a thread, by places from its dispatcher header on.
#[derive(Clone, Copy, Debug)]
struct ThreadShape {
    process: usize,
    process_id: usize,
    thread_id: usize,
}

impl Shapes {
    /// The shapes of some kinds, with why a kind cannot be looked for.
    pub(crate) fn of(
        kernel: &Kernel<'_>,
        wanted: &[CarveKind],
    ) -> (Self, Vec<(CarveKind, ntkernel::Unreadable)>) {
        let mut lacking = Vec::new();
        let mut shapes = Self {
            pointers: Pointers::of(kernel),
            unit: usize::try_from(pool::unit(kernel.pointer_size())).unwrap_or(16),
            message: None,
            port: None,
            connection: None,
            dispatcher: None,
            processes: false,
            threads: false,
        };
        for &kind in wanted {
            let made = match kind {
                CarveKind::Message => message(kernel).map(|shape| shapes.message = Some(shape)),
                CarveKind::Port => port(kernel).map(|shape| shapes.port = Some(shape)),
                CarveKind::Connection => connection(kernel).map(|shape| shapes.connection = Some(shape)),
                CarveKind::Process | CarveKind::Thread => dispatcher(kernel).map(|shape| {
                    shapes.dispatcher = Some(shape);
                    shapes.processes |= kind == CarveKind::Process;
                    shapes.threads |= kind == CarveKind::Thread;
                }),
            };
            if let Err(hole) = made {
                lacking.push((kind, hole));
            }
        }
        (shapes, lacking)
    }

    /// What in memory looks like one of the things. `at` is where its first byte is; it is a page, or a piece of one.
    pub(crate) fn hits(&self, bytes: &[u8], at: u64) -> Vec<Hit> {
        let mut hits = Vec::new();
        if let Some(shape) = &self.message {
            self.messages(shape, bytes, at, &mut hits);
        }
        if let Some(shape) = &self.port {
            let mut step = self.first(at, 0);
            while step < bytes.len() {
                if self.is_port(shape, bytes, step) {
                    hits.push(hit(CarveKind::Port, at, step, 0));
                }
                step = step.saturating_add(self.unit);
            }
        }
        if let Some(shape) = &self.connection {
            let mut step = self.first(at, 0);
            while step < bytes.len() {
                if self.is_connection(shape, bytes, step) {
                    hits.push(hit(CarveKind::Connection, at, step, 0));
                }
                step = step.saturating_add(self.unit);
            }
        }
        if let Some(shape) = &self.dispatcher {
            self.dispatchers(shape, bytes, at, &mut hits);
        }
        hits
    }

    /// Where the first place is that is `inside` bytes into something that is aligned.
    fn first(&self, at: u64, inside: usize) -> usize {
        let unit = self.unit as u64;
        let begin = at.wrapping_sub(inside as u64);
        let by = begin.next_multiple_of(unit).wrapping_sub(begin);
        usize::try_from(by).unwrap_or_default()
    }

    fn messages(&self, shape: &MessageShape, bytes: &[u8], at: u64, hits: &mut Vec<Hit>) {
        let mut step = self.first(at, shape.header);
        while let Some(head) = number(bytes, step, 8) {
            let (data, total) = (head & 0xffff, (head >> 16) & 0xffff);
            let kind = (head >> 32) & 0xffff;
            if total.wrapping_sub(data) == shape.header_len
                && TYPES.contains(&(kind & 0xff))
                && kind & NO_FLAG_OF_TYPE == 0
            {
                hits.push(hit(CarveKind::Message, at, step, shape.header));
            }
            step = step.saturating_add(self.unit);
        }
    }

    fn is_port(&self, shape: &PortShape, bytes: &[u8], at: usize) -> bool {
        let pointers = self.pointers;
        // The cheapest of those that tell most comes first: nearly all places fail it.
        let owner = pointers.read(bytes, at.saturating_add(shape.owner));
        let is_owned = match owner {
            Some(owner) => pointers.is_system(owner & !1),
            // The page ends before: its links in the list of ports are all that is in it.
            None => pointers.are_links(bytes, at).unwrap_or(true),
        };
        if !is_owned {
            return false;
        }
        let info = pointers.read(bytes, at.saturating_add(shape.info));
        if info.is_some_and(|info| !pointers.is_system_or_null(info)) {
            return false;
        }
        let mut links = shape.links.iter();
        let length = number(bytes, at.saturating_add(shape.most_length), pointers.width);
        links.all(|link| {
            pointers
                .are_links(bytes, at.saturating_add(*link))
                .unwrap_or(true)
        }) && length.is_none_or(|length| (shape.least..=0xffff).contains(&length))
    }

    fn is_connection(&self, shape: &ConnectionShape, bytes: &[u8], at: usize) -> bool {
        let id = at
            .checked_sub(shape.id_before)
            .and_then(|place| number(bytes, place, 1));
        if id.is_some_and(|id| id != u64::from(BlobKind::CONNECTION_INFO.0)) {
            return false;
        }
        let pointers = self.pointers;
        let mut some = false;
        for port in shape.ports {
            match pointers.read(bytes, at.saturating_add(port)) {
                Some(0) => {}
                Some(port) if !pointers.is_system(port) => return false,
                // One, or none that is in the page.
                _ => some = true,
            }
        }
        some && pointers
            .are_links(bytes, at.saturating_add(shape.list))
            .unwrap_or(true)
    }

    fn dispatchers(&self, shape: &DispatcherShape, bytes: &[u8], at: u64, hits: &mut Vec<Hit>) {
        let process = (
            WaitObjectKind::PROCESS.0,
            self.processes,
            CarveKind::Process,
            shape.process,
        );
        let thread = (
            WaitObjectKind::THREAD.0,
            self.threads,
            CarveKind::Thread,
            shape.thread,
        );
        for (number_of, wanted, kind, inside) in [process, thread] {
            let mut step = self.first(at, inside);
            while wanted && step < bytes.len() {
                // The highest bit is a lock.
                let is = number(bytes, step.saturating_add(shape.kind), 1)
                    .is_some_and(|found| found & 0x7f == u64::from(number_of));
                if is && self.has_waiters(shape, bytes, step) {
                    let fits = match kind {
                        CarveKind::Process => self.is_process(&shape.of_process, bytes, step),
                        _ => self.is_thread(&shape.of_thread, bytes, step),
                    };
                    if fits {
                        hits.push(hit(kind, at, step, inside));
                    }
                }
                step = step.saturating_add(self.unit);
            }
        }
    }

    fn has_waiters(&self, shape: &DispatcherShape, bytes: &[u8], at: usize) -> bool {
        let list = at.saturating_add(shape.waiters);
        let width = self.pointers.width;
        let links = self
            .pointers
            .read(bytes, list)
            .zip(self.pointers.read(bytes, list.saturating_add(width)));
        links.is_none_or(|(next, previous)| {
            (next, previous) == (0, 0) || (self.pointers.is_system(next) && self.pointers.is_system(previous))
        })
    }

    fn is_process(&self, shape: &ProcessShape, bytes: &[u8], at: usize) -> bool {
        let id = self.pointers.read(bytes, at.saturating_add(shape.id));
        let mut lists = [shape.links, shape.threads].into_iter();
        id.is_none_or(|id| id != 0 && is_id(id))
            && lists.all(|list| {
                self.pointers
                    .are_links(bytes, at.saturating_add(list))
                    .unwrap_or(true)
            })
    }

    fn is_thread(&self, shape: &ThreadShape, bytes: &[u8], at: usize) -> bool {
        let read = |place: usize| self.pointers.read(bytes, at.saturating_add(place));
        read(shape.process).is_none_or(|process| self.pointers.is_system(process))
            && read(shape.process_id).is_none_or(is_id)
            && read(shape.thread_id).is_none_or(|id| id != 0 && is_id(id))
    }
}

/// The last id of a process or thread that a system has given: far above what any of them reaches.
const MOST_ID: u64 = 0x0400_0000;

/// Ids of processes and threads are handles of a table: multiples of four.
pub(crate) fn is_id(id: u64) -> bool {
    id & 3 == 0 && id < MOST_ID
}

fn hit(kind: CarveKind, at: u64, step: usize, inside: usize) -> Hit {
    Hit {
        anchor: at.wrapping_add(step as u64),
        inside: inside as u64,
        kind,
    }
}

/// Where a member is, as a place in a page.
fn place<M: Member>(kernel: &Kernel<'_>, member: M) -> Read<usize> {
    let offset = kernel.offset(member)?;
    Ok(usize::try_from(offset).unwrap_or(PAGE))
}

fn message(kernel: &Kernel<'_>) -> Read<MessageShape> {
    // The lengths and the type are the first eight bytes in every kernel.
    kernel.offset(PortMessage::DataLength)?;
    Ok(MessageShape {
        header: place(kernel, Message::PortMessage)?,
        header_len: kernel.size_of::<PortMessage>()?,
    })
}

fn port(kernel: &Kernel<'_>) -> Read<PortShape> {
    let attributes = place(kernel, Port::PortAttributes)?;
    Ok(PortShape {
        links: [
            Port::MainQueue,
            Port::LargeMessageQueue,
            Port::PendingQueue,
            Port::CanceledQueue,
            Port::WaitQueue,
            Port::ResourceListHead,
        ]
        .into_iter()
        .map(|list| place(kernel, list))
        .collect::<Read<_>>()?,
        info: place(kernel, Port::CommunicationInfo)?,
        owner: place(kernel, Port::OwnerProcess)?,
        most_length: attributes.saturating_add(place(kernel, PortAttributes::MaxMessageLength)?),
        least: kernel.size_of::<PortMessage>()?,
    })
}

fn connection(kernel: &Kernel<'_>) -> Read<ConnectionShape> {
    let id = kernel.offset(Blob::ResourceId)?;
    let before = kernel.size_of::<Blob>()?.saturating_sub(id);
    Ok(ConnectionShape {
        id_before: usize::try_from(before).unwrap_or(PAGE),
        list: place(kernel, CommunicationInfo::CommunicationList)?,
        ports: [
            place(kernel, CommunicationInfo::ConnectionPort)?,
            place(kernel, CommunicationInfo::ServerCommunicationPort)?,
            place(kernel, CommunicationInfo::ClientCommunicationPort)?,
        ],
    })
}

fn dispatcher(kernel: &Kernel<'_>) -> Read<DispatcherShape> {
    let process = place(kernel, Process::Pcb)?;
    let thread = place(kernel, Thread::Tcb)?;
    let cid = place(kernel, Thread::Cid)?.saturating_sub(thread);
    Ok(DispatcherShape {
        kind: place(kernel, DispatcherHeader::Type)?,
        waiters: place(kernel, DispatcherHeader::WaitListHead)?,
        process,
        thread,
        of_process: ProcessShape {
            id: place(kernel, Process::UniqueProcessId)?.saturating_sub(process),
            links: place(kernel, Process::ActiveProcessLinks)?.saturating_sub(process),
            threads: place(kernel, Process::ThreadListHead)?.saturating_sub(process),
        },
        of_thread: ThreadShape {
            process: place(kernel, ThreadControl::Process)?,
            process_id: cid.saturating_add(place(kernel, ClientId::UniqueProcess)?),
            thread_id: cid.saturating_add(place(kernel, ClientId::UniqueThread)?),
        },
    })
}
