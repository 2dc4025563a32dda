//! Rows, written until the sink has acknowledged them.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use events::Timestamp;
use metrics::{counter, histogram};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message, OwnedMessage};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::error::{Error, Stop, chain};
use crate::ingest::backoff::Backoff;
use crate::ingest::bisect::isolate;
use crate::ingest::dead_letters::{DeadLetter, DeadLetters};
use crate::ingest::record::{Outcome, Reason, outcome, size};
use crate::kafka::client;
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
pub(crate) struct RowWriter<S> {
    pub(crate) settings: Settings,
    pub(crate) sink: Arc<S>,
    pub(crate) dead_letters: DeadLetters,
    /// Cancelled when the run is ending: an attempt that fails after that is the last.
    pub(crate) shutdown: CancellationToken,
}

impl<S: Sink> RowWriter<S> {
    /// Writes the rows of a batch. Where they are refused, the records at fault are found among those of `offsets`, except
    /// the `rejected`, and dead-lettered.
    ///
    /// The bytes of records are not held while a batch is on its way, so they are read from the topic again.
    pub(crate) async fn write(
        &self,
        rows: S::Rows,
        offsets: &[OffsetRange],
        records: u64,
        rejected: &[DeadLetter],
    ) -> Result<RowsAcked, Stop> {
        let Some(refusal) = self.insert(rows).await? else {
            return Ok(RowsAcked { refused: 0 });
        };
        warn!("a batch is refused: its records are read again to find those at fault: {refusal}");
        let refused = self.write_again(offsets, records, rejected).await?;
        info!(refused, "the rest of the batch is kept");
        Ok(RowsAcked { refused })
    }

    /// Writes rows, however long it takes, unless the run is ending. Gives the reason where they are refused.
    async fn insert(&self, rows: S::Rows) -> Result<Option<String>, Stop> {
        if rows.is_empty() {
            return Ok(None);
        }
        let bytes = rows.bytes();
        let sink = Arc::clone(&self.sink);
        // Sealing a large batch takes long enough to keep a worker of the runtime from what else is due.
        let rows = spawn_blocking(move || sink.seal(rows))
            .await
            .map_err(Error::TaskFailed)?;
        let mut backoff = Backoff::new();
        loop {
            let started_at = Instant::now();
            let attempt = self.sink.write(&rows).await;
            histogram!(metric::INSERT_DURATION).record(started_at.elapsed());
            let source = match attempt {
                Ok(()) => {
                    if backoff.attempt() > 0 {
                        info!(bytes, "the sink takes batches again");
                    }
                    return Ok(None);
                }
                Err(SinkError::Refused(source)) => return Ok(Some(chain(&*source))),
                Err(SinkError::Unavailable(source)) => source,
            };
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
    async fn write_again(
        &self,
        offsets: &[OffsetRange],
        records: u64,
        rejected: &[DeadLetter],
    ) -> Result<u64, Stop> {
        let rejected: HashSet<_> = rejected.iter().map(DeadLetter::origin).collect();
        let chunk_bytes = self.settings.budget().batch / CHUNK_FRACTION;
        let mut reader = self.reader()?;
        let (mut refused, mut read) = (0, 0);
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        for (partition, range) in offsets {
            reader.push(*partition, range.clone());
            while let Some(record) = self.read(&mut reader).await? {
                read += 1;
                if rejected.contains(&(*partition, record.offset())) {
                    continue;
                }
                bytes += size(&record).unwrap_or(0) + size_of::<OwnedMessage>();
                chunk.push(record);
                if bytes >= chunk_bytes {
                    refused += self.write_chunk(&mem::take(&mut chunk)).await?;
                    bytes = 0;
                }
            }
        }
        self.note_lost(records.saturating_sub(read));
        Ok(refused + self.write_chunk(&chunk).await?)
    }

    /// Writes the rows of as many of the records as the sink takes, and dead-letters the others.
    async fn write_chunk(&self, records: &[OwnedMessage]) -> Result<u64, Stop> {
        let refused = isolate(records, |part| self.insert(self.rows_of(part))).await?;
        let (mut letters, mut count) = (Vec::new(), 0);
        for (record, refusal) in refused {
            warn!(
                partition = record.partition(),
                offset = record.offset(),
                "a record is refused: {refusal}"
            );
            letters.push(DeadLetter::new(record.clone(), &Reason::Refused(refusal)));
            count += 1;
        }
        self.dead_letters.write(&letters).await?;
        Ok(count)
    }

    /// The rows of the records that are events.
    fn rows_of(&self, records: &[OwnedMessage]) -> S::Rows {
        let mut rows = self.sink.rows();
        let limit = self.settings.max_record_bytes.get();
        for record in records {
            if let Outcome::Kept(event) = outcome(record, limit, LATEST) {
                rows.append(&event);
            }
        }
        rows
    }

    fn reader(&self) -> Result<Reader, Error> {
        let mut config = client::consumer_config(&self.settings);
        // Little is read, and no more than is asked for need be fetched.
        config
            .set("queued.min.messages", "1")
            .set("queued.max.messages.kbytes", "1024")
            .set("max.partition.fetch.bytes", "262144");
        Reader::new(&self.settings, config, Duration::MAX)
    }

    /// The next record, however long the brokers take, unless the run is ending.
    async fn read(&self, reader: &mut Reader) -> Result<Option<OwnedMessage>, Stop> {
        loop {
            match self.shutdown.run_until_cancelled(reader.next()).await {
                None => return Err(Stop::Shutdown),
                Some(Err(Error::Topic { topic, source }))
                    if !matches!(source, KafkaError::MessageConsumptionFatal(_)) =>
                {
                    client::note_error(&topic, &source);
                }
                Some(Err(Error::Denied(denial))) => {
                    rights::note(denial);
                }
                Some(record) => return Ok(record?.map(|Stored(record)| record)),
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
