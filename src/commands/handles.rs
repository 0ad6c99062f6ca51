//! `handles`: the debugger's `!handle 0 2 0 TYPE` and `!handle 0 2 PROCESS TYPE`.

use alpc::object::TypeRef;
use alpc::object::handle::{self, HandleRecord, Handles};
use alpc::process::{self, ProcessRecord, ProcessRef};
use alpc::{Kernel, Value};
use clap::Args;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Category, Named, Spec, Verb, open_kernel};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::selector;
use crate::session::Session;
use crate::text::marked::{Look, Text, text};
use crate::text::rows::or_question;
use crate::text::{escape, object_lines, process_lines};

/// Handles with the objects behind them (!handle)
#[derive(Clone, Debug, Args)]
pub struct HandlesArgs {
    /// Only handles of objects of this type, as in "ALPC Port"
    #[arg(long = "type", value_name = "TYPE")]
    pub object_type: Option<String>,

    /// Only the handles of this process: its address (_EPROCESS), pid:N or image name
    #[arg(value_name = "PROCESS")]
    pub of: Option<String>,

    /// The same
    #[arg(long, value_name = "PROCESS", conflicts_with = "of")]
    pub process: Option<String>,

    /// Only of the processes of this session
    #[arg(long, value_name = "N", conflicts_with_all = ["of", "process"])]
    pub session: Option<u32>,
}

impl HandlesArgs {
    /// The process whose they are, if that was asked for.
    pub fn process(&self) -> Option<&String> {
        self.of.as_ref().or(self.process.as_ref())
    }

    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "handles",
            results: &[of::<HandlesRecord>],
            tables: &[TABLE],
            whole: &[],
        },
    };
}

impl Verb for HandlesArgs {
    fn table(&self) -> Option<Table> {
        Some(TABLE)
    }

    fn fill(
        &self,
        options: &Options,
        session: &Session,
        records: &mut Records<'_>,
    ) -> anyhow::Result<Answer> {
        let kernel = open_kernel(options, session, records)?;
        let (processes, complete) = processes(&kernel, self)?;
        let mut unread = Vec::new();
        records.say(heading(self))?;
        for process in processes {
            let found = of_process(&kernel, process, self);
            if records.takes_groups() {
                records.row(TABLE.record, &found, |found| process_text(found, options.verbose))?;
                continue;
            }
            let ProcessHandles { process, handles } = found;
            let owner = ProcessRef {
                address: process.address,
                image: process.image.clone(),
            };
            let gaps = match handles {
                Value::Missing(hole) => vec![Value::Missing(hole)],
                Value::Known(None) => Vec::new(),
                Value::Known(Some(table)) => {
                    for handle in table.handles {
                        let row = Row {
                            owner: owner.clone(),
                            owner_process_id: process.process_id.clone(),
                            handle,
                        };
                        records.record(TABLE.record, &row)?;
                    }
                    table.gaps
                }
            };
            if !gaps.is_empty() {
                unread.push(Unread { process: owner, gaps });
            }
        }
        let end = complete.reason().map(|hole| format!("{hole}\n"));
        let answer = if records.takes_groups() {
            let record = HandlesRecord {
                searched_type: self.object_type.clone(),
                processes: Vec::new(),
                complete,
            };
            Answer::of(&record)?.with_records_in(Place::Member("processes"))
        } else {
            Answer::of(&Rest { complete, unread })?
        };
        Ok(answer.served_by(&kernel).with_text(end.unwrap_or_default()))
    }

    fn explains(&self) -> Option<Named> {
        Some(Named::Entries)
    }

    fn named(&self) -> Vec<String> {
        self.process()
            .into_iter()
            .chain(&self.object_type)
            .cloned()
            .collect()
    }
}

/// The system process's handle table is the kernel's.
const SYSTEM: u64 = 4;

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct HandlesRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    searched_type: Option<String>,
    processes: Vec<ProcessHandles>,
    complete: Value<()>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
struct ProcessHandles {
    process: ProcessRecord,
    /// None for a process that has ended: it has no table.
    handles: Value<Option<Handles>>,
}

/// The rows.
pub const TABLE: Table = Table {
    record: "handle",
    option: None,
    row: of::<Row>,
    rest: (of::<Rest>, None),
};

/// A handle, and whose it is.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "HandleOfProcess"))]
struct Row {
    /// The process whose handle it is.
    owner: ProcessRef,
    /// Its id.
    owner_process_id: Value<u64>,
    #[serde(flatten)]
    handle: HandleRecord,
}

/// What stands beside the handles.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "HandlesRest"))]
struct Rest {
    /// Set when the list of processes could not be followed to its end.
    complete: Value<()>,
    /// Processes whose table could not be read, or not as a whole.
    unread: Vec<Unread>,
}

/// A process that may have more handles.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "HandlesUnread"))]
struct Unread {
    process: ProcessRef,
    /// Why the table cannot be read, or the parts of it that cannot.
    gaps: Vec<Value<()>>,
}

fn processes(kernel: &Kernel<'_>, args: &HandlesArgs) -> anyhow::Result<(Vec<ProcessRecord>, Value<()>)> {
    if let Some(wanted) = &args.object_type {
        selector::object_type(kernel, wanted)?;
    }
    if let Some(token) = args.process() {
        let process = process::process(kernel, selector::process(kernel, token)?)
            .map_err(|error| Failure::not_there("not-a-process", error.to_string()))?;
        return Ok((vec![process], Value::Known(())));
    }
    let all = process::all(kernel)
        .map_err(|hole| Failure::partial(hole.id(), format!("the processes cannot be listed: {hole}")))?;
    let mut processes = all.processes;
    processes.retain(|process| selector::is_in_session(kernel, args.session, process.address.gva()));
    Ok((processes, all.complete))
}

fn of_process(kernel: &Kernel<'_>, process: ProcessRecord, args: &HandlesArgs) -> ProcessHandles {
    let wanted = |found: &TypeRef| {
        args.object_type.as_ref().is_none_or(|wanted| {
            found
                .name
                .known()
                .is_none_or(|name| name.eq_ignore_ascii_case(wanted))
        })
    };
    let handles = process.object_table.get().and_then(|table| {
        table
            .map(|table| {
                handle::claim(kernel, process.address.gva(), table.gva())?;
                handle::handles(kernel, table.gva(), wanted)
            })
            .transpose()
    });
    ProcessHandles {
        process,
        handles: handles.into(),
    }
}

fn heading(args: &HandlesArgs) -> Text {
    let head = |line: String| Text::all(Look::Heading, line) + "\n\n";
    let mut text = Text::from("\n");
    if args.process().is_none() {
        // Word for word from a published view of Windows 10: with process 0 the debugger goes through all of them.
        text.push(head("**** NT ACTIVE PROCESS HANDLE DUMP ****".to_owned()));
    }
    if let Some(object_type) = &args.object_type {
        let line = format!("Searching for handles of type {}", escape::text(object_type));
        text.push(head(line));
    }
    text
}

fn process_text(record: &ProcessHandles, verbose: bool) -> Text {
    let mut text = process_lines::lines(&record.process);
    text.push('\n');
    match &record.handles {
        Value::Known(Some(handles)) => {
            let kernel = record.process.process_id.known() == Some(&SYSTEM);
            let which = if kernel { "Kernel handle" } else { "Handle" };
            // HandleCount of the table went with Windows 8, so that its entries are counted: 2215 in use, says a
            // published table of System.
            let in_use = or_question(&handles.in_use, ToString::to_string);
            text.push(text!(
                "{which} table at {} with {in_use} entries in use\n\n",
                handles.table
            ));
            for handle in &handles.handles {
                text.push(handle_text(handle, verbose));
            }
            for gap in handles.gaps.iter().filter_map(Value::reason) {
                text.push(text!("{gap}\n\n"));
            }
        }
        // A process that has ended has given its table back and may stay in the list.
        Value::Known(None) => text.push("No handle table\n\n"),
        Value::Missing(hole) => text.push(text!("Handle table: {hole}\n\n")),
    }
    text
}

fn handle_text(record: &HandleRecord, verbose: bool) -> Text {
    // Each in parentheses of its own, in this order: `(Protected) (Audit)`, `(Inherit) (Audit)`.
    let attributes: Text = record
        .attributes
        .names()
        .iter()
        .map(|name| format!(" ({name})"))
        .collect();
    let mut text = text!(
        // As `007c: Object: ffffbb0f82142df0  GrantedAccess: 001f0001 (Audit) Entry: ffff930a6c0251f0` of a
        // published Windows 10 list: two blanks before GrantedAccess, one before Entry.
        "{:04x}: Object: {}  GrantedAccess: {:08x}{attributes} Entry: {}\n{}",
        record.handle,
        record.object.address,
        record.granted_access,
        record.entry,
        object_lines::lines(&record.object, 8),
    );
    if let Some(process) = &record.process {
        let image = or_question(&process.image, |image| escape::text(image));
        text.push(text!("        Image: {image}\n"));
    }
    if verbose {
        text.push(object_lines::path_line(&record.object, 8));
    }
    text.push('\n');
    text
}
