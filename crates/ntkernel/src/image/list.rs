//! Doubly linked lists in a memory image that may be torn, cut or hostile.
//!
//! A member of a list is what both its neighbours name. A list is followed by `Flink` as far as it goes, each
//! link checked against the `Blink` of the next entry. When that does not come back to the head, it is followed
//! by `Blink` from the other end as well: a single entry whose page is missing then costs nothing but that
//! entry's own contents, for the entries on both its sides name it. Nothing is missing only where the two walks
//! meet at the same entry, that entry can be read, and no link that can be read says otherwise: of an entry that
//! cannot be read nobody knows what else it may lead to.

use std::collections::HashSet;

use kdump::{Gva, NotPresentKind, ReadError};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::contract::ListEntry;
use crate::image::kernel::{Kernel, Read, before};
use crate::image::reason::{About, Why};
use crate::image::value::{Addr, Unreadable};
use crate::why;

/// Entries after which a walk gives up; far more than any list of a live system holds.
const CAP: usize = 1 << 20;

/// What stopped a walk before it came back to its head.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case"))]
pub enum Stop {
    /// The links of an entry cannot be read.
    Unreadable {
        /// The entry.
        at: Addr,
        /// Why.
        reason: Unreadable,
    },
    /// An entry does not point back to where the walk came from.
    BrokenLink {
        /// The entry.
        at: Addr,
        /// Where it should point back to.
        expected: Addr,
        /// Where it points to.
        found: Addr,
    },
    /// The links come back to an entry that is not the head.
    Loop {
        /// The entry that was met again.
        at: Addr,
    },
    /// A link is null.
    NullLink {
        /// The entry with that link.
        at: Addr,
    },
    /// The walk gave up.
    TooLong {
        /// The entry where it did.
        at: Addr,
        /// How many entries it had seen.
        after: usize,
    },
}

impl Stop {
    /// The entry that it is about.
    #[must_use]
    pub fn at(&self) -> Addr {
        match self {
            Self::Unreadable { at, .. }
            | Self::BrokenLink { at, .. }
            | Self::Loop { at }
            | Self::NullLink { at }
            | Self::TooLong { at, .. } => *at,
        }
    }

    /// Whether links that can be read contradict each other there, so that no dump of that list could be right.
    #[must_use]
    pub fn is_contradiction(&self) -> bool {
        match self {
            Self::BrokenLink { .. } | Self::Loop { .. } | Self::NullLink { .. } => true,
            Self::Unreadable { .. } | Self::TooLong { .. } => false,
        }
    }
}

impl Stop {
    /// The same in words.
    #[must_use]
    pub fn why(&self) -> Why {
        match self {
            Self::Unreadable { at, reason } => why!("the entry at {} cannot be read: {}", *at, reason),
            Self::BrokenLink { at, expected, found } => {
                why!(
                    "the entry at {} points back to {}, not to {}",
                    *at,
                    *found,
                    *expected
                )
            }
            Self::Loop { at } => why!("the list loops at {}", *at),
            Self::NullLink { at } => why!("the entry at {} has a null link", *at),
            Self::TooLong { at, after } => why!("gave up after {} entries, at {}", *after, *at),
        }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.why().fmt(f)
    }
}

/// What a list holds, as far as the dump tells.
#[derive(Clone, Debug)]
pub struct List {
    /// The entries in list order, without the head. An entry may itself be unreadable: then only its address
    /// is known, from its neighbours, or from one of them beside a gap.
    pub entries: Vec<Gva>,
    /// Where entries are missing, if any are.
    pub gap: Option<Gap>,
}

/// A stretch of a list that could not be followed from either side.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Gap {
    /// How many of the entries stand before the gap.
    pub after: usize,
    /// What stopped the walk by `Flink`.
    pub forward: Stop,
    /// What stopped the walk by `Blink`; none when that was never begun.
    pub backward: Option<Stop>,
}

impl Gap {
    /// What contradicts itself, on either side.
    #[must_use]
    pub fn contradiction(&self) -> Option<&Stop> {
        let stops = [Some(&self.forward), self.backward.as_ref()];
        stops.into_iter().flatten().find(|stop| stop.is_contradiction())
    }

    /// Whether both walks ended at one entry, which cannot be read: it is the list's, whatever it may hold.
    #[must_use]
    pub fn is_one_entry(&self) -> bool {
        let backward = self.backward.as_ref();
        matches!((&self.forward, backward), (Stop::Unreadable { at, .. }, Some(Stop::Unreadable { at: back, .. })) if at == back)
    }

    /// What could not be read, on either side.
    fn unreadable(&self) -> Option<&Unreadable> {
        let stops = [Some(&self.forward), self.backward.as_ref()];
        stops.into_iter().flatten().find_map(|stop| match stop {
            Stop::Unreadable { reason, .. } => Some(reason),
            _ => None,
        })
    }
}

impl Gap {
    /// The same in words.
    #[must_use]
    pub fn why(&self) -> Why {
        match &self.backward {
            Some(_) if self.is_one_entry() => {
                why!("{}, though both its neighbours name it", self.forward.why())
            }
            Some(backward) => why!("{}; from the other end, {}", self.forward.why(), backward.why()),
            None => self.forward.why(),
        }
    }
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.why().fmt(f)
    }
}

impl List {
    /// Nothing, or why entries of `what` are missing.
    pub fn complete(&self, what: impl Into<About>) -> Read<()> {
        match &self.gap {
            None => Ok(()),
            Some(gap) if gap.is_one_entry() => Err(Unreadable::walk(
                why!(
                    "{} cannot be followed through entry {}: {}",
                    what.into(),
                    gap.after,
                    gap.why()
                ),
                gap.unreadable(),
            )),
            Some(gap) => Err(Unreadable::walk(
                why!(
                    "{} has a gap after {} entries: {}",
                    what.into(),
                    gap.after,
                    gap.why()
                ),
                gap.unreadable(),
            )),
        }
    }

    /// Whether nothing was ever put into the list: its head has no links at all.
    #[must_use]
    pub fn was_never_linked(&self) -> bool {
        let gap = self.gap.as_ref().map(|gap| &gap.forward);
        self.entries.is_empty() && matches!(gap, Some(Stop::NullLink { .. }))
    }

    /// The structures whose member at `link` the entries are.
    #[must_use]
    pub fn containers(mut self, link: u64) -> Self {
        for entry in &mut self.entries {
            *entry = before(*entry, link);
        }
        self
    }

    /// Entries of a list that could not even be begun.
    fn unreadable(stop: Stop) -> Self {
        Self {
            entries: Vec::new(),
            gap: Some(Gap {
                after: 0,
                forward: stop,
                backward: None,
            }),
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Forward,
    Backward,
}

/// A walk from one side, as far as it came.
struct Half {
    /// Entries that both their neighbours on this walk name.
    entries: Vec<Gva>,
    /// What the last of them, or the head, names behind it, where that cannot be read but memory can be.
    named: Option<Gva>,
    end: HalfEnd,
}

enum HalfEnd {
    /// Came back to the head.
    Head,
    /// Met an entry that the walk from the other side had reached, and nothing contradicts that.
    Joined,
    Stopped(Stop),
}

/// Walks the list whose head is at `head`.
#[must_use]
pub fn walk(kernel: &Kernel<'_>, head: Gva) -> List {
    walk_up_to(kernel, head, CAP)
}

/// The same, no further than `cap` entries from either side.
#[must_use]
pub fn walk_up_to(kernel: &Kernel<'_>, head: Gva, cap: usize) -> List {
    let walker = Walker { kernel, head, cap };
    let forward = walker.half(Direction::Forward, &HashSet::new(), None);
    let HalfEnd::Stopped(stop) = forward.end else {
        return List {
            entries: forward.entries,
            gap: None,
        };
    };
    if forward.entries.is_empty() && matches!(&stop, Stop::Unreadable { at, .. } if at.gva() == head) {
        return List::unreadable(stop);
    }
    let met = forward.entries.iter().map(|entry| entry.u64()).collect();
    let backward = walker.half(Direction::Backward, &met, forward.named);
    // Lists torn in the middle are common where one looks most: messages are in paged pool, and of a list of
    // them one page out is enough. In a live dump entries may also be of different moments, each read when its
    // page was copied.
    let back = match backward.end {
        HalfEnd::Stopped(back) => Some(back),
        // They met where the one could not read on; nor can the other.
        HalfEnd::Joined => matches!(stop, Stop::Unreadable { .. }).then(|| stop.clone()),
        HalfEnd::Head => None,
    };
    let is_whole = back.is_none() && !stop.is_contradiction();
    // What one neighbour alone names is a member as long as nothing says that the links are wrong.
    let is_torn = stop.is_contradiction() || back.as_ref().is_some_and(Stop::is_contradiction);
    let mut entries = forward.entries;
    entries.extend(forward.named.filter(|_| !is_torn));
    let after = entries.len();
    entries.extend(backward.named.filter(|_| !is_torn));
    entries.extend(backward.entries.into_iter().rev());
    let gap = (!is_whole).then_some(Gap {
        after,
        forward: stop,
        backward: back,
    });
    List { entries, gap }
}

struct Walker<'k, 'd> {
    kernel: &'k Kernel<'d>,
    head: Gva,
    cap: usize,
}

impl Walker<'_, '_> {
    /// Walks from the head. `met` is what the walk from the other side has read, and `named` what it ended at.
    fn half(&self, direction: Direction, met: &HashSet<u64>, named: Option<Gva>) -> Half {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        let mut at = self.head;
        let stopped = |entries, stop| Half {
            entries,
            named: None,
            end: HalfEnd::Stopped(stop),
        };
        loop {
            let Step { next, back } = match step(self.kernel, at, direction) {
                Ok(step) => step,
                Err(stop) => return stopped(entries, stop),
            };
            // A reader that trusts Flink alone never ends here: kdmp-parser 0.8.2 hangs on a list of modules
            // that leads around.
            if seen.contains(&next.u64()) {
                let at = self.kernel.addr(next);
                return stopped(entries, Stop::Loop { at });
            }
            if let Ok(back) = back
                && back != at
            {
                return stopped(entries, broken(self.kernel, next, at, back));
            }
            let end = match &back {
                _ if next == self.head => Some(HalfEnd::Head),
                _ if met.contains(&next.u64()) || named == Some(next) => Some(HalfEnd::Joined),
                _ => None,
            };
            if let Some(end) = end {
                return Half {
                    entries,
                    named: None,
                    end,
                };
            }
            if let Err(reason) = back {
                let named = can_hold_an_entry(&reason).then_some(next);
                let at = self.kernel.addr(next);
                return Half {
                    entries,
                    named,
                    end: HalfEnd::Stopped(Stop::Unreadable { at, reason }),
                };
            }
            if entries.len() >= self.cap {
                let at = self.kernel.addr(next);
                return stopped(entries, Stop::TooLong { at, after: self.cap });
            }
            seen.insert(next.u64());
            entries.push(next);
            at = next;
        }
    }
}

/// Whether an entry can be where it cannot be read: the dump lacks the memory, but there was some. Where the
/// page tables know of none, a link that leads there is wrong.
fn can_hold_an_entry(reason: &Unreadable) -> bool {
    match reason {
        Unreadable::NullPointer(_) => false,
        Unreadable::Memory(error) => !matches!(
            error,
            ReadError::NonCanonical { .. }
                | ReadError::Wraps { .. }
                | ReadError::NotPresent {
                    state: NotPresentKind::Zero | NotPresentKind::DemandZero | NotPresentKind::Reserved,
                    ..
                }
        ),
        _ => true,
    }
}

fn broken(kernel: &Kernel<'_>, at: Gva, expected: Gva, found: Gva) -> Stop {
    Stop::BrokenLink {
        at: kernel.addr(at),
        expected: kernel.addr(expected),
        found: kernel.addr(found),
    }
}

struct Step {
    next: Gva,
    /// The link of `next` that should lead back.
    back: Read<Gva>,
}

fn step(kernel: &Kernel<'_>, at: Gva, direction: Direction) -> Result<Step, Stop> {
    let (onward, returning) = match direction {
        Direction::Forward => (ListEntry::Flink, ListEntry::Blink),
        Direction::Backward => (ListEntry::Blink, ListEntry::Flink),
    };
    let unreadable = |reason| Stop::Unreadable {
        at: kernel.addr(at),
        reason,
    };
    let next = kernel.at(at).pointer(onward).map_err(unreadable)?;
    if next.u64() == 0 {
        // An empty list points at its own head. Zeros are of a list that was never initialized, as in a port
        // that was just made, or of a page that somebody filled.
        return Err(Stop::NullLink { at: kernel.addr(at) });
    }
    Ok(Step {
        next,
        back: kernel.at(next).pointer(returning),
    })
}
