//! Types of objects, the headers before processes and threads, and the entries of handle tables.

use kdump::{Gva, NotPresentKind, ReadError};

use super::{Check, Examined};
use crate::port;
use ntkernel::image::contract::{Global, ObjectHeader, Process};
use ntkernel::image::kernel::{Kernel, Read, offset};
use ntkernel::image::value::Unreadable;
use ntkernel::object;
use ntkernel::object::handle;

/// Handles of one process that are looked at, used or not.
const HANDLES_EACH: u64 = 4096;
/// Handles that are looked at in all.
const HANDLES: usize = 1 << 14;
/// Threads whose headers are looked at.
const THREADS: usize = 256;

/// Headers of objects that are known otherwise, and whatever handles lead to.
pub(super) fn objects(examined: &mut Examined<'_>) {
    let kernel = &examined.kernel;
    let threads = examined.threads.iter().take(THREADS);
    let known = [
        (
            Global::PsProcessType,
            &mut examined.processes.iter() as &mut dyn Iterator<Item = &Gva>,
        ),
        (Global::PsThreadType, &mut threads.into_iter()),
    ];
    for (global, objects) in known {
        // PsProcessType and PsThreadType are exported to drivers, and hold pointers to the types (WDK).
        let Ok(wanted) = kernel.global_pointer(global) else {
            continue;
        };
        for &body in objects {
            examined
                .tally
                .read(Check::ObjectTypes, is_of(kernel, body, wanted));
        }
    }
    handles(examined);
}

fn is_of(kernel: &Kernel<'_>, body: Gva, wanted: Gva) -> Read<Option<bool>> {
    match object::type_address(object::header(kernel, body)?) {
        Ok(found) => Ok(Some(found == wanted)),
        Err(Unreadable::Implausible(_)) => Ok(Some(false)),
        Err(hole) => Err(hole),
    }
}

/// Every handle leads to the header of an object that has a type. Ports among them are kept for later.
fn handles(examined: &mut Examined<'_>) {
    let kernel = &examined.kernel;
    let (tally, ports) = (&mut examined.tally, &mut examined.ports);
    let Ok(body) = kernel.offset(ObjectHeader::Body) else {
        return;
    };
    let mut seen = 0_usize;
    for &process in &examined.processes {
        let table = kernel.at(process).pointer(Process::ObjectTable);
        let Ok(table) = table.and_then(|table| is_table(kernel, table)) else {
            continue;
        };
        let Some(table) = table else { continue };
        let walked = handle::walk_up_to(kernel, table, HANDLES_EACH, |entry| {
            if seen >= HANDLES {
                return;
            }
            seen = seen.saturating_add(1);
            let outcome = has_type(kernel, entry.target);
            tally.note(Check::Handles, outcome);
            let object = offset(entry.target, body);
            if outcome != Some(false) && port::is_port(kernel.at(object)).unwrap_or(false) {
                ports.insert(object);
            }
        });
        if let Err(Unreadable::Implausible(_)) = walked {
            tally.note(Check::Handles, Some(false));
        }
    }
}

/// Whether the header of an object is where a handle leads to. What is paged out says nothing; but an object that
/// has a handle is somewhere, and where nothing was ever mapped there is none.
fn has_type(kernel: &Kernel<'_>, target: Gva) -> Option<bool> {
    if !kernel.is_kernel_address(target) {
        return Some(false);
    }
    match kernel.cursor().u8(target) {
        Err(Unreadable::Memory(
            ReadError::NonCanonical { .. }
            | ReadError::NotPresent {
                state: NotPresentKind::Zero,
                ..
            },
        )) => return Some(false),
        Err(_) => return None,
        Ok(_) => {}
    }
    match object::object_type(kernel.at(target)) {
        Ok(_) => Some(true),
        Err(Unreadable::Implausible(_)) => Some(false),
        Err(_) => None,
    }
}

/// The table of a process; none once it has ended.
fn is_table(kernel: &Kernel<'_>, table: Gva) -> Read<Option<Gva>> {
    // A page that is not there says nothing; reading its first byte tells that apart from a wrong pointer.
    if table.u64() == 0 || !kernel.is_kernel_address(table) {
        return Ok(None);
    }
    kernel.cursor().u8(table)?;
    Ok(Some(table))
}
