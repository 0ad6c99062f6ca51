//! How fragments of a contract are declared and joined.

use ntlayout::FieldSpec;

/// A structure of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    /// Position among the types of the contract.
    pub index: usize,
    /// Its name in the kernel's symbols.
    pub name: &'static str,
}

/// A member of a kernel structure, as a fragment declares it.
///
/// Implemented by the enums that [`structures!`](crate::structures) makes, one for each structure.
pub trait Member: Copy + 'static {
    /// The structure that the member belongs to.
    const TYPE: Type;

    /// Position of the member among the fields of the contract.
    fn index(self) -> usize;

    /// The declaration behind it.
    fn spec(self) -> &'static FieldSpec;
}

/// How far the fragments before one go: where its own fields and types begin in the contract.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Fields before it.
    pub fields: usize,
    /// Types before it.
    pub types: usize,
}

/// The place of the first fragment.
pub const START: Place = Place { fields: 0, types: 0 };

/// Several tables in one. The compiler sees to it that the length is that of all together.
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "evaluated by the compiler"
)]
#[must_use]
pub const fn join<T: Copy, const LENGTH: usize>(parts: &[&[T]]) -> [T; LENGTH] {
    let mut all = [parts[0][0]; LENGTH];
    let (mut part, mut at) = (0, 0);
    while part < parts.len() {
        let mut index = 0;
        while index < parts[part].len() {
            all[at] = parts[part][index];
            index += 1;
            at += 1;
        }
        part += 1;
    }
    assert!(at == LENGTH);
    all
}

/// Whether every kernel has a member.
#[doc(hidden)]
#[macro_export]
macro_rules! need {
    (R) => {
        ::ntlayout::Need::Required
    };
    (O) => {
        ::ntlayout::Need::Optional
    };
}

/// A fragment of a contract: structures with their members, behind the [`Place`](crate::image::contract::fragment::Place) where
/// the fragment before it ends. Makes an enum for each structure, and `FIELDS`, `TYPES` and `END` for whoever
/// [joins](crate::image::contract::fragment::join) fragments to a [`Contract`](ntlayout::Contract).
#[macro_export]
macro_rules! structures {
    (after $before:expr; $($(#[$doc:meta])* $type:ident = $name:literal {
        $($(#[$note:meta])* $member:ident: $need:ident $first:literal $(| $other:literal)*,)*
    })*) => {
        /// Numbers of the structures in this fragment.
        #[derive(Clone, Copy)]
        enum Number { $($type,)* }

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[allow(missing_docs, reason = "a member's name is its documentation: it is the kernel's own")]
            pub enum $type { $($member,)* }

            impl $crate::image::contract::fragment::Member for $type {
                const TYPE: $crate::image::contract::fragment::Type = $crate::image::contract::fragment::Type {
                    index: BEFORE.types + Number::$type as usize,
                    name: $name,
                };

                fn index(self) -> usize {
                    const FIRST: usize = BEFORE.fields + first(Number::$type);
                    FIRST.saturating_add(self as usize)
                }

                fn spec(self) -> &'static ::ntlayout::FieldSpec {
                    static OWN: &[::ntlayout::FieldSpec] = &[$(
                        ::ntlayout::FieldSpec {
                            ty: $name,
                            name: $first,
                            spellings: &[$first $(, $other)*],
                            need: $crate::need!($need),
                        },
                    )*];
                    // As many as the enum has members.
                    #[allow(clippy::indexing_slicing, reason = "one for each member")]
                    &OWN[self as usize]
                }
            }
        )*

        const BEFORE: $crate::image::contract::fragment::Place = $before;

        const COUNTS: &[usize] = &[$([$($first),*].len(),)*];

        /// Where the next fragment begins.
        pub const END: $crate::image::contract::fragment::Place = $crate::image::contract::fragment::Place {
            fields: BEFORE.fields + FIELDS.len(),
            types: BEFORE.types + TYPES.len(),
        };

        /// The names of the structures of this fragment.
        pub const TYPES: &[&str] = &[$($name,)*];

        /// The members of the structures of this fragment.
        pub const FIELDS: &[::ntlayout::FieldSpec] = &[$($(
            ::ntlayout::FieldSpec {
                ty: $name,
                name: $first,
                spellings: &[$first $(, $other)*],
                need: $crate::need!($need),
            },
        )*)*];

        /// How many fields of this fragment stand before those of a structure.
        #[allow(
            clippy::indexing_slicing,
            clippy::arithmetic_side_effects,
            reason = "evaluated by the compiler"
        )]
        const fn first(number: Number) -> usize {
            let (mut fields, mut at) = (0, 0);
            while at < number as usize {
                fields += COUNTS[at];
                at += 1;
            }
            fields
        }
    };
}
