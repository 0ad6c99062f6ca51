//! `pack`: what the views need of symbols, as a file of a few KiB that `--symbols` takes for them.

use std::io::{self, Write};
use std::path::Path;

use alpc::contract::CONTRACT;
use ntlayout::SymbolTable;
use schemars::JsonSchema;
use serde::Serialize;

use super::Answer;
use crate::cli::{Cli, Command, Format};
use crate::failure::Failure;
use crate::output::escape;
use crate::output::target::Target;
use crate::session::Session;

#[derive(Serialize, JsonSchema)]
pub struct PackRecord {
    file: String,
    bytes: usize,
    identity: Option<String>,
    source: String,
}

/// Packs the symbols in use for a dump.
pub fn of_dump(cli: &Cli, session: &Session) -> anyhow::Result<Answer> {
    write(cli, session.table()?)
}

/// Packs a symbol file that stands where a dump does; nothing if the command is another or the file is none.
pub fn of_table(cli: &Cli, path: &Path) -> Option<anyhow::Result<Answer>> {
    if !matches!(cli.command, Some(Command::Pack)) {
        return None;
    }
    let table = ntlayout::open(path).ok()?;
    Some(write(cli, &*table))
}

fn write(cli: &Cli, table: &dyn SymbolTable) -> anyhow::Result<Answer> {
    let Some(output) = &cli.output else {
        return Err(Failure::fatal(
            "no-output",
            "pack needs the name of the file to write: pack --output FILE",
        ));
    };
    let layout = table
        .resolve(&CONTRACT)
        .map_err(|error| Failure::fatal(error.id(), error.to_string()))?;
    let pointer_size = table
        .pointer_size()
        .ok_or_else(|| Failure::fatal("no-machine", "the symbols do not say for which machine they are"))?;
    let text = ntlayout::pack(&CONTRACT, &layout, pointer_size)
        .map_err(|error| Failure::fatal("no-identity", format!("{}: {error}", table.origin())))?;
    let to_stdout = save(output, &text).map_err(|error| {
        let text = format!("{}: cannot be written: {error}", output.display());
        Failure::fatal("cannot-write", text)
    })?;
    let record = PackRecord {
        file: output.to_string_lossy().into_owned(),
        bytes: text.len(),
        identity: layout.identity().map(ToString::to_string),
        source: layout.origin().to_string(),
    };
    let line = format!(
        "{}: {} bytes, {} from {}\n",
        escape::text(&record.file),
        record.bytes,
        escape::text(record.identity.as_deref().unwrap_or_default()),
        escape::text(&record.source),
    );
    if to_stdout && cli.format == Format::Text {
        // It would stand in the pack.
        return Ok(Answer::new(String::new(), &record)?.with_notes(vec![line.trim_end().to_owned()]));
    }
    Answer::new(line, &record)
}

/// Writes a pack where none is, whole or not at all; whether that is stdout.
fn save(path: &Path, text: &str) -> io::Result<bool> {
    let mut target = Target::new_file(path)?;
    target.write_all(text.as_bytes())?;
    target.finish()?;
    Ok(target.is_stdout())
}
