//! What the fuzz targets share: how their inputs are read, and what they write
//! into: a small machine's page tables, the memory of known systems.

pub mod case;
pub mod input;
pub mod machine;
#[cfg(unix)]
pub mod overlay;
pub mod walk;
pub mod wrapped;
