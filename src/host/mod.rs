//! This machine: files that are read and written, and the signals that end a run.

pub mod guard;
pub mod interrupt;
pub mod pager;
pub mod place;
pub mod reading;
pub mod status_line;
pub mod target;
pub mod terminal;
pub mod unpacked;
