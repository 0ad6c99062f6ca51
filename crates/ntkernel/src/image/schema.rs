//! JSON Schemas of what serializes by hand; with the feature `schema`.

#[cfg(feature = "schema")]
use std::borrow::Cow;

#[cfg(feature = "schema")]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

#[cfg(feature = "schema")]
use crate::image::value::{Unreadable, Value};

/// What marks the schema of a value that may be missing: `null` then, and the object around it says why under
/// `unreadable`, or names it under `absent`.
pub const MAY_BE_MISSING: &str = "x-may-be-missing";

/// As it stands in a document, where missing values are `null`.
#[cfg(feature = "schema")]
impl<T: JsonSchema> JsonSchema for Value<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Value_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = if Self::IS_FACT {
            json_schema!({ "enum": [true, null] })
        } else {
            generator.subschema_for::<Option<T>>()
        };
        schema.insert(MAY_BE_MISSING.to_owned(), true.into());
        schema
    }
}

#[cfg(feature = "schema")]
impl JsonSchema for Unreadable {
    fn schema_name() -> Cow<'static, str> {
        "Reason".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "Why a value is not known.",
            "properties": {
                "id": { "type": "string", "description": "A stable id.", "pattern": "^[a-z0-9-]+$" },
                "cause": {
                    "type": "string",
                    "description": "The id of what could not be read, where that ended a walk.",
                    "pattern": "^[a-z0-9-]+$",
                },
                "text": { "type": "string", "description": "The reason in words; these may change." },
            },
            "required": ["id", "text"],
        })
    }
}

/// Gives types the schema of a text, with what it says.
#[cfg(feature = "schema")]
#[macro_export]
macro_rules! schema_as_text {
    ($type:ty, $about:literal) => {
        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $about })
            }
        }
    };
}

/// Nothing, where no schemas are wanted.
#[cfg(not(feature = "schema"))]
#[macro_export]
macro_rules! schema_as_text {
    ($type:ty, $about:literal) => {};
}

pub use crate::schema_as_text;
