//! The caches of a walk: virtual pages already found, and where they are in the file; and the bytes of those that it reads more
//! than once.

use std::cell::{Cell, RefCell};
use std::fmt;

/// Entries to begin with, and the most. Both are powers of two.
const FIRST: usize = 64;
const MOST: usize = 4096;
/// How many times its number of entries a cache may miss before it grows.
const PATIENCE: usize = 2;
const GROWTH: usize = 8;

/// A direct-mapped cache of 4 KiB pages. It is empty until something is remembered, begins with 1 KiB and grows
/// with the walk to 64 KiB.
#[derive(Default)]
pub(crate) struct PageCache {
    table: Cell<Table>,
}

#[derive(Default)]
struct Table {
    entries: Box<[Entry]>,
    misses: usize,
}

/// `tag` is the virtual page number plus one, so that zero is an empty entry.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    tag: u64,
    offset: u64,
}

impl PageCache {
    /// Where the page is in the file, if it is remembered. `page` is the address shifted right by 12.
    pub(crate) fn get(&self, page: u64) -> Option<u64> {
        self.with(|table| {
            let entry = table.entries.get(table.slot(page)?)?;
            (entry.tag == page.wrapping_add(1)).then_some(entry.offset)
        })
    }

    /// Remembers where a page is in the file.
    pub(crate) fn put(&self, page: u64, offset: u64) {
        self.with(|table| {
            table.misses = table.misses.saturating_add(1);
            if table.misses > table.entries.len().saturating_mul(PATIENCE) && table.entries.len() < MOST {
                table.grow();
            }
            if let Some(slot) = table.slot(page)
                && let Some(entry) = table.entries.get_mut(slot)
            {
                *entry = Entry {
                    tag: page.wrapping_add(1),
                    offset,
                };
            }
        });
    }

    fn with<T>(&self, action: impl FnOnce(&mut Table) -> T) -> T {
        let mut table = self.table.take();
        let result = action(&mut table);
        self.table.set(table);
        result
    }
}

impl Table {
    fn slot(&self, page: u64) -> Option<usize> {
        let mask = (self.entries.len() as u64).checked_sub(1)?;
        usize::try_from(page & mask).ok()
    }

    /// Forgets everything: a walk that has missed so often remembers again soon.
    fn grow(&mut self) {
        let len = self.entries.len().saturating_mul(GROWTH).clamp(FIRST, MOST);
        *self = Table {
            entries: vec![Entry::default(); len].into(),
            misses: 0,
        };
    }
}

/// Pages whose bytes are kept: 256 KiB, which processors hold beside what a walk works on.
const KEPT: usize = 64;

/// The bytes of pages that a walk reads again and again: a structure is some dozens of members, and each would be a search for
/// its page, a check of what the page holds and a copy of a few bytes. A page is kept from the second read on, so that one that is
/// only passed costs no copy of all of it. Empty until then.
#[derive(Default)]
pub(crate) struct KeptPages {
    slots: RefCell<Vec<Slot>>,
    /// The page that was read last, plus one.
    last: Cell<u64>,
}

/// `tag` is the virtual page number plus one, so that zero is an empty slot.
struct Slot {
    tag: u64,
    bytes: Box<[u8; 0x1000]>,
}

impl KeptPages {
    /// Bytes of a page that is kept.
    pub(crate) fn bytes<const N: usize>(&self, page: u64, skip: usize) -> Option<[u8; N]> {
        let slots = self.slots.borrow();
        let slot = slots.get(slot_of(page))?;
        if slot.tag != page.wrapping_add(1) {
            return None;
        }
        slot.bytes.get(skip..skip.checked_add(N)?)?.try_into().ok()
    }

    /// Whether the page is read a second time in a row, and so worth to be kept.
    pub(crate) fn is_read_again(&self, page: u64) -> bool {
        let tag = page.wrapping_add(1);
        self.last.replace(tag) == tag
    }

    /// Keeps the bytes of a page that `read` gives.
    pub(crate) fn keep(&self, page: u64, read: impl FnOnce(&mut [u8; 0x1000]) -> bool) {
        let mut slots = self.slots.borrow_mut();
        if slots.is_empty() {
            slots.resize_with(KEPT, || Slot {
                tag: 0,
                bytes: Box::new([0; 0x1000]),
            });
        }
        if let Some(slot) = slots.get_mut(slot_of(page)) {
            slot.tag = 0;
            if read(&mut slot.bytes) {
                slot.tag = page.wrapping_add(1);
            }
        }
    }
}

fn slot_of(page: u64) -> usize {
    usize::try_from(page & (KEPT as u64).wrapping_sub(1)).unwrap_or_default()
}

impl fmt::Debug for KeptPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptPages").finish_non_exhaustive()
    }
}

impl fmt::Debug for PageCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageCache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_pages_and_never_takes_one_for_another() {
        let cache = PageCache::default();
        assert_eq!(cache.get(0), None);
        for page in (0..20_000u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12) {
            cache.put(page, page << 3);
            assert_eq!(cache.get(page), Some(page << 3));
            assert_eq!(cache.get(page ^ (1 << 40)), None);
        }
        assert_eq!(cache.table.take().entries.len(), MOST);
    }

    /// A page is kept when it is read again, gives its own bytes, and gives way to another of the same slot.
    #[test]
    fn keeps_pages_that_are_read_again() {
        let kept = KeptPages::default();
        let fill = |page: u64| {
            move |bytes: &mut [u8; 0x1000]| {
                bytes.fill(page.to_le_bytes()[0]);
                true
            }
        };
        assert!(!kept.is_read_again(7) && kept.is_read_again(7) && !kept.is_read_again(8));
        assert!(!kept.is_read_again(7));
        for page in 0..200_u64 {
            assert_eq!(kept.bytes::<4>(page, 0), None, "{page}");
            kept.keep(page, fill(page));
            assert_eq!(
                kept.bytes(page, 0xffc),
                Some([page.to_le_bytes()[0]; 4]),
                "{page}"
            );
            assert_eq!(kept.bytes::<4>(page ^ (1 << 40), 0), None);
        }
        assert_eq!(
            kept.bytes::<8>(199, 0xff9),
            None,
            "it would go on in the next page"
        );
        // One that cannot be read is not kept, and takes nothing of another's with it.
        kept.keep(3, |bytes| {
            bytes.fill(9);
            false
        });
        assert_eq!(kept.bytes::<1>(3, 0), None);
    }
}
