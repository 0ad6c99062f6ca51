//! One line on stderr that says how far long work is, for somebody who looks on: written over, and taken away before
//! anything else is written.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use alpc::image::budget::{Spent, Watch};

use crate::host::interrupt;

/// Work that is done sooner says nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// Columns of the line that stands there; none where none does.
static WIDTH: Mutex<usize> = Mutex::new(0);
/// Whether a line may stand there: asked before each write, without a lock.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Writes the line, over the one that stands there.
pub fn show(text: &str) {
    let mut width = WIDTH.lock().unwrap_or_else(PoisonError::into_inner);
    // A carriage return is known everywhere; ESC [ K is shown as signs by a Windows console that nobody told to take it
    // (ENABLE_VIRTUAL_TERMINAL_PROCESSING in Microsoft's "SetConsoleMode"). So it is written over with blanks. A terminal
    // that is gone stops nothing.
    let _ = write!(io::stderr(), "\r{text:<width$}", width = *width);
    *width = text.chars().count();
    SHOWN.store(true, Ordering::Release);
}

/// Takes the line away.
pub fn clear() {
    if !SHOWN.swap(false, Ordering::AcqRel) {
        return;
    }
    let mut width = WIDTH.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = write!(io::stderr(), "\r{:width$}\r", "", width = *width);
    *width = 0;
}

/// Whether somebody looks on.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Says when it is time to write the line.
#[derive(Debug)]
pub struct Pace {
    begun: Instant,
    last: Mutex<Option<Instant>>,
    shows: bool,
}

impl Pace {
    /// Begins now; never is it time unless `shows`.
    pub fn new(shows: bool) -> Self {
        Self {
            begun: Instant::now(),
            last: Mutex::new(None),
            shows,
        }
    }

    /// How long it has lasted when it is time.
    pub fn is_due(&self) -> Option<Duration> {
        let lasted = self.begun.elapsed();
        if !self.shows || lasted < PATIENCE {
            return None;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < EVERY) {
            return None;
        }
        *last = Some(Instant::now());
        Some(lasted)
    }
}

/// Watches the walks of one command: says how far they are, and ends them once Ctrl-C was pressed at a prompt.
pub struct Walk(Pace);

impl Walk {
    /// Begins now.
    pub fn new(shows: bool) -> Self {
        Self(Pace::new(shows))
    }
}

impl Watch for Walk {
    fn goes_on(&self, so_far: Spent) -> bool {
        if let Some(lasted) = self.0.is_due() {
            let tenths = so_far.reads / 100_000;
            show(&format!(
                "reading the dump: {}.{} million values in {} s",
                tenths / 10,
                tenths % 10,
                lasted.as_secs()
            ));
        }
        !interrupt::ends_walk()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_work_says_nothing() {
        let pace = Pace::new(true);
        assert_eq!(pace.is_due(), None);
        let long_ago = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
        let pace = Pace {
            begun: long_ago,
            ..Pace::new(true)
        };
        assert!(pace.is_due().is_some());
        assert_eq!(pace.is_due(), None, "not as often as it is asked");
        let pace = Pace {
            begun: long_ago,
            ..Pace::new(false)
        };
        assert_eq!(pace.is_due(), None);
    }
}
