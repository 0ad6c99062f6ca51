//! Colour: an aid to the eye that never carries meaning alone.

use std::io::IsTerminal;

use owo_colors::OwoColorize;

use crate::options::ColorChoice;

/// Whether to colour what goes to stdout.
///
/// An explicit flag wins; a file is not coloured otherwise; then `CLICOLOR_FORCE` (not `0`), `NO_COLOR` (not
/// empty), `CLICOLOR=0`; then whether stdout is a terminal.
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

/// Colours a view: headlines bold, labels dimmed, what could not be read in red. Of waits, deadlocks are red and
/// blockers yellow, and each step has the colour of how sure it is; the words say the same.
pub fn paint(text: &str, enabled: bool) -> String {
    if !enabled {
        return text.to_owned();
    }
    let table = is_table(text);
    text.split_inclusive('\n')
        .enumerate()
        .map(|(number, line)| {
            let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
            let painted = if table && number > 0 {
                words(body)
            } else {
                paint_line(body)
            };
            painted + end
        })
        .collect()
}

/// Whether all lines but the first are rows of a table, and no headlines: the table of waits.
fn is_table(text: &str) -> bool {
    text.starts_with("WAITER  ")
}

fn paint_line(body: &str) -> String {
    const DEADLOCK: [&str; 3] = ["DEADLOCK ", "Hang @ deadlock:", "END deadlock"];
    let begins = |heads: &[&str]| heads.iter().any(|head| body.starts_with(head));
    if begins(&DEADLOCK) {
        return body.red().bold().to_string();
    }
    if begins(&["POSSIBLE DEADLOCK "]) {
        return body.yellow().bold().to_string();
    }
    if begins(&["NOT READ, "]) || body.starts_with("END unreadable") {
        return body.red().bold().to_string();
    }
    if let Some((head, rest)) = body.split_once(": ").filter(|_| begins(&["BLOCKER "])) {
        return format!("{} {}", format!("{head}:").yellow().bold(), words(rest));
    }
    match body.split_once(" : ") {
        Some((label, value)) if body.starts_with(' ') => {
            let unreadable = value.starts_with('?') || value.ends_with("[?]") || value.ends_with("(?)");
            let value = if unreadable {
                value.red().to_string()
            } else {
                value.to_owned()
            };
            format!("{} {value}", format!("{label} :").dimmed())
        }
        _ if body.trim_start().starts_with("kd> ") => body.dimmed().to_string(),
        _ if is_connection(body) || body.starts_with(' ') => words(body),
        _ if body.is_empty() => String::new(),
        _ => body.bold().to_string(),
    }
}

/// Whether a line is one of the graph of connections: two addresses and the ids between them.
fn is_connection(body: &str) -> bool {
    let mut words = body.split(' ');
    let mut hex = || {
        words
            .next()
            .is_some_and(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_hexdigit() || c == '?'))
    };
    hex() && hex() && hex() && hex()
}

/// Colours the words that say how sure a step is, and that something cannot be read.
fn words(body: &str) -> String {
    body.split_inclusive(' ')
        .map(|piece| {
            let word = piece.trim_end_matches(' ');
            let blank = &piece[word.len()..];
            let painted = match word.trim_matches(|c| ",;:".contains(c)) {
                "[proven]" => word.green().to_string(),
                "[inferred]" | "[inferred" => word.yellow().to_string(),
                "[unknown]" | "unreadable" | "deadlock" => word.red().to_string(),
                plain
                    if !plain.is_empty()
                        && plain
                            .trim_matches(|c| c == '(' || c == ')')
                            .chars()
                            .all(|c| c == '?') =>
                {
                    word.red().to_string()
                }
                _ => word.to_owned(),
            };
            painted + blank
        })
        .collect()
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

    /// The colours of a line, by their codes, each with what it colours.
    fn coloured(line: &str) -> Vec<(String, String)> {
        let painted = paint(line, true);
        assert_eq!(strip(&painted), line, "nothing but colour");
        let mut found = Vec::new();
        for piece in painted.split('\u{1b}').skip(1) {
            let (code, text) = piece.split_once('m').unwrap();
            if !text.trim().is_empty() && !matches!(code, "[0" | "[39") {
                found.push((code.trim_start_matches('[').to_owned(), text.trim().to_owned()));
            }
        }
        found
    }

    #[test]
    fn how_sure_a_step_is_has_a_colour_of_its_own() {
        for (line, code, word) in [
            (
                "    a.exe 1.2  thread f0  00:01 for mutant f1 [proven]",
                "32",
                "[proven]",
            ),
            ("   was received by [inferred]", "33", "[inferred]"),
            ("   waits for the reply to [unknown]", "31", "[unknown]"),
            (
                "     _X.Y @ f0 = unreadable: not in the dump",
                "31",
                "unreadable:",
            ),
            ("  modules on its stack: ?", "31", "?"),
        ] {
            assert_eq!(coloured(line), [(code.to_owned(), word.to_owned())], "{line}");
        }
    }

    #[test]
    fn deadlocks_and_blockers_stand_out() {
        for (line, code) in [
            ("DEADLOCK 1: 3 threads wait for each other", "31"),
            ("Hang @ deadlock:a>b>a", "31"),
            ("END deadlock: the chain comes back to itself", "31"),
            ("POSSIBLE DEADLOCK 1: 2 threads wait for each other", "33"),
            ("NOT READ, so that waits may be missing", "31"),
            ("BLOCKER 1: a.exe", "33"),
        ] {
            let painted = paint(line, true);
            assert_eq!(strip(&painted), line);
            assert!(painted.contains(&format!("\u{1b}[{code}m")), "{painted:?}");
        }
    }

    #[test]
    fn rows_of_tables_are_no_headlines() {
        let table = "WAITER  THREAD\na.exe 1.2  f0  unreadable, deadlock\n";
        let found = coloured(table);
        assert_eq!(found[0].1, "WAITER  THREAD");
        assert_eq!(
            found[1..],
            [
                ("31".to_owned(), "unreadable,".to_owned()),
                ("31".to_owned(), "deadlock".to_owned())
            ]
        );
        assert!(coloured("fffffa8018a95e60 033c fffffa8017dbb060 03e4 senssvc").is_empty());
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
