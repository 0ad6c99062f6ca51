//! One opened dump and the symbols of its kernel.

pub mod addresses;
pub mod own;
