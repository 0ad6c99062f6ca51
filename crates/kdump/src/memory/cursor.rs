//! Reads of virtual memory.

use std::borrow::Cow;

use kdmp_parser::gxa::{Gva, Gxa};

use crate::dump::{MAX_BYTES, left_in_page};
use crate::memory::cache::PageCache;
use crate::memory::error::ReadError;
use crate::memory::page::PAGE_MASK;
use crate::memory::space::{Extent, Place};
use crate::{AddressSpace, FileOffset, UnicodeString};

/// How far a read came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Partial {
    /// How many bytes were read, from the first on.
    pub read: usize,
    /// Why no more were; `None` when all were.
    pub stopped: Option<ReadError>,
}

/// A reader of one address space that remembers its translations. It belongs to one walk on one thread: make
/// as many as there are walks.
#[derive(Debug)]
pub struct Cursor<'d> {
    space: AddressSpace<'d>,
    cache: PageCache,
}

impl<'d> Cursor<'d> {
    pub(crate) fn new(space: AddressSpace<'d>) -> Cursor<'d> {
        Cursor {
            space,
            cache: PageCache::default(),
        }
    }

    /// The address space it reads.
    pub fn space(&self) -> AddressSpace<'d> {
        self.space
    }

    /// Where the byte at `gva` is in the file: the same for all addresses that page tables show it at.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn place(&self, gva: Gva) -> Result<FileOffset, ReadError> {
        self.extent(gva).map(|extent| FileOffset(extent.offset))
    }

    /// Fills `buf` with the bytes from `gva` on.
    ///
    /// # Errors
    /// Why the first byte that cannot be read cannot be; `buf` is then of no use.
    pub fn read(&self, gva: Gva, buf: &mut [u8]) -> Result<(), ReadError> {
        match self.read_partial(gva, buf).stopped {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// Fills as much of `buf` as can be read from `gva` on without a gap.
    pub fn read_partial(&self, gva: Gva, buf: &mut [u8]) -> Partial {
        let wanted = buf.len();
        let mut left = buf;
        let mut at = gva;
        loop {
            let read = wanted.saturating_sub(left.len());
            if left.is_empty() {
                return Partial { read, stopped: None };
            }
            let stopped = match self.extent(at) {
                Ok(extent) => {
                    let len = extent.up_to(left.len());
                    let Some((now, rest)) = left.split_at_mut_checked(len) else {
                        return Partial { read, stopped: None };
                    };
                    let result = self.read_extent(extent, at, now);
                    left = rest;
                    result.map(|()| len)
                }
                Err(error) => Err(error),
            };
            let len = match stopped {
                Ok(len) => len,
                Err(error) => {
                    return Partial {
                        read,
                        stopped: Some(error),
                    };
                }
            };
            match next(at, len) {
                Some(next) => at = next,
                None if left.is_empty() => {
                    return Partial {
                        read: wanted,
                        stopped: None,
                    };
                }
                None => {
                    let read = wanted.saturating_sub(left.len());
                    return Partial {
                        read,
                        stopped: Some(ReadError::Wraps { gva, len: wanted }),
                    };
                }
            }
        }
    }

    /// `len` bytes from `gva` on: borrowed from the file where they lie in one page of a file that is in
    /// memory, copied otherwise.
    ///
    /// # Errors
    /// As [`read`](Self::read), and [`ReadError::TooLong`] for more than [`MAX_BYTES`].
    pub fn bytes(&self, gva: Gva, len: usize) -> Result<Cow<'d, [u8]>, ReadError> {
        if len > MAX_BYTES {
            return Err(ReadError::TooLong { gva, len });
        }
        if len == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        let extent = self.extent(gva)?;
        if extent.up_to(len) == len
            && let Some(bytes) = self.space.dump().source().slice(extent.offset, len)
        {
            self.refuse_filler(extent, gva, bytes)?;
            return Ok(Cow::Borrowed(bytes));
        }
        // The buffer grows with what was read, so that a length out of the dump costs no more than what
        // the dump has to show for it.
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let start = bytes.len();
            let Some(at) = next(gva, start) else {
                return Err(ReadError::Wraps { gva, len });
            };
            let extent = self.extent(at)?;
            let now = extent.up_to(len.saturating_sub(start));
            bytes.resize(start.saturating_add(now), 0);
            self.read_extent(extent, at, bytes.get_mut(start..).unwrap_or_default())?;
        }
        Ok(Cow::Owned(bytes))
    }

    /// A byte.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn u8(&self, gva: Gva) -> Result<u8, ReadError> {
        self.array(gva).map(u8::from_le_bytes)
    }

    /// A little-endian 16-bit integer.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn u16(&self, gva: Gva) -> Result<u16, ReadError> {
        self.array(gva).map(u16::from_le_bytes)
    }

    /// A little-endian 32-bit integer.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn u32(&self, gva: Gva) -> Result<u32, ReadError> {
        self.array(gva).map(u32::from_le_bytes)
    }

    /// A little-endian 64-bit integer.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn u64(&self, gva: Gva) -> Result<u64, ReadError> {
        self.array(gva).map(u64::from_le_bytes)
    }

    /// A little-endian unsigned integer of 1, 2, 4 or 8 bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read), and [`ReadError::BadSize`] for any other size.
    pub fn uint(&self, gva: Gva, size: u32) -> Result<u64, ReadError> {
        match size {
            1 => self.u8(gva).map(u64::from),
            2 => self.u16(gva).map(u64::from),
            4 => self.u32(gva).map(u64::from),
            8 => self.u64(gva),
            _ => Err(ReadError::BadSize { gva, size }),
        }
    }

    /// A pointer of the address space's width.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn pointer(&self, gva: Gva) -> Result<Gva, ReadError> {
        self.uint(gva, self.space.pointer_width()).map(Gva::new)
    }

    /// The `_UNICODE_STRING` at `gva` and as many of its characters as can be read.
    ///
    /// # Errors
    /// The structure itself cannot be read. A buffer that cannot be is told in the result.
    pub fn unicode_string(&self, gva: Gva) -> Result<UnicodeString, ReadError> {
        UnicodeString::read(self, gva)
    }

    fn array<const N: usize>(&self, gva: Gva) -> Result<[u8; N], ReadError> {
        let mut bytes = [0; N];
        self.read(gva, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads bytes at `gva`, which are in `extent`.
    fn read_extent(&self, extent: Extent, gva: Gva, buf: &mut [u8]) -> Result<(), ReadError> {
        self.space
            .dump()
            .source()
            .read_exact_at(extent.offset, buf)
            .map_err(|error| ReadError::Io {
                gva,
                kind: error.kind(),
            })?;
        self.refuse_filler(extent, gva, buf)
    }

    /// Refuses bytes of a page that its writer could not read. What a triage dump holds are no pages.
    fn refuse_filler(&self, extent: Extent, gva: Gva, bytes: &[u8]) -> Result<(), ReadError> {
        let dump = self.space.dump();
        if dump.triage().is_none() && dump.is_filler(gva.u64(), extent.offset, bytes) {
            return Err(self.space.filler_at(gva));
        }
        Ok(())
    }

    /// Where the byte at `gva` is in the file, and how many follow it there. A page is remembered.
    fn extent(&self, gva: Gva) -> Result<Extent, ReadError> {
        let page = gva.u64() >> 12;
        let base = match self.cache.get(page) {
            Some(base) => base,
            None => match self.space.locate(gva)? {
                Place::Page(base) => {
                    self.cache.put(page, base.0);
                    base.0
                }
                Place::Piece(extent) => return Ok(extent),
            },
        };
        Ok(Extent {
            offset: base.saturating_add(gva.u64() & PAGE_MASK),
            len: left_in_page(gva.u64()) as u64,
        })
    }
}

fn next(gva: Gva, len: usize) -> Option<Gva> {
    gva.u64().checked_add(len as u64).map(Gva::new)
}
