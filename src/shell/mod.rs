//! The prompt over one opened dump.
//!
//! A line is what `-c` takes, run by the same steps and written by an output of its own, so that it gives what a run with
//! that `-c` gives; only the dump stays open, with all that was found in it. On a terminal lines are edited
//! ([`editor`]); from anywhere else they are read as they are ([`lines`]).

mod completion;
mod editor;
mod heard;
mod history;
mod lines;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cli::Cli;
use crate::failure::{Failure, Status};
use crate::host::target::Target;
use crate::host::{interrupt, pager};
use crate::kd::Step;
use crate::options::{Class, Format};
use crate::output::Output;
use crate::output::document::DumpRef;
use crate::redact::Redactor;
use crate::session::Session;
use crate::shell::heard::Heard;
use crate::{asked, kd, steps};

/// A dump that is asked about line by line.
pub struct Shell<'c> {
    cli: &'c Cli,
    about: DumpRef,
    session: Session,
    heard: Arc<Mutex<Heard>>,
    /// Whether answers are shown in a pager.
    pages: bool,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// As an exit status it would be this.
    pub status: Status,
    /// Whether it was the last one.
    pub leaves: bool,
}

/// Asks until there are no more lines. On a terminal that ends well, whatever the lines gave: who typed them has seen
/// it. Lines from elsewhere end as they would behind `-c`.
///
/// # Errors
/// Results that cannot be written.
pub fn run(cli: &Cli) -> io::Result<Status> {
    let typed = asked::typed(cli);
    let mut output = Output::new(cli, Target::new(None, false)?, Redactor::of(&typed))?;
    let [dump] = cli.dumps.as_slice() else {
        output.diagnostic("the prompt is over one dump: alpc-dump <DUMP> -i");
        return Ok(Status::Fatal);
    };
    if cli.output.is_some() {
        output.diagnostic("the prompt writes where it is asked: -o FILE is for -c and commands");
        return Ok(Status::Fatal);
    }
    asked::guard_files(cli);
    let about = output.look_at(cli, dump)?;
    let session = match Session::open(cli, &typed, dump) {
        Ok(session) => session,
        Err(error) => {
            let status = output.failure(cli, &about, &Failure::from_error(error))?;
            output.finish(cli)?;
            return Ok(status);
        }
    };
    let heard = Arc::new(Mutex::new(Heard::of(session.dump())));
    let edits = io::stdin().is_terminal() && io::stdout().is_terminal();
    let pages = edits && !cli.no_pager && cli.format == Format::Text && pager::is_of_use();
    let shell = Shell {
        cli,
        about,
        session,
        heard,
        pages,
    };
    if edits {
        // While a search for symbols goes on, Ctrl-C ends the program as it does while the dump is opened: afterwards there
        // is nothing left that cannot be stopped. A search that finds none is told by what is asked.
        let _ = shell.session.choose();
        interrupt::spare_program();
    }
    let first = shell.run(cli)?;
    let status = match (first.leaves, edits) {
        (true, _) => Status::Complete,
        (false, true) => editor::read(&shell)?,
        (false, false) => lines::read(&shell)?,
    };
    Ok(if edits {
        status
    } else {
        first.status.combine(status)
    })
}

impl Shell<'_> {
    /// Runs a line.
    ///
    /// # Errors
    /// Results that cannot be written.
    pub fn ask(&self, line: &str) -> io::Result<Asked> {
        let mut cli = self.cli.clone();
        cli.command = None;
        cli.options.command = None;
        match self.heard().filled(line) {
            Ok(line) => cli.commands = vec![line],
            Err(failure) => return self.refuse(&failure),
        }
        self.run(&cli)
    }

    /// Says why a line is none.
    ///
    /// # Errors
    /// Results that cannot be written.
    pub fn refuse(&self, failure: &Failure) -> io::Result<Asked> {
        let mut output = self.output(self.cli)?;
        let refused = output.failure(self.cli, &self.about, failure);
        let refused = refused.and_then(|status| output.finish(self.cli).map(|()| status));
        output.end_pager();
        Ok(Asked {
            status: refused?,
            leaves: false,
        })
    }

    fn output(&self, cli: &Cli) -> io::Result<Output> {
        let target = Target::heard(Box::new(Ear(Arc::clone(&self.heard))), self.pages)?;
        let output = Output::new(cli, target, Redactor::of(&asked::typed(cli)))?;
        Ok(match self.pages {
            true => output.behind_pager(),
            false => output,
        })
    }

    fn run(&self, cli: &Cli) -> io::Result<Asked> {
        interrupt::begin_walk();
        self.session.is_asked(&asked::typed(cli));
        let about = DumpRef {
            redactor: self.session.redactor().clone(),
            ..self.about.clone()
        };
        let steps = kd::steps(cli);
        let mut output = self.output(cli)?;
        if steps.iter().any(Step::tells_verdict) {
            output.tells_verdict();
        }
        self.heard().begin();
        let ended = steps::run_over(cli, &about, &self.session, &steps, &mut output);
        let ended = ended.and_then(|status| output.finish(cli).map(|()| status));
        // What is pressed from now on is for the pager, though it may be heard of later.
        let interrupted = interrupt::presses() > 0;
        output.end_pager();
        let status = ended?;
        self.heard().end();
        if interrupted {
            output.diagnostic("interrupted: what is above was read until then");
        }
        Ok(Asked {
            status,
            leaves: matches!(steps.last(), Some(Step::Leave)),
        })
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the prompt says: which dump it is over.
    fn name(&self) -> String {
        /// Letters of a long name that are shown.
        const SHOWN: usize = 40;
        let whole = &self.about.name;
        let name = match self.cli.redacts(Class::Paths) {
            true => whole.as_str(),
            false => Path::new(whole)
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or(whole),
        };
        let name = crate::text::escape::text(name);
        match name.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}...", name.get(..end).unwrap_or_default()),
            None => name,
        }
    }
}

/// Hears what is written.
struct Ear(Arc<Mutex<Heard>>);

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.hear(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
