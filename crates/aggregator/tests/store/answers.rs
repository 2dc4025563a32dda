use aggregator::{Batch, rollup_tables};
use events::{Body, DateRange, Day, Grain, NewUsersBy, Timestamp, TranscriptFilter};
use futures::TryStreamExt;
use oracle::Oracle;
use uuid::Uuid;

use crate::harness::{Database, annotation, client, message, now, page, registration, run};

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn range(start: &str, end: &str) -> DateRange {
    DateRange::new(day(start), day(end)).unwrap()
}

#[tokio::test]
async fn redelivery_cannot_inflate_rollups() {
    let database = Database::migrated("repeated").await;
    let store = &database.store;
    let mut oracle = Oracle::default();
    let mut batch = Batch::new();
    for number in 0..1_500 {
        for event in [
            message("org", number / 3, number),
            annotation("org", number / 3, number),
        ] {
            batch.append(&event);
            oracle.add(&event);
        }
        let event = registration("org", number);
        batch.append(&event);
        oracle.add(&event);
    }
    let batch = batch.seal();
    let all = range("2024-01-01", "2024-12-31");
    for _ in 0..3 {
        store.insert(&batch, now).await.unwrap();
        for grain in [Grain::Day, Grain::Week, Grain::Month] {
            assert_eq!(
                store.usage_summary("org", all, grain).await.unwrap(),
                oracle.usage_summary("org", all, grain)
            );
            for by in [NewUsersBy::Registration, NewUsersBy::Activity] {
                assert_eq!(
                    store.cohorts("org", all, grain, None, by).await.unwrap(),
                    oracle.cohorts("org", all, grain, None, by)
                );
            }
        }
        let filter = TranscriptFilter::default();
        let streamed: Vec<_> = store.transcripts("org", &filter).try_concat().await.unwrap();
        assert_eq!(streamed, oracle.transcripts("org", &filter));
    }
}

#[tokio::test]
async fn a_message_that_an_older_program_stored_too_changes_no_answer() {
    let database = Database::migrated("two_digests").await;
    let (mut batch, mut oracle) = (Batch::new(), Oracle::default());
    for number in 0..300 {
        let event = message("org", number / 3, number);
        batch.append(&event);
        oracle.add(&event);
    }
    database.store.insert(&batch.seal(), now).await.unwrap();
    let columns = "org, conversation_id, time, message_id, role, user_id, mentor_id, content, model";
    // It leaves the digest to ClickHouse, which makes another one.
    for _ in 0..2 {
        let again = format!("INSERT INTO messages ({columns}) SELECT {columns} FROM messages");
        run(&database, &again).await;
    }
    run(&database, "OPTIMIZE TABLE messages FINAL").await;
    let stored: u64 = client(&database.settings)
        .query("SELECT count() FROM messages")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(stored, 600);
    let filter = TranscriptFilter::default();
    let streamed: Vec<_> = database
        .store
        .transcripts("org", &filter)
        .try_concat()
        .await
        .unwrap();
    assert_eq!(streamed, oracle.transcripts("org", &filter));
    for table in rollup_tables() {
        assert!(database.store.verify(table).await.unwrap().is_none(), "{table}");
    }
}

#[tokio::test]
async fn a_list_is_streamed_however_many_there_are() {
    let database = Database::migrated("long_list").await;
    let (mut batch, mut oracle) = (Batch::new(), Oracle::default());
    for number in 1..=5_000 {
        let mut event = message("org", number, number);
        if let Body::Message(message) = &mut event.body {
            // It has as many digits as any.
            message.conversation_id = Uuid::from_u128(u128::MAX - u128::from(number.unsigned_abs()));
        }
        batch.append(&event);
        oracle.add(&event);
    }
    database.store.insert(&batch.seal(), now).await.unwrap();
    let filter = TranscriptFilter::default();
    let streamed: Vec<_> = database
        .store
        .transcripts("org", &filter)
        .try_concat()
        .await
        .unwrap();
    assert_eq!(streamed.len(), 5_000);
    assert_eq!(streamed, oracle.transcripts("org", &filter));
}

#[tokio::test]
async fn a_user_whose_rows_lie_in_several_parts_is_counted_once() {
    let database = Database::migrated("several_parts").await;
    let (store, client) = (&database.store, client(&database.settings));
    for table in ["active_hourly", "active_daily", "active_weekly"] {
        let stop = format!("SYSTEM STOP MERGES several_parts.{table}");
        client.query(&stop).execute().await.unwrap();
    }
    let mut oracle = Oracle::default();
    // The later two repeat what the first said, in part.
    for numbers in [0..900, 800..1_500, 300..310] {
        let mut batch = Batch::new();
        for event in
            numbers.flat_map(|number| [message("org", number / 3, number), registration("org", number)])
        {
            batch.append(&event);
            oracle.add(&event);
        }
        store.insert(&batch.seal(), now).await.unwrap();
    }
    for range in [
        range("2024-01-01", "2024-03-31"),
        range("2024-01-10", "2024-02-09"),
    ] {
        for grain in [Grain::Hour, Grain::Day, Grain::Week, Grain::Month] {
            assert_eq!(
                store.usage_summary("org", range, grain).await.unwrap(),
                oracle.usage_summary("org", range, grain),
                "{range:?} by {grain:?}"
            );
            for (mentor, by) in [
                (None, NewUsersBy::Activity),
                (Some("mentor-1"), NewUsersBy::Activity),
                (Some("mentor-1"), NewUsersBy::Registration),
            ] {
                assert_eq!(
                    store.cohorts("org", range, grain, mentor, by).await.unwrap(),
                    oracle.cohorts("org", range, grain, mentor, by),
                    "{range:?} by {grain:?}, {mentor:?}, {by:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_conversation_whose_rows_lie_in_several_parts_is_listed_once_from_its_true_beginning() {
    let database = Database::migrated("conversations_in_parts").await;
    let store = &database.store;
    run(
        &database,
        "SYSTEM STOP MERGES conversations_in_parts.conversation_beginnings",
    )
    .await;
    let mut oracle = Oracle::default();
    // By the second some began days earlier than by the first, and the third repeats.
    for numbers in [400..1_500, 0..60, 700..710] {
        let mut batch = Batch::new();
        for event in numbers.map(|number| message("org", number * 7 % 150, number)) {
            batch.append(&event);
            oracle.add(&event);
        }
        store.insert(&batch.seal(), now).await.unwrap();
        for (start, end) in [
            (None, None),
            (None, Some("2024-01-03")),
            (Some("2024-01-02"), Some("2024-01-18")),
            (Some("2024-01-04"), None),
        ] {
            let filter = TranscriptFilter {
                start: start.map(day),
                end: end.map(day),
                ..TranscriptFilter::default()
            };
            let all = oracle.transcripts("org", &filter);
            for offset in [0, 30] {
                let (total, shown) = page(store, &filter, offset, 20).await;
                assert_eq!(total, u64::try_from(all.len()).unwrap(), "{filter:?}");
                let skipped = usize::try_from(offset).unwrap();
                let listed: Vec<_> = all.iter().skip(skipped).take(20).cloned().collect();
                assert_eq!(shown, listed, "{filter:?} from {offset}");
            }
        }
    }
}

#[tokio::test]
async fn week_boundaries_are_correct() {
    let database = Database::migrated("weeks").await;
    let store = &database.store;
    let mut batch = Batch::new();
    // 2024-01-07 is a Sunday: its last millisecond, and the first of the Monday after it.
    for (number, time) in [(1, "2024-01-07T23:59:59.999Z"), (2, "2024-01-08T00:00:00Z")] {
        let mut event = message("org", 1, number * 3);
        event.time = Timestamp::parse_rfc3339(time).unwrap();
        batch.append(&event);
    }
    store.insert(&batch.seal(), now).await.unwrap();
    for (start, end, expected) in [
        ("2024-01-01", "2024-01-14", vec![1, 1]),
        ("2024-01-02", "2024-01-07", vec![1]),
        ("2024-01-07", "2024-01-08", vec![1, 1]),
        ("2024-01-08", "2024-01-14", vec![1]),
        ("2024-01-09", "2024-01-20", vec![0, 0]),
    ] {
        let counts = store.usage_summary("org", range(start, end), Grain::Week).await;
        assert_eq!(counts.unwrap(), expected, "{start} to {end}");
    }
}

#[tokio::test]
async fn ranges_at_the_ends_of_the_calendar_are_answered() {
    let database = Database::migrated("calendar").await;
    let store = &database.store;
    let mut batch = Batch::new();
    batch.append(&message("org", 1, 1));
    store.insert(&batch.seal(), now).await.unwrap();
    for range in [
        range("0001-01-01", "0001-01-31"),
        range("1969-12-30", "1970-01-02"),
        range("2106-02-01", "2106-02-10"),
        range("2149-06-01", "2149-06-10"),
        range("9999-12-01", "9999-12-31"),
    ] {
        for grain in [Grain::Hour, Grain::Day, Grain::Week, Grain::Month] {
            let counts = store.usage_summary("org", range, grain).await.unwrap();
            assert_eq!(
                counts,
                vec![0; usize::try_from(range.period_count(grain)).unwrap()],
                "{range:?}"
            );
            let by = NewUsersBy::Registration;
            let cohorts = store
                .cohorts("org", range, grain, Some("mentor"), by)
                .await
                .unwrap();
            assert!(cohorts.iter().all(|count| count.new_users == 0), "{range:?}");
        }
        let filter = TranscriptFilter {
            start: Some(range.start()),
            end: Some(range.end()),
            ..TranscriptFilter::default()
        };
        assert_eq!(
            store.transcripts_page("org", &filter, 0, 10).await.unwrap().total,
            0,
            "{range:?}"
        );
    }
}

#[tokio::test]
async fn an_organisation_exists_once_any_event_of_it_arrived() {
    let database = Database::migrated("orgs").await;
    let store = &database.store;
    for (org, event) in [
        ("said", message("said", 1, 1)),
        ("noted", annotation("noted", 1, 1)),
        ("signed-up", registration("signed-up", 1)),
    ] {
        assert!(!store.org_exists(org).await.unwrap());
        let mut batch = Batch::new();
        batch.append(&event);
        store.insert(&batch.seal(), now).await.unwrap();
        assert!(store.org_exists(org).await.unwrap(), "{org}");
    }
}
