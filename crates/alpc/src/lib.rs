//! ALPC ports, messages and waits of a Windows kernel, walked in a memory image.
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

pub mod image;
pub mod locate;
pub mod object;
pub mod port;
pub mod process;
pub mod report;
pub mod wait;

pub use image::globals::{DerivedGlobal, Evidence};
pub use image::kernel::{At, Globals, Kernel, Read};
pub use image::value::{Addr, Hole, Value};
pub use locate::derived::kernel;
