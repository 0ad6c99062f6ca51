//! `pack` of many dumps and symbol files: one file for all their kernels, each once.

use std::collections::BTreeMap;
use std::io;

use crate::asked;
use crate::cli::Cli;
use crate::commands::pack;
use crate::failure::{Failure, Status};
use crate::fleet::{alone, inputs, inputs::Input, refuse_to_replace_evidence};
use crate::options::Format;
use crate::output::Output;
use crate::output::document::DumpRef;
use crate::redact::Redactor;
use crate::text::escape;

/// Whether one file is asked for, of more than one.
pub fn is_asked(cli: &Cli) -> bool {
    let is_one_file = matches!(&cli.dumps[..], [only] if !only.is_dir());
    !is_one_file && cli.format == Format::Text
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
    let mut packs: BTreeMap<String, String> = BTreeMap::new();
    let (mut files, mut worst) = (0_usize, Status::Complete);
    for input in inputs::inputs(&cli.dumps, true) {
        let (path, found) = match input {
            Input::Ignored(..) => continue,
            Input::Dump(path) => {
                let cli = alone(cli, &path);
                let found = pack::one_of_many(&cli, &asked::typed(&cli), &path);
                (path, found)
            }
            Input::Failed(path, problem) => (path, Err(anyhow::Error::msg(problem.text))),
        };
        match found {
            Ok((identity, pack)) => {
                files = files.saturating_add(1);
                packs.insert(identity, pack);
            }
            Err(error) => {
                let dump = DumpRef::of(&path, false, Redactor::of(&asked::typed(&alone(cli, &path))));
                worst =
                    worst.combine(output.failure(cli, &dump, &Failure::from_error(error).about(&path))?);
            }
        }
    }
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
