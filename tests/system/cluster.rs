//! A cluster of three shards, between two that ingest and two that answer.

use tempfile::tempdir;

use crate::{
    harness::{Parts, Process, send, subdirectory, succeeds},
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
    let start = async |role: &'static str, name: &str| -> Process {
        let key = [("ROLLCALL__AUTH__KEYS", "k3y=*")];
        let variables = [&parts.variables()[..], parts.cluster().as_slice(), &key].concat();
        let args = [role, "--http-addr", "127.0.0.1:0"];
        let mut process = Process::start(&subdirectory(dir.path(), name), &args, &variables).await;
        process.ready.api_key = Some("k3y".to_owned());
        process
    };
    let one = start("ingest", "ingest-1").await;
    let other = start("ingest", "ingest-2").await;

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

    let servers = [start("serve", "serve-1").await, start("serve", "serve-2").await];
    for (number, (org, world)) in worlds.iter().enumerate() {
        let server = &servers[number % 2];
        if let Err(difference) = compare(server, &oracle(org, world), org, &world.questions).await {
            panic!("{difference}");
        }
    }
    let verified = succeeds(&mut parts.command(&["verify"]));
    assert!(verified.contains("users: agrees with the facts"), "{verified}");
}
