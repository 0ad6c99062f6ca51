//! Where the fields and globals of a Windows kernel are, by its symbols.
//!
//! A caller declares once what it needs, as a [`Contract`]: fields of types in their spellings, sizes of
//! types, globals. A [`SymbolTable`] resolves that into a [`Layout`] of offsets, sizes, bit positions and
//! RVAs; what is missing is reported all at once, by name. A table is a [`Pdb`], an [`Isf`], a [`pack`] or
//! [built in](built_in); [`find`] looks for the one of a given [`Identity`] and never returns another.
//!
//! ```
//! use ntlayout::{Contract, FieldSpec, GlobalSpec, Need};
//!
//! const CONTRACT: Contract = Contract {
//!     fields: &[FieldSpec {
//!         ty: "_EPROCESS",
//!         name: "ActiveProcessLinks",
//!         spellings: &["ActiveProcessLinks"],
//!         need: Need::Required,
//!     }],
//!     types: &["_EPROCESS"],
//!     globals: &[GlobalSpec {
//!         name: "PsActiveProcessHead",
//!         need: Need::Required,
//!     }],
//! };
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vista-sp2-x64.pdb");
//! let symbols = ntlayout::open(path.as_ref())?;
//! let layout = symbols.resolve(&CONTRACT)?;
//! assert!(layout.missing().is_empty());
//! let links = layout.field(0).ok_or("not in these symbols")?;
//! println!("the links of a process are at +{:x}", links.offset);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate knows symbols, and neither dumps nor what the fields mean.
//!
//! Features, all on by default: `symbols-cab` reads PDBs that symbol stores compressed,
//! `symbols-msfz` those in Microsoft's newer container, `symbols-xz` the tables of
//! Volatility as its archive has them, `symbols-bz2` those that bzip2 compressed, `symbols-zip` the archive itself.
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
mod image_path;
mod isf;
mod layout;
mod lookalike;
#[cfg(feature = "symbols-msfz")]
mod msfz;
mod open;
mod origin;
mod path;
mod pdb;
mod places;
mod processor;
pub mod published;
mod resolve;
mod table;
mod version;

pub use builtin::{all_built_in, bracketing, built_in, built_in_where, distinct_built_in};
pub use contract::{Contract, FieldSpec, GlobalSpec, Need};
pub use error::SymbolError;
pub use find::{Found, Looked, NotFound, Outcome, find, find_enough};
pub use flat::{PackError, pack};
pub use identity::{Guid, Identity, ParseGuidError};
pub use image_path::find_images;
pub use isf::Isf;
pub use layout::{BitField, Certainty, Field, Filled, Layout, Missing};
pub use lookalike::Lookalike;
pub use open::open;
pub use origin::Origin;
pub use path::{Place, parse_path};
pub use pdb::Pdb;
pub use places::{absent_places, all_places, cache_folder};
pub use processor::Processor;
pub use table::{Member, SymbolTable, Table, TypeInfo, TypeName};
pub use version::Version;
