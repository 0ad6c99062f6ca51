//! Colour: an aid to the eye that never carries meaning alone.

use std::io::IsTerminal;

use owo_colors::OwoColorize;

use crate::cli::ColorChoice;

/// Whether to colour what goes to stdout.
///
/// An explicit flag wins; a file is not coloured otherwise; then `CLICOLOR_FORCE` (not `0`), `NO_COLOR` (not empty), `CLICOLOR=0`; then whether
/// stdout is a terminal.
pub fn enabled(choice: ColorChoice, to_stdout: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            if to_stdout && set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
                return true;
            }
            let refused = set("NO_COLOR").is_some() || set("CLICOLOR").is_some_and(|value| value == "0");
            !refused && to_stdout && std::io::stdout().is_terminal()
        }
    }
}

/// Colours a view: headlines bold, labels dimmed, what could not be read in red.
pub fn paint(text: &str, enabled: bool) -> String {
    if !enabled {
        return text.to_owned();
    }
    text.split_inclusive('\n').map(paint_line).collect()
}

fn paint_line(line: &str) -> String {
    let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
    let painted = match body.split_once(" : ") {
        Some((label, value)) if body.starts_with(' ') => {
            let unreadable = value.starts_with('?') || value.ends_with("[?]") || value.ends_with("(?)");
            let value = if unreadable {
                value.red().to_string()
            } else {
                value.to_owned()
            };
            format!("{} {value}", format!("{label} :").dimmed())
        }
        _ if !body.is_empty() && !body.starts_with(' ') => body.bold().to_string(),
        _ => body.to_owned(),
    };
    format!("{painted}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paint_adds_nothing_but_colour() {
        let text = "\nMessage @ fffff8800f4cc950\n  View                  : ????????????????\n";
        assert_eq!(paint(text, false), text);
        let painted = paint(text, true);
        assert!(painted.contains("\u{1b}["));
        assert_eq!(strip(&painted), text);
    }

    fn strip(text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain + rest
    }
}
