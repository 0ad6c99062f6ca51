//! The debugger's row layout: `  label : value`, the labels padded to one width.

use std::fmt::Display;

use alpc::port::{PortKind, PortRef};
use alpc::process::ProcessRef;
use alpc::{Addr, Value};

use crate::text::escape;
use crate::text::marked::{Cell, Look, Text, text};

/// Text of a known value; a question mark where memory hides it, `-` where this kernel has no such thing.
pub fn or_question<T, C: Into<Text>>(value: &Value<T>, text: impl FnOnce(&T) -> C) -> Text {
    match value {
        Value::Known(value) => text(value).into(),
        Value::Missing(reason) if reason.is_absence() => "-".into(),
        Value::Missing(_) => unknown(),
    }
}

/// What stands for an address that is not known.
pub fn unknown_address(digits: usize) -> Text {
    Cell::unreadable("?".repeat(digits)).into()
}

/// What stands for something that is not known.
pub fn unknown() -> Text {
    Cell::unreadable("?").into()
}

/// The three letters of a port's kind; `-` while it is of none.
pub fn short_kind(kind: &Option<PortKind>) -> String {
    kind.map_or("-", PortKind::short).to_owned()
}

/// Text of an address; question marks over its whole width where memory hides it, `-` where this kernel has
/// no such thing.
pub fn address(value: &Value<Addr>, digits: usize) -> Text {
    match value {
        Value::Known(address) => address.to_string().into(),
        Value::Missing(reason) if reason.is_absence() => "-".into(),
        Value::Missing(_) => unknown_address(digits),
    }
}

/// Text of something that a pointer leads to; zeros for a null pointer.
pub fn reference<T, C: Into<Text>>(
    value: &Value<Option<T>>,
    digits: usize,
    text: impl FnOnce(&T) -> C,
) -> Text {
    match value {
        Value::Known(Some(target)) => text(target).into(),
        Value::Known(None) => "0".repeat(digits).into(),
        Value::Missing(reason) if reason.is_absence() => "-".into(),
        Value::Missing(_) => unknown_address(digits),
    }
}

/// Writes a view row by row.
pub struct Rows {
    text: Text,
    label: usize,
    digits: usize,
}

impl Rows {
    /// Rows whose labels take `label` columns, with addresses of `digits` hex digits.
    pub fn new(label: usize, digits: usize) -> Self {
        Self {
            text: Text::default(),
            label,
            digits,
        }
    }

    /// The view so far.
    pub fn finish(self) -> Text {
        self.text
    }

    /// The lines of another view, indented.
    pub fn block(&mut self, text: &Text, indent: usize) {
        for line in text.lines() {
            let indent = if line.is_empty() { 0 } else { indent };
            self.line(text!("{:indent$}{line}", ""));
        }
    }

    /// A line that is no row.
    pub fn line(&mut self, line: impl Into<Text>) {
        self.text.push(line);
        self.text.push("\n");
    }

    /// A line that says what those below are about.
    pub fn heading(&mut self, line: impl Into<Text>) {
        self.look(Look::Heading, line);
    }

    /// A line of a look of its own.
    pub fn look(&mut self, look: Look, line: impl Into<Text>) {
        self.line(line.into().looking(look));
    }

    /// A row with ready text.
    pub fn text(&mut self, label: &str, value: impl Into<Text>) {
        self.row(2, self.label, label, value.into());
    }

    /// A row that belongs to the one above: indented, its colon in the same column.
    pub fn nested(&mut self, label: &str, value: impl Into<Text>) {
        // The three ports of /P stand two columns further in, with the colon in column 28 as in all rows
        // (published Windows 10 views, blanks counted).
        self.row(4, self.label.saturating_sub(2), label, value.into());
    }

    fn row(&mut self, indent: usize, width: usize, label: &str, value: Text) {
        let label = Cell::new(Look::Label, format!("{:indent$}{label:<width$} :", ""));
        self.line(text!("{label} {value}"));
    }

    /// How many hex digits an address has.
    pub fn digits(&self) -> usize {
        self.digits
    }

    /// A value that prints itself.
    pub fn known(&mut self, label: &str, value: &Value<impl Display>) {
        self.text(label, or_question(value, ToString::to_string));
    }

    /// A number as `0x0BFC (3068)`, with at least `width` hex digits.
    pub fn number(&mut self, label: &str, value: &Value<u32>, width: usize) {
        self.text(
            label,
            // `0x0BFC (3068)`: capitals here only, as in the published views of Vista and Windows 8; the width
            // is the least, for a CallbackID of six and seven digits is in them too.
            or_question(value, |number| format!("0x{number:0width$X} ({number})")),
        );
    }

    /// A number of up to 64 bits, written as [`number`](Self::number) does.
    pub fn wide_number(&mut self, label: &str, value: &Value<u64>, width: usize) {
        self.text(
            label,
            or_question(value, |number| format!("0x{number:0width$X} ({number})")),
        );
    }

    /// `Yes` or `No`.
    pub fn flag(&mut self, label: &str, value: &Value<bool>) {
        self.text(
            label,
            or_question(value, |&set| if set { "Yes" } else { "No" }.to_owned()),
        );
    }

    /// A plain address.
    pub fn address(&mut self, label: &str, value: &Value<Addr>) {
        let text = address(value, self.digits);
        self.text(label, text);
    }

    /// A port with its kind in brackets; the address alone where no port is any more.
    pub fn port(&mut self, label: &str, value: &Value<Option<PortRef>>) {
        let text = self.reference(value, |port| match &port.kind {
            Value::Known(Some(kind)) => text!("{} [{kind}]", port.address),
            Value::Known(None) => port.address.to_string().into(),
            Value::Missing(_) => text!("{} [{}]", port.address, unknown()),
        });
        self.text(label, text);
    }

    /// A process with its image name in parentheses.
    pub fn process(&mut self, label: &str, value: &Value<Option<ProcessRef>>) {
        let text = self.reference(value, |process| {
            // Cut off as the kernel has it: `VBoxService.ex` in published views. EPROCESS.ImageFileName has
            // room for 14 letters.
            let image = or_question(&process.image, |image| escape::text(image));
            text!("{} ({image})", process.address)
        });
        self.text(label, text);
    }

    /// Bytes in rows of sixteen, under a label.
    pub fn hex_dump(&mut self, label: &str, start: Addr, bytes: &[u8]) {
        self.text(label, format!("{} bytes at {start}", bytes.len()));
        for (row, chunk) in bytes.chunks(16).enumerate() {
            let hex = chunk
                .iter()
                .fold(String::new(), |hex, byte| format!("{hex} {byte:02x}"));
            let ascii: String = chunk
                .iter()
                .map(|&byte| {
                    if (0x20..0x7f).contains(&byte) {
                        char::from(byte)
                    } else {
                        '.'
                    }
                })
                .collect();
            let at = start.u64().wrapping_add(row as u64 * 16);
            self.line(format!(
                "    {at:0width$x} {hex:<48}  {ascii}",
                width = self.digits
            ));
        }
    }

    /// A line that says why a list may go on, when it may.
    pub fn end_of_list(&mut self, complete: &Value<()>) {
        match complete.reason() {
            None => {}
            // No memory hides it: this kernel, or what is known of it, has no such thing.
            Some(hole) if hole.is_absence() => {
                self.line(text!("    not told: {}", escape::text(&hole.to_string())));
            }
            Some(hole) => self.line(text!("    {} {}", unknown(), escape::text(&hole.to_string()))),
        }
    }

    fn reference<T>(&self, value: &Value<Option<T>>, text: impl FnOnce(&T) -> Text) -> Text {
        reference(value, self.digits, text)
    }
}
