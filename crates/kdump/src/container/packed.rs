//! Pages that have to be unpacked before they can be read.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::container::extents::{Extent, Extents};
use crate::file::source::ByteSource;
use crate::memory::error::FrameError;
use crate::memory::page::{PAGE, PageRun};
use crate::memory::physical::PageError;
use crate::value::address::Pfn;

/// The pages of a file that does not hold them as they are.
pub(crate) trait PackedPages: fmt::Debug + Send + Sync {
    /// Whether the file has the page of a frame.
    ///
    /// # Errors
    /// It lists no such frame, ends before its page, or what says where the page is cannot be read.
    fn look_up(&self, source: &ByteSource, pfn: Pfn) -> Result<(), FrameError>;

    /// Fills `buf` with the page of a frame from its byte `skip` on. Callers ask for no more than the page has.
    ///
    /// # Errors
    /// The packed bytes are damaged, or cannot be read.
    fn read(&self, source: &ByteSource, pfn: Pfn, skip: usize, buf: &mut [u8]) -> Result<(), PageError>;

    /// All frames in ascending order, as runs.
    fn runs<'a>(&'a self, source: &'a ByteSource) -> Box<dyn Iterator<Item = PageRun> + 'a>;

    /// A frame number above all.
    fn limit(&self) -> u64;

    /// How many pages the file lists, and how many of these it has.
    fn count(&self) -> (u64, u64);
}

/// Unpacks bytes into as many as they must give; false where they do not.
pub(crate) type Unpack = fn(&[u8], &mut [u8]) -> bool;

/// Bytes of a file that are unpacked in one go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    /// Where they begin in the file.
    pub(crate) offset: u64,
    /// How many they are; none of blocks that are made without any.
    pub(crate) packed: u32,
    /// How many they become: whole pages, at most [`MAX_BLOCK`].
    pub(crate) plain: u32,
    /// How.
    pub(crate) unpack: Unpack,
}

/// The most bytes that a block may become.
pub(crate) const MAX_BLOCK: u32 = 1 << BLOCK_BITS;
const BLOCK_BITS: u32 = 24;

/// How many unpacked blocks are kept. With those of a Hyper-V saved state, 1 MiB each and the largest there are, this
/// takes 32 MiB.
const KEPT: usize = 32;

/// What was unpacked, or that it cannot be.
pub(crate) type Unpacked = Result<Arc<[u8]>, PageError>;

/// What was unpacked last, by numbers: walks read the same pages many times over, a few bytes at once.
pub(crate) struct Kept(Vec<Mutex<Option<(u64, Unpacked)>>>);

impl Kept {
    /// Room for as many.
    pub(crate) fn new(room: usize) -> Kept {
        Kept((0..room).map(|_| Mutex::new(None)).collect())
    }

    /// What has a number, unpacked now unless it is kept.
    pub(crate) fn get(&self, number: u64, unpack: impl FnOnce() -> Unpacked) -> Unpacked {
        let room = self.0.len().max(1) as u64;
        let slot = usize::try_from(number.checked_rem(room).unwrap_or_default()).unwrap_or_default();
        let Some(slot) = self.0.get(slot) else {
            return unpack();
        };
        let mut kept = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_ref() {
            Some((of, unpacked)) if *of == number => unpacked.clone(),
            _ => {
                let unpacked = unpack();
                *kept = Some((number, unpacked.clone()));
                unpacked
            }
        }
    }
}

/// Pages in blocks: frames of each, in order.
pub(crate) struct Blocks {
    blocks: Vec<Block>,
    /// Frames by their place in a block: the block's number above [`BLOCK_BITS`], the byte in it below.
    index: Extents,
    pages: u64,
    present: u64,
    kept: Kept,
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks")
            .field("blocks", &self.blocks.len())
            .field("pages", &self.pages)
            .finish_non_exhaustive()
    }
}

/// Collects blocks and the frames in them.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    blocks: Vec<Block>,
    runs: Vec<Extent>,
}

impl Builder {
    /// Adds a block with the runs of frames in it, one behind the other. What leaves the block is left out.
    pub(crate) fn block(&mut self, block: Block, runs: impl IntoIterator<Item = PageRun>) {
        let number = self.blocks.len();
        self.blocks.push(block);
        let mut at = 0_u64;
        for run in runs {
            self.frames(number, at, run);
            at = at.saturating_add(run.count);
        }
    }

    /// Says that a run of frames is in the block of this number, from its page `at` on. What leaves the block is left
    /// out.
    pub(crate) fn frames(&mut self, number: usize, at: u64, run: PageRun) {
        let room = self
            .blocks
            .get(number)
            .map_or(0, |block| u64::from(block.plain.min(MAX_BLOCK)) / PAGE);
        let count = run.count.min(room.saturating_sub(at));
        if count != 0 {
            self.runs.push(Extent {
                base: run.base.u64(),
                count,
                offset: ((number as u64) << BLOCK_BITS) | at.saturating_mul(PAGE),
            });
        }
    }

    /// How many blocks there are.
    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Puts the frames in order; of frames given more than once the first is taken. How many those were is the second
    /// result.
    pub(crate) fn build(self, file_len: u64) -> (Blocks, u64) {
        let (index, repeated) = Extents::new(self.runs);
        let whole = |offset: u64| {
            let block = usize::try_from(offset >> BLOCK_BITS).ok();
            let block = block.and_then(|number| self.blocks.get(number));
            block.is_some_and(|block| block.offset.saturating_add(block.packed.into()) <= file_len)
        };
        let (mut pages, mut present) = (0_u64, 0_u64);
        for run in index.extents() {
            pages = pages.saturating_add(run.count);
            if whole(run.offset) {
                present = present.saturating_add(run.count);
            }
        }
        let blocks = Blocks {
            blocks: self.blocks,
            index,
            pages,
            present,
            kept: Kept::new(KEPT),
        };
        (blocks, repeated)
    }
}

impl Blocks {
    /// The block of a frame: its number, itself, and where the page begins in what it becomes.
    fn find(&self, pfn: Pfn) -> Option<(u64, &Block, usize)> {
        let at = self.index.offset(pfn.u64())?;
        let number = at >> BLOCK_BITS;
        let block = self.blocks.get(usize::try_from(number).ok()?)?;
        let skip = usize::try_from(at & (u64::from(MAX_BLOCK).saturating_sub(1))).ok()?;
        Some((number, block, skip))
    }

    fn unpacked(&self, source: &ByteSource, number: u64, block: &Block) -> Unpacked {
        let unpack = || {
            let mut packed = vec![0; block.packed as usize];
            source
                .read_exact_at(block.offset, &mut packed)
                .map_err(|error| PageError::Io(error.kind()))?;
            let mut plain = vec![0; block.plain as usize];
            match (block.unpack)(&packed, &mut plain) {
                true => Ok(plain.into()),
                false => Err(PageError::Damaged),
            }
        };
        self.kept.get(number, unpack)
    }
}

impl PackedPages for Blocks {
    fn look_up(&self, source: &ByteSource, pfn: Pfn) -> Result<(), FrameError> {
        let (_, block, _) = self.find(pfn).ok_or(FrameError::NotInDump { pfn })?;
        match block.offset.saturating_add(block.packed.into()) > source.len() {
            true => Err(FrameError::OutOfFile {
                pfn,
                offset: block.offset,
            }),
            false => Ok(()),
        }
    }

    fn read(&self, source: &ByteSource, pfn: Pfn, skip: usize, buf: &mut [u8]) -> Result<(), PageError> {
        let (number, block, at) = self.find(pfn).ok_or(PageError::Damaged)?;
        let plain = self.unpacked(source, number, block)?;
        let from = at.saturating_add(skip);
        let bytes = plain.get(from..from.saturating_add(buf.len()));
        buf.copy_from_slice(bytes.ok_or(PageError::Damaged)?);
        Ok(())
    }

    fn runs<'a>(&'a self, _: &'a ByteSource) -> Box<dyn Iterator<Item = PageRun> + 'a> {
        Box::new(self.index.runs())
    }

    fn limit(&self) -> u64 {
        self.index.limit()
    }

    fn count(&self) -> (u64, u64) {
        (self.pages, self.present)
    }
}

/// Takes bytes as they are.
pub(crate) fn stored(packed: &[u8], plain: &mut [u8]) -> bool {
    let fits = packed.len() == plain.len();
    if fits {
        plain.copy_from_slice(packed);
    }
    fits
}
