//! A cluster of three shards, between two that ingest and two that answer.

use tempfile::tempdir;

use crate::{
    exported,
    harness::{Parts, send, succeeds},
    oracle::{oracle, question::compare, records, world},
};

/// How many organisations there are, each with events and questions of its own.
const WORLDS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_of_a_cluster_equal_the_oracles_whatever_stands_still_or_is_killed() {
    let dir = tempdir().unwrap();
    let parts = Parts::on_cluster(dir.path()).await;
    let pids = parts.clickhouse.ready.clickhouse_pids.clone().unwrap();
    let worlds: Vec<_> = world::sample(WORLDS)
        .into_iter()
        .enumerate()
        .map(|(number, world)| (format!("world-{number}"), world))
        .collect();
    let (one, other) = (parts.ingest(&[]).await, parts.ingest(&[]).await);

    for part in 0..4 {
        match part {
            1 => send(pids[1], "STOP"),
            2 => send(pids[2], "KILL"),
            3 => one.send("KILL"),
            _ => {}
        }
        parts.kafka.publish_records(records(&worlds, part, 4)).await;
        if part == 2 {
            send(pids[1], "CONT");
        }
    }
    other.settled().await;

    let servers = [parts.serve(&[]).await, parts.serve(&[]).await];
    for (number, (org, world)) in worlds.iter().enumerate() {
        let server = &servers[number % 2];
        if let Err(difference) = compare(server, &oracle(org, world), org, &world.questions).await {
            panic!("{difference}");
        }
    }
    exported::compare(&parts, &servers[0], &worlds[..2], 6).await;
    let verified = succeeds(&mut parts.command(&["verify"]));
    assert!(verified.contains("users: agrees with the facts"), "{verified}");
}
