//! Looking at Kafka from outside of the group.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{self, Logged};
use crate::{Error, Settings};

/// A client that looks at the event topic and its group and joins nothing. Cheap to clone; kept as long as it is
/// needed, since making one starts threads.
#[derive(Clone)]
pub struct Probe {
    consumer: Arc<BaseConsumer<Logged>>,
    topic: String,
    servers: String,
}

/// How far a partition of the event topic is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The partition.
    pub partition: i32,
    /// The offset of the first record that the log still holds.
    pub start: i64,
    /// The offset that the next record will get.
    pub end: i64,
    /// What the group has committed: the offset of the first record that is not settled.
    pub committed: Option<i64>,
}

impl PartitionProgress {
    /// How many records the log holds that are not settled.
    pub fn lag(&self) -> u64 {
        let settled = self.committed.unwrap_or(self.start).max(self.start);
        u64::try_from(self.end - settled).unwrap_or(0)
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Probe")
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

impl Probe {
    /// A client for the brokers, the topic and the group of the settings. Nothing is sent yet.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let mut config = client::config(settings);
        config
            .set("group.id", &settings.group_id)
            .set("allow.auto.create.topics", "false");
        let consumer = client::create(settings, config, Logged)?;
        Ok(Self {
            consumer: Arc::new(consumer),
            topic: settings.topic.clone(),
            servers: settings.bootstrap_servers.clone(),
        })
    }

    /// Asks the brokers for the event topic: an error if they do not answer in time, or do not have it.
    pub async fn ping(&self, timeout: Duration) -> Result<(), Error> {
        self.ask(move |probe| probe.partitions(timeout).map(drop)).await
    }

    /// How far each partition of the event topic is read.
    pub async fn progress(&self, timeout: Duration) -> Result<Vec<PartitionProgress>, Error> {
        self.ask(move |probe| {
            let mut asked = TopicPartitionList::new();
            for partition in probe.partitions(timeout)? {
                asked.add_partition(&probe.topic, partition);
            }
            let committed = probe
                .consumer
                .committed_offsets(asked, timeout)
                .map_err(|source| probe.cannot(source))?;
            let progress = committed.elements().into_iter().map(|element| {
                let partition = element.partition();
                let (start, end) = probe
                    .consumer
                    .fetch_watermarks(&probe.topic, partition, timeout)
                    .map_err(|source| probe.cannot(source))?;
                let committed = match element.offset() {
                    Offset::Offset(offset) => Some(offset),
                    _ => None,
                };
                Ok(PartitionProgress {
                    partition,
                    start,
                    end,
                    committed,
                })
            });
            progress.collect()
        })
        .await
    }

    fn partitions(&self, timeout: Duration) -> Result<Vec<i32>, Error> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(&self.topic), timeout)
            .map_err(|source| Error::Unreachable {
                servers: self.servers.clone(),
                source,
            })?;
        let topic = metadata
            .topics()
            .iter()
            .find(|topic| topic.name() == self.topic && topic.error().is_none());
        let topic = topic.ok_or_else(|| Error::NoTopic {
            topic: self.topic.clone(),
        })?;
        Ok(topic
            .partitions()
            .iter()
            .map(rdkafka::metadata::MetadataPartition::id)
            .collect())
    }

    fn cannot(&self, source: KafkaError) -> Error {
        Error::Topic {
            topic: self.topic.clone(),
            source,
        }
    }

    /// librdkafka's questions block.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let probe = self.clone();
        tokio::task::spawn_blocking(move || question(&probe))
            .await
            .map_err(Error::Died)?
    }
}
