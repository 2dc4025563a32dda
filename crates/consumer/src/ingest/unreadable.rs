//! Batches that librdkafka cannot unpack, which it would ask for again for ever: where they are, so that they can be passed
//! over.
//!
//! Its error names neither a partition nor an offset. So partitions that stand still are read by another client, one at a
//! time, from offset after offset.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::error::{Error, chain};
use crate::kafka::client::{self, Logged};
use crate::kafka::probe::Probe;
use crate::kafka::reader::OffsetRange;
use crate::settings::Settings;

/// How long a partition must stand still before it is looked at.
const STANDSTILL: Duration = Duration::from_secs(1);
/// How long the brokers may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Up to so many offsets each is tried; behind them steps grow with what was passed over. Of records that can be read
/// between two batches that cannot, fewer than a 64th of what is before them may be missed.
const STEPS: i64 = 64;

/// The offset of each assigned partition that is read next; none where reading begins with the log.
pub(crate) type Positions = BTreeMap<i32, Option<i64>>;

/// Whether a fetched batch cannot be unpacked.
pub(crate) fn is_unreadable(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{BadCompression, BadMessage, NotImplemented};
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| matches!(code, BadCompression | BadMessage | NotImplemented))
}

/// The search for batches that cannot be read, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// Where partitions were when a batch could not be read.
    suspected: Option<(Instant, Positions)>,
    running: JoinSet<Result<Vec<OffsetRange>, Error>>,
}

impl Search {
    /// Notes that a batch of some partition cannot be read.
    pub(crate) fn suspect(&mut self, positions: impl FnOnce() -> Positions) {
        if self.suspected.is_none() && self.running.is_empty() {
            self.suspected = Some((Instant::now(), positions()));
        }
    }

    /// Begins to search the partitions that have not moved since a batch could not be read, unless that was just now.
    pub(crate) fn begin(
        &mut self,
        settings: &Settings,
        shutdown: &CancellationToken,
        positions: impl FnOnce() -> Positions,
    ) {
        let is_due = |(since, _): &mut (Instant, Positions)| since.elapsed() >= STANDSTILL;
        let Some((_, mut before)) = self.suspected.take_if(is_due) else {
            return;
        };
        let now = positions();
        before.retain(|partition, position| now.get(partition) == Some(position));
        let (settings, shutdown) = (settings.clone(), shutdown.clone());
        self.running
            .spawn(async move { search(settings, before, shutdown).await });
    }

    /// The offsets that cannot be read, by partition, once a search has ended; never while there is none.
    pub(crate) async fn found(&mut self) -> Vec<OffsetRange> {
        let ended = match self.running.join_next().await {
            None => std::future::pending().await,
            Some(ended) => ended.map_err(Error::TaskFailed).flatten(),
        };
        ended.unwrap_or_else(|error| {
            warn!("cannot find out which batch cannot be read: {}", chain(&error));
            Vec::new()
        })
    }
}

async fn search(
    settings: Settings,
    positions: Positions,
    shutdown: CancellationToken,
) -> Result<Vec<OffsetRange>, Error> {
    let mut found = Vec::new();
    for progress in Probe::new(&settings)?.progress(TIMEOUT).await? {
        let Some(position) = positions.get(&progress.partition) else {
            continue;
        };
        let position = position.unwrap_or(progress.start);
        let start = position.max(progress.start);
        let (settings, shutdown) = (settings.clone(), shutdown.clone());
        // librdkafka blocks.
        let attempts = spawn_blocking(move || {
            let attempts = Attempts::new(&settings, progress.partition, &shutdown)?;
            attempts.readable_from(start..progress.end)
        });
        let readable_from = attempts.await.map_err(Error::TaskFailed)??;
        if readable_from > start {
            found.push((progress.partition, position..readable_from));
        }
    }
    Ok(found)
}

/// Attempts to read a partition.
struct Attempts<'a> {
    consumer: BaseConsumer<Logged>,
    topic: &'a str,
    partition: i32,
    shutdown: &'a CancellationToken,
}

impl<'a> Attempts<'a> {
    fn new(settings: &'a Settings, partition: i32, shutdown: &'a CancellationToken) -> Result<Self, Error> {
        let mut config = client::consumer_config(settings);
        config
            .set("isolation.level", "read_uncommitted")
            .set("queued.min.messages", "1")
            .set("max.partition.fetch.bytes", "1")
            .set("fetch.error.backoff.ms", "10")
            .set("fetch.wait.max.ms", "50");
        let consumer: BaseConsumer<Logged> = client::create(settings, config, Logged)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&settings.topic, partition, Offset::Beginning)
            .and_then(|()| consumer.assign(&list))
            .map_err(Error::Consumer)?;
        Ok(Self {
            consumer,
            topic: &settings.topic,
            partition,
            shutdown,
        })
    }

    /// The first of these offsets that can be read, or their end.
    fn readable_from(&self, Range { start, end }: Range<i64>) -> Result<i64, Error> {
        if start >= end || self.can_read(start)? {
            return Ok(start);
        }
        let (mut bad, mut good) = (start, end);
        loop {
            let next = bad + 1 + (bad - start) / STEPS;
            if next >= good {
                break;
            }
            if self.can_read(next)? {
                good = next;
                break;
            }
            bad = next;
        }
        while good - bad > 1 {
            let middle = bad + (good - bad) / 2;
            if self.can_read(middle)? {
                good = middle;
            } else {
                bad = middle;
            }
        }
        Ok(good)
    }

    /// Whether there is something to read at an offset.
    fn can_read(&self, offset: i64) -> Result<bool, Error> {
        let deadline = Instant::now() + TIMEOUT;
        // What was fetched before is dropped with this. It fails until the assignment has begun.
        while let Err(source) =
            self.consumer
                .seek(self.topic, self.partition, Offset::Offset(offset), TIMEOUT)
        {
            self.check(deadline, source)?;
        }
        loop {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(_)) => return Ok(true),
                Some(Err(error)) if is_unreadable(&error) => return Ok(false),
                Some(Err(error)) => self.check(deadline, error)?,
                None => self.check(
                    deadline,
                    KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut),
                )?,
            }
        }
    }

    /// Fails where there is no more time.
    fn check(&self, deadline: Instant, source: KafkaError) -> Result<(), Error> {
        if Instant::now() < deadline && !self.shutdown.is_cancelled() {
            return Ok(());
        }
        Err(Error::topic(self.topic)(source))
    }
}
