//! An address space: a dump seen through page tables.

use kdmp_parser::gxa::{Gpa, Gva};

use crate::dump::Contents;
use crate::error::FrameUse;
use crate::paging::Paging;
use crate::{Cursor, Dump, FileOffset, ReadError, TranslateError, Translation};

/// The virtual memory that one set of page tables describes.
#[derive(Debug, Clone, Copy)]
pub struct AddressSpace<'d> {
    dump: &'d Dump,
    root: Gpa,
    kernel_root: Gpa,
    paging: Paging,
}

/// Where a byte of virtual memory is in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// In the page of 4 KiB that begins here, all of which is in the file.
    Page(FileOffset),
    /// In a piece of memory without page tables.
    Piece(Extent),
}

/// Bytes of virtual memory that follow each other in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Where they begin in the file.
    pub(crate) offset: u64,
    /// How many they are, at least one.
    pub(crate) len: u64,
}

impl Extent {
    /// How many of `len` bytes they can give.
    pub(crate) fn up_to(self, len: usize) -> usize {
        usize::try_from(self.len).unwrap_or(len).min(len)
    }
}

impl<'d> AddressSpace<'d> {
    pub(crate) fn new(dump: &'d Dump, root: Gpa, paging: Paging) -> AddressSpace<'d> {
        AddressSpace {
            dump,
            root,
            kernel_root: root,
            paging,
        }
    }

    /// The same space, with the kernel's half from other tables.
    pub(crate) fn with_kernel_root(self, kernel_root: Gpa) -> AddressSpace<'d> {
        AddressSpace { kernel_root, ..self }
    }

    /// The dump it is in.
    pub fn dump(&self) -> &'d Dump {
        self.dump
    }

    /// How many bits of an address its page tables index: 48, or 57 with five levels; 32 on x86.
    pub fn address_bits(&self) -> u32 {
        self.paging.address_bits()
    }

    /// The bits of an address: all of 64, or 32 on x86.
    pub(crate) fn address_mask(&self) -> u64 {
        match self.pointer_width() {
            4 => u32::MAX.into(),
            _ => u64::MAX,
        }
    }

    /// Where the top table is in physical memory.
    pub fn root(&self) -> Gpa {
        self.root
    }

    /// The size of a pointer in bytes.
    pub fn pointer_width(&self) -> u32 {
        self.paging.pointer_width()
    }

    /// Finds the physical address of `gva`. Its page need not be in the dump; the page tables must.
    ///
    /// # Errors
    /// An address that is not canonical, an entry that is not present, a table that is not in the dump or
    /// beyond the end of its file. A triage dump has no page tables: nothing in it translates.
    pub fn translate(&self, gva: Gva) -> Result<Translation, TranslateError> {
        match self.dump.contents() {
            Contents::Pages(_) => {}
            Contents::Pieces(_) => return Err(ReadError::NotInTriageDump { gva }),
            Contents::HeaderOnly => return Err(ReadError::HeaderOnly { gva }),
        }
        let root = if self.paging.is_kernel_half(gva) {
            self.kernel_root
        } else {
            self.root
        };
        self.paging.translate(self.dump, root, gva)
    }

    /// Where the byte at `gva` is in the file.
    pub(crate) fn locate(&self, gva: Gva) -> Result<Place, ReadError> {
        if let Contents::Pieces(triage) = self.dump.contents() {
            return triage.extent(gva).map(Place::Piece);
        }
        let pfn = self.translate(gva)?.gpa.pfn().into();
        self.dump
            .frame(pfn)
            .map(Place::Page)
            .map_err(|error| ReadError::from_frame(error, gva, FrameUse::Data))
    }

    /// A reader with a translation cache of its own. Make one for each walk.
    pub fn cursor(&self) -> Cursor<'d> {
        Cursor::new(*self)
    }
}
