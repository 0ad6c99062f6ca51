//! An index in memory: runs of frames, whose pages follow each other in the file. That of a complete dump (kind 1).

use super::{IndexError, PFN_BITS, PageRun};

/// Runs in ascending order with, for each, how many pages the file has before it.
#[derive(Debug)]
pub(crate) struct RunIndex {
    runs: Vec<Run>,
    pages: u64,
    first_page: u64,
    claimed: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    base: u64,
    count: u64,
    position: u64,
}

impl Run {
    fn end(&self) -> u64 {
        self.base.saturating_add(self.count)
    }
}

impl RunIndex {
    /// Indexes runs that are in the order of their pages in the file, the first of which is at `first_page`.
    /// The file says that there are `claimed` pages.
    ///
    /// # Errors
    /// Runs that overlap (which of two pages would be the frame's?) or reach beyond 52-bit addresses, and a
    /// list without any page.
    pub(crate) fn new(
        in_file_order: &[PageRun],
        first_page: u64,
        claimed: Option<u64>,
    ) -> Result<RunIndex, IndexError> {
        let mut runs = Vec::with_capacity(in_file_order.len());
        let mut pages = 0u64;
        for run in in_file_order.iter().filter(|run| run.count != 0) {
            // A run is believed for what it costs, one entry: in an 8 KiB file one run can claim 2^40 pages,
            // and a reader that keeps something for each page ends here (kdmp-parser 0.8.2 aborts).
            let base = run.base.u64();
            let end = base
                .checked_add(run.count)
                .filter(|&end| end <= 1 << PFN_BITS)
                .ok_or_else(|| {
                    IndexError::Bad(format!(
                        "a run of {:#x} pages begins at frame {base:#x}",
                        run.count
                    ))
                })?;
            runs.push(Run {
                base,
                count: run.count,
                position: pages,
            });
            pages = pages.saturating_add(end.saturating_sub(base));
        }
        // Position first, order after: pages stand in the file in the order of the header's list.
        runs.sort_unstable_by_key(|run| run.base);
        for pair in runs.windows(2) {
            if let [first, second] = pair
                && first.end() > second.base
            {
                return Err(IndexError::Bad(format!(
                    "the run at frame {:#x} overlaps the one at {:#x}",
                    first.base, second.base
                )));
            }
        }
        if runs.is_empty() {
            return Err(IndexError::Bad("the header lists no run of pages".into()));
        }
        Ok(RunIndex {
            runs,
            pages,
            first_page,
            claimed,
        })
    }

    pub(crate) fn first_page(&self) -> u64 {
        self.first_page
    }

    pub(crate) fn claimed(&self) -> Option<u64> {
        self.claimed
    }

    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    pub(crate) fn limit(&self) -> u64 {
        self.runs.last().map_or(0, Run::end)
    }

    pub(crate) fn position(&self, pfn: u64) -> Option<u64> {
        let next = self.runs.partition_point(|run| run.base <= pfn);
        let run = self.runs.get(next.checked_sub(1)?)?;
        let inside = pfn.checked_sub(run.base).filter(|&inside| inside < run.count)?;
        run.position.checked_add(inside)
    }

    pub(crate) fn run_from(&self, from: u64) -> Option<PageRun> {
        let next = self.runs.partition_point(|run| run.end() <= from);
        let run = self.runs.get(next)?;
        let base = run.base.max(from);
        Some(PageRun {
            base: base.into(),
            count: run.end().checked_sub(base)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(base: u64, count: u64) -> PageRun {
        PageRun {
            base: base.into(),
            count,
        }
    }

    #[test]
    fn pages_follow_the_order_of_the_file_not_of_the_frames() {
        let index = RunIndex::new(&[run(0x100, 3), run(0, 2), run(0x50, 0)], 0x2000, None).unwrap();
        let frames = [0x100, 0x101, 0x102, 0, 1];
        for (position, pfn) in frames.into_iter().enumerate() {
            assert_eq!(index.position(pfn), Some(position as u64), "{pfn:#x}");
        }
        for absent in [2, 0x50, 0xff, 0x103, u64::MAX] {
            assert_eq!(index.position(absent), None, "{absent:#x}");
        }
        assert_eq!((index.pages(), index.limit()), (5, 0x103));
    }

    #[test]
    fn runs_that_cannot_be_are_refused() {
        for runs in [
            vec![],
            vec![run(1, 0)],
            vec![run(1, 4), run(4, 1)],
            vec![run(4, 1), run(1, 4)],
            vec![run(7, 1), run(7, 1)],
            vec![run(u64::MAX, 2)],
            vec![run(1 << 40, 1)],
            vec![run(0, (1 << 40) + 1)],
        ] {
            assert!(
                matches!(RunIndex::new(&runs, 0x2000, None), Err(IndexError::Bad(_))),
                "{runs:?}"
            );
        }
        assert_eq!(
            RunIndex::new(&[run(0, 1 << 40)], 0x2000, None).unwrap().pages(),
            1 << 40
        );
    }
}
