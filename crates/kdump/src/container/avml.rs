//! AVML images: LiME's header before each block of memory, and the memory compressed in Snappy's frames.
//!
//! Header: magic u32 0 (`AVML` in the file), version u32 4 (2), first address u64 8, last address u64 0x10 (inclusive),
//! reserved 0x18. Behind it chunks: type u8, length u24, then of type 0 (compressed) and 1 (as it is) the masked CRC-32C of
//! what they become and at most 64 KiB of it; type 0xff is the signature `sNaPpY`, 0x80 to 0xfe are skipped. When the
//! chunks have given the whole range, a u64 follows with the bytes that they take. AVML writes blocks of 16 MiB. Ranges
//! of LiME, which are not compressed, may stand between them.
//!
//! Sources: microsoft/avml (src/image.rs), Google's framing_format.txt.
//!
//! Opening reads the headers of all chunks, and unpacks none: a chunk says how long it becomes. Snappy's check of each is
//! kept, so that damaged bytes are never taken for memory.

use crate::container::extents::Extent;
use crate::container::fields::array;
use crate::container::lime::{self, overlapping};
use crate::container::packed::{Block, Builder, MAX_BLOCK, stored};
use crate::container::{Container, Pages, Refusal, codecs};
use crate::file::source::ByteSource;
use crate::memory::page::{PAGE, PageRun};
use crate::value::image_format::ImageFormat;
use crate::value::le;
use crate::value::note::{Lost, Note};

/// What a block begins with.
pub(crate) const MAGIC: &[u8] = b"AVML";
const HEADER: u64 = 0x20;
/// How many headers a file may have: a terabyte in blocks of 16 MiB.
const MAX_RANGES: usize = 1 << 16;
/// The most that a chunk becomes, by the format.
const MAX_CHUNK: u64 = 1 << 16;
/// How many pages of a range that is not compressed are looked at as one.
const PLAIN_PAGES: u64 = 16;

/// Whether a file has blocks of AVML: in the first place, or behind ranges of LiME.
pub(crate) fn is_image(head: &[u8], source: &ByteSource) -> bool {
    if !head.starts_with(lime::MAGIC) {
        return head.starts_with(MAGIC);
    }
    let mut at = 0_u64;
    for _ in 0..MAX_RANGES {
        let Ok(header) = array::<0x20>(source, at) else {
            return false;
        };
        let next = range(&header).and_then(|(_, len)| at.checked_add(HEADER)?.checked_add(len));
        match next {
            Some(next) if header.starts_with(lime::MAGIC) => at = next,
            _ => return header.starts_with(MAGIC),
        }
    }
    false
}

/// The first address of a range, and its length.
fn range(header: &[u8; 0x20]) -> Option<(u64, u64)> {
    let (start, end) = (le::u64(header, 8)?, le::u64(header, 0x10)?);
    Some((start, end.checked_sub(start)?.checked_add(1)?))
}

/// Why the walk over chunks ended before the end of its range.
enum Stop {
    Cut(u64),
    Broken(u64),
    Refused(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

/// Reads the headers of all ranges and chunks.
pub(crate) fn read(source: &ByteSource) -> Result<Container, Refusal> {
    let mut builder = Builder::default();
    let mut notes = Vec::new();
    let mut at = 0_u64;
    for number in 0_usize.. {
        if at >= source.len() {
            break;
        }
        if number > MAX_RANGES {
            return Err(Refusal::Bad(format!("more than {MAX_RANGES} ranges")));
        }
        match block(source, at, number, &mut builder) {
            Ok(Some(next)) => at = next,
            Ok(None) => break,
            Err(Stop::Cut(at)) => {
                let cut = Note::new(
                    "range-list-cut",
                    format!("the file ends inside what begins at {at:#x}: the rest of its memory is missing"),
                );
                notes.push(cut.losing(Lost::Cut));
                break;
            }
            Err(Stop::Broken(at)) => {
                notes.push(Note::new(
                    "range-list-broken",
                    format!("at file offset {at:#x} there is no header of a range or chunk: what follows was not read"),
                ));
                break;
            }
            Err(Stop::Refused(refusal)) => return Err(refusal),
        }
    }
    let (blocks, repeated) = builder.build(source.len());
    notes.extend(overlapping(repeated));
    let mut container = Container::new(ImageFormat::Avml, Pages::Packed(Box::new(blocks)));
    container.notes = notes;
    Ok(container)
}

/// Bytes of a header, of which the file may end before the end.
fn header<const N: usize>(source: &ByteSource, at: u64) -> Result<[u8; N], Stop> {
    match array::<N>(source, at) {
        Err(Refusal::Cut { .. }) => Err(Stop::Cut(at)),
        read => Ok(read?),
    }
}

/// Reads the range whose header is at `at`; where the next one is, if this is one.
fn block(source: &ByteSource, at: u64, number: usize, builder: &mut Builder) -> Result<Option<u64>, Stop> {
    let head = header::<0x20>(source, at)?;
    let version = match head.first_chunk::<4>().map_or(&[][..], |magic| magic) {
        magic if magic == lime::MAGIC => 1,
        magic if magic == MAGIC => 2,
        _ if head.iter().all(|&byte| byte == 0) => return Ok(None),
        _ => return Err(Stop::Broken(at)),
    };
    if le::u32(&head, 4) != Some(version) {
        let found = le::u32(&head, 4).unwrap_or_default();
        return Err(Refusal::Bad(format!(
            "range {number} has version {found}, and {version} is known"
        ))
        .into());
    }
    let bad = |what: &str| Stop::Refused(Refusal::Bad(format!("range {number}, at {at:#x}, {what}")));
    let (start, len) = range(&head).ok_or_else(|| bad("ends before it begins"))?;
    let data = at.saturating_add(HEADER);
    if version == 1 {
        plain(start, len, data, source.len(), builder);
        let next = data.checked_add(len).ok_or_else(|| bad("has no end"))?;
        return Ok(Some(next));
    }
    if start % PAGE != 0 || len % PAGE != 0 {
        return Err(bad("begins or ends inside of a page"));
    }
    let end = chunks(source, start, len, data, builder)?;
    // What was counted by who wrote it: else the next header is not where it seems to be.
    let counted = le::u64(&header::<8>(source, end)?, 0);
    match counted == Some(end.saturating_sub(data)) {
        true => Ok(Some(end.saturating_add(8))),
        false => Err(Stop::Broken(end)),
    }
}

/// Adds a range that is not compressed. Of one that leaves the file, no more is taken than the file could have.
fn plain(start: u64, len: u64, data: u64, file_len: u64, builder: &mut Builder) {
    let there = file_len.saturating_sub(data);
    let Some(extent) = Extent::of_bytes(start, len.min(there), data) else {
        return;
    };
    let mut done = 0_u64;
    while done < extent.count {
        let count = extent.count.saturating_sub(done).min(PLAIN_PAGES);
        let bytes = u32::try_from(count.saturating_mul(PAGE)).unwrap_or_default();
        let block = Block {
            offset: extent.offset.saturating_add(done.saturating_mul(PAGE)),
            packed: bytes,
            plain: bytes,
            unpack: stored,
        };
        let base = extent.base.saturating_add(done);
        builder.block(
            block,
            [PageRun {
                base: base.into(),
                count,
            }],
        );
        done = done.saturating_add(count);
    }
}

/// Walks over the chunks that give `len` bytes of memory from `start` on. Where they end.
///
/// Chunks of AVML become 64 KiB. Others may end inside of a page: then as many are one block as give whole pages.
fn chunks(source: &ByteSource, start: u64, len: u64, data: u64, builder: &mut Builder) -> Result<u64, Stop> {
    let mut at = data;
    let mut total = 0_u64;
    // Where the block begins that is not complete, and how many bytes it has.
    let (mut from, mut open) = (at, 0_u64);
    while total < len {
        let (next, plain) = chunk(source, at)?;
        if plain > MAX_CHUNK || plain > len.saturating_sub(total) {
            return Err(Stop::Broken(at));
        }
        if open == 0 {
            from = at;
        }
        open = open.saturating_add(plain);
        total = total.saturating_add(plain);
        at = next;
        if open == 0 || open % PAGE != 0 {
            if open > u64::from(MAX_BLOCK) {
                return Err(Stop::Broken(from));
            }
            continue;
        }
        let (Ok(packed), Ok(bytes)) = (u32::try_from(at.saturating_sub(from)), u32::try_from(open)) else {
            return Err(Stop::Broken(from));
        };
        if bytes > MAX_BLOCK || packed > MAX_BLOCK.saturating_mul(2) {
            return Err(Stop::Broken(from));
        }
        let block = Block {
            offset: from,
            packed,
            plain: bytes,
            unpack: codecs::snappy_frames,
        };
        let base = start.saturating_add(total).saturating_sub(open) / PAGE;
        builder.block(
            block,
            [PageRun {
                base: base.into(),
                count: open / PAGE,
            }],
        );
        if at > source.len() {
            return Err(Stop::Cut(from));
        }
        open = 0;
    }
    Ok(at)
}

/// Where the chunk at `at` ends, and how many bytes it becomes.
fn chunk(source: &ByteSource, at: u64) -> Result<(u64, u64), Stop> {
    let [kind, a, b, c] = header::<4>(source, at)?;
    let len = u64::from(u32::from_le_bytes([a, b, c, 0]));
    let body = at.saturating_add(4);
    let next = body.saturating_add(len);
    let plain = match kind {
        0 => {
            // The length stands before the compressed bytes, seven bits in each byte.
            let mut plain = 0_u64;
            let mut place = body.saturating_add(4);
            for shift in [0_u32, 7, 14] {
                if place >= next {
                    return Err(Stop::Broken(at));
                }
                let [byte] = header::<1>(source, place)?;
                plain |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
                if byte & 0x80 == 0 {
                    return Ok((next, plain));
                }
                place = place.saturating_add(1);
            }
            return Err(Stop::Broken(at));
        }
        1 => len.checked_sub(4).ok_or(Stop::Broken(at))?,
        0x80..=0xff => 0,
        _ => return Err(Stop::Broken(at)),
    };
    Ok((next, plain))
}
