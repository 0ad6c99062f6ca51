//! The objects of a Windows kernel in a memory image, for anyone who has one.
//!
//! [`Kernel`] ties a dump to the layout of its kernel. Everything else reads through it and gives plain
//! records in which each value is known or says why not ([`Value`]): nothing here prints.
//!
//! How a dump gets its symbols is above this crate (`alpc::System`); with symbols at hand it goes like this:
//!
//! ```
//! use kdump::Dump;
//! use ntkernel::image::contract::CONTRACT;
//! use ntkernel::{DerivedGlobal, Evidence, Globals, Kernel, Read, process};
//!
//! /// Knows nothing beside the symbols.
//! struct Nothing;
//!
//! impl Globals for Nothing {
//!     fn address(&self, _: &Kernel<'_>, _: ntkernel::image::contract::Global) -> Option<(kdump::Gva, Evidence)> {
//!         None
//!     }
//!     fn pointer(&self, _: &Kernel<'_>, _: ntkernel::image::contract::Global) -> Option<(kdump::Gva, Evidence)> {
//!         None
//!     }
//!     fn type_of_index(&self, _: &Kernel<'_>, _: kdump::Gva, _: u64) -> Read<kdump::Gva> {
//!         Err(ntkernel::Unreadable::NoGlobal { name: "ObTypeIndexTable" })
//!     }
//!     fn all(&self, _: &Kernel<'_>) -> Vec<DerivedGlobal> {
//!         Vec::new()
//!     }
//!     fn afresh(&self) -> Box<dyn Globals> {
//!         Box::new(Nothing)
//!     }
//! }
//!
//! # let fixtures = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures"));
//! let dump = Dump::open(&fixtures.join("vista-sp2-x64.dmp"))?;
//! let layout = ntlayout::open(&fixtures.join("vista-sp2-x64.pdb"))?.resolve(&CONTRACT)?;
//! let base = kdump::kernel_image(&dump)?.base;
//! let kernel = Kernel::new(&dump, base, &CONTRACT, layout, Box::new(Nothing));
//! let all = process::all(&kernel).map_err(|reason| reason.to_string())?;
//! for process in &all.processes {
//!     println!("{} {}", process.address, process.image_file().unwrap_or("?"));
//! }
//! if let Some(reason) = all.complete.reason() {
//!     println!("there may be more: {reason}");
//! }
//! # assert!(!all.processes.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`image`] is what may be read, by which names, and why something could not be; [`object`] has the headers, names and
//! handles of objects; [`process`] the processes, threads, modules and I/O requests; [`security`] descriptors and access tokens. Rooms import only from those
//! before them.
//!
//! Features: `serde`, on by default, writes the records as JSON; `schema` describes them for `schemars`.
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

pub mod image;
pub mod object;
pub mod process;
pub mod security;
pub mod stack;

pub use image::globals::{DerivedGlobal, Evidence};
pub use image::kernel::{At, Globals, Kernel, Read};
pub use image::value::{Addr, Unreadable, Value};
