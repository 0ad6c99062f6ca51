//! The arguments.

use std::ffi::OsString;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::{self, Category, Spec, Verb};
use crate::host::terminal;
use crate::options::{Format, Options};

const EXAMPLES: &str = "\
Examples:
  alpc-dump memory.dmp info
  alpc-dump memory.dmp message fffff8800f4cc950
  alpc-dump memory.dmp message fffff880`0f4cc950 -v --format json
  alpc-dump memory.dmp -y C:\\symbols message fffff8800f4cc950
  alpc-dump memory.dmp message id:3068
  alpc-dump memory.dmp port '\\RPC Control\\ntsvcs'
  alpc-dump memory.dmp handles --type 'ALPC Port' --process pid:0x33c
  alpc-dump memory.dmp -c \"!alpc /m fffff8800f4cc950; !alpc /lpp fffffa801807b8f0\"

How things are named:
  fffff8800f4cc950    an address: at least eight hex digits, or any with 0x or a back-tick
  pid:828 pid:0x33c   a process by its id; tid:N a thread, id:N a message
  svchost.exe         a process by its image name
  current             the thread that crashed or ran where the dump was written, or its process
  ntsvcs              a port by its name, or by its full path: '\\RPC Control\\ntsvcs'
  name:deadbeef       a name that would be taken for something else
A name that several things have is refused with the list of them.

Exit status, the first that applies:
  2  usage or fatal error
  1  a finding, or the thing asked for is not there, or is not one thing
  3  printed, but part of it could not be read
  0  complete
Over several dumps: the first of these that any of them has.

The dump is opened read-only and nothing is written beside it. No network, no telemetry.";

/// Who waits for whom over ALPC, from a Windows kernel crash dump: the views of the debugger's !alpc
/// extension, without the debugger.
#[derive(Clone, Debug, Parser)]
#[command(name = "alpc-dump", version, after_help = EXAMPLES, subcommand_precedence_over_arg = true)]
#[command(override_usage = "alpc-dump [OPTIONS] <DUMP>... <COMMAND> [ARGS]")]
pub struct Cli {
    /// Kernel crash dumps or images of memory; one that is named like a command is written ./NAME
    #[arg(value_name = "DUMP")]
    pub dumps: Vec<PathBuf>,

    #[command(flatten)]
    pub options: Options,

    /// Debugger command lines or commands of ours, several separated by ;, or $<FILE for a file of them; may be
    /// given several times
    #[arg(
        short = 'c',
        long = "commands",
        value_name = "LINES",
        help_heading = "Debugger command lines"
    )]
    pub commands: Vec<String>,

    /// Ask line by line over one opened dump, like the command shell; lines of -c and a command come first
    #[arg(short, long, help_heading = "Debugger command lines")]
    pub interactive: bool,

    /// Keep no history of what is typed at the prompt
    #[arg(long, requires = "interactive", help_heading = "Debugger command lines")]
    pub no_history: bool,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Makes the list of commands: each has its arguments, and everything else that is known of it, in a file of its own.
macro_rules! commands {
    ($($(#[$when:meta])* $name:ident: $args:ty,)*) => {
        /// What to do with the dumps.
        #[derive(Clone, Debug, Subcommand)]
        pub enum Command {
            $($(#[$when])* $name($args),)*
        }

        impl Command {
            /// What it does.
            pub fn verb(&self) -> &dyn Verb {
                match self {
                    $($(#[$when])* Self::$name(args) => args,)*
                }
            }

            /// What is known of it.
            pub fn spec(&self) -> &'static Spec {
                match self {
                    $($(#[$when])* Self::$name(_) => &<$args>::SPEC,)*
                }
            }

            /// What it does, to be changed.
            pub fn verb_mut(&mut self) -> &mut dyn Verb {
                match self {
                    $($(#[$when])* Self::$name(args) => args,)*
                }
            }
        }

        /// What is known of each command, in the order of `--help`.
        pub const SPECS: &[&Spec] = &[$($(#[$when])* &<$args>::SPEC,)*];
    };
}

commands! {
    Hang: commands::hang::HangArgs,
    Chain: commands::chain::ChainArgs,
    Waits: commands::waits::WaitsArgs,
    Calls: commands::calls::CallsArgs,
    Locks: commands::locks::LocksArgs,
    Graph: commands::graph::GraphArgs,
    Summary: commands::summary::SummaryArgs,
    Report: commands::report::ReportArgs,
    Triage: commands::triage::TriageArgs,
    Message: commands::message::MessageArgs,
    Port: commands::port::PortArgs,
    Resource: commands::resource::ResourceArgs,
    Global: commands::global::GlobalArgs,
    Connections: commands::connections::ConnectionsArgs,
    Ports: commands::ports::PortsArgs,
    Analyze: commands::analyze::AnalyzeArgs,
    Threads: commands::threads::ThreadsArgs,
    Thread: commands::thread::ThreadArgs,
    Stack: commands::stack::StackArgs,
    Stacks: commands::stacks::StacksArgs,
    Processes: commands::processes::ProcessesArgs,
    Process: commands::processes::ProcessArgs,
    Sessions: commands::sessions::SessionsArgs,
    Services: commands::sessions::ServicesArgs,
    Handles: commands::handles::HandlesArgs,
    Object: commands::object::ObjectArgs,
    Irp: commands::irp::IrpArgs,
    Token: commands::token::TokenArgs,
    Security: commands::security::SecurityArgs,
    Carve: commands::carve::CarveArgs,
    Timeline: commands::timeline::TimelineArgs,
    Modules: commands::modules::ModulesArgs,
    Dt: commands::dt::DtArgs,
    Mem: commands::mem::MemArgs,
    Check: commands::check::CheckArgs,
    Diff: commands::diff::DiffArgs,
    Info: commands::info::InfoArgs,
    Shell: commands::shell::ShellArgs,
    Symbols: commands::symbols::SymbolsArgs,
    Pack: commands::pack::PackArgs,
    #[cfg(feature = "mcp")]
    Mcp: commands::mcp::McpArgs,
    Schema: commands::about::SchemaArgs,
    Completions: commands::about::CompletionsArgs,
    Man: commands::about::ManArgs,
}

/// Reads the arguments.
///
/// # Errors
/// Usage errors, and what is printed instead of running: help and version.
pub fn parse(args: Vec<OsString>) -> Result<Cli, clap::Error> {
    // Writing the help takes longer than most commands do.
    let asks_help = args.iter().any(|arg| {
        let arg = arg.to_string_lossy();
        let is_short = arg.starts_with('-') && !arg.starts_with("--") && arg.contains('h');
        is_short || arg == "--help" || arg == "help"
    });
    let definition = if asks_help { definition() } else { Cli::command() };
    #[cfg(not(feature = "mcp"))]
    if args
        .get(1)
        .is_some_and(|word| word == "mcp" && !Path::new(word).exists())
    {
        return Err(without_mcp());
    }
    let cli = Cli::of_matches(&definition.try_get_matches_from(args)?)?;
    match &cli.command {
        Some(command) if !cli.commands.is_empty() && !matches!(command, Command::Shell(_)) => {
            Err(lines_beside(command))
        }
        _ => Ok(cli),
    }
}

/// The server for assistants is a part that not every build has.
#[cfg(not(feature = "mcp"))]
fn without_mcp() -> clap::Error {
    Cli::command().error(
        ErrorKind::InvalidSubcommand,
        "this build has no mcp: it is a feature, as `cargo install --locked --features mcp --path .` builds it",
    )
}

/// Lines of `-c` are commands themselves. Beside another one, one of the two would be left undone.
fn lines_beside(command: &Command) -> clap::Error {
    let name = command.spec().name();
    Cli::command().error(
        ErrorKind::ArgumentConflict,
        format!(
            "-c is given beside the command {name}: give one of them, or write {name} among the lines of -c"
        ),
    )
}

/// The arguments with the help that groups the commands.
pub fn definition() -> clap::Command {
    /// As `--help` writes it without a terminal to fit.
    const TEMPLATE: &str =
        "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}{all-args}{after-help}";
    let mut whole = Cli::command();
    whole.build();
    let mut shown = whole
        .clone()
        .mut_subcommands(|command| command.hide(true))
        .before_help(categories(&whole, |_| true))
        .help_template(TEMPLATE)
        .mut_arg("help", |help| help.help("Print help"));
    let help = shown.render_help();
    Cli::command().override_help(help)
}

/// Commands as `--help` groups them.
pub fn categories_of(shown: impl Fn(&Spec) -> bool) -> String {
    format!("{}\n", categories(&Cli::command(), shown))
}

/// The help of a command as a line has it: with its own arguments, and without the options of the whole run.
pub fn line_help(name: &str) -> Option<String> {
    SPECS.iter().find(|spec| spec.name() == name)?;
    let whole = Cli::command();
    let command = whole.find_subcommand(name)?.clone();
    let verbose = Arg::new("verbose").short('v').long("verbose");
    let verbose = verbose
        .action(ArgAction::SetTrue)
        .help("Show what the debugger's views leave out");
    let mut command = command
        .arg(verbose)
        .disable_help_flag(true)
        .bin_name(name.to_owned());
    Some(command.render_help().to_string())
}

/// The commands as `--help` groups them.
fn categories(whole: &clap::Command, shown: impl Fn(&Spec) -> bool) -> String {
    let about = |name: &str| {
        let about = whole.find_subcommand(name).and_then(clap::Command::get_about);
        about.map(ToString::to_string).unwrap_or_default()
    };
    let mut text = String::new();
    for category in Category::ALL {
        let specs = SPECS
            .iter()
            .filter(|spec| spec.category == category && shown(spec));
        let names: Vec<&str> = specs.map(|spec| spec.name()).collect();
        if names.is_empty() {
            continue;
        }
        text.push_str(&format!("{}:\n", category.title()));
        let help = (category == Category::Program).then_some("help");
        for name in names.into_iter().chain(help) {
            text.push_str(&format!("  {name:<12} {}\n", about(name)));
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// The command that a word may have been meant as.
pub fn nearest_command(word: &str) -> Option<String> {
    let whole = Cli::command();
    crate::selector::nearest(word, whole.get_subcommands().map(clap::Command::get_name))
}

impl Cli {
    /// The arguments behind what clap has matched.
    fn of_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut cli = Self::from_arg_matches(matches)?;
        cli.follow_ending(matches);
        cli.options.format_given = matches.value_source("format") == Some(ValueSource::CommandLine);
        cli.options.style_given = matches.value_source("style") == Some(ValueSource::CommandLine);
        cli.options.fits = cli.options.width.map(usize::from);
        if cli.options.fits.is_none() && cli.options.output.is_none() {
            cli.options.fits = terminal::width();
        }
        cli.options.several_dumps = cli.dumps.len() > 1;
        cli.options.command = cli.command.as_ref().map(|command| command.spec().name());
        Ok(cli)
    }

    /// The format that the ending of -o names, where none was asked for: `report -o hang.html`. A table of text in a file that
    /// is called a page helps nobody.
    fn follow_ending(&mut self, matches: &ArgMatches) {
        let asked = matches.value_source("format") == Some(ValueSource::CommandLine);
        let own = self.verb().is_none_or(|verb| verb.writes_own_file());
        let many = matches!(self.command, Some(Command::Triage(_)));
        let ending = self.options.output.as_deref().and_then(Path::extension);
        let ending = ending
            .and_then(|ending| ending.to_str())
            .map(str::to_ascii_lowercase);
        let format = match ending.as_deref() {
            Some("json") => Format::Json,
            Some("ndjson" | "jsonl") => Format::Ndjson,
            Some("csv") => Format::Csv,
            Some("sarif") => Format::Sarif,
            Some("html" | "htm") => Format::Html,
            Some("svg") => Format::Svg,
            Some("dot" | "gv") => Format::Dot,
            Some("mmd" | "mermaid") => Format::Mermaid,
            _ => return,
        };
        if !asked && !own && !many {
            self.options.format = format;
        }
    }

    /// The same without `shell`, which is `-i`.
    pub fn without_shell(mut self) -> Self {
        if let Some(Command::Shell(args)) = &self.command {
            self.interactive = true;
            self.no_history |= args.no_history;
            self.command = None;
            self.options.command = None;
        }
        self
    }

    /// What the command is and does.
    pub fn verb(&self) -> Option<&dyn Verb> {
        self.command.as_ref().map(Command::verb)
    }

    /// The same run with another command.
    pub fn with(&self, command: Command) -> Self {
        let mut cli = self.clone();
        cli.options.command = Some(command.spec().name());
        cli.command = Some(command);
        cli
    }
}

/// The options are those of the command line.
impl Deref for Cli {
    type Target = Options;

    fn deref(&self) -> &Options {
        &self.options
    }
}
