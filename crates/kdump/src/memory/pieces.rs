//! Memory without page tables: pieces of virtual memory, as triage dumps hold them.

use std::{fmt, io};

use crate::memory::error::ReadError;
use crate::memory::page::FileOffset;
use crate::value::addr::Addr;

/// Bytes of virtual memory that follow each other in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Where they begin in the file.
    pub(crate) offset: FileOffset,
    /// How many they are, at least one.
    pub(crate) len: u64,
}

impl Extent {
    /// How many of `len` bytes they can give.
    pub(crate) fn up_to(self, len: usize) -> usize {
        usize::try_from(self.len).unwrap_or(len).min(len)
    }
}

/// A source of virtual memory that has no pages.
pub(crate) trait VirtualPieces: fmt::Debug + Send + Sync {
    /// Where the byte at an address and those behind it are.
    fn extent(&self, gva: Addr) -> Result<Extent, ReadError>;

    /// Fills `buf` with what the file holds from a place on.
    fn read_at(&self, offset: FileOffset, buf: &mut [u8]) -> io::Result<()>;

    /// The same without copying, where it is in memory.
    fn borrow_at(&self, offset: FileOffset, len: usize) -> Option<&[u8]>;
}
