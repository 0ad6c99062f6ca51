//! The allocations that ALPC calls blobs: everything it has but ports.

use std::fmt;

use kdump::Gva;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::contract::{Blob, ListEntry, Type};
use crate::kernel::{At, Kernel, Read, before};
use crate::pool;
use crate::schema::schema_as_text;
use crate::value::Hole;

/// What a blob holds: `_BLOB.ResourceId`, numbered by the kernel's `_BLOB_ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobKind(pub u8);

impl BlobKind {
    /// Ties the ports of a connection together.
    pub const CONNECTION_INFO: Self = Self(1);
    /// A message.
    pub const MESSAGE: Self = Self(2);
    /// A security context.
    pub const SECURITY_CONTEXT: Self = Self(3);
    /// A shared-memory section.
    pub const SECTION: Self = Self(4);
    /// A region of a section.
    pub const REGION: Self = Self(5);
    /// A view of a region.
    pub const VIEW: Self = Self(6);
    /// A reserved message.
    pub const RESERVE: Self = Self(7);
    /// A direct transfer.
    pub const DIRECT_TRANSFER: Self = Self(8);
    /// A handle on its way.
    pub const HANDLE_DATA: Self = Self(9);

    /// Name of the structure that the blob holds; none for an id without one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::CONNECTION_INFO => "ALPC_COMMUNICATION_INFO",
            Self::MESSAGE => "KALPC_MESSAGE",
            Self::SECURITY_CONTEXT => "KALPC_SECURITY_DATA",
            Self::SECTION => "KALPC_SECTION",
            Self::REGION => "KALPC_REGION",
            Self::VIEW => "KALPC_VIEW",
            Self::RESERVE => "KALPC_RESERVE",
            Self::DIRECT_TRANSFER => "KALPC_DIRECT_TRANSFER",
            Self::HANDLE_DATA => "KALPC_HANDLE_DATA",
            _ => return None,
        })
    }
}

impl fmt::Display for BlobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:02X}", self.0),
        }
    }
}

impl Serialize for BlobKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

schema_as_text!(
    BlobKind,
    "The structure that a blob holds, as KALPC_SECTION; 0xNN for a number without one."
);

/// The header of the blob whose body is at `body`: it stands immediately before it.
///
/// # Errors
/// When the symbols lack the type.
pub fn header<'k, 'd>(kernel: &'k Kernel<'d>, body: Gva) -> Read<At<'k, 'd>> {
    Ok(kernel.at(before(body, kernel.size_of(Type::Blob)?)))
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
const DELETED: u64 = 8;

/// Bits that `_BLOB.Flags` can have.
const FLAGS: u64 = 0x10;

/// References of a live blob: less than half of what the member holds.
const REFERENCES: std::ops::Range<u64> = 1..1 << 31;

/// What a blob's header says of one that is not in use any more. What it held can still be read, until the memory
/// is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
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
/// [`Hole::Implausible`] when there is no such header, else why it cannot be read.
pub fn plausible_kind(kernel: &Kernel<'_>, body: Gva) -> Read<BlobKind> {
    let header = header(kernel, body)?;
    let kind = kind(kernel, body)?;
    let flags = header.uint(Blob::Flags)?;
    let is_blob = match header.uint(Blob::ReferenceCount) {
        Ok(0) => is_freed_blob(header, kind),
        Ok(count) => REFERENCES.contains(&count),
        Err(_) => true,
    };
    if kind.name().is_some() && flags < FLAGS && is_blob {
        return Ok(kind);
    }
    let at = kernel.addr(body);
    Err(Hole::Implausible(format!("no blob header is before {at}")))
}

/// Whether something without references is a blob of that kind. The header of a freed pool block can be overwritten,
/// with its tag: then the links decide.
fn is_freed_blob(header: At<'_, '_>, kind: BlobKind) -> bool {
    let tagged = pool::block_of(header).ok().and_then(|block| {
        let mut tags = pool::TAGS.iter();
        tags.find(|tag| tag.tag == block.tag)
    });
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
