//! Where the places of types are from that the kernel's own symbols lack, in words.

use alpc::system::own::TypesFrom;

use crate::text::marked::text;
use crate::text::rows::Rows;

/// Types that are named one by one in a line.
const NAMED: usize = 3;

/// What to say of it behind the name of the symbols; nothing where they are whole.
pub fn in_short(from: &[TypesFrom], untold: &[&str]) -> String {
    let mut text = String::new();
    for TypesFrom {
        source,
        certainty,
        types,
    } in from
    {
        text.push_str(&format!(
            "; they lack {}, taken from {source} ({certainty})",
            counted(types)
        ));
    }
    if !untold.is_empty() {
        text.push_str(&format!(
            "; they lack {}, which nothing else describes",
            counted(untold)
        ));
    }
    text
}

fn counted(types: &[&str]) -> String {
    let named: Vec<&str> = types.iter().copied().take(NAMED).collect();
    let named = named.join(", ");
    match types.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more types"),
    }
}

/// The same in rows: of `info` and `symbols`.
pub fn rows(rows: &mut Rows, from: &[TypesFrom], untold: &[&str]) {
    for from in from {
        rows.text(
            "Types lacking",
            text!(
                "{} (from {}, {})",
                from.types.join(", "),
                from.source,
                from.certainty
            ),
        );
    }
    if !untold.is_empty() {
        rows.text("Types untold", untold.join(", "));
    }
}
