//! Hours, days, weeks and months of a range of dates, all in UTC.

use crate::{Day, Timestamp};

#[cfg(test)]
mod tests;

/// How long an hour is, in milliseconds.
pub const HOUR_MILLIS: i64 = 3_600_000;

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    /// An hour.
    Hour,
    /// A day, from midnight.
    Day,
    /// A week, from Monday's midnight (ISO 8601).
    Week,
    /// A month of the calendar, from the midnight of its first day.
    Month,
}

impl Grain {
    /// The length of a period, in milliseconds; none for months, which differ. UTC has no daylight saving time and POSIX
    /// time no leap seconds, so all others of a grain are equally long.
    pub const fn millis(self) -> Option<i64> {
        match self {
            Self::Hour => Some(HOUR_MILLIS),
            Self::Day => Some(Day::MILLIS),
            Self::Week => Some(7 * Day::MILLIS),
            Self::Month => None,
        }
    }
}

/// A period of a range: what a count is labelled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// Its first instant. That of a week or month which the range cuts may lie before the range.
    pub start: Timestamp,
}

/// A range of whole days in UTC, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateRange {
    start: Day,
    end: Day,
}

impl DateRange {
    /// The days from `start` to `end`, both included; `None` where `start` lies after `end`.
    pub fn new(start: Day, end: Day) -> Option<Self> {
        (start <= end).then_some(Self { start, end })
    }

    /// The first day.
    pub const fn start(&self) -> Day {
        self.start
    }

    /// The last day.
    pub const fn end(&self) -> Day {
        self.end
    }

    /// The first instant that lies in the range.
    pub fn first_instant(&self) -> Timestamp {
        Timestamp::start_of(self.start)
    }

    /// The first instant that lies after the range.
    pub fn end_instant(&self) -> Timestamp {
        Timestamp::end_of(self.end)
    }

    /// The period that the range's first instant falls in: it begins with the range, or for weeks with its Monday, for
    /// months with the first of its month.
    pub fn first_period(&self, grain: Grain) -> Period {
        let day = match grain {
            Grain::Hour | Grain::Day => self.start,
            Grain::Week => self.start - self.start.days_since_monday(),
            Grain::Month => Day::first_of_month(self.start.month_number()),
        };
        Period {
            start: Timestamp::start_of(day),
        }
    }

    /// The period of an index, counted from [`Self::first_period`].
    pub fn period(&self, grain: Grain, index: i64) -> Period {
        let first = self.first_period(grain).start;
        let start = match grain.millis() {
            Some(millis) => Timestamp::from_millis(first.as_millis() + index * millis),
            None => Timestamp::start_of(Day::first_of_month(first.day().month_number() + index)),
        };
        Period { start }
    }

    /// How many periods the range touches.
    pub fn period_count(&self, grain: Grain) -> u64 {
        let last = Timestamp::from_millis(self.end_instant().as_millis() - 1);
        (self.index_from_first(grain, last) + 1).unsigned_abs()
    }

    /// The periods that the range touches, in order.
    pub fn periods(&self, grain: Grain) -> impl Iterator<Item = Period> + use<> {
        let range = *self;
        (0..)
            .map(move |index| range.period(grain, index))
            .take_while(move |period| period.start < range.end_instant())
    }

    /// Whether an instant lies in the range.
    pub fn contains(&self, instant: Timestamp) -> bool {
        self.first_instant() <= instant && instant < self.end_instant()
    }

    /// The index among [`Self::periods`] of the period that an instant falls in; `None` where the instant lies
    /// outside the range, even if in a week or month that the range cuts.
    pub fn period_index(&self, grain: Grain, instant: Timestamp) -> Option<usize> {
        if !self.contains(instant) {
            return None;
        }
        usize::try_from(self.index_from_first(grain, instant)).ok()
    }

    /// The index of the period that an instant falls in, counted from [`Self::first_period`]; negative before it.
    fn index_from_first(self, grain: Grain, instant: Timestamp) -> i64 {
        let first = self.first_period(grain).start;
        match grain.millis() {
            Some(millis) => (instant.as_millis() - first.as_millis()).div_euclid(millis),
            None => instant.day().month_number() - first.day().month_number(),
        }
    }
}
