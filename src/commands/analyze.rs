//! `analyze`: the debugger's undocumented `!alpc -analyze`: do all ports and messages agree with each other?

use alpc::analyze::{self, Analysis};
use alpc::enumerate::PortSource;

use super::Answer;
use crate::session::Session;

pub fn run(session: &Session) -> anyhow::Result<Answer> {
    let kernel = session.kernel()?;
    let record = analyze::analyze(&kernel);
    let found = !record.findings.is_empty();
    Ok(Answer::new(text(&record), &record)?
        .served_by(&kernel)
        .finding(found))
}

fn text(record: &Analysis) -> String {
    let findings: String = record
        .findings
        .iter()
        .map(|finding| format!("{}: {}; {}\n", finding.id, finding.text, finding.meaning))
        .collect();
    let source = match record.source {
        PortSource::PortList => "",
        PortSource::Search => ", found by search",
    };
    let unchecked = match record.unchecked.len() {
        0 => String::new(),
        1 => "; 1 thing could not be checked".to_owned(),
        count => format!("; {count} things could not be checked"),
    };
    format!(
        "{findings}{} problems in {} ports{source} and {} messages{unchecked}\n",
        record.findings.len(),
        record.ports,
        record.messages
    )
}
