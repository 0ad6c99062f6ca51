//! Secondary data: what drivers and the system added to the dump behind its memory, each piece under a GUID of its
//! own (what `.enumtag` of the debugger lists). What is in them is known to who wrote them.

use std::io;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::dump::Dump;
use crate::dump::contents::Contents;
use crate::file::source::ByteSource;
use crate::memory::page::FileOffset;
use crate::value::le;

/// `DUMP_BLOB_FILE_HEADER`: two signatures, its own length, a build number.
const FILE_HEADER: usize = 0x10;
/// `DUMP_BLOB_HEADER`: its own length, the GUID, and three lengths: of the data, of padding before and behind it.
const BLOB_HEADER: usize = 0x20;
/// The most pieces that are listed. Real dumps have some 40.
const MAX_BLOBS: usize = 4096;

/// One piece of secondary data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct SecondaryBlob {
    /// Whose it is: a GUID in lower case, without braces.
    pub guid: String,
    /// Where its data begins in the file.
    pub offset: FileOffset,
    /// Length of its data in bytes.
    pub size: u64,
    /// How many of these the file holds.
    pub present: u64,
}

/// Why a list of pieces ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum SecondaryEnd {
    /// With the file, or with zeros.
    Complete,
    /// The file ends inside of a piece.
    FileCut,
    /// What follows is no header of a piece.
    NotABlob,
    /// There may be more: so many are not listed.
    TooMany,
}

/// The secondary data of a dump, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct SecondaryData {
    /// The pieces.
    pub blobs: Vec<SecondaryBlob>,
    /// Why there are no more.
    pub ended: SecondaryEnd,
    /// What the file holds behind them.
    pub behind: Option<Trailing>,
}

/// Bytes at the end of a file that belong to nothing that is known of dumps. Writers of recent Windows leave up to
/// 1.7 MB of zeros there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Trailing {
    /// Where they begin in the file.
    pub offset: FileOffset,
    /// How many they are.
    pub bytes: u64,
    /// Whether all of them are zero; none where they are too many to look at.
    pub zeros: Option<bool>,
}

/// The most trailing bytes that are looked at.
const MOST_LOOKED_AT: u64 = 16 << 20;

/// What the file holds from `start` on.
fn trailing(source: &ByteSource, start: u64) -> io::Result<Option<Trailing>> {
    let bytes = source.len().saturating_sub(start);
    if bytes == 0 {
        return Ok(None);
    }
    let zeros = match bytes {
        ..=MOST_LOOKED_AT => Some(is_zero(source, start, bytes)?),
        _ => None,
    };
    let offset = FileOffset(start);
    Ok(Some(Trailing { offset, bytes, zeros }))
}

fn is_zero(source: &ByteSource, start: u64, bytes: u64) -> io::Result<bool> {
    const STEP: usize = 1 << 16;
    let mut buffer = vec![0; STEP];
    for at in (0..bytes).step_by(STEP) {
        let len = usize::try_from(bytes.saturating_sub(at))
            .unwrap_or(STEP)
            .min(STEP);
        let Some(piece) = buffer.get_mut(..len) else {
            return Ok(false);
        };
        if !read(source, start.saturating_add(at), piece)? || piece.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What the file of a dump without secondary data holds behind its memory; `None` when it ends there, is cut off
/// before, or where its memory ends is not known.
///
/// # Errors
/// What the system says when it fails to read the file.
pub fn behind_memory(dump: &Dump) -> io::Result<Option<Trailing>> {
    match end(dump) {
        Some(end) if first_blob(dump.source(), end)?.is_none() => trailing(dump.source(), end),
        _ => Ok(None),
    }
}

/// Where a dump's memory ends in its file.
fn end(dump: &Dump) -> Option<u64> {
    match dump.contents() {
        // No field says where the secondary data begins: it is what follows the last page, or SizeOfDump of a
        // triage dump.
        Contents::Pages(index) => Some(index.end()),
        Contents::Pieces(triage) => Some(triage.end()),
        Contents::Image(_) | Contents::HeaderOnly => None,
    }
}

/// The secondary data behind a dump's memory; `None` when it has none, or where its memory ends is not known.
///
/// # Errors
/// What the system says when it fails to read the file.
pub fn secondary_data(dump: &Dump) -> io::Result<Option<SecondaryData>> {
    let source = dump.source();
    let Some(start) = end(dump) else {
        return Ok(None);
    };
    match first_blob(source, start)? {
        Some(first) => blobs(source, first).map(Some),
        None => Ok(None),
    }
}

/// Where the first piece begins, if there is a header of secondary data at `start`.
fn first_blob(source: &ByteSource, start: u64) -> io::Result<Option<u64>> {
    let mut header = [0; FILE_HEADER];
    if !read(source, start, &mut header)? || !header.starts_with(b"DumpBlob") {
        return Ok(None);
    }
    // HeaderSize, 10 hex where it is known; the build of the writer follows it.
    let len = le::u32(&header, 8).unwrap_or_default();
    Ok(Some(start.saturating_add(len.into())))
}

fn blobs(source: &ByteSource, first: u64) -> io::Result<SecondaryData> {
    let mut blobs = Vec::new();
    let mut at = first;
    let ended = loop {
        // The padding behind the last piece may be cut off without harm, its data not.
        let whole = blobs
            .last()
            .is_none_or(|blob: &SecondaryBlob| blob.present == blob.size);
        if at >= source.len() {
            break if whole {
                SecondaryEnd::Complete
            } else {
                SecondaryEnd::FileCut
            };
        }
        if blobs.len() == MAX_BLOBS {
            break SecondaryEnd::TooMany;
        }
        let mut header = [0; BLOB_HEADER];
        if !read(source, at, &mut header)? {
            break SecondaryEnd::FileCut;
        }
        // Not the end of the file: Windows 11 24H2 leaves up to 1.7 MB of zeros behind the last piece.
        if header == [0; BLOB_HEADER] {
            break SecondaryEnd::Complete;
        }
        let field = |offset| u64::from(le::u32(&header, offset).unwrap_or_default());
        if field(0) != BLOB_HEADER as u64 {
            break SecondaryEnd::NotABlob;
        }
        // Pieces are aligned to 8 bytes by paddings whose lengths they state (PrePadSize, PostPadSize).
        let (size, before, behind) = (field(0x14), field(0x18), field(0x1c));
        let offset = at.saturating_add(BLOB_HEADER as u64).saturating_add(before);
        blobs.push(SecondaryBlob {
            guid: guid(&header),
            offset: FileOffset(offset),
            size,
            present: source.len().saturating_sub(offset).min(size),
        });
        at = offset.saturating_add(size).saturating_add(behind);
    };
    let behind = trailing(source, at)?;
    Ok(SecondaryData { blobs, ended, behind })
}

/// Whether all of the bytes were in the file.
fn read(source: &ByteSource, at: u64, bytes: &mut [u8]) -> io::Result<bool> {
    match source.read_exact_at(at, bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The GUID in a piece's header: three little-endian numbers, then eight bytes.
fn guid(header: &[u8; BLOB_HEADER]) -> String {
    // The first three groups of a GUID are numbers in the byte order of the machine, the rest are bytes
    // (MS-DTYP, "GUID").
    let (first, second, third) = (le::u32(header, 4), le::u16(header, 8), le::u16(header, 10));
    let rest = u64::from_be_bytes(le::array(header, 12).unwrap_or_default());
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        first.unwrap_or_default(),
        second.unwrap_or_default(),
        third.unwrap_or_default(),
        rest >> 48,
        rest & 0xffff_ffff_ffff
    )
}
