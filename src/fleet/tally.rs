//! How many dumps ended how.

use crate::commands::triage::ignored::Counts;
use crate::failure::Status;

/// How many dumps ended how.
#[derive(Default)]
pub struct Tally {
    pub dumps: u64,
    failed: u64,
    found: u64,
    partial: u64,
    pub skipped: u64,
    pub ignored: Counts,
}

impl Tally {
    /// Counts one.
    pub fn count(&mut self, status: Status) {
        self.dumps += 1;
        match status {
            Status::Complete => {}
            Status::Finding => self.found += 1,
            Status::Fatal => self.failed += 1,
            Status::Partial => self.partial += 1,
        }
    }

    /// One line.
    pub fn text(&self) -> String {
        let plural = if self.dumps == 1 { "" } else { "s" };
        let parts = [
            (self.found, "with a deadlock"),
            (self.partial, "in part"),
            (self.failed, "failed"),
            (self.skipped, "done before"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: String = parts.map(|(count, what)| format!(", {count} {what}")).collect();
        let ignored = match self.ignored.total() {
            0 => String::new(),
            total => format!(", {total} others ignored ({})", self.ignored.reasons()),
        };
        format!("{} dump{plural}{parts}{ignored}", self.dumps)
    }
}
