//! The records of messages, page by page.

use std::collections::BTreeSet;

use events::{Body, Event, MessageFilter, MessageRecord};
use futures::TryStreamExt;
use testbed::TestCluster;

use crate::harness::{Database, insert, message, run};

/// More than two pages hold, of texts of 100 KB.
const MESSAGES: i64 = 240;

/// A message with a long text; every second one is in the same conversation.
fn long(number: i64, prefix: &str) -> Event<'static> {
    let conversation = if number % 2 == 0 { 0 } else { number };
    let mut event = message("org", conversation, number);
    if let Body::Message(message) = &mut event.body {
        message.content = format!("{prefix} {number} {}", "x".repeat(100_000)).into();
    }
    event
}

fn record(event: &Event<'_>) -> MessageRecord {
    let Body::Message(message) = &event.body else {
        panic!("{event:?}");
    };
    let named = |name: &Option<std::borrow::Cow<'_, str>>| name.as_deref().unwrap_or_default().to_owned();
    MessageRecord {
        message_id: message.message_id,
        conversation_id: message.conversation_id,
        time: event.time,
        role: message.role.as_str().to_owned(),
        user_id: named(&message.user_id),
        mentor_id: named(&message.mentor_id),
        content: message.content.clone().into_owned(),
        model: named(&message.model),
    }
}

/// A record without its long text, which can be compared and shown.
type Short = (uuid::Uuid, i64, uuid::Uuid, String, String);

fn short(record: &MessageRecord) -> Short {
    let start = record.content.chars().take(20).collect();
    (
        record.conversation_id,
        record.time.as_millis(),
        record.message_id,
        start,
        record.mentor_id.clone(),
    )
}

/// Fills a database, and reads it with some filters.
async fn fill_and_compare(database: &Database) {
    let first: Vec<_> = (0..MESSAGES).map(|number| long(number, "said")).collect();
    let edited: Vec<_> = (0..MESSAGES)
        .step_by(40)
        .map(|number| long(number, "edited"))
        .collect();
    let of_others = (0..20).map(|number| message("other", number, number));
    let all: Vec<_> = first.iter().chain(&edited).cloned().collect();
    insert(&database.store, &mut [], all.iter().cloned().chain(of_others)).await;
    // The same again: by a batch, and by hand, which gives them other digests.
    insert(&database.store, &mut [], first.iter().take(100).cloned()).await;
    let columns = "org, conversation_id, time, message_id, role, user_id, mentor_id, content, model";
    let again = format!(
        "INSERT INTO messages ({columns}) SELECT {columns} FROM messages WHERE cityHash64(message_id) % 3 = 0"
    );
    run(database, &again).await;

    let day = |text: &str| Some(text.parse().unwrap());
    for filter in [
        MessageFilter::default(),
        MessageFilter {
            mentor: Some("mentor-2".to_owned()),
            ..MessageFilter::default()
        },
        MessageFilter {
            start: day("2024-01-02"),
            end: day("2024-01-04"),
            mentor: None,
        },
        MessageFilter {
            start: day("2024-01-08"),
            end: day("9999-12-31"),
            mentor: Some("mentor-4".to_owned()),
        },
        MessageFilter {
            start: day("0001-01-01"),
            end: day("2023-12-31"),
            mentor: None,
        },
    ] {
        let mut pages = database.store.message_records("org", &filter);
        let (mut found, mut count) = (Vec::new(), 0);
        while let Some(page) = pages.try_next().await.unwrap() {
            let bytes: usize = page.iter().map(|record| record.content.len()).sum();
            assert!(bytes < 9 << 20, "{bytes} bytes in a page");
            found.extend(page.iter().map(short));
            count += 1;
        }
        let matches = |event: &&Event<'_>| {
            let record = record(event);
            filter.start.is_none_or(|start| start <= event.time.day())
                && filter.end.is_none_or(|end| event.time.day() <= end)
                && filter
                    .mentor
                    .as_ref()
                    .is_none_or(|mentor| *mentor == record.mentor_id)
        };
        let expected: BTreeSet<_> = all
            .iter()
            .filter(matches)
            .map(|event| short(&record(event)))
            .collect();
        assert!(
            found.is_sorted_by_key(|(conversation, time, message, ..)| (*conversation, *time, *message)),
            "{filter:?}"
        );
        assert_eq!(found.len(), expected.len(), "{filter:?}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "{filter:?}");
        if filter == MessageFilter::default() {
            assert!(count > 1, "{count} page");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_messages_are_read_page_by_page_and_each_once() {
    fill_and_compare(&Database::migrated("message_records").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_messages_are_the_same_on_three_shards() {
    let cluster = TestCluster::start(3).await;
    fill_and_compare(&Database::on_shards(&cluster, "message_records").await).await;
}
