//! Rollups that differ from their facts are reported, and rebuilt while events arrive.

use std::process::Stdio;

use oracle::Oracle;
use tempfile::tempdir;

use crate::{
    harness::{Parts, Running, succeeds},
    history::{event, questions},
    oracle::{
        question::compare,
        wire::{Spelling, record},
    },
    records::Record,
};

const ORG: &str = "adrift";
/// How many events are published at a time.
const EVENTS: u32 = 500;

async fn publish(parts: &Parts, oracle: &mut Oracle, numbers: std::ops::Range<u32>) {
    let records: Vec<Record> = numbers
        .map(|number| {
            let event = event(ORG, number);
            oracle.add(&event);
            record(&event, Spelling::default())
        })
        .collect();
    parts.kafka.publish_records(records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_named_and_a_rebuild_corrects_it_while_events_arrive() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let api = parts.serve(&[]).await;
    let ingest = parts.ingest(&[]).await;
    let mut oracle = Oracle::default();
    publish(&parts, &mut oracle, 0..EVENTS).await;
    ingest.settled().await;
    let printed = succeeds(&mut parts.command(&["verify"]));
    assert!(
        printed.contains("active_hourly: agrees with the facts"),
        "{printed}"
    );

    let statement = "DELETE FROM rollcall.active_weekly WHERE org = 'adrift' AND mentor_id = 'mentor-3'";
    parts.clickhouse.sql(statement).await;
    let wrong = compare(&api, &oracle, ORG, &questions()).await;
    assert!(wrong.is_err(), "the answers must miss what is deleted");

    let found = parts.command(&["verify"]).output().unwrap();
    assert_eq!(found.status.code(), Some(1));
    let (printed, advice) = (
        String::from_utf8_lossy(&found.stdout),
        String::from_utf8_lossy(&found.stderr),
    );
    assert!(printed.contains("active_weekly: "), "{printed}");
    assert!(printed.contains("organisations adrift"), "{printed}");
    assert!(printed.contains("active_daily: agrees"), "{printed}");
    assert!(
        advice.trim_end().ends_with("rollcall rebuild active_weekly"),
        "{advice}"
    );

    for round in 1..4 {
        let mut rebuild = parts.command(&["rebuild", "--all"]);
        let mut rebuild = Running(rebuild.stdout(Stdio::null()).spawn().unwrap());
        publish(&parts, &mut oracle, round * EVENTS..(round + 1) * EVENTS).await;
        assert!(rebuild.end().await.success());
    }
    ingest.settled().await;
    compare(&api, &oracle, ORG, &questions()).await.unwrap();
    let some = [
        "verify",
        "active_weekly",
        "conversations_by_day",
        "observed_beginnings",
        "observed_users",
    ];
    succeeds(&mut parts.command(&some));
}
