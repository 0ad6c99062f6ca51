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

/// Reads a span as users write it, `90`, `90s`, `5m`, `1h30m` or `2d`, in 100 ns. A bare number is seconds.
pub fn parse_span(text: &str) -> Result<u64, String> {
    let wrong = || "write a number with d, h, m or s behind it, as in 30s, 5m or 1h30m".to_owned();
    let (mut seconds, mut number, mut largest) = (0_u64, String::new(), u64::MAX);
    for c in text.trim().chars() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        // Each unit once, the largest first: `5m1h` is a slip of the fingers.
        if unit >= largest {
            return Err(wrong());
        }
        largest = unit;
        let count: u32 = number.parse().map_err(|_| wrong())?;
        seconds += u64::from(count) * unit;
        number.clear();
    }
    match number.parse::<u32>() {
        Ok(bare) if largest == u64::MAX => seconds += u64::from(bare),
        _ if number.is_empty() && largest != u64::MAX => {}
        _ => return Err(wrong()),
    }
    Ok(seconds.saturating_mul(UNITS_PER_SECOND))
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
            ("1h30m", 5_400),
            ("2d", 172_800),
            ("1d2h3m4s", 93_784),
        ] {
            assert_eq!(parse_span(text), Ok(seconds * UNITS_PER_SECOND), "{text}");
        }
        for text in [
            "",
            "s",
            "-1",
            "+1",
            "1.5m",
            "5 m",
            "99999999999d",
            "5\u{fc}",
            "5m1h",
            "1h30",
            "5m5m",
            "m5",
        ] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }
}
