//! Rejected records are published again after a fix, and nothing else changes.

use std::collections::BTreeMap;

use consumer::Stored;
use tempfile::tempdir;

use crate::{
    harness::{Parts, Process, succeeds},
    history::{event, questions},
    oracle::{
        question::compare,
        wire::{Spelling, record},
    },
    records::{Record, read_all},
};

const ORG: &str = "again";
const EVENTS: u32 = 400;
/// One good event in this many is too large for the first `ingest`.
const LARGE: u32 = 10;
const BROKEN: usize = 7;

/// A good event; one in [`LARGE`] is padded beyond what the first `ingest` accepts.
fn good(number: u32) -> Record {
    let mut record = record(&event(ORG, number), Spelling::default());
    record.key = Some(format!("key-{number}").into());
    record.headers.push(("trace".to_owned(), Some(vec![0xff, 0])));
    record.headers.push(("trace".to_owned(), None));
    if number.is_multiple_of(LARGE) {
        record
            .headers
            .push(("padding".to_owned(), Some(vec![b'x'; 4_000])));
    }
    record
}

async fn read(process: &Process, topic: &str) -> Vec<Stored> {
    read_all(&process.kafka(), topic).await
}

/// What `rollcall replay --dead-letters` prints.
fn replay(parts: &Parts, args: &[&str]) -> String {
    succeeds(parts.command(&["replay", "--dead-letters"]).args(args))
}

/// How many records there are of each key, headers, value, timestamp and partition.
fn tally(records: &[Stored]) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for record in records {
        let whole = format!(
            "{:?}",
            (
                record.partition(),
                record.timestamp(),
                record.key(),
                record.headers(),
                record.value()
            )
        );
        *tally.entry(whole).or_default() += 1;
    }
    tally
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_replayed_to_the_topics_they_came_from_after_a_fix() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let api = parts.serve(&[]).await;
    let ingest = parts
        .ingest(&[("ROLLCALL__KAFKA__MAX_RECORD_BYTES", "3000")])
        .await;
    let topic = parts.kafka.ready.topic.clone().unwrap();
    let dead_letter_topic = parts.kafka.ready.dead_letter_topic.clone().unwrap();
    let broken = (0..BROKEN).map(|_| Record::structured("{"));
    parts
        .kafka
        .publish_records((0..EVENTS).map(good).chain(broken))
        .await;
    ingest.settled().await;
    assert!(ingest.signal("TERM").await.success());
    let originals = read(&parts.kafka, &topic).await;
    let letters = usize::try_from(EVENTS / LARGE).unwrap() + BROKEN;
    assert_eq!(read(&parts.kafka, &dead_letter_topic).await.len(), letters);

    let printed = replay(&parts, &["--dry-run"]);
    assert_eq!(
        printed,
        "would replay 47 dead letters: malformed_json 7, record_too_large 40, left alone 0\n"
    );
    assert_eq!(read(&parts.kafka, &topic).await.len(), originals.len());
    let printed = replay(&parts, &["--reason", "record_too_large"]);
    assert_eq!(
        printed,
        "replayed 40 dead letters: record_too_large 40, left alone 7\n"
    );

    // The fix: larger records are accepted.
    let ingest = parts.ingest(&[]).await;
    let printed = replay(&parts, &[]);
    assert_eq!(
        printed,
        "replayed 47 dead letters: malformed_json 7, record_too_large 40, left alone 0\n"
    );
    ingest.settled().await;
    let mut oracle = oracle::Oracle::default();
    (0..EVENTS).for_each(|number| oracle.add(&event(ORG, number)));
    compare(&api, &oracle, ORG, &questions()).await.unwrap();

    // Each was published again as it was: the large ones twice, the broken ones once.
    let mut expected = tally(&originals);
    for (whole, count) in &mut expected {
        let (large, broken) = (whole.contains("padding"), whole.contains("Some([123])"));
        *count += match (large, broken) {
            (true, _) => 2,
            // All the broken ones of one partition and instant are equal.
            (_, true) => *count,
            _ => 0,
        };
    }
    assert_eq!(tally(&read(&parts.kafka, &topic).await), expected);

    // What is still broken was dead-lettered again, and waits for the next replay.
    let printed = replay(&parts, &[]);
    assert_eq!(
        printed,
        "replayed 7 dead letters: malformed_json 7, left alone 0\n"
    );
    ingest.settled().await;
    let printed = replay(&parts, &["--from-beginning", "--dry-run"]);
    assert!(printed.starts_with("would replay 61 dead letters:"), "{printed}");
    assert!(ingest.signal("TERM").await.success());
}
