//! Looking at Kafka from outside of the group.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::Instant;

use crate::error::Error;
use crate::kafka::client::{self, DISCONNECTED_TIMEOUT, Logged};
use crate::settings::Settings;

/// A client that looks at the event topic and its group and joins nothing. Cheap to clone; kept as long as it is
/// needed, since making one starts threads.
#[derive(Clone)]
pub struct Probe {
    settings: Arc<Settings>,
    client: Arc<Mutex<Client>>,
}

/// The client that is asked at present.
struct Client {
    consumer: Arc<BaseConsumer<Logged>>,
    /// Since when it has answered nothing.
    silent_since: Option<Instant>,
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
            .field("servers", &self.settings.bootstrap_servers)
            .finish_non_exhaustive()
    }
}

impl Probe {
    /// A client for the brokers, the topic and the group of the settings. Nothing is sent yet.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let client = Client {
            consumer: Arc::new(consumer(settings)?),
            silent_since: None,
        };
        Ok(Self {
            settings: Arc::new(settings.clone()),
            client: Arc::new(Mutex::new(client)),
        })
    }

    /// Asks the brokers for the event topic: an error if they do not answer in time, or do not have it.
    pub async fn ping(&self, timeout: Duration) -> Result<(), Error> {
        self.ask(move |client, settings| partitions(client, settings, timeout).map(drop))
            .await
    }

    /// How far each partition of the event topic is read.
    pub async fn progress(&self, timeout: Duration) -> Result<Vec<PartitionProgress>, Error> {
        self.ask(move |client, settings| progress(client, settings, timeout))
            .await
    }

    /// librdkafka's questions block.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&BaseConsumer<Logged>, &Settings) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let probe = self.clone();
        let blocking = move || {
            let consumer = Arc::clone(&probe.client().consumer);
            let answer = question(&consumer, &probe.settings);
            let is_silent = matches!(answer, Err(Error::Unreachable { .. } | Error::Topic { .. }));
            probe.record_outcome(&consumer, is_silent)?;
            answer
        };
        tokio::task::spawn_blocking(blocking)
            .await
            .map_err(Error::TaskFailed)?
    }

    /// Notes whether a client has answered, and replaces one that has not for [`DISCONNECTED_TIMEOUT`].
    fn record_outcome(&self, consumer: &Arc<BaseConsumer<Logged>>, is_silent: bool) -> Result<(), Error> {
        let mut client = self.client();
        if !Arc::ptr_eq(&client.consumer, consumer) {
            return Ok(());
        }
        if !is_silent {
            client.silent_since = None;
            return Ok(());
        }
        let since = *client.silent_since.get_or_insert_with(Instant::now);
        if since.elapsed() > DISCONNECTED_TIMEOUT {
            client::warn_away("kafka: no broker answers: the client is replaced");
            *client = Client {
                consumer: Arc::new(self::consumer(&self.settings)?),
                silent_since: None,
            };
        }
        Ok(())
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn consumer(settings: &Settings) -> Result<BaseConsumer<Logged>, Error> {
    client::create(settings, client::consumer_config(settings), Logged)
}

fn progress(
    client: &BaseConsumer<Logged>,
    settings: &Settings,
    timeout: Duration,
) -> Result<Vec<PartitionProgress>, Error> {
    let topic = &settings.topic;
    let mut asked = TopicPartitionList::new();
    for partition in partitions(client, settings, timeout)? {
        asked.add_partition(topic, partition);
    }
    let committed = client
        .committed_offsets(asked, timeout)
        .map_err(Error::topic(topic))?;
    let progress = committed.elements().into_iter().map(|element| {
        let partition = element.partition();
        let (start, end) = client
            .fetch_watermarks(topic, partition, timeout)
            .map_err(Error::topic(topic))?;
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
}

fn partitions(
    client: &BaseConsumer<Logged>,
    settings: &Settings,
    timeout: Duration,
) -> Result<Vec<i32>, Error> {
    let metadata = client
        .fetch_metadata(Some(&settings.topic), timeout)
        .map_err(|source| Error::Unreachable {
            servers: settings.bootstrap_servers.clone(),
            source,
        })?;
    let mut topics = metadata.topics().iter();
    let topic = topics.find(|topic| topic.name() == settings.topic && topic.error().is_none());
    let partitions = topic.map_or(&[][..], MetadataTopic::partitions);
    if partitions.is_empty() {
        return Err(Error::NoTopic {
            topic: settings.topic.clone(),
        });
    }
    Ok(partitions.iter().map(MetadataPartition::id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_is_not_answered_for_long_is_replaced() {
        let settings = Settings {
            // Nobody listens on the port of `discard`.
            bootstrap_servers: "127.0.0.1:9".to_owned(),
            ..Settings::default()
        };
        let probe = Probe::new(&settings).unwrap();
        let first = Arc::clone(&probe.client().consumer);
        let began = Instant::now();
        while Arc::ptr_eq(&first, &probe.client().consumer) {
            assert!(began.elapsed() < DISCONNECTED_TIMEOUT * 4, "it is never replaced");
            let answer = probe.ping(Duration::from_millis(200)).await;
            assert!(matches!(answer, Err(Error::Unreachable { .. })), "{answer:?}");
        }
        assert!(
            began.elapsed() > DISCONNECTED_TIMEOUT,
            "it was given no time to connect"
        );
    }
}
