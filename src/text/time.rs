//! Spans of time in words, and as users write them.

use kdump::{FileTime, TimeSpan};

const UNITS_PER_SECOND: u64 = 10_000_000;

/// A point in time; `none` for one that has not come.
pub fn moment(time: &Option<FileTime>) -> String {
    time.map_or_else(|| "none".to_owned(), |time| time.to_string())
}

/// A span as days and hours:minutes:seconds.
pub fn span(span: TimeSpan) -> String {
    let seconds = span.0 / UNITS_PER_SECOND;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    format!(
        "{days} days {:02}:{:02}:{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// A span as the debugger has it where it counts what a thread used: `00:00:16.421`.
pub fn used(span: TimeSpan) -> String {
    // Cut off, not rounded: one tick of 15.6 ms is `00:00:00.015` in published threads.
    let milliseconds = span.0 / (UNITS_PER_SECOND / 1_000);
    let seconds = milliseconds / 1_000;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        milliseconds % 1_000
    )
}

/// The same with days before, as behind a number of ticks: `0:00:16:09.530`.
pub fn in_days(span: TimeSpan) -> String {
    // A published Vista thread has `Ticks: 14208 (0:00:03:42.000)`: 14208 times 15.625 ms. How long a tick is
    // depends on the machine's timer and is a global of the kernel, KeMaximumIncrement: 156,001 of 100 ns on
    // another published Vista.
    let a_day = 86_400 * UNITS_PER_SECOND;
    format!("{}:{}", span.0 / a_day, used(TimeSpan(span.0 % a_day)))
}

/// How long something has lasted, in short: `12.3s`, `00:04:12`, `3d 04:13:12`.
pub fn lasted(span: TimeSpan) -> String {
    let tenths = span.0 / (UNITS_PER_SECOND / 10);
    let seconds = tenths / 10;
    let clock = |seconds: u64| {
        format!(
            "{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        )
    };
    match seconds {
        ..60 => format!("{seconds}.{}s", tenths % 10),
        60..86_400 => clock(seconds),
        _ => format!("{}d {}", seconds / 86_400, clock(seconds % 86_400)),
    }
}

/// Reads a span as users write it, `90`, `90s`, `5m`, `2h` or `1d`, in 100 ns.
pub fn parse_span(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3_600),
        Some((at, 'd')) => (&text[..at], 86_400),
        _ => (text, 1),
    };
    let number = digits.parse::<u32>().ok().filter(|_| !digits.starts_with('+'));
    number
        .map(|number| u64::from(number) * unit * UNITS_PER_SECOND)
        .ok_or_else(|| "write a number with s, m, h or d behind it, as in 30s or 5m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_spans() {
        let seconds = 8 * 86_400 + 3_661;
        assert_eq!(span(TimeSpan(seconds * UNITS_PER_SECOND)), "8 days 01:01:01");
    }

    /// As in published threads of Vista and Server 2003: the clocks ticked every 15.6001 and 15.625 ms.
    #[test]
    fn spans_as_the_debugger_has_them() {
        assert_eq!(in_days(TimeSpan(62_149 * 156_001)), "0:00:16:09.530");
        assert_eq!(in_days(TimeSpan(659_565 * 156_250)), "0:02:51:45.703");
        assert_eq!(used(TimeSpan(27 * 156_001)), "00:00:00.421");
        assert_eq!(used(TimeSpan(14 * 156_001)), "00:00:00.218");
    }

    #[test]
    fn short_spans() {
        let seconds = |seconds: u64| lasted(TimeSpan(seconds * UNITS_PER_SECOND));
        assert_eq!(lasted(TimeSpan(12_340_000)), "1.2s");
        assert_eq!(seconds(59), "59.0s");
        assert_eq!(seconds(60), "00:01:00");
        assert_eq!(seconds(86_399), "23:59:59");
        assert_eq!(seconds(3 * 86_400 + 3_661), "3d 01:01:01");
    }

    #[test]
    fn spans_as_users_write_them() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("5m", 300),
            ("2h", 7_200),
            ("1d", 86_400),
            ("0", 0),
        ] {
            assert_eq!(parse_span(text), Ok(seconds * UNITS_PER_SECOND), "{text}");
        }
        for text in ["", "s", "-1", "+1", "1.5m", "5 m", "99999999999d", "5\u{fc}"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }
}
