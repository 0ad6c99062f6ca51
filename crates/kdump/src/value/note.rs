//! A finding about a dump that can be read all the same.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

/// A finding that does not keep the dump from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Note {
    /// The stable name of the finding, for machines: kebab-case, never changed once released.
    pub id: &'static str,
    /// The finding in words, with its numbers.
    pub text: String,
    /// What it says of the dump's memory, when that is why parts of it cannot be read.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub lost: Option<Lost>,
}

/// Why memory that a dump should have cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// The file ends before it.
    Cut,
    /// Only the header of this kind of dump can be read.
    HeaderOnly,
    /// The page tables that the header names do not lead to the kernel.
    NotMapped,
    /// The pages are encrypted.
    Encrypted,
}

impl Note {
    pub(crate) fn new(id: &'static str, text: impl Into<String>) -> Note {
        Note {
            id,
            text: text.into(),
            lost: None,
        }
    }

    /// The same, where it is why memory cannot be read.
    pub(crate) fn losing(self, lost: Lost) -> Note {
        Note {
            lost: Some(lost),
            ..self
        }
    }
}
