//! The debugger's own spellings: switches on our command line, and whole command lines.
//!
//! `/m ADDR` and `-M ADDR` behind the dump become `message ADDR`. `!alpc …`, `!lpc …` and what else a
//! debugger's command line may hold become steps, run one after the other over one opened dump.

use std::ffi::OsString;

use clap::Parser;

use crate::cli::{Cli, Command, Style};
use crate::failure::{Failure, Status};

/// Something that a command line asks for.
pub enum Step {
    /// A command of ours.
    Run(Box<Cli>),
    /// Text that needs no dump.
    Print(String),
    /// A command line that is not understood.
    Refuse(Failure),
}

/// The debugger's commands that have one of ours, for those who typed another.
const SUPPORTED: &str = "\
supported: !alpc [/m|/p|/r|/g|/lpc|/lpp|-lp|-lp0|/graph] [/v] ADDRESS, !lpc message|port ADDRESS, !thread ADDRESS, dt TYPE [ADDRESS], q; \
separate several by ;";

const CLASSIC_HELP: &str = "\
Arguments:

   /?                   - Print help
   /P [/V] PortAddress  - Dump the ALPC port information
   /M [/V] MsgAddress   - Searches the message and dumps the message information
   /R [/V] ResAddress   - Dumps the information regarding resources
   /G [/V]              - Dumps the global information
";

const MODERN_HELP: &str = "
Usage:
  !alpc /m MessageAddress
      Dumps the message at the specified address.
  !alpc /p PortAddress
      Dumps the port at the specified address.
  !alpc /lpc PortAddress
      Dumps all connections for the specified port.
  !alpc /lpp ProcessAddress
      Dumps all connections for the specified process.

";

const REDIRECTION: &str = "LPC is now emulated over ALPC. Use !alpc\n";

/// Replaces debugger spellings in the arguments.
///
/// A token is only taken for a switch behind the first argument that is not an option (the dump), so that no
/// path and no option of our own is mistaken for one.
pub fn rewrite(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let args: Vec<OsString> = args.into_iter().collect();
    let Some(at) = (2..args.len()).find(|&at| is_spelling(&args, at)) else {
        return args;
    };
    let (before, rest) = args.split_at(at);
    let rest = if starts_line(&rest[0]) {
        as_line(rest)
    } else {
        as_command(rest)
    };
    before.iter().cloned().chain(rest).collect()
}

fn is_spelling(args: &[OsString], at: usize) -> bool {
    let dump_seen = args[1..at]
        .iter()
        .any(|arg| !arg.to_string_lossy().starts_with('-'));
    let after_line_option = matches!(args[at - 1].to_str(), Some("-c" | "--commands"));
    let text = args[at].to_string_lossy();
    dump_seen && !after_line_option && (starts_line(&args[at]) || switch(&text).is_some())
}

fn starts_line(token: &OsString) -> bool {
    token.to_string_lossy().starts_with('!')
}

/// `!alpc /m ADDR`, in one token or in several up to the next long option, as a command line.
fn as_line(tokens: &[OsString]) -> Vec<OsString> {
    let whole = tokens[0].to_string_lossy().contains(char::is_whitespace);
    let is_option = |token: &OsString| token.to_string_lossy().starts_with("--");
    let end = if whole {
        1
    } else {
        tokens.iter().position(is_option).unwrap_or(tokens.len())
    };
    let words: Vec<_> = tokens[..end]
        .iter()
        .map(|token| token.to_string_lossy())
        .collect();
    [OsString::from("-c"), words.join(" ").into()]
        .into_iter()
        .chain(tokens[end..].iter().cloned())
        .collect()
}

/// `/m [/v] ADDR` as a command of ours.
fn as_command(tokens: &[OsString]) -> Vec<OsString> {
    let verb = switch(&tokens[0].to_string_lossy()).unwrap_or_default();
    let rest = tokens[1..].iter().map(|token| {
        if is_verbose(token) {
            "-v".into()
        } else {
            token.clone()
        }
    });
    verb.iter().map(OsString::from).chain(rest).collect()
}

fn is_verbose(token: &OsString) -> bool {
    token.eq_ignore_ascii_case("/v")
}

/// What a switch of `!alpc` is called here: any case, `/` and `-` alike.
fn switch(token: &str) -> Option<&'static [&'static str]> {
    let switch = token.strip_prefix(['/', '-'])?;
    Some(match switch.to_ascii_lowercase().as_str() {
        "m" => &["message"],
        "p" => &["port"],
        // Later debuggers split the view of resources by what they are.
        "r" | "section" | "region" | "view" | "presl" => &["resource"],
        "g" => &["global"],
        "lp" => &["global", "--list"],
        "lp0" => &["ports", "--orphans"],
        "lpc" => &["connections"],
        "lpp" => &["ports", "--process"],
        "graph" => &["global", "--graph"],
        "analyze" => &["analyze"],
        _ => return None,
    })
}

/// The steps that the command line asks for: its one command, or the debugger's lines.
pub fn steps(cli: &Cli) -> Vec<Step> {
    if cli.command.is_some() {
        return vec![Step::Run(Box::new(cli.clone()))];
    }
    let lines = cli.commands.iter().flat_map(|lines| lines.split([';', '\n']));
    lines
        .map(words)
        .filter(|words| !words.is_empty())
        .take_while(|words| !matches!(words[0].as_str(), "q" | "qd" | "Q"))
        .flat_map(|words| line(cli, &words))
        .collect()
}

/// The words of a line; quotes keep blanks together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quoted = false;
    for c in line.chars() {
        if c == '"' {
            quoted = !quoted;
            word.get_or_insert_default();
        } else if c.is_whitespace() && !quoted {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(c);
        }
    }
    words.extend(word);
    words
}

fn line(cli: &Cli, words: &[String]) -> Vec<Step> {
    match words[0].to_ascii_lowercase().as_str() {
        "!alpc" => vec![alpc(cli, words)],
        "!lpc" => lpc(cli, words),
        "!thread" => vec![run_as("thread", cli, words)],
        _ => vec![run(cli, words, words)],
    }
}

/// A line that is a command of ours but for its name.
fn run_as(verb: &str, cli: &Cli, words: &[String]) -> Step {
    let rest = words.iter().skip(1).cloned();
    let args: Vec<String> = std::iter::once(verb.to_owned()).chain(rest).collect();
    run(cli, &args, words)
}

fn alpc(cli: &Cli, words: &[String]) -> Step {
    let Some(position) = words.iter().skip(1).position(|word| switch(word).is_some()) else {
        return match words.get(1).map(String::as_str) {
            // As the debuggers do, whatever they do not understand gets the help.
            None | Some("/?" | "-?") => Step::Print(help(cli.style)),
            Some(_) if cli.style == Style::Modern => Step::Print(help(cli.style)),
            Some(_) => refuse(words),
        };
    };
    let verb = switch(&words[position + 1]).unwrap_or_default();
    let rest = words
        .iter()
        .skip(1)
        .enumerate()
        .filter(|&(index, _)| index != position)
        .map(|(_, word)| {
            if word.eq_ignore_ascii_case("/v") {
                "-v".to_owned()
            } else {
                word.clone()
            }
        });
    let args: Vec<String> = verb.iter().map(|&word| word.to_owned()).chain(rest).collect();
    run(cli, &args, words)
}

/// `!lpc` says that `!alpc` is to be used: the older extension then prints its help, the later one the view.
fn lpc(cli: &Cli, words: &[String]) -> Vec<Step> {
    if cli.style == Style::Classic {
        return vec![Step::Print(format!("{REDIRECTION}{CLASSIC_HELP}"))];
    }
    let step = match words.get(1).map(|word| word.to_ascii_lowercase()).as_deref() {
        Some(verb @ ("message" | "port")) => {
            let args: Vec<String> = std::iter::once(verb.to_owned())
                .chain(words[2..].iter().cloned())
                .collect();
            run(cli, &args, words)
        }
        _ => Step::Print(help(cli.style)),
    };
    vec![Step::Print(REDIRECTION.to_owned()), step]
}

fn help(style: Style) -> String {
    match style {
        Style::Classic => CLASSIC_HELP,
        Style::Modern => MODERN_HELP,
    }
    .to_owned()
}

/// A command of ours with its own arguments, under the options of the whole run.
fn run(cli: &Cli, args: &[String], words: &[String]) -> Step {
    /// One line: a command and what may stand with it.
    #[derive(Parser)]
    #[command(no_binary_name = true, disable_help_flag = true)]
    struct Line {
        #[arg(short, long, global = true)]
        verbose: bool,
        #[command(subcommand)]
        command: Command,
    }
    match Line::try_parse_from(args) {
        Ok(line) => Step::Run(Box::new(Cli {
            verbose: cli.verbose || line.verbose,
            command: Some(line.command),
            ..cli.clone()
        })),
        Err(_) => refuse(words),
    }
}

fn refuse(words: &[String]) -> Step {
    let message = format!(
        "\"{}\" is not understood; {SUPPORTED}, or a command of --help",
        words.join(" ")
    );
    Step::Refuse(Failure {
        status: Status::Fatal,
        id: "unknown-command",
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &[&str]) -> Vec<String> {
        rewrite(line.iter().map(OsString::from))
            .into_iter()
            .map(|arg| arg.into_string().unwrap())
            .collect()
    }

    #[test]
    fn switches_become_commands() {
        let plain = ["alpc-dump", "a.dmp", "message", "fffff8800f4cc950"];
        for line in [
            &["alpc-dump", "a.dmp", "/m", "fffff8800f4cc950"][..],
            &["alpc-dump", "a.dmp", "/M", "fffff8800f4cc950"],
            &["alpc-dump", "a.dmp", "-m", "fffff8800f4cc950"],
            &["alpc-dump", "a.dmp", "message", "fffff8800f4cc950"],
        ] {
            assert_eq!(rewritten(line), plain, "{line:?}");
        }
        assert_eq!(
            rewritten(&[
                "alpc-dump",
                "--color",
                "never",
                "a.dmp",
                "/M",
                "/V",
                "fffff880`0f4cc950"
            ]),
            [
                "alpc-dump",
                "--color",
                "never",
                "a.dmp",
                "message",
                "-v",
                "fffff880`0f4cc950"
            ]
        );
    }

    #[test]
    fn every_spelling_of_the_view_of_resources() {
        for spelling in ["/r", "-R", "-section", "-region", "/View", "-presl"] {
            assert_eq!(switch(spelling), Some(&["resource"][..]), "{spelling}");
        }
    }

    #[test]
    fn debugger_lines_stay_whole() {
        let line = [
            "alpc-dump",
            "a.dmp",
            "-c",
            "!alpc /m fffff8800f4cc950",
            "--format",
            "json",
        ];
        for args in [
            &[
                "alpc-dump",
                "a.dmp",
                "!alpc /m fffff8800f4cc950",
                "--format",
                "json",
            ][..],
            &[
                "alpc-dump",
                "a.dmp",
                "!alpc",
                "/m",
                "fffff8800f4cc950",
                "--format",
                "json",
            ],
            &line,
        ] {
            assert_eq!(rewritten(args), line, "{args:?}");
        }
    }

    #[test]
    fn a_path_is_no_switch() {
        assert_eq!(
            rewritten(&["alpc-dump", "/m", "info"]),
            ["alpc-dump", "/m", "info"]
        );
    }

    #[test]
    fn quotes_keep_blanks_together() {
        assert_eq!(
            words(r#" !alpc  /p "\RPC Control\x y" "" "#),
            ["!alpc", "/p", r"\RPC Control\x y", ""]
        );
    }
}
