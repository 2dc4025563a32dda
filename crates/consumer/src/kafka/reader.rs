//! Reading what a topic holds.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{Error, Right};
use crate::kafka::client::{self, Logged};
use crate::kafka::probe::Probe;
use crate::kafka::rights;
use crate::settings::Settings;

/// Reads ranges of a topic, one after the other. It joins no group, so that other readers of the topic do not notice.
pub struct Reader {
    consumer: Arc<StreamConsumer<Logged>>,
    settings: Settings,
    config: ClientConfig,
    timeout: Duration,
    /// What is left of the range that is being read.
    reading: Option<OffsetRange>,
    waiting: VecDeque<OffsetRange>,
}

/// A partition, and the offsets to read there.
pub(crate) type OffsetRange = (i32, Range<i64>);

/// A record as its topic holds it.
#[derive(Debug)]
pub struct Stored(pub(crate) OwnedMessage);

/// The name and the value of a header.
pub type Header<'a> = (&'a str, Option<&'a [u8]>);

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Reader")
            .field("topic", &self.settings.topic)
            .field("reading", &self.reading)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// A reader of a whole topic at the brokers of the settings, to the ends that its partitions have now. `timeout` is how
    /// long the brokers may take for an answer, here and for each record.
    pub async fn open(settings: &Settings, topic: &str, timeout: Duration) -> Result<Self, Error> {
        settings.validate()?;
        let settings = settings.with_topic(topic);
        let mut reader = Self::new(&settings, client::consumer_config(&settings), timeout)?;
        for partition in Probe::new(&settings)?.progress(timeout).await? {
            reader.push(partition.partition, partition.start..partition.end);
        }
        Ok(reader)
    }

    /// A reader of what will be pushed of the event topic of the settings.
    pub(crate) fn new(
        settings: &Settings,
        mut config: ClientConfig,
        timeout: Duration,
    ) -> Result<Self, Error> {
        config.set("enable.partition.eof", "true");
        Ok(Self {
            consumer: Arc::new(client::create(settings, config.clone(), Logged)?),
            settings: settings.clone(),
            config,
            timeout,
            reading: None,
            waiting: VecDeque::new(),
        })
    }

    /// Adds offsets of a partition behind those that are still to be read.
    pub(crate) fn push(&mut self, partition: i32, offsets: Range<i64>) {
        if !offsets.is_empty() {
            self.waiting.push_back((partition, offsets));
        }
    }

    /// The next record. `None` once the ends of all ranges were met.
    pub async fn next(&mut self) -> Result<Option<Stored>, Error> {
        loop {
            let Some((partition, left)) = &mut self.reading else {
                match self.waiting.pop_front() {
                    None => return Ok(None),
                    Some(range) => self.assign(range)?,
                }
                continue;
            };
            let (partition, end) = (*partition, left.end);
            match timeout(self.timeout, self.consumer.recv()).await {
                Ok(Ok(record)) if record.partition() == partition => {
                    left.start = record.offset() + 1;
                    let is_within = record.offset() < end;
                    let record = Stored(record.detach());
                    if record.offset() + 1 >= end {
                        self.reading = None;
                    }
                    if is_within {
                        return Ok(Some(record));
                    }
                }
                Ok(Err(KafkaError::PartitionEOF(ended))) if ended == partition => self.reading = None,
                // What was fetched before another partition was assigned.
                Ok(Ok(_) | Err(KafkaError::PartitionEOF(_))) => {}
                Ok(Err(source)) => {
                    return Err(rights::topic_error(
                        &self.settings,
                        Right::ReadTopic,
                        &self.settings.topic,
                    )(source));
                }
                Err(_) => {
                    return Err(Error::Silent {
                        servers: self.settings.bootstrap_servers.clone(),
                        after: self.timeout,
                    });
                }
            }
        }
    }

    /// The next record, however long the brokers take. A client that nothing comes to for the reader's timeout is replaced, as
    /// librdkafka may have lost every broker for good.
    pub(crate) async fn next_in_the_end(&mut self) -> Result<Option<Stored>, Error> {
        let mut silent_since = Instant::now();
        loop {
            match timeout_at(silent_since + self.timeout, self.next()).await {
                Ok(Err(Error::Topic { topic, source }))
                    if !matches!(source, KafkaError::MessageConsumptionFatal(_)) =>
                {
                    client::note_error(&topic, &source);
                }
                Err(_) | Ok(Err(Error::Silent { .. })) => {
                    client::warn_away(format_args!(
                        "kafka: nothing came for {:?}: the client is replaced",
                        self.timeout
                    ));
                    self.replace_client()?;
                    silent_since = Instant::now();
                }
                Ok(ended) => return ended,
            }
        }
    }

    /// Goes on with another client where this one is.
    fn replace_client(&mut self) -> Result<(), Error> {
        self.consumer = Arc::new(client::create(&self.settings, self.config.clone(), Logged)?);
        if let Some(left) = self.reading.take() {
            self.waiting.push_front(left);
        }
        Ok(())
    }

    fn assign(&mut self, (partition, offsets): OffsetRange) -> Result<(), Error> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.settings.topic, partition, Offset::Offset(offsets.start))
            .and_then(|()| self.consumer.assign(&list))
            .map_err(Error::Consumer)?;
        self.reading = Some((partition, offsets));
        Ok(())
    }

    /// Commits offsets of the topic for the group of the settings, which must have no members.
    pub(crate) async fn commit(&self, offsets: &BTreeMap<i32, i64>) -> Result<(), Error> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.settings.topic, *partition, Offset::Offset(*offset))
                .map_err(Error::topic(&self.settings.topic))?;
        }
        // Waiting for librdkafka's answer blocks.
        let consumer = Arc::clone(&self.consumer);
        tokio::task::spawn_blocking(move || consumer.commit(&list, CommitMode::Sync))
            .await
            .map_err(Error::TaskFailed)?
            .map_err(Error::topic(&self.settings.topic))
    }
}

impl Stored {
    /// Its partition.
    pub fn partition(&self) -> i32 {
        self.0.partition()
    }

    /// Its offset there.
    pub fn offset(&self) -> i64 {
        self.0.offset()
    }

    /// When it was written, in milliseconds since 1970, if it says so.
    pub fn timestamp(&self) -> Option<i64> {
        self.0.timestamp().to_millis()
    }

    /// Its key.
    pub fn key(&self) -> Option<&[u8]> {
        self.0.key()
    }

    /// Its value.
    pub fn value(&self) -> Option<&[u8]> {
        self.0.payload()
    }

    /// Its headers, in their order. `None` if the name of one is not UTF-8: the client panics on such a name and
    /// has no other safe way to it.
    pub fn headers(&self) -> Option<Vec<Header<'_>>> {
        catch_unwind(AssertUnwindSafe(|| headers(&self.0).collect())).ok()
    }
}

/// The headers of a record, in their order. Panics at a name that is not UTF-8.
pub(crate) fn headers<M: Message>(record: &M) -> impl Iterator<Item = Header<'_>> {
    let headers = record.headers().into_iter().flat_map(Headers::iter);
    headers.map(|header| (header.key, header.value))
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::DefaultProducerContext;

    use super::*;
    use crate::kafka::publisher::Publisher;

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// A partition of `count` records of `bytes` each.
    async fn filled(count: i64, bytes: usize) -> (MockCluster<'static, DefaultProducerContext>, Settings) {
        let cluster = MockCluster::new(1).unwrap();
        let settings = Settings {
            bootstrap_servers: cluster.bootstrap_servers(),
            properties: [("compression.type".to_owned(), "none".to_owned())].into(),
            ..Settings::default()
        };
        cluster.create_topic(&settings.topic, 1, 1).unwrap();
        let publisher = Publisher::new(&settings).unwrap();
        for _ in 0..count {
            let value = vec![b'x'; bytes];
            publisher.publish(None, &[], Some(&value)).await.unwrap();
            publisher.flush(TIMEOUT).await.unwrap();
        }
        (cluster, settings)
    }

    /// Reads ranges of a partition of `count` records of `bytes` each: the offset where it starts, and those that are read.
    async fn read(count: i64, bytes: usize, ranges: &[Range<i64>]) -> (i64, Vec<i64>) {
        let (_cluster, settings) = filled(count, bytes).await;
        let start = Probe::new(&settings).unwrap().progress(TIMEOUT).await.unwrap()[0].start;
        let config = client::consumer_config(&settings);
        let mut reader = Reader::new(&settings, config, TIMEOUT).unwrap();
        for range in ranges {
            reader.push(0, range.clone());
        }
        let mut offsets = Vec::new();
        while let Some(record) = reader.next().await.unwrap() {
            offsets.push(record.offset());
        }
        (start, offsets)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ranges_are_read_one_after_the_other_and_no_further_than_the_log() {
        let (_, offsets) = read(10, 1, &[2..5, 0..1, 3..3, 1..3, 8..20, 4..6]).await;
        assert_eq!(offsets, [2, 3, 4, 0, 1, 2, 8, 9, 4, 5]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_client_goes_on_where_the_one_before_was() {
        let (_cluster, settings) = filled(10, 1).await;
        let mut reader = Reader::new(&settings, client::consumer_config(&settings), TIMEOUT).unwrap();
        reader.push(0, 2..6);
        reader.push(0, 0..1);
        let mut offsets = Vec::new();
        while let Some(record) = reader.next_in_the_end().await.unwrap() {
            offsets.push(record.offset());
            reader.replace_client().unwrap();
        }
        assert_eq!(offsets, [2, 3, 4, 5, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_nothing_comes_to_is_replaced() {
        let settings = Settings {
            // Nobody listens on the port of `discard`.
            bootstrap_servers: "127.0.0.1:9".to_owned(),
            ..Settings::default()
        };
        let config = client::consumer_config(&settings);
        let mut reader = Reader::new(&settings, config, client::DISCONNECTED_TIMEOUT).unwrap();
        reader.push(0, 3..6);
        let first = Arc::downgrade(&reader.consumer);
        // Time passes at once while nothing else is to be done.
        let read = timeout(client::DISCONNECTED_TIMEOUT * 2, reader.next_in_the_end()).await;
        assert!(read.is_err(), "{read:?}");
        assert_eq!(first.strong_count(), 0);
        assert_eq!(reader.reading, Some((0, 3..6)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_left_of_a_range_is_read_where_the_log_has_dropped_its_start() {
        let all = 0..20;
        // The mock cluster keeps 5 MB of a partition.
        let (start, offsets) = read(all.end, 500_000, std::slice::from_ref(&all)).await;
        assert!(start > 0);
        assert_eq!(offsets, (start..all.end).collect::<Vec<_>>());
    }
}
