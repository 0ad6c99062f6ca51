//! `mcp`: questions of an assistant, which a server of their own answers.

use std::path::PathBuf;

use clap::Args;

use crate::commands::{Category, Spec, Verb, needs_no_dump};
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::session::Session;

/// Answer an assistant's questions about dumps, by the Model Context Protocol over stdin and stdout
#[derive(Clone, Debug, Args)]
pub struct McpArgs {
    /// Folder whose dumps may be asked about, with the folders in it; may be given several times
    #[arg(long, value_name = "FOLDER", required = true)]
    pub allow: Vec<PathBuf>,
}

impl McpArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Program,
        switches: &[],
        shape: Shape {
            name: "mcp",
            results: &[],
            tables: &[],
            whole: &[],
        },
    };
}

impl Verb for McpArgs {
    fn run(&self, _: &Options, _: &Session) -> anyhow::Result<Answer> {
        Err(needs_no_dump(&Self::SPEC))
    }
}
