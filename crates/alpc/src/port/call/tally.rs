//! How many messages ask for the same.

use std::collections::BTreeMap;

use kdump::Gva;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::call::decode::{Calls, Decoded};

/// Messages that ask for the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct CallTally {
    /// What they ask for, in one word: see [`Call::key`](crate::port::call::Call::key). None of those that are of no protocol
    /// that is known, or cannot be read.
    pub call: Option<String>,
    /// How many.
    pub count: usize,
}

/// What messages ask for, the most frequent first; what is not known comes last.
#[must_use]
pub fn tally(calls: &Calls<'_, '_>, messages: impl Iterator<Item = Gva>) -> Vec<CallTally> {
    let keys = messages.map(|message| match calls.of(message) {
        Ok(Decoded::Call(call)) => Some(call.key()),
        _ => None,
    });
    of_keys(keys)
}

/// The same of what they ask for.
#[must_use]
pub fn of_keys(keys: impl Iterator<Item = Option<String>>) -> Vec<CallTally> {
    let mut counts: BTreeMap<Option<String>, usize> = BTreeMap::new();
    for key in keys {
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(1);
    }
    let mut tallies: Vec<CallTally> = counts
        .into_iter()
        .map(|(call, count)| CallTally { call, count })
        .collect();
    tallies.sort_by_key(|tally| (tally.call.is_none(), std::cmp::Reverse(tally.count)));
    tallies
}
