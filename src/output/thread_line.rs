//! The debugger's one-line forms of a thread.

use alpc::Value;
use alpc::thread::ThreadRecord;

use super::rows;

/// `THREAD …  Cid ….….  Teb: … Win32Thread: … WAIT`, as in the list of a port's threads.
pub fn short(thread: &ThreadRecord) -> String {
    let digits = thread.address.digits();
    let id = |value: &Value<u64>| rows::or_question(value, |id| format!("{id:04x}"));
    format!(
        "THREAD {}  Cid {}.{}  Teb: {} Win32Thread: {} {}",
        thread.address,
        id(&thread.process_id),
        id(&thread.thread_id),
        rows::address(&thread.teb, digits),
        rows::address(&thread.win32_thread, digits),
        state(thread),
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
