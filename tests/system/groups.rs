//! A consumer group stands for one database: nothing is taken from another one.

use std::{fs::File, path::Path};

use tempfile::tempdir;

use crate::{
    harness::{Parts, Process, on_free_port, subdirectory, until},
    history::{event, questions},
    oracle::{
        question::compare,
        wire::{Spelling, record},
    },
};

const ORG: &str = "shared";
const EVENTS: u32 = 500;

async fn publish(parts: &Parts, numbers: std::ops::Range<u32>) {
    let records = numbers.map(|number| record(&event(ORG, number), Spelling::default()));
    parts.kafka.publish_records(records).await;
}

/// Starts `up` with an engine of its own on the Kafka of the parts, with its log in a file.
async fn up(parts: &Parts, dir: &Path, variables: &[(&str, &str)]) -> Process {
    let data = dir.join("data");
    let servers = parts.kafka.ready.bootstrap_servers.as_deref().unwrap();
    let args = on_free_port(&["up", "--kafka", servers], &data);
    let log = File::create(dir.join("log")).unwrap();
    Process::start_logging(dir, &args, variables, log.into()).await
}

async fn assert_complete(api: &Process, events: u32) {
    let mut oracle = oracle::Oracle::default();
    (0..events).for_each(|number| oracle.add(&event(ORG, number)));
    compare(api, &oracle, ORG, &questions()).await.unwrap();
}

/// What `/readyz` says of Kafka.
async fn kafka_is_ready(process: &Process) -> String {
    let url = format!("{}/readyz", process.ready.api_url.as_deref().unwrap());
    let answer: serde_json::Value = process.fetch(&url).await.json().await.unwrap();
    answer["checks"]["kafka"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_engine_takes_no_records_from_the_group_of_another_database() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let ingest = parts.ingest(&[]).await;
    let api = parts.serve(&[]).await;
    publish(&parts, 0..EVENTS).await;
    ingest.settled().await;

    let own = up(&parts, &subdirectory(dir.path(), "own"), &[]).await;
    let group = own.ready.group_id.clone().unwrap();
    assert!(group.starts_with("rollcall-"), "{group}");
    own.settled().await;
    assert_complete(&own, EVENTS).await;
    assert_eq!(kafka_is_ready(&own).await, "ok");

    let shared = subdirectory(dir.path(), "shared");
    let named = [("ROLLCALL__KAFKA__GROUP_ID", "rollcall")];
    let refused = up(&parts, &shared, &named).await;
    assert_eq!(refused.ready.group_id.as_deref(), Some("rollcall"));
    let line = until("the log says why", async || {
        let log = std::fs::read_to_string(shared.join("log")).unwrap();
        let line = log.lines().find(|line| line.contains("waiting: "));
        line.map(str::to_owned)
    })
    .await;
    for text in [&line, &kafka_is_ready(&refused).await] {
        for named in [
            "group rollcall has read topic chat.events",
            "another database",
            "kafka.group_id",
        ] {
            assert!(text.contains(named), "{text}");
        }
    }
    publish(&parts, EVENTS..2 * EVENTS).await;
    ingest.settled().await;
    assert_complete(&api, 2 * EVENTS).await;
    own.settled().await;
    assert_complete(&own, 2 * EVENTS).await;
    assert_eq!(refused.get(ORG, "transcripts/").await.0, 404);
    assert!(refused.signal("TERM").await.success());

    // The group is that of the data, not of the process.
    assert!(own.signal("TERM").await.success());
    let own = up(&parts, &dir.path().join("own"), &[]).await;
    assert_eq!(own.ready.group_id.as_deref(), Some(group.as_str()));
    own.settled().await;
}
