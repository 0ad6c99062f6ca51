//! Lines that are typed at a terminal.

use std::io::{self, Write};

use rustyline::error::ReadlineError;
use rustyline::history::{History as _, MemHistory};
use rustyline::{CompletionType, Config, Editor};

use crate::failure::Status;
use crate::shell::Shell;
use crate::shell::completion::Completion;
use crate::shell::history::{self, History};

/// Runs the lines that are typed, until somebody leaves.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn read(shell: &Shell<'_>) -> io::Result<Status> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(history::KEPT)
        .map_err(failure)?
        .build();
    let mut editor: Editor<Completion<'_, '_>, MemHistory> =
        Editor::with_history(config.clone(), MemHistory::with_config(&config)).map_err(failure)?;
    editor.set_helper(Some(Completion::of(shell)));
    let mut history = Some(History::of(shell.cli, !shell.cli.no_history));
    for line in history.iter().flat_map(History::lines) {
        editor.history_mut().add_owned(line).map_err(failure)?;
    }
    if !shell.cli.quiet {
        say("help says what a line may be, TAB completes, q leaves");
    }
    let prompt = format!("{}> ", shell.name());
    let mut interrupts = 0_u32;
    loop {
        let line = match editor.readline(&prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                interrupts = interrupts.saturating_add(1);
                if interrupts > 1 {
                    say("q or Ctrl-D leaves");
                }
                continue;
            }
            // Keys of a terminal that is not UTF-8: what was typed is gone, and the next line is read.
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                say("a line is UTF-8 text, and this is none");
                continue;
            }
            Err(ReadlineError::Eof) => return Ok(Status::Complete),
            Err(error) => return Err(failure(error)),
        };
        interrupts = 0;
        if line.trim().is_empty() {
            continue;
        }
        if history::is_kept(&line) {
            editor.history_mut().add(&line).map_err(failure)?;
        }
        if let Some(file) = &history
            && let Err(error) = file.add(&line)
        {
            let path = file.path().unwrap_or_default();
            say(&format!("{path}: no history is kept: {error}"));
            history = None;
        }
        if shell.ask(&line)?.leaves {
            return Ok(Status::Complete);
        }
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "alpc-dump: {text}");
}

fn failure(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
