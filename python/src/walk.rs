//! A question that is being answered.

use std::sync::{Mutex, MutexGuard, PoisonError};

use alpc_dump::embed::{self, Line, Notes, Refusal, Said};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::columns::{Column, Kind};
use crate::{GLANCE, values};

/// Lines that are read between two looks for Ctrl-C, where they become no Python values.
const BETWEEN: usize = 4096;

/// A question that is being answered.
#[pyclass(frozen)]
pub struct Walk {
    walk: Mutex<embed::Walk>,
    table: Option<&'static str>,
}

/// A line that was read, or how it ended.
enum Next {
    Line(Box<Line>),
    Nothing,
    End(Notes),
    Refused(Box<Refusal>),
}

impl Walk {
    pub fn new(walk: embed::Walk) -> Self {
        Self {
            table: walk.table(),
            walk: Mutex::new(walk),
        }
    }

    /// Waits for a line; to be called without the interpreter's lock.
    fn wait(&self) -> Next {
        match lock(&self.walk).next(GLANCE) {
            Said::Line(line) => Next::Line(Box::new(line)),
            Said::Nothing => Next::Nothing,
            Said::End(notes) => Next::End(notes),
            Said::Refused(refusal) => Next::Refused(refusal),
        }
    }
}

#[pymethods]
impl Walk {
    /// The kind of its records, where they are rows of a table.
    #[getter]
    fn table(&self) -> Option<&'static str> {
        self.table
    }

    /// The next line: its kind, what it says, and what that could not tell. Once there is none any more, `None`, the notes
    /// and the errors.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        loop {
            match py.detach(|| self.wait()) {
                Next::Line(line) => return said(py, &line),
                Next::Nothing => self.glance(py)?,
                Next::End(notes) => return (py.None(), notes.notes, notes.errors).into_pyobject(py),
                Next::Refused(refusal) => return Err(refused(py, &refusal)),
            }
        }
    }

    /// The next records as columns, at most so many: how many there are; for each of `columns`, its path and kind, a tuple
    /// of the buffers that Arrow has for it; and the line behind them, if that is none of the table.
    fn columns<'py>(
        &self,
        py: Python<'py>,
        columns: Vec<(String, String)>,
        most: usize,
    ) -> PyResult<(usize, Bound<'py, PyList>, Option<Bound<'py, PyTuple>>)> {
        let mut columns = columns
            .iter()
            .map(|(path, kind)| Ok(Column::new(path, Kind::named(kind)?)))
            .collect::<PyResult<Vec<_>>>()?;
        let mut count = 0;
        let behind = loop {
            match py.detach(|| self.gather(&mut columns, &mut count, most)) {
                Some(Next::Line(line)) => break Some(said(py, &line)?),
                Some(Next::End(notes)) => {
                    break Some((py.None(), notes.notes, notes.errors).into_pyobject(py)?);
                }
                Some(Next::Refused(refusal)) => return Err(refused(py, &refusal)),
                Some(Next::Nothing) => self.glance(py)?,
                None => break None,
            }
        };
        let buffers = columns.into_iter().map(|column| buffers(py, column));
        let buffers = PyList::new(py, buffers.collect::<PyResult<Vec<_>>>()?)?;
        Ok((count, buffers, behind))
    }

    /// Asks it to end soon.
    fn stop(&self, py: Python<'_>) {
        py.detach(|| lock(&self.walk).stop());
    }
}

impl Walk {
    /// Fills columns until they are full, there is a line of another kind, or it is time to look for Ctrl-C.
    fn gather(&self, columns: &mut [Column], count: &mut usize, most: usize) -> Option<Next> {
        for _ in 0..BETWEEN {
            if *count >= most {
                return None;
            }
            match self.wait() {
                Next::Line(line) if Some(line.kind) == self.table => {
                    columns.iter_mut().for_each(|column| column.push(&line));
                    *count += 1;
                }
                other => return Some(other),
            }
        }
        Some(Next::Nothing)
    }

    /// Looks for Ctrl-C, which ends the walk.
    fn glance(&self, py: Python<'_>) -> PyResult<()> {
        py.check_signals().inspect_err(|_| self.stop(py))
    }
}

/// A line as Python has it.
fn said<'py>(py: Python<'py>, line: &Line) -> PyResult<Bound<'py, PyTuple>> {
    let value = values::to_python(py, &line.value)?;
    let holes = line.holes.iter().map(|hole| {
        let members = [
            ("path", &hole.path),
            ("id", &hole.id),
            ("cause", &hole.cause),
            ("text", &hole.text),
        ];
        values::text_members(py, &members)
    });
    let holes = PyList::new(py, holes.collect::<PyResult<Vec<_>>>()?)?;
    (line.kind, value, holes).into_pyobject(py)
}

/// Validity, offsets and values of a column, as Arrow lays them out.
fn buffers<'py>(py: Python<'py>, column: Column) -> PyResult<Bound<'py, PyTuple>> {
    let (nulls, validity, offsets, values) = column.into_buffers();
    let bytes = |bytes: Option<Vec<u8>>| bytes.map(|bytes| PyBytes::new(py, &bytes));
    (nulls, bytes(validity), bytes(offsets), bytes(Some(values))).into_pyobject(py)
}

/// The exception for what has no answer.
pub fn refused(py: Python<'_>, refusal: &Refusal) -> PyErr {
    let error = || {
        let suggestions = values::to_python(py, &refusal.suggestions)?;
        let class = py.import("alpc_dump._error")?.getattr("Error")?;
        class.call1((&refusal.id, &refusal.text, refusal.status, suggestions))
    };
    error().map_or_else(|error| error, PyErr::from_value)
}

/// The exception for a fault of this library.
pub fn fault(py: Python<'_>) -> PyErr {
    refused(py, &Refusal::fault())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
