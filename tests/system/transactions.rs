//! A producer that publishes in transactions. Its calls block.

use std::time::Duration;

use consumer::Settings;
use rdkafka::{
    ClientConfig,
    error::KafkaResult,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};

use crate::records::Record;

/// How long the broker may take for each step.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A producer with an id, by which the broker ends what an earlier one has left open.
pub(crate) struct Transactions {
    producer: ThreadedProducer<DefaultProducerContext>,
    topic: String,
}

impl Transactions {
    pub(crate) fn start(settings: &Settings, id: &str) -> KafkaResult<Self> {
        let producer: ThreadedProducer<_> = ClientConfig::new()
            .set("bootstrap.servers", &settings.bootstrap_servers)
            .set("transactional.id", id)
            .set("transaction.timeout.ms", TIMEOUT.as_millis().to_string())
            .create()?;
        producer.init_transactions(TIMEOUT)?;
        Ok(Self {
            producer,
            topic: settings.topic.clone(),
        })
    }

    pub(crate) fn begin(&self) -> KafkaResult<()> {
        self.producer.begin_transaction()
    }

    /// Queues a record of the open transaction.
    pub(crate) fn send(&self, record: &Record) -> KafkaResult<()> {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            let value = value.as_ref();
            headers = headers.insert(Header { key, value });
        }
        let mut queued = BaseRecord::to(&self.topic).headers(headers);
        queued.key = record.key.as_ref();
        queued.payload = record.value.as_ref();
        self.producer.send(queued).map_err(|(error, _)| error)
    }

    /// Waits until the log holds what was queued.
    pub(crate) fn flush(&self) -> KafkaResult<()> {
        self.producer.flush(TIMEOUT)
    }

    pub(crate) fn commit(&self) -> KafkaResult<()> {
        self.producer.commit_transaction(TIMEOUT)
    }

    pub(crate) fn abort(&self) -> KafkaResult<()> {
        self.producer.abort_transaction(TIMEOUT)
    }
}
