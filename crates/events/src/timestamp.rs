//! Instants, in whole milliseconds since the Unix epoch.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::Day;

#[cfg(test)]
mod tests;

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

    /// The first instant of a day.
    pub fn start_of(day: Day) -> Self {
        Self(i64::from(day.number()) * Day::MILLIS)
    }

    /// The first instant after a day.
    pub fn end_of(day: Day) -> Self {
        Self(Self::start_of(day).0 + Day::MILLIS)
    }

    /// The day that the instant falls on; the first or the last that there is where it lies beyond.
    pub fn day(self) -> Day {
        Day::nearest(self.0.div_euclid(Day::MILLIS))
    }

    /// Reads a date and time as RFC 3339 writes it (section 5.6), cutting what is finer than a millisecond.
    ///
    /// `T` and `Z` may be lowercase and a space may stand for `T`, as the section's notes allow. A second 60 is
    /// read where alone a leap second can be, at the end of a month in UTC; as in POSIX time it is the second
    /// that follows: 23:59:60.5 is half past midnight's first second.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (fixed, rest) = text.as_bytes().split_first_chunk::<19>()?;
        let &[
            y1,
            y2,
            y3,
            y4,
            b'-',
            mo1,
            mo2,
            b'-',
            d1,
            d2,
            b'T' | b't' | b' ',
            h1,
            h2,
            b':',
            mi1,
            mi2,
            b':',
            s1,
            s2,
        ] = fixed
        else {
            return None;
        };
        let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
        let day = Day::from_ymd(year, number(&[mo1, mo2])?, number(&[d1, d2])?)?;
        let hour = at_most(23, number(&[h1, h2])?)?;
        let minute = at_most(59, number(&[mi1, mi2])?)?;
        let second = at_most(60, number(&[s1, s2])?)?;
        let (millis, offset) = fraction(rest)?;

        let minutes = i64::from(hour) * 60 + i64::from(minute) - offset_minutes(offset)?;
        let minute = Self::start_of(day).0 + minutes * MINUTE_MILLIS;
        if second == 60 && !begins_a_month(minute + MINUTE_MILLIS) {
            return None;
        }
        Some(Self(minute + i64::from(second) * 1000 + i64::from(millis)))
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

/// The number that these digits write.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u32::from(digit - b'0'))
    })
}

fn at_most(limit: u32, number: u32) -> Option<u32> {
    (number <= limit).then_some(number)
}

/// The milliseconds of a fraction of a second, if there is one, and what follows it.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some((b'.', rest)) = text.split_first() else {
        return Some((0, text));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, offset) = rest.split_at(length);
    match digits {
        [] => None,
        [tenths] => Some((number(&[*tenths, b'0', b'0'])?, offset)),
        [tenths, hundredths] => Some((number(&[*tenths, *hundredths, b'0'])?, offset)),
        [tenths, hundredths, thousandths, ..] => {
            Some((number(&[*tenths, *hundredths, *thousandths])?, offset))
        }
    }
}

/// How many minutes local time runs ahead of UTC.
fn offset_minutes(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let hours = at_most(23, number(&[h1, h2])?)?;
            let minutes = i64::from(hours * 60 + at_most(59, number(&[m1, m2])?)?);
            Some(if sign == b'-' { -minutes } else { minutes })
        }
        _ => None,
    }
}

fn begins_a_month(millis: i64) -> bool {
    millis.rem_euclid(Day::MILLIS) == 0 && Timestamp(millis).day().begins_a_month()
}
