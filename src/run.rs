//! One command on one dump: run, explained, with addresses as wide as the system's, and without what must not be told.

use crate::cli::{Command, SPECS};
use crate::commands::{Category, Verb};
use crate::explain;
use crate::failure::Failure;
use crate::options::{Format, Options};
use crate::output::answer::Answer;
use crate::output::records::{Records, WriteError};
use crate::session::Session;

/// Runs the command on one dump.
pub fn run(options: &Options, session: &Session, command: &Command) -> anyhow::Result<Answer> {
    let answer = refuse_memory(options, command.verb()).and_then(|()| {
        if options.explain {
            explain::run(options, session, command)
        } else {
            refuse_format(options, command.verb())?;
            command.verb().run(options, session)
        }
    });
    redacted(session, noted(session, whole(session, answer)))
}

/// The answer, unless the file that it was read of went away under it.
fn whole(session: &Session, answer: anyhow::Result<Answer>) -> anyhow::Result<Answer> {
    match session.file_failure() {
        // What could not be written ends the run all the same.
        Some(failure) if !answer.as_ref().is_err_and(|error| error.is::<WriteError>()) => Err(failure),
        _ => answer,
    }
}

/// The same with what there is to say of the symbols.
fn noted(session: &Session, answer: anyhow::Result<Answer>) -> anyhow::Result<Answer> {
    answer.map(|mut answer| {
        if let Some(symbols) = &mut answer.symbols {
            symbols.evidence = session.choice().cloned();
            answer.notes.splice(0..0, session.notes());
        } else {
            answer.notes.extend(session.absent_places());
        }
        answer.notes.splice(0..0, session.of_files());
        answer
    })
}

/// Runs a command that fills a table, and writes each of its records as soon as it is read.
pub fn stream(
    options: &Options,
    session: &Session,
    verb: &dyn Verb,
    records: &mut Records<'_>,
) -> anyhow::Result<Answer> {
    let answer = noted(session, whole(session, verb.fill(options, session, records)));
    redacted(session, answer)
}

/// The same without what the command line and this machine must not tell.
fn redacted(session: &Session, answer: anyhow::Result<Answer>) -> anyhow::Result<Answer> {
    let redactor = session.redactor();
    answer
        .map(|answer| answer.redacted(&redactor))
        .map_err(|error| reworded(error, |text| redactor.message(text)))
}

fn reworded(error: anyhow::Error, reword: impl FnOnce(&str) -> String) -> anyhow::Error {
    match error.downcast::<Failure>() {
        Ok(failure) => failure.reworded(reword).into(),
        Err(other) => other,
    }
}

/// Refuses what shows memory as it is: nothing tells which of its bytes are a name or an id.
fn refuse_memory(options: &Options, verb: &dyn Verb) -> anyhow::Result<()> {
    let shown = match verb.shows_memory() {
        _ if options.redact.is_empty() => return Ok(()),
        _ if options.explain => "--explain",
        Some(shown) => shown,
        None => return Ok(()),
    };
    Err(Failure::fatal(
        "redact-not-here",
        format!("{shown} shows memory as it is, of which --redact cannot hide a part: leave one of them out"),
    ))
}

/// Refuses the formats that only other commands have.
pub fn refuse_format(options: &Options, verb: &dyn Verb) -> anyhow::Result<()> {
    let why = match options.format {
        format if verb.writes(format) => return Ok(()),
        Format::Csv => format!(
            "{} gives no table: csv is for {}",
            options.command.unwrap_or("this"),
            tables()
        ),
        format if format.is_drawing() => {
            "only graph and report are pages or drawings: use --format text or json here".to_owned()
        }
        format => match format.of_check() {
            Some(name) => format!("only check writes {name}: use --format text or json here"),
            None => return Ok(()),
        },
    };
    Err(Failure::fatal("format-not-here", why))
}

/// The commands that fill a table, for those who asked another for one.
fn tables() -> String {
    let fill = SPECS.iter().filter(|spec| spec.category != Category::Many);
    let names = fill.flat_map(|spec| {
        let tables = spec.shape.tables.iter();
        // One that fills a table without any option needs not be named with those that choose another one.
        let plain = tables.clone().any(|table| table.option.is_none());
        let tables = tables.filter(move |table| table.option.is_none() || !plain);
        tables.map(|table| match table.option {
            Some(option) => format!("{} {option}", spec.name()),
            None => spec.name().to_owned(),
        })
    });
    // The rows of diff are no dump's alone, and at hand all at once.
    names.chain(["diff".to_owned()]).collect::<Vec<_>>().join(", ")
}
