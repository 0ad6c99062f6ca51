//! How far it is, on stderr, for somebody who looks on.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use crate::fleet::tally::Tally;
use crate::host::status_line;

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// How many dumps there are is not known before folders were walked, which is done as it goes.
pub struct Progress {
    shown: Option<Instant>,
    begun: Instant,
    active: bool,
}

impl Progress {
    /// Nothing is shown unless it is `wanted` and stderr is a terminal.
    pub fn new(wanted: bool) -> Self {
        Self {
            shown: None,
            begun: Instant::now(),
            active: wanted && io::stderr().is_terminal(),
        }
    }

    /// Shows how far it is.
    pub fn show(&mut self, tally: &Tally) {
        if !self.active || self.shown.is_some_and(|shown| shown.elapsed() < EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        status_line::show(&format!(
            "{} in {} s",
            tally.text(),
            self.begun.elapsed().as_secs()
        ));
    }

    /// Takes the line away.
    pub fn end(&mut self) {
        status_line::clear();
    }
}
