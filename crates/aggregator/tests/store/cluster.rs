//! A real cluster of three shards: as exact as one server, and shard by shard.

use std::{process::Command, time::Duration};

use aggregator::{Batch, Error, Settings, Store, rollup_tables, verified_tables};
use events::{DateRange, Grain, TranscriptFilter};
use futures::TryStreamExt;
use oracle::Oracle;
use testbed::TestCluster;

use crate::{
    erasures,
    harness::{Database, client, insert, message, now, page, registration},
    listed, observed, observed_users,
    rollups::{batch, drift, rebuild_meanwhile},
};

const SHARDS: usize = 3;

/// The number that a statement selects on each shard.
async fn on_each_shard(settings: &Settings, statement: &str) -> Vec<u64> {
    let mut numbers = Vec::new();
    for url in settings.urls() {
        let node = client(settings).with_url(url);
        numbers.push(node.query(statement).fetch_one().await.unwrap());
    }
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_forgotten_is_on_no_shard() {
    let cluster = TestCluster::start(SHARDS).await;
    let database = Database::on_shards(&cluster, "erasures").await;
    erasures::interleave(&database.settings, 7, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_the_oracles_and_no_shard_of_any_table_is_empty() {
    let cluster = TestCluster::start(SHARDS).await;
    let database = Database::on_shards(&cluster, "listed").await;
    let filters: Vec<_> = listed::filters().into_iter().step_by(7).collect();
    listed::fill_and_compare(&database, 5, &filters).await;
    let store = Database::on_shards(&cluster, "users").await.store;
    observed_users::interleave(&store, 7, 9).await;
    let store = Database::on_shards(&cluster, "conversations").await.store;
    observed::interleave(&store, 7, 8).await;

    let database = Database::on_shards(&cluster, "spread").await;
    database.store.insert(&batch(0..900), now).await.unwrap();
    database.store.observe_users(now()).await.unwrap();
    database.store.observe_conversations(now()).await.unwrap();
    for table in verified_tables()
        .into_iter()
        .chain(["messages", "annotations", "registrations"])
    {
        let rows = on_each_shard(&database.settings, &format!("SELECT count() FROM {table}")).await;
        assert!(rows.iter().all(|rows| *rows > 0), "{table}: {rows:?}");
    }
    // What is about a user or a conversation is on one shard.
    for (table, key) in [("users", "user"), ("conversation_beginnings", "conversation_id")] {
        let distinct = format!("SELECT uniqExact({key}) FROM");
        let apart: u64 = on_each_shard(&database.settings, &format!("{distinct} {table}"))
            .await
            .iter()
            .sum();
        let together: u64 = client(&database.settings)
            .query(&format!("{distinct} {table}_all"))
            .fetch_one()
            .await
            .unwrap();
        assert_eq!(apart, together, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rollups_are_verified_and_rebuilt_shard_by_shard_while_events_arrive() {
    let cluster = TestCluster::start(SHARDS).await;
    let database = Database::on_shards(&cluster, "rebuilt").await;
    let batches = Box::pin(rebuild_meanwhile(&database, &["active_hourly", "users"])).await;
    assert!(batches > 10, "only {batches} batches were inserted meanwhile");

    // Rows of the first shard that are on the second, too.
    let user = client(&database.settings);
    let misplaced: Vec<u128> = user
        .query("SELECT DISTINCT user FROM users WHERE org = 'small' ORDER BY user LIMIT 2")
        .fetch_all()
        .await
        .unwrap();
    let second = database.settings.urls().nth(1).unwrap();
    for user in misplaced {
        client(&database.settings)
            .with_url(second)
            .query("INSERT INTO users VALUES ('small', ?, 1, 1)")
            .bind(user)
            .execute()
            .await
            .unwrap();
    }
    assert_eq!(drift(&database).await, [("users", 0, 2)]);
    database.store.rebuild("users").await.unwrap();
    assert_eq!(drift(&database).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_shard_is_away_nothing_is_acknowledged_and_nothing_is_answered_in_part() {
    let cluster = TestCluster::start(SHARDS).await;
    let database = Database::on_shards(&cluster, "away").await;
    let mut oracle = Oracle::default();
    let events = |from: i64| {
        let said = (from..from + 60).map(|number| message("org", number, number));
        said.chain((from..from + 20).map(|number| registration("org", number)))
    };
    insert(&database.store, &mut [&mut oracle], events(0)).await;
    let impatient = Store::new(&Settings {
        query_timeout_secs: 3,
        insert_timeout_secs: 3,
        ..database.settings.clone()
    });
    let range = DateRange::new("2024-01-01".parse().unwrap(), "2024-01-31".parse().unwrap()).unwrap();
    let filter = TranscriptFilter::default();
    for shard in 0..SHARDS {
        signal("-STOP", cluster.pid(shard));
        let mut batch = Batch::new();
        for event in events(100) {
            batch.append(&event);
        }
        let errors = [
            impatient.insert(&batch.seal(), now).await.err(),
            impatient.usage_summary("org", range, Grain::Day).await.err(),
            impatient.transcripts_page("org", &filter, 0, 10).await.err(),
        ];
        signal("-CONT", cluster.pid(shard));
        for error in errors {
            let error = error.expect("a shard is away");
            assert!(error.is_transient(), "{error:?}");
        }
    }
    let mut late = Batch::new();
    for event in events(100) {
        late.append(&event);
        oracle.add(&event);
    }
    let late = late.seal();
    until_it_serves(async || database.store.insert(&late, now).await).await;
    let usage = async || database.store.usage_summary("org", range, Grain::Day).await;
    let expected = oracle.usage_summary("org", range, Grain::Day);
    assert_eq!(until_it_serves(usage).await, expected);
    let (total, _) = page(&database.store, &filter, 0, 10).await;
    assert_eq!(
        total,
        u64::try_from(oracle.transcripts("org", &filter).len()).unwrap()
    );
    assert_eq!(drift(&database).await, []);

    // One that is killed is started again, and nothing of it is lost.
    signal("-KILL", cluster.pid(1));
    assert_eq!(until_it_serves(usage).await, expected);
}

/// What ClickHouse answers, once it does: a shard that stood still may have ended, and is started again.
async fn until_it_serves<T>(ask: impl AsyncFn() -> Result<T, Error>) -> T {
    let answered = async {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(error) => assert!(error.is_transient(), "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let answered = tokio::time::timeout(Duration::from_secs(60), answered).await;
    answered.expect("all shards serve again")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_empty_is_named() {
    let cluster = TestCluster::start(SHARDS).await;
    let database = Database::on_shards(&cluster, "empty").await;
    database.store.insert(&batch(0..300), now).await.unwrap();
    database.store.require_known_schema().await.unwrap();
    let second = database.settings.urls().nth(1).unwrap().to_owned();
    let node = client(&database.settings)
        .with_url(&second)
        .with_database("default");
    node.query("DROP DATABASE empty SYNC").execute().await.unwrap();
    let error = database.store.require_known_schema().await.unwrap_err();
    assert!(error.to_string().contains(&second), "{error}");
}

fn signal(signal: &str, pid: u32) {
    let killed = Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(killed.unwrap().success());
}

/// The statement that sends the facts of one server to a cluster.
fn documented_move() -> &'static str {
    let documented = include_str!("../../../../docs/clusters.md");
    let (_, after) = documented.split_once("INSERT INTO new.messages_all").unwrap();
    let (statement, _) = after.split_once("```").unwrap();
    statement
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_has_moves_to_a_cluster_as_documented() {
    let cluster = TestCluster::start(SHARDS).await;
    let moved = Database::on_shards(&cluster, "moved").await;
    // To whoever names no cluster, a node is a server by itself.
    let old = Store::new(&Settings {
        url: cluster.urls()[0].clone(),
        cluster: None,
        database: "old".to_owned(),
        ..moved.settings.clone()
    });
    old.migrate(|_| ()).await.unwrap();
    old.insert(&batch(0..900), now).await.unwrap();

    let user = client(&moved.settings);
    let port: u16 = user
        .query("SELECT port FROM system.clusters WHERE is_local")
        .fetch_one()
        .await
        .unwrap();
    let Settings {
        user: name, password, ..
    } = &moved.settings;
    for table in ["messages", "annotations", "registrations"] {
        let from = format!("'127.0.0.1:{port}', old, {table}, '{name}', '{password}'");
        let statement = documented_move().replace("'old-server', rollcall, messages", &from);
        let statement = format!("INSERT INTO moved.{table}_all {statement}");
        user.query(&statement).execute().await.unwrap();
        let rows = on_each_shard(&moved.settings, &format!("SELECT count() FROM {table}")).await;
        assert!(rows.iter().all(|rows| *rows > 0), "{table}: {rows:?}");
    }
    for table in rollup_tables() {
        moved.store.rebuild(table).await.unwrap();
    }
    assert_eq!(drift(&moved).await, []);
    let range = DateRange::new("2024-01-01".parse().unwrap(), "2024-12-31".parse().unwrap()).unwrap();
    for org in ["small", "large"] {
        let answers = async |store: &Store| {
            let filter = TranscriptFilter::default();
            let listed = store.transcripts(org, &filter).try_concat().await.unwrap();
            let usage = store.usage_summary(org, range, Grain::Week).await.unwrap();
            (listed, usage)
        };
        let (listed, usage) = answers(&moved.store).await;
        assert!(listed.len() > 50, "{}", listed.len());
        assert_eq!((listed, usage), answers(&old).await);
    }
}
