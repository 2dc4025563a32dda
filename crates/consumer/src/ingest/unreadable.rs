//! Batches that librdkafka cannot unpack, or whose records it cannot parse, which it would ask for again for ever: where they
//! are, so that they can be passed over.
//!
//! Its error names neither a partition nor an offset, and of records that it cannot parse it says nothing. So partitions that
//! stand still are read by another client, one at a time, at one offset after another.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, Statistics, TopicPartitionList};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::error::{Error, chain};
use crate::kafka::client;
use crate::kafka::probe::Probe;
use crate::kafka::reader::OffsetRange;
use crate::settings::Settings;

/// How long a partition must stand still before it is looked at.
const STANDSTILL: Duration = Duration::from_secs(1);
/// How long the brokers may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often the client that tries counts the answers that it could not parse.
const STATISTICS_INTERVAL_MS: &str = "50";
/// After this many of them, at an offset where nothing else comes, its batch cannot be parsed.
const UNPARSED: i64 = 3;
/// Batches that cannot be parsed are not told apart: up to this many offsets each is tried, behind them steps grow with what
/// was passed over. Of records that can be read between two such batches, fewer than a 64th of what is before them may be missed.
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

/// Whether partitions stand still though there is more to read, while answers cannot be parsed.
#[derive(Debug, Default)]
pub(crate) struct Standstill {
    is_found: bool,
    unparsed: i64,
    /// The offset that is fetched next of each partition that has more.
    waiting: BTreeMap<i32, i64>,
}

impl Standstill {
    /// Compares the statistics of the client with those before. An answer may be cut short, and the rest of it is fetched next:
    /// that counts as not parsed, too, but moves on.
    pub(crate) fn note(&mut self, statistics: &Statistics, topic: &str) {
        let unparsed = unparsed(statistics);
        let partitions = statistics.topics.get(topic).into_iter();
        let waiting = partitions
            .flat_map(|topic| topic.partitions.values())
            .filter(|log| log.fetch_state == "active" && log.next_offset < log.ls_offset)
            .map(|log| (log.partition, log.next_offset));
        let waiting: BTreeMap<_, _> = waiting.collect();
        let mut still = waiting.iter();
        let stands_still = still.any(|(partition, next)| self.waiting.get(partition) == Some(next));
        self.is_found |= stands_still && self.unparsed < unparsed;
        (self.unparsed, self.waiting) = (unparsed, waiting);
    }

    /// Whether one was found since the last call.
    pub(crate) fn take(&mut self) -> bool {
        std::mem::take(&mut self.is_found)
    }
}

/// How many answers, or ends of answers, could not be parsed.
fn unparsed(statistics: &Statistics) -> i64 {
    let brokers = statistics.brokers.values();
    brokers
        .map(|broker| i64::try_from(broker.rxpartial).unwrap_or(i64::MAX))
        .sum()
}

/// What is at an offset.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// A record, there or behind it, or the end of the log.
    Readable,
    /// A batch that cannot be unpacked, by what librdkafka says of it, which names the offset where the batch begins.
    Packed(String),
    /// One whose records cannot be parsed.
    Malformed,
}

/// What librdkafka says to a client that tries to read.
#[derive(Debug, Default)]
struct Said(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    /// Why the last batch could not be read.
    reason: String,
    /// How often statistics came.
    statistics: u32,
    /// See [`unparsed`].
    unparsed: i64,
}

impl Said {
    fn with<T>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Said {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, _: KafkaError, reason: &str) {
        self.with(|heard| reason.clone_into(&mut heard.reason));
    }

    fn stats(&self, statistics: Statistics) {
        self.with(|heard| {
            heard.statistics += 1;
            heard.unparsed = unparsed(&statistics);
        });
    }
}

impl ConsumerContext for Said {}

/// Attempts to read a partition.
struct Attempts<'a> {
    consumer: BaseConsumer<Said>,
    topic: &'a str,
    partition: i32,
    shutdown: &'a CancellationToken,
}

impl<'a> Attempts<'a> {
    fn new(settings: &'a Settings, partition: i32, shutdown: &'a CancellationToken) -> Result<Self, Error> {
        let mut config = client::consumer_config(settings);
        config
            .set("isolation.level", "read_uncommitted")
            .set("enable.partition.eof", "true")
            .set("queued.min.messages", "1")
            // One batch comes at a time.
            .set("max.partition.fetch.bytes", "1")
            .set("fetch.error.backoff.ms", "10")
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.wait.max.ms", "50")
            .set("statistics.interval.ms", STATISTICS_INTERVAL_MS);
        let consumer: BaseConsumer<Said> = client::create(settings, config, Said::default())?;
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
        let mut from = start;
        while from < end {
            let batch = self.look(from)?;
            if batch == Found::Readable {
                break;
            }
            from = self.behind(&batch, from..end)?;
        }
        Ok(from)
    }

    /// The first of these offsets that is not in the same batch as the first of all, or their end. A batch comes as a whole,
    /// whichever of its offsets is asked for.
    fn behind(&self, batch: &Found, Range { start, end }: Range<i64>) -> Result<i64, Error> {
        let slowness = if *batch == Found::Malformed { STEPS } else { 1 };
        let (mut inside, mut outside) = (start, end);
        loop {
            let next = inside + 1 + (inside - start) / slowness;
            if next >= outside {
                break;
            }
            if self.look(next)? != *batch {
                outside = next;
                break;
            }
            inside = next;
        }
        while outside - inside > 1 {
            let middle = inside + (outside - inside) / 2;
            if self.look(middle)? == *batch {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        Ok(outside)
    }

    /// What is at an offset.
    fn look(&self, offset: i64) -> Result<Found, Error> {
        let deadline = Instant::now() + TIMEOUT;
        // What was fetched before is dropped with this. It fails until the assignment has begun.
        while let Err(source) =
            self.consumer
                .seek(self.topic, self.partition, Offset::Offset(offset), TIMEOUT)
        {
            self.check(deadline, source)?;
        }
        let said = self.consumer.context();
        // The next statistics may be of before.
        let first = said.with(|heard| heard.statistics) + 2;
        let mut unparsed = None;
        loop {
            match self.consumer.poll(Duration::from_millis(10)) {
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Ok(Found::Readable),
                Some(Err(error)) if is_unreadable(&error) => {
                    return Ok(Found::Packed(said.with(|heard| heard.reason.clone())));
                }
                Some(Err(error)) => self.check(deadline, error)?,
                None => {
                    let now = said.with(|heard| (heard.statistics >= first).then_some(heard.unparsed));
                    unparsed = unparsed.or(now);
                    if now
                        .zip(unparsed)
                        .is_some_and(|(now, before)| now - before >= UNPARSED)
                    {
                        return Ok(Found::Malformed);
                    }
                    let error = KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
                    self.check(deadline, error)?;
                }
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
