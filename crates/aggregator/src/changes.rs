//! Since when more is known of periods that have ended.
//!
//! What was observed of a period holds as long as nothing is entered here that may change it. Ingestion enters after what it
//! inserted is acknowledged and before that counts as settled; whoever observes reads the entries first. So what an
//! acknowledged event changed was visible before its entry, and an observation that saw the entry saw the change. An entry
//! says that nothing before an instant is another, and that all from then on may be.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use clickhouse::Row;
use serde::Deserialize;

use crate::{connection::Connection, error::Error};

/// Where changes are entered.
pub(crate) const CHANGES_TABLE: &str = "changes";

/// The number of seconds in an hour.
pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 24 * HOUR;

/// That more is known of what came since an instant, in seconds: a hash of all entries that say so.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
struct Change {
    since: u32,
    hash: u64,
}

/// The changes that were entered of an organisation, in the order of time, each with the hash of all up to it.
#[derive(Debug, Clone)]
pub(crate) struct Changes(Vec<Change>);

impl Changes {
    /// Of entries in any order, with hashes of their own.
    fn of(entries: Vec<Change>) -> Self {
        let mut hashes = BTreeMap::<u32, u64>::new();
        for Change { since, hash } in entries {
            let of_hour = hashes.entry(since).or_default();
            *of_hour = of_hour.wrapping_add(hash);
        }
        let mut mark = 0_u64;
        let changes = hashes.into_iter().map(|(since, hash)| {
            mark = mark.wrapping_add(hash);
            Change { since, hash: mark }
        });
        Self(changes.collect())
    }

    /// What tells a state of the entries about the time before an instant, in seconds, from any other.
    pub(crate) fn mark(&self, end: i64) -> u64 {
        let before = self.0.partition_point(|change| i64::from(change.since) < end);
        before
            .checked_sub(1)
            .and_then(|last| self.0.get(last))
            .map_or(0, |change| change.hash)
    }

    /// Until when, in seconds, these and others say the same of the past.
    fn equal_until(&self, others: &Self) -> i64 {
        let differing = self.0.iter().zip(&others.0).position(|(a, b)| a != b);
        let differing = differing.unwrap_or(self.0.len().min(others.0.len()));
        let since = [self, others].map(|changes| changes.0.get(differing).map(|change| change.since));
        since.into_iter().flatten().min().map_or(i64::MAX, i64::from)
    }
}

/// What had been entered when an observer looked last. What changes from one look to the next may change again before it is of
/// use, as it does throughout a backfill: it is not observed yet.
#[derive(Debug, Default)]
pub struct LastLook(HashMap<(String, Of), Changes>);

impl LastLook {
    /// Until when, in seconds, nothing has changed since the look before; 0 where this is the first.
    pub(crate) fn unchanged_until(&mut self, org: &str, of: Of, changes: &Changes) -> i64 {
        let before = self.0.insert((org.to_owned(), of), changes.clone());
        before.map_or(0, |before| before.equal_until(changes))
    }
}

/// Numbers the changes that a process enters.
#[derive(Debug)]
pub(crate) struct ChangeCounter {
    writer: u64,
    number: AtomicU64,
}

impl ChangeCounter {
    pub(crate) fn new() -> Self {
        Self {
            writer: rand::random(),
            number: AtomicU64::new(0),
        }
    }

    /// The writer and the number of a change that is entered now.
    pub(crate) fn next(&self) -> (u64, u64) {
        (self.writer, self.number.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// What changes what is known of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Of {
    /// Which also change all that registrations and annotations do.
    Messages,
    Registrations,
    Annotations,
}

impl Of {
    /// The length of the periods by which it is entered, in seconds. No period that is observed begins or ends within one.
    ///
    /// Messages come late seldom; what is said of a conversation or a user may well come some minutes after it began.
    pub(crate) const fn period(self) -> i64 {
        match self {
            Self::Messages => HOUR / 6,
            Self::Registrations | Self::Annotations => HOUR,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Registrations => "registrations",
            Self::Annotations => "annotations",
        }
    }
}

impl Connection {
    /// The changes that messages made, and others of this kind.
    pub(crate) async fn changes(&self, org: &str, of: Of) -> Result<Changes, Error> {
        let changes = self
            .query(include_str!("../sql/changes.sql"), org)
            .param("changes", self.settings.spread_over_shards(CHANGES_TABLE))
            .param("of", of.as_str());
        self.rows(changes).await.map(Changes::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_all_that_was_entered_before() {
        let changes = Changes(vec![
            Change { since: 0, hash: 3 },
            Change {
                since: 7_200,
                hash: 8,
            },
        ]);
        assert_eq!(changes.mark(0), 0);
        assert_eq!(changes.mark(3_600), 3);
        assert_eq!(changes.mark(7_200), 3);
        assert_eq!(changes.mark(7_201), 8);
    }

    #[test]
    fn what_changes_from_look_to_look_is_told_by_its_first_hour() {
        let changes = |entries: &[(u32, u64)]| {
            let entries = entries.iter().map(|(since, hash)| Change {
                since: *since,
                hash: *hash,
            });
            Changes(entries.collect())
        };
        let mut last = LastLook::default();
        let mut look = |entries| last.unchanged_until("acme", Of::Messages, &changes(entries));
        assert_eq!(look(&[(3_600, 1)]), 0, "the first");
        assert_eq!(look(&[(3_600, 1)]), i64::MAX);
        assert_eq!(look(&[(3_600, 1), (7_200, 2)]), 7_200, "one more");
        assert_eq!(look(&[(3_600, 1), (7_200, 3)]), 7_200, "the same again");
        assert_eq!(look(&[(0, 9), (3_600, 10), (7_200, 12)]), 0, "an earlier one");
        assert_eq!(look(&[(0, 9), (3_600, 10), (7_200, 12)]), i64::MAX);
    }
}
