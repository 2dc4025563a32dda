//! Events that third-party producers publish are counted, in both modes of CloudEvents.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    harness::Process,
    oracle::{
        self,
        question::compare,
        wire::{Spelling, record},
        world::{World, sample},
    },
    records::Record,
    tools,
};

/// A world's events as records, every second one in binary mode.
fn records(org: &str, world: &World) -> Vec<Record> {
    let spellings = [Spelling::default(), Spelling(Spelling::BINARY)]
        .into_iter()
        .cycle();
    let spelled = world.events.iter().zip(spellings);
    spelled
        .map(|(entry, spelling)| record(&oracle::of(org, &entry.event), spelling))
        .collect()
}

fn text(bytes: Option<&Vec<u8>>) -> String {
    String::from_utf8(bytes.unwrap().clone()).unwrap()
}

fn headers(record: &Record) -> Vec<(String, String)> {
    record
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), text(value.as_ref())))
        .collect()
}

/// Publishes a world with `publish`, and compares the answers with the oracle's.
async fn publish(publish: impl FnOnce(&Process, &Path, Vec<Record>)) {
    let dir = tempdir().unwrap();
    let process = Process::up(dir.path()).await;
    let world = sample(1).remove(0);
    let records = records("acme", &world);
    let count = records.len();
    assert!(count >= 20);
    publish(&process, dir.path(), records);
    process.settled().await;
    assert_eq!(
        process.metric("rollcall_records_total").await,
        u64::try_from(count).unwrap()
    );
    compare(
        &process,
        &oracle::oracle("acme", &world),
        "acme",
        &world.questions,
    )
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn events_published_by_confluent_kafka_are_counted() {
    publish(|process, _, records| {
        let records: Vec<Value> = records
            .iter()
            .map(|record| {
                let key = record.key.as_ref().map(|key| text(Some(key)));
                json!({ "key": key, "headers": headers(record), "value": text(record.value.as_ref()) })
            })
            .collect();
        let input = json!({
            "bootstrap_servers": process.ready.bootstrap_servers,
            "topic": process.ready.topic,
            "records": records,
        });
        tools::run("bin/python", ["publish.py"], &tools::python(), Some(&input));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_published_by_kcat_are_counted() {
    publish(|process, dir, records| {
        let servers = process.ready.bootstrap_servers.as_deref().unwrap();
        let topic = process.ready.topic.as_deref().unwrap();
        for record in &records {
            let value = dir.join("value");
            fs::write(&value, record.value.as_ref().unwrap()).unwrap();
            let mut args = ["-P", "-b", servers, "-t", topic].map(str::to_owned).to_vec();
            for (name, value) in headers(record) {
                args.extend(["-H".to_owned(), format!("{name}={value}")]);
            }
            if let Some(key) = &record.key {
                args.extend(["-k".to_owned(), text(Some(key))]);
            }
            args.push(value.to_str().unwrap().to_owned());
            tools::run("kcat", args, dir, None);
        }
    })
    .await;
}
