//! `stacks`: the kernel stacks of all threads, as the debugger's `!stacks`, `!uniqstack` and `!findstack` show them.

use alpc::report::stacks::{self, Grouping, Search, StackGroup, StackGroups, ThreadStack};
use alpc::stack::Frame;
use alpc::{Kernel, Value};
use clap::Args;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Spec, Verb, open_kernel};
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::selector;
use crate::session::Session;
use crate::text::columns::{Column, Grid, column};
use crate::text::marked::{Cell, Look, Text, joined, text};
use crate::text::rows::{Rows, or_question};
use crate::text::{escape, time};

/// The kernel stacks of all threads, or groups of like ones (!stacks, !uniqstack)
#[derive(Clone, Debug, Args)]
pub struct StacksArgs {
    /// Only the threads of this process: its address (_EPROCESS), pid:N or image name
    #[arg(value_name = "PROCESS")]
    pub process: Option<String>,

    /// Threads in the same functions together, the most first
    #[arg(long)]
    pub group: bool,

    /// Only threads in a function whose name has this in it, as nt!NtRead or afd
    #[arg(long, value_name = "TEXT")]
    pub find: Option<String>,
}

impl StacksArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "stacks",
            results: &[of::<AllStacks>, of::<StackGroups>],
            tables: &[TABLE, GROUPS],
            whole: &[],
        },
    };
}

/// The stacks of all threads.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct AllStacks {
    /// The threads, process by process.
    threads: Vec<ThreadStack>,
    /// Set when some threads may be missing.
    complete: Value<()>,
}

/// The rows.
pub const TABLE: Table = Table {
    record: "thread-stack",
    option: None,
    row: of::<ThreadStack>,
    rest: (of::<AllStacks>, Some("threads")),
};

/// The rows of groups.
pub const GROUPS: Table = Table {
    record: "stack-group",
    option: Some("group"),
    row: of::<StackGroup>,
    rest: (of::<StackGroups>, Some("groups")),
};

impl Verb for StacksArgs {
    fn table(&self) -> Option<Table> {
        Some(if self.group { GROUPS } else { TABLE })
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        let kernel = open_kernel(options, session, records)?;
        let process = self.process.as_deref();
        let process = process
            .map(|token| selector::process(&kernel, token))
            .transpose()?;
        if self.group {
            return self.groups(&kernel, process, records);
        }
        let mut search = Search::of(self.find.clone());
        let mut grid = match options.fits {
            Some(width) if !options.verbose => Some((Grid::new(COLUMNS, ""), width)),
            _ => None,
        };
        let complete = stacks::each(&kernel, process, |thread| {
            if !search.takes(&thread) {
                return Ok(());
            }
            if let Some((grid, _)) = &mut grid {
                return records.row(TABLE.record, &thread, |thread| {
                    grid.row(cells(thread));
                    Text::default()
                });
            }
            records.row(TABLE.record, &thread, |thread| line(thread, options.verbose))
        })?;
        let complete = search.complete(complete);
        let record = AllStacks {
            threads: Vec::new(),
            complete,
        };
        let mut end = Rows::new(0, kernel.addr(kernel.base()).digits());
        nothing(&mut end, &search);
        end.end_of_list(&record.complete);
        Ok(Answer::of(&record)?
            .with_records_in(crate::output::answer::Place::Member("threads"))
            .with_text(grid.map_or_else(Text::default, |(grid, width)| grid.fitted(width)) + end.finish())
            .served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        self.process.iter().chain(&self.find).cloned().collect()
    }
}

impl StacksArgs {
    fn groups(
        &self,
        kernel: &Kernel<'_>,
        process: Option<kdump::Gva>,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        let mut grouping = Grouping::default();
        let mut search = Search::of(self.find.clone());
        let complete = stacks::each(kernel, process, |thread| {
            if search.takes(&thread) {
                grouping.add(&thread);
            }
            Ok::<(), anyhow::Error>(())
        })?;
        let mut all = grouping.finish(search.complete(complete));
        for group in all.groups.drain(..) {
            records.row(GROUPS.record, &group, self::group)?;
        }
        let mut end = Rows::new(0, kernel.addr(kernel.base()).digits());
        nothing(&mut end, &search);
        end.end_of_list(&all.complete);
        Ok(Answer::of(&all)?
            .with_records_in(crate::output::answer::Place::Member("groups"))
            .with_text(end.finish())
            .served_by(kernel))
    }
}

/// That nothing was found, where that is so.
fn nothing(rows: &mut Rows, search: &Search) {
    if search.in_vain() {
        rows.line("no thread is known to be in such a function");
    }
}

/// The columns.
const COLUMNS: &[Column] = &[
    column("CID", 0),
    column("IMAGE", 0),
    column("THREAD", 1),
    column("STATE", 3),
    column("WAITED", 2),
    column("IN", 0),
];

fn cells(thread: &ThreadStack) -> [Text; COLUMNS.len()] {
    let id = |value: &Value<u64>| or_question(value, |id| format!("{id:04x}"));
    let state = or_question(&thread.state, |state| match state.name() {
        Some(name) => name.to_owned(),
        None => format!("0x{:02X}", state.0),
    });
    let waited = match &thread.waited {
        Value::Known(Some(span)) => time::lasted(*span),
        _ => String::new(),
    };
    let place = match (&thread.doing, thread.stack.frames.first()) {
        (Some(doing), _) => Text::from(escape::text(&doing.site)),
        (None, Some(frame)) => Text::from(escape::text(&frame.site())),
        (None, None) => Text::from(Cell::unreadable("?")),
    };
    let words = thread.doing.as_ref().and_then(|doing| doing.words);
    let words = words.map(|words| format!(", {words}")).unwrap_or_default();
    [
        text!("{}.{}", id(&thread.process_id), id(&thread.thread_id)),
        or_question(&thread.process.image, |image| escape::text(image)),
        thread.thread.to_string().into(),
        state,
        waited.into(),
        text!("{place}{words}"),
    ]
}

/// One line, or with `all` one for each frame as well.
fn line(thread: &ThreadStack, all: bool) -> Text {
    let cells = cells(thread).into_iter().filter(|cell| !cell.is_empty());
    let mut text = joined(cells, "  ") + '\n';
    if all {
        for frame in &thread.stack.frames {
            text.push(text!("    {}\n", site(frame)));
        }
        if let Value::Missing(reason) = &thread.stack.complete {
            let reason = escape::text(&reason.to_string());
            text.push(text!("    {} {reason}\n", Cell::unreadable("?")));
        }
    }
    text
}

fn site(frame: &Frame) -> Text {
    text!(
        "{} {}",
        escape::text(&frame.site()),
        Cell::new(Look::Proven, format!("[{}]", frame.found.name()))
    )
}

fn group(group: &StackGroup) -> Text {
    let waited = match group.longest_wait {
        Some(span) => format!(", the longest for {}", time::lasted(span)),
        None => String::new(),
    };
    let count = |(image, count): (&String, &usize)| format!("{} {count}", escape::text(image));
    let processes: Vec<String> = group.processes.iter().map(count).collect();
    let threads = if group.threads == 1 { "thread" } else { "threads" };
    let mut text = Text::all(
        Look::Heading,
        format!("{} {threads}{waited}: {}", group.threads, processes.join(", ")),
    );
    text.push("\n");
    for function in &group.functions {
        text.push(format!("    {}\n", escape::text(function)));
    }
    if let Value::Missing(reason) = &group.complete {
        let reason = escape::text(&reason.to_string());
        text.push(text!("    {} {reason}\n", Cell::unreadable("?")));
    }
    let samples: Vec<String> = group.samples.iter().map(ToString::to_string).collect();
    let more = if group.threads > group.samples.len() {
        " ..."
    } else {
        ""
    };
    text.push(format!("  such as {}{more}\n\n", samples.join(" ")));
    text
}
