//! `triage` among other command lines over one opened dump: its record, as a table of one row.

use super::Answer;
use crate::fleet::record::Record;
use crate::fleet::sheet;
use crate::session::Session;

pub fn run(session: &Session) -> anyhow::Result<Answer> {
    let record = Record::of_session(session, session.dump().path());
    let text = sheet::table_of(&serde_json::to_value(&record)?);
    let status = record.own_status();
    let mut answer = Answer::new(text, &record)?;
    answer.status = status;
    Ok(answer)
}
