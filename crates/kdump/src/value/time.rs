//! Windows times: 100 ns units, counted from 1601 for points in time.

use std::fmt;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
#[cfg(feature = "serde")]
use serde::Serialize;

/// Units of 100 ns in a second.
const UNITS_PER_SECOND: u64 = 10_000_000;

/// A point in time as Windows counts it: 100 ns units since 1601-01-01, UTC.
///
/// Prints as ISO 8601 to the second; serializes with its units and as ISO 8601 to the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(into = "FileTimeForm"))]
pub struct FileTime(pub u64);

impl FileTime {
    /// ISO 8601, UTC, to the unit; none beyond the year 9999.
    #[must_use]
    pub fn iso(self) -> Option<String> {
        let moment = self.moment()?;
        let units = self.0.checked_rem(UNITS_PER_SECOND).filter(|units| *units != 0);
        Some(match units {
            Some(units) => format!("{moment}.{units:07}Z"),
            None => format!("{moment}Z"),
        })
    }

    /// Date and time of the second that it is in.
    ///
    /// The Gregorian calendar comes back to itself every 400 years of 146,097 days, and 1601 begins such a cycle: so a
    /// day of one is found by taking off whole centuries, then fours of years, then years, each of which but the last
    /// of its kind has the same length.
    fn moment(self) -> Option<String> {
        const DAY: u64 = 86_400;
        const MONTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let seconds = self.0.checked_div(UNITS_PER_SECOND)?;
        let (days, second) = (seconds.checked_div(DAY)?, seconds.checked_rem(DAY)?);
        let (cycles, days) = parts(days, 146_097, u64::MAX)?;
        let (centuries, days) = parts(days, 36_524, 3)?;
        let (fours, days) = parts(days, 1_461, 24)?;
        let (years, mut day) = parts(days, 365, 3)?;
        let year = [(cycles, 400), (centuries, 100), (fours, 4), (years, 1)]
            .into_iter()
            .try_fold(1601_u64, |sum, (count, years)| {
                sum.checked_add(count.checked_mul(years)?)
            })?;
        let is_leap = years == 3 && (fours != 24 || centuries == 3);
        let mut month: usize = 1;
        for length in MONTHS {
            let length = length.saturating_add(u64::from(is_leap && month == 2));
            if day < length {
                break;
            }
            day = day.saturating_sub(length);
            month = month.saturating_add(1);
        }
        let (hour, rest) = parts(second, 3600, 23)?;
        let (minute, second) = parts(rest, 60, 59)?;
        let day = day.saturating_add(1);
        (year <= 9999).then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"))
    }
}

/// How often a length fits, but no oftener than `most`, and what is left.
fn parts(whole: u64, length: u64, most: u64) -> Option<(u64, u64)> {
    let count = whole.checked_div(length)?.min(most);
    Some((count, whole.checked_sub(count.checked_mul(length)?)?))
}

impl fmt::Display for FileTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.moment() {
            Some(moment) => write!(f, "{moment}Z"),
            None => write!(f, "{} (no valid time)", self.0),
        }
    }
}

/// How a point in time is written.
#[cfg(feature = "serde")]
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "FileTime"))]
struct FileTimeForm {
    /// 100 ns units since 1601-01-01, UTC.
    ticks: u64,
    /// ISO 8601, UTC; null beyond what calendars hold.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(
            pattern = r"^-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{7})?Z$"
        ))
    )]
    utc: Option<String>,
}

#[cfg(feature = "serde")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "serde", serde(into = "TimeSpanForm"))]
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
#[cfg(feature = "serde")]
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "TimeSpan"))]
struct TimeSpanForm {
    /// 100 ns units.
    ticks: u64,
    /// An ISO 8601 duration in seconds.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^PT[0-9]+(\.[0-9]{1,7})?S$")))]
    iso: String,
}

#[cfg(feature = "serde")]
impl From<TimeSpan> for TimeSpanForm {
    fn from(span: TimeSpan) -> Self {
        Self {
            ticks: span.0,
            iso: span.iso(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::cast_sign_loss)]
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
        // By the Unix times that `date` gives.
        for (unix, wanted) in [
            (-11_644_473_600, "1601-01-01T00:00:00Z"),
            (-2_203_977_600, "1900-02-28T00:00:00Z"),
            (-2_203_891_200, "1900-03-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_582_934_400, "2020-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_456_000, "2100-02-28T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (13_574_563_200, "2400-02-29T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            let ticks = (unix + 11_644_473_600_i64) as u64 * UNITS_PER_SECOND;
            assert_eq!(FileTime(ticks).to_string(), wanted);
        }
        assert_eq!(
            FileTime((253_402_300_800 + 11_644_473_600) * UNITS_PER_SECOND).iso(),
            None
        );
    }

    #[test]
    fn every_day_has_a_date_of_its_own_in_order() {
        let day = |number: u64| FileTime(number * 86_400 * UNITS_PER_SECOND).iso();
        let last = (0..).take_while(|&number| day(number).is_some()).last().unwrap();
        // 8399 years: 20 cycles of 400 and 399 more, with 96 leap days.
        assert_eq!(last + 1, 20 * 146_097 + 399 * 365 + 96);
        assert!((0..last).all(|number| day(number) < day(number + 1)));
    }

    #[test]
    fn durations() {
        assert_eq!(TimeSpan(0).iso(), "PT0S");
        assert_eq!(TimeSpan(935_000_000).iso(), "PT93.5S");
        assert_eq!(TimeSpan(1).iso(), "PT0.0000001S");
    }
}
