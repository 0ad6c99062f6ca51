//! Sizes as users write them.

/// Bytes as users write them, `900000000`, `800M` or `4G`; units are powers of 1024.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        Some((at, 't' | 'T')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let number = digits.parse::<u64>().ok().filter(|_| !digits.starts_with('+'));
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| "write a number of bytes, or one with K, M, G or T behind it, as in 4G".to_owned())
}

/// Bytes in the largest unit that leaves a whole number above nine, cut off: `512 KiB`, `64 GiB`.
pub fn in_words(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(shift, _)| bytes >> shift > 9);
    match unit {
        Some((shift, unit)) => format!("{} {unit}", bytes >> shift),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_in_words() {
        for (bytes, words) in [
            (0, "0 bytes"),
            (9 << 10, "9216 bytes"),
            (10 << 10, "10 KiB"),
            ((64 << 30) + 5, "64 GiB"),
            (9 << 30, "9216 MiB"),
        ] {
            assert_eq!(in_words(bytes), words);
        }
    }

    #[test]
    fn sizes_as_users_write_them() {
        for (text, bytes) in [
            ("1", 1),
            ("2k", 2048),
            ("800M", 800 << 20),
            ("4G", 4 << 30),
            ("1t", 1 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "G", "+4G", "4GB", "-1", "1.5G", "99999999999T"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
