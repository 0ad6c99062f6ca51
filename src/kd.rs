//! The debugger's own spellings: switches on our command line, and whole command lines.
//!
//! `/m ADDR` and `-M ADDR` behind the dump become `message ADDR`. `!alpc …`, `!lpc …` and what else a
//! debugger's command line may hold become steps, run one after the other over one opened dump.

mod help;
mod script;
mod table;

use std::ffi::OsString;

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command, SPECS};
use crate::commands::processes::ProcessArgs;
use crate::commands::threads::ThreadsArgs;
use crate::failure::{Failure, Status};
use crate::options::Style;
use crate::text::escape;
use crate::{address, selector};

/// Something that a command line asks for.
pub enum Step {
    /// A command of ours.
    Run(Box<Cli>),
    /// The process or its threads, for each process of an image.
    Each(Box<Each>),
    /// Text that needs no dump.
    Print(String),
    /// A command that passes without doing anything, and why.
    Pass(String),
    /// A command line that is not understood.
    Refuse(Failure),
    /// The end of the lines, whatever comes behind it.
    Leave,
}

/// All processes of an image, under the options of the whole run.
pub struct Each {
    cli: Cli,
    pub image: String,
    with_threads: bool,
    with_stacks: bool,
}

impl Each {
    /// What is run for the process at an address.
    pub fn run(&self, address: u64) -> Cli {
        let process = format!("{address:#x}");
        let command = if self.with_threads {
            Command::Threads(ThreadsArgs {
                state: Vec::new(),
                reason: Vec::new(),
                longer_than: None,
                waiting: false,
                session: None,
                stacks: self.with_stacks,
                of: None,
                process: Some(process),
            })
        } else {
            Command::Process(ProcessArgs { process })
        };
        self.cli.with(command)
    }
}

impl Step {
    /// Whether its exit status is what it is run for.
    pub fn tells_verdict(&self) -> bool {
        match self {
            Self::Run(cli) => cli.verb().is_some_and(|verb| verb.tells_verdict()),
            Self::Each(_) | Self::Print(_) | Self::Pass(_) | Self::Refuse(_) | Self::Leave => false,
        }
    }
}

// As the extension of the Vista debuggers printed it (published transcript of a Vista x64 server, WinDbg of the
// 6.11 generation). /R and /G are in no later help: the 6.2.9200 extension has split what they showed into
// switches that its help does not name, -section, -region, -view, -presl, -graph, -lp and -lp0 (EreTIk's notes
// on kdexts.dll).
const CLASSIC_HELP: &str = "\
Arguments:

   /?                   - Print help
   /P [/V] PortAddress  - Dump the ALPC port information
   /M [/V] MsgAddress   - Searches the message and dumps the message information
   /R [/V] ResAddress   - Dumps the information regarding resources
   /G [/V]              - Dumps the global information
";

// The empty lines before and behind belong to it: published screens of a Windows 10 debugger have both. The
// same is printed for what is not understood: `!alpc port` gives it on Windows 10.
const MODERN_HELP: &str = "
Usage:
  !alpc /m MessageAddress
      Dumps the message at the specified address.
  !alpc /p PortAddress
      Dumps the port at the specified address.
  !alpc /lpc PortAddress
      Dumps all connections for the specified port.
  !alpc /lpp ProcessAddress
      Dumps all connections for the specified process.

";

/// What the debugger's -1 is called here.
const CURRENT: &str = "current";

// LPC is gone since Vista: its functions are kept, and carried over ALPC. The extension still knows the old
// name, and says so in this line, seen in a published transcript of a Vista server.
const REDIRECTION: &str = "LPC is now emulated over ALPC. Use !alpc\n";

/// The debugger's commands that are run here, as a line begins with them.
const SPELLINGS: [&str; 31] = [
    "!alpc",
    "!lpc",
    "!thread",
    "!process",
    "!handle",
    "!object",
    "!irp",
    "!token",
    "!sd",
    "!locks",
    "!stacks",
    "!uniqstack",
    "!findstack",
    "!running",
    "!ready",
    "k",
    "kb",
    "kn",
    "kv",
    "lm",
    "lmvm",
    "db",
    "dw",
    "dd",
    "dq",
    ".echo",
    "$<",
    "$$>a<",
    "help",
    "q",
    "quit",
];

/// Replaces debugger spellings in the arguments.
///
/// A token is only taken for a switch behind the first argument that is not an option (the dump), so that no
/// path and no option of our own is mistaken for one.
pub fn rewrite(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let args: Vec<OsString> = args.into_iter().collect();
    // From 2 on: the first argument can be no switch, for the dump comes before, and on Unix `/m` is a path.
    let Some(at) = (2..args.len()).find(|&at| is_spelling(&args, at)) else {
        return args;
    };
    let (before, rest) = args.split_at(at);
    let rest = if starts_line(&rest[0]) {
        as_line(rest)
    } else {
        as_command(rest)
    };
    before.iter().cloned().chain(rest).collect()
}

/// Ties each `-c` to the lines behind it: those of one word, as in `-c processes`, would else be taken for the
/// command itself.
pub fn bind_lines(args: Vec<OsString>) -> Vec<OsString> {
    let mut args = args.into_iter();
    let mut bound = Vec::new();
    while let Some(arg) = args.next() {
        match (arg.to_str(), bound.is_empty()) {
            (Some("-c" | "--commands"), false) => {
                let mut whole = OsString::from("--commands");
                if let Some(lines) = args.next() {
                    whole.push("=");
                    whole.push(lines);
                }
                bound.push(whole);
            }
            _ => bound.push(arg),
        }
    }
    bound
}

fn is_spelling(args: &[OsString], at: usize) -> bool {
    let dump_seen = args[1..at]
        .iter()
        .any(|arg| !arg.to_string_lossy().starts_with('-'));
    let after_line_option = matches!(args[at - 1].to_str(), Some("-c" | "--commands"));
    let text = args[at].to_string_lossy();
    let spelled = starts_line(&args[at]) || switch(&text).is_some();
    dump_seen && spelled && !after_line_option && !args[1..at].iter().any(is_command)
}

/// A command of ours is there already: what follows are its own arguments.
fn is_command(token: &OsString) -> bool {
    token
        .to_str()
        .is_some_and(|token| Cli::command().find_subcommand(token).is_some())
}

fn starts_line(token: &OsString) -> bool {
    token.to_string_lossy().starts_with('!')
}

/// `!alpc /m ADDR`, in one token or in several up to the next long option, as a command line.
fn as_line(tokens: &[OsString]) -> Vec<OsString> {
    let whole = tokens[0].to_string_lossy().contains(char::is_whitespace);
    // One hyphen begins the extension's own switches (`!alpc -lp0`, `!thread -t 25c`), two never do.
    let is_option = |token: &OsString| token.to_string_lossy().starts_with("--");
    let end = if whole {
        1
    } else {
        tokens.iter().position(is_option).unwrap_or(tokens.len())
    };
    let words: Vec<_> = tokens[..end]
        .iter()
        .map(|token| token.to_string_lossy())
        .collect();
    [OsString::from("-c"), words.join(" ").into()]
        .into_iter()
        .chain(tokens[end..].iter().cloned())
        .collect()
}

/// `/m [/v] ADDR` as a command of ours.
fn as_command(tokens: &[OsString]) -> Vec<OsString> {
    let verb = switch(&tokens[0].to_string_lossy()).unwrap_or_default();
    let rest = tokens[1..].iter().map(|token| {
        if is_verbose(token) {
            "-v".into()
        } else {
            token.clone()
        }
    });
    verb.iter().map(OsString::from).chain(rest).collect()
}

fn is_verbose(token: &OsString) -> bool {
    token.eq_ignore_ascii_case("/v")
}

/// Whether a token is a switch of `!alpc`, or what stands with one.
pub fn is_switch(token: &str) -> bool {
    switch(token).is_some() || token.eq_ignore_ascii_case("/v")
}

/// What a switch of `!alpc` is called here: any case, `/` and `-` alike.
fn switch(token: &str) -> Option<&'static [&'static str]> {
    // Published transcripts and notes write one switch in several ways: `/M` in the help of 2009, `/m` in that
    // of 2012, `-graph` in EreTIk's notes and `/graph` in a transcript of Windows 10.
    let switch = token.strip_prefix(['/', '-'])?.to_ascii_lowercase();
    let mut switches = SPECS.iter().flat_map(|spec| spec.switches);
    switches.find_map(|(name, words)| (*name == switch).then_some(*words))
}

/// The steps that the command line asks for: its one command, or the debugger's lines.
pub fn steps(cli: &Cli) -> Vec<Step> {
    if cli.command.is_some() {
        return vec![Step::Run(Box::new(cli.clone()))];
    }
    let given = cli.commands.iter().flat_map(|text| script::lines(text));
    let read = given.flat_map(|line| match script::named(line).map(|script| script.lines()) {
        None => vec![Ok(line.to_owned())],
        Some(Ok(lines)) => lines.into_iter().map(Ok).collect(),
        Some(Err(failure)) => vec![Err(failure)],
    });
    let mut steps = Vec::new();
    for whole in read {
        let whole = match whole {
            Ok(whole) => whole,
            Err(failure) => {
                steps.push(Step::Refuse(failure));
                break;
            }
        };
        let words = words(&whole);
        if words.is_empty() || is_comment(&words) {
            continue;
        }
        if leaves(&words) {
            steps.push(Step::Leave);
            break;
        }
        steps.extend(line(cli, &words, &whole));
    }
    steps
}

/// The files of commands that the lines name.
pub fn files(commands: &[String]) -> impl Iterator<Item = &str> {
    let lines = commands.iter().flat_map(|text| script::lines(text));
    lines.filter_map(|line| Some(script::named(line)?.file))
}

/// Whether a line ends all of them.
fn leaves(words: &[String]) -> bool {
    // Three leave a debugger: `qd` detaches from what it debugs, `qq` also ends a remote server (Microsoft's
    // "q, qq" and "qd (Quit and Detach)"). Lines that people keep for `kd -c "...; q"` end so, and nothing
    // behind is run there. The other two are what every other prompt takes.
    let word = words[0].to_ascii_lowercase();
    matches!(word.as_str(), "q" | "qd" | "qq" | "quit" | "exit")
}

/// `$$ text` and `* text` are comments to debuggers.
fn is_comment(words: &[String]) -> bool {
    // They differ in where they end: of `r eax; $$ some text; r ebx; * more text; r ecx` the debugger runs the
    // first two `r` (Microsoft's "* (Comment Line Specifier)"). The lines were cut up by that rule before.
    words[0].starts_with("$$") || words[0].starts_with('*')
}

/// The words of a line; quotes keep blanks together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quoted = false;
    for c in line.chars() {
        if c == '"' {
            quoted = !quoted;
            word.get_or_insert_default();
        } else if c.is_whitespace() && !quoted {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(c);
        }
    }
    words.extend(word);
    words
}

fn line(cli: &Cli, words: &[String], whole: &str) -> Vec<Step> {
    if let Some(about) = help::asked(words) {
        return vec![help::step(cli, about, words)];
    }
    match table::without_module(&words[0]).as_str() {
        "!alpc" => vec![alpc(cli, words)],
        "!lpc" => lpc(cli, words),
        "!thread" => vec![run_as("thread", cli, &thread(words))],
        "k" | "kb" | "kc" | "kl" | "kn" | "kp" | "kv" => vec![run_as("stack", cli, &current_stack(words))],
        "!stacks" => vec![run_as("stacks", cli, &filtered(words))],
        "!uniqstack" => vec![run_as("stacks", cli, &[words[0].clone(), "--group".to_owned()])],
        "!running" => vec![run_as("threads", cli, &in_state("running,standby", words))],
        "!ready" => vec![run_as("threads", cli, &in_state("ready", words))],
        "!findstack" => vec![run_as("stacks", cli, &found(words))],
        "db" | "dw" | "dd" | "dq" => vec![memory(cli, words)],
        "!object" => vec![run_as("object", cli, &path_as_one(words))],
        "!process" => vec![process(cli, words)],
        "!handle" => vec![handle(cli, words)],
        "!irp" => vec![run_as("irp", cli, &request(words))],
        "!token" => vec![run_as("token", cli, &token(words))],
        "!sd" => vec![run_as("security", cli, &request(words))],
        "!locks" => vec![run_as("locks", cli, &locks(words))],
        ".echo" => vec![echo(cli, whole)],
        word if word.starts_with("lm") => vec![modules(cli, words)],
        word => match table::find(word) {
            Some(table::Here::Passes(why)) => vec![Step::Pass(format!("{}: {why}", words[0]))],
            Some(table::Here::Nearest(_)) => vec![run(cli, words, words)],
            None => match extension(word) {
                Some(verb) => vec![run_as(verb, cli, words)],
                None => vec![run(cli, words, words)],
            },
        },
    }
}

/// A command of ours that is written as an extension's, `!chain`, where the debugger has none of that name.
fn extension(word: &str) -> Option<&'static str> {
    let name = word.strip_prefix('!')?;
    SPECS.iter().map(|spec| spec.name()).find(|known| *known == name)
}

/// What a line may begin with: commands of ours that a line can run, and the debugger's that are run here.
pub fn beginnings() -> impl Iterator<Item = &'static str> {
    let ours = SPECS.iter().filter(|spec| help::is_of_lines(spec));
    ours.map(|spec| spec.name()).chain(SPELLINGS)
}

/// The switches of `!alpc`.
pub fn switches() -> impl Iterator<Item = String> {
    let switches = SPECS.iter().flat_map(|spec| spec.switches);
    switches.map(|(name, _)| format!("/{name}"))
}

/// Text, as the debugger prints it. Whoever hides what a dump says may have written it into a line as well.
fn echo(cli: &Cli, whole: &str) -> Step {
    if !cli.redact.is_empty() {
        return Step::Pass(".echo: with --redact no text of a line is repeated".to_owned());
    }
    let text = whole
        .trim_start()
        .split_once(char::is_whitespace)
        .map_or("", |(_, text)| text.trim());
    // The quotes are not printed: they are there for a text with semicolons, which ends at the first one
    // otherwise (Microsoft's ".echo (Echo Comment)").
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    Step::Print(format!("{}\n", escape::text(inner.unwrap_or(text))))
}

/// `lm [OPTIONS] [m PATTERN|a ADDRESS]`. Options that only choose columns are none here; those that choose other modules
/// than the kernel's are refused.
fn modules(cli: &Cli, words: &[String]) -> Step {
    let options: Vec<char> = words[0].chars().skip(2).collect();
    let rest = words.get(1..).unwrap_or_default();
    // `u` shows user modules, `e` those with bad symbols, `c` checksums (Microsoft's "lm (List Loaded
    // Modules)"): what a kernel dump does not have, or what is not shown here. `D` is markup for links, `1m`
    // names alone.
    let takes_columns = |option: &char| "vkftnolma1D".contains(*option);
    if !options.iter().all(takes_columns) {
        return refuse(cli, words);
    }
    let mut args = vec!["modules".to_owned()];
    let mut pattern_next = options.contains(&'m') || options.contains(&'a');
    for word in rest {
        match word.as_str() {
            pattern if pattern_next => {
                args.push(pattern.to_owned());
                pattern_next = false;
            }
            // The debugger also takes the pattern without a blank, `lm mflpydisk`, and its patterns have no
            // file extension: modules are named `Flpydisk` there, not `Flpydisk.sys` (Microsoft's "lm").
            "m" | "a" => pattern_next = true,
            option if option.chars().all(|option| "vkftnol1D".contains(option)) => {}
            _ => return refuse(cli, words),
        }
    }
    if pattern_next {
        return refuse(cli, words);
    }
    run(cli, &args, words)
}

/// A line that is a command of ours but for its name.
fn run_as(verb: &str, cli: &Cli, words: &[String]) -> Step {
    let rest = words.iter().skip(1).cloned();
    let args: Vec<String> = std::iter::once(verb.to_owned()).chain(rest).collect();
    run(cli, &args, words)
}

/// `!running [-i] [-t]`, `!ready [FLAGS]`: threads in a state; `-t` and any flags show their stacks. `-i` shows the idle
/// processors' threads too, as is done here anyway.
fn in_state(state: &str, words: &[String]) -> Vec<String> {
    // The documented default of `!ready` is 6, wait states and stacks; here no flags is the short list, as with
    // `!ready 0`. `!running` shows stacks for `-t` only, and takes both letters in one, `-it` (Microsoft's
    // pages of both).
    let has_stacks = words.iter().skip(1).any(|word| {
        word.contains('t')
            || word
                .trim_start_matches("0x")
                .chars()
                .any(|c| ('1'..='9').contains(&c))
    });
    let stacks = has_stacks.then_some("--stacks");
    let args = ["threads", "--state", state].into_iter().chain(stacks);
    args.map(str::to_owned).collect()
}

/// `!thread [THREAD [FLAGS]]`: none and -1 are the current one. The flags choose how much of a stack is shown;
/// what is certain of it always is. Numbers below 0x10000 are no addresses; the debugger takes an id with `-t`.
fn thread(words: &[String]) -> Vec<String> {
    let (thread, rest) = match words.get(1..).unwrap_or_default() {
        // "If Address is -1 or omitted, it indicates the current thread"; `-t` makes the number behind it a
        // thread id (Microsoft's "!thread"). Ids are hex there as all numbers are: 25c is the thread that
        // Windows' own tools call 604.
        [] => (CURRENT.to_owned(), &[][..]),
        [by_id, id, rest @ ..] if by_id == "-t" => {
            let id = address::hex(id).map(|id| format!("tid:{id:#x}"));
            (id.unwrap_or_else(|| by_id.clone()), rest)
        }
        [thread, rest @ ..] if thread == "-1" => (CURRENT.to_owned(), rest),
        [thread, rest @ ..] => (thread.clone(), rest),
    };
    let named = [words[0].clone(), thread].into_iter();
    named.chain(without_flags(rest)).collect()
}

/// `k` and its like: the stack of the current thread; `kb` and `kv` have what may be arguments. How many frames and which
/// other columns are not asked.
fn current_stack(words: &[String]) -> Vec<String> {
    let mut line = vec![words[0].clone(), CURRENT.to_owned()];
    // `kb` has three words where the arguments of a 32-bit function would be, `kv` the frame's kind too
    // (Microsoft's "k, kb, kc, kd, kp, kP, kv"). On x64 arguments come in registers, and the words are home
    // slots, stale as often as not.
    if matches!(words[0].to_ascii_lowercase().as_str(), "kb" | "kv") {
        line.push("--args".to_owned());
    }
    line
}

/// `!stacks [DETAIL [FILTER]]`: the detail, 0 to 2, chooses threads that the debugger thinks uninteresting, which are not
/// left out here.
fn filtered(words: &[String]) -> Vec<String> {
    // The documented default is 0; in Microsoft's examples 1 adds the threads whose stacks are paged out and
    // worker threads that wait for work. A filter alone, `!stacks Alpcp`, is not in that syntax, and is taken
    // here.
    let is_detail = |word: &&String| matches!(word.as_str(), "0" | "1" | "2");
    let filter = words
        .get(2)
        .or_else(|| words.get(1).filter(|word| !is_detail(word)));
    finding(words, filter)
}

/// `!findstack SYMBOL [DETAIL]`.
fn found(words: &[String]) -> Vec<String> {
    finding(words, words.get(1))
}

fn finding(words: &[String], text: Option<&String>) -> Vec<String> {
    let find = text
        .into_iter()
        .flat_map(|text| ["--find".to_owned(), text.clone()]);
    std::iter::once(words[0].clone()).chain(find).collect()
}

fn without_flags(rest: &[String]) -> Vec<String> {
    match rest {
        // As in `!thread fffffa801afae6f0 1f`: 2 wait states, 4 the stack, 8 return addresses in the place of
        // arguments, 10 the process's own address space, for the user part of the stack (Microsoft's
        // "!thread"). A kernel dump has none.
        [flags] if address::hex(flags).is_some() => Vec::new(),
        rest => rest.to_vec(),
    }
}

/// `!token [-n] [ADDRESS]`: -n adds friendly names, which are told anyway; without an address it is the current thread's
/// (Microsoft's "!token").
fn token(words: &[String]) -> Vec<String> {
    words.iter().filter(|word| *word != "-n").cloned().collect()
}

/// `!irp ADDRESS [DETAIL]`: 1 adds members that are not shown here (Microsoft's "!irp"). So with `!sd ADDRESS [FLAGS]`, whose
/// flag is about pointers in user mode.
fn request(words: &[String]) -> Vec<String> {
    let (line, rest) = words.split_at(words.len().min(2));
    line.iter().cloned().chain(without_flags(rest)).collect()
}

/// `!locks [-v] [-p] [-d] [ADDRESS]`: -p adds what is measured of resources, -d everything of them (Microsoft's "!locks
/// (!kdext*.locks)"). With no address the debugger shows those that are held, and -v the others too; here -v adds nothing.
fn locks(words: &[String]) -> Vec<String> {
    let shows_more = |word: &&String| matches!(word.to_ascii_lowercase().as_str(), "-v" | "-p" | "-d");
    words.iter().filter(|word| !shows_more(word)).cloned().collect()
}

/// `db ADDRESS [L COUNT]`, and `dw`, `dd`, `dq` of larger numbers. The count is of these, in hex as everything that a debugger
/// reads; the debugger's own default is 128 bytes for all of them (Microsoft's "d, da, db, dc, dd, …").
fn memory(cli: &Cli, words: &[String]) -> Step {
    let (unit, size) = match words[0].to_ascii_lowercase().as_str() {
        "dw" => ("words", 2),
        "dd" => ("dwords", 4),
        "dq" => ("qwords", 8),
        _ => ("bytes", 1),
    };
    let (address, count) = match words.get(1..).unwrap_or_default() {
        [address] => (address, None),
        [address, range] => match range.strip_prefix(['l', 'L']).and_then(address::hex) {
            Some(count) => (address, Some(count)),
            None => return refuse(cli, words),
        },
        _ => return refuse(cli, words),
    };
    let length = count.map(|count| format!("{:#x}", count.saturating_mul(size)));
    let args: Vec<String> = ["mem".to_owned(), address.clone()]
        .into_iter()
        .chain(length)
        .chain(["--as".to_owned(), unit.to_owned()])
        .collect();
    run(cli, &args, words)
}

/// The debugger takes the rest of an `!object` line for the path, blanks and all.
fn path_as_one(words: &[String]) -> Vec<String> {
    // Without quotes, as in `!object \RPC Control\ntsvcs`: a path begins with a back-slash there and a number
    // with none, and flags stand behind numbers only (Microsoft's "!object").
    let rest = words.get(1..).unwrap_or_default().join(" ");
    [words[0].clone(), rest]
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect()
}

/// `!process [PROCESS [FLAGS]] [IMAGE]`: process 0 is all of them, and none and -1 are the current one. Bit 1 of the
/// flags asks for threads and what they wait for, bit 2 for their stacks as well; without flags the debugger shows one process in full, and a list
/// of all. Numbers below 0x10000 are process ids, in hex as everything that a debugger reads.
fn process(cli: &Cli, words: &[String]) -> Step {
    let process = words.get(1).map_or("-1", String::as_str);
    // Its options `/s` and `/m` choose processes by what this command has no word for (Microsoft's "!process").
    if process.starts_with(['-', '/']) && process != "-1" {
        return refuse(cli, words);
    }
    let flags = words.get(2).map(|flags| address::hex(flags));
    if flags.is_some_and(|flags| flags.is_none()) {
        return refuse(cli, words);
    }
    let flags = flags.flatten().unwrap_or_default();
    // The usual ones are 0, 7, 17, 1f and ff. Alone, 4 is "each thread on a single line", and with 2 "each
    // thread with a stack trace" (Microsoft's "!process"); here it has stacks in both cases.
    let (with_threads, with_stacks) = (flags & 6 != 0, flags & 4 != 0);
    // Debuggers compare with the 15 bytes of EPROCESS.ImageFileName, where longer names are cut off, and take
    // no name with a blank (Microsoft's "!process"). Here blanks are words that are joined again.
    let image = words.get(3..).unwrap_or_default().join(" ");
    let all = address::hex(process) == Some(0);
    let mut args = match (all, image.is_empty()) {
        (true, false) => {
            return Step::Each(Box::new(Each {
                cli: cli.clone(),
                image,
                with_threads,
                with_stacks,
            }));
        }
        (true, true) if with_threads => vec!["threads".to_owned()],
        (true, true) => vec!["processes".to_owned(), "-v".to_owned()],
        (false, true) if with_threads => {
            let process = debugger_process(process);
            vec!["threads".to_owned(), "--process".to_owned(), process]
        }
        (false, true) => vec!["process".to_owned(), debugger_process(process)],
        (false, false) => return refuse(cli, words),
    };
    if with_stacks {
        args.push("--stacks".to_owned());
    }
    run(cli, &args, words)
}

/// `!handle [HANDLE [FLAGS [PROCESS [TYPE]]]]`, for all handles only: handle 0.
fn handle(cli: &Cli, words: &[String]) -> Step {
    let mut args = vec!["handles".to_owned()];
    // 0 is "handle information from all processes"; -1 or nothing would be the current one (Microsoft's
    // "!handle"); here nothing is all, as 0 is.
    if let Some(process) = words.get(3).filter(|process| *process != "0") {
        args.extend(["--process".to_owned(), debugger_process(process)]);
    }
    // Types have names of several words, which the debugger takes as they are: `!handle 0 2 0 ALPC Port` in a
    // published transcript of Windows 10.
    let object_type = words.get(4..).unwrap_or_default().join(" ");
    if !object_type.is_empty() {
        args.extend(["--type".to_owned(), object_type]);
    }
    match words.get(1).map(String::as_str) {
        None | Some("0") => run(cli, &args, words),
        Some(_) => refuse(cli, words),
    }
}

/// A process as debuggers take it: an address, or an id in hex.
fn debugger_process(token: &str) -> String {
    if token == "-1" {
        return CURRENT.to_owned();
    }
    let digits = token.strip_prefix("0x").unwrap_or(token);
    match u64::from_str_radix(digits, 16) {
        // A published Vista server has a process 13c40 (Cid: 13c40 in its transcript): ids that large are still
        // ids to the debugger, and are written `pid:0x13c40` here.
        Ok(id) if id < 0x1_0000 => format!("pid:{id:#x}"),
        _ => token.to_owned(),
    }
}

fn alpc(cli: &Cli, words: &[String]) -> Step {
    // The help of 2009 has it first, and /V between it and the address: `/M [/V] MsgAddress`. Any order is
    // taken here.
    let Some(position) = words.iter().skip(1).position(|word| switch(word).is_some()) else {
        return match words.get(1).map(String::as_str) {
            // As the debuggers do, whatever they do not understand gets the help.
            None | Some("/?" | "-?") => Step::Print(help(cli.style)),
            // `!alpc port` printed the help in a published transcript of Windows 10.
            Some(_) if cli.style == Style::Modern => Step::Print(help(cli.style)),
            Some(_) => refuse(cli, words),
        };
    };
    let verb = switch(&words[position + 1]).unwrap_or_default();
    let rest = words
        .iter()
        .skip(1)
        .enumerate()
        .filter(|&(index, _)| index != position)
        .map(|(_, word)| {
            if word.eq_ignore_ascii_case("/v") {
                "-v".to_owned()
            } else {
                word.clone()
            }
        });
    let args: Vec<String> = verb.iter().map(|&word| word.to_owned()).chain(rest).collect();
    run(cli, &args, words)
}

/// `!lpc` says that `!alpc` is to be used: the older extension then prints its help, the later one the view.
fn lpc(cli: &Cli, words: &[String]) -> Vec<Step> {
    // Whatever the arguments: `!lpc message fffff8800f4cc950` gave the line and the list, no message, in the
    // published transcript of Vista. No transcript shows what later extensions print behind the line; the view
    // is this program's.
    if cli.style == Style::Classic {
        return vec![Step::Print(format!("{REDIRECTION}{CLASSIC_HELP}"))];
    }
    let step = match words.get(1).map(|word| word.to_ascii_lowercase()).as_deref() {
        Some("thread") if words.len() == 2 => run_as("threads", cli, &words[1..]),
        Some(verb @ ("message" | "port" | "thread")) => {
            let args: Vec<String> = std::iter::once(verb.to_owned())
                .chain(words[2..].iter().cloned())
                .collect();
            run(cli, &args, words)
        }
        _ => Step::Print(help(cli.style)),
    };
    vec![Step::Print(REDIRECTION.to_owned()), step]
}

fn help(style: Style) -> String {
    match style {
        Style::Classic => CLASSIC_HELP,
        Style::Modern => MODERN_HELP,
    }
    .to_owned()
}

/// A command of ours with its own arguments, under the options of the whole run.
fn run(cli: &Cli, args: &[String], words: &[String]) -> Step {
    /// One line: a command and what may stand with it.
    #[derive(Parser)]
    #[command(no_binary_name = true, disable_help_flag = true)]
    struct Line {
        #[arg(short, long, global = true)]
        verbose: bool,
        #[command(subcommand)]
        command: Command,
    }
    match Line::try_parse_from(args) {
        Ok(line) => {
            let mut cli = cli.with(line.command);
            cli.options.verbose |= line.verbose;
            Step::Run(Box::new(cli))
        }
        Err(_) => refuse(cli, words),
    }
}

/// What comes nearest to a line that is not understood, in one line.
fn refuse(cli: &Cli, words: &[String]) -> Step {
    /// Characters of a line that are repeated.
    const SHOWN: usize = 60;
    let verb = words.first().map(String::as_str).unwrap_or_default();
    let ours = Cli::command();
    let known = ours.find_subcommand(verb).is_some();
    let nearest = match table::find(verb.get(..2).filter(|start| *start == "lm").unwrap_or(verb)) {
        Some(table::Here::Nearest(nearest) | table::Here::Passes(nearest)) => nearest.to_owned(),
        None if known => format!("its arguments are not those of `{verb}`: see `{verb} --help`"),
        None => {
            let own = ours
                .get_subcommands()
                .map(|command| command.get_name().to_owned());
            let names: Vec<String> = own.chain(table::names().map(str::to_owned)).collect();
            let near = selector::nearest(verb, names.iter().map(String::as_str));
            let near = near.map(|near| format!("did you mean {near}? "));
            format!("{}see --help and docs/from-windbg.md", near.unwrap_or_default())
        }
    };
    let whole = words.join(" ");
    let shown: String = whole.chars().take(SHOWN).collect();
    let cut = if shown.len() < whole.len() { "..." } else { "" };
    let message = if cli.redact.is_empty() {
        format!("\"{shown}{cut}\" is not understood; {nearest}")
    } else {
        format!("a line is not understood; {nearest}")
    };
    Step::Refuse(Failure::new(Status::Fatal, "unknown-command", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &[&str]) -> Vec<String> {
        rewrite(line.iter().map(OsString::from))
            .into_iter()
            .map(|arg| arg.into_string().unwrap())
            .collect()
    }

    #[test]
    fn switches_become_commands() {
        let plain = ["alpc-dump", "a.dmp", "message", "fffff8800f4cc950"];
        for line in [
            &["alpc-dump", "a.dmp", "/m", "fffff8800f4cc950"][..],
            &["alpc-dump", "a.dmp", "/M", "fffff8800f4cc950"],
            &["alpc-dump", "a.dmp", "-m", "fffff8800f4cc950"],
            &["alpc-dump", "a.dmp", "message", "fffff8800f4cc950"],
        ] {
            assert_eq!(rewritten(line), plain, "{line:?}");
        }
        assert_eq!(
            rewritten(&[
                "alpc-dump",
                "--color",
                "never",
                "a.dmp",
                "/M",
                "/V",
                "fffff880`0f4cc950"
            ]),
            [
                "alpc-dump",
                "--color",
                "never",
                "a.dmp",
                "message",
                "-v",
                "fffff880`0f4cc950"
            ]
        );
    }

    #[test]
    fn every_spelling_of_the_view_of_resources() {
        for spelling in ["/r", "-R", "-section", "-region", "/View", "-presl"] {
            assert_eq!(switch(spelling), Some(&["resource"][..]), "{spelling}");
        }
    }

    #[test]
    fn debugger_lines_stay_whole() {
        let line = [
            "alpc-dump",
            "a.dmp",
            "-c",
            "!alpc /m fffff8800f4cc950",
            "--format",
            "json",
        ];
        for args in [
            &[
                "alpc-dump",
                "a.dmp",
                "!alpc /m fffff8800f4cc950",
                "--format",
                "json",
            ][..],
            &[
                "alpc-dump",
                "a.dmp",
                "!alpc",
                "/m",
                "fffff8800f4cc950",
                "--format",
                "json",
            ],
            &line,
        ] {
            assert_eq!(rewritten(args), line, "{args:?}");
        }
    }

    #[test]
    fn a_path_or_an_argument_is_no_switch() {
        let line = ["alpc-dump", "a.dmp", "ports", "-p", "4"];
        assert_eq!(rewritten(&line), line);
        assert_eq!(
            rewritten(&["alpc-dump", "/m", "info"]),
            ["alpc-dump", "/m", "info"]
        );
    }

    #[test]
    fn quotes_keep_blanks_together() {
        assert_eq!(
            words(r#" !alpc  /p "\RPC Control\x y" "" "#),
            ["!alpc", "/p", r"\RPC Control\x y", ""]
        );
    }

    #[test]
    fn lines_of_one_word_are_no_commands() {
        let bound = |line: &[&str]| bind_lines(line.iter().map(OsString::from).collect());
        assert_eq!(
            bound(&[
                "alpc-dump",
                "a.dmp",
                "-c",
                "processes",
                "--commands",
                "lm; q",
                "-v"
            ]),
            [
                "alpc-dump",
                "a.dmp",
                "--commands=processes",
                "--commands=lm; q",
                "-v"
            ]
        );
        assert_eq!(
            bound(&["alpc-dump", "a.dmp", "-c"]),
            ["alpc-dump", "a.dmp", "--commands"]
        );
    }

    #[test]
    fn the_other_commands_of_debuggers() {
        let cli = Cli::try_parse_from(["alpc-dump", "a.dmp", "-c", "x"]).unwrap();
        let commands = |text: &str| match line(&cli, &words(text), text).remove(0) {
            Step::Run(cli) => format!("{:?}", cli.command.unwrap()),
            Step::Each(each) => format!("each {} {}", each.image, each.with_threads),
            Step::Print(text) => format!("prints {text:?}"),
            Step::Pass(_) => "passes".to_owned(),
            Step::Refuse(_) => "refused".to_owned(),
            Step::Leave => "left".to_owned(),
        };
        for (line, wanted) in [
            ("lm", "Modules(ModulesArgs { name: None })"),
            ("lm m afd", r#"Modules(ModulesArgs { name: Some("afd") })"#),
            ("lmvm afd", r#"Modules(ModulesArgs { name: Some("afd") })"#),
            ("lmv m a*", r#"Modules(ModulesArgs { name: Some("a*") })"#),
            ("lm m", "refused"),
            ("lm u", "refused"),
            (
                "lm a fffff80000000000",
                r#"Modules(ModulesArgs { name: Some("fffff80000000000") })"#,
            ),
            ("!process", r#"Process(ProcessArgs { process: "current" })"#),
            ("!process -1 0", r#"Process(ProcessArgs { process: "current" })"#),
            (
                "!process -1 7",
                r#"Threads(ThreadsArgs { waiting: false, state: [], reason: [], longer_than: None, session: None, stacks: true, of: None, process: Some("current") })"#,
            ),
            ("!thread", r#"Thread(ThreadArgs { thread: "current" })"#),
            (
                "!thread -t 25c 1f",
                r#"Thread(ThreadArgs { thread: "tid:0x25c" })"#,
            ),
            ("!process /s 1 0 0", "refused"),
            ("!process 0 zz", "refused"),
            ("!process 0", "Processes(ProcessesArgs { session: None })"),
            (
                "!process 3e4 ff",
                r#"Threads(ThreadsArgs { waiting: false, state: [], reason: [], longer_than: None, session: None, stacks: true, of: None, process: Some("pid:0x3e4") })"#,
            ),
            ("!process 0 7 svchost.exe", "each svchost.exe true"),
            (".reload /f nt", "passes"),
            (".sympath+ C:\\x", "passes"),
            (".echo  a  b", r#"prints "a  b\n""#),
            (".process /p fffffa801807b8f0", "refused"),
            ("~*kv", "refused"),
            ("!process 0 0", "Processes(ProcessesArgs { session: None })"),
            (
                "!process 0 ff",
                "Threads(ThreadsArgs { waiting: false, state: [], reason: [], longer_than: None, session: None, stacks: true, of: None, process: None })",
            ),
            (
                "!thread fffffa801afae6f0 1f",
                r#"Thread(ThreadArgs { thread: "fffffa801afae6f0" })"#,
            ),
            ("!process 33c", r#"Process(ProcessArgs { process: "pid:0x33c" })"#),
            (
                "!process fffffa801807b8f0 1",
                r#"Process(ProcessArgs { process: "fffffa801807b8f0" })"#,
            ),
            ("!process 0 0 smss.exe", "each smss.exe false"),
            (
                r"!object \RPC Control\x y",
                r#"Object(ObjectArgs { object: "\\RPC Control\\x y" })"#,
            ),
            (
                "!handle 0 2 0 ALPC Port",
                r#"Handles(HandlesArgs { object_type: Some("ALPC Port"), of: None, process: None, session: None })"#,
            ),
            (
                "!HANDLE 0 2 4",
                r#"Handles(HandlesArgs { object_type: None, of: None, process: Some("pid:0x4"), session: None })"#,
            ),
            ("!handle 4", "refused"),
            ("!object", "refused"),
        ] {
            assert_eq!(commands(line), wanted, "{line}");
        }
    }
}
