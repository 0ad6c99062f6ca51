//! Frames that lie in a file as they are: runs of them, each with its place.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::memory::page::{PAGE, PageRun};
use crate::value::address::Pfn;

/// Frames that follow each other in memory and in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first frame.
    pub(crate) base: u64,
    /// How many, at least one.
    pub(crate) count: u64,
    /// Where the first of them begins in the file, in bytes. Nothing promises that it is aligned.
    pub(crate) offset: u64,
}

impl Extent {
    /// The whole frames among the bytes of memory from `start` on that the file has at `offset`. Of a page that begins
    /// or ends within, nothing is taken.
    pub(crate) fn of_bytes(start: u64, len: u64, offset: u64) -> Option<Extent> {
        let skip = start.wrapping_neg() & (PAGE - 1);
        let count = len.checked_sub(skip)? / PAGE;
        (count != 0).then_some(Extent {
            base: start.checked_add(skip)? / PAGE,
            count,
            offset: offset.checked_add(skip)?,
        })
    }

    fn end(self) -> u64 {
        self.base.saturating_add(self.count)
    }

    /// What of it is in `from..to`.
    fn part(self, from: u64, to: u64) -> Option<Extent> {
        let (base, end) = (self.base.max(from), self.end().min(to));
        let count = end.checked_sub(base).filter(|&count| count != 0)?;
        Some(Extent {
            base,
            count,
            offset: self
                .offset
                .saturating_add(base.saturating_sub(self.base).saturating_mul(PAGE)),
        })
    }
}

/// Runs of frames in ascending order, none of which overlaps another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extents {
    runs: Vec<Extent>,
}

impl Extents {
    /// Puts runs in order. Of runs that overlap the first one given has the frame; how many frames were given more
    /// than once is the second result.
    ///
    /// QEMU's cores with paging (`-p`) list a page once for each address that maps it, and VirtualBox lists the memory
    /// of devices beside the machine's.
    pub(crate) fn new(given: impl IntoIterator<Item = Extent>) -> (Extents, u64) {
        // In the order of their frames, so that each costs a few steps, however a hostile file overlaps them.
        let mut given: Vec<(usize, Extent)> = given.into_iter().enumerate().collect();
        given.sort_unstable_by_key(|(_, run)| run.base);
        let claimed = given.iter().fold(0_u64, |sum, (_, run)| {
            sum.saturating_add(run.end().saturating_sub(run.base))
        });
        let mut extents = Extents::default();
        let mut next = given.into_iter().peekable();
        // Runs that have begun, the first one given on top. Those that have ended go when they get there.
        let mut open = BinaryHeap::new();
        let mut at = 0_u64;
        while let Some(start) = next
            .peek()
            .map(|(_, run)| run.base)
            .or_else(|| (!open.is_empty()).then_some(u64::MAX))
        {
            match open.peek() {
                None => at = start,
                Some(Open { run, .. }) if run.end() <= at => {
                    open.pop();
                    continue;
                }
                Some(Open { run, .. }) => {
                    let end = run.end().min(start);
                    extents.push(run.part(at, end));
                    at = end.max(at);
                }
            }
            while let Some((order, run)) = next.next_if(|(_, run)| run.base <= at) {
                open.push(Open { order, run });
            }
        }
        let repeated = claimed.saturating_sub(extents.pages());
        (extents, repeated)
    }

    /// Adds a run behind the others, to the last one where it goes on.
    fn push(&mut self, run: Option<Extent>) {
        let Some(run) = run else {
            return;
        };
        match self.runs.last_mut() {
            Some(last)
                if last.end() == run.base
                    && last.offset.checked_add(last.count.saturating_mul(PAGE)) == Some(run.offset) =>
            {
                last.count = last.count.saturating_add(run.count);
            }
            _ => self.runs.push(run),
        }
    }

    /// Leaves out runs.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&Extent) -> bool) {
        self.runs.retain(keep);
    }

    /// Where the page of a frame begins in the file.
    pub(crate) fn offset(&self, pfn: u64) -> Option<u64> {
        let behind = self.runs.partition_point(|run| run.base <= pfn);
        let run = self.runs.get(behind.checked_sub(1)?)?;
        let by = pfn.checked_sub(run.base).filter(|&by| by < run.count)?;
        run.offset.checked_add(by.checked_mul(PAGE)?)
    }

    /// The runs with their places, in ascending order.
    pub(crate) fn extents(&self) -> &[Extent] {
        &self.runs
    }

    /// The frames, as runs.
    pub(crate) fn runs(&self) -> impl Iterator<Item = PageRun> + '_ {
        self.runs.iter().map(|run| PageRun {
            base: Pfn::new(run.base),
            count: run.count,
        })
    }

    /// A frame number above all.
    pub(crate) fn limit(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.end())
    }

    /// How many frames.
    pub(crate) fn pages(&self) -> u64 {
        self.runs
            .iter()
            .fold(0, |pages, run| pages.saturating_add(run.count))
    }

    /// How many frames whose pages end within so many bytes of the file.
    pub(crate) fn pages_within(&self, file_len: u64) -> u64 {
        self.runs.iter().fold(0, |pages, run| {
            let room = file_len.saturating_sub(run.offset) / PAGE;
            pages.saturating_add(run.count.min(room))
        })
    }
}

/// A run that has begun and may have frames that no run given before it has.
#[derive(Debug)]
struct Open {
    order: usize,
    run: Extent,
}

/// The first one given is the greatest.
impl Ord for Open {
    fn cmp(&self, other: &Open) -> Ordering {
        other.order.cmp(&self.order)
    }
}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Open) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Open) -> bool {
        self.order == other.order
    }
}

impl Eq for Open {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_whole_pages_are_taken() {
        let of =
            |start, len, offset| Extent::of_bytes(start, len, offset).map(|e| (e.base, e.count, e.offset));
        assert_eq!(of(0x1000, 0x2000, 0x40), Some((1, 2, 0x40)));
        assert_eq!(of(0x1234, 0x2000, 0x40), Some((2, 1, 0x40 + 0xdcc)));
        assert_eq!(of(0x1001, 0xfff, 0), None);
        assert_eq!(of(0x1000, 0xfff, 0), None);
        assert_eq!(of(u64::MAX, 0x3000, 0), None);
    }

    proptest! {
        /// Against the plain rule: each frame where the first run that has it says.
        #[test]
        fn the_first_run_of_a_frame_has_it(
            given in prop::collection::vec((0u64..64, 1u64..24, 0u64..1 << 20), 0..24),
        ) {
            let given: Vec<Extent> = given
                .into_iter()
                .map(|(base, count, offset)| Extent { base, count, offset })
                .collect();
            let (extents, repeated) = Extents::new(given.iter().copied());
            let plain = |pfn: u64| {
                let run = given.iter().find(|run| (run.base..run.end()).contains(&pfn))?;
                Some(run.offset + (pfn - run.base) * PAGE)
            };
            for pfn in 0..100 {
                prop_assert_eq!(extents.offset(pfn), plain(pfn));
            }
            let have = (0..100).filter(|&pfn| plain(pfn).is_some()).count() as u64;
            prop_assert_eq!(extents.pages(), have);
            prop_assert_eq!(repeated, given.iter().map(|run| run.count).sum::<u64>() - have);
            let listed: u64 = extents.runs().map(|run| run.count).sum();
            prop_assert_eq!(listed, have);
        }
    }
}
