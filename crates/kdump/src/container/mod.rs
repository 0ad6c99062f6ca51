//! Memory of machines in files that are no crash dumps: saved states of virtual machines, ELF cores, raw images.
//!
//! Each of these forms reduces to one thing, an index from page frames to places in the file ([`Pages`]), beside what
//! the file tells of its machine: the registers of its processors. None has a header that says where the kernel is;
//! [`find`](crate::find) looks for it.

pub(crate) mod avml;
pub(crate) mod codecs;
pub(crate) mod diskdump;
pub(crate) mod elf;
pub(crate) mod extents;
pub(crate) mod fields;
pub(crate) mod flattened;
pub(crate) mod hiberfil;
pub(crate) mod hyper_v;
pub(crate) mod lime;
pub(crate) mod packed;
pub(crate) mod processor;
pub(crate) mod raw;
pub(crate) mod virtualbox;
pub(crate) mod vmware;
pub(crate) mod xpress;

#[cfg(test)]
mod hostile;

use std::io;
use std::path::{Path, PathBuf};

use crate::container::extents::Extents;
use crate::container::packed::PackedPages;
use crate::container::processor::Processor;
use crate::file::source::ByteSource;
use crate::memory::error::FrameError;
use crate::memory::page::{FileOffset, PACKED, PAGE, PageRun};
use crate::memory::physical::PageError;
use crate::value::address::Pfn;
use crate::value::image_format::ImageFormat;
use crate::value::machine::Machine;
use crate::value::note::Note;

/// A file with the memory of a machine.
#[derive(Debug)]
pub(crate) struct Container {
    /// Its form.
    pub(crate) format: ImageFormat,
    /// Where its pages are.
    pub(crate) pages: Pages,
    /// Other ways to lay its pages out, each with what it assumes, where the file itself does not tell: the kernel
    /// decides.
    pub(crate) guesses: Vec<(Extents, String)>,
    /// The file that holds the pages, where it is not the one that was named.
    pub(crate) other: Option<(PathBuf, ByteSource)>,
    /// The machine, as far as the form tells.
    pub(crate) machine: Option<Machine>,
    /// The processors whose registers it has, in the order of their numbers.
    pub(crate) processors: Vec<Processor>,
    /// What is worth saying of it.
    pub(crate) notes: Vec<Note>,
}

impl Container {
    /// A file that tells no more than where its pages are.
    pub(crate) fn new(format: ImageFormat, pages: Pages) -> Container {
        Container {
            format,
            pages,
            guesses: Vec::new(),
            other: None,
            machine: None,
            processors: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Why a file of a known form cannot be read.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It ends inside of what would say where its pages are; it would need so many bytes.
    Cut { need: u64 },
    /// What says where its pages are contradicts itself.
    Bad(String),
    /// Nobody here reads this form: what it is, with its article, and what to do.
    Foreign { found: String, next: String },
    /// The system failed to read it.
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Io(error)
    }
}

/// Where the pages of a machine's memory are.
#[derive(Debug)]
pub(crate) enum Pages {
    /// In the file as they are.
    Plain(Extents),
    /// Compressed, or made of what the file says of them.
    Packed(Box<dyn PackedPages>),
}

impl Pages {
    /// Where the page of a frame is: a place in the file, or one that is marked as [`PACKED`].
    pub(crate) fn place(&self, source: &ByteSource, pfn: Pfn) -> Result<FileOffset, FrameError> {
        match self {
            Pages::Plain(extents) => {
                let offset = extents.offset(pfn.u64()).ok_or(FrameError::NotInDump { pfn })?;
                match offset.saturating_add(PAGE) > source.len() {
                    true => Err(FrameError::OutOfFile { pfn, offset }),
                    false => Ok(FileOffset(offset)),
                }
            }
            Pages::Packed(pages) => {
                pages.look_up(source, pfn)?;
                Ok(FileOffset(PACKED | (pfn.u64() << 12)))
            }
        }
    }

    /// Fills `buf` from a place that [`place`](Self::place) named, from the byte `skip` of its page on.
    pub(crate) fn read(
        &self,
        source: &ByteSource,
        place: FileOffset,
        skip: usize,
        buf: &mut [u8],
    ) -> Result<(), PageError> {
        match self {
            Pages::Packed(pages) if place.0 & PACKED != 0 => {
                pages.read(source, Pfn::new((place.0 & !PACKED) >> 12), skip, buf)
            }
            _ => source
                .read_exact_at(place.0.saturating_add(skip as u64), buf)
                .map_err(|error| PageError::Io(error.kind())),
        }
    }

    /// All frames in ascending order, as runs.
    pub(crate) fn runs<'a>(&'a self, source: &'a ByteSource) -> Box<dyn Iterator<Item = PageRun> + 'a> {
        match self {
            Pages::Plain(extents) => Box::new(extents.runs()),
            Pages::Packed(pages) => pages.runs(source),
        }
    }

    /// A frame number above all that it has.
    pub(crate) fn limit(&self) -> u64 {
        match self {
            Pages::Plain(extents) => extents.limit(),
            Pages::Packed(pages) => pages.limit(),
        }
    }

    /// How many pages it lists, and how many of these a file of `file_len` bytes has.
    pub(crate) fn count(&self, file_len: u64) -> (u64, u64) {
        match self {
            Pages::Plain(extents) => (extents.pages(), extents.pages_within(file_len)),
            Pages::Packed(pages) => pages.count(),
        }
    }
}

/// Reads a file by the form that its first bytes tell; none where they tell of no form that is known here.
pub(crate) fn read(path: &Path, head: &[u8], source: &ByteSource) -> Option<Result<Container, Refusal>> {
    if elf::is_core(head) {
        return Some(elf::read(head, source));
    }
    if avml::is_image(head, source) {
        return Some(avml::read(source));
    }
    if head.starts_with(lime::MAGIC) {
        return Some(lime::read(source));
    }
    if diskdump::is_compressed(head) {
        return Some(diskdump::read(head, source));
    }
    if vmware::is_state(head) {
        return Some(vmware::read(path, source));
    }
    if hyper_v::storage::is_storage(head) {
        return Some(hyper_v::read(path, source));
    }
    if hiberfil::is_hibernation(head) {
        return Some(hiberfil::read(source));
    }
    if virtualbox::is_state(head) {
        return Some(virtualbox::read(source));
    }
    None
}
