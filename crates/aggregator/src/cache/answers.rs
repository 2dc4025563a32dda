//! What the held sets answer.

use std::ops::Range;

use events::{Grain, NewUsersBy};
use roaring::RoaringBitmap;
use tracing::warn;

use super::{
    org::{Org, Wanted, WantedActivity},
    sets::Activity,
};
use crate::{Error, activity::Question};

impl<'a> Question<'a> {
    /// The answer to `usage_summary`; none where the sets are not held.
    pub(crate) async fn cached_usage(&self) -> Result<Option<Vec<u64>>, Error> {
        let Some(window) = self.window() else {
            return Ok(None);
        };
        let wanted = Wanted {
            org: self.org,
            activity: Some(window),
            registrations: false,
        };
        self.with_sets(&wanted, |org| {
            org.activity(&window)
                .map(|activity| self.count(activity, &window, None))
        })
        .await
    }

    /// New users and veterans; none where the sets are not held.
    pub(crate) async fn cached_cohorts(
        &self,
        new_users_by: NewUsersBy,
    ) -> Result<Option<(Vec<u64>, Vec<u64>)>, Error> {
        let Some(window) = self.window() else {
            return Ok(None);
        };
        let wanted = Wanted {
            org: self.org,
            activity: Some(window),
            registrations: true,
        };
        let (since, until) = self.instants();
        self.with_sets(&wanted, |org| {
            let activity = org.activity(&window)?;
            let who = |within: Range<i64>| -> RoaringBitmap {
                org.users.registered(within).map(|(user, _)| user).collect()
            };
            let veterans = self.count(activity, &window, Some(&who(i64::MIN..since)));
            let new_users = match new_users_by {
                NewUsersBy::Activity => self.count(activity, &window, Some(&who(since..until))),
                NewUsersBy::Registration => {
                    let among = self.mentor.is_some().then(|| {
                        let all = activity.buckets(window.since..window.until, |_| 0);
                        all.into_iter().next().map(|(_, users)| users.into_owned())
                    });
                    self.registrations(org, among.map(Option::unwrap_or_default).as_ref())
                }
            };
            Some((new_users, veterans))
        })
        .await
    }

    /// Has the sets that a question wants counted, once they are as fresh as ClickHouse; none where they are not held.
    async fn with_sets<T>(
        &self,
        wanted: &Wanted<'_>,
        count: impl FnOnce(&Org) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let cache = &self.store.cache;
        if cache.is_off() {
            return Ok(None);
        }
        let question = cache.question();
        let org = cache.org(wanted.org, question);
        let mut org = org.lock().await;
        match org.refresh(self.store, wanted, question).await {
            Ok(true) => Ok(count(&org)),
            Ok(false) => Ok(None),
            Err(error) if error.is_transient() => Err(error),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                warn!(
                    error,
                    "ClickHouse is asked for the counts: sets cannot be read into memory"
                );
                Ok(None)
            }
        }
    }

    /// The activity that is asked about; none where the range lies where there can be none.
    fn window(&self) -> Option<WantedActivity<'a>> {
        let seconds = |millis: i64| u32::try_from(millis.div_euclid(1000).clamp(0, i64::from(u32::MAX))).ok();
        let (since, until) = self.instants();
        let (since, until) = (seconds(since)?, seconds(until)?);
        (since < until).then_some(WantedActivity {
            // Weeks are made of days, by which the range may cut them.
            table: match self.grain {
                Grain::Hour => "active_hourly",
                Grain::Day | Grain::Week => "active_daily",
            },
            mentor: self.mentor.unwrap_or_default(),
            since,
            until,
        })
    }

    /// The range in milliseconds; its end is excluded.
    fn instants(&self) -> (i64, i64) {
        (
            self.range.first_instant().as_millis(),
            self.range.end_instant().as_millis(),
        )
    }

    fn zeros(&self) -> Vec<u64> {
        let periods = self.range.period_count(self.grain);
        vec![0; usize::try_from(periods).unwrap_or(usize::MAX)]
    }

    /// The place of the period that an instant in milliseconds falls in.
    fn bucket(&self, instant: i64) -> usize {
        let first = self.range.first_period(self.grain).start.as_millis();
        usize::try_from((instant - first).div_euclid(self.grain.millis())).unwrap_or(usize::MAX)
    }

    /// Active users of each period, of all or of some.
    fn count(
        &self,
        activity: &Activity,
        window: &WantedActivity<'_>,
        among: Option<&RoaringBitmap>,
    ) -> Vec<u64> {
        let mut counts = self.zeros();
        let bucket = |period: u32| self.bucket(i64::from(period) * 1000);
        for (bucket, users) in activity.buckets(window.since..window.until, bucket) {
            if let Some(count) = counts.get_mut(bucket) {
                *count = among.map_or_else(|| users.len(), |among| users.intersection_len(among));
            }
        }
        counts
    }

    /// Users by the period that they registered in, of all or of some.
    fn registrations(&self, org: &Org, among: Option<&RoaringBitmap>) -> Vec<u64> {
        let mut counts = self.zeros();
        let (since, until) = self.instants();
        for (user, at) in org.users.registered(since..until) {
            if among.is_none_or(|among| among.contains(user))
                && let Some(count) = counts.get_mut(self.bucket(at))
            {
                *count += 1;
            }
        }
        counts
    }
}
