//! `pack` of many dumps and symbol files: one file for all their kernels, each once.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::asked;
use crate::cli::Cli;
use crate::commands::pack;
use crate::failure::{Failure, Status};
use crate::fleet::{each, is_one_file, refuse_to_replace_evidence};
use crate::options::Format;
use crate::output::Output;
use crate::text::escape;

/// Whether one file is asked for, of more than one.
pub fn is_asked(cli: &Cli) -> bool {
    !is_one_file(cli) && cli.format == Format::Text
}

/// Writes it. What cannot be packed is said, and does not keep the others from the file.
///
/// # Errors
/// What keeps the results from being written.
pub fn run(cli: &Cli, output: &mut Output) -> io::Result<Status> {
    let prepared = refuse_to_replace_evidence().and_then(|()| pack::output_of(cli));
    let file = match prepared {
        Ok(file) => file,
        Err(error) => {
            output.diagnostic(&Failure::from_error(error).message);
            return Ok(Status::Fatal);
        }
    };
    let pack = |cli: &Cli, path: &Path| pack::one_of_many(cli, &asked::typed(cli), path);
    let (found, worst) = each(cli, output, pack)?;
    let files = found.len();
    // By identity: the same kernel once, and always in the same order.
    let packs: BTreeMap<String, String> = found.into_iter().collect();
    if packs.is_empty() {
        return Ok(Status::Fatal);
    }
    let packs: Vec<String> = packs.into_values().collect();
    if let Err(error) = pack::save_many(file, &packs) {
        output.diagnostic(&Failure::from_error(error).message);
        return Ok(Status::Fatal);
    }
    let kernels = if packs.len() == 1 { "kernel" } else { "kernels" };
    let plural = if files == 1 { "" } else { "s" };
    output.note(&format!(
        "{}: {} {kernels} of {files} file{plural}",
        escape::text(&file.to_string_lossy()),
        packs.len()
    ));
    output.finish(cli)?;
    Ok(worst)
}
