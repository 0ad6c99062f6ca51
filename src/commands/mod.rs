//! One file a command: what it gathers and how it is written.

pub mod about;
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
mod shapes;
mod symbols;
mod thread;
mod threads;
pub mod triage;
mod waits;

use alpc::locate::choice::Choice;
use alpc::{Kernel, Value};
use serde::Serialize;
use serde_json::Value as Json;

use crate::cli::Cli;
use crate::cli::Command;
use crate::cli::Format;
use crate::explain;
use crate::failure::Failure;
use crate::failure::Status;
use crate::output::document::SymbolSource;
use crate::output::records::Records;
use crate::output::scan;
use crate::redact;
use crate::redact::Veil;
use crate::session::Session;
use crate::text::narrow;
use alpc::system::own;

pub use shapes::{Shape, Table, shapes};

/// What a command gives for one dump: the same record as text and as JSON.
pub struct Answer {
    /// The text view, with its last line feed.
    pub text: String,
    /// Whether the text is a drawing: words are replaced before it is drawn, for it has words of its own.
    drawn: bool,
    /// The record; of a table that was written record by record, what there is to say beside them.
    pub record: Json,
    /// Why a record that is a bare list may be short: what has no member to say it in.
    pub short: Option<Json>,
    /// Where its values come from, when that was asked for.
    pub explain: Option<Vec<Json>>,
    /// Where the symbols came from, when any served.
    pub symbols: Option<SymbolSource>,
    /// Things worth saying on stderr.
    pub notes: Vec<String>,
    /// What went wrong with a part of what was asked for, for stderr.
    pub errors: Vec<String>,
    /// The exit status that the command itself asks for, whatever the record's holes add to it.
    pub status: Status,
}

impl Answer {
    fn new(text: String, record: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self {
            text,
            drawn: false,
            record: serde_json::to_value(record)?,
            short: None,
            explain: None,
            symbols: None,
            notes: Vec::new(),
            errors: Vec::new(),
            status: Status::Complete,
        })
    }

    /// The same without text: of a document, or of what there is to say beside the records of a table.
    fn of(record: &impl Serialize) -> anyhow::Result<Self> {
        Self::new(String::new(), record)
    }

    /// The same with text behind the rows.
    fn with_text(mut self, text: String) -> Self {
        self.text = text;
        self
    }

    /// The same without a member of the record, whose elements were written one by one.
    fn without(mut self, member: &str) -> Self {
        if let Json::Object(record) = &mut self.record {
            record.shift_remove(member);
        }
        self
    }

    /// The same where the record of a large system is far larger than its text: it is kept only where it is asked for.
    fn large(cli: &Cli, record: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<Self> {
        if cli.format.is_data() {
            return Self::of(record);
        }
        Ok(Self {
            text: text(),
            drawn: cli.format.is_drawing(),
            record: scan::holes(record)?,
            symbols: None,
            notes: Vec::new(),
            errors: Vec::new(),
            short: None,
            explain: None,
            status: Status::Complete,
        })
    }

    fn served_by(mut self, kernel: &Kernel<'_>) -> Self {
        // Whoever chose the layout knows why: see `noted`.
        self.symbols = Some(symbol_source(kernel, None));
        self
    }

    /// The same of a bare list, with whether it is whole.
    fn whole_if(mut self, complete: &Value<()>) -> Self {
        if complete.hole().is_some() {
            self.short = Some(serde_json::json!({ "complete": complete }));
        }
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
        let said = self.notes.iter_mut().chain(&mut self.errors);
        said.for_each(|line| *line = narrow::text(line));
        narrow::reasons(&mut self.record);
        self.short.iter_mut().for_each(narrow::reasons);
        self.explain.iter_mut().flatten().for_each(narrow::reasons);
        self
    }

    /// The same without what the command line and this machine must not tell.
    fn veiled(mut self, veil: &Veil) -> Self {
        if !self.drawn {
            self.text = veil.view(&self.text);
        }
        let said = self.notes.iter_mut().chain(&mut self.errors);
        said.for_each(|line| *line = veil.message(line));
        veil.record(&mut self.record);
        self.symbols = self.symbols.map(|symbols| symbols.veiled(veil));
        self
    }

    fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes.extend(notes);
        self
    }
}

pub fn symbol_source(kernel: &Kernel<'_>, choice: Option<&Choice>) -> SymbolSource {
    let layout = kernel.layout();
    SymbolSource {
        source: layout.origin().to_string(),
        identity: layout.identity().map(ToString::to_string),
        certainty: layout.certainty().to_string(),
        evidence: choice.cloned(),
        types_from: own::types_from(layout),
        types_untold: own::types_untold(kernel),
    }
}

/// Runs the command on one dump.
pub fn run(cli: &Cli, session: &Session) -> anyhow::Result<Answer> {
    let answer = redact::refuse_memory(cli).and_then(|()| {
        if cli.explain {
            explain::run(cli, session, dispatch)
        } else {
            dispatch(cli, session)
        }
    });
    veiled(session, narrowed(session, noted(session, answer)))
}

/// The same with what there is to say of the symbols.
fn noted(session: &Session, answer: anyhow::Result<Answer>) -> anyhow::Result<Answer> {
    answer.map(|mut answer| {
        if let Some(symbols) = &mut answer.symbols {
            symbols.evidence = session.choice().cloned();
            answer.notes.splice(0..0, session.notes().iter().cloned());
        }
        answer
    })
}

/// Runs a command that fills a table, and writes each of its records as soon as it is read.
pub fn stream(
    cli: &Cli,
    session: &Session,
    fill: Fill<'_>,
    records: &mut Records<'_>,
) -> anyhow::Result<Answer> {
    records.narrow(is_narrow(session));
    let answer = noted(session, fill(cli, session, records));
    veiled(session, narrowed(session, answer))
}

fn is_narrow(session: &Session) -> bool {
    session.dump().kernel_space().pointer_width() == 4
}

/// The same without what the command line and this machine must not tell.
fn veiled(session: &Session, answer: anyhow::Result<Answer>) -> anyhow::Result<Answer> {
    let veil = session.veil();
    answer
        .map(|answer| answer.veiled(&veil))
        .map_err(|error| reworded(error, |text| veil.message(text)))
}

/// The same with the addresses in errors and reasons as wide as the dumped system's.
fn narrowed(session: &Session, answer: anyhow::Result<Answer>) -> anyhow::Result<Answer> {
    if !is_narrow(session) {
        return answer;
    }
    answer
        .map(Answer::narrowed)
        .map_err(|error| reworded(error, narrow::text))
}

fn reworded(error: anyhow::Error, reword: impl FnOnce(&str) -> String) -> anyhow::Error {
    match error.downcast::<Failure>() {
        Ok(failure) => failure.reworded(reword).into(),
        Err(other) => other,
    }
}

/// The kernel, once the first of its records can be written.
fn open_kernel<'s>(cli: &Cli, session: &'s Session, records: &mut Records<'_>) -> anyhow::Result<Kernel<'s>> {
    let kernel = session.kernel()?;
    let symbols = symbol_source(&kernel, session.choice());
    records.head(cli, Some(&symbols.veiled(&session.veil())))?;
    Ok(kernel)
}

/// Fills a table.
pub type Fill<'a> = Box<dyn FnOnce(&Cli, &Session, &mut Records<'_>) -> anyhow::Result<Answer> + 'a>;

/// The table that a command fills, if it gives one, and how.
pub fn table(command: &Command) -> Option<(Table, Fill<'_>)> {
    Some(match command {
        Command::Message(args) => (
            message::TABLE,
            Box::new(|cli, session, records| message::records(cli, session, args, records)),
        ),
        Command::Ports(args) if args.orphans => (ports::ORPHANS, Box::new(ports::orphan_records)),
        Command::Ports(args) if args.process.is_none() => (ports::TABLE, Box::new(ports::records)),
        Command::Connections(args) => (
            connections::TABLE,
            Box::new(|cli, session, records| connections::records(cli, session, args, records)),
        ),
        Command::Global(args) if args.list => (global::LIST, Box::new(global::list_records)),
        Command::Global(args) if args.graph => (global::EDGES, Box::new(global::edge_records)),
        Command::Threads(args) => (
            threads::TABLE,
            Box::new(|cli, session, records| threads::records(cli, session, args, records)),
        ),
        Command::Processes => (processes::TABLE, Box::new(processes::records)),
        Command::Handles(args) => (
            handles::TABLE,
            Box::new(|cli, session, records| handles::records(cli, session, args, records)),
        ),
        Command::Modules(args) => (
            modules::TABLE,
            Box::new(|cli, session, records| modules::records(cli, session, args, records)),
        ),
        Command::Waits => (waits::TABLE, Box::new(waits::records)),
        Command::Analyze => (analyze::TABLE, Box::new(analyze::records)),
        Command::Check(args) => (
            check::TABLE,
            Box::new(|cli, session, records| check::records(cli, session, args, records)),
        ),
        _ => return None,
    })
}

/// Whether a command that fills a table writes each of its rows as soon as it is read. As text that are those whose
/// columns are as wide whatever is in them; the others have to know all of their rows first.
pub fn streams(command: &Command, format: Format) -> bool {
    match format {
        Format::Ndjson | Format::Csv => true,
        Format::Text => match command {
            Command::Ports(args) => args.process.is_none(),
            Command::Global(args) => args.list || args.graph,
            Command::Threads(_) | Command::Processes | Command::Handles(_) => true,
            _ => false,
        },
        _ => false,
    }
}

/// The commands that fill a table, for those who asked another for one.
const TABLES: &str = "message, ports, connections, global --list, global --graph, threads, processes, handles, modules, waits, \
analyze, check, diff";

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
        Command::Handles(args) => handles::run(session, args),
        Command::Object(args) => object::run(cli, session, args),
        Command::Processes => processes::all(session),
        Command::Process(args) => processes::one(session, args),
        Command::Modules(args) => modules::run(session, args),
        Command::Global(args) => global::run(cli, session, args),
        Command::Resource(args) => resource::run(cli, session, args),
        Command::Analyze => analyze::run(session),
        Command::Hang(args) => hang::run(cli, session, args),
        Command::Check(args) => check::run(cli, session, args),
        Command::Diff(_) => Err(diff::needs_two()),
        Command::Chain(args) => chain::run(cli, session, args),
        Command::Waits => waits::run(cli, session),
        Command::Graph(args) => graph::run(cli, session, args),
        Command::Triage(_) => triage::run(cli, session),
        Command::Symbols(args) => symbols::run(session, args),
        Command::Pack => pack::of_dump(cli, session),
        Command::Dt(args) => dt::run(cli, session, args),
        Command::Threads(args) => threads::run(session, args),
        Command::Thread(args) => thread::run(session, args),
        Command::Schema(_) | Command::Completions(_) | Command::Man(_) => Err(Failure::fatal(
            "no-dump-needed",
            format!("{} takes no dump", command.name()),
        )),
    }
}

/// Refuses the formats that only other commands have.
fn refuse_format(cli: &Cli, command: &Command) -> anyhow::Result<()> {
    let why = match (cli.format, command) {
        (Format::Csv, Command::Diff(_)) => return Ok(()),
        (Format::Csv, _) => format!("{} gives no table: csv is for {TABLES}", command.name()),
        (Format::Junit, Command::Check(_)) => return Ok(()),
        (Format::Junit, _) => "only check writes JUnit XML: use --format text or json here".to_owned(),
        (format, Command::Graph(_)) if format.is_drawing() => return Ok(()),
        (format, _) if format.is_drawing() => {
            "only graph can be drawn: use --format text or json here".to_owned()
        }
        _ => return Ok(()),
    };
    Err(Failure::fatal("format-not-here", why))
}
