//! The objects of a Windows kernel in a memory image, for anyone who has one.
//!
//! [`Kernel`] ties a dump to the layout of its kernel. Everything else reads through it and gives plain
//! records in which each value is known or says why not ([`Value`]): nothing here prints.
//!
//! [`image`] is what may be read, by which names, and why something could not be; [`object`] has the headers, names and
//! handles of objects; [`process`] the processes, threads, modules and I/O requests. Rooms import only from those
//! before them.
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

pub use image::globals::{DerivedGlobal, Evidence};
pub use image::kernel::{At, Globals, Kernel, Read};
pub use image::value::{Addr, Unreadable, Value};
