//! Access lists and their entries (MS-DTYP 2.4.4 and 2.4.5).

use crate::bytes::{self, Malformed};
use crate::sid::Sid;

/// Bytes in front of the entries.
pub const HEADER: usize = 8;

const LIST: &str = "an access list";
const ENTRY: &str = "an entry of an access list";

/// What an entry begins with.
const ENTRY_HEADER: usize = 4;

/// Kinds of entries by their numbers (`winnt.h`; 13 and up also in NtCoreLib).
pub mod kind {
    /// `ACCESS_ALLOWED_ACE_TYPE`.
    pub const ALLOWED: u8 = 0;
    /// `ACCESS_DENIED_ACE_TYPE`.
    pub const DENIED: u8 = 1;
    /// `ACCESS_ALLOWED_COMPOUND_ACE_TYPE`: of a server on behalf of a client.
    pub const COMPOUND: u8 = 4;
    /// `ACCESS_ALLOWED_OBJECT_ACE_TYPE`.
    pub const OBJECT_ALLOWED: u8 = 5;
    /// `ACCESS_DENIED_OBJECT_ACE_TYPE`.
    pub const OBJECT_DENIED: u8 = 6;
    /// `ACCESS_ALLOWED_CALLBACK_ACE_TYPE`: only where a condition holds.
    pub const CONDITIONAL_ALLOWED: u8 = 9;
    /// `ACCESS_DENIED_CALLBACK_ACE_TYPE`.
    pub const CONDITIONAL_DENIED: u8 = 0xa;
    /// `ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE`.
    pub const CONDITIONAL_OBJECT_ALLOWED: u8 = 0xb;
    /// `ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE`.
    pub const CONDITIONAL_OBJECT_DENIED: u8 = 0xc;
    /// `SYSTEM_MANDATORY_LABEL_ACE_TYPE`.
    pub const LABEL: u8 = 0x11;
    /// `SYSTEM_RESOURCE_ATTRIBUTE_ACE_TYPE`.
    pub const RESOURCE: u8 = 0x12;
    /// `SYSTEM_SCOPED_POLICY_ID_ACE_TYPE`.
    pub const POLICY: u8 = 0x13;
    /// `SYSTEM_PROCESS_TRUST_LABEL_ACE_TYPE`.
    pub const TRUST: u8 = 0x14;
    /// `SYSTEM_ACCESS_FILTER_ACE_TYPE`.
    pub const FILTER: u8 = 0x15;
}

/// The flag of entries that are only for what is created below: they say nothing of the object itself.
pub const INHERIT_ONLY: u8 = 8;

/// An access list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// 2, or 4 where entries with GUIDs may be.
    pub revision: u8,
    /// Its bytes, with its header.
    pub size: u16,
    /// Entries that it claims to have.
    pub count: u16,
    /// Those that could be read, in their order.
    pub entries: Vec<Ace>,
    /// Why these are not all; none when they are.
    pub ends: Option<Malformed>,
}

/// An entry of an access list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ace {
    /// Its kind ([`kind`]).
    pub kind: u8,
    /// `AceFlags`: 1 for objects below, 2 for containers below, 4 no further, 8 only for those, 0x10 inherited.
    pub flags: u8,
    /// Its bytes, with its header.
    pub size: u16,
    /// What it says.
    pub body: AceBody,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AceBody {
    /// Of whom, and which rights.
    Of {
        /// The rights; of a label the policy.
        mask: u32,
        /// The kind of object or the property that it is for.
        object: Option<Guid>,
        /// The kind of object that inherits it.
        inherited: Option<Guid>,
        /// The server that has to act for the one named, of a compound entry.
        server: Option<Sid>,
        /// Who.
        sid: Sid,
        /// What follows: a condition, or the value of a resource's attribute.
        data: Vec<u8>,
    },
    /// Of a kind that nothing is known of, or not as its kind has to be: its bytes behind the header.
    Raw(Vec<u8>),
}

/// A GUID as it stands in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guid([u8; 16]);

impl std::fmt::Display for Guid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, g, h, i, rest @ ..] = self.0;
        let first = u32::from_le_bytes([a, b, c, d]);
        let (second, third) = (u16::from_le_bytes([e, g]), u16::from_le_bytes([h, i]));
        let [j, k, node @ ..] = rest;
        write!(f, "{first:08x}-{second:04x}-{third:04x}-{j:02x}{k:02x}-")?;
        node.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Acl {
    /// Bytes that a list takes, by the eight that it begins with.
    ///
    /// # Errors
    /// When its revision is none that there is, or it is smaller than its header.
    pub fn size(header: &[u8]) -> Result<usize, Malformed> {
        let head = bytes::slice(header, LIST, 0, HEADER)?;
        let revision = head.first().copied().unwrap_or_default();
        if !matches!(revision, 2..=4) {
            return Err(Malformed::new(
                LIST,
                0,
                format!("its revision is {revision}, not 2 to 4"),
            ));
        }
        let size = bytes::u16(head, 2).map_or(0, usize::from);
        if size < HEADER {
            return Err(Malformed::new(
                LIST,
                2,
                format!("its size of {size} bytes is less than its header"),
            ));
        }
        Ok(size)
    }

    /// The list that bytes begin with. Entries are read up to the first that cannot be one, and that is said.
    ///
    /// # Errors
    /// When there is none, or the bytes end within it.
    pub fn read(from: &[u8]) -> Result<Self, Malformed> {
        let size = Self::size(from)?;
        let whole = bytes::slice(from, LIST, 0, size)?;
        let count = bytes::u16(whole, 4).unwrap_or_default();
        let (entries, ends) = entries(whole, count);
        Ok(Self {
            revision: whole.first().copied().unwrap_or_default(),
            size: bytes::u16(whole, 2).unwrap_or_default(),
            count,
            entries,
            ends,
        })
    }
}

/// The entries of a list, each at least four bytes long: no more than the list has bytes for.
fn entries(list: &[u8], count: u16) -> (Vec<Ace>, Option<Malformed>) {
    let mut entries = Vec::new();
    let mut at = HEADER;
    for _ in 0..count {
        match Ace::read(list.get(at..).unwrap_or_default()) {
            Ok(entry) => {
                at = at.saturating_add(entry.size.into());
                entries.push(entry);
            }
            Err(wrong) => return (entries, Some(wrong.moved(at))),
        }
    }
    (entries, None)
}

impl Ace {
    /// The entry that bytes begin with.
    ///
    /// # Errors
    /// When its size is not one that an entry can have, or the bytes end within it. What its kind asks for and it has not
    /// makes it [`AceBody::Raw`].
    pub fn read(from: &[u8]) -> Result<Self, Malformed> {
        let header = bytes::slice(from, ENTRY, 0, ENTRY_HEADER)?;
        let size = bytes::u16(header, 2).unwrap_or_default();
        if usize::from(size) < ENTRY_HEADER || !size.is_multiple_of(4) {
            let why = format!("its size is {size} bytes, and these are at least 4 and a multiple of 4");
            return Err(Malformed::new(ENTRY, 2, why));
        }
        let whole = bytes::slice(from, ENTRY, 0, size.into())?;
        let (kind, flags) = match header {
            [kind, flags, ..] => (*kind, *flags),
            _ => (0, 0),
        };
        let body = whole.get(ENTRY_HEADER..).unwrap_or_default();
        Ok(Self {
            kind,
            flags,
            size,
            body: body_of(kind, body).unwrap_or_else(|| AceBody::Raw(body.to_vec())),
        })
    }

    /// Whether it has a condition behind it.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        matches!(self.kind, 9..=0x10 | kind::FILTER)
    }

    /// Whether it is only for what is created below the object.
    #[must_use]
    pub fn is_inherit_only(&self) -> bool {
        self.flags & INHERIT_ONLY != 0
    }

    /// Whom it is of; none when that is not known.
    #[must_use]
    pub fn sid(&self) -> Option<&Sid> {
        match &self.body {
            AceBody::Of { sid, .. } => Some(sid),
            AceBody::Raw(_) => None,
        }
    }

    /// Its rights; none when they are not known.
    #[must_use]
    pub fn mask(&self) -> Option<u32> {
        match &self.body {
            AceBody::Of { mask, .. } => Some(*mask),
            AceBody::Raw(_) => None,
        }
    }

    /// The name of its kind in the headers; none for a number without one.
    #[must_use]
    pub fn kind_name(&self) -> Option<&'static str> {
        KINDS.get(usize::from(self.kind)).copied()
    }
}

/// The kinds by their names in `winnt.h`.
const KINDS: [&str; 22] = [
    "ACCESS_ALLOWED_ACE_TYPE",
    "ACCESS_DENIED_ACE_TYPE",
    "SYSTEM_AUDIT_ACE_TYPE",
    "SYSTEM_ALARM_ACE_TYPE",
    "ACCESS_ALLOWED_COMPOUND_ACE_TYPE",
    "ACCESS_ALLOWED_OBJECT_ACE_TYPE",
    "ACCESS_DENIED_OBJECT_ACE_TYPE",
    "SYSTEM_AUDIT_OBJECT_ACE_TYPE",
    "SYSTEM_ALARM_OBJECT_ACE_TYPE",
    "ACCESS_ALLOWED_CALLBACK_ACE_TYPE",
    "ACCESS_DENIED_CALLBACK_ACE_TYPE",
    "ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE",
    "ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE",
    "SYSTEM_AUDIT_CALLBACK_ACE_TYPE",
    "SYSTEM_ALARM_CALLBACK_ACE_TYPE",
    "SYSTEM_AUDIT_CALLBACK_OBJECT_ACE_TYPE",
    "SYSTEM_ALARM_CALLBACK_OBJECT_ACE_TYPE",
    "SYSTEM_MANDATORY_LABEL_ACE_TYPE",
    "SYSTEM_RESOURCE_ATTRIBUTE_ACE_TYPE",
    "SYSTEM_SCOPED_POLICY_ID_ACE_TYPE",
    "SYSTEM_PROCESS_TRUST_LABEL_ACE_TYPE",
    "SYSTEM_ACCESS_FILTER_ACE_TYPE",
];

/// What stands behind the header of an entry; none when it is not as its kind has to be.
fn body_of(kind: u8, body: &[u8]) -> Option<AceBody> {
    match kind {
        kind::COMPOUND => compound(body),
        5..=8 | 0xb | 0xc | 0xf | 0x10 => of_objects(body),
        0..=3 | 9 | 0xa | 0xd | 0xe | 0x11..=0x15 => {
            let (sid, data) = sid_and_data(body, 4)?;
            Some(AceBody::Of {
                mask: bytes::u32(body, 0)?,
                object: None,
                inherited: None,
                server: None,
                sid,
                data,
            })
        }
        _ => None,
    }
}

/// Mask, a word that is 1, a word, the server, the client.
fn compound(body: &[u8]) -> Option<AceBody> {
    let server = Sid::read(body.get(8..)?).ok()?;
    let (sid, data) = sid_and_data(body, server.bytes().checked_add(8)?)?;
    Some(AceBody::Of {
        mask: bytes::u32(body, 0)?,
        object: None,
        inherited: None,
        server: Some(server),
        sid,
        data,
    })
}

/// Mask, flags that say which GUIDs are there, these, and who.
fn of_objects(body: &[u8]) -> Option<AceBody> {
    let flags = bytes::u32(body, 4)?;
    let mut at = 8_usize;
    let mut guid = |present: u32| {
        if flags & present == 0 {
            return Some(None);
        }
        let end = at.checked_add(16)?;
        let guid = body.get(at..end)?.try_into().ok()?;
        at = end;
        Some(Some(Guid(guid)))
    };
    let (object, inherited) = (guid(1)?, guid(2)?);
    let (sid, data) = sid_and_data(body, at)?;
    Some(AceBody::Of {
        mask: bytes::u32(body, 0)?,
        object,
        inherited,
        server: None,
        sid,
        data,
    })
}

fn sid_and_data(body: &[u8], at: usize) -> Option<(Sid, Vec<u8>)> {
    let rest = body.get(at..)?;
    let sid = Sid::read(rest).ok()?;
    let data = rest.get(sid.bytes()..)?.to_vec();
    Some((sid, data))
}
