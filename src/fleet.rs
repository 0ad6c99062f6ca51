//! `triage`: one record a dump, of many dumps.
//!
//! Each dump is looked at by a process of its own, which is this program with that one dump: it may take as long
//! as it is given, crash or run out of memory, and that is one record. Here they are started, so many at a time,
//! and their records are written in the order of the dumps. A single dump is no exception: it is as likely to be
//! hostile.

mod child;
pub mod inputs;
pub mod packs;
mod pool;
mod progress;
mod resume;
pub mod scripts;
mod tally;
pub mod worker;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::asked;
use crate::cli::Cli;
use crate::commands::triage::TriageArgs;
use crate::commands::triage::groups::Groups;
use crate::commands::triage::ignored::Ignored;
use crate::commands::triage::record::Record;
use crate::commands::triage::sheet::Sheet;
use crate::failure::{Failure, Status};
use crate::fleet::child::Supervisor;
use crate::fleet::inputs::Input;
use crate::fleet::progress::Progress;
use crate::fleet::resume::Done;
use crate::fleet::tally::Tally;
use crate::host::target::Target;
use crate::host::{guard, interrupt};
use crate::options::{Class, Format, numbered};
use crate::output::Output;
use crate::output::document::DumpRef;
use crate::redact::{Redactor, Typed};

/// Runs the command.
///
/// # Errors
/// What keeps the results from being written.
pub fn run(cli: &Cli, typed: &Typed, args: &TriageArgs, output: &mut Output) -> io::Result<Status> {
    if args.worker {
        return look_at(cli, typed, args, output);
    }
    let (format, done) = match prepare(cli, args) {
        Ok(prepared) => prepared,
        Err(error) => {
            output.diagnostic(&Failure::from_error(error).message);
            return Ok(Status::Fatal);
        }
    };
    if let (Some(file), Some(done)) = (&args.resume, &done)
        && let Some(note) = done.note(file)
    {
        output.note(&note);
    }
    let alone = is_one_file(cli);
    // The table itself shows how far it is.
    let watched = alone || cli.quiet || (output.target().is_stdout() && io::stdout().is_terminal());
    let mut collector = Collector {
        cli,
        typed,
        sheet: Sheet::new(cli, format, alone, output.target())?,
        target: output.target(),
        groups: Groups::default(),
        with_groups: args.groups || (format == Format::Text && !alone),
        numbers: !alone && cli.redacts(Class::Paths),
        progress: Progress::new(!watched),
        tally: Tally::default(),
        worst: Status::Complete,
    };
    run_all(cli, args, done.as_ref(), &mut collector)?;
    let (worst, tally) = collector.finish()?;
    if !alone {
        output.note(&tally.text());
    }
    output.close()?;
    Ok(worst)
}

/// The format, and what an earlier run has done.
fn prepare(cli: &Cli, args: &TriageArgs) -> anyhow::Result<(Format, Option<Done>)> {
    let to_terminal = cli.output.is_none() && io::stdout().is_terminal();
    let format = match cli.format {
        Format::Text if !cli.format_given && !to_terminal => Format::Ndjson,
        format => format,
    };
    if format.is_drawing() {
        return Err(Failure::fatal("format-not-here", "only graph can be drawn"));
    }
    if let Some(name) = format.of_check() {
        return Err(Failure::fatal(
            "format-not-here",
            format!("only check writes {name}"),
        ));
    }
    if args.groups && !matches!(format, Format::Text | Format::Ndjson) {
        return Err(Failure::fatal(
            "format-not-here",
            "groups have no place here: use --format ndjson or text",
        ));
    }
    refuse_to_replace_evidence()?;
    let Some(file) = &args.resume else {
        return Ok((format, None));
    };
    if cli.redacts(Class::Paths) {
        let text = "--resume knows dumps by their paths, which --redact replaces: leave one of them out";
        return Err(Failure::fatal("redact-not-here", text));
    }
    if guard::replaces(file) {
        let text = format!(
            "--output would replace {file}, with the records that are there: append to it instead, with >>{file}",
            file = file.display()
        );
        return Err(Failure::fatal("output-is-resumed", text));
    }
    let done = Done::read(file).map_err(|error| {
        Failure::fatal(
            "resume-file",
            format!("{} cannot be read: {error}", file.display()),
        )
    })?;
    Ok((format, Some(done)))
}

/// Which dumps the folders hold, and which symbols they take, is not known yet.
fn refuse_to_replace_evidence() -> anyhow::Result<()> {
    let Some(file) = guard::replaced() else {
        return Ok(());
    };
    if inputs::is_a_dump(file) {
        let text = format!("{} is a dump, and is not overwritten", file.display());
        return Err(Failure::fatal("output-is-a-dump", text));
    }
    if ntlayout::open(file).is_ok() {
        let text = format!("{} is a symbol file, and is not overwritten", file.display());
        return Err(Failure::fatal("output-is-symbols", text));
    }
    Ok(())
}

/// One dump, in this process, for the one that has started it.
fn look_at(cli: &Cli, typed: &Typed, args: &TriageArgs, output: &mut Output) -> io::Result<Status> {
    let [path] = &cli.dumps[..] else {
        output.diagnostic("--worker looks at one dump");
        return Ok(Status::Fatal);
    };
    worker::begin(path, args.memory);
    let mut dump = DumpRef::of(path, cli.hash, Redactor::of(typed));
    let record = Record::gather(cli, typed, path, &mut dump);
    let status = record.status;
    if let Outcome::Record(line, _) = Outcome::of(record, &dump)? {
        writeln!(output.target(), "{line}")?;
    }
    output.close()?;
    Ok(status)
}

fn run_all(
    cli: &Cli,
    args: &TriageArgs,
    done: Option<&Done>,
    collector: &mut Collector<'_>,
) -> io::Result<()> {
    let stop = &interrupt::STOP;
    let supervisor = Supervisor {
        program: std::env::current_exe()?,
        args: options(cli, args),
        timeout: args
            .timeout
            .map(|units| Duration::from_nanos(units.saturating_mul(100))),
        stop,
        at_work: Mutex::default(),
    };
    let inputs = inputs::inputs(&cli.dumps, args.recursive);
    let failed = |path: &Path, problem| {
        let dump = DumpRef::of(path, false, Redactor::of(&asked::typed(&alone(cli, path))));
        Outcome::of(Record::failed(&dump, problem), &dump)
    };
    let is_done =
        |path: &Path| done.is_some_and(|done| done.has(&DumpRef::of(path, false, Redactor::default())));
    let work = |input: Input| match input {
        Input::Ignored(path, ignored) => Ok(Outcome::Ignored(path, ignored)),
        Input::Dump(path) | Input::Failed(path, _) if is_done(&path) => Ok(Outcome::Skipped),
        Input::Dump(path) => {
            guard::reads(&path, "one of the dumps");
            match supervisor.run(&path) {
                Ok((line, record)) => Ok(Outcome::Record(line, record)),
                Err(problem) => failed(&path, problem),
            }
        }
        Input::Failed(path, problem) => failed(&path, problem),
    };
    let jobs = args.jobs.map_or_else(
        || thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    pool::in_order(inputs, jobs, stop, work, |outcome| collector.take(outcome?))?;
    interrupt::hold();
    Ok(())
}

/// Whether a single file is looked at.
fn is_one_file(cli: &Cli) -> bool {
    matches!(&cli.dumps[..], [only] if !only.is_dir())
}

/// What comes of every file, in this process. What fails is said, and does not keep the others from being looked at.
fn each<T>(
    cli: &Cli,
    output: &mut Output,
    look: impl Fn(&Cli, &Path) -> anyhow::Result<T>,
) -> io::Result<(Vec<T>, Status)> {
    let (mut all, mut worst) = (Vec::new(), Status::Complete);
    for input in inputs::inputs(&cli.dumps, true) {
        let (path, found) = match input {
            Input::Ignored(..) => continue,
            Input::Dump(path) => {
                let found = look(&alone(cli, &path), &path);
                (path, found)
            }
            Input::Failed(path, problem) => (path, Err(anyhow::Error::msg(problem.text))),
        };
        match found {
            Ok(found) => all.push(found),
            Err(error) => {
                // By its own name: that of a folder would leave the rest of the path.
                let dump = DumpRef::of(&path, false, Redactor::of(&asked::typed(&alone(cli, &path))));
                let failure = Failure::from_error(error).about(&path);
                worst = worst.combine(output.failure(cli, &dump, &failure)?);
            }
        }
    }
    Ok((all, worst))
}

/// The command line that has this dump alone.
fn alone(cli: &Cli, dump: &Path) -> Cli {
    Cli {
        dumps: vec![dump.to_owned()],
        ..cli.clone()
    }
}

/// What a process is told behind its dump.
fn options(cli: &Cli, args: &TriageArgs) -> Vec<OsString> {
    let mut options: Vec<OsString> = ["triage", "--worker", "--format", "ndjson", "--quiet"]
        .map(OsString::from)
        .to_vec();
    if let Some(memory) = args.memory {
        options.extend(["--memory".into(), memory.to_string().into()]);
    }
    options.extend(shared_options(cli));
    options
}

/// The options under which another process reads the same of a dump, and tells as little of it.
pub fn shared_options(cli: &Cli) -> Vec<OsString> {
    let mut options = Vec::new();
    for symbols in &cli.symbols {
        options.extend(["--symbols".into(), symbols.into()]);
    }
    if cli.exact_symbols {
        options.push("--exact-symbols".into());
    }
    if cli.force_symbols {
        options.push("--force-symbols".into());
    }
    if cli.hash {
        options.push("--hash".into());
    }
    for class in cli.redact.iter().filter_map(Class::to_possible_value) {
        options.extend(["--redact".into(), class.get_name().into()]);
    }
    if let Some(key) = &cli.redact_key {
        options.extend(["--redact-key".into(), key.into()]);
    }
    for names in &cli.rpc_names {
        options.extend(["--rpc-names".into(), names.into()]);
    }
    if let Some(folder) = &cli.unpack {
        options.extend(["--unpack".into(), folder.into()]);
    }
    for (number, path) in numbered(&cli.page_files) {
        let mut file = OsString::from(format!("{number}="));
        file.push(path);
        options.extend(["--pagefile".into(), file]);
    }
    if cli.no_mmap {
        options.push("--no-mmap".into());
    }
    for (option, address) in [("--dtb", cli.dtb), ("--kernel-base", cli.kernel_base)] {
        if let Some(address) = address {
            options.extend([option.into(), format!("{address:x}").into()]);
        }
    }
    if let Some(style) = cli.style.to_possible_value() {
        options.extend(["--style".into(), style.get_name().into()]);
    }
    options
}

/// What became of an input.
enum Outcome {
    /// A record of it, also on one line.
    Record(String, Json),
    /// An earlier run has it.
    Skipped,
    /// It is no dump.
    Ignored(PathBuf, Ignored),
}

impl Outcome {
    fn of(record: Record, dump: &DumpRef) -> io::Result<Self> {
        let line = serde_json::to_value(record.line(dump))?;
        Ok(Self::Record(serde_json::to_string(&line)?, line))
    }
}

/// Where the records arrive, in order.
struct Collector<'o> {
    cli: &'o Cli,
    typed: &'o Typed,
    sheet: Sheet,
    target: &'o mut Target,
    groups: Groups,
    with_groups: bool,
    numbers: bool,
    progress: Progress,
    tally: Tally,
    worst: Status,
}

impl Collector<'_> {
    fn take(&mut self, outcome: Outcome) -> io::Result<()> {
        match outcome {
            Outcome::Skipped => self.tally.skipped += 1,
            Outcome::Ignored(path, ignored) => {
                self.tally.ignored.add(ignored.reason);
                if self.cli.verbose {
                    self.list(&path, ignored)?;
                }
            }
            Outcome::Record(line, record) => {
                let (line, record) = self.numbered(line, record)?;
                let status = Status::deserialize(&record["status"]).unwrap_or(Status::Fatal);
                self.worst = self.worst.combine(status);
                self.tally.count(status);
                self.groups.add(&record);
                self.sheet
                    .record(self.cli, self.typed, &line, &record, status, self.target)?;
            }
        }
        self.progress.show(&self.tally);
        Ok(())
    }

    /// Lists what was ignored: on stderr, where records of dumps have all the room.
    fn list(&mut self, path: &Path, ignored: Ignored) -> io::Result<()> {
        let hidden = self.cli.redacts(Class::Paths);
        let name = hidden.then(|| format!("ignored-{}", self.tally.ignored.total()));
        let line = ignored.line(path, name);
        if let Some(note) = self.sheet.ignored(&line, self.target)?
            && !self.cli.quiet
        {
            let _ = writeln!(io::stderr(), "alpc-dump: {note}");
        }
        Ok(())
    }

    /// Where paths are replaced, dumps are told apart by their place.
    fn numbered(&self, line: String, mut record: Json) -> io::Result<(String, Json)> {
        if !self.numbers {
            return Ok((line, record));
        }
        record["dump"] = format!("dump-{}", self.tally.dumps + 1).into();
        Ok((serde_json::to_string(&record)?, record))
    }

    fn finish(mut self) -> io::Result<(Status, Tally)> {
        self.progress.end();
        if self.with_groups {
            self.sheet.groups(&self.groups.ranked(), self.target)?;
        }
        self.sheet.finish(self.target)?;
        Ok((self.worst, self.tally))
    }
}
