//! The in-memory broker with real clients.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use embedded::Broker;
use rdkafka::{
    ClientConfig, Message,
    config::FromClientConfig,
    consumer::{BaseConsumer, CommitMode, Consumer},
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};

const DEADLINE: Duration = Duration::from_secs(60);

fn client<T: FromClientConfig>(broker: &Broker, settings: &[(&str, &str)]) -> T {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

fn consumer(broker: &Broker) -> BaseConsumer {
    let settings = [
        ("group.id", "readers"),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
        // The broker waits nearly this long once a member has left.
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "1000"),
    ];
    client(broker, &settings)
}

fn produce(broker: &Broker, topic: &str, numbers: std::ops::Range<i32>) {
    let producer: ThreadedProducer<DefaultProducerContext> = client(broker, &[]);
    for number in numbers {
        let (key, payload) = (number.to_string(), format!("record {number}"));
        producer
            .send(BaseRecord::to(topic).key(&key).payload(&payload))
            .unwrap();
    }
    producer.flush(DEADLINE).unwrap();
}

fn read(consumer: &BaseConsumer, count: usize) -> BTreeSet<String> {
    let deadline = Instant::now() + DEADLINE;
    let mut found = BTreeSet::new();
    while found.len() < count {
        assert!(
            Instant::now() < deadline,
            "only {} of {count} records",
            found.len()
        );
        if let Some(record) = consumer.poll(Duration::from_millis(100)) {
            let record = record.unwrap();
            found.insert(String::from_utf8(record.payload().unwrap().to_vec()).unwrap());
        }
    }
    found
}

#[test]
fn records_go_through_and_a_group_goes_on_where_it_committed() {
    let broker = Broker::start(&[("events", 3)]).unwrap();
    produce(&broker, "events", 0..100);
    let first = consumer(&broker);
    first.subscribe(&["events"]).unwrap();
    assert_eq!(read(&first, 100).len(), 100);
    first.commit_consumer_state(CommitMode::Sync).unwrap();
    drop(first);

    produce(&broker, "events", 100..110);
    let second = consumer(&broker);
    second.subscribe(&["events"]).unwrap();
    let expected = (100..110).map(|number| format!("record {number}")).collect();
    assert_eq!(read(&second, 10), expected);
}

#[test]
fn topics_have_their_partitions() {
    let broker = Broker::start(&[("one", 1), ("twelve", 12)]).unwrap();
    let consumer = consumer(&broker);
    for (topic, partitions) in [("one", 1), ("twelve", 12)] {
        let metadata = consumer.fetch_metadata(Some(topic), DEADLINE).unwrap();
        assert_eq!(metadata.topics()[0].partitions().len(), partitions);
    }
}

#[test]
fn a_topic_that_is_not_known_is_made() {
    let broker = Broker::start(&[]).unwrap();
    produce(&broker, "unknown", 0..10);
    let consumer = consumer(&broker);
    consumer.subscribe(&["unknown"]).unwrap();
    assert_eq!(read(&consumer, 10).len(), 10);
}

#[test]
fn a_topic_that_cannot_be_made_is_named() {
    let error = Broker::start(&[("twice", 1), ("twice", 2)]).unwrap_err();
    assert!(error.to_string().contains("\"twice\" of 2 partitions"), "{error}");
}

#[test]
fn a_broker_can_move_to_another_thread() {
    fn movable<T: Send + Sync + 'static>() {}
    movable::<Broker>();
    let broker = Broker::start(&[]).unwrap();
    std::thread::spawn(move || drop(broker)).join().unwrap();
}
