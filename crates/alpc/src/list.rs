//! Doubly linked lists in a memory image that may be torn, cut or hostile.
//!
//! A list is followed by `Flink` as far as it goes, each link checked against the `Blink` of the next entry.
//! When that does not come back to the head, it is followed by `Blink` from the other end as well: a single
//! entry whose page is missing then costs nothing but that entry's own contents.

use std::collections::HashSet;

use kdump::{Gva, Gxa};
use schemars::JsonSchema;
use serde::Serialize;

use crate::contract::ListEntry;
use crate::kernel::{Kernel, Read, before};
use crate::value::{Addr, Hole};

/// Entries after which a walk gives up; far more than any list of a live system holds.
const CAP: usize = 1 << 20;

/// What stopped a walk before it came back to its head.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Stop {
    /// The links of an entry cannot be read.
    Unreadable {
        /// The entry.
        at: Addr,
        /// Why.
        reason: Hole,
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

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable { at, reason } => write!(f, "the entry at {at} cannot be read: {reason}"),
            Self::BrokenLink { at, expected, found } => {
                write!(f, "the entry at {at} points back to {found}, not to {expected}")
            }
            Self::Loop { at } => write!(f, "the list loops at {at}"),
            Self::NullLink { at } => write!(f, "the entry at {at} has a null link"),
            Self::TooLong { at, after } => write!(f, "gave up after {after} entries, at {at}"),
        }
    }
}

/// What a list holds, as far as the dump tells.
#[derive(Clone, Debug)]
pub struct List {
    /// The entries in list order, without the head. An entry may itself be unreadable: then only its address
    /// is known, from its neighbours.
    pub entries: Vec<Gva>,
    /// Where entries are missing, if any are.
    pub gap: Option<Gap>,
}

/// A stretch of a list that could not be followed from either side.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Gap {
    /// How many of the entries stand before the gap.
    pub after: usize,
    /// What stopped the walk by `Flink`.
    pub forward: Stop,
    /// What stopped the walk by `Blink`; none when that was never begun.
    pub backward: Option<Stop>,
}

impl Gap {
    /// What could not be read, on either side.
    fn unreadable(&self) -> Option<&Hole> {
        let stops = [Some(&self.forward), self.backward.as_ref()];
        stops.into_iter().flatten().find_map(|stop| match stop {
            Stop::Unreadable { reason, .. } => Some(reason),
            _ => None,
        })
    }
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.forward)?;
        match &self.backward {
            Some(backward) => write!(f, "; from the other end, {backward}"),
            None => Ok(()),
        }
    }
}

impl List {
    /// Nothing, or why entries of `what` are missing.
    pub fn complete(&self, what: &str) -> Read<()> {
        match &self.gap {
            None => Ok(()),
            Some(gap) => Err(Hole::walk(
                format!("{what} has a gap after {} entries: {gap}", gap.after),
                gap.unreadable(),
            )),
        }
    }

    /// Whether nothing was ever put into the list: its head has no links at all.
    #[must_use]
    pub(crate) fn was_never_linked(&self) -> bool {
        let gap = self.gap.as_ref().map(|gap| &gap.forward);
        self.entries.is_empty() && matches!(gap, Some(Stop::NullLink { .. }))
    }

    /// The structures whose member at `link` the entries are.
    #[must_use]
    pub(crate) fn containers(mut self, link: u64) -> Self {
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

struct Half {
    entries: Vec<Gva>,
    end: HalfEnd,
}

enum HalfEnd {
    /// Came back to the head.
    Head,
    /// Met an entry that the walk from the other side had reached.
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
pub(crate) fn walk_up_to(kernel: &Kernel<'_>, head: Gva, cap: usize) -> List {
    let mut seen = HashSet::new();
    let forward = half(kernel, head, Direction::Forward, cap, &mut seen);
    let HalfEnd::Stopped(stop) = forward.end else {
        return List {
            entries: forward.entries,
            gap: None,
        };
    };
    if forward.entries.is_empty() && matches!(&stop, Stop::Unreadable { at, .. } if at.gva() == head) {
        return List::unreadable(stop);
    }
    let after = forward.entries.len();
    let backward = half(kernel, head, Direction::Backward, cap, &mut seen);
    let mut entries = forward.entries;
    entries.extend(backward.entries.into_iter().rev());
    let gap = match backward.end {
        // Both walks ended at the same unreadable entry: nothing is missing.
        HalfEnd::Joined if matches!(stop, Stop::Unreadable { .. }) => None,
        HalfEnd::Joined | HalfEnd::Head => Some(Gap {
            after,
            forward: stop,
            backward: None,
        }),
        HalfEnd::Stopped(back) => Some(Gap {
            after,
            forward: stop,
            backward: Some(back),
        }),
    };
    List { entries, gap }
}

fn half(kernel: &Kernel<'_>, head: Gva, direction: Direction, cap: usize, seen: &mut HashSet<u64>) -> Half {
    let mut entries = Vec::new();
    let mut at = head;
    let end = loop {
        match step(kernel, at, direction) {
            Err(stop) => break HalfEnd::Stopped(stop),
            Ok(Step { next, back }) => {
                if next == head {
                    break match back {
                        Ok(back) if back != at => HalfEnd::Stopped(broken(kernel, next, at, back)),
                        _ => HalfEnd::Head,
                    };
                }
                if seen.contains(&next.u64()) {
                    break match direction {
                        Direction::Forward => HalfEnd::Stopped(Stop::Loop {
                            at: kernel.addr(next),
                        }),
                        Direction::Backward => HalfEnd::Joined,
                    };
                }
                match back {
                    Ok(back) if back != at => break HalfEnd::Stopped(broken(kernel, next, at, back)),
                    Ok(_) => {}
                    Err(reason) => {
                        seen.insert(next.u64());
                        entries.push(next);
                        break HalfEnd::Stopped(Stop::Unreadable {
                            at: kernel.addr(next),
                            reason,
                        });
                    }
                }
                if entries.len() >= cap {
                    break HalfEnd::Stopped(Stop::TooLong {
                        at: kernel.addr(next),
                        after: cap,
                    });
                }
                seen.insert(next.u64());
                entries.push(next);
                at = next;
            }
        }
    };
    Half { entries, end }
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
        return Err(Stop::NullLink { at: kernel.addr(at) });
    }
    Ok(Step {
        next,
        back: kernel.at(next).pointer(returning),
    })
}
