//! `mcp`: the Model Context Protocol over stdin and stdout, for assistants that ask about dumps.
//!
//! A tool is a command ([`tools`]), and its answer is the document that the command writes with `--format json`. Dumps
//! stay open in a thread of their own ([`worker`]), which answers one question after the other; only those in the
//! folders of the command line are opened ([`allowed`]). Long lists come in pages ([`pages`]).

mod allowed;
mod pages;
mod server;
mod tools;
mod worker;

use std::io::{self, Write};

use rmcp::ServiceExt;
use rmcp::transport::stdio;

use crate::asked;
use crate::cli::Cli;
use crate::commands::mcp::McpArgs;
use crate::failure::Status;
use crate::mcp::allowed::Allowed;
use crate::mcp::server::Server;
use crate::redact::Redactor;
use crate::text::escape;

/// Answers until the client closes stdin.
pub fn serve(cli: &Cli, args: &McpArgs) -> Status {
    match served(cli, args) {
        Ok(()) => Status::Complete,
        Err(error) => {
            let mut typed = asked::typed(cli);
            if typed.classes.is_some() {
                let folders = args.allow.iter().cloned();
                typed
                    .paths
                    .extend(folders.map(|path| (path, "folder".to_owned())));
            }
            let text = Redactor::of(&typed).message(&format!("{error:#}"));
            let text = escape::lines(&text);
            let _ = writeln!(io::stderr(), "alpc-dump: {text}");
            Status::Fatal
        }
    }
}

fn served(cli: &Cli, args: &McpArgs) -> anyhow::Result<()> {
    let allowed = Allowed::new(&args.allow)?;
    let server = Server::new(worker::begin(cli.clone(), allowed)?);
    // One thread: what takes long is done by another one.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(async {
        let running = server.serve(stdio()).await?;
        running.waiting().await?;
        anyhow::Ok(())
    });
    // A read of stdin that is still waiting cannot be ended, and must not hold the program.
    runtime.shutdown_background();
    ended
}
