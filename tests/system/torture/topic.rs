//! What may happen to the topic itself: partitions are added, records are deleted before they are read, the topic is deleted
//! and created again, its logs are cut, it is consumed once more from its beginning.

use std::{collections::BTreeMap, time::Duration};

use consumer::{
    GroupProtocol::{self, Classic, Consumer},
    PartitionProgress, Probe, Reader, Settings,
};
use events::{Decoded, Timestamp};
use oracle::Oracle;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewPartitions},
    client::DefaultClientContext,
};

use super::{
    load::{self, Load, ORG, POISON},
    report::Report,
    stack::Stack,
};
use crate::{
    harness::{DEADLINE, until},
    history::questions,
    oracle::question::compare,
};

/// How many events are published at a time.
const EVENTS: u32 = 2_000;
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn start(protocol: GroupProtocol) -> Stack {
    let mut stack = Stack::start(Duration::from_secs(6)).await;
    stack.use_protocol(protocol).await;
    stack
}

pub(super) fn admin(settings: &Settings) -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", &settings.bootstrap_servers)
        .create()
        .unwrap()
}

pub(super) async fn settle(stack: &Stack) {
    Report::start(&stack.kafka.settings()).settle().await;
}

pub(super) async fn progress(settings: &Settings) -> Vec<PartitionProgress> {
    let probe = Probe::new(settings).unwrap();
    probe.progress(BROKER_TIMEOUT).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_are_added_while_ingest_runs_are_read() {
    let stack = start(Classic).await;
    let settings = stack.kafka.settings();
    load::publish_some(&settings, 0..EVENTS).await;
    settle(&stack).await;

    let more = usize::from(settings.partitions.get()) + 4;
    let added = admin(&settings)
        .create_partitions(&[NewPartitions::new(&settings.topic, more)], &AdminOptions::new())
        .await
        .unwrap();
    assert!(added.iter().all(Result::is_ok), "{added:?}");
    load::publish_some(&settings, EVENTS..2 * EVENTS).await;
    settle(&stack).await;
    let new = progress(&settings).await.split_off(more - 4);
    assert!(
        new.iter().all(|partition| partition.committed > Some(0)),
        "nothing is in the new partitions: {new:?}"
    );
    compare(&stack.api, &load::oracle(2 * EVENTS), ORG, &questions())
        .await
        .unwrap();
    stack.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_retention_deleted_before_they_were_read_are_counted_and_logged() {
    retention_deletes_records(Classic).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes most of a minute: run it by name"]
async fn records_that_retention_deleted_before_they_were_read_are_counted_and_logged_under_the_new_protocol()
{
    retention_deletes_records(Consumer).await;
}

async fn retention_deletes_records(protocol: GroupProtocol) {
    let mut stack = start(protocol).await;
    let settings = stack.kafka.settings();
    load::publish_some(&settings, 0..EVENTS).await;
    settle(&stack).await;
    stack.stop_members().await;
    load::publish_some(&settings, EVENTS..2 * EVENTS).await;

    // Half of what is not read is deleted, as retention does.
    let mut cuts = TopicPartitionList::new();
    let mut lost: BTreeMap<i32, std::ops::Range<i64>> = BTreeMap::new();
    for PartitionProgress {
        partition,
        end,
        committed,
        ..
    } in progress(&settings).await
    {
        let committed = committed.unwrap_or(0);
        let cut = committed + (end - committed) / 2;
        lost.insert(partition, committed..cut);
        cuts.add_partition_offset(&settings.topic, partition, Offset::Offset(cut))
            .unwrap();
    }
    let oracle = oracle_without(&settings, &lost).await;
    admin(&settings)
        .delete_records(&cuts, &AdminOptions::new())
        .await
        .unwrap();

    // One member alone: where a partition changes hands before what follows a gap is settled, the gap is counted again.
    stack.start_member(0).await;
    settle(&stack).await;
    let expected: i64 = lost.values().map(|range| range.end - range.start).sum();
    assert!(expected > 0);
    let counted = stack.metric("rollcall_records_lost_total").await;
    assert_eq!(counted, u64::try_from(expected).unwrap());
    assert!(stack.logged("records are gone: the log skips them"));
    stack.start_member(1).await;
    compare(&stack.api, &oracle, ORG, &questions()).await.unwrap();
    stack.end().await;
}

/// An oracle of all events of the topic, except those at some offsets.
pub(super) async fn oracle_without(
    settings: &Settings,
    lost: &BTreeMap<i32, std::ops::Range<i64>>,
) -> Oracle {
    let mut oracle = Oracle::default();
    let now = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    let mut reader = Reader::open(settings, &settings.topic, DEADLINE).await.unwrap();
    while let Some(record) = reader.next().await.unwrap() {
        let headers = record.headers().unwrap();
        let poison = headers.iter().any(|(name, _)| *name == POISON);
        if poison || lost[&record.partition()].contains(&record.offset()) {
            continue;
        }
        let Ok(Decoded::Event(event)) = events::decode(headers.into_iter(), record.value(), now) else {
            panic!("{record:?} is neither poison nor an event");
        };
        oracle.add(&event);
    }
    oracle
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_deleted_and_created_again_is_read_from_its_beginning() {
    a_topic_is_made_again(Classic).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes most of a minute: run it by name"]
async fn a_topic_that_is_deleted_and_created_again_is_read_from_its_beginning_under_the_new_protocol() {
    a_topic_is_made_again(Consumer).await;
}

async fn a_topic_is_made_again(protocol: GroupProtocol) {
    let stack = start(protocol).await;
    let settings = stack.kafka.settings();
    load::publish_some(&settings, 0..EVENTS).await;
    settle(&stack).await;

    // Under the new protocol the brokers take the partitions away, before anybody misses them.
    let (missing, times) = match protocol {
        Classic => ("rollcall_kafka_errors_total{code=\"UnknownTopic", 1),
        Consumer => ("rollcall_rebalances_total{kind=\"revoked\"", 2),
    };
    let before = stack.metric(missing).await;
    delete(&settings, &settings.topic).await;
    until("the members miss the topic", async || {
        (stack.metric(missing).await >= before + times).then_some(())
    })
    .await;
    consumer::ensure_topics(&settings).await.unwrap();
    // Fewer than were read of the old topic: offsets begin at zero again.
    load::publish_some(&settings, EVENTS..EVENTS + EVENTS / 2).await;
    settle(&stack).await;
    compare(&stack.api, &load::oracle(EVENTS + EVENTS / 2), ORG, &questions())
        .await
        .unwrap();
    stack.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_or_made_again_while_ingest_was_stopped_is_read_whole() {
    a_log_is_cut_or_made_again(Classic).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes most of a minute: run it by name"]
async fn a_log_that_was_cut_or_made_again_while_ingest_was_stopped_is_read_whole_under_the_new_protocol() {
    a_log_is_cut_or_made_again(Consumer).await;
}

async fn a_log_is_cut_or_made_again(protocol: GroupProtocol) {
    let mut stack = start(protocol).await;
    let settings = stack.kafka.settings();
    // Several batches of records are cut between two of them.
    for part in 0..10 {
        load::publish_good(&settings, part * EVENTS / 10..(part + 1) * EVENTS / 10).await;
    }
    settle(&stack).await;
    stack.stop_members().await;
    let read = progress(&settings).await;

    stack.kafka.end("KILL").await;
    stack.kafka.truncate(&settings.topic);
    stack.kafka.resume().await;
    load::publish_good(&settings, EVENTS..3 * EVENTS).await;
    for (read, now) in read.iter().zip(progress(&settings).await) {
        let cut = read.end < now.end && now.end < read.end * 3;
        assert!(cut && now.committed == Some(read.end), "{read:?} {now:?}");
    }
    // One member alone, as above.
    stack.start_member(0).await;
    settle(&stack).await;
    compare(&stack.api, &load::oracle(3 * EVENTS), ORG, &questions())
        .await
        .unwrap();
    let replaced = stack.metric("rollcall_logs_replaced_total").await;
    assert_eq!(replaced, u64::from(settings.partitions.get()));
    assert!(stack.logged("the log is another one than was read"));

    stack.start_member(1).await;
    stack.stop_members().await;
    let read = progress(&settings).await;
    delete(&settings, &settings.topic).await;
    consumer::ensure_topics(&settings).await.unwrap();
    load::publish_good(&settings, 3 * EVENTS..7 * EVENTS).await;
    for (read, now) in read.iter().zip(progress(&settings).await) {
        assert!(read.end < now.end, "{read:?} {now:?}");
    }
    stack.start_members().await;
    settle(&stack).await;
    compare(&stack.api, &load::oracle(7 * EVENTS), ORG, &questions())
        .await
        .unwrap();
    stack.end().await;
}

/// Deletes a topic.
pub(crate) async fn delete(settings: &Settings, topic: &str) {
    let deleted = admin(settings)
        .delete_topics(&[topic], &AdminOptions::new())
        .await
        .unwrap();
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn backfill_of_the_whole_topic_is_safe_while_events_arrive() {
    let stack = start(Classic).await;
    let settings = stack.kafka.settings();
    load::publish_some(&settings, 0..EVENTS).await;
    settle(&stack).await;

    let mut load = Load::start_at(&settings, 1_000, EVENTS);
    let again = Settings {
        group_id: "again".to_owned(),
        ..settings.clone()
    };
    let variables = [("ROLLCALL__KAFKA__GROUP_ID", again.group_id.as_str())];
    let member = stack.member("ingest-again", &variables).await;
    until("the new group has read what was there", async || {
        let progress = progress(&again).await;
        let settled: i64 = progress.iter().filter_map(|partition| partition.committed).sum();
        (settled > i64::from(EVENTS)).then_some(())
    })
    .await;
    let published = load.stop().await;
    settle(&stack).await;
    Report::start(&again).settle().await;
    let oracle = load::oracle(published);
    compare(&stack.api, &oracle, ORG, &questions()).await.unwrap();
    let (expected, found) = stack.messages(&oracle).await;
    assert_eq!(found, expected);
    assert!(member.signal("TERM").await.success());
    stack.end().await;
}
