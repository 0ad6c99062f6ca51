//! The thread that reads dumps: a few stay open, and one question is answered after the other.

use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::SystemTime;

use serde_json::{Map, Value as Json, json};
use tokio::sync::oneshot;

use crate::cli::Cli;
use crate::failure::{Failure, Status};
use crate::host::interrupt;
use crate::mcp::allowed::Allowed;
use crate::mcp::pages::Page;
use crate::mcp::tools::{About, Asked, Question};
use crate::options::Format;
use crate::output::document::{Document, DumpRef, ErrorRecord};
use crate::output::{answered, failed};
use crate::redact::{Redactor, Typed};
use crate::session::Session;
use crate::{asked, fleet, run};

/// Dumps that stay open: each takes some memory for what was found in it.
const OPEN: usize = 4;

/// A question, and where its answer goes.
pub struct Job {
    /// The number that it can be stopped by.
    pub number: u64,
    /// The question.
    pub asked: Asked,
    /// Who waits for the answer; nobody, where the client has given up.
    pub reply: oneshot::Sender<Answered>,
}

/// Which question is answered now.
#[derive(Default)]
pub struct Running {
    last: AtomicU64,
    now: Mutex<Option<u64>>,
}

impl Running {
    /// The number of a new question.
    pub fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed)
    }

    /// Ends the walk of a question that nobody wants answered any more; no other one's.
    pub fn stop(&self, number: u64) {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if *now == Some(number) {
            interrupt::leave();
        }
    }

    /// This one is answered from now on.
    fn is_now(&self, number: Option<u64>) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        interrupt::begin_walk();
        *now = number;
    }
}

/// An answer.
pub struct Answered {
    /// `document`, `notes` and `lists`; or `error`.
    pub value: Json,
    /// Whether the question had no answer.
    pub failed: bool,
}

impl Answered {
    /// Why there is none, before any dump was opened.
    pub fn failure(failure: &Failure) -> Self {
        let error = ErrorRecord::from(failure);
        Self {
            value: json!({ "status": failure.status, "error": error }),
            failed: true,
        }
    }

    fn new(mut document: Json, notes: Vec<String>, page: Page) -> Self {
        let mut lists = Map::new();
        page.cut(&mut document, "", &mut lists);
        let failed = document.get("error").is_some();
        Self {
            value: json!({ "document": document, "notes": notes, "lists": lists }),
            failed,
        }
    }
}

/// Begins to take questions; it ends when nobody can ask any more.
///
/// # Errors
/// There is no thread to be had.
pub fn begin(cli: Cli, allowed: Allowed) -> io::Result<(Sender<Job>, Arc<Running>)> {
    let (jobs, taken) = mpsc::channel::<Job>();
    let running = Arc::new(Running::default());
    let now = Arc::clone(&running);
    thread::Builder::new().name("dumps".to_owned()).spawn(move || {
        let mut worker = Worker {
            cli,
            allowed,
            open: Vec::new(),
        };
        for job in taken {
            // Nobody waits for it where the client has given up.
            if job.reply.is_closed() {
                continue;
            }
            now.is_now(Some(job.number));
            let answered = worker.guarded(&job.asked);
            now.is_now(None);
            let _ = job.reply.send(answered);
        }
    })?;
    Ok((jobs, running))
}

struct Worker {
    /// The server's own command line.
    cli: Cli,
    allowed: Allowed,
    /// The dump that was asked about last is the last.
    open: Vec<Opened>,
}

struct Opened {
    path: PathBuf,
    stamp: Option<Stamp>,
    about: DumpRef,
    session: Session,
}

/// By what a file is known to be the same still.
type Stamp = (u64, Option<SystemTime>);

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

impl Worker {
    /// An answer whatever happens: a fault over one dump must not end the talk about the others.
    fn guarded(&mut self, asked: &Asked) -> Answered {
        panic::catch_unwind(AssertUnwindSafe(|| self.answer(asked))).unwrap_or_else(|_| {
            self.open.clear();
            let text = "this question ended in a fault of the program: ask another one, and report this one";
            Answered::failure(&Failure::new(Status::Fatal, "error", text))
        })
    }

    fn answer(&mut self, asked: &Asked) -> Answered {
        match &asked.about {
            About::Dump(question) => self.about_dump(question, asked.page),
            About::Folder { folder, recursive } => self.about_folder(folder, *recursive, asked.page),
        }
    }

    fn about_dump(&mut self, question: &Question, page: Page) -> Answered {
        let path = match self.allowed.find(&question.dump) {
            Ok(path) => path,
            Err(failure) => return self.refusal(&failure, &question.dump),
        };
        let mut cli = self.cli.with(question.command.clone());
        cli.dumps = vec![path.clone()];
        cli.options.format = Format::Json;
        cli.options.explain = question.explain;
        let words = [path.to_string_lossy().into_owned()].into_iter();
        let format = ["--format", "json"].map(str::to_owned);
        let words = words.chain(question.words.iter().cloned()).chain(format);
        let typed = asked::typed_as(&cli, words);
        let opened = match self.opened(&cli, &typed, &path) {
            Ok(opened) => opened,
            Err(error) => {
                let redactor = Redactor::of(&typed);
                let failure = Failure::from_error(error).reworded(|text| redactor.message(text));
                let about = DumpRef::of(&path, false, redactor);
                return document(failed(&cli, &about, &failure), Vec::new(), page);
            }
        };
        opened.session.is_asked(&typed);
        let about = DumpRef {
            redactor: opened.session.redactor().clone(),
            ..opened.about.clone()
        };
        match run::run(&cli, &opened.session, &question.command) {
            Ok(mut answer) => {
                let mut notes = std::mem::take(&mut answer.notes);
                notes.append(&mut answer.errors);
                let (whole, holes) = answered(&cli, &about, answer);
                notes.extend(holes.summary());
                document(whole, notes, page)
            }
            Err(error) => {
                let failure = Failure::from_error(error).reworded(|text| about.redactor.message(text));
                document(failed(&cli, &about, &failure), Vec::new(), page)
            }
        }
    }

    /// The dump, opened now where it was not, or is another file since.
    fn opened(&mut self, cli: &Cli, typed: &Typed, path: &Path) -> anyhow::Result<&Opened> {
        let stamp = stamp(path);
        let known = self.open.iter().position(|opened| opened.path == path);
        let known = known.map(|at| self.open.remove(at));
        let opened = match known.filter(|opened| opened.stamp == stamp) {
            Some(opened) => opened,
            None => {
                let session = Session::open(cli, typed, path)?;
                let about = DumpRef::of(path, cli.hash, session.redactor().clone());
                session.is_hashed(about.sha256.as_ref());
                let path = path.to_owned();
                Opened {
                    path,
                    stamp,
                    about,
                    session,
                }
            }
        };
        if self.open.len() >= OPEN {
            self.open.remove(0);
        }
        self.open.push(opened);
        self.open
            .last()
            .ok_or_else(|| Failure::fatal("error", "no dump is open"))
    }

    fn about_folder(&self, given: &str, recursive: bool, page: Page) -> Answered {
        let documents = self
            .allowed
            .find_folder(given, recursive)
            .and_then(|folder| self.triage(&folder, recursive));
        match documents {
            Ok(documents) => Answered::new(documents, Vec::new(), page),
            Err(failure) => self.refusal(&failure, given),
        }
    }

    /// What `triage` writes, in a process of its own as it has one for each dump.
    fn triage(&self, folder: &Path, recursive: bool) -> Result<Json, Failure> {
        let died = |why: String| Failure::new(Status::Fatal, "process-died", format!("triage: {why}"));
        let program = std::env::current_exe().map_err(|error| died(error.to_string()))?;
        let output = Process::new(program)
            .arg(folder)
            .args(["triage", "--format", "json", "--quiet"])
            .args(recursive.then_some("--recursive"))
            .args(fleet::shared_options(&self.cli))
            .stdin(Stdio::null())
            .output()
            .map_err(|error| died(error.to_string()))?;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            died(said.trim().trim_start_matches("alpc-dump: ").to_owned())
        })
    }

    /// A refusal, without what the server does not tell.
    fn refusal(&self, failure: &Failure, given: &str) -> Answered {
        let mut cli = self.cli.clone();
        cli.dumps = vec![PathBuf::from(given)];
        let redactor = Redactor::of(&asked::typed_as(&cli, std::iter::empty()));
        Answered::failure(&failure.clone().reworded(|text| redactor.message(text)))
    }
}

fn document(document: Document<Json>, notes: Vec<String>, page: Page) -> Answered {
    match serde_json::to_value(document) {
        Ok(document) => Answered::new(document, notes, page),
        Err(error) => Answered::failure(&Failure::new(Status::Fatal, "error", error.to_string())),
    }
}
