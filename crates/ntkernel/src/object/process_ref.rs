//! Processes as other things refer to them.

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::contract::Process;
use crate::image::expected::Expected;
use crate::image::kernel::{At, Kernel, Read};
use crate::image::value::{Addr, Value};
use crate::object::marks::expect;

/// Characters of an image name that the kernel keeps: 15 bytes, the last of them NUL.
pub(crate) const IMAGE_NAME_CHARS: usize = 14;

/// A process as other objects refer to it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
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
            image: expect(kernel, Expected::Process, address)
                .and_then(|()| image_name(kernel.at(address)))
                .into(),
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
    // "Registry" and "MemCompression" have no image file; the kernel writes their names into the same array.
    let mut bytes = [0; IMAGE_NAME_CHARS];
    let part = process.kernel().cursor().read_partial(start, &mut bytes);
    let read = bytes.get(..part.read).unwrap_or_default();
    let name: String = read
        .iter()
        .take_while(|&&byte| byte != 0)
        .map(|&byte| char::from(byte))
        .collect();
    // What cannot be read may be behind the end of a name.
    if let Some(hole) = part.stopped.filter(|_| !read.contains(&0)) {
        return Err(hole);
    }
    Ok(match process.kernel().redaction() {
        Some(redaction) => redaction.image(name),
        None => name,
    })
}

/// The last part of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit('\\').next().unwrap_or(path)
}
