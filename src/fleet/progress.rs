//! How far it is, on stderr, for somebody who looks on.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::fleet::tally::Tally;

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// One line that is written over. How many dumps there are is not known before folders were walked, which is
/// done as it goes.
pub struct Progress {
    shown: Option<Instant>,
    begun: Instant,
    width: usize,
    active: bool,
}

impl Progress {
    /// Nothing is shown unless it is `wanted` and stderr is a terminal.
    pub fn new(wanted: bool) -> Self {
        Self {
            shown: None,
            begun: Instant::now(),
            width: 0,
            active: wanted && io::stderr().is_terminal(),
        }
    }

    /// Shows how far it is.
    pub fn show(&mut self, tally: &Tally) {
        if !self.active || self.shown.is_some_and(|shown| shown.elapsed() < EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        // A carriage return is known everywhere; ESC [ K is shown as signs by a Windows console that nobody
        // told to take it (ENABLE_VIRTUAL_TERMINAL_PROCESSING in Microsoft's "SetConsoleMode").
        let text = format!("{} in {} s", tally.text(), self.begun.elapsed().as_secs());
        // Written over with blanks: not every terminal can clear a line. One that is gone stops nothing.
        let _ = write!(io::stderr(), "\r{text:<width$}", width = self.width);
        self.width = text.len();
    }

    /// Takes the line away.
    pub fn end(&mut self) {
        if self.active && self.width > 0 {
            let _ = write!(io::stderr(), "\r{:width$}\r", "", width = self.width);
        }
    }
}
