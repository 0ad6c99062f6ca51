//! `triage` among other command lines over one opened dump: its record, as a table of one row.

pub mod groups;
pub mod ignored;
pub mod record;

use crate::cli::Cli;
use crate::commands::Answer;
use crate::commands::triage::record::Record;
use crate::fleet::sheet;
use crate::output::document::DumpRef;
use crate::session::Session;

pub fn run(cli: &Cli, session: &Session) -> anyhow::Result<Answer> {
    let dump = DumpRef::of(session.dump().path(), cli.hash, session.veil().clone());
    let record = Record::of_session(session, &dump);
    let status = record.status;
    let line = serde_json::to_value(record.clone().line(&dump))?;
    let mut answer = Answer::new(sheet::table_of(&line), &record)?;
    answer.status = status;
    answer.symbols = record.symbols;
    Ok(answer)
}
