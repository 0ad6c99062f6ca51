//! Records one by one: lines of JSON, rows of CSV, or the text that shows them.

use std::io::{self, Write};

use alpc::image::holes;
use alpc::image::json::{self, Recorded};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::failure::{Failure, Status};
use crate::options::{Format, Options};
use crate::output::answer::Answer;
use crate::output::columns::Columns;
use crate::output::document::{DumpRef, End, ErrorRecord, First, Head, Line, SymbolSource};
use crate::output::schema;
use crate::output::table::Table;
use crate::output::unreadable::Unreadables;
use crate::text::marked::Text;
use crate::text::{escape, fit};

/// Takes the records of one command on one dump, each as soon as it is read.
pub struct Records<'o> {
    form: Form<'o>,
    dump: &'o DumpRef,
    command: Option<&'static str>,
    count: u64,
    holes: Unreadables,
}

enum Form<'o> {
    Lines(&'o mut dyn Write),
    Rows {
        writer: Box<csv::Writer<&'o mut dyn Write>>,
        columns: Vec<String>,
    },
    Text {
        writer: &'o mut dyn Write,
        color: bool,
        fits: Option<usize>,
    },
    /// What lines would say, handed to somebody as it is.
    Given(&'o mut dyn Take),
    /// The records of a document, and the text that shows them where that is wanted too.
    Document {
        records: Vec<Recorded>,
        text: Option<Text>,
    },
}

/// Takes what lines would say.
pub trait Take {
    /// Takes what one line would say: its kind, and the rest.
    ///
    /// # Errors
    /// Nobody takes any more of it.
    fn line(&mut self, kind: &'static str, record: Recorded) -> io::Result<()>;

    /// The columns that records are gathered in, where that is wanted instead.
    fn columns(&mut self) -> Option<&mut Columns> {
        None
    }

    /// Takes what was gathered.
    ///
    /// # Errors
    /// As [`line`](Self::line).
    fn batch(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writing failed, as opposed to reading a dump.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WriteError(pub io::Error);

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

impl<'o> Records<'o> {
    /// Begins the records of a command. `table` says what the rows of CSV are; the head of their columns is
    /// written once in a run.
    pub fn new(
        options: &Options,
        dump: &'o DumpRef,
        table: Option<&Table>,
        heading: bool,
        color: bool,
        writer: &'o mut dyn Write,
    ) -> io::Result<Self> {
        let form = match (options.format, table) {
            (Format::Csv, Some(table)) => {
                let columns = schema::columns(table);
                let mut writer = csv::Writer::from_writer(writer);
                // No byte-order mark before it: Excel on Windows then takes a file that is opened by a double
                // click for one of the system's code page, and names beyond ASCII look wrong until it is
                // imported as UTF-8; but to most other readers a mark is three bytes more in the first column's
                // name.
                if heading {
                    let fixed = ["record", "dump"].into_iter();
                    let named = columns.iter().map(String::as_str);
                    writer.write_record(fixed.chain(named).chain(["unreadable"]))?;
                }
                Form::Rows {
                    writer: Box::new(writer),
                    columns,
                }
            }
            (Format::Text, _) => Form::Text {
                writer,
                color,
                fits: options.fits,
            },
            _ => Form::Lines(writer),
        };
        Ok(Self {
            form,
            dump,
            command: options.command,
            count: 0,
            holes: Unreadables::default(),
        })
    }

    /// Says what made the records, before the first of them.
    pub fn head(&mut self, options: &Options, symbols: Option<&SymbolSource>) -> Result<(), WriteError> {
        let first = First {
            record: "document",
            head: Head::new(options, self.dump, symbols),
        };
        Ok(self.write_first(&first)?)
    }

    /// Says why one of them is not there.
    pub fn failure(&mut self, failure: &Failure) -> Result<(), WriteError> {
        let failure = failure.clone().reworded(|text| self.dump.redactor.message(text));
        Ok(self.write_line("error", &ErrorRecord::from(&failure))?)
    }

    /// Begins the records of a command that are handed to somebody: each line's kind, and what it says, as JSON or in columns.
    pub fn given(options: &Options, dump: &'o DumpRef, to: &'o mut dyn Take) -> Self {
        Self {
            form: Form::Given(to),
            dump,
            command: options.command,
            count: 0,
            holes: Unreadables::default(),
        }
    }

    /// Gathers the records of a command, for a document of them all; with the text that shows them, where that is what
    /// will be written.
    pub fn gathered(dump: &'o DumpRef, with_text: bool) -> Self {
        Self {
            form: Form::Document {
                records: Vec::new(),
                text: with_text.then(Text::default),
            },
            dump,
            command: None,
            count: 0,
            holes: Unreadables::default(),
        }
    }

    /// The document of what was gathered.
    pub fn into_document(self, answer: Answer) -> Answer {
        let Form::Document { records, text } = self.form else {
            return answer;
        };
        let text = text.unwrap_or_default() + &answer.text;
        answer.with_records(records).with_text(text)
    }

    /// Whether the records of one thing (the threads of a process) are taken together, by [`row`](Self::row); else each
    /// for itself.
    pub fn takes_groups(&self) -> bool {
        matches!(self.form, Form::Text { .. } | Form::Document { .. })
    }

    /// Writes the text that shows a value, and counts what that could not tell.
    fn show(&mut self, value: &impl Serialize, text: Text) -> anyhow::Result<()> {
        self.holes.add(Unreadables::of(holes::holes(value)?));
        self.count += 1;
        self.say(text)
    }

    /// Writes a record, as text by the line that shows it.
    pub fn row<T: Serialize, C: Into<Text>>(
        &mut self,
        record: &'static str,
        value: &T,
        line: impl FnOnce(&T) -> C,
    ) -> anyhow::Result<()> {
        match &mut self.form {
            Form::Text { .. } => self.show(value, line(value).into()),
            Form::Document { text, .. } => {
                if let Some(text) = text {
                    text.push(line(value));
                }
                self.record(record, value)
            }
            Form::Lines(_) | Form::Rows { .. } | Form::Given(_) => self.record(record, value),
        }
    }

    /// The text of what is not shown row by row, where any is wanted.
    pub fn text<C: Into<Text>>(&self, text: impl FnOnce() -> C) -> Text {
        match &self.form {
            Form::Text { .. } | Form::Document { text: Some(_), .. } => text().into(),
            _ => Text::default(),
        }
    }

    /// Writes text that shows no value.
    pub fn say(&mut self, text: impl Into<Text>) -> anyhow::Result<()> {
        if let Form::Document { text: Some(all), .. } = &mut self.form {
            all.push(text);
            return Ok(());
        }
        let text = text.into();
        Ok(self.write_text(&text).map_err(WriteError)?)
    }

    fn write_text(&mut self, text: &Text) -> io::Result<()> {
        match &mut self.form {
            Form::Text { writer, color, fits } => {
                let fitted = fits.map(|width| fit::wrapped(text, width));
                let text = fitted.as_ref().unwrap_or(text);
                writer.write_all(text.written(*color).as_bytes())
            }
            _ => Ok(()),
        }
    }

    /// Whether there was any record.
    pub fn any(&self) -> bool {
        self.count > 0
    }

    /// Writes a record.
    pub fn record(&mut self, record: &'static str, value: &impl Serialize) -> anyhow::Result<()> {
        if let Form::Given(to) = &mut self.form
            && let Some(columns) = to.columns()
        {
            let holes = columns.push(value)?;
            if columns.is_full() {
                to.batch().map_err(WriteError)?;
            }
            self.holes.add(Unreadables::of(holes));
            self.count += 1;
            return Ok(());
        }
        self.taken(record, json::record(value)?)
    }

    /// Writes a record that is JSON already.
    pub fn taken(&mut self, record: &'static str, Recorded { value, holes }: Recorded) -> anyhow::Result<()> {
        self.count += 1;
        if let Form::Document { records, .. } = &mut self.form {
            records.push(Recorded { value, holes });
            return Ok(());
        }
        if let Form::Given(to) = &mut self.form {
            self.holes.add(Unreadables::of(holes.clone()));
            let recorded = Recorded { value, holes };
            return Ok(to.line(record, recorded).map_err(WriteError)?);
        }
        let holes = Unreadables::of(holes);
        let written = match &mut self.form {
            Form::Lines(_) => self.write_value(record, value),
            Form::Text { .. } | Form::Document { .. } | Form::Given(_) => Ok(()),
            Form::Rows { writer, columns } => {
                let cells = columns.iter().map(|column| cell(&value, column));
                let fixed = [record.to_owned(), text_cell(&self.dump.name)].into_iter();
                let row: Vec<String> = fixed.chain(cells).chain([holes.in_short()]).collect();
                // Each row goes out as soon as it is there.
                writer
                    .write_record(row)
                    .map_err(Into::into)
                    .and_then(|()| writer.flush())
            }
        };
        self.holes.add(holes);
        Ok(written.map_err(WriteError)?)
    }

    /// Writes a line that tells of a record, and is none: what it cannot tell is no hole of theirs.
    pub fn beside(&mut self, record: &'static str, value: &impl Serialize) -> anyhow::Result<()> {
        let value = json::record(value)?.value;
        Ok(self.write_value(record, value).map_err(WriteError)?)
    }

    /// Ends the records with what the command has to say beside them, and gives the status that follows.
    pub fn end(mut self, answer: &Answer) -> io::Result<(Status, Unreadables)> {
        let Recorded { value: rest, holes } = answer.beside_records();
        self.holes.add(Unreadables::of(holes));
        let status = self.holes.status().combine(answer.status);
        if matches!(self.form, Form::Lines(_) | Form::Given(_)) {
            let end = End {
                command: self.command,
                status,
                records: self.count,
                holes: self.holes.by_cause(),
                rest,
            };
            self.write_line("end", &end)?;
        }
        self.write_text(&answer.text)?;
        if let Form::Text { writer, .. } = &mut self.form {
            writer.flush()?;
        }
        Ok((status, self.holes))
    }

    fn write_value(&mut self, record: &'static str, value: Json) -> io::Result<()> {
        match value {
            Json::Object(map) => self.write_line(record, &map),
            // A list among the records has a name, as everything in an object.
            other => self.write_line(record, &Map::from_iter([("value".to_owned(), other)])),
        }
    }

    fn write_line(&mut self, record: &'static str, value: &impl Serialize) -> io::Result<()> {
        if let Form::Given(to) = &mut self.form {
            return hand(*to, record, value);
        }
        self.write_json(&Line {
            record,
            dump: self.dump.name.clone(),
            value,
        })
    }

    /// Writes the first line, where lines are what is written.
    fn write_first(&mut self, first: &First) -> io::Result<()> {
        match &mut self.form {
            Form::Given(to) => hand(*to, first.record, &first.head),
            _ => self.write_json(first),
        }
    }

    /// Writes a line of JSON, where lines are what is written.
    fn write_json(&mut self, line: &impl Serialize) -> io::Result<()> {
        if let Form::Lines(writer) = &mut self.form {
            let mut bytes = serde_json::to_vec(line)?;
            bytes.push(b'\n');
            writer.write_all(&bytes)?;
            writer.flush()?;
        }
        Ok(())
    }
}

/// Hands over what tells of records, and is none.
fn hand(to: &mut dyn Take, kind: &'static str, value: &impl Serialize) -> io::Result<()> {
    let value = serde_json::to_value(value)?;
    let holes = Vec::new();
    to.line(kind, Recorded { value, holes })
}

/// What stands in a column: `owner_process.image` of a record is one, and what is no plain value is JSON.
pub fn cell(record: &Json, column: &str) -> String {
    let value = column
        .split('.')
        .try_fold(record, |value, key| value.as_object()?.get(key));
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text_cell(text),
        Some(Json::Bool(flag)) => flag.to_string(),
        Some(Json::Number(number)) => number.to_string(),
        Some(other) => escape::json(other),
    }
}

/// Text as a table program may read it: what is in a dump must not act on a terminal, and a cell that begins
/// as a formula would be run by spreadsheets.
fn text_cell(text: &str) -> String {
    let text = escape::text(text);
    // A port may be named `=cmd|' /c calc'!A1`, and whoever opens the table would be asked to run it: any
    // program may choose the names of its ports. OWASP ("CSV Injection") lists these four, and tab and carriage
    // return, which are escaped above and begin no cell. The quote before it is OWASP's advice too.
    if text.starts_with(['=', '+', '-', '@']) {
        format!("'{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_plain() {
        let record = json!({
            "a": { "b": 1, "c": "=cmd|' /c calc'!A1", "d": [1, 2] }, "e": null, "f": true, "g": "\u{1b}[2J",
        });
        for (column, wanted) in [
            ("a.b", "1"),
            ("a.c", "'=cmd|' /c calc'!A1"),
            ("a.d", "[1,2]"),
            ("a.x.y", ""),
            ("e", ""),
            ("e.f", ""),
            ("f", "true"),
            ("g", "\\u{1b}[2J"),
        ] {
            assert_eq!(cell(&record, column), wanted, "{column}");
        }
    }
}
