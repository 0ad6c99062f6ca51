//! Access tokens: as whom a process or a thread acts.

use kdump::{Addr, Gva};
use ntsecurity::access::Caller;
use ntsecurity::{Sid, names, token as words};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::contract::{LogonSession, Member, Process, Thread, Token};
use crate::image::expected::Expected;
use crate::image::kernel::{At, Kernel, Read, offset};
use crate::image::value::{Unreadable, Value};
use crate::object;
use crate::object::marks::{self, expect};
use crate::security::sid::{self, SidRecord};
use crate::why;

/// Groups of a token that are read: Windows puts no more than some thousand into one.
const MOST_GROUPS: u32 = 4096;

/// Logon sessions that every machine has.
const LOGONS: [(u64, &str); 4] = [
    (0x3e4, "NT AUTHORITY\\NETWORK SERVICE"),
    (0x3e5, "NT AUTHORITY\\LOCAL SERVICE"),
    (0x3e6, "NT AUTHORITY\\ANONYMOUS LOGON"),
    (0x3e7, "NT AUTHORITY\\SYSTEM"),
];

/// A token.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct TokenRecord {
    /// Its `_TOKEN`.
    pub address: Addr,
    /// Who acts.
    pub user: Value<SidRecord>,
    /// Authority and account of its logon session; none where it names no session.
    pub account: Value<Option<String>>,
    /// The user's groups; the integrity label is among them.
    pub groups: Value<Vec<GroupRecord>>,
    /// The primary group.
    pub primary_group: Value<Option<SidRecord>>,
    /// Its integrity level; none where it has none.
    pub integrity: Value<Option<IntegrityRecord>>,
    /// Its privileges.
    pub privileges: Value<PrivilegesRecord>,
    /// `primary` or `impersonation`.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub token_type: Value<&'static str>,
    /// How far whoever has it may act by it: of impersonation tokens only.
    pub level: Value<Option<&'static str>>,
    /// Its session.
    pub session: Value<u32>,
    /// The package of the AppContainer that it is of; none of tokens outside of one.
    pub package: Value<Option<SidRecord>>,
    /// The capabilities of that.
    pub capabilities: Value<Vec<GroupRecord>>,
    /// Identifiers that have to be let in too.
    pub restricted: Value<Vec<GroupRecord>>,
    /// The trust label of a protected process.
    pub trust: Value<Option<SidRecord>>,
    /// `_TOKEN.TokenFlags`.
    pub flags: Value<u32>,
    /// The same by name.
    pub flag_names: Value<Vec<String>>,
    /// `_TOKEN.MandatoryPolicy`: 1 no writing up, 2 the integrity of a new process is the lower of both.
    pub mandatory_policy: Value<u32>,
    /// Whether a process has it for its primary token.
    pub in_use: Value<bool>,
    /// Who made it, in eight letters.
    pub source: Value<String>,
    /// Its own id.
    pub token_id: Value<u64>,
    /// Id of the token that it was filtered from; 0 of the others.
    pub parent_token_id: Value<u64>,
    /// Changes when the token does.
    pub modified_id: Value<u64>,
    /// Id of its logon session.
    pub authentication_id: Value<u64>,
    /// Id of the logon session that made it.
    pub originating_logon: Value<u64>,
    /// Signs that somebody changed it in memory, each with why it may be innocent.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub signs: Vec<String>,
}

/// A group of a token.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct GroupRecord {
    /// Which.
    pub group: Value<SidRecord>,
    /// `_SID_AND_ATTRIBUTES.Attributes`.
    pub attributes: u32,
    /// The same in the debugger's words.
    pub words: Vec<String>,
}

/// An integrity level.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct IntegrityRecord {
    /// The number behind `S-1-16-`.
    pub level: u32,
    /// In words.
    pub word: String,
}

/// The privileges of a token.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PrivilegesRecord {
    /// `_SEP_TOKEN_PRIVILEGES.Present`: a bit for each, by its number.
    pub present: u64,
    /// Those that count.
    pub enabled: u64,
    /// Those that counted at first.
    pub enabled_by_default: u64,
    /// Those that are present or enabled, one by one.
    pub all: Vec<PrivilegeRecord>,
}

/// A privilege of a token.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct PrivilegeRecord {
    /// Its number.
    pub number: u32,
    /// Its name; none for a number that no privilege has.
    pub name: Option<&'static str>,
    /// Whether the token has it.
    pub present: bool,
    /// Whether it counts.
    pub enabled: bool,
    /// Whether it did at first.
    pub by_default: bool,
}

/// Why there is no token at an address.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no access token is at {address}: {hole}")]
pub struct NotAToken {
    /// The address asked for.
    pub address: Addr,
    /// What tells it.
    pub hole: Unreadable,
}

/// The primary token of a process; none for one without.
///
/// # Errors
/// When the process is not in the dump.
pub fn of_process(process: At<'_, '_>) -> Read<Option<Gva>> {
    expect(process.kernel(), Expected::Process, process.address())?;
    // An `_EX_FAST_REF`: its low bits (four on 64-bit systems, three on 32-bit ones) count references.
    let count = if process.kernel().pointer_size() == 4 {
        7
    } else {
        15
    };
    let token = process.uint(Process::Token)? & !count;
    Ok((token != 0).then(|| Gva::new(token)))
}

/// What a thread acts by instead of its process's token.
#[derive(Clone, Copy, Debug)]
pub struct Impersonated {
    /// The token.
    pub token: Gva,
    /// `SECURITY_IMPERSONATION_LEVEL`.
    pub level: u32,
    /// Whether only what is enabled may be used.
    pub effective_only: bool,
}

/// What a thread impersonates; none while it acts as its process.
///
/// # Errors
/// When the thread is not in the dump.
pub fn of_thread(thread: At<'_, '_>) -> Read<Option<Impersonated>> {
    expect(thread.kernel(), Expected::Thread, thread.address())?;
    // Bit 3 of CrossThreadFlags, in every kernel from Vista on. The word stays as it was when impersonation ends: level in
    // its lowest two bits, above these whether it is effective only.
    if !thread.flag(Thread::ActiveImpersonationInfo)? {
        return Ok(None);
    }
    let at = thread.address_of(Thread::ClientSecurity)?;
    let word = thread.kernel().cursor().pointer(at)?.u64();
    Ok(Some(Impersonated {
        token: Gva::new(word & !7),
        level: u32::try_from(word & 3).unwrap_or_default(),
        effective_only: word & 4 != 0,
    }))
}

/// Nothing, or why no token is at an address. Where neither its header nor its own members are in the dump, one is taken to be
/// there.
///
/// # Errors
/// [`Unreadable::NotThere`].
pub fn expect_token(kernel: &Kernel<'_>, address: Gva) -> Read<()> {
    expect(kernel, Expected::Token, address)?;
    let header = object::header(kernel, address);
    match header.and_then(|header| object::has_type(header, "Token")) {
        Ok(false) | Err(Unreadable::Implausible(_)) => {
            Err(marks::not_there(kernel, Expected::Token, address))
        }
        Ok(true) | Err(_) => Ok(()),
    }
}

/// Reads the token at an address.
///
/// # Errors
/// [`NotAToken`] when something else is there. What cannot be read of one is told in its place.
pub fn read(kernel: &Kernel<'_>, address: Gva) -> Result<TokenRecord, NotAToken> {
    expect_token(kernel, address).map_err(|hole| NotAToken {
        address: kernel.addr(address),
        hole,
    })?;
    Ok(record(kernel.at(address)))
}

fn record(token: At<'_, '_>) -> TokenRecord {
    let kernel = token.kernel();
    let one = |sid: Read<Sid>| sid.map(|sid| SidRecord::of(kernel, &sid));
    let maybe = |sid: Read<Option<Sid>>| sid.map(|sid| sid.map(|sid| SidRecord::of(kernel, &sid)));
    let groups = list(token, Token::UserAndGroups, Token::UserAndGroupCount);
    let privileges = privileges(token);
    let impersonates = token.u32(Token::TokenType).map(|kind| kind == 2);
    TokenRecord {
        address: kernel.addr(token.address()),
        user: one(user(&groups)).into(),
        account: account(token).into(),
        groups: groups
            .clone()
            .map(|all| told(kernel, all.get(1..).unwrap_or_default()))
            .into(),
        primary_group: maybe(pointed(token, Token::PrimaryGroup)).into(),
        integrity: integrity(token, &groups)
            .map(|level| level.map(IntegrityRecord::of))
            .into(),
        signs: signs(&privileges),
        privileges: privileges.into(),
        token_type: token_type(token).into(),
        level: impersonates
            .and_then(|is| is.then(|| level(token)).transpose())
            .into(),
        session: token.u32(Token::SessionId).into(),
        package: maybe(pointed(token, Token::Package)).into(),
        capabilities: told_list(token, Token::Capabilities, Token::CapabilityCount),
        restricted: told_list(token, Token::RestrictedSids, Token::RestrictedSidCount),
        trust: maybe(pointed(token, Token::TrustLevelSid)).into(),
        flags: token.u32(Token::TokenFlags).into(),
        flag_names: token.u32(Token::TokenFlags).map(words::flags).into(),
        mandatory_policy: token.u32(Token::MandatoryPolicy).into(),
        in_use: token.flag(Token::TokenInUse).into(),
        source: source(token).into(),
        token_id: token.uint(Token::TokenId).into(),
        parent_token_id: token.uint(Token::ParentTokenId).into(),
        modified_id: token.uint(Token::ModifiedId).into(),
        authentication_id: token.uint(Token::AuthenticationId).into(),
        originating_logon: token.uint(Token::OriginatingLogonSession).into(),
    }
}

impl IntegrityRecord {
    fn of(level: u32) -> Self {
        Self {
            level,
            word: names::integrity(level),
        }
    }
}

/// An identifier with its attributes.
#[derive(Clone, Debug)]
struct Group {
    sid: Read<Sid>,
    attributes: u32,
}

/// A list of `_SID_AND_ATTRIBUTES`: a pointer and four bytes each, in the room of two pointers.
fn list<M: Member>(token: At<'_, '_>, first: M, count: M) -> Read<Vec<Group>> {
    let kernel = token.kernel();
    let number = token.u32(count)?;
    if number == 0 {
        return Ok(Vec::new());
    }
    if number > MOST_GROUPS {
        let at = kernel.addr(token.address());
        return Err(Unreadable::Implausible(why!(
            "the access token {} claims {} groups, and none has as many",
            at,
            number
        )));
    }
    let at = token.pointer(first)?;
    let width = u64::from(kernel.pointer_size());
    let group = |index: u32| {
        let entry = offset(at, u64::from(index).saturating_mul(width.saturating_mul(2)));
        let sid = kernel.cursor().pointer(entry)?;
        Ok(Group {
            attributes: kernel.cursor().u32(offset(entry, width))?,
            sid: sid::read(kernel, sid),
        })
    };
    (0..number).map(group).collect()
}

fn told_list<M: Member>(token: At<'_, '_>, first: M, count: M) -> Value<Vec<GroupRecord>> {
    list(token, first, count)
        .map(|all| told(token.kernel(), &all))
        .into()
}

fn told(kernel: &Kernel<'_>, groups: &[Group]) -> Vec<GroupRecord> {
    let one = |group: &Group| GroupRecord {
        group: group.sid.clone().map(|sid| SidRecord::of(kernel, &sid)).into(),
        attributes: group.attributes,
        words: words::group_attributes(group.attributes),
    };
    groups.iter().map(one).collect()
}

/// The first of the groups.
fn user(groups: &Read<Vec<Group>>) -> Read<Sid> {
    match groups.as_deref() {
        Ok([user, ..]) => user.sid.clone(),
        Ok([]) => Err(Unreadable::Implausible(why!("the access token names no user"))),
        Err(hole) => Err(hole.clone()),
    }
}

/// The label at the index that the token names; where that is none, the first one among the groups.
fn integrity(token: At<'_, '_>, groups: &Read<Vec<Group>>) -> Read<Option<u32>> {
    let groups = groups.as_deref().map_err(Clone::clone)?;
    let index = usize::try_from(token.u32(Token::IntegrityLevelIndex)?).unwrap_or(usize::MAX);
    if let Some(group) = groups.get(index)
        && let Some(level) = group.sid.clone()?.integrity()
    {
        return Ok(Some(level));
    }
    let mut known = groups.iter().filter_map(|group| group.sid.as_ref().ok());
    Ok(known.find_map(Sid::integrity))
}

/// The identifier that a member points to; none for null.
fn pointed<M: Member>(token: At<'_, '_>, member: M) -> Read<Option<Sid>> {
    let at = token.pointer(member)?;
    (at.u64() != 0).then(|| sid::read(token.kernel(), at)).transpose()
}

fn token_type(token: At<'_, '_>) -> Read<&'static str> {
    match token.u32(Token::TokenType)? {
        1 => Ok("primary"),
        2 => Ok("impersonation"),
        other => Err(Unreadable::Implausible(why!(
            "{} is no type of an access token",
            other
        ))),
    }
}

fn level(token: At<'_, '_>) -> Read<&'static str> {
    let level = token.u32(Token::ImpersonationLevel)?;
    words::level(level).ok_or_else(|| Unreadable::Implausible(why!("{} is no level of impersonation", level)))
}

/// Three masks of eight bytes: a fixed format.
fn privileges(token: At<'_, '_>) -> Read<PrivilegesRecord> {
    let at = token.address_of(Token::Privileges)?;
    let mask = |by: u64| token.kernel().cursor().uint(offset(at, by), 8);
    let (present, enabled, enabled_by_default) = (mask(0)?, mask(8)?, mask(16)?);
    let has = |mask: u64, number: u32| mask.checked_shr(number).unwrap_or(0) & 1 != 0;
    let one = |number: u32| PrivilegeRecord {
        number,
        name: words::privilege(number),
        present: has(present, number),
        enabled: has(enabled, number),
        by_default: has(enabled_by_default, number),
    };
    Ok(PrivilegesRecord {
        present,
        enabled,
        enabled_by_default,
        all: (0..64)
            .filter(|number| has(present | enabled, *number))
            .map(one)
            .collect(),
    })
}

/// A privilege can only be enabled that is present: Windows clears both masks together. The classic change of a token by a bug
/// in the kernel sets the mask of enabled ones alone (general knowledge; an inference, not a proof).
fn signs(privileges: &Read<PrivilegesRecord>) -> Vec<String> {
    let Ok(privileges) = privileges else {
        return Vec::new();
    };
    let mut signs = Vec::new();
    let more = privileges.enabled & !privileges.present;
    if more != 0 {
        signs.push(format!(
            "privileges 0x{more:x} are enabled and not present, which Windows never makes: the token was changed in memory, or \
             this page was written while the dump was (inferred)"
        ));
    }
    if privileges.present == u64::MAX {
        signs.push(
            "all 64 privileges are present, and Windows has 35: the token was changed in memory, or its page was \
             overwritten (inferred)"
                .to_owned(),
        );
    }
    signs
}

/// Eight letters, filled up with blanks or zeros.
fn source(token: At<'_, '_>) -> Read<String> {
    let mut letters = [0; 8];
    let at = token.address_of(Token::TokenSource)?;
    token.kernel().cursor().read(at, &mut letters)?;
    let text: String = letters.iter().map(|letter| char::from(*letter)).collect();
    Ok(text.trim_end_matches([' ', '\0']).to_owned())
}

/// Authority and account of the logon session; those that every machine has are known by their ids.
fn account(token: At<'_, '_>) -> Read<Option<String>> {
    let kernel = token.kernel();
    let id = token.uint(Token::AuthenticationId)?;
    if let Some((_, known)) = LOGONS.iter().find(|(known, _)| *known == id) {
        return Ok(Some((*known).to_owned()));
    }
    let session = token.pointer(Token::LogonSession)?;
    if session.u64() == 0 {
        return Ok(None);
    }
    let session = kernel.at(session);
    let text = |member: LogonSession| session.address_of(member).and_then(|at| kernel.text(at));
    let (authority, account) = (
        text(LogonSession::AuthorityName)?,
        text(LogonSession::AccountName)?,
    );
    let hidden = |name: String| match kernel.redaction() {
        Some(redaction) => redaction.name(name),
        None => name,
    };
    Ok(Some(format!("{}\\{}", hidden(authority), hidden(account))))
}

/// Who a token is, in a line.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct TokenRef {
    /// Its `_TOKEN`.
    pub address: Addr,
    /// The user.
    pub user: Value<SidRecord>,
    /// Its integrity level; none where it has none.
    pub integrity: Value<Option<IntegrityRecord>>,
    /// Its session.
    pub session: Value<u32>,
    /// The package of its AppContainer.
    pub package: Value<Option<SidRecord>>,
}

impl TokenRef {
    /// The token at an address.
    #[must_use]
    pub fn at(kernel: &Kernel<'_>, address: Gva) -> Self {
        let there = expect_token(kernel, address);
        let token = kernel.at(address);
        let groups = there
            .clone()
            .and_then(|()| list(token, Token::UserAndGroups, Token::UserAndGroupCount));
        let level = integrity(token, &groups).map(|level| level.map(IntegrityRecord::of));
        let package = there.clone().and_then(|()| pointed(token, Token::Package));
        Self {
            address: kernel.addr(address),
            user: user(&groups).map(|sid| SidRecord::of(kernel, &sid)).into(),
            integrity: level.into(),
            session: there.and_then(|()| token.u32(Token::SessionId)).into(),
            package: package
                .map(|sid| sid.map(|sid| SidRecord::of(kernel, &sid)))
                .into(),
        }
    }
}

/// The token at an address as somebody who asks for access.
///
/// # Errors
/// When any of its identifiers cannot be read: who it is would not be known for certain.
pub fn caller(kernel: &Kernel<'_>, address: Gva) -> Read<Caller> {
    expect_token(kernel, address)?;
    let token = kernel.at(address);
    let groups = list(token, Token::UserAndGroups, Token::UserAndGroupCount);
    let level = integrity(token, &groups)?;
    let mut caller = Caller {
        sids: Vec::new(),
        deny_only: Vec::new(),
        restricted: None,
        package: None,
        integrity: level.unwrap_or_default(),
    };
    for (index, group) in groups?.into_iter().enumerate() {
        let sid = group.sid?;
        match group.attributes {
            attributes if attributes & words::DENY_ONLY != 0 => caller.deny_only.push(sid),
            attributes if index == 0 || attributes & words::ENABLED != 0 => caller.sids.push(sid),
            _ => {}
        }
    }
    let all = |groups: Vec<Group>| {
        groups
            .into_iter()
            .map(|group| group.sid)
            .collect::<Read<Vec<Sid>>>()
    };
    let restricted = all(list(token, Token::RestrictedSids, Token::RestrictedSidCount)?)?;
    caller.restricted = (!restricted.is_empty()).then_some(restricted);
    caller.package = match pointed(token, Token::Package) {
        Ok(Some(package)) => {
            let mut sids = all(list(token, Token::Capabilities, Token::CapabilityCount)?)?;
            sids.push(package);
            sids.push(Sid::new(15, &[2, 1]));
            Some(sids)
        }
        Ok(None) => None,
        Err(hole) if hole.is_absence() => None,
        Err(hole) => return Err(hole),
    };
    Ok(caller)
}
