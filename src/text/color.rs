//! Whether results are coloured.

use std::io::IsTerminal;

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
            // An empty variable counts as none: "when present and not an empty string (regardless of its
            // value)" (no-color.org). Of CLICOLOR and CLICOLOR_FORCE the value counts: `CLICOLOR_FORCE=0`
            // forces nothing (bixense.com/clicolors).
            let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            if to_stdout && set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
                return true;
            }
            let refused = set("NO_COLOR").is_some() || set("CLICOLOR").is_some_and(|value| value == "0");
            !refused && to_stdout && std::io::stdout().is_terminal()
        }
    }
}
