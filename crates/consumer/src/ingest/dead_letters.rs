//! Rejected records, in their topic.

use std::time::Duration;

use futures::future::try_join_all;
use metrics::counter;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::error::{Error, Stop};
use crate::ingest::backoff::Backoff;
use crate::ingest::record::{Reason, size};
use crate::kafka::client::{self, Logged};
use crate::metric;
use crate::settings::Settings;

/// What we append to the headers of a record, in this order, and behind it [`TIMESTAMP`].
pub(crate) const HEADERS: [&str; 5] = [
    "rollcall_reason",
    "rollcall_reason_code",
    "rollcall_topic",
    "rollcall_partition",
    "rollcall_offset",
];
/// The record's timestamp, in milliseconds since 1970; without a value where it has none.
pub(crate) const TIMESTAMP: &str = "rollcall_timestamp";
/// How many dead letters of a batch wait for their acknowledgement at once.
const MAX_UNACKED: usize = 1_000;
/// How long a dead letter may wait for its acknowledgement before its producer is replaced.
const ACK_TIMEOUT: Duration = Duration::from_secs(30);

/// A rejected record, as it will be written: key, value and headers are its own; behind them come headers with reason,
/// original topic, partition, offset and timestamp. A name that repeats one of the record's own is appended all the same,
/// and the last one holds.
///
/// It gets the time at which it is written as its timestamp: Kafka deletes records by their timestamps, and of what comes
/// late or is consumed again the record's own may be older than what the topic keeps.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    record: OwnedMessage,
    code: &'static str,
    bytes: usize,
}

/// The proof that every dead letter of a batch is acknowledged.
#[derive(Debug)]
pub(crate) struct DeadLettersAcked(());

/// Writes dead letters.
#[derive(Clone)]
pub(crate) struct DeadLetters {
    producer: FutureProducer<Logged>,
    topic: String,
    /// How many bytes of a batch's letters wait for their acknowledgement at once.
    max_unacked_bytes: usize,
    /// Cancelled when the run is ending: an attempt that fails after that is the last.
    shutdown: CancellationToken,
}

impl DeadLetter {
    /// Of a record that is rejected.
    pub(crate) fn new(mut record: OwnedMessage, reason: &Reason) -> Self {
        let bytes = memory_of(&record) + size_of::<Self>() + OWN_HEADERS_BYTES;
        let headers = record.detach_headers().unwrap_or_default();
        let text = reason.to_string();
        let (partition, offset) = (record.partition().to_string(), record.offset().to_string());
        let timestamp = record.timestamp().to_millis().map(|millis| millis.to_string());
        let ours = [text.as_str(), reason.code(), record.topic(), &partition, &offset].map(Some);
        let ours = HEADERS.into_iter().zip(ours);
        let headers = ours
            .chain([(TIMESTAMP, timestamp.as_deref())])
            .fold(headers, |all, (key, value)| all.insert(Header { key, value }));
        Self {
            record: record.replace_headers(Some(headers)),
            code: reason.code(),
            bytes,
        }
    }

    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    /// The partition and the offset of the record.
    pub(crate) fn origin(&self) -> (i32, i64) {
        (self.record.partition(), self.record.offset())
    }

    /// How much memory it takes, in bytes, about.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// About what our own headers take.
const OWN_HEADERS_BYTES: usize = 1_024;

/// About how much memory a copy of a record takes, in bytes.
fn memory_of(record: &OwnedMessage) -> usize {
    /// What is kept of a header besides its name and its value.
    const HEADER: usize = 96;
    /// What headers are taken for whose names cannot be read: as much as brokers let a record have by default.
    const UNREADABLE: usize = 1 << 20;
    let headers = record.headers().map_or(0, Headers::count);
    let bytes = size(record).unwrap_or_else(|| {
        record.key().map_or(0, <[u8]>::len) + record.payload().map_or(0, <[u8]>::len) + UNREADABLE
    });
    bytes + headers * HEADER
}

impl DeadLetters {
    /// What the producer starts from.
    pub(crate) fn config(settings: &Settings) -> ClientConfig {
        let mut config = client::config(settings);
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("message.timeout.ms", ACK_TIMEOUT.as_millis().to_string())
            // Whatever was read can be written: how much waits in the queue is bounded by what is put there at once, and what
            // is too large the broker decides, which sees it compressed. These are the largest values there are.
            .set("queue.buffering.max.kbytes", "2147483647")
            .set("message.max.bytes", "1000000000");
        config
    }

    /// A producer that counts a dead letter as written once every replica has it.
    pub(crate) fn new(settings: &Settings, shutdown: CancellationToken) -> Result<Self, Error> {
        Ok(Self {
            producer: client::create(settings, Self::config(settings), Logged)?,
            topic: settings.dead_letter_topic.clone(),
            max_unacked_bytes: settings.budget().dead_letters / usize::from(settings.batches_in_flight.get()),
            shutdown,
        })
    }

    /// Writes all of them, unless the run is ending, or one of them can never be written or not by this producer.
    pub(crate) async fn write(&self, letters: &[DeadLetter]) -> Result<DeadLettersAcked, Stop> {
        let mut rest = letters;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.fitting(rest));
            try_join_all(now.iter().map(|letter| self.write_one(letter))).await?;
            rest = later;
        }
        Ok(DeadLettersAcked(()))
    }

    /// How many of these letters, from the first, are put into the queue at once: one at least.
    fn fitting(&self, letters: &[DeadLetter]) -> usize {
        let mut bytes = 0;
        let fit = letters.iter().take(MAX_UNACKED).take_while(|letter| {
            bytes += letter.bytes();
            bytes <= self.max_unacked_bytes
        });
        fit.count().max(1)
    }

    async fn write_one(&self, letter: &DeadLetter) -> Result<(), Stop> {
        let mut backoff = Backoff::new();
        let (partition, offset) = letter.origin();
        loop {
            let record = FutureRecord {
                topic: &self.topic,
                partition: None,
                payload: letter.record.payload(),
                key: letter.record.key(),
                timestamp: None,
                headers: letter.record.headers().cloned(),
            };
            let Err((error, _)) = self.producer.send(record, Timeout::Never).await else {
                return Ok(());
            };
            if is_final(&error) {
                return Err(Stop::Fatal(Error::DeadLetter {
                    topic: self.topic.clone(),
                    partition,
                    offset,
                    source: error,
                }));
            }
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::MessageTimedOut) => {
                    return Err(Stop::Fatal(Error::DeadLetterTimeout {
                        topic: self.topic.clone(),
                        after: ACK_TIMEOUT,
                    }));
                }
                Some(RDKafkaErrorCode::Fatal) => return Err(Stop::Fatal(Error::Producer(error))),
                _ => {}
            }
            let wait = backoff.next();
            counter!(metric::RETRIES, "what" => "dead_letter").increment(1);
            warn!(
                partition,
                offset,
                attempt = backoff.attempt(),
                ?wait,
                "a dead letter was not written: {error}"
            );
            let waited = self.shutdown.run_until_cancelled(sleep(wait)).await;
            waited.ok_or(Stop::Shutdown)?;
        }
    }
}

/// Whether a dead letter will be refused however often it is written.
fn is_final(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        InvalidMessageSize, InvalidRecord, MessageSizeTooLarge, PolicyViolation, TopicAuthorizationFailed,
    };
    error.rdkafka_error_code().is_some_and(|code| {
        matches!(
            code,
            InvalidMessageSize
                | InvalidRecord
                | MessageSizeTooLarge
                | PolicyViolation
                | TopicAuthorizationFailed
        )
    })
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;
    use rdkafka::message::OwnedHeaders;

    use super::*;

    #[test]
    fn many_small_headers_count_as_what_they_take() {
        const COUNT: usize = 10_000;
        let headers = (0..COUNT).fold(OwnedHeaders::new(), |all, _| {
            all.insert(Header {
                key: "h",
                value: None::<&[u8]>,
            })
        });
        let record = OwnedMessage::new(
            None,
            None,
            "events".to_owned(),
            Timestamp::NotAvailable,
            0,
            0,
            Some(headers),
        );
        let letter = DeadLetter::new(record, &Reason::HeaderName);
        // What librdkafka keeps of each, and where it is kept.
        assert!(letter.bytes() > COUNT * 70, "{} bytes", letter.bytes());
    }
}
