//! Records as JSON: what is missing becomes `null`, with the reason beside it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

/// A value that could not be told.
#[derive(Debug)]
struct Unreadable {
    /// Path of the value in the record.
    path: String,
    /// Id of the reason.
    id: String,
    /// Id of the cause: of the memory that a walk ended at, else the same.
    cause: String,
    /// The reason in words.
    text: String,
}

/// What a record could not tell.
#[derive(Debug, Default)]
pub struct Holes {
    unreadable: Vec<Unreadable>,
}

impl Holes {
    /// Replaces each missing value of a record by `null` and puts its reason into the map `unreadable` (or
    /// the list `absent`, when this kernel has no such thing) of the object around it.
    pub fn hoist(record: &mut Json) -> Self {
        let mut holes = Self::default();
        holes.visit(record, "");
        holes
    }

    /// Whether memory was missing, as opposed to things that are not what they should be.
    pub fn unreadable(&self) -> bool {
        self.unreadable
            .iter()
            .any(|hole| hole.id != "implausible" && hole.id != "withheld")
    }

    /// The holes as a list.
    pub fn to_json(&self) -> Json {
        self.unreadable
            .iter()
            .map(|hole| json!({ "path": hole.path, "id": hole.id, "cause": hole.cause, "text": hole.text }))
            .collect()
    }

    /// One line that sums the holes up by cause; none when there are none.
    pub fn summary(&self) -> Option<String> {
        let mut causes: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for hole in &self.unreadable {
            causes.entry(&hole.cause).or_insert((0, &hole.text)).0 += 1;
        }
        let total = self.unreadable.len();
        let list: Vec<String> = causes
            .iter()
            .map(|(id, (count, first))| format!("{count} {} ({first})", cause(id)))
            .collect();
        let values = if total == 1 { "value" } else { "values" };
        (total > 0).then(|| format!("{total} {values} could not be told: {}", list.join("; ")))
    }

    fn visit(&mut self, value: &mut Json, path: &str) {
        match value {
            Json::Object(map) => self.visit_object(map, path),
            Json::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let path = format!("{path}[{index}]");
                    if let Some((_, reason)) = missing(item) {
                        self.note(&path, &reason);
                        *item = Json::Null;
                    } else {
                        self.visit(item, &path);
                    }
                }
            }
            _ => {}
        }
    }

    fn visit_object(&mut self, map: &mut Map<String, Json>, path: &str) {
        let mut reasons = Map::new();
        let mut absent = Vec::new();
        for (key, value) in map.iter_mut() {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            match missing(value) {
                Some((Kind::Absent, _)) => {
                    absent.push(Json::from(key.as_str()));
                    *value = Json::Null;
                }
                Some((Kind::Unreadable, reason)) => {
                    self.note(&path, &reason);
                    reasons.insert(key.clone(), reason);
                    *value = Json::Null;
                }
                None => self.visit(value, &path),
            }
        }
        if !reasons.is_empty() {
            map.insert("unreadable".to_owned(), reasons.into());
        }
        if !absent.is_empty() {
            map.insert("absent".to_owned(), absent.into());
        }
    }

    fn note(&mut self, path: &str, reason: &Json) {
        let text = |key: &str| reason[key].as_str().unwrap_or_default().to_owned();
        let cause = if reason["cause"].is_null() { "id" } else { "cause" };
        self.unreadable.push(Unreadable {
            path: path.to_owned(),
            id: text("id"),
            cause: text(cause),
            text: text("text"),
        });
    }
}

/// The cause of a hole in words, by its id.
fn cause(id: &str) -> String {
    match id {
        "not-present" => "not present in the page tables".to_owned(),
        "not-in-dump" => "not in the dump".to_owned(),
        "out-of-file" => "where the file is cut off".to_owned(),
        "not-in-triage-dump" => "not in this triage dump".to_owned(),
        "header-only" => "in a dump of which only the header can be read".to_owned(),
        other => other.replace('-', " "),
    }
}

enum Kind {
    Absent,
    Unreadable,
}

/// The reason in a value that is missing.
fn missing(value: &Json) -> Option<(Kind, Json)> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    if let Some(reason) = map.get("$unreadable") {
        return Some((Kind::Unreadable, reason.clone()));
    }
    map.get("$absent").map(|reason| (Kind::Absent, reason.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(holes.unreadable());
        assert_eq!(
            holes.summary().unwrap(),
            "2 values could not be told: 2 not in the dump (frame 12 is not in the dump)"
        );
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
        let causes: Vec<Json> = holes
            .to_json()
            .as_array()
            .unwrap()
            .iter()
            .map(|hole| hole["cause"].clone())
            .collect();
        assert_eq!(causes, ["out-of-file", "out-of-file", "walk-ended"]);
        assert_eq!(record["unreadable"]["a"]["id"], "walk-ended");
    }
}
