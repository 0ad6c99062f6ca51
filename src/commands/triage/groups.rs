//! Dumps that hang alike.

use std::collections::BTreeMap;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use crate::output::document::{Line, VERSION};
use crate::output::table::{Table, of};

/// Their records.
pub const TABLE: Table = Table {
    record: "group",
    option: None,
    row: of::<Group>,
    rest: (of::<()>, None),
};

/// Dumps that have the same signature; or the same error, when they have none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Group {
    /// Version of the format.
    version: u32,
    /// The signature of all of them.
    pub signature: Option<String>,
    /// The id of the error of all of them.
    pub error: Option<String>,
    /// How many.
    pub dumps: u64,
    /// The bytes of the first one's path in hex, when they are no valid text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})+$")))]
    pub dump_bytes: Option<String>,
    /// The name of the first, which a line names as its dump.
    #[serde(skip)]
    pub first: String,
}

impl Group {
    /// The record as a line.
    pub fn line(&self) -> Line<&Self> {
        Line {
            record: TABLE.record,
            dump: self.first.clone(),
            value: self,
        }
    }
}

/// Counts dumps by signature.
#[derive(Default)]
pub struct Groups {
    known: BTreeMap<(Option<String>, Option<String>), Known>,
}

/// How many there are, and the name of the first.
struct Known {
    dumps: u64,
    first: String,
    bytes: Option<String>,
}

impl Groups {
    /// Counts a record of a dump.
    pub fn add(&mut self, record: &Json) {
        let text = |value: &Json| value.as_str().map(str::to_owned);
        let signature = text(&record["signature"]);
        let error = text(&record["error"]["id"]).filter(|_| signature.is_none());
        let first = || Known {
            dumps: 0,
            first: text(&record["dump"]).unwrap_or_default(),
            bytes: text(&record["dump_bytes"]),
        };
        self.known.entry((signature, error)).or_insert_with(first).dumps += 1;
    }

    /// The groups, the largest first, those of one size by signature.
    pub fn ranked(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = self
            .known
            .iter()
            .map(|((signature, error), known)| Group {
                version: VERSION,
                signature: signature.clone(),
                error: error.clone(),
                dumps: known.dumps,
                dump_bytes: known.bytes.clone(),
                first: known.first.clone(),
            })
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.dumps));
        groups
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_largest_group_is_first() {
        let mut groups = Groups::default();
        for (dump, signature, error) in [
            ("a", Some("none"), None),
            ("b", None, Some("timeout")),
            ("c", Some("deadlock:a>a"), None),
            ("d", Some("deadlock:a>a"), None),
            ("e", None, Some("empty-file")),
        ] {
            let error = error.map(|id| json!({ "id": id, "text": dump }));
            groups.add(&json!({ "dump": dump, "signature": signature, "error": error }));
        }
        let ranked: Vec<_> = groups
            .ranked()
            .into_iter()
            .map(|group| (group.dumps, group.signature.or(group.error).unwrap(), group.first))
            .collect();
        let expected = [
            (2, "deadlock:a>a", "c"),
            (1, "empty-file", "e"),
            (1, "timeout", "b"),
            (1, "none", "a"),
        ]
        .map(|(dumps, key, first)| (dumps, key.to_owned(), first.to_owned()));
        assert_eq!(ranked, expected);
    }
}
