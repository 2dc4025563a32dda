//! Since when more is known of periods that have ended.
//!
//! What was observed of a period holds as long as nothing is entered here that may change it. Ingestion enters after what it
//! inserted is acknowledged and before that counts as settled; whoever observes reads the entries first. So what an
//! acknowledged event changed was visible before its entry, and an observation that saw the entry saw the change. An entry
//! says that nothing before its hour is another, and that all from that hour on may be.

use std::sync::atomic::{AtomicU64, Ordering};

use clickhouse::Row;
use serde::Deserialize;

use crate::{connection::Connection, error::Error};

/// The number of seconds in an hour.
pub(crate) const HOUR: i64 = 3_600;

/// That more is known of what an hour and those after it have: a hash of all entries that say so.
#[derive(Debug, Row, Deserialize)]
struct Change {
    since: u32,
    hash: u64,
}

/// The changes that were entered of an organisation, in the order of time, each with the hash of all up to it.
#[derive(Debug)]
pub(crate) struct Changes(Vec<Change>);

impl Changes {
    /// What tells a state of the entries about the time before an instant, in seconds, from any other.
    pub(crate) fn mark(&self, end: i64) -> u64 {
        let before = self.0.partition_point(|change| i64::from(change.since) < end);
        before
            .checked_sub(1)
            .and_then(|last| self.0.get(last))
            .map_or(0, |change| change.hash)
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
            .param("of", of.as_str());
        let mut changes = self.run(changes.fetch_all::<Change>()).await?;
        let mut mark = 0_u64;
        for change in &mut changes {
            mark = mark.wrapping_add(change.hash);
            change.hash = mark;
        }
        Ok(Changes(changes))
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
}
