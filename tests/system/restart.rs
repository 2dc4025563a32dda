//! A kill in the middle loses nothing that was settled, and counts nothing twice.

use std::collections::BTreeMap;

use events::{Timestamp, TranscriptFilter};
use oracle::Oracle;
use serde_json::Value;
use tempfile::tempdir;

use crate::{
    harness::{Parts, Process, Record, until},
    history::{event, questions},
    oracle::{
        question::{Question, compare, days},
        wire::{Spelling, record},
    },
};

/// How many events are on their way when the kill comes.
const MANY: u32 = 60_000;
/// Small batches: the kill comes between many of them.
const SMALL: [(&str, &str); 1] = [("ROLLCALL__KAFKA__BATCH_RECORDS", "200")];
fn records(org: &'static str, count: u32) -> impl Iterator<Item = Record> {
    (0..count).map(move |number| record(&event(org, number), Spelling::default()))
}

fn oracle(org: &'static str, count: u32) -> Oracle {
    let mut oracle = Oracle::default();
    (0..count).for_each(|number| oracle.add(&event(org, number)));
    oracle
}

/// Waits until a conversation of an org is there. The org may be there before: its first event may be no message.
async fn some_arrived(api: &Process, org: &str) {
    until(&format!("the first messages of {org} arrive"), async || {
        let (status, body) = api.get(org, "transcripts/?page=1&page_size=1").await;
        let listed = status == 200 && body.as_array().is_some_and(|listed| !listed.is_empty());
        listed.then_some(())
    })
    .await;
}

/// Sees to it that an org shows nothing that was not published, and not all that was.
async fn shows_a_part(api: &Process, oracle: &Oracle, org: &str) {
    let published: BTreeMap<String, _> = oracle
        .transcripts(org, &TranscriptFilter::default())
        .into_iter()
        .map(|conversation| (conversation.id.to_string(), conversation))
        .collect();
    let body = api.ask(org, "transcripts/").await;
    let listed = body.as_array().unwrap();
    assert!(!listed.is_empty());
    let mut counted = 0;
    for item in listed {
        let whole = &published[item["id"].as_str().unwrap()];
        let inserted_at = Timestamp::parse_rfc3339(item["inserted_at"].as_str().unwrap()).unwrap();
        let count = item["message_count"].as_u64().unwrap();
        assert!(count <= whole.message_count, "{item}, of {whole:?}");
        assert!(inserted_at >= whole.inserted_at, "{item}, of {whole:?}");
        assert!(item["first_message"] == "" || item["first_message"].as_str().unwrap().ends_with(org));
        counted += count;
    }
    let all: u64 = published
        .values()
        .map(|conversation| conversation.message_count)
        .sum();
    assert!(counted < all, "the kill came when everything had arrived already");

    let range = days("2024-01-01", "2024-01-31");
    let usage = Question::Usage {
        range,
        grain: Some("day"),
    };
    let (found, whole) = (usage.ask(api, org).await.unwrap(), usage.expected(oracle, org));
    let count = |period: &Value| period["user_count"].as_u64().unwrap();
    for (found, whole) in found.as_array().unwrap().iter().zip(whole.as_array().unwrap()) {
        assert!(count(found) <= count(whole), "{found}, of {whole}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_survives_a_kill_of_up_and_the_rest_can_be_published_again() {
    let dir = tempdir().unwrap();
    let (first, second) = (oracle("first", 5_000), oracle("second", MANY));
    let up = Process::up_with(dir.path(), &SMALL).await;
    up.publish_records(records("first", 5_000)).await;
    up.settled().await;
    tokio::select! {
        () = async {
            up.publish_records(records("second", MANY)).await;
            std::future::pending::<()>().await;
        } => {}
        () = some_arrived(&up, "second") => {}
    }
    let key = up.ready.api_key.clone();
    assert!(!up.signal("KILL").await.success());

    let up = Process::up(dir.path()).await;
    assert_eq!(up.ready.api_key, key);
    compare(&up, &first, "first", &questions()).await.unwrap();
    shows_a_part(&up, &second, "second").await;
    up.publish_records(records("second", MANY)).await;
    up.settled().await;
    compare(&up, &second, "second", &questions()).await.unwrap();
    compare(&up, &first, "first", &questions()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_that_is_killed_goes_on_where_it_was() {
    let dir = tempdir().unwrap();
    let oracle = oracle("only", MANY);
    let parts = Parts::start(dir.path()).await;
    let api = parts.serve(&[]).await;
    let ingest = parts.ingest(&SMALL).await;
    let kill = async {
        some_arrived(&api, "only").await;
        assert!(!ingest.signal("KILL").await.success());
        shows_a_part(&api, &oracle, "only").await;
    };
    let ((), ()) = tokio::join!(parts.kafka.publish_records(records("only", MANY)), kill);

    let ingest = parts.ingest(&[]).await;
    ingest.settled().await;
    compare(&api, &oracle, "only", &questions()).await.unwrap();
    assert_eq!(ingest.signal("TERM").await.code(), Some(0));
}
