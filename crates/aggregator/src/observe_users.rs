//! How the counts of [`crate::observed_users`] are observed, and held against the rollups.

use std::collections::{HashMap, HashSet};

use clickhouse::{Row, query::Query};
use events::{DateRange, Grain, Timestamp};
use serde::Deserialize;

use crate::{
    changes::{Changes, DAY, HOUR, LastLook, Of},
    connection::Connection,
    error::Error,
    observed_users::{GRAINS, OBSERVED_USERS_TABLE, end_of, name, second},
    registered::{registered, registered_within, within_ranges},
    store::Store,
};

/// How much time is observed by one statement, unless a single period is longer.
const STRIDE: i64 = 8 * DAY;
/// A count of fewer users of a mentor is as large as the rows that it is counted from.
const LEAST_WITH_MENTOR: u64 = 100;

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

impl Connection {
    /// What is observed of an organisation, of each grain, and holds.
    async fn periods_observed(
        &self,
        org: &str,
        changes: &Changes,
        condition: &str,
    ) -> Result<HashMap<i8, Vec<Observable>>, Error> {
        let sql = include_str!("../sql/periods_observed.sql").replace("${condition}", condition);
        let periods = self
            .query(&sql, org)
            .param("observed", self.settings.spread_over_shards(OBSERVED_USERS_TABLE));
        let mut holding: HashMap<i8, Vec<Observable>> = HashMap::new();
        for ObservedPeriod {
            grain,
            period,
            until,
            seen,
        } in self.rows::<ObservedPeriod>(periods).await?
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
    pub async fn observe_users(&self, now: Timestamp) -> Result<u64, Error> {
        self.observe_users_since(now, None).await
    }

    /// Only as far as nothing has changed since the last look, if there is one.
    pub(crate) async fn observe_users_since(
        &self,
        now: Timestamp,
        mut last: Option<&mut LastLook>,
    ) -> Result<u64, Error> {
        let ended = second(now) - self.clickhouse.settings.observe_margin();
        let mut periods = 0;
        for org in self.orgs_to_observe("active_daily").await? {
            periods += self.observe_users_of(&org, ended, last.as_deref_mut()).await?;
        }
        Ok(periods)
    }

    async fn observe_users_of(
        &self,
        org: &str,
        ended: i64,
        last: Option<&mut LastLook>,
    ) -> Result<u64, Error> {
        // First: what is entered after this is not taken for seen.
        let changes = self.clickhouse.changes(org, Of::Registrations).await?;
        self.await_replicas().await?;
        let ended = last.map_or(ended, |last| {
            ended.min(last.unchanged_until(org, Of::Registrations, &changes))
        });
        let ended = ended.div_euclid(HOUR) * HOUR;
        let first = self
            .clickhouse
            .query(include_str!("../sql/first_active.sql"), org);
        let Some(first) = self.clickhouse.row::<u32>(first).await? else {
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
            periods += u64::try_from(missing.len()).unwrap_or(u64::MAX);
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
            .param(
                "into",
                self.clickhouse.settings.spread_over_shards(OBSERVED_USERS_TABLE),
            )
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
            "SELECT mentor_id, {start} AS start, user FROM {{db:Identifier}}.{table} WHERE org = {{org:String}} AND {within} \
             GROUP BY mentor_id, {start}, user"
        );
        let source = format!(
            "SELECT mentor_id, user FROM {{db:Identifier}}.{table} WHERE org = {{org:String}} AND {within}"
        );
        (active, any(&source))
    } else {
        let source = format!(
            "SELECT mentor_id, user FROM {{db:Identifier}}.active_daily WHERE org = {{org:String}} AND {within} \
             AND period < toStartOfDay(toDateTime({{until:Int64}}, 'UTC')) \
             UNION ALL \
             SELECT mentor_id, user FROM {{db:Identifier}}.active_hourly WHERE org = {{org:String}} AND {within} \
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
