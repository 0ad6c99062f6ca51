//! What goes to stdout and stderr.

pub mod answer;
mod cells;
pub mod columns;
pub mod describe;
pub mod document;
pub mod explanation;
mod junit;
pub mod records;
mod sarif;
pub mod schema;
pub mod table;
pub mod unreadable;
pub mod views_lost;

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::Path;

use ntlayout::Certainty;
use serde::Serialize;
use serde_json::Value as Json;

use crate::failure::{Failure, Status};
use crate::host::target::Target;
use crate::host::{guard, interrupt, status_line};
use crate::options::{Format, Options};
use crate::output::answer::Answer;
use crate::output::document::{Document, DumpRef, ErrorRecord, Head, SymbolSource};
use crate::output::records::{Records, WriteError};
use crate::output::table::Table;
use crate::output::unreadable::Unreadables;
use crate::redact::Redactor;
use crate::text::marked::Text;
use crate::text::{color, escape, evidence_lines, fit, symbol_lines};

/// Writes results to stdout or a file, and everything else to stderr.
pub struct Output {
    target: Target,
    color: bool,
    /// Columns that text is fitted into.
    fits: Option<usize>,
    quiet: bool,
    /// Documents of the dumps so far: several are written as one array.
    documents: Vec<Document<Json>>,
    /// Replaces what the command line and this machine must not tell.
    redactor: Redactor,
    /// What is said on stderr begins with the dump that it is about, when there are several.
    about: String,
    /// The table whose columns the last heading names.
    heading: Option<&'static str>,
    /// Whether there is a result to keep, of a command or in a format that tells errors too.
    any: bool,
    /// How the commands ended that gave nothing.
    failed: Status,
    /// What is to be said once the pager has ended; none without a pager.
    held: Option<RefCell<Vec<String>>>,
}

impl Output {
    /// Writes to a target. All files that are read must be known by now.
    ///
    /// # Errors
    /// When the target is one of the files that are read.
    pub fn new(options: &Options, target: Target, redactor: Redactor) -> io::Result<Self> {
        guard::check()?;
        Ok(Self {
            color: color::enabled(options.color, target.is_stdout()),
            fits: options.fits,
            target,
            quiet: options.quiet,
            documents: Vec::new(),
            redactor,
            about: String::new(),
            heading: None,
            any: false,
            failed: Status::Complete,
            held: None,
        })
    }

    /// The same, with what is said on stderr held back until the pager has ended: it would get between what is shown.
    pub fn behind_pager(mut self) -> Self {
        self.held = Some(RefCell::default());
        self
    }

    /// Waits for the pager, if there is one, and says what was held back.
    pub fn end_pager(&mut self) {
        if let Some(held) = self.held.take() {
            interrupt::end_pager();
            for line in held.into_inner() {
                status_line::clear();
                let _ = writeln!(io::stderr(), "{line}");
            }
        }
    }

    /// Says on stderr what must not be missed. Whether anybody reads it changes nothing else.
    pub fn diagnostic(&self, text: &str) {
        // Errors of opening name the file themselves.
        let about = if text.starts_with(&self.about) {
            ""
        } else {
            &self.about
        };
        let line = format!(
            "alpc-dump: {}",
            escape::lines(&self.redactor.message(&format!("{about}{text}")))
        );
        match &self.held {
            Some(held) => held.borrow_mut().push(line),
            None => {
                status_line::clear();
                let _ = writeln!(io::stderr(), "{line}");
            }
        }
    }

    /// Says on stderr what is good to know.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.diagnostic(text);
        }
    }

    /// Writes what a command gave, and returns the status that follows from it.
    pub fn answer(&mut self, options: &Options, dump: &DumpRef, mut answer: Answer) -> io::Result<Status> {
        self.any = true;
        if options.format == Format::Ndjson {
            return self.answer_as_line(options, dump, answer);
        }
        let record = std::mem::take(&mut answer.record);
        let holes = Unreadables::of(record.holes);
        let status = holes.status().combine(answer.status);
        if options.format.is_of_documents() {
            let (value, explain) = (record.value, answer.explain.take());
            let head = Head::new(options, dump, answer.symbols.as_ref());
            self.documents
                .push(with_result(head, status, value, &holes, explain));
        } else if options.format.is_drawing() {
            self.target
                .write_all(escape::laid_out(answer.text.plain()).as_bytes())?;
        } else {
            self.text(&answer.text)?;
        }
        self.notes(&answer, &holes);
        Ok(status)
    }

    /// Writes a whole result as one line.
    fn answer_as_line(
        &mut self,
        options: &Options,
        dump: &DumpRef,
        mut answer: Answer,
    ) -> io::Result<Status> {
        let name = options.command.unwrap_or("result");
        let record = std::mem::take(&mut answer.record);
        let mut records = Records::new(options, dump, None, false, false, &mut self.target)?;
        let written = records
            .head(options, answer.symbols.as_ref())
            .map_err(Into::into)
            .and_then(|()| records.taken(name, record))
            .and_then(|()| {
                let explain = answer.explain.iter().flatten();
                explain
                    .into_iter()
                    .try_for_each(|one| records.beside(explanation::NAME, one))
            });
        if let Err(error) = written {
            return Err(write_error(error));
        }
        let (status, holes) = records.end(&answer)?;
        self.notes(&answer, &holes);
        Ok(status)
    }

    /// Writes the records of a table one by one, as `fill` gives them.
    pub fn stream(
        &mut self,
        options: &Options,
        dump: &DumpRef,
        table: &Table,
        fill: impl FnOnce(&mut Records<'_>) -> anyhow::Result<Answer>,
    ) -> io::Result<Status> {
        let heading = self.heading.replace(table.record) != Some(table.record);
        let mut records = Records::new(options, dump, Some(table), heading, self.color, &mut self.target)?;
        match fill(&mut records) {
            Ok(answer) => {
                self.any = true;
                let (status, holes) = records.end(&answer)?;
                self.notes(&answer, &holes);
                Ok(status)
            }
            Err(error) => {
                self.any |= records.any();
                drop(records);
                match error.downcast::<WriteError>() {
                    Ok(WriteError(error)) => Err(error),
                    Err(error) => self.failure(options, dump, &Failure::from_error(error)),
                }
            }
        }
    }

    /// Writes the records of a table that are all at hand, with the rest of the answer beside them.
    pub fn rows(
        &mut self,
        options: &Options,
        dump: &DumpRef,
        table: &Table,
        rows: &[impl Serialize],
        answer: &Answer,
    ) -> io::Result<Status> {
        self.any = true;
        let mut records = Records::new(options, dump, Some(table), true, false, &mut self.target)?;
        for row in rows {
            records.record(table.record, row).map_err(write_error)?;
        }
        let (status, holes) = records.end(answer)?;
        self.notes(answer, &holes);
        Ok(status)
    }

    fn notes(&self, answer: &Answer, holes: &Unreadables) {
        if let Some(symbols) = &answer.symbols {
            match symbols.certainty {
                // Whoever forced them may not be who reads the result.
                Certainty::Forced => self.diagnostic(&format!("warning: {}", symbols_line(symbols))),
                _ => self.note(&symbols_line(symbols)),
            }
        }
        answer.notes.iter().for_each(|note| self.note(note));
        answer.errors.iter().for_each(|error| self.diagnostic(error));
        if let Some(summary) = holes.summary() {
            self.note(&summary);
        }
    }

    /// Says why a command gave nothing, and returns the status that follows from it.
    pub fn failure(&mut self, options: &Options, dump: &DumpRef, failure: &Failure) -> io::Result<Status> {
        let failure = &failure.clone().reworded(|text| dump.redactor.message(text));
        self.failed = self.failed.combine(failure.status);
        self.diagnostic(&failure.message);
        self.any |= options.format.is_of_documents() || options.format == Format::Ndjson;
        match options.format {
            Format::Json | Format::Junit | Format::Sarif => {
                self.documents.push(failed(options, dump, failure));
            }
            Format::Ndjson => {
                let mut records = Records::new(options, dump, None, false, false, &mut self.target)?;
                records.failure(failure).map_err(|WriteError(error)| error)?;
            }
            _ => {}
        }
        Ok(failure.status)
    }

    /// Writes ready bytes, and nothing else in this run.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<Status> {
        self.target.write_all(bytes)?;
        self.target.finish()?;
        Ok(Status::Complete)
    }

    /// Writes ready text: a help page.
    pub fn print(&mut self, options: &Options, text: &str) -> io::Result<Status> {
        self.any = true;
        if options.format == Format::Text {
            self.target.write_all(text.as_bytes())?;
        }
        Ok(Status::Complete)
    }

    /// Says which dump comes next, when there are several.
    pub fn begin(&mut self, options: &Options, dump: &Path) -> io::Result<DumpRef> {
        let dump = self.look_at(options, dump)?;
        if options.several_dumps {
            if options.format == Format::Text {
                writeln!(self.target, "==> {} <==", escape::text(&dump.name))?;
                self.target.flush()?;
            }
            self.about = format!("{}: ", dump.name);
        }
        Ok(dump)
    }

    /// Looks at the file of a dump, and says its hash when that is asked for.
    pub fn look_at(&mut self, options: &Options, dump: &Path) -> io::Result<DumpRef> {
        let dump = DumpRef::of(dump, options.hash, self.redactor.clone());
        if let Some(sha256) = &dump.sha256 {
            self.note(&format!("SHA-256 of {}: {sha256}", dump.name));
        }
        Ok(dump)
    }

    /// Writes the JSON documents, one alone or an array of several dumps' or several commands', and gives a file
    /// its name. Where commands failed and left nothing, a file that is there stays.
    pub fn finish(&mut self, options: &Options) -> io::Result<()> {
        status_line::clear();
        if !self.any {
            return self.target.give_up();
        }
        if options.format == Format::Json {
            match self.documents.as_slice() {
                [one] => serde_json::to_writer_pretty(&mut self.target, one)?,
                many => serde_json::to_writer_pretty(&mut self.target, many)?,
            }
            writeln!(self.target)?;
        }
        match options.format {
            Format::Junit => self.target.write_all(junit::file(&self.documents)?.as_bytes())?,
            Format::Sarif => self.target.write_all(sarif::file(&self.documents)?.as_bytes())?,
            _ => {}
        }
        self.target.finish()
    }

    /// Where the results go, for a command that writes them itself; [`close`](Self::close) ends them then.
    pub fn target(&mut self) -> &mut Target {
        &mut self.target
    }

    /// Gives a file its name, when a command has written everything itself.
    pub fn close(&mut self) -> io::Result<()> {
        self.target.finish()
    }

    /// Has everything done also when nobody reads it, for the exit status that it gives.
    pub fn tells_verdict(&mut self) {
        self.target.tells_verdict();
    }

    /// How the commands ended so far that gave nothing.
    pub fn failed(&self) -> Status {
        self.failed
    }

    fn text(&mut self, text: &Text) -> io::Result<()> {
        let fitted = self.fits.map(|width| fit::wrapped(text, width));
        let text = fitted.as_ref().unwrap_or(text);
        self.target.write_all(text.written(self.color).as_bytes())?;
        self.target.flush()
    }
}

/// The document of what a command gave, and whether part of it could not be read.
pub fn answered(options: &Options, dump: &DumpRef, answer: Answer) -> (Document<Json>, Unreadables) {
    let holes = Unreadables::of(answer.record.holes);
    let status = holes.status().combine(answer.status);
    let head = Head::new(options, dump, answer.symbols.as_ref());
    let document = with_result(head, status, answer.record.value, &holes, answer.explain);
    (document, holes)
}

fn with_result(
    head: Head,
    status: Status,
    result: Json,
    holes: &Unreadables,
    explain: Option<Vec<Json>>,
) -> Document<Json> {
    Document {
        head,
        status,
        result: Some(result),
        error: None,
        holes: Some(holes.list().to_vec()),
        explain: explain.map(Json::from),
    }
}

/// The document of a command that gave nothing. What its words must not tell is replaced already.
pub fn failed(options: &Options, dump: &DumpRef, failure: &Failure) -> Document<Json> {
    Document {
        head: Head::new(options, dump, None),
        status: failure.status,
        result: None,
        error: Some(ErrorRecord::from(failure)),
        holes: None,
        explain: None,
    }
}

/// The error of writing behind an error of a record, which cannot fail otherwise.
fn write_error(error: anyhow::Error) -> io::Error {
    match error.downcast::<WriteError>() {
        Ok(WriteError(error)) => error,
        Err(error) => io::Error::other(error),
    }
}

/// Where the symbols came from, and how sure they are unless they are the kernel's own.
fn symbols_line(symbols: &SymbolSource) -> String {
    let SymbolSource {
        source, certainty, ..
    } = symbols;
    let lacking = symbol_lines::in_short(&symbols.types_from, &symbols.types_untold);
    let line = match (certainty, &symbols.evidence) {
        (Certainty::Exact, _) => format!("symbols: {source}"),
        (certainty, Some(evidence)) => {
            format!(
                "symbols: {source} ({certainty}: {})",
                evidence_lines::in_short(evidence)
            )
        }
        (certainty, None) => format!("symbols: {source} ({certainty})"),
    };
    line + &lacking
}
