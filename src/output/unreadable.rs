//! What records could not tell, counted by cause.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use alpc::image::json::UnreadableRecord;

use crate::failure::Status;
use crate::output::document::Cause;

/// What records could not tell.
#[derive(Debug, Default)]
pub struct Unreadables {
    /// The holes of the record at hand.
    list: Vec<UnreadableRecord>,
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

impl Unreadables {
    /// Those of a record.
    pub fn of(list: Vec<UnreadableRecord>) -> Self {
        let mut causes = BTreeMap::new();
        for hole in &list {
            let count = causes.entry(hole.cause.clone()).or_insert_with(|| Count {
                values: 0,
                first: hole.text.clone(),
            });
            count.values += 1;
        }
        Self { list, causes }
    }

    /// The status that follows for a command that printed them: which reasons are holes says
    /// [`alpc::Unreadable::is_partial`], and a run that has one is partial.
    pub fn status(&self) -> Status {
        if self.causes.is_empty() {
            Status::Complete
        } else {
            Status::Partial
        }
    }

    /// The holes of the record, in its order.
    pub fn list(&self) -> &[UnreadableRecord] {
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
        (total > 0).then(|| format!("{total} {values} could not be determined: {}", list.join("; ")))
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
        "not-told" => "not described by the layouts in use".to_owned(),
        "header-only" => "in a dump of which only the header can be read".to_owned(),
        other => other.replace('-', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(id: &str, cause: &str, text: &str) -> UnreadableRecord {
        UnreadableRecord {
            path: id.to_owned(),
            id: id.to_owned(),
            cause: cause.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_walk_that_memory_ended_counts_by_the_memory() {
        let holes = Unreadables::of(vec![
            missing("walk-ended", "out-of-file", "gone"),
            missing("out-of-file", "out-of-file", "cut"),
            missing("walk-ended", "walk-ended", "loops"),
        ]);
        assert_eq!(
            holes.summary().unwrap(),
            "3 values could not be determined: 2 where the file is cut off (gone); 1 walk ended (loops)"
        );
        let causes: Vec<&str> = holes.list().iter().map(|hole| hole.cause.as_str()).collect();
        assert_eq!(causes, ["out-of-file", "out-of-file", "walk-ended"]);
        assert_eq!(holes.status(), Status::Partial);
    }

    #[test]
    fn a_whole_record_has_no_holes() {
        let holes = Unreadables::of(Vec::new());
        assert!(holes.summary().is_none());
        assert_eq!(holes.status(), Status::Complete);
    }
}
