//! How many users were active in periods that have ended, by the day on which they registered, as that was observed.
//!
//! What holds for [`crate::observed`] holds for these: each is what one look at the rollups saw, with a mark of the entries
//! in `changes` by then. A range is of whole days, so who registered before it or within it is a sum over days. A period that
//! is not over is observed until the last hour that has ended. A period of which no row holds is counted from rows of
//! activity; so are those of mentors who had few users.

use std::collections::{HashMap, HashSet};

use clickhouse::{Row, query::Query};
use events::{DateRange, Grain, Timestamp};
use futures::future::try_join;
use serde::Deserialize;

use crate::{
    changes::{Changes, HOUR, Of},
    connection::Connection,
    error::Error,
    registered::{registered, registered_within, within_ranges},
    store::Store,
};

/// Where counts of users are kept.
pub const OBSERVED_USERS_TABLE: &str = "observed_users";

const DAY: i64 = 24 * HOUR;
/// How much time is observed by one statement, unless a single period is longer.
const STRIDE: i64 = 8 * DAY;
/// A count of fewer users of a mentor is as large as the rows that it is counted from.
const LEAST_WITH_MENTOR: u64 = 100;

/// With their names and numbers in the table, in the order of being observed: what is asked most goes first.
const GRAINS: [(Grain, &str, i8); 4] = [
    (Grain::Day, "day", 2),
    (Grain::Week, "week", 3),
    (Grain::Month, "month", 4),
    (Grain::Hour, "hour", 1),
];

/// What is observed of a period, which begins and ends with seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Observable {
    start: i64,
    /// Its end, or the end of the last hour within it that has ended.
    until: i64,
    is_whole: bool,
    /// Of the changes before.
    mark: u64,
}

#[derive(Debug, Row, Deserialize)]
struct ObservedPeriod {
    grain: i8,
    period: u32,
    until: u32,
    seen: u64,
}

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
            .param("mentor", asked.mentor)
            .param("grain", name(asked.grain))
            .param("since", second(first))
            .param("until", second(asked.range.end_instant()))
            .fetch_all::<ObservedUsers>();
        let (changes, observed) =
            try_join(self.changes(asked.org, Of::Registrations), self.run(observed)).await?;
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

    /// What is observed of an organisation, of each grain, and holds.
    async fn periods_observed(
        &self,
        org: &str,
        changes: &Changes,
        condition: &str,
    ) -> Result<HashMap<i8, Vec<Observable>>, Error> {
        let sql = include_str!("../sql/periods_observed.sql").replace("${condition}", condition);
        let periods = self.query(&sql, org).fetch_all::<ObservedPeriod>();
        let mut holding: HashMap<i8, Vec<Observable>> = HashMap::new();
        for ObservedPeriod {
            grain,
            period,
            until,
            seen,
        } in self.run(periods).await?
        {
            let (start, until) = (i64::from(period), i64::from(until));
            if seen == changes.mark(until) {
                holding.entry(grain).or_default().push(Observable {
                    start,
                    until,
                    is_whole: GRAINS
                        .iter()
                        .any(|(of, _, number)| *number == grain && until == end_of(*of, start)),
                    mark: seen,
                });
            }
        }
        Ok(holding)
    }
}

impl Store {
    /// Counts the users of each period that has ended and of which no count holds, and of those that are not over until the
    /// last hour that has ended; of organisations that have enough of them. How many periods that were.
    ///
    /// Several may observe at once, with clocks that differ by twice `observe_margin_secs` at most from those of inserts.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn observe_users(&self, now: Timestamp) -> Result<usize, Error> {
        let ended = second(now) - self.clickhouse.settings.observe_margin();
        let mut periods = 0;
        for org in self.orgs_to_observe("active_daily").await? {
            periods += self.observe_users_of(&org, ended.div_euclid(HOUR) * HOUR).await?;
        }
        Ok(periods)
    }

    async fn observe_users_of(&self, org: &str, ended: i64) -> Result<usize, Error> {
        // First: what is entered after this is not taken for seen.
        let changes = self.clickhouse.changes(org, Of::Registrations).await?;
        let first = self
            .clickhouse
            .query(include_str!("../sql/first_active.sql"), org);
        let Some(first) = self.clickhouse.run(first.fetch_optional::<u32>()).await? else {
            return Ok(0);
        };
        let day = |second: i64| Timestamp::from_millis(second * 1_000).day();
        let Some(days) = DateRange::new(day(first.into()), day(ended)) else {
            return Ok(0);
        };
        let holding = self
            .clickhouse
            .periods_observed(org, &changes, "mentor_id = ''")
            .await?;
        let mut periods = 0;
        for (grain, _, number) in &GRAINS {
            let holding: HashSet<_> = holding.get(number).into_iter().flatten().copied().collect();
            let missing: Vec<_> = days
                .periods(*grain)
                .map(|period| {
                    let start = second(period.start);
                    let end = end_of(*grain, start);
                    let until = end.min(ended);
                    Observable {
                        start,
                        until,
                        is_whole: until == end,
                        mark: changes.mark(until),
                    }
                })
                .filter(|period| period.start < period.until && !holding.contains(period))
                .collect();
            for stretch in stretches(&missing).rev() {
                let observe = include_str!("../sql/observe_users.sql")
                    .replace("${users_by_day}", &users_by_day(*grain, stretch));
                self.observe_stretch(&observe, org, *grain, stretch).await?;
            }
            periods += missing.len();
        }
        Ok(periods)
    }

    async fn observe_stretch(
        &self,
        sql: &str,
        org: &str,
        grain: Grain,
        stretch: &[Observable],
    ) -> Result<(), Error> {
        let statement = self.about_stretch(sql, org, grain, stretch);
        let limit = self.clickhouse.settings.maintenance_timeout();
        self.clickhouse.within(limit, statement.execute()).await
    }

    fn about_stretch(&self, sql: &str, org: &str, grain: Grain, stretch: &[Observable]) -> Query {
        let (since, until) = span(stretch);
        let least = LEAST_WITH_MENTOR.min(self.clickhouse.settings.observe_from);
        self.clickhouse
            .maintenance(sql)
            .param("org", org)
            .param("grain", name(grain))
            .param("since", since)
            .param("until", until)
            .param("least", least)
    }

    /// The counts of users that hold and are not what the rollups have, as [`Store::verify`] compares them: what stands there
    /// is not expected, and what should is.
    pub(crate) async fn observed_users_strays(&self) -> Result<HashMap<(u128, bool), String>, Error> {
        let mut strays = HashMap::new();
        for org in self.orgs_observed(OBSERVED_USERS_TABLE).await? {
            let changes = self.clickhouse.changes(&org, Of::Registrations).await?;
            let holding = self.clickhouse.periods_observed(&org, &changes, "true").await?;
            for (grain, _, number) in &GRAINS {
                for stretch in stretches(holding.get(number).map_or(&[], Vec::as_slice)) {
                    let sql = with_marks(include_str!("../sql/users_strays.sql"), stretch)
                        .replace("${users_by_day}", &users_by_day(*grain, stretch));
                    let found = self.about_stretch(&sql, &org, *grain, stretch);
                    let limit = self.clickhouse.settings.maintenance_timeout();
                    for row in self.clickhouse.within(limit, found.fetch_all::<u128>()).await? {
                        for is_expected in [false, true] {
                            strays.insert((row, is_expected), org.clone());
                        }
                    }
                }
            }
        }
        Ok(strays)
    }
}

/// The second in which an instant is.
pub(crate) fn second(instant: Timestamp) -> i64 {
    instant.as_millis().div_euclid(1_000)
}

fn name(grain: Grain) -> &'static str {
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

/// Stretches of periods that follow each other and are observed by one statement; one that is not over is alone.
fn stretches(periods: &[Observable]) -> impl DoubleEndedIterator<Item = &[Observable]> {
    let stride = |period: &Observable| period.start.div_euclid(STRIDE);
    periods.chunk_by(move |a, b| a.is_whole && b.is_whole && a.until == b.start && stride(a) == stride(b))
}

/// The statement that counts the users of a stretch of periods.
fn users_by_day(grain: Grain, stretch: &[Observable]) -> String {
    let within = "period >= toDateTime({since:Int64}, 'UTC') AND period < toDateTime({until:Int64}, 'UTC')";
    let is_whole = stretch.iter().all(|period| period.is_whole);
    let any = |source: &str| format!("user IN (SELECT user FROM ({source}) WHERE mentor_id = '')");
    let (active, of_active) = if is_whole {
        let (table, start) = match grain {
            Grain::Hour => ("active_hourly", "period"),
            Grain::Day => ("active_daily", "period"),
            Grain::Week => ("active_weekly", "period"),
            Grain::Month => ("active_daily", "toDateTime(toStartOfMonth(period), 'UTC')"),
        };
        let active = format!(
            "SELECT mentor_id, {start} AS start, user FROM {table} WHERE org = {{org:String}} AND {within} \
             GROUP BY mentor_id, {start}, user"
        );
        let source = format!("SELECT mentor_id, user FROM {table} WHERE org = {{org:String}} AND {within}");
        (active, any(&source))
    } else {
        let source = format!(
            "SELECT mentor_id, user FROM active_daily WHERE org = {{org:String}} AND {within} \
             AND period < toStartOfDay(toDateTime({{until:Int64}}, 'UTC')) \
             UNION ALL \
             SELECT mentor_id, user FROM active_hourly WHERE org = {{org:String}} AND {within} \
             AND period >= toStartOfDay(toDateTime({{until:Int64}}, 'UTC'))"
        );
        let active = format!(
            "SELECT mentor_id, toDateTime({{since:Int64}}, 'UTC') AS start, user FROM ({source}) GROUP BY mentor_id, user"
        );
        (active, any(&source))
    };
    let at = "toDateTime(intDiv(registered, 1000), 'UTC')";
    let start_of_registered = match grain {
        Grain::Hour => format!("toStartOfHour({at})"),
        Grain::Day => format!("toStartOfDay({at})"),
        Grain::Week => format!("toDateTime(toMonday({at}), 'UTC')"),
        Grain::Month => format!("toDateTime(toStartOfMonth({at}), 'UTC')"),
    };
    let (since, until) = span(stretch);
    let within = since * 1_000..until * 1_000;
    let within = std::slice::from_ref(&within);
    with_marks(include_str!("../sql/users_by_day.sql"), stretch)
        .replace("${active}", &active)
        .replace("${registered_of_active}", &registered(&of_active))
        .replace("${registered_within}", &registered(&registered_within(within)))
        .replace("${start_of_registered}", &start_of_registered)
        .replace("${within}", &within_ranges("registered", within))
}

fn span(stretch: &[Observable]) -> (i64, i64) {
    let since = stretch.first().map_or(0, |first| first.start);
    (since, stretch.last().map_or(since, |last| last.until))
}

/// Puts the periods of a stretch into a statement, until when each is counted, and the marks.
fn with_marks(sql: &str, stretch: &[Observable]) -> String {
    let list =
        |number: &dyn Fn(&Observable) -> String| stretch.iter().map(number).collect::<Vec<_>>().join(",");
    let seconds = |list: String| format!("CAST([{list}] AS Array(UInt32))");
    sql.replace("${starts}", &seconds(list(&|period| period.start.to_string())))
        .replace("${untils}", &seconds(list(&|period| period.until.to_string())))
        .replace(
            "${marks}",
            &format!(
                "CAST([{}] AS Array(UInt64))",
                list(&|period| period.mark.to_string())
            ),
        )
}
