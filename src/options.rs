//! What is chosen for a whole run, whatever its command.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The options that every command has.
#[derive(Clone, Debug, Args)]
pub struct Options {
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

    /// Use the file of -y also when it is of another kernel: what is read by it may be wrong
    #[arg(
        long,
        global = true,
        help_heading = "Symbols",
        requires = "symbols",
        conflicts_with = "exact_symbols"
    )]
    pub force_symbols: bool,

    /// Names of procedures that go before those that are built in: UUID, number, name, source, with tabs between; may be given
    /// several times
    #[arg(long, value_name = "FILE", global = true, help_heading = "Output")]
    pub rpc_names: Vec<PathBuf>,

    /// Whose words the views use: the debuggers' up to 2009, or those since 2012. Views that no debugger has are classic only
    /// when that is asked for
    #[arg(long, value_enum, default_value_t = Style::Classic, global = true, help_heading = "Output")]
    pub style: Style,

    /// Whether the style was asked for.
    #[arg(skip)]
    pub style_given: bool,

    /// Text for people; JSON or CSV for programs; drawings of graphs
    #[arg(long, value_enum, default_value_t = Format::Text, global = true, help_heading = "Output")]
    pub format: Format,

    /// Whether the format was asked for.
    #[arg(skip)]
    pub format_given: bool,

    /// When to colour text; an explicit choice beats CLICOLOR_FORCE, CLICOLOR and NO_COLOR
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, global = true, help_heading = "Output")]
    pub color: ColorChoice,

    /// Fit text into N columns; without it into the terminal's (or COLUMNS), and not at all what goes to a file or a pipe
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(20..=10_000), global = true, help_heading = "Output")]
    pub width: Option<u16>,

    /// Write to the terminal without a pager (ALPC_DUMP_PAGER, PAGER, else less -FRX)
    #[arg(long, global = true, help_heading = "Output")]
    pub no_pager: bool,

    /// The columns that text is fitted into; none where lines are as long as they come.
    #[arg(skip)]
    pub fits: Option<usize>,

    /// Read the dump without mapping it into memory, for network shares and files that may shrink
    #[arg(long, global = true, help_heading = "The dump")]
    pub no_mmap: bool,

    /// Unpack a packed dump (gz, zst, xz, bz2, zip, 7z, cab) once into this folder, and read it there
    #[arg(long, value_name = "FOLDER", global = true, help_heading = "The dump")]
    pub unpack: Option<PathBuf>,

    /// A page file of the same moment, as a snapshot has: the first is number 0, N=FILE names another; may be given several times.
    /// Needs the kernel's own symbols
    #[arg(
        long = "pagefile",
        value_name = "[N=]FILE",
        value_parser = page_file,
        global = true,
        help_heading = "The dump"
    )]
    pub page_files: Vec<PageFile>,

    /// Where the kernel's page tables are (CR3), for memory in which no header and no search tells
    #[arg(
        long,
        value_name = "ADDRESS",
        value_parser = physical,
        global = true,
        help_heading = "The dump"
    )]
    pub dtb: Option<u64>,

    /// Where the kernel's image is, for page tables through which a search does not find it
    #[arg(
        long,
        value_name = "ADDRESS",
        value_parser = physical,
        global = true,
        help_heading = "The dump"
    )]
    pub kernel_base: Option<u64>,

    /// Show what the debugger's views leave out
    #[arg(short, long, global = true, help_heading = "Output")]
    pub verbose: bool,

    /// Say of each value in a view of one thing where it comes from: in the kernel, in memory, in the file
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

    /// Give the dump's SHA-256 too, in JSON or on stderr: reads the whole file
    #[arg(long, global = true, help_heading = "The dump")]
    pub hash: bool,

    /// The command that they are the options of; none where the command line was not understood.
    #[arg(skip)]
    pub command: Option<&'static str>,

    /// Whether the run is about several dumps.
    #[arg(skip)]
    pub several_dumps: bool,
}

/// A page file that is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFile {
    /// Its number, where that is named.
    pub number: Option<u8>,
    /// Where it is.
    pub path: PathBuf,
}

/// `1=D:\pagefile.sys`, or the file alone.
fn page_file(text: &str) -> Result<PageFile, String> {
    let numbered = text.split_once('=').and_then(|(number, path)| {
        let number: u8 = number.parse().ok()?;
        Some((Some(number), path))
    });
    let (number, path) = numbered.unwrap_or((None, text));
    if number.is_some_and(|number| number > kdump::LAST_PAGE_FILE) {
        return Err(format!(
            "page files have the numbers 0 to {}",
            kdump::LAST_PAGE_FILE
        ));
    }
    if path.is_empty() {
        return Err("no file is named".to_owned());
    }
    Ok(PageFile {
        number,
        path: path.into(),
    })
}

/// Page files with their numbers: those without one follow each other from 0 on.
pub fn numbered(files: &[PageFile]) -> Vec<(u8, PathBuf)> {
    let mut next = 0_u8;
    let number = |file: &PageFile| {
        let number = file.number.unwrap_or(next);
        next = number.saturating_add(1);
        (number, file.path.clone())
    };
    files.iter().map(number).collect()
}

impl Options {
    /// Whether things of a class are replaced.
    pub fn redacts(&self, class: Class) -> bool {
        self.redact.contains(&class) || self.redact.contains(&Class::All)
    }

    /// Whether a view that no debugger has is written for people of today.
    pub fn speaks_plainly(&self) -> bool {
        !self.style_given || self.style == Style::Modern
    }

    /// Whether a record is shown with all that is known of it.
    pub fn in_full(&self) -> bool {
        self.verbose || self.format.is_data()
    }
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
    /// SARIF 2.1.0, for the code scanning of forges; of check only
    Sarif,
    /// Graphviz; of graph only
    Dot,
    /// A Mermaid flowchart; of graph only
    Mermaid,
    /// One page to look at in a browser, without a network; of graph and report
    Html,
    /// The picture that the page opens on, for wikis and mails; of graph only
    Svg,
}

impl Format {
    /// Whether it is for programs, which get everything.
    pub fn is_data(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson | Self::Csv)
    }

    /// Whether nothing is written before all documents are there, with those of what failed.
    pub fn is_of_documents(self) -> bool {
        matches!(self, Self::Json | Self::Junit | Self::Sarif)
    }

    /// What it is called, for one that only check writes.
    pub fn of_check(self) -> Option<&'static str> {
        match self {
            Self::Junit => Some("JUnit XML"),
            Self::Sarif => Some("SARIF"),
            _ => None,
        }
    }

    /// Whether it is a drawing, which only graphs have.
    pub fn is_drawing(self) -> bool {
        matches!(self, Self::Dot | Self::Mermaid | Self::Html | Self::Svg)
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
    /// All of these
    All,
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

/// A number in the digits of the debugger, as an argument.
fn physical(token: &str) -> Result<u64, String> {
    crate::address::hex(token).ok_or_else(|| "give hex digits, as in 1ad000 or 0x1ad000".to_owned())
}
