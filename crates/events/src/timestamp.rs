//! Instants, in whole milliseconds since the Unix epoch.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Finer digits are cut, never rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant that lies `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The first instant of a day, in UTC.
    pub fn start_of(day: NaiveDate) -> Self {
        Self(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis())
    }

    /// Reads a date and time as RFC 3339 writes it (section 5.6), cutting what is finer than a millisecond.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|instant| Self(instant.timestamp_millis()))
    }

    /// Writes the instant as RFC 3339 in UTC with three digits of a second: `2024-02-29T23:59:59.999Z`.
    pub fn to_rfc3339(self) -> String {
        self.format(SecondsFormat::Millis)
    }

    /// Writes the instant as RFC 3339 in UTC to the second: `2024-02-29T23:00:00Z`.
    pub fn to_rfc3339_seconds(self) -> String {
        self.format(SecondsFormat::Secs)
    }

    fn format(self, precision: SecondsFormat) -> String {
        DateTime::<Utc>::from_timestamp_millis(self.0)
            .unwrap_or(if self.0 < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC })
            .to_rfc3339_opts(precision, true)
    }
}
