//! Where a kernel's variables are, for those that its symbols do not tell.

use std::fmt;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::image::value::Addr;

/// What led to a global without symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The header of the dump has its address.
    Header,
    /// The kernel's debugger data block has its address.
    DebuggerData,
    /// The kernel is a published one, of which it is known.
    Published,
    /// The kernel is one of several published ones, of which all have it there.
    PublishedAlike,
    /// Named objects lead up to it.
    Namespace,
    /// The directory `\ObjectTypes` has the type by name.
    ObjectTypes,
    /// A table in the kernel's image has the types in the order of their indices.
    TypeTable,
    /// The headers of objects lead to it.
    Headers,
    /// The links of a port lead around to it.
    PortLinks,
}

impl Evidence {
    /// The evidence in words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Header => "the dump's header",
            Self::DebuggerData => "the debugger data block",
            Self::Published => "what is published of this kernel",
            Self::PublishedAlike => "what is published of the kernels that it can be",
            Self::Namespace => "the directories above named objects",
            Self::ObjectTypes => "\\ObjectTypes",
            Self::TypeTable => "the table of types in the kernel's image",
            Self::Headers => "the headers of objects",
            Self::PortLinks => "the links of the ports",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(feature = "serde")]
impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

/// A global that was found without symbols.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct DerivedGlobal {
    /// Its name.
    pub name: &'static str,
    /// Where it is; none when only what it holds is known.
    pub address: Option<Addr>,
    /// The pointer that it holds; none when only its place is known.
    pub holds: Option<Addr>,
    /// What led to it.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub evidence: Evidence,
}
