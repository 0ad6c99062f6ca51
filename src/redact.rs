//! `--redact`: placeholders for what a report must not tell.
//!
//! What comes out of the dump is replaced where it enters the records ([`alpc::image::redact`]). What comes from the command
//! line and from this machine is replaced here, in all that is written: the paths of the dump and of symbols, and
//! what a user named a thing by.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alpc::image::redact::{Classes, Redaction};
use clap::CommandFactory;
use kdump::Dump;
use ntlayout::{Looked, Outcome, Place};
use serde_json::Value as Json;

use crate::cli::Class;
use crate::cli::Cli;
use crate::cli::Command;
use crate::cli::TriageArgs;
use crate::failure::Failure;
use crate::host::reading;
use crate::kd;
use crate::output::document;
use crate::text::escape;

/// Bytes that a key has at least: fewer can be guessed.
const KEY_BYTES: usize = 16;

/// What the kernel's symbols are called everywhere.
const KERNEL_PDBS: [&str; 5] = [
    "ntkrnlmp.pdb",
    "ntkrpamp.pdb",
    "ntkrnlpa.pdb",
    "ntkrla57.pdb",
    "ntoskrnl.pdb",
];

/// What is replaced of a dump, drawn by what is in it or by the key that the command line names.
pub fn of_dump(cli: &Cli, dump: &Dump) -> anyhow::Result<Option<Arc<Redaction>>> {
    let Some(classes) = classes(cli) else {
        return Ok(None);
    };
    let secret = match &cli.redact_key {
        Some(path) => key(path)?,
        None => dump.sample().map_err(|error| {
            let path = dump.path().display();
            Failure::fatal("io", format!("{path}: cannot be read: {error}"))
        })?,
    };
    Ok(Some(Arc::new(Redaction::new(classes, &secret))))
}

fn key(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let key = reading::file(path, &reading::KEY)
        .map_err(|error| Failure::fatal("redact-key", format!("{shown}: cannot be read: {error}")))?;
    if key.len() < KEY_BYTES {
        return Err(Failure::fatal(
            "redact-key",
            format!("{shown}: is too short for a key: {KEY_BYTES} random bytes are the least"),
        ));
    }
    Ok(key)
}

fn classes(cli: &Cli) -> Option<Classes> {
    let has = |class| cli.redact.contains(&class);
    (!cli.redact.is_empty()).then(|| Classes {
        names: has(Class::Names),
        paths: has(Class::Paths),
        ids: has(Class::Ids),
    })
}

/// Refuses what shows memory as it is: nothing tells which of its bytes are a name or an id.
pub fn refuse_memory(cli: &Cli) -> anyhow::Result<()> {
    let shown = match &cli.command {
        _ if cli.redact.is_empty() => return Ok(()),
        _ if cli.explain => "--explain",
        Some(Command::Dt(args)) if args.address.is_some() => "dt with an address",
        _ => return Ok(()),
    };
    Err(Failure::fatal(
        "redact-not-here",
        format!("{shown} shows memory as it is, of which --redact cannot hide a part: leave one of them out"),
    ))
}

/// Refuses commands that compare names: with those of a rule file or of another dump, which placeholders are not.
pub fn refuse_comparing(cli: &Cli) -> anyhow::Result<()> {
    if cli.redact.is_empty() {
        return Ok(());
    }
    let command = cli.command.as_ref().map_or("this", Command::name);
    Err(Failure::fatal(
        "redact-not-here",
        format!("{command} compares names, which --redact replaces: leave one of them out"),
    ))
}

/// Replaces what is known of the command line and of this machine.
#[derive(Clone, Debug, Default)]
pub struct Veil {
    /// Paths, the longest first, with what stands for them.
    paths: Vec<(String, String)>,
    /// What things were named by.
    tokens: Vec<(String, String)>,
    /// Whether what was typed is kept back where nothing says that it may be told.
    withholds: bool,
    learned: usize,
}

impl Veil {
    /// What the command line tells. Names on it have one placeholder as long as no dump is there to draw others.
    pub fn of(cli: &Cli) -> Self {
        let mut veil = Self::default();
        let Some(classes) = classes(cli) else {
            return veil;
        };
        if classes.paths {
            veil.add_paths(cli);
        }
        veil.withholds = classes.names || classes.paths;
        for token in tokens(cli) {
            veil.add_token(&token, withheld(&token, classes));
        }
        veil
    }

    /// The same with the placeholders of a dump.
    pub fn of_dump(cli: &Cli, redaction: Option<&Redaction>) -> Self {
        let mut veil = Self::of(cli);
        let Some(redaction) = redaction else {
            return veil;
        };
        veil.tokens.clear();
        for token in tokens(cli) {
            let placeholder = match is_number(&token) {
                true => withheld(&token, redaction.classes()),
                false => redaction.token(&token),
            };
            veil.add_token(&token, placeholder);
        }
        veil
    }

    /// Learns of a file that was found on this machine.
    pub fn learn(&mut self, path: &Path) {
        // Without the class there is nothing to hide, and no path was noted before.
        if self.paths.is_empty() || self.paths.iter().any(|(known, _)| Path::new(known) == path) {
            return;
        }
        self.learned += 1;
        let placeholder = format!("file-{}", self.learned);
        self.add_path(path, &placeholder);
    }

    /// Learns of what the search for symbols looked at: the path, and what it found there.
    pub fn learn_looked(&mut self, looked: &Looked) {
        self.learn_symbols(&looked.path);
        match &looked.outcome {
            Outcome::Other(Some(identity)) => self.learn_symbols(Path::new(&identity.pdb_name)),
            Outcome::PointsTo(target) | Outcome::LeadsOut(target) => self.learn_symbols(Path::new(target)),
            _ => {}
        }
    }

    /// Learns of the file that symbols are read from, whose name can be all that they say of themselves.
    pub fn learn_symbols(&mut self, path: &Path) {
        self.learn(path);
        // A PDB may name itself as the system that made it did.
        let name = path.to_str().and_then(|path| path.rsplit(['/', '\\']).next());
        let name = name.map(Path::new);
        let known = |name: &Path| {
            KERNEL_PDBS
                .iter()
                .any(|known| name.as_os_str().eq_ignore_ascii_case(known))
        };
        if let Some(name) = name.filter(|name| name.extension().is_some() && !known(name)) {
            self.learn(name);
        }
    }

    /// Whether there are paths that must not be told.
    pub fn hides_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    /// A text with all paths of this machine replaced.
    pub fn view(&self, text: &str) -> String {
        replaced(text, &self.paths)
    }

    /// The same in all texts of a record.
    pub fn record(&self, record: &mut Json) {
        if self.paths.is_empty() {
            return;
        }
        match record {
            Json::String(text) => *text = self.view(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.record(item)),
            Json::Object(members) => members.values_mut().for_each(|member| self.record(member)),
            _ => {}
        }
    }

    /// A message with paths replaced, and what things were named by as well.
    pub fn message(&self, text: &str) -> String {
        // The longest first: part of one can be another.
        let mut words: Vec<_> = self.paths.iter().chain(&self.tokens).cloned().collect();
        words.sort_by_key(|(known, _)| std::cmp::Reverse(known.len()));
        replaced(text, &words)
    }

    /// A command line without what was typed: names of commands and options stay, what chooses among words of ours,
    /// addresses and numbers, and what has a placeholder stands as that.
    pub fn command_line(&self, args: impl Iterator<Item = OsString>) -> Vec<String> {
        let definition = Cli::command();
        let args = args.map(|arg| arg.to_string_lossy().into_owned());
        args.map(|arg| {
            if self.withholds {
                self.argument(&definition, &arg)
            } else {
                self.message(&arg)
            }
        })
        .collect()
    }

    fn argument(&self, definition: &clap::Command, arg: &str) -> String {
        let commands = || std::iter::once(definition).chain(definition.get_subcommands());
        let mut options = commands().flat_map(clap::Command::get_arguments);
        let long = arg.strip_prefix("--").filter(|long| !long.is_empty());
        if let Some(long) = long {
            let (name, value) = long.split_once('=').unzip();
            let name = name.unwrap_or(long);
            if !options.any(|option| option.get_long() == Some(name)) {
                return WITHHELD.to_owned();
            }
            let value = value.map(|value| format!("={}", self.value(definition, value)));
            return format!("--{name}{}", value.unwrap_or_default());
        }
        let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            return self.value(definition, arg);
        };
        if kd::is_switch(arg) {
            return arg.to_owned();
        }
        for (at, letter) in letters.char_indices() {
            let mut options = commands().flat_map(clap::Command::get_arguments);
            let Some(option) = options.find(|option| option.get_short() == Some(letter)) else {
                return WITHHELD.to_owned();
            };
            let behind = at + letter.len_utf8();
            if option.get_action().takes_values() && behind < letters.len() {
                let (flags, value) = letters.split_at(behind);
                return format!("-{flags}{}", self.value(definition, value));
            }
        }
        arg.to_owned()
    }

    fn value(&self, definition: &clap::Command, value: &str) -> String {
        let known = self
            .paths
            .iter()
            .chain(&self.tokens)
            .find(|(known, _)| known == value);
        if let Some((_, placeholder)) = known {
            return placeholder.clone();
        }
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
            || crate::address::looks_like_address(value)
            || crate::text::time::parse_span(value).is_ok()
            || value == "-"
            || value.len() < 4 && value.bytes().all(|digit| digit.is_ascii_digit());
        if is_ours {
            value.to_owned()
        } else {
            WITHHELD.to_owned()
        }
    }

    fn add_paths(&mut self, cli: &Cli) {
        let several = cli.dumps.len() > 1;
        for (number, dump) in cli.dumps.iter().enumerate() {
            let suffix = if several {
                format!("-{}", number + 1)
            } else {
                String::new()
            };
            self.add_path(dump, &format!("dump{suffix}"));
            self.add_names_of(dump, &format!("dump{suffix}"), &format!("folder{suffix}"));
        }
        let symbols = cli
            .symbols
            .iter()
            .flat_map(|option| pieces(&option.to_string_lossy()));
        let variables = ["_NT_ALT_SYMBOL_PATH", "_NT_SYMBOL_PATH"];
        let environment = variables.iter().filter_map(|variable| env::var(variable).ok());
        let all: BTreeSet<PathBuf> = symbols
            .chain(environment.flat_map(|path| pieces(&path)))
            .collect();
        for (number, path) in all.iter().enumerate() {
            self.add_path(path, &format!("symbols-{}", number + 1));
        }
        if let Some(cache) = ntlayout::cache_folder() {
            self.add_path(&cache, "symbol-cache");
        }
        if let Some(key) = &cli.redact_key {
            self.add_path(key, "key");
        }
        if let Some(output) = &cli.output {
            self.add_path(output, "output");
        }
        if let Some(Command::Check(args)) = &cli.command {
            self.add_path(&args.rules, "rules");
        }
        if let Some(Command::Triage(TriageArgs {
            resume: Some(resume), ..
        })) = &cli.command
        {
            self.add_path(resume, "records");
        }
        for file in kd::files(&cli.commands) {
            self.add_path(Path::new(file), "commands");
        }
    }

    fn add_names_of(&mut self, path: &Path, file: &str, folder: &str) {
        if let Some(name) = path.file_name() {
            self.add_path(Path::new(name), file);
        }
        if let Some(parent) = path.parent() {
            self.add_path(parent, folder);
        }
    }

    fn add_path(&mut self, path: &Path, placeholder: &str) {
        let text = path.to_string_lossy();
        if matches!(&*text, "" | "." | ".." | "/" | "\\")
            || self.paths.iter().any(|(known, _)| *known == text)
        {
            return;
        }
        add(&mut self.paths, &text, placeholder);
        // Messages may tell where it really is.
        let whole = std::path::absolute(path)
            .ok()
            .filter(|whole| whole != path && path.components().count() > 1);
        if let Some(whole) = whole {
            add(&mut self.paths, &whole.to_string_lossy(), placeholder);
        }
        self.paths
            .sort_by_key(|(known, _)| std::cmp::Reverse(known.len()));
    }

    fn add_token(&mut self, token: &str, placeholder: String) {
        if placeholder == token {
            return;
        }
        add(&mut self.tokens, token, &placeholder);
        self.tokens
            .sort_by_key(|(known, _)| std::cmp::Reverse(known.len()));
    }
}

/// Notes a word in all the ways that it may be written.
fn add(words: &mut Vec<(String, String)>, word: &str, placeholder: &str) {
    let portable = document::portable(Path::new(word));
    let escaped = [escape::text(word), word.escape_debug().to_string(), portable];
    words.push((word.to_owned(), placeholder.to_owned()));
    for escaped in escaped {
        if escaped != word {
            words.push((escaped, placeholder.to_owned()));
        }
    }
}

/// The paths in a symbol path: `srv*C:\cache*https://…` has one.
fn pieces(symbol_path: &str) -> Vec<PathBuf> {
    let pieces = symbol_path.split([';', '*']);
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
    let mut tokens: Vec<String> = match &cli.command {
        Some(Command::Message(args)) => vec![args.message.clone()],
        Some(Command::Port(args) | Command::Connections(args)) => vec![args.port.clone()],
        Some(Command::Resource(args)) => vec![args.resource.clone()],
        Some(Command::Thread(args)) => vec![args.thread.clone()],
        Some(Command::Process(args)) => vec![args.process.clone()],
        Some(Command::Object(args)) => vec![args.object.clone()],
        Some(Command::Chain(args)) => vec![args.start.clone()],
        Some(Command::Ports(args)) => args.process.iter().cloned().collect(),
        Some(Command::Graph(args)) => args.process.iter().cloned().collect(),
        Some(Command::Handles(args)) => args.process.iter().chain(&args.object_type).cloned().collect(),
        Some(Command::Dt(args)) => vec![args.type_name.clone()],
        Some(Command::Schema(args) | Command::Man(args)) => args.command.iter().cloned().collect(),
        Some(Command::Threads(args)) => args.process.iter().cloned().collect(),
        Some(Command::Modules(args)) => args.name.iter().cloned().collect(),
        _ => Vec::new(),
    };
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
    tokens
        .retain(|token| !token.is_empty() && !crate::address::looks_like_address(token) && !is_switch(token));
    tokens
}

fn is_switch(token: &str) -> bool {
    token.len() < 2 || token.starts_with('-') || kd::is_switch(token)
}

fn is_number(token: &str) -> bool {
    ["pid:", "tid:", "id:"]
        .iter()
        .any(|prefix| token.starts_with(prefix))
}

/// What stands for what was typed and has no placeholder.
const WITHHELD: &str = "withheld";

/// What stands for a token that has no placeholder of its own.
fn withheld(token: &str, classes: Classes) -> String {
    match token.split_once(':') {
        Some((prefix, _)) if is_number(token) => {
            if classes.ids {
                format!("{prefix}:withheld")
            } else {
                token.to_owned()
            }
        }
        _ if classes.names || classes.paths && token.contains('\\') => "name-withheld".to_owned(),
        _ => token.to_owned(),
    }
}

/// Replaces words that stand alone: what is beside them is no letter and no digit.
fn replaced(text: &str, words: &[(String, String)]) -> String {
    let mut text = text.to_owned();
    for (word, placeholder) in words {
        if !text.contains(word.as_str()) {
            continue;
        }
        let mut done = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(word.as_str()) {
            let (before, found) = rest.split_at(at);
            let after = &found[word.len()..];
            done.push_str(before);
            let alone = !ends_in_word(&done) && !after.starts_with(is_word);
            done.push_str(if alone { placeholder } else { word });
            rest = after;
        }
        done.push_str(rest);
        text = done;
    }
    text
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn ends_in_word(text: &str) -> bool {
    text.ends_with(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_replaced_where_they_stand_alone() {
        let words = [
            ("/a/b.dmp".to_owned(), "dump".to_owned()),
            ("b".to_owned(), "x".to_owned()),
        ];
        assert_eq!(
            replaced("/a/b.dmp: no b in abc, b!", &words),
            "dump: no x in abc, x!"
        );
        assert_eq!(replaced("", &words), "");
    }

    #[test]
    fn symbol_paths_are_taken_apart() {
        let found = pieces("srv*C:\\cache*https://server/symbols;D:\\other");
        let texts: Vec<_> = found.iter().map(|path| path.to_string_lossy()).collect();
        assert!(texts.iter().any(|path| path == "C:\\cache"));
        assert!(texts.iter().any(|path| path == "D:\\other"));
        assert!(!texts.iter().any(|path| path == "srv"));
    }
}
