//! One file a command: what it gathers and how it is written.

mod analyze;
mod chain;
mod check;
mod connections;
pub mod diff;
mod dt;
mod global;
mod graph;
mod handles;
mod hang;
mod info;
mod message;
mod modules;
mod object;
pub mod pack;
mod port;
mod ports;
mod processes;
mod resource;
mod symbols;
mod thread;
mod threads;
mod waits;

use alpc::Kernel;
use serde::Serialize;
use serde_json::Value as Json;

use crate::cli::{Cli, Command, Format};
use crate::failure::{Failure, Status};
use crate::output::narrow;
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
    /// The exit status that the command itself asks for, whatever the record's holes add to it.
    pub status: Status,
}

impl Answer {
    fn new(text: String, record: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self {
            text,
            record: serde_json::to_value(record)?,
            symbols: None,
            notes: Vec::new(),
            status: Status::Complete,
        })
    }

    fn served_by(mut self, kernel: &Kernel<'_>) -> Self {
        self.symbols = Some(symbols_of(kernel));
        self
    }

    /// Makes the exit status that of a finding, when there is one.
    fn finding(mut self, found: bool) -> Self {
        if found {
            self.status = self.status.combine(Status::Finding);
        }
        self
    }

    /// Sets the exit status that the command asks for.
    fn ends_with(mut self, status: Status) -> Self {
        self.status = self.status.combine(status);
        self
    }

    /// The same with the addresses in its reasons as wide as a 32-bit system's.
    fn narrowed(mut self) -> Self {
        self.text = narrow::text(&self.text);
        self.notes.iter_mut().for_each(|note| *note = narrow::text(note));
        narrow::reasons(&mut self.record);
        self
    }

    fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes.extend(notes);
        self
    }
}

/// Where the symbols in use came from.
fn symbols_of(kernel: &Kernel<'_>) -> Json {
    let layout = kernel.layout();
    serde_json::json!({
        "source": layout.origin().to_string(),
        "identity": layout.identity().map(ToString::to_string),
        "certainty": layout.certainty().to_string(),
    })
}

/// Runs the command on one dump.
pub fn run(cli: &Cli, session: &Session) -> anyhow::Result<Answer> {
    let answer = dispatch(cli, session);
    if session.dump().kernel_space().pointer_width() != 4 {
        return answer;
    }
    answer.map(Answer::narrowed).map_err(|error| {
        let Failure { status, id, message } = Failure::from_error(error);
        Failure {
            status,
            id,
            message: narrow::text(&message),
        }
        .into()
    })
}

fn dispatch(cli: &Cli, session: &Session) -> anyhow::Result<Answer> {
    let Some(command) = &cli.command else {
        return Err(Failure::fatal("no-command", "no command given"));
    };
    refuse_format(cli, command)?;
    match command {
        Command::Info => info::run(session),
        Command::Message(args) => message::run(cli, session, args),
        Command::Port(args) => port::run(cli, session, args),
        Command::Connections(args) => connections::run(session, args),
        Command::Ports(args) => ports::run(session, args),
        Command::Handles(args) => handles::run(cli, session, args),
        Command::Object(args) => object::run(cli, session, args),
        Command::Processes => processes::all(cli, session),
        Command::Process(args) => processes::one(session, args),
        Command::Modules => modules::run(session),
        Command::Global(args) => global::run(cli, session, args),
        Command::Resource(args) => resource::run(cli, session, args),
        Command::Analyze => analyze::run(session),
        Command::Hang(args) => hang::run(cli, session, args),
        Command::Check(args) => check::run(session, args),
        Command::Diff(_) => Err(diff::needs_two()),
        Command::Chain(args) => chain::run(session, args),
        Command::Waits => waits::run(session),
        Command::Graph(args) => graph::run(cli, session, args),
        Command::Symbols(args) => symbols::run(session, args),
        Command::Pack(args) => pack::of_dump(session, args),
        Command::Dt(args) => dt::run(cli, session, args),
        Command::Threads(args) => threads::run(session, args),
        Command::Thread(args) => thread::run(session, args),
    }
}

/// Refuses the formats that only other commands have.
fn refuse_format(cli: &Cli, command: &Command) -> anyhow::Result<()> {
    let why = match (cli.format, command) {
        (format, Command::Graph(_)) if format.is_drawing() => return Ok(()),
        (Format::Junit, Command::Check(_)) => return Ok(()),
        (Format::Junit, _) => "only check writes JUnit XML: use --format text or json here",
        (format, _) if format.is_drawing() => "only graph can be drawn: use --format text or json here",
        _ => return Ok(()),
    };
    Err(Failure::fatal("format-not-here", why))
}
