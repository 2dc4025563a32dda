//! When a batch is closed. No I/O, no clock: instants come in.

#[cfg(test)]
mod tests;

use std::mem;
use std::time::Duration;

use events::Timestamp;
use tokio::time::Instant;

use crate::ingest::batch::Batch;
use crate::settings::Settings;
use crate::sink::Rows;

/// Of batches of fewer records, one is written for at most one part in [`PAUSE_FACTOR`] of the time: each insert makes a part
/// of every table, which costs more than the rows until there are some thousands.
const SMALL_BATCH: u64 = 2_000;
const PAUSE_FACTOR: u32 = 2;
/// The maximum number of delays that a batch waits for the one before it, of whichever reason: until it is written, or long
/// enough ago.
const MAX_DELAY_FACTOR: u32 = 10;
/// While records keep coming, a batch waits for more for this many times as long as one takes to be written: the larger it is,
/// the less each record costs ClickHouse. At least for [`MAX_DELAY_FACTOR`] delays, at most for five times as long.
const GROWTH_FACTOR: u32 = 5;

/// What a batch may grow to, and how many may be on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) records: u64,
    /// Bytes of rows and dead letters.
    pub(crate) bytes: usize,
    /// How old a batch becomes once everything is read and no other is on its way.
    pub(crate) delay: Duration,
    pub(crate) in_flight: usize,
}

/// The open batch, and what is known of those before it.
#[derive(Debug)]
pub(crate) struct Batcher<R> {
    limits: Limits,
    open: Batch<R>,
    in_flight: usize,
    closed_at: Option<Instant>,
    /// How long a batch takes to be written, lately.
    write_time: Duration,
    /// Whether every record that has come is read.
    caught_up: bool,
}

impl Limits {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            records: u64::try_from(settings.batch_records.get()).unwrap_or(u64::MAX),
            bytes: settings.budget().batch,
            delay: settings.batch_delay(),
            in_flight: usize::from(settings.batches_in_flight.get()),
        }
    }
}

impl<R: Rows> Batcher<R> {
    /// A batcher whose first batch collects `rows`.
    pub(crate) fn new(limits: Limits, rows: R) -> Self {
        Self {
            limits,
            open: Batch::new(rows),
            in_flight: 0,
            closed_at: None,
            write_time: Duration::ZERO,
            caught_up: false,
        }
    }

    /// Lets no batch grow larger than that, in bytes.
    pub(crate) fn limit_bytes(&mut self, bytes: usize) {
        self.limits.bytes = self.limits.bytes.min(bytes);
    }

    /// The batch that records are added to.
    pub(crate) const fn open(&mut self) -> &mut Batch<R> {
        &mut self.open
    }

    /// The least timestamp that records of the open batch have in Kafka.
    pub(crate) const fn oldest(&self) -> Option<Timestamp> {
        self.open.oldest
    }

    /// Notes that records may have been added by now: the age of a batch counts from its first.
    pub(crate) fn touch(&mut self, now: Instant) {
        if !self.is_empty() {
            self.open.touch(now);
        }
    }

    /// Notes whether every record that has come is read, so that there is nothing more to wait for.
    pub(crate) const fn set_caught_up(&mut self, caught_up: bool) {
        self.caught_up = caught_up;
    }

    /// Whether every record that has come is read.
    pub(crate) const fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    /// Whether the open batch has no record.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.tally.records() == 0
    }

    /// Whether nothing more may be added.
    pub(crate) fn is_full(&self) -> bool {
        self.open.tally.records() >= self.limits.records || self.open.bytes() >= self.limits.bytes
    }

    /// Whether another batch may be sent on its way.
    pub(crate) const fn has_room(&self) -> bool {
        self.in_flight < self.limits.in_flight
    }

    /// When the open batch is closed, full or not; never while there is no room for it.
    pub(crate) fn due(&self) -> Option<Instant> {
        let first_at = self.open.first_at().filter(|_| self.has_room())?;
        let max_delay = self.limits.delay * MAX_DELAY_FACTOR;
        let delay = match (self.caught_up, self.in_flight) {
            (true, 0) => self.limits.delay,
            (true, _) => max_delay,
            (false, _) => (self.write_time * GROWTH_FACTOR).clamp(max_delay, max_delay * 5),
        };
        let is_small = self.open.tally.records() < SMALL_BATCH;
        let pause = (self.write_time * PAUSE_FACTOR).min(max_delay);
        let spaced = self.closed_at.filter(|_| is_small).map(|at| at + pause);
        let due = first_at + delay;
        Some(spaced.map_or(due, |spaced| due.max(spaced)))
    }

    /// Closes the open batch, which is on its way from then on, and opens another that collects `rows`.
    pub(crate) fn close(&mut self, now: Instant, rows: R) -> Batch<R> {
        self.closed_at = Some(now);
        self.in_flight += 1;
        mem::replace(&mut self.open, Batch::new(rows))
    }

    /// Notes that a batch is no longer on its way.
    pub(crate) const fn arrived(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Notes how long one has taken to be written. One that took longer than any other waits for is as good as none: what it
    /// waited for is over.
    pub(crate) fn note_write_time(&mut self, time: Duration) {
        let longest = self.limits.delay * MAX_DELAY_FACTOR;
        self.write_time = (self.write_time + time.min(longest)) / 2;
    }
}
