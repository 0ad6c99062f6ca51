//! The debugger's one-line forms of a thread.

use std::fmt::Write;

use alpc::Value;
use alpc::port::waiter::{AlpcWait, ReplyWait, ThreadRecord};
use alpc::process::roots::FoundBy;
use alpc::process::thread::WaitObject;

use crate::text::rows;
use crate::text::rows::Rows;

/// `THREAD …  Cid ….….  Teb: … Win32Thread: … WAIT`, as in the list of a port's threads.
pub fn short(thread: &ThreadRecord) -> String {
    format!("{} {}", head(thread), state(thread))
}

/// The lines of a thread in a list of processes: what it is and does, what it waits for, and in the first
/// column the ALPC message whose reply it waits for.
pub fn full(rows: &mut Rows, thread: &ThreadRecord) {
    rows.line(&format!("{} {}", head(thread), state_in_full(thread)));
    if thread.idle && !matches!(thread.found_by, Some(FoundBy::Idle { .. })) {
        rows.line("The idle thread of its processor, which has nothing else to do");
    }
    if let Some(found_by) = thread.found_by {
        rows.line(&format!("In no list that could be read: {found_by}"));
    }
    if let Value::Known(count @ 1..) = thread.suspend_count {
        rows.line(&format!("SuspendCount {count}"));
    }
    if let Value::Known(count @ 1..) = thread.freeze_count {
        rows.line(&format!("FreezeCount {count}"));
    }
    match &thread.wait_objects {
        Value::Known(objects) => objects
            .iter()
            .for_each(|object| rows.line(&format!("    {}", wait_object(object)))),
        Value::Missing(_) => rows.line(&format!("    {}", "?".repeat(rows.digits()))),
    }
    match &thread.alpc_wait {
        Value::Known(wait) => {
            if let Some(reply) = wait.as_ref().and_then(AlpcWait::reply) {
                rows.line(&waiting_for_reply(reply));
            }
        }
        Value::Missing(_) => rows.line(&format!("Waiting over ALPC: {}", "?".repeat(rows.digits()))),
    }
}

fn wait_object(object: &WaitObject) -> String {
    let kind = rows::or_question(&object.kind, |kind| {
        kind.name()
            .map_or_else(|| format!("0x{:02X}", kind.0), ToOwned::to_owned)
    });
    let mut line = format!("{}  {kind}", object.address);
    // Writing to a string cannot fail.
    if let Some(limit) = &object.limit {
        let _ = write!(
            line,
            " Limit {}",
            rows::or_question(limit, |limit| format!("0x{limit:x}"))
        );
    }
    if let Some(owner) = &object.owner {
        let _ = write!(
            line,
            " - owning thread {}",
            rows::address(owner, object.address.digits())
        );
    }
    line
}

fn waiting_for_reply(reply: &ReplyWait) -> String {
    let digits = reply.message.digits();
    let port = rows::reference(&reply.queue_port, digits, |port| port.address.to_string());
    let owner = rows::reference(&reply.owner_process, digits, |process| {
        process.address.to_string()
    });
    let inferred = match reply.at_reply_semaphore {
        Value::Known(true) => "",
        Value::Known(false) | Value::Missing(_) => " [inferred]",
    };
    format!(
        "Waiting for reply to ALPC Message {} : queued at port {port} : owned by process {owner}{inferred}",
        reply.message
    )
}

fn head(thread: &ThreadRecord) -> String {
    let digits = thread.address.digits();
    let id = |value: &Value<u64>| rows::or_question(value, |id| format!("{id:04x}"));
    format!(
        "THREAD {}  Cid {}.{}  Teb: {} Win32Thread: {}",
        thread.address,
        id(&thread.process_id),
        id(&thread.thread_id),
        rows::address(&thread.teb, digits),
        rows::address(&thread.win32_thread, digits),
    )
}

/// What a thread is doing, in the debugger's words.
pub fn state(thread: &ThreadRecord) -> String {
    rows::or_question(&thread.state, |state| match state.name() {
        Some("Waiting") => "WAIT".to_owned(),
        Some("Running") => {
            let processor = rows::or_question(&thread.processor, |number| format!("{number:x}"));
            format!("RUNNING on processor {processor}")
        }
        Some(name) => name.to_ascii_uppercase(),
        None => format!("0x{:02X}", state.0),
    })
}

/// The same, with the reason of a wait: `WAIT: (WrLpcReply) UserMode Non-Alertable`.
fn state_in_full(thread: &ThreadRecord) -> String {
    let state = state(thread);
    if !matches!(&thread.state, Value::Known(state) if state.is_waiting()) {
        return state;
    }
    let reason = rows::or_question(&thread.wait_reason, |reason| {
        reason
            .name()
            .map_or_else(|| format!("0x{:02X}", reason.0), ToOwned::to_owned)
    });
    let choose = |value: &Value<bool>, yes: &str, no: &str| {
        rows::or_question(value, |&set| if set { yes } else { no }.to_owned())
    };
    format!(
        "{state}: ({reason}) {} {}",
        choose(&thread.user_mode_wait, "UserMode", "KernelMode"),
        choose(&thread.alertable, "Alertable", "Non-Alertable"),
    )
}
