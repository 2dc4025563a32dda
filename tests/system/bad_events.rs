//! Events that break a rule are dead-lettered, each once and whole, and change nothing else.

mod cases;

use std::collections::{BTreeMap, BTreeSet};

use consumer::Stored;
use events::{Decoded, Timestamp};
use oracle::Oracle;
use serde_json::json;
use tempfile::tempdir;

use crate::{
    harness::Process,
    oracle::question::{Question, all_transcripts, compare, days},
    records::{DeadLetter, Record, position, read_all},
};

const ORG: &str = "good";
/// Every good event is older than this.
const NOW: Timestamp = Timestamp::from_millis(1_750_000_000_000);
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

/// A valid event of a type that Rollcall does not know.
fn foreign(number: usize) -> String {
    format!(r#"{{"specversion":"1.0","type":"chat.user.sneezed.v1","id":"f-{number}"}}"#)
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

    let kafka = process.kafka();
    let originals = read_all(&kafka, &kafka.topic).await.into_iter();
    let originals: BTreeMap<(i32, i64), Stored> =
        originals.map(|record| (position(&record), record)).collect();
    assert_eq!(originals.len(), 3 * cases.len());
    let letters = read_all(&kafka, &kafka.dead_letter_topic).await;
    assert_eq!(letters.len(), cases.len());

    let mut left: Vec<_> = cases.iter().collect();
    let mut origins = BTreeSet::new();
    for letter in &letters {
        let DeadLetter { reason, code, origin } = DeadLetter::parse(letter, &kafka.topic, &originals);
        assert!(origins.insert(origin), "{origin:?} is dead-lettered twice");
        let key = letter.key().map(<[u8]>::to_vec);
        let index = left.iter().position(|case| case.record.key == key);
        let case = left.swap_remove(index.unwrap_or_else(|| panic!("{key:?} was not published")));
        assert_eq!(letter.value(), case.record.value.as_deref(), "{reason}");
        assert_eq!(headers(&originals[&origin]), case.record.headers, "{reason}");
        match case.reason.strip_suffix('…') {
            Some(start) => assert!(reason.starts_with(start), "{reason}, expected {}", case.reason),
            None => assert_eq!(reason, case.reason),
        }
        assert_eq!(code, case.code, "{reason}");
    }

    let each = u64::try_from(cases.len()).unwrap();
    for outcome in ["kept", "skipped", "rejected"] {
        let start = format!("rollcall_records_total{{outcome=\"{outcome}\"");
        assert_eq!(process.metric(&start).await, each, "{outcome}");
    }
    let by_type = r#"rollcall_skipped_records_total{type="chat.user.sneezed.v1"}"#;
    assert_eq!(process.metric(by_type).await, each);
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
