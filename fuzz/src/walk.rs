//! A second reading of page tables, as short as can be, to check the product's against.
//!
//! It follows the processors' manuals and knows transition entries (bit 11 set, bits 0 and 10 clear) as the
//! kernel writes them.

use crate::machine::{Form, Machine};

/// Why an address has no byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Not canonical.
    NonCanonical,
    /// An entry is not present.
    NotPresent,
    /// A table or the page itself is not in the file.
    NotInFile,
}

/// How far an address is shifted to give the index of each level's table, from the root down.
fn shifts(form: Form) -> &'static [u32] {
    match form {
        Form::La57 => &[48, 39, 30, 21, 12],
        Form::X64 | Form::Arm64 => &[39, 30, 21, 12],
        Form::Pae => &[30, 21, 12],
        Form::X86 => &[22, 12],
    }
}

fn is_canonical(form: Form, gva: u64) -> bool {
    let high = |bits: u32| gva.cast_signed() >> (bits - 1);
    match form {
        Form::X64 | Form::Arm64 => matches!(high(48), 0 | -1),
        Form::La57 => matches!(high(57), 0 | -1),
        Form::Pae | Form::X86 => gva <= 0xffff_ffff,
    }
}

/// The physical address of `gva` by tables of `form`.
///
/// # Errors
/// Why it has none.
pub fn translate(machine: &Machine, form: Form, gva: u64) -> Result<u64, Gap> {
    if !is_canonical(form, gva) {
        return Err(Gap::NonCanonical);
    }
    let mut table = form.root();
    for &shift in shifts(form) {
        let entry = entry(machine, form, table, gva >> shift)?;
        if entry & 1 == 0 {
            table = transition(form, entry)? << 12;
        } else if shift == 12 {
            let reserved = form == Form::Arm64 && entry & 2 == 0;
            table = frame(form, entry) << 12;
            if reserved {
                return Err(Gap::NotPresent);
            }
        } else if is_large(form, entry) {
            return large(form, entry, shift, gva).ok_or(Gap::NotPresent);
        } else {
            table = frame(form, entry) << 12;
        }
    }
    Ok(table | gva & 0xfff)
}

fn entry(machine: &Machine, form: Form, table: u64, index: u64) -> Result<u64, Gap> {
    let (size, count) = match form {
        Form::X86 => (4, 1024),
        Form::Pae if table == form.root() => (8, 4),
        _ => (8, 512),
    };
    let page = machine.frame(table >> 12).ok_or(Gap::NotInFile)?;
    let at = (table & 0xfff) as usize + (index % count) as usize * size;
    let mut bytes = [0; 8];
    bytes[..size].copy_from_slice(&page[at..at + size]);
    Ok(u64::from_le_bytes(bytes))
}

/// ARM64 has 50 bits of an address at most, the others 52.
fn frame(form: Form, entry: u64) -> u64 {
    entry >> 12
        & if form == Form::Arm64 {
            0x3f_ffff_ffff
        } else {
            0xff_ffff_ffff
        }
}

fn transition(form: Form, entry: u64) -> Result<u64, Gap> {
    if entry & 0xc00 != 0x800 {
        return Err(Gap::NotPresent);
    }
    let frame = frame(form, entry);
    // Entries that are not valid carry bit 45 against speculation, unless bit 4 says otherwise.
    let masked = form != Form::Arm64 && entry & 0x10 == 0;
    Ok(if masked { frame & 0x1_ffff_ffff } else { frame })
}

fn is_large(form: Form, entry: u64) -> bool {
    match form {
        Form::Arm64 => entry & 2 == 0,
        _ => entry & 0x80 != 0,
    }
}

fn large(form: Form, entry: u64, shift: u32, gva: u64) -> Option<u64> {
    let inside = (1u64 << shift) - 1;
    let base = match (form, shift) {
        (Form::X86, _) => entry & 0xffc0_0000 | (entry >> 13 & 0xff) << 32,
        (_, 21) | (Form::X64 | Form::La57 | Form::Arm64, 30) => frame(form, entry) << 12 & !inside,
        _ => return None,
    };
    Some(base | gva & inside)
}

/// The byte at `gva`.
///
/// # Errors
/// Why there is none.
pub fn byte(machine: &Machine, form: Form, gva: u64) -> Result<u8, Gap> {
    let gpa = translate(machine, form, gva)?;
    let page = machine.frame(gpa >> 12).ok_or(Gap::NotInFile)?;
    Ok(page[(gpa & 0xfff) as usize])
}
