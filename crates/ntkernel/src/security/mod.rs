//! Who may do what to objects, and as whom threads and processes act.
//!
//! What the bytes of descriptors and identifiers mean is [`ntsecurity`]'s; here they are found and read.

pub mod descriptor;
pub mod protection;
pub mod sid;
pub mod token;
