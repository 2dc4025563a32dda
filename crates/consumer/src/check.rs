//! Whether librdkafka makes the clients of ingestion from the settings.

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};

use crate::error::Error;
use crate::ingest::dead_letters::DeadLetters;
use crate::ingest::protocol;
use crate::kafka::client;
use crate::kafka::publisher::Publisher;
use crate::settings::Settings;

/// A context that says nothing: these clients connect to nobody.
struct Silent;

impl ClientContext for Silent {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
}

impl ConsumerContext for Silent {}

impl ProducerContext for Silent {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Checks what [`Settings::validate`] does, and that librdkafka takes the properties together: some it refuses only beside
/// others, or when it opens the files that they name. Nothing is sent.
pub fn check_clients(settings: &Settings) -> Result<(), Error> {
    settings.validate()?;
    make::<BaseConsumer<Silent>>(settings, protocol::member_config(settings))?;
    make::<BaseProducer<Silent>>(settings, DeadLetters::config(settings))?;
    make::<BaseProducer<Silent>>(settings, Publisher::config(settings))
}

fn make<T: FromClientConfigAndContext<Silent>>(
    settings: &Settings,
    mut config: ClientConfig,
) -> Result<(), Error> {
    config.remove("bootstrap.servers");
    client::create::<_, T>(settings, config, Silent).map(drop)
}
