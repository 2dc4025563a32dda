//! Dead letters, published again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use events::Timestamp;
use futures::future::join_all;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::FutureRecord;
use tracing::warn;

use crate::error::{Error, chain};
use crate::kafka::client;
use crate::kafka::probe::{PartitionProgress, Probe};
use crate::kafka::publisher::owned_headers;
use crate::kafka::reader::{Reader, Stored};
use crate::kafka::rights;
use crate::kafka::sender::{Sender, is_too_large};
use crate::kafka::topics;
use crate::origin::Origin;
use crate::settings::Settings;

/// How many letters are published before they are marked, and their size in bytes: what may be published again after a
/// failure.
const WINDOW_LETTERS: usize = 1_000;
const WINDOW_BYTES: usize = 16 << 20;
/// How long brokers keep the offsets of a group that has no members, by default: where they do not say.
const OFFSETS_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Which dead letters are published again.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Also those that were replayed before.
    pub from_beginning: bool,
    /// Only those rejected for one of these reasons, by their codes; all if there are none. Nothing is marked if there are.
    pub reasons: BTreeSet<String>,
    /// Also those that came from other topics than the event topic, to the topics that they name.
    pub any_topic: bool,
    /// They are counted, and neither published nor marked.
    pub dry_run: bool,
}

/// What became of the letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many were published, by the codes of their reasons.
    pub published: BTreeMap<String, u64>,
    /// How many were not.
    pub left_alone: BTreeMap<LeftAlone, u64>,
}

/// Why a letter is left alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftAlone {
    /// It was rejected for a reason that is not asked for.
    OtherReason,
    /// It is no dead letter of ours, or has a header whose name cannot be read.
    Unreadable,
    /// It is older than a mark may become, and there is no mark: it may have been replayed.
    PerhapsReplayed,
    /// It holds only the beginning of its record.
    Cut,
    /// It came from this topic, which is not the event topic.
    OtherTopic(String),
    /// It came from this topic, which is gone.
    NoTopic(String),
    /// This topic does not take it.
    Refused(String),
}

/// Reads the dead letters that exist when it begins, and publishes those that are selected. How far it came is kept as
/// the offsets of a consumer group of its own, the group of the settings with `.replay` behind it.
#[derive(Debug)]
pub struct Replay {
    letters: Reader,
    sender: Sender,
    settings: Settings,
    selection: Selection,
    timeout: Duration,
    total: u64,
    /// The offset behind the last letter that was replayed, by partition.
    marks: BTreeMap<i32, i64>,
    /// Letters with an earlier timestamp may have been replayed.
    perhaps_replayed_before: Option<i64>,
    /// How many partitions a topic has; `None` if there is none of that name.
    partitions: BTreeMap<String, Option<i32>>,
    replayed: Replayed,
}

/// What is to be done with a letter.
enum Verdict<'a> {
    Publish {
        origin: Origin<'a>,
        partition: Option<i32>,
    },
    Leave(LeftAlone),
}

impl Replay {
    /// Begins behind the last letter that was marked, or at the first one if that is selected. `timeout` is how long the
    /// brokers may take for an answer.
    pub async fn open(
        settings: &Settings,
        selection: Selection,
        now: Timestamp,
        timeout: Duration,
    ) -> Result<Self, Error> {
        settings.validate()?;
        // Where the event topic is missing, every letter would be left alone.
        Probe::new(settings)?.ping(timeout).await?;
        let letters = Settings {
            group_id: format!("{}.replay", settings.group_id),
            ..settings.with_topic(&settings.dead_letter_topic)
        };
        let progress = Probe::new(&letters)?.progress(timeout).await?;
        let mut letters = Reader::new(&letters, client::consumer_config(&letters), timeout)?;
        let (mut total, mut marks) = (0, BTreeMap::new());
        for partition in &progress {
            let marked = mark(partition).unwrap_or(0).max(partition.start);
            let start = if selection.from_beginning {
                partition.start
            } else {
                marked
            };
            total += u64::try_from(partition.end - start).unwrap_or(0);
            letters.push(partition.partition, start..partition.end);
            marks.insert(partition.partition, marked);
        }
        let is_marked =
            selection.from_beginning || progress.iter().any(|partition| mark(partition).is_some());
        let perhaps_replayed_before = if is_marked {
            None
        } else {
            let retention = topics::offsets_retention(settings).await;
            let retention = retention.unwrap_or(OFFSETS_RETENTION).as_millis();
            Some(now.as_millis() - i64::try_from(retention).unwrap_or(i64::MAX))
        };
        Ok(Self {
            letters,
            sender: Sender::new(settings, timeout)?,
            settings: settings.clone(),
            selection,
            timeout,
            total,
            marks,
            perhaps_replayed_before,
            partitions: BTreeMap::new(),
            replayed: Replayed::default(),
        })
    }

    /// How many letters there are to read.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// What became of the letters so far.
    pub const fn replayed(&self) -> &Replayed {
        &self.replayed
    }

    /// Publishes some of the next letters and marks them: the next replay begins behind it. Returns how many were read: none
    /// once all are. After a failure, what was acknowledged before the letter that failed is marked. A letter that can be
    /// published nowhere is left alone.
    pub async fn next(&mut self) -> Result<usize, Error> {
        let (mut window, mut bytes) = (Vec::new(), 0);
        while window.len() < WINDOW_LETTERS && bytes < WINDOW_BYTES {
            let Some(letter) = self.letters.next().await? else {
                break;
            };
            bytes += letter.key().map_or(0, <[u8]>::len) + letter.value().map_or(0, <[u8]>::len);
            window.push(letter);
        }
        let mut verdicts = Vec::new();
        for letter in &window {
            verdicts.push((letter, self.judge(letter).await?));
        }
        let outcomes = verdicts
            .into_iter()
            .map(|(letter, verdict)| self.carry_out(letter, verdict));
        let outcomes = join_all(outcomes).await;
        let mut failure = None;
        for (letter, outcome) in window.iter().zip(outcomes) {
            let count = match outcome {
                Ok(Ok(code)) => self.replayed.published.entry(code.to_owned()).or_default(),
                Ok(Err(cause)) => self.replayed.left_alone.entry(cause).or_default(),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            };
            *count += 1;
            let mark = self.marks.entry(letter.partition()).or_default();
            *mark = (*mark).max(letter.offset() + 1);
        }
        // Also where nothing is left to read: brokers forget offsets that are not committed again.
        if !self.selection.dry_run && self.selection.reasons.is_empty() {
            let marked = self.letters.commit(&self.marks).await;
            failure = failure.or(marked.err());
        }
        failure.map_or(Ok(window.len()), Err)
    }

    async fn judge<'a>(&mut self, letter: &'a Stored) -> Result<Verdict<'a>, Error> {
        let dead_letter_topic = &self.settings.dead_letter_topic;
        let Some(origin) = Origin::of(letter) else {
            warn!(
                topic = dead_letter_topic,
                partition = letter.partition(),
                offset = letter.offset(),
                "left alone: it does not name the topic that it came from"
            );
            return Ok(Verdict::Leave(LeftAlone::Unreadable));
        };
        let reasons = &self.selection.reasons;
        if !reasons.is_empty() && !reasons.contains(origin.code) {
            return Ok(Verdict::Leave(LeftAlone::OtherReason));
        }
        let is_before = |limit| letter.timestamp().is_some_and(|written| written < limit);
        if self.perhaps_replayed_before.is_some_and(is_before) {
            return Ok(Verdict::Leave(LeftAlone::PerhapsReplayed));
        }
        if origin.topic != self.settings.topic && !self.selection.any_topic {
            return Ok(Verdict::Leave(LeftAlone::OtherTopic(origin.topic.to_owned())));
        }
        if origin.is_cut {
            warn!(
                topic = origin.topic,
                partition = origin.partition,
                offset = origin.offset,
                "left alone: its letter is cut, at partition {} offset {} of {dead_letter_topic}",
                letter.partition(),
                letter.offset()
            );
            return Ok(Verdict::Leave(LeftAlone::Cut));
        }
        Ok(match self.count_partitions(origin.topic).await? {
            None => Verdict::Leave(LeftAlone::NoTopic(origin.topic.to_owned())),
            // To the partition that it came from, or to another one where that is gone.
            Some(count) => Verdict::Publish {
                partition: Some(origin.partition).filter(|partition| (0..count).contains(partition)),
                origin,
            },
        })
    }

    /// Publishes a letter, if that is to be done: the code of its reason, once that is acknowledged.
    async fn carry_out<'a>(
        &self,
        letter: &'a Stored,
        verdict: Verdict<'a>,
    ) -> Result<Result<&'a str, LeftAlone>, Error> {
        let (origin, partition) = match verdict {
            Verdict::Leave(cause) => return Ok(Err(cause)),
            Verdict::Publish { origin, .. } if self.selection.dry_run => return Ok(Ok(origin.code)),
            Verdict::Publish { origin, partition } => (origin, partition),
        };
        let record = || FutureRecord {
            topic: origin.topic,
            partition,
            payload: letter.value(),
            key: letter.key(),
            // The present: retention would delete a record that is as old as the rejected one, or the topic refuse it.
            timestamp: None,
            headers: (!origin.headers.is_empty()).then(|| owned_headers(&origin.headers)),
        };
        match self.sender.send(record).await {
            Ok(()) => Ok(Ok(origin.code)),
            Err(error @ Error::Publish { .. }) if is_refused(&error) => {
                warn!(
                    topic = self.settings.dead_letter_topic,
                    partition = letter.partition(),
                    offset = letter.offset(),
                    "left alone: {}",
                    chain(&error)
                );
                Ok(Err(LeftAlone::Refused(origin.topic.to_owned())))
            }
            Err(Error::Publish { topic, source }) => {
                let client = self.sender.client();
                match rights::denial_of_producer(&self.settings, client, &source, &topic) {
                    Some(denial) => Err(Error::Denied(denial)),
                    None => Err(Error::Publish { topic, source }),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn count_partitions(&mut self, topic: &str) -> Result<Option<i32>, Error> {
        if let Some(count) = self.partitions.get(topic) {
            return Ok(*count);
        }
        let probe = Probe::new(&self.settings.with_topic(topic))?;
        let count = match probe.partition_count(self.timeout).await {
            Err(Error::NoTopic { .. }) => None,
            count => Some(count?),
        };
        self.partitions.insert(topic.to_owned(), count);
        Ok(count)
    }
}

/// How far a partition was replayed. An offset that it does not have is that of a topic of before, which had the same name.
fn mark(partition: &PartitionProgress) -> Option<i64> {
    partition.committed.filter(|mark| *mark <= partition.end)
}

/// Whether a topic does not take this record, while it may take others.
fn is_refused(error: &Error) -> bool {
    use RDKafkaErrorCode::{InvalidRecord, PolicyViolation};
    let Error::Publish { source, .. } = error else {
        return false;
    };
    is_too_large(source) || matches!(source.rdkafka_error_code(), Some(InvalidRecord | PolicyViolation))
}
