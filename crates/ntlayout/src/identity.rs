//! Which PDB belongs to which image: GUID and age.

use std::fmt;
use std::str::FromStr;

/// A GUID in its on-disk order, as an image's RSDS record and a PDB's info stream hold it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid(pub [u8; 16]);

impl fmt::Display for Guid {
    /// 32 upper-case digits in symbol-server order: the first three parts as numbers, then eight bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        numeric_order(self.0)
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({self})")
    }
}

impl FromStr for Guid {
    type Err = ParseGuidError;

    /// Reads 32 digits in symbol-server order, with or without dashes and braces.
    fn from_str(text: &str) -> Result<Self, ParseGuidError> {
        // The same GUID is written {1516d2a3-e686-4c06-bd82-c50fbe615236} by debuggers and
        // 1516D2A3E6864C06BD82C50FBE615236 in paths of stores.
        let digits = text
            .trim_start_matches('{')
            .trim_end_matches('}')
            .chars()
            .filter(|&c| c != '-');
        let mut bytes = [0u8; 16];
        let mut count = 0usize;
        for digit in digits {
            let value = digit.to_digit(16).and_then(|value| u8::try_from(value).ok());
            let value = value.ok_or(ParseGuidError)?;
            let byte = bytes.get_mut(count / 2).ok_or(ParseGuidError)?;
            *byte = (*byte << 4) | value;
            count = count.saturating_add(1);
        }
        if count == 32 {
            Ok(Self(numeric_order(bytes)))
        } else {
            Err(ParseGuidError)
        }
    }
}

/// Swaps the three little-endian parts; its own inverse.
fn numeric_order([a, b, c, d, e, f, g, h, rest @ ..]: [u8; 16]) -> [u8; 16] {
    let [i, j, k, l, m, n, o, p] = rest;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}

/// The text was not 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID: expected 32 hexadecimal digits")]
pub struct ParseGuidError;

/// What an image asks for (its RSDS record), and what a PDB is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// File name without folders: `ntkrnlmp.pdb`.
    pub pdb_name: String,
    /// Made anew by each link.
    pub guid: Guid,
    /// The linker's age. For a PDB it is that of the DBI stream, which stays what the image recorded; the
    /// info stream's age is counted up by tools that rewrite the file, and only serves where the DBI stream
    /// has none.
    pub age: u32,
}

impl Identity {
    /// The middle part of a symbol-store path: GUID digits followed by the age in hexadecimal.
    #[must_use]
    pub fn key(&self) -> String {
        // The age has no leading zeros and is hexadecimal: 26 is 1a (dotnet/symstore's "SSQP key conventions").
        // Nothing separates the two: that the GUID has 32 digits does.
        format!("{}{:x}", self.guid, self.age)
    }
}

impl fmt::Display for Identity {
    /// `ntkrnlmp.pdb/<GUID><age>`, the key of a symbol store.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pdb_name, self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The info stream of a PDB that `llvm-pdbutil dump -summary` shows as this GUID.
    const BYTES: [u8; 16] = [
        0xa3, 0xd2, 0x16, 0x15, 0x86, 0xe6, 0x06, 0x4c, 0xbd, 0x82, 0xc5, 0x0f, 0xbe, 0x61, 0x52, 0x36,
    ];

    #[test]
    fn digits_are_in_symbol_server_order() {
        assert_eq!(Guid(BYTES).to_string(), "1516D2A3E6864C06BD82C50FBE615236");
        let identity = Identity {
            pdb_name: "SimplePDB.pdb".into(),
            guid: Guid(BYTES),
            age: 0x1a,
        };
        assert_eq!(
            identity.to_string(),
            "SimplePDB.pdb/1516D2A3E6864C06BD82C50FBE6152361a"
        );
    }

    #[test]
    fn text_is_read_with_or_without_decoration() {
        for text in [
            "1516D2A3E6864C06BD82C50FBE615236",
            "{1516d2a3-e686-4c06-bd82-c50fbe615236}",
        ] {
            assert_eq!(text.parse(), Ok(Guid(BYTES)));
        }
        for text in [
            "",
            "1516",
            "1516D2A3E6864C06BD82C50FBE6152361",
            "1516D2A3E6864C06BD82C50FBE61523G",
        ] {
            assert_eq!(text.parse::<Guid>(), Err(ParseGuidError), "{text}");
        }
    }
}
