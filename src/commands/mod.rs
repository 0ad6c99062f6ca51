//! One file a command: what it gathers and how it is written.

mod connections;
mod global;
mod info;
mod message;
mod port;
mod ports;
mod thread;
mod threads;

use alpc::Kernel;
use kdump::{Gva, TranslateError};
use serde::Serialize;
use serde_json::Value as Json;

use crate::address;
use crate::cli::{Cli, Command};
use crate::failure::Failure;
use crate::session::Session;

/// What a command gives for one dump: the same record as text and as JSON.
pub struct Answer {
    /// The text view, with its last line feed.
    pub text: String,
    /// The record.
    pub record: Json,
    /// Where the symbols came from, when any served.
    pub symbols: Option<Json>,
    /// Things worth saying on stderr.
    pub notes: Vec<String>,
}

impl Answer {
    fn new(text: String, record: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self {
            text,
            record: serde_json::to_value(record)?,
            symbols: None,
            notes: Vec::new(),
        })
    }

    fn served_by(mut self, kernel: &Kernel<'_>) -> Self {
        let layout = kernel.layout();
        self.symbols = Some(serde_json::json!({
            "source": layout.origin().to_string(),
            "identity": layout.identity().map(ToString::to_string),
            "certainty": "exact",
        }));
        self
    }

    fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes.extend(notes);
        self
    }
}

/// Runs the command on one dump.
pub fn run(cli: &Cli, session: &Session) -> anyhow::Result<Answer> {
    let Some(command) = &cli.command else {
        return Err(Failure::fatal("no-command", "no command given"));
    };
    match command {
        Command::Info => info::run(session),
        Command::Message(args) => message::run(cli, session, args),
        Command::Port(args) => port::run(cli, session, args),
        Command::Connections(args) => connections::run(session, args),
        Command::Ports(args) => ports::run(session, args),
        Command::Global(args) => global::run(cli, session, args),
        Command::Threads(args) => threads::run(session, args),
        Command::Thread(args) => thread::run(session, args),
    }
}

/// The address of a port that was named on the command line.
fn port_address(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<Gva> {
    let address = address::parse(token)?;
    refuse_impossible(kernel, address)?;
    Ok(address)
}

/// The address of a process that was named on the command line.
fn process_address(kernel: &Kernel<'_>, token: &str) -> anyhow::Result<Gva> {
    let address = address::parse(token)?;
    refuse_impossible(kernel, address)?;
    Ok(address)
}

/// An address that no processor of this kind can use is a slip of the fingers, not a hole in the dump.
fn refuse_impossible(kernel: &Kernel<'_>, address: Gva) -> anyhow::Result<()> {
    if let Err(error @ TranslateError::NonCanonical { .. }) = kernel.space().translate(address) {
        return Err(Failure::fatal(
            "non-canonical",
            format!("{error}; check the digits"),
        ));
    }
    Ok(())
}
