//! Batches that are packed well: what a broker sends in a moment may unpack to a hundred times as much.

use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};
use tempfile::tempdir;

use crate::{
    harness::{DEADLINE, Parts, peak_memory},
    kafka::Kafka,
};

/// `kafka.budget_bytes`, by default.
const BUDGET: u64 = 256 << 20;
const PARTITIONS: i32 = 8;
/// Batches of a partition, of 100 KB as they are sent, and 16 MB unpacked.
const BATCHES: usize = 4;
/// Records of a batch, which hold the same bytes.
const RECORDS: usize = 160;

/// Bytes that cannot be packed, except that they repeat.
fn noise() -> Vec<u8> {
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        seed.to_be_bytes()[0]
    };
    (0..100_000).map(|_| next()).collect()
}

/// Publishes batches to each partition. They are of a type that is not ours: nothing is read of them but that.
fn publish(kafka: &consumer::Settings) {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("compression.type", "zstd")
        .set("linger.ms", "60000")
        .set("batch.size", "1000000000")
        .set("message.max.bytes", "1000000000")
        .create()
        .unwrap();
    let noise = noise();
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", "1"),
        ("ce_source", "/test"),
        ("ce_type", "com.example.other"),
        ("ce_time", "2024-05-15T10:00:00Z"),
        ("ce_org", "acme"),
    ];
    let headers = headers
        .into_iter()
        .fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header {
                key,
                value: Some(value),
            })
        });
    for partition in (0..PARTITIONS).flat_map(|partition| [partition; BATCHES]) {
        for _ in 0..RECORDS {
            let record = BaseRecord::<(), _>::to(&kafka.topic)
                .partition(partition)
                .headers(headers.clone())
                .payload(&noise);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(DEADLINE).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_by_bytes_with_well_packed_batches_on_every_partition() {
    let dir = tempdir().unwrap();
    let apache = dir.path().join("apache");
    let (parts, kafka) = tokio::join!(Parts::start(dir.path()), Kafka::start(&apache));
    let settings = kafka.settings();
    consumer::ensure_topics(&settings).await.unwrap();
    publish(&settings);
    let servers = (
        "ROLLCALL__KAFKA__BOOTSTRAP_SERVERS",
        settings.bootstrap_servers.as_str(),
    );
    let ingest = parts.ingest(&[servers]).await;
    ingest.settled().await;
    let skipped = ingest.metric("rollcall_skipped_records_total").await;
    let published = RECORDS * BATCHES * usize::try_from(PARTITIONS).unwrap();
    assert_eq!(usize::try_from(skipped).unwrap(), published);
    let peak = peak_memory(ingest.pid());
    assert!(peak <= BUDGET, "{peak} bytes, of {BUDGET}");
}
