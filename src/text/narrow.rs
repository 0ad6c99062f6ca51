//! Addresses of 32-bit systems in the texts of errors.
//!
//! An error of the dump reader knows an address, not how wide the dump's addresses are, and writes 16 digits.
//! Where pointers have four bytes, the upper eight are always zero and nobody writes them.

use serde_json::Value as Json;

const WIDE: usize = 16;
const NARROW: usize = 8;

/// The text with each address of 16 digits, the upper eight of them zero, cut to eight.
pub fn text(text: &str) -> String {
    let mut narrowed = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c);
        } else {
            narrowed.push_str(address(&word));
            narrowed.push(c);
            word.clear();
        }
    }
    narrowed + address(&word)
}

fn address(word: &str) -> &str {
    let is_wide = word.len() == WIDE && word.chars().all(|c| c.is_ascii_hexdigit());
    match word.strip_prefix("00000000") {
        Some(low) if is_wide && low.len() == NARROW => low,
        _ => word,
    }
}

/// Does the same to the texts of all reasons in a record.
pub fn reasons(record: &mut Json) {
    match record {
        Json::Object(map) => map.iter_mut().for_each(|(key, value)| match value {
            Json::String(reason) if key == "text" => *reason = text(reason),
            value => reasons(value),
        }),
        Json::Array(items) => items.iter_mut().for_each(reasons),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wide_addresses_of_the_lower_half_are_cut() {
        assert_eq!(
            text("00000000819a2c00: nothing (its PTE at physical 0x22e16e0 is 0x0000000000000000)"),
            "819a2c00: nothing (its PTE at physical 0x22e16e0 is 0x0000000000000000)"
        );
        assert_eq!(
            text("at fffff88000000000 and 0000000000000010"),
            "at fffff88000000000 and 00000010"
        );
    }
}
