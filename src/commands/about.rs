//! Commands that need no dump: `schema`, `completions`, `man`. What they tell is made from all commands, above them.

use clap::Args;

use crate::commands::{Category, Spec, Verb, needs_no_dump};
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::session::Session;

/// The JSON Schema of what commands write with --format json or ndjson
#[derive(Clone, Debug, Args)]
pub struct SchemaArgs {
    /// One command; all of them without it
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

impl SchemaArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Program,
        switches: &[],
        shape: Shape {
            name: "schema",
            results: &[],
            tables: &[],
            whole: &[],
        },
    };
}

impl Verb for SchemaArgs {
    fn run(&self, _: &Options, _: &Session) -> anyhow::Result<Answer> {
        Err(needs_no_dump(&Self::SPEC))
    }

    fn named(&self) -> Vec<String> {
        self.command.iter().cloned().collect()
    }
}

/// Completions for a shell
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

impl CompletionsArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Program,
        switches: &[],
        shape: Shape {
            name: "completions",
            results: &[],
            tables: &[],
            whole: &[],
        },
    };
}

impl Verb for CompletionsArgs {
    fn run(&self, _: &Options, _: &Session) -> anyhow::Result<Answer> {
        Err(needs_no_dump(&Self::SPEC))
    }
}

/// The manual page of the program, or of one command
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// One command; all of them without it
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

impl ManArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Program,
        switches: &[],
        shape: Shape {
            name: "man",
            results: &[],
            tables: &[],
            whole: &[],
        },
    };
}

impl Verb for ManArgs {
    fn run(&self, _: &Options, _: &Session) -> anyhow::Result<Answer> {
        Err(needs_no_dump(&Self::SPEC))
    }

    fn named(&self) -> Vec<String> {
        self.command.iter().cloned().collect()
    }
}
