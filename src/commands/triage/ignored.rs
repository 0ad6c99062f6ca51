//! What lies in a folder and is no dump: counted by reason, and listed where that is asked for.

use std::collections::BTreeMap;
use std::path::Path;

use kdump::FileKind;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::host::reading::portable;
use crate::output::document::{Line, VERSION, exact};
use crate::output::table::{Table, of};

/// Their records, with `-v`.
pub const TABLE: Table = Table {
    record: "ignored",
    option: None,
    row: of::<Ignored>,
    rest: (of::<()>, None),
};

/// Something in a folder that no record of a dump is written about: neither its name nor its first bytes are those of
/// a dump.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Ignored {
    /// Version of the format.
    version: u32,
    /// The bytes of its path in hex, when they are no valid text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})+$")))]
    dump_bytes: Option<String>,
    /// What it is: a stable id, for scripts.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[a-z0-9-]+$")))]
    pub reason: &'static str,
    /// It in words, which may change.
    pub text: String,
}

impl Ignored {
    fn new(reason: &'static str, text: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            dump_bytes: None,
            reason,
            text: text.into(),
        }
    }

    /// A file that is something else.
    pub fn file(kind: FileKind) -> Self {
        Self::new(kind.class.name(), kind.found)
    }

    /// A file without bytes.
    pub fn empty() -> Self {
        Self::new("empty-file", "an empty file")
    }

    /// A device or a pipe.
    pub fn not_a_file() -> Self {
        // To open a pipe for reading waits until somebody opens it for writing (POSIX on FIFOs): a folder with one
        // in it would never end.
        Self::new("not-a-file", "a device, a pipe or a socket")
    }

    /// A folder in a folder.
    pub fn folder() -> Self {
        Self::new("folder", "a folder; --recursive looks into it")
    }

    /// A link to a folder that it is in.
    pub fn link_loop() -> Self {
        Self::new("link-loop", "a link to a folder that it is in itself")
    }

    /// The record as a line; `name` stands for its path where that is not to be told.
    pub fn line(mut self, path: &Path, name: Option<String>) -> Line<Self> {
        if name.is_none() {
            self.dump_bytes = exact(path);
        }
        Line {
            record: TABLE.record,
            dump: name.unwrap_or_else(|| portable(path)),
            value: self,
        }
    }
}

/// How many were ignored, by reason.
#[derive(Default)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// Counts one.
    pub fn add(&mut self, reason: &'static str) {
        *self.0.entry(reason).or_default() += 1;
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// What they are: `1 folder, 2 text`.
    pub fn reasons(&self) -> String {
        let reasons = self.0.iter().map(|(reason, count)| format!("{count} {reason}"));
        reasons.collect::<Vec<_>>().join(", ")
    }
}
