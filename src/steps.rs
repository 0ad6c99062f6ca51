//! What command lines ask for, run one after the other over one opened dump.

use std::io;
use std::path::Path;

use crate::cli::{Cli, Command};
use crate::commands::threads::ThreadsArgs;
use crate::failure::{Failure, Status};
use crate::host::interrupt;
use crate::kd::{Each, Step};
use crate::options::Format;
use crate::output::Output;
use crate::output::document::DumpRef;
use crate::redact::Typed;
use crate::session::Session;
use crate::{commands, run, selector};

/// Runs the steps on one dump, which is opened for all of them.
///
/// # Errors
/// Results that cannot be written.
pub fn run_all(
    cli: &Cli,
    typed: &Typed,
    dump: &Path,
    mut about: DumpRef,
    steps: &[Step],
    output: &mut Output,
) -> io::Result<Status> {
    if let Some(Command::Pack(_)) = &cli.command
        && let Some(answer) = commands::pack::of_table(cli, &about.redactor, dump)
    {
        return match answer {
            Ok(answer) => output.answer(cli, &about, answer),
            Err(error) => output.failure(cli, &about, &Failure::from_error(error)),
        };
    }
    let session = match Session::open(cli, typed, dump) {
        Ok(session) => session,
        Err(error) => return output.failure(cli, &about, &Failure::from_error(error)),
    };
    about.redactor = session.redactor().clone();
    session.is_hashed(about.sha256.as_ref());
    run_over(cli, &about, &session, steps, output)
}

/// The same over a dump that is open already.
///
/// # Errors
/// Results that cannot be written.
pub fn run_over(
    cli: &Cli,
    about: &DumpRef,
    session: &Session,
    steps: &[Step],
    output: &mut Output,
) -> io::Result<Status> {
    let mut worst = Status::Complete;
    for step in steps {
        // What comes behind a line that was stopped was not to be waited for either.
        if interrupt::ends_walk() {
            break;
        }
        let status = match step {
            Step::Print(text) => output.print(cli, text)?,
            Step::Pass(why) => {
                output.note(why);
                Status::Complete
            }
            Step::Refuse(failure) => output.failure(cli, about, failure)?,
            Step::Each(each) => run_each(cli, each, about, session, output)?,
            Step::Run(cli) => run_step(cli, about, session, output)?,
            Step::Leave => break,
        };
        worst = worst.combine(status);
    }
    Ok(worst)
}

/// Runs what is asked for each process of an image.
fn run_each(
    cli: &Cli,
    each: &Each,
    about: &DumpRef,
    session: &Session,
    output: &mut Output,
) -> io::Result<Status> {
    let found = session
        .kernel()
        .and_then(|kernel| selector::processes_of(&kernel, &each.image));
    let (processes, gaps) = match found {
        Ok(found) => found,
        Err(error) => return output.failure(cli, about, &Failure::from_error(error)),
    };
    let mut worst = Status::Complete;
    for process in processes {
        if interrupt::ends_walk() {
            break;
        }
        worst = worst.combine(run_step(&each.run(process.into()), about, session, output)?);
    }
    if let Some(gap) = gaps.first() {
        let failure = Failure::new(
            Status::Partial,
            gap.id(),
            format!("there may be more of these processes: {gap}"),
        );
        worst = worst.combine(output.failure(cli, about, &failure)?);
    }
    Ok(worst)
}

/// What is asked of one thread and names an image is asked of all its threads: `thread explorer.exe`.
fn threads_of_image(command: &Command) -> Option<Command> {
    let (token, stacks) = match command {
        Command::Thread(args) => (&args.thread, false),
        Command::Stack(args) => (&args.thread, true),
        _ => return None,
    };
    Some(Command::Threads(ThreadsArgs {
        of: Some(selector::image(token)?),
        stacks,
        ..ThreadsArgs::default()
    }))
}

fn run_step(cli: &Cli, about: &DumpRef, session: &Session, output: &mut Output) -> io::Result<Status> {
    let of_image = cli.command.as_ref().and_then(threads_of_image);
    let threads = of_image.map(|threads| cli.with(threads));
    let cli = threads.as_ref().unwrap_or(cli);
    let Some(command) = &cli.command else {
        let none = Failure::new(Status::Fatal, "no-command", "no command given");
        return output.failure(cli, about, &none);
    };
    let verb = command.verb();
    let streams = matches!(cli.format, Format::Text | Format::Ndjson | Format::Csv);
    if streams
        && !cli.explain
        && let Some(table) = verb.table()
    {
        return output.stream(cli, about, &table, |records| {
            run::stream(cli, session, verb, records)
        });
    }
    match run::run(cli, session, command) {
        Ok(answer) => output.answer(cli, about, answer),
        Err(error) => output.failure(cli, about, &Failure::from_error(error)),
    }
}
