//! What the brokers let a command do, found out without leaving anything there.

use std::fmt;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode::GroupAuthorizationFailed;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::error::{Error, Right};
use crate::kafka::client::{self, Logged};
use crate::kafka::probe::Probe;
use crate::kafka::rights;
use crate::settings::Settings;

/// The embedded broker's id begins so. It lets all clients do everything, and takes any number of acknowledgements.
const EMBEDDED: &str = "mockCluster";

const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A command that uses Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `ingest`
    Ingest,
    /// `replay`
    Replay,
    /// `produce`
    Produce,
}

/// A right that a command needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    right: Right,
    /// The name of the topic or the group.
    name: String,
}

impl fmt::Display for Need {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.right, self.name)
    }
}

impl Role {
    /// What it needs. To read or to write a topic includes to see it.
    pub fn needs(self, settings: &Settings) -> Vec<Need> {
        let need = |right, name: &str| Need {
            right,
            name: name.to_owned(),
        };
        let (events, letters, group) = (&settings.topic, &settings.dead_letter_topic, &settings.group_id);
        match self {
            Self::Ingest => vec![
                need(Right::ReadTopic, events),
                need(Right::WriteTopic, letters),
                need(Right::ReadGroup, group),
            ],
            Self::Replay => vec![
                need(Right::WriteTopic, events),
                need(Right::ReadTopic, letters),
                need(Right::ReadGroup, &format!("{group}.replay")),
            ],
            Self::Produce => vec![
                need(Right::WriteTopic, events),
                need(Right::DescribeTopic, letters),
            ],
        }
    }
}

impl Need {
    /// Uses the right in a way that changes nothing. `timeout` is how long the brokers may take for an answer.
    ///
    /// # Errors
    /// [`Error::Denied`] where it is not granted. Any other: it is not known.
    pub async fn check(&self, settings: &Settings, timeout: Duration) -> Result<(), Error> {
        let settings = match self.right {
            Right::ReadGroup => Settings {
                group_id: self.name.clone(),
                ..settings.clone()
            },
            _ => settings.with_topic(&self.name),
        };
        let probe = Probe::new(&settings)?;
        match self.right {
            Right::DescribeTopic | Right::CreateTopic => probe.ping(timeout).await,
            Right::ReadTopic => {
                let partition = probe.partition_count(timeout).await? - 1;
                blocking(move || read(&settings, partition, timeout)).await
            }
            Right::WriteTopic => {
                probe.ping(timeout).await?;
                write(&settings, timeout).await
            }
            Right::ReadGroup => blocking(move || commit(&settings)).await,
        }
    }
}

async fn blocking(check: impl FnOnce() -> Result<(), Error> + Send + 'static) -> Result<(), Error> {
    spawn_blocking(check).await.map_err(Error::TaskFailed)?
}

/// Reads what comes next in a partition, or that nothing does.
fn read(settings: &Settings, partition: i32, timeout: Duration) -> Result<(), Error> {
    let topic = &settings.topic;
    let mut config = client::consumer_config(settings);
    config.set("enable.partition.eof", "true");
    let consumer: BaseConsumer<Logged> = client::create(settings, config, Logged)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::End)
        .and_then(|()| consumer.assign(&list))
        .map_err(Error::Consumer)?;
    let deadline = Instant::now() + timeout;
    while Instant::now() < deadline {
        match consumer.poll(POLL_INTERVAL) {
            None => {}
            Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            // The client looks for its group, which this does not need.
            Some(Err(error)) if error.rdkafka_error_code() == Some(GroupAuthorizationFailed) => {}
            Some(Err(error)) => return Err(rights::topic_error(settings, Right::ReadTopic, topic)(error)),
        }
    }
    Err(Error::Silent {
        servers: settings.bootstrap_servers.clone(),
        after: timeout,
    })
}

/// Sends a record that asks for so many acknowledgements as there are not. Brokers look at that last, and write nothing.
async fn write(settings: &Settings, timeout: Duration) -> Result<(), Error> {
    let mut config = client::config(settings);
    config
        .set("acks", "2")
        .set("message.timeout.ms", timeout.as_millis().to_string());
    let producer: FutureProducer<Logged> = client::create(settings, config, Logged)?;
    let asked = producer.clone();
    let cluster = move || asked.client().fetch_cluster_id(timeout);
    let cluster = spawn_blocking(cluster).await.map_err(Error::TaskFailed)?;
    if cluster.is_some_and(|id| id.starts_with(EMBEDDED)) {
        return Ok(());
    }
    let record = FutureRecord::<[u8], [u8]>::to(&settings.topic).payload(b"rollcall check");
    match producer.send(record, Timeout::After(timeout)).await {
        Ok(_) => Ok(()),
        Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::InvalidRequiredAcks) => {
            Ok(())
        }
        Err((error, _)) => Err(rights::topic_error(settings, Right::WriteTopic, &settings.topic)(
            error,
        )),
    }
}

/// Commits an offset of a topic that is not there. Brokers look first whether the group may be used.
fn commit(settings: &Settings) -> Result<(), Error> {
    use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownTopicOrPartition};
    let consumer: BaseConsumer<Logged> = client::create(settings, client::consumer_config(settings), Logged)?;
    let absent = format!("{}.rollcall-check", settings.group_id);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&absent, 0, Offset::Offset(0))
        .map_err(Error::Consumer)?;
    let Err(error) = consumer.commit(&list, CommitMode::Sync) else {
        return Ok(());
    };
    if let Some(UnknownTopicOrPartition | TopicAuthorizationFailed) = error.rdkafka_error_code() {
        return Ok(());
    }
    // A group that may not even be seen is waited for in vain, and that it may not is said elsewhere.
    let mut errors = std::iter::from_fn(|| consumer.poll(POLL_INTERVAL)).filter_map(Result::err);
    let denied = errors.find(|error| error.rdkafka_error_code() == Some(GroupAuthorizationFailed));
    Err(rights::topic_error(settings, Right::ReadGroup, &absent)(
        denied.unwrap_or(error),
    ))
}
