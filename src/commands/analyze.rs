//! `analyze`: the debugger's undocumented `!alpc -analyze`: do all ports and messages agree with each other?

use alpc::Value;
use alpc::port::enumerate::PortSource;
use alpc::report::analyze::{self, Analysis, Finding, Kind};
use alpc::wait::node::PortLabel;
use clap::Args;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Spec, Verb, open_kernel};
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::session::Session;
use crate::text::escape;
use crate::text::wait_lines::{self, plural};

/// Whether all ports and messages agree with each other (!alpc -analyze)
#[derive(Clone, Debug, Args)]
pub struct AnalyzeArgs {
    /// List what is compared with what, without comparing it
    #[arg(long)]
    pub list: bool,

    /// Look through all memory as well, for what is in use and no list leads to
    #[arg(long, conflicts_with = "list")]
    pub carve: bool,
}

impl AnalyzeArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Views,
        switches: &[("analyze", &["analyze"])],
        shape: Shape {
            name: "analyze",
            results: &[of::<Analysis>, of::<Checks>],
            tables: &[TABLE, CHECKS],
            whole: &[],
        },
    };
}

impl Verb for AnalyzeArgs {
    fn table(&self) -> Option<Table> {
        Some(if self.list { CHECKS } else { TABLE })
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        if self.list {
            records.head(options, None)?;
            return list(records);
        }
        let kernel = open_kernel(options, session, records)?;
        let progress = self.carve.then(|| session.progress("carving"));
        let mut analysis = analyze::analyze(&kernel, progress.as_ref());
        let found = !analysis.findings.is_empty();
        let text = records.text(|| text(&analysis));
        for finding in analysis.findings.drain(..) {
            records.row(TABLE.record, &finding, |_| String::new())?;
        }
        Ok(Answer::of(&analysis)?
            .with_records_in(Place::Member("findings"))
            .with_text(text)
            .served_by(&kernel)
            .finding(found))
    }
}

/// The rows.
pub const TABLE: Table = Table {
    record: "finding",
    option: None,
    row: of::<Finding>,
    rest: (of::<Analysis>, Some("findings")),
};

/// The rows of `--list`.
pub const CHECKS: Table = Table {
    record: "check",
    option: Some("--list"),
    row: of::<Kind>,
    rest: (of::<Checks>, Some("checks")),
};

/// What is compared with what.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Checks {
    /// Each kind of finding.
    pub checks: &'static [Kind],
}

/// `--list`: no memory is read for it.
fn list(records: &mut Records<'_>) -> anyhow::Result<Answer> {
    for kind in analyze::KINDS {
        records.row(CHECKS.record, kind, |kind| {
            format!("{:<22} {}\n", kind.id, kind.compares)
        })?;
    }
    Ok(Answer::of(&Checks { checks: &[] })?.with_records_in(Place::Member("checks")))
}

/// A port by what people know it by: `the port fffffa8003f4c070 is of lsasspirpc, owned by lsass.exe`.
fn named(port: &PortLabel) -> String {
    let name = match &port.name {
        Value::Known(Some(name)) => format!("is of {}", escape::text(name)),
        Value::Known(None) => "has no name".to_owned(),
        Value::Missing(_) => "is of a name that cannot be read".to_owned(),
    };
    let owner = wait_lines::image(&port.owner).into_plain();
    format!("the port {} {name}, owned by {owner}", port.address)
}

fn text(record: &Analysis) -> String {
    let findings: String = record
        .findings
        .iter()
        .map(|finding| {
            let ports: String = finding
                .ports
                .iter()
                .map(|port| format!("  {}\n", named(port)))
                .collect();
            let evidence: String = finding
                .evidence
                .iter()
                .map(|one| format!("  {}\n", escape::text(one)))
                .collect();
            format!(
                "{} ({}): {}; {}\n{evidence}{ports}",
                finding.id,
                finding.severity.word(),
                finding.text,
                finding.meaning
            )
        })
        .collect();
    let hidden: String = record
        .unchecked
        .iter()
        .filter_map(|unchecked| unchecked.reason())
        .map(|hole| format!("could not be checked: {}\n", escape::text(&hole.to_string())))
        .collect();
    let source = match record.source {
        PortSource::PortList => "",
        PortSource::Search => ", found by search",
    };
    let unchecked = match record.unchecked.len() {
        0 => String::new(),
        1 => "; 1 thing could not be checked".to_owned(),
        count => format!("; {count} things could not be checked"),
    };
    format!(
        "{findings}{hidden}{} in {}{source} and {}{unchecked}\n",
        plural(record.findings.len(), "problem"),
        plural(record.ports, "port"),
        plural(record.messages, "message"),
    )
}
