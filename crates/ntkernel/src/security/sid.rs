//! Identifiers in the kernel's memory, and how records tell them.

use kdump::Gva;
use ntsecurity::{Sid, names, sddl};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::kernel::{Kernel, Read, offset};
use crate::image::value::Unreadable;
use crate::why;

/// The last number of accounts that every machine or domain has is less than this (MS-DTYP 2.4.2.4).
const FIRST_OWN_ACCOUNT: u32 = 1000;

/// A user, a group, a logon, an integrity level or an application package.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct SidRecord {
    /// `S-1-5-18`.
    pub sid: String,
    /// Who or what that is, where it means the same on every machine.
    pub name: Option<String>,
}

impl SidRecord {
    /// How a record of this kernel tells an identifier.
    #[must_use]
    pub fn of(kernel: &Kernel<'_>, sid: &Sid) -> Self {
        Self {
            sid: text(kernel, sid),
            name: names::of(sid).map(Into::into),
        }
    }
}

/// The text of an identifier, with placeholders for what tells one machine, domain, service or package from others where names
/// are replaced.
#[must_use]
pub fn text(kernel: &Kernel<'_>, sid: &Sid) -> String {
    let redaction = kernel.redaction().filter(|redaction| redaction.classes().names);
    let Some(redaction) = redaction.filter(|_| sid.is_personal()) else {
        return sid.to_string();
    };
    let (first, rest) = match sid.sub() {
        [first, rest @ ..] => (*first, rest),
        [] => return sid.to_string(),
    };
    let joined = |part: &[u32]| part.iter().map(u32::to_string).collect::<Vec<_>>().join("-");
    let hidden = match rest {
        // A machine or a domain, and an account of it.
        [whose @ .., account] if sid.is_of_domain() => {
            let whose = redaction.identifier_part(&joined(whose));
            let account = match *account {
                known if known < FIRST_OWN_ACCOUNT => known.to_string(),
                own => redaction.identifier_part(&own.to_string()),
            };
            format!("{whose}-{account}")
        }
        rest => redaction.identifier_part(&joined(rest)),
    };
    format!("S-1-{}-{first}-{hidden}", sid.authority())
}

/// The same as SDDL has it: two letters where there are some.
#[must_use]
pub fn letters(kernel: &Kernel<'_>, of: &Sid) -> String {
    match of.letters() {
        Some(letters) => letters.to_owned(),
        None => text(kernel, of),
    }
}

/// Calls with the style that SDDL is written in for records of this kernel.
pub fn styled<T>(kernel: &Kernel<'_>, with: impl FnOnce(sddl::Style<'_>) -> T) -> T {
    let sid = |of: &Sid| letters(kernel, of);
    let hides = kernel
        .redaction()
        .is_some_and(|redaction| redaction.classes().names);
    with(sddl::Style {
        sid: &sid,
        data: !hides,
    })
}

/// The identifier at an address.
///
/// # Errors
/// When it is not in the dump, or something else is there.
pub fn read(kernel: &Kernel<'_>, at: Gva) -> Read<Sid> {
    let mut header = [0; ntsecurity::sid::HEADER];
    kernel.cursor().read(at, &mut header)?;
    let size = Sid::size(&header).map_err(|wrong| malformed(kernel, at, &wrong))?;
    let rest = size.saturating_sub(header.len());
    let mut bytes = header.to_vec();
    let mut behind = vec![0; rest];
    kernel
        .cursor()
        .read(offset(at, ntsecurity::sid::HEADER as u64), &mut behind)?;
    bytes.append(&mut behind);
    Sid::read(&bytes).map_err(|wrong| malformed(kernel, at, &wrong))
}

/// That what is at an address is not what it should be.
pub(crate) fn malformed(kernel: &Kernel<'_>, at: Gva, wrong: &ntsecurity::Malformed) -> Unreadable {
    let (at, wrong) = (kernel.addr(at), wrong.to_string());
    Unreadable::Implausible(why!("from {} on there is no such thing: {}", at, wrong))
}
