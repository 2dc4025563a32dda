//! Dead letters, published again.

use std::collections::BTreeMap;

use consumer::{
    Bounds, LeftAlone, LetterCounts, Publisher, Reader, Replay, Replayed, Selection, Settings, count_letters,
};
use events::Timestamp;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::apache::Apache;
use crate::harness::{Broker, Memory, NOW, Run, TIMEOUT, lag, publish, until};

const DAY: i64 = 24 * 60 * 60 * 1_000;

fn now() -> Timestamp {
    Timestamp::parse_rfc3339(NOW).unwrap()
}

async fn open(broker: &Broker, selection: Selection) -> Replay {
    Replay::open(&broker.settings, selection, now(), TIMEOUT)
        .await
        .unwrap()
}

/// Replays all that is selected.
async fn replay(broker: &Broker, selection: Selection) -> Replayed {
    let mut replay = open(broker, selection).await;
    while replay.next().await.unwrap() > 0 {}
    replay.replayed().clone()
}

fn replayed(published: u64, left_alone: impl IntoIterator<Item = (LeftAlone, u64)>) -> Replayed {
    let published = (published > 0).then(|| ("malformed_json".to_owned(), published));
    Replayed {
        published: published.into_iter().collect(),
        left_alone: left_alone.into_iter().collect(),
    }
}

/// Publishes a value that many times, and lets ingestion reject it.
async fn reject(broker: &Broker, count: usize, value: &str) {
    broker.publish((0..count).map(|_| value.to_owned())).await;
    let run = Run::start(&broker.settings, &Memory::default());
    until("everything to be committed", async || broker.lag().await == 0).await;
    run.stop().await;
}

/// A dead letter that came from a topic, written this many days ago, with further headers.
fn write_letter(broker: &Broker, topic: &str, days_ago: i64, further: &[(&str, &str)]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &broker.settings.bootstrap_servers)
        .create()
        .unwrap();
    let ours = [
        ("rollcall_reason", "malformed"),
        ("rollcall_reason_code", "malformed_json"),
        ("rollcall_topic", topic),
        ("rollcall_partition", "0"),
        ("rollcall_offset", "7"),
        ("rollcall_timestamp", "1600000000000"),
    ];
    let headers = ours
        .iter()
        .chain(further)
        .fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header {
                key,
                value: Some(*value),
            })
        });
    let letter: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&broker.settings.dead_letter_topic)
        .payload(b"{".as_slice())
        .headers(headers)
        .timestamp(now().as_millis() - days_ago * DAY);
    producer.send(letter).map_err(|(error, _)| error).unwrap();
    producer.flush(TIMEOUT).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_names_the_topic_that_refused_and_what_was_published_before_is_not_published_again() {
    const LETTERS: usize = 2_500;
    /// How many are published before they are marked.
    const WINDOW: usize = 1_000;
    let broker = Broker::with_partitions(3);
    reject(&broker, LETTERS, "{").await;
    let mut first = open(&broker, Selection::default()).await;
    assert_eq!(first.total(), 2_500);
    assert_eq!(first.next().await.unwrap(), WINDOW);
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    broker
        .cluster
        .request_errors(RDKafkaApiKey::Produce, &[refused; 100]);
    let error = first.next().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "kafka: User:ANONYMOUS lacks the right WRITE on topic {}",
            broker.settings.topic
        )
    );
    broker.cluster.clear_request_errors(RDKafkaApiKey::Produce);
    drop(first);

    let mut second = open(&broker, Selection::default()).await;
    assert_eq!(second.total(), 1_500);
    while second.next().await.unwrap() > 0 {}
    assert_eq!(second.replayed(), &replayed(1_500, []));
    let mut copies = BTreeMap::<Vec<u8>, usize>::new();
    for record in broker.records(&broker.settings.topic, 2 * LETTERS).await {
        *copies.entry(record.key().unwrap().to_vec()).or_default() += 1;
    }
    assert!(copies.values().all(|count| *count == 2), "{copies:?}");
    assert_eq!(copies.len(), LETTERS);
    assert_eq!(replay(&broker, Selection::default()).await, Replayed::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_before_the_letter_that_failed_is_not_published_again() {
    let broker = Broker::with_partitions(1);
    // Two are more than a batch takes.
    reject(&broker, 2, &"{".repeat(700_000)).await;
    let mut refusals = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 100];
    refusals[0] = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
    broker.cluster.request_errors(RDKafkaApiKey::Produce, &refusals);
    open(&broker, Selection::default())
        .await
        .next()
        .await
        .unwrap_err();
    broker.cluster.clear_request_errors(RDKafkaApiKey::Produce);

    assert_eq!(replay(&broker, Selection::default()).await, replayed(1, []));
    assert_eq!(broker.records(&broker.settings.topic, 4).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_is_kept_fresh_where_nothing_is_left_to_replay() {
    let broker = Broker::with_partitions(1);
    write_letter(&broker, &broker.settings.topic, 0, &[]);
    assert_eq!(replay(&broker, Selection::default()).await, replayed(1, []));
    let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    broker
        .cluster
        .request_errors(RDKafkaApiKey::OffsetCommit, &[denied; 10]);
    let mut again = open(&broker, Selection::default()).await;
    assert_eq!(again.total(), 0);
    again.next().await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_record_has_the_present_as_its_timestamp() {
    let broker = Broker::with_partitions(1);
    write_letter(&broker, &broker.settings.topic, 0, &[]);
    assert_eq!(replay(&broker, Selection::default()).await, replayed(1, []));
    let records = broker.records(&broker.settings.topic, 1).await;
    assert!(records[0].timestamp().to_millis() > Some(now().as_millis()));
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_may_have_been_replayed_are_left_alone_where_nobody_knows_any_more() {
    let broker = Broker::with_partitions(1);
    let topic = &broker.settings.topic;
    write_letter(&broker, topic, 8, &[]);
    write_letter(&broker, topic, 6, &[]);
    let unknown = || [(LeftAlone::PerhapsReplayed, 1)];
    assert_eq!(
        replay(&broker, Selection::default()).await,
        replayed(1, unknown())
    );
    // Now it is known, and stays so where nothing comes.
    write_letter(&broker, topic, 8, &[]);
    assert_eq!(replay(&broker, Selection::default()).await, replayed(1, []));
    assert_eq!(replay(&broker, Selection::default()).await, Replayed::default());

    let all = || Selection {
        from_beginning: true,
        ..Selection::default()
    };
    assert_eq!(replay(&broker, all()).await, replayed(3, []));

    // Kafka forgets the offsets of a group: it is as if there were none yet.
    let mut forgotten = Broker {
        settings: broker.settings.clone(),
        ..broker
    };
    forgotten.settings.group_id = "another".to_owned();
    let selection = Selection {
        dry_run: true,
        ..Selection::default()
    };
    assert_eq!(
        replay(&forgotten, selection).await,
        replayed(1, [(LeftAlone::PerhapsReplayed, 2)])
    );
    assert_eq!(replay(&forgotten, all()).await, replayed(3, []));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brokers_say_how_long_they_know_what_was_replayed() {
    const HOURS: i64 = 60 * 60 * 1_000;
    let kafka = Apache::get().await;
    let settings = kafka.topic("forgets").await;
    publish(&settings, ["{".to_owned()]).await;
    let run = Run::start(&settings, &Memory::default());
    until("it is rejected", async || lag(&settings).await == 0).await;
    let rejected = run.stop().await.rejected;
    assert_eq!(rejected, 1);

    let selection = || Selection {
        dry_run: true,
        ..Selection::default()
    };
    let letters = Reader::open(&settings, &settings.dead_letter_topic, TIMEOUT).await;
    let letter = letters.unwrap().next().await.unwrap().unwrap();
    for (hours, expected) in [
        (0, replayed(1, [])),
        (2, replayed(0, [(LeftAlone::PerhapsReplayed, 1)])),
    ] {
        let now = Timestamp::from_millis(letter.timestamp().unwrap() + hours * HOURS);
        let mut replay = Replay::open(&settings, selection(), now, TIMEOUT).await.unwrap();
        while replay.next().await.unwrap() > 0 {}
        assert_eq!(*replay.replayed(), expected, "after {hours} hours");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_beyond_the_end_is_that_of_a_topic_of_before() {
    let broker = Broker::with_partitions(1);
    write_letter(&broker, &broker.settings.topic, 0, &[]);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &broker.settings.bootstrap_servers)
        .set("group.id", format!("{}.replay", broker.settings.group_id))
        .create()
        .unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset(&broker.settings.dead_letter_topic, 0, Offset::Offset(100))
        .unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    assert_eq!(replay(&broker, Selection::default()).await, replayed(1, []));
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_can_be_published_nowhere_are_left_alone_and_the_rest_goes_on() {
    let broker = Broker::with_partitions(1);
    broker.cluster.create_topic("other", 1, 1).unwrap();
    let topic = &broker.settings.topic;
    for from in [topic, "other", "gone", topic, "not a name", "gone"] {
        write_letter(&broker, from, 0, &[]);
    }
    write_letter(&broker, topic, 0, &[("rollcall_cut_from_bytes", "5000000")]);
    let letters = Settings {
        topic: broker.settings.dead_letter_topic.clone(),
        dead_letter_topic: "unused".to_owned(),
        ..broker.settings.clone()
    };
    let publisher = Publisher::new(&letters).unwrap();
    publisher.publish(None, &[], Some(b"no letter")).await.unwrap();
    publisher.flush(TIMEOUT).await.unwrap();
    write_letter(&broker, topic, 0, &[]);

    let common = [(LeftAlone::Unreadable, 2), (LeftAlone::Cut, 1)];
    let others =
        [("other", 1), ("gone", 2)].map(|(topic, count)| (LeftAlone::OtherTopic(topic.to_owned()), count));
    assert_eq!(
        replay(&broker, Selection::default()).await,
        replayed(3, common.clone().into_iter().chain(others))
    );
    let any_topic = Selection {
        any_topic: true,
        from_beginning: true,
        ..Selection::default()
    };
    let gone = (LeftAlone::NoTopic("gone".to_owned()), 2);
    assert_eq!(
        replay(&broker, any_topic).await,
        replayed(4, common.into_iter().chain([gone]))
    );
    assert_eq!(broker.records("other", 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_its_topic_refuses_is_left_alone_and_the_rest_goes_on() {
    let broker = Broker::with_partitions(1);
    for _ in 0..2 {
        write_letter(&broker, &broker.settings.topic, 0, &[]);
    }
    // The batch of both, and the first of them by itself.
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    broker
        .cluster
        .request_errors(RDKafkaApiKey::Produce, &[refused; 2]);
    let left = (LeftAlone::Refused(broker.settings.topic.clone()), 1);
    assert_eq!(replay(&broker, Selection::default()).await, replayed(1, [left]));
    assert_eq!(replay(&broker, Selection::default()).await, Replayed::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_counted_by_reason_and_of_many_the_latest_alone() {
    let broker = Broker::with_partitions(1);
    reject(&broker, 3, "{").await;
    reject(&broker, 2, "[]").await;
    let letters_as_events = Settings {
        topic: broker.settings.dead_letter_topic.clone(),
        dead_letter_topic: broker.settings.topic.clone(),
        ..broker.settings.clone()
    };
    publish(&letters_as_events, ["none of ours".to_owned()]).await;
    let count = async |letters| {
        let bounds = Bounds {
            letters,
            time: TIMEOUT,
        };
        count_letters(&broker.settings, bounds, TIMEOUT).await.unwrap()
    };
    let by_reason = |reasons: &[(&str, u64)]| {
        let reasons = reasons.iter();
        reasons
            .map(|(code, count)| ((*code).to_owned(), *count))
            .collect()
    };
    let all = LetterCounts {
        total: 6,
        counted: 6,
        is_complete: true,
        by_reason: by_reason(&[("malformed_json", 3), ("not_a_cloud_event", 2)]),
        unreadable: 1,
    };
    assert_eq!(count(6).await, all);
    let latest = LetterCounts {
        total: 6,
        counted: 3,
        is_complete: false,
        by_reason: by_reason(&[("not_a_cloud_event", 2)]),
        unreadable: 1,
    };
    assert_eq!(count(3).await, latest);
}
