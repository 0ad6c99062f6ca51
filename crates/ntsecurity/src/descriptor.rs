//! Self-relative security descriptors (MS-DTYP 2.4.6), as the kernel keeps them behind objects.

use crate::acl::{Acl, kind};
use crate::bytes::{self, Malformed};
use crate::sid::Sid;

/// Bytes that a descriptor begins with: all but the identifiers and lists that it has offsets of.
pub const HEADER: usize = 0x14;

/// Where the longest descriptor ends: two lists of 64 KiB, two identifiers, and the header. Nothing is read behind it.
pub const LONGEST: usize = 0x20200;

const WHAT: &str = "a security descriptor";

/// Bits of the control word.
pub mod control {
    /// There is a list of who may do what.
    pub const DACL_PRESENT: u16 = 4;
    /// There is a list of audits and labels.
    pub const SACL_PRESENT: u16 = 0x10;
    /// Members are offsets, not pointers.
    pub const SELF_RELATIVE: u16 = 0x8000;
}

/// The bits of the control word by their names in `winnt.h`, lowest first.
pub const CONTROL_BITS: [(u16, &str); 16] = [
    (0x0001, "SE_OWNER_DEFAULTED"),
    (0x0002, "SE_GROUP_DEFAULTED"),
    (0x0004, "SE_DACL_PRESENT"),
    (0x0008, "SE_DACL_DEFAULTED"),
    (0x0010, "SE_SACL_PRESENT"),
    (0x0020, "SE_SACL_DEFAULTED"),
    (0x0040, "SE_DACL_UNTRUSTED"),
    (0x0080, "SE_SERVER_SECURITY"),
    (0x0100, "SE_DACL_AUTO_INHERIT_REQ"),
    (0x0200, "SE_SACL_AUTO_INHERIT_REQ"),
    (0x0400, "SE_DACL_AUTO_INHERITED"),
    (0x0800, "SE_SACL_AUTO_INHERITED"),
    (0x1000, "SE_DACL_PROTECTED"),
    (0x2000, "SE_SACL_PROTECTED"),
    (0x4000, "SE_RM_CONTROL_VALID"),
    (0x8000, "SE_SELF_RELATIVE"),
];

/// A security descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// 1.
    pub revision: u8,
    /// 0, or what the resource manager keeps there.
    pub sbz1: u8,
    /// The control word.
    pub control: u16,
    /// Who owns the object.
    pub owner: Option<Sid>,
    /// The owner's group, which only POSIX looks at.
    pub group: Option<Sid>,
    /// Who may do what.
    pub dacl: List,
    /// What is audited, and how trusted a caller has to be.
    pub sacl: List,
}

/// One of the two lists of a descriptor. What is not there, what is null and what is empty mean different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// The descriptor says that it has none.
    Absent,
    /// It says that it has one, and this is null: of the DACL that everybody may do everything.
    Null,
    /// A list; an empty DACL lets nobody in.
    Of(Acl),
}

impl List {
    /// The list, where there is one.
    #[must_use]
    pub fn acl(&self) -> Option<&Acl> {
        match self {
            Self::Of(acl) => Some(acl),
            Self::Absent | Self::Null => None,
        }
    }
}

/// Where the parts of a descriptor begin, by its header: owner, group, SACL, DACL. None for what it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Offset of the owner.
    pub owner: Option<usize>,
    /// Offset of the group.
    pub group: Option<usize>,
    /// Offset of the SACL.
    pub sacl: Option<usize>,
    /// Offset of the DACL.
    pub dacl: Option<usize>,
    control: u16,
}

impl Parts {
    /// Reads the header.
    ///
    /// # Errors
    /// When it is none of a self-relative descriptor, or a part lies where none can be.
    pub fn of(header: &[u8]) -> Result<Self, Malformed> {
        let head = bytes::slice(header, WHAT, 0, HEADER)?;
        let revision = head.first().copied().unwrap_or_default();
        if revision != 1 {
            return Err(Malformed::new(
                WHAT,
                0,
                format!("its revision is {revision}, not 1"),
            ));
        }
        let control = bytes::u16(head, 2).unwrap_or_default();
        if control & control::SELF_RELATIVE == 0 {
            let why = format!(
                "its control word 0x{control:04x} says that it has pointers, and those of kernel objects have offsets"
            );
            return Err(Malformed::new(WHAT, 2, why));
        }
        let part = |at: usize| {
            let offset = bytes::u32(head, at).and_then(|offset| usize::try_from(offset).ok());
            match offset {
                Some(0) => Ok(None),
                Some(offset) if (HEADER..LONGEST).contains(&offset) => Ok(Some(offset)),
                offset => {
                    let offset = offset.unwrap_or(usize::MAX);
                    let why = format!("a part of it begins at +0x{offset:x}, where none can be");
                    Err(Malformed::new(WHAT, at, why))
                }
            }
        };
        // The bits say whether a list is there, and the offset counts only then.
        let (has_sacl, has_dacl) = (control & control::SACL_PRESENT, control & control::DACL_PRESENT);
        Ok(Self {
            owner: part(4)?,
            group: part(8)?,
            sacl: if has_sacl == 0 { None } else { part(0xc)? },
            dacl: if has_dacl == 0 { None } else { part(0x10)? },
            control,
        })
    }
}

impl Descriptor {
    /// Bytes that a descriptor takes: what `read` is asked for is its beginnings, 8 or 20 bytes at an offset.
    ///
    /// # Errors
    /// What `read` says, and when its parts are none.
    pub fn size<E: From<Malformed>>(
        mut read: impl FnMut(usize, usize) -> Result<Vec<u8>, E>,
    ) -> Result<usize, E> {
        let parts = Parts::of(&read(0, HEADER)?)?;
        let mut end = HEADER;
        for at in [parts.owner, parts.group].into_iter().flatten() {
            let size = Sid::size(&read(at, crate::sid::HEADER)?).map_err(|wrong| wrong.moved(at))?;
            end = end.max(at.saturating_add(size));
        }
        for at in [parts.sacl, parts.dacl].into_iter().flatten() {
            let size = Acl::size(&read(at, crate::acl::HEADER)?).map_err(|wrong| wrong.moved(at))?;
            end = end.max(at.saturating_add(size));
        }
        Ok(end)
    }

    /// The descriptor that bytes begin with.
    ///
    /// # Errors
    /// When there is none, or the bytes end within it. An access list with entries that are none is read up to these.
    pub fn read(from: &[u8]) -> Result<Self, Malformed> {
        let parts = Parts::of(from)?;
        let sid = |at: Option<usize>| {
            let read = |at: usize| Sid::read(rest(from, at)).map_err(|wrong| wrong.moved(at));
            at.map(read).transpose()
        };
        let list = |present: u16, at: Option<usize>| match at {
            _ if parts.control & present == 0 => Ok(List::Absent),
            None => Ok(List::Null),
            Some(at) => Acl::read(rest(from, at))
                .map(List::Of)
                .map_err(|wrong| wrong.moved(at)),
        };
        Ok(Self {
            revision: from.first().copied().unwrap_or_default(),
            sbz1: from.get(1).copied().unwrap_or_default(),
            control: parts.control,
            owner: sid(parts.owner)?,
            group: sid(parts.group)?,
            dacl: list(control::DACL_PRESENT, parts.dacl)?,
            sacl: list(control::SACL_PRESENT, parts.sacl)?,
        })
    }

    /// The mandatory label: the level that a caller needs, and the policy for those below it (1 no writing, 2 no reading,
    /// 4 no executing). None where there is none: then it is medium, and the policy no writing.
    #[must_use]
    pub fn label(&self) -> Option<(u32, u32)> {
        let entries = &self.sacl.acl()?.entries;
        let mut labels = entries
            .iter()
            .filter(|entry| entry.kind == kind::LABEL && !entry.is_inherit_only());
        labels.find_map(|entry| Some((entry.sid()?.integrity()?, entry.mask()?)))
    }

    /// The names of the bits of the control word that are set.
    #[must_use]
    pub fn control_names(&self) -> Vec<&'static str> {
        let set = CONTROL_BITS.iter().filter(|(bit, _)| self.control & bit != 0);
        set.map(|(_, name)| *name).collect()
    }
}

fn rest(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}
