//! `modules`: the debugger's `lm`.

use alpc::module::{self, ModuleRecord, Modules};

use super::Answer;
use crate::failure::Failure;
use crate::output::escape;
use crate::output::rows::{self, or_question};
use crate::session::Session;

pub fn run(session: &Session) -> anyhow::Result<Answer> {
    if let Some(record) = module::of_triage(session.dump()) {
        let record = match session.redaction() {
            Some(redaction) => record.redacted(redaction),
            None => record,
        };
        return Answer::new(text(&record, 16), &record);
    }
    let kernel = session.kernel()?;
    let record = module::modules(&kernel)
        .map_err(|hole| Failure::partial(hole.id(), format!("the modules cannot be listed: {hole}")))?;
    let digits = if kernel.pointer_size() == 4 { 8 } else { 16 };
    Ok(Answer::new(text(&record, digits), &record)?.served_by(&kernel))
}

fn text(record: &Modules, digits: usize) -> String {
    let mut text = format!("{:<digits$} {:<digits$}   module name\n", "start", "end");
    for module in &record.modules {
        text.push_str(&line(module, digits));
    }
    if let Some(hole) = record.complete.hole() {
        text.push_str(&format!("{hole}\n"));
    }
    text
}

fn line(module: &ModuleRecord, digits: usize) -> String {
    format!(
        "{} {}   {:<20} {}\n",
        rows::address(&module.base, digits),
        rows::address(&module.end, digits),
        or_question(&module.name, |name| escape::text(name)),
        or_question(&module.path, |path| escape::text(path)),
    )
}
