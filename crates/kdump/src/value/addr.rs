//! Addresses as they are shown: as many digits as those of their system have.

#[cfg(feature = "schema")]
use std::borrow::Cow;
use std::fmt;

#[cfg(feature = "schema")]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::value::address::Gva;

/// A virtual address that knows how wide the addresses of its system are: printed and serialized as lower-case hex,
/// zero-padded to that width.
///
/// ```
/// use kdump::{Addr, Gva};
///
/// assert_eq!(Addr::new(Gva::new(0x819a_2c00), 4).to_string(), "819a2c00");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Addr {
    value: u64,
    digits: u8,
}

impl Addr {
    /// An address of a system whose pointers have `pointer_size` bytes.
    #[must_use]
    pub fn new(gva: Gva, pointer_size: u32) -> Self {
        Self {
            value: gva.u64(),
            digits: if pointer_size == 4 { 8 } else { 16 },
        }
    }

    /// The address as a number.
    #[must_use]
    pub fn u64(self) -> u64 {
        self.value
    }

    /// The address as the reader of memory takes it.
    #[must_use]
    pub fn gva(self) -> Gva {
        Gva::new(self.value)
    }

    /// The address so many bytes further on.
    #[must_use]
    pub fn plus(self, bytes: u64) -> Self {
        Self {
            value: self.value.wrapping_add(bytes),
            ..self
        }
    }

    /// Whether this is the null pointer.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.value == 0
    }

    /// How many hex digits the address prints.
    #[must_use]
    pub fn digits(self) -> usize {
        self.digits.into()
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.value, width = self.digits())
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Addr({self})")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Addr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "schema")]
impl JsonSchema for Addr {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An address in lower-case hex, as many digits as the dumped system's addresses have.",
            "pattern": "^([0-9a-f]{8}|[0-9a-f]{16})$",
        })
    }
}
