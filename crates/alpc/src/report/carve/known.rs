//! What the system's own lists and tables lead to: whatever is found beside it is freed, hidden, or being made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kdump::Gva;
use ntkernel::image::contract::{CommunicationInfo, ObjectHeader, Port, Process};
use ntkernel::image::kernel::{Kernel, Read, offset};
use ntkernel::image::value::{Addr, Unreadable};
use ntkernel::object;
use ntkernel::object::blob::{self, BlobKind};
use ntkernel::object::handle;
use ntkernel::process;
use ntkernel::process::roots::FoundBy;
use ntkernel::process::thread;

use crate::port::contract::Reserve;
use crate::port::enumerate;
use crate::port::{self, PortKind, communication, message_table, queue, resource};
use crate::report::carve::CarveKind;

/// What leads to something that the list of its kind may lack.
#[derive(Clone, Debug)]
pub(crate) enum Lead {
    /// A handle of a process.
    Handle(u64, Addr),
    /// A name in the namespace.
    Name,
    /// A communication info.
    Connection(Addr),
    /// A queue of a port.
    Queue(Addr),
    /// A port, a connection or a reserve that keeps a message for later.
    Kept(Addr),
    /// What a processor runs, or what crashed.
    Processor(FoundBy),
    /// Nothing but that there is always one.
    Idle,
}

impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handle(handle, process) => {
                write!(f, "the handle {handle:x} of the process {process} leads to it")
            }
            Self::Name => f.write_str("a name in the namespace leads to it"),
            Self::Connection(info) => write!(f, "the communication info {info} names it"),
            Self::Queue(port) => write!(f, "it is in a queue of the port {port}"),
            Self::Kept(keeper) => write!(f, "{keeper} keeps it"),
            Self::Processor(found_by) => write!(f, "it is, or owns, {found_by}"),
            Self::Idle => f.write_str("it is the Idle process"),
        }
    }
}

/// What is known of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// What the list or table of its kind holds.
    pub(crate) listed: BTreeSet<Gva>,
    /// What something else leads to: a handle, a name, a connection, a queue.
    pub(crate) reached: BTreeMap<Gva, Lead>,
    /// Why some of either may be missing.
    pub(crate) gap: Option<Unreadable>,
}

impl Known {
    fn add(&mut self, address: Gva, lead: Option<Lead>) {
        match lead {
            None => {
                self.listed.insert(address);
            }
            Some(lead) => self.lead(address, lead),
        }
    }

    fn lead(&mut self, address: Gva, lead: Lead) {
        self.reached.entry(address).or_insert(lead);
    }

    fn leads(&mut self, addresses: impl IntoIterator<Item = Gva>, lead: &Lead) {
        for address in addresses {
            self.lead(address, lead.clone());
        }
    }

    fn all(&self) -> Vec<Gva> {
        let reached = self.reached.keys().filter(|at| !self.listed.contains(at));
        self.listed.iter().chain(reached).copied().collect()
    }

    fn lacks(&mut self, hole: Unreadable) {
        self.gap.get_or_insert(hole);
    }
}

/// What is known of each kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllKnown {
    ports: Known,
    messages: Known,
    connections: Known,
    processes: Known,
    threads: Known,
}

impl AllKnown {
    pub(crate) fn of(&self, kind: CarveKind) -> &Known {
        match kind {
            CarveKind::Port => &self.ports,
            CarveKind::Message => &self.messages,
            CarveKind::Connection => &self.connections,
            CarveKind::Process => &self.processes,
            CarveKind::Thread => &self.threads,
        }
    }

    /// Follows what there is. All kinds are known together, for each leads to the others.
    pub(crate) fn read(kernel: &Kernel<'_>) -> Self {
        let kernel = &kernel.untraced();
        let mut known = Self::default();
        known.processes_and_threads(kernel);
        known.ports(kernel);
        known.handles(kernel);
        known.connections(kernel);
        known.messages(kernel);
        known
    }

    fn processes_and_threads(&mut self, kernel: &Kernel<'_>) {
        match process::processes(kernel) {
            Ok(list) => {
                if let Err(hole) = list.followed("the list of processes") {
                    self.processes.lacks(hole.clone());
                    self.threads.lacks(hole);
                }
                for &process in &list.entries {
                    // The Idle process is in no list of the system's: what runs on each processor leads to it.
                    let is_idle = kernel.at(process).true_uint(Process::UniqueProcessId).ok() == Some(0);
                    let lead = list.found_by(process).map(Lead::Processor);
                    let lead = if is_idle { Some(Lead::Idle) } else { lead };
                    self.processes.add(process, lead);
                }
            }
            Err(hole) => {
                self.processes.lacks(hole.clone());
                self.threads.lacks(hole);
            }
        }
        for process in self.processes.all() {
            match thread::threads_of(kernel.at(process)) {
                Ok(list) => {
                    if let Err(hole) = list.followed("a list of threads") {
                        self.threads.gap.get_or_insert(hole);
                    }
                    for &thread in &list.entries {
                        self.threads
                            .add(thread, list.found_by(thread).map(Lead::Processor));
                    }
                }
                Err(hole) => {
                    self.threads.gap.get_or_insert(hole);
                }
            }
        }
    }

    fn ports(&mut self, kernel: &Kernel<'_>) {
        match port::port_list(kernel) {
            Ok(list) => {
                if let Err(hole) = list.complete("the kernel's list of ports") {
                    self.ports.lacks(hole);
                }
                self.ports.listed.extend(list.entries);
            }
            Err(hole) => self.ports.lacks(hole),
        }
        match enumerate::by_name(kernel) {
            Ok(leads) => {
                self.ports.leads(leads.ports, &Lead::Name);
                if let Some(gap) = leads.gaps.into_iter().next() {
                    self.ports.lacks(gap);
                }
            }
            Err(hole) => self.ports.lacks(hole),
        }
    }

    /// Ports, processes and threads that handles lead to.
    fn handles(&mut self, kernel: &Kernel<'_>) {
        let Ok(body) = kernel.offset(ObjectHeader::Body) else {
            return;
        };
        let mut types = Types::default();
        for process in self.processes.all() {
            let table = match kernel.at(process).pointer(Process::ObjectTable) {
                Ok(table) if table.u64() != 0 => table,
                _ => continue,
            };
            if handle::claim(kernel, process, table).is_err() {
                continue;
            }
            let mut found = Vec::new();
            let walked = handle::walk(kernel, table, |entry| {
                found.push((entry.handle, offset(entry.target, body)));
            });
            let owner = kernel.addr(process);
            for (handle, address) in found {
                if let Some(kind) = types.kind(kernel, address) {
                    self.of_mut(kind).lead(address, Lead::Handle(handle, owner));
                }
            }
            match walked {
                Ok(gaps) => {
                    if let Some(gap) = gaps.first() {
                        let hole = gap.hole_of(gap.why());
                        self.ports.lacks(hole);
                    }
                }
                Err(hole) => self.ports.lacks(hole),
            }
        }
    }

    fn of_mut(&mut self, kind: CarveKind) -> &mut Known {
        match kind {
            CarveKind::Port => &mut self.ports,
            CarveKind::Message => &mut self.messages,
            CarveKind::Connection => &mut self.connections,
            CarveKind::Process => &mut self.processes,
            CarveKind::Thread => &mut self.threads,
        }
    }

    /// The infos that ports lead to, and the ports that infos name.
    fn connections(&mut self, kernel: &Kernel<'_>) {
        const PLACES: [CommunicationInfo; 3] = [
            CommunicationInfo::ConnectionPort,
            CommunicationInfo::ServerCommunicationPort,
            CommunicationInfo::ClientCommunicationPort,
        ];
        self.connections.gap = self.ports.gap.clone();
        let mut waiting: Vec<Gva> = self.ports.all();
        let mut done: BTreeSet<Gva> = waiting.iter().copied().collect();
        while let Some(address) = waiting.pop() {
            let at = kernel.at(address);
            let mut infos: Vec<Gva> = port::info(at)
                .ok()
                .map(|info| info.address())
                .into_iter()
                .collect();
            if matches!(port::kind(at), Ok(PortKind::Connection)) {
                match communication::infos(at) {
                    Ok(list) => {
                        if let Err(hole) = list.complete("a list of connections") {
                            self.connections.gap.get_or_insert(hole);
                        }
                        infos.extend(list.entries);
                    }
                    Err(hole) => {
                        self.connections.gap.get_or_insert(hole);
                    }
                }
            }
            for info in infos {
                if !self.connections.listed.insert(info) {
                    continue;
                }
                let named = PLACES
                    .into_iter()
                    .filter_map(|place| kernel.at(info).pointer(place).ok());
                for port in named.filter(|port| port.u64() != 0) {
                    if port::kind(kernel.at(port)).is_ok() && done.insert(port) {
                        self.ports.lead(port, Lead::Connection(kernel.addr(info)));
                        waiting.push(port);
                    }
                }
            }
        }
    }

    /// The messages of the tables, of the queues, and those that ports, connections and reserves keep for later.
    fn messages(&mut self, kernel: &Kernel<'_>) {
        match message_table::messages(kernel) {
            Ok(table) => {
                self.messages.listed.extend(table.messages);
                if let Some(gap) = table.gaps.into_iter().next() {
                    self.messages.lacks(gap);
                }
            }
            Err(hole) => self.messages.lacks(hole),
        }
        let ports: Vec<Gva> = self.ports.all();
        for address in ports {
            let at = kernel.at(address);
            for kind in queue::QueueKind::ALL {
                match queue::members(at, kind) {
                    Ok(list) => {
                        if let Err(hole) = list.complete("a queue") {
                            self.messages.lacks(hole);
                        }
                        self.messages
                            .leads(list.entries, &Lead::Queue(kernel.addr(address)));
                    }
                    Err(hole) if hole.is_absence() => {}
                    Err(hole) => self.messages.lacks(hole),
                }
            }
            let kept = pointer(at.pointer(Port::CachedMessage));
            self.messages.leads(kept, &Lead::Kept(kernel.addr(address)));
            let resources = resource::bodies_of_port(at)
                .map(|list| list.entries)
                .unwrap_or_default();
            for body in resources {
                if blob::kind(kernel, body).is_ok_and(|kind| kind == BlobKind::RESERVE) {
                    let kept = pointer(kernel.at(body).pointer(Reserve::Message));
                    self.messages.leads(kept, &Lead::Kept(kernel.addr(body)));
                }
            }
        }
        for &info in &self.connections.listed {
            let message = kernel.at(info).pointer(CommunicationInfo::CloseMessage);
            self.messages
                .leads(pointer(message), &Lead::Kept(kernel.addr(info)));
        }
    }
}

/// What the types of objects are to us, each looked at once: handles are many, and types few.
#[derive(Default)]
struct Types(BTreeMap<Gva, Option<CarveKind>>);

impl Types {
    /// The kind of an object, if it is one of ours.
    fn kind(&mut self, kernel: &Kernel<'_>, object: Gva) -> Option<CarveKind> {
        let header = object::header(kernel, object).ok()?;
        let address = object::type_address(header).ok()?;
        *self.0.entry(address).or_insert_with(|| {
            let found = object::object_type(header).ok()?;
            match found.name.known().map(String::as_str) {
                Some("ALPC Port") => Some(CarveKind::Port),
                Some("Process") => Some(CarveKind::Process),
                Some("Thread") => Some(CarveKind::Thread),
                _ => None,
            }
        })
    }
}

/// A pointer that is none to nowhere. The lowest bits of such can be flags.
fn pointer(pointer: Read<Gva>) -> Option<Gva> {
    pointer
        .ok()
        .map(|gva| Gva::new(gva.u64() & !7))
        .filter(|gva| gva.u64() != 0)
}
