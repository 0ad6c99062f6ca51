//! How far a search is that looks through all pages of a file.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Who is told how far a search through the pages of a file is. Its copies count together.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Told<Tell>>>);

type Tell = dyn Fn(u64) + Send + Sync;

struct Told<F: ?Sized> {
    pages: AtomicU64,
    tell: F,
}

impl Progress {
    /// Calls `tell` after every few thousand pages with how many were looked at so far, on the thread that asked for the
    /// search.
    pub fn new(tell: impl Fn(u64) + Send + Sync + 'static) -> Self {
        let pages = AtomicU64::new(0);
        Self(Some(Arc::new(Told { pages, tell })))
    }

    /// So many more pages were looked at.
    pub(crate) fn add(&self, pages: u64) {
        if let Some(told) = &self.0 {
            let before = told.pages.fetch_add(pages, Ordering::Relaxed);
            (told.tell)(before.saturating_add(pages));
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pages = self.0.as_ref().map(|told| told.pages.load(Ordering::Relaxed));
        f.debug_tuple("Progress").field(&pages).finish()
    }
}
