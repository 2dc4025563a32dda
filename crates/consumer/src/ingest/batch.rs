//! Rows, dead letters and the offsets that they stand for.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::ingest::dead_letters::DeadLetter;
use crate::ingest::ledger::{Span, Spans};
use crate::ingest::record::Reason;
use crate::sink::Rows;

/// What consecutive records became. Its offsets cannot be settled without its rows and dead letters.
#[derive(Debug)]
pub(crate) struct Batch<R> {
    pub(crate) rows: R,
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) spans: Spans,
    pub(crate) tally: Tally,
    dead_letter_bytes: usize,
    first_at: Option<Instant>,
}

/// How many records had which outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) kept: u64,
    pub(crate) skipped: u64,
    /// By the code of their reason.
    pub(crate) rejected: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(crate) fn records(&self) -> u64 {
        self.kept + self.skipped + self.rejected.values().sum::<u64>()
    }

    /// Notes that the sink has refused this many of the kept records.
    pub(crate) fn refuse(&mut self, records: u64) {
        if records > 0 {
            self.kept -= records;
            *self.rejected.entry(Reason::REFUSED).or_default() += records;
        }
    }
}

impl<R: Rows> Batch<R> {
    /// A batch of no records.
    pub(crate) fn new(rows: R) -> Self {
        Self {
            rows,
            dead_letters: Vec::new(),
            spans: Spans::default(),
            tally: Tally::default(),
            dead_letter_bytes: 0,
            first_at: None,
        }
    }

    /// Adds a kept record.
    pub(crate) fn keep(&mut self, span: Span, event: &events::Event<'_>) {
        self.rows.append(event);
        self.tally.kept += 1;
        self.spans.add(span);
    }

    /// Adds a skipped record.
    pub(crate) fn skip(&mut self, span: Span) {
        self.tally.skipped += 1;
        self.spans.add(span);
    }

    /// Adds a rejected record.
    pub(crate) fn reject(&mut self, span: Span, letter: DeadLetter) {
        *self.tally.rejected.entry(letter.code()).or_default() += 1;
        self.dead_letter_bytes += letter.bytes();
        self.dead_letters.push(letter);
        self.spans.add(span);
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
