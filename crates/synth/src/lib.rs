//! Builds kernel dumps and PDBs for tests, sharing nothing with the code that reads them.

pub mod layout;
pub mod pdb;
