//! What every source of symbols can be asked.

use std::fmt;

use crate::contract::Contract;
use crate::error::SymbolError;
use crate::identity::{Guid, Identity};
use crate::layout::{BitField, Layout};
use crate::origin::Origin;

/// A member of a type, as `dt` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Bytes from the start of the type that was asked for, also for nested members.
    pub offset: u32,
    /// The member's own name, without those of its owners.
    pub name: String,
    /// Printable type in the debugger's words: `Ptr64 _ALPC_PORT`, `Uint4B`, `[15] UChar`, `Pos 3, 4 Bits`.
    pub type_name: String,
    /// Bytes of the declared type; for a bit field, of its storage unit; `None` if the table does not say.
    pub size: Option<u32>,
    /// Position and length, if it is a bit field.
    pub bits: Option<BitField>,
    /// Members of an anonymous type; empty for everything that has a name to look up.
    pub members: Vec<Member>,
}

/// A structure, class or union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: u32,
    /// Its members in the order of declaration.
    pub members: Vec<Member>,
}

/// A type by its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName {
    /// Its name.
    pub name: String,
    /// Its bytes; `None` for an enumeration.
    pub size: Option<u32>,
}

/// A symbol table of whatever kind.
pub type Table = Box<dyn SymbolTable + Send + Sync>;

/// A source of symbols for one image.
pub trait SymbolTable: fmt::Debug {
    /// Which image it belongs to, if it says so.
    fn identity(&self) -> Option<&Identity>;

    /// Where it came from.
    fn origin(&self) -> &Origin;

    /// Whether an image that recorded this GUID and age was linked with these symbols.
    fn belongs_to(&self, guid: Guid, age: u32) -> bool {
        self.identity()
            .is_some_and(|identity| identity.guid == guid && identity.age == age)
    }

    /// Bytes of a pointer on the image's machine, if it says so.
    fn pointer_size(&self) -> Option<u8>;

    /// Finds all that a contract asks for. Things that are not there are no error: see [`Layout::missing`].
    ///
    /// # Errors
    /// The table cannot be read or contradicts itself.
    fn resolve(&self, contract: &Contract) -> Result<Layout, SymbolError>;

    /// A whole structure, class or union; `None` if there is none of that name.
    ///
    /// # Errors
    /// The table cannot be read or contradicts itself.
    fn type_info(&self, name: &str) -> Result<Option<TypeInfo>, SymbolError>;

    /// Every structure, class, union and enumeration that has a name, ascending by it. Each record is looked at once,
    /// and no further than for its name and size.
    ///
    /// # Errors
    /// The table cannot be read or contradicts itself.
    fn type_names(&self) -> Result<Vec<TypeName>, SymbolError>;

    /// RVA of a global by its name, also tried with one leading underscore; `None` if there is none of that
    /// name or it is no address in the image.
    ///
    /// # Errors
    /// The table cannot be read or contradicts itself.
    fn global(&self, name: &str) -> Result<Option<u32>, SymbolError>;

    /// The symbol at or before an RVA, and its own RVA: what is at an address of code. `None` where no symbol is, or the
    /// table has none.
    ///
    /// # Errors
    /// The table cannot be read or contradicts itself.
    fn nearest(&self, rva: u32) -> Result<Option<(String, u32)>, SymbolError> {
        let _ = rva;
        Ok(None)
    }

    /// Names and values of an enumeration in the order of declaration; `None` if there is none of that name.
    ///
    /// # Errors
    /// The table cannot be read or contradicts itself.
    fn enum_info(&self, name: &str) -> Result<Option<Vec<(String, i64)>>, SymbolError>;
}

/// Which of two names of one address the debugger shows: `KiStartSystemThread` before `KxStartSystemThread`, and
/// `NtClose` before `ZwClose`, as its newer versions do; else the one that stands first in the alphabet.
pub(crate) fn preferred<'n>(one: &'n str, other: &'n str) -> &'n str {
    let rank = |name: &str| match name.get(..2) {
        Some("Zw" | "Kx") => 1,
        _ if name.starts_with('?') => 2,
        _ => 0,
    };
    std::cmp::min_by_key(one, other, |name| (rank(name), *name))
}

#[cfg(test)]
mod tests {
    use super::preferred;

    #[test]
    fn of_several_names_the_debugger_s_is_taken() {
        for (one, other) in [
            ("KiStartSystemThread", "KxStartSystemThread"),
            ("NtClose", "ZwClose"),
            ("A", "B"),
            ("Wait", "?Wait@@YAXXZ"),
        ] {
            assert_eq!(preferred(one, other), one);
            assert_eq!(preferred(other, one), one);
        }
    }
}
