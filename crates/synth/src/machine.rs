//! The processors that worlds are of.

use serde::Serialize;

/// A processor architecture with the page tables that Windows uses on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Machine {
    /// x64 with four levels of page tables.
    X64,
    /// x64 with five levels (LA57).
    La57,
    /// x86 with page-table entries of four bytes.
    X86,
    /// x86 with page-table entries of eight bytes.
    Pae,
    /// ARM64 with pages of 4 KiB.
    Arm64,
}

impl Machine {
    /// Bytes of a pointer.
    #[must_use]
    pub fn pointer_size(self) -> u64 {
        match self {
            Machine::X64 | Machine::La57 | Machine::Arm64 => 8,
            Machine::X86 | Machine::Pae => 4,
        }
    }

    /// `IMAGE_FILE_MACHINE_*`.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Machine::X64 | Machine::La57 => 0x8664,
            Machine::X86 | Machine::Pae => 0x14c,
            Machine::Arm64 => 0xaa64,
        }
    }

    /// The directory of symbols and the suffix of build names.
    #[must_use]
    pub fn build_suffix(self) -> &'static str {
        match self {
            Machine::X64 | Machine::La57 => "amd64fre",
            Machine::X86 | Machine::Pae => "x86fre",
            Machine::Arm64 => "arm64fre",
        }
    }
}
