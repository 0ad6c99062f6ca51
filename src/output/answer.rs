//! What a command gives for one dump.

use alpc::Kernel;
use alpc::image::holes;
use alpc::image::json::{self, Recorded};
use alpc::locate::choice::Choice;
use alpc::system::own;
use serde::Serialize;
use serde_json::Value as Json;

use crate::failure::Status;
use crate::options::Options;
use crate::output::document::SymbolSource;
use crate::redact::Redactor;
use crate::text::marked::Text;

/// What a command gives for one dump: the same record as text and as JSON.
pub struct Answer {
    /// The text view, with its last line feed.
    pub text: Text,
    /// The record; of a table that was written record by record, what there is to say beside them.
    pub record: Recorded,
    /// Where the records that were written one by one stand in a document.
    pub place: Place,
    /// Where its values come from, when that was asked for.
    pub explain: Option<Vec<Json>>,
    /// Where the symbols came from, when any served.
    pub symbols: Option<SymbolSource>,
    /// Things worth saying on stderr.
    pub notes: Vec<String>,
    /// What went wrong with a part of what was asked for, for stderr.
    pub errors: Vec<String>,
    /// The exit status that the command itself asks for, whatever the record's holes add to it.
    pub status: Status,
}

/// Where the records of a table stand in the document of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// There are none.
    Nowhere,
    /// The only one is the result.
    Alone,
    /// The result is the list of them.
    List,
    /// They are a member of the result.
    Member(&'static str),
}

impl Place {
    /// What stands before the paths of what is missing in the record of this number.
    fn path(self, number: usize) -> String {
        match self {
            Self::Nowhere | Self::Alone => String::new(),
            Self::List => format!("[{number}]"),
            Self::Member(name) => format!("{name}[{number}]"),
        }
    }
}

impl Answer {
    pub fn new(text: impl Into<Text>, record: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self {
            text: text.into(),
            record: json::record(record)?,
            place: Place::Nowhere,
            explain: None,
            symbols: None,
            notes: Vec::new(),
            errors: Vec::new(),
            status: Status::Complete,
        })
    }

    /// The same without text: of a document, or of what there is to say beside the records of a table.
    pub fn of(record: &impl Serialize) -> anyhow::Result<Self> {
        Self::new(Text::default(), record)
    }

    /// The same of a table, whose records stand there in a document; what stands beside them has an empty list there.
    pub fn with_records_in(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// The same without that empty list, where the records are written for themselves.
    pub fn beside_records(&self) -> Recorded {
        let mut beside = self.record.clone();
        if let (Place::Member(name), Json::Object(record)) = (self.place, &mut beside.value) {
            record.shift_remove(name);
        }
        beside
    }

    /// The same where the document is the list of the records and nothing else. What stands beside them is still told
    /// of the list: that it may be short.
    pub fn into_bare_list(self) -> Self {
        Self {
            record: self.beside_records(),
            place: Place::List,
            ..self
        }
    }

    /// The document of these records, and of what stands beside them.
    pub fn with_records(mut self, records: Vec<Recorded>) -> Self {
        let mut holes = Vec::new();
        let mut list = Vec::new();
        for (number, record) in records.into_iter().enumerate() {
            let before = self.place.path(number);
            holes.extend(record.holes.into_iter().map(|hole| hole.below(&before)));
            list.push(record.value);
        }
        holes.append(&mut self.record.holes);
        self.record.holes = holes;
        match (self.place, &mut self.record.value) {
            (Place::Nowhere, _) => {}
            (Place::Alone, value) => *value = list.into_iter().next().unwrap_or_default(),
            (Place::List, value) => *value = list.into(),
            (Place::Member(name), value) => value[name] = list.into(),
        }
        self
    }

    /// The same with text behind the rows.
    pub fn with_text(mut self, text: impl Into<Text>) -> Self {
        self.text = text.into();
        self
    }

    /// The same where the record of a large system is far larger than its text: it is kept only where it is asked for.
    pub fn large(
        options: &Options,
        record: &impl Serialize,
        text: impl FnOnce() -> Text,
    ) -> anyhow::Result<Self> {
        if options.format.is_data() {
            return Self::of(record);
        }
        Ok(Self {
            text: text(),
            record: Recorded {
                value: Json::Null,
                holes: holes::holes(record)?,
            },
            symbols: None,
            notes: Vec::new(),
            errors: Vec::new(),
            place: Place::Nowhere,
            explain: None,
            status: Status::Complete,
        })
    }

    pub fn served_by(mut self, kernel: &Kernel<'_>) -> Self {
        // Whoever chose the layout knows why: see `noted`.
        self.symbols = Some(symbol_source(kernel, None));
        self
    }

    /// Makes the exit status that of a finding, when there is one.
    pub fn finding(mut self, found: bool) -> Self {
        if found {
            self.status = self.status.combine(Status::Finding);
        }
        self
    }

    /// Sets the exit status that the command asks for.
    pub fn ends_with(mut self, status: Status) -> Self {
        self.status = self.status.combine(status);
        self
    }

    /// The same without what the command line and this machine must not tell. Views have placeholders where they show
    /// a path of this machine; messages are words that others wrote.
    pub fn redacted(mut self, redactor: &Redactor) -> Self {
        let said = self.notes.iter_mut().chain(&mut self.errors);
        said.for_each(|line| *line = redactor.message(line));
        self.symbols = self.symbols.map(|symbols| symbols.redacted(redactor));
        self
    }

    pub fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes.extend(notes);
        self
    }
}

pub fn symbol_source(kernel: &Kernel<'_>, choice: Option<&Choice>) -> SymbolSource {
    let layout = kernel.layout();
    SymbolSource {
        source: layout.origin().to_string(),
        identity: layout.identity().map(ToString::to_string),
        certainty: layout.certainty(),
        evidence: choice.cloned(),
        types_from: own::types_from(layout),
        types_untold: own::types_untold(kernel),
    }
}
