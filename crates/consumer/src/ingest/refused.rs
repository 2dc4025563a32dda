//! The records of a refused batch: those at fault are found and dead-lettered, all others are written.

use std::collections::{HashSet, VecDeque};
use std::mem;
use std::slice;
use std::sync::Arc;

use events::Timestamp;
use metrics::counter;
use rdkafka::message::{Message, OwnedMessage};
use tokio::time::sleep;
use tracing::{error, warn};

use crate::error::{Error, Stop};
use crate::ingest::backoff::Backoff;
use crate::ingest::bisect::isolate;
use crate::ingest::breaker::Kinds;
use crate::ingest::dead_letters::DeadLetter;
use crate::ingest::record::{Outcome, Reason, outcome, size};
use crate::ingest::rows::{Refusal, RowWriter, Step};
use crate::kafka::client::{self, DISCONNECTED_TIMEOUT};
use crate::kafka::reader::{OffsetRange, Reader, Stored};
use crate::kafka::rights;
use crate::metric;
use crate::sink::{Rows, Sink};

/// All records of a batch were judged when they came; none is called too early now.
const LATEST: Timestamp = Timestamp::from_millis(i64::MAX);

/// What is read again at once takes this fraction of what the rows of the batch took, which are gone by then: bytes,
/// rows and overhead fit into the rest.
const CHUNK_FRACTION: usize = 8;

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

/// A record that was refused alone, and why.
type Refused<'a> = (&'a OwnedMessage, Refusal);

impl<S: Sink> RowWriter<S> {
    /// Reads the records of a refused batch again, a chunk at a time, and writes each chunk. Returns how many were refused.
    ///
    /// What is at fault for what it holds is found by what the sink checks, and the rest of the chunk is written at once. If the
    /// batch was refused `by_size`, it is written in parts.
    ///
    /// A chunk of which the sink accepts nothing waits while the others are written, which shows whether it would accept
    /// anything, and then until it does.
    pub(crate) async fn write_again(
        &self,
        offsets: &[OffsetRange],
        records: u64,
        rejected: &[DeadLetter],
        by_size: bool,
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
                    refused += self
                        .write_or_block(&mem::take(&mut chunk), by_size, &mut blocked)
                        .await?;
                    bytes = 0;
                }
            }
        }
        self.note_lost(records.saturating_sub(read));
        refused += self.write_or_block(&chunk, by_size, &mut blocked).await?;
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
            refused += self.write_or_block(&chunk, by_size, &mut blocked).await?;
        }
        Ok(refused)
    }

    /// Writes a chunk, or notes that it waits. Returns how many records were refused.
    async fn write_or_block(
        &self,
        chunk: &[OwnedMessage],
        by_size: bool,
        blocked: &mut VecDeque<Blocked>,
    ) -> Result<u64, Stop> {
        match self.write_chunk(chunk, by_size).await {
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
    async fn write_chunk(&self, records: &[OwnedMessage], by_size: bool) -> Result<u64, Halt> {
        let mut records: Vec<&OwnedMessage> = records.iter().collect();
        // A table for each kind: of parts of one kind the others are not tried.
        records.sort_by_cached_key(|record| self.kinds_of(record));
        let mut refused = Vec::new();
        if !by_size {
            refused = self.isolate(&records, Step::Check).await?;
        }
        let at_fault: HashSet<_> = refused.iter().map(|(record, _)| position(record)).collect();
        records.retain(|record| !at_fault.contains(&position(record)));
        refused.extend(self.isolate(&records, Step::Write).await?);
        refused.sort_by_key(|(record, _)| position(record));
        let (mut letters, mut count) = (Vec::new(), 0);
        for (record, refusal) in refused {
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

    /// Has the sink check or write all of the records but those that it refuses.
    async fn isolate<'a>(&self, records: &[&'a OwnedMessage], step: Step) -> Result<Vec<Refused<'a>>, Halt> {
        let is_of_one = |(refusal, _): &(Refusal, u64)| matches!(refusal, Refusal::Row(_));
        let isolated = isolate(records, |part| self.attempt(part, step), is_of_one).await?;
        let mut refused = Vec::new();
        for (record, (mut refusal, accepted_by_then)) in isolated {
            // What all of its kind were refused for may be corrected since then.
            if self.accepted() > accepted_by_then {
                let (rows, kinds) = self.rows_of(slice::from_ref(record));
                match self.insert(self.seal(rows, kinds), 1, step).await? {
                    Some(again) => refusal = again,
                    None => continue,
                }
            }
            refused.push((*record, refusal));
        }
        Ok(refused)
    }

    /// Has the sink check or write the rows of records. Gives the reason where they are refused, unless everything is, and
    /// how often rows were accepted by then.
    async fn attempt(&self, records: &[&OwnedMessage], step: Step) -> Result<Option<(Refusal, u64)>, Halt> {
        let (rows, kinds) = self.rows_of(records);
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let refusal = self.insert(self.seal(rows, kinds), count, step).await?;
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
        Ok(refusal.map(|refusal| (refusal, self.accepted())))
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

    /// The rows of the records that are events, and the kinds of those.
    fn rows_of(&self, records: &[&OwnedMessage]) -> (S::Rows, Kinds) {
        let (mut rows, mut kinds) = (self.sink.rows(), Kinds::default());
        for record in records {
            if let Outcome::Kept(event) = self.outcome(record) {
                rows.append(&event);
                kinds.add(&event);
            }
        }
        (rows, kinds)
    }

    /// The kind of event that a record is.
    fn kinds_of(&self, record: &OwnedMessage) -> Kinds {
        let mut kinds = Kinds::default();
        if let Outcome::Kept(event) = self.outcome(record) {
            kinds.add(&event);
        }
        kinds
    }

    fn outcome<'a>(&self, record: &'a OwnedMessage) -> Outcome<'a> {
        outcome(record, self.settings.max_record_bytes.get(), LATEST)
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

/// Where a record is.
fn position(record: &OwnedMessage) -> (i32, i64) {
    (record.partition(), record.offset())
}
