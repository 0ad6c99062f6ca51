//! `alpc-dump`: who waits for whom over ALPC, from a Windows kernel crash dump.

mod address;
mod cli;
mod commands;
mod failure;
mod kd;
mod output;
mod session;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Format};
use crate::failure::{Failure, Status};
use crate::output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(kd::rewrite(std::env::args_os())) {
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

/// Runs the command on each dump; an error on one does not stop the others.
fn run(cli: &Cli) -> io::Result<Status> {
    let mut output = Output::new(cli);
    let mut worst = Status::Complete;
    if cli.dumps.is_empty() {
        output.diagnostic("no dump given: alpc-dump <DUMP>... <COMMAND>; see --help")?;
        return Ok(Status::Fatal);
    }
    for dump in &cli.dumps {
        let status = match commands::run(cli, dump) {
            Ok(answer) => output.answer(cli, dump, &answer)?,
            Err(error) => output.failure(cli, dump, &Failure::from_error(error))?,
        };
        worst = worst.combine(status);
    }
    if cli.format == Format::Json {
        output.finish()?;
    }
    Ok(worst)
}
