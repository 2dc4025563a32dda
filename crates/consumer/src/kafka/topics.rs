//! Creating the topics that are missing.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::info;

use crate::error::Error;
use crate::kafka::client::{self, Logged};
use crate::settings::Settings;

/// How long the brokers may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Makes sure that the event topic and the dead-letter topic exist: creates those that are missing, or says
/// which one is where `kafka.create_topics` is off. A topic that exists is left as it is.
pub async fn ensure_topics(settings: &Settings) -> Result<(), Error> {
    settings.validate()?;
    let replicas = || TopicReplication::Fixed(settings.replica_count());
    let largest = largest_dead_letter(settings).to_string();
    let events = NewTopic::new(&settings.topic, settings.partition_count(), replicas());
    let dead_letters =
        NewTopic::new(&settings.dead_letter_topic, 1, replicas()).set("max.message.bytes", &largest);
    for new in [events, dead_letters] {
        if exists(settings, new.name).await? {
            continue;
        }
        if !settings.create_topics {
            return Err(Error::NoTopic {
                topic: new.name.to_owned(),
            });
        }
        create(settings, &new).await?;
    }
    Ok(())
}

/// The largest record that a new dead-letter topic takes, in bytes: whatever brokers let an event topic have by default or we
/// accept, and our headers. By the default of the brokers a record that just fits there would not fit here.
fn largest_dead_letter(settings: &Settings) -> i32 {
    const DEFAULT: usize = 1 << 20;
    let largest = settings
        .max_record_bytes
        .get()
        .max(DEFAULT)
        .saturating_add(DEFAULT);
    i32::try_from(largest).unwrap_or(i32::MAX)
}

async fn create(settings: &Settings, new: &NewTopic<'_>) -> Result<(), Error> {
    let topic = new.name;
    let cannot = |source| Error::Topic {
        topic: topic.to_owned(),
        source,
    };
    let admin: AdminClient<Logged> = client::create(settings, client::config(settings), Logged)?;
    let options = AdminOptions::new()
        .operation_timeout(Some(TIMEOUT))
        .request_timeout(Some(TIMEOUT));
    let results = admin.create_topics([new], &options).await.map_err(cannot)?;
    match results.into_iter().find_map(Result::err) {
        None => info!(topic, partitions = new.num_partitions, "created"),
        // Somebody else was faster.
        Some((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
        Some((_, code)) => return Err(cannot(KafkaError::AdminOp(code))),
    }
    Ok(())
}

/// Whether a topic exists. Asking does not create it.
async fn exists(settings: &Settings, topic: &str) -> Result<bool, Error> {
    let client: BaseConsumer<Logged> = client::create(settings, client::consumer_config(settings), Logged)?;
    let (name, servers) = (topic.to_owned(), settings.bootstrap_servers.clone());
    let look = move || {
        let metadata = client.fetch_metadata(Some(&name), TIMEOUT);
        let metadata = metadata.map_err(|source| Error::Unreachable { servers, source })?;
        let found = metadata.topics().iter().find(|found| found.name() == name);
        Ok(found.is_some_and(|found| found.error().is_none() && !found.partitions().is_empty()))
    };
    tokio::task::spawn_blocking(look)
        .await
        .map_err(Error::TaskFailed)?
}
