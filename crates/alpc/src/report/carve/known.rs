//! What the system's own lists and tables lead to: whatever is found beside it is freed, hidden, or being made.

use std::collections::BTreeSet;

use kdump::Gva;
use ntkernel::image::contract::{CommunicationInfo, ObjectHeader, Port, Process};
use ntkernel::image::kernel::{Kernel, Read, offset};
use ntkernel::image::value::Unreadable;
use ntkernel::object;
use ntkernel::object::blob::{self, BlobKind};
use ntkernel::object::handle;
use ntkernel::process;
use ntkernel::process::thread;

use crate::port::contract::Reserve;
use crate::port::enumerate;
use crate::port::{self, PortKind, communication, message_table, queue, resource};
use crate::report::carve::CarveKind;

/// What is known of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// What the list or table of its kind holds.
    pub(crate) listed: BTreeSet<Gva>,
    /// What something else leads to: a handle, a name, a connection, a queue.
    pub(crate) reached: BTreeSet<Gva>,
    /// Why some of either may be missing.
    pub(crate) gap: Option<Unreadable>,
}

impl Known {
    fn add(&mut self, address: Gva, is_listed: bool) {
        let to = match is_listed {
            true => &mut self.listed,
            false => &mut self.reached,
        };
        to.insert(address);
    }

    fn all(&self) -> Vec<Gva> {
        self.listed.union(&self.reached).copied().collect()
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
                if let Err(hole) = list.complete("the list of processes") {
                    self.processes.lacks(hole.clone());
                    self.threads.lacks(hole);
                }
                for &process in &list.entries {
                    // The Idle process is in no list of the system's: what runs on each processor leads to it.
                    let is_idle = kernel.at(process).true_uint(Process::UniqueProcessId).ok() == Some(0);
                    self.processes
                        .add(process, !is_idle && list.found_by(process).is_none());
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
                    if let Err(hole) = list.complete("a list of threads") {
                        self.threads.gap.get_or_insert(hole);
                    }
                    for &thread in &list.entries {
                        self.threads.add(thread, list.found_by(thread).is_none());
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
            Ok(leads) => self.ports.reached.extend(leads.ports),
            Err(hole) => self.ports.lacks(hole),
        }
    }

    /// Ports, processes and threads that handles lead to.
    fn handles(&mut self, kernel: &Kernel<'_>) {
        let Ok(body) = kernel.offset(ObjectHeader::Body) else {
            return;
        };
        for process in self.processes.all() {
            let table = match kernel.at(process).pointer(Process::ObjectTable) {
                Ok(table) if table.u64() != 0 => table,
                _ => continue,
            };
            if handle::claim(kernel, process, table).is_err() {
                continue;
            }
            let mut found = Vec::new();
            let walked = handle::walk(kernel, table, |entry| found.push(offset(entry.target, body)));
            for address in found {
                self.handle(kernel, address);
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

    fn handle(&mut self, kernel: &Kernel<'_>, address: Gva) {
        let header = object::header(kernel, address);
        let Ok(found) = header.and_then(object::object_type) else {
            return;
        };
        let known = match found.name.known().map(String::as_str) {
            Some("ALPC Port") => &mut self.ports,
            Some("Process") => &mut self.processes,
            Some("Thread") => &mut self.threads,
            _ => return,
        };
        known.reached.insert(address);
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
                        self.ports.reached.insert(port);
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
                        self.messages.reached.extend(list.entries);
                    }
                    Err(hole) if hole.is_absence() => {}
                    Err(hole) => self.messages.lacks(hole),
                }
            }
            self.messages
                .reached
                .extend(pointer(at.pointer(Port::CachedMessage)));
            let resources = resource::bodies_of_port(at)
                .map(|list| list.entries)
                .unwrap_or_default();
            for body in resources {
                if blob::kind(kernel, body).is_ok_and(|kind| kind == BlobKind::RESERVE) {
                    self.messages
                        .reached
                        .extend(pointer(kernel.at(body).pointer(Reserve::Message)));
                }
            }
        }
        for &info in &self.connections.listed {
            let message = kernel.at(info).pointer(CommunicationInfo::CloseMessage);
            self.messages.reached.extend(pointer(message));
        }
    }
}

/// A pointer that is none to nowhere. The lowest bits of such can be flags.
fn pointer(pointer: Read<Gva>) -> Option<Gva> {
    pointer
        .ok()
        .map(|gva| Gva::new(gva.u64() & !7))
        .filter(|gva| gva.u64() != 0)
}
