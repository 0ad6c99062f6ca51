//! Records as JSON: what is missing becomes `null`, with the reason beside it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Map, Value as Json};

use crate::failure::Status;
use crate::output::document::Cause;
use crate::output::document::HoleRecord;

/// What records could not tell.
#[derive(Debug, Default)]
pub struct Holes {
    /// The holes of the record at hand.
    list: Vec<HoleRecord>,
    /// All of them, by the id of their cause.
    causes: BTreeMap<String, Count>,
}

/// How many values have one cause.
#[derive(Debug)]
struct Count {
    values: u64,
    /// The reason of the first one in words.
    first: String,
}

impl Holes {
    /// Replaces each missing value of a record by `null` and puts its reason into the map `unreadable` (or
    /// the list `absent`, when this kernel has no such thing) of the object around it. What is kept back on request
    /// has its reason there too, but is no hole.
    pub fn hoist(record: &mut Json) -> Self {
        let mut holes = Self::default();
        let mut own = Beside::default();
        holes.visit(record, "", "", &mut own);
        holes
    }

    /// The status that follows for a command that printed them: which reasons are holes says
    /// [`alpc::Hole::is_partial`], and a run that has one is partial.
    pub fn status(&self) -> Status {
        if self.causes.is_empty() {
            Status::Complete
        } else {
            Status::Partial
        }
    }

    /// The holes of the record, in its order.
    pub fn list(&self) -> &[HoleRecord] {
        &self.list
    }

    /// How many there are for each cause.
    pub fn by_cause(&self) -> Vec<Cause> {
        let causes = self.causes.iter();
        causes
            .map(|(cause, count)| Cause {
                cause: cause.clone(),
                count: count.values,
                first: count.first.clone(),
            })
            .collect()
    }

    /// Adds those of what stands beside the record.
    pub fn extend(&mut self, mut beside: Self) {
        self.list.append(&mut beside.list);
        self.add(beside);
    }

    /// Counts those of one more record, and forgets where each of them stood.
    pub fn add(&mut self, record: Self) {
        for (cause, count) in record.causes {
            match self.causes.entry(cause) {
                Entry::Vacant(entry) => {
                    entry.insert(count);
                }
                Entry::Occupied(entry) => entry.into_mut().values += count.values,
            }
        }
    }

    /// Where the holes of the record are and their ids, in one line.
    pub fn in_short(&self) -> String {
        let list: Vec<String> = self
            .list
            .iter()
            .map(|hole| format!("{}: {}", hole.path, hole.cause))
            .collect();
        list.join("; ")
    }

    /// One line that sums the holes up by cause; none when there are none.
    pub fn summary(&self) -> Option<String> {
        let total: u64 = self.causes.values().map(|count| count.values).sum();
        let list: Vec<String> = self
            .causes
            .iter()
            .map(|(id, count)| format!("{} {} ({})", count.values, cause(id), count.first))
            .collect();
        let values = if total == 1 { "value" } else { "values" };
        (total > 0).then(|| format!("{total} {values} could not be told: {}", list.join("; ")))
    }

    /// Looks for missing values in a value at `path`, which is called `name` in the object around it.
    fn visit(&mut self, value: &mut Json, path: &str, name: &str, beside: &mut Beside) {
        match value {
            Json::Object(map) => match missing(map) {
                Some((kind, reason)) => {
                    match kind {
                        Kind::Absent => beside.absent.push(Json::from(name)),
                        Kind::Withheld => beside.note(name, reason),
                        Kind::Unreadable => {
                            self.note(path, &reason);
                            beside.note(name, reason);
                        }
                    }
                    *value = Json::Null;
                }
                None => self.visit_object(map, path),
            },
            Json::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let at = |of: &str| format!("{of}[{index}]");
                    self.visit(item, &at(path), &at(name), beside);
                }
            }
            _ => {}
        }
    }

    fn visit_object(&mut self, map: &mut Map<String, Json>, path: &str) {
        let mut beside = Beside::default();
        for (key, value) in map.iter_mut() {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            self.visit(value, &path, key, &mut beside);
        }
        if !beside.reasons.is_empty() {
            map.insert("unreadable".to_owned(), beside.reasons.into());
        }
        if !beside.absent.is_empty() {
            map.insert("absent".to_owned(), beside.absent.into());
        }
    }

    fn note(&mut self, path: &str, reason: &Json) {
        let text = |key: &str| reason[key].as_str().unwrap_or_default().to_owned();
        let cause = if reason["cause"].is_null() { "id" } else { "cause" };
        let hole = HoleRecord {
            path: path.to_owned(),
            id: text("id"),
            cause: text(cause),
            text: text("text"),
        };
        let count = self.causes.entry(hole.cause.clone()).or_insert_with(|| Count {
            values: 0,
            first: hole.text.clone(),
        });
        count.values += 1;
        self.list.push(hole);
    }
}

/// The cause of a hole in words, by its id.
fn cause(id: &str) -> String {
    match id {
        "not-present" => "not present in the page tables".to_owned(),
        "not-in-dump" => "not in the dump".to_owned(),
        "out-of-file" => "where the file is cut off".to_owned(),
        "filler-page" => "in pages that the writer of the dump could not read".to_owned(),
        "not-in-triage-dump" => "not in this triage dump".to_owned(),
        "null-pointer" => "behind a null pointer".to_owned(),
        "not-told" => "not told by the layouts in use".to_owned(),
        "header-only" => "in a dump of which only the header can be read".to_owned(),
        other => other.replace('-', " "),
    }
}

/// What stands beside the members of an object.
#[derive(Default)]
struct Beside {
    reasons: Map<String, Json>,
    absent: Vec<Json>,
}

impl Beside {
    fn note(&mut self, name: &str, reason: Json) {
        self.reasons.insert(name.to_owned(), reason);
    }
}

enum Kind {
    Absent,
    Withheld,
    Unreadable,
}

/// The reason in a value that is missing.
fn missing(map: &mut Map<String, Json>) -> Option<(Kind, Json)> {
    if map.len() != 1 {
        return None;
    }
    let (key, reason) = map.iter_mut().next()?;
    let kind = match key.as_str() {
        "$unreadable" => Kind::Unreadable,
        "$withheld" => Kind::Withheld,
        "$absent" => Kind::Absent,
        _ => return None,
    };
    Some((kind, reason.take()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_missing_value_is_null_with_its_reason_beside_it() {
        let reason = json!({ "id": "not-in-dump", "text": "frame 12 is not in the dump" });
        let mut record = json!({
            "a": 1, "b": { "$unreadable": reason }, "c": { "$absent": { "id": "no-member", "text": "x" } },
            "d": { "e": { "$unreadable": reason } },
        });
        let holes = Holes::hoist(&mut record);
        assert_eq!(
            record,
            json!({
                "a": 1, "b": null, "c": null, "unreadable": { "b": reason }, "absent": ["c"],
                "d": { "e": null, "unreadable": { "e": reason } },
            })
        );
        assert_eq!(holes.status(), Status::Partial);
        assert_eq!(
            holes.summary().unwrap(),
            "2 values could not be told: 2 not in the dump (frame 12 is not in the dump)"
        );
    }

    #[test]
    fn an_element_that_is_missing_has_its_reason_beside_the_list() {
        let reason = json!({ "id": "implausible", "text": "it cannot be" });
        let mut record = json!({ "a": { "gaps": [1, { "$unreadable": reason }] } });
        let holes = Holes::hoist(&mut record);
        assert_eq!(
            record,
            json!({ "a": { "gaps": [1, null], "unreadable": { "gaps[1]": reason } } })
        );
        assert_eq!(holes.list()[0].path, "a.gaps[1]");
        assert_eq!(holes.status(), Status::Partial);
    }

    #[test]
    fn what_is_kept_back_on_request_is_no_hole() {
        let reason = json!({ "id": "withheld", "text": "kept back" });
        let mut record = json!({ "a": { "$withheld": reason } });
        let holes = Holes::hoist(&mut record);
        assert_eq!(record, json!({ "a": null, "unreadable": { "a": reason } }));
        assert!(holes.list().is_empty() && holes.summary().is_none());
        assert_eq!(holes.status(), Status::Complete);
    }

    #[test]
    fn a_whole_record_has_no_holes() {
        assert!(
            Holes::hoist(&mut json!({ "a": [1, 2], "b": null }))
                .summary()
                .is_none()
        );
    }

    #[test]
    fn a_walk_that_memory_ended_counts_by_the_memory() {
        let mut record = json!({
            "a": { "$unreadable": { "id": "walk-ended", "cause": "out-of-file", "text": "gone" } },
            "b": { "$unreadable": { "id": "out-of-file", "text": "cut" } },
            "c": { "$unreadable": { "id": "walk-ended", "text": "loops" } },
        });
        let holes = Holes::hoist(&mut record);
        assert_eq!(
            holes.summary().unwrap(),
            "3 values could not be told: 2 where the file is cut off (gone); 1 walk ended (loops)"
        );
        let causes: Vec<&str> = holes.list().iter().map(|hole| hole.cause.as_str()).collect();
        assert_eq!(causes, ["out-of-file", "out-of-file", "walk-ended"]);
        assert_eq!(record["unreadable"]["a"]["id"], "walk-ended");
    }
}
