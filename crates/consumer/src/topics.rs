//! Creating the topics that are missing.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::info;

use crate::client::{self, Logged};
use crate::{Error, Settings};

/// How long the brokers may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Makes sure that the event topic and the dead-letter topic exist: creates those that are missing, or says
/// which one is where `kafka.create_topics` is off. A topic that exists is left as it is.
pub async fn ensure_topics(settings: &Settings) -> Result<(), Error> {
    settings.validate()?;
    for (topic, partitions) in [
        (&settings.topic, settings.partition_count()),
        (&settings.dead_letter_topic, 1),
    ] {
        if exists(settings, topic).await? {
            continue;
        }
        if !settings.create_topics {
            return Err(Error::NoTopic { topic: topic.clone() });
        }
        create(settings, topic, partitions).await?;
    }
    Ok(())
}

async fn create(settings: &Settings, topic: &str, partitions: i32) -> Result<(), Error> {
    let cannot = |source| Error::Topic {
        topic: topic.to_owned(),
        source,
    };
    let admin: AdminClient<Logged> = client::create(settings, client::config(settings), Logged)?;
    let new = NewTopic::new(
        topic,
        partitions,
        TopicReplication::Fixed(settings.replica_count()),
    );
    let options = AdminOptions::new()
        .operation_timeout(Some(TIMEOUT))
        .request_timeout(Some(TIMEOUT));
    let results = admin.create_topics([&new], &options).await.map_err(cannot)?;
    match results.into_iter().find_map(Result::err) {
        None => info!(topic, partitions, "created"),
        // Somebody else was faster.
        Some((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
        Some((_, code)) => return Err(cannot(KafkaError::AdminOp(code))),
    }
    Ok(())
}

/// Whether a topic exists. Asking does not create it.
async fn exists(settings: &Settings, topic: &str) -> Result<bool, Error> {
    let mut config = client::config(settings);
    config.set("allow.auto.create.topics", "false");
    let client: BaseConsumer<Logged> = client::create(settings, config, Logged)?;
    let (name, servers) = (topic.to_owned(), settings.bootstrap_servers.clone());
    let look = move || {
        let metadata = client.fetch_metadata(Some(&name), TIMEOUT);
        let metadata = metadata.map_err(|source| Error::Unreachable { servers, source })?;
        let found = metadata.topics().iter().find(|found| found.name() == name);
        Ok(found.is_some_and(|found| found.error().is_none() && !found.partitions().is_empty()))
    };
    tokio::task::spawn_blocking(look).await.map_err(Error::Died)?
}
