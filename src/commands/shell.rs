//! `shell`: the prompt. What it does is above all commands, which it runs.

use clap::Args;

use crate::commands::{Category, Spec, Verb};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::session::Session;

/// Ask line by line over one opened dump, with editing, history and completion
#[derive(Clone, Debug, Args)]
pub struct ShellArgs {
    /// Keep no history of what is typed
    #[arg(long)]
    pub no_history: bool,
}

impl ShellArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Dump,
        switches: &[],
        shape: Shape {
            name: "shell",
            results: &[],
            tables: &[],
            whole: &[],
        },
    };
}

impl Verb for ShellArgs {
    fn run(&self, _: &Options, _: &Session) -> anyhow::Result<Answer> {
        Err(Failure::fatal(
            "shell-not-here",
            "a line cannot begin another prompt: give the command here",
        ))
    }
}
