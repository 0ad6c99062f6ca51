//! A file with the memory of a machine that was not crashed, opened like a dump.

use std::path::{Path, PathBuf};

use crate::container::extents::Extents;
use crate::container::processor::Processor;
use crate::container::{self, Container, Pages, Refusal, raw, vmware};
use crate::dump::coverage::Coverage;
use crate::dump::error::OpenError;
use crate::dump::header::{DumpKind, Header};
use crate::file::identify::{FileClass, Foreign, foreign};
use crate::file::source::ByteSource;
use crate::find::lists;
use crate::find::shared::{self, SharedData};
use crate::find::{By, Found, Hints, NotFound, find};
use crate::image::KernelImage;
use crate::memory::error::FrameError;
use crate::memory::page::{FileOffset, PageRun};
use crate::memory::paging::Paging;
use crate::memory::physical::{Known, PageError, PhysicalMemory};
use crate::memory::space::AddressSpace;
use crate::value::address::{Gva, Pfn};
use crate::value::image_format::ImageFormat;
use crate::value::machine::Machine;
use crate::value::note::{Lost, Note};

/// The shortest file that is looked at as raw memory: page tables and a kernel do not fit less.
const LEAST_RAW: u64 = 0x1_0000;

/// What the user says of the kernel's place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) directory_table_base: Option<u64>,
    pub(crate) kernel_base: Option<Gva>,
}

/// What is known of a file with memory that has no header of a dump.
#[derive(Debug)]
pub struct ImageFile {
    pub(crate) format: ImageFormat,
    pub(crate) pages: Pages,
    pub(crate) paging: Paging,
    pub(crate) kernel: KernelImage,
    memory: Option<PathBuf>,
    processors: Vec<Processor>,
    by: By,
    notes: Vec<Note>,
}

impl ImageFile {
    /// The form of the file.
    pub fn format(&self) -> ImageFormat {
        self.format
    }

    /// The file with the memory, where it is not the one that was named.
    pub fn memory_path(&self) -> Option<&Path> {
        self.memory.as_deref()
    }

    /// The processors whose registers it has, in the order of their numbers.
    pub fn processors(&self) -> &[Processor] {
        &self.processors
    }

    /// What led to the page tables of the kernel, in words.
    pub fn found_by(&self) -> String {
        self.by.to_string()
    }

    pub(crate) fn coverage(&self, source: &ByteSource) -> Coverage {
        let (claimed, present) = self.pages.count(source.len());
        Coverage {
            claimed,
            present,
            missing: claimed.saturating_sub(present),
        }
    }

    /// What is worth saying about it.
    pub(crate) fn notes(&self, source: &ByteSource, notes: &mut Vec<Note>) {
        notes.extend(self.notes.iter().cloned());
        let share = self.coverage(source);
        if share.missing != 0 {
            let cut = Note::new(
                "truncated",
                format!(
                    "the file is cut short: {} of {} pages are there, {} are missing; copy it again",
                    share.present, share.claimed, share.missing
                ),
            );
            notes.push(cut.losing(Lost::Cut));
        }
    }
}

/// Opens a file that does not begin as a dump does.
pub(crate) fn open(
    path: &Path,
    head: &[u8],
    source: ByteSource,
    asked: &Asked,
    no_mmap: bool,
) -> Result<(ByteSource, Header, ImageFile), OpenError> {
    let (mut container, stranger) = match container::read(path, head, &source) {
        Some(read) => (read.map_err(|error| refused(path, &source, error))?, None),
        None => {
            let stranger = foreign(path, head, &source);
            match as_raw(path, &source, &stranger) {
                Some(container) => (container, Some(stranger)),
                None => return Err(not_a_dump(path, stranger, None)),
            }
        }
    };
    let (memory, source) = match container.other.take() {
        Some((path, other)) => (Some(path), other),
        None => (None, source),
    };
    // The search reads pages here and there, as walks do later.
    let source = match no_mmap {
        true => source,
        false => source.into_mapped(),
    };
    let found = match kernel(&mut container, &source, asked) {
        Ok(found) => found,
        Err(tried) => {
            return Err(match stranger {
                // What was taken for memory only because nothing tells what it is.
                Some(stranger) if stranger.class != FileClass::Memory => {
                    not_a_dump(path, stranger, Some(&tried))
                }
                _ => OpenError::NoKernel {
                    path: path.to_owned(),
                    kind: DumpKind::Image(container.format),
                    tried: tried.to_string(),
                },
            });
        }
    };
    let view = View {
        pages: &container.pages,
        source: &source,
    };
    let space = AddressSpace::of(&view, found.paging, found.directory_table_base);
    let shared: SharedData = shared::read(&space);
    let lists = lists::search(&space, &found.image);
    let header = Header::of_image(
        container.format,
        &found,
        &shared,
        &lists,
        container.processors.len(),
    );
    let image = ImageFile {
        format: container.format,
        pages: container.pages,
        paging: found.paging,
        kernel: found.image,
        memory,
        processors: container.processors,
        by: found.by,
        notes: container.notes,
    };
    Ok((source, header, image))
}

/// Finds the kernel, by each way in which the pages may be laid out.
fn kernel(container: &mut Container, source: &ByteSource, asked: &Asked) -> Result<Found, NotFound> {
    let processors = std::mem::take(&mut container.processors);
    let hints = Hints {
        directory_table_base: asked.directory_table_base,
        kernel_base: asked.kernel_base,
        processors: &processors,
        machine: container.machine,
    };
    let look = |pages: &Pages| find(&View { pages, source }, &hints);
    let mut result = look(&container.pages);
    for (extents, words) in std::mem::take(&mut container.guesses) {
        if result.is_ok() {
            break;
        }
        let pages = Pages::Plain(Extents::clone(&extents));
        if let Ok(found) = look(&pages) {
            result = Ok(found);
            container.pages = pages;
            container.notes.push(Note::new(
                "guessed-layout",
                format!("the file does not say where its pages lie; a kernel is found if {words} [inferred]"),
            ));
        }
    }
    container.processors = processors;
    result
}

/// A file that may be raw memory: nothing says what it is, or its first bytes or its name say just that.
fn as_raw(path: &Path, source: &ByteSource, stranger: &Foreign) -> Option<Container> {
    let may_be = match stranger.class {
        FileClass::Unknown | FileClass::Zeros => true,
        FileClass::Memory => stranger.is_raw_memory(),
        _ => false,
    };
    if !may_be || source.len() < LEAST_RAW {
        return None;
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    Some(
        match extension.is_some_and(|end| end.eq_ignore_ascii_case("vmem")) {
            true => vmware::memory(path, source),
            false => raw::read(source.len(), ImageFormat::Raw),
        },
    )
}

fn not_a_dump(path: &Path, stranger: Foreign, tried: Option<&NotFound>) -> OpenError {
    let found = match tried {
        Some(tried) => format!(
            "{} (looked at as memory of a machine, it holds no Windows kernel: {tried})",
            stranger.found
        ),
        None => stranger.found,
    };
    OpenError::NotADump {
        path: path.to_owned(),
        class: stranger.class,
        found,
        next: stranger.next,
    }
}

fn refused(path: &Path, source: &ByteSource, error: Refusal) -> OpenError {
    let path = path.to_owned();
    match error {
        Refusal::Cut { need } => OpenError::IndexCut {
            path,
            len: source.len(),
            need,
        },
        Refusal::Bad(reason) => OpenError::BadIndex { path, reason },
        Refusal::Foreign { found, next } => OpenError::NotADump {
            path,
            class: FileClass::Memory,
            found,
            next,
        },
        Refusal::Io(source) => OpenError::Io { path, source },
    }
}

/// The pages of a container, while its kernel is looked for.
#[derive(Debug)]
struct View<'v> {
    pages: &'v Pages,
    source: &'v ByteSource,
}

impl PhysicalMemory for View<'_> {
    fn frame(&self, pfn: Pfn) -> Result<FileOffset, FrameError> {
        self.pages.place(self.source, pfn)
    }

    fn read_page(&self, page: FileOffset, skip: usize, buf: &mut [u8]) -> Result<(), PageError> {
        self.pages.read(self.source, page, skip, buf)
    }

    fn runs(&self) -> Box<dyn Iterator<Item = PageRun> + '_> {
        self.pages.runs(self.source)
    }

    fn frame_limit(&self) -> u64 {
        self.pages.limit()
    }

    fn known(&self) -> Known {
        Known {
            machine: Some(Machine::Amd64),
            ..Known::default()
        }
    }
}
