//! Why a byte of memory cannot be read.

use std::io;

#[cfg(feature = "serde")]
use serde::Serialize;

use crate::memory::level::Level;
use crate::value::addr::Addr;
use crate::value::address::{Gpa, Gva, Pfn};

/// Why a page frame has no place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The index of the dump does not list the frame.
    #[error("page frame {:#x} is not in the dump", pfn.u64())]
    NotInDump {
        /// The frame.
        pfn: Pfn,
    },
    /// The dump should hold the frame, but the file ends before the end of its page.
    #[error("page frame {:#x} should be at file offset {offset:#x}, beyond the end of the file", pfn.u64())]
    OutOfFile {
        /// The frame.
        pfn: Pfn,
        /// Where its page would begin in the file, in bytes.
        offset: u64,
    },
    /// The page is in the file, but its writer could not read it: it holds the word 0xdeadfeed and nothing else.
    #[error("page frame {:#x} holds only the filler 0xdeadfeed: whoever wrote the dump could not read it", pfn.u64())]
    Filler {
        /// The frame.
        pfn: Pfn,
    },
    /// The file holds the page in a form that must be unpacked, and its bytes are damaged.
    #[error("page frame {:#x} cannot be unpacked: its bytes in the file are damaged", pfn.u64())]
    Damaged {
        /// The frame.
        pfn: Pfn,
    },
    /// The system failed to read the frame's page or its place in the index.
    #[error("page frame {:#x}: the file cannot be read: {kind}", pfn.u64())]
    Io {
        /// The frame.
        pfn: Pfn,
        /// What the system said.
        kind: io::ErrorKind,
    },
}

impl FrameError {
    /// The stable name of this error, for machines: kebab-case, never changed once released.
    pub fn id(&self) -> &'static str {
        match self {
            FrameError::NotInDump { .. } => "not-in-dump",
            FrameError::OutOfFile { .. } => "out-of-file",
            FrameError::Filler { .. } => "filler-page",
            FrameError::Damaged { .. } => "damaged-page",
            FrameError::Io { .. } => "io",
        }
    }
}

/// Why physical memory cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PhysicalError {
    /// A page of the read has no place in the file.
    #[error("physical address {:#x}: {source}", gpa.u64())]
    Frame {
        /// The first address that could not be read.
        gpa: Gpa,
        /// Why.
        source: FrameError,
    },
    /// More bytes were asked for at once than [`MAX_BYTES`](crate::MAX_BYTES).
    #[error("{len} bytes at physical address {:#x} are too many for one read", gpa.u64())]
    TooLong {
        /// Where the read was to begin.
        gpa: Gpa,
        /// How many bytes were asked for.
        len: usize,
    },
    /// The read would run past the end of the address space.
    #[error("{len} bytes at physical address {:#x} run past the last address", gpa.u64())]
    Wraps {
        /// Where the read was to begin.
        gpa: Gpa,
        /// How many bytes were asked for.
        len: usize,
    },
}

impl PhysicalError {
    /// The stable name of this error, for machines: kebab-case, never changed once released.
    pub fn id(&self) -> &'static str {
        match self {
            PhysicalError::Frame { source, .. } => source.id(),
            PhysicalError::TooLong { .. } => "too-long",
            PhysicalError::Wraps { .. } => "address-wraps",
        }
    }
}

/// What a frame that could not be read would have held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum FrameUse {
    /// A page table, whose entries are of this level.
    Table(Level),
    /// The bytes asked for.
    Data,
}

impl std::fmt::Display for FrameUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FrameUse::Table(level) => write!(f, "the page table with its {level}"),
            FrameUse::Data => f.write_str("its page"),
        }
    }
}

/// What Windows says of a page through an entry that is not valid.
///
/// The fields are those of `_MMPTE_SOFTWARE` and `_MMPTE_PROTOTYPE` in the symbols of kernels: Prototype is bit
/// 10, PageFileHigh bits 32 to 63, and 12 to 31 on x86 without PAE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum NotPresentKind {
    /// The entry is zero: nothing was ever there.
    Zero,
    /// Committed, but never touched: a page of zeros when it is.
    DemandZero,
    /// Written out to a page file.
    PageFile,
    /// Described by a prototype entry: a section's page that is not in this address space now.
    Prototype,
    /// The entry is valid but has a form that processors reserve: the tables are damaged, or are none.
    Reserved,
}

impl std::fmt::Display for NotPresentKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NotPresentKind::Zero => "nothing is mapped there",
            // Windows makes the page at the first touch; until then its entry has a protection and nothing else
            // (Windows Internals, 7th ed., chapter 5).
            NotPresentKind::DemandZero => "committed but never touched",
            // The page file is in no dump: of a page that was written out nothing is left to look at.
            NotPresentKind::PageFile => "paged out to a page file",
            // What several processes share is described once, by an entry in paged pool, and their own entries
            // only say that there is one (Windows Internals, 7th ed., chapter 5).
            NotPresentKind::Prototype => "not in memory, described by a prototype entry",
            NotPresentKind::Reserved => "its entry has a form that processors do not accept",
        })
    }
}

/// Why virtual memory cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "id", rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum ReadError {
    /// No page table can describe this address: its upper bits are not all the same.
    #[error("{gva}: not a canonical address")]
    NonCanonical {
        /// The address.
        gva: Addr,
    },
    /// The page tables say that no page is there.
    #[error("{gva}: {state} (its {level} at physical {:#x} is {entry:#x})", entry_at.u64())]
    NotPresent {
        /// The address.
        gva: Addr,
        /// Which entry says so.
        level: Level,
        /// Its value.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
        entry: u64,
        /// Its physical address.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::gpa"))]
        entry_at: Gpa,
        /// What the value means.
        state: NotPresentKind,
    },
    /// The frame needed is not among those that the dump was written with.
    #[error("{gva}: {what}, page frame {:#x}, is not in the dump", pfn.u64())]
    NotInDump {
        /// The address.
        gva: Addr,
        /// The frame.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::pfn"))]
        pfn: Pfn,
        /// What it holds.
        what: FrameUse,
    },
    /// The frame needed should be in the dump, but the file ends before it.
    #[error(
        "{gva}: {what}, page frame {:#x}, should be at file offset {offset:#x}, beyond the end of the file",
        pfn.u64()
    )]
    OutOfFile {
        /// The address.
        gva: Addr,
        /// The frame.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::pfn"))]
        pfn: Pfn,
        /// What it holds.
        what: FrameUse,
        /// Where its page would begin in the file, in bytes.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
        offset: u64,
    },
    /// The page needed is in the file, but its writer could not read it: it holds the word 0xdeadfeed and nothing
    /// else.
    #[error(
        "{gva}: {what}, page frame {:#x}, holds only the filler 0xdeadfeed: whoever wrote the dump could not read it",
        pfn.u64()
    )]
    #[cfg_attr(feature = "serde", serde(rename = "filler-page"))]
    Filler {
        /// The address.
        gva: Addr,
        /// The frame.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::pfn"))]
        pfn: Pfn,
        /// What it should hold.
        what: FrameUse,
    },
    /// The page needed is in the file in a form that must be unpacked, and its bytes are damaged.
    #[error("{gva}: {what}, page frame {:#x}, cannot be unpacked: its bytes in the file are damaged", pfn.u64())]
    #[cfg_attr(feature = "serde", serde(rename = "damaged-page"))]
    Damaged {
        /// The address.
        gva: Addr,
        /// The frame.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::pfn"))]
        pfn: Pfn,
        /// What it should hold.
        what: FrameUse,
    },
    /// A triage dump holds pieces of virtual memory, and this is in none of them.
    #[error("{gva}: a triage dump does not hold this")]
    NotInTriageDump {
        /// The address.
        gva: Addr,
    },
    /// A triage dump should hold this, but its file ends before it.
    #[error("{gva}: should be at file offset {offset:#x}, beyond the end of the file")]
    #[cfg_attr(feature = "serde", serde(rename = "out-of-file"))]
    BlockCut {
        /// The address.
        gva: Addr,
        /// Where its byte would be in the file.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::u64"))]
        offset: u64,
    },
    /// A triage dump that holds this in none of the pieces that are known; of others the file is cut off before what
    /// would say where they are.
    #[error("{gva}: in none of the dump's blocks that are known: the file ends before the places of others")]
    #[cfg_attr(feature = "serde", serde(rename = "out-of-file"))]
    BlockTableCut {
        /// The address.
        gva: Addr,
    },
    /// Only the header of this kind of dump can be read.
    #[error("{gva}: of this kind of dump only the header can be read")]
    HeaderOnly {
        /// The address.
        gva: Addr,
    },
    /// The system failed to read the file.
    #[error("{gva}: the file cannot be read: {kind}")]
    Io {
        /// The address.
        gva: Addr,
        /// What the system said.
        #[cfg_attr(feature = "serde", serde(serialize_with = "io_kind"))]
        kind: io::ErrorKind,
    },
    /// More bytes were asked for at once than [`MAX_BYTES`](crate::MAX_BYTES).
    #[error("{gva}: {len} bytes are too many for one read")]
    TooLong {
        /// Where the read was to begin.
        gva: Addr,
        /// How many bytes were asked for.
        len: usize,
    },
    /// The read would run past the end of the address space.
    #[error("{gva}: {len} bytes from there run past the last address")]
    #[cfg_attr(feature = "serde", serde(rename = "address-wraps"))]
    Wraps {
        /// Where the read was to begin.
        gva: Addr,
        /// How many bytes were asked for.
        len: usize,
    },
    /// An integer of a size that no integer has.
    #[error("{gva}: no integer has {size} bytes")]
    BadSize {
        /// Where it was to be read.
        gva: Addr,
        /// The size asked for, in bytes.
        size: u32,
    },
}

/// Why a virtual address has no physical one: the variants of [`ReadError`] other than those about lengths.
pub type TranslateError = ReadError;

impl ReadError {
    /// The stable name of this error, for machines: kebab-case, never changed once released.
    pub fn id(&self) -> &'static str {
        match self {
            ReadError::NonCanonical { .. } => "non-canonical",
            ReadError::NotPresent { .. } => "not-present",
            ReadError::NotInDump { .. } => "not-in-dump",
            ReadError::OutOfFile { .. } | ReadError::BlockCut { .. } | ReadError::BlockTableCut { .. } => {
                "out-of-file"
            }
            ReadError::Filler { .. } => "filler-page",
            ReadError::Damaged { .. } => "damaged-page",
            ReadError::NotInTriageDump { .. } => "not-in-triage-dump",
            ReadError::HeaderOnly { .. } => "header-only",
            ReadError::Io { .. } => "io",
            ReadError::TooLong { .. } => "too-long",
            ReadError::Wraps { .. } => "address-wraps",
            ReadError::BadSize { .. } => "bad-size",
        }
    }

    /// The address that could not be read: the first one, when part of the read was possible.
    pub fn gva(&self) -> Gva {
        match *self {
            ReadError::NonCanonical { gva }
            | ReadError::NotPresent { gva, .. }
            | ReadError::NotInDump { gva, .. }
            | ReadError::OutOfFile { gva, .. }
            | ReadError::Filler { gva, .. }
            | ReadError::Damaged { gva, .. }
            | ReadError::NotInTriageDump { gva }
            | ReadError::BlockCut { gva, .. }
            | ReadError::BlockTableCut { gva }
            | ReadError::HeaderOnly { gva }
            | ReadError::Io { gva, .. }
            | ReadError::TooLong { gva, .. }
            | ReadError::Wraps { gva, .. }
            | ReadError::BadSize { gva, .. } => gva.gva(),
        }
    }

    /// The same error as seen from a read of virtual memory.
    pub(crate) fn from_frame(error: FrameError, gva: Addr, what: FrameUse) -> ReadError {
        match error {
            FrameError::NotInDump { pfn } => ReadError::NotInDump { gva, pfn, what },
            FrameError::OutOfFile { pfn, offset } => ReadError::OutOfFile {
                gva,
                pfn,
                what,
                offset,
            },
            // No rare thing where it happens: one reported dump has 4,578 such pages.
            FrameError::Filler { pfn } => ReadError::Filler { gva, pfn, what },
            FrameError::Damaged { pfn } => ReadError::Damaged { gva, pfn, what },
            FrameError::Io { kind, .. } => ReadError::Io { gva, kind },
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)]
#[cfg(feature = "serde")]
fn io_kind<S: serde::Serializer>(kind: &io::ErrorKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(kind)
}
