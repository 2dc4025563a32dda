//! What the command line asks of Kafka besides ingestion.

use std::time::Duration;

use consumer::{Error, Probe, Settings, ensure_topics};

use crate::harness::{Broker, TIMEOUT, event};

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_exist_are_left_alone_and_a_missing_one_is_named() {
    let broker = Broker::with_partitions(3);
    ensure_topics(&broker.settings).await.unwrap();
    assert_eq!(
        Probe::new(&broker.settings)
            .unwrap()
            .progress(TIMEOUT)
            .await
            .unwrap()
            .len(),
        3
    );

    let missing = Settings {
        topic: "nowhere".to_owned(),
        create_topics: false,
        ..broker.settings.clone()
    };
    for _ in 0..2 {
        let error = ensure_topics(&missing).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "kafka: topic nowhere does not exist",
            "asking does not create it"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_returns_how_far_a_group_has_read() {
    let broker = Broker::with_partitions(2);
    let probe = Probe::new(&broker.settings).unwrap();
    probe.ping(TIMEOUT).await.unwrap();
    broker
        .publish((0..10).map(|number| event(&number.to_string())))
        .await;
    let progress = probe.progress(TIMEOUT).await.unwrap();
    assert_eq!(progress.iter().map(|partition| partition.end).sum::<i64>(), 10);
    assert!(
        progress
            .iter()
            .all(|partition| partition.committed.is_none() && partition.start == 0)
    );
    assert_eq!(broker.lag().await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_named_in_time() {
    let settings = Settings {
        bootstrap_servers: "127.0.0.1:1".to_owned(),
        ..Settings::default()
    };
    let probe = Probe::new(&settings).unwrap();
    let error = probe.ping(Duration::from_millis(500)).await.unwrap_err();
    assert_eq!(error.to_string(), "kafka: no answer from 127.0.0.1:1");
}

#[test]
fn a_wrong_setting_is_named() {
    let with = |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.validate().unwrap_err().to_string()
    };
    let table = [
        (
            with(|s| s.bootstrap_servers.clear()),
            "kafka.bootstrap_servers must not be empty",
        ),
        (
            with(|s| s.topic = "a b".to_owned()),
            "kafka.topic must be 1 to 249 of A-Z a-z 0-9 . _ -",
        ),
        (
            with(|s| s.dead_letter_topic.clone_from(&s.topic)),
            "kafka.dead_letter_topic must differ from kafka.topic",
        ),
        (
            with(|s| s.budget_bytes = 1),
            "kafka.budget_bytes must be at least 16777216",
        ),
        (
            with(|s| s.max_record_bytes = std::num::NonZeroUsize::MAX),
            "kafka.max_record_bytes must be at most 55924053, what the budget leaves to a batch",
        ),
        (
            with(|s| {
                s.properties
                    .insert("enable.auto.commit".to_owned(), "true".to_owned());
            }),
            "kafka.properties.enable.auto.commit may not be set: offsets are committed behind what is settled",
        ),
        (
            with(|s| {
                s.properties
                    .insert("heartbeat.interval.ms".to_owned(), "10000".to_owned());
            }),
            "kafka.properties.heartbeat.interval.ms must be less than session.timeout.ms, which is 10000",
        ),
    ];
    for (error, expected) in table {
        assert_eq!(error, expected);
    }
}

#[test]
fn properties_that_the_code_rests_on_are_refused_by_every_name() {
    for (property, value) in [
        ("statistics.interval.ms", "0"),
        ("statistics.interval.ms", "60000"),
        ("transactional.id", "x"),
        ("enable.idempotence", "false"),
        ("request.required.acks", "0"),
        ("auto.commit.enable", "true"),
        ("offset.store.method", "none"),
        ("delivery.report.only.error", "true"),
        ("delivery.timeout.ms", "0"),
        ("message.timeout.ms", "0"),
        ("allow.auto.create.topics", "true"),
        ("message.max.bytes", "1000"),
        ("fetch.max.bytes", "50000000"),
        ("queued.min.messages", "1000000"),
        ("queued.max.messages.kbytes", "1000000"),
        ("queue.buffering.max.kbytes", "1"),
    ] {
        let settings = with_properties(&[(property, value)]);
        let error = settings.validate().unwrap_err().to_string();
        let expected = format!("kafka.properties.{property} may not be set: ");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn properties_that_do_not_go_together_are_named_before_anything_is_sent() {
    let ssl = ("security.protocol", "ssl");
    for (properties, culprit) in [
        (&[("session.timeout.ms", "60000")][..], "session.timeout.ms"),
        (&[("max.poll.interval.ms", "5000")], "max.poll.interval.ms"),
        (
            &[("receive.message.max.bytes", "1000")],
            "receive.message.max.bytes",
        ),
        (&[("linger.ms", "60000")], "linger.ms"),
        (&[ssl, ("ssl.ca.location", "/no/such/file")], "ssl.ca.location"),
        (
            &[ssl, ("ssl.keystore.location", "/no/such/file")],
            "ssl.keystore.location",
        ),
    ] {
        let settings = with_properties(properties);
        settings.validate().unwrap();
        let error = consumer::check_clients(&settings).unwrap_err().to_string();
        let expected = format!("kafka.properties.{culprit} is refused by librdkafka: ");
        assert!(error.starts_with(&expected), "{error}");
    }
    let longer = [("session.timeout.ms", "45000"), ("max.poll.interval.ms", "60000")];
    consumer::check_clients(&with_properties(&longer)).unwrap();
    consumer::check_clients(&Settings::default()).unwrap();
}

fn with_properties(properties: &[(&str, &str)]) -> Settings {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Settings {
        properties: properties.iter().map(owned).collect(),
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_property_that_librdkafka_does_not_know_ends_the_run_before_it_begins() {
    let mut settings = Settings::default();
    settings
        .properties
        .insert("no.such.property".to_owned(), "1".to_owned());
    let error = Probe::new(&settings).unwrap_err();
    assert!(matches!(error, Error::Client(_)), "{error}");
}
