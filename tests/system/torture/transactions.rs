//! Producers that publish in transactions: what is no record is not lost, and nothing that is settled counts as lag.

use std::collections::BTreeMap;

use consumer::{
    GroupProtocol::{self, Classic, Consumer},
    PartitionProgress, Settings,
};
use rdkafka::{Offset, TopicPartitionList, admin::AdminOptions};
use tokio::task::block_in_place;

use super::{
    load::{self, ABORTED, ORG},
    stack::Stack,
    topic::{admin, oracle_without, progress, settle, start},
};
use crate::{harness::until, history::questions, oracle::question::compare, transactions::Transactions};

const LAG: &str = "rollcall_lag_records";
const LOST: &str = "rollcall_records_lost_total";
const UNSTABLE: &str = "rollcall_unstable_records";

/// Publishes events in one transaction, which is left open.
fn publish(producer: &Transactions, numbers: impl Iterator<Item = u32>) {
    producer.begin().unwrap();
    for number in numbers {
        producer.send(&load::good(number)).unwrap();
    }
    producer.flush().unwrap();
}

/// Waits until a metric is this, or within what is allowed.
async fn measured(stack: &Stack, metric: &str, expected: impl Fn(u64) -> bool) {
    until(&format!("{metric} is as expected"), async || {
        expected(stack.metric(metric).await).then_some(())
    })
    .await;
}

/// Waits until everything is settled, by all accounts, and asserts that nothing was lost until then.
async fn settled(stack: &Stack, settings: &Settings) {
    settle(stack).await;
    measured(stack, LAG, |records| records == 0).await;
    let lag: u64 = progress(settings).await.iter().map(PartitionProgress::lag).sum();
    assert_eq!(lag, 0, "to others");
    assert_eq!(stack.metric(LOST).await, 0);
    assert!(!stack.logged("are gone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_transactions_leave_in_the_log_is_neither_lost_nor_lag() {
    transactions_leave_no_lag(Classic).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes most of a minute: run it by name"]
async fn what_transactions_leave_in_the_log_is_neither_lost_nor_lag_under_the_new_protocol() {
    transactions_leave_no_lag(Consumer).await;
}

async fn transactions_leave_no_lag(protocol: GroupProtocol) {
    let mut stack = start(protocol).await;
    let settings = stack.kafka.settings();
    let producer = block_in_place(|| Transactions::start(&settings, "first")).unwrap();
    let other = block_in_place(|| Transactions::start(&settings, "second")).unwrap();

    // Committed.
    for transaction in 0..5 {
        block_in_place(|| {
            publish(&producer, transaction * 3..transaction * 3 + 3);
            producer.commit().unwrap();
        });
    }
    settled(&stack, &settings).await;

    // Aborted, with one that is committed among them; a batch that is refused is read again.
    block_in_place(|| {
        for transaction in 0..5 {
            publish(
                &producer,
                ABORTED + transaction * 3..ABORTED + transaction * 3 + 3,
            );
            producer.abort().unwrap();
        }
        publish(&producer, 15..18);
        producer.send(&load::refused(0)).unwrap();
        publish(&other, ABORTED + 15..ABORTED + 18);
        producer.commit().unwrap();
        other.abort().unwrap();
    });
    settled(&stack, &settings).await;
    measured(&stack, "rollcall_records_total{outcome=\"rejected\"", |records| {
        records == 1
    })
    .await;

    // Open: what is behind it waits, committed or not.
    block_in_place(|| {
        publish(&producer, 18..118);
        publish(&other, 118..218);
        other.commit().unwrap();
    });
    // A marker in each partition at most, besides.
    measured(&stack, UNSTABLE, |records| (200..=208).contains(&records)).await;
    assert_eq!(stack.metric(LAG).await, 0);
    block_in_place(|| producer.commit()).unwrap();
    settled(&stack, &settings).await;
    measured(&stack, UNSTABLE, |records| records == 0).await;

    // Retention takes half of what is not read, aborted records among it.
    stack.stop_members().await;
    block_in_place(|| {
        publish(&producer, 218..618);
        publish(&other, ABORTED + 18..ABORTED + 218);
        producer.commit().unwrap();
        other.abort().unwrap();
    });
    let mut cuts = TopicPartitionList::new();
    let (mut lost, mut taken) = (0, BTreeMap::new());
    for partition in progress(&settings).await {
        let committed = partition.committed.unwrap();
        let cut = committed + (partition.end - committed) / 2;
        lost += u64::try_from(cut - committed).unwrap();
        taken.insert(partition.partition, committed..cut);
        cuts.add_partition_offset(&settings.topic, partition.partition, Offset::Offset(cut))
            .unwrap();
    }
    assert!(lost > 100, "{lost}");
    let oracle = oracle_without(&settings, &taken).await;
    admin(&settings)
        .delete_records(&cuts, &AdminOptions::new())
        .await
        .unwrap();
    stack.start_members().await;
    settle(&stack).await;
    assert_eq!(stack.metric(LOST).await, lost);
    assert!(stack.logged("records are gone: the log skips them"));
    measured(&stack, LAG, |records| records == 0).await;
    compare(&stack.api, &oracle, ORG, &questions()).await.unwrap();
    stack.end().await;
}
