//! A second reading of x64 page tables, as short as can be, to check the product's against.
//!
//! It follows the processor's manual and knows transition entries (bit 11 set, bits 0 and 10 clear) as the
//! kernel writes them.

use crate::machine::Machine;

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

/// The physical address of `gva`.
///
/// # Errors
/// Why it has none.
pub fn translate(machine: &Machine, root: u64, gva: u64) -> Result<u64, Gap> {
    if !matches!(gva >> 47, 0 | 0x1_ffff) {
        return Err(Gap::NonCanonical);
    }
    let mut table = root >> 12;
    for shift in [39, 30, 21, 12] {
        let page = machine.frame(table).ok_or(Gap::NotInFile)?;
        let index = (gva >> shift & 0x1ff) as usize;
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&page[index * 8..index * 8 + 8]);
        let entry = u64::from_le_bytes(bytes);
        let valid = entry & 1 != 0;
        if !valid && entry & 0xc00 != 0x800 {
            return Err(Gap::NotPresent);
        }
        let mut frame = entry >> 12 & 0xff_ffff_ffff;
        // Entries that are not valid carry bit 45 against speculation, unless bit 4 says otherwise.
        if !valid && entry & 0x10 == 0 && frame >> 33 != 0 {
            frame &= (1 << 33) - 1;
        }
        let large = valid && entry & 0x80 != 0 && (shift == 30 || shift == 21);
        if large || shift == 12 {
            let inside = (1u64 << shift) - 1;
            return Ok(frame << 12 & !inside | gva & inside);
        }
        table = frame;
    }
    Err(Gap::NotPresent)
}

/// The byte at `gva`.
///
/// # Errors
/// Why there is none.
pub fn byte(machine: &Machine, root: u64, gva: u64) -> Result<u8, Gap> {
    let gpa = translate(machine, root, gva)?;
    let page = machine.frame(gpa >> 12).ok_or(Gap::NotInFile)?;
    Ok(page[(gpa & 0xfff) as usize])
}
