//! `check`: conditions that a dump is held against, as a gate of CI does.

use std::path::PathBuf;

use alpc::port::queue::QueueKind;
use alpc::report::check::{
    Condition, Facts, Found, Outcome, PortFound, Signature, Verdict, WaitFound, Whose,
};
use alpc::wait::unread::Unread;
use clap::Args;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, NamedFile, Spec, Verb, open_kernel};
use crate::failure::Status;
use crate::host::reading::portable;
use crate::options::{Format, Options};
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::redact;
use crate::rules::{self, Rule};
use crate::session::Session;
use crate::text::condition_line::told;
use crate::text::wait_lines::plural;
use crate::text::{escape, time};

/// Whether the conditions of a rule file hold
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// The conditions, in TOML; docs/checks.md has them all
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,
}

impl CheckArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Gates,
        switches: &[],
        shape: Shape {
            name: "check",
            results: &[of::<CheckRecord>],
            tables: &[TABLE],
            whole: &[],
        },
    };
}

impl Verb for CheckArgs {
    fn table(&self) -> Option<Table> {
        Some(TABLE)
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        redact::refuse_comparing(options)?;
        let rules = rules::read(&self.rules)?;
        let kernel = open_kernel(options, session, records)?;
        let facts = Facts::new(&kernel);
        let mut record = CheckRecord::new(self);
        // The heading counts them all.
        let mut lines = String::new();
        for rule in &rules {
            let condition = condition(&facts, rule);
            record.count(condition.outcome.verdict);
            records.row(TABLE.record, &condition, |condition| {
                lines.push_str(&line(condition));
                String::new()
            })?;
        }
        let text = records.text(|| heading(&record) + &lines);
        Ok(Answer::of(&record)?
            .with_records_in(Place::Member("conditions"))
            .with_text(text)
            .served_by(&kernel)
            .ends_with(record.status()))
    }

    fn tells_verdict(&self) -> bool {
        true
    }

    fn writes(&self, format: Format) -> bool {
        format.of_check().is_some()
    }

    fn file(&self) -> Option<NamedFile<'_>> {
        Some(NamedFile {
            path: &self.rules,
            what: Some("the rule file"),
            placeholder: "rules",
        })
    }
}

/// Things that one line names.
const NAMED: usize = 3;

/// What the conditions of a rule file came to.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct CheckRecord {
    /// The rule file, as it was given.
    rules: String,
    /// Conditions that hold.
    passed: usize,
    /// Conditions that do not.
    failed: usize,
    /// Conditions of which the dump does not tell.
    undecided: usize,
    /// The conditions, in the order of the file.
    conditions: Vec<ConditionRecord>,
}

/// A condition and what it came to.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ConditionRecord {
    /// The line of the rule file that its table begins at.
    line: usize,
    /// Its kind, as the rule file calls it.
    kind: &'static str,
    /// The name that the file gives it, else what it asks for, in words.
    name: String,
    /// What it asks for, in words.
    condition: String,
    /// What it came to.
    #[serde(flatten)]
    outcome: Outcome,
    /// What was found, in words.
    text: String,
    /// The command that shows more of it, on the same dump.
    look_at: String,
}

/// The conditions one by one.
pub const TABLE: Table = Table {
    record: "condition",
    option: None,
    row: of::<ConditionRecord>,
    rest: (of::<CheckRecord>, Some("conditions")),
};

impl CheckRecord {
    fn new(args: &CheckArgs) -> Self {
        Self {
            rules: portable(&args.rules),
            passed: 0,
            failed: 0,
            undecided: 0,
            conditions: Vec::new(),
        }
    }

    fn count(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Pass => &mut self.passed,
            Verdict::Fail => &mut self.failed,
            Verdict::Undecided => &mut self.undecided,
        } += 1;
    }

    fn status(&self) -> Status {
        match (self.failed, self.undecided) {
            (0, 0) => Status::Complete,
            (0, _) => Status::Partial,
            _ => Status::Finding,
        }
    }
}

fn condition(facts: &Facts<'_, '_>, rule: &Rule) -> ConditionRecord {
    let outcome = facts.check(&rule.condition);
    let condition = wanted(&rule.condition);
    ConditionRecord {
        line: rule.line,
        kind: rule.condition.kind(),
        name: rule.name.clone().unwrap_or_else(|| condition.clone()),
        condition,
        text: found(facts, &rule.condition, &outcome) + &unread(&outcome.unread),
        look_at: look_at(&rule.condition, &outcome),
        outcome,
    }
}

fn heading(record: &CheckRecord) -> String {
    format!(
        "Check @ {}: {} passed, {} failed, {} undecided\n",
        escape::text(&record.rules),
        record.passed,
        record.failed,
        record.undecided
    )
}

fn line(condition: &ConditionRecord) -> String {
    let said = told(
        &condition.name,
        &condition.condition,
        &condition.text,
        &condition.look_at,
    );
    format!("  {:<9}  {said}\n", word(condition.outcome.verdict))
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Undecided => "UNDECIDED",
    }
}

/// What a condition asks for.
fn wanted(condition: &Condition) -> String {
    match condition {
        Condition::NoDeadlock { possible: false } => "no deadlock".to_owned(),
        Condition::NoDeadlock { possible: true } => "no deadlock, not even a possible one".to_owned(),
        Condition::Wait { longest, whose } => {
            format!(
                "no wait{} longer than {}",
                self::whose(whose),
                time::lasted(*longest)
            )
        }
        Condition::Waiting { at_most, whose } => {
            format!(
                "at most {} in a wait{}",
                number(*at_most, "thread"),
                self::whose(whose)
            )
        }
        Condition::Queue { at_most, port, queue } => format!(
            "at most {} {} of {}",
            number(*at_most, "message"),
            queue.map_or_else(
                || "in the queues".to_owned(),
                |queue| format!("in the {} queue", QueueKind::name(queue))
            ),
            port.as_deref().map_or_else(
                || "every port".to_owned(),
                |port| format!("port {}", escape::text(port))
            )
        ),
        Condition::Port {
            port,
            exists,
            owner,
            connections,
        } => {
            let is = if *exists { "is there" } else { "is not there" };
            let owner = owner
                .as_deref()
                .map(|owner| format!(", owned by {}", escape::text(owner)));
            let connections =
                connections.map(|most| format!(", with at most {}", number(most, "connection")));
            format!(
                "port {} {is}{}{}",
                escape::text(port),
                owner.unwrap_or_default(),
                connections.unwrap_or_default()
            )
        }
        Condition::Process {
            image,
            at_least,
            at_most,
        } => {
            let bounds = match at_most {
                Some(most) if most == at_least => most.to_string(),
                Some(most) => format!("{at_least} to {most}"),
                None => format!("at least {at_least}"),
            };
            format!("{bounds} running as {}", escape::text(image))
        }
        Condition::Coverage { pages, readable } => {
            let pages = pages.map(|pages| format!("{pages} % of the pages"));
            let readable = readable.then(|| "nothing unreadable".to_owned());
            let parts: Vec<String> = pages.into_iter().chain(readable).collect();
            parts.join(", ")
        }
        Condition::Signature(signature) => signature_wanted(signature),
        Condition::Stack {
            function,
            at_most,
            image,
        } => {
            let image = image
                .as_deref()
                .map(|image| format!(" of {}", escape::text(image)));
            format!(
                "at most {}{} in {}",
                number(*at_most, "thread"),
                image.unwrap_or_default(),
                escape::text(function)
            )
        }
    }
}

fn signature_wanted(signature: &Signature) -> String {
    let (how, what) = match signature {
        Signature::Is(line) => ("is", line.as_str()),
        Signature::IsNot(line) => ("is not", line.as_str()),
        Signature::Matches(pattern) => ("matches", pattern.as_str()),
        Signature::MatchesNot(pattern) => ("does not match", pattern.as_str()),
    };
    format!("the signature {how} {}", escape::text(what))
}

fn whose(whose: &Whose) -> String {
    let image = whose
        .image
        .as_deref()
        .map(|image| format!(" of {}", escape::text(image)));
    let port = whose
        .port
        .as_deref()
        .map(|port| format!(" at {}", escape::text(port)));
    let call = whose
        .call
        .as_deref()
        .map(|call| format!(" for {}", escape::text(call)));
    image.unwrap_or_default() + &port.unwrap_or_default() + &call.unwrap_or_default()
}

fn number(count: u64, noun: &str) -> String {
    plural(usize::try_from(count).unwrap_or(usize::MAX), noun)
}

/// What was found.
fn found(facts: &Facts<'_, '_>, condition: &Condition, outcome: &Outcome) -> String {
    let named: Vec<String> = outcome.found.iter().take(NAMED).map(finding).collect();
    let list = named.join(", ");
    let count = outcome.count;
    let failed = outcome.verdict == Verdict::Fail;
    match condition {
        Condition::NoDeadlock { .. } if count == 0 => {
            format!("none found among {}", plural(facts.threads(), "thread"))
        }
        Condition::NoDeadlock { .. } => format!("{}: {list}", number(count, "ring")),
        Condition::Wait { .. } | Condition::Waiting { .. } if count == 0 => "no such wait found".to_owned(),
        Condition::Wait { .. } if failed => format!("{count} longer: {list}"),
        Condition::Waiting { .. } if failed => format!("{count}: {list}"),
        Condition::Wait { .. } | Condition::Waiting { .. } => {
            format!("{}, the longest: {}", number(count, "wait"), first(&named))
        }
        Condition::Queue { .. } | Condition::Port { .. } if count == 0 => "no such port found".to_owned(),
        Condition::Queue { .. } if failed => format!("{} with more: {list}", number(count, "port")),
        Condition::Queue { .. } => format!("the most of {}: {}", number(count, "port"), first(&named)),
        Condition::Process { .. } | Condition::Stack { .. } if count == 0 => "none found".to_owned(),
        Condition::Stack { .. } => format!("{}: {list}", number(count, "thread")),
        Condition::Process { .. } => format!("{count}: {list}"),
        Condition::Port { .. } | Condition::Coverage { .. } | Condition::Signature(_) => list,
    }
}

fn first(named: &[String]) -> &str {
    named.first().map_or("", String::as_str)
}

fn finding(finding: &Found) -> String {
    match finding {
        Found::Deadlock(deadlock) => format!(
            "{} of thread {}{} {}",
            plural(deadlock.threads, "thread"),
            deadlock.thread,
            if deadlock.proven { "" } else { ", possible," },
            escape::text(&deadlock.signature)
        ),
        Found::Wait(wait) => self::wait(wait),
        Found::Port(port) => self::port(port),
        Found::Process(process) => format!(
            "process {} ({} {})",
            process.process,
            question(process.image.as_deref()),
            id(process.process_id)
        ),
        Found::Pages(pages) => {
            let unreadable = pages
                .unreadable
                .map(|values| format!(", {} unreadable", number(values, "part")));
            format!(
                "{} of {} are there{}",
                pages.present,
                number(pages.claimed, "page"),
                unreadable.unwrap_or_default()
            )
        }
        Found::Signature(signature) => escape::text(&signature.signature),
        Found::Stack(stack) => format!(
            "{} {}.{} thread {} in {}",
            question(stack.image.as_deref()),
            id(stack.process_id),
            id(stack.thread_id),
            stack.thread,
            escape::text(&stack.site)
        ),
    }
}

fn wait(wait: &WaitFound) -> String {
    let waited = wait.waited.map_or_else(|| "?".to_owned(), time::lasted);
    let port = wait
        .port
        .as_deref()
        .map(|port| format!(" at {}", escape::text(port)));
    let call = wait
        .call
        .as_deref()
        .map(|call| format!(" for {}", escape::text(call)));
    format!(
        "{waited} {} {}.{} thread {}{}{}",
        question(wait.image.as_deref()),
        id(wait.process_id),
        id(wait.thread_id),
        wait.thread,
        port.unwrap_or_default(),
        call.unwrap_or_default()
    )
}

fn port(port: &PortFound) -> String {
    let path = port
        .path
        .as_deref()
        .map(|path| format!(" ({})", escape::text(path)));
    let owner = port
        .owner
        .as_deref()
        .map(|owner| format!(" of {}", escape::text(owner)));
    let queued = port.queued.map(|queued| format!("{queued} at "));
    let connections = port
        .connections
        .map(|connections| format!(", {}", number(connections, "connection")));
    format!(
        "{}port {}{}{}{}",
        queued.unwrap_or_default(),
        port.port,
        path.unwrap_or_default(),
        owner.unwrap_or_default(),
        connections.unwrap_or_default()
    )
}

fn question(text: Option<&str>) -> String {
    text.map_or_else(|| "?".to_owned(), escape::text)
}

fn id(id: Option<u64>) -> String {
    id.map_or_else(|| "?".to_owned(), |id| format!("{id:04x}"))
}

/// Why it cannot be determined.
fn unread(parts: &[Unread]) -> String {
    let Some(part) = parts.first() else {
        return String::new();
    };
    let at = part.at.map(|at| format!(" {at}")).unwrap_or_default();
    let why = part
        .complete
        .reason()
        .map(ToString::to_string)
        .unwrap_or_default();
    let more = match parts.len() {
        1 => String::new(),
        all => format!(" (and {})", plural(all - 1, "more part")),
    };
    format!("; not read: {}{at}: {}{more}", part.what, escape::text(&why))
}

/// The command that shows what a condition is about.
fn look_at(condition: &Condition, outcome: &Outcome) -> String {
    match (outcome.found.first(), condition) {
        (Some(Found::Deadlock(deadlock)), _) => format!("chain {}", deadlock.thread),
        (Some(Found::Wait(wait)), _) => format!("chain {}", wait.thread),
        (
            Some(Found::Port(port)),
            Condition::Port {
                connections: Some(_), ..
            },
        ) => {
            format!("connections {}", port.port)
        }
        (Some(Found::Port(port)), _) => format!("port {}", port.port),
        (Some(Found::Process(process)), _) => format!("process {}", process.process),
        (Some(Found::Stack(stack)), _) => format!("stack {}", stack.thread),
        (_, Condition::Stack { function, .. }) => format!("stacks --find {}", escape::text(function)),
        (_, Condition::Queue { .. } | Condition::Port { .. }) => "ports".to_owned(),
        (_, Condition::Process { .. }) => "processes".to_owned(),
        (_, Condition::Coverage { .. }) => "info".to_owned(),
        (
            _,
            Condition::NoDeadlock { .. }
            | Condition::Wait { .. }
            | Condition::Waiting { .. }
            | Condition::Signature(_),
        ) => "hang".to_owned(),
    }
}
