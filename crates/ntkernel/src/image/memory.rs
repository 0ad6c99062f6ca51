//! Memory as it is, and where it is: each page's part by itself, and what is not there with its reason.

use kdump::{AddressSpace, Gone, Gva};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::kernel::Read;
use crate::image::source::{Bytes, PieceRecord, bytes, piece_record};
use crate::image::value::{Addr, Unreadable, Value};

/// Most bytes that are shown at once.
pub const MOST: u64 = 0x1_0000;

/// Bytes of virtual memory.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct MemoryRecord {
    /// Where they begin.
    pub address: Addr,
    /// How many were asked for.
    pub length: u64,
    /// Their parts, without a gap between them: each is in one page, and there or not as a whole.
    pub pieces: Vec<MemoryPiece>,
}

/// A part of them that is in one page.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct MemoryPiece {
    /// Where it is.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub place: PieceRecord,
    /// The bytes in memory order, in hex.
    pub bytes: Value<Bytes>,
}

/// `length` bytes from `start` on, at most [`MOST`].
///
/// # Errors
/// Bytes that would go on past the last address.
pub fn memory(space: &AddressSpace<'_>, start: Gva, length: u64) -> Read<MemoryRecord> {
    let length = length.min(MOST);
    let mut pieces = Vec::new();
    let mut done = 0_u64;
    while done < length {
        let left = length.saturating_sub(done);
        let Some(at) = start.u64().checked_add(done).map(Gva::new) else {
            return Err(Unreadable::from(kdump::ReadError::Wraps {
                gva: space.addr(start),
                len: usize::try_from(length).unwrap_or(usize::MAX),
            }));
        };
        let found = space.whereabouts(at, usize::try_from(left).unwrap_or(usize::MAX));
        for piece in &found.pieces {
            done = done.saturating_add(piece.len);
            pieces.push(MemoryPiece {
                place: piece_record(|gva| space.addr(gva), piece),
                bytes: bytes(space, piece.gva, piece.len).into(),
            });
        }
        if let Some(gone) = found.gone.filter(|_| done < length) {
            let size = gap(space, &gone, length.saturating_sub(done));
            done = done.saturating_add(size);
            pieces.push(MemoryPiece {
                place: PieceRecord {
                    address: space.addr(gone.gva),
                    physical: gone.gpa.map(|gpa| gpa.u64()),
                    file: None,
                    size,
                },
                bytes: Value::Missing(Box::new(gone.reason.into())),
            });
        }
    }
    Ok(MemoryRecord {
        address: space.addr(start),
        length,
        pieces,
    })
}

/// How many of `left` bytes are not there: to the end of the page, or to where a piece of a triage dump, which begins
/// anywhere, goes on.
fn gap(space: &AddressSpace<'_>, gone: &Gone, left: u64) -> u64 {
    let in_page = 0x1000_u64.saturating_sub(gone.gva.u64() & 0xfff).min(left);
    (1..in_page)
        .find(|&skip| {
            let at = Gva::new(gone.gva.u64().saturating_add(skip));
            space.whereabouts(at, 1).gone.is_none()
        })
        .unwrap_or(in_page)
}
