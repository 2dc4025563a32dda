//! Who was active when: `usage-summary` and `user-cohorts-over-time`.
//!
//! What was observed of a period and holds is used. The rest is counted from rows: periods of which nothing holds, those that
//! the range cuts, and what came since a period was observed that is not over.

use std::ops::Range;

use clickhouse::{Row, query::Query};
use events::{DateRange, Grain, NewUsersBy};
use futures::future::{try_join, try_join_all};
use serde::Deserialize;

use crate::{
    changes::{DAY, HOUR},
    connection::Connection,
    error::Error,
    observed_users::{Asked, Observations, ObservedUsers, end_of, second},
    registered::registered,
};

/// The last second that a `DateTime` holds.
const LAST: i64 = 0xffff_ffff;

/// The maximum number of periods in a row that are named one by one.
const NAMED: usize = 7;

/// The counts of a period, which is given by its position in the range.
#[derive(Debug, Row, Deserialize)]
struct PeriodCounts {
    bucket: i64,
    users: u64,
    veterans: u64,
    new_users: u64,
}

/// What is counted of a period.
#[derive(Debug, Clone, Copy, Default, Row, Deserialize)]
struct Counts {
    users: u64,
    /// Those who registered before the range.
    veterans: u64,
    /// Those who registered within it.
    new_users: u64,
}

/// What of a period is not observed, in seconds.
#[derive(Debug, Clone)]
struct Gap {
    bucket: usize,
    /// What of the period lies in the range.
    time: Range<i64>,
    /// Until when it is observed; its start where it is not.
    observed_until: i64,
}

/// Periods of one of the activity tables.
#[derive(Debug, PartialEq, Eq)]
struct Slice {
    table: &'static str,
    /// How many seconds a period of the table has.
    length: i64,
    /// By their first second.
    periods: Vec<i64>,
}

impl Slice {
    /// A condition that a period is one of these. Longer stretches are given by their ends: a thousand months have so many days
    /// that a statement which named each would be longer than ClickHouse's `http_max_field_value_size`, 128 KiB.
    fn within(&self) -> String {
        let stretches = self.periods.chunk_by(|period, next| next - period == self.length);
        let (mut named, mut conditions) = (Vec::new(), Vec::new());
        for stretch in stretches {
            match stretch {
                [first, .., last] if stretch.len() > NAMED => conditions.push(format!(
                    "period BETWEEN toDateTime({first}, 'UTC') AND toDateTime({last}, 'UTC')"
                )),
                _ => named.extend(stretch.iter().map(i64::to_string)),
            }
        }
        if !named.is_empty() {
            let named = named.join(",");
            conditions.push(format!("period IN CAST([{named}] AS Array(DateTime('UTC')))"));
        }
        conditions.join(" OR ")
    }
}

/// Which activity is counted, and over which periods.
#[derive(Clone, Copy)]
pub(crate) struct ActivityQuery<'a> {
    pub(crate) org: &'a str,
    pub(crate) range: DateRange,
    pub(crate) grain: Grain,
    pub(crate) mentor: Option<&'a str>,
}

impl ActivityQuery<'_> {
    /// Distinct active users of each period.
    pub(crate) async fn usage(&self, clickhouse: &Connection) -> Result<Vec<u64>, Error> {
        let observed = self.observed(clickhouse, self.grain, false).await?;
        let counts = self.counts(clickhouse, &observed, false).await?;
        Ok(counts.into_iter().map(|counts| counts.users).collect())
    }

    /// New users and veterans of each period.
    pub(crate) async fn cohorts(
        &self,
        clickhouse: &Connection,
        new_users_by: NewUsersBy,
    ) -> Result<(Vec<u64>, Vec<u64>), Error> {
        let observed = self.observed(clickhouse, self.grain, true).await?;
        let registrations = async {
            match new_users_by {
                NewUsersBy::Activity => Ok(None),
                NewUsersBy::Registration => self.registrations(clickhouse, &observed).await.map(Some),
            }
        };
        let counts = self.counts(clickhouse, &observed, true);
        let (counts, registrations) = try_join(counts, registrations).await?;
        let new_users =
            registrations.unwrap_or_else(|| counts.iter().map(|counts| counts.new_users).collect());
        Ok((
            new_users,
            counts.into_iter().map(|counts| counts.veterans).collect(),
        ))
    }

    /// What was observed of periods of a grain and holds, and, where that is asked for, who of them registered when.
    pub(crate) async fn observed(
        &self,
        clickhouse: &Connection,
        grain: Grain,
        by_registration: bool,
    ) -> Result<Observations, Error> {
        let asked = Asked {
            org: self.org,
            mentor: self.mentor.unwrap_or_default(),
            range: self.range,
            grain,
            by_registration,
        };
        clickhouse.observed_users(asked).await
    }

    /// The number of each period's users, and, where that is asked for, of those who registered before and within the range.
    async fn counts(
        &self,
        clickhouse: &Connection,
        observed: &Observations,
        by_registration: bool,
    ) -> Result<Vec<Counts>, Error> {
        let (mut counts, mut whole, mut rests) = (Vec::new(), Vec::new(), Vec::new());
        for mut gap in gaps(self.range, self.grain) {
            // What the range cuts at its beginning is not found.
            let observed = observed.of(gap.time.start, gap.time.end);
            counts.push(observed.map_or_else(Counts::default, |observed| Counts {
                users: observed.users,
                veterans: observed.veterans,
                new_users: observed.new_users,
            }));
            gap.observed_until = observed.map_or(gap.time.start, ObservedUsers::until);
            if gap.observed_until == gap.time.start {
                whole.push(gap);
            } else if gap.observed_until < gap.time.end {
                rests.push(gap);
            }
        }
        let rests = rests
            .into_iter()
            .map(|gap| self.rest(clickhouse, gap, by_registration));
        let (whole, rests) = try_join(
            self.count_rows(clickhouse, &whole, by_registration),
            try_join_all(rests),
        )
        .await?;
        for found in whole.into_iter().chain(rests) {
            let bucket = usize::try_from(found.bucket).ok();
            if let Some(counts) = bucket.and_then(|bucket| counts.get_mut(bucket)) {
                counts.users += found.users;
                counts.veterans += found.veterans;
                counts.new_users += found.new_users;
            }
        }
        Ok(counts)
    }

    /// Counts of periods of which nothing is observed.
    async fn count_rows(
        &self,
        clickhouse: &Connection,
        gaps: &[Gap],
        by_registration: bool,
    ) -> Result<Vec<PeriodCounts>, Error> {
        let (users, veterans, new_users) = if by_registration {
            let registered = registered("true");
            // Of who registered since there are fewer.
            let since = "(SELECT user FROM (${registered}) WHERE registered >= {since:Int64})";
            let within = "(SELECT user FROM (${registered}) WHERE registered >= {since:Int64} AND registered < {until:Int64})";
            (
                "toUInt64(0)".to_owned(),
                format!("uniqExactIf(user, user NOT IN {since})").replace("${registered}", &registered),
                format!("uniqExactIf(user, user IN {within})").replace("${registered}", &registered),
            )
        } else {
            let none = || "toUInt64(0)".to_owned();
            ("uniqExact(user)".to_owned(), none(), none())
        };
        let slices: Vec<_> = slices(self.grain, gaps)
            .into_iter()
            .filter(|slice| !slice.periods.is_empty())
            .map(|slice| {
                include_str!("../sql/active_slice.sql")
                    .replace("${table}", slice.table)
                    .replace("${within}", &slice.within())
            })
            .collect();
        if slices.is_empty() {
            return Ok(Vec::new());
        }
        let sql = include_str!("../sql/active.sql")
            .replace("${slices}", &slices.join(" UNION ALL "))
            .replace("${bucket}", &self.bucket_sql("toInt64(toUnixTimestamp(period))"))
            .replace("${users}", &users)
            .replace("${veterans}", &veterans)
            .replace("${new_users}", &new_users);
        clickhouse.rows(self.query(clickhouse, &sql)).await
    }

    /// Counts who was active in what is not observed of a period, and not before in it.
    async fn rest(
        &self,
        clickhouse: &Connection,
        gap: Gap,
        by_registration: bool,
    ) -> Result<PeriodCounts, Error> {
        let Gap {
            bucket,
            time,
            observed_until,
        } = gap;
        let active = |table: &str, time: Range<i64>| {
            let (since, until) = (time.start, time.end);
            format!(
                "SELECT user, period FROM {{db:Identifier}}.{table} WHERE org = {{org:String}} AND mentor_id = {{mentor:String}} \
                 AND period >= toDateTime({since}, 'UTC') AND period < toDateTime({until}, 'UTC')"
            )
        };
        let until = time.end.min(LAST);
        let midnight = (observed_until.div_euclid(DAY) * DAY).max(time.start);
        // Each user's first hour of the day is found in one pass. The days before have many more users, of whom only those who came
        // since are read.
        let mut all = active("active_hourly", midnight..until);
        if time.start < midnight {
            let (before, since) = (
                active("active_daily", time.start..midnight),
                active("active_hourly", observed_until..until),
            );
            all = format!("{all} UNION ALL {before} AND user IN (SELECT user FROM ({since}))");
        }
        let newcomers = format!(
            "SELECT user FROM ({all}) GROUP BY user HAVING min(period) >= toDateTime({observed_until}, 'UTC')"
        );
        let counts = if by_registration {
            let among = format!("user IN ({newcomers})");
            include_str!("../sql/cohorts_later.sql").replace("${registered}", &registered(&among))
        } else {
            include_str!("../sql/active_later.sql").replace("${newcomers}", &newcomers)
        };
        let counts = clickhouse.one::<Counts>(self.query(clickhouse, &counts)).await?;
        Ok(PeriodCounts {
            bucket: i64::try_from(bucket).unwrap_or(i64::MAX),
            users: counts.users,
            veterans: counts.veterans,
            new_users: counts.new_users,
        })
    }

    /// Selects who was active somewhere in the range; none where it is one that can have nobody.
    pub(crate) fn active_users(&self) -> Option<String> {
        let slices = slices(Grain::Week, &gaps(self.range, Grain::Week));
        let users = slices.iter().map(|slice| {
            format!(
                "SELECT user FROM {{db:Identifier}}.{} WHERE org = {{org:String}} AND mentor_id = {{mentor:String}} AND ({})",
                slice.table,
                slice.within()
            )
        });
        (!slices.is_empty()).then(|| users.collect::<Vec<_>>().join(" UNION ALL "))
    }

    /// An expression of the index of the period that an instant falls in, which is given in seconds.
    pub(crate) fn bucket_sql(&self, seconds: &str) -> String {
        let first = self.range.first_period(self.grain).start;
        match self.grain.millis() {
            Some(millis) => format!("intDiv({seconds} - ({}), {})", second(first), millis / 1000),
            None => format!(
                "toInt64(toYear(toDateTime64({seconds}, 0, 'UTC')) * 12 + toMonth(toDateTime64({seconds}, 0, 'UTC')) - 1 \
                 - ({}))",
                first.day().month_number()
            ),
        }
    }

    pub(crate) fn query(&self, clickhouse: &Connection, sql: &str) -> Query {
        let Range { start, end } = millis(self.range);
        clickhouse
            .query(sql, self.org)
            .param("mentor", self.mentor.unwrap_or_default())
            .param("since", start)
            .param("until", end)
    }
}

/// The periods of a range, of which nothing is observed.
fn gaps(range: DateRange, grain: Grain) -> Vec<Gap> {
    let (first, last) = (second(range.first_instant()), second(range.end_instant()));
    let periods = range.periods(grain).enumerate();
    let gaps = periods.map(|(bucket, period)| {
        let start = second(period.start);
        let time = start.max(first)..end_of(grain, start).min(last);
        Gap {
            bucket,
            observed_until: time.start,
            time,
        }
    });
    gaps.collect()
}

/// The periods of the activity tables that gaps are counted from: of weeks the whole ones from the weekly rollup, and the
/// days of those that the range cuts from the daily one, from which months are made too.
fn slices(grain: Grain, gaps: &[Gap]) -> Vec<Slice> {
    let tables = [
        ("active_hourly", HOUR),
        ("active_daily", DAY),
        ("active_weekly", 7 * DAY),
    ];
    let mut slices = tables.map(|(table, length)| Slice {
        table,
        length,
        periods: Vec::new(),
    });
    for Gap { time, .. } in gaps {
        // Messages date from the year 2000 on.
        let time = time.start.max(0)..time.end.min(LAST);
        if time.is_empty() {
            continue;
        }
        let [hours, days, weeks] = &mut slices;
        match grain {
            Grain::Hour => hours.periods.push(time.start),
            Grain::Week if time.end - time.start == 7 * DAY => weeks.periods.push(time.start),
            Grain::Day | Grain::Week | Grain::Month => {
                let mut day = time.start;
                while day < time.end {
                    days.periods.push(day);
                    day += DAY;
                }
            }
        }
    }
    slices
        .into_iter()
        .filter(|slice| !slice.periods.is_empty())
        .collect()
}

/// From the beginning of a range to its end, in milliseconds.
pub(crate) fn millis(range: DateRange) -> Range<i64> {
    range.first_instant().as_millis()..range.end_instant().as_millis()
}

#[cfg(test)]
mod tests {
    use events::{Day, Timestamp};

    use super::*;

    fn range(start: (i32, u32, u32), end: (i32, u32, u32)) -> DateRange {
        let day = |(y, m, d)| Day::from_ymd(y, m, d).unwrap();
        DateRange::new(day(start), day(end)).unwrap()
    }

    fn days(range: DateRange, grain: Grain) -> Vec<(&'static str, String)> {
        let day = |second: &i64| {
            let instant = Timestamp::from_millis(second * 1_000).to_rfc3339_seconds();
            instant.replace("T00:00:00Z", "").replace("2024-01-", "")
        };
        slices(grain, &gaps(range, grain))
            .iter()
            .map(|slice| {
                let days: Vec<_> = slice.periods.iter().map(day).collect();
                (slice.table, days.join(" "))
            })
            .collect()
    }

    #[test]
    fn whole_weeks_are_read_as_weeks_and_cut_ones_as_days() {
        // 2024-01-03 is a Wednesday, 2024-01-24 too.
        assert_eq!(
            days(range((2024, 1, 3), (2024, 1, 24)), Grain::Week),
            [
                ("active_daily", "03 04 05 06 07 22 23 24".into()),
                ("active_weekly", "08 15".into()),
            ]
        );
        assert_eq!(
            days(range((2024, 1, 1), (2024, 1, 14)), Grain::Week),
            [("active_weekly", "01 08".into())]
        );
        assert_eq!(
            days(range((2024, 1, 3), (2024, 1, 10)), Grain::Week),
            [("active_daily", "03 04 05 06 07 08 09 10".into())]
        );
    }

    #[test]
    fn stretches_without_a_gap_are_given_by_their_ends() {
        let slice = |periods: &[i64]| Slice {
            table: "active_daily",
            length: DAY,
            periods: periods.iter().map(|day| day * DAY).collect(),
        };
        assert_eq!(
            slice(&[1, 3, 4]).within(),
            "period IN CAST([86400,259200,345600] AS Array(DateTime('UTC')))"
        );
        assert_eq!(
            slice(&[1, 3, 4, 5, 6, 7, 8, 9, 10]).within(),
            "period BETWEEN toDateTime(259200, 'UTC') AND toDateTime(864000, 'UTC') \
             OR period IN CAST([86400] AS Array(DateTime('UTC')))"
        );
        let all = range((1970, 1, 1), (2106, 2, 6));
        let all = slices(Grain::Month, &gaps(all, Grain::Month));
        assert!(all[0].periods.len() > 49_000 && all[0].within().len() < 100);
    }

    #[test]
    fn a_range_beyond_what_a_datetime_holds_reads_nothing() {
        assert!(days(range((1900, 1, 1), (1969, 12, 31)), Grain::Day).is_empty());
        assert!(days(range((2200, 1, 1), (2200, 12, 31)), Grain::Hour).is_empty());
    }
}
