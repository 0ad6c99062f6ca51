//! Reads of virtual memory.

use std::borrow::Cow;

use crate::memory::cache::{KeptPages, PageCache};
use crate::memory::error::ReadError;
use crate::memory::page::{FileOffset, MAX_BYTES, left_in_page};
use crate::memory::physical::in_page;
use crate::memory::pieces::Extent;
use crate::memory::space::{AddressSpace, Place};
use crate::memory::unicode::UnicodeString;
use crate::value::address::Gva;
use crate::value::le;

/// How far a read came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Partial {
    /// How many bytes were read, from the first on.
    pub read: usize,
    /// Why no more were; `None` when all were.
    pub stopped: Option<ReadError>,
}

/// Bytes of virtual memory: where they are, and how many follow there.
#[derive(Debug, Clone, Copy)]
enum Span {
    /// In a page of the source, from a byte on.
    Page {
        page: FileOffset,
        skip: usize,
        len: usize,
    },
    /// In a piece of memory without pages.
    Piece(Extent),
}

impl Span {
    /// How many of `len` bytes it can give.
    fn up_to(self, len: usize) -> usize {
        match self {
            Span::Page { len: left, .. } => left.min(len),
            Span::Piece(extent) => extent.up_to(len),
        }
    }

    /// Where it begins in the file.
    fn offset(self) -> FileOffset {
        match self {
            Span::Page { page, skip, .. } => FileOffset(page.0.saturating_add(skip as u64)),
            Span::Piece(extent) => extent.offset,
        }
    }
}

/// A reader of one address space that remembers its translations. It belongs to one walk on one thread: make
/// as many as there are walks.
#[derive(Debug)]
pub struct Cursor<'d> {
    space: AddressSpace<'d>,
    cache: PageCache,
    kept: KeptPages,
}

impl<'d> AddressSpace<'d> {
    /// A reader with a translation cache of its own. Make one for each walk.
    pub fn cursor(&self) -> Cursor<'d> {
        Cursor::new(*self)
    }
}

impl<'d> Cursor<'d> {
    fn new(space: AddressSpace<'d>) -> Cursor<'d> {
        Cursor {
            space,
            cache: PageCache::default(),
            kept: KeptPages::default(),
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
        self.span(gva).map(Span::offset)
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
            let stopped = match self.span(at) {
                Ok(span) => {
                    let len = span.up_to(left.len());
                    let Some((now, rest)) = left.split_at_mut_checked(len) else {
                        return Partial { read, stopped: None };
                    };
                    let result = self.read_span(span, at, now);
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
                        stopped: Some(ReadError::Wraps {
                            gva: self.space.addr(gva),
                            len: wanted,
                        }),
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
            return Err(ReadError::TooLong {
                gva: self.space.addr(gva),
                len,
            });
        }
        if len == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        let span = self.span(gva)?;
        if span.up_to(len) == len
            && let Some(bytes) = self.borrow_span(span, gva, len)?
        {
            return Ok(Cow::Borrowed(bytes));
        }
        // The buffer grows with what was read, so that a length out of the dump costs no more than what
        // the dump has to show for it.
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let start = bytes.len();
            let Some(at) = next(gva, start) else {
                return Err(ReadError::Wraps {
                    gva: self.space.addr(gva),
                    len,
                });
            };
            let span = self.span(at)?;
            let now = span.up_to(len.saturating_sub(start));
            bytes.resize(start.saturating_add(now), 0);
            self.read_span(span, at, bytes.get_mut(start..).unwrap_or_default())?;
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
            _ => Err(ReadError::BadSize {
                gva: self.space.addr(gva),
                size,
            }),
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
        let width = self.space.pointer_width();
        let field = |offset: u32, size: u32| {
            let at = gva.u64().checked_add(offset.into());
            let len = usize::try_from(width.saturating_mul(2)).unwrap_or_default();
            self.uint(
                Gva::new(at.ok_or(ReadError::Wraps {
                    gva: self.space.addr(gva),
                    len,
                })?),
                size,
            )
        };
        // Lengths are in bytes, and nothing ends the text but Length: a NUL behind it is a habit, not a rule.
        let (length, maximum_length) = (field(0, 2)? & 0xffff, field(2, 2)? & 0xffff);
        let buffer = Gva::new(field(width, width)?);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default() & !1];
        let partial = self.read_partial(buffer, &mut bytes);
        bytes.truncate(partial.read);
        Ok(UnicodeString {
            length: u16::try_from(length).unwrap_or_default(),
            maximum_length: u16::try_from(maximum_length).unwrap_or_default(),
            buffer,
            units: bytes
                .chunks_exact(2)
                .filter_map(|unit| le::u16(unit, 0))
                .collect(),
            stopped: partial.stopped,
        })
    }

    fn array<const N: usize>(&self, gva: Gva) -> Result<[u8; N], ReadError> {
        let (number, skip) = (gva.u64() >> 12, in_page(gva.u64()));
        if let Some(bytes) = self.kept.bytes(number, skip) {
            return Ok(bytes);
        }
        let mut bytes = [0; N];
        self.read(gva, &mut bytes)?;
        if self.kept.is_read_again(number) {
            self.keep(number, gva);
        }
        Ok(bytes)
    }

    /// Keeps the bytes of the page that an address is in. What is no page of a file, or holds none of the system's bytes, is
    /// read as it is asked for.
    fn keep(&self, number: u64, gva: Gva) {
        if let Ok(Span::Page { page, .. }) = self.span(gva) {
            let first = Gva::new(gva.u64().wrapping_sub(in_page(gva.u64()) as u64));
            let read = |bytes: &mut [u8; 0x1000]| self.space.read_page(page, 0, first, bytes).is_ok();
            self.kept.keep(number, read);
        }
    }

    /// Reads bytes at `gva`, which are in `span`.
    fn read_span(&self, span: Span, gva: Gva, buf: &mut [u8]) -> Result<(), ReadError> {
        match span {
            Span::Page { page, skip, .. } => self.space.read_page(page, skip, gva, buf),
            Span::Piece(extent) => self.space.read_piece(extent, gva, buf),
        }
    }

    /// The bytes at `gva`, which are in `span`, without copying; `None` where they are not in memory.
    fn borrow_span(&self, span: Span, gva: Gva, len: usize) -> Result<Option<&'d [u8]>, ReadError> {
        match span {
            Span::Page { page, skip, .. } => self.space.borrow_page(page, skip, gva, len),
            Span::Piece(extent) => Ok(self.space.borrow_piece(extent, len)),
        }
    }

    /// Where the byte at `gva` is, and how many follow it there. A page is remembered.
    fn span(&self, gva: Gva) -> Result<Span, ReadError> {
        let number = gva.u64() >> 12;
        let page = match self.cache.get(number) {
            Some(page) => FileOffset(page),
            None => match self.space.locate(gva)? {
                Place::Page(page) => {
                    self.cache.put(number, page.0);
                    page
                }
                Place::Piece(extent) => return Ok(Span::Piece(extent)),
            },
        };
        Ok(Span::Page {
            page,
            skip: in_page(gva.u64()),
            len: left_in_page(gva.u64()),
        })
    }
}

fn next(gva: Gva, len: usize) -> Option<Gva> {
    gva.u64().checked_add(len as u64).map(Gva::new)
}
