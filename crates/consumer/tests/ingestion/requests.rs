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
            "kafka.max_record_bytes must be at most 33554432, what the budget leaves to a batch",
        ),
        (
            with(|s| {
                s.properties
                    .insert("enable.auto.commit".to_owned(), "true".to_owned());
            }),
            "kafka.properties.enable.auto.commit may not be set: offsets are committed behind what is settled",
        ),
    ];
    for (error, expected) in table {
        assert_eq!(error, expected);
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
