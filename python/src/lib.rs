//! The half of the Python module that is not Python: dumps, questions, and their records as Python has them.
//!
//! A question is answered by a thread that never holds the interpreter's lock; whoever waits for its next record gives
//! the lock away meanwhile, and looks for Ctrl-C a few times a second. What users see is `alpc_dump/__init__.py`.

mod values;
mod walk;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use alpc_dump::embed::{self, Kind, Question};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::walk::{Walk, fault, refused};

/// How long Ctrl-C goes unnoticed, at most.
const GLANCE: Duration = Duration::from_millis(50);

/// What the main thread of a program has on most systems: some views are read by functions that call themselves.
const STACK: usize = 8 << 20;

/// A dump, opened.
#[pyclass(frozen)]
struct Dump(Arc<embed::Dump>);

#[pymethods]
impl Dump {
    /// Opens a dump; `options` are words of a command line.
    #[new]
    fn new(py: Python<'_>, path: PathBuf, options: Vec<OsString>) -> PyResult<Self> {
        // Unpacking takes minutes, in which Ctrl-C must not be lost. What is opened for nobody is closed again.
        let dump = awaited(py, "open", move || embed::Dump::open(path, &options))?;
        Ok(Self(Arc::new(dump)))
    }

    /// The records of a command, to be asked for.
    fn records(&self, words: Vec<OsString>) -> Asked {
        self.asked(Question::records(words))
    }

    /// The document of a command.
    fn document(&self, words: Vec<OsString>) -> Asked {
        self.asked(Question::document(words))
    }

    /// Messages.
    fn messages(&self, named: Option<Vec<String>>, in_full: bool) -> Asked {
        self.asked(Question::messages(named, in_full))
    }
}

/// The record that the program's `triage` has of a dump; `options` are words of a command line.
#[pyfunction]
fn triage(py: Python<'_>, path: PathBuf, options: Vec<OsString>) -> PyResult<Bound<'_, PyAny>> {
    let record = awaited(py, "triage", move || embed::triage(&path, &options))?;
    values::to_python(py, &record)
}

/// What a thread of its own comes to, which has the interpreter's lock as little as this one meanwhile; Ctrl-C leaves it
/// to itself.
fn awaited<T: Send + 'static>(
    py: Python<'_>,
    name: &str,
    work: impl FnOnce() -> Result<T, Box<embed::Refusal>> + Send + 'static,
) -> PyResult<T> {
    let (sender, mut done) = mpsc::channel();
    let work = move || drop(sender.send(work()));
    let builder = thread::Builder::new().name(name.to_owned()).stack_size(STACK);
    builder.spawn(work)?;
    loop {
        let (still, said) = py.detach(move || {
            let said = done.recv_timeout(GLANCE);
            (done, said)
        });
        done = still;
        match said {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(refusal)) => return Err(refused(py, &refusal)),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => return Err(fault(py)),
        }
    }
}

impl Dump {
    fn asked(&self, question: Question) -> Asked {
        Asked {
            table: self.0.table_of(&question),
            dump: Arc::clone(&self.0),
            question,
        }
    }
}

/// A question, not yet answered.
#[pyclass(frozen)]
struct Asked {
    dump: Arc<embed::Dump>,
    question: Question,
    table: Option<&'static str>,
}

#[pymethods]
impl Asked {
    /// The kind of its records, where they are rows of a table.
    #[getter]
    fn table(&self) -> Option<&'static str> {
        self.table
    }

    /// Begins to answer it, record by record.
    fn begin(&self) -> Walk {
        Walk::new(self.dump.ask(self.question.clone()))
    }

    /// Begins to answer it in columns, each a path in the record and the name of an Arrow type, of at most so many rows
    /// at once.
    fn begin_columns(&self, columns: Vec<(String, String)>, rows: usize) -> PyResult<Walk> {
        let columns = columns
            .into_iter()
            .map(|(path, kind)| Ok((path, kind_of(&kind)?)));
        let columns = columns.collect::<PyResult<Vec<_>>>()?;
        let question = self.question.clone().in_columns(columns, rows);
        Ok(Walk::new(self.dump.ask(question)))
    }
}

/// The kind of a column by the name that Arrow has for its type.
fn kind_of(name: &str) -> PyResult<Kind> {
    Ok(match name {
        "bool" => Kind::Bool,
        "int64" => Kind::Signed,
        "uint64" => Kind::Unsigned,
        "double" => Kind::Float,
        "large_string" => Kind::Text,
        "unreadable" => Kind::Unreadable,
        other => return Err(PyValueError::new_err(format!("no column has the type {other}"))),
    })
}

/// What `alpc_dump` is made of.
#[pymodule]
mod _native {
    use super::*;

    #[pymodule_export]
    use super::{Asked, Dump, triage};
    #[pymodule_export]
    use crate::walk::Walk;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // Ctrl-C and the rest belong to Python.
        embed::leave_signals();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
