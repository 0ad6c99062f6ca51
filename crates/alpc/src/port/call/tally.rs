//! How many messages ask for the same.

use std::collections::BTreeMap;

use crate::port::call::record::Call;

/// Messages that ask for the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallTally {
    /// What they ask for, in one word: see [`Call::key`].
    pub call: Asked,
    /// How many.
    pub count: usize,
}

/// What a message asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// A call.
    Call(String),
    /// Its data is of no protocol that is known.
    NotDecoded,
    /// It cannot be read.
    Unreadable,
}

/// What messages ask for, the most frequent first; what is not known comes last. Of a message there is its call, or an error
/// where that cannot be determined, or none where its data is of no protocol that is known.
pub fn tally<'c>(calls: impl Iterator<Item = Option<Result<&'c Call, ()>>>) -> Vec<CallTally> {
    let mut counts: BTreeMap<Asked, usize> = BTreeMap::new();
    for call in calls {
        let asked = match call {
            Some(Ok(call)) => Asked::Call(call.key()),
            Some(Err(())) => Asked::Unreadable,
            None => Asked::NotDecoded,
        };
        let count = counts.entry(asked).or_default();
        *count = count.saturating_add(1);
    }
    let mut tallies: Vec<CallTally> = counts
        .into_iter()
        .map(|(call, count)| CallTally { call, count })
        .collect();
    tallies.sort_by_key(|tally| {
        let is_call = matches!(tally.call, Asked::Call(_));
        (!is_call, std::cmp::Reverse(tally.count))
    });
    tallies
}
