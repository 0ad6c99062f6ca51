//! Pages, page tables and reads of virtual memory.

pub(crate) mod cache;
pub(crate) mod cursor;
pub(crate) mod error;
pub(crate) mod inverse;
pub(crate) mod level;
pub(crate) mod levels;
pub(crate) mod page;
pub(crate) mod paging;
pub(crate) mod physical;
pub(crate) mod pieces;
pub(crate) mod space;
pub(crate) mod unicode;
