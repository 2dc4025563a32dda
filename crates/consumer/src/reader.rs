//! Reading what a topic holds.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::timeout;

use crate::client::{self, Logged};
use crate::{Error, Probe, Settings};

/// Reads a topic to the ends that its partitions had when it began. It joins no group, so that whatever else reads
/// the topic does not notice.
pub struct Reader {
    consumer: Arc<StreamConsumer<Logged>>,
    topic: String,
    servers: String,
    patience: Duration,
    /// The end of each partition whose end is not met yet.
    open: BTreeMap<i32, i64>,
}

/// A record as it lies in its topic.
#[derive(Debug)]
pub struct Stored(OwnedMessage);

/// The name and the value of a header.
pub type Header<'a> = (&'a str, Option<&'a [u8]>);

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Reader")
            .field("topic", &self.topic)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// A reader of a whole topic at the brokers of the settings. `patience` is how long the brokers may take for an
    /// answer, here and for each record.
    pub async fn open(settings: &Settings, topic: &str, patience: Duration) -> Result<Self, Error> {
        settings.validate()?;
        let settings = Settings {
            topic: topic.to_owned(),
            ..settings.clone()
        };
        let progress = Probe::new(&settings)?.progress(patience).await?;
        let whole = progress
            .into_iter()
            .map(|partition| (partition.partition, partition.start..partition.end));
        Self::open_between(&settings, &whole.collect(), patience)
    }

    /// A reader of some offsets of each partition of the event topic of the settings.
    pub(crate) fn open_between(
        settings: &Settings,
        offsets: &BTreeMap<i32, Range<i64>>,
        patience: Duration,
    ) -> Result<Self, Error> {
        let mut config = client::config(settings);
        config
            .set("group.id", &settings.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false");
        let consumer: StreamConsumer<Logged> = client::create(settings, config, Logged)?;
        let reader = Self {
            consumer: Arc::new(consumer),
            topic: settings.topic.clone(),
            servers: settings.bootstrap_servers.clone(),
            patience,
            open: offsets
                .iter()
                .filter(|(_, offsets)| !offsets.is_empty())
                .map(|(partition, offsets)| (*partition, offsets.end))
                .collect(),
        };
        let mut list = TopicPartitionList::new();
        for partition in reader.open.keys() {
            list.add_partition_offset(
                &reader.topic,
                *partition,
                Offset::Offset(offsets[partition].start),
            )
            .map_err(|source| reader.cannot(source))?;
        }
        reader
            .consumer
            .assign(&list)
            .map_err(|source| reader.cannot(source))?;
        Ok(reader)
    }

    /// The next record; those of a partition come in order. `None` once the end of every partition was met.
    pub async fn next(&mut self) -> Result<Option<Stored>, Error> {
        while !self.open.is_empty() {
            match timeout(self.patience, self.consumer.recv()).await {
                Ok(Ok(record)) => {
                    let (partition, offset) = (record.partition(), record.offset());
                    let Some(end) = self.open.get(&partition).copied() else {
                        continue;
                    };
                    if offset + 1 >= end {
                        self.open.remove(&partition);
                    }
                    if offset < end {
                        return Ok(Some(Stored(record.detach())));
                    }
                }
                Ok(Err(KafkaError::PartitionEOF(partition))) => {
                    self.open.remove(&partition);
                }
                Ok(Err(source)) => return Err(self.cannot(source)),
                Err(_) => {
                    return Err(Error::Silent {
                        servers: self.servers.clone(),
                        after: self.patience,
                    });
                }
            }
        }
        Ok(None)
    }

    /// Commits offsets of the topic for the group of the settings, which must have no members.
    pub(crate) async fn commit(&self, offsets: &BTreeMap<i32, i64>) -> Result<(), Error> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
                .map_err(|source| self.cannot(source))?;
        }
        // librdkafka's answer is waited for, which blocks.
        let consumer = Arc::clone(&self.consumer);
        tokio::task::spawn_blocking(move || consumer.commit(&list, CommitMode::Sync))
            .await
            .map_err(Error::Died)?
            .map_err(|source| self.cannot(source))
    }

    fn cannot(&self, source: KafkaError) -> Error {
        Error::Topic {
            topic: self.topic.clone(),
            source,
        }
    }
}

impl Stored {
    /// The partition that it lies in.
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
        let Some(headers) = self.0.headers() else {
            return Some(Vec::new());
        };
        let all = || headers.iter().map(|header| (header.key, header.value)).collect();
        catch_unwind(AssertUnwindSafe(all)).ok()
    }
}
