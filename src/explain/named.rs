//! Views of many things, whose record names the members that it rests on: these are looked up, and nothing is hidden.

use std::collections::HashSet;

use alpc::Kernel;
use alpc::image::source::{self, SourceRecord};
use alpc::process::thread;
use kdump::Gva;
use ntlayout::SymbolTable;
use serde_json::Value as Json;

use crate::commands::{Named, Verb};
use crate::explain::add;
use crate::options::{Format, Options};
use crate::output::answer::Answer;
use crate::output::explanation::Explanation;
use crate::session::Session;

/// Explanations of one view: a screenful for each of some hundred steps.
const MOST: usize = 4096;

/// Makes a view, with what explains it below.
pub fn run(options: &Options, session: &Session, verb: &dyn Verb, named: Named) -> anyhow::Result<Answer> {
    // What the view leaves out of its text is not looked up either: the record has all.
    let mut answer = verb.run(options, session)?;
    let record = match options.format {
        Format::Json => answer.record.value.clone(),
        _ => {
            let whole = Options {
                format: Format::Json,
                ..options.clone()
            };
            verb.run(&whole, session)?.record.value
        }
    };
    let kernel = session.kernel()?;
    let table = session.table().ok();
    let mut look = Look {
        kernel: &kernel,
        table,
        named,
        seen: HashSet::new(),
        found: Vec::new(),
        left_out: 0,
    };
    look.walk(&record, "result");
    if look.left_out > 0 {
        answer.notes.push(format!(
            "not all is explained: {} more values were not looked up; ask for one chain or one process",
            look.left_out
        ));
    }
    add(&mut answer, &look.found)?;
    Ok(answer)
}

/// A walk over a record.
struct Look<'k, 'd> {
    kernel: &'k Kernel<'d>,
    table: Option<&'k dyn SymbolTable>,
    named: Named,
    /// What was looked up: the same step is in several chains.
    seen: HashSet<(String, u64)>,
    found: Vec<Explanation>,
    left_out: usize,
}

impl Look<'_, '_> {
    fn walk(&mut self, value: &Json, path: &str) {
        match value {
            Json::Object(members) => {
                match self.named {
                    Named::Evidence => self.evidence(value, path),
                    Named::Entries => self.entry(value, path),
                }
                for (name, member) in members {
                    self.walk(member, &format!("{path}.{name}"));
                }
            }
            Json::Array(values) => {
                for (number, value) in values.iter().enumerate() {
                    self.walk(value, &format!("{path}[{number}]"));
                }
            }
            _ => {}
        }
    }

    /// `{ "field": "_KALPC_MESSAGE.WaitingThread", "of": "fffff8800f4cc950", "value": ... }`
    fn evidence(&mut self, value: &Json, path: &str) {
        let (Some(field), Some(of)) = (value["field"].as_str(), address(&value["of"])) else {
            return;
        };
        let base = match field {
            // The block of a wait has no name: the thread leads to it, by the object that it is for.
            "_KWAIT_BLOCK.Object" => self.block(of, address(&value["value"])),
            _ => Some(of),
        };
        let Some(base) = base.filter(|base| self.seen.insert((field.to_owned(), base.u64()))) else {
            return;
        };
        // What is told in words, as a list or a bit, is no member.
        let source = source::of_member(self.kernel, field, base, self.table);
        source.into_iter().for_each(|source| self.keep(path, source));
    }

    fn block(&self, thread: Gva, object: Option<Gva>) -> Option<Gva> {
        let blocks = thread::wait_blocks(self.kernel.at(thread)).ok()?;
        blocks
            .into_iter()
            .find(|&block| thread::object_of_block(self.kernel, block).ok() == object)
    }

    /// A row of a handle table: `{ "handle": 4, "entry": "fffff8a000001010", ... }`
    fn entry(&mut self, value: &Json, path: &str) {
        let (Some(entry), true) = (address(&value["entry"]), value["handle"].is_u64()) else {
            return;
        };
        if !self.seen.insert((String::new(), entry.u64())) {
            return;
        }
        for source in source::of_structure(self.kernel, "_HANDLE_TABLE_ENTRY", entry, self.table) {
            self.keep(path, source);
        }
    }

    fn keep(&mut self, path: &str, source: SourceRecord) {
        if self.found.len() >= MOST {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        self.found.push(Explanation {
            value: path.to_owned(),
            source,
        });
    }
}

fn address(value: &Json) -> Option<Gva> {
    u64::from_str_radix(value.as_str()?, 16).ok().map(Gva::new)
}
