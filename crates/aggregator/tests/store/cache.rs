//! Answers from sets in memory: as fresh and as exact as ClickHouse's own.

use std::time::Duration;

use aggregator::{
    Settings, Store,
    cache::{CACHE_BYTES, CACHE_ROWS_TOTAL},
};
use events::{DateRange, Grain, NewUsersBy};
use futures::future::join_all;
use oracle::Oracle;
use tokio::time::timeout;

use crate::harness::{Database, insert, message, recorder, registration, run, value};

fn range(start: &str, end: &str) -> DateRange {
    DateRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
}

/// Inserts messages of these numbers, and registrations.
async fn insert_numbers(
    store: &Store,
    oracle: &mut Oracle,
    org: &str,
    numbers: impl IntoIterator<Item = i64>,
) {
    let events = numbers
        .into_iter()
        .flat_map(|number| [message(org, number / 3, number), registration(org, number / 2)]);
    insert(store, &mut [oracle], events).await;
}

/// Asks every kind of question about a range, and compares the answers with the oracle's.
async fn compare(store: &Store, oracle: &Oracle, org: &str, range: DateRange) {
    for grain in [Grain::Hour, Grain::Day, Grain::Week, Grain::Month] {
        assert_eq!(
            store.usage_summary(org, range, grain).await.unwrap(),
            oracle.usage_summary(org, range, grain),
            "{range:?} by {grain:?}"
        );
        for mentor in [None, Some("mentor-1"), Some("nobody")] {
            for by in [NewUsersBy::Registration, NewUsersBy::Activity] {
                assert_eq!(
                    store.cohorts(org, range, grain, mentor, by).await.unwrap(),
                    oracle.cohorts(org, range, grain, mentor, by),
                    "{range:?} by {grain:?}, {mentor:?}, {by:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_question_reads_what_is_new_and_is_answered_as_clickhouse_would() {
    let (recorder, handle) = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let database = Database::migrated("cached").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    let all = range("2024-01-01", "2024-03-31");
    insert_numbers(store, &mut oracle, "org", 0..1_500).await;
    compare(store, &oracle, "org", all).await;
    let rows = value(&handle, CACHE_ROWS_TOTAL);
    assert!(rows > 1_000, "{rows} rows read");
    assert!(value(&handle, CACHE_BYTES) > 1_000);
    compare(store, &oracle, "org", all).await;
    compare(store, &oracle, "org", range("2024-01-10", "2024-02-09")).await;
    assert_eq!(value(&handle, CACHE_ROWS_TOTAL), rows, "nothing is new");

    run(&database, "SYSTEM STOP MERGES cached.active_daily").await;
    run(&database, "SYSTEM STOP MERGES cached.active_hourly").await;
    run(&database, "SYSTEM STOP MERGES cached.users").await;
    insert_numbers(store, &mut oracle, "org", [700, 1_501]).await;
    compare(store, &oracle, "org", all).await;
    let added = value(&handle, CACHE_ROWS_TOTAL) - rows;
    assert!((1..100).contains(&added), "{added} rows read");
}

#[tokio::test]
async fn what_is_inserted_and_merged_between_two_questions_is_seen() {
    let (recorder, handle) = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let database = Database::migrated("cached_merges").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    let ranges = [
        range("2024-01-10", "2024-01-20"),
        range("2024-01-01", "2024-02-11"),
        range("2024-01-31", "2024-03-10"),
        range("1960-01-01", "2024-01-01"),
    ];
    for step in 0..24_i64 {
        // Late ones and repeated ones among them, and those of another organisation in the same parts.
        insert_numbers(store, &mut oracle, "org", (0..step).map(|n| step * 61 - n * n)).await;
        let mut ignored = Oracle::default();
        insert_numbers(store, &mut ignored, "other", (0..3).map(|n| step * 7 + n)).await;
        if step % 3 == 1 {
            for table in ["active_hourly", "active_daily", "users"] {
                run(&database, &format!("OPTIMIZE TABLE {table} FINAL")).await;
            }
        }
        if step % 4 != 2 {
            let range = ranges[usize::try_from(step).unwrap() % ranges.len()];
            let range = match range.period_count(Grain::Hour) {
                // As many hours as that are no question.
                10_000.. => range_of_days(range),
                _ => range,
            };
            compare(store, &oracle, "org", range).await;
        }
    }
    assert!(value(&handle, CACHE_ROWS_TOTAL) > 1_000, "ClickHouse has counted");
}

#[tokio::test]
async fn many_questions_at_once_are_each_as_fresh_as_if_they_were_alone() {
    let database = Database::migrated("cached_crowd").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    let all = range("2024-01-01", "2024-01-31");
    for step in 0..10 {
        insert_numbers(store, &mut oracle, "org", step * 50..step * 60 + 20).await;
        let asked = (0..16).map(async |asker| match asker % 4 {
            // Who stops waiting leaves nothing wrong behind.
            0 => drop(timeout(Duration::from_millis(asker), compare(store, &oracle, "org", all)).await),
            _ => compare(store, &oracle, "org", all).await,
        });
        join_all(asked).await;
    }
}

/// The last days of a range.
fn range_of_days(range: DateRange) -> DateRange {
    DateRange::new(range.end() - 300, range.end()).unwrap()
}

#[tokio::test]
async fn a_row_that_is_taken_away_is_missed_and_a_rebuild_brings_it_back() {
    let database = Database::migrated("cached_taken").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    let all = range("2024-01-01", "2024-03-31");
    insert_numbers(store, &mut oracle, "org", 0..900).await;
    compare(store, &oracle, "org", all).await;
    let expected = store.usage_summary("org", all, Grain::Day).await.unwrap();

    let delete =
        "ALTER TABLE active_daily DELETE WHERE period = '2024-01-05 00:00:00' SETTINGS mutations_sync = 1";
    run(&database, delete).await;
    let mut without = expected.clone();
    without[4] = 0;
    assert_ne!(without, expected);
    assert_eq!(
        store.usage_summary("org", all, Grain::Day).await.unwrap(),
        without
    );

    store.rebuild("active_daily").await.unwrap();
    compare(store, &oracle, "org", all).await;
    run(&database, "TRUNCATE TABLE active_daily").await;
    let mut ignored = Oracle::default();
    insert_numbers(store, &mut ignored, "other", [1]).await;
    assert_eq!(
        store.usage_summary("org", all, Grain::Day).await.unwrap(),
        vec![0; expected.len()]
    );
}

#[tokio::test]
async fn what_does_not_fit_is_counted_by_clickhouse() {
    let (recorder, handle) = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let database = Database::migrated("cached_little").await;
    let mut oracles: Vec<_> = (0..3).map(|_| Oracle::default()).collect();
    let all = range("2024-01-01", "2024-03-31");
    for (number, oracle) in oracles.iter_mut().enumerate() {
        insert_numbers(&database.store, oracle, &format!("org-{number}"), 0..1_500).await;
    }
    let rows = || value(&handle, CACHE_ROWS_TOTAL);
    let with = |cache_bytes| {
        Store::new(&Settings {
            cache_bytes,
            ..database.settings.clone()
        })
    };

    let nothing = with(0);
    compare(&nothing, &oracles[0], "org-0", all).await;
    assert_eq!(rows(), 0);

    // Days fit and hours do not, which is found out once.
    let little = with(50_000);
    let mut read = Vec::new();
    for grain in [Grain::Hour, Grain::Hour, Grain::Day, Grain::Day] {
        let before = rows();
        let counts = little.usage_summary("org-0", all, grain).await.unwrap();
        assert_eq!(counts, oracles[0].usage_summary("org-0", all, grain));
        assert!(value(&handle, CACHE_BYTES) <= 50_000);
        read.push(rows() - before);
    }
    assert!(read[0] > 0 && read[1] == 0, "hours were read again: {read:?}");
    assert!(read[2] > 0 && read[3] == 0, "days were not held: {read:?}");

    // All that is asked about one organisation fits, and not all about three.
    let some = with(250_000);
    for round in 0..2 {
        for (number, oracle) in oracles.iter().enumerate() {
            let before = rows();
            compare(&some, oracle, &format!("org-{number}"), all).await;
            assert!(value(&handle, CACHE_BYTES) <= 250_000);
            assert!(rows() > before, "round {round}: nothing was forgotten");
            let before = rows();
            compare(&some, oracle, &format!("org-{number}"), all).await;
            assert_eq!(rows(), before, "round {round}: one was not held");
        }
    }
}
