//! Pages of 4 KiB, and runs of them.

use kdmp_parser::pxe::Pfn;
use schemars::JsonSchema;
use serde::Serialize;

use crate::value::hex;

/// Bytes of a page.
pub(crate) const PAGE: u64 = 0x1000;
/// Bits of an address that are its place in its page.
pub(crate) const PAGE_MASK: u64 = PAGE - 1;

/// Page frames that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PageRun {
    /// The first frame.
    #[serde(serialize_with = "hex::pfn")]
    #[schemars(with = "hex::Hex")]
    pub base: Pfn,
    /// How many frames.
    pub count: u64,
}
