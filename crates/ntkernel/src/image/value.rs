//! Values that are known, or say why not.

pub use kdump::Addr;
use kdump::{Gva, ReadError};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::image::expected::{Expected, Found};
use crate::image::json::{Kind, MISSING};
use crate::image::why::Why;
use crate::why;

/// What reads of kernel memory give.
pub type Read<T> = Result<T, Unreadable>;

/// The first 64 KiB of every address space, of which Windows never maps a page: whoever gives an address there meant a
/// number.
pub const NULL_REGION: u64 = 0x1_0000;

/// An address `by` bytes further. Addresses wrap as the processor's do; reading the result is checked anyway.
#[must_use]
pub fn offset(gva: Gva, by: u64) -> Gva {
    Gva::new(gva.u64().wrapping_add(by))
}

/// An address `by` bytes before.
#[must_use]
pub fn before(gva: Gva, by: u64) -> Gva {
    Gva::new(gva.u64().wrapping_sub(by))
}

/// The address of what is `by` bytes from the beginning of a structure. No structure goes on at the other end of the
/// address space, where small addresses would pass for null pointers.
pub(crate) fn within(gva: Addr, by: u64) -> Read<Gva> {
    let at = gva.u64().checked_add(by).map(Gva::new);
    at.ok_or_else(|| {
        let len = usize::try_from(by).unwrap_or(usize::MAX);
        Unreadable::Memory(ReadError::Wraps { gva, len })
    })
}

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
    #[error("the layouts in use do not describe {ty}.{member}: the kernel's own symbols do")]
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

/// A value of a record: known, or missing for a reason.
#[derive(Clone, Debug)]
pub enum Value<T> {
    /// The value as it was read.
    Known(T),
    /// It could not be read, or does not exist in this kernel ([`Unreadable::is_absence`]).
    Missing(Box<Unreadable>),
}

impl<T> Value<T> {
    /// Whether all that there is to know is that something holds: known, it serializes as `true`.
    pub(crate) const IS_FACT: bool = size_of::<T>() == 0;

    /// The value, when known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Missing(_) => None,
        }
    }

    /// Why the value is missing.
    pub fn reason(&self) -> Option<&Unreadable> {
        match self {
            Self::Known(_) => None,
            Self::Missing(hole) => Some(hole),
        }
    }

    /// Whether the value should be there and is not known: see [`Unreadable::is_partial`].
    pub fn is_unreadable(&self) -> bool {
        self.reason().is_some_and(Unreadable::is_partial)
    }

    /// Applies `f` to a known value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Value<U> {
        match self {
            Self::Known(value) => Value::Known(f(value)),
            Self::Missing(hole) => Value::Missing(hole),
        }
    }

    /// The value or the reason, to go on with `?`.
    ///
    /// # Errors
    /// The reason why the value is missing.
    pub fn get(&self) -> Result<&T, Unreadable> {
        match self {
            Self::Known(value) => Ok(value),
            Self::Missing(hole) => Err((**hole).clone()),
        }
    }
}

impl<T> From<Result<T, Unreadable>> for Value<T> {
    fn from(result: Result<T, Unreadable>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(hole) => Self::Missing(Box::new(hole)),
        }
    }
}

/// A known value serializes as itself. A missing one is a map with a single key: `$unreadable`; `$absent`, when the
/// kernel has no such thing; or `$withheld`. [`json::record`](crate::image::json::record) makes these `null`, with a
/// reason beside it.
impl<T: Serialize> Serialize for Value<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(_) if Self::IS_FACT => serializer.serialize_bool(true),
            Self::Known(value) => value.serialize(serializer),
            Self::Missing(hole) => {
                let kind = match &**hole {
                    hole if hole.is_absence() => Kind::Absent,
                    hole if hole.is_partial() => Kind::Unreadable,
                    _ => Kind::Withheld,
                };
                serializer.serialize_newtype_variant(MISSING, kind.index(), kind.key(), &**hole)
            }
        }
    }
}

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
