//! Events that break a rule end in the dead-letter topic, each once and whole, and change nothing else.

mod cases;

use std::collections::{BTreeMap, BTreeSet};

use consumer::{Reader, Stored};
use events::{Decoded, Timestamp};
use oracle::Oracle;
use serde_json::json;
use tempfile::tempdir;

use crate::{
    harness::{DEADLINE, Process, Record},
    oracle::question::{Question, all_transcripts, compare, days},
};

const ORG: &str = "good";
/// Every good event is older than this.
const NOW: Timestamp = Timestamp::from_millis(1_750_000_000_000);
/// What we append to the headers of a dead letter, in this order.
const OURS: [&str; 6] = [
    "rollcall_reason",
    "rollcall_reason_code",
    "rollcall_topic",
    "rollcall_partition",
    "rollcall_offset",
    "rollcall_timestamp",
];

/// A valid event of a user of their own, in the conversation that the bad annotations are about.
fn good(number: usize) -> String {
    let event = json!({
        "specversion": "1.0",
        "id": format!("good-{number}"),
        "source": "/test",
        "type": "chat.message.created.v1",
        "time": format!("2024-05-{:02}T{:02}:30:00Z", 10 + number % 10, number % 24),
        "org": ORG,
        "data": {
            "message_id": format!("00000000-0000-0000-0001-{number:012}"),
            "conversation_id": format!("00000000-0000-0000-0000-{:012}", 1 + number % 5),
            "role": "user",
            "user_id": format!("user-{number}"),
            "mentor_id": "euclid",
            "content": format!("good {number}"),
        },
    });
    event.to_string()
}

/// A valid event that is none of ours.
fn foreign(number: usize) -> String {
    format!(r#"{{"specversion":"1.0","type":"chat.user.sneezed.v1","id":"f-{number}"}}"#)
}

/// All records of a topic.
async fn records(process: &Process, topic: &str) -> Vec<Stored> {
    let mut reader = Reader::open(&process.kafka(), topic, DEADLINE).await.unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next().await.unwrap() {
        records.push(record);
    }
    records
}

fn headers(record: &Stored) -> Vec<(String, Option<Vec<u8>>)> {
    let headers = record.headers().unwrap().into_iter();
    headers
        .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_event_is_dead_lettered_once_and_whole_and_changes_nothing_else() {
    let dir = tempdir().unwrap();
    let process = Process::up(dir.path()).await;
    let cases = cases::all();
    assert!(cases.len() > 100, "{}", cases.len());
    let mut oracle = Oracle::default();
    let mut published = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let value = good(number);
        let Decoded::Event(event) = events::decode(std::iter::empty(), Some(value.as_bytes()), NOW).unwrap()
        else {
            panic!("{value}");
        };
        oracle.add(&event);
        published.extend([
            Record::structured(&value),
            case.record.clone(),
            Record::structured(foreign(number)),
        ]);
    }
    process.publish_records(published).await;
    process.settled().await;

    let topic = process.ready.topic.clone().unwrap();
    let originals = records(&process, &topic).await;
    assert_eq!(originals.len(), 3 * cases.len());
    let originals: BTreeMap<(i32, i64), &Stored> = originals
        .iter()
        .map(|record| ((record.partition(), record.offset()), record))
        .collect();
    let letters = records(&process, process.ready.dead_letter_topic.as_deref().unwrap()).await;
    assert_eq!(letters.len(), cases.len());

    let mut left: Vec<_> = cases.iter().collect();
    let mut origins = BTreeSet::new();
    for letter in &letters {
        let mut own = headers(letter);
        let ours = own.split_off(own.len() - OURS.len());
        let values: Vec<String> = ours
            .into_iter()
            .zip(OURS)
            .map(|((name, value), expected)| {
                assert_eq!(name, expected);
                String::from_utf8(value.unwrap()).unwrap()
            })
            .collect();
        let [reason, code, from, partition, offset, timestamp] = <[String; 6]>::try_from(values).unwrap();

        let key = letter.key().map(<[u8]>::to_vec);
        let place = left.iter().position(|case| case.record.key == key);
        let case = left.swap_remove(place.unwrap_or_else(|| panic!("nobody published {key:?}")));
        assert_eq!(letter.value(), case.record.value.as_deref(), "{reason}");
        assert_eq!(own, case.record.headers, "{reason}");
        match case.reason.strip_suffix('…') {
            Some(start) => assert!(reason.starts_with(start), "{reason}, expected {}", case.reason),
            None => assert_eq!(reason, case.reason),
        }
        assert_eq!(code, case.code, "{reason}");

        assert_eq!(from, topic);
        let origin = (partition.parse().unwrap(), offset.parse().unwrap());
        assert!(origins.insert(origin), "{origin:?} is dead-lettered twice");
        let original = originals[&origin];
        assert_eq!(original.key(), letter.key());
        assert_eq!(original.value(), letter.value());
        assert_eq!(headers(original), own);
        assert_eq!(original.timestamp(), timestamp.parse().ok());
    }

    let each = u64::try_from(cases.len()).unwrap();
    for outcome in ["kept", "skipped", "rejected"] {
        let start = format!("rollcall_records_total{{outcome=\"{outcome}\"");
        assert_eq!(process.metric(&start).await, each, "{outcome}");
    }
    let range = days("2024-05-01", "2024-05-31");
    let mut questions = vec![all_transcripts()];
    for grain in ["hour", "day", "week"] {
        let grain = Some(grain);
        questions.push(Question::Usage { range, grain });
        questions.push(Question::Cohorts {
            range,
            grain,
            mentor: None,
            new_users_by: None,
        });
    }
    compare(&process, &oracle, ORG, &questions).await.unwrap();
}
