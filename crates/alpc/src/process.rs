//! Processes.

use kdump::Gva;
use serde::Serialize;

use crate::contract::{Global, Process};
use crate::kernel::{At, Kernel, Read};
use crate::list::{self, List};
use crate::value::{Addr, Value};

/// Characters of an image name that the kernel keeps: 15 bytes, the last of them NUL.
const IMAGE_NAME_CHARS: u64 = 14;

/// A process as other objects refer to it.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessRef {
    /// Its `_EPROCESS`.
    pub address: Addr,
    /// Its image name: at most 14 characters, which is all that the kernel keeps.
    pub image: Value<String>,
}

impl ProcessRef {
    /// The process at an address.
    #[must_use]
    pub fn at(kernel: &Kernel<'_>, address: Gva) -> Self {
        Self {
            address: kernel.addr(address),
            image: image_name(kernel.at(address)).into(),
        }
    }
}

/// The image name of a process, from `_EPROCESS.ImageFileName`.
///
/// The kernel narrows the name to single bytes; they are shown as Latin-1, so that no byte is lost.
///
/// # Errors
/// When the memory is not in the dump.
pub fn image_name(process: At<'_, '_>) -> Read<String> {
    let start = process.address_of(Process::ImageFileName)?;
    let mut name = String::new();
    for index in 0..IMAGE_NAME_CHARS {
        match process
            .kernel()
            .cursor()
            .u8(crate::kernel::offset(start, index))?
        {
            0 => break,
            byte => name.push(char::from(byte)),
        }
    }
    Ok(name)
}

/// The processes of the system, in the order of `PsActiveProcessHead`.
///
/// # Errors
/// When neither the symbols nor the dump's header say where the list is.
pub fn processes(kernel: &Kernel<'_>) -> Read<List> {
    let head = kernel.global(Global::PsActiveProcessHead)?;
    let links = kernel.offset(Process::ActiveProcessLinks)?;
    Ok(list::walk(kernel, head).containers(links))
}
