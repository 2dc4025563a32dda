//! How many users were active in periods that have ended, by the day on which they registered, as that was observed.
//!
//! What holds for [`crate::observed`] holds for these: each is what one look at the rollups saw, with a mark of the entries
//! in `changes` by then. A range is of whole days, so who registered before it or within it is a sum over days. A period that
//! is not over is observed until the last hour that has ended. A period of which no row holds is counted from rows of
//! activity; so are those of mentors who had few users.

use std::collections::HashMap;

use clickhouse::Row;
use events::{DateRange, Grain, Timestamp};
use futures::future::try_join;
use serde::Deserialize;

use crate::{changes::Of, connection::Connection, error::Error};

/// Where counts of users are kept.
pub const OBSERVED_USERS_TABLE: &str = "observed_users";

/// With their names and numbers in the table, in the order of being observed: what is asked most goes first.
pub(crate) const GRAINS: [(Grain, &str, i8); 4] = [
    (Grain::Day, "day", 2),
    (Grain::Week, "week", 3),
    (Grain::Month, "month", 4),
    (Grain::Hour, "hour", 1),
];

/// What holds of a period and was observed.
#[derive(Debug, Clone, Copy, Row, Deserialize)]
pub(crate) struct ObservedUsers {
    period: u32,
    until: u32,
    pub(crate) users: u64,
    pub(crate) veterans: u64,
    pub(crate) new_users: u64,
    pub(crate) registered: u64,
    seen: u64,
}

impl ObservedUsers {
    /// In seconds; what comes from then on is not counted.
    pub(crate) fn until(&self) -> i64 {
        self.until.into()
    }
}

/// Counts of periods by their first second, several of one that was not over.
#[derive(Debug)]
pub(crate) struct Observations(HashMap<i64, Vec<ObservedUsers>>);

impl Observations {
    /// The count of a period that goes farthest, and not beyond a second.
    pub(crate) fn of(&self, start: i64, end: i64) -> Option<&ObservedUsers> {
        let until_end = self
            .0
            .get(&start)?
            .iter()
            .filter(|observed| observed.until() <= end);
        until_end.max_by_key(|observed| observed.until)
    }
}

/// What is asked of [`Connection::observed_users`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) org: &'a str,
    /// Empty: any or none.
    pub(crate) mentor: &'a str,
    pub(crate) range: DateRange,
    pub(crate) grain: Grain,
    /// Whether it is asked when they registered.
    pub(crate) by_registration: bool,
}

impl Connection {
    /// What holds of what was observed.
    pub(crate) async fn observed_users(&self, asked: Asked<'_>) -> Result<Observations, Error> {
        let days = asked.range.start().number()..=asked.range.end().number();
        let sum = |condition: String| {
            if asked.by_registration {
                format!("arraySum(arrayMap(of -> if({condition}, of.users, 0), by_day))")
            } else {
                "toUInt64(0)".to_owned()
            }
        };
        let sql = include_str!("../sql/observed_users.sql")
            .replace("${veterans}", &sum(format!("of.day < {}", days.start())))
            .replace(
                "${new_users}",
                &sum(format!("of.day BETWEEN {} AND {}", days.start(), days.end())),
            );
        let first = asked.range.first_period(asked.grain).start;
        let observed = self
            .query(&sql, asked.org)
            .param("observed", self.settings.spread_over_shards(OBSERVED_USERS_TABLE))
            .param("mentor", asked.mentor)
            .param("grain", name(asked.grain))
            .param("since", second(first))
            .param("until", second(asked.range.end_instant()));
        let (changes, observed) = try_join(
            self.changes(asked.org, Of::Registrations),
            self.rows::<ObservedUsers>(observed),
        )
        .await?;
        let mut observations: HashMap<_, Vec<_>> = HashMap::new();
        for observed in observed {
            if observed.seen == changes.mark(observed.until()) {
                observations
                    .entry(observed.period.into())
                    .or_default()
                    .push(observed);
            }
        }
        Ok(Observations(observations))
    }
}

/// The second in which an instant is.
pub(crate) fn second(instant: Timestamp) -> i64 {
    instant.as_millis().div_euclid(1_000)
}

pub(crate) fn name(grain: Grain) -> &'static str {
    let named = GRAINS.iter().find(|(of, ..)| *of == grain);
    named.map_or("", |(_, name, _)| name)
}

/// The end of the period that begins with a second.
pub(crate) fn end_of(grain: Grain, start: i64) -> i64 {
    let first = Timestamp::from_millis(start * 1_000).day();
    DateRange::new(first, first).map_or(start, |range| match grain.millis() {
        Some(millis) => start + millis / 1_000,
        None => second(range.period(grain, 1).start),
    })
}
