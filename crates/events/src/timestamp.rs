//! Instants, in whole milliseconds since the Unix epoch.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{Day, day::number};

#[cfg(test)]
mod tests;

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Finer digits are cut, never rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The first instant of a day.
    pub fn start_of(day: Day) -> Self {
        Self(i64::from(day.number()) * Day::MILLIS)
    }

    /// The first instant after a day.
    pub fn end_of(day: Day) -> Self {
        Self(Self::start_of(day).0 + Day::MILLIS)
    }

    /// The day that the instant falls on, or the first or last day if it is out of range.
    pub fn day(self) -> Day {
        Day::nearest(self.0.div_euclid(Day::MILLIS))
    }

    /// Reads a date and time as RFC 3339 writes it (section 5.6), cutting what is finer than a millisecond.
    ///
    /// `T` and `Z` may be lowercase and a space may stand for `T`, as the section's notes allow. A second 60 is
    /// read only where a leap second can be, at the end of a month in UTC; as in POSIX time it is the second
    /// that follows: 23:59:60.5 is half past midnight's first second.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (date, rest) = text.as_bytes().split_first_chunk()?;
        let (&[b'T' | b't' | b' ', h1, h2, b':', mi1, mi2, b':', s1, s2], rest) = rest.split_first_chunk()?
        else {
            return None;
        };
        let minutes = two_digits([h1, h2], 23)? * 60 + two_digits([mi1, mi2], 59)?;
        let second = two_digits([s1, s2], 60)?;
        let (millis, offset) = fraction(rest)?;

        let minutes = minutes - offset_minutes(offset)?;
        let minute = Self::start_of(Day::parse(date)?).0 + minutes * MINUTE_MILLIS;
        if second == 60 && !begins_a_month(minute + MINUTE_MILLIS) {
            return None;
        }
        Some(Self(minute + second * 1000 + millis))
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
            .unwrap_or(if self.0 < 0 {
                DateTime::<Utc>::MIN_UTC
            } else {
                DateTime::<Utc>::MAX_UTC
            })
            .to_rfc3339_opts(precision, true)
    }
}

const MINUTE_MILLIS: i64 = 60_000;

/// The number that two digits write, if it is at most `max`.
fn two_digits(digits: [u8; 2], max: u32) -> Option<i64> {
    number(&digits).filter(|number| *number <= max).map(i64::from)
}

/// The milliseconds of a fraction of a second, if there is one, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = text.split_first() else {
        return Some((0, text));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let (digits, offset) = rest.split_at(length);
    let millis = digits.iter().zip([100, 10, 1]);
    let millis = millis
        .map(|(digit, weight)| i64::from(digit - b'0') * weight)
        .sum();
    Some((millis, offset))
}

/// How many minutes local time is ahead of UTC.
fn offset_minutes(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let minutes = two_digits([h1, h2], 23)? * 60 + two_digits([m1, m2], 59)?;
            Some(if sign == b'-' { -minutes } else { minutes })
        }
        _ => None,
    }
}

fn begins_a_month(millis: i64) -> bool {
    millis.rem_euclid(Day::MILLIS) == 0 && Timestamp(millis).day().begins_a_month()
}
