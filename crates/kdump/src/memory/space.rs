//! An address space: a dump seen through page tables.

use kdmp_parser::gxa::{Gpa, Gva, Gxa};

use crate::dump::{Contents, MAX_BYTES, left_in_page};
use crate::memory::error::{FrameError, FrameUse};
use crate::memory::page::PAGE_MASK;
use crate::memory::paging::Paging;
use crate::{Cursor, Dump, FileOffset, ReadError, TranslateError, Translation};

/// The virtual memory that one set of page tables describes.
#[derive(Debug, Clone, Copy)]
pub struct AddressSpace<'d> {
    dump: &'d Dump,
    root: Gpa,
    kernel_root: Gpa,
    paging: Paging,
}

/// Bytes of virtual memory that lie in one page, and follow each other in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where they begin.
    pub gva: Gva,
    /// The same in physical memory; a triage dump does not tell.
    pub gpa: Option<Gpa>,
    /// The same in the file.
    pub offset: FileOffset,
    /// How many they are, at least one.
    pub len: u64,
}

/// The first byte of virtual memory that is not in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// Its address.
    pub gva: Gva,
    /// The same in physical memory, when the page tables tell and only its page is missing.
    pub gpa: Option<Gpa>,
    /// Why it is not there.
    pub reason: ReadError,
}

/// Where bytes of virtual memory are, as far as they are anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Whereabouts {
    /// The pieces, in the order of their addresses: one a page.
    pub pieces: Vec<Piece>,
    /// What ends them early; `None` when all bytes are in the file.
    pub gone: Option<Gone>,
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

    /// Where the `len` bytes from `gva` on are, in physical memory and in the file. Of more than [`MAX_BYTES`]
    /// only the first so many are looked for.
    pub fn whereabouts(&self, gva: Gva, len: usize) -> Whereabouts {
        let len = len.min(MAX_BYTES) as u64;
        let mut pieces = Vec::new();
        let mut done = 0_u64;
        while done < len {
            let found = match gva.u64().checked_add(done).map(Gva::new) {
                Some(at) => self.piece(at, len.saturating_sub(done)),
                None => Err(Gone {
                    gva,
                    gpa: None,
                    reason: ReadError::Wraps {
                        gva,
                        len: usize::try_from(len).unwrap_or(MAX_BYTES),
                    },
                }),
            };
            match found {
                Ok(piece) => {
                    done = done.saturating_add(piece.len);
                    pieces.push(piece);
                }
                Err(gone) => {
                    return Whereabouts {
                        pieces,
                        gone: Some(gone),
                    };
                }
            }
        }
        Whereabouts { pieces, gone: None }
    }

    /// As many of `len` bytes from `at` on as lie in its page.
    fn piece(&self, at: Gva, len: u64) -> Result<Piece, Gone> {
        let gone = |gpa, reason| Gone { gva: at, gpa, reason };
        let len = len.min(left_in_page(at.u64()) as u64);
        if let Contents::Pieces(triage) = self.dump.contents() {
            let extent = triage.extent(at).map_err(|error| gone(None, error))?;
            return Ok(Piece {
                gva: at,
                gpa: None,
                offset: FileOffset(extent.offset),
                len: len.min(extent.len),
            });
        }
        let gpa = self.translate(at).map_err(|error| gone(None, error))?.gpa;
        let page = self.dump.frame(gpa.pfn().into());
        let page = page
            .and_then(|page| match self.dump.is_page_of_filler(page.0) {
                true => Err(FrameError::Filler {
                    pfn: gpa.pfn().into(),
                }),
                false => Ok(page),
            })
            .map_err(|error| gone(Some(gpa), ReadError::from_frame(error, at, FrameUse::Data)))?;
        Ok(Piece {
            gva: at,
            gpa: Some(gpa),
            offset: FileOffset(page.0.saturating_add(at.u64() & PAGE_MASK)),
            len,
        })
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

    /// Why bytes at `gva` that read as the filler of a page are none of the system's.
    pub(crate) fn filler_at(&self, gva: Gva) -> ReadError {
        match self.translate(gva) {
            Ok(Translation { gpa, .. }) => {
                let pfn = gpa.pfn().into();
                ReadError::from_frame(FrameError::Filler { pfn }, gva, FrameUse::Data)
            }
            Err(error) => error,
        }
    }

    /// A reader with a translation cache of its own. Make one for each walk.
    pub fn cursor(&self) -> Cursor<'d> {
        Cursor::new(*self)
    }
}
