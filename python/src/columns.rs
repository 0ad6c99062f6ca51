//! Records as columns, in the buffers of Arrow's format ("Arrow Columnar Format", physical memory layout): a bit for
//! each row that has a value, and the values one after the other, texts with the places where they end.
//!
//! `pyarrow` takes such buffers as they are, so nothing here needs it, and no value becomes a Python object on the way.

use alpc_dump::embed::Line;
use pyo3::PyResult;
use pyo3::exceptions::PyValueError;
use serde_json::Value as Json;

/// What a column has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
    /// Text; what is no plain value, as JSON.
    Text,
    /// The members of the record that could not be read, each with its cause.
    Unreadable,
}

impl Kind {
    /// The kind by the name that Arrow has for its type.
    pub fn named(name: &str) -> PyResult<Self> {
        Ok(match name {
            "bool" => Self::Bool,
            "int64" => Self::Signed,
            "uint64" => Self::Unsigned,
            "double" => Self::Float,
            "large_string" => Self::Text,
            "unreadable" => Self::Unreadable,
            other => return Err(PyValueError::new_err(format!("no column has the type {other}"))),
        })
    }
}

/// A column that grows.
pub struct Column {
    path: Vec<String>,
    kind: Kind,
    rows: usize,
    nulls: usize,
    validity: Vec<u8>,
    ends: Vec<u8>,
    values: Vec<u8>,
}

/// How many rows are null; validity, where any is; offsets of texts; values.
pub type Buffers = (usize, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>);

impl Column {
    /// The column of a path: `owner_process.image` of a record.
    pub fn new(path: &str, kind: Kind) -> Self {
        let mut column = Self {
            path: path.split('.').map(str::to_owned).collect(),
            kind,
            rows: 0,
            nulls: 0,
            validity: Vec::new(),
            ends: Vec::new(),
            values: Vec::new(),
        };
        column.end_text();
        column
    }

    /// Adds a row.
    pub fn push(&mut self, line: &Line) {
        let known = if self.kind == Kind::Unreadable {
            self.push_holes(line)
        } else {
            let value = self
                .path
                .iter()
                .try_fold(&line.value, |value, name| value.as_object()?.get(name));
            let value = value.filter(|value| !value.is_null()).cloned();
            value.is_some_and(|value| self.push_value(&value))
        };
        if !known {
            self.push_nothing();
        }
        if matches!(self.kind, Kind::Text | Kind::Unreadable) {
            self.end_text();
        }
        set_bit(&mut self.validity, self.rows, known);
        self.rows += 1;
    }

    fn push_value(&mut self, value: &Json) -> bool {
        match (self.kind, value) {
            (Kind::Text, Json::String(text)) => self.values.extend_from_slice(text.as_bytes()),
            (Kind::Text | Kind::Unreadable, other) => {
                self.values.extend_from_slice(other.to_string().as_bytes());
            }
            (Kind::Bool, Json::Bool(flag)) => set_bit(&mut self.values, self.rows, *flag),
            (Kind::Signed, Json::Number(number)) => match number.as_i64() {
                Some(number) => self.values.extend(number.to_ne_bytes()),
                None => return false,
            },
            (Kind::Unsigned, Json::Number(number)) => match number.as_u64() {
                Some(number) => self.values.extend(number.to_ne_bytes()),
                None => return false,
            },
            (Kind::Float, Json::Number(number)) => match number.as_f64() {
                Some(number) => self.values.extend(number.to_ne_bytes()),
                None => return false,
            },
            _ => return false,
        }
        true
    }

    fn push_holes(&mut self, line: &Line) -> bool {
        for (number, hole) in line.holes.iter().enumerate() {
            let before = if number > 0 { "; " } else { "" };
            let said = format!("{before}{}: {}", hole.path, hole.cause);
            self.values.extend_from_slice(said.as_bytes());
        }
        !line.holes.is_empty()
    }

    /// What stands in the place of a value that there is not.
    fn push_nothing(&mut self) {
        self.nulls += 1;
        match self.kind {
            Kind::Bool => set_bit(&mut self.values, self.rows, false),
            Kind::Signed | Kind::Unsigned | Kind::Float => self.values.extend([0; 8]),
            Kind::Text | Kind::Unreadable => {}
        }
    }

    fn end_text(&mut self) {
        let end = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        self.ends.extend(end.to_ne_bytes());
    }

    /// The buffers of what was added.
    pub fn into_buffers(self) -> Buffers {
        let is_text = matches!(self.kind, Kind::Text | Kind::Unreadable);
        let validity = (self.nulls > 0).then_some(self.validity);
        (self.nulls, validity, is_text.then_some(self.ends), self.values)
    }
}

fn set_bit(bits: &mut Vec<u8>, row: usize, on: bool) {
    let byte = row / 8;
    if bits.len() <= byte {
        bits.resize(byte + 1, 0);
    }
    if on {
        bits[byte] |= 1 << (row % 8);
    }
}
