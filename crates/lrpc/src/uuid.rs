//! Ids of interfaces, objects and causalities.

use std::fmt;
use std::str::FromStr;

/// An id of 128 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid([u8; 16]);

/// What is not an id of the form `367abb81-9844-35f1-ad32-98f038001003`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text:?} is no UUID: write it like 367abb81-9844-35f1-ad32-98f038001003")]
pub struct NotAUuid {
    /// What was given.
    pub text: String,
}

impl Uuid {
    /// An id as memory has it: the first three groups little-endian, the rest as it is written.
    #[must_use]
    pub fn from_memory(bytes: [u8; 16]) -> Self {
        // A GUID is a u32, two u16 and eight bytes (MS-DTYP): svcctl's 367abb81-9844-35f1-ad32-98f038001003 is 81 bb
        // 7a 36 44 98 f1 35 ad 32 ... in memory.
        let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
        let [i, j, k, l, m, n, o, p] = rest;
        Self([d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p])
    }

    /// An id of bytes in the order in which it is written.
    #[must_use]
    pub fn from_written(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes in the order in which it is written.
    #[must_use]
    pub fn as_written(self) -> [u8; 16] {
        self.0
    }

    /// Whether all its bits are null.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == [0; 16]
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Uuid {
    type Err = NotAUuid;

    /// Takes braces around it and digits of either case.
    fn from_str(text: &str) -> Result<Self, NotAUuid> {
        // The registry and COM write ids in braces, interface definitions and RPC's tools without.
        let bare = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let groups: Vec<&str> = bare.unwrap_or(text).split('-').collect();
        let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
        let digits = groups.concat();
        let value = u128::from_str_radix(&digits, 16).ok();
        // The parser of numbers takes a sign.
        let only_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match value.filter(|_| only_digits && lengths == [8, 4, 4, 4, 12]) {
            Some(value) => Ok(Self(value.to_be_bytes())),
            None => Err(NotAUuid {
                text: text.to_owned(),
            }),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Uuid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Uuid {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Uuid".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "An id, as 367abb81-9844-35f1-ad32-98f038001003.",
            "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The service control manager's interface, as MS-SCMR writes it and as it lies in memory.
    #[test]
    fn is_written_as_the_field_writes_it() {
        let memory = [
            0x81, 0xbb, 0x7a, 0x36, 0x44, 0x98, 0xf1, 0x35, 0xad, 0x32, 0x98, 0xf0, 0x38, 0x00, 0x10, 0x03,
        ];
        let svcctl = "367abb81-9844-35f1-ad32-98f038001003";
        assert_eq!(Uuid::from_memory(memory).to_string(), svcctl);
        assert_eq!(svcctl.parse::<Uuid>().unwrap(), Uuid::from_memory(memory));
        let braced: Uuid = format!("{{{}}}", svcctl.to_uppercase()).parse().unwrap();
        assert_eq!(braced, Uuid::from_memory(memory));
        for wrong in [
            "",
            "367abb81",
            "+67abb81-9844-35f1-ad32-98f038001003",
            "367abb81984435f1ad3298f038001003",
        ] {
            assert!(wrong.parse::<Uuid>().is_err(), "{wrong}");
        }
    }
}
