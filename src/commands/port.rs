//! `port`: the debugger's `!alpc /P`.

use alpc::port::NamedPort;
use alpc::port::call;
use alpc::port::completion_list::{CompletionListRecord, SharedRecord};
use alpc::port::port_record::{self, Detail, PortDetails, PortRecord, Security, ServedBy, Servers};
use alpc::port::queue::{QueueKind, QueueRecord, QueuedMessage};
use alpc::{Kernel, Value};
use clap::Args;
use kdump::Gva;

use crate::commands::{Category, Spec, Verb};
use crate::failure::Failure;
use crate::options::{Options, Style};
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::marked::{Text, text};
use crate::text::rows::{self, Rows, unknown_address};
use crate::text::{call_lines, escape, thread_line};

/// One port, the threads that serve it, and its queues (!alpc /P)
#[derive(Clone, Debug, Args)]
pub struct PortArgs {
    /// Address of the port (_ALPC_PORT), or its name
    #[arg(value_name = "ADDR|NAME")]
    pub port: String,
}

impl PortArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Views,
        switches: &[("p", &["port"])],
        shape: Shape {
            name: "port",
            results: &[of::<PortRecord>],
            tables: &[],
            whole: &[of::<PortRecord>],
        },
    };
}

impl Verb for PortArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let address = selector::port(&kernel, &self.port)?;
        let detail = if options.in_full() {
            Detail::Full
        } else {
            Detail::Rows
        };
        let record = port_record::port(&kernel, address, detail)
            .map_err(|error| Failure::not_there("not-a-port", error.to_string()))?;
        let text = text(&record, options.style);
        Ok(Answer::new(text, &record)?.served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        vec![self.port.clone()]
    }

    fn is_of_one_thing(&self) -> bool {
        true
    }

    fn look_at(&mut self, address: String) {
        self.port = address;
    }
}

/// Width of a row's label.
const LABEL: usize = 25;

/// The view of the port at an address.
pub fn view(options: &Options, kernel: &Kernel<'_>, address: Gva) -> anyhow::Result<Text> {
    let detail = if options.in_full() {
        Detail::Full
    } else {
        Detail::Rows
    };
    let record = port_record::port(kernel, address, detail)?;
    Ok(text(&record, options.style))
}

/// The view, to the byte: the header without an empty line before it, the rows, the threads, the queues.
fn text(record: &PortRecord, style: Style) -> Text {
    let mut rows = Rows::new(LABEL, record.address.digits());
    let at = match style {
        // Known from one cut-off transcript of Windows 7; that of today has two blanks, as in `Port
        // ffff810a851b1d20`.
        Style::Classic => "Port @ ",
        Style::Modern => "Port  ",
    };
    rows.heading(text!("{at}{}", record.address));
    rows.text(
        "Type",
        rows::or_question(&record.kind, |kind| {
            kind.map_or_else(|| "none".to_owned(), |kind| kind.to_string())
        }),
    );
    rows.address("CommunicationInfo", &record.communication_info);
    let digits = record.address.digits();
    // The connection port has its name in parentheses, the two others have none to print.
    rows.nested("ConnectionPort", named_port(&record.connection_port, digits));
    rows.nested(
        "ClientCommunicationPort",
        rows::address(&record.client_communication_port, digits),
    );
    rows.nested(
        "ServerCommunicationPort",
        rows::address(&record.server_communication_port, digits),
    );
    rows.process("OwnerProcess", &record.owner_process);
    rows.text(
        "SequenceNo",
        rows::or_question(&record.sequence_no, |number| {
            // The view writes the number as signed, so that one past 2^31 reads as the debugger shows it.
            text!("0x{number:08X} ({})", number.cast_signed())
        }),
    );
    rows.address("CompletionPort", &record.completion_port);
    rows.address("CompletionList", &record.completion_list);
    rows.flag("ConnectionPending", &record.connection_pending);
    rows.flag("ConnectionRefused", &record.connection_refused);
    rows.flag("Disconnected", &record.disconnected);
    rows.flag("Closed", &record.closed);
    // The debugger prints the opposite of the kernel's bit, NoFlushOnClose.
    rows.flag("FlushOnClose", &record.flush_on_close);
    rows.flag("ReturnExtendedInfo", &record.return_extended_info);
    rows.flag("Waitable", &record.waitable);
    rows.text(
        "Security",
        rows::or_question(&record.security, |security| match security {
            Security::Static => Text::from("Static"),
            Security::Dynamic => Text::from("Dynamic"),
        }),
    );
    rows.flag("Wow64CompletionList", &record.wow64_completion_list);
    if let Some(details) = &record.details {
        detail_rows(&mut rows, record, details);
    }
    // Exactly one empty line stands before Main, whether a list of threads is above it or the last row.
    rows.line("");
    servers(&mut rows, &record.servers);
    queues(&mut rows, &record.queues, record.details.is_some());
    rows.finish()
}

/// A port with its name in parentheses; the address alone where it has none.
fn named_port(value: &Value<Option<NamedPort>>, digits: usize) -> Text {
    match value {
        Value::Known(Some(NamedPort {
            address,
            name: Value::Known(Some(name)),
        })) => {
            text!("{address} ({})", escape::text(name))
        }
        Value::Known(Some(NamedPort {
            address,
            name: Value::Known(None),
        })) => address.to_string().into(),
        Value::Known(Some(NamedPort { address, .. })) => text!("{address} ({})", rows::unknown()),
        Value::Known(None) => "0".repeat(digits).into(),
        Value::Missing(_) => unknown_address(digits),
    }
}

fn servers(rows: &mut Rows, servers: &Value<Servers>) {
    let Value::Known(servers) = servers else {
        rows.line("  The threads that serve the port cannot be read.");
        return rows.line("");
    };
    if !servers.threads.is_empty() {
        let how = match servers.served_by {
            ServedBy::WaitQueue => "are waiting on the port",
            ServedBy::CompletionPort => "are registered with port IO completion object",
        };
        // "1 thread(s)": as the debugger has it.
        rows.line(text!("  {} thread(s) {how}:", servers.threads.len()));
        rows.line("");
        for thread in &servers.threads {
            // With the state and no more of it: `WAIT` here, where `!thread` goes on with reason and mode.
            rows.line(text!("    {}", thread_line::short(thread)));
        }
        rows.line("");
    }
    if let Some(hole) = servers.complete.reason() {
        rows.line(text!("  {hole}"));
        rows.line("");
    }
}

fn queues(rows: &mut Rows, queues: &[QueueRecord], in_full: bool) {
    for (index, queue) in queues.iter().enumerate() {
        if index > 0 {
            // Two empty lines between queues and one behind the last.
            rows.line("");
            rows.line("");
        }
        queue_block(rows, queue, in_full);
    }
    rows.line("");
}

fn queue_block(rows: &mut Rows, queue: &QueueRecord, in_full: bool) {
    let name = queue_name(queue.queue);
    if !queue.messages.is_empty() {
        // Nobody has published a view with messages in a queue: the row is this program's own.
        rows.line(text!("  {name} queue has {} message(s)", queue.messages.len()));
        rows.line("");
        for message in &queue.messages {
            let line = format!("    {}", message_line(message, rows.digits()));
            rows.line(&line);
        }
    } else if queue.complete.reason().is_some() {
        rows.line(text!("  {name} queue cannot be read."));
    } else {
        rows.line(text!("  {name} queue is empty."));
    }
    if in_full && !queue.messages.is_empty() {
        let calls = queue.messages.iter().map(|message| {
            let call = message.call.as_ref()?;
            Some(call.known().map(|call| &**call).ok_or(()))
        });
        let calls = call::tally(calls);
        rows.line(text!(
            "    {} queued: {}",
            queue.messages.len(),
            call_lines::tallies(&calls)
        ));
    }
    if let Some(end) = unexpected_end(queue) {
        rows.line(text!("    {end}"));
    }
}

/// What to say when the walk did not end where the counter says.
fn unexpected_end(queue: &QueueRecord) -> Option<String> {
    match (&queue.length, queue.complete.reason()) {
        (Value::Known(length), Some(hole)) => {
            Some(format!("{} of {length} followed: {hole}", queue.messages.len()))
        }
        (_, Some(hole)) => Some(hole.to_string()),
        (Value::Known(length), None) if u64::from(*length) != queue.messages.len() as u64 => Some(format!(
            "the port counts {length}, the list ended at its head after {}",
            queue.messages.len()
        )),
        _ => None,
    }
}

fn queue_name(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Main => "Main",
        // As views of Windows 10 have it.
        QueueKind::Direct => "Direct message",
        QueueKind::Large => "Large message",
        QueueKind::Pending => "Pending",
        QueueKind::Canceled => "Canceled",
    }
}

fn queue_counter(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Main => "MainQueueLength",
        QueueKind::Direct => "DirectQueueLength",
        QueueKind::Large => "LargeMessageQueueLength",
        QueueKind::Pending => "PendingQueueLength",
        QueueKind::Canceled => "CanceledQueueLength",
    }
}

/// What the port counts in a queue, beside what the walk of its list gave.
fn counted_and_walked(queue: &QueueRecord) -> Text {
    let counted = rows::or_question(&queue.length, ToString::to_string);
    let more = if queue.complete.reason().is_some() {
        " or more"
    } else {
        ""
    };
    text!("{counted} counted, {}{more} walked", queue.messages.len())
}

fn message_line(message: &QueuedMessage, digits: usize) -> Text {
    let id = |value: &Value<u64>| rows::or_question(value, |id| format!("{id:04x}"));
    text!(
        "{} {} {}:{} {} {} {}",
        message.address,
        rows::or_question(&message.message_id, |id| format!("{id:08x}")),
        id(&message.client_process_id),
        id(&message.client_thread_id),
        rows::address(&message.server_thread, digits),
        rows::address(&message.waiting_thread, digits),
        rows::or_question(&message.message_type, ToString::to_string),
    )
}

fn detail_rows(rows: &mut Rows, record: &PortRecord, details: &PortDetails) {
    let path = rows::or_question(&details.path, |path| {
        path.as_deref().map_or("-".to_owned(), escape::text)
    });
    rows.text("Path", path);
    let count = |value: &Value<u64>| rows::or_question(value, ToString::to_string);
    rows.text("HandleCount", count(&details.handle_count));
    rows.text("PointerCount", count(&details.pointer_count));
    rows.flag("ClosedByOwner", &record.owner_closed);
    rows.number("State", &details.state, 8);
    rows.text(
        "StateBits",
        rows::or_question(&details.state_bits, |bits| bits.join(" ")),
    );
    rows.address("CompletionKey", &details.completion_key);
    rows.address("PortContext", &details.port_context);
    rows.address("TargetQueuePort", &details.target_queue_port);
    rows.address("TargetSequencePort", &details.target_sequence_port);
    rows.address("Semaphore", &details.semaphore);
    rows.number("AttributeFlags", &details.attribute_flags, 8);
    rows.text(
        "AttributeNames",
        rows::or_question(&details.attribute_names, |names| names.join(" ")),
    );
    rows.text("MaxMessageLength", count(&details.max_message_length));
    rows.text("MaxPoolUsage", count(&details.max_pool_usage));
    rows.text("MaxSectionSize", count(&details.max_section_size));
    rows.text("MaxViewSize", count(&details.max_view_size));
    rows.text("MaxTotalSectionSize", count(&details.max_total_section_size));
    rows.text(
        "WaitQueueLength",
        rows::or_question(&details.wait_queue_length, ToString::to_string),
    );
    let security = &details.static_security;
    rows.address("StaticSecurityToken", &security.client_token);
    rows.flag(
        "DirectlyAccessClientToken",
        &security.directly_access_client_token,
    );
    rows.flag(
        "DirectAccessEffectiveOnly",
        &security.direct_access_effective_only,
    );
    rows.flag("ServerIsRemote", &security.server_is_remote);
    for queue in &record.queues {
        rows.text(queue_counter(queue.queue), counted_and_walked(queue));
    }
    completion_list(rows, &details.completion_list);
    for resource in &details.resources.resources {
        let kind = rows::or_question(&resource.kind, ToString::to_string);
        rows.text("Resource", text!("{} [{kind}]", resource.address));
    }
    if let Some(hole) = details.resources.complete.reason() {
        rows.text("Resource", text!("? ({hole})"));
    }
}

/// The members of a completion list, those of the memory that the owner sees one step further in.
fn completion_list(rows: &mut Rows, list: &Value<Option<CompletionListRecord>>) {
    let list = match list {
        Value::Known(Some(list)) => list,
        Value::Known(None) => return,
        Value::Missing(_) => return rows.text("CompletionListMembers", rows::unknown()),
    };
    rows.text("CompletionListMembers", list.address.to_string());
    let mut members = Rows::new(LABEL - 2, rows.digits());
    members.process("OwnerProcess", &list.owner_process);
    for (label, address) in [
        ("CompletionListLock", &list.lock),
        ("Mdl", &list.mdl),
        ("UserVa", &list.user_va),
        ("UserLimit", &list.user_limit),
        ("DataUserVa", &list.data_user_va),
        ("SystemVa", &list.system_va),
        ("List", &list.list),
        ("Bitmap", &list.bitmap),
        ("Data", &list.data),
    ] {
        members.address(label, address);
    }
    for (label, size) in [
        ("TotalSize", &list.total_size),
        ("ListSize", &list.list_size),
        ("BitmapSize", &list.bitmap_size),
        ("DataSize", &list.data_size),
    ] {
        members.wide_number(label, size, 4);
    }
    for (label, number) in [
        ("BitmapLimit", &list.bitmap_limit),
        ("BitmapNextHint", &list.bitmap_next_hint),
        ("ConcurrencyCount", &list.concurrency_count),
        ("AttributeFlags", &list.attribute_flags),
        ("AttributeSize", &list.attribute_size),
    ] {
        members.number(label, number, 4);
    }
    members.address("Header", &list.header);
    if let Value::Known(shared) = &list.shared {
        let mut header = Rows::new(LABEL - 4, rows.digits());
        shared_rows(&mut header, shared);
        members.block(&header.finish(), 2);
    }
    rows.block(&members.finish(), 2);
}

fn shared_rows(rows: &mut Rows, shared: &SharedRecord) {
    rows.wide_number("StartMagic", &shared.start_magic, 16);
    for (label, number) in [
        ("TotalSize", &shared.total_size),
        ("ListOffset", &shared.list_offset),
        ("ListSize", &shared.list_size),
        ("BitmapOffset", &shared.bitmap_offset),
        ("BitmapSize", &shared.bitmap_size),
        ("DataOffset", &shared.data_offset),
        ("DataSize", &shared.data_size),
        ("AttributeFlags", &shared.attribute_flags),
        ("AttributeSize", &shared.attribute_size),
        ("Head", &shared.head),
        ("Tail", &shared.tail),
        ("ActiveThreadCount", &shared.active_thread_count),
        ("LastMessageId", &shared.last_message_id),
        ("LastCallbackId", &shared.last_callback_id),
        ("PostCount", &shared.post_count),
        ("ReturnCount", &shared.return_count),
        ("LogSequenceNumber", &shared.log_sequence_number),
    ] {
        rows.number(label, number, 4);
    }
    rows.address("UserLock", &shared.user_lock);
    rows.wide_number("EndMagic", &shared.end_magic, 16);
}
