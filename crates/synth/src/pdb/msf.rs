//! The container: numbered streams in a file of equal blocks.
//!
//! Source: LLVM's `PDB/MsfFile` document. Every block-size-th interval begins with one data block and
//! two free page maps; the stream directory says which blocks a stream is in, the block map which
//! blocks the directory is in, the superblock where the block map is.

use super::out::{Out, len32};

const MAGIC: &[u8; 32] = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0";

/// Which of the two free page maps is the current one.
const FREE_PAGE_MAP: usize = 1;

/// Lays `streams` out in blocks of `block_size` bytes, a power of two from 512 to 4096.
///
/// # Panics
/// When the directory is so large that its block map does not fit one block.
pub(super) fn write(streams: &[Vec<u8>], block_size: usize) -> Vec<u8> {
    assert!(matches!(block_size, 512 | 1024 | 2048 | 4096));
    let mut file = Blocks::new(block_size);
    let homes: Vec<Vec<u32>> = streams.iter().map(|s| file.store(s)).collect();
    let directory = directory(streams, &homes);
    let mut block_map = Vec::new();
    for block in file.store(&directory) {
        block_map.u32(block);
    }
    assert!(block_map.len() <= block_size, "too many streams or blocks");
    let map_home = file.store(&block_map)[0];
    file.write_free_page_maps();
    let count = file.count();
    let head = file.block(0);
    head[..32].copy_from_slice(MAGIC);
    let mut fields = Vec::new();
    fields.u32(len32(block_size));
    fields.u32(len32(FREE_PAGE_MAP));
    fields.u32(len32(count));
    fields.u32(len32(directory.len()));
    fields.u32(0);
    fields.u32(map_home);
    head[32..32 + fields.len()].copy_from_slice(&fields);
    file.bytes
}

fn directory(streams: &[Vec<u8>], homes: &[Vec<u32>]) -> Vec<u8> {
    let mut out = Vec::new();
    out.u32(len32(streams.len()));
    streams.iter().for_each(|s| out.u32(len32(s.len())));
    homes.iter().flatten().for_each(|block| out.u32(*block));
    out
}

struct Blocks {
    size: usize,
    bytes: Vec<u8>,
}

impl Blocks {
    /// The superblock and the first pair of free page maps.
    fn new(size: usize) -> Self {
        let bytes = vec![0; 3 * size];
        Self { size, bytes }
    }

    fn count(&self) -> usize {
        self.bytes.len() / self.size
    }

    fn block(&mut self, number: usize) -> &mut [u8] {
        &mut self.bytes[number * self.size..][..self.size]
    }

    fn is_free_page_map(&self, number: usize) -> bool {
        matches!(number % self.size, 1 | 2)
    }

    /// The number of a new zeroed block that is nobody's.
    fn allocate(&mut self) -> usize {
        while self.is_free_page_map(self.count()) {
            self.grow();
        }
        self.grow()
    }

    fn grow(&mut self) -> usize {
        let number = self.count();
        self.bytes.resize(self.bytes.len() + self.size, 0);
        number
    }

    fn store(&mut self, stream: &[u8]) -> Vec<u32> {
        let mut home = Vec::new();
        for chunk in stream.chunks(self.size) {
            let number = self.allocate();
            self.block(number)[..chunk.len()].copy_from_slice(chunk);
            home.push(len32(number));
        }
        home
    }

    /// A set bit is a free block. All that exists is in use; the bits beyond the end are free.
    fn write_free_page_maps(&mut self) {
        // A file that ends between an interval's maps lacks one; readers expect both.
        while self.is_free_page_map(self.count()) {
            self.grow();
        }
        let (count, size) = (self.count(), self.size);
        let mut map = vec![0u8; count / 8];
        if !count.is_multiple_of(8) {
            map.push(0xff << (count % 8));
        }
        let intervals = count.div_ceil(size);
        map.resize(intervals * size, 0xff);
        for (interval, part) in map.chunks(size).enumerate() {
            self.block(interval * size + FREE_PAGE_MAP).copy_from_slice(part);
            self.block(interval * size + 3 - FREE_PAGE_MAP).fill(0xff);
        }
    }
}
