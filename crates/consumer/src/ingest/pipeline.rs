//! The loop: source → decode → batch → insert → settle.

use std::collections::BTreeMap;
use std::future::ready;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use events::Timestamp;
use futures::{FutureExt, StreamExt};
use metrics::{counter, gauge};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Message};
use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::error::{Error, Stop};
use crate::ingest::batch::TypeCounts;
use crate::ingest::batcher::{Batcher, Limits};
use crate::ingest::dead_letters::{DeadLetter, DeadLetters};
use crate::ingest::delivery::{BatchWriter, Delivered};
use crate::ingest::lag::Reach;
use crate::ingest::ledger::{Arrival, Jump, Span};
use crate::ingest::record::{Outcome, outcome};
use crate::ingest::rejections::Rejections;
use crate::ingest::rows::RowWriter;
use crate::ingest::source::Source;
use crate::ingest::unreadable::{Search, is_unreadable};
use crate::ingest::unsettled::Unsettled;
use crate::kafka::client::{self, DISCONNECTED_TIMEOUT};
use crate::kafka::commit_metadata::Fingerprint;
use crate::kafka::reader::OffsetRange;
use crate::kafka::rights;
use crate::metric;
use crate::settings::Settings;
use crate::sink::{Progress, Sink};

/// How often settled offsets are committed.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);
/// How long nothing is read before partitions are paused. Pausing drops what was fetched ahead, so reading simply stops for
/// a short time; for a longer one polling must go on, or the group would evict us.
const PAUSE_AFTER: Duration = Duration::from_secs(1);
/// How many records are processed before anything else is looked at.
const RECORDS_PER_TURN: usize = 1_024;
/// How long batches that are on their way may take once the run is ending. The deadlines of a shutdown sum to
/// 7 seconds, of the 10 in which the whole process must end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of that is left to counting what was lost.
const COUNT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the last commit may take.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long leaving the group may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records whose rows the sink acknowledged.
    pub kept: u64,
    /// Records of types that are not ours.
    pub skipped: u64,
    /// Records whose dead letters were acknowledged.
    pub rejected: u64,
    /// Records that retention deleted before they were read.
    pub lost: u64,
    /// Offsets of batches that cannot be unpacked or parsed, which were passed over.
    pub unreadable: u64,
    /// Batches that were settled.
    pub batches: u64,
    /// What the broker holds as committed at the end, by partition, of those assigned then: the offset of the first
    /// record that the next run reads.
    pub committed: BTreeMap<i32, i64>,
}

/// Reads the topic into the sink until `shutdown` is cancelled, or until something is wrong that does not recover by itself.
/// `clock` returns the time that an event's own may not exceed. Must be called within a tokio runtime.
///
/// When the run is ending, the open batch is written, those on their way are waited for, what is settled is
/// committed, and the group is left, all within 7 seconds. What is not settled by then is read again by the
/// next run.
pub async fn run<S: Sink>(
    settings: &Settings,
    sink: S,
    clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    shutdown: CancellationToken,
) -> Result<Summary, Error> {
    settings.validate()?;
    let settings = settings.clone();
    let runtime = Handle::current();
    // Dropping this future ends the run.
    let shutdown = shutdown.child_token();
    let _ended = shutdown.clone().drop_guard();
    // Decoding keeps a core busy, and librdkafka blocks in its callbacks, so the loop has a thread to itself;
    // batches are written by the workers of the runtime. With nothing to yield to, it needs no budget of polls,
    // and with one it would never see timers and deliveries while records are ready.
    let ingestion = move || runtime.block_on(unconstrained(ingest(&settings, sink, clock, shutdown)));
    spawn_blocking(ingestion).await.map_err(Error::TaskFailed)?
}

async fn ingest<S: Sink>(
    settings: &Settings,
    sink: S,
    clock: impl Fn() -> Timestamp,
    shutdown: CancellationToken,
) -> Result<Summary, Error> {
    let sink = Arc::new(sink);
    let dead_letters = DeadLetters::new(settings, shutdown.clone())?;
    let rows = RowWriter::new(settings, Arc::clone(&sink), dead_letters, shutdown.clone());
    let source = Source::join(settings, sink.database())?;
    info!(topic = settings.topic, group = settings.group_id, "ingesting");

    let mut pipeline = Pipeline {
        settings,
        source: &source,
        clock,
        batcher: Batcher::new(Limits::of(settings), sink.rows()),
        sink,
        writer: Arc::new(BatchWriter(rows)),
        deliveries: JoinSet::new(),
        in_flight_bytes: 0,
        unsettled: Unsettled::default(),
        commits: JoinSet::new(),
        reading: Reading::Open,
        search: Search::default(),
        rejections: Rejections::new(),
        skipped: TypeCounts::default(),
        summary: Summary::default(),
    };
    let mut outcome = pipeline.flow(shutdown).await;
    if outcome.is_ok() {
        outcome = pipeline.drain(Instant::now() + DRAIN_TIMEOUT).await;
    }
    let mut summary = mem::take(&mut pipeline.summary);
    drop(pipeline);

    if !source.commit_last(COMMIT_TIMEOUT).await {
        warn!(
            topic = settings.topic,
            "the last offsets are not committed: their records will be read again"
        );
    }
    summary.committed = source.committed();
    source.leave(LEAVE_TIMEOUT).await;
    outcome.map(|()| summary)
}

/// Records on their way from the source to their receipts.
struct Pipeline<'a, S: Sink, C> {
    settings: &'a Settings,
    source: &'a Source,
    clock: C,
    batcher: Batcher<S::Rows>,
    sink: Arc<S>,
    writer: Arc<BatchWriter<S>>,
    deliveries: JoinSet<Result<Delivered, Stop>>,
    in_flight_bytes: usize,
    unsettled: Unsettled,
    /// The commit that is on its way, at most one. It returns how far the logs reached before it.
    commits: JoinSet<Reach>,
    reading: Reading,
    search: Search,
    rejections: Rejections,
    skipped: TypeCounts,
    summary: Summary,
}

/// Whether records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As they come.
    Open,
    /// Not at all since then: the open batch is full, and no more batches may be on their way.
    Blocked(Instant),
    /// Polled, with all partitions paused.
    Paused,
}

impl<S: Sink, C: Fn() -> Timestamp> Pipeline<'_, S, C> {
    /// Reads, decodes and batches records, has batches written, settles and commits them, until the run is to end or cannot
    /// go on.
    async fn flow(&mut self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut records = self.source.records();
        let mut ticks = interval(COMMIT_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (due, pause_at, may_read) = (self.batcher.due(), self.pause_at(), self.may_read());
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                Some(delivery) = self.deliveries.join_next() => self.settle(delivery)?,
                _ = ticks.tick() => {
                    self.source.check()?;
                    let after = self.source.disconnected_for();
                    if after > DISCONNECTED_TIMEOUT {
                        return Err(Error::Disconnected { after });
                    }
                    self.commit();
                    self.unsettled.set_age(self.batcher.oldest(), (self.clock)());
                    rights::log_again();
                    if self.source.take_standstill() {
                        self.search.suspect(|| self.source.positions());
                    }
                    self.search.begin(self.settings, &shutdown, || self.source.positions());
                    self.rejections.log(&self.settings.topic);
                }
                found = self.search.found() => found.into_iter().for_each(|offsets| self.pass_over(offsets)),
                () = wait_until(due) => self.dispatch(),
                () = wait_until(pause_at) => self.pause(),
                Some(record) = records.next(), if may_read => {
                    let now = (self.clock)();
                    self.process(record, now)?;
                    for _ in 1..RECORDS_PER_TURN {
                        if !self.may_read() { break }
                        let Some(Some(record)) = records.next().now_or_never() else { break };
                        self.process(record, now)?;
                    }
                    self.batcher.set_caught_up(false);
                }
                // Looked at last: there was no record to read.
                () = ready(()), if may_read && !self.batcher.is_caught_up() => self.batcher.set_caught_up(true),
            }
            self.apply_backpressure();
        }
    }

    /// Has the open batch written and waits for all that are on their way, until the deadline.
    async fn drain(&mut self, deadline: Instant) -> Result<(), Error> {
        self.source.note_positions();
        if !self.batcher.is_empty() {
            self.dispatch();
        }
        while let Ok(Some(delivery)) = timeout_at(deadline, self.deliveries.join_next()).await {
            self.settle(delivery)?;
        }
        if !self.deliveries.is_empty() {
            warn!(
                batches = self.deliveries.len(),
                "not written in time: their records will be read again"
            );
            self.deliveries.abort_all();
        }
        self.count_lost(deadline.min(Instant::now() + COUNT_TIMEOUT))
            .await;
        Ok(())
    }

    /// Decodes a record and batches its outcome.
    fn process(&mut self, record: KafkaResult<BorrowedMessage<'_>>, now: Timestamp) -> Result<(), Error> {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                client::note_error(&self.settings.topic, &error);
                rights::note_reading(self.settings, &error);
                if is_unreadable(&error) {
                    self.search.suspect(|| self.source.positions());
                }
                // It may be the last that the client says.
                return self.source.check();
            }
        };
        let Some(span) = self.position(&record)? else {
            return Ok(());
        };
        let (partition, offset) = (record.partition(), record.offset());
        match outcome(&record, self.settings.max_record_bytes.get(), now) {
            Outcome::Kept(event) => self.batcher.open().keep(span, &event),
            Outcome::Skipped { event_type } => {
                debug!(partition, offset, ?event_type, "skipped");
                self.batcher.open().skip(span, &event_type);
            }
            Outcome::Rejected(reason) => {
                debug!(partition, offset, "rejected: {reason}");
                self.rejections.note((partition, offset), &reason);
                let letter = DeadLetter::new(record.detach(), &reason);
                self.batcher.open().reject(span, letter);
            }
        }
        Ok(())
    }

    /// Notes the position of a record, and what is missing before it. None for a record that is not to be processed.
    fn position(&mut self, record: &BorrowedMessage<'_>) -> Result<Option<Span>, Error> {
        let (topic, partition, offset) = (&self.settings.topic, record.partition(), record.offset());
        let (span, jump) = match self.source.note_arrival(partition, Fingerprint::of(record))? {
            Arrival::Next(span, jump) => (span, jump),
            Arrival::Settled => return Ok(None),
            Arrival::Replaced => {
                counter!(metric::LOGS_REPLACED).increment(1);
                warn!(
                    topic,
                    partition,
                    offset,
                    "the log is another one than was read: it was truncated, or the topic made again; the partition is \
                     read from its start"
                );
                return Ok(None);
            }
            Arrival::Unassigned => {
                self.source.check()?;
                warn!(
                    topic,
                    partition, offset, "a record of a partition that is not assigned"
                );
                return Ok(None);
            }
        };
        if let Some(Jump { from, to }) = jump
            && to < from
        {
            let (from, to) = (from.0, to.0);
            counter!(metric::LOGS_REPLACED).increment(1);
            warn!(
                topic,
                partition, from, to, "the log begins again: reading from there"
            );
        }
        Ok(Some(span))
    }

    /// Settles offsets that cannot be read, and reads on behind them.
    fn pass_over(&mut self, (partition, offsets): OffsetRange) {
        let Some(span) = self.source.pass_over(partition, &offsets) else {
            return;
        };
        let count = u64::try_from(offsets.end - offsets.start).unwrap_or(0);
        self.batcher.open().pass_over(span, count);
        error!(
            topic = self.settings.topic,
            partition,
            from = offsets.start,
            to = offsets.end,
            count,
            "records cannot be read and are passed over"
        );
    }

    /// Sends the open batch on its way, and opens another.
    fn dispatch(&mut self) {
        let batch = self.batcher.close(Instant::now(), self.sink.rows());
        self.in_flight_bytes += batch.bytes();
        self.unsettled.sent(batch.oldest);
        gauge!(metric::IN_FLIGHT).set(gauge_value(self.in_flight_bytes));
        self.deliveries.spawn(Arc::clone(&self.writer).deliver(batch));
    }

    /// Settles and counts a batch that is delivered.
    fn settle(&mut self, delivery: Result<Result<Delivered, Stop>, JoinError>) -> Result<(), Error> {
        self.batcher.arrived();
        self.batcher.limit_bytes(self.writer.0.max_bytes());
        let delivered = match delivery.map_err(Error::TaskFailed)? {
            Ok(delivered) => delivered,
            Err(Stop::Shutdown) => return Ok(()),
            Err(Stop::Fatal(error)) => return Err(error),
        };
        let Delivered {
            receipt,
            tally,
            bytes,
            oldest,
            write_time,
        } = delivered;
        self.batcher.note_write_time(write_time);
        self.source.settle(receipt);
        self.unsettled.settled(oldest);
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(bytes);
        gauge!(metric::IN_FLIGHT).set(gauge_value(self.in_flight_bytes));
        counter!(metric::BATCHES).increment(1);
        counter!(metric::RECORDS, "outcome" => "kept", "reason" => "").increment(tally.kept);
        counter!(metric::RECORDS, "outcome" => "skipped", "reason" => "").increment(tally.skipped.sum());
        for (event_type, count) in tally.skipped.iter() {
            let (event_type, is_new) = self.skipped.add(event_type, count);
            if is_new {
                warn!(event_type, "records of a type that is none of ours are skipped");
            }
            counter!(metric::SKIPPED, "type" => event_type).increment(count);
        }
        for (reason, count) in &tally.rejected {
            counter!(metric::RECORDS, "outcome" => "rejected", "reason" => *reason).increment(*count);
        }
        counter!(metric::RECORDS_UNREADABLE).increment(tally.unreadable);
        self.summary.batches += 1;
        self.summary.unreadable += tally.unreadable;
        self.summary.kept += tally.kept;
        self.summary.skipped += tally.skipped.sum();
        self.summary.rejected += tally.rejected.values().sum::<u64>();
        Ok(())
    }

    /// Asks how far the logs reach and commits what is settled, unless the commit before is still on its way. What was lost is
    /// counted before the offsets behind it are committed.
    fn commit(&mut self) {
        while let Some(reach) = self.commits.try_join_next() {
            self.note(reach.unwrap_or_default());
        }
        if self.commits.is_empty() {
            self.source.note_positions();
            let (ask, commit) = (self.source.ask_logs(), self.source.commit());
            self.commits.spawn_blocking(move || {
                let reach = ask();
                if let Some(commit) = commit {
                    commit();
                }
                reach
            });
        }
    }

    fn note(&mut self, Reach { lost, lag }: Reach) {
        self.summary.lost += lost;
        self.sink.note_progress(Progress {
            lag,
            rejected: self.summary.rejected,
        });
    }

    /// Waits for the commit that is on its way, until the deadline, and counts what was lost since it began.
    async fn count_lost(&mut self, deadline: Instant) {
        for _ in 0..2 {
            while let Ok(Some(reach)) = timeout_at(deadline, self.commits.join_next()).await {
                self.note(reach.unwrap_or_default());
            }
            if self.commits.is_empty() && self.source.has_gaps() {
                self.commits.spawn_blocking(self.source.ask_logs());
            }
        }
    }

    /// Closes the batch that is full, if it may go; stops reading if it may not, and reads again once it could.
    fn apply_backpressure(&mut self) {
        self.batcher.touch(Instant::now());
        if self.batcher.is_full() {
            if self.batcher.has_room() {
                self.dispatch();
            } else if self.reading == Reading::Open {
                self.reading = Reading::Blocked(Instant::now());
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

    fn may_read(&self) -> bool {
        match self.reading {
            Reading::Open => !self.batcher.is_full(),
            Reading::Blocked(_) => false,
            Reading::Paused => true,
        }
    }

    /// When partitions are paused because reading is blocked.
    fn pause_at(&self) -> Option<Instant> {
        match self.reading {
            Reading::Blocked(since) => Some(since + PAUSE_AFTER),
            Reading::Open | Reading::Paused => None,
        }
    }
}

/// Waits until then; without an instant it never ends.
async fn wait_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// A number of bytes as gauges take it.
fn gauge_value(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
