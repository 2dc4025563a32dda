//! A process that is killed loses nothing that was settled, and counts nothing twice.

use std::collections::BTreeMap;

use events::{Timestamp, TranscriptFilter};
use oracle::Oracle;
use serde_json::Value;
use tempfile::tempdir;

use crate::{
    harness::{Parts, Process, until},
    history::{event, questions},
    oracle::{
        question::{Question, compare, days},
        wire::{Spelling, record},
    },
    records::Record,
};

/// How many events are being published when a process is killed.
const MANY: u32 = 60_000;
/// Small batches: the process is killed between many of them.
const SMALL_BATCHES: [(&str, &str); 1] = [("ROLLCALL__KAFKA__BATCH_RECORDS", "200")];

fn records(org: &'static str, count: u32) -> impl Iterator<Item = Record> {
    (0..count).map(move |number| record(&event(org, number), Spelling::default()))
}

fn oracle(org: &'static str, count: u32) -> Oracle {
    let mut oracle = Oracle::default();
    (0..count).for_each(|number| oracle.add(&event(org, number)));
    oracle
}

/// Waits until an org has a conversation. It may exist before: its first event may be something other than a message.
async fn wait_for_first_messages(api: &Process, org: &str) {
    until(&format!("the first messages of {org} arrive"), async || {
        let (status, body) = api.get(org, "transcripts/?page=1&page_size=1").await;
        let listed = status == 200 && body.as_array().is_some_and(|listed| !listed.is_empty());
        listed.then_some(())
    })
    .await;
}

/// Asserts that the answers about an org contain nothing that was not published, and not all that was.
async fn assert_partial(api: &Process, oracle: &Oracle, org: &str) {
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
        let expected = &published[item["id"].as_str().unwrap()];
        let inserted_at = Timestamp::parse_rfc3339(item["inserted_at"].as_str().unwrap()).unwrap();
        let count = item["message_count"].as_u64().unwrap();
        assert!(count <= expected.message_count, "{item}, expected {expected:?}");
        assert!(
            inserted_at >= expected.inserted_at,
            "{item}, expected {expected:?}"
        );
        assert!(item["first_message"] == "" || item["first_message"].as_str().unwrap().ends_with(org));
        counted += count;
    }
    let all: u64 = published
        .values()
        .map(|conversation| conversation.message_count)
        .sum();
    assert!(counted < all, "everything had arrived before the kill");

    let range = days("2024-01-01", "2024-01-31");
    let usage = Question::Usage {
        range,
        grain: Some("day"),
    };
    let (found, expected) = (usage.ask(api, org).await.unwrap(), usage.expected(oracle, org));
    let count = |period: &Value| period["user_count"].as_u64().unwrap();
    for (found, expected) in found.as_array().unwrap().iter().zip(expected.as_array().unwrap()) {
        assert!(count(found) <= count(expected), "{found}, expected {expected}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_survives_a_kill_of_up_and_the_rest_can_be_published_again() {
    let dir = tempdir().unwrap();
    let (first, second) = (oracle("first", 5_000), oracle("second", MANY));
    let up = Process::up_with(dir.path(), &SMALL_BATCHES).await;
    up.publish_records(records("first", 5_000)).await;
    up.settled().await;
    tokio::select! {
        () = async {
            up.publish_records(records("second", MANY)).await;
            std::future::pending::<()>().await;
        } => {}
        () = wait_for_first_messages(&up, "second") => {}
    }
    let key = up.ready.api_key.clone();
    assert!(!up.signal("KILL").await.success());

    let up = Process::up(dir.path()).await;
    assert_eq!(up.ready.api_key, key);
    compare(&up, &first, "first", &questions()).await.unwrap();
    assert_partial(&up, &second, "second").await;
    up.publish_records(records("second", MANY)).await;
    up.settled().await;
    compare(&up, &second, "second", &questions()).await.unwrap();
    compare(&up, &first, "first", &questions()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_that_is_killed_continues_where_it_was() {
    let dir = tempdir().unwrap();
    let oracle = oracle("only", MANY);
    let parts = Parts::start(dir.path()).await;
    let api = parts.serve(&[]).await;
    let ingest = parts.ingest(&SMALL_BATCHES).await;
    let kill = async {
        wait_for_first_messages(&api, "only").await;
        assert!(!ingest.signal("KILL").await.success());
        assert_partial(&api, &oracle, "only").await;
    };
    let ((), ()) = tokio::join!(parts.kafka.publish_records(records("only", MANY)), kill);

    let ingest = parts.ingest(&[]).await;
    ingest.settled().await;
    compare(&api, &oracle, "only", &questions()).await.unwrap();
    assert_eq!(ingest.signal("TERM").await.code(), Some(0));
}
