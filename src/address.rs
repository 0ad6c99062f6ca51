//! Addresses as users write them.

use kdump::Gva;

use crate::failure::Failure;

/// Digits from which a bare token counts as an address rather than a name.
const BARE_DIGITS: usize = 8;

/// Whether a token is meant as an address: it has `0x`, a back-tick, or at least eight hex digits.
pub fn looks_like_address(token: &str) -> bool {
    let digits = digits(token);
    let is_hex = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
    // Debuggers of 64-bit systems print both halves apart, ``fffff880`0f4cc950``, and read them so; of 32-bit
    // systems an address is eight digits without anything before, `81a2c000`, which could be a word of letters
    // too: `deadbeef`.
    let marked = token.contains('`') || token.starts_with("0x") || token.starts_with("0X");
    is_hex && (marked || digits.len() >= BARE_DIGITS)
}

/// Reads an address: hex, with or without `0x` and the debugger's back-tick.
pub fn parse(token: &str) -> anyhow::Result<Gva> {
    if !looks_like_address(token) {
        return Err(Failure::fatal(
            "not-an-address",
            format!(
                "\"{}\" is not an address: give hex digits, as in fffff8800f4cc950, fffff880`0f4cc950 or 0xfffff8800f4cc950",
                token.escape_debug()
            ),
        ));
    }
    u64::from_str_radix(&digits(token), 16)
        .map(Gva::new)
        .map_err(|_| {
            Failure::fatal(
                "not-an-address",
                format!("\"{token}\" has more than 16 hex digits: no address is that long"),
            )
        })
}

/// A number as debuggers read it: hex, with or without `0x` and back-ticks.
pub fn hex(token: &str) -> Option<u64> {
    let digits = digits(token);
    // The radix of kernel debuggers is 16 unless `n 10` changed it (Microsoft's "n (Set Number Base)"). Its
    // other prefixes, `0n` for decimal, `0t` and `0y`, have a letter that is no hex digit, and are refused
    // rather than misread.
    let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(&digits, 16).ok()).flatten()
}

fn digits(token: &str) -> String {
    let token = token
        .strip_prefix("0x")
        .or_else(|| token.strip_prefix("0X"))
        .unwrap_or(token);
    token.chars().filter(|&c| c != '`').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_one_address() {
        for token in [
            "fffff8800f4cc950",
            "FFFFF8800F4CC950",
            "0xfffff8800f4cc950",
            "fffff880`0f4cc950",
            "0XFFFFF880`0F4CC950",
        ] {
            assert_eq!(parse(token).unwrap().u64(), 0xffff_f880_0f4c_c950, "{token}");
        }
        assert_eq!(parse("0x10").unwrap().u64(), 0x10);
        assert_eq!(parse("0`10").unwrap().u64(), 0x10);
    }

    #[test]
    fn names_and_short_numbers_are_no_addresses() {
        for token in [
            "ntsvcs",
            "1234567",
            "",
            "0x",
            "0xfffff8800f4cc9501",
            "deadbeefx",
            "pid:1234",
        ] {
            assert!(parse(token).is_err(), "{token}");
        }
    }
}
