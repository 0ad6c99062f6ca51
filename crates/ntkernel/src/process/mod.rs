//! Processes.

pub mod clock;
pub mod crashed;
pub mod irp;
pub mod module;
pub mod roots;
pub mod thread;
pub mod thread_details;
pub mod typed;

use kdump::{FileTime, Gva};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::contract::{
    Global, ObjectNameInformation, Process, ProcessControl, PspSessionSpace, SessionSpace,
};
use crate::image::expected::Expected;
use crate::image::kernel::{At, Kernel, Read};
use crate::image::list;
use crate::image::value::{Addr, Value};
use crate::object;
use crate::object::directory::same_name;
use crate::object::handle;
use crate::object::identify::{self, Identity};
use crate::object::marks::expect;
use crate::object::process_ref::IMAGE_NAME_CHARS;
pub use crate::object::process_ref::file_name;
pub use crate::object::process_ref::{ProcessRef, image_name};
use crate::process::roots::{FoundBy, Members};

/// Whether a process is of an image, by the last part of its image file's path or by the name that the kernel keeps of
/// it.
///
/// # Errors
/// When neither tells: the kernel's name is not in the dump, or it is cut and the path is not.
pub fn has_image(process: At<'_, '_>, wanted: &str) -> Read<bool> {
    expect(process.kernel(), Expected::Process, process.address())?;
    let short = image_name(process);
    if short.as_ref().is_ok_and(|short| same_name(short, wanted)) {
        return Ok(true);
    }
    match (image_path(process), short) {
        (Ok(Some(path)), _) => Ok(same_name(file_name(&path), wanted)),
        (_, Ok(short)) if !is_cut_from(&short, wanted) => Ok(false),
        (Ok(None), Ok(_)) => Ok(false),
        (Ok(None), Err(hole)) | (Err(hole), _) => Err(hole),
    }
}

/// Whether a name may be what the kernel kept of a longer one.
fn is_cut_from(short: &str, whole: &str) -> bool {
    let kept: String = whole.chars().take(short.chars().count()).collect();
    // The kernel keeps 14 characters and cuts without a mark: "SearchProtocolHost.exe" and "SearchProtocolTool.exe" are
    // both "SearchProtocol". Only the path tells such names apart.
    short.chars().count() == IMAGE_NAME_CHARS && same_name(short, &kept)
}

/// A process in full.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ProcessRecord {
    /// Its `_EPROCESS`.
    pub address: Addr,
    /// Its id.
    pub process_id: Value<u64>,
    /// Id of the process that made it; that one may be gone and its id used again.
    pub parent_process_id: Value<u64>,
    /// Its image name, cut to 14 characters.
    pub image: Value<String>,
    /// Full path of its image file; none for processes without a file of their own.
    pub image_path: Value<Option<String>>,
    /// When it began, in 100 ns since 1601; none for the Idle process, which was never made.
    pub create_time: Value<Option<FileTime>>,
    /// When it ended, in 100 ns since 1601; none for one that runs.
    pub exit_time: Value<Option<FileTime>>,
    /// Its session; none for processes that belong to none.
    pub session: Value<Option<u32>>,
    /// Its process environment block, in its own memory.
    pub peb: Value<Addr>,
    /// Its top page table with the address space id in the low bits, as the processor takes it.
    pub directory_table_base: Value<u64>,
    /// Its handle table; none once it has ended.
    pub object_table: Value<Option<Addr>>,
    /// Handles in use, counted in the table; 0 without one.
    pub handle_count: Value<u64>,
    /// Threads, counted in its list of them.
    pub thread_count: Value<u64>,
    /// Threads that have not ended, as the process counts them itself.
    pub active_threads: Value<u32>,
    /// Whether it is a 32-bit process of a 64-bit system.
    pub wow64: Value<bool>,
    /// Whether it is the Idle process, which owns the threads that processors run when they have nothing else to do.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "std::ops::Not::not"))]
    pub idle: bool,
    /// What led to it, where the system's list of processes does not have it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub found_by: Option<FoundBy>,
}

impl ProcessRecord {
    /// The last part of the image file's path; where that is not known, the short name.
    #[must_use]
    pub fn image_file(&self) -> Option<&str> {
        let full = self.image_path.known().and_then(Option::as_deref);
        full.map(file_name)
            .filter(|name| !name.is_empty())
            .or_else(|| self.image.known().map(String::as_str))
    }
}

/// Why there is no process at an address.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no process is at {address}: {what}")]
pub struct NotAProcess {
    /// The address asked for.
    pub address: Addr,
    /// What is there instead.
    pub what: Identity,
}

/// Reads the process at an address.
///
/// # Errors
/// [`NotAProcess`] when the object header before the address is in the dump and says something else.
pub fn process(kernel: &Kernel<'_>, address: Gva) -> Result<ProcessRecord, NotAProcess> {
    match is_process(kernel, address) {
        Ok(false) => Err(NotAProcess {
            address: kernel.addr(address),
            what: identify::identify(kernel, address),
        }),
        Ok(true) | Err(_) => Ok(record(kernel.at(address))),
    }
}

/// Whether an object of the type "Process" is at an address.
///
/// # Errors
/// When the header, or what tells its type, is not in the dump.
pub fn is_process(kernel: &Kernel<'_>, address: Gva) -> Read<bool> {
    object::has_type(object::header(kernel, address)?, "Process")
}

fn record(process: At<'_, '_>) -> ProcessRecord {
    let kernel = process.kernel();
    let object_table = process.pointer(Process::ObjectTable);
    ProcessRecord {
        address: kernel.addr(process.address()),
        process_id: process.uint(Process::UniqueProcessId).into(),
        parent_process_id: process.uint(Process::InheritedFromUniqueProcessId).into(),
        image: image_name(process).into(),
        image_path: image_path(process).into(),
        create_time: process.time(Process::CreateTime),
        exit_time: process.time(Process::ExitTime),
        session: session(process).into(),
        peb: process.addr(Process::Peb),
        directory_table_base: process
            .embedded(Process::Pcb)
            .and_then(|control| control.uint(ProcessControl::DirectoryTableBase))
            .into(),
        object_table: process.addr_of_thing(Process::ObjectTable),
        handle_count: object_table
            .and_then(|table| match table.u64() {
                0 => Ok(0),
                _ => {
                    handle::claim(kernel, process.address(), table)?;
                    handle::count(kernel, table)
                }
            })
            .into(),
        thread_count: thread_count(process).into(),
        active_threads: process.u32(Process::ActiveThreads).into(),
        wow64: process
            // A pointer, whatever its name promises: to nothing that symbols describe up to 8.1, to an
            // `_EWOW64PROCESS` from 10586 on (layouts of 305 kernels).
            .pointer(Process::Wow64Process)
            .map(|wow64| wow64.u64() != 0)
            .into(),
        idle: roots::of(kernel).is_idle_process(process.address()),
        found_by: None,
    }
}

/// Full path of a process's image file, from `_EPROCESS.SeAuditProcessCreationInfo`.
///
/// # Errors
/// When the memory is not in the dump.
pub fn image_path(process: At<'_, '_>) -> Read<Option<String>> {
    let kernel = process.kernel();
    let information = process.pointer(Process::SeAuditImageFileName)?;
    if information.u64() == 0 {
        return Ok(None);
    }
    let name = kernel.at(information).address_of(ObjectNameInformation::Name)?;
    // A path of the object manager, `\Device\HarddiskVolume3\Windows\...`: drive letters are links that the
    // kernel does not use for this.
    let path = kernel.text(name)?;
    let path = kernel
        .redaction()
        .map_or(path.clone(), |redaction| redaction.image_path(&path));
    Ok((!path.is_empty()).then_some(path))
}

/// The session that a process belongs to; none for those that belong to none.
///
/// # Errors
/// When the process or its session is not in the dump, or the symbols do not describe them.
pub fn session(process: At<'_, '_>) -> Read<Option<u32>> {
    let kernel = process.kernel();
    // System, Registry, smss and the minimal processes have no session: null, which is not session 0. `!process` prints
    // "SessionId: none" for them.
    let space = process.pointer(Process::Session)?;
    if space.u64() == 0 {
        return Ok(None);
    }
    let space = kernel.at(space);
    if kernel.has(PspSessionSpace::SessionId) {
        space.u32(PspSessionSpace::SessionId).map(Some)
    } else {
        space.u32(SessionSpace::SessionId).map(Some)
    }
}

fn thread_count(process: At<'_, '_>) -> Read<u64> {
    let threads = thread::threads_of(process)?;
    threads.complete("the list of threads")?;
    Ok(u64::try_from(threads.entries.len()).unwrap_or(u64::MAX))
}

/// The processes of the system.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Processes {
    /// In the order of `PsActiveProcessHead`; at the end those that this list lacks.
    pub processes: Vec<ProcessRecord>,
    /// Set when some may be missing.
    pub complete: Value<()>,
}

/// Reads all processes of the system.
///
/// # Errors
/// When neither the symbols nor the dump's header say where the list is.
pub fn all(kernel: &Kernel<'_>) -> Read<Processes> {
    let list = processes(kernel)?;
    Ok(Processes {
        processes: list
            .entries
            .iter()
            .map(|&process| ProcessRecord {
                found_by: list.found_by(process),
                ..record(kernel.at(process))
            })
            .collect(),
        complete: list.complete("the list of processes").into(),
    })
}

/// The processes of the system, in the order of `PsActiveProcessHead`; at the end those of threads that are known
/// without it.
///
/// # Errors
/// When neither the symbols nor the dump's header say where the list is, and nothing else leads to any.
pub fn processes(kernel: &Kernel<'_>) -> Read<Members> {
    roots::of(kernel).processes(kernel, listed(kernel))
}

fn listed(kernel: &Kernel<'_>) -> Read<list::List> {
    // Ended processes stay in it until the last handle to them is closed: `!process 0 0` shows them with
    // ObjectTable 00000000, and a program that leaks handles leaves thousands.
    let head = kernel.global(Global::PsActiveProcessHead)?;
    let links = kernel.offset(Process::ActiveProcessLinks)?;
    Ok(list::walk(kernel, head).containers(links))
}
