//! Names out of a dump may hold anything: they are attacker-controlled. Nothing in them may move the cursor,
//! reverse the reading order or hide.

use std::fmt::Write;

/// Text for a terminal: control characters and invisible or reordering ones are written as escapes.
pub fn text(text: &str) -> String {
    escape(text, |_| false)
}

/// The same, with line feeds kept.
pub fn lines(text: &str) -> String {
    escape(text, |c| c == '\n')
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if keep(c) || !is_dangerous(c) {
            escaped.push(c);
        } else if matches!(c, '\t' | '\r' | '\n') {
            escaped.extend(c.escape_default());
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{{{:x}}}", u32::from(c));
        }
    }
    escaped
}

/// Control characters, line and paragraph separators, bidirectional controls, and characters without width.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_could_act_on_it() {
        assert_eq!(
            text("a\tb\u{1b}[31m\u{202e}c\0\u{9b}"),
            "a\\tb\\u{1b}[31m\\u{202e}c\\u{0}\\u{9b}"
        );
        assert_eq!(lines("a\nb\r"), "a\nb\\r");
    }

    #[test]
    fn ordinary_text_of_any_language_stays() {
        let plain = "svchost.exe café \"'%{} 電卓 😀 \\RPC Control\\x";
        assert_eq!(text(plain), plain);
    }
}
