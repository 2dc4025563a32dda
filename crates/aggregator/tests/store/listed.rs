//! Pages of conversations from memory: as fresh and as exact as ClickHouse's own.

use std::ops::Range;

use aggregator::{Settings, Store, TranscriptPage, cache::CACHE_ROWS_TOTAL};
use events::TranscriptFilter;
use futures::future::join_all;
use oracle::Oracle;

use crate::harness::{Database, annotation, client, insert, message, recorder, run, value};

const TABLES: [&str; 3] = ["conversations", "messages", "conversation_annotations"];

fn between(start: Option<&str>, end: Option<&str>) -> TranscriptFilter {
    TranscriptFilter {
        start: start.map(|day| day.parse().unwrap()),
        end: end.map(|day| day.parse().unwrap()),
        ..TranscriptFilter::default()
    }
}

async fn page(store: &Store, filter: &TranscriptFilter, offset: u64, limit: u64) -> TranscriptPage {
    store
        .transcripts_page("org", filter, offset, limit)
        .await
        .unwrap()
}

/// Asks for pages of all conversations, of those of the last days and of earlier ones, and compares them with the oracle's.
async fn compare(store: &Store, oracle: &Oracle) {
    for filter in [
        between(None, None),
        between(None, Some("2024-02-03")),
        between(Some("2024-02-01"), None),
        between(Some("2024-01-05"), Some("2024-02-18")),
    ] {
        let all = oracle.transcripts("org", &filter);
        for (offset, limit) in [(0, 25), (25, 50), (990, 20), (1 << 40, 10)] {
            let page = page(store, &filter, offset, limit).await;
            assert_eq!(page.total, u64::try_from(all.len()).unwrap(), "{filter:?}");
            let listed = all.iter().skip(offset.try_into().unwrap());
            let listed: Vec<_> = listed.take(limit.try_into().unwrap()).cloned().collect();
            assert_eq!(page.conversations, listed, "{filter:?} from {offset}");
        }
    }
}

#[tokio::test]
async fn a_page_is_read_once_and_what_is_new_of_it_is_seen() {
    let (recorder, handle) = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let database = Database::migrated("listed").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    for table in TABLES {
        run(&database, &format!("SYSTEM STOP MERGES listed.{table}")).await;
    }
    let all = (0..1_800).map(|number| message("org", number / 3, number));
    insert(store, &mut [&mut oracle], all).await;
    compare(store, &oracle).await;
    let rows = || value(&handle, CACHE_ROWS_TOTAL);
    let before = rows();
    assert!(before > 600, "{before} rows read");
    compare(store, &oracle).await;
    assert_eq!(rows(), before, "nothing is new");

    for (new, event) in [
        (
            "another message of a listed conversation",
            message("org", 595, 1_786),
        ),
        ("a conversation", message("org", 601, 1_801)),
        ("an annotation", annotation("org", 599, 1_799)),
        ("a message that makes one begin earlier", message("org", 598, 700)),
    ] {
        let before = rows();
        insert(store, &mut [&mut oracle], [event]).await;
        compare(store, &oracle).await;
        let added = rows() - before;
        assert!((1..12).contains(&added), "{new}: {added} rows read");
    }
}

#[tokio::test]
async fn what_is_merged_with_what_was_not_seen_is_counted_once() {
    let database = Database::migrated("listed_merges").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    for step in 0..30_i64 {
        // Late ones, repeated ones and more of what was begun, and another organisation in the same parts.
        let said = (0..20 + step * 3).map(|number| {
            let number = (step * 97 + number * number * 5) % 2_200;
            message("org", number * 7 % 900, number)
        });
        let noted = (0..step % 4).map(|number| annotation("org", step * 31 + number, step));
        let others = (0..3).map(|number| message("other", step, step * 7 + number));
        insert(store, &mut [&mut oracle], said.chain(noted).chain(others)).await;
        if step % 3 == 1 {
            for table in TABLES {
                run(&database, &format!("OPTIMIZE TABLE {table} FINAL")).await;
            }
        }
        if step % 5 != 2 {
            compare(store, &oracle).await;
        }
    }
}

#[tokio::test]
async fn many_that_ask_while_the_same_rows_are_inserted_and_merged_are_all_told_the_same() {
    let database = Database::migrated("listed_crowd").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    let events =
        |step: i64| (0..60).map(move |number| message("org", number * 7 % 45, step % 5 * 60 + number));
    for step in 0..5 {
        insert(store, &mut [&mut oracle], events(step)).await;
    }
    let repeats = async {
        for step in 0..40 {
            insert(store, &mut [], events(step)).await;
        }
    };
    let merges = async {
        for _ in 0..150 {
            run(&database, "OPTIMIZE TABLE conversations").await;
        }
    };
    let questions = (0..6).map(async |_| {
        for _ in 0..4 {
            compare(store, &oracle).await;
        }
    });
    futures::join!(repeats, merges, join_all(questions));
}

#[tokio::test]
async fn the_latest_of_many_stay_the_latest_as_newer_ones_come_and_some_turn_out_to_be_older() {
    let database = Database::migrated("listed_many").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    // First many at once, then more than are kept, then all but a few of the latest begin earlier.
    let each = |numbers: Range<i64>| numbers.map(|number| message("org", number, number));
    insert(store, &mut [&mut oracle], each(0..3_000)).await;
    compare(store, &oracle).await;
    for first in [3_000, 4_000, 5_000, 6_000] {
        insert(store, &mut [&mut oracle], each(first..first + 1_000)).await;
        compare(store, &oracle).await;
    }
    for first in [3_000, 4_500] {
        let earlier = (first..first + 1_500).map(|number| message("org", number, number - 3_000));
        insert(store, &mut [&mut oracle], earlier.chain(each(0..10))).await;
        compare(store, &oracle).await;
    }
}

#[tokio::test]
async fn what_was_seen_lately_and_merged_with_what_was_not_is_read_by_itself() {
    let (recorder, handle) = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let database = Database::migrated("listed_lately").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    // Merges leave the first part alone.
    let few = "ALTER TABLE conversations MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 20000";
    run(&database, few).await;
    run(&database, "SYSTEM STOP MERGES listed_lately.messages").await;
    let many = (0..3_000).map(|number| message("org", number, number));
    insert(store, &mut [&mut oracle], many).await;
    compare(store, &oracle).await;
    let mut was_mixed = false;
    for step in 0..12 {
        let before = value(&handle, CACHE_ROWS_TOTAL);
        let new = |number: i64| message("org", 4_000 + number, 3_000 - number);
        insert(store, &mut [&mut oracle], [new(step * 3), new(step * 3 + 1)]).await;
        compare(store, &oracle).await;
        insert(store, &mut [&mut oracle], [new(step * 3 + 2), new(step * 3)]).await;
        run(&database, "OPTIMIZE TABLE conversations").await;
        let parts = parts(&database).await;
        assert!(parts.len() > 1, "{parts:?}");
        was_mixed |= parts.len() == 2;
        compare(store, &oracle).await;
        let added = value(&handle, CACHE_ROWS_TOTAL) - before;
        assert!((1..200).contains(&added), "step {step}: {added} rows read");
    }
    assert!(was_mixed, "what was seen was never merged with what was not");
}

/// The rows of each part of `conversations`.
async fn parts(database: &Database) -> Vec<u64> {
    let rows = "SELECT rows FROM system.parts
        WHERE active AND database = currentDatabase() AND table = 'conversations'";
    client(&database.settings).query(rows).fetch_all().await.unwrap()
}

#[tokio::test]
async fn more_than_is_remembered_is_counted_again() {
    let database = Database::migrated("listed_flood").await;
    let (store, without_memory) = (&database.store, database.without_memory());
    let all = TranscriptFilter::default();
    run(&database, "SYSTEM STOP MERGES listed_flood.conversations").await;
    let each = 11_000;
    for step in 0..6 {
        let numbers = step * each..(step + 1) * each;
        insert(
            store,
            &mut [],
            numbers.map(|number| message("org", number, number)),
        )
        .await;
        let listed = page(store, &all, 0, 3).await;
        assert_eq!(listed.total, u64::try_from((step + 1) * each).unwrap());
        assert_eq!(listed, page(&without_memory, &all, 0, 3).await);
    }
    run(&database, "SYSTEM START MERGES listed_flood.conversations").await;
    // Merged with one that no question has seen.
    insert(store, &mut [], [message("org", 200_000, 1)]).await;
    run(&database, "OPTIMIZE TABLE conversations FINAL").await;
    let listed = page(store, &all, 0, 3).await;
    assert_eq!(listed.total, u64::try_from(6 * each + 1).unwrap());
    assert_eq!(listed, page(&without_memory, &all, 0, 3).await);
}

#[tokio::test]
async fn conversations_that_are_taken_away_are_missed_and_a_rebuild_brings_them_back() {
    let database = Database::migrated("listed_taken").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    let all = between(None, None);
    insert(
        store,
        &mut [&mut oracle],
        (0..300).map(|number| message("org", number / 3, number)),
    )
    .await;
    compare(store, &oracle).await;

    let delete = "ALTER TABLE conversations DELETE WHERE first_day >= 19730 SETTINGS mutations_sync = 1";
    run(&database, delete).await;
    let left = page(store, &all, 0, 10).await;
    let without_memory = database.without_memory();
    assert!((1..100).contains(&left.total), "{} are left", left.total);
    assert_eq!(left.total, page(&without_memory, &all, 0, 10).await.total);
    let latest = left.conversations.first().unwrap().inserted_at.as_millis();
    assert!(latest < 19_730 * 86_400_000, "{latest} is listed");

    store.rebuild("conversations").await.unwrap();
    compare(store, &oracle).await;

    // Facts that are taken away are not shown any more either.
    let delete = "ALTER TABLE messages DELETE WHERE role = 'assistant' SETTINGS mutations_sync = 1";
    run(&database, delete).await;
    let listed = page(store, &all, 0, 10).await;
    assert_eq!(listed, page(&database.without_memory(), &all, 0, 10).await);
    assert!(
        listed
            .conversations
            .iter()
            .all(|listed| listed.message_count <= 2)
    );
}

#[tokio::test]
async fn conversations_that_do_not_fit_are_listed_by_clickhouse() {
    let database = Database::migrated("listed_little").await;
    let mut oracle = Oracle::default();
    let events = (0..2_500).map(|number| message("org", number, number));
    insert(&database.store, &mut [&mut oracle], events).await;
    for cache_bytes in [1, 50_000, 220_000, 400_000] {
        let store = Store::new(&Settings {
            cache_bytes,
            ..database.settings.clone()
        });
        for _ in 0..2 {
            compare(&store, &oracle).await;
            // Another organisation takes the room.
            let all = between(None, None);
            let others = store.transcripts_page("other", &all, 0, 1).await.unwrap();
            assert_eq!(others.total, 0);
        }
    }
}

#[tokio::test]
async fn the_latest_are_found_where_each_lies_in_many_parts() {
    let database = Database::migrated("listed_parts").await;
    run(&database, "SYSTEM STOP MERGES listed_parts.conversations").await;
    let mut oracle = Oracle::default();
    for step in 0..12_i64 {
        // Fewer than are held, which continue in the order of time.
        let said = (0..1_900).map(|number| message("org", number, number + step * 2_000));
        insert(&database.store, &mut [&mut oracle], said).await;
    }
    compare(&Store::new(&database.settings), &oracle).await;
    for step in 0..12_i64 {
        // More, some of which turn out to have begun earlier by a part that comes later.
        let said = (0..2_400).map(|number| message("org", number, number + 40 - step * (number % 3)));
        insert(&database.store, &mut [&mut oracle], said).await;
    }
    compare(&Store::new(&database.settings), &oracle).await;
}

/// A number of conversations that is counted in four stretches.
const MANY: u64 = 2_400_000;

/// Puts rows of conversations into the rollup by itself: those of these numbers, which began on a day that depends on `part`.
async fn begin(database: &Database, numbers: Range<u64>, part: u64) {
    let rows = numbers.end - numbers.start;
    let statement = format!(
        "INSERT INTO conversations (org, conversation_id, first, least_mentor, greatest_mentor)
        SELECT
            'org',
            reinterpretAsUInt128(sipHash128(number)),
            bitShiftLeft(toUInt256((19723 + number * ({part} + 3) % 50) * 86400000), 128),
            'mentor',
            'mentor'
        FROM numbers({}, {rows})",
        numbers.start
    );
    run(database, &statement).await;
}

#[tokio::test]
async fn many_are_counted_in_stretches_while_others_are_inserted_and_merged() {
    let (recorder, handle) = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let database = Database::migrated("listed_stretches").await;
    // Merges leave the first parts alone, as they do where those are large.
    let few = "ALTER TABLE conversations MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1000000";
    run(&database, few).await;
    insert(&database.store, &mut [], [message("org", 1, 1)]).await;
    // Half of those of a part are in the next too, by which they began on another day.
    for part in 0..3 {
        let first = part * MANY / 4;
        begin(&database, first..first + MANY / 2, part).await;
    }
    let ranges = [
        between(None, None),
        between(Some("2024-01-11"), Some("2024-01-30")),
        between(None, Some("2024-01-02")),
    ];
    let totals = async |store: &Store| {
        let mut totals = [0; 3];
        for (total, range) in totals.iter_mut().zip(&ranges) {
            *total = page(store, range, 0, 1).await.total;
        }
        totals
    };
    let without_memory = database.without_memory();
    let before = totals(&without_memory).await;
    assert_eq!(before[0], MANY + 1);
    assert!(before[1] > before[2] && before[2] > 0, "{before:?}");

    let inserts = async {
        for step in 0..60 {
            // Some that are there, by which a third began earlier, and some new ones.
            let part = step % 3;
            let first = part * MANY / 4 + step * 1_000;
            begin(&database, first..first + 50, part + step % 2).await;
            begin(&database, MANY + step * 50..MANY + step * 50 + 30, part).await;
        }
    };
    let merges = async {
        for _ in 0..60 {
            run(&database, "OPTIMIZE TABLE conversations").await;
        }
    };
    let stores: Vec<_> = (0..3).map(|_| Store::new(&database.settings)).collect();
    let questions = async {
        for store in &stores {
            let all = totals(store).await[0];
            assert!((before[0]..=before[0] + 60 * 30).contains(&all), "{all}");
        }
    };
    futures::join!(inserts, merges, questions);

    let after = totals(&without_memory).await;
    assert_eq!(after[0], before[0] + 60 * 30);
    assert_ne!(after[1], before[1]);
    for store in &stores {
        assert_eq!(totals(store).await, after);
    }
    run(&database, "SYSTEM STOP MERGES listed_stretches.conversations").await;
    for store in &stores {
        assert_eq!(totals(store).await, after);
        begin(&database, 0..1, 0).await;
        let rows = value(&handle, CACHE_ROWS_TOTAL);
        assert_eq!(totals(store).await, after);
        let read = value(&handle, CACHE_ROWS_TOTAL) - rows;
        assert!((1..100).contains(&read), "{read} rows read");
    }
}
