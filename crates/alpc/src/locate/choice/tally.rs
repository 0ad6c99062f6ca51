//! What was checked of a layout, and how it went.

use std::fmt;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use ntkernel::image::kernel::Read;

/// What a layout is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The offsets and sizes that the kernel's debugger data block tells itself.
    DebuggerData,
    /// Processes: their header, id, image name, times, pointers and lists.
    Processes,
    /// Threads: their header, ids, process, state, stacks, waits and lists.
    Threads,
    /// The types of objects, and the headers of processes and threads.
    ObjectTypes,
    /// Entries of handle tables, which lead to headers of objects.
    Handles,
    /// Ports: their state, owner and place in the kernel's list.
    Ports,
    /// Communication infos, which tie three ports together, and their handle tables.
    Connections,
    /// The queues of ports: links both ways, and as many members as are counted.
    Queues,
    /// Messages: whether they say where they are, and their lengths.
    Messages,
    /// What ports own: sections, regions, views, reserves, security data.
    Resources,
    /// The sizes of structures that a table of published kernels has: of layouts that explain a dump alike.
    Sizes,
    /// The version of the kernel's image, where a table of published kernels has it: of layouts that explain a dump alike.
    Version,
}

impl Check {
    /// All of them, in the order in which they are made.
    pub const ALL: [Self; 12] = [
        Self::DebuggerData,
        Self::Processes,
        Self::Threads,
        Self::ObjectTypes,
        Self::Handles,
        Self::Ports,
        Self::Connections,
        Self::Queues,
        Self::Messages,
        Self::Resources,
        Self::Sizes,
        Self::Version,
    ];

    /// What it is, in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DebuggerData => "debugger data block",
            Self::Processes => "processes",
            Self::Threads => "threads",
            Self::ObjectTypes => "object types",
            Self::Handles => "handles",
            Self::Ports => "ports",
            Self::Connections => "connections",
            Self::Queues => "queues",
            Self::Messages => "messages",
            Self::Resources => "resources",
            Self::Sizes => "sizes",
            Self::Version => "version",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(feature = "serde")]
impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How often one check passed and how often it was contradicted. What could not be read counts as neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Count {
    /// Times it passed.
    pub passed: u32,
    /// Times it was contradicted.
    pub contradicted: u32,
}

/// How all checks of a layout went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    counts: [Count; Check::ALL.len()],
}

impl Tally {
    /// Counts one check; `None` when nothing can be told.
    pub(crate) fn note(&mut self, check: Check, outcome: Option<bool>) {
        let Some(count) = self.counts.get_mut(check as usize) else {
            return;
        };
        match outcome {
            Some(true) => count.passed = count.passed.saturating_add(1),
            Some(false) => count.contradicted = count.contradicted.saturating_add(1),
            None => {}
        }
    }

    /// Counts one check of something that may not be readable.
    pub(crate) fn read(&mut self, check: Check, outcome: Read<Option<bool>>) {
        self.note(check, outcome.ok().flatten());
    }

    pub(crate) fn count(&self, check: Check) -> Count {
        self.counts.get(check as usize).copied().unwrap_or_default()
    }

    /// All checks together.
    pub(crate) fn total(&self) -> Count {
        self.counts.iter().fold(Count::default(), |sum, count| Count {
            passed: sum.passed.saturating_add(count.passed),
            contradicted: sum.contradicted.saturating_add(count.contradicted),
        })
    }

    /// How well the layout explains what was read: a contradiction weighs as much as sixteen passes.
    pub(crate) fn score(&self) -> i64 {
        let total = self.total();
        i64::from(total.passed).saturating_sub(i64::from(total.contradicted).saturating_mul(16))
    }

    /// The check that the layout fails by itself: the debugger data block is exact, and of anything else a torn
    /// memory image may contradict a part.
    pub(crate) fn failed(&self) -> Option<Check> {
        Check::ALL.into_iter().find(|&check| {
            let Count { passed, contradicted } = self.count(check);
            match check {
                Check::DebuggerData => contradicted > 0,
                _ => contradicted > passed / 4 && contradicted > 1,
            }
        })
    }

    /// The check by which this layout is worse than the best: it is contradicted more often, by two at least,
    /// so that one torn value decides nothing; or it finds markedly less of what is there.
    pub(crate) fn worse_than(&self, best: &Self) -> Option<Check> {
        let contradicted = Check::ALL.into_iter().find(|&check| {
            let (mine, theirs) = (self.count(check), best.count(check));
            mine.contradicted >= theirs.contradicted.saturating_add(2)
        });
        let poorer = |check: &Check| {
            let (mine, theirs) = (self.count(*check), best.count(*check));
            theirs.passed >= 16
                && u64::from(mine.passed).saturating_mul(16) < u64::from(theirs.passed).saturating_mul(15)
        };
        contradicted.or_else(|| Check::ALL.into_iter().find(poorer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(counts: &[(Check, u32, u32)]) -> Tally {
        let mut tally = Tally::default();
        for &(check, passed, contradicted) in counts {
            (0..passed).for_each(|_| tally.note(check, Some(true)));
            (0..contradicted).for_each(|_| tally.note(check, Some(false)));
        }
        tally.note(Check::Threads, None);
        tally
    }

    #[test]
    fn one_torn_value_decides_nothing_and_two_do() {
        let best = tally(&[(Check::Ports, 40, 1)]);
        assert_eq!(tally(&[(Check::Ports, 40, 2)]).worse_than(&best), None);
        assert_eq!(
            tally(&[(Check::Ports, 40, 3)]).worse_than(&best),
            Some(Check::Ports)
        );
    }

    #[test]
    fn who_finds_less_of_what_is_there_explains_less() {
        let best = tally(&[(Check::Queues, 160, 0), (Check::Messages, 8, 0)]);
        let nearly = tally(&[(Check::Queues, 150, 0)]);
        assert_eq!(nearly.worse_than(&best), None);
        let less = tally(&[(Check::Queues, 149, 0)]);
        assert_eq!(less.worse_than(&best), Some(Check::Queues));
    }

    #[test]
    fn the_debugger_data_block_allows_no_contradiction() {
        assert_eq!(
            tally(&[(Check::DebuggerData, 8, 1)]).failed(),
            Some(Check::DebuggerData)
        );
        assert_eq!(tally(&[(Check::Threads, 8, 2)]).failed(), None);
        assert_eq!(tally(&[(Check::Threads, 8, 3)]).failed(), Some(Check::Threads));
        assert_eq!(tally(&[(Check::Threads, 0, 1)]).failed(), None);
    }
}
