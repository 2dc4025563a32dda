//! Reading what a topic holds.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::timeout;

use crate::client::{self, Logged};
use crate::{Error, Settings};

/// Reads a topic from its beginning until it has met the end of every partition. It joins no group and commits
/// nothing, so that whatever else reads the topic does not notice.
pub struct Reader {
    consumer: StreamConsumer<Logged>,
    topic: String,
    servers: String,
    patience: Duration,
    /// The partitions whose end is not met yet.
    open: BTreeSet<i32>,
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
    /// A reader of a topic at the brokers of the settings. `patience` is how long the brokers may take for an
    /// answer, here and for each record.
    pub async fn open(settings: &Settings, topic: &str, patience: Duration) -> Result<Self, Error> {
        settings.validate()?;
        let mut config = client::config(settings);
        config
            .set("group.id", &settings.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false");
        let consumer: StreamConsumer<Logged> = client::create(settings, config, Logged)?;
        let (topic, servers) = (topic.to_owned(), settings.bootstrap_servers.clone());
        // librdkafka's question blocks.
        let assign = move || {
            let open = assign(&consumer, &topic, &servers, patience)?;
            Ok(Self {
                consumer,
                topic,
                servers,
                patience,
                open,
            })
        };
        tokio::task::spawn_blocking(assign).await.map_err(Error::Died)?
    }

    /// The next record; those of a partition come in order. `None` once the end of every partition was met.
    pub async fn next(&mut self) -> Result<Option<Stored>, Error> {
        while !self.open.is_empty() {
            match timeout(self.patience, self.consumer.recv()).await {
                Ok(Ok(record)) => return Ok(Some(Stored(record.detach()))),
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

    fn cannot(&self, source: KafkaError) -> Error {
        Error::Topic {
            topic: self.topic.clone(),
            source,
        }
    }
}

/// Begins to read every partition of a topic at its first record.
fn assign(
    consumer: &StreamConsumer<Logged>,
    topic: &str,
    servers: &str,
    patience: Duration,
) -> Result<BTreeSet<i32>, Error> {
    let cannot = |source| Error::Topic {
        topic: topic.to_owned(),
        source,
    };
    let metadata = consumer
        .fetch_metadata(Some(topic), patience)
        .map_err(|source| Error::Unreachable {
            servers: servers.to_owned(),
            source,
        })?;
    let found = metadata
        .topics()
        .iter()
        .find(|found| found.name() == topic && found.error().is_none());
    let found = found.ok_or_else(|| Error::NoTopic {
        topic: topic.to_owned(),
    })?;
    let open: BTreeSet<i32> = found
        .partitions()
        .iter()
        .map(rdkafka::metadata::MetadataPartition::id)
        .collect();
    let mut list = TopicPartitionList::new();
    for partition in &open {
        list.add_partition_offset(topic, *partition, Offset::Beginning)
            .map_err(cannot)?;
    }
    consumer.assign(&list).map_err(cannot)?;
    Ok(open)
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
