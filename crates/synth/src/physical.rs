//! Sparse physical memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{PAGE_SIZE, Pfn};
use crate::bytes::index;

/// The bytes of one frame.
pub type Page = [u8; 0x1000];

/// A run of consecutive frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its first frame.
    pub base: Pfn,
    /// Its length in frames.
    pub count: u64,
}

impl Run {
    /// The first frame behind the run.
    #[must_use]
    pub fn end(self) -> Pfn {
        self.base + self.count
    }
}

/// The frames of a machine that a world wrote to, and those that a dump of it must not hold.
#[derive(Clone, Debug, Default)]
pub struct PhysicalMemory {
    frames: BTreeMap<Pfn, Box<Page>>,
    absent: BTreeSet<Pfn>,
}

impl PhysicalMemory {
    /// Memory without a frame.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes of `frame`, where it is there.
    #[must_use]
    pub fn frame(&self, frame: Pfn) -> Option<&Page> {
        self.frames.get(&frame).map(Box::as_ref)
    }

    /// The bytes of `frame`; it is there, zeroed, afterwards.
    pub fn frame_mut(&mut self, frame: Pfn) -> &mut Page {
        self.absent.remove(&frame);
        self.frames.entry(frame).or_insert_with(|| Box::new([0; 0x1000]))
    }

    /// Takes `frame` out: no dump of this memory holds it, not even as a filler.
    pub fn remove(&mut self, frame: Pfn) {
        self.frames.remove(&frame);
        self.absent.insert(frame);
    }

    /// Every frame with its bytes, in order.
    pub fn frames(&self) -> impl Iterator<Item = (Pfn, &Page)> {
        self.frames.iter().map(|(&frame, page)| (frame, page.as_ref()))
    }

    /// Number of frames.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether no frame is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The page-table entry at physical address `address`.
    #[must_use]
    pub fn entry(&self, address: u64) -> Option<u64> {
        let page = self.frame(Pfn(address / PAGE_SIZE))?;
        let at = index(address % PAGE_SIZE);
        Some(crate::bytes::uint(&page[at..at + 8]))
    }

    /// The frames as maximal runs.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for &frame in self.frames.keys() {
            match runs.last_mut() {
                Some(run) if run.end() == frame => run.count += 1,
                _ => runs.push(Run {
                    base: frame,
                    count: 1,
                }),
            }
        }
        runs
    }

    /// The frames in at most `limit` runs: the narrowest gaps are claimed as well and read as zeros,
    /// as a complete dump holds frames that nobody uses.
    ///
    /// # Panics
    /// Where removed frames force more runs than `limit`.
    #[must_use]
    pub fn runs_at_most(&self, limit: usize) -> Vec<Run> {
        let mut runs = self.runs();
        while runs.len() > limit {
            let narrowest = (1..runs.len())
                .filter(|&i| {
                    self.absent
                        .range(runs[i - 1].end()..runs[i].base)
                        .next()
                        .is_none()
                })
                .min_by_key(|&i| runs[i].base.0 - runs[i - 1].end().0)
                .unwrap_or_else(|| panic!("removed frames leave more than {limit} runs"));
            let end = runs.remove(narrowest).end();
            let run = &mut runs[narrowest - 1];
            run.count = end.0 - run.base.0;
        }
        runs
    }
}
