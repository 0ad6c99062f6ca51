//! What a command writes record by record.

use crate::output::describe::Describe;
pub use crate::output::describe::of;

/// A command's records: one for each line with `--format ndjson`, or each row with `--format csv`.
#[derive(Clone, Copy)]
pub struct Table {
    /// The kind of record, as each line names it.
    pub record: &'static str,
    /// The option of the command that asks for it; none where none is needed.
    pub option: Option<&'static str>,
    /// Its form.
    #[cfg_attr(
        not(feature = "schema"),
        expect(dead_code, reason = "only the derived schema asks")
    )]
    pub row: Describe,
    /// The form of what stands beside the records, in the last line, and the member of it that is written as
    /// records instead.
    pub rest: (Describe, Option<&'static str>),
}
