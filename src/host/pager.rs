//! A pager between results and the terminal that they are read on.

use std::io::{self, IsTerminal, Write};
use std::process::{Child, Command, Stdio};

use crate::host::interrupt;

/// What shows results where nobody has chosen: a screen or less stays as it is (`F`), colours are passed (`R`), and the
/// text stays on the terminal behind it (`X`).
const USUAL: &str = "less -FRX";

/// Whether stdout is somebody's to page on. A terminal that cannot move its cursor is not.
pub fn is_of_use() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let able =
        set("ALPC_DUMP_PAGER") || cfg!(windows) || std::env::var("TERM").is_ok_and(|term| term != "dumb");
    able && io::stdout().is_terminal()
}

/// The words of the pager's command line; none where none is wanted.
fn words() -> Option<Vec<String>> {
    let asked = ["ALPC_DUMP_PAGER", "PAGER"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    let line = match asked {
        Some(line) => line,
        // `more` of Windows stops at each screen and knows no way back.
        None if cfg!(windows) => return None,
        None => USUAL.to_owned(),
    };
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    // Empty, or `cat`, which many have set to get none.
    (!words.is_empty() && words != ["cat"]).then_some(words)
}

/// What is written to the pager, which is started by the first of it; to `plain` where there is no pager.
pub struct Paged {
    plain: Box<dyn Write + Send>,
    state: State,
}

enum State {
    NotBegun,
    Running,
    Plain,
}

impl Paged {
    /// Nothing is started yet: what gives nothing needs no pager.
    pub fn new(plain: Box<dyn Write + Send>) -> Self {
        let state = State::NotBegun;
        Self { plain, state }
    }

    fn begin(&mut self) {
        if matches!(self.state, State::NotBegun) {
            let started = words().and_then(|words| start(&words).ok());
            self.state = match started {
                Some(child) => {
                    interrupt::show_in(child);
                    State::Running
                }
                // One that is not there, or cannot be run: the results are what was asked for.
                None => State::Plain,
            };
        }
    }
}

/// Without a shell: the command line is the user's own, and what follows a word is never more than an argument.
fn start(words: &[String]) -> io::Result<Child> {
    let (program, args) = words.split_first().ok_or(io::ErrorKind::NotFound)?;
    let mut command = Command::new(program);
    if std::env::var_os("LESS").is_none() {
        // For `PAGER=less`, which would show escapes of colours as signs.
        command.env("LESS", "FRX");
    }
    command.args(args).stdin(Stdio::piped()).spawn()
}

impl Write for Paged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begin();
        match self.state {
            State::Running => interrupt::in_pager(|to| to.write(bytes)),
            _ => self.plain.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.state {
            State::NotBegun => Ok(()),
            State::Running => interrupt::in_pager(Write::flush),
            State::Plain => self.plain.flush(),
        }
    }
}
