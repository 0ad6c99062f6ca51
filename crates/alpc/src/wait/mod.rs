//! Who waits for whom: the graph of waits, where its chains end, and what is wrong with them.
//!
//! Each step is one of *proven*, *inferred* and *unknown*, and carries the fields that say so. A thread waits for
//! the reply to a message; the message was received by a thread, or stands in a queue of a port; a thread
//! waits for a mutant, and another owns it. Where several would do (one of the threads that serve a port, any of
//! several objects) the chain ends, and the alternatives are told beside it: nothing is guessed.

mod apartments;
pub mod behind;
mod build;
pub mod chain;
mod cycle;
pub mod doubt;
pub mod edge;
pub mod graph;
pub mod hang;
pub(crate) mod locks;
pub mod node;
mod queues;
pub mod root;
pub mod servers;
pub mod service;
pub mod signature;
pub mod table;
pub mod trouble;
pub mod unread;

pub use build::{waits, waits_with_message, waits_with_thread};
