//! Address newtypes.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Serialize, Serializer};

/// Bytes in a page of every machine written here.
pub const PAGE_SIZE: u64 = 0x1000;

/// A virtual address, sign-extended to 64 bits. Serialized as 16 hex digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Va(pub u64);

impl Va {
    /// The NULL pointer.
    pub const NULL: Va = Va(0);

    /// Whether this is the NULL pointer.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The address of the first byte of its page.
    #[must_use]
    pub fn page(self) -> Va {
        Va(self.0 & !(PAGE_SIZE - 1))
    }

    /// The offset inside its page.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.0 & (PAGE_SIZE - 1)
    }
}

impl Add<u64> for Va {
    type Output = Va;

    fn add(self, offset: u64) -> Va {
        Va(self.0 + offset)
    }
}

impl Sub<u64> for Va {
    type Output = Va;

    fn sub(self, offset: u64) -> Va {
        Va(self.0 - offset)
    }
}

impl Sub for Va {
    type Output = u64;

    fn sub(self, other: Va) -> u64 {
        self.0 - other.0
    }
}

impl fmt::Display for Va {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Va {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Va {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A page frame number: a physical address divided by [`PAGE_SIZE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Pfn(pub u64);

impl Pfn {
    /// The physical address of the frame's first byte.
    #[must_use]
    pub fn address(self) -> u64 {
        self.0 * PAGE_SIZE
    }
}

impl Add<u64> for Pfn {
    type Output = Pfn;

    fn add(self, frames: u64) -> Pfn {
        Pfn(self.0 + frames)
    }
}
