//! The pool blocks that ALPC allocates, by the tag before each of them.
//!
//! A triage dump holds pieces of the pool around what the crashed thread used, and with them objects that no list in
//! the file leads to. Their tags tell that they are there, and what they are; what is freed may keep its tag, so that
//! a count by tag is one of blocks, not of objects in use.

use std::fmt;

use kdump::Gva;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::image::contract::PoolHeader;
use crate::image::kernel::{At, Read, before};
use crate::image::schema::schema_as_text;
use crate::object::blob_kind::BlobKind;

/// A tag that ALPC allocates with.
#[derive(Debug)]
pub struct TagKind {
    /// Its four bytes.
    pub tag: PoolTag,
    /// What a block with it holds, in words.
    pub what: &'static str,
    /// The blob in it; none for what is no blob.
    pub holds: Option<BlobKind>,
}

/// What a block with the tag of ports holds, in words.
pub const PORTS: &str = "ports";

/// The tags: those of the published list of pool tags (`pooltag.txt`), and the bytes that kernels have them as.
pub const TAGS: &[TagKind] = &[
    tag(*b"ALPC", PORTS, None),
    // Up to Windows 7 the tags of objects have the bit that protects them from being freed with another tag.
    // (Inferred from those of processes and threads, Pro\xe3 and Thr\xe5, which Volatility looks for.)
    tag(*b"ALP\xc3", PORTS, None),
    tag(*b"AlMs", "messages", Some(BlobKind::MESSAGE)),
    tag(*b"AlEB", "buffers of messages", None),
    tag(*b"AlCI", "communication infos", Some(BlobKind::CONNECTION_INFO)),
    tag(*b"AlHa", "handle tables", None),
    tag(*b"AlSe", "security contexts", Some(BlobKind::SECURITY_CONTEXT)),
    tag(*b"AlSc", "sections", Some(BlobKind::SECTION)),
    tag(*b"AlRe", "regions", Some(BlobKind::REGION)),
    tag(*b"AlVi", "views", Some(BlobKind::VIEW)),
    tag(*b"AlRr", "reserves", Some(BlobKind::RESERVE)),
];

const fn tag(tag: [u8; 4], what: &'static str, holds: Option<BlobKind>) -> TagKind {
    TagKind {
        tag: PoolTag(tag),
        what,
        holds,
    }
}

/// Bytes of a pool header: two units of the pointer size, and what a block's size counts in.
pub const fn unit(pointer_size: u32) -> u64 {
    if pointer_size == 4 { 8 } else { 16 }
}

/// The tag of a pool block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolTag(pub [u8; 4]);

impl fmt::Display for PoolTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

#[cfg(feature = "serde")]
impl Serialize for PoolTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

schema_as_text!(
    PoolTag,
    "The tag of a pool block, as ALPC or AlMs; bytes that are no letters as \\xNN."
);

/// A pool block, by its header.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Where its header is.
    pub header: Gva,
    /// Its tag.
    pub tag: PoolTag,
    /// Bytes in it, those of the header included.
    pub size: u64,
}

/// The pool block whose contents begin at a structure.
///
/// # Errors
/// When the header is not in the dump.
pub fn block_of(contents: At<'_, '_>) -> Read<Block> {
    let kernel = contents.kernel();
    // What does not fit a page with its header (more than 0xfe0 bytes on x64) has none: such blocks are in
    // PoolBigPageTable. Of what ALPC allocates only buffers of messages grow so large.
    let size = kernel
        .size_of::<PoolHeader>()
        .unwrap_or_else(|_| unit(kernel.pointer_size()));
    block(kernel.at(before(contents.address(), size)))
}

/// The pool block with a header.
///
/// # Errors
/// When the header is not in the dump.
pub fn block(header: At<'_, '_>) -> Read<Block> {
    let tag = header.u32(PoolHeader::PoolTag)?.to_le_bytes();
    // In the segment heap it can be one unit short of what was allocated; MemProcFS allows for that too.
    let units = header.uint(PoolHeader::BlockSize)?;
    Ok(Block {
        header: header.address(),
        tag: PoolTag(tag),
        size: units.saturating_mul(unit(header.kernel().pointer_size())),
    })
}
