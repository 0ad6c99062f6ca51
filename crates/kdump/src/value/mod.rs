//! Plain values: addresses, machines, times, numbers as files and JSON have them.

pub(crate) mod addr;
pub(crate) mod address;
pub(crate) mod bug_check;
#[cfg(feature = "serde")]
pub(crate) mod hex;
pub(crate) mod image_format;
pub(crate) mod le;
pub(crate) mod machine;
pub(crate) mod note;
pub(crate) mod progress;
pub(crate) mod release;
pub(crate) mod time;
