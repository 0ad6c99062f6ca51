//! The kernel in a memory image: what may be read of it, by which names, and what could not be read.

pub mod budget;
pub mod contract;
pub mod expected;
pub(crate) mod globals;
pub(crate) mod kernel;
pub mod list;
pub(crate) mod raw;
pub mod redact;
pub(crate) mod root_set;
pub mod schema;
pub mod source;
pub mod trace;
pub(crate) mod value;
