//! The dead letters are exactly the poison.

use std::collections::{BTreeMap, BTreeSet};

use consumer::{Reader, Settings, Stored};

use super::load::POISON;
use crate::harness::DEADLINE;

/// What our own headers are called, in their order behind the record's.
const OURS: [&str; 6] = [
    "rollcall_reason",
    "rollcall_reason_code",
    "rollcall_topic",
    "rollcall_partition",
    "rollcall_offset",
    "rollcall_timestamp",
];

/// How much was dead-lettered.
pub(crate) struct DeadLettered {
    /// Records that had to be.
    pub(crate) poison: usize,
    /// Dead letters; a record whose settlement was not committed in time is dead-lettered again.
    pub(crate) letters: usize,
}

/// Asserts that every poison record is dead-lettered with its position, its key, its headers and its bytes, and that no other
/// is.
pub(crate) async fn compare(settings: &Settings) -> DeadLettered {
    let originals: BTreeMap<(i32, i64), Stored> = read(settings, &settings.topic)
        .await
        .into_iter()
        .filter(|record| record.headers().unwrap().iter().any(|(name, _)| *name == POISON))
        .map(|record| ((record.partition(), record.offset()), record))
        .collect();
    let letters = read(settings, &settings.dead_letter_topic).await;
    let mut dead_lettered = BTreeSet::new();
    for letter in &letters {
        let mut headers = letter.headers().unwrap();
        let ours = headers.split_off(headers.len() - OURS.len());
        let values: Vec<&str> = ours
            .iter()
            .zip(OURS)
            .map(|((name, value), expected)| {
                assert_eq!(*name, expected);
                std::str::from_utf8(value.unwrap()).unwrap()
            })
            .collect();
        let [reason, _, topic, partition, offset, timestamp] = <[&str; 6]>::try_from(values).unwrap();
        assert_eq!(topic, settings.topic);
        let origin = (partition.parse().unwrap(), offset.parse().unwrap());
        let original = originals
            .get(&origin)
            .unwrap_or_else(|| panic!("{origin:?} is dead-lettered and not poison: {reason}"));
        assert_eq!(letter.key(), original.key(), "{reason}");
        assert_eq!(letter.value(), original.value(), "{reason}");
        assert_eq!(timestamp.parse().ok(), original.timestamp(), "{reason}");
        assert_eq!(headers, original.headers().unwrap(), "{reason}");
        dead_lettered.insert(origin);
    }
    let missing: Vec<_> = originals
        .keys()
        .filter(|origin| !dead_lettered.contains(origin))
        .collect();
    assert!(
        missing.is_empty(),
        "poison that is not dead-lettered: {missing:?}"
    );
    DeadLettered {
        poison: dead_lettered.len(),
        letters: letters.len(),
    }
}

async fn read(settings: &Settings, topic: &str) -> Vec<Stored> {
    let mut reader = Reader::open(settings, topic, DEADLINE).await.unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next().await.unwrap() {
        records.push(record);
    }
    records
}
