//! What a command gives for one dump.

use std::collections::BTreeMap;

use alpc::image::json::{self, Recorded};
use alpc::locate::choice::Choice;
use alpc::system::own;
use alpc::{Kernel, Value};
use serde::Serialize;
use serde_json::Value as Json;

use crate::failure::Status;
use crate::options::Options;
use crate::output::document::SymbolSource;
use crate::redact::Veil;
use crate::text::narrow;

/// What a command gives for one dump: the same record as text and as JSON.
pub struct Answer {
    /// The text view, with its last line feed.
    pub text: String,
    /// Whether the text is a drawing: words are replaced before it is drawn, for it has words of its own.
    pub drawn: bool,
    /// The record; of a table that was written record by record, what there is to say beside them.
    pub record: Recorded,
    /// Why a record that is a bare list may be short: what has no member to say it in.
    pub short: Option<Recorded>,
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

impl Answer {
    pub fn new(text: String, record: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self {
            text,
            drawn: false,
            record: json::record(record)?,
            short: None,
            explain: None,
            symbols: None,
            notes: Vec::new(),
            errors: Vec::new(),
            status: Status::Complete,
        })
    }

    /// The same without text: of a document, or of what there is to say beside the records of a table.
    pub fn of(record: &impl Serialize) -> anyhow::Result<Self> {
        Self::new(String::new(), record)
    }

    /// The same with text behind the rows.
    pub fn with_text(mut self, text: String) -> Self {
        self.text = text;
        self
    }

    /// The same without a member of the record, whose elements were written one by one.
    pub fn without(mut self, member: &str) -> Self {
        if let Json::Object(record) = &mut self.record.value {
            record.shift_remove(member);
        }
        self
    }

    /// The same where the record of a large system is far larger than its text: it is kept only where it is asked for.
    pub fn large(
        options: &Options,
        record: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<Self> {
        if options.format.is_data() {
            return Self::of(record);
        }
        Ok(Self {
            text: text(),
            drawn: options.format.is_drawing(),
            record: Recorded {
                value: Json::Null,
                holes: json::holes(record, None)?,
            },
            symbols: None,
            notes: Vec::new(),
            errors: Vec::new(),
            short: None,
            explain: None,
            status: Status::Complete,
        })
    }

    pub fn served_by(mut self, kernel: &Kernel<'_>) -> Self {
        // Whoever chose the layout knows why: see `noted`.
        self.symbols = Some(symbol_source(kernel, None));
        self
    }

    /// The same of a bare list, with whether it is whole.
    ///
    /// # Errors
    /// None that a list has.
    pub fn whole_if(mut self, complete: &Value<()>) -> anyhow::Result<Self> {
        if complete.hole().is_some() {
            self.short = Some(json::record(&BTreeMap::from([("complete", complete)]))?);
        }
        Ok(self)
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

    /// The same with the addresses in its reasons as wide as a 32-bit system's.
    pub fn narrowed(mut self) -> Self {
        self.text = narrow::text(&self.text);
        let said = self.notes.iter_mut().chain(&mut self.errors);
        said.for_each(|line| *line = narrow::text(line));
        let recorded = std::iter::once(&mut self.record).chain(&mut self.short);
        for recorded in recorded {
            narrow::reasons(&mut recorded.value);
            recorded
                .holes
                .iter_mut()
                .for_each(|hole| hole.text = narrow::text(&hole.text));
        }
        self.explain.iter_mut().flatten().for_each(narrow::reasons);
        self
    }

    /// The same without what the command line and this machine must not tell.
    pub fn veiled(mut self, veil: &Veil) -> Self {
        if !self.drawn {
            self.text = veil.view(&self.text);
        }
        let said = self.notes.iter_mut().chain(&mut self.errors);
        said.for_each(|line| *line = veil.message(line));
        let recorded = std::iter::once(&mut self.record).chain(&mut self.short);
        recorded.for_each(|recorded| veil.recorded(recorded));
        self.symbols = self.symbols.map(|symbols| symbols.veiled(veil));
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
        certainty: layout.certainty().to_string(),
        evidence: choice.cloned(),
        types_from: own::types_from(layout),
        types_untold: own::types_untold(kernel),
    }
}
