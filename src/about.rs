//! What is told of the program itself, without a dump: its schema, completions, manual pages.

use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::{self, Command, SPECS};
use crate::commands::{diff, triage};
use crate::failure::Failure;
use crate::output::schema::{self, Shape};

/// What the command writes; nothing for a command that is about a dump.
pub fn run(command: &Command) -> Option<anyhow::Result<Vec<u8>>> {
    Some(match command {
        Command::Schema(args) => schema(args.command.as_deref()),
        Command::Completions(args) => completions(args.shell),
        Command::Man(args) => man(args.command.as_deref()),
        _ => return None,
    })
}

fn completions(shell: Shell) -> anyhow::Result<Vec<u8>> {
    let mut script = Vec::new();
    let mut definition = cli::definition();
    clap_complete::generate(shell, &mut definition, env!("CARGO_PKG_NAME"), &mut script);
    let commands: Vec<&str> = definition
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    Ok(mended(shell, &String::from_utf8(script)?, &commands).into_bytes())
}

/// What the scripts lack of themselves. That of fish and PowerShell takes the first word for the command, which stands
/// behind the dumps. That of bash spells a program with a hyphen in two ways: it sets one and asks for the other, and
/// then knows no option of any command.
fn mended(shell: Shell, script: &str, commands: &[&str]) -> String {
    match shell {
        Shell::Bash => script.replace("alpc__subcmd__dump__subcmd__", "alpc__dump__subcmd__"),
        Shell::Fish => script.replacen(
            "    if set -q argv[1]\n        # Also print the command, so this can be used to figure out what it is.\n        \
             echo $argv[1]\n        return 1\n    end\n",
            &format!(
                "    for word in $argv\n        if contains -- $word {}\n            echo $word\n            \
                 return 1\n        end\n    end\n",
                commands.join(" ")
            ),
            1,
        ),
        Shell::PowerShell => script.replacen(
            "        $element.Value\n    })",
            &format!(
                "        if (@('{}') -contains $element.Value) {{ $element.Value }}\n    }})",
                commands.join("', '")
            ),
            1,
        ),
        _ => script.to_owned(),
    }
}

/// What all commands write, or one of them.
fn schema(command: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let all = SPECS.iter().map(|spec| &spec.shape);
    let shapes: Vec<&Shape> = all.filter(|shape| !shape.results.is_empty()).collect();
    let whole = schema::whole(&shapes, &[&diff::TABLE, &triage::sheet::ROWS]);
    let schema = match command {
        None => whole,
        Some(name) => {
            let one = shapes.iter().find(|shape| shape.name == name);
            schema::of_command(whole, one.ok_or_else(|| no_command(command))?)
        }
    };
    let mut text = serde_json::to_vec_pretty(&schema)?;
    text.push(b'\n');
    Ok(text)
}

/// The manual page of the program, or of one command.
fn man(command: Option<&str>) -> anyhow::Result<Vec<u8>> {
    // `help` has no page: it shows what the pages have.
    let mut definition = cli::definition().disable_help_subcommand(true);
    definition.build();
    let page = match command {
        None => definition,
        Some(name) => {
            let found = definition.find_subcommand(name).cloned();
            let found = found.ok_or_else(|| no_command(command))?;
            // Pages are named as those of git: alpc-dump-message(1).
            let title = format!("{}-{name}", env!("CARGO_PKG_NAME"));
            found.name(title.clone()).display_name(title)
        }
    };
    let mut text = Vec::new();
    let source = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    Man::new(page).source(source).render(&mut text)?;
    Ok(tidied(&String::from_utf8(text)?).into_bytes())
}

/// The page as formatters and readers want it. A date that is not there would move the version into its place; empty
/// lines come as one between two line breaks; a backslash in text has a name; and what stands behind the options is
/// laid out already.
fn tidied(page: &str) -> String {
    // `.TH` has name, chapter, date, source and manual in this order; `\\` is no back-slash in all of its
    // macros, and `\(rs` is one everywhere (groff_man(7), groff_char(7)).
    page.replacen(" 1  \"", " 1 \"\" \"", 1)
        .replace("\n.br\n\n.br\n", "\n.sp\n")
        .replace(r"\\", r"\(rs")
        .replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n.nf\n")
        .replace("\n\nHow things are named:\n", "\n.fi\n.SH NAMES\n.nf\n")
        .replace(
            "\n\nExit status, the first that applies:\n",
            "\n.fi\n.SH \"EXIT STATUS\"\nThe first that applies:\n.sp\n.nf\n",
        )
        .replace("\n\nThe dump is opened", "\n.fi\n.SH NOTES\nThe dump is opened")
}

fn no_command(command: Option<&str>) -> anyhow::Error {
    let name = command.unwrap_or_default();
    let near = cli::nearest_command(name).map(|near| format!("; did you mean {near}?"));
    Failure::fatal(
        "no-such-command",
        format!(
            "there is no command \"{}\"{}",
            name.escape_debug(),
            near.unwrap_or_default()
        ),
    )
}
