//! The debugger's lines of a process, as `!process` and `!handle` print them.

use alpc::Value;
use alpc::process::ProcessRecord;
use alpc::process::roots::FoundBy;

use crate::text::marked::{Cell, Look, Text, text};
use crate::text::{escape, rows};

/// `PROCESS …` and the three lines below it.
pub fn lines(process: &ProcessRecord) -> Text {
    let digits = process.address.digits();
    let id = |value: &Value<u64>| rows::or_question(value, |id| format!("{id:04x}"));
    // System has `none` in published transcripts of Windows 10, not 0.
    let session = rows::or_question(&process.session, |session| {
        session.map_or_else(|| "none".to_owned(), |session| session.to_string())
    });
    let mut text = text!(
        "{}\n    SessionId: {session}  Cid: {}    Peb: {}  ParentCid: {}\n    DirBase: {}  ObjectTable: {}  HandleCount: {}.\n    Image: {}\n",
        Cell::new(Look::Heading, format!("PROCESS {}", process.address)),
        id(&process.process_id),
        // Eight digits at least, on 64 bits too: `Peb: 00000000` of System and `Peb: 9df3f9c000` of
        // winlogon.exe stand in published transcripts of Windows 10.
        rows::or_question(&process.peb, |peb| text!("{:08x}", peb.u64())),
        id(&process.parent_process_id),
        // With its low bits, `001aa002` and `38c8b002` in published Windows 10 transcripts: those below the
        // page are no part of the address of the tables (flags, or a process-context id; Intel SDM, "CR3").
        rows::or_question(&process.directory_table_base, |base| format!("{base:08x}")),
        rows::reference(&process.object_table, digits, ToString::to_string),
        // Decimal, and a point behind it, where all else in these lines is hex: `HandleCount: 2215.`
        rows::or_question(&process.handle_count, |count| format!("{count:>3}")),
        image(process),
    );
    if let Some(label) = idle(process) {
        text.push(text!("    {label}\n"));
    }
    if let Some(found_by) = process.found_by {
        text.push(text!("    {}\n", not_listed(found_by)));
    }
    text
}

/// What the Idle process is, which has neither image file nor place in the system's list.
pub fn idle(process: &ProcessRecord) -> Option<&'static str> {
    const WHAT: &str =
        "The Idle process: it owns the threads that processors run when they have nothing else to do";
    process.idle.then_some(WHAT)
}

/// That no list that could be read has a process, and what led to it.
pub fn not_listed(found_by: FoundBy) -> String {
    format!("In no list that could be read: found by {found_by}")
}

/// The image's file name in full, where it is known.
pub fn image(process: &ProcessRecord) -> String {
    let unknown = if process.idle { "Idle" } else { "?" };
    let name = process
        .image_file()
        .filter(|name| !process.idle || !name.is_empty());
    name.map_or_else(|| unknown.to_owned(), escape::text)
}
