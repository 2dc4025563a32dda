//! Batches that librdkafka cannot unpack or parse, and those that unpack to a lot.

use consumer::Settings;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::apache::Node;
use crate::harness::{Broker, Memory, Run, TIMEOUT, event, ids, lag, metrics, until};

/// More than librdkafka unpacks a batch to where it is told to take this much; see [`lower_limit`].
const TOO_MUCH: usize = 700_000;

/// Lets the consumer refuse a batch that unpacks to more than [`TOO_MUCH`].
fn lower_limit(broker: &mut Broker) {
    let limit = ("receive.message.max.bytes".to_owned(), "600000".to_owned());
    broker.settings.properties.extend([limit]);
}

type OneBatch = ThreadedProducer<DefaultProducerContext>;

/// A producer of batches that are as large as they may be.
fn producer(settings: &Settings, properties: &[(&str, &str)]) -> OneBatch {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.bootstrap_servers)
        .set("linger.ms", "30000")
        .set("batch.size", "1000000000")
        .set("message.max.bytes", "1000000000");
    for (name, value) in properties {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

/// Publishes events to a partition as one batch that is at least this large.
fn publish_by(producer: &OneBatch, settings: &Settings, partition: i32, ids: &[String], bytes: usize) {
    let padding = format!("/{}", "x".repeat(bytes / ids.len()));
    for id in ids {
        let value = event(id).replace("/test", &padding);
        let record = BaseRecord::<(), _>::to(&settings.topic)
            .partition(partition)
            .payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(TIMEOUT).unwrap();
}

/// Publishes events to a partition as one batch, packed with zstd, that unpacks to at least this many bytes.
fn publish_batch(broker: &Broker, partition: i32, ids: &[String], bytes: usize) {
    let producer = producer(&broker.settings, &[("compression.type", "zstd")]);
    publish_by(&producer, &broker.settings, partition, ids, bytes);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_single_record_between_long_batches_that_cannot_be_unpacked_is_kept() {
    let mut broker = Broker::with_partitions(1);
    lower_limit(&mut broker);
    for (number, count, bytes) in [(0_u32, 495, TOO_MUCH), (495, 1, 0), (496, 500, TOO_MUCH)] {
        publish_batch(&broker, 0, &ids(number..number + count), bytes);
    }
    let sink = Memory::default();
    let run = Run::start(&broker.settings, &sink);
    all_committed(&broker).await;
    let summary = run.stop().await;
    assert_eq!(sink.distinct(), ids(495..496));
    assert_eq!(summary.unreadable, 995);
}

/// Where a record begins among those of a batch, each of which has 64 to 8191 bytes.
fn record_start(records: &[u8], index: usize) -> usize {
    (0..index).fold(0, |at, _| {
        let (low, high) = (usize::from(records[at] & 0x7f), usize::from(records[at + 1]));
        at + 2 + (high << 7 | low) / 2
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_are_damaged_in_the_log_of_apache_kafka_are_passed_over_alone() {
    let mut kafka = Node::start().await;
    let settings = kafka.topic("damaged").await;
    let mut damaged = Vec::new();
    for (number, count, codec, is_damaged) in [
        (0_u32, 5, "zstd", false),
        (100, 3, "zstd", true),
        (200, 1, "none", false),
        (300, 200, "lz4", true),
        (500, 1, "gzip", false),
        (600, 200, "gzip", true),
        (800, 10, "snappy", true),
        (900, 5, "lz4", false),
    ] {
        let start = lag(&settings).await;
        if is_damaged {
            damaged.push(i64::try_from(start).unwrap());
        }
        let producer = producer(&settings, &[("compression.type", codec)]);
        publish_by(&producer, &settings, 0, &ids(number..number + count), 0);
    }
    // Behind the last batch there is a marker alone.
    let transactional = producer(
        &settings,
        &[("compression.type", "zstd"), ("transactional.id", "one")],
    );
    transactional.init_transactions(TIMEOUT).unwrap();
    transactional.begin_transaction().unwrap();
    publish_by(&transactional, &settings, 1, &ids(1_000..1_010), 0);
    transactional.commit_transaction(TIMEOUT).unwrap();
    until("the marker to be there", async || {
        lag(&settings).await == 425 + 10 + 1
    })
    .await;
    kafka
        .change(|kafka| {
            kafka.damage(&settings.topic, 0, |offset, records| {
                let is_damaged = damaged.contains(&offset);
                if is_damaged {
                    records.fill(0xff);
                }
                is_damaged
            });
            kafka.damage(&settings.topic, 1, |offset, records| {
                if offset == 0 {
                    records.fill(0xff);
                }
                offset == 0
            });
        })
        .await;

    let sink = Memory::default();
    let run = Run::start(&settings, &sink);
    until("everything to be committed", async || lag(&settings).await == 0).await;
    let summary = run.stop().await;
    let good = [ids(0..5), ids(200..201), ids(500..501), ids(900..905)].concat();
    assert_eq!(sink.distinct(), good);
    assert_eq!((summary.unreadable, summary.lost), (3 + 200 + 200 + 10 + 10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_parsed_are_passed_over_to_the_end_of_their_batch() {
    const FIRST_BAD: usize = 5;
    let mut kafka = Node::start().await;
    let settings = kafka.topic("malformed").await;
    let producer = producer(&settings, &[]);
    for number in [0_u32, 20, 40] {
        publish_by(&producer, &settings, 0, &ids(number..number + 20), 0);
    }
    publish_by(&producer, &settings, 1, &ids(100..110), 0);
    kafka
        .change(|kafka| {
            kafka.damage(&settings.topic, 0, |offset, records| {
                // The record is longer than the batch.
                let start = record_start(records, FIRST_BAD);
                if offset == 20 {
                    records[start + 1] = 0x7f;
                }
                offset == 20
            });
        })
        .await;

    let sink = Memory::default();
    let run = Run::start(&settings, &sink);
    until("everything to be committed", async || lag(&settings).await == 0).await;
    let summary = run.stop().await;
    let good = [ids(0..25), ids(40..60), ids(100..110)].concat();
    assert_eq!(sink.distinct(), good);
    assert_eq!((summary.unreadable, summary.lost), (15, 0));
}
