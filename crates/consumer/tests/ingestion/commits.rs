//! What a commit says besides its offset, and what is made of it.

use std::collections::BTreeMap;
use std::ops::Range;

use consumer::{Error, Probe, Settings};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tokio::sync::Mutex;

use crate::apache::Apache;
use crate::harness::{Broker, Memory, Run, TIMEOUT, event, ids, lag, metrics, until};

/// Held by the tests that count how many logs were replaced.
static REPLACING: Mutex<()> = Mutex::const_new(());

/// How many logs were replaced, of all runs of this process.
fn replaced() -> u64 {
    let metrics = metrics();
    let mut lines = metrics.lines();
    let count = lines.find_map(|line| line.strip_prefix("rollcall_logs_replaced_total "));
    count.map_or(0, |count| count.parse().unwrap())
}

/// A client of the group that joins nothing.
fn group(settings: &Settings) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", &settings.bootstrap_servers)
        .set("group.id", &settings.group_id)
        .create()
        .unwrap()
}

/// The offset and the metadata that are committed, by partition.
fn commits(broker: &Broker, partitions: Range<i32>) -> BTreeMap<i32, (Offset, String)> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&broker.settings.topic, partition);
    }
    let committed = group(&broker.settings).committed_offsets(list, TIMEOUT).unwrap();
    let elements = committed.elements().into_iter();
    elements
        .map(|element| {
            (
                element.partition(),
                (element.offset(), element.metadata().to_owned()),
            )
        })
        .collect()
}

/// Commits offsets by hand, each with its metadata.
fn commit(settings: &Settings, commits: &[(i32, i64, String)]) {
    let mut list = TopicPartitionList::new();
    for (partition, offset, metadata) in commits {
        let mut element = list.add_partition(&settings.topic, *partition);
        element.set_offset(Offset::Offset(*offset)).unwrap();
        element.set_metadata(metadata);
    }
    group(settings).commit(&list, CommitMode::Sync).unwrap();
}

/// The metadata of a commit that a record is the last one of.
fn naming(record: &impl Message) -> String {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(record.key().unwrap_or_default());
    checksum.update(record.payload().unwrap());
    format!(
        "rollcall/1 db=memory last={}:{}:{:08x}",
        record.offset(),
        record.timestamp().to_millis().unwrap(),
        checksum.finalize()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_names_the_database_and_the_last_record_below_it() {
    let broker = Broker::with_partitions(2);
    broker.publish(ids(0..50).iter().map(|id| event(id))).await;
    let sink = Memory::default();
    let first = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    // The last commit of the first member is made when a partition is revoked.
    broker.publish(ids(50..100).iter().map(|id| event(id))).await;
    until("the rest to arrive", async || sink.distinct().len() == 100).await;
    let second = Run::start(&broker.settings, &Memory::default());
    until("everything to be committed", async || broker.lag().await == 0).await;
    first.stop().await;
    second.stop().await;

    let records = broker.records(&broker.settings.topic, 100).await;
    for (partition, committed) in commits(&broker, 0..2) {
        let last = records.iter().rfind(|record| record.partition() == partition);
        let last = last.unwrap();
        assert_eq!(committed, (Offset::Offset(last.offset() + 1), naming(last)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_for_another_database_is_neither_read_nor_committed() {
    let broker = Broker::with_partitions(2);
    broker.publish(ids(0..100).iter().map(|id| event(id))).await;
    let sink = Memory::default();
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    run.stop().await;

    broker.publish(ids(100..200).iter().map(|id| event(id))).await;
    let before = commits(&broker, 0..2);
    let other = Memory::of_database("other");
    let refused = Run::start(&broker.settings, &other).end().await.unwrap_err();
    assert_eq!((other.kept(), commits(&broker, 0..2)), (Vec::new(), before));
    let probe = Probe::new(&broker.settings).unwrap();
    probe.check_database("memory", TIMEOUT).await.unwrap();
    let found = probe.check_database("other", TIMEOUT).await.unwrap_err();
    for error in [refused, found] {
        assert!(matches!(error, Error::OtherDatabase { .. }), "{error:?}");
        let message = error.to_string();
        for named in ["rollcall", "chat.events", "memory", "other", "kafka.group_id"] {
            assert!(message.contains(named), "{message}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_the_one_that_was_read_is_read_from_its_start() {
    let _alone = REPLACING.lock().await;
    let before = replaced();
    let broker = Broker::with_partitions(4);
    let topic = &broker.settings.topic;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &broker.settings.bootstrap_servers)
        .set("compression.type", "none")
        .create()
        .unwrap();
    for (partition, id) in (0..4).flat_map(|partition| ids(0..140).into_iter().map(move |id| (partition, id)))
    {
        let value = event(&format!("{partition}-{id}"));
        let record: BaseRecord<'_, (), _> = BaseRecord::to(topic).partition(partition).payload(&value);
        producer.send(record).unwrap();
    }
    producer.flush(TIMEOUT).unwrap();
    let records = broker.records(topic, 4 * 140).await;
    let another = |offset: i64| format!("rollcall/1 db=memory last={offset}:1700000000000:0badcafe");
    // Each with the offset of the first record that is kept.
    let cases = [
        ("as it was", 100, naming(&records[99]), 100),
        ("another record stands there", 100, another(99), 0),
        ("it ends before", 200, another(199), 0),
        ("somebody else made the commit", 100, "by hand".to_owned(), 100),
    ];
    let committed: Vec<_> = (0..)
        .zip(&cases)
        .map(|(partition, (_, offset, metadata, _))| (partition, *offset, metadata.clone()))
        .collect();
    commit(&broker.settings, &committed);

    let sink = Memory::default();
    let run = Run::start(&broker.settings, &sink);
    until("all ends to be committed", async || {
        let committed = broker.committed().await;
        committed.values().all(|offset| *offset == Some(140))
    })
    .await;
    run.stop().await;
    let kept = sink.distinct();
    for (partition, (what, _, _, first)) in cases.iter().enumerate() {
        let expected: Vec<_> = ids(*first..140)
            .into_iter()
            .map(|id| format!("{partition}-{id}"))
            .collect();
        let prefix = format!("{partition}-");
        let read: Vec<_> = kept
            .iter()
            .filter(|id| id.starts_with(&prefix))
            .cloned()
            .collect();
        assert_eq!(read, expected, "{what}");
    }
    assert_eq!(replaced() - before, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_a_marker_in_the_place_of_the_last_record_is_read_from_its_start() {
    let _alone = REPLACING.lock().await;
    let before = replaced();
    let kafka = Apache::get().await;
    let settings = kafka.topic("marked").await;
    let producer = |id: Option<&str>| -> BaseProducer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &settings.bootstrap_servers);
        if let Some(id) = id {
            config.set("transactional.id", id);
        }
        config.create().unwrap()
    };
    let send = |producer: &BaseProducer, partition: i32, ids: &[String]| {
        for id in ids {
            let value = event(id);
            let record = BaseRecord::<(), _>::to(&settings.topic)
                .partition(partition)
                .payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(TIMEOUT).unwrap();
    };
    let transactional = producer(Some("marks"));
    transactional.init_transactions(TIMEOUT).unwrap();
    transactional.begin_transaction().unwrap();
    send(&transactional, 0, &ids(0..2));
    transactional.commit_transaction(TIMEOUT).unwrap();
    until("the marker to be there", async || lag(&settings).await == 3).await;
    let producer = producer(None);
    send(&producer, 0, &ids(2..5));
    // Of another partition retention has deleted that record.
    send(&producer, 1, &ids(10..15));
    let mut cut = TopicPartitionList::new();
    cut.add_partition_offset(&settings.topic, 1, Offset::Offset(3))
        .unwrap();
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &settings.bootstrap_servers)
        .create()
        .unwrap();
    admin.delete_records(&cut, &AdminOptions::new()).await.unwrap();
    let last = || "rollcall/1 db=memory last=2:1700000000000:00c0ffee".to_owned();
    commit(&settings, &[(0, 3, last()), (1, 3, last())]);

    let sink = Memory::default();
    let run = Run::start(&settings, &sink);
    until("everything to be committed", async || lag(&settings).await == 0).await;
    let summary = run.stop().await;
    assert_eq!(sink.distinct(), [ids(0..5), ids(13..15)].concat());
    assert_eq!((summary.lost, replaced() - before), (0, 1));
}
