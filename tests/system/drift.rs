//! Rollups that differ from their facts are reported, and rebuilt while events arrive.

use std::process::{Command, Output, Stdio};

use oracle::Oracle;
use tempfile::tempdir;

use crate::{
    harness::{Parts, ROLLCALL, Record, Running},
    history::{event, questions},
    oracle::{
        question::compare,
        wire::{Spelling, record},
    },
};

const ORG: &str = "adrift";
/// How many events come at a time.
const PIECE: u32 = 500;

fn rollcall(parts: &Parts, args: &[&str]) -> Output {
    Command::new(ROLLCALL)
        .args(args)
        .envs(parts.variables())
        .output()
        .unwrap()
}

/// What a command says that must succeed.
fn succeeds(parts: &Parts, args: &[&str]) -> String {
    let output = rollcall(parts, args);
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

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
async fn drift_is_named_and_a_rebuild_sets_it_right_while_events_arrive() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    // Held in memory, weeks are made of days, and the weekly rollup is not read.
    let api = parts.serve(&[("ROLLCALL__CLICKHOUSE__CACHE_BYTES", "0")]).await;
    let ingest = parts.ingest(&[]).await;
    let mut oracle = Oracle::default();
    publish(&parts, &mut oracle, 0..PIECE).await;
    ingest.settled().await;
    let said = succeeds(&parts, &["verify"]);
    assert!(said.contains("active_hourly: agrees with the facts"), "{said}");

    let statement = "DELETE FROM rollcall.active_weekly WHERE org = 'adrift' AND mentor_id = 'mentor-3'";
    parts.clickhouse.sql(statement).await;
    let wrong = compare(&api, &oracle, ORG, &questions()).await;
    assert!(wrong.is_err(), "what is gone would have to be missed");

    let found = rollcall(&parts, &["verify"]);
    assert_eq!(found.status.code(), Some(1));
    let (said, advice) = (
        String::from_utf8_lossy(&found.stdout),
        String::from_utf8_lossy(&found.stderr),
    );
    assert!(said.contains("active_weekly: "), "{said}");
    assert!(said.contains("organisations adrift"), "{said}");
    assert!(said.contains("active_daily: agrees"), "{said}");
    assert!(
        advice.trim_end().ends_with("rollcall rebuild active_weekly"),
        "{advice}"
    );

    for round in 1..4 {
        let rebuild = Command::new(ROLLCALL)
            .args(["rebuild", "--all"])
            .envs(parts.variables())
            .stdout(Stdio::null())
            .spawn();
        let mut rebuild = Running(rebuild.unwrap());
        publish(&parts, &mut oracle, round * PIECE..(round + 1) * PIECE).await;
        assert!(rebuild.end().await.success());
    }
    ingest.settled().await;
    compare(&api, &oracle, ORG, &questions()).await.unwrap();
    succeeds(
        &parts,
        &["verify", "active_hourly", "active_weekly", "conversations"],
    );
}
