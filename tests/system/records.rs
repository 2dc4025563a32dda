//! Records, before they are published and as they are read back.

use std::collections::BTreeMap;

use consumer::{Publisher, Reader, Settings, Stored};

use crate::harness::DEADLINE;

/// The headers that Rollcall appends to those of a dead letter, in this order.
const HEADERS: [&str; 6] = [
    "rollcall_reason",
    "rollcall_reason_code",
    "rollcall_topic",
    "rollcall_partition",
    "rollcall_offset",
    "rollcall_timestamp",
];

/// A record, before it is published.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) value: Option<Vec<u8>>,
}

impl Record {
    /// A CloudEvent in structured mode, without a key.
    pub(crate) fn structured(value: impl AsRef<[u8]>) -> Self {
        let content_type = b"application/cloudevents+json".to_vec();
        Self {
            key: None,
            headers: vec![("content-type".to_owned(), Some(content_type))],
            value: Some(value.as_ref().to_vec()),
        }
    }

    /// Queues it.
    pub(crate) async fn publish(&self, publisher: &Publisher) {
        let headers: Vec<(&str, Option<&[u8]>)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        publisher
            .publish(self.key.as_deref(), &headers, self.value.as_deref())
            .await
            .unwrap();
    }
}

/// All records of a topic.
pub(crate) async fn read_all(settings: &Settings, topic: &str) -> Vec<Stored> {
    let mut reader = Reader::open(settings, topic, DEADLINE).await.unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next().await.unwrap() {
        records.push(record);
    }
    records
}

/// The partition and offset of a record.
pub(crate) fn position(record: &Stored) -> (i32, i64) {
    (record.partition(), record.offset())
}

/// What the appended headers of a dead letter say.
pub(crate) struct DeadLetter<'a> {
    pub(crate) reason: &'a str,
    pub(crate) code: &'a str,
    /// The partition and offset of the record that was rejected.
    pub(crate) origin: (i32, i64),
}

impl<'a> DeadLetter<'a> {
    /// Parses them, and asserts that the key, the bytes, the other headers and the timestamp are those of the record that they
    /// name, which must be one of `originals` of `topic`.
    pub(crate) fn parse(record: &'a Stored, topic: &str, originals: &BTreeMap<(i32, i64), Stored>) -> Self {
        let mut headers = record.headers().unwrap();
        let appended = headers.split_off(headers.len() - HEADERS.len());
        let values: Vec<&str> = appended
            .into_iter()
            .zip(HEADERS)
            .map(|((name, value), expected)| {
                assert_eq!(name, expected);
                std::str::from_utf8(value.unwrap()).unwrap()
            })
            .collect();
        let [reason, code, from, partition, offset, timestamp] = <[&str; 6]>::try_from(values).unwrap();
        assert_eq!(from, topic, "{reason}");
        let origin = (partition.parse().unwrap(), offset.parse().unwrap());
        let original = originals
            .get(&origin)
            .unwrap_or_else(|| panic!("{origin:?} must not be dead-lettered: {reason}"));
        assert_eq!(record.key(), original.key(), "{reason}");
        assert_eq!(record.value(), original.value(), "{reason}");
        assert_eq!(headers, original.headers().unwrap(), "{reason}");
        assert_eq!(timestamp.parse().ok(), original.timestamp(), "{reason}");
        Self { reason, code, origin }
    }
}
