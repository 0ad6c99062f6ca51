//! How a kernel's page tables name pages that were written out, by its own symbols.

use kdump::{EntryBits, SoftwarePte};
use ntlayout::{SymbolError, SymbolTable, TypeInfo};

use crate::image::kernel::{Kernel, offset};

/// Reads from symbols how entries of page tables name pages in page files.
///
/// # Errors
/// What the symbols lack, in words.
pub fn entries(kernel: &Kernel<'_>, table: &dyn SymbolTable) -> Result<SoftwarePte, String> {
    let entry = structure(table, "_MMPTE_SOFTWARE")?;
    let bits = |name: &str| {
        let member = entry.members.iter().find(|member| member.name == name)?;
        let bits = member.bits?;
        // All members are of one word.
        (member.offset == 0).then_some(EntryBits {
            position: bits.position,
            length: bits.length,
        })
    };
    let need = |name: &str| bits(name).ok_or_else(|| lacks(&format!("_MMPTE_SOFTWARE.{name}")));
    let swizzle = match bits("SwizzleBit") {
        None => None,
        Some(bit) => Some((bit, invalid_mask(kernel, table)?)),
    };
    Ok(SoftwarePte {
        number: need("PageFileLow")?,
        page: need("PageFileHigh")?,
        swizzle,
    })
}

/// `nt!MiState.Hardware.InvalidPteMask`: chosen when the system starts, by how much memory the machine could have.
fn invalid_mask(kernel: &Kernel<'_>, table: &dyn SymbolTable) -> Result<u64, String> {
    let state = table
        .global("MiState")
        .map_err(|error| damaged(&error))?
        .ok_or_else(|| lacks("nt!MiState"))?;
    let member = |ty: &str, name: &str| -> Result<u64, String> {
        let members = structure(table, ty)?.members;
        let member = members.iter().find(|member| member.name == name);
        member
            .map(|member| member.offset.into())
            .ok_or_else(|| lacks(&format!("{ty}.{name}")))
    };
    let hardware = member("_MI_SYSTEM_INFORMATION", "Hardware")?;
    let mask = member("_MI_HARDWARE_STATE", "InvalidPteMask")?;
    let at = offset(offset(offset(kernel.base(), state.into()), hardware), mask);
    kernel
        .cursor()
        .uint(at, 8)
        .map_err(|error| format!("nt!MiState.Hardware.InvalidPteMask cannot be read: {error}"))
}

fn structure(table: &dyn SymbolTable, name: &str) -> Result<TypeInfo, String> {
    table
        .type_info(name)
        .map_err(|error| damaged(&error))?
        .ok_or_else(|| lacks(name))
}

fn lacks(what: &str) -> String {
    format!("the kernel's symbols lack {what}")
}

fn damaged(error: &SymbolError) -> String {
    error.to_string()
}
