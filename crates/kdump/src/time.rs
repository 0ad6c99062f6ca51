//! Windows times: 100 ns units, counted from 1601 for points in time.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// Units of 100 ns in a second.
const UNITS_PER_SECOND: u64 = 10_000_000;

/// Seconds from 1601-01-01 to 1970-01-01.
const UNIX_EPOCH: i64 = 11_644_473_600;

/// A point in time as Windows counts it: 100 ns units since 1601-01-01, UTC.
///
/// Prints as ISO 8601 to the second; serializes with its units and as ISO 8601 to the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(into = "FileTimeForm")]
pub struct FileTime(pub u64);

impl FileTime {
    /// ISO 8601, UTC, to the unit; none beyond what calendars hold.
    #[must_use]
    pub fn iso(self) -> Option<String> {
        let seconds = self.timestamp()?.to_string();
        let units = self.0.checked_rem(UNITS_PER_SECOND).filter(|units| *units != 0);
        Some(match (units, seconds.strip_suffix('Z')) {
            (Some(units), Some(seconds)) => format!("{seconds}.{units:07}Z"),
            _ => seconds,
        })
    }

    /// The second that it is in.
    fn timestamp(self) -> Option<Timestamp> {
        let seconds = self.0.checked_div(UNITS_PER_SECOND)?;
        let since_1970 = i64::try_from(seconds).ok()?.checked_sub(UNIX_EPOCH)?;
        Timestamp::from_second(since_1970).ok()
    }
}

impl fmt::Display for FileTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timestamp() {
            Some(time) => write!(f, "{time}"),
            None => write!(f, "{} (no valid time)", self.0),
        }
    }
}

/// How a point in time is written.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FileTime")]
struct FileTimeForm {
    /// 100 ns units since 1601-01-01, UTC.
    ticks: u64,
    /// ISO 8601, UTC; null beyond what calendars hold.
    #[schemars(regex(
        pattern = r"^-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{7})?Z$"
    ))]
    utc: Option<String>,
}

impl From<FileTime> for FileTimeForm {
    fn from(time: FileTime) -> Self {
        Self {
            ticks: time.0,
            utc: time.iso(),
        }
    }
}

/// A span of time in 100 ns units.
///
/// Serializes with its units and as an ISO 8601 duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(into = "TimeSpanForm")]
pub struct TimeSpan(pub u64);

impl TimeSpan {
    /// An ISO 8601 duration in seconds, to the unit: `PT93.5S`.
    #[must_use]
    pub fn iso(self) -> String {
        let seconds = self.0.checked_div(UNITS_PER_SECOND).unwrap_or_default();
        let units = self.0.checked_rem(UNITS_PER_SECOND).unwrap_or_default();
        let fraction = format!("{units:07}");
        match fraction.trim_end_matches('0') {
            "" => format!("PT{seconds}S"),
            fraction => format!("PT{seconds}.{fraction}S"),
        }
    }
}

/// How a span is written.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TimeSpan")]
struct TimeSpanForm {
    /// 100 ns units.
    ticks: u64,
    /// An ISO 8601 duration in seconds.
    #[schemars(regex(pattern = r"^PT[0-9]+(\.[0-9]{1,7})?S$"))]
    iso: String,
}

impl From<TimeSpan> for TimeSpanForm {
    fn from(span: TimeSpan) -> Self {
        Self {
            ticks: span.0,
            iso: span.iso(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_points() {
        // 116444736000000000 is the Unix epoch in every FILETIME reference.
        let epoch = 116_444_736_000_000_000;
        assert_eq!(FileTime(epoch).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(FileTime(epoch).iso().unwrap(), "1970-01-01T00:00:00Z");
        assert_eq!(FileTime(epoch + 1).iso().unwrap(), "1970-01-01T00:00:00.0000001Z");
        assert_eq!(FileTime(0).iso().unwrap(), "1601-01-01T00:00:00Z");
        assert_eq!(
            FileTime(u64::MAX).to_string(),
            "18446744073709551615 (no valid time)"
        );
        assert_eq!(FileTime(u64::MAX).iso(), None);
    }

    #[test]
    fn durations() {
        assert_eq!(TimeSpan(0).iso(), "PT0S");
        assert_eq!(TimeSpan(935_000_000).iso(), "PT93.5S");
        assert_eq!(TimeSpan(1).iso(), "PT0.0000001S");
    }
}
