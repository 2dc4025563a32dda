//! A user who is forgotten is in no answer and in no file, and does not come back.

use std::process::Stdio;

use events::{Body, Erasure, Event, Message, Registration, Role, Timestamp};
use oracle::Oracle;
use tempfile::tempdir;
use uuid::Uuid;

use crate::{
    harness::{Parts, Process, succeeds, until},
    history::{event, questions},
    keys::holding,
    oracle::{
        question::compare,
        wire::{Spelling, record},
    },
    records::Record,
};

const ORG: &str = "forgetful";
/// What the user is called, and what all texts of and to them hold.
const USER: &str = "ada.lovelace";
const TEXT: &str = "the secret of ada";

/// Look for what is to be erased every second.
const SOON: [(&str, &str); 1] = [("ROLLCALL__CLICKHOUSE__ERASE_INTERVAL_SECS", "1")];

fn erasure(user_id: &'static str, erased_at: Timestamp) -> Event<'static> {
    Event {
        time: erased_at,
        body: Body::Erasure(Erasure {
            user_id: user_id.into(),
            erased_at,
        }),
        ..event(ORG, 1)
    }
}

/// A message in a conversation, of the history or of its own.
fn said(number: u32, conversation: u128, role: Role, user_id: Option<&'static str>) -> Event<'static> {
    Event {
        body: Body::Message(Message {
            message_id: Uuid::from_u128(1_000_000 + u128::from(number)),
            conversation_id: Uuid::from_u128(conversation),
            role,
            user_id: user_id.map(Into::into),
            mentor_id: Some("mentor-3".into()),
            content: format!("{TEXT}, {number}").into(),
            model: None,
        }),
        ..event(ORG, number)
    }
}

/// What is said by the user, to the user, and by others.
fn events() -> Vec<Event<'static>> {
    let mut events: Vec<_> = (0..600).map(|number| event(ORG, number)).collect();
    for number in 0..40 {
        // One in four with others, the others alone with a model, which names nobody.
        let conversation = if number % 4 == 0 {
            u128::from(number) + 1
        } else {
            10_000 + u128::from(number)
        };
        events.push(said(number, conversation, Role::User, Some(USER)));
        if conversation > 1_000 {
            events.push(said(1_000 + number, conversation, Role::Assistant, None));
        }
    }
    events.push(Event {
        body: Body::Registration(Registration {
            user_id: USER.into(),
            registered_at: events[0].time,
        }),
        ..event(ORG, 7)
    });
    events
}

fn records(events: &[Event<'static>]) -> impl Iterator<Item = Record> {
    events.iter().map(|event| record(event, Spelling::default()))
}

/// Keeps texts and names in files as they are, and files no longer than they are needed.
async fn keep_readable(parts: &Parts) {
    for column in [
        "messages.user_id",
        "messages.content",
        "messages.mentor_id",
        "registrations.user_id",
    ] {
        let (table, column) = column.split_once('.').unwrap();
        let statement = format!("ALTER TABLE rollcall.{table} MODIFY COLUMN {column} String CODEC(NONE)");
        parts.clickhouse.sql(&statement).await;
    }
    let tables = parts
        .clickhouse
        .sql("SELECT name FROM system.tables WHERE database = 'rollcall' AND engine LIKE '%MergeTree'")
        .await;
    for table in tables.lines() {
        let settings = "old_parts_lifetime = 1, merge_tree_clear_old_parts_interval_seconds = 1, \
                        cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1";
        let statement = format!("ALTER TABLE rollcall.{table} MODIFY SETTING {settings}");
        parts.clickhouse.sql(&statement).await;
    }
}

/// Waits until no file is left that only what is gone was in.
async fn until_old_files_are_gone(clickhouse: &Process) {
    until("old parts are removed", async || {
        let statement = "SELECT count() FROM system.parts
            WHERE database = 'rollcall' AND NOT active AND table NOT IN ('ingestion_progress', 'erasure_requests')";
        (clickhouse.sql(statement).await.trim() == "0").then_some(())
    })
    .await;
}

async fn until_nothing_is_asked_for(clickhouse: &Process) {
    until("all is erased", async || {
        let statement = "SELECT count() FROM rollcall.erasure_requests";
        (clickhouse.sql(statement).await.trim() == "0").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_forgotten_is_in_no_answer_and_no_file_and_is_not_brought_back_by_a_replay() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    keep_readable(&parts).await;
    let (api, ingest) = (parts.serve(&[]).await, parts.ingest(&SOON).await);
    let (events, mut oracle) = (events(), Oracle::default());
    for event in &events {
        oracle.add(event);
    }
    parts.kafka.publish_records(records(&events)).await;
    ingest.settled().await;
    compare(&api, &oracle, ORG, &questions()).await.unwrap();
    let data = dir.path().join("clickhouse/data");
    let files_with = |text: &str| {
        let mut found = Vec::new();
        assert!(holding(&data, text, &mut found) > 100, "the files are there");
        found
    };
    assert!(!files_with(TEXT).is_empty() && !files_with(USER).is_empty());

    let forget = ["forget", "--org", ORG, "--user", USER];
    let counted = "messages: 40, in conversations: 40, of which nobody else spoke in: 30, registrations: 1";
    let printed = succeeds(&mut parts.command(&[&forget[..], &["--dry-run"]].concat()));
    assert_eq!(printed, format!("{USER} of {ORG}: {counted}\n"));
    let unconfirmed = parts.command(&forget).stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&unconfirmed.stderr);
    assert!(
        !unconfirmed.status.success() && error.contains("--yes confirms it"),
        "{error}"
    );
    compare(&api, &oracle, ORG, &questions()).await.unwrap();

    let printed = succeeds(&mut parts.command(&[&forget[..], &["--yes"]].concat()));
    assert!(printed.contains("erased"), "{printed}");
    let forgotten = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    oracle.add(&erasure(USER, forgotten));
    compare(&api, &oracle, ORG, &questions()).await.unwrap();
    succeeds(&mut parts.command(&["verify"]));

    // All that the topic holds, to the same database by another group, and once more by the one that runs.
    let again = parts
        .ingest(&[SOON[0], ("ROLLCALL__KAFKA__GROUP_ID", "again")])
        .await;
    parts.kafka.publish_records(records(&events)).await;
    again.settled().await;
    ingest.settled().await;
    compare(&api, &oracle, ORG, &questions()).await.unwrap();
    assert!(again.metric("rollcall_erased_records_total").await >= 71);
    until_nothing_is_asked_for(&parts.clickhouse).await;
    until_old_files_are_gone(&parts.clickhouse).await;
    let left = [files_with(TEXT), files_with(USER)].concat();
    assert!(left.is_empty(), "{left:?}");
    succeeds(&mut parts.command(&["verify"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_erases_a_user_while_events_arrive_and_processes_are_killed_and_what_comes_later_counts() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let api = parts.serve(&[]).await;
    let (events, mut oracle) = (events(), Oracle::default());
    for event in &events {
        oracle.add(event);
    }
    // Within what was said.
    let erased = erasure(USER, event(ORG, 20).time);
    oracle.add(&erased);
    let mut ingest = parts.ingest(&SOON).await;
    for (number, events) in events.chunks(events.len() / 4 + 1).enumerate() {
        if number == 1 {
            parts
                .kafka
                .publish_records(records(std::slice::from_ref(&erased)))
                .await;
        }
        parts.kafka.publish_records(records(events)).await;
        ingest.signal("KILL").await;
        ingest = parts.ingest(&SOON).await;
    }
    ingest.settled().await;
    until("the answers are as if it had never been said", async || {
        compare(&api, &oracle, ORG, &questions()).await.ok()
    })
    .await;
    until_nothing_is_asked_for(&parts.clickhouse).await;
    compare(&api, &oracle, ORG, &questions()).await.unwrap();
    succeeds(&mut parts.command(&["verify"]));
}
