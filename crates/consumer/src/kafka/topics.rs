//! Creating the topics that are missing, and what the brokers are configured to: how large records may be, and how long offsets
//! are kept.

use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use crate::error::{Error, Right};
use crate::kafka::client::{self, Logged};
use crate::kafka::probe::Probe;
use crate::kafka::rights;
use crate::settings::Settings;

/// How long the brokers may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a topic that was created may be unknown to some broker.
const CREATION_TIMEOUT: Duration = Duration::from_secs(3);
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// What a dead letter has besides the record, in bytes, of which a topic that we create has room for more.
const OWN_HEADERS_BYTES: usize = 64 << 10;

/// Makes sure that the event topic and the dead-letter topic exist: creates those that are missing, or says
/// which one is where `kafka.create_topics` is off. A topic that exists is left as it is.
pub async fn ensure_topics(settings: &Settings) -> Result<(), Error> {
    settings.validate()?;
    let (events, dead_letters) = (&settings.topic, &settings.dead_letter_topic);
    let replicas = || TopicReplication::Fixed(settings.replica_count());
    let mut timeout = Duration::ZERO;
    if !exists(settings, events).await? {
        timeout = CREATION_TIMEOUT;
        create(
            settings,
            &NewTopic::new(events, settings.partition_count(), replicas()),
        )
        .await?;
    }
    if exists(settings, dead_letters).await? {
        warn_of_cut_letters(settings).await;
    } else {
        let [largest_event] = largest_batches(settings, [events], timeout).await;
        let largest = largest_dead_letter(settings, largest_event).to_string();
        let new = NewTopic::new(dead_letters, 1, replicas()).set("max.message.bytes", &largest);
        create(settings, &new).await?;
    }
    rights::granted(Right::DescribeTopic);
    rights::granted(Right::CreateTopic);
    Ok(())
}

/// Says where the dead-letter topic does not take whatever the event topic takes.
async fn warn_of_cut_letters(settings: &Settings) {
    let (events, dead_letters) = (&settings.topic, &settings.dead_letter_topic);
    let largest = largest_batches(settings, [events, dead_letters], Duration::ZERO).await;
    if let [Some(event), Some(letter)] = largest
        && letter < event.saturating_add(OWN_HEADERS_BYTES)
    {
        warn!(
            "{dead_letters} takes records of {letter} bytes, {events} of {event}: larger dead letters are cut, unless \
             max.message.bytes of {dead_letters} is {} or more",
            event.saturating_add(OWN_HEADERS_BYTES)
        );
    }
}

/// Whether a topic exists. An error if it does not and may not be created.
async fn exists(settings: &Settings, topic: &str) -> Result<bool, Error> {
    // Asking for a topic does not create it.
    match Probe::new(&settings.with_topic(topic))?.ping(TIMEOUT).await {
        Err(Error::NoTopic { .. }) if settings.create_topics => Ok(false),
        found => found.map(|()| true),
    }
}

/// The largest batch of records that a new dead-letter topic takes, in bytes: whatever the event topic takes, brokers let one
/// have by default or we accept, and our headers. By the default of the brokers a record that just fits there would not fit here.
fn largest_dead_letter(settings: &Settings, largest_event: Option<usize>) -> i32 {
    const DEFAULT: usize = 1 << 20;
    let largest = settings
        .max_record_bytes
        .get()
        .max(DEFAULT)
        .max(largest_event.unwrap_or(0))
        .saturating_add(DEFAULT);
    i32::try_from(largest).unwrap_or(i32::MAX)
}

/// The largest batch of records that each of the topics takes, in bytes, as far as the brokers say: it takes a right to ask.
/// One that does not say is asked again for as long as `timeout`.
pub(crate) async fn largest_batches<const N: usize>(
    settings: &Settings,
    topics: [&String; N],
    timeout: Duration,
) -> [Option<usize>; N] {
    let asked = topics.map(|topic| ResourceSpecifier::Topic(topic));
    let Ok(admin) = admin(settings) else {
        return [None; N];
    };
    let deadline = Instant::now() + timeout;
    loop {
        let answers = match admin.describe_configs(&asked, &options()).await {
            Ok(answers) => answers,
            Err(error) => {
                debug!("the brokers do not say how large records may be: {error}");
                return [None; N];
            }
        };
        // The client passes on no error of a single topic: one that is unknown or refused seems to have no settings.
        let largest = topics.map(|topic| {
            let of_topic = |resource: &&ConfigResource| {
                matches!(&resource.specifier, OwnedResourceSpecifier::Topic(name) if name == topic)
            };
            let resource = answers.iter().flatten().find(of_topic)?;
            resource.get("max.message.bytes")?.value.as_ref()?.parse().ok()
        });
        if largest.iter().all(Option::is_some) || Instant::now() >= deadline {
            return largest;
        }
        sleep(RETRY_INTERVAL).await;
    }
}

/// How long the brokers keep the offsets of a group that has no members, if they say so: it takes a right to ask.
pub(crate) async fn offsets_retention(settings: &Settings) -> Option<Duration> {
    let (admin, topic) = (admin(settings).ok()?, settings.topic.clone());
    let any_broker = move || {
        let metadata = admin.inner().fetch_metadata(Some(&topic), TIMEOUT).ok()?;
        Some((metadata.brokers().first()?.id(), admin))
    };
    let (broker, admin) = spawn_blocking(any_broker).await.ok()??;
    let asked = [ResourceSpecifier::Broker(broker)];
    let answers = admin.describe_configs(&asked, &options()).await.ok()?;
    let minutes = answers.iter().flatten().find_map(|resource| {
        let minutes = resource.get("offsets.retention.minutes")?.value.as_ref()?;
        minutes.parse::<u64>().ok()
    });
    minutes.map(|minutes| Duration::from_secs(60 * minutes))
}

fn admin(settings: &Settings) -> Result<AdminClient<Logged>, Error> {
    client::create(settings, client::config(settings), Logged)
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .operation_timeout(Some(TIMEOUT))
        .request_timeout(Some(TIMEOUT))
}

async fn create(settings: &Settings, new: &NewTopic<'_>) -> Result<(), Error> {
    let topic = new.name;
    let results = admin(settings)?.create_topics([new], &options()).await;
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
