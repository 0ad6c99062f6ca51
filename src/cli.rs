//! The arguments.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

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
    /// Kernel crash dumps; one that is named like a command is written ./NAME
    #[arg(value_name = "DUMP")]
    pub dumps: Vec<PathBuf>,

    /// PDB, ISF table or layout pack of the kernel, folder to look in, or symbol path; may be given several times
    #[arg(
        short = 'y',
        long = "symbols",
        value_name = "FILE|FOLDER|PATH",
        global = true,
        help_heading = "Symbols"
    )]
    pub symbols: Vec<PathBuf>,

    /// Use symbols only when GUID and age are those that the kernel names
    #[arg(long, global = true, help_heading = "Symbols")]
    pub exact_symbols: bool,

    /// Whose words the views use: the debuggers' up to 2009, or those since 2012
    #[arg(long, value_enum, default_value_t = Style::Classic, global = true, help_heading = "Output")]
    pub style: Style,

    /// Text for people; JSON or CSV for programs; drawings of graphs
    #[arg(long, value_enum, default_value_t = Format::Text, global = true, help_heading = "Output")]
    pub format: Format,

    /// Whether the format was asked for.
    #[arg(skip)]
    pub format_given: bool,

    /// When to colour text; an explicit choice beats CLICOLOR_FORCE, CLICOLOR and NO_COLOR
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, global = true, help_heading = "Output")]
    pub color: ColorChoice,

    /// Read the dump without mapping it into memory, for network shares and files that may shrink
    #[arg(long, global = true, help_heading = "The dump")]
    pub no_mmap: bool,

    /// Show what the debugger's views leave out
    #[arg(short, long, global = true, help_heading = "Output")]
    pub verbose: bool,

    /// Tell of each value in a view of one thing where it comes from: in the kernel, in memory, in the file
    #[arg(long, global = true, help_heading = "Output")]
    pub explain: bool,

    /// Replace what is sensitive by placeholders, alike in every report on the same dump
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "CLASS,...",
        global = true,
        help_heading = "Output"
    )]
    pub redact: Vec<Class>,

    /// File of random bytes that draws the placeholders, alike for all dumps
    #[arg(
        long,
        value_name = "FILE",
        requires = "redact",
        global = true,
        help_heading = "Output"
    )]
    pub redact_key: Option<PathBuf>,

    /// Write the results into this file, which appears whole or not at all
    #[arg(short, long, value_name = "FILE", global = true, help_heading = "Output")]
    pub output: Option<PathBuf>,

    /// Say nothing on stderr but errors
    #[arg(short, long, global = true, help_heading = "Output")]
    pub quiet: bool,

    /// Tell the dump's SHA-256 too, in JSON or on stderr: reads the whole file
    #[arg(long, global = true, help_heading = "The dump")]
    pub hash: bool,

    /// Debugger command lines or commands of ours, several separated by ;, or $<FILE for a file of them; may be
    /// given several times
    #[arg(
        short = 'c',
        long = "commands",
        value_name = "LINES",
        help_heading = "Debugger command lines"
    )]
    pub commands: Vec<String>,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do with the dumps.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// The dump's header, its kernel, its symbols, and the share of pages that is there
    Info,
    /// One message in full (!alpc /M)
    Message(MessageArgs),
    /// One port, the threads that serve it, and its queues (!alpc /P)
    Port(PortArgs),
    /// One resource, or all that a port owns: sections, views, reserves ... (!alpc /R)
    Resource(ResourceArgs),
    /// A type of the symbols in use, with its values at an address (dt)
    Dt(DtArgs),
    /// Which symbols the kernel asks for, where they were looked for, and how to get them
    Symbols(SymbolsArgs),
    /// Write what the views need of the symbols into a small file for -y
    Pack,
    /// Every thread: its state, what it waits for, the ALPC reply that it waits for
    Threads(ThreadsArgs),
    /// One thread in full (!thread)
    Thread(ThreadArgs),
    /// All connections of a connection port (!alpc /LPC)
    Connections(PortArgs),
    /// The ports that a process created or is connected to (!alpc /LPP), or all ports
    Ports(PortsArgs),
    /// Handles with the objects behind them (!handle)
    Handles(HandlesArgs),
    /// One object: its type, counts and name; a directory with what is in it (!object)
    Object(ObjectArgs),
    /// Every process (!process 0 0)
    Processes,
    /// One process in full (!process)
    Process(ProcessArgs),
    /// Loaded kernel modules (lm)
    Modules(ModulesArgs),
    /// The whole of ALPC in one screen (!alpc /G); with -v every port and connection
    Global(GlobalArgs),
    /// Whether all ports and messages agree with each other (!alpc -analyze)
    Analyze,
    /// What is stuck, on whom, since when and why: deadlocks, blockers, ports in trouble
    Hang(HangArgs),
    /// One chain of waits, each step with its evidence
    Chain(ChainArgs),
    /// Every wait for an ALPC reply, the longest first
    Waits,
    /// Whether the conditions of a rule file hold
    Check(CheckArgs),
    /// What has changed from one dump to another: processes, ports, connections, waits
    Diff(DiffArgs),
    /// Who is connected to whom (!alpc /graph) and who waits for whom; also drawn
    Graph(GraphArgs),
    /// One record a dump, of many dumps or whole folders: what it is, what is stuck, on whom
    Triage(TriageArgs),
    /// The JSON Schema of what commands write with --format json or ndjson
    Schema(AboutArgs),
    /// Completions for a shell
    Completions(CompletionsArgs),
    /// The manual page of the program, or of one command
    Man(AboutArgs),
}

/// How to look at many dumps.
#[derive(Clone, Debug, Args)]
pub struct TriageArgs {
    /// Dumps looked at at the same time, each by a process of its own [default: as many as processors]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// Look also into the folders in folders
    #[arg(short, long)]
    pub recursive: bool,

    /// Give a dump up after this time: 30s, 5m, 2h
    #[arg(long, value_name = "T", value_parser = crate::text::time::parse_span)]
    pub timeout: Option<u64>,

    /// Give a dump up when its process takes more memory than this: 800M, 4G [default: 1G and the dump's length]
    #[arg(long, value_name = "SIZE", value_parser = crate::fleet::worker::parse_size)]
    pub memory: Option<u64>,

    /// Look at the dump in this process, which another one has started for that and waits for
    #[arg(long, hide = true)]
    pub worker: bool,

    /// Leave out the dumps that this file, written as ndjson by an earlier run, has records of
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,

    /// At the end also a record for each signature; the table has them without being asked
    #[arg(long)]
    pub groups: bool,
}

/// Which command it is about.
#[derive(Clone, Debug, Args)]
pub struct AboutArgs {
    /// One command; all of them without it
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

/// Which shell.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// The commands as `--help` groups them.
const CATEGORIES: [(&str, &[&str]); 7] = [
    ("Who waits for whom", &["hang", "chain", "waits", "graph"]),
    ("Many dumps", &["triage"]),
    (
        "The views of !alpc",
        &[
            "message",
            "port",
            "resource",
            "global",
            "connections",
            "ports",
            "analyze",
        ],
    ),
    (
        "The system around it",
        &[
            "threads",
            "thread",
            "processes",
            "process",
            "handles",
            "object",
            "modules",
            "dt",
        ],
    ),
    ("Gates", &["check", "diff"]),
    ("The dump and its symbols", &["info", "symbols", "pack"]),
    (
        "About this program, without a dump",
        &["schema", "completions", "man", "help"],
    ),
];

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
    let cli = Cli::of_matches(&definition.try_get_matches_from(args)?)?;
    match &cli.command {
        Some(command) if !cli.commands.is_empty() => Err(lines_beside(command)),
        _ => Ok(cli),
    }
}

/// Lines of `-c` are commands themselves. Beside another one, one of the two would be left undone.
fn lines_beside(command: &Command) -> clap::Error {
    let name = command.name();
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
        .before_help(categories(&whole))
        .help_template(TEMPLATE)
        .mut_arg("help", |help| help.help("Print help"));
    let help = shown.render_help();
    Cli::command().override_help(help)
}

fn categories(whole: &clap::Command) -> String {
    let mut text = String::new();
    for (title, names) in CATEGORIES {
        text.push_str(&format!("{title}:\n"));
        for name in names {
            let about = whole.find_subcommand(name).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {name:<12} {about}\n"));
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

/// What to tell of the symbols.
#[derive(Clone, Debug, Args)]
pub struct SymbolsArgs {
    /// End with status 1 when no symbols can be used
    #[arg(long)]
    pub check: bool,
}

/// Which resources to show.
#[derive(Clone, Debug, Args)]
pub struct ResourceArgs {
    /// Address of the resource; or address, name or full path of the port that owns resources
    #[arg(value_name = "ADDR|NAME")]
    pub resource: String,
}

/// Which type to show, and where.
#[derive(Clone, Debug, Args)]
pub struct DtArgs {
    /// Name of the type: _ALPC_PORT or nt!_ALPC_PORT; with * and ? all types that match are listed
    #[arg(value_name = "TYPE")]
    pub type_name: String,

    /// Address of something of that type
    #[arg(value_name = "ADDR")]
    pub address: Option<String>,
}

/// When a hang is a finding.
#[derive(Clone, Debug, Args)]
pub struct HangArgs {
    /// Exit with status 1 also when a wait is longer than this: 30s, 5m, 2h, 1d
    #[arg(long, value_name = "T", value_parser = crate::text::time::parse_span)]
    pub longer_than: Option<u64>,
}

/// What to hold the dump against.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// The conditions, in TOML; docs/checks.md has them all
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,
}

/// How to compare two dumps.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// What makes two things the same: their addresses, in dumps of one boot, or their names; auto looks whether the
    /// boot is one
    #[arg(long, value_enum, default_value_t = MatchBy::Auto)]
    pub by: MatchBy,
}

/// What makes two things in two dumps the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MatchBy {
    /// Addresses when both dumps are of one boot, else names
    Auto,
    /// Addresses, with what tells whether memory was used again
    Addresses,
    /// Names, and how many things have them
    Names,
}

/// Which part of the graph to show.
#[derive(Clone, Debug, Args)]
pub struct GraphArgs {
    /// Only what this process has to do with: its address (_EPROCESS), pid:N or image name
    #[arg(long, value_name = "PROCESS")]
    pub process: Option<String>,
}

/// Where a chain begins.
#[derive(Clone, Debug, Args)]
pub struct ChainArgs {
    /// A thread (address or tid:N), a message (address or id:N) or a process (address, pid:N or image name)
    #[arg(value_name = "THREAD|MESSAGE|PROCESS")]
    pub start: String,

    /// Also name threads that the last one may have handed its work to: of the same process, and waiting since
    /// the same moment
    #[arg(long)]
    pub candidates: bool,
}

/// Which threads to show.
#[derive(Clone, Debug, Args)]
pub struct ThreadsArgs {
    /// Only threads that wait for an ALPC reply
    #[arg(long)]
    pub waiting: bool,

    /// Only the threads of this process: its address (_EPROCESS), pid:N or image name
    #[arg(long, value_name = "PROCESS")]
    pub process: Option<String>,
}

/// Which modules to show.
#[derive(Clone, Debug, Args)]
pub struct ModulesArgs {
    /// Only the modules of this name, with or without its ending (* and ? stand for any letters), or the one that
    /// an address is in
    #[arg(value_name = "NAME|ADDR")]
    pub name: Option<String>,
}

/// Which thread to show.
#[derive(Clone, Debug, Args)]
pub struct ThreadArgs {
    /// Address of the thread (_ETHREAD), its id as tid:1234 or tid:0x4d2, or current
    #[arg(value_name = "ADDR|tid:N")]
    pub thread: String,
}

/// Which handles to show.
#[derive(Clone, Debug, Args)]
pub struct HandlesArgs {
    /// Only handles of objects of this type, as in "ALPC Port"
    #[arg(long = "type", value_name = "TYPE")]
    pub object_type: Option<String>,

    /// Only the handles of this process: its address (_EPROCESS), pid:N or image name
    #[arg(long, value_name = "PROCESS")]
    pub process: Option<String>,
}

/// Which object to show.
#[derive(Clone, Debug, Args)]
pub struct ObjectArgs {
    /// Address of the object, or its full path, as in `\RPC Control\ntsvcs`
    #[arg(value_name = "ADDR|PATH")]
    pub object: String,
}

/// Which process to show.
#[derive(Clone, Debug, Args)]
pub struct ProcessArgs {
    /// Address of the process (_EPROCESS), pid:1234 or pid:0x4d2, tid:N of one of its threads, its image name, or
    /// current
    #[arg(value_name = "PROCESS")]
    pub process: String,
}

/// What to show a port of.
#[derive(Clone, Debug, Args)]
pub struct PortArgs {
    /// Address of the port (_ALPC_PORT), or its name
    #[arg(value_name = "ADDR|NAME")]
    pub port: String,
}

/// What to show a message of.
#[derive(Clone, Debug, Args)]
pub struct MessageArgs {
    /// Address of the message (_KALPC_MESSAGE), its id as id:3068 or id:0xbfc, or - to read these from stdin,
    /// one a line
    #[arg(value_name = "ADDR|id:N|-")]
    pub message: String,
}

/// Which ports to list.
#[derive(Clone, Debug, Args)]
pub struct PortsArgs {
    /// Only the ports of this process: its address (_EPROCESS), pid:N or image name
    #[arg(long, value_name = "PROCESS")]
    pub process: Option<String>,

    /// Only ports that no handle leads to (!alpc -lp0)
    #[arg(long, conflicts_with = "process")]
    pub orphans: bool,
}

/// Which part of the whole to show.
#[derive(Clone, Debug, Args)]
pub struct GlobalArgs {
    /// Only the connection graph, five columns (!alpc /graph)
    #[arg(long)]
    pub graph: bool,

    /// Only the list of ports, three columns (!alpc -lp)
    #[arg(long, conflicts_with = "graph")]
    pub list: bool,
}

/// Whose words the views use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// `Message @ fffff880…`, as the debugger extensions of 2009
    Classic,
    /// `Message fffff880…`, as those from 2012 on
    Modern,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The debugger's layout
    Text,
    /// One JSON document
    Json,
    /// A line of JSON for each record, as soon as it is read
    Ndjson,
    /// Rows and columns; of commands that give a table
    Csv,
    /// JUnit XML; of check only
    Junit,
    /// Graphviz; of graph only
    Dot,
    /// A Mermaid flowchart; of graph only
    Mermaid,
    /// One page to look at in a browser, without a network; of graph only
    Html,
}

impl Format {
    /// Whether it is for programs, which get everything.
    pub fn is_data(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson | Self::Csv)
    }

    /// Whether it is a drawing, which only graphs have.
    pub fn is_drawing(self) -> bool {
        matches!(self, Self::Dot | Self::Mermaid | Self::Html)
    }
}

/// What a report must not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Class {
    /// Of processes, ports and other named objects, threads and modules, and the dump's comment
    Names,
    /// Of objects and files, the dump's and the symbols' own too
    Paths,
    /// Of processes, threads and messages
    Ids,
}

/// When to colour text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Cli {
    /// The arguments behind what clap has matched.
    fn of_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            format_given: matches.value_source("format") == Some(ValueSource::CommandLine),
            ..Self::from_arg_matches(matches)?
        })
    }

    /// Whether a record is shown with all that is known of it.
    pub fn in_full(&self) -> bool {
        self.verbose || self.format.is_data()
    }

    /// The files that the arguments name to be read, and what they are to the command.
    pub fn reads(&self) -> impl Iterator<Item = (&Path, &'static str)> {
        let rules = match &self.command {
            Some(Command::Check(args)) => Some(args.rules.as_path()),
            _ => None,
        };
        let dumps = self.dumps.iter().map(|path| (path.as_path(), "one of the dumps"));
        let symbols = self.symbols.iter().map(|path| (path.as_path(), "a symbol file"));
        dumps
            .chain(symbols)
            .chain(rules.map(|path| (path, "the rule file")))
            .chain(self.redact_key.as_deref().map(|path| (path, "the key")))
            .chain(crate::kd::files(&self.commands).map(|file| (Path::new(file), "a file of commands")))
    }

    /// Whether `--output` is what the command makes, not where its results go.
    pub fn writes_own_file(&self) -> bool {
        matches!(self.command, Some(Command::Pack))
    }
}

impl Command {
    /// Whether the exit status is what the command is run for.
    pub fn tells_verdict(&self) -> bool {
        match self {
            Self::Check(_) | Self::Diff(_) | Self::Triage(_) => true,
            Self::Symbols(args) => args.check,
            Self::Hang(args) => args.longer_than.is_some(),
            _ => false,
        }
    }

    /// The command's name, as it is written on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Message(_) => "message",
            Self::Port(_) => "port",
            Self::Resource(_) => "resource",
            Self::Dt(_) => "dt",
            Self::Symbols(_) => "symbols",
            Self::Pack => "pack",
            Self::Threads(_) => "threads",
            Self::Thread(_) => "thread",
            Self::Connections(_) => "connections",
            Self::Ports(_) => "ports",
            Self::Handles(_) => "handles",
            Self::Object(_) => "object",
            Self::Processes => "processes",
            Self::Process(_) => "process",
            Self::Modules(_) => "modules",
            Self::Global(_) => "global",
            Self::Analyze => "analyze",
            Self::Hang(_) => "hang",
            Self::Chain(_) => "chain",
            Self::Waits => "waits",
            Self::Check(_) => "check",
            Self::Diff(_) => "diff",
            Self::Graph(_) => "graph",
            Self::Triage(_) => "triage",
            Self::Schema(_) => "schema",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}
