//! Hours, days and weeks of a range of dates, all in UTC.

use crate::{Day, Timestamp};

#[cfg(test)]
mod tests;

const HOUR_MILLIS: i64 = 3_600_000;

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    /// An hour.
    Hour,
    /// A day, from midnight.
    Day,
    /// A week, from Monday's midnight (ISO 8601).
    Week,
}

impl Grain {
    /// The length of a period, in milliseconds. UTC has no daylight saving time and POSIX time no leap seconds,
    /// so every period of a grain is equally long.
    pub const fn millis(self) -> i64 {
        match self {
            Self::Hour => HOUR_MILLIS,
            Self::Day => Day::MILLIS,
            Self::Week => 7 * Day::MILLIS,
        }
    }
}

/// A period of a range: what a count is labelled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// Its first instant. That of a week which the range cuts may lie before the range.
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

    /// The first instant of the first period: the range's own, or for weeks its Monday's.
    pub fn first_period(&self, grain: Grain) -> Period {
        let day = match grain {
            Grain::Hour | Grain::Day => self.start,
            Grain::Week => self.start - self.start.days_since_monday(),
        };
        Period {
            start: Timestamp::start_of(day),
        }
    }

    /// How many periods the range touches.
    pub fn period_count(&self, grain: Grain) -> u64 {
        let millis = self.end_instant().as_millis() - self.first_period(grain).start.as_millis();
        (millis.unsigned_abs()).div_ceil(grain.millis().unsigned_abs())
    }

    /// The periods that the range touches, in order.
    pub fn periods(&self, grain: Grain) -> impl Iterator<Item = Period> + use<> {
        let first = self.first_period(grain).start.as_millis();
        let end = self.end_instant().as_millis();
        std::iter::successors(Some(first), move |start| start.checked_add(grain.millis()))
            .take_while(move |start| *start < end)
            .map(|start| Period {
                start: Timestamp::from_millis(start),
            })
    }

    /// Whether an instant lies in the range.
    pub fn contains(&self, instant: Timestamp) -> bool {
        self.first_instant() <= instant && instant < self.end_instant()
    }

    /// The index among [`Self::periods`] of the period that an instant falls in; `None` where the instant lies
    /// outside the range, even if in a week that the range cuts.
    pub fn period_index(&self, grain: Grain, instant: Timestamp) -> Option<usize> {
        if !self.contains(instant) {
            return None;
        }
        let millis = instant.as_millis() - self.first_period(grain).start.as_millis();
        usize::try_from(millis / grain.millis()).ok()
    }
}
