//! What the data of a message says, as far as it could be determined.

use ntkernel::image::kernel::Read;
use ntkernel::image::value::Unreadable;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

/// What a message's data says, or why that cannot be determined.
///
/// It is told beside things that are known without it, so what hides it makes no record incomplete: a wait is a wait,
/// whatever the call is. Views that are about calls alone say it as any other hole.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(untagged))]
pub enum Told<T> {
    /// What it says.
    Known(T),
    /// It cannot be determined.
    Undetermined {
        /// Why.
        #[cfg_attr(feature = "serde", serde(serialize_with = "text"))]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        undetermined: Box<Unreadable>,
    },
}

impl<T> Told<T> {
    /// What it says.
    #[must_use]
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Undetermined { .. } => None,
        }
    }

    /// Why it cannot be determined.
    #[must_use]
    pub fn reason(&self) -> Option<&Unreadable> {
        match self {
            Self::Known(_) => None,
            Self::Undetermined { undetermined } => Some(undetermined),
        }
    }
}

impl<T> From<Read<T>> for Told<T> {
    fn from(read: Read<T>) -> Self {
        match read {
            Ok(value) => Self::Known(value),
            Err(hole) => Self::Undetermined {
                undetermined: Box::new(hole),
            },
        }
    }
}

#[cfg(feature = "serde")]
pub(super) fn text<S: serde::Serializer>(hole: &Unreadable, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(hole)
}
