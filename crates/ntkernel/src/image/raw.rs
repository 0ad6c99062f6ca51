//! Reads of memory that no member of the contract describes: parts of arrays, texts, whole stacks.

use kdump::{Cursor, Gva};

use crate::image::budget::Budget;
use crate::image::trace::Trace;
use crate::image::value::{Read, Unreadable, offset};

/// How far a read came.
#[derive(Debug)]
pub struct Partial {
    /// How many bytes were read, from the first on.
    pub read: usize,
    /// Why no more were; none when all were.
    pub stopped: Option<Unreadable>,
}

/// A cursor whose reads are noted where a [`Trace`] is kept.
#[derive(Clone, Copy)]
pub struct Raw<'k, 'd> {
    cursor: &'k Cursor<'d>,
    trace: Option<&'k Trace>,
    budget: &'k Budget,
}

impl<'k, 'd> Raw<'k, 'd> {
    /// Reads through `cursor`, noted in `trace` and paid for by `budget`.
    pub fn new(cursor: &'k Cursor<'d>, trace: Option<&'k Trace>, budget: &'k Budget) -> Self {
        Self {
            cursor,
            trace,
            budget,
        }
    }

    /// A byte.
    ///
    /// # Errors
    /// When it is not in the dump, or no more may be read.
    pub fn u8(self, gva: Gva) -> Read<u8> {
        self.note(gva, 1)?;
        Ok(self.cursor.u8(gva)?)
    }

    /// Four bytes, the least significant first.
    ///
    /// # Errors
    /// As [`Raw::u8`].
    pub fn u32(self, gva: Gva) -> Read<u32> {
        self.note(gva, 4)?;
        Ok(self.cursor.u32(gva)?)
    }

    /// A number of 1, 2, 4 or 8 bytes, the least significant first.
    ///
    /// # Errors
    /// As [`Raw::u8`].
    pub fn uint(self, gva: Gva, size: u32) -> Read<u64> {
        self.note(gva, size.into())?;
        Ok(self.cursor.uint(gva, size)?)
    }

    /// A pointer, as wide as those of the system.
    ///
    /// # Errors
    /// As [`Raw::u8`].
    pub fn pointer(self, gva: Gva) -> Read<Gva> {
        self.note(gva, self.cursor.space().pointer_width().into())?;
        Ok(self.cursor.pointer(gva)?)
    }

    /// As many bytes as there is room for.
    ///
    /// # Errors
    /// As [`Raw::u8`], of any of them.
    pub fn read(self, gva: Gva, buf: &mut [u8]) -> Read<()> {
        self.note(gva, buf.len() as u64)?;
        Ok(self.cursor.read(gva, buf)?)
    }

    /// As many bytes as can be read, up to the first that cannot.
    pub fn read_partial(self, gva: Gva, buf: &mut [u8]) -> Partial {
        if let Err(hole) = self.note(gva, buf.len() as u64) {
            return Partial {
                read: 0,
                stopped: Some(hole),
            };
        }
        let kdump::Partial { read, stopped } = self.cursor.read_partial(gva, buf);
        Partial {
            read,
            stopped: stopped.map(Unreadable::from),
        }
    }

    /// The text of a `_UNICODE_STRING`: two reads, of the structure and of its buffer.
    pub fn text(self, gva: Gva) -> Read<String> {
        let width = self.cursor.space().pointer_width();
        self.note(gva, u64::from(width).saturating_mul(2))?;
        if let Some(trace) = self.trace {
            // Noted before the text is read, so that a buffer that is not there is told as well.
            let length = self.cursor.u16(gva)?;
            let buffer = self.cursor.pointer(offset(gva, width.into()))?;
            if length > 0 {
                trace.text(gva, buffer, length.into())?;
            }
        }
        self.budget.text(self.cursor.u16(gva)?.into())?;
        let string = self.cursor.unicode_string(gva)?;
        match string.stopped {
            Some(error) => Err(error.into()),
            None => Ok(string.to_string_lossy()),
        }
    }

    fn note(self, gva: Gva, len: u64) -> Read<()> {
        self.budget.bytes(len)?;
        match self.trace {
            Some(trace) if len > 0 => trace.raw(gva, len),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Raw<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Raw({:x})", self.cursor.space().root().u64())
    }
}
