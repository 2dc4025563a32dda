//! The mentors and the topics of an organisation, with how many conversations each has.

use std::{cmp::Reverse, collections::HashMap};

use events::TranscriptFilter;
use futures::future::try_join;

use crate::{
    changes::DAY,
    error::Error,
    listing::Listing,
    observed::{By, Observed, Urgency},
    store::Store,
};

/// How many are told at most.
const MOST: usize = 1_000;

/// The beginning of the time that a `DateTime` cannot hold.
const END: i64 = 1 << 32;

impl Store {
    /// The mentors that conversations of the range of a filter began with, and with how many each, most first.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn mentors(&self, org: &str, range: &TranscriptFilter) -> Result<Vec<(String, u64)>, Error> {
        self.values(org, By::Mentor, range).await
    }

    /// The topics of conversations of the range of a filter, trimmed and case-folded, and of how many each is, most first.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn topics(&self, org: &str, range: &TranscriptFilter) -> Result<Vec<(String, u64)>, Error> {
        self.values(org, By::Topic, range).await
    }

    async fn values(&self, org: &str, by: By, range: &TranscriptFilter) -> Result<Vec<(String, u64)>, Error> {
        let Some(days) = Listing::new(org, range).map(|listing| listing.days()) else {
            return Ok(Vec::new());
        };
        let (changes, of_any) = try_join(
            self.clickhouse.changes(org, by.changed_by()),
            self.clickhouse.observed_counts(org, by, ""),
        )
        .await?;
        let observed = Observed::of(by, &changes, of_any.clone(), "");
        let mut totals = match &observed {
            Some(observed) => {
                let holding = of_any
                    .iter()
                    .filter(|count| days.contains(&count.day()) && observed.has(by, &changes, count));
                self.clickhouse.observed_values(org, by, holding).await?
            }
            None => HashMap::new(),
        };
        let since = observed.map_or(0, |observed| observed.until);
        let time = since.max(i64::from(*days.start()) * DAY)..END.min((i64::from(*days.end()) + 1) * DAY);
        if !time.is_empty() {
            let begun = self
                .clickhouse
                .count_begun(Urgency::Asked, org, by, &time, DAY)
                .await?;
            for (value, conversations) in begun.into_values().flatten() {
                *totals.entry(value).or_default() += conversations;
            }
        }
        // Any or none.
        totals.remove("");
        let mut totals: Vec<_> = totals.into_iter().filter(|(_, count)| *count > 0).collect();
        totals.sort_unstable_by(|(a, of_a), (b, of_b)| (Reverse(of_a), a).cmp(&(Reverse(of_b), b)));
        totals.truncate(MOST);
        Ok(totals)
    }
}
