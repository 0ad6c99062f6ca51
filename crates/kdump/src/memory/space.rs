//! An address space: memory seen through page tables.

use crate::memory::error::{FrameUse, ReadError, TranslateError};
use crate::memory::inverse::{self, Mapped, MappedEnd};
use crate::memory::page::{FileOffset, MAX_BYTES, is_in_page_file, left_in_page};
use crate::memory::paging::{Paging, Translation};
use crate::memory::physical::{PageError, PhysicalMemory, in_page};
use crate::memory::pieces::{Extent, VirtualPieces};
use crate::value::addr::Addr;
use crate::value::address::{Gpa, Gva};

/// The virtual memory that one set of page tables describes.
#[derive(Debug, Clone, Copy)]
pub struct AddressSpace<'d> {
    memory: Memory<'d>,
    root: Gpa,
    kernel_root: Gpa,
    paging: Paging,
}

/// What an address space is of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Memory<'d> {
    /// Pages, which page tables give an order.
    Pages(&'d dyn PhysicalMemory),
    /// Pieces of virtual memory, for which no page tables are needed.
    Pieces(&'d dyn VirtualPieces),
    /// None: only a header can be read.
    Nothing,
}

/// Bytes of virtual memory that lie in one page, and follow each other in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where they begin.
    pub gva: Gva,
    /// The same in physical memory; a triage dump does not tell.
    pub gpa: Option<Gpa>,
    /// The same in the file; none of a page that has to be unpacked.
    pub offset: Option<FileOffset>,
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

impl<'d> AddressSpace<'d> {
    /// The memory of a source as page tables at `directory_table_base` show it. Bits that are no part of an address
    /// (the PCID of x64) are left out of account.
    pub fn of(memory: &'d dyn PhysicalMemory, paging: Paging, directory_table_base: u64) -> AddressSpace<'d> {
        AddressSpace::over(Memory::Pages(memory), paging, directory_table_base)
    }

    pub(crate) fn over(memory: Memory<'d>, paging: Paging, directory_table_base: u64) -> AddressSpace<'d> {
        // DirBase 001aa002 of a published Windows 10: on x64 the low twelve bits are a process-context id
        // (Intel SDM, "CR3").
        let root = paging.root(directory_table_base);
        AddressSpace {
            memory,
            root,
            kernel_root: root,
            paging,
        }
    }

    /// The same space, with the kernel's half from other tables.
    pub(crate) fn with_kernel_root(self, kernel_root: Gpa) -> AddressSpace<'d> {
        AddressSpace { kernel_root, ..self }
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

    /// An address as the system's are written.
    #[must_use]
    pub fn addr(&self, gva: Gva) -> Addr {
        self.paging.addr(gva)
    }

    /// Finds the physical address of `gva`. Its page need not be in the dump; the page tables must.
    ///
    /// # Errors
    /// An address that is not canonical, an entry that is not present, a table that is not in the dump or
    /// beyond the end of its file. A triage dump has no page tables: nothing in it translates.
    pub fn translate(&self, gva: Gva) -> Result<Translation, TranslateError> {
        let memory = match self.memory {
            Memory::Pages(memory) => memory,
            Memory::Pieces(_) => return Err(ReadError::NotInTriageDump { gva: self.addr(gva) }),
            Memory::Nothing => return Err(ReadError::HeaderOnly { gva: self.addr(gva) }),
        };
        let root = if self.paging.is_kernel_half(gva) {
            self.kernel_root
        } else {
            self.root
        };
        self.paging.translate(memory, root, gva)
    }

    /// Tells `see` all that the kernel's page tables map, by ascending address: see [`Mapped`]. Nothing of a dump without
    /// page tables.
    pub fn mapped(&self, mut see: impl FnMut(Mapped)) -> MappedEnd {
        match self.memory {
            Memory::Pages(memory) => inverse::mapped(memory, self.paging, self.kernel_root, &mut see),
            _ => MappedEnd::default(),
        }
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
                        gva: self.addr(gva),
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
        let memory = match self.memory {
            Memory::Pages(memory) => memory,
            Memory::Pieces(pieces) => {
                let extent = pieces.extent(self.addr(at)).map_err(|error| gone(None, error))?;
                return Ok(Piece {
                    gva: at,
                    gpa: None,
                    offset: Some(extent.offset),
                    len: len.min(extent.len),
                });
            }
            Memory::Nothing => return Err(gone(None, ReadError::HeaderOnly { gva: self.addr(at) })),
        };
        let gpa = self.translate(at).map_err(|error| gone(None, error))?.gpa;
        let page = memory.frame(gpa.pfn());
        let page = page
            .and_then(|page| match whole(memory, page) {
                Err(error @ (PageError::Filler | PageError::Damaged)) => Err(error.of(gpa.pfn())),
                _ => Ok(page),
            })
            .map_err(|error| {
                gone(
                    Some(gpa),
                    ReadError::from_frame(error, self.addr(at), FrameUse::Data),
                )
            })?;
        Ok(Piece {
            gva: at,
            // Of a page in a page file there is none.
            gpa: (!is_in_page_file(gpa.pfn())).then_some(gpa),
            offset: page
                .in_file()
                .map(|offset| FileOffset(offset.saturating_add(in_page(at.u64()) as u64))),
            len,
        })
    }

    /// Where the byte at `gva` is.
    pub(crate) fn locate(&self, gva: Gva) -> Result<Place, ReadError> {
        let memory = match self.memory {
            Memory::Pages(memory) => memory,
            Memory::Pieces(pieces) => return pieces.extent(self.addr(gva)).map(Place::Piece),
            Memory::Nothing => return Err(ReadError::HeaderOnly { gva: self.addr(gva) }),
        };
        let pfn = self.translate(gva)?.gpa.pfn();
        memory
            .frame(pfn)
            .map(Place::Page)
            .map_err(|error| ReadError::from_frame(error, self.addr(gva), FrameUse::Data))
    }

    /// Fills `buf` with bytes of a page, from the byte `skip` on, which are those at `gva`.
    pub(crate) fn read_page(
        &self,
        page: FileOffset,
        skip: usize,
        gva: Gva,
        buf: &mut [u8],
    ) -> Result<(), ReadError> {
        match self.memory {
            Memory::Pages(memory) => memory
                .read_page(page, skip, buf)
                .map_err(|error| self.page_error(error, gva)),
            _ => Err(ReadError::HeaderOnly { gva: self.addr(gva) }),
        }
    }

    /// The same bytes without copying; `None` where they are not in memory.
    pub(crate) fn borrow_page(
        &self,
        page: FileOffset,
        skip: usize,
        gva: Gva,
        len: usize,
    ) -> Result<Option<&'d [u8]>, ReadError> {
        match self.memory {
            Memory::Pages(memory) => memory
                .borrow_page(page, skip, len)
                .map_err(|error| self.page_error(error, gva)),
            _ => Ok(None),
        }
    }

    /// Fills `buf` with bytes of a piece of memory.
    pub(crate) fn read_piece(&self, extent: Extent, gva: Gva, buf: &mut [u8]) -> Result<(), ReadError> {
        match self.memory {
            Memory::Pieces(pieces) => pieces.read_at(extent.offset, buf).map_err(|error| ReadError::Io {
                gva: self.addr(gva),
                kind: error.kind(),
            }),
            _ => Err(ReadError::HeaderOnly { gva: self.addr(gva) }),
        }
    }

    /// The same bytes without copying; `None` where they are not in memory.
    pub(crate) fn borrow_piece(&self, extent: Extent, len: usize) -> Option<&'d [u8]> {
        match self.memory {
            Memory::Pieces(pieces) => pieces.borrow_at(extent.offset, len),
            _ => None,
        }
    }

    /// Why bytes at `gva` cannot be had of a page that is there.
    fn page_error(&self, error: PageError, gva: Gva) -> ReadError {
        match error {
            PageError::Io(kind) => ReadError::Io {
                gva: self.addr(gva),
                kind,
            },
            PageError::Filler | PageError::Damaged => match self.translate(gva) {
                Ok(Translation { gpa, .. }) => {
                    ReadError::from_frame(error.of(gpa.pfn()), self.addr(gva), FrameUse::Data)
                }
                Err(error) => error,
            },
        }
    }
}

/// Looks at a whole page, for what keeps its bytes from being the system's.
fn whole(memory: &dyn PhysicalMemory, page: FileOffset) -> Result<(), PageError> {
    const LEN: usize = 0x1000;
    if memory.borrow_page(page, 0, LEN)?.is_some() {
        return Ok(());
    }
    memory.read_page(page, 0, &mut [0; LEN])
}
