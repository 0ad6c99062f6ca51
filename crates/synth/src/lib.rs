//! Builds kernel dumps and PDBs for tests, sharing nothing with the code that reads them.

pub mod address;
mod bytes;
pub mod dump;
pub mod fixtures;
pub mod isf;
pub mod layout;
pub mod memory;
pub mod paging;
pub mod pdb;
pub mod physical;
pub mod random;
pub mod world;
pub mod worlds;
