//! The program: a command line, from its words to its exit status.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};

use crate::cli::{Cli, Command};
use crate::commands::diff::DiffArgs;
use crate::commands::summary::SummaryArgs;
use crate::failure::{Failure, Status};
use crate::host::pager;
use crate::host::target::Target;
use crate::kd::Step;
#[cfg(feature = "mcp")]
use crate::mcp;
use crate::options::Format;
use crate::output::Output;
use crate::output::answer::Answer;
use crate::output::document::DumpRef;
use crate::redact::{Redactor, Typed};
use crate::text::escape;
use crate::{about, asked, cli, commands, explain, fleet, kd, order, redact, run, shell, steps};

/// Runs the command line of this process, as the binary does: results on stdout, everything else on stderr.
pub fn main() -> ExitCode {
    // Lines that are given are no spellings themselves, and spellings become lines.
    let args = kd::bind_lines(std::env::args_os().collect());
    let args = order::dumps_first(order::values_bound(kd::bind_lines(kd::rewrite(args))));
    let cli = match cli::parse(args) {
        Ok(cli) => fleet::inputs::in_folders(cli.without_shell()),
        Err(error) => return not_run(&error).into(),
    };
    run(&cli).into()
}

/// Tells what clap has to tell instead of running: a usage error on stderr, help and version on stdout.
fn not_run(error: &clap::Error) -> Status {
    if error.use_stderr() {
        let _ = if redacts() {
            writeln!(io::stderr(), "alpc-dump: {}", without_words(error))
        } else {
            say(error)
        };
        return Status::Fatal;
    }
    let written = error.print().and_then(|()| io::stdout().flush());
    written.map_or_else(
        |error| unwritten(&error, Status::Complete, "stdout"),
        |()| Status::Complete,
    )
}

/// What follows from results that could not be written. A reader that has seen enough, as in `| head`, is not an error;
/// what failed before has failed all the same.
fn unwritten(error: &io::Error, failed: Status, to: &str) -> Status {
    // Rust programs have SIGPIPE ignored from their start, so `| head` makes a write fail, where other programs
    // end silently.
    if error.kind() == io::ErrorKind::BrokenPipe {
        return failed;
    }
    let _ = writeln!(io::stderr(), "alpc-dump: {to}: cannot be written: {error}");
    Status::Fatal
}

/// Prints a usage error, or help. What acts on a terminal in the words that it repeats does not.
fn say(error: &clap::Error) -> io::Result<()> {
    let text = error.render().to_string();
    let escaped = escape::lines(&text);
    if escaped == text {
        error.print()
    } else {
        write!(io::stderr(), "{escaped}")
    }
}

/// Whether the command line asks for placeholders, although it cannot be understood.
fn redacts() -> bool {
    std::env::args_os().any(|arg| arg.to_string_lossy().starts_with("--redact"))
}

/// A usage error without the words that made it one.
fn without_words(error: &clap::Error) -> String {
    // What the mistake is in may be told where the words are this program's own: what --redact takes.
    let argument = error.get(ContextKind::InvalidArg);
    let is_redact = matches!(argument, Some(ContextValue::String(name)) if name.starts_with("--redact "));
    if let (true, Some(ContextValue::Strings(classes))) = (is_redact, error.get(ContextKind::ValidValue)) {
        return format!("--redact takes {}; several with commas", classes.join(", "));
    }
    let kind = error.kind();
    format!("{kind}; without --redact the message says what; see --help")
}

fn run(cli: &Cli) -> Status {
    if cli.interactive {
        return shell::run(cli).unwrap_or_else(|error| unwritten(&error, Status::Complete, "stdout"));
    }
    #[cfg(feature = "mcp")]
    if let Some(Command::Mcp(args)) = &cli.command {
        return mcp::serve(cli, args);
    }
    let typed = asked::typed(cli);
    let to = cli.output.as_deref().unwrap_or(Path::new("stdout"));
    let to = escape::text(&Redactor::of(&typed).message(&to.to_string_lossy()));
    let mut output = match output(cli, &typed) {
        Ok(output) => output,
        Err(error) => return unwritten(&error, Status::Fatal, &to),
    };
    let ended = run_into(cli, &typed, &mut output);
    output.end_pager();
    ended.unwrap_or_else(|error| unwritten(&error, output.failed(), &to))
}

/// Where the results go.
fn output(cli: &Cli, typed: &Typed) -> io::Result<Output> {
    let verb = cli.verb();
    let writes_own_file = verb.is_some_and(|verb| verb.writes_own_file());
    let file = cli.output.as_deref().filter(|_| !writes_own_file);
    let verdict = verb.is_some_and(|verb| verb.tells_verdict());
    let paged = cli.output.is_none()
        && !cli.no_pager
        && cli.format == Format::Text
        && verb.is_none_or(|verb| verb.is_paged())
        && pager::is_of_use();
    let target = if paged {
        Target::paged(verdict)?
    } else {
        Target::new(file, verdict)?
    };
    asked::guard_files(cli);
    let output = Output::new(cli, target, Redactor::of(typed))?;
    Ok(if paged { output.behind_pager() } else { output })
}

/// Runs the steps on each dump; an error on one does not stop the others.
fn run_into(cli: &Cli, typed: &Typed, output: &mut Output) -> io::Result<Status> {
    if let (Some(command), []) = (&cli.command, cli.dumps.as_slice())
        && let Some(written) = about::run(command)
    {
        return match written {
            Ok(text) => output.raw(&text),
            Err(error) => {
                output.diagnostic(&format!("{error:#}"));
                Ok(Status::Fatal)
            }
        };
    }
    let asks_nothing = cli.command.is_none() && cli.commands.is_empty();
    if cli.dumps.is_empty() || (asks_nothing && !cli.dumps.iter().all(|dump| dump.is_file())) {
        output.diagnostic(&nothing_to_do(cli));
        return Ok(Status::Fatal);
    }
    if asks_nothing {
        let summary = Command::Summary(SummaryArgs {});
        return run_into(&cli.with(summary), typed, output);
    }
    if let Some(Command::Diff(args)) = &cli.command {
        return run_diff(cli, typed, args, output);
    }
    if let Some(Command::Triage(args)) = &cli.command {
        return fleet::run(cli, typed, args, output);
    }
    if let Some(Command::Symbols(args)) = &cli.command
        && let Some(script) = fleet::scripts::is_asked(cli, args)
    {
        return fleet::scripts::run(cli, script, output);
    }
    if matches!(cli.command, Some(Command::Pack(_))) && fleet::packs::is_asked(cli) {
        return fleet::packs::run(cli, output);
    }
    let steps = kd::steps(cli);
    if steps.iter().any(Step::tells_verdict) {
        output.tells_verdict();
    }
    let mut worst = Status::Complete;
    for dump in &cli.dumps {
        let about = output.begin(cli, dump)?;
        worst = worst.combine(steps::run_all(cli, typed, dump, about, &steps, output)?);
    }
    output.finish(cli)?;
    Ok(worst)
}

/// Compares two dumps, which give one answer together.
fn run_diff(cli: &Cli, typed: &Typed, args: &DiffArgs, output: &mut Output) -> io::Result<Status> {
    let about = output.look_at(cli, &cli.dumps[0])?;
    let compared = match cli.dumps.as_slice() {
        [_, second] => {
            let second = output.look_at(cli, second)?;
            diff(cli, typed, args, &second)
        }
        _ => Err(commands::diff::needs_two()),
    };
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

fn diff(
    cli: &Cli,
    typed: &Typed,
    args: &DiffArgs,
    about_second: &DumpRef,
) -> anyhow::Result<(Answer, Vec<commands::diff::Row>)> {
    redact::refuse_comparing(cli)?;
    if cli.explain {
        explain::refuse_others(cli, args)?;
    }
    run::refuse_format(cli, args)?;
    let (first, second) = (&cli.dumps[0], &cli.dumps[1]);
    commands::diff::compare(cli, typed, args, [first, second], about_second)
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
        [only] if only.is_dir() => {
            let folder = only.display();
            format!("{folder} is a folder: `alpc-dump {folder} triage` looks at the dumps in it")
        }
        [only] if !only.exists() => {
            let word = only.to_string_lossy();
            let near = cli::nearest_command(&word).map(|near| format!("; did you mean {near}?"));
            format!(
                "\"{word}\" is neither a command nor a file{}: {usage}",
                near.unwrap_or_default()
            )
        }
        _ => format!("no command given: {usage}"),
    }
}
