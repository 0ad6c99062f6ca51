//! A condition and what it came to, in one line.

use crate::text::escape;

/// What a condition is called and asks for, what was found, and the command that shows more: everything but the verdict.
pub fn told(name: &str, condition: &str, found: &str, look_at: &str) -> String {
    let asked = if name == condition {
        String::new()
    } else {
        format!(" ({condition})")
    };
    format!("{}{asked}: {found}; look at: {look_at}", escape::text(name))
}
