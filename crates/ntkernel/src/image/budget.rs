//! How much is read of a dump, in proportion to its file.
//!
//! Page tables can show one page at any number of addresses, names can share one buffer, and any number of tables can
//! name one part: what is bounded in each walk is not bounded in all of them together. A dump that was written by
//! Windows has each thing at one place, and a command reads it a few times. So what one command may read is bounded by
//! what the file can hold, generously, whatever leads to it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kdump::{FileOffset, Gva};

use crate::image::value::{Read, Unreadable};

/// Reads of small files: those of a whole small system by all the layouts that there are.
const LEAST_READS: u64 = 8 << 20;

/// Bytes of the file that pay for one more read.
const BYTES_PER_READ: u64 = 4;

/// Bytes of text of small files.
const LEAST_TEXT: u64 = 4 << 20;

/// Bytes that are read at once for one read.
const PIECE: u64 = 64;

/// Looks at a long walk from outside: how far it is, and whether it is to go on.
///
/// It is asked after every [`INTERVAL`] reads, which take about a millisecond, on the thread that walks. The token of a
/// request that its user has given up is one:
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// use ntkernel::image::budget::{Spent, Watch};
///
/// struct Token(AtomicBool);
///
/// impl Watch for Token {
///     fn goes_on(&self, so_far: Spent) -> bool {
///         eprintln!("{} reads", so_far.reads);
///         !self.0.load(Ordering::Relaxed)
///     }
/// }
/// ```
pub trait Watch: Send + Sync {
    /// Whether the walk goes on; once not, every further read is unreadable, `cancelled`, and the walk ends soon, with
    /// that as the reason for all that it lacks.
    fn goes_on(&self, so_far: Spent) -> bool;
}

/// Reads between two questions to a [`Watch`].
pub const INTERVAL: u64 = 4096;

/// What a command may still read of a dump.
pub struct Budget {
    reads: AtomicU64,
    text: AtomicU64,
    most: Spent,
    watch: Option<Arc<dyn Watch>>,
    next_question: AtomicU64,
    cancelled: AtomicBool,
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("spent", &self.spent())
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

/// How much was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Members and pieces of 64 bytes.
    pub reads: u64,
    /// Bytes of names and paths, each as often as it was read.
    pub text: u64,
}

impl Budget {
    /// What may be read of a file of that many bytes: a read for every four of them and eight Mi beside, and as much
    /// text as it has bytes and four MiB beside.
    #[must_use]
    pub fn of(file_len: u64) -> Self {
        Self {
            reads: AtomicU64::new(0),
            text: AtomicU64::new(0),
            most: Spent {
                reads: LEAST_READS.saturating_add(file_len.checked_div(BYTES_PER_READ).unwrap_or(0)),
                text: LEAST_TEXT.saturating_add(file_len),
            },
            watch: None,
            next_question: AtomicU64::new(INTERVAL),
            cancelled: AtomicBool::new(false),
        }
    }

    /// The same, unspent, looked at by somebody.
    pub(crate) fn watched(&self, watch: Arc<dyn Watch>) -> Self {
        Self {
            reads: AtomicU64::new(0),
            text: AtomicU64::new(0),
            most: self.most,
            watch: Some(watch),
            next_question: AtomicU64::new(INTERVAL),
            cancelled: AtomicBool::new(false),
        }
    }

    /// Asks whether the walk is to go on, once in a while.
    fn ask(&self) -> Read<()> {
        let Some(watch) = &self.watch else {
            return Ok(());
        };
        let spent = self.spent();
        if spent.reads >= self.next_question.load(Ordering::Relaxed) {
            let next = spent.reads.saturating_add(INTERVAL);
            self.next_question.store(next, Ordering::Relaxed);
            if !watch.goes_on(spent) {
                self.cancelled.store(true, Ordering::Relaxed);
            }
        }
        match self.cancelled.load(Ordering::Relaxed) {
            true => Err(Unreadable::Cancelled),
            false => Ok(()),
        }
    }

    /// Asks at once whether the walk is to go on: for work that looks at memory without paying for each of its reads.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        if let Some(watch) = &self.watch
            && !watch.goes_on(self.spent())
        {
            self.cancelled.store(true, Ordering::Relaxed);
        }
        !self.cancelled.load(Ordering::Relaxed)
    }

    /// The most that may be read.
    #[must_use]
    pub fn most(&self) -> Spent {
        self.most
    }

    /// What was read so far, or asked for in vain.
    #[must_use]
    pub fn spent(&self) -> Spent {
        Spent {
            reads: self.reads.load(Ordering::Relaxed),
            text: self.text.load(Ordering::Relaxed),
        }
    }

    /// Pays for a member.
    pub(crate) fn member(&self) -> Read<()> {
        self.ask()?;
        pay(&self.reads, 1, self.most.reads)
    }

    /// Pays for so many bytes at once.
    pub(crate) fn bytes(&self, len: u64) -> Read<()> {
        let pieces = len.checked_div(PIECE).unwrap_or(0).saturating_add(1);
        self.ask()?;
        pay(&self.reads, pieces, self.most.reads)
    }

    /// Pays for so many bytes of a name, or of a path that is put together.
    pub fn text(&self, len: usize) -> Read<()> {
        pay(&self.text, u64::try_from(len).unwrap_or(u64::MAX), self.most.text)
    }
}

/// One walk at a time reads, so that nothing is lost between the two halves; and were it, it would not matter.
fn pay(spent: &AtomicU64, price: u64, most: u64) -> Read<()> {
    let sum = spent.load(Ordering::Relaxed).saturating_add(price);
    spent.store(sum, Ordering::Relaxed);
    if sum > most {
        return Err(Unreadable::OutOfProportion);
    }
    Ok(())
}

/// What a place in the file is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A page of a handle table.
    HandleTablePage,
    /// A whole handle table.
    HandleTable,
    /// A handle of a connection that is the first in its page.
    ResourceHandle,
    /// An entry of a directory of the namespace.
    DirectoryEntry,
}

/// Whose the places in the file are, for things that belong to one owner: by what is in the file, since page tables
/// can show it at many addresses.
#[derive(Debug, Default)]
pub(crate) struct Claims(RefCell<HashMap<(Part, FileOffset), Owner>>);

/// Who has a thing, and as which of those that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The owner.
    pub owner: Gva,
    /// Which of those that it has.
    pub number: u64,
}

impl Claims {
    /// Gives the thing at a place to an owner, who may come back for it.
    ///
    /// # Errors
    /// The owner that it has already.
    pub fn claim(&self, part: Part, place: FileOffset, owner: Owner) -> Result<(), Owner> {
        match self.0.borrow_mut().entry((part, place)) {
            Entry::Vacant(free) => {
                free.insert(owner);
                Ok(())
            }
            Entry::Occupied(taken) if *taken.get() == owner => Ok(()),
            Entry::Occupied(taken) => Err(*taken.get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_read_grows_with_the_file_and_ends() {
        let small = Budget::of(0);
        assert_eq!(small.most().text, LEAST_TEXT);
        assert!(small.text(usize::try_from(LEAST_TEXT).unwrap()).is_ok());
        assert!(matches!(small.text(1), Err(Unreadable::OutOfProportion)));
        assert!(small.member().is_ok());
        assert!(small.bytes(64 * LEAST_READS).is_err());
        assert!(matches!(small.member(), Err(Unreadable::OutOfProportion)));
        assert_eq!(Budget::of(1 << 30).most().text, LEAST_TEXT + (1 << 30));
        assert_eq!(Budget::of(u64::MAX).most().text, u64::MAX);
    }

    #[test]
    fn whoever_watches_is_asked_once_in_a_while_and_obeyed() {
        struct Until(u64, AtomicU64);

        impl Watch for Until {
            fn goes_on(&self, so_far: Spent) -> bool {
                self.1.fetch_add(1, Ordering::Relaxed);
                so_far.reads < self.0
            }
        }

        let until = Arc::new(Until(10 * INTERVAL, AtomicU64::new(0)));
        let watch: Arc<dyn Watch> = until.clone();
        let budget = Budget::of(0).watched(watch);
        let read = (0..20 * INTERVAL).take_while(|_| budget.member().is_ok()).count();
        assert_eq!(read as u64, 10 * INTERVAL);
        assert_eq!(until.1.load(Ordering::Relaxed), 10);
        assert!(matches!(budget.bytes(1), Err(Unreadable::Cancelled)));
    }
}
