//! Where a value of a record comes from.

use alpc::image::source::SourceRecord;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

/// The kind of record that a line with one is.
pub const NAME: &str = "explanation";

/// One of the reads that a value of the record comes from.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Explanation {
    /// The value, by its path in the document: `result.queue_type`.
    pub value: String,
    /// What was read.
    #[serde(flatten)]
    pub source: SourceRecord,
}
