//! Who was active when: `usage-summary` and `user-cohorts-over-time`.

use std::ops::Range;

use clickhouse::{Row, query::Query};
use events::{DateRange, Day, Grain, NewUsersBy};
use futures::future::try_join;
use serde::Deserialize;

use crate::{connection::Connection, error::Error};

/// The count of a period, which is given by its position in the range.
#[derive(Debug, Row, Deserialize)]
struct PeriodCount {
    bucket: i64,
    users: u64,
    /// Whether the rows that were counted are in several parts of the table, so that a user may be among them twice.
    spans_parts: bool,
}

/// How users are counted in the activity tables.
#[derive(Debug, Clone, Copy)]
enum Count<'a> {
    /// In all periods, by the rows that the parts have. A part has each row once: its rows were merged when it was made, by an
    /// insert or a merge.
    /// <https://clickhouse.com/docs/operations/settings/settings#optimize_on_insert>
    PerPart,
    /// In the periods that begin at these seconds, distinct users.
    Distinct(&'a [i64]),
}

/// A stretch of one of the activity tables.
#[derive(Debug, PartialEq, Eq)]
struct Slice {
    table: &'static str,
    /// Whether the table has one period for each that is asked for; else it has several.
    whole: bool,
    /// In milliseconds.
    time: Range<i64>,
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
        self.counts(clickhouse, include_str!("../sql/usage.sql"), i64::MIN..i64::MAX)
            .await
    }

    /// New users and veterans of each period.
    pub(crate) async fn cohorts(
        &self,
        clickhouse: &Connection,
        new_users_by: NewUsersBy,
    ) -> Result<(Vec<u64>, Vec<u64>), Error> {
        let active = include_str!("../sql/active_cohort.sql");
        let new = match (new_users_by, self.mentor) {
            (NewUsersBy::Activity, _) => active,
            (NewUsersBy::Registration, None) => include_str!("../sql/registrations_by_period.sql"),
            (NewUsersBy::Registration, Some(_)) => {
                include_str!("../sql/registrations_by_period_with_mentor.sql")
            }
        };
        let Range { start, end } = millis(self.range);
        try_join(
            self.counts(clickhouse, new, start..end),
            self.counts(clickhouse, active, i64::MIN..start),
        )
        .await
    }

    /// Runs a statement of `sql/` that returns buckets, and fills in those that it does not return. `registered` is when the
    /// users that are counted did, in milliseconds.
    ///
    /// What is in one part, as most of the past is, is counted by rows; the rest is counted a second time, by users.
    async fn counts(
        &self,
        clickhouse: &Connection,
        statement: &str,
        registered: Range<i64>,
    ) -> Result<Vec<u64>, Error> {
        let periods = self.range.period_count(self.grain);
        let mut counts = vec![0; usize::try_from(periods).unwrap_or(usize::MAX)];
        let mut fill = |bucket: i64, users| {
            if let Some(count) = usize::try_from(bucket)
                .ok()
                .and_then(|bucket| counts.get_mut(bucket))
            {
                *count = users;
            }
        };
        let run = async |count: Count<'_>| match self.query(clickhouse, statement, &registered, count) {
            Some(query) => clickhouse.run(query.fetch_all::<PeriodCount>()).await,
            None => Ok(Vec::new()),
        };
        let mut spanning = Vec::new();
        for period in run(Count::PerPart).await? {
            if period.spans_parts {
                let period = self.range.period(self.grain, period.bucket);
                spanning.push(period.start.as_millis().div_euclid(1000));
            } else {
                fill(period.bucket, period.users);
            }
        }
        if !spanning.is_empty() {
            for period in run(Count::Distinct(&spanning)).await? {
                fill(period.bucket, period.users);
            }
        }
        Ok(counts)
    }

    /// An expression of the index of the period that an instant falls in, which is given in seconds.
    fn bucket_sql(&self, seconds: &str) -> String {
        let first = self.range.first_period(self.grain).start;
        match self.grain.millis() {
            Some(millis) => format!(
                "intDiv({seconds} - ({}), {})",
                first.as_millis().div_euclid(1000),
                millis / 1000
            ),
            None => format!(
                "toInt64(toYear(toDateTime64({seconds}, 0, 'UTC')) * 12 + toMonth(toDateTime64({seconds}, 0, 'UTC')) - 1 \
                 - ({}))",
                first.day().month_number()
            ),
        }
    }

    /// The query of a statement; none where it reads activity and the range is one that can have none.
    fn query(
        &self,
        clickhouse: &Connection,
        statement: &str,
        registered: &Range<i64>,
        count: Count<'_>,
    ) -> Option<Query> {
        let mut slices = slices(self.range, self.grain);
        if let Count::Distinct(_) = count {
            slices.retain(|slice| slice.whole);
        }
        let fill = |statement: &str| -> Vec<String> {
            let filled = slices.iter().map(|slice| slice.fill(statement, count));
            filled.collect()
        };
        let sql = if statement.contains("${slice}") {
            // No period is in two slices, so each is counted by itself.
            fill(statement).join(" UNION ALL ")
        } else {
            let users = fill("SELECT user FROM ${table} WHERE ${slice}");
            statement.replace("${users}", &users.join(" UNION ALL "))
        };
        if slices.is_empty() && (statement.contains("${slice}") || statement.contains("${users}")) {
            return None;
        }
        let sql = sql
            .replace("${registered}", include_str!("../sql/registered.sql"))
            .replace("${bucket}", &self.bucket_sql("toInt64(toUnixTimestamp(period))"))
            .replace(
                "${registered_bucket}",
                &self.bucket_sql("intDiv(registered, 1000)"),
            );
        let query = clickhouse
            .query(&sql, self.org)
            // Each replica that takes part in a query numbers the parts itself.
            .with_setting("max_parallel_replicas", "1")
            .param("mentor", self.mentor.unwrap_or_default())
            .param("since", registered.start)
            .param("until", registered.end);
        Some(query)
    }
}

impl Slice {
    /// A statement about this slice. All that is put into the text is numbers and names of tables and columns.
    fn fill(&self, statement: &str, count: Count<'_>) -> String {
        let (since, until) = (self.time.start / 1000, self.time.end / 1000);
        let among = match count {
            Count::PerPart => String::new(),
            Count::Distinct(periods) => {
                let periods: Vec<String> = periods.iter().map(i64::to_string).collect();
                format!(
                    "AND period IN CAST([{}] AS Array(DateTime('UTC')))",
                    periods.join(",")
                )
            }
        };
        let rows = format!(
            "org = {{org:String}} AND mentor_id = {{mentor:String}} \
             AND period >= toDateTime({since}, 'UTC') AND period < toDateTime({until}, 'UTC') {among}"
        );
        let group = if self.whole { "period" } else { "bucket" };
        let (users, users_if, spans_parts) = match count {
            Count::PerPart if self.whole => ("count()", "countIf(", "min(_part_index) < max(_part_index)"),
            // A bucket of several periods may have a user in each, as a period of several parts.
            Count::PerPart | Count::Distinct(_) => ("uniqExact(user)", "uniqExactIf(user, ", "0"),
        };
        statement
            .replace("${group}", group)
            .replace("${spans_parts}", spans_parts)
            .replace("${table}", self.table)
            .replace("${slice}", &rows)
            .replace("${users_if}(", users_if)
            .replace("${users_of_bucket}", users)
    }
}

/// The stretches of the activity tables that hold a range: of weeks, the whole ones from the weekly rollup and
/// the days of those that the range cuts from the daily one, from which months are made too.
fn slices(range: DateRange, grain: Grain) -> Vec<Slice> {
    const WEEK: i64 = 7 * Day::MILLIS;
    let Range { start, end } = millis(range);
    let slices = match grain {
        Grain::Hour => vec![("active_hourly", true, start..end)],
        Grain::Day => vec![("active_daily", true, start..end)],
        Grain::Month => vec![("active_daily", false, start..end)],
        Grain::Week => {
            let monday = range.first_period(Grain::Week).start.as_millis();
            let first_whole = if monday == start { start } else { monday + WEEK };
            let last_whole = monday + (end - monday) / WEEK * WEEK;
            let whole = if first_whole < last_whole {
                first_whole..last_whole
            } else {
                end..end
            };
            vec![
                ("active_daily", false, start..whole.start),
                ("active_weekly", true, whole.clone()),
                ("active_daily", false, whole.end..end),
            ]
        }
    };
    // The period of a rollup is a DateTime, which ends in the year 2106; messages date from the year 2000 on.
    let clamp = |millis: i64| millis.clamp(0, i64::from(u32::MAX) * 1000);
    let slices = slices.into_iter().map(|(table, whole, time)| Slice {
        table,
        whole,
        time: clamp(time.start)..clamp(time.end),
    });
    slices.filter(|slice| !slice.time.is_empty()).collect()
}

/// From the beginning of a range to its end, in milliseconds.
fn millis(range: DateRange) -> Range<i64> {
    range.first_instant().as_millis()..range.end_instant().as_millis()
}

#[cfg(test)]
mod tests {
    use events::Timestamp;

    use super::*;

    fn range(start: (i32, u32, u32), end: (i32, u32, u32)) -> DateRange {
        let day = |(y, m, d)| Day::from_ymd(y, m, d).unwrap();
        DateRange::new(day(start), day(end)).unwrap()
    }

    fn stretches(range: DateRange, grain: Grain) -> Vec<(&'static str, String, String)> {
        let day = |millis| {
            Timestamp::from_millis(millis)
                .to_rfc3339_seconds()
                .replace("T00:00:00Z", "")
        };
        slices(range, grain)
            .iter()
            .map(|s| (s.table, day(s.time.start), day(s.time.end)))
            .collect()
    }

    #[test]
    fn whole_weeks_are_read_as_weeks_and_cut_ones_as_days() {
        // 2024-01-03 is a Wednesday, 2024-01-24 too.
        assert_eq!(
            stretches(range((2024, 1, 3), (2024, 1, 24)), Grain::Week),
            [
                ("active_daily", "2024-01-03".into(), "2024-01-08".into()),
                ("active_weekly", "2024-01-08".into(), "2024-01-22".into()),
                ("active_daily", "2024-01-22".into(), "2024-01-25".into()),
            ]
        );
        assert_eq!(
            stretches(range((2024, 1, 1), (2024, 1, 14)), Grain::Week),
            [("active_weekly", "2024-01-01".into(), "2024-01-15".into())]
        );
        assert_eq!(
            stretches(range((2024, 1, 3), (2024, 1, 10)), Grain::Week),
            [("active_daily", "2024-01-03".into(), "2024-01-11".into())]
        );
    }

    #[test]
    fn a_range_beyond_what_a_datetime_holds_reads_nothing() {
        assert!(slices(range((1900, 1, 1), (1969, 12, 31)), Grain::Day).is_empty());
        assert!(slices(range((2200, 1, 1), (2200, 12, 31)), Grain::Hour).is_empty());
    }
}
