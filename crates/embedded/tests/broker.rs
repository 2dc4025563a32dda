//! The in-memory broker with real clients.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use embedded::Broker;
use rdkafka::{
    ClientConfig, Message,
    admin::{AdminClient, AdminOptions, ResourceSpecifier},
    client::DefaultClientContext,
    config::FromClientConfig,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
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

/// Sends a request of the key and version with a body, and returns the body of the answer.
fn ask(stream: &mut TcpStream, (key, version): (i16, i16), body: &[u8]) -> Vec<u8> {
    let header = [&key.to_be_bytes()[..], &version.to_be_bytes(), b"\0\0\0\x07\0\0"].concat();
    let size = u32::try_from(header.len() + body.len()).unwrap();
    let request = [&size.to_be_bytes()[..], &header, body].concat();
    stream.write_all(&request).unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(size)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[..4], [0, 0, 0, 7]);
    answer.split_off(4)
}

#[test]
fn clients_are_told_which_versions_of_api_versions_are_supported() {
    let broker = Broker::start(&[]).unwrap();
    let mut stream = TcpStream::connect(broker.bootstrap_servers()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // The layout of version 0, as KIP-511 asks for: the error 35, and one request, 18, of versions 0 to 2.
    let refusal = [0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 2];
    for version in [3, 4, 9] {
        assert_eq!(ask(&mut stream, (18, version), b"\0\x02c\x02v\0"), refusal);
    }
    let supported = ask(&mut stream, (18, 2), &[]);
    assert_eq!(supported[..2], [0, 0]);
    let ranges: Vec<_> = supported[6..supported.len() - 4].chunks(6).collect();
    // What the mock cannot do in the flexible layout is offered in the earlier one: of JoinGroup, 11, up to 5.
    assert!(ranges.contains(&[0, 11, 0, 0, 0, 5].as_slice()), "{ranges:?}");
    assert!(ranges.contains(&[0, 18, 0, 0, 0, 2].as_slice()), "{ranges:?}");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_request_is_let_go() {
    let broker = Broker::start(&[]).unwrap();
    let mut stream = TcpStream::connect(broker.bootstrap_servers()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // A request of 100 bytes, of which 8 come.
    stream.write_all(b"\0\0\0\x64\0\x12\0\x02\0\0\0\x07").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn clients_are_sent_back_to_the_address_that_they_came_to() {
    let broker = Broker::start(&[("events", 3)]).unwrap();
    let address = broker.bootstrap_servers();
    let (host, port) = address.split_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    let node = [host.as_bytes(), &[0, 0], &port.to_be_bytes()].concat();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    for (request, body) in [((3, 1), b"\xff\xff\xff\xff".as_slice()), ((10, 1), b"\0\x01g\0")] {
        let answer = ask(&mut stream, request, body);
        let found = answer.windows(node.len()).any(|bytes| bytes == node);
        assert!(found, "{request:?}: {answer:?}");
    }
}

#[test]
fn what_is_asked_of_the_controller_is_refused_at_once() {
    let broker = Broker::start(&[("events", 1)]).unwrap();
    let admin: AdminClient<DefaultClientContext> = client(&broker, &[]);
    let options = AdminOptions::new().request_timeout(Some(DEADLINE));
    let events = [ResourceSpecifier::Topic("events")];
    let asked = admin.describe_configs(&events, &options);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let refusal = runtime.block_on(asked).unwrap_err();
    let expected = KafkaError::AdminOp(RDKafkaErrorCode::UnsupportedFeature);
    assert_eq!(refusal, expected);
}

#[test]
fn what_is_produced_without_acknowledgement_is_kept_and_has_no_answer() {
    let broker = Broker::start(&[("events", 1)]).unwrap();
    let producer: ThreadedProducer<DefaultProducerContext> =
        client(&broker, &[("acks", "0"), ("linger.ms", "0")]);
    for number in 0..100 {
        let payload = format!("record {number}");
        producer
            .send(BaseRecord::<(), _>::to("events").payload(&payload))
            .unwrap();
        producer.flush(DEADLINE).unwrap();
    }
    drop(producer);
    let consumer = consumer(&broker);
    consumer.subscribe(&["events"]).unwrap();
    assert_eq!(read(&consumer, 100).len(), 100);

    let mut stream = TcpStream::connect(broker.bootstrap_servers()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // Produce, version 7: no client, no transaction, no acknowledgement, a timeout, no topics.
    let request = b"\0\0\0\x16\0\0\0\x07\0\0\0\x01\0\0\xff\xff\0\0\0\0\0\x09\0\0\0\0";
    stream.write_all(request).unwrap();
    assert_eq!(ask(&mut stream, (18, 2), &[])[..2], [0, 0]);
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
