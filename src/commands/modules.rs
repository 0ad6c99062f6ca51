//! `modules`: the debugger's `lm`.

use alpc::Kernel;
use alpc::module::{self, ModuleRecord, Modules};

use super::{Answer, Table, open_kernel, symbol_source};
use crate::cli::Cli;
use crate::failure::Failure;
use crate::output::escape;
use crate::output::records::Records;
use crate::output::rows::{self, or_question};
use crate::output::schema::of;
use crate::session::Session;

/// The rows.
pub const TABLE: Table = Table {
    record: "module",
    row: of::<ModuleRecord>,
    rest: (of::<Modules>, Some("modules")),
};

pub fn run(session: &Session) -> anyhow::Result<Answer> {
    if let Some(record) = of_triage(session) {
        return Answer::new(text(&record, 16), &record);
    }
    let kernel = session.kernel()?;
    let record = of_kernel(&kernel)?;
    let digits = if kernel.pointer_size() == 4 { 8 } else { 16 };
    Ok(Answer::new(text(&record, digits), &record)?.served_by(&kernel))
}

/// The modules one by one.
pub fn records(cli: &Cli, session: &Session, records: &mut Records<'_>) -> anyhow::Result<Answer> {
    let (mut modules, symbols) = match of_triage(session) {
        Some(modules) => {
            records.head(cli, None)?;
            (modules, None)
        }
        None => {
            let kernel = open_kernel(cli, session, records)?;
            (of_kernel(&kernel)?, Some(symbol_source(&kernel)))
        }
    };
    for module in modules.modules.drain(..) {
        records.record(TABLE.record, &module)?;
    }
    let answer = Answer::beside(&modules)?.without("modules");
    Ok(Answer { symbols, ..answer })
}

/// The modules of a triage dump, as far as they may be told.
pub fn of_triage(session: &Session) -> Option<Modules> {
    let modules = module::of_triage(session.dump())?;
    Some(match session.redaction() {
        Some(redaction) => modules.redacted(redaction),
        None => modules,
    })
}

fn of_kernel(kernel: &Kernel<'_>) -> anyhow::Result<Modules> {
    module::modules(kernel)
        .map_err(|hole| Failure::partial(hole.id(), format!("the modules cannot be listed: {hole}")))
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
