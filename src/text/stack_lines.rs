//! The rows of a kernel stack, in the debugger's columns.

use alpc::stack::{Frame, Stack};
use alpc::{Addr, Value};

use crate::text::escape;
use crate::text::marked::{Cell, Look, Text, text};
use crate::text::rows::Rows;

/// The rows of what is certain of a stack, as the debugger has them.
pub fn certain(rows: &mut Rows, is_narrow: bool, frames: &[Frame], complete: &Value<()>) {
    columns(
        rows,
        frames,
        is_narrow,
        complete.reason().is_none(),
        None,
        nothing,
    );
    ended(rows, complete);
}

/// The rows of a stack: the debugger's columns, and behind each frame how it was found.
pub fn lines(rows: &mut Rows, is_narrow: bool, stack: &Stack, arguments: Option<&[Arguments]>) {
    let whole = stack.complete.reason().is_none();
    columns(rows, &stack.frames, is_narrow, whole, arguments, found);
    ended(rows, &stack.complete);
    if !stack.from_files.is_empty() {
        let modules = escape::text(&stack.from_files.join(", "));
        rows.line(text!(
            "with files of the symbol path for what the dump lacks of: {modules}"
        ));
    }
    if stack.scanned.is_empty() {
        return;
    }
    rows.heading("Further return addresses on the stack, any of which may be left from an earlier call:");
    let none = " ".repeat(if is_narrow { 8 } else { 17 });
    for frame in &stack.scanned {
        rows.line(row(frame, none.as_str(), is_narrow, found));
    }
}

fn ended(rows: &mut Rows, complete: &Value<()>) {
    if let Value::Missing(reason) = complete {
        let unknown = Cell::unreadable("?");
        let reason = escape::text(&reason.to_string());
        rows.line(text!("{unknown} the stack cannot be followed further: {reason}"));
    }
}

fn columns(
    rows: &mut Rows,
    frames: &[Frame],
    is_narrow: bool,
    whole: bool,
    arguments: Option<&[Arguments]>,
    behind: Behind,
) {
    // As debuggers up to 10.0.18xxx print it: from about 10.0.19 on, four blanks more stand behind RetAddr and
    // in each row (several public transcripts of both). On 32 bits the first column is the frame pointer, hence
    // its name.
    let (heads, width) = match is_narrow {
        true => ("ChildEBP RetAddr  ", 8),
        false => ("Child-SP          RetAddr           ", 17),
    };
    let to_child = match (arguments.is_some(), is_narrow) {
        (false, _) => String::new(),
        (true, true) => format!("{:<26} ", "Args to Child"),
        (true, false) => format!(": {:<71} : ", "Args to Child"),
    };
    if !frames.is_empty() {
        rows.heading(format!("{heads}{to_child}Call Site"));
    }
    let mut arguments = arguments.into_iter().flatten();
    let callers = frames.iter().skip(1).map(Some).chain([None]);
    for (frame, caller) in frames.iter().zip(callers) {
        let caller = match caller {
            Some(caller) => Text::from(address(caller.address.u64(), is_narrow)),
            // The outermost function returns to nothing.
            None if whole => Text::from(address(0, is_narrow)),
            None => text!("{:<width$}", Cell::unreadable("?")),
        };
        let of_call = arguments.next();
        // The four words beside a frame are those above its return address, the home slots of the x64 calling
        // convention, which most optimised functions never fill. The debugger shows them all the same, so they
        // are shown and never read as arguments. What proves the convention: `nt!KeBugCheckEx` homes its own,
        // and its row has code and parameters.
        let caller = match of_call.map(|words| self::arguments(words, is_narrow)) {
            Some(words) if is_narrow => text!("{caller} {words}"),
            Some(words) => text!("{caller} : {words} :"),
            None => caller,
        };
        rows.line(row(frame, caller, is_narrow, behind));
    }
}

/// The words beside a frame.
type Arguments = Vec<Value<Addr>>;

fn arguments(words: &Arguments, is_narrow: bool) -> Text {
    let width = if is_narrow { 8 } else { 17 };
    let mut line = Text::default();
    for (number, word) in words.iter().enumerate() {
        if number > 0 {
            line.push(" ");
        }
        line.push(match word {
            Value::Known(word) => Text::from(address(word.u64(), is_narrow)),
            Value::Missing(_) => text!("{:<width$}", Cell::unreadable("?")),
        });
    }
    line
}

/// What stands behind a frame.
type Behind = fn(&Frame) -> Text;

fn row(frame: &Frame, caller: impl Into<Text>, is_narrow: bool, behind: Behind) -> Text {
    let sp = address(frame.child_sp.u64(), is_narrow);
    let mut line = text!("{sp} {} {}", caller.into(), escape::text(&frame.site()));
    // The seam between a system call and the user's code, as in ``nt!KiSystemServiceCopyEnd+0x13 (TrapFrame @
    // fffffa60`03bc4c20)`` of a published Vista stack.
    if let Some(trap) = frame.trap_frame {
        line.push(text!(" (TrapFrame @ {})", address(trap.u64(), is_narrow)));
    }
    line.push(behind(frame));
    line
}

fn nothing(_: &Frame) -> Text {
    Text::default()
}

fn found(frame: &Frame) -> Text {
    let name = frame.found.name();
    let is_scanned = frame.found.is_scanned();
    let found = match frame.follows_call {
        None if is_scanned => format!("[{name}; code not in the dump]"),
        _ => format!("[{name}]"),
    };
    let look = if is_scanned { Look::Inferred } else { Look::Proven };
    text!(" {}", Cell::new(look, found))
}

/// An address as the debugger's stacks have it: ``fffff880`0def3ec0``.
fn address(value: u64, is_narrow: bool) -> String {
    match is_narrow {
        true => format!("{value:08x}"),
        false => format!("{:08x}`{:08x}", value >> 32, value & 0xffff_ffff),
    }
}
