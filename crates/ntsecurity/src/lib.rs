//! What a Windows security descriptor says: from its bytes alone.
//!
//! A descriptor ([`descriptor`]) names an owner and a group and holds two lists ([`acl`]): who may do what, and what is
//! audited and how trusted a caller has to be. Everybody in it is an identifier ([`sid`]). [`sddl`] writes all of it as
//! Windows does, [`names`] and [`rights`] in words, and [`access`] says whether a caller would be let in.
//!
//! ```
//! use ntsecurity::{Sid, access::{self, Caller, Decision}, rights};
//!
//! let everyone: Sid = "S-1-1-0".parse()?;
//! assert_eq!(ntsecurity::names::of(&everyone).as_deref(), Some("Everyone"));
//! let caller = Caller::named(&everyone);
//! // An object without a descriptor is checked by nothing.
//! assert!(matches!(access::check(None, &caller, rights::PORT_CONNECT), Decision::Granted { .. }));
//! # Ok::<(), ntsecurity::sid::NotASid>(())
//! ```
//!
//! Nothing here reads a dump, and nothing that stands in a descriptor is believed: every read is checked, no list is
//! longer than its bytes, and what does not hold is said ([`Malformed`]).
//!
//! The formats are those of MS-DTYP 2.4 and of the Windows headers; where a fact has one source alone, its item says so.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod access;
pub mod acl;
mod alias;
mod bytes;
pub mod condition;
pub mod descriptor;
pub mod names;
pub mod rights;
pub mod sddl;
pub mod sid;
pub mod token;

pub use acl::{Ace, AceBody, Acl};
pub use bytes::Malformed;
pub use descriptor::{Descriptor, List};
pub use sid::Sid;
