//! The debugger's lines of an object, as `!object` and `!handle` print them.

use alpc::object::{ObjectRecord, TypeRef};
use alpc::{Addr, Value};

use crate::text::escape;
use crate::text::marked::{Text, text};
use crate::text::rows::{self, unknown};

/// `Object: …  Type: (…) ALPC Port` and the lines below it. `!handle` indents the counts and the name by
/// eight blanks, `!object` by four.
pub fn lines(object: &ObjectRecord, indent: usize) -> Text {
    let digits = object.address.digits();
    // Only the lines below ObjectHeader: both transcripts have that one at four blanks.
    let blanks = " ".repeat(indent);
    let (type_at, type_name) = match &object.object_type {
        Value::Known(found) => (found.address.to_string().into(), type_name(found)),
        Value::Missing(_) => (rows::unknown_address(digits), unknown()),
    };
    // PointerCount is no number of pointers: with one handle open, 32768, 31360 and 7183 stand in one published
    // transcript of Windows 10, since a handle holds references in advance (Windows Internals, 7th ed.).
    let count = |value: &Value<u64>| rows::or_question(value, ToString::to_string);
    let mut text = text!(
        "Object: {}  Type: ({type_at}) {type_name}\n    ObjectHeader: {} ({} version)\n{blanks}HandleCount: {}  PointerCount: {}\n",
        object.address,
        rows::address(&object.header, digits),
        object.header_version,
        count(&object.handle_count),
        count(&object.pointer_count),
    );
    let name = match &object.name {
        Value::Known(None) => return text,
        Value::Known(Some(name)) => escape::text(name).into(),
        Value::Missing(_) => unknown(),
    };
    text.push(text!(
        "{blanks}Directory Object: {}  Name: {name}\n",
        or_zeros(&object.directory, digits)
    ));
    text
}

/// Name of a type.
pub fn type_name(object_type: &TypeRef) -> Text {
    rows::or_question(&object_type.name, |name| escape::text(name))
}

/// The full path as a line of its own: what the debugger leaves out.
pub fn path_line(object: &ObjectRecord, indent: usize) -> String {
    match &object.path {
        Value::Known(None) => String::new(),
        Value::Known(Some(path)) => format!("{}Path: {}\n", " ".repeat(indent), escape::text(path)),
        Value::Missing(_) => format!("{}Path: ?\n", " ".repeat(indent)),
    }
}

/// An address that may be none: zeros then.
fn or_zeros(value: &Value<Option<Addr>>, digits: usize) -> Text {
    match value {
        Value::Known(Some(address)) => address.to_string().into(),
        Value::Known(None) => "0".repeat(digits).into(),
        Value::Missing(_) => rows::unknown_address(digits),
    }
}
