//! What the held sets answer.

use events::{Grain, NewUsersBy, Timestamp};
use roaring::RoaringBitmap;

use super::{
    Source, fresh,
    org::{Org, Wanted},
    sets::Activity,
};
use crate::activity::ActivityQuery;

impl<'a> ActivityQuery<'a> {
    /// The answer to `usage_summary`; none where the sets are not held.
    pub(crate) async fn cached_usage(&self, store: &Source) -> Option<Vec<u64>> {
        let count = |_: &Org, wanted: &Wanted<'_>, activity: &Activity| self.count(activity, wanted, None);
        self.with_sets(store, false, count).await
    }

    /// New users and veterans; none where the sets are not held.
    pub(crate) async fn cached_cohorts(
        &self,
        store: &Source,
        new_users_by: NewUsersBy,
    ) -> Option<(Vec<u64>, Vec<u64>)> {
        let count = |org: &Org, wanted: &Wanted<'_>, activity: &Activity| {
            let who = |within| org.users.who_registered(within);
            let veterans = self.count(activity, wanted, Some(&who(0..wanted.since)));
            let new_users = match new_users_by {
                NewUsersBy::Activity => self.count(activity, wanted, Some(&who(wanted.since..wanted.until))),
                NewUsersBy::Registration => {
                    let among = self.mentor.is_some().then(|| {
                        let all = activity.buckets(wanted.since..wanted.until, |_| 0);
                        all.into_iter().next().map(|(_, users)| users.into_owned())
                    });
                    self.registrations(org, wanted, among.map(Option::unwrap_or_default).as_ref())
                }
            };
            (new_users, veterans)
        };
        self.with_sets(store, true, count).await
    }

    /// Has the sets that a question wants counted, once they are as fresh as ClickHouse; none where they are not held.
    async fn with_sets<T>(
        &self,
        store: &Source,
        registrations: bool,
        count: impl FnOnce(&Org, &Wanted<'_>, &Activity) -> T,
    ) -> Option<T> {
        let cache = &store.cache;
        if cache.is_off() {
            return None;
        }
        let wanted = self.wanted(registrations)?;
        let question = cache.question();
        let org = cache.held(wanted.org, question);
        let org = fresh(store, &org, &wanted, question).await?;
        let activity = org.activity(&wanted)?;
        Some(count(&org, &wanted, activity))
    }

    /// The sets that it is about; none where the range goes beyond the instants that can be held, the first of which stands
    /// for all before.
    fn wanted(&self, registrations: bool) -> Option<Wanted<'a>> {
        let seconds = |instant: Timestamp| {
            let seconds = u32::try_from(instant.as_millis() / 1000).ok();
            seconds.filter(|seconds| *seconds > 0)
        };
        Some(Wanted {
            org: self.org,
            // Weeks and months are made of days, by which the range may cut them.
            table: match self.grain {
                Grain::Hour => "active_hourly",
                Grain::Day | Grain::Week | Grain::Month => "active_daily",
            },
            mentor: self.mentor.unwrap_or_default(),
            since: seconds(self.range.first_instant())?,
            until: seconds(self.range.end_instant())?,
            registrations,
        })
    }

    fn zeros(&self) -> Vec<u64> {
        let periods = self.range.period_count(self.grain);
        vec![0; usize::try_from(periods).unwrap_or(usize::MAX)]
    }

    /// The place of the period that a second falls in.
    fn bucket(&self, second: u32) -> usize {
        let instant = Timestamp::from_millis(i64::from(second) * 1000);
        self.range.period_index(self.grain, instant).unwrap_or(usize::MAX)
    }

    /// Active users of each period, of all or of some.
    fn count(&self, activity: &Activity, wanted: &Wanted<'_>, among: Option<&RoaringBitmap>) -> Vec<u64> {
        let mut counts = self.zeros();
        let bucket = |period: u32| self.bucket(period);
        for (bucket, users) in activity.buckets(wanted.since..wanted.until, bucket) {
            if let Some(count) = counts.get_mut(bucket) {
                *count = among.map_or_else(|| users.len(), |among| users.intersection_len(among));
            }
        }
        counts
    }

    /// Users by the period that they registered in, of all or of some.
    fn registrations(&self, org: &Org, wanted: &Wanted<'_>, among: Option<&RoaringBitmap>) -> Vec<u64> {
        let mut counts = self.zeros();
        for (user, at) in org.users.registered(wanted.since..wanted.until) {
            if among.is_none_or(|among| among.contains(user))
                && let Some(count) = counts.get_mut(self.bucket(at))
            {
                *count += 1;
            }
        }
        counts
    }
}
