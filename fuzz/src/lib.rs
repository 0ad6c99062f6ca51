//! What the fuzz targets share: how their inputs are read, and a small machine whose page tables they write.

pub mod input;
pub mod machine;
pub mod walk;
