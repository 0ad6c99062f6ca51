//! Processes.

use std::collections::BTreeMap;

use super::handle_table::Entry;
use super::{Handle, Name, ObjectSpec, Pool, Process, World};
use crate::address::Va;
use crate::bytes::count;

const EPROCESS: &str = "_EPROCESS";

impl World {
    /// Writes the command line of a process where its environment block leads to.
    pub fn command_line(&mut self, process: Va, line: &str) {
        const PARAMETERS: Va = Va(0x1a_0000);
        const TEXT: Va = Va(0x1a_0800);
        let peb = self.truth.process(process).peb;
        let size = self.pointer_size();
        let leads = self.kernel.offset("_PEB", "ProcessParameters");
        let string = self.kernel.offset("_RTL_USER_PROCESS_PARAMETERS", "CommandLine");
        let units: Vec<u8> = line.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = count(units.len());
        let memory = self.users.entry(process).or_default();
        memory.write_uint(peb + leads, size, PARAMETERS.0);
        memory.write_uint(PARAMETERS + string, 2, length);
        memory.write_uint(PARAMETERS + string + 2, 2, length);
        memory.write_uint(PARAMETERS + string + size, size, TEXT.0);
        memory.write(TEXT, &units);
    }

    /// Puts processes into a session: `_EPROCESS.Session` of each leads to one structure with its number. False where the
    /// layouts do not have it.
    pub fn session(&mut self, processes: &[Va], number: u64) -> bool {
        // The structure has been called so since 24H2, by the types of its symbols.
        let space = match self.has("_PSP_SESSION_SPACE", "SessionId") {
            true => "_PSP_SESSION_SPACE",
            false => "_MM_SESSION_SPACE",
        };
        if !self.has(space, "SessionId") || !self.has(EPROCESS, "Session") {
            return false;
        }
        let at = self.allocate(Pool::NonPaged, self.kernel.size(space), *b"MmSs");
        self.set(at, space, "SessionId", number);
        for &process in processes {
            self.point(process, EPROCESS, "Session", at);
        }
        true
    }

    /// Makes a process. The first one is System: its page tables are the kernel's own.
    pub fn process(&mut self, mut process: Process) -> Va {
        let size = self.kernel.size(EPROCESS);
        let spec = ObjectSpec {
            quota: true,
            address: process.address,
            ..ObjectSpec::of("Process", size)
        };
        process.address = self.object(spec);
        process.object_table = self.make_handle_table();
        process.directory_table = if self.truth.processes.is_empty() {
            super::KERNEL_TOP
        } else {
            self.frames.take()
        };
        let address = process.address;
        self.truth.processes.push(process);
        address
    }

    /// Opens a handle of `object` in `process`; returns it. Handles go up by 4.
    pub fn handle(&mut self, process: Va, object: Va, access: u32) -> u64 {
        let leaf = crate::address::PAGE_SIZE / self.kernel.size("_HANDLE_TABLE_ENTRY");
        let handles = &mut self.process_mut(process).handles;
        let mut value = handles.last().map_or(0, |handle| handle.value) + 4;
        if (value / 4).is_multiple_of(leaf) {
            value += 4;
        }
        handles.push(Handle {
            value,
            object,
            access,
            attributes: 0,
        });
        value
    }

    /// The record of the process at `address`, to be changed.
    ///
    /// # Panics
    /// Where there is none.
    pub fn process_mut(&mut self, address: Va) -> &mut Process {
        let found = self
            .truth
            .processes
            .iter_mut()
            .find(|process| process.address == address);
        found.unwrap_or_else(|| panic!("no process at {address}"))
    }

    pub(super) fn compile_processes(&mut self) {
        let processes = self.truth.processes.clone();
        for process in &processes {
            self.write_process(process);
            self.write_handles(process);
            self.link_threads(process.address);
        }
        let links = processes
            .iter()
            .map(|p| self.field(p.address, EPROCESS, "ActiveProcessLinks"));
        let links: Vec<Va> = links.collect();
        let head = self.global("PsActiveProcessHead");
        self.link(head, &links);
        let tables: Vec<Va> = processes
            .iter()
            .map(|p| self.field(p.object_table, "_HANDLE_TABLE", "HandleTableList"))
            .collect();
        if let Some(head) = self.try_global("HandleTableListHead") {
            self.link(head, &tables);
        }
        self.write_system_globals(&processes);
    }

    fn write_system_globals(&mut self, processes: &[Process]) {
        let Some(system) = processes.first() else { return };
        for (name, value) in [
            ("PsInitialSystemProcess", system.address),
            ("ObpKernelHandleTable", system.object_table),
        ] {
            if let Some(at) = self.try_global(name) {
                self.write_pointer(at, value);
            }
        }
    }

    fn write_process(&mut self, process: &Process) {
        let at = process.address;
        self.set(at, "_DISPATCHER_HEADER", "Type", 3);
        self.set(
            at,
            "_DISPATCHER_HEADER",
            "Size",
            (self.kernel.size("_KPROCESS") / 4) & 0xff,
        );
        let wait_list = self.field(at, "_DISPATCHER_HEADER", "WaitListHead");
        self.link(wait_list, &[]);
        self.set(
            at,
            "_KPROCESS",
            "DirectoryTableBase",
            process.directory_table.address(),
        );
        self.set(at, EPROCESS, "UniqueProcessId", process.pid);
        self.set(at, EPROCESS, "InheritedFromUniqueProcessId", process.parent_pid);
        self.set(at, EPROCESS, "CreateTime", process.create_time);
        self.set(at, EPROCESS, "ExitTime", process.exit_time);
        self.point(at, EPROCESS, "Peb", process.peb);
        self.point(at, EPROCESS, "ObjectTable", process.object_table);
        let image = self.field(at, EPROCESS, "ImageFileName");
        assert!(process.image.len() <= 15, "{} is too long", process.image);
        self.memory.write(image, process.image.as_bytes());
        self.write_image_path(process);
        self.write_wow64(process);
    }

    fn write_image_path(&mut self, process: &Process) {
        if process.path.is_empty() {
            return;
        }
        let information = self.allocate(Pool::Paged, self.kernel.size("_UNICODE_STRING"), *b"SeON");
        self.set_string(information, &Name::from(process.path), Pool::Paged);
        let at = self.field(process.address, EPROCESS, "SeAuditProcessCreationInfo");
        self.write_pointer(at, information);
    }

    /// A 32-bit process's other PEB: named by the process itself, since 10586 by a structure of the kernel.
    fn write_wow64(&mut self, process: &Process) {
        if !process.wow64 {
            return;
        }
        let peb32 = process.peb + 0x1000;
        if self.has(EPROCESS, "WoW64Process") {
            let wow64 = self.allocate(Pool::NonPaged, self.kernel.size("_EWOW64PROCESS"), *b"Wow6");
            self.point(wow64, "_EWOW64PROCESS", "Peb", peb32);
            self.point(process.address, EPROCESS, "WoW64Process", wow64);
        } else if self.has(EPROCESS, "Wow64Process") {
            self.point(process.address, EPROCESS, "Wow64Process", peb32);
        }
    }

    fn write_handles(&mut self, process: &Process) {
        let entries: BTreeMap<u64, Entry> = process
            .handles
            .iter()
            .map(|handle| {
                let pointer = self.truth.objects[&handle.object].header;
                (
                    handle.value,
                    Entry {
                        pointer,
                        access: handle.access,
                        attributes: handle.attributes,
                    },
                )
            })
            .collect();
        self.fill_handle_table(process.object_table, &entries, process.handle_table_level);
        self.set(
            process.object_table,
            "_HANDLE_TABLE",
            "UniqueProcessId",
            process.pid,
        );
        self.point(
            process.object_table,
            "_HANDLE_TABLE",
            "QuotaProcess",
            process.address,
        );
    }

    fn link_threads(&mut self, process: Va) {
        let threads: Vec<Va> = self
            .truth
            .threads
            .iter()
            .filter(|thread| thread.process == process)
            .map(|t| t.address)
            .collect();
        for (of_process, of_thread) in [(EPROCESS, "_ETHREAD"), ("_KPROCESS", "_KTHREAD")] {
            let head = self.field(process, of_process, "ThreadListHead");
            let entries: Vec<Va> = threads
                .iter()
                .map(|&thread| self.field(thread, of_thread, "ThreadListEntry"))
                .collect();
            self.link(head, &entries);
        }
        self.set(process, EPROCESS, "ActiveThreads", count(threads.len()));
    }
}
