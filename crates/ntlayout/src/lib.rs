//! Where the fields and globals of a Windows kernel are, by its symbols.
//!
//! A caller declares once what it needs, as a [`Contract`]: fields of types in their spellings, sizes of
//! types, globals. A [`SymbolTable`] resolves that into a [`Layout`] of offsets, sizes, bit positions and
//! RVAs; what is missing is reported all at once, by name. A table is a [`Pdb`], an [`Isf`], a [`pack`] or
//! [built in](built_in); [`find`] looks for the one of a given [`Identity`] and never returns another.
//!
//! The crate knows symbols, and neither dumps nor what the fields mean.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod builtin;
mod bytes;
mod contract;
mod error;
mod find;
mod flat;
mod given;
mod identity;
mod isf;
mod layout;
mod lookalike;
mod open;
mod origin;
mod path;
mod pdb;
mod places;
mod resolve;
mod table;

pub use builtin::{all_built_in, built_in, built_in_where, distinct_built_in};
pub use contract::{Contract, FieldSpec, GlobalSpec, Need};
pub use error::SymbolError;
pub use find::{Found, Looked, NotFound, Outcome, find, find_enough};
pub use flat::{PackError, pack};
pub use identity::{Guid, Identity, ParseGuidError};
pub use isf::Isf;
pub use layout::{BitField, Certainty, Field, Filled, Layout, Missing};
pub use lookalike::Lookalike;
pub use open::open;
pub use origin::Origin;
pub use path::{Place, parse_path};
pub use pdb::Pdb;
pub use places::{all_places, cache_folder};
pub use table::{Member, SymbolTable, Table, TypeInfo, TypeName};
