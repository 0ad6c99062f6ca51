//! What TAB offers.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use alpc::image::budget::{Spent, Watch};
use alpc::port::{self, NamedPort};
use alpc::{Value, process};
use clap::CommandFactory;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use crate::cli::Cli;
use crate::kd;
use crate::shell::Shell;
use crate::text::escape;

/// What is offered at once: of more nobody would find the right one.
const MOST: usize = 500;

/// Names of a dump that are known, each of things that there may be a hundred thousand of.
const NAMES: usize = 5_000;

/// Reads that finding the names may take, less than a second's.
const READS: u64 = 1 << 20;

/// Completes the lines over a dump.
pub struct Completion<'s, 'c> {
    shell: &'s Shell<'c>,
    ours: clap::Command,
    names: OnceCell<BTreeSet<String>>,
}

/// Ends the search for names when it takes long.
struct AtMost(u64);

impl Watch for AtMost {
    fn goes_on(&self, so_far: Spent) -> bool {
        so_far.reads < self.0
    }
}

impl<'s, 'c> Completion<'s, 'c> {
    /// What completes the lines of a prompt.
    pub fn of(shell: &'s Shell<'c>) -> Self {
        Self {
            shell,
            ours: Cli::command(),
            names: OnceCell::new(),
        }
    }

    /// What may stand in the place of the word behind `before`.
    fn offers(&self, before: &[&str], word: &str) -> Vec<Pair> {
        let Some((&verb, _)) = before.split_first() else {
            return matching(word, kd::beginnings());
        };
        if matches!(verb, "help" | ".help") {
            return matching(word, kd::beginnings());
        }
        if let Some(digits) = word.strip_prefix('#') {
            return self.rows(digits);
        }
        let command = self.ours.find_subcommand(verb.trim_start_matches('!'));
        if let Some(values) = values(command, before.last()) {
            return matching(word, values.iter().map(String::as_str));
        }
        if word.starts_with(['-', '/']) {
            let options = options(command, verb);
            return matching(word, options.iter().map(String::as_str));
        }
        let heard = self.shell.heard();
        let mut offers = matching(word, heard.printed());
        offers.extend(matching(word, self.names().iter().map(String::as_str)));
        offers.truncate(MOST);
        offers
    }

    fn rows(&self, digits: &str) -> Vec<Pair> {
        let heard = self.shell.heard();
        let rows = heard.rows().iter().zip(1..);
        let rows = rows.filter(|(_, number): &(_, usize)| number.to_string().starts_with(digits));
        rows.take(MOST)
            .map(|(row, number)| Pair {
                display: escape::text(&format!("#{number}  {}", row.text)),
                replacement: format!("#{number}"),
            })
            .collect()
    }

    /// The names of processes and ports, once they were asked for. Those of a redacted report would be placeholders, which
    /// no line can name.
    fn names(&self) -> &BTreeSet<String> {
        self.names.get_or_init(|| match self.shell.cli.redact.is_empty() {
            true => self.found_names().unwrap_or_default(),
            false => BTreeSet::new(),
        })
    }

    fn found_names(&self) -> Option<BTreeSet<String>> {
        let kernel = self.shell.session.kernel().ok()?;
        let kernel = &kernel.watched(Arc::new(AtMost(READS)));
        let processes = process::processes(kernel).map(|list| list.entries);
        let images = processes
            .unwrap_or_default()
            .into_iter()
            .filter_map(|address| process::image_name(kernel.at(address)).ok());
        let ports = port::port_list(kernel).map(|list| list.entries);
        let ports = ports.unwrap_or_default().into_iter();
        let ports = ports.filter_map(|address| match NamedPort::at(kernel, address).name {
            Value::Known(name) => name,
            Value::Missing(_) => None,
        });
        let names = images.take(NAMES).chain(ports.take(NAMES));
        // What would act on a terminal is offered to nobody, nor what no quotes could hold together.
        let names = names.filter(|name| escape::text(name) == *name && !name.contains('"'));
        let written = names.map(|name| match name.contains([' ', ';']) {
            true => format!("\"{name}\""),
            false => name,
        });
        Some(written.filter(|name| !name.is_empty()).collect())
    }
}

/// What begins with the word, whatever its case.
fn matching<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Vec<Pair> {
    let begins = |name: &&str| {
        let bare = name.trim_start_matches('"');
        let start = bare.get(..word.trim_start_matches('"').len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word.trim_start_matches('"')))
    };
    let pair = |name: &str| Pair {
        display: name.to_owned(),
        replacement: name.to_owned(),
    };
    names.filter(begins).take(MOST).map(pair).collect()
}

/// The values that the option before the word takes, where they are words of ours.
fn values(command: Option<&clap::Command>, before: Option<&&str>) -> Option<Vec<String>> {
    let long = before?.strip_prefix("--")?;
    let option = command?
        .get_arguments()
        .find(|option| option.get_long() == Some(long))?;
    let values = option.get_possible_values();
    let values = values.iter().map(|value| value.get_name().to_owned());
    (option.get_action().takes_values() && values.len() > 0).then(|| values.collect())
}

fn options(command: Option<&clap::Command>, verb: &str) -> Vec<String> {
    if verb.eq_ignore_ascii_case("!alpc") {
        return kd::switches().chain(["/v".to_owned()]).collect();
    }
    let own = command.into_iter().flat_map(clap::Command::get_arguments);
    let own = own.filter_map(|option| Some(format!("--{}", option.get_long()?)));
    own.chain(command.map(|_| "--verbose".to_owned())).collect()
}

/// The words before the one that ends at `end`, of the command that it is part of, and where it begins.
fn parts(line: &str, end: usize) -> (Vec<&str>, usize) {
    let typed = line.get(..end).unwrap_or(line);
    let (mut begins, mut from, mut quoted) = (0, 0, false);
    for (at, c) in typed.char_indices() {
        match c {
            '"' => {
                quoted = !quoted;
                if quoted {
                    from = at;
                }
            }
            ';' if !quoted => {
                begins = at + 1;
                from = at + 1;
            }
            c if c.is_whitespace() && !quoted => from = at + c.len_utf8(),
            _ => {}
        }
    }
    let before = typed.get(begins..from).unwrap_or_default();
    (before.split_whitespace().collect(), from)
}

impl Completer for Completion<'_, '_> {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (before, from) = parts(line, pos);
        let word = line.get(from..pos).unwrap_or_default();
        Ok((from, self.offers(&before, word)))
    }
}

impl Hinter for Completion<'_, '_> {
    type Hint = String;
}

impl Highlighter for Completion<'_, '_> {}

impl Validator for Completion<'_, '_> {}

impl Helper for Completion<'_, '_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_that_at_the_cursor() {
        for (typed, before, from) in [
            ("", &[][..], 0),
            ("cha", &[], 0),
            ("chain ls", &["chain"], 6),
            ("lm; chain  -", &["chain"], 11),
            ("port \"a b", &["port"], 5),
            ("port \"a;b\" x", &["port", "\"a;b\""], 11),
            ("\u{e9}\u{a0}x", &["\u{e9}"], 4),
        ] {
            assert_eq!(parts(typed, typed.len()), (before.to_vec(), from), "{typed}");
        }
    }

    #[test]
    fn what_begins_so_is_offered_in_any_case() {
        let names = ["lsass.exe", "\"a b\"", "\u{e9}x"];
        let offered = |word: &str| {
            let all = matching(word, names.iter().copied());
            all.into_iter().map(|pair| pair.replacement).collect::<Vec<_>>()
        };
        assert_eq!(offered("LS"), ["lsass.exe"]);
        assert_eq!(offered("\"a"), ["\"a b\""]);
        assert_eq!(offered("a"), ["\"a b\""]);
        assert_eq!(offered("\u{e8}"), [""; 0]);
        assert_eq!(offered("").len(), 3);
    }
}
