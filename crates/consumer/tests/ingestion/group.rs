//! Several members of one group.

use std::time::Duration;

use consumer::Error;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use tokio::time::Instant;

use crate::harness::{Broker, Memory, Run, event, ids, until};

#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_and_go_lose_nothing() {
    let broker = Broker::with_partitions(6);
    let sink = Memory::default();
    broker.publish(ids(0..1_000).iter().map(|id| event(id))).await;
    let first = Run::start(&broker.settings, &sink);
    until("the first member to read", async || {
        sink.distinct().len() == 1_000
    })
    .await;

    let second_sink = Memory::default();
    let second = Run::start(&broker.settings, &second_sink);
    let mut published = 1_000;
    until("the second member to have a share", async || {
        broker
            .publish(ids(published..published + 100).iter().map(|id| event(id)))
            .await;
        published += 100;
        !second_sink.kept().is_empty()
    })
    .await;
    let summary = first.stop().await;
    assert!(summary.committed.len() < 6, "{summary:?}");

    broker
        .publish(ids(published..published + 100).iter().map(|id| event(id)))
        .await;
    published += 100;
    until("everything to be committed", async || broker.lag().await == 0).await;
    let rest = second.stop().await;
    assert_eq!(rest.committed.len(), 6);

    let mut all = sink.distinct();
    all.extend(second_sink.distinct());
    all.sort();
    all.dedup();
    assert_eq!(all, ids(0..published));
    assert_eq!((summary.lost, rest.lost), (0, 0));
}

/// A run that has read the first hundred events.
async fn reading(broker: &Broker, sink: &Memory) -> Run {
    broker.publish(ids(0..100).iter().map(|id| event(id))).await;
    let run = Run::start(&broker.settings, sink);
    until("the first hundred", async || sink.distinct().len() == 100).await;
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_an_earlier_epoch_is_repeated() {
    let broker = Broker::with_partitions(2);
    let sink = Memory::default();
    let stale = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH; 3];
    broker.cluster.request_errors(RDKafkaApiKey::OffsetCommit, &stale);
    // It is stopped before it has tried as often, a second apart.
    reading(&broker, &sink).await.stop().await;
    assert_eq!(broker.lag().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_back_is_read_on() {
    let broker = Broker::with_partitions(2);
    let sink = Memory::default();
    let run = reading(&broker, &sink).await;

    broker.cluster.broker_down(1).unwrap();
    let away_until = Instant::now() + Duration::from_secs(2);
    tokio::time::sleep_until(away_until).await;
    broker.cluster.broker_up(1).unwrap();

    broker.publish(ids(100..200).iter().map(|id| event(id))).await;
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;
    assert_eq!(sink.distinct(), ids(0..200));
    assert_eq!(summary.lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_no_broker_is_connected_to_for_long_ends_so_that_another_can_begin() {
    let broker = Broker::with_partitions(2);
    let sink = Memory::default();
    let run = reading(&broker, &sink).await;

    broker.cluster.broker_down(1).unwrap();
    let ended = run.end().await;
    assert!(matches!(ended, Err(Error::Disconnected { .. })), "{ended:?}");
    broker.cluster.broker_up(1).unwrap();

    broker.publish(ids(100..200).iter().map(|id| event(id))).await;
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    assert_eq!(run.stop().await.lost, 0);
    assert_eq!(sink.distinct(), ids(0..200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_in_time_though_the_broker_is_away() {
    let broker = Broker::with_partitions(2);
    let sink = Memory::default();
    sink.close(true);
    broker.publish(ids(0..100).iter().map(|id| event(id))).await;
    let run = Run::start(&broker.settings, &sink);
    until("the sink to be asked", async || sink.waiting() > 0).await;

    broker.cluster.broker_down(1).unwrap();
    sink.close(false);
    until("the rows", async || !sink.kept().is_empty()).await;
    let asked_at = Instant::now();
    let summary = run.stop().await;
    assert!(
        asked_at.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked_at.elapsed()
    );
    assert!(summary.kept > 0 && summary.committed.is_empty(), "{summary:?}");

    broker.cluster.broker_up(1).unwrap();
    let again = Memory::default();
    let run = Run::start(&broker.settings, &again);
    until("everything to be committed", async || broker.lag().await == 0).await;
    run.stop().await;
    assert_eq!(
        again.distinct(),
        ids(0..100),
        "what was not committed is read again"
    );
}
