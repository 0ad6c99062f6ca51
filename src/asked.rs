//! What a command line asks for beside its command: the files that it reads, and what of it a report must not tell.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use ntlayout::Place;

use crate::cli::Cli;
use crate::host::guard;
use crate::redact::{self, Part, Typed};
use crate::text::time;
use crate::{address, kd};

/// Says of all files that the arguments name that they are read, and what they are to the command.
pub fn guard_files(cli: &Cli) {
    let dumps = cli.dumps.iter().map(|path| (path.as_path(), "one of the dumps"));
    let symbols = cli.symbols.iter().map(|path| (path.as_path(), "a symbol file"));
    let file = cli.verb().and_then(|verb| verb.file());
    let file = file.and_then(|file| Some((file.path, file.what?)));
    dumps
        .chain(symbols)
        .chain(file)
        .chain(
            cli.rpc_names
                .iter()
                .map(|path| (path.as_path(), "a table of names")),
        )
        .chain(
            cli.page_files
                .iter()
                .map(|file| (file.path.as_path(), "a page file")),
        )
        .chain(cli.redact_key.as_deref().map(|path| (path, "the key")))
        .chain(kd::files(&cli.commands).map(|file| (Path::new(file), "a file of commands")))
        .for_each(|(path, what)| guard::reads(path, what));
}

/// What of the command line a report must not tell.
pub fn typed(cli: &Cli) -> Typed {
    let words = env::args_os().skip(1);
    typed_as(cli, words.map(|word| word.to_string_lossy().into_owned()))
}

/// The same of what was asked in other words than those of the program's own command line.
pub fn typed_as(cli: &Cli, words: impl Iterator<Item = String>) -> Typed {
    let classes = redact::classes(cli);
    let withholds = classes.is_some();
    Typed {
        classes,
        paths: if withholds { paths(cli) } else { Vec::new() },
        tokens: if withholds { tokens(cli) } else { Vec::new() },
        line: line(words, withholds).into(),
    }
}

/// The words of the command line, each in its parts.
fn line(args: impl Iterator<Item = String>, withholds: bool) -> Vec<Vec<Part>> {
    if !withholds {
        return args.map(|arg| vec![Part::Ours(arg)]).collect();
    }
    let definition = Cli::command();
    args.map(|arg| argument(&definition, arg)).collect()
}

fn argument(definition: &clap::Command, arg: String) -> Vec<Part> {
    let commands = || std::iter::once(definition).chain(definition.get_subcommands());
    let mut options = commands().flat_map(clap::Command::get_arguments);
    let long = arg.strip_prefix("--").filter(|long| !long.is_empty());
    if let Some(long) = long {
        let (name, value) = long.split_once('=').unzip();
        let name = name.unwrap_or(long);
        if !options.any(|option| option.get_long() == Some(name)) {
            return vec![Part::Withheld(arg)];
        }
        let Some(of) = value else {
            return vec![Part::Ours(arg)];
        };
        return vec![Part::Ours(format!("--{name}=")), value_part(definition, of)];
    }
    let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
        return vec![value_part(definition, &arg)];
    };
    if kd::is_switch(&arg) {
        return vec![Part::Ours(arg)];
    }
    for (at, letter) in letters.char_indices() {
        let mut options = commands().flat_map(clap::Command::get_arguments);
        let Some(option) = options.find(|option| option.get_short() == Some(letter)) else {
            return vec![Part::Withheld(arg)];
        };
        let behind = at + letter.len_utf8();
        if option.get_action().takes_values() && behind < letters.len() {
            let (flags, value) = letters.split_at(behind);
            return vec![Part::Ours(format!("-{flags}")), value_part(definition, value)];
        }
    }
    vec![Part::Ours(arg)]
}

fn value_part(definition: &clap::Command, value: &str) -> Part {
    let commands = || std::iter::once(definition).chain(definition.get_subcommands());
    let is_choice = |word: &str| {
        let mut options = commands().flat_map(clap::Command::get_arguments);
        options.any(|option| {
            option
                .get_possible_values()
                .iter()
                .any(|value| value.matches(word, false))
        })
    };
    let is_ours = definition.find_subcommand(value).is_some()
        || kd::is_switch(value)
        || value.split(',').all(is_choice)
        || address::looks_like_address(value)
        || time::parse_span(value).is_ok()
        || value == "-"
        || value.len() < 4 && value.bytes().all(|digit| digit.is_ascii_digit());
    Part::Value {
        text: value.to_owned(),
        is_ours,
    }
}

/// The paths that the command line and the environment tell, with what stands for them.
fn paths(cli: &Cli) -> Vec<(PathBuf, String)> {
    let mut paths: Vec<(PathBuf, String)> = Vec::new();
    let several = cli.dumps.len() > 1;
    for (number, dump) in cli.dumps.iter().enumerate() {
        let suffix = if several {
            format!("-{}", number + 1)
        } else {
            String::new()
        };
        paths.push((dump.clone(), format!("dump{suffix}")));
        let name = dump.file_name().map(PathBuf::from);
        paths.extend(name.map(|name| (name, format!("dump{suffix}"))));
        let parent = dump.parent().map(Path::to_owned);
        paths.extend(parent.map(|parent| (parent, format!("folder{suffix}"))));
    }
    let symbols = cli
        .symbols
        .iter()
        .flat_map(|option| pieces(&option.to_string_lossy()));
    // Debuggers look at the first one first; the second is set on most machines where somebody debugs
    // (Microsoft's "Symbol path for Windows debuggers").
    let variables = ["_NT_ALT_SYMBOL_PATH", "_NT_SYMBOL_PATH"];
    let environment = variables.iter().filter_map(|variable| env::var(variable).ok());
    let all: BTreeSet<PathBuf> = symbols
        .chain(environment.flat_map(|path| pieces(&path)))
        .collect();
    let symbols = all.into_iter().enumerate();
    paths.extend(symbols.map(|(number, path)| (path, format!("symbols-{}", number + 1))));
    let file = cli.verb().and_then(|verb| verb.file());
    let others = [
        (ntlayout::cache_folder(), "symbol-cache"),
        (cli.redact_key.clone(), "key"),
        (cli.output.clone(), "output"),
        (cli.unpack.clone(), "unpack"),
    ];
    let others = others
        .into_iter()
        .filter_map(|(path, name)| Some((path?, name.to_owned())));
    paths.extend(others);
    let page_files = cli.page_files.iter().enumerate();
    paths.extend(page_files.map(|(number, file)| (file.path.clone(), format!("pagefile-{}", number + 1))));
    let names = cli.rpc_names.iter().enumerate();
    paths.extend(names.map(|(number, path)| (path.clone(), format!("rpc-names-{}", number + 1))));
    paths.extend(file.map(|file| (file.path.to_owned(), file.placeholder.to_owned())));
    paths.extend(kd::files(&cli.commands).map(|file| (PathBuf::from(file), "commands".to_owned())));
    paths
}

/// The paths in a symbol path: `srv*C:\cache*https://…` has one.
fn pieces(symbol_path: &str) -> Vec<PathBuf> {
    let pieces = symbol_path.split([';', '*']);
    // `srv*CACHE*URL`, `symsrv*symsrv.dll*CACHE*URL` and `cache*FOLDER` (Microsoft's "Symbol path for Windows
    // debuggers").
    let keyword = |piece: &&str| {
        ["srv", "symsrv", "cache", "symsrv.dll"].contains(&piece.to_ascii_lowercase().as_str())
    };
    let whole = std::iter::once(symbol_path);
    let parsed = ntlayout::parse_path(symbol_path, None)
        .into_iter()
        .filter_map(|place| match place {
            Place::Path(path) | Place::Store(path) | Place::Beside(path) => Some(path),
            Place::Remote(server) => Some(server.into()),
            _ => None,
        });
    whole
        .chain(pieces.filter(|piece| !keyword(piece)))
        .map(|piece| PathBuf::from(piece.trim().trim_matches('"')))
        .chain(parsed)
        .collect()
}

/// What things are named by on a command line: no addresses.
fn tokens(cli: &Cli) -> Vec<String> {
    let mut tokens = cli.verb().map(|verb| verb.named()).unwrap_or_default();
    // Of a debugger's line, everything behind its first word.
    for line in cli.commands.iter().flat_map(|lines| lines.split([';', '\n'])) {
        let words: Vec<&str> = line.split_whitespace().collect();
        tokens.extend(words.iter().skip(1).map(|word| word.trim_matches('"').to_owned()));
        tokens.extend(line.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    let bare: Vec<String> = tokens
        .iter()
        .filter_map(|token| token.strip_prefix("name:").map(str::to_owned))
        .collect();
    tokens.extend(bare);
    tokens.retain(|token| !token.is_empty() && !address::looks_like_address(token) && !is_switch(token));
    tokens
}

fn is_switch(token: &str) -> bool {
    token.len() < 2 || token.starts_with('-') || kd::is_switch(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbol_paths_are_taken_apart() {
        let found = pieces("srv*C:\\cache*https://server/symbols;D:\\other");
        let texts: Vec<_> = found.iter().map(|path| path.to_string_lossy()).collect();
        assert!(texts.iter().any(|path| path == "C:\\cache"));
        assert!(texts.iter().any(|path| path == "D:\\other"));
        assert!(!texts.iter().any(|path| path == "srv"));
    }
}
