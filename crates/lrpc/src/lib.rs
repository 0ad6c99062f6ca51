//! What a message says that local RPC, COM or a system port of Windows carries: from its bytes alone.
//!
//! The data of an ALPC message begins with the header of whoever sent it. Of most messages that is local RPC
//! ([`header`]), of calls of COM with more behind it ([`orpc`]); csrss, smss and others have headers of their own
//! ([`system_port`]). Which procedure a number means is in tables ([`names`]).
//!
//! ```
//! use lrpc::header::{self, Header, Sent};
//!
//! let mut bytes = [0; 0x40];
//! bytes[0x0c] = 7; // call id
//! bytes[0x14] = 16; // number of the procedure
//! let sent = Sent { kernel_type: 1, length: 0x40, has_view: false };
//! let Ok(Header::Request(request)) = header::read(&bytes, &sent) else { panic!() };
//! assert_eq!(request.procedure(), 16);
//!
//! let names = lrpc::names::Names::built_in();
//! let svcctl = "367abb81-9844-35f1-ad32-98f038001003".parse()?;
//! let name = names.procedure(svcctl, request.procedure(), Some(7601)).unwrap();
//! assert_eq!(name.text(), "ROpenServiceW");
//! # Ok::<(), lrpc::uuid::NotAUuid>(())
//! ```
//!
//! Nothing here reads a dump or knows a port but by its name, and nothing that stands in a message is believed: every
//! read is checked, and what does not hold is said ([`header::NotLrpc`]).
//!
//! The layouts come from clients and servers of the protocol that were written without Windows' sources, and are the same
//! from Windows 7 to 11: sandbox-attacksurface-analysis-tools (James Forshaw), PythonForWindows, AlpcRpc, the emulator
//! sogen; COM's from MS-DCOM, OleViewDotNet and the symbols of combase. Where a fact has one source alone, its item says
//! so.
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

mod bytes;
pub mod header;
pub mod names;
pub mod orpc;
pub mod status;
pub mod system_port;
pub mod uuid;

pub use uuid::Uuid;
