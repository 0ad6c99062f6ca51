//! The lists that lead to everything else: do the links of each agree?

use std::collections::BTreeSet;

use kdump::Gva;

use super::{Check, Kind, kinds};
use crate::port::contract::{Region, Section, View};
use crate::port::resource;
use crate::wait::locks;
use ntkernel::image::contract::{Member, Process};
use ntkernel::image::kernel::{At, Read};
use ntkernel::image::list::{self, Gap, List};
use ntkernel::image::reason::About;
use ntkernel::image::value::Unreadable;
use ntkernel::object::blob::{self, BlobKind};
use ntkernel::object::handle;
use ntkernel::process;
use ntkernel::process::irp;
use ntkernel::process::module;
use ntkernel::process::thread;
use ntkernel::why;

impl Check<'_, '_> {
    /// Whether a list could be followed to its end: see [`Self::gap`].
    pub(super) fn links(
        &mut self,
        kind: Kind,
        addresses: &[Gva],
        what: impl Into<About>,
        list: &List,
    ) -> Read<()> {
        self.gap(kind, addresses, list.complete(what), list.gap.as_ref())
    }

    /// Notes why a list is not complete. One that ends at memory which is not there could not be checked; links that
    /// contradict each other are a finding.
    fn gap(&mut self, kind: Kind, addresses: &[Gva], complete: Read<()>, gap: Option<&Gap>) -> Read<()> {
        let Err(hole) = &complete else {
            return complete;
        };
        if let Some(stop) = gap.and_then(Gap::contradiction) {
            let mut addresses = addresses.to_vec();
            addresses.push(stop.at().gva());
            self.find(kind, &addresses, hole.to_string());
        } else {
            self.could_not(hole.clone());
        }
        complete
    }

    /// The lists of the system and of its processes and threads.
    pub(super) fn lists(&mut self) {
        let processes = process::processes(self.kernel);
        if let Some(list) = self.read(processes) {
            let _ = self.gap(
                kinds::PROCESS_LINKS,
                &[],
                list.complete("the list of processes"),
                list.gap(),
            );
            for process in list.entries {
                self.process(self.kernel.at(process));
            }
        }
        if let Some(list) = self.known(module::list(self.kernel)) {
            let _ = self.links(kinds::MODULE_LINKS, &[], "the list of loaded modules", &list);
        }
        // No port or message depends on this list: it is held against itself as far as it is there, and that it is
        // not there is told by whoever needs it. Where the kernel never began it no link contradicts another.
        let resources = self.known(locks::list_of_resources(self.kernel));
        let contradicts = |list: &List| list.gap.as_ref().is_some_and(|gap| gap.contradiction().is_some());
        if let Some(list) = resources.filter(|list| !list.was_never_linked() && contradicts(list)) {
            let _ = self.links(kinds::LOCK_LINKS, &[], "the list of executive resources", &list);
        }
    }

    /// A list that no port or message depends on: symbols that do not describe it are no reason to say that
    /// something could not be checked.
    fn known(&mut self, list: Read<List>) -> Option<List> {
        match list {
            Err(Unreadable::NoGlobal { .. } | Unreadable::NotTold { .. } | Unreadable::Disputed { .. }) => {
                None
            }
            // One that was never begun, of a thread that is being made.
            Err(Unreadable::Implausible(_)) => None,
            list => self.read(list),
        }
    }

    fn process(&mut self, process: At<'_, '_>) {
        let (kernel, address) = (self.kernel, process.address());
        let at = kernel.addr(address);
        let table = self.read(process.pointer(Process::ObjectTable));
        if let Some(table) = table.filter(|&table| table != Gva::default()) {
            self.handle_table(address, table);
        }
        let Some(threads) = self.read(thread::threads_of(process)) else {
            return;
        };
        let what = why!("the list of threads of the process {}", at);
        let _ = self.gap(
            kinds::THREAD_LINKS,
            &[address],
            threads.complete(what),
            threads.gap(),
        );
        for thread in threads.entries {
            let at = kernel.addr(thread);
            if let Some(requests) = self.known(irp::requests_of(kernel.at(thread))) {
                let what = why!("the list of I/O requests of the thread {}", at);
                let _ = self.links(kinds::IRP_LINKS, &[thread], what, &requests);
            }
        }
    }

    /// A handle table whose pages can be read must have one wherever its bound says so, and none of them twice.
    fn handle_table(&mut self, process: Gva, table: Gva) {
        let at = self.kernel.addr(process);
        // Each process has a table of its own; one that two processes name has been freed and used again, or an
        // EPROCESS is damaged.
        if let Err(hole) = handle::claim(self.kernel, process, table) {
            let text = format!("the handle table of the process {at}: {hole}");
            return self.find(kinds::HANDLE_TABLE, &[process, table], text);
        }
        let gaps = handle::walk(self.kernel, table, |_| {});
        for gap in self.read(gaps).unwrap_or_default() {
            let text = why!("the handle table of the process {}: {}", at, gap.why());
            if gap.is_contradiction() {
                self.find(kinds::HANDLE_TABLE, &[process, table], text.to_string());
            } else {
                self.could_not(gap.hole_of(text));
            }
        }
    }

    /// The lists of a port's resources, and those that these head.
    pub(super) fn resources(&mut self, port: At<'_, '_>) {
        let kernel = self.kernel;
        let at = kernel.addr(port.address());
        let Some(list) = self.read(resource::bodies_of_port(port)) else {
            return;
        };
        let what = why!("the list of resources of the port {}", at);
        let _ = self.links(kinds::RESOURCE_LINKS, &[port.address()], what, &list);
        let mut seen = BTreeSet::new();
        for address in list.entries {
            // Of the kinds that a port owns only sections head lists of their own: regions, and each of these its
            // views.
            let is_section = blob::kind(kernel, address).is_ok_and(|kind| kind == BlobKind::SECTION);
            if !is_section {
                continue;
            }
            let regions = self.contained(
                address,
                "regions of the section",
                Section::RegionListHead,
                Region::RegionListEntry,
            );
            for region in regions.into_iter().filter(|&region| seen.insert(region)) {
                self.contained(
                    region,
                    "views of the region",
                    Region::ViewListHead,
                    View::ViewListEntry,
                );
            }
        }
    }

    fn contained(&mut self, owner: Gva, what: &str, head: impl Member, link: impl Member) -> Vec<Gva> {
        let kernel = self.kernel;
        let list = kernel.offset(link).and_then(|link| {
            let head = kernel.at(owner).address_of(head)?;
            Ok(list::walk(kernel, head).containers(link))
        });
        let Some(list) = self.read(list) else {
            return Vec::new();
        };
        let what = format!("the list of {what} {}", kernel.addr(owner));
        let _ = self.links(kinds::RESOURCE_LINKS, &[owner], what, &list);
        list.entries
    }

    /// The threads that are registered with a port's completion port.
    pub(super) fn completion_port(&mut self, queue: Gva) {
        let at = self.kernel.addr(queue);
        if let Some(list) = self.read(thread::threads_of_queue(self.kernel.at(queue))) {
            let what = why!("the list of threads of the completion port {}", at);
            let _ = self.links(kinds::COMPLETION_PORT_LINKS, &[queue], what, &list);
        }
    }
}
