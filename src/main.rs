//! `alpc-dump`: who waits for whom over ALPC, from a Windows kernel crash dump.

mod address;
mod cli;
mod commands;
mod explain;
mod failure;
mod fleet;
mod identify;
mod kd;
mod output;
mod places;
mod redact;
mod rules;
mod selector;
mod session;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::cli::{Cli, Command, DiffArgs, Format};
use crate::failure::{Failure, Status};
use crate::kd::Step;
use crate::output::Output;
use crate::output::document::DumpRef;
use crate::redact::Veil;
use crate::session::Session;

fn main() -> ExitCode {
    let args = kd::bind_lines(kd::rewrite(std::env::args_os()));
    let cli = match cli::parse(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Clap's own status for usage errors is 2 already, and 0 for help and version.
            let _ = if error.exit_code() != 0 && redacts() {
                writeln!(io::stderr(), "alpc-dump: {}", without_words(error.kind()))
            } else {
                error.print()
            };
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

/// Whether the command line asks for placeholders, although it cannot be understood.
fn redacts() -> bool {
    std::env::args_os().any(|arg| arg.to_string_lossy().starts_with("--redact"))
}

/// A usage error without the words that made it one.
fn without_words(kind: ErrorKind) -> String {
    format!("{kind}; without --redact it is told what; see --help")
}

/// Runs the steps on each dump; an error on one does not stop the others.
fn run(cli: &Cli) -> io::Result<Status> {
    let mut output = match Output::new(cli) {
        Ok(output) => output,
        Err(error) => {
            let file = cli.output.as_deref().unwrap_or(Path::new("stdout")).display();
            let message = Veil::of(cli).message(&format!("{file}: cannot be written: {error}"));
            let _ = writeln!(io::stderr(), "alpc-dump: {message}");
            return Ok(Status::Fatal);
        }
    };
    if let (Some(command), []) = (&cli.command, cli.dumps.as_slice())
        && let Some(written) = commands::about::run(command)
    {
        return match written {
            Ok(text) => output.raw(&text),
            Err(error) => {
                output.diagnostic(&format!("{error:#}"))?;
                Ok(Status::Fatal)
            }
        };
    }
    if cli.dumps.is_empty() || (cli.command.is_none() && cli.commands.is_empty()) {
        output.diagnostic(&nothing_to_do(cli))?;
        return Ok(Status::Fatal);
    }
    if let Some(Command::Diff(args)) = &cli.command {
        return run_diff(cli, args, output);
    }
    if let Some(Command::Triage(args)) = &cli.command {
        return fleet::run(cli, args, output);
    }
    let steps = kd::steps(cli);
    let mut worst = Status::Complete;
    for dump in &cli.dumps {
        let about = output.begin(cli, dump)?;
        worst = worst.combine(run_steps(cli, dump, about, &steps, &mut output)?);
    }
    output.finish(cli)?;
    Ok(worst)
}

/// Compares two dumps, which give one answer together.
fn run_diff(cli: &Cli, args: &DiffArgs, mut output: Output) -> io::Result<Status> {
    let about = output.look_at(cli, &cli.dumps[0])?;
    let second = match cli.dumps.as_slice() {
        [_, second] => Some(output.look_at(cli, second)?),
        _ => None,
    };
    let compared = second
        .ok_or_else(commands::diff::needs_two)
        .and_then(|second| commands::diff::run(cli, args, &second));
    let status = match compared {
        Ok((answer, rows)) if cli.format == Format::Csv => {
            output.rows(cli, &about, &commands::diff::TABLE, &rows, &answer)?
        }
        Ok((answer, _)) => output.answer(cli, &about, answer)?,
        Err(error) => output.failure(cli, &about, &Failure::from_error(error))?,
    };
    output.finish(cli)?;
    Ok(status)
}

/// What is missing on the command line. A command that there is not was taken for one more dump.
fn nothing_to_do(cli: &Cli) -> String {
    let usage = "alpc-dump <DUMP>... <COMMAND>; see --help";
    match cli.dumps.as_slice() {
        [_, .., last] if !last.exists() => {
            let last = last.to_string_lossy();
            let near = cli::nearest_command(&last).map(|near| format!("; did you mean {near}?"));
            let near = near.unwrap_or_default();
            format!("\"{last}\" is neither a command nor a file{near}: {usage}")
        }
        [] => format!("no dump given: {usage}"),
        _ => format!("no command given: {usage}"),
    }
}

fn run_steps(
    cli: &Cli,
    dump: &Path,
    mut about: DumpRef,
    steps: &[Step],
    output: &mut Output,
) -> io::Result<Status> {
    if let Some(answer) = commands::pack::of_table(cli, dump) {
        return match answer {
            Ok(answer) => output.answer(cli, &about, answer),
            Err(error) => output.failure(cli, &about, &Failure::from_error(error)),
        };
    }
    let session = match Session::open(cli, dump) {
        Ok(session) => session,
        Err(error) => return output.failure(cli, &about, &Failure::from_error(error)),
    };
    about.veil = session.veil().clone();
    let mut worst = Status::Complete;
    for step in steps {
        let status = match step {
            Step::Print(text) => output.print(cli, text)?,
            Step::Refuse(failure) => output.failure(cli, &about, failure)?,
            Step::Run(cli) => run_step(cli, &about, &session, output)?,
        };
        worst = worst.combine(status);
    }
    Ok(worst)
}

fn run_step(cli: &Cli, about: &DumpRef, session: &Session, output: &mut Output) -> io::Result<Status> {
    if matches!(cli.format, Format::Ndjson | Format::Csv)
        && !cli.explain
        && let Some(table) = cli.command.as_ref().and_then(commands::table)
    {
        return output.stream(cli, about, session, table);
    }
    match commands::run(cli, session) {
        Ok(answer) => output.answer(cli, about, answer),
        Err(error) => output.failure(cli, about, &Failure::from_error(error)),
    }
}
