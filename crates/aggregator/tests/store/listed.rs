//! Lists of conversations, by every filter: as the oracle has them.

use aggregator::Store;
use events::{Body, Day, Event, Timestamp, TranscriptFilter};
use futures::{TryStreamExt, future::join_all};
use oracle::Oracle;
use uuid::Uuid;

use crate::harness::{Database, annotation, insert, message, page, run};

fn between(start: Option<&str>, end: Option<&str>) -> TranscriptFilter {
    TranscriptFilter {
        start: start.map(|day| day.parse().unwrap()),
        end: end.map(|day| day.parse().unwrap()),
        ..TranscriptFilter::default()
    }
}

/// Filters by time, by mentor, by topics and by all of them.
pub(crate) fn filters() -> Vec<TranscriptFilter> {
    let mut filters = Vec::new();
    for (start, end) in [
        (None, None),
        (None, Some("2024-02-03")),
        (Some("2024-01-05"), Some("2024-02-18")),
    ] {
        for mentor in [None, Some("mentor-1"), Some("mentor-3")] {
            for topics in [&[][..], &["topic 2"], &["topic 1", "topic 5", "none"]] {
                filters.push(TranscriptFilter {
                    mentor: mentor.map(str::to_owned),
                    topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
                    ..between(start, end)
                });
            }
        }
    }
    filters
}

/// Asks for pages by these filters and compares them with the oracle's.
async fn compare(store: &Store, oracle: &Oracle, filters: &[TranscriptFilter]) {
    for filter in filters {
        let all = oracle.transcripts("org", filter);
        for (offset, limit) in [(0, 25), (25, 50), (190, 20), (1 << 40, 10)] {
            let (total, shown) = page(store, filter, offset, limit).await;
            assert_eq!(total, u64::try_from(all.len()).unwrap(), "{filter:?}");
            let listed = all.iter().skip(offset.try_into().unwrap());
            let listed: Vec<_> = listed.take(limit.try_into().unwrap()).cloned().collect();
            assert_eq!(shown, listed, "{filter:?} from {offset}");
        }
        let streamed: Vec<_> = store.transcripts("org", filter).try_concat().await.unwrap();
        assert_eq!(streamed, all, "{filter:?}");
    }
}

#[tokio::test]
async fn every_filter_lists_what_the_oracle_lists_however_rows_are_repeated_late_and_merged() {
    let database = Database::migrated("listed").await;
    fill_and_compare(&database, 20, &filters()).await;
}

/// Inserts in so many steps, and compares every fifth time what is listed by these filters.
pub(crate) async fn fill_and_compare(database: &Database, steps: i64, filters: &[TranscriptFilter]) {
    let (store, mut oracle) = (&database.store, Oracle::default());
    for step in 0..steps {
        // Late ones, repeated ones and more of what was begun, and another organisation in the same parts.
        let said = (0..40 + step * 3).map(|number| {
            let number = (step * 97 + number * number * 5) % 2_200;
            message("org", number * 7 % 900, number)
        });
        let noted = (0..step % 4 * 9).map(|number| annotation("org", step * 31 + number, step + number));
        let others = (0..3).map(|number| message("other", step, step * 7 + number));
        insert(store, &mut [&mut oracle], said.chain(noted).chain(others)).await;
        if step % 7 == 3 {
            for table in ["conversation_beginnings", "conversations_by_day", "messages"] {
                run(database, &format!("OPTIMIZE TABLE {table} FINAL")).await;
            }
        }
        if step % 5 == 4 {
            compare(store, &oracle, filters).await;
        }
    }
}

/// A record of the first message of a conversation, which has others besides.
fn record(conversation: i64, mentor: Option<&str>, content: &str) -> Event<'static> {
    let mut event = message("org", conversation, 3_000 + conversation);
    if let Body::Message(message) = &mut event.body {
        message.mentor_id = mentor.map(|mentor| mentor.to_owned().into());
        message.content = content.to_owned().into();
    }
    event
}

#[tokio::test]
async fn of_several_records_of_the_first_message_the_least_content_has_the_mentor() {
    let database = Database::migrated("listed_ties").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    run(
        &database,
        "SYSTEM STOP MERGES listed_ties.conversation_beginnings",
    )
    .await;
    for conversation in 0..60 {
        let (one, other) = if conversation % 2 == 0 {
            ("b", "a")
        } else {
            ("a", "b")
        };
        let records = [
            record(conversation, Some("mentor-1"), one),
            record(conversation, Some("mentor-3"), other),
            record(conversation, None, "c"),
        ];
        // Together and one by one.
        if conversation % 3 == 0 {
            insert(store, &mut [&mut oracle], records).await;
        } else {
            for record in records {
                insert(store, &mut [&mut oracle], [record]).await;
            }
        }
    }
    compare(store, &oracle, &filters()).await;
    let with_mentor = |mentor: &str| TranscriptFilter {
        mentor: Some(mentor.to_owned()),
        ..TranscriptFilter::default()
    };
    for mentor in ["mentor-1", "mentor-3"] {
        assert_eq!(page(store, &with_mentor(mentor), 0, 10).await.0, 30);
    }
}

#[tokio::test]
async fn a_mentor_who_never_begins_a_conversation_has_none() {
    let database = Database::migrated("listed_never").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    let said = (0..3_500).flat_map(|conversation| {
        [0, 1, 30].map(|later| {
            let mut event = record(
                conversation,
                Some(if later == 0 { "greeter" } else { "mentor-1" }),
                "text",
            );
            event.time = Timestamp::from_millis(event.time.as_millis() + later * 3_600_000);
            if let Body::Message(message) = &mut event.body {
                message.message_id = Uuid::from_u128(u128::try_from(conversation * 100 + later).unwrap());
            }
            event
        })
    });
    insert(store, &mut [&mut oracle], said).await;
    let filter = TranscriptFilter {
        mentor: Some("mentor-1".to_owned()),
        ..TranscriptFilter::default()
    };
    compare(store, &oracle, &[filter, between(None, None)]).await;
}

#[tokio::test]
async fn conversations_that_go_on_for_days_are_listed_where_they_began() {
    const CONVERSATIONS: i64 = 2_500;
    /// 2024-02-01T00:00:00Z
    const BEGIN: i64 = 1_706_745_600_000;
    let database = Database::migrated("listed_long").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    // Most begin on the first day, and a few on each of the others.
    for day in 0..6 {
        let said = (0..CONVERSATIONS + day * 10).map(|conversation| {
            let mentor = ["mentor-1", "mentor-2"][usize::from((conversation + day) % 3 == 0)];
            let mut event = record(conversation, Some(mentor), "text");
            event.time = Timestamp::from_millis(BEGIN + conversation * 10_000 + day * Day::MILLIS);
            if let Body::Message(message) = &mut event.body {
                message.message_id = Uuid::from_u128(u128::try_from(conversation * 100 + day).unwrap());
            }
            event
        });
        let noted = (0..60).map(|number| annotation("org", number * 41 + day, number + day));
        insert(store, &mut [&mut oracle], said.chain(noted)).await;
    }
    compare(store, &oracle, &filters()).await;
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
        for _ in 0..100 {
            run(&database, "OPTIMIZE TABLE conversation_beginnings").await;
            run(&database, "OPTIMIZE TABLE conversations_by_day").await;
        }
    };
    let filters = filters();
    let questions = (0..3).map(async |_| {
        compare(store, &oracle, &filters[..9]).await;
    });
    futures::join!(repeats, merges, join_all(questions));
}

#[tokio::test]
async fn a_topic_that_many_have_is_found_among_the_latest_days() {
    let database = Database::migrated("listed_topics").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    // Annotated twice: what many were given first, few still have.
    for (step, topics) in [
        (0, &["Common", "Given"][..]),
        (1, &["common", "Kept"]),
        (2, &["Rare"]),
    ] {
        let events = (0..21_000)
            .filter(|number| step < 2 || number % 50 == 0)
            .flat_map(|number| {
                let mut annotation = annotation("org", number, 10_000 + step);
                if let Body::Annotation(annotation) = &mut annotation.body {
                    annotation.topics = topics.iter().map(|topic| (*topic).into()).collect();
                }
                [message("org", number, number / 8), annotation]
            });
        insert(store, &mut [&mut oracle], events).await;
    }
    for (topic, total) in [("common", 20_580), ("given", 0), ("rare", 420)] {
        let filter = TranscriptFilter {
            topics: vec![topic.to_owned()],
            ..TranscriptFilter::default()
        };
        let all = oracle.transcripts("org", &filter);
        assert_eq!(all.len(), total);
        for (offset, limit) in [(0, 25), (400, 30)] {
            let page = page(store, &filter, offset, limit).await;
            assert_eq!(page.0, u64::try_from(total).unwrap(), "{topic}");
            let listed = all.iter().skip(offset.try_into().unwrap());
            let listed: Vec<_> = listed.take(limit.try_into().unwrap()).cloned().collect();
            assert_eq!(page.1, listed, "{topic} from {offset}");
        }
    }
}

#[tokio::test]
async fn a_list_comes_in_chunks_of_few_bytes_whatever_its_texts_are() {
    const TEXT: usize = 700 << 10;
    let database = Database::migrated("listed_bytes").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    for first in [0, 15] {
        let events = (first..first + 15).map(|number| record(number, None, &"x".repeat(TEXT)));
        insert(store, &mut [&mut oracle], events).await;
    }
    let filter = TranscriptFilter::default();
    let mut listed = Vec::new();
    let mut chunks = store.transcripts("org", &filter);
    while let Some(chunk) = chunks.try_next().await.unwrap() {
        let bytes: usize = chunk
            .iter()
            .map(|conversation| conversation.first_message.len())
            .sum();
        assert!(bytes <= 4 << 20, "{bytes} bytes in a chunk");
        listed.extend(chunk);
    }
    let all = oracle.transcripts("org", &filter);
    assert_eq!(listed, all);
    let mut page = store.transcripts_page("org", &filter, 3, 20).await.unwrap();
    let mut chunks = vec![std::mem::take(&mut page.first)];
    chunks.extend(page.rest.unwrap().try_collect::<Vec<_>>().await.unwrap());
    assert!(
        chunks.iter().all(|chunk| chunk.len() <= 5),
        "{} chunks",
        chunks.len()
    );
    assert_eq!(chunks.concat(), all[3..23]);
}
