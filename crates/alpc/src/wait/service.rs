//! Which service a thread works for.
//!
//! The service control manager tags the threads of services: `_TEB.SubProcessTag` holds a number that threads inherit
//! from those that make them. Which name a number stands for is known to the control manager and the host alone, in
//! memory that no symbols describe. But a host of one service is started with `-s` and that service's name (since
//! Windows 10 1703), which its command line tells.
//!
//! All of this is user memory: complete dumps have it, and kernel dumps have not.

use std::collections::HashMap;

use kdump::{Cursor, Gva};
use ntkernel::image::contract::{
    Peb, Process, ProcessControl, ProcessParameters, Teb, Thread, ThreadControl,
};
use ntkernel::image::kernel::{Kernel, Read, offset};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::certainty::Certainty;
use crate::port::waiter::ThreadRecord;

/// Characters of a service's name at most, as the control manager has it.
const LONGEST: usize = 256;

/// The service that a thread works for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Service {
    /// `_TEB.SubProcessTag`.
    pub tag: u32,
    /// Its name, when that can be told.
    pub name: Option<String>,
    /// How sure the name is.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub certainty: Option<Certainty>,
    /// Why the name is not told.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub unknown: Option<&'static str>,
}

/// Reads the services of threads, and remembers what it read of processes.
#[derive(Debug, Default)]
pub(crate) struct Services<'d> {
    processes: HashMap<Gva, Host<'d>>,
}

/// A process that may host services.
#[derive(Debug)]
struct Host<'d> {
    memory: Read<Cursor<'d>>,
    /// The one service of its command line.
    name: Option<String>,
}

impl<'d> Services<'d> {
    /// The service that a thread works for; none when it works for none, or its environment block is not in the dump.
    pub(crate) fn of(&mut self, kernel: &Kernel<'d>, record: &ThreadRecord) -> Option<Service> {
        self.read(kernel, record).ok().flatten()
    }

    /// The service that a thread works for; none when it works for none.
    ///
    /// # Errors
    /// When its process or its environment block is not in the dump.
    pub(crate) fn read(&mut self, kernel: &Kernel<'d>, record: &ThreadRecord) -> Read<Option<Service>> {
        let Some(process) = record
            .process
            .get()?
            .as_ref()
            .map(|process| process.address.gva())
        else {
            return Ok(None);
        };
        let control = kernel.at(record.address.gva()).embedded(Thread::Tcb)?;
        let teb = control.pointer(ThreadControl::Teb)?;
        // Threads of the kernel have none.
        if teb.u64() == 0 || kernel.is_kernel_address(teb) {
            return Ok(None);
        }
        let at = offset(teb, kernel.offset(Teb::SubProcessTag)?);
        let host = self
            .processes
            .entry(process)
            // svchost.exe of Windows 7 has many services in one process; `tasklist /svc` lists them by process, and
            // no thread by its service.
            .or_insert_with(|| Host::of(kernel, process));
        let memory = host.memory.as_ref().map_err(Clone::clone)?;
        let tag = memory.pointer(at)?.u64();
        // A number of 32 bits in the place of a pointer.
        let Ok(tag @ 1..) = u32::try_from(tag) else {
            return Ok(None);
        };
        Ok(Some(Service {
            tag,
            name: host.name.clone(),
            certainty: host.name.is_some().then_some(Certainty::Inferred),
            unknown: host.name.is_none().then_some(
                "the command line names no single service, and no symbols describe the tables of names",
            ),
        }))
    }
}

impl<'d> Host<'d> {
    fn of(kernel: &Kernel<'d>, process: Gva) -> Self {
        let memory = memory(kernel, process);
        let line = memory
            .as_ref()
            .ok()
            .and_then(|memory| command_line(kernel, process, memory).ok());
        Self {
            name: line
                .as_deref()
                .and_then(only_service)
                .map(|name| match kernel.redaction() {
                    Some(redaction) => redaction.name(name),
                    None => name,
                }),
            memory,
        }
    }
}

/// The memory of a process, through its own page tables.
fn memory<'d>(kernel: &Kernel<'d>, process: Gva) -> Read<Cursor<'d>> {
    let control = kernel.at(process).embedded(Process::Pcb)?;
    let tables = control.uint(ProcessControl::DirectoryTableBase)?;
    // The directory table in EPROCESS is the kernel's, with the user part below it: KVA shadow's trimmed one
    // (UserDirectoryTableBase) has the same user pages.
    Ok(kernel.dump().process_space(tables).cursor())
}

fn command_line(kernel: &Kernel<'_>, process: Gva, memory: &Cursor<'_>) -> Read<String> {
    // The 64-bit block also of a 32-bit process: Windows keeps one of either width, and `_EPROCESS.Peb` names
    // this one.
    let peb = kernel.at(process).pointer(Process::Peb)?;
    let parameters = memory.pointer(offset(peb, kernel.offset(Peb::ProcessParameters)?))?;
    let line = offset(parameters, kernel.offset(ProcessParameters::CommandLine)?);
    kernel.budget().text(memory.u16(line)?.into())?;
    Ok(memory.unicode_string(line)?.to_string_lossy())
}

/// The service that a host's command line names: `svchost.exe -k netsvcs -p -s Schedule`.
fn only_service(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    // Windows starts services with the full path, with quotes where it has blanks: `C:\Windows\system32\svchost.exe
    // -k netsvcs -p`.
    let program = words.next()?.trim_matches('"');
    let file = program.rsplit('\\').next()?;
    if !file.eq_ignore_ascii_case("svchost.exe") && !file.eq_ignore_ascii_case("svchost") {
        return None;
    }
    // Services have hosts of their own from 1703 on where the machine has more than 3.5 GB of memory; on
    // smaller ones, and before, they share one by `-k GROUP` (Microsoft's "Changes to Service Host grouping in
    // Windows 10").
    words.find(|word| word.eq_ignore_ascii_case("-s"))?;
    let name = words.next()?;
    (name.chars().count() <= LONGEST).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_of_one_service_names_it() {
        let of = |line: &str| only_service(line);
        assert_eq!(
            of(r"C:\Windows\system32\svchost.exe -k LocalService -p -s nsi"),
            Some("nsi".to_owned())
        );
        assert_eq!(of(r"C:\Windows\System32\svchost.exe -k netsvcs"), None);
        assert_eq!(of(r"C:\tools\other.exe -s nsi"), None);
        assert_eq!(of("svchost.exe -s"), None);
        assert_eq!(of(""), None);
    }
}
