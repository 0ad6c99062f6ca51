//! The terminal that results are read on.

use std::io::{self, IsTerminal};

use terminal_size::{Height, Width, terminal_size_of};

/// Columns that are too few for an address and a word beside it.
const LEAST: usize = 20;

/// Columns of the terminal that stdout is; none where it is none, or does not say. `COLUMNS` goes before what the
/// terminal says: whoever exports it wants that.
pub fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let asked = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let width = asked.or_else(|| size().map(|(Width(width), _)| width.into()));
    // A terminal that nobody has told its size says 0.
    width
        .filter(|&width| width > 0)
        .map(|width: usize| width.max(LEAST))
}

fn size() -> Option<(Width, Height)> {
    terminal_size_of(io::stdout())
}
