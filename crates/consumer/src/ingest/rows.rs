//! Rows, written until the sink has acknowledged them.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::mem;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use events::Timestamp;
use metrics::{counter, gauge, histogram};
use rdkafka::message::{Message, OwnedMessage};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::error::{Error, Stop, chain};
use crate::ingest::backoff::Backoff;
use crate::ingest::bisect::isolate;
use crate::ingest::breaker::{Breaker, Kinds};
use crate::ingest::dead_letters::{DeadLetter, DeadLetters};
use crate::ingest::record::{Outcome, Reason, outcome, size};
use crate::kafka::client::{self, DISCONNECTED_TIMEOUT};
use crate::kafka::reader::{OffsetRange, Reader, Stored};
use crate::kafka::rights;
use crate::metric;
use crate::settings::Settings;
use crate::sink::{Rows, Sink, SinkError};

/// All records of a batch were judged when they came; none is called too early now.
const LATEST: Timestamp = Timestamp::from_millis(i64::MAX);

/// What is read again at once takes this fraction of what the rows of the batch took, which are gone by then: bytes,
/// rows and overhead fit into the rest.
const CHUNK_FRACTION: usize = 8;

/// How often in a row a batch is not answered before it may be too large: a proxy may close the connection, and say nothing.
const MAX_UNANSWERED: u32 = 3;

/// The maximum size of accepted rows that are kept as a sample, in bytes.
const MAX_SAMPLE: usize = 64 << 10;

/// The proof that the sink has acknowledged all rows of a batch, except those whose records are dead-lettered.
#[derive(Debug)]
pub(crate) struct RowsAcked {
    refused: u64,
}

impl RowsAcked {
    /// How many records the sink refused, whose dead letters are acknowledged.
    pub(crate) const fn refused(&self) -> u64 {
        self.refused
    }
}

/// Writes the rows of batches.
pub(crate) struct RowWriter<S: Sink> {
    settings: Settings,
    sink: Arc<S>,
    pub(crate) dead_letters: DeadLetters,
    /// Cancelled when the run is ending: an attempt that fails after that is the last.
    shutdown: CancellationToken,
    breaker: Breaker<S::Sealed>,
    /// Half of the least rows that were too large for the sink, in bytes.
    max_bytes: AtomicUsize,
    /// How often the sink has accepted rows.
    accepted: AtomicU64,
    /// How long it took for those that it accepted last, in microseconds.
    write_micros: AtomicU64,
}

/// Rows that are ready to be written.
pub(crate) struct SealedRows<T> {
    rows: Arc<T>,
    kinds: Kinds,
    bytes: usize,
}

/// Why the sink has refused rows.
#[derive(Debug)]
enum Refusal {
    /// At least one of them, for what it holds.
    Row(String),
    /// All of them together, for their size.
    Size(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(reason) => f.write_str(reason),
            Self::Size(reason) => write!(f, "{reason}; kafka.max_record_bytes is what a record may take"),
        }
    }
}

/// Why records are not written.
#[derive(Debug)]
enum Halt {
    Stop(Stop),
    /// The sink refuses whatever comes of these.
    Open(Kinds),
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// Records that wait until the sink accepts anything.
struct Blocked {
    offsets: Vec<OffsetRange>,
    records: u64,
    /// What it has refused last.
    kinds: Kinds,
}

impl<S: Sink> RowWriter<S> {
    pub(crate) fn new(
        settings: &Settings,
        sink: Arc<S>,
        dead_letters: DeadLetters,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            settings: settings.clone(),
            sink,
            dead_letters,
            shutdown,
            breaker: Breaker::new(),
            max_bytes: AtomicUsize::new(usize::MAX),
            accepted: AtomicU64::new(0),
            write_micros: AtomicU64::new(0),
        }
    }

    /// How long the sink took for the rows that it accepted last, without the attempts before.
    pub(crate) fn write_time(&self) -> Duration {
        Duration::from_micros(self.write_micros.load(Ordering::Relaxed))
    }

    /// What a batch may take at most so that the sink does not refuse it for its size, in bytes, as far as is known.
    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes.load(Ordering::Relaxed)
    }

    /// Closes rows, unless there are none. This takes a while if they are many.
    pub(crate) fn seal(&self, rows: S::Rows, kinds: Kinds) -> Option<SealedRows<S::Sealed>> {
        let bytes = rows.bytes();
        (!rows.is_empty()).then(|| SealedRows {
            rows: Arc::new(self.sink.seal(rows)),
            kinds,
            bytes,
        })
    }

    /// Writes the rows of a batch. Where they are refused, the records at fault are found among those of `offsets`, except
    /// the `rejected`, and dead-lettered.
    ///
    /// The bytes of records are not held while a batch is on its way, so they are read from the topic again.
    pub(crate) async fn write(
        &self,
        rows: Option<SealedRows<S::Sealed>>,
        offsets: &[OffsetRange],
        records: u64,
        rejected: &[DeadLetter],
    ) -> Result<RowsAcked, Stop> {
        let Some(refusal) = self.insert(rows, records).await? else {
            return Ok(RowsAcked { refused: 0 });
        };
        match refusal {
            Refusal::Row(reason) => {
                warn!("a batch is refused: its records are read again to find those at fault: {reason}");
            }
            Refusal::Size(reason) => debug!("a batch is sent again in parts: {reason}"),
        }
        let refused = self.write_again(offsets, records, rejected).await?;
        if refused > 0 {
            info!(refused, "the rest of the batch is kept");
        }
        Ok(RowsAcked { refused })
    }

    /// Writes the rows of so many records, however long it takes, unless the run is ending. Gives the reason where they are
    /// refused.
    async fn insert(
        &self,
        rows: Option<SealedRows<S::Sealed>>,
        records: u64,
    ) -> Result<Option<Refusal>, Stop> {
        let Some(SealedRows { rows, kinds, bytes }) = rows else {
            return Ok(None);
        };
        let mut backoff = Backoff::new();
        let (mut unanswered, mut less_is_accepted) = (0, false);
        loop {
            let started_at = Instant::now();
            let attempt = self.sink.write(&rows).await;
            let time = started_at.elapsed();
            histogram!(metric::INSERT_DURATION).record(time);
            let source = match attempt {
                Ok(()) => {
                    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                    self.write_micros.store(micros, Ordering::Relaxed);
                    self.accepted.fetch_add(1, Ordering::Relaxed);
                    if backoff.attempt() > 0 {
                        info!(bytes, "the sink takes batches again");
                    }
                    self.note_accepted(kinds);
                    if bytes <= MAX_SAMPLE {
                        self.breaker.set_sample(kinds, &rows);
                    }
                    return Ok(None);
                }
                Err(SinkError::Refused(source)) => return Ok(Some(Refusal::Row(chain(&*source)))),
                Err(SinkError::TooLarge(source)) => {
                    let reason = chain(&*source);
                    self.note_too_large(bytes, &reason);
                    return Ok(Some(Refusal::Size(reason)));
                }
                Err(SinkError::Unanswered(source)) if less_is_accepted => {
                    let reason = format!("{}, time and again, as with what is too large", chain(&*source));
                    if self.breaker.sample(kinds).is_some() {
                        self.note_too_large(bytes, &reason);
                    }
                    return Ok(Some(Refusal::Size(reason)));
                }
                Err(SinkError::Unanswered(source)) => {
                    unanswered += 1;
                    source
                }
                Err(SinkError::Unavailable(source)) => {
                    unanswered = 0;
                    source
                }
            };
            // If less passes, and then this does not, size is the cause. Where nothing was accepted yet, less is tried.
            less_is_accepted = records > 1
                && unanswered >= MAX_UNANSWERED
                && (self.breaker.sample(kinds).is_none() || self.accepts_sample(kinds).await);
            let wait = backoff.next();
            counter!(metric::RETRIES, "what" => "insert").increment(1);
            warn!(
                bytes,
                attempt = backoff.attempt(),
                ?wait,
                "a batch is not written: {}",
                chain(&*source)
            );
            let waited = self.shutdown.run_until_cancelled(sleep(wait)).await;
            waited.ok_or(Stop::Shutdown)?;
        }
    }

    /// Reads the records of a refused batch again, a chunk at a time, and writes each chunk. Returns how many were refused.
    ///
    /// A chunk of which the sink accepts nothing waits while the others are written, which shows whether it would accept
    /// anything, and then until it does.
    async fn write_again(
        &self,
        offsets: &[OffsetRange],
        records: u64,
        rejected: &[DeadLetter],
    ) -> Result<u64, Stop> {
        let rejected: HashSet<_> = rejected.iter().map(DeadLetter::origin).collect();
        let is_rejected = |record: &OwnedMessage| rejected.contains(&(record.partition(), record.offset()));
        let chunk_bytes = self.settings.budget().batch / CHUNK_FRACTION;
        let mut reader = self.reader()?;
        let (mut refused, mut read, mut blocked) = (0, 0, VecDeque::new());
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        for (partition, range) in offsets {
            reader.push(*partition, range.clone());
            while let Some(record) = self.read(&mut reader).await? {
                read += 1;
                if is_rejected(&record) {
                    continue;
                }
                bytes += size(&record).unwrap_or(0) + size_of::<OwnedMessage>();
                chunk.push(record);
                if bytes >= chunk_bytes {
                    refused += self.write_or_block(&mem::take(&mut chunk), &mut blocked).await?;
                    bytes = 0;
                }
            }
        }
        self.note_lost(records.saturating_sub(read));
        refused += self.write_or_block(&chunk, &mut blocked).await?;
        let mut backoff = Backoff::new();
        while let Some(Blocked {
            offsets,
            records,
            kinds,
        }) = blocked.pop_front()
        {
            self.wait_while_open(kinds, &mut backoff).await?;
            for (partition, range) in &offsets {
                reader.push(*partition, range.clone());
            }
            let mut chunk = Vec::new();
            while let Some(record) = self.read(&mut reader).await? {
                if !is_rejected(&record) {
                    chunk.push(record);
                }
            }
            self.note_lost(records.saturating_sub(u64::try_from(chunk.len()).unwrap_or(u64::MAX)));
            refused += self.write_or_block(&chunk, &mut blocked).await?;
        }
        Ok(refused)
    }

    /// Writes a chunk, or notes that it waits. Returns how many records were refused.
    async fn write_or_block(
        &self,
        chunk: &[OwnedMessage],
        blocked: &mut VecDeque<Blocked>,
    ) -> Result<u64, Stop> {
        match self.write_chunk(chunk).await {
            Ok(refused) => Ok(refused),
            Err(Halt::Stop(stop)) => Err(stop),
            Err(Halt::Open(kinds)) => {
                let mut offsets: Vec<OffsetRange> = Vec::new();
                for record in chunk {
                    let end = record.offset() + 1;
                    match offsets.last_mut() {
                        Some((partition, range)) if *partition == record.partition() => range.end = end,
                        _ => offsets.push((record.partition(), record.offset()..end)),
                    }
                }
                blocked.push_back(Blocked {
                    offsets,
                    records: u64::try_from(chunk.len()).unwrap_or(u64::MAX),
                    kinds,
                });
                Ok(0)
            }
        }
    }

    /// Writes the rows of as many of the records as the sink takes, and dead-letters the others.
    async fn write_chunk(&self, records: &[OwnedMessage]) -> Result<u64, Halt> {
        let is_of_one = |(refusal, _): &(Refusal, u64)| matches!(refusal, Refusal::Row(_));
        let refused = isolate(records, |part| self.attempt(part), is_of_one).await?;
        let (mut letters, mut count) = (Vec::new(), 0);
        for (record, (mut refusal, accepted_by_then)) in refused {
            // What all of its kind were refused for may be corrected since then.
            if self.accepted.load(Ordering::Relaxed) > accepted_by_then {
                let (rows, kinds) = self.rows_of(slice::from_ref(record));
                match self.insert(self.seal(rows, kinds), 1).await? {
                    Some(again) => refusal = again,
                    None => continue,
                }
            }
            warn!(
                partition = record.partition(),
                offset = record.offset(),
                "a record is refused: {refusal}"
            );
            letters.push(DeadLetter::new(
                record.clone(),
                &Reason::Refused(refusal.to_string()),
            ));
            count += 1;
        }
        self.dead_letters.write(&letters).await?;
        Ok(count)
    }

    /// Writes the rows of records. Gives the reason where they are refused, unless everything is, and how often rows were
    /// accepted by then.
    async fn attempt(&self, records: &[OwnedMessage]) -> Result<Option<(Refusal, u64)>, Halt> {
        let (rows, kinds) = self.rows_of(records);
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let refusal = self.insert(self.seal(rows, kinds), count).await?;
        match (&refusal, records) {
            (None, _) if self.breaker.sample(kinds).is_none() => {
                let mut rows = records.iter().map(|record| self.rows_of(slice::from_ref(record)));
                if let Some((rows, kinds)) = rows.find(|(rows, _)| !rows.is_empty()) {
                    self.breaker.set_sample(kinds, &Arc::new(self.sink.seal(rows)));
                }
            }
            (Some(refusal), [_]) if self.breaker.refuse(kinds) && !self.accepts_sample(kinds).await => {
                if self.breaker.open(kinds) {
                    self.note_blocked(&refusal.to_string());
                }
                return Err(Halt::Open(kinds));
            }
            _ => {}
        }
        Ok(refusal.map(|refusal| (refusal, self.accepted.load(Ordering::Relaxed))))
    }

    /// Whether the sink still accepts what it has accepted before, if anything.
    async fn accepts_sample(&self, kinds: Kinds) -> bool {
        let Some(rows) = self.breaker.sample(kinds) else {
            return false;
        };
        let is_accepted = self.sink.write(&rows).await.is_ok();
        if is_accepted {
            self.note_accepted(kinds);
        }
        is_accepted
    }

    /// Waits until the sink accepts any of the kinds; where none was accepted before, until it is worth another attempt.
    async fn wait_while_open(&self, kinds: Kinds, backoff: &mut Backoff) -> Result<(), Stop> {
        while self.breaker.is_open(kinds) {
            counter!(metric::RETRIES, "what" => "insert").increment(1);
            let waited = self.shutdown.run_until_cancelled(sleep(backoff.next())).await;
            waited.ok_or(Stop::Shutdown)?;
            if self.breaker.sample(kinds).is_none() {
                return Ok(());
            }
            self.accepts_sample(kinds).await;
        }
        *backoff = Backoff::new();
        Ok(())
    }

    fn note_accepted(&self, kinds: Kinds) {
        if self.breaker.accept(kinds) {
            info!("the sink accepts rows again: ingestion goes on");
            gauge!(metric::WAITING, "what" => "clickhouse").set(0.0);
            self.sink.note_blocked(None);
        }
    }

    fn note_blocked(&self, reason: &str) {
        error!(
            "ingestion waits: one record after the other is refused, and nothing is accepted. Look for what was changed in \
             ClickHouse: a view on our tables, a column, a constraint. No more records are dead-lettered, and ingestion \
             goes on by itself once rows are accepted: {reason}"
        );
        gauge!(metric::WAITING, "what" => "clickhouse").set(1.0);
        self.sink.note_blocked(Some(reason));
    }

    fn note_too_large(&self, bytes: usize, reason: &str) {
        if self.max_bytes.fetch_min(bytes / 2, Ordering::Relaxed) == usize::MAX {
            warn!(
                bytes,
                "a batch is too large: it is sent in parts, and batches are smaller from now on; kafka.batch_bytes ({}) is \
                 what they could take: {reason}",
                self.settings.batch_bytes
            );
        }
    }

    /// The rows of the records that are events, and the kinds of those.
    fn rows_of(&self, records: &[OwnedMessage]) -> (S::Rows, Kinds) {
        let (mut rows, mut kinds) = (self.sink.rows(), Kinds::default());
        let limit = self.settings.max_record_bytes.get();
        for record in records {
            if let Outcome::Kept(event) = outcome(record, limit, LATEST) {
                rows.append(&event);
                kinds.add(&event);
            }
        }
        (rows, kinds)
    }

    fn reader(&self) -> Result<Reader, Error> {
        let mut config = client::consumer_config(&self.settings);
        // Little is read, and no more than is asked for need be fetched.
        config
            .set("queued.min.messages", "1")
            .set("queued.max.messages.kbytes", "1024")
            .set("max.partition.fetch.bytes", "262144");
        Reader::new(&self.settings, config, DISCONNECTED_TIMEOUT)
    }

    /// The next record, however long the brokers take, unless the run is ending.
    async fn read(&self, reader: &mut Reader) -> Result<Option<OwnedMessage>, Stop> {
        loop {
            let record = self.shutdown.run_until_cancelled(reader.next_in_the_end());
            match record.await.ok_or(Stop::Shutdown)? {
                Err(Error::Denied(denial)) => {
                    rights::note(&denial);
                }
                record => return Ok(record?.map(|Stored(record)| record)),
            }
        }
    }

    /// Counts and logs records that the log has dropped since they were read first. The offsets do not show them: at some there
    /// was no record then.
    fn note_lost(&self, lost: u64) {
        if lost > 0 {
            counter!(metric::RECORDS_LOST).increment(lost);
            error!(
                topic = self.settings.topic,
                lost, "records of a refused batch are gone before they were read again"
            );
        }
    }
}
