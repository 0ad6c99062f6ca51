//! Pages of 4 KiB, runs of them, and where they are in a file.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::value::address::Pfn;

/// Bytes of a page.
pub(crate) const PAGE: u64 = 0x1000;
/// Bits of an address that are its place in its page.
pub(crate) const PAGE_MASK: u64 = PAGE - 1;

/// The most bytes that one read may return: lengths come out of the dump.
pub const MAX_BYTES: usize = 16 << 20;

/// Bytes from an address to the end of its page of 4 KiB.
pub(crate) fn left_in_page(address: u64) -> usize {
    usize::try_from(PAGE.saturating_sub(address & PAGE_MASK)).unwrap_or_default()
}

/// An offset in the file of a dump, in bytes; or, of a page that has to be unpacked, a mark that no other page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct FileOffset(pub u64);

/// The mark of places that are none in the file: pages that have to be unpacked. The other bits are the physical
/// address.
pub(crate) const PACKED: u64 = 1 << 63;

/// Beside that: pages of another file, a page file. The other bits are its number and the page in it.
pub(crate) const IN_PAGE_FILE: u64 = 1 << 62;

/// Marks a frame number that stands for a page of a page file: above all that physical memory can have (52 bits of
/// address).
pub(crate) const PAGE_FILE_FRAME: u64 = 1 << 50;

/// Whether a frame number stands for a page of a page file.
pub(crate) fn is_in_page_file(pfn: Pfn) -> bool {
    pfn.u64() & PAGE_FILE_FRAME != 0
}

impl FileOffset {
    /// The place, where it is one in the file: of a page that has to be unpacked there is none.
    #[must_use]
    pub fn in_file(self) -> Option<u64> {
        (self.0 & PACKED == 0).then_some(self.0)
    }
}

/// Page frames that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct PageRun {
    /// The first frame.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::value::hex::pfn"))]
    #[cfg_attr(feature = "schema", schemars(with = "crate::value::hex::Hex"))]
    pub base: Pfn,
    /// How many frames.
    pub count: u64,
}
