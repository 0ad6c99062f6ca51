//! `triage` among other command lines over one opened dump: its record, as a table of one row.

pub mod groups;
pub mod ignored;
pub mod record;
pub mod sheet;

use std::path::PathBuf;

use clap::Args;

use crate::commands::triage::record::Record;
use crate::commands::{Category, NamedFile, Spec, Verb};
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::document::DumpRef;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::session::Session;

/// One record a dump, of many dumps or whole folders: what it is, what is stuck, on whom
#[derive(Clone, Debug, Args)]
pub struct TriageArgs {
    /// Dumps looked at at the same time, each by a process of its own [default: as many as processors]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// Look also into the folders in folders
    #[arg(short, long)]
    pub recursive: bool,

    /// Give a dump up after this time: 30s, 5m, 2h
    #[arg(long, value_name = "T", value_parser = crate::text::time::parse_span)]
    pub timeout: Option<u64>,

    /// Give a dump up when its process takes more memory than this: 800M, 4G [default: 1G and the dump's length]
    #[arg(long, value_name = "SIZE", value_parser = crate::text::size::parse_size)]
    pub memory: Option<u64>,

    /// Look at the dump in this process, which another one has started for that and waits for
    #[arg(long, hide = true)]
    pub worker: bool,

    /// Leave out the dumps that this file, written as ndjson by an earlier run, has records of
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,

    /// At the end also a record for each signature; the table has them without being asked
    #[arg(long)]
    pub groups: bool,
}

impl TriageArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Many,
        switches: &[],
        shape: Shape {
            name: "triage",
            results: &[of::<Record>],
            tables: &[groups::TABLE, ignored::TABLE],
            whole: &[of::<Record>],
        },
    };
}

impl Verb for TriageArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let dump = DumpRef::of(session.dump().path(), options.hash, session.redactor().clone());
        let record = Record::of_session(session, &dump);
        let status = record.status;
        let line = serde_json::to_value(record.clone().line(&dump))?;
        let mut answer = Answer::new(sheet::table_of(&line, options.fits), &record)?;
        answer.status = status;
        answer.symbols = record.symbols;
        Ok(answer)
    }

    fn tells_verdict(&self) -> bool {
        true
    }

    fn is_paged(&self) -> bool {
        false
    }

    fn file(&self) -> Option<NamedFile<'_>> {
        Some(NamedFile {
            path: self.resume.as_deref()?,
            what: None,
            placeholder: "records",
        })
    }
}
