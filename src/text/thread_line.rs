//! The debugger's one-line forms of a thread.

use alpc::Value;
use alpc::port::call::{Call, Told};
use alpc::port::waiter::{AlpcWait, ReplyWait, ThreadRecord};
use alpc::process::roots::FoundBy;
use alpc::process::thread::WaitObject;

use crate::text::call_lines;
use crate::text::marked::{Text, inferred, text};
use crate::text::rows::{self, Rows};

/// `THREAD …  Cid ….….  Teb: … Win32Thread: … WAIT`, as in the list of a port's threads.
pub fn short(thread: &ThreadRecord) -> String {
    format!("{} {}", head(thread), state(thread))
}

/// The lines of a thread in a list of processes: what it is and does, what it waits for, and in the first
/// column the ALPC message whose reply it waits for.
pub fn full(rows: &mut Rows, thread: &ThreadRecord) {
    rows.heading(text!("{} {}", head(thread), state_in_full(thread)));
    if thread.idle && !matches!(thread.found_by, Some(FoundBy::Idle { .. })) {
        rows.heading("The idle thread of its processor, which has nothing else to do");
    }
    if let Some(found_by) = thread.found_by {
        rows.heading(text!("In no list that could be read: {found_by}"));
    }
    // Two lines of their own, only where they are not zero: a published Windows 10 thread has `SuspendCount 1`
    // and `FreezeCount 1` between its state and the object that it waits for.
    if let Value::Known(count @ 1..) = thread.suspend_count {
        rows.heading(text!("SuspendCount {count}"));
    }
    if let Value::Known(count @ 1..) = thread.freeze_count {
        rows.heading(text!("FreezeCount {count}"));
    }
    match &thread.wait_objects {
        Value::Known(objects) => objects
            .iter()
            .for_each(|object| rows.line(text!("    {}", wait_object(object)))),
        Value::Missing(_) => rows.line(text!("    {}", rows::unknown_address(rows.digits()))),
    }
    // In column 0, other than all around it, and for any state of the thread: it hangs on the thread's message,
    // not on its wait. The published Windows 10 thread has `WAIT: (Suspended)` and this line too.
    match &thread.alpc_wait {
        Value::Known(wait) => {
            if let Some(reply) = wait.as_ref().and_then(AlpcWait::reply) {
                rows.line(waiting_for_reply(reply));
                call(rows, thread.call.as_ref());
            }
        }
        Value::Missing(_) => rows.line(text!(
            "Waiting over ALPC: {}",
            rows::unknown_address(rows.digits())
        )),
    }
}

fn call(rows: &mut Rows, call: Option<&Told<Box<Call>>>) {
    match call {
        Some(Told::Known(call)) => rows.line(text!("    Calls {}", call_lines::asked(call))),
        Some(Told::Undetermined { .. }) => rows.line("    Calls something that cannot be determined"),
        None => {}
    }
}

fn wait_object(object: &WaitObject) -> Text {
    let kind = rows::or_question(&object.kind, |kind| {
        kind.name()
            .map_or_else(|| format!("0x{:02X}", kind.0), ToOwned::to_owned)
    });
    let mut line = text!("{}  {kind}", object.address);
    // `Semaphore Limit 0x1` is what a thread waits at for a reply. It is part of the thread: fffffa800b845f40
    // for the thread fffffa800b845bb0 in a published transcript of a Vista server.
    if let Some(limit) = &object.limit {
        line.push(text!(
            " Limit {}",
            rows::or_question(limit, |limit| format!("0x{limit:x}"))
        ));
    }
    if let Some(owner) = &object.owner {
        line.push(text!(
            " - owning thread {}",
            rows::address(owner, object.address.digits())
        ));
    }
    line
}

fn waiting_for_reply(reply: &ReplyWait) -> Text {
    let digits = reply.message.digits();
    let port = rows::reference(&reply.queue_port, digits, |port| port.address.to_string());
    let owner = rows::reference(&reply.owner_process, digits, |process| {
        process.address.to_string()
    });
    let how_sure = match reply.at_reply_semaphore {
        Value::Known(true) => Text::default(),
        Value::Known(false) | Value::Missing(_) => text!(" {}", inferred()),
    };
    text!(
        "Waiting for reply to ALPC Message {} : queued at port {port} : owned by process {owner}{how_sure}",
        reply.message
    )
}

fn head(thread: &ThreadRecord) -> Text {
    let digits = thread.address.digits();
    // Four digits at least and not at most: a published Vista terminal server has `Cid 13c40.1332c`.
    let id = |value: &Value<u64>| rows::or_question(value, |id| format!("{id:04x}"));
    text!(
        "THREAD {}  Cid {}.{}  Teb: {} Win32Thread: {}",
        thread.address,
        id(&thread.process_id),
        id(&thread.thread_id),
        rows::address(&thread.teb, digits),
        rows::address(&thread.win32_thread, digits),
    )
}

/// What a thread is doing, in the debugger's words.
pub fn state(thread: &ThreadRecord) -> Text {
    rows::or_question(&thread.state, |state| match state.name() {
        Some("Waiting") => Text::from("WAIT"),
        Some("Running") => {
            let processor = rows::or_question(&thread.processor, |number| format!("{number:x}"));
            text!("RUNNING on processor {processor}")
        }
        // READY, STANDBY, TERMINATED: the debugger writes the kernel's words in capitals, and of a wait no more than
        // `WAIT`.
        Some(name) => name.to_ascii_uppercase().into(),
        None => text!("0x{:02X}", state.0),
    })
}

/// The same, with the reason of a wait: `WAIT: (WrLpcReply) UserMode Non-Alertable`.
fn state_in_full(thread: &ThreadRecord) -> Text {
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
    text!(
        "{state}: ({reason}) {} {}",
        choose(&thread.user_mode_wait, "UserMode", "KernelMode"),
        choose(&thread.alertable, "Alertable", "Non-Alertable"),
    )
}
