//! What one part of the system shows and another does not: what somebody who hides a process, a thread or a port leaves.
//!
//! Each comparison is of two things that can be read. Where one of them cannot, nothing is found: that it could not be checked
//! is told instead.

use std::collections::BTreeSet;

use kdump::{Gva, Progress};
use ntkernel::image::contract::{ObjectHeader, Port, Process};
use ntkernel::image::value::Unreadable;
use ntkernel::object;
use ntkernel::object::directory;
use ntkernel::process::{roots, thread};
use ntkernel::why;

use super::{Check, Kind, Severity, kinds};
use crate::port::enumerate;
use crate::report::carve::known::{AllKnown, Known, Lead};
use crate::report::carve::{self, CarveKind, CarveState, CarvedRow, Wanted};

/// Bits of `_ALPC_PORT.OwnerProcess` that no address of an object has, without the one that is known: the owner closed the
/// port.
const OTHER_BITS: u64 = 0x6;

impl Check<'_, '_> {
    pub(super) fn hidden(&mut self, ports: &enumerate::Ports, carve: Option<&Progress>) {
        let known = AllKnown::read(self.kernel);
        let of = |kind| known.of(kind);
        self.members(
            kinds::PROCESS_UNLISTED,
            of(CarveKind::Process),
            "process",
            Self::has_exited,
        );
        self.members(
            kinds::THREAD_UNLISTED,
            of(CarveKind::Thread),
            "thread",
            Self::is_terminated,
        );
        self.connected(of(CarveKind::Port), ports);
        for &port in &ports.ports {
            self.owner_bits(port);
            self.directory(port);
        }
        if let Some(progress) = carve {
            self.carved(progress);
        }
    }

    /// Whatever else leads to a process or thread, the list of such has it.
    fn members(&mut self, kind: Kind, known: &Known, what: &str, has_ended: fn(&Self, Gva) -> bool) {
        if let Some(hole) = &known.gap {
            return self.could_not(hole.clone());
        }
        for (&address, lead) in &known.reached {
            if known.listed.contains(&address) || matches!(lead, Lead::Idle) || self.is_idle(address) {
                continue;
            }
            // What has ended is taken off its list when the last who knows it lets go of it, not before all the same.
            let ended = has_ended(self, address);
            let at = self.kernel.addr(address);
            let text = format!("the {what} {at} is not in the list of such");
            let mut evidence = vec![lead.to_string()];
            if ended {
                evidence.push("it has ended".to_owned());
            }
            let kind = match ended {
                true => Kind {
                    severity: Severity::Note,
                    ..kind
                },
                false => kind,
            };
            self.find_with(kind, &[address], text, evidence);
        }
    }

    /// Idle threads are in no list.
    fn is_idle(&self, address: Gva) -> bool {
        roots::of(self.kernel).is_idle_thread(address)
    }

    fn has_exited(&self, process: Gva) -> bool {
        let exit = self.kernel.at(process).true_uint(Process::ExitTime);
        exit.is_ok_and(|time| time != 0)
    }

    fn is_terminated(&self, thread: Gva) -> bool {
        let state = thread::state(self.kernel.at(thread));
        state.is_ok_and(|state| state.name() == Some("Terminated"))
    }

    /// Ports that only their connection leads to.
    fn connected(&mut self, known: &Known, ports: &enumerate::Ports) {
        if known.gap.is_some() {
            return;
        }
        let told: BTreeSet<Gva> = self
            .findings
            .iter()
            .filter(|finding| finding.id == kinds::UNLISTED.id)
            .flat_map(|finding| finding.addresses.iter().map(|at| at.gva()))
            .chain(ports.ports.iter().copied())
            .collect();
        for (&address, lead) in &known.reached {
            if !told.contains(&address) {
                let at = self.kernel.addr(address);
                let text = format!("the port {at} is not in the kernel's list of ports");
                self.find_with(kinds::UNLISTED, &[address], text, vec![lead.to_string()]);
            }
        }
    }

    fn owner_bits(&mut self, port: Gva) {
        let Ok(owner) = self.kernel.at(port).uint(Port::OwnerProcess) else {
            return;
        };
        if owner & OTHER_BITS != 0 {
            let at = self.kernel.addr(port);
            let text = format!(
                "the port {at} has {:x} in the lowest bits of its owner",
                owner & (OTHER_BITS | 1)
            );
            self.find(kinds::OWNER_BITS, &[port], text);
        }
    }

    /// A port with a name is found by it.
    fn directory(&mut self, port: Gva) {
        let named = object::header(self.kernel, port)
            .and_then(|header| Ok(object::name(header)?.zip(object::directory_of(header)?)));
        let Ok(Some((_, directory))) = named else {
            return;
        };
        let is_directory = object::header(self.kernel, directory).and_then(object::is_directory);
        if !matches!(is_directory, Ok(true)) {
            return;
        }
        let (found, gap) = self.contents(directory);
        let at = self.kernel.addr(port);
        if found.contains(&port) {
            return;
        }
        if let Some(hole) = gap {
            return self.could_not_tell(why!("the name of the port {}", at), &hole);
        }
        let within = self.kernel.addr(directory);
        let text =
            format!("the port {at} has a name, and the directory {within} that it is in does not have it");
        let handles =
            object::header(self.kernel, port).and_then(|header| header.uint(ObjectHeader::HandleCount));
        let evidence = handles.map(|count| vec![format!("it counts {count} handles")]);
        self.find_with(
            kinds::NOT_IN_DIRECTORY,
            &[port, directory],
            text,
            evidence.unwrap_or_default(),
        );
    }

    /// What a directory holds, read once.
    fn contents(&mut self, directory: Gva) -> (BTreeSet<Gva>, Option<Unreadable>) {
        if let Some(known) = self.directories.get(&directory) {
            return known.clone();
        }
        // Not by the kernel that has claimed the entries already, in a walk through all directories.
        let kernel = self.kernel.untraced();
        let contents = directory::contents(kernel.at(directory));
        let found = contents.objects.into_iter().map(|(_, object)| object).collect();
        let known = (found, contents.gaps.into_iter().next());
        self.directories.insert(directory, known.clone());
        known
    }

    /// What all memory shows, and nothing leads to.
    fn carved(&mut self, progress: &Progress) {
        let found = carve::carve(self.kernel, &Wanted::of(CarveKind::ALL.to_vec()), progress);
        if let Some(hole) = found.complete.reason() {
            self.could_not(hole.clone());
        }
        for kind in &found.kinds {
            if let Some(hole) = kind.lists.reason() {
                let what = why!("whether a {} is hidden", kind.kind.name());
                self.could_not_tell(what, hole);
            }
        }
        for row in &found.found {
            if row.state == CarveState::Unlinked
                && let Some(at) = row.address
            {
                let text = format!(
                    "the {} {at} is in use by its headers, and nothing leads to it",
                    row.kind.name()
                );
                self.find_with(kinds::HIDDEN, &[at.gva()], text, evidence(row));
            }
        }
    }
}

fn evidence(row: &CarvedRow) -> Vec<String> {
    let mut evidence = vec![format!(
        "{} marks speak for it: {}",
        row.score,
        row.marks.join(", ")
    )];
    if !row.against.is_empty() {
        evidence.push(format!("against it: {}", row.against.join(", ")));
    }
    if let Some(tag) = row.tag {
        evidence.push(format!("its pool block has the tag {tag}"));
    }
    evidence
}
