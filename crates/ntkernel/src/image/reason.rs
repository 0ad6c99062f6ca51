//! Why something is not known: reasons, in words that still know what they speak of.

use std::fmt;

use kdump::{Addr, ReadError};
#[cfg(feature = "serde")]
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::image::expected::{Expected, Found};
use crate::why;

/// The first 64 KiB of every address space, of which Windows never maps a page: whoever gives an address there meant a
/// number.
pub const NULL_REGION: u64 = 0x1_0000;

/// Why a value is not known.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// Memory that the dump does not give.
    #[error("{0}")]
    Memory(ReadError),
    /// A pointer that should lead to the value is null.
    #[error("{0}")]
    NullPointer(Why),
    /// The dump's file ends before what the dump itself tells of it.
    #[error("{0}")]
    FileCut(Why),
    /// The symbols in use have no such member; in this kernel the thing does not exist.
    #[error("{ty}.{member} is not in this kernel")]
    NoMember {
        /// The structure.
        ty: &'static str,
        /// The member, by its preferred spelling.
        member: &'static str,
    },
    /// The symbols in use have no such member, but every kernel does: they are not whole.
    #[error("the symbols in use lack {ty}.{member}, which every kernel has")]
    Lacking {
        /// The structure.
        ty: &'static str,
        /// The member, by its preferred spelling.
        member: &'static str,
    },
    /// The symbols in use are layouts of some types only, and say nothing of this one.
    #[error(
        "the layouts in use do not describe {ty}.{member}: get a PDB of this kernel with that type to see {}",
        seen_by(ty)
    )]
    NotTold {
        /// The structure.
        ty: &'static str,
        /// The member, by its preferred spelling.
        member: &'static str,
    },
    /// The kernel's own symbols are not known, and those that explain it have the member at different places.
    #[error("the symbols that explain this kernel disagree on {ty}.{member}")]
    Disputed {
        /// The structure.
        ty: &'static str,
        /// The member, by its preferred spelling.
        member: &'static str,
    },
    /// The symbols in use have no such global.
    #[error("the symbols have no {name}")]
    NoGlobal {
        /// The variable.
        name: &'static str,
    },
    /// What is read contradicts what it should be.
    #[error("{0}")]
    Implausible(Why),
    /// What leads to the value asks for more than the file can hold: see [`Budget`](crate::image::budget::Budget).
    #[error(
        "not read any more: what this dump leads to is out of proportion to its file, as only in a damaged one or one \
         that was made to harm"
    )]
    OutOfProportion,
    /// Whoever asked for the walk wants no more of it: see [`Watch`](crate::image::budget::Watch).
    #[error("not read any more: the walk was cancelled")]
    Cancelled,
    /// The memory is in the dump, but what should be there is not: it was overwritten, used again, or was not read when
    /// the dump was written.
    #[error("no {} is at {at}: {found}", expected.name())]
    NotThere {
        /// What should be there.
        expected: Expected,
        /// Where.
        at: Addr,
        /// What is there.
        found: Found,
    },
    /// The data of a message was not copied into it: it is in the memory of the process that sent it.
    #[error("the data was not copied into the message: it is in the sender's memory at {at}")]
    NotCaptured {
        /// `_KALPC_MESSAGE.DataUserVa`.
        at: Addr,
    },
    /// Kept back on purpose: see [`Trace::hide`](crate::image::trace::Trace::hide).
    #[error("kept back")]
    Withheld,
    /// A list or table that was walked ended early.
    #[error("{0}")]
    Walk(Why),
    /// A list or table that was walked ended early, at something that could not be read.
    #[error("{text}")]
    WalkStopped {
        /// Which walk, where it ended and why.
        text: Why,
        /// What could not be read.
        reason: Box<Unreadable>,
    },
}

/// What a structure that only the kernel's own symbols describe lets see, in the words of somebody who wants to.
fn seen_by(ty: &str) -> &'static str {
    match ty {
        "_IRP" | "_IO_STACK_LOCATION" | "_FILE_OBJECT" | "_DEVICE_OBJECT" | "_DRIVER_OBJECT" => {
            "I/O requests"
        }
        "_ERESOURCE" | "_OWNER_ENTRY" | "_KWAIT_CHAIN_ENTRY" | "_FAST_MUTEX" | "_KLOCK_ENTRY" => {
            "the owners of locks"
        }
        "_TEB" | "_PEB" | "_RTL_USER_PROCESS_PARAMETERS" => "which service a thread belongs to",
        "_PSP_SESSION_SPACE" => "sessions",
        "_OB_DUPLICATE_OBJECT_STATE" => "handles that travel with messages",
        _ => "it",
    }
}

impl Unreadable {
    /// A stable id of the reason, for scripts.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::Memory(error) => error.id(),
            Self::NullPointer(_) => "null-pointer",
            Self::FileCut(_) => "out-of-file",
            Self::NoMember { .. } => "no-member",
            Self::Lacking { .. } => "symbols-lack",
            Self::NotTold { .. } => "not-told",
            Self::Disputed { .. } => "disputed-member",
            Self::NoGlobal { .. } => "no-global",
            Self::Implausible(_) => "implausible",
            Self::OutOfProportion => "out-of-proportion",
            Self::Cancelled => "cancelled",
            Self::NotThere { .. } => "not-there",
            Self::NotCaptured { .. } => "not-captured",
            Self::Withheld => "withheld",
            Self::Walk(_) | Self::WalkStopped { .. } => "walk-ended",
        }
    }

    /// What is at the bottom of it: the memory that a walk ended at, else itself.
    #[must_use]
    pub fn bottom(&self) -> &Self {
        match self {
            Self::WalkStopped { reason, .. } => reason.bottom(),
            other => other,
        }
    }

    /// The id of what is at the bottom of it.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        self.bottom().id()
    }

    /// Whether a run that met it is partial: its status is not 0, and its documents do not say `complete`. Of all
    /// reasons for a value not to be known, two take nothing from a report: that the kernel has no such thing, and
    /// that the one who asked wanted it kept back. This is the one place that decides it, for text and data alike.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        match self {
            Self::NoMember { .. } | Self::Withheld => false,
            Self::Memory(_)
            | Self::NullPointer(_)
            | Self::FileCut(_)
            | Self::NotTold { .. }
            | Self::Lacking { .. }
            | Self::Disputed { .. }
            | Self::NoGlobal { .. }
            | Self::Implausible(_)
            | Self::NotThere { .. }
            | Self::OutOfProportion
            | Self::Cancelled
            | Self::NotCaptured { .. }
            | Self::Walk(_)
            | Self::WalkStopped { .. } => true,
        }
    }

    /// Whether the symbols in use are the reason, and not what the dump holds.
    #[must_use]
    pub fn is_of_symbols(&self) -> bool {
        matches!(
            self.bottom(),
            Self::NoMember { .. }
                | Self::NotTold { .. }
                | Self::Lacking { .. }
                | Self::Disputed { .. }
                | Self::NoGlobal { .. }
        )
    }

    /// Whether the end of the file is the reason.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        matches!(
            self.bottom(),
            Self::FileCut(_)
                | Self::Memory(
                    ReadError::OutOfFile { .. }
                        | ReadError::BlockCut { .. }
                        | ReadError::BlockTableCut { .. }
                )
        )
    }

    /// Why a walk ended, told in `text`; `reason` is what could not be read, if anything.
    pub fn walk(text: Why, reason: Option<&Unreadable>) -> Self {
        match reason {
            Some(reason) => Self::WalkStopped {
                text,
                reason: Box::new(reason.clone()),
            },
            None => Self::Walk(text),
        }
    }

    /// Whether the dump hides what another dump of the same system would tell: memory that it does not have, or that was
    /// overwritten, and walks that ended early. What only the symbols lack is not hidden by the dump.
    #[must_use]
    pub fn hides(&self) -> bool {
        matches!(
            self,
            Self::Memory(_)
                | Self::FileCut(_)
                | Self::NotThere { .. }
                | Self::OutOfProportion
                | Self::Cancelled
                | Self::Walk(_)
                | Self::WalkStopped { .. }
        )
    }

    /// Whether the kernel simply does not have the thing, as opposed to hiding it.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NoMember { .. })
    }
}

impl From<ReadError> for Unreadable {
    /// Where memory could not be read. What is asked for just above address 0 is a member of something that a null
    /// pointer was taken for.
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotPresent { gva, .. } | ReadError::NotInTriageDump { gva }
                if gva.u64() < NULL_REGION =>
            {
                Self::NullPointer(why!(
                    "{}: nothing is ever mapped there: a null pointer was followed",
                    gva
                ))
            }
            error => Self::Memory(error),
        }
    }
}

#[cfg(feature = "serde")]
impl Serialize for Unreadable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", self.id())?;
        if self.cause() != self.id() {
            map.serialize_entry("cause", self.cause())?;
        }
        map.serialize_entry("text", &self.to_string())?;
        map.end()
    }
}

/// What a reason speaks of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum About {
    /// Something at an address.
    Address(Addr),
    /// A number of things, or a number that was read.
    Count(u64),
    /// Something by its name in the kernel's symbols or in this program's words.
    Name(&'static str),
    /// Something described in words of its own.
    Text(String),
    /// A handle.
    Handle(u64),
    /// Several things.
    All(Vec<Why>),
    /// Something that has a reason of its own: an entry of a list that ended.
    Why(Box<Why>),
    /// Another reason.
    Reason(Box<Unreadable>),
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Count(count) => count.fmt(f),
            Self::Name(name) => f.write_str(name),
            Self::Text(text) => f.write_str(text),
            Self::Handle(handle) => write!(f, "{handle:#x}"),
            Self::All(all) => {
                for (number, one) in all.iter().enumerate() {
                    let between = if number == 0 { "" } else { ", " };
                    write!(f, "{between}{one}")?;
                }
                Ok(())
            }
            Self::Why(why) => why.fmt(f),
            Self::Reason(reason) => reason.fmt(f),
        }
    }
}

impl From<Why> for About {
    fn from(why: Why) -> Self {
        Self::Why(Box::new(why))
    }
}

impl From<Vec<Why>> for About {
    fn from(all: Vec<Why>) -> Self {
        Self::All(all)
    }
}

impl From<Addr> for About {
    fn from(address: Addr) -> Self {
        Self::Address(address)
    }
}

impl From<&Unreadable> for About {
    fn from(reason: &Unreadable) -> Self {
        Self::Reason(Box::new(reason.clone()))
    }
}

impl From<Unreadable> for About {
    fn from(reason: Unreadable) -> Self {
        Self::Reason(Box::new(reason))
    }
}

impl From<&'static str> for About {
    fn from(name: &'static str) -> Self {
        Self::Name(name)
    }
}

impl From<String> for About {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for About {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<u32> for About {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

impl From<usize> for About {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

/// Why something is not known, in words. What they speak of is kept as what it is, and put between them when the
/// reason is shown: made by [`why!`](crate::why).
///
/// ```
/// use ntkernel::{Addr, why};
///
/// let at = Addr::new(kdump::Gva::new(0xffff_f880_0f4c_c950), 8);
/// let reason = why!("the list at {} was never initialized", at);
/// assert_eq!(reason.to_string(), "the list at fffff8800f4cc950 was never initialized");
/// assert_eq!(reason.addresses(), [at]);
/// ```
#[derive(Clone)]
pub struct Why {
    words: &'static str,
    about: Box<[About]>,
}

impl Why {
    /// Words with `{}` where each of `about` belongs; [`why!`](crate::why) sees to it that there are as many.
    #[must_use]
    pub fn new(words: &'static str, about: impl Into<Box<[About]>>) -> Self {
        Self {
            words,
            about: about.into(),
        }
    }

    /// What the words speak of, in their order.
    #[must_use]
    pub fn about(&self) -> &[About] {
        &self.about
    }

    /// The addresses that the words speak of, in their order, without those of reasons in them.
    #[must_use]
    pub fn addresses(&self) -> Vec<Addr> {
        let mut addresses = Vec::new();
        for about in &self.about {
            match about {
                About::Address(address) => addresses.push(*address),
                About::Why(why) => addresses.extend(why.addresses()),
                About::All(all) => addresses.extend(all.iter().flat_map(Why::addresses)),
                _ => {}
            }
        }
        addresses
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut about = self.about.iter();
        for (number, words) in self.words.split("{}").enumerate() {
            if number > 0
                && let Some(about) = about.next()
            {
                about.fmt(f)?;
            }
            f.write_str(words)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Why({self})")
    }
}

/// How many values belong between words.
#[doc(hidden)]
#[must_use]
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler"
)]
pub const fn places(words: &str) -> usize {
    let words = words.as_bytes();
    let (mut places, mut at) = (0, 1);
    while at < words.len() {
        if words[at - 1] == b'{' && words[at] == b'}' {
            places += 1;
        }
        at += 1;
    }
    places
}

/// A [`Why`]: words with `{}` for each value behind them. The compiler holds that there are as many of one as of the
/// other.
#[macro_export]
macro_rules! why {
    ($words:literal $(, $about:expr)* $(,)?) => {{
        const {
            let about: &[&str] = &[$(::core::stringify!($about)),*];
            ::core::assert!($crate::image::reason::places($words) == about.len());
        }
        $crate::image::reason::Why::new($words, [$($crate::image::reason::About::from($about)),*])
    }};
}

#[cfg(test)]
mod tests {
    use kdump::Gva;

    use super::*;

    #[test]
    fn words_stand_between_what_they_speak_of() {
        let at = Addr::new(Gva::new(0x819a_2c00), 4);
        let inner = Unreadable::NoGlobal { name: "X" };
        let whole = why!("{} of {} {} at {}: {}", 1_u64, 2_u32, "things", at, inner);
        assert_eq!(
            whole.to_string(),
            "1 of 2 things at 819a2c00: the symbols have no X"
        );
        assert_eq!(why!("nothing").to_string(), "nothing");
        assert_eq!(why!("{}", "{}").to_string(), "{}");
        assert_eq!(whole.addresses(), [at]);
    }
}
