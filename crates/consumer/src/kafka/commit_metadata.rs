//! What a commit says besides its offset: which database holds what is below it, and which record was read last.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

use rdkafka::TopicPartitionList;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionListElem;

use crate::error::Error;

/// The first word of the metadata of our commits.
const FORMAT: &str = "rollcall/1";

/// The metadata of a commit, as text `rollcall/1 db=<id> last=<offset>:<timestamp>:<checksum>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommitMetadata {
    /// The id of the database that holds what is below the offset.
    pub(crate) database: String,
    /// The last record below the offset that was read, where it is known.
    pub(crate) last: Option<Fingerprint>,
}

/// Tells a record from another one at its offset, as after its log was truncated or its topic made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) offset: i64,
    /// In milliseconds since 1970; -1, as in the protocol, where the record has none.
    pub(crate) timestamp: i64,
    /// CRC-32 of the key and the value.
    pub(crate) checksum: u32,
}

/// Checks that none of these commits of a group stands for what another database holds.
pub(crate) fn check_database(
    committed: &TopicPartitionList,
    group: &str,
    database: &str,
) -> Result<(), Error> {
    for commit in committed.elements() {
        if let Some(metadata) = CommitMetadata::of(&commit)
            && metadata.database != database
        {
            return Err(Error::OtherDatabase {
                group: group.to_owned(),
                topic: commit.topic().to_owned(),
                committed: metadata.database,
                database: database.to_owned(),
            });
        }
    }
    Ok(())
}

impl CommitMetadata {
    /// What the commit says that a broker has returned. `None` where somebody else made it.
    pub(crate) fn of(commit: &TopicPartitionListElem<'_>) -> Option<Self> {
        // The client panics on text that is not UTF-8.
        catch_unwind(AssertUnwindSafe(|| commit.metadata().parse().ok())).ok()?
    }
}

impl Fingerprint {
    pub(crate) fn of(record: &impl Message) -> Self {
        let mut checksum = crc32fast::Hasher::new();
        for bytes in [record.key(), record.payload()] {
            checksum.update(bytes.unwrap_or_default());
        }
        Self {
            offset: record.offset(),
            timestamp: record.timestamp().to_millis().unwrap_or(-1),
            checksum: checksum.finalize(),
        }
    }

    /// One of a record that has nothing but an offset.
    #[cfg(test)]
    pub(crate) const fn at(offset: i64) -> Self {
        Self {
            offset,
            timestamp: -1,
            checksum: 0,
        }
    }
}

impl fmt::Display for CommitMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORMAT} db={}", self.database)?;
        match self.last {
            Some(last) => write!(f, " last={last}"),
            None => Ok(()),
        }
    }
}

impl FromStr for CommitMetadata {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ');
        if words.next() != Some(FORMAT) {
            return Err(());
        }
        let value = |name: &str| {
            let mut words = words.clone();
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        Ok(Self {
            database: value("db").ok_or(())?.to_owned(),
            last: value("last").and_then(|last| last.parse().ok()),
        })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{:08x}", self.offset, self.timestamp, self.checksum)
    }
}

impl FromStr for Fingerprint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Vec<_> = text.split(':').collect();
        let [offset, timestamp, checksum] = parts[..] else {
            return Err(());
        };
        Ok(Self {
            offset: offset.parse().ok().filter(|offset| *offset >= 0).ok_or(())?,
            timestamp: timestamp.parse().map_err(|_| ())?,
            checksum: u32::from_str_radix(checksum, 16).map_err(|_| ())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;
    use rdkafka::message::OwnedMessage;

    use super::*;

    fn record(key: Option<&[u8]>, value: &[u8], timestamp: Timestamp) -> OwnedMessage {
        let (key, value) = (key.map(<[u8]>::to_vec), Some(value.to_vec()));
        OwnedMessage::new(value, key, "topic".to_owned(), timestamp, 0, 99, None)
    }

    #[test]
    fn what_a_commit_says_is_read_as_it_was_written() {
        let last = Fingerprint::of(&record(
            Some(b"acme:ada"),
            b"{}",
            Timestamp::CreateTime(1_700_000_000_000),
        ));
        let database = "61f0c404-5cb3-11e7-907b-a6006ad3dba0".to_owned();
        for (last, text) in [
            (
                Some(last),
                "rollcall/1 db=61f0c404-5cb3-11e7-907b-a6006ad3dba0 last=99:1700000000000:34bc7ab8",
            ),
            (None, "rollcall/1 db=61f0c404-5cb3-11e7-907b-a6006ad3dba0"),
        ] {
            let database = database.clone();
            let metadata = CommitMetadata { database, last };
            assert_eq!(metadata.to_string(), text);
            assert_eq!(text.parse(), Ok(metadata));
        }
    }

    #[test]
    fn a_commit_of_somebody_else_says_nothing() {
        for text in [
            "",
            "rollcall/1",
            "rollcall/1 last=1:2:3",
            "rollcall/10 db=a",
            "x db=a",
        ] {
            assert_eq!(text.parse::<CommitMetadata>(), Err(()), "{text}");
        }
        for text in ["", "1", "1:2", "-1:2:3", "1:2:x", "1:2:3:4"] {
            let metadata: CommitMetadata = format!("rollcall/1 db=a last={text}").parse().unwrap();
            assert_eq!(metadata.last, None, "{text}");
        }
    }

    #[test]
    fn a_record_with_another_key_value_or_timestamp_is_another() {
        let of = |key, value, timestamp| Fingerprint::of(&record(key, value, timestamp));
        let (key, value, timestamp) = (Some(&b"key"[..]), b"value", Timestamp::CreateTime(1));
        let one = of(key, value, timestamp);
        assert_eq!(of(key, value, timestamp), one);
        assert_ne!(of(None, value, timestamp), one);
        assert_ne!(of(key, b"valve", timestamp), one);
        assert_ne!(of(key, value, Timestamp::NotAvailable), one);
    }
}
