//! The kernel in a memory image: what may be read of it, by which names, and what could not be read.

pub mod budget;
pub mod build_lab;
pub mod contract;
pub mod expected;
pub mod globals;
#[cfg(feature = "serde")]
pub mod holes;
#[cfg(feature = "serde")]
pub mod json;
pub mod kernel;
pub mod list;
pub mod memory;
pub mod names;
pub mod page_files;
pub mod raw;
pub mod reason;
pub mod redact;
pub mod root_set;
pub mod schema;
pub mod source;
pub mod trace;
pub mod value;
