//! `symbols --script` of many dumps: one script that fetches what all of them ask for, each file once.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use ntlayout::Identity;

use crate::asked;
use crate::cli::Cli;
use crate::commands::symbols::{self, Script, SymbolsArgs};
use crate::failure::{Failure, Status};
use crate::fleet::{each, is_one_file, refuse_to_replace_evidence};
use crate::options::Format;
use crate::output::Output;
use crate::session::Session;

/// Whether one script is asked for, of more than one file.
pub fn is_asked(cli: &Cli, args: &SymbolsArgs) -> Option<Script> {
    args.script
        .filter(|_| !is_one_file(cli) && cli.format == Format::Text)
}

/// Writes it. A dump that asks for nothing is said, and does not keep the others from their symbols.
///
/// # Errors
/// What keeps the script from being written.
pub fn run(cli: &Cli, script: Script, output: &mut Output) -> io::Result<Status> {
    if let Err(error) = refuse_to_replace_evidence() {
        output.diagnostic(&Failure::from_error(error).message);
        return Ok(Status::Fatal);
    }
    let (found, worst) = each(cli, output, wanted_by)?;
    let dumps = found.len();
    let wanted: BTreeMap<String, Identity> = found
        .into_iter()
        .map(|identity| (identity.to_string(), identity))
        .collect();
    let all: Vec<&Identity> = wanted.values().collect();
    let text = script.text(&all).filter(|_| !all.is_empty());
    let Some(text) = text else {
        return Ok(Status::Fatal);
    };
    output.print(cli, &text)?;
    output.finish(cli)?;
    let (plural, files) = (if dumps == 1 { "" } else { "s" }, all.len());
    let kernels = if files == 1 {
        "one kernel"
    } else {
        &format!("{files} kernels")
    };
    output.note(&format!("{dumps} dump{plural} of {kernels}"));
    Ok(worst)
}

/// What a dump asks for.
fn wanted_by(cli: &Cli, dump: &Path) -> anyhow::Result<Identity> {
    let session = Session::open(cli, &asked::typed(cli), dump)?;
    let asked = session.asked().map(|asked| asked.identity.clone());
    asked
        .filter(symbols::is_fetchable)
        .ok_or_else(symbols::no_identity)
}
