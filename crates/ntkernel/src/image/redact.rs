//! Placeholders for what a report must not tell.
//!
//! Names, paths and ids are replaced where they leave the kernel's memory, before any record has them, so that all
//! that is made of the records agrees: text, JSON, drawings, signatures, messages. The walks themselves, and what
//! finds a thing by its name, see what is there: they use the `true_` reads.
//!
//! A placeholder of a name is ten letters of an HMAC-SHA256 over the name in upper case. The letters are none of the
//! hex digits, lest they be taken for what is drawn at run time. An id becomes another id of about its size by
//! a permutation that the same key draws, so that equal stays equal and different stays different.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use ntlayout::Contract;
use sha2::{Digest, Sha256};

/// What is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// Names of processes, ports and other named objects, threads and modules; what people wrote into the dump.
    pub names: bool,
    /// Paths of objects and files.
    pub paths: bool,
    /// Ids of processes, threads and messages.
    pub ids: bool,
}

/// Characters of an image name that the kernel keeps: a longer file name is known by as many.
const IMAGE_CHARS: usize = 14;

/// What every Windows has and says nothing of the machine, in lower case: its own processes, the kernel's images.
const KNOWN_NAMES: [&str; 29] = [
    "system",
    "idle",
    "registry",
    "memcompression",
    "secure system",
    "smss.exe",
    "csrss.exe",
    "wininit.exe",
    "winlogon.exe",
    "services.exe",
    "lsass.exe",
    "lsm.exe",
    "svchost.exe",
    "dwm.exe",
    "explorer.exe",
    "spoolsv.exe",
    "werfault.exe",
    "ntoskrnl.exe",
    "ntkrnlmp.exe",
    "ntkrnlpa.exe",
    "ntkrpamp.exe",
    "ntkrla57.exe",
    "hal.dll",
    "ntdll.dll",
    "win32k.sys",
    "win32kbase.sys",
    "win32kfull.sys",
    "ntfs.sys",
    "msrpc.sys",
];

/// Folders and object directories that every Windows has.
const KNOWN_FOLDERS: [&str; 24] = [
    "rpc control",
    "device",
    "driver",
    "filesystem",
    "kernelobjects",
    "objecttypes",
    "basenamedobjects",
    "knowndlls",
    "knowndlls32",
    "sessions",
    "session",
    "windows",
    "windowstations",
    "callback",
    "security",
    "nls",
    "arcname",
    "global??",
    "??",
    "systemroot",
    "system32",
    "syswow64",
    "drivers",
    "program files",
];

/// Rounds of the permutation; four are enough for a random function, more cost nothing.
const ROUNDS: u8 = 8;

/// Replaces names, paths and ids.
pub struct Redaction {
    classes: Classes,
    key: [u8; 32],
    /// What ids the fields of the contract hold.
    fields: Vec<Option<Ids>>,
    known: Mutex<HashMap<(Ids, u64), u64>>,
}

/// Numbers of one kind: the same number is the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ids {
    /// Processes and threads, which share one table of ids.
    Clients,
    /// Messages.
    Messages,
    /// Callbacks of messages.
    Callbacks,
}

impl Redaction {
    /// Placeholders for the fields of a contract, drawn by a secret: whoever has that and a name can tell the name's placeholder.
    #[must_use]
    pub fn new(contract: &Contract, classes: Classes, secret: &[u8]) -> Self {
        let fields = contract
            .fields
            .iter()
            .map(|field| ids_of(field.ty, field.name))
            .collect();
        Self {
            classes,
            key: Sha256::digest(secret).into(),
            fields,
            known: Mutex::default(),
        }
    }

    /// What is replaced.
    #[must_use]
    pub fn classes(&self) -> Classes {
        self.classes
    }

    /// Whether the names of objects are replaced, by themselves or as parts of paths.
    #[must_use]
    pub fn hides_names(&self) -> bool {
        self.classes.names || self.classes.paths
    }

    /// An object's name, a thread's, or anything else that somebody called something.
    #[must_use]
    pub fn name(&self, name: String) -> String {
        if self.classes.names {
            self.word(&name)
        } else {
            name
        }
    }

    /// The name of an image's file, which is known in full or by its first characters.
    #[must_use]
    pub fn image(&self, name: String) -> String {
        if self.classes.names {
            self.image_word(&name)
        } else {
            name
        }
    }

    /// Free text: no part of it stays.
    #[must_use]
    pub fn text(&self, text: String) -> String {
        if self.classes.names && !text.is_empty() {
            format!("text-{}", self.letters("text", &text))
        } else {
            text
        }
    }

    /// What of an identifier tells one machine, domain or package from others: equal parts have equal placeholders.
    #[must_use]
    pub fn identifier_part(&self, part: &str) -> String {
        self.letters("sid", part)
    }

    /// An object's full path: its last part is a name, all of it is a path.
    #[must_use]
    pub fn path(&self, path: &str) -> String {
        self.parts(path, Self::word)
    }

    /// The full path of an image's file.
    #[must_use]
    pub fn image_path(&self, path: &str) -> String {
        self.parts(path, Self::image_word)
    }

    /// What a user wrote to name a thing: a path, or a name of whatever sort.
    #[must_use]
    pub fn token(&self, token: &str) -> String {
        if token.contains('\\') {
            self.path(token)
        } else {
            self.image(token.to_owned())
        }
    }

    /// An id.
    #[must_use]
    pub fn id(&self, ids: Ids, id: u64) -> u64 {
        if !self.classes.ids {
            return id;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry((ids, id)).or_insert_with(|| self.permuted(ids, id))
    }

    /// An id of 32 bits, which stays one.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "ids keep their sort, which tells their size"
    )]
    pub fn id32(&self, ids: Ids, id: u32) -> u32 {
        self.id(ids, id.into()) as u32
    }

    /// A value of the contract's field of that index: another one where it is an id.
    pub fn value(&self, field: usize, value: u64) -> u64 {
        match self.fields.get(field) {
            Some(&Some(ids)) => self.id(ids, value),
            _ => value,
        }
    }

    fn parts(&self, path: &str, last: fn(&Self, &str) -> String) -> String {
        let Classes { names, paths, .. } = self.classes;
        let count = path.split('\\').count();
        let part = |(index, part): (usize, &str)| {
            if index.saturating_add(1) == count {
                if names || paths {
                    last(self, part)
                } else {
                    part.to_owned()
                }
            } else if paths && !is_known_folder(part) {
                self.word(part)
            } else {
                part.to_owned()
            }
        };
        let parts: Vec<String> = path.split('\\').enumerate().map(part).collect();
        parts.join("\\")
    }

    fn image_word(&self, name: &str) -> String {
        if is_known_name(name) {
            return name.to_owned();
        }
        let kept: String = name.chars().take(IMAGE_CHARS).collect();
        self.word(&kept)
    }

    fn word(&self, name: &str) -> String {
        // The root directory has no other name, and drives have no more than a letter.
        if name.is_empty() || name == "\\" || is_known_name(name) || is_known_folder(name) {
            return name.to_owned();
        }
        format!("name-{}", self.letters("name", &name.to_uppercase()))
    }

    fn letters(&self, of: &str, text: &str) -> String {
        const LETTERS: [char; 16] = [
            'g', 'h', 'j', 'k', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w', 'x', 'y', 'z',
        ];
        let hash = self.hash(&[of.as_bytes(), b"\0", text.as_bytes()]);
        let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        nibbles
            .filter_map(|nibble| LETTERS.get(usize::from(nibble)))
            .take(10)
            .collect()
    }

    /// One of the ids of the same sort: multiples of four below 65536, others below 2^32, all others. So a
    /// process's id still looks like one.
    fn permuted(&self, ids: Ids, id: u64) -> u64 {
        let sort = Sort::of(id);
        if sort == Sort::Special {
            return id;
        }
        // A permutation of more numbers than there are of the sort is followed until it comes back to the sort.
        let mut at = id;
        loop {
            at = sort.number(self.feistel(ids, sort, sort.index(at)));
            if Sort::of(at) == sort {
                return at;
            }
        }
    }

    /// A permutation of all numbers of twice `half` bits.
    fn feistel(&self, ids: Ids, sort: Sort, number: u64) -> u64 {
        let half = sort.half_bits();
        let mask = u64::MAX.checked_shr(64_u32.saturating_sub(half)).unwrap_or(0);
        let (mut left, mut right) = (number >> half & mask, number & mask);
        for round in 0..ROUNDS {
            let head = [ids as u8, sort as u8, round];
            let hash = self.hash(&[b"id\0", &head, &right.to_le_bytes()]);
            let mixed = hash
                .iter()
                .take(8)
                .fold(0, |mixed, &byte| (mixed << 8) | u64::from(byte));
            (left, right) = (right, left ^ (mixed & mask));
        }
        left << half | right
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return [0; 32];
        };
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for Redaction {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redaction")
            .field("classes", &self.classes)
            .finish_non_exhaustive()
    }
}

/// Numbers that ids stay among.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// No thing at all, and the ids of the Idle and the System process.
    Special,
    /// Multiples of four below 65536.
    Handle,
    /// Others below 2^32.
    Word,
    Long,
}

impl Sort {
    fn of(id: u64) -> Self {
        match id {
            0 | 4 => Self::Special,
            _ if id < 0x1_0000 && id.is_multiple_of(4) => Self::Handle,
            _ if id <= u32::MAX.into() => Self::Word,
            _ => Self::Long,
        }
    }

    fn half_bits(self) -> u32 {
        match self {
            Self::Special | Self::Handle => 7,
            Self::Word => 16,
            Self::Long => 32,
        }
    }

    fn index(self, id: u64) -> u64 {
        if self == Self::Handle { id >> 2 } else { id }
    }

    fn number(self, index: u64) -> u64 {
        if self == Self::Handle { index << 2 } else { index }
    }
}

fn ids_of(ty: &str, member: &str) -> Option<Ids> {
    Some(match (ty, member) {
        ("_CLIENT_ID", "UniqueProcess" | "UniqueThread")
        | ("_EPROCESS", "UniqueProcessId" | "InheritedFromUniqueProcessId")
        | ("_HANDLE_TABLE", "UniqueProcessId") => Ids::Clients,
        ("_PORT_MESSAGE", "MessageId") => Ids::Messages,
        ("_PORT_MESSAGE", "CallbackId") => Ids::Callbacks,
        _ => return None,
    })
}

fn is_known_name(name: &str) -> bool {
    KNOWN_NAMES.contains(&name.to_lowercase().as_str())
}

fn is_known_folder(name: &str) -> bool {
    let name = name.to_lowercase();
    let drive = name.strip_prefix("harddiskvolume");
    name.is_empty()
        || KNOWN_FOLDERS.contains(&name.as_str())
        || drive.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::contract::CONTRACT;
    use std::collections::HashSet;

    const ALL: Classes = Classes {
        names: true,
        paths: true,
        ids: true,
    };

    #[test]
    fn equal_names_have_equal_placeholders_and_others_do_not() {
        let redaction = Redaction::new(&CONTRACT, ALL, b"a dump");
        let name = |name: &str| redaction.name(name.to_owned());
        assert_eq!(
            name("ntsvcs"),
            name("NTSVCS"),
            "the object manager does not tell case"
        );
        assert_ne!(name("ntsvcs"), name("ntsvc"));
        assert_ne!(
            name("ntsvcs"),
            Redaction::new(&CONTRACT, ALL, b"another").name("ntsvcs".to_owned())
        );
        assert!(
            name("ntsvcs")
                .strip_prefix("name-")
                .is_some_and(|letters| letters.len() == 10)
        );
        assert_eq!(name("csrss.exe"), "csrss.exe");
        assert_eq!(name(""), "");
    }

    #[test]
    fn a_name_that_the_kernel_cut_is_the_whole_one() {
        let redaction = Redaction::new(&CONTRACT, ALL, b"a dump");
        let image = redaction.image("VBoxService.ex".to_owned());
        assert_eq!(redaction.image("VBoxService.exe".to_owned()), image);
        let path = redaction.image_path("\\Device\\HarddiskVolume2\\Tools\\VBoxService.exe");
        let tools = redaction.name("Tools".to_owned());
        assert_eq!(path, format!("\\Device\\HarddiskVolume2\\{tools}\\{image}"));
    }

    #[test]
    fn classes_are_apart() {
        let of = |names, paths| {
            let classes = Classes {
                names,
                paths,
                ids: false,
            };
            Redaction::new(&CONTRACT, classes, b"a dump").path("\\Secret\\Port")
        };
        assert_eq!(of(false, false), "\\Secret\\Port");
        assert!(of(true, false).starts_with("\\Secret\\name-"));
        assert!(!of(false, true).contains("Secret") && !of(false, true).contains("Port"));
    }

    #[test]
    fn ids_are_permuted_within_their_sort() {
        let redaction = Redaction::new(&CONTRACT, ALL, b"a dump");
        let mut seen = HashSet::new();
        for id in (0..0x1_0000).step_by(4) {
            let other = redaction.id(Ids::Clients, id);
            assert_eq!(Sort::of(other), Sort::of(id), "{id}");
            assert!(seen.insert(other), "{id} and another one are both {other}");
        }
        assert_eq!(
            (redaction.id(Ids::Clients, 0), redaction.id(Ids::Clients, 4)),
            (0, 4)
        );
        assert_ne!(
            redaction.id(Ids::Messages, 0x33c),
            redaction.id(Ids::Clients, 0x33c)
        );
        for id in [0x33d, 0x8000_0bfc, 0x1_0000, u64::MAX, 1 << 32] {
            let other = redaction.id(Ids::Messages, id);
            assert!(other != id && Sort::of(other) == Sort::of(id), "{id:#x}");
        }
    }
}
