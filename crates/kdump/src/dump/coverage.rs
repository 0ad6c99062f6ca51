//! How much of a dump is there.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

/// How much of what a dump claims to hold is in its file, in pages of 4 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Coverage {
    /// Pages that the index lists.
    pub claimed: u64,
    /// Pages of these that the file is long enough for.
    pub present: u64,
    /// Pages of these that the file ends before.
    pub missing: u64,
}
