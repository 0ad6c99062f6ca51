//! Who may connect: descriptors of ports and other objects, what they let in, and what about them is worth a look.

use std::collections::HashMap;

use kdump::{Addr, Gva};
use ntkernel::image::kernel::{At, Kernel, Read};
use ntkernel::image::value::{Unreadable, Value};
use ntkernel::object::{self, TypeRef};
use ntkernel::process::ProcessRef;
use ntkernel::security::descriptor::{self, DescriptorRecord};
use ntkernel::security::token::{self, TokenRef};
use ntkernel::security::{protection, sid};
use ntkernel::why;
use ntsecurity::access::{self, Caller, Decision, LOW};
use ntsecurity::acl::kind;
use ntsecurity::{Descriptor, Sid, rights};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::port::impersonation::{self, ALLOWS_IMPERSONATION};
use crate::port::{self, NamedPort, PortKind, enumerate};

/// What the check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum AccessVerdict {
    /// The caller would be let in.
    Granted,
    /// It would be kept out.
    Denied,
    /// Not known.
    Undecided,
}

impl AccessVerdict {
    /// In words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Undecided => "undecided",
        }
    }
}

/// What a caller gets.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct AccessRecord {
    /// Who asks.
    pub who: &'static str,
    /// What the check says.
    pub verdict: AccessVerdict,
    /// Why.
    pub why: String,
}

/// Something about a descriptor that is worth a look.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct AccessFinding {
    /// Its kind: one word that does not change.
    pub id: &'static str,
    /// What was found.
    pub text: String,
    /// Why it may be as it should.
    pub innocent: &'static str,
}

/// What a port has beside its descriptor that bears on who may do what by it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PortSide {
    /// Its kind.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub kind: Value<Option<PortKind>>,
    /// The connection port whose descriptor is shown in the place of its own, which it has none of.
    pub connection_port: Option<NamedPort>,
    /// `PortAttributes.Flags`.
    pub flags: Value<u32>,
    /// Whether that lets the other side impersonate.
    pub allows_impersonation: Value<bool>,
    /// The process that owns the port whose descriptor it is.
    pub owner_process: Value<Option<ProcessRef>>,
    /// Who that process is.
    pub owner: Value<Option<TokenRef>>,
    /// Whether it is protected, and how.
    pub protection: Value<Option<String>>,
    /// What callers of some sorts would get.
    pub callers: Vec<AccessRecord>,
}

/// The security of an object.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct SecurityRecord {
    /// The object, or the descriptor itself.
    pub address: Addr,
    /// The object's type; none of a descriptor that was asked for by its own address.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub object_type: Value<Option<TypeRef>>,
    /// Its full path; none without a name.
    pub path: Value<Option<String>>,
    /// Its descriptor; none where nothing is checked.
    pub descriptor: Value<Option<DescriptorRecord>>,
    /// What a port has beside.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub port: Option<PortSide>,
    /// What is worth a look.
    pub findings: Vec<AccessFinding>,
}

/// The security of the object at an address; of an end of a connection that of the connection port.
#[must_use]
pub fn object(kernel: &Kernel<'_>, body: Gva) -> SecurityRecord {
    let at = kernel.at(body);
    let object_type = object::header(kernel, body).and_then(object::object_type);
    let is_port = object_type.as_ref().is_ok_and(|of| of.is("ALPC Port")) || port::kind(at).is_ok();
    if is_port {
        return of_port(at, object_type);
    }
    let read = read_of(kernel, body);
    SecurityRecord {
        address: kernel.addr(body),
        object_type: object_type.map(Some).into(),
        path: object::path(kernel, body).into(),
        descriptor: told(kernel, &read, false),
        port: None,
        findings: Vec::new(),
    }
}

/// The descriptor at an address.
///
/// # Errors
/// When there is none, or it is not in the dump.
pub fn descriptor_at(kernel: &Kernel<'_>, at: Gva) -> Read<SecurityRecord> {
    let found = descriptor::read(kernel, at)?;
    if found.owner.is_none() {
        let at = kernel.addr(at);
        return Err(Unreadable::Implausible(why!(
            "what is at {} names no owner, as every descriptor of an object does",
            at
        )));
    }
    Ok(SecurityRecord {
        address: kernel.addr(at),
        object_type: Value::Known(None),
        path: Value::Known(None),
        descriptor: Value::Known(Some(DescriptorRecord::of(kernel, at, &found, false))),
        port: None,
        findings: Vec::new(),
    })
}

type Found = Option<(Gva, Descriptor)>;

fn read_of(kernel: &Kernel<'_>, body: Gva) -> Read<Found> {
    let at = descriptor::address_of(kernel, body)?;
    at.map(|at| Ok((at, descriptor::read(kernel, at)?))).transpose()
}

fn told(kernel: &Kernel<'_>, read: &Read<Found>, port: bool) -> Value<Option<DescriptorRecord>> {
    let record = |(at, descriptor): &(Gva, Descriptor)| DescriptorRecord::of(kernel, *at, descriptor, port);
    read.clone().map(|found| found.as_ref().map(record)).into()
}

fn of_port(at: At<'_, '_>, object_type: Read<TypeRef>) -> SecurityRecord {
    let kernel = at.kernel();
    let kind = port::kind_if_any(at);
    let connection = match &kind {
        Ok(Some(PortKind::ClientCommunication | PortKind::ServerCommunication)) => {
            port::connection_address(at)
        }
        _ => Ok(None),
    };
    let whose = match &connection {
        Ok(Some(connection)) => *connection,
        _ => at.address(),
    };
    let read = match &connection {
        Ok(_) => read_of(kernel, whose),
        Err(hole) => Err(hole.clone()),
    };
    let path = object::path(kernel, whose);
    let owner_process = port::owner_process(kernel.at(whose)).map(|(owner, _)| owner);
    let owner = owner_process
        .clone()
        .and_then(|process| owner_of(kernel, process));
    let flags = impersonation::flags(at);
    let findings = match (&read, &path) {
        (Ok(found), Ok(Some(_))) => {
            let system = owner
                .as_ref()
                .is_ok_and(|owner| owner.as_ref().is_some_and(is_system));
            findings(found.as_ref().map(|(_, descriptor)| descriptor), system)
        }
        _ => Vec::new(),
    };
    let protected = owner_process.clone().and_then(|process| match process.u64() {
        0 => Ok(None),
        _ => protection::of(kernel.at(process)),
    });
    SecurityRecord {
        address: kernel.addr(at.address()),
        object_type: object_type.map(Some).into(),
        descriptor: told(kernel, &read, true),
        port: Some(PortSide {
            kind: kind.into(),
            connection_port: (whose != at.address()).then(|| NamedPort::at(kernel, whose)),
            allows_impersonation: flags
                .clone()
                .map(|flags| flags & ALLOWS_IMPERSONATION != 0)
                .into(),
            flags: flags.into(),
            owner_process: owner_process
                .map(|process| port::process_ref(kernel, process))
                .into(),
            owner: owner.into(),
            protection: protected.into(),
            callers: callers(kernel, &read, path.as_ref().is_ok_and(Option::is_none)),
        }),
        path: path.into(),
        findings,
    }
}

fn owner_of(kernel: &Kernel<'_>, process: Gva) -> Read<Option<TokenRef>> {
    if process.u64() == 0 {
        return Ok(None);
    }
    let token = token::of_process(kernel.at(process))?;
    Ok(token.map(|token| TokenRef::at(kernel, token)))
}

/// Whether a token is of the system, by its user or its integrity.
fn is_system(owner: &TokenRef) -> bool {
    let user = owner.user.known().is_some_and(|user| user.sid == "S-1-5-18");
    let level = owner.integrity.known().and_then(Option::as_ref);
    user || level.is_some_and(|level| level.level >= 0x4000)
}

/// The sorts of callers that are told with every port.
const SORTS: [&str; 4] = ["everyone", "low", "appcontainer", "anonymous"];

fn sort(name: &str) -> Option<Caller> {
    Some(match name {
        "everyone" => Caller::named(&Sid::new(1, &[0])),
        "low" => Caller::low(),
        "appcontainer" => Caller::app_container(),
        "anonymous" => Caller::named(&Sid::new(5, &[7])),
        _ => return None,
    })
}

fn callers(kernel: &Kernel<'_>, read: &Read<Found>, nameless: bool) -> Vec<AccessRecord> {
    let (Ok(found), false) = (read, nameless) else {
        return Vec::new();
    };
    let of = |who: &'static str| {
        let caller = sort(who)?;
        let (verdict, why) = checked(kernel, found.as_ref().map(|(_, descriptor)| descriptor), &caller);
        Some(AccessRecord { who, verdict, why })
    };
    SORTS.into_iter().filter_map(of).collect()
}

fn checked(kernel: &Kernel<'_>, descriptor: Option<&Descriptor>, caller: &Caller) -> (AccessVerdict, String) {
    let decision = sid::styled(kernel, |style| {
        access::check_in(descriptor, caller, rights::PORT_CONNECT, style)
    });
    match decision {
        Decision::Granted { by } => (AccessVerdict::Granted, by),
        Decision::Denied { by } => (AccessVerdict::Denied, by),
        Decision::Undecided { why } => (AccessVerdict::Undecided, why),
    }
}

const CHECKED_LATER: &str = "servers of RPC let many connect and check each call";

/// What is worth a look about a port that has a name.
fn findings(descriptor: Option<&Descriptor>, of_system: bool) -> Vec<AccessFinding> {
    let mut found = Vec::new();
    let mut add = |id, text: &str, innocent| {
        found.push(AccessFinding {
            id,
            text: text.to_owned(),
            innocent,
        });
    };
    let Some(descriptor) = descriptor else {
        add(
            "no-descriptor",
            "the port has a name and no descriptor: everybody who can name it may do everything",
            "drivers can make such ports, in directories that not everybody may enter",
        );
        return found;
    };
    let Some(acl) = descriptor.dacl.acl() else {
        add(
            "null-dacl",
            "the port has no DACL: everybody may do everything",
            "a server whose every call checks the caller; Windows' own servers have none",
        );
        return found;
    };
    let allowing = || {
        acl.entries.iter().filter(|entry| {
            matches!(
                entry.kind,
                kind::ALLOWED | kind::OBJECT_ALLOWED | kind::CONDITIONAL_ALLOWED
            ) && !entry.is_inherit_only()
        })
    };
    for (id, who, words) in [
        (
            "connect-anonymous",
            Sid::new(5, &[7]),
            "anonymous callers may connect",
        ),
        (
            "connect-packages",
            Sid::new(15, &[2, 1]),
            "every application in an AppContainer may connect",
        ),
        (
            "connect-restricted-packages",
            Sid::new(15, &[2, 2]),
            "also applications in less privileged AppContainers may connect",
        ),
    ] {
        let connects = |entry: &&ntsecurity::Ace| {
            entry.sid() == Some(&who)
                && rights::mapped(entry.mask().unwrap_or_default()) & rights::PORT_CONNECT != 0
        };
        if allowing().any(|entry| connects(&entry)) {
            add(id, words, CHECKED_LATER);
        }
    }
    if of_system && descriptor.label().is_some_and(|(level, _)| level <= LOW) {
        add(
            "low-label",
            "a low mandatory label on a port of the system: callers of low integrity are not kept out by it",
            "ports that browsers and applications use have one on purpose",
        );
    }
    let changes = allowing().any(|entry| {
        let mask = rights::mapped(entry.mask().unwrap_or_default());
        mask & (rights::WRITE_DAC | rights::WRITE_OWNER) != 0
            && entry.sid().is_some_and(|sid| !is_trusted(sid, descriptor))
    });
    if changes {
        add(
            "change-by-others",
            "others than administrators, the system and the owner may change who may connect",
            "a program that gives its own user all access to its port, which only reaches as far as that user does",
        );
    }
    found
}

/// Whoever may change everything anyway: the system, administrators, services, and who owns the port.
fn is_trusted(sid: &Sid, descriptor: &Descriptor) -> bool {
    let owner = descriptor.owner.as_ref() == Some(sid);
    let well_known = matches!(
        (sid.authority(), sid.sub()),
        (5, [18] | [32, 544] | [80, ..]) | (3, [0] | [4])
    );
    owner || well_known
}

/// A connection port that a caller could open, or might.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct AccessibleRow {
    /// Its `_ALPC_PORT`.
    pub address: Addr,
    /// `granted` or `undecided`.
    pub verdict: AccessVerdict,
    /// Full path in the object namespace.
    pub path: Value<Option<String>>,
    /// The process that owns it.
    pub owner_process: Value<Option<ProcessRef>>,
    /// The user and integrity of that.
    pub owner: Value<Option<TokenRef>>,
    /// What lets the caller in, or why that is not known.
    pub why: String,
    /// Set where the descriptor, or what leads to it, could not be read.
    pub descriptor: Value<()>,
}

/// The ports that a caller could open.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Accessible {
    /// Who was asked for.
    pub who: String,
    /// The identifiers that such a caller was taken to have.
    pub identifiers: Vec<String>,
    /// The integrity that it was taken to have.
    pub integrity: String,
    /// Those that it could open, and those of which that is not known.
    pub ports: Vec<AccessibleRow>,
    /// Connection ports that keep it out.
    pub denied: u64,
    /// Connection ports without a name, which nobody can open.
    pub nameless: u64,
    /// Set when ports may be missing.
    pub complete: Value<()>,
}

/// A caller by what a user wrote: `everyone`, `appcontainer`, `low`, `anonymous`, or an identifier. None for anything else.
#[must_use]
pub fn caller(who: &str) -> Option<Caller> {
    let sort = sort(&who.to_ascii_lowercase());
    sort.or_else(|| who.parse::<Sid>().ok().map(|sid| Caller::named(&sid)))
}

/// All connection ports that a caller could open, and those of which that is not known.
#[must_use]
pub fn accessible(kernel: &Kernel<'_>, who: &str, caller: &Caller) -> Accessible {
    let all = enumerate::ports(kernel);
    let mut table = Accessible {
        // What the user typed may name a machine's account.
        who: who
            .parse::<Sid>()
            .map_or_else(|_| who.to_owned(), |of| sid::text(kernel, &of)),
        identifiers: caller.all_sids().map(|sid| sid::text(kernel, sid)).collect(),
        integrity: ntsecurity::names::integrity(caller.integrity),
        ports: Vec::new(),
        denied: 0,
        nameless: 0,
        complete: all.complete,
    };
    let mut descriptors = Descriptors::default();
    for address in all.ports {
        let at = kernel.at(address);
        match port::kind_if_any(at) {
            Ok(Some(PortKind::Connection)) => {}
            Ok(_) => continue,
            Err(hole) => {
                table.ports.push(undecided(at, hole));
                continue;
            }
        }
        let path = object::path(kernel, address);
        if let Ok(None) = path {
            table.nameless = table.nameless.saturating_add(1);
            continue;
        }
        match descriptors.check(kernel, address, caller) {
            Ok((AccessVerdict::Denied, _)) => table.denied = table.denied.saturating_add(1),
            Ok((verdict, why)) => table.ports.push(AccessibleRow {
                verdict,
                why,
                descriptor: Value::Known(()),
                ..row(at)
            }),
            Err(hole) => table.ports.push(undecided(at, hole)),
        }
    }
    table
}

fn undecided(at: At<'_, '_>, hole: Unreadable) -> AccessibleRow {
    AccessibleRow {
        why: hole.to_string(),
        descriptor: Err(hole).into(),
        ..row(at)
    }
}

fn row(at: At<'_, '_>) -> AccessibleRow {
    let kernel = at.kernel();
    let process = port::owner_process(at).map(|(owner, _)| owner);
    AccessibleRow {
        address: kernel.addr(at.address()),
        verdict: AccessVerdict::Undecided,
        path: object::path(kernel, at.address()).into(),
        owner: process
            .clone()
            .and_then(|process| owner_of(kernel, process))
            .into(),
        owner_process: process.map(|process| port::process_ref(kernel, process)).into(),
        why: String::new(),
        descriptor: Value::Known(()),
    }
}

/// What the check said of each descriptor: many ports share one.
#[derive(Default)]
struct Descriptors(HashMap<Gva, Read<(AccessVerdict, String)>>);

impl Descriptors {
    fn check(&mut self, kernel: &Kernel<'_>, port: Gva, caller: &Caller) -> Read<(AccessVerdict, String)> {
        let Some(at) = descriptor::address_of(kernel, port)? else {
            return Ok(checked(kernel, None, caller));
        };
        let decide = || {
            let descriptor = descriptor::read(kernel, at)?;
            Ok(checked(kernel, Some(&descriptor), caller))
        };
        self.0.entry(at).or_insert_with(decide).clone()
    }
}
