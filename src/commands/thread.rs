//! `thread`: the debugger's `!thread`.

use alpc::port::receiver::Receivers;
use alpc::port::waiter::{AlpcWait, ThreadRecord};
use alpc::process::ProcessRef;
use alpc::process::thread_details::{Irps, ThreadDetails};
use alpc::stack::Stacks;
use alpc::{Kernel, Value};
use clap::Args;
use kdump::{Gva, TimeSpan};

use crate::commands::{Category, Spec, Verb};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::marked::{Text, text};
use crate::text::rows::{self, Rows};
use crate::text::{escape, stack_lines, thread_line, time};

/// One thread in full (!thread)
#[derive(Clone, Debug, Args)]
pub struct ThreadArgs {
    /// Address of the thread (_ETHREAD), its id as tid:1234 or tid:0x4d2, or current; an image's name for all its
    /// threads
    #[arg(value_name = "ADDR|tid:N|IMAGE")]
    pub thread: String,
}

impl ThreadArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "thread",
            results: &[of::<ThreadRecord>],
            tables: &[],
            whole: &[of::<ThreadRecord>],
        },
    };
}

impl Verb for ThreadArgs {
    fn run(&self, _: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let address = selector::thread(&kernel, &self.thread)?;
        if !alpc::process::thread::is_thread(&kernel, address) {
            return Err(not_a_thread(&kernel, address));
        }
        let record = in_full(&kernel, &Receivers::of_system(&kernel), address);
        Ok(Answer::new(text(&record), &record)?.served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        vec![self.thread.clone()]
    }

    fn is_of_one_thing(&self) -> bool {
        true
    }

    fn look_at(&mut self, address: String) {
        self.thread = address;
    }
}

/// Width of the label of a row.
const LABEL: usize = 25;

/// The view of the thread at an address.
pub fn view(kernel: &Kernel<'_>, receivers: &Receivers, address: Gva) -> Text {
    text(&in_full(kernel, receivers, address))
}

/// That something else than a thread is at an address.
pub fn not_a_thread(kernel: &Kernel<'_>, address: Gva) -> anyhow::Error {
    let what = alpc::object::identify::identify(kernel, address);
    Failure::not_there(
        "not-a-thread",
        format!("no thread is at {}: {what}", kernel.addr(address)),
    )
}

fn in_full(kernel: &Kernel<'_>, receivers: &Receivers, address: Gva) -> ThreadRecord {
    let modules = alpc::report::stacks::modules(kernel).ok();
    let mut record = receivers.thread_in_full(kernel, address);
    record.stack = modules.and_then(|modules| Stacks::new(kernel, &modules).certain_of(address).telling());
    record
}

fn text(record: &ThreadRecord) -> Text {
    let mut rows = Rows::new(LABEL, record.address.digits());
    thread_line::full(&mut rows, record);
    receiving(&mut rows, record);
    if let Some(details) = &record.details {
        match &details.irps {
            Value::Known(irps) => irp_list(&mut rows, irps),
            Value::Missing(hole) if hole.is_absence() => {}
            Value::Missing(hole) => {
                rows.heading("IRP List:");
                rows.line(text!("    ? {}", escape::text(&hole.to_string())));
            }
        }
        acting(&mut rows, details);
        process(&mut rows, "Owning Process", &record.process);
        process(&mut rows, "Attached Process", &details.attached_process);
        detail_lines(&mut rows, details);
    }
    if let Some(stack) = &record.stack {
        let is_narrow = record.address.digits() == 8;
        stack_lines::certain(&mut rows, is_narrow, &stack.frames, &stack.complete);
    }
    rows.finish()
}

/// Where a server thread waits, in the words of the line for a reply.
fn receiving(rows: &mut Rows, record: &ThreadRecord) {
    match &record.alpc_wait {
        Value::Known(Some(AlpcWait::Receive { port })) => {
            rows.heading(text!("Waiting to receive at port {}", port.address));
        }
        Value::Known(Some(AlpcWait::Completion { queue, ports })) => {
            let ports: Vec<String> = ports.iter().map(|port| port.address.to_string()).collect();
            rows.heading(text!(
                "Waiting to receive at completion port {queue} of port {}",
                ports.join(", ")
            ));
        }
        Value::Missing(hole) if hole.is_partial() => {
            rows.heading(text!(
                "What it waits for over ALPC: ? {}",
                escape::text(&hole.to_string())
            ));
        }
        _ => {}
    }
}

/// Whom the thread acts for, and the drive letters that it sees.
fn acting(rows: &mut Rows, details: &ThreadDetails) {
    rows.heading(match &details.impersonation {
        // `Not impersonating`, or `Impersonation token:  fffffa8002f5b620 (Level Impersonation)` with two blanks
        // (published threads of Vista and Server 2003).
        Value::Known(None) => Text::from("Not impersonating"),
        Value::Known(Some(of)) => {
            let only = if of.effective_only { ", effective only" } else { "" };
            text!("Impersonation token:  {} (Level {}{only})", of.token, of.level)
        }
        missing => text!(
            "Impersonation token:  {}",
            rows::or_question(missing, |_| String::new())
        ),
    });
    rows.line(labelled(
        // With no colon: the labels of `!thread` are padded to 26 columns.
        "DeviceMap",
        rows::address(&details.device_map, rows.digits()),
    ));
}

fn irp_list(rows: &mut Rows, irps: &Irps) {
    if irps.requests.is_empty() && irps.complete.reason().is_none() {
        return;
    }
    rows.heading("IRP List:");
    for irp in &irps.requests {
        let half = |value: &Value<u16>| rows::or_question(value, |number| format!("{number:04x}"));
        // Eight digits on 64-bit systems too: `fffffade6d389010: (0006,03a0) Flags: 00000884  Mdl: 00000000` of a
        // published x64 Server 2003.
        let mdl = rows::or_question(&irp.mdl, |mdl| format!("{:08x}", mdl.u64()));
        rows.line(text!(
            "    {}: ({},{}) Flags: {}  Mdl: {mdl}",
            irp.address,
            half(&irp.irp_type),
            half(&irp.size),
            rows::or_question(&irp.flags, |flags| format!("{flags:08x}")),
        ));
    }
    rows.end_of_list(&irps.complete);
}

fn process(rows: &mut Rows, label: &str, process: &Value<Option<ProcessRef>>) {
    // What is not there takes eight columns, as the debugger has it.
    let address = match process {
        Value::Known(None) => Text::from("N/A     "),
        known => rows::reference(known, rows.digits(), |process| process.address.to_string()),
    };
    let image = match process {
        Value::Known(Some(process)) => rows::or_question(&process.image, |image| escape::text(image)),
        Value::Known(None) => Text::from("N/A"),
        missing => rows::or_question(missing, |_| String::new()),
    };
    rows.line(labelled(label, text!("{address}       Image:         {image}")));
}

/// The debugger pads these labels to one column and puts no colon behind them.
fn labelled(label: &str, value: impl Into<Text>) -> Text {
    text!("{label:<LABEL$} {}", value.into())
}

fn detail_lines(rows: &mut Rows, details: &ThreadDetails) {
    let digits = rows.digits();
    let address = |value| rows::address(value, digits);
    let number = |value: &Value<i8>| rows::or_question(value, ToString::to_string);
    // SetThreadDescription gives threads names since Windows 10 1607 (Microsoft Learn); before, none has a name.
    match &details.name {
        Value::Known(Some(name)) => rows.line(labelled("Name", escape::text(name))),
        missing if missing.is_unreadable() => rows.line(labelled("Name", rows::unknown())),
        _ => {}
    }
    let ticks = rows::or_question(&details.wait_start_tick_count, ToString::to_string);
    let since = rows::or_question(&details.ticks, ToString::to_string);
    let time = rows::or_question(&details.ticks_time, |span| time::in_days(*span));
    // `Wait Start TickCount      14004580       Ticks: 62149 (0:00:16:09.530)` of a published Vista thread: when the
    // wait began, then how long ago that was.
    let ticks = text!("{ticks:<14} Ticks: {since} ({time})");
    rows.line(labelled("Wait Start TickCount", ticks));
    let switches = rows::or_question(&details.context_switches, ToString::to_string);
    rows.line(labelled("Context Switch Count", switches));
    match &details.create_time {
        Value::Known(None) => {}
        created => rows.line(labelled("Create Time", rows::or_question(created, time::moment))),
    }
    let spent = |value: &Value<TimeSpan>| rows::or_question(value, |span| time::used(*span));
    rows.line(labelled("UserTime", spent(&details.user_time)));
    rows.line(labelled("KernelTime", spent(&details.kernel_time)));
    rows.line(labelled("Queue", address(&details.queue)));
    rows.line(labelled("AlpcMessageId", address(&details.alpc_message_id)));
    rows.line(labelled("AlpcMessage", address(&details.alpc_message)));
    // What CreateThread was given. The other start address is the stub that all threads of a subsystem begin in:
    // `kernel32!BaseThreadStartThunk` beside `MSVCR71!_threadstartex` in a published Server 2003 thread.
    rows.heading(text!(
        "Win32 Start Address 0x{}",
        address(&details.win32_start_address)
    ));
    // The debugger's words for a code address that it has a symbol for.
    rows.line(&match &details.start_module {
        Some(code) => format!(
            "Start Address {} (0x{})",
            escape::text(&code.to_string()),
            address(&details.start_address)
        ),
        None => format!("Start Address 0x{}", address(&details.start_address)),
    });
    // With Base and Limit in one line in a published x86 thread (Server 2003), in two in those of x64. Behind them
    // the debugger prints `Call 0`, with 16 digits since Windows 10, which is left out here.
    rows.heading(text!(
        "Stack Init {} Current {}",
        address(&details.initial_stack),
        address(&details.kernel_stack)
    ));
    rows.heading(text!(
        "Base {} Limit {}",
        address(&details.stack_base),
        address(&details.stack_limit)
    ));
    // The line changes with versions: `UnusualBoost` and `ForegroundBoost` in 8.1, no decrement in the newest.
    rows.heading(text!(
        "Priority {} BasePriority {} PriorityDecrement {} IoPriority {} PagePriority {}",
        number(&details.priority),
        number(&details.base_priority),
        number(&details.priority_decrement),
        rows::or_question(&details.io_priority, ToString::to_string),
        rows::or_question(&details.page_priority, ToString::to_string),
    ));
    // In two published transcripts no frames follow this line, and in one of Windows 10 all of them do: the pages
    // were still in transition. So the stack is followed as far as it can be read.
    if matches!(details.kernel_stack_resident, Value::Known(false)) {
        rows.heading("Kernel stack not resident.");
    }
}
