//! Finding what a user names: a process, a thread, a port or a message, by address, id or name.

use std::collections::BTreeSet;
use std::fmt;

use kdump::Gva;

use crate::port;
use crate::port::enumerate;
use crate::port::message_table;
use crate::port::queue::{self, QueueKind};
use crate::report::near::{Near, Nearest};
use ntkernel::image::contract::{ClientId, Global, Message, PortMessage, Process, Thread, ThreadControl};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Addr, NULL_REGION, Unreadable};
use ntkernel::object;
use ntkernel::object::directory::{self, same_name};
use ntkernel::object::handle;
use ntkernel::process;
use ntkernel::process::thread;
use ntkernel::why;

/// How a user names something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// By its address.
    Address(Gva),
    /// By a process id.
    ProcessId(u64),
    /// By a thread id.
    ThreadId(u64),
    /// By a message id.
    MessageId(u32),
    /// By a name: an image's, a port's, or the full path of an object.
    Name(String),
    /// The one that a debugger would begin with: the thread that crashed, or that ran where the dump was written,
    /// and its process.
    Current,
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{:016x}", address.u64()),
            Self::ProcessId(id) => write!(f, "pid:{id:#x}"),
            Self::ThreadId(id) => write!(f, "tid:{id:#x}"),
            Self::MessageId(id) => write!(f, "id:{id:#x}"),
            Self::Name(name) => f.write_str(name),
            Self::Current => f.write_str("current"),
        }
    }
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A process.
    Process,
    /// A thread.
    Thread,
    /// A port.
    Port,
    /// An executive object.
    Object,
    /// A type of executive objects.
    ObjectType,
    /// A message.
    Message,
    /// A resource, or a port that owns some.
    Resource,
    /// A structure of whatever type.
    Structure,
    /// What can wait: a thread, a message, a process.
    Waiter,
}

impl Thing {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Thread => "thread",
            Self::Port => "port",
            Self::Object => "object",
            Self::ObjectType => "type of objects",
            Self::Message => "message",
            Self::Resource => "resource",
            Self::Structure => "structure",
            Self::Waiter => "thread, message or process",
        }
    }

    /// The word for several.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Process => "processes",
            Self::Thread => "threads",
            Self::Port => "ports",
            Self::Object => "objects",
            Self::ObjectType => "types of objects",
            Self::Message => "messages",
            Self::Resource => "resources",
            Self::Structure => "structures",
            Self::Waiter => "threads, messages and processes",
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Bytes before the end of the address space in which nothing can begin: it would run past the last address.
const LAST: u64 = 0x100;

/// Why nothing can be at an address, whatever the dump holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nowhere {
    /// It is in the first 64 KiB.
    #[error("Windows maps nothing in the first 64 KiB of an address space")]
    NullRegion,
    /// It is at the end of the address space.
    #[error("it would run past the last address")]
    PastTheEnd,
}

impl Nowhere {
    /// Why nothing can be at an address; none where something may be.
    #[must_use]
    pub fn of(kernel: &Kernel<'_>, address: Gva) -> Option<Self> {
        let last = match kernel.pointer_size() {
            4 => u64::from(u32::MAX),
            _ => u64::MAX,
        };
        match address.u64() {
            // Windows leaves the first 64 KiB free: the lowest address that a program can have is 10000 hex
            // (GetSystemInfo, lpMinimumApplicationAddress). What points there was a null pointer and an offset.
            ..NULL_REGION => Some(Self::NullRegion),
            at if at > last.saturating_sub(LAST) => Some(Self::PastTheEnd),
            _ => None,
        }
    }
}

/// What a number is the id of, in this system: those of its processes, threads and messages that have it.
#[must_use]
pub fn with_id(kernel: &Kernel<'_>, number: u64) -> Vec<Selector> {
    let message = u32::try_from(number).ok().map(Selector::MessageId);
    let is_there = |selector: &Selector| {
        let found = match selector {
            Selector::ProcessId(_) => process(kernel, selector),
            Selector::ThreadId(_) => thread(kernel, selector),
            _ => self::message(kernel, selector),
        };
        match found {
            Ok(_) | Err(NotSelected::Ambiguous { .. }) => true,
            Err(_) => false,
        }
    };
    // Id 0 is nobody's, but what has no id has it.
    let all = [
        message,
        Some(Selector::ThreadId(number)),
        // Ids of processes and threads come out of one table, so that no number is both at a time. A message's id is
        // a handle of another table: it may be the same number.
        Some(Selector::ProcessId(number)),
    ];
    let all = all.into_iter().flatten().filter(|_| number != 0);
    all.filter(is_there).collect()
}

/// Something that a selector could mean.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its address.
    pub address: Addr,
    /// What it is, as the dump has it: escape it before it reaches a terminal.
    pub text: String,
}

/// Why a selector names nothing, or too much.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotSelected {
    /// Nothing matches, in what the dump holds.
    #[error("no {what} matches {selector}")]
    None {
        /// What was looked for.
        what: Thing,
        /// What the user gave.
        selector: Selector,
        /// What could not be searched.
        gaps: Vec<Unreadable>,
        /// Names that may have been meant.
        near: Vec<Near>,
    },
    /// More than one thing matches.
    #[error("{} {} match {selector}", candidates.len(), what.plural())]
    Ambiguous {
        /// What was looked for.
        what: Thing,
        /// What the user gave.
        selector: Selector,
        /// All that match.
        candidates: Vec<Candidate>,
    },
    /// The thing cannot be named like this.
    #[error("no {what} can be named by {selector}: give {instead}")]
    WrongKind {
        /// What was looked for.
        what: Thing,
        /// What the user gave.
        selector: Selector,
        /// What can be given.
        instead: &'static str,
    },
}

impl NotSelected {
    /// A stable id of the reason, for scripts.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::None { .. } => "no-match",
            Self::Ambiguous { .. } => "ambiguous",
            Self::WrongKind { .. } => "wrong-selector",
        }
    }
}

/// What a search gave before it is known whether it is one.
#[derive(Default)]
struct Search {
    found: Vec<Candidate>,
    gaps: Vec<Unreadable>,
    near: Vec<Near>,
}

impl Search {
    fn note<T>(&mut self, read: Read<T>) -> Option<T> {
        read.map_err(|hole| self.gaps.push(hole)).ok()
    }

    /// Looks for names near the one that was given, once nothing has that.
    fn or_near(mut self, name: &str, kernel: &Kernel<'_>, offer: impl FnOnce(&mut Nearest)) -> Self {
        if self.found.is_empty() {
            let mut nearest = Nearest::to(name);
            offer(&mut nearest);
            self.near = nearest.names();
            for near in &mut self.near {
                near.process_id = near.address.and_then(|address| process_id(kernel, address.gva()));
            }
        }
        self
    }

    fn one(self, what: Thing, selector: &Selector) -> Result<Gva, NotSelected> {
        let selector = selector.clone();
        match self.found.as_slice() {
            [one] => Ok(one.address.gva()),
            [] => Err(NotSelected::None {
                what,
                selector,
                gaps: self.gaps,
                near: self.near,
            }),
            _ => Err(NotSelected::Ambiguous {
                what,
                selector,
                candidates: self.found,
            }),
        }
    }
}

/// The process that a selector names: by address, by id, by image name, or by the id of one of its threads.
///
/// An address is taken as it is: whoever reads the process says when there is none.
///
/// # Errors
/// When no process or more than one matches.
pub fn process(kernel: &Kernel<'_>, selector: &Selector) -> Result<Gva, NotSelected> {
    let what = Thing::Process;
    match selector {
        Selector::Address(address) => Ok(*address),
        Selector::ProcessId(wanted) => {
            let has_id = |at: At<'_, '_>| Ok(at.uint(Process::UniqueProcessId)? == *wanted);
            let mut search = processes(kernel, has_id);
            // A torn list hides processes that the table of ids still has.
            if search.found.is_empty()
                && let Some(address) = by_client_id(kernel, *wanted)
                && process::is_process(kernel, address).is_ok_and(|is| is)
                && has_id(kernel.at(address)).is_ok_and(|has| has)
            {
                search.found.push(process_candidate(kernel, address));
            }
            search.one(what, selector)
        }
        Selector::Name(name) => processes(kernel, |at| process::has_image(at, name))
            .or_near(name, kernel, |nearest| offer_images(kernel, name, nearest))
            .one(what, selector),
        Selector::ThreadId(_) => {
            let thread = thread(kernel, selector)?;
            // Not whom it is attached to: see Owning Process and Attached Process in `!thread`.
            let control = kernel.at(thread).embedded(Thread::Tcb);
            let owner = control.and_then(|control| control.pointer(ThreadControl::Process));
            let mut search = Search::default();
            if let Some(owner) = search.note(owner) {
                search.found.push(process_candidate(kernel, owner));
            }
            search.one(what, selector)
        }
        Selector::Current => {
            let mut search = Search::default();
            let mut seen = BTreeSet::new();
            for (_, process) in current(kernel, &mut search) {
                if seen.insert(process) {
                    search.found.push(process_candidate(kernel, process));
                }
            }
            search.one(what, selector)
        }
        Selector::MessageId(_) => Err(NotSelected::WrongKind {
            what,
            selector: selector.clone(),
            instead: "its address, pid:N, its image name or current",
        }),
    }
}

/// The threads that a debugger could begin with, and their processes. That there is none has a reason.
fn current(kernel: &Kernel<'_>, search: &mut Search) -> Vec<(Gva, Gva)> {
    let current = process::roots::of(kernel).current(kernel);
    if current.is_empty() {
        let table = kernel
            .global(Global::KiProcessorBlock)
            .and_then(|table| kernel.cursor().pointer(table));
        let reason = table.err().unwrap_or_else(|| {
            Unreadable::Walk(why!(
                "no processor's control block leads to a thread that can be read"
            ))
        });
        search.gaps.push(reason);
    }
    current
}

/// What is at an address, in the words of a list of candidates.
#[must_use]
pub fn described(kernel: &Kernel<'_>, address: Addr) -> Candidate {
    let at = address.gva();
    if process::is_process(kernel, at).is_ok_and(|is| is) {
        return process_candidate(kernel, at);
    }
    let text = if thread::is_certainly_thread(kernel, at) {
        let id = thread_id(kernel, at).map_or_else(|_| "?".to_owned(), |id| format!("{id:#x}"));
        format!("tid:{id}")
    } else {
        let path = object::path(kernel, at).ok().flatten();
        let name = || object::header(kernel, at).and_then(object::name).ok().flatten();
        path.or_else(name).unwrap_or_else(|| "message".to_owned())
    };
    Candidate { address, text }
}

/// All processes of an image, in the order of the system's list, and why there may be more of them.
///
/// # Errors
/// There is none, as far as the processes can be read.
pub fn processes_of(kernel: &Kernel<'_>, image: &str) -> Result<(Vec<Gva>, Vec<Unreadable>), NotSelected> {
    let search = processes(kernel, |at| process::has_image(at, image))
        .or_near(image, kernel, |nearest| offer_images(kernel, image, nearest));
    if search.found.is_empty() {
        let selector = Selector::Name(image.to_owned());
        search.one(Thing::Process, &selector)?;
        return Ok((Vec::new(), Vec::new()));
    }
    let addresses = search.found.iter().map(|found| found.address.gva()).collect();
    Ok((addresses, search.gaps))
}

fn processes(kernel: &Kernel<'_>, matches: impl Fn(At<'_, '_>) -> Read<bool>) -> Search {
    let mut search = Search::default();
    let Some(list) = search.note(process::processes(kernel)) else {
        return search;
    };
    search.note(list.complete("the list of processes"));
    for address in list.entries {
        if search.note(matches(kernel.at(address))) == Some(true) {
            search.found.push(process_candidate(kernel, address));
        }
    }
    search
}

/// The names of all images. Who leaves the ending out is understood.
fn offer_images(kernel: &Kernel<'_>, wanted: &str, nearest: &mut Nearest) {
    let processes = process::processes(kernel).map(|list| list.entries);
    for address in processes.unwrap_or_default() {
        let at = kernel.at(address);
        let path = process::image_path(at).ok().flatten();
        let of_path = path
            .as_deref()
            .map(process::file_name)
            .filter(|name| !name.is_empty());
        let Some(name) = of_path
            .map(str::to_owned)
            .or_else(|| process::image_name(at).ok())
        else {
            continue;
        };
        let compared = match name.rsplit_once('.') {
            Some((stem, _)) if !wanted.contains('.') => stem,
            _ => &name,
        };
        nearest.offer_as(&name, compared, Some(kernel.addr(address)));
    }
}

fn process_id(kernel: &Kernel<'_>, address: Gva) -> Option<u64> {
    let is_process = process::is_process(kernel, address).is_ok_and(|is| is);
    let id = || kernel.at(address).uint(Process::UniqueProcessId).ok();
    is_process.then(id).flatten()
}

fn process_candidate(kernel: &Kernel<'_>, address: Gva) -> Candidate {
    let at = kernel.at(address);
    let id = at
        .uint(Process::UniqueProcessId)
        .map_or_else(|_| "?".to_owned(), |id| format!("{id:#x}"));
    let image = process::image_name(at).unwrap_or_else(|_| "?".to_owned());
    Candidate {
        address: kernel.addr(address),
        text: format!("pid:{id} {image}"),
    }
}

/// The process or thread that `PspCidTable` has under an id: a handle table whose entries point straight at
/// them.
fn by_client_id(kernel: &Kernel<'_>, id: u64) -> Option<Gva> {
    let table = kernel.global_pointer(Global::PspCidTable).ok()?;
    // Threads and processes in one table, found by id without any list: a process that was unlinked from the list to
    // hide it mostly is still here.
    Some(handle::lookup(kernel, table, id).ok()??.target)
}

/// The thread that a selector names: by address or by id.
///
/// An address is taken as it is: whoever reads the thread says when there is none.
///
/// # Errors
/// When no thread or more than one matches.
pub fn thread(kernel: &Kernel<'_>, selector: &Selector) -> Result<Gva, NotSelected> {
    let what = Thing::Thread;
    match selector {
        Selector::Address(address) => Ok(*address),
        Selector::ThreadId(wanted) => {
            let mut search = threads(kernel, *wanted);
            if search.found.is_empty()
                && let Some(address) = by_client_id(kernel, *wanted)
                && thread::is_thread(kernel, address)
                && thread_id(kernel, address).is_ok_and(|id| id == *wanted)
            {
                search.found.push(Candidate {
                    address: kernel.addr(address),
                    text: selector.to_string(),
                });
            }
            search.one(what, selector)
        }
        Selector::Current => {
            let mut search = Search::default();
            for (thread, _) in current(kernel, &mut search) {
                search.found.push(described(kernel, kernel.addr(thread)));
            }
            search.one(what, selector)
        }
        _ => Err(NotSelected::WrongKind {
            what,
            selector: selector.clone(),
            instead: "its address, tid:N or current",
        }),
    }
}

fn threads(kernel: &Kernel<'_>, wanted: u64) -> Search {
    let mut search = Search::default();
    let Some(processes) = search.note(process::processes(kernel)) else {
        return search;
    };
    search.note(processes.complete("the list of processes"));
    for process in processes.entries {
        let Some(list) = search.note(thread::threads_of(kernel.at(process))) else {
            continue;
        };
        search.note(list.complete("the list of threads"));
        for address in list.entries {
            if search.note(thread_id(kernel, address)) == Some(wanted) {
                let text = process_candidate(kernel, process).text;
                search.found.push(Candidate {
                    address: kernel.addr(address),
                    text: format!("tid:{wanted:#x} of {text}"),
                });
            }
        }
    }
    search
}

fn thread_id(kernel: &Kernel<'_>, thread: Gva) -> Read<u64> {
    kernel
        .at(thread)
        .embedded(Thread::Cid)?
        .uint(ClientId::UniqueThread)
}

/// The port that a selector names: by address, by name, or by full path when the name begins with a backslash.
///
/// An address is taken as it is: whoever reads the port says when there is none.
///
/// # Errors
/// When no port or more than one matches.
pub fn port(kernel: &Kernel<'_>, selector: &Selector) -> Result<Gva, NotSelected> {
    let what = Thing::Port;
    match selector {
        Selector::Address(address) => Ok(*address),
        Selector::Name(name) => ports(kernel, name)
            .or_near(name, kernel, |nearest| offer_ports(kernel, name, nearest))
            .one(what, selector),
        _ => Err(NotSelected::WrongKind {
            what,
            selector: selector.clone(),
            instead: "its address, its name or its full path",
        }),
    }
}

/// Ports are looked for in the namespace and among all ports: one that was unlinked from the namespace keeps
/// its name, and a hole in a directory hides a port that the list of ports still has.
fn ports(kernel: &Kernel<'_>, name: &str) -> Search {
    let mut search = Search::default();
    let named = if name.starts_with('\\') {
        directory::find(kernel, name)
    } else {
        let port_type = kernel.global_pointer(Global::AlpcPortObjectType);
        port_type.and_then(|port_type| directory::objects_of_type(kernel, port_type))
    };
    let mut seen = BTreeSet::new();
    if let Some(found) = search.note(named) {
        search.gaps.extend(found.gaps);
        for named in found.objects {
            let is_port = port::is_port_object(kernel.at(named.object)).unwrap_or(true);
            if is_port && names(&named.path, name) && seen.insert(named.object) {
                search.found.push(Candidate {
                    address: kernel.addr(named.object),
                    text: named.path,
                });
            }
        }
    }
    let all = enumerate::ports(kernel);
    if let Some(hole) = all.complete.reason() {
        search.gaps.push(hole.clone());
    }
    for address in all.ports {
        let path = if name.starts_with('\\') {
            // The path is climbed from the object's name info by its directories: each object knows its parent, and
            // not its path.
            object::path(kernel, address)
        } else {
            object::header(kernel, address).and_then(object::name)
        };
        if let Some(Some(path)) = search.note(path)
            && names(&path, name)
            && seen.insert(address)
        {
            search.found.push(Candidate {
                address: kernel.addr(address),
                text: object::path(kernel, address).ok().flatten().unwrap_or(path),
            });
        }
    }
    search
}

/// The names of all ports, in the namespace and not; their paths, when a path is wanted.
fn offer_ports(kernel: &Kernel<'_>, wanted: &str, nearest: &mut Nearest) {
    let mut seen = BTreeSet::new();
    let port_type = kernel.global_pointer(Global::AlpcPortObjectType);
    let named = port_type.and_then(|port_type| directory::objects_of_type(kernel, port_type));
    let in_namespace = named.map(|found| found.objects).unwrap_or_default();
    for named in in_namespace {
        if seen.insert(named.object) {
            offer_path(kernel, wanted, &named.path, named.object, nearest);
        }
    }
    for address in enumerate::ports(kernel).ports {
        if seen.insert(address)
            && let Ok(Some(path)) = object::path(kernel, address)
        {
            offer_path(kernel, wanted, &path, address, nearest);
        }
    }
}

fn offer_path(kernel: &Kernel<'_>, wanted: &str, path: &str, object: Gva, nearest: &mut Nearest) {
    let name = match wanted.starts_with('\\') {
        true => path,
        false => process::file_name(path),
    };
    nearest.offer(name, Some(kernel.addr(object)));
}

/// Whether a path is the wanted one, or ends in the wanted name.
pub(crate) fn names(path: &str, wanted: &str) -> bool {
    if wanted.starts_with('\\') {
        same_name(path, wanted)
    } else {
        same_name(process::file_name(path), wanted)
    }
}

/// The object that a selector names: by address, by full path, a port or process by its name, or a process or
/// thread by its id.
///
/// # Errors
/// When no object or more than one matches.
pub fn object(kernel: &Kernel<'_>, selector: &Selector) -> Result<Gva, NotSelected> {
    let what = Thing::Object;
    match selector {
        Selector::Address(address) => Ok(*address),
        Selector::Name(path) if path.starts_with('\\') => {
            let mut search = Search::default();
            if let Some(found) = search.note(directory::find(kernel, path)) {
                // A hole in a directory hides a port that the list of ports still has.
                if found.objects.is_empty() && !found.gaps.is_empty() {
                    return ports(kernel, path)
                        .or_near(path, kernel, |nearest| offer_objects(kernel, path, nearest))
                        .one(what, selector);
                }
                search.gaps = found.gaps;
                search.found = found
                    .objects
                    .into_iter()
                    .map(|named| Candidate {
                        address: kernel.addr(named.object),
                        text: named.path,
                    })
                    .collect();
            }
            search
                .or_near(path, kernel, |nearest| offer_objects(kernel, path, nearest))
                .one(what, selector)
        }
        Selector::Name(name) => {
            let mut search = ports(kernel, name);
            let processes = processes(kernel, |at| process::has_image(at, name));
            search.found.extend(processes.found);
            search.gaps.extend(processes.gaps);
            search
                .or_near(name, kernel, |nearest| {
                    offer_ports(kernel, name, nearest);
                    offer_images(kernel, name, nearest);
                })
                .one(what, selector)
        }
        Selector::ProcessId(_) => process(kernel, selector),
        Selector::ThreadId(_) | Selector::Current => thread(kernel, selector),
        Selector::MessageId(_) => Err(NotSelected::WrongKind {
            what,
            selector: selector.clone(),
            instead: "its address, its name or its full path, as in \\RPC Control\\ntsvcs",
        }),
    }
}

/// The paths of all objects in the namespace.
fn offer_objects(kernel: &Kernel<'_>, wanted: &str, nearest: &mut Nearest) {
    let found = directory::all(kernel, |_| Ok(true));
    for named in found.map(|found| found.objects).unwrap_or_default() {
        offer_path(kernel, wanted, &named.path, named.object, nearest);
    }
}

/// Whether objects can be of a type: an error when all types are known, and none is called so.
///
/// # Errors
/// When no type has the name.
pub fn object_type(kernel: &Kernel<'_>, name: &str) -> Result<(), NotSelected> {
    // A folder of the namespace with one object for each type; WinObj shows it.
    let Ok(found) = directory::find(kernel, "\\ObjectTypes") else {
        return Ok(());
    };
    let mut gaps = found.gaps;
    let mut nearest = Nearest::to(name);
    let mut types = 0_usize;
    for directory in found.objects {
        let inside = directory::contents(kernel.at(directory.object));
        gaps.extend(inside.gaps);
        for (_, object) in inside.objects {
            match object::header(kernel, object).and_then(object::name) {
                // "ALPC Port" and "TpWorkerFactory": names of types are written in any way, blanks included.
                Ok(Some(known)) if known.eq_ignore_ascii_case(name) => return Ok(()),
                Ok(known) => known.iter().for_each(|known| nearest.offer(known, None)),
                Err(hole) => gaps.push(hole),
            }
            types = types.saturating_add(1);
        }
    }
    // What cannot be read may be the one that was meant.
    if types == 0 || !gaps.is_empty() {
        return Ok(());
    }
    Err(NotSelected::None {
        what: Thing::ObjectType,
        selector: Selector::Name(name.to_owned()),
        gaps,
        near: nearest.names(),
    })
}

/// The message that a selector names: by address or by id.
///
/// Ids are looked up in the message tables; where these do not tell, the queues of all ports are searched.
///
/// # Errors
/// When no message or more than one matches.
pub fn message(kernel: &Kernel<'_>, selector: &Selector) -> Result<Gva, NotSelected> {
    let what = Thing::Message;
    match selector {
        Selector::Address(address) => Ok(*address),
        Selector::MessageId(id) => messages(kernel, *id).one(what, selector),
        _ => Err(NotSelected::WrongKind {
            what,
            selector: selector.clone(),
            instead: "its address in hex digits, as in fffff8800f4cc950, or its id as id:N",
        }),
    }
}

fn messages(kernel: &Kernel<'_>, id: u32) -> Search {
    let mut search = Search::default();
    match message_table::message_by_id(kernel, id) {
        // As `id:3068` of the published case: bfc is a handle, and its message one look away.
        Ok(Some(message)) => {
            search.found.push(message_candidate(kernel, message));
            return search;
        }
        Ok(None) => {}
        Err(hole) => search.gaps.push(hole),
    }
    let all = enumerate::ports(kernel);
    if let Some(hole) = all.complete.reason() {
        search.gaps.push(hole.clone());
    }
    let mut seen = BTreeSet::new();
    for port in all.ports {
        for kind in QueueKind::ALL {
            for message in queued(kernel, port, kind, &mut search.gaps) {
                let header = kernel.at(message).embedded(Message::PortMessage);
                let found = header.and_then(|header| header.u32(PortMessage::MessageId));
                if search.note(found) == Some(id) && seen.insert(message) {
                    search.found.push(message_candidate(kernel, message));
                }
            }
        }
    }
    search
}

/// The messages in a queue; none where this kernel has no such queue.
fn queued(kernel: &Kernel<'_>, port: Gva, kind: QueueKind, gaps: &mut Vec<Unreadable>) -> Vec<Gva> {
    match queue::members(kernel.at(port), kind) {
        Ok(list) => {
            gaps.extend(list.complete("the queue").err());
            list.entries
        }
        Err(hole) if hole.is_absence() => Vec::new(),
        Err(hole) => {
            gaps.push(hole);
            Vec::new()
        }
    }
}

fn message_candidate(kernel: &Kernel<'_>, message: Gva) -> Candidate {
    Candidate {
        address: kernel.addr(message),
        text: "message".to_owned(),
    }
}
