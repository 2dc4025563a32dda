//! Who registered when: `new_users` by registration.

use std::ops::Range;

use clickhouse::Row;
use events::{Day, Grain, Timestamp};
use serde::Deserialize;

use crate::{
    activity::{ActivityQuery, millis},
    connection::Connection,
    error::Error,
    observed_users::{Observations, ObservedUsers, end_of, second},
    registered::{registered, registered_within, within_ranges},
};

/// The maximum number of stretches of time that are looked for; more are one.
const STRETCHES: usize = 16;

/// How many registered in a period, which is given by its position in the range.
#[derive(Debug, Row, Deserialize)]
struct PeriodCount {
    bucket: i64,
    users: u64,
}

impl ActivityQuery<'_> {
    /// Users by the period that they registered in; with a mentor, of those who were active with it somewhere in the range.
    pub(crate) async fn registrations(
        &self,
        clickhouse: &Connection,
        observed: &Observations,
    ) -> Result<Vec<u64>, Error> {
        let periods = self.range.period_count(self.grain);
        let mut counts = vec![0; usize::try_from(periods).unwrap_or(usize::MAX)];
        let stretches = match self.mentor {
            Some(_) => vec![millis(self.range)],
            None if self.sum_of() == self.grain => self.observed_registrations(observed, &mut counts),
            None => {
                let observed = self.observed(clickhouse, self.sum_of(), false).await?;
                self.observed_registrations(&observed, &mut counts)
            }
        };
        if stretches.is_empty() {
            return Ok(counts);
        }
        let among = match self.mentor {
            None => registered_within(&stretches),
            Some(_) => match self.active_users() {
                Some(active) => format!("user IN ({active})"),
                None => return Ok(counts),
            },
        };
        let sql = include_str!("../sql/registrations.sql")
            .replace("${bucket}", &self.bucket_sql("intDiv(registered, 1000)"))
            .replace("${registered}", &registered(&among))
            .replace("${within}", &within_ranges("registered", &stretches));
        let found = self.query(clickhouse, &sql);
        for found in clickhouse.rows::<PeriodCount>(found).await? {
            let bucket = usize::try_from(found.bucket).ok();
            if let Some(count) = bucket.and_then(|bucket| counts.get_mut(bucket)) {
                *count += found.users;
            }
        }
        Ok(counts)
    }

    /// The grain of the periods that registrations are summed up from: the range may cut longer ones.
    const fn sum_of(&self) -> Grain {
        match self.grain {
            Grain::Hour => Grain::Hour,
            Grain::Day | Grain::Week | Grain::Month => Grain::Day,
        }
    }

    /// Adds what is observed of registrations to the periods that they fall in. Returns the stretches of time of which nothing
    /// is, in milliseconds.
    fn observed_registrations(&self, observations: &Observations, counts: &mut [u64]) -> Vec<Range<i64>> {
        let grain = self.sum_of();
        let mut observed = Vec::new();
        let mut stretches: Vec<Range<i64>> = Vec::new();
        for period in self.range.periods(grain) {
            let start = second(period.start);
            let end = end_of(grain, start);
            let found = observations.of(start, end);
            observed.extend(found.map(|found| (start, found.registered)));
            let since = found.map_or(start, ObservedUsers::until);
            if since < end {
                match stretches.last_mut() {
                    Some(last) if last.end == since * 1_000 => last.end = end * 1_000,
                    _ => stretches.push(since * 1_000..end * 1_000),
                }
            }
        }
        if let (STRETCHES.., Some(first), Some(last)) = (stretches.len(), stretches.first(), stretches.last())
        {
            // From the beginning of a period on.
            let start = first.start.div_euclid(Day::MILLIS) * Day::MILLIS;
            let hull = start..last.end;
            stretches = vec![hull];
        }
        for (start, registered) in observed {
            let instant = Timestamp::from_millis(start * 1_000);
            let is_counted = stretches
                .iter()
                .any(|stretch| stretch.contains(&instant.as_millis()));
            let bucket = self.range.period_index(self.grain, instant);
            if !is_counted && let Some(count) = bucket.and_then(|bucket| counts.get_mut(bucket)) {
                *count += registered;
            }
        }
        stretches
    }
}
