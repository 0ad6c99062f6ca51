//! Whether a caller would be let in: the kernel's check over a descriptor, for ALPC ports (MS-DTYP 2.5.3.2; for callers in
//! AppContainers and for labels what is published of `SeAccessCheck`).
//!
//! The check says what the descriptor alone allows. Whoever serves the port can refuse a caller later, and RPC servers usually
//! do: that somebody can connect is no hole by itself.

use crate::acl::{Ace, Acl, kind};
use crate::descriptor::{Descriptor, List};
use crate::names;
use crate::rights::{READ_CONTROL, WRITE_DAC, mapped};
use crate::sddl::{self, Style};
use crate::sid::Sid;

/// The level of a caller, or of an object without a label, when nothing else is said.
pub const MEDIUM: u32 = 0x2000;

/// The level of what runs in an AppContainer or is kept low.
pub const LOW: u32 = 0x1000;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user and the groups that count for it.
    pub sids: Vec<Sid>,
    /// Groups that only deny.
    pub deny_only: Vec<Sid>,
    /// Of a restricted token: the list that has to let it in too.
    pub restricted: Option<Vec<Sid>>,
    /// Of an AppContainer: its package, its capabilities, and all packages.
    pub package: Option<Vec<Sid>>,
    /// Its integrity level.
    pub integrity: u32,
}

impl Caller {
    /// A caller who is known by one identifier: it, Everyone, and but for anonymous ones Authenticated Users, at medium
    /// integrity. An identifier of a package makes it an application in an AppContainer, a label one of that level.
    #[must_use]
    pub fn named(sid: &Sid) -> Self {
        if let Some(level) = sid.integrity() {
            return Self {
                integrity: level,
                ..Self::user()
            };
        }
        if sid.is_of_package() {
            let mut caller = Self::app_container();
            // An application in a less privileged AppContainer has ALL RESTRICTED APPLICATION PACKAGES in the place of ALL
            // APPLICATION PACKAGES (general knowledge).
            if sid.sub() == [2, 2] {
                caller.package = None;
            }
            caller.package.get_or_insert_default().push(sid.clone());
            return caller;
        }
        let everyone = Sid::new(1, &[0]);
        let authenticated = Sid::new(5, &[11]);
        let mut sids = vec![sid.clone()];
        let anonymous = *sid == Sid::new(5, &[7]);
        if *sid != everyone {
            sids.push(everyone.clone());
        }
        if *sid != everyone && *sid != authenticated && !anonymous {
            sids.push(authenticated);
        }
        Self {
            // Windows gives anonymous callers no more than untrusted; system accounts have the system's level.
            integrity: match (sid.authority(), sid.sub()) {
                (5, [7]) => 0,
                (5, [18..=20]) => 0x4000,
                (5, [32, 544]) => 0x3000,
                _ => MEDIUM,
            },
            sids,
            deny_only: Vec::new(),
            restricted: None,
            package: None,
        }
    }

    /// An ordinary user who sits at the machine: Everyone, Authenticated Users, Users, Interactive, Local.
    #[must_use]
    pub fn user() -> Self {
        Self {
            sids: vec![
                Sid::new(1, &[0]),
                Sid::new(5, &[11]),
                Sid::new(5, &[32, 545]),
                Sid::new(5, &[4]),
                Sid::new(2, &[0]),
            ],
            deny_only: Vec::new(),
            restricted: None,
            package: None,
            integrity: MEDIUM,
        }
    }

    /// The same at low integrity.
    #[must_use]
    pub fn low() -> Self {
        Self {
            integrity: LOW,
            ..Self::user()
        }
    }

    /// The same in an AppContainer without capabilities, of no package in particular.
    #[must_use]
    pub fn app_container() -> Self {
        Self {
            package: Some(vec![Sid::new(15, &[2, 1])]),
            ..Self::low()
        }
    }

    /// Its identifiers, for a view that says who was asked for.
    pub fn all_sids(&self) -> impl Iterator<Item = &Sid> {
        self.sids.iter().chain(self.package.iter().flatten())
    }
}

/// What the check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It would be let in.
    Granted {
        /// What lets it in.
        by: String,
    },
    /// It would not.
    Denied {
        /// What keeps it out.
        by: String,
    },
    /// Not decided by the descriptor alone, or not by what is known for certain.
    Undecided {
        /// Why.
        why: String,
    },
}

/// What one pass over the list came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Granted(Option<usize>),
    Denied(Option<usize>),
    Unsure(usize),
    Broken,
}

/// Checks whether a caller would get the wanted rights of a port. No descriptor means that nothing is checked.
#[must_use]
pub fn check(descriptor: Option<&Descriptor>, caller: &Caller, wanted: u32) -> Decision {
    check_in(descriptor, caller, wanted, Style::PLAIN)
}

/// The same, with entries told in a style.
#[must_use]
pub fn check_in(descriptor: Option<&Descriptor>, caller: &Caller, wanted: u32, style: Style<'_>) -> Decision {
    let Some(descriptor) = descriptor else {
        return granted("it has no descriptor: nothing is checked");
    };
    if let Some(decision) = labels(descriptor, caller, wanted) {
        return decision;
    }
    let acl = match &descriptor.dacl {
        List::Absent | List::Null if caller.package.is_some() => {
            return undecided(
                "it has no DACL: what that means to a caller in an AppContainer is not certain",
            );
        }
        List::Absent => return granted("it has no DACL: everybody has all access"),
        List::Null => return granted("its DACL is null: everybody has all access"),
        List::Of(acl) => acl,
    };
    let wanted = wanted & !owners_rights(descriptor, acl, caller);
    let first = pass(acl, &caller.sids, &caller.deny_only, wanted);
    let mut decision = said(acl, first, "", style);
    for (list, whose) in [
        (&caller.restricted, "restricted identifiers: "),
        (&caller.package, "package and capabilities: "),
    ] {
        if let Some(sids) = list {
            // What a group denies is denied to the second check as well: it stands before.
            decision = both(decision, said(acl, pass(acl, sids, &[], wanted), whose, style));
        }
    }
    decision
}

/// What labels in the SACL say; none where they leave it to the DACL.
fn labels(descriptor: &Descriptor, caller: &Caller, wanted: u32) -> Option<Decision> {
    let (level, policy) = descriptor.label().unwrap_or((MEDIUM, 1));
    if caller.integrity < level {
        // Reading, writing and executing are what the generic rights of a port are mapped to; who may not write up keeps
        // the rights that reading has, and CONNECT is among these (the mapping has a single source).
        let kept = [(2, 0x8000_0000), (1, 0x4000_0000), (4, 0x2000_0000)]
            .into_iter()
            .filter(|(forbids, _)| policy & forbids == 0)
            .fold(0, |sum, (_, generic)| sum | mapped(generic));
        if wanted & !kept != 0 {
            let (has, needs) = (names::integrity(caller.integrity), names::integrity(level));
            return Some(Decision::Denied {
                by: format!(
                    "its label: {has} integrity is below {needs} ({})",
                    crate::rights::policy(policy)
                ),
            });
        }
    }
    let entries = descriptor.sacl.acl().map(|acl| acl.entries.as_slice());
    for entry in entries
        .unwrap_or_default()
        .iter()
        .filter(|entry| !entry.is_inherit_only())
    {
        let limits = entry.mask().is_none_or(|mask| wanted & !mapped(mask) != 0);
        match entry.kind {
            kind::TRUST if limits => {
                return Some(undecided(
                    "it has a process trust label, and how much the caller is trusted is not known",
                ));
            }
            kind::FILTER if limits => {
                return Some(undecided("it has an access filter, which hangs on a condition"));
            }
            _ => {}
        }
    }
    match descriptor.sacl.acl() {
        Some(Acl {
            ends: Some(wrong), ..
        }) => Some(undecided(&format!("its SACL is damaged: {wrong}"))),
        _ => None,
    }
}

/// What an owner has without any entry: reading and changing who may do what, unless an entry is for owners' rights.
fn owners_rights(descriptor: &Descriptor, acl: &Acl, caller: &Caller) -> u32 {
    let owners = Sid::new(3, &[4]);
    let owner = descriptor.owner.as_ref();
    let is_owner = owner.is_some_and(|owner| caller.sids.contains(owner));
    let limited = acl.entries.iter().any(|entry| entry.sid() == Some(&owners));
    if is_owner && !limited {
        READ_CONTROL | WRITE_DAC
    } else {
        0
    }
}

/// One pass in the order of the entries: a right that was given is not taken by a later denial.
fn pass(acl: &Acl, sids: &[Sid], deny_only: &[Sid], wanted: u32) -> Pass {
    let mut left = wanted;
    let mut unsure = Unsure::default();
    if left == 0 {
        return Pass::Granted(None);
    }
    for (index, entry) in acl.entries.iter().enumerate() {
        if entry.is_inherit_only() {
            continue;
        }
        let Some(effect) = effect(entry) else {
            unsure.note(index, None);
            continue;
        };
        let (mask, sid) = (mapped(entry.mask().unwrap_or_default()), entry.sid());
        let holds = |list: &[Sid]| sid.is_some_and(|sid| list.contains(sid));
        let applies = holds(sids) || (!effect.allows && holds(deny_only));
        if !applies || mask & left == 0 {
            continue;
        }
        match effect {
            Effect {
                certain: false,
                allows,
            } => unsure.note(index, Some(allows)),
            Effect { allows: true, .. } => {
                left &= !mask;
                if left == 0 {
                    return unsure.denies.map_or(Pass::Granted(Some(index)), Pass::Unsure);
                }
            }
            Effect { .. } => return unsure.allows.map_or(Pass::Denied(Some(index)), Pass::Unsure),
        }
    }
    if acl.ends.is_some() {
        return Pass::Broken;
    }
    unsure.allows.map_or(Pass::Denied(None), Pass::Unsure)
}

/// The first entries that may allow and that may deny: a verdict stands where none before it could have come to the other.
#[derive(Clone, Copy, Debug, Default)]
struct Unsure {
    allows: Option<usize>,
    denies: Option<usize>,
}

impl Unsure {
    /// An entry of a kind that nothing is known of may do either.
    fn note(&mut self, index: usize, allows: Option<bool>) {
        if allows != Some(false) {
            self.allows = self.allows.or(Some(index));
        }
        if allows != Some(true) {
            self.denies = self.denies.or(Some(index));
        }
    }
}

/// What an entry of a DACL does.
struct Effect {
    allows: bool,
    certain: bool,
}

/// What an entry does; none when its kind is not known or it is damaged.
fn effect(entry: &Ace) -> Option<Effect> {
    entry.mask()?;
    let has_guid = matches!(&entry.body, crate::acl::AceBody::Of { object: Some(_), .. });
    let (allows, certain) = match entry.kind {
        kind::ALLOWED => (true, true),
        kind::DENIED => (false, true),
        kind::OBJECT_ALLOWED => (true, !has_guid),
        kind::OBJECT_DENIED => (false, !has_guid),
        kind::COMPOUND | kind::CONDITIONAL_ALLOWED | kind::CONDITIONAL_OBJECT_ALLOWED => (true, false),
        kind::CONDITIONAL_DENIED | kind::CONDITIONAL_OBJECT_DENIED => (false, false),
        _ => return None,
    };
    Some(Effect { allows, certain })
}

fn said(acl: &Acl, pass: Pass, whose: &str, style: Style<'_>) -> Decision {
    let entry = |index: usize| {
        let text = acl.entries.get(index).map(|entry| sddl::ace_in(entry, style));
        let text = text.unwrap_or_default();
        format!("entry {index} {text}")
    };
    match pass {
        Pass::Granted(Some(index)) => granted(&format!("{whose}{}", entry(index))),
        Pass::Granted(None) => granted("what an owner has without any entry"),
        Pass::Denied(Some(index)) => denied(format!("{whose}{}", entry(index))),
        Pass::Denied(None) if acl.entries.is_empty() => {
            denied("its DACL is empty: nobody has access".to_owned())
        }
        Pass::Denied(None) => denied(format!("{whose}no entry allows it")),
        Pass::Unsure(index) => undecided(&format!(
            "{whose}{} hangs on a condition, or is of a kind that cannot be decided here",
            entry(index)
        )),
        Pass::Broken => undecided(&match &acl.ends {
            Some(wrong) => format!("its DACL is damaged: {wrong}"),
            None => "its DACL is damaged".to_owned(),
        }),
    }
}

/// Both have to let in.
fn both(first: Decision, second: Decision) -> Decision {
    match (first, second) {
        (Decision::Denied { by }, _) | (_, Decision::Denied { by }) => Decision::Denied { by },
        (Decision::Undecided { why }, _) | (_, Decision::Undecided { why }) => Decision::Undecided { why },
        (Decision::Granted { by: first }, Decision::Granted { by: second }) => Decision::Granted {
            by: if first == second {
                first
            } else {
                format!("{first}; {second}")
            },
        },
    }
}

fn granted(by: &str) -> Decision {
    Decision::Granted { by: by.to_owned() }
}

fn denied(by: String) -> Decision {
    Decision::Denied { by }
}

fn undecided(why: &str) -> Decision {
    Decision::Undecided { why: why.to_owned() }
}
