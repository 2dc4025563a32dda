//! Rows, dead letters and the offsets that they stand for.

use std::collections::BTreeMap;

use events::Timestamp;
use tokio::time::Instant;

use crate::ingest::breaker::Kinds;
use crate::ingest::dead_letters::DeadLetter;
use crate::ingest::ledger::{Span, Spans};
use crate::ingest::record::Reason;
use crate::sink::Rows;

/// What consecutive records became. Its offsets cannot be settled without its rows and dead letters.
#[derive(Debug)]
pub(crate) struct Batch<R> {
    pub(crate) rows: R,
    /// Of its events.
    pub(crate) kinds: Kinds,
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) spans: Spans,
    /// Of offsets that cannot be read, again or at all.
    pub(crate) unreadable: Spans,
    pub(crate) tally: Tally,
    /// The least timestamp that its records have in Kafka.
    pub(crate) oldest: Option<Timestamp>,
    dead_letter_bytes: usize,
    first_at: Option<Instant>,
}

/// How many records had which outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) kept: u64,
    pub(crate) skipped: TypeCounts,
    /// By the code of their reason.
    pub(crate) rejected: BTreeMap<&'static str, u64>,
    /// Offsets that were passed over.
    pub(crate) unreadable: u64,
}

impl Tally {
    pub(crate) fn records(&self) -> u64 {
        self.kept + self.skipped.sum() + self.rejected.values().sum::<u64>() + self.unreadable
    }

    /// Notes that the sink has refused this many of the kept records.
    pub(crate) fn refuse(&mut self, records: u64) {
        if records > 0 {
            self.kept -= records;
            *self.rejected.entry(Reason::REFUSED).or_default() += records;
        }
    }
}

/// Counts of skipped records by their type. A producer may make up any number of names, of any length: those beyond the
/// first [`TypeCounts::MAX_NAMES`] count as `other`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TypeCounts(BTreeMap<String, u64>);

impl TypeCounts {
    const MAX_NAMES: usize = 20;
    const MAX_CHARACTERS: usize = 100;
    const OTHER: &str = "other";

    /// Adds to the count of a type. The name that it is counted by, and whether that is new.
    pub(crate) fn add(&mut self, event_type: &str, count: u64) -> (String, bool) {
        let mut name: String = event_type.chars().take(Self::MAX_CHARACTERS).collect();
        if self.0.len() >= Self::MAX_NAMES && !self.0.contains_key(&name) {
            Self::OTHER.clone_into(&mut name);
        }
        let known = self.0.entry(name.clone()).or_default();
        let is_new = *known == 0;
        *known += count;
        (name, is_new)
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.values().sum()
    }

    /// The names with their counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, count)| (name.as_str(), *count))
    }
}

impl<R: Rows> Batch<R> {
    /// A batch of no records.
    pub(crate) fn new(rows: R) -> Self {
        Self {
            rows,
            kinds: Kinds::default(),
            dead_letters: Vec::new(),
            spans: Spans::default(),
            unreadable: Spans::default(),
            tally: Tally::default(),
            oldest: None,
            dead_letter_bytes: 0,
            first_at: None,
        }
    }

    /// Adds a kept record.
    pub(crate) fn keep(&mut self, span: Span, event: &events::Event<'_>) {
        self.rows.append(event);
        self.kinds.add(event);
        self.tally.kept += 1;
        self.add(span);
    }

    /// Adds a skipped record.
    pub(crate) fn skip(&mut self, span: Span, event_type: &str) {
        self.tally.skipped.add(event_type, 1);
        self.add(span);
    }

    /// Adds a rejected record.
    pub(crate) fn reject(&mut self, span: Span, letter: DeadLetter) {
        *self.tally.rejected.entry(letter.code()).or_default() += 1;
        self.dead_letter_bytes += letter.bytes();
        self.dead_letters.push(letter);
        self.add(span);
    }

    fn add(&mut self, span: Span) {
        self.oldest = [self.oldest, span.timestamp()].into_iter().flatten().min();
        self.spans.add(span);
    }

    /// Adds offsets that cannot be read.
    pub(crate) fn pass_over(&mut self, span: Span, offsets: u64) {
        self.tally.unreadable += offsets;
        self.unreadable.add(span);
    }

    /// When the first record was added, as [`Batch::touch`] has noted.
    pub(crate) const fn first_at(&self) -> Option<Instant> {
        self.first_at
    }

    /// Notes the instant, unless an earlier one is noted.
    pub(crate) fn touch(&mut self, now: Instant) {
        self.first_at.get_or_insert(now);
    }

    /// How much memory it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.rows.bytes() + self.dead_letter_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_beyond_the_first_twenty_are_counted_together() {
        let mut counts = TypeCounts::default();
        let long = "t".repeat(1_000);
        for event_type in (0..30).map(|number| format!("{number}")).chain([long]) {
            counts.add(&event_type, 2);
            counts.add(&event_type, 1);
        }
        assert_eq!(counts.add("7", 1), ("7".to_owned(), false));
        assert_eq!(counts.sum(), 94);
        assert_eq!(counts.iter().count(), TypeCounts::MAX_NAMES + 1);
        assert_eq!(counts.0["other"], 33);
        let name = TypeCounts::default().add(&"é".repeat(1_000), 1).0;
        assert_eq!(name, "é".repeat(TypeCounts::MAX_CHARACTERS));
    }
}
