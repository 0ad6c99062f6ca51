//! Descriptors as SDDL (MS-DTYP 2.5.1): `O:SYG:SYD:(A;;CC;;;WD)S:(ML;;NW;;;LW)`.
//!
//! Rights are letters only where every bit that is set has some, else one number; the bundles that SDDL has for files and
//! registry keys are not used, since to a port they mean nothing. What has no text in SDDL stands as its number and bytes.

use std::fmt::Write as _;

use crate::acl::{Ace, AceBody, kind};
use crate::bytes::hex;
use crate::condition;
use crate::descriptor::{Descriptor, List};
use crate::sid::Sid;

/// Letters of rights, in the order in which published strings have them.
const RIGHTS: [(u32, &str); 17] = [
    (0x1000_0000, "GA"),
    (0x8000_0000, "GR"),
    (0x4000_0000, "GW"),
    (0x2000_0000, "GX"),
    (0x0001, "CC"),
    (0x0002, "DC"),
    (0x0004, "LC"),
    (0x0008, "SW"),
    (0x0010, "RP"),
    (0x0020, "WP"),
    (0x0040, "DT"),
    (0x0080, "LO"),
    (0x0100, "CR"),
    (0x0001_0000, "SD"),
    (0x0002_0000, "RC"),
    (0x0004_0000, "WD"),
    (0x0008_0000, "WO"),
];

/// Letters of the policies of labels.
const POLICIES: [(u32, &str); 3] = [(1, "NW"), (2, "NR"), (4, "NX")];

/// Letters of the flags of entries.
const FLAGS: [(u8, &str); 7] = [
    (0x01, "OI"),
    (0x02, "CI"),
    (0x04, "NP"),
    (0x08, "IO"),
    (0x10, "ID"),
    (0x40, "SA"),
    (0x80, "FA"),
];

/// Letters of kinds of entries; empty for what SDDL cannot write.
const KINDS: [&str; 22] = [
    "A", "D", "AU", "AL", "", "OA", "OD", "OU", "OL", "XA", "XD", "ZA", "", "XU", "", "", "", "ML", "RA",
    "SP", "TL", "FL",
];

/// How what names somebody is written.
#[derive(Clone, Copy)]
pub struct Style<'a> {
    /// The text of an identifier.
    pub sid: &'a dyn Fn(&Sid) -> String,
    /// Whether conditions and other data are written: they can have names in them.
    pub data: bool,
}

impl Style<'_> {
    /// Everything as it is.
    pub const PLAIN: Self = Style {
        sid: &|of| sid(of),
        data: true,
    };
}

impl std::fmt::Debug for Style<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Style")
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// A descriptor as SDDL.
#[must_use]
pub fn descriptor(of: &Descriptor) -> String {
    descriptor_in(of, Style::PLAIN)
}

/// A descriptor as SDDL, in a style.
#[must_use]
pub fn descriptor_in(of: &Descriptor, style: Style<'_>) -> String {
    let mut text = String::new();
    for (letter, who) in [("O:", &of.owner), ("G:", &of.group)] {
        if let Some(who) = who {
            text.push_str(letter);
            text.push_str(&(style.sid)(who));
        }
    }
    // Protected, inheritance required, inherited: of the DACL and of the SACL.
    let flags = [0x1000, 0x0100, 0x0400].into_iter().zip(["P", "AR", "AI"]);
    for (letter, list, shift) in [("D:", &of.dacl, 0), ("S:", &of.sacl, 1)] {
        if matches!(list, List::Absent) {
            continue;
        }
        text.push_str(letter);
        for (bit, flag) in flags.clone() {
            if of.control & (bit << shift) != 0 {
                text.push_str(flag);
            }
        }
        match list {
            List::Of(acl) => acl
                .entries
                .iter()
                .for_each(|entry| text.push_str(&ace_in(entry, style))),
            _ => text.push_str("NO_ACCESS_CONTROL"),
        }
    }
    text
}

/// An identifier: two letters where SDDL has some for it that mean the same everywhere.
#[must_use]
pub fn sid(of: &Sid) -> String {
    of.letters().map_or_else(|| of.to_string(), str::to_owned)
}

/// An entry of a list, in its parentheses.
#[must_use]
pub fn ace(entry: &Ace) -> String {
    ace_in(entry, Style::PLAIN)
}

/// An entry of a list, in a style.
#[must_use]
pub fn ace_in(entry: &Ace, style: Style<'_>) -> String {
    let kind = KINDS.get(usize::from(entry.kind)).copied().unwrap_or_default();
    let flags = flags(entry.flags);
    let hidden = |bytes: &[u8]| if style.data { hex(bytes) } else { String::new() };
    match &entry.body {
        AceBody::Of {
            mask,
            object,
            inherited,
            sid: who,
            data,
            ..
        } if !kind.is_empty() => {
            let guid =
                |guid: &Option<crate::acl::Guid>| guid.map(|guid| guid.to_string()).unwrap_or_default();
            let mut text = format!(
                "({kind};{flags};{};{};{};{}",
                rights(entry.kind, *mask),
                guid(object),
                guid(inherited),
                (style.sid)(who)
            );
            if let Some(behind) = behind(entry, data) {
                let _ = write!(text, ";{}", if style.data { behind.as_str() } else { "(...)" });
            }
            text.push(')');
            text
        }
        AceBody::Of {
            mask,
            server,
            sid: who,
            data,
            ..
        } => {
            let server = server.as_ref().map(style.sid).unwrap_or_default();
            format!(
                "(0x{:x};{flags};{};{server};;{};{})",
                entry.kind,
                rights(entry.kind, *mask),
                (style.sid)(who),
                hidden(data)
            )
        }
        AceBody::Raw(bytes) => format!("(0x{:x};{flags};{})", entry.kind, hidden(bytes)),
    }
}

/// What stands behind the identifier: a condition, or bytes that are not understood.
fn behind(entry: &Ace, data: &[u8]) -> Option<String> {
    match data {
        [] => None,
        data if entry.is_conditional() => {
            Some(condition::text(data).unwrap_or_else(|_| format!("#{}", hex(data))))
        }
        data if entry.kind == kind::RESOURCE => Some(format!("#{}", hex(data))),
        // Zeros that fill an entry up.
        data if data.iter().all(|byte| *byte == 0) => None,
        data => Some(format!("#{}", hex(data))),
    }
}

fn flags(flags: u8) -> String {
    let mut left = flags;
    let mut text = String::new();
    for (bit, letters) in FLAGS {
        if left & bit != 0 {
            left &= !bit;
            text.push_str(letters);
        }
    }
    if left != 0 {
        return format!("0x{flags:x}");
    }
    text
}

/// The rights of an entry of some kind.
#[must_use]
pub fn rights(of: u8, mask: u32) -> String {
    let letters: &[(u32, &str)] = if of == kind::LABEL { &POLICIES } else { &RIGHTS };
    let mut left = mask;
    let mut text = String::new();
    for (bit, word) in letters {
        if left & bit != 0 {
            left &= !bit;
            text.push_str(word);
        }
    }
    if left != 0 {
        return format!("0x{mask:x}");
    }
    text
}
