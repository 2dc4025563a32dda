//! Batches that librdkafka cannot unpack, and those that unpack to a lot.

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::harness::{Broker, Memory, Run, TIMEOUT, event, ids, metrics, until};

/// More than librdkafka unpacks a batch to where it is told to take this much; see [`lower_limit`].
const TOO_MUCH: usize = 700_000;

/// Lets the consumer refuse a batch that unpacks to more than [`TOO_MUCH`].
fn lower_limit(broker: &mut Broker) {
    let limit = ("receive.message.max.bytes".to_owned(), "600000".to_owned());
    broker.settings.properties.extend([limit]);
}

/// Publishes events to a partition as one batch, packed with zstd, that unpacks to at least this many bytes.
fn publish_batch(broker: &Broker, partition: i32, ids: &[String], bytes: usize) {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &broker.settings.bootstrap_servers)
        .set("compression.type", "zstd")
        .set("linger.ms", "60000")
        .set("batch.size", "1000000000")
        .set("message.max.bytes", "1000000000")
        .create()
        .unwrap();
    let padding = format!("/{}", "x".repeat(bytes / ids.len()));
    for id in ids {
        let value = event(id).replace("/test", &padding);
        let record = BaseRecord::<(), _>::to(&broker.settings.topic)
            .partition(partition)
            .payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(TIMEOUT).unwrap();
}

async fn all_committed(broker: &Broker) {
    until("everything to be committed", async || broker.lag().await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_cannot_be_unpacked_are_passed_over_and_counted_and_all_others_are_kept() {
    let mut broker = Broker::with_partitions(2);
    lower_limit(&mut broker);
    let sink = Memory::default();
    let mut bad = 0;
    for (number, count, bytes) in [
        (0_u32, 5, 0),
        (100, 3, TOO_MUCH),
        (200, 2, 0),
        (300, 80, TOO_MUCH),
        (600, 1, 0),
    ] {
        publish_batch(&broker, 0, &ids(number..number + count), bytes);
        bad += u64::from(if bytes > 0 { count } else { 0 });
    }
    publish_batch(&broker, 1, &ids(700..710), 0);

    let run = Run::start(&broker.settings, &sink);
    all_committed(&broker).await;
    let good = [ids(0..5), ids(200..202), ids(600..601), ids(700..710)].concat();
    assert_eq!(sink.distinct(), good);

    // The last of a partition, with nothing behind it.
    publish_batch(&broker, 1, &ids(800..840), TOO_MUCH);
    all_committed(&broker).await;
    publish_batch(&broker, 1, &ids(900..901), 0);
    all_committed(&broker).await;
    let summary = run.stop().await;
    assert_eq!(sink.distinct(), [good, ids(900..901)].concat());
    assert_eq!((summary.unreadable, summary.lost), (bad + 40, 0));
    assert_eq!(summary.committed, [(0, 91), (1, 51)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_begins_with_what_cannot_be_unpacked_is_read_behind_it() {
    let mut broker = Broker::with_partitions(1);
    lower_limit(&mut broker);
    let sink = Memory::default();
    publish_batch(&broker, 0, &ids(0..30), TOO_MUCH);
    publish_batch(&broker, 0, &ids(30..40), 0);
    metrics();
    let run = Run::start(&broker.settings, &sink);
    all_committed(&broker).await;
    let summary = run.stop().await;
    assert_eq!(sink.distinct(), ids(30..40));
    assert_eq!((summary.unreadable, summary.kept), (30, 10));
    let counted = metrics().lines().find_map(|line| {
        line.strip_prefix("rollcall_records_unreadable_total ")?
            .parse::<u64>()
            .ok()
    });
    assert!(counted >= Some(30), "{counted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sink_refuses_is_found_though_a_part_of_its_batch_cannot_be_unpacked() {
    let mut broker = Broker::with_partitions(1);
    lower_limit(&mut broker);
    broker.settings.batch_delay_ms = std::num::NonZeroU64::new(3_000).unwrap();
    let sink = Memory::default();
    sink.refuse(ids(1..2));
    publish_batch(&broker, 0, &ids(0..5), 0);
    publish_batch(&broker, 0, &ids(5..15), TOO_MUCH);
    publish_batch(&broker, 0, &ids(15..20), 0);
    let run = Run::start(&broker.settings, &sink);
    all_committed(&broker).await;
    let summary = run.stop().await;
    assert_eq!(sink.distinct(), [ids(0..1), ids(2..5), ids(15..20)].concat());
    assert_eq!((summary.unreadable, summary.rejected), (10, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_taken_that_unpacks_to_more_than_librdkafka_allows_by_default() {
    let broker = Broker::with_partitions(1);
    let sink = Memory::default();
    publish_batch(&broker, 0, &ids(0..160), 120_000_000);
    let run = Run::start(&broker.settings, &sink);
    all_committed(&broker).await;
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.unreadable), (160, 0));
}
