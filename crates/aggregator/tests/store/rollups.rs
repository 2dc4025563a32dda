//! Verifying and rebuilding.

use std::{pin::pin, time::Duration};

use aggregator::{Batch, SealedBatch, definitions, rollup_tables};
use events::{Body, DateRange, Event, Grain, Role, Timestamp, TranscriptFilter};
use tokio::{sync::oneshot, task::JoinSet, time::timeout};
use uuid::Uuid;

use crate::harness::{Database, annotation, client, message, now, registration, run, schema};

/// The events `numbers`, of two organisations and every kind.
pub(crate) fn batch(numbers: std::ops::Range<i64>) -> SealedBatch {
    let mut batch = Batch::new();
    for number in numbers {
        let org = if number % 4 == 0 { "small" } else { "large" };
        batch.append(&message(org, number / 3, number));
        batch.append(&annotation(org, number / 3, number));
        batch.append(&registration(org, number));
    }
    batch.seal()
}

/// What differs, as (table, rows missing, rows too many).
pub(crate) async fn drift(database: &Database) -> Vec<(&'static str, usize, usize)> {
    let mut found = Vec::new();
    for table in rollup_tables() {
        if let Some(drift) = database.store.verify(table).await.unwrap() {
            found.push((drift.table, drift.missing, drift.unexpected));
        }
    }
    found
}

/// How many conversations are listed.
async fn conversations(database: &Database) -> u64 {
    let filter = TranscriptFilter::default();
    let page = database.store.transcripts_page("large", &filter, 0, 1).await;
    page.unwrap().total
}

/// A message that shares its id, its conversation or its instant with others, and lacks what may be lacking.
fn odd_message(number: i64) -> Event<'static> {
    let mut event = message(
        if number % 5 == 0 { "small" } else { "large" },
        number / 7,
        number,
    );
    let Body::Message(message) = &mut event.body else {
        unreachable!("it is a message")
    };
    message.role = [Role::User, Role::Assistant, Role::User, Role::System, Role::Tool]
        [usize::try_from(number % 5).unwrap()];
    message.message_id = Uuid::from_u128(u128::from((number / 2).unsigned_abs()));
    message.model = match number % 3 {
        0 => None,
        1 => Some("".into()),
        _ => Some("sage".into()),
    };
    message.mentor_id = (number % 6 != 0).then(|| format!("mentör-{}", number % 7).into());
    message.user_id = match number % 11 {
        0 => None,
        1 => Some("".into()),
        rest => Some(format!("user-{rest}").into()),
    };
    event.time = Timestamp::from_millis(event.time.as_millis() / 4 * 4 - (number % 3) * 40 * 3_600_000);
    event
}

#[tokio::test]
async fn what_a_batch_groups_is_what_the_definitions_ask_for() {
    let database = Database::migrated("grouped").await;
    for numbers in [0..700, 650..1_400, 3..5] {
        let mut batch = Batch::new();
        for number in numbers {
            batch.append(&odd_message(number));
        }
        database.store.insert(&batch.seal(), now).await.unwrap();
    }
    assert_eq!(drift(&database).await, []);
}

#[tokio::test]
async fn facts_that_another_client_inserts_fill_the_rollups_by_the_definitions() {
    let database = Database::migrated("by_definition").await;
    for definition in definitions() {
        run(&database, definition).await;
    }
    let message = "INSERT INTO messages (org, conversation_id, time, message_id, role, user_id, mentor_id, content, model)
                   VALUES ('org', 1, '2024-01-02 03:04:05.678', 2, 'user', 'ada', 'algebra', 'hello', '')";
    run(&database, message).await;
    assert_eq!(drift(&database).await, []);
    let day = "2024-01-02".parse().unwrap();
    let range = DateRange::new(day, day).unwrap();
    let counts = database.store.usage_summary("org", range, Grain::Day).await;
    assert_eq!(counts.unwrap(), [1]);
}

#[tokio::test]
async fn rollups_agree_with_their_facts_whatever_is_repeated() {
    let database = Database::migrated("agree").await;
    for numbers in [0..900, 300..600, 0..1] {
        database.store.insert(&batch(numbers), now).await.unwrap();
    }
    assert_eq!(drift(&database).await, []);
}

#[tokio::test]
async fn a_row_that_is_gone_is_told_and_comes_back_by_a_rebuild() {
    let database = Database::migrated("gone").await;
    database.store.insert(&batch(0..900), now).await.unwrap();
    for table in rollup_tables() {
        let column = client(&database.settings)
            .query("SELECT name FROM system.columns WHERE database = currentDatabase() AND table = ? AND position = 2")
            .bind(table)
            .fetch_one::<String>()
            .await
            .unwrap();
        // By a literal: a subquery would be run again for each part, and find another row once one part has lost its own.
        let key: String = client(&database.settings)
            .query(&format!(
                "SELECT toString({column}) FROM {table} WHERE org = 'small' ORDER BY {column} LIMIT 1"
            ))
            .fetch_one()
            .await
            .unwrap();
        run(
            &database,
            &format!("DELETE FROM {table} WHERE org = 'small' AND toString({column}) = '{key}'"),
        )
        .await;
        let found = database.store.verify(table).await.unwrap().unwrap();
        assert_eq!(found.table, table);
        assert!(found.missing > 0 && found.unexpected == 0, "{found:?}");
        assert!(found.orgs.iter().eq(["small"]), "{found:?}");
        database.store.rebuild(table).await.unwrap();
        assert_eq!(drift(&database).await, [], "after {table} was rebuilt");
    }
}

#[tokio::test]
async fn a_row_that_no_fact_asks_for_is_told_and_goes_by_a_rebuild() {
    let database = Database::migrated("unasked").await;
    database.store.insert(&batch(0..900), now).await.unwrap();
    run(
        &database,
        "INSERT INTO active_hourly VALUES ('large', '', '2024-01-02 03:00:00', 42)",
    )
    .await;
    run(
        &database,
        "INSERT INTO users SELECT org, user, 1, first_message_at FROM users WHERE org = 'small' LIMIT 1",
    )
    .await;
    assert_eq!(
        drift(&database).await,
        [
            ("active_hourly", 0, 1),
            ("active_daily", 0, 1),
            ("active_weekly", 0, 1),
            ("users", 1, 1),
        ],
        "what is inserted into the hours is added to the days and weeks"
    );
    for table in rollup_tables() {
        database.store.rebuild(table).await.unwrap();
    }
    assert_eq!(drift(&database).await, []);
}

#[tokio::test]
async fn facts_that_were_deleted_leave_the_rollups_by_a_rebuild() {
    let database = Database::migrated("deleted").await;
    database.store.insert(&batch(0..900), now).await.unwrap();
    for fact in ["messages", "annotations", "registrations"] {
        run(&database, &format!("DELETE FROM {fact} WHERE org = 'small'")).await;
    }
    let found = drift(&database).await;
    assert!(
        found.iter().map(|(table, ..)| *table).eq(rollup_tables()),
        "{found:?}"
    );
    for table in rollup_tables() {
        database.store.rebuild(table).await.unwrap();
    }
    assert_eq!(drift(&database).await, []);
}

/// Rebuilds while batches arrive, and compares the rollups with the facts. Returns how many batches arrived.
pub(crate) async fn rebuild_meanwhile(database: &Database, tables: &[&'static str]) -> i64 {
    const PIECE: i64 = 30;
    database.store.insert(&batch(0..PIECE), now).await.unwrap();
    let (stop, mut stopped) = oneshot::channel::<()>();
    let store = database.store.clone();
    let mut inserting = JoinSet::new();
    inserting.spawn(async move {
        let mut inserted = PIECE;
        while stopped.try_recv().is_err() {
            let pieces = [inserted, inserted + PIECE].map(|from| batch(from..from + PIECE));
            let (one, two) = tokio::join!(store.insert(&pieces[0], now), store.insert(&pieces[1], now));
            one.and(two).unwrap();
            inserted += 2 * PIECE;
        }
        inserted
    });
    for table in tables {
        let mut seen = 0;
        let mut rebuilding = pin!(database.store.rebuild(table));
        while let Err(_elapsed) = timeout(Duration::ZERO, &mut rebuilding).await {
            let now = conversations(database).await;
            assert!(
                now >= seen,
                "{now} conversations, of {seen}, while {table} is rebuilt"
            );
            seen = now;
        }
        assert_eq!(
            database.store.verify(table).await.unwrap(),
            None,
            "while events arrive"
        );
    }
    stop.send(()).unwrap();
    let inserted = inserting.join_next().await.unwrap().unwrap();
    assert_eq!(drift(database).await, []);
    inserted / PIECE
}

#[tokio::test]
async fn a_rebuild_is_safe_and_misses_nothing_that_is_inserted_meanwhile() {
    let database = Database::migrated("meanwhile").await;
    let batches = Box::pin(rebuild_meanwhile(&database, &rollup_tables())).await;
    assert!(batches > 30, "only {batches} batches were inserted meanwhile");
}

#[tokio::test]
async fn a_rebuild_leaves_the_schema_as_it_was() {
    let database = Database::migrated("as_it_was").await;
    let before = schema(&database.settings).await;
    for table in rollup_tables() {
        // What one that was interrupted leaves behind.
        run(&database, &format!("CREATE TABLE {table}_rebuild AS {table}")).await;
        database.store.rebuild(table).await.unwrap();
    }
    assert_eq!(schema(&database.settings).await, before);
}
