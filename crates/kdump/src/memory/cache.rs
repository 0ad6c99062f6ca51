//! The translation cache of a walk: virtual pages already found, and where they are in the file.

use std::cell::Cell;
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
}
