//! Records as columns, in the buffers of Arrow's format ("Arrow Columnar Format", physical memory layout): a bit for
//! each row that has a value, and the values one after the other, of texts with the places where they end.
//!
//! Whoever has Arrow takes such buffers as they are. The values are those of CSV, with types of their own.

use alpc::image::json::{self, Recorded, UnreadableRecord};
use serde::Serialize;
use serde_json::Value as Json;

use crate::output::cells::{Cell, Place, Row};

/// What a column has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `bool`.
    Bool,
    /// `int64`.
    Signed,
    /// `uint64`.
    Unsigned,
    /// `double`.
    Float,
    /// `large_string`: text; what is no plain value, as JSON.
    Text,
    /// `large_string`: the members of the record that could not be read, each with its cause.
    Unreadable,
}

/// The columns that are wanted: the path of each in a record (`owner_process.image`), and what it has in it.
pub type Wanted = Vec<(String, Kind)>;

/// A column of some rows.
#[derive(Clone, Debug, Default)]
pub struct Buffers {
    /// Rows without a value.
    pub nulls: usize,
    /// A bit for each row, the lowest of the first byte first, set where there is a value; none where all have one.
    pub validity: Option<Vec<u8>>,
    /// Of texts, where each begins and the last ends, as signed 64-bit numbers in the machine's order of bytes.
    pub offsets: Option<Vec<u8>>,
    /// The values: bits, 64-bit numbers in the machine's order of bytes, or texts one after the other.
    pub values: Vec<u8>,
}

/// Some rows.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// How many.
    pub rows: usize,
    /// Their columns, as they were asked for.
    pub columns: Vec<Buffers>,
}

/// Columns that grow.
pub struct Columns {
    columns: Vec<Column>,
    places: Place,
    row: Row,
    rows: usize,
    most: usize,
}

impl Columns {
    /// No rows yet, of at most `most`.
    pub fn new(wanted: &Wanted, most: usize) -> Self {
        let mut places = Place::default();
        for (number, (path, kind)) in wanted.iter().enumerate() {
            if *kind != Kind::Unreadable {
                places.add(path, number);
            }
        }
        Self {
            columns: wanted
                .iter()
                .map(|(path, kind)| Column::new(path, *kind))
                .collect(),
            places,
            row: Row::default(),
            rows: 0,
            most: most.max(1),
        }
    }

    /// Adds a record, and says what it could not tell.
    ///
    /// # Errors
    /// As [`json::record`].
    pub fn push(&mut self, value: &impl Serialize) -> Result<Vec<UnreadableRecord>, json::Error> {
        if self.row.read(self.columns.len(), &self.places, value) {
            for (column, cell) in self.columns.iter_mut().zip(&self.row.cells) {
                column.push_cell(self.rows, *cell, &self.row.texts);
            }
            self.rows += 1;
            return Ok(Vec::new());
        }
        let Recorded { value, holes } = json::record(value)?;
        self.push_json(&value, &holes);
        Ok(holes)
    }

    /// Adds a record that is JSON already.
    pub fn push_json(&mut self, value: &Json, holes: &[UnreadableRecord]) {
        for column in &mut self.columns {
            column.push(self.rows, value, holes);
        }
        self.rows += 1;
    }

    /// Whether there are as many rows as there may be.
    pub fn is_full(&self) -> bool {
        self.rows >= self.most
    }

    /// The rows that were added, where there are any.
    pub fn take(&mut self) -> Option<Batch> {
        let rows = std::mem::take(&mut self.rows);
        if rows == 0 {
            return None;
        }
        let columns = self.columns.iter_mut().map(Column::take).collect();
        Some(Batch { rows, columns })
    }
}

/// A column that grows.
struct Column {
    path: Vec<String>,
    kind: Kind,
    nulls: usize,
    validity: Vec<u8>,
    offsets: Vec<u8>,
    values: Vec<u8>,
}

impl Column {
    fn new(path: &str, kind: Kind) -> Self {
        let mut column = Self {
            path: path.split('.').map(str::to_owned).collect(),
            kind,
            nulls: 0,
            validity: Vec::new(),
            offsets: Vec::new(),
            values: Vec::new(),
        };
        column.end_text();
        column
    }

    fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Unreadable)
    }

    fn push(&mut self, row: usize, record: &Json, holes: &[UnreadableRecord]) {
        let known = if self.kind == Kind::Unreadable {
            self.push_holes(holes)
        } else {
            let value = self
                .path
                .iter()
                .try_fold(record, |value, name| value.as_object()?.get(name));
            value.is_some_and(|value| push_value(&mut self.values, self.kind, row, value))
        };
        self.end_row(row, known);
    }

    fn push_cell(&mut self, row: usize, cell: Cell, texts: &str) {
        let number = match (self.kind, cell) {
            (Kind::Text, Cell::Text(begin, end)) => {
                let text = texts.get(begin..end).unwrap_or_default();
                self.values.extend_from_slice(text.as_bytes());
                return self.end_row(row, true);
            }
            (Kind::Bool, Cell::Bool(flag)) => {
                set_bit(&mut self.values, row, flag);
                return self.end_row(row, true);
            }
            (_, Cell::Nothing) => return self.end_row(row, false),
            (_, cell) => cell.json(),
        };
        let known = push_value(&mut self.values, self.kind, row, &number);
        self.end_row(row, known);
    }

    fn end_row(&mut self, row: usize, known: bool) {
        if !known {
            self.push_nothing(row);
        }
        if self.is_text() {
            self.end_text();
        }
        set_bit(&mut self.validity, row, known);
    }

    fn push_holes(&mut self, holes: &[UnreadableRecord]) -> bool {
        for (number, hole) in holes.iter().enumerate() {
            let before = if number > 0 { "; " } else { "" };
            let said = format!("{before}{}: {}", hole.path, hole.cause);
            self.values.extend_from_slice(said.as_bytes());
        }
        !holes.is_empty()
    }

    /// What stands in the place of a value that there is not.
    fn push_nothing(&mut self, row: usize) {
        self.nulls += 1;
        match self.kind {
            Kind::Bool => set_bit(&mut self.values, row, false),
            Kind::Signed | Kind::Unsigned | Kind::Float => self.values.extend([0; 8]),
            Kind::Text | Kind::Unreadable => {}
        }
    }

    fn end_text(&mut self) {
        let end = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        self.offsets.extend(end.to_ne_bytes());
    }

    fn take(&mut self) -> Buffers {
        let is_text = self.is_text();
        let validity = std::mem::take(&mut self.validity);
        let offsets = std::mem::take(&mut self.offsets);
        let buffers = Buffers {
            validity: (self.nulls > 0).then_some(validity),
            nulls: std::mem::take(&mut self.nulls),
            offsets: is_text.then_some(offsets),
            values: std::mem::take(&mut self.values),
        };
        self.end_text();
        buffers
    }
}

/// Adds a value, if it is one and of that kind.
fn push_value(values: &mut Vec<u8>, kind: Kind, row: usize, value: &Json) -> bool {
    let number = match (kind, value) {
        (_, Json::Null) => return false,
        (Kind::Text, Json::String(text)) => {
            values.extend_from_slice(text.as_bytes());
            return true;
        }
        (Kind::Text, other) => {
            values.extend_from_slice(other.to_string().as_bytes());
            return true;
        }
        (Kind::Bool, Json::Bool(flag)) => {
            set_bit(values, row, *flag);
            return true;
        }
        (Kind::Signed, Json::Number(number)) => number.as_i64().map(i64::to_ne_bytes),
        (Kind::Unsigned, Json::Number(number)) => number.as_u64().map(u64::to_ne_bytes),
        (Kind::Float, Json::Number(number)) => number.as_f64().map(f64::to_ne_bytes),
        _ => None,
    };
    values.extend(number.into_iter().flatten());
    number.is_some()
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Serialize)]
    struct Part {
        kind: Mood,
        list: Vec<u32>,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    enum Mood {
        NotSure,
    }

    #[derive(Serialize)]
    struct Record {
        number: i64,
        part: Option<Part>,
        value: alpc::Value<u32>,
        leaf: Part,
        beyond: alpc::Value<u32>,
        #[serde(flatten)]
        more: More,
    }

    #[derive(Serialize)]
    struct More {
        last: bool,
    }

    /// Records of which all is known take a shorter way.
    #[test]
    fn both_ways_lead_to_the_same_cells() {
        let known = || alpc::Value::Known(5);
        let lost = || alpc::Value::from(Err(alpc::Unreadable::OutOfProportion));
        let absent = || {
            alpc::Value::from(Err(alpc::Unreadable::NoMember {
                ty: "_T",
                member: "M",
            }))
        };
        let part = || Part {
            kind: Mood::NotSure,
            list: vec![1, 2],
        };
        let wanted: Wanted = [
            ("part.kind", Kind::Text),
            ("number", Kind::Signed),
            ("part.list", Kind::Text),
            ("value", Kind::Unsigned),
            ("leaf", Kind::Text),
            ("last", Kind::Bool),
            ("nowhere", Kind::Text),
            ("unreadable", Kind::Unreadable),
        ]
        .map(|(path, kind)| (path.to_owned(), kind))
        .to_vec();
        let (mut fast, mut plain) = (Columns::new(&wanted, 9), Columns::new(&wanted, 9));
        for (value, beyond) in [
            (known(), known()),
            (lost(), known()),
            (absent(), known()),
            (known(), lost()),
        ] {
            let record = Record {
                number: -3,
                part: matches!(value, alpc::Value::Known(_)).then(part),
                value,
                leaf: part(),
                beyond,
                more: More { last: true },
            };
            let holes = fast.push(&record).unwrap();
            let recorded = json::record(&record).unwrap();
            assert_eq!(holes, recorded.holes);
            plain.push_json(&recorded.value, &recorded.holes);
        }
        let (fast, plain) = (fast.take().unwrap(), plain.take().unwrap());
        assert_eq!(fast.rows, 4);
        for (fast, plain) in fast.columns.iter().zip(&plain.columns) {
            assert_eq!((fast.nulls, &fast.validity), (plain.nulls, &plain.validity));
            assert_eq!((&fast.offsets, &fast.values), (&plain.offsets, &plain.values));
        }
        assert_eq!(fast.columns[0].values, b"not-surenot-sure");
        assert_eq!(fast.columns[3].nulls, 2);
        assert_eq!(fast.columns[7].nulls, 2);
    }

    /// The layouts are those of "Arrow Columnar Format".
    #[test]
    fn columns_are_laid_out_as_arrow_has_them() {
        let wanted = vec![
            ("a.b".to_owned(), Kind::Unsigned),
            ("c".to_owned(), Kind::Text),
            ("d".to_owned(), Kind::Bool),
            ("unreadable".to_owned(), Kind::Unreadable),
        ];
        let mut columns = Columns::new(&wanted, 2);
        let hole = UnreadableRecord {
            path: "c".to_owned(),
            id: "walk-ended".to_owned(),
            cause: "not-present".to_owned(),
            text: String::new(),
        };
        columns.push_json(&json!({ "a": { "b": 7 }, "c": "xy", "d": true }), &[]);
        assert!(!columns.is_full());
        columns.push_json(&json!({ "a": null, "c": null, "d": false }), &[hole]);
        assert!(columns.is_full());
        let batch = columns.take().unwrap();
        let [number, text, flag, unreadable] = &batch.columns[..] else {
            panic!("four columns");
        };
        let ends = |ends: [i64; 3]| Some(ends.iter().flat_map(|end| end.to_ne_bytes()).collect());
        assert_eq!(
            (batch.rows, number.nulls, number.validity.clone()),
            (2, 1, Some(vec![1]))
        );
        assert_eq!(number.values, [7_u64.to_ne_bytes(), [0; 8]].concat());
        assert_eq!(
            (text.offsets.clone(), &text.values[..]),
            (ends([0, 2, 2]), &b"xy"[..])
        );
        assert_eq!((flag.validity.clone(), &flag.values[..]), (None, &[1][..]));
        assert_eq!(unreadable.values, b"c: not-present");
        assert_eq!(unreadable.validity, Some(vec![2]));
        assert!(columns.take().is_none());
        columns.push_json(&json!({ "c": [1] }), &[]);
        assert_eq!(columns.take().unwrap().columns[1].values, b"[1]");
    }
}
