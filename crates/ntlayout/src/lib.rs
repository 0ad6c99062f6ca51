//! Where the fields and globals of a Windows kernel are, by its symbols.
//!
//! A caller declares once what it needs, as a [`Contract`]: fields of types in their spellings, sizes of
//! types, globals. A [`SymbolTable`] resolves that into a [`Layout`] of offsets, sizes, bit positions and
//! RVAs; what is missing is reported all at once, by name. The one table so far is [`Pdb`]; [`find`] looks
//! for the PDB of a given [`Identity`] and never returns another one.
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

mod bytes;
mod contract;
mod error;
mod find;
mod identity;
mod layout;
mod lookalike;
mod pdb;
mod resolve;
mod table;

pub use contract::{Contract, FieldSpec, GlobalSpec, Need};
pub use error::SymbolError;
pub use find::{Found, Looked, NotFound, Outcome, Search, find};
pub use identity::{Guid, Identity, ParseGuidError};
pub use layout::{BitField, Field, Layout, Missing};
pub use lookalike::Lookalike;
pub use pdb::Pdb;
pub use table::{Member, Origin, SymbolTable, TypeInfo};
