//! `dt`: the debugger's command of that name.

use alpc::process::typed::{
    self, EnumerationRecord, MemberRecord, StructureRecord, TypeList, TypeRecord, TypedValue,
};
use alpc::report::near::Nearest;
use alpc::{Addr, Kernel, Value};
use clap::Args;
use ntlayout::SymbolTable;

use crate::commands::{Category, Spec, Verb};
use crate::failure::Failure;
use crate::options::Options;
use crate::output::answer::Answer;
use crate::output::schema::Shape;
use crate::output::table::of;
use crate::selector;
use crate::session::Session;
use crate::text::escape;
use crate::text::marked::Text;

/// A type of the symbols in use, with its values at an address (dt)
#[derive(Clone, Debug, Args)]
pub struct DtArgs {
    /// Name of the type: _ALPC_PORT or nt!_ALPC_PORT; with * and ? all types that match are listed
    #[arg(value_name = "TYPE")]
    pub type_name: String,

    /// Address of something of that type
    #[arg(value_name = "ADDR")]
    pub address: Option<String>,
}

impl DtArgs {
    /// What is known of it.
    pub const SPEC: Spec = Spec {
        category: Category::System,
        switches: &[],
        shape: Shape {
            name: "dt",
            results: &[of::<TypeRecord>, of::<TypeList>],
            tables: &[],
            whole: &[of::<TypeRecord>, of::<TypeList>],
        },
    };
}

impl Verb for DtArgs {
    fn run(&self, options: &Options, session: &Session) -> anyhow::Result<Answer> {
        let kernel = session.kernel()?;
        let table = session.table()?;
        if self.type_name.contains(['*', '?']) {
            return list(&kernel, table, self);
        }
        let address = self
            .address
            .as_deref()
            .map(|token| selector::structure(&kernel, token))
            .transpose()?;
        for name in spellings(&self.type_name)? {
            for table in session.whole_types()? {
                let found = typed::describe(&kernel, table, &name, address)
                    .map_err(|error| Failure::fatal(error.id(), error.to_string()))?;
                if let Some(record) = found {
                    let text = text(&record, options.verbose);
                    return Ok(Answer::new(text, &record)?.served_by(&kernel));
                }
            }
        }
        if session.lacks_types()? {
            return Err(not_told(&self.type_name, table));
        }
        Err(no_such_type(&self.type_name, table))
    }

    fn named(&self) -> Vec<String> {
        vec![self.type_name.clone()]
    }

    fn is_of_one_thing(&self) -> bool {
        self.address.is_some()
    }

    fn shows_memory(&self) -> Option<&'static str> {
        self.address.as_ref().map(|_| "dt with an address")
    }
}

/// Columns that members of an anonymous structure are indented by.
const INDENT: usize = 3;

/// The types that a pattern names, as the debugger lists them, with their sizes.
fn list(kernel: &Kernel<'_>, table: &dyn SymbolTable, args: &DtArgs) -> anyhow::Result<Answer> {
    if args.address.is_some() {
        return Err(Failure::fatal(
            "several-types",
            "a pattern names several types: give one by its whole name to see its values at an address",
        ));
    }
    let pattern = own_name(&args.type_name)?;
    let list =
        typed::matching(table, pattern).map_err(|error| Failure::fatal(error.id(), error.to_string()))?;
    if list.types.is_empty() {
        return Err(no_such_type(&args.type_name, table));
    }
    let text = list.types.iter().map(|ty| {
        let size = ty
            .size
            .map_or("enumeration".to_owned(), |size| format!("0x{size:x} bytes"));
        format!("          nt!{}, {size}\n", escape::text(&ty.name))
    });
    Ok(Answer::new(text.collect::<Text>(), &list)?.served_by(kernel))
}

/// A table without all types says nothing of one that is not in it.
fn not_told(name: &str, table: &dyn SymbolTable) -> anyhow::Error {
    Failure::fatal(
        "type-not-told",
        format!(
            "{} lacks types, and none of the kernel's symbols at hand has \"{}\"; name with --symbols another file of \
             the same GUID and age that has it",
            table.origin(),
            name.escape_debug()
        ),
    )
}

fn no_such_type(name: &str, table: &dyn SymbolTable) -> anyhow::Error {
    // Who leaves the first underscore out is understood.
    let bare = |name: &str| name.trim_start_matches('_').to_owned();
    let mut nearest = Nearest::to(&bare(own_name(name).unwrap_or(name)));
    for ty in table.type_names().unwrap_or_default() {
        nearest.offer_as(&ty.name, &bare(&ty.name), None);
    }
    let near = nearest.names();
    let error = Failure::not_there(
        "no-such-type",
        format!(
            "no structure, union or enumeration \"{}\" is in {}{}",
            name.escape_debug(),
            table.origin(),
            selector::did_you_mean(&near, false)
        ),
    );
    Failure::suggesting(error, &near)
}

/// The name as it was given, and as the kernel's own types are written: `eprocess` finds `_EPROCESS`.
fn spellings(token: &str) -> anyhow::Result<Vec<String>> {
    let name = own_name(token)?;
    let upper = name.to_ascii_uppercase();
    // Types of the kernel are in capitals with an underscore before them; a C typedef has the same name without it.
    Ok(vec![
        name.to_owned(),
        format!("_{name}"),
        upper.clone(),
        format!("_{upper}"),
    ])
}

/// A name without the kernel's before it.
fn own_name(token: &str) -> anyhow::Result<&str> {
    // Symbols of other modules are not at hand; ntdll has types of the same names.
    match token.split_once('!') {
        Some(("nt", name)) => Ok(name),
        Some((module, _)) => Err(Failure::fatal(
            "not-the-kernel",
            format!(
                "\"{}\" is not the kernel: only its symbols are in use, as in nt!_ALPC_PORT",
                module.escape_debug()
            ),
        )),
        None => Ok(token),
    }
}

fn text(record: &TypeRecord, verbose: bool) -> String {
    match record {
        TypeRecord::Structure(structure) => structure_text(structure, verbose),
        TypeRecord::Enumeration(enumeration) => enumeration_text(enumeration),
    }
}

fn structure_text(structure: &StructureRecord, verbose: bool) -> String {
    let mut text = format!("nt!{}", escape::text(&structure.name));
    if verbose {
        text += &format!(
            ", {} elements, 0x{:x} bytes",
            structure.members.len(),
            structure.size
        );
    }
    text.push('\n');
    members(&mut text, &structure.members, INDENT);
    text
}

fn members(text: &mut String, list: &[MemberRecord], indent: usize) {
    for member in list {
        let value = member.value.as_ref().map_or_else(
            || escape::text(&member.type_name),
            |value| value_text(value, member),
        );
        *text += &format!(
            // Three digits at least: `+0x01a InfoMask`.
            "{:indent$}+0x{:03x} {:<16} : {value}\n",
            "",
            member.offset,
            escape::text(&member.name),
        );
        members(text, &member.members, indent.saturating_add(INDENT));
    }
}

fn enumeration_text(enumeration: &EnumerationRecord) -> String {
    let mut text = format!("nt!{}\n", escape::text(&enumeration.name));
    for (name, value) in &enumeration.values {
        // 0n is the debugger's mark for decimal, as 0y for binary and 0t for octal: without a mark a number is hex
        // (Microsoft Learn, "MASM Numbers and Operators").
        text += &format!("   {} = 0n{value}\n", escape::text(name));
    }
    text
}

fn value_text(value: &Value<TypedValue>, member: &MemberRecord) -> String {
    let Value::Known(value) = value else {
        return "????".to_owned();
    };
    if let (Some((_, length)), TypedValue::Unsigned(bits)) = (member.bits, value) {
        return bit_field(*bits, length);
    }
    match value {
        TypedValue::Elements(elements) => array(elements, &member.type_name),
        TypedValue::Text(text) if member.type_name.starts_with('[') => {
            format!("{}  \"{}\"", dimension(&member.type_name), escape::text(text))
        }
        value => scalar(value, &member.type_name),
    }
}

/// One bit as `0y1`, several as `0y0101 (0x5)`.
fn bit_field(bits: u64, length: u8) -> String {
    let digits = format!("0y{bits:0width$b}", width = usize::from(length));
    if length == 1 {
        digits
    } else {
        format!("{digits} ({})", number(bits))
    }
}

/// The debugger shows the first element of an array.
fn array(elements: &[Value<TypedValue>], type_name: &str) -> String {
    let (_, element_type) = type_name.split_once("] ").unwrap_or(("", type_name));
    let first = match elements.first() {
        Some(Value::Known(TypedValue::Elements(inner))) => array(inner, element_type),
        Some(Value::Known(TypedValue::Pointer(address))) if element_type.ends_with(" Void") => {
            split(*address)
        }
        Some(Value::Known(value)) => scalar(value, element_type),
        Some(Value::Missing(_)) => "????".to_owned(),
        None => String::new(),
    };
    format!("{} {first}", dimension(type_name))
}

/// `[15]` of `[15] UChar`.
fn dimension(type_name: &str) -> &str {
    type_name.split_inclusive(']').next().unwrap_or_default()
}

fn scalar(value: &TypedValue, type_name: &str) -> String {
    match value {
        TypedValue::Unsigned(value) if type_name == "UChar" => {
            // UChar and Char are numbers and letters at once: `0x73 's'`.
            format!("{} {}", number(*value), character(*value))
        }
        TypedValue::Unsigned(value) if type_name.starts_with('_') => {
            format!("{} {}", escape::text(type_name), number(*value))
        }
        TypedValue::Unsigned(value) => number(*value),
        TypedValue::Signed(value) if type_name == "Char" => {
            format!("{value} {}", character(u64::from(value.to_le_bytes()[0])))
        }
        TypedValue::Signed(value) => format!("0n{value}"),
        TypedValue::Pointer(address) => pointer(*address, type_name),
        TypedValue::Enumeration { number, name } => match name {
            Some(name) => format!("{} ( {} )", enumerated(*number), escape::text(name)),
            None => format!("{} (No matching name)", enumerated(*number)),
        },
        TypedValue::Links { flink, blink } => {
            format!("{type_name} [ {} - {} ]", split(*flink), split(*blink))
        }
        TypedValue::Text(text) => format!("{type_name} \"{}\"", escape::text(text)),
        TypedValue::Elements(elements) => array(elements, type_name),
    }
}

/// Numbers below ten are plain, all others hex, with a back-tick when they need more than 32 bits.
fn number(value: u64) -> String {
    match value {
        0..=9 => value.to_string(),
        10..=0xffff_ffff => format!("0x{value:x}"),
        _ => format!("0x{:x}`{:08x}", value >> 32, value & 0xffff_ffff),
    }
}

/// Hex without a prefix, as in `200 ( NonPagedPoolNx )`; a negative value is decimal.
fn enumerated(number: i64) -> String {
    u64::try_from(number).map_or_else(|_| number.to_string(), |number| format!("{number:x}"))
}

fn character(value: u64) -> String {
    let shown = u8::try_from(value)
        .ok()
        .filter(|byte| (0x20..0x7f).contains(byte));
    format!(
        "'{}'",
        shown.map(char::from).map(String::from).unwrap_or_default()
    )
}

fn pointer(address: Addr, type_name: &str) -> String {
    let (_, to) = type_name.split_once(' ').unwrap_or(("", ""));
    if address.is_null() {
        // With a blank behind it, as the debugger has it.
        return "(null) ".to_owned();
    }
    format!("{} {}", split(address), escape::text(to))
}

/// An address with a back-tick in the middle, as this command of the debugger writes it.
fn split(address: Addr) -> String {
    let value = address.u64();
    if address.digits() == 8 {
        format!("0x{value:08x}")
    } else {
        format!("0x{:08x}`{:08x}", value >> 32, value & 0xffff_ffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As published outputs of the debugger have them.
    #[test]
    fn numbers_as_the_debugger_writes_them() {
        assert_eq!(number(2), "2");
        assert_eq!(number(0x1c), "0x1c");
        assert_eq!(number(0x0001_0003_0000_0000), "0x10003`00000000");
        assert_eq!(enumerated(512), "200");
        assert_eq!(bit_field(0, 7), "0y0000000 (0)");
        assert_eq!(bit_field(1, 1), "0y1");
        assert_eq!(format!("{} {}", number(0x1c), character(0x1c)), "0x1c ''");
    }
}
