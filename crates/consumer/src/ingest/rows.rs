//! Rows, written until the sink has acknowledged them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::error::{Stop, chain};
use crate::ingest::backoff::Backoff;
use crate::ingest::breaker::{Breaker, Kinds};
use crate::ingest::dead_letters::{DeadLetter, DeadLetters};
use crate::kafka::reader::OffsetRange;
use crate::metric;
use crate::settings::Settings;
use crate::sink::{Rows, Sink, SinkError};

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
    pub(crate) settings: Settings,
    pub(crate) sink: Arc<S>,
    pub(crate) dead_letters: DeadLetters,
    /// Cancelled when the run is ending: an attempt that fails after that is the last.
    pub(crate) shutdown: CancellationToken,
    pub(crate) breaker: Breaker<S::Sealed>,
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
pub(crate) enum Refusal {
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

/// What is done with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// [`Sink::check`].
    Check,
    /// [`Sink::write`].
    Write,
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

    /// How often the sink has accepted rows.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
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
        let Some(refusal) = self.insert(rows, records, Step::Write).await? else {
            return Ok(RowsAcked { refused: 0 });
        };
        let by_size = match refusal {
            Refusal::Row(reason) => {
                warn!("a batch is refused: its records are read again to find those at fault: {reason}");
                false
            }
            Refusal::Size(reason) => {
                debug!("a batch is sent again in parts: {reason}");
                true
            }
        };
        let refused = self.write_again(offsets, records, rejected, by_size).await?;
        if refused > 0 {
            info!(refused, "the rest of the batch is kept");
        }
        Ok(RowsAcked { refused })
    }

    /// Has the sink check or write the rows of so many records, however long it takes, unless the run is ending. Gives the
    /// reason where they are refused.
    pub(crate) async fn insert(
        &self,
        rows: Option<SealedRows<S::Sealed>>,
        records: u64,
        step: Step,
    ) -> Result<Option<Refusal>, Stop> {
        let Some(SealedRows { rows, kinds, bytes }) = rows else {
            return Ok(None);
        };
        let mut backoff = Backoff::new();
        let (mut unanswered, mut less_is_accepted) = (0, false);
        loop {
            let started_at = Instant::now();
            let attempt = match step {
                Step::Check => self.sink.check(&rows).await,
                Step::Write => self.sink.write(&rows).await,
            };
            let time = started_at.elapsed();
            histogram!(metric::INSERT_DURATION).record(time);
            let source = match attempt {
                Ok(()) => {
                    if step == Step::Write {
                        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                        self.write_micros.store(micros, Ordering::Relaxed);
                    }
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

    /// Whether the sink still accepts what it has accepted before, if anything.
    pub(crate) async fn accepts_sample(&self, kinds: Kinds) -> bool {
        let Some(rows) = self.breaker.sample(kinds) else {
            return false;
        };
        let is_accepted = self.sink.write(&rows).await.is_ok();
        if is_accepted {
            self.note_accepted(kinds);
        }
        is_accepted
    }

    fn note_accepted(&self, kinds: Kinds) {
        if self.breaker.accept(kinds) {
            info!("the sink accepts rows again: ingestion goes on");
            gauge!(metric::WAITING, "what" => "clickhouse").set(0.0);
            self.sink.note_blocked(None);
        }
    }

    pub(crate) fn note_blocked(&self, reason: &str) {
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
}
