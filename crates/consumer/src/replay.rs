//! Dead letters, published again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::Error;
use crate::ingest::dead_letters::{HEADERS, TIMESTAMP};
use crate::kafka::client;
use crate::kafka::probe::Probe;
use crate::kafka::publisher::Publisher;
use crate::kafka::reader::{Header, Reader, Stored};
use crate::settings::Settings;

/// Reads the dead letters that exist when it begins, and publishes those that the caller chooses. How far it came is kept as
/// the offsets of a consumer group of its own, the group of the settings with `.replay` behind it.
#[derive(Debug)]
pub struct Replay {
    letters: Reader,
    publisher: Publisher,
    settings: Settings,
    timeout: Duration,
    total: u64,
    /// The offset behind the last letter that was read, by partition.
    read: BTreeMap<i32, i64>,
    /// How many partitions a topic has.
    partitions: BTreeMap<String, i32>,
}

/// A record of the dead-letter topic.
#[derive(Debug)]
pub struct Letter(Stored);

/// What was appended to a rejected record.
struct Origin<'a> {
    /// The record's own headers.
    headers: Vec<Header<'a>>,
    code: &'a str,
    topic: &'a str,
    partition: i32,
    timestamp: Option<i64>,
}

impl Letter {
    /// The code of the reason that it was rejected for. `None` if this is no dead letter of ours, or if a header has
    /// a name that cannot be read: it can only be left alone.
    pub fn reason_code(&self) -> Option<&str> {
        self.origin().map(|origin| origin.code)
    }

    /// Its partition of the dead-letter topic.
    pub fn partition(&self) -> i32 {
        self.0.partition()
    }

    /// Its offset there.
    pub fn offset(&self) -> i64 {
        self.0.offset()
    }

    fn origin(&self) -> Option<Origin<'_>> {
        let mut headers = self.0.headers()?;
        // A letter of before there was this header has the record's timestamp as its own.
        let timestamp = match headers.pop_if(|(name, _)| *name == TIMESTAMP) {
            Some((_, millis)) => millis.and_then(|millis| std::str::from_utf8(millis).ok()?.parse().ok()),
            None => self.0.timestamp(),
        };
        let ours = headers.split_off(headers.len().checked_sub(HEADERS.len())?);
        let value = |index: usize| {
            let (name, value) = ours.get(index)?;
            (Some(name) == HEADERS.get(index)).then_some(())?;
            std::str::from_utf8((*value)?).ok()
        };
        let [_, code, topic, partition, _] = [value(0)?, value(1)?, value(2)?, value(3)?, value(4)?];
        Some(Origin {
            headers,
            code,
            topic,
            partition: partition.parse().ok()?,
            timestamp,
        })
    }
}

impl Replay {
    /// Begins behind the last letter that was marked, or at the first one if `from_beginning`. `timeout` is how long the
    /// brokers may take for an answer.
    pub async fn open(settings: &Settings, from_beginning: bool, timeout: Duration) -> Result<Self, Error> {
        settings.validate()?;
        let settings = Settings {
            topic: settings.dead_letter_topic.clone(),
            dead_letter_topic: settings.topic.clone(),
            group_id: format!("{}.replay", settings.group_id),
            ..settings.clone()
        };
        let progress = Probe::new(&settings)?.progress(timeout).await?;
        let mut letters = Reader::new(&settings, client::consumer_config(&settings), timeout)?;
        let mut total = 0;
        for partition in progress {
            let marked = partition.committed.filter(|_| !from_beginning).unwrap_or(0);
            let start = marked.clamp(partition.start, partition.end);
            total += u64::try_from(partition.end - start).unwrap_or(0);
            letters.push(partition.partition, start..partition.end);
        }
        Ok(Self {
            letters,
            publisher: Publisher::new(&settings)?,
            settings,
            timeout,
            total,
            read: BTreeMap::new(),
            partitions: BTreeMap::new(),
        })
    }

    /// How many letters there are to read.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The next letter. `None` once all were read.
    pub async fn next(&mut self) -> Result<Option<Letter>, Error> {
        let letter = self.letters.next().await?;
        if let Some(letter) = &letter {
            self.read.insert(letter.partition(), letter.offset() + 1);
        }
        Ok(letter.map(Letter))
    }

    /// Publishes the rejected record as it was to the partition that it came from, or to another of its topic where that
    /// one is gone. A letter without a [`Letter::reason_code`] is left alone.
    pub async fn publish(&mut self, letter: &Letter) -> Result<(), Error> {
        let Some(origin) = letter.origin() else {
            return Ok(());
        };
        let count = match self.partitions.get(origin.topic) {
            Some(count) => *count,
            None => self.count_partitions(origin.topic).await?,
        };
        let partition = Some(origin.partition).filter(|partition| (0..count).contains(partition));
        let Letter(record) = letter;
        self.publisher
            .republish(
                (origin.topic, partition),
                origin.timestamp,
                record.key(),
                &origin.headers,
                record.value(),
            )
            .await
    }

    /// Waits until the brokers have acknowledged what was published.
    pub async fn flush(&self) -> Result<(), Error> {
        self.publisher.flush(self.timeout).await
    }

    /// Waits as [`Replay::flush`] does, and marks what was read: the next replay begins behind it.
    pub async fn mark(&self) -> Result<(), Error> {
        self.flush().await?;
        if self.read.is_empty() {
            return Ok(());
        }
        self.letters.commit(&self.read).await
    }

    async fn count_partitions(&mut self, topic: &str) -> Result<i32, Error> {
        let probe = Probe::new(&self.settings.with_topic(topic))?;
        let progress = probe.progress(self.timeout).await?;
        let last = progress.iter().map(|partition| partition.partition).max();
        let count = last.map_or(0, |last| last + 1);
        self.partitions.insert(topic.to_owned(), count);
        Ok(count)
    }
}
