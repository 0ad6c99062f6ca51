//! ALPC ports, messages and waits of a Windows kernel, walked in a memory image.
//!
//! [`System::open`] gives a dump with the symbols of its kernel, and from it a [`Kernel`] to be walked:
//!
//! ```
//! use alpc::wait::hang;
//! use alpc::{Symbols, System, image::json};
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vista-sp2-x64.dmp");
//! let system = System::open(path.as_ref(), &Symbols::default())?;
//! let kernel = system.kernel()?;
//! let (_, hang) = hang::hang(&kernel);
//! println!("{}", hang.headline());
//!
//! // The documents of the command line, byte for byte: what could not be read is null, with its reason beside it.
//! let record = json::record(&hang)?;
//! println!("{}", record.value["signature"]);
//! for missing in &record.holes {
//!     println!("{}: {}", missing.path, missing.text);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Walks of large systems can be watched and cancelled: see [`image::budget::Watch`].
//!
//! Features that are on by default: `serde` writes the records as the JSON that docs/json.md describes
//! ([`image::json`]), `symbols-cab` reads PDBs that symbol stores compressed, `symbols-xz` the tables of Volatility as
//! its archive has them, `symbols-bz2` those that bzip2 compressed, `symbols-zip` the archive itself. `schema` describes the records for `schemars`.
//!
//! [`Kernel`] ties a dump to the layout of its kernel. Everything else reads through it and gives plain
//! records in which each value is known or says why not ([`Value`]): nothing here prints.
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

pub mod locate;
pub mod port;
pub mod report;
pub mod system;
pub mod wait;

pub use locate::derived::kernel;
/// What lies below: the kernel's object model.
pub use ntkernel::why;
pub use ntkernel::{
    Addr, At, DerivedGlobal, Evidence, Globals, Kernel, Read, Unreadable, Value, image, object, process,
    security, stack,
};
pub use port::contract::CONTRACT;
pub use system::{Symbols, System, SystemError};
