//! `--redact`: placeholders for what a report must not tell.
//!
//! What comes out of the dump is replaced where it enters the records ([`alpc::image::redact`]). What comes from the command
//! line and from this machine is replaced here, in all that is written: the paths of the dump and of symbols, and
//! what a user named a thing by.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alpc::image::redact::{Classes, Redaction};
use alpc::system::own::TypesFrom;
use kdump::Dump;
use ntlayout::{Looked, Outcome};

use crate::failure::Failure;
use crate::host::reading;
use crate::options::{Class, Options};
use crate::text::escape;

/// Bytes that a key has at least: fewer can be guessed.
const KEY_BYTES: usize = 16;

/// What the kernel's symbols are called everywhere.
const KERNEL_PDBS: [&str; 5] = [
    // Of one source Microsoft builds a kernel for several processors, on x86 with and without PAE, since Windows 10
    // one for five levels of page tables: their PDBs are called so on every machine, and tell nobody anything.
    "ntkrnlmp.pdb",
    "ntkrpamp.pdb",
    "ntkrnlpa.pdb",
    "ntkrla57.pdb",
    "ntoskrnl.pdb",
];

/// What is replaced of a dump, drawn by what is in it or by the key that the command line names.
pub fn of_dump(options: &Options, dump: &Dump) -> anyhow::Result<Option<Arc<Redaction>>> {
    let Some(classes) = classes(options) else {
        return Ok(None);
    };
    let secret = match &options.redact_key {
        Some(path) => key(path)?,
        None => dump.sample().map_err(|error| {
            let path = dump.path().display();
            Failure::fatal("io", format!("{path}: cannot be read: {error}"))
        })?,
    };
    Ok(Some(Arc::new(Redaction::new(&alpc::CONTRACT, classes, &secret))))
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

pub fn classes(options: &Options) -> Option<Classes> {
    let has = |class| options.redacts(class);
    (!options.redact.is_empty()).then(|| Classes {
        names: has(Class::Names),
        paths: has(Class::Paths),
        ids: has(Class::Ids),
    })
}

/// Refuses commands that compare names: with those of a rule file or of another dump, which placeholders are not.
pub fn refuse_comparing(options: &Options) -> anyhow::Result<()> {
    if options.redact.is_empty() {
        return Ok(());
    }
    let command = options.command.unwrap_or("this");
    Err(Failure::fatal(
        "redact-not-here",
        format!("{command} compares names, which --redact replaces: leave one of them out"),
    ))
}

/// What the command line and this machine tell that a report must not.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// What is to be replaced.
    pub classes: Option<Classes>,
    /// Paths with what stands for them, in the order in which they are learned.
    pub paths: Vec<(PathBuf, String)>,
    /// What things were named by.
    pub tokens: Vec<String>,
    /// The command line, each word in its parts.
    pub line: Arc<[Vec<Part>]>,
}

/// A part of a word of the command line.
#[derive(Clone, Debug)]
pub enum Part {
    /// A word of the program's own, or what stands between two parts.
    Ours(String),
    /// What is told only where it has a placeholder, or where it is one of the words that the program knows.
    Value {
        /// What was typed.
        text: String,
        /// Whether the program knows the word.
        is_ours: bool,
    },
    /// What is not told.
    Withheld(String),
}

/// Replaces what is known of the command line and of this machine.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// The command line.
    line: Arc<[Vec<Part>]>,
    /// Paths, the longest first, with what stands for them.
    paths: Vec<(String, String)>,
    /// What things were named by.
    tokens: Vec<(String, String)>,
    /// Whether what was typed is kept back where nothing says that it may be told.
    withholds: bool,
    learned: usize,
}

impl Redactor {
    /// What the command line tells. Names on it have one placeholder as long as no dump is there to draw others.
    pub fn of(typed: &Typed) -> Self {
        let mut redactor = Self {
            line: Arc::clone(&typed.line),
            ..Self::default()
        };
        let Some(classes) = typed.classes else {
            return redactor;
        };
        if classes.paths {
            for (path, placeholder) in &typed.paths {
                redactor.add_path(path, placeholder);
            }
        }
        redactor.withholds = classes.names || classes.paths;
        for token in &typed.tokens {
            redactor.add_token(token, withheld(token, classes));
        }
        redactor
    }

    /// The same with the placeholders of a dump.
    pub fn of_dump(typed: &Typed, redaction: Option<&Redaction>) -> Self {
        let mut redactor = Self::of(typed);
        let Some(redaction) = redaction else {
            return redactor;
        };
        redactor.tokens.clear();
        for token in &typed.tokens {
            let placeholder = match is_number(token) {
                true => withheld(token, redaction.classes()),
                false => redaction.token(token),
            };
            redactor.add_token(token, placeholder);
        }
        redactor
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

    /// A path of this machine, or a text that has one in it.
    pub fn view(&self, text: &str) -> String {
        replaced(text, &self.paths)
    }

    /// Where types are from, without the names of files.
    pub fn types_from(&self, all: Vec<TypesFrom>) -> Vec<TypesFrom> {
        let all = all.into_iter().map(|from| TypesFrom {
            source: self.view(&from.source),
            ..from
        });
        all.collect()
    }

    /// A message with paths replaced, and what things were named by as well.
    pub fn message(&self, text: &str) -> String {
        // The longest first: part of one can be another.
        let mut words: Vec<_> = self.paths.iter().chain(&self.tokens).cloned().collect();
        words.sort_by_key(|(known, _)| std::cmp::Reverse(known.len()));
        replaced(text, &words)
    }

    /// The command line without what was typed: names of commands and options stay, what chooses among words of ours,
    /// addresses and numbers, and what has a placeholder stands as that.
    pub fn command_line(&self) -> Vec<String> {
        let line = self.line.iter();
        line.map(|word| word.iter().map(|part| self.part(part)).collect())
            .collect()
    }

    fn part(&self, part: &Part) -> String {
        match part {
            Part::Ours(text) if self.withholds => text.clone(),
            Part::Value { text, is_ours } if self.withholds => {
                let mut words = self.paths.iter().chain(&self.tokens);
                match words.find(|(known, _)| known == text) {
                    Some((_, placeholder)) => placeholder.clone(),
                    None if *is_ours => text.clone(),
                    None => WITHHELD.to_owned(),
                }
            }
            Part::Withheld(_) if self.withholds => WITHHELD.to_owned(),
            Part::Ours(text) | Part::Withheld(text) | Part::Value { text, .. } => self.message(text),
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
    let portable = reading::portable(Path::new(word));
    let escaped = [escape::text(word), word.escape_debug().to_string(), portable];
    words.push((word.to_owned(), placeholder.to_owned()));
    for escaped in escaped {
        if escaped != word {
            words.push((escaped, placeholder.to_owned()));
        }
    }
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
}
