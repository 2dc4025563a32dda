//! What all clients of Kafka have in common.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use tracing::{debug, error, info, warn};

use crate::{Error, Settings};

/// How long a client may be without any broker before another takes its place: librdkafka forgets every broker when one
/// that has just come back tells of none, and then looks for none any more.
pub(crate) const CUT_OFF: Duration = Duration::from_secs(15);

/// A context that passes on what librdkafka has to say, and nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logged;

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!("librdkafka: {error}: {reason}");
    }
}

impl ConsumerContext for Logged {}

/// Passes on a line of librdkafka's log.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            error!("librdkafka: {facility} {message}");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => warn!("librdkafka: {facility} {message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => info!("librdkafka: {facility} {message}"),
        RDKafkaLogLevel::Debug => debug!("librdkafka: {facility} {message}"),
    }
}

/// What every client starts from.
pub(crate) fn config(settings: &Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.bootstrap_servers)
        .set("client.id", "rollcall")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("topic.metadata.refresh.interval.ms", "10000");
    config
}

/// Makes a client, with the properties that were configured on top.
pub(crate) fn create<C, T>(settings: &Settings, mut config: ClientConfig, context: C) -> Result<T, Error>
where
    C: ClientContext,
    T: FromClientConfigAndContext<C>,
{
    for (property, value) in settings.librdkafka_properties() {
        config.set(property, value);
    }
    config.create_with_context(context).map_err(Error::Client)
}

/// The largest message that a producer takes on: the largest record accepted, and room for our headers.
pub(crate) fn message_max_bytes(settings: &Settings) -> String {
    (settings.max_record_bytes.get().saturating_add(64 << 10))
        .clamp(1_000_000, 1_000_000_000)
        .to_string()
}
