//! Rejected records, in their topic.

use std::time::Duration;

use futures::future::try_join_all;
use metrics::counter;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Header, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::client::{self, Logged};
use crate::delivery::Halt;
use crate::record::{Reason, size};
use crate::{Error, Settings, metric};

/// What we append to the headers of a record, in this order.
pub(crate) const HEADERS: [&str; 5] = [
    "rollcall_reason",
    "rollcall_reason_code",
    "rollcall_topic",
    "rollcall_partition",
    "rollcall_offset",
];
/// How many dead letters of a batch wait for their acknowledgement at once.
const AT_ONCE: usize = 1_000;
/// How long a dead letter may wait for its acknowledgement before its producer is given up.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A rejected record, as it will be written: key, value, timestamp and headers are its own; headers that say why
/// and where from come behind them. The name that repeats a record's own header is appended all the same, and
/// the last one holds.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    key: Option<Box<[u8]>>,
    value: Option<Box<[u8]>>,
    headers: OwnedHeaders,
    timestamp: Option<i64>,
    partition: i32,
    offset: i64,
    code: &'static str,
    bytes: usize,
}

/// The proof that every dead letter of a batch is acknowledged.
#[derive(Debug)]
pub(crate) struct Buried(());

/// Writes dead letters.
#[derive(Clone)]
pub(crate) struct DeadLetters {
    producer: FutureProducer<Logged>,
    topic: String,
}

impl DeadLetter {
    /// Copies a record that is rejected.
    pub(crate) fn new(record: &BorrowedMessage<'_>, reason: &Reason) -> Self {
        let headers = record.headers().map(BorrowedHeaders::detach);
        Self::with_headers(record, headers, reason)
    }

    /// As [`DeadLetter::new`], of a record that was read again.
    pub(crate) fn of_owned(record: &OwnedMessage, reason: &Reason) -> Self {
        Self::with_headers(record, record.headers().cloned(), reason)
    }

    fn with_headers<M: Message>(record: &M, headers: Option<OwnedHeaders>, reason: &Reason) -> Self {
        let headers = headers.unwrap_or_default();
        let text = reason.to_string();
        let (partition, offset) = (record.partition().to_string(), record.offset().to_string());
        let ours = [text.as_str(), reason.code(), record.topic(), &partition, &offset];
        let headers = HEADERS.into_iter().zip(ours).fold(headers, |all, (key, value)| {
            all.insert(Header {
                key,
                value: Some(value),
            })
        });
        Self {
            key: record.key().map(Into::into),
            value: record.payload().map(Into::into),
            headers,
            timestamp: record.timestamp().to_millis(),
            partition: record.partition(),
            offset: record.offset(),
            code: reason.code(),
            bytes: size(record).unwrap_or(record.payload().map_or(0, <[u8]>::len))
                + size_of::<Self>()
                + ENVELOPE_BYTES,
        }
    }

    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    /// Where the record lies: its partition and its offset there.
    pub(crate) const fn origin(&self) -> (i32, i64) {
        (self.partition, self.offset)
    }

    /// How much memory it takes, in bytes, about.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// About what our own headers take.
const ENVELOPE_BYTES: usize = 512;

impl DeadLetters {
    /// A producer that counts a dead letter as written once every replica has it.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Error> {
        let budget = Budget::of(settings);
        let mut config: ClientConfig = client::config(settings);
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("message.timeout.ms", TIMEOUT.as_millis().to_string())
            .set(
                "queue.buffering.max.kbytes",
                (budget.dead_letters >> 10).max(1).to_string(),
            )
            .set("message.max.bytes", client::message_max_bytes(settings));
        let producer = client::create(settings, config, Logged)?;
        Ok(Self {
            producer,
            topic: settings.dead_letter_topic.clone(),
        })
    }

    /// Writes all of them, unless told to halt, or one of them can never be written or not by this producer.
    pub(crate) async fn bury(
        &self,
        letters: &[DeadLetter],
        halt: &CancellationToken,
    ) -> Result<Buried, Halt> {
        for letters in letters.chunks(AT_ONCE) {
            try_join_all(letters.iter().map(|letter| self.write(letter, halt))).await?;
        }
        Ok(Buried(()))
    }

    async fn write(&self, letter: &DeadLetter, halt: &CancellationToken) -> Result<(), Halt> {
        let mut backoff = Backoff::new();
        loop {
            let record = FutureRecord::<[u8], [u8]> {
                topic: &self.topic,
                partition: None,
                payload: letter.value.as_deref(),
                key: letter.key.as_deref(),
                timestamp: letter.timestamp,
                headers: Some(letter.headers.clone()),
            };
            let Err((error, _)) = self.producer.send(record, Timeout::Never).await else {
                return Ok(());
            };
            if is_final(&error) {
                return Err(Halt::Ended(Error::DeadLetter {
                    topic: self.topic.clone(),
                    partition: letter.partition,
                    offset: letter.offset,
                    source: error,
                }));
            }
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageTimedOut) {
                return Err(Halt::Ended(Error::Unburied {
                    topic: self.topic.clone(),
                    after: TIMEOUT,
                }));
            }
            let wait = backoff.next();
            counter!(metric::RETRIES, "what" => "dead_letter").increment(1);
            warn!(
                partition = letter.partition,
                offset = letter.offset,
                attempt = backoff.attempt(),
                ?wait,
                "a dead letter was not written: {error}"
            );
            if halt.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Err(Halt::Abandoned);
            }
        }
    }
}

/// Whether an attempt to write a dead letter need not be repeated: it, or the producer, will never do.
fn is_final(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        Fatal, InvalidMessageSize, InvalidRecord, MessageSizeTooLarge, PolicyViolation,
        TopicAuthorizationFailed,
    };
    error.rdkafka_error_code().is_some_and(|code| {
        matches!(
            code,
            Fatal
                | InvalidMessageSize
                | InvalidRecord
                | MessageSizeTooLarge
                | PolicyViolation
                | TopicAuthorizationFailed
        )
    })
}
