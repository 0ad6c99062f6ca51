//! `alpc-dump`: who waits for whom over ALPC, from a Windows kernel crash dump.
//!
//! The program is [`main`]. Another one that has dumps of its own to ask about takes [`embed`]: the same commands, whose
//! records are handed to it as they are read. Whoever wants types and not JSON takes the crate `alpc`.

mod about;
mod address;
mod asked;
mod cli;
mod commands;
pub mod embed;
mod explain;
mod failure;
mod fleet;
mod host;
mod kd;
#[cfg(feature = "mcp")]
mod mcp;
mod options;
mod order;
mod output;
mod program;
mod redact;
mod rules;
mod run;
mod selector;
mod session;
mod shell;
mod steps;
mod text;

pub use crate::program::main;
