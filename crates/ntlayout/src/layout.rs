//! What a contract resolved to: plain data, indexed as the contract is.

use std::fmt;

use crate::identity::Identity;
use crate::table::Origin;

/// Which bits of its storage unit a bit field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BitField {
    /// Lowest bit, counted from the least significant one.
    pub position: u8,
    /// Number of bits, 1 to 64.
    pub length: u8,
}

impl fmt::Display for BitField {
    /// As the debugger's `dt` has it: `Pos 3, 4 Bits`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.length == 1 { "" } else { "s" };
        write!(f, "Pos {}, {} Bit{plural}", self.position, self.length)
    }
}

/// Where a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Bytes from the start of the type named in the contract, through all nested members.
    pub offset: u32,
    /// Bytes of the member's declared type; for a bit field, of its storage unit.
    pub size: u32,
    /// Position and length, if the member is a bit field.
    pub bits: Option<BitField>,
    /// Index of the contract's spelling that was found.
    pub spelling: u8,
}

/// A required thing that a symbol table does not have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The whole type is not there; its fields are not listed again.
    Type {
        /// The type's name.
        ty: &'static str,
    },
    /// The type is there, and has the field in none of its spellings.
    Field {
        /// The type's name.
        ty: &'static str,
        /// The caller's name of the field.
        name: &'static str,
        /// What was looked for.
        spellings: &'static [&'static str],
    },
    /// The global is not there, with or without a leading underscore.
    Global {
        /// Its name.
        name: &'static str,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { ty } => write!(f, "type {ty}"),
            Self::Field { ty, spellings, .. } => write!(f, "{ty}.{}", spellings.join(" or .")),
            Self::Global { name } => write!(f, "global {name}"),
        }
    }
}

/// How sure it is that a layout is that of the image it is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Certainty {
    /// The image names these symbols by GUID and age.
    #[default]
    Exact,
    /// The image does not say, and its addresses are where these symbols have them.
    Addresses,
    /// The image's own symbols are not known; these explain what was found in it.
    Evidence,
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Addresses => "identified by addresses",
            Self::Evidence => "chosen by evidence",
        })
    }
}

/// A resolved [`Contract`](crate::Contract).
#[derive(Clone, Debug)]
pub struct Layout {
    pub(crate) fields: Vec<Option<Field>>,
    pub(crate) type_sizes: Vec<Option<u32>>,
    pub(crate) globals: Vec<Option<u32>>,
    pub(crate) missing: Vec<Missing>,
    pub(crate) identity: Option<Identity>,
    pub(crate) origin: Origin,
    pub(crate) certainty: Certainty,
}

impl Layout {
    /// Where the contract's field of that index is, if the table has it.
    #[must_use]
    pub fn field(&self, index: usize) -> Option<Field> {
        self.fields.get(index).copied().flatten()
    }

    /// Bytes of the contract's type of that index, if the table has it.
    #[must_use]
    pub fn type_size(&self, index: usize) -> Option<u32> {
        self.type_sizes.get(index).copied().flatten()
    }

    /// RVA of the contract's global of that index, if the table has it.
    #[must_use]
    pub fn global(&self, index: usize) -> Option<u32> {
        self.globals.get(index).copied().flatten()
    }

    /// Every required thing that is not there, in the contract's order: types and fields, then globals.
    #[must_use]
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Which image the table belongs to, if it says so.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// How sure it is that the table is that of the image.
    #[must_use]
    pub fn certainty(&self) -> Certainty {
        self.certainty
    }

    /// The same, of a table that was chosen with that certainty.
    #[must_use]
    pub fn with_certainty(mut self, certainty: Certainty) -> Self {
        self.certainty = certainty;
        self
    }

    /// Where the table came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}
