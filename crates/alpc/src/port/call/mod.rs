//! Which call a message is: of RPC, of COM, of a system port.
//!
//! A message's data begins with the header of its protocol, which the crate `lrpc` reads. What only a dump knows is told
//! here: which port it goes to, which connection it belongs to, whose interface its binding is, which thread an object of
//! COM lives in.

mod apartment;
mod binds;
mod decode;
mod decoded;
mod port_facts;
mod record;
mod tally;
mod told;

pub use decode::Calls;
pub use decoded::{Decoded, MessageCall};
pub use record::{
    Apartment, Call, CandidateInterface, ComCall, InnerCall, InterfaceRecord, Known, ProcedureName, Protocol,
    StatusRecord, UnexpectedServer,
};
pub use tally::{Asked, CallTally, tally};
pub use told::Told;
