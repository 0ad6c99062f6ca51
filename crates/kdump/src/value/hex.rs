//! How addresses are serialized: as the debugger writes them, 16 hex digits; JSON numbers lose the low bits of
//! kernel addresses in most readers.

#[cfg(feature = "schema")]
use std::borrow::Cow;

#[cfg(feature = "schema")]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serializer;

use crate::value::address::{Gpa, Gva, Pfn};

fn write<S: Serializer>(value: u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{value:016x}"))
}

#[allow(clippy::trivially_copy_pass_by_ref)]
pub(crate) fn u64<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    write(*value, serializer)
}

pub(crate) fn u64s<S: Serializer>(values: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| format!("{value:016x}")))
}

pub(crate) fn gva<S: Serializer>(value: &Gva, serializer: S) -> Result<S::Ok, S::Error> {
    write(value.u64(), serializer)
}

pub(crate) fn gpa<S: Serializer>(value: &Gpa, serializer: S) -> Result<S::Ok, S::Error> {
    write(value.u64(), serializer)
}

pub(crate) fn pfn<S: Serializer>(value: &Pfn, serializer: S) -> Result<S::Ok, S::Error> {
    write(value.u64(), serializer)
}

pub(crate) fn opt_gva<S: Serializer>(value: &Option<Gva>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => write(value.u64(), serializer),
        None => serializer.serialize_none(),
    }
}

/// The schema of a number or address in 16 hex digits; `info` shortens those of 32-bit systems to 8.
#[cfg(feature = "schema")]
pub(crate) struct Hex;

#[cfg(feature = "schema")]
impl JsonSchema for Hex {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Hex".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9a-f]{8}|[0-9a-f]{16})$" })
    }
}
