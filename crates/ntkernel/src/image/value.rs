//! Values that are known, or say why not.

pub use kdump::Addr;
use kdump::{Gva, ReadError};
#[cfg(feature = "serde")]
use serde::ser::{Serialize, Serializer};

#[cfg(feature = "serde")]
use crate::image::json::{Kind, MISSING};
pub use crate::image::reason::{NULL_REGION, Unreadable};

/// What reads of kernel memory give.
pub type Read<T> = Result<T, Unreadable>;

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
    #[cfg(feature = "serde")]
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
#[cfg(feature = "serde")]
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
