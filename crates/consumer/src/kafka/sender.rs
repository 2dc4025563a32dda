//! Sending records, with an answer for each.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::util::Timeout;
use tokio::sync::OnceCell;

use crate::error::Error;
use crate::kafka::client::{self, Logged};
use crate::settings::Settings;

/// Sends records, many at once, and waits for the answer to each. What waits in its queue is bounded by what is given to it
/// at once.
pub(crate) struct Sender {
    settings: Settings,
    ack_timeout: Duration,
    batching: FutureProducer<Logged>,
    /// Sends each record as a batch of its own; made when it is needed.
    single: OnceCell<FutureProducer<Logged>>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Sender")
            .field("servers", &self.settings.bootstrap_servers)
            .finish_non_exhaustive()
    }
}

impl Sender {
    /// A producer that has a record acknowledged by every replica, or gives up after `ack_timeout`.
    pub(crate) fn new(settings: &Settings, ack_timeout: Duration) -> Result<Self, Error> {
        Ok(Self {
            settings: settings.clone(),
            ack_timeout,
            batching: client::create(settings, config(settings, ack_timeout), Logged)?,
            single: OnceCell::new(),
        })
    }

    /// The client that knows why records are refused.
    pub(crate) fn client(&self) -> &Client<impl ClientContext + use<>> {
        self.batching.client()
    }

    /// Sends a record, which may be asked for twice: a topic measures batches, so that one which is too large says nothing
    /// of its records. Each of those is sent again by itself. [`Error::Publish`] if it is not taken.
    pub(crate) async fn send<'a>(
        &self,
        record: impl Fn() -> FutureRecord<'a, [u8], [u8]>,
    ) -> Result<(), Error> {
        match self.batching.send(record(), Timeout::Never).await {
            Ok(_) => return Ok(()),
            Err((source, _)) if is_too_large(&source) => {}
            Err((source, _)) => return Err(refused(&record(), source)),
        }
        let single = || async {
            let mut config = config(&self.settings, self.ack_timeout);
            config.set("batch.num.messages", "1");
            client::create(&self.settings, config, Logged)
        };
        let single: &FutureProducer<Logged> = self.single.get_or_try_init(single).await?;
        let sent = single.send(record(), Timeout::Never).await;
        sent.map(drop).map_err(|(source, _)| refused(&record(), source))
    }
}

/// Whether a record is refused for its size.
pub(crate) fn is_too_large(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{MessageBatchTooLarge, MessageSizeTooLarge};
    matches!(
        error.rdkafka_error_code(),
        Some(MessageBatchTooLarge | MessageSizeTooLarge)
    )
}

pub(crate) fn config(settings: &Settings, ack_timeout: Duration) -> ClientConfig {
    let mut config = client::config(settings);
    config
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        .set("message.timeout.ms", ack_timeout.as_millis().to_string())
        // The broker decides what is too large: it sees records compressed. These are the largest values there are.
        .set("queue.buffering.max.kbytes", "2147483647")
        .set("message.max.bytes", "1000000000");
    config
}

fn refused(record: &FutureRecord<'_, [u8], [u8]>, source: KafkaError) -> Error {
    Error::Publish {
        topic: record.topic.to_owned(),
        source,
    }
}
