//! `_UNICODE_STRING`.

use crate::memory::error::ReadError;
use crate::value::address::Gva;

/// A counted string of UTF-16 units as the kernel keeps it.
///
/// Length (u16, in bytes) is at 0, MaximumLength (u16) at 2, and Buffer at 8, or at 4 on 32-bit systems.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnicodeString {
    /// Length, in bytes, as in the structure: odd lengths and lengths above the maximum are kept.
    pub length: u16,
    /// MaximumLength, in bytes.
    pub maximum_length: u16,
    /// Buffer.
    pub buffer: Gva,
    /// The units that could be read, from the first on. They need not be valid UTF-16, and any of them can be
    /// a control character or NUL: whoever created the object chose them.
    pub units: Vec<u16>,
    /// Why the units are fewer than the length says; `None` when all are there.
    pub stopped: Option<ReadError>,
}

impl UnicodeString {
    /// Whether the structure is one that the kernel would make: an even Length, not above MaximumLength.
    pub fn is_well_formed(&self) -> bool {
        self.length.is_multiple_of(2) && self.length <= self.maximum_length
    }

    /// The text, with U+FFFD for what is not valid UTF-16. Not escaped for terminals.
    pub fn to_string_lossy(&self) -> String {
        String::from_utf16_lossy(&self.units)
    }
}
