//! Addresses and page frame numbers, each of a type of its own, so that none is taken for another.

use std::fmt;

/// Bits of an address that are its place in its page of 4 KiB.
const IN_PAGE: u64 = 0xfff;

/// The traits and functions that all addresses have.
macro_rules! address {
    ($name:ident) => {
        impl $name {
            /// The address of this number.
            #[must_use]
            pub const fn new(address: u64) -> $name {
                $name(address)
            }

            /// The number.
            pub const fn u64(self) -> u64 {
                self.0
            }

            /// The beginning of its page of 4 KiB.
            #[must_use]
            pub const fn page_align(self) -> $name {
                $name(self.0 & !IN_PAGE)
            }
        }

        impl From<u64> for $name {
            fn from(address: u64) -> $name {
                $name(address)
            }
        }

        impl From<$name> for u64 {
            fn from(address: $name) -> u64 {
                address.0
            }
        }

        /// Sixteen hex digits, as the debugger writes addresses.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }
    };
}

/// A virtual address. On 32-bit systems its upper half is zero.
///
/// ```
/// use kdump::Gva;
///
/// let address = Gva::new(0xffff_f800_0f4c_c950);
/// assert_eq!(address.page_align().to_string(), "fffff8000f4cc000");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gva(u64);

/// A physical address.
///
/// ```
/// use kdump::{Gpa, Pfn};
///
/// assert_eq!(Gpa::new(0x1a_d123).pfn(), Pfn::new(0x1ad));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gpa(u64);

address!(Gva);
address!(Gpa);

impl Gpa {
    /// The page frame that it is in.
    pub const fn pfn(self) -> Pfn {
        Pfn(self.0 >> 12)
    }
}

/// A page frame number: a physical address divided by 4,096, the size of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pfn(u64);

impl Pfn {
    /// The frame of this number.
    #[must_use]
    pub const fn new(number: u64) -> Pfn {
        Pfn(number)
    }

    /// The number.
    pub const fn u64(self) -> u64 {
        self.0
    }
}

impl From<u64> for Pfn {
    fn from(number: u64) -> Pfn {
        Pfn(number)
    }
}
