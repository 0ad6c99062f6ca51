//! Plain values: times, little-endian numbers, addresses as text.

pub(crate) mod hex;
pub(crate) mod le;
pub(crate) mod time;
