//! An open dump: its header, its index of pages, its physical memory.

pub(crate) mod contents;
pub(crate) mod coverage;
pub(crate) mod debugger_data;
pub(crate) mod error;
pub(crate) mod filler;
pub(crate) mod header;
pub(crate) mod header32;
pub(crate) mod image_file;
pub(crate) mod index;
pub(crate) mod notes;
pub(crate) mod page_files;
pub(crate) mod secondary;
pub(crate) mod triage;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::dump::contents::{Contents, coverage, read_contents};
use crate::dump::coverage::Coverage;
use crate::dump::error::OpenError;
use crate::dump::header::{DumpKind, HEADER32_LEN, HEADER64_LEN, Header};
use crate::dump::image_file::{Asked, ImageFile};
use crate::dump::index::IndexError;
use crate::dump::page_files::PageFiles;
use crate::dump::triage::Triage;
use crate::file::identify::{FileClass, FileKind, Foreign, foreign};
use crate::file::source::{ByteSource, FileFailure, Opened};
use crate::find::sweep::sweep;
use crate::find::tables::Scope;
use crate::find::{Found, Hints, find};
use crate::image::KernelImage;
use crate::memory::error::{FrameError, PhysicalError, ReadError};
use crate::memory::levels;
use crate::memory::page::{FileOffset, MAX_BYTES, PAGE, PageRun, left_in_page};
use crate::memory::paging::Paging;
use crate::memory::physical::{Known, PageError, PhysicalMemory, in_page, read_in_frame};
use crate::memory::pieces::{Extent, VirtualPieces};
use crate::memory::space::{AddressSpace, Memory};
use crate::value::addr::Addr;
use crate::value::address::{Gpa, Gva, Pfn};
use crate::value::machine::{ContextRecord, Machine};
use crate::value::note::Note;
use crate::value::progress::Progress;

/// How much of a file is read first: the longest header and the longest header of an index.
const HEAD_LEN: usize = HEADER64_LEN + 0x40;

/// How to open a dump.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct OpenOptions {
    /// Read the file with positioned reads instead of mapping it: on Windows a mapped file whose network share goes
    /// away ends the process, and on Unix more than a few dozen dumps are not mapped at a time anyway.
    pub no_mmap: bool,
    /// The kernel's page tables, in the place of what a header says or a search would find: CR3 or
    /// `_KPROCESS.DirectoryTableBase`.
    pub directory_table_base: Option<u64>,
    /// Where the kernel's image is, for page tables through which a search does not find it.
    pub kernel_base: Option<Gva>,
    /// Page files of the same moment, by their numbers: see [`Dump::page_files`].
    pub page_files: Vec<(u8, PathBuf)>,
    /// Who is told how far a search for the kernel is, where it has to look through all of the file.
    pub progress: Progress,
}

impl OpenOptions {
    /// Sets [`no_mmap`](Self::no_mmap).
    #[must_use]
    pub fn no_mmap(mut self, no_mmap: bool) -> OpenOptions {
        self.no_mmap = no_mmap;
        self
    }

    /// Sets [`directory_table_base`](Self::directory_table_base).
    #[must_use]
    pub fn directory_table_base(mut self, base: Option<u64>) -> OpenOptions {
        self.directory_table_base = base;
        self
    }

    /// Sets [`kernel_base`](Self::kernel_base).
    #[must_use]
    pub fn kernel_base(mut self, base: Option<Gva>) -> OpenOptions {
        self.kernel_base = base;
        self
    }

    /// Sets [`progress`](Self::progress).
    #[must_use]
    pub fn progress(mut self, progress: Progress) -> OpenOptions {
        self.progress = progress;
        self
    }

    /// Sets [`page_files`](Self::page_files).
    #[must_use]
    pub fn page_files(mut self, files: Vec<(u8, PathBuf)>) -> OpenOptions {
        self.page_files = files;
        self
    }
}

/// A kernel crash dump, open for reading. Reading takes no lock: share it between threads freely.
#[derive(Debug)]
pub struct Dump {
    path: PathBuf,
    source: ByteSource,
    header: Header,
    contents: Contents,
    asked: Asked,
    progress: Progress,
    page_files: PageFiles,
    // These are found in the dump's pages, which opening it does not touch.
    paging: OnceLock<Paging>,
    repaired: OnceLock<Option<Box<Found>>>,
    notes: OnceLock<Vec<Note>>,
    /// Where the last page that holds only filler is in the file, plus one.
    filler: AtomicU64,
}

impl Dump {
    /// Opens a dump with the default options.
    ///
    /// # Errors
    /// Whatever keeps the file from being read as a dump. A file that is only cut short opens.
    pub fn open(path: &Path) -> Result<Dump, OpenError> {
        Dump::open_with(path, &OpenOptions::default())
    }

    /// Opens a dump.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: &Path, options: &OpenOptions) -> Result<Dump, OpenError> {
        let source = open_file(path)?;
        Dump::from_source(path.to_owned(), source, options)
    }

    /// Opens a dump that is already in memory. `name` stands for its path in messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Dump, OpenError> {
        if bytes.is_empty() {
            return Err(OpenError::Empty { path: name.into() });
        }
        Dump::from_source(name.into(), ByteSource::Memory(bytes), &OpenOptions::default())
    }

    /// The file it was opened from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The length of the file in bytes, when it was opened.
    pub fn file_len(&self) -> u64 {
        self.source.len()
    }

    /// What the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What a triage dump (kind 4) holds; `None` for all other kinds.
    pub fn triage(&self) -> Option<&Triage> {
        match &self.contents {
            Contents::Pieces(triage) => Some(triage),
            _ => None,
        }
    }

    /// How much of what the index lists is in the file. Zero for dumps without pages: triage and header-only
    /// ones.
    pub fn coverage(&self) -> Coverage {
        match &self.contents {
            Contents::Pages(index) => coverage(index, self.file_len()),
            Contents::Image(image) => image.coverage(&self.source),
            _ => Coverage {
                claimed: 0,
                present: 0,
                missing: 0,
            },
        }
    }

    /// The page files that were named for it. No page of theirs is found before it is said how entries of page tables name
    /// them.
    pub fn page_files(&self) -> &PageFiles {
        &self.page_files
    }

    /// What is worth saying about the file although it can be read.
    pub fn notes(&self) -> &[Note] {
        self.notes.get_or_init(|| {
            notes::of(
                &self.header,
                &self.contents,
                &self.source,
                self.kernel_space(),
                self.repaired(),
            )
        })
    }

    /// Where the page of a frame begins in the file. All of the page is inside the file.
    ///
    /// # Errors
    /// The frame is not in the index, or the file ends before the end of its page.
    pub fn frame(&self, pfn: Pfn) -> Result<FileOffset, FrameError> {
        PhysicalMemory::frame(self, pfn)
    }

    /// The frames that the index lists, as runs in ascending order, each as long as can be. They are found one
    /// by one. Frames that the file ends before are among them.
    pub fn runs(&self) -> impl Iterator<Item = PageRun> + '_ {
        PhysicalMemory::runs(self)
    }

    /// Some of the file's contents: up to 256 pieces of 4 KiB, evenly spread over what follows the header. A copy of
    /// the whole file has the same; whoever has not seen the file cannot tell them.
    ///
    /// # Errors
    /// What the system says when the file cannot be read.
    pub fn sample(&self) -> io::Result<Vec<u8>> {
        const PIECES: u64 = 256;
        let start = HEADER64_LEN as u64;
        let step = (self.file_len().saturating_sub(start) / PIECES).max(PAGE);
        let mut sample = Vec::new();
        for piece in 0..PIECES {
            let at = start.saturating_add(piece.saturating_mul(step));
            let len = self.file_len().saturating_sub(at).min(PAGE);
            if len == 0 {
                break;
            }
            let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
            self.source.read_exact_at(at, &mut bytes)?;
            sample.extend(bytes);
        }
        Ok(sample)
    }

    /// Fills `buf` with physical memory from `gpa` on.
    ///
    /// # Errors
    /// Why the first byte that cannot be read cannot be; `buf` is then of no use.
    pub fn read_physical(&self, gpa: Gpa, buf: &mut [u8]) -> Result<(), PhysicalError> {
        let len = buf.len();
        let wraps = PhysicalError::Wraps { gpa, len };
        if (len as u64).checked_add(gpa.u64()).is_none() {
            return Err(wraps);
        }
        let mut at = gpa.u64();
        let mut left = buf;
        while !left.is_empty() {
            // The place in the page is worked out anew for every page. kdmp-parser 0.8.2 adds whole pages to an
            // unaligned address and returns wrong bytes without an error: 0x3000 bytes at 0x200800 come from
            // frames 200, 201, 202, 203, 204, 205, and should come from halves of 200, 201, 201, 202, 202, 203
            // (reproduced).
            let now = left_in_page(at).min(left.len());
            let (page, rest) = left.split_at_mut_checked(now).ok_or(wraps)?;
            read_in_frame(self, Gpa::new(at), page).map_err(|source| PhysicalError::Frame {
                gpa: Gpa::new(at),
                source,
            })?;
            at = at.saturating_add(now as u64);
            left = rest;
        }
        Ok(())
    }

    /// `len` bytes of physical memory from `gpa` on: borrowed from the file where they lie in one page of a
    /// file that is in memory, copied otherwise.
    ///
    /// # Errors
    /// As [`read_physical`](Self::read_physical), and [`PhysicalError::TooLong`] for more than [`MAX_BYTES`].
    pub fn physical_bytes(&self, gpa: Gpa, len: usize) -> Result<Cow<'_, [u8]>, PhysicalError> {
        if len > MAX_BYTES {
            return Err(PhysicalError::TooLong { gpa, len });
        }
        if len == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        if len <= left_in_page(gpa.u64()) {
            let refused = |source| PhysicalError::Frame { gpa, source };
            let page = self.frame(gpa.pfn()).map_err(refused)?;
            let bytes = self.borrow_page(page, in_page(gpa.u64()), len);
            if let Some(bytes) = bytes.map_err(|error| refused(error.of(gpa.pfn())))? {
                return Ok(Cow::Borrowed(bytes));
            }
        }
        let mut bytes = vec![0; len];
        self.read_physical(gpa, &mut bytes)?;
        Ok(Cow::Owned(bytes))
    }

    /// The first failure to read bytes of the dump, or of its page files, that were there when they were opened: the file was
    /// cut or its medium failed, and what was read since is of no use.
    pub fn failed(&self) -> Option<FileFailure> {
        self.source.failed().or_else(|| self.page_files.failed())
    }

    /// Lets `look` see each page of physical memory that is in the file, on several threads, and hands what it finds to `take`,
    /// that of lower pages first, until `take` wants no more. Gives how many pages were looked at: none of a dump without
    /// pages. `progress` hears how many were so far.
    pub fn sweep<T: Send>(
        &self,
        progress: &Progress,
        look: impl Fn(&[u8; 0x1000], Gpa) -> Vec<T> + Sync,
        take: impl FnMut(T) -> bool,
    ) -> u64 {
        let look = |page: &[u8; 0x1000], at| look(page, Gpa::new(at));
        sweep(
            self,
            self.runs(),
            u64::MAX,
            look,
            |pages| progress.add(pages),
            take,
        )
    }

    /// What is known of a file that is no crash dump; `None` for crash dumps.
    pub fn image_file(&self) -> Option<&ImageFile> {
        match &self.contents {
            Contents::Image(image) => Some(image),
            _ => None,
        }
    }

    /// Where processors stood, as far as the file has their registers: that of the bug check alone in a crash dump.
    pub fn contexts(&self) -> impl Iterator<Item = ContextRecord> + '_ {
        let processors = self.image_file().map(ImageFile::processors).unwrap_or_default();
        let stood = processors.iter().filter_map(|processor| processor.context);
        self.header.context.into_iter().chain(stood)
    }

    /// The kernel's image, where the search for page tables found it.
    pub(crate) fn found_kernel(&self) -> Option<&KernelImage> {
        match &self.contents {
            Contents::Image(image) => Some(&image.kernel),
            _ => self.repaired().map(|found| &found.image),
        }
    }

    /// The address space of the kernel, and the user memory of whichever process was current: that of the header's
    /// DirectoryTableBase, unless that does not lead to the kernel and other page tables in the dump do.
    pub fn kernel_space(&self) -> AddressSpace<'_> {
        let base = self.repaired().map_or(self.header.directory_table_base, |found| {
            found.directory_table_base
        });
        self.space(base)
    }

    /// The page tables that lead to the kernel where those of the header do not. Looked for once, and only then.
    pub(crate) fn repaired(&self) -> Option<&Found> {
        let found = self.repaired.get_or_init(|| {
            if !matches!(self.contents, Contents::Pages(_)) {
                return None;
            }
            if self.asked == Asked::default() {
                // Headers that tools make up can be wrong in just this: of dumps by VMware's vmss2core -W8 it is
                // reported that no reader finds the kernel in them (volatilityfoundation/volatility3#1870).
                let head = self.header.ps_active_process_head?;
                match self.space(self.header.directory_table_base).translate(head) {
                    Ok(_) => return None,
                    // The header's tables are those, and the file ends before them: the truncation is told.
                    Err(ReadError::OutOfFile { .. }) => return None,
                    Err(_) => {}
                }
            }
            let hints = Hints {
                directory_table_base: self.asked.directory_table_base,
                kernel_base: self.asked.kernel_base,
                machine: Some(self.header.machine),
                scope: Some(Scope::OF_DUMP),
                progress: Some(&self.progress),
                ..Hints::default()
            };
            find(self, &hints).ok().map(Box::new)
        });
        found.as_deref()
    }

    /// The address space of the page tables at `directory_table_base`, whose bits that are no part of an address
    /// (the PCID) are left out of account.
    pub fn space(&self, directory_table_base: u64) -> AddressSpace<'_> {
        let paging = match (&self.contents, self.repaired.get()) {
            (Contents::Image(image), _) => image.paging,
            (_, Some(Some(found))) => found.paging,
            _ => *self.paging.get_or_init(|| levels::paging(self)),
        };
        AddressSpace::over(self.memory(), paging, directory_table_base)
    }

    /// The address space of a process by its `_KPROCESS.DirectoryTableBase`: user addresses by the process's own
    /// tables, kernel addresses by the kernel's. With KVA shadowing a process has a second set of tables, in which
    /// the kernel's half is all but empty; given that one, kernel addresses are found all the same.
    pub fn process_space(&self, directory_table_base: u64) -> AddressSpace<'_> {
        self.space(directory_table_base)
            .with_kernel_root(self.kernel_space().root())
    }

    pub(crate) fn source(&self) -> &ByteSource {
        &self.source
    }

    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// What address spaces of the dump are of.
    fn memory(&self) -> Memory<'_> {
        match &self.contents {
            Contents::Pages(_) | Contents::Image(_) => Memory::Pages(self),
            Contents::Pieces(_) => Memory::Pieces(self),
            Contents::HeaderOnly => Memory::Nothing,
        }
    }

    /// Refuses bytes of a page that its writer could not read. The whole page is looked at only when they begin as
    /// they would then.
    fn refuse_filler(&self, page: FileOffset, skip: usize, bytes: &[u8]) -> Result<(), PageError> {
        match filler::may_be(skip as u64, bytes) && self.is_page_of_filler(page.0) {
            true => Err(PageError::Filler),
            false => Ok(()),
        }
    }

    /// Whether the page at an offset of the file holds only that filler.
    fn is_page_of_filler(&self, offset: u64) -> bool {
        const LEN: usize = 0x1000;
        // The same is asked again and again: all addresses below a page table go through it.
        let mark = offset.wrapping_add(1);
        if self.filler.load(Ordering::Relaxed) == mark {
            return true;
        }
        let fills = match self.source.slice(offset, LEN) {
            Some(page) => filler::fills(page),
            None => {
                let mut page = [0; LEN];
                self.source.read_exact_at(offset, &mut page).is_ok() && filler::fills(&page)
            }
        };
        if fills {
            self.filler.store(mark, Ordering::Relaxed);
        }
        fills
    }

    fn from_source(path: PathBuf, source: ByteSource, options: &OpenOptions) -> Result<Dump, OpenError> {
        let mut page_files = BTreeMap::new();
        for (number, path) in &options.page_files {
            page_files.insert(*number, open_file(path)?);
        }
        let head = read_head(&path, &source)?;
        let asked = Asked {
            directory_table_base: options.directory_table_base,
            kernel_base: options.kernel_base,
        };
        let is_dump = matches!(head.get(..8), Some(b"PAGEDU64" | b"PAGEDUMP"));
        let (source, header, contents) = match is_dump {
            true => {
                let header = parse_header(&path, &head, &source)?;
                let contents = read_contents(&header, &head, &source)
                    .map_err(|error| index_error(&path, &source, error))?;
                (source, header, contents)
            }
            false => {
                let (source, header, image) =
                    image_file::open(&path, &head, source, (&asked, &options.progress))?;
                (source, header, Contents::Image(Box::new(image)))
            }
        };
        // Only now that what is read in one go has been read: see `Mapping::new`.
        let source = match options.no_mmap {
            true => source,
            false => source.into_mapped(),
        };
        let dump = Dump {
            path,
            source,
            header,
            contents,
            asked,
            progress: options.progress.clone(),
            page_files: PageFiles::new(page_files),
            paging: OnceLock::new(),
            repaired: OnceLock::new(),
            notes: OnceLock::new(),
            filler: AtomicU64::new(0),
        };
        if is_dump && asked != Asked::default() && dump.repaired().is_none() {
            return Err(OpenError::NoKernel {
                path: dump.path.clone(),
                kind: dump.header.kind,
                tried: "not through the page tables and the base that were asked for".to_owned(),
            });
        }
        Ok(dump)
    }
}

fn index_error(path: &Path, source: &ByteSource, error: IndexError) -> OpenError {
    let path = path.to_owned();
    match error {
        IndexError::Cut { need } => OpenError::IndexCut {
            path,
            len: source.len(),
            need,
        },
        IndexError::Bad(reason) => OpenError::BadIndex { path, reason },
        IndexError::Io(source) => OpenError::Io { path, source },
    }
}

/// A dump's pages, each stored as it is. A dump without pages lists no frame.
impl PhysicalMemory for Dump {
    fn frame(&self, pfn: Pfn) -> Result<FileOffset, FrameError> {
        if let Some(place) = self.page_files.place(pfn) {
            return place;
        }
        let index = match &self.contents {
            Contents::Pages(index) => index,
            Contents::Image(image) => return image.pages.place(&self.source, pfn),
            _ => return Err(FrameError::NotInDump { pfn }),
        };
        let position = index
            .position(pfn.u64(), &self.source)
            .map_err(|error| FrameError::Io {
                pfn,
                kind: error.kind(),
            })?
            .ok_or(FrameError::NotInDump { pfn })?;
        let offset = index.first_page().saturating_add(position.saturating_mul(PAGE));
        // A copy that broke off, or a disk that was full: the index stands before all pages and is whole then,
        // so that it lists pages which the file has not. kdmp-parser 0.8.2 opens such a file without a word.
        if offset.saturating_add(PAGE) > self.file_len() {
            return Err(FrameError::OutOfFile { pfn, offset });
        }
        Ok(FileOffset(offset))
    }

    fn read_page(&self, page: FileOffset, skip: usize, buf: &mut [u8]) -> Result<(), PageError> {
        if let Some(read) = self.page_files.read(page, skip, buf) {
            return read;
        }
        if let Contents::Image(image) = &self.contents {
            return image.pages.read(&self.source, page, skip, buf);
        }
        self.source
            .read_exact_at(page.0.saturating_add(skip as u64), buf)
            .map_err(|error| PageError::Io(error.kind()))?;
        self.refuse_filler(page, skip, buf)
    }

    fn paged_out(&self, entry: u64) -> Option<Pfn> {
        self.page_files.frame(entry)
    }

    fn borrow_page(&self, page: FileOffset, skip: usize, len: usize) -> Result<Option<&[u8]>, PageError> {
        let Some(at) = page.in_file() else {
            return Ok(None);
        };
        let Some(bytes) = self.source.slice(at.saturating_add(skip as u64), len) else {
            return Ok(None);
        };
        if matches!(self.contents, Contents::Pages(_)) {
            self.refuse_filler(page, skip, bytes)?;
        }
        Ok(Some(bytes))
    }

    fn runs(&self) -> Box<dyn Iterator<Item = PageRun> + '_> {
        match &self.contents {
            Contents::Pages(index) => Box::new(index.runs(&self.source)),
            Contents::Image(image) => image.pages.runs(&self.source),
            _ => Box::new(std::iter::empty()),
        }
    }

    fn frame_limit(&self) -> u64 {
        match &self.contents {
            Contents::Pages(index) => index.limit(),
            Contents::Image(image) => image.pages.limit(),
            _ => 0,
        }
    }

    fn known(&self) -> Known {
        let header = &self.header;
        Known {
            machine: Some(header.machine),
            pae: header.pae_enabled,
            directory_table_base: Some(header.directory_table_base),
            // One record, of the processor that called KeBugCheckEx. Those of the others are in memory, in the
            // ProcessorState of their control blocks, and are of the crash only when processors were frozen for
            // it.
            processors: self.contexts().collect(),
            bug_check: header.bug_check,
            lists: [header.ps_active_process_head, header.ps_loaded_module_list]
                .into_iter()
                .flatten()
                .collect(),
        }
    }
}

/// The blocks of a triage dump.
impl VirtualPieces for Dump {
    fn extent(&self, gva: Addr) -> Result<Extent, ReadError> {
        match &self.contents {
            Contents::Pieces(triage) => triage.extent(gva),
            _ => Err(ReadError::NotInTriageDump { gva }),
        }
    }

    fn read_at(&self, offset: FileOffset, buf: &mut [u8]) -> io::Result<()> {
        self.source.read_exact_at(offset.0, buf)
    }

    fn borrow_at(&self, offset: FileOffset, len: usize) -> Option<&[u8]> {
        self.source.slice(offset.0, len)
    }
}

/// What a file is, by its first bytes: what [`Dump::open`] would take it for, without more of it being read.
///
/// # Errors
/// It cannot be read, is empty, or is no file.
pub fn file_kind(path: &Path) -> Result<FileKind, OpenError> {
    let source = open_file(path)?;
    let head = read_head(path, &source)?;
    if matches!(head.get(..8), Some(b"PAGEDU64" | b"PAGEDUMP")) {
        return Ok(FileKind {
            class: FileClass::KernelDump,
            found: "a kernel crash dump".to_owned(),
        });
    }
    let Foreign { class, found, .. } = foreign(path, &head, &source);
    Ok(FileKind { class, found })
}

/// Why the system refuses a file.
fn refused(path: &Path, source: io::Error) -> OpenError {
    let path = path.to_owned();
    match (source.kind(), fs::read_link(&path)) {
        (io::ErrorKind::PermissionDenied, _) => OpenError::PermissionDenied { path, source },
        (_, Ok(target)) => OpenError::BrokenLink { path, target, source },
        (io::ErrorKind::NotFound, _) => OpenError::NotFound { path, source },
        _ => OpenError::Io { path, source },
    }
}

fn open_file(path: &Path) -> Result<ByteSource, OpenError> {
    // Asked before opening: opening a pipe that nobody writes to would wait for ever.
    let before = fs::metadata(path).map_err(|error| refused(path, error))?;
    if before.is_dir() {
        return Err(OpenError::Folder {
            path: path.to_owned(),
        });
    }
    if !before.is_file() {
        return Err(OpenError::NotAFile {
            path: path.to_owned(),
        });
    }
    let file = File::open(path).map_err(|error| refused(path, error))?;
    let len = file.metadata().map_err(|error| refused(path, error))?.len();
    if len == 0 {
        return Err(OpenError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(ByteSource::File(Opened::new(file, len)))
}

/// The beginning of a file, with the header of a dump and that of its index.
fn read_head(path: &Path, source: &ByteSource) -> Result<Vec<u8>, OpenError> {
    let len = usize::try_from(source.len()).unwrap_or(HEAD_LEN);
    let mut head = vec![0; HEAD_LEN.min(len)];
    match source.read_exact_at(0, &mut head) {
        Ok(()) => Ok(head),
        Err(source) => Err(OpenError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

fn parse_header(path: &Path, head: &[u8], source: &ByteSource) -> Result<Header, OpenError> {
    let bytes = head.get(..HEADER64_LEN).unwrap_or(head);
    // `PAGE` is signature and filler at once: a header into which nothing was written begins with it too. It is
    // the word behind it, ValidDump, that makes it a dump. A machine that crashed and has not started since
    // still has its dump in pagefile.sys, which begins so as well.
    let (need, parse): (usize, fn(&[u8]) -> Header) = match bytes.get(..8) {
        Some(b"PAGEDU64") => (HEADER64_LEN, Header::parse),
        Some(b"PAGEDUMP") => (HEADER32_LEN, header32::parse),
        _ => {
            let foreign = foreign(path, bytes, source);
            return Err(OpenError::NotADump {
                path: path.to_owned(),
                class: foreign.class,
                found: foreign.found,
                next: foreign.next,
            });
        }
    };
    if bytes.len() < need {
        return Err(OpenError::HeaderCut {
            path: path.to_owned(),
            len: source.len(),
            need: need as u64,
        });
    }
    check_header(path, need == HEADER64_LEN, parse(bytes))
}

/// Refuses machines and kinds of which nothing is known.
fn check_header(path: &Path, wide: bool, header: Header) -> Result<Header, OpenError> {
    let (machine, kind) = (header.machine, header.kind);
    match (wide, machine) {
        // ARM64 dumps have the header of x64 ones and page tables of their own: the width alone does not say
        // how to read one. (kdmp-parser 0.8.2 never looks at the machine.)
        (true, Machine::Amd64 | Machine::Arm64) | (false, Machine::I386) => {}
        _ => {
            return Err(OpenError::UnsupportedMachine {
                path: path.to_owned(),
                machine,
                kind,
            });
        }
    }
    if let DumpKind::Other(_) = kind {
        return Err(OpenError::UnsupportedKind {
            path: path.to_owned(),
            machine,
            kind,
        });
    }
    Ok(header)
}
