//! Security descriptors and access tokens, laid out by MS-DTYP 2.4 and by the kernel's own `_TOKEN`.

use super::{Name, ObjectSpec, Pool, World};
use crate::address::Va;
use crate::bytes::count;

const TOKEN: &str = "_TOKEN";

/// An entry of an access list: kind, flags, mask, who, and what follows.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// `AceType`.
    pub kind: u8,
    /// `AceFlags`.
    pub flags: u8,
    /// The rights.
    pub mask: u32,
    /// Who, as `S-1-...`.
    pub sid: &'static str,
    /// Bytes behind: a condition.
    pub data: &'static [u8],
}

impl Entry {
    /// An entry without flags and conditions.
    #[must_use]
    pub const fn of(kind: u8, mask: u32, sid: &'static str) -> Self {
        Entry {
            kind,
            flags: 0,
            mask,
            sid,
            data: &[],
        }
    }
}

/// A list of a descriptor.
#[derive(Clone, Copy, Debug)]
pub enum Entries {
    /// The bit that says that it is there is clear.
    Absent,
    /// The bit is set, and the offset is 0.
    Null,
    /// These.
    Of(&'static [Entry]),
}

/// A token to be made.
#[derive(Clone, Debug, Default)]
pub struct TokenSpec {
    /// The user and the groups with their attributes; the first is the user.
    pub groups: Vec<(&'static str, u32)>,
    /// The number of its integrity label, which stands behind the groups.
    pub integrity: Option<u32>,
    /// Restricting identifiers.
    pub restricted: Vec<&'static str>,
    /// The AppContainer's package, where this kernel has such.
    pub package: Option<&'static str>,
    /// Its capabilities.
    pub capabilities: Vec<&'static str>,
    /// Privileges: present, enabled, enabled by default.
    pub privileges: [u64; 3],
    /// Whether it is an impersonation token, and of which level.
    pub impersonation: Option<u64>,
    /// Its session.
    pub session: u64,
    /// `TokenFlags`.
    pub flags: u64,
    /// The logon session's id.
    pub logon: u64,
    /// Account and authority of the logon session, where this kernel's layouts have these.
    pub account: Option<(&'static str, &'static str)>,
    /// The eight letters of its source.
    pub source: &'static [u8],
}

/// The bytes of an identifier.
#[must_use]
pub fn sid_bytes(text: &str) -> Vec<u8> {
    let mut numbers = text
        .split('-')
        .skip(2)
        .map(|part| part.parse::<u64>().expect("a number"));
    let authority = numbers.next().expect("an authority");
    let sub: Vec<u64> = numbers.collect();
    let mut bytes = vec![1, u8::try_from(sub.len()).expect("few")];
    bytes.extend(&authority.to_be_bytes()[2..]);
    for number in sub {
        bytes.extend(u32::try_from(number).expect("32 bits").to_le_bytes());
    }
    bytes
}

/// The bytes of an access list.
fn list_bytes(entries: &[Entry]) -> Vec<u8> {
    let mut body = Vec::new();
    for entry in entries {
        let mut rest = entry.mask.to_le_bytes().to_vec();
        rest.extend(sid_bytes(entry.sid));
        rest.extend(entry.data);
        rest.resize(rest.len().next_multiple_of(4), 0);
        body.extend([entry.kind, entry.flags]);
        body.extend(u16::try_from(rest.len() + 4).expect("short").to_le_bytes());
        body.extend(rest);
    }
    let mut bytes = vec![2, 0];
    for number in [body.len() + 8, entries.len(), 0] {
        bytes.extend(u16::try_from(number).expect("short").to_le_bytes());
    }
    bytes.extend(body);
    bytes
}

/// The bytes of a self-relative descriptor.
#[must_use]
pub fn descriptor_bytes(owner: &str, group: &str, dacl: Entries, sacl: Entries) -> Vec<u8> {
    let mut control = 0x8000_u16;
    let mut offsets = [0_usize; 4];
    let mut body = Vec::new();
    for (index, list, bit) in [(2, sacl, 0x10), (3, dacl, 4)] {
        match list {
            Entries::Absent => continue,
            Entries::Null => {}
            Entries::Of(entries) => {
                offsets[index] = 0x14 + body.len();
                body.extend(list_bytes(entries));
            }
        }
        control |= bit;
    }
    for (index, sid) in [(0, owner), (1, group)] {
        offsets[index] = 0x14 + body.len();
        body.extend(sid_bytes(sid));
    }
    let mut bytes = vec![1, 0];
    bytes.extend(control.to_le_bytes());
    for offset in offsets {
        bytes.extend(u32::try_from(offset).expect("short").to_le_bytes());
    }
    bytes.extend(body);
    bytes
}

impl World {
    /// Keeps a descriptor in paged pool, as the kernel caches them.
    pub fn descriptor(&mut self, bytes: &[u8]) -> Va {
        let at = self.allocate(Pool::Paged, count(bytes.len()).next_multiple_of(16), *b"SeSd");
        self.memory.write(at, bytes);
        at
    }

    /// Ties an object to a descriptor: the low bits of the pointer in its header count references.
    pub fn protect(&mut self, object: Va, descriptor: Va) {
        let header = self.truth.objects[&object].header;
        let counted = descriptor + if self.pointer_size() == 4 { 5 } else { 0xd };
        self.point(header, "_OBJECT_HEADER", "SecurityDescriptor", counted);
    }

    /// Makes a token; its identifiers stand behind it in its own allocation.
    pub fn token(&mut self, spec: &TokenSpec) -> Va {
        let label = spec.integrity.map(|level| format!("S-1-16-{level}"));
        let mut groups: Vec<(&str, u32)> = spec.groups.clone();
        groups.extend(label.as_deref().map(|label| (label, 0x60)));
        let restricted: Vec<(&str, u32)> = spec.restricted.iter().map(|sid| (*sid, 7)).collect();
        let has_package = self.has(TOKEN, "Package");
        let capabilities: Vec<(&str, u32)> = spec.capabilities.iter().map(|sid| (*sid, 4)).collect();
        let size = self.kernel.size(TOKEN).next_multiple_of(16);
        let at = self.object(ObjectSpec::of("Token", size + 0x800));
        let mut next = at + size;
        let users = self.identifiers(&mut next, &groups);
        self.point(at, TOKEN, "UserAndGroups", users);
        self.set(at, TOKEN, "UserAndGroupCount", count(groups.len()));
        if !restricted.is_empty() {
            let list = self.identifiers(&mut next, &restricted);
            self.point(at, TOKEN, "RestrictedSids", list);
        }
        self.set(at, TOKEN, "RestrictedSidCount", count(restricted.len()));
        let index = spec.integrity.map_or(0xffff_ffff, |_| count(groups.len()) - 1);
        self.set(at, TOKEN, "IntegrityLevelIndex", index);
        if let (true, Some(package)) = (has_package, spec.package) {
            let package = self.identifier(&mut next, package);
            self.point(at, TOKEN, "Package", package);
            let list = self.identifiers(&mut next, &capabilities);
            self.point(at, TOKEN, "Capabilities", list);
            self.set(at, TOKEN, "CapabilityCount", count(capabilities.len()));
        }
        self.write_token_numbers(at, spec);
        self.write_logon(at, spec);
        at
    }

    fn write_token_numbers(&mut self, at: Va, spec: &TokenSpec) {
        let privileges = self.field(at, TOKEN, "Privileges");
        for (number, mask) in spec.privileges.into_iter().enumerate() {
            self.memory.write_uint(privileges + 8 * count(number), 8, mask);
        }
        let source = self.field(at, TOKEN, "TokenSource");
        self.memory.write(source, spec.source);
        for (member, value) in [
            ("TokenId", 0x3_e4a1),
            ("AuthenticationId", spec.logon),
            ("ModifiedId", 0x3_55e5),
            ("SessionId", spec.session),
            ("TokenFlags", spec.flags),
            ("TokenInUse", 1),
            ("MandatoryPolicy", 3),
            ("TokenType", if spec.impersonation.is_some() { 2 } else { 1 }),
            ("ImpersonationLevel", spec.impersonation.unwrap_or_default()),
            ("OriginatingLogonSession", 0x3e7),
        ] {
            self.set(at, TOKEN, member, value);
        }
    }

    /// The logon session with its names, where the layouts tell where these are.
    fn write_logon(&mut self, at: Va, spec: &TokenSpec) {
        const LOGON: &str = "_SEP_LOGON_SESSION_REFERENCES";
        let (Some((account, authority)), true) = (spec.account, self.has(LOGON, "AccountName")) else {
            return;
        };
        let session = self.allocate(Pool::Paged, self.kernel.size(LOGON), *b"SeLs");
        self.set(session, LOGON, "LogonId", spec.logon);
        for (member, text) in [("AccountName", account), ("AuthorityName", authority)] {
            let string = self.field(session, LOGON, member);
            self.set_string(string, &Name::from(text), Pool::Paged);
        }
        self.point(at, TOKEN, "LogonSession", session);
    }

    fn identifier(&mut self, next: &mut Va, sid: &str) -> Va {
        let (at, bytes) = (*next, sid_bytes(sid));
        self.memory.write(at, &bytes);
        *next = at + count(bytes.len()).next_multiple_of(8);
        at
    }

    /// `_SID_AND_ATTRIBUTES`: a pointer and four bytes each, padded to pointers.
    fn identifiers(&mut self, next: &mut Va, of: &[(&str, u32)]) -> Va {
        let (at, size) = (*next, 2 * self.pointer_size());
        *next = at + size * count(of.len());
        for (number, (sid, attributes)) in of.iter().enumerate() {
            let entry = at + size * count(number);
            let sid = self.identifier(next, sid);
            self.write_pointer(entry, sid);
            self.memory
                .write_uint(entry + self.pointer_size(), 4, u64::from(*attributes));
        }
        at
    }

    /// Makes a token the primary one of a process: the low bits of the pointer count references.
    pub fn run_as(&mut self, process: Va, token: Va) {
        let counted = token + if self.pointer_size() == 4 { 3 } else { 7 };
        let at = self.field(process, "_EPROCESS", "Token");
        self.write_pointer(at, counted);
    }

    /// Sets the protection of a process, where this kernel has more than a bit for it.
    pub fn protection(&mut self, process: Va, byte: u8) {
        if self.has("_EPROCESS", "Protection") {
            let at = self.field(process, "_EPROCESS", "Protection");
            self.memory.write(at, &[byte]);
        }
    }

    /// Fills a `_SECURITY_CLIENT_CONTEXT`: the token that it captured, and of which level.
    pub fn client_context(&mut self, at: Va, token: Va, level: u64) {
        const CONTEXT: &str = "_SECURITY_CLIENT_CONTEXT";
        self.point(at, CONTEXT, "ClientToken", token);
        let qos = self.field(at, CONTEXT, "SecurityQos");
        self.set(qos, "_SECURITY_QUALITY_OF_SERVICE", "ImpersonationLevel", level);
    }
}
