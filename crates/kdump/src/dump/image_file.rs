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
use crate::find::tables::{Candidate, Scope, Shift};
use crate::find::{By, Found, Hints, NotFound, find};
use crate::image::KernelImage;
use crate::memory::error::FrameError;
use crate::memory::page::{FileOffset, PAGE, PageRun};
use crate::memory::paging::Paging;
use crate::memory::physical::{Known, PageError, PhysicalMemory};
use crate::value::address::{Gva, Pfn};
use crate::value::image_format::ImageFormat;
use crate::value::note::Note;
use crate::value::progress::Progress;

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
    pub(crate) fn notes(&self) -> &[Note] {
        &self.notes
    }
}

/// Opens a file that does not begin as a dump does.
pub(crate) fn open(
    path: &Path,
    head: &[u8],
    source: ByteSource,
    (asked, progress): (&Asked, &Progress),
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
    let found = match kernel(&mut container, &source, asked, progress) {
        Ok(found) => found,
        Err(mut tried) => {
            let (claimed, present) = container.pages.count(source.len());
            if present < claimed {
                tried.tried.push(format!(
                    "the file is cut short, {present} of {claimed} pages are there"
                ));
            }
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
    let space = found.space(&view);
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

/// Finds the kernel, by the layout of pages that the file tells or, where it tells none, by the one that explains most.
fn kernel(
    container: &mut Container,
    source: &ByteSource,
    asked: &Asked,
    progress: &Progress,
) -> Result<Found, NotFound> {
    let guesses = std::mem::take(&mut container.guesses);
    let shifts: Vec<Shift> = guesses.iter().map(|(extents, _)| shift(extents)).collect();
    let look = |pages: &Pages, candidates: &[Candidate], scope, shifts| {
        let hints = Hints {
            directory_table_base: asked.directory_table_base,
            kernel_base: asked.kernel_base,
            processors: &container.processors,
            machine: container.machine,
            candidates,
            scope: Some(scope),
            progress: Some(progress),
            shifts,
        };
        find(&View { pages, source }, &hints)
    };
    if guesses.is_empty() {
        return look(&container.pages, &[], Scope::ALL, &[]);
    }
    // A table can be where all layouts agree, and what it leads to where only the right one does: whoever looks through all
    // of the file by a wrong layout first waits for nothing.
    let within = |scope| {
        best_layout(&container.pages, &guesses, source, |pages, first| match first {
            None => look(pages, &[], scope, &shifts),
            Some(candidates) => look(pages, candidates, Scope::NOTHING, &[]),
        })
    };
    let (found, layout, note) = within(Scope::LOWEST).or_else(|_| within(Scope::ALL))?;
    if let Some(layout) = layout {
        container.pages = Pages::Plain(layout.clone());
    }
    container.notes.push(note);
    Ok(found)
}

/// How far above its place in the file memory lies that goes on behind a hole.
fn shift(extents: &Extents) -> Shift {
    let above = extents.extents().last();
    let from = above.map_or(u64::MAX, |above| above.offset);
    let base = above.map_or(0, |above| above.base.saturating_mul(PAGE));
    Shift {
        from,
        up: base.saturating_sub(from),
    }
}

/// Of the ways in which pages may be laid out the one by which most of the kernel's lists holds together, with a finding
/// that says so; no layout is the one that `pages` has. That the kernel itself is found does not tell: its tables and its
/// image may lie where all ways agree.
fn best_layout<'g>(
    pages: &Pages,
    guesses: &'g [(Extents, String)],
    source: &ByteSource,
    look: impl Fn(&Pages, Option<&[Candidate]>) -> Result<Found, NotFound>,
) -> Result<(Found, Option<&'g Extents>, Note), NotFound> {
    let agreeing = |found: &Found, pages: &Pages| {
        let view = View { pages, source };
        let space = found.space(&view);
        lists::agreeing(&space, &lists::search(&space, &found.image))
    };
    let first = look(pages, None);
    let candidates = match &first {
        Ok(found) => vec![Candidate {
            paging: found.paging,
            root: found.directory_table_base,
            shift: None,
        }],
        Err(not_found) => not_found.candidates.clone(),
    };
    let plain = "a page's address is its place in the file";
    let mut best = first
        .as_ref()
        .ok()
        .map(|found| (agreeing(found, pages), found.clone(), None, plain));
    for (number, (extents, words)) in guesses.iter().enumerate() {
        let pages = Pages::Plain(extents.clone());
        let fits = |candidate: &Candidate| candidate.shift.is_none_or(|shift| shift == number);
        let candidates: Vec<Candidate> = candidates.iter().copied().filter(fits).collect();
        if let Ok(found) = look(&pages, Some(&candidates)) {
            let entries = agreeing(&found, &pages);
            if best.as_ref().is_none_or(|(most, ..)| entries > *most) {
                best = Some((entries, found, Some(extents), words));
            }
        }
    }
    let Some((entries, found, layout, words)) = best else {
        return Err(first.err().unwrap_or_default());
    };
    let note = Note::new(
        "guessed-layout",
        format!(
            "the file does not say where memory above 2 GiB lies: {words}, as {entries} entries of the kernel's lists then \
             lead back to each other, and by no other way more [inferred]"
        ),
    );
    Ok((found, layout, note))
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
        Known::default()
    }
}
