//! Files: what they are, and how their bytes are reached.

pub(crate) mod fault;
pub(crate) mod identify;
pub(crate) mod map;
pub(crate) mod source;
