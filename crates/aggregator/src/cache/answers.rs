//! What the held sets answer.

use std::ops::Range;

use events::{Grain, NewUsersBy};
use roaring::RoaringBitmap;
use tokio::time::timeout;
use tracing::warn;

use super::{
    PATIENCE,
    org::{Org, Wanted},
    sets::Activity,
};
use crate::activity::Question;

impl<'a> Question<'a> {
    /// The answer to `usage_summary`; none where the sets are not held.
    pub(crate) async fn cached_usage(&self) -> Option<Vec<u64>> {
        let count = |_: &Org, wanted: &Wanted<'_>, activity: &Activity| self.count(activity, wanted, None);
        self.with_sets(false, count).await
    }

    /// New users and veterans; none where the sets are not held.
    pub(crate) async fn cached_cohorts(&self, new_users_by: NewUsersBy) -> Option<(Vec<u64>, Vec<u64>)> {
        let (since, until) = self.instants();
        let count = |org: &Org, wanted: &Wanted<'_>, activity: &Activity| {
            let who = |within: Range<i64>| -> RoaringBitmap {
                org.users.registered(within).map(|(user, _)| user).collect()
            };
            let veterans = self.count(activity, wanted, Some(&who(i64::MIN..since)));
            let new_users = match new_users_by {
                NewUsersBy::Activity => self.count(activity, wanted, Some(&who(since..until))),
                NewUsersBy::Registration => {
                    let among = self.mentor.is_some().then(|| {
                        let all = activity.buckets(wanted.since..wanted.until, |_| 0);
                        all.into_iter().next().map(|(_, users)| users.into_owned())
                    });
                    self.registrations(org, among.map(Option::unwrap_or_default).as_ref())
                }
            };
            (new_users, veterans)
        };
        self.with_sets(true, count).await
    }

    /// Has the sets that a question wants counted, once they are as fresh as ClickHouse; none where they are not held.
    async fn with_sets<T>(
        &self,
        registrations: bool,
        count: impl FnOnce(&Org, &Wanted<'_>, &Activity) -> T,
    ) -> Option<T> {
        let (store, cache) = (self.store, &self.store.cache);
        if cache.is_off() {
            return None;
        }
        let wanted = self.wanted(registrations)?;
        let question = cache.question();
        let org = cache.held(wanted.org, question, |slot| &slot.org);
        let mut org = timeout(PATIENCE, org.lock()).await.ok()?;
        // The rest of the time is for ClickHouse to count in, if this takes too long.
        let reading = timeout(
            store.settings.query_timeout() / 3,
            org.refresh(store, &wanted, question),
        );
        match reading.await {
            Ok(Ok(true)) => org
                .activity(&wanted)
                .map(|activity| count(&org, &wanted, activity)),
            Ok(Ok(false)) => None,
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                warn!(
                    error,
                    "ClickHouse is asked for the counts: sets cannot be read into memory"
                );
                None
            }
            Err(_elapsed) => {
                org.give_up(store, wanted.org);
                None
            }
        }
    }

    /// The sets that it is about; none where the range lies where there can be no activity.
    fn wanted(&self, registrations: bool) -> Option<Wanted<'a>> {
        let seconds = |millis: i64| u32::try_from(millis.div_euclid(1000).clamp(0, i64::from(u32::MAX))).ok();
        let (since, until) = self.instants();
        let (since, until) = (seconds(since)?, seconds(until)?);
        (since < until).then_some(Wanted {
            org: self.org,
            // Weeks are made of days, by which the range may cut them.
            table: match self.grain {
                Grain::Hour => "active_hourly",
                Grain::Day | Grain::Week => "active_daily",
            },
            mentor: self.mentor.unwrap_or_default(),
            since,
            until,
            registrations,
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
    fn count(&self, activity: &Activity, wanted: &Wanted<'_>, among: Option<&RoaringBitmap>) -> Vec<u64> {
        let mut counts = self.zeros();
        let bucket = |period: u32| self.bucket(i64::from(period) * 1000);
        for (bucket, users) in activity.buckets(wanted.since..wanted.until, bucket) {
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
