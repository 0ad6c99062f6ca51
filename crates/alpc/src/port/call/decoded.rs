//! What became of a message's data.

use ntkernel::image::kernel::Read;
use ntkernel::image::value::Unreadable;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::call::record::Call;
#[cfg(feature = "serde")]
use crate::port::call::told::text;

/// What a message's data is.
#[derive(Clone, Debug)]
pub enum Decoded {
    /// A call, or the answer to one.
    Call(Box<Call>),
    /// Data of no protocol that is known: why.
    Raw(String),
}

/// The call that a message is, or why none is told.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(untagged))]
pub enum MessageCall {
    /// The call.
    Call(Box<Call>),
    /// Its data is of no protocol that is known.
    NotDecoded {
        /// Why.
        not_decoded: String,
    },
    /// It cannot be determined.
    Undetermined {
        /// Why.
        #[cfg_attr(feature = "serde", serde(serialize_with = "text"))]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        undetermined: Box<Unreadable>,
    },
}

impl From<Read<Decoded>> for MessageCall {
    fn from(read: Read<Decoded>) -> Self {
        match read {
            Ok(Decoded::Call(call)) => Self::Call(call),
            Ok(Decoded::Raw(not_decoded)) => Self::NotDecoded { not_decoded },
            Err(hole) => Self::Undetermined {
                undetermined: Box::new(hole),
            },
        }
    }
}
