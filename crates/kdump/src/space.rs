//! An address space: a dump seen through page tables.

use kdmp_parser::gxa::{Gpa, Gva};

use crate::paging::Paging;
use crate::{Cursor, Dump, TranslateError, Translation};

/// The virtual memory that one set of page tables describes.
#[derive(Debug, Clone, Copy)]
pub struct AddressSpace<'d> {
    dump: &'d Dump,
    root: Gpa,
    kernel_root: Gpa,
    paging: Paging,
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
    /// beyond the end of its file.
    pub fn translate(&self, gva: Gva) -> Result<Translation, TranslateError> {
        let root = if self.paging.is_kernel_half(gva) {
            self.kernel_root
        } else {
            self.root
        };
        self.paging.translate(self.dump, root, gva)
    }

    /// A reader with a translation cache of its own. Make one for each walk.
    pub fn cursor(&self) -> Cursor<'d> {
        Cursor::new(*self)
    }
}
