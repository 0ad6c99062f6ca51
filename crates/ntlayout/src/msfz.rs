//! PDBs in Microsoft's compressed container (MSFZ), as newer symbol servers and tools have them: the same streams, whose
//! bytes lie in compressed chunks or as they are.
//!
//! Source: the "MSFZ Container Specification" of Microsoft's pdb-rs, in whose writer's files the tests look. The streams are
//! laid out as a plain PDB in memory, which the reader of PDBs then has: a kernel's has some 15 MB.

use std::cell::{Cell, OnceCell};
use std::io::Read;

use crate::bytes::{Cursor, index};

/// The version of the layout that is known.
const VERSION: u64 = 0;
/// What stands for the size of a stream that is not there.
const NIL: u32 = u32::MAX;
/// Set in the upper half of a fragment's place where the lower half is an offset in a chunk.
const IN_CHUNK: u32 = 1 << 31;
/// Bits of an offset in the file.
const OFFSET: u64 = (1 << 48) - 1;
/// Bytes of a block of a plain PDB.
const BLOCK: usize = 0x1000;
/// How a plain PDB begins.
const MAGIC: &[u8; 32] = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0";
/// Bytes of the header of the container, behind which there is no fixed place.
const HEADER: usize = 80;
/// The directory of a kernel's PDB takes some KiB.
const MOST_DIRECTORY: usize = 16 << 20;
/// Streams are named by numbers of 16 bits.
const MOST_STREAMS: u32 = 1 << 16;

/// Lays the streams of a container out as a plain PDB, of at most `most` bytes.
///
/// # Errors
/// What contradicts itself, in words.
pub(crate) fn unpacked(file: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let container = Container::read(file)?;
    let mut plain = Plain::new(most);
    for stream in &container.streams {
        match stream {
            None => plain.nothing(),
            Some(fragments) => plain.stream(&container.bytes(fragments, most)?)?,
        }
    }
    plain.finish()
}

/// What is compressed in one go.
struct Chunk {
    offset: u64,
    compression: u32,
    packed: u32,
    plain: u32,
}

/// Some bytes of a stream.
struct Fragment {
    len: u32,
    low: u32,
    high: u32,
}

struct Container<'f> {
    file: &'f [u8],
    chunks: Vec<Chunk>,
    streams: Vec<Option<Vec<Fragment>>>,
    /// Chunks as they were unpacked, and how many bytes that are.
    plain: Vec<OnceCell<Vec<u8>>>,
    unpacked: Cell<usize>,
}

impl<'f> Container<'f> {
    fn read(file: &'f [u8]) -> Result<Self, String> {
        let cut = || "its header is cut".to_owned();
        if file.len() < HEADER {
            return Err(cut());
        }
        let mut header = Cursor::at(file, 32).ok_or_else(cut)?;
        let mut u32s = || header.u32().ok_or_else(cut);
        let mut wide = || Ok::<u64, String>(u64::from(u32s()?) | u64::from(u32s()?) << 32);
        let (version, directory_at, chunks_at) = (wide()?, wide()?, wide()?);
        let (streams, compression, packed, plain) = (u32s()?, u32s()?, u32s()?, u32s()?);
        let (chunks, chunks_len) = (u32s()?, u32s()?);
        if version != VERSION {
            return Err(format!(
                "its layout has version {version}, and {VERSION} is known"
            ));
        }
        let directory = piece(file, directory_at, packed).ok_or("its directory is not in the file")?;
        let directory = expanded(directory, compression, plain, MOST_DIRECTORY)?;
        if u64::from(chunks) * 20 != u64::from(chunks_len) {
            return Err(format!(
                "{chunks} chunks cannot take {chunks_len} bytes of its table"
            ));
        }
        let table = piece(file, chunks_at, chunks_len).ok_or("its table of chunks is not in the file")?;
        let chunks: Vec<Chunk> = table.chunks_exact(20).filter_map(chunk).collect();
        if streams > MOST_STREAMS {
            return Err(format!("it has {streams} streams, more than a PDB can name"));
        }
        let streams = directory_of(&directory, streams)?;
        let plain = chunks.iter().map(|_| OnceCell::new()).collect();
        Ok(Self {
            file,
            chunks,
            streams,
            plain,
            unpacked: Cell::new(0),
        })
    }

    /// The bytes of a stream.
    fn bytes(&self, fragments: &[Fragment], most: usize) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for fragment in fragments {
            if bytes.len().saturating_add(index(fragment.len)) > most {
                return Err(format!("a stream of it has more than {most} bytes"));
            }
            if fragment.high & IN_CHUNK == 0 {
                let offset = (u64::from(fragment.high) << 32 | u64::from(fragment.low)) & OFFSET;
                let piece = piece(self.file, offset, fragment.len);
                bytes.extend_from_slice(piece.ok_or("a fragment is not in the file")?);
            } else {
                self.of_chunks(fragment, most, &mut bytes)?;
            }
        }
        Ok(bytes)
    }

    /// Bytes that begin in a chunk, and go on in those behind it.
    fn of_chunks(&self, fragment: &Fragment, most: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
        let mut number = index(fragment.high & !IN_CHUNK);
        let mut skip = index(fragment.low);
        let mut left = index(fragment.len);
        while left != 0 {
            let plain = self.chunk(number, most)?;
            let rest = plain.get(skip..).filter(|rest| !rest.is_empty());
            let rest = rest.ok_or_else(|| format!("a fragment begins behind the end of chunk {number}"))?;
            let now = rest.get(..left).unwrap_or(rest);
            bytes.extend_from_slice(now);
            left = left.saturating_sub(now.len());
            number = number.saturating_add(1);
            skip = 0;
        }
        Ok(())
    }

    fn chunk(&self, number: usize, most: usize) -> Result<&[u8], String> {
        let (Some(chunk), Some(plain)) = (self.chunks.get(number), self.plain.get(number)) else {
            return Err(format!("there is no chunk {number}"));
        };
        if let Some(plain) = plain.get() {
            return Ok(plain);
        }
        // Chunks of which little is used may still be many.
        let unpacked = self.unpacked.get().saturating_add(index(chunk.plain));
        if unpacked > most {
            return Err(format!("its chunks have more than {most} bytes"));
        }
        self.unpacked.set(unpacked);
        let packed = piece(self.file, chunk.offset, chunk.packed);
        let packed = packed.ok_or_else(|| format!("chunk {number} is not in the file"))?;
        let bytes = expanded(packed, chunk.compression, chunk.plain, most)?;
        Ok(plain.get_or_init(|| bytes))
    }
}

fn piece(file: &[u8], offset: u64, len: u32) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    file.get(start..start.checked_add(index(len))?)
}

fn chunk(entry: &[u8]) -> Option<Chunk> {
    let mut entry = Cursor::at(entry, 0)?;
    Some(Chunk {
        offset: u64::from(entry.u32()?) | u64::from(entry.u32()?) << 32,
        compression: entry.u32()?,
        packed: entry.u32()?,
        plain: entry.u32()?,
    })
}

/// Each stream as the list of its fragments, which ends with a size of 0.
fn directory_of(bytes: &[u8], streams: u32) -> Result<Vec<Option<Vec<Fragment>>>, String> {
    let cut = || "its directory is cut".to_owned();
    let mut cursor = Cursor::at(bytes, 0).ok_or_else(cut)?;
    let mut found = Vec::new();
    for _ in 0..streams {
        let mut fragments = Vec::new();
        let mut len = cursor.u32().ok_or_else(cut)?;
        if len == NIL {
            found.push(None);
            continue;
        }
        while len != 0 {
            let (low, high) = (cursor.u32().ok_or_else(cut)?, cursor.u32().ok_or_else(cut)?);
            fragments.push(Fragment { len, low, high });
            len = cursor.u32().ok_or_else(cut)?;
        }
        found.push(Some(fragments));
    }
    Ok(found)
}

/// The bytes that are packed in some others, which must be as many as is said.
fn expanded(packed: &[u8], compression: u32, plain: u32, most: usize) -> Result<Vec<u8>, String> {
    let wanted = index(plain);
    if wanted > most {
        return Err(format!(
            "a part of it has {wanted} bytes, more than any PDB of a kernel"
        ));
    }
    let mut bytes = Vec::new();
    let limit = u64::from(plain).saturating_add(1);
    let read = match compression {
        0 => packed.take(limit).read_to_end(&mut bytes),
        1 => ruzstd::decoding::StreamingDecoder::new(packed)
            .map_err(|error| error.to_string())?
            .take(limit)
            .read_to_end(&mut bytes),
        2 => flate2::read::DeflateDecoder::new(packed)
            .take(limit)
            .read_to_end(&mut bytes),
        other => return Err(format!("it is packed in a way that is not known ({other})")),
    };
    read.map_err(|error| error.to_string())?;
    match bytes.len() == wanted {
        true => Ok(bytes),
        false => Err(format!(
            "a part of it has not the {wanted} bytes that it should have"
        )),
    }
}

/// A plain PDB that is being laid out: LLVM's "The MSF File Format".
struct Plain {
    most: usize,
    bytes: Vec<u8>,
    /// The sizes of the streams, and their blocks.
    sizes: Vec<u32>,
    blocks: Vec<u32>,
}

impl Plain {
    fn new(most: usize) -> Self {
        Self {
            most,
            bytes: vec![0; 3 * BLOCK],
            sizes: Vec::new(),
            blocks: Vec::new(),
        }
    }

    fn nothing(&mut self) {
        self.sizes.push(NIL);
    }

    fn stream(&mut self, bytes: &[u8]) -> Result<(), String> {
        let too_large = || "its streams are too large for a PDB".to_owned();
        self.sizes
            .push(u32::try_from(bytes.len()).map_err(|_| too_large())?);
        let mut blocks = self.lay(bytes)?;
        self.blocks.append(&mut blocks);
        Ok(())
    }

    /// Lays bytes out in blocks of their own. The second and third of every 4,096 blocks belong to the maps of free ones.
    fn lay(&mut self, bytes: &[u8]) -> Result<Vec<u32>, String> {
        let mut blocks = Vec::new();
        for block in bytes.chunks(BLOCK) {
            let mut number = self.bytes.len() / BLOCK;
            while matches!(number % BLOCK, 1 | 2) {
                number = number.saturating_add(1);
            }
            let start = number.saturating_mul(BLOCK);
            let end = start.saturating_add(BLOCK);
            if end > self.most.saturating_mul(2) {
                return Err(format!("its streams have more than {} bytes", self.most));
            }
            self.bytes.resize(start, 0);
            self.bytes.extend_from_slice(block);
            self.bytes.resize(end, 0);
            blocks.push(u32::try_from(number).map_err(|_| "it has too many blocks".to_owned())?);
        }
        Ok(blocks)
    }

    fn finish(mut self) -> Result<Vec<u8>, String> {
        let count = u32::try_from(self.sizes.len()).unwrap_or(u32::MAX);
        let words = [count]
            .into_iter()
            .chain(self.sizes.clone())
            .chain(self.blocks.clone());
        let directory: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        let len = u32::try_from(directory.len()).map_err(|_| "its directory is too large".to_owned())?;
        let blocks = self.lay(&directory)?;
        let map: Vec<u8> = blocks.into_iter().flat_map(u32::to_le_bytes).collect();
        let map = match self.lay(&map)?.as_slice() {
            [map] => *map,
            _ => return Err("its directory is too large".to_owned()),
        };
        let total =
            u32::try_from(self.bytes.len() / BLOCK).map_err(|_| "it has too many blocks".to_owned())?;
        let block = u32::try_from(BLOCK).unwrap_or_default();
        let super_block = [block, 1, total, len, 0, map];
        let head = MAGIC
            .iter()
            .copied()
            .chain(super_block.into_iter().flat_map(u32::to_le_bytes));
        for (to, from) in self.bytes.iter_mut().zip(head) {
            *to = from;
        }
        Ok(self.bytes)
    }
}
