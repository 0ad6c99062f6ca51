//! For which processors a kernel is, as far as that bears on its layouts.

/// What a kernel's image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Processor {
    /// 32-bit x86.
    X86,
    /// x64.
    X64,
    /// x64 with five levels of page tables: an image of its own, `ntkrla57.exe`.
    La57,
    /// ARM64.
    Arm64,
}

impl Processor {
    /// Bytes of a pointer.
    #[must_use]
    pub fn pointer_size(self) -> u8 {
        match self {
            Self::X86 => 4,
            Self::X64 | Self::La57 | Self::Arm64 => 8,
        }
    }

    /// As the built-in table writes it: the bytes of a pointer, with a word behind where that is not all.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "4" => Self::X86,
            "8" => Self::X64,
            "8:la57" => Self::La57,
            "8:arm64" => Self::Arm64,
            _ => return None,
        })
    }
}
