//! The ALPC blocks of a triage dump that nothing in it leads to.

use std::collections::BTreeSet;
use std::fmt;

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port;
use ntkernel::image::contract::{Blob, PoolHeader, Port};
use ntkernel::image::kernel::{At, Kernel};
use ntkernel::image::value::Addr;
use ntkernel::object::blob;
use ntkernel::object::pool::{Block, PORTS, PoolTag, TAGS, TagKind, block, unit};

/// Blocks with one tag that are in the dump and that nothing led to.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct NotReached {
    /// The tag.
    pub tag: PoolTag,
    /// What such a block holds.
    pub what: &'static str,
    /// How many there are.
    pub count: u64,
    /// What the first ones hold, as the views of ports, messages and resources take it; where that cannot be determined,
    /// what follows the pool header.
    pub addresses: Vec<Addr>,
}

impl fmt::Display for NotReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.count, self.tag, self.what)
    }
}

/// Blocks of one tag whose addresses are told.
const TOLD: usize = 16;

/// Bytes of the pieces of a triage dump that are searched for tags; a real one has some 100 KiB.
const SEARCHED: u64 = 64 << 20;

/// The ALPC blocks in a triage dump that nothing in `reached` is in, tag by tag; none of a dump of another kind, whose
/// pages are not searched.
///
/// The work is in proportion to the bytes of memory in the file.
#[must_use]
pub fn not_reached(kernel: &Kernel<'_>, reached: &BTreeSet<Gva>) -> Vec<NotReached> {
    let mut found: Vec<NotReached> = Vec::new();
    for block in blocks(kernel) {
        let from = block.header;
        let end = Gva::new(from.u64().saturating_add(block.size));
        if reached.range(from..end).next().is_some() {
            continue;
        }
        let Some(kind) = TAGS.iter().find(|kind| kind.tag == block.tag) else {
            continue;
        };
        let address = kernel.addr(contents(kernel, &block, kind));
        match found.iter_mut().find(|known| known.tag == block.tag) {
            Some(known) => {
                known.count = known.count.saturating_add(1);
                if known.addresses.len() < TOLD {
                    known.addresses.push(address);
                }
            }
            None => found.push(NotReached {
                tag: kind.tag,
                what: kind.what,
                count: 1,
                addresses: vec![address],
            }),
        }
    }
    found
}

/// What a block holds: a blob behind its header, or a port, which ends with the block.
fn contents(kernel: &Kernel<'_>, block: &Block, kind: &TagKind) -> Gva {
    // Blocks are multiples of this, and a pool header takes one unit: a published x86 message at 9c14d020 is the
    // page, 8 bytes of pool header and 18 hex of blob header.
    let unit = unit(kernel.pointer_size());
    let start = block.header.u64().saturating_add(unit);
    let blob = || {
        let body = Gva::new(start.saturating_add(kernel.size_of::<Blob>().ok()?));
        (blob::plausible_kind(kernel, body).ok() == kind.holds).then_some(body)
    };
    let port = || {
        // Before a port stand its object header and as many optional headers as it was made with (name, creator,
        // quota, handles): no fixed distance from the start, so it is found from the end.
        let size = kernel.size_of::<Port>().ok()?.next_multiple_of(unit);
        let body = Gva::new(block.header.u64().saturating_add(block.size).checked_sub(size)?);
        port::kind(kernel.at(body)).is_ok().then_some(body)
    };
    let known = match kind.holds {
        Some(_) => blob(),
        None if kind.what == PORTS => port(),
        None => None,
    };
    known.unwrap_or(Gva::new(start))
}

/// The pool blocks in the pieces of a triage dump that have one of the tags and a header that can be one.
fn blocks(kernel: &Kernel<'_>) -> Vec<Block> {
    let Some(triage) = kernel.dump().triage() else {
        return Vec::new();
    };
    let unit = unit(kernel.pointer_size());
    let mut left = SEARCHED;
    let mut found = Vec::new();
    // A triage dump has pieces of pages: one of 19041 has 1,831, one of ARM64 679. In a real one two ports stood
    // side by side in the page of the crashed thread, by no other reason than that pool had put them there, while
    // that thread and its process were in no list that could be followed.
    for (start, len) in triage.blocks() {
        let len = len.min(left);
        left = left.saturating_sub(len);
        let mut at = start.u64().next_multiple_of(unit);
        let end = start.u64().saturating_add(len);
        while at.checked_add(unit).is_some_and(|next| next <= end) {
            let header = kernel.at(Gva::new(at));
            if let Ok(block) = block(header)
                && is_header(kernel, header, &block)
            {
                found.push(block);
            }
            at = at.saturating_add(unit);
        }
    }
    found
}

/// Whether a header can be one: a tag of ours, and a block that ends in its page.
fn is_header(kernel: &Kernel<'_>, header: At<'_, '_>, block: &Block) -> bool {
    const PAGE: u64 = 0x1000;
    // A block of the pool's pages ends where its page ends. Larger allocations are whole pages and have no header
    // before them at all (Windows Internals), so nothing of them is found here.
    let offset = block.header.u64() % PAGE;
    let is_ours = TAGS.iter().any(|kind| kind.tag == block.tag);
    is_ours
        && kernel.is_kernel_address(block.header)
        && block.size > unit(kernel.pointer_size())
        && offset.saturating_add(block.size) <= PAGE
        // Any type, 0 included: the pool of before Windows 10 1809 leaves tag and header of a freed block as they
        // are but for the type. The segment heap that follows lays its free header over the tag of a freed block of
        // variable size (_HEAP_VS_CHUNK_FREE_HEADER in the symbols), so that such is not found by its tag at all.
        && header.uint(PoolHeader::PoolType).is_ok()
}
