//! Decoders that take for granted what a damaged file says.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::why::Why;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder that may panic (that of cabinets does where a file has fewer blocks than it says): the file is refused
/// then like any other damaged one, and nothing is written to stderr.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Why>) -> Result<T, Why> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                before(info);
            }
        }));
    });
    GUARDED.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(false);
    result.unwrap_or_else(|_| Err(Why::Damaged("its decoder stumbles over its bytes".to_owned())))
}
