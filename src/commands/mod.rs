//! One file a command: its arguments, what is known of it, what it gathers and how it is written.

pub mod about;
pub mod accessible;
pub mod analyze;
pub mod calls;
pub mod carve;
pub mod chain;
pub mod check;
pub mod connections;
pub mod diff;
pub mod dt;
pub mod global;
pub mod graph;
pub mod graph_page;
pub mod handles;
pub mod hang;
pub mod hang_screen;
pub mod info;
pub mod irp;
pub mod kernel_identity;
pub mod locks;
#[cfg(feature = "mcp")]
pub mod mcp;
pub mod mem;
pub mod message;
pub mod modules;
pub mod object;
pub mod pack;
pub mod port;
pub mod ports;
pub mod processes;
pub mod report;
pub mod resource;
pub mod security;
pub mod sessions;
pub mod shell;
pub mod stack;
pub mod stacks;
pub mod summary;
pub mod symbols;
pub mod thread;
pub mod threads;
pub mod timeline;
pub mod token;
pub mod triage;
pub mod waits;

use std::path::Path;

use alpc::Kernel;

use crate::failure::Failure;
use crate::options::{Format, Options};
use crate::output::answer::{Answer, symbol_source};
use crate::output::document::DumpRef;
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::Table;
use crate::session::Session;

/// What in a record names memory that values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The evidence of steps: a field, and the structure that has it.
    Evidence,
    /// The entries of handles.
    Entries,
}

/// What is known of a command. Help, completions, manual pages, schema, dispatch and the debugger's switches are made
/// from it.
pub struct Spec {
    /// Where `--help` shows it.
    pub category: Category,
    /// The switches of `!alpc` that stand for it, in lower case, with the words that each becomes.
    pub switches: &'static [(&'static str, &'static [&'static str])],
    /// Its name and what it writes as JSON; nothing for what is about the program.
    pub shape: Shape,
}

impl Spec {
    /// Its name, as it is written on the command line.
    pub fn name(&self) -> &'static str {
        self.shape.name
    }
}

/// The groups of `--help`, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    Waits,
    Many,
    Views,
    System,
    Gates,
    Dump,
    Program,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Waits,
        Self::Many,
        Self::Views,
        Self::System,
        Self::Gates,
        Self::Dump,
        Self::Program,
    ];

    /// What stands above its commands.
    pub fn title(self) -> &'static str {
        match self {
            Self::Waits => "Who waits for whom",
            Self::Many => "Many dumps",
            Self::Views => "The views of !alpc",
            Self::System => "The system around it",
            Self::Gates => "Gates",
            Self::Dump => "The dump and its symbols",
            Self::Program => "About this program, without a dump",
        }
    }
}

/// A file that a command's arguments name to be read.
pub struct NamedFile<'a> {
    /// The file.
    pub path: &'a Path,
    /// What it is to the command; none for one that results may be appended to.
    pub what: Option<&'static str>,
    /// What stands for its path in a redacted report.
    pub placeholder: &'static str,
}

/// What a command does with its arguments.
pub trait Verb {
    /// Runs it on one dump: what fills a table has its records gathered into one document.
    ///
    /// # Errors
    /// Why it gives nothing.
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        gathered(self, options, session)
    }

    /// The table that it fills, if it gives one.
    fn table(&self) -> Option<Table> {
        None
    }

    /// Fills that table, each record as soon as it is read.
    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        let _ = (options, session, records);
        Err(Failure::fatal("format-not-here", "the command gives no table"))
    }

    /// Whether it writes a format that only some commands have.
    fn writes(&self, format: Format) -> bool {
        let _ = format;
        false
    }

    /// Whether it shows one thing, whose values can be explained one by one.
    fn is_of_one_thing(&self) -> bool {
        false
    }

    /// What of its record names the members that `--explain` looks up, where it shows more than one thing.
    fn explains(&self) -> Option<Named> {
        None
    }

    /// Names the one thing by its address.
    fn look_at(&mut self, address: String) {
        let _ = address;
    }

    /// Whether it shows memory as it is, of which nothing can be hidden, and what shows it.
    fn shows_memory(&self) -> Option<&'static str> {
        None
    }

    /// Whether the exit status is what it is run for.
    fn tells_verdict(&self) -> bool {
        false
    }

    /// Whether it is read in a pager where stdout is a terminal: not what is written while somebody looks on.
    fn is_paged(&self) -> bool {
        true
    }

    /// Whether `--output` is what it makes, not where its results go.
    fn writes_own_file(&self) -> bool {
        false
    }

    /// What things are named by in its arguments.
    fn named(&self) -> Vec<String> {
        Vec::new()
    }

    /// The file that its arguments name, beside dumps and symbols.
    fn file(&self) -> Option<NamedFile<'_>> {
        None
    }
}

/// The document of a command that fills a table.
fn gathered(verb: &(impl Verb + ?Sized), options: &Options, session: &Session) -> anyhow::Result<Answer> {
    let nowhere = DumpRef::default();
    let mut records = Records::gathered(&nowhere, options.format == Format::Text);
    let answer = verb.fill(options, session, &mut records)?;
    Ok(records.into_document(answer))
}

/// The kernel, once the first of its records can be written.
fn open_kernel<'s>(
    options: &Options,
    session: &'s Session,
    records: &mut Records<'_>,
) -> anyhow::Result<Kernel<'s>> {
    let kernel = session.kernel()?;
    let symbols = symbol_source(&kernel, session.choice());
    records.head(options, Some(&symbols.redacted(&session.redactor())))?;
    Ok(kernel)
}

/// A command that is about the program was given a dump.
fn needs_no_dump(spec: &Spec) -> anyhow::Error {
    Failure::fatal("no-dump-needed", format!("{} takes no dump", spec.name()))
}
