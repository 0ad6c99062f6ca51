//! The security descriptors of objects.

use kdump::{Addr, Gva};
use ntsecurity::acl::kind;
use ntsecurity::{Ace, AceBody, Descriptor, List, Malformed, condition, names, rights, sddl};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::kernel::{Kernel, Read, offset};
use crate::image::value::Unreadable;
use crate::object;
use crate::security::sid::{self, SidRecord};

/// A security descriptor.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct DescriptorRecord {
    /// Where it is: many objects can share one.
    pub address: Addr,
    /// Its control word.
    pub control: u16,
    /// The bits of that by their names.
    pub control_names: Vec<&'static str>,
    /// Who owns the object.
    pub owner: Option<SidRecord>,
    /// The owner's group.
    pub group: Option<SidRecord>,
    /// Who may do what.
    pub dacl: ListRecord,
    /// What is audited, and labels.
    pub sacl: ListRecord,
    /// The mandatory label; none where the object has none, which counts as medium.
    pub label: Option<LabelRecord>,
    /// All of it as SDDL.
    pub sddl: String,
}

/// A mandatory label.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct LabelRecord {
    /// The level that a caller needs.
    pub level: u32,
    /// In words.
    pub integrity: String,
    /// What callers below it may not, in words.
    pub policy: String,
}

/// What is known of a list of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum ListState {
    /// The descriptor says that it has none. A DACL that is absent lets everybody do everything.
    Absent,
    /// It says that it has one, which is null: the same.
    Null,
    /// There is one without entries. A DACL that is empty lets nobody do anything.
    Empty,
    /// There is one with entries.
    Entries,
    /// Entries behind the last that is told cannot be read.
    Damaged,
}

/// An access list.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct ListRecord {
    /// Whether there is one.
    pub state: ListState,
    /// Its revision; none where there is none.
    pub revision: Option<u8>,
    /// Its bytes.
    pub size: Option<u16>,
    /// Entries that it claims.
    pub count: Option<u16>,
    /// Its entries in their order, which decides.
    pub entries: Vec<AceRecord>,
    /// Why there are no more, where it is damaged.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub damage: Option<String>,
}

/// An entry of an access list.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct AceRecord {
    /// Its kind by the name in the headers, or as a number.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: String,
    /// `AceFlags`.
    pub flags: u8,
    /// Its bytes.
    pub size: u16,
    /// Its rights; none of an entry that is not understood.
    pub mask: Option<u32>,
    /// The same in words.
    pub rights: Option<String>,
    /// Whom it is of.
    pub who: Option<SidRecord>,
    /// The condition under which it holds; how Windows would write it is not proven, so the bytes stand beside it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub condition: Option<String>,
    /// The bytes of the condition, or of what is not understood.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub bytes: Option<String>,
    /// As SDDL.
    pub sddl: String,
}

/// Where the descriptor of an object is; none for one without.
///
/// # Errors
/// When the object's header is not in the dump.
pub fn address_of(kernel: &Kernel<'_>, body: Gva) -> Read<Option<Gva>> {
    let header = object::header(kernel, body)?;
    let found = object::security_descriptor(header)?;
    Ok(found.map(Addr::gva))
}

/// The descriptor at an address.
///
/// # Errors
/// When any part of it is not in the dump (they are in paged pool), or something else is there.
pub fn read(kernel: &Kernel<'_>, at: Gva) -> Read<Descriptor> {
    let wrong = |wrong: &Malformed| sid::malformed(kernel, at, wrong);
    let size = Descriptor::size(|part, len| {
        let mut bytes = vec![0; len];
        let read = kernel.cursor().read(offset(at, part as u64), &mut bytes);
        read.map(|()| bytes).map_err(Stop::Hole)
    });
    let size = size.map_err(|stop| match stop {
        Stop::Hole(hole) => hole,
        Stop::Wrong(what) => wrong(&what),
    })?;
    let mut bytes = vec![0; size];
    kernel.cursor().read(at, &mut bytes)?;
    Descriptor::read(&bytes).map_err(|what| wrong(&what))
}

enum Stop {
    Hole(Unreadable),
    Wrong(Malformed),
}

impl From<Malformed> for Stop {
    fn from(wrong: Malformed) -> Self {
        Self::Wrong(wrong)
    }
}

impl DescriptorRecord {
    /// What a record tells of a descriptor; of a port rights have their own words.
    #[must_use]
    pub fn of(kernel: &Kernel<'_>, at: Gva, descriptor: &Descriptor, port: bool) -> Self {
        let who = |sid: &Option<ntsecurity::Sid>| sid.as_ref().map(|sid| SidRecord::of(kernel, sid));
        Self {
            address: kernel.addr(at),
            control: descriptor.control,
            control_names: descriptor.control_names(),
            owner: who(&descriptor.owner),
            group: who(&descriptor.group),
            dacl: ListRecord::of(kernel, &descriptor.dacl, port),
            sacl: ListRecord::of(kernel, &descriptor.sacl, port),
            label: descriptor.label().map(|(level, policy)| LabelRecord {
                level,
                integrity: names::integrity(level),
                policy: rights::policy(policy),
            }),
            sddl: sid::styled(kernel, |style| sddl::descriptor_in(descriptor, style)),
        }
    }
}

impl ListRecord {
    fn of(kernel: &Kernel<'_>, list: &List, port: bool) -> Self {
        let acl = list.acl();
        let state = match list {
            List::Absent => ListState::Absent,
            List::Null => ListState::Null,
            List::Of(acl) if acl.ends.is_some() => ListState::Damaged,
            List::Of(acl) if acl.entries.is_empty() => ListState::Empty,
            List::Of(_) => ListState::Entries,
        };
        let entries = acl.map(|acl| acl.entries.as_slice()).unwrap_or_default();
        Self {
            state,
            revision: acl.map(|acl| acl.revision),
            size: acl.map(|acl| acl.size),
            count: acl.map(|acl| acl.count),
            entries: entries
                .iter()
                .map(|entry| AceRecord::of(kernel, entry, port))
                .collect(),
            damage: acl.and_then(|acl| acl.ends.as_ref()).map(ToString::to_string),
        }
    }
}

impl AceRecord {
    fn of(kernel: &Kernel<'_>, entry: &Ace, port: bool) -> Self {
        let kind = entry.kind_name().map(str::to_owned);
        let shows = !kernel
            .redaction()
            .is_some_and(|redaction| redaction.classes().names);
        let data: &[u8] = match &entry.body {
            AceBody::Of { data, .. } | AceBody::Raw(data) => data,
        };
        let has_data = shows && data.iter().any(|byte| *byte != 0);
        let condition = (has_data && entry.is_conditional()).then(|| condition::text(data));
        let words = |mask: u32| match entry.kind {
            kind::LABEL => rights::policy(mask),
            _ => rights::words(mask, port),
        };
        Self {
            kind: kind.unwrap_or_else(|| format!("0x{:x}", entry.kind)),
            flags: entry.flags,
            size: entry.size,
            mask: entry.mask(),
            rights: entry.mask().map(words),
            who: entry.sid().map(|sid| SidRecord::of(kernel, sid)),
            condition: condition.and_then(Result::ok),
            bytes: has_data.then(|| hex(data)),
            sddl: sid::styled(kernel, |style| sddl::ace_in(entry, style)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
