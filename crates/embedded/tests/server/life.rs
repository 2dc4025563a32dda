//! Many clients, and the end.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::support::{Answer, Server, until};

#[tokio::test]
async fn sixteen_clients_at_once_are_served() {
    let server = Server::start().await;
    server
        .post("", "CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a")
        .await
        .ok();
    let mut clients = JoinSet::new();
    for number in 0..16_u32 {
        let client = server.client();
        clients.spawn(async move {
            for round in 0..5 {
                let sql = format!("INSERT INTO t SELECT {number} FROM numbers(1000)");
                client.query(&sql).execute().await.unwrap();
                let rows: u64 = client
                    .query("SELECT count() FROM t WHERE a = ?")
                    .bind(number)
                    .fetch_one()
                    .await
                    .unwrap();
                assert_eq!(rows, 1000 * (round + 1));
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    assert_eq!(server.value("SELECT count() FROM t").await, "80000");
}

#[tokio::test]
async fn shutdown_waits_for_what_runs_and_then_refuses() {
    let server = Server::start().await;
    let other = server.another().await;
    let url = other.url();
    let idle = reqwest::Client::new();
    assert_eq!(Answer::of(idle.get(url.clone() + "/ping")).await.ok(), "Ok.\n");
    let mut running = JoinSet::new();
    let request = reqwest::Client::new()
        .post(&url)
        .body("SELECT 'last', sleepEachRow(0.5) FROM numbers(3)");
    running.spawn(Answer::of(request));
    let marked =
        "SELECT count() FROM system.processes WHERE query LIKE '%''last''%' AND query NOT LIKE '%processes%'";
    until("the query runs", || async { server.value(marked).await == "1" }).await;
    let start = Instant::now();
    other.shutdown().await;
    // Well before those that do not end are cut: a connection that only stays open is closed at once.
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    let last = running.join_next().await.unwrap().unwrap();
    assert_eq!(last.ok(), "last\t0\n".repeat(3));
    let refused = reqwest::Client::new()
        .get(url + "/ping")
        .send()
        .await
        .unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
    drop(idle);
}

#[tokio::test]
async fn shutdown_cuts_what_does_not_end() {
    let server = Server::start().await;
    let other = server.another().await;
    let client = reqwest::Client::new();
    let mut running = JoinSet::new();
    let request = client
        .post(other.url())
        .body("SELECT 'stuck', sleepEachRow(0.5) FROM system.numbers SETTINGS max_block_size = 1");
    running.spawn(request.send());
    let marked = "SELECT count() FROM system.processes WHERE query LIKE '%''stuck''%' AND query NOT LIKE '%processes%'";
    until("the query runs", || async { server.value(marked).await == "1" }).await;
    let start = Instant::now();
    other.shutdown().await;
    let took = start.elapsed();
    assert!(
        took > Duration::from_secs(4) && took < Duration::from_secs(8),
        "{took:?}"
    );
    until("the query is cancelled", || async {
        server.value(marked).await == "0"
    })
    .await;
    assert!(running.join_next().await.unwrap().unwrap().is_err());
}
