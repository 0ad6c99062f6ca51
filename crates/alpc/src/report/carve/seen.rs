//! The bytes of something that was found, read once: those of it and those before it, as far as they are in the file.

use kdump::{Gpa, Gva};
use ntkernel::image::contract::Member;
use ntkernel::image::kernel::{Kernel, before};
use ntkernel::object::pool::PoolTag;

use crate::report::carve::shape::{Pointers, number};

/// Bytes before a thing that can be headers of it: of the pool, of objects, of blobs.
const HEADERS: usize = 0x100;

/// The least that is read of them.
const WORD: usize = 8;

/// Something that looks like a structure of the system.
pub(crate) struct Seen<'k, 'd> {
    pub(crate) kernel: &'k Kernel<'d>,
    pub(crate) pointers: Pointers,
    /// Where the system sees it; none where no page table maps it.
    pub(crate) at: Option<Gva>,
    /// Bytes up to the thing, those nearest to it; the last of them is the byte before it.
    before: Vec<u8>,
    /// Bytes of it.
    body: Vec<u8>,
}

impl<'k, 'd> Seen<'k, 'd> {
    /// What is at an address.
    pub(crate) fn at(kernel: &'k Kernel<'d>, at: Gva, len: usize) -> Self {
        let mut body = vec![0; len];
        let read = kernel.cursor().read_partial(at, &mut body).read;
        body.truncate(read);
        // A triage dump can have some of them, as can a dump whose page before is missing.
        let headers = (1..=HEADERS / WORD).rev().find_map(|words| {
            let mut bytes = vec![0; words.saturating_mul(WORD)];
            let from = before(at, bytes.len() as u64);
            kernel.cursor().read(from, &mut bytes).ok()?;
            Some(bytes)
        });
        Self {
            kernel,
            pointers: Pointers::of(kernel),
            at: Some(at),
            before: headers.unwrap_or_default(),
            body,
        }
    }

    /// What is at a place of memory that no page table maps, as far as its page goes.
    pub(crate) fn at_physical(kernel: &'k Kernel<'d>, at: Gpa, len: usize) -> Self {
        let own = usize::try_from(at.u64() & 0xfff).unwrap_or_default();
        let dump = kernel.dump();
        let piece = |from: u64, len: usize| {
            dump.physical_bytes(Gpa::new(from), len)
                .map(std::borrow::Cow::into_owned)
                .unwrap_or_default()
        };
        let headers = own.min(HEADERS);
        Self {
            kernel,
            pointers: Pointers::of(kernel),
            at: None,
            before: piece(at.u64().wrapping_sub(headers as u64), headers),
            body: piece(at.u64(), len.min(0x1000_usize.saturating_sub(own))),
        }
    }

    /// A member of it; none where it is not in the file, or the symbols do not have it.
    pub(crate) fn uint<M: Member>(&self, member: M) -> Option<u64> {
        self.inner(0, member)
    }

    /// A member of a structure that begins `at` bytes into it.
    pub(crate) fn inner<M: Member>(&self, at: u64, member: M) -> Option<u64> {
        self.member(i64::try_from(at).ok()?, member)
    }

    /// A member of a structure that ends where it begins.
    pub(crate) fn outer<M: Member>(&self, size: u64, member: M) -> Option<u64> {
        self.member(i64::try_from(size).ok()?.checked_neg()?, member)
    }

    fn member<M: Member>(&self, at: i64, member: M) -> Option<u64> {
        let field = self.kernel.field(member).ok()?;
        let raw = self.number(at.checked_add(field.offset.into())?, field.size)?;
        Some(field.bits.map_or(raw, |bits| {
            let mask = u64::MAX
                .checked_shr(64_u32.saturating_sub(bits.length.into()))
                .unwrap_or(0);
            raw.checked_shr(bits.position.into()).unwrap_or(0) & mask
        }))
    }

    /// A number at a place, before the thing where that is negative.
    fn number(&self, at: i64, width: u32) -> Option<u64> {
        let width = usize::try_from(width).ok()?;
        match usize::try_from(at) {
            Ok(at) => number(&self.body, at, width),
            Err(_) => {
                let back = usize::try_from(at.unsigned_abs()).ok()?;
                number(&self.before, self.before.len().checked_sub(back)?, width)
            }
        }
    }

    /// Where a member is in it.
    pub(crate) fn offset<M: Member>(&self, member: M) -> Option<u64> {
        self.kernel.offset(member).ok()
    }

    /// Whether a member is null, or a pointer to something of the system's.
    pub(crate) fn leads_on<M: Member>(&self, member: M) -> Option<bool> {
        let pointer = self.uint(member)?;
        Some(pointer == 0 || self.pointers.is_system(pointer))
    }

    /// The two links of a list in it.
    pub(crate) fn links<M: Member>(&self, member: M) -> Option<[u64; 2]> {
        self.two_pointers(i64::try_from(self.offset(member)?).ok()?)
    }

    /// The two links of a list that begins so far before it.
    pub(crate) fn links_before(&self, back: u64) -> Option<[u64; 2]> {
        self.two_pointers(i64::try_from(back).ok()?.checked_neg()?)
    }

    fn two_pointers(&self, at: i64) -> Option<[u64; 2]> {
        let width = self.kernel.pointer_size();
        Some([
            self.number(at, width)?,
            self.number(at.checked_add(width.into())?, width)?,
        ])
    }

    /// Whether both links of a list are pointers of the system.
    pub(crate) fn is_linked<M: Member>(&self, member: M) -> Option<bool> {
        Some(
            self.links(member)?
                .into_iter()
                .all(|link| self.pointers.is_system(link)),
        )
    }

    /// Whether a list is empty: both links lead to its head. Where the head's own address is not known, they are the same
    /// and lead to its place in a page.
    pub(crate) fn is_empty<M: Member>(&self, member: M, inside: u64) -> Option<bool> {
        let [next, previous] = self.links(member)?;
        if next != previous {
            return Some(false);
        }
        let head = self.offset(member)?;
        Some(match self.at {
            Some(at) => next == at.u64().wrapping_add(head),
            None => next & 0xfff == inside.wrapping_add(head) & 0xfff,
        })
    }

    /// A text of single bytes that ends with NUL.
    pub(crate) fn bytes<M: Member>(&self, member: M, len: usize) -> Option<&[u8]> {
        let at = usize::try_from(self.offset(member)?).ok()?;
        self.body.get(at..at.checked_add(len)?)
    }

    /// The tag, the size in bytes and the type of a pool block whose header is so far before it.
    pub(crate) fn pool_header(&self, back: u64) -> Option<(PoolTag, u64, u64)> {
        use ntkernel::image::contract::PoolHeader;
        let unit = ntkernel::object::pool::unit(self.kernel.pointer_size());
        let tag = self.outer(back, PoolHeader::PoolTag)?;
        let tag = u32::try_from(tag).ok()?.to_le_bytes();
        let size = self.outer(back, PoolHeader::BlockSize)?;
        let kind = self.outer(back, PoolHeader::PoolType).unwrap_or(1);
        Some((PoolTag(tag), size.saturating_mul(unit), kind))
    }
}
