//! The container of a PDB: a file of equal blocks, and streams made of them in any order.
//!
//! Format: LLVM's "The MSF File Format" and Microsoft's `PDB/msf/msf.cpp`. Every count is checked against
//! the file's length before anything is allocated for it, so that no file costs more memory than its size.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bytes::{Cursor, index};
use crate::error::SymbolError;
use crate::lookalike::{Lookalike, SNIFF};
use crate::pdb::source::{Source, View};

const MAGIC: &[u8; 32] = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0";
/// The superblock's fixed part; the numbers of the blocks that map the directory follow it.
const SUPERBLOCK: usize = 52;
/// The smallest and largest block size a linker writes are 512 and 32,768 bytes.
const BLOCK_SIZES: std::ops::RangeInclusive<u32> = 512..=65_536;
/// The length of a stream that was deleted.
const ABSENT: u32 = u32::MAX;

/// An open container.
#[derive(Debug)]
pub(super) struct Msf {
    path: PathBuf,
    source: Arc<Source>,
    block_size: u32,
    block_count: u32,
    streams: Vec<Extent>,
    /// The numbers of all streams' blocks, one stream after the other.
    blocks: Vec<u32>,
}

/// One stream: its bytes, and where its block numbers begin in [`Msf::blocks`].
#[derive(Clone, Copy, Debug)]
struct Extent {
    len: u32,
    first: usize,
}

struct Superblock {
    block_size: u32,
    block_count: u32,
    directory_len: u32,
    /// Superblock bytes from the block map's numbers on.
    map: Vec<u8>,
}

impl Msf {
    pub(super) fn open(path: &Path) -> Result<Self, SymbolError> {
        let io = |source| SymbolError::Io {
            path: path.to_owned(),
            source,
        };
        if !fs::metadata(path).map_err(io)?.is_file() {
            return Err(SymbolError::NotAFile {
                path: path.to_owned(),
            });
        }
        Self::new(path.to_owned(), Source::open(path).map_err(io)?)
    }

    pub(super) fn new(path: PathBuf, source: Source) -> Result<Self, SymbolError> {
        let mut msf = Self {
            path,
            source: Arc::new(source),
            block_size: 0,
            block_count: 0,
            streams: Vec::new(),
            blocks: Vec::new(),
        };
        let superblock = msf.superblock()?;
        msf.block_size = superblock.block_size;
        msf.block_count = superblock.block_count;
        let directory = msf.directory(&superblock)?;
        msf.parse_directory(&directory)
            .ok_or_else(|| msf.corrupt("stream directory", "it ends before its last stream".into()))?;
        Ok(msf)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's bytes for `pdb2`.
    pub(super) fn view(&self) -> View {
        View(Arc::clone(&self.source))
    }

    pub(super) fn corrupt(&self, part: &'static str, detail: String) -> SymbolError {
        SymbolError::Corrupt {
            path: self.path.clone(),
            part,
            detail,
        }
    }

    pub(super) fn lacks(&self, part: &'static str) -> SymbolError {
        SymbolError::Lacks {
            path: self.path.clone(),
            part,
        }
    }

    fn superblock(&self) -> Result<Superblock, SymbolError> {
        let head = self.head()?;
        let mut cursor = Cursor::new(&head);
        let magic = cursor.take(MAGIC.len());
        if magic != Some(MAGIC.as_slice()) {
            let found = Lookalike::of(head.get(..SNIFF).unwrap_or(&head));
            return Err(SymbolError::NotPdb {
                path: self.path.clone(),
                found,
            });
        }
        let superblock = parse_superblock(&mut cursor)
            .ok_or_else(|| self.truncated(u64::try_from(SUPERBLOCK).unwrap_or(u64::MAX)))?;
        self.check(&superblock)?;
        Ok(superblock)
    }

    fn head(&self) -> Result<Vec<u8>, SymbolError> {
        let len = self.source.len();
        if len == 0 {
            return Err(SymbolError::Empty {
                path: self.path.clone(),
            });
        }
        let mut head = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(4096)];
        self.fill(0, &mut head)?;
        Ok(head)
    }

    fn check(&self, superblock: &Superblock) -> Result<(), SymbolError> {
        let Superblock {
            block_size,
            block_count,
            directory_len,
            ..
        } = *superblock;
        let wrong = |detail| Err(self.corrupt("superblock", detail));
        // 4,096 bytes by default; /PDBPAGESIZE raises it, up to 32,768, where a PDB would grow past 4 GiB
        // (Microsoft's linker options).
        if !block_size.is_power_of_two() || !BLOCK_SIZES.contains(&block_size) {
            return wrong(format!("a block size of {block_size} bytes"));
        }
        let expected = u64::from(block_size).saturating_mul(u64::from(block_count));
        if expected > self.source.len() {
            return Err(self.truncated(expected));
        }
        if u64::from(directory_len) > expected || directory_len < 4 {
            return wrong(format!(
                "a stream directory of {directory_len} bytes in a file of {expected}"
            ));
        }
        Ok(())
    }

    fn truncated(&self, expected: u64) -> SymbolError {
        SymbolError::Truncated {
            path: self.path.clone(),
            expected,
            actual: self.source.len(),
        }
    }

    /// The directory's bytes: the superblock names the blocks of the block map, whose entries name the blocks
    /// of the directory.
    fn directory(&self, superblock: &Superblock) -> Result<Vec<u8>, SymbolError> {
        let map_len = self.blocks_for(superblock.directory_len).saturating_mul(4);
        let bad_map = || self.corrupt("superblock", "the block map does not fit".into());
        let mut cursor = Cursor::new(&superblock.map);
        // LLVM reads one number here, the block that holds the map. Microsoft's msf.cpp has an array: with
        // blocks of 4,096 bytes one block of numbers maps a directory of 4 MiB, and a larger one needs more.
        let map_blocks = numbers(&mut cursor, index(self.blocks_for(map_len))).ok_or_else(bad_map)?;
        let map = self.read(&map_blocks, 0, map_len, "block map")?;
        let directory_blocks = numbers(&mut Cursor::new(&map), map.len() / 4).ok_or_else(bad_map)?;
        self.read(&directory_blocks, 0, superblock.directory_len, "stream directory")
    }

    fn parse_directory(&mut self, directory: &[u8]) -> Option<()> {
        let mut cursor = Cursor::new(directory);
        let count = index(cursor.u32()?);
        let lens = numbers(&mut cursor, count)?;
        let count = cursor.rest().len() / 4;
        self.blocks = numbers(&mut cursor, count)?;
        let mut first = 0usize;
        for len in lens {
            self.streams.push(Extent { len, first });
            // A deleted stream keeps its number, so that those behind it keep theirs: it has no blocks, not 4
            // GiB of them.
            let blocks = if len == ABSENT { 0 } else { self.blocks_for(len) };
            first = first.checked_add(index(blocks))?;
        }
        (first <= self.blocks.len()).then_some(())
    }

    /// How many blocks hold that many bytes.
    fn blocks_for(&self, len: u32) -> u32 {
        len.checked_next_multiple_of(self.block_size)
            .unwrap_or(u32::MAX)
            .checked_div(self.block_size)
            .unwrap_or(0)
    }

    /// The stream of that number, if there is one.
    pub(super) fn stream(&self, number: u32) -> Option<Stream<'_>> {
        let extent = self
            .streams
            .get(index(number))
            .filter(|extent| extent.len != ABSENT)?;
        let end = extent.first.checked_add(index(self.blocks_for(extent.len)))?;
        let blocks = self.blocks.get(extent.first..end)?;
        Some(Stream {
            msf: self,
            len: extent.len,
            blocks,
        })
    }

    /// Reads `len` bytes from `offset` on of what these blocks make up.
    fn read(
        &self,
        blocks: &[u32],
        offset: u32,
        len: u32,
        part: &'static str,
    ) -> Result<Vec<u8>, SymbolError> {
        if u64::from(len) > self.source.len() {
            return Err(self.corrupt(part, format!("{len} bytes in a file of {}", self.source.len())));
        }
        let mut out = vec![0; index(len)];
        let mut rest = out.as_mut_slice();
        let mut skip = offset.checked_rem(self.block_size).unwrap_or(0);
        let first = index(offset.checked_div(self.block_size).unwrap_or(0));
        let count = index(self.blocks_for(skip.saturating_add(len)));
        let mut blocks = blocks.get(first..).unwrap_or_default();
        blocks = blocks.get(..count).unwrap_or(blocks);
        while !rest.is_empty() {
            let run = adjacent(blocks);
            let Some((start, after)) = blocks.first().zip(blocks.get(run..)) else {
                return Err(self.corrupt(part, "it ends too early".into()));
            };
            let place = self.run_start(*start, run, part)?.saturating_add(u64::from(skip));
            let available = run
                .saturating_mul(index(self.block_size))
                .saturating_sub(index(skip));
            let (now, later) = rest.split_at_mut(available.min(rest.len()));
            self.fill(place, now)?;
            (rest, blocks, skip) = (later, after, 0);
        }
        Ok(out)
    }

    /// The file offset of a run of blocks that are all in the file.
    fn run_start(&self, start: u32, run: usize, part: &'static str) -> Result<u64, SymbolError> {
        let end = u64::from(start).saturating_add(u64::try_from(run).unwrap_or(u64::MAX));
        // Block 0 is the superblock: a stream that claims it is damage, or somebody's test of readers.
        if start == 0 || end > u64::from(self.block_count) {
            return Err(self.corrupt(part, format!("block {start} of {}", self.block_count)));
        }
        Ok(u64::from(start).saturating_mul(u64::from(self.block_size)))
    }

    fn fill(&self, offset: u64, out: &mut [u8]) -> Result<(), SymbolError> {
        let path = || self.path.clone();
        self.source
            .read_at(offset, out)
            .map_err(|source| SymbolError::Io { path: path(), source })
    }
}

fn parse_superblock(cursor: &mut Cursor<'_>) -> Option<Superblock> {
    let block_size = cursor.u32()?;
    // 1 or 2: two maps of free blocks take turns, so that a commit which breaks off leaves the other one whole.
    // Both are repeated in every interval of as many blocks as a block has bytes (LLVM's "The MSF File
    // Format").
    let _free_block_map = cursor.u32()?;
    let block_count = cursor.u32()?;
    let directory_len = cursor.u32()?;
    let _reserved = cursor.u32()?;
    let map_end = index(block_size)
        .saturating_sub(SUPERBLOCK)
        .min(cursor.rest().len());
    let map = cursor.take(map_end)?.to_vec();
    Some(Superblock {
        block_size,
        block_count,
        directory_len,
        map,
    })
}

fn numbers(cursor: &mut Cursor<'_>, count: usize) -> Option<Vec<u32>> {
    let bytes = cursor.take(count.checked_mul(4)?)?;
    Some(
        bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|chunk| u32::from_le_bytes(*chunk))
            .collect(),
    )
}

/// How many of the first blocks lie side by side, so that one read gets them.
fn adjacent(blocks: &[u32]) -> usize {
    let pairs = blocks.iter().zip(blocks.iter().skip(1));
    let joined = pairs
        .take_while(|(one, next)| one.checked_add(1) == Some(**next))
        .count();
    joined.saturating_add(1).min(blocks.len())
}

/// A stream of a container.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream<'m> {
    msf: &'m Msf,
    len: u32,
    blocks: &'m [u32],
}

impl Stream<'_> {
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Reads a range that must lie within the stream.
    pub(super) fn read(&self, offset: u32, len: u32, part: &'static str) -> Result<Vec<u8>, SymbolError> {
        let end = offset.checked_add(len).filter(|&end| end <= self.len);
        if end.is_none() {
            let detail = format!("{len} bytes at {offset} are beyond its {} bytes", self.len);
            return Err(self.msf.corrupt(part, detail));
        }
        self.msf.read(self.blocks, offset, len, part)
    }

    /// Reads up to `len` bytes from `offset` on: fewer where the stream ends.
    pub(super) fn read_up_to(
        &self,
        offset: u32,
        len: u32,
        part: &'static str,
    ) -> Result<Vec<u8>, SymbolError> {
        let len = len.min(self.len.saturating_sub(offset));
        self.msf.read(self.blocks, offset, len, part)
    }

    /// Whether a reader that trusts the container may read all of it.
    pub(super) fn check(&self, part: &'static str) -> Result<(), SymbolError> {
        if u64::from(self.len) > self.msf.source.len() {
            let detail = format!("{} bytes in a file of {}", self.len, self.msf.source.len());
            return Err(self.msf.corrupt(part, detail));
        }
        for &block in self.blocks {
            self.msf.run_start(block, 1, part)?;
        }
        Ok(())
    }

    pub(super) fn read_all(&self, part: &'static str) -> Result<Vec<u8>, SymbolError> {
        self.msf.read(self.blocks, 0, self.len, part)
    }
}
