//! Looking at Kafka from outside of the group.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::Instant;

use crate::error::{Error, Right};
use crate::kafka::client::{self, DISCONNECTED_TIMEOUT, Logged};
use crate::kafka::commit_metadata;
use crate::kafka::rights;
use crate::settings::Settings;

/// How long what librdkafka has to say is waited for.
const LOG_TIMEOUT: Duration = Duration::from_millis(10);

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

    /// How many partitions the event topic has.
    pub(crate) async fn partition_count(&self, timeout: Duration) -> Result<i32, Error> {
        let partitions = self.ask(move |client, settings| partitions(client, settings, timeout));
        let last = partitions.await?.into_iter().max();
        Ok(last.map_or(0, |last| last + 1))
    }

    /// How far each partition of the event topic is read.
    pub async fn progress(&self, timeout: Duration) -> Result<Vec<PartitionProgress>, Error> {
        self.ask(move |client, settings| progress(client, settings, timeout))
            .await
    }

    /// How many members the group has. `None` where the brokers do not say: the embedded one knows no such question, and of a
    /// group of the protocol of KIP-848 librdkafka does not learn its members.
    pub async fn members(&self, timeout: Duration) -> Result<Option<u64>, Error> {
        self.ask(move |client, settings| Ok(members(client, &settings.group_id, timeout)))
            .await
    }

    /// Checks that the group has read nothing of the event topic into another database than the one of this id, and that the
    /// brokers answer: see [`Error::OtherDatabase`].
    pub async fn check_database(&self, database: &str, timeout: Duration) -> Result<(), Error> {
        let database = database.to_owned();
        self.ask(move |client, settings| {
            let committed = committed(client, settings, timeout)?;
            commit_metadata::check_database(&committed, &settings.group_id, &database)
        })
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
    let mut config = client::consumer_config(settings);
    // That a broker closes the connection, as one for TLS does when it is spoken to without, is no error to librdkafka.
    config.set_log_level(RDKafkaLogLevel::Info);
    client::create(settings, config, Logged)
}

fn progress(
    client: &BaseConsumer<Logged>,
    settings: &Settings,
    timeout: Duration,
) -> Result<Vec<PartitionProgress>, Error> {
    let topic = &settings.topic;
    let committed = committed(client, settings, timeout)?;
    let progress = committed.elements().into_iter().map(|element| {
        let partition = element.partition();
        let (start, end) = client
            .fetch_watermarks(topic, partition, timeout)
            .map_err(rights::topic_error(settings, Right::DescribeTopic, topic))?;
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

/// What the group has committed, of each partition.
fn committed(
    client: &BaseConsumer<Logged>,
    settings: &Settings,
    timeout: Duration,
) -> Result<TopicPartitionList, Error> {
    let mut asked = TopicPartitionList::new();
    for partition in partitions(client, settings, timeout)? {
        asked.add_partition(&settings.topic, partition);
    }
    // A request about a group that is denied waits in vain for a coordinator.
    let committed = match group_denial(client) {
        Some(denied) => Err(denied),
        None => client
            .committed_offsets(asked, timeout)
            .map_err(|error| group_denial(client).unwrap_or(error)),
    };
    committed.map_err(rights::topic_error(
        settings,
        Right::DescribeTopic,
        &settings.topic,
    ))
}

/// To whoever may not describe the group there is none: its commits are asked for first.
fn members(client: &BaseConsumer<Logged>, group: &str, timeout: Duration) -> Option<u64> {
    /// What a broker says of a group that is not of the classic protocol.
    const DEAD: &str = "Dead";
    let list = client.fetch_group_list(Some(group), timeout).ok()?;
    match list.groups() {
        [] => Some(0),
        [group, ..] if group.state() == DEAD => None,
        [group, ..] => u64::try_from(group.members().len()).ok(),
    }
}

fn partitions(
    client: &BaseConsumer<Logged>,
    settings: &Settings,
    timeout: Duration,
) -> Result<Vec<i32>, Error> {
    let metadata = client
        .fetch_metadata(Some(&settings.topic), timeout)
        .map_err(|source| unreachable(client, settings, source))?;
    client::note_answer();
    let mut topics = metadata.topics().iter();
    let topic = topics.find(|topic| topic.name() == settings.topic);
    let partitions = topic.map_or(&[][..], MetadataTopic::partitions);
    match topic.and_then(MetadataTopic::error).map(RDKafkaErrorCode::from) {
        None | Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {}
        Some(code) => {
            let error = rights::topic_error(settings, Right::DescribeTopic, &settings.topic);
            return Err(error(KafkaError::MetadataFetch(code)));
        }
    }
    if partitions.is_empty() {
        return Err(Error::NoTopic {
            topic: settings.topic.clone(),
        });
    }
    Ok(partitions.iter().map(MetadataPartition::id).collect())
}

/// That the group is denied, if the client has learnt it since it was polled last.
fn group_denial(client: &BaseConsumer<Logged>) -> Option<KafkaError> {
    let mut errors = std::iter::from_fn(|| client.poll(LOG_TIMEOUT)).filter_map(Result::err);
    errors.find(|error| error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed))
}

/// Why nobody answers waits in the client's log until that is polled.
fn unreachable(client: &BaseConsumer<Logged>, settings: &Settings, source: KafkaError) -> Error {
    while client.poll(LOG_TIMEOUT).is_some() {}
    Error::Unreachable {
        servers: settings.bootstrap_servers.clone(),
        source: client::cause(source),
    }
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
