//! Days of the calendar, in UTC.

use std::{
    fmt,
    ops::{Add, Sub},
    str::FromStr,
};

use chrono::{Datelike, NaiveDate};

/// A day, as the number of days since 1970-01-01. Written and read as `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

/// A text is not a day of the years 1 to 9999, written as `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date as YYYY-MM-DD")]
pub struct NotADay;

impl Day {
    /// How long a day is, in milliseconds. POSIX time has no leap seconds, so all are equally long.
    pub const MILLIS: i64 = 86_400_000;

    /// The day `number` days after 1970-01-01.
    pub const fn from_number(number: i32) -> Self {
        Self(number)
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// A day of the calendar; `None` if there is no such day.
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, day).map(|date| Self(date.to_epoch_days()))
    }

    /// Reads `YYYY-MM-DD`, of the year 0 too.
    pub(crate) fn parse(text: &[u8; 10]) -> Option<Self> {
        let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
            return None;
        };
        let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
        Self::from_ymd(year, number(&[m1, m2])?, number(&[d1, d2])?)
    }

    /// The day of that number, or the first or last day if the number is out of range.
    pub(crate) fn nearest(number: i64) -> Self {
        let limit = if number < 0 { i32::MIN } else { i32::MAX };
        Self(i32::try_from(number).unwrap_or(limit))
    }

    /// How many days it is after the Monday of its week.
    pub fn days_since_monday(self) -> i64 {
        // 1970-01-01 was a Thursday.
        (i64::from(self.0) + 3).rem_euclid(7)
    }

    /// Whether it is a Saturday or a Sunday.
    pub fn is_weekend(self) -> bool {
        self.days_since_monday() >= 5
    }

    /// The number of its month, counted from January of the year 0.
    pub fn month_number(self) -> i64 {
        let date = self.date();
        i64::from(date.year()) * 12 + i64::from(date.month0())
    }

    /// The first day of the month of that number, or the first or last day if the number is out of range.
    pub(crate) fn first_of_month(number: i64) -> Self {
        let month = u32::try_from(number.rem_euclid(12) + 1).unwrap_or(1);
        let year = i32::try_from(number.div_euclid(12)).ok();
        let first = year.and_then(|year| Self::from_ymd(year, month, 1));
        first.unwrap_or_else(|| Self::nearest(if number < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Whether a month begins with it.
    pub(crate) fn begins_a_month(self) -> bool {
        self.date().day() == 1
    }

    /// The day as chrono's type, or its first or last day if this one is out of its range.
    fn date(self) -> NaiveDate {
        NaiveDate::from_epoch_days(self.0).unwrap_or(if self.0 < 0 {
            NaiveDate::MIN
        } else {
            NaiveDate::MAX
        })
    }
}

/// The day that many days later.
impl Add<i64> for Day {
    type Output = Self;

    fn add(self, days: i64) -> Self {
        Self::nearest(i64::from(self.0).saturating_add(days))
    }
}

/// The day that many days earlier.
impl Sub<i64> for Day {
    type Output = Self;

    fn sub(self, days: i64) -> Self {
        Self::nearest(i64::from(self.0).saturating_sub(days))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().fmt(formatter)
    }
}

impl FromStr for Day {
    type Err = NotADay;

    /// Reads four digits, two and two, and nothing else.
    fn from_str(text: &str) -> Result<Self, NotADay> {
        let day = text.as_bytes().try_into().ok().and_then(Self::parse);
        // No year is called 0, and the week of its first day could not be written.
        day.filter(|day| day.date().year() > 0).ok_or(NotADay)
    }
}

/// The number that these digits write.
pub(crate) fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_four_digits_and_two_and_two() {
        let day = |year, month, day| Day::from_ymd(year, month, day).ok_or(NotADay);
        assert_eq!("2024-02-29".parse(), day(2024, 2, 29));
        assert_eq!("0001-01-01".parse(), day(1, 1, 1));
        assert_eq!("9999-12-31".parse(), day(9999, 12, 31));
        for text in [
            "2023-02-29",
            "2024-00-01",
            "2024-13-01",
            "2024-01-00",
            "2024-01-32",
            "0000-01-01",
            "2024-1-01",
            "24-01-01",
            "2024/01/01",
            "20240101",
            "2024-01-01T00:00:00Z",
            " 2024-01-01",
            "2024-01-01 ",
            "+024-01-01",
            "-024-01-01",
            "2024-01-0\u{661}",
            "\u{ff12}024-01-01",
            "",
            "today",
            "10000-01-01",
        ] {
            assert_eq!(text.parse::<Day>(), Err(NotADay), "{text:?}");
        }
    }

    #[test]
    fn days_are_counted_from_the_first_of_1970() {
        for (text, number) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2000-03-01", 11_017),
            ("0001-01-01", -719_162),
            ("9999-12-31", 2_932_896),
        ] {
            let day: Day = text.parse().unwrap();
            assert_eq!((day.number(), day.to_string()), (number, text.to_owned()));
            assert_eq!(Day::from_number(number), day);
        }
    }

    #[test]
    fn days_are_added_over_the_ends_of_months_and_years() {
        let later = |text: &str, days| (text.parse::<Day>().unwrap() + days).to_string();
        assert_eq!(later("2024-02-28", 2), "2024-03-01");
        assert_eq!(later("2023-02-28", 1), "2023-03-01");
        assert_eq!(later("2023-12-31", 1), "2024-01-01");
        assert_eq!(
            "2024-01-01".parse::<Day>().unwrap() - 1,
            "2023-12-31".parse().unwrap()
        );
        for number in [i32::MIN, i32::MAX] {
            let day = Day::from_number(number);
            assert_eq!(day + i64::from(number), day);
            assert!(!day.to_string().is_empty());
        }
    }

    #[test]
    fn weeks_begin_on_monday() {
        // 2024-01-01 is a Monday, and so is 1969-12-29.
        for monday in ["2024-01-01", "1969-12-29"] {
            let monday: Day = monday.parse().unwrap();
            for days in 0..14 {
                let day = monday + days;
                assert_eq!(day.days_since_monday(), days % 7);
                assert_eq!(day.is_weekend(), days % 7 >= 5);
            }
        }
    }
}
