//! `message`: the debugger's `!alpc /M`.

use std::io;
use std::sync::OnceLock;

use alpc::image::json;
use alpc::port::call::{Calls, MessageCall};
use alpc::port::in_flight;
use alpc::port::message::{self, Detail, MessageDetails, MessageRecord};
use alpc::port::payload::{Payload, PayloadGap};
use alpc::{Addr, Kernel, Value};
use clap::Args;
use kdump::Gva;
use serde::Serialize;

use crate::commands::{Category, Spec, Verb, open_kernel};
use crate::failure::Failure;
use crate::host::reading;
use crate::options::{Options, Style};
use crate::output::answer::{Answer, Place};
use crate::output::records::Records;
use crate::output::schema::Shape;
use crate::output::table::{Table, of};
use crate::selector;
use crate::session::Session;
use crate::text::marked::{Text, text};
use crate::text::rows::{self, Rows, unknown};
use crate::text::{call_lines, escape};

/// One message in full (!alpc /M)
#[derive(Clone, Debug, Args)]
pub struct MessageArgs {
    /// Address of the message (_KALPC_MESSAGE), its id as id:3068 or id:0xbfc, or - to read these from stdin,
    /// one a line
    #[arg(value_name = "ADDR|id:N|-")]
    pub message: String,
}

impl MessageArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::Views,
        switches: &[("m", &["message"])],
        shape: Shape {
            name: "message",
            results: &[of::<MessageRecord>, of::<Vec<MessageRecord>>],
            tables: &[TABLE],
            whole: &[],
        },
    };
}

impl Verb for MessageArgs {
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
        let calls = options.in_full().then(|| Calls::new(&kernel));
        let line = |record: &MessageRecord| text(record, options.style);
        if self.message != "-" {
            records.row(TABLE.record, &one(&kernel, &self.message, calls.as_ref())?, line)?;
            return Ok(Answer::of(&())?.with_records_in(Place::Alone).served_by(&kernel));
        }
        let mut answer = Answer::of(&())?.with_records_in(Place::List).served_by(&kernel);
        let named = tokens(stdin_lines()?);
        tokens_into(
            records,
            &kernel,
            named,
            calls.as_ref(),
            &mut answer,
            options.style,
        )?;
        Ok(answer)
    }

    fn named(&self) -> Vec<String> {
        vec![self.message.clone()]
    }

    fn is_of_one_thing(&self) -> bool {
        self.message != "-"
    }

    fn look_at(&mut self, address: String) {
        self.message = address;
    }
}

/// Every message that is on its way, or those that are named: more than a command line asks for.
#[derive(Clone, Debug)]
pub struct ManyMessages {
    /// Addresses or ids; none for all that are on their way.
    pub named: Option<Vec<String>>,
    /// Whether each is told with all that is known of it.
    pub in_full: bool,
}

/// What stands beside many messages.
#[derive(Serialize)]
struct ManyRest {
    /// Set when there may be more.
    complete: Value<()>,
}

impl Verb for ManyMessages {
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
        let calls = self.in_full.then(|| Calls::new(&kernel));
        let mut answer = Answer::of(&())?;
        let mut gap = None;
        match &self.named {
            Some(named) => {
                let named = named.iter().map(String::as_str);
                tokens_into(
                    records,
                    &kernel,
                    named,
                    calls.as_ref(),
                    &mut answer,
                    options.style,
                )?;
            }
            None => {
                let (all, hole) = in_flight::messages(&kernel);
                gap = hole;
                for address in all {
                    one_into(records, &kernel, address, calls.as_ref(), &mut answer)?;
                }
            }
        }
        let rest = ManyRest {
            complete: gap.map_or(Ok(()), Err).into(),
        };
        answer.record = json::record(&rest)?;
        Ok(answer.with_records_in(Place::List).served_by(&kernel))
    }

    fn named(&self) -> Vec<String> {
        self.named.clone().unwrap_or_default()
    }
}

/// Width of a row's label.
const LABEL: usize = 21;

/// The rows.
pub const TABLE: Table = Table {
    record: "message",
    option: None,
    row: of::<MessageRecord>,
    rest: (of::<()>, None),
};

fn one(kernel: &Kernel<'_>, token: &str, calls: Option<&Calls<'_, '_>>) -> anyhow::Result<MessageRecord> {
    let address = selector::message(kernel, token)?;
    message::read_by(kernel, address, calls)
        .map_err(|error| Failure::not_there("not-a-message", error.to_string()))
}

/// The messages that are named, one after the other; what is none is said, and ends nothing.
fn tokens_into<'t>(
    records: &mut Records<'_>,
    kernel: &Kernel<'_>,
    named: impl Iterator<Item = &'t str>,
    calls: Option<&Calls<'_, '_>>,
    answer: &mut Answer,
    style: Style,
) -> anyhow::Result<()> {
    for token in named {
        match one(kernel, token, calls) {
            Ok(record) => records.row(TABLE.record, &record, |record| text(record, style))?,
            Err(error) => failed_into(records, answer, error)?,
        }
    }
    Ok(())
}

/// The message at an address that something leads to.
fn one_into(
    records: &mut Records<'_>,
    kernel: &Kernel<'_>,
    address: Gva,
    calls: Option<&Calls<'_, '_>>,
    answer: &mut Answer,
) -> anyhow::Result<()> {
    match message::read_by(kernel, address, calls) {
        Ok(record) => records.record(TABLE.record, &record),
        Err(error) => {
            let error = Failure::partial("not-a-message", error.to_string());
            failed_into(records, answer, error)
        }
    }
}

fn failed_into(records: &mut Records<'_>, answer: &mut Answer, error: anyhow::Error) -> anyhow::Result<()> {
    let failure = Failure::from_error(error);
    answer.status = answer.status.combine(failure.status);
    records.failure(&failure)?;
    answer.errors.push(failure.message);
    Ok(())
}

/// What stdin holds, for every dump of the command line: it can be read only once.
fn stdin_lines() -> anyhow::Result<&'static [String]> {
    static LINES: OnceLock<Result<Vec<String>, String>> = OnceLock::new();
    let read = || {
        let bytes = reading::stdin(&reading::MESSAGES)?;
        let text = reading::text(bytes)?;
        Ok(text.lines().map(str::to_owned).collect())
    };
    match LINES.get_or_init(|| read().map_err(|error: io::Error| error.to_string())) {
        Ok(lines) => Ok(lines),
        Err(error) => Err(Failure::fatal("stdin", format!("stdin cannot be read: {error}"))),
    }
}

fn tokens(lines: &[String]) -> impl Iterator<Item = &str> {
    lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
}

/// The view of the message at an address.
pub fn view(options: &Options, kernel: &Kernel<'_>, address: Gva) -> anyhow::Result<Text> {
    let detail = if options.in_full() {
        Detail::Full
    } else {
        Detail::Rows
    };
    let record = message::read(kernel, address, detail)?;
    Ok(text(&record, options.style))
}

/// The view, to the byte: an empty line, the header, 26 rows; a freed one has a row before them.
fn text(record: &MessageRecord, style: Style) -> Text {
    // The 2009 extension prints `Message @ fffff8800f4cc950`, those since 2012 `Message 9c14d020`; the rows below
    // are the same in both (published views of Vista and Windows 8).
    let at = match style {
        Style::Classic => "@ ",
        Style::Modern => "",
    };
    let mut rows = Rows::new(LABEL, record.address.digits());
    // Before a message's header the debugger prints an empty line, before a port's none.
    rows.line("");
    rows.heading(text!("Message {at}{}", record.address));
    if let Some(freed) = record.freed {
        rows.text("Freed", freed.text());
    }
    rows.number("MessageID", &record.message_id, 4);
    rows.number("CallbackID", &record.callback_id, 4);
    // Eight digits always, unlike the two above: `0x0004D4D4 (316628)`, `0x00000016 (22)`.
    rows.number("SequenceNumber", &record.sequence_number, 8);
    // The low byte's name alone, LPC_REQUEST of 1 to LPC_CANCELED of 12; the flags above it are not part of the
    // name.
    rows.known("Type", &record.message_type);
    rows.number("DataLength", &record.data_length.clone().map(u32::from), 4);
    rows.number("TotalLength", &record.total_length.clone().map(u32::from), 4);
    rows.flag("Canceled", &record.canceled);
    rows.flag("Release", &record.release);
    rows.flag("ReplyWaitReply", &record.reply_wait_reply);
    // This one is a bit of the type word and not of the state, of which the three above are.
    rows.flag("Continuation", &record.continuation);
    // The debugger knows the kind of a port and prints it, `fffffa8018a95e60 [ALPC_CLIENT_COMMUNICATION_PORT]`; of a
    // null pointer no transcript shows what it prints.
    rows.port("OwnerPort", &record.owner_port);
    rows.address("WaitingThread", &record.waiting_thread);
    rows.known("QueueType", &record.queue_type);
    rows.port("QueuePort", &record.queue_port);
    rows.process("QueuePortOwnerProcess", &record.queue_port_owner_process);
    rows.address("ServerThread", &record.server_thread);
    // What makes the debugger print "Yes" nobody has published: the one view that is complete has "No", and no
    // quota.
    rows.flag("QuotaCharged", &record.quota_charged);
    rows.address("CancelQueuePort", &record.cancel_queue_port);
    rows.address("CancelSequencePort", &record.cancel_sequence_port);
    rows.number("CancelSequenceNumber", &record.cancel_sequence_number, 8);
    rows.address("ClientContext", &record.client_context);
    rows.address("ServerContext", &record.server_context);
    rows.address("PortContext", &record.port_context);
    rows.address("CancelPortContext", &record.cancel_port_context);
    rows.address("SecurityData", &record.security_data);
    rows.address("View", &record.view);
    if let Some(more) = &record.details {
        // What follows the 26 rows the debugger does not print; their layout is this program's own.
        details(&mut rows, record, more);
    }
    rows.finish()
}

fn details(rows: &mut Rows, record: &MessageRecord, more: &MessageDetails) {
    rows.text(
        "ClientId",
        client_id(&more.client_process_id, &more.client_thread_id),
    );
    rows.number("TypeWord", &record.type_word.clone().map(u32::from), 4);
    rows.number("DataInfoOffset", &more.data_info_offset.clone().map(u32::from), 4);
    rows.number("State", &more.state, 8);
    rows.text(
        "StateBits",
        rows::or_question(&more.state_bits, |bits| bits.join(" ")),
    );
    rows.number("QueuePortType", &more.queue_port_type, 1);
    rows.address("CommunicationInfo", &more.communication_info);
    rows.address("ConnectionPort", &more.connection_port);
    rows.address("Reserve", &more.reserve);
    rows.address("Quota", &more.quota);
    rows.address("HandleData", &more.handle_data);
    rows.address("DirectEvent", &more.direct_event);
    rows.address("WorkOnBehalf", &more.work_on_behalf);
    rows.address("DataUserVa", &more.data_user_va);
    rows.address("ExtensionBuffer", &more.extension_buffer);
    rows.text(
        "ExtensionBufferSize",
        rows::or_question(&more.extension_buffer_size, |size| {
            format!("0x{size:04X} ({size})")
        }),
    );
    match &more.call {
        MessageCall::Call(call) => call_lines::rows(rows, call),
        MessageCall::NotDecoded { not_decoded } => {
            rows.text("Call", format!("none known: {}", escape::text(not_decoded)));
        }
        MessageCall::Undetermined { undetermined } => {
            let why = escape::text(&undetermined.to_string());
            rows.text("Call", format!("cannot be determined: {why}"));
        }
    }
    match &more.payload {
        Value::Known(data) => payload(rows, data),
        Value::Missing(_) => rows.text("Payload", unknown()),
    }
}

/// The data where it is, in the order of its bytes: behind the message, then in the extension buffer. What could
/// not be read stands between.
fn payload(rows: &mut Rows, data: &Payload) {
    if let Some(at) = data.sender_address {
        rows.text(
            "Payload",
            text!("? in the sender's memory at {at}, not copied; what is here is older:"),
        );
    }
    if data.bytes.is_empty() && data.rest.is_empty() && data.gaps.is_empty() {
        return rows.hex_dump("Payload", data.address, &[]);
    }
    let first = std::iter::once((0, data.bytes.as_slice()));
    let pieces = first.chain(
        data.rest
            .iter()
            .map(|piece| (piece.offset, piece.bytes.as_slice())),
    );
    let mut parts: Vec<(u64, Result<&[u8], &PayloadGap>)> = Vec::new();
    for (offset, bytes) in pieces.filter(|(_, bytes)| !bytes.is_empty()) {
        let inline = data.extension.as_ref().map_or(bytes.len(), |extension| {
            let room = extension.offset.saturating_sub(offset);
            usize::try_from(room).unwrap_or(bytes.len()).min(bytes.len())
        });
        let (behind, extended) = bytes.split_at(inline);
        parts.push((offset, Ok(behind)));
        parts.push((offset.saturating_add(inline as u64), Ok(extended)));
    }
    parts.retain(|(_, bytes)| bytes.is_ok_and(|bytes| !bytes.is_empty()));
    parts.extend(data.gaps.iter().map(|gap| (gap.offset, Err(gap))));
    parts.sort_by_key(|&(offset, _)| offset);
    if let Some(extension) = data.extension.as_ref().filter(|extension| extension.inferred) {
        let offset = extension.offset;
        rows.text(
            "Payload",
            text!("[inferred] from byte 0x{offset:x} on in the extension buffer"),
        );
    }
    for (offset, part) in parts {
        let label = if offset == 0 {
            "Payload".to_owned()
        } else {
            format!("Payload+0x{offset:x}")
        };
        match part {
            Ok(bytes) => rows.hex_dump(&label, place(data, offset), bytes),
            Err(gap) => {
                let reason = escape::text(&gap.reason.to_string());
                rows.text(&label, format!("? {} bytes: {reason}", gap.length));
            }
        }
    }
}

/// Where a byte of the data is in memory.
fn place(data: &Payload, offset: u64) -> Addr {
    let (start, skipped) = match &data.extension {
        Some(extension) if offset >= extension.offset => {
            let buffer = extension.address.known().copied().unwrap_or(data.address);
            (buffer, extension.offset)
        }
        _ => (data.address, 0),
    };
    start.plus(offset.saturating_sub(skipped))
}

/// Process and thread id as the debugger writes them: `033c.3c40`.
fn client_id(process: &Value<u64>, thread: &Value<u64>) -> Text {
    // `Cid 033c.3c40`: hex without a sign of it, four digits at least and not at most.
    let id = |value: &Value<u64>| rows::or_question(value, |id| format!("{id:04x}"));
    text!("{}.{}", id(process), id(thread))
}
