//! The loop itself, and what it holds.

use std::future::ready;
use std::time::Duration;

use events::Timestamp;
use futures::{FutureExt, StreamExt};
use metrics::{counter, gauge};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at};
use tracing::{debug, error, warn};

use super::Summary;
use crate::batcher::{Batcher, Limits};
use crate::client::CUT_OFF;
use crate::dead_letters::DeadLetter;
use crate::delivery::{Courier, Delivered, Halt};
use crate::ledger::{Jump, Offset, Partition, Span};
use crate::record::{Outcome, outcome};
use crate::sink::Sink;
use crate::source::Source;
use crate::{Error, Settings, metric};

/// How often settled offsets are committed.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How long nothing is read before partitions are paused. Pausing drops what was fetched ahead, so a short wait is
/// simply waited out; a long one is polled through, or the group would evict us.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many records are taken before anything else is looked at.
const RUN: usize = 1_024;

/// Records on their way from the source to their receipts.
pub(super) struct Pipeline<'a, S: Sink, C> {
    settings: &'a Settings,
    source: &'a Source,
    courier: Courier<S>,
    clock: C,
    batcher: Batcher<S::Rows>,
    deliveries: JoinSet<Result<Delivered, Halt>>,
    in_flight_bytes: usize,
    /// The commit that is on its way, at most one.
    commits: JoinSet<bool>,
    reading: Reading,
    summary: Summary,
}

/// Whether records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As they come.
    Open,
    /// Not at all since then: the open batch is full, and as many as may be are on their way.
    Held(Instant),
    /// Polled, with all partitions paused.
    Paused,
}

impl<'a, S: Sink, C: Fn() -> Timestamp> Pipeline<'a, S, C> {
    pub(super) fn new(settings: &'a Settings, source: &'a Source, courier: Courier<S>, clock: C) -> Self {
        Self {
            settings,
            source,
            clock,
            batcher: Batcher::new(Limits::of(settings), courier.sink.rows()),
            courier,
            deliveries: JoinSet::new(),
            in_flight_bytes: 0,
            commits: JoinSet::new(),
            reading: Reading::Open,
            summary: Summary::default(),
        }
    }

    /// Reads, decodes and batches records, has batches written and settled, and commits, until the run is to
    /// end or cannot go on.
    pub(super) async fn flow(&mut self) -> Result<(), Error> {
        let mut records = self.source.records();
        let mut ticks = interval(COMMIT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let halt = self.courier.halt.clone();
        loop {
            let (due, patience, reads) = (self.batcher.due(), self.patience(), self.reads());
            tokio::select! {
                biased;
                () = halt.cancelled() => return Ok(()),
                Some(delivery) = self.deliveries.join_next() => self.settled(delivery)?,
                _ = ticks.tick() => {
                    let after = self.source.cut_off_for();
                    if after > CUT_OFF {
                        return Err(Error::CutOff { after });
                    }
                    self.commit();
                }
                () = at(due) => self.dispatch(),
                () = at(patience) => self.pause(),
                Some(record) = records.next(), if reads => {
                    let now = (self.clock)();
                    self.take(record, now)?;
                    for _ in 1..RUN {
                        if !self.reads() { break }
                        let Some(Some(record)) = records.next().now_or_never() else { break };
                        self.take(record, now)?;
                    }
                    self.batcher.dry(false);
                }
                // Looked at last: there was no record to read.
                () = ready(()), if reads && !self.batcher.is_dry() => self.batcher.dry(true),
            }
            self.steer();
        }
    }

    /// Has the open batch written and waits for all that are on their way, until the deadline.
    pub(super) async fn drain(&mut self, deadline: Instant) -> Result<(), Error> {
        if !self.batcher.is_empty() {
            self.dispatch();
        }
        while let Ok(Some(delivery)) = timeout_at(deadline, self.deliveries.join_next()).await {
            self.settled(delivery)?;
        }
        if !self.deliveries.is_empty() {
            warn!(
                batches = self.deliveries.len(),
                "not written in time: their records will be read again"
            );
            self.deliveries.abort_all();
        }
        Ok(())
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary.clone()
    }

    /// Decodes a record and batches what comes of it.
    fn take(&mut self, record: KafkaResult<BorrowedMessage<'_>>, now: Timestamp) -> Result<(), Error> {
        let record = match record {
            Ok(record) => record,
            Err(error @ KafkaError::MessageConsumptionFatal(_)) => return Err(Error::Consumer(error)),
            Err(error) => {
                let code = error
                    .rdkafka_error_code()
                    .map_or_else(|| "none".to_owned(), |code| format!("{code:?}"));
                counter!(metric::KAFKA_ERRORS, "code" => code).increment(1);
                warn!(topic = self.settings.topic, "kafka: {error}");
                return Ok(());
            }
        };
        let Some(span) = self.position(&record) else {
            return Ok(());
        };
        match outcome(&record, self.settings.max_record_bytes.get(), now) {
            Outcome::Kept(event) => self.batcher.open().keep(span, &event),
            Outcome::Skipped { event_type } => {
                debug!(
                    partition = record.partition(),
                    offset = record.offset(),
                    ?event_type,
                    "skipped"
                );
                self.batcher.open().skip(span);
            }
            Outcome::Rejected(reason) => {
                debug!(
                    partition = record.partition(),
                    offset = record.offset(),
                    "rejected: {reason}"
                );
                self.batcher
                    .open()
                    .reject(span, DeadLetter::new(&record, &reason));
            }
        }
        Ok(())
    }

    /// Notes where a record lies, and what is missing before it.
    fn position(&mut self, record: &BorrowedMessage<'_>) -> Option<Span> {
        let (topic, partition) = (&self.settings.topic, record.partition());
        let read = self
            .courier
            .ledger
            .lock()
            .read(Partition(partition), Offset(record.offset()));
        let Some((span, jump)) = read else {
            warn!(
                topic,
                partition,
                offset = record.offset(),
                "a record of a partition that is not assigned"
            );
            return None;
        };
        match jump {
            None => {}
            Some(Jump::Gap { from, to }) => {
                let lost = u64::try_from(to.0 - from.0).unwrap_or(0);
                self.summary.lost += lost;
                counter!(metric::RECORDS_LOST).increment(lost);
                error!(
                    topic,
                    partition,
                    from = from.0,
                    to = to.0,
                    lost,
                    "records are gone: the log skips them"
                );
            }
            Some(Jump::Rewind { from, to }) => {
                warn!(
                    topic,
                    partition,
                    from = from.0,
                    to = to.0,
                    "the log begins again: reading from there"
                );
            }
        }
        Some(span)
    }

    /// Sends the open batch on its way, and opens another.
    fn dispatch(&mut self) {
        let batch = self.batcher.close(Instant::now(), self.courier.sink.rows());
        self.in_flight_bytes += batch.bytes();
        gauge!(metric::IN_FLIGHT).set(gauge_of(self.in_flight_bytes));
        self.deliveries.spawn(self.courier.clone().deliver(batch));
    }

    /// Counts a batch that is settled; its offsets are in the ledger already.
    fn settled(&mut self, delivery: Result<Result<Delivered, Halt>, JoinError>) -> Result<(), Error> {
        self.batcher.arrived();
        let Delivered { tally, bytes } = match delivery.map_err(Error::Died)? {
            Ok(delivered) => delivered,
            Err(Halt::Abandoned) => return Ok(()),
            Err(Halt::Ended(error)) => return Err(error),
        };
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(bytes);
        gauge!(metric::IN_FLIGHT).set(gauge_of(self.in_flight_bytes));
        counter!(metric::BATCHES).increment(1);
        counter!(metric::RECORDS, "outcome" => "kept", "reason" => "").increment(tally.kept);
        counter!(metric::RECORDS, "outcome" => "skipped", "reason" => "").increment(tally.skipped);
        for (reason, count) in &tally.rejected {
            counter!(metric::RECORDS, "outcome" => "rejected", "reason" => *reason).increment(*count);
        }
        self.summary.batches += 1;
        self.summary.kept += tally.kept;
        self.summary.skipped += tally.skipped;
        self.summary.rejected += tally.rejected.values().sum::<u64>();
        Ok(())
    }

    /// Commits what is settled, unless the commit before is still on its way.
    fn commit(&mut self) {
        while self.commits.try_join_next().is_some() {}
        if self.commits.is_empty()
            && let Some(commit) = self.source.commit()
        {
            self.commits.spawn_blocking(commit);
        }
    }

    /// Closes the batch that is full, if it may go; holds reading if it may not, and goes on when it could.
    fn steer(&mut self) {
        self.batcher.touch(Instant::now());
        if self.batcher.is_full() {
            if self.batcher.has_room() {
                self.dispatch();
            } else if self.reading == Reading::Open {
                self.reading = Reading::Held(Instant::now());
            }
        }
        if !self.batcher.is_full() && self.reading != Reading::Open {
            if self.reading == Reading::Paused {
                debug!("reading again");
                self.source.resume();
            }
            self.reading = Reading::Open;
        }
    }

    fn pause(&mut self) {
        debug!("batches are not written fast enough: partitions are paused");
        self.source.pause();
        self.reading = Reading::Paused;
    }

    fn reads(&self) -> bool {
        match self.reading {
            Reading::Open => !self.batcher.is_full(),
            Reading::Held(_) => false,
            Reading::Paused => true,
        }
    }

    /// When waiting turns into pausing.
    fn patience(&self) -> Option<Instant> {
        match self.reading {
            Reading::Held(since) => Some(since + PATIENCE),
            Reading::Open | Reading::Paused => None,
        }
    }
}

/// Waits until then, or for ever.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// A number of bytes as gauges take it.
fn gauge_of(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
