//! What the allocations that ALPC calls blobs hold.

use std::fmt;

#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};

use crate::image::schema::schema_as_text;

/// What a blob holds: `_BLOB.ResourceId`, numbered by the kernel's `_BLOB_ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobKind(pub u8);

impl BlobKind {
    /// Ties the ports of a connection together.
    pub const CONNECTION_INFO: Self = Self(1);
    /// A message.
    pub const MESSAGE: Self = Self(2);
    /// A security context.
    pub const SECURITY_CONTEXT: Self = Self(3);
    /// A shared-memory section.
    pub const SECTION: Self = Self(4);
    /// A region of a section.
    pub const REGION: Self = Self(5);
    /// A view of a region.
    pub const VIEW: Self = Self(6);
    /// A reserved message.
    pub const RESERVE: Self = Self(7);
    /// A direct transfer.
    pub const DIRECT_TRANSFER: Self = Self(8);
    /// A handle on its way.
    pub const HANDLE_DATA: Self = Self(9);

    /// Name of the structure that the blob holds; none for an id without one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::CONNECTION_INFO => "ALPC_COMMUNICATION_INFO",
            Self::MESSAGE => "KALPC_MESSAGE",
            Self::SECURITY_CONTEXT => "KALPC_SECURITY_DATA",
            Self::SECTION => "KALPC_SECTION",
            Self::REGION => "KALPC_REGION",
            Self::VIEW => "KALPC_VIEW",
            Self::RESERVE => "KALPC_RESERVE",
            Self::DIRECT_TRANSFER => "KALPC_DIRECT_TRANSFER",
            Self::HANDLE_DATA => "KALPC_HANDLE_DATA",
            _ => return None,
        })
    }
}

impl fmt::Display for BlobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:02X}", self.0),
        }
    }
}

#[cfg(feature = "serde")]
impl Serialize for BlobKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

schema_as_text!(
    BlobKind,
    "The structure that a blob holds, as KALPC_SECTION; 0xNN for a number without one."
);
