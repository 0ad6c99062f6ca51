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

/// What became of a share.
struct Looked<T> {
    found: Vec<T>,
    /// How many of its pages were there.
    present: u64,
}

/// Lets `look` see each page of some runs with its physical address, and hands what it finds to `take`, that of lower pages
/// first, until `take` answers that it wants no more. At most `most` pages are looked at, and a few shares more than
/// `take` wants. How many were.
pub(crate) fn sweep<T: Send>(
    memory: &dyn PhysicalMemory,
    runs: impl Iterator<Item = PageRun>,
    most: u64,
    look: impl Fn(&Page, u64) -> Vec<T> + Sync,
    mut take: impl FnMut(T) -> bool,
) -> u64 {
    let threads = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(MOST_THREADS);
    let mut given_up = None;
    let mut looked = 0_u64;
    let mut missing = 0_u64;
    let mut left = most;
    let mut shares = shares(runs);
    loop {
        let mut batch = Vec::with_capacity(threads);
        while batch.len() < threads && left != 0 {
            let Some(mut share) = shares.find(|share| given_up != Some(share.run)) else {
                break;
            };
            share.count = share.count.min(left);
            left = left.saturating_sub(share.count);
            batch.push(share);
        }
        if batch.is_empty() || missing > MOST_MISSING {
            return looked;
        }
        let results = all(memory, &batch, &look);
        for (share, result) in batch.into_iter().zip(results) {
            looked = looked.saturating_add(result.present);
            missing = missing.saturating_add(share.count.saturating_sub(result.present));
            if result.present == 0 && share.count == SHARE {
                given_up = Some(share.run);
            }
            for found in result.found {
                if !take(found) {
                    return looked;
                }
            }
        }
    }
}

/// Runs in pieces of a share.
fn shares(runs: impl Iterator<Item = PageRun>) -> impl Iterator<Item = Share> {
    runs.enumerate().flat_map(|(number, run)| {
        let end = run.base.u64().saturating_add(run.count);
        let mut base = run.base.u64();
        std::iter::from_fn(move || {
            let count = end.saturating_sub(base).min(SHARE);
            let share = Share {
                base,
                count,
                run: number,
            };
            base = base.saturating_add(count);
            (count != 0).then_some(share)
        })
    })
}

/// One thread for each share; the last is looked at by this one.
fn all<T: Send>(
    memory: &dyn PhysicalMemory,
    batch: &[Share],
    look: &(impl Fn(&Page, u64) -> Vec<T> + Sync),
) -> Vec<Looked<T>> {
    let Some((last, others)) = batch.split_last() else {
        return Vec::new();
    };
    thread::scope(|scope| {
        // Where the system has no more threads to give, the work is done here.
        let others: Vec<_> = others
            .iter()
            .map(|&share| {
                let work = move || one(memory, share, look);
                thread::Builder::new()
                    .spawn_scoped(scope, work)
                    .map_err(|_| share)
            })
            .collect();
        let last = one(memory, *last, look);
        let mut results: Vec<Looked<T>> = others
            .into_iter()
            .map(|other| match other {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(share) => one(memory, share, look),
            })
            .collect();
        results.push(last);
        results
    })
}

fn one<T>(memory: &dyn PhysicalMemory, share: Share, look: &impl Fn(&Page, u64) -> Vec<T>) -> Looked<T> {
    let mut page = Box::new([0; 0x1000]);
    let mut looked = Looked {
        found: Vec::new(),
        present: 0,
    };
    for by in 0..share.count {
        let at = share.base.saturating_add(by).saturating_mul(PAGE);
        if read_in_frame(memory, Gpa::new(at), page.as_mut_slice()).is_ok() {
            looked.present = looked.present.saturating_add(1);
            looked.found.extend(look(&page, at));
        }
    }
    looked
}
