//! The levels of page tables.

use std::fmt;

#[cfg(feature = "serde")]
use serde::Serialize;

/// Which entry of the page tables, from the root down, by the names of x64. The top table of ARM64, its level 0,
/// has PML4Es here; x86 has PDEs and PTEs, and with PAE four PDPTEs above them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Level {
    /// Entry of the top table of five: 256 TiB.
    Pml5e,
    /// 512 GiB.
    Pml4e,
    /// 1 GiB.
    Pdpte,
    /// 2 MiB; 4 MiB on x86 without PAE.
    Pde,
    /// 4 KiB.
    Pte,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Pml5e => "PML5E",
            Level::Pml4e => "PML4E",
            Level::Pdpte => "PDPTE",
            Level::Pde => "PDE",
            Level::Pte => "PTE",
        })
    }
}
