//! The thread and the process of a triage dump, which needs no symbols for it.
//!
//! The kernel's debugger data block says where a process keeps its Peb and its ParentCID. How far from these
//! UniqueProcessId and ImageFileName are is the same over many builds, and told by how far the two are from each
//! other; where several distances are known, the value is taken of which only one can be right.

use kdump::{Cursor, Dump, Gva, Triage};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

use crate::image::reason::Why;
use crate::image::redact::{Ids, Redaction};
use crate::image::value::{Addr, Unreadable, Value};
use crate::why;

/// Where a triage dump's system crashed.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub struct Crashed {
    /// The thread that ran.
    pub thread: Value<Addr>,
    /// Whether that is the thread that its processor runs when it has nothing else to do, as when an interrupt or
    /// a DPC crashed.
    pub idle: bool,
    /// The process whose memory it used.
    pub process: Value<Addr>,
    /// Its id.
    pub process_id: Value<u32>,
    /// Its image name, at most 15 bytes of it.
    pub image: Value<String>,
}

/// What is told of a process by how far Peb is behind ParentCID.
struct Distances {
    peb_behind_parent: u16,
    /// How far UniqueProcessId is before Peb.
    id_before: &'static [u16],
    /// How far ImageFileName is behind Peb; negative: before it.
    image_behind: &'static [i16],
}

/// From the layouts of `_EPROCESS` of 262 x64 kernels, Vista to Windows 11 (25H2 excepted in part): all of them
/// that have the first distance have the others. ARM64 of build 22000 is as x64 is.
const DISTANCES: &[Distances] = &[
    Distances {
        peb_behind_parent: 0x10,
        id_before: &[0x110],
        image_behind: &[0x58],
    },
    Distances {
        peb_behind_parent: 0x18,
        id_before: &[0x118, 0x108, 0x110],
        image_behind: &[0x58, 0x50],
    },
    Distances {
        peb_behind_parent: 0xa0,
        id_before: &[0x1b0],
        image_behind: &[-0x58],
    },
    Distances {
        peb_behind_parent: 0xa8,
        id_before: &[0x1b8],
        image_behind: &[-0x58],
    },
];

/// What the kernel calls the process that owns the idle threads.
const IDLE: &str = "Idle";

/// Bytes of ImageFileName.
const IMAGE: usize = 15;

impl Crashed {
    /// The same with name and id replaced.
    #[must_use]
    pub fn redacted(self, redaction: &Redaction) -> Self {
        Self {
            process_id: self.process_id.map(|id| redaction.id32(Ids::Clients, id)),
            image: self.image.map(|image| redaction.image(image)),
            ..self
        }
    }
}

/// Tells the thread and the process of a triage dump; `None` for a dump of another kind.
#[must_use]
pub fn crashed(dump: &Dump) -> Option<Crashed> {
    let triage = dump.triage()?;
    let width = dump.kernel_space().pointer_width();
    let addr = |gva: Option<Gva>, what| {
        let missing = || unknown(triage, why!("the dump does not say where the {} was", what));
        Value::from(gva.map(|gva| Addr::new(gva, width)).ok_or_else(missing))
    };
    let process = Process::find(dump, triage);
    let no_symbols = || unknown(triage, why!("the dump does not say it without symbols"));
    Some(Crashed {
        thread: addr(triage.thread(), "thread"),
        idle: triage.thread().is_some() && triage.thread() == triage.idle_thread(),
        process: addr(triage.process(), "process"),
        process_id: process
            .as_ref()
            .and_then(Process::id)
            .ok_or_else(no_symbols)
            .into(),
        image: process
            .as_ref()
            .and_then(Process::image)
            .ok_or_else(no_symbols)
            .into(),
    })
}

/// Why something is not told: of a file that is cut off, that.
fn unknown(triage: &Triage, otherwise: Why) -> Unreadable {
    if triage.is_cut() {
        Unreadable::FileCut(why!("the file ends before what would say it"))
    } else {
        Unreadable::Walk(otherwise)
    }
}

/// A process of which the distances are known.
struct Process<'d> {
    cursor: Cursor<'d>,
    peb: Gva,
    distances: &'static Distances,
}

impl<'d> Process<'d> {
    fn find(dump: &'d Dump, triage: &Triage) -> Option<Self> {
        let data = triage.debugger_data()?;
        let (peb, parent) = (data.offset_eprocess_peb?, data.offset_eprocess_parent_cid?);
        let between = peb.checked_sub(parent)?;
        let distances = DISTANCES.iter().find(|one| one.peb_behind_parent == between)?;
        Some(Self {
            cursor: dump.kernel_space().cursor(),
            peb: Gva::new(triage.process()?.u64().checked_add(peb.into())?),
            distances,
        })
    }

    fn id(&self) -> Option<u32> {
        let before = self.distances.id_before.iter();
        only(before.filter_map(|&before| {
            let at = self.peb.u64().checked_sub(before.into())?;
            let id = self.cursor.u64(Gva::new(at)).ok()?;
            // Ids are handles into a table: multiples of four. That of the idle process is none.
            u32::try_from(id)
                .ok()
                .filter(|id| id.is_multiple_of(4) && (*id != 0 || self.is_idle()))
        }))
    }

    fn is_idle(&self) -> bool {
        self.image().as_deref() == Some(IDLE)
    }

    fn image(&self) -> Option<String> {
        let behind = self.distances.image_behind.iter();
        only(behind.filter_map(|&behind| {
            let at = self.peb.u64().checked_add_signed(behind.into())?;
            image_name(&self.cursor.bytes(Gva::new(at), IMAGE).ok()?)
        }))
    }
}

/// Printable text up to its NUL, and nothing but NUL behind.
fn image_name(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let (name, rest) = bytes.split_at_checked(end)?;
    let is_name = !name.is_empty() && name.iter().all(|byte| (0x20..0x7f).contains(byte));
    (is_name && rest.iter().all(|&byte| byte == 0)).then(|| String::from_utf8_lossy(name).into_owned())
}

/// The item of an iterator that has exactly one.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_padded_with_nul() {
        assert_eq!(image_name(b"System\0\0\0\0\0\0\0\0\0").as_deref(), Some("System"));
        assert_eq!(image_name(b"fifteen_letters").as_deref(), Some("fifteen_letters"));
        for other in [&b"\0ystem\0\0\0\0\0\0\0\0\0"[..], b"Syst\x1bm\0", b"Sys\0em\0"] {
            assert_eq!(image_name(other), None);
        }
    }

    #[test]
    fn of_several_nothing_is_told() {
        assert_eq!(only([4].into_iter()), Some(4));
        assert_eq!(only([4, 8].into_iter()), None);
        assert_eq!(only(std::iter::empty::<u32>()), None);
    }
}
