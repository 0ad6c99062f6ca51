//! A question that is being answered.

use std::sync::{Mutex, MutexGuard, PoisonError};

use alpc_dump::embed::{self, Batch, Line, Refusal, Said};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::{GLANCE, values};

/// What stands for the kind of line where it is rows.
const ROWS: &str = "rows";

/// A question that is being answered.
#[pyclass(frozen)]
pub struct Walk(Mutex<embed::Walk>);

impl Walk {
    pub fn new(walk: embed::Walk) -> Self {
        Self(Mutex::new(walk))
    }
}

#[pymethods]
impl Walk {
    /// The next line: its kind, what it says, and what that could not tell; or rows, how many there are, and their columns.
    /// Once there is none any more, `None`, the notes and the errors.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        loop {
            match py.detach(|| lock(&self.0).next(GLANCE)) {
                Said::Line(line) => return said(py, &line),
                Said::Rows(batch) => return rows(py, batch),
                Said::Nothing => py.check_signals().inspect_err(|_| self.stop(py))?,
                Said::End(notes) => return (py.None(), notes.notes, notes.errors).into_pyobject(py),
                Said::Refused(refusal) => return Err(refused(py, &refusal)),
            }
        }
    }

    /// Asks it to end soon.
    fn stop(&self, py: Python<'_>) {
        py.detach(|| lock(&self.0).stop());
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

/// Rows as Python has them: how many, and of each column how many are null, validity, offsets and values.
fn rows<'py>(py: Python<'py>, batch: Batch) -> PyResult<Bound<'py, PyTuple>> {
    let columns = batch.columns.into_iter().map(|column| {
        let bytes = |bytes: Option<Vec<u8>>| bytes.map(|bytes| PyBytes::new(py, &bytes));
        let (validity, offsets) = (bytes(column.validity), bytes(column.offsets));
        (column.nulls, validity, offsets, PyBytes::new(py, &column.values)).into_pyobject(py)
    });
    let columns = PyList::new(py, columns.collect::<PyResult<Vec<_>>>()?)?;
    (ROWS, batch.rows, columns).into_pyobject(py)
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
