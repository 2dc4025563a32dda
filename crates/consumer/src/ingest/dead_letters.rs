//! Rejected records, in their topic.

use std::time::Duration;

use futures::future::try_join_all;
use metrics::counter;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::FutureRecord;
use tokio::sync::OnceCell;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::error::{Error, Right, Stop};
use crate::ingest::backoff::Backoff;
use crate::ingest::record::{Reason, size};
use crate::kafka::rights;
use crate::kafka::sender::{self, Sender, is_too_large};
use crate::kafka::topics;
use crate::metric;
use crate::settings::Settings;

/// What we append to the headers of a record, in this order; behind it [`TIMESTAMP`], and [`CUT_FROM`] where it is cut.
pub(crate) const HEADERS: [&str; 5] = [
    "rollcall_reason",
    "rollcall_reason_code",
    "rollcall_topic",
    "rollcall_partition",
    "rollcall_offset",
];
/// The record's timestamp, in milliseconds since 1970; without a value where it has none.
pub(crate) const TIMESTAMP: &str = "rollcall_timestamp";
/// How many bytes the key, the headers and the value of the record have of which the letter holds only the beginning.
pub(crate) const CUT_FROM: &str = "rollcall_cut_from_bytes";
/// About what a batch of one letter has besides the letter's bytes.
const FRAMING_BYTES: usize = 1_024;
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
    /// The size of the record's own headers. `None` if a name cannot be read.
    own_headers: Option<usize>,
    code: &'static str,
    bytes: usize,
}

/// What is written of a dead letter.
struct Part<'a> {
    key: Option<&'a [u8]>,
    headers: Option<OwnedHeaders>,
    value: Option<&'a [u8]>,
    /// The size of the record's own among that.
    own_bytes: usize,
}

/// The proof that every dead letter of a batch is acknowledged.
#[derive(Debug)]
pub(crate) struct DeadLettersAcked(());

/// Writes dead letters.
pub(crate) struct DeadLetters {
    sender: Sender,
    settings: Settings,
    /// The largest letter that the topic takes, in bytes, where the brokers say so; asked once a letter is too large.
    largest: OnceCell<Option<usize>>,
    /// How many bytes of a batch's letters wait for their acknowledgement at once.
    max_unacked_bytes: usize,
    /// Cancelled when the run is ending: an attempt that fails after that is the last.
    shutdown: CancellationToken,
}

impl DeadLetter {
    /// Of a record that is rejected.
    pub(crate) fn new(mut record: OwnedMessage, reason: &Reason) -> Self {
        let own_headers = size(&record).map(|bytes| bytes - key_and_value_bytes(&record));
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
            own_headers,
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

    /// The size of what it holds of the record.
    fn own_bytes(&self) -> usize {
        key_and_value_bytes(&self.record) + self.own_headers.unwrap_or(0)
    }

    fn whole(&self) -> Part<'_> {
        Part {
            key: self.record.key(),
            headers: self.record.headers().cloned(),
            value: self.record.payload(),
            own_bytes: self.own_bytes(),
        }
    }

    /// The beginning of it, with our headers, in `room` bytes. A key or headers of its own that do not fit are left out, and of
    /// the value is kept what fits.
    fn beginning(&self, room: usize) -> Part<'_> {
        let headers = self.record.headers();
        let count = headers.map_or(0, Headers::count);
        let cut_from = self.own_bytes().to_string();
        let mut ours = OwnedHeaders::new();
        let mut left = room.saturating_sub(CUT_FROM.len() + cut_from.len());
        for header in (count.saturating_sub(HEADERS.len() + 1)..count).filter_map(|at| headers?.try_get(at)) {
            left = left.saturating_sub(header.key.len() + header.value.map_or(0, <[u8]>::len));
            ours = ours.insert(header);
        }
        let space = left;
        let mut take = |bytes: usize| left.checked_sub(bytes).map(|rest| left = rest).is_some();
        let key = self.record.key().filter(|key| take(key.len()));
        let fits = self.own_headers.is_some_and(&mut take);
        let all = headers.filter(|_| fits).cloned();
        let value = self.record.payload();
        let value = value.map(|value| value.get(..left).unwrap_or(value));
        left -= value.map_or(0, <[u8]>::len);
        Part {
            key,
            headers: Some(all.unwrap_or(ours).insert(Header {
                key: CUT_FROM,
                value: Some(&cut_from),
            })),
            value,
            own_bytes: space - left,
        }
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
    let bytes = size(record).unwrap_or_else(|| key_and_value_bytes(record) + UNREADABLE);
    bytes + headers * HEADER
}

fn key_and_value_bytes(record: &OwnedMessage) -> usize {
    record.key().map_or(0, <[u8]>::len) + record.payload().map_or(0, <[u8]>::len)
}

impl DeadLetters {
    /// What the producer starts from.
    pub(crate) fn config(settings: &Settings) -> ClientConfig {
        sender::config(settings, ACK_TIMEOUT)
    }

    /// A dead letter counts as written once every replica has it.
    pub(crate) fn new(settings: &Settings, shutdown: CancellationToken) -> Result<Self, Error> {
        Ok(Self {
            sender: Sender::new(settings, ACK_TIMEOUT)?,
            settings: settings.clone(),
            largest: OnceCell::new(),
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
        if !letters.is_empty() {
            rights::granted(Right::WriteTopic);
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
        let topic = &self.settings.dead_letter_topic;
        let (mut part, mut room) = (letter.whole(), None);
        loop {
            let record = || FutureRecord {
                topic,
                partition: None,
                payload: part.value,
                key: part.key,
                timestamp: None,
                headers: part.headers.clone(),
            };
            let error = match self.sender.send(record).await {
                Ok(()) => {
                    if room.is_some() {
                        warn!(
                            partition,
                            offset,
                            bytes = letter.own_bytes(),
                            kept = part.own_bytes,
                            "a dead letter is cut: raise max.message.bytes of {topic}, and take the record from its topic"
                        );
                    }
                    return Ok(());
                }
                Err(Error::Publish { source, .. }) => source,
                Err(error) => return Err(error.into()),
            };
            let client = self.sender.client();
            if let Some(denial) = rights::denial_of_producer(&self.settings, client, &error, topic) {
                counter!(metric::RETRIES, "what" => "dead_letter").increment(1);
                let wait = rights::note(&denial);
                let waited = self.shutdown.run_until_cancelled(sleep(wait)).await;
                waited.ok_or(Stop::Shutdown)?;
                if client.fatal_error().is_some() {
                    return Err(Stop::Fatal(Error::Denied(denial)));
                }
                continue;
            }
            if is_too_large(&error) && part.own_bytes > 0 {
                let smaller = match room {
                    Some(room) => room / 2,
                    None => self.first_room(letter).await,
                };
                part = letter.beginning(smaller);
                room = Some(smaller);
                continue;
            }
            if is_final(&error) {
                return Err(Stop::Fatal(Error::DeadLetter {
                    topic: topic.clone(),
                    partition,
                    offset,
                    source: error,
                }));
            }
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::MessageTimedOut) => {
                    return Err(Stop::Fatal(Error::DeadLetterTimeout {
                        topic: topic.clone(),
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

    /// What is tried first for a letter that is too large: what the topic takes, or half of the letter.
    async fn first_room(&self, letter: &DeadLetter) -> usize {
        let half = letter.own_bytes() / 2;
        let ask = || async {
            let topics = [&self.settings.dead_letter_topic];
            let [largest] = topics::largest_batches(&self.settings, topics, Duration::ZERO).await;
            largest
        };
        let limit = *self.largest.get_or_init(ask).await;
        let room = limit.map(|limit| limit.saturating_sub(FRAMING_BYTES));
        room.filter(|room| *room < letter.own_bytes()).unwrap_or(half)
    }
}

/// Whether a dead letter will be refused however often it is written.
fn is_final(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{InvalidMessageSize, InvalidRecord, PolicyViolation};
    is_too_large(error)
        || error
            .rdkafka_error_code()
            .is_some_and(|code| matches!(code, InvalidMessageSize | InvalidRecord | PolicyViolation))
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
