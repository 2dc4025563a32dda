use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    time::Duration,
};

use aggregator::{Batch, Error, Settings, Store};
use events::{DateRange, Day, Grain, NewUsersBy, TranscriptFilter};
use futures::{
    FutureExt, TryFutureExt, TryStreamExt,
    future::{BoxFuture, join_all},
};
use tokio::{task::spawn_blocking, time::timeout};

use crate::harness::{Database, client, message};

#[tokio::test]
async fn a_server_that_is_not_there_may_be_there_later() {
    let store = Store::new(&Settings {
        url: "http://127.0.0.1:1".to_owned(),
        ..Settings::default()
    });
    let error = store.ping().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn an_insert_without_a_schema_is_refused() {
    let database = Database::named("no_schema").await;
    let mut batch = Batch::new();
    batch.append(&message("org", 1, 1));
    let error = database.store.insert(&batch.seal()).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_given_up() {
    let database = Database::migrated("too_slow").await;
    let store = Store::new(&Settings {
        query_timeout_secs: 0,
        ..database.settings.clone()
    });
    let error = store.org_exists("org").await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn every_call_to_clickhouse_has_a_timeout() {
    // The system takes connections for it; nobody reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = &Store::new(&Settings {
        url: format!("http://{}", silent.local_addr().unwrap()),
        query_timeout_secs: 1,
        insert_timeout_secs: 1,
        maintenance_timeout_secs: 1,
        ..Settings::default()
    });
    let mut batch = Batch::new();
    batch.append(&message("org", 1, 1));
    let (batch, filter) = (batch.seal(), TranscriptFilter::default());
    let day = Day::from_ymd(2024, 1, 1).unwrap();
    let range = DateRange::new(day, day).unwrap();
    let calls: [(&str, BoxFuture<'_, Result<(), Error>>); 10] = [
        ("ping", store.ping().boxed()),
        ("migrate", store.migrate(|_| ()).boxed()),
        ("schema_state", store.schema_state().map_ok(drop).boxed()),
        ("insert", store.insert(&batch).boxed()),
        ("org_exists", store.org_exists("org").map_ok(drop).boxed()),
        (
            "usage_summary",
            store.usage_summary("org", range, Grain::Day).map_ok(drop).boxed(),
        ),
        (
            "cohorts",
            store
                .cohorts("org", range, Grain::Day, None, NewUsersBy::Registration)
                .map_ok(drop)
                .boxed(),
        ),
        (
            "transcripts_page",
            store.transcripts_page("org", &filter, 0, 1).map_ok(drop).boxed(),
        ),
        (
            "transcripts",
            store
                .transcripts("org", &filter)
                .try_collect::<Vec<_>>()
                .map_ok(drop)
                .boxed(),
        ),
        ("verify", store.verify("active_daily").map_ok(drop).boxed()),
    ];
    let ends = calls.map(|(name, call)| async move {
        let ended = timeout(Duration::from_secs(10), call).await;
        let error = ended.unwrap_or_else(|_| panic!("{name} hangs")).unwrap_err();
        assert!(error.is_transient(), "{name}: {error:?}");
    });
    join_all(ends).await;
    let error = timeout(Duration::from_secs(10), store.rebuild("active_daily")).await;
    assert!(error.expect("rebuild hangs").unwrap_err().is_transient());
}

#[tokio::test]
async fn clickhouse_is_told_after_which_time_a_question_is_given_up() {
    let clickhouse = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = Store::new(&Settings {
        url: format!("http://{}", clickhouse.local_addr().unwrap()),
        query_timeout_secs: 7,
        ..Settings::default()
    });
    let request = spawn_blocking(move || {
        let (connection, _) = clickhouse.accept().unwrap();
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line).unwrap();
        line
    });
    store.org_exists("org").await.unwrap_err();
    let request = request.await.unwrap();
    assert!(request.contains("max_execution_time=7"), "{request}");
}

/// Has a table refuse rows.
async fn constrain(database: &Database, constraint: &str) {
    let added = client(&database.settings).query(constraint).execute().await;
    added.unwrap();
}

#[tokio::test]
async fn a_row_that_only_a_rollup_does_not_take_is_not_at_fault() {
    let database = Database::migrated("constraint_of_rollup").await;
    constrain(
        &database,
        "ALTER TABLE conversation_days ADD CONSTRAINT nothing CHECK 0",
    )
    .await;
    let mut batch = Batch::new();
    batch.append(&message("org", 1, 1));
    let error = database.store.insert(&batch.seal()).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_row_that_breaks_a_constraint_is_at_fault_itself() {
    let database = Database::migrated("constraint").await;
    let constraint = "ALTER TABLE messages ADD CONSTRAINT no_poison CHECK content != 'poison'";
    constrain(&database, constraint).await;
    let mut batch = Batch::new();
    let mut poison = message("org", 1, 1);
    if let events::Body::Message(message) = &mut poison.body {
        message.content = "poison".into();
    }
    batch.append(&message("org", 2, 2));
    batch.append(&poison);
    let error = database.store.insert(&batch.seal()).await.unwrap_err();
    assert!(matches!(error, Error::InvalidRows(_)), "{error:?}");
}
