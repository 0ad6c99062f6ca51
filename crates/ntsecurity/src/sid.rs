//! Security identifiers (MS-DTYP 2.4.2): `S-1-5-18`.

use std::fmt;
use std::str::FromStr;

use crate::alias;
use crate::bytes::{self, Malformed};

/// Sub-authorities that an identifier can have (`SID_MAX_SUB_AUTHORITIES`).
pub const MOST_SUB_AUTHORITIES: usize = 15;

/// Bytes in front of the sub-authorities.
pub const HEADER: usize = 8;

const WHAT: &str = "a security identifier";

/// A user, a group, a logon, an integrity level, an application package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid {
    authority: u64,
    sub: Vec<u32>,
}

/// Text that is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no security identifier: these are written S-1-5-32-544, or as two letters of SDDL like BA")]
pub struct NotASid(String);

impl Sid {
    /// An identifier of an authority.
    ///
    /// Sub-authorities behind the fifteenth are left out: no identifier has more.
    #[must_use]
    pub fn new(authority: u64, sub: &[u32]) -> Self {
        Self {
            authority: authority & 0xffff_ffff_ffff,
            sub: sub.iter().copied().take(MOST_SUB_AUTHORITIES).collect(),
        }
    }

    /// Bytes that an identifier takes, by the eight that it begins with.
    ///
    /// # Errors
    /// When these are not the beginning of one: the revision is not 1, or it claims too many sub-authorities.
    pub fn size(header: &[u8]) -> Result<usize, Malformed> {
        let head = bytes::slice(header, WHAT, 0, HEADER)?;
        let (revision, count) = match head {
            [revision, count, ..] => (*revision, usize::from(*count)),
            _ => (0, 0),
        };
        if revision != 1 {
            return Err(Malformed::new(
                WHAT,
                0,
                format!("its revision is {revision}, not 1"),
            ));
        }
        if count > MOST_SUB_AUTHORITIES {
            let why =
                format!("it claims {count} sub-authorities, and none has more than {MOST_SUB_AUTHORITIES}");
            return Err(Malformed::new(WHAT, 1, why));
        }
        Ok(count.saturating_mul(4).saturating_add(HEADER))
    }

    /// The identifier that bytes begin with; what follows it is not looked at.
    ///
    /// # Errors
    /// When there is none, or the bytes end within it.
    pub fn read(from: &[u8]) -> Result<Self, Malformed> {
        let size = Self::size(from)?;
        let whole = bytes::slice(from, WHAT, 0, size)?;
        // The authority is the one number of a descriptor that is big-endian.
        let authority = whole
            .get(2..HEADER)
            .unwrap_or_default()
            .iter()
            .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let sub = whole.get(HEADER..).unwrap_or_default().chunks_exact(4);
        Ok(Self {
            authority,
            sub: sub.filter_map(|part| bytes::u32(part, 0)).collect(),
        })
    }

    /// Who gives these identifiers out: 1 the world, 5 Windows, 15 application packages, 16 integrity levels.
    #[must_use]
    pub fn authority(&self) -> u64 {
        self.authority
    }

    /// The numbers behind the authority.
    #[must_use]
    pub fn sub(&self) -> &[u32] {
        &self.sub
    }

    /// Bytes that it takes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.sub.len().saturating_mul(4).saturating_add(HEADER)
    }

    /// The level of an integrity label (`S-1-16-N`); none for everything else.
    #[must_use]
    pub fn integrity(&self) -> Option<u32> {
        match (self.authority, self.sub.as_slice()) {
            (16, [level]) => Some(*level),
            _ => None,
        }
    }

    /// Whether it names an application package or a capability of one, which only callers in an AppContainer have.
    #[must_use]
    pub fn is_of_package(&self) -> bool {
        self.authority == 15 && matches!(self.sub.first(), Some(2 | 3))
    }

    /// The two letters that SDDL has for it; none where there are none that mean the same on every machine.
    #[must_use]
    pub fn letters(&self) -> Option<&'static str> {
        alias::letters(self.authority, &self.sub)
    }

    /// Whether it tells one machine, domain, service or application package from all others.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        let first = self.sub.first();
        match self.authority {
            5 => (first == Some(&21) || self.sub.len() >= 6) && self.sub.len() > 1,
            15 => self.sub.len() >= 4,
            _ => false,
        }
    }

    /// Whether it has numbers that tell a machine or a domain from all others: `S-1-5-21-A-B-C-RID`.
    #[must_use]
    pub fn is_of_domain(&self) -> bool {
        self.authority == 5 && self.sub.first() == Some(&21)
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As RtlConvertSidToUnicodeString: hex where the number takes more than 32 bits (MS-DTYP 2.4.2.1).
        if self.authority > u64::from(u32::MAX) {
            write!(f, "S-1-0x{:012x}", self.authority)?;
        } else {
            write!(f, "S-1-{}", self.authority)?;
        }
        self.sub.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

impl FromStr for Sid {
    type Err = NotASid;

    fn from_str(text: &str) -> Result<Self, NotASid> {
        if let Some((authority, sub)) = alias::find(text) {
            return Ok(Self::new(authority, sub));
        }
        let wrong = || NotASid(text.chars().take(200).collect());
        let numbers = text
            .strip_prefix("S-1-")
            .or_else(|| text.strip_prefix("s-1-"))
            .ok_or_else(wrong)?;
        let mut parts = numbers.split('-');
        let authority = parts.next().ok_or_else(wrong)?;
        let authority = match authority.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => authority.parse(),
        };
        let authority = authority.ok().filter(|number| *number < 1 << 48);
        let sub: Option<Vec<u32>> = parts.map(|part| part.parse().ok()).collect();
        match (authority, sub) {
            (Some(authority), Some(sub)) if sub.len() <= MOST_SUB_AUTHORITIES => Ok(Self { authority, sub }),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_read_and_write() {
        // The bytes of S-1-5-32-544, as MS-DTYP's and every header's BUILTIN\Administrators.
        let bytes = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0, 99];
        let sid = Sid::read(&bytes).unwrap();
        assert_eq!(sid.to_string(), "S-1-5-32-544");
        assert_eq!((sid.bytes(), "BA".parse::<Sid>().unwrap()), (16, sid));
        let large = [1, 1, 1, 0, 0, 0, 0, 5, 7, 0, 0, 0];
        let large = Sid::read(&large).unwrap();
        assert_eq!(large.to_string(), "S-1-0x010000000005-7");
        assert_eq!(large.to_string().parse::<Sid>().unwrap(), large);
    }

    #[test]
    fn what_is_none_says_why() {
        let why = |bytes: &[u8]| Sid::read(bytes).unwrap_err().to_string();
        assert_eq!(
            why(&[2, 0, 0, 0, 0, 0, 0, 0]),
            "a security identifier at +0x0: its revision is 2, not 1"
        );
        assert!(why(&[1, 16, 0, 0, 0, 0, 0, 0]).contains("16 sub-authorities"));
        assert!(why(&[1, 2, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0]).contains("needs 16 bytes and 12 are there"));
        for text in [
            "",
            "S-1",
            "S-1-",
            "S-1-5-",
            "S-2-5-1",
            "S-1-5-4294967296",
            "S-1-281474976710656-1",
            "XX",
        ] {
            assert!(text.parse::<Sid>().is_err(), "{text}");
        }
    }
}
