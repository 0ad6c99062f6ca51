//! Answers that look at the whole system.

pub mod access;
pub mod acting;
pub mod analyze;
pub mod calls;
pub mod carve;
pub mod check;
pub mod crossing;
pub mod diff;
pub mod global;
pub mod held;
pub mod near;
pub mod portlist;
pub mod select;
pub mod sessions;
pub mod snapshot;
pub mod stacks;
pub mod timeline;
pub mod triage;
