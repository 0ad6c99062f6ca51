//! The commands inside of another program: a dump that stays open, and questions whose records are handed over as they
//! are read, as JSON in the documented form.
//!
//! A question is in the words of a command line and runs in a thread of its own, so that several are answered at the same
//! time over one dump. It reads little ahead of who takes its lines, and ends when nobody does any more.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use alpc_dump::embed::{Dump, Question, Said};
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vista-sp2-x64.dmp");
//! let dump = Arc::new(Dump::open(path.into(), &[])?);
//! let mut walk = dump.ask(Question::records(["ports".into()]));
//! let mut ports = 0;
//! loop {
//!     match walk.next(Duration::from_secs(60)) {
//!         Said::Line(line) if line.kind == "port-line" => ports += 1,
//!         Said::Line(_) | Said::Rows(_) | Said::Nothing => {}
//!         Said::End(_) => break,
//!         Said::Refused(refusal) => return Err(refusal),
//!     }
//! }
//! assert!(ports > 0);
//! # Ok::<(), Box<alpc_dump::embed::Refusal>>(())
//! ```

use std::ffi::OsString;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use alpc::image::budget::{Spent, Watch};
use alpc::image::json::Recorded;
pub use alpc::image::json::UnreadableRecord;
use serde_json::Value as Json;

use crate::asked;
use crate::cli::{self, Cli, Command};
use crate::commands::message::ManyMessages;
use crate::commands::triage::record::Record;
use crate::commands::{Category, Verb};
use crate::failure::Failure;
use crate::host::interrupt;
use crate::options::Format;
use crate::output::answer::Answer;
use crate::output::columns::Columns;
pub use crate::output::columns::{Batch, Buffers, Kind, Wanted};
use crate::output::document::{DumpRef, ErrorRecord};
use crate::output::records::{Records, Take, WriteError};
use crate::output::{answered, explanation, failed};
use crate::redact::{Redactor, Typed};
use crate::run;
use crate::session::Session;

/// Lines that a walk is ahead of who takes them, at most.
const AHEAD: usize = 512;

/// What the main thread of a program has on most systems: some views are read by functions that call themselves.
const STACK: usize = 8 << 20;

/// A dump, opened.
pub struct Dump {
    path: PathBuf,
    /// The words of the command line before the command.
    options: Vec<OsString>,
    about: DumpRef,
    /// Copied for each question.
    session: Mutex<Session>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    ask: Ask,
    words: Vec<OsString>,
    columns: Option<(Wanted, usize)>,
}

#[derive(Clone, Debug)]
enum Ask {
    /// The records of a command, one by one.
    Records,
    /// Its whole document, as one line.
    Document,
    /// Messages.
    Messages(ManyMessages),
}

impl Question {
    /// A command's records, by its words on a command line.
    pub fn records(words: impl IntoIterator<Item = OsString>) -> Self {
        let words = words.into_iter().collect();
        Self {
            ask: Ask::Records,
            words,
            columns: None,
        }
    }

    /// A command's whole document, as `--format json` writes it, by its words on a command line. It comes as one line of the
    /// kind `document`, also where the command gives nothing: then the document has an error.
    pub fn document(words: impl IntoIterator<Item = OsString>) -> Self {
        let words = words.into_iter().collect();
        Self {
            ask: Ask::Document,
            words,
            columns: None,
        }
    }

    /// The messages that are named by addresses or ids; without any names, all that are on their way. `in_full` says whether
    /// each is told with what the debugger's view leaves out, the call that it is among that.
    pub fn messages(named: Option<Vec<String>>, in_full: bool) -> Self {
        Self {
            // The command takes one name, and the head of the answer tells the words.
            words: vec!["message".into(), "*".into()],
            ask: Ask::Messages(ManyMessages { named, in_full }),
            columns: None,
        }
    }

    /// The same with the rows of a table as columns, in batches of at most so many. What are no rows are lines still.
    #[must_use]
    pub fn in_columns(mut self, wanted: Wanted, most: usize) -> Self {
        self.columns = Some((wanted, most));
        self
    }
}

/// What `--format ndjson` writes as one line, without `record` and `dump`.
#[derive(Clone, Debug)]
pub struct Line {
    /// Which kind of record it is. The first line is `document`, what stands at the head of one; the last is `end`, and
    /// `error` stands for what is not there.
    pub kind: &'static str,
    /// The record.
    pub value: Json,
    /// What it could not tell, by the paths in it.
    pub holes: Vec<UnreadableRecord>,
}

/// What there is to say once all was told.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// What is good to know: how sure the symbols are, for instance.
    pub notes: Vec<String>,
    /// What went wrong with a part of what was asked for.
    pub errors: Vec<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// A stable id; `docs/json.md` lists them.
    pub id: String,
    /// What, where, why and what next.
    pub text: String,
    /// `finding` for what is not in the dump, `partial` for what cannot be read, else `fatal`.
    pub status: &'static str,
    /// Names that may have been meant, as in the schema's `ErrorRecord`.
    pub suggestions: Json,
}

impl Refusal {
    /// What is said of a fault of this library: something that was not thought of, in one question.
    #[must_use]
    pub fn fault() -> Box<Self> {
        let text = "this question ended in a fault of the library: ask another one, and report this one";
        Self::of(Failure::fatal("error", text), &Redactor::default())
    }

    fn of(error: anyhow::Error, redactor: &Redactor) -> Box<Self> {
        let failure = Failure::from_error(error).reworded(|text| redactor.message(text));
        let record = ErrorRecord::from(&failure);
        Box::new(Self {
            suggestions: serde_json::to_value(&record.suggestions).unwrap_or_default(),
            id: record.id,
            text: record.text,
            status: failure.status.name(),
        })
    }
}

/// What a walk says when it is asked for more.
#[derive(Clone, Debug)]
pub enum Said {
    /// A line.
    Line(Line),
    /// Rows, where columns were asked for.
    Rows(Batch),
    /// There is none yet.
    Nothing,
    /// That was all.
    End(Notes),
    /// There is no answer, or no more of it.
    Refused(Box<Refusal>),
}

/// A question that is being answered. It ends when this is dropped.
pub struct Walk {
    said: Receiver<Said>,
    stop: Arc<Stop>,
    /// How it ended.
    last: Option<Said>,
    table: Option<&'static str>,
}

/// Asks a walk to end.
#[derive(Default)]
struct Stop(AtomicBool);

impl Watch for Stop {
    fn goes_on(&self, _: Spent) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

/// What `triage` tells of a dump, looked at by the thread that calls: the record, as `--format ndjson` writes it, also of a
/// dump that cannot be opened. `options` are as for [`Dump::open`].
///
/// The program gives each dump a process of its own; here nothing stops a dump that takes too long or too much memory, so
/// whoever looks at dumps of strangers calls this where it may be killed.
///
/// # Errors
/// The options make no sense, or something was not thought of: then a process of the program may tell more.
pub fn triage(path: &Path, options: &[OsString]) -> Result<Json, Box<Refusal>> {
    guarded(|| {
        let parsed = parsed(path, options, &["info".into()], Format::Json);
        let (cli, typed) = parsed.map_err(|error| Refusal::of(error, &Redactor::default()))?;
        let mut dump = DumpRef::of(path, cli.hash, Redactor::of(&typed));
        let record = Record::gather(&cli, &typed, path, &mut dump);
        let line = serde_json::to_value(record.line(&dump));
        line.map_err(|error| Refusal::of(error.into(), &dump.redactor))
    })
}

/// Leaves all signals to the program that this library is a part of. Without it, unpacking a dump has the signals watched that
/// end a program, so that no temporary file is left behind.
pub fn leave_signals() {
    interrupt::leave_signals();
}

impl Dump {
    /// Opens a dump. `options` are words of a command line: `--symbols`, `--unpack`, `--redact` and so on.
    ///
    /// # Errors
    /// The file cannot be opened as a dump, or the options make no sense.
    pub fn open(path: PathBuf, options: &[OsString]) -> Result<Self, Box<Refusal>> {
        let nothing = Redactor::default();
        let parsed = parsed(&path, options, &["info".into()], Format::Json);
        let (cli, typed) = parsed.map_err(|error| Refusal::of(error, &nothing))?;
        let session = Session::open(&cli, &typed, &path);
        let session = session.map_err(|error| Refusal::of(error, &Redactor::of(&typed)))?;
        let about = DumpRef::of(&path, cli.hash, session.redactor().clone());
        session.is_hashed(about.sha256.as_ref());
        Ok(Self {
            path,
            options: options.to_vec(),
            about,
            session: Mutex::new(session),
        })
    }

    /// Begins to answer a question.
    #[must_use]
    pub fn ask(self: &Arc<Self>, question: Question) -> Walk {
        let (sender, said) = mpsc::sync_channel(AHEAD);
        let stop = Arc::new(Stop::default());
        let table = self.table_of(&question);
        let (dump, watch) = (Arc::clone(self), Arc::clone(&stop));
        let answer = move || {
            let last = guarded(|| dump.answer(&question, watch, &sender));
            // Nobody listens where nobody wants to hear more.
            let _ = sender.send(last.map_or_else(Said::Refused, Said::End));
        };
        let builder = thread::Builder::new().name("walk".to_owned()).stack_size(STACK);
        let refused = builder.spawn(answer).err().map(|error| {
            let error = Failure::fatal("error", format!("there is no thread to be had: {error}"));
            Said::Refused(Refusal::of(error, &Redactor::default()))
        });
        Walk {
            said,
            stop,
            last: refused,
            table,
        }
    }

    /// The kind of records that answer a question, where they are the rows of a table.
    #[must_use]
    pub fn table_of(&self, question: &Question) -> Option<&'static str> {
        let table = match &question.ask {
            Ask::Messages(messages) => messages.table(),
            Ask::Document => None,
            Ask::Records => {
                let parsed = parsed(&self.path, &self.options, &question.words, Format::Ndjson);
                parsed.ok().and_then(|(cli, _)| cli.verb()?.table())
            }
        };
        table.map(|table| table.record)
    }

    fn answer(
        &self,
        question: &Question,
        watch: Arc<Stop>,
        to: &SyncSender<Said>,
    ) -> Result<Notes, Box<Refusal>> {
        let format = match &question.ask {
            Ask::Document => Format::Json,
            Ask::Records | Ask::Messages(_) => Format::Ndjson,
        };
        let parsed = parsed(&self.path, &self.options, &question.words, format);
        let (cli, mut typed) = parsed.map_err(|error| Refusal::of(error, &self.about.redactor))?;
        if let (Ask::Messages(messages), true) = (&question.ask, typed.classes.is_some()) {
            typed.tokens.extend(messages.named());
        }
        let session = lock(&self.session).again(&typed, watch);
        let about = DumpRef {
            redactor: session.redactor().clone(),
            ..self.about.clone()
        };
        let columns = question.columns.as_ref();
        let mut to = Listener {
            to,
            columns: columns.map(|(wanted, most)| Columns::new(wanted, *most)),
        };
        let answered = match &question.ask {
            Ask::Records => lines(&cli, &session, &about, &mut to),
            Ask::Document => document(&cli, &session, &about, &mut to),
            Ask::Messages(messages) => streamed(&cli, &session, &about, messages, &mut to),
        };
        answered.map_err(|error| Refusal::of(error, &about.redactor))
    }
}

impl Walk {
    /// The kind of its records, where they are the rows of a table.
    #[must_use]
    pub fn table(&self) -> Option<&'static str> {
        self.table
    }

    /// What comes next, waited for as long as that. Once it has ended it says the same each time.
    pub fn next(&mut self, patience: Duration) -> Said {
        if let Some(last) = &self.last {
            return last.clone();
        }
        match self.said.recv_timeout(patience) {
            Ok(line @ (Said::Line(_) | Said::Rows(_))) => line,
            Ok(last) => self.last.insert(last).clone(),
            Err(RecvTimeoutError::Timeout) => Said::Nothing,
            Err(RecvTimeoutError::Disconnected) => self.last.insert(Said::Refused(Refusal::fault())).clone(),
        }
    }

    /// Asks it to end soon; what it has read by then is still told.
    pub fn stop(&self) {
        self.stop.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Who takes an answer.
struct Listener<'t> {
    to: &'t SyncSender<Said>,
    columns: Option<Columns>,
}

impl Listener<'_> {
    fn say(&self, said: Said) -> io::Result<()> {
        self.to.send(said).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Take for Listener<'_> {
    fn line(&mut self, kind: &'static str, Recorded { value, holes }: Recorded) -> io::Result<()> {
        self.batch()?;
        self.say(Said::Line(Line { kind, value, holes }))
    }

    fn columns(&mut self) -> Option<&mut Columns> {
        self.columns.as_mut()
    }

    fn batch(&mut self) -> io::Result<()> {
        match self.columns.as_mut().and_then(Columns::take) {
            Some(batch) => self.say(Said::Rows(batch)),
            None => Ok(()),
        }
    }
}

/// The answer as lines.
fn lines(cli: &Cli, session: &Session, about: &DumpRef, to: &mut dyn Take) -> anyhow::Result<Notes> {
    let Some(command) = &cli.command else {
        return Err(Failure::fatal("no-command", "no command given"));
    };
    let verb = command.verb();
    if verb.table().is_some() && !cli.explain {
        return streamed(cli, session, about, verb, to);
    }
    let mut answer = run::run(cli, session, command)?;
    let record = std::mem::take(&mut answer.record);
    let mut records = Records::given(cli, about, to);
    records.head(cli, answer.symbols.as_ref())?;
    records.taken(command.spec().name(), record)?;
    for one in answer.explain.iter().flatten() {
        records.beside(explanation::NAME, one)?;
    }
    ended(records, answer)
}

/// The records of a table, each as soon as it is read.
fn streamed(
    cli: &Cli,
    session: &Session,
    about: &DumpRef,
    verb: &dyn Verb,
    to: &mut dyn Take,
) -> anyhow::Result<Notes> {
    let mut records = Records::given(cli, about, to);
    let answer = run::stream(cli, session, verb, &mut records)?;
    ended(records, answer)
}

fn ended(records: Records<'_>, mut answer: Answer) -> anyhow::Result<Notes> {
    let (_, holes) = records.end(&answer).map_err(WriteError)?;
    answer.notes.extend(holes.summary());
    Ok(Notes {
        notes: answer.notes,
        errors: answer.errors,
    })
}

/// The whole document.
fn document(cli: &Cli, session: &Session, about: &DumpRef, to: &mut dyn Take) -> anyhow::Result<Notes> {
    let Some(command) = &cli.command else {
        return Err(Failure::fatal("no-command", "no command given"));
    };
    let (document, notes) = match run::run(cli, session, command) {
        Ok(mut answer) => {
            let mut notes = Notes {
                notes: std::mem::take(&mut answer.notes),
                errors: std::mem::take(&mut answer.errors),
            };
            let (document, holes) = answered(cli, about, answer);
            notes.notes.extend(holes.summary());
            (document, notes)
        }
        Err(error) => {
            let failure = Failure::from_error(error).reworded(|text| about.redactor.message(text));
            (failed(cli, about, &failure), Notes::default())
        }
    };
    let value = serde_json::to_value(document)?;
    let holes = Vec::new();
    to.line("document", Recorded { value, holes })
        .map_err(WriteError)?;
    Ok(notes)
}

/// The command line that these words make, and what of it must not be told.
fn parsed(
    path: &Path,
    options: &[OsString],
    words: &[OsString],
    format: Format,
) -> anyhow::Result<(Cli, Typed)> {
    let bad = |text: String| Failure::fatal("bad-arguments", text);
    let whole = std::iter::once(OsString::from("alpc-dump")).chain(options.iter().chain(words).cloned());
    let mut cli = cli::parse(whole.collect()).map_err(|error| {
        let text = error.render().to_string();
        bad(text.trim_start_matches("error: ").trim_end().to_owned())
    })?;
    if let Some(why) = unfit(&cli) {
        return Err(bad(why));
    }
    cli.dumps = vec![path.to_owned()];
    cli.options.format = format;
    cli.options.quiet = true;
    cli.options.fits = None;
    let words = std::iter::once(path.as_os_str()).chain(options.iter().chain(words).map(AsRef::as_ref));
    let typed = asked::typed_as(&cli, words.map(|word| word.to_string_lossy().into_owned()));
    Ok((cli, typed))
}

/// Why a command line is none that is answered here.
fn unfit(cli: &Cli) -> Option<String> {
    if cli.interactive || !cli.commands.is_empty() {
        return Some("lines of a debugger are not answered here: ask for the command".to_owned());
    }
    if cli.output.is_some() {
        return Some("nothing is written into files here: leave --output out".to_owned());
    }
    if let Some(word) = cli.dumps.first() {
        return Some(format!("{:?} is no command", word.to_string_lossy()));
    }
    let command = cli.command.as_ref()?;
    let name = command.spec().name();
    let elsewhere = matches!(
        command,
        Command::Diff(_) | Command::Triage(_) | Command::Pack(_) | Command::Shell(_)
    );
    if elsewhere || command.spec().category == Category::Program {
        return Some(format!("{name} is not about one dump: run the program for it"));
    }
    if command.verb().named().iter().any(|name| name == "-") {
        return Some("stdin is not read here: give the names themselves".to_owned());
    }
    None
}

/// An answer whatever happens: a fault over one dump must not end the program.
fn guarded<T>(answer: impl FnOnce() -> Result<T, Box<Refusal>>) -> Result<T, Box<Refusal>> {
    panic::catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|_| Err(Refusal::fault()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
