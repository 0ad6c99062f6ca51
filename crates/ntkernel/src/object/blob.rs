//! The allocations that ALPC calls blobs: everything it has but ports.

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::contract::{Blob, ListEntry};
use crate::image::kernel::{At, Kernel, Read, before};
use crate::image::value::Unreadable;
pub use crate::object::blob_kind::BlobKind;
use crate::object::pool;
use crate::why;

/// The header of the blob whose body is at `body`: it stands immediately before it.
///
/// # Errors
/// When the symbols lack the type.
pub fn header<'k, 'd>(kernel: &'k Kernel<'d>, body: Gva) -> Read<At<'k, 'd>> {
    // All pointers of ALPC lead to the body; `!pool` of one shows an allocation that begins before it. On x86 a
    // published message at 9c14d020 stands 20 bytes into its page: 8 of the pool's header and 18 of the blob's.
    Ok(kernel.at(before(body, kernel.size_of::<Blob>()?)))
}

/// What the blob at `body` holds, by its header.
///
/// # Errors
/// When the header is not in the dump.
#[allow(clippy::cast_possible_truncation, reason = "the member has one byte")]
pub fn kind(kernel: &Kernel<'_>, body: Gva) -> Read<BlobKind> {
    Ok(BlobKind(header(kernel, body)?.uint(Blob::ResourceId)? as u8))
}

/// The bit of `_BLOB.Flags` of a blob that was deleted.
pub const DELETED: u64 = 8;

/// Bits that `_BLOB.Flags` can have.
const FLAGS: u64 = 0x10;

/// References of a live blob: less than half of what the member holds.
const REFERENCES: std::ops::Range<u64> = 1..1 << 31;

/// What a blob's header says of one that is not in use any more. What it held can still be read, until the memory
/// is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Freed {
    /// It has no references, and was deleted.
    Deleted,
    /// It has no references: it is freed, or about to be.
    NoReferences,
    /// It was deleted, and somebody still holds references.
    DeletedWhileReferenced,
}

impl Freed {
    /// The state in words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Deleted => "no references, Deleted is set",
            Self::NoReferences => "no references, Deleted is not set: freed or being freed",
            Self::DeletedWhileReferenced => "Deleted is set, references are still held",
        }
    }
}

/// Whether the blob at `body` is not in use any more; none for one that is.
///
/// # Errors
/// When the header is not in the dump.
pub fn freed(kernel: &Kernel<'_>, body: Gva) -> Read<Option<Freed>> {
    let header = header(kernel, body)?;
    let deleted = header.uint(Blob::Flags)? & DELETED != 0;
    Ok(match (header.uint(Blob::ReferenceCount)?, deleted) {
        (0, true) => Some(Freed::Deleted),
        (0, false) => Some(Freed::NoReferences),
        (_, true) => Some(Freed::DeletedWhileReferenced),
        (_, false) => None,
    })
}

/// What the blob at `body` holds, when the whole header before it can be that of a blob: a kind that has a name, no
/// more than the four flags, and references that are held. One without references is a freed one only where more than
/// small numbers says that it is a blob at all: the tag of its allocation, else its links.
///
/// # Errors
/// [`Unreadable::Implausible`] when there is no such header, else why it cannot be read.
pub fn plausible_kind(kernel: &Kernel<'_>, body: Gva) -> Read<BlobKind> {
    let header = header(kernel, body)?;
    let kind = kind(kernel, body)?;
    let flags = header.uint(Blob::Flags)?;
    let is_blob = match header.uint(Blob::ReferenceCount) {
        Ok(0) => is_freed_blob(header, kind),
        // Kinds with a cache of references (flag 1) count 0x10000 for all that CachedReferences has in store,
        // so that a large number is no damage (from published reverse engineering of Windows 10 kernels).
        Ok(count) => REFERENCES.contains(&count),
        Err(_) => true,
    };
    if kind.name().is_some() && flags < FLAGS && is_blob {
        return Ok(kind);
    }
    let at = kernel.addr(body);
    Err(Unreadable::Implausible(why!("no blob header is before {}", at)))
}

/// Whether something without references is a blob of that kind. The header of a freed pool block can be overwritten,
/// with its tag: then the links decide.
fn is_freed_blob(header: At<'_, '_>, kind: BlobKind) -> bool {
    let tagged = pool::block_of(header).ok().and_then(|block| {
        let mut tags = pool::TAGS.iter();
        tags.find(|tag| tag.tag == block.tag)
    });
    // In the segment heap (from 17763 on in part, 18362 on throughout) the header of a free block is 0x20 bytes
    // long and lies over the `_POOL_HEADER`: no tag is left, while what begins behind it stays
    // (`_HEAP_VS_CHUNK_FREE_HEADER` in the symbols of 19041). In the older pool the tag stays.
    if let Some(tag) = tagged {
        return tag.holds == Some(kind);
    }
    let kernel = header.kernel();
    let links = header
        .embedded(Blob::ResourceList)
        .and_then(|entry| Ok([entry.pointer(ListEntry::Flink)?, entry.pointer(ListEntry::Blink)?]));
    links.is_ok_and(|links| links.into_iter().all(|link| kernel.is_kernel_address(link)))
}

/// Whether the allocation that the blob at `body` would stand in has the tag of its kind: then nothing else is there.
#[must_use]
pub fn is_tagged(kernel: &Kernel<'_>, body: Gva) -> bool {
    let tagged = || -> Read<bool> {
        let kind = kind(kernel, body)?;
        let block = pool::block_of(header(kernel, body)?)?;
        Ok(pool::TAGS
            .iter()
            .any(|tag| tag.tag == block.tag && tag.holds == Some(kind)))
    };
    tagged().unwrap_or(false)
}
