//! Creating the topics that are missing.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::info;

use crate::error::{Error, Right};
use crate::kafka::client::{self, Logged};
use crate::kafka::probe::Probe;
use crate::kafka::rights;
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
        // Asking for a topic does not create it.
        match Probe::new(&settings.with_topic(new.name))?.ping(TIMEOUT).await {
            Err(Error::NoTopic { .. }) if settings.create_topics => create(settings, &new).await?,
            found => found?,
        }
    }
    rights::granted(Right::DescribeTopic);
    rights::granted(Right::CreateTopic);
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
    let admin: AdminClient<Logged> = client::create(settings, client::config(settings), Logged)?;
    let options = AdminOptions::new()
        .operation_timeout(Some(TIMEOUT))
        .request_timeout(Some(TIMEOUT));
    let results = admin.create_topics([new], &options).await;
    let results = results.map_err(Error::topic(topic))?;
    match results.into_iter().find_map(Result::err) {
        None => info!(topic, partitions = new.num_partitions, "created"),
        // Somebody else was faster.
        Some((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
        Some((_, code)) => {
            return Err(rights::topic_error(settings, Right::CreateTopic, topic)(
                KafkaError::AdminOp(code),
            ));
        }
    }
    Ok(())
}
