//! What is stored, and how fast that has grown.

use std::collections::BTreeMap;

use aggregator::{ActiveDays, Growth, Size, Store, TableKind};
use events::Timestamp;
use testbed::TestCluster;

use crate::harness::{Database, client, insert, message, registration};

const DAY: i64 = 24;

/// Noon of a day, counted from the first of the year of the messages.
fn noon(day: i64) -> Timestamp {
    Timestamp::from_millis(1_704_067_200_000 + (day * DAY + 12) * 3_600_000)
}

/// Has conversations with a message each on so many days, as many on a day as its number says.
async fn fill(store: &Store, days: i64) {
    for day in 0..days {
        // Two batches of a day tell of the same conversations.
        for batch in 0..2 {
            let messages = (0..=day)
                .map(|conversation| message("org", conversation, day * DAY + 2 * conversation + batch));
            insert(store, &mut [], messages).await;
        }
    }
}

#[tokio::test]
async fn growth_is_what_the_last_seven_days_that_have_ended_have_of_all() {
    let database = Database::migrated("growth").await;
    let store = &database.store;
    assert_eq!(store.growth(noon(0)).await.unwrap().history_days, 0);
    fill(store, 12).await;
    // What is there twice counts twice, until it is merged.
    let client = client(&database.settings);
    let merge = client.query("OPTIMIZE TABLE conversations_by_day FINAL");
    merge.execute().await.unwrap();
    let all: u64 = (1..=12).sum();
    for (today, recent) in [(11, (5..=11).sum()), (12, (6..=12).sum()), (18, 12), (19, 0)] {
        let growth = store.growth(noon(today)).await.unwrap();
        let expected = Growth {
            history_days: u64::try_from(today).unwrap(),
            shards: BTreeMap::from([(1, ActiveDays { ever: all, recent })]),
        };
        assert_eq!(growth, expected, "day {today}");
        assert_eq!(growth.bytes_per_day(1, 7 * all * 1_000), Some(recent * 1_000));
    }
    let young = store.growth(noon(6)).await.unwrap();
    assert_eq!((young.history_days, young.bytes_per_day(1, 1_000)), (6, None));
}

#[tokio::test]
async fn every_table_has_the_rows_that_were_inserted_and_a_place_on_a_disk() {
    let database = Database::migrated("sizes").await;
    let store = &database.store;
    let events = (0..90).map(|number| message("org", number % 9, number));
    insert(
        store,
        &mut [],
        events.chain((0..20).map(|number| registration("org", number))),
    )
    .await;
    let sizes = store.table_sizes().await.unwrap();
    let total = |name: &str| sizes.iter().find(|table| table.name == name).unwrap().total();
    for (table, rows) in [
        ("messages", 90),
        ("registrations", 20),
        ("annotations", 0),
        ("conversation_beginnings", 9),
    ] {
        let Size {
            rows: found,
            bytes,
            parts,
        } = total(table);
        assert_eq!(found, rows, "{table}");
        assert_eq!((bytes > 0, parts > 0), (rows > 0, rows > 0), "{table}");
    }
    // A shadow that a rebuild has left is counted, too.
    let create = client(&database.settings);
    let create = create.query("CREATE TABLE users_rebuild ENGINE = MergeTree ORDER BY () AS SELECT 1 AS one");
    create.execute().await.unwrap();
    let sizes = store.table_sizes().await.unwrap();
    let shadow = sizes.iter().find(|table| table.name == "users_rebuild").unwrap();
    assert_eq!((shadow.kind, shadow.total().rows), (TableKind::Other, 1));

    let versions = store.shard_versions().await.unwrap();
    assert!(
        versions[&1].as_deref().unwrap().starts_with("26."),
        "{versions:?}"
    );
    let disk = store.disks().await.unwrap()[&1];
    assert!(disk.free.unwrap() > 0 && disk.free <= disk.total, "{disk:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_grows_shard_by_shard() {
    let cluster = TestCluster::start(3).await;
    let database = Database::on_shards(&cluster, "growth").await;
    let store = &database.store;
    fill(store, 10).await;
    let growth = store.growth(noon(10)).await.unwrap();
    assert_eq!(growth.history_days, 10);
    assert_eq!(growth.shards.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    assert!(growth.shards.values().all(|days| days.recent > 0), "{growth:?}");
    let recent: u64 = growth.shards.values().map(|days| days.recent).sum();
    assert_eq!(recent, (4..=10).sum::<u64>());
    assert_eq!(store.shard_versions().await.unwrap().len(), 3);
    assert_eq!(store.disks().await.unwrap().len(), 3);
}
