//! Pages of physical memory looked at by several threads, with what they find in the order of the pages.

use std::num::NonZero;
use std::thread;

use crate::memory::page::{PAGE, PageRun};
use crate::memory::physical::{PhysicalMemory, read_in_frame};
use crate::value::address::Gpa;

/// How many pages a thread takes at a time, 16 MiB of them: where that many in a row are missing, the rest of their run is
/// given up, as a header can claim a run of any length that the file ends before.
const SHARE: u64 = 16 << 20 >> 12;
/// How many pages of all runs together may be missing before a sweep ends.
const MOST_MISSING: u64 = 1 << 24;
/// More threads than this wait for the disk only.
const MOST_THREADS: usize = 16;

/// The bytes of a page.
pub(crate) type Page = [u8; 0x1000];

/// Pages of one run that a thread looks at.
#[derive(Debug, Clone, Copy)]
struct Share {
    base: u64,
    count: u64,
    /// The number of its run.
    run: usize,
}

/// What became of the shares of one thread.
struct Looked<T> {
    found: Vec<T>,
    /// How many pages of each were there.
    present: Vec<u64>,
}

/// Lets `look` see each page of some runs with its physical address, and hands what it finds to `take`, that of lower pages
/// first, until `take` answers that it wants no more. At most `most` pages are looked at, and a few shares more than
/// `take` wants. How many were; `tell` hears of each piece how many it had.
pub(crate) fn sweep<T: Send>(
    memory: &dyn PhysicalMemory,
    runs: impl Iterator<Item = PageRun>,
    most: u64,
    look: impl Fn(&Page, u64) -> Vec<T> + Sync,
    tell: impl Fn(u64),
    mut take: impl FnMut(T) -> bool,
) -> u64 {
    let threads = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(MOST_THREADS);
    let mut looked = 0_u64;
    let mut missing = 0_u64;
    let mut left = most;
    let mut shares = Shares::new(runs);
    loop {
        let mut batch: Vec<Vec<Share>> = Vec::with_capacity(threads);
        while batch.len() < threads && left != 0 {
            let job = shares.job(&mut left);
            if job.is_empty() {
                break;
            }
            batch.push(job);
        }
        if batch.is_empty() || missing > MOST_MISSING {
            return looked;
        }
        let results = all(memory, &batch, &look);
        tell(results.iter().flat_map(|result| &result.present).sum());
        for (job, result) in batch.into_iter().zip(results) {
            for (share, present) in job.into_iter().zip(result.present) {
                looked = looked.saturating_add(present);
                missing = missing.saturating_add(share.count.saturating_sub(present));
                if present == 0 && share.count == SHARE {
                    shares.give_up(share.run);
                }
            }
            for found in result.found {
                if !take(found) {
                    return looked;
                }
            }
        }
    }
}

/// Runs in pieces of a share. What is left of a run can be given up at once, however long it claims to be.
struct Shares<R> {
    runs: R,
    /// Where the rest of the current run begins and ends, in frames.
    rest: (u64, u64),
    /// The number of that run.
    run: usize,
}

impl<R: Iterator<Item = PageRun>> Shares<R> {
    fn new(runs: R) -> Self {
        Self {
            runs,
            rest: (0, 0),
            run: 0,
        }
    }

    fn next(&mut self, most: u64) -> Option<Share> {
        while self.rest.0 >= self.rest.1 {
            let run = self.runs.next()?;
            let base = run.base.u64();
            self.rest = (base, base.saturating_add(run.count));
            self.run = self.run.saturating_add(1);
        }
        let (base, end) = self.rest;
        let count = end.saturating_sub(base).min(SHARE).min(most);
        self.rest.0 = base.saturating_add(count);
        Some(Share {
            base,
            count,
            run: self.run,
        })
    }

    /// As many shares as are pages for one thread: of runs of few pages, many.
    fn job(&mut self, left: &mut u64) -> Vec<Share> {
        let mut job = Vec::new();
        let mut room = SHARE.min(*left);
        while room != 0 {
            let Some(share) = self.next(room) else { break };
            room = room.saturating_sub(share.count);
            *left = left.saturating_sub(share.count);
            job.push(share);
        }
        job
    }

    /// Leaves out the rest of a run.
    fn give_up(&mut self, run: usize) {
        if run == self.run {
            self.rest = (0, 0);
        }
    }
}

/// One thread for each job; the last is done by this one.
fn all<T: Send>(
    memory: &dyn PhysicalMemory,
    batch: &[Vec<Share>],
    look: &(impl Fn(&Page, u64) -> Vec<T> + Sync),
) -> Vec<Looked<T>> {
    let Some((last, others)) = batch.split_last() else {
        return Vec::new();
    };
    thread::scope(|scope| {
        // Where the system has no more threads to give, the work is done here.
        let others: Vec<_> = others
            .iter()
            .map(|job| {
                let work = move || one(memory, job, look);
                thread::Builder::new().spawn_scoped(scope, work).map_err(|_| job)
            })
            .collect();
        let last = one(memory, last, look);
        let mut results: Vec<Looked<T>> = others
            .into_iter()
            .map(|other| match other {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(job) => one(memory, job, look),
            })
            .collect();
        results.push(last);
        results
    })
}

fn one<T>(memory: &dyn PhysicalMemory, job: &[Share], look: &impl Fn(&Page, u64) -> Vec<T>) -> Looked<T> {
    let mut page = Box::new([0; 0x1000]);
    let mut looked = Looked {
        found: Vec::new(),
        present: Vec::with_capacity(job.len()),
    };
    for share in job {
        let mut present = 0_u64;
        for by in 0..share.count {
            let at = share.base.saturating_add(by).saturating_mul(PAGE);
            if read_in_frame(memory, Gpa::new(at), page.as_mut_slice()).is_ok() {
                present = present.saturating_add(1);
                looked.found.extend(look(&page, at));
            }
        }
        looked.present.push(present);
    }
    looked
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::container::extents::{Extent, Extents};
    use crate::memory::error::FrameError;
    use crate::memory::page::FileOffset;
    use crate::memory::physical::{Known, PageError};
    use crate::value::address::Pfn;

    /// Frames of which only those below a limit are there.
    #[derive(Debug)]
    struct Short(Extents, u64);

    impl PhysicalMemory for Short {
        fn frame(&self, pfn: Pfn) -> Result<FileOffset, FrameError> {
            match pfn.u64() < self.1 {
                true => Ok(FileOffset(pfn.u64() << 12)),
                false => Err(FrameError::NotInDump { pfn }),
            }
        }

        fn read_page(&self, page: FileOffset, _: usize, buf: &mut [u8]) -> Result<(), PageError> {
            buf.fill((page.0 >> 12).to_le_bytes()[0]);
            Ok(())
        }

        fn runs(&self) -> Box<dyn Iterator<Item = PageRun> + '_> {
            Box::new(self.0.runs())
        }

        fn known(&self) -> Known {
            Known::default()
        }
    }

    fn memory(runs: &[(u64, u64)], limit: u64) -> Short {
        let extent = |&(base, count): &(u64, u64)| Extent {
            base,
            count,
            offset: base << 12,
        };
        Short(Extents::new(runs.iter().map(extent)).0, limit)
    }

    #[test]
    fn pages_are_seen_once_and_in_order() {
        let memory = memory(&[(3, 9000), (20_000, 5000)], u64::MAX);
        let mut seen = Vec::new();
        let told = Cell::new(Vec::new());
        let tell = |pages| {
            let mut all = told.take();
            all.push(pages);
            told.set(all);
        };
        let looked = sweep(
            &memory,
            memory.runs(),
            u64::MAX,
            |page, at| vec![(at >> 12, page[0])],
            tell,
            |found| {
                seen.push(found);
                true
            },
        );
        let wanted: Vec<(u64, u8)> = (3..9003)
            .chain(20_000..25_000)
            .map(|page: u64| (page, page.to_le_bytes()[0]))
            .collect();
        assert!(seen == wanted);
        assert_eq!(looked, 14_000);
        let told = told.take();
        assert_eq!(told.iter().sum::<u64>(), 14_000);
        assert!(told.iter().all(|&pages| pages != 0), "{told:?}");
    }

    #[test]
    fn runs_of_few_pages_share_a_thread() {
        let runs: Vec<(u64, u64)> = (0..50_000).map(|number| (number * 3, 2)).collect();
        let memory = memory(&runs, u64::MAX);
        let mut last = None;
        let looked = sweep(
            &memory,
            memory.runs(),
            u64::MAX,
            |_, at| vec![at],
            |_| (),
            |at| {
                assert!(last < Some(at));
                last = Some(at);
                true
            },
        );
        assert_eq!(looked, 100_000);
    }

    /// A header can claim a run of any length: what is not there costs no more than a few shares of it.
    #[test]
    fn a_run_without_end_is_given_up() {
        let memory = memory(&[(0, 1 << 40), (1 << 41, 1 << 40)], 10_000);
        let look = |_: &Page, _| Vec::<()>::new();
        let count = |most| sweep(&memory, memory.runs(), most, look, |_| (), |()| true);
        assert_eq!(count(u64::MAX), 10_000);
        assert_eq!(count(5000), 5000);
    }

    #[test]
    fn who_wants_no_more_gets_no_more() {
        let memory = memory(&[(0, 50_000)], u64::MAX);
        let mut seen = 0;
        sweep(
            &memory,
            memory.runs(),
            u64::MAX,
            |_, at| vec![at],
            |_| (),
            |_| {
                seen += 1;
                seen < 7
            },
        );
        assert_eq!(seen, 7);
    }
}
