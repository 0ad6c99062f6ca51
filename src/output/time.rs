//! Windows times: 100 ns units, counted from 1601 for points in time.

use jiff::Timestamp;

const UNITS_PER_SECOND: u64 = 10_000_000;

/// Seconds from 1601-01-01 to 1970-01-01.
const UNIX_EPOCH: i64 = 11_644_473_600;

/// A point in time in ISO 8601, UTC, to the second; the bare number when it is beyond what calendars hold.
pub fn utc(filetime: u64) -> String {
    let seconds = i64::try_from(filetime / UNITS_PER_SECOND)
        .unwrap_or(i64::MAX)
        .saturating_sub(UNIX_EPOCH);
    Timestamp::from_second(seconds)
        .map_or_else(|_| format!("{filetime} (no valid time)"), |time| time.to_string())
}

/// A span as days and hours:minutes:seconds.
pub fn span(units: u64) -> String {
    let seconds = units / UNITS_PER_SECOND;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    format!(
        "{days} days {:02}:{:02}:{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        // 116444736000000000 is the Unix epoch in every FILETIME reference.
        assert_eq!(utc(116_444_736_000_000_000), "1970-01-01T00:00:00Z");
        assert_eq!(utc(u64::MAX), "18446744073709551615 (no valid time)");
        assert_eq!(
            span(8 * 86_400 * UNITS_PER_SECOND + 3_661 * UNITS_PER_SECOND),
            "8 days 01:01:01"
        );
    }
}
