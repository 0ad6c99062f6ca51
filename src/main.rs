//! `alpc-dump`: who waits for whom over ALPC, from a Windows kernel crash dump.

mod address;
mod cli;
mod commands;
mod failure;
mod identify;
mod kd;
mod output;
mod places;
mod rules;
mod selector;
mod session;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, DiffArgs};
use crate::failure::{Failure, Status};
use crate::kd::Step;
use crate::output::Output;
use crate::session::Session;

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(kd::bind_lines(kd::rewrite(std::env::args_os()))) {
        Ok(cli) => cli,
        Err(error) => {
            // Clap's own status for usage errors is 2 already, and 0 for help and version.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(&cli) {
        Ok(status) => status.into(),
        // A reader that has seen enough, as in `| head`, is not an error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "alpc-dump: cannot write the output: {error}");
            Status::Fatal.into()
        }
    }
}

/// Runs the steps on each dump; an error on one does not stop the others.
fn run(cli: &Cli) -> io::Result<Status> {
    let mut output = Output::new(cli);
    if cli.dumps.is_empty() || (cli.command.is_none() && cli.commands.is_empty()) {
        output.diagnostic(&nothing_to_do(cli))?;
        return Ok(Status::Fatal);
    }
    if let Some(Command::Diff(args)) = &cli.command {
        return run_diff(cli, args, &mut output);
    }
    let steps = kd::steps(cli);
    let mut worst = Status::Complete;
    for dump in &cli.dumps {
        output.begin(cli, dump)?;
        worst = worst.combine(run_steps(cli, dump, &steps, &mut output)?);
    }
    output.finish(cli)?;
    Ok(worst)
}

/// Compares two dumps, which are one answer together.
fn run_diff(cli: &Cli, args: &DiffArgs, output: &mut Output) -> io::Result<Status> {
    let status = match commands::diff::run(cli, args) {
        Ok(answer) => output.answer(cli, &cli.dumps[0], &answer)?,
        Err(error) => output.failure(cli, &cli.dumps[0], &Failure::from_error(error))?,
    };
    output.finish(cli)?;
    Ok(status)
}

/// What is missing on the command line. A command that there is not was taken for one more dump.
fn nothing_to_do(cli: &Cli) -> String {
    let usage = "alpc-dump <DUMP>... <COMMAND>; see --help";
    match cli.dumps.as_slice() {
        [_, .., last] if !last.exists() => {
            let last = last.display();
            format!("\"{last}\" is neither a command nor a file: {usage}")
        }
        [] => format!("no dump given: {usage}"),
        _ => format!("no command given: {usage}"),
    }
}

fn run_steps(cli: &Cli, dump: &Path, steps: &[Step], output: &mut Output) -> io::Result<Status> {
    if let Some(answer) = commands::pack::of_table(cli, dump) {
        return match answer {
            Ok(answer) => output.answer(cli, dump, &answer),
            Err(error) => output.failure(cli, dump, &Failure::from_error(error)),
        };
    }
    let session = match Session::open(cli, dump) {
        Ok(session) => session,
        Err(error) => return output.failure(cli, dump, &Failure::from_error(error)),
    };
    let mut worst = Status::Complete;
    for step in steps {
        let status = match step {
            Step::Print(text) => output.print(cli, text)?,
            Step::Refuse(failure) => output.failure(cli, dump, failure)?,
            Step::Run(cli) => match commands::run(cli, &session) {
                Ok(answer) => output.answer(cli, dump, &answer)?,
                Err(error) => output.failure(cli, dump, &Failure::from_error(error))?,
            },
        };
        worst = worst.combine(status);
    }
    Ok(worst)
}
