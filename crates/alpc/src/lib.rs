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

pub mod locate;
pub mod port;
pub mod report;
pub mod system;
pub mod wait;

pub use locate::derived::kernel;
/// What lies below: the kernel's object model.
pub use ntkernel::{
    Addr, At, DerivedGlobal, Evidence, Globals, Kernel, Read, Unreadable, Value, image, object, process,
};
pub use system::{Symbols, System, SystemError};
