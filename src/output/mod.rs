//! What goes to stdout and stderr.

pub mod color;
pub mod escape;
pub mod graph;
pub mod json;
mod junit;
pub mod narrow;
pub mod object_lines;
pub mod process_lines;
pub mod rows;
pub mod thread_line;
pub mod time;
pub mod wait_lines;

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::cli::{Cli, Command, Format};
use crate::commands::Answer;
use crate::failure::{Failure, Status};
use crate::output::json::Holes;

/// Version of the JSON documents; what may change without it is in the README.
const DOCUMENT_VERSION: u32 = 1;

/// Writes results to stdout and everything else to stderr.
pub struct Output {
    color: bool,
    /// Documents of the dumps so far: several are written as one array.
    documents: Vec<Json>,
    /// What is said on stderr begins with the dump that it is about, when there are several.
    about: String,
}

impl Output {
    pub fn new(cli: &Cli) -> Self {
        Self {
            color: color::enabled(cli.color),
            documents: Vec::new(),
            about: String::new(),
        }
    }

    /// Says something on stderr.
    pub fn diagnostic(&mut self, text: &str) -> io::Result<()> {
        // Errors of opening name the file themselves.
        let about = if text.starts_with(&self.about) {
            ""
        } else {
            &self.about
        };
        writeln!(
            io::stderr(),
            "alpc-dump: {}",
            escape::lines(&format!("{about}{text}"))
        )
    }

    /// Writes what a command gave, and returns the status that follows from it.
    pub fn answer(&mut self, cli: &Cli, dump: &Path, answer: &Answer) -> io::Result<Status> {
        let mut record = answer.record.clone();
        let holes = Holes::hoist(&mut record);
        if cli.format.is_collected() {
            let mut document = document(cli, dump);
            document["symbols"] = answer.symbols.clone().unwrap_or(Json::Null);
            document["result"] = record;
            document["holes"] = holes.to_json();
            self.documents.push(document);
        } else if cli.format.is_drawing() {
            io::stdout().write_all(answer.text.as_bytes())?;
        } else {
            self.text(&answer.text)?;
        }
        if let Some(line) = answer.symbols.as_ref().and_then(symbols_line) {
            self.diagnostic(&line)?;
        }
        for note in &answer.notes {
            self.diagnostic(note)?;
        }
        if let Some(summary) = holes.summary() {
            self.diagnostic(&summary)?;
        }
        let read = if holes.unreadable() {
            Status::Partial
        } else {
            Status::Complete
        };
        Ok(read.combine(answer.status))
    }

    /// Says why a command gave nothing, and returns the status that follows from it.
    pub fn failure(&mut self, cli: &Cli, dump: &Path, failure: &Failure) -> io::Result<Status> {
        if cli.format.is_collected() {
            let mut document = document(cli, dump);
            document["error"] = json!({ "id": failure.id, "text": failure.message });
            self.documents.push(document);
        }
        self.diagnostic(&failure.message)?;
        Ok(failure.status)
    }

    /// Writes ready text: a help page.
    pub fn print(&mut self, cli: &Cli, text: &str) -> io::Result<Status> {
        if cli.format == Format::Text {
            io::stdout().write_all(text.as_bytes())?;
        }
        Ok(Status::Complete)
    }

    /// Says which dump comes next, when there are several.
    pub fn begin(&mut self, cli: &Cli, dump: &Path) -> io::Result<()> {
        if cli.dumps.len() > 1 {
            let dump = dump.to_string_lossy();
            if cli.format == Format::Text {
                writeln!(io::stdout(), "==> {} <==", escape::text(&dump))?;
            }
            self.about = format!("{dump}: ");
        }
        Ok(())
    }

    /// Writes the JSON documents: one alone, or an array of several dumps' or several commands'.
    pub fn finish(&mut self, cli: &Cli) -> io::Result<()> {
        if cli.format == Format::Junit {
            return io::stdout().lock().write_all(&junit::file(&self.documents)?);
        }
        if cli.format != Format::Json {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match self.documents.as_slice() {
            [one] => serde_json::to_writer_pretty(&mut stdout, one)?,
            many => serde_json::to_writer_pretty(&mut stdout, many)?,
        }
        writeln!(stdout)
    }

    fn text(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(color::paint(text, self.color).as_bytes())?;
        stdout.flush()
    }
}

/// Where the symbols came from, and how sure they are unless they are the kernel's own.
fn symbols_line(symbols: &Json) -> Option<String> {
    let source = symbols["source"].as_str()?;
    Some(match symbols["certainty"].as_str() {
        None | Some("exact") => format!("symbols: {source}"),
        Some(certainty) => format!("symbols: {source} ({certainty})"),
    })
}

fn document(cli: &Cli, dump: &Path) -> Json {
    json!({
        "version": DOCUMENT_VERSION,
        "tool": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
        "command": cli.command.as_ref().map(Command::name),
        "dump": dump.to_string_lossy(),
    })
}
