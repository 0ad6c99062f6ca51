//! `help` among the lines: what a line may be, and what one command takes.

use crate::cli::{self, Cli};
use crate::commands::{Category, Spec};
use crate::kd::{self, Step, table};
use crate::text::escape;

/// What lines have beside commands.
const LINES: &str = "\
The debugger's spellings:
  !alpc !lpc !thread !process !handle !object !stacks !uniqstack !findstack !running !ready
  k kb kn kv lm db dw dd dq dt .echo $<FILE $$>a<FILE
  !VERB is VERB where the debugger has nothing of that name: !chain, !hang, !waits

At the prompt (-i):
  #3           what row 3 of the last answer is about: chain #3, !chain #3; # and TAB list the rows
  TAB          completes commands, options, names of processes and ports, what was just printed
  Ctrl-C       stops a walk: what was read so far is shown; twice, and no more of it is written
  $<FILE       runs the lines of a file
  help VERB    what one command takes, ours or the debugger's
  q, Ctrl-D    leaves

Several commands stand on one line with ; between.
";

/// Whether the line asks for help, and what about.
pub fn asked(words: &[String]) -> Option<Option<&str>> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words.as_slice() {
        // `?` evaluates an expression in the debugger, and lists the commands when it stands alone; `.help` lists
        // those with a dot (Microsoft's "? (Command Help)" and ".help").
        ["help" | ".help" | "?" | "--help" | "-h"] => Some(None),
        ["help" | ".help", about] => Some(Some(about)),
        [verb, "--help" | "-h"] if cli::line_help(verb).is_some() => Some(Some(verb)),
        _ => None,
    }
}

/// Whether a line can run the command: those of many dumps and of the program have no place in one.
pub fn is_of_lines(spec: &Spec) -> bool {
    let elsewhere = matches!(spec.category, Category::Many | Category::Program);
    !elsewhere && !matches!(spec.name(), "diff" | "pack" | "shell")
}

/// What answers it.
pub fn step(cli: &Cli, about: Option<&str>, words: &[String]) -> Step {
    let Some(about) = about else {
        return Step::Print(format!("{}\n{LINES}", cli::categories_of(is_of_lines)));
    };
    if about.eq_ignore_ascii_case("!alpc") {
        return Step::Print(kd::help(cli.style));
    }
    // A few names are both's, as `dt` and `!thread`: each has its own help as it is spelled.
    let ours = || cli::line_help(about.strip_prefix('!').unwrap_or(about));
    let text = match table::find(about) {
        Some(table::Here::Passes(text) | table::Here::Nearest(text)) if cli::line_help(about).is_none() => {
            Some(format!("{}: {text}\n", escape::text(about)))
        }
        _ => ours(),
    };
    text.map_or_else(|| kd::refuse(cli, words), Step::Print)
}
