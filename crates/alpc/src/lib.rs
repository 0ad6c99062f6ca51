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

pub mod analyze;
pub mod blob;
mod blob_kind;
pub mod budget;
pub mod check;
pub mod choice;
mod communication;
pub mod completion_list;
pub mod connection;
pub mod contract;
pub mod crashed;
mod derived;
pub mod diff;
pub mod directory;
pub mod dispatcher;
pub mod enumerate;
pub mod expected;
pub mod global;
mod globals;
pub mod handle;
pub mod identify;
pub mod irp;
mod kernel;
pub mod list;
mod marks;
pub mod message;
pub mod message_table;
pub mod module;
pub mod near;
pub mod not_reached;
pub mod object;
pub mod payload;
pub mod pool;
pub mod port;
pub mod port_record;
pub mod portlist;
pub mod process;
mod process_ref;
pub mod queue;
mod raw;
pub mod receiver;
pub mod redact;
pub mod resource;
mod root_set;
pub mod roots;
pub mod schema;
pub mod select;
pub mod snapshot;
pub mod source;
pub mod thread;
pub mod thread_details;
pub mod trace;
pub mod triage;
pub mod typed;
mod value;
pub mod wait;
pub mod waiter;

pub use derived::kernel;
pub use globals::{DerivedGlobal, Evidence};
pub use kernel::{At, Globals, Kernel, Read};
pub use value::{Addr, Hole, Value};
