//! Rejected records, in their topic.

use std::num::{NonZeroU64, NonZeroUsize};

use consumer::{Error, Publisher, Settings};
use rdkafka::message::{Headers, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Message};

use crate::harness::{Broker, Memory, Run, TIMEOUT, event, ids, other, until};

/// Key, headers and value of a record.
type Published<'a> = (
    Option<&'a [u8]>,
    &'a [(&'a str, Option<&'a [u8]>)],
    Option<&'a [u8]>,
);

fn headers(record: &OwnedMessage) -> Vec<(String, Option<Vec<u8>>)> {
    let headers = record.headers().into_iter().flat_map(Headers::iter);
    headers
        .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_the_record_itself_with_its_reason_and_its_true_partition_and_offset() {
    let broker = Broker::with_partitions(3);
    let publisher = Publisher::new(&broker.settings).unwrap();
    let with_headers: &[(&str, Option<&[u8]>)] = &[
        ("trace", Some(b"\xff\x00\x01")),
        ("empty", Some(b"")),
        ("null", None),
        ("rollcall_offset", Some(b"mine")),
    ];
    let too_large = vec![b'x'; (1 << 20) + 1];
    let publish: &[Published<'_>] = &[
        (Some(b"acme:1"), with_headers, Some(b"not json \xf0\x00")),
        (Some(b"acme:2"), &[], None),
        (None, &[], Some(b"{\"specversion\":\"2.0\"}")),
        (
            Some(b"\xff\xfe"),
            &[("content-type", Some(b"application/cloudevents+json"))],
            Some(b""),
        ),
        (Some(b"acme:3"), &[], Some(&too_large)),
    ];
    for (key, headers, value) in publish {
        publisher.publish(*key, headers, *value).await.unwrap();
        publisher
            .publish(*key, &[], Some(event("valid").as_bytes()))
            .await
            .unwrap();
    }
    publisher.flush(TIMEOUT).await.unwrap();

    let sink = Memory::default();
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.rejected), (5, 5));

    let originals = broker.records(&broker.settings.topic, 10).await;
    let mut letters = broker.records(&broker.settings.dead_letter_topic, 5).await;
    assert_eq!(letters.len(), 5);
    let mut codes = Vec::new();
    for letter in &mut letters {
        let mut all = headers(letter);
        let ours = all.split_off(all.len() - 6);
        let [reason, code, topic, partition, offset, timestamp] = ours.try_into().unwrap();
        let text =
            |(name, value): (String, Option<Vec<u8>>)| (name, String::from_utf8(value.unwrap()).unwrap());
        let [
            (reason, why),
            (code, short),
            (topic, from),
            (partition, number),
            (offset, position),
            (timestamp, millis),
        ] = [reason, code, topic, partition, offset, timestamp].map(text);
        assert_eq!(
            [reason, code, topic, partition, offset, timestamp],
            [
                "rollcall_reason",
                "rollcall_reason_code",
                "rollcall_topic",
                "rollcall_partition",
                "rollcall_offset",
                "rollcall_timestamp"
            ]
        );
        assert!(!why.is_empty());
        assert_eq!(from, broker.settings.topic);
        let original = originals
            .iter()
            .find(|record| {
                record.partition().to_string() == number && record.offset().to_string() == position
            })
            .unwrap();
        assert_eq!(letter.key(), original.key());
        assert_eq!(letter.payload(), original.payload());
        assert_eq!(millis.parse().ok(), original.timestamp().to_millis());
        assert_eq!(all, headers(original));
        assert!(
            publish
                .iter()
                .any(|(key, _, value)| (*key, *value) == (letter.key(), letter.payload()))
        );
        codes.push(short);
    }
    codes.sort();
    assert!(codes.contains(&"record_too_large".to_owned()), "{codes:?}");
    assert!(codes.contains(&"tombstone".to_owned()), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_not_older_than_its_topic_keeps() {
    let broker = Broker::with_partitions(1);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &broker.settings.bootstrap_servers)
        .create()
        .unwrap();
    let old: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&broker.settings.topic)
        .payload(b"{".as_slice())
        .timestamp(1_600_000_000_000);
    producer.send(old).map_err(|(error, _)| error).unwrap();
    producer.flush(TIMEOUT).unwrap();

    let run = Run::start(&broker.settings, &Memory::default());
    until("the commit", async || broker.committed().await[&0] == Some(1)).await;
    run.stop().await;
    let originals = broker.records(&broker.settings.topic, 1).await;
    assert_eq!(originals[0].timestamp().to_millis(), Some(1_600_000_000_000));
    let letters = broker.records(&broker.settings.dead_letter_topic, 1).await;
    assert!(letters[0].timestamp().to_millis() > Some(1_700_000_000_000));
    let last = headers(&letters[0]).pop().unwrap();
    assert_eq!(
        last,
        ("rollcall_timestamp".to_owned(), Some(b"1600000000000".to_vec()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_read_is_dead_lettered_however_large() {
    let mut broker = Broker::with_partitions(1);
    let larger = Settings {
        max_record_bytes: NonZeroUsize::new(4 << 20).unwrap(),
        ..broker.settings.clone()
    };
    // Of this a sixteenth is for dead letters, less than one of these.
    broker.settings.budget_bytes = 16 << 20;
    let publisher = Publisher::new(&larger).unwrap();
    let values = [(1 << 20) + 1, 3 << 20].map(|length| vec![b'x'; length]);
    for value in &values {
        publisher.publish(None, &[], Some(value)).await.unwrap();
    }
    publisher.flush(TIMEOUT).await.unwrap();

    let run = Run::start(&broker.settings, &Memory::default());
    until("the commit", async || broker.committed().await[&0] == Some(2)).await;
    run.stop().await;
    let letters = broker.records(&broker.settings.dead_letter_topic, 2).await;
    let written: Vec<_> = letters.iter().map(Message::payload).collect();
    assert_eq!(written, values.each_ref().map(|value| Some(value.as_slice())));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_record_that_is_too_large_for_the_dead_letter_topic_the_beginning_is_kept() {
    let broker = Broker::with_partitions(1);
    let value: Vec<u8> = (0..4_000_u32).map(|index| index.to_le_bytes()[0]).collect();
    let own: &[(&str, Option<&[u8]>)] = &[("trace", Some(b"own"))];
    let publisher = Publisher::new(&broker.settings).unwrap();
    publisher.publish(Some(b"key"), own, Some(&value)).await.unwrap();
    publisher.flush(TIMEOUT).await.unwrap();
    // The letter in its batch, by itself, and half of it twice.
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    broker
        .cluster
        .request_errors(RDKafkaApiKey::Produce, &[refused; 4]);

    let run = Run::start(&broker.settings, &Memory::default());
    until("the commit", async || broker.committed().await[&0] == Some(1)).await;
    run.stop().await;
    let letters = broker.records(&broker.settings.dead_letter_topic, 1).await;
    assert_eq!(letters[0].key(), Some(&b"key"[..]));
    let kept = letters[0].payload().unwrap();
    assert!((500..1_000).contains(&kept.len()), "{} bytes", kept.len());
    assert!(value.starts_with(kept));
    let all = headers(&letters[0]);
    assert_eq!(all[0], ("trace".to_owned(), Some(b"own".to_vec())));
    assert!(all.contains(&("rollcall_offset".to_owned(), Some(b"0".to_vec()))));
    assert_eq!(
        all.last(),
        Some(&("rollcall_cut_from_bytes".to_owned(), Some(b"4011".to_vec())))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_refused_for_the_size_of_its_batch_is_written_whole() {
    let broker = Broker::with_partitions(1);
    broker.publish((0..3).map(|_| "{".to_owned())).await;
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    broker.cluster.request_errors(RDKafkaApiKey::Produce, &[refused]);
    let run = Run::start(&broker.settings, &Memory::default());
    until("the commit", async || broker.committed().await[&0] == Some(3)).await;
    run.stop().await;
    for letter in broker.records(&broker.settings.dead_letter_topic, 3).await {
        assert_eq!(letter.payload(), Some(&b"{"[..]));
        assert_eq!(headers(&letter).last().unwrap().0, "rollcall_timestamp");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn never_commits_past_a_rejected_batch_before_its_dead_letters_are_flushed() {
    let broker = Broker::with_partitions(1);
    broker.publish([event("a"), "{".to_owned(), event("b")]).await;
    broker
        .cluster
        .partition_leader(&broker.settings.dead_letter_topic, 0, None)
        .unwrap();
    let sink = Memory::default();
    let run = Run::start(&broker.settings, &sink);
    until("the rows", async || sink.kept().len() == 2).await;
    let several_commits_later = tokio::time::Instant::now() + std::time::Duration::from_millis(2_500);
    while tokio::time::Instant::now() < several_commits_later {
        assert_eq!(broker.committed().await[&0], None);
    }
    broker
        .cluster
        .partition_leader(&broker.settings.dead_letter_topic, 0, Some(1))
        .unwrap();
    until("the commit", async || broker.committed().await[&0] == Some(3)).await;
    run.stop().await;
    assert_eq!(
        broker.records(&broker.settings.dead_letter_topic, 1).await.len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_dead_letters_are_not_acknowledged_for_long_ends_so_that_another_can_begin() {
    let broker = Broker::with_partitions(1);
    broker.publish([event("a"), "{".to_owned()]).await;
    broker
        .cluster
        .partition_leader(&broker.settings.dead_letter_topic, 0, None)
        .unwrap();
    let sink = Memory::default();
    let ended = Run::start(&broker.settings, &sink).end().await;
    assert!(matches!(ended, Err(Error::DeadLetterTimeout { .. })), "{ended:?}");
    assert_eq!(broker.committed().await[&0], None);

    broker
        .cluster
        .partition_leader(&broker.settings.dead_letter_topic, 0, Some(1))
        .unwrap();
    let run = Run::start(&broker.settings, &sink);
    until("the commit", async || broker.committed().await[&0] == Some(2)).await;
    run.stop().await;
    assert_eq!(
        broker.records(&broker.settings.dead_letter_topic, 1).await.len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_poison_is_dead_lettered_whole() {
    let broker = Broker::with_partitions(4);
    broker.publish(ids(0..5_000)).await;
    let sink = Memory::default();
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.rejected), (0, 5_000));
    assert_eq!(
        broker
            .records(&broker.settings.dead_letter_topic, 5_000)
            .await
            .len(),
        5_000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_of_the_single_record_and_the_rest_of_its_batch_is_kept() {
    let broker = Broker::with_partitions(3);
    let all = ids(0..300);
    let values = all.iter().flat_map(|id| match id.as_bytes() {
        // Records that end otherwise lie between them.
        [.., b'5'] => vec!["{".to_owned(), event(id), other(id)],
        _ => vec![event(id)],
    });
    broker.publish(values).await;
    let refused: Vec<String> = ["e000000", "e000123", "e000124", "e000299"]
        .map(str::to_owned)
        .into();
    let sink = Memory::default();
    sink.refuse(refused.clone());
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;

    assert_eq!((summary.kept, summary.skipped, summary.rejected), (296, 30, 34));
    let kept: Vec<String> = all.into_iter().filter(|id| !refused.contains(id)).collect();
    assert_eq!(sink.distinct(), kept);
    let originals = broker.records(&broker.settings.topic, 360).await;
    let letters = broker.records(&broker.settings.dead_letter_topic, 34).await;
    let mut found = Vec::new();
    for letter in &letters {
        let ours = headers(letter);
        let text = |name: &str| {
            let (_, value) = ours.iter().find(|(own, _)| own == name).unwrap();
            String::from_utf8(value.clone().unwrap()).unwrap()
        };
        if text("rollcall_reason_code") != "refused" {
            continue;
        }
        let origin = (
            text("rollcall_partition").parse().unwrap(),
            text("rollcall_offset").parse().unwrap(),
        );
        let original = originals
            .iter()
            .find(|record| (record.partition(), record.offset()) == origin)
            .unwrap();
        assert_eq!(
            (original.key(), original.payload()),
            (letter.key(), letter.payload())
        );
        let reason = text("rollcall_reason");
        let id = refused.iter().find(|id| reason.contains(id.as_str())).unwrap();
        assert_eq!(original.payload(), Some(event(id).as_bytes()), "{reason}");
        found.push(id.clone());
    }
    found.sort();
    assert_eq!(found, refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_the_second_half_is_found_without_writing_that_as_a_whole() {
    let mut broker = Broker::with_partitions(1);
    // Longer than the records take to come: they make one full batch.
    broker.settings.batch_delay_ms = NonZeroU64::new(5_000).unwrap();
    let all = ids(0..100);
    assert_eq!(broker.settings.batch_records.get(), all.len());
    broker.publish(all.iter().map(|id| event(id))).await;
    let sink = Memory::default();
    sink.refuse(all.last().cloned());
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.rejected), (99, 1));
    assert_eq!(sink.distinct(), all[..99]);
    assert_eq!(sink.writes(), 2, "the batch, and all of it but the last record");
    // These, what is read again, a half for each of seven halvings, and the last record alone.
    assert_eq!(sink.attempts(), 11);
}
