//! `_UNICODE_STRING`.

use kdmp_parser::gxa::{Gva, Gxa};

use crate::{Cursor, ReadError};

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
    pub(crate) fn read(cursor: &Cursor<'_>, gva: Gva) -> Result<UnicodeString, ReadError> {
        let width = cursor.space().pointer_width();
        let field = |offset: u32, size: u32| {
            let at = gva.u64().checked_add(offset.into());
            let len = usize::try_from(width.saturating_mul(2)).unwrap_or_default();
            cursor.uint(Gva::new(at.ok_or(ReadError::Wraps { gva, len })?), size)
        };
        let (length, maximum_length) = (field(0, 2)? & 0xffff, field(2, 2)? & 0xffff);
        let buffer = Gva::new(field(width, width)?);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default() & !1];
        let partial = cursor.read_partial(buffer, &mut bytes);
        bytes.truncate(partial.read);
        Ok(UnicodeString {
            length: u16::try_from(length).unwrap_or_default(),
            maximum_length: u16::try_from(maximum_length).unwrap_or_default(),
            buffer,
            units: bytes
                .chunks_exact(2)
                .filter_map(|unit| crate::value::le::u16(unit, 0))
                .collect(),
            stopped: partial.stopped,
        })
    }

    /// Whether the structure is one that the kernel would make: an even Length, not above MaximumLength.
    pub fn is_well_formed(&self) -> bool {
        self.length.is_multiple_of(2) && self.length <= self.maximum_length
    }

    /// The text, with U+FFFD for what is not valid UTF-16. Not escaped for terminals.
    pub fn to_string_lossy(&self) -> String {
        String::from_utf16_lossy(&self.units)
    }
}
