//! Verb first: `alpc-dump hang memory.dmp` is `alpc-dump memory.dmp hang`.
//!
//! Most tools have the command before the file. Ours has the dumps first, since there may be several of them and since the
//! debugger's spellings come behind them; whoever types it the other way round is understood.

use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, Command};

use crate::cli::{Cli, SPECS};
use crate::commands::Category;

/// Endings of files that are memory, by which a dump is known that is not there.
const ENDINGS: [&str; 23] = [
    "dmp", "mdmp", "hdmp", "vmem", "vmss", "vmsn", "vmrs", "sav", "raw", "mem", "img", "core", "elf", "lime",
    "avml", "bin", "gz", "zst", "xz", "bz2", "zip", "7z", "cab",
];

/// The arguments with the dumps before the command. Whatever has them there already is left as it is.
pub fn dumps_first(args: Vec<OsString>) -> Vec<OsString> {
    use clap::CommandFactory;
    let first = args.get(1).map(|word| word.to_string_lossy());
    let is_command = |word: &str| SPECS.iter().any(|spec| spec.name() == word);
    if first.is_none_or(|word| !word.starts_with('-') && !is_command(&word)) {
        return args;
    }
    let mut whole = Cli::command();
    whole.build();
    let Some(at) = first_positional(&args, &[&whole], 1) else {
        return args;
    };
    let Some(command) = args[at].to_str().and_then(|word| whole.find_subcommand(word)) else {
        return args;
    };
    // One that is named like a command is written ./NAME, and some commands take no dump.
    let takes_dump = SPECS
        .iter()
        .any(|spec| spec.name() == command.get_name() && spec.category != Category::Program);
    if !takes_dump {
        return args;
    }
    let (mut dumps, mut rest) = (Vec::new(), Vec::new());
    let mut index = at + 1;
    let mut words: Vec<usize> = Vec::new();
    while let Some(next) = first_positional(&args, &[&whole, command], index) {
        words.push(next);
        index = next + 1;
    }
    let exists = |at: &&usize| Path::new(&args[**at]).exists();
    let mut found: Vec<usize> = words.iter().filter(exists).copied().collect();
    if found.is_empty() {
        // The file that is not there is told as one that is not there.
        let looks = |at: &&usize| {
            let ending = Path::new(&args[**at])
                .extension()
                .and_then(|ending| ending.to_str());
            ending.is_some_and(|ending| ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
        };
        found.extend(words.iter().find(looks));
    }
    if found.is_empty() {
        return args;
    }
    for (number, word) in args.into_iter().enumerate() {
        match found.contains(&number) {
            true => dumps.push(word),
            false => rest.push(word),
        }
    }
    // Options may stand before the command: the dumps go right before it.
    rest.splice(at..at, dumps);
    rest
}

/// Binds the value of an option to it where that is called like a command, which would be taken for the command: `-o
/// report`, `-y symbols`.
pub fn values_bound(args: Vec<OsString>) -> Vec<OsString> {
    use clap::CommandFactory;
    let is_command = |word: &OsString| SPECS.iter().any(|spec| word.to_str() == Some(spec.name()));
    // To know the options takes longer than most commands do, and few lines have a command right behind one.
    let is_option = |word: &OsString| word.to_str().is_some_and(|word| word.starts_with('-'));
    let may_be = |pair: &[OsString]| matches!(pair, [option, word] if is_option(option) && is_command(word));
    if !args.windows(2).any(may_be) {
        return args;
    }
    let mut whole = Cli::command();
    whole.build();
    let mut bound: Vec<OsString> = Vec::with_capacity(args.len());
    for word in args {
        let option = bound.last().filter(|_| is_command(&word));
        match option.and_then(|option| needs_value(&option.to_string_lossy(), &whole)) {
            Some(long) => {
                bound.pop();
                let mut option = OsString::from(format!("--{long}="));
                option.push(&word);
                bound.push(option);
            }
            None => bound.push(word),
        }
    }
    bound
}

/// The long name of an option that the next word is the value of.
fn needs_value(option: &str, whole: &Command) -> Option<String> {
    if !takes_value(option, &[whole]) {
        return None;
    }
    let arg = argument(option, &[whole])?;
    let least = arg.get_num_args().map_or(1, |count| count.min_values());
    arg.get_long().filter(|_| least > 0).map(str::to_owned)
}

/// The first word from `from` on that is neither an option nor the value of one.
fn first_positional(args: &[OsString], commands: &[&Command], from: usize) -> Option<usize> {
    let mut index = from;
    while let Some(word) = args.get(index) {
        let word = word.to_string_lossy();
        if word == "--" {
            return None;
        }
        if !word.starts_with('-') || word == "-" {
            return Some(index);
        }
        index += if takes_value(&word, commands) { 2 } else { 1 };
    }
    None
}

/// Whether the word behind an option is its value.
fn takes_value(option: &str, commands: &[&Command]) -> bool {
    argument(option, commands).is_some_and(|arg| arg.get_action().takes_values())
}

/// What an option is, if its value can be the next word.
fn argument<'c>(option: &str, commands: &[&'c Command]) -> Option<&'c Arg> {
    if option.contains('=') {
        return None;
    }
    let mut all = commands.iter().flat_map(|command| command.get_arguments());
    match option.strip_prefix("--") {
        Some(long) => all.find(|arg| arg.get_long() == Some(long)),
        None => {
            // Of several in one word the last one may have a value, and what is glued to one is its value.
            let mut letters = option.strip_prefix('-')?.chars();
            match (letters.next(), letters.next()) {
                (Some(short), None) => all.find(|arg| arg.get_short() == Some(short)),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reordered(line: &str) -> String {
        let args = std::iter::once("alpc-dump").chain(line.split(' '));
        let words = dumps_first(values_bound(args.map(OsString::from).collect()));
        let words: Vec<String> = words
            .iter()
            .skip(1)
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        words.join(" ")
    }

    #[test]
    fn the_command_may_come_first() {
        for (typed, meant) in [
            ("hang x.dmp", "x.dmp hang"),
            ("hang x.dmp -v", "x.dmp hang -v"),
            ("hang -v x.dmp", "x.dmp hang -v"),
            (
                "-q message x.dmp fffff8800f4cc950",
                "-q x.dmp message fffff8800f4cc950",
            ),
            ("message fffff8800f4cc950 x.dmp", "x.dmp message fffff8800f4cc950"),
            ("hang --format json x.dmp", "x.dmp hang --format json"),
            ("--format json hang x.dmp", "--format json x.dmp hang"),
            // Values of options are no dumps, whatever they look like.
            ("hang -o y.dmp x.dmp", "x.dmp hang -o y.dmp"),
            ("hang --output=y.dmp x.dmp", "x.dmp hang --output=y.dmp"),
            // What needs no change.
            ("x.dmp hang", "x.dmp hang"),
            ("x.dmp -y hang message 1", "x.dmp --symbols=hang message 1"),
            ("x.dmp --symbols symbols hang", "x.dmp --symbols=symbols hang"),
            ("-y symbols hang x.dmp", "--symbols=symbols x.dmp hang"),
            ("x.dmp -q hang", "x.dmp -q hang"),
            ("x.dmp hang --format json", "x.dmp hang --format json"),
            ("completions bash", "completions bash"),
            ("hang", "hang"),
            ("hang nothing", "hang nothing"),
            ("x.dmp hang -o report", "x.dmp hang --output=report"),
            ("x.dmp report -o y report", "x.dmp report -o y report"),
        ] {
            assert_eq!(reordered(typed), meant, "{typed}");
        }
        // Every file that there is.
        assert_eq!(
            reordered("diff Cargo.toml README.md"),
            "Cargo.toml README.md diff"
        );
    }
}
