//! Publishing events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use tokio::time::sleep;

use crate::error::Error;
use crate::kafka::{client, reader, rights, topics};
use crate::settings::Settings;

/// How often a full queue is checked for room, and acknowledgements are checked for.
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// How much the queue holds, in KiB.
const QUEUE_KIB: u32 = 32 << 10;
/// How large a batch may become, unless its topic takes less.
const BATCH_BYTES: usize = 1_000_000;

/// Publishes records to the event topic. Records are queued and sent in the background; a full queue makes
/// [`Publisher::publish`] wait.
pub struct Publisher {
    producer: ThreadedProducer<Acknowledgements>,
    topic: String,
    settings: Settings,
}

/// Counts the records that are acknowledged, and keeps the first failure.
#[derive(Debug, Default)]
struct Acknowledgements {
    acknowledged: AtomicU64,
    first_failure: Mutex<Option<KafkaError>>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Publisher")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl Publisher {
    /// What a producer of events starts from.
    pub(crate) fn config(settings: &Settings) -> ClientConfig {
        let mut config = client::config(settings);
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("batch.num.messages", "10000")
            .set("batch.size", BATCH_BYTES.to_string())
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", QUEUE_KIB.to_string())
            .set("message.max.bytes", max_message_bytes(settings).to_string());
        config
    }

    /// A producer for the event topic of the settings. Nothing is sent yet.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        Self::with_config(settings, Self::config(settings))
    }

    /// As [`Publisher::new`], where the topic may take less than most: no batch of small records is larger than it takes, as
    /// far as the brokers say.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let mut config = Self::config(settings);
        let [largest] = topics::largest_batches(settings, [&settings.topic], Duration::ZERO).await;
        if let Some(largest) = largest {
            config.set("batch.size", largest.clamp(1, BATCH_BYTES).to_string());
        }
        Self::with_config(settings, config)
    }

    fn with_config(settings: &Settings, config: ClientConfig) -> Result<Self, Error> {
        settings.validate()?;
        let producer = client::create(settings, config, Acknowledgements::default())?;
        Ok(Self {
            producer,
            topic: settings.topic.clone(),
            settings: settings.clone(),
        })
    }

    /// Queues a record, once there is room for it. It is acknowledged later: see [`Publisher::flush`].
    pub async fn publish(
        &self,
        key: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
        payload: Option<&[u8]>,
    ) -> Result<(), Error> {
        let mut record = BaseRecord::to(&self.topic);
        record.key = key;
        record.payload = payload;
        if !headers.is_empty() {
            record.headers = Some(owned_headers(headers));
        }
        loop {
            record = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => record,
                Err((source, _)) => return Err(self.cannot(source)),
            };
            sleep(POLL_INTERVAL).await;
        }
    }

    /// How many records the brokers have acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.counts().acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until every queued record is acknowledged, for `timeout` at most. The first record that was not
    /// taken, now or since the last call, is the error.
    pub async fn flush(&self, timeout: Duration) -> Result<(), Error> {
        let acknowledged = async {
            while self.producer.in_flight_count() > 0 {
                sleep(POLL_INTERVAL).await;
            }
        };
        if tokio::time::timeout(timeout, acknowledged).await.is_err() {
            return Err(Error::Unacknowledged {
                topic: self.topic.clone(),
                waiting: self.producer.in_flight_count().unsigned_abs().into(),
                after: timeout,
            });
        }
        let failure = self
            .counts()
            .first_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        failure.map_or(Ok(()), |source| Err(self.cannot(source)))
    }

    fn counts(&self) -> &Acknowledgements {
        self.producer.context()
    }

    fn cannot(&self, source: KafkaError) -> Error {
        let client = self.producer.client();
        match rights::denial_of_producer(&self.settings, client, &source, &self.topic) {
            Some(denial) => Error::Denied(denial),
            None => Error::Publish {
                topic: self.topic.clone(),
                source,
            },
        }
    }
}

/// Headers as librdkafka takes them.
pub(crate) fn owned_headers(headers: &[reader::Header<'_>]) -> OwnedHeaders {
    let all = OwnedHeaders::new_with_capacity(headers.len());
    headers
        .iter()
        .fold(all, |all, (key, value)| all.insert(Header { key, value: *value }))
}

/// The largest message that is sent: the largest record accepted, and room for our headers.
fn max_message_bytes(settings: &Settings) -> usize {
    (settings.max_record_bytes.get().saturating_add(64 << 10)).clamp(1_000_000, 1_000_000_000)
}

impl ClientContext for Acknowledgements {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!("librdkafka: {error}: {reason}");
    }
}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                let mut first = self.first_failure.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert_with(|| error.clone());
            }
        }
    }
}
