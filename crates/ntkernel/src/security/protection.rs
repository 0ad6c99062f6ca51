//! Protected processes: who may not open them although their token would let one.

use ntsecurity::token;

use crate::image::contract::Process;
use crate::image::kernel::{At, Read};

/// The protection of a process in words, as `PPL/Lsa`; none for one that is not protected.
///
/// # Errors
/// When the process is not in the dump, or the symbols do not tell.
pub fn of(process: At<'_, '_>) -> Read<Option<String>> {
    // `_PS_PROTECTION` came with 8.1: three bits of type, one for audits, four of the signer. Vista to 8 have one bit.
    match process.uint(Process::Protection) {
        Ok(byte) => {
            let [byte, ..] = byte.to_le_bytes();
            Ok(token::protection(byte))
        }
        Err(hole) if hole.is_absence() => {
            let protected = process.flag(Process::ProtectedProcess)?;
            Ok(protected.then(|| "protected".to_owned()))
        }
        Err(hole) => Err(hole),
    }
}
